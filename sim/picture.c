/* picture.c - the page of a history: its parts from sim/page/, and the history as one object of
 * JSON between them.
 *
 * Operations stand there in the order of their calls, a column a field, times as differences: a
 * hundred thousand of them are three megabytes, which a browser reads in some tens of milliseconds.
 * Texts are listed once and named by number, so that equal values are known as such even where a
 * long one is cut for the page. Times count from the first call; where they would not fit into the
 * 53 bits of a browser's number they are made coarser, and the page says so.
 *
 * The verdict is in the page as plain text, too: for readers of screens, for grep, and for browsers
 * that run no scripts. */
#include "sim/picture.h"
#include "sim/json_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_SIZE_MAX 400 /* A longer one is shown by its ends. */
#define TEXT_END_SIZE 160
#define EXACT_MAX (UINT64_C(1) << 53)

static const unsigned char page_html[] = {
#include "sim/page_html.inc"
    0};
static const unsigned char page_css[] = {
#include "sim/page_css.inc"
    0};
static const unsigned char page_js[] = {
#include "sim/page_js.inc"
    0};

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
}

static void *grown(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    array = realloc(array, *capacity * size);
    GD_ASSERT(array != NULL);
    return array;
}

static char *copy_of(const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = zeroed(size, 1);
    memcpy(copy, text, size);
    return copy;
}

/* ---------------------------------------------------------------- what is known */

void gd_sim_picture_init(struct gd_sim_picture *picture, const struct gd_sim_record *record)
{
    *picture = (struct gd_sim_picture){
        .record = record, .name = "", .text = "", .turning = GD_SIM_PICTURE_NOBODY};
}

void gd_sim_picture_release(struct gd_sim_picture *picture)
{
    for (size_t i = 0; i < picture->order_count; i++) {
        free(picture->orders[i].operations);
        free(picture->orders[i].why);
    }
    for (size_t i = 0; i < picture->culprit_count; i++) {
        free(picture->culprits[i].role);
    }
    for (size_t i = 0; i < picture->span_count; i++) {
        free(picture->spans[i].text);
    }
    free(picture->orders);
    free(picture->culprits);
    free(picture->spans);
    gd_sim_picture_init(picture, picture->record);
}

struct gd_sim_picture_order *gd_sim_picture_add_order(struct gd_sim_picture *picture, size_t count)
{
    picture->orders = grown(picture->orders, &picture->order_capacity, picture->order_count,
                            sizeof *picture->orders);
    struct gd_sim_picture_order *order = &picture->orders[picture->order_count++];
    *order = (struct gd_sim_picture_order){.count = count, .stuck = GD_SIM_PICTURE_NOBODY};
    order->operations = zeroed(count, sizeof *order->operations);
    return order;
}

void gd_sim_picture_add_culprit(struct gd_sim_picture *picture, size_t operation, const char *role)
{
    picture->culprits = grown(picture->culprits, &picture->culprit_capacity, picture->culprit_count,
                              sizeof *picture->culprits);
    picture->culprits[picture->culprit_count++] =
        (struct gd_sim_picture_culprit){operation, copy_of(role)};
}

void gd_sim_picture_add_span(struct gd_sim_picture *picture, const struct gd_sim_picture_span *span)
{
    picture->spans =
        grown(picture->spans, &picture->span_capacity, picture->span_count, sizeof *picture->spans);
    picture->spans[picture->span_count] = *span;
    picture->spans[picture->span_count++].text = copy_of(span->text);
}

/* ---------------------------------------------------------------- which operations, in which order
 */

struct entry {
    gd_time_ns call;
    size_t operation;
};
struct page {
    const struct gd_sim_picture *picture;
    const struct gd_sim_record *record;
    struct gd_bytes json;
    struct entry *entries; /* Owned: what is shown, by call. */
    size_t count;
    size_t *place; /* Owned, by operation: where in `entries`; NOBODY: not shown. */
    gd_time_ns base;
    unsigned coarse;             /* Times are divided by 2 to this. */
    size_t total;                /* Operations, with those that are not shown. */
    struct gd_sim_value *values; /* Owned: each distinct one once. */
    size_t value_count, value_capacity;
    uint32_t *index; /* Owned: hash table of values, counted from 1. */
    size_t index_capacity;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->call != y->call) {
        return x->call < y->call ? -1 : 1;
    }
    return x->operation < y->operation ? -1 : x->operation > y->operation;
}

/* The window of a history that is too large for a page: around what is wrong, else its beginning.
 */
static void cut_entries(struct page *page)
{
    const struct gd_sim_picture *picture = page->picture;
    size_t focus = picture->culprit_count > 0 ? picture->culprits[0].operation : picture->turning;
    size_t first = 0;
    if (page->count <= GD_SIM_PICTURE_OPERATIONS_MAX) {
        return;
    }
    while (focus != GD_SIM_PICTURE_NOBODY && page->entries[first].operation != focus) {
        first++;
    }
    first -= first < GD_SIM_PICTURE_OPERATIONS_MAX / 2 ? first : GD_SIM_PICTURE_OPERATIONS_MAX / 2;
    if (first > page->count - GD_SIM_PICTURE_OPERATIONS_MAX) {
        first = page->count - GD_SIM_PICTURE_OPERATIONS_MAX;
    }
    page->count = GD_SIM_PICTURE_OPERATIONS_MAX;
    memmove(page->entries, page->entries + first, page->count * sizeof *page->entries);
}

static void choose_entries(struct page *page)
{
    const struct gd_sim_record *record = page->record;
    gd_time_ns last = 0;
    page->entries = zeroed(record->operation_count, sizeof *page->entries);
    page->place = zeroed(record->operation_count, sizeof *page->place);
    for (size_t i = 0; i < record->operation_count; i++) {
        page->place[i] = GD_SIM_PICTURE_NOBODY;
        if (record->operations[i].count > 0) {
            page->entries[page->count++] = (struct entry){record->operations[i].call, i};
        }
    }
    page->total = page->count;
    qsort(page->entries, page->count, sizeof *page->entries, compare_entries);
    cut_entries(page);
    page->base = page->count > 0 && page->picture->lanes == 0 ? page->entries[0].call : 0;
    for (size_t i = 0; i < page->count; i++) {
        const struct gd_sim_operation *op = &record->operations[page->entries[i].operation];
        page->place[page->entries[i].operation] = i;
        last = op->call > last ? op->call : last;
        last = op->fate != GD_SIM_FATE_OPEN && op->back > last ? op->back : last;
    }
    for (size_t i = 0; i < page->picture->span_count; i++) {
        gd_time_ns to = page->picture->spans[i].to;
        last = to > last ? to : last;
    }
    last = page->picture->failed > last ? page->picture->failed : last;
    while ((last - page->base) >> page->coarse >= EXACT_MAX) {
        page->coarse++;
    }
}

static uint64_t time_of(const struct page *page, gd_time_ns time)
{
    return time > page->base ? (time - page->base) >> page->coarse : 0;
}

/* ---------------------------------------------------------------- values by number */

enum { VALUE_NOTHING, VALUE_TRUE, VALUE_FALSE, VALUE_ERROR, VALUE_FIRST };

static uint64_t hash_of(const struct gd_sim_value *value)
{
    const char *text = value->text;
    size_t size = value->size;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)value->kind;
    if (value->kind == GD_SIM_VALUE_NUMBER) {
        text = (const char *)&value->number;
        size = sizeof value->number;
    }
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

static bool same(const struct gd_sim_value *a, const struct gd_sim_value *b)
{
    return a->kind == b->kind &&
           (a->kind == GD_SIM_VALUE_NUMBER
                ? a->number == b->number
                : a->size == b->size && memcmp(a->text, b->text, a->size) == 0);
}

static uint32_t *place_of(const struct page *page, const struct gd_sim_value *value)
{
    size_t mask = page->index_capacity - 1;
    size_t i = (size_t)hash_of(value) & mask;
    while (page->index[i] != 0 && !same(&page->values[page->index[i] - 1], value)) {
        i = (i + 1) & mask;
    }
    return &page->index[i];
}

static uint32_t number_of(struct page *page, const struct gd_sim_value *value)
{
    switch (value->kind) {
    case GD_SIM_VALUE_NOTHING:
        return VALUE_NOTHING;
    case GD_SIM_VALUE_TRUE:
        return VALUE_TRUE;
    case GD_SIM_VALUE_FALSE:
        return VALUE_FALSE;
    case GD_SIM_VALUE_ERROR:
        return VALUE_ERROR;
    default:
        break;
    }
    if (page->value_count * 2 >= page->index_capacity) {
        free(page->index);
        page->index_capacity = page->index_capacity == 0 ? 1024 : page->index_capacity * 2;
        page->index = zeroed(page->index_capacity, sizeof *page->index);
        for (size_t i = 0; i < page->value_count; i++) {
            *place_of(page, &page->values[i]) = (uint32_t)i + 1;
        }
    }
    uint32_t *place = place_of(page, value);
    if (*place == 0) {
        page->values =
            grown(page->values, &page->value_capacity, page->value_count, sizeof *page->values);
        page->values[page->value_count] = *value;
        *place = (uint32_t)++page->value_count;
    }
    return VALUE_FIRST + *place - 1;
}

/* ---------------------------------------------------------------- the object */

static void add_number(struct gd_bytes *to, uint64_t number)
{
    char text[24];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    gd_bytes_add(to, text + at, sizeof text - at);
}

/* An element of a list: the comma in front of all but the first. */
static void add_item(struct gd_bytes *to, uint64_t number)
{
    if (to->data[to->size - 1] != '[') {
        gd_bytes_add_u8(to, ',');
    }
    add_number(to, number);
}

static void add_text(struct gd_bytes *to, const char *text)
{
    gd_sim_json_text(to, text, strlen(text));
}

/* The same as a string whatever its bytes. */
static void add_words(struct gd_bytes *to, const char *text)
{
    struct gd_bytes clean = {0};
    for (; text != NULL && *text != '\0'; text++) {
        gd_bytes_add_u8(&clean, (uint8_t)*text < 0x80 ? (uint8_t)*text : (uint8_t)'?');
    }
    gd_sim_json_text(to, clean.data, clean.size);
    gd_bytes_release(&clean);
}

/* Where a cut does not part a character of UTF-8. */
static size_t cut_at(const char *text, size_t at)
{
    while (at > 0 && ((uint8_t)text[at] & 0xc0) == 0x80) {
        at--;
    }
    return at;
}

static void add_value(struct gd_bytes *to, const struct gd_sim_value *value)
{
    if (value->kind == GD_SIM_VALUE_NUMBER) {
        gd_bytes_format(to, "{\"number\":\"%" PRId64 "\"}", value->number);
    } else if (value->size <= TEXT_SIZE_MAX) {
        gd_sim_json_text(to, value->text, value->size);
    } else {
        size_t tail = cut_at(value->text, value->size - TEXT_END_SIZE);
        gd_bytes_add_text(to, "{\"head\":");
        gd_sim_json_text(to, value->text, cut_at(value->text, TEXT_END_SIZE));
        gd_bytes_add_text(to, ",\"tail\":");
        gd_sim_json_text(to, value->text + tail, value->size - tail);
        gd_bytes_format(to, ",\"size\":%zu}", value->size);
    }
}

static const struct gd_sim_operation *shown(const struct page *page, size_t i)
{
    return &page->record->operations[page->entries[i].operation];
}

static int compare_clients(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Clients by name, each once, and each operation's by its place there. */
static void add_clients(struct page *page)
{
    struct gd_bytes *to = &page->json;
    uint64_t *clients = zeroed(page->count, sizeof *clients);
    size_t count = 0;
    for (size_t i = 0; i < page->count; i++) {
        clients[i] = shown(page, i)->client;
    }
    qsort(clients, page->count, sizeof *clients, compare_clients);
    for (size_t i = 0; i < page->count; i++) {
        if (count == 0 || clients[count - 1] != clients[i]) {
            clients[count++] = clients[i];
        }
    }
    gd_bytes_add_text(to, ",\"clients\":[");
    for (size_t i = 0; i < count; i++) {
        gd_bytes_format(to, "%s\"%" PRIu64 "\"", i > 0 ? "," : "", clients[i]);
    }
    gd_bytes_add_text(to, "],\"client\":[");
    for (size_t i = 0; i < page->count; i++) {
        const uint64_t *found =
            bsearch(&shown(page, i)->client, clients, count, sizeof *clients, compare_clients);
        add_item(to, (uint64_t)(found - clients));
    }
    gd_bytes_add_u8(to, ']');
    free(clients);
}

static void add_times(struct page *page)
{
    struct gd_bytes *to = &page->json;
    gd_time_ns last = page->base;
    gd_bytes_add_text(to, ",\"call\":[");
    for (size_t i = 0; i < page->count; i++) {
        add_item(to, time_of(page, shown(page, i)->call) - time_of(page, last));
        last = shown(page, i)->call;
    }
    gd_bytes_add_text(to, "],\"took\":[");
    for (size_t i = 0; i < page->count; i++) {
        const struct gd_sim_operation *op = shown(page, i);
        gd_time_ns back = op->fate == GD_SIM_FATE_OPEN ? op->call : op->back;
        add_item(to, time_of(page, back) - time_of(page, op->call));
    }
    gd_bytes_add_text(to, "],\"fate\":\"");
    for (size_t i = 0; i < page->count; i++) {
        gd_bytes_add_u8(to, (uint8_t) "?dn"[shown(page, i)->fate]);
    }
    gd_bytes_add_u8(to, '"');
}

/* What is not the same everywhere: numbers in the record, nodes, names of commands. */
static void add_origins(struct page *page)
{
    struct gd_bytes *to = &page->json;
    const char *names[64];
    size_t count = 0;
    bool sorted = true, nodes = false;
    for (size_t i = 0; i < page->count; i++) {
        sorted = sorted && page->entries[i].operation == i;
        nodes = nodes || shown(page, i)->node != 0;
    }
    gd_bytes_add_text(to, sorted ? ",\"number\":[]" : ",\"number\":[");
    for (size_t i = 0; i < page->count && !sorted; i++) {
        add_item(to, page->entries[i].operation);
    }
    gd_bytes_add_text(to, sorted ? "" : "]");
    gd_bytes_add_text(to, ",\"node\":[");
    for (size_t i = 0; i < page->count && nodes; i++) {
        add_item(to, shown(page, i)->node);
    }
    gd_bytes_add_text(to, "],\"name\":[");
    for (size_t i = 0; i < page->count && nodes; i++) {
        size_t k = 0;
        while (k < count && strcmp(names[k], shown(page, i)->name) != 0) {
            k++;
        }
        if (k == count && count < GD_COUNT(names)) {
            names[count++] = shown(page, i)->name;
        }
        add_item(to, k);
    }
    gd_bytes_add_text(to, "],\"names\":[");
    for (size_t i = 0; i < count; i++) {
        gd_bytes_add_text(to, i > 0 ? "," : "");
        add_words(to, names[i]);
    }
    gd_bytes_add_u8(to, ']');
}

/* Keys that occur, and each step's by its place there. */
static void add_keys(struct page *page)
{
    struct gd_bytes *to = &page->json;
    const struct gd_sim_record *record = page->record;
    uint32_t *number; /* By key: its place in the page, counted from 1; 0: it has none. */
    unsigned greatest = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < record->step_count; i++) {
        greatest = record->steps[i].key > greatest ? record->steps[i].key : greatest;
    }
    number = zeroed((size_t)greatest + 1, sizeof *number);
    for (size_t i = 0; i < page->count; i++) {
        for (size_t k = 0; k < shown(page, i)->count; k++) {
            number[record->steps[shown(page, i)->first + k].key] = 1;
        }
    }
    gd_bytes_add_text(to, ",\"keys\":[");
    for (unsigned key = 0; key <= greatest; key++) {
        char name[600];
        if (number[key] != 0) {
            gd_sim_record_key_text(record, key, name, sizeof name);
            gd_bytes_add_text(to, count > 0 ? "," : "");
            add_text(to, name);
            number[key] = ++count;
        }
    }
    gd_bytes_add_text(to, "],\"key\":[");
    for (size_t i = 0; i < page->count; i++) {
        for (size_t k = 0; k < shown(page, i)->count; k++) {
            add_item(to, number[record->steps[shown(page, i)->first + k].key] - 1);
        }
    }
    gd_bytes_add_u8(to, ']');
    free(number);
}

/* Steps of all operations behind each other; `count` is there when not each has one. */
static void add_steps(struct page *page)
{
    struct gd_bytes *to = &page->json;
    bool single = true;
    for (size_t i = 0; i < page->count; i++) {
        single = single && shown(page, i)->count == 1 && !shown(page, i)->txn;
    }
    gd_bytes_add_text(to, ",\"count\":[");
    for (size_t i = 0; i < page->count && !single; i++) {
        add_item(to, shown(page, i)->count);
    }
    gd_bytes_add_text(to, "],\"txn\":[");
    for (size_t i = 0; i < page->count && !single; i++) {
        add_item(to, shown(page, i)->txn ? 1 : 0);
    }
    static const char *const columns[] = {"what", "input", "old", "output"};
    for (unsigned column = 0; column < GD_COUNT(columns); column++) {
        gd_bytes_format(to, "],\"%s\":[", columns[column]);
        for (size_t i = 0; i < page->count; i++) {
            for (size_t k = 0; k < shown(page, i)->count; k++) {
                const struct gd_sim_step *step = &page->record->steps[shown(page, i)->first + k];
                const struct gd_sim_value *value = column == 1   ? &step->input
                                                   : column == 2 ? &step->old
                                                                 : &step->output;
                add_item(to, column == 0 ? (uint64_t)step->what : number_of(page, value));
            }
        }
    }
    gd_bytes_add_text(to, "],\"values\":[");
    for (size_t i = 0; i < page->value_count; i++) {
        gd_bytes_add_text(to, i > 0 ? "," : "");
        add_value(to, &page->values[i]);
    }
    gd_bytes_add_u8(to, ']');
}

/* ---------------------------------------------------------------- orders */

/* Points for an order: halfway between the earliest and the latest that each may have, so that they
 * neither leave their bars nor pass each other. */
static void add_points(struct page *page, const struct gd_sim_picture_order *order)
{
    gd_time_ns *latest = zeroed(order->count, sizeof *latest);
    gd_time_ns bound = UINT64_MAX, earliest = 0, last = 0, point = 0;
    for (size_t k = order->count; k-- > 0;) {
        const struct gd_sim_operation *op = &page->record->operations[order->operations[k]];
        if (op->fate != GD_SIM_FATE_OPEN && op->back < bound) {
            bound = op->back;
        }
        latest[k] = bound;
    }
    for (size_t k = 0; k < order->count; k++) {
        const struct gd_sim_operation *op = &page->record->operations[order->operations[k]];
        earliest = op->call > earliest ? op->call : earliest;
        gd_time_ns next = latest[k] == UINT64_MAX || latest[k] < earliest
                              ? earliest
                              : earliest + (latest[k] - earliest) / 2;
        point = next > point ? next : point;
        if (page->place[order->operations[k]] != GD_SIM_PICTURE_NOBODY) {
            add_item(&page->json, time_of(page, point) - last);
            last = time_of(page, point);
        }
    }
    free(latest);
}

static void add_orders(struct page *page)
{
    struct gd_bytes *to = &page->json;
    gd_bytes_add_text(to, ",\"orders\":[");
    for (size_t i = 0; i < page->picture->order_count; i++) {
        const struct gd_sim_picture_order *order = &page->picture->orders[i];
        gd_bytes_add_text(to, i > 0 ? ",{\"operations\":[" : "{\"operations\":[");
        for (size_t k = 0; k < order->count; k++) {
            if (page->place[order->operations[k]] != GD_SIM_PICTURE_NOBODY) {
                add_item(to, page->place[order->operations[k]]);
            }
        }
        gd_bytes_add_text(to, "],\"points\":[");
        add_points(page, order);
        gd_bytes_add_u8(to, ']');
        if (order->stuck != GD_SIM_PICTURE_NOBODY &&
            page->place[order->stuck] != GD_SIM_PICTURE_NOBODY) {
            gd_bytes_format(to, ",\"stuck\":%zu,\"why\":", page->place[order->stuck]);
            add_words(to, order->why);
        }
        gd_bytes_add_u8(to, '}');
    }
    gd_bytes_add_u8(to, ']');
}

static void add_findings(struct page *page)
{
    const struct gd_sim_picture *picture = page->picture;
    struct gd_bytes *to = &page->json;
    bool first = true;
    gd_bytes_add_text(to, ",\"culprits\":[");
    for (size_t i = 0; i < picture->culprit_count; i++) {
        size_t place = page->place[picture->culprits[i].operation];
        if (place != GD_SIM_PICTURE_NOBODY) {
            gd_bytes_format(to, "%s[%zu,", first ? "" : ",", place);
            add_words(to, picture->culprits[i].role);
            gd_bytes_add_u8(to, ']');
            first = false;
        }
    }
    gd_bytes_add_u8(to, ']');
    if (picture->turning != GD_SIM_PICTURE_NOBODY &&
        page->place[picture->turning] != GD_SIM_PICTURE_NOBODY) {
        gd_bytes_format(to, ",\"turning\":%zu", page->place[picture->turning]);
    }
    if (picture->failed != 0) {
        gd_bytes_format(to, ",\"failed\":%" PRIu64, time_of(page, picture->failed));
    }
    gd_bytes_format(to, ",\"flights\":%u,\"lanes\":%u,\"spans\":[", picture->flights,
                    picture->lanes);
    for (size_t i = 0; i < picture->span_count; i++) {
        const struct gd_sim_picture_span *span = &picture->spans[i];
        gd_bytes_format(to, "%s[%u,%" PRIu64 ",%" PRIu64 ",", i > 0 ? "," : "", span->lane,
                        time_of(page, span->from), time_of(page, span->to));
        add_words(to, span->kind);
        gd_bytes_add_u8(to, ',');
        add_words(to, span->text);
        gd_bytes_add_u8(to, ']');
    }
    gd_bytes_add_u8(to, ']');
}

static void build_object(struct page *page)
{
    struct gd_bytes *to = &page->json;
    gd_bytes_format(to, "{\"outcome\":\"%s\",\"base\":\"%" PRIu64 "\",\"coarse\":%u,\"total\":%zu",
                    gd_sim_outcome_text(page->picture->outcome), page->base, page->coarse,
                    page->total);
    add_clients(page);
    add_times(page);
    add_origins(page);
    add_keys(page);
    add_steps(page);
    add_orders(page);
    add_findings(page);
    gd_bytes_add_u8(to, '}');
}

/* ---------------------------------------------------------------- the page */

static void add_escaped(struct gd_bytes *to, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            gd_bytes_add_text(to, "&amp;");
            break;
        case '<':
            gd_bytes_add_text(to, "&lt;");
            break;
        case '>':
            gd_bytes_add_text(to, "&gt;");
            break;
        case '"':
            gd_bytes_add_text(to, "&quot;");
            break;
        default:
            gd_bytes_add_u8(to, (uint8_t)*text);
            break;
        }
    }
}

/* JSON inside of a script element: no '<' may stand there, and in JSON one can only stand in a
 * string. */
static void add_json(struct gd_bytes *to, const struct gd_bytes *json)
{
    const uint8_t *at = json->data, *end = json->data + json->size;
    while (at < end) {
        const uint8_t *stop = memchr(at, '<', (size_t)(end - at));
        gd_bytes_add(to, at, (size_t)((stop != NULL ? stop : end) - at));
        if (stop != NULL) {
            gd_bytes_add_text(to, "\\u003c");
        }
        at = stop != NULL ? stop + 1 : end;
    }
}

static const char *verdict_of(const struct gd_sim_picture *picture)
{
    static const char *const histories[] = {"Legal", "Illegal", "Inconclusive"};
    static const char *const runs[] = {"Pass", "Fail", "Inconclusive"};
    return (picture->property == NULL ? histories : runs)[picture->outcome];
}

static void add_summary(const struct page *page, struct gd_bytes *to)
{
    const struct gd_sim_picture *picture = page->picture;
    if (picture->property != NULL && picture->property[0] != '\0') {
        gd_bytes_add_text(to, "<strong>");
        add_escaped(to, picture->property);
        gd_bytes_add_text(to, "</strong>: ");
    }
    if (picture->text[0] != '\0') {
        add_escaped(to, picture->text);
    } else if (picture->outcome == GD_SIM_PASS && picture->property != NULL) {
        gd_bytes_add_text(to, "Nothing that is checked was violated.");
    } else if (picture->outcome == GD_SIM_PASS) {
        gd_bytes_add_text(to,
                          "Every operation has a point between its call and its return at which "
                          "it took effect.");
    }
}

/* A word between @ signs in the page stands for something of this history. */
static void add_word(struct page *page, const char *word, size_t size, struct gd_bytes *to)
{
    const struct gd_sim_picture *picture = page->picture;
    if (size == 4 && memcmp(word, "NAME", size) == 0) {
        add_escaped(to, picture->name);
    } else if (size == 7 && memcmp(word, "VERDICT", size) == 0) {
        gd_bytes_add_text(to, verdict_of(picture));
    } else if (size == 7 && memcmp(word, "OUTCOME", size) == 0) {
        gd_bytes_add_text(to, gd_sim_outcome_text(picture->outcome));
    } else if (size == 7 && memcmp(word, "SUMMARY", size) == 0) {
        add_summary(page, to);
    } else if (size == 6 && memcmp(word, "METHOD", size) == 0) {
        add_escaped(to, picture->method != NULL ? picture->method : "");
    } else if (size == 5 && memcmp(word, "STYLE", size) == 0) {
        gd_bytes_add(to, page_css, sizeof page_css - 1);
    } else if (size == 6 && memcmp(word, "SCRIPT", size) == 0) {
        gd_bytes_add(to, page_js, sizeof page_js - 1);
    } else if (size == 4 && memcmp(word, "DATA", size) == 0) {
        add_json(to, &page->json);
    } else {
        GD_ASSERT(false);
    }
}

void gd_sim_picture_page(const struct gd_sim_picture *picture, struct gd_bytes *to)
{
    struct page page = {.picture = picture, .record = picture->record};
    const char *at = (const char *)page_html;
    const char *sign;
    choose_entries(&page);
    build_object(&page);
    while ((sign = strchr(at, '@')) != NULL) {
        const char *end = strchr(sign + 1, '@');
        GD_ASSERT(end != NULL);
        gd_bytes_add(to, at, (size_t)(sign - at));
        add_word(&page, sign + 1, (size_t)(end - sign - 1), to);
        at = end + 1;
    }
    gd_bytes_add_text(to, at);
    gd_bytes_release(&page.json);
    free(page.entries);
    free(page.place);
    free(page.values);
    free(page.index);
}

bool gd_sim_picture_write(const struct gd_sim_picture *picture, const char *file)
{
    struct gd_bytes bytes = {0};
    FILE *to = fopen(file, "wb");
    bool good = to != NULL;
    if (good) {
        gd_sim_picture_page(picture, &bytes);
        good = fwrite(bytes.data, 1, bytes.size, to) == bytes.size;
        good = fclose(to) == 0 && good;
    }
    gd_bytes_release(&bytes);
    return good;
}

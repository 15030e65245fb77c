/* lin_numbers.c - a part of a history in numbers, and what each step makes of a value.
 *
 * Operations that certainly had no effect are left out by the caller; those of unknown outcome that
 * would change nothing are left out here. */
#include "sim/lin_kv.h"
#include <stdlib.h>

#define CALM 3u /* Operations in flight, on the average. */

/* ---------------------------------------------------------------- the machine */

static uint32_t step_incr(struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op,
                          uint32_t now)
{
    bool absent = now < part->cell_count;
    int64_t value = absent ? 0 : part->values[now].integer;
    bool number = absent || part->values[now].number;
    if (!number || (op->add > 0 ? value > INT64_MAX - op->add : value < INT64_MIN - op->add)) {
        return !op->known || op->output == GD_SIM_VALUE_ERROR ? now : GD_LIN_NO;
    }
    value += op->add;
    if (op->known && (op->output != GD_SIM_VALUE_NUMBER || op->number != value)) {
        return GD_LIN_NO;
    }
    return gd_lin_number(part, op->cell, value);
}

static uint32_t step_append(struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op,
                            uint32_t now)
{
    if (op->known && op->output == GD_SIM_VALUE_NUMBER) {
        uint64_t size = part->values[now].size + part->pieces[op->piece].size;
        if (op->number < 0 || (uint64_t)op->number != size) {
            return GD_LIN_NO;
        }
    }
    return gd_lin_append(part, now, op->piece);
}

uint32_t gd_lin_kv_step(void *context, uint32_t what, uint32_t now)
{
    struct gd_lin_kv_part_numbers *part = context;
    const struct gd_lin_op *op = &part->ops[what];
    bool there = now >= part->cell_count;
    switch (op->what) {
    case GD_SIM_DO_READ:
        return !op->known || op->seen == now ? now : GD_LIN_NO;
    case GD_SIM_DO_WRITE:
        return op->input;
    case GD_SIM_DO_APPEND:
        return step_append(part, op, now);
    case GD_SIM_DO_CAS:
        if (op->known && (op->output == GD_SIM_VALUE_TRUE) != (now == op->old)) {
            return GD_LIN_NO;
        }
        return now == op->old ? op->input : now;
    case GD_SIM_DO_DELETE:
        if (op->known && op->output != GD_SIM_VALUE_NOTHING &&
            (op->output == GD_SIM_VALUE_TRUE) != there) {
            return GD_LIN_NO;
        }
        return op->cell;
    case GD_SIM_DO_SETNX:
        if (op->known && (op->output == GD_SIM_VALUE_TRUE) == there) {
            return GD_LIN_NO;
        }
        return there ? now : op->input;
    case GD_SIM_DO_SWAP:
        return !op->known || op->seen == now ? op->input : GD_LIN_NO;
    case GD_SIM_DO_TAKE:
        return !op->known || op->seen == now ? op->cell : GD_LIN_NO;
    case GD_SIM_DO_INCR:
        return step_incr(part, op, now);
    case GD_SIM_DO_TXN:
        break;
    }
    return GD_LIN_NO;
}

bool gd_lin_kv_once(void *part, uint32_t value)
{
    return gd_lin_once(part, value) || gd_lin_root_of(part, value) != GD_LIN_NO;
}

/* ---------------------------------------------------------------- steps */

/* `text`: its number in the record; 0: there is nothing. */
static uint32_t value_number(struct gd_lin_kv_part_numbers *part, uint32_t cell, uint32_t text)
{
    return text != 0 ? gd_lin_value_known(part, cell, text) : cell;
}

static uint32_t seen_number(struct gd_lin_kv_part_numbers *part, uint32_t cell, uint32_t text)
{
    uint32_t number = value_number(part, cell, text);
    part->values[number].matters = true;
    return number;
}

static inline bool may_write(const struct gd_lin_op *op)
{
    switch (op->what) {
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
        return true;
    case GD_SIM_DO_CAS:
        return op->input != op->old && (!op->known || op->output == GD_SIM_VALUE_TRUE);
    case GD_SIM_DO_SETNX:
        return !op->known || op->output == GD_SIM_VALUE_TRUE;
    default:
        return false;
    }
}

static void add_maker(struct gd_lin_kv_part_numbers *part, uint32_t value, uint32_t call)
{
    part->values[value].makers++;
    part->values[value].maker = call;
    part->values[value].matters = part->values[value].matters || part->all_matter;
}

static void add_op(struct gd_lin_kv_part_numbers *part, struct gd_lin_op *op,
                   const struct gd_sim_brief *step, uint32_t cell, uint32_t call, bool known)
{
    *op = (struct gd_lin_op){.what = step->what,
                             .output = step->output,
                             .known = known,
                             .cell = cell,
                             .call = call,
                             .input = cell,
                             .old = cell,
                             .seen = cell};
    uint32_t seen = step->output == GD_SIM_VALUE_TEXT ? step->seen : 0;
    switch (op->what) {
    case GD_SIM_DO_READ:
        op->seen = known ? seen_number(part, cell, seen) : cell;
        return;
    case GD_SIM_DO_TAKE:
        op->seen = known ? seen_number(part, cell, seen) : cell;
        if (!known || op->seen != cell) {
            add_maker(part, cell, call);
        }
        return;
    case GD_SIM_DO_DELETE:
        if (!known || op->output != GD_SIM_VALUE_FALSE) {
            add_maker(part, cell, call);
        }
        return;
    case GD_SIM_DO_SWAP:
        op->seen = known ? seen_number(part, cell, seen) : cell;
        op->input = value_number(part, cell, step->input);
        break;
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SETNX:
        op->input = value_number(part, cell, step->input);
        break;
    case GD_SIM_DO_CAS:
        op->old = seen_number(part, cell, step->old);
        op->input = value_number(part, cell, step->input);
        break;
    case GD_SIM_DO_APPEND:
        op->piece = gd_lin_piece_of(part, cell, step->input);
        part->pieces[op->piece].count++;
        part->pieces[op->piece].call = call;
        op->number = step->number;
        return;
    case GD_SIM_DO_INCR:
        op->add = step->add;
        op->number = step->number;
        return;
    default:
        return;
    }
    if (may_write(op)) {
        add_maker(part, op->input, call);
    }
}

/* The only value that the step can meet; GD_LIN_NO: not known. */
static uint32_t need_of(struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op)
{
    if (op->what == GD_SIM_DO_CAS && !op->known) {
        return GD_LIN_NO;
    }
    switch (op->what) {
    case GD_SIM_DO_READ:
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_TAKE:
        return op->known ? op->seen : GD_LIN_NO;
    case GD_SIM_DO_CAS:
        return op->output == GD_SIM_VALUE_TRUE ? op->old : GD_LIN_NO;
    case GD_SIM_DO_SETNX:
        return op->known && op->output == GD_SIM_VALUE_TRUE ? op->cell : GD_LIN_NO;
    case GD_SIM_DO_DELETE:
        return op->known && op->output == GD_SIM_VALUE_FALSE ? op->cell : GD_LIN_NO;
    case GD_SIM_DO_INCR:
        if (op->known && op->output == GD_SIM_VALUE_NUMBER && op->number != op->add &&
            (op->add > 0 ? op->number >= INT64_MIN + op->add : op->number <= INT64_MAX + op->add)) {
            return gd_lin_number(part, op->cell, op->number - op->add);
        }
        if (op->known && op->output == GD_SIM_VALUE_NUMBER && op->number == op->add &&
            gd_lin_never_zero(part, op->cell)) {
            return op->cell;
        }
        return GD_LIN_NO;
    default:
        return GD_LIN_NO;
    }
}

static inline bool keeps(const struct gd_lin_op *op)
{
    switch (op->what) {
    case GD_SIM_DO_READ:
        return true;
    case GD_SIM_DO_CAS:
        return op->input == op->old || (op->known && op->output != GD_SIM_VALUE_TRUE);
    case GD_SIM_DO_SETNX:
        return op->known && op->output != GD_SIM_VALUE_TRUE;
    case GD_SIM_DO_DELETE:
        return op->known && op->output == GD_SIM_VALUE_FALSE;
    case GD_SIM_DO_TAKE:
        return op->known && op->seen == op->cell;
    case GD_SIM_DO_SWAP:
        return op->known && op->seen == op->input;
    case GD_SIM_DO_INCR:
        return op->known && op->output == GD_SIM_VALUE_ERROR;
    default:
        return false;
    }
}

bool gd_lin_keeps(const struct gd_lin_op *op)
{
    return keeps(op);
}

/* The value that a step can bring, appending and counting apart; GD_LIN_NO: none. */
static uint32_t brings(const struct gd_lin_op *op)
{
    if (gd_lin_keeps(op)) {
        return GD_LIN_NO;
    }
    switch (op->what) {
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_CAS:
    case GD_SIM_DO_SETNX:
        return op->input;
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
        return op->cell;
    default:
        return GD_LIN_NO;
    }
}

static void add_make(struct gd_lin_makes *makes, size_t *capacity, uint32_t call, uint32_t value)
{
    makes->makes = gd_lin_grown(makes->makes, capacity, makes->count, sizeof *makes->makes);
    makes->makes[makes->count++] = (struct gd_lin_make){call, value};
}

static void sort_makes(struct gd_lin_makes *makes)
{
    struct gd_lin_pair *pairs = gd_lin_zeroed(makes->count, sizeof *pairs);
    for (size_t i = 0; i < makes->count; i++) {
        pairs[i] = (struct gd_lin_pair){makes->makes[i].call, makes->makes[i].value};
    }
    gd_lin_sort(pairs, makes->count);
    for (size_t i = 0; i < makes->count; i++) {
        makes->makes[i] = (struct gd_lin_make){(uint32_t)pairs[i].key, pairs[i].value};
    }
    free(pairs);
}

/* Of appends of one piece the last alone is known by its number, so what comes of a piece that is
 * appended twice is not plain. */
void gd_lin_kv_makes(void *context, struct gd_lin_makes *makes)
{
    const struct gd_lin_kv_part_numbers *part = context;
    size_t capacity = 0;
    *makes = (struct gd_lin_makes){.value_count = part->value_count};
    makes->plain = gd_lin_zeroed(part->value_count, sizeof *makes->plain);
    for (size_t i = 0; i < part->value_count; i++) {
        makes->plain[i] = !part->values[i].number;
    }
    for (size_t i = 0; i < part->step_count; i++) {
        uint32_t value = brings(&part->ops[i]);
        if (value != GD_LIN_NO) {
            add_make(makes, &capacity, part->ops[i].call, value);
        }
    }
    for (size_t i = 0; i < part->edge_count; i++) {
        const struct gd_lin_edge *edge = &part->edges[i];
        if (edge->from == edge->to) {
            continue;
        }
        if (part->pieces[edge->piece].count == 1) {
            add_make(makes, &capacity, part->pieces[edge->piece].call, edge->to);
        } else {
            makes->plain[edge->to] = false;
        }
    }
    sort_makes(makes);
}

/* Whether it, done, cannot lie within a time when others see one value after the other. */
static bool is_outside(const struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op,
                       const struct gd_lin_step *step)
{
    bool changes = op->what == GD_SIM_DO_WRITE || op->what == GD_SIM_DO_SWAP ||
                   op->what == GD_SIM_DO_TAKE || op->what == GD_SIM_DO_DELETE;
    return changes || step->need != GD_LIN_NO ||
           (op->what == GD_SIM_DO_APPEND && part->pieces[op->piece].size > 0) ||
           (op->what == GD_SIM_DO_INCR && op->output == GD_SIM_VALUE_NUMBER && op->add != 0);
}

/* ---------------------------------------------------------------- calls */

static bool changes_something(const struct gd_sim_brief *steps)
{
    for (uint32_t i = 0; i < steps->count; i++) {
        if (steps[i].what != GD_SIM_DO_READ) {
            return true;
        }
    }
    return false;
}

static void find_session_order(struct gd_lin_kv_part_numbers *part)
{
    /* Sessions are few and their operations close together: the last one is looked for backwards,
     * and no farther than ten minutes. */
    for (size_t i = 0; i < part->call_count; i++) {
        const struct gd_sim_operation *op = &part->record->operations[part->numbers[i]];
        for (size_t k = i; k-- > 0 && op->fate == GD_SIM_FATE_DONE && op->session != 0;) {
            const struct gd_sim_operation *earlier = &part->record->operations[part->numbers[k]];
            if (earlier->session == op->session && earlier->fate == GD_SIM_FATE_DONE) {
                part->calls[i].after = (uint32_t)k + 1;
                break;
            }
            if (part->calls[k].call + UINT64_C(600000000000) < part->calls[i].call) {
                break;
            }
        }
    }
}

/* What is done under each cell. */
static void mark_cells(struct gd_lin_kv_part_numbers *part, const struct gd_sim_brief *steps,
                       size_t count, const uint32_t *cell_of)
{
    size_t *last = gd_lin_zeroed(part->cell_count, sizeof *last), operation = 0;
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_brief *step = &steps[i];
        uint32_t at = part->cell_count == 1 ? 0 : cell_of[step->key];
        struct gd_lin_cell *cell = &part->cells[at];
        bool append = step->what == GD_SIM_DO_APPEND;
        operation += step->count > 0 ? 1 : 0;
        cell->appends = cell->appends || append;
        cell->counts = cell->counts || step->what == GD_SIM_DO_INCR;
        cell->lengths = cell->lengths || (append && step->back != GD_SIM_BACK_UNKNOWN &&
                                          step->output == GD_SIM_VALUE_NUMBER);
        cell->twice = cell->twice || last[at] == operation;
        last[at] = operation;
    }
    free(last);
}

/* The same from what is known of the whole record. */
static void know_cell(struct gd_lin_kv_part_numbers *part, unsigned kinds)
{
    part->cells[0].appends = (kinds & 1u << GD_SIM_DO_APPEND) != 0;
    part->cells[0].counts = (kinds & 1u << GD_SIM_DO_INCR) != 0;
    part->cells[0].lengths = (kinds & GD_SIM_KIND_LENGTHS) != 0;
}

static unsigned kinds_of(const struct gd_lin_kv_part_numbers *part,
                         const struct gd_sim_brief *steps, size_t count)
{
    return part->kinds == NULL || part->cell_count != 1 || count == 0 ? GD_SIM_KIND_SEVERAL
                                                                      : part->kinds[steps->key];
}

static void clear(struct gd_lin_kv_part_numbers *part, size_t cell_count)
{
    for (size_t i = 0; i < part->made_count; i++) {
        free(part->made[i]);
    }
    part->made_count = part->value_count = part->piece_count = part->length_count = 0;
    part->edge_count = part->step_count = part->call_count = part->chain_count = 0;
    part->root_count = 0;
    free(part->before);
    free(part->before_first);
    part->before = part->before_first = NULL;
    /* Tables that one big part needed are too much to be wiped for each small one. */
    free(part->value_index);
    free(part->piece_index);
    free(part->edge_index);
    part->value_index = part->piece_index = part->edge_index = NULL;
    part->value_index_capacity = part->piece_index_capacity = part->edge_index_capacity = 0;
    if (cell_count > part->cell_capacity) {
        part->cell_capacity = cell_count;
        free(part->cells);
        free(part->start);
        part->cells = gd_lin_zeroed(cell_count, sizeof *part->cells);
        part->start = gd_lin_zeroed(cell_count, sizeof *part->start);
    }
    memset(part->cells, 0, cell_count * sizeof *part->cells);
    part->cell_count = cell_count;
}

/* Inputs that do not matter become junk, and each step learns what it needs. */
static void finish_call(struct gd_lin_kv_part_numbers *part, struct gd_lin_call *call)
{
    struct gd_lin_op *op = &part->ops[call->first];
    struct gd_lin_step *step = &part->steps[call->first];
    uint32_t count = call->count;
    bool reads_only = true;
    for (uint32_t k = 0; k < count; k++, op++, step++) {
        if (op->input >= part->cell_count && !part->values[op->input].matters) {
            op->input = gd_lin_junk(part, op->cell, part->values[op->input].size);
        }
        *step = (struct gd_lin_step){
            .cell = op->cell, .what = call->first + k, .need = need_of(part, op)};
        reads_only = reads_only && keeps(op);
    }
    call->reads_only = reads_only;
    call->outside = count == 1 && is_outside(part, op - 1, step - 1);
}

/* All of them; and whether they are calm. Sums of times that are no numbers any more are none. */
static void finish_calls(struct gd_lin_kv_part_numbers *part)
{
    uint64_t first = UINT64_MAX, last = 0, sum = 0;
    part->calm = true;
    for (size_t i = 0; i < part->call_count; i++) {
        struct gd_lin_call *call = &part->calls[i];
        finish_call(part, call);
        first = call->call < first ? call->call : first;
        last = call->back > last ? call->back : last;
        part->calm = part->calm && call->back != GD_LIN_OPEN &&
                     !__builtin_add_overflow(sum, call->back - call->call, &sum);
    }
    part->calm = part->calm && (last <= first || sum / CALM < last - first);
}

static bool no_text_of_its_own(const struct gd_sim_value *begin)
{
    return begin == NULL || begin->kind != GD_SIM_VALUE_TEXT || begin->known != 0;
}

static void begin_values(struct gd_lin_kv_part_numbers *part)
{
    for (uint32_t cell = 0; cell < part->cell_count; cell++) {
        part->values = gd_lin_grown(part->values, &part->value_capacity, part->value_count,
                                    sizeof *part->values);
        part->values[part->value_count++] = (struct gd_lin_value){
            .cell = cell, .makers = 1, .maker = GD_LIN_NOBODY, .from = GD_LIN_NO, .matters = true};
        part->start[cell] = cell;
    }
    if (part->begin != NULL && part->begin->kind == GD_SIM_VALUE_TEXT) {
        uint32_t there = gd_lin_value_of(part, 0, part->begin);
        part->values[0].makers = 0;
        part->values[there].makers = 1;
        part->values[there].matters = true;
        part->start[0] = there;
    }
}

static void add_calls(struct gd_lin_kv_part_numbers *part, const struct gd_sim_brief *steps,
                      size_t step_count, const uint32_t *cell_of)
{
    struct gd_lin_call *call = part->calls;
    uint32_t i = 0, op = 0;
    for (const struct gd_sim_brief *first = steps; first < steps + step_count;
         first += first->count) {
        bool open = first->back == GD_SIM_BACK_UNKNOWN;
        if (open && !changes_something(first)) {
            continue;
        }
        part->numbers[i] = first->operation;
        *call = (struct gd_lin_call){.call = first->call,
                                     .back = open ? GD_LIN_OPEN : first->back,
                                     .first = op,
                                     .count = first->count};
        call->rank = open ? first->call : first->back;
        for (size_t k = 0; k < first->count; k++) {
            uint32_t cell = part->cell_count == 1 ? 0 : cell_of[first[k].key];
            call->cells |= UINT64_C(1) << cell % 64;
            add_op(part, &part->ops[op++], &first[k], cell, i, !open);
        }
        i++;
        call++;
    }
    part->call_count = i;
    part->step_count = op;
}

void gd_lin_numbers_make(struct gd_lin_kv_part_numbers *part, const struct gd_sim_record *record,
                         const struct gd_sim_brief *steps, size_t step_count,
                         const uint32_t *cell_of, size_t cell_count, bool ordered)
{
    clear(part, cell_count);
    part->record = record;
    if (part->known_capacity < record->known_count) {
        part->known_capacity = record->known_count + record->known_count / 2;
        free(part->value_of_known);
        part->value_of_known = gd_lin_zeroed(part->known_capacity, sizeof *part->value_of_known);
    }
    unsigned kinds = kinds_of(part, steps, step_count);
    if ((kinds & GD_SIM_KIND_SEVERAL) != 0) {
        mark_cells(part, steps, step_count, cell_of);
    } else {
        know_cell(part, kinds);
    }
    part->ops = gd_lin_room(part->ops, &part->step_capacity, step_count, sizeof *part->ops);
    part->steps = gd_lin_room(part->steps, &part->steps_capacity, step_count, sizeof *part->steps);
    part->calls = gd_lin_room(part->calls, &part->call_capacity, step_count, sizeof *part->calls);
    part->numbers =
        gd_lin_room(part->numbers, &part->number_capacity, step_count, sizeof *part->numbers);
    part->plain = cell_count == 1 && !part->cells[0].appends && !part->cells[0].counts &&
                  (part->begin == NULL || part->begin->kind != GD_SIM_VALUE_TEXT);
    /* Of one cell, equal texts of the record are one value by their number alone. */
    part->late = cell_count == 1 && !part->plain && no_text_of_its_own(part->begin);
    begin_values(part);
    add_calls(part, steps, step_count, cell_of);
    gd_lin_look_into(part);
    gd_lin_find_roots(part);
    finish_calls(part);
    part->ordered = ordered;
    if (ordered) {
        find_session_order(part);
    }
}

/* ---------------------------------------------------------------- likeness */

#define SIGNATURE 5u

/* What is appended; where no text that matters ends with it, its size is all that there is to tell.
 */
static uint32_t appended(const struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op)
{
    const struct gd_lin_piece *piece = &part->pieces[op->piece];
    const struct gd_lin_cell *cell = &part->cells[op->cell];
    if (piece->seen || piece->size == 0 || part->all_matter || cell->counts ||
        piece->size >= GD_LIN_NO / 2) {
        return op->piece;
    }
    return GD_LIN_NO / 2 + (cell->lengths ? (uint32_t)piece->size : 0);
}

/* What tells two steps apart, apart from their times. */
static void signature(const struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op,
                      uint64_t *key)
{
    enum gd_sim_do what = op->what;
    bool known = op->known && (what != GD_SIM_DO_APPEND || op->output == GD_SIM_VALUE_NUMBER) &&
                 (what != GD_SIM_DO_DELETE || op->output != GD_SIM_VALUE_NOTHING) &&
                 what != GD_SIM_DO_WRITE;
    if (!known && what == GD_SIM_DO_SWAP) {
        what = GD_SIM_DO_WRITE;
    }
    if (!known && what == GD_SIM_DO_TAKE) {
        what = GD_SIM_DO_DELETE;
    }
    key[0] = (uint64_t)what | (uint64_t)known << 8 | (uint64_t)(known ? op->output : 0) << 16 |
             (uint64_t)op->cell << 32;
    key[1] = (uint64_t)op->input << 32 | op->old;
    key[2] = (uint64_t)(known ? op->seen : 0) << 32 |
             (what == GD_SIM_DO_APPEND ? appended(part, op) : 0);
    key[3] = (uint64_t)op->add;
    key[4] = known ? (uint64_t)op->number : 0;
}

static uint64_t hash_of(const struct gd_lin_kv_part_numbers *part, const struct gd_lin_call *call)
{
    uint64_t key[SIGNATURE], hash = call->count;
    for (uint32_t i = 0; i < call->count; i++) {
        signature(part, &part->ops[call->first + i], key);
        for (size_t k = 0; k < SIGNATURE; k++) {
            hash = (hash ^ key[k]) * UINT64_C(0x9e3779b97f4a7c15);
            hash ^= hash >> 29;
        }
    }
    return hash;
}

static bool are_alike(const struct gd_lin_kv_part_numbers *part, const struct gd_lin_call *a,
                      const struct gd_lin_call *b)
{
    uint64_t key[2][SIGNATURE];
    bool alike = a->count == b->count;
    for (uint32_t i = 0; i < a->count && alike; i++) {
        signature(part, &part->ops[a->first + i], key[0]);
        signature(part, &part->ops[b->first + i], key[1]);
        alike = memcmp(key[0], key[1], sizeof key[0]) == 0;
    }
    return alike;
}

/* Whether two like it could change places, as far as the times let them. */
static bool may_be_alike(const struct gd_lin_kv_part_numbers *part, size_t i)
{
    const struct gd_lin_call *call = &part->calls[i];
    bool open = call->back == GD_LIN_OPEN;
    bool in_order = part->ordered && part->record->operations[part->numbers[i]].session != 0;
    return !call->reads_only && call->chain == 0 && (open || !in_order) &&
           (open || call->rank == call->back);
}

/* Whether it brings what no other one brings: then it is like none. Most writes are so, and need
 * not be looked up. */
static bool is_unlike(const struct gd_lin_kv_part_numbers *part, const struct gd_lin_call *call)
{
    const struct gd_lin_op *op = &part->ops[call->first];
    if (call->count != 1) {
        return false;
    }
    if (op->what == GD_SIM_DO_APPEND) {
        return part->pieces[op->piece].count == 1 && appended(part, op) == op->piece;
    }
    return may_write(op) && part->values[op->input].makers == 1;
}

uint64_t gd_lin_kv_likeness(void *context, uint32_t call)
{
    const struct gd_lin_kv_part_numbers *part = context;
    return may_be_alike(part, call) && !is_unlike(part, &part->calls[call])
               ? hash_of(part, &part->calls[call]) | 1
               : 0;
}

bool gd_lin_kv_alike(void *context, uint32_t a, uint32_t b)
{
    const struct gd_lin_kv_part_numbers *part = context;
    return are_alike(part, &part->calls[a], &part->calls[b]);
}

void gd_lin_numbers_release(struct gd_lin_kv_part_numbers *part)
{
    gd_lin_values_release(part);
    free(part->cells);
    free(part->ops);
    free(part->steps);
    free(part->calls);
    free(part->numbers);
    free(part->start);
    free(part->chain_begin);
    free(part->roots);
    free(part->before);
    free(part->before_first);
    free(part->made_by);
    *part = (struct gd_lin_kv_part_numbers){0};
}

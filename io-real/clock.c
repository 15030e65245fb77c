/* clock.c - gd_timer: a binary heap of the caller's own timers over one uv_timer.
 *
 * Why. libuv's timers count milliseconds of a clock that is read once a turn, and one started with
 * 0 ms waits for the next pass of the timer phase; here deadlines are nanoseconds and one that has
 * passed fires at the next turn without any wait.
 *
 * How. The turn's work (loop.c) fires what is due, then arms. Arming is a uv_timer whose callback
 * does nothing (it only ends the wait), or, when something is due already, a loop that does not
 * wait. Rejected: a uv_timer for each gd_timer (its size would stand in io.h, and ties would be
 * broken by libuv's rule); a timerfd (a system call for each arming).
 *
 * Invariants
 *   K1. The first of two that wait is the one with the lower (deadline, sequence) (io.h, C1).
 *   K2. A timer started while the due ones fire, due itself, fires in a later round. A turn has a
 *       few rounds, so that what works in steps (a pump, a database's answer, the pump again) takes
 *       no look at the network in between; what is still due then waits for the next turn: a timer
 *       that starts itself anew for ever starves nobody.
 *   K3. `place` is the index in the heap that `world` points to; never 0 while the timer runs. */
#include "io-real/loop.h"
#include "engine/memory.h"

enum { ROUNDS_MAX = 8 };

static bool before(const struct gd_timer *a, const struct gd_timer *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->sequence < b->sequence;
}

static void put(struct gd_uv_heap *heap, size_t place, struct gd_timer *timer)
{
    heap->items[place] = timer;
    timer->place = place; /* K3 */
    timer->world = heap;
}

static void sift_up(struct gd_uv_heap *heap, size_t place, struct gd_timer *timer)
{
    while (place > 1 && before(timer, heap->items[place / 2])) {
        put(heap, place, heap->items[place / 2]);
        place /= 2;
    }
    put(heap, place, timer);
}

static void sift_down(struct gd_uv_heap *heap, size_t place, struct gd_timer *timer)
{
    for (;;) {
        size_t child = place * 2;
        if (child > heap->count) {
            break;
        }
        if (child < heap->count && before(heap->items[child + 1], heap->items[child])) {
            child++;
        }
        if (!before(heap->items[child], timer)) {
            break;
        }
        put(heap, place, heap->items[child]);
        place = child;
    }
    put(heap, place, timer);
}

static void insert(struct gd_uv_heap *heap, struct gd_timer *timer)
{
    if (heap->count + 1 >= heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
        heap->items = gd_realloc(heap->items, heap->capacity * sizeof(struct gd_timer *));
    }
    heap->count++;
    sift_up(heap, heap->count, timer);
}

static void remove_at(struct gd_uv_heap *heap, size_t place)
{
    struct gd_timer *last = heap->items[heap->count];
    struct gd_timer *gone = heap->items[place];

    heap->count--;
    gone->place = 0;
    gone->world = NULL;
    if (last != gone) {
        if (place > 1 && before(last, heap->items[place / 2])) {
            sift_up(heap, place, last);
        } else {
            sift_down(heap, place, last);
        }
    }
}

void gd__uv_timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    (void)io;
    if (timer->place != 0) {
        struct gd_uv_heap *heap = timer->world;

        GD_ASSERT(timer->place <= heap->count);
        GD_ASSERT(heap->items[timer->place] == timer);
        remove_at(heap, timer->place);
    }
}

void gd__uv_timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct gd_uv *uv = gd__uv_of(io);

    gd__uv_timer_stop(io, timer);
    timer->deadline = deadline;
    timer->sequence = ++uv->timer_sequence;
    insert(uv->firing && deadline <= uv->firing_now ? &uv->late : &uv->timers, timer); /* K2 */
}

/* One round: those that are due now. */
static bool fire_due(struct gd_uv *uv)
{
    struct gd_uv_heap *heap = &uv->timers;
    bool fired = false;

    gd__uv_enter(uv);
    uv->firing = true;
    uv->firing_now = uv->now;
    while (heap->count > 0 && heap->items[1]->deadline <= uv->firing_now) {
        struct gd_timer *timer = heap->items[1];

        remove_at(heap, 1);
        gd__uv_enter(uv);
        timer->fire(timer);
        fired = true;
    }
    uv->firing = false;
    while (uv->late.count > 0) {
        struct gd_timer *timer = uv->late.items[1];

        remove_at(&uv->late, 1);
        insert(heap, timer);
    }
    return fired;
}

bool gd__uv_clock_run(struct gd_uv *uv)
{
    unsigned rounds = 0;

    while (rounds < ROUNDS_MAX && fire_due(uv)) {
        rounds++;
    }
    return rounds > 0;
}

static void wait_ends(uv_timer_t *handle)
{
    (void)handle; /* The turn's work does the rest. */
}

void gd__uv_clock_arm(struct gd_uv *uv)
{
    gd_time_ns deadline = uv->timers.count > 0 ? uv->timers.items[1]->deadline : UINT64_MAX;
    gd_time_ns now = uv_hrtime();

    if (deadline <= now) {
        gd__uv_no_wait(uv);
    } else if (deadline == UINT64_MAX) {
        (void)uv_timer_stop(&uv->wakeup);
    } else if (deadline != uv->armed || !uv_is_active((uv_handle_t *)&uv->wakeup)) {
        uint64_t wait_ms = (deadline - now - 1) / GD_NS_PER_MS + 1;

        uv_update_time(&uv->loop); /* libuv counts from its own, older idea of now. */
        (void)uv_timer_start(&uv->wakeup, wait_ends, wait_ms, 0);
    }
    uv->armed = deadline;
}

void gd__uv_clock_release(struct gd_uv *uv)
{
    gd_free(uv->timers.items);
    gd_free(uv->late.items);
}

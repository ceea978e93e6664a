/* `sliding_counter`: two buckets, the older one weighted by what is left of
 * it, as Kong and Cloudflare count. In: a record and a moment. Out: whether
 * (current + cost) * W + previous * (W - elapsed) <= limit * W, in integers.
 * Can let almost 2 * limit through in a window that straddles two buckets.
 *
 *   head   number of the current bucket | hits in the previous | in it
 *
 * Counters of refused requests may pass the limit; they stop at 16 times the
 * limit (4 times for great ones). A refused request is thus decided by one
 * load, an admitted one counts by one compare-and-swap. */
#include "limit/window.h"

#include "metering/limiter.h"

#define TAKE_TRIES 100000
#define COUNT_BITS_MAX 22
#define BEHIND_SHIFT 8

typedef struct buckets {
    uint64_t number; /* modulo 2^number_bits */
    uint64_t previous;
    uint64_t current;
    uint64_t elapsed; /* of the current bucket */
    uint64_t late_ns; /* how far the clock is behind its beginning */
} buckets;

static met_error shape_counter(met__shape *shape)
{
    uint32_t bits = 64 - (uint32_t)__builtin_clzll(shape->limit) + 4;

    shape->count_bits = bits < COUNT_BITS_MAX ? bits : COUNT_BITS_MAX;
    shape->tick_ns = shape->window_ns;
    shape->ticks = 1;
    met__window_divider(shape);
    return MET_OK;
}

static uint64_t count_max(const met__shape *shape)
{
    return (UINT64_C(1) << shape->count_bits) - 1;
}

static uint64_t number_mask(const met__shape *shape)
{
    return (UINT64_C(1) << (MET__HEAD_BITS - 2 * shape->count_bits)) - 1;
}

/* The buckets at this moment. A clock that is late decides at the beginning of
 * the bucket that others have opened. */
static buckets at(uint64_t head, const met__shape *shape, uint64_t now_ns)
{
    uint64_t mask = number_mask(shape);
    uint64_t number = met__window_ticks(shape, now_ns);
    buckets state = {
        .number = head >> (2 * shape->count_bits) & mask,
        .previous = head >> shape->count_bits & count_max(shape),
        .current = head & count_max(shape),
        .elapsed = now_ns - number * shape->window_ns,
    };
    uint64_t passed = (number - state.number) & mask;

    if (state.previous + state.current == 0) {
        passed = 2;
    }
    if (passed > mask - (mask >> BEHIND_SHIFT)) {
        state.elapsed = 0;
        state.late_ns = (number + mask + 1 - passed) * shape->window_ns
                        - now_ns;
        return state;
    }
    if (passed != 0) {
        state.previous = passed == 1 ? state.current : 0;
        state.current = 0;
        state.number = number & mask;
    }
    return state;
}

/* current + previous * (W - elapsed) / W, rounded up: limits are integers. */
static uint64_t weight(const buckets *state, const met__shape *shape)
{
    uint64_t left = shape->window_ns - state->elapsed;

    if (state->previous == 0) {
        return state->current;
    }
    met__wide part = (met__wide)state->previous * left + shape->window_ns - 1;
    if (part >> 63 == 0) {
        return state->current + (uint64_t)part / shape->window_ns;
    }
    return state->current + (uint64_t)(part / shape->window_ns);
}

static uint64_t pack(const buckets *state, const met__shape *shape)
{
    return state->number << (2 * shape->count_bits)
           | state->previous << shape->count_bits | state->current;
}

static int take_counter(met__record *record, const met__shape *shape,
                        const met__window_ask *ask,
                        met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);
    uint64_t name;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (!met__window_is_open(record, head, ask, &name)) {
            return MET__TAKE_MOVED;
        }
        buckets state = at(head, shape, ask->time.monotonic_ns);
        uint64_t used = weight(&state, shape) + ask->cost;
        if (!ask->is_forced && used + ask->extra > shape->limit) {
            mark_out->used = used - ask->cost;
            return MET__TAKE_REFUSED;
        }
        state.current += ask->cost;
        if (state.current > count_max(shape)) {
            state.current = count_max(shape);
        }
        if (met__window_swap(record, &head, pack(&state, shape), name)) {
            *mark_out = (met__window_mark){name, state.number, used};
            return MET__TAKE_DONE;
        }
    }
    return MET__TAKE_CONTENDED;
}

/* Hits of one bucket are alike: any of them may be given back while the bucket
 * is the current one, and all of them were counted. */
static int undo_counter(const met__record *record, const met__shape *shape,
                        uint64_t head, uint64_t stamp, uint64_t cost,
                        uint64_t *less_out)
{
    uint64_t number = head >> (2 * shape->count_bits) & number_mask(shape);
    uint64_t current = head & count_max(shape);

    *less_out = head - cost;
    return number == stamp && current >= cost && current < count_max(shape);
}

static uint64_t most_counter(uint64_t head, const met__shape *shape,
                             const met__window_time *time)
{
    return (head >> shape->count_bits & count_max(shape))
           + (head & count_max(shape));
}

static uint64_t used_counter(const met__snapshot *snapshot,
                             const met__shape *shape,
                             const met__window_time *time)
{
    buckets state = at(snapshot->head, shape, time->monotonic_ns);

    return weight(&state, shape);
}

/* Until hits * (W - elapsed) <= free * W, elapsed counted from now on. */
static uint64_t until_faded(uint64_t hits, uint64_t free, uint64_t elapsed,
                            const met__shape *shape)
{
    if (hits <= free) {
        return 0;
    }
    met__wide most = (met__wide)free * shape->window_ns / hits;
    uint64_t needed = shape->window_ns - (uint64_t)most;
    return needed > elapsed ? needed - elapsed : 0;
}

static uint64_t wait_counter(const met__snapshot *snapshot,
                             const met__shape *shape,
                             const met__window_time *time, uint64_t room)
{
    buckets state = at(snapshot->head, shape, time->monotonic_ns);

    if (weight(&state, shape) <= room) {
        return 0;
    }
    if (state.current <= room) {
        return state.late_ns
               + until_faded(state.previous, room - state.current,
                                  state.elapsed, shape);
    }
    return state.late_ns + shape->window_ns - state.elapsed
           + until_faded(state.current, room, 0, shape);
}

/* The moment the older bucket is forgotten. */
static uint64_t reset_counter(const met__snapshot *snapshot,
                              const met__shape *shape,
                              const met__window_time *time)
{
    buckets state = at(snapshot->head, shape, time->monotonic_ns);

    return state.previous + state.current == 0
               ? 0
               : state.late_ns + shape->window_ns - state.elapsed;
}

static int is_idle_counter(uint64_t head, const met__shape *shape,
                           const met__window_time *time)
{
    buckets state = at(head, shape, time->monotonic_ns);

    return state.previous + state.current == 0;
}

const met__window_ops met__window_counter = {
    .name = "sliding_counter",
    .algorithm = MET_LIMITER_SLIDING_COUNTER,
    .can_force = 1,
    .shape = shape_counter,
    .take = take_counter,
    .undo = undo_counter,
    .most = most_counter,
    .used = used_counter,
    .wait = wait_counter,
    .reset = reset_counter,
    .is_idle = is_idle_counter,
};

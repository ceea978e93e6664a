/* `in_flight`: how many are being served at once. In: a record and a moment.
 * Out: whether held + cost <= limit. What is held is given back when it is
 * released, or forgotten when its lease is over: who was killed cannot give
 * back.
 *
 *   head   number of the period | held since the one before | since it
 *
 * A period is as long as the lease. What was taken in one is forgotten at the
 * end of the next, so a lease is kept for one length at least and two at most.
 * Units of one period are alike: a release takes one of its period. A frozen
 * record still takes releases: they only make it weigh less. */
#include "limit/window.h"

#include "metering/limiter.h"

#define TAKE_TRIES 100000
#define BEHIND_SHIFT 8

typedef struct flight {
    uint64_t number; /* modulo 2^number_bits */
    uint64_t previous;
    uint64_t current;
    uint64_t left_ns; /* of the period, from the clock's moment on */
} flight;

static met_error shape_flight(met__shape *shape)
{
    shape->count_bits = 64 - (uint32_t)__builtin_clzll(shape->limit);
    shape->tick_ns = shape->window_ns;
    shape->ticks = 1;
    met__window_divider(shape);
    return MET_OK;
}

static uint64_t count_mask(const met__shape *shape)
{
    return (UINT64_C(1) << shape->count_bits) - 1;
}

static uint64_t number_mask(const met__shape *shape)
{
    return (UINT64_C(1) << (MET__HEAD_BITS - 2 * shape->count_bits)) - 1;
}

static flight unpack(uint64_t head, const met__shape *shape)
{
    return (flight){
        .number = head >> (2 * shape->count_bits) & number_mask(shape),
        .previous = head >> shape->count_bits & count_mask(shape),
        .current = head & count_mask(shape)};
}

/* What is held at this moment. A clock that is late decides in the period that
 * others have begun. */
static flight at(uint64_t head, const met__shape *shape, uint64_t now_ns)
{
    uint64_t mask = number_mask(shape);
    uint64_t number = met__window_ticks(shape, now_ns);
    flight state = unpack(head, shape);
    uint64_t passed = (number - state.number) & mask;

    if (state.previous + state.current == 0) {
        passed = 2;
    }
    if (passed > mask - (mask >> BEHIND_SHIFT)) {
        number += mask + 1 - passed;
        passed = 0;
    }
    state.left_ns = (number + 1) * shape->window_ns - now_ns;
    if (passed != 0) {
        state.previous = passed == 1 ? state.current : 0;
        state.current = 0;
        state.number = number & mask;
    }
    return state;
}

static int take_flight(met__record *record, const met__shape *shape,
                       const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);
    uint64_t name;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (!met__window_is_open(record, head, ask, &name)) {
            return MET__TAKE_MOVED;
        }
        flight state = at(head, shape, ask->time.monotonic_ns);
        uint64_t used = state.previous + state.current;
        if (used + ask->cost + ask->extra > shape->limit) {
            mark_out->used = used;
            return MET__TAKE_REFUSED;
        }
        state.current += ask->cost;
        uint64_t next = state.number << (2 * shape->count_bits)
                        | state.previous << shape->count_bits | state.current;
        if (met__window_swap(record, &head, next, name)) {
            *mark_out = (met__window_mark){name, state.number,
                                           used + ask->cost};
            return MET__TAKE_DONE;
        }
    }
    return MET__TAKE_CONTENDED;
}

static int undo_flight(const met__record *record, const met__shape *shape,
                       uint64_t head, uint64_t stamp, uint64_t cost,
                       uint64_t *less_out)
{
    flight state = unpack(head, shape);

    if (stamp == state.number && state.current >= cost) {
        *less_out = head - cost;
        return 1;
    }
    *less_out = head - (cost << shape->count_bits);
    return stamp == ((state.number - 1) & number_mask(shape))
           && state.previous >= cost;
}

static uint64_t most_flight(uint64_t head, const met__shape *shape,
                            const met__window_time *time)
{
    flight state = at(head, shape, time->monotonic_ns);

    return state.previous + state.current;
}

static uint64_t used_flight(const met__snapshot *snapshot,
                            const met__shape *shape,
                            const met__window_time *time)
{
    return most_flight(snapshot->head, shape, time);
}

static uint64_t wait_flight(const met__snapshot *snapshot,
                            const met__shape *shape,
                            const met__window_time *time, uint64_t room)
{
    flight state = at(snapshot->head, shape, time->monotonic_ns);

    if (state.previous + state.current <= room) {
        return 0;
    }
    return state.left_ns + (state.current <= room ? 0 : shape->window_ns);
}

static uint64_t reset_flight(const met__snapshot *snapshot,
                             const met__shape *shape,
                             const met__window_time *time)
{
    flight state = at(snapshot->head, shape, time->monotonic_ns);

    if (state.previous + state.current == 0) {
        return 0;
    }
    return state.left_ns + (state.previous != 0 ? 0 : shape->window_ns);
}

static int is_idle_flight(uint64_t head, const met__shape *shape,
                          const met__window_time *time)
{
    return most_flight(head, shape, time) == 0;
}

const met__window_ops met__window_flight = {
    .name = "in_flight",
    .algorithm = MET_LIMITER_IN_FLIGHT,
    .is_held = 1,
    .shape = shape_flight,
    .take = take_flight,
    .undo = undo_flight,
    .most = most_flight,
    .used = used_flight,
    .wait = wait_flight,
    .reset = reset_flight,
    .is_idle = is_idle_flight,
};

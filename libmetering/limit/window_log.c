/* `sliding` up to 24: an exact log of time stamps. In: a record and a moment.
 * Out: whether the hit counts, never more than `limit` in any window.
 *
 *   head     tick of the newest hits | next place in the ring | hits kept |
 *            newest hits that are not in the ring yet ("pending")
 *   history  ring of stamps: 12 of 32 bits, or 24 of 16 bits
 *
 * A hit counts by one compare-and-swap of head. The pending hits of the head
 * that is replaced are first written into the ring: everybody who saw that
 * head writes the same stamps into places that are dead under it, so a killed
 * writer is completed by the next one and a late one finds head changed.
 *
 * A hit is forgotten when its age is more than `ticks`, the window's length
 * rounded up; the tick is the length divided by 2^31 (or 2^15), rounded up, and
 * at least 32 (or 256) ns. So no window ever has more than `limit`, and none is
 * refused but for hits of the last window and two ticks. Ages stay below the
 * range of a stamp, because forgotten hits leave the log whenever one is
 * counted. The hits kept are the newest `limit`: older ones could not change
 * any decision. */
#include "limit/window.h"

#include "metering/limiter.h"

#define WIDE 32 /* bits of a stamp up to LIMIT_WIDE */
#define SHORT 16
#define HISTORY_BITS (64 * MET__HISTORY_WORDS)
#define LIMIT_WIDE (HISTORY_BITS / WIDE)
#define LIMIT_SHORT (HISTORY_BITS / SHORT)
#define TAKE_TRIES 100000
/* A clock that is up to this part of the tick's range behind the newest hit is
 * late; more means that the key was not seen for that long. */
#define BEHIND_SHIFT 8
/* The tick's range: longer than machines run without a boot, so that a key
 * that was not seen for long is never taken for a late clock. */
#define RANGE_NS_MIN (UINT64_C(1) << 55)

/* What follows is compiled for each size of stamps, so that its shifts and
 * masks are constants. */
#define BY_STAMP static inline __attribute__((always_inline))

typedef struct log_state {
    uint64_t last; /* modulo 2^tick_bits */
    uint32_t next;
    uint32_t count;
    uint32_t pending;
} log_state;

static int is_wide(const met__shape *shape)
{
    return shape->quantum == WIDE;
}

BY_STAMP uint32_t slots_of(uint32_t bits)
{
    return HISTORY_BITS / bits;
}

BY_STAMP uint32_t count_bits(uint32_t bits)
{
    return bits == WIDE ? 4 : 5;
}

BY_STAMP uint64_t tick_mask(uint32_t bits)
{
    return (UINT64_C(1) << (MET__HEAD_BITS - 3 * count_bits(bits))) - 1;
}

BY_STAMP uint64_t stamp_mask(uint32_t bits)
{
    return (UINT64_C(1) << bits) - 1;
}

static met_error shape_log(met__shape *shape)
{
    if (shape->limit > LIMIT_SHORT) {
        return MET_E_UNSUPPORTED;
    }
    uint32_t bits = shape->limit <= LIMIT_WIDE ? WIDE : SHORT;
    uint64_t range = stamp_mask(bits) / 2;
    uint64_t least = RANGE_NS_MIN / (tick_mask(bits) + 1);

    shape->tick_ns = (shape->window_ns + range - 1) / range;
    shape->tick_ns = shape->tick_ns > least ? shape->tick_ns : least;
    shape->ticks = (shape->window_ns + shape->tick_ns - 1) / shape->tick_ns;
    shape->count_bits = count_bits(bits);
    shape->quantum = bits;
    shape->slots = slots_of(bits);
    met__window_divider(shape);
    return MET_OK;
}

/* What a head says; numbers that no writer of ours made are made harmless. */
BY_STAMP log_state unpack(uint64_t head, uint32_t bits)
{
    uint32_t each = count_bits(bits);
    uint64_t mask = (UINT64_C(1) << each) - 1;
    log_state state = {
        .last = (head >> (3 * each)) & tick_mask(bits),
        .next = (uint32_t)(head >> (2 * each) & mask),
        .count = (uint32_t)(head >> each & mask),
        .pending = (uint32_t)(head & mask),
    };
    if (state.next >= slots_of(bits)) {
        state.next = 0;
    }
    if (state.count > slots_of(bits)) {
        state.count = slots_of(bits);
    }
    if (state.pending > state.count) {
        state.pending = state.count;
    }
    return state;
}

BY_STAMP uint64_t pack(const log_state *state, uint32_t bits)
{
    uint32_t each = count_bits(bits);

    if (state->count == 0) {
        return 0;
    }
    return (state->last & tick_mask(bits)) << (3 * each)
           | (uint64_t)state->next << (2 * each)
           | (uint64_t)state->count << each | state->pending;
}

/* The place `back` before the next one. */
BY_STAMP uint32_t place_before(const log_state *state, uint32_t back,
                               uint32_t bits)
{
    uint32_t place = state->next - back;

    return state->next >= back ? place : place + slots_of(bits);
}

/* history: of a record, or a private copy of it. */
BY_STAMP uint64_t stamp_at(const met__atomic_u64 *history, int is_shared,
                           uint32_t place, uint32_t bits)
{
    const met__atomic_u64 *at = &history[place / (64 / bits)];
    uint64_t word = is_shared ? met__load_acquire(at) : *at;

    return word >> (place % (64 / bits) * bits) & stamp_mask(bits);
}

/* The tick at which to decide: the clock's, or the newest hit's when the clock
 * is late. Ticks passed since the newest hit in *passed_out. */
BY_STAMP uint64_t tick_now(const log_state *state, uint64_t clock,
                           uint32_t bits, uint64_t *passed_out)
{
    uint64_t mask = tick_mask(bits);
    uint64_t passed = (clock - state->last) & mask;

    if (passed > mask - (mask >> BEHIND_SHIFT)) {
        clock += mask + 1 - passed;
        passed = 0;
    }
    *passed_out = passed;
    return clock;
}

/* Writes the pending stamps of `head` into their places. 0: head changed. */
BY_STAMP int publish(met__record *record, uint64_t head,
                     const log_state *state, uint32_t bits)
{
    uint32_t place = state->next;

    for (uint32_t i = 0; i < state->pending; i++) {
        met__atomic_u64 *word = &record->history[place / (64 / bits)];
        uint32_t offset = place % (64 / bits) * bits;
        uint64_t mask = stamp_mask(bits) << offset;
        uint64_t stamp = (state->last & stamp_mask(bits)) << offset;
        uint64_t found = met__load_acquire(word);
        while ((found & mask) != stamp) {
            if (met__load_acquire(&record->head) != head) {
                return 0;
            }
            if (met__cas(word, &found, (found & ~mask) | stamp)) {
                break;
            }
        }
        place = place + 1 == slots_of(bits) ? 0 : place + 1;
    }
    return 1;
}

/* Lets go of what is forgotten at this tick. */
BY_STAMP void forget(const met__atomic_u64 *history, int is_shared,
                     const met__shape *shape, log_state *state,
                     uint64_t tick, uint32_t bits)
{
    uint32_t place = place_before(state, state->count - state->pending, bits);

    while (state->count > state->pending) {
        uint64_t stamp = stamp_at(history, is_shared, place, bits);
        uint64_t age = (tick - stamp) & stamp_mask(bits);
        if (age <= shape->ticks) {
            return;
        }
        state->count--;
        place = place + 1 == slots_of(bits) ? 0 : place + 1;
    }
}

BY_STAMP int take(met__record *record, const met__shape *shape,
                  const met__window_ask *ask, met__window_mark *mark_out,
                  uint32_t bits)
{
    uint64_t clock = met__window_ticks(shape, ask->time.monotonic_ns);
    uint64_t head = met__load_acquire(&record->head);
    uint64_t name;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (!met__window_is_open(record, head, ask, &name)) {
            return MET__TAKE_MOVED;
        }
        log_state state = unpack(head, bits);
        uint64_t passed;
        uint64_t tick = tick_now(&state, clock, bits, &passed);
        if (state.count == 0 || passed > shape->ticks) {
            tick = clock;
            passed = 1;
            state = (log_state){.next = state.next};
        } else {
            forget(record->history, 1, shape, &state, tick, bits);
        }
        uint64_t used = state.count + ask->cost;
        if (!ask->is_forced && used + ask->extra > shape->limit) {
            uint64_t again = met__load_acquire(&record->head);
            if (again == head) {
                mark_out->used = state.count;
                return MET__TAKE_REFUSED;
            }
            head = again;
            continue;
        }
        if (passed != 0 && state.count > 0) {
            if (!publish(record, head, &state, bits)) {
                head = met__load_acquire(&record->head);
                continue;
            }
            state.next += state.pending;
            state.next -= state.next >= slots_of(bits) ? slots_of(bits) : 0;
            state.pending = 0;
        }
        uint64_t kept = used < shape->limit ? used : shape->limit;
        uint64_t newest = state.pending + ask->cost;
        state.count = (uint32_t)kept;
        state.pending = (uint32_t)(newest < kept ? newest : kept);
        state.last = tick & tick_mask(bits);
        /* Hits that are not kept are not there to be given back. */
        int is_cut = used > shape->limit;
        uint64_t next = pack(&state, bits);
        if (is_cut ? met__window_turn(record, &head, next, &name)
                   : met__window_swap(record, &head, next, name)) {
            *mark_out = (met__window_mark){
                name, is_cut ? MET__STAMP_NONE : state.last, kept};
            return MET__TAKE_DONE;
        }
    }
    return MET__TAKE_CONTENDED;
}

static int take_log(met__record *record, const met__shape *shape,
                    const met__window_ask *ask, met__window_mark *mark_out)
{
    return is_wide(shape) ? take(record, shape, ask, mark_out, WIDE)
                          : take(record, shape, ask, mark_out, SHORT);
}

/* Only if the newest hits have the ticket's tick: hits of one tick are alike.
 * Taking an older one out of the log would let a window have more. */
BY_STAMP int undo(const met__record *record, uint64_t head, uint64_t stamp,
                  uint64_t cost, uint64_t *less_out, uint32_t bits)
{
    log_state state = unpack(head, bits);

    if (state.last != stamp || state.pending < cost) {
        return 0;
    }
    state.count -= (uint32_t)cost;
    state.pending -= (uint32_t)cost;
    if (state.pending == 0 && state.count > 0) {
        uint32_t place = place_before(&state, 1, bits);
        uint64_t older = stamp_at(record->history, 1, place, bits);
        state.last -= (state.last - older) & stamp_mask(bits);
        state.last &= tick_mask(bits);
        state.next = place;
        state.pending = 1;
    }
    *less_out = pack(&state, bits);
    return 1;
}

static int undo_log(const met__record *record, const met__shape *shape,
                    uint64_t head, uint64_t stamp, uint64_t cost,
                    uint64_t *less_out)
{
    return is_wide(shape) ? undo(record, head, stamp, cost, less_out, WIDE)
                          : undo(record, head, stamp, cost, less_out, SHORT);
}

static uint64_t most_log(uint64_t head, const met__shape *shape,
                         const met__window_time *time)
{
    return is_wide(shape) ? unpack(head, WIDE).count
                          : unpack(head, SHORT).count;
}

/* --- Looking at a copy ---------------------------------------------------- */
typedef struct log_view {
    log_state state; /* the live hits */
    uint64_t tick;   /* at which they are judged */
    uint64_t passed; /* since the newest one */
} log_view;

BY_STAMP log_view live(const met__snapshot *snapshot, const met__shape *shape,
                       const met__window_time *time, uint32_t bits)
{
    log_view view = {.state = unpack(snapshot->head, bits)};
    uint64_t clock = met__window_ticks(shape, time->monotonic_ns);

    view.tick = tick_now(&view.state, clock, bits, &view.passed);
    if (view.passed > shape->ticks) {
        view.state.count = 0;
    }
    forget(snapshot->history, 0, shape, &view.state, view.tick, bits);
    return view;
}

static uint64_t used_log(const met__snapshot *snapshot,
                         const met__shape *shape, const met__window_time *time)
{
    return is_wide(shape) ? live(snapshot, shape, time, WIDE).state.count
                          : live(snapshot, shape, time, SHORT).state.count;
}

/* Until no more than `room` of the live hits are left. */
BY_STAMP uint64_t until_room(const met__snapshot *snapshot,
                             const met__shape *shape,
                             const met__window_time *time,
                             const log_view *view, uint64_t room,
                             uint32_t bits)
{
    uint64_t age = view->passed;

    if (view->state.count <= room) {
        return 0;
    }
    if (room >= view->state.pending) {
        uint32_t back = (uint32_t)room + 1 - view->state.pending;
        uint32_t place = place_before(&view->state, back, bits);
        age = (view->tick - stamp_at(snapshot->history, 0, place, bits))
              & stamp_mask(bits);
    }
    return (view->tick + shape->ticks + 1 - age) * shape->tick_ns
           - time->monotonic_ns;
}

BY_STAMP uint64_t wait(const met__snapshot *snapshot, const met__shape *shape,
                       const met__window_time *time, uint64_t room,
                       uint32_t bits)
{
    log_view view = live(snapshot, shape, time, bits);

    return until_room(snapshot, shape, time, &view, room, bits);
}

static uint64_t wait_log(const met__snapshot *snapshot,
                         const met__shape *shape, const met__window_time *time,
                         uint64_t room)
{
    return is_wide(shape) ? wait(snapshot, shape, time, room, WIDE)
                          : wait(snapshot, shape, time, room, SHORT);
}

BY_STAMP uint64_t reset(const met__snapshot *snapshot,
                        const met__shape *shape, const met__window_time *time,
                        uint32_t bits)
{
    log_view view = live(snapshot, shape, time, bits);
    uint64_t room = view.state.count ? view.state.count - UINT64_C(1) : 0;

    return until_room(snapshot, shape, time, &view, room, bits);
}

static uint64_t reset_log(const met__snapshot *snapshot,
                          const met__shape *shape,
                          const met__window_time *time)
{
    return is_wide(shape) ? reset(snapshot, shape, time, WIDE)
                          : reset(snapshot, shape, time, SHORT);
}

static int is_idle_log(uint64_t head, const met__shape *shape,
                       const met__window_time *time)
{
    uint32_t bits = is_wide(shape) ? WIDE : SHORT;
    log_state state = unpack(head, bits);
    uint64_t passed;

    tick_now(&state, met__window_ticks(shape, time->monotonic_ns), bits,
             &passed);
    return state.count == 0 || passed > shape->ticks;
}

const met__window_ops met__window_log = {
    .name = "sliding",
    .algorithm = MET_LIMITER_SLIDING,
    .can_force = 1,
    .shape = shape_log,
    .take = take_log,
    .undo = undo_log,
    .most = most_log,
    .used = used_log,
    .wait = wait_log,
    .reset = reset_log,
    .is_idle = is_idle_log,
};

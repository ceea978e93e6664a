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
 * rounded up; the tick is the length divided by 2^31 (or 2^15), rounded up. So
 * no window ever has more than `limit`, and none is refused but for hits of the
 * last window and one tick. Ages stay below the range of a stamp, because
 * forgotten hits leave the log whenever one is counted. The hits kept are the
 * newest `limit`: older ones could not change any decision. */
#include "limit/window.h"

#include "metering/limiter.h"

#define LIMIT_WIDE 12  /* stamps of 32 bits */
#define LIMIT_SHORT 24 /* stamps of 16 bits */
#define TAKE_TRIES 100000
/* A clock that is up to this part of the tick's range behind the newest hit is
 * late; more means that the key was not seen for that long. */
#define BEHIND_SHIFT 8

typedef struct log_state {
    uint64_t last; /* modulo 2^tick_bits */
    uint32_t next;
    uint32_t count;
    uint32_t pending;
} log_state;

static uint32_t tick_bits(const met__shape *shape)
{
    return MET__HEAD_BITS - 3 * shape->count_bits;
}

static uint64_t tick_mask(const met__shape *shape)
{
    return (UINT64_C(1) << tick_bits(shape)) - 1;
}

static uint32_t stamp_bits(const met__shape *shape)
{
    return shape->quantum;
}

static met_error shape_log(met__shape *shape)
{
    if (shape->limit > LIMIT_SHORT) {
        return MET_E_UNSUPPORTED;
    }
    int is_wide = shape->limit <= LIMIT_WIDE;
    uint64_t range = is_wide ? INT32_MAX : INT16_MAX;

    shape->tick_ns = (shape->window_ns + range - 1) / range;
    shape->ticks = (shape->window_ns + shape->tick_ns - 1) / shape->tick_ns;
    shape->count_bits = is_wide ? 4 : 5;
    shape->quantum = is_wide ? 32 : 16;
    shape->slots = is_wide ? LIMIT_WIDE : LIMIT_SHORT;
    met__window_divider(shape);
    return MET_OK;
}

/* What a head says; numbers that no writer of ours made are made harmless. */
static log_state unpack(uint64_t head, const met__shape *shape)
{
    uint32_t bits = shape->count_bits;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    log_state state = {
        .last = (head >> (3 * bits)) & tick_mask(shape),
        .next = (uint32_t)(head >> (2 * bits) & mask),
        .count = (uint32_t)(head >> bits & mask),
        .pending = (uint32_t)(head & mask),
    };
    if (state.next >= shape->slots) {
        state.next = 0;
    }
    if (state.count > shape->slots) {
        state.count = shape->slots;
    }
    if (state.pending > state.count) {
        state.pending = state.count;
    }
    return state;
}

static uint64_t pack(const log_state *state, const met__shape *shape)
{
    uint32_t bits = shape->count_bits;

    if (state->count == 0) {
        return 0;
    }
    return (state->last & tick_mask(shape)) << (3 * bits)
           | (uint64_t)state->next << (2 * bits)
           | (uint64_t)state->count << bits | state->pending;
}

/* The place `back` before the next one. */
static uint32_t place_before(const log_state *state, const met__shape *shape,
                             uint32_t back)
{
    return state->next >= back ? state->next - back
                               : state->next + shape->slots - back;
}

static uint64_t stamp_in(uint64_t word, uint32_t place,
                         const met__shape *shape)
{
    return stamp_bits(shape) == 32
               ? word >> (32 * (place & 1)) & UINT32_MAX
               : word >> (16 * (place & 3)) & UINT16_MAX;
}

static uint32_t word_of(uint32_t place, const met__shape *shape)
{
    return stamp_bits(shape) == 32 ? place >> 1 : place >> 2;
}

static int is_old(uint64_t tick, uint64_t stamp, const met__shape *shape)
{
    uint64_t mask = stamp_bits(shape) == 32 ? UINT32_MAX : UINT16_MAX;

    return ((tick - stamp) & mask) > shape->ticks;
}

/* The tick at which to decide: the clock's, or the newest hit's when the clock
 * is late. Ticks passed since the newest hit in *passed_out. */
static uint64_t tick_now(const log_state *state, const met__shape *shape,
                         uint64_t now_ns, uint64_t *passed_out)
{
    uint64_t mask = tick_mask(shape);
    uint64_t tick = met__window_ticks(shape, now_ns);
    uint64_t passed = (tick - state->last) & mask;

    if (passed > mask - (mask >> BEHIND_SHIFT)) {
        tick += mask + 1 - passed;
        passed = 0;
    }
    *passed_out = passed;
    return tick;
}

/* Writes the pending stamps of `head` into their places. 0: head changed. */
static int publish(met__record *record, const met__shape *shape,
                   uint64_t head, const log_state *state)
{
    uint32_t place = state->next;
    uint32_t bits = stamp_bits(shape);
    uint64_t stamp_mask = bits == 32 ? UINT32_MAX : UINT16_MAX;

    for (uint32_t i = 0; i < state->pending; i++) {
        met__atomic_u64 *word = &record->history[word_of(place, shape)];
        uint32_t offset = bits * (place & (bits == 32 ? 1 : 3));
        uint64_t stamp = (state->last & stamp_mask) << offset;
        uint64_t found = met__load_acquire(word);
        while ((found & stamp_mask << offset) != stamp) {
            if (met__load_acquire(&record->head) != head) {
                return 0;
            }
            if (met__cas(word, &found,
                         (found & ~(stamp_mask << offset)) | stamp)) {
                break;
            }
        }
        place = place + 1 == shape->slots ? 0 : place + 1;
    }
    return 1;
}

/* Lets go of what is forgotten at this tick. */
static void forget(const met__record *record, const met__shape *shape,
                   log_state *state, uint64_t tick)
{
    while (state->count > state->pending) {
        uint32_t place = place_before(state, shape,
                                      state->count - state->pending);
        uint64_t word =
            met__load_acquire(&record->history[word_of(place, shape)]);
        if (!is_old(tick, stamp_in(word, place, shape), shape)) {
            return;
        }
        state->count--;
    }
}

static int take_log(met__record *record, const met__shape *shape,
                    const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (head & MET__HEAD_FROZEN) {
            return MET__TAKE_MOVED;
        }
        log_state state = unpack(head, shape);
        uint64_t passed;
        uint64_t tick = tick_now(&state, shape, ask->time.monotonic_ns,
                                 &passed);
        if (state.count == 0 || passed > shape->ticks) {
            tick = met__window_ticks(shape, ask->time.monotonic_ns);
            passed = 1;
            state = (log_state){.next = state.next};
        } else {
            forget(record, shape, &state, tick);
        }
        uint64_t used = state.count + ask->cost;
        if (!ask->is_forced && used + ask->extra > shape->limit) {
            if (met__load_acquire(&record->head) == head) {
                return MET__TAKE_REFUSED;
            }
            head = met__load_acquire(&record->head);
            continue;
        }
        if (passed != 0 && state.count > 0) {
            if (!publish(record, shape, head, &state)) {
                head = met__load_acquire(&record->head);
                continue;
            }
            state.next += state.pending;
            state.next -= state.next >= shape->slots ? shape->slots : 0;
            state.pending = 0;
        }
        uint64_t kept = used < shape->limit ? used : shape->limit;
        uint64_t newest = state.pending + ask->cost;
        state.count = (uint32_t)kept;
        state.pending = (uint32_t)(newest < kept ? newest : kept);
        state.last = tick & tick_mask(shape);
        if (met__cas(&record->head, &head, pack(&state, shape))) {
            *mark_out = (met__window_mark){state.last, kept};
            return MET__TAKE_DONE;
        }
    }
    return MET__TAKE_CONTENDED;
}

/* Only if the newest hits have the ticket's tick: hits of one tick are alike.
 * Taking an older one out of the log would let a window have more. */
static int undo_log(met__record *record, const met__shape *shape,
                    uint64_t stamp, uint64_t cost)
{
    uint64_t head = met__load_acquire(&record->head);

    for (int i = 0; i < TAKE_TRIES; i++) {
        log_state state = unpack(head, shape);
        if ((head & MET__HEAD_FROZEN) || state.last != stamp
            || state.pending < cost) {
            return 0;
        }
        state.count -= (uint32_t)cost;
        state.pending -= (uint32_t)cost;
        if (state.pending == 0 && state.count > 0) {
            uint32_t place = place_before(&state, shape, 1);
            uint64_t word =
                met__load_acquire(&record->history[word_of(place, shape)]);
            uint64_t mask = stamp_bits(shape) == 32 ? UINT32_MAX : UINT16_MAX;
            uint64_t older = stamp_in(word, place, shape);
            state.last -= (state.last - older) & mask;
            state.last &= tick_mask(shape);
            state.next = place;
            state.pending = 1;
        }
        if (met__cas(&record->head, &head, pack(&state, shape))) {
            return 1;
        }
    }
    return 0;
}

/* The live hits of a copy; *tick_out: the tick they are judged at. */
static log_state live(const met__snapshot *snapshot, const met__shape *shape,
                      uint64_t now_ns, uint64_t *tick_out, uint64_t *passed)
{
    log_state state = unpack(snapshot->head, shape);

    *tick_out = tick_now(&state, shape, now_ns, passed);
    if (*passed > shape->ticks) {
        state.count = 0;
    }
    while (state.count > state.pending) {
        uint32_t place = place_before(&state, shape,
                                      state.count - state.pending);
        uint64_t stamp = stamp_in(snapshot->history[word_of(place, shape)],
                                  place, shape);
        if (!is_old(*tick_out, stamp, shape)) {
            break;
        }
        state.count--;
    }
    return state;
}

static uint64_t used_log(const met__snapshot *snapshot,
                         const met__shape *shape, const met__window_time *time)
{
    uint64_t tick;
    uint64_t passed;

    return live(snapshot, shape, time->monotonic_ns, &tick, &passed).count;
}

/* Until the `index`-th oldest live hit (from 0) is forgotten. */
static uint64_t until_forgotten(const met__snapshot *snapshot,
                                const met__shape *shape,
                                const log_state *state, uint32_t index,
                                uint64_t tick, uint64_t passed,
                                uint64_t now_ns)
{
    uint64_t age = passed;

    if (index < state->count - state->pending) {
        uint32_t place = place_before(state, shape,
                                      state->count - state->pending - index);
        uint64_t mask = stamp_bits(shape) == 32 ? UINT32_MAX : UINT16_MAX;
        age = (tick - stamp_in(snapshot->history[word_of(place, shape)],
                               place, shape)) & mask;
    }
    return (tick + shape->ticks + 1 - age) * shape->tick_ns - now_ns;
}

static uint64_t wait_log(const met__snapshot *snapshot,
                         const met__shape *shape, const met__window_time *time,
                         uint64_t room)
{
    uint64_t tick;
    uint64_t passed;
    log_state state = live(snapshot, shape, time->monotonic_ns, &tick,
                           &passed);

    if (state.count <= room) {
        return 0;
    }
    return until_forgotten(snapshot, shape, &state,
                           state.count - (uint32_t)room - 1, tick, passed,
                           time->monotonic_ns);
}

static uint64_t reset_log(const met__snapshot *snapshot,
                          const met__shape *shape,
                          const met__window_time *time)
{
    uint64_t tick;
    uint64_t passed;
    log_state state = live(snapshot, shape, time->monotonic_ns, &tick,
                           &passed);

    return state.count == 0
               ? 0
               : until_forgotten(snapshot, shape, &state, 0, tick, passed,
                                 time->monotonic_ns);
}

static int is_idle_log(uint64_t head, const met__shape *shape,
                       const met__window_time *time)
{
    log_state state = unpack(head, shape);
    uint64_t passed;

    tick_now(&state, shape, time->monotonic_ns, &passed);
    return state.count == 0 || passed > shape->ticks;
}

const met__window_ops met__window_log = {
    .name = "sliding",
    .algorithm = MET_LIMITER_SLIDING,
    .can_force = 1,
    .shape = shape_log,
    .take = take_log,
    .undo = undo_log,
    .used = used_log,
    .wait = wait_log,
    .reset = reset_log,
    .is_idle = is_idle_log,
};

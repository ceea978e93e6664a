/* `sliding` from 25 on: the staircase tape. In: a record and a moment. Out:
 * whether the hit counts, never more than `limit` in any window.
 *
 * Time is cut into slots, N to a window, hits into quanta of q. The tape is
 * the path of both, a bit a step: 1, a quantum was admitted; 0, a slot went by.
 *
 *   head     newest bits of the tape, not in the ring yet (8 at most, with a 1
 *            above them) | next chunk of the ring | chunks that are valid |
 *            hits that weigh | slot of the newest hit
 *   history  ring of 48 chunks of 8 bits; within a word the oldest bit is the
 *            lowest
 *
 * Hits of the newest slot are not on the tape yet: they count by adding to
 * head, one compare-and-swap. Only when a slot has gone by they become 1s, in
 * the order of their coming, stamped with the slot in which their quantum was
 * complete; what is left of a quantum waits for the next hits. A quantum is
 * forgotten when slot s + N + 1 begins: every hit weighs for more than the
 * window's length, and of all that weigh at most q - 1 are older than N + 1
 * slots. N and q make (q - 1) / limit + 1 / (N + 1) least, under
 * N + limit / q <= 384 bits.
 *
 * Bits go to the tape in steps, each one compare-and-swap after which the
 * record says the same as before, so that anybody can go on where somebody was
 * killed. When the newest bits are 8, head says which chunk they are: everybody
 * who sees it writes the same bits into that chunk, which is dead under it,
 * then lets head go on. */
#include "limit/window.h"

#include "metering/limiter.h"

#define TAPE_BITS 384
#define CHUNKS 48
#define CHUNK_BITS 8
#define CHUNKS_OF_WORD 8
#define CHUNK_SHIFT 9 /* in head: 8 newest bits and the 1 above them */
#define VALID_SHIFT 15
#define COUNT_SHIFT 21
#define LOG_MAX 24 /* up to here window_log.c is exact */
#define TAKE_TRIES 10000
/* A clock that is up to this part of the slots' range behind the newest hit is
 * late; more means that the key was not seen for that long. */
#define BEHIND_SHIFT 8

typedef struct tape_state {
    uint32_t length; /* of recent */
    uint32_t recent; /* lowest bit: oldest */
    uint32_t chunk;
    uint32_t valid;
    uint64_t count;
    uint64_t slot; /* modulo 2^slot_bits */
} tape_state;

/* --- Numbers of a shape ---------------------------------------------------- */
/* 1s that matter: so many quanta alone fill the limit. */
static uint64_t quanta_max(const met__shape *shape)
{
    return TAPE_BITS - shape->slots;
}

/* Counted by force, up to twice what the limit needs is kept: as much on the
 * tape, as much of the newest slot. */
static uint64_t count_max(const met__shape *shape)
{
    return 2 * quanta_max(shape) * shape->quantum;
}

static uint32_t slot_shift(const met__shape *shape)
{
    return COUNT_SHIFT + shape->count_bits;
}

static uint64_t slot_mask(const met__shape *shape)
{
    return (UINT64_C(1) << (MET__HEAD_BITS - slot_shift(shape))) - 1;
}

static met_error shape_tape(met__shape *shape)
{
    uint64_t best_over = 1; /* best error so far, as a fraction */
    uint64_t best_under = 0;

    if (shape->limit <= LOG_MAX || shape->limit > MET_LIMITER_LIMIT_MAX) {
        return MET_E_UNSUPPORTED;
    }
    for (uint64_t most = 1; most < TAPE_BITS; most++) {
        uint64_t quantum = (shape->limit + most - 1) / most;
        uint64_t quanta = (shape->limit + quantum - 1) / quantum;
        uint64_t slots = TAPE_BITS - quanta;
        uint64_t over = (quantum - 1) * (slots + 1) + shape->limit;
        uint64_t under = shape->limit * (slots + 1);
        if ((met__wide)over * best_under < (met__wide)best_over * under) {
            best_over = over;
            best_under = under;
            shape->quantum = (uint32_t)quantum;
            shape->slots = (uint32_t)slots;
        }
    }
    shape->tick_ns = (shape->window_ns + shape->slots - 1) / shape->slots;
    shape->ticks = shape->slots;
    shape->count_bits =
        64 - (uint32_t)__builtin_clzll(count_max(shape));
    met__window_divider(shape);
    return MET_OK;
}

/* --- Head ------------------------------------------------------------------ */
/* What a head says; numbers that no writer of ours made are made harmless. */
static tape_state unpack(uint64_t head, const met__shape *shape)
{
    uint32_t recent = (uint32_t)(head & 0x1ff) | !(head & 0x1ff);
    tape_state state = {
        .length = 31 - (uint32_t)__builtin_clz(recent),
        .chunk = (uint32_t)(head >> CHUNK_SHIFT & 63),
        .valid = (uint32_t)(head >> VALID_SHIFT & 63),
        .count = head >> COUNT_SHIFT
                 & ((UINT64_C(1) << shape->count_bits) - 1),
        .slot = head >> slot_shift(shape) & slot_mask(shape),
    };
    state.recent = recent ^ 1u << state.length;
    if (state.chunk >= CHUNKS) {
        state.chunk = 0;
    }
    if (state.valid > CHUNKS) {
        state.valid = CHUNKS;
    }
    return state;
}

static uint64_t pack(const tape_state *state, const met__shape *shape)
{
    return (state->recent | 1u << state->length)
           | (uint64_t)state->chunk << CHUNK_SHIFT
           | (uint64_t)state->valid << VALID_SHIFT
           | state->count << COUNT_SHIFT
           | (state->slot & slot_mask(shape)) << slot_shift(shape);
}

/* Slots passed since the newest hit. A late clock is judged at the newest hit;
 * *late_out: by how many slots. */
static uint64_t slots_passed(const tape_state *state, const met__shape *shape,
                             uint64_t now_ns, uint64_t *late_out)
{
    uint64_t mask = slot_mask(shape);
    uint64_t passed =
        (met__window_ticks(shape, now_ns) - state->slot) & mask;

    *late_out = 0;
    if (passed > mask - (mask >> BEHIND_SHIFT)) {
        *late_out = mask + 1 - passed;
        passed = 0;
    }
    return passed;
}

/* --- Reading the tape ------------------------------------------------------ */
/* A walk from the newest bit back. */
typedef struct tape_walk {
    uint32_t zeros;
    uint32_t ones;
    uint32_t zeros_max;
    uint32_t ones_max;
} tape_walk;

static uint32_t ones_in(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(word * 0x0101010101010101u >> 56);
}

/* As many of the highest `length` bits of word as the walk has room for. 0: it
 * ends among them. */
static int walk_bits(tape_walk *walk, uint64_t word, uint32_t length)
{
    for (uint32_t step = 64; step > 0 && length > 0; step >>= 1) {
        if (step > length) {
            continue;
        }
        uint32_t ones = ones_in(word >> (64 - step));
        if (walk->ones + ones <= walk->ones_max
            && walk->zeros + step - ones <= walk->zeros_max) {
            walk->ones += ones;
            walk->zeros += step - ones;
            word = step < 64 ? word << step : 0;
            length -= step;
        }
    }
    return length == 0;
}

/* The longest piece of tape, from the newest bit on, with at most so many 0s
 * and 1s. */
static tape_walk walk_tape(const tape_state *state, const uint64_t *history,
                           uint64_t zeros_max, uint64_t ones_max)
{
    tape_walk walk = {.zeros_max = (uint32_t)zeros_max,
                      .ones_max = (uint32_t)ones_max};
    uint32_t chunk = state->chunk;
    /* The oldest chunk may be written over while the newest bits are 8. */
    uint32_t left = state->valid
                    - (state->valid == CHUNKS && state->length == CHUNK_BITS);

    if (state->length > 0
        && !walk_bits(&walk, (uint64_t)state->recent << (64 - state->length),
                      state->length)) {
        return walk;
    }
    while (left > 0) {
        uint32_t newest = (chunk == 0 ? CHUNKS : chunk) - 1;
        uint32_t here = newest % CHUNKS_OF_WORD + 1;
        uint32_t taken = here < left ? here : left;
        uint64_t word = history[newest / CHUNKS_OF_WORD]
                        << (64 - here * CHUNK_BITS);
        if (!walk_bits(&walk, word, taken * CHUNK_BITS)) {
            return walk;
        }
        chunk = newest + 1 - here;
        left -= taken;
    }
    return walk;
}

/* 1s that weigh `passed` slots later; `room`: more would not matter. */
static uint64_t ones_left(const tape_state *state, const uint64_t *history,
                          const met__shape *shape, uint64_t passed,
                          uint64_t room)
{
    return walk_tape(state, history, shape->slots - passed, room).ones;
}

/* Hits of the newest slot, and what is left of a quantum before them. */
static uint64_t residue_of(const tape_state *state, const uint64_t *history,
                           const met__shape *shape)
{
    if (state->count < shape->quantum) {
        return state->count;
    }
    uint64_t ones = ones_left(state, history, shape, 0, quanta_max(shape));
    uint64_t weight = ones * shape->quantum;
    return state->count > weight ? state->count - weight : 0;
}

/* What weighs `passed` slots later, if nothing is counted meanwhile. */
static uint64_t weight_after(const tape_state *state, const uint64_t *history,
                             const met__shape *shape, uint64_t passed)
{
    uint64_t most = quanta_max(shape);

    if (passed == 0) {
        return state->count;
    }
    if (passed > shape->slots || state->count == 0) {
        return 0;
    }
    if (state->count < shape->quantum
        || (state->count <= most * shape->quantum
            && state->valid * CHUNK_BITS + state->length + passed
                   <= shape->slots)) {
        return state->count; /* nothing can have been forgotten */
    }
    uint64_t residue = residue_of(state, history, shape);
    uint64_t fresh = residue / shape->quantum;
    fresh = fresh < most ? fresh : most;
    return (fresh + ones_left(state, history, shape, passed, most - fresh))
               * shape->quantum
           + residue % shape->quantum;
}

/* --- Writing the tape ------------------------------------------------------ */
/* Writes the newest bits of `head` into their chunk. 0: head changed. */
static int spill(met__record *record, uint64_t head, const tape_state *state)
{
    met__atomic_u64 *word = &record->history[state->chunk / CHUNKS_OF_WORD];
    uint32_t offset = state->chunk % CHUNKS_OF_WORD * CHUNK_BITS;
    uint64_t mask = UINT64_C(0xff) << offset;
    uint64_t bits = (uint64_t)state->recent << offset;
    uint64_t found = met__load_acquire(word);

    while ((found & mask) != bits) {
        if (met__load_acquire(&record->head) != head) {
            return 0;
        }
        if (met__cas(word, &found, (found & ~mask) | bits)) {
            return 1;
        }
    }
    return 1;
}

static void next_chunk(tape_state *state)
{
    state->chunk = state->chunk + 1 == CHUNKS ? 0 : state->chunk + 1;
    state->length = 0;
    state->recent = 0;
}

/* A tape on which nothing is. A chunk that somebody may be writing is left
 * alone for a whole turn of the ring. */
static void clear(tape_state *state)
{
    if (state->length == CHUNK_BITS) {
        next_chunk(state);
    }
    state->length = 0;
    state->recent = 0;
    state->valid = 0;
}

/* One step towards `passed` slots later: 1s for the whole quanta of the newest
 * slot, then 0s, as many as there is room for. Slots that are left. */
static uint64_t step(tape_state *state, const uint64_t *history,
                     const met__shape *shape, uint64_t passed)
{
    tape_state before = *state;
    uint64_t most = quanta_max(shape);
    uint64_t room = CHUNK_BITS - state->length;
    uint64_t fresh = residue_of(&before, history, shape) / shape->quantum;

    if (fresh > most) { /* counted by force: older ones do not matter */
        before.count -= (fresh - most) * shape->quantum;
        state->count = before.count;
        fresh = most;
    }
    uint64_t ones = fresh < room ? fresh : room;
    uint64_t zeros = 0;
    if (ones == fresh) {
        zeros = passed < room - ones ? passed : room - ones;
    }
    state->recent |= ((1u << ones) - 1) << state->length;
    state->length += (uint32_t)(ones + zeros);
    state->slot += zeros;
    if (zeros > 0) {
        state->count = weight_after(&before, history, shape, zeros);
    } else {
        uint64_t old = ones_left(&before, history, shape, 0, most);
        uint64_t drop = old + ones > most ? old + ones - most : 0;
        drop *= shape->quantum;
        state->count -= drop < state->count ? drop : state->count;
    }
    return passed - zeros;
}

/* --- Counting -------------------------------------------------------------- */
/* What a record is at a moment, under one head. */
typedef struct tape_view {
    tape_state state;
    uint64_t history[MET__HISTORY_WORDS];
    uint64_t passed;
    uint64_t weight;
} tape_view;

static void look(const met__record *record, const met__shape *shape,
                 uint64_t head, uint64_t now_ns, tape_view *view)
{
    uint64_t late;

    view->state = unpack(head, shape);
    view->passed = slots_passed(&view->state, shape, now_ns, &late);
    if (view->state.count == 0) {
        view->passed = shape->slots + 1;
    }
    if (view->passed > 0 && view->passed <= shape->slots) {
        for (int i = 0; i < MET__HISTORY_WORDS; i++) {
            view->history[i] = met__load_acquire(&record->history[i]);
        }
    }
    view->weight = weight_after(&view->state, view->history, shape,
                                view->passed);
}

static uint64_t added(uint64_t count, uint64_t cost, const met__shape *shape)
{
    uint64_t sum = count + cost;

    return sum < count_max(shape) ? sum : count_max(shape);
}

/* The head after one step; *is_counted_out: the cost is in it. */
static uint64_t next_head(const tape_view *view, const met__shape *shape,
                          const met__window_ask *ask, int *is_counted_out)
{
    tape_state next = view->state;

    *is_counted_out = 1;
    if (view->passed > 0 && view->weight < shape->quantum) {
        clear(&next);
        next.slot = met__window_ticks(shape, ask->time.monotonic_ns);
        next.count = view->weight;
    } else if (view->passed > 0 && next.length == CHUNK_BITS) {
        next_chunk(&next);
        next.valid += next.valid < CHUNKS;
        *is_counted_out = 0;
    } else if (view->passed > 0) {
        *is_counted_out =
            step(&next, view->history, shape, view->passed) == 0;
    }
    if (*is_counted_out) {
        next.count = added(next.count, ask->cost, shape);
    }
    return pack(&next, shape);
}

static int take_slowly(met__record *record, const met__shape *shape,
                       const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);
    tape_view view;
    int is_counted;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (head & MET__HEAD_FROZEN) {
            return MET__TAKE_MOVED;
        }
        look(record, shape, head, ask->time.monotonic_ns, &view);
        if (!ask->is_forced
            && view.weight + ask->cost + ask->extra > shape->limit) {
            uint64_t again = met__load_acquire(&record->head);
            if (again == head) {
                mark_out->used = view.weight;
                return MET__TAKE_REFUSED;
            }
            head = again;
            continue;
        }
        uint64_t next = next_head(&view, shape, ask, &is_counted);
        if (!is_counted && view.state.length == CHUNK_BITS
            && !spill(record, head, &view.state)) {
            head = met__load_acquire(&record->head);
            continue;
        }
        if (met__cas(&record->head, &head, next)) {
            head = next;
            if (is_counted) {
                tape_state now = unpack(next, shape);
                *mark_out = (met__window_mark){now.slot, now.count};
                return MET__TAKE_DONE;
            }
        }
    }
    return MET__TAKE_CONTENDED;
}

/* A hit in the slot of the newest one only adds to head. */
static int take_tape(met__record *record, const met__shape *shape,
                     const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t slot = met__window_ticks(shape, ask->time.monotonic_ns)
                    & slot_mask(shape);
    uint64_t head = met__load_acquire(&record->head);
    uint64_t counts = (UINT64_C(1) << shape->count_bits) - 1;

    /* A frozen head is no slot's: the table's bits are above the number. */
    for (int i = 0; i < TAKE_TRIES && head >> slot_shift(shape) == slot
                    && !ask->is_forced; i++) {
        uint64_t used = (head >> COUNT_SHIFT & counts) + ask->cost;
        if (used + ask->extra > shape->limit) {
            mark_out->used = used - ask->cost;
            return MET__TAKE_REFUSED;
        }
        if (met__cas(&record->head, &head,
                     head + (ask->cost << COUNT_SHIFT))) {
            *mark_out = (met__window_mark){slot, used};
            return MET__TAKE_DONE;
        }
    }
    return take_slowly(record, shape, ask, mark_out);
}

/* Hits of the newest slot are alike, and none of them is on the tape: what the
 * slot's ticket counted may go back. At count_max some were not counted. */
static int undo_tape(met__record *record, const met__shape *shape,
                     uint64_t stamp, uint64_t cost)
{
    uint64_t head = met__load_acquire(&record->head);
    uint64_t history[MET__HISTORY_WORDS];

    for (int i = 0; i < TAKE_TRIES; i++) {
        tape_state state = unpack(head, shape);
        if ((head & MET__HEAD_FROZEN) || state.slot != stamp
            || state.count < cost || state.count >= count_max(shape)) {
            return 0;
        }
        for (int word = 0; word < MET__HISTORY_WORDS; word++) {
            history[word] = met__load_acquire(&record->history[word]);
        }
        int is_there = residue_of(&state, history, shape) >= cost;
        if (!is_there && met__load_acquire(&record->head) == head) {
            return 0;
        }
        state.count -= cost;
        if (is_there && met__cas(&record->head, &head, pack(&state, shape))) {
            return 1;
        }
        head = met__load_acquire(&record->head);
    }
    return 0;
}

/* --- Reading a copy -------------------------------------------------------- */
static uint64_t most_tape(uint64_t head, const met__shape *shape,
                          const met__window_time *time)
{
    return head >> COUNT_SHIFT & ((UINT64_C(1) << shape->count_bits) - 1);
}

static uint64_t used_tape(const met__snapshot *snapshot,
                          const met__shape *shape, const met__window_time *time)
{
    tape_state state = unpack(snapshot->head, shape);
    uint64_t late;
    uint64_t passed = slots_passed(&state, shape, time->monotonic_ns, &late);
    uint64_t weight = weight_after(&state, snapshot->history, shape, passed);
    uint64_t full = quanta_max(shape) * shape->quantum;

    /* What was counted by force above that is let go a slot later. */
    return weight < full ? weight : full;
}

/* Slots after the newest hit at which at most `room` weigh. */
static uint64_t slots_until(const tape_state *state, const uint64_t *history,
                            const met__shape *shape, uint64_t room)
{
    uint64_t most = quanta_max(shape);
    uint64_t residue = residue_of(state, history, shape);
    uint64_t fresh = residue / shape->quantum;
    fresh = fresh < most ? fresh : most;
    uint64_t stays = fresh * shape->quantum + residue % shape->quantum;

    if (room < stays) {
        return shape->slots + 1; /* all of it must go */
    }
    uint64_t ones = (room - stays) / shape->quantum;
    /* The first 1 too many goes with the slots that are newer than it. */
    ones = ones < most - fresh ? ones : most - fresh;
    return shape->slots + 1
           - walk_tape(state, history, shape->slots, ones).zeros;
}

static uint64_t wait_tape(const met__snapshot *snapshot,
                          const met__shape *shape,
                          const met__window_time *time, uint64_t room)
{
    tape_state state = unpack(snapshot->head, shape);
    uint64_t now = time->monotonic_ns;
    uint64_t late;
    uint64_t passed = slots_passed(&state, shape, now, &late);

    if (weight_after(&state, snapshot->history, shape, passed) <= room) {
        return 0;
    }
    uint64_t newest = met__window_ticks(shape, now) + late - passed;
    uint64_t later = slots_until(&state, snapshot->history, shape, room);
    uint64_t until = (newest + later) * shape->tick_ns;
    return until > now ? until - now : 1; /* 1: a record nobody wrote */
}

/* The moment the oldest quantum is forgotten. */
static uint64_t reset_tape(const met__snapshot *snapshot,
                           const met__shape *shape,
                           const met__window_time *time)
{
    uint64_t used = used_tape(snapshot, shape, time);

    return used == 0 ? 0 : wait_tape(snapshot, shape, time, used - 1);
}

static int is_idle_tape(uint64_t head, const met__shape *shape,
                        const met__window_time *time)
{
    tape_state state = unpack(head, shape);
    uint64_t late;

    return state.count == 0
           || slots_passed(&state, shape, time->monotonic_ns, &late)
                  > shape->slots;
}

const met__window_ops met__window_tape = {
    .name = "sliding",
    .algorithm = MET_LIMITER_SLIDING,
    .can_force = 1,
    .shape = shape_tape,
    .take = take_tape,
    .undo = undo_tape,
    .most = most_tape,
    .used = used_tape,
    .wait = wait_tape,
    .reset = reset_tape,
    .is_idle = is_idle_tape,
};

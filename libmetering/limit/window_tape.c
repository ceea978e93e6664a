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
#include "limit/window_tape.h"

#include "metering/limiter.h"

#define LOG_MAX 24 /* up to here window_log.c is exact */
#define TAKE_TRIES 10000

/* --- Numbers of a shape --------------------------------------------------- */
/* Counted by force, up to twice what the limit needs is kept: as much on the
 * tape, as much of the newest slot. */
static uint64_t count_max(const met__shape *shape)
{
    return 2 * met__tape_quanta(shape) * shape->quantum;
}

static met_error shape_tape(met__shape *shape)
{
    uint64_t best_over = 1; /* best error so far, as a fraction */
    uint64_t best_under = 0;

    if (shape->limit <= LOG_MAX || shape->limit > MET_LIMITER_LIMIT_MAX) {
        return MET_E_UNSUPPORTED;
    }
    for (uint64_t most = 1; most < MET__TAPE_BITS; most++) {
        uint64_t quantum = (shape->limit + most - 1) / most;
        uint64_t quanta = (shape->limit + quantum - 1) / quantum;
        uint64_t slots = MET__TAPE_BITS - quanta;
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
    shape->steady = ~(((UINT64_C(1) << shape->count_bits) - 1)
                      << MET__TAPE_COUNT_SHIFT);
    met__window_divider(shape);
    return MET_OK;
}

/* --- Writing the tape ----------------------------------------------------- */
/* Writes the newest bits of `head` into their chunk. 0: head changed. */
static int spill(met__record *record, uint64_t head,
                 const met__tape_state *state)
{
    met__atomic_u64 *word =
        &record->history[state->chunk / MET__TAPE_WORD_CHUNKS];
    uint32_t offset =
        state->chunk % MET__TAPE_WORD_CHUNKS * MET__TAPE_CHUNK_BITS;
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

static void next_chunk(met__tape_state *state)
{
    state->chunk = state->chunk + 1 == MET__TAPE_CHUNKS ? 0 : state->chunk + 1;
    state->length = 0;
    state->recent = 0;
}

/* A tape on which nothing is. A chunk that somebody may be writing is left
 * alone for a whole turn of the ring. */
static void clear(met__tape_state *state)
{
    if (state->length == MET__TAPE_CHUNK_BITS) {
        next_chunk(state);
    }
    state->length = 0;
    state->recent = 0;
    state->valid = 0;
}

/* --- Counting ------------------------------------------------------------- */
/* A record under one head, at a moment. */
typedef struct tape_view {
    met__tape_state state;
    uint64_t history[MET__HISTORY_WORDS];
    uint64_t passed;
    uint64_t weight; /* at the moment: steps do not change it */
    met__tape_parts parts;
} tape_view;

static void look(const met__record *record, const met__shape *shape,
                 uint64_t head, uint64_t now_ns, tape_view *view)
{
    uint64_t late;

    view->state = met__tape_unpack(head, shape);
    view->passed = met__tape_passed(&view->state, shape, now_ns, &late);
    if (view->state.count == 0) {
        view->passed = shape->slots + UINT64_C(1);
    }
    if (view->passed > 0 && view->passed <= shape->slots) {
        for (int i = 0; i < MET__HISTORY_WORDS; i++) {
            view->history[i] = met__load_acquire(&record->history[i]);
        }
    }
    view->weight = met__tape_weight(&view->state, view->history, shape,
                                    view->passed, &view->parts);
}

/* One step towards the moment: 1s for the whole quanta of the newest slot,
 * then 0s, as many as there is room for. */
static void step(tape_view *view, const met__shape *shape)
{
    met__tape_state *state = &view->state;
    met__tape_state before = *state;
    met__tape_parts *parts = &view->parts;
    uint64_t most = met__tape_quanta(shape);
    uint64_t room = MET__TAPE_CHUNK_BITS - state->length;

    if (!parts->is_known) {
        *parts = met__tape_split(state, view->history, shape, view->passed);
    }
    uint64_t fresh = parts->fresh;
    uint64_t ones = fresh < room ? fresh : room;
    uint64_t zeros = 0;
    if (ones == fresh) {
        zeros = view->passed < room - ones ? view->passed : room - ones;
    }
    if (zeros > 0 && zeros == view->passed) {
        state->count = view->weight;
    } else if (zeros > 0 || state->count > most * shape->quantum) {
        uint64_t old = met__tape_ones(&before, view->history, shape, zeros,
                                 most - ones);
        state->count = (old + fresh) * shape->quantum + parts->rest;
    }
    state->recent |= ((1u << ones) - 1) << state->length;
    state->length += (uint32_t)(ones + zeros);
    state->slot += zeros;
    view->passed -= zeros;
    parts->fresh -= ones;
    parts->kept += ones;
}

static uint64_t added(uint64_t count, uint64_t cost, const met__shape *shape)
{
    uint64_t sum = count + cost;

    return sum < count_max(shape) ? sum : count_max(shape);
}

/* The view after the next step. 1: the cost is in it. */
static int advance(tape_view *view, const met__shape *shape,
                   const met__window_ask *ask)
{
    met__tape_state *state = &view->state;

    if (view->passed > 0 && view->weight < shape->quantum) {
        clear(state);
        state->slot = met__window_ticks(shape, ask->time.monotonic_ns);
        state->count = view->weight;
        view->passed = 0;
    } else if (view->passed > 0 && state->length == MET__TAPE_CHUNK_BITS) {
        next_chunk(state);
        state->valid += state->valid < MET__TAPE_CHUNKS;
        return 0;
    } else if (view->passed > 0) {
        step(view, shape);
    }
    if (view->passed == 0) {
        state->count = added(state->count, ask->cost, shape);
    }
    return view->passed == 0;
}

/* Takes the steps from `head` on, in the record of mark_out's name. DONE; or
 * head changed: *head is it. */
static int count_from(met__record *record, const met__shape *shape,
                      uint64_t *head, tape_view *view,
                      const met__window_ask *ask, met__window_mark *mark_out)
{
    for (;;) {
        met__tape_state before = view->state;
        int is_counted = advance(view, shape, ask);
        if (!is_counted && before.length == MET__TAPE_CHUNK_BITS) {
            uint32_t word = before.chunk / MET__TAPE_WORD_CHUNKS;
            if (!spill(record, *head, &before)) {
                *head = met__load_acquire(&record->head);
                return MET__TAKE_CONTENDED;
            }
            view->history[word] = met__load_acquire(&record->history[word]);
        }
        uint64_t next = met__tape_pack(&view->state, shape);
        if (!met__window_swap(record, head, next, mark_out->name)) {
            return MET__TAKE_CONTENDED;
        }
        *head = next;
        if (is_counted) {
            mark_out->stamp = view->state.slot & met__tape_slot_mask(shape);
            mark_out->used = view->state.count;
            return MET__TAKE_DONE;
        }
    }
}

static int take_slowly(met__record *record, const met__shape *shape,
                       const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);
    tape_view view;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (!met__window_is_open(record, head, ask, &mark_out->name)) {
            return MET__TAKE_MOVED;
        }
        look(record, shape, head, ask->time.monotonic_ns, &view);
        if (ask->is_forced
            || view.weight + ask->cost + ask->extra <= shape->limit) {
            if (count_from(record, shape, &head, &view, ask, mark_out)
                == MET__TAKE_DONE) {
                return MET__TAKE_DONE;
            }
            continue;
        }
        uint64_t again = met__load_acquire(&record->head);
        if (again == head) {
            mark_out->used = view.weight;
            return MET__TAKE_REFUSED;
        }
        head = again;
    }
    return MET__TAKE_CONTENDED;
}

/* A hit in the slot of the newest one only adds to head. */
static int take_tape(met__record *record, const met__shape *shape,
                     const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t slot = met__window_ticks(shape, ask->time.monotonic_ns)
                    & met__tape_slot_mask(shape);
    uint64_t head = met__load_acquire(&record->head);
    uint64_t counts = (UINT64_C(1) << shape->count_bits) - 1;
    uint64_t name;

    for (int i = 0; i < TAKE_TRIES && !ask->is_forced
                    && head >> met__tape_slot_shift(shape) == slot; i++) {
        if (!met__window_is_open(record, head, ask, &name)) {
            return MET__TAKE_MOVED;
        }
        uint64_t used = (head >> MET__TAPE_COUNT_SHIFT & counts) + ask->cost;
        if (used + ask->extra > shape->limit) {
            mark_out->used = used - ask->cost;
            return MET__TAKE_REFUSED;
        }
        if (met__window_swap(record, &head,
                             head + (ask->cost << MET__TAPE_COUNT_SHIFT),
                             name)) {
            *mark_out = (met__window_mark){name, slot, used};
            return MET__TAKE_DONE;
        }
    }
    return take_slowly(record, shape, ask, mark_out);
}

/* Hits of the newest slot are alike, and none of them is on the tape: what the
 * slot's ticket counted may go back. At count_max some were not counted. */
static int undo_tape(const met__record *record, const met__shape *shape,
                     uint64_t head, uint64_t stamp, uint64_t cost,
                     uint64_t *less_out)
{
    met__tape_state state = met__tape_unpack(head, shape);
    uint64_t history[MET__HISTORY_WORDS];

    if (state.slot != stamp || state.count < cost
        || state.count >= count_max(shape)) {
        return 0;
    }
    for (int word = 0; word < MET__HISTORY_WORDS; word++) {
        history[word] = met__load_acquire(&record->history[word]);
    }
    met__tape_parts parts = met__tape_split(&state, history, shape, 0);
    state.count -= cost;
    *less_out = met__tape_pack(&state, shape);
    return parts.fresh * shape->quantum + parts.rest >= cost;
}

/* --- Reading a copy ------------------------------------------------------- */
static uint64_t most_tape(uint64_t head, const met__shape *shape,
                          const met__window_time *time)
{
    return met__tape_count(head, shape);
}

/* A copy at a moment. */
typedef struct tape_copy {
    met__tape_state state;
    uint64_t passed;
    uint64_t late;
    uint64_t used;
} tape_copy;

static inline tape_copy read_copy(const met__snapshot *snapshot,
                                  const met__shape *shape,
                                  const met__window_time *time)
{
    tape_copy copy = {.state = met__tape_unpack(snapshot->head, shape)};
    met__tape_parts parts;
    uint64_t full = met__tape_quanta(shape) * shape->quantum;

    copy.passed = met__tape_passed(&copy.state, shape, time->monotonic_ns,
                                   &copy.late);
    copy.used = met__tape_weight(&copy.state, snapshot->history, shape,
                                 copy.passed, &parts);
    /* What was counted by force above that is let go a slot later. */
    copy.used = copy.used < full ? copy.used : full;
    return copy;
}

static uint64_t used_tape(const met__snapshot *snapshot,
                          const met__shape *shape, const met__window_time *time)
{
    return read_copy(snapshot, shape, time).used;
}

/* How long until so many slots after the newest hit. */
static inline uint64_t wait_of(const tape_copy *copy, const met__shape *shape,
                               uint64_t now, uint64_t later)
{
    uint64_t newest =
        met__window_ticks(shape, now) + copy->late - copy->passed;
    uint64_t until = (newest + later) * shape->tick_ns;

    return until > now ? until - now : 1; /* 1: a record nobody wrote */
}

static uint64_t wait_tape(const met__snapshot *snapshot,
                          const met__shape *shape,
                          const met__window_time *time, uint64_t room)
{
    tape_copy copy = read_copy(snapshot, shape, time);

    return copy.used <= room
               ? 0
               : wait_of(&copy, shape, time->monotonic_ns,
                         met__tape_until(&copy.state, snapshot->history,
                                         shape, room));
}

/* The moment the oldest quantum is forgotten. */
static uint64_t reset_tape(const met__snapshot *snapshot,
                           const met__shape *shape,
                           const met__window_time *time)
{
    tape_copy copy = read_copy(snapshot, shape, time);

    return copy.used == 0
               ? 0
               : wait_of(&copy, shape, time->monotonic_ns,
                         met__tape_until_less(&copy.state, snapshot->history,
                                              shape, copy.passed,
                                              copy.used));
}

static int is_idle_tape(uint64_t head, const met__shape *shape,
                        const met__window_time *time)
{
    met__tape_state state = met__tape_unpack(head, shape);
    uint64_t late;

    return state.count == 0
           || met__tape_passed(&state, shape, time->monotonic_ns, &late)
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

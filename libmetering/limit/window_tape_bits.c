/* Reading the staircase tape: its head, walks over its bits, what weighs and
 * until when. In: a head and a copy of the history. Out: numbers that are
 * within bounds, whatever the words are. */
#include "limit/window_tape.h"

#define CHUNK_SHIFT 9 /* in head: 8 newest bits and the 1 above them */
#define VALID_SHIFT 15
/* A clock that is up to this part of the slots' range behind the newest hit is
 * late; more means that the key was not seen for that long. */
#define BEHIND_SHIFT 8

/* --- Head ----------------------------------------------------------------- */
/* What a head says; numbers that no writer of ours made are made harmless. */
met__tape_state met__tape_unpack(uint64_t head, const met__shape *shape)
{
    uint32_t recent = (uint32_t)(head & 0x1ff) | !(head & 0x1ff);
    met__tape_state state = {
        .length = 31 - (uint32_t)__builtin_clz(recent),
        .chunk = (uint32_t)(head >> CHUNK_SHIFT & 63),
        .valid = (uint32_t)(head >> VALID_SHIFT & 63),
        .count = met__tape_count(head, shape),
        .slot = head >> met__tape_slot_shift(shape)
                & met__tape_slot_mask(shape),
    };
    state.recent = recent ^ 1u << state.length;
    if (state.chunk >= MET__TAPE_CHUNKS) {
        state.chunk = 0;
    }
    if (state.valid > MET__TAPE_CHUNKS) {
        state.valid = MET__TAPE_CHUNKS;
    }
    return state;
}

uint64_t met__tape_pack(const met__tape_state *state, const met__shape *shape)
{
    return (state->recent | 1u << state->length)
           | (uint64_t)state->chunk << CHUNK_SHIFT
           | (uint64_t)state->valid << VALID_SHIFT
           | state->count << MET__TAPE_COUNT_SHIFT
           | (state->slot & met__tape_slot_mask(shape))
                 << met__tape_slot_shift(shape);
}

uint64_t met__tape_passed(const met__tape_state *state,
                          const met__shape *shape, uint64_t now_ns,
                          uint64_t *late_out)
{
    uint64_t mask = met__tape_slot_mask(shape);
    uint64_t passed =
        (met__window_ticks(shape, now_ns) - state->slot) & mask;

    *late_out = 0;
    if (passed > mask - (mask >> BEHIND_SHIFT)) {
        *late_out = mask + 1 - passed;
        passed = 0;
    }
    return passed;
}

/* --- Reading the tape ----------------------------------------------------- */
/* A walk from the newest bit back. */
typedef struct tape_walk {
    uint32_t zeros;
    uint32_t ones;
    uint32_t newer; /* 0s that are newer than the oldest 1 so far */
    uint64_t word; /* the bits at hand, next one highest */
    uint32_t length;
    uint32_t chunk; /* chunks that are left: before this one */
    uint32_t left;
} tape_walk;

static uint32_t ones_in(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(word * 0x0101010101010101u >> 56);
}

static tape_walk walk_begin(const met__tape_state *state)
{
    /* The oldest chunk may be written over while the newest bits are 8. */
    int is_full = state->valid == MET__TAPE_CHUNKS
                  && state->length == MET__TAPE_CHUNK_BITS;

    return (tape_walk){
        .word = state->length == 0
                    ? 0
                    : (uint64_t)state->recent << (64 - state->length),
        .length = state->length,
        .chunk = state->chunk,
        .left = state->valid - (uint32_t)is_full,
    };
}

/* The chunks of the next word; 0: the tape has ended. */
static int walk_fetch(tape_walk *walk, const uint64_t *history)
{
    if (walk->left == 0) {
        return 0;
    }
    uint32_t newest = (walk->chunk == 0 ? MET__TAPE_CHUNKS : walk->chunk) - 1;
    uint32_t here = newest % MET__TAPE_WORD_CHUNKS + 1;
    uint32_t taken = here < walk->left ? here : walk->left;
    walk->word = history[newest / MET__TAPE_WORD_CHUNKS]
                 << (64 - here * MET__TAPE_CHUNK_BITS);
    walk->length = taken * MET__TAPE_CHUNK_BITS;
    walk->chunk = newest + 1 - here;
    walk->left -= taken;
    return 1;
}

/* The next `length` bits at hand, if there is room for all of them. */
static int walk_over(tape_walk *walk, uint32_t length, uint64_t zeros_max,
                     uint64_t ones_max)
{
    if (length == 0) {
        return 1;
    }
    uint64_t bits = walk->word >> (64 - length);
    uint32_t ones = ones_in(bits);
    if (walk->ones + ones > ones_max
        || walk->zeros + length - ones > zeros_max) {
        return 0;
    }
    walk->ones += ones;
    walk->zeros += length - ones;
    if (ones > 0) {
        walk->newer = walk->zeros - (uint32_t)__builtin_ctzll(bits);
    }
    walk->word = length < 64 ? walk->word << length : 0;
    walk->length -= length;
    return 1;
}

/* On over as many bits as hold at most so many 0s and 1s in all. */
static void walk_on(tape_walk *walk, const uint64_t *history,
                    uint64_t zeros_max, uint64_t ones_max)
{
    while (walk_over(walk, walk->length, zeros_max, ones_max)) {
        if (!walk_fetch(walk, history)) {
            return;
        }
    }
    /* It ends among these: fewer than `bound` of them. */
    for (uint32_t bound = walk->length; bound > 1;) {
        uint32_t half = bound / 2;
        if (walk_over(walk, half, zeros_max, ones_max)) {
            bound -= half;
        } else {
            bound = half;
        }
    }
}

uint64_t met__tape_ones(const met__tape_state *state,
                        const uint64_t *history, const met__shape *shape,
                        uint64_t passed, uint64_t room)
{
    tape_walk walk = walk_begin(state);

    walk_on(&walk, history, shape->slots - passed, room);
    return walk.ones;
}

met__tape_parts met__tape_split(const met__tape_state *state,
                                const uint64_t *history,
                                const met__shape *shape, uint64_t passed)
{
    uint64_t most = met__tape_quanta(shape);
    tape_walk walk = walk_begin(state);
    met__tape_parts parts = {.is_known = 1};

    walk_on(&walk, history, shape->slots - passed, most);
    parts.kept = walk.ones;
    walk_on(&walk, history, shape->slots, most);
    uint64_t old = (uint64_t)walk.ones * shape->quantum;
    uint64_t residue = state->count > old ? state->count - old : 0;
    parts.fresh = residue / shape->quantum;
    parts.rest = residue % shape->quantum;
    /* Counted by force, or garbage: older ones do not matter. */
    parts.fresh = parts.fresh < most ? parts.fresh : most;
    if (parts.kept > most - parts.fresh) {
        parts.kept = most - parts.fresh;
    }
    return parts;
}

uint64_t met__tape_weight(const met__tape_state *state,
                          const uint64_t *history, const met__shape *shape,
                          uint64_t passed, met__tape_parts *parts_out)
{
    parts_out->is_known = 0;
    if (passed == 0) {
        return state->count;
    }
    if (passed > shape->slots || state->count == 0) {
        return 0;
    }
    if (state->count < shape->quantum
        || (state->count <= met__tape_quanta(shape) * shape->quantum
            && state->valid * MET__TAPE_CHUNK_BITS + state->length + passed
                   <= shape->slots)) {
        return state->count; /* nothing can have been forgotten */
    }
    *parts_out = met__tape_split(state, history, shape, passed);
    return (parts_out->fresh + parts_out->kept) * shape->quantum
           + parts_out->rest;
}

uint64_t met__tape_until(const met__tape_state *state,
                         const uint64_t *history, const met__shape *shape,
                         uint64_t room)
{
    met__tape_parts parts = met__tape_split(state, history, shape, 0);
    uint64_t stays = parts.fresh * shape->quantum + parts.rest;
    tape_walk walk = walk_begin(state);

    if (room < stays) {
        return shape->slots + UINT64_C(1); /* all of it must go */
    }
    uint64_t ones = (room - stays) / shape->quantum;
    /* The first 1 too many goes with the slots that are newer than it. */
    walk_on(&walk, history, shape->slots,
            ones < parts.kept ? ones : parts.kept);
    return shape->slots + UINT64_C(1) - walk.zeros;
}

uint64_t met__tape_until_less(const met__tape_state *state,
                              const uint64_t *history,
                              const met__shape *shape, uint64_t passed,
                              uint64_t used)
{
    uint64_t most = met__tape_quanta(shape);
    tape_walk walk = walk_begin(state);

    walk_on(&walk, history, shape->slots - passed, most);
    uint64_t kept = (uint64_t)walk.ones * shape->quantum;
    uint64_t newer = walk.newer;
    if (passed > 0) {
        walk_on(&walk, history, shape->slots, most);
    }
    uint64_t old = (uint64_t)walk.ones * shape->quantum;
    if (state->count < old || state->count - old + kept != used) {
        /* Counted by force, or garbage. */
        return met__tape_until(state, history, shape, used - 1);
    }
    return shape->slots + UINT64_C(1) - (kept > 0 ? newer : 0);
}

/* The staircase tape of window_tape.c: its head, and what can be read from its
 * bits. Pure functions of a head and a copy of the history. */
#ifndef MET_LIMIT_WINDOW_TAPE_H
#define MET_LIMIT_WINDOW_TAPE_H

#include "limit/window.h"

#define MET__TAPE_BITS 384
#define MET__TAPE_CHUNKS 48
#define MET__TAPE_CHUNK_BITS 8
#define MET__TAPE_WORD_CHUNKS 8
#define MET__TAPE_COUNT_SHIFT 21

typedef struct met__tape_state {
    uint32_t length; /* of recent */
    uint32_t recent; /* lowest bit: oldest */
    uint32_t chunk;
    uint32_t valid;
    uint64_t count;
    uint64_t slot; /* modulo 2^slot_bits */
} met__tape_state;

/* What weighs some slots later, in its parts. */
typedef struct met__tape_parts {
    uint64_t fresh; /* quanta of the newest slot, not on the tape */
    uint64_t rest;  /* less than a quantum */
    uint64_t kept;  /* 1s that are not forgotten then */
    int is_known;   /* 0: all of count weighs, in which parts was not asked */
} met__tape_parts;

/* 1s that matter: so many quanta alone fill the limit. */
static inline uint64_t met__tape_quanta(const met__shape *shape)
{
    return MET__TAPE_BITS - shape->slots;
}

static inline uint32_t met__tape_slot_shift(const met__shape *shape)
{
    return MET__TAPE_COUNT_SHIFT + shape->count_bits;
}

static inline uint64_t met__tape_slot_mask(const met__shape *shape)
{
    return (UINT64_C(1) << (MET__HEAD_BITS - met__tape_slot_shift(shape)))
           - 1;
}

static inline uint64_t met__tape_count(uint64_t head, const met__shape *shape)
{
    return head >> MET__TAPE_COUNT_SHIFT
           & ((UINT64_C(1) << shape->count_bits) - 1);
}

met__tape_state met__tape_unpack(uint64_t head, const met__shape *shape);
uint64_t met__tape_pack(const met__tape_state *state,
                        const met__shape *shape);

/* Slots passed since the newest hit. A late clock is judged at the newest hit;
 * *late_out: by how many slots. */
uint64_t met__tape_passed(const met__tape_state *state,
                          const met__shape *shape, uint64_t now_ns,
                          uint64_t *late_out);

/* 1s that weigh `passed` slots later; `room`: more would not matter. */
uint64_t met__tape_ones(const met__tape_state *state,
                        const uint64_t *history, const met__shape *shape,
                        uint64_t passed, uint64_t room);

/* The parts of what weighs `passed` slots later, at most `slots`. */
met__tape_parts met__tape_split(const met__tape_state *state,
                                const uint64_t *history,
                                const met__shape *shape, uint64_t passed);

/* What weighs then, if nothing is counted meanwhile. The walk is spared while
 * nothing can have been forgotten. */
uint64_t met__tape_weight(const met__tape_state *state,
                          const uint64_t *history, const met__shape *shape,
                          uint64_t passed, met__tape_parts *parts_out);

/* Slots after the newest hit at which at most `room` weigh. */
uint64_t met__tape_until(const met__tape_state *state,
                         const uint64_t *history, const met__shape *shape,
                         uint64_t room);
/* The same of one less than the `used` that weigh `passed` slots after the
 * newest hit, at most `slots`: in one walk. */
uint64_t met__tape_until_less(const met__tape_state *state,
                              const uint64_t *history,
                              const met__shape *shape, uint64_t passed,
                              uint64_t used);

#endif

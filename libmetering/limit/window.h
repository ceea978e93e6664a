/* One window of one key: a record of 64 bytes that every algorithm shares.
 * head decides: whoever changes it by compare-and-swap has counted. A record
 * that is all zero (but for its name) has counted nothing. */
#ifndef MET_LIMIT_WINDOW_H
#define MET_LIMIT_WINDOW_H

#include "base/atomic.h"
#include "metering/error.h"

#define MET__HISTORY_WORDS 6

typedef struct met__record {
    _Alignas(16) met__atomic_u64 head; /* with name: one compare-and-swap */
    met__atomic_u64 name; /* see MET__NAME_… */
    met__atomic_u64 history[MET__HISTORY_WORDS];
} met__record;

/* The two highest bits of head belong to the table, the rest to the algorithm.
 * Frozen: nothing is counted here any more, what was counted still weighs.
 * Closed (frozen as well): the place belongs to nobody, or not yet. */
#define MET__HEAD_FROZEN (UINT64_C(1) << 63)
#define MET__HEAD_CLOSED (UINT64_C(1) << 62)
#define MET__HEAD_BITS 62

/* A name: 50 bits of the key's hash above 8 bits number of the shape; and above
 * both how often this place was given to a key or emptied by force, modulo 64.
 * That turn is a part of whoever gives back: a head may come again after a
 * reset, head and turn together do not. */
#define MET__NAME_TURN_BITS 6
#define MET__NAME_TURN_SHIFT (64 - MET__NAME_TURN_BITS)
#define MET__NAME_MASK ((UINT64_C(1) << MET__NAME_TURN_SHIFT) - 1)

static inline int met__name_is(uint64_t found, uint64_t name)
{
    return (found ^ name) << MET__NAME_TURN_BITS == 0;
}

/* `name` in the turn after the one that was found. */
static inline uint64_t met__name_turned(uint64_t found, uint64_t name)
{
    return (found & ~MET__NAME_MASK) + (UINT64_C(1) << MET__NAME_TURN_SHIFT)
           + name;
}

typedef struct met__window_ops met__window_ops;

/* A (limit, length, algorithm) with everything that can be worked out once. */
typedef struct met__shape {
    const met__window_ops *ops;
    uint64_t limit;
    uint64_t window_ns;
    uint64_t tick_ns; /* of the stamps, or of a slot */
    uint64_t ticks;   /* length in them, rounded up */
    uint64_t magic;   /* now / tick_ns = (now + 1) * magic >> 64 >> shift */
    uint32_t shift;
    uint32_t algorithm;
    uint32_t count_bits; /* log: of a count; sliding_counter: of a bucket */
    uint32_t quantum;    /* log: bits of a stamp; tape: hits behind one 1 */
    uint32_t slots;      /* log: stamps; tape: of a window */
    uint32_t number;     /* in the table, 1 … 255 */
    uint64_t rate;       /* gcra: hits paid off in rate_ns */
    uint64_t rate_ns;
    uint64_t hit_units;  /* gcra: units of a hit */
    uint64_t steady;     /* tape: bits of head that tell when it is reset, as
                            long as hits are counted and not too many */
} met__shape;

typedef struct met__window_time {
    uint64_t monotonic_ns;
    uint64_t utc_ns; /* 0 unless an algorithm needs it */
} met__window_time;

typedef struct met__window_ask {
    uint64_t name; /* of the record, whatever turn; another one is not
                      touched */
    met__window_time time;
    uint64_t cost;
    uint64_t extra; /* what frozen predecessors still weigh */
    uint32_t is_forced; /* count it in any case */
    uint32_t reserved;
} met__window_ask;

/* What was counted, to be able to take it back. */
#define MET__STAMP_NONE (UINT64_MAX >> 1) /* never given back */

typedef struct met__window_mark {
    uint64_t name; /* the record's, with its turn */
    uint64_t stamp;
    uint64_t used; /* afterwards; when refused: what left no room */
} met__window_mark;

enum {
    MET__TAKE_DONE = 0,
    MET__TAKE_REFUSED = 1,
    MET__TAKE_MOVED = 2, /* frozen, closed or another key's: look it up again */
    MET__TAKE_CONTENDED = 3
};

/* A record's words at one moment, head without the table's bits. */
typedef struct met__snapshot {
    uint64_t head;
    uint64_t history[MET__HISTORY_WORDS];
} met__snapshot;

struct met__window_ops {
    const char *name;
    uint32_t algorithm;
    uint32_t needs_utc;
    uint32_t can_force; /* ask.is_forced is served */
    uint32_t is_held;   /* counts until it is released */
    /* Whether (limit, length) can be served; fills the shape's numbers. */
    met_error (*shape)(met__shape *shape);
    /* Counts cost if used + extra + cost <= limit, by met__window_swap, in the
     * record that ask names and none other.
     * *mark_out is written when it is done, mark_out->used when refused. */
    int (*take)(met__record *record, const met__shape *shape,
                const met__window_ask *ask, met__window_mark *mark_out);
    /* The head without a hit of this cost and stamp, if in a record with this
     * head it is provably the newest; else 0. */
    int (*undo)(const met__record *record, const met__shape *shape,
                uint64_t head, uint64_t stamp, uint64_t cost,
                uint64_t *less_out);
    /* No less than what weighs, by the head alone: tells "there is room"
     * without looking at the history. */
    uint64_t (*most)(uint64_t head, const met__shape *shape,
                     const met__window_time *time);
    /* What weighs at this moment: cost is admitted iff used + cost <= limit. */
    uint64_t (*used)(const met__snapshot *snapshot, const met__shape *shape,
                     const met__window_time *time);
    /* Nanoseconds until used <= room if nothing is counted meanwhile. */
    uint64_t (*wait)(const met__snapshot *snapshot, const met__shape *shape,
                     const met__window_time *time, uint64_t room);
    /* Nanoseconds until what is counted begins to be forgotten; 0: nothing
     * is counted. */
    uint64_t (*reset)(const met__snapshot *snapshot, const met__shape *shape,
                      const met__window_time *time);
    /* The record is as good as an empty one. */
    int (*is_idle)(uint64_t head, const met__shape *shape,
                   const met__window_time *time);
};

extern const met__window_ops met__window_log;
extern const met__window_ops met__window_tape;
extern const met__window_ops met__window_counter;
extern const met__window_ops met__window_epoch;
extern const met__window_ops met__window_calendar;
extern const met__window_ops met__window_gcra;
extern const met__window_ops met__window_flight;

/* Fills shape from limit, window_ns, algorithm. MET_E_UNSUPPORTED: no such
 * algorithm, or not with these numbers. */
met_error met__window_shape(met__shape *shape, uint64_t limit,
                            uint64_t window_ns, uint32_t algorithm);

/* A consistent copy; 0 when others were faster too often. */
int met__window_snapshot(const met__record *record, met__snapshot *copy_out);

/* Gives cost back if it is provably the newest hit, in the very turn of the
 * record in which it was counted; 1 when it did. */
int met__window_undo(met__record *record, const met__shape *shape,
                     const met__window_mark *mark, uint64_t cost);

/* Whether the record is this key's. */
static inline int met__window_is_of(const met__record *record, uint64_t name)
{
    return met__name_is(met__load_acquire(&record->name), name);
}

/* Whether a record is there to count in, and its name. Asked after every load
 * of head: a place is given to another key only by changing head, so a swap of
 * this head happens in the record that was asked for, or not at all. */
static inline int met__window_is_open(const met__record *record, uint64_t head,
                                      const met__window_ask *ask,
                                      uint64_t *name_out)
{
    if (head & MET__HEAD_FROZEN) {
        return 0;
    }
    *name_out = met__load_acquire(&record->name);
    return met__name_is(*name_out, ask->name);
}

/* Head from *head, after whose load the name was this one, to next; what is
 * there instead in *head. Only an empty head comes again when the place is
 * given away: then the name must be the same as well. */
static inline int met__window_swap(met__record *record, uint64_t *head,
                                   uint64_t next, uint64_t name)
{
    uint64_t empty[2] = {0, name};
    uint64_t mine[2] = {next, name};

    if (*head != 0) {
        return met__cas(&record->head, head, next);
    }
    int is_done = met__cas_pair(&record->head, empty, mine);
    if (!is_done) {
        *head = met__load_acquire(&record->head);
    }
    return is_done;
}

/* The same, and the name goes on to its next turn: what was counted before is
 * not given back any more. */
static inline int met__window_turn(met__record *record, uint64_t *head,
                                   uint64_t next, uint64_t *name)
{
    uint64_t found[2] = {*head, *name};
    uint64_t turned[2] = {
        next, met__name_turned(*name, *name & MET__NAME_MASK)};

    if (met__cas_pair(&record->head, found, turned)) {
        *name = turned[1];
        return 1;
    }
    *head = met__load_acquire(&record->head);
    return 0;
}

/* shape->magic and shift for tick_ns; exact below 2^63. */
void met__window_divider(met__shape *shape);

__extension__ typedef unsigned __int128 met__wide;

static inline uint64_t met__window_ticks(const met__shape *shape, uint64_t ns)
{
    met__wide product = (met__wide)ns * shape->magic + shape->magic;

    return (uint64_t)(product >> 64) >> shape->shift;
}

#endif

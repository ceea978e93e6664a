/* The shared memory of a limiter: where everything lies, and the places of
 * records. Whatever is read from it is bounded before use: another process may
 * write anything into it. */
#ifndef MET_LIMIT_LIMIT_TABLE_H
#define MET_LIMIT_LIMIT_TABLE_H

#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/platform.h"
#include "limit/window.h"
#include "metering/limiter.h"

/* --- Layout --------------------------------------------------------------- */
#ifndef MET__GROUP_PLACES
#define MET__GROUP_PLACES 8 /* one tag byte each in the group's control word */
#endif
#ifndef MET__BLOCK_GROUPS
#define MET__BLOCK_GROUPS 4
#endif
#ifndef MET__CHOICES
#define MET__CHOICES 2 /* blocks in which a key may be */
#endif
#define MET__BLOCK_PLACES (MET__GROUP_PLACES * MET__BLOCK_GROUPS)

#define MET__SECRET_WORDS (MET__SECRET_SIZE / 8)
#define MET__SHAPE_ROWS (MET_LIMITER_SHAPES_MAX + 1) /* 0 is not used */

enum {
    MET__COUNT_INSERTED,
    MET__COUNT_RECLAIMED,
    MET__COUNT_FULL_ALLOWED,
    MET__COUNT_FULL_REFUSED,
    MET__COUNT_UNDONE,
    MET__COUNT_WITHHELD,
    MET__COUNT_CONTENDED,
    MET__COUNT_DUPLICATES,
    MET__COUNT_CLAIMS, /* tries to take a place: makes their words differ */
    MET__COUNTERS
};

/* Every word is 0 or what the first user put there, and then never changes
 * until the table is emptied. */
typedef struct met__table_head {
    met__atomic_u64 magic;
    met__atomic_u64 layout;
    met__atomic_u64 boot;
    met__atomic_u64 blocks;
    met__atomic_u64 secret[MET__SECRET_WORDS];
    met__atomic_u64 names; /* see limit_policy_slot.c */
    met__atomic_u64 reserved[3];
    met__atomic_u64 counters[MET__COUNTERS];
    met__atomic_u64 reserved_more[23];
} met__table_head;

/* first is claimed, then second; 0, 0: free. */
typedef struct met__shape_row {
    met__atomic_u64 first; /* limit, algorithm */
    met__atomic_u64 window_ns;
} met__shape_row;

#define MET__POLICY_ROWS 4
#define MET__PREDECESSORS 6
typedef struct met__policy_row {
    met__atomic_u64 windows[3]; /* two each */
    met__atomic_u64 flags; /* flags, predecessors, generation of the slot */
    met__atomic_u64 predecessors[MET__PREDECESSORS];
    met__atomic_u64 until_ms[MET__PREDECESSORS];
    met__atomic_u64 name[2]; /* keyed hash; a row without windows has none */
} met__policy_row;

typedef struct met__policy_slot {
    met__atomic_u64 version; /* row in force: version % MET__POLICY_ROWS */
    met__atomic_u64 reserved[3];
    met__atomic_u64 claims[MET__POLICY_ROWS]; /* version being written */
    met__policy_row rows[MET__POLICY_ROWS];
} met__policy_slot;

/* --- One process's view --------------------------------------------------- */
typedef struct met__limit_table {
    const met__platform *platform;
    met__table_head *head;
    met__shape_row *shapes;
    met__policy_slot *policies;
    met__atomic_u64 *controls;
    met__record *records;
    uint64_t blocks;    /* private copies: the shared ones are not trusted */
    met__secret secret;
    met__mapped_file file;
    /* Shapes worked out: 0 not yet, 1 somebody is writing, or ready. */
    met__atomic_u64 shape_states[MET__SHAPE_ROWS];
    met__shape shape_cache[MET__SHAPE_ROWS];
} met__limit_table;

/* Opens config's file or memory. table is zeroed, platform set. */
met_error met__limit_table_open(met__limit_table *table,
                                const met_limiter_config *config,
                                met_error_info *info);
void met__limit_table_close(met__limit_table *table);
/* As met__limiter_look. */
met_error met__limit_table_look(const met__platform *platform,
                                const char *path,
                                met_limiter_stats *stats_out);

/* Of what has failed, or met damage: MET_E_CORRUPT when the file was cut short,
 * whatever was found missing in it. */
met_error met__limit_table_answer(const met__limit_table *table,
                                  met_error error);
/* Whether what was read and written now may have been nowhere. */
static inline int met__limit_table_is_lost(const met__limit_table *table)
{
    return met__mapped_file_is_lost(&table->file);
}
void met__limit_table_stats(met__limit_table *table,
                            const met__window_time *time,
                            met_limiter_stats *stats_out);

static inline void met__limit_count(met__limit_table *table, int counter)
{
    met__fetch_add_relaxed(&table->head->counters[counter], 1);
}

/* --- Shapes --------------------------------------------------------------- */
/* Number of a shape, entered when it is new. MET_E_LIMIT · MET_E_UNSUPPORTED */
met_error met__shape_enter(met__limit_table *table, uint64_t limit,
                           uint64_t window_ns, uint32_t algorithm,
                           uint32_t *number_out);
#define MET__SHAPE_READY 2

/* The way of met__shape_get for one that is not in the cache. */
const met__shape *met__shape_work_out(met__limit_table *table,
                                      uint32_t number, met__shape *spare);

/* Shape `number` (any), in the cache or in *spare; NULL: no such shape. */
static inline const met__shape *met__shape_get(met__limit_table *table,
                                               uint32_t number,
                                               met__shape *spare)
{
    if (number < MET__SHAPE_ROWS
        && met__load_acquire(&table->shape_states[number])
               == MET__SHAPE_READY) {
        return &table->shape_cache[number];
    }
    return met__shape_work_out(table, number, spare);
}

/* --- Places --------------------------------------------------------------- */
/* A key: its blocks, and what its records' names are made of. */
typedef struct met__place_key {
    uint64_t block[MET__CHOICES]; /* first record of each */
    uint64_t bits;
} met__place_key;

/* A record's name: which key, which window of which policy. */
typedef struct met__place_name {
    uint64_t name; /* never 0 */
    uint32_t tag;  /* 1 … 255 */
    uint32_t reserved;
} met__place_name;

/* The record by looking at every place; NULL: absent. is_barred: from now on
 * nobody can insert it who did not see what the caller saw before. */
met__record *met__place_search(met__limit_table *table,
                               const met__place_key *key,
                               const met__place_name *name, int is_barred);

enum {
    MET__PLACE_FOUND = 0,
    MET__PLACE_FULL = 1,
    MET__PLACE_STALE = 2, /* *version is not `expected` any more */
    MET__PLACE_CONTENDED = 3
};

/* Finds or makes the record, as long as *version is `expected`. */
int met__place_insert(met__limit_table *table, const met__place_key *key,
                      const met__place_name *name,
                      const met__window_time *time,
                      const met__atomic_u64 *version, uint64_t expected,
                      met__record **record_out);

#endif

/* DIR/dedupe.map: every id that is remembered, as an exact set of 128-bit
 * hashes in memory that processes share. It is an index only: EVENT_BATCH
 * records are the truth, and it is built anew from them whenever it cannot be
 * trusted.
 *
 * Used inside a write transaction of the store only, which is its lock. A
 * batch enters it in the first transaction after its commit. */
#ifndef MET_METER_DEDUPE_MAP_H
#define MET_METER_DEDUPE_MAP_H

#include "base/atomic.h"
#include "base/mapped_file.h"
#include "store/store.h"

/* 24 bytes. mark: 0 is empty; day << 46 | number of the batch. An entry of a
 * day before the horizon's is free. */
typedef struct met__dedupe_entry {
    uint64_t low;
    uint64_t high;
    uint64_t mark;
} met__dedupe_entry;

typedef struct met__dedupe {
    met_store *store;
    met__mapped_file file; /* memory NULL: none is open */
    uint64_t inode;
    uint64_t boot_hash;
    uint64_t mask; /* places - 1; a private copy */
    met__dedupe_entry *entries;
    uint64_t rebuilds; /* by this handle; tests look at it */
} met__dedupe;

met_error met__dedupe_init(met__dedupe *dedupe, met_store *store);
void met__dedupe_close(met__dedupe *dedupe);
/* Before any look-up of a transaction: all batches up to last_batch are in.
 * MET_E_DISK_FULL · MET_E_NO_MEMORY · MET_E_IO · MET_E_CORRUPT (records) */
met_error met__dedupe_catch_up(met__dedupe *dedupe, met__txn *txn,
                               uint64_t last_batch, uint32_t horizon_day);
/* Throws the index away and builds it: an answer was wrong. */
met_error met__dedupe_rebuild(met__dedupe *dedupe, met__txn *txn,
                              uint64_t last_batch, uint32_t horizon_day);
/* 1: the id is remembered, by that batch. */
int met__dedupe_find(const met__dedupe *dedupe, met__hash128 hash,
                     uint32_t horizon_day, uint64_t *batch_out);

static inline void met__dedupe_prefetch(const met__dedupe *dedupe,
                                        met__hash128 hash)
{
    met__prefetch(&dedupe->entries[hash.low & dedupe->mask]);
}

#endif

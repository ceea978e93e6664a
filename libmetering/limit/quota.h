/* Quota cells: what a customer may still use of a feature in a period, decided
 * by one compare-and-swap in memory that all workers map. 128 bytes per
 * customer and feature.
 *
 * Requests cost whole units of the meter, so of a limit with any number of
 * decimal places only this matters: how many whole units fit below it, and
 * whether a part of one is left beside them. Amounts are therefore int64 in
 * halves, MET__QUOTA_UNIT of them to a unit: a limit that is no whole number is
 * the half above the whole one (met__quota_units), and every decision is that
 * of exact decimals. Bounds, because a word also carries its period's tag:
 *   |limit|, taken, a cost         at most MET__QUOTA_AMOUNT_MAX
 *   in flight per slice of time    MET__QUOTA_BUCKET_MAX; what is beyond is
 *                                  reserved all the same, but a kill then
 *                                  withholds it until the period ends
 *
 * A request: met__quota_admit, serve it, met__quota_complete_begin, record
 * the usage, met__quota_complete_end; or met__quota_release when it was never
 * served. Killed anywhere: the last unit is never given twice; at most
 * max(cost, true cost) of that one request stays withheld, until two slices
 * later when it died between admit and complete_begin, else until the period
 * ends. A request that lives longer than two slices (a frozen worker) may
 * overshoot by its own cost. */
#ifndef MET_LIMIT_QUOTA_H
#define MET_LIMIT_QUOTA_H

#include "base/hash.h"
#include "base/platform.h"

#define MET__QUOTA_LAYOUT 2u /* in the name of the file, too */
#define MET__QUOTA_UNIT INT64_C(2)
#define MET__QUOTA_AMOUNT_MAX ((INT64_C(1) << 59) - 1) /* 2.8e17 units */
#define MET__QUOTA_BUCKET_MAX ((INT64_C(1) << 48) - 1) /* 1.4e14 units */
#define MET__QUOTA_SLICE_NS INT64_C(600000000000)      /* 10 minutes */
#define MET__QUOTA_NUMBER_MAX ((UINT64_C(1) << 60) - 1)
#define MET__QUOTA_CAPACITY_MAX (UINT64_C(1) << 30)

typedef struct met__quota_table met__quota_table;

#define MET__QUOTA_SOFT 1u        /* never refused; state.is_over tells */
#define MET__QUOTA_PROVISIONAL 2u /* made on the request path from a snapshot:
                                     a period that is there stays as it is;
                                     the next settlement sets it right */

/* A period of one cell. Numbers only rise; a period and the one after it must
 * differ in their lowest bit (they live side by side), so number them
 * consecutively; a new subscription may jump ahead. */
typedef struct met__quota_period {
    uint64_t number;  /* 1 … MET__QUOTA_NUMBER_MAX */
    int64_t limit;    /* what is granted, less settled usage that did not come
                         through admit */
    int64_t taken;    /* settled usage that did: only used when the period is
                         made, for example after a reboot; else 0 */
    uint32_t flags;   /* MET__QUOTA_SOFT, MET__QUOTA_PROVISIONAL */
    uint32_t reserved;
    int64_t next_at_ns; /* UTC, on a minute: from then on it is next_limit that
                           holds, whoever is up; 0: never */
    int64_t next_limit; /* >= 0; kept with 30 bits and a power of 1000, so
                           rounded down when it is more than 2^29 units */
} met__quota_period;

/* What a cell says about a period. */
typedef struct met__quota_state {
    int64_t limit;
    int64_t taken;    /* used through admit, and reserved */
    int64_t reserved_in_flight; /* not told to who is admitted, as next_* */
    int64_t left;     /* limit - taken, not below 0 */
    uint32_t flags;
    uint32_t is_allowed; /* of admit: 0 = the allowance is used up */
    uint32_t is_over;    /* taken > limit (soft limits) */
    uint32_t is_sealed;
    int64_t next_at_ns; /* as in met__quota_period; of admit: limit is that of
                           its instant */
    int64_t next_limit;
} met__quota_state;

/* What admit reserved. Plain data: may be copied and kept by the request. */
typedef struct met__quota_ticket {
    uint64_t place;  /* cell and side; 0 = nothing is reserved */
    uint64_t number; /* period */
    int64_t cost; /* what taken holds for the request */
    int64_t owed; /* to give back after the usage was recorded */
    uint64_t slice;
    uint32_t tag;
    uint32_t in_bucket;
} met__quota_ticket;

/* Opens path, creating it with room for `capacity` cells, at most
 * MET__QUOTA_CAPACITY_MAX (an existing one keeps its own size). Written before
 * this boot, or cut short: it is replaced by an empty one, like a missing one.
 * *is_empty_out
 * is 1 until somebody has called met__quota_set_filled: settle, prepare every
 * cell from the store, then call it.
 * MET_E_INVALID (capacity) · MET_E_FOREIGN (another store) · MET_E_LAYOUT ·
 * MET_E_CORRUPT · MET_E_DISK_FULL · MET_E_NO_MEMORY · MET_E_IO ·
 * MET_E_NOT_FOUND · MET_E_BUSY. @fork any: the memory is shared. */
met_error met__quota_open(const met__platform *platform, const char *path,
                          const uint8_t store_id[16], uint64_t capacity,
                          met__quota_table **table_out,
                          uint32_t *is_empty_out, met_error_info *info);
void met__quota_close(met__quota_table *table); /* may be NULL */
/* Sends for the cell of a key that will be asked for. */
void met__quota_fetch(const met__quota_table *table, met__hash128 key);
/* Which file it is: a ticket is for the table of this number. */
uint64_t met__quota_id(const met__quota_table *table);
/* MET_E_CORRUPT: its file was cut short. What is called then answers so too,
 * once it has met the damage: open it anew. */
met_error met__quota_check(const met__quota_table *table);
/* Every cell is prepared: the next to open need not do it again. */
void met__quota_set_filled(met__quota_table *table);

/* Makes the cell (if need be) and its period (if need be); a period that is
 * there gets its limit and flags overwritten, its taken stays. Safe from
 * any number of threads and processes at once; later periods push out the one
 * two before. key: a keyed 128-bit hash of customer and feature.
 * MET_E_INVALID · MET_E_LIMIT (amounts) · MET_E_TABLE_FULL · MET_E_CONFLICT
 * (a later period has taken the place) · MET_E_CORRUPT (words that nobody of
 * us wrote: only a reboot or removing the file mends the cell) · MET_E_BUSY
 * (never seen: lost too many races). */
met_error met__quota_prepare(met__quota_table *table, met__hash128 key,
                             const met__quota_period *period);

/* Reserves cost in the period. now_ns: monotonic; utc_ns: the limit may
 * change at an instant (0: not yet). MET_OK with
 * state_out->is_allowed 0 or 1; the ticket is filled in any case (empty when
 * refused). A soft limit never refuses. Cost 0 asks whether anything is left:
 * it is refused when nothing is.
 * MET_E_NOT_FOUND (no such cell, or its period is not prepared: prepare, then
 * try again) · MET_E_INVALID (cost < 0) · MET_E_LIMIT (amounts) ·
 * MET_E_BUSY. */
met_error met__quota_admit(met__quota_table *table, met__hash128 key,
                           uint64_t number, int64_t cost, int64_t now_ns,
                           int64_t utc_ns, met__quota_ticket *ticket_out,
                           met__quota_state *state_out);

/* The same of a key that comes again. *place: where its cell was, 0 when that
 * is not known, and where it is. */
met_error met__quota_admit_again(met__quota_table *table, met__hash128 key,
                                 uint64_t *place, uint64_t number,
                                 int64_t cost, int64_t now_ns,
                                 int64_t utc_ns,
                                 met__quota_ticket *ticket_out,
                                 met__quota_state *state_out);

/* Before the usage is recorded: takes the cost out of its bucket and raises
 * taken if the true cost is more than is still held. For a period that has
 * gone both halves do nothing. MET_E_INVALID (negative, or begun before) ·
 * MET_E_LIMIT (the true cost is beyond the bounds; nothing changed: record the
 * usage, then release) · MET_E_BUSY (as in prepare; nothing changed). */
met_error met__quota_complete_begin(met__quota_table *table,
                                    met__quota_ticket *ticket,
                                    int64_t true_cost);
/* After the usage is recorded: gives back what was reserved too much. The
 * ticket is empty afterwards. MET_E_INVALID (not begun). */
met_error met__quota_complete_end(met__quota_table *table,
                                  met__quota_ticket *ticket);
/* Gives back exactly what taken holds for the request, also between the two
 * halves of complete, when the usage could not be recorded. The ticket is empty
 * afterwards. MET_E_INVALID: not a ticket of this table. */
met_error met__quota_release(met__quota_table *table,
                             met__quota_ticket *ticket);

/* Nobody is admitted to the period any more, unless its limit is soft: what is
 * left of it may be given elsewhere. *taken_out is all that was: requests in
 * flight can only give back, or end up dearer than they said. Sealed already:
 * what taken is now. now_ns: monotonic. MET_E_NOT_FOUND. */
met_error met__quota_seal(met__quota_table *table, met__hash128 key,
                          uint64_t number, int64_t now_ns,
                          int64_t *taken_out);

/* The state now, without changing anything. MET_E_NOT_FOUND. */
met_error met__quota_read(met__quota_table *table, met__hash128 key,
                          uint64_t number, met__quota_state *state_out);

#endif

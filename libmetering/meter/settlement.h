/* Settlement: moving what recorders counted into the store, exactly once. */
#ifndef MET_METER_SETTLEMENT_H
#define MET_METER_SETTLEMENT_H

#include "meter/usage_query.h"

/* What one part changed for one meter: the step functions see every change of
 * a transaction, inside it. Dimensions and the subject are of the meter. */
typedef struct met__usage_change {
    const met__meter *meter;
    met__text subject;
    met__text values[MET__DIMENSIONS_MAX]; /* beside meter->dimensions */
    int64_t minute_ns;
    uint32_t is_admitted; /* came through admit */
    uint32_t reserved;
    met_decimal delta; /* new minus stored: count, or sum; other aggregations
                          0: look at the store */
} met__usage_change;

/* A later room's part of every settlement transaction (api hands the list in).
 * Called in order; any may be NULL. committed may touch shared memory. */
typedef struct met__settle_step {
    void *context;
    met_error (*begin)(void *context, met__txn *txn);
    met_error (*change)(void *context, met__txn *txn,
                        const met__usage_change *change);
    met_error (*end)(void *context, met__txn *txn);
    void (*committed)(void *context); /* after a successful commit */
    void (*aborted)(void *context);
} met__settle_step;

typedef struct met__settle_report {
    uint64_t transactions;
    uint64_t cells;  /* looked at */
    uint64_t parts;  /* written */
    uint64_t events; /* new ones */
    uint64_t slots;
    uint64_t slots_live;
    uint64_t slots_retired;
    uint64_t slots_damaged; /* files that could not be opened, passed over */
    uint64_t cells_unreadable; /* left for the next pass */
    int64_t oldest_unsettled_ns; /* of what is left; 0 = nothing is left */
    int64_t duration_ns;
} met__settle_report;

/* One pass over all slots of the store, in transactions of at most 10,000
 * cells; stops early after max_cells that brought something new (0 = no
 * bound), so that the next pass goes on behind them. */
met_error met__settle(met_store *store, const met__settle_step *steps,
                      size_t step_count, uint64_t max_cells,
                      met__settle_report *report_out, met_error_info *info);

#endif

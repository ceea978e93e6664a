/* Settlement: moving what recorders counted into the store, exactly once. */
#ifndef MET_METER_SETTLEMENT_H
#define MET_METER_SETTLEMENT_H

#include "meter/tally_report.h"
#include "meter/usage_step.h"

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
    size_t held_up_count;
    met__hold_up held_up[MET__HOLD_UPS_MAX]; /* the first ones */
} met__settle_report;

/* One pass over all slots of the store, in transactions of at most 10,000
 * cells; stops early after max_cells that brought something new (0 = no
 * bound), so that the next pass goes on behind them. */
met_error met__settle(met_store *store, const met__settle_step *steps,
                      size_t step_count, uint64_t max_cells,
                      met__settle_report *report_out, met_error_info *info);

#endif

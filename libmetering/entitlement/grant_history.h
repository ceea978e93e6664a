/* The history of balances: rows of a chart, and the states worth storing.
 * Pure. */
#ifndef MET_ENTITLEMENT_GRANT_HISTORY_H
#define MET_ENTITLEMENT_GRANT_HISTORY_H

#include "entitlement/grant_burn.h"

/* The state at the start of the last segment that begins at limit_ns or
 * earlier: what is worth storing, because nothing changes it any more. NULL:
 * there is none, or it is the run's own start. */
const met__burn_state *met__burn_state_before(const met__burn_result *result,
                                              int64_t limit_ns);

/* --- Windows of the time, for charts -------------------------------------- */
typedef struct met__burn_window {
    met__period period;
    met_decimal usage; /* of both usage periods when a reset lies inside */
    met_decimal balance_at_start; /* with what begins then, debt paid */
    met_decimal overage_at_start;
} met__burn_window;

/* One row for each pair of neighbours of `bounds` (two or more, ascending; the
 * first is start's instant). A grant or reset inside a window shows in the
 * next one. terms: as for a run to the last bound. */
met_error met__burn_windows(const met__burn_terms *terms,
                            const met__burn_state *start,
                            const int64_t *bounds, size_t bound_count,
                            met__arena *arena, met__burn_window **windows_out,
                            met_error_info *info);

#endif

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

/* --- Segments as a history ------------------------------------------------ */
/* By time; of one instant the moment of a reset comes first. */
void met__burn_order(met__burn_segment *segments, size_t count);
/* Segments in order go on from the state, one from the other, each with what
 * the one before left owed. MET_E_INVALID with the reason. */
met_error met__burn_history_check(const met__burn_state *start,
                                  const met__burn_segment *segments,
                                  size_t count, met_error_info *info);

/* The segments of one usage period. */
typedef struct met__burn_chunk {
    size_t first;
    size_t count;
    int64_t since_ns; /* the usage period's begin */
    met_decimal usage_at_start; /* of the period, before the first segment */
    met_decimal grant_usage_at_start;
    met_decimal usage; /* of the segments, and what grants paid in them */
    met_decimal burned;
} met__burn_chunk;
/* Segments in order, parted where one ended with a reset. */
met_error met__burn_chunks(const met__burn_state *start,
                           const met__burn_segment *segments, size_t count,
                           met__arena *arena, met__burn_chunk **chunks_out,
                           size_t *chunk_count_out);

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

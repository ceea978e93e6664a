/* Policies in the shared table: which windows a number stands for. */
#ifndef MET_LIMIT_POLICY_H
#define MET_LIMIT_POLICY_H

#include "limit/limit_table.h"

typedef struct met__policy_window {
    uint32_t shape;
    uint32_t born;   /* with the shape: whose records these are */
    uint32_t follows; /* of a predecessor: the window that took its place */
    uint32_t row;     /* of a predecessor: its index in the row */
} met__policy_window;

/* What a policy says at one moment. */
typedef struct met__policy_view {
    met__policy_slot *slot;
    uint64_t version;
    uint32_t flags;
    uint32_t count;
    uint32_t predecessor_count;
    uint32_t reserved;
    met__policy_window windows[MET_LIMITER_WINDOWS_MAX];
    met__policy_window predecessors[MET__PREDECESSORS];
} met__policy_view;

/* MET_E_NOT_FOUND · MET_E_BUSY (a row that never holds still). */
met_error met__policy_read(met__limit_table *table, uint32_t number,
                           met__policy_view *view_out);
/* Whether a predecessor still weighs; the first one who asks starts its time,
 * twice its window's length. */
int met__policy_weighs(const met__policy_view *view,
                       const met__policy_window *predecessor,
                       uint64_t window_ns, uint64_t now_ns);
/* windows: checked, shortest first. */
met_error met__policy_set(met__limit_table *table,
                          const met_limiter_policy *policy,
                          const met_limiter_window *windows,
                          uint32_t *number_out, met_error_info *info);

#endif

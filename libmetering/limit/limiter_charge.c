/* Counting what has happened already. In: a request that was served, with what
 * it has cost. Out: every window counts it, whether it has room or not. */
#include "limit/limiter_plan.h"

/* Counts in every window; MET__PLAN_AGAIN when nothing stayed counted. */
static int take_all(met__plan *p)
{
    for (uint32_t i = 0; i < p->view.count; i++) {
        met__plan_window *window = &p->windows[i];
        window->is_refusing = !met__plan_has_room(p, window);
        int result = met__plan_take(p, window, 1);
        if (result != MET__TAKE_DONE && !window->is_uncounted) {
            met__plan_give_back(p);
            return MET__PLAN_AGAIN;
        }
    }
    return MET__PLAN_DECIDED;
}

static int charge(met__plan *p, met_limiter_result *result_out)
{
    int is_open = p->limiter->full_policy != MET_LIMITER_FULL_CLOSED;
    uint32_t reason = MET_LIMITER_REASON_NONE;
    int is_uncounted = 0;

    for (uint32_t i = 0; i < p->view.count; i++) {
        if (!p->windows[i].shape->ops->can_force) {
            return MET__PLAN_UNSUPPORTED;
        }
    }
    if (take_all(p) != MET__PLAN_DECIDED) {
        return MET__PLAN_AGAIN;
    }
    for (uint32_t i = 0; i < p->view.count; i++) {
        const met__plan_window *window = &p->windows[i];
        is_uncounted |= window->is_uncounted != 0;
        if (p->cost > window->limit) {
            reason = MET_LIMITER_REASON_NEVER;
        } else if (window->is_refusing && reason == MET_LIMITER_REASON_NONE) {
            reason = MET_LIMITER_REASON_LIMIT;
        }
    }
    int is_allowed = reason == MET_LIMITER_REASON_NONE;
    if (is_uncounted) {
        met__limit_count(&p->limiter->table,
                         is_open ? MET__COUNT_FULL_ALLOWED
                                 : MET__COUNT_FULL_REFUSED);
        is_allowed = is_allowed && is_open;
        reason = MET_LIMITER_REASON_TABLE_FULL;
    }
    met__plan_answer(p, is_allowed, reason, result_out);
    return MET__PLAN_DECIDED;
}

met_error met__limiter_charge(met_limiter *limiter,
                              const met_limiter_request *request,
                              met_limiter_result *result_out)
{
    met__plan p;

    met__plan_start(&p, limiter, request);
    return met__limit_table_answer(&limiter->table,
                                   met__plan_run(&p, charge, result_out));
}

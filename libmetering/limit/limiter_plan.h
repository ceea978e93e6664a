/* A decision in the making: shared by planning, deciding and answering. */
#ifndef MET_LIMIT_LIMITER_PLAN_H
#define MET_LIMIT_LIMITER_PLAN_H

#include "limit/limit_policy.h"
#include "limit/limiter.h"

#define MET__PLAN_TRIES 32
#define MET__PLAN_WINDOWS MET_LIMITER_WINDOWS_MAX

struct met_limiter {
    met__platform platform;
    met__limit_table table;
    uint32_t full_policy;
    uint32_t reserved;
};

typedef struct met__plan_window {
    const met__shape *shape;
    met__record *record; /* NULL: nothing is counted yet */
    met__place_name name;
    uint64_t extra; /* what its predecessors weigh */
    met__window_mark mark;
    uint32_t is_taken;
    uint32_t is_refusing;
    uint32_t is_uncounted; /* the table was full */
    uint32_t reserved;
} met__plan_window;

typedef struct met__plan_predecessor {
    const met__shape *shape;
    uint32_t follows;
    uint32_t reserved;
    met__snapshot snapshot;
} met__plan_predecessor;

/* A decision in the making. */
typedef struct met__plan {
    met_limiter *limiter;
    const met_limiter_request *request;
    uint64_t cost;
    met__window_time time;
    met__place_key key;
    met__policy_view view;
    met__plan_window windows[MET__PLAN_WINDOWS];
    met__plan_predecessor predecessors[MET__PREDECESSORS];
    uint32_t predecessor_count;
    uint32_t reserved;
    met__shape spare[MET__PLAN_WINDOWS + MET__PREDECESSORS];
} met__plan;

enum { MET__PLAN_DECIDED, MET__PLAN_AGAIN, MET__PLAN_UNSUPPORTED };

/* One attempt to do what was asked with a plan that was made. */
typedef int met__plan_step(met__plan *p, met_limiter_result *result_out);

void met__plan_start(met__plan *p, met_limiter *limiter,
                     const met_limiter_request *request);
/* Plans and steps until it is decided. MET_E_BUSY: a crowd without end, nothing
 * is counted. Else as met__plan_make, or MET_E_UNSUPPORTED. */
met_error met__plan_run(met__plan *p, met__plan_step *step,
                        met_limiter_result *result_out);

/* What a cost weighs in a window: more than all of it is no more than all. */
static inline uint64_t met__plan_cost_in(uint64_t cost,
                                         const met__shape *shape)
{
    return cost < shape->limit ? cost : shape->limit;
}

/* Whether a window has room, without writing. */
int met__plan_has_room(const met__plan *p, const met__plan_window *window);
/* Counts in one window, is_forced: in any case. DONE, REFUSED, MOVED (plan
 * anew), CONTENDED, or FULL as a window that is_uncounted. */
int met__plan_take(met__plan *p, met__plan_window *window, int is_forced);
/* Gives back what was taken, as far as it is the newest. */
void met__plan_give_back(met__plan *p);

/* The policy's windows as they are now, with the key's records. limiter,
 * request, cost, time and key are set. MET_E_NOT_FOUND · MET_E_BUSY ·
 * MET_E_CORRUPT. */
met_error met__plan_make(met__plan *p, int *again_out);
/* The result out of the plan. */
void met__plan_answer(const met__plan *p, int is_allowed, uint32_t reason,
                      met_limiter_result *out);
/* What was taken, to give it back later; empty when nothing was. */
void met__plan_ticket(const met__plan *p, met_limiter_ticket *ticket_out);

#endif

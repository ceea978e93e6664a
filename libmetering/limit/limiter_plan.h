/* A decision in the making: shared by planning, deciding and answering. */
#ifndef MET_LIMIT_LIMITER_PLAN_H
#define MET_LIMIT_LIMITER_PLAN_H

#include "base/cheap_clock.h"
#include "limit/limit_find.h"
#include "limit/limit_policy.h"
#include "limit/limiter.h"

#ifndef MET__PLAN_TRIES
#define MET__PLAN_TRIES 32
#endif
#define MET__PLAN_WINDOWS MET_LIMITER_WINDOWS_MAX

/* Decisions of some threads: a word that all wrote would be the hottest of the
 * table. A stripe fills two cache lines, wherever the handle lies. */
#define MET__DECISION_STRIPES 16
typedef struct met__decision_stripe {
    met__atomic_u64 made;
    met__atomic_u64 refused;
    uint64_t apart[14];
} met__decision_stripe;

struct met_limiter {
    met__platform platform;
    met__cheap_clock clock;
    met__limit_table table;
    uint32_t full_policy;
    uint32_t reserved;
    met__decision_stripe decisions[MET__DECISION_STRIPES];
};

typedef struct met__plan_window {
    const met__shape *shape;
    met__record *record; /* NULL: nothing is counted yet */
    met__place_name name;
    uint64_t limit; /* of this request: the shape's, or a lower one */
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
    uint32_t is_never; /* the cost is above a limit */
    met__shape spare[MET__PLAN_WINDOWS + MET__PREDECESSORS];
} met__plan;

enum { MET__PLAN_DECIDED, MET__PLAN_AGAIN, MET__PLAN_UNSUPPORTED };

/* One attempt to do what was asked with a plan that was made. */
typedef int met__plan_step(met__plan *p, met_limiter_result *result_out);

static inline uint64_t met__plan_cost(const met_limiter_request *request)
{
    return request->cost ? request->cost : 1;
}

static inline met__window_time
met__plan_time(const met_limiter *limiter, const met_limiter_request *request)
{
    return (met__window_time){
        request->monotonic_ns
            ? (uint64_t)request->monotonic_ns
            : (uint64_t)met__now_monotonic_ns(&limiter->platform),
        (uint64_t)request->utc_ns};
}

static inline met__place_key
met__plan_key(const met_limiter *limiter, const met_limiter_request *request)
{
    return met__place_key_of(&limiter->table, request->policy, request->kind,
                             request->key, request->key_size);
}

static inline void met__plan_start(met__plan *p, met_limiter *limiter,
                                   const met_limiter_request *request)
{
    p->limiter = limiter;
    p->request = request;
    p->cost = met__plan_cost(request);
    p->time = met__plan_time(limiter, request);
    p->key = met__plan_key(limiter, request);
}

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
int met__plan_has_room(const met__plan *p, met__plan_window *window);
/* Counts in one window, is_forced: in any case. DONE, REFUSED, MOVED (plan
 * anew), CONTENDED, or FULL as a window that is_uncounted. */
int met__plan_take(met__plan *p, met__plan_window *window, int is_forced);
/* Gives back what was taken, as far as it is the newest. */
void met__plan_give_back(met__plan *p);

/* Holds windows to the request's own limits. 0: the policy has no such one. */
int met__plan_own_limits(met__plan *p);

/* Adds what replaced windows weigh. MET__PLAN_AGAIN: somebody is changing
 * them. */
int met__plan_predecessors(met__plan *p);

/* One window with the key's record. 0: no such shape. */
static inline int met__plan_window_make(met__plan *p, uint32_t index)
{
    met__limit_table *table = &p->limiter->table;
    const met__policy_window *window = &p->view.windows[index];
    met__plan_window *out = &p->windows[index];
    const met__shape *shape = met__shape_get(table, window->shape,
                                             &p->spare[index]);

    if (shape == NULL) {
        return 0;
    }
    out->shape = shape;
    out->name = met__place_name_of(&p->key, p->request->policy,
                                   window->shape, window->born);
    out->record = met__place_find(table, &p->key, &out->name);
    out->limit = shape->limit;
    out->extra = 0;
    out->is_taken = 0;
    out->is_refusing = 0;
    out->is_uncounted = 0;
    p->is_never |= p->cost > shape->limit;
    if (shape->ops->needs_utc && p->time.utc_ns == 0) {
        p->time.utc_ns = (uint64_t)met__now_utc_ns(&p->limiter->platform);
    }
    return 1;
}

/* The policy's windows as they are now, with the key's records. limiter,
 * request, cost, time and key are set. MET_E_NOT_FOUND · MET_E_BUSY ·
 * MET_E_CORRUPT. */
static inline met_error met__plan_make(met__plan *p, int *again_out)
{
    met_error error = met__policy_read(&p->limiter->table,
                                       p->request->policy, &p->view);

    if (error != MET_OK) {
        return error;
    }
    p->predecessor_count = 0;
    p->is_never = 0;
    for (uint32_t i = 0; i < p->view.count; i++) {
        if (!met__plan_window_make(p, i)) {
            return MET_E_CORRUPT;
        }
    }
    if (p->request->own_window_count != 0 && !met__plan_own_limits(p)) {
        return MET_E_NOT_FOUND;
    }
    *again_out = p->view.predecessor_count > 0 ? met__plan_predecessors(p)
                                               : MET__PLAN_DECIDED;
    return MET_OK;
}

/* Counts decisions. Threads are told apart by where their stacks are. */
static inline void met__plan_decided(met_limiter *limiter, const void *stack,
                                     uint64_t made, uint64_t refused)
{
    uintptr_t at = (uintptr_t)stack;
    met__decision_stripe *stripe =
        &limiter->decisions[(at >> 16 ^ at >> 23) % MET__DECISION_STRIPES];

    met__fetch_add_relaxed(&stripe->made, made);
    if (refused != 0) {
        met__fetch_add_relaxed(&stripe->refused, refused);
    }
}

/* The result out of the plan. */
void met__plan_answer(const met__plan *p, int is_allowed, uint32_t reason,
                      met_limiter_result *out);

#endif

/* What a plan's windows are held to. In: a plan with its windows. Out: limits
 * that the request brings, and the weight of replaced windows, whose records
 * are frozen. */
#include "limit/limiter_plan.h"

/* 0: the record is not this name's any more, or others were faster too
 * often. */
static int freeze(met__record *record, uint64_t name)
{
    uint64_t head = met__load_acquire(&record->head);

    for (int i = 0; i < MET__PLAN_TRIES; i++) {
        uint64_t found = met__load_acquire(&record->name);
        if (!met__name_is(found, name)) {
            return 0;
        }
        if ((head & MET__HEAD_FROZEN)
            || met__window_swap(record, &head, head | MET__HEAD_FROZEN,
                                found)) {
            return 1;
        }
    }
    return 0;
}

/* Freezes a predecessor's record and takes down what it counted. 0: could not,
 * try again. */
static int weigh_predecessor(met__plan *p, const met__policy_window *window,
                             const met__shape *shape)
{
    met__place_name name = met__place_name_of(&p->key, p->request->policy,
                                              window->shape, window->born);
    met__record *record = met__place_search(&p->limiter->table, &p->key,
                                            &name, 1);
    met__plan_predecessor *out = &p->predecessors[p->predecessor_count];

    if (record == NULL) {
        return 1;
    }
    if (!freeze(record, name.name)
        || !met__window_snapshot(record, &out->snapshot)
        || !met__window_is_of(record, name.name)) {
        return 0;
    }
    out->shape = shape;
    out->follows = window->follows;
    p->windows[window->follows].extra +=
        shape->ops->used(&out->snapshot, shape, &p->time);
    p->predecessor_count++;
    return 1;
}

int met__plan_predecessors(met__plan *p)
{
    for (uint32_t i = 0; i < p->view.predecessor_count; i++) {
        const met__policy_window *window = &p->view.predecessors[i];
        const met__shape *shape =
            met__shape_get(&p->limiter->table, window->shape,
                           &p->spare[MET__PLAN_WINDOWS + i]);
        if (shape != NULL
            && met__policy_weighs(&p->view, window, shape->window_ns,
                                  p->time.monotonic_ns)
            && !weigh_predecessor(p, window, shape)) {
            return MET__PLAN_AGAIN;
        }
    }
    return MET__PLAN_DECIDED;
}

int met__plan_own_limits(met__plan *p)
{
    for (size_t i = 0; i < p->request->own_window_count; i++) {
        const met_limiter_window *own = &p->request->own_windows[i];
        uint32_t algorithm = own->algorithm ? own->algorithm
                                            : MET_LIMITER_SLIDING;
        int is_found = 0;
        for (uint32_t w = 0; w < p->view.count; w++) {
            met__plan_window *window = &p->windows[w];
            if (window->shape->window_ns == (uint64_t)own->window_ns
                && window->shape->algorithm == algorithm) {
                is_found = 1;
                if (own->limit < window->limit) {
                    window->limit = own->limit;
                }
                p->is_never |= p->cost > window->limit;
            }
        }
        if (!is_found) {
            return 0;
        }
    }
    return 1;
}

/* What replaced windows still weigh. In: a plan with its windows. Out: their
 * extra weight; the records of the replaced ones are frozen. */
#include "limit/limiter_plan.h"

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
    uint64_t head = met__load_acquire(&record->head);
    for (int i = 0; !(head & MET__HEAD_FROZEN); i++) {
        if (i == MET__PLAN_TRIES
            || met__cas(&record->head, &head, head | MET__HEAD_FROZEN)) {
            break;
        }
    }
    if (!met__window_snapshot(record, &out->snapshot)
        || met__load_acquire(&record->name) != name.name) {
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

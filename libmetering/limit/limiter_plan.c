/* The windows of a request: shapes, names and records of its key, and what
 * replaced windows still weigh. In: policy and key. Out: a plan. */
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

static int plan_predecessors(met__plan *p)
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

/* The policy's windows as they are now, with the key's records. */
met_error met__plan_make(met__plan *p, int *again_out)
{
    met__limit_table *table = &p->limiter->table;
    uint32_t policy = p->request->policy;
    int needs_utc = 0;
    met_error error = met__policy_read(table, policy, &p->view);

    if (error != MET_OK) {
        return error;
    }
    p->predecessor_count = 0;
    for (uint32_t i = 0; i < p->view.count; i++) {
        const met__policy_window *window = &p->view.windows[i];
        met__plan_window *out = &p->windows[i];
        out->shape = met__shape_get(table, window->shape, &p->spare[i]);
        if (out->shape == NULL) {
            return MET_E_CORRUPT;
        }
        out->name = met__place_name_of(&p->key, policy, window->shape,
                                       window->born);
        out->record = met__place_find(table, &p->key, &out->name);
        out->extra = 0;
        out->is_taken = 0;
        out->is_refusing = 0;
        out->is_uncounted = 0;
        needs_utc |= out->shape->ops->needs_utc != 0;
    }
    if (needs_utc && p->time.utc_ns == 0) {
        p->time.utc_ns = (uint64_t)met__now_utc_ns(&p->limiter->platform);
    }
    *again_out = p->view.predecessor_count > 0 ? plan_predecessors(p)
                                               : MET__PLAN_DECIDED;
    return MET_OK;
}

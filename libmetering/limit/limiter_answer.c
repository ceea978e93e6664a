/* What the windows of a decided plan say. In: a plan. Out: a result with
 * remaining, reset and the exact wait of every window. */
#include "limit/limiter_plan.h"

static uint64_t used_in_all(const met__plan *p, uint32_t index,
                            const met__snapshot *own, uint64_t later_ns)
{
    met__window_time time = {p->time.monotonic_ns + later_ns,
                             p->time.utc_ns + later_ns};
    const met__shape *shape = p->windows[index].shape;
    uint64_t used = shape->ops->used(own, shape, &time);

    for (uint32_t i = 0; i < p->predecessor_count; i++) {
        const met__plan_predecessor *predecessor = &p->predecessors[i];
        if (predecessor->follows == index) {
            used += predecessor->shape->ops->used(&predecessor->snapshot,
                                                  predecessor->shape, &time);
        }
    }
    return used;
}

/* While predecessors weigh, the moment is found by halving: what weighs only
 * becomes less when nothing is counted. */
static uint64_t wait_with_predecessors(const met__plan *p, uint32_t index,
                                       const met__snapshot *own,
                                       uint64_t room)
{
    uint64_t high = 4 * p->windows[index].shape->window_ns;
    uint64_t low = 0; /* used > room here */

    for (uint32_t i = 0; i < p->predecessor_count; i++) {
        uint64_t length = 4 * p->predecessors[i].shape->window_ns;
        high = length > high ? length : high;
    }
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (used_in_all(p, index, own, middle) <= room) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

static int64_t signed_ns(uint64_t ns)
{
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static void describe(const met__plan *p, uint32_t index,
                     met_limiter_window_result *out)
{
    const met__plan_window *window = &p->windows[index];
    const met__shape *shape = window->shape;
    met__snapshot own = {0};
    int is_brief = (p->request->flags & MET_LIMITER_BRIEF) != 0;
    uint64_t used;

    *out = (met_limiter_window_result){
        .limit = shape->limit,
        .window_ns = (int64_t)shape->window_ns,
        .algorithm = shape->algorithm,
        .is_refusing = window->is_refusing,
    };
    if (is_brief && window->is_taken) {
        used = window->mark.used + window->extra;
    } else {
        if (window->record != NULL
            && (!met__window_snapshot(window->record, &own)
                || met__load_acquire(&window->record->name)
                       != window->name.name)) {
            own = (met__snapshot){0};
        }
        used = shape->ops->used(&own, shape, &p->time) + window->extra;
    }
    out->remaining = used < shape->limit ? shape->limit - used : 0;
    if (p->cost > shape->limit) {
        out->wait_ns = -1;
    }
    if (is_brief) {
        return;
    }
    out->reset_ns = signed_ns(shape->ops->reset(&own, shape, &p->time));
    for (uint32_t i = 0; i < p->predecessor_count; i++) {
        const met__plan_predecessor *old = &p->predecessors[i];
        int64_t reset = signed_ns(
            old->shape->ops->reset(&old->snapshot, old->shape, &p->time));
        if (old->follows == index && reset != 0
            && (out->reset_ns == 0 || reset < out->reset_ns)) {
            out->reset_ns = reset;
        }
    }
    if (p->cost <= shape->limit && used + p->cost > shape->limit) {
        uint64_t room = shape->limit - p->cost;
        out->wait_ns = signed_ns(
            window->extra != 0
                ? wait_with_predecessors(p, index, &own, room)
                : shape->ops->wait(&own, shape, &p->time, room));
    }
}

/* The answer out of the plan. */
void met__plan_answer(const met__plan *p, int is_allowed, uint32_t reason,
                   met_limiter_result *out)
{
    int is_brief = (p->request->flags & MET_LIMITER_BRIEF) != 0;
    int is_full = 0;

    out->is_allowed = (uint32_t)is_allowed;
    out->reason = reason;
    out->window_count = p->view.count;
    out->refused = 0;
    out->reported = 0;
    out->reserved = 0;
    out->wait_ns = 0;
    for (uint32_t i = 0; i < p->view.count; i++) {
        met_limiter_window_result *window = &out->windows[i];
        const met_limiter_window_result *best = &out->windows[out->reported];
        describe(p, i, window);
        is_full |= p->windows[i].is_uncounted != 0;
        out->refused |= window->is_refusing << i;
        /* Later ones are as long or longer. */
        if (window->remaining <= best->remaining) {
            out->reported = i;
        }
        if (!is_allowed && out->wait_ns >= 0
            && (window->wait_ns < 0 || window->wait_ns > out->wait_ns)) {
            out->wait_ns = window->wait_ns;
        }
    }
    if (!is_allowed && !is_brief && out->wait_ns == 0) {
        /* Room has come meanwhile, or the table is full: until something that
         * is counted now is forgotten. */
        out->wait_ns = is_full ? out->windows[0].window_ns : 1;
    }
    met__plan_ticket(p, &out->ticket);
}

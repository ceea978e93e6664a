/* What the windows of a decided plan say. In: a plan. Out: a result with
 * remaining, reset and the exact wait of every window. */
#include "limit/limiter_answer.h"

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

/* A copy of a record; of one that was given away, or of none: empty. */
static void copy_of(const met__record *record, uint64_t name,
                    met__snapshot *own)
{
    if (record == NULL || !met__window_snapshot(record, own)
        || !met__window_is_of(record, name)) {
        *own = (met__snapshot){0};
    }
}

void met__answer_times(met_limiter_window_result *out,
                       const met__shape *shape, const met__record *record,
                       uint64_t name, uint64_t used,
                       const met__window_ask *ask)
{
    met__snapshot own;

    copy_of(record, name, &own);
    out->reset_ns = met__answer_ns(shape->ops->reset(&own, shape,
                                                     &ask->time));
    if (used + ask->cost > shape->limit) {
        out->wait_ns = met__answer_ns(shape->ops->wait(
            &own, shape, &ask->time, shape->limit - ask->cost));
    }
}

/* What a window without a decision of its own holds. */
static uint64_t look(const met__plan *p, uint32_t index, met__snapshot *own)
{
    const met__plan_window *window = &p->windows[index];

    copy_of(window->record, window->name.name, own);
    return window->shape->ops->used(own, window->shape, &p->time)
           + window->extra;
}

/* When what is counted begins to be forgotten, and when there is room. */
static void add_times(const met__plan *p, uint32_t index,
                      const met__snapshot *own, uint64_t used,
                      met_limiter_window_result *out)
{
    const met__plan_window *window = &p->windows[index];
    const met__shape *shape = window->shape;

    out->reset_ns = met__answer_ns(shape->ops->reset(own, shape, &p->time));
    for (uint32_t i = 0; i < p->predecessor_count; i++) {
        const met__plan_predecessor *old = &p->predecessors[i];
        int64_t reset = met__answer_ns(
            old->shape->ops->reset(&old->snapshot, old->shape, &p->time));
        if (old->follows == index && reset != 0
            && (out->reset_ns == 0 || reset < out->reset_ns)) {
            out->reset_ns = reset;
        }
    }
    if (p->cost <= window->limit && used + p->cost > window->limit) {
        uint64_t room = window->limit - p->cost;
        out->wait_ns = met__answer_ns(
            window->extra != 0
                ? wait_with_predecessors(p, index, own, room)
                : shape->ops->wait(own, shape, &p->time, room));
    }
}

static void describe(const met__plan *p, uint32_t index, int is_brief,
                     met_limiter_window_result *out)
{
    const met__plan_window *window = &p->windows[index];
    met__snapshot own;
    uint64_t used = is_brief && (window->is_taken || window->is_refusing)
                        ? window->mark.used + window->extra
                        : look(p, index, &own);

    met__answer_window(out, window->shape, window->limit, used,
                       window->is_refusing);
    if (p->cost > window->limit) {
        out->wait_ns = -1;
    }
    if (!is_brief) {
        add_times(p, index, &own, used, out);
    }
}

/* The wait of all windows: the longest, or never. */
static int64_t longer_wait(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && a > b) ? a : b;
}

/* The answer out of the plan. */
void met__plan_answer(const met__plan *p, int is_allowed, uint32_t reason,
                      met_limiter_result *out)
{
    int is_brief = (p->request->flags & MET_LIMITER_BRIEF) != 0;
    uint64_t least = UINT64_MAX;
    uint32_t is_full = 0;
    int is_counted = 0;

    met__answer_begin(out,
                      is_allowed
                          || (p->view.flags & MET_LIMITER_WARN_ONLY) != 0,
                      reason, p->view.count);
    for (uint32_t i = 0; i < p->view.count; i++) {
        met_limiter_window_result *window = &out->windows[i];
        describe(p, i, is_brief, window);
        /* Later ones are as long or longer. */
        if (window->remaining <= least) {
            least = window->remaining;
            out->reported = i;
        }
        if (p->windows[i].is_taken) {
            const met__policy_window *row = &p->view.windows[i];
            met__ticket_add(&out->ticket, i,
                            (uint64_t)row->born << 8 | row->shape,
                            &p->windows[i].mark);
            is_counted = 1;
        }
        out->refused |= window->is_refusing << i;
        if (!is_allowed) {
            out->wait_ns = longer_wait(out->wait_ns, window->wait_ns);
        }
        is_full |= p->windows[i].is_uncounted;
    }
    if (is_counted) {
        met__ticket_end(&out->ticket, p->request->policy, p->cost, &p->key);
    }
    if (!is_allowed && !is_brief && out->wait_ns == 0) {
        /* Room has come meanwhile, or the table is full: until something that
         * is counted now is forgotten. */
        out->wait_ns = is_full ? out->windows[0].window_ns : 1;
    }
}

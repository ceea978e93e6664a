/* The short way of a decision: what nearly every request is, in one pass. In: a
 * request. Out: decided, or nothing has changed and the long way of limiter.c
 * must be taken.
 *
 * Short are policies whose windows replaced no others and do not weigh refused
 * requests, keys whose records are there, and windows that have room; a single
 * window may also refuse. Everything is the same as on the long way: later
 * windows are looked at before the first one counts, a hit counts only when the
 * record's name is still there afterwards, and what was counted before a later
 * window refused is given back. */
#include "limit/limiter_answer.h"
#include "limit/limiter_plan.h"

typedef struct quick_window {
    const met__shape *shape;
    met__record *record;
    uint64_t name;
    uint64_t owner; /* shape and birth, as in the row and in a ticket */
    met__window_mark mark;
} quick_window;

typedef struct quick {
    const met__plan *plan;
    met__window_ask ask;
    uint32_t count;
    uint32_t reserved;
    quick_window windows[MET__PLAN_WINDOWS];
} quick;

/* Adds one window of the policy; 0: not on the short way. */
static inline int add_window(quick *q, uint64_t owner)
{
    met__limit_table *table = &q->plan->limiter->table;
    quick_window *window = &q->windows[q->count++];
    uint32_t number = (uint32_t)(owner & 0xff);

    if (met__load_acquire(&table->shape_states[number]) != MET__SHAPE_READY) {
        return 0;
    }
    const met__shape *shape = &table->shape_cache[number];
    met__place_name name = met__place_name_of(
        &q->plan->key, q->plan->request->policy, number, (uint32_t)(owner >> 8));
    window->shape = shape;
    window->name = name.name;
    window->owner = owner;
    window->record = met__place_find(table, &q->plan->key, &name);
    if (shape->ops->needs_utc && q->ask.time.utc_ns == 0) {
        q->ask.time.utc_ns =
            (uint64_t)met__now_utc_ns(&q->plan->limiter->platform);
    }
    return window->record != NULL && q->ask.cost <= shape->limit;
}

/* All windows with their records; 0: not on the short way. */
static inline int find_windows(quick *q)
{
    uint32_t policy = q->plan->request->policy;

    met__policy_slot *slot = &q->plan->limiter->table.policies[MET__POLICY_SLOT(policy)];
    uint64_t version = met__load_acquire(&slot->version);
    const met__policy_row *row = &slot->rows[version % MET__POLICY_ROWS];
    if (version == 0 || met__policy_untag(&row->flags, version)
                               != (uint64_t)MET__POLICY_GENERATION(policy)
                                      << MET__POLICY_GENERATION_SHIFT) {
        return 0;
    }
    uint64_t pair = 0;
    for (uint32_t i = 0; i < MET__PLAN_WINDOWS; i++) {
        pair = i % 2 == 0 ? met__policy_untag(&row->windows[i / 2], version)
                          : pair >> MET__POLICY_HALF;
        if (pair > MET__POLICY_PAYLOAD) {
            return 0;
        }
        if ((pair & 0xff) == 0) {
            break;
        }
        if (!add_window(q, pair & MET__POLICY_HALF_MASK)) {
            return 0;
        }
    }
    return q->count > 0;
}

/* Whether a later window has room for sure. */
static inline int has_room(const quick *q, const quick_window *window)
{
    const met__shape *shape = window->shape;
    uint64_t head = met__load_acquire(&window->record->head);

    return shape->ops->most(head, shape, &q->ask.time) + q->ask.cost
           <= shape->limit;
}

static int give_back(quick *q, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        quick_window *window = &q->windows[i];
        int done = window->shape->ops->undo(window->record, window->shape,
                                            window->mark.stamp, q->ask.cost);
        met__limit_count(&q->plan->limiter->table,
                         done ? MET__COUNT_UNDONE : MET__COUNT_WITHHELD);
    }
    return 0;
}

/* Counts in all windows: the result of the first one, DONE when all are. */
static inline int take_all(quick *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        quick_window *window = &q->windows[i];
        q->ask.name = window->name;
        int result = window->shape->ops->take(window->record, window->shape,
                                              &q->ask, &window->mark);
        int is_same = met__load_acquire(&window->record->name)
                      == window->name;
        if (result == MET__TAKE_DONE && is_same) {
            continue;
        }
        if (result == MET__TAKE_DONE) { /* a stray hit */
            window->shape->ops->undo(window->record, window->shape,
                                     window->mark.stamp, q->ask.cost);
        }
        if (q->count == 1 && is_same && result == MET__TAKE_REFUSED) {
            return MET__TAKE_REFUSED;
        }
        give_back(q, i);
        return MET__TAKE_MOVED;
    }
    return MET__TAKE_DONE;
}

static inline void answer(const quick *q, uint32_t is_refusing,
                          met_limiter_result *out)
{
    int is_brief = (q->plan->request->flags & MET_LIMITER_BRIEF) != 0;
    uint64_t least = UINT64_MAX;
    uint32_t reported = 0;

    met__answer_begin(out, !is_refusing, is_refusing
                                             ? MET_LIMITER_REASON_LIMIT
                                             : MET_LIMITER_REASON_NONE,
                      q->count);
    for (uint32_t i = 0; i < q->count; i++) {
        const quick_window *window = &q->windows[i];
        met_limiter_window_result *result = &out->windows[i];
        met__answer_window(result, window->shape, window->shape->limit,
                           window->mark.used, is_refusing);
        if (!is_brief) {
            met__answer_times(result, window->shape, window->record,
                              window->name, &q->ask);
        }
        if (result->remaining <= least) {
            least = result->remaining;
            reported = i;
        }
        if (!is_refusing) {
            met__ticket_add(&out->ticket, i, window->owner,
                            window->mark.stamp);
        }
    }
    out->reported = reported;
    if (is_refusing) {
        out->refused = 1;
        out->wait_ns = is_brief || out->windows[0].wait_ns != 0
                           ? out->windows[0].wait_ns
                           : 1;
    } else {
        met__ticket_end(&out->ticket, q->plan->request->policy, q->ask.cost,
                        &q->plan->key);
    }
}

int met__limiter_quick(const met__plan *p, met_limiter_result *result_out)
{
    quick q;

    q.plan = p;
    q.ask.time = p->time;
    q.ask.cost = p->cost;
    q.ask.extra = 0;
    q.ask.is_forced = 0;
    q.count = 0;
    if (p->request->own_window_count != 0 || !find_windows(&q)) {
        return 0;
    }
    for (uint32_t i = 1; i < q.count; i++) {
        if (!has_room(&q, &q.windows[i])) {
            return 0;
        }
    }
    int result = take_all(&q);
    if (result != MET__TAKE_DONE && result != MET__TAKE_REFUSED) {
        return 0;
    }
    answer(&q, result == MET__TAKE_REFUSED, result_out);
    return 1;
}

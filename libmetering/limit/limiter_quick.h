/* The short way of a decision: what nearly every request is, in one pass. In: a
 * request. Out: decided, or nothing has changed and the long way of limiter.c
 * must be taken.
 *
 * Short are policies whose windows replaced no others and do not weigh refused
 * requests, keys whose records are there, and windows that have room; a single
 * window may also refuse. Everything is the same as on the long way: later
 * windows are looked at before the first one counts, a hit counts only when the
 * record's name is still there afterwards, and what was counted before a later
 * window refused is given back.
 *
 * It has two steps, so that a batch can fetch what the second one reads while
 * the first one goes on with other keys. */
#ifndef MET_LIMIT_LIMITER_QUICK_H
#define MET_LIMIT_LIMITER_QUICK_H

#include "limit/limiter_answer.h"
#include "limit/limiter_plan.h"

typedef struct met__quick_window {
    const met__shape *shape;
    met__record *record; /* first a guess by its tag, or NULL */
    met__place_name name;
    uint64_t owner; /* birth << 8 | shape, as in the row and in a ticket */
    met__window_mark mark;
    uint64_t reserved;
} met__quick_window;

/* A key that comes again: its place, and in which windows of its policy it was
 * counted where. Windows are those of one version of the policy; the records
 * are guesses, as those by tags. */
#define MET__QUICK_KEPT 2u
typedef struct met__quick_key {
    met__place_key key;
    uint64_t version; /* of the policy's place */
    uint32_t policy;
    uint32_t count; /* 0: nothing is known */
    struct {
        const met__shape *shape;
        met__record *record;
        met__place_name name;
        uint64_t owner;
        uint64_t head;     /* steady bits under which it is reset, */
        uint64_t until_ns; /* and when */
    } windows[MET__QUICK_KEPT];
} met__quick_key;

typedef struct met__quick {
    met_limiter *limiter;
    met__place_key key;
    met__window_ask ask;
    uint32_t policy;
    uint32_t flags; /* of the request */
    uint32_t count;
    uint32_t reserved;
    met__quick_key *known; /* what is known of these windows, or NULL */
    met__quick_window windows[MET_LIMITER_WINDOWS_MAX];
} met__quick;

/* The key is set. */
static inline void met__quick_begin(met__quick *q, met_limiter *limiter,
                                    const met_limiter_request *request)
{
    q->limiter = limiter;
    q->ask.time = met__plan_time(limiter, request);
    q->ask.cost = met__plan_cost(request);
    q->ask.extra = 0;
    q->ask.is_forced = 0;
    q->policy = request->policy;
    q->flags = request->flags;
    q->known = NULL;
}

static inline void met__quick_start(met__quick *q, met_limiter *limiter,
                                    const met_limiter_request *request)
{
    q->key = met__plan_key(limiter, request);
    met__quick_begin(q, limiter, request);
}

/* What every window of a request asks; 0: not on the short way. */
static inline int met__quick_can_ask(met__quick *q, const met__shape *shape)
{
    if (shape->ops->needs_utc && q->ask.time.utc_ns == 0) {
        q->ask.time.utc_ns = (uint64_t)met__now_utc_ns(&q->limiter->platform);
    }
    return q->ask.cost <= shape->limit;
}

/* Adds one window of the policy; 0: not on the short way. */
static inline __attribute__((always_inline)) int
met__quick_add_window(met__quick *q, uint64_t owner)
{
    met__limit_table *table = &q->limiter->table;
    met__quick_window *window = &q->windows[q->count++];
    uint32_t number = (uint32_t)(owner & 0xff);

    if (met__load_acquire(&table->shape_states[number]) != MET__SHAPE_READY) {
        return 0;
    }
    const met__shape *shape = &table->shape_cache[number];
    window->shape = shape;
    window->name = met__place_name_of(&q->key, q->policy, number,
                                      (uint32_t)(owner >> 8));
    window->owner = owner;
    window->record = met__place_guess(table, &q->key, &window->name);
    return met__quick_can_ask(q, shape);
}

/* Finds the windows and guesses their records; 0: not on the short way.
 * *version_out: of the policy's place. */
static inline __attribute__((always_inline)) int
met__quick_find(met__quick *q, uint64_t *version_out)
{
    uint32_t number = MET__POLICY_SLOT(q->policy);
    uint64_t flags = (uint64_t)MET__POLICY_GENERATION(q->policy)
                     << MET__POLICY_GENERATION_SHIFT;
    met__policy_slot *slot = &q->limiter->table.policies[number];
    uint64_t version = met__load_acquire(&slot->version);
    *version_out = version;
    const met__policy_row *row = &slot->rows[version % MET__POLICY_ROWS];
    if (version == 0 || met__policy_untag(&row->flags, version) != flags) {
        return 0;
    }
    uint64_t pair = 0;
    q->count = 0;
    for (uint32_t i = 0; i < MET__PLAN_WINDOWS; i++) {
        pair = i % 2 == 0 ? met__policy_untag(&row->windows[i / 2], version)
                          : pair >> MET__POLICY_HALF;
        if (pair > MET__POLICY_PAYLOAD) {
            return 0;
        }
        if ((pair & 0xff) == 0) {
            break;
        }
        if (!met__quick_add_window(q, pair & MET__POLICY_HALF_MASK)) {
            return 0;
        }
    }
    return q->count > 0;
}

/* Finds the windows as they were kept; 0: not known, or not any more. */
static inline __attribute__((always_inline)) int
met__quick_recall(met__quick *q, const met__quick_key *known)
{
    met__policy_slot *slot =
        &q->limiter->table.policies[MET__POLICY_SLOT(q->policy)];

    if (known->count == 0 || known->policy != q->policy
        || met__load_acquire(&slot->version) != known->version) {
        return 0;
    }
    q->count = known->count;
    for (uint32_t i = 0; i < known->count; i++) {
        met__quick_window *window = &q->windows[i];
        window->shape = known->windows[i].shape;
        window->record = known->windows[i].record;
        window->name = known->windows[i].name;
        window->owner = known->windows[i].owner;
        if (!met__quick_can_ask(q, window->shape)) {
            return 0;
        }
    }
    return 1;
}

/* Whether the records are where they were. */
static inline int met__quick_is_kept(const met__quick *q,
                                     const met__quick_key *known)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (q->windows[i].record != known->windows[i].record) {
            return 0;
        }
    }
    return 1;
}

/* Keeps them, and the records that were found. */
static inline void met__quick_keep(met__quick *q, uint64_t version,
                                   met__quick_key *known)
{
    if (q->count > MET__QUICK_KEPT) {
        return;
    }
    q->known = known;
    known->version = version;
    known->policy = q->policy;
    known->count = q->count;
    for (uint32_t i = 0; i < q->count; i++) {
        const met__quick_window *window = &q->windows[i];
        known->windows[i].shape = window->shape;
        known->windows[i].record = window->record;
        known->windows[i].name = window->name;
        known->windows[i].owner = window->owner;
        known->windows[i].until_ns = 0;
    }
}

/* What the two steps read, asked for before. */
static inline void met__quick_fetch(const met__limit_table *table,
                                    const met__place_key *key)
{
    met__prefetch(&table->controls[key->block[0] / MET__GROUP_PLACES]);
}

static inline void met__quick_fetch_records(const met__quick *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        if (q->windows[i].record != NULL) {
            met__prefetch(q->windows[i].record);
        }
    }
}

/* Looks where the guess was wrong; 0: there is no record. */
static inline int met__quick_find_record(const met__quick *q,
                                         met__quick_window *window)
{
    met__record *record = window->record;

    if (record == NULL
        || !met__window_is_of(record, window->name.name)
        || (met__load_acquire(&record->head) & MET__HEAD_CLOSED)) {
        window->record = met__place_find(&q->limiter->table, &q->key,
                                         &window->name);
    }
    return window->record != NULL;
}

/* Whether a later window has room for sure. */
static inline int met__quick_has_room(const met__quick *q,
                                      const met__quick_window *window)
{
    const met__shape *shape = window->shape;
    uint64_t head = met__load_acquire(&window->record->head);

    return shape->ops->most(head, shape, &q->ask.time) + q->ask.cost
           <= shape->limit;
}

static inline int met__quick_give_back(met__quick *q, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        met__quick_window *window = &q->windows[i];
        int done = met__window_undo(window->record, window->shape,
                                    &window->mark, q->ask.cost);
        met__limit_count(&q->limiter->table,
                         done ? MET__COUNT_UNDONE : MET__COUNT_WITHHELD);
    }
    return 0;
}

/* Counts in all windows: the result of the first one, DONE when all are. */
static inline int met__quick_take_all(met__quick *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        met__quick_window *window = &q->windows[i];
        q->ask.name = window->name.name;
        int result = window->shape->ops->take(window->record, window->shape,
                                              &q->ask, &window->mark);
        uint64_t found = met__load_acquire(&window->record->name);
        int is_same = met__name_is(found, window->name.name);
        if (result == MET__TAKE_DONE && is_same) {
            continue;
        }
        if (result == MET__TAKE_DONE) { /* a stray hit */
            window->mark.name = found;
            met__window_undo(window->record, window->shape, &window->mark,
                             q->ask.cost);
        }
        if (q->count == 1 && is_same && result == MET__TAKE_REFUSED) {
            return MET__TAKE_REFUSED;
        }
        met__quick_give_back(q, i);
        return MET__TAKE_MOVED;
    }
    return MET__TAKE_DONE;
}

static inline void met__quick_times(const met__quick *q, uint32_t index,
                                    met_limiter_result *out)
{
    const met__quick_window *window = &q->windows[index];
    const met__shape *shape = window->shape;
    int is_steady = q->known != NULL && shape->steady != 0
                    && window->mark.used + q->ask.cost <= shape->limit;
    uint64_t now = q->ask.time.monotonic_ns;
    uint64_t head = 0;

    if (is_steady) {
        head = met__load_acquire(&window->record->head) & shape->steady;
        if (head == q->known->windows[index].head
            && q->known->windows[index].until_ns > now) {
            out->windows[index].reset_ns = met__answer_ns(
                q->known->windows[index].until_ns - now);
            return;
        }
    }
    met__answer_times(&out->windows[index], shape, window->record,
                      window->name.name, window->mark.used, &q->ask);
    if (is_steady && out->windows[index].reset_ns > 0
        && (met__load_acquire(&window->record->head) & shape->steady)
               == head) {
        q->known->windows[index].head = head;
        q->known->windows[index].until_ns =
            now + (uint64_t)out->windows[index].reset_ns;
    }
}

static inline void met__quick_answer(const met__quick *q,
                                     uint32_t is_refusing,
                                     met_limiter_result *out)
{
    int is_brief = (q->flags & MET_LIMITER_BRIEF) != 0;
    int is_one = !is_brief && (q->flags & MET__LIMITER_REPORTED) != 0;
    int has_ticket =
        !is_refusing && (q->flags & MET__LIMITER_NO_TICKET) == 0;
    uint64_t least = UINT64_MAX;
    uint32_t reported = 0;

    met__answer_begin(out, !is_refusing, is_refusing
                                             ? MET_LIMITER_REASON_LIMIT
                                             : MET_LIMITER_REASON_NONE,
                      q->count);
    for (uint32_t i = 0; i < q->count; i++) {
        const met__quick_window *window = &q->windows[i];
        met_limiter_window_result *result = &out->windows[i];
        met__answer_window(result, window->shape, window->shape->limit,
                           window->mark.used, is_refusing);
        if (!is_brief && !is_one) {
            met__quick_times(q, i, out);
        }
        if (result->remaining <= least) {
            least = result->remaining;
            reported = i;
        }
        if (has_ticket) {
            met__ticket_add(&out->ticket, i, window->owner, &window->mark);
        }
    }
    if (is_one) {
        met__quick_times(q, reported, out);
    }
    out->reported = reported;
    if (is_refusing) {
        out->refused = 1;
        out->wait_ns = is_brief || out->windows[0].wait_ns != 0
                           ? out->windows[0].wait_ns
                           : 1;
    } else if (has_ticket) {
        met__ticket_end(&out->ticket, q->policy, q->ask.cost, &q->key);
    }
}

/* Finds the records and sees whether windows from `first` on have room. 0: not
 * on the short way. */
static inline __attribute__((always_inline)) int
met__quick_look(met__quick *q, uint32_t first)
{
    for (uint32_t i = 0; i < q->count; i++) {
        if (!met__quick_find_record(q, &q->windows[i])
            || (i >= first && !met__quick_has_room(q, &q->windows[i]))) {
            return 0;
        }
    }
    return 1;
}

/* Decides what was looked at: 1, or 0 when nothing has changed and the long way
 * must be taken. */
static inline __attribute__((always_inline)) int
met__quick_decide(met__quick *q, met_limiter_result *result_out)
{
    int result = met__quick_take_all(q);
    if (result != MET__TAKE_DONE && result != MET__TAKE_REFUSED) {
        return 0;
    }
    met__quick_answer(q, result == MET__TAKE_REFUSED, result_out);
    return 1;
}

#endif

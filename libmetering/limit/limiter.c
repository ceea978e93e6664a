/* One decision over all windows of a policy. In: a request. Out: allowed or
 * not, and what every window says.
 *
 * First every window is looked at without writing; only when all have room are
 * they counted, shortest first. When a later one is full after all (somebody
 * was faster), the earlier ones are given back by the ticket's rule. After a
 * hit is counted the record's name is read once more: if the place was given to
 * another key meanwhile, the decision is made anew in the right record. */
#include "limit/limiter.h"

#include "base/check.h"
#include "base/error.h"
#include "limit/limiter_quick.h"

/* --- Open and close ------------------------------------------------------- */
met_error met__limiter_open(const met__platform *platform,
                            const met_limiter_config *config,
                            met_limiter **limiter_out, met_error_info *info)
{
    met_limiter *limiter = met__allocate(platform, sizeof *limiter);

    if (limiter == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    limiter->platform = *platform;
    limiter->table.platform = &limiter->platform;
    limiter->full_policy = config->full_policy;
    if (config->clock == MET_LIMITER_CLOCK_CHEAP) {
        met__cheap_clock_use(&limiter->clock, &limiter->platform);
    }
    met_error error = met__limit_table_open(&limiter->table, config, info);
    if (error != MET_OK) {
        met__release(platform, limiter, sizeof *limiter);
        return error;
    }
    *limiter_out = limiter;
    return MET_OK;
}

void met__limiter_close(met_limiter *limiter)
{
    if (limiter != NULL) {
        met__platform platform = limiter->platform;
        met__limit_table_close(&limiter->table);
        met__release(&platform, limiter, sizeof *limiter);
    }
}

met_error met__limiter_check_file(const met_limiter *limiter)
{
    const met__mapped_file *file = &limiter->table.file;

    return file->memory == NULL
               ? MET_OK
               : met__mapped_file_check(&limiter->platform, file);
}

static met_error check_file(const met_limiter *limiter, met_error_info *info)
{
    met_error error = met__limiter_check_file(limiter);

    return error == MET_OK
               ? MET_OK
               : met__fail(info, error, "limiter",
                           error == MET_E_CORRUPT
                               ? "its file was cut short: close it and open "
                                 "it anew"
                               : "its file cannot be examined");
}

met_error met__limiter_policy_set(met_limiter *limiter,
                                  const met_limiter_policy *policy,
                                  uint32_t *number_out, met_error_info *info)
{
    met_limiter_window windows[MET__PLAN_WINDOWS];
    size_t count = policy->window_count;

    MET__ASSERT(count >= 1 && count <= MET__PLAN_WINDOWS);
    for (size_t i = 0; i < count; i++) {
        met_limiter_window window = policy->windows[i];
        size_t at = i;
        if (window.algorithm == 0) {
            window.algorithm = MET_LIMITER_SLIDING;
        }
        for (; at > 0
               && (windows[at - 1].window_ns > window.window_ns
                   || (windows[at - 1].window_ns == window.window_ns
                       && windows[at - 1].algorithm > window.algorithm));
             at--) {
            windows[at] = windows[at - 1];
        }
        windows[at] = window;
    }
    met_error error = check_file(limiter, info);
    return error == MET_OK ? met__policy_set(&limiter->table, policy, windows,
                                             number_out, info)
                           : error;
}

met_error met__limiter_policy_remove(met_limiter *limiter, uint32_t number,
                                     met_error_info *info)
{
    met_error error = check_file(limiter, info);

    return error == MET_OK ? met__policy_remove(&limiter->table, number, info)
                           : error;
}

/* --- Deciding ------------------------------------------------------------- */
void met__plan_give_back(met__plan *p)
{
    for (uint32_t i = 0; i < p->view.count; i++) {
        met__plan_window *window = &p->windows[i];
        if (window->is_taken) {
            int done = met__window_undo(
                window->record, window->shape, &window->mark,
                met__plan_cost_in(p->cost, window->shape));
            met__limit_count(&p->limiter->table, done ? MET__COUNT_UNDONE
                                                      : MET__COUNT_WITHHELD);
            window->is_taken = 0;
        }
    }
}

/* Whether there is room, by all that the record holds. */
static int has_room_in(const met__plan *p, met__plan_window *window)
{
    const met__shape *shape = window->shape;
    uint64_t weight = window->extra + p->cost;
    met__snapshot own;

    if (!met__window_snapshot(window->record, &own)) {
        own = (met__snapshot){0}; /* the taking will tell */
    }
    window->mark.used = shape->ops->used(&own, shape, &p->time);
    return window->mark.used + weight <= window->limit;
}

/* Without a record a window is empty. */
int met__plan_has_room(const met__plan *p, met__plan_window *window)
{
    const met__shape *shape = window->shape;
    uint64_t weight = window->extra + p->cost;

    if (window->record == NULL) {
        window->mark.used = 0;
        return weight <= window->limit;
    }
    uint64_t head = met__load_acquire(&window->record->head);
    return shape->ops->most(head, shape, &p->time) + weight <= window->limit
           || has_room_in(p, window);
}

/* Makes the record of a window. TAKE_DONE: it is there; REFUSED, as a window
 * that is_uncounted: no room for it; MOVED or CONTENDED. */
static int make_record(met__plan *p, met__plan_window *window)
{
    int result = met__place_insert(&p->limiter->table, &p->key, &window->name,
                                   &p->time, &p->view.slot->version,
                                   p->view.version, &window->record);

    window->is_uncounted = result == MET__PLACE_FULL;
    switch (result) {
    case MET__PLACE_FOUND:
        return MET__TAKE_DONE;
    case MET__PLACE_FULL:
        return MET__TAKE_REFUSED;
    case MET__PLACE_STALE:
        return MET__TAKE_MOVED;
    default:
        return MET__TAKE_CONTENDED;
    }
}

int met__plan_take(met__plan *p, met__plan_window *window, int is_forced)
{
    uint64_t cost = met__plan_cost_in(p->cost, window->shape);
    met__window_ask ask = {.name = window->name.name,
                           .time = p->time,
                           .cost = cost,
                           .extra = window->extra
                                    + (window->shape->limit - window->limit),
                           .is_forced = (uint32_t)is_forced};

    for (int i = 0; i < MET__PLAN_TRIES; i++) {
        if (window->record == NULL) {
            int made = make_record(p, window);
            if (made != MET__TAKE_DONE) {
                return made;
            }
        }
        int result = window->shape->ops->take(window->record, window->shape,
                                              &ask, &window->mark);
        uint64_t found = met__load_acquire(&window->record->name);
        if (met__name_is(found, window->name.name)
            && result != MET__TAKE_MOVED) {
            window->is_taken = result == MET__TAKE_DONE;
            return result;
        }
        uint64_t head = met__load_acquire(&window->record->head);
        if (result == MET__TAKE_DONE) { /* a stray hit */
            window->mark.name = found;
            met__window_undo(window->record, window->shape, &window->mark,
                             cost);
        } else if ((head & MET__HEAD_FROZEN) && !(head & MET__HEAD_CLOSED)) {
            return MET__TAKE_MOVED;
        }
        window->record = NULL;
    }
    return MET__TAKE_CONTENDED;
}

/* Refused requests that weigh: in the windows that refused them. */
static void count_denied(met__plan *p)
{
    if (!(p->view.flags & MET_LIMITER_COUNT_DENIED)) {
        return;
    }
    for (uint32_t i = 0; i < p->view.count; i++) {
        met__plan_window *window = &p->windows[i];
        if (window->is_refusing && p->cost <= window->shape->limit
            && window->shape->ops->can_force && window->record != NULL) {
            met__plan_take(p, window, 1);
            window->is_taken = 0;
        }
    }
}

static void refuse(met__plan *p, met_limiter_result *result_out)
{
    count_denied(p);
    met__plan_answer(p, 0, MET_LIMITER_REASON_LIMIT, result_out);
}

static int refuse_full(met__plan *p, met_limiter_result *result_out)
{
    met__plan_give_back(p);
    met__limit_count(&p->limiter->table, MET__COUNT_FULL_REFUSED);
    met__plan_answer(p, 0, MET_LIMITER_REASON_TABLE_FULL, result_out);
    return MET__PLAN_DECIDED;
}

/* Refusals that need no writing: 1 when it is one. */
static int refuses_at_once(met__plan *p, int is_peek,
                           met_limiter_result *result_out)
{
    int is_never = (int)p->is_never;
    int is_refused = 0;

    /* From the last on: while nothing refuses, the first window is looked at
     * and counted in one step. */
    for (uint32_t i = p->view.count; i-- > 0;) {
        met__plan_window *window = &p->windows[i];
        if (i > 0 || is_never || is_peek || is_refused
            || window->extra != 0) {
            window->is_refusing = !met__plan_has_room(p, window);
            is_refused |= window->is_refusing != 0;
        }
    }
    if (is_never) {
        met__plan_answer(p, 0, MET_LIMITER_REASON_NEVER, result_out);
    } else if (is_peek) {
        met__plan_answer(p, !is_refused,
               is_refused ? MET_LIMITER_REASON_LIMIT
                          : MET_LIMITER_REASON_NONE,
               result_out);
    } else if (is_refused) {
        refuse(p, result_out);
    }
    return is_never || is_peek || is_refused;
}

static int decide(met__plan *p, met_limiter_result *result_out)
{
    int is_uncounted = 0;

    for (uint32_t i = 0; i < p->view.count; i++) {
        met__plan_window *window = &p->windows[i];
        int result = met__plan_take(p, window, 0);
        if (result == MET__TAKE_DONE) {
            continue;
        }
        if (window->is_uncounted) {
            if (p->limiter->full_policy == MET_LIMITER_FULL_CLOSED) {
                return refuse_full(p, result_out);
            }
            is_uncounted = 1;
            continue;
        }
        met__plan_give_back(p);
        if (result != MET__TAKE_REFUSED) {
            return MET__PLAN_AGAIN;
        }
        window->is_refusing = 1;
        refuse(p, result_out);
        return MET__PLAN_DECIDED;
    }
    if (is_uncounted) {
        met__limit_count(&p->limiter->table, MET__COUNT_FULL_ALLOWED);
    }
    met__plan_answer(p, 1,
           is_uncounted ? MET_LIMITER_REASON_TABLE_FULL
                        : MET_LIMITER_REASON_NONE,
           result_out);
    return MET__PLAN_DECIDED;
}

static int check(met__plan *p, met_limiter_result *result_out)
{
    return refuses_at_once(p, 0, result_out) ? MET__PLAN_DECIDED
                                             : decide(p, result_out);
}

static int peek(met__plan *p, met_limiter_result *result_out)
{
    return refuses_at_once(p, 1, result_out) ? MET__PLAN_DECIDED
                                             : MET__PLAN_AGAIN;
}

met_error met__plan_run(met__plan *p, met__plan_step *step,
                        met_limiter_result *result_out)
{
    int again;

    for (int i = 0; i < MET__PLAN_TRIES; i++) {
        met_error error = met__plan_make(p, &again);
        if (error == MET_E_BUSY) {
            continue;
        }
        if (error != MET_OK) {
            return error;
        }
        if (again == MET__PLAN_DECIDED) {
            again = step(p, result_out);
        }
        if (again != MET__PLAN_AGAIN) {
            return again == MET__PLAN_DECIDED ? MET_OK : MET_E_UNSUPPORTED;
        }
    }
    met__limit_count(&p->limiter->table, MET__COUNT_CONTENDED);
    return MET_E_BUSY;
}

static met_error run(met__plan *p, met__plan_step *step,
                     met_limiter_result *result_out)
{
    int again;
    met_error error = met__plan_run(p, step, result_out);

    if (error != MET_E_BUSY) {
        return error;
    }
    /* Only garbage in the table, or a crowd without end: nothing is counted,
     * nothing is let through. */
    if (met__plan_make(p, &again) != MET_OK) {
        return MET_E_CORRUPT;
    }
    met__plan_answer(p, 0, MET_LIMITER_REASON_LIMIT, result_out);
    return MET_OK;
}

/* The long way of a request that was not on the short one. */
static __attribute__((noinline)) met_error
check_slowly(const met__quick *q, const met_limiter_request *request,
             met_limiter_result *result_out)
{
    met__plan p;

    p.limiter = q->limiter;
    p.request = request;
    p.cost = q->ask.cost;
    p.time = q->ask.time;
    p.key = q->key;
    return run(&p, check, result_out);
}

/* What was said of a file that is cut short was said of zeros. */
static __attribute__((noinline)) met_error
not_decided(const met_limiter *limiter, met_error error,
            met_limiter_result *result_out)
{
    met_error answer = met__limit_table_answer(&limiter->table, error);

    if (error == MET_OK && answer != MET_OK) {
        result_out->is_allowed = 0;
    }
    return answer;
}

static inline __attribute__((always_inline)) met_error
finish(met__quick *q, int is_ready, const met_limiter_request *request,
       met_limiter_result *result_out)
{
    met_limiter *limiter = q->limiter;
    met_error error = is_ready && met__quick_decide(q, result_out)
                          ? MET_OK
                          : check_slowly(q, request, result_out);

    if (error != MET_OK || met__limit_table_is_lost(&limiter->table)) {
        return not_decided(limiter, error, result_out);
    }
    met__plan_decided(limiter, q, 1, !result_out->is_allowed);
    return MET_OK;
}

MET__STATIC_ASSERT(sizeof(met__quick_key) <= sizeof(met__limiter_key),
                   key_fits);

static inline met__quick_key *known_of(met__limiter_key *key)
{
    return (met__quick_key *)(void *)key;
}

void met__limiter_key_of(const met_limiter *limiter,
                         const met_limiter_request *request,
                         met__limiter_key *key_out)
{
    met__quick_key *known = known_of(key_out);

    known->key = met__plan_key(limiter, request);
    known->count = 0;
}

static inline void start(met__quick *q, met_limiter *limiter,
                         const met_limiter_request *request,
                         const met__limiter_key *key)
{
    if (key == NULL) {
        q->key = met__plan_key(limiter, request);
    } else {
        memcpy(&q->key, key, sizeof q->key);
    }
    met__quick_begin(q, limiter, request);
}

/* The windows of the request, with their records; windows from `first` on have
 * room. 0: not on the short way. key: of the request, or NULL. */
static inline __attribute__((always_inline)) int
find_windows(met__quick *q, const met_limiter_request *request,
             met__limiter_key *key, uint32_t first)
{
    if (request->own_window_count != 0) {
        return 0;
    }
    uint64_t version;
    if (key == NULL) {
        return met__quick_find(q, &version) && met__quick_look(q, first);
    }
    met__quick_key *known = known_of(key);
    if (met__quick_recall(q, known)) {
        version = known->version;
    } else if (!met__quick_find(q, &version)) {
        return 0;
    } else {
        known->count = 0;
    }
    if (!met__quick_look(q, first)) {
        return 0;
    }
    if (known->count > 0 && met__quick_is_kept(q, known)) {
        q->known = known;
    } else {
        met__quick_keep(q, version, known);
    }
    return 1;
}

void met__limiter_fetch(const met_limiter *limiter,
                        const met__limiter_key *key)
{
    met__place_key place;

    memcpy(&place, key, sizeof place);
    met__quick_fetch(&limiter->table, &place);
}

void met__limiter_fetch_records(met_limiter *limiter,
                                const met_limiter_request *request,
                                const met__limiter_key *key)
{
    met__quick q;
    uint64_t version;

    start(&q, limiter, request, key);
    if (met__quick_find(&q, &version)) {
        met__quick_fetch_records(&q);
    }
}

static inline __attribute__((always_inline)) met_error
check_quickly(met_limiter *limiter, const met_limiter_request *request,
              met__limiter_key *key, met_limiter_result *result_out)
{
    met__quick q;

    start(&q, limiter, request, key);
    return finish(&q, find_windows(&q, request, key, 1), request, result_out);
}

met_error met__limiter_check_key(met_limiter *limiter,
                                 const met_limiter_request *request,
                                 met__limiter_key *key,
                                 met_limiter_result *result_out)
{
    return check_quickly(limiter, request, key, result_out);
}

met_error met__limiter_check(met_limiter *limiter,
                             const met_limiter_request *request,
                             met_limiter_result *result_out)
{
    return check_quickly(limiter, request, NULL, result_out);
}

MET__STATIC_ASSERT(sizeof(met__quick) <= sizeof(met__limiter_room),
                   quick_fits);

int met__limiter_has_room(met_limiter *limiter,
                          const met_limiter_request *request,
                          met__limiter_key *key,
                          met__limiter_room *room_out)
{
    met__quick *q = (met__quick *)(void *)room_out;

    start(q, limiter, request, key);
    return find_windows(q, request, key, 0)
           && !met__limit_table_is_lost(&limiter->table);
}

met_error met__limiter_check_room(met__limiter_room *room,
                                  const met_limiter_request *request,
                                  met_limiter_result *result_out)
{
    met__quick *q = (met__quick *)(void *)room;

    q->flags = request->flags;
    return finish(q, 1, request, result_out);
}

met_error met__limiter_peek(met_limiter *limiter,
                            const met_limiter_request *request,
                            met_limiter_result *result_out)
{
    met__plan p;

    met__plan_start(&p, limiter, request);
    return not_decided(limiter, run(&p, peek, result_out), result_out);
}

met_error met__limiter_stats(met_limiter *limiter,
                             met_limiter_stats *stats_out)
{
    met__window_time now = {
        (uint64_t)met__now_monotonic_ns(&limiter->platform),
        (uint64_t)met__now_utc_ns(&limiter->platform)};

    met__limit_table_stats(&limiter->table, &now, stats_out);
    for (size_t i = 0; i < MET__DECISION_STRIPES; i++) {
        const met__decision_stripe *stripe = &limiter->decisions[i];
        stats_out->decisions += met__load_relaxed(&stripe->made);
        stats_out->refusals += met__load_relaxed(&stripe->refused);
    }
    return met__limiter_check_file(limiter);
}

met_error met__limiter_look(const met__platform *platform, const char *path,
                            met_limiter_stats *stats_out)
{
    return met__limit_table_look(platform, path, stats_out);
}

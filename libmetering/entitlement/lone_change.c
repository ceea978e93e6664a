/* What happens to entitlements that stand alone, and resets of all. In:
 * documents, keys, instants. Out: changed records, or the reason against it. */
#include "base/check.h"
#include "entitlement/allowance.h"
#include "entitlement/entitled_change.h"
#include "entitlement/entitled_parts.h"
#include "entitlement/usage_period.h"

#define LATE_NS (2 * MET__MINUTE_NS) /* how late "now" may arrive here */

/* --- Creating ------------------------------------------------------------- */
static met_error find_owner(const met__entitled_call *call, met__lone *made)
{
    met__path path = {call->path, "customer", 0};
    met__customer *customer = NULL;
    met__feature *feature = NULL;
    met_error error = met__customer_get(call->txn, made->owner.customer_key,
                                        call->arena, &customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(call->info, error, &path, "key",
                            "there is no such customer");
    }
    path.name = "feature";
    if (error == MET_OK) {
        made->owner.customer_id = customer->id;
        error = met__feature_get(call->txn, made->owner.feature_key,
                                 call->arena, &feature);
    }
    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(call->info, error, &path, "key",
                            "there is no such feature");
    }
    if (error == MET_OK && feature->archived_at_ns != 0) {
        return met__fail_at(call->info, MET_E_CONFLICT, &path, "key",
                            "the feature is archived");
    }
    if (error == MET_OK && made->terms.type == MET__ENTITLEMENT_METERED
        && feature->meter_key.size == 0) {
        return met__fail_at(call->info, MET_E_INVALID, &path, "key",
                            "nothing measures the feature");
    }
    if (error == MET_OK) {
        made->feature_id = feature->id;
    }
    return error;
}

static met_error set_measure(const met__entitled_call *call, met__lone *made)
{
    met__recurrence *usage_period = &made->usage_period;
    met__period period;

    if (usage_period->anchor_ns < 0) {
        usage_period->anchor_ns = made->active_from_ns;
    }
    usage_period->anchor_ns = met__minute_first(usage_period->anchor_ns);
    if (met__recurrence_period_at(usage_period, made->active_from_ns, &period,
                                  NULL)
        != MET_OK) {
        return met__fail_at(call->info, MET_E_INVALID, call->path,
                            "usage_period",
                            "gives a period outside of the years 1970 to 2200");
    }
    if (made->measure_from == MET__MEASURE_FROM_PERIOD) {
        made->measured_from_ns = period.from_ns;
    } else if (made->measure_from == MET__MEASURE_FROM_NOW) {
        made->measured_from_ns = made->active_from_ns;
    }
    if (made->measured_from_ns > made->active_from_ns) {
        return met__fail_at(call->info, MET_E_INVALID, call->path,
                            "measure_usage_from",
                            "must not lie behind active_from");
    }
    made->measured_from_ns = met__minute_first(made->measured_from_ns);
    if (met__recurrence_period_at(usage_period, made->measured_from_ns,
                                  &period, NULL)
        != MET_OK) {
        return met__fail_at(call->info, MET_E_INVALID, call->path,
                            "measure_usage_from",
                            "gives a period outside of the years 1970 to 2200");
    }
    return MET_OK;
}

static met_error set_times(const met__entitled_call *call, met__lone *made)
{
    if (made->active_from_ns < 0) {
        made->active_from_ns = call->now_ns;
    }
    if (made->active_from_ns < call->now_ns - LATE_NS && !call->allow_past) {
        return met__fail_at(call->info, MET_E_INVALID, call->path,
                            "active_from",
                            "must not lie more than 2 minutes in the past");
    }
    if (made->active_to_ns <= made->active_from_ns) {
        return met__fail_at(call->info, MET_E_INVALID, call->path,
                            "active_to", "must be after active_from");
    }
    return made->terms.type == MET__ENTITLEMENT_METERED
               ? set_measure(call, made)
               : MET_OK;
}

/* Known before anybody uses it. Of one that a reset by hand begins so late the
 * last period is cut by the end of the times. */
static met_error check_periods(const met__holder *holder,
                               met_error_info *info)
{
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *at = &holder->allowances[i];
        met__period period;
        if (at->row.type == MET__ENTITLEMENT_METERED
            && !at->begins_with_reset && at->row.from_ns < at->row.to_ns
            && met__recurrence_period_at(&at->row.usage_period,
                                         at->row.from_ns, &period, NULL)
                   != MET_OK) {
            return met__fail(info, MET_E_INVALID, "usage_period",
                             "an entitlement of the customer would have a "
                             "period outside of the years 1970 to 2200");
        }
    }
    return MET_OK;
}

met_error met__entitlements_check(met__txn *txn, met__text customer_key,
                                  met__arena *arena, met_error_info *info)
{
    met__holder *holder = NULL;
    met_error error =
        met__holder_by_key(txn, customer_key, arena, &holder, info);
    const met__allowance *twice =
        error == MET_OK ? met__holder_twice(holder) : NULL;

    if (error == MET_OK && twice == NULL) {
        error = check_periods(holder, info);
    }
    if (twice == NULL) {
        return error;
    }
    return met__fail(info, MET_E_CONFLICT, "feature",
                     "the customer would have two entitlements to \"%.*s\" at "
                     "a time",
                     (int)twice->card->feature_key.size,
                     twice->card->feature_key.data);
}

static met__lone *lone_of(const met__holder *holder, met__text id)
{
    for (size_t i = 0; i < holder->entitled.lone_count; i++) {
        if (met__text_equal(holder->entitled.lones[i].id, id)) {
            return &holder->entitled.lones[i];
        }
    }
    return NULL;
}

static met_error end_lone(const met__entitled_call *call,
                          const met__holder *holder,
                          const met__allowance *allowance, int64_t at_ns)
{
    met__lone *lone = lone_of(holder, allowance->id);

    if (lone == NULL) {
        return met__fail(call->info, MET_E_CONFLICT, "feature_key",
                         "the entitlement is the subscription's %.*s",
                         (int)allowance->id.size, allowance->id.data);
    }
    lone->active_to_ns = at_ns;
    lone->updated_at_ns = call->now_ns;
    return met__lone_put(call->txn, lone, call->arena);
}

/* The one that overlaps the new one's beginning ends there. */
static met_error override(const met__entitled_call *call,
                          const met__lone *made)
{
    met__holder *holder = NULL;
    met_error error =
        met__holder_by_key(call->txn, made->owner.customer_key, call->arena,
                           &holder, call->info);

    if (error != MET_OK) {
        return error;
    }
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *at = &holder->allowances[i];
        if (met__text_equal(at->card->feature_key, made->owner.feature_key)
            && at->row.from_ns < made->active_from_ns
            && made->active_from_ns < at->row.to_ns) {
            return end_lone(call, holder, at, made->active_from_ns);
        }
    }
    return met__fail_at(call->info, MET_E_NOT_FOUND, call->path, "feature",
                        "there is no entitlement in force to override");
}

met_error met__lone_create(const met__entitled_call *call,
                           const met__node *node, int overrides,
                           met__lone *lone_out)
{
    met__lone made;
    met_error error = met__lone_read(node, call->path, 0, call->arena, &made,
                                     call->info);

    if (error == MET_OK) {
        error = find_owner(call, &made);
    }
    if (error == MET_OK) {
        error = set_times(call, &made);
    }
    if (error == MET_OK && overrides) {
        error = override(call, &made);
    }
    if (error == MET_OK) {
        made.created_at_ns = call->now_ns;
        made.updated_at_ns = call->now_ns;
        error = met__object_id(call->txn, call->now_ns, call->arena,
                               &made.id);
    }
    if (error == MET_OK) {
        error = met__lone_put(call->txn, &made, call->arena);
    }
    if (error == MET_OK) {
        error = met__entitlements_check(call->txn, made.owner.customer_key,
                                        call->arena, call->info);
    }
    if (error == MET_OK) {
        *lone_out = made;
    }
    return error;
}

/* --- Ending --------------------------------------------------------------- */
met_error met__lone_remove(const met__entitled_call *call,
                           met__text customer_key, met__text feature_key)
{
    const met__allowance *next = NULL;
    met__holder *holder = NULL;
    met_error error = met__holder_by_key(call->txn, customer_key, call->arena,
                                         &holder, call->info);

    if (error != MET_OK) {
        return error;
    }
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *at = &holder->allowances[i];
        if (at->row.from_ns < at->row.to_ns && at->row.to_ns > call->now_ns
            && met__text_equal(at->card->feature_key, feature_key)
            && (next == NULL || at->row.from_ns < next->row.from_ns)) {
            next = at;
        }
    }
    if (next == NULL) {
        return met__fail(call->info, MET_E_NOT_FOUND, "feature_key",
                         "there is no entitlement to \"%.*s\"",
                         (int)feature_key.size, feature_key.data);
    }
    return end_lone(call, holder, next,
                    next->row.from_ns > call->now_ns ? next->row.from_ns
                                                     : call->now_ns);
}

/* --- Resets --------------------------------------------------------------- */
/* The usage periods of an entitlement: one entry for every row of it. */
static met_error entries_of(const met__holder *holder,
                            const met__allowance *allowance,
                            met__arena *arena, met__usage_entry **entries_out,
                            size_t *count_out)
{
    met__usage_entry *entries =
        met__arena_allocate(arena, holder->count * sizeof *entries);
    size_t count = 0;

    if (entries == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *at = &holder->allowances[i];
        if (met__text_equal(at->id, allowance->id)
            && at->life.from_ns == allowance->life.from_ns
            && met__text_equal(at->card->feature_key,
                               allowance->card->feature_key)) {
            entries[count++] = (met__usage_entry){at->measured_from_ns,
                                                  at->row.usage_period};
        }
    }
    *entries_out = entries;
    *count_out = count;
    return MET_OK;
}

met_error met__entitlement_reset(const met__entitled_call *call,
                                 met__text customer_key,
                                 met__text feature_key,
                                 const met__reset_request *request,
                                 int64_t *at_ns_out)
{
    int64_t at_ns = request->at_ns < 0 ? call->now_ns : request->at_ns;
    met__usage_entry *entries = NULL;
    met__holder *holder = NULL;
    met__usage_entry entry;
    size_t count = 0;
    met_error error = met__holder_by_key(call->txn, customer_key, call->arena,
                                         &holder, call->info);

    if (error != MET_OK) {
        return error;
    }
    const met__allowance *allowance =
        met__holder_find(holder, feature_key, call->now_ns);
    if (allowance == NULL) {
        return met__fail(call->info, MET_E_NOT_FOUND, "feature_key",
                         "there is no entitlement to \"%.*s\"",
                         (int)feature_key.size, feature_key.data);
    }
    if (allowance->row.type != MET__ENTITLEMENT_METERED) {
        return met__fail(call->info, MET_E_INVALID, "feature_key",
                         "the entitlement to \"%.*s\" is not metered",
                         (int)feature_key.size, feature_key.data);
    }
    if (at_ns < allowance->row.from_ns) {
        return met__fail(call->info, MET_E_INVALID, "at",
                         "the reset is before current usage period start");
    }
    error = entries_of(holder, allowance, call->arena, &entries, &count);
    if (error == MET_OK) {
        error = met__usage_reset(entries, count, at_ns, call->now_ns,
                                 request->retains_anchor, &entry, call->info);
    }
    if (error == MET_OK) {
        met__entitled_owner owner = {holder->customer->id,
                                     holder->customer->key, feature_key};
        met__stored_reset reset = {
            feature_key, at_ns, request->retains_anchor,
            request->preserves_overage >= 0 ? request->preserves_overage
                                            : allowance->preserves_overage};
        error = met__reset_put(call->txn, &owner, &reset, call->arena);
    }
    if (error == MET_OK) {
        *at_ns_out = at_ns;
    }
    return error;
}

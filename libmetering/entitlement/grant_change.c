/* What happens to grants. In: documents, ids, instants. Out: changed records,
 * or the reason against it. */
#include "base/check.h"
#include "entitlement/allowance.h"
#include "entitlement/entitled_change.h"
#include "entitlement/entitled_parts.h"

/* --- What a grant is for -------------------------------------------------- */
/* In force now, or else the first to come. */
static const met__allowance *find_metered(const met__holder *holder,
                                          met__text feature_key,
                                          int64_t now_ns)
{
    const met__allowance *found =
        met__holder_find(holder, feature_key, now_ns);

    for (size_t i = 0; found == NULL && i < holder->count; i++) {
        const met__allowance *at = &holder->allowances[i];
        if (at->row.from_ns > now_ns && at->row.from_ns < at->row.to_ns
            && met__text_equal(at->card->feature_key, feature_key)
            && (found == NULL || at->row.from_ns < found->row.from_ns)) {
            found = at;
        }
    }
    return found;
}

static met_error find_period(const met__entitled_call *call,
                             met__text customer_key, met__text feature_key,
                             met__holder **holder_out, met__period *period_out)
{
    met__path path = {call->path, "feature", 0};
    uint64_t number;
    met_error error = met__holder_by_key(call->txn, customer_key, call->arena,
                                         holder_out, call->info);

    if (error == MET_E_NOT_FOUND) {
        path.name = "customer";
        return met__fail_at(call->info, error, &path, "key",
                            "there is no such customer");
    }
    if (error != MET_OK) {
        return error;
    }
    const met__allowance *allowance =
        find_metered(*holder_out, feature_key, call->now_ns);
    if (allowance == NULL) {
        return met__fail_at(call->info, MET_E_NOT_FOUND, &path, "key",
                            "the customer has no entitlement to it");
    }
    if (allowance->row.type != MET__ENTITLEMENT_METERED) {
        return met__fail_at(call->info, MET_E_INVALID, &path, "key",
                            "the customer's entitlement is not metered");
    }
    return met__allowance_period(
        allowance,
        call->now_ns > allowance->row.from_ns ? call->now_ns
                                              : allowance->row.from_ns,
        &number, period_out);
}

/* --- Creating ------------------------------------------------------------- */
static met_error set_times(const met__entitled_call *call,
                           met__period period, met__stored_grant *made)
{
    met__grant *terms = &made->terms;

    if (terms->effective_at_ns < 0) {
        terms->effective_at_ns = call->now_ns;
    }
    if (met__minute_first(terms->effective_at_ns)
            < met__minute_first(period.from_ns)
        && !call->allow_past) {
        return met__fail_at(call->info, MET_E_INVALID, call->path,
                            "effective_at",
                            "the grant is before current usage period start");
    }
    return met__grant_set_times(made, call->path, call->info);
}

met_error met__grant_create(const met__entitled_call *call,
                            const met__node *node,
                            met__stored_grant *grant_out)
{
    met__holder *holder = NULL;
    met__stored_grant made;
    met__period period;
    met_error error = met__grant_read(node, call->path, 0, call->arena, &made,
                                      call->info);

    if (error == MET_OK) {
        error = find_period(call, made.owner.customer_key,
                            made.owner.feature_key, &holder, &period);
    }
    if (error == MET_OK) {
        error = set_times(call, period, &made);
    }
    if (error == MET_OK && holder->entitled.grant_count >= MET__GRANTS_MAX) {
        error = met__fail_at(call->info, MET_E_LIMIT, call->path, "customer",
                             "has %d grants", MET__GRANTS_MAX);
    }
    if (error == MET_OK) {
        made.owner.customer_id = holder->customer->id;
        made.terms.created_at_ns = call->now_ns;
        made.updated_at_ns = call->now_ns;
        error = met__object_id(call->txn, call->now_ns, call->arena,
                               &made.terms.id);
    }
    if (error == MET_OK) {
        error = met__grant_check(&made.terms, call->info);
    }
    if (error == MET_OK) {
        error = met__grant_put(call->txn, &made, call->arena);
    }
    if (error == MET_OK) {
        *grant_out = made;
    }
    return error;
}

/* --- Voiding -------------------------------------------------------------- */
met_error met__grant_void(const met__entitled_call *call, met__text id,
                          int64_t at_ns, met__stored_grant *grant_out)
{
    met__holder *holder = NULL;
    met__stored_grant found;
    met__period period;
    met_error error = met__grant_get(call->txn, id, call->arena, &found);

    if (error != MET_OK) {
        return error;
    }
    if (found.terms.voided_at_ns != MET__NEVER) {
        return met__fail(call->info, MET_E_CONFLICT, "id",
                         "the grant is voided already");
    }
    at_ns = at_ns == 0 ? call->now_ns : at_ns;
    if (at_ns > call->now_ns) {
        return met__fail(call->info, MET_E_INVALID, "at_ns",
                         "a grant cannot be voided in the future");
    }
    error = find_period(call, found.owner.customer_key,
                        found.owner.feature_key, &holder, &period);
    if (error == MET_OK && !call->allow_past
        && met__minute_first(at_ns) < met__minute_first(period.from_ns)
        && period.from_ns <= call->now_ns) {
        return met__fail(call->info, MET_E_INVALID, "at_ns",
                         "the void is before current usage period start");
    }
    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error; /* without an entitlement nothing is parted */
    }
    found.terms.voided_at_ns = at_ns;
    found.updated_at_ns = call->now_ns;
    error = met__grant_put(call->txn, &found, call->arena);
    if (error == MET_OK) {
        *grant_out = found;
    }
    return error;
}

/* --- Listing -------------------------------------------------------------- */
met_error met__grant_list(met__txn *txn, met__text customer_key,
                          met__text feature_key, met__arena *arena,
                          met__node **array_out, met_error_info *info)
{
    met__node *array = met__node_array(arena);
    met__customer *customer = NULL;
    met__entitled entitled = {0};
    met_error error = array == NULL ? MET_E_NO_MEMORY
                                    : met__customer_get(txn, customer_key,
                                                        arena, &customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "customer_key",
                         "there is no customer \"%.*s\"",
                         (int)customer_key.size, customer_key.data);
    }
    if (error == MET_OK) {
        error = met__entitled_each(txn, customer->id, arena, &entitled);
    }
    for (size_t i = 0; error == MET_OK && i < entitled.grant_count; i++) {
        met__node *node = NULL;
        if (feature_key.size > 0
            && !met__text_equal(entitled.grants[i].owner.feature_key,
                                feature_key)) {
            continue;
        }
        error = met__grant_document(&entitled.grants[i], arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    *array_out = array;
    return error;
}

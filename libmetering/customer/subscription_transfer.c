/* Subscriptions out of one store and into another, with all that happened to
 * them. In: exported documents, or the store. Out: records, or documents. */
#include "base/check.h"
#include "customer/subscription_document.h"
#include "store/records.h"

/* --- Exporting ------------------------------------------------------------ */
typedef struct exporting {
    met__txn *txn;
    met__arena *arena;
    met__node *subscriptions;
    met__node *plans;
} exporting;

/* Not when it is removed, or its customer is. */
static met_error is_wanted(exporting *to, const met__subscription *found,
                           int *is_wanted_out)
{
    met__customer *customer = NULL;

    *is_wanted_out = 0;
    if (found->deleted_at_ns != 0) {
        return MET_OK;
    }
    met_error error = met__customer_get(to->txn, found->customer_key,
                                        to->arena, &customer);
    if (error == MET_OK) {
        *is_wanted_out = met__text_equal(customer->id, found->customer_id);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error export_one(void *context, met__text key, met__node *record)
{
    exporting *to = context;
    met__subscription *found = NULL;
    met__plan *plan = NULL;
    int wanted = 0;

    (void)key;
    met_error error = met__record_error(met__subscription_read(
        record, NULL, MET__STATES_RECORD, to->arena, &found, NULL, NULL));
    if (error == MET_OK) {
        error = is_wanted(to, found, &wanted);
    }
    if (error != MET_OK || !wanted) {
        return error;
    }
    if (met__plan_is_custom(found->plan_key)) {
        error = met__subscription_plan(to->txn, found, to->arena, &plan);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
        if (error == MET_OK) {
            error = met__plan_export(plan, to->arena, to->plans);
        }
    }
    return error == MET_OK ? met__node_append(to->arena, to->subscriptions,
                                              record)
                           : error;
}

met_error met__subscription_export_all(met__txn *txn, met__arena *arena,
                                       met__node *subscriptions,
                                       met__node *plans)
{
    exporting to = {txn, arena, subscriptions, plans};

    return met__records_each(txn, MET__TABLE_SUBSCRIPTION, met__text_z(""),
                             arena, &to, export_one);
}

/* --- Importing ------------------------------------------------------------ */
static met_error check_references(met__txn *txn,
                                  const met__subscription *made,
                                  const met__path *path, met__arena *arena,
                                  met_error_info *info)
{
    met__path customer_path = {path, "customer", 0};
    met__customer *customer = NULL;
    met__plan *plan = NULL;
    size_t index;
    met_error error =
        met__customer_get(txn, made->customer_key, arena, &customer);

    if (error == MET_E_NOT_FOUND
        || (error == MET_OK
            && !met__text_equal(customer->id, made->customer_id))) {
        return met__fail_at(info, MET_E_NOT_FOUND, &customer_path, "key",
                            "there is no such customer");
    }
    if (error == MET_OK) {
        error = met__subscription_plan(txn, made, arena, &plan);
    }
    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(info, error, path, "plan",
                            "there is no such version");
    }
    if (error == MET_OK && made->starting_phase.size > 0
        && !met__plan_find_phase(plan, made->starting_phase, &index)) {
        error = met__fail_at(info, MET_E_INVALID, path, "starting_phase",
                             "the plan has no such phase");
    }
    return error;
}

met_error met__subscription_import(met__txn *txn, const met__node *node,
                                   const met__path *path, met__arena *arena,
                                   uint32_t *change_out,
                                   met__subscription **subscription_out,
                                   met_error_info *info)
{
    met__subscription *made = NULL;
    met__subscription *now = NULL;
    met__node *wanted = NULL;
    met__node *present = NULL;
    met_error error = met__subscription_read(node, path, MET__STATES_RECORD,
                                             arena, &made, NULL, info);

    if (error == MET_OK) {
        error = check_references(txn, made, path, arena, info);
    }
    if (error == MET_OK) {
        error = met__subscription_check_others(txn, made, path, NULL, arena,
                                               info);
    }
    if (error != MET_OK) {
        return error;
    }
    *subscription_out = made;
    *change_out = MET__CHANGE_CREATED;
    error = met__subscription_get(txn, made->id, arena, &now);
    if (error == MET_E_NOT_FOUND) {
        return met__subscription_put(txn, made, arena);
    }
    *change_out = MET__CHANGE_NONE;
    if (error == MET_OK) {
        error = met__subscription_build(made, arena, &wanted);
    }
    if (error == MET_OK) {
        error = met__subscription_build(now, arena, &present);
    }
    return error == MET_OK ? met__import_same(wanted, present, path, info)
                           : error;
}

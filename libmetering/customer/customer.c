/* Customers: who pays, and whose usage is theirs. In: documents. Out: records
 * of the tables CUSTOMER and SUBJECT. A subject belongs to one customer at
 * most, whether it is a key or is listed. */
#include "customer/customer_record.h"

#include "base/check.h"
#include "catalog/identity.h"
#include "customer/subscription.h"
#include "store/records.h"

/* --- Putting -------------------------------------------------------------- */
/* What may not change while a subscription runs or is to run. */
static met_error check_subscriptions(met__txn *txn, const met__customer *now,
                                     const met__customer *wanted,
                                     const met__path *path, int64_t now_ns,
                                     met__arena *arena, met_error_info *info)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(txn, now->key, arena, &list,
                                             &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint32_t status = met__subscription_status_at(list[i], now_ns);
        if (status == MET__SUBSCRIPTION_INACTIVE) {
            continue;
        }
        if (status != MET__SUBSCRIPTION_SCHEDULED
            && !met__customer_same_subjects(now, wanted)) {
            return met__fail_at(info, MET_E_CONFLICT, path,
                                "usage_attribution",
                                "the subjects of a customer stay while a "
                                "subscription runs");
        }
        if (now->currency.size > 0
            && !met__text_equal(now->currency, wanted->currency)) {
            return met__fail_at(info, MET_E_CONFLICT, path, "currency",
                                "the currency of a customer stays while a "
                                "subscription runs or is scheduled");
        }
    }
    return error;
}

static int same_customer(const met__customer *a, const met__customer *b)
{
    int is_same = met__text_equal(a->name, b->name)
                  && met__text_equal(a->description, b->description)
                  && met__labels_equal(a->labels, b->labels)
                  && met__text_equal(a->currency, b->currency)
                  && a->subject_count == b->subject_count;

    /* The order is kept as it was stated last. */
    for (size_t i = 0; is_same && i < a->subject_count; i++) {
        is_same = met__text_equal(a->subjects[i], b->subjects[i]);
    }
    return is_same;
}

static met_error put(met__txn *txn, const met__node *node,
                     const met__path *path, int64_t now_ns, met__arena *arena,
                     uint32_t *change, met_error_info *info)
{
    met__customer_stored *wanted = NULL;
    met__customer_stored *now = NULL;
    met_error error =
        met__customer_read_stored(node, path, 0, arena, &wanted, info);

    if (error == MET_OK) {
        error = met__customer_check_subjects(txn, &wanted->customer, node,
                                             path, info);
    }
    if (error != MET_OK) {
        return error;
    }
    error = met__customer_get_stored(txn, wanted->customer.key, arena, &now);
    if (error == MET_OK) {
        if (wanted->customer.currency.size == 0) {
            wanted->customer.currency = now->customer.currency;
        }
        if (same_customer(&now->customer, &wanted->customer)) {
            *change = MET__CHANGE_NONE;
            return MET_OK;
        }
        *change = MET__CHANGE_UPDATED;
        wanted->customer.id = now->customer.id;
        wanted->created_at_ns = now->created_at_ns;
        error = check_subscriptions(txn, &now->customer, &wanted->customer,
                                    path, now_ns, arena, info);
    } else if (error == MET_E_NOT_FOUND) {
        *change = MET__CHANGE_CREATED;
        wanted->created_at_ns = now_ns;
        error = met__object_id(txn, now_ns, arena, &wanted->customer.id);
    }
    wanted->updated_at_ns = met__customer_changed_at(
        now != NULL ? now->updated_at_ns : 0, now_ns);
    if (error == MET_OK) {
        error = met__customer_index_subjects(
            txn, now != NULL ? &now->customer : NULL, &wanted->customer);
    }
    return error == MET_OK
               ? met__customer_put_stored(txn, wanted->customer.key, wanted,
                                          arena)
               : error;
}

met_error met__customer_put(met__txn *txn, const met__node *node,
                            const met__path *path, int64_t now_ns,
                            uint32_t *change_out, met_error_info *info)
{
    met__arena arena;
    uint32_t change = MET__CHANGE_NONE;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = put(txn, node, path, now_ns, &arena, &change, info);
    met__arena_release(&arena);
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

met_error met__customer_set_currency(met__txn *txn, met__text key,
                                     met__text currency, int64_t now_ns)
{
    met__arena arena;
    met__customer_stored *now = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__customer_get_stored(txn, key, &arena, &now);
    if (error == MET_OK && now->customer.currency.size == 0) {
        now->customer.currency = currency;
        now->updated_at_ns =
            met__customer_changed_at(now->updated_at_ns, now_ns);
        error = met__customer_put_stored(txn, key, now, &arena);
    }
    met__arena_release(&arena);
    return error;
}

static met_error import(met__txn *txn, const met__node *node,
                        const met__path *path, met__arena *arena,
                        uint32_t *change, met_error_info *info)
{
    met__customer_stored *made = NULL;
    met__customer_stored *now = NULL;
    met__node *wanted = NULL;
    met__node *present = NULL;
    met_error error =
        met__customer_read_stored(node, path, 1, arena, &made, info);

    if (error == MET_OK && made->customer.deleted_at_ns != 0) {
        error = met__fail_at(info, MET_E_INVALID, path, "deleted_at",
                             "is of a customer that is gone");
    }
    if (error == MET_OK) {
        error = met__customer_check_subjects(txn, &made->customer, node, path,
                                             info);
    }
    if (error != MET_OK) {
        return error;
    }
    *change = MET__CHANGE_CREATED;
    error = met__customer_get_stored(txn, made->customer.key, arena, &now);
    if (error == MET_E_NOT_FOUND) {
        error = met__customer_index_subjects(txn, NULL, &made->customer);
        return error == MET_OK
                   ? met__customer_put_stored(txn, made->customer.key, made,
                                              arena)
                   : error;
    }
    *change = MET__CHANGE_NONE;
    if (error == MET_OK) {
        error = met__customer_build(made, arena, &wanted);
    }
    if (error == MET_OK) {
        error = met__customer_build(now, arena, &present);
    }
    return error == MET_OK ? met__import_same(wanted, present, path, info)
                           : error;
}

met_error met__customer_import(met__txn *txn, const met__node *node,
                               const met__path *path, uint32_t *change_out,
                               met_error_info *info)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = import(txn, node, path, &arena, change_out, info);
    met__arena_release(&arena);
    return error;
}

/* --- Removing ------------------------------------------------------------- */
met_error met__customer_check_removal(met__txn *txn, met__text key,
                                      int64_t now_ns, met__arena *arena,
                                      met_error_info *info)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(txn, key, arena, &list, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint32_t status = met__subscription_status_at(list[i], now_ns);
        if (status != MET__SUBSCRIPTION_INACTIVE) {
            return met__fail(
                info, MET_E_CONFLICT, "key",
                "deleting_customer_with_active_subscriptions: the "
                "subscription %.*s to the plan \"%.*s\" is %s",
                (int)list[i]->id.size, list[i]->id.data,
                (int)list[i]->plan_key.size, list[i]->plan_key.data,
                met__subscription_status_name(status));
        }
    }
    return error;
}

static met_error remove_customer(met__txn *txn, met__text key, int64_t now_ns,
                                 met__arena *arena, met_error_info *info)
{
    met__customer_stored *now = NULL;
    met__text kept_key;
    met_error error = met__customer_get_stored(txn, key, arena, &now);

    if (error == MET_OK) {
        error = met__customer_check_removal(txn, key, now_ns, arena, info);
    }
    if (error == MET_OK) {
        error = met__object_key(arena, key, now->customer.id, &kept_key);
    }
    if (error == MET_OK) {
        error = met__customer_index_subjects(txn, &now->customer, NULL);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_CUSTOMER, key.data, key.size);
    }
    if (error == MET_OK) {
        now->customer.deleted_at_ns = now_ns;
        now->updated_at_ns =
            met__customer_changed_at(now->updated_at_ns, now_ns);
        error = met__customer_put_stored(txn, kept_key, now, arena);
    }
    return error;
}

met_error met__customer_remove(met__txn *txn, met__text key, int64_t now_ns,
                               met_error_info *info)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = remove_customer(txn, key, now_ns, &arena, info);
    met__arena_release(&arena);
    return error;
}

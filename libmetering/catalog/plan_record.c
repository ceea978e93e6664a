/* Versions of plans as records: keeping and finding them, and what refuses one.
 * In: structs and keys. Out: records of the table PLAN. What may become of a
 * version is decided in plan_store.c. */
#include "catalog/plan_versions.h"

#include "base/check.h"
#include "store/records.h"

/* --- Records -------------------------------------------------------------- */
met_error met__plan_version_key(met__arena *arena, met__text key,
                                uint32_t version, met__text *key_out)
{
    unsigned char bytes[4];

    met__put_u32(bytes, version);
    return met__object_key(arena, key,
                           met__text_of((const char *)bytes, sizeof bytes),
                           key_out);
}

met_error met__plan_version_put(met__txn *txn, const met__plan *plan,
                                met__arena *arena)
{
    met__text store_key;
    met__node *node = NULL;
    met_error error =
        met__plan_version_key(arena, plan->key, plan->version, &store_key);

    if (error == MET_OK) {
        error = met__plan_build(plan, MET__PLAN_WHOLE, NULL, NULL, arena,
                                &node);
    }
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_PLAN, store_key.data,
                                store_key.size, node);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

static met_error add_version(void *context, met__text key, met__node *record)
{
    met__plan_versions *list = context;

    (void)key;
    if ((list->count & (list->count - 1)) == 0) {
        met__plan **more = met__arena_allocate(
            list->arena,
            met__list_bytes(list->count + 1, sizeof *list->plans));
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (list->count > 0) {
            memcpy(more, list->plans, list->count * sizeof *more);
        }
        list->plans = more;
    }
    return met__plan_read_record(record, list->arena,
                                 &list->plans[list->count++]);
}

met_error met__plan_versions_load(met__txn *txn, met__text key,
                                  met__arena *arena,
                                  met__plan_versions *list_out)
{
    met__text prefix;

    *list_out = (met__plan_versions){arena, 0, NULL};
    met_error error = met__object_key(arena, key, met__text_z(""), &prefix);
    if (error == MET_OK) {
        error = met__records_each(txn, MET__TABLE_PLAN, prefix, arena,
                                  list_out, add_version);
    }
    return error == MET_OK && list_out->count == 0 ? MET_E_NOT_FOUND : error;
}

uint32_t met__plan_status(const met__plan *plan, int64_t at_ns)
{
    return met__plan_status_at(plan->effective_from_ns, plan->effective_to_ns,
                               at_ns);
}

/* --- Getting -------------------------------------------------------------- */
met_error met__plan_get(met__txn *txn, met__text key, uint32_t version,
                        int64_t at_ns, met__arena *arena, met__plan **plan_out)
{
    met__text store_key;
    met__node *node = NULL;
    met__plan_versions list;

    MET__ASSERT(key.size > 0);
    if (version != 0) {
        met_error error =
            met__plan_version_key(arena, key, version, &store_key);
        if (error == MET_OK) {
            error = met__record_get(txn, MET__TABLE_PLAN, store_key.data,
                                    store_key.size, arena, &node);
        }
        return error == MET_OK ? met__plan_read_record(node, arena, plan_out)
                               : error;
    }
    met_error error = met__plan_versions_load(txn, key, arena, &list);
    while (error == MET_OK && list.count > 0) {
        met__plan *plan = list.plans[--list.count];
        if (met__plan_status(plan, at_ns) == MET__PLAN_ACTIVE) {
            *plan_out = plan;
            return MET_OK;
        }
    }
    return error == MET_OK ? MET_E_NOT_FOUND : error;
}

met_error met__plan_latest(met__txn *txn, met__text key, met__arena *arena,
                           met__plan **plan_out)
{
    met__plan_versions list;
    met_error error = met__plan_versions_load(txn, key, arena, &list);

    if (error == MET_OK) {
        *plan_out = list.plans[list.count - 1];
    }
    return error;
}

met_error met__plan_highest(met__txn *txn, met__text key, int64_t now_ns,
                            met__arena *arena, met__plan **plan_out)
{
    met__plan_versions list;
    met_error error = met__plan_versions_load(txn, key, arena, &list);

    while (error == MET_OK && list.count > 0) {
        met__plan *plan = list.plans[--list.count];
        uint32_t status = met__plan_status(plan, now_ns);
        if (status == MET__PLAN_ACTIVE || status == MET__PLAN_ARCHIVED) {
            *plan_out = plan;
            return MET_OK;
        }
    }
    return error == MET_OK ? MET_E_NOT_FOUND : error;
}

met_error met__plan_list(met__txn *txn, int64_t now_ns, met__arena *arena,
                         met__node **array_out)
{
    met__node *array = met__node_array(arena);
    met__plan_versions list = {arena, 0, NULL};
    met_error error =
        array == NULL ? MET_E_NO_MEMORY
                      : met__records_each(txn, MET__TABLE_PLAN,
                                          met__text_z(""), arena, &list,
                                          add_version);

    for (size_t i = 0; error == MET_OK && i < list.count; i++) {
        met__node *node = NULL;
        if (met__plan_is_custom(list.plans[i]->key)) {
            continue;
        }
        error = met__plan_document(txn, list.plans[i], now_ns, arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    if (error == MET_OK) {
        *array_out = array;
    }
    return error;
}

met_error met__rate_card_feature(met__txn *txn, const met__rate_card *card,
                                 met__arena *arena, met__feature **feature_out)
{
    if (card->feature_key.size == 0) {
        return MET_E_NOT_FOUND;
    }
    return met__feature_of(txn, card->feature_key, card->feature_id, arena,
                           feature_out);
}

/* --- Custom plans --------------------------------------------------------- */
int met__plan_is_custom(met__text plan_key)
{
    return met__text_looks_like_id(plan_key);
}

met_error met__plan_put_custom(met__txn *txn, const met__node *node,
                               const met__path *path,
                               met__text subscription_id, int64_t now_ns,
                               met__arena *arena, met__plan **plan_out,
                               met_error_info *info)
{
    met__plan *plan = NULL;
    met__node *issues = NULL;
    met_error error = met__plan_read_custom(node, path, arena, &plan, info);

    MET__ASSERT(met__plan_is_custom(subscription_id));
    if (error == MET_OK) {
        plan->id = subscription_id;
        plan->key = subscription_id;
        plan->version = 1;
        plan->effective_from_ns = now_ns;
        plan->created_at_ns = now_ns;
        plan->updated_at_ns = now_ns;
        error = met__plan_issues(txn, plan, path, arena, &issues);
    }
    if (error == MET_OK) {
        error = met__plan_refuse(issues, NULL, info);
    }
    if (error == MET_OK) {
        error = met__plan_check_served(plan, path, info);
    }
    if (error == MET_OK) {
        error = met__plan_pin(txn, plan, arena);
    }
    if (error == MET_OK) {
        error = met__plan_version_put(txn, plan, arena);
    }
    if (error == MET_OK) {
        *plan_out = plan;
    }
    return error;
}

/* --- Exporting ------------------------------------------------------------ */
met_error met__plan_export(const met__plan *plan, met__arena *arena,
                           met__node *array)
{
    met__node *node = NULL;
    met_error error =
        met__plan_build(plan, MET__PLAN_WHOLE, NULL, NULL, arena, &node);

    return error == MET_OK ? met__node_append(arena, array, node) : error;
}

met_error met__plan_export_all(met__txn *txn, met__arena *arena,
                               met__node *array)
{
    met__plan_versions list = {arena, 0, NULL};
    met_error error = met__records_each(txn, MET__TABLE_PLAN, met__text_z(""),
                                        arena, &list, add_version);

    for (size_t i = 0; error == MET_OK && i < list.count; i++) {
        if (!met__plan_is_custom(list.plans[i]->key)) {
            error = met__plan_export(list.plans[i], arena, array);
        }
    }
    return error;
}

/* A version that was published keeps a feature that was archived since. */
static met_error check_import(met__txn *txn, met__plan *plan,
                              const met__path *path, met__arena *arena,
                              met_error_info *info)
{
    met__node *issues = NULL;
    met_error error = met__plan_issues(txn, plan, path, arena, &issues);

    if (error != MET_OK || plan->effective_from_ns == 0) {
        return error == MET_OK ? met__plan_refuse(issues, "critical", info)
                               : error;
    }
    met__node *other = met__node_array(arena);
    error = other != NULL ? MET_OK : MET_E_NO_MEMORY;
    for (uint32_t i = 0; error == MET_OK && i < issues->count; i++) {
        met__node *issue = issues->as.items[i];
        if (!met__text_equal(met__node_get(issue, "code")->as.text,
                             MET__TEXT("rate_card_feature_archived"))) {
            error = met__node_append(arena, other, issue);
        }
    }
    if (error == MET_OK) {
        error = met__plan_refuse(other, NULL, info);
    }
    if (error == MET_OK) {
        error = met__plan_check_served(plan, path, info);
    }
    return error == MET_OK ? met__plan_pin(txn, plan, arena) : error;
}

static met_error import(met__txn *txn, const met__node *node,
                        const met__path *path, met__arena *arena,
                        uint32_t *change, met_error_info *info)
{
    met__plan *plan = NULL;
    met__plan *now = NULL;
    met__node *wanted = NULL;
    met__node *present = NULL;
    met_error error = met__plan_read_exported(node, path, arena, &plan, info);

    if (error == MET_OK) {
        error = check_import(txn, plan, path, arena, info);
    }
    if (error != MET_OK) {
        return error;
    }
    *change = MET__CHANGE_CREATED;
    error = met__plan_get(txn, plan->key, plan->version, 0, arena, &now);
    if (error == MET_E_NOT_FOUND) {
        return met__plan_version_put(txn, plan, arena);
    }
    *change = MET__CHANGE_NONE;
    if (error == MET_OK) {
        error = met__plan_build(plan, MET__PLAN_WHOLE, NULL, NULL, arena,
                                &wanted);
    }
    if (error == MET_OK) {
        error = met__plan_build(now, MET__PLAN_WHOLE, NULL, NULL, arena,
                                &present);
    }
    return error == MET_OK ? met__import_same(wanted, present, path, info)
                           : error;
}

met_error met__plan_import(met__txn *txn, const met__node *node,
                           const met__path *path, uint32_t *change_out,
                           met_error_info *info)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = import(txn, node, path, &arena, change_out, info);
    met__arena_release(&arena);
    return error;
}

/* --- Refusing ------------------------------------------------------------- */
met_error met__plan_refuse(const met__node *issues, const char *severity,
                           met_error_info *info)
{
    const met__node *first = NULL;
    unsigned others = 0;

    for (uint32_t i = 0; i < issues->count; i++) {
        const met__node *issue = issues->as.items[i];
        if (severity != NULL
            && !met__text_equal(met__node_get(issue, "severity")->as.text,
                                met__text_z(severity))) {
            continue;
        }
        others += first != NULL;
        first = first != NULL ? first : issue;
    }
    if (first == NULL) {
        return MET_OK;
    }
    const met__node *field = met__node_get(first, "field");
    const char *code = met__node_get(first, "code")->as.text.data;
    const char *message = met__node_get(first, "message")->as.text.data;
    const char *at = field != NULL ? field->as.text.data : "";
    if (others == 0) {
        return met__fail(info, MET_E_INVALID, at, "%s: %s", code, message);
    }
    return met__fail(info, MET_E_INVALID, at, "%s: %s (and %u more)", code,
                     message, others);
}

met_error met__plan_check_served(const met__plan *plan, const met__path *path,
                                 met_error_info *info)
{
    if (plan->settlement_mode == MET__SETTLE_CREDIT_ONLY) {
        return met__fail_at(info, MET_E_UNSUPPORTED, path, "settlement_mode",
                            "customers have no credits in this version");
    }
    return MET_OK;
}

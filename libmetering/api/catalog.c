/* catalog.h: features and plans; arguments checked here, rules in catalog. */
#include "metering/catalog.h"

#include "api/document_call.h"
#include "catalog/plan.h"
#include "customer/subscription.h"
#include "gateway/entity.h"

/* --- Features ------------------------------------------------------------- */
met_error met_feature_put(met_store *store, const char *json,
                          size_t json_size, met_buffer *json_out,
                          met_error_info *info)
{
    return met__call_put_keyed(store, json, json_size, "feature",
                               met__feature_put, met__feature_document,
                               json_out, info);
}

met_error met_feature_get(met_store *store, const char *key, size_t key_size,
                          met_buffer *json_out, met_error_info *info)
{
    return met__call_show(store, key, key_size, met__feature_document, json_out,
                          info);
}

met_error met_feature_list(met_store *store, met_buffer *json_out,
                           met_error_info *info)
{
    return met__call_list(store, met__feature_list, json_out, info);
}

met_error met_feature_archive(met_store *store, const char *key,
                              size_t key_size, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        met__call_by_key(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__feature_archive(call.txn, text,
                                     met__txn_now_ns(call.txn), &call.why);
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* --- Plans ---------------------------------------------------------------- */
/* A custom plan is stored as a plan, but is its subscription's own. */
static met_error begin_plan(met__call *call, met_store *store,
                            const char *key, size_t key_size, int is_write,
                            met__text *key_out, met_error_info *info)
{
    met_error error = met__call_by_key(call, store, key, key_size, is_write,
                                       key_out, info);

    return error == MET_OK && met__plan_is_custom(*key_out) ? MET_E_NOT_FOUND
                                                            : error;
}

/* A version of a plan (0: the newest) as a document. */
static met_error version_document(met__call *call, met__text key,
                                  uint32_t version, met__node **node_out)
{
    int64_t now_ns = met__txn_now_ns(call->txn);
    met__plan *plan = NULL;
    met_error error =
        version != 0 ? met__plan_get(call->txn, key, version, now_ns,
                                     &call->arena, &plan)
                     : met__plan_latest(call->txn, key, &call->arena, &plan);

    return error == MET_OK
               ? met__plan_document(call->txn, plan, now_ns, &call->arena,
                                    node_out)
               : error;
}

met_error met_plan_put(met_store *store, const char *json, size_t json_size,
                       met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "plan", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_put(&call, store, json, json_size, &node,
                                    info);

    if (error == MET_OK) {
        error = met__plan_put(call.txn, node, &path, NULL, &call.why);
    }
    if (error == MET_OK) {
        const met__node *version = met__node_get(node, "version");
        int is_named = version != NULL && version->kind == MET__NODE_INTEGER;
        error = version_document(
            &call, met__node_get(node, "key")->as.text,
            is_named ? (uint32_t)version->as.integer : 0, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_plan_publish(met_store *store, const char *key, size_t key_size,
                           int64_t at_ns, uint64_t flags, met_buffer *json_out,
                           met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error =
        begin_plan(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__call_flags(&call, flags, MET_ALLOW_PAST);
    }
    if (error == MET_OK) {
        met__publish when = {at_ns, met__txn_now_ns(call.txn),
                             (flags & MET_ALLOW_PAST) != 0};
        error = met__plan_publish(call.txn, text, &when, &call.why);
    }
    if (error == MET_OK) {
        error = version_document(&call, text, 0, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_plan_next(met_store *store, const char *key, size_t key_size,
                        met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error =
        begin_plan(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__plan_next(call.txn, text, met__txn_now_ns(call.txn),
                               &call.why);
    }
    if (error == MET_OK) {
        error = version_document(&call, text, 0, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_plan_archive(met_store *store, const char *key, size_t key_size,
                           met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        begin_plan(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__plan_archive(call.txn, text, met__txn_now_ns(call.txn),
                                  &call.why);
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* An archived version may have subscriptions, and one that was in force by a
 * clock that has stepped back since, though it is only scheduled. */
static met_error check_subscriptions(met__call *call, met__text key,
                                     uint32_t version)
{
    met__plan *plan = NULL;
    size_t count = 0;
    met_error error =
        version == 0 ? met__plan_latest(call->txn, key, &call->arena, &plan)
                     : met__plan_get(call->txn, key, version, 0, &call->arena,
                                     &plan);

    if (error == MET_OK) {
        error = met__subscription_to_plan(call->txn, key, plan->version,
                                          &count);
    }
    if (error == MET_OK && count > 0) {
        return met__fail(&call->why, MET_E_CONFLICT, "version",
                         "version %u has %zu subscriptions",
                         (unsigned)plan->version, count);
    }
    return error;
}

/* With the last version go the limits of its subscribers. */
static met_error forget_plan(met__call *call, met__text key)
{
    met__plan *plan;
    met_error error = met__plan_latest(call->txn, key, &call->arena, &plan);

    return error == MET_E_NOT_FOUND
               ? met__plugins_forget_plan(call->txn, key, &call->arena)
               : error;
}

met_error met_plan_remove(met_store *store, const char *key, size_t key_size,
                          uint32_t version, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        begin_plan(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = check_subscriptions(&call, text, version);
    }
    if (error == MET_OK) {
        error = met__plan_remove(call.txn, text, version,
                                 met__txn_now_ns(call.txn), &call.why);
    }
    if (error == MET_OK) {
        error = forget_plan(&call, text);
    }
    return met__call_end(&call, error, NULL, NULL);
}

met_error met_plan_get(met_store *store, const char *key, size_t key_size,
                       uint32_t version, int64_t at_ns, met_buffer *json_out,
                       met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__plan *plan = NULL;
    met__node *document = NULL;
    met_error error =
        begin_plan(&call, store, key, key_size, 0, &text, info);

    if (error == MET_OK) {
        error = met__call_needs(&call, json_out);
    }
    if (error == MET_OK && (at_ns < 0 || at_ns > MET__TIME_MAX)) {
        error = met__fail(&call.why, MET_E_INVALID, "at_ns",
                          "must be 0 or an instant until the year 2200");
    }
    if (error == MET_OK) {
        int64_t then_ns = at_ns != 0 ? at_ns : met__txn_now_ns(call.txn);
        error = met__plan_get(call.txn, text, version, then_ns, &call.arena,
                              &plan);
        if (error == MET_E_NOT_FOUND && version == 0) {
            error = met__plan_latest(call.txn, text, &call.arena, &plan);
        }
        if (error == MET_OK) {
            error = met__plan_document(call.txn, plan, then_ns, &call.arena,
                                       &document);
        }
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_plan_list(met_store *store, met_buffer *json_out,
                        met_error_info *info)
{
    met__call call;
    met__node *array = NULL;
    met_error error = met__call_read(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__plan_list(call.txn, met__txn_now_ns(call.txn),
                               &call.arena, &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

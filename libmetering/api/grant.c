/* grant.h: grants of customers; arguments checked here. */
#include "metering/grant.h"

#include "api/entitled_call.h"
#include "base/ulid.h"
#include "entitlement/access.h"

/* What changed is told to the quota cells; then the grant is the answer. */
static met_error finish(met__call *call, met_error error,
                        const met__stored_grant *grant, met_buffer *json_out)
{
    met__node *document = NULL;

    if (error == MET_OK) {
        error = met__entitled_announce(call, grant->owner.customer_key);
    }
    if (error == MET_OK) {
        error = met__grant_document(grant, &call->arena, &document);
    }
    return met__call_end(call, error, document, json_out);
}

met_error met_grant_create(met_store *store, const char *json,
                           size_t json_size, uint64_t flags,
                           met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "grant", 0};
    met__stored_grant made;
    met__call call;
    met__node *node = NULL;
    met_error error = met__call_create(&call, store, json, json_size,
                                       flags, &node, info);

    if (error == MET_OK) {
        met__entitled_call inner = met__entitled_begin(&call, &path, flags);
        error = met__grant_create(&inner, node, &made);
    }
    return finish(&call, error, &made, json_out);
}

met_error met_grant_get(met_store *store, const char *id, size_t id_size,
                        met_buffer *json_out, met_error_info *info)
{
    met__stored_grant found;
    met__node *document = NULL;
    met__text text = {NULL, 0};
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size, MET__ULID_SIZE, &text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__grant_get(call.txn, text, &call.arena, &found);
    }
    if (error == MET_OK) {
        error = met__grant_document(&found, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_grant_list(met_store *store, const char *customer_key,
                         size_t customer_key_size, const char *feature_key,
                         size_t feature_key_size, met_buffer *json_out,
                         met_error_info *info)
{
    met__text feature = {NULL, 0};
    met__text customer = {NULL, 0};
    met__node *array = NULL;
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK && (feature_key != NULL || feature_key_size != 0)) {
        error = met__call_key(&call, "feature_key", feature_key,
                              feature_key_size, MET__KEY_SIZE_MAX, &feature);
    }
    if (error == MET_OK) {
        error = met__call_key(&call, "customer_key", customer_key,
                              customer_key_size, MET__SUBJECT_SIZE_MAX,
                              &customer);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__grant_list(call.txn, customer, feature, &call.arena,
                                &array, &call.why);
    }
    return met__call_end_items(&call, error, array, json_out);
}

met_error met_grant_void(met_store *store, const char *id, size_t id_size,
                         int64_t at_ns, uint64_t flags, met_buffer *json_out,
                         met_error_info *info)
{
    met__stored_grant found;
    met__text text = {NULL, 0};
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size, MET__ULID_SIZE, &text);
    }
    if (error == MET_OK) {
        error = met__call_flags(&call, flags, MET_ALLOW_PAST);
    }
    if (error == MET_OK && (at_ns < 0 || at_ns > MET__TIME_MAX)) {
        error = met__fail(&call.why, MET_E_INVALID, "at_ns",
                          "must lie between 1970 and 2200");
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        met__entitled_call inner = met__entitled_begin(&call, NULL, flags);
        error = met__grant_void(&inner, text, at_ns, &found);
    }
    return finish(&call, error, &found, json_out);
}

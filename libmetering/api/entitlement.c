/* entitlement.h: access of customers; arguments checked here. */
#include "metering/entitlement.h"

#include "api/entitled_call.h"
#include "base/calendar.h"
#include "entitlement/access.h"
#include "entitlement/simulation.h"

/* 0 is now; what is beyond the calendar is refused. */
static met_error read_instant(met__call *call, int64_t at_ns,
                              int64_t *at_ns_out)
{
    if (at_ns < 0 || at_ns > MET__TIME_MAX) {
        return met__fail(&call->why, MET_E_INVALID, "at_ns",
                         "must lie between 1970 and 2200");
    }
    *at_ns_out = at_ns != 0 ? at_ns : met__txn_now_ns(call->txn);
    return MET_OK;
}

/* The keys of a call about one customer and one feature. */
static met_error read_keys(met__call *call, const char *customer_key,
                           size_t customer_key_size, const char *feature_key,
                           size_t feature_key_size, met__text *customer_out,
                           met__text *feature_out)
{
    met_error error =
        met__call_key(call, "customer_key", customer_key, customer_key_size,
                      MET__SUBJECT_SIZE_MAX, customer_out);

    return error == MET_OK
               ? met__call_key(call, "feature_key", feature_key,
                               feature_key_size, MET__KEY_SIZE_MAX,
                               feature_out)
               : error;
}

/* Begins a call that reads about one customer and one feature. */
static met_error begin_of_feature(met__call *call, met_store *store,
                                  const char *customer_key,
                                  size_t customer_key_size,
                                  const char *feature_key,
                                  size_t feature_key_size,
                                  met_buffer *json_out,
                                  met__text *customer_out,
                                  met__text *feature_out,
                                  met_error_info *info)
{
    met_error error = met__call_begin_answer(call, store, json_out, info);

    if (error == MET_OK) {
        error = read_keys(call, customer_key, customer_key_size, feature_key,
                          feature_key_size, customer_out, feature_out);
    }
    return error == MET_OK ? met__call_transact(call, 0) : error;
}

met_error met_entitlement_get(met_store *store, const char *customer_key,
                              size_t customer_key_size,
                              const char *feature_key,
                              size_t feature_key_size, int64_t at_ns,
                              met_buffer *json_out, met_error_info *info)
{
    met__text customer;
    met__text feature;
    met__node *node = NULL;
    met__call call;
    met_error error = begin_of_feature(
        &call, store, customer_key, customer_key_size, feature_key,
        feature_key_size, json_out, &customer, &feature, info);

    if (error == MET_OK) {
        error = read_instant(&call, at_ns, &at_ns);
    }
    if (error == MET_OK) {
        error = met__access_document(call.txn, customer, feature, at_ns,
                                     &call.arena, &node, &call.why);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_entitlement_list(met_store *store, const char *customer_key,
                               size_t customer_key_size, int64_t at_ns,
                               met_buffer *json_out, met_error_info *info)
{
    met__text customer;
    met__node *node = NULL;
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "customer_key", customer_key,
                              customer_key_size, MET__SUBJECT_SIZE_MAX,
                              &customer);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = read_instant(&call, at_ns, &at_ns);
    }
    if (error == MET_OK) {
        error = met__access_list(call.txn, customer, at_ns, &call.arena,
                                 &node, &call.why);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_entitlement_history(met_store *store, const char *customer_key,
                                  size_t customer_key_size,
                                  const char *feature_key,
                                  size_t feature_key_size, int64_t from_ns,
                                  int64_t to_ns, uint32_t window,
                                  met_buffer *json_out, met_error_info *info)
{
    met__text customer;
    met__text feature;
    met__node *node = NULL;
    met__call call;
    met_error error = begin_of_feature(
        &call, store, customer_key, customer_key_size, feature_key,
        feature_key_size, json_out, &customer, &feature, info);

    if (error == MET_OK && window > MET_HISTORY_DAY) {
        error = met__fail(&call.why, MET_E_INVALID, "window",
                          "must be MET_HISTORY_HOUR or MET_HISTORY_DAY");
    }
    if (error == MET_OK && (from_ns < 0 || from_ns > MET__TIME_MAX)) {
        error = met__fail(&call.why, MET_E_INVALID, "from_ns",
                          "must lie between 1970 and 2200");
    }
    if (error == MET_OK && (to_ns < 0 || to_ns > MET__TIME_MAX)) {
        error = met__fail(&call.why, MET_E_INVALID, "to_ns",
                          "must lie between 1970 and 2200");
    }
    if (error == MET_OK) {
        error = met__access_history(
            call.txn, customer, feature, (met__period){from_ns, to_ns},
            window == MET_HISTORY_DAY ? MET__DAY_NS : MET__HOUR_NS,
            &call.arena, &node, &call.why);
    }
    return met__call_end(&call, error, node, json_out);
}

/* --- Changing ------------------------------------------------------------- */
static met_error create(met_store *store, const char *json, size_t json_size,
                        uint64_t flags, int overrides, met_buffer *json_out,
                        met_error_info *info)
{
    static const met__path path = {NULL, "entitlement", 0};
    met__node *document = NULL;
    met__node *node = NULL;
    met__lone made;
    met__call call;
    met_error error = met__call_create(&call, store, json, json_size,
                                       flags, &node, info);

    if (error == MET_OK) {
        met__entitled_call inner = met__entitled_begin(&call, &path, flags);
        error = met__lone_create(&inner, node, overrides, &made);
    }
    if (error == MET_OK) {
        error = met__entitled_announce(&call, made.owner.customer_key);
    }
    if (error == MET_OK) {
        error = met__lone_document(&made, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_entitlement_create(met_store *store, const char *json,
                                 size_t json_size, uint64_t flags,
                                 met_buffer *json_out, met_error_info *info)
{
    return create(store, json, json_size, flags, 0, json_out, info);
}

met_error met_entitlement_override(met_store *store, const char *json,
                                   size_t json_size, uint64_t flags,
                                   met_buffer *json_out, met_error_info *info)
{
    return create(store, json, json_size, flags, 1, json_out, info);
}

met_error met_entitlement_remove(met_store *store, const char *customer_key,
                                 size_t customer_key_size,
                                 const char *feature_key,
                                 size_t feature_key_size,
                                 met_error_info *info)
{
    met__text customer;
    met__text feature;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = read_keys(&call, customer_key, customer_key_size, feature_key,
                          feature_key_size, &customer, &feature);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        met__entitled_call inner = met__entitled_begin(&call, NULL, 0);
        error = met__lone_remove(&inner, customer, feature);
    }
    if (error == MET_OK) {
        error = met__entitled_announce(&call, customer);
    }
    return met__call_end(&call, error, NULL, NULL);
}

met_error met_entitlement_reset(met_store *store, const char *customer_key,
                                size_t customer_key_size,
                                const char *feature_key,
                                size_t feature_key_size, const char *json,
                                size_t json_size, met_buffer *json_out,
                                met_error_info *info)
{
    static const met__path path = {NULL, "reset", 0};
    met__reset_request request = {-1, 0, -1};
    met__node *document = NULL;
    met__node *node = NULL;
    met__text customer;
    met__text feature;
    int64_t at_ns = 0;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = read_keys(&call, customer_key, customer_key_size, feature_key,
                          feature_key_size, &customer, &feature);
    }
    if (error == MET_OK && (json != NULL || json_size != 0)) {
        error = met__call_parse(&call, json, json_size, &node);
        if (error == MET_OK) {
            error = met__reset_read(node, &path, &request, &call.why);
        }
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        met__entitled_call inner = met__entitled_begin(&call, &path, 0);
        error = met__entitlement_reset(&inner, customer, feature, &request,
                                       &at_ns);
    }
    if (error == MET_OK) {
        error = met__entitled_announce(&call, customer);
    }
    if (error == MET_OK) {
        error = met__access_document(call.txn, customer, feature, at_ns,
                                     &call.arena, &document, &call.why);
    }
    return met__call_end(&call, error, document, json_out);
}

/* --- What-if -------------------------------------------------------------- */
met_error met_entitlement_simulate(const char *json, size_t json_size,
                                   const met_platform *platform,
                                   met_buffer *json_out, met_error_info *info)
{
    met__platform known;
    met__buffer buffer;
    met__arena arena;
    met__node *node = NULL;
    met__node *answer = NULL;
    met_error_info why = {.struct_size = sizeof why};

    if (json == NULL || json_out == NULL) {
        return met__fail(info, MET_E_INVALID, json ? "json_out" : "json",
                         "is NULL");
    }
    if (json_size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(info, MET_E_LIMIT, "json",
                         "has more than %d bytes", MET__DOCUMENT_SIZE_MAX);
    }
    met_error error = met__platform_init(&known, platform, info);
    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, &known);
    met__buffer_init(&buffer, &known);
    error = met__json_parse(&arena, met__text_of(json, json_size), &node,
                            &why);
    if (error == MET_OK) {
        error = met__simulate(node, &arena, &answer, &why);
    }
    if (error == MET_OK) {
        met__json_write(answer, 0, &buffer);
        error = met__buffer_give(&buffer, json_out);
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    if (error == MET_OK) {
        return MET_OK;
    }
    return why.code == error
               ? met__fail(info, error, why.field, "%s", why.reason)
               : met__fail_code(info, error);
}

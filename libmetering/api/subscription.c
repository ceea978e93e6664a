/* customer.h: subscriptions; arguments checked here, rules in customer. */
#include "api/entitled_call.h"
#include "base/ulid.h"
#include "customer/subscription.h"
#include "metering/customer.h"

static met_error check_id(met__call *call, const char *id, size_t id_size,
                          met__text *id_out)
{
    if (id == NULL || !met__ulid_is(id, id_size)) {
        return met__fail(&call->why, MET_E_INVALID, "id",
                         "must be an id of 26 characters");
    }
    *id_out = met__text_of(id, id_size);
    call->key_name = "id"; /* of what is not found, unless that is told */
    call->key = *id_out;
    return MET_OK;
}

static met_error begin_by_id(met__call *call, met_store *store,
                             const char *id, size_t id_size, int is_write,
                             met__text *id_out, met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK) {
        error = check_id(call, id, id_size, id_out);
    }
    return error == MET_OK ? met__call_transact(call, is_write) : error;
}

/* What changed must leave one entitlement to a feature at a time; it reaches
 * the quota cells and the notices. */
static met_error announce(met__call *call, met__text customer_key)
{
    met_error error = met__entitlements_check(call->txn, customer_key,
                                              &call->arena, &call->why);

    return error == MET_OK ? met__entitled_announce(call, customer_key)
                           : error;
}

/* --- Beginning ------------------------------------------------------------ */
met_error met_subscription_create(met_store *store, const char *json,
                                  size_t json_size, uint64_t flags,
                                  met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "subscription", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met__subscription *made = NULL;
    met_error error = met__call_create(&call, store, json, json_size,
                                       flags, &node, info);

    if (error == MET_OK) {
        met__subscribe when = {met__txn_now_ns(call.txn),
                               (flags & MET_ALLOW_PAST) != 0};
        error = met__subscription_create(call.txn, node, &path, &when,
                                         &call.arena, &made, &call.why);
        if (error == MET_OK) {
            error = announce(&call, made->customer_key);
        }
        if (error == MET_OK) {
            error = met__subscription_document(call.txn, made, when.now_ns,
                                               &call.arena, &document);
        }
    }
    return met__call_end(&call, error, document, json_out);
}

/* --- What may become of one ----------------------------------------------- */
/* What changed is announced and shown. */
static met_error end_changed(met__call *call, met_error error, met__text id,
                             met_buffer *json_out)
{
    met__subscription *found = NULL;
    met__node *document = NULL;

    if (error == MET_OK) {
        error = met__subscription_get(call->txn, id, &call->arena, &found);
    }
    if (error == MET_OK) {
        error = announce(call, found->customer_key);
    }
    if (error == MET_OK) {
        error = met__subscription_document(call->txn, found,
                                           met__txn_now_ns(call->txn),
                                           &call->arena, &document);
    }
    return met__call_end(call, error, document, json_out);
}

static met__cancel cancel_of(const met__call *call, int64_t at_ns,
                             uint64_t flags)
{
    return (met__cancel){at_ns, met__txn_now_ns(call->txn),
                         (flags & MET_CANCEL_NEXT_BILLING_CYCLE) != 0,
                         (flags & MET_ALLOW_PAST) != 0};
}

met_error met_subscription_cancel(met_store *store, const char *id,
                                  size_t id_size, int64_t at_ns,
                                  uint64_t flags, met_buffer *json_out,
                                  met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error = begin_by_id(&call, store, id, id_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__call_flags(&call, flags,
                            MET_ALLOW_PAST | MET_CANCEL_NEXT_BILLING_CYCLE);
    }
    if (error == MET_OK) {
        met__cancel when = cancel_of(&call, at_ns, flags);
        error = met__subscription_cancel(call.txn, text, &when, &call.why);
    }
    return end_changed(&call, error, text, json_out);
}

/* A transition that takes nothing but the instant. */
static met_error change_now(met_store *store, const char *id, size_t id_size,
                            met_error (*does)(met__txn *txn, met__text id,
                                              int64_t now_ns,
                                              met_error_info *info),
                            met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error = begin_by_id(&call, store, id, id_size, 1, &text, info);

    if (error == MET_OK) {
        error = does(call.txn, text, met__txn_now_ns(call.txn), &call.why);
    }
    return end_changed(&call, error, text, json_out);
}

met_error met_subscription_continue(met_store *store, const char *id,
                                    size_t id_size, met_buffer *json_out,
                                    met_error_info *info)
{
    return change_now(store, id, id_size, met__subscription_continue,
                      json_out, info);
}

met_error met_subscription_restore(met_store *store, const char *id,
                                   size_t id_size, met_buffer *json_out,
                                   met_error_info *info)
{
    return change_now(store, id, id_size, met__subscription_restore, json_out,
                      info);
}

met_error met_subscription_remove(met_store *store, const char *id,
                                  size_t id_size, met_error_info *info)
{
    return change_now(store, id, id_size, met__subscription_remove, NULL,
                      info);
}

/* --- What follows one ----------------------------------------------------- */
typedef met_error (*succeed)(met__txn *txn, met__text id,
                             const met__node *node, const met__path *path,
                             const met__cancel *when, met__arena *arena,
                             met__succession *out, met_error_info *info);

static met_error succession_document(met__call *call,
                                     const met__succession *both,
                                     met__node **node_out)
{
    int64_t now_ns = met__txn_now_ns(call->txn);
    met__node *node = NULL;
    met__builder builder;

    met__builder_begin(&builder, &call->arena);
    met_error error = met__subscription_document(
        call->txn, both->current, now_ns, &call->arena, &node);
    if (error == MET_OK) {
        met__build_node(&builder, "current", node);
        error = met__subscription_document(call->txn, both->next, now_ns,
                                           &call->arena, &node);
    }
    if (error == MET_OK) {
        met__build_node(&builder, "next", node);
        error = met__builder_end(&builder, node_out);
    }
    return error;
}

static met_error follow(met__call *call, met__text id, const met__node *node,
                        int64_t at_ns, uint64_t flags, succeed does,
                        met__node **node_out)
{
    static const met__path path = {NULL, "subscription", 0};
    met__succession both;
    met__cancel when = cancel_of(call, at_ns, flags);
    met_error error = does(call->txn, id, node, &path, &when, &call->arena,
                           &both, &call->why);

    if (error == MET_OK) {
        error = announce(call, both.next->customer_key);
    }
    return error == MET_OK ? succession_document(call, &both, node_out)
                           : error;
}

static met_error succeed_by(met_store *store, const char *id, size_t id_size,
                            const char *json, size_t json_size,
                            int is_json_needed, int64_t at_ns, uint64_t flags,
                            succeed does, met_buffer *json_out,
                            met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = check_id(&call, id, id_size, &text);
    }
    if (error == MET_OK) {
        error = met__call_flags(&call, flags,
                            MET_ALLOW_PAST | MET_CANCEL_NEXT_BILLING_CYCLE);
    }
    if (error == MET_OK
        && (is_json_needed || json != NULL || json_size != 0)) {
        error = met__call_parse(&call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = follow(&call, text, node, at_ns, flags, does, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_subscription_change(met_store *store, const char *id,
                                  size_t id_size, const char *json,
                                  size_t json_size, int64_t at_ns,
                                  uint64_t flags, met_buffer *json_out,
                                  met_error_info *info)
{
    return succeed_by(store, id, id_size, json, json_size, 1, at_ns, flags,
                      met__subscription_change, json_out, info);
}

met_error met_subscription_migrate(met_store *store, const char *id,
                                   size_t id_size, const char *json,
                                   size_t json_size, int64_t at_ns,
                                   uint64_t flags, met_buffer *json_out,
                                   met_error_info *info)
{
    return succeed_by(store, id, id_size, json, json_size, 0, at_ns, flags,
                      met__subscription_migrate, json_out, info);
}

/* --- Looking -------------------------------------------------------------- */
met_error met_subscription_get(met_store *store, const char *id,
                               size_t id_size, int64_t at_ns,
                               met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__subscription *found = NULL;
    met__node *document = NULL;
    met_error error = begin_by_id(&call, store, id, id_size, 0, &text, info);

    if (error == MET_OK) {
        error = met__call_needs(&call, json_out);
    }
    if (error == MET_OK && (at_ns < 0 || at_ns > MET__TIME_MAX)) {
        error = met__fail(&call.why, MET_E_INVALID, "at_ns",
                          "must be 0 or an instant until the year 2200");
    }
    if (error == MET_OK) {
        error = met__subscription_get(call.txn, text, &call.arena, &found);
    }
    if (error == MET_OK) {
        error = met__subscription_document_at(
            call.txn, found, at_ns != 0 ? at_ns : met__txn_now_ns(call.txn),
            &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_subscription_list(met_store *store, const char *customer_key,
                                size_t customer_key_size,
                                met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *array = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK && (customer_key != NULL || customer_key_size != 0)) {
        error = met__call_key(&call, "customer_key", customer_key,
                              customer_key_size, MET__SUBJECT_SIZE_MAX, &text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__subscription_list(call.txn, text,
                                       met__txn_now_ns(call.txn), &call.arena,
                                       &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

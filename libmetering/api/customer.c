/* customer.h: customers and subscriptions; arguments checked here, rules in
 * customer. */
#include "metering/customer.h"

#include "api/document_call.h"
#include "base/ulid.h"
#include "customer/subscription.h"
#include "entitlement/access.h"
#include "entitlement/notice.h"

/* Begins a call whose only argument is a key or a subject. */
static met_error begin_by_key(met__call *call, met_store *store,
                              const char *name, const char *key,
                              size_t key_size, int is_write,
                              met__text *key_out, met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK) {
        error = met__call_key(call, name, key, key_size,
                              MET__SUBJECT_SIZE_MAX, key_out);
    }
    return error == MET_OK ? met__call_transact(call, is_write) : error;
}

static met_error begin_by_id(met__call *call, met_store *store,
                             const char *id, size_t id_size, int is_write,
                             met__text *id_out, met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK
        && (id == NULL || !met__ulid_is(id, id_size))) {
        error = met__fail(&call->why, MET_E_INVALID, "id",
                          "must be an id of 26 characters");
    }
    if (error == MET_OK) {
        *id_out = met__text_of(id, id_size);
        error = met__call_transact(call, is_write);
    }
    return error;
}

/* --- Customers ------------------------------------------------------------ */
met_error met_customer_put(met_store *store, const char *json,
                           size_t json_size, met_buffer *json_out,
                           met_error_info *info)
{
    static const met__path path = {NULL, "customer", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_put(&call, store, json, json_size, &node,
                                    info);

    if (error == MET_OK) {
        error = met__customer_put(call.txn, node, &path,
                                  met__txn_now_ns(call.txn), NULL, &call.why);
    }
    if (error == MET_OK) {
        error = met__customer_document(call.txn,
                                       met__node_get(node, "key")->as.text,
                                       &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_customer_get(met_store *store, const char *key, size_t key_size,
                           met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error =
        begin_by_key(&call, store, "key", key, key_size, 0, &text, info);

    if (error == MET_OK) {
        error = met__call_needs(&call, json_out);
    }
    if (error == MET_OK) {
        error = met__customer_document(call.txn, text, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_customer_of_subject(met_store *store, const char *subject,
                                  size_t subject_size, met_buffer *json_out,
                                  met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__customer *customer = NULL;
    met__node *document = NULL;
    met_error error = begin_by_key(&call, store, "subject", subject,
                                   subject_size, 0, &text, info);

    if (error == MET_OK) {
        error = met__call_needs(&call, json_out);
    }
    if (error == MET_OK) {
        error = met__customer_of_subject(call.txn, text, &call.arena,
                                         &customer);
    }
    if (error == MET_OK) {
        error = met__customer_document(call.txn, customer->key, &call.arena,
                                       &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_customer_list(met_store *store, met_buffer *json_out,
                            met_error_info *info)
{
    met__call call;
    met__node *array = NULL;
    met_error error = met__call_read(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__customer_list(call.txn, &call.arena, &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

met_error met_customer_remove(met_store *store, const char *key,
                              size_t key_size, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        begin_by_key(&call, store, "key", key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__customer_remove(call.txn, text,
                                     met__txn_now_ns(call.txn), &call.why);
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* --- Subscriptions -------------------------------------------------------- */
static met_error check_flags(met__call *call, uint64_t flags, uint64_t known)
{
    return (flags & ~known) == 0 ? MET_OK
                                 : met__fail(&call->why, MET_E_UNSUPPORTED,
                                             "flags", "has an unknown bit");
}

met_error met_subscription_create(met_store *store, const char *json,
                                  size_t json_size, uint64_t flags,
                                  met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "subscription", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met__subscription *made = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = check_flags(&call, flags, MET_ALLOW_PAST);
    }
    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        met__subscribe when = {met__txn_now_ns(call.txn),
                               (flags & MET_ALLOW_PAST) != 0};
        error = met__subscription_create(call.txn, node, &path, &when,
                                         &call.arena, &made, &call.why);
        if (error == MET_OK) {
            (void)met__quota_announce(call.txn, made->customer_key);
            error = met__notice_announce(call.txn, made->customer_key);
        }
        if (error == MET_OK) {
            error = met__subscription_document(made, when.now_ns, &call.arena,
                                               &document);
        }
    }
    return met__call_end(&call, error, document, json_out);
}

/* One subscription as a document, with its status now. */
static met_error document_of(met__call *call, met__text id,
                             met__node **node_out)
{
    met__subscription *found = NULL;
    met_error error =
        met__subscription_get(call->txn, id, &call->arena, &found);

    return error == MET_OK
               ? met__subscription_document(found, met__txn_now_ns(call->txn),
                                            &call->arena, node_out)
               : error;
}

met_error met_subscription_cancel(met_store *store, const char *id,
                                  size_t id_size, int64_t at_ns,
                                  uint64_t flags, met_buffer *json_out,
                                  met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error = begin_by_id(&call, store, id, id_size, 1, &text, info);

    if (error == MET_OK) {
        error = check_flags(&call, flags,
                            MET_ALLOW_PAST | MET_CANCEL_NEXT_BILLING_CYCLE);
    }
    if (error == MET_OK) {
        met__cancel when = {at_ns, met__txn_now_ns(call.txn),
                            (flags & MET_CANCEL_NEXT_BILLING_CYCLE) != 0,
                            (flags & MET_ALLOW_PAST) != 0};
        error = met__subscription_cancel(call.txn, text, &when, &call.why);
    }
    if (error == MET_OK) {
        error = document_of(&call, text, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_subscription_get(met_store *store, const char *id,
                               size_t id_size, met_buffer *json_out,
                               met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error = begin_by_id(&call, store, id, id_size, 0, &text, info);

    if (error == MET_OK) {
        error = met__call_needs(&call, json_out);
    }
    if (error == MET_OK) {
        error = document_of(&call, text, &document);
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

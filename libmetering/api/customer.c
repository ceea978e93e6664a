/* customer.h: customers; arguments checked here, rules in customer. */
#include "metering/customer.h"

#include "api/customer_guard.h"
#include "customer/customer.h"
#include "invoice/invoice.h"

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

/* --- Customers ------------------------------------------------------------ */
static met_error put_now(met__txn *txn, const met__node *node,
                         const met__path *path, uint32_t *change_out,
                         met_error_info *info)
{
    return met__customer_put(txn, node, path, met__txn_now_ns(txn),
                             change_out, info);
}

met_error met_customer_put(met_store *store, const char *json,
                           size_t json_size, met_buffer *json_out,
                           met_error_info *info)
{
    return met__call_put_keyed(store, json, json_size, "customer", put_now,
                               met__customer_document, json_out, info);
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
    return met__call_list(store, met__customer_list, json_out, info);
}

met_error met_customer_remove(met_store *store, const char *key,
                              size_t key_size, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        begin_by_key(&call, store, "key", key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__call_check_removal(&call, text);
    }
    if (error == MET_OK) {
        error = met__customer_remove(call.txn, text,
                                     met__txn_now_ns(call.txn), &call.why);
    }
    if (error == MET_OK) {
        error = met__billing_forget(call.txn, text, &call.arena);
    }
    return met__call_end(&call, error, NULL, NULL);
}

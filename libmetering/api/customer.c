/* customer.h: customers; arguments checked here, rules in customer. */
#include "metering/customer.h"

#include "api/document_call.h"
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

static int begins_with(met__text text, met__text start)
{
    return text.size >= start.size
           && memcmp(text.data, start.data, start.size) == 0;
}

/* Until it is issued, an invoice may still be changed. */
static int is_open_invoice(const met__node *invoice)
{
    const met__node *status = met__node_get(invoice, "status");

    return status != NULL && status->kind == MET__NODE_TEXT
           && (begins_with(status->as.text, MET__TEXT("draft"))
               || begins_with(status->as.text, MET__TEXT("issuing")));
}

static met_error check_invoices(met__call *call, met__text key)
{
    met__node *list = NULL;
    met_error error =
        met__invoice_list(call->txn, key, &call->arena, &list);

    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        if (is_open_invoice(list->as.items[i])) {
            error = met__fail(&call->why, MET_E_CONFLICT, "key",
                              "deleting_customer_with_open_invoices: one of "
                              "its invoices is not issued yet");
        }
    }
    return error;
}

/* What is owed up to now could never be billed afterwards. */
static met_error check_bill(met__call *call, met__text key)
{
    int64_t now_ns = met__txn_now_ns(call->txn);
    met__invoice_request request = {.customer_key = key,
                                    .as_of_ns = now_ns,
                                    .now_ns = now_ns};
    met__node *bill = NULL;
    met_decimal total = met__decimal_zero();
    met_error error = met__invoice_preview(call->txn, &request, &call->arena,
                                           &bill, &call->why);

    if (error != MET_OK) {
        return error;
    }
    const met__node *text =
        met__node_get(met__node_get(bill, "totals"), "total");
    if (text != NULL && text->kind == MET__NODE_TEXT) {
        error = met__decimal_parse(text->as.text, &total);
    }
    if (error == MET_OK && !met__decimal_is_zero(total)) {
        error = met__fail(&call->why, MET_E_CONFLICT, "key",
                          "deleting_customer_with_unbilled_usage: %.*s of it "
                          "are not billed yet",
                          (int)text->as.text.size, text->as.text.data);
    }
    return error;
}

met_error met_customer_remove(met_store *store, const char *key,
                              size_t key_size, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        begin_by_key(&call, store, "key", key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__customer_check_removal(call.txn, text,
                                            met__txn_now_ns(call.txn),
                                            &call.arena, &call.why);
    }
    if (error == MET_OK) {
        error = check_invoices(&call, text);
    }
    if (error == MET_OK) {
        error = check_bill(&call, text);
    }
    if (error == MET_OK) {
        error = met__customer_remove(call.txn, text,
                                     met__txn_now_ns(call.txn), &call.why);
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* invoice.h: billing and reading invoices; arguments checked here. */
#include "metering/invoice.h"

#include <stdio.h>

#include "api/document_call.h"
#include "base/calendar.h"
#include "invoice/credit_note.h"
#include "invoice/invoice.h"
#include "invoice/recompute.h"

/* The front of preview and finalize: an open transaction and a request. */
static met_error begin_billing(met__call *call, met_store *store,
                               const char *customer_key,
                               size_t customer_key_size, int64_t as_of_ns,
                               int is_write, met__invoice_request *request,
                               met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    *request = (met__invoice_request){.as_of_ns = as_of_ns};
    if (error == MET_OK) {
        error = met__call_key(call, "customer_key", customer_key,
                              customer_key_size, MET__SUBJECT_SIZE_MAX,
                              &request->customer_key);
    }
    if (error == MET_OK && (as_of_ns < 0 || as_of_ns > MET__TIME_MAX)) {
        error = met__fail(&call->why, MET_E_INVALID, "as_of_ns",
                          "must lie between 1970 and 2200");
    }
    if (error == MET_OK) {
        error = met__call_transact(call, is_write);
    }
    if (error == MET_OK) {
        request->now_ns = met__txn_now_ns(call->txn);
        if (as_of_ns == 0) {
            request->as_of_ns = request->now_ns;
        }
    }
    return error;
}

met_error met_invoice_preview(met_store *store, const char *customer_key,
                              size_t customer_key_size, int64_t as_of_ns,
                              uint64_t flags, met_buffer *json_out,
                              met_error_info *info)
{
    met__invoice_request request;
    met__node *node = NULL;
    met__call call;
    met_error error =
        begin_billing(&call, store, customer_key, customer_key_size, as_of_ns,
                      0, &request, info);

    if (error == MET_OK && json_out == NULL) {
        error = met__fail(&call.why, MET_E_INVALID, "json_out", "is NULL");
    }
    if (error == MET_OK) {
        error = met__call_flags(&call, flags, MET_INVOICE_OPEN_PERIOD);
    }
    if (error == MET_OK) {
        request.is_open_included = (flags & MET_INVOICE_OPEN_PERIOD) != 0;
        error = met__invoice_preview(call.txn, &request, &call.arena, &node,
                                     &call.why);
    }
    return met__call_end(&call, error, node, json_out);
}

static met_error issue(met_store *store, const char *customer_key,
                       size_t customer_key_size, int64_t as_of_ns,
                       int is_interim, met_buffer *json_out,
                       met_error_info *info)
{
    met__invoice_request request;
    met__node *node = NULL;
    met__call call;
    met_error error =
        begin_billing(&call, store, customer_key, customer_key_size, as_of_ns,
                      1, &request, info);

    if (error == MET_OK) {
        request.is_interim = is_interim;
        request.is_open_included = is_interim;
        error = met__invoice_finalize(call.txn, &request, &call.arena, &node,
                                      &call.why);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_invoice_finalize(met_store *store, const char *customer_key,
                               size_t customer_key_size, int64_t as_of_ns,
                               met_buffer *json_out, met_error_info *info)
{
    return issue(store, customer_key, customer_key_size, as_of_ns, 0,
                 json_out, info);
}

met_error met_invoice_interim(met_store *store, const char *customer_key,
                              size_t customer_key_size, int64_t as_of_ns,
                              met_buffer *json_out, met_error_info *info)
{
    return issue(store, customer_key, customer_key_size, as_of_ns, 1,
                 json_out, info);
}

/* --- One invoice ---------------------------------------------------------- */
static met_error tell_missing(met__call *call, met_error error,
                              met__text name)
{
    return error == MET_E_NOT_FOUND
               ? met__fail(&call->why, error, "id",
                           "there is no invoice \"%.*s\"", (int)name.size,
                           name.data)
               : error;
}

met_error met_invoice_act(met_store *store, const char *id, size_t id_size,
                          const char *action, size_t action_size,
                          met_buffer *json_out, met_error_info *info)
{
    met__node *node = NULL;
    met__text name;
    met__text wanted;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "action", action, action_size,
                              MET__KEY_SIZE_MAX, &wanted);
    }
    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size, MET__KEY_SIZE_MAX,
                              &name);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__invoice_act(call.txn, name, wanted,
                                 met__txn_now_ns(call.txn), &call.arena,
                                 &node, &call.why);
        error = tell_missing(&call, error, name);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_invoice_credit(met_store *store, const char *id, size_t id_size,
                             const char *json, size_t json_size,
                             met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "credit_note", 0};
    met__node *request = NULL;
    met__node *node = NULL;
    met__text name;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size, MET__KEY_SIZE_MAX,
                              &name);
    }
    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &request);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__credit_note_create(call.txn, name, request, &path,
                                        met__txn_now_ns(call.txn),
                                        &call.arena, &node, &call.why);
        error = tell_missing(&call, error, name);
    }
    return met__call_end(&call, error, node, json_out);
}

static met_error get_invoice(met_store *store, const char *id, size_t id_size,
                             met_error (*get)(met__txn *txn, met__text id,
                                              met__arena *arena,
                                              met__node **node_out),
                             met_buffer *json_out, met_error_info *info)
{
    met__node *node = NULL;
    met__text found;
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size, MET__KEY_SIZE_MAX,
                              &found);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = get(call.txn, found, &call.arena, &node);
        error = tell_missing(&call, error, found);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_invoice_get(met_store *store, const char *id, size_t id_size,
                          met_buffer *json_out, met_error_info *info)
{
    return get_invoice(store, id, id_size, met__invoice_document, json_out,
                       info);
}

met_error met_invoice_usage(met_store *store, const char *id, size_t id_size,
                            met_buffer *json_out, met_error_info *info)
{
    return get_invoice(store, id, id_size, met__invoice_with_usage, json_out,
                       info);
}

met_error met_invoice_recompute(met_store *store, const char *id,
                                size_t id_size, uint64_t flags,
                                met_buffer *json_out, met_error_info *info)
{
    met__node *node = NULL;
    met__text name;
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size, MET__KEY_SIZE_MAX,
                              &name);
    }
    if (error == MET_OK) {
        error = met__call_flags(&call, flags, MET_INVOICE_USAGE);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = (flags & MET_INVOICE_USAGE) != 0
                    ? met__invoice_compare_usage(call.txn, name, &call.arena,
                                                 &node, &call.why)
                    : met__invoice_recompute(call.txn, name, &call.arena,
                                             &node, &call.why);
        error = tell_missing(&call, error, name);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_invoice_list(met_store *store, const char *customer_key,
                           size_t customer_key_size, met_buffer *json_out,
                           met_error_info *info)
{
    met__text customer = {NULL, 0};
    met__node *array = NULL;
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK && (customer_key != NULL || customer_key_size != 0)) {
        error = met__call_key(&call, "customer_key", customer_key,
                              customer_key_size, MET__SUBJECT_SIZE_MAX,
                              &customer);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error =
            met__invoice_list(call.txn, customer, &call.arena, &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

/* --- Rendering: no store -------------------------------------------------- */
static met_error check_invoice(const met__node *node, met_error_info *info)
{
    const met__node *lines = NULL;
    const met__node *totals = NULL;

    if (node->kind != MET__NODE_OBJECT) {
        return met__fail(info, MET_E_INVALID, "invoice", "must be an object");
    }
    lines = met__node_get(node, "lines");
    totals = met__node_get(node, "totals");
    if (lines == NULL || lines->kind != MET__NODE_ARRAY) {
        return met__fail(info, MET_E_INVALID, "invoice.lines",
                         "must be a list");
    }
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->as.items[i]->kind != MET__NODE_OBJECT) {
            char field[64];
            (void)snprintf(field, sizeof field, "invoice.lines[%zu]", i);
            return met__fail(info, MET_E_INVALID, field, "must be an object");
        }
    }
    if (totals == NULL || totals->kind != MET__NODE_OBJECT) {
        return met__fail(info, MET_E_INVALID, "invoice.totals",
                         "must be an object");
    }
    return MET_OK;
}

static void write_invoice(const met__node *node, uint32_t format,
                          met__buffer *buffer)
{
    switch (format) {
    case MET_INVOICE_HTML:
        met__invoice_html(node, buffer);
        break;
    case MET_INVOICE_CSV:
        met__invoice_csv(node, buffer);
        break;
    case MET_INVOICE_JSON:
        met__json_write(node, 1, buffer);
        met__buffer_byte(buffer, '\n');
        break;
    default:
        met__invoice_text(node, buffer);
    }
}

met_error met_invoice_render(const char *json, size_t json_size,
                             uint32_t format, met_buffer *text_out,
                             met_error_info *info)
{
    met__platform platform;
    met__buffer buffer;
    met__arena arena;
    met__node *node;

    if (json == NULL || text_out == NULL) {
        return met__fail(info, MET_E_INVALID, json ? "text_out" : "json",
                         "is NULL");
    }
    if (format < MET_INVOICE_TEXT || format > MET_INVOICE_JSON) {
        return met__fail(info, MET_E_UNSUPPORTED, "format",
                         "must be one of MET_INVOICE_TEXT, _HTML, _CSV, "
                         "_JSON");
    }
    if (json_size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(info, MET_E_LIMIT, "json", "has more than %d bytes",
                         MET__DOCUMENT_SIZE_MAX);
    }
    met_error error = met__platform_init(&platform, NULL, info);
    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, &platform);
    met__buffer_init(&buffer, &platform);
    error = met__json_parse(&arena, met__text_of(json, json_size), &node,
                            info);
    if (error == MET_OK) {
        error = check_invoice(node, info);
    }
    if (error == MET_OK) {
        write_invoice(node, format, &buffer);
        error = met__buffer_give(&buffer, text_out);
        if (error != MET_OK) {
            (void)met__fail_code(info, error);
        }
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return error;
}

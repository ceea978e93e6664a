/* customer.h: renames and erasures of customers and subjects, and their audit.
 * Each room forgets or renames what is its own; here is who is asked. */
#include "api/customer_guard.h"
#include "api/entitled_call.h"
#include "base/ulid.h"
#include "customer/identity_change.h"
#include "entitlement/entitled_rename.h"
#include "entitlement/notice_rename.h"
#include "gateway/entity.h"
#include "invoice/invoice.h"
#include "metering/customer.h"

/* {"to"?, "reason", "actor"} */
static met_error read_request(met__call *call, const met__node *node,
                              met__text *to_out, met__audit *audit)
{
    static const met__path path = {NULL, "request", 0};
    met__fields fields;

    (void)met__fields_begin(&fields, node, &path, &call->why);
    if (to_out != NULL) {
        (void)met__fields_text(&fields, "to", MET__REQUIRED, 1,
                               MET__SUBJECT_SIZE_MAX, to_out);
        if (fields.error == MET_OK && met__text_looks_like_id(*to_out)) {
            (void)met__fields_fail(&fields, "to", "must not look like an id");
        }
    }
    met__audit_read(&fields, audit);
    return met__fields_end(&fields);
}

static met_error begin(met__call *call, met_store *store, const char *name,
                       const char *key, size_t key_size, const char *json,
                       size_t json_size, met__text *key_out,
                       met__text *to_out, met__audit *audit,
                       met_error_info *info)
{
    met__node *node = NULL;
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK) {
        error = met__call_key(call, name, key, key_size,
                              MET__SUBJECT_SIZE_MAX, key_out);
    }
    if (error == MET_OK) {
        error = met__call_parse(call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = read_request(call, node, to_out, audit);
    }
    return error == MET_OK ? met__call_transact(call, 1) : error;
}

static met_error end(met__call *call, met_error error,
                     const met__audit *audit, met_buffer *json_out)
{
    met__node *record = NULL;

    if (error == MET_OK) {
        error = met__audit_put(call->txn, audit, met__txn_now_ns(call->txn),
                               &call->arena, &record);
    }
    return met__call_end(call, error, record, json_out);
}

/* --- Erasing -------------------------------------------------------------- */
static met_error forget_elsewhere(met__call *call, const met__erasure *done,
                                  met__audit *audit)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < done->subject_count; i++) {
        error = met__consumer_erase(call->txn, done->subjects[i].from,
                                    &call->arena, &audit->consumers,
                                    &call->why);
    }
    for (size_t i = 0; error == MET_OK && i < done->customer_count; i++) {
        error = met__entitled_rename(call->txn, done->customer_ids[i],
                                     done->customer_key, done->name, 1,
                                     &call->arena);
    }
    if (error == MET_OK && done->customer_key.size > 0) {
        error = met__billing_forget(call->txn, done->customer_key,
                                    &call->arena);
    }
    if (error == MET_OK && done->customer_key.size > 0) {
        error = met__notice_rename(call->txn, done->customer_key, done->name,
                                   &call->arena, &audit->notices);
    }
    return error;
}

static met_error end_erasure(met__call *call, met_error error,
                             const met__erasure *done, met__audit *audit,
                             met_buffer *json_out)
{
    if (error == MET_OK) {
        error = forget_elsewhere(call, done, audit);
    }
    return end(call, error, audit, json_out);
}

met_error met_customer_erase(met_store *store, const char *key,
                             size_t key_size, const char *json,
                             size_t json_size, met_buffer *json_out,
                             met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__audit audit = {.action = "customer.erase"};
    met__erasure done;
    met_error error = begin(&call, store, "key", key, key_size, json,
                            json_size, &text, NULL, &audit, info);

    if (error == MET_OK) {
        error = met__call_check_removal(&call, text);
        error = error == MET_E_NOT_FOUND ? MET_OK : error; /* removed? */
    }
    if (error == MET_OK) {
        memset(&call.why, 0, sizeof call.why);
        call.why.struct_size = sizeof call.why;
        error = met__customer_erase(call.txn, text, met__txn_now_ns(call.txn),
                                    &call.arena, &audit, &done, &call.why);
    }
    return end_erasure(&call, error, &done, &audit, json_out);
}

met_error met_subject_erase(met_store *store, const char *subject,
                            size_t subject_size, const char *json,
                            size_t json_size, met_buffer *json_out,
                            met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__audit audit = {.action = "subject.erase"};
    met__erasure done;
    met_error error = begin(&call, store, "subject", subject, subject_size,
                            json, json_size, &text, NULL, &audit, info);

    if (error == MET_OK) {
        error = met__subject_erase(call.txn, text, met__txn_now_ns(call.txn),
                                   &call.arena, &audit, &done, &call.why);
    }
    return end_erasure(&call, error, &done, &audit, json_out);
}

/* --- Renaming ------------------------------------------------------------- */
met_error met_subject_rename(met_store *store, const char *subject,
                             size_t subject_size, const char *json,
                             size_t json_size, met_buffer *json_out,
                             met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__text to = {NULL, 0};
    met__text owner = {NULL, 0};
    met__audit audit = {.action = "subject.rename"};
    met_error error = begin(&call, store, "subject", subject, subject_size,
                            json, json_size, &text, &to, &audit, info);

    if (error == MET_OK) {
        error = met__subject_rename_to(call.txn, text, to,
                                       met__txn_now_ns(call.txn), &call.arena,
                                       &audit, &owner, &call.why);
    }
    if (error == MET_OK && owner.size > 0) {
        error = met__entitled_announce(&call, owner);
    }
    return end(&call, error, &audit, json_out);
}

met_error met_customer_rename(met_store *store, const char *key,
                              size_t key_size, const char *json,
                              size_t json_size, met_buffer *json_out,
                              met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__text to = {NULL, 0};
    met__customer *customer = NULL;
    met__audit audit = {.action = "customer.rename"};
    met_error error = begin(&call, store, "key", key, key_size, json,
                            json_size, &text, &to, &audit, info);

    if (error == MET_OK) {
        error = met__call_check_invoices(&call, text);
    }
    if (error == MET_OK) {
        error = met__customer_rename(call.txn, text, to,
                                     met__txn_now_ns(call.txn), &call.arena,
                                     &audit, &call.why);
    }
    if (error == MET_OK) {
        error = met__customer_get(call.txn, to, &call.arena, &customer);
    }
    if (error == MET_OK) {
        error = met__invoice_rekey(call.txn, customer->id, text, to,
                                   &call.arena);
    }
    if (error == MET_OK) {
        error = met__entitled_rename(call.txn, customer->id, text, to, 0,
                                     &call.arena);
    }
    if (error == MET_OK) {
        error = met__notice_rename(call.txn, text, to, &call.arena,
                                   &audit.notices);
    }
    if (error == MET_OK) {
        error = met__entitled_announce(&call, to);
    }
    return end(&call, error, &audit, json_out);
}

met_error met_audit_list(met_store *store, met_buffer *json_out,
                         met_error_info *info)
{
    return met__call_list(store, met__audit_list, json_out, info);
}

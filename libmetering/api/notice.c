/* notice.h: rules and the queue; arguments checked here, rules in
 * entitlement. */
#include "metering/notice.h"

#include "api/document_call.h"
#include "base/ulid.h"
#include "entitlement/notice_queue.h"
#include "entitlement/notice_rule.h"

#define LEASE_DEFAULT_NS (60 * MET__SECOND_NS)

/* --- Rules ---------------------------------------------------------------- */
met_error met_notice_rule_put(met_store *store, const char *json,
                              size_t json_size, met_buffer *json_out,
                              met_error_info *info)
{
    return met__call_put_keyed(store, json, json_size, "notice_rule",
                               met__notice_rule_put,
                               met__notice_rule_document, json_out, info);
}

met_error met_notice_rule_get(met_store *store, const char *key,
                              size_t key_size, met_buffer *json_out,
                              met_error_info *info)
{
    return met__call_show(store, key, key_size, met__notice_rule_document,
                          json_out, info);
}

met_error met_notice_rule_list(met_store *store, met_buffer *json_out,
                               met_error_info *info)
{
    return met__call_list(store, met__notice_rule_list, json_out, info);
}

met_error met_notice_rule_remove(met_store *store, const char *key,
                                 size_t key_size, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        met__call_by_key(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__notice_rule_remove(call.txn, text);
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* --- The queue ------------------------------------------------------------ */
static met_error check_count(met__call *call, uint32_t count_max)
{
    return count_max >= 1 && count_max <= MET__NOTICE_BATCH_MAX
               ? MET_OK
               : met__fail(&call->why, MET_E_INVALID, "count_max",
                           "must be 1 to %d", MET__NOTICE_BATCH_MAX);
}

/* Looks whether one waits before it asks for the store's one writer: most
 * calls of a drainer find nothing. */
static met_error take(met__call *call, uint32_t count_max, int64_t lease_ns,
                      met__node **array_out)
{
    int is_waiting = 0;
    met_error error = met__call_transact(call, 0);

    if (error == MET_OK) {
        error = met__notice_is_waiting(call->txn, &call->arena, &is_waiting);
    }
    if (error == MET_OK && !is_waiting) {
        *array_out = met__node_array(&call->arena);
        return *array_out == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    met__txn_abort(call->txn);
    call->txn = NULL;
    if (error == MET_OK) {
        error = met__call_transact(call, 1);
    }
    return error == MET_OK
               ? met__notice_next(call->txn, count_max, lease_ns,
                                  &call->arena, array_out)
               : error;
}

met_error met_notice_next(met_store *store, uint32_t count_max,
                          int64_t lease_ns, met_buffer *json_out,
                          met_error_info *info)
{
    met__call call;
    met__node *array = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = check_count(&call, count_max);
    }
    if (error == MET_OK && lease_ns == 0) {
        lease_ns = LEASE_DEFAULT_NS;
    }
    if (error == MET_OK
        && (lease_ns < MET__SECOND_NS
            || lease_ns > MET__NOTICE_LEASE_MAX_NS)) {
        error = met__fail(&call.why, MET_E_INVALID, "lease_ns",
                          "must be a second to a day, or 0");
    }
    if (error == MET_OK) {
        error = take(&call, count_max, lease_ns, &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

met_error met_notice_ack(met_store *store, const char *id, size_t id_size,
                         uint64_t flags, met_error_info *info)
{
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && (id == NULL || !met__ulid_is(id, id_size))) {
        error = met__fail(&call.why, MET_E_INVALID, "id",
                          "must be an id of 26 characters");
    }
    if (error == MET_OK) {
        error = met__call_flags(&call, flags, MET_NOTICE_AND_OLDER);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__notice_ack(call.txn, met__text_of(id, id_size),
                                (flags & MET_NOTICE_AND_OLDER) != 0,
                                &call.arena);
        if (error == MET_E_NOT_FOUND) {
            error = met__fail(&call.why, error, "id",
                              "no notice \"%.*s\" waits", (int)id_size, id);
        }
    }
    return met__call_end(&call, error, NULL, NULL);
}

met_error met_notice_list(met_store *store, uint32_t count_max,
                          met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__node *node = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = check_count(&call, count_max);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__notice_list(call.txn, count_max, &call.arena, &node);
    }
    return met__call_end(&call, error, node, json_out);
}

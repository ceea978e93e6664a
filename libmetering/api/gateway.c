/* gateway.h: handles, decisions, stored entities; arguments checked here. */
#include "metering/gateway.h"

#include "api/document_call.h"
#include "base/caller_struct.h"
#include "base/fork_guard.h"
#include "gateway/entity.h"
#include "gateway/gateway_handle.h"

#define DECISION_SIZE_MIN MET__SIZE_THROUGH(met_gateway_decision, ticket)

#define ENTITY_NAME_MAX 448
#define KNOWN_FLAGS \
    (MET_GATEWAY_REQUIRE_ENTITLEMENT | MET_GATEWAY_NEVER_COMPILE)

/* --- Handles -------------------------------------------------------------- */
static met_error check_config(const met_gateway_config *config,
                              met_error_info *info)
{
    if (config->fail_policy > MET_GATEWAY_FAIL_OPEN) {
        return met__fail(info, MET_E_UNSUPPORTED, "config.fail_policy",
                         "is not known");
    }
    if (config->header_style > MET_GATEWAY_HEADERS_IETF) {
        return met__fail(info, MET_E_UNSUPPORTED, "config.header_style",
                         "is not known");
    }
    if ((config->flags & ~(uint64_t)KNOWN_FLAGS) != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "config.flags",
                         "has an unknown bit");
    }
    return MET_OK;
}

met_error met_gateway_open(met_store *store, const met_gateway_config *config,
                           met_gateway **gateway_out, met_error_info *info)
{
    met_gateway_config known = {.struct_size = sizeof known};
    met_error error = MET_OK;

    if (store == NULL || gateway_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         store == NULL ? "store" : "gateway_out", "is NULL");
    }
    if (config != NULL) {
        error = met__struct_read(&known, sizeof known,
                                 sizeof known.struct_size, config, "config",
                                 info);
    }
    if (error == MET_OK) {
        error = check_config(&known, info);
    }
    return error == MET_OK
               ? met__gateway_open(store, &known, gateway_out, info)
               : error;
}

void met_gateway_close(met_gateway *gateway)
{
    met__gateway_close(gateway);
}

/* Into the decision of a caller that was built when it had fewer fields. */
static met_error admit_shorter(met_gateway *gateway,
                               const met_gateway_request *request,
                               met_gateway_decision *decision_out)
{
    met_gateway_decision known = {.struct_size = sizeof known};
    met_error error = met__gateway_admit(gateway, request, &known);

    return error == MET_OK
               ? met__struct_write(decision_out, DECISION_SIZE_MIN, &known,
                                   sizeof known)
               : error;
}

/* Structs of this version's size are used where they lie. */
met_error met_gateway_admit(met_gateway *gateway,
                            const met_gateway_request *request,
                            met_gateway_decision *decision_out)
{
    met_gateway_request known;

    if (gateway == NULL || request == NULL || decision_out == NULL
        || decision_out->struct_size < DECISION_SIZE_MIN
        || decision_out->struct_size > MET__STRUCT_SIZE_MAX) {
        return MET_E_INVALID;
    }
    if (request->struct_size != sizeof *request) {
        met_error error = met__struct_read(&known, sizeof known,
                                           sizeof known.struct_size, request,
                                           "request", NULL);
        if (error != MET_OK) {
            return error;
        }
        request = &known;
    }
    return decision_out->struct_size < sizeof *decision_out
               ? admit_shorter(gateway, request, decision_out)
               : met__gateway_admit(gateway, request, decision_out);
}

static int do_offsets_rise(const uint32_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (offsets[i] > offsets[i + 1]) {
            return 0;
        }
    }
    return 1;
}

met_error met_gateway_admit_batch(met_gateway *gateway,
                                  const met_gateway_request *common,
                                  const char *keys,
                                  const uint32_t *key_offsets, size_t count,
                                  met_gateway_batch_result *results_out)
{
    met_gateway_request known = {.struct_size = sizeof known};

    if (gateway == NULL || common == NULL) {
        return MET_E_INVALID;
    }
    if (count == 0) {
        return MET_OK;
    }
    if (count > MET_GATEWAY_BATCH_MAX) {
        return MET_E_LIMIT;
    }
    if (keys == NULL || key_offsets == NULL || results_out == NULL
        || !do_offsets_rise(key_offsets, count)) {
        return MET_E_INVALID;
    }
    met_error error = met__struct_read(&known, sizeof known,
                                       sizeof known.struct_size, common,
                                       "common", NULL);
    return error == MET_OK
               ? met__gateway_admit_batch(gateway, &known, keys, key_offsets,
                                          count, results_out)
               : error;
}

met_error met_gateway_complete(met_gateway *gateway,
                               met_gateway_ticket *ticket,
                               const met_gateway_outcome *outcome)
{
    met_gateway_outcome known;

    if (gateway == NULL || ticket == NULL) {
        return MET_E_INVALID;
    }
    if (outcome == NULL) {
        known = (met_gateway_outcome){.struct_size = sizeof known};
        outcome = &known;
    } else if (outcome->struct_size != sizeof *outcome) {
        met_error error = met__struct_read(&known, sizeof known,
                                           sizeof known.struct_size, outcome,
                                           "outcome", NULL);
        if (error != MET_OK) {
            return error;
        }
        outcome = &known;
    }
    if ((outcome->flags & ~(uint32_t)MET_GATEWAY_NOT_SERVED) != 0
        || outcome->reserved != 0) {
        return MET_E_UNSUPPORTED;
    }
    return met__gateway_complete(gateway, ticket, outcome);
}

met_error met_gateway_tick(met_gateway *gateway)
{
    return gateway == NULL ? MET_E_INVALID : met__gateway_tick(gateway);
}

met_error met_gateway_stats(met_gateway *gateway, met_buffer *json_out,
                            met_error_info *info)
{
    met__call call;
    met__node *document = NULL;
    met_error error;

    if (gateway == NULL) {
        return met__fail(info, MET_E_INVALID, "gateway", "is NULL");
    }
    error = met__call_begin(&call, gateway->store, info);
    if (error == MET_OK && json_out == NULL) {
        error = met__fail(&call.why, MET_E_INVALID, "json_out", "is NULL");
    }
    if (error == MET_OK
        && gateway->fork_generation != met__fork_generation()) {
        error = MET_E_FORKED;
    }
    if (error == MET_OK) {
        error = met__gateway_describe(gateway, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

/* --- Entities ------------------------------------------------------------- */

static met_error read_kind(met__call *call, const char *kind,
                           size_t kind_size, met__text *kind_out)
{
    met_error error = met__call_key(call, "kind", kind, kind_size,
                                    MET__KEY_SIZE_MAX, kind_out);

    if (error == MET_OK && !met__entity_is_kind(*kind_out)) {
        error = met__fail(&call->why, MET_E_INVALID, "kind",
                          MET__ENTITY_KINDS);
    }
    return error;
}

met_error met_gateway_entity_list(met_store *store, const char *kind,
                                  size_t kind_size, met_buffer *json_out,
                                  met_error_info *info)
{
    met__call call;
    met__text kind_text;
    met__node *array = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = read_kind(&call, kind, kind_size, &kind_text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__entity_list(call.txn, kind_text, &call.arena, &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

/* The two texts that name an entity. */
static met_error read_names(met__call *call, const char *kind,
                            size_t kind_size, const char *name,
                            size_t name_size, met__text *kind_out,
                            met__text *name_out)
{
    met_error error = read_kind(call, kind, kind_size, kind_out);

    return error != MET_OK ? error
                           : met__call_key(call, "name", name, name_size,
                                           ENTITY_NAME_MAX, name_out);
}

met_error met_gateway_entity_get(met_store *store, const char *kind,
                                 size_t kind_size, const char *name,
                                 size_t name_size, met_buffer *json_out,
                                 met_error_info *info)
{
    met__call call;
    met__text kind_text;
    met__text name_text;
    met__node *node = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = read_names(&call, kind, kind_size, name, name_size,
                           &kind_text, &name_text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__entity_document(call.txn, kind_text, name_text,
                                     &call.arena, &node);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_gateway_entity_remove(met_store *store, const char *kind,
                                    size_t kind_size, const char *name,
                                    size_t name_size, met_error_info *info)
{
    met__call call;
    met__text kind_text;
    met__text name_text;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = read_names(&call, kind, kind_size, name, name_size,
                           &kind_text, &name_text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__entity_remove(call.txn, kind_text, name_text, &call.why);
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* --- Credentials ---------------------------------------------------------- */

met_error met_credential_rotate(met_store *store, const char *consumer,
                                size_t consumer_size, const char *json,
                                size_t json_size, met_buffer *json_out,
                                met_error_info *info)
{
    met__call call;
    met__text name = {NULL, 0};
    met__audit audit = {0};
    met__node *request = NULL;
    met__node *answer = NULL;
    met__node *record = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "consumer", consumer, consumer_size,
                              MET__KEY_SIZE_MAX, &name);
    }
    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &request);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__credential_rotate(call.txn, name, request, &call.arena,
                                       &answer, &audit, &call.why);
    }
    if (error == MET_OK && audit.action != NULL) {
        error = met__audit_put(call.txn, &audit, met__txn_now_ns(call.txn),
                               &call.arena, &record);
    }
    return met__call_end(&call, error, answer, json_out);
}

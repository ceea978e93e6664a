/* gateway.h: stored entities; arguments checked here. */
#include "metering/gateway.h"

#include "api/document_call.h"
#include "gateway/entity.h"

#define ENTITY_NAME_MAX 448

/* --- Entities -------------------------------------------------------------- */

static met_error read_kind(met__call *call, const char *kind,
                           size_t kind_size, met__text *kind_out)
{
    met_error error = met__call_key(call, "kind", kind, kind_size,
                                    MET__KEY_SIZE_MAX, kind_out);

    if (error == MET_OK && !met__entity_is_kind(*kind_out)) {
        error = met__fail(&call->why, MET_E_INVALID, "kind",
                          "must be service, route, consumer or plugin");
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
    met__node *node = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && json_out == NULL) {
        error = met__fail(&call.why, MET_E_INVALID, "json_out", "is NULL");
    }
    if (error == MET_OK) {
        error = read_kind(&call, kind, kind_size, &kind_text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__entity_list(call.txn, kind_text, &call.arena, &array);
    }
    if (error == MET_OK) {
        error = met__call_items(&call, array, &node);
    }
    return met__call_end(&call, error, node, json_out);
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
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && json_out == NULL) {
        error = met__fail(&call.why, MET_E_INVALID, "json_out", "is NULL");
    }
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

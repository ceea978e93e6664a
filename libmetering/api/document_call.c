/* The front and the back of every control-plane call. What is handed out is
 * made before the commit, so that memory running out leaves nothing stored. */
#include "api/document_call.h"

#include "base/limits.h"
#include "metering/catalog.h"

met_error met__call_begin(met__call *call, met_store *store,
                          met_error_info *info)
{
    memset(call, 0, sizeof *call);
    call->info = info;
    call->why.struct_size = sizeof call->why;
    if (store == NULL) {
        return met__fail(&call->why, MET_E_INVALID, "store", "is NULL");
    }
    met_error error = met__store_check_handle(store);
    if (error == MET_OK) {
        call->store = store;
        met__arena_init(&call->arena, met__store_platform(store));
    }
    return error;
}

met_error met__call_parse(met__call *call, const char *json, size_t json_size,
                          met__node **node_out)
{
    if (json == NULL) {
        return met__fail(&call->why, MET_E_INVALID, "json", "is NULL");
    }
    if (json_size == 0) {
        return met__fail(&call->why, MET_E_INVALID, "json", "is empty");
    }
    if (json_size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(&call->why, MET_E_LIMIT, "json",
                         "has more than %d bytes", MET__DOCUMENT_SIZE_MAX);
    }
    return met__json_parse(&call->arena, met__text_of(json, json_size),
                           node_out, &call->why);
}

met_error met__call_key(met__call *call, const char *name, const char *key,
                        size_t key_size, size_t size_max, met__text *key_out)
{
    if (key == NULL) {
        return met__fail(&call->why, MET_E_INVALID, name, "is NULL");
    }
    if (key_size == 0 || key_size > size_max) {
        return met__fail(&call->why, MET_E_INVALID, name,
                         "must have 1 to %zu bytes, has %zu", size_max,
                         key_size);
    }
    if (!met__text_is_clean(met__text_of(key, key_size))) {
        return met__fail(&call->why, MET_E_INVALID, name,
                         "must be UTF-8 without control characters");
    }
    *key_out = met__text_of(key, key_size);
    call->key_name = name;
    call->key = *key_out;
    return MET_OK;
}

met_error met__call_flags(met__call *call, uint64_t flags, uint64_t known)
{
    return (flags & ~known) == 0 ? MET_OK
                                 : met__fail(&call->why, MET_E_UNSUPPORTED,
                                             "flags", "has an unknown bit");
}

met_error met__call_needs(met__call *call, const met_buffer *json_out)
{
    return json_out != NULL ? MET_OK
                            : met__fail(&call->why, MET_E_INVALID, "json_out",
                                        "is NULL");
}

met_error met__call_transact(met__call *call, int is_write)
{
    call->is_write = is_write;
    return met__txn_begin(call->store, is_write, &call->txn);
}

/* --- Fronts that many calls have ------------------------------------------ */
met_error met__call_begin_answer(met__call *call, met_store *store,
                                 const met_buffer *json_out,
                                 met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    return error == MET_OK ? met__call_needs(call, json_out) : error;
}

met_error met__call_read(met__call *call, met_store *store,
                         const met_buffer *json_out, met_error_info *info)
{
    met_error error = met__call_begin_answer(call, store, json_out, info);

    return error == MET_OK ? met__call_transact(call, 0) : error;
}

met_error met__call_put(met__call *call, met_store *store, const char *json,
                        size_t json_size, met__node **node_out,
                        met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK) {
        error = met__call_parse(call, json, json_size, node_out);
    }
    return error == MET_OK ? met__call_transact(call, 1) : error;
}

met_error met__call_create(met__call *call, met_store *store,
                           const char *json, size_t json_size, uint64_t flags,
                           met__node **node_out, met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK) {
        error = met__call_flags(call, flags, MET_ALLOW_PAST);
    }
    if (error == MET_OK) {
        error = met__call_parse(call, json, json_size, node_out);
    }
    return error == MET_OK ? met__call_transact(call, 1) : error;
}

met_error met__call_by_key(met__call *call, met_store *store, const char *key,
                           size_t key_size, int is_write, met__text *key_out,
                           met_error_info *info)
{
    met_error error = met__call_begin(call, store, info);

    if (error == MET_OK) {
        error = met__call_key(call, "key", key, key_size, MET__KEY_SIZE_MAX,
                              key_out);
    }
    return error == MET_OK ? met__call_transact(call, is_write) : error;
}

/* --- Handing out ---------------------------------------------------------- */

/* JSON as a buffer of the caller's; *given_out stays empty without node. */
static met_error give(met__call *call, const met__node *node,
                      met_buffer *given_out)
{
    met__buffer buffer;

    if (node == NULL) {
        return MET_OK;
    }
    met__buffer_init(&buffer, met__store_platform(call->store));
    met__json_write(node, 0, &buffer);
    met_error error = met__buffer_give(&buffer, given_out);
    met__buffer_release(&buffer);
    return error;
}

/* The reason of a room, or which key there is nothing for, or the general
 * message of the code. */
static met_error tell(met__call *call, met_error error)
{
    if (call->why.code == error) {
        return met__fail(call->info, error, call->why.field, "%s",
                         call->why.reason);
    }
    if (error == MET_E_NOT_FOUND && call->key_name != NULL) {
        return met__fail(call->info, error, call->key_name,
                         "there is no \"%.*s\"", (int)call->key.size,
                         call->key.data);
    }
    return met__fail_code(call->info, error);
}

met_error met__call_end(met__call *call, met_error error,
                        const met__node *node, met_buffer *json_out)
{
    met_buffer given = {0};

    if (error == MET_OK && json_out != NULL) {
        error = give(call, node, &given);
    }
    if (error == MET_OK && call->is_write) {
        error = met__txn_commit(call->txn);
    } else {
        met__txn_abort(call->txn);
    }
    if (call->store != NULL) {
        met__arena_release(&call->arena);
    }
    if (error != MET_OK) {
        met_buffer_release(&given);
        return tell(call, error);
    }
    if (json_out != NULL && node != NULL) {
        *json_out = given;
    }
    return MET_OK;
}

met_error met__call_end_items(met__call *call, met_error error,
                              met__node *array, met_buffer *json_out)
{
    met__node *object = NULL;

    if (error == MET_OK) {
        object = met__node_object(&call->arena);
        error = met__node_set(&call->arena, object, "items", array);
    }
    return met__call_end(call, error, object, json_out);
}

/* --- Whole calls that many nouns have ------------------------------------- */
met_error met__call_put_keyed(met_store *store, const char *json,
                              size_t json_size, const char *noun,
                              met__putter *put,
                              met__document_of_key *document_of,
                              met_buffer *json_out, met_error_info *info)
{
    const met__path path = {NULL, noun, 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_put(&call, store, json, json_size, &node,
                                    info);

    if (error == MET_OK) {
        error = put(call.txn, node, &path, NULL, &call.why);
    }
    if (error == MET_OK) {
        error = document_of(call.txn, met__node_get(node, "key")->as.text,
                            &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met__call_put_settings(met_store *store, const char *json,
                                 size_t json_size, met__settings_putter *put,
                                 met__document_of_store *document_of,
                                 met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "settings", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_put(&call, store, json, json_size, &node,
                                    info);

    if (error == MET_OK) {
        error = put(call.txn, node, &path, &call.why);
    }
    if (error == MET_OK) {
        error = document_of(call.txn, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met__call_show(met_store *store, const char *key, size_t key_size,
                         met__document_of_key *document_of,
                         met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error =
        met__call_by_key(&call, store, key, key_size, 0, &text, info);

    if (error == MET_OK) {
        error = met__call_needs(&call, json_out);
    }
    if (error == MET_OK) {
        error = document_of(call.txn, text, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met__call_describe(met_store *store,
                             met__document_of_store *document_of,
                             met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__node *document = NULL;
    met_error error = met__call_read(&call, store, json_out, info);

    if (error == MET_OK) {
        error = document_of(call.txn, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met__call_list(met_store *store, met__document_of_store *array_of,
                         met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__node *array = NULL;
    met_error error = met__call_read(&call, store, json_out, info);

    if (error == MET_OK) {
        error = array_of(call.txn, &call.arena, &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

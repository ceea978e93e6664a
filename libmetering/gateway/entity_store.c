/* Entities in the store: put with comparison, get, list, remove, references
 * by name or id. In: canonical content. Out: records GATEWAY[kind 0 name] and
 * an index GATEWAY[kind_id 0 id] -> name. It reads no field of one kind but
 * those that refer to other entities. */
#include "base/check.h"
#include "gateway/entity_parts.h"

met__text met__node_text_at(const met__node *object, const char *name)
{
    const met__node *node =
        object != NULL && object->kind == MET__NODE_OBJECT
            ? met__node_get(object, name)
            : NULL;

    return node != NULL && node->kind == MET__NODE_TEXT
               ? node->as.text
               : (met__text){NULL, 0};
}

int met__entity_is_kind(met__text kind)
{
    return met__text_equal(kind, MET__TEXT("service"))
           || met__text_equal(kind, MET__TEXT("route"))
           || met__text_equal(kind, MET__TEXT("consumer"))
           || met__text_equal(kind, MET__TEXT("consumer_group"))
           || met__text_equal(kind, MET__TEXT("plugin"));
}

/* A name no record can have. */
static int is_name(met__text name)
{
    return name.size > 0 && name.size <= MET__PLUGIN_NAME_MAX
           && memchr(name.data, '\0', name.size) == NULL;
}

met_error met__entity_load(met__txn *txn, met__text kind, met__text name,
                           met__arena *arena, met__node **node_out)
{
    met__text key;
    met_error error;

    if (!is_name(name)) {
        return MET_E_NOT_FOUND;
    }
    error = met__object_key(arena, kind, name, &key);
    return error != MET_OK ? error
                           : met__record_get(txn, MET__TABLE_GATEWAY,
                                             key.data, key.size, arena,
                                             node_out);
}

/* --- Index ---------------------------------------------------------------- */

static met_error index_key(const char *kind, met__text from,
                           met__arena *arena, met__text *key_out)
{
    char *name = met__arena_print(arena, "%s_id", kind);

    return name == NULL ? MET_E_NO_MEMORY
                        : met__object_key(arena, met__text_z(name), from,
                                          key_out);
}

met_error met__entity_index_put(met__txn *txn, const char *kind,
                                met__text from, met__text name,
                                met__arena *arena)
{
    met__text key;
    met_error error = index_key(kind, from, arena, &key);

    return error != MET_OK ? error
                           : met__txn_put(txn, MET__TABLE_GATEWAY, key.data,
                                          key.size, name.data, name.size);
}

met_error met__entity_index_get(met__txn *txn, const char *kind,
                                met__text from, met__arena *arena,
                                met__text *name_out)
{
    met__text key;
    met__text value;
    met_error error;

    if (!is_name(from)) {
        return MET_E_NOT_FOUND;
    }
    error = index_key(kind, from, arena, &key);
    if (error == MET_OK) {
        error = met__txn_get(txn, MET__TABLE_GATEWAY, key.data, key.size,
                             &value);
    }
    if (error != MET_OK) {
        return error;
    }
    char *copy = met__arena_copy(arena, value.data, value.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *name_out = met__text_of(copy, value.size);
    return MET_OK;
}

met_error met__entity_resolve(met__txn *txn, const char *kind, met__text name,
                              met__arena *arena, met__text *name_out)
{
    met__node *node;
    met_error error =
        met__entity_load(txn, met__text_z(kind), name, arena, &node);

    if (error == MET_OK) {
        *name_out = name;
        return MET_OK;
    }
    return error == MET_E_NOT_FOUND
               ? met__entity_index_get(txn, kind, name, arena, name_out)
               : error;
}

/* --- Put ------------------------------------------------------------------ */

/* The id of the document: the stored one, the given one, or a new one. */
static met_error choose_id(met__entity_run *run, const char *kind,
                           met__text name, met__text given,
                           const met__node *stored, const met__path *path,
                           met__text *id_out)
{
    met__text owner;

    if (stored != NULL) {
        *id_out = met__node_text_at(stored, "id");
        if (given.size > 0 && !met__text_equal(given, *id_out)) {
            return met__fail_at(run->info, MET_E_CONFLICT, path, "id",
                                "the stored %s of this name has another id",
                                kind);
        }
        return MET_OK;
    }
    if (given.size == 0) {
        return met__object_id(run->txn, run->now_ns, run->arena, id_out);
    }
    *id_out = given;
    met_error error = met__entity_index_get(run->txn, kind, given, run->arena,
                                            &owner);
    if (error == MET_OK) {
        return met__fail_at(run->info, MET_E_CONFLICT, path, "id",
                            "belongs to the %s \"%.*s\"", kind,
                            (int)owner.size, owner.data);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* Content with an id and times around it. */
static met_error stamped(met__entity_run *run, const met__node *content,
                         met__text id, int64_t created_at,
                         int64_t updated_at, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, run->arena);
    met__build_text(&builder, "id", id);
    for (uint32_t i = 0; i < content->count; i++) {
        met__build_node(&builder, content->as.members[i].name.data,
                        content->as.members[i].node);
    }
    met__build_time(&builder, "created_at", created_at);
    met__build_time(&builder, "updated_at", updated_at);
    return met__builder_end(&builder, node_out);
}

static met_error write_entity(met__entity_run *run, const char *kind,
                              met__text name, const met__node *node)
{
    met__text key;
    met_error error =
        met__object_key(run->arena, met__text_z(kind), name, &key);

    return error != MET_OK ? error
                           : met__record_put(run->txn, MET__TABLE_GATEWAY,
                                             key.data, key.size, node);
}

met_error met__entity_put(met__entity_run *run, const char *kind,
                          met__text name, met__builder *content,
                          met__text given_id, const met__path *path)
{
    met__node *stored = NULL;
    met__node *body = NULL;
    met__node *node = NULL;
    met__text id;
    int64_t created_at = run->now_ns;
    uint32_t change = MET__CHANGE_CREATED;
    met_error error = met__builder_end(content, &body);

    if (error == MET_OK) {
        error = met__entity_load(run->txn, met__text_z(kind), name,
                                 run->arena, &stored);
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    if (error == MET_OK) {
        error = choose_id(run, kind, name, given_id, stored, path, &id);
    }
    if (error == MET_OK && stored != NULL) {
        int64_t updated_at = 0;
        change = MET__CHANGE_UPDATED;
        (void)met__time_parse(met__node_text_at(stored, "created_at"),
                              &created_at);
        (void)met__time_parse(met__node_text_at(stored, "updated_at"),
                              &updated_at);
        error = stamped(run, body, id, created_at, updated_at, &node);
        if (error == MET_OK && met__node_equal(node, stored)) {
            change = MET__CHANGE_NONE;
        }
    }
    if (error == MET_OK && change != MET__CHANGE_NONE) {
        error = stamped(run, body, id, created_at, run->now_ns, &node);
        if (error == MET_OK) {
            error = write_entity(run, kind, name, node);
        }
        if (error == MET_OK) {
            error = met__entity_index_put(run->txn, kind, id, name,
                                          run->arena);
        }
    }
    return error != MET_OK ? error
                           : met__entity_note_change(run, kind, name, change);
}

/* --- References ----------------------------------------------------------- */

met_error met__entity_reference(met__entity_run *run, met__fields *fields,
                                const char *field, const char *kind,
                                const met__path *path, met__text *name_out)
{
    const met__node *node = NULL;
    met__text named;

    *name_out = (met__text){NULL, 0};
    if (met__fields_any(fields, field, MET__OPTIONAL, &node) != MET_OK
        || node == NULL) {
        return fields->error;
    }
    named = node->kind == MET__NODE_TEXT ? node->as.text : (met__text){0};
    if (node->kind == MET__NODE_OBJECT && node->count == 1) {
        named = met__node_text_at(node, strcmp(kind, "consumer") == 0
                                            ? "username"
                                            : "name");
        if (named.size == 0) {
            named = met__node_text_at(node, "id");
        }
    }
    if (named.size == 0) {
        return met__fields_fail(fields, field, "must be a name, or an object "
                                "with one name or id");
    }
    met_error error = met__entity_resolve(run->txn, kind, named, run->arena,
                                          name_out);
    if (error == MET_E_NOT_FOUND) {
        error = met__fail_at(run->info, MET_E_NOT_FOUND, path, field,
                             "no %s of that name", kind);
    }
    fields->error = error;
    return error;
}

/* --- Show ----------------------------------------------------------------- */

/* A copy without the hashes of credentials. */
static met_error shown(const met__node *stored, met__arena *arena,
                       met__node **node_out)
{
    const met__node *list = met__node_get(stored, "keyauth_credentials");
    met__builder builder;

    met__builder_begin(&builder, arena);
    for (uint32_t i = 0; i < stored->count; i++) {
        met__node *value = stored->as.members[i].node;
        if (value == list && list != NULL && list->kind == MET__NODE_ARRAY) {
            value = met__node_array(arena);
            for (uint32_t k = 0; k < list->count; k++) {
                met__node *made = NULL;
                if (value == NULL
                    || met__credential_shown(list->as.items[k], arena, &made)
                           != MET_OK
                    || met__node_append(arena, value, made) != MET_OK) {
                    return MET_E_NO_MEMORY;
                }
            }
        }
        met__build_node(&builder, stored->as.members[i].name.data, value);
    }
    return met__builder_end(&builder, node_out);
}

met_error met__entity_document(met__txn *txn, met__text kind, met__text name,
                               met__arena *arena, met__node **node_out)
{
    met__node *stored;

    if (!met__entity_is_kind(kind)) {
        return MET_E_INVALID;
    }
    met_error error = met__entity_load(txn, kind, name, arena, &stored);
    return error != MET_OK ? error : shown(stored, arena, node_out);
}

met_error met__entity_list(met__txn *txn, met__text kind, met__arena *arena,
                           met__node **array_out)
{
    met__scan scan;
    met__text prefix;
    met__text key;
    met__text value;
    met__node *array = met__node_array(arena);

    if (!met__entity_is_kind(kind)) {
        return MET_E_INVALID;
    }
    met_error error = array == NULL ? MET_E_NO_MEMORY
                                    : met__object_key(arena, kind,
                                                      (met__text){NULL, 0},
                                                      &prefix);
    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(txn, MET__TABLE_GATEWAY, prefix.data, prefix.size,
                            &scan);
    while (error == MET_OK) {
        met__node *stored;
        met__node *node;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__record_unpack(arena, value, &stored);
        }
        if (error == MET_OK) {
            error = shown(stored, arena, &node);
        }
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    met__scan_end(&scan);
    if (error == MET_E_NOT_FOUND) {
        *array_out = array;
        return MET_OK;
    }
    return error;
}

/* --- Remove --------------------------------------------------------------- */

static met_error remove_one(met__txn *txn, met__text kind, met__text name,
                            met__arena *arena)
{
    met__node *document;
    met__text key;
    met_error error = met__entity_load(txn, kind, name, arena, &document);

    if (error == MET_OK && met__text_equal(kind, MET__TEXT("consumer"))) {
        error = met__consumer_forget(txn, document, arena);
    }
    if (error == MET_OK
        && met__text_equal(kind, MET__TEXT("consumer_group"))) {
        error = met__group_forget(txn, name, arena);
    }
    char *kind_z = met__arena_copy(arena, kind.data, kind.size);
    if (error == MET_OK && kind_z == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = index_key(kind_z, met__node_text_at(document, "id"), arena,
                          &key);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_GATEWAY, key.data, key.size);
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    if (error == MET_OK) {
        error = met__object_key(arena, kind, name, &key);
    }
    return error != MET_OK ? error
                           : met__txn_remove(txn, MET__TABLE_GATEWAY,
                                             key.data, key.size);
}

/* What refers to the entity: plugins go with it, a route of a service and an
 * anonymous consumer in use stand against it. */
static met_error remove_users(met__txn *txn, const char *kind, met__text name,
                              met__text id, met__arena *arena,
                              met_error_info *info)
{
    met__node *list;
    met_error error = met__entity_list(txn, MET__TEXT("route"), arena, &list);

    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        met__text route = met__node_text_at(list->as.items[i], "name");
        if (strcmp(kind, "service") == 0
            && met__text_equal(met__node_text_at(list->as.items[i], kind),
                               name)) {
            return met__fail(info, MET_E_CONFLICT, kind,
                             "the route \"%.*s\" belongs to it",
                             (int)route.size, route.data);
        }
    }
    if (error == MET_OK) {
        error = met__entity_list(txn, MET__TEXT("plugin"), arena, &list);
    }
    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        const met__node *plugin = list->as.items[i];
        met__text entity = met__node_text_at(plugin, "entity");
        met__text anonymous = met__node_text_at(
            met__node_get(plugin, "config"), "anonymous");
        if (met__text_equal(met__node_text_at(plugin, kind), name)) {
            error = remove_one(txn, MET__TEXT("plugin"), entity, arena);
        } else if (strcmp(kind, "consumer") == 0
                   && (met__text_equal(anonymous, name)
                       || met__text_equal(anonymous, id))) {
            return met__fail(info, MET_E_CONFLICT, kind,
                             "the plugin \"%.*s\" uses it for anonymous "
                             "clients",
                             (int)entity.size, entity.data);
        }
    }
    return error;
}

met_error met__plugins_forget_plan(met__txn *txn, met__text key,
                                   met__arena *arena)
{
    return remove_users(txn, "plan", key, (met__text){NULL, 0}, arena, NULL);
}

met_error met__entity_remove(met__txn *txn, met__text kind, met__text name,
                             met_error_info *info)
{
    met__arena arena;
    met__node *document;
    met_error error;

    if (!met__entity_is_kind(kind)) {
        return met__fail(info, MET_E_INVALID, "kind", MET__ENTITY_KINDS);
    }
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    error = met__entity_load(txn, kind, name, &arena, &document);
    if (error == MET_E_NOT_FOUND) {
        error = met__fail(info, error, "name", "no %.*s of that name",
                          (int)kind.size, kind.data);
    }
    if (error == MET_OK && !met__text_equal(kind, MET__TEXT("plugin"))) {
        char *kind_z = met__arena_copy(&arena, kind.data, kind.size);
        error = kind_z == NULL
                    ? MET_E_NO_MEMORY
                    : remove_users(txn, kind_z, name,
                                   met__node_text_at(document, "id"), &arena,
                                   info);
    }
    if (error == MET_OK) {
        error = remove_one(txn, kind, name, &arena);
    }
    if (error == MET_OK) {
        error = met__txn_touch_catalog(txn);
    }
    met__arena_release(&arena);
    return error;
}

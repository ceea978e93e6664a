/* Walks the gateway's part of a declarative document: which lists there are,
 * in which order they must be read, names that are there twice, what is not
 * served. In: a document and a write transaction. Out: stored entities and
 * notes on each. The kinds themselves are read in entity_*.c. */
#include <stdio.h>

#include "base/check.h"
#include "gateway/entity_parts.h"

/* --- Names of this document ----------------------------------------------- */

met__name_slot *met__entity_slot(met__entity_run *run, const char *kind,
                                 met__text name)
{
    return met__name_set_slot(&run->names, kind, name);
}

met_error met__entity_once(met__entity_run *run, const char *kind,
                           met__text name, const met__path *path,
                           const char *field)
{
    met__name_slot *slot = met__entity_slot(run, kind, name);

    if (slot == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (slot->value != NULL) {
        return met__fail_at(run->info, MET_E_INVALID, path, field,
                            "is in the document twice");
    }
    slot->value = slot;
    return MET_OK;
}

/* --- What is not served --------------------------------------------------- */

met_error met__entity_ignore(met__entity_run *run, met__fields *fields,
                             const char *const *names, met__text *ignored_out)
{
    for (size_t i = 0; fields->error == MET_OK && names[i] != NULL; i++) {
        const met__node *node = NULL;
        if (met__fields_any(fields, names[i], MET__OPTIONAL, &node) != MET_OK
            || node == NULL) {
            continue;
        }
        if (run->is_strict) {
            fields->error = met__fail_at(run->info, MET_E_UNSUPPORTED,
                                         fields->path, names[i],
                                         "is not served by this version");
            break;
        }
        char *text = met__arena_print(
            run->arena, "%.*s%s%s", (int)ignored_out->size,
            ignored_out->size > 0 ? ignored_out->data : "",
            ignored_out->size > 0 ? ", " : "", names[i]);
        if (text == NULL) {
            fields->error = MET_E_NO_MEMORY;
            break;
        }
        *ignored_out = met__text_z(text);
    }
    return fields->error;
}

met_error met__entity_note_change(met__entity_run *run, const char *kind,
                                  met__text name, uint32_t change)
{
    met__entity_note note = {
        .kind = met__text_z(kind), .name = name, .change = change};

    run->changes += change != MET__CHANGE_NONE;
    return run->note != NULL ? run->note(run->context, &note) : MET_OK;
}

met_error met__entity_note_ignored(met__entity_run *run, const char *kind,
                                   met__text name, met__text fields,
                                   const char *reason)
{
    met__entity_note note = {.kind = met__text_z(kind),
                             .name = name,
                             .is_ignored = 1,
                             .reason = met__text_z(reason)};

    if (run->note == NULL) {
        return MET_OK;
    }
    if (fields.size > 0) {
        char *text = met__arena_print(run->arena, "%.*s: %s",
                                      (int)fields.size, fields.data, reason);
        if (text == NULL) {
            return MET_E_NO_MEMORY;
        }
        note.reason = met__text_z(text);
    }
    return run->note(run->context, &note);
}

/* --- Lists ---------------------------------------------------------------- */

met_error met__entity_each(met__entity_run *run, const met__node *list,
                           const met__path *path, const char *name,
                           met__entity_reader reader, met__text parent)
{
    met__path list_path = {path, name, 0};
    met_error error = MET_OK;

    if (list == NULL || list->kind == MET__NODE_NULL) {
        return MET_OK;
    }
    if (list->kind != MET__NODE_ARRAY) {
        return met__fail_at(run->info, MET_E_INVALID, path, name,
                            "must be a list");
    }
    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        met__path item_path = {&list_path, NULL, i};
        error = reader(run, list->as.items[i], &item_path, parent);
    }
    return error;
}

static met_error read_plugin(met__entity_run *run, const met__node *item,
                             const met__path *path, met__text parent)
{
    met__plugin_scope none = {.service = {NULL, 0}};
    return met__plugin_read(run, item, path, &none);
}

/* Plugins that stand inside an entity are scoped to it. */
static met_error service_plugin(met__entity_run *run, const met__node *item,
                                const met__path *path, met__text parent)
{
    met__plugin_scope scope = {.service = parent};
    return met__plugin_read(run, item, path, &scope);
}

static met_error route_plugin(met__entity_run *run, const met__node *item,
                              const met__path *path, met__text parent)
{
    met__plugin_scope scope = {.route = parent};
    return met__plugin_read(run, item, path, &scope);
}

static met_error group_plugin(met__entity_run *run, const met__node *item,
                              const met__path *path, met__text parent)
{
    met__plugin_scope scope = {.consumer_group = parent};
    return met__plugin_read(run, item, path, &scope);
}

static met_error consumer_plugin(met__entity_run *run, const met__node *item,
                                 const met__path *path, met__text parent)
{
    met__plugin_scope scope = {.consumer = parent};
    return met__plugin_read(run, item, path, &scope);
}

/* Inner lists of entities that were read without an error. */
static met_error inner_routes(met__entity_run *run, const met__node *item,
                              const met__path *path, met__text parent)
{
    return met__entity_each(run, met__node_get(item, "routes"), path,
                            "routes", met__route_read,
                            met__node_text_at(item, "name"));
}

static met_error route_plugins(met__entity_run *run, const met__node *item,
                               const met__path *path, met__text parent)
{
    return met__entity_each(run, met__node_get(item, "plugins"), path,
                            "plugins", route_plugin,
                            met__node_text_at(item, "name"));
}

static met_error service_plugins(met__entity_run *run, const met__node *item,
                                 const met__path *path, met__text parent)
{
    met_error error = met__entity_each(
        run, met__node_get(item, "plugins"), path, "plugins", service_plugin,
        met__node_text_at(item, "name"));

    if (error == MET_OK) {
        error = met__entity_each(run, met__node_get(item, "routes"), path,
                                 "routes", route_plugins, parent);
    }
    return error;
}

static met_error group_plugins(met__entity_run *run, const met__node *item,
                               const met__path *path, met__text parent)
{
    return met__entity_each(run, met__node_get(item, "plugins"), path,
                            "plugins", group_plugin,
                            met__node_text_at(item, "name"));
}

static met_error consumer_plugins(met__entity_run *run, const met__node *item,
                                  const met__path *path, met__text parent)
{
    return met__entity_each(run, met__node_get(item, "plugins"), path,
                            "plugins", consumer_plugin,
                            met__node_text_at(item, "username"));
}

/* --- The document --------------------------------------------------------- */

/* In the order in which references need them: plugins last. */
static const struct {
    const char *name;
    met__entity_reader reader;
} passes[] = {
    {"services", met__service_read},
    {"services", inner_routes},
    {"routes", met__route_read},
    {"consumer_groups", met__group_read},
    {"consumers", met__consumer_read},
    {"keyauth_credentials", met__keyauth_read},
    {"acls", met__acl_read},
    {NULL, NULL}, /* consumers are stored here */
    {"services", service_plugins},
    {"routes", route_plugins},
    {"consumer_groups", group_plugins},
    {"consumers", consumer_plugins},
    {"plugins", read_plugin},
};

/* Lists of Kong's format that this version does not serve. */
static const char *const unserved[] = {
    "upstreams", "targets", "certificates", "ca_certificates",
    "snis", "vaults", "keys", "key_sets", "licenses",
    "partials", "custom_plugins", "filter_chains", "basicauth_credentials",
    "hmacauth_credentials", "jwt_secrets", "oauth2_credentials",
    "oauth2_tokens", "mtls_auth_credentials", "parameters",
    "rbac_roles", "rbac_endpoint_permissions", NULL};

static int is_one_of(met__text name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (met__text_equal(name, met__text_z(names[i]))) {
            return 1;
        }
    }
    return 0;
}

int met__gateway_owns(met__text member)
{
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (passes[i].name != NULL
            && met__text_equal(member, met__text_z(passes[i].name))) {
            return 1;
        }
    }
    return (member.size > 0 && member.data[0] == '_')
           || is_one_of(member, unserved);
}

static met_error check_version(met__entity_run *run, const met__node *value,
                               const met__path *path)
{
    if (value->kind == MET__NODE_TEXT && value->as.text.size >= 3
        && value->as.text.data[1] == '.' && value->as.text.data[0] >= '1'
        && value->as.text.data[0] <= '3') {
        return MET_OK;
    }
    return met__fail_at(run->info, MET_E_UNSUPPORTED, path, "_format_version",
                        "must be \"1.1\", \"2.1\" or \"3.0\"");
}

/* Members at the top that nothing is read from. */
static met_error look_at_member(met__entity_run *run,
                                const met__member *member,
                                const met__path *path)
{
    met__text name = member->name;

    if (met__text_equal(name, MET__TEXT("_format_version"))) {
        return check_version(run, member->node, path);
    }
    if (met__text_equal(name, MET__TEXT("_comment"))
        || member->node->kind == MET__NODE_NULL
        || !(name.data[0] == '_' || is_one_of(name, unserved))) {
        return MET_OK;
    }
    if (run->is_strict) {
        char *field = met__arena_copy(run->arena, name.data, name.size);
        return field == NULL
                   ? MET_E_NO_MEMORY
                   : met__fail_at(run->info, MET_E_UNSUPPORTED, path, field,
                                  "is not served by this version");
    }
    return met__entity_note_ignored(run, "document", name, (met__text){0},
                                    "is not served by this version");
}

met_error met__gateway_apply(met__txn *txn, const met__node *document,
                             const met__path *path, int64_t now_ns,
                             int is_strict, met__arena *arena, void *context,
                             met_error (*note)(void *context,
                                               const met__entity_note *note),
                             met_error_info *info)
{
    met__entity_run run = {.txn = txn,
                           .now_ns = now_ns,
                           .is_strict = is_strict,
                           .arena = arena,
                           .context = context,
                           .note = note,
                           .info = info};
    met_error error = met__credential_start();

    met__name_set_init(&run.names, arena,
                       met__store_secret(met__txn_store(txn)));
    if (error == MET_OK && document->kind != MET__NODE_OBJECT) {
        error = met__fail_at(info, MET_E_INVALID, path, NULL,
                             "must be an object");
    }
    for (uint32_t i = 0; error == MET_OK && i < document->count; i++) {
        if (document->as.members[i].name.size > 0) {
            error = look_at_member(&run, &document->as.members[i], path);
        }
    }
    for (size_t i = 0; error == MET_OK && i < sizeof passes / sizeof *passes;
         i++) {
        if (passes[i].name == NULL) {
            error = met__consumers_flush(&run);
            continue;
        }
        error = met__entity_each(&run,
                                 met__node_get(document, passes[i].name),
                                 path, passes[i].name, passes[i].reader,
                                 (met__text){NULL, 0});
    }
    if (error == MET_OK && run.changes > 0) {
        error = met__txn_touch_catalog(txn);
    }
    return error;
}

/* Plugins: which one, and for what it is. A plugin is known by its name and
 * scope: "acl", "acl service=example_service". One whose scope we do not serve
 * is ignored whole: with a wider scope it would hold for others.
 * In: document items. Out: canonical content, stored. */
#include "base/check.h"
#include "catalog/plan.h"
#include "gateway/entity_parts.h"

/* The entity a plugin is scoped to: from around it, or from its own field. */
static met_error scope_of(met__entity_run *run, met__fields *fields,
                          const char *kind, met__text around,
                          const met__path *path, met__text *name_out)
{
    met__text own = {NULL, 0};

    if (fields->error == MET_OK) {
        (void)met__entity_reference(run, fields, kind, kind, path, &own);
    }
    if (fields->error == MET_OK && own.size > 0 && around.size > 0
        && !met__text_equal(own, around)) {
        return met__fields_fail(fields, kind,
                                "is another one than the plugin stands in");
    }
    *name_out = own.size > 0 ? own : around;
    return fields->error;
}

/* The plan that a plugin is scoped to: KEY, or {"key": KEY}. */
static met_error plan_of(met__entity_run *run, met__fields *fields,
                         const met__path *path, met__text *key_out)
{
    const met__node *node = NULL;
    met__plan *plan;

    if (met__fields_any(fields, "plan", MET__OPTIONAL, &node) != MET_OK
        || node == NULL) {
        return fields->error;
    }
    met__text key = node->kind == MET__NODE_TEXT ? node->as.text
                    : node->kind == MET__NODE_OBJECT && node->count == 1
                        ? met__node_text_at(node, "key")
                        : (met__text){NULL, 0};
    if (key.size == 0) {
        return met__fields_fail(fields, "plan",
                                "must be a key, or an object with one key");
    }
    met_error error = met__plan_is_custom(key)
                          ? MET_E_NOT_FOUND
                          : met__plan_latest(run->txn, key, run->arena, &plan);
    fields->error = error != MET_E_NOT_FOUND
                        ? error
                        : met__fail_at(run->info, error, path, "plan",
                                       "no plan of that key");
    *key_out = key;
    return fields->error;
}

/* At most one of consumer, consumer_group and plan, and only where the consumer
 * is known when the plugin runs. */
static met_error check_scope(met__entity_run *run, const met__path *path,
                             met__text plugin, const met__plugin_scope *scope)
{
    const struct {
        const char *field;
        met__text name;
    } whose[] = {{"consumer", scope->consumer},
                 {"consumer_group", scope->consumer_group},
                 {"plan", scope->plan}};
    const char *first = NULL;

    for (size_t i = 0; i < sizeof whose / sizeof *whose; i++) {
        if (whose[i].name.size == 0) {
            continue;
        }
        if (!met__text_equal(plugin, MET__TEXT("rate-limiting"))) {
            return met__fail_at(run->info, MET_E_INVALID, path,
                                whose[i].field, "%.*s cannot be scoped to a "
                                "consumer: it runs before the consumer is "
                                "known", (int)plugin.size, plugin.data);
        }
        if (first != NULL) {
            return met__fail_at(run->info, MET_E_INVALID, path,
                                whose[i].field, "cannot be given together "
                                "with a %s", first);
        }
        first = whose[i].field;
    }
    return MET_OK;
}

/* The name under which a plugin is stored. */
static met_error entity_name(met__entity_run *run, met__text plugin,
                             const met__plugin_scope *scope,
                             const met__path *path, met__text *name_out)
{
    const struct {
        const char *label;
        met__text name;
    } parts[] = {{" service=", scope->service},
                 {" route=", scope->route},
                 {" consumer=", scope->consumer},
                 {" consumer_group=", scope->consumer_group},
                 {" plan=", scope->plan}};
    met__text name = plugin;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].name.size > 0) {
            char *text = met__arena_print(
                run->arena, "%.*s%s%.*s", (int)name.size, name.data,
                parts[i].label, (int)parts[i].name.size, parts[i].name.data);
            if (text == NULL) {
                return MET_E_NO_MEMORY;
            }
            name = met__text_z(text);
        }
    }
    if (name.size > MET__PLUGIN_NAME_MAX) {
        return met__fail_at(run->info, MET_E_LIMIT, path, NULL,
                            "the names of the plugin's scope are too long");
    }
    *name_out = name;
    return MET_OK;
}

/* Why a plugin is not served at all; NULL when it may be. */
static const char *unserved_whole(const met__node *item)
{
    static const char *const names[] = {"condition", "workspace", NULL};

    for (size_t i = 0; names[i] != NULL; i++) {
        const met__node *node = met__node_get(item, names[i]);
        if (node != NULL && node->kind != MET__NODE_NULL) {
            return names[i];
        }
    }
    return NULL;
}

static met_error ignore_whole(met__entity_run *run, met__text name,
                              const char *field, const met__path *path)
{
    if (run->is_strict) {
        return met__fail_at(run->info, MET_E_UNSUPPORTED, path, field,
                            "is not served by this version");
    }
    return met__entity_note_ignored(
        run, "plugin", name, met__text_z(field),
        "this plugin is not served and does nothing");
}

typedef struct plugin {
    met__text name;
    met__text id;
    met__text entity;
    met__text instance_name;
    met__text ignored;
    met__plugin_scope scope;
    const met__node *config;
    int enabled;
    int is_additive; /* another instance than the one that precedence picks */
} plugin;

static met_error read_plugin(met__entity_run *run, met__fields *fields,
                             const met__path *path,
                             const met__plugin_scope *nested, plugin *p)
{
    static const char *const unserved[] = {"tags", "protocols", "ordering",
                                           "partials", NULL};

    p->enabled = 1;
    (void)met__fields_text(fields, "id", MET__OPTIONAL, 1, MET__ENTITY_ID_MAX,
                           &p->id);
    (void)met__fields_text(fields, "instance_name", MET__OPTIONAL, 1,
                           MET__ENTITY_NAME_MAX, &p->instance_name);
    (void)met__fields_boolean(fields, "enabled", MET__OPTIONAL, &p->enabled);
    (void)met__fields_object(fields, "config", MET__OPTIONAL, &p->config);
    (void)scope_of(run, fields, "service", nested->service, path,
                   &p->scope.service);
    (void)scope_of(run, fields, "route", nested->route, path,
                   &p->scope.route);
    (void)scope_of(run, fields, "consumer", nested->consumer, path,
                   &p->scope.consumer);
    (void)scope_of(run, fields, "consumer_group", nested->consumer_group,
                   path, &p->scope.consumer_group);
    (void)plan_of(run, fields, path, &p->scope.plan);
    (void)met__entity_ignore(run, fields, unserved, &p->ignored);
    met_error error = met__fields_end(fields);
    if (error == MET_OK) {
        error = check_scope(run, path, p->name, &p->scope);
    }
    if (error == MET_OK) {
        error = entity_name(run,
                            p->is_additive ? MET__TEXT("rate-limiting "
                                                       "additive")
                                           : p->name,
                            &p->scope, path, &p->entity);
    }
    return error == MET_OK ? met__entity_once(run, "plugin", p->entity, path,
                                              "name")
                           : error;
}

static met_error put_plugin(met__entity_run *run, const plugin *p,
                            const met__node *config, const met__path *path)
{
    met__builder content;

    met__builder_begin(&content, run->arena);
    met__build_text(&content, "entity", p->entity);
    met__build_text(&content, "name", p->name);
    met__build_text(&content, "instance_name", p->instance_name);
    met__build_text(&content, "service", p->scope.service);
    met__build_text(&content, "route", p->scope.route);
    met__build_text(&content, "consumer", p->scope.consumer);
    met__build_text(&content, "consumer_group", p->scope.consumer_group);
    met__build_text(&content, "plan", p->scope.plan);
    met__build_boolean(&content, "enabled", p->enabled);
    met__build_node(&content, "config", config);
    return met__entity_put(run, "plugin", p->entity, &content, p->id, path);
}

met_error met__plugin_read(met__entity_run *run, const met__node *item,
                           const met__path *path,
                           const met__plugin_scope *nested)
{
    met__path config_path = {path, "config", 0};
    const met__node *config = NULL;
    plugin p = {0};
    met__fields fields;
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK) {
        error = met__fields_text(&fields, "name", MET__REQUIRED, 1,
                                 MET__ENTITY_NAME_MAX, &p.name);
    }
    if (error != MET_OK) {
        return error;
    }
    const char *whole = unserved_whole(item);
    if (whole != NULL) {
        return ignore_whole(run, p.name, whole, path);
    }
    error = met__plugin_config_read(run, p.name, met__node_get(item, "config"),
                                    &config_path, &config, &p.ignored);
    if (error == MET_E_NOT_FOUND) {
        return ignore_whole(run, p.name, "name", path);
    }
    if (error == MET_OK) {
        p.is_additive = met__node_get(config, "additive") != NULL;
        error = read_plugin(run, &fields, path, nested, &p);
    }
    if (error == MET_OK) {
        error = put_plugin(run, &p, config, path);
    }
    return error == MET_OK && p.ignored.size > 0
               ? met__entity_note_ignored(run, "plugin", p.entity, p.ignored,
                                          "is not served by this version")
               : error;
}

/* Compiles plugins: their configuration into records, their scope into what
 * holds for which route, after Kong's precedence: one instance of a plugin per
 * request, the narrowest. In: stored plugins, one by one. */
#include <stdlib.h>

#include "gateway/entity_parts.h"
#include "gateway/plugin_config.h"
#include "gateway/snapshot_compile.h"
#include "meter/meter_def.h"

/* The whole run ends with it: compile_each looks after each entity. */
static void writer_fails(met__compile *compile)
{
    compile->writer->sections[MET__SECTION_TEXT].error = MET_E_NO_MEMORY;
}

/* {"message":"…"} */
static met__ref add_body(met__compile *compile, met__text message)
{
    met__ref ref = {0, 0};
    met__buffer text;

    met__buffer_init(&text, compile->arena->platform);
    met__buffer_text(&text, "{\"message\":");
    met__json_write_text(message, &text);
    met__buffer_text(&text, "}");
    if (text.error == MET_OK) {
        ref = met__snapshot_add_text(compile->writer,
                                     met__text_of(text.data, text.size));
    } else {
        compile->writer->sections[MET__SECTION_TEXT].error = text.error;
    }
    met__buffer_release(&text);
    return ref;
}

static met__ref add_print(met__compile *compile, const char *before,
                          met__text middle, const char *after)
{
    char *text = met__arena_print(compile->arena, "%s%.*s%s", before,
                                  (int)middle.size,
                                  middle.size > 0 ? middle.data : "", after);

    if (text == NULL) {
        writer_fails(compile);
        return (met__ref){0, 0};
    }
    return met__snapshot_add_text(compile->writer, met__text_z(text));
}

/* --- Configurations ------------------------------------------------------- */

static uint32_t key_auth_flags(const met__node *config)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = {{"key_in_header", MET__KEY_IN_HEADER},
                 {"key_in_query", MET__KEY_IN_QUERY},
                 {"key_in_body", MET__KEY_IN_BODY},
                 {"run_on_preflight", MET__KEY_ON_PREFLIGHT},
                 {"hide_credentials", MET__KEY_HIDE}};
    uint32_t all = 0;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (met__node_integer_at(config, flags[i].name, 0) != 0) {
            all |= flags[i].flag;
        }
    }
    return all;
}

/* A header of a key's name, in both spellings that it is found under. */
static int drop_key(met__compile *compile, met__text name, met__text *drop)
{
    char *hyphens = met__arena_copy(compile->arena, name.data, name.size);
    char *text;

    for (size_t i = 0; hyphens != NULL && i < name.size; i++) {
        hyphens[i] = (char)(hyphens[i] == '_' ? '-' : hyphens[i]);
    }
    if (hyphens == NULL) {
        return 0;
    }
    int is_other = memcmp(hyphens, name.data, name.size) != 0;
    text = met__arena_print(compile->arena, "%.*s%.*s\r\n%.*s%s",
                            (int)drop->size, drop->data, (int)name.size,
                            name.data, is_other ? (int)name.size : 0, hyphens,
                            is_other ? "\r\n" : "");
    *drop = text != NULL ? met__text_z(text) : *drop;
    return text != NULL;
}

static uint32_t add_key_auth(met__compile *compile, const met__node *config)
{
    const met__node *names = met__node_get(config, "key_names");
    met__text realm = met__node_text_at(config, "realm");
    met__text anonymous = met__node_text_at(config, "anonymous");
    met__snapshot_key_auth auth = {.flags = key_auth_flags(config),
                                   .anonymous = MET__NONE};
    met__text drop = MET__TEXT(MET__DROP_ALWAYS);

    for (uint32_t i = 0; names != NULL && i < names->count
                         && i < MET__KEY_NAMES_MAX;
         i++) {
        met__text name = names->as.items[i]->as.text;
        auth.names[auth.name_count++] =
            met__snapshot_add_text(compile->writer, name);
        if ((auth.flags & MET__KEY_HIDE) != 0
            && !drop_key(compile, name, &drop)) {
            writer_fails(compile); /* a key must not go upstream for that */
            return MET__NONE;
        }
    }
    auth.drop = met__snapshot_add_text(compile->writer, drop);
    auth.challenge = realm.size > 0
                         ? add_print(compile, "WWW-Authenticate: Key realm=\"",
                                     realm, "\"\r\n")
                         : add_print(compile, "WWW-Authenticate: Key", realm,
                                     "\r\n");
    if (anonymous.size > 0) {
        auth.is_anonymous = 1;
        auth.anonymous = met__compile_number(compile, "consumer_id",
                                             anonymous);
        if (auth.anonymous == MET__NONE) {
            auth.anonymous = met__compile_number(compile, "consumer",
                                                 anonymous);
        }
        char *message = met__arena_print(
            compile->arena, "anonymous consumer %.*s is configured but "
            "doesn't exist", (int)anonymous.size, anonymous.data);
        if (message == NULL) {
            writer_fails(compile);
            return MET__NONE;
        }
        auth.missing_body = add_body(compile, met__text_z(message));
    }
    return met__snapshot_add(compile->writer, MET__SECTION_KEY_AUTH, &auth);
}

static uint32_t add_acl(met__compile *compile, const met__node *config,
                        met_error *error)
{
    const met__node *deny = met__node_get(config, "deny");
    const met__node *list =
        deny != NULL ? deny : met__node_get(config, "allow");
    met__snapshot_acl acl = {
        .is_deny_list = deny != NULL,
        .always_authenticated = (uint32_t)met__node_integer_at(
            config, "always_use_authenticated_groups", 0),
        .hide_header = (uint32_t)met__node_integer_at(
            config, "hide_groups_header", 0),
        .groups.first =
            met__snapshot_count(compile->writer, MET__SECTION_GROUP)};
    met__buffer names;

    met__buffer_init(&names, compile->arena->platform);
    for (uint32_t i = 0; *error == MET_OK && list != NULL && i < list->count;
         i++) {
        met__text name = list->as.items[i]->as.text;
        uint32_t number = 0;
        *error = met__compile_group(compile, name, &number);
        met__buffer_append(&names, name.data, name.size);
        met__buffer_byte(&names, '\n');
        met__snapshot_add(compile->writer, MET__SECTION_GROUP, &number);
        acl.groups.count++;
    }
    *error = *error == MET_OK ? names.error : *error;
    acl.names = met__snapshot_add_text(
        compile->writer, met__text_of(names.data, *error == MET_OK
                                                      ? names.size
                                                      : 0));
    met__buffer_release(&names);
    return met__snapshot_add(compile->writer, MET__SECTION_ACL, &acl);
}

static uint32_t add_limit(met__compile *compile, const met__node *plugin,
                          const met__node *config)
{
    met__snapshot_writer *writer = compile->writer;
    met__text by = met__node_text_at(config, "limit_by");
    met__text algorithm = met__node_text_at(config, "algorithm");
    met__snapshot_limit limit = {
        .id = met__snapshot_add_text(writer, met__node_text_at(plugin, "id")),
        .header_name = met__snapshot_add_text(
            writer, met__node_text_at(config, "header_name")),
        .path = met__snapshot_add_text(writer,
                                       met__node_text_at(config, "path")),
        .body = add_body(compile, met__node_text_at(config, "error_message")),
        .by = MET__LIMIT_BY_CONSUMER,
        .hide_headers = (uint32_t)met__node_integer_at(
            config, "hide_client_headers", 0),
        .status = (uint32_t)met__node_integer_at(config, "error_code", 429)};

    for (uint16_t i = 0; met__limit_by_names[i] != NULL; i++) {
        if (met__text_equal(by, met__text_z(met__limit_by_names[i]))) {
            limit.by = (uint16_t)(i + 1);
        }
    }
    /* Sliding stays 0. */
    for (uint16_t i = 1; met__limit_algorithm_names[i] != NULL; i++) {
        if (met__text_equal(algorithm,
                            met__text_z(met__limit_algorithm_names[i]))) {
            limit.algorithm = (uint16_t)(i + 1);
        }
    }
    for (uint32_t i = 0; i < MET__WINDOWS_MAX; i++) {
        int64_t hits =
            met__node_integer_at(config, met__plugin_windows[i].name, 0);
        if (hits > 0) {
            limit.windows[limit.window_count++] = (met__snapshot_window){
                met__plugin_windows[i].window_ns, (uint64_t)hits};
        }
    }
    return met__snapshot_add(writer, MET__SECTION_LIMIT, &limit);
}

/* --- Scopes --------------------------------------------------------------- */

enum { OF_ALL, OF_GROUP, OF_PLAN, OF_CONSUMER };

static uint32_t rank_of(int has_route, int has_service, int of)
{
    static const uint32_t ranks[2][2][4] = {
        {{MET__RANK_GLOBAL, MET__RANK_GROUP, MET__RANK_PLAN,
          MET__RANK_CONSUMER},
         {MET__RANK_SERVICE, MET__RANK_SERVICE_GROUP, MET__RANK_SERVICE_PLAN,
          MET__RANK_SERVICE_CONSUMER}},
        {{MET__RANK_ROUTE, MET__RANK_ROUTE_GROUP, MET__RANK_ROUTE_PLAN,
          MET__RANK_ROUTE_CONSUMER},
         {MET__RANK_ROUTE_SERVICE, MET__RANK_ROUTE_SERVICE_GROUP,
          MET__RANK_ROUTE_SERVICE_PLAN, MET__RANK_ROUTE_SERVICE_CONSUMER}}};
    return ranks[has_route][has_service][of];
}

static void take(met__snapshot_plugins *plugins, uint32_t kind,
                 uint32_t record, uint32_t rank)
{
    if (plugins != NULL && rank < plugins->rank[kind]) {
        plugins->record[kind] = record;
        plugins->rank[kind] = rank;
    }
}

/* Lets a plugin hold for every route and service that its scope covers. */
static void spread(met__compile *compile, uint32_t kind, uint32_t record,
                   uint32_t service, uint32_t route, uint32_t rank)
{
    met__snapshot_writer *writer = compile->writer;
    uint32_t routes = met__snapshot_count(writer, MET__SECTION_ROUTE);
    uint32_t services = met__snapshot_count(writer, MET__SECTION_SERVICE);

    for (uint32_t i = route == MET__NONE ? 0 : route; i < routes; i++) {
        met__snapshot_route *one =
            met__snapshot_get(writer, MET__SECTION_ROUTE, i);
        if (one != NULL && (service == MET__NONE || one->service == service)) {
            take(&one->plugins, kind, record, rank);
        }
        if (route != MET__NONE) {
            return;
        }
    }
    for (uint32_t i = service == MET__NONE ? 0 : service; i < services; i++) {
        met__snapshot_service *one =
            met__snapshot_get(writer, MET__SECTION_SERVICE, i);
        if (one != NULL) {
            take(&one->plugins, kind, record, rank);
        }
        if (service != MET__NONE) {
            return;
        }
    }
    take(&writer->global, kind, record, rank);
}

/* A scope's number; a name that is gone makes the plugin hold for nobody. */
static int scope_number(const met__compile *compile, const met__node *node,
                        const char *kind, uint32_t *number_out)
{
    met__text name = met__node_text_at(node, kind);

    *number_out = met__compile_number(compile, kind, name);
    return name.size == 0 || *number_out != MET__NONE;
}

met_error met__compile_plugin(met__compile *compile, const met__node *node)
{
    met__text name = met__node_text_at(node, "name");
    const met__node *config = met__node_get(node, "config");
    met_error error = MET_OK;
    uint32_t service;
    uint32_t route;
    uint32_t consumer;
    uint32_t circle;
    uint32_t plan;
    uint32_t kind;
    uint32_t record;

    if (met__node_integer_at(node, "enabled", 1) == 0 || config == NULL
        || !scope_number(compile, node, "service", &service)
        || !scope_number(compile, node, "route", &route)
        || !scope_number(compile, node, "consumer", &consumer)
        || !scope_number(compile, node, "consumer_group", &circle)
        || !scope_number(compile, node, "plan", &plan)) {
        return MET_OK;
    }
    if (met__text_equal(name, MET__TEXT("key-auth"))) {
        kind = MET__PLUGIN_KEY_AUTH;
        record = add_key_auth(compile, config);
    } else if (met__text_equal(name, MET__TEXT("acl"))) {
        kind = MET__PLUGIN_ACL;
        record = add_acl(compile, config, &error);
    } else if (met__text_equal(name, MET__TEXT("rate-limiting"))) {
        kind = MET__PLUGIN_LIMIT;
        record = add_limit(compile, node, config);
    } else {
        return MET_OK; /* of a newer version */
    }
    uint32_t rank = rank_of(route != MET__NONE, service != MET__NONE,
                            consumer != MET__NONE ? OF_CONSUMER
                            : plan != MET__NONE   ? OF_PLAN
                            : circle != MET__NONE ? OF_GROUP
                                                  : OF_ALL);
    circle = plan != MET__NONE ? plan : circle;
    int is_additive = met__node_integer_at(config, "additive", 0) != 0;
    met__snapshot_scope scope = {service, route, record,
                                 is_additive ? MET__RANK_ADDITIVE : rank,
                                 INT64_MIN, INT64_MAX};
    if (consumer != MET__NONE) {
        met__scoped_limit scoped = {.consumer = consumer, .scope = scope};
        met__buffer_append(&compile->scoped, &scoped, sizeof scoped);
    } else if (circle != MET__NONE) {
        met__circle_limit scoped = {.circle = circle, .scope = scope};
        met__buffer_append(&compile->circle_limits, &scoped, sizeof scoped);
    } else if (is_additive) {
        scope.rank = MET__RANK_ADDITIVE_ALL;
        met__buffer_append(&compile->additive, &scope, sizeof scope);
    } else {
        spread(compile, kind, record, service, route, rank);
    }
    if (error == MET_OK) {
        error = compile->scoped.error;
    }
    if (error == MET_OK) {
        error = compile->additive.error;
    }
    return error == MET_OK ? compile->circle_limits.error : error;
}

static int compare_scoped(const void *left, const void *right)
{
    const met__scoped_limit *a = left;
    const met__scoped_limit *b = right;

    if (a->consumer != b->consumer) {
        return a->consumer < b->consumer ? -1 : 1;
    }
    if (a->scope.rank != b->scope.rank) {
        return a->scope.rank < b->scope.rank ? -1 : 1;
    }
    if (a->circle != b->circle) {
        return a->circle < b->circle ? -1 : 1;
    }
    return (a->scope.from_ns > b->scope.from_ns)
           - (a->scope.from_ns < b->scope.from_ns);
}

/* What holds for a circle holds for each of its consumers, as long as it is in
 * it; of several groups the first by name decides. */
static met_error spread_circles(met__compile *compile)
{
    const met__circle_limit *limits =
        (const met__circle_limit *)compile->circle_limits.data;
    const met__membership *members =
        (const met__membership *)compile->memberships.data;
    size_t limit_count = compile->circle_limits.size / sizeof *limits;
    size_t member_count = compile->memberships.size / sizeof *members;

    for (size_t i = 0; i < member_count && limit_count > 0; i++) {
        for (size_t k = 0; k < limit_count; k++) {
            if (limits[k].circle == members[i].circle) {
                met__scoped_limit scoped = {members[i].consumer,
                                            limits[k].circle,
                                            limits[k].scope};
                scoped.scope.from_ns = members[i].from_ns;
                scoped.scope.to_ns = members[i].to_ns;
                met__buffer_append(&compile->scoped, &scoped, sizeof scoped);
            }
        }
    }
    return compile->scoped.error;
}

met_error met__compile_scopes(met__compile *compile)
{
    met_error error = spread_circles(compile);
    met__scoped_limit *all = (met__scoped_limit *)compile->scoped.data;
    size_t count = compile->scoped.size / sizeof *all;

    if (error != MET_OK) {
        return error;
    }
    const met__snapshot_scope *additive =
        (const met__snapshot_scope *)compile->additive.data;
    for (size_t i = 0; i < compile->additive.size / sizeof *additive; i++) {
        met__snapshot_add(compile->writer, MET__SECTION_SCOPE, &additive[i]);
    }
    if (count > 0) {
        qsort(all, count, sizeof *all, compare_scoped);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t number = met__snapshot_add(
            compile->writer, MET__SECTION_SCOPE, &all[i].scope);
        met__snapshot_consumer *consumer = met__snapshot_get(
            compile->writer, MET__SECTION_CONSUMER, all[i].consumer);
        if (consumer == NULL) {
            return MET_E_BUG;
        }
        if (consumer->scopes.count++ == 0) {
            consumer->scopes.first = number;
        }
    }
    return MET_OK;
}

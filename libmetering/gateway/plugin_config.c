/* The configurations of key-auth, acl and rate-limiting, with Kong's names,
 * defaults and rules. In: a "config" object. Out: the canonical one with its
 * defaults filled in. It knows nothing of scopes and of the store. */
#include "gateway/plugin_config.h"

#include "base/check.h"
#include "gateway/entity_parts.h"
#include "gateway/key_auth.h"

const char *const met__limit_by_names[] = {"consumer", "credential", "ip",
                                           "service",  "header",     "path",
                                           NULL};

const char *const met__limit_algorithm_names[] = {
    "sliding",      "sliding_counter", "fixed_epoch",
    "calendar_utc", "gcra",            NULL};

const met__plugin_window met__plugin_windows[MET__WINDOWS_MAX] = {
    {"second", MET__SECOND_NS},     {"minute", MET__MINUTE_NS},
    {"hour", MET__HOUR_NS},         {"day", MET__DAY_NS},
    {"month", 30 * MET__DAY_NS},    {"year", 365 * MET__DAY_NS},
};

/* A flag with its default, into the canonical object. */
static void flag(met__fields *fields, const char *name, int standard,
                 met__builder *out)
{
    int value = standard;

    (void)met__fields_boolean(fields, name, MET__OPTIONAL, &value);
    met__build_boolean(out, name, value);
}

/* A list of texts of 1 to size_max clean bytes, each once. */
static met_error texts(met__fields *fields, const char *name,
                       size_t count_max, size_t size_max,
                       const met__node **list_out)
{
    const met__node *list = NULL;

    (void)met__fields_array(fields, name, MET__OPTIONAL, count_max, &list);
    for (uint32_t i = 0; fields->error == MET_OK && list != NULL
                         && i < list->count;
         i++) {
        const met__node *node = list->as.items[i];
        if (node->kind != MET__NODE_TEXT || node->as.text.size == 0
            || node->as.text.size > size_max
            || !met__text_is_clean(node->as.text)) {
            (void)met__fields_fail(fields, name, "must be texts of 1 to %zu "
                                   "bytes", size_max);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (met__node_equal(node, list->as.items[k])) {
                (void)met__fields_fail(fields, name,
                                       "names something twice");
            }
        }
    }
    *list_out = list != NULL && list->count > 0 ? list : NULL;
    return fields->error;
}

/* --- key-auth ------------------------------------------------------------- */

static void key_names(met__entity_run *run, met__fields *fields,
                      met__builder *out)
{
    const met__node *list = NULL;

    (void)texts(fields, "key_names", MET__KEY_NAMES_MAX, 64, &list);
    for (uint32_t i = 0; fields->error == MET_OK && list != NULL
                         && i < list->count;
         i++) {
        met__text name = list->as.items[i]->as.text;
        for (size_t k = 0; k < name.size; k++) {
            char c = name.data[k];
            if (!(c >= '0' && c <= '9')
                && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_'
                && c != '-') {
                (void)met__fields_fail(fields, "key_names", "may have "
                                       "letters, digits, '_' and '-'");
                return;
            }
        }
    }
    if (list == NULL && fields->error == MET_OK) {
        met__node *standard = met__node_array(run->arena);
        if (standard == NULL
            || met__node_append(run->arena, standard,
                                met__node_text_z(run->arena, "apikey"))
                   != MET_OK) {
            fields->error = MET_E_NO_MEMORY;
            return;
        }
        list = standard;
    }
    met__build_node(out, "key_names", list);
}

static met_error read_key_auth(met__entity_run *run, met__fields *fields,
                               met__builder *out, met__text *ignored)
{
    static const char *const unserved[] = {"identity_realms", NULL};
    met__text realm = {NULL, 0};
    met__text anonymous = {NULL, 0};

    key_names(run, fields, out);
    flag(fields, "key_in_header", 1, out);
    flag(fields, "key_in_query", 1, out);
    flag(fields, "key_in_body", 0, out);
    flag(fields, "run_on_preflight", 1, out);
    flag(fields, "hide_credentials", 0, out);
    (void)met__fields_text(fields, "realm", MET__OPTIONAL, 0, 128, &realm);
    (void)met__fields_text(fields, "anonymous", MET__OPTIONAL, 0,
                           MET__ENTITY_NAME_MAX, &anonymous);
    for (size_t i = 0; i < realm.size; i++) {
        if (realm.data[i] == '"' || realm.data[i] == '\\') {
            (void)met__fields_fail(fields, "realm",
                                   "may not have quotes or backslashes");
        }
    }
    met__build_text(out, "realm", realm);
    met__build_text(out, "anonymous", anonymous);
    return met__entity_ignore(run, fields, unserved, ignored);
}

/* --- acl ------------------------------------------------------------------ */

static met_error read_acl(met__entity_run *run, met__fields *fields,
                          met__builder *out, met__text *ignored)
{
    static const char *const unserved[] = {"include_consumer_groups", NULL};
    const met__node *allow = NULL;
    const met__node *deny = NULL;

    (void)texts(fields, "allow", MET__GROUPS_MAX, MET__ENTITY_NAME_MAX,
                &allow);
    (void)texts(fields, "deny", MET__GROUPS_MAX, MET__ENTITY_NAME_MAX, &deny);
    if (fields->error == MET_OK && (allow != NULL) == (deny != NULL)) {
        (void)met__fields_fail(fields, allow != NULL ? "deny" : "allow",
                               "exactly one of allow and deny must be given");
    }
    met__build_node(out, "allow", allow);
    met__build_node(out, "deny", deny);
    flag(fields, "hide_groups_header", 0, out);
    flag(fields, "always_use_authenticated_groups", 0, out);
    return met__entity_ignore(run, fields, unserved, ignored);
}

/* --- rate-limiting -------------------------------------------------------- */

static void read_windows(met__entity_run *run, met__fields *fields,
                         met__builder *out)
{
    const char *shorter = NULL;
    int64_t shorter_limit = 0;

    for (size_t i = 0; i < MET__WINDOWS_MAX; i++) {
        const char *name = met__plugin_windows[i].name;
        const met__node *node = met__node_get(fields->object, name);
        int64_t limit = 0;
        if (node != NULL && node->kind == MET__NODE_DECIMAL
            && fields->error == MET_OK) {
            fields->error = met__fail_at(
                run->info, MET_E_UNSUPPORTED, fields->path, name,
                "a fraction of a request cannot be limited");
        }
        (void)met__fields_integer(fields, name, MET__OPTIONAL, 1,
                                  MET__LIMIT_MAX, &limit);
        if (limit == 0 || fields->error != MET_OK) {
            continue;
        }
        if (limit < shorter_limit) {
            (void)met__fields_fail(
                fields, name, "The limit for %s(%lld.0) cannot be lower than "
                "the limit for %s(%lld.0)", name, (long long)limit, shorter,
                (long long)shorter_limit);
        }
        shorter = name;
        shorter_limit = limit;
        met__build_integer(out, name, limit);
    }
    if (shorter == NULL && fields->error == MET_OK) {
        (void)met__fields_fail(fields, NULL, "at least one limit of second, "
                               "minute, hour, day, month, year must be "
                               "given");
    }
}

/* Whom the limit counts, and what that needs. */
static void read_identity(met__entity_run *run, met__fields *fields,
                          met__builder *out)
{
    uint32_t limit_by = MET__LIMIT_BY_CONSUMER - 1;
    met__text header = {NULL, 0};
    met__text path = {NULL, 0};
    met__text by = met__node_text_at(fields->object, "limit_by");

    if (met__text_equal(by, MET__TEXT("consumer-group"))
        && fields->error == MET_OK) {
        fields->error = met__fail_at(run->info, MET_E_UNSUPPORTED,
                                     fields->path, "limit_by",
                                     "consumer groups are not served");
    }
    (void)met__fields_choice(fields, "limit_by", MET__OPTIONAL,
                             met__limit_by_names, &limit_by);
    (void)met__fields_text(fields, "header_name", MET__OPTIONAL, 1, 128,
                           &header);
    (void)met__fields_text(fields, "path", MET__OPTIONAL, 1,
                           MET__ROUTE_PATH_MAX, &path);
    if (fields->error != MET_OK) {
        return;
    }
    if (limit_by + 1 == MET__LIMIT_BY_HEADER && header.size == 0) {
        (void)met__fields_fail(fields, "header_name",
                               "required field missing");
    }
    if (limit_by + 1 == MET__LIMIT_BY_PATH
        && (path.size == 0 || path.data[0] != '/')) {
        (void)met__fields_fail(fields, "path",
                               path.size == 0 ? "required field missing"
                                              : "must begin with '/'");
    }
    met__build_text(out, "limit_by",
                    met__text_z(met__limit_by_names[limit_by]));
    met__build_text(out, "header_name", header);
    met__build_text(out, "path", path);
}

static met_error read_rate_limiting(met__entity_run *run, met__fields *fields,
                                    met__builder *out, met__text *ignored)
{
    static const char *const unserved[] = {
        "fault_tolerant", "sync_rate", "redis", "redis_host", "redis_port",
        "redis_password", "redis_username", "redis_ssl", "redis_ssl_verify",
        "redis_server_name", "redis_timeout", "redis_database", NULL};
    static const char *const policy[] = {"policy", NULL};
    met__text message = MET__TEXT("API rate limit exceeded");
    const met__node *any = NULL;
    uint32_t algorithm = 0;
    int64_t code = 429;

    read_windows(run, fields, out);
    if (fields->error == MET_OK) {
        read_identity(run, fields, out);
    }
    (void)met__fields_choice(fields, "algorithm", MET__OPTIONAL,
                             met__limit_algorithm_names, &algorithm);
    /* Sliding is left out, as it was before there was a choice. */
    if (algorithm != 0) {
        met__build_text(out, "algorithm",
                        met__text_z(met__limit_algorithm_names[algorithm]));
    }
    int is_additive = 0;
    (void)met__fields_boolean(fields, "additive", MET__OPTIONAL,
                              &is_additive);
    if (is_additive) {
        met__build_boolean(out, "additive", 1);
    }
    flag(fields, "hide_client_headers", 0, out);
    (void)met__fields_integer(fields, "error_code", MET__OPTIONAL, 400, 599,
                              &code);
    (void)met__fields_text(fields, "error_message", MET__OPTIONAL, 1, 512,
                           &message);
    met__build_integer(out, "error_code", code);
    met__build_text(out, "error_message", message);
    /* "local" is what we do, for all processes of the machine. */
    if (met__text_equal(met__node_text_at(fields->object, "policy"),
                        MET__TEXT("local"))) {
        (void)met__fields_any(fields, "policy", MET__OPTIONAL, &any);
    } else {
        (void)met__entity_ignore(run, fields, policy, ignored);
    }
    return met__entity_ignore(run, fields, unserved, ignored);
}

/* --- Which one ------------------------------------------------------------ */

met_error met__plugin_config_read(met__entity_run *run, met__text name,
                                  const met__node *config,
                                  const met__path *path,
                                  const met__node **config_out,
                                  met__text *ignored_out)
{
    static const struct {
        const char *name;
        met_error (*read)(met__entity_run *run, met__fields *fields,
                          met__builder *out, met__text *ignored);
    } readers[] = {{"key-auth", read_key_auth},
                   {"acl", read_acl},
                   {"rate-limiting", read_rate_limiting}};
    met__builder builder;
    met__fields fields;
    met__node *node = NULL;

    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (!met__text_equal(name, met__text_z(readers[i].name))) {
            continue;
        }
        if (config == NULL || config->kind == MET__NODE_NULL) {
            config = met__node_object(run->arena);
        }
        if (config == NULL) {
            return MET_E_NO_MEMORY;
        }
        met__builder_begin(&builder, run->arena);
        met_error error = met__fields_begin(&fields, config, path, run->info);
        if (error == MET_OK) {
            error = readers[i].read(run, &fields, &builder, ignored_out);
        }
        if (error == MET_OK) {
            error = met__fields_end(&fields);
        }
        if (error == MET_OK) {
            error = met__builder_end(&builder, &node);
        }
        *config_out = node;
        return error;
    }
    return MET_E_NOT_FOUND;
}

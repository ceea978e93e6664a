/* Services and routes: reading them out of a document. What only a proxy needs
 * (timeouts, retries, …) is the host's and noted as ignored. A route that is
 * told apart by something else than path and method is found by name only: to
 * match more requests than its owner meant would open a door.
 * In: document items. Out: canonical content, stored. */
#include "base/check.h"
#include "gateway/entity_parts.h"

#define HOST_REASON "is left to the host"

/* Letters, digits, '.', '-', '_', '~' and whatever is not ASCII: as Kong. */
static met_error read_name(met__fields *fields, met__text *name_out)
{
    met_error error = met__fields_text(fields, "name", MET__REQUIRED, 1,
                                       MET__ENTITY_NAME_MAX, name_out);

    for (size_t i = 0; error == MET_OK && i < name_out->size; i++) {
        unsigned char c = (unsigned char)name_out->data[i];
        if (c < 0x80 && !(c >= '0' && c <= '9')
            && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            && strchr(".-_~", c) == NULL) {
            error = met__fields_fail(fields, "name", "may have letters, "
                                     "digits, '.', '-', '_' and '~'");
        }
    }
    return error;
}

/* --- Services ------------------------------------------------------------- */

static const char *const protocols[] = {
    "http", "https", "grpc", "grpcs", "tcp", "tls", "udp", "ws", "wss",
    "tls_passthrough", NULL};

typedef struct service {
    met__text name;
    met__text id;
    met__text url;
    met__text protocol;
    met__text host;
    met__text path;
    int64_t port;
    int enabled;
    uint32_t reserved;
} service;

static int is_protocol(met__text text)
{
    for (size_t i = 0; protocols[i] != NULL; i++) {
        if (met__text_equal(text, met__text_z(protocols[i]))) {
            return 1;
        }
    }
    return 0;
}

/* ":8000/path" behind the host of a URL. 0: not of that form. */
static int read_port(met__text rest, int64_t *port_out, size_t *used_out)
{
    int64_t port = 0;
    size_t i = 1;

    for (; i < rest.size && rest.data[i] >= '0' && rest.data[i] <= '9'
           && port <= 65535;
         i++) {
        port = port * 10 + (rest.data[i] - '0');
    }
    *port_out = port;
    *used_out = i;
    return i > 1 && port >= 1 && port <= 65535
           && (i == rest.size || rest.data[i] == '/');
}

/* scheme://host[:port][/path] */
static met_error split_url(met__fields *fields, service *s)
{
    size_t at = 0;
    size_t end;

    while (at + 3 <= s->url.size && memcmp(s->url.data + at, "://", 3) != 0) {
        at++;
    }
    s->protocol = met__text_of(s->url.data, at);
    if (at + 3 > s->url.size || !is_protocol(s->protocol)) {
        return met__fields_fail(fields, "url", "must be PROTOCOL://HOST[:PORT]"
                                "[/PATH]");
    }
    at += 3;
    for (end = at; end < s->url.size && s->url.data[end] != '/'
                   && s->url.data[end] != ':';
         end++) {
    }
    s->host = met__text_of(s->url.data + at, end - at);
    s->port = met__text_equal(s->protocol, MET__TEXT("https")) ? 443 : 80;
    if (end < s->url.size && s->url.data[end] == ':') {
        size_t used;
        if (!read_port(met__text_of(s->url.data + end, s->url.size - end),
                       &s->port, &used)) {
            return met__fields_fail(fields, "url", "the port must be 1 to "
                                    "65535");
        }
        end += used;
    }
    s->path = met__text_of(s->url.data + end, s->url.size - end);
    return s->host.size > 0 ? MET_OK
                            : met__fields_fail(fields, "url",
                                               "the host is missing");
}

static met_error read_service(met__entity_run *run, met__fields *fields,
                              service *s, met__text *ignored)
{
    static const char *const unserved[] = {
        "retries", "connect_timeout", "read_timeout", "write_timeout",
        "tls_verify", "tls_verify_depth", "client_certificate",
        "ca_certificates", "tls_sans", "tags", NULL};
    const met__node *inner = NULL;
    uint32_t protocol = UINT32_MAX;

    s->enabled = 1;
    (void)read_name(fields, &s->name);
    (void)met__fields_text(fields, "id", MET__OPTIONAL, 1, MET__ENTITY_ID_MAX,
                           &s->id);
    (void)met__fields_text(fields, "url", MET__OPTIONAL, 1, 2048, &s->url);
    if (s->url.size == 0) {
        (void)met__fields_choice(fields, "protocol", MET__OPTIONAL, protocols,
                                 &protocol);
        (void)met__fields_text(fields, "host", MET__OPTIONAL, 1, 255,
                               &s->host);
        (void)met__fields_integer(fields, "port", MET__OPTIONAL, 0, 65535,
                                  &s->port);
        (void)met__fields_text(fields, "path", MET__OPTIONAL, 1, 1024,
                               &s->path);
        if (protocol != UINT32_MAX) {
            s->protocol = met__text_z(protocols[protocol]);
        }
    } else if (fields->error == MET_OK) {
        (void)split_url(fields, s);
    }
    (void)met__fields_boolean(fields, "enabled", MET__OPTIONAL, &s->enabled);
    (void)met__fields_any(fields, "routes", MET__OPTIONAL, &inner);
    (void)met__fields_any(fields, "plugins", MET__OPTIONAL, &inner);
    (void)met__entity_ignore(run, fields, unserved, ignored);
    return met__fields_end(fields);
}

met_error met__service_read(met__entity_run *run, const met__node *item,
                            const met__path *path, met__text parent)
{
    met__fields fields;
    met__builder content;
    met__text ignored = {NULL, 0};
    service s = {0};
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK) {
        error = read_service(run, &fields, &s, &ignored);
    }
    if (error == MET_OK) {
        error = met__entity_once(run, "service", s.name, path, "name");
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&content, run->arena);
    met__build_text(&content, "name", s.name);
    met__build_text(&content, "protocol", s.protocol);
    met__build_text(&content, "host", s.host);
    if (s.port != 0) {
        met__build_integer(&content, "port", s.port);
    }
    met__build_text(&content, "path", s.path);
    met__build_boolean(&content, "enabled", s.enabled);
    error = met__entity_put(run, "service", s.name, &content, s.id, path);
    return error == MET_OK && ignored.size > 0
               ? met__entity_note_ignored(run, "service", s.name, ignored,
                                          HOST_REASON)
               : error;
}

/* --- Routes --------------------------------------------------------------- */

static met_error check_path(met__entity_run *run, met__text text,
                            const met__path *path)
{
    if (text.data[0] != '/' && text.data[0] != '~') {
        return met__fail_at(run->info, MET_E_INVALID, path, NULL,
                            "must begin with '/'");
    }
    return MET_OK;
}

static met_error check_method(met__entity_run *run, met__text text,
                              const met__path *path)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 'A' || text.data[i] > 'Z') {
            return met__fail_at(run->info, MET_E_INVALID, path, NULL,
                                "must be capital letters");
        }
    }
    return MET_OK;
}

/* A list of texts, each once; NULL stays when there is none. */
static met_error read_texts(met__entity_run *run, met__fields *fields,
                            const char *name, size_t count_max,
                            size_t size_max,
                            met_error (*check)(met__entity_run *run,
                                               met__text text,
                                               const met__path *path),
                            const met__node **list_out)
{
    met__path list_path = {fields->path, name, 0};
    const met__node *list = NULL;
    met_error error = met__fields_array(fields, name, MET__OPTIONAL,
                                        count_max, &list);

    for (uint32_t i = 0; error == MET_OK && list != NULL && i < list->count;
         i++) {
        met__path item = {&list_path, NULL, i};
        const met__node *node = list->as.items[i];
        if (node->kind != MET__NODE_TEXT || node->as.text.size == 0
            || node->as.text.size > size_max
            || !met__text_is_clean(node->as.text)) {
            error = met__fail_at(run->info, MET_E_INVALID, &item, NULL,
                                 "must be a text of 1 to %zu bytes",
                                 size_max);
        } else {
            error = check(run, node->as.text, &item);
        }
        for (uint32_t k = 0; error == MET_OK && k < i; k++) {
            if (met__node_equal(node, list->as.items[k])) {
                error = met__fail_at(run->info, MET_E_INVALID, &item, NULL,
                                     "is in the list twice");
            }
        }
    }
    fields->error = error;
    *list_out = list != NULL && list->count > 0 ? list : NULL;
    return error;
}

typedef struct route {
    met__text name;
    met__text id;
    met__text service;
    const met__node *paths;
    const met__node *methods;
    int by_name_only;
    uint32_t reserved;
} route;

/* What else tells routes apart in Kong: then our match would be too wide. */
static void look_for_matchers(const met__node *item, route *r)
{
    static const char *const matchers[] = {"hosts",   "headers",
                                           "snis",    "sources",
                                           "destinations", "expression", NULL};

    for (size_t i = 0; matchers[i] != NULL; i++) {
        const met__node *node = met__node_get(item, matchers[i]);
        r->by_name_only |= node != NULL && node->kind != MET__NODE_NULL
                           && !(node->kind == MET__NODE_ARRAY
                                && node->count == 0);
    }
    for (uint32_t i = 0; r->paths != NULL && i < r->paths->count; i++) {
        r->by_name_only |= r->paths->as.items[i]->as.text.data[0] == '~';
    }
    r->by_name_only |= r->paths == NULL && r->methods == NULL;
}

static met_error read_route(met__entity_run *run, met__fields *fields,
                            route *r, met__text *ignored)
{
    static const char *const unserved[] = {
        "hosts", "headers", "snis", "sources", "destinations", "expression",
        "priority", "protocols", "regex_priority", "strip_path",
        "preserve_host", "path_handling", "https_redirect_status_code",
        "request_buffering", "response_buffering", "tags", NULL};
    const met__node *inner = NULL;

    (void)read_name(fields, &r->name);
    (void)met__fields_text(fields, "id", MET__OPTIONAL, 1, MET__ENTITY_ID_MAX,
                           &r->id);
    (void)read_texts(run, fields, "paths", MET__ROUTE_PATHS_MAX,
                     MET__ROUTE_PATH_MAX, check_path, &r->paths);
    (void)read_texts(run, fields, "methods", 16, 32, check_method,
                     &r->methods);
    (void)met__fields_any(fields, "plugins", MET__OPTIONAL, &inner);
    /* Of an exported route, whose other matchers are gone. */
    (void)met__fields_boolean(fields, "by_name_only", MET__OPTIONAL,
                              &r->by_name_only);
    if (fields->error == MET_OK) {
        look_for_matchers(fields->object, r);
    }
    (void)met__entity_ignore(run, fields, unserved, ignored);
    return met__fields_end(fields);
}

met_error met__route_read(met__entity_run *run, const met__node *item,
                          const met__path *path, met__text parent)
{
    met__fields fields;
    met__builder content;
    met__text ignored = {NULL, 0};
    route r = {.service = parent};
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK && parent.size == 0) {
        (void)met__entity_reference(run, &fields, "service", "service", path,
                                    &r.service);
    }
    if (error == MET_OK) {
        error = read_route(run, &fields, &r, &ignored);
    }
    if (error == MET_OK) {
        error = met__entity_once(run, "route", r.name, path, "name");
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&content, run->arena);
    met__build_text(&content, "name", r.name);
    met__build_text(&content, "service", r.service);
    met__build_node(&content, "paths", r.paths);
    met__build_node(&content, "methods", r.methods);
    met__build_boolean(&content, "by_name_only", r.by_name_only);
    error = met__entity_put(run, "route", r.name, &content, r.id, path);
    if (error == MET_OK && ignored.size > 0) {
        error = met__entity_note_ignored(
            run, "route", r.name, ignored,
            r.by_name_only ? "is left to the host, which must name the route"
                           : HOST_REASON);
    }
    return error;
}

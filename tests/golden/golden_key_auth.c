/* Golden cases of Kong's plugin key-auth, each asked of a gateway on a store
 * of its own: bob has the key "kong", and there is a consumer no-body. */
#include "gateway/entity_parts.h"
#include "gateway/snapshot_compile.h"
#include "golden.h"
#include "metering/catalog.h"
#include "metering/gateway.h"
#include "metering/store.h"
#include "support/temp_directory.h"

/* What one case needs, and what it is given back. */
typedef struct one_case {
    golden *self;
    const met__node *item;
    met_store *store;
    met_gateway *gateway;
    met_gateway_decision decision;
} one_case;

static void must(one_case *c, met_error error, const met_error_info *info)
{
    if (error != MET_OK && !c->self->failed) {
        golden_fail(c->self, "%s at \"%s\": \"%s\"", met_error_name(error),
                    info->field, info->reason);
    }
}

static void open_store(one_case *c, const char *home)
{
    met_store_config config = {.struct_size = sizeof config,
                               .map_size_bytes = 16 * 1024 * 1024,
                               .flags = MET_STORE_CREATE};
    met_error_info info = {.struct_size = sizeof info};
    const met__node *settings = met__node_get(c->item, "config");
    met_buffer out = {0};
    met__buffer text;
    char path[128];

    snprintf(path, sizeof path, "%s/s", home);
    met__buffer_init(&text, c->self->platform);
    met__buffer_text(
        &text, "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\","
               "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\","
               "\"paths\":[\"/\"]}]}],\"consumers\":[{\"username\":\"bob\","
               "\"keyauth_credentials\":[{\"key\":\"kong\"}]},{\"username\":"
               "\"no-body\"}],\"plugins\":[{\"name\":\"key-auth\","
               "\"config\":");
    if (settings != NULL) {
        met__json_write(settings, 0, &text);
    } else {
        met__buffer_text(&text, "{}");
    }
    met__buffer_text(&text, "}]}");
    must(c, text.error, &info);
    must(c, met_store_open(path, strlen(path), &config, &c->store, &info),
         &info);
    if (!c->self->failed) {
        must(c,
             met_catalog_apply(c->store, text.data, text.size, 0, 0, &out,
                               &info),
             &info);
        met_buffer_release(&out);
    }
    if (!c->self->failed) {
        must(c, met_gateway_open(c->store, NULL, &c->gateway, &info), &info);
    }
    met__buffer_release(&text);
}

/* Path and query of a target. */
static void set_target(met_gateway_request *request, met__text target)
{
    const char *mark = memchr(target.data, '?', target.size);

    request->path = target.data;
    request->path_size = mark != NULL ? (size_t)(mark - target.data)
                                      : target.size;
    if (mark != NULL) {
        request->query = mark + 1;
        request->query_size = target.size - request->path_size - 1;
    }
}

static void ask(one_case *c)
{
    const met__node *given = met__node_get(c->item, "request");
    const met__node *headers = met__node_get(given, "headers");
    met__text method = met__node_text_at(given, "method");
    met__text target = met__node_text_at(given, "target");
    met__text query = met__node_text_at(given, "query");
    met__text form = met__node_text_at(given, "body");
    met_pair pairs[8];
    met_gateway_request request = {.struct_size = sizeof request,
                                   .method = "GET",
                                   .method_size = 3,
                                   .path = "/",
                                   .path_size = 1,
                                   .query = query.data,
                                   .query_size = query.size,
                                   .headers = pairs};

    if (method.size > 0) {
        request.method = method.data;
        request.method_size = method.size;
    }
    if (target.size > 0) {
        set_target(&request, target);
    }
    /* A host hands over forms, and nothing else. */
    if (met__text_equal(met__node_text_at(given, "content_type"),
                        MET__TEXT("application/x-www-form-urlencoded"))) {
        request.form = form.data;
        request.form_size = form.size;
    }
    for (uint32_t i = 0; headers != NULL && i < headers->count && i < 8;
         i++) {
        const met__member *member = &headers->as.members[i];
        pairs[request.header_count++] =
            (met_pair){member->name.data, member->name.size,
                       member->node->as.text.data,
                       member->node->as.text.size};
    }
    c->decision.struct_size = sizeof c->decision;
    met_error error = met_gateway_admit(c->gateway, &request, &c->decision);
    if (error != MET_OK) {
        golden_fail(c->self, "admit: %s", met_error_name(error));
    }
}

/* --- Judging -------------------------------------------------------------- */
static void same_text(one_case *c, const char *what, const char *got,
                      const char *wanted)
{
    if (!c->self->failed && strcmp(got, wanted) != 0) {
        golden_fail(c->self, "%s is %s, not %s", what, got, wanted);
    }
}

/* Texts in angle brackets stand for any. */
static void same_header(one_case *c, met__text name, const met__node *value)
{
    char line[256];
    int is_there;

    snprintf(line, sizeof line, "%.*s: ", (int)name.size, name.data);
    const char *found = strstr(c->decision.upstream_headers, line);
    is_there = value->kind != MET__NODE_NULL;
    if ((found != NULL) != is_there) {
        golden_fail(c->self, "\"%s\" is %s", line,
                    found != NULL ? "there" : "missing");
    } else if (is_there && value->as.text.data[0] != '<') {
        size_t size = strlen(line);
        snprintf(line + size, sizeof line - size, "%.*s\r\n",
                 (int)value->as.text.size, value->as.text.data);
        if (strncmp(found, line, strlen(line)) != 0) {
            golden_fail(c->self, "\"%s\" in \"%s\"", line, found);
        }
    }
}

static void compare(one_case *c)
{
    const met_gateway_decision *got = &c->decision;
    const met__node *headers = met__node_get(c->item, "upstream_headers");
    met__text message = met__node_text_at(c->item, "message");
    met__text challenge = met__node_text_at(c->item, "www_authenticate");
    met__text target = met__node_text_at(c->item, "upstream_target");
    char text[512];

    if (met__node_integer_at(c->item, "status", 0) != (int64_t)got->status) {
        golden_fail(c->self, "status %u %s", got->status, got->body);
        return;
    }
    if (message.size > 0) {
        snprintf(text, sizeof text, "{\"message\":\"%.*s\"}",
                 (int)message.size, message.data);
        same_text(c, "the body", got->body, text);
    }
    if (challenge.size > 0) {
        snprintf(text, sizeof text, "WWW-Authenticate: %.*s\r\n",
                 (int)challenge.size, challenge.data);
        same_text(c, "the challenge", got->response_headers, text);
    }
    if (target.size > 0) {
        snprintf(text, sizeof text, "/request?%s", got->upstream_query);
        same_text(c, "the target", text, target.data);
    }
    for (uint32_t i = 0; headers != NULL && i < headers->count; i++) {
        same_header(c, headers->as.members[i].name,
                    headers->as.members[i].node);
    }
}

void golden_run_key_auth_case(golden *self, const met__node *item)
{
    const met__node *given = met__node_get(item, "request");
    one_case c = {.self = self, .item = item};
    char home[64];

    if (given != NULL && met__node_get(given, "grpc") != NULL) {
        golden_skip(self, "gRPC answers are the host's");
        return;
    }
    if (met__text_equal(met__node_text_at(given, "content_type"),
                        MET__TEXT("application/json"))) {
        golden_skip(self, "keys are looked for in forms, not in JSON bodies");
        return;
    }
    temp_directory_fast(home, sizeof home);
    open_store(&c, home);
    if (!self->failed) {
        ask(&c);
    }
    if (!self->failed) {
        compare(&c);
    }
    met_gateway_close(c.gateway);
    met_store_close(c.store);
    temp_remove(home);
}

/* Deciding a request before its content is made: what the library is asked,
 * and what becomes of its answer. In: a request of nginx. Out: an answer of
 * ours, or a request with changed headers and a ticket in its context. */
#include "ngx_http_metering.h"

/* --- The context ---------------------------------------------------------- */
/* Contexts that no request has. One is nearly as large as a request's pool,
 * which would have to grow for it. */
enum { SPARE_MAX = 256 };
static ngx_http_metering_ctx_t *spare;
static ngx_uint_t spare_count;

/* Internal redirects forget contexts; a cleanup of the pool remembers. */
static void forget(void *data)
{
    ngx_http_metering_ctx_t *ctx = data;

    if (spare_count == SPARE_MAX) {
        ngx_free(ctx);
        return;
    }
    ctx->next = spare;
    spare = ctx;
    spare_count++;
}

void ngx_http_metering_free_spare(void)
{
    while (spare != NULL) {
        ngx_http_metering_ctx_t *next = spare->next;
        ngx_free(spare);
        spare = next;
    }
    spare_count = 0;
}

ngx_http_metering_ctx_t *ngx_http_metering_ctx(ngx_http_request_t *r)
{
    ngx_http_metering_ctx_t *ctx =
        ngx_http_get_module_ctx(r, ngx_http_metering_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {
        for (ngx_pool_cleanup_t *one = r->pool->cleanup; one != NULL;
             one = one->next) {
            if (one->handler == forget) {
                ctx = one->data;
                ngx_http_set_ctx(r, ctx, ngx_http_metering_module);
                break;
            }
        }
    }
    return ctx;
}

static ngx_http_metering_ctx_t *make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
    ngx_http_metering_ctx_t *ctx = spare;

    if (cleanup == NULL) {
        return NULL;
    }
    if (ctx != NULL) {
        spare = ctx->next;
        spare_count--;
    } else {
        ctx = ngx_alloc(sizeof *ctx, r->connection->log);
        if (ctx == NULL) {
            return NULL;
        }
    }
    /* All but the ticket, which is large and written by the library. */
    ngx_memzero(ctx, offsetof(ngx_http_metering_ctx_t, decision));
    ngx_memzero(&ctx->body_size,
                sizeof *ctx - offsetof(ngx_http_metering_ctx_t, body_size));
    ctx->decision.struct_size = sizeof ctx->decision;
    cleanup->handler = forget;
    cleanup->data = ctx;
    ngx_http_set_ctx(r, ctx, ngx_http_metering_module);
    return ctx;
}

/* --- The request ---------------------------------------------------------- */
#define TEXT(field, text)                         \
    do {                                          \
        (field) = (const char *) (text).data;     \
        field##_size = (text).len;                \
    } while (0)

/* Headers as they came; of a few many there is room without asking. */
static ngx_int_t read_headers(ngx_http_request_t *r,
                              met_gateway_request *request)
{
    enum { ROOM = 64 };
    static met_pair room[ROOM];
    met_pair *pairs = room;
    size_t count = 0;
    ngx_list_part_t *part;

    for (part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        count += part->nelts;
    }
    if (count > ROOM) {
        pairs = ngx_palloc(r->pool, count * sizeof *pairs);
        if (pairs == NULL) {
            return NGX_ERROR;
        }
    }
    count = 0;
    for (part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            pairs[count++] = (met_pair) {(const char *) header[i].key.data,
                                         header[i].key.len,
                                         (const char *) header[i].value.data,
                                         header[i].value.len};
        }
    }
    request->headers = pairs;
    request->header_count = count;
    return NGX_OK;
}

/* A value from the configuration; empty when it is not set. */
static ngx_int_t read_value(ngx_http_request_t *r,
                            ngx_http_complex_value_t *value,
                            const char **text_out, size_t *size_out)
{
    ngx_str_t text;

    if (value == NULL) {
        return NGX_OK;
    }
    if (ngx_http_complex_value(r, value, &text) != NGX_OK) {
        return NGX_ERROR;
    }
    *text_out = (const char *) text.data;
    *size_out = text.len;
    return NGX_OK;
}

static ngx_int_t read_dimensions(ngx_http_request_t *r,
                                 const ngx_array_t *dimensions,
                                 met_gateway_request *request)
{
    static met_pair pairs[MET_GATEWAY_ATTRIBUTES_MAX];

    if (dimensions == NULL) {
        return NGX_OK;
    }
    ngx_http_metering_dimension_t *dimension = dimensions->elts;
    for (ngx_uint_t i = 0; i < dimensions->nelts; i++) {
        met_pair *pair = &pairs[request->attribute_count];
        pair->key = (const char *) dimension[i].name.data;
        pair->key_size = dimension[i].name.len;
        if (read_value(r, &dimension[i].value, &pair->value,
                       &pair->value_size)
            != NGX_OK) {
            return NGX_ERROR;
        }
        /* What is empty is left out, what is long is cut where a recorder
         * would cut it, so that no client can make the event too large. */
        pair->value_size = ngx_min(pair->value_size, 128);
        request->attribute_count += pair->value_size > 0;
    }
    request->attributes = pairs;
    return NGX_OK;
}

/* A cost or a quantity: whole and not negative; 0 when there is none. */
static uint64_t read_number(ngx_http_request_t *r,
                            ngx_http_complex_value_t *value, const char *what)
{
    const char *text = "";
    size_t size = 0;

    if (read_value(r, value, &text, &size) != NGX_OK || size == 0) {
        return 0;
    }
    ngx_int_t number = ngx_atoi((u_char *) text, size);
    if (number < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "metering: the %s is not a whole number", what);
        return 0;
    }
    return (uint64_t) number;
}

static ngx_int_t read_body(ngx_http_request_t *r, const char **text_out,
                           size_t *size_out)
{
    size_t size = 0;

    if (r->request_body == NULL || r->request_body->temp_file != NULL) {
        return NGX_OK; /* none, or larger than any key */
    }
    for (ngx_chain_t *link = r->request_body->bufs; link != NULL;
         link = link->next) {
        size += (size_t) (link->buf->last - link->buf->pos);
    }
    u_char *text = ngx_pnalloc(r->pool, size + 1);
    if (text == NULL) {
        return NGX_ERROR;
    }
    *text_out = (const char *) text;
    *size_out = size;
    for (ngx_chain_t *link = r->request_body->bufs; link != NULL;
         link = link->next) {
        text = ngx_cpymem(text, link->buf->pos,
                          (size_t) (link->buf->last - link->buf->pos));
    }
    return NGX_OK;
}

static ngx_int_t read_request(ngx_http_request_t *r,
                              const ngx_http_metering_loc_conf_t *conf,
                              const ngx_http_metering_ctx_t *ctx,
                              met_gateway_request *request)
{
    TEXT(request->method, r->method_name);
    TEXT(request->path, r->uri);
    TEXT(request->query, r->args);
    TEXT(request->host, r->headers_in.server);
    TEXT(request->client_ip, r->connection->addr_text);
    if (r->headers_in.user_agent != NULL) {
        TEXT(request->user_agent, r->headers_in.user_agent->value);
    }
    if (read_value(r, conf->service, &request->service,
                   &request->service_size)
            != NGX_OK
        || read_value(r, conf->route, &request->route, &request->route_size)
               != NGX_OK
        || read_value(r, conf->subject, &request->subject,
                      &request->subject_size)
               != NGX_OK
        || read_value(r, conf->groups, &request->groups,
                      &request->groups_size)
               != NGX_OK
        || read_value(r, conf->feature, &request->feature,
                      &request->feature_size)
               != NGX_OK
        || read_dimensions(r, conf->dimensions, request) != NGX_OK
        || read_headers(r, request) != NGX_OK
        || (ctx->has_form
            && read_body(r, &request->form, &request->form_size) != NGX_OK)
        || (ctx->has_json
            && read_body(r, &request->json, &request->json_size)
                   != NGX_OK)) {
        return NGX_ERROR;
    }
    if (request->groups_size == 0) {
        request->groups = NULL; /* nobody has looked */
    }
    request->cost = read_number(r, conf->cost, "cost");
    request->utc_ns = 0;
    return NGX_OK;
}

/* --- The answer ----------------------------------------------------------- */
/* What is read after the next decision, too. */
typedef struct {
    ngx_str_t answer;   /* header lines */
    ngx_str_t upstream; /* header lines */
} kept_lines_t;

static ngx_str_t keep(u_char **room, const char *text, size_t size)
{
    ngx_str_t kept = {size, *room};

    *room = ngx_cpymem(*room, text, size);
    return kept;
}

/* In one piece of the pool. */
static ngx_int_t keep_texts(ngx_http_request_t *r,
                            ngx_http_metering_ctx_t *ctx, kept_lines_t *lines)
{
    const met_gateway_decision *decision = &ctx->decision;
    u_char *room = ngx_pnalloc(
        r->pool, decision->consumer_size + decision->service_size
                     + decision->response_headers_size
                     + decision->upstream_headers_size);

    if (room == NULL) {
        return NGX_ERROR;
    }
    ctx->consumer = keep(&room, decision->consumer, decision->consumer_size);
    ctx->service = keep(&room, decision->service, decision->service_size);
    lines->answer = keep(&room, decision->response_headers,
                         decision->response_headers_size);
    lines->upstream = keep(&room, decision->upstream_headers,
                           decision->upstream_headers_size);
    return NGX_OK;
}

/* Somebody wrote an error_page for it: that one is shown. */
static ngx_uint_t has_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_core_loc_conf_t *location =
        ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_uint_t count =
        location->error_pages != NULL && !r->error_page /* no other follows */
            ? location->error_pages->nelts
            : 0;

    for (ngx_uint_t i = 0; i < count; i++) {
        ngx_http_err_page_t *page = location->error_pages->elts;
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }
    return 0;
}

static ngx_int_t refuse(ngx_http_request_t *r, ngx_uint_t status,
                        const char *body, size_t size)
{
    static ngx_str_t type = ngx_string("application/json");
    ngx_str_t text = {size, (u_char *) body};
    ngx_http_complex_value_t value = {.value = {0}};

    if (has_page(r, status)) {
        return (ngx_int_t) status;
    }
    r->err_status = 0; /* of "error_page 404 =200": this is no such answer */
    value.value.data = ngx_pstrdup(r->pool, &text);
    value.value.len = size;
    if (value.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    /* NGX_OK from a handler of this phase would mean: go on. */
    ngx_http_finalize_request(
        r, ngx_http_send_response(r, status, &type, &value));
    return NGX_DONE;
}

#define UNAVAILABLE "{\"message\":\"An unexpected error occurred\"}"

/* Nothing can be decided: metering_on_failure does. */
static ngx_int_t without_gateway(ngx_http_request_t *r)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;

    ngx_http_metering_count(worker->counters->unavailable);
    if (worker->conf->fail_policy == MET_GATEWAY_FAIL_OPEN) {
        ngx_http_metering_count(worker->counters->failed_open);
        return ngx_http_metering_drop_names(r) == NGX_OK
                   ? NGX_DECLINED
                   : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE, UNAVAILABLE,
                  sizeof UNAVAILABLE - 1);
}

static void count(const met_gateway_decision *decision)
{
    ngx_http_metering_counters_t *counters =
        ngx_http_metering_worker.counters;

    ngx_http_metering_count(counters->requests);
    if (decision->failure < NGX_HTTP_METERING_FAILURES
        && decision->failure != MET_GATEWAY_FAILURE_NONE) {
        ngx_http_metering_count(counters->failures[decision->failure]);
    }
    if (decision->is_admitted) {
        ngx_http_metering_count(counters->admitted);
    } else if (decision->reason < NGX_HTTP_METERING_REASONS) {
        ngx_http_metering_count(counters->refused[decision->reason]);
    }
}

static ngx_int_t obey(ngx_http_request_t *r, ngx_http_metering_ctx_t *ctx)
{
    const met_gateway_decision *decision = &ctx->decision;
    kept_lines_t lines;

    count(decision);
    ctx->is_admitted = decision->is_admitted != 0;
    if (keep_texts(r, ctx, &lines) != NGX_OK
        || ngx_http_metering_add_answer_lines(r, &lines.answer) != NGX_OK
        || ngx_http_metering_change_request(r, decision, &lines.upstream)
               != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (decision->is_admitted) {
        return NGX_DECLINED; /* go on */
    }
    ctx->reason.data = (u_char *) decision->reason_name; /* lasts */
    ctx->reason.len = ngx_strlen(decision->reason_name);
    return refuse(r, decision->status, decision->body, decision->body_size);
}

/* --- The handler ---------------------------------------------------------- */
static void has_body(ngx_http_request_t *r)
{
    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

/* Whether there is a body of that type, parameters aside. */
static ngx_uint_t is_body(ngx_http_request_t *r, const char *type)
{
    ngx_table_elt_t *header = r->headers_in.content_type;
    size_t size = ngx_strlen(type);

    return header != NULL && header->value.len >= size
           && ngx_strncasecmp(header->value.data, (u_char *) type, size) == 0
           && (header->value.len == size || header->value.data[size] == ';'
               || header->value.data[size] == ' ')
           && (r->headers_in.content_length_n > 0 || r->headers_in.chunked);
}

/* Whether a key may be in the body. */
static ngx_uint_t may_have_key(ngx_http_request_t *r,
                               ngx_http_metering_ctx_t *ctx)
{
    ctx->has_form = is_body(r, "application/x-www-form-urlencoded") & 1;
    ctx->has_json = is_body(r, "application/json") & 1;
    return ctx->has_form || ctx->has_json;
}

static ngx_int_t decide(ngx_http_request_t *r,
                        const ngx_http_metering_loc_conf_t *conf,
                        ngx_http_metering_ctx_t *ctx)
{
    static const char bad[] = "{\"message\":\"Bad Request\"}";
    met_gateway_request request = {.struct_size = sizeof request};

    ctx->is_decided = 1;
    if (read_request(r, conf, ctx, &request) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    met_error error = met_gateway_admit(ngx_http_metering_worker.gateway,
                                        &request, &ctx->decision);
    if (error == MET_E_LIMIT || error == MET_E_INVALID) {
        ngx_http_metering_count(ngx_http_metering_worker.counters->invalid);
        return refuse(r, NGX_HTTP_BAD_REQUEST, bad, sizeof bad - 1);
    }
    if (error != MET_OK) {
        ngx_http_metering_complain("a request cannot be decided", error,
                                   NULL);
        return without_gateway(r);
    }
    return obey(r, ctx);
}

/* Parts of a page and pages for errors belong to the request they are for. A
 * fallback (error_page 404 = @app) is no page for an error: with it the client
 * is served after all, and with its status. */
static ngx_uint_t is_error_page(const ngx_http_request_t *r)
{
    return r->err_status >= NGX_HTTP_SPECIAL_RESPONSE;
}

ngx_int_t ngx_http_metering_admit_handler(ngx_http_request_t *r)
{
    ngx_http_metering_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_metering_module);

    if (!conf->enable || r != r->main || is_error_page(r)) {
        return NGX_DECLINED;
    }
    ngx_http_metering_ctx_t *ctx = ngx_http_metering_ctx(r);
    if (ctx != NULL && ctx->is_decided) {
        return NGX_DECLINED;
    }
    if (ctx == NULL) {
        ctx = make_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    ctx->conf = conf;
    if (ngx_http_metering_worker.gateway == NULL) {
        ctx->is_decided = 1;
        return without_gateway(r);
    }
    if (conf->read_form && !ctx->is_reading && may_have_key(r, ctx)) {
        ctx->is_reading = 1;
        ngx_int_t rc = ngx_http_read_client_request_body(r, has_body);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }
        ngx_http_finalize_request(r, NGX_DONE);
        return NGX_DONE;
    }
    return decide(r, conf, ctx);
}

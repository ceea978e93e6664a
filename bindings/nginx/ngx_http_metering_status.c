/* The status page: counters of all workers, when usage was settled, and what
 * the store says of itself, as JSON or in the text format of Prometheus. It
 * names no consumer. In: shared memory only, nothing waits. Out: a page. */
#include "ngx_http_metering.h"

enum { OWN_SIZE = 8192 };

static const char *const reasons[NGX_HTTP_METERING_REASONS] = {
    NULL,
    "NO_ROUTE",
    "NO_KEY",
    "DUPLICATE_KEY",
    "BAD_KEY",
    "NOT_ALLOWED",
    "RATE_LIMITED",
    "USAGE_LIMIT_REACHED",
    "FEATURE_UNAVAILABLE",
    "CUSTOMER_NOT_FOUND",
    "COST_NEVER",
    "FAILURE",
    "FEATURE_NOT_FOUND",
    "NO_CREDIT_AVAILABLE"};

static const char *const failures[NGX_HTTP_METERING_FAILURES] = {
    NULL, "snapshot", "limiter", "quota", "tally", "config"};

/* --- JSON ----------------------------------------------------------------- */
static u_char *put_json_list(u_char *at, u_char *end, const char *name,
                             const char *const *names,
                             const ngx_atomic_t *values, ngx_uint_t count)
{
    at = ngx_slprintf(at, end, "  \"%s\": {", name);
    for (ngx_uint_t i = 1; i < count; i++) {
        at = ngx_slprintf(at, end, "%s\"%s\": %uA", i > 1 ? ", " : "",
                          names[i], values[i]);
    }
    return ngx_slprintf(at, end, "},\n");
}

static u_char *put_json(u_char *at, u_char *end,
                        ngx_http_metering_shared_t *shared,
                        const ngx_http_metering_counters_t *sum,
                        const ngx_str_t *report)
{
    at = ngx_slprintf(at, end,
                      "{\n  \"requests\": %uA,\n  \"admitted\": %uA,\n"
                      "  \"completed\": %uA,\n  \"not_counted\": %uA,\n"
                      "  \"lost\": %uA,\n  \"invalid\": %uA,\n"
                      "  \"unavailable\": %uA,\n  \"failed_open\": %uA,\n",
                      sum->requests, sum->admitted, sum->completed,
                      sum->not_counted, sum->lost, sum->invalid,
                      sum->unavailable, sum->failed_open);
    at = put_json_list(at, end, "refused", reasons, sum->refused,
                       NGX_HTTP_METERING_REASONS);
    at = put_json_list(at, end, "failures", failures, sum->failures,
                       NGX_HTTP_METERING_FAILURES);
    return ngx_slprintf(at, end,
                        "  \"workers_started\": %uA,\n"
                        "  \"settlement\": {\"passes\": %uA, \"failures\": "
                        "%uA, \"last_at\": %uA},\n  \"store\": %V\n}\n",
                        shared->starts, shared->settled,
                        shared->settle_failures, shared->settled_at, report);
}

/* --- Prometheus ----------------------------------------------------------- */
static u_char *put_head(u_char *at, u_char *end, const char *name,
                        const char *type, const char *help)
{
    return ngx_slprintf(at, end, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                        name, type);
}

static u_char *put_one(u_char *at, u_char *end, const char *name,
                       const char *type, const char *help,
                       ngx_atomic_uint_t value)
{
    at = put_head(at, end, name, type, help);
    return ngx_slprintf(at, end, "%s %uA\n", name, value);
}

static u_char *put_list(u_char *at, u_char *end, const char *name,
                        const char *help, const char *label,
                        const char *const *names, const ngx_atomic_t *values,
                        ngx_uint_t count)
{
    at = put_head(at, end, name, "counter", help);
    for (ngx_uint_t i = 1; i < count; i++) {
        at = ngx_slprintf(at, end, "%s{%s=\"%s\"} %uA\n", name, label,
                          names[i], values[i]);
    }
    return at;
}

static u_char *put_text(u_char *at, u_char *end,
                        ngx_http_metering_shared_t *shared,
                        const ngx_http_metering_counters_t *sum,
                        const ngx_str_t *report)
{
    static const char counter[] = "counter";
    const struct {
        const char *name;
        const char *type;
        const char *help;
        ngx_atomic_uint_t value;
    } rows[] = {
        {"metering_gateway_requests_total", counter, "Requests decided.",
         sum->requests},
        {"metering_gateway_admitted_total", counter, "Requests let through.",
         sum->admitted},
        {"metering_gateway_completed_total", counter,
         "Admitted requests that were counted.", sum->completed},
        {"metering_gateway_not_served_total", counter,
         "Admitted requests that count nothing.", sum->not_counted},
        {"metering_gateway_failed_open_total", counter,
         "Requests let through because something failed.", sum->failed_open},
        {"metering_nginx_lost_total", counter,
         "Answers that could not be counted.", sum->lost},
        {"metering_nginx_invalid_total", counter,
         "Requests refused with 400.", sum->invalid},
        {"metering_nginx_unavailable_total", counter,
         "Requests while the store was not open.", sum->unavailable},
        {"metering_nginx_workers_started_total", counter,
         "Workers that opened the store.", shared->starts},
        {"metering_nginx_settlements_total", counter,
         "Passes of settlement that succeeded.", shared->settled},
        {"metering_nginx_settlement_failures_total", counter,
         "Passes of settlement that failed.", shared->settle_failures},
        {"metering_nginx_settled_timestamp_seconds", "gauge",
         "When settlement last succeeded.", shared->settled_at}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        at = put_one(at, end, rows[i].name, rows[i].type, rows[i].help,
                     rows[i].value);
    }
    at = put_list(at, end, "metering_gateway_refused_total",
                  "Requests refused, by reason.", "reason", reasons,
                  sum->refused, NGX_HTTP_METERING_REASONS);
    at = put_list(at, end, "metering_gateway_failures_total",
                  "Failures on the request path, by cause.", "cause",
                  failures, sum->failures, NGX_HTTP_METERING_FAILURES);
    return ngx_slprintf(at, end, "%V", report);
}

/* --- The page ------------------------------------------------------------- */
static ngx_int_t give(ngx_http_request_t *r, u_char *text, size_t size)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t out = {buf, NULL};

    if (buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    buf->pos = text;
    buf->last = text + size;
    buf->memory = size > 0;
    buf->last_buf = r == r->main;
    buf->last_in_chain = 1;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) size;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return ngx_http_output_filter(r, &out);
}

ngx_int_t ngx_http_metering_status_handler(ngx_http_request_t *r)
{
    static ngx_str_t json_type = ngx_string("application/json");
    static ngx_str_t text_type = ngx_string("text/plain; version=0.0.4");
    static ngx_str_t nothing = ngx_string("null");
    ngx_http_metering_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_metering_module);
    ngx_http_metering_shared_t *shared = ngx_http_metering_worker.shared;
    ngx_uint_t is_json =
        conf->status_format == NGX_HTTP_METERING_STATUS_JSON;
    ngx_http_metering_counters_t sum;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    ngx_str_t *report = ngx_http_metering_report(shared, r->pool, is_json);
    if (report == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (is_json && report->len == 0) {
        *report = nothing;
    }
    size_t room = OWN_SIZE + report->len;
    u_char *text = ngx_pnalloc(r->pool, room);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_http_metering_sum(shared, &sum);
    u_char *end = (is_json ? put_json : put_text)(text, text + room, shared,
                                                  &sum, report);
    r->headers_out.content_type = is_json ? json_type : text_type;
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    return give(r, text, (size_t) (end - text));
}

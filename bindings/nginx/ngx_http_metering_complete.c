/* Counting an answer: before its last byte is handed to the kernel, so that a
 * worker that is killed may have counted a request that nobody saw answered,
 * but has not given one away. What has no body, or never came to its end, is
 * counted when nginx logs it. In: the ticket. Out: usage. */
#include "ngx_http_metering.h"

/* "12" of "12 tokens" is no quantity. Of the location that answers; where it
 * says nothing, of the one that decided. */
static uint64_t quantity_of(ngx_http_request_t *r,
                            const ngx_http_metering_ctx_t *ctx)
{
    ngx_http_metering_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_metering_module);
    ngx_http_complex_value_t *quantity =
        conf->quantity != NULL ? conf->quantity : ctx->conf->quantity;
    ngx_str_t text;

    if (quantity == NULL
        || ngx_http_complex_value(r, quantity, &text) != NGX_OK
        || text.len == 0) {
        return 0;
    }
    ngx_int_t number = text.len <= 15 ? ngx_atoi(text.data, text.len)
                                      : NGX_ERROR;
    if (number < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "metering: the quantity is not a whole number of at "
                      "most 15 digits");
        return 0;
    }
    return (uint64_t) number;
}

static ngx_uint_t has_status(const ngx_uint_t *list, ngx_uint_t count,
                             ngx_uint_t status)
{
    for (ngx_uint_t i = 0; i < count; i++) {
        if (list[i] == status || list[i] == status / 100) {
            return 1;
        }
    }
    return 0;
}

/* As quantity_of. */
static ngx_uint_t is_counted(ngx_http_request_t *r,
                             const ngx_http_metering_ctx_t *ctx,
                             ngx_uint_t status)
{
    /* Answers that nginx makes when no upstream has served the request. */
    static const ngx_uint_t usual[] = {502, 503, 504};
    ngx_http_metering_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_metering_module);
    const ngx_array_t *list = conf->not_counted != NULL
                                  ? conf->not_counted
                                  : ctx->conf->not_counted;

    return list != NULL ? !has_status(list->elts, list->nelts, status)
                        : !has_status(usual, 3, status);
}

static ngx_uint_t status_of(ngx_http_request_t *r)
{
    if (r->err_status != 0) {
        return r->err_status;
    }
    return r->headers_out.status;
}

static void complete(ngx_http_request_t *r, ngx_http_metering_ctx_t *ctx)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;
    met_gateway_outcome outcome = {.struct_size = sizeof outcome};
    ngx_uint_t status = status_of(r);

    ctx->is_admitted = 0;
    outcome.status = (uint32_t) status;
    if (r->upstream != NULL && r->upstream->state != NULL) {
        outcome.upstream_status = (uint32_t) r->upstream->state->status;
    }
    outcome.request_size_bytes = (uint64_t) r->request_length;
    outcome.response_size_bytes =
        (uint64_t) r->header_size + (uint64_t) ctx->body_size;
    ngx_uint_t counts = is_counted(r, ctx, status);
    if (counts) {
        outcome.quantity = quantity_of(r, ctx);
    } else {
        outcome.flags = MET_GATEWAY_NOT_SERVED;
    }
    met_error error = MET_E_IO;
    if (worker->gateway != NULL) {
        error = met_gateway_complete(worker->gateway, &ctx->decision.ticket,
                                     &outcome);
    }
    if (error == MET_OK && counts) {
        ngx_http_metering_count(worker->counters->completed);
        return;
    }
    if (error == MET_OK) {
        ngx_http_metering_count(worker->counters->not_counted);
        return;
    }
    ngx_http_metering_count(worker->counters->lost);
    ngx_http_metering_complain("an answer was not counted", error, NULL);
}

/* --- Where it is called --------------------------------------------------- */
ngx_int_t ngx_http_metering_body_filter(ngx_http_request_t *r,
                                        ngx_chain_t *in)
{
    ngx_http_metering_ctx_t *ctx =
        r == r->main ? ngx_http_metering_ctx(r) : NULL;
    ngx_uint_t is_last = 0;

    if (ctx == NULL || !ctx->is_admitted) {
        return ngx_http_metering_next_body_filter(r, in);
    }
    for (ngx_chain_t *link = in; link != NULL; link = link->next) {
        ctx->body_size += ngx_buf_size(link->buf);
        is_last |= link->buf->last_buf;
    }
    /* An upstream's last buffer comes alone, after the bytes. */
    if (is_last
        || (r->headers_out.content_length_n >= 0
            && ctx->body_size >= r->headers_out.content_length_n)) {
        complete(r, ctx);
    }
    return ngx_http_metering_next_body_filter(r, in);
}

ngx_int_t ngx_http_metering_log_handler(ngx_http_request_t *r)
{
    /* log_subrequest: a copy for a mirror ends otherwise than the request. */
    ngx_http_metering_ctx_t *ctx =
        r == r->main ? ngx_http_metering_ctx(r) : NULL;

    if (ctx != NULL && ctx->is_admitted) {
        complete(r, ctx);
    }
    return NGX_OK;
}

/* Counters of all workers: they outlive a worker that is killed and a reload.
 * In: a zone of shared memory. Out: the same counters for everybody. */
#include "ngx_http_metering.h"

ngx_int_t ngx_http_metering_zone_init(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *) (void *) zone->shm.addr;

    if (old != NULL) { /* a reload keeps them */
        zone->data = old;
        return NGX_OK;
    }
    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }
    pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_metering_shared_t));
    zone->data = pool->data;
    return zone->data != NULL ? NGX_OK : NGX_ERROR;
}

void ngx_http_metering_sum(ngx_http_metering_shared_t *shared,
                           ngx_http_metering_counters_t *sum_out)
{
    enum { WORDS = sizeof *sum_out / sizeof(ngx_atomic_t) };
    ngx_atomic_t *sum = (ngx_atomic_t *) (void *) sum_out;

    ngx_memzero(sum_out, sizeof *sum_out);
    for (ngx_uint_t i = 0; i < NGX_HTTP_METERING_SLOTS; i++) {
        ngx_atomic_t *slot = (ngx_atomic_t *) (void *) &shared->slots[i];
        for (ngx_uint_t k = 0; k < WORDS; k++) {
            sum[k] += slot[k];
        }
    }
}

/* --- The store's report --------------------------------------------------- */
static size_t keep(u_char *place, const met_buffer *buffer)
{
    if (buffer->size > NGX_HTTP_METERING_REPORT_SIZE) {
        return 0;
    }
    ngx_memcpy(place, buffer->data != NULL ? buffer->data : "", buffer->size);
    return buffer->size;
}

void ngx_http_metering_publish(ngx_http_metering_shared_t *shared,
                               const met_buffer *json, const met_buffer *text)
{
    ngx_atomic_uint_t edition = shared->edition + 1;
    ngx_http_metering_report_t *report = &shared->reports[edition & 1];

    report->json_size = keep(report->json, json);
    report->text_size = keep(report->text, text);
    ngx_memory_barrier();
    shared->edition = edition;
}

ngx_str_t *ngx_http_metering_report(ngx_http_metering_shared_t *shared,
                                    ngx_pool_t *pool, ngx_uint_t is_json)
{
    ngx_str_t *copy = ngx_palloc(pool, sizeof *copy);
    u_char *bytes = ngx_pnalloc(pool, NGX_HTTP_METERING_REPORT_SIZE);

    if (copy == NULL || bytes == NULL) {
        return NULL;
    }
    copy->data = bytes;
    for (ngx_uint_t i = 0; i < 3; i++) {
        ngx_atomic_uint_t edition = shared->edition;
        ngx_memory_barrier();
        ngx_http_metering_report_t *report = &shared->reports[edition & 1];
        size_t size = is_json ? report->json_size : report->text_size;
        copy->len = ngx_min(size, NGX_HTTP_METERING_REPORT_SIZE);
        ngx_memcpy(bytes, is_json ? report->json : report->text, copy->len);
        ngx_memory_barrier();
        if (shared->edition == edition) {
            return copy;
        }
    }
    copy->len = 0;
    return copy;
}

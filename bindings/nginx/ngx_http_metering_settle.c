/* Settlement: moves what all workers counted into the store, off the event
 * loop. The first worker does it, in one thread of a pool; when it is killed,
 * the worker that takes its place goes on, and what it had begun has happened
 * or has not. Reports for the status page are made here too, because reading
 * the store may wait for the disk. In: an open store. Out: usage, reports. */
#include "ngx_http_metering.h"

typedef struct {
    ngx_http_metering_worker_t *worker;
    met_store *store;
    met_error error;
    met_error_info info;
    met_buffer json;
    met_buffer text;
} settle_context;

static ngx_thread_task_t *task;
static ngx_event_t timer;
static ngx_uint_t is_running;

ngx_uint_t ngx_http_metering_settle_is_running(void)
{
    return is_running;
}

static void settle(settle_context *context)
{
    context->info.struct_size = sizeof context->info;
    context->error = met_store_settle(context->store, NULL, NULL,
                                      &context->info);
}

/* --- In the thread -------------------------------------------------------- */
static void run(void *data, ngx_log_t *log)
{
    settle_context *context = data;

    settle(context);
    if (met_store_stats(context->store, &context->json, NULL) != MET_OK) {
        context->json = (met_buffer) {0};
    }
    if (met_stats_write(&(met_stats_sources) {
                            .struct_size = sizeof(met_stats_sources),
                            .store = context->store,
                            .flags = MET_STATS_PROMETHEUS},
                        &context->text, NULL)
        != MET_OK) {
        context->text = (met_buffer) {0};
    }
}

/* --- In the event loop ---------------------------------------------------- */
static void account(settle_context *context)
{
    ngx_http_metering_shared_t *shared = context->worker->shared;

    if (context->error == MET_OK) {
        ngx_http_metering_count(shared->settled);
        shared->settled_at = (ngx_atomic_uint_t) ngx_time();
    } else {
        ngx_http_metering_count(shared->settle_failures);
        ngx_http_metering_complain("settlement failed", context->error,
                                   &context->info);
    }
}

static void finished(ngx_event_t *event)
{
    settle_context *context = event->data;
    ngx_http_metering_shared_t *shared = context->worker->shared;

    is_running = 0;
    account(context);
    if (!ngx_exiting) { /* else the next generation tells */
        ngx_http_metering_publish(shared, &context->json, &context->text);
    }
    met_buffer_release(&context->json);
    met_buffer_release(&context->text);
}

static void beat(ngx_event_t *event)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;
    settle_context *context = task->ctx;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return; /* the next generation does it */
    }
    if (!is_running && worker->gateway != NULL) {
        context->worker = worker;
        context->store = worker->store;
        task->handler = run;
        task->event.handler = finished;
        task->event.data = context;
        is_running = ngx_thread_task_post(worker->conf->pool, task)
                     == NGX_OK;
    }
    ngx_add_timer(event, worker->conf->settle_interval);
}

ngx_int_t ngx_http_metering_settle_start(ngx_http_metering_worker_t *worker)
{
    if (ngx_worker != 0 || worker->conf->settle_interval == 0) {
        return NGX_OK;
    }
    task = ngx_thread_task_alloc(ngx_cycle->pool, sizeof(settle_context));
    if (task == NULL) {
        return NGX_ERROR;
    }
    timer.handler = beat;
    timer.data = &ngx_http_metering_nobody;
    timer.log = worker->log;
    timer.cancelable = 1;
    ngx_add_timer(&timer, worker->conf->settle_interval);
    return NGX_OK;
}

void ngx_http_metering_settle_now(ngx_http_metering_worker_t *worker)
{
    settle_context context = {.worker = worker, .store = worker->store};

    settle(&context);
    account(&context);
}

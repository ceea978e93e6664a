/* A worker's store and gateway: opened when the process begins, never in the
 * master; looked after by a timer; closed when the process ends. While they
 * cannot be opened, requests go by metering_on_failure and the timer tries
 * again. In: configuration. Out: ngx_http_metering_worker. */
#include "ngx_http_metering.h"

#define TICK_MS 1000
#define COMPLAIN_EVERY 60 /* seconds */

ngx_http_metering_worker_t ngx_http_metering_worker;
ngx_connection_t ngx_http_metering_nobody = {.fd = (ngx_socket_t) -1};

void ngx_http_metering_complain(const char *what, met_error error,
                                const met_error_info *info)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;

    if (ngx_time() - worker->complained < COMPLAIN_EVERY) {
        return;
    }
    worker->complained = ngx_time();
    ngx_log_error(NGX_LOG_ERR, worker->log, 0, "metering: %s: %s%s%s%s%s",
                  what, met_error_name(error),
                  info != NULL && info->field[0] != '\0' ? ": " : "",
                  info != NULL ? info->field : "",
                  info != NULL && info->reason[0] != '\0' ? " " : "",
                  info != NULL ? info->reason : "");
}

static void open_all(ngx_http_metering_worker_t *worker)
{
    const ngx_http_metering_main_conf_t *conf = worker->conf;
    met_gateway_config config = {
        .struct_size = sizeof config,
        .fail_policy = (uint32_t) conf->fail_policy,
        .header_style = (uint32_t) conf->header_style,
        .limiter_capacity = conf->capacity,
        .flags = (conf->require ? MET_GATEWAY_REQUIRE_ENTITLEMENT : 0)
                 | MET_GATEWAY_NEVER_COMPILE};
    met_error_info info = {.struct_size = sizeof info};
    met_error error = MET_OK;

    if (worker->store == NULL) {
        error = met_store_open((const char *) conf->store.data,
                               conf->store.len, NULL, &worker->store, &info);
    }
    if (error == MET_OK) {
        error = met_gateway_open(worker->store, &config, &worker->gateway,
                                 &info);
    }
    if (error != MET_OK) {
        ngx_http_metering_complain("the store cannot be opened", error,
                                   &info);
        return;
    }
    worker->complained = 0;
    ngx_http_metering_count(worker->shared->starts);
}

static void close_all(ngx_http_metering_worker_t *worker)
{
    met_gateway_close(worker->gateway);
    met_store_close(worker->store);
    worker->gateway = NULL;
    worker->store = NULL;
}

static void tick(ngx_event_t *event)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;

    if (worker->gateway == NULL && !ngx_http_metering_settle_is_running()) {
        open_all(worker);
    } else if (worker->gateway != NULL) {
        met_error error = met_gateway_tick(worker->gateway);
        if (error != MET_OK) {
            ngx_http_metering_complain("housekeeping failed", error, NULL);
        }
        if (error == MET_E_IO && !ngx_http_metering_settle_is_running()) {
            close_all(worker); /* the disk may be well again: store.h */
        }
    }
    ngx_add_timer(event, TICK_MS);
}

ngx_int_t ngx_http_metering_init_process(ngx_cycle_t *cycle)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;
    ngx_http_metering_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_metering_module);

    if ((ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        || conf == NULL || !conf->is_used) {
        return NGX_OK;
    }
    ngx_memzero(worker, sizeof *worker);
    worker->conf = conf;
    worker->log = cycle->log;
    worker->shared = conf->zone->data;
    worker->counters =
        &worker->shared->slots[ngx_worker % NGX_HTTP_METERING_SLOTS];
    /* Nobody else in a worker handles SIGBUS; who does is asked, too. */
    met_error guarded = met_fault_guard_install();
    if (guarded != MET_OK) {
        ngx_http_metering_complain("files that are cut short end the worker",
                                   guarded, NULL);
    }
    open_all(worker);
    worker->tick.handler = tick;
    worker->tick.data = &ngx_http_metering_nobody;
    worker->tick.log = cycle->log;
    worker->tick.cancelable = 1; /* does not keep a worker from ending */
    ngx_add_timer(&worker->tick, TICK_MS);
    return ngx_http_metering_settle_start(worker);
}

/* Threads have ended by now. */
void ngx_http_metering_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_metering_worker_t *worker = &ngx_http_metering_worker;

    met_gateway_close(worker->gateway);
    worker->gateway = NULL;
    if (worker->store != NULL && worker->conf->settle_interval > 0) {
        ngx_http_metering_settle_now(worker);
    }
    met_store_close(worker->store);
    worker->store = NULL;
    ngx_http_metering_free_spare();
}

/* What the files of the nginx module share.
 *
 * ngx_http_metering_module.c    directives
 * ngx_http_metering_process.c   a worker's store and gateway, its timer
 * ngx_http_metering_settle.c    settlement, in a thread
 * ngx_http_metering_counters.c  counters of all workers, in shared memory
 * ngx_http_metering_admit.c     deciding a request
 * ngx_http_metering_headers.c   header lines and query of a decision
 * ngx_http_metering_complete.c  counting an answer
 * ngx_http_metering_status.c    what is told about all of it */
#ifndef NGX_HTTP_METERING_H
#define NGX_HTTP_METERING_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>

#include <metering/metering.h>

#if !(NGX_THREADS)
#error "settlement needs an nginx that was configured with --with-threads"
#endif

extern ngx_module_t ngx_http_metering_module;

/* --- Counters of all workers ---------------------------------------------- */
enum {
    NGX_HTTP_METERING_REASONS = MET_GATEWAY_REASON_NO_CREDIT_AVAILABLE + 1,
    NGX_HTTP_METERING_FAILURES = MET_GATEWAY_FAILURE_CONFIG + 1,
    NGX_HTTP_METERING_SLOTS = 32,        /* workers beyond share them */
    NGX_HTTP_METERING_REPORT_SIZE = 49152 /* bytes of the store's metrics */
};

/* Of one worker, whatever process it is: it may be killed and started anew. */
typedef struct {
    ngx_atomic_t requests;
    ngx_atomic_t admitted;
    ngx_atomic_t refused[NGX_HTTP_METERING_REASONS];
    ngx_atomic_t failures[NGX_HTTP_METERING_FAILURES];
    ngx_atomic_t invalid;     /* refused with 400 */
    ngx_atomic_t unavailable; /* while the store could not be opened */
    ngx_atomic_t failed_open; /* let through without being counted */
    ngx_atomic_t completed;
    ngx_atomic_t not_counted; /* of a status that is not counted */
    ngx_atomic_t lost;        /* answered, and could not be counted */
    ngx_atomic_t padding[6];
} ngx_http_metering_counters_t;

/* What the store says of itself. */
typedef struct {
    size_t json_size;
    size_t text_size;
    u_char json[NGX_HTTP_METERING_REPORT_SIZE]; /* met_store_stats */
    u_char text[NGX_HTTP_METERING_REPORT_SIZE]; /* met_stats_write */
} ngx_http_metering_report_t;

typedef struct {
    ngx_http_metering_counters_t slots[NGX_HTTP_METERING_SLOTS];
    ngx_atomic_t settled;
    ngx_atomic_t settle_failures;
    ngx_atomic_t settled_at; /* seconds since 1970 of the last success */
    ngx_atomic_t starts;     /* workers that opened the store */
    /* reports[edition & 1] is in force. No lock, which the dead could hold. */
    ngx_atomic_t edition;
    ngx_http_metering_report_t reports[2];
} ngx_http_metering_shared_t;

/* --- Configuration -------------------------------------------------------- */
typedef struct {
    ngx_str_t store;
    ngx_str_t store_file;       /* of it, for nginx -t */
    ngx_uint_t fail_policy;     /* MET_GATEWAY_FAIL_… */
    ngx_uint_t header_style;    /* MET_GATEWAY_HEADERS_… */
    ngx_flag_t require;         /* entitlement */
    ngx_msec_t settle_interval; /* 0: somebody else settles */
    size_t capacity;            /* of a new limiter */
    ngx_str_t pool_name;
    ngx_thread_pool_t *pool;
    ngx_shm_zone_t *zone;
    ngx_flag_t is_used; /* metering is on somewhere */
} ngx_http_metering_main_conf_t;

typedef struct {
    ngx_str_t name;
    ngx_http_complex_value_t value;
} ngx_http_metering_dimension_t;

typedef struct {
    ngx_flag_t enable;
    ngx_flag_t read_form;
    ngx_http_complex_value_t *service;
    ngx_http_complex_value_t *route;
    ngx_http_complex_value_t *subject;
    ngx_http_complex_value_t *groups;
    ngx_http_complex_value_t *feature;
    ngx_http_complex_value_t *cost;
    ngx_http_complex_value_t *quantity;
    ngx_array_t *dimensions;  /* ngx_http_metering_dimension_t */
    ngx_array_t *not_counted; /* ngx_uint_t: a status, or 1 to 5 for 1xx …;
                                 NULL: the usual ones */
    ngx_uint_t status_format; /* NGX_HTTP_METERING_STATUS_… */
} ngx_http_metering_loc_conf_t;

enum {
    NGX_HTTP_METERING_STATUS_JSON = 1,
    NGX_HTTP_METERING_STATUS_PROMETHEUS = 2
};

/* --- One request ---------------------------------------------------------- */
typedef struct ngx_http_metering_ctx_s ngx_http_metering_ctx_t;
struct ngx_http_metering_ctx_s {
    met_gateway_decision decision; /* texts only until the next one */
    off_t body_size;               /* of the answer, so far */
    ngx_http_metering_loc_conf_t *conf; /* of the location that decided */
    ngx_str_t consumer;
    ngx_str_t service;
    ngx_str_t reason;
    unsigned is_reading : 1; /* the body, for a key */
    unsigned has_form : 1;
    unsigned has_json : 1;
    unsigned is_decided : 1;
    unsigned is_admitted : 1; /* and the ticket is not used up */
    ngx_http_metering_ctx_t *next; /* of those that no request has */
};

/* --- One worker ----------------------------------------------------------- */
typedef struct {
    met_store *store;
    met_gateway *gateway; /* NULL: not to be had now */
    ngx_http_metering_main_conf_t *conf;
    ngx_http_metering_counters_t *counters;
    ngx_http_metering_shared_t *shared;
    ngx_event_t tick;
    ngx_log_t *log;
    time_t complained; /* so that a lasting failure does not fill the log */
} ngx_http_metering_worker_t;

extern ngx_http_metering_worker_t ngx_http_metering_worker;
/* A timer's data is a connection, for debug logs. */
extern ngx_connection_t ngx_http_metering_nobody;

/* --- Functions ------------------------------------------------------------ */
ngx_int_t ngx_http_metering_init_process(ngx_cycle_t *cycle);
void ngx_http_metering_exit_process(ngx_cycle_t *cycle);
/* At most one line a minute. */
void ngx_http_metering_complain(const char *what, met_error error,
                                const met_error_info *info);

/* The first beat of the worker that settles; later ones come by themselves. */
ngx_int_t ngx_http_metering_settle_start(ngx_http_metering_worker_t *worker);
/* Whether a thread uses the store right now. */
ngx_uint_t ngx_http_metering_settle_is_running(void);
/* Once, in this thread. */
void ngx_http_metering_settle_now(ngx_http_metering_worker_t *worker);

ngx_int_t ngx_http_metering_zone_init(ngx_shm_zone_t *zone, void *old);
/* Shows another report; only the worker that settles does. */
void ngx_http_metering_publish(ngx_http_metering_shared_t *shared,
                               const met_buffer *json,
                               const met_buffer *text);
/* A copy of one text of the report in force, from the pool; NULL when there is
 * no room. */
ngx_str_t *ngx_http_metering_report(ngx_http_metering_shared_t *shared,
                                    ngx_pool_t *pool, ngx_uint_t is_json);
/* All workers together. */
void ngx_http_metering_sum(ngx_http_metering_shared_t *shared,
                           ngx_http_metering_counters_t *sum_out);
/* Adds one. */
#define ngx_http_metering_count(counter) \
    ((void) ngx_atomic_fetch_add(&(counter), 1))

/* Content phase is next; everything about access is decided. */
ngx_int_t ngx_http_metering_admit_handler(ngx_http_request_t *r);
/* The request's, also after an internal redirect; or NULL. */
ngx_http_metering_ctx_t *ngx_http_metering_ctx(ngx_http_request_t *r);

/* When the worker ends. */
void ngx_http_metering_free_spare(void);

/* "Name: value\r\n" lines for the client; headers point into them. */
ngx_int_t ngx_http_metering_add_answer_lines(ngx_http_request_t *r,
                                             const ngx_str_t *lines);
/* What the upstream gets: headers, which point into the lines, and query. */
ngx_int_t ngx_http_metering_change_request(
    ngx_http_request_t *r, const met_gateway_decision *decision,
    const ngx_str_t *lines);

/* Takes out what a client said under names that only we may use: of a request
 * that is let through undecided. */
ngx_int_t ngx_http_metering_drop_names(ngx_http_request_t *r);

ngx_int_t ngx_http_metering_body_filter(ngx_http_request_t *r,
                                        ngx_chain_t *in);
ngx_int_t ngx_http_metering_log_handler(ngx_http_request_t *r);
/* The next body filter, set while configuring. */
extern ngx_http_output_body_filter_pt ngx_http_metering_next_body_filter;

ngx_int_t ngx_http_metering_status_handler(ngx_http_request_t *r);

#endif

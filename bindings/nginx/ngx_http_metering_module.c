/* Directives of the nginx module, and where its handlers are called.
 * In: nginx.conf. Out: configurations. Opens nothing: this also runs in the
 * master and in nginx -t. */
#include "ngx_http_metering.h"

ngx_http_output_body_filter_pt ngx_http_metering_next_body_filter;

static ngx_conf_enum_t fail_policies[] = {
    {ngx_string("closed"), MET_GATEWAY_FAIL_CLOSED},
    {ngx_string("open"), MET_GATEWAY_FAIL_OPEN},
    {ngx_null_string, 0}};

static ngx_conf_enum_t header_styles[] = {
    {ngx_string("kong"), MET_GATEWAY_HEADERS_KONG},
    {ngx_string("ietf"), MET_GATEWAY_HEADERS_IETF},
    {ngx_string("none"), MET_GATEWAY_HEADERS_NONE},
    {ngx_null_string, 0}};

/* --- Configurations ------------------------------------------------------- */
static void *create_main_conf(ngx_conf_t *cf)
{
    ngx_http_metering_main_conf_t *conf =
        ngx_pcalloc(cf->pool, sizeof *conf);

    if (conf != NULL) {
        conf->fail_policy = NGX_CONF_UNSET_UINT;
        conf->header_style = NGX_CONF_UNSET_UINT;
        conf->require = NGX_CONF_UNSET;
        conf->settle_interval = NGX_CONF_UNSET_MSEC;
        conf->capacity = NGX_CONF_UNSET_SIZE;
    }
    return conf;
}

static char *init_main_conf(ngx_conf_t *cf, void *data)
{
    ngx_http_metering_main_conf_t *conf = data;

    ngx_conf_init_uint_value(conf->fail_policy, MET_GATEWAY_FAIL_CLOSED);
    ngx_conf_init_uint_value(conf->header_style, MET_GATEWAY_HEADERS_KONG);
    ngx_conf_init_value(conf->require, 0);
    ngx_conf_init_msec_value(conf->settle_interval, 1000);
    ngx_conf_init_size_value(conf->capacity, 0);
    return NGX_CONF_OK;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_metering_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof *conf);

    if (conf != NULL) {
        conf->enable = NGX_CONF_UNSET;
        conf->read_form = NGX_CONF_UNSET;
        conf->service = NGX_CONF_UNSET_PTR;
        conf->route = NGX_CONF_UNSET_PTR;
        conf->subject = NGX_CONF_UNSET_PTR;
        conf->groups = NGX_CONF_UNSET_PTR;
        conf->feature = NGX_CONF_UNSET_PTR;
        conf->cost = NGX_CONF_UNSET_PTR;
        conf->quantity = NGX_CONF_UNSET_PTR;
        conf->dimensions = NGX_CONF_UNSET_PTR;
        conf->not_counted = NGX_CONF_UNSET_PTR;
    }
    return conf;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_metering_loc_conf_t *above = parent;
    ngx_http_metering_loc_conf_t *conf = child;
    ngx_http_metering_main_conf_t *main =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_metering_module);

    if (conf->status_format != 0) { /* the page itself is not metered */
        ngx_conf_init_value(conf->enable, 0);
    }
    ngx_conf_merge_value(conf->enable, above->enable, 0);
    ngx_conf_merge_value(conf->read_form, above->read_form, 0);
    ngx_conf_merge_ptr_value(conf->service, above->service, NULL);
    ngx_conf_merge_ptr_value(conf->route, above->route, NULL);
    ngx_conf_merge_ptr_value(conf->subject, above->subject, NULL);
    ngx_conf_merge_ptr_value(conf->groups, above->groups, NULL);
    ngx_conf_merge_ptr_value(conf->feature, above->feature, NULL);
    ngx_conf_merge_ptr_value(conf->cost, above->cost, NULL);
    ngx_conf_merge_ptr_value(conf->quantity, above->quantity, NULL);
    ngx_conf_merge_ptr_value(conf->dimensions, above->dimensions, NULL);
    ngx_conf_merge_ptr_value(conf->not_counted, above->not_counted, NULL);
    if (conf->enable && main->store.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"metering on\" needs \"metering_store\"");
        return NGX_CONF_ERROR;
    }
    if (conf->enable || conf->status_format != 0) {
        main->is_used = 1;
    }
    return NGX_CONF_OK;
}

/* --- Directives that take more than a value ------------------------------- */
static char *set_store(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_metering_main_conf_t *conf = data;
    ngx_str_t *words = cf->args->elts;

    if (conf->store.len > 0) {
        return "is duplicate";
    }
    conf->store = words[1];
    if (conf->store.len == 0
        || ngx_conf_full_name(cf->cycle, &conf->store, 0) != NGX_OK) {
        return "needs a directory";
    }
    while (conf->store.len > 1
           && conf->store.data[conf->store.len - 1] == '/') {
        conf->store.len--;
    }
    conf->store_file.data = ngx_pnalloc(cf->pool,
                                        conf->store.len + sizeof "/META");
    if (conf->store_file.data == NULL) {
        return NGX_CONF_ERROR;
    }
    conf->store_file.len = (size_t) (ngx_sprintf(conf->store_file.data,
                                                 "%V/META%Z", &conf->store)
                                     - conf->store_file.data)
                           - 1;
    return NGX_CONF_OK;
}

static char *set_dimension(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_metering_loc_conf_t *conf = data;
    ngx_str_t *words = cf->args->elts;
    ngx_http_compile_complex_value_t compile = {.cf = cf, .value = &words[2]};

    if (conf->dimensions == NGX_CONF_UNSET_PTR) {
        conf->dimensions =
            ngx_array_create(cf->pool, 4,
                             sizeof(ngx_http_metering_dimension_t));
    }
    if (conf->dimensions == NULL) {
        return NGX_CONF_ERROR;
    }
    if (conf->dimensions->nelts == MET_GATEWAY_ATTRIBUTES_MAX) {
        return "is given too often: there may be 16";
    }
    if (words[1].len == 0 || words[1].len > 128) {
        return "needs a name of at most 128 bytes";
    }
    ngx_http_metering_dimension_t *dimension =
        ngx_array_push(conf->dimensions);
    if (dimension == NULL) {
        return NGX_CONF_ERROR;
    }
    dimension->name = words[1];
    compile.complex_value = &dimension->value;
    return ngx_http_compile_complex_value(&compile) == NGX_OK
               ? NGX_CONF_OK
               : NGX_CONF_ERROR;
}

/* "503", "5xx" or, alone, "none". */
static char *set_not_counted(ngx_conf_t *cf, ngx_command_t *command,
                             void *data)
{
    ngx_http_metering_loc_conf_t *conf = data;
    ngx_str_t *words = cf->args->elts;

    if (conf->not_counted != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }
    conf->not_counted = ngx_array_create(cf->pool, cf->args->nelts,
                                         sizeof(ngx_uint_t));
    if (conf->not_counted == NULL) {
        return NGX_CONF_ERROR;
    }
    if (cf->args->nelts == 2 && words[1].len == 4
        && ngx_strncmp(words[1].data, "none", 4) == 0) {
        return NGX_CONF_OK;
    }
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        ngx_uint_t *status = ngx_array_push(conf->not_counted);
        ngx_int_t number = ngx_atoi(words[i].data, words[i].len);
        if (status == NULL) {
            return NGX_CONF_ERROR;
        }
        if (words[i].len == 3 && words[i].data[0] >= '1'
            && words[i].data[0] <= '5'
            && ngx_strncmp(words[i].data + 1, "xx", 2) == 0) {
            number = words[i].data[0] - '0';
        } else if (number < 100 || number > 599) {
            return "takes statuses such as 503 or 5xx, or none";
        }
        *status = (ngx_uint_t) number;
    }
    return NGX_CONF_OK;
}

static char *set_status(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_metering_loc_conf_t *conf = data;
    ngx_str_t *words = cf->args->elts;
    ngx_http_core_loc_conf_t *location =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->status_format != 0) {
        return "is duplicate";
    }
    conf->status_format = NGX_HTTP_METERING_STATUS_JSON;
    if (cf->args->nelts == 2) {
        if (ngx_strcmp(words[1].data, "prometheus") == 0) {
            conf->status_format = NGX_HTTP_METERING_STATUS_PROMETHEUS;
        } else if (ngx_strcmp(words[1].data, "json") != 0) {
            return "is json or prometheus";
        }
    }
    location->handler = ngx_http_metering_status_handler;
    return NGX_CONF_OK;
}

/* --- Variables ------------------------------------------------------------ */
/* data: offset of a text in the request's context. */
static ngx_int_t get_text(ngx_http_request_t *r,
                          ngx_http_variable_value_t *value, uintptr_t data)
{
    ngx_http_metering_ctx_t *ctx = ngx_http_metering_ctx(r);
    ngx_str_t *text = ctx != NULL
                          ? (ngx_str_t *) (void *) ((char *) ctx + data)
                          : NULL;

    if (text == NULL || text->len == 0) {
        value->not_found = 1;
        return NGX_OK;
    }
    value->valid = 1;
    value->no_cacheable = 0;
    value->not_found = 0;
    value->len = (unsigned) text->len & 0x0fffffff;
    value->data = text->data;
    return NGX_OK;
}

static ngx_http_variable_t variables[] = {
    {ngx_string("metering_consumer"), NULL, get_text,
     offsetof(ngx_http_metering_ctx_t, consumer), NGX_HTTP_VAR_NOCACHEABLE,
     0},
    {ngx_string("metering_service"), NULL, get_text,
     offsetof(ngx_http_metering_ctx_t, service), NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("metering_reason"), NULL, get_text,
     offsetof(ngx_http_metering_ctx_t, reason), NGX_HTTP_VAR_NOCACHEABLE, 0},
    ngx_http_null_variable};

static ngx_int_t add_variables(ngx_conf_t *cf)
{
    for (ngx_http_variable_t *one = variables; one->name.len > 0; one++) {
        ngx_http_variable_t *added =
            ngx_http_add_variable(cf, &one->name, one->flags);
        if (added == NULL) {
            return NGX_ERROR;
        }
        added->get_handler = one->get_handler;
        added->data = one->data;
    }
    return NGX_OK;
}

/* --- Handlers ------------------------------------------------------------- */
/* The phase before content, not access: whoever allow and deny, auth_basic or
 * auth_request refuse consumes nothing, their variables are there, and
 * "satisfy any" cannot go round us. */
static ngx_int_t add_handlers(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *admit = ngx_array_push(
        &core->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    ngx_http_handler_pt *log =
        ngx_array_push(&core->phases[NGX_HTTP_LOG_PHASE].handlers);

    if (admit == NULL || log == NULL) {
        return NGX_ERROR;
    }
    *admit = ngx_http_metering_admit_handler;
    *log = ngx_http_metering_log_handler;
    ngx_http_metering_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_metering_body_filter;
    return NGX_OK;
}

static ngx_int_t post_configuration(ngx_conf_t *cf)
{
    static ngx_str_t zone_name = ngx_string("ngx_http_metering");
    ngx_http_metering_main_conf_t *conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_metering_module);
    ngx_file_info_t file;

    if (!conf->is_used) {
        return NGX_OK;
    }
    if (conf->store.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"metering_status\" needs \"metering_store\"");
        return NGX_ERROR;
    }
    if (ngx_file_info(conf->store_file.data, &file) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           "no store in \"%V\" yet: workers look again every "
                           "second", &conf->store);
    }
    conf->zone = ngx_shared_memory_add(
        cf, &zone_name,
        sizeof(ngx_http_metering_shared_t) + 16 * ngx_pagesize,
        &ngx_http_metering_module);
    if (conf->zone == NULL) {
        return NGX_ERROR;
    }
    conf->zone->init = ngx_http_metering_zone_init;
    if (conf->settle_interval > 0) {
        conf->pool = ngx_thread_pool_add(
            cf, conf->pool_name.len > 0 ? &conf->pool_name : NULL);
        if (conf->pool == NULL) {
            return NGX_ERROR;
        }
    }
    return add_handlers(cf);
}

/* --- Tables --------------------------------------------------------------- */
#define EVERYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define MAIN_SLOT(field) \
    NGX_HTTP_MAIN_CONF_OFFSET, offsetof(ngx_http_metering_main_conf_t, field)
#define LOC_SLOT(field) \
    NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_metering_loc_conf_t, field)
#define TEXT_DIRECTIVE(text, field)                                       \
    {ngx_string(text), EVERYWHERE | NGX_CONF_TAKE1,                       \
     ngx_http_set_complex_value_slot, LOC_SLOT(field), NULL}

static ngx_command_t commands[] = {
    {ngx_string("metering_store"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     set_store, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("metering_on_failure"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_enum_slot, MAIN_SLOT(fail_policy), fail_policies},
    {ngx_string("metering_headers"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_enum_slot, MAIN_SLOT(header_style), header_styles},
    {ngx_string("metering_require_entitlement"),
     NGX_HTTP_MAIN_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     MAIN_SLOT(require), NULL},
    {ngx_string("metering_settle_interval"),
     NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
     MAIN_SLOT(settle_interval), NULL},
    {ngx_string("metering_thread_pool"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_str_slot, MAIN_SLOT(pool_name), NULL},
    {ngx_string("metering_limiter_capacity"),
     NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     MAIN_SLOT(capacity), NULL},
    {ngx_string("metering"), EVERYWHERE | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, LOC_SLOT(enable), NULL},
    {ngx_string("metering_read_form"), EVERYWHERE | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, LOC_SLOT(read_form), NULL},
    TEXT_DIRECTIVE("metering_service", service),
    TEXT_DIRECTIVE("metering_route", route),
    TEXT_DIRECTIVE("metering_subject", subject),
    TEXT_DIRECTIVE("metering_groups", groups),
    TEXT_DIRECTIVE("metering_feature", feature),
    TEXT_DIRECTIVE("metering_cost", cost),
    TEXT_DIRECTIVE("metering_quantity", quantity),
    {ngx_string("metering_dimension"), EVERYWHERE | NGX_CONF_TAKE2,
     set_dimension, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("metering_not_counted"), EVERYWHERE | NGX_CONF_1MORE,
     set_not_counted, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("metering_status"),
     NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set_status,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command};

static ngx_http_module_t context = {
    add_variables,    post_configuration, create_main_conf, init_main_conf,
    NULL,             NULL,               create_loc_conf,  merge_loc_conf};

ngx_module_t ngx_http_metering_module = {
    NGX_MODULE_V1,
    &context,
    commands,
    NGX_HTTP_MODULE,
    NULL, /* init_master */
    NULL, /* init_module: runs in the master and in nginx -t */
    ngx_http_metering_init_process,
    NULL, /* init_thread */
    NULL, /* exit_thread */
    ngx_http_metering_exit_process,
    NULL, /* exit_master */
    NGX_MODULE_V1_PADDING};

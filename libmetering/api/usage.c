/* meter.h: usage queries, whole or row by row; arguments checked here. */
#include "metering/meter.h"

#include "api/document_call.h"
#include "api/settle_steps.h"
#include "catalog/feature.h"
#include "customer/customer.h"
#include "meter/usage_request.h"

struct met_usage_cursor {
    const met__platform *platform;
    met__call call; /* its transaction sees one moment */
    met__usage_request *request;
    met__zone *zone; /* of the request, or NULL */
    met__usage_cursor *rows;
    met__buffer text; /* the row that was given last */
    met_error error;  /* sticky */
};

/* --- What a request names ------------------------------------------------- */
/* The feature's meter and filters join the request's. */
static met_error add_feature(met__call *call, met__usage_request *request)
{
    met__feature *feature = NULL;
    met__usage_query *query = &request->query;
    met_error error = met__feature_get(call->txn, request->feature,
                                       &call->arena, &feature);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(&call->why, error, "query.feature",
                         "there is no feature %.*s",
                         (int)request->feature.size, request->feature.data);
    }
    if (error != MET_OK) {
        return error;
    }
    if (feature->meter_key.size == 0) {
        return met__fail(&call->why, MET_E_INVALID, "query.feature",
                         "nothing measures the feature %.*s",
                         (int)request->feature.size, request->feature.data);
    }
    request->meter = feature->meter_key;
    query->filters = feature->filters;
    query->filter_count = feature->filter_count;
    return MET_OK;
}

static met_error add_customer(met__call *call, met__text key,
                              const met__path *path,
                              met__usage_customer *customer_out)
{
    met__customer *customer = NULL;
    met_error error = met__customer_get(call->txn, key, &call->arena,
                                        &customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(&call->why, error, path, NULL,
                            "there is no customer %.*s", (int)key.size,
                            key.data);
    }
    if (error == MET_OK) {
        *customer_out = (met__usage_customer){customer->id, customer->key,
                                              customer->subject_count,
                                              customer->subjects};
    }
    return error;
}

/* One customer that is asked for by itself, or a list of them. */
static met_error add_customers(met__call *call, met__usage_request *request)
{
    static const met__path query = {NULL, "query", 0};
    static const met__path one = {&query, "customer", 0};
    static const met__path many = {&query, "customers", 0};
    int is_one = request->customer.size > 0;
    size_t count = is_one ? 1 : request->customer_count;
    met__usage_customer *customers = met__arena_allocate(
        &call->arena, count * sizeof *customers);
    met_error error = customers != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__path item = {&many, NULL, i};
        error = add_customer(call,
                             is_one ? request->customer
                                    : request->customers[i],
                             is_one ? &one : &item, &customers[i]);
    }
    request->query.customers = customers;
    request->query.customer_count = count;
    return error;
}

/* As the peer: who names subjects or customers wants a row for each. */
static void group_by(met__usage_request *request, met__text name)
{
    met__usage_query *query = &request->query;

    for (size_t i = 0; i < query->group_count; i++) {
        if (met__text_equal(query->groups[i], name)) {
            return;
        }
    }
    if (query->group_count < MET__GROUPS_MAX) {
        request->groups[query->group_count++] = name;
    }
}

static met_error resolve(met__call *call, met__usage_request *request,
                         met__zone **zone_out)
{
    met__meter *meter = NULL;
    met_error error = MET_OK;

    if (request->query.subject_count > 0) {
        group_by(request, MET__TEXT("subject"));
    }
    if (request->customer_count > 0) {
        group_by(request, MET__TEXT("customer_id"));
    }
    if (request->feature.size > 0) {
        error = add_feature(call, request);
    }
    if (error == MET_OK
        && (request->customer.size > 0 || request->customer_count > 0)) {
        error = add_customers(call, request);
    }
    if (error == MET_OK) {
        error = met__meter_get(call->txn, request->meter, &call->arena,
                               &meter);
        if (error == MET_E_NOT_FOUND) {
            error = met__fail(&call->why, error, "query.meter",
                              "there is no meter %.*s",
                              (int)request->meter.size, request->meter.data);
        }
    }
    request->query.meter = meter;
    if (error == MET_OK && request->time_zone.size > 0) {
        error = met__zone_open(met__store_platform(call->store),
                               request->time_zone, zone_out, NULL);
        if (error == MET_E_NOT_FOUND || error == MET_E_INVALID) {
            error = met__fail(&call->why, MET_E_INVALID, "query.time_zone",
                              "this system knows no time zone of this name");
        }
        request->query.zone = *zone_out;
    }
    return error;
}

/* From a document to a query in a transaction. *zone_out is to be closed in
 * any case. */
static met_error begin_query(met__call *call, const char *json,
                             size_t json_size,
                             met__usage_request **request_out,
                             met__zone **zone_out)
{
    static const met__path path = {NULL, "query", 0};
    met__settle_report report;
    met__node *node = NULL;
    met_error error = met__call_parse(call, json, json_size, &node);

    if (error == MET_OK) {
        error = met__usage_request_read(node, &path, &call->arena,
                                        request_out, &call->why);
    }
    if (error == MET_OK && (*request_out)->settle_first) {
        error = met__settle_all(call->store, 0, &report, &call->why);
    }
    if (error == MET_OK) {
        error = met__call_transact(call, 0);
    }
    return error == MET_OK ? resolve(call, *request_out, zone_out) : error;
}

/* --- The whole answer ----------------------------------------------------- */
/* Also 1970 itself, which met__build_time takes for none. */
static void build_time(met__builder *builder, const char *name, int64_t at_ns,
                       met__arena *arena)
{
    met__node *node = met__node_time(arena, at_ns);

    if (node == NULL) {
        builder->error = MET_E_NO_MEMORY;
    }
    met__build_node(builder, name, node);
}

static met_error answer(met__call *call, const met__usage_request *request,
                        met__node *rows, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, &call->arena);
    met__build_text(&builder, "meter", request->meter);
    if (request->query.from_ns != MET__USAGE_FIRST) {
        build_time(&builder, "from", request->query.from_ns, &call->arena);
    }
    if (request->query.to_ns != MET__USAGE_LAST) {
        build_time(&builder, "to", request->query.to_ns, &call->arena);
    }
    met__build_node(&builder, "data", rows);
    return met__builder_end(&builder, node_out);
}

met_error met_usage_query(met_store *store, const char *json, size_t json_size,
                          met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__node *rows = NULL;
    met__node *document = NULL;
    met__usage_request *request = NULL;
    met__zone *zone = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = begin_query(&call, json, json_size, &request, &zone);
    }
    if (error == MET_OK) {
        error = met__usage_rows(call.txn, &request->query, &call.arena, &rows,
                                &call.why);
    }
    if (error == MET_OK) {
        error = answer(&call, request, rows, &document);
    }
    met__zone_close(zone);
    return met__call_end(&call, error, document, json_out);
}

/* --- Row by row ----------------------------------------------------------- */
met_error met_usage_query_open(met_store *store, const char *json,
                               size_t json_size, met_usage_cursor **cursor_out,
                               met_error_info *info)
{
    met_usage_cursor *cursor = NULL;
    met__call call;
    met__usage_request *request = NULL;
    met__zone *zone = NULL;
    met__usage_cursor *rows = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && cursor_out == NULL) {
        error = met__fail(&call.why, MET_E_INVALID, "cursor_out", "is NULL");
    }
    if (error == MET_OK) {
        error = begin_query(&call, json, json_size, &request, &zone);
    }
    if (error == MET_OK) {
        error = met__usage_open(call.txn, &request->query,
                                MET__USAGE_GROUPS_MAX, &rows, &call.why);
    }
    if (error == MET_OK) {
        cursor = met__allocate(met__store_platform(store), sizeof *cursor);
        error = cursor != NULL ? MET_OK : MET_E_NO_MEMORY;
    }
    if (error != MET_OK) {
        met__usage_close(rows);
        met__zone_close(zone);
        return met__call_end(&call, error, NULL, NULL);
    }
    cursor->platform = met__store_platform(store);
    cursor->call = call;
    cursor->request = request;
    cursor->zone = zone;
    cursor->rows = rows;
    met__buffer_init(&cursor->text, cursor->platform);
    *cursor_out = cursor;
    return MET_OK;
}

static met_error write_row(met_usage_cursor *cursor, const met__usage_row *row)
{
    met__arena arena;
    met__node *node = NULL;

    met__arena_init(&arena, cursor->platform);
    met_error error = met__usage_row_document(&cursor->request->query, row,
                                              &arena, &node);
    if (error == MET_OK) {
        cursor->text.size = 0;
        met__json_write(node, 0, &cursor->text);
        error = cursor->text.error;
    }
    met__arena_release(&arena);
    return error;
}

met_error met_usage_query_next(met_usage_cursor *cursor, const char **json_out,
                               size_t *json_size_out, met_error_info *info)
{
    met_error_info why = {.struct_size = sizeof why};
    met__usage_row row;

    if (cursor == NULL || json_out == NULL || json_size_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         cursor == NULL     ? "cursor"
                         : json_out == NULL ? "json_out"
                                            : "json_size_out",
                         "is NULL");
    }
    met_error error = met__store_check_handle(cursor->call.store);
    if (error == MET_OK) {
        error = cursor->error;
    }
    if (error == MET_OK) {
        error = met__usage_next(cursor->rows, &row, &why);
        if (error == MET_OK) {
            error = write_row(cursor, &row);
        }
        cursor->error = error;
    }
    if (error == MET_OK) {
        *json_out = cursor->text.data;
        *json_size_out = cursor->text.size;
        return MET_OK;
    }
    return why.code == error
               ? met__fail(info, error, why.field, "%s", why.reason)
               : met__fail_code(info, error);
}

void met_usage_query_close(met_usage_cursor *cursor)
{
    if (cursor != NULL) {
        met__usage_close(cursor->rows);
        met__zone_close(cursor->zone);
        met__buffer_release(&cursor->text);
        (void)met__call_end(&cursor->call, MET_OK, NULL, NULL);
        met__release(cursor->platform, cursor, sizeof *cursor);
    }
}

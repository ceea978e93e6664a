/* meter.h: meters, settlement and queries; arguments checked here. */
#include "metering/meter.h"

#include "api/document_call.h"
#include "api/settle_steps.h"
#include "base/caller_struct.h"
#include "catalog/feature.h"
#include "catalog/meter_guard.h"
#include "customer/customer.h"
#include "meter/plan_signal.h"
#include "meter/recorder.h"
#include "meter/usage_request.h"

static met_error is_null(met_error_info *info, const char *name)
{
    return met__fail(info, MET_E_INVALID, name, "is NULL");
}

/* --- Meters ---------------------------------------------------------------- */
met_error met_meter_put(met_store *store, const char *json, size_t json_size,
                        met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "meter", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__meter_put_guarded(call.txn, node, &path, NULL,
                                       &call.why);
    }
    if (error == MET_OK) {
        error = met__meter_document(call.txn,
                                    met__node_get(node, "key")->as.text,
                                    &call.arena, &document);
    }
    error = met__call_end(&call, error, document, json_out);
    if (error == MET_OK) {
        (void)met__plan_announce(store); /* else the next tick does it */
    }
    return error;
}

met_error met_meter_get(met_store *store, const char *key, size_t key_size,
                        met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met__node *document = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && json_out == NULL) {
        error = is_null(&call.why, "json_out");
    }
    if (error == MET_OK) {
        error = met__call_key(&call, "key", key, key_size, MET__KEY_SIZE_MAX,
                              &text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__meter_document(call.txn, text, &call.arena, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_meter_list(met_store *store, met_buffer *json_out,
                         met_error_info *info)
{
    met__call call;
    met__node *array = NULL;
    met__node *document = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && json_out == NULL) {
        error = is_null(&call.why, "json_out");
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__meter_list(call.txn, &call.arena, &array);
    }
    if (error == MET_OK) {
        error = met__call_items(&call, array, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_meter_remove(met_store *store, const char *key, size_t key_size,
                           met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "key", key, key_size, MET__KEY_SIZE_MAX,
                              &text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__meter_remove_guarded(call.txn, text, &call.why);
    }
    error = met__call_end(&call, error, NULL, NULL);
    if (error == MET_OK) {
        (void)met__plan_announce(store); /* else the next tick does it */
    }
    return error;
}

/* --- Settlement ------------------------------------------------------------ */
static met_error report_document(const met__settle_report *report,
                                 met__arena *arena, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "transactions",
                       (int64_t)report->transactions);
    met__build_integer(&builder, "cells", (int64_t)report->cells);
    met__build_integer(&builder, "parts", (int64_t)report->parts);
    met__build_integer(&builder, "events", (int64_t)report->events);
    met__build_integer(&builder, "slots", (int64_t)report->slots);
    met__build_integer(&builder, "slots_live", (int64_t)report->slots_live);
    met__build_integer(&builder, "slots_retired",
                       (int64_t)report->slots_retired);
    met__build_integer(&builder, "slots_damaged",
                       (int64_t)report->slots_damaged);
    met__build_integer(&builder, "cells_unreadable",
                       (int64_t)report->cells_unreadable);
    met__build_time(&builder, "oldest_unsettled",
                    report->oldest_unsettled_ns);
    met__build_integer(&builder, "duration_ns", report->duration_ns);
    return met__builder_end(&builder, node_out);
}

met_error met_store_settle(met_store *store, const met_settle_config *config,
                           met_buffer *report_out, met_error_info *info)
{
    met_settle_config known = {.struct_size = sizeof known};
    met__settle_report report = {0};
    met__call call;
    met__node *document = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && config != NULL) {
        error = met__struct_read(&known, sizeof known,
                                 sizeof known.struct_size, config, "config",
                                 &call.why);
    }
    if (error == MET_OK && known.flags != 0) {
        error = met__fail(&call.why, MET_E_UNSUPPORTED, "config.flags",
                          "has an unknown bit");
    }
    if (error == MET_OK) {
        error = met__settle_all(store, known.cells_max, &report, &call.why);
    }
    if (error == MET_OK && report_out != NULL) {
        error = report_document(&report, &call.arena, &document);
    }
    return met__call_end(&call, error, document, report_out);
}

/* --- Queries --------------------------------------------------------------- */
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
    met__filter *all = met__arena_allocate(
        &call->arena, (query->filter_count + feature->filter_count + 1)
                          * sizeof *all);
    if (all == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(all, query->filters, query->filter_count * sizeof *all);
    memcpy(all + query->filter_count, feature->filters,
           feature->filter_count * sizeof *all);
    query->filters = all;
    query->filter_count += feature->filter_count;
    return MET_OK;
}

/* The customer's subjects, and of them only those that are asked for. */
static met_error add_customer(met__call *call, met__usage_request *request,
                              int *is_nobody_out)
{
    met__customer *customer = NULL;
    met__usage_query *query = &request->query;
    met_error error = met__customer_get(call->txn, request->customer,
                                        &call->arena, &customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(&call->why, error, "query.customer",
                         "there is no customer %.*s",
                         (int)request->customer.size, request->customer.data);
    }
    if (error != MET_OK) {
        return error;
    }
    if (query->subject_count == 0) {
        query->subjects = customer->subjects;
        query->subject_count = customer->subject_count;
        return MET_OK;
    }
    size_t kept = 0;
    for (size_t i = 0; i < query->subject_count; i++) {
        for (size_t j = 0; j < customer->subject_count; j++) {
            if (met__text_equal(request->subjects[i],
                                customer->subjects[j])) {
                request->subjects[kept++] = request->subjects[i];
                break;
            }
        }
    }
    query->subject_count = kept;
    *is_nobody_out = kept == 0;
    return MET_OK;
}

/* As the peer: who names subjects wants a row for each. */
static met_error group_by_subject(met__usage_request *request)
{
    met__usage_query *query = &request->query;

    for (size_t i = 0; i < query->group_count; i++) {
        if (met__text_equal(query->groups[i], MET__TEXT("subject"))) {
            return MET_OK;
        }
    }
    if (query->group_count < MET__GROUPS_MAX) {
        request->groups[query->group_count++] = MET__TEXT("subject");
    }
    return MET_OK;
}

static met_error resolve(met__call *call, met__usage_request *request,
                         int *is_nobody_out)
{
    met__meter *meter = NULL;
    met_error error = MET_OK;

    if (request->query.subject_count > 0) {
        error = group_by_subject(request);
    }
    if (error == MET_OK && request->feature.size > 0) {
        error = add_feature(call, request);
    }
    if (error == MET_OK && request->customer.size > 0) {
        error = add_customer(call, request, is_nobody_out);
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
    return error;
}

static met_error answer(met__call *call, const met__usage_request *request,
                        met__node *rows, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, &call->arena);
    met__build_text(&builder, "meter", request->meter);
    if (request->query.from_ns != MET__USAGE_FIRST) {
        met__build_node(&builder, "from",
                        met__node_time(&call->arena, request->query.from_ns));
    }
    if (request->query.to_ns != MET__USAGE_LAST) {
        met__build_node(&builder, "to",
                        met__node_time(&call->arena, request->query.to_ns));
    }
    if (rows == NULL) {
        rows = met__node_array(&call->arena);
    }
    if (rows == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__build_node(&builder, "data", rows);
    return met__builder_end(&builder, node_out);
}

met_error met_usage_query(met_store *store, const char *json, size_t json_size,
                          met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "query", 0};
    met__settle_report report;
    met__call call;
    met__node *node = NULL;
    met__node *rows = NULL;
    met__node *document = NULL;
    met__usage_request *request = NULL;
    int is_nobody = 0;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && json_out == NULL) {
        error = is_null(&call.why, "json_out");
    }
    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = met__usage_request_read(node, &path, &call.arena, &request,
                                        &call.why);
    }
    if (error == MET_OK && request->settle_first) {
        error = met__settle_all(store, 0, &report, &call.why);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = resolve(&call, request, &is_nobody);
    }
    if (error == MET_OK && !is_nobody) {
        error = met__usage_rows(call.txn, &request->query, &call.arena, &rows,
                                &call.why);
    }
    if (error == MET_OK) {
        error = answer(&call, request, rows, &document);
    }
    return met__call_end(&call, error, document, json_out);
}

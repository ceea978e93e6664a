/* event.h, meter.h, recorder.h, store.h, stats.h. */
#include "contract/world.h"

/* --- Meters and usage ----------------------------------------------------- */
CALL(meter_put, w.store,
     J("{'key':'m','name':'M','event_type':'e','aggregation':'sum',"
       "'value_property':'$.v','dimensions':{'d':'$.a.b'}}"),
     OUT)
CALL(meter_get, w.store, T("requests"), OUT)
CALL(meter_list, w.store, OUT)
CALL(meter_remove, w.store, T("tokens"), INFO)
CALL(store_settle, w.store, NULL, OUT)
CALL(store_compact, w.store, NULL, OUT)
CALL(usage_settings_put, w.store, J("{'keep_minutes':'P40D'}"), OUT)
CALL(usage_settings_get, w.store, OUT)
CALL(usage_query, w.store,
     J("{'feature':'calls','customer':'ada','window':'day','group_by':["
       "'route_name']}"),
     OUT)
CALL(usage_query_open, w.store,
     J("{'meter':'requests','group_by':['subject']}"), &w.cursor, INFO)

static const char *row;
static size_t row_size;

CALL(usage_query_next, w.cursor, &row, &row_size, INFO)

static void open_cursor(void)
{
    assert_ok(call_usage_query_open());
}

static void query_close(void)
{
    met_usage_query_close(w.cursor);
    w.cursor = NULL;
}
static met_error call_usage_query_close(void)
{
    query_close();
    return MET_OK;
}

/* --- Events --------------------------------------------------------------- */
static void open_ingest(void)
{
    assert_ok(met_ingest_open(w.store, NULL, &w.ingest, INFO));
}

CALL(ingest_open, w.store, NULL, &w.ingest, INFO)
static met_error call_ingest_close(void)
{
    met_ingest_close(w.ingest);
    w.ingest = NULL;
    return MET_OK;
}

static const met_event_cursor position = {.struct_size = sizeof position,
                                          .name = "queue", .name_size = 5,
                                          .generation = 1, .offset = 20};

static met_error call_event_ingest(void)
{
    const met_ingest_event event = {
        .id = "n1", .id_size = 2, .source = "s", .source_size = 1,
        .type = "kong.api_request", .type_size = 16,
        .subject = "consumer:ada", .subject_size = 12, .utc_ns = w.now_ns};
    met_event_verdict verdict;

    return met_event_ingest(w.ingest, &event, 1, &position, &verdict, INFO);
}
CALL(event_ingest_json, w.ingest,
     J("{'specversion':'1.0','id':'n2','source':'s','type':"
       "'kong.api_request','subject':'consumer:ada','data':{'service_name':"
       "'s'}}"),
     0, NULL, OUT)

static met_error call_event_cursor_get(void)
{
    met_event_cursor cursor = {.struct_size = sizeof cursor};

    return met_event_cursor_get(w.store, T("queue"), &cursor, INFO);
}
CALL(event_settings_put, w.store, J("{'retain':'P40D'}"), OUT)
CALL(event_settings_get, w.store, OUT)
CALL(event_list, w.store, J("{'type':'kong.api_request'}"), OUT)
CALL(event_explain, w.store, T("s"), T("e1"), OUT)
CALL(event_retract, w.store,
     J("{'source':'s','id':'e1','reason':'r','actor':'a'}"), OUT)
CALL(usage_adjust, w.store,
     J("{'id':'a2','meter':'requests','subject':'consumer:ada','dimensions':"
       "{'service_name':'s'},'time':'2026-04-15T10:00:00Z','value':'-3',"
       "'reason':'r','actor':'a'}"),
     OUT)
CALL(usage_adjustment_list, w.store, OUT)

/* --- Recorders ------------------------------------------------------------ */
static const met_recorder_config small = {.struct_size = sizeof small,
                                          .shapes_max = 64};

CALL(recorder_open, w.store, &small, &w.recorder, INFO)
static met_error call_recorder_close(void)
{
    met_recorder_close(w.recorder);
    w.recorder = NULL;
    return MET_OK;
}

static void open_recorder(void)
{
    assert_ok(call_recorder_open());
}

static met_event event_now(void)
{
    return (met_event){.struct_size = sizeof(met_event),
                       .type = "kong.api_request", .type_size = 16,
                       .subject = "consumer:ada", .subject_size = 12};
}

static met_error call_recorder_add(void)
{
    met_event event = event_now();

    return met_recorder_add(w.recorder, &event, INFO);
}
static met_error call_recorder_add_batch(void)
{
    met_event events[2] = {event_now(), event_now()};
    met_error errors[2];

    return met_recorder_add_batch(w.recorder, events, 2, errors, INFO);
}
static met_error call_prepared_open(void)
{
    met_event event = event_now();

    return met_prepared_open(w.recorder, &event, &w.prepared, INFO);
}
CALL(prepared_add, w.prepared, NULL, 0, 0, INFO)
static met_error call_prepared_close(void)
{
    met_prepared_close(w.prepared);
    w.prepared = NULL;
    return MET_OK;
}
static void open_prepared(void)
{
    open_recorder();
    assert_ok(call_prepared_open());
}

/* A minute later, and with another meter: there is something to do. */
static void later_with_meter(void)
{
    open_recorder();
    assert_ok(call_recorder_add());
    assert_ok(call_meter_put());
    w.now_ns += INT64_C(120) * 1000000000;
}
CALL(recorder_tick, w.recorder)

/* --- The store itself ----------------------------------------------------- */
static met_error call_store_open(void)
{
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &w.platform,
                               .map_size_bytes = SWEEP_MAP_SIZE,
                               .flags = MET_STORE_CREATE};
    const char *path = temp_path(w.home, "new");
    met_store *store = NULL;
    met_error error = met_store_open(path, strlen(path), &config, &store,
                                     INFO);

    met_store_close(store);
    return error;
}
static met_error call_store_close(void)
{
    met_store_close(w.store);
    w.store = NULL;
    return MET_OK;
}
static met_error call_store_backup(void)
{
    const char *path = temp_path(w.home, "new");

    return met_store_backup(w.store, path, strlen(path), 0, INFO);
}
static void nothing_there(void)
{
    temp_remove(temp_path(w.home, "new"));
}
CALL(store_check, w.store, OUT)
CALL(store_stats, w.store, OUT)
static met_error call_stats_write(void)
{
    met_stats_sources sources = {.struct_size = sizeof sources,
                                 .store = w.store, .gateway = w.gateway};

    return met_stats_write(&sources, OUT);
}

const contract_row usage_rows[] = {
    ROW(meter_put, NULL, LATER),
    ROW(meter_get, NULL, 0),
    ROW(meter_list, NULL, 0),
    ROW(meter_remove, NULL, LATER),
    ROW(store_settle, NULL, ROW_STEPS),
    ROW(store_compact, NULL, ROW_STEPS),
    ROW(usage_settings_put, NULL, ROW_WRITES),
    ROW(usage_settings_get, NULL, 0),
    ROW(usage_query, NULL, 0),
    ROW(usage_query_open, NULL, 0),
    ROW(usage_query_next, open_cursor, ROW_AGAIN),
    ROW(usage_query_close, open_cursor, 0),
    ROW(ingest_open, NULL, 0),
    ROW(ingest_close, open_ingest, 0),
    ROW(event_ingest, open_ingest, LATER),
    ROW(event_ingest_json, open_ingest, LATER),
    ROW(event_cursor_get, NULL, 0),
    ROW(event_settings_put, NULL, ROW_WRITES),
    ROW(event_settings_get, NULL, 0),
    ROW(event_list, NULL, 0),
    ROW(event_explain, NULL, 0),
    ROW(event_retract, NULL, LATER),
    ROW(usage_adjust, NULL, LATER),
    ROW(usage_adjustment_list, NULL, 0),
    ROW(recorder_open, NULL, ROW_COPES | ROW_AGAIN),
    ROW(recorder_close, open_recorder, 0),
    ROW(recorder_add, open_recorder, 0),
    ROW(recorder_add_batch, open_recorder, 0),
    ROW(prepared_open, open_recorder, 0),
    ROW(prepared_add, open_prepared, 0),
    ROW(prepared_close, open_prepared, 0),
    ROW(recorder_tick, later_with_meter, ROW_COPES),
    ROW(store_open, nothing_there, ROW_COPES | ROW_AGAIN),
    ROW(store_close, NULL, ROW_COPES),
    ROW(store_backup, nothing_there, ROW_COPES | ROW_AGAIN),
    ROW(store_check, NULL, ROW_COPES),
    ROW(store_stats, NULL, ROW_COPES),
    ROW(stats_write, NULL, ROW_COPES),
};
const size_t usage_row_count = sizeof usage_rows / sizeof *usage_rows;

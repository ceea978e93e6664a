/* Any text as events: one, an array, or lines. Refused as a whole, or every
 * event has its verdict or is fit to be counted: texts within their bounds,
 * values that its meters asked for. */
#include <stdlib.h>

#include "fuzz.h"
#include "meter/event_state.h"
#include "store/store_open.h"
#include "support/faults.h"
#include "support/temp_directory.h"

static char home[64];
static met__ingest *ingest;
static met_store *store;

static void put_meter(const char *json)
{
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    if (met__json_parse(&arena, met__text_z(json), &node, NULL) != MET_OK
        || met__txn_begin(store, 1, &txn) != MET_OK
        || met__meter_put(txn, node, NULL, NULL, NULL) != MET_OK
        || met__txn_commit(txn) != MET_OK) {
        abort();
    }
    met__arena_release(&arena);
}

static void finish(void)
{
    met__ingest_close(ingest);
    met__store_close(store);
    temp_remove(home);
}

static void start(void)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__txn *txn = NULL;
    char path[128];
    int is_new = 0;

    temp_directory_fast(home, sizeof home);
    snprintf(path, sizeof path, "%s/s", home);
    if (met__store_open(&platform, path, UINT64_C(16) << 20, 1, &store, NULL)
        != MET_OK) {
        abort();
    }
    put_meter("{\"key\":\"m\",\"name\":\"m\",\"event_type\":\"t\","
              "\"aggregation\":\"sum\",\"value_property\":\"$.v\","
              "\"dimensions\":{\"a\":\"$.a.b\",\"x\":\"$['x y'][1]\"}}");
    if (met__ingest_open(store, NULL, 0, &ingest, NULL) != MET_OK
        || met__txn_begin(store, 0, &txn) != MET_OK
        || met__ingest_take_plan(ingest, txn, &is_new) != MET_OK) {
        abort();
    }
    met__txn_abort(txn);
    atexit(finish);
}

static void check_event(const met__event *event)
{
    const met_ingest_event *given = &event->given;

    if (event->said.verdict == MET_VERDICT_INVALID) {
        if (event->said.reason[0] == '\0') {
            abort();
        }
        return;
    }
    if (event->said.verdict != 0 || given->id_size == 0
        || given->source_size == 0 || given->type_size == 0
        || given->subject_size == 0 || given->utc_ns < 0) {
        abort();
    }
    for (size_t i = 0; i < given->attribute_count; i++) {
        if (given->attributes[i].value == NULL
            || given->attributes[i].key_size == 0) {
            abort();
        }
    }
    for (size_t i = 0; i < given->quantity_count; i++) {
        if (!met__decimal_is_valid(given->quantities[i].value)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__text text = {(const char *)data, size};

    if (store == NULL) {
        start();
    }
    for (int is_lines = 0; is_lines < 2; is_lines++) {
        met_error_info info = {.struct_size = sizeof info};
        met__event *events = NULL;
        size_t count = 0;
        met_error error = met__events_read(ingest, text, is_lines, &events,
                                           &count, &info);
        if (error != MET_OK
            && ((error != MET_E_INVALID && error != MET_E_LIMIT)
                || info.reason[0] == '\0')) {
            abort();
        }
        for (size_t i = 0; error == MET_OK && i < count; i++) {
            check_event(&events[i]);
        }
        met__arena_release(&ingest->arena);
    }
    return 0;
}

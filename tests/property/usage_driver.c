/* Answers for the oracle of usage: one command a line.
 *   store NS (a fresh one at that time, and the old one is gone) · meter JSON ·
 *   customer JSON · settle · tick N · event N {"type", "subject", "ns",
 *   "attributes": {}, "quantities": {}}, by recorder N · ingest [CloudEvent,
 *   ...] · compact NS (as of; after a day into hours, after five into days) ·
 *   query JSON · rows JSON (the same, row by row)
 * What was answered, "= JSON" or "! ERROR FIELD"; an event that was counted and
 * what has no answer say "=". The clock moves by a microsecond an event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/document.h"
#include "meter/compaction.h"
#include "metering/customer.h"
#include "metering/event.h"
#include "metering/meter.h"
#include "metering/recorder.h"
#include "metering/store.h"
#include "support/temp_directory.h"

#define RECORDERS 3
#define FIELDS_MAX 16

static char home[64];
static met_store *store;
static met_recorder *recorders[RECORDERS];
static met_ingest *ingest;
static met__platform platform;
static met_error_info info;
static int64_t now_ns;

static int64_t read_clock(void *context)
{
    (void)context;
    return now_ns;
}

/* --- Stores --------------------------------------------------------------- */
static void close_all(void)
{
    for (int i = 0; i < RECORDERS; i++) {
        met_recorder_close(recorders[i]);
        recorders[i] = NULL;
    }
    met_ingest_close(ingest);
    ingest = NULL;
    met_store_close(store);
    store = NULL;
    if (home[0] != '\0') {
        temp_remove(home);
    }
}

static int open_all(void)
{
    static const char widest[] =
        "{\"late_after\":\"P366D\",\"future_after\":\"P366D\"}";
    static const char kept[] =
        "{\"keep_minutes\":\"P1D\",\"keep_hours\":\"P5D\"}";
    char path[128];
    met_platform outside = {.struct_size = sizeof outside,
                            .clock = {NULL, read_clock, read_clock}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &outside,
                               .map_size_bytes = UINT64_C(1) << 30,
                               .flags = MET_STORE_CREATE};

    close_all();
    temp_directory_fast(home, sizeof home);
    snprintf(path, sizeof path, "%s/s", home);
    if (met_store_open(path, strlen(path), &config, &store, &info)
        != MET_OK) {
        return 0;
    }
    if (met_event_settings_put(store, widest, sizeof widest - 1, NULL, &info)
            != MET_OK
        || met_usage_settings_put(store, kept, sizeof kept - 1, NULL, &info)
               != MET_OK
        || met_ingest_open(store, NULL, &ingest, &info) != MET_OK) {
        return 0;
    }
    for (int i = 0; i < RECORDERS; i++) {
        if (met_recorder_open(store, NULL, &recorders[i], &info) != MET_OK) {
            return 0;
        }
    }
    return 1;
}

static int tell(met_error error, const char *data, size_t size)
{
    if (error != MET_OK) {
        printf("! %s %s\n", met_error_name(error), info.field);
    } else {
        printf("= %.*s\n", (int)size, data ? data : "");
    }
    return 1;
}

/* --- Events --------------------------------------------------------------- */
static met_error add_event(met_recorder *recorder, const met__node *node)
{
    met_pair pairs[FIELDS_MAX];
    met_quantity quantities[FIELDS_MAX];
    const met__node *type = met__node_get(node, "type");
    const met__node *subject = met__node_get(node, "subject");
    const met__node *attributes = met__node_get(node, "attributes");
    const met__node *numbers = met__node_get(node, "quantities");
    met_event event = {.struct_size = sizeof event,
                       .type = type->as.text.data,
                       .type_size = type->as.text.size,
                       .subject = subject->as.text.data,
                       .subject_size = subject->as.text.size,
                       .attributes = pairs,
                       .attribute_count = attributes->count,
                       .quantities = quantities,
                       .quantity_count = numbers->count,
                       .utc_ns = met__node_get(node, "ns")->as.integer};

    for (uint32_t i = 0; i < attributes->count; i++) {
        const met__member *member = &attributes->as.members[i];
        pairs[i] = (met_pair){member->name.data, member->name.size,
                              member->node->as.text.data,
                              member->node->as.text.size};
    }
    for (uint32_t i = 0; i < numbers->count; i++) {
        const met__member *member = &numbers->as.members[i];
        quantities[i].key = member->name.data;
        quantities[i].key_size = member->name.size;
        met_error error = met__decimal_parse(member->node->as.text,
                                             &quantities[i].value);
        if (error != MET_OK) {
            return error;
        }
    }
    now_ns += 1000;
    return met_recorder_add(recorder, &event, &info);
}

static int run_event(const char *words)
{
    met__arena arena;
    met__node *node = NULL;
    char *json;
    long number = strtol(words, &json, 10);

    met__arena_init(&arena, &platform);
    met_error error = met__json_parse(&arena, met__text_z(json), &node, NULL);
    if (error == MET_OK && number >= 0 && number < RECORDERS) {
        error = add_event(recorders[number], node);
    }
    met__arena_release(&arena);
    return tell(error, NULL, 0);
}

/* All of them must be accepted, but those older than every meter that would
 * count them. */
static int run_ingest(const char *json)
{
    met_buffer report = {0};
    met_error error = met_event_ingest_json(ingest, json, strlen(json), 0,
                                            NULL, &report, &info);

    long events = 0;
    long accepted = 0;
    long others = 0;
    if (error == MET_OK
        && (sscanf(report.data,
                   "{\"events\":%ld,\"accepted\":%ld,\"duplicate\":0,"
                   "\"late\":0,\"future\":0,\"no_meter\":%ld",
                   &events, &accepted, &others)
                != 3
            || events != accepted + others)) {
        printf("%s\n", report.data);
    } else {
        tell(error, NULL, 0);
    }
    met_buffer_release(&report);
    now_ns += 1000;
    return 1;
}

/* --- Queries -------------------------------------------------------------- */
/* As met_usage_query, but for what stands before "data". */
static int run_rows(const char *json)
{
    met_usage_cursor *cursor = NULL;
    const char *row = NULL;
    size_t size = 0;
    met_error error = met_usage_query_open(store, json, strlen(json), &cursor,
                                           &info);

    if (error != MET_OK) {
        return tell(error, NULL, 0);
    }
    char *text = NULL;
    size_t text_size = 0;
    FILE *rows = open_memstream(&text, &text_size);
    for (int i = 0;
         (error = met_usage_query_next(cursor, &row, &size, &info)) == MET_OK;
         i++) {
        fprintf(rows, "%s%.*s", i > 0 ? "," : "[", (int)size, row);
    }
    met_usage_query_close(cursor);
    fclose(rows);
    if (error == MET_E_NOT_FOUND) {
        printf("= %s]\n", text_size > 0 ? text : "[");
    } else {
        tell(error, NULL, 0);
    }
    free(text);
    return 1;
}

static int run_query(const char *json)
{
    met_buffer answer = {0};
    met_error error = met_usage_query(store, json, strlen(json), &answer,
                                      &info);

    tell(error, answer.data, answer.size);
    met_buffer_release(&answer);
    return 1;
}

static int run(const char *what, const char *words)
{
    info = (met_error_info){.struct_size = sizeof info};
    if (strcmp(what, "store") == 0) {
        now_ns = strtoll(words, NULL, 10);
        return open_all() && tell(MET_OK, NULL, 0);
    }
    if (strcmp(what, "meter") == 0) {
        return tell(met_meter_put(store, words, strlen(words), NULL, &info),
                    NULL, 0);
    }
    if (strcmp(what, "customer") == 0) {
        return tell(met_customer_put(store, words, strlen(words), NULL,
                                     &info),
                    NULL, 0);
    }
    if (strcmp(what, "settle") == 0) {
        return tell(met_store_settle(store, NULL, NULL, &info), NULL, 0);
    }
    if (strcmp(what, "compact") == 0) {
        return tell(met__compact(store, strtoll(words, NULL, 10), 0, 7, NULL,
                                 NULL, &info),
                    NULL, 0);
    }
    if (strcmp(what, "tick") == 0) {
        now_ns += INT64_C(60000000000);
        return tell(met_recorder_tick(recorders[strtol(words, NULL, 10)]),
                    NULL, 0);
    }
    if (strcmp(what, "event") == 0) {
        return run_event(words);
    }
    if (strcmp(what, "ingest") == 0) {
        return run_ingest(words);
    }
    if (strcmp(what, "rows") == 0) {
        return run_rows(words);
    }
    return strcmp(what, "query") == 0 ? run_query(words) : 0;
}

int main(void)
{
    static char line[1 << 16];
    int is_right = met__platform_init(&platform, NULL, NULL) == MET_OK;

    while (is_right && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *words = line + strcspn(line, " ");
        if (*words != '\0') {
            *words++ = '\0';
        }
        is_right = run(line, words);
    }
    close_all();
    if (!is_right) {
        fprintf(stderr, "%s: %s\n", info.field, info.reason);
    }
    return !is_right;
}

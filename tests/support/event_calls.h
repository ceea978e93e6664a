/* The public calls on events, with texts instead of sizes; the answer is kept
 * by documents.h. */
#ifndef TESTS_SUPPORT_EVENT_CALLS_H
#define TESTS_SUPPORT_EVENT_CALLS_H

#include "support/meter_calls.h"

#include "metering/event.h"

#define NOON "2026-03-15T10:00:00Z"

static met_ingest *ingest;

static inline void must_open_ingest(void)
{
    fresh();
    assert_ok(met_ingest_open(store, NULL, &ingest, &told));
}

static inline void close_ingest(void)
{
    met_ingest_close(ingest);
    ingest = NULL;
}

static inline met_error ingest_at(const char *json, uint64_t flags,
                                  const met_event_cursor *cursor)
{
    met_buffer *out = fresh();
    return keep(met_event_ingest_json(ingest, json, strlen(json), flags,
                                      cursor, out, &told),
                out);
}

static inline met_error ingest_json(const char *json)
{
    return ingest_at(json, 0, NULL);
}

static inline met_error event_settings_put(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_event_settings_put(store, json, strlen(json), out, &told),
                out);
}

static inline met_error event_settings_get(void)
{
    met_buffer *out = fresh();
    return keep(met_event_settings_get(store, out, &told), out);
}

static inline void assert_same(const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0) {
        fail_msg("\"%s\", not \"%s\"", found, expected);
    }
}

/* One event of source "s", subject "u"; time NULL: none. */
static inline const char *event_json(const char *id, const char *type,
                                     const char *time, const char *data)
{
    static char texts[4][1024];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    int size = snprintf(text, 1024,
                        "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":"
                        "\"s\",\"type\":\"%s\",\"subject\":\"u\"",
                        id, type);

    if (time != NULL) {
        size += snprintf(text + size, 1024 - (size_t)size, ",\"time\":\"%s\"",
                         time);
    }
    if (data != NULL) {
        size += snprintf(text + size, 1024 - (size_t)size, ",\"data\":%s",
                         data);
    }
    snprintf(text + size, 1024 - (size_t)size, "}");
    return text;
}

/* The verdict on one event. */
static inline const char *verdict_on(const char *json)
{
    assert_ok(ingest_json(json));
    return shown("verdicts.0");
}

/* All usage of a meter as the text of a query's only row; "" without one. */
static inline const char *usage_of(const char *meter)
{
    char query[256];

    snprintf(query, sizeof query, "{\"meter\":\"%s\"}", meter);
    assert_ok(usage_query(query));
    assert_shown("data.1", "");
    return shown("data.0.value");
}

/* Meters: calls counts type "t" by d, tokens adds up type "n" by model. */
static inline int event_setup(void **state)
{
    documents_setup(state);
    must_put_meter("{\"key\":\"calls\",\"name\":\"c\",\"event_type\":\"t\","
                   "\"aggregation\":\"count\",\"dimensions\":{\"d\":"
                   "\"$.a.b\"}}");
    must_put_meter("{\"key\":\"tokens\",\"name\":\"t\",\"event_type\":\"n\","
                   "\"aggregation\":\"sum\",\"value_property\":\"$.v\","
                   "\"dimensions\":{\"model\":\"$.model\"}}");
    must_open_ingest();
    return 0;
}

static inline int event_teardown(void **state)
{
    close_ingest();
    return documents_teardown(state);
}

#endif

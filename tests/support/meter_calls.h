/* The public calls on meters and usage, with texts instead of sizes; the
 * answer is kept by documents.h. */
#ifndef TESTS_SUPPORT_METER_CALLS_H
#define TESTS_SUPPORT_METER_CALLS_H

#include "support/documents.h"

#include "metering/meter.h"
#include "metering/recorder.h"

static inline met_error meter_put(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_meter_put(store, json, strlen(json), out, &told), out);
}

static inline met_error meter_get(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_meter_get(store, key, strlen(key), out, &told), out);
}

static inline met_error meter_list(void)
{
    met_buffer *out = fresh();
    return keep(met_meter_list(store, out, &told), out);
}

static inline met_error meter_remove(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_meter_remove(store, key, strlen(key), &told), out);
}

static inline met_error settle(void)
{
    met_buffer *out = fresh();
    return keep(met_store_settle(store, NULL, out, &told), out);
}

static inline met_error usage_query(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_usage_query(store, json, strlen(json), out, &told), out);
}

#endif

/* What the tests of ingest share: batches of numbered events. */
#ifndef TESTS_UNIT_METER_EVENT_SUPPORT_H
#define TESTS_UNIT_METER_EVENT_SUPPORT_H

#include "usage_support.h"

#include "meter/event_ingest.h"

#define BATCH_MOST 64

/* Events first .. first + count - 1 of source "s": each counts 1, and its
 * quantity "v" is its number. Seven subjects, five minutes. */
static inline met_error ingest_numbers(met__ingest *ingest, uint64_t first,
                                       uint32_t count,
                                       const met_event_cursor *cursor,
                                       met_event_verdict *verdicts_out)
{
    static char ids[BATCH_MOST][24];
    static char subjects[BATCH_MOST][24];
    met_ingest_event events[BATCH_MOST];
    met_quantity quantities[BATCH_MOST];

    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = first + i;
        snprintf(ids[i], sizeof ids[i], "%llu", (unsigned long long)number);
        snprintf(subjects[i], sizeof subjects[i], "u%d", (int)(number % 7));
        quantities[i] = (met_quantity){
            "v", 1, met__decimal_from_i64((int64_t)number)};
        events[i] = (met_ingest_event){
            .id = ids[i],
            .id_size = strlen(ids[i]),
            .source = "s",
            .source_size = 1,
            .type = "t",
            .type_size = 1,
            .subject = subjects[i],
            .subject_size = strlen(subjects[i]),
            .quantities = &quantities[i],
            .quantity_count = 1,
            .utc_ns = START_NS - (int64_t)(number % 5) * MET__MINUTE_NS,
        };
    }
    last_info = (met_error_info){.struct_size = sizeof last_info};
    return met__event_ingest(ingest, events, count, cursor, NULL,
                             verdicts_out, &last_info);
}

static inline met__ingest *must_ingest(met_store *store)
{
    met__ingest *ingest = NULL;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met_error error = met__ingest_open(store, NULL, 0, &ingest, &last_info);
    if (error != MET_OK) {
        fail_msg("%s \"%s\" \"%s\"", met_error_name(error), last_info.field,
                 last_info.reason);
    }
    return ingest;
}

/* Count and sum of all events of type "t" in the store. */
typedef struct event_totals {
    uint64_t count;
    met__wide sum; /* in 10^-9 */
} event_totals;

static inline void add_totals(void *context, uint32_t minute,
                              const met__usage_shape *shape,
                              const uint64_t *words)
{
    event_totals *totals = context;

    (void)minute;
    if (!met__text_equal(shape->type, MET__TEXT("t"))) {
        return;
    }
    totals->count += words[MET__PART_COUNT];
    totals->sum += met__amount_get(words + MET__PART_QUANTITIES
                                   + MET__QUANTITY_SUM);
}

static inline event_totals totals_of(met_store *store)
{
    event_totals totals = {0};

    each_part(store, &totals, add_totals);
    return totals;
}

/* Exactly the events 0 .. end - 1, each once. */
static inline void assert_numbers(met_store *store, uint64_t end)
{
    event_totals totals = totals_of(store);
    met__wide sum = (met__wide)end * (met__wide)(end - (end > 0)) / 2
                    * 1000000000;

    if (totals.count != end || totals.sum != sum) {
        fail_msg("%llu events, not %llu; their sum is %s",
                 (unsigned long long)totals.count, (unsigned long long)end,
                 totals.sum == sum ? "right" : "wrong");
    }
}

#define NUMBERS_METER SUM_METER("v", "t", "v", "")

#endif

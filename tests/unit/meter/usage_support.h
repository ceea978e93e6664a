/* What the tests of recording and settling share: events in one line, and all
 * settled usage as a list of sums. */
#ifndef TESTS_UNIT_METER_USAGE_SUPPORT_H
#define TESTS_UNIT_METER_USAGE_SUPPORT_H

#include "meter_support.h"

#include "meter/amount.h"
#include "meter/recorder.h"
#include "meter/settlement.h"
#include "meter/usage_scan.h"
#include "meter/usage_shape.h"

#define COUNT_METER(key, type, dimensions)                             \
    "{\"key\":\"" key "\",\"name\":\"n\",\"event_type\":\"" type "\"," \
    "\"aggregation\":\"count\",\"dimensions\":{" dimensions "}}"
#define SUM_METER(key, type, value, dimensions)                        \
    "{\"key\":\"" key "\",\"name\":\"n\",\"event_type\":\"" type "\"," \
    "\"aggregation\":\"sum\",\"value_property\":\"$." value "\","      \
    "\"dimensions\":{" dimensions "}}"

/* An event with up to two attributes (NULL: none) and one quantity. */
typedef struct test_event {
    const char *type;
    const char *subject;
    const char *a;
    const char *b;
    const char *quantity; /* of "v"; NULL: none */
    int64_t utc_ns;
    uint32_t flags;
} test_event;

static inline met_error add_event(met_recorder *recorder,
                                  const test_event *test)
{
    met_pair pairs[2];
    met_quantity quantity = {"v", 1, {{0, 0}}};
    met_event event = {
        .struct_size = sizeof event,
        .type = test->type,
        .type_size = test->type ? strlen(test->type) : 0,
        .subject = test->subject,
        .subject_size = test->subject ? strlen(test->subject) : 0,
        .attributes = pairs,
        .quantities = &quantity,
        .utc_ns = test->utc_ns,
    };

    if (test->a != NULL) {
        pairs[event.attribute_count++] =
            (met_pair){"a", 1, test->a, strlen(test->a)};
    }
    if (test->b != NULL) {
        pairs[event.attribute_count++] =
            (met_pair){"b", 1, test->b, strlen(test->b)};
    }
    if (test->quantity != NULL) {
        assert_int_equal(met__decimal_parse(met__text_z(test->quantity),
                                            &quantity.value),
                         MET_OK);
        event.quantity_count = 1;
    }
    last_info = (met_error_info){.struct_size = sizeof last_info};
    return met__recorder_add(recorder, &event, test->flags, &last_info);
}

static inline void must_add(met_recorder *recorder, const char *type,
                            const char *subject, const char *a)
{
    test_event event = {.type = type, .subject = subject, .a = a};
    met_error error = add_event(recorder, &event);

    if (error != MET_OK) {
        fail_msg("%s \"%s\" \"%s\"", met_error_name(error), last_info.field,
                 last_info.reason);
    }
}

static inline met_recorder *must_recorder(met_store *store, uint32_t shapes)
{
    met_recorder *recorder = NULL;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met_error error = met__recorder_open(store, shapes, &recorder, &last_info);
    if (error != MET_OK) {
        fail_msg("%s \"%s\" \"%s\"", met_error_name(error), last_info.field,
                 last_info.reason);
    }
    return recorder;
}

static inline met__settle_report must_settle(met_store *store)
{
    met__settle_report report = {0};

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met_error error = met__settle(store, NULL, 0, 0, &report, &last_info);
    if (error != MET_OK) {
        fail_msg("%s \"%s\" \"%s\"", met_error_name(error), last_info.field,
                 last_info.reason);
    }
    return report;
}

/* Calls visit for every settled part, folded or not, with its shape; words have
 * count and quantities at a part's places. */
static inline void each_part(met_store *store, void *context,
                             void (*visit)(void *context, uint32_t minute,
                                           const met__usage_shape *shape,
                                           const uint64_t *words))
{
    static met__usage_shape shape;
    static met__usage_scan scan;
    const met__usage_item *item;
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__usage_scan_begin(txn, 0, UINT32_MAX, NULL,
                                           &scan), MET_OK);
    met_error error;
    while ((error = met__usage_scan_next(&scan, &item)) == MET_OK) {
        assert_int_equal(met__usage_shape_get(txn, item->words[MET__PART_SHAPE],
                                              &shape),
                         MET_OK);
        visit(context, item->key.minute, &shape, item->words);
    }
    assert_int_equal(error, MET_E_NOT_FOUND);
    met__usage_scan_end(&scan);
    met__txn_abort(txn);
}

static inline void add_count(void *context, uint32_t minute,
                             const met__usage_shape *shape,
                             const uint64_t *words)
{
    *(uint64_t *)context += words[MET__PART_COUNT];
}

/* Events of all parts. */
static inline uint64_t settled_events(met_store *store)
{
    uint64_t count = 0;

    each_part(store, &count, add_count);
    return count;
}

#endif

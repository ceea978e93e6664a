/* Usage queries through the public calls: zones, conditions, customers, and
 * rows one by one. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include "metering/event.h"

static met_recorder *recorder;

static void add(const char *subject, const char *model, const char *tokens,
                const char *time)
{
    met_pair model_pair = {"model", 5, model, model ? strlen(model) : 0};
    met_quantity quantity = {"tokens", 6, {{0, 0}}};
    met_event event = {.struct_size = sizeof event,
                       .type = "prompt",
                       .type_size = 6,
                       .subject = subject,
                       .subject_size = strlen(subject),
                       .attributes = &model_pair,
                       .attribute_count = model != NULL,
                       .quantities = &quantity,
                       .quantity_count = tokens != NULL,
                       .utc_ns = time_of(time)};

    fresh();
    if (tokens != NULL) {
        assert_int_equal(met_decimal_parse(tokens, strlen(tokens),
                                           &quantity.value),
                         MET_OK);
    }
    assert_ok(met_recorder_add(recorder, &event, &told));
}

static int setup(void **state)
{
    documents_setup(state);
    assert_ok(meter_put("{\"key\":\"tokens\",\"name\":\"n\",\"event_type\":"
                        "\"prompt\",\"aggregation\":\"sum\","
                        "\"value_property\":\"$.tokens\",\"dimensions\":"
                        "{\"model\":\"$.model\"}}"));
    assert_ok(meter_put("{\"key\":\"models\",\"name\":\"n\",\"event_type\":"
                        "\"prompt\",\"aggregation\":\"unique_count\","
                        "\"value_property\":\"$.model\"}"));
    assert_ok(customer_put("{\"key\":\"acme\",\"name\":\"A\","
                      "\"usage_attribution\":{\"subject_keys\":[\"a\"]}}"));
    assert_ok(customer_put("{\"key\":\"b\",\"name\":\"B\"}"));
    fresh();
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    add("a", "gpt-4", "10", "2025-03-29T22:30:00Z");
    add("a", "gpt-4", "20", "2025-03-29T23:30:00Z");
    add("b", "GPT-4o", "5.5", "2025-03-30T00:30:00Z");
    add("b", NULL, "100", "2025-03-30T01:30:00Z");
    add("c", "null", NULL, "2025-03-30T22:00:00Z");
    assert_ok(settle());
    return 0;
}

static int teardown(void **state)
{
    met_recorder_close(recorder);
    return documents_teardown(state);
}

static void test_api_usage__zone(void **state)
{
    assert_ok(usage_query("{\"meter\":\"tokens\",\"window\":\"day\","
                          "\"time_zone\":\"Europe/Budapest\"}"));
    assert_shown("data.0.from", "2025-03-28T23:00:00Z");
    assert_shown("data.0.to", "2025-03-29T23:00:00Z");
    assert_shown("data.0.value", "10");
    assert_shown("data.1.to", "2025-03-30T22:00:00Z");
    assert_shown("data.1.value", "125.5");
    assert_shown("data.2", "");
    assert_told(usage_query("{\"meter\":\"tokens\",\"time_zone\":"
                            "\"Europe/Atlantis\"}"),
                MET_E_INVALID, "query.time_zone", "no time zone");
    assert_told(usage_query("{\"meter\":\"tokens\",\"time_zone\":\"../x\"}"),
                MET_E_INVALID, "query.time_zone", "no time zone");
}

static void test_api_usage__conditions(void **state)
{
    assert_ok(usage_query("{\"meter\":\"tokens\",\"filters\":{\"model\":"
                          "{\"contains\":\"PT-4\"}},\"group_by\":"
                          "[\"model\"]}"));
    assert_shown("data.0.dimensions.model", "GPT-4o");
    assert_shown("data.1.value", "30");
    assert_shown("data.2", "");
    assert_ok(usage_query("{\"meter\":\"tokens\",\"filters\":{\"model\":"
                          "{\"or\":[{\"exists\":false},{\"eq\":\"GPT-4o\"}"
                          "]}}}"));
    assert_shown("data.0.value", "105.5");
    assert_ok(usage_query("{\"meter\":\"models\"}"));
    assert_shown("data.0.value", "3");
    assert_told(usage_query("{\"meter\":\"tokens\",\"filters\":{\"color\":"
                            "{\"ne\":\"x\"}}}"),
                MET_E_INVALID, "filters", "color is no dimension");
}

static void test_api_usage__customers(void **state)
{
    assert_ok(usage_query("{\"meter\":\"tokens\",\"customers\":[\"acme\","
                          "\"b\"]}"));
    assert_shown("data.0.customer", "acme");
    assert_shown("data.0.value", "30");
    assert_int_equal(strlen(shown("data.0.customer_id")), 26);
    assert_shown("data.1.customer", "b");
    assert_shown("data.1.value", "105.5");
    assert_shown("data.2", "");
    assert_ok(usage_query("{\"meter\":\"tokens\",\"customer\":\"acme\"}"));
    assert_shown("data.0.value", "30");
    assert_shown("data.0.customer", "");
    assert_ok(usage_query("{\"meter\":\"tokens\",\"customer\":\"acme\","
                          "\"group_by\":[\"customer_id\"]}"));
    assert_shown("data.0.customer", "acme");
    /* Both must hold. */
    assert_ok(usage_query("{\"meter\":\"tokens\",\"customers\":{\"eq\":"
                          "\"acme\"},\"subjects\":[\"b\",\"c\"]}"));
    assert_shown("data", "[]");
    assert_told(usage_query("{\"meter\":\"tokens\",\"customers\":[\"b\","
                            "\"x\"]}"),
                MET_E_NOT_FOUND, "query.customers[1]", "no customer x");
    assert_told(usage_query("{\"meter\":\"tokens\",\"group_by\":"
                            "[\"customer_id\"]}"),
                MET_E_INVALID, "group_by", "needs customers");
}

/* --- Rows ----------------------------------------------------------------- */
static void test_api_usage__rows(void **state)
{
    static const char query[] = "{\"meter\":\"tokens\",\"window\":\"hour\","
                                "\"group_by\":[\"subject\",\"model\"]}";
    met_usage_cursor *cursor = NULL;
    char rows[4096] = "[";
    const char *row = NULL;
    size_t size = 0;

    fresh();
    assert_ok(met_usage_query_open(store, query, strlen(query), &cursor,
                                   &told));
    /* What comes in later is not seen. */
    add("z", "m", "1", "2025-03-29T22:30:00Z");
    assert_ok(settle());
    fresh();
    while (met_usage_query_next(cursor, &row, &size, &told) == MET_OK) {
        assert_int_equal(strlen(row), size);
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%s%s",
                 rows[1] ? "," : "", row);
    }
    strcat(rows, "]");
    assert_int_equal(told.code, MET_E_NOT_FOUND);
    fresh();
    assert_told(met_usage_query_next(cursor, &row, &size, &told),
                MET_E_NOT_FOUND, "", "");
    met_usage_query_close(cursor);
    assert_ok(usage_query("{\"meter\":\"tokens\",\"window\":\"hour\","
                          "\"group_by\":[\"subject\",\"model\"],\"subjects\":"
                          "[\"a\",\"b\",\"c\"]}"));
    assert_shown("data", rows);
    assert_shown("data.3.value", "100");
    assert_shown("data.4", "");
}

/* In the last minute that there is, also where it is the next year already. */
static void test_api_usage__end_of_time(void **state)
{
    static const char late[] =
        "{\"id\":\"z\",\"meter\":\"tokens\",\"subject\":\"z\",\"time\":"
        "\"2200-12-31T23:59:59Z\",\"value\":\"7\",\"reason\":\"r\","
        "\"actor\":\"a\"}";

    fresh();
    clock_now_ns = time_of("2200-12-31T12:00:00Z");
    assert_ok(met_usage_adjust(store, late, strlen(late), NULL, &told));
    assert_ok(usage_query("{\"meter\":\"tokens\",\"subjects\":[\"z\"]}"));
    assert_shown("data.0.from", "2200-12-31T23:59:00Z");
    assert_shown("data.0.to", "2200-12-31T23:59:59.999999999Z");
    assert_ok(usage_query("{\"meter\":\"tokens\",\"subjects\":[\"z\"],"
                          "\"window\":\"month\","
                          "\"time_zone\":\"Pacific/Apia\"}"));
    assert_shown("data.0.from", "2200-11-30T11:00:00Z");
    assert_shown("data.0.to", "2200-12-31T23:59:59.999999999Z");
    assert_shown("data.0.value", "7");
}

static void test_api_usage__arguments(void **state)
{
    static const char query[] = "{\"meter\":\"tokens\"}";
    met_usage_cursor *cursor = NULL;
    const char *row = NULL;
    size_t size = 0;

    fresh();
    assert_told(met_usage_query_open(NULL, query, strlen(query), &cursor,
                                     &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_usage_query_open(store, query, strlen(query), NULL,
                                     (fresh(), &told)),
                MET_E_INVALID, "cursor_out", "is NULL");
    assert_told(met_usage_query_open(store, NULL, 0, &cursor,
                                     (fresh(), &told)),
                MET_E_INVALID, "json", "is NULL");
    assert_told(met_usage_query_open(store, "{\"meter\":\"x\"}", 13, &cursor,
                                     (fresh(), &told)),
                MET_E_NOT_FOUND, "query.meter", "no meter x");
    assert_null(cursor);
    assert_told(met_usage_query_next(NULL, &row, &size, (fresh(), &told)),
                MET_E_INVALID, "cursor", "is NULL");
    fresh();
    assert_ok(met_usage_query_open(store, query, strlen(query), &cursor,
                                   &told));
    assert_told(met_usage_query_next(cursor, NULL, &size, &told),
                MET_E_INVALID, "json_out", "is NULL");
    assert_told(met_usage_query_next(cursor, &row, NULL, (fresh(), &told)),
                MET_E_INVALID, "json_size_out", "is NULL");
    assert_null(row);
    fresh();
    assert_ok(met_usage_query_next(cursor, &row, &size, &told));
    met_usage_query_close(cursor);
    met_usage_query_close(NULL);
}

static void test_api_usage__no_memory(void **state)
{
    static const char query[] = "{\"meter\":\"models\",\"customers\":[\"acme\","
                                "\"b\"],\"window\":\"day\",\"time_zone\":"
                                "\"Asia/Tokyo\"}";
    int rows = 0;

    for (long k = 1; rows == 0; k++) {
        met_usage_cursor *cursor = NULL;
        const char *row = NULL;
        size_t size = 0;
        long live = memory.live;
        memory.calls = 0;
        memory.fail_at = k;
        met_error error = met_usage_query_open(store, query, strlen(query),
                                               &cursor, NULL);
        while (error == MET_OK) {
            error = met_usage_query_next(cursor, &row, &size, NULL);
            rows += error == MET_OK;
        }
        met_usage_query_close(cursor);
        assert_int_equal(memory.live, live);
        if (error != MET_E_NOT_FOUND) {
            assert_int_equal(error, MET_E_NO_MEMORY);
            rows = 0;
        }
        memory.fail_at = 0;
    }
    assert_int_equal(rows, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_api_usage__zone),      TEST(test_api_usage__conditions),
        TEST(test_api_usage__customers), TEST(test_api_usage__rows),
        TEST(test_api_usage__arguments), TEST(test_api_usage__no_memory),
        TEST(test_api_usage__end_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

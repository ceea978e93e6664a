/* Usage queries: rows, and the rules for what is empty, open or refused. */
#include "usage_ask.h"

static void test_query__rows(void **state)
{
    met__text by_subject[] = {MET__TEXT("subject")};
    met__text by_y_subject[] = {MET__TEXT("y"), MET__TEXT("subject")};
    met__filter is_x1[] = {{MET__TEXT("x"), MET__TEXT("1")}};
    met__filter is_none[] = {{MET__TEXT("x"), MET__TEXT("")}};
    met__text only_b[] = {MET__TEXT("b")};
    met__usage_query query = all();

    add("a", "1", "p", "2.5", 0, 0);
    add("a", "1", "q", "0.000000001", 61 * 60, 1);
    add("b", NULL, "p", NULL, 61 * 60, 0);
    add("b", "1", "p", "-2", 1440 * 60, 0);
    must_settle(store);

    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-02T00:01:00Z\",\"value\":\"4\","
                        "\"dimensions\":{}}]");
    query.group_count = 1;
    query.groups = by_subject;
    query.window = MET__WINDOW_HOUR;
    query.to_ns = START_NS + 1440 * MET__MINUTE_NS;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"1\","
                        "\"subject\":\"a\",\"dimensions\":{}},"
                        "{\"from\":\"2026-03-01T01:00:00Z\","
                        "\"to\":\"2026-03-01T02:00:00Z\",\"value\":\"1\","
                        "\"subject\":\"a\",\"dimensions\":{}},"
                        "{\"from\":\"2026-03-01T01:00:00Z\","
                        "\"to\":\"2026-03-01T02:00:00Z\",\"value\":\"1\","
                        "\"subject\":\"b\",\"dimensions\":{}}]");
    query = all();
    query.filter_count = 1;
    query.filters = is_x1;
    query.window = MET__WINDOW_MONTH;
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-04-01T00:00:00Z\","
                        "\"value\":\"0.500000001\",\"dimensions\":{}}]");
    query.way = MET__USAGE_ADMITTED;
    query.window = MET__WINDOW_DAY;
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-02T00:00:00Z\","
                        "\"value\":\"0.000000001\",\"dimensions\":{}}]");
    query = all();
    query.filter_count = 1;
    query.filters = is_none;
    query.group_count = 2;
    query.groups = by_y_subject;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T01:01:00Z\","
                        "\"to\":\"2026-03-01T01:02:00Z\",\"value\":\"1\","
                        "\"subject\":\"b\",\"dimensions\":{\"y\":\"p\"}}]");
    /* An event without the quantity is nothing to a sum. */
    query = all();
    query.subject_count = 1;
    query.subjects = only_b;
    query.to_ns = START_NS + 1440 * MET__MINUTE_NS;
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer, "[]");
}

static void test_query__nothing(void **state)
{
    met__text by_subject[] = {MET__TEXT("subject")};
    met__usage_query query = all();

    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer, "[]");
    query.from_ns = START_NS;
    query.to_ns = START_NS + MET__HOUR_NS;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"0\","
                        "\"dimensions\":{}}]");
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer, "[]");
    query.window = MET__WINDOW_HOUR;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer, "[]");
    query.window = MET__WINDOW_NONE;
    query.group_count = 1;
    query.groups = by_subject;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer, "[]");
}

static void assert_refused(met__usage_query query, met_error code,
                           const char *field, const char *reason)
{
    assert_int_equal(ask("c", query), code);
    assert_string_equal(last_info.field, field);
    if (strstr(last_info.reason, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", last_info.reason, reason);
    }
}

static void test_query__refused(void **state)
{
    met__text by_z[] = {MET__TEXT("z")};
    met__filter is_z[] = {{MET__TEXT("z"), MET__TEXT("1")}};
    met__usage_query query = all();

    query.from_ns = START_NS + 1;
    assert_refused(query, MET_E_INVALID, "from", "whole minute");
    query.from_ns = -MET__MINUTE_NS;
    assert_refused(query, MET_E_INVALID, "from", "1970");
    query = all();
    query.to_ns = START_NS + 59 * MET__SECOND_NS;
    assert_refused(query, MET_E_INVALID, "to", "whole minute");
    query.to_ns = START_NS;
    query.from_ns = START_NS;
    assert_refused(query, MET_E_INVALID, "to", "cannot be equal");
    query.from_ns = START_NS + MET__MINUTE_NS;
    assert_refused(query, MET_E_INVALID, "to", "must be before");
    query = all();
    query.group_count = 1;
    query.groups = by_z;
    assert_refused(query, MET_E_INVALID, "group_by", "z is neither");
    query = all();
    query.filter_count = 1;
    query.filters = is_z;
    assert_refused(query, MET_E_INVALID, "filters", "z is no dimension");
}

static void test_query__events_from(void **state)
{
    met__usage_query query = {.from_ns = START_NS,
                              .to_ns = START_NS + MET__HOUR_NS};

    must_meter(store, "{\"key\":\"late\",\"name\":\"n\",\"event_type\":\"u\","
                      "\"aggregation\":\"count\","
                      "\"events_from\":\"2026-03-01T00:10:00Z\"}");
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    for (int i = 0; i < 20; i++) {
        test_event event = {"u", "s", NULL, NULL, NULL,
                            START_NS + i * MET__MINUTE_NS, 0};
        assert_int_equal(add_event(recorder, &event), MET_OK);
    }
    must_settle(store);
    assert_int_equal(ask("late", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:10:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"10\","
                        "\"dimensions\":{}}]");
    query.to_ns = START_NS + 5 * MET__MINUTE_NS;
    assert_int_equal(ask("late", query), MET_OK);
    assert_non_null(strstr(answer, "\"value\":\"0\""));
}

static void test_query__total(void **state)
{
    met__arena arena;
    met__txn *txn = NULL;
    met__meter *meter = NULL;
    met_decimal value;
    met__usage_query query = all();

    add("a", "1", NULL, "999999999999999.999999999", 0, 0);
    add("a", "1", NULL, "0.000000001", 5, 0);
    must_settle(store);
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__meter_get(txn, MET__TEXT("s"), &arena, &meter),
                     MET_OK);
    query.meter = meter;
    assert_int_equal(met__usage_total(txn, &query, &value, NULL),
                     MET_OK);
    assert_int_equal(met__decimal_compare(
                         value, met__decimal_from_i64(1000000000000000)),
                     0);
    query.to_ns = START_NS - MET__DAY_NS;
    assert_int_equal(met__usage_total(txn, &query, &value, NULL),
                     MET_OK);
    assert_true(met__decimal_is_zero(value));
    met__txn_abort(txn);
    met__arena_release(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_query__rows),        TEST(test_query__nothing),
        TEST(test_query__refused),     TEST(test_query__events_from),
        TEST(test_query__total),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

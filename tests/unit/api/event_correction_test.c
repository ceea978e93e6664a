/* Retained events: lists, what became of one, taking one back; and adjustments
 * of usage. */
#include "support/catalog_calls.h"
#include "support/event_calls.h"

#include "metering/entitlement.h"

#define WHY "\"reason\":\"r\",\"actor\":\"a\""

static void put_meter(const char *key, const char *aggregation,
                      const char *rest)
{
    char json[512];

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"n\",\"event_type\":\"t\","
             "\"aggregation\":\"%s\",\"dimensions\":{\"d\":\"$.d\"}%s}",
             key, aggregation, rest);
    must_put_meter(json);
}

static int setup(void **state)
{
    documents_setup(state);
    put_meter("calls", "count", "");
    put_meter("total", "sum", ",\"value_property\":\"$.v\"");
    put_meter("mean", "avg", ",\"value_property\":\"$.v\"");
    must_open_ingest();
    assert_ok(event_settings_put("{\"retain\":\"P10D\"}"));
    assert_shown("retain", "P10D");
    return 0;
}

static int teardown(void **state)
{
    close_ingest();
    return documents_teardown(state);
}

static void must_accept(const char *id, const char *time, const char *data)
{
    assert_ok(ingest_json(event_json(id, "t", time, data)));
    assert_same(shown("verdicts.0"), "accepted");
}

static met_error list(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_event_list(store, json, strlen(json), out, &told), out);
}

static met_error explain(const char *id)
{
    met_buffer *out = fresh();
    return keep(met_event_explain(store, "s", 1, id, strlen(id), out, &told),
                out);
}

static met_error retract(const char *id)
{
    char json[256];
    met_buffer *out = fresh();

    snprintf(json, sizeof json, "{\"source\":\"s\",\"id\":\"%s\"," WHY "}",
             id);
    return keep(met_event_retract(store, json, strlen(json), out, &told),
                out);
}

static met_error adjust(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_usage_adjust(store, json, strlen(json), out, &told), out);
}

static met_error adjustments(void)
{
    met_buffer *out = fresh();
    return keep(met_usage_adjustment_list(store, out, &told), out);
}

/* --- Lists ---------------------------------------------------------------- */
static void test_correction__list(void **state)
{
    char id[16];
    char time[32];
    char request[256];
    char cursor[64] = "";
    int seen = 0;

    for (int i = 0; i < 25; i++) { /* not in the order of their times */
        snprintf(id, sizeof id, "%d", i * 7 % 25);
        snprintf(time, sizeof time, "2026-03-15T10:%02d:00Z", i * 7 % 25);
        must_accept(id, time, "{\"v\":1}");
    }
    do {
        snprintf(request, sizeof request,
                 cursor[0] ? "{\"limit\":4,\"cursor\":\"%s\"}"
                           : "{\"limit\":4}",
                 cursor);
        assert_ok(list(request));
        for (int i = 0; i < 4; i++) {
            snprintf(request, sizeof request, "items.%d.event.id", i);
            if (shown(request)[0] == '\0') {
                break;
            }
            snprintf(id, sizeof id, "%d", seen++);
            assert_shown(request, id);
        }
        snprintf(cursor, sizeof cursor, "%s", shown("cursor"));
    } while (cursor[0] != '\0');
    assert_int_equal(seen, 25);
    assert_ok(list("{\"from\":\"2026-03-15T10:03:00Z\","
                   "\"to\":\"2026-03-15T10:05:00Z\"}"));
    assert_shown("items.0.event.id", "3");
    assert_shown("items.1.event.id", "4");
    assert_shown("items.2", "");
    assert_shown("items.0.ingested_at", "2026-03-15T10:30:00Z");
    assert_shown("items.0.event.data.v", "1");
    assert_ok(list("{\"subject\":\"nobody\"}"));
    assert_shown("items", "[]");
    assert_ok(list("{\"subject\":\"u\",\"type\":\"t\",\"limit\":1}"));
    assert_shown("items.0.event.id", "0");
    assert_ok(list("{\"type\":\"other\"}"));
    assert_shown("items", "[]");
    assert_told(list("{\"limit\":0}"), MET_E_INVALID, "list.limit", "");
    assert_told(list("{\"limit\":1001}"), MET_E_INVALID, "list.limit", "");
    assert_told(list("{\"cursor\":\"x\"}"), MET_E_INVALID, "list.cursor", "");
    assert_told(list("{\"cursor\":\"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\""
                     "}"),
                MET_E_INVALID, "list.cursor", "");
    assert_told(list("{\"order\":\"desc\"}"), MET_E_INVALID, "list.order", "");
}

static void test_correction__structs_are_retained(void **state)
{
    met_pair pairs[] = {{"d", 1, "\"x\"", 3}};
    met_quantity quantities[] = {{"v", 1, {{0, 0}}}};
    met_ingest_event event = {
        .id = "1", .id_size = 1, .source = "s", .source_size = 1,
        .type = "t", .type_size = 1, .subject = "u", .subject_size = 1,
        .attributes = pairs, .attribute_count = 1,
        .quantities = quantities, .quantity_count = 1};

    assert_int_equal(met_decimal_parse("2.5", 3, &quantities[0].value),
                     MET_OK);
    fresh();
    assert_ok(met_event_ingest(ingest, &event, 1, NULL, NULL, &told));
    assert_ok(list("{}"));
    assert_shown("items.0.event",
                 "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                 "\"type\":\"t\",\"subject\":\"u\",\"time\":"
                 "\"2026-03-15T10:30:00Z\",\"data\":{\"d\":\"\\\"x\\\"\","
                 "\"v\":\"2.5\"}}");
}

/* What no meter asks for may be anything: the log stays readable. */
static void test_correction__odd_structs_are_retained(void **state)
{
    met_pair pairs[] = {{"d", 1, "A", 1},      {"d", 1, "B", 1},
                        {"z", 1, "\xff", 1},   {"\xff", 1, "x", 1},
                        {"n", 1, "a\0b", 3},   {NULL, 1, "x", 1},
                        {"y", 1, NULL, 1},     {"v", 1, "C", 1}};
    met_quantity quantities[] = {{"v", 1, {{0, 0}}},
                                 {"v", 1, {{0, 0}}},
                                 {"w", 1, {{UINT64_MAX, UINT64_MAX}}},
                                 {NULL, 1, {{0, 0}}}};
    met_ingest_event event = {
        .id = "1", .id_size = 1, .source = "s", .source_size = 1,
        .type = "t", .type_size = 1, .subject = "u", .subject_size = 1,
        .attributes = pairs, .attribute_count = 8,
        .quantities = quantities, .quantity_count = 4};

    assert_int_equal(met_decimal_parse("2.5", 3, &quantities[0].value),
                     MET_OK);
    fresh();
    assert_ok(met_event_ingest(ingest, &event, 1, NULL, NULL, &told));
    assert_ok(list("{}"));
    assert_shown("items.0.event.data", "{\"d\":\"A\",\"v\":\"2.5\"}");
    assert_ok(retract("1"));
}

/* Ten days of events; only accepted ones. */
static void test_correction__retention(void **state)
{
    int64_t start = clock_now_ns;
    char id[16];
    char time[MET_TIME_TEXT_SIZE];

    for (int day = 0; day < 30; day++) {
        clock_now_ns = start + day * MET__DAY_NS;
        assert_int_equal(met_time_format(clock_now_ns, time), MET_OK);
        snprintf(id, sizeof id, "%d", day);
        must_accept(id, time, "{\"v\":1}");
        assert_ok(ingest_json(event_json(id, "t", time, NULL)));
        assert_ok(ingest_json(event_json("x", "no meter", time, NULL)));
    }
    assert_ok(list("{}"));
    assert_shown("items.0.event.id", "19");
    assert_shown("items.10.event.id", "29");
    assert_shown("items.11", "");
    /* Late, and too old to be kept; but counted. */
    must_accept("old", "2026-03-20T00:00:00Z", "{\"v\":1}");
    assert_ok(list("{}"));
    assert_shown("items.0.event.id", "19");
    assert_ok(event_settings_put("{}"));
    assert_shown("retain", "");
    must_accept("new", time, "{\"v\":1}");
    assert_ok(list("{}"));
    assert_shown("items.11", "");
    assert_same(usage_of("calls"), "32");
}

/* --- Explaining ----------------------------------------------------------- */
static void test_correction__explain(void **state)
{
    put_meter("since", "count", ",\"events_from\":\"2026-03-15T10:20:00Z\"");
    must_accept("1", "2026-03-15T10:00:30Z", "{\"d\":\"x\",\"v\":2.5}");
    must_accept("2", NOON, "{\"v\":\"none\"}");
    assert_ok(explain("1"));
    assert_shown("status", "accepted");
    assert_shown("batch", "1");
    assert_shown("logged.event.id", "1");
    assert_shown("counted_by",
                 "[{\"meter\":\"calls\",\"minute\":\"" NOON "\",\"value\":"
                 "\"1\",\"dimensions\":{\"d\":\"x\"}},{\"meter\":\"mean\","
                 "\"minute\":\"" NOON "\",\"value\":\"2.5\",\"dimensions\":"
                 "{\"d\":\"x\"}},{\"meter\":\"total\",\"minute\":\"" NOON "\","
                 "\"value\":\"2.5\",\"dimensions\":{\"d\":\"x\"}}]");
    assert_shown("not_counted_by",
                 "[{\"meter\":\"since\",\"reason\":\"the event is before it "
                 "counts\"}]");
    assert_ok(explain("2"));
    assert_shown("counted_by.0.meter", "calls");
    assert_shown("counted_by.1", "");
    assert_shown("not_counted_by.0.reason", "the event has no value for it");
    assert_ok(explain("3"));
    assert_shown("status", "unknown");
    assert_ok(adjust("{\"id\":\"c\",\"meter\":\"calls\",\"subject\":\"u\","
                     "\"time\":\"2026-03-15T10:00:59Z\",\"value\":\"-1\"," WHY
                     "}"));
    assert_ok(explain("1"));
    assert_shown("adjustments.0.id", "c");
    assert_ok(event_settings_put("{}"));
    must_accept("4", NOON, "{\"v\":1}");
    assert_ok(explain("4"));
    assert_shown("status", "accepted");
    assert_shown("logged", "");
    assert_true(strstr(shown("reason"), "not retained") != NULL);
}

/* --- Taking back ---------------------------------------------------------- */
static void test_correction__retract(void **state)
{
    must_accept("1", NOON, "{\"d\":\"x\",\"v\":2.5}");
    must_accept("2", NOON, "{\"d\":\"x\",\"v\":\"0.000000001\"}");
    must_accept("3", NOON, "{\"d\":\"x\"}");
    assert_ok(retract("1"));
    assert_shown("retracted.reason", "r");
    assert_shown("retracted.actor", "a");
    assert_shown("retracted.at", "2026-03-15T10:30:00Z");
    assert_same(usage_of("calls"), "2");
    assert_same(usage_of("total"), "0.000000001");
    assert_same(usage_of("mean"), "0.000000001");
    uint64_t before = stored_digest();
    assert_ok(retract("1")); /* once more changes nothing */
    assert_true(stored_digest() == before);
    assert_ok(ingest_json(event_json("1", "t", NOON, "{\"v\":9}")));
    assert_shown("verdicts.0", "duplicate");
    assert_ok(explain("1"));
    assert_shown("status", "retracted");
    assert_shown("counted_by", "[]");
    assert_shown("not_counted_by.0.reason", "the event was retracted");
    assert_ok(retract("3"));
    assert_ok(retract("2"));
    assert_same(usage_of("calls"), "0");
    assert_same(usage_of("total"), "0");
    assert_same(usage_of("mean"), "0");
    before = stored_digest();
    assert_told(retract("4"), MET_E_NOT_FOUND, "retraction.id", "no event");
    fresh();
    assert_told(met_event_retract(store, "{\"source\":\"s\",\"id\":\"1\"}", 23,
                                  NULL, &told),
                MET_E_INVALID, "retraction.reason", "");
    assert_true(stored_digest() == before);
    /* Batches after a retraction are as any others. */
    must_accept("5", NOON, "{\"v\":1}");
    assert_ok(ingest_json(event_json("5", "t", NOON, "{\"v\":1}")));
    assert_shown("verdicts.0", "duplicate");
    assert_same(usage_of("calls"), "1");
}

/* Meters whose outcome cannot be subtracted from: as if the event had never
 * come. */
static void put_outcomes(void)
{
    put_meter("most", "max", ",\"value_property\":\"$.w\"");
    put_meter("least", "min", ",\"value_property\":\"$.w\"");
    put_meter("last", "latest", ",\"value_property\":\"$.w\"");
    put_meter("kinds", "unique_count", ",\"value_property\":\"$.k\"");
    clock_now_ns += MET__MINUTE_NS * 2; /* they count from here on */
}

#define LATER "2026-03-15T10:32:01Z"

static void test_correction__retract_an_outcome(void **state)
{
    put_outcomes();
    assert_ok(ingest_json("["
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
        "\"subject\":\"u\",\"time\":\"" LATER "\",\"data\":{\"v\":1,"
        "\"w\":5,\"k\":\"a\"}},"
        "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"s\",\"type\":\"t\","
        "\"subject\":\"u\",\"time\":\"" LATER "\",\"data\":{\"v\":2,"
        "\"w\":9,\"k\":\"a\"}},"
        "{\"specversion\":\"1.0\",\"id\":\"3\",\"source\":\"s\",\"type\":\"t\","
        "\"subject\":\"u\",\"time\":\"2026-03-15T10:32:00Z\",\"data\":{"
        "\"v\":4,\"w\":-3,\"k\":\"a\"}},"
        "{\"specversion\":\"1.0\",\"id\":\"4\",\"source\":\"s\",\"type\":\"t\","
        "\"subject\":\"u\",\"time\":\"" LATER "\",\"data\":{\"v\":8,"
        "\"k\":\"b\"}}]"));
    must_accept("5", LATER, "{\"v\":16,\"w\":1,\"k\":\"a\"}");
    assert_same(usage_of("last"), "1"); /* of one instant the later one */
    assert_same(usage_of("most"), "9");
    assert_same(usage_of("least"), "-3");
    assert_same(usage_of("kinds"), "2");
    assert_ok(retract("5"));
    assert_same(usage_of("last"), "9");
    assert_ok(retract("4")); /* nothing else has "b" */
    assert_same(usage_of("kinds"), "1");
    assert_same(usage_of("most"), "9");
    assert_ok(retract("2"));
    assert_shown("retracted.reason", "r");
    assert_same(usage_of("last"), "5");
    assert_same(usage_of("most"), "5");
    assert_same(usage_of("calls"), "2");
    assert_same(usage_of("total"), "5");
    uint64_t before = stored_digest();
    assert_ok(retract("2")); /* once more changes nothing */
    assert_true(stored_digest() == before);
    assert_ok(explain("2"));
    assert_shown("status", "retracted");
    assert_shown("counted_by", "[]");
    assert_ok(retract("3"));
    assert_same(usage_of("least"), "5");
    assert_same(usage_of("mean"), "1");
    must_accept("6", LATER, "{\"v\":1,\"w\":6,\"k\":\"a\"}");
    assert_same(usage_of("last"), "6"); /* also after a recount */
    assert_ok(retract("6"));
    assert_same(usage_of("last"), "5");
    assert_ok(retract("1"));
    assert_same(usage_of("calls"), ""); /* there is no usage at all */
    assert_same(usage_of("kinds"), "");
    assert_same(usage_of("last"), "");
}

static void test_correction__retract_what_cannot_be(void **state)
{
    met_compact_config config = {.struct_size = sizeof config};
    const char *keep = "{\"keep_minutes\":\"PT1M\"}";

    must_accept("0", NOON, "{\"v\":1}");
    put_outcomes();
    clock_now_ns += MET__HOUR_NS; /* the hour in which a meter begins stays */
    must_accept("1", "2026-03-15T11:32:01Z", "{\"v\":1}");
    must_accept("2", "2026-03-15T11:32:01Z", "{\"v\":1,\"w\":5}");
    clock_now_ns += 2 * MET__HOUR_NS;
    assert_ok(met_usage_settings_put(store, keep, strlen(keep), NULL, &told));
    assert_ok(met_store_compact(store, &config, NULL, &told));
    uint64_t before = stored_digest();
    assert_told(retract("2"), MET_E_UNSUPPORTED, "retraction.id",
                "is folded into an hour");
    assert_true(stored_digest() == before);
    assert_same(usage_of("most"), "5");
    assert_told(retract("1"), MET_E_UNSUPPORTED, "retraction.id",
                "\"kinds\""); /* its value is "" */
    assert_ok(retract("0")); /* from before they count */
    assert_same(usage_of("calls"), "2");
    /* Of two events of a minute one is too old to be retained. */
    assert_ok(event_settings_put("{\"retain\":\"PT2H\"}"));
    clock_now_ns += 2 * MET__HOUR_NS;
    clock_now_ns += 30 * MET__SECOND_NS;
    assert_ok(ingest_json("["
        "{\"specversion\":\"1.0\",\"id\":\"10\",\"source\":\"s\","
        "\"type\":\"t\",\"subject\":\"u\",\"time\":\"2026-03-15T13:32:50Z\","
        "\"data\":{\"w\":5}},"
        "{\"specversion\":\"1.0\",\"id\":\"11\",\"source\":\"s\","
        "\"type\":\"t\",\"subject\":\"u\",\"time\":\"2026-03-15T13:32:10Z\","
        "\"data\":{\"w\":7}}]"));
    assert_told(retract("11"), MET_E_NOT_FOUND, "retraction.id",
                "not retained");
    assert_told(retract("10"), MET_E_UNSUPPORTED, "retraction.id",
                "is not all retained");
    assert_same(usage_of("most"), "7");
    assert_ok(event_settings_put("{}"));
    must_accept("3", NOON, "{\"v\":1}");
    assert_told(retract("3"), MET_E_NOT_FOUND, "retraction.id",
                "not retained");
}

/* --- Adjustments ---------------------------------------------------------- */
static void test_correction__adjust(void **state)
{
    must_accept("1", NOON, "{\"d\":\"x\",\"v\":2.5}");
    assert_ok(adjust("{\"id\":\"a\",\"meter\":\"total\",\"subject\":\"u\","
                     "\"dimensions\":{\"d\":\"x\"},\"time\":\"" NOON "\","
                     "\"value\":\"-0.5\"," WHY "}"));
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_same(usage_of("total"), "2");
    assert_same(usage_of("mean"), "2.5"); /* one meter, no other */
    assert_same(usage_of("calls"), "1");
    assert_ok(adjust("{\"id\":\"b\",\"meter\":\"calls\",\"subject\":\"v\","
                     "\"time\":\"" NOON "\",\"value\":10," WHY "}"));
    assert_ok(adjust("{\"id\":\"c\",\"meter\":\"calls\",\"subject\":\"u\","
                     "\"time\":\"" NOON "\",\"value\":\"-3\"," WHY "}"));
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"subject\","
                          "\"d\"]}"));
    assert_shown("data.0.value", "-3");
    assert_shown("data.1.value", "1");
    assert_shown("data.2.value", "10");
    uint64_t before = stored_digest();
    assert_ok(adjust("{\"id\":\"c\",\"meter\":\"calls\",\"subject\":\"u\","
                     "\"time\":\"" NOON "\",\"value\":-3," WHY "}"));
    assert_true(stored_digest() == before);
    assert_told(adjust("{\"id\":\"c\",\"meter\":\"calls\",\"subject\":\"u\","
                       "\"time\":\"" NOON "\",\"value\":\"-4\"," WHY "}"),
                MET_E_CONFLICT, "adjustment.id", "value");
    assert_ok(adjustments());
    assert_shown("items.0.id", "a");
    assert_shown("items.2.value", "-3");
    assert_shown("items.3", "");
}

static void refused(const char *members, met_error expected,
                    const char *field, const char *reason)
{
    char json[512];

    snprintf(json, sizeof json, "{\"id\":\"r\",\"subject\":\"u\",%s," WHY "}",
             members);
    assert_told(adjust(json), expected, field, reason);
}

static void test_correction__adjust_what_cannot_be(void **state)
{
    uint64_t before = stored_digest();

#define AT "\"time\":\"" NOON "\","
    refused("\"meter\":\"calls\"," AT "\"value\":\"0\"", MET_E_INVALID,
            "adjustment.value", "0");
    refused("\"meter\":\"calls\"," AT "\"value\":\"1.5\"", MET_E_INVALID,
            "adjustment.value", "whole");
    refused("\"meter\":\"calls\"," AT "\"value\":\"1000000000000000\"",
            MET_E_INVALID, "adjustment.value", "15 digits");
    refused("\"meter\":\"total\"," AT "\"value\":\"0.0000000001\"",
            MET_E_INVALID, "adjustment.value", "9 behind");
    refused("\"meter\":\"mean\"," AT "\"value\":\"1\"", MET_E_UNSUPPORTED,
            "adjustment.meter", "count or sum");
    refused("\"meter\":\"other\"," AT "\"value\":\"1\"", MET_E_NOT_FOUND,
            "adjustment.meter", "other");
    refused("\"meter\":\"calls\",\"value\":\"1\"", MET_E_INVALID,
            "adjustment.time", "");
    refused("\"meter\":\"calls\"," AT "\"value\":\"1\",\"dimensions\":"
            "{\"e\":\"x\"}",
            MET_E_INVALID, "adjustment.dimensions", "no dimension");
    refused("\"meter\":\"calls\"," AT "\"value\":\"1\",\"dimensions\":"
            "{\"d\":7}",
            MET_E_INVALID, "adjustment.dimensions", "texts");
    refused("\"meter\":\"calls\",\"time\":\"2026-03-16T10:30:01Z\","
            "\"value\":\"1\"",
            MET_E_INVALID, "adjustment.time", "future_after");
    put_meter("since", "count", ",\"events_from\":\"2026-03-15T10:20:00Z\"");
    before = stored_digest();
    refused("\"meter\":\"since\"," AT "\"value\":\"1\"", MET_E_INVALID,
            "adjustment.time", "before");
    assert_told(adjust("{}"), MET_E_INVALID, "adjustment.id", "");
    assert_true(stored_digest() == before);
}

/* Balances follow both. */
static void test_correction__balances(void **state)
{
    static const char adjustment[] =
        "{\"id\":\"a\",\"meter\":\"api_requests\",\"subject\":\"u\","
        "\"dimensions\":{\"service_name\":\"example_service\"},\"time\":"
        "\"2026-03-15T10:30:00Z\",\"value\":\"40\"," WHY "}";

    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"k\",\"name\":\"A\","
                           "\"usage_attribution\":{\"subject_keys\":"
                           "[\"u\"]}}"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"k\"},\"plan\":{\"key\":"
                        "\"free\"}}",
                        0));
    for (int i = 0; i < 3; i++) {
        char id[2] = {(char)('1' + i), 0};
        assert_ok(ingest_json(event_json(id, "kong.api_request", NULL,
                                         "{\"service_name\":"
                                         "\"example_service\"}")));
    }
    assert_ok(retract("2"));
    assert_ok(adjust(adjustment));
    met_buffer *out = fresh();
    assert_ok(keep(met_entitlement_get(store, "k", 1, "example_service", 15, 0,
                                       out, &told),
                   out));
    assert_shown("usage", "42");
    assert_shown("balance", "958");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_correction__list),
        TEST(test_correction__structs_are_retained),
        TEST(test_correction__odd_structs_are_retained),
        TEST(test_correction__retention),
        TEST(test_correction__explain),
        TEST(test_correction__retract),
        TEST(test_correction__retract_an_outcome),
        TEST(test_correction__retract_what_cannot_be),
        TEST(test_correction__adjust),
        TEST(test_correction__adjust_what_cannot_be),
        TEST(test_correction__balances),
    };
    return cmocka_run_group_tests_name("event_correction", tests, NULL, NULL);
}

/* event.h: what the text of an event may be: JSON, the envelope's rules and
 * bounds, values of dimensions and meters. */
#include "support/event_calls.h"

static void test_api_event__not_json(void **state)
{
    uint64_t before = stored_digest();

    assert_told(ingest_json(""), MET_E_INVALID, "json", "empty");
    assert_told(ingest_json("  "), MET_E_INVALID, "json", "empty");
    assert_told(ingest_json("7"), MET_E_INVALID, "json", "neither");
    assert_told(ingest_json("[]"), MET_E_INVALID, "events", "none");
    assert_told(ingest_json("["), MET_E_INVALID, "json", "without an end");
    assert_told(ingest_json("[{}"), MET_E_INVALID, "json", "without an end");
    assert_told(ingest_json("[\"]"), MET_E_INVALID, "json", "without an end");
    assert_told(ingest_json("[\"\\"), MET_E_INVALID, "json",
                "without an end");
    assert_told(ingest_json("[1]2"), MET_E_INVALID, "json", "behind");
    fresh();
    assert_told(met_event_ingest_json(ingest, "{}", 2, 2, NULL, NULL, &told),
                MET_E_UNSUPPORTED, "flags", "");
    assert_true(stored_digest() == before);
    assert_same(verdict_on("{} {}"), "invalid");
    assert_same(verdict_on("[,]"), "invalid");
    assert_shown("events", "2");
}

static void must_be_invalid(const char *json, const char *field,
                            const char *reason)
{
    assert_ok(ingest_json(json));
    assert_shown("verdicts.0", "invalid");
    assert_shown("problems.0.field", field);
    if (strstr(shown("problems.0.reason"), reason) == NULL) {
        fail_msg("%s: \"%s\"", field, shown("problems.0.reason"));
    }
}

static void test_api_event__rules_of_the_envelope(void **state)
{
    must_be_invalid("{}", "specversion", "1.0");
    must_be_invalid("{\"specversion\":1.0}", "specversion", "1.0");
    must_be_invalid("{\"specversion\":\"0.3\"}", "specversion", "1.0");
#define EVENT(rest) "{\"specversion\":\"1.0\"," rest "}"
    must_be_invalid(EVENT("\"id\":null"), "id", "missing");
    must_be_invalid(EVENT("\"id\":\"\""), "id", "empty");
    must_be_invalid(EVENT("\"id\":7"), "id", "must be a text");
    must_be_invalid(EVENT("\"id\":\"1\""), "source", "missing");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\""), "type", "missing");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\",\"type\":\"t\""),
                    "subject", "missing");
    must_be_invalid(EVENT("\"id\":\"\\n\",\"source\":\"s\",\"type\":\"t\","
                          "\"subject\":\"u\""),
                    "id", "control");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\\t\",\"type\":\"t\","
                          "\"subject\":\"u\""),
                    "source", "control");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
                          "\"subject\":\"u\\u007f\""),
                    "subject", "control");
#define GOOD "\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"u\","
    must_be_invalid(EVENT(GOOD "\"time\":7"), "time", "RFC 3339");
    must_be_invalid(EVENT(GOOD "\"time\":\"yesterday\""), "time", "RFC 3339");
    must_be_invalid(EVENT(GOOD "\"time\":\"1970-01-01T00:00:00Z\""), "time",
                    "after 1970");
    must_be_invalid(EVENT(GOOD "\"datacontenttype\":\"text/plain\""),
                    "datacontenttype", "application/json");
    must_be_invalid(EVENT(GOOD "\"datacontenttype\":\"application/jsonx\""),
                    "datacontenttype", "application/json");
    must_be_invalid(EVENT(GOOD "\"data_base64\":\"e30=\""), "data_base64",
                    "JSON");
    must_be_invalid(EVENT(GOOD "\"data\":{\"a\":{\"b\":\"\\n\"}}"),
                    "data.a.b", "control");
    must_be_invalid(EVENT(GOOD "\"x\":1,\"x\":1"), "", "twice");
    must_be_invalid(EVENT(GOOD "\"data\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"),
                    "", "deeply");
    assert_same(verdict_on(EVENT(GOOD "\"time\":null,\"datacontenttype\":"
                                      "\"Application/JSON; charset=utf-8\","
                                      "\"dataschema\":\"x\",\"extension\":7,"
                                      "\"data\":null,\"data_base64\":null")),
                "accepted");
}

/* Bounds at -1, 0, +1: id 128, source 255, type 128, subject 128, value 128,
 * the event 65,536 bytes. */
static void test_api_event__bounds(void **state)
{
    static const struct {
        const char *name;
        int most;
    } rows[] = {{"id", 128}, {"source", 255}, {"type", 128},
                {"subject", 128}, {"data.a.b", 128}};
    char text[5][300];
    char json[2048];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int size = rows[i].most - 1; size <= rows[i].most + 1; size++) {
            for (int k = 0; k < 5; k++) {
                snprintf(text[k], sizeof text[k], "%s%zu%d",
                         k == 2 ? "" : "x", i, size);
            }
            strcpy(text[2], "t");
            memset(text[i], 'x', (size_t)size);
            text[i][size] = '\0';
            snprintf(json, sizeof json,
                     "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":"
                     "\"%s\",\"type\":\"%s\",\"subject\":\"%s\",\"data\":"
                     "{\"a\":{\"b\":\"%s\"}}}",
                     text[0], text[1], text[2], text[3], text[4]);
            if (size > rows[i].most) {
                must_be_invalid(json, rows[i].name, "longer than");
            } else {
                assert_same(verdict_on(json), i == 2 ? "no_meter"
                                                     : "accepted");
            }
        }
    }
}

static void test_api_event__size_of_an_event(void **state)
{
    static char json[70000];

    for (int size = 65535; size <= 65537; size++) {
        const char *head = event_json(size == 65535 ? "1" : "2", "t", NOON,
                                      "\"");
        size_t at = strlen(head) - 1;
        memset(json, 'x', sizeof json);
        memcpy(json, head, at);
        memcpy(json + size - 2, "\"}", 3);
        if (size > 65536) {
            must_be_invalid(json, "", "65,536");
        } else {
            assert_same(verdict_on(json), "accepted");
        }
    }
}

static void test_api_event__unicode(void **state)
{
    assert_same(verdict_on(
                    "{\"specversion\":\"1.0\",\"id\":\"\xf0\x9f\x90\x91"
                    "\\ud83d\\udc11\",\"source\":\"//\xc3\xa9\",\"type\":\"t\""
                    ",\"subject\":\"\xe6\xbc\xa2\",\"data\":{\"a\":{\"b\":"
                    "\"\\u00e9\"}}}"),
                "accepted");
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"subject\","
                          "\"d\"]}"));
    assert_shown("data.0.subject", "\xe6\xbc\xa2");
    assert_shown("data.0.dimensions.d", "\xc3\xa9");
    must_be_invalid("{\"specversion\":\"1.0\",\"id\":\"\xff\"}", "", "UTF-8");
    must_be_invalid("{\"specversion\":\"1.0\",\"id\":\"\\ud83d\"}", "",
                    "surrogate");
}

/* The text of what a path leads to. */
static void test_api_event__values_of_dimensions(void **state)
{
    static const char *const rows[][2] = {
        {"{\"a\":{\"b\":123}}", "123"},
        {"{\"a\":{\"b\":1.50}}", "1.5"},
        {"{\"a\":{\"b\":1e3}}", "1000"},
        {"{\"a\":{\"b\":true}}", "true"},
        {"{\"a\":{\"b\":null}}", "null"},
        {"{\"a\":{\"b\":\"x\"}}", "x"},
        {"{\"a\":{\"b\":[1]}}", ""},
        {"{\"a\":{\"b\":{}}}", ""},
        {"{\"a\":7}", ""},
        {"{}", ""},
        {"[1]", ""},
        {"null", ""},
        {"\"text\"", ""},
    };
    char id[16];
    char minute[32];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(id, sizeof id, "%zu", i);
        snprintf(minute, sizeof minute, "2026-03-15T09:%02zu:00Z", i);
        assert_same(verdict_on(event_json(id, "t", minute, rows[i][0])),
                    "accepted");
    }
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"d\"],"
                          "\"window\":\"minute\"}"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.%zu.dimensions.d", i);
        assert_shown(path, rows[i][1]);
    }
}

/* Numbers: JSON or text, exact; what is none is passed over or refused. */
static void test_api_event__values_of_meters(void **state)
{
    static const struct {
        const char *data;
        const char *verdict;
        const char *reason;
    } rows[] = {
        {"{\"v\":1}", "accepted", ""},
        {"{\"v\":0.1}", "accepted", ""},
        {"{\"v\":\"0.2\"}", "accepted", ""},
        {"{\"v\":\"1e2\"}", "accepted", ""},
        {"{\"v\":-5}", "accepted", ""},
        {"{\"v\":\"999999999999999.999999999\"}", "accepted", ""},
        {"{\"v\":\"-999999999999999.999999999\"}", "accepted", ""},
        {"{\"v\":\"1000000000000000\"}", "invalid", "15 digits"},
        {"{\"v\":\"0.0000000001\"}", "invalid", "9 behind"},
        {"{\"v\":12345678901234567}", "invalid", "15 digits"},
        {"{\"v\":123456789012345678901234}", "invalid", "64 bits"},
        {"{\"v\":0.12345678901234567}", "invalid", "string"},
        {"{\"v\":NaN}", "invalid", "value is expected"},
        {"{\"v\":\"NaN\"}", "no_value", "is no number"},
        {"{\"v\":\"Inf\"}", "no_value", "is no number"},
        {"{\"v\":\"\"}", "no_value", "is no number"},
        {"{\"v\":\"+1\"}", "no_value", "is no number"},
        {"{\"v\":null}", "no_value", "is null"},
        {"{\"v\":true}", "no_value", "is no number"},
        {"{\"v\":[1]}", "no_value", "is no number"},
        {"{\"v\":{}}", "no_value", "is no number"},
        {"{\"w\":1}", "no_value", "is missing"},
        {"{}", "no_value", "is missing"},
        {"null", "no_value", "is missing"},
    };
    char id[16];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(id, sizeof id, "%zu", i);
        const char *found = verdict_on(event_json(id, "n", NOON,
                                                  rows[i].data));
        if (strcmp(found, rows[i].verdict) != 0
            || strstr(shown("problems.0.reason"), rows[i].reason) == NULL) {
            fail_msg("%s: %s, \"%s\"", rows[i].data, found,
                     shown("problems.0.reason"));
        }
    }
    assert_same(usage_of("tokens"), "96.3");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, event_setup, event_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_api_event__not_json),
        TEST(test_api_event__rules_of_the_envelope),
        TEST(test_api_event__bounds),
        TEST(test_api_event__size_of_an_event),
        TEST(test_api_event__unicode),
        TEST(test_api_event__values_of_dimensions),
        TEST(test_api_event__values_of_meters),
    };
    return cmocka_run_group_tests_name("event text", tests, NULL, NULL);
}

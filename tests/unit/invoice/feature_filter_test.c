/* One usage, four readers: a query by feature, a query of the meter with the
 * same filter, the entitlement (kept at settlement and read anew), and the
 * invoice (a preview and a run) agree for every operator. */
#include "unit/invoice/billing_support.h"

#include "metering/entitlement.h"
#include "metering/event.h"
#include "metering/meter.h"

#define RANDOM_FEATURES 24

static const char *const values[] = {"", "a", "A", "ab", "b", "ba", "c",
                                     "\303\251a"};
#define VALUES (sizeof values / sizeof *values)

static const char *const fixed[] = {
    "{\"eq\":\"a\"}",
    "\"a\"",
    "{\"neq\":\"a\"}",
    "{\"ne\":\"b\"}",
    "{\"in\":[\"a\",\"ab\"]}",
    "{\"nin\":[\"a\",\"c\"]}",
    "{\"exists\":true}",
    "{\"exists\":false}",
    "{\"contains\":\"B\"}",
    "{\"ncontains\":\"a\"}",
    "{}",
    "{\"and\":[{\"contains\":\"a\"},{\"neq\":\"ab\"}]}",
    ("{\"or\":[{\"exists\":false},{\"and\":[{\"contains\":\"b\"},"
     "{\"nin\":[\"ba\"]}]}]}"),
};
#define FIXED (sizeof fixed / sizeof *fixed)
#define FEATURES (FIXED + RANDOM_FEATURES)

static char filters[FEATURES][512];
static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static const char *some_value(void)
{
    return values[1 + draw(VALUES - 1)];
}

static void add_condition(char *json, int depth)
{
    static const char *const with_text[] = {"eq", "neq", "ne", "contains",
                                            "ncontains"};
    char *at = json + strlen(json);
    unsigned kind = draw(depth > 0 ? 10 : 8);

    if (kind < 5) {
        sprintf(at, "{\"%s\":\"%s\"}", with_text[kind], some_value());
    } else if (kind < 7) {
        sprintf(at, "{\"%s\":[\"%s\",\"%s\"]}", kind == 5 ? "in" : "nin",
                some_value(), some_value());
    } else if (kind == 7) {
        sprintf(at, "{\"exists\":%s}", draw(2) ? "true" : "false");
    } else {
        sprintf(at, "{\"%s\":[", kind == 8 ? "and" : "or");
        add_condition(json, depth - 1);
        strcat(json, ",");
        add_condition(json, depth - 1);
        strcat(json, "]}");
    }
}

static void make_filters(void)
{
    seed = 20260301;
    for (size_t i = 0; i < FEATURES; i++) {
        strcpy(filters[i], "{\"route_name\":");
        if (i < FIXED) {
            strcat(filters[i], fixed[i]);
        } else {
            add_condition(filters[i], 2);
        }
        if (i >= FIXED && draw(2)) {
            strcat(filters[i], ",\"service_name\":");
            add_condition(filters[i], 1);
        }
        strcat(filters[i], "}");
    }
}

/* Features, one plan that sells all of them, and who has it. */
static void must_sell_all(void)
{
    static char plan[FEATURES * 512];
    char json[1024];

    strcpy(plan, "{\"key\":\"all\",\"name\":\"All\",\"currency\":\"USD\","
                 "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
                 "\"name\":\"Default\",\"rate_cards\":[");
    for (size_t i = 0; i < FEATURES; i++) {
        snprintf(json, sizeof json,
                 "{\"key\":\"f%02zu\",\"name\":\"F\",\"meter\":{\"key\":"
                 "\"api_requests\",\"filters\":%s}}",
                 i, filters[i]);
        must_put_feature(json);
        sprintf(plan + strlen(plan),
                "%s{\"key\":\"f%02zu\",\"name\":\"F\",\"feature\":{\"key\":"
                "\"f%02zu\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":"
                "\"unit\",\"amount\":\"1\"},\"entitlement\":{\"type\":"
                "\"metered\",\"limit\":\"1000\",\"is_soft_limit\":true}}",
                i > 0 ? "," : "", i, i);
    }
    strcat(plan, "]}]}");
    must_publish("all", plan);
    subscribe_from("a", "all", FEBRUARY);
}

/* Both may be "": the event has none then. */
static void use_once(const char *route, const char *service, int64_t utc_ns,
                     uint32_t flags)
{
    const met_pair all[] = {{"route_name", 10, route, strlen(route)},
                            {"service_name", 12, service, strlen(service)}};
    met_event event = {.struct_size = sizeof event,
                       .type = "kong.api_request",
                       .type_size = 16,
                       .subject = "a",
                       .subject_size = 1,
                       .attributes = *route != '\0' ? all : all + 1,
                       .attribute_count =
                           (size_t)(*route != '\0') + (*service != '\0'),
                       .utc_ns = utc_ns};

    if (recorder == NULL) {
        fresh();
        assert_ok(met__recorder_open(store, 0, &recorder, &told));
    }
    assert_ok(met__recorder_add(recorder, &event, flags, &told));
}

static void use_some(int64_t day_ns, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const char *route = values[draw(VALUES)];
        const char *service = values[draw(VALUES)];
        use_once(route, service, day_ns + (int64_t)i * MET__MINUTE_NS,
                 draw(2) ? MET__RECORD_ADMITTED : 0);
    }
}

static unsigned long query_value(const char *what, const char *more)
{
    char json[1024];
    met_buffer *buffer = fresh();

    snprintf(json, sizeof json,
             "{%s,\"customer\":\"a\",\"from\":\"" FEBRUARY "\",\"to\":\"" MARCH
             "\"%s}",
             what, more);
    assert_ok(keep(met_usage_query(store, json, strlen(json), buffer, &told),
                   buffer));
    return strtoul(shown("data.0.value"), NULL, 10);
}

static void must_agree_so_far(unsigned long *values_out)
{
    char what[64];
    char more[640];

    for (size_t i = 0; i < FEATURES; i++) {
        snprintf(what, sizeof what, "\"feature\":\"f%02zu\"", i);
        values_out[i] = query_value(what, "");
        if (i >= FIXED || fixed[i][0] == '{') { /* queries take no bare text */
            snprintf(more, sizeof more, ",\"filters\":%s", filters[i]);
            assert_int_equal(query_value("\"meter\":\"api_requests\"", more),
                             values_out[i]);
        }
        met_buffer *buffer = fresh();
        snprintf(what, sizeof what, "f%02zu", i);
        assert_ok(keep(met_entitlement_get(store, "a", 1, what, 3,
                                           time_of(MARCH) - 1, buffer, &told),
                       buffer));
        if (strtoul(shown("usage"), NULL, 10) != values_out[i]) {
            fail_msg("%s: %lu in the query, %s of the entitlement",
                     filters[i], values_out[i], shown("usage"));
        }
    }
}

static void must_be_billed(const char *lines, const unsigned long *wanted)
{
    char path[64];

    for (size_t i = 0; i < FEATURES; i++) {
        snprintf(path, sizeof path, "%s.%zu.quantity", lines, i);
        if (strtoul(shown(path), NULL, 10) != wanted[i]) {
            fail_msg("%s: %lu used, %s billed", filters[i], wanted[i],
                     shown(path));
        }
    }
}

static void every_reader_agrees(void **state)
{
    unsigned long first[FEATURES];
    unsigned long last[FEATURES];
    int is_mixed = 0;
    char id[32];

    (void)state;
    make_filters();
    must_sell_all();
    use_some(time_of("2026-02-10T10:00:00Z"), 150);
    must_settle();
    must_agree_so_far(first);
    use_some(time_of("2026-02-20T10:00:00Z"), 150);
    must_settle(); /* balances that are kept are brought forward */
    must_agree_so_far(last);
    for (size_t i = 0; i < FEATURES; i++) {
        is_mixed += last[i] > first[i] && last[i] < 300;
    }
    assert_true(is_mixed > (int)FEATURES / 2);
    assert_ok(preview("a", MARCH, 0));
    must_be_billed("lines", last);
    must_run("2026-03-01T02:00:00Z");
    assert_ok(list("a"));
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    assert_ok(get(id));
    must_be_billed("lines", last);
}

/* Only what a feature asks for by its value has just one value to show. */
static void a_line_shows_the_values_in_it(void **state)
{
    (void)state;
    must_put_feature("{\"key\":\"some\",\"name\":\"S\",\"meter\":{\"key\":"
                     "\"api_requests\",\"filters\":{\"route_name\":{\"in\":["
                     "\"a\",\"b\"]},\"service_name\":{\"eq\":\"s\"}}}}");
    must_publish_card("some",
                      "{\"key\":\"some\",\"name\":\"S\",\"feature\":{\"key\":"
                      "\"some\"},\"billing_cadence\":\"P1M\",\"price\":"
                      "{\"type\":\"unit\",\"amount\":\"1\"}}");
    subscribe_from("a", "some", FEBRUARY);
    for (unsigned i = 0; i < 6; i++) {
        static const char *const routes[] = {"a", "b", "c"};
        use_once(routes[i % 3], "s", time_of("2026-02-10T10:00:00Z"), 0);
    }
    must_settle();
    assert_ok(preview("a", MARCH, 0));
    assert_shown("lines.0.quantity", "4");
    assert_shown("lines.0.usage.by_dimension",
                 "[{\"dimension\":\"route_name\",\"values\":[{\"value\":"
                 "\"a\",\"quantity\":\"2\"},{\"value\":\"b\","
                 "\"quantity\":\"2\"}]}]");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_reader_agrees),
        CASE(a_line_shows_the_values_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The usage of a line to look at: days and values add up to what was billed,
 * and an issued invoice keeps what it had. */
#include "unit/invoice/invoice_support.h"

#include "metering/billing.h"
#include "metering/event.h"

static void use_route(const char *time, const char *route, unsigned count)
{
    const met_pair attributes[] = {
        {"service_name", 12, "example_service", 15},
        {"route_name", 10, route, strlen(route)}};
    met_event event = {.struct_size = sizeof event,
                       .type = "kong.api_request",
                       .type_size = 16,
                       .subject = "a",
                       .subject_size = 1,
                       .attributes = attributes,
                       .attribute_count = *route != '\0' ? 2 : 1,
                       .utc_ns = time_of(time)};

    if (recorder == NULL) {
        fresh();
        assert_ok(met__recorder_open(store, 0, &recorder, &told));
    }
    for (unsigned i = 0; i < count; i++) {
        assert_ok(met__recorder_add(recorder, &event, 0, &told));
    }
}

static met_error with_usage(const char *id)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_usage(store, id, strlen(id), buffer, &told),
                buffer);
}

static void days_and_values_add_up(void **state)
{
    (void)state;
    subscribe_from("a", "premium", FEBRUARY);
    use_route("2026-02-01T00:00:00Z", "/one", 3);
    use_route("2026-02-28T23:59:59Z", "/two", 5);
    use_route("2026-02-10T10:00:00Z", "", 1);
    use_route("2026-03-01T00:00:00Z", "/one", 7); /* not February's */
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("lines.0.quantity", "9");
    assert_shown("lines.0.usage.by_day.from", "2026-02-01T00:00:00Z");
    assert_shown("lines.0.usage.by_day.quantities.0", "3");
    assert_shown("lines.0.usage.by_day.quantities.9", "1");
    assert_shown("lines.0.usage.by_day.quantities.27", "5");
    assert_shown("lines.0.usage.by_day.quantities.28", "");
    /* The feature filters by the service: it has one value. */
    assert_shown("lines.0.usage.by_dimension",
                 "[{\"dimension\":\"route_name\",\"values\":[{\"value\":"
                 "\"/two\",\"quantity\":\"5\"},{\"value\":\"/one\","
                 "\"quantity\":\"3\"},{\"value\":\"\",\"quantity\":\"1\"}]}]");
    assert_shown("lines.0.usage.as_of", "");
}

static void the_smallest_values_are_others(void **state)
{
    char route[8];

    (void)state;
    subscribe_from("a", "premium", FEBRUARY);
    for (unsigned i = 1; i <= 13; i++) {
        snprintf(route, sizeof route, "/%02u", i * 5 % 13);
        use_route("2026-02-10T10:00:00Z", route, 1 + i * 5 % 13);
    }
    must_settle();
    assert_ok(preview("a", MARCH, 0));
    assert_shown("lines.0.quantity", "91");
    assert_shown("lines.0.usage.by_dimension.0.values.0.value", "/12");
    assert_shown("lines.0.usage.by_dimension.0.values.0.quantity", "13");
    assert_shown("lines.0.usage.by_dimension.0.values.9.value", "/03");
    assert_shown("lines.0.usage.by_dimension.0.values.10", "");
    assert_shown("lines.0.usage.by_dimension.0.others",
                 "{\"values\":3,\"quantity\":\"6\"}");
}

static void what_no_event_has_is_no_dimension(void **state)
{
    (void)state;
    subscribe_from("a", "premium", FEBRUARY);
    use_route("2026-02-10T10:00:00Z", "", 3);
    must_settle();
    assert_ok(preview("a", MARCH, 0));
    assert_shown("lines.0.usage.by_day.quantities.9", "3");
    assert_shown("lines.0.usage.by_dimension", "");
}

/* Late usage changes what is known, not what was issued. */
static void an_issued_invoice_keeps_its_usage(void **state)
{
    (void)state;
    subscribe_from("a", "premium", FEBRUARY);
    use_route("2026-02-10T10:00:00Z", "/one", 3);
    must_settle();
    assert_ok(finalize("a", MARCH));
    use_route("2026-02-10T10:00:00Z", "/one", 4);
    must_settle();
    assert_ok(with_usage("INV-0001"));
    assert_shown("lines.0.usage.by_day.quantities.9", "3");
    assert_shown("lines.0.usage.as_of", "");
    assert_ok(get("INV-0001"));
    assert_shown("lines.0.usage.by_day.quantities.9", "3");
}

/* A run bills many: it keeps no pictures, and says of when they are. */
static void a_run_leaves_it_for_later(void **state)
{
    met_billing_report report = {.struct_size = sizeof report};
    met_billing_run *run = NULL;

    (void)state;
    subscribe_from("a", "premium", FEBRUARY);
    use_route("2026-02-10T10:00:00Z", "/one", 3);
    must_settle();
    fresh();
    assert_ok(met_billing_run_open(store, time_of(MARCH), &run, &told));
    do {
        assert_ok(met_billing_run_step(run, &report, &told));
    } while (report.stage != MET_BILLING_DONE);
    met_billing_run_close(run);
    assert_ok(list("a"));
    char id[32];
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    assert_int_equal(strlen(id), 26);
    assert_ok(get(id));
    assert_shown("lines.0.quantity", "3");
    assert_shown("lines.0.usage", "");
    assert_ok(with_usage(id));
    assert_shown("lines.0.usage.by_day.quantities.9", "3");
    assert_shown("lines.0.usage.by_dimension.0.values.0.value", "/one");
    assert_shown("lines.0.usage.as_of", "2026-03-15T10:30:00Z");
    uint64_t before = stored_digest();
    assert_ok(with_usage(id));
    assert_true(stored_digest() == before);
}

static void what_has_none_is_left_alone(void **state)
{
    (void)state;
    must_publish_card("fee",
                      "{\"key\":\"fee\",\"name\":\"Fee\",\"billing_cadence\":"
                      "\"P1M\",\"price\":{\"type\":\"flat\","
                      "\"amount\":\"9\"}}");
    subscribe_from("a", "fee", FEBRUARY);
    assert_ok(finalize("a", MARCH));
    assert_shown("lines.0.usage", "");
    assert_ok(with_usage("INV-0001"));
    assert_shown("lines.0.usage", "");
    assert_int_equal(with_usage("INV-0002"), MET_E_NOT_FOUND);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(days_and_values_add_up),
        CASE(the_smallest_values_are_others),
        CASE(what_no_event_has_is_no_dimension),
        CASE(an_issued_invoice_keeps_its_usage),
        CASE(a_run_leaves_it_for_later),
        CASE(what_has_none_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

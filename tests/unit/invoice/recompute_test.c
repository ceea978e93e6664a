/* Invoices are made again from what they store, whatever has happened since. */
#include "unit/invoice/billing_support.h"

static met_error recompute(const char *id, uint64_t flags)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_recompute(store, id, strlen(id), flags, buffer,
                                      &told),
                buffer);
}

static void assert_same(const char *id)
{
    assert_ok(recompute(id, 0));
    assert_shown("is_identical", "true");
    assert_shown("number", id);
}

#define CARD(key, rest)                                                   \
    "{\"key\":\"" key "\",\"name\":\"Card " key "\",\"billing_cadence\":"   \
    "\"P1M\"," rest "}"
#define METERED(rest) \
    "\"feature\":{\"key\":\"example_service\"}," rest

static void must_publish_all(void)
{
    must_publish_card(
        "all",
        CARD("example_service",
             METERED("\"price\":{\"type\":\"graduated\",\"tiers\":[{\"up_to\":"
                     "\"3\",\"unit\":\"0.333\",\"flat\":\"1\"},{\"unit\":"
                     "\"0.125\"}]},"
                     "\"discounts\":{\"percentage\":\"10\"}")) ","
        CARD("fee", "\"price\":{\"type\":\"flat\",\"amount\":\"31\","
                    "\"payment_term\":\"in_advance\"}"));
}

static void every_kind_of_line(void **state)
{
    (void)state;
    assert_ok(put_profile(
        NULL, "{\"tax\":{\"rounding\":\"invoice\",\"codes\":[{\"key\":"
              "\"vat\",\"rate\":\"20\"}],\"default\":{\"tax_code\":{\"key\":"
              "\"vat\"}}},\"rating\":{\"round_at\":\"line\"},"
              "\"usage_thresholds\":[\"1\",\"2.5\"]}"));
    must_publish_all();
    subscribe_from("a", "all", "2026-02-10T12:00:00Z");
    must_use("a", "2026-02-10T13:00:00Z", 2);
    must_settle();
    must_run("2026-02-11T00:00:00Z");
    must_use("a", "2026-02-12T13:00:00Z", 9);
    must_settle();
    must_run("2026-02-13T00:00:00Z");
    must_run("2026-03-10T14:00:00Z");
    must_use("a", "2026-02-14T13:00:00Z", 7);
    must_settle();
    must_run("2026-03-11T14:00:00Z");
    assert_ok(list("a"));
    assert_shown("items.3.number", "INV-0004");
    assert_shown("items.3.lines.0.is_correction", "true");
    assert_same("INV-0001");
    assert_same("INV-0002");
    assert_same("INV-0003");
    assert_same("INV-0004");
    /* Another profile, another plan, another state: it is what it was. */
    assert_ok(put_profile(NULL, "{}"));
    assert_ok(act("INV-0001", "void"));
    must_publish_card("all", CARD("fee", "\"price\":{\"type\":\"flat\","
                                         "\"amount\":\"99\"}"));
    assert_same("INV-0001");
}

static void what_later_usage_would_change(void **state)
{
    (void)state;
    must_publish_unit();
    assert_ok(put_profile(
        NULL, "{\"tax\":{\"codes\":[{\"key\":\"vat\",\"rate\":\"10\"}],"
              "\"default\":{\"tax_code\":{\"key\":\"vat\"}}}}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T13:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_ok(recompute("INV-0001", MET_INVOICE_USAGE));
    assert_shown("is_changed", "false");
    assert_shown("total", "5.50");
    assert_shown("total_now", "5.50");
    must_use("a", "2026-02-10T14:00:00Z", 3);
    must_settle();
    assert_ok(recompute("INV-0001", MET_INVOICE_USAGE));
    assert_shown("is_changed", "true");
    assert_shown("total_now", "8.80");
    assert_shown("lines.0.quantity", "5");
    assert_shown("lines.0.quantity_now", "8");
    assert_same("INV-0001");
}

static void what_cannot_be_made_again(void **state)
{
    (void)state;
    must_publish_unit();
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T13:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_ok(credit("INV-0001", "{\"reason\":\"sorry\"}"));
    assert_told(recompute("CN-0001", 0), MET_E_UNSUPPORTED, "id", "by hand");
    assert_told(recompute("INV-0009", 0), MET_E_NOT_FOUND, "id", "INV-0009");
    assert_told(recompute("INV-0001", 4), MET_E_UNSUPPORTED, "flags", "bit");
}

/* A credit note that usage made is one that can be made again. */
static void a_credit_note_of_usage(void **state)
{
    char id[32];

    (void)state;
    must_publish_unit();
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    snprintf(id, sizeof id, "%s", subscribe_from("a", "unit", FEBRUARY));
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    fresh();
    assert_ok(met_subscription_cancel(store, id, strlen(id),
                                      time_of(FEBRUARY), MET_ALLOW_PAST, NULL,
                                      &told));
    must_run("2026-03-02T02:00:00Z");
    assert_same("CN-0001");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_kind_of_line),
        CASE(what_later_usage_would_change),
        CASE(what_cannot_be_made_again),
        CASE(a_credit_note_of_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

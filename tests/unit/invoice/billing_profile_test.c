/* Profiles: what holds for whom, what is refused; taxes and minimums on
 * invoices. */
#include "unit/invoice/billing_support.h"

static met_error get_profile(const char *customer)
{
    met_buffer *buffer = fresh();

    return keep(met_billing_profile_get(store, customer,
                                        customer ? strlen(customer) : 0,
                                        buffer, &told),
                buffer);
}

static void a_customers_own_is_laid_over(void **state)
{
    (void)state;
    must_put_customer("a");
    assert_ok(get_profile(NULL));
    assert_shown("workflow.collection.alignment", "subscription");
    assert_shown("workflow.collection.interval", "PT1H");
    assert_shown("workflow.invoicing.auto_advance", "true");
    assert_shown("workflow.invoicing.draft_period", "PT0S");
    assert_shown("workflow.invoicing.due_after", "P30D");
    assert_shown("workflow.invoicing.progressive_billing", "true");
    assert_shown("workflow.invoicing.subscription_end_proration_mode",
                 "bill_actual_period");
    assert_shown("late_usage", "next_invoice");
    assert_shown("numbering.series", "INV");
    assert_ok(put_profile(
        NULL, "{\"workflow\":{\"collection\":{\"interval\":\"P1D\"},"
              "\"invoicing\":{\"due_after\":\"P14D\"}},\"supplier\":{"
              "\"name\":\"We\"}}"));
    assert_ok(put_profile(
        "a", "{\"workflow\":{\"invoicing\":{\"auto_advance\":false,"
             "\"draft_period\":\"P0D\"}}}"));
    assert_shown("workflow.collection.interval", "P1D");
    assert_shown("workflow.invoicing.due_after", "P14D");
    assert_shown("workflow.invoicing.auto_advance", "false");
    assert_shown("supplier.name", "We");
    assert_ok(get_profile(NULL));
    assert_shown("workflow.invoicing.auto_advance", "true");
    fresh();
    assert_ok(met_billing_profile_remove(store, "a", 1, &told));
    assert_ok(get_profile("a"));
    assert_shown("workflow.invoicing.auto_advance", "true");
    fresh();
    assert_told(met_billing_profile_remove(store, "a", 1, &told),
                MET_E_NOT_FOUND, "customer_key", "no billing profile");
    assert_told(put_profile("nobody", "{}"), MET_E_NOT_FOUND, "customer_key",
                "nobody");
}

/* Both are good by themselves, and not on top of each other. */
static void a_default_fits_under_what_customers_have(void **state)
{
    static const char anchored[] =
        "{\"workflow\":{\"collection\":{\"alignment\":\"anchored\","
        "\"anchored\":{\"anchor\":\"2026-01-01T00:00:00Z\",\"interval\":"
        "\"P1M\"}}}}";

    (void)state;
    must_put_customer("a");
    assert_ok(put_profile(NULL, anchored));
    assert_ok(put_profile("a", "{\"workflow\":{\"collection\":{\"alignment\":"
                               "\"anchored\"}}}"));
    assert_told(put_profile(NULL, "{}"), MET_E_CONFLICT,
                "billing_profile.workflow.collection.anchored",
                "the customer \"a\": is required");
    fresh();
    assert_told(met_billing_profile_remove(store, NULL, 0, &told),
                MET_E_CONFLICT,
                "billing_profile.workflow.collection.anchored",
                "the customer \"a\"");
    assert_ok(get_profile("a"));
    assert_shown("workflow.collection.alignment", "anchored");
    assert_ok(put_profile("a", "{}"));
    assert_ok(put_profile(NULL, "{}"));
    assert_ok(get_profile("a"));
    assert_shown("workflow.collection.alignment", "subscription");
}

/* Whichever comes first, and only what does not fit in the end is refused. */
static void profiles_apply_in_any_order(void **state)
{
#define OWN \
    "{\"customer\":{\"key\":\"a\"},\"workflow\":{\"collection\":{" \
    "\"alignment\":\"anchored\"}}}"
#define DEFAULT \
    "{\"workflow\":{\"collection\":{\"alignment\":\"anchored\"," \
    "\"anchored\":{\"anchor\":\"2026-01-01T00:00:00Z\",\"interval\":" \
    "\"P1M\"}}}}"
    static const char *const good[] = {
        "{\"billing_profiles\":[" OWN "," DEFAULT "]}",
        "{\"billing_profiles\":[{},{\"customer\":{\"key\":\"a\"}}]}",
        "{\"billing_profiles\":[" DEFAULT "," OWN "]}",
    };
    static const char bad[] = "{\"billing_profiles\":[{}]}";

    (void)state;
    must_put_customer("a");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        fresh();
        assert_ok(met_catalog_apply(store, good[i], strlen(good[i]), 0, 0,
                                    NULL, &told));
        assert_ok(get_profile("a"));
        assert_shown("workflow.collection.alignment",
                     i == 1 ? "subscription" : "anchored");
    }
    fresh();
    assert_told(met_catalog_apply(store, bad, sizeof bad - 1, 0, 0, NULL,
                                  &told),
                MET_E_CONFLICT,
                "billing_profile.workflow.collection.anchored",
                "the customer \"a\": is required");
    assert_ok(get_profile("a"));
    assert_shown("workflow.collection.alignment", "anchored");
}

/* Another customer of the same key begins with nothing. */
static void a_profile_goes_with_its_customer(void **state)
{
    (void)state;
    must_put_customer("a");
    assert_ok(put_profile("a", "{\"late_usage\":\"credit_note\"}"));
    fresh();
    assert_ok(met_customer_remove(store, "a", 1, &told));
    must_put_customer("a");
    assert_ok(get_profile("a"));
    assert_shown("late_usage", "next_invoice");
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *json;
        const char *field;
        const char *reason;
    } cases[] = {
        {"[]", "billing_profile", ""},
        {"{\"more\":1}", "billing_profile.more", ""},
        {"{\"late_usage\":\"never\"}", "billing_profile.late_usage", ""},
        {"{\"supplier\":{}}", "billing_profile.supplier.name", ""},
        {"{\"workflow\":{\"collection\":{\"alignment\":\"anchored\"}}}",
         "billing_profile.workflow.collection.anchored", "required"},
        {"{\"workflow\":{\"collection\":{\"anchored\":{\"anchor\":"
         "\"2026-01-01T00:00:00Z\",\"interval\":\"P1M\"}}}}",
         "billing_profile.workflow.collection.anchored", "goes with"},
        {"{\"workflow\":{\"collection\":{\"alignment\":\"anchored\","
         "\"anchored\":{\"anchor\":\"2026-01-01T00:00:00Z\",\"interval\":"
         "\"PT0S\"}}}}",
         "billing_profile.workflow.collection.anchored.interval", "> 0"},
        {"{\"workflow\":{\"invoicing\":{"
         "\"subscription_end_proration_mode\":\"\"}}}",
         "billing_profile.workflow.invoicing.subscription_end_proration_mode",
         ""},
        {"{\"workflow\":{\"collection\":{\"interval\":\"-PT1H\"}}}",
         "billing_profile.workflow.collection.interval", "duration"},
        {"{\"workflow\":{\"collection\":{\"interval\":\"P999999999Y\"}}}",
         "billing_profile.workflow.collection.interval", "at most P10Y"},
        {"{\"workflow\":{\"invoicing\":{\"draft_period\":\"P121M\"}}}",
         "billing_profile.workflow.invoicing.draft_period", "at most P10Y"},
        {"{\"workflow\":{\"invoicing\":{\"due_after\":\"P200Y\"}}}",
         "billing_profile.workflow.invoicing.due_after", "at most P10Y"},
        {"{\"workflow\":{\"collection\":{\"alignment\":\"anchored\","
         "\"anchored\":{\"anchor\":\"2026-01-01T00:00:00Z\",\"interval\":"
         "\"P300Y\"}}}}",
         "billing_profile.workflow.collection.anchored.interval",
         "at most P10Y"},
        {"{\"usage_thresholds\":[\"5\",\"5\"]}",
         "billing_profile.usage_thresholds[1]", "above the one before"},
        {"{\"usage_thresholds\":[0]}", "billing_profile.usage_thresholds[0]",
         "above 0"},
        {"{\"numbering\":{\"series\":\"a\"}}",
         "billing_profile.numbering.series", "capital"},
        {"{\"numbering\":{\"series\":\"CN\"}}",
         "billing_profile.numbering.series", "of their own"},
        {"{\"tax\":{\"default\":{\"tax_code\":{\"key\":\"vat\"}}}}",
         "billing_profile.tax.default.tax_code", "not among"},
        {"{\"tax\":{\"codes\":[{\"key\":\"v\",\"rate\":\"1\"},{\"key\":"
         "\"v\",\"rate\":\"2\"}]}}",
         "billing_profile.tax.codes[1].key", "twice"},
        {"{\"tax\":{\"codes\":[{\"key\":\"v\",\"rate\":\"1001\"}]}}",
         "billing_profile.tax.codes[0].rate", "1000"},
        {"{\"rating\":{\"round_at\":\"never\"}}",
         "billing_profile.rating.round_at", ""},
    };

    (void)state;
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_told(put_profile(NULL, cases[i].json), MET_E_INVALID,
                    cases[i].field, cases[i].reason);
    }
    assert_true(stored_digest() == before);
}

#define FEE(key, amount, more)                                            \
    "{\"key\":\"" key "\",\"name\":\"Fee\",\"billing_cadence\":\"P1M\","     \
    "\"price\":{\"type\":\"flat\",\"amount\":\"" amount "\","               \
    "\"payment_term\":\"in_advance\"}" more "}"
#define VAT(rounding)                                                     \
    "{\"tax\":{\"rounding\":\"" rounding "\",\"codes\":[{\"key\":\"vat\","   \
    "\"rate\":\"19\"},{\"key\":\"less\",\"rate\":\"7\"}],\"default\":{"      \
    "\"tax_code\":{\"key\":\"vat\"}}}}"

/* Three lines of 0.03 at 19 %: 0.0057 each is 0.01, together 0.0171 is 0.02. */
static void taxes_sum_up(void **state)
{
    (void)state;
    must_publish_card("fees", FEE("one", "0.03", "") ","
                                  FEE("two", "0.03", "") ","
                                      FEE("three", "0.03", ""));
    assert_ok(put_profile(NULL, VAT("line")));
    subscribe_from("a", "fees", MARCH);
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.taxes_total", "0.03");
    assert_shown("totals.taxes_exclusive_total", "0.03");
    assert_shown("totals.total", "0.12");
    assert_shown("lines.0.tax.rate", "19");
    assert_ok(put_profile(NULL, VAT("invoice")));
    subscribe_from("b", "fees", MARCH);
    assert_ok(finalize("b", MARCH));
    assert_shown("lines.0.totals.taxes_total", "0.01");
    assert_shown("lines.1.totals.taxes_total", "0.00");
    assert_shown("lines.2.totals.taxes_total", "0.01");
    assert_shown("totals.taxes_total", "0.02");
    assert_shown("totals.total", "0.11");
}

static void a_rate_card_is_taxed_as_it_says(void **state)
{
    (void)state;
    must_publish_card(
        "fees",
        FEE("one", "107",
            ",\"tax_config\":{\"behavior\":\"inclusive\",\"tax_code\":{"
            "\"key\":\"less\"}}") "," FEE("two", "100", ""));
    assert_ok(put_profile(NULL, VAT("line")));
    subscribe_from("a", "fees", MARCH);
    assert_ok(finalize("a", MARCH));
    assert_shown("lines.0.totals.taxes_inclusive_total", "7.00");
    assert_shown("lines.0.totals.total", "107.00");
    assert_shown("lines.1.totals.taxes_exclusive_total", "19.00");
    assert_shown("totals.taxes_total", "26.00");
    assert_shown("totals.total", "226.00");
    assert_ok(put_profile(NULL, "{\"tax\":{\"codes\":[]}}"));
    subscribe_from("b", "fees", MARCH);
    assert_told(finalize("b", MARCH), MET_E_CONFLICT, "tax_code", "less");
}

static void must_publish_minimum(void)
{
    char json[1024];

    snprintf(json, sizeof json,
             "{\"key\":\"least\",\"name\":\"Least\",\"currency\":\"USD\","
             "\"billing_cadence\":\"P1M\",\"commitments\":{\"minimum\":"
             "\"20\"},\"phases\":[{\"key\":\"default\",\"name\":\"D\","
             "\"rate_cards\":[%s,%s]}]}",
             story_card(UNIT_1, NULL), FEE("fee", "5", ""));
    must_publish("least", json);
}

/* 5 of the fee, 4 of usage: 11 are missing. Late usage takes its part of them
 * back. */
static void a_plan_has_a_minimum(void **state)
{
    (void)state;
    must_publish_minimum();
    subscribe_from("a", "least", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 4);
    must_settle();
    must_run("2026-02-02T00:00:00Z");
    assert_ok(get("INV-0001"));
    assert_shown("totals.total", "5.00");
    must_run("2026-03-01T02:00:00Z");
    assert_ok(get("INV-0002"));
    assert_shown("lines.0.quantity", "4");
    assert_shown("lines.1.key", "fee");
    assert_shown("lines.2.key", "$minimum");
    assert_shown("lines.2.name", "Least");
    assert_shown("lines.2.period.from", FEBRUARY);
    assert_shown("lines.2.detailed_lines.0.category", "commitment");
    assert_shown("lines.2.totals.total", "11.00");
    assert_shown("totals.total", "20.00");
    must_use("a", "2026-02-11T10:00:00Z", 3);
    must_settle();
    must_run("2026-03-02T02:00:00Z");
    assert_ok(get("INV-0003"));
    assert_shown("lines.0.totals.total", "3.00");
    assert_shown("lines.1.totals.total", "-3.00");
    assert_shown("totals.total", "0.00");
    must_use("a", "2026-02-12T10:00:00Z", 30);
    must_settle();
    must_run("2026-03-03T02:00:00Z");
    assert_ok(get("INV-0004"));
    assert_shown("lines.1.totals.total", "-8.00");
    assert_shown("totals.total", "22.00");
    must_run("2026-03-04T02:00:00Z");
    assert_int_equal(report.drafts, 0);
}

static void numbers_of_a_series(void **state)
{
    (void)state;
    must_publish_card("fees", FEE("one", "1", ""));
    assert_ok(put_profile(NULL, "{\"numbering\":{\"series\":\"OM\","
                                "\"customer_prefix\":true}}"));
    subscribe_from("a", "fees", MARCH);
    subscribe_from("b", "fees", MARCH);
    assert_ok(put_profile("b", "{\"numbering\":{\"series\":\"INV\","
                               "\"customer_prefix\":false}}"));
    assert_ok(finalize("a", MARCH));
    assert_shown("number", "OM-CUA-1");
    assert_ok(finalize("b", MARCH));
    assert_shown("number", "INV-0001");
    assert_ok(get("OM-CUA-1"));
    assert_shown("customer.key", "a");
}

/* The last fee of a subscription in full, or for the days that it had. */
static void the_end_of_a_subscription(void **state)
{
    static const char *const modes[] = {"bill_actual_period",
                                        "bill_full_period"};
    static const char *const totals[] = {"15.50", "31.00"};
    char json[256];
    char members[128];
    char key[2] = "a";

    (void)state;
    must_publish_card("fees",
                      "{\"key\":\"one\",\"name\":\"Fee\",\"billing_cadence\":"
                      "\"P1M\",\"price\":{\"type\":\"flat\",\"amount\":"
                      "\"31\",\"payment_term\":\"in_arrears\"}}");
    snprintf(members, sizeof members,
             ",\"active_from\":\"%s\",\"billing_anchor\":\"%s\",\"active_to\":"
             "\"2026-01-16T12:00:00Z\"",
             "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    for (int i = 0; i < 2; i++) {
        key[0] = (char)('a' + i);
        must_put_customer(key);
        snprintf(json, sizeof json,
                 "{\"workflow\":{\"invoicing\":{"
                 "\"subscription_end_proration_mode\":\"%s\"}}}",
                 modes[i]);
        assert_ok(put_profile(key, json));
        must_subscribe(key, "fees", members);
        assert_ok(finalize(key, FEBRUARY));
        assert_shown("totals.total", totals[i]);
    }
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_customers_own_is_laid_over),
        CASE(a_default_fits_under_what_customers_have),
        CASE(profiles_apply_in_any_order),
        CASE(a_profile_goes_with_its_customer),
        CASE(what_is_refused),
        CASE(taxes_sum_up),
        CASE(a_rate_card_is_taxed_as_it_says),
        CASE(a_plan_has_a_minimum),
        CASE(numbers_of_a_series),
        CASE(the_end_of_a_subscription),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

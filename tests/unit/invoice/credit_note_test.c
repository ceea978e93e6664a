/* Giving back: whole invoices, parts, lines, and never more than was billed. */
#include "unit/invoice/billing_support.h"

#define FEE(key, amount)                                                  \
    "{\"key\":\"" key "\",\"name\":\"Fee\",\"billing_cadence\":\"P1M\","     \
    "\"price\":{\"type\":\"flat\",\"amount\":\"" amount "\","               \
    "\"payment_term\":\"in_advance\"}}"

static int setup(void **state)
{
    int failed = billing_setup(state);

    assert_ok(put_profile(
        NULL, "{\"tax\":{\"codes\":[{\"key\":\"vat\",\"rate\":\"19\"}],"
              "\"default\":{\"tax_code\":{\"key\":\"vat\"}}}}"));
    must_publish_card("fees", FEE("one", "10.01") "," FEE("two", "3"));
    subscribe_from("a", "fees", MARCH);
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "15.48");
    return failed;
}

static void all_of_it(void **state)
{
    (void)state;
    assert_ok(credit("INV-0001", "{\"reason\":\"the service was down\"}"));
    assert_shown("number", "CN-0001");
    assert_shown("type", "credit_note");
    assert_shown("status", "issued");
    assert_shown("reason", "the service was down");
    assert_shown("invoice.number", "INV-0001");
    assert_shown("lines.0.invoice_line", "1");
    assert_shown("lines.0.totals.total", "-11.91");
    assert_shown("lines.0.totals.taxes_exclusive_total", "-1.90");
    assert_shown("lines.0.totals.amount", "-10.01");
    assert_shown("totals.amount", "-13.01");
    assert_shown("totals.taxes_total", "-2.47");
    assert_shown("totals.total", "-15.48");
    assert_told(credit("INV-0001", "{\"reason\":\"x\"}"), MET_E_CONFLICT,
                "credit_note", "nothing is left");
    assert_told(credit("CN-0001", "{\"reason\":\"x\"}"), MET_E_CONFLICT,
                "invoice", "credit note");
    assert_ok(get("INV-0001"));
    assert_shown("status", "issued");
    assert_shown("totals.total", "15.48");
}

/* Parts sum up to the whole, taxes too. */
static void in_parts(void **state)
{
    met_decimal sum = met__decimal_zero();
    met_decimal tax = met__decimal_zero();
    met_decimal part;
    char request[64];

    (void)state;
    for (int i = 0; i < 15; i++) {
        assert_ok(credit("INV-0001", "{\"reason\":\"x\",\"amount\":\"1\"}"));
        assert_shown("totals.total", "-1.00");
        met__decimal_parse(met__text_z(shown("totals.taxes_total")), &part);
        met__decimal_add(tax, part, &tax);
    }
    snprintf(request, sizeof request,
             "{\"reason\":\"x\",\"amount\":\"0.49\"}");
    assert_told(credit("INV-0001", request), MET_E_INVALID,
                "credit_note.amount", "more than is left");
    assert_ok(credit("INV-0001", "{\"reason\":\"the rest\"}"));
    assert_shown("totals.total", "-0.48");
    assert_shown("number", "CN-0016");
    met__decimal_parse(met__text_z(shown("totals.taxes_total")), &part);
    met__decimal_add(tax, part, &tax);
    met__decimal_parse(MET__TEXT("-2.47"), &sum);
    assert_int_equal(met__decimal_compare(tax, sum), 0);
}

static void by_line(void **state)
{
    (void)state;
    assert_ok(credit("INV-0001",
                     "{\"reason\":\"x\",\"lines\":[{\"line\":2},{\"line\":1,"
                     "\"amount\":\"0.01\"}]}"));
    assert_shown("lines.0.key", "one");
    assert_shown("lines.0.totals.total", "-0.01");
    assert_shown("lines.1.totals.total", "-3.57");
    assert_told(credit("INV-0001",
                       "{\"reason\":\"x\",\"lines\":[{\"line\":2}]}"),
                MET_E_INVALID, "credit_note.lines[0].amount", "above 0");
    assert_told(credit("INV-0001",
                       "{\"reason\":\"x\",\"lines\":[{\"line\":1,\"amount\":"
                       "\"12\"}]}"),
                MET_E_INVALID, "credit_note.lines[0].amount", "left");
    assert_told(credit("INV-0001",
                       "{\"reason\":\"x\",\"lines\":[{\"line\":1,\"amount\":"
                       "\"1\"},{\"line\":1,\"amount\":\"1\"}]}"),
                MET_E_INVALID, "credit_note.lines[1].line", "twice");
    assert_told(credit("INV-0001",
                       "{\"reason\":\"x\",\"lines\":[{\"line\":3}]}"),
                MET_E_INVALID, "credit_note.lines[0].line", "");
}

static void wrong_requests(void **state)
{
    static const struct {
        const char *json;
        const char *field;
        const char *reason;
    } cases[] = {
        {"{}", "credit_note.reason", ""},
        {"{\"reason\":\"\"}", "credit_note.reason", ""},
        {"{\"reason\":\"x\",\"amount\":\"0\"}", "credit_note.amount",
         "above 0"},
        {"{\"reason\":\"x\",\"amount\":\"-1\"}", "credit_note.amount",
         "above 0"},
        {"{\"reason\":\"x\",\"amount\":\"1.001\"}", "credit_note.amount",
         "decimals"},
        {"{\"reason\":\"x\",\"amount\":\"1\",\"lines\":[]}",
         "credit_note.amount", "lines"},
        {"{\"reason\":\"x\",\"more\":1}", "credit_note.more", ""},
        {"[]", "credit_note", ""},
    };

    (void)state;
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_told(credit("INV-0001", cases[i].json), MET_E_INVALID,
                    cases[i].field, cases[i].reason);
    }
    assert_told(credit("INV-0002", "{\"reason\":\"x\"}"), MET_E_NOT_FOUND,
                "id", "INV-0002");
    assert_true(stored_digest() == before);
    assert_ok(act("INV-0001", "void"));
    assert_told(credit("INV-0001", "{\"reason\":\"x\"}"), MET_E_CONFLICT,
                "invoice", "voided");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(all_of_it),
        CASE(in_parts),
        CASE(by_line),
        CASE(wrong_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

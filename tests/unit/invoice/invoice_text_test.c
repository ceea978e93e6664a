/* An invoice for people: what it looks like, and documents that are none. */
#include "unit/invoice/render_support.h"

static const char *render(const char *json)
{
    return render_by(met__invoice_text, json);
}

#define RULE                                             \
    "----------------------------------------"           \
    "----------------------------------------\n"

static void the_story(void **state)
{
    static const char json[] =
        "{\"id\":\"01K\",\"number\":\"INV-0001\",\"status\":\"issued\","
        "\"currency\":\"USD\",\"customer\":{\"id\":\"x\",\"key\":\"rosario\","
        "\"name\":\"Rosario\"},\"service_period\":{\"from\":"
        "\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\"},"
        "\"created_at\":\"2026-02-01T00:05:00Z\","
        "\"issued_at\":\"2026-02-01T00:05:00Z\",\"lines\":[{\"key\":"
        "\"example_service\",\"name\":\"Example service\",\"plan\":{\"key\":"
        "\"premium\",\"name\":\"Premium\",\"version\":1},\"period\":{\"from\":"
        "\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\"},"
        "\"quantity\":\"5001\",\"price\":{\"type\":\"package\"},"
        "\"detailed_lines\":[{\"name\":\"Example service: usage in period\","
        "\"explanation\":\"2 packages of 5000 x 1\",\"totals\":{\"amount\":"
        "\"2.00\",\"total\":\"2.00\"}}],\"totals\":{\"amount\":\"2.00\","
        "\"total\":\"2.00\"}}],\"totals\":{\"amount\":\"2.00\","
        "\"charges_total\":\"0.00\",\"total\":\"2.00\"}}";

    (void)state;
    assert_string_equal(
        render(json),
        "INVOICE INV-0001                     "
        "                 issued 2026-02-01 00:05:00\n"
        "Rosario (rosario)                    "
        "                   2026-01-01 to 2026-02-01\n" RULE
        "Example service (Premium)            "
        "                                       2.00\n"
        "  2026-01-01 to 2026-02-01, quantity 5001\n"
        "  2 packages of 5000 x 1\n" RULE
        "Total                                "
        "                                   2.00 USD\n");
}

static void discounts_and_commitments_are_shown(void **state)
{
    const char *text = render(
        "{\"status\":\"draft\",\"lines\":[{\"name\":\"API\",\"totals\":"
        "{\"total\":\"90.00\"},\"detailed_lines\":[{\"name\":\"API: usage\","
        "\"totals\":{\"amount\":\"50.00\"},\"discounts\":[{\"reason\":"
        "\"ratecard_percentage\",\"amount\":\"10.00\"}]},{\"name\":"
        "\"API: minimum spend\",\"totals\":{\"amount\":\"0.00\","
        "\"charges_total\":\"50.00\"}}]}],\"totals\":{\"amount\":\"50.00\","
        "\"charges_total\":\"50.00\",\"discounts_total\":\"10.00\","
        "\"credits_total\":\"0.00\",\"total\":\"90.00\"}}");

    (void)state;
    assert_non_null(strstr(text, "INVOICE (draft)"));
    assert_non_null(strstr(text, "\n    less discount"));
    assert_non_null(strstr(text, " -10.00\n"));
    assert_non_null(strstr(text, "  API: minimum spend"));
    assert_non_null(strstr(text, "Subtotal"));
    assert_non_null(strstr(text, "Commitments"));
    assert_non_null(strstr(text, "Discounts"));
    assert_null(strstr(text, "Credits"));
    assert_non_null(strstr(text, " 90.00\n"));
}

static void corrections_say_so(void **state)
{
    const char *text = render(
        "{\"lines\":[{\"name\":\"API\",\"period\":{\"from\":"
        "\"2026-01-01T00:00:30Z\",\"to\":\"2026-02-01T00:00:00.5Z\"},"
        "\"is_correction\":true,\"quantity\":\"1\",\"quantity_total\":"
        "\"5001\",\"quantity_billed_before\":\"5000\",\"totals\":{\"total\":"
        "\"1.00\"}},{\"name\":\"Fee\","
        "\"price\":{\"type\":\"flat\"},\"quantity\":\"1\",\"period\":"
        "{\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\"},"
        "\"is_open\":true}],\"totals\":{}}");

    (void)state;
    assert_non_null(strstr(text, "  2026-01-01 00:00:30 to "
                                 "2026-02-01 00:00:00, quantity 1\n"
                                 "  late usage: 5001 in all, 5000 billed "
                                 "before\n"));
    assert_non_null(
        strstr(text, "  2026-01-01 to 2026-02-01\n  still running\n"));
}

static void nothing_to_pay(void **state)
{
    (void)state;
    assert_non_null(strstr(render("{\"lines\":[],\"totals\":{\"total\":"
                                  "\"0.00\"},\"currency\":\"USD\"}"),
                           "Nothing to pay.\n"));
}

/* No line is wider than 80 columns, whatever the texts are, and nothing in
 * them reaches the terminal as a control. */
static void assert_tame(const char *text)
{
    size_t column = 0;

    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '\n') {
            column = 0;
        } else {
            assert_true(byte >= 0x20 && byte != 0x7f);
            column += (byte & 0xc0) != 0x80;
            assert_true(column <= 80);
        }
    }
}

static void hostile_texts_are_tamed(void **state)
{
    static const char *const texts[] = {
        "\\u001b[2Jx\\r\\n\\t\\u007f\\u0085\\u009b31m",
        ("ÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüßÄÖÜäöü"
         "ßÄÖÜäöüßÄÖÜäöüßÄÖÜäöüß"),
        "日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語",
        "", "a", "\\ud83d\\ude00"};
    char json[4096];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *t = texts[i];
        snprintf(json, sizeof json,
                 "{\"number\":\"%s\",\"status\":\"%s\",\"currency\":\"%s\","
                 "\"issued_at\":\"%s\",\"customer\":{\"key\":\"%s\",\"name\":"
                 "\"%s\"},\"service_period\":{\"from\":\"%s\",\"to\":\"%s\"},"
                 "\"lines\":[{\"name\":\"%s\",\"plan\":{\"key\":\"%s\"},"
                 "\"quantity\":\"%s\",\"detailed_lines\":[{\"explanation\":"
                 "\"%s\"}],\"totals\":{\"total\":\"%s\"}}],\"totals\":"
                 "{\"discounts_total\":\"%s\",\"total\":\"%s\"}}",
                 t, t, t, t, t, t, t, t, t, t, t, t, t, t, t);
        assert_tame(render(json));
    }
}

/* A document of anybody: every member of another kind is as good as missing. */
static void other_kinds_are_left_out(void **state)
{
    static const char *const values[] = {"null", "1", "true", "[]", "{}",
                                         "[[]]", "[1]", "{\"from\":1}",
                                         "1.5"};
    static const char *const names[] = {
        "number", "status", "currency", "customer", "service_period",
        "issued_at", "lines", "totals"};
    static const char *const line_names[] = {
        "name", "plan", "period", "quantity", "price", "is_open",
        "is_correction", "detailed_lines", "totals", "quantity_total"};
    char json[512];

    (void)state;
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        assert_tame(render(values[v]));
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            snprintf(json, sizeof json, "{\"%s\":%s}", names[n], values[v]);
            assert_tame(render(json));
        }
        for (size_t n = 0; n < sizeof line_names / sizeof *line_names; n++) {
            snprintf(json, sizeof json, "{\"lines\":[{\"%s\":%s}]}",
                     line_names[n], values[v]);
            assert_tame(render(json));
        }
        snprintf(json, sizeof json,
                 "{\"lines\":[{\"detailed_lines\":[%s,{\"discounts\":[%s],"
                 "\"totals\":%s}]}]}",
                 values[v], values[v], values[v]);
        assert_tame(render(json));
    }
}

/* It has no quantity, and so no late usage. */
static void the_minimum_of_a_plan(void **state)
{
    const char *text = render(
        "{\"number\":\"I-1\",\"lines\":[{\"key\":\"$minimum\",\"name\":"
        "\"Pro\",\"quantity\":\"0\",\"is_correction\":true,"
        "\"quantity_total\":\"0\",\"period\":{\"from\":"
        "\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\"},"
        "\"price\":{\"type\":\"unit\"},\"detailed_lines\":[{\"explanation\":"
        "\"minimum 10, billed 0\"}],\"totals\":{\"total\":\"10.00\"}}]}");

    (void)state;
    assert_non_null(strstr(text, "\nMinimum of the plan  "));
    assert_non_null(strstr(text, "\n  2026-01-01 to 2026-02-01\n"
                                 "  what it asks beyond all other lines\n"));
}

static void notes_of_their_own(void **state)
{
    const char *text = render(
        "{\"type\":\"credit_note\",\"number\":\"C-1\",\"invoice\":{\"number\":"
        "\"I-1\"},\"reason\":\"too much\",\"lines\":[],\"totals\":{}}");

    (void)state;
    assert_non_null(strstr(text, "CREDIT NOTE C-1"));
    assert_non_null(strstr(text, "\nfor invoice I-1: too much\n"));
    text = render("{\"number\":\"I-1\",\"status\":\"voided\",\"due_at\":"
                  "\"2026-03-01T00:00:00Z\",\"lines\":[],\"totals\":{}}");
    assert_non_null(strstr(text, "\nVOIDED: nothing is to be paid\n"));
    text = render(RICH);
    assert_non_null(strstr(text, " due 2026-03-03 00:05:00\n"));
    assert_non_null(strstr(text, "\nTaxes  "));
    assert_non_null(strstr(text, "\nTaxes, included above  "));
    assert_tame(text);
}

static void memory_runs_out(void **state)
{
    (void)state;
    sweep_render(met__invoice_text, RICH);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, render_setup)
    const struct CMUnitTest tests[] = {
        CASE(the_story),
        CASE(discounts_and_commitments_are_shown),
        CASE(corrections_say_so),
        CASE(nothing_to_pay),
        CASE(hostile_texts_are_tamed),
        CASE(other_kinds_are_left_out),
        CASE(notes_of_their_own),
        CASE(the_minimum_of_a_plan),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

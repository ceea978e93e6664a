/* An invoice as a page: what it says, that nothing in it can be more than text,
 * and that it stands alone. */
#include "unit/invoice/render_support.h"

static const char *page_of(const char *json)
{
    return render_by(met__invoice_html, json);
}

static void assert_has(const char *page, const char *part)
{
    if (strstr(page, part) == NULL) {
        fail_msg("\"%s\" is not in the page", part);
    }
}

static void assert_lacks(const char *page, const char *part)
{
    if (strstr(page, part) != NULL) {
        fail_msg("\"%s\" is in the page", part);
    }
}

static void everything_is_there(void **state)
{
    const char *page = page_of(RICH);

    (void)state;
    assert_has(page, "<!DOCTYPE html>");
    assert_has(page, "<title>Invoice INV-7</title>");
    assert_has(page, "<b><bdi>Acme</bdi></b><br><bdi>Street 1</bdi><br>"
                     "<bdi>City</bdi><br>Tax ID <bdi>T1</bdi>");
    assert_has(page, "<th>Issued</th><td>1 February 2026</td>");
    assert_has(page, "<th>Period</th><td>1 \xe2\x80\x93 31 January 2026</td>");
    assert_has(page, "Total, due 3 March 2026</span><b>13.97\xc2\xa0USD</b>");
    assert_has(page, "late usage</span>");
    assert_has(page, "still running</span>");
    assert_has(page, ", the share of 1 \xe2\x80\x93 31 January 2026");
    assert_has(page, "<td class=\"n\">1,234,567</td>");
    assert_has(page, "<li><bdi>Up to 1,000: 5 once.</bdi></li>");
    assert_has(page, "<li><bdi>Above 1,000: 0.002 each.</bdi></li>");
    assert_has(page, "<bdi>usage in period</bdi></td><td class=\"n\">2</td>"
                     "<td class=\"n\">3</td><td class=\"n\">6.00</td>");
    assert_has(page, "<bdi>Other</bdi>: <bdi>3 packages of 5 x 2</bdi>");
    assert_has(page, "less <bdi>discount</bdi></td><td class=\"n\">"
                     "\xe2\x88\x92"
                     "1.00</td>");
    assert_has(page, "<bdi>VAT of 27 %</bdi></td><td class=\"n\">2.97</td>");
    assert_has(page, "<td>Taxes in it</td><td class=\"n\">0.50</td>");
}

static void usage_is_drawn(void **state)
{
    const char *page = page_of(RICH);

    (void)state;
    assert_has(page, "<svg ");
    assert_has(page, "<title>2 Jan 2026: 12</title>");
    assert_lacks(page, "<title>1 Jan 2026");
    assert_lacks(page, "<title>3 Jan 2026"); /* below nothing is no bar */
    assert_has(page, "height=\"0.40\"><title>4 Jan 2026: 0.0001</title>");
    assert_has(page, ">300</text>"); /* the scale above 210 */
    assert_has(page, ">150</text>");
    assert_has(page, "<td><bdi>/a</bdi></td><td class=\"n\">75</td>"
                     "<td class=\"n\">75.0\xc2\xa0%</td>");
    assert_has(page, "<td>(none)</td>");
    assert_has(page, "<td>7 others</td><td class=\"n\">20</td>");
    assert_lacks(page_of("{\"lines\":[{\"name\":\"x\"}],\"totals\":{}}"),
                 "<svg");
}

static void texts_are_only_text(void **state)
{
    const char *page = page_of(
        "{\"number\":\"<b>\",\"customer\":{\"key\":\"\\\"'&\",\"name\":"
        "\"<script>alert(1)</script>\\u202egnp\\u2066\\u0007\"},\"currency\":"
        "\"<i>\",\"reason\":\"<u>\",\"issued_at\":\"<s>\",\"lines\":[{\"name\":"
        "\"<em>\",\"plan\":{\"name\":\"<p>\"},\"period\":{\"from\":\"<q>\","
        "\"to\":\"<q>\"},\"quantity\":\"<a>\",\"price\":{\"type\":\"unit\","
        "\"amount\":\"<x>\"},\"detailed_lines\":[{\"name\":\"<y>\","
        "\"explanation\":\"<z>\",\"discounts\":[{\"reason\":\"<w>\",\"amount\":"
        "\"<v>\"}]}],\"usage\":{\"by_dimension\":[{\"dimension\":\"<k>\","
        "\"values\":[{\"value\":\"<l>\",\"quantity\":\"1\"}]}]}}],"
        "\"billing_profile\":{\"supplier\":{\"name\":\"<m>\",\"tax_id\":"
        "\"<n>\",\"address\":\"<o>\"}},\"totals\":{\"total\":\"<t>\"}}");

    (void)state;
    assert_has(page, "&lt;script&gt;alert(1)&lt;/script&gt;\xef\xbf\xbdgnp"
                     "\xef\xbf\xbd\xef\xbf\xbd");
    assert_has(page, "&quot;&#39;&amp;");
    static const char names[] = "iusqaxyzwvklmnot";
    for (size_t i = 0; names[i] != '\0'; i++) {
        char escaped[16];
        snprintf(escaped, sizeof escaped, "&lt;%c&gt;", names[i]);
        assert_has(page, escaped);
    }
    assert_lacks(page, "<script");
    assert_lacks(page, "\xe2\x80\xae");
}

/* No script, no link, nothing that a browser would load. */
static void it_stands_alone(void **state)
{
    static const char *const forbidden[] = {
        "<script", "<link", "<img", "<iframe", "@import", "url(", "href",
        "src=",    "onload", "http:", "https:"};
    const char *page = page_of(RICH);
    char copy[65536];

    (void)state;
    /* The name of SVG is no address. */
    snprintf(copy, sizeof copy, "%s", page);
    char *name;
    while ((name = strstr(copy, "http://www.w3.org/2000/svg")) != NULL) {
        memset(name, ' ', 26);
    }
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        assert_lacks(copy, forbidden[i]);
    }
    assert_has(page, "default-src 'none'");
}

static void the_same_gives_the_same(void **state)
{
    static char first[65536];

    (void)state;
    snprintf(first, sizeof first, "%s", page_of(RICH));
    assert_string_equal(first, page_of(RICH));
}

static void one_part_is_in_the_line_itself(void **state)
{
    const char *page = page_of(
        "{\"lines\":[{\"name\":\"API\",\"quantity\":\"5\",\"detailed_lines\":"
        "[{\"name\":\"API: usage in period\",\"explanation\":\"5 x 2\","
        "\"quantity\":\"5\",\"per_unit_amount\":\"2\",\"totals\":{\"amount\":"
        "\"10.00\"}}],\"totals\":{\"total\":\"10.0\"}}],\"totals\":{}}");

    (void)state;
    assert_has(page, "<td class=\"n\">5</td><td class=\"n\">2</td>"
                     "<td class=\"n total\">10.0</td>");
    assert_lacks(page, "usage in period");
}

/* What a name says its explanation need not say again. */
static void a_tier_is_said_once(void **state)
{
    const char *page = page_of(
        "{\"lines\":[{\"name\":\"API\",\"detailed_lines\":["
        "{\"name\":\"API: usage price for tier 1\",\"explanation\":"
        "\"tier 1: 5 x 2\",\"quantity\":\"5\",\"per_unit_amount\":\"2\"},"
        "{\"name\":\"API: flat price for tier 1\",\"explanation\":"
        "\"tier 1: entered\"},"
        "{\"name\":\"API: flat price for tier 1\",\"explanation\":"
        "\"tier 2: other\"},"
        "{\"name\":\"r 1\",\"explanation\":\"tier 1: whole\"}],"
        "\"totals\":{}}],\"totals\":{}}");

    (void)state;
    assert_has(page, "<bdi>usage price for tier 1</bdi></td>");
    assert_has(page, "tier 1</bdi>: <bdi>entered</bdi></td>");
    assert_has(page, "tier 1</bdi>: <bdi>tier 2: other</bdi></td>");
    assert_has(page, "r 1</bdi>: <bdi>tier 1: whole</bdi></td>");
}

static void kinds_of_documents(void **state)
{
    const char *page;

    (void)state;
    page = page_of("{\"status\":\"draft\",\"lines\":[],\"totals\":{\"total\":"
                   "\"0.00\"}}");
    assert_has(page, "<div class=\"mark\" aria-hidden=\"true\">draft</div>");
    assert_has(page, "Draft, not issued");
    assert_has(page, "Total so far");
    assert_has(page, "Nothing to pay.");
    page = page_of("{\"status\":\"voided\",\"number\":\"I-1\",\"lines\":[],"
                   "\"totals\":{}}");
    assert_has(page, ">voided</div>");
    assert_has(page, "nothing is to be paid");
    page = page_of("{\"status\":\"paid\",\"lines\":[],\"totals\":{}}");
    assert_has(page, "Total, paid");
    assert_lacks(page, "class=\"mark\"");
    page = page_of("{\"type\":\"credit_note\",\"status\":\"issued\",\"number\":"
                   "\"C-1\",\"invoice\":{\"number\":\"I-1\"},\"reason\":\"too "
                   "much\",\"lines\":[{\"name\":\"API\",\"totals\":{\"total\":"
                   "\"-1234.5\"}}],\"totals\":{\"total\":\"-1234.5\"}}");
    assert_has(page, "<h1>Credit note</h1>");
    assert_has(page, "<th>For invoice</th><td>I-1</td>");
    assert_has(page, "<bdi>too much</bdi>");
    assert_has(page, "\xe2\x88\x92"
                     "1,234.5");
}

static void periods_say_their_days(void **state)
{
    static const char *const periods[][3] = {
        {"2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", ">31 January 2026<"},
        {"2026-01-31T00:00:00Z", "2026-02-02T00:00:00Z",
         ">31 January \xe2\x80\x93 1 February 2026<"},
        {"2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z",
         ">31 December 2025 \xe2\x80\x93 1 January 2026<"},
        {"2026-01-01T10:30:00Z", "2026-01-02T00:00:30Z",
         ">1 January 2026, 10:30 UTC \xe2\x80\x93 2 January 2026, 00:00:30 "
         "UTC<"},
        {"2026-01-11T12:00:00Z", "2026-01-31T00:00:00Z",
         ">11 January 2026, 12:00 UTC \xe2\x80\x93 31 January 2026, 00:00 "
         "UTC<"},
        {"2026-01-11T00:00:00Z", "2026-01-31T08:00:00Z",
         ">11 January 2026, 00:00 UTC \xe2\x80\x93 31 January 2026, 08:00 "
         "UTC<"},
        {"2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z",
         ">2 January 2026 \xe2\x80\x93 1 January 2026<"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        char json[256];
        snprintf(json, sizeof json,
                 "{\"service_period\":{\"from\":\"%s\",\"to\":\"%s\"},"
                 "\"lines\":[],\"totals\":{}}",
                 periods[i][0], periods[i][1]);
        assert_has(page_of(json), periods[i][2]);
    }
}

/* Documents that are none: nothing is assumed of any member. */
static void what_is_odd_is_left_out(void **state)
{
    static const char *const odd[] = {
        "{}", "[]", "7", "\"x\"", "null", "{\"lines\":7,\"totals\":[]}",
        "{\"lines\":[7,null,[],{\"usage\":7},{\"usage\":{\"by_day\":7}},"
        "{\"usage\":{\"by_day\":{\"from\":\"x\",\"quantities\":[1]}}},"
        "{\"usage\":{\"by_day\":{\"from\":\"2026-01-01T00:00:00Z\","
        "\"quantities\":[7,\"x\",null]},\"by_dimension\":[7,{\"values\":[7]}]}"
        "}],\"totals\":{}}",
        "{\"lines\":[{\"price\":{\"type\":\"graduated\",\"tiers\":[7,{}]},"
        "\"detailed_lines\":[7,{\"discounts\":[7]}],\"discounts\":7,"
        "\"unit_config\":{},\"tax\":{},\"full_period\":{}}],\"totals\":{}}"};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_has(page_of(odd[i]), "</html>");
    }
}

static void a_chart_takes_any_number(void **state)
{
    static const char *const values[] = {
        "0.000000001", "1", "999999999999999999999999999999",
        "123456789.123456789"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char json[512];
        snprintf(json, sizeof json,
                 "{\"lines\":[{\"usage\":{\"by_day\":{\"from\":"
                 "\"2026-01-01T00:00:00Z\",\"quantities\":[\"%s\"]}}}],"
                 "\"totals\":{}}",
                 values[i]);
        assert_has(page_of(json), "<title>1 Jan 2026: ");
    }
    /* A year fits, more does not. */
    for (int days = 366; days < 500; days += 100) {
        static char json[8192];
        int size = snprintf(json, sizeof json,
                            "{\"lines\":[{\"usage\":{\"by_day\":{\"from\":"
                            "\"2026-01-01T00:00:00Z\",\"quantities\":[\"1\"");
        for (int i = 1; i < days; i++) {
            size += snprintf(json + size, sizeof json - (size_t)size,
                             ",\"2\"");
        }
        snprintf(json + size, sizeof json - (size_t)size,
                 "]}}}],\"totals\":{}}");
        const char *page = page_of(json);
        assert_true((strstr(page, "<svg") != NULL) == (days == 366));
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    sweep_render(met__invoice_html, RICH);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, render_setup)
    const struct CMUnitTest tests[] = {
        CASE(everything_is_there),
        CASE(usage_is_drawn),
        CASE(texts_are_only_text),
        CASE(it_stands_alone),
        CASE(the_same_gives_the_same),
        CASE(one_part_is_in_the_line_itself),
        CASE(a_tier_is_said_once),
        CASE(kinds_of_documents),
        CASE(periods_say_their_days),
        CASE(what_is_odd_is_left_out),
        CASE(a_chart_takes_any_number),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How a price applied, in words: every kind of price, and what goes with it. */
#include "invoice/invoice_view.h"
#include "unit/invoice/render_support.h"

static void explain(const met__node *line, met__buffer *buffer)
{
    met__view_explain(line, buffer);
}

static const struct sentence {
    const char *line;
    const char *words;
} sentences[] = {
#define PRICE(members) "{\"price\":{" members "}}"
    {PRICE("\"type\":\"free\""), ""},
    {PRICE("\"type\":\"flat\",\"amount\":\"4999.90\",\"payment_term\":"
           "\"in_advance\""),
     "A fee of 4,999.90, billed in advance.\n"},
    {PRICE("\"type\":\"flat\",\"amount\":\"5\""),
     "A fee of 5, billed in arrears.\n"},
    {PRICE("\"type\":\"unit\",\"amount\":\"0.0002\""),
     "0.0002 for each unit.\n"},
    {PRICE("\"type\":\"package\",\"amount\":\"1\",\"quantity_per_package\":"
           "\"5000\""),
     "1 for each package of 5,000 that is begun.\n"},
    {PRICE("\"type\":\"graduated\",\"tiers\":[{\"up_to\":\"1000\"},{\"up_to\":"
           "\"10000\",\"unit\":\"0.004\"},{\"unit\":\"0.002\",\"flat\":"
           "\"7\"}]"),
     "Each tier at its own price:\n"
     "Up to 1,000: free.\n"
     "Above 1,000 up to 10,000: 0.004 each.\n"
     "Above 10,000: 0.002 each and 7 once.\n"},
    {PRICE("\"type\":\"volume\",\"tiers\":[{\"unit\":\"2\"}]"),
     "Everything at the price of the tier that the total reaches:\n"
     "All: 2 each.\n"},
    {PRICE("\"type\":\"graduated_percentage\",\"tiers\":[{\"up_to\":\"10\","
           "\"percentage\":\"2\"},{\"percentage\":\"1\",\"flat\":\"10\"}]"),
     "Each tier at its own price:\n"
     "Up to 10: 2 %.\n"
     "Above 10: 1 % and 10 once.\n"},
    {PRICE("\"type\":\"stairstep\",\"tiers\":[{\"up_to\":\"100\",\"flat\":"
           "\"10\"},{\"flat\":\"80\"}]"),
     "One amount for the step that the total reaches:\n"
     "Up to 100: 10 once.\n"
     "Above 100: 80 once.\n"},
    {PRICE("\"type\":\"dynamic\",\"multiplier\":\"1.2\""),
     "The metered amount times 1.2.\n"},
    {PRICE("\"type\":\"percentage\",\"percentage\":\"1.5\",\"fixed_amount\":"
           "\"0.25\",\"free_units\":\"1000\",\"free_events\":\"10\""),
     "1.5 % of the metered amount, and 0.25 for each event.\n"
     "The first 1,000 of the amount are free.\n"
     "The first 10 events are free of the fixed amount.\n"},
    {PRICE("\"type\":\"matrix\",\"dimension\":\"model\",\"values\":[{\"value\":"
           "\"small\",\"amount\":\"0.001\"}],\"default_amount\":\"0.01\""),
     "By model:\nsmall: 0.001 each.\nOthers: 0.01 each.\n"},
    {"{\"key\":\"$minimum\",\"is_correction\":true,\"quantity_total\":"
     "\"0\",\"price\":{\"type\":\"unit\",\"amount\":\"0\","
     "\"commitments\":{\"minimum\":\"10\"}}}",
     "What the plan's minimum asks beyond all other lines of the billing "
     "period.\n"},
    {"{\"price\":{\"type\":\"unit\",\"amount\":\"1\",\"commitments\":{"
     "\"minimum\":\"10\",\"maximum\":\"500\"}},\"discounts\":{\"usage\":"
     "\"100\",\"percentage\":\"10\"}}",
     "1 for each unit.\nThe first 100 units are free.\n10 % off.\n"
     "At least 10, at most 500 in a full period.\n"},
    {"{\"price\":{\"type\":\"unit\",\"amount\":\"1\",\"commitments\":{"
     "\"minimum\":\"0\",\"maximum\":\"500\"}}}",
     "1 for each unit.\nAt most 500 in a full period.\n"},
    {"{\"unit_config\":{\"operation\":\"divide\",\"conversion_factor\":"
     "\"1000\",\"rounding\":\"ceiling\",\"display_unit\":\"thousands\"}}",
     "Counted in thousands: what is metered, divided by 1,000, rounded up.\n"},
    {"{\"unit_config\":{\"operation\":\"multiply\",\"conversion_factor\":"
     "\"2\",\"rounding\":\"floor\"}}",
     "Counted in other units: what is metered, times 2, rounded down.\n"},
    {"{\"is_correction\":true,\"quantity_total\":\"5001\","
     "\"quantity_billed_before\":\"5000\"}",
     "Usage that came in late: 5,001 in all, 5,000 billed before.\n"},
    {"{\"quantity_total\":\"7\",\"quantity_billed_before\":\"5\"}",
     "Billed in parts: 7 in all, 5 billed before.\n"},
    {"{\"tax\":{\"code\":\"vat\",\"rate\":\"27\"},\"totals\":{"
     "\"taxes_inclusive_total\":\"1.00\"}}",
     "vat of 27 % is included.\n"},
    {"{\"tax\":{\"code\":\"vat\",\"rate\":\"27\"},\"totals\":{"
     "\"taxes_exclusive_total\":\"1.00\"}}",
     ""},
};

static void every_kind_of_price(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        assert_string_equal(render_by(explain, sentences[i].line),
                            sentences[i].words);
    }
}

static void long_lists_end(void **state)
{
    static char json[16384];

    (void)state;
    for (int count = 20; count <= 22; count++) {
        int size = snprintf(json, sizeof json,
                            "{\"price\":{\"type\":\"matrix\",\"dimension\":"
                            "\"d\",\"values\":[");
        for (int i = 0; i < count; i++) {
            size += snprintf(json + size, sizeof json - (size_t)size,
                             "%s{\"value\":\"v%d\",\"amount\":\"1\"}",
                             i > 0 ? "," : "", i);
        }
        snprintf(json + size, sizeof json - (size_t)size, "]}}");
        const char *text = render_by(explain, json);
        assert_true((strstr(text, "v20: 1 each.\n") != NULL) == (count == 21));
        assert_true((strstr(text, "v19: 1 each.\n2 more.\n") != NULL)
                    == (count == 22));
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    sweep_render(explain, RICH_LINE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, render_setup)
    const struct CMUnitTest tests[] = {
        CASE(every_kind_of_price),
        CASE(long_lists_end),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

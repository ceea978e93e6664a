/* A price of every event: what is free of it, and what cannot be counted. */
#include "unit/rating/rating_support.h"

#define CARD                                                                   \
    "{'price': {'type': 'percentage', 'percentage': '1.5', 'fixed_amount': "   \
    "'0.2', 'free_units': '100', 'free_events': '3'}}"

static void leaves_the_first_ones_out(void **state)
{
    static const struct {
        const char *before;
        const char *quantity;
        const char *events_before;
        const char *events;
        const char *expected;
    } rows[] = {
        {"0", "100", "0", "3", ""},
        {"0", "101", "0", "4",
         "percentage-usage: 1 x 0.015 = 0.02; percentage-events: 1 x 0.2 = "
         "0.2"},
        {"100", "0", "3", "0", ""},
        {"99", "2", "2", "2",
         "percentage-usage: 1 x 0.015 = 0.02; percentage-events: 1 x 0.2 = "
         "0.2"},
        {"150", "50", "9", "1",
         "percentage-usage: 50 x 0.015 = 0.75; percentage-events: 1 x 0.2 = "
         "0.2"},
        {"0", "0", "4", "2", "percentage-events: 2 x 0.2 = 0.4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__rate_input input = input_of(CARD, rows[i].quantity);
        input.quantity_before = decimal_of(rows[i].before);
        input.has_events = 1;
        input.events = decimal_of(rows[i].events);
        input.events_before = decimal_of(rows[i].events_before);
        assert_string_equal(lines_of(rate(&input)), rows[i].expected);
    }
}

static void refuses_what_cannot_be_counted(void **state)
{
    static const struct {
        int has_events;
        const char *events;
        const char *before;
        met_error error;
    } rows[] = {
        {0, "1", "0", MET_E_INVALID},
        {1, "-1", "0", MET_E_INVALID},
        {1, "1", "-1", MET_E_INVALID},
        {1, "9999999999999999999999999999999999", "2", MET_E_OVERFLOW},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__rate_input input = input_of(CARD, "5");
        met__rated *rated = NULL;
        met_error_info info = {.struct_size = sizeof info};
        input.has_events = rows[i].has_events;
        input.events = decimal_of(rows[i].events);
        input.events_before = decimal_of(rows[i].before);
        assert_int_equal(met__rate(&input, &arena, &rated, &info),
                         rows[i].error);
        assert_null(rated);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_the_first_ones_out,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_what_cannot_be_counted,
                                        begin_memory, end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Steps around the price: credits over lines, conversion of units. */
#include "unit/rating/rating_support.h"

static met__line line_of(const char *amount)
{
    met__line line = {.child_id = MET__TEXT("a"),
                      .quantity = decimal_of("1"),
                      .per_unit_amount = decimal_of("1")};

    met__totals_clear(&line.totals);
    line.totals.amount = decimal_of(amount);
    line.totals.total = decimal_of(amount);
    return line;
}

/* Neither what costs nothing nor what gives money back takes a credit. */
static void passes_over_lines_without_cost(void **state)
{
    met__line lines[] = {line_of("0"), line_of("-5"), line_of("3"),
                         line_of("4")};
    met_decimal credits[] = {decimal_of("2"), decimal_of("3")};
    met__currency currency = currency_of("USD");

    (void)state;
    assert_int_equal(
        met__apply_credits(lines, 4, credits, 2, &currency, &arena), MET_OK);
    assert_int_equal(lines[0].credit_count, 0);
    assert_int_equal(lines[1].credit_count, 0);
    assert_string_equal(text_of(lines[1].totals.total), "-5");
    assert_int_equal(lines[2].credit_count, 2);
    assert_string_equal(text_of(lines[2].credits[0]), "2");
    assert_string_equal(text_of(lines[2].credits[1]), "1");
    assert_string_equal(text_of(lines[2].totals.total), "0");
    assert_int_equal(lines[3].credit_count, 1);
    assert_string_equal(text_of(lines[3].totals.total), "2");
}

static void refuses_more_than_the_lines(void **state)
{
    met__line lines[] = {line_of("3"), line_of("-1")};
    met_decimal credit = decimal_of("3.01");
    met__currency currency = currency_of("USD");

    (void)state;
    assert_int_equal(
        met__apply_credits(lines, 2, &credit, 1, &currency, &arena),
        MET_E_CONFLICT);
    assert_int_equal(lines[0].credit_count, 0);
    assert_string_equal(text_of(lines[0].totals.total), "3");
}

/* More places than a decimal has round nothing. */
static void rounds_to_any_precision(void **state)
{
    met__unit_config config = {.operation = MET__CONVERT_DIVIDE,
                               .rounding = MET_ROUND_CEILING,
                               .factor = decimal_of("4")};
    met_decimal exact;
    met_decimal billed;

    (void)state;
    config.places = INT32_MAX;
    assert_int_equal(
        met__convert_units(&config, decimal_of("5"), &exact, &billed), MET_OK);
    assert_string_equal(text_of(exact), "1.25");
    assert_string_equal(text_of(billed), "1.25");
    config.places = 1;
    assert_int_equal(
        met__convert_units(&config, decimal_of("5"), &exact, &billed), MET_OK);
    assert_string_equal(text_of(exact), "1.25");
    assert_string_equal(text_of(billed), "1.3");
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(passes_over_lines_without_cost),
        TEST(refuses_more_than_the_lines),
        TEST(rounds_to_any_precision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One line of every price model, and the steps around it in their order. */
#include "unit/rating/rating_support.h"

#define SINGLE 3
#define FIRST 1
#define LAST 2
#define MIDDLE 0

typedef struct row {
    const char *why;
    const char *card;
    const char *quantity;
    const char *before; /* NULL: 0 */
    int position;
    const char *billed; /* NULL: 0 */
    const char *lines;
} row;

#define UNIT(amount) "{'price': {'type': 'unit', 'amount': '" amount "'}}"
#define PACKAGE                                                                \
    "{'price': {'type': 'package', 'amount': '1', "                            \
    "'quantity_per_package': '5000'}}"
#define TIERS                                                                  \
    "'tiers': [{'up_to': '10', 'unit': '1', 'flat': '5'}, "                    \
    "{'unit': '2', 'flat': '7'}]"
#define GRADUATED "{'price': {'type': 'graduated', " TIERS "}}"
#define VOLUME "{'price': {'type': 'volume', " TIERS "}}"
#define ENTRY                                                                  \
    "{'price': {'type': 'graduated', 'tiers': [{'up_to': '0', 'flat': "        \
    "'5'}, {'unit': '1'}]}}"
#define G1 "graduated-tiered-1-price-usage: "
#define G1F "graduated-tiered-1-flat-price: "
#define G2 "graduated-tiered-2-price-usage: "
#define G2F "graduated-tiered-2-flat-price: "

#define PERCENTAGE(more)                                                       \
    "{'price': {'type': 'percentage', 'percentage': '2.9'" more "}}"
#define SHARES                                                                 \
    "{'price': {'type': 'graduated_percentage', 'tiers': [{'up_to': '500', "   \
    "'percentage': '1', 'flat': '200'}, {'percentage': '2', 'flat': "          \
    "'300'}]}}"
#define STEPS                                                                  \
    "{'price': {'type': 'stairstep', 'tiers': [{'flat': '30'}, {'up_to': "     \
    "'10', 'flat': '5'}, {'up_to': '20', 'flat': '12'}]}}"

static const row rows[] = {
    {"free is nothing", "{'price': {'type': 'free'}}", "100", NULL, SINGLE,
     NULL, ""},
    /* flat */
    {"in advance, alone",
     "{'price': {'type': 'flat', 'amount': '9.99', 'payment_term': "
     "'in_advance'}}",
     "0", NULL, SINGLE, NULL, "flat-price: 1 x 9.99 = 9.99"},
    {"in advance, not on a later split",
     "{'price': {'type': 'flat', 'amount': '9.99', 'payment_term': "
     "'in_advance'}}",
     "0", NULL, LAST, NULL, ""},
    {"in arrears, not on an earlier split",
     "{'price': {'type': 'flat', 'amount': '9.99'}}", "0", NULL, FIRST, NULL,
     ""},
    {"in arrears, last", "{'price': {'type': 'flat', 'amount': '9.99'}}", "0",
     NULL, LAST, NULL, "flat-price: 1 x 9.99 = 9.99"},
    {"half a cent goes up", "{'price': {'type': 'flat', 'amount': '0.005'}}",
     "0", NULL, SINGLE, NULL, "flat-price: 1 x 0.005 = 0.01"},
    {"a percentage off a flat price",
     "{'price': {'type': 'flat', 'amount': '10'}, 'discounts': "
     "{'percentage': '12.5'}}",
     "0", NULL, SINGLE, NULL, "flat-price: 1 x 10 = 8.75 -1.25"},
    /* percentage of an amount */
    {"a percentage", PERCENTAGE(""), "1000", NULL, SINGLE, NULL,
     "percentage-usage: 1000 x 0.029 = 29"},
    {"a percentage of nothing", PERCENTAGE(""), "0", NULL, SINGLE, NULL, ""},
    {"half a cent of a percentage", PERCENTAGE(""), "0.17241379310344827",
     NULL, SINGLE, NULL,
     "percentage-usage: 0.17241379310344827 x 0.029 = 0"},
    {"free units are the first", PERCENTAGE(", 'free_units': '100'"), "50",
     "80", SINGLE, NULL, "percentage-usage: 30 x 0.029 = 0.87"},
    {"all within the free units", PERCENTAGE(", 'free_units': '100'"), "100",
     NULL, SINGLE, NULL, ""},
    {"a percentage has a maximum",
     PERCENTAGE(", 'commitments': {'maximum': '20'}"), "1000", NULL, SINGLE,
     NULL, "percentage-usage: 1000 x 0.029 = 20 -9"},
    {"a hundred percent",
     "{'price': {'type': 'percentage', 'percentage': '100'}}", "0.01", NULL,
     SINGLE, NULL, "percentage-usage: 0.01 x 1 = 0.01"},
    {"graduated percentage, tier 1", SHARES, "500", NULL, SINGLE, NULL,
     "graduated-percentage-1-price-usage: 500 x 0.01 = 5; "
     "graduated-percentage-1-flat-price: 1 x 200 = 200"},
    {"graduated percentage, on into tier 2", SHARES, "550", "500", LAST, NULL,
     "graduated-percentage-2-price-usage: 550 x 0.02 = 11; "
     "graduated-percentage-2-flat-price: 1 x 300 = 300"},
    /* stair-step */
    {"the first step without usage", STEPS, "0", NULL, SINGLE, NULL,
     "stairstep-price: 1 x 5 = 5"},
    {"a step's bound is in it", STEPS, "10", NULL, SINGLE, NULL,
     "stairstep-price: 1 x 5 = 5"},
    {"above a step's bound", STEPS, "10.0001", NULL, SINGLE, NULL,
     "stairstep-price: 1 x 12 = 12"},
    {"the last step", STEPS, "1000", NULL, SINGLE, NULL,
     "stairstep-price: 1 x 30 = 30"},
    {"steps not before the last split", STEPS, "3", NULL, FIRST, NULL, ""},
    /* unit */
    {"no usage, no line", UNIT("0.2"), "0", NULL, SINGLE, NULL, ""},
    {"usage below 0 counts as 0", UNIT("0.2"), "-5", NULL, SINGLE, NULL, ""},
    {"per unit", UNIT("0.2"), "4000", NULL, SINGLE, NULL,
     "unit-price-usage: 4000 x 0.2 = 800"},
    {"below the subunit, price kept", UNIT("0.004"), "1", NULL, SINGLE, NULL,
     "unit-price-usage: 1 x 0.004 = 0"},
    {"rounded once", UNIT("0.005"), "3", NULL, SINGLE, NULL,
     "unit-price-usage: 3 x 0.005 = 0.02"},
    {"price 0 gives a line", UNIT("0"), "10", NULL, SINGLE, NULL,
     "unit-price-usage: 10 x 0 = 0"},
    /* package */
    {"no packages", PACKAGE, "0", NULL, SINGLE, NULL, ""},
    {"a started package is a package", PACKAGE, "5001", NULL, SINGLE, NULL,
     "usage: 2 x 1 = 2"},
    {"exactly full", PACKAGE, "5000", NULL, SINGLE, NULL, "usage: 1 x 1 = 1"},
    {"a fraction starts one", PACKAGE, "0.001", NULL, SINGLE, NULL,
     "usage: 1 x 1 = 1"},
    {"those before are paid", PACKAGE, "1", "5000", LAST, NULL,
     "usage: 1 x 1 = 1"},
    {"still inside of a paid one", PACKAGE, "4999", "1", LAST, NULL, ""},
    {"34 digits", PACKAGE, "9999999999999999999999999999999999", NULL, SINGLE,
     NULL,
     "usage: 2000000000000000000000000000000 x 1 = "
     "2000000000000000000000000000000"},
    /* dynamic */
    {"the unit amount is rounded",
     "{'price': {'type': 'dynamic', 'multiplier': '1.33333'}}", "10", NULL,
     SINGLE, NULL, "usage: 1 x 13.33 = 13.33"},
    {"nothing of nothing", "{'price': {'type': 'dynamic', 'multiplier': '2'}}",
     "0", NULL, SINGLE, NULL, ""},
    /* graduated */
    {"zero usage enters tier 1", GRADUATED, "0", NULL, SINGLE, NULL,
     G1 "0 x 1 = 0; " G1F "1 x 5 = 5"},
    {"up_to is inclusive", GRADUATED, "10", NULL, SINGLE, NULL,
     G1 "10 x 1 = 10; " G1F "1 x 5 = 5"},
    {"a half in the next", GRADUATED, "10.5", NULL, SINGLE, NULL,
     G1 "10 x 1 = 10; " G1F "1 x 5 = 5; " G2 "0.5 x 2 = 1; " G2F "1 x 7 = 7"},
    {"begins inside of tier 1", GRADUATED, "3", "8", MIDDLE, NULL,
     G1 "2 x 1 = 2; " G2 "1 x 2 = 2; " G2F "1 x 7 = 7"},
    {"begins at the bound", GRADUATED, "3", "10", MIDDLE, NULL,
     G2 "3 x 2 = 6; " G2F "1 x 7 = 7"},
    {"begins inside of tier 2", GRADUATED, "3", "11", MIDDLE, NULL,
     G2 "3 x 2 = 6"},
    {"nothing more", GRADUATED, "0", "11", LAST, NULL, ""},
    {"no flat part on a later split", GRADUATED, "0", NULL, LAST, NULL,
     G1 "0 x 1 = 0"},
    {"tier 1 on a later split", GRADUATED, "12", NULL, LAST, NULL,
     G1 "10 x 1 = 10; " G2 "2 x 2 = 4; " G2F "1 x 7 = 7"},
    {"entry fee at zero usage", ENTRY, "0", NULL, SINGLE, NULL,
     G1F "1 x 5 = 5"},
    {"entry fee with usage", ENTRY, "3", NULL, SINGLE, NULL,
     G1F "1 x 5 = 5; " G2 "3 x 1 = 3"},
    {"entry fee only once", ENTRY, "3", "1", LAST, NULL, G2 "3 x 1 = 3"},
    /* volume */
    {"zero usage pays the flat part", VOLUME, "0", NULL, SINGLE, NULL,
     "volume-flat-price: 1 x 5 = 5"},
    {"the whole in tier 1", VOLUME, "10", NULL, SINGLE, NULL,
     "volume-flat-price: 1 x 5 = 5; volume-tiered-price: 10 x 1 = 10"},
    {"the whole in tier 2", VOLUME, "10.5", NULL, SINGLE, NULL,
     "volume-flat-price: 1 x 7 = 7; volume-tiered-price: 10.5 x 2 = 21"},
    {"only on the last split", VOLUME, "10", NULL, FIRST, NULL, ""},
    /* usage discount */
    {"the first units are free",
     "{'price': {'type': 'unit', 'amount': '1'}, 'discounts': {'usage': "
     "'10'}}",
     "15", NULL, SINGLE, NULL, "unit-price-usage: 5 x 1 = 5"},
    {"earlier usage spends it",
     "{'price': {'type': 'unit', 'amount': '1'}, 'discounts': {'usage': "
     "'10'}}",
     "15", "20", LAST, NULL, "unit-price-usage: 15 x 1 = 15"},
    {"partly",
     "{'price': {'type': 'unit', 'amount': '1'}, 'discounts': {'usage': "
     "'10'}}",
     "15", "4", LAST, NULL, "unit-price-usage: 9 x 1 = 9"},
    {"all of it is free",
     "{'price': {'type': 'unit', 'amount': '1'}, 'discounts': {'usage': "
     "'10'}}",
     "10", NULL, SINGLE, NULL, ""},
    /* maximum, minimum, order */
    {"percentage before maximum",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'maximum': "
     "'100'}}, 'discounts': {'percentage': '50'}}",
     "20", "7", MIDDLE, "35", "unit-price-usage: 20 x 10 = 65 -135"},
    {"already at the maximum",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'maximum': "
     "'100'}}}",
     "5", "20", MIDDLE, "100", "unit-price-usage: 5 x 10 = 0 -50"},
    {"just reaches the maximum",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'maximum': "
     "'100'}}}",
     "5", "5", MIDDLE, "50", "unit-price-usage: 5 x 10 = 50"},
    {"a maximum of 0 is free usage",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'maximum': "
     "'0'}}}",
     "5", NULL, SINGLE, NULL, "unit-price-usage: 5 x 10 = 0 -50"},
    {"line by line up to the maximum",
     "{'price': {'type': 'graduated', " TIERS
     ", 'commitments': {'maximum': '12'}}}",
     "11", NULL, SINGLE, NULL,
     G1 "10 x 1 = 10; " G1F "1 x 5 = 2 -3; " G2 "1 x 2 = 0 -2; " G2F
        "1 x 7 = 0 -7"},
    {"the minimum is not discounted",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'minimum': "
     "'100'}}, 'discounts': {'percentage': '50'}}",
     "2", NULL, SINGLE, NULL,
     "unit-price-usage: 2 x 10 = 10 -10; min-spend: 1 x 90 = 90"},
    {"the minimum only at the end",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'minimum': "
     "'100'}}}",
     "2", NULL, FIRST, NULL, "unit-price-usage: 2 x 10 = 20"},
    {"billed counts for the minimum",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'minimum': "
     "'100'}}}",
     "2", "3", LAST, "30.004",
     "unit-price-usage: 2 x 10 = 20; min-spend: 1 x 50 = 50"},
    {"minimum reached",
     "{'price': {'type': 'unit', 'amount': '10', 'commitments': {'minimum': "
     "'20'}}}",
     "2", NULL, SINGLE, NULL, "unit-price-usage: 2 x 10 = 20"},
    /* unit conversion */
    {"converted and rounded up",
     "{'price': {'type': 'unit', 'amount': '10'}, 'unit_config': "
     "{'operation': 'divide', 'conversion_factor': '1000', 'rounding': "
     "'ceiling'}}",
     "1300", NULL, SINGLE, NULL, "unit-price-usage: 2 x 10 = 20"},
    {"two halves are as much as the whole",
     "{'price': {'type': 'unit', 'amount': '10'}, 'unit_config': "
     "{'operation': 'divide', 'conversion_factor': '1000', 'rounding': "
     "'ceiling'}}",
     "1300", "1300", LAST, "20", "unit-price-usage: 1 x 10 = 10"},
    {"the discount is in converted units",
     "{'price': {'type': 'unit', 'amount': '10'}, 'discounts': {'usage': "
     "'1'}, 'unit_config': {'operation': 'multiply', 'conversion_factor': "
     "'0.5'}}",
     "5", NULL, SINGLE, NULL, "unit-price-usage: 1.5 x 10 = 15"},
};

static void rates_every_row(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        met__rate_input input = input_of(r->card, r->quantity);

        input.is_first = (r->position & FIRST) != 0;
        input.is_last = (r->position & LAST) != 0;
        if (r->before != NULL) {
            input.quantity_before = decimal_of(r->before);
        }
        if (r->billed != NULL) {
            input.already_billed = decimal_of(r->billed);
        }
        met__rated *rated = rate(&input);
        if (strcmp(lines_of(rated), r->lines) != 0) {
            fail_msg("%s: got %s, expected %s", r->why, lines_of(rated),
                     r->lines);
        }
        met__totals sum;
        met__totals_clear(&sum);
        for (size_t k = 0; k < rated->line_count; k++) {
            assert_int_equal(rated->lines[k].index, k);
            assert_true(rated->lines[k].explanation.size > 0);
            assert_int_equal(met__totals_add(&sum, &rated->lines[k].totals),
                             MET_OK);
        }
        assert_int_equal(met__decimal_compare(sum.total, rated->totals.total),
                         0);
    }
}

static void names_and_explains_lines(void **state)
{
    static const char *const names[] = {
        "L: usage price for tier 1", "L: flat price for tier 1",
        "L: usage price for tier 2", "L: flat price for tier 2"};
    static const char *const explanations[] = {
        "tier 1: 10 x 1", "tier 1: entered", "tier 2: 0.5 x 2",
        "tier 2: entered"};
    met__rate_input input = input_of(GRADUATED, "10.5");
    met__rated *rated = rate(&input);

    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(rated->lines[i].name.data, names[i]);
        assert_string_equal(rated->lines[i].explanation.data, explanations[i]);
        assert_int_equal(rated->lines[i].category, MET__LINE_REGULAR);
        assert_int_equal(rated->lines[i].term, MET__TERM_IN_ARREARS);
        assert_false(rated->lines[i].is_full_period);
    }
    input = input_of(PACKAGE, "5001");
    rated = rate(&input);
    assert_string_equal(rated->lines[0].name.data, "L: usage in period");
    assert_string_equal(rated->lines[0].explanation.data,
                        "2 packages of 5000 x 1");
    input = input_of(PACKAGE, "1");
    assert_string_equal(rate(&input)->lines[0].explanation.data,
                        "1 package of 5000 x 1");
    input = input_of("{'price': {'type': 'unit', 'amount': '1', "
                     "'commitments': {'minimum': '5'}}}",
                     "2");
    rated = rate(&input);
    assert_string_equal(rated->lines[1].name.data, "L: minimum spend");
    assert_string_equal(rated->lines[1].explanation.data,
                        "minimum 5, billed 2");
    assert_int_equal(rated->lines[1].category, MET__LINE_COMMITMENT);
    assert_true(rated->lines[1].is_full_period);
    input = input_of("{'price': {'type': 'flat', 'amount': '1', "
                     "'payment_term': 'in_advance'}}",
                     "0");
    rated = rate(&input);
    assert_string_equal(rated->lines[0].name.data, "L");
    assert_int_equal(rated->lines[0].term, MET__TERM_IN_ADVANCE);
}

static void reports_what_was_below_zero(void **state)
{
    met__rate_input input = input_of(GRADUATED, "-3");

    input.quantity_before = decimal_of("-2");
    met__rated *rated = rate(&input);
    assert_string_equal(text_of(rated->unrated), "-5");
    assert_string_equal(text_of(rated->totals.total), "5");
    input = input_of(GRADUATED, "3");
    assert_string_equal(text_of(rate(&input)->unrated), "0");
}

static void says_what_a_usage_discount_took(void **state)
{
    met__rate_input input =
        input_of("{'price': {'type': 'unit', 'amount': '1'}, 'discounts': "
                 "{'usage': {'quantity': '10', 'correlation_id': 'C'}}}",
                 "15");

    input.quantity_before = decimal_of("5");
    met__rated *rated = rate(&input);
    assert_string_equal(text_of(rated->usage_discount.quantity), "5");
    assert_string_equal(text_of(rated->usage_discount.quantity_before), "5");
    assert_string_equal(rated->usage_discount.child_id.data,
                        "rateCardDiscount/correlationID=C");
    assert_string_equal(text_of(rated->quantity), "10");
    assert_string_equal(text_of(rated->quantity_before), "0");
    input.quantity_before = decimal_of("20");
    rated = rate(&input);
    assert_string_equal(text_of(rated->usage_discount.quantity), "0");
    assert_string_equal(text_of(rated->quantity_before), "10");
}

/* The peer converts split lines each by itself: a policy here. */
static void converts_apart_when_asked(void **state)
{
    met__rate_input input = input_of(
        "{'price': {'type': 'unit', 'amount': '10'}, 'unit_config': "
        "{'operation': 'divide', 'conversion_factor': '1000', 'rounding': "
        "'ceiling'}}",
        "1300");

    input.quantity_before = decimal_of("1300");
    input.policies.is_converted_apart = 1;
    assert_string_equal(lines_of(rate(&input)),
                        "unit-price-usage: 2 x 10 = 20");
}

static void puts_credits_last(void **state)
{
    met_decimal credits[] = {decimal_of("5.004"), decimal_of("12")};
    met__rate_input input = input_of("{'price': {'type': 'graduated', " TIERS
                                     ", 'commitments': {'minimum': '20'}}}",
                                     "10");
    met_error_info info = {.struct_size = sizeof info};
    met__rated *rated = NULL;

    input.credits = credits;
    input.credit_count = 2;
    rated = rate(&input);
    assert_string_equal(lines_of(rated),
                        G1 "10 x 1 = 0; " G1F "1 x 5 = 0; min-spend: 1 x 5 "
                           "= 3");
    assert_int_equal(rated->lines[0].credit_count, 2);
    assert_string_equal(text_of(rated->lines[0].credits[0]), "5");
    assert_string_equal(text_of(rated->lines[0].credits[1]), "5");
    assert_int_equal(rated->lines[1].credit_count, 1);
    assert_string_equal(text_of(rated->lines[2].credits[0]), "2");
    assert_string_equal(text_of(rated->totals.credits_total), "17");
    assert_string_equal(text_of(rated->totals.total), "3");

    credits[1] = decimal_of("15.01");
    rated = NULL;
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_non_null(
        strstr(info.reason, "invoice_line_credits_not_consumed_fully"));
    assert_null(rated);
    credits[1] = decimal_of("-1");
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
}

static void refuses_what_it_cannot_rate(void **state)
{
    met_error_info info = {.struct_size = sizeof info};
    met__rated *rated = NULL;
    met__rate_input input = input_of(VOLUME, "3");

    input.quantity_before = decimal_of("1");
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_non_null(
        strstr(info.reason, "invoice_line_volume_split_not_supported"));

    static const char *const cards[] = {
        "{'price': {'type': 'flat', 'amount': '1'}, 'unit_config': "
        "{'operation': 'divide', 'conversion_factor': '2'}}",
        "{'price': {'type': 'dynamic', 'multiplier': '1'}, 'unit_config': "
        "{'operation': 'divide', 'conversion_factor': '2'}}",
        "{'price': {'type': 'package', 'amount': '1', "
        "'quantity_per_package': '2'}, 'unit_config': {'operation': "
        "'divide', 'conversion_factor': '2'}}"};
    for (size_t i = 0; i < 3; i++) {
        input = input_of(cards[i], "3");
        assert_int_equal(met__rate(&input, &arena, &rated, &info),
                         MET_E_INVALID);
        assert_string_equal(info.field, "unit_config");
    }

    input = input_of(UNIT("9999999999999999999999999999999999"), "11");
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_OVERFLOW);
    assert_string_equal(info.field, "quantity");
    assert_null(rated);
}

#define MATRIX                                                                 \
    "{'price': {'type': 'matrix', 'dimension': 'region', 'values': "           \
    "[{'value': 'eu', 'amount': '0.5'}, {'value': 'us', 'amount': '0.25'}]"

static void rates_events_and_groups(void **state)
{
    met__rate_group groups[] = {
        {MET__TEXT("us"), decimal_of("10")},
        {MET__TEXT("asia"), decimal_of("4")},
        {MET__TEXT("eu"), decimal_of("-2")},
    };
    met__rated *rated = NULL;
    met_error_info info = {.struct_size = sizeof info};
    met__rate_input input =
        input_of(PERCENTAGE(", 'fixed_amount': '0.3', 'free_events': '3'"),
                 "1000");

    (void)state;
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_string_equal(info.field, "events");
    input.has_events = 1;
    input.events = decimal_of("10");
    input.events_before = decimal_of("1");
    assert_string_equal(lines_of(rate(&input)),
                        "percentage-usage: 1000 x 0.029 = 29; "
                        "percentage-events: 8 x 0.3 = 2.4");
    input.events = decimal_of("-1");
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);

    input = input_of(MATRIX ", 'default_amount': '1'}}", "12");
    input.groups = groups;
    input.group_count = 3;
    rated = rate(&input);
    assert_string_equal(lines_of(rated), "matrix-price:us: 10 x 0.25 = 2.5; "
                                         "matrix-price:asia: 4 x 1 = 4");
    assert_string_equal(text_of(rated->quantity), "14");
    assert_string_equal(text_of(rated->unrated), "-2");
    input.policies.negative = MET__NEGATIVE_REFUSED;
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    input.policies.negative = MET__NEGATIVE_CLAMPED;
    input.quantity = decimal_of("13"); /* one unit has no value */
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_non_null(strstr(info.reason, "price_groups_sum"));
    input = input_of(MATRIX "}}", "12");
    input.groups = groups;
    input.group_count = 3;
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_non_null(strstr(info.reason, "price_value_unknown"));
    groups[1].value = MET__TEXT("us");
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
}

static void follows_policies(void **state)
{
    met__rated *rated = NULL;
    met__rate_input input = input_of(
        "{'price': {'type': 'graduated', 'tiers': [{'up_to': '1', 'unit': "
        "'0.004', 'flat': '0.004'}, {'unit': '0.004'}]}}",
        "2");

    (void)state;
    assert_string_equal(text_of(rate(&input)->totals.total), "0");
    input.policies.round_at = MET__ROUND_AT_LINE;
    rated = rate(&input);
    assert_string_equal(lines_of(rated),
                        G1 "1 x 0.004 = 0; " G1F "1 x 0.004 = 0.01; " G2
                           "1 x 0.004 = 0");
    assert_string_equal(text_of(rated->totals.total), "0.01");
    input.policies.round_at = MET__ROUND_AT_TOTAL;
    rated = rate(&input);
    assert_string_equal(lines_of(rated),
                        G1 "1 x 0.004 = 0.004; " G1F "1 x 0.004 = 0.004; " G2
                           "1 x 0.004 = 0.004");
    assert_string_equal(text_of(rated->totals.total), "0.01");
    input.policies.rounding = MET_ROUND_UP;
    assert_string_equal(text_of(rate(&input)->totals.total), "0.02");
    input.policies.round_at = MET__ROUND_AT_TIER;
    assert_string_equal(text_of(rate(&input)->totals.total), "0.03");

    input = input_of(GRADUATED, "0");
    input.policies.zero_usage = MET__ZERO_USAGE_FREE;
    assert_string_equal(text_of(rate(&input)->totals.total), "0");
    input.is_first = 0; /* the first usage of the period comes late */
    input.quantity = decimal_of("1");
    assert_string_equal(lines_of(rate(&input)),
                        G1 "1 x 1 = 1; " G1F "1 x 5 = 5");
    input.quantity_before = decimal_of("1");
    assert_string_equal(lines_of(rate(&input)), G1 "1 x 1 = 1");

    input.policies.negative = MET__NEGATIVE_REFUSED;
    input.quantity = decimal_of("-1");
    assert_int_equal(met__rate(&input, &arena, &rated, NULL), MET_E_INVALID);
}

static void survives_failing_memory(void **state)
{
    faulty_memory memory = {0};
    met__platform faulty = platform;
    met_decimal credit = decimal_of("1");
    met__rate_input input =
        input_of("{'price': {'type': 'graduated', " TIERS
                 ", 'commitments': {'minimum': '500', 'maximum': '600'}}, "
                 "'discounts': {'usage': '1', 'percentage': '10'}}",
                 "100");

    input.credits = &credit;
    input.credit_count = 1;
    faulty.allocator = (met_allocator){&memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    for (memory.fail_at = 1;; memory.fail_at++) {
        met__arena scratch;
        met__rated *rated = NULL;

        memory.calls = 0;
        met__arena_init(&scratch, &faulty);
        met_error error = met__rate(&input, &scratch, &rated, NULL);
        met__arena_release(&scratch);
        assert_int_equal(memory.live, 0);
        if (memory.calls < memory.fail_at) {
            assert_int_equal(error, MET_OK);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        assert_null(rated);
    }
    assert_true(memory.fail_at > 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rates_every_row, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(names_and_explains_lines, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(reports_what_was_below_zero,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(says_what_a_usage_discount_took,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(converts_apart_when_asked, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(puts_credits_last, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(refuses_what_it_cannot_rate,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(rates_events_and_groups, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(follows_policies, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(survives_failing_memory, begin_memory,
                                        end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A price by dimension: which value has which price. */
#include "unit/rating/rating_support.h"

/* A value behind the price's own ones is none of its. */
static void knows_only_its_own_values(void **state)
{
    met__price_value values[] = {{MET__TEXT("eu"), decimal_of("2")},
                                 {MET__TEXT("us"), decimal_of("3")},
                                 {MET__TEXT("asia"), decimal_of("5")}};
    met__price price = {.type = MET__PRICE_MATRIX,
                        .dimension = MET__TEXT("region"),
                        .value_count = 2,
                        .values = values};
    met__rate_group group = {MET__TEXT("us"), decimal_of("4")};
    met__rate_input input = input_of(
        "{'price': {'type': 'unit', 'amount': '1'}}", "4");
    met__rated *rated = NULL;
    met_error_info info = {.struct_size = sizeof info};

    (void)state;
    input.price = &price;
    input.groups = &group;
    input.group_count = 1;
    assert_string_equal(lines_of(rate(&input)), "matrix-price:us: 4 x 3 = 12");
    group.value = MET__TEXT("asia");
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_string_equal(info.field, "groups");
    price.has_default = 1;
    price.amount = decimal_of("7");
    assert_string_equal(lines_of(rate(&input)),
                        "matrix-price:asia: 4 x 7 = 28");
    group.value = MET__TEXT(""); /* usage without the dimension */
    assert_string_equal(lines_of(rate(&input)), "matrix-price:: 4 x 7 = 28");
}

/* No price for usage without the dimension; values given twice; positive
 * values that sum to more than 34 digits, although all together do not. */
static void refuses_groups(void **state)
{
#define LONG "9999999999999999999999999999999999"
    met__price price = {.type = MET__PRICE_MATRIX,
                        .dimension = MET__TEXT("region")};
    met__rate_group groups[] = {{MET__TEXT(""), decimal_of("4")},
                                {MET__TEXT(""), decimal_of("0")},
                                {MET__TEXT("x"), decimal_of(LONG)}};
    met__rate_input input =
        input_of("{'price': {'type': 'unit', 'amount': '1'}}", "4");
    met__rated *rated = NULL;
    met_error_info info = {.struct_size = sizeof info};

    (void)state;
    input.price = &price;
    input.groups = groups;
    input.group_count = 1;
    groups[0].value = (met__text){NULL, 0};
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_string_equal(info.reason,
                        "\"\" has no price (price_value_unknown)");
    input.group_count = 2;
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_INVALID);
    assert_string_equal(info.reason,
                        "item 1 has a value that is there already");
    price.has_default = 1;
    price.amount = decimal_of("0");
    groups[0].quantity = decimal_of(LONG);
    groups[1] = (met__rate_group){MET__TEXT("y"), decimal_of("-" LONG)};
    input.group_count = 3;
    input.quantity = decimal_of(LONG);
    assert_int_equal(met__rate(&input, &arena, &rated, &info),
                     MET_E_OVERFLOW);
    assert_null(rated);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(knows_only_its_own_values, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(refuses_groups, begin_memory,
                                        end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

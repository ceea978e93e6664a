/* Which tier the whole quantity is in. */
#include "unit/rating/rating_support.h"

static void finds_the_tier(void **state)
{
    static const struct {
        const char *quantity;
        size_t tier;
    } rows[] = {{"0", 0},  {"10", 0}, {"10.000001", 1},
                {"20", 1}, {"25", 1}, {"99", 1}};
    met__tier tiers[3] = {{.has_up_to = 1, .up_to = decimal_of("10")},
                          {.has_up_to = 1, .up_to = decimal_of("20")},
                          {.has_up_to = 1, .up_to = decimal_of("30")}};
    met__price price = {.type = MET__PRICE_VOLUME,
                        .tier_count = 2, /* the third is not the price's */
                        .tiers = tiers};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            met__volume_tier(&price, decimal_of(rows[i].quantity)),
            rows[i].tier);
    }
    tiers[0].has_up_to = 0;
    assert_int_equal(met__volume_tier(&price, decimal_of("11")), 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

/* Each line says which tier it is of. */
static void explains_its_tier(void **state)
{
    met__rate_input input = input_of(
        "{'price': {'type': 'volume', 'tiers': [{'up_to': '5', 'unit': '3'}, "
        "{'unit': '2', 'flat': '7'}]}}",
        "6");
    met__rated *rated = rate(&input);

    (void)state;
    assert_int_equal(rated->line_count, 2);
    assert_string_equal(rated->lines[0].explanation.data, "tier 2: 1 x 7");
    assert_string_equal(rated->lines[1].explanation.data, "tier 2: 6 x 2");
    assert_string_equal(rated->lines[1].name.data,
                        "L: unit price for tier 2");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(explains_its_tier, begin_memory,
                                        end_memory),
        TEST(finds_the_tier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

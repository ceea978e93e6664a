/* The walk over tiers by itself: where it begins, where it stops. */
#include "unit/rating/rating_support.h"

/* 1: up to 10, 2: up to 20, and a third that is not one of the price's. */
static met__price closed_price(met__tier tiers[3])
{
    static const char *const ends[] = {"10", "20", "30"};

    for (int i = 0; i < 3; i++) {
        tiers[i] = (met__tier){.has_up_to = 1,
                               .has_unit = 1,
                               .up_to = decimal_of(ends[i]),
                               .unit = decimal_of("1")};
    }
    return (met__price){
        .type = MET__PRICE_GRADUATED, .tier_count = 2, .tiers = tiers};
}

static const char *walk(const met__price *price, const char *from,
                        const char *to)
{
    met__tier_part parts[MET__TIERS_MAX];
    size_t count = 99;
    char *text = met__arena_copy(&arena, "", 0);

    assert_int_equal(met__graduated_parts(price, decimal_of(from),
                                          decimal_of(to), parts, &count),
                     MET_OK);
    for (size_t i = 0; i < count; i++) {
        text = met__arena_print(&arena, "%s%s%zu: %s%s%s", text, i ? ", " : "",
                                parts[i].number, text_of(parts[i].quantity),
                                parts[i].is_entered ? " entered" : "",
                                parts[i].has_usage ? "" : " unused");
    }
    return text;
}

static void walks_tiers(void **state)
{
    static const char *const rows[][4] = {
        /* why, from, to, parts */
        {"no usage is in tier 1", "0", "0", "1: 0 entered"},
        {"the end belongs to the tier", "0", "10", "1: 10 entered"},
        {"one more is of the next", "0", "11", "1: 10 entered, 2: 1 entered"},
        {"the next begins where the last ended", "10", "11", "2: 1 entered"},
        {"inside a tier it is not entered again", "11", "12", "2: 1"},
        {"nothing between", "7", "7", ""},
        {"nothing between at an end", "10", "10", ""},
        {"after the last tier nothing is rated", "5", "25",
         "1: 5, 2: 10 entered"},
        {"all of it after the last tier", "21", "25", ""},
    };
    met__tier tiers[3];
    met__price price = closed_price(tiers);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = walk(&price, rows[i][1], rows[i][2]);
        if (strcmp(got, rows[i][3]) != 0) {
            fail_msg("%s: got %s, expected %s", rows[i][0], got, rows[i][3]);
        }
    }
}

/* A tier up to 0 is an entry fee: it has a part when the walk begins at 0. */
static void enters_an_empty_tier_once(void **state)
{
    met__tier tiers[3];
    met__price price = closed_price(tiers);

    (void)state;
    tiers[0].up_to = decimal_of("0");
    assert_string_equal(walk(&price, "0", "5"),
                        "1: 0 entered unused, 2: 5 entered");
    assert_string_equal(walk(&price, "5", "6"), "2: 1");
}

/* Documents may have several open ends: the first takes it all. */
static void stops_at_the_first_open_end(void **state)
{
    met__tier tiers[3];
    met__price price = closed_price(tiers);

    (void)state;
    price.tier_count = 3;
    tiers[1].has_up_to = 0;
    tiers[1].up_to = decimal_of("0");
    tiers[2] = tiers[1];
    assert_string_equal(walk(&price, "0", "25"),
                        "1: 10 entered, 2: 15 entered");
}

static void says_nothing_without_new_usage(void **state)
{
    met__rate_input input = input_of(
        "{'price': {'type': 'graduated', 'tiers': [{'unit': '1', 'flat': '5'}"
        "]}}",
        "0");

    (void)state;
    input.quantity_before = decimal_of("3");
    assert_string_equal(lines_of(rate(&input)), "");
}

static void refuses_more_than_34_digits(void **state)
{
    met__rate_input input = input_of(
        "{'price': {'type': 'graduated', 'tiers': [{'unit': '0'}]}}",
        "9999999999999999999999999999999999");
    met__rated *rated = NULL;
    met_error_info info = {.struct_size = sizeof info};

    (void)state;
    input.quantity_before = input.quantity;
    assert_int_equal(met__rate(&input, &arena, &rated, &info), MET_E_OVERFLOW);
    assert_string_equal(info.field, "quantity");
    assert_null(rated);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(walks_tiers),
        TEST(enters_an_empty_tier_once),
        TEST(stops_at_the_first_open_end),
        TEST(says_nothing_without_new_usage),
        TEST(refuses_more_than_34_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

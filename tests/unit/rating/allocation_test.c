/* Shares of an amount: they sum to it, and nothing beside them is touched. */
#include "unit/rating/rating_support.h"

#define SHARES_MAX 8

/* weights and expected: up to SHARES_MAX, NULL at the end. */
static void assert_shares(const char *amount, unsigned flags,
                          const char *const weights[],
                          const char *const expected[])
{
    met__currency currency = currency_of("USD");
    met__share shares[SHARES_MAX + 1];
    met_error_info info = {.struct_size = sizeof info};
    size_t count = 0;

    for (; weights[count] != NULL; count++) {
        assert_true(count < SHARES_MAX);
        shares[count] = (met__share){.key = met__text_z(expected[count]),
                                     .weight = decimal_of(weights[count])};
    }
    shares[count] = (met__share){.key = MET__TEXT("other"),
                                 .weight = decimal_of("1000"),
                                 .amount = decimal_of("77")};
    assert_int_equal(met__allocate_amount(&currency, decimal_of(amount), flags,
                                          shares, count, &arena, &info),
                     MET_OK);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(text_of(shares[i].amount), expected[i]);
    }
    assert_string_equal(text_of(shares[count].amount), "77");
}

static void gives_cents_to_the_largest_remainders(void **state)
{
    static const char *const thirds[] = {"1", "1", "1", NULL};
    static const char *const five[] = {"1", "5", "3", "4", "2", NULL};
    static const char *const one[] = {"3", NULL};

    (void)state;
    assert_shares("1", 0, thirds,
                  (const char *const[]){"0.34", "0.33", "0.33", NULL});
    assert_shares("0.02", 0, thirds,
                  (const char *const[]){"0.01", "0.01", "0", NULL});
    assert_shares("0.07", 0, five,
                  (const char *const[]){"0.01", "0.02", "0.01", "0.02", "0.01",
                                        NULL});
    assert_shares("2.5", 0, one, (const char *const[]){"2.5", NULL});
    assert_shares("0", 0, thirds, (const char *const[]){"0", "0", "0", NULL});
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(gives_cents_to_the_largest_remainders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

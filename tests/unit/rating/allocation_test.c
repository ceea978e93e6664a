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

/* A tie of remainders: by position, or by key. No share above its weight. */
static void breaks_ties(void **state)
{
    met__currency currency = currency_of("USD");
    met__share shares[2] = {{.key = MET__TEXT("b")}, {.key = MET__TEXT("a")}};

    (void)state;
    for (unsigned by_key = 0; by_key < 2; by_key++) {
        shares[0].weight = shares[1].weight = decimal_of("5");
        assert_int_equal(
            met__allocate_amount(&currency, decimal_of("0.01"),
                                 by_key ? MET__ALLOCATE_TIES_BY_KEY : 0,
                                 shares, 2, &arena, NULL),
            MET_OK);
        assert_string_equal(text_of(shares[by_key].amount), "0.01");
        assert_string_equal(text_of(shares[!by_key].amount), "0");
    }
    shares[0].weight = decimal_of("0.01");
    assert_int_equal(met__allocate_amount(&currency, decimal_of("5.01"),
                                          MET__ALLOCATE_CAPPED, shares, 2,
                                          &arena, NULL),
                     MET_OK);
    assert_string_equal(text_of(shares[0].amount), "0.01");
    assert_string_equal(text_of(shares[1].amount), "5");
}

static void refuses_what_cannot_be_shared(void **state)
{
#define LONG "9999999999999999999999999999999999"
    static const struct {
        const char *amount;
        unsigned flags;
        const char *weights[3];
        met_error error;
        const char *field;
    } rows[] = {
        {"-1", 0, {"1"}, MET_E_INVALID, "amount"},
        {"0.001", 0, {"1"}, MET_E_INVALID, "amount"},
        {"1", 0, {NULL}, MET_E_INVALID, "amount"},
        {"1", 0, {"1", "0"}, MET_E_INVALID, "weight"},
        {"1", 0, {"1", "-1"}, MET_E_INVALID, "weight"},
        {"1", MET__ALLOCATE_CAPPED, {"1", "0.001"}, MET_E_INVALID, "amount"},
        {"1.02", MET__ALLOCATE_CAPPED, {"1", "0.01"}, MET_E_INVALID, "amount"},
        {"1", 0, {LONG, LONG, "1"}, MET_E_OVERFLOW, ""},
        {"1234567.89", 0, {"1", LONG}, MET_E_OVERFLOW, "weight"},
        {LONG, 0, {"1", "6"}, MET_E_OVERFLOW, "weight"},
    };
    met__currency currency = currency_of("USD");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        met__share shares[3] = {{.weight = decimal_of("1")}};
        size_t count = 0;
        for (; count < 3 && rows[i].weights[count] != NULL; count++) {
            shares[count].weight = decimal_of(rows[i].weights[count]);
        }
        assert_int_equal(met__allocate_amount(&currency,
                                              decimal_of(rows[i].amount),
                                              rows[i].flags, shares, count,
                                              &arena, &info),
                         rows[i].error);
        assert_string_equal(info.field, rows[i].field);
    }
    assert_int_equal(met__allocate_amount(&currency, decimal_of("0"), 0, NULL,
                                          0, &arena, NULL),
                     MET_OK);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(gives_cents_to_the_largest_remainders),
        TEST(breaks_ties),
        TEST(refuses_what_cannot_be_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

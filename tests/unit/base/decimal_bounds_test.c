/* Decimals where digits or exponents end: each branch of the arithmetic, also
 * those that no number of a bill comes by. */
#include "base_support.h"

#include "base/decimal_bits.h"

#define BIG "9999999999999999999999999999999999"
/* Their product is 10^67 less than a unit of its 34th digit. */
#define ROOT "3162277660168379331998893544432718"
#define OTHER_ROOT "3162277660168379331998893544432719e-33"

static met_decimal number(const char *text)
{
    met_decimal value;

    assert_int_equal(met__decimal_parse(met__text_z(text), &value), MET_OK);
    return value;
}

static met_decimal far(int power)
{
    return met__decimal_make(0, 1, power);
}

#define assert_is(value, text) \
    assert_int_equal(met__decimal_compare(value, number(text)), 0)

static void test_texts(void **state)
{
    static const struct {
        const char *text;
        met_error error;
    } rows[] = {
        {"1e+2", MET_OK},          {"1E-2", MET_OK},
        {"1e", MET_E_INVALID},     {"1e+", MET_E_INVALID},
        {"1e4x", MET_E_INVALID},   {"1e/", MET_E_INVALID},
        {"1x", MET_E_INVALID},     {"1e41", MET_E_OVERFLOW},
        {"1e999", MET_E_OVERFLOW}, {BIG "0.5", MET_E_OVERFLOW},
        {BIG "12", MET_E_OVERFLOW}, {BIG "12e999", MET_E_OVERFLOW},
    };
    char text[200] = "0.";
    met_decimal out = number("7");

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (met__decimal_parse(met__text_z(rows[i].text), &out)
            != rows[i].error) {
            fail_msg("%s", rows[i].text);
        }
    }
    /* Zeros are counted, not kept: so many that no exponent has them. */
    memset(text + 2, '0', 100);
    strcpy(text + 102, "1");
    assert_int_equal(met__decimal_parse(met__text_z(text), &out),
                     MET_E_OVERFLOW);
    memset(text, '0', 100);
    text[0] = '1';
    text[100] = '\0';
    assert_int_equal(met__decimal_parse(met__text_z(text), &out),
                     MET_E_OVERFLOW);
    text[70] = '\0';
    assert_int_equal(met__decimal_parse(met__text_z(text), &out), MET_OK);
    assert_is(out, "1000000000000000000000000000000000000000e30");
}

static void assert_printed(met_decimal value, uint32_t places,
                           const char *expected)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__buffer buffer;

    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__decimal_print_fixed(value, places, &buffer),
                     MET_OK);
    assert_string_equal(buffer.data, expected);
    met__buffer_release(&buffer);
}

static void test_prints(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__buffer buffer;
    met_decimal long_zeros = met__decimal_make(
        0, (met__wide)UINT64_C(1000000000000000000) * 1000000, -20);

    assert_printed(long_zeros, 2, "10000.00");
    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__decimal_print(long_zeros, &buffer), MET_OK);
    assert_int_equal(met__decimal_print(met__decimal_make(1, 0, -5), &buffer),
                     MET_OK);
    assert_int_equal(met__decimal_print(number("-0.07"), &buffer), MET_OK);
    assert_string_equal(buffer.data, "100000-0.07");
    met__buffer_release(&buffer);
    assert_printed(met__decimal_make(1, 0, -5), 2, "0.00");
    assert_printed(met__decimal_make(1, 0, 0), 0, "0");
    assert_printed(number("-1.50"), 1, "-1.5");
    assert_printed(number("0.05"), 2, "0.05");
    assert_printed(number("1.5"), 3, "1.500");
    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__decimal_print_fixed(number("1.25"), 1, &buffer),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_print_fixed(number("1"), 25, &buffer),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_print(far(95), &buffer), MET_E_OVERFLOW);
    assert_int_equal(met__decimal_print(far(-95), &buffer), MET_E_OVERFLOW);
    assert_int_equal(buffer.size, 0);
    met__buffer_release(&buffer);
}

static void test_sums_and_products(void **state)
{
    met_decimal out = number("7");

    assert_int_equal(met__decimal_add(far(6000), far(-6000), &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_multiply(far(6000), far(6000), &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_multiply(far(-6000), far(-6000), &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_multiply(number("2"), number(BIG), &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_multiply(number(BIG), number("2"), &out),
                     MET_E_OVERFLOW);
    assert_is(out, "7");
    assert_int_equal(met__decimal_multiply(number(BIG), number("-1"), &out),
                     MET_OK);
    assert_is(out, "-" BIG);
    assert_int_equal(met__decimal_multiply(number("1e20"), number(BIG), &out),
                     MET_OK);
    assert_is(out, BIG "e20");
}

static void test_products_rounded_once(void **state)
{
    static const uint32_t all[] = {MET_ROUND_DOWN, MET_ROUND_UP};
    met_decimal out = number("7");

    /* Up it would be 10^34, and have 35 digits. */
    assert_int_equal(
        met__decimal_multiply_rounded(number(ROOT), number(OTHER_ROOT), 0,
                                      MET_ROUND_UP, &out),
        MET_E_OVERFLOW);
    assert_is(out, "7");
    assert_int_equal(
        met__decimal_multiply_rounded(number(ROOT), number(OTHER_ROOT), 0,
                                      MET_ROUND_DOWN, &out),
        MET_OK);
    assert_is(out, BIG);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            met__decimal_multiply_rounded(number(BIG), number(BIG), 0, all[i],
                                          &out),
            MET_E_OVERFLOW);
        assert_int_equal(
            met__decimal_multiply_rounded(far(6000), number(BIG "e40"), 0,
                                          all[i], &out),
            MET_OK);
        assert_int_equal(met__decimal_multiply_rounded(far(6100), far(99), 0,
                                                       all[i], &out),
                         MET_E_OVERFLOW);
    }
    assert_int_equal(met__decimal_multiply_rounded(number("1"), number("1"),
                                                   0, 0, &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_multiply_rounded(number("1"), number("1"),
                                                   25, MET_ROUND_UP, &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_multiply_rounded(number("1.5"),
                                                   number("0.5"), 1,
                                                   MET_ROUND_HALF_EVEN, &out),
                     MET_OK);
    assert_is(out, "0.8");
}

static void test_quotients(void **state)
{
    met_decimal out = number("7");
    met_decimal rest = number("7");

    assert_int_equal(met__decimal_divide(far(6100), far(-100), 0,
                                         MET_ROUND_UP, &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_divide(number("1e40"), number("3e-20"), 2,
                                         MET_ROUND_UP, &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_divide_peer(number("1"), number("0"), &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_divide_peer(number("1e40"), number("3e-20"),
                                              &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_divide_whole(number("1"), number("0"), &out,
                                               &rest),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_divide_whole(number("1"), number("-1"),
                                               &out, &rest),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_divide_whole(number("1e40"),
                                               number("3e-20"), &out, &rest),
                     MET_E_OVERFLOW);
    assert_is(out, "7");
    assert_is(rest, "7");
    assert_int_equal(met__decimal_divide_whole(number(BIG),
                                               number("0.7"), &out, &rest),
                     MET_E_OVERFLOW);
    assert_int_equal(
        met__decimal_divide_whole(number("55340232221128654849"),
                                  number("18446744073709551616"), &out, &rest),
        MET_OK);
    assert_is(out, "3");
    assert_is(rest, "1");
    assert_int_equal(met__decimal_divide_peer(number("1"), number("3"), &out),
                     MET_OK);
    assert_is(out, "0.3333333333333333");
    /* The product of the quotient and the divisor has too many digits. */
    assert_int_equal(
        met__decimal_divide_peer(number(BIG "e-20"),
                                 number("1.234567890123456789012345678901"),
                                 &out),
        MET_OK);
}

static void test_rounding_of_long_ones(void **state)
{
    met_decimal out = number("7");

    assert_int_equal(met__decimal_round(far(-30), 0, MET_ROUND_UP, &out),
                     MET_OK);
    assert_is(out, "1");
    assert_int_equal(met__decimal_round(number("99999999999999999999.5"), 0,
                                        MET_ROUND_HALF_EVEN, &out),
                     MET_OK);
    assert_is(out, "100000000000000000000");
    assert_int_equal(met__decimal_round(number("3.5"), 0, MET_ROUND_HALF_EVEN,
                                        &out),
                     MET_OK);
    assert_is(out, "4");
    assert_int_equal(met__decimal_round(number("3.7"), 0, MET_ROUND_HALF_EVEN,
                                        &out),
                     MET_OK);
    assert_is(out, "4");
    assert_int_equal(met__decimal_round(number("3.2"), 0, MET_ROUND_HALF_EVEN,
                                        &out),
                     MET_OK);
    assert_is(out, "3");
    assert_int_equal(met__decimal_round(number("3.0"), 0, MET_ROUND_UP, &out),
                     MET_OK);
    assert_is(out, "3");
}

static void test_scaled(void **state)
{
    int64_t out = 7;

    assert_int_equal(met__decimal_to_scaled(number("1"), 25, MET_ROUND_UP,
                                            &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_to_scaled(number("1e40"), 1, MET_ROUND_UP,
                                            &out),
                     MET_E_OVERFLOW);
    assert_int_equal(out, 7);
    assert_int_equal(met__decimal_to_scaled(number("0.001"), 2,
                                            MET_ROUND_DOWN, &out),
                     MET_OK);
    assert_int_equal(out, 0);
}

static void test_zeros_and_integers(void **state)
{
    const met_decimal zero = met__decimal_zero();
    met_decimal out = number("7");
    int64_t whole = 7;

    assert_int_equal(met__decimal_add(number("1.50"), zero, &out), MET_OK);
    assert_is(out, "1.5");
    assert_int_equal(met__decimal_add(zero, number("-2"), &out), MET_OK);
    assert_is(out, "-2");
    assert_int_equal(met__decimal_add(far(3), zero, &out), MET_OK);
    assert_is(out, "1000");
    assert_int_equal(met__decimal_add(zero, far(3), &out), MET_OK);
    assert_is(out, "1000");
    assert_int_equal(met__decimal_subtract(number("2"), zero, &out), MET_OK);
    assert_is(out, "2");
    assert_is(met__decimal_negate(met__decimal_make(1, 0, 3)), "0");
    assert_is(met__decimal_from_i64(INT64_MIN), "-9223372036854775808");
    assert_is(met__decimal_from_scaled(15, 1), "1.5");
    assert_int_equal(met__decimal_to_i64(met__decimal_make(1, 0, -3), &whole),
                     MET_OK);
    assert_int_equal(whole, 0);
    assert_int_equal(met__decimal_to_i64(met__decimal_make(1, 250, -1),
                                         &whole),
                     MET_OK);
    assert_int_equal(whole, -25);
    assert_int_equal(met__decimal_round(number("2.0"), 0, MET_ROUND_CEILING,
                                        &out),
                     MET_OK);
    assert_is(out, "2");
    assert_int_equal(met__decimal_round(met__decimal_make(0, 200, -2), 0,
                                        MET_ROUND_UP, &out),
                     MET_OK);
    assert_is(out, "2");
    assert_int_equal(met__decimal_divide_peer(number("1"), number("8"), &out),
                     MET_OK);
    assert_is(out, "0.125");
}

static void test_compares(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"-1", "-2", 1},     {"-2", "-1", -1},      {"-1", "-1.0", 0},
        {"-1", "1", -1},     {"1", "-1", 1},        {"0", "-1", 1},
        {"1e40", "1", 1},    {"1", "1e40", -1},     {"1e40", "1e-40", 1},
        {BIG, "1e-1", 1},    {"1e-1", BIG, -1},     {"-1e40", "-1e-40", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(met__decimal_compare(number(rows[i].a),
                                              number(rows[i].b)),
                         rows[i].order);
    }
    /* Zero has signs and exponents, and is one number. */
    assert_int_equal(met__decimal_compare(met__decimal_make(1, 0, 3),
                                          met__decimal_make(0, 0, -3)),
                     0);
    assert_false(met__decimal_is_negative(met__decimal_make(1, 0, 3)));
    assert_true(met__decimal_is_zero(met__decimal_make(1, 0, 3)));
    assert_false(met__decimal_is_zero(
        met__decimal_make(0, (met__wide)1 << 64, 0)));
    assert_false(met__decimal_is_zero(number("1")));
}

static void test_wide(void **state)
{
    static const struct {
        const char *text;
        uint32_t places;
        met_error error;
    } rows[] = {
        {"0", 18, MET_OK},           {"1.5", 9, MET_OK},
        {"-1.5", 1, MET_OK},         {"-1.50", 1, MET_OK},
        {"1.55", 1, MET_E_INVALID},  {"1e20", 9, MET_OK},
        {"1e33", 0, MET_OK},         {"1e33", 9, MET_E_OVERFLOW},
        {BIG, 0, MET_OK},            {BIG, 9, MET_E_OVERFLOW},
        {"-" BIG, 0, MET_OK},        {"1e34", 0, MET_E_OVERFLOW},
    };
    uint64_t words[2];
    met_decimal out;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_decimal value = number(rows[i].text);
        if (met__decimal_to_wide(value, rows[i].places, words)
            != rows[i].error) {
            fail_msg("%s", rows[i].text);
        }
        if (rows[i].error == MET_OK) {
            assert_int_equal(met__decimal_from_wide(words, rows[i].places,
                                                    &out),
                             MET_OK);
            assert_is(out, rows[i].text);
        }
    }
    assert_int_equal(met__decimal_to_wide(met__decimal_make(1, 150, -2), 1,
                                          words),
                     MET_OK);
    assert_int_equal(words[0], (uint64_t)-15);
    assert_int_equal(
        met__decimal_to_wide((met_decimal){{0, UINT64_C(0x78) << 56}}, 0,
                             words),
        MET_E_INVALID);
    /* More than 34 digits, which zeros of the fraction are not. */
    words[0] = UINT64_MAX;
    words[1] = INT64_MAX;
    assert_int_equal(met__decimal_from_wide(words, 9, &out), MET_E_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_prints),
        cmocka_unit_test(test_sums_and_products),
        cmocka_unit_test(test_products_rounded_once),
        cmocka_unit_test(test_quotients),
        cmocka_unit_test(test_rounding_of_long_ones),
        cmocka_unit_test(test_scaled),
        cmocka_unit_test(test_zeros_and_integers),
        cmocka_unit_test(test_compares),
        cmocka_unit_test(test_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Decimals: edges by hand. The bulk is tests/property/base_oracle.py. */
#include "base_support.h"

#include "base/decimal.h"

static met_decimal number(const char *text)
{
    met_decimal value;

    assert_int_equal(met__decimal_parse(met__text_z(text), &value), MET_OK);
    return value;
}

static void assert_prints(met_decimal value, const char *expected)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__buffer buffer;

    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__decimal_print(value, &buffer), MET_OK);
    assert_string_equal(buffer.data, expected);
    met__buffer_release(&buffer);
}

static void test_archive_sets_the_inexact_flag(void **state)
{
    assert_int_equal(met__decimal_self_test(), MET_OK);
}

static void test_parse_refuses(void **state)
{
    static const struct {
        const char *why;
        const char *text;
        met_error error;
    } rows[] = {
        {"empty", "", MET_E_INVALID},
        {"plus", "+1", MET_E_INVALID},
        {"blank before", " 1", MET_E_INVALID},
        {"blank behind", "1 ", MET_E_INVALID},
        {"no integer part", ".5", MET_E_INVALID},
        {"no decimals", "1.", MET_E_INVALID},
        {"only a sign", "-", MET_E_INVALID},
        {"not a number", "NaN", MET_E_INVALID},
        {"infinity", "Infinity", MET_E_INVALID},
        {"hexadecimal", "0x10", MET_E_INVALID},
        {"comma", "1,5", MET_E_INVALID},
        {"underscore", "1_000", MET_E_INVALID},
        {"garbage behind the exponent", "1e5x", MET_E_INVALID},
        {"fraction in the exponent", "1e5.5", MET_E_INVALID},
        {"empty exponent", "1e", MET_E_INVALID},
        {"arabic digits", "\xd9\xa1", MET_E_INVALID},
        {"35 digits", "12345678901234567890123456789012345", MET_E_OVERFLOW},
        {"exponent 41", "1e41", MET_E_OVERFLOW},
        {"exponent -41", "1e-41", MET_E_OVERFLOW},
        {"exponent beyond int", "1e99999999999999999999", MET_E_OVERFLOW},
        {"101 digits", "10000000000000000000000000000000000000000000000000"
                       "000000000000000000000000000000000000000000000000001",
         MET_E_OVERFLOW},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_decimal untouched = {{1, 2}};
        met_error error = met__decimal_parse(met__text_z(rows[i].text),
                                             &untouched);
        if (error != rows[i].error || untouched.bits[0] != 1
            || untouched.bits[1] != 2) {
            fail_msg("%s: %s", rows[i].why, met_error_name(error));
        }
    }
    /* A NUL inside is not an end. */
    met_decimal value;
    assert_int_equal(met__decimal_parse(met__text_of("1\0", 2), &value),
                     MET_E_INVALID);
}

static void test_prints_plainly(void **state)
{
    assert_prints(number("0"), "0");
    assert_prints(number("-0"), "0");
    assert_prints(number("-0.000"), "0");
    assert_prints(number("1.500"), "1.5");
    assert_prints(number("1e3"), "1000");
    assert_prints(number("1e-3"), "0.001");
    assert_prints(number("-15"), "-15");
    assert_prints(number("0.1234567890123456789012345678901234"),
                  "0.1234567890123456789012345678901234");
    assert_prints(number("9999999999999999999999999999999999e40"),
                  "99999999999999999999999999999999990000000000000000000000000"
                  "000000000000000");
}

static void test_exact_or_an_error(void **state)
{
    met_decimal out = {{7, 7}};
    met_decimal big = number("9999999999999999999999999999999999");

    assert_int_equal(met__decimal_add(big, number("0.1"), &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_multiply(big, big, &out), MET_E_OVERFLOW);
    assert_true(out.bits[0] == 7 && out.bits[1] == 7);
    assert_int_equal(met__decimal_add(number("0.1"), number("0.2"), &out),
                     MET_OK);
    assert_prints(out, "0.3");
    assert_int_equal(met__decimal_subtract(out, number("0.30"), &out), MET_OK);
    assert_prints(out, "0");
    assert_false(met__decimal_is_negative(out));
}

/* Numbers of few digits are computed without the library: what lies at the
 * bounds of that, on both sides. NULL: needs more than 34 digits. */
static void test_short_ones_end_where_digits_do(void **state)
{
    static const struct {
        char operation;
        const char *left;
        const char *right;
        const char *expected;
    } rows[] = {
        {'+', "9999999999999999999999999999999998", "1",
         "9999999999999999999999999999999999"},
        {'+', "9999999999999999999999999999999999", "1",
         "10000000000000000000000000000000000"},
        {'+', "9999999999999999999999999999999999", "2", NULL},
        {'+', "9999999999999999", "0.000000000000000001",
         "9999999999999999.000000000000000001"},
        {'+', "0.000000000000000001", "-9999999999999999",
         "-9999999999999998.999999999999999999"},
        {'+', "99999999999999999", "0.000000000000000001", NULL},
        {'+', "18446744073709551615", "0.01", "18446744073709551615.01"},
        {'+', "18446744073709551616", "0.01", "18446744073709551616.01"},
        {'+', "1", "0.0000000000000000001", "1.0000000000000000001"},
        {'+', "0", "-7.25", "-7.25"},
        {'+', "3e20", "0", "300000000000000000000"},
        {'-', "7.25", "7.250", "0"},
        {'-', "-3", "-5", "2"},
        {'-', "3", "5", "-2"},
        {'*', "9999999999999999", "999999999999999999",
         "9999999999999998990000000000000001"},
        {'*', "99999999999999999", "999999999999999999", NULL},
        {'*', "18446744073709551616", "3", "55340232221128654848"},
        {'*', "-0.5", "0", "0"},
        {'*', "-0.5", "4", "-2"},
        {'*', "-0.5", "-0.5", "0.25"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_decimal left = number(rows[i].left);
        met_decimal right = number(rows[i].right);
        met_decimal out = {{7, 7}};
        met_error error = rows[i].operation == '+'
                              ? met__decimal_add(left, right, &out)
                          : rows[i].operation == '-'
                              ? met__decimal_subtract(left, right, &out)
                              : met__decimal_multiply(left, right, &out);
        if (rows[i].expected == NULL) {
            assert_int_equal(error, MET_E_OVERFLOW);
            assert_true(out.bits[0] == 7 && out.bits[1] == 7);
            continue;
        }
        assert_int_equal(error, MET_OK);
        assert_prints(out, rows[i].expected);
        if (met__decimal_is_zero(out)) {
            met_decimal zero = met__decimal_zero();
            assert_memory_equal(&out, &zero, sizeof out);
        }
    }
}

/* What is surely printable is, up to the first exponent that is not. */
static void test_knows_what_can_be_printed(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);

    for (int power = -100; power <= 70; power++) {
        met_decimal value = number("9999999999999999999999999999999999");
        met__buffer buffer;

        value.bits[1] |= UINT64_C(1) << 63;
        value.bits[1] += (uint64_t)(int64_t)power << 49;
        met__buffer_init(&buffer, &platform);
        if (met__decimal_is_printable(value)) {
            assert_int_equal(met__decimal_print(value, &buffer), MET_OK);
        }
        assert_int_equal(met__decimal_is_printable(value),
                         power >= -92 && power <= 60);
        met__buffer_release(&buffer);
    }
}

static void test_rounds_once(void **state)
{
    static const struct {
        uint32_t mode;
        const char *text; /* of 2.5, -2.5, 2.4, -2.6 */
    } rows[] = {
        {MET_ROUND_HALF_AWAY, "3 -3 2 -3"}, {MET_ROUND_HALF_EVEN, "2 -2 2 -3"},
        {MET_ROUND_DOWN, "2 -2 2 -2"},      {MET_ROUND_UP, "3 -3 3 -3"},
        {MET_ROUND_FLOOR, "2 -3 2 -3"},     {MET_ROUND_CEILING, "3 -2 3 -2"},
    };
    static const char *const values[] = {"2.5", "-2.5", "2.4", "-2.6"};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64] = "";
        for (size_t j = 0; j < 4; j++) {
            met_decimal out;
            int64_t whole;
            assert_int_equal(met__decimal_round(number(values[j]), 0,
                                                rows[i].mode, &out),
                             MET_OK);
            assert_int_equal(met__decimal_to_i64(out, &whole), MET_OK);
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d",
                     j ? " " : "", (int)whole);
        }
        assert_string_equal(text, rows[i].text);
    }
    met_decimal out;
    /* 0.5 - 5e-35: rounded to 34 digits first it would be a tie, and 1. */
    assert_int_equal(
        met__decimal_divide(number("4999999999999999999999999999999999"),
                            number("9999999999999999999999999999999999"), 0,
                            MET_ROUND_HALF_AWAY, &out),
        MET_OK);
    assert_prints(out, "0");
    assert_int_equal(met__decimal_round(number("1"), 0, 0, &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_round(number("1"), 0, 7, &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_round(number("1"),
                                        MET_DECIMAL_PLACES_MAX + 1,
                                        MET_ROUND_UP, &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_divide(number("1"), number("0"), 2,
                                         MET_ROUND_UP, &out),
                     MET_E_INVALID);
    assert_int_equal(met__decimal_divide(number("0"), number("0"), 2,
                                         MET_ROUND_UP, &out),
                     MET_E_INVALID);
}

static void test_integers_at_their_bounds(void **state)
{
    int64_t out = 5;

    assert_int_equal(met__decimal_to_i64(number("9223372036854775807"), &out),
                     MET_OK);
    assert_true(out == INT64_MAX);
    assert_int_equal(met__decimal_to_i64(number("-9223372036854775808"), &out),
                     MET_OK);
    assert_true(out == INT64_MIN);
    assert_int_equal(met__decimal_to_i64(number("9223372036854775808"), &out),
                     MET_E_OVERFLOW);
    assert_int_equal(met__decimal_to_i64(number("0.5"), &out), MET_E_INVALID);
    assert_int_equal(met__decimal_to_i64(number("1.0"), &out), MET_OK);
    assert_int_equal(out, 1);
    assert_int_equal(met__decimal_to_i64(number("1e30"), &out),
                     MET_E_OVERFLOW);
    /* Quota units: a cost rounds up, a grant down. */
    assert_int_equal(met__decimal_to_scaled(number("0.0000001"), 6,
                                            MET_ROUND_UP, &out), MET_OK);
    assert_int_equal(out, 1);
    assert_int_equal(met__decimal_to_scaled(number("0.0000019"), 6,
                                            MET_ROUND_DOWN, &out), MET_OK);
    assert_int_equal(out, 1);
    assert_true(met__decimal_compare(met__decimal_from_scaled(INT64_MIN, 6),
                                     number("-9223372036854.775808")) == 0);
}

static void test_bits_from_outside_are_examined(void **state)
{
    static const met_decimal bad[] = {
        {{0, UINT64_C(0x7800000000000000)}}, /* infinity */
        {{0, UINT64_C(0x7c00000000000000)}}, /* NaN */
        {{0, UINT64_C(0x7e00000000000000)}}, /* signalling NaN */
        {{UINT64_MAX, UINT64_C(0x3041ffffffffffff)}}, /* above 10^34 - 1 */
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(met__decimal_is_valid(bad[i]));
    }
    assert_true(met__decimal_is_valid(met__decimal_zero()));
    assert_true(met__decimal_is_valid(
        number("9999999999999999999999999999999999")));
}

static void test_public_calls_refuse_garbage(void **state)
{
    met_decimal one = number("1");
    met_decimal nan = {{0, UINT64_C(0x7c00000000000000)}};
    met_decimal out;
    char text[MET_DECIMAL_TEXT_SIZE];
    int32_t order;
    size_t size = 0;

    assert_int_equal(met_decimal_parse(NULL, 1, &out), MET_E_INVALID);
    assert_int_equal(met_decimal_parse("1", 1, NULL), MET_E_INVALID);
    assert_int_equal(met_decimal_format(&nan, text, NULL), MET_E_INVALID);
    assert_int_equal(met_decimal_format(NULL, text, NULL), MET_E_INVALID);
    assert_int_equal(met_decimal_format(&one, NULL, NULL), MET_E_INVALID);
    assert_int_equal(met_decimal_add(&one, &nan, &out), MET_E_INVALID);
    assert_int_equal(met_decimal_add(NULL, &one, &out), MET_E_INVALID);
    assert_int_equal(met_decimal_multiply(&one, &one, NULL), MET_E_INVALID);
    assert_int_equal(met_decimal_compare(&nan, &one, &order), MET_E_INVALID);
    assert_int_equal(met_decimal_divide(&one, &one, 25, MET_ROUND_UP, &out),
                     MET_E_INVALID);
    assert_int_equal(met_decimal_round(&one, 2, 99, &out), MET_E_INVALID);
    assert_int_equal(met_decimal_subtract(&one, &one, &one), MET_OK);
    assert_int_equal(met_decimal_format(&one, text, &size), MET_OK);
    assert_string_equal(text, "0");
    assert_int_equal(size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archive_sets_the_inexact_flag),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_prints_plainly),
        cmocka_unit_test(test_exact_or_an_error),
        cmocka_unit_test(test_short_ones_end_where_digits_do),
        cmocka_unit_test(test_knows_what_can_be_printed),
        cmocka_unit_test(test_rounds_once),
        cmocka_unit_test(test_integers_at_their_bounds),
        cmocka_unit_test(test_bits_from_outside_are_examined),
        cmocka_unit_test(test_public_calls_refuse_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Thresholds: their ranges, and what passing and reaching is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/threshold.h"

static met_decimal whole(int64_t value)
{
    return met__decimal_from_i64(value);
}

static void test_ranges(void **state)
{
    met__threshold threshold = {MET__THRESHOLD_BALANCE_VALUE, whole(0)};
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met__threshold_check(&threshold, NULL), MET_OK);
    threshold.value = whole(-1);
    assert_int_equal(met__threshold_check(&threshold, &info), MET_E_INVALID);
    assert_string_equal(info.field, "value");
    for (uint32_t kind = 0; kind < MET__THRESHOLD_BALANCE_VALUE; kind++) {
        threshold = (met__threshold){kind, whole(0)};
        assert_int_equal(met__threshold_check(&threshold, NULL),
                         MET_E_INVALID);
        threshold.value = met__decimal_from_scaled(1, 18);
        assert_int_equal(met__threshold_check(&threshold, NULL), MET_OK);
    }
    threshold.kind = MET__THRESHOLD_BALANCE_VALUE + 1;
    assert_int_equal(met__threshold_check(&threshold, NULL), MET_E_INVALID);
}

static void passes(const met__threshold *list, size_t count,
                   met__burn_value value, int when_reached, size_t usage,
                   size_t balance)
{
    size_t got_usage = 77;
    size_t got_balance = 77;

    assert_int_equal(met__threshold_passed(list, count, &value, when_reached,
                                           &got_usage, &got_balance), MET_OK);
    assert_int_equal(got_usage, usage);
    assert_int_equal(got_balance, balance);
}

static void test_reaching_is_not_passing(void **state)
{
    const met__threshold list[] = {
        {MET__THRESHOLD_USAGE_PERCENTAGE, whole(100)},
        {MET__THRESHOLD_USAGE_PERCENTAGE, whole(80)},
        {MET__THRESHOLD_USAGE_VALUE, whole(40)},
        {MET__THRESHOLD_BALANCE_VALUE, whole(0)},
        {MET__THRESHOLD_BALANCE_VALUE, whole(10)},
    };
    met__burn_value all = {whole(0), whole(50), whole(0), whole(50)};
    met__burn_value more = {whole(0), whole(51), whole(1), whole(50)};
    met__burn_value some = {whole(10), whole(40), whole(0), whole(50)};
    met__burn_value none = {whole(0), whole(9), whole(9), whole(0)};

    passes(list, 5, all, 0, 2, 3); /* 40 and 80 % are one: the last listed */
    passes(list, 5, all, 1, 0, 3);
    passes(list, 5, more, 0, 0, 3);
    passes(list, 5, some, 0, MET__NO_THRESHOLD, MET__NO_THRESHOLD);
    passes(list, 5, some, 1, 2, 4);
    passes(list, 5, none, 1, MET__NO_THRESHOLD, MET__NO_THRESHOLD);
    passes(NULL, 0, all, 1, MET__NO_THRESHOLD, MET__NO_THRESHOLD);
}

static met_decimal number(const char *text)
{
    met_decimal value;

    assert_int_equal(met__decimal_parse(met__text_z(text), &value), MET_OK);
    return value;
}

/* A share whose digits are more than a decimal has still tells usage on one
 * side of it from usage on the other, and silences no other threshold. */
static void test_more_digits_than_a_decimal(void **state)
{
    const met__threshold list[] = {
        {MET__THRESHOLD_USAGE_PERCENTAGE, number("33.3333333333333333333")},
        {MET__THRESHOLD_USAGE_PERCENTAGE, number("999999999999999.123456789")},
        {MET__THRESHOLD_BALANCE_VALUE, whole(0)},
    };
    met__burn_value value = {.balance = whole(1),
                             .total_available =
                                 number("999999999999999.123456789")};

    (void)state;
    /* A third is 333333333333333.04115192966666666666695… */
    value.usage = number("333333333333333.041151929");
    passes(list, 3, value, 0, MET__NO_THRESHOLD, MET__NO_THRESHOLD);
    passes(list, 3, value, 1, MET__NO_THRESHOLD, MET__NO_THRESHOLD);
    value.usage = number("333333333333333.041151930");
    value.balance = whole(0);
    passes(list, 3, value, 0, 0, 2);
    passes(list, 3, value, 1, 0, 2);
}

static void test_two_debts_are_refused(void **state)
{
    const met__threshold half = {MET__THRESHOLD_USAGE_PERCENTAGE, whole(50)};
    met__burn_value both = {whole(1), whole(1), whole(1), whole(2)};
    size_t usage = 77;
    size_t balance = 77;

    (void)state;
    assert_int_equal(met__threshold_passed(&half, 1, &both, 0, &usage,
                                           &balance), MET_E_INVALID);
    assert_true(usage == 77 && balance == 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_reaching_is_not_passing),
        cmocka_unit_test(test_more_digits_than_a_decimal),
        cmocka_unit_test(test_two_debts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

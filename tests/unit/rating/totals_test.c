/* Totals: every field has its sign, and what does not fit changes nothing. */
#include "unit/rating/rating_support.h"

#include "rating/rating_parts.h"

#define LONG "9999999999999999999999999999999999"

static met__totals totals_of(const char *const values[8])
{
    met__totals totals;

    totals.amount = decimal_of(values[0]);
    totals.charges_total = decimal_of(values[1]);
    totals.discounts_total = decimal_of(values[2]);
    totals.credits_total = decimal_of(values[3]);
    totals.taxes_total = decimal_of(values[4]);
    totals.taxes_inclusive_total = decimal_of(values[5]);
    totals.taxes_exclusive_total = decimal_of(values[6]);
    totals.total = decimal_of(values[7]);
    return totals;
}

static void settles(void **state)
{
    static const struct {
        const char *fields[8];
        const char *total; /* NULL: does not fit */
    } rows[] = {
        {{"100", "20", "3", "4", "50", "60", "7", "0"}, "120"},
        {{"-1", "0", "0", "0", "0", "0", "0", "9"}, "-1"},
        {{LONG, "2", "0", "0", "0", "0", "0", "5"}, NULL},
        {{LONG, "0", "0", "0", "0", "0", "2", "5"}, NULL},
        {{LONG, "0", "-2", "0", "0", "0", "0", "5"}, NULL},
        {{LONG, "0", "0", "-2", "0", "0", "0", "5"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__totals totals = totals_of(rows[i].fields);
        assert_int_equal(met__totals_settle(&totals),
                         rows[i].total ? MET_OK : MET_E_OVERFLOW);
        assert_string_equal(text_of(totals.total),
                            rows[i].total ? rows[i].total : "5");
    }
}

static void adds_all_fields_or_none(void **state)
{
    met__totals sum = totals_of(
        (const char *const[]){"1", "2", "3", "4", "5", "6", "7", LONG});
    met__totals more = totals_of((const char *const[]){
        "10", "20", "30", "40", "50", "60", "70", "2"});

    (void)state;
    assert_int_equal(met__totals_add(&sum, &more), MET_E_OVERFLOW);
    assert_string_equal(text_of(sum.amount), "1");
    sum.total = decimal_of("8");
    assert_int_equal(met__totals_add(&sum, &more), MET_OK);
    assert_string_equal(text_of(sum.amount), "11");
    assert_string_equal(text_of(sum.taxes_exclusive_total), "77");
    assert_string_equal(text_of(sum.total), "10");
    assert_int_equal(met__totals_combine(&sum, &more, -1), MET_OK);
    assert_string_equal(text_of(sum.credits_total), "4");
    assert_false(met__totals_are_zero(&sum));
    assert_int_equal(met__totals_combine(&sum, &sum, -1), MET_OK);
    assert_true(met__totals_are_zero(&sum));
    sum.total = decimal_of("1"); /* the last one counts too */
    assert_false(met__totals_are_zero(&sum));
}

static void rounds_every_field(void **state)
{
    met__totals totals = totals_of((const char *const[]){
        "1.005", "2.004", "-3.005", "4", "0.001", "6.999", "7", "0.5"});
    met__currency currency = currency_of("USD");

    (void)state;
    assert_int_equal(met__totals_round(&totals, &currency), MET_OK);
    assert_string_equal(text_of(totals.amount), "1.01");
    assert_string_equal(text_of(totals.charges_total), "2");
    assert_string_equal(text_of(totals.discounts_total), "-3.01");
    assert_string_equal(text_of(totals.taxes_total), "0");
    assert_string_equal(text_of(totals.taxes_inclusive_total), "7");
    assert_string_equal(text_of(totals.total), "0.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settles, begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(adds_all_fields_or_none, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(rounds_every_field, begin_memory,
                                        end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

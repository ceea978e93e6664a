/* Civil time: edges by hand. The bulk is tests/property/base_oracle.py. */
#include "base_support.h"

#include "base/calendar.h"

static void test_every_day_there_and_back(void **state)
{
    int64_t day = 0;

    for (int32_t year = 1970; year <= 2200; year++) {
        for (int32_t month = 1; month <= 12; month++) {
            int32_t last = met__days_in_month(year, month);
            for (int32_t of_month = 1; of_month <= last; of_month++, day++) {
                met__civil civil = {0};
                assert_true(met__days_from_civil(year, month, of_month)
                            == day);
                met__civil_from_days(day, &civil);
                assert_true(civil.year == year && civil.month == month
                            && civil.day == of_month);
            }
        }
    }
    assert_true(day * MET__DAY_NS - 1 == MET__TIME_MAX);
    assert_int_equal(met__days_in_month(2026, 0), 0);
    assert_int_equal(met__days_in_month(2026, 13), 0);
    assert_int_equal(met__days_in_month(2100, 2), 28);
    assert_int_equal(met__days_in_month(2000, 2), 29);
}

static void test_times_that_are_none(void **state)
{
    static const char *const bad[] = {
        "", "2026", "2026-01-01", "2026-01-01T00:00:00",
        "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.0000000001Z",
        "2026-01-01T00:00:00+2400", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00Z ", " 2026-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z",
        "1970-01-01T00:00:00+00:01", "2200-12-31T23:59:59-00:01",
        "-026-01-01T00:00:00Z", "2026-01-01 00:00:00Z",
    };
    int64_t out = 5;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (met__time_parse(met__text_z(bad[i]), &out) != MET_E_INVALID
            || out != 5) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
    assert_int_equal(met_time_parse(NULL, 3, &out), MET_E_INVALID);
    assert_int_equal(met_time_parse("2026-01-01T00:00:00Z", 20, NULL),
                     MET_E_INVALID);
}

static void test_bounds_of_the_range(void **state)
{
    char text[MET_TIME_TEXT_SIZE];
    int64_t out;

    assert_int_equal(met_time_format(0, text), MET_OK);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    assert_int_equal(met_time_format(MET__TIME_MAX, text), MET_OK);
    assert_string_equal(text, "2200-12-31T23:59:59.999999999Z");
    assert_int_equal(met_time_format(-1, text), MET_E_INVALID);
    assert_int_equal(met_time_format(MET__TIME_MAX + 1, text), MET_E_INVALID);
    assert_int_equal(met_time_format(0, NULL), MET_E_INVALID);
    /* The local date may lie a day outside. */
    assert_int_equal(met__time_parse(
                         MET__TEXT("1969-12-31T23:30:00-00:30"), &out),
                     MET_OK);
    assert_true(out == 0);
    assert_int_equal(met__time_parse(
                         MET__TEXT("2201-01-01T00:29:59.5+00:30"), &out),
                     MET_OK);
    assert_true(out == MET__TIME_MAX - 499999999);
}

static void test_civil_to_ns_refuses(void **state)
{
    met__civil leap = {2026, 2, 29, 0, 0, 0, 0};
    met__civil second = {2026, 1, 1, 0, 0, 0, 1000000000};
    int64_t out;

    assert_int_equal(met__civil_to_ns(&leap, &out), MET_E_INVALID);
    assert_int_equal(met__civil_to_ns(&second, &out), MET_E_INVALID);
    leap.year = 2028;
    assert_int_equal(met__civil_to_ns(&leap, &out), MET_OK);
    assert_int_equal(met__civil_from_ns(-1, &leap), MET_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_there_and_back),
        cmocka_unit_test(test_times_that_are_none),
        cmocka_unit_test(test_bounds_of_the_range),
        cmocka_unit_test(test_civil_to_ns_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

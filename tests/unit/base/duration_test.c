/* Durations and recurrences: edges by hand. The bulk is
 * tests/property/base_oracle.py. */
#include "base_support.h"

#include "base/calendar.h"

static met__duration duration(const char *text)
{
    met__duration out;

    assert_int_equal(met__duration_parse(met__text_z(text), &out), MET_OK);
    return out;
}

static int64_t at(const char *text)
{
    int64_t out;

    assert_int_equal(met__time_parse(met__text_z(text), &out), MET_OK);
    return out;
}

static void test_texts_that_are_none(void **state)
{
    static const char *const bad[] = {
        "", "P", "PT", "P1", "1M", "P1M1Y", "P1MT", "PT1D", "P-1M", "-P1M",
        "P1.5D", "PT1.5H", "PT1.S", "PT0.1234567891S", "P1Y1Y", "p1m",
        "P1000000001D", "P99999999999999999999Y", "P1M ", "PT1S1M", "P1H",
    };
    met__duration out;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (met__duration_parse(met__text_z(bad[i]), &out)
            != MET_E_INVALID) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void test_there_and_back(void **state)
{
    static const char *const good[] = {
        "P1Y2M3W4DT5H6M7.000000008S", "PT0S", "P1M", "PT0.5S", "P1000000000D",
    };
    met__platform platform = faulty_platform(NULL, NULL);

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        met__duration parsed = duration(good[i]);
        met__buffer buffer;
        met__buffer_init(&buffer, &platform);
        assert_int_equal(met__duration_print(&parsed, &buffer), MET_OK);
        assert_string_equal(buffer.data, good[i]);
        met__buffer_release(&buffer);
    }
    met__duration zero = duration("PT0S");
    assert_true(met__duration_is_zero(&zero));
}

static void test_month_ends_come_from_the_anchor(void **state)
{
    met__recurrence monthly = {at("2026-01-31T10:00:00Z"), duration("P1M")};
    static const char *const points[] = {
        "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z",
        "2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z",
    };
    met__period period;
    int64_t n;

    for (int i = 0; i < 4; i++) {
        int64_t point;
        assert_int_equal(met__recurrence_point(&monthly, i, &point), MET_OK);
        assert_true(point == at(points[i]));
    }
    assert_int_equal(met__recurrence_period_at(
                         &monthly, at("2026-02-28T09:59:59.999999999Z"),
                         &period, &n), MET_OK);
    assert_true(n == 0 && period.to_ns == at(points[1]));
    assert_int_equal(met__recurrence_period_at(
                         &monthly, at("2026-02-28T10:00:00Z"), &period, &n),
                     MET_OK);
    assert_true(n == 1 && period.from_ns == at(points[1])
                && period.to_ns == at(points[2]));
    /* Before the anchor the numbers are negative. */
    assert_int_equal(met__recurrence_period_at(
                         &monthly, at("2025-12-31T10:00:00Z"), &period, &n),
                     MET_OK);
    assert_true(n == -1 && period.to_ns == at(points[0]));
}

static void test_periods_cut_by_the_ends_of_time(void **state)
{
    const int64_t day = MET__DAY_NS;
    const struct {
        const char *every;
        int64_t anchor_ns;
        int64_t at_ns;
        met__period expected;
        int64_t n;
    } rows[] = {
        {"PT1H", 90 * MET__MINUTE_NS, 0, {0, 30 * MET__MINUTE_NS}, -2},
        {"PT1H", 0, MET__TIME_MAX,
         {MET__TIME_MAX + 1 - MET__HOUR_NS, MET__TIME_MAX}, 2024903},
        {"P300Y", day, 5, {0, day}, -1},
        {"P300Y", day, day, {day, MET__TIME_MAX}, 0},
        {"P1000000000Y", day, day - 1, {0, day}, -1},
        {"P1000000000Y", day, MET__TIME_MAX, {day, MET__TIME_MAX}, 0},
        {"P1000000000D", MET__TIME_MAX, 7, {0, MET__TIME_MAX}, -1},
        {"P1D", 3 * day, 5 * day, {5 * day, 6 * day}, 2},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__recurrence each = {rows[i].anchor_ns, duration(rows[i].every)};
        met__period period;
        int64_t n;
        assert_int_equal(met__recurrence_period_within(&each, rows[i].at_ns,
                                                       &period, &n), MET_OK);
        assert_true(period.from_ns == rows[i].expected.from_ns
                    && period.to_ns == rows[i].expected.to_ns);
        assert_true(n == rows[i].n);
    }
}

/* Against a look at each point. */
static void test_points_that_two_share(void **state)
{
    const int64_t hour = MET__HOUR_NS;
    const char *const every[] = {"PT1H", "PT90M",    "PT7H30M", "P1D",
                                 "P1W",  "PT1H0.5S", "P1M",     "P1Y",
                                 "PT5H", "P1000D",   "P300Y"};
    const size_t count = sizeof every / sizeof *every;
    const int64_t from = 400 * MET__DAY_NS;

    for (size_t i = 0; i < count * count * 4; i++) {
        met__recurrence a = {(int64_t)(i % 7) * hour,
                             duration(every[i % count])};
        met__recurrence b = {from * (int64_t)(i % 3)
                                 + (int64_t)(i % 5) * hour / 2,
                             duration(every[i / count % count])};
        int64_t to = from + (int64_t)(i % 90) * 10 * hour + 1;
        int64_t expected = 0;
        int64_t found = -1;
        met__period at;
        met__period other;
        assert_int_equal(met__recurrence_period_within(&a, from, &at, NULL),
                         MET_OK);
        while (at.to_ns < to && at.to_ns < MET__TIME_MAX) {
            int64_t point = at.to_ns;
            assert_int_equal(
                met__recurrence_period_within(&b, point, &other, NULL),
                MET_OK);
            expected += other.from_ns == point;
            assert_int_equal(
                met__recurrence_period_within(&a, point, &at, NULL), MET_OK);
        }
        assert_int_equal(met__recurrence_shared(&a, &b, from, to, &found),
                         MET_OK);
        assert_true(found == expected);
    }
    met__recurrence none = {0, duration("PT0S")};
    met__recurrence day = {0, duration("P1D")};
    int64_t found = -1;
    assert_int_equal(met__recurrence_shared(&none, &day, 0, 9, &found),
                     MET_E_INVALID);
    assert_int_equal(met__recurrence_shared(&day, &day, 9, 9, &found),
                     MET_E_INVALID);
    assert_int_equal(met__recurrence_shared(&day, &day, 0, MET__TIME_MAX,
                                            &found), MET_OK);
    assert_true(found == 84370);
}

static void test_recurrences_at_the_ends_of_time(void **state)
{
    met__recurrence second = {0, duration("PT1S")};
    met__recurrence zero = {0, duration("PT0S")};
    met__period period;

    assert_int_equal(met__recurrence_period_at(&second, MET__TIME_MAX,
                                               &period, NULL),
                     MET_E_INVALID); /* its end is out of range */
    assert_int_equal(met__recurrence_period_at(
                         &second, MET__TIME_MAX - MET__SECOND_NS, &period,
                         NULL), MET_OK);
    assert_int_equal(met__recurrence_period_at(&second, -1, &period, NULL),
                     MET_E_INVALID);
    assert_int_equal(met__recurrence_period_at(&zero, 5, &period, NULL),
                     MET_E_INVALID);
    assert_int_equal(met__recurrence_period_within(&zero, 5, &period, NULL),
                     MET_E_INVALID);
    int64_t out;
    met__duration year = duration("P1000000000Y");
    assert_int_equal(met__duration_add(0, &year, 1000000000, &out),
                     MET_E_INVALID);
    assert_int_equal(met__duration_add(0, &year, INT64_MIN, &out),
                     MET_E_INVALID);
    assert_int_equal(met__duration_add(7, &year, 0, &out), MET_OK);
    assert_true(out == 7);
}

static void test_nothing_divides_zero(void **state)
{
    met__duration zero = duration("PT0S");
    met__duration month = duration("P1M");
    met__duration year = duration("P1Y");
    met__duration week = duration("P1W");

    assert_false(met__duration_divides(&zero, &month));
    assert_false(met__duration_divides(&month, &zero));
    assert_true(met__duration_divides(&year, &month));
    assert_false(met__duration_divides(&month, &week));
}

static void test_ten_years_are_long_enough(void **state)
{
    static const char *const most[] = {"PT0S", "P10Y", "P120M",
                                       "PT315532800S"};
    static const char *const more[] = {"P10YT1S", "P121M", "PT315532801S",
                                       "P999999999Y", "P1000000000D"};
    met__duration one;

    (void)state;
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        one = duration(most[i]);
        assert_false(met__duration_is_long(&one));
    }
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        one = duration(more[i]);
        assert_true(met__duration_is_long(&one));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_that_are_none),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_month_ends_come_from_the_anchor),
        cmocka_unit_test(test_periods_cut_by_the_ends_of_time),
        cmocka_unit_test(test_points_that_two_share),
        cmocka_unit_test(test_recurrences_at_the_ends_of_time),
        cmocka_unit_test(test_nothing_divides_zero),
        cmocka_unit_test(test_ten_years_are_long_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

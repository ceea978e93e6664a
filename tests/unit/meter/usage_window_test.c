/* Windows of every size, in UTC and where days are odd: each minute lies in
 * exactly one, and the next begins where it ends. */
#include "meter_support.h"

#include "meter/usage_window.h"

static met__platform platform;

static int64_t minute_of(const char *text)
{
    int64_t utc_ns = 0;

    assert_int_equal(met__time_parse(met__text_z(text), &utc_ns), MET_OK);
    return utc_ns / MET__MINUTE_NS;
}

static met__zone *zone_of(const char *name)
{
    met__zone *zone = NULL;

    assert_int_equal(met__zone_open(&platform, met__text_z(name), &zone,
                                    NULL),
                     MET_OK);
    return zone;
}

static void test_window__bounds(void **state)
{
    static const struct {
        const char *zone; /* NULL: UTC */
        uint32_t window;
        const char *at;
        const char *from;
        const char *to;
    } rows[] = {
        {NULL, MET__WINDOW_MINUTE, "2026-03-01T00:01:00Z",
         "2026-03-01T00:01:00Z", "2026-03-01T00:02:00Z"},
        {NULL, MET__WINDOW_HOUR, "2026-03-01T23:59:00Z",
         "2026-03-01T23:00:00Z", "2026-03-02T00:00:00Z"},
        {NULL, MET__WINDOW_DAY, "2028-02-29T12:00:00Z",
         "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
        {NULL, MET__WINDOW_MONTH, "2026-12-31T23:59:00Z",
         "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        /* 23 and 25 hours */
        {"Europe/Budapest", MET__WINDOW_DAY, "2025-03-30T21:59:00Z",
         "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"},
        {"America/New_York", MET__WINDOW_DAY, "2025-11-02T05:30:00Z",
         "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"},
        {"Asia/Tokyo", MET__WINDOW_MONTH, "2025-03-29T00:00:00Z",
         "2025-02-28T15:00:00Z", "2025-03-31T15:00:00Z"},
        {"Europe/Budapest", MET__WINDOW_MONTH, "2025-03-31T21:59:00Z",
         "2025-02-28T23:00:00Z", "2025-03-31T22:00:00Z"},
        /* hours are of real time, also in Kathmandu */
        {"Asia/Kathmandu", MET__WINDOW_HOUR, "2025-03-31T21:59:00Z",
         "2025-03-31T21:00:00Z", "2025-03-31T22:00:00Z"},
        {"Asia/Kathmandu", MET__WINDOW_DAY, "2025-03-31T18:14:00Z",
         "2025-03-30T18:15:00Z", "2025-03-31T18:15:00Z"},
        /* midnight does not exist, then the whole day does not */
        {"America/Sao_Paulo", MET__WINDOW_DAY, "2018-11-04T03:00:00Z",
         "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
        {"Pacific/Apia", MET__WINDOW_DAY, "2011-12-30T09:59:00Z",
         "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
        {"Pacific/Apia", MET__WINDOW_DAY, "2011-12-30T10:00:00Z",
         "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
        /* one minute past midnight the clock went back to 23:01 */
        {"America/St_Johns", MET__WINDOW_DAY, "2008-11-02T02:29:00Z",
         "2008-11-01T02:30:00Z", "2008-11-02T02:30:00Z"},
        {"America/St_Johns", MET__WINDOW_DAY, "2008-11-02T02:40:00Z",
         "2008-11-02T02:30:00Z", "2008-11-03T03:30:00Z"},
        /* where time begins and ends */
        {"America/New_York", MET__WINDOW_DAY, "1970-01-01T00:00:00Z",
         "1970-01-01T00:00:00Z", "1970-01-01T05:00:00Z"},
        {"Asia/Tokyo", MET__WINDOW_MONTH, "1970-01-01T00:00:00Z",
         "1970-01-01T00:00:00Z", "1970-01-31T15:00:00Z"},
        /* -0:44:30: the bound is taken at its minute */
        {"Africa/Monrovia", MET__WINDOW_DAY, "1971-01-01T00:44:00Z",
         "1971-01-01T00:44:00Z", "1971-01-02T00:44:00Z"},
        {"Africa/Monrovia", MET__WINDOW_DAY, "1971-01-01T00:43:00Z",
         "1970-12-31T00:44:00Z", "1971-01-01T00:44:00Z"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__zone *zone = rows[i].zone ? zone_of(rows[i].zone) : NULL;
        int64_t from = -1;
        int64_t to = -1;
        met__usage_window(rows[i].window, zone, minute_of(rows[i].at), &from,
                          &to);
        if (from != minute_of(rows[i].from) || to != minute_of(rows[i].to)) {
            fail_msg("row %zu: minutes %lld to %lld", i, (long long)from,
                     (long long)to);
        }
        met__zone_close(zone);
    }
}

static void test_window__partition(void **state)
{
    static const char *const names[] = {
        "UTC", "Europe/Budapest", "America/St_Johns", "Pacific/Apia",
        "Asia/Kathmandu", "Africa/Monrovia", "America/Havana",
        "Australia/Lord_Howe", "Africa/Casablanca"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        met__zone *zone = zone_of(names[i]);
        for (uint32_t window = MET__WINDOW_DAY; window <= MET__WINDOW_MONTH;
             window++) {
            int64_t end = 0;
            while (end < MET__MINUTES_END) {
                int64_t from = -1;
                int64_t to = -1;
                met__usage_window(window, zone, end, &from, &to);
                if (from != end || to <= from) {
                    fail_msg("%s: [%lld, %lld) does not follow %lld",
                             names[i], (long long)from, (long long)to,
                             (long long)end);
                }
                end = to;
                int64_t begin = from;
                met__usage_window(window, zone, end - 1, &from, &to);
                assert_int_equal(from, begin);
                assert_int_equal(to, end);
            }
        }
        met__zone_close(zone);
    }
}

int main(void)
{
    platform = test_platform(NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window__bounds),
        cmocka_unit_test(test_window__partition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

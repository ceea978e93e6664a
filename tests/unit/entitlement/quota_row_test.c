/* Quota rows: which period and number a moment belongs to; keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/allowance.h"

static int64_t at(const char *text)
{
    int64_t utc_ns = 0;

    assert_int_equal(met__time_parse(met__text_z(text), &utc_ns), MET_OK);
    return utc_ns;
}

static met__quota_row monthly(const char *from, const char *to,
                              const char *anchor)
{
    return (met__quota_row){
        .type = MET__ENTITLEMENT_METERED,
        .from_ns = at(from),
        .to_ns = to == NULL ? MET__TIME_MAX : at(to),
        .usage_period = {.anchor_ns = at(anchor), .interval = {.months = 1}},
        .number_base = 1000,
    };
}

static void assert_period(const met__quota_row *row, const char *moment,
                          const char *from, const char *to, uint64_t number)
{
    met__period period;
    uint64_t found;

    assert_int_equal(
        met__quota_row_period(row, at(moment), &found, &period), MET_OK);
    assert_int_equal(period.from_ns, at(from));
    assert_int_equal(period.to_ns, at(to));
    assert_int_equal(found, number);
}

static void assert_outside(const met__quota_row *row, const char *moment)
{
    met__period period = {7, 7};
    uint64_t number = 7;

    assert_int_equal(
        met__quota_row_period(row, at(moment), &number, &period),
        MET_E_NOT_FOUND);
    assert_int_equal(number, 7);
    assert_int_equal(period.from_ns, 7);
}

static void periods_follow_the_anchor(void **state)
{
    met__quota_row row = monthly("2026-01-31T00:00:00Z", NULL,
                                 "2026-01-31T00:00:00Z");

    (void)state;
    assert_period(&row, "2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z",
                  "2026-02-28T00:00:00Z", 1000);
    assert_period(&row, "2026-02-27T23:59:59Z", "2026-01-31T00:00:00Z",
                  "2026-02-28T00:00:00Z", 1000);
    assert_period(&row, "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z",
                  "2026-03-31T00:00:00Z", 1001);
    assert_period(&row, "2027-01-31T12:00:00Z", "2027-01-31T00:00:00Z",
                  "2027-02-28T00:00:00Z", 1012);
}

static void periods_are_clipped_to_the_row(void **state)
{
    met__quota_row row =
        monthly("2026-01-10T08:00:00Z", "2026-02-20T09:00:00Z",
                "2026-01-01T00:00:00Z");

    (void)state;
    assert_period(&row, "2026-01-10T08:00:00Z", "2026-01-10T08:00:00Z",
                  "2026-02-01T00:00:00Z", 1000);
    assert_period(&row, "2026-02-20T08:59:59Z", "2026-02-01T00:00:00Z",
                  "2026-02-20T09:00:00Z", 1001);
    assert_outside(&row, "2026-01-10T07:59:59Z");
    assert_outside(&row, "2026-02-20T09:00:00Z");
}

/* A minute belongs to what is in force at its last nanosecond: the same minute
 * is never in two periods, and none is in no period inside a row. */
static void a_minute_is_not_parted(void **state)
{
    met__quota_row row =
        monthly("2026-01-10T08:00:30Z", "2026-03-20T09:15:45Z",
                "2026-01-01T10:20:30Z");

    (void)state;
    assert_outside(&row, "2026-01-10T07:59:59Z");
    assert_period(&row, "2026-01-10T08:00:00Z", "2026-01-10T08:00:30Z",
                  "2026-02-01T10:20:30Z", 1000);
    assert_period(&row, "2026-02-01T10:19:59.999999999Z",
                  "2026-01-10T08:00:30Z", "2026-02-01T10:20:30Z", 1000);
    assert_period(&row, "2026-02-01T10:20:00Z", "2026-02-01T10:20:30Z",
                  "2026-03-01T10:20:30Z", 1001);
    assert_period(&row, "2026-03-20T09:14:59Z", "2026-03-01T10:20:30Z",
                  "2026-03-20T09:15:45Z", 1002);
    assert_outside(&row, "2026-03-20T09:15:00Z");
}

/* The anchor may lie after the row's beginning: n is negative then. */
static void numbers_count_from_any_anchor(void **state)
{
    met__quota_row row = monthly("2026-01-10T00:00:00Z", NULL,
                                 "2026-06-15T00:00:00Z");

    (void)state;
    assert_period(&row, "2026-01-10T00:00:00Z", "2026-01-10T00:00:00Z",
                  "2026-01-15T00:00:00Z", 994);
    assert_period(&row, "2026-01-15T00:00:00Z", "2026-01-15T00:00:00Z",
                  "2026-02-15T00:00:00Z", 995);
    assert_period(&row, "2026-06-15T00:00:00Z", "2026-06-15T00:00:00Z",
                  "2026-07-15T00:00:00Z", 1000);
}

static void what_is_not_metered_has_one_period(void **state)
{
    met__quota_row row = {.type = MET__ENTITLEMENT_BOOLEAN,
                          .from_ns = at("2026-01-10T00:00:00Z"),
                          .to_ns = at("2026-05-10T00:00:00Z")};

    (void)state;
    assert_period(&row, "2026-03-01T00:00:00Z", "2026-01-10T00:00:00Z",
                  "2026-05-10T00:00:00Z", 0);
    assert_outside(&row, "2026-05-10T00:00:00Z");
}

static void the_last_minute_of_time(void **state)
{
    (void)state;
    assert_int_equal(met__minute_last(MET__TIME_MAX), MET__TIME_MAX);
    assert_int_equal(met__minute_last(0), MET__MINUTE_NS - 1);
    assert_int_equal(met__minute_last(MET__MINUTE_NS - 1),
                     MET__MINUTE_NS - 1);
    assert_int_equal(met__minute_last(MET__MINUTE_NS),
                     2 * MET__MINUTE_NS - 1);
    assert_int_equal(met__minute_last(INT64_MAX), INT64_MAX);
    assert_int_equal(met__minute_last(-5), -5);
}

static int same(met__hash128 a, met__hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

static void keys_keep_their_parts_apart(void **state)
{
    met__secret secret;
    met__secret other;
    met__hash128 key;

    (void)state;
    for (size_t i = 0; i < sizeof secret.bytes; i++) {
        secret.bytes[i] = (uint8_t)(i * 7 + 1);
        other.bytes[i] = (uint8_t)(i * 13 + 5);
    }
    key = met__quota_key(&secret, MET__TEXT("ab"), MET__TEXT("c"));
    assert_true(same(
        key, met__quota_key(&secret, MET__TEXT("ab"), MET__TEXT("c"))));
    assert_false(same(
        key, met__quota_key(&secret, MET__TEXT("a"), MET__TEXT("bc"))));
    assert_false(same(
        key, met__quota_key(&secret, MET__TEXT("abc"), MET__TEXT(""))));
    assert_false(same(
        key, met__quota_key(&other, MET__TEXT("ab"), MET__TEXT("c"))));
    assert_false(same(
        met__quota_key(&secret, met__text_of(NULL, 0), MET__TEXT("abc")),
        met__quota_key(&secret, MET__TEXT("abc"), met__text_of(NULL, 0))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_follow_the_anchor),
        cmocka_unit_test(periods_are_clipped_to_the_row),
        cmocka_unit_test(a_minute_is_not_parted),
        cmocka_unit_test(numbers_count_from_any_anchor),
        cmocka_unit_test(what_is_not_metered_has_one_period),
        cmocka_unit_test(the_last_minute_of_time),
        cmocka_unit_test(keys_keep_their_parts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

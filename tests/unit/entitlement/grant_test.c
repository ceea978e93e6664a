/* Terms of a grant: bounds of its fields, its expiry, its recurrences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/grant.h"

static int64_t at(const char *text)
{
    int64_t ns = -1;

    assert_int_equal(met__time_parse(met__text_z(text), &ns), MET_OK);
    return ns;
}

static met__grant sample(void)
{
    return (met__grant){.id = MET__TEXT("a"),
                        .amount = met__decimal_from_i64(5),
                        .rollover_min = met__decimal_zero(),
                        .rollover_max = met__decimal_zero(),
                        .effective_at_ns = at("2024-01-31T10:00:00Z"),
                        .expires_at_ns = MET__NEVER,
                        .voided_at_ns = MET__NEVER,
                        .deleted_at_ns = MET__NEVER,
                        .priority = MET__GRANT_PRIORITY_MAX};
}

static void refused(const met__grant *grant, const char *field)
{
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met__grant_check(grant, &info), MET_E_INVALID);
    assert_string_equal(info.field, field);
    assert_non_null(strstr(info.reason, "range"));
}

static void test_every_field_is_checked(void **state)
{
    met__grant good = sample();
    met__grant bad;

    assert_int_equal(met__grant_check(&good, NULL), MET_OK);
    bad = good;
    bad.id = MET__TEXT("");
    refused(&bad, "id");
    bad = good;
    bad.amount = met__decimal_zero();
    refused(&bad, "amount");
    bad.amount = met__decimal_from_i64(-1);
    refused(&bad, "amount");
    bad = good;
    bad.priority++;
    refused(&bad, "priority");
    bad = good;
    bad.effective_at_ns = MET__TIME_MAX + 1;
    refused(&bad, "effective_at");
    bad.effective_at_ns = -1;
    refused(&bad, "effective_at");
    bad = good;
    bad.expires_at_ns = MET__NEVER - 1;
    refused(&bad, "expires_at");
    bad = good;
    bad.voided_at_ns = -1;
    refused(&bad, "voided_at");
    bad = good;
    bad.deleted_at_ns = -1;
    refused(&bad, "deleted_at");
    bad = good;
    bad.rollover_min = met__decimal_from_i64(-1);
    refused(&bad, "rollover");
    bad = good;
    bad.rollover_max = (met_decimal){{0, UINT64_C(0x7c) << 56}};
    refused(&bad, "rollover");
    bad = good;
    bad.has_recurrence = 1;
    refused(&bad, "recurrence");
    bad.recurrence = (met__recurrence){-1, {.days = 1}};
    refused(&bad, "recurrence");
}

static void test_expiry_runs_over(void **state)
{
    static const struct {
        const char *from;
        uint32_t unit;
        int64_t count;
        const char *to; /* NULL: refused */
    } rows[] = {
        {"2024-01-31T10:00:01Z", MET__EXPIRES_MONTH, 1,
         "2024-03-02T10:00:01Z"},
        {"2023-01-31T00:00:00Z", MET__EXPIRES_MONTH, 1,
         "2023-03-03T00:00:00Z"},
        {"2023-12-31T00:00:00Z", MET__EXPIRES_MONTH, 12,
         "2024-12-31T00:00:00Z"},
        {"2023-10-31T00:00:00Z", MET__EXPIRES_MONTH, 1,
         "2023-12-01T00:00:00Z"},
        {"2024-02-29T00:00:00Z", MET__EXPIRES_YEAR, 1,
         "2025-03-01T00:00:00Z"},
        {"2024-02-29T00:00:00Z", MET__EXPIRES_YEAR, 4,
         "2028-02-29T00:00:00Z"},
        {"2024-12-31T00:00:00Z", MET__EXPIRES_WEEK, 1,
         "2025-01-07T00:00:00Z"},
        {"2024-12-31T00:00:00Z", MET__EXPIRES_HOUR, 36,
         "2025-01-01T12:00:00Z"},
        {"2199-12-31T00:00:00Z", MET__EXPIRES_YEAR, 1,
         "2200-12-31T00:00:00Z"},
        {"2199-12-31T00:00:00Z", MET__EXPIRES_YEAR, 2, NULL},
        {"2199-12-31T00:00:00Z", MET__EXPIRES_DAY, 10000, NULL},
        {"2024-01-01T00:00:00Z", MET__EXPIRES_MONTH, 2100000, NULL},
        {"2024-01-01T00:00:00Z", MET__EXPIRES_DAY, 0, NULL},
        {"2024-01-01T00:00:00Z", MET__EXPIRES_DAY, INT64_MAX, NULL},
        {"2024-01-01T00:00:00Z", MET__EXPIRES_YEAR + 1, 1, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ns = -7;
        met_error error = met__grant_expiry(at(rows[i].from), rows[i].unit,
                                            rows[i].count, &ns);
        assert_int_equal(error, rows[i].to ? MET_OK : MET_E_INVALID);
        assert_int_equal(ns, rows[i].to ? at(rows[i].to) : -7);
    }
}

static void recurs(const met__grant *grant, const char *from, int inclusive,
                   const char *expected)
{
    int64_t ns = -7;

    assert_int_equal(met__grant_recurs(grant, at(from), inclusive, &ns),
                     MET_OK);
    assert_int_equal(ns, expected ? at(expected) : MET__NEVER);
}

static void test_recurrences_lie_in_the_grant(void **state)
{
    met__grant grant = sample();

    recurs(&grant, "2024-02-01T00:00:00Z", 1, NULL);
    grant.has_recurrence = 1;
    grant.recurrence =
        (met__recurrence){at("2020-01-31T10:00:00Z"), {.months = 1}};
    grant.voided_at_ns = at("2024-03-31T10:00:00Z");
    recurs(&grant, "2000-01-01T00:00:00Z", 0, "2024-01-31T10:00:00Z");
    recurs(&grant, "2024-01-31T10:00:00Z", 1, "2024-01-31T10:00:00Z");
    recurs(&grant, "2024-01-31T10:00:00Z", 0, "2024-02-29T10:00:00Z");
    recurs(&grant, "2024-02-29T10:00:00Z", 0, NULL); /* voided just then */
    recurs(&grant, "2024-05-01T00:00:00Z", 0, NULL);
    /* A period around the instant that would begin before 1970 or end after
     * 2200. */
    grant.recurrence =
        (met__recurrence){at("2024-02-02T00:00:00Z"), {.years = 100}};
    recurs(&grant, "2024-02-01T00:00:00Z", 0, "2024-02-02T00:00:00Z");
    recurs(&grant, "2024-02-02T00:00:00Z", 1, "2024-02-02T00:00:00Z");
    recurs(&grant, "2024-02-02T00:00:00Z", 0, NULL);
    grant.recurrence.interval.years = 200;
    recurs(&grant, "2024-02-02T00:00:00Z", 1, "2024-02-02T00:00:00Z");
    recurs(&grant, "2024-02-02T00:00:00Z", 0, NULL);
}

static void test_order_is_total(void **state)
{
    met__grant a = sample();
    met__grant b = sample();

    assert_int_equal(met__grant_compare(&a, &b), 0);
    b.id = MET__TEXT("b");
    assert_true(met__grant_compare(&a, &b) < 0);
    b.created_at_ns = -1;
    assert_true(met__grant_compare(&a, &b) > 0);
    a.expires_at_ns = at("2024-05-01T00:00:00.1Z");
    b.expires_at_ns = at("2024-05-01T00:00:00.9Z");
    assert_true(met__grant_compare(&a, &b) > 0); /* the same second */
    b.expires_at_ns = MET__NEVER;
    assert_true(met__grant_compare(&a, &b) < 0);
    b.priority--;
    assert_true(met__grant_compare(&a, &b) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_is_checked),
        cmocka_unit_test(test_expiry_runs_over),
        cmocka_unit_test(test_recurrences_lie_in_the_grant),
        cmocka_unit_test(test_order_is_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rules in the form of POSIX's TZ: forms that zoneinfo files rarely use, and
 * texts that are none. */
#include "base_support.h"

#include "base/calendar.h"
#include "base/zone_rule.h"

static int32_t offset(const char *rule_text, const char *instant)
{
    met__zone_rule rule;
    int64_t utc_ns;

    assert_int_equal(met__zone_rule_read(met__text_z(rule_text), &rule),
                     MET_OK);
    assert_int_equal(met__time_parse(met__text_z(instant), &utc_ns), MET_OK);
    return met__zone_rule_offset_at(&rule, utc_ns / MET__SECOND_NS);
}

static void test_forms(void **state)
{
    assert_int_equal(offset("UTC0", "2026-07-01T00:00:00Z"), 0);
    assert_int_equal(offset("<+0530>-5:30", "2026-07-01T00:00:00Z"), 19800);
    assert_int_equal(offset("CET-1CEST,M3.5.0,M10.5.0/3",
                            "2025-03-30T00:59:59Z"), 3600);
    assert_int_equal(offset("CET-1CEST,M3.5.0,M10.5.0/3",
                            "2025-03-30T01:00:00Z"), 7200);
    assert_int_equal(offset("CET-1CEST,M3.5.0,M10.5.0/3",
                            "2025-10-26T01:00:00Z"), 3600);
    /* The southern summer. */
    assert_int_equal(offset("AEST-10AEDT,M10.1.0,M4.1.0/3",
                            "2026-01-01T00:00:00Z"), 39600);
    assert_int_equal(offset("AEST-10AEDT,M10.1.0,M4.1.0/3",
                            "2026-07-01T00:00:00Z"), 36000);
    /* J60 is March 1 in every year, 59 is March 1 only without Feb 29. */
    assert_int_equal(offset("AAA0BBB,J60/0,J300/0", "2028-02-29T12:00:00Z"),
                     0);
    assert_int_equal(offset("AAA0BBB,J60/0,J300/0", "2028-03-01T12:00:00Z"),
                     3600);
    assert_int_equal(offset("AAA0BBB,59/0,300/0", "2028-02-29T12:00:00Z"),
                     3600);
    assert_int_equal(offset("AAA0BBB,59/0,300/0", "2027-02-28T12:00:00Z"), 0);
    /* Saving time all year round, as RFC 9636 has it for Morocco's kind. */
    assert_int_equal(offset("XXX3EDT4,0/0,J365/23", "2026-07-01T00:00:00Z"),
                     -14400);
    assert_int_equal(offset("XXX3EDT4,0/0,J365/23", "2026-12-31T23:59:59Z"),
                     -14400);
}

static void test_texts_that_are_none(void **state)
{
    static const char *const bad[] = {
        "", "C", "CET", "CE-1", "<+05-5", "CET-1CEST", "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M0.1.0,M1.1.0",
        "CET-1CEST,M1.6.0,M1.1.0", "CET-1CEST,M1.1.7,M1.1.0",
        "CET-1CEST,J0,J5", "CET-1CEST,J366,J5", "CET-1CEST,366,5",
        "CET-25", "CET25CEST-1,M3.5.0,M10.5.0",
        "CET-1CEST-25,M3.5.0,M10.5.0", "CET-1:60",
        "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-1 ", "CET-99999999999999",
    };
    met__zone_rule rule;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (met__zone_rule_read(met__text_z(bad[i]), &rule)
            != MET_E_CORRUPT) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_texts_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

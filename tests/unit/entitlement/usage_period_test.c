/* Usage periods: bounds, and the resets against the period at every instant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/usage_period.h"
#include "support/faults.h"

static const met__usage_entry entries[] = {
    {100 * MET__HOUR_NS, {7 * MET__HOUR_NS, {.hours = 5}}},
    {130 * MET__HOUR_NS, {130 * MET__HOUR_NS, {.days = 1}}},
    {131 * MET__HOUR_NS, {0, {.hours = 1}}},
};

/* One period follows the other, and a run's resets are where they begin. */
static void test_periods_follow_each_other(void **state)
{
    int64_t at_ns = entries[0].effective_from_ns;
    size_t count = 0;
    met__period period;

    while (at_ns <= 140 * MET__HOUR_NS) {
        assert_int_equal(met__usage_period_at(entries, 3, at_ns, &period),
                         MET_OK);
        assert_true(period.from_ns == at_ns && period.to_ns > at_ns);
        at_ns = period.to_ns;
        count++;
    }
    assert_int_equal(count, 7 + 1 + 10);
}

static void test_what_of_an_entry_lies_in_a_run(void **state)
{
    const met__burn_cycle cycle = {.between = {20, 50}};
    static const struct {
        int64_t from, to;
        size_t resets, cycles;
        met__period between;
    } rows[] = {
        {0, 19, 0, 0, {0, 0}},    {0, 20, 1, 1, {20, 21}},
        {19, 30, 1, 1, {20, 31}}, {20, 30, 0, 1, {20, 31}},
        {30, 90, 0, 1, {30, 50}}, {49, 50, 0, 1, {49, 50}},
        {50, 90, 0, 0, {0, 0}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__burn_reset resets[1] = {{-1, 0}};
        met__burn_cycle cycles[1] = {{.between = {0, 0}}};
        met__burn_terms terms = {.resets = resets, .cycles = cycles};
        met__usage_add_resets(&cycle, 1, rows[i].from, rows[i].to, resets,
                              cycles, &terms);
        assert_int_equal(terms.reset_count, rows[i].resets);
        assert_int_equal(terms.cycle_count, rows[i].cycles);
        assert_true(resets[0].at_ns == (rows[i].resets ? 20 : -1)
                    && resets[0].preserves_overage == (int)rows[i].resets);
        assert_true(cycles[0].between.from_ns == rows[i].between.from_ns
                    && cycles[0].between.to_ns == rows[i].between.to_ns);
    }
}

static void test_refused(void **state)
{
    met__usage_entry bad[2] = {entries[0], entries[0]};
    met__period period;

    assert_false(met__usage_entries_are_valid(entries, 0));
    assert_false(met__usage_entries_are_valid(bad, 2)); /* not ascending */
    bad[0].usage_period.interval = (met__duration){.minutes = 59};
    assert_false(met__usage_entries_are_valid(bad, 1));
    assert_int_equal(met__usage_period_at(bad, 1, 0, &period),
                     MET_E_INVALID);
    bad[0] = entries[0];
    bad[0].usage_period.anchor_ns = -1;
    assert_false(met__usage_entries_are_valid(bad, 1));
}

static void test_the_last_period_lasts_to_the_end_of_time(void **state)
{
    const met__usage_entry yearly = {0, {MET__DAY_NS, {.years = 1}}};
    met__period period;

    assert_int_equal(met__usage_period_at(&yearly, 1, MET__TIME_MAX, &period),
                     MET_OK);
    assert_true(period.from_ns == MET__TIME_MAX + 1 - 364 * MET__DAY_NS
                && period.to_ns == MET__TIME_MAX);
    /* And the first one begins with time, or with the entry. */
    assert_int_equal(met__usage_period_at(&yearly, 1, 5, &period), MET_OK);
    assert_true(period.from_ns == 0 && period.to_ns == MET__DAY_NS);
}

static void test_a_reset_by_hand_appends(void **state)
{
    const met__usage_entry first = {2 * MET__HOUR_NS + 5,
                                    {MET__HOUR_NS, {.days = 1}}};
    const int64_t minute = 2 * MET__HOUR_NS;
    met_error_info info = {.struct_size = sizeof info};
    met__usage_entry entry = {0};
    int64_t now = 30 * MET__HOUR_NS; /* the period began at hour 25 */

    static const struct {
        int64_t at_ns;
        int64_t now_ns;
        const char *reason; /* NULL: accepted */
    } rows[] = {
        {30 * MET__HOUR_NS + 1, 30 * MET__HOUR_NS, "in the future"},
        {25 * MET__HOUR_NS - 1, 30 * MET__HOUR_NS, "usage period start"},
        {2 * MET__HOUR_NS + 9, 3 * MET__HOUR_NS, "after last reset"},
        {25 * MET__HOUR_NS, 30 * MET__HOUR_NS, NULL},
        {30 * MET__HOUR_NS, 30 * MET__HOUR_NS, NULL},
        {2 * MET__HOUR_NS + MET__MINUTE_NS, 3 * MET__HOUR_NS, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(met__usage_reset(&first, 1, rows[i].at_ns,
                                          rows[i].now_ns, 0, &entry, &info),
                         rows[i].reason ? MET_E_INVALID : MET_OK);
        if (rows[i].reason != NULL) {
            assert_string_equal(info.field, "at");
            assert_non_null(strstr(info.reason, rows[i].reason));
            assert_int_equal(entry.effective_from_ns, 0);
        }
    }
    assert_int_equal(met__usage_reset(&first, 1, now - 1, now, 1, &entry,
                                      NULL), MET_OK);
    assert_int_equal(entry.effective_from_ns, now - 1);
    assert_int_equal(entry.usage_period.anchor_ns, MET__HOUR_NS);
    assert_int_equal(met__usage_reset(&first, 1, now - 1, now, 0, &entry,
                                      NULL), MET_OK);
    assert_int_equal(entry.usage_period.anchor_ns, now - MET__MINUTE_NS);
    assert_int_equal(entry.usage_period.interval.days, 1);
    assert_int_equal(met__usage_reset(&first, 0, minute, now, 0, &entry,
                                      NULL), MET_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods_follow_each_other),
        cmocka_unit_test(test_what_of_an_entry_lies_in_a_run),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_the_last_period_lasts_to_the_end_of_time),
        cmocka_unit_test(test_a_reset_by_hand_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

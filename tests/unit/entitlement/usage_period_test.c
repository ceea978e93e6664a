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

static void test_resets_are_where_periods_begin(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;
    int64_t *resets;
    size_t count;
    size_t at = 0;
    met__period between = {90 * MET__HOUR_NS, 140 * MET__HOUR_NS};

    met__arena_init(&arena, &platform);
    assert_int_equal(met__usage_resets(entries, 3, between, &arena, &resets,
                                       &count), MET_OK);
    for (int64_t ns = between.from_ns; ns <= between.to_ns;
         ns += MET__HOUR_NS) {
        met__period period;
        assert_int_equal(met__usage_period_at(entries, 3, ns, &period),
                         MET_OK);
        if (ns >= entries[0].effective_from_ns && period.from_ns == ns) {
            assert_true(at < count && resets[at] == ns);
            at++;
        }
        assert_true(period.from_ns < period.to_ns);
    }
    assert_int_equal(at, count);
    assert_true(count > 15);
    met__arena_release(&arena);
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

static void test_many_resets_are_bounded(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    const met__usage_entry hourly = {0, {0, {.hours = 1}}};
    met__arena arena;
    int64_t *resets = NULL;
    size_t count = 0;
    met__period all = {0, MET__TIME_MAX};
    met__period late = {MET__TIME_MAX - MET__DAY_NS, MET__TIME_MAX};

    met__arena_init(&arena, &platform);
    assert_int_equal(met__usage_resets(&hourly, 1, all, &arena, &resets,
                                       &count), MET_E_LIMIT);
    assert_null(resets);
    assert_int_equal(met__usage_resets(&hourly, 1, late, &arena, &resets,
                                       &count), MET_OK);
    assert_int_equal(count, 23); /* the last one ends out of range */
    memory.fail_at = memory.calls + 1;
    met__arena_release(&arena);
    assert_int_equal(met__usage_resets(&hourly, 1, late, &arena, &resets,
                                       &count), MET_E_NO_MEMORY);
    met__arena_release(&arena);
    assert_int_equal(memory.live, 0);
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
        cmocka_unit_test(test_resets_are_where_periods_begin),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_many_resets_are_bounded),
        cmocka_unit_test(test_a_reset_by_hand_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

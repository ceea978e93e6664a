/* Windows of a history, and the state that is worth storing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/grant_history.h"
#include "support/faults.h"

#define HOUR MET__HOUR_NS

/* One a minute. */
static met_error steady(void *context, int64_t from_ns, int64_t to_ns,
                        met_decimal *usage_out)
{
    (void)context;
    *usage_out = met__decimal_from_i64((to_ns - from_ns) / MET__MINUTE_NS);
    return MET_OK;
}

static void is(met_decimal value, int64_t expected)
{
    assert_int_equal(met__decimal_compare(value,
                                          met__decimal_from_i64(expected)),
                     0);
}

static void test_windows_and_stored_states(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met__arena arena;
    met_decimal zero = met__decimal_zero();
    met__grant grants[] = {
        {MET__TEXT("a"), met__decimal_from_i64(90), zero,
         met__decimal_from_i64(90), 0, 0, MET__NEVER, MET__NEVER, MET__NEVER,
         {0, {0}}, 1, 0},
        {MET__TEXT("b"), met__decimal_from_i64(100), zero, zero, 0, 2 * HOUR,
         MET__NEVER, MET__NEVER, MET__NEVER, {0, {0}}, 1, 0},
    };
    met__burn_reset reset = {3 * HOUR + HOUR / 2, 0};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = 2,
                             .resets = &reset,
                             .reset_count = 1,
                             .keeps_segments = 1,
                             .usage = steady};
    const int64_t bounds[] = {0, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR};
    const int64_t twice[] = {0, HOUR, HOUR};
    /* 120 used, 90 granted, and 30 are paid by b when it begins. */
    const int64_t left[] = {90, 30, 70, 10};
    met__burn_window *windows = NULL;
    met_error_info info = {.struct_size = sizeof info};
    met__burn_result result;
    met__burn_state start;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__burn_begin(grants, 2, 0, &arena, &start), MET_OK);
    assert_int_equal(met__burn_windows(&terms, &start, bounds, 5, &arena,
                                       &windows, NULL), MET_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(windows[i].period.from_ns, i * HOUR);
        is(windows[i].usage, 60);
        is(windows[i].balance_at_start, left[i]);
        is(windows[i].overage_at_start, 0);
    }
    windows = NULL;
    assert_int_equal(met__burn_windows(&terms, &start, twice, 3, &arena,
                                       &windows, &info), MET_E_INVALID);
    assert_string_equal(info.field, "bounds");
    assert_null(windows);

    assert_int_equal(met__burn_run(&terms, &start, 4 * HOUR, &arena, &result,
                                   NULL), MET_OK);
    assert_int_equal(result.segment_count, 4); /* with the rollover */
    assert_null(met__burn_state_before(&result, 2 * HOUR - 1));
    const met__burn_state *stored =
        met__burn_state_before(&result, 2 * HOUR);
    assert_int_equal(stored->at_ns, 2 * HOUR);
    is(stored->overage, 30);
    assert_ptr_equal(met__burn_state_before(&result, 9 * HOUR),
                     &result.segments[3].start);
    met__arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_and_stored_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

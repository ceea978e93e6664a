/* Runs of grants: debts at a reset, corrections, levels, and what is refused.
 * The rules themselves: tests/property/grant_oracle.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/grant_burn.h"
#include "support/faults.h"

#define HOUR MET__HOUR_NS

static faulty_memory memory;
static met__platform platform;
static met__arena arena;

static int set_up(void **state)
{
    memory = (faulty_memory){0};
    platform = faulty_platform(&memory, NULL);
    met__arena_init(&arena, &platform);
    return 0;
}

static int tear_down(void **state)
{
    met__arena_release(&arena);
    assert_int_equal(memory.live, 0);
    return 0;
}

static met__grant grant_of(const char *id, int64_t amount, int64_t from_ns)
{
    return (met__grant){.id = met__text_z(id),
                        .amount = met__decimal_from_i64(amount),
                        .rollover_min = met__decimal_zero(),
                        .rollover_max = met__decimal_from_i64(amount),
                        .effective_at_ns = from_ns,
                        .expires_at_ns = MET__NEVER,
                        .voided_at_ns = MET__NEVER,
                        .deleted_at_ns = MET__NEVER};
}

/* Usage by the hour, from 0 on; what is beyond the list is none. */
typedef struct hours {
    const int64_t *used;
    size_t count;
    met_error error;
} hours;

static met_error added(void *context, int64_t from_ns, int64_t to_ns,
                       met_decimal *usage_out)
{
    const hours *self = context;
    int64_t sum = 0;

    for (size_t i = 0; i < self->count; i++) {
        int64_t at_ns = (int64_t)i * HOUR;
        sum += at_ns >= from_ns && at_ns < to_ns ? self->used[i] : 0;
    }
    *usage_out = met__decimal_from_i64(sum);
    return self->error;
}

static void is(met_decimal value, int64_t expected)
{
    assert_int_equal(met__decimal_compare(value,
                                          met__decimal_from_i64(expected)),
                     0);
}

static met__burn_value run(const met__burn_terms *terms, int64_t until_ns,
                           met__burn_result *result)
{
    met__burn_state start;

    assert_int_equal(met__burn_begin(terms->grants, terms->grant_count, 0,
                                     &arena, &start), MET_OK);
    assert_int_equal(met__burn_run(terms, &start, until_ns, &arena, result,
                                   NULL), MET_OK);
    return result->value;
}

/* 30 are owed when a grant with rollover begins, at the reset itself. */
static void test_a_debt_outlives_a_grant_that_begins_at_the_reset(void **state)
{
    const int64_t used[] = {130};
    hours meter = {used, 1, MET_OK};
    met__grant grants[] = {grant_of("a", 100, 0), grant_of("b", 100,
                                                           2 * HOUR)};
    met__burn_reset reset = {2 * HOUR, 1};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = 2,
                             .resets = &reset,
                             .reset_count = 1,
                             .usage = added,
                             .context = &meter};
    met__burn_result result;
    met__burn_value value = run(&terms, 2 * HOUR, &result);

    is(value.balance, 70);
    is(value.overage, 0);
    is(value.usage, 0);
    is(value.total_available, 100);
    /* And once more from there: it is not issued again. */
    terms.reset_count = 0;
    assert_int_equal(met__burn_run(&terms, &result.end, 5 * HOUR, &arena,
                                   &result, NULL), MET_OK);
    is(result.value.balance, 70);
    is(result.value.total_available, 100);
    /* Forgiven: */
    terms.reset_count = 1;
    reset.preserves_overage = 0;
    value = run(&terms, 2 * HOUR, &result);
    is(value.balance, 100);
    is(value.total_available, 100);
}

static void test_what_is_taken_back_pays_what_comes(void **state)
{
    const int64_t used[] = {40, -60, 50};
    hours meter = {used, 3, MET_OK};
    met__grant grants[] = {grant_of("a", 100, 0),
                           grant_of("b", 5, HOUR)};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = 1,
                             .usage = added,
                             .context = &meter};
    met__burn_result result;
    met__burn_value value = run(&terms, HOUR, &result);

    is(value.balance, 60);
    assert_int_equal(met__burn_run(&terms, &result.end, 2 * HOUR, &arena,
                                   &result, NULL), MET_OK);
    is(result.end.overage, -60);
    is(result.value.balance, 120);
    is(result.value.overage, 0);
    is(result.value.usage, -20);
    assert_int_equal(met__burn_run(&terms, &result.end, 3 * HOUR, &arena,
                                   &result, NULL), MET_OK);
    is(result.value.balance, 70);
    is(result.value.usage, 30);
    is(result.value.total_available, 100);
    value = run(&terms, 3 * HOUR, &result);
    is(value.balance, 70);
}

static met_error level(void *context, int64_t from_ns, int64_t to_ns,
                       met_decimal *usage_out)
{
    (void)context;
    assert_int_equal(from_ns, 0); /* always from the period's begin */
    *usage_out = met__decimal_from_i64(to_ns > 3 * HOUR ? 20 : 120);
    return MET_OK;
}

static void test_a_level_that_falls_leaves_no_debt(void **state)
{
    met__grant grants[] = {grant_of("a", 100, 0), grant_of("b", 7,
                                                           2 * HOUR)};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = 2,
                             .measure = MET__MEASURE_LEVEL,
                             .keeps_segments = 1,
                             .usage = level};
    met__burn_result result;
    met__burn_value value = run(&terms, 3 * HOUR, &result);

    is(value.overage, 13);
    is(value.usage, 120);
    is(value.total_available, 107);
    assert_int_equal(result.segment_count, 2);
    is(result.segments[0].overage, 20);
    value = run(&terms, 4 * HOUR, &result);
    is(value.overage, 0);
    is(value.balance, 87);
    is(value.usage, 20);
    is(value.total_available, 107);
}

static void test_what_is_not_sound_is_refused(void **state)
{
    hours meter = {NULL, 0, MET_OK};
    met__grant grants[] = {grant_of("a", 1, 0), grant_of("a", 1, 0)};
    met__burn_reset resets[] = {{2 * HOUR, 0}, {2 * HOUR, 0}};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = 1,
                             .usage = added,
                             .context = &meter};
    met_error_info info = {.struct_size = sizeof info};
    met__burn_result result = {.segment_count = 77};
    met__burn_state start;
    met__burn_state bad;

    assert_int_equal(met__burn_begin(grants, 1, HOUR, &arena, &start),
                     MET_OK);
#define REFUSES(state, until, name)                                        \
    do {                                                                   \
        assert_int_equal(met__burn_run(&terms, (state), (until), &arena,   \
                                       &result, &info), MET_E_INVALID);    \
        assert_string_equal(info.field, (name));                           \
    } while (0)
    REFUSES(&start, HOUR - 1, "at");
    REFUSES(&start, MET__TIME_MAX + 1, "at");
    bad = start;
    bad.since_ns++;
    REFUSES(&bad, 2 * HOUR, "at");
    bad = start;
    bad.grant_usage = met__decimal_from_i64(-1);
    REFUSES(&bad, 2 * HOUR, "state");
    terms.resets = resets;
    terms.reset_count = 2;
    REFUSES(&start, 2 * HOUR, "resets");
    terms.reset_count = 1;
    REFUSES(&start, 2 * HOUR - 1, "resets");
    bad = start;
    bad.at_ns = 2 * HOUR;
    REFUSES(&bad, 2 * HOUR, "resets");
    terms.grant_count = 2;
    REFUSES(&start, 2 * HOUR, "grants");
    terms.grant_count = 0;
    REFUSES(&start, 2 * HOUR, "balances");
    terms.grant_count = 1;
    start.balances[0].balance = met__decimal_from_i64(-1);
    REFUSES(&start, 2 * HOUR, "balances");
    start.balances[0].balance = met__decimal_zero();
    grants[0].amount = met__decimal_zero();
    REFUSES(&start, 2 * HOUR, "amount");
    grants[0].amount = met__decimal_from_i64(1);
    meter.error = MET_E_UNSUPPORTED;
    assert_int_equal(met__burn_run(&terms, &start, 2 * HOUR, &arena, &result,
                                   &info), MET_E_UNSUPPORTED);
    assert_int_equal(result.segment_count, 77); /* nothing was written */
}

static void test_segments_are_bounded(void **state)
{
    hours meter = {NULL, 0, MET_OK};
    met__grant grant = grant_of("a", 1, 0);
    met__burn_terms terms = {.grants = &grant,
                             .grant_count = 1,
                             .usage = added,
                             .context = &meter};
    met__burn_state start;
    met__burn_result result;

    grant.has_recurrence = 1;
    grant.recurrence.interval.seconds = 1;
    assert_int_equal(met__burn_begin(&grant, 1, 0, &arena, &start), MET_OK);
    assert_int_equal(met__burn_run(&terms, &start,
                                   MET__SEGMENTS_MAX * MET__SECOND_NS,
                                   &arena, &result, NULL), MET_E_LIMIT);
}

/* Every allocation of a run with segments fails in turn; nothing is written. */
static void test_out_of_memory(void **state)
{
    hours meter = {NULL, 0, MET_OK};
    met__grant grant = grant_of("a", 1, 0);
    met__burn_terms terms = {.grants = &grant,
                             .grant_count = 1,
                             .keeps_segments = 1,
                             .usage = added,
                             .context = &meter};
    met__burn_state start;
    met__burn_result result;
    met_error error = MET_E_NO_MEMORY;

    grant.has_recurrence = 1;
    grant.recurrence.interval.minutes = 1;
    assert_int_equal(met__burn_begin(&grant, 1, 0, &arena, &start), MET_OK);
    for (long k = 1; error != MET_OK; k++) {
        met__arena own;
        met__arena_init(&own, &platform);
        result = (met__burn_result){.segment_count = 77};
        memory.fail_at = memory.calls + k;
        error = met__burn_run(&terms, &start, 9 * HOUR, &own, &result, NULL);
        assert_true(error == MET_OK
                    || (error == MET_E_NO_MEMORY
                        && result.segment_count == 77));
        met__arena_release(&own);
    }
    assert_int_equal(result.segment_count, 9 * 60 + 1);
    memory.fail_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_debt_outlives_a_grant_that_begins_at_the_reset, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            test_what_is_taken_back_pays_what_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_level_that_falls_leaves_no_debt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_sound_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_segments_are_bounded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

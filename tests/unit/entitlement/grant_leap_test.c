/* Runs over years in which little happens: what they come to, and how often
 * they ask, which must not grow with the years. That leaps never change an
 * answer: tests/property/grant_oracle.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/grant_burn.h"
#include "support/faults.h"

#define HOUR MET__HOUR_NS
#define YEARS(n) ((int64_t)(n) * 8766 * HOUR)

static faulty_memory memory;
static met__platform platform;
static met__arena arena;

static int set_up(void **state)
{
    (void)state;
    memory = (faulty_memory){0};
    platform = faulty_platform(&memory, NULL);
    met__arena_init(&arena, &platform);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    met__arena_release(&arena);
    assert_int_equal(memory.live, 0);
    return 0;
}

/* One unit at each of these instants; how often it was asked. */
typedef struct uses {
    const int64_t *at_ns;
    size_t count;
    size_t asked;
    int is_level; /* the last of them is 7 */
} uses;

static met_error used(void *context, int64_t from_ns, int64_t to_ns,
                      met_decimal *usage_out)
{
    uses *self = context;
    int64_t sum = 0;

    self->asked++;
    for (size_t i = 0; i < self->count; i++) {
        int is_in = self->at_ns[i] >= from_ns && self->at_ns[i] < to_ns;
        sum = self->is_level ? (is_in ? 7 : sum) : sum + is_in;
    }
    *usage_out = met__decimal_from_i64(sum);
    return MET_OK;
}

static met_error first(void *context, int64_t from_ns, int64_t to_ns,
                       int64_t *at_ns_out)
{
    uses *self = context;

    self->asked++;
    *at_ns_out = to_ns;
    for (size_t i = self->count; i > 0; i--) {
        if (self->at_ns[i - 1] >= from_ns && self->at_ns[i - 1] < to_ns) {
            *at_ns_out = self->at_ns[i - 1];
        }
    }
    return MET_OK;
}

static met__grant grant_of(const char *id, int64_t amount, int64_t left)
{
    return (met__grant){.id = met__text_z(id),
                        .amount = met__decimal_from_i64(amount),
                        .rollover_min = met__decimal_from_i64(left),
                        .rollover_max = met__decimal_from_i64(left),
                        .expires_at_ns = MET__NEVER,
                        .voided_at_ns = MET__NEVER,
                        .deleted_at_ns = MET__NEVER};
}

static met__burn_cycle hourly(int preserves)
{
    return (met__burn_cycle){
        {0, {.hours = 1}}, {0, MET__TIME_MAX}, preserves, 0};
}

static met__burn_result run(const met__burn_terms *terms, int64_t owed,
                            int64_t until_ns)
{
    met__burn_state start;
    met__burn_result result;

    assert_int_equal(met__burn_begin(terms->grants, terms->grant_count, 0,
                                     &arena, &start), MET_OK);
    start.overage = met__decimal_from_i64(owed);
    assert_int_equal(met__burn_run(terms, &start, until_ns, &arena, &result,
                                   NULL), MET_OK);
    return result;
}

static void is(met_decimal value, int64_t expected)
{
    assert_int_equal(met__decimal_compare(value,
                                          met__decimal_from_i64(expected)),
                     0);
}

static void an_idle_entitlement_costs_nothing_by_the_hour(void **state)
{
    met__burn_cycle cycle = hourly(0);
    met__grant grants[] = {grant_of("own", 100, 100), grant_of("a", 5, 3),
                           grant_of("b", 9, 0)};
    size_t asked = 0;

    (void)state;
    grants[2].has_recurrence = 1;
    grants[2].recurrence = (met__recurrence){0, {.minutes = 90}};
    for (uint32_t measure = 0; measure <= MET__MEASURE_LEVEL; measure++) {
        for (int64_t years = 32; years <= 230; years += 66) {
            uses meter = {0};
            met__burn_terms terms = {.grants = grants,
                                     .grant_count = 3,
                                     .cycles = &cycle,
                                     .cycle_count = 1,
                                     .measure = measure,
                                     .usage = used,
                                     .first = first,
                                     .context = &meter};
            met__burn_result result = run(&terms, 0, YEARS(years) + 1);
            int is_level = measure == MET__MEASURE_LEVEL;
            is(result.value.balance, is_level ? 114 : 100 + 3 + 9);
            is(result.value.usage, 0);
            assert_true(result.end.since_ns == YEARS(years));
            asked = meter.asked;
            assert_in_range(asked, 1, 8);
        }
    }
}

/* So does one that is asked for a year at a time, or without any reset. */
static void recurrences_are_leapt_over_without_resets(void **state)
{
    met__grant a = grant_of("a", 5, 0);
    const int64_t at_ns[] = {YEARS(9) + 90 * MET__MINUTE_NS};
    uses meter = {at_ns, 1, 0, 0};
    met__burn_terms terms = {.grants = &a,
                             .grant_count = 1,
                             .usage = used,
                             .first = first,
                             .context = &meter};

    (void)state;
    a.has_recurrence = 1;
    a.recurrence = (met__recurrence){0, {.hours = 1}};
    is(run(&terms, 0, YEARS(9) + 110 * MET__MINUTE_NS).value.balance, 4);
    is(run(&terms, 0, YEARS(9) + 120 * MET__MINUTE_NS).value.balance, 5);
    is(run(&terms, 0, YEARS(200)).value.usage, 1);
    assert_in_range(meter.asked, 3, 30);
}

static void what_was_used_costs_and_nothing_else(void **state)
{
    const int64_t at_ns[] = {YEARS(3) + 5, YEARS(3) + HOUR + 5, YEARS(80),
                             YEARS(150) - 1, YEARS(150)};
    met__burn_cycle cycle = hourly(0);
    met__grant own = grant_of("own", 100, 100);
    met__burn_terms terms = {.grants = &own,
                             .grant_count = 1,
                             .cycles = &cycle,
                             .cycle_count = 1,
                             .usage = used,
                             .first = first};

    (void)state;
    for (int is_level = 0; is_level < 2; is_level++) {
        uses meter = {at_ns, 5, 0, is_level};
        terms.measure = is_level ? MET__MEASURE_LEVEL : MET__MEASURE_ADDS;
        terms.context = &meter;
        is(run(&terms, 0, YEARS(3) + HOUR + 9).value.usage, is_level ? 7 : 1);
        is(run(&terms, 0, YEARS(150) - 1).value.usage, 0);
        is(run(&terms, 0, YEARS(150)).value.usage, 0);
        is(run(&terms, 0, YEARS(150) + 1).value.usage, is_level ? 7 : 1);
        is(run(&terms, 0, YEARS(150) + 1).value.balance, is_level ? 93 : 99);
        is(run(&terms, 0, YEARS(151)).value.balance, 100);
        assert_in_range(meter.asked, 30, 150);
    }
}

/* 8766 a year are paid by what is issued, until nothing is owed. */
static void debt_is_paid_in_one_go(void **state)
{
    met__burn_cycle cycle = hourly(1);
    met__grant grants[] = {grant_of("own", 1, 1), grant_of("b", 8766, 0)};
    uses meter = {0};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = 1,
                             .cycles = &cycle,
                             .cycle_count = 1,
                             .usage = used,
                             .first = first,
                             .context = &meter};

    (void)state;
    met__burn_result result = run(&terms, 2000000, YEARS(100));
    is(result.value.overage, 2000000 - 876600 - 1);
    is(result.value.balance, 0);
    is(result.end.grant_usage, 1);
    result = run(&terms, 876600, YEARS(100) - 1);
    is(result.value.overage, 0);
    is(result.value.balance, 0);
    is(result.end.grant_usage, 1);
    is(run(&terms, 876600, YEARS(100)).value.balance, 1);
    assert_in_range(meter.asked, 3, 30);
    /* A grant of every other year as well. */
    grants[1].has_recurrence = 1;
    grants[1].recurrence = (met__recurrence){HOUR / 2, {.hours = 2 * 8766}};
    terms.grant_count = 2;
    result = run(&terms, 2000000, YEARS(100));
    is(result.value.overage, 2000000 - 876600 - 1 - 8766 * 51);
    assert_in_range(meter.asked, 3, 40);
}

static void two_that_coincide_pay_once(void **state)
{
    met__burn_cycle cycles[] = {hourly(1), hourly(0)};
    met__grant both = grant_of("both", 3, 2);
    uses meter = {0};
    met__burn_terms terms = {.grants = &both,
                             .grant_count = 1,
                             .cycles = cycles,
                             .cycle_count = 1,
                             .usage = used,
                             .first = first,
                             .context = &meter};

    (void)state;
    /* Rolled over in one hour, issued anew in the next. */
    both.has_recurrence = 1;
    both.recurrence = (met__recurrence){0, {.hours = 2}};
    is(run(&terms, 1000, 100 * HOUR).value.overage,
       1000 - 3 - 50 * 2 - 50 * 3);
    assert_in_range(meter.asked, 1, 8);
    /* Of no whole minutes: one by one. */
    cycles[0].by_minutes = 1;
    cycles[0].points.interval.seconds = 20;
    meter.asked = 0;
    is(run(&terms, 1000, 90 * HOUR).value.overage,
       1000 - 3 - 45 * 3 - 89 * 2 + 2);
    assert_in_range(meter.asked, 90, 600);
    /* Two cycles at once: the first one's resets count. */
    cycles[0] = hourly(1);
    terms.cycle_count = 2;
    both.has_recurrence = 0;
    is(run(&terms, 1000, 100 * HOUR).value.overage, 1000 - 3 - 100 * 2);
}

static void too_many_segments_are_named(void **state)
{
    met__burn_cycle cycle = hourly(0);
    met__grant own = grant_of("own", 1, 1);
    uses meter = {0};
    met__burn_terms terms = {.grants = &own,
                             .grant_count = 1,
                             .cycles = &cycle,
                             .cycle_count = 1,
                             .usage = used,
                             .context = &meter};
    met_error_info info = {.struct_size = sizeof info};
    met__burn_result result;
    met__burn_state start;

    (void)state;
    assert_int_equal(met__burn_begin(&own, 1, 0, &arena, &start), MET_OK);
    assert_int_equal(met__burn_run(&terms, &start, YEARS(164), &arena,
                                   &result, &info), MET_E_LIMIT);
    assert_string_equal(info.field, "segments");
    assert_int_equal(info.code, MET_E_LIMIT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_idle_entitlement_costs_nothing_by_the_hour),
        CASE(recurrences_are_leapt_over_without_resets),
        CASE(what_was_used_costs_and_nothing_else),
        CASE(debt_is_paid_in_one_go),
        CASE(two_that_coincide_pay_once),
        CASE(too_many_segments_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

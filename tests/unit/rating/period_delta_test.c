/* Differences on the period whose usage they are: sums, names, refusals. */
#include "unit/rating/rating_support.h"

#define DAY (24 * 3600 * INT64_C(1000000000))
#define RUNS_MAX 6

/* Runs of one day each. */
static void set_runs(met__rated_run *runs, const char *const *quantities,
                     size_t count)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};

    assert_true(count <= RUNS_MAX);
    for (size_t i = 0; i < count; i++) {
        runs[i] = (met__rated_run){
            .id = met__text_z(ids[i]),
            .period = {(int64_t)i * DAY, (int64_t)(i + 1) * DAY},
            .quantity = decimal_of(quantities[i])};
    }
}

static const char *const cards[] = {
    "{'price': {'type': 'unit', 'amount': '0.005', 'commitments': "
    "{'minimum': '3', 'maximum': '40'}}}",
    "{'price': {'type': 'volume', 'tiers': [{'up_to': '15', 'unit': '10', "
    "'flat': '1'}, {'up_to': '30', 'unit': '5'}, {'unit': '3', 'flat': "
    "'2'}]}}",
    "{'price': {'type': 'graduated', 'tiers': [{'up_to': '10', 'unit': '1', "
    "'flat': '5'}, {'unit': '0.5', 'flat': '7'}]}, 'discounts': "
    "{'percentage': '33.3', 'usage': '4'}}",
    "{'price': {'type': 'package', 'amount': '2', 'quantity_per_package': "
    "'8'}}",
    "{'price': {'type': 'stairstep', 'tiers': [{'up_to': '10', 'flat': "
    "'10'}, {'flat': '80'}]}}",
    "{'price': {'type': 'dynamic', 'multiplier': '1.234'}}",
    "{'price': {'type': 'flat', 'amount': '9.99', 'payment_term': "
    "'in_advance'}}",
};

/* Whatever is known late: what is billed in all is the price of the whole, no
 * two lines of a run have one child id, and lines sum to totals. */
static void the_runs_sum_to_the_whole(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 210; round++) {
        met__rate_input input = input_of(cards[round % 7], "0");
        met__line booked[256];
        size_t booked_count = 0;
        met__totals billed;
        met__rated *whole = NULL;
        met__rated_run runs[RUNS_MAX];

        met__totals_clear(&billed);
        for (size_t count = 1; count <= RUNS_MAX; count++) {
            const char *quantities[RUNS_MAX];
            met__rated *rated = NULL;
            for (size_t i = 0; i < count; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                quantities[i] =
                    met__arena_print(&arena, "%u", (unsigned)(seed >> 58));
            }
            set_runs(runs, quantities, count);
            input.is_minimum_ignored = count < RUNS_MAX;
            assert_int_equal(met__rate_by_period(&input, runs, count, booked,
                                                 booked_count, &arena, &rated,
                                                 NULL),
                             MET_OK);
            met__totals lines;
            met__totals_clear(&lines);
            for (size_t i = 0; i < rated->line_count; i++) {
                met__line *line = &booked[booked_count++];
                *line = rated->lines[i];
                assert_int_equal(line->index, i);
                assert_int_equal(met__totals_add(&lines, &line->totals),
                                 MET_OK);
                line->id = met__text_z(met__arena_print(
                    &arena, "%zu.%zu", count, i + 1));
            }
            assert_memory_equal(text_of(lines.total),
                                text_of(rated->totals.total),
                                strlen(text_of(lines.total)) + 1);
            assert_int_equal(met__totals_add(&billed, &rated->totals), MET_OK);
        }
        input.quantity = runs[RUNS_MAX - 1].quantity;
        assert_int_equal(met__rate(&input, &arena, &whole, NULL), MET_OK);
        assert_string_equal(text_of(billed.total),
                            text_of(whole->totals.total));
        assert_string_equal(text_of(billed.discounts_total),
                            text_of(whole->totals.discounts_total));
        met__arena_release(&arena);
    }
}

static const char *written(const met__rated *rated)
{
    const char *text = "";

    for (size_t i = 0; i < rated->line_count; i++) {
        const met__line *line = &rated->lines[i];
        text = met__arena_print(
            &arena, "%s%.*s %s=%s by %.*s\n", text, (int)line->child_id.size,
            line->child_id.data, text_of(line->quantity),
            text_of(line->totals.total), (int)line->corrects_run_id.size,
            line->corrects_run_id.size ? line->corrects_run_id.data : "");
    }
    return text;
}

/* A line that two runs shared is taken back from the first of them; the minimum
 * is the last run's. */
static void lines_lie_on_their_period(void **state)
{
    met__rate_input input = input_of(
        "{'price': {'type': 'volume', 'tiers': [{'up_to': '15', 'unit': "
        "'10'}, {'unit': '5'}], 'commitments': {'minimum': '90'}}}",
        "0");
    met__rated_run runs[3];
    met__rated *rated = NULL;
    met__line booked[8];

    (void)state;
    set_runs(runs, (const char *[]){"4", "6", "16"}, 3);
    assert_int_equal(met__rate_by_period(&input, runs, 2, NULL, 0, &arena,
                                         &rated, NULL),
                     MET_OK);
    assert_string_equal(
        written(rated),
        "volume-tiered-price@[1970-01-01T00:00:00Z..1970-01-02T00:00:00Z] "
        "4=40 by a\n"
        "volume-tiered-price@[1970-01-02T00:00:00Z..1970-01-03T00:00:00Z] "
        "2=20 by \n"
        "min-spend@[1970-01-02T00:00:00Z..1970-01-03T00:00:00Z] 1=30 by "
        "\n");
    for (size_t i = 0; i < rated->line_count; i++) {
        booked[i] = rated->lines[i];
        booked[i].id = met__text_z(met__arena_print(&arena, "%zu", i));
    }
    assert_int_equal(met__rate_by_period(&input, runs, 3, booked, 3, &arena,
                                         &rated, NULL),
                     MET_OK);
    assert_string_equal(
        written(rated),
        "volume-tiered-price@[1970-01-01T00:00:00Z..1970-01-02T00:00:00Z] "
        "-6=-60 by a\n"
        "min-spend#correction:detailed_line_id=2@[1970-01-02T00:00:00Z.."
        "1970-01-03T00:00:00Z] -1=-30 by b\n"
        "volume-tiered-price@[1970-01-03T00:00:00Z..1970-01-04T00:00:00Z] "
        "16=80 by \n"
        "min-spend@[1970-01-03T00:00:00Z..1970-01-04T00:00:00Z] 1=10 by "
        "\n");
}

static void refuses_periods_that_do_not_follow(void **state)
{
    static const struct {
        met__period first;
        met__period second;
        const char *reason;
    } rows[] = {
        {{0, DAY}, {DAY - 1000000000, 2 * DAY}, "begins before"},
        {{0, 0}, {DAY, 2 * DAY}, "not empty"},
        {{DAY, 0}, {DAY, 2 * DAY}, "not empty"},
        {{1, DAY}, {DAY, 2 * DAY}, "whole seconds"},
        {{0, DAY}, {DAY, 2 * DAY + 1}, "whole seconds"},
    };
    met__rate_input input =
        input_of("{'price': {'type': 'unit', 'amount': '1'}}", "0");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        met__rated *rated = NULL;
        met__rated_run runs[2];
        set_runs(runs, (const char *[]){"1", "2"}, 2);
        runs[0].period = rows[i].first;
        runs[1].period = rows[i].second;
        assert_int_equal(met__rate_by_period(&input, runs, 2, NULL, 0, &arena,
                                             &rated, &info),
                         MET_E_INVALID);
        assert_string_equal(info.field, "earlier_runs");
        assert_non_null(strstr(info.reason, rows[i].reason));
        assert_null(rated);
    }
}

static void refuses_what_it_cannot_split(void **state)
{
    met__rated *rated = NULL;
    met__rated_run runs[1];
    met__line stray = {.id = MET__TEXT("x"), .period = {DAY, 2 * DAY}};
    met_error_info info = {.struct_size = sizeof info};
    met__rate_input input =
        input_of("{'price': {'type': 'unit', 'amount': '1'}}", "0");

    (void)state;
    set_runs(runs, (const char *[]){"1"}, 1);
    assert_int_equal(met__rate_by_period(&input, runs, 1, &stray, 1, &arena,
                                         &rated, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "booked");
    stray.period = (met__period){0, 2 * DAY};
    assert_int_equal(met__rate_by_period(&input, runs, 1, &stray, 1, &arena,
                                         &rated, &info),
                     MET_E_INVALID);
    input.policies.round_at = MET__ROUND_AT_TOTAL;
    assert_int_equal(met__rate_by_period(&input, runs, 1, NULL, 0, &arena,
                                         &rated, &info),
                     MET_E_UNSUPPORTED);
    input = input_of("{'price': {'type': 'percentage', 'percentage': '1', "
                     "'fixed_amount': '1'}}",
                     "0");
    assert_int_equal(met__rate_by_period(&input, runs, 1, NULL, 0, &arena,
                                         &rated, &info),
                     MET_E_UNSUPPORTED);
    input = input_of("{'price': {'type': 'matrix', 'dimension': 'd', 'values': "
                     "[]}}",
                     "0");
    assert_int_equal(met__rate_by_period(&input, runs, 1, NULL, 0, &arena,
                                         &rated, &info),
                     MET_E_UNSUPPORTED);
    assert_null(rated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_runs_sum_to_the_whole,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(lines_lie_on_their_period,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_periods_that_do_not_follow,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_what_it_cannot_split,
                                        begin_memory, end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

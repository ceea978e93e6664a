/* Lines that were told before: the same bytes as when they are written anew. */
#include "limit_support.h"

#include "limit/limiter_lines.h"

static const int64_t lengths[] = {SECOND,      MINUTE,     HOUR,
                                  24 * HOUR,   720 * HOUR, YEAR,
                                  SECOND / 2,  30 * SECOND,
                                  10 * SECOND + 1,
                                  MET_LIMITER_WINDOW_NS_MAX - 1};

static uint64_t any_number(void)
{
    uint64_t most = UINT64_C(1) << random_below(63);

    return random_below(2) == 0 ? random_below(most + 1) : most;
}

static met_limiter_result any_result(uint32_t windows)
{
    static const uint32_t algorithms[] = {MET_LIMITER_SLIDING,
                                          MET_LIMITER_CALENDAR_UTC,
                                          MET_LIMITER_GCRA};
    met_limiter_result result = {.struct_size = sizeof result,
                                 .is_allowed = 1,
                                 .window_count = windows};

    for (uint32_t i = 0; i < windows; i++) {
        result.windows[i] = (met_limiter_window_result){
            .limit = any_number(),
            .window_ns =
                lengths[random_below(sizeof lengths / sizeof *lengths)],
            .algorithm = algorithms[random_below(3)]};
    }
    return result;
}

static void is_same(met__lines *lines, const met_limiter_result *result)
{
    char expected[MET_LIMITER_HEADERS_SIZE];
    size_t size = 0;

    assert_int_equal(met_limiter_headers_write(result, NULL, expected,
                                               sizeof expected, &size, NULL),
                     MET_OK);
    met__text text = met__lines_write(lines, result);
    assert_int_equal(text.size, size);
    assert_string_equal(text.data, expected);
}

/* One place, many limits in turn: never a line of another. */
static void as_written_anew(void **state)
{
    static met__lines lines;
    enum { LIMITS = 8 };
    met_limiter_result results[LIMITS];

    for (int round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < LIMITS; i++) {
            results[i] = any_result(1 + (uint32_t)random_below(4));
        }
        for (int i = 0; i < 50; i++) {
            met_limiter_result *result = &results[random_below(LIMITS)];
            for (uint32_t k = 0; k < result->window_count; k++) {
                result->windows[k].remaining = any_number();
                result->windows[k].reset_ns = (int64_t)any_number();
            }
            result->reported = (uint32_t)random_below(result->window_count);
            is_same(&lines, result);
        }
    }
}

/* Limits that differ in nothing but one field. */
static void every_field_counts(void **state)
{
    static met__lines lines;
    met_limiter_result result = result_of();

    is_same(&lines, &result);
    result.windows[1].limit++;
    is_same(&lines, &result);
    result.windows[1].window_ns++;
    is_same(&lines, &result);
    result.windows[1].algorithm = MET_LIMITER_CALENDAR_UTC;
    is_same(&lines, &result);
    result.window_count = 1;
    is_same(&lines, &result);
}

static void others_are_written_the_other_way(void **state)
{
    static met__lines lines;
    met_limiter_result result = result_of();

    is_same(&lines, &result);
    result.is_allowed = 0;
    assert_int_equal(met__lines_write(&lines, &result).size, 0);
    result.is_allowed = 1;
    result.windows[0].algorithm = MET_LIMITER_IN_FLIGHT;
    assert_int_equal(met__lines_write(&lines, &result).size, 0);
    result = any_result(5);
    assert_int_equal(met__lines_write(&lines, &result).size, 0);
    result.window_count = 0;
    assert_int_equal(met__lines_write(&lines, &result).size, 0);
    result = result_of();
    is_same(&lines, &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_written_anew),
        cmocka_unit_test(every_field_counts),
        cmocka_unit_test(others_are_written_the_other_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

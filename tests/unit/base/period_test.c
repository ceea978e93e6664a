/* Relations of periods: every pair of bounds out of a small line, open ends
 * included, against the definition point by point. */
#include "base_support.h"

#include "base/period.h"

#define POINTS 5

/* Bounds -1 and POINTS stand for open ends. */
static met__period period_of(int from, int to)
{
    return (met__period){from < 0 ? MET__PERIOD_OPEN_FROM : from,
                         to >= POINTS ? MET__PERIOD_OPEN_TO : to};
}

static int has(met__period period, int point)
{
    return met__period_contains(period, point);
}

static void check_pair(met__period a, met__period b)
{
    met__period both = {7, 7};
    met__period rest[2];
    int is_some = met__period_intersection(a, b, &both);
    size_t count = met__period_difference(a, b, rest);
    int overlap = 0;

    for (int point = -3; point < POINTS + 3; point++) {
        int in_both = has(a, point) && has(b, point);
        int in_rest = 0;
        overlap |= in_both;
        assert_int_equal(is_some && has(both, point), in_both);
        for (size_t i = 0; i < count; i++) {
            in_rest += has(rest[i], point);
        }
        assert_int_equal(in_rest, has(a, point) && !has(b, point));
        if (has(a, point) || has(b, point)) {
            assert_true(has(met__period_union(a, b), point));
        }
        if (met__period_is_superset(a, b) && has(b, point)) {
            assert_true(has(a, point));
        }
    }
    assert_int_equal(met__period_overlaps(a, b), overlap);
    assert_int_equal(is_some, overlap);
}

static void test_every_pair_point_by_point(void **state)
{
    for (int from = -1; from < POINTS; from++) {
        for (int to = from + 1; to <= POINTS; to++) {
            for (int other = -1; other < POINTS; other++) {
                for (int end = other + 1; end <= POINTS; end++) {
                    check_pair(period_of(from, to), period_of(other, end));
                }
            }
        }
    }
}

static void test_bounds(void **state)
{
    met__period one = {1, 2};
    met__period next = {2, 3};
    met__period empty = {2, 2};

    assert_false(met__period_is_valid(empty));
    assert_true(met__period_contains_inclusive(empty, 2));
    assert_false(met__period_contains(empty, 2));
    assert_false(met__period_contains_exclusive(one, 1));
    assert_false(met__period_overlaps(one, next));
    assert_true(met__period_overlaps_inclusive(one, next));
}

static void test_last_not_after(void **state)
{
    static const int64_t instants[] = {1, 3, 3, 5};

    assert_int_equal(met__last_not_after(NULL, 0, 5), -1);
    assert_int_equal(met__last_not_after(instants, 4, 0), -1);
    assert_int_equal(met__last_not_after(instants, 4, 1), 0);
    assert_int_equal(met__last_not_after(instants, 4, 4), 2);
    assert_int_equal(met__last_not_after(instants, 4, 9), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_point_by_point),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_last_not_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

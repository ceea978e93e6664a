/* What all window algorithms share: choosing one, division by multiplication,
 * consistent copies. */
#include "limit_support.h"

static void division_is_exact(void **state)
{
    static const uint64_t divisors[] = {
        1, 2, 3, 5, 7, 10, 1000, 30518, 65536, 1000000, 999999937,
        1000000000, UINT64_C(60000000000), UINT64_C(31622400000000000)};

    for (size_t d = 0; d < sizeof divisors / sizeof divisors[0]; d++) {
        met__shape shape = {.tick_ns = divisors[d]};
        met__window_divider(&shape);
        for (int i = 0; i < 20000; i++) {
            uint64_t ns = next_random() >> 1 >> random_below(63);
            /* The edges of a multiple are where an error would show. */
            uint64_t edge = ns / divisors[d] * divisors[d];
            assert_int_equal(met__window_ticks(&shape, ns),
                             ns / divisors[d]);
            assert_int_equal(met__window_ticks(&shape, edge),
                             edge / divisors[d]);
            if (edge > 0) {
                assert_int_equal(met__window_ticks(&shape, edge - 1),
                                 (edge - 1) / divisors[d]);
            }
        }
        assert_int_equal(met__window_ticks(&shape, INT64_MAX),
                         (uint64_t)INT64_MAX / divisors[d]);
    }
}

static void algorithms_are_chosen_by_their_numbers(void **state)
{
    met__shape shape;

    assert_int_equal(met__window_shape(&shape, 24, MINUTE,
                                       MET_LIMITER_SLIDING), MET_OK);
    assert_ptr_equal(shape.ops, &met__window_log);
    assert_int_equal(shape.limit, 24);
    assert_int_equal(shape.window_ns, MINUTE);
    /* Rounded up: a hit never leaves early. */
    assert_true(shape.ticks * shape.tick_ns >= (uint64_t)MINUTE);
    assert_true((shape.ticks - 1) * shape.tick_ns < (uint64_t)MINUTE);
    assert_int_equal(met__window_shape(&shape, 25, MINUTE,
                                       MET_LIMITER_SLIDING), MET_OK);
    assert_ptr_equal(shape.ops, &met__window_tape);
    assert_int_equal(met__window_shape(&shape, MET_LIMITER_LIMIT_MAX, MINUTE,
                                       MET_LIMITER_SLIDING), MET_OK);
    assert_int_equal(met__window_shape(&shape, MET_LIMITER_LIMIT_MAX + 1,
                                       MINUTE, MET_LIMITER_SLIDING),
                     MET_E_UNSUPPORTED);
    assert_int_equal(met__window_shape(&shape, MET_LIMITER_LIMIT_MAX, MINUTE,
                                       MET_LIMITER_SLIDING_COUNTER),
                     MET_OK);
    assert_ptr_equal(shape.ops, &met__window_counter);
    assert_int_equal(met__window_shape(&shape, 1, MINUTE, 0),
                     MET_E_UNSUPPORTED);
    assert_int_equal(met__window_shape(&shape, 1, MINUTE, 77),
                     MET_E_UNSUPPORTED);
}

static void copies_have_no_table_bits(void **state)
{
    met__record record = {.head = MET__HEAD_FROZEN | 7, .history = {1, 2, 3}};
    met__snapshot copy;

    assert_true(met__window_snapshot(&record, &copy));
    assert_int_equal(copy.head, 7);
    assert_int_equal(copy.history[2], 3);
    record.head = MET__HEAD_FROZEN | MET__HEAD_CLOSED | 7;
    assert_false(met__window_snapshot(&record, &copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_is_exact),
        cmocka_unit_test(algorithms_are_chosen_by_their_numbers),
        cmocka_unit_test(copies_have_no_table_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

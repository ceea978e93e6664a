/* What the tests of single algorithms ask of a record, at a moment of the
 * monotonic clock. */
#ifndef TESTS_LIMIT_WINDOW_CALLS_H
#define TESTS_LIMIT_WINDOW_CALLS_H

#include "limit_support.h"

/* The shape, which these operations must serve. */
static inline met__shape window_shape(uint64_t limit, uint64_t window_ns,
                                      uint32_t algorithm,
                                      const met__window_ops *ops)
{
    met__shape shape;

    assert_int_equal(met__window_shape(&shape, limit, window_ns, algorithm),
                     MET_OK);
    assert_ptr_equal(shape.ops, ops);
    return shape;
}

static inline int take(met__record *record, const met__shape *shape,
                       uint64_t now, uint64_t cost, int is_forced,
                       met__window_mark *mark)
{
    met__window_ask ask = {.time = {now, 0},
                           .cost = cost,
                           .is_forced = (uint32_t)is_forced};

    return shape->ops->take(record, shape, &ask, mark);
}

static inline uint64_t used(const met__record *record,
                            const met__shape *shape, uint64_t now)
{
    met__snapshot copy;
    met__window_time time = {now, 0};

    assert_true(met__window_snapshot(record, &copy));
    return shape->ops->used(&copy, shape, &time);
}

#endif

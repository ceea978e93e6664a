/* A table in memory for every test of a file, which says its CAPACITY before
 * this is included. */
#ifndef TESTS_LIMIT_FIXTURE_H
#define TESTS_LIMIT_FIXTURE_H

#include "limit_support.h"

#include "limit/limiter_plan.h"

static void *memory;
static met_limiter *limiter;

static inline void open_table(uint32_t full_policy)
{
    memory = shared_memory(TABLE_BYTES(CAPACITY));
    limiter = open_memory(memory, TABLE_BYTES(CAPACITY), CAPACITY,
                          full_policy);
}

static inline int setup(void **state)
{
    random_state = 88172645463325252u;
    open_table(0);
    return 0;
}

static inline int teardown(void **state)
{
    met_limiter_close(limiter);
    munmap(memory, TABLE_BYTES(CAPACITY));
    return 0;
}

static inline met_limiter_stats stats_now(void)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};

    assert_int_equal(met_limiter_stats_get(limiter, &stats), MET_OK);
    return stats;
}

#define SLIDING MET_LIMITER_SLIDING
#define COUNTER MET_LIMITER_SLIDING_COUNTER
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

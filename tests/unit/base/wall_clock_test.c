/* The wall clock, looked at once a millisecond: the same time as when it is
 * read each time, until somebody sets it; with clocks made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wall_clock.h"

#define MILLISECOND 1000000
#define NOW INT64_C(1798761600000000000)

typedef struct machine {
    int64_t monotonic_ns;
    int64_t utc_ns;
    int64_t torn_ns; /* what passes with every reading of utc */
    uint32_t asked;  /* readings of utc */
} machine;

static machine m;
static met__os os;
static met__platform platform;
static met__wall_clock wall_clock;

static void advance(int64_t ns)
{
    m.monotonic_ns += ns;
    m.utc_ns += ns;
}

static int64_t read_monotonic(void *context)
{
    return m.monotonic_ns;
}

static int64_t read_utc(void *context)
{
    int64_t now = m.utc_ns;

    m.asked++;
    advance(m.torn_ns);
    return now;
}

static int setup(void **state)
{
    m = (machine){.monotonic_ns = 77, .utc_ns = NOW};
    os = *met__os_default();
    os.monotonic_ns = read_monotonic;
    os.utc_ns = read_utc;
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    platform.os = &os;
    platform.clock.context = &os;
    wall_clock = (met__wall_clock){0};
    return 0;
}

static int64_t now_ns(void)
{
    return met__wall_clock_ns(&wall_clock, &platform, m.monotonic_ns);
}

static void is_exact_and_rarely_read(void **state)
{
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(now_ns(), m.utc_ns);
        advance(1000);
    }
    assert_int_equal(m.asked, 10);
}

/* Forth, back, and while the machine slept, when only one of them went on. */
static void sees_that_it_was_set(void **state)
{
    static const int64_t steps[] = {3600 * INT64_C(1000000000),
                                    -7200 * INT64_C(1000000000), 5,
                                    -MILLISECOND};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(now_ns(), m.utc_ns);
        m.utc_ns += steps[i];
        advance(MILLISECOND);
        assert_int_equal(now_ns(), m.utc_ns);
    }
}

static void keeps_nothing_that_was_torn_apart(void **state)
{
    m.torn_ns = MET__WALL_CLOCK_ERROR_NS + 1;
    for (uint32_t i = 1; i < 10; i++) {
        int64_t utc_ns = m.utc_ns;
        assert_int_equal(now_ns(), utc_ns);
        assert_int_equal(m.asked, i);
    }
    m.torn_ns = MET__WALL_CLOCK_ERROR_NS;
    (void)now_ns();
    uint32_t asked = m.asked;
    assert_int_equal(now_ns(), m.utc_ns);
    assert_int_equal(m.asked, asked);
}

/* A clock that went back is one that nothing is known of. */
static void a_monotonic_clock_before_the_reading(void **state)
{
    assert_int_equal(now_ns(), m.utc_ns);
    m.monotonic_ns -= 10;
    m.utc_ns += 500;
    assert_int_equal(now_ns(), m.utc_ns);
    assert_int_equal(m.asked, 2);
}

static int64_t read_host(void *context)
{
    m.asked++;
    return m.utc_ns;
}

static void a_clock_of_the_host_is_read_each_time(void **state)
{
    platform.clock = (met_clock){NULL, read_host, read_host};
    for (uint32_t i = 1; i < 5; i++) {
        m.utc_ns -= 3;
        assert_int_equal(now_ns(), m.utc_ns);
        assert_int_equal(m.asked, i);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_exact_and_rarely_read),
        TEST(sees_that_it_was_set),
        TEST(keeps_nothing_that_was_torn_apart),
        TEST(a_monotonic_clock_before_the_reading),
        TEST(a_clock_of_the_host_is_read_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

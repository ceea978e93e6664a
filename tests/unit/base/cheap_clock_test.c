/* The cheap clock against the system's clock that it follows: both made here,
 * with counters that run fast, slowly, back, or are torn; and the real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cheap_clock.h"

#define MILLISECOND 1000000

typedef struct machine {
    int is_steady;
    double ticks_per_ns; /* of this machine's counter */
    double slew;         /* of its clock: 1 is true time */
    double now;          /* true time */
    double clock;        /* what the clock says */
    int64_t jump;        /* of the counter */
    uint64_t torn;       /* ticks that every reading takes */
    uint64_t asked;      /* readings of the clock */
} machine;

static void advance(machine *m, double ns)
{
    m->now += ns;
    m->clock += ns * m->slew;
}

static uint64_t read_ticks(void *context)
{
    machine *m = context;

    m->jump += (int64_t)m->torn;
    return (uint64_t)(int64_t)(m->now * m->ticks_per_ns) + (uint64_t)m->jump;
}

static int64_t read_clock(void *context)
{
    machine *m = context;

    m->asked++;
    return (int64_t)m->clock;
}

static int is_steady(void *context)
{
    return ((machine *)context)->is_steady;
}

static void pause_for(void *context, int64_t ns)
{
    advance(context, (double)ns * 1.07);
}

static machine new_machine(double ticks_per_ns)
{
    return (machine){.is_steady = 1, .ticks_per_ns = ticks_per_ns,
                     .slew = 1, .now = 5e9, .clock = 7e9};
}

static met__os os_of(machine *m)
{
    return (met__os){.context = m, .ticks = read_ticks,
                     .monotonic_ns = read_clock, .ticks_are_steady = is_steady,
                     .pause = pause_for};
}

static uint64_t seed = 88172645463325252u;

static uint64_t random_below(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static void is_near(met__cheap_clock *clock, machine *m)
{
    double error = (double)met__cheap_clock_ns(clock) - m->clock;

    assert_true(error <= MET__CHEAP_CLOCK_ERROR_NS);
    assert_true(error >= -MET__CHEAP_CLOCK_ERROR_NS);
}

/* Steps from nothing to seconds, a clock that is made faster and slower. */
static void follows_the_clock(void **state)
{
    static const double rates[] = {0.01, 0.1, 1, 2.45, 3.7, 6};
    static const double steps[] = {1, 100, 10000, 1e6, 1e9};

    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        machine m = new_machine(rates[r]);
        met__os os = os_of(&m);
        met__cheap_clock clock;
        m.slew = r % 2 ? 1.0005 : 0.9995;
        assert_true(met__cheap_clock_start(&clock, &os));
        for (int i = 0; i < 100000; i++) {
            if (random_below(1000) == 0) {
                m.slew = 0.9995 + (double)random_below(1000) / 1e6;
            }
            advance(&m, steps[random_below(5)] * (double)random_below(100)
                            / 100);
            is_near(&clock, &m);
        }
    }
}

static void asks_the_clock_once_a_millisecond(void **state)
{
    machine m = new_machine(3);
    met__os os = os_of(&m);
    met__cheap_clock clock;

    assert_true(met__cheap_clock_start(&clock, &os));
    m.asked = 0;
    for (int i = 0; i < 1000000; i++) {
        advance(&m, 100); /* a tenth of a second in all */
        is_near(&clock, &m);
    }
    assert_in_range(m.asked, 100, 130);
}

/* It begins anew after a sleep, or goes far ahead: the clock is asked. */
static void jumps_of_the_counter_do_not_matter(void **state)
{
    machine m = new_machine(3);
    met__os os = os_of(&m);
    met__cheap_clock clock;

    assert_true(met__cheap_clock_start(&clock, &os));
    for (int i = 0; i < 1000; i++) {
        is_near(&clock, &m);
        advance(&m, (double)random_below(2 * MILLISECOND));
        m.jump = i % 2 ? 0 : INT64_C(1) << (30 + i % 30);
        is_near(&clock, &m);
        m.jump = random_below(2) ? -(int64_t)(m.now * 3) : m.jump;
        is_near(&clock, &m);
    }
}

/* Readings that an interrupt tore apart say nothing for the next ones. */
static void torn_readings_are_not_kept(void **state)
{
    machine m = new_machine(3);
    met__os os = os_of(&m);
    met__cheap_clock clock;

    assert_true(met__cheap_clock_start(&clock, &os));
    m.torn = 3000000;
    for (int i = 0; i < 100; i++) {
        advance(&m, 1000);
        m.asked = 0;
        assert_true((double)met__cheap_clock_ns(&clock) >= m.clock - 1);
        assert_true((double)met__cheap_clock_ns(&clock) <= m.clock);
        assert_int_equal(m.asked, 2);
    }
    m.torn = 0;
    is_near(&clock, &m);
    m.asked = 0;
    is_near(&clock, &m);
    assert_int_equal(m.asked, 0);
}

static void is_refused_without_a_steady_counter(void **state)
{
    machine m = new_machine(3);
    met__os os = os_of(&m);
    met__cheap_clock clock;

    m.is_steady = 0;
    assert_false(met__cheap_clock_start(&clock, &os));
    m = new_machine(0); /* stands */
    assert_false(met__cheap_clock_start(&clock, &os));
    m = new_machine(0.0005); /* slower than a megahertz */
    assert_false(met__cheap_clock_start(&clock, &os));
    m = new_machine(100);
    assert_false(met__cheap_clock_start(&clock, &os));
    m = new_machine(3);
    m.slew = 0; /* the clock stands */
    assert_false(met__cheap_clock_start(&clock, &os));
}

static int64_t hosts_clock(void *context)
{
    return 42;
}

static void the_hosts_clock_stays(void **state)
{
    machine m = new_machine(3);
    met__os os = os_of(&m);
    met_platform own = {.struct_size = sizeof own,
                        .clock = {NULL, hosts_clock, hosts_clock}};
    met__platform platform;
    met__cheap_clock clock;

    assert_int_equal(met__platform_init(&platform, &own, NULL), MET_OK);
    assert_false(met__cheap_clock_use(&clock, &platform));
    assert_int_equal(met__now_monotonic_ns(&platform), 42);
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    platform.os = &os;
    assert_true(met__cheap_clock_use(&clock, &platform));
    int64_t before = met__now_monotonic_ns(&platform);
    advance(&m, 1000);
    assert_in_range(met__now_monotonic_ns(&platform) - before, 998, 1002);
    assert_false(met__cheap_clock_use(&clock, &platform));
}

/* This machine's: between two readings of its clock, whatever else it does. */
static void is_this_machines_clock(void **state)
{
    const met__os *os = met__os_default();
    met__cheap_clock clock;

    if (!met__cheap_clock_start(&clock, os)) {
        skip();
    }
    for (int i = 0; i < 200000; i++) {
        int64_t before = os->monotonic_ns(os->context);
        int64_t now = met__cheap_clock_ns(&clock);
        int64_t after = os->monotonic_ns(os->context);
        assert_true(now >= before - MET__CHEAP_CLOCK_ERROR_NS);
        assert_true(now <= after + MET__CHEAP_CLOCK_ERROR_NS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_clock),
        cmocka_unit_test(asks_the_clock_once_a_millisecond),
        cmocka_unit_test(jumps_of_the_counter_do_not_matter),
        cmocka_unit_test(torn_readings_are_not_kept),
        cmocka_unit_test(is_refused_without_a_steady_counter),
        cmocka_unit_test(the_hosts_clock_stays),
        cmocka_unit_test(is_this_machines_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

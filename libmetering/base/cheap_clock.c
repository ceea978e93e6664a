/* A cheap clock. In: the table of OS calls. Out: monotonic nanoseconds, from
 * the processor's counter and the last reading of the system's clock.
 *
 * The system's clock is asked again after AGE_NS, so that errors cannot add up:
 * the kernel may run its clock faster or slower by 1,000 millionths at most,
 * and the rate was taken under the same, which is 2 ns of error a microsecond
 * at the very worst and 2,000 ns in AGE_NS; in practice it is some nanoseconds.
 * Two readings that belong together and were torn apart by an interrupt are not
 * kept. */
#include "base/cheap_clock.h"

#define AGE_NS 900000
#define RATE_NS 1000000 /* how long the rate is measured */
#define RATE_TRIES 8
#define TORN_NS 100 /* between the counter's readings around the clock's */
#define TICKS_MIN 1024 /* in AGE_NS: about a megahertz */
#define TICKS_MAX (UINT64_C(1) << 24)

typedef struct reading {
    uint64_t ticks;
    uint64_t ns;
    uint64_t torn; /* ticks that it took */
} reading;

static reading read_both(const met__os *os)
{
    uint64_t before = os->ticks(os->context);
    uint64_t ns = (uint64_t)os->monotonic_ns(os->context);
    uint64_t torn = os->ticks(os->context) - before;

    return (reading){before + torn / 2, ns, torn};
}

/* Of some readings the one that was least torn. */
static reading read_well(const met__os *os)
{
    reading best = read_both(os);

    for (int i = 1; i < RATE_TRIES; i++) {
        reading next = read_both(os);
        best = next.torn < best.torn ? next : best;
    }
    return best;
}

int met__cheap_clock_start(met__cheap_clock *clock, const met__os *os)
{
    *clock = (met__cheap_clock){.os = os};
    if (!os->ticks_are_steady(os->context)) {
        return 0;
    }
    reading first = read_well(os);
    os->pause(os->context, RATE_NS);
    reading second = read_well(os);
    uint64_t ns = second.ns - first.ns;
    uint64_t ticks = second.ticks - first.ticks;
    /* A second at most: longer, and the machine was asleep. */
    if (ns < RATE_NS / 2 || ns > 1000 * (uint64_t)RATE_NS || ticks == 0) {
        return 0;
    }
    clock->rate = (ns << 32) / ticks;
    if (clock->rate == 0) {
        return 0;
    }
    clock->stale = ((uint64_t)AGE_NS << 32) / clock->rate;
    return clock->stale >= TICKS_MIN && clock->stale <= TICKS_MAX;
}

/* The system's clock, and what it says for the next ones. */
static int64_t ask_again(met__cheap_clock *clock)
{
    reading now = read_both(clock->os);
    uint64_t sequence = met__load_acquire(&clock->sequence);

    if ((sequence & 1) == 0 && (now.torn * clock->rate) >> 32 <= TORN_NS
        && met__cas(&clock->sequence, &sequence, sequence + 1)) {
        met__fence_release();
        met__store_relaxed(&clock->ticks, now.ticks);
        met__store_relaxed(&clock->ns, now.ns);
        met__store_release(&clock->sequence, sequence + 2);
    }
    return (int64_t)now.ns;
}

int64_t met__cheap_clock_ns(met__cheap_clock *clock)
{
    uint64_t sequence = met__load_acquire(&clock->sequence);
    uint64_t ticks = met__load_relaxed(&clock->ticks);
    uint64_t ns = met__load_relaxed(&clock->ns);

    met__fence_acquire();
    if (sequence == 0 || (sequence & 1) != 0
        || met__load_relaxed(&clock->sequence) != sequence) {
        return ask_again(clock);
    }
    /* A counter that went back has passed nearly all of its range. */
    uint64_t passed = clock->os->ticks(clock->os->context) - ticks;
    return passed > clock->stale
               ? ask_again(clock)
               : (int64_t)(ns + ((passed * clock->rate) >> 32));
}

static int64_t monotonic_ns(void *context)
{
    return met__cheap_clock_ns(context);
}

static int64_t utc_ns(void *context)
{
    met__cheap_clock *clock = context;

    return clock->os->utc_ns(clock->os->context);
}

int met__cheap_clock_use(met__cheap_clock *clock, met__platform *platform)
{
    if (!met__platform_has_system_clock(platform)
        || !met__cheap_clock_start(clock, platform->os)) {
        return 0;
    }
    platform->clock = (met_clock){clock, monotonic_ns, utc_ns};
    return 1;
}

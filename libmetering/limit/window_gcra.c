/* `gcra`: pacing. In: a record and a moment. Out: whether the debt, which is
 * paid off at limit / length, has room for the cost. Can let 2 * limit through
 * in a window: a burst of `limit` after a pause, and what is paid off
 * meanwhile.
 *
 *   head   moment at which all is paid off, in units, modulo 2^62; 0: nothing
 *          was counted
 *
 * A hit is a whole number of units (hit_units), and a moment is turned into
 * units from the clock's reading, never by adding up intervals: no rounding
 * grows with time. With length / limit = b / a in lowest terms a unit is
 * 1 / a ns and a hit b of them, which is exact. Where head would wrap within
 * 1024 windows or 13 months, a hit is a power of two instead, and a unit short
 * beside a nanosecond, but for windows of days with odd limits. */
#include "limit/window.h"

#include "metering/limiter.h"

#define TAKE_TRIES 100000
#define HEAD_MASK ((UINT64_C(1) << MET__HEAD_BITS) - 1)
/* Head wraps after at least so many windows; and of a nanosecond there are at
 * most so many units, so that it wraps after 2^55 ns or later. */
#define WINDOWS_BITS 10
#define UNITS_BITS 7
/* A debt that is greater than this part of the range was paid long ago. A
 * clock may be late by as much. */
#define DEBT_MAX (HEAD_MASK >> (WINDOWS_BITS - 2))

static uint64_t divisor_of_both(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static met_error shape_gcra(met__shape *shape)
{
    uint64_t both = divisor_of_both(shape->window_ns, shape->limit);
    uint64_t hit = shape->window_ns / both;
    uint64_t most = HEAD_MASK >> WINDOWS_BITS;
    uint64_t fine = shape->window_ns << UNITS_BITS;

    most = (most < fine ? most : fine) / shape->limit;
    shape->rate = shape->limit / both;
    shape->rate_ns = hit;
    shape->hit_units = hit;
    if (hit > most) {
        shape->hit_units = UINT64_C(1)
                           << (63 - (uint32_t)__builtin_clzll(most));
    }
    shape->tick_ns = shape->window_ns;
    shape->ticks = 1;
    met__window_divider(shape);
    return MET_OK;
}

/* A moment in units, modulo 2^64, rounded down. */
static uint64_t units_at(const met__shape *shape, uint64_t now_ns)
{
    if (shape->hit_units == shape->rate_ns) {
        return now_ns * shape->rate;
    }
    uint64_t windows = met__window_ticks(shape, now_ns);
    uint64_t rest = now_ns - windows * shape->window_ns;
    met__wide part = (met__wide)rest * shape->rate * shape->hit_units;
    return windows * shape->limit * shape->hit_units
           + (uint64_t)(part / shape->rate_ns);
}

/* What is not paid off yet. */
static uint64_t debt_at(uint64_t head, uint64_t now_units)
{
    uint64_t debt = (head - now_units) & HEAD_MASK;

    return (head & HEAD_MASK) != 0 && debt <= DEBT_MAX ? debt : 0;
}

/* Debt in hits, rounded up: limits are integers. */
static uint64_t weight_of(uint64_t debt, const met__shape *shape)
{
    return debt / shape->hit_units + (debt % shape->hit_units != 0);
}

static int take_gcra(met__record *record, const met__shape *shape,
                     const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);
    uint64_t now = units_at(shape, ask->time.monotonic_ns);
    /* Counted by force, the debt stops at two windows. */
    uint64_t debt_max = 2 * shape->limit * shape->hit_units;
    uint64_t cost = ask->cost < 2 * shape->limit ? ask->cost
                                                 : 2 * shape->limit;
    uint64_t name;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (!met__window_is_open(record, head, ask, &name)) {
            return MET__TAKE_MOVED;
        }
        uint64_t debt = debt_at(head, now);
        uint64_t used = weight_of(debt, shape) + ask->cost;
        if (!ask->is_forced && used + ask->extra > shape->limit) {
            mark_out->used = used - ask->cost;
            return MET__TAKE_REFUSED;
        }
        uint64_t owed = debt + cost * shape->hit_units;
        int is_cut = owed > debt_max;
        if (is_cut) {
            owed = debt > debt_max ? debt : debt_max;
        }
        uint64_t next = (now + owed) & HEAD_MASK;
        next += next == 0;
        if (met__window_swap(record, &head, next, name)) {
            *mark_out = (met__window_mark){name, is_cut ? 0 : next, used};
            return MET__TAKE_DONE;
        }
    }
    return MET__TAKE_CONTENDED;
}

/* Only the newest hit, and all of it was counted: after a pause the debt begins
 * anew, and what was paid off before it is not there to be given back. */
static int undo_gcra(const met__record *record, const met__shape *shape,
                     uint64_t head, uint64_t stamp, uint64_t cost,
                     uint64_t *less_out)
{
    *less_out = (head - cost * shape->hit_units) & HEAD_MASK;
    return head == stamp && stamp != 0 && cost <= shape->limit;
}

static uint64_t most_gcra(uint64_t head, const met__shape *shape,
                          const met__window_time *time)
{
    return weight_of(debt_at(head, units_at(shape, time->monotonic_ns)),
                     shape);
}

static uint64_t used_gcra(const met__snapshot *snapshot,
                          const met__shape *shape, const met__window_time *time)
{
    uint64_t now = units_at(shape, time->monotonic_ns);

    return weight_of(debt_at(snapshot->head, now), shape);
}

static uint64_t wait_gcra(const met__snapshot *snapshot,
                          const met__shape *shape,
                          const met__window_time *time, uint64_t room)
{
    uint64_t now = units_at(shape, time->monotonic_ns);
    uint64_t debt = debt_at(snapshot->head, now);

    if (weight_of(debt, shape) <= room) {
        return 0;
    }
    /* The first nanosecond whose units are so many more, counted from the
     * beginning of the window that the clock is in. */
    uint64_t windows = met__window_ticks(shape, time->monotonic_ns);
    uint64_t start = windows * shape->window_ns;
    uint64_t until = now - units_at(shape, start) + debt
                     - room * shape->hit_units;
    met__wide part = (met__wide)until * shape->rate_ns;
    met__wide every = (met__wide)shape->rate * shape->hit_units;
    return (uint64_t)((part + every - 1) / every)
           - (time->monotonic_ns - start);
}

static uint64_t reset_gcra(const met__snapshot *snapshot,
                           const met__shape *shape,
                           const met__window_time *time)
{
    uint64_t used = used_gcra(snapshot, shape, time);

    return used == 0 ? 0 : wait_gcra(snapshot, shape, time, used - 1);
}

static int is_idle_gcra(uint64_t head, const met__shape *shape,
                        const met__window_time *time)
{
    return debt_at(head, units_at(shape, time->monotonic_ns)) == 0;
}

const met__window_ops met__window_gcra = {
    .name = "gcra",
    .algorithm = MET_LIMITER_GCRA,
    .can_force = 1,
    .shape = shape_gcra,
    .take = take_gcra,
    .undo = undo_gcra,
    .most = most_gcra,
    .used = used_gcra,
    .wait = wait_gcra,
    .reset = reset_gcra,
    .is_idle = is_idle_gcra,
};

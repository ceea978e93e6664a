/* `fixed_epoch` and `calendar_utc`: one count a window, which begins anew at
 * fixed moments of UTC. In: a record and a moment. Out: whether
 * count + cost <= limit. Can let 2 * limit through around such a moment.
 *
 *   head   number of the window (40 bits) | hits in it (22 bits)
 *
 * fixed_epoch: windows are the multiples of their length since 1970, and their
 * number is counted modulo 2^40. calendar_utc: seconds, minutes, hours, days,
 * and the calendar's months and years, whatever their length; their number is
 * the second in which they begin.
 *
 * A clock that is behind by one window is judged in the window that others
 * have opened. Further behind, it was set back: then its window counts. */
#include "limit/window.h"

#include "base/calendar.h"
#include "metering/limiter.h"

#define TAKE_TRIES 100000
#define COUNT_BITS 22
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)
#define NUMBER_MASK ((UINT64_C(1) << (MET__HEAD_BITS - COUNT_BITS)) - 1)
#define MONTH_NS (30 * MET__DAY_NS)
#define YEAR_NS (365 * MET__DAY_NS)

typedef struct fixed_state {
    uint64_t number;
    uint64_t count;
    uint64_t end_ns; /* in UTC */
} fixed_state;

static met_error shape_epoch(met__shape *shape)
{
    shape->tick_ns = shape->window_ns;
    shape->ticks = 1;
    met__window_divider(shape);
    return MET_OK;
}

static met_error shape_calendar(met__shape *shape)
{
    static const int64_t lengths[] = {
        MET__SECOND_NS, MET__MINUTE_NS, MET__HOUR_NS,
        MET__DAY_NS,    MONTH_NS,       YEAR_NS};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (shape->window_ns == (uint64_t)lengths[i]) {
            return shape_epoch(shape);
        }
    }
    return MET_E_UNSUPPORTED;
}

/* First second of the calendar's month or year of a moment, or of the one
 * after it. */
static uint64_t civil_second(uint64_t utc_ns, int is_year, int is_next)
{
    int64_t day = (int64_t)(utc_ns / (uint64_t)MET__DAY_NS);
    met__civil civil;

    met__civil_from_days(day, &civil);
    int64_t year = civil.year + (is_year && is_next);
    int32_t month = is_year ? 1 : civil.month + is_next;
    if (month > 12) {
        month = 1;
        year++;
    }
    return (uint64_t)met__days_from_civil(year, month, 1)
           * (uint64_t)(MET__DAY_NS / MET__SECOND_NS);
}

/* Number and end of the window that a moment is in. */
static fixed_state window_at(const met__shape *shape, uint64_t utc_ns)
{
    int is_calendar = shape->algorithm == MET_LIMITER_CALENDAR_UTC;
    uint64_t second = (uint64_t)MET__SECOND_NS;
    fixed_state state = {0};

    if (is_calendar && shape->window_ns >= (uint64_t)MONTH_NS) {
        int is_year = shape->window_ns == (uint64_t)YEAR_NS;
        state.number = civil_second(utc_ns, is_year, 0);
        state.end_ns = civil_second(utc_ns, is_year, 1) * second;
        return state;
    }
    uint64_t index = met__window_ticks(shape, utc_ns);
    state.number = is_calendar ? index * (shape->window_ns / second)
                               : index & NUMBER_MASK;
    state.end_ns = (index + 1) * shape->window_ns;
    return state;
}

static fixed_state at(uint64_t head, const met__shape *shape,
                      const met__window_time *time)
{
    fixed_state state = window_at(shape, time->utc_ns);
    uint64_t number = head >> COUNT_BITS & NUMBER_MASK;
    uint64_t count = head & COUNT_MAX;

    if (count != 0 && number == state.number) {
        state.count = count;
    } else if (count != 0) {
        fixed_state next = window_at(shape, state.end_ns);
        if (number == next.number) {
            state = next;
            state.count = count;
        }
    }
    return state;
}

static int take_fixed(met__record *record, const met__shape *shape,
                      const met__window_ask *ask, met__window_mark *mark_out)
{
    uint64_t head = met__load_acquire(&record->head);
    uint64_t name;

    for (int i = 0; i < TAKE_TRIES; i++) {
        if (!met__window_is_open(record, head, ask, &name)) {
            return MET__TAKE_MOVED;
        }
        fixed_state state = at(head, shape, &ask->time);
        uint64_t used = state.count + ask->cost;
        if (!ask->is_forced && used + ask->extra > shape->limit) {
            mark_out->used = state.count;
            return MET__TAKE_REFUSED;
        }
        used = used < COUNT_MAX ? used : COUNT_MAX;
        if (met__window_swap(record, &head,
                             state.number << COUNT_BITS | used, name)) {
            *mark_out = (met__window_mark){name, state.number, used};
            return MET__TAKE_DONE;
        }
    }
    return MET__TAKE_CONTENDED;
}

/* Hits of one window are alike: any of them may be given back, if all of them
 * were counted. */
static int undo_fixed(const met__record *record, const met__shape *shape,
                      uint64_t head, uint64_t stamp, uint64_t cost,
                      uint64_t *less_out)
{
    uint64_t count = head & COUNT_MAX;

    *less_out = count == cost ? 0 : head - cost;
    return (head >> COUNT_BITS & NUMBER_MASK) == stamp && count >= cost
           && count < COUNT_MAX;
}

static uint64_t most_fixed(uint64_t head, const met__shape *shape,
                           const met__window_time *time)
{
    return head & COUNT_MAX;
}

static uint64_t used_fixed(const met__snapshot *snapshot,
                           const met__shape *shape,
                           const met__window_time *time)
{
    return at(snapshot->head, shape, time).count;
}

static uint64_t wait_fixed(const met__snapshot *snapshot,
                           const met__shape *shape,
                           const met__window_time *time, uint64_t room)
{
    fixed_state state = at(snapshot->head, shape, time);

    return state.count <= room ? 0 : state.end_ns - time->utc_ns;
}

static uint64_t reset_fixed(const met__snapshot *snapshot,
                            const met__shape *shape,
                            const met__window_time *time)
{
    fixed_state state = at(snapshot->head, shape, time);

    return state.count == 0 ? 0 : state.end_ns - time->utc_ns;
}

static int is_idle_fixed(uint64_t head, const met__shape *shape,
                         const met__window_time *time)
{
    return at(head, shape, time).count == 0;
}

const met__window_ops met__window_epoch = {
    .name = "fixed_epoch",
    .algorithm = MET_LIMITER_FIXED_EPOCH,
    .needs_utc = 1,
    .can_force = 1,
    .shape = shape_epoch,
    .take = take_fixed,
    .undo = undo_fixed,
    .most = most_fixed,
    .used = used_fixed,
    .wait = wait_fixed,
    .reset = reset_fixed,
    .is_idle = is_idle_fixed,
};

const met__window_ops met__window_calendar = {
    .name = "calendar_utc",
    .algorithm = MET_LIMITER_CALENDAR_UTC,
    .needs_utc = 1,
    .can_force = 1,
    .shape = shape_calendar,
    .take = take_fixed,
    .undo = undo_fixed,
    .most = most_fixed,
    .used = used_fixed,
    .wait = wait_fixed,
    .reset = reset_fixed,
    .is_idle = is_idle_fixed,
};

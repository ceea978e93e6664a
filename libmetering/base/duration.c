/* ISO 8601 durations: text, adding with clamped month ends, divisibility, and
 * recurrences that are always counted from their anchor, so that Jan 31 is
 * followed by Feb 28 and then Mar 31. */
#include "base/calendar.h"

#include "base/check.h"

#define PART_MAX 1000000000 /* of one part of a duration */
#define YEARS_MOST 1000     /* more leave the range from anywhere in it */
#define MONTH_MEAN_NS (INT64_C(2629746) * MET__SECOND_NS)

__extension__ typedef __int128 wide;

/* Digits with an optional fraction (only where allowed). */
static int take_number(const char **at, const char *end, int32_t *whole_out,
                       int32_t *nanoseconds_out, int *has_fraction_out)
{
    int64_t whole = 0;
    const char *start = *at;

    *has_fraction_out = 0;
    *nanoseconds_out = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        whole = whole * 10 + (**at - '0');
        if (whole > PART_MAX) {
            return 0;
        }
    }
    if (*at == start) {
        return 0;
    }
    *whole_out = (int32_t)whole;
    if (*at < end && (**at == '.' || **at == ',')) {
        int32_t fraction = 0;
        int count = 0;
        for ((*at)++; *at < end && **at >= '0' && **at <= '9';
             (*at)++, count++) {
            if (count >= 9) {
                return 0;
            }
            fraction = fraction * 10 + (**at - '0');
        }
        if (count == 0) {
            return 0;
        }
        for (; count < 9; count++) {
            fraction *= 10;
        }
        *nanoseconds_out = fraction;
        *has_fraction_out = 1;
    }
    return 1;
}

met_error met__duration_parse(met__text text, met__duration *duration_out)
{
    static const char units[] = "YMWDHMS"; /* in their only order */
    met__duration made = {0};
    int32_t *const parts[] = {&made.years, &made.months,  &made.weeks,
                              &made.days,  &made.hours, &made.minutes,
                              &made.seconds};
    const char *at = text.data;
    const char *end = text.data + text.size;
    int next = 0; /* index of the first unit still allowed */
    int is_clock = 0;
    int count = 0;

    MET__ASSERT(duration_out != NULL);
    if (text.size < 3 || *at++ != 'P') {
        return MET_E_INVALID;
    }
    while (at < end) {
        int32_t whole;
        int32_t nanoseconds;
        int has_fraction;
        if (*at == 'T') {
            if (is_clock) {
                return MET_E_INVALID;
            }
            is_clock = 1;
            next = 4;
            at++;
        }
        if (!take_number(&at, end, &whole, &nanoseconds, &has_fraction)
            || at >= end) {
            return MET_E_INVALID;
        }
        int last = is_clock ? 7 : 4;
        while (next < last && units[next] != *at) {
            next++;
        }
        if (next >= last || (has_fraction && next != 6)) {
            return MET_E_INVALID;
        }
        *parts[next++] = whole;
        made.nanoseconds = nanoseconds;
        at++;
        count++;
    }
    if (count == 0) {
        return MET_E_INVALID;
    }
    *duration_out = made;
    return MET_OK;
}

met_error met__duration_print(const met__duration *d, met__buffer *buffer)
{
    MET__ASSERT(d != NULL && buffer != NULL);
    const struct {
        int32_t value;
        char unit;
    } parts[] = {{d->years, 'Y'}, {d->months, 'M'}, {d->weeks, 'W'},
                 {d->days, 'D'},  {d->hours, 'H'},  {d->minutes, 'M'}};

    met__buffer_byte(buffer, 'P');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (i == 4 && (d->hours || d->minutes || d->seconds
                       || d->nanoseconds)) {
            met__buffer_byte(buffer, 'T');
        }
        if (parts[i].value != 0) {
            met__buffer_print(buffer, "%d%c", parts[i].value, parts[i].unit);
        }
    }
    if (d->seconds != 0 || d->nanoseconds != 0) {
        met__buffer_print(buffer, "%d", d->seconds);
        if (d->nanoseconds != 0) {
            int digits = 9;
            int32_t fraction = d->nanoseconds;
            for (; fraction % 10 == 0; fraction /= 10) {
                digits--;
            }
            met__buffer_print(buffer, ".%0*d", digits, fraction);
        }
        met__buffer_byte(buffer, 'S');
    }
    if (met__duration_is_zero(d)) {
        met__buffer_text(buffer, "T0S");
    }
    return buffer->error;
}

int met__duration_is_zero(const met__duration *d)
{
    return !(d->years || d->months || d->weeks || d->days || d->hours
             || d->minutes || d->seconds || d->nanoseconds);
}

/* Shifts by whole months and pulls the day back to the month's end. */
static void shift_months(met__civil *civil, int64_t months)
{
    int64_t index = (int64_t)civil->year * 12 + civil->month - 1 + months;
    int64_t year = index >= 0 ? index / 12 : -((11 - index) / 12);

    civil->year = (int32_t)year;
    civil->month = (int32_t)(index - year * 12) + 1;
    int32_t last = met__days_in_month(civil->year, civil->month);
    if (civil->day > last) {
        civil->day = last;
    }
}

/* Weeks and smaller in nanoseconds. */
static wide clock_ns(const met__duration *d)
{
    return (d->weeks * (wide)7 + d->days) * MET__DAY_NS
           + (wide)d->hours * MET__HOUR_NS + (wide)d->minutes * MET__MINUTE_NS
           + (wide)d->seconds * MET__SECOND_NS + d->nanoseconds;
}

/* As met__duration_add, but anywhere in the years 1678 to 2261, so that a
 * guess that lies one interval outside the range of times is no error. */
static met_error add(int64_t at_ns, const met__duration *d, int64_t count,
                     int64_t *sum_ns_out)
{
    int64_t years;
    int64_t months;
    int64_t days = at_ns / MET__DAY_NS - (at_ns % MET__DAY_NS < 0);
    int64_t rest_ns = at_ns - days * MET__DAY_NS;
    wide clock = clock_ns(d);

    if (__builtin_mul_overflow(d->years, count, &years)
        || __builtin_mul_overflow(d->months, count, &months)
        || years < -YEARS_MOST || years > YEARS_MOST
        || months < -YEARS_MOST * 12 || months > YEARS_MOST * 12
        || (clock > INT64_MAX && count != 0)) {
        return MET_E_INVALID;
    }
    if (years != 0 || months != 0) {
        met__civil civil;
        met__civil_from_days(days, &civil);
        shift_months(&civil, years * 12);
        shift_months(&civil, months);
        days = met__days_from_civil(civil.year, civil.month, civil.day);
    }
    wide sum = (wide)days * MET__DAY_NS + rest_ns + clock * count;
    if (sum > INT64_MAX || sum < INT64_MIN) {
        return MET_E_INVALID;
    }
    *sum_ns_out = (int64_t)sum;
    return MET_OK;
}

static int is_time(int64_t utc_ns)
{
    return utc_ns >= 0 && utc_ns <= MET__TIME_MAX;
}

met_error met__duration_add(int64_t at_ns, const met__duration *duration,
                            int64_t count, int64_t *utc_ns_out)
{
    int64_t sum_ns;

    MET__ASSERT(duration != NULL && utc_ns_out != NULL);
    if (!is_time(at_ns) || add(at_ns, duration, count, &sum_ns) != MET_OK
        || !is_time(sum_ns)) {
        return MET_E_INVALID;
    }
    *utc_ns_out = sum_ns;
    return MET_OK;
}

int met__duration_is_long(const met__duration *duration)
{
    static const met__duration most = {.years = 10};
    int64_t most_ns = 0;
    int64_t end_ns = 0;

    return met__duration_add(0, &most, 1, &most_ns) != MET_OK
           || met__duration_add(0, duration, 1, &end_ns) != MET_OK
           || end_ns > most_ns;
}

/* --- Divisibility --------------------------------------------------------- */

/* Length when every month has `days` days and every day `hours` hours. */
static wide extent_ns(const met__duration *d, int32_t days, int32_t hours)
{
    wide whole_days = ((wide)d->years * 12 + d->months) * days
                      + (wide)d->weeks * 7 + d->days;

    return (whole_days * hours + d->hours) * MET__HOUR_NS
           + (wide)d->minutes * MET__MINUTE_NS
           + (wide)d->seconds * MET__SECOND_NS + d->nanoseconds;
}

int met__duration_divides(const met__duration *whole,
                          const met__duration *part)
{
    if (met__duration_is_zero(whole) || met__duration_is_zero(part)) {
        return 0;
    }
    for (int32_t days = 28; days <= 31; days++) {
        for (int32_t hours = 23; hours <= 25; hours++) {
            if (extent_ns(whole, days, hours) % extent_ns(part, days, hours)
                != 0) {
                return 0;
            }
        }
    }
    return 1;
}

/* --- Recurrence ----------------------------------------------------------- */
met_error met__recurrence_point(const met__recurrence *recurrence, int64_t n,
                                int64_t *utc_ns_out)
{
    MET__ASSERT(recurrence != NULL);
    return met__duration_add(recurrence->anchor_ns, &recurrence->interval, n,
                             utc_ns_out);
}

/* What is too far to be a time at all lies before or behind all of them. */
static int64_t point_or_end(int64_t anchor_ns, const met__duration *d,
                            int64_t n)
{
    int64_t at_ns;

    if (add(anchor_ns, d, n, &at_ns) != MET_OK) {
        return n < 0 ? INT64_MIN : INT64_MAX;
    }
    return at_ns;
}

/* The period around at_ns, wherever its bounds lie. */
static met_error period_around(const met__recurrence *recurrence,
                               int64_t at_ns, met__period *period_out,
                               int64_t *n_out)
{
    const met__duration *d = &recurrence->interval;
    int64_t anchor_ns = recurrence->anchor_ns;

    if (met__duration_is_zero(d) || !is_time(at_ns) || !is_time(anchor_ns)) {
        return MET_E_INVALID;
    }
    /* A guess by the mean month of 30.436875 days is off by one at most, by
     * another one for the division's rounding. */
    wide mean = ((wide)d->years * 12 + d->months) * MONTH_MEAN_NS
                + clock_ns(d);
    int64_t n = (int64_t)(((wide)at_ns - anchor_ns) / mean);
    for (int step = 0; step < 8; step++) {
        int64_t from_ns = point_or_end(anchor_ns, d, n);
        if (from_ns > at_ns) {
            n--;
            continue;
        }
        int64_t to_ns = point_or_end(anchor_ns, d, n + 1);
        if (to_ns <= at_ns) {
            n++;
            continue;
        }
        *period_out = (met__period){from_ns, to_ns};
        *n_out = n;
        return MET_OK;
    }
    return MET_E_BUG;
}

met_error met__recurrence_period_within(const met__recurrence *recurrence,
                                        int64_t at_ns,
                                        met__period *period_out,
                                        int64_t *n_out)
{
    met__period period;
    int64_t n;

    MET__ASSERT(recurrence != NULL && period_out != NULL);
    met_error error = period_around(recurrence, at_ns, &period, &n);
    if (error == MET_OK) {
        period_out->from_ns = period.from_ns > 0 ? period.from_ns : 0;
        period_out->to_ns =
            period.to_ns < MET__TIME_MAX ? period.to_ns : MET__TIME_MAX;
        if (n_out != NULL) {
            *n_out = n;
        }
    }
    return error;
}

met_error met__recurrence_period_at(const met__recurrence *recurrence,
                                    int64_t at_ns, met__period *period_out,
                                    int64_t *n_out)
{
    met__period period;
    int64_t n;

    MET__ASSERT(recurrence != NULL && period_out != NULL);
    met_error error = period_around(recurrence, at_ns, &period, &n);
    if (error == MET_OK
        && (!is_time(period.from_ns) || !is_time(period.to_ns))) {
        error = MET_E_INVALID;
    }
    if (error == MET_OK) {
        *period_out = period;
        if (n_out != NULL) {
            *n_out = n;
        }
    }
    return error;
}

/* --- Shared points -------------------------------------------------------- */
#define FEW 4096

/* So far from each other that there are few of them in all the years. */
static int has_few_points(const met__recurrence *recurrence)
{
    const met__duration *d = &recurrence->interval;

    return d->years != 0 || d->months != 0
           || clock_ns(d) > MET__TIME_MAX / FEW;
}

static met_error shared_by_walking(const met__recurrence *few,
                                   const met__recurrence *other,
                                   int64_t from_ns, int64_t to_ns,
                                   int64_t *count_out)
{
    met__period period;
    met__period of_other;
    int64_t count = 0;
    met_error error =
        met__recurrence_period_within(few, from_ns, &period, NULL);

    while (error == MET_OK && period.to_ns < to_ns
           && period.to_ns < MET__TIME_MAX) {
        int64_t at_ns = period.to_ns;
        error = met__recurrence_period_within(other, at_ns, &of_other, NULL);
        count += error == MET_OK && of_other.from_ns == at_ns;
        if (error == MET_OK) {
            error = met__recurrence_period_within(few, at_ns, &period, NULL);
        }
    }
    *count_out = count;
    return error;
}

/* x with a * x = 1 modulo m, for a and m without a common divisor. */
static wide inverse(wide a, wide m)
{
    wide rest[2] = {m, a % m};
    wide x[2] = {0, 1};

    while (rest[1] != 0) {
        wide times = rest[0] / rest[1];
        wide next_rest = rest[0] - times * rest[1];
        wide next_x = x[0] - times * x[1];
        rest[0] = rest[1];
        rest[1] = next_rest;
        x[0] = x[1];
        x[1] = next_x;
    }
    return (x[0] % m + m) % m;
}

static wide greatest_divisor(wide a, wide b)
{
    while (b != 0) {
        wide rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* How many whole steps from 0 up to this, 0 among them. */
static wide steps_to(wide distance, wide step)
{
    return distance >= 0 ? distance / step : -((step - 1 - distance) / step);
}

met_error met__recurrence_shared(const met__recurrence *a,
                                 const met__recurrence *b, int64_t from_ns,
                                 int64_t to_ns, int64_t *count_out)
{
    if (met__duration_is_zero(&a->interval)
        || met__duration_is_zero(&b->interval) || !is_time(a->anchor_ns)
        || !is_time(b->anchor_ns) || !is_time(from_ns) || from_ns >= to_ns) {
        return MET_E_INVALID;
    }
    if (has_few_points(a)) {
        return shared_by_walking(a, b, from_ns, to_ns, count_out);
    }
    if (has_few_points(b)) {
        return shared_by_walking(b, a, from_ns, to_ns, count_out);
    }
    /* anchor_a + x * step_a = anchor_b + y * step_b: every so many. */
    wide step_a = clock_ns(&a->interval);
    wide step_b = clock_ns(&b->interval);
    wide divisor = greatest_divisor(step_a, step_b);
    wide distance = (wide)b->anchor_ns - a->anchor_ns;
    *count_out = 0;
    if (distance % divisor == 0) {
        wide m = step_b / divisor;
        wide x = (distance / divisor % m + m) % m
                 * inverse(step_a / divisor, m) % m;
        wide first_ns = a->anchor_ns + x * step_a;
        *count_out = (int64_t)(steps_to(to_ns - 1 - first_ns, step_a * m)
                               - steps_to(from_ns - first_ns, step_a * m));
    }
    return MET_OK;
}

/* --- Sums ----------------------------------------------------------------- */
#define SUM_MAX 1000000000 /* of a unit */

static int add_part(int32_t *sum, int64_t part)
{
    int64_t whole = *sum + part;

    *sum = whole > SUM_MAX ? SUM_MAX : (int32_t)whole;
    return whole < SUM_MAX;
}

int met__duration_sum(met__duration *sum, const met__duration *part)
{
    int64_t nanoseconds = (int64_t)sum->nanoseconds + part->nanoseconds;
    int64_t seconds = (int64_t)sum->seconds + part->seconds
                      + nanoseconds / MET__SECOND_NS;
    int64_t minutes = (int64_t)sum->minutes + part->minutes + seconds / 60;

    sum->nanoseconds = (int32_t)(nanoseconds % MET__SECOND_NS);
    sum->seconds = (int32_t)(seconds % 60);
    sum->minutes = (int32_t)(minutes % 60);
    int is_small = add_part(&sum->hours, part->hours + minutes / 60);
    is_small &= add_part(&sum->years, part->years);
    is_small &= add_part(&sum->months, part->months);
    is_small &= add_part(&sum->weeks, part->weeks);
    is_small &= add_part(&sum->days, part->days);
    return is_small;
}

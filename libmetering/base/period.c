/* Relations of half-open periods. In: bounds in nanoseconds, missing ones as
 * the ends of int64, so that every rule is a comparison. */
#include "base/period.h"

int met__period_is_valid(met__period period)
{
    return period.from_ns < period.to_ns;
}

int met__period_contains(met__period period, int64_t at_ns)
{
    return period.from_ns <= at_ns && at_ns < period.to_ns;
}

int met__period_contains_inclusive(met__period period, int64_t at_ns)
{
    return period.from_ns <= at_ns && at_ns <= period.to_ns;
}

int met__period_contains_exclusive(met__period period, int64_t at_ns)
{
    return period.from_ns < at_ns && at_ns < period.to_ns;
}

int met__period_overlaps(met__period a, met__period b)
{
    return a.from_ns < b.to_ns && b.from_ns < a.to_ns;
}

int met__period_overlaps_inclusive(met__period a, met__period b)
{
    return a.from_ns <= b.to_ns && b.from_ns <= a.to_ns;
}

int met__period_is_superset(met__period whole, met__period part)
{
    return whole.from_ns <= part.from_ns && part.to_ns <= whole.to_ns;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int met__period_intersection(met__period a, met__period b, met__period *out)
{
    met__period both = {greater(a.from_ns, b.from_ns),
                        smaller(a.to_ns, b.to_ns)};

    if (!met__period_is_valid(both)) {
        return 0;
    }
    *out = both;
    return 1;
}

met__period met__period_union(met__period a, met__period b)
{
    return (met__period){smaller(a.from_ns, b.from_ns),
                         greater(a.to_ns, b.to_ns)};
}

size_t met__period_difference(met__period a, met__period b,
                              met__period out[2])
{
    const met__period parts[2] = {
        {a.from_ns, smaller(a.to_ns, b.from_ns)},
        {greater(a.from_ns, b.to_ns), a.to_ns},
    };
    size_t count = 0;

    if (!met__period_overlaps(a, b)) {
        out[0] = a;
        return (size_t)met__period_is_valid(a);
    }
    for (int i = 0; i < 2; i++) {
        if (met__period_is_valid(parts[i])) {
            out[count++] = parts[i];
        }
    }
    return count;
}

int64_t met__last_not_after(const int64_t *instants, size_t count,
                            int64_t at_ns)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (instants[middle] <= at_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (int64_t)low - 1;
}

/* Every window algorithm against an exact list of time stamps, on the same
 * arrivals. In: a seed and a number of arrivals. Out: a table of what each lets
 * through above the limit in a true window, and refuses though the exact list
 * would not; failure when a sliding window ever has more than its limit, or
 * refuses without the hits that its bound asks for.
 *
 *   limiter_differential [--count N] [--seed N] [--plant early|late]
 *
 * --plant makes the algorithms forget too early or too late: that must fail. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit/window.h"
#include "metering/limiter.h"

#define SECOND UINT64_C(1000000000)
#define DAY (86400 * SECOND)
#define CLOCK_END (UINT64_C(1) << 62)

static const uint64_t limits[] = {1,  2,   5,    24,     25,
                                  60, 100, 1000, 100000, 1000000};
static const uint64_t lengths[] = {SECOND / 1000, SECOND,   60 * SECOND,
                                   3600 * SECOND, 30 * DAY, 365 * DAY};
static const struct {
    const char *name;
    uint32_t number;
} algorithms[] = {{"sliding", MET_LIMITER_SLIDING},
                  {"sliding_counter", MET_LIMITER_SLIDING_COUNTER},
                  {"fixed_epoch", MET_LIMITER_FIXED_EPOCH},
                  {"calendar_utc", MET_LIMITER_CALENDAR_UTC},
                  {"gcra", MET_LIMITER_GCRA}};
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define LIMITS COUNT_OF(limits)
#define LENGTHS COUNT_OF(lengths)
#define ALGORITHMS COUNT_OF(algorithms)

enum {
    POISSON_09,
    POISSON_10,
    POISSON_12,
    POISSON_20,
    POISSON_100,
    ON_OFF,
    BURSTS,
    EDGE,
    LOCKSTEP, /* just what the limit admits */
    BATCHES, /* a window apart, give or take 2 ns */
    STEPS,
    PATTERNS
};
static const char *const pattern_names[PATTERNS] = {
    "Poisson 0.9", "Poisson 1",     "Poisson 1.2",    "Poisson 2",
    "Poisson 10",  "on/off",        "bursts",         "edge of window",
    "lockstep",    "batches apart", "clock steps"};

static uint64_t state = 1;
static const char *plant = "";
static uint64_t failures;

/* --- Random --------------------------------------------------------------- */
static uint64_t next_random(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t random_below(uint64_t below)
{
    return next_random() % below;
}

static double random_gap(double mean)
{
    double share = ((double)(next_random() >> 11) + 0.5) / 9007199254740992.0;

    return -log(share) * mean;
}

/* --- The exact list ------------------------------------------------------- */
/* Units admitted, with two windows over them. */
typedef struct exact {
    uint64_t *times;
    uint64_t *costs;
    size_t count;
    size_t room;
    size_t first[2];
    uint64_t sum[2];
} exact;

static void exact_add(exact *list, uint64_t time, uint64_t cost)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 4096;
        list->times = realloc(list->times, list->room * 8);
        list->costs = realloc(list->costs, list->room * 8);
        if (list->times == NULL || list->costs == NULL) {
            abort();
        }
    }
    list->times[list->count] = time;
    list->costs[list->count++] = cost;
    list->sum[0] += cost;
    list->sum[1] += cost;
}

/* Units of the last `length`, both ends included. */
static uint64_t exact_sum(exact *list, int which, uint64_t now,
                          uint64_t length)
{
    size_t *first = &list->first[which];
    uint64_t from = now > length ? now - length : 0;

    while (*first < list->count && list->times[*first] < from) {
        list->sum[which] -= list->costs[(*first)++];
    }
    while (*first > 0 && list->times[*first - 1] >= from) {
        list->sum[which] += list->costs[--*first];
    }
    return list->sum[which];
}

static void exact_clear(exact *list)
{
    list->count = 0;
    memset(list->first, 0, sizeof list->first);
    memset(list->sum, 0, sizeof list->sum);
}

/* --- One algorithm on one sequence ---------------------------------------- */
typedef struct runner {
    met__shape shape;
    met__record record;
    exact list;
    uint64_t loose_ns; /* what may be the reason of a refusal */
    uint64_t slack;    /* and so many units may be missing */
    uint64_t newest;
    uint64_t admitted;
    uint64_t over; /* most units of a true window */
    uint64_t refused_with_room; /* by its own list */
    int is_served;
} runner;

static void runner_start(runner *r, uint64_t limit, uint64_t length,
                         uint32_t algorithm)
{
    r->is_served = met__window_shape(&r->shape, limit, length, algorithm)
                   == MET_OK;
    memset(&r->record, 0, sizeof r->record);
    exact_clear(&r->list);
    r->newest = 0;
    r->admitted = 0;
    r->over = 0;
    r->refused_with_room = 0;
    int is_tape = r->shape.ops == &met__window_tape;
    r->loose_ns = is_tape ? (r->shape.slots + UINT64_C(1)) * r->shape.tick_ns
                          : length + 2 * r->shape.tick_ns;
    r->slack = is_tape ? r->shape.quantum - 1 : 0;
    if (plant[0] != 0 && r->shape.tick_ns > 50) {
        r->shape.tick_ns += plant[0] == 'l' ? r->shape.tick_ns / 20
                                            : -(r->shape.tick_ns / 20);
        met__window_divider(&r->shape);
    }
}

static void fail(const runner *r, int pattern, const char *what,
                 uint64_t units)
{
    if (failures++ < 10) {
        fprintf(stderr, "%s of %" PRIu64 " in %" PRIu64 " ns, %s: %s with %"
                PRIu64 "\n", r->shape.ops->name, r->shape.limit,
                r->shape.window_ns, pattern_names[pattern], what, units);
    }
}

static void arrive(runner *r, int pattern, uint64_t now, uint64_t cost)
{
    met__window_ask ask = {.time = {now, now}, .cost = cost};
    int is_strict = r->shape.algorithm == MET_LIMITER_SLIDING;
    uint64_t limit = r->shape.limit;
    met__window_mark mark;

    /* A late reading is judged at the newest hit: others have seen it. */
    uint64_t judged = now > r->newest ? now : r->newest;
    uint64_t units = exact_sum(&r->list, 0, judged, r->shape.window_ns)
                     + cost;
    int result = r->shape.ops->take(&r->record, &r->shape, &ask, &mark);
    if (result == MET__TAKE_DONE) {
        exact_add(&r->list, judged, cost);
        r->newest = judged;
        r->admitted++;
        r->over = units > r->over ? units : r->over;
        if (is_strict && units > limit) {
            fail(r, pattern, "admitted", units);
        }
        return;
    }
    r->refused_with_room += units <= limit;
    if (result != MET__TAKE_REFUSED) {
        fail(r, pattern, "undecided", units);
    } else if (is_strict) {
        units = exact_sum(&r->list, 1, judged, r->loose_ns) + cost;
        if (units + r->slack <= limit) {
            fail(r, pattern, "refused", units);
        }
    }
}

/* --- Arrivals ------------------------------------------------------------- */
typedef struct arrivals {
    int pattern;
    uint64_t limit;
    uint64_t length;
    uint64_t mean_cost;
    uint64_t latest;
    uint64_t burst_left;
} arrivals;

static uint64_t poisson(const arrivals *a, double rate)
{
    double gap = (double)a->length / (double)a->limit * (double)a->mean_cost;

    return (uint64_t)random_gap(gap / rate);
}

static uint64_t burst(arrivals *a, uint64_t most, uint64_t pause)
{
    if (a->burst_left == 0) {
        a->burst_left = 1 + random_below(most);
        return random_below(pause);
    }
    a->burst_left--;
    return random_below(a->length / a->limit / 50 + 2);
}

/* The next reading of the clock. */
static uint64_t next_arrival(arrivals *a)
{
    static const double rates[] = {0.9, 1, 1.2, 2, 10};
    uint64_t hits = a->limit / a->mean_cost + 1;
    uint64_t into = a->latest % a->length;
    uint64_t now = a->latest;

    switch (a->pattern) {
    case ON_OFF: /* ten times the rate for a tenth of the window */
        now += poisson(a, 10) + (random_below(hits) == 0
                                     ? (uint64_t)random_gap(
                                           0.9 * (double)a->length)
                                     : 0);
        break;
    case BURSTS:
        now += burst(a, 2 * hits, 2 * a->length);
        break;
    case EDGE: /* full at the end of an aligned window, then dense */
        if (a->burst_left == 0) {
            a->burst_left = 3 * hits;
            now += 3 * a->length - into - a->length / 100;
        } else {
            a->burst_left--;
            now += a->burst_left > 2 * hits ? random_below(3) : poisson(a, 2);
        }
        break;
    case LOCKSTEP:
        now += (a->length / a->limit + 1) * a->mean_cost;
        break;
    case BATCHES:
        now += random_below(2 * hits) == 0
                   ? a->length - 2 + random_below(5)
                   : 0;
        break;
    case STEPS:
        now += poisson(a, 1.5);
        now += random_below(500) == 0 ? random_below(a->length) * 1000 : 0;
        break;
    default:
        now += poisson(a, rates[a->pattern]);
        break;
    }
    a->latest = now;
    if (a->pattern == STEPS && random_below(4) == 0 && now > a->length) {
        return now - random_below(a->length / 2);
    }
    return now;
}

/* --- Sequences ------------------------------------------------------------ */
typedef struct figures {
    double over;   /* most, in percent of the limit */
    double missed; /* most of a sequence, in percent of its arrivals */
} figures;

typedef struct table {
    figures by_pattern[ALGORITHMS][PATTERNS];
    figures by_limit[ALGORITHMS][LIMITS];
    double in_step[ALGORITHMS][LIMITS]; /* with the window's length */
    uint64_t arrivals;
    uint64_t decisions;
} table;

static void note(figures *f, double over, double missed)
{
    f->over = over > f->over ? over : f->over;
    f->missed = missed > f->missed ? missed : f->missed;
}

static void note_all(table *t, const runner *runners, const arrivals *a,
                     size_t l, uint64_t exactly, uint64_t count)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        const runner *r = &runners[i];
        if (!r->is_served || count == 0) {
            continue;
        }
        double over = r->over > a->limit
                          ? 100.0 * (double)(r->over - a->limit)
                                / (double)a->limit
                          : 0;
        double missed = exactly > r->admitted
                            ? 100.0 * (double)(exactly - r->admitted)
                                  / (double)count
                            : 0;
        int is_in_step = a->pattern == LOCKSTEP || a->pattern == BATCHES;
        double *in_step = &t->in_step[i][l];
        note(&t->by_pattern[i][a->pattern], over, missed);
        note(&t->by_limit[i][l], over, is_in_step ? 0 : missed);
        *in_step = is_in_step && missed > *in_step ? missed : *in_step;
        /* Months and years differ in length; a clock set back opens a fixed
         * window. The others never pass twice the limit. */
        if (over > 100 && a->pattern != STEPS
            && r->shape.algorithm != MET_LIMITER_CALENDAR_UTC) {
            fail(r, a->pattern, "admitted", r->over);
        }
        t->decisions += count;
    }
}

static void sequence(table *t, runner *runners, exact *list, size_t l,
                     uint64_t length, int pattern, uint64_t mean_cost,
                     uint64_t count)
{
    static const uint64_t starts[] = {1, 5000 * SECOND, 20454 * DAY};
    arrivals a = {.pattern = pattern, .limit = limits[l], .length = length,
                  .mean_cost = mean_cost, .latest = starts[random_below(3)]};
    uint64_t exactly = 0;
    uint64_t newest = 0;
    uint64_t done = 0;

    a.latest += random_below(length);
    exact_clear(list);
    for (size_t i = 0; i < ALGORITHMS; i++) {
        runner_start(&runners[i], a.limit, length, algorithms[i].number);
    }
    for (; done < count && a.latest < CLOCK_END; done++) {
        uint64_t now = next_arrival(&a);
        uint64_t cost = mean_cost == 1 || pattern == LOCKSTEP
                            ? mean_cost
                            : 1 + random_below(2 * mean_cost);
        cost = cost < a.limit ? cost : a.limit;
        uint64_t judged = now > newest ? now : newest;
        if (exact_sum(list, 0, judged, length) + cost <= a.limit) {
            exact_add(list, judged, cost);
            newest = judged;
            exactly++;
        }
        for (size_t i = 0; i < ALGORITHMS; i++) {
            if (runners[i].is_served) {
                arrive(&runners[i], pattern, now, cost);
            }
        }
    }
    t->arrivals += done;
    note_all(t, runners, &a, l, exactly, done);
}

static void run(table *t, uint64_t count)
{
    runner *runners = calloc(ALGORITHMS, sizeof *runners);
    exact list = {0};
    uint64_t each = count / (LIMITS * LENGTHS * PATTERNS) + 1;

    if (runners == NULL) {
        abort();
    }
    for (size_t l = 0; l < LIMITS; l++) {
        for (size_t w = 0; w < LENGTHS; w++) {
            for (int pattern = 0; pattern < PATTERNS; pattern++) {
                /* Every other length with costs; enough of them to fill some
                 * windows. */
                uint64_t least = 4 * limits[l] / each + 1;
                uint64_t mean = w % 2 == 0 ? least : least + limits[l] / 50;
                sequence(t, runners, &list, l, lengths[w], pattern, mean,
                         each);
            }
        }
    }
    /* Hit by hit, where that fills a window. */
    for (size_t l = LIMITS - 2; l < LIMITS && count / 4 > 2 * limits[l]; l++) {
        sequence(t, runners, &list, l, 60 * SECOND, POISSON_20, 1, count / 4);
    }
    for (size_t i = 0; i < ALGORITHMS; i++) {
        free(runners[i].list.times);
        free(runners[i].list.costs);
    }
    free(list.times);
    free(list.costs);
    free(runners);
}

/* --- The report ----------------------------------------------------------- */
static void print(const table *t)
{
    printf("%" PRIu64 " arrivals, %" PRIu64 " decisions\n\nMost above the "
           "limit in a true window / admitted less than the exact list\n"
           "(percent of the limit / of arrivals), worst sequence\n\n| pattern",
           t->arrivals, t->decisions);
    for (size_t i = 0; i < ALGORITHMS; i++) {
        printf(" | %s", algorithms[i].name);
    }
    printf(" |\n|---|---|---|---|---|---|\n");
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        printf("| %s", pattern_names[pattern]);
        for (size_t i = 0; i < ALGORITHMS; i++) {
            printf(" | %.4g / %.3g", t->by_pattern[i][pattern].over,
                   t->by_pattern[i][pattern].missed);
        }
        printf(" |\n");
    }
    printf("\nThe same by limit; last, of lockstep and batches\n\n| limit");
    for (size_t i = 0; i < ALGORITHMS; i++) {
        printf(" | %s", algorithms[i].name);
    }
    printf(" |\n|---|---|---|---|---|---|\n");
    for (size_t l = 0; l < LIMITS; l++) {
        printf("| %" PRIu64, limits[l]);
        for (size_t i = 0; i < ALGORITHMS; i++) {
            printf(" | %.4g / %.3g / %.3g", t->by_limit[i][l].over,
                   t->by_limit[i][l].missed, t->in_step[i][l]);
        }
        printf(" |\n");
    }
}

int main(int count, char **words)
{
    uint64_t arrivals_wanted = 2500000;
    static table t;

    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--count") == 0) {
            arrivals_wanted = strtoull(words[i + 1], NULL, 10);
        } else if (strcmp(words[i], "--seed") == 0) {
            state = strtoull(words[i + 1], NULL, 10);
        } else if (strcmp(words[i], "--plant") == 0) {
            plant = words[i + 1];
        }
    }
    run(&t, arrivals_wanted);
    print(&t);
    printf("\n%" PRIu64 " decisions break a bound\n", failures);
    return failures != 0;
}

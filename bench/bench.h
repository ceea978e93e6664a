/* Measuring: warm up, several rounds, median and spread, one JSON line a case.
 * A case is measured beside a baseline in the same run, round by round in
 * turn, so that what the machine does otherwise falls on both; the ratio is
 * the result, nanoseconds belong to the machine. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_ROUNDS 11
#define BENCH_ROUND_NS 40000000 /* one round of one case */

/* Does `count` operations. */
typedef void (*bench_run)(void *context, uint64_t count);

typedef struct bench_result {
    double median_ns; /* of one operation */
    double low_ns;    /* lower and upper quartile of the rounds */
    double high_ns;
} bench_result;

/* The clock of a program that waits for nothing: what the machine does for
 * others adds little. Of all threads together. */
#ifdef BENCH_PROCESSOR_TIME
#define BENCH_CLOCK CLOCK_PROCESS_CPUTIME_ID
#else
#define BENCH_CLOCK CLOCK_MONOTONIC
#endif

static inline uint64_t bench_ns_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t bench_now_ns(void)
{
    return bench_ns_of(BENCH_CLOCK);
}

/* Keeps the compiler from dropping what nobody reads. */
static inline void bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

/* SplitMix64: the same keys in every run. */
static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline double bench_once(bench_run run, void *context, uint64_t count)
{
    uint64_t began = bench_now_ns();

    run(context, count);
    return (double)(bench_now_ns() - began) / (double)count;
}

/* How many operations fill a round; warms up on the way. */
static inline uint64_t bench_count(bench_run run, void *context)
{
    uint64_t count = 64;

    for (;;) {
        double each = bench_once(run, context, count);
        if (each * (double)count >= BENCH_ROUND_NS / 4.0) {
            double wanted = BENCH_ROUND_NS / (each > 0.01 ? each : 0.01);
            return (uint64_t)wanted + 1;
        }
        count *= 4;
    }
}

static inline int bench_order(const void *a, const void *b)
{
    double one = *(const double *)a;
    double two = *(const double *)b;
    return (one > two) - (one < two);
}

static inline bench_result bench_summary(double rounds[BENCH_ROUNDS])
{
    qsort(rounds, BENCH_ROUNDS, sizeof rounds[0], bench_order);
    return (bench_result){rounds[BENCH_ROUNDS / 2], rounds[BENCH_ROUNDS / 4],
                          rounds[BENCH_ROUNDS - 1 - BENCH_ROUNDS / 4]};
}

/* Measures a case and its baseline (NULL: none) and prints one line:
 * {"case", "ns", "ns_low", "ns_high", "baseline"?, "baseline_ns"?, "ratio"?} */
static inline bench_result bench_case(const char *name, bench_run run,
                                      void *context, const char *baseline,
                                      bench_run baseline_run,
                                      void *baseline_context)
{
    double ours[BENCH_ROUNDS];
    double theirs[BENCH_ROUNDS];
    uint64_t count = bench_count(run, context);
    uint64_t baseline_count = baseline_run
                                  ? bench_count(baseline_run,
                                                baseline_context)
                                  : 0;

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        ours[i] = bench_once(run, context, count);
        if (baseline_run != NULL) {
            theirs[i] = bench_once(baseline_run, baseline_context,
                                   baseline_count);
        }
    }
    bench_result result = bench_summary(ours);
    printf("{\"case\": \"%s\", \"ns\": %.1f, \"ns_low\": %.1f, "
           "\"ns_high\": %.1f",
           name, result.median_ns, result.low_ns, result.high_ns);
    if (baseline_run != NULL) {
        bench_result base = bench_summary(theirs);
        printf(", \"baseline\": \"%s\", \"baseline_ns\": %.1f, "
               "\"ratio\": %.2f",
               baseline, base.median_ns, result.median_ns / base.median_ns);
    }
    printf("}\n");
    fflush(stdout);
    return result;
}

#endif

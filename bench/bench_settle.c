/* What settlement costs, durable, and what it leaves on the disk.
 *
 *     bench_settle [--series N] [--counts N] [--day-series N]
 *                  [--directory DIR]
 *
 * One line a case: "ns" is wall clock for one changed cell, waiting for the
 * disk in it, "cpu_ns" without the waiting, "cells_per_second" of one thread.
 * Every round is a minute of its own in which all series count; settlement
 * then writes a part for each of them. --counts: events of the larger of the
 * two runs (10^8 unless told), which are over the same series as the 10^6 of
 * the smaller one and are counted in turn with it. The last case is a day of
 * --day-series series that count every minute, settled once an hour. */
#include "bench.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <metering/meter.h>
#include <metering/recorder.h>
#include <metering/store.h>

#define ROUNDS 5
#define FEW 1000000u
#define MINUTE_NS INT64_C(60000000000)
#define TICK_EVERY 512u /* events that need a new cell, so that room is there */

typedef struct settling {
    met_store *store;
    met_recorder *recorder;
    met_prepared **prepared; /* one a series */
    uint64_t series;
} settling;

typedef struct spent {
    double wall_ns;
    double cpu_ns;
    uint64_t parts;
    uint64_t events;
    uint64_t transactions;
} spent;

static int64_t now_utc_ns = INT64_C(1772323200000000000); /* 2026-03-01 */

static int64_t clock_ns(void *context)
{
    (void)context;
    return now_utc_ns;
}

static void must(met_error error, const char *what)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s\n", what, met_error_name(error));
        exit(1);
    }
}

static double clock_of(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- Counting ------------------------------------------------------------- */
static void prepare(settling *s, uint64_t series)
{
    char subject[32];
    met_pair pairs[] = {{"method", 6, "GET", 3},
                        {"route", 5, "orders-list", 11},
                        {"service", 7, "orders", 6}};
    met_event event = {
        .struct_size = sizeof event,
        .type = "request",
        .type_size = 7,
        .subject = subject,
        .attributes = pairs,
        .attribute_count = 3,
    };
    met_recorder_config config = {.struct_size = sizeof config,
                                  .shapes_max = series < 32768 ? 0
                                                               : 2 * series};

    must(met_recorder_open(s->store, &config, &s->recorder, NULL), "recorder");
    s->series = series;
    s->prepared = calloc(series, sizeof *s->prepared);
    if (s->prepared == NULL) {
        exit(1);
    }
    for (uint64_t i = 0; i < series; i++) {
        snprintf(subject, sizeof subject, "customer-%08llu",
                 (unsigned long long)i);
        event.subject_size = strlen(subject);
        must(met_prepared_open(s->recorder, &event, &s->prepared[i], NULL),
             "prepared");
    }
}

static void forget(settling *s)
{
    for (uint64_t i = 0; i < s->series; i++) {
        met_prepared_close(s->prepared[i]);
    }
    free(s->prepared);
    met_recorder_close(s->recorder);
}

/* `counts` events of this minute, as many for each series. */
static void count(settling *s, uint64_t counts)
{
    uint64_t each = counts / s->series;

    for (uint64_t i = 0; i < s->series; i++) {
        if (i % TICK_EVERY == 0) {
            must(met_recorder_tick(s->recorder), "tick");
        }
        for (uint64_t k = 0; k < each; k++) {
            must(met_prepared_add(s->prepared[i], NULL, 0, now_utc_ns, NULL),
                 "add");
        }
    }
}

/* --- Settling ------------------------------------------------------------- */
static uint64_t member(const char *json, const char *name)
{
    const char *at = strstr(json, name);

    if (at == NULL) {
        fprintf(stderr, "no %s in %s\n", name, json);
        exit(1);
    }
    return strtoull(at + strlen(name), NULL, 10);
}

static spent settle(met_store *store)
{
    met_buffer report = {0};
    double wall = clock_of(CLOCK_MONOTONIC);
    double cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);

    must(met_store_settle(store, NULL, &report, NULL), "settle");
    spent found = {clock_of(CLOCK_MONOTONIC) - wall,
                   clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu,
                   member(report.data, "\"parts\":"),
                   member(report.data, "\"events\":"),
                   member(report.data, "\"transactions\":")};
    met_buffer_release(&report);
    return found;
}

static int by_wall(const void *a, const void *b)
{
    double one = ((const spent *)a)->wall_ns;
    double two = ((const spent *)b)->wall_ns;
    return (one > two) - (one < two);
}

static void tell(const char *name, uint64_t counts, spent rounds[ROUNDS])
{
    double cpu[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        cpu[i] = rounds[i].cpu_ns / (double)rounds[i].parts;
    }
    qsort(cpu, ROUNDS, sizeof *cpu, bench_order);
    qsort(rounds, ROUNDS, sizeof *rounds, by_wall);
    const spent *median = &rounds[ROUNDS / 2];
    double parts = (double)median->parts;
    printf("{\"case\": \"settle: %s, %llu events in %llu cells\", "
           "\"ns\": %.0f, \"ns_low\": %.0f, \"ns_high\": %.0f, "
           "\"cpu_ns\": %.0f, \"cells_per_second\": %.0f, "
           "\"transactions\": %llu}\n",
           name, (unsigned long long)counts,
           (unsigned long long)median->parts, median->wall_ns / parts,
           rounds[1].wall_ns / parts, rounds[ROUNDS - 2].wall_ns / parts,
           cpu[ROUNDS / 2], 1e9 * parts / median->wall_ns,
           (unsigned long long)median->transactions);
    fflush(stdout);
}

/* One round: all series count in a new minute, or again in the same. */
static spent round_of(settling *s, uint64_t counts, int is_new)
{
    now_utc_ns += is_new ? MINUTE_NS : 0;
    count(s, counts);
    spent found = settle(s->store);
    if (found.parts != s->series || found.events != counts) {
        fprintf(stderr, "%llu parts of %llu events\n",
                (unsigned long long)found.parts,
                (unsigned long long)found.events);
        exit(1);
    }
    return found;
}

static void measure(met_store *store, uint64_t series, uint64_t many)
{
    settling s = {.store = store};
    spent few[ROUNDS];
    spent more[ROUNDS];
    spent again[ROUNDS];

    prepare(&s, series);
    (void)round_of(&s, FEW, 1); /* all series enter the dictionary */
    for (int i = 0; i < ROUNDS; i++) {
        few[i] = round_of(&s, FEW, 1);
        again[i] = round_of(&s, FEW, 0);
        more[i] = round_of(&s, many, 1);
    }
    tell("new minutes", FEW, few);
    tell("new minutes", many, more);
    tell("the same minute again", FEW, again);
    forget(&s);
}

/* --- A day on the disk ---------------------------------------------------- */
static double used_bytes(const char *directory)
{
    char path[700];
    struct stat found;

    snprintf(path, sizeof path, "%s/data.mdb", directory);
    if (stat(path, &found) != 0) {
        perror(path);
        exit(1);
    }
    return (double)found.st_blocks * 512;
}

static void fill_day(met_store *store, const char *directory, uint64_t series)
{
    settling s = {.store = store};
    spent all = {0};

    prepare(&s, series);
    double before = used_bytes(directory);
    for (int minute = 0; minute < 1440; minute++) {
        now_utc_ns += MINUTE_NS;
        count(&s, series);
        if (minute % 60 == 59) {
            spent hour = settle(store);
            all.wall_ns += hour.wall_ns;
            all.cpu_ns += hour.cpu_ns;
            all.parts += hour.parts;
        }
    }
    printf("{\"case\": \"settle: a day of %llu series, every minute used, "
           "bytes on disk for one\", \"ns\": %.0f, \"ns_low\": %.0f, "
           "\"ns_high\": %.0f, \"cpu_ns\": %.0f, \"bytes\": %.0f}\n",
           (unsigned long long)series, all.wall_ns / (double)all.parts,
           all.wall_ns / (double)all.parts, all.wall_ns / (double)all.parts,
           all.cpu_ns / (double)all.parts,
           (used_bytes(directory) - before) / (double)series);
    forget(&s);
}

static int remove_entry(const char *path, const struct stat *found, int kind,
                        struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

/* A store of its own for each half, so that the day is all there is. */
static met_store *open_store(const char *path)
{
    static met_platform platform = {.struct_size = sizeof platform,
                                    .clock = {NULL, clock_ns, clock_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE,
                               .platform = &platform};
    met_store *store = NULL;
    const char *meter =
        "{\"key\":\"requests\",\"name\":\"Requests\",\"event_type\":"
        "\"request\",\"aggregation\":\"count\",\"dimensions\":{"
        "\"method\":\"$.method\",\"route\":\"$.route\","
        "\"service\":\"$.service\"}}";

    must(met_store_open(path, strlen(path), &config, &store, NULL), "store");
    must(met_meter_put(store, meter, strlen(meter), NULL, NULL), "meter");
    return store;
}

int main(int argc, char **argv)
{
    const char *directory = getenv("TMPDIR");
    uint64_t series = 10000;
    uint64_t many = 100000000;
    uint64_t day_series = 1000;
    char home[512];
    char path[600];

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--series") == 0) {
            series = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--counts") == 0) {
            many = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--day-series") == 0) {
            day_series = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--directory") == 0) {
            directory = argv[i + 1];
        }
    }
    if (series == 0 || FEW % series != 0 || many % series != 0
        || day_series == 0) {
        fprintf(stderr, "--series must divide 10^6 and --counts\n");
        return 2;
    }
    snprintf(home, sizeof home, "%s/bench-XXXXXX",
             directory ? directory : "/tmp");
    if (mkdtemp(home) == NULL) {
        perror(home);
        return 1;
    }
    snprintf(path, sizeof path, "%s/store", home);
    met_store *store = open_store(path);
    measure(store, series, many);
    met_store_close(store);
    snprintf(path, sizeof path, "%s/day", home);
    store = open_store(path);
    fill_day(store, path, day_series);
    met_store_close(store);
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* What a usage query costs over many series, each with one part an hour of
 * usage: nanoseconds of one query, row by row, of processor time. Then a month
 * of days of all series, folded, and what one subject of them costs: alone,
 * and beside an hour of parts of all, for each part.
 *
 *     bench_usage [--series N] [--directory DIR]
 *
 * A series is a subject; 10 regions. The parts are read as often as groups do
 * not fit into memory (131,072 of them do). */
#include "bench.h"

#include <ftw.h>
#include <unistd.h>

#include <metering/event.h>
#include <metering/meter.h>
#include <metering/store.h>

#define BATCH MET_INGEST_EVENTS_MAX
#define REGIONS 10
#define ROUNDS 5
#define START_NS INT64_C(1767225600000000000) /* 2026-01-01 */
#define DAY_NS INT64_C(86400000000000)
#define DAYS 31

static int64_t now_ns;

static met_ingest_event events[BATCH];
static met_pair pairs[BATCH];
static char ids[BATCH][24];
static char subjects[BATCH][24];
static char regions[REGIONS][8];

static int64_t clock_ns(void *context)
{
    (void)context;
    return now_ns;
}

static void must(met_error error, const char *what)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s\n", what, met_error_name(error));
        exit(1);
    }
}

static void put_meter(met_store *store, const char *json)
{
    must(met_meter_put(store, json, strlen(json), NULL, NULL), "meter");
}

/* One event of every series, all within an hour of a day. */
static void fill(met_store *store, uint64_t series, int64_t day)
{
    met_ingest *ingest = NULL;

    now_ns = START_NS + (day + 1) * DAY_NS;
    must(met_ingest_open(store, NULL, &ingest, NULL), "ingest");
    for (size_t i = 0; i < REGIONS; i++) {
        snprintf(regions[i], sizeof regions[i], "eu-%u", (unsigned)i);
    }
    for (uint64_t done = 0; done < series;) {
        size_t count = 0;
        for (; count < BATCH && done < series; count++, done++) {
            uint64_t mixed = done * UINT64_C(2654435761) % 4294967296u;
            snprintf(ids[count], sizeof ids[count], "%lld-%llu",
                     (long long)day, (unsigned long long)done);
            snprintf(subjects[count], sizeof subjects[count], "s%llu",
                     (unsigned long long)mixed);
            pairs[count] = (met_pair){"region", 6, regions[done % REGIONS],
                                      strlen(regions[done % REGIONS])};
            events[count] = (met_ingest_event){
                .id = ids[count],
                .id_size = strlen(ids[count]),
                .source = "bench",
                .source_size = 5,
                .type = "request",
                .type_size = 7,
                .subject = subjects[count],
                .subject_size = strlen(subjects[count]),
                .attributes = &pairs[count],
                .attribute_count = 1,
                .utc_ns = START_NS + day * DAY_NS
                          + (int64_t)(done * 3600 / series) * 1000000000,
            };
        }
        must(met_event_ingest(ingest, events, count, NULL, NULL, NULL),
             "events");
    }
    met_ingest_close(ingest);
}

static uint64_t query(met_store *store, const char *json)
{
    met_usage_cursor *cursor = NULL;
    const char *row;
    size_t size;
    uint64_t rows = 0;

    must(met_usage_query_open(store, json, strlen(json), &cursor, NULL),
         "query");
    while (met_usage_query_next(cursor, &row, &size, NULL) == MET_OK) {
        rows++;
    }
    met_usage_query_close(cursor);
    return rows;
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* per: what a query is divided by. */
static void measure(met_store *store, uint64_t series, const char *name,
                    const char *json, uint64_t per)
{
    double rounds[ROUNDS];
    uint64_t rows = 0;

    for (int i = 0; i < ROUNDS; i++) {
        double began = cpu_ns();
        rows = query(store, json);
        rounds[i] = (cpu_ns() - began) / (double)per;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, bench_order);
    printf("{\"case\": \"usage of %llu series: %s, %llu rows\", "
           "\"ns\": %.0f, \"ns_low\": %.0f, \"ns_high\": %.0f}\n",
           (unsigned long long)series, name, (unsigned long long)rows,
           rounds[ROUNDS / 2], rounds[1], rounds[ROUNDS - 2]);
    fflush(stdout);
}

/* Days 1 to 30 and the first one, each as soon as it is over. */
static void fold_month(met_store *store, uint64_t series)
{
    static const char keep[] = "{\"keep_minutes\":\"P1D\",\"keep_hours\":"
                               "\"P1D\"}";

    must(met_usage_settings_put(store, keep, sizeof keep - 1, NULL, NULL),
         "settings");
    for (int64_t day = 1; day <= DAYS + 1; day++) {
        if (day < DAYS) {
            fill(store, series, day);
        }
        now_ns = START_NS + (day + 1) * DAY_NS;
        must(met_store_compact(store, NULL, NULL, NULL), "compaction");
    }
}

static void measure_month(met_store *store, uint64_t series)
{
    static const char month[] =
        "{\"meter\":\"count\",\"window\":\"day\",\"subjects\":[\"s%llu\"],"
        "\"from\":\"2026-01-01T00:00:00Z\",\"to\":"
        "\"2026-02-02T00:00:00Z\"}";
    char json[256];

    snprintf(json, sizeof json, month,
             (unsigned long long)(series / 2 * UINT64_C(2654435761)
                                  % 4294967296u));
    fold_month(store, series);
    measure(store, series, "a month of one subject by day, folded", json, 1);
    fill(store, series, DAYS);
    measure(store, series, "each part that is not folded beside it", json,
            series);
}

static int remove_entry(const char *path, const struct stat *found, int kind,
                        struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

int main(int argc, char **argv)
{
    const char *directory = getenv("TMPDIR");
    uint64_t series = 100000;
    char home[512];
    char path[600];
    met_store *store = NULL;
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, clock_ns, clock_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .flags = MET_STORE_CREATE};

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--series") == 0) {
            series = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--directory") == 0) {
            directory = argv[i + 1];
        }
    }
    snprintf(home, sizeof home, "%s/bench-XXXXXX",
             directory ? directory : "/tmp");
    if (series == 0 || mkdtemp(home) == NULL) {
        perror(home);
        return 1;
    }
    snprintf(path, sizeof path, "%s/store", home);
    must(met_store_open(path, strlen(path), &config, &store, NULL), "store");
    put_meter(store, "{\"key\":\"count\",\"name\":\"n\",\"event_type\":"
                     "\"request\",\"aggregation\":\"count\",\"dimensions\":"
                     "{\"region\":\"$.region\"}}");
    fill(store, series, 0);
    measure(store, series, "one number", "{\"meter\":\"count\"}", 1);
    measure(store, series, "one minute of it",
            "{\"meter\":\"count\",\"from\":\"2026-01-01T00:30:00Z\","
            "\"to\":\"2026-01-01T00:31:00Z\"}",
            1);
    measure(store, series, "by region and minute",
            "{\"meter\":\"count\",\"window\":\"minute\",\"group_by\":"
            "[\"region\"]}",
            1);
    measure(store, series, "by subject",
            "{\"meter\":\"count\",\"group_by\":[\"subject\"]}", 1);
    measure(store, series, "by subject, of one region",
            "{\"meter\":\"count\",\"group_by\":[\"subject\"],\"filters\":"
            "{\"region\":{\"eq\":\"eu-3\"}}}",
            1);
    measure_month(store, series);
    met_store_close(store);
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* What a billing run costs: customers with two rate cards each, a month of
 * days of usage, folded. One JSON line: nanoseconds of processor time a
 * customer, seconds by the wall clock, and the greatest memory of the process
 * beside the store's pages.
 *
 *     bench_billing [--customers N] [--threads N] [--directory DIR] [--profile]
 *     bench_billing --customers N --fill STORE
 *     bench_billing --customers N --filled STORE [--threads N] [--profile]
 *
 * --threads: that step one run, 1 unless said. --profile: where the processor
 * time goes, step by step, on stderr. --fill only makes the store, which
 * --filled (or a copy of it) bills. */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <ftw.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <metering/metering.h>

#define APPLY_BATCH 5000
#define BATCH MET_INGEST_EVENTS_MAX
#define START_NS INT64_C(1767225600000000000) /* 2026-01-01 */
#define DAY_NS INT64_C(86400000000000)
#define DAYS 30
#define THREADS_MAX 64

static int64_t now_ns = START_NS;

static int64_t clock_ns(void *context)
{
    (void)context;
    return now_ns;
}

static void must(met_error error, const char *what,
                 const met_error_info *info)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s %s: %s\n", what, met_error_name(error),
                info ? info->field : "", info ? info->reason : "");
        exit(1);
    }
}

/* --- The store ------------------------------------------------------------ */
static const char catalog[] =
    "{\"meters\":[{\"key\":\"requests\",\"name\":\"Requests\",\"event_type\":"
    "\"call\",\"aggregation\":\"count\"},{\"key\":\"bytes\",\"name\":"
    "\"Bytes\",\"event_type\":\"call\",\"aggregation\":\"sum\","
    "\"value_property\":\"$.bytes\"}],"
    "\"features\":[{\"key\":\"requests\",\"name\":\"Requests\",\"meter\":{"
    "\"key\":\"requests\"}},{\"key\":\"bytes\",\"name\":\"Bytes\",\"meter\":"
    "{\"key\":\"bytes\"}}],"
    "\"plans\":[{\"key\":\"pro\",\"name\":\"Pro\",\"currency\":\"USD\","
    "\"billing_cadence\":\"P1M\",\"publish\":true,\"phases\":[{\"key\":"
    "\"default\",\"name\":\"Default\",\"rate_cards\":[{\"key\":\"requests\","
    "\"name\":\"Requests\",\"feature\":{\"key\":\"requests\"},"
    "\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"unit\",\"amount\":"
    "\"0.01\"}},{\"key\":\"bytes\",\"name\":\"Bytes\",\"feature\":{\"key\":"
    "\"bytes\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":"
    "\"graduated\",\"tiers\":[{\"up_to\":\"10000\",\"unit\":\"0.0001\"},{"
    "\"unit\":\"0.00005\"}]}}]}]}]}";

static void apply(met_store *store, const char *json, size_t size)
{
    met_error_info info = {.struct_size = sizeof info};

    must(met_catalog_apply(store, json, size, START_NS, MET_ALLOW_PAST, NULL,
                           &info),
         "catalog", &info);
}

static void subscribe_all(met_store *store, uint64_t customers)
{
    size_t room = (size_t)APPLY_BATCH * 240 + 100;
    char *json = malloc(room);

    if (json == NULL) {
        exit(1);
    }
    for (uint64_t done = 0; done < customers;) {
        uint64_t end = done + APPLY_BATCH < customers ? done + APPLY_BATCH
                                                      : customers;
        size_t size = 0;
        for (int part = 0; part < 2; part++) {
            size += (size_t)snprintf(json + size, room - size,
                                     part == 0 ? "{\"customers\":["
                                               : "],\"subscriptions\":[");
            for (uint64_t i = done; i < end; i++) {
                size += (size_t)snprintf(
                    json + size, room - size,
                    part == 0
                        ? "%s{\"key\":\"c%07llu\",\"name\":\"C\"}"
                        : "%s{\"customer\":{\"key\":\"c%07llu\"},\"plan\":{"
                          "\"key\":\"pro\"},\"active_from\":"
                          "\"2026-01-01T00:00:00Z\"}",
                    i > done ? "," : "", (unsigned long long)i);
            }
        }
        size += (size_t)snprintf(json + size, room - size, "]}");
        apply(store, json, size);
        done = end;
    }
    free(json);
}

/* One event of every customer. */
static void use_day(met_store *store, uint64_t customers, int64_t day)
{
    static met_ingest_event events[BATCH];
    met_quantity bytes = {.key = "bytes", .key_size = 5};
    static char ids[BATCH][24];
    static char subjects[BATCH][24];
    met_error_info info = {.struct_size = sizeof info};
    met_ingest *ingest = NULL;

    now_ns = START_NS + day * DAY_NS + DAY_NS / 2;
    must(met_decimal_parse("512", 3, &bytes.value), "512", NULL);
    must(met_ingest_open(store, NULL, &ingest, &info), "ingest", &info);
    for (uint64_t done = 0; done < customers;) {
        size_t count = 0;
        for (; count < BATCH && done < customers; count++, done++) {
            snprintf(ids[count], sizeof ids[count], "%lld-%llu",
                     (long long)day, (unsigned long long)done);
            snprintf(subjects[count], sizeof subjects[count], "c%07llu",
                     (unsigned long long)done);
            events[count] =
                (met_ingest_event){.id = ids[count],
                                   .id_size = strlen(ids[count]),
                                   .source = "bench",
                                   .source_size = 5,
                                   .type = "call",
                                   .type_size = 4,
                                   .subject = subjects[count],
                                   .subject_size = strlen(subjects[count]),
                                   .quantities = &bytes,
                                   .quantity_count = 1,
                                   .utc_ns = now_ns};
        }
        must(met_event_ingest(ingest, events, count, NULL, NULL, &info),
             "events", &info);
    }
    met_ingest_close(ingest);
}

/* Who has a plan comes last: folding usage asks for the periods of everybody
 * whose it is, which would be most of the work. */
static void fill(met_store *store, uint64_t customers)
{
    static const char keep[] = "{\"keep_minutes\":\"P1D\",\"keep_hours\":"
                               "\"P1D\"}";
    met_error_info info = {.struct_size = sizeof info};

    apply(store, catalog, sizeof catalog - 1);
    must(met_usage_settings_put(store, keep, sizeof keep - 1, NULL, &info),
         "settings", &info);
    for (int64_t day = 0; day < DAYS; day++) {
        use_day(store, customers, day);
        must(met_store_compact(store, NULL, NULL, &info), "compaction",
             &info);
    }
    subscribe_all(store, customers);
}

/* What is resident and no file's: the store's pages are the system's. */
static double anonymous_mib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    double kib = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtod(line + 8, NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib / 1024;
}

/* --- The run -------------------------------------------------------------- */
enum { PLANNING, READING, MAKING, WRITING, KINDS };

typedef struct stepper {
    pthread_t thread;
    met_billing_run *run;
    met_billing_report report;
    uint64_t spent[KINDS]; /* processor time of this thread */
    double mib;
} stepper;

/* By what has grown: the counts are of all threads, so with several of them
 * this is a guess. */
static int kind_of(const met_billing_report *before,
                   const met_billing_report *after)
{
    return after->issued != before->issued ? WRITING
           : after->usage != before->usage ? READING
           : after->customers != before->customers ? PLANNING
                                                   : MAKING;
}

static void *step_to_the_end(void *context)
{
    stepper *self = context;
    met_error_info info = {.struct_size = sizeof info};
    uint64_t steps = 0;

    while (self->report.stage != MET_BILLING_DONE) {
        met_billing_report before = self->report;
        uint64_t began = bench_ns_of(CLOCK_THREAD_CPUTIME_ID);
        must(met_billing_run_step(self->run, &self->report, &info), "step",
             &info);
        began = bench_ns_of(CLOCK_THREAD_CPUTIME_ID) - began;
        self->spent[kind_of(&before, &self->report)] += began;
        if (++steps % 16 == 0) {
            double mib = anonymous_mib();
            self->mib = mib > self->mib ? mib : self->mib;
        }
    }
    return NULL;
}

static uint64_t bill(met_store *store, int threads, int is_profiled,
                     double *mib_out)
{
    static stepper steppers[THREADS_MAX];
    met_error_info info = {.struct_size = sizeof info};
    met_billing_run *run = NULL;
    double spent[KINDS] = {0};

    now_ns = START_NS + 31 * DAY_NS + DAY_NS / 2;
    must(met_billing_run_open(store, 0, &run, &info), "run", &info);
    for (int i = 0; i < threads; i++) {
        steppers[i].run = run;
        steppers[i].report.struct_size = sizeof steppers[i].report;
        if (i > 0
            && pthread_create(&steppers[i].thread, NULL, step_to_the_end,
                              &steppers[i])
                   != 0) {
            exit(1);
        }
    }
    (void)step_to_the_end(&steppers[0]);
    for (int i = 0; i < threads; i++) {
        if (i > 0) {
            pthread_join(steppers[i].thread, NULL);
        }
        for (int kind = 0; kind < KINDS; kind++) {
            spent[kind] += (double)steppers[i].spent[kind] / 1e9;
        }
        *mib_out = steppers[i].mib > *mib_out ? steppers[i].mib : *mib_out;
    }
    met_billing_run_close(run);
    const met_billing_report *report = &steppers[0].report;
    if (is_profiled) {
        fprintf(stderr,
                "planning %.2f s, %llu records of usage %.2f s, making %.2f s, "
                "writing %.2f s; failed %llu %s\n",
                spent[PLANNING], (unsigned long long)report->usage,
                spent[READING], spent[MAKING], spent[WRITING],
                (unsigned long long)report->failed, report->failed_reason);
    }
    return report->issued;
}

static int remove_entry(const char *path, const struct stat *found, int kind,
                        struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

static met_store *open_store(const char *path, unsigned flags)
{
    static met_platform platform = {.struct_size = sizeof platform,
                                    .clock = {NULL, clock_ns, clock_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .flags = flags};
    met_error_info info = {.struct_size = sizeof info};
    met_store *store = NULL;

    must(met_store_open(path, strlen(path), &config, &store, &info), "store",
         &info);
    return store;
}

static int bill_and_say(met_store *store, uint64_t customers, int threads,
                        int is_profiled)
{
    double mib = 0;
    uint64_t began = bench_now_ns();
    uint64_t wall = bench_ns_of(CLOCK_MONOTONIC);
    uint64_t issued = bill(store, threads, is_profiled, &mib);
    double seconds = (double)(bench_ns_of(CLOCK_MONOTONIC) - wall) / 1e9;
    double each = (double)(bench_now_ns() - began) / (double)customers;

    printf("{\"case\": \"billing run of %llu customers, 2 rate cards, a month "
           "of days, by %d thread%s\", \"ns\": %.0f, \"wall_s\": %.1f, "
           "\"issued\": %llu, \"anonymous_mib\": %.0f}\n",
           (unsigned long long)customers, threads, threads > 1 ? "s" : "",
           each, seconds, (unsigned long long)issued, mib);
    met_store_close(store);
    return issued == customers ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *directory = getenv("TMPDIR");
    const char *to_fill = NULL;
    const char *filled = NULL;
    uint64_t customers = 20000;
    int is_profiled = 0;
    int threads = 1;
    char home[512];
    char path[600];

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--profile") == 0) {
            is_profiled = 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--customers") == 0) {
            customers = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--threads") == 0) {
            threads = atoi(argv[++i]);
        } else if (i + 1 < argc && strcmp(argv[i], "--directory") == 0) {
            directory = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--fill") == 0) {
            to_fill = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--filled") == 0) {
            filled = argv[++i];
        }
    }
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "--threads: 1 to %d\n", THREADS_MAX);
        return 2;
    }
    if (filled != NULL) {
        return bill_and_say(open_store(filled, 0), customers, threads,
                            is_profiled);
    }
    snprintf(home, sizeof home, "%s/bench_billing.XXXXXX",
             directory != NULL ? directory : "/tmp");
    if (to_fill == NULL && mkdtemp(home) == NULL) {
        perror(home);
        return 1;
    }
    snprintf(path, sizeof path, "%s/store", home);
    met_store *store =
        open_store(to_fill != NULL ? to_fill : path, MET_STORE_CREATE);
    fill(store, customers);
    if (to_fill != NULL) {
        met_store_close(store);
        return 0;
    }
    (void)malloc_trim(0); /* what filling took is not the run's */
    int result = bill_and_say(store, customers, threads, is_profiled);
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return result;
}

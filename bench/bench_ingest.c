/* What taking in an event with an id costs, durable, in batches: duplicate
 * check, usage and commit; beside the least there could be, the ids alone
 * appended to a file and flushed batch by batch.
 *
 *     bench_ingest [--known N] [--batch N] [--directory DIR]
 *
 * "cpu_ns" is what the process used, kernel included, without waiting.
 * --known: ids that are remembered before it begins. The directory must be on
 * the disk that is meant: in memory a flush costs nothing. */
#include "bench.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include <metering/event.h>
#include <metering/meter.h>
#include <metering/store.h>

#define BATCH_MAX MET_INGEST_EVENTS_MAX
#define SUBJECTS 1000
#define BATCHES 20 /* of a round */

typedef struct taking {
    met_ingest *ingest;
    uint32_t batch; /* events */
    int is_again;   /* sends ids that are known */
    uint64_t next;
    uint64_t state;
    int64_t now_ns;
    int file;
    int reserved;
} taking;

static met_ingest_event events[BATCH_MAX];
static met_pair pairs[BATCH_MAX][3];
static met_quantity quantities[BATCH_MAX];
static char ids[BATCH_MAX][40];
static char subjects[BATCH_MAX][16];

static void must(met_error error, const char *what)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s\n", what, met_error_name(error));
        exit(1);
    }
}

static void put_hex(char *out, uint64_t value, int digits)
{
    for (int i = 0; i < digits; i++) {
        out[i] = "0123456789abcdef"[value >> (4 * i) & 15];
    }
}

static void prepare(int64_t now_ns)
{
    for (size_t i = 0; i < BATCH_MAX; i++) {
        memcpy(ids[i], "0190c0de-0000-7000-8000-000000000000", 37);
        memcpy(subjects[i], "customer-0000", 14);
        pairs[i][0] = (met_pair){"method", 6, "GET", 3};
        pairs[i][1] = (met_pair){"route", 5, "orders-list", 11};
        pairs[i][2] = (met_pair){"service", 7, "orders", 6};
        quantities[i] = (met_quantity){.key = "bytes", .key_size = 5};
        must(met_decimal_parse("1234.5", 6, &quantities[i].value), "decimal");
        events[i] = (met_ingest_event){
            .id = ids[i],
            .id_size = 36,
            .source = "//gateway/eu-west-1",
            .source_size = 19,
            .type = "request",
            .type_size = 7,
            .subject = subjects[i],
            .subject_size = 13,
            .attributes = pairs[i],
            .attribute_count = 3,
            .quantities = &quantities[i],
            .quantity_count = 1,
            .utc_ns = now_ns,
        };
    }
}

/* One batch of the next ids. */
static void take(taking *t, uint32_t count)
{
    static met_event_verdict verdicts[BATCH_MAX];
    uint32_t wanted = t->is_again ? MET_VERDICT_DUPLICATE
                                  : MET_VERDICT_ACCEPTED;

    for (uint32_t i = 0; i < count; i++) {
        put_hex(ids[i] + 20, t->next++, 16);
        put_hex(subjects[i] + 9, bench_random(&t->state) % SUBJECTS, 4);
    }
    must(met_event_ingest(t->ingest, events, count, NULL, verdicts, NULL),
         "ingest");
    for (uint32_t i = 0; i < count; i++) {
        if (verdicts[i].verdict != wanted) {
            fprintf(stderr, "%s: %s\n", verdicts[i].field,
                    verdicts[i].reason);
            exit(1);
        }
    }
}

static void ingest(void *context, uint64_t count)
{
    taking *t = context;

    for (; count > 0;) {
        uint32_t some = count < t->batch ? (uint32_t)count : t->batch;
        take(t, some);
        count -= some;
    }
}

static void ingest_again(void *context, uint64_t count)
{
    taking *t = context;

    t->next -= count;
    t->is_again = 1;
    ingest(t, count);
    t->is_again = 0;
}

static void append(void *context, uint64_t count)
{
    static char bytes[BATCH_MAX * 16];
    taking *t = context;

    for (; count > 0;) {
        uint64_t some = count < t->batch ? count : t->batch;
        if (write(t->file, bytes, some * 16) != (ssize_t)(some * 16)
            || fdatasync(t->file) != 0) {
            exit(1);
        }
        count -= some;
    }
}

static int remove_entry(const char *path, const struct stat *found, int kind,
                        struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

/* One event through a new handle: what finding the index, or not finding it,
 * adds to it. */
static void measure_open(taking *t, met_store *store, const char *what)
{
    met_ingest_close(t->ingest);
    must(met_ingest_open(store, NULL, &t->ingest, NULL), "open");
    uint64_t began = bench_now_ns();
    take(t, 1);
    printf("{\"case\": \"ingest: first event, %llu known ids, %s\", "
           "\"ns\": %llu, \"ns_low\": 0, \"ns_high\": 0}\n",
           (unsigned long long)t->next - 1, what,
           (unsigned long long)(bench_now_ns() - began));
    fflush(stdout);
}

static uint64_t option(int argc, char **argv, const char *name,
                       uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return strtoull(argv[i + 1], NULL, 10);
        }
    }
    return otherwise;
}

/* As bench_case, in whole batches: a flush is not divided. */
static void measure(taking *t, const char *what, bench_run run,
                    uint64_t known)
{
    double ours[BENCH_ROUNDS];
    double theirs[BENCH_ROUNDS];
    struct timespec cpu[2];
    uint64_t count = (uint64_t)t->batch * BATCHES;
    double used = 0;

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]);
        ours[i] = bench_once(run, t, count);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]);
        used += (double)(cpu[1].tv_sec - cpu[0].tv_sec) * 1e9
                + (double)(cpu[1].tv_nsec - cpu[0].tv_nsec);
        theirs[i] = bench_once(append, t, count);
    }
    bench_result result = bench_summary(ours);
    bench_result base = bench_summary(theirs);
    printf("{\"case\": \"ingest: %s, batches of %u, %llu known ids\", "
           "\"ns\": %.1f, \"ns_low\": %.1f, \"ns_high\": %.1f, "
           "\"cpu_ns\": %.1f, \"baseline\": \"16 bytes each, a flush a "
           "batch\", \"baseline_ns\": %.1f, \"ratio\": %.2f}\n",
           what, t->batch, (unsigned long long)known, result.median_ns,
           result.low_ns, result.high_ns,
           used / BENCH_ROUNDS / (double)count, base.median_ns,
           result.median_ns / base.median_ns);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const char meters[2][256] = {
        "{\"key\":\"requests\",\"name\":\"R\",\"event_type\":\"request\","
        "\"aggregation\":\"count\",\"dimensions\":{\"method\":\"$.method\","
        "\"route\":\"$.route\",\"service\":\"$.service\"}}",
        "{\"key\":\"bytes\",\"name\":\"B\",\"event_type\":\"request\","
        "\"aggregation\":\"sum\",\"value_property\":\"$.bytes\"}"};
    uint64_t known = option(argc, argv, "--known", 100000);
    uint32_t batch = (uint32_t)option(argc, argv, "--batch", 1000);
    const char *base = "/var/tmp";
    char home[512];
    char path[600];
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
    met_store *store = NULL;
    taking t = {.state = 1, .now_ns = (int64_t)time(NULL) * 1000000000};

    for (int i = 1; i + 1 < argc; i++) {
        base = strcmp(argv[i], "--directory") == 0 ? argv[i + 1] : base;
    }
    snprintf(home, sizeof home, "%s/bench-ingest-XXXXXX", base);
    if (batch == 0 || batch > BATCH_MAX || mkdtemp(home) == NULL) {
        fprintf(stderr, "%s\n", batch == 0 ? "--batch" : home);
        return 2;
    }
    snprintf(path, sizeof path, "%s/ids", home);
    t.file = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
    snprintf(path, sizeof path, "%s/store", home);
    must(met_store_open(path, strlen(path), &config, &store, NULL), "store");
    for (size_t i = 0; i < 2; i++) {
        must(met_meter_put(store, meters[i], strlen(meters[i]), NULL, NULL),
             "meter");
    }
    prepare(t.now_ns);
    must(met_ingest_open(store, NULL, &t.ingest, NULL), "open");
    for (t.batch = BATCH_MAX; t.next < known;) {
        ingest(&t, known - t.next < BATCH_MAX ? known - t.next : BATCH_MAX);
    }
    t.batch = batch;
    measure(&t, "new events", ingest, known);
    measure(&t, "duplicates", ingest_again, known);
    measure_open(&t, store, "index there");
    snprintf(path, sizeof path, "%s/store/dedupe.map", home);
    unlink(path);
    measure_open(&t, store, "index built anew");
    met_ingest_close(t.ingest);
    met_store_close(store);
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

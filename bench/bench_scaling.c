/* What grows, and how the cost grows with it: threads that decide at once, live
 * keys, windows of a policy, tiers of a price, usage that is settled and asked
 * for; and bytes a live key and a shape of usage take. Every line names its
 * place in a picture ("plot", "series", "at"); bench/run --report draws them.
 * Processor time, of all threads together: what does not rise with the threads
 * goes on at once. In memory. */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <metering/metering.h>

#define KEYS_MAX (UINT64_C(1) << 20)
#define THREADS_MAX 4
#define KEY_SIZE 16

static char home[] = "/dev/shm/bench-scaling-XXXXXX";
static char path[128];

static void must(met_error error, const char *what)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s\n", what, met_error_name(error));
        exit(1);
    }
}

static void say(const char *plot, const char *series, uint64_t at,
                double rounds[BENCH_ROUNDS])
{
    bench_result result = bench_summary(rounds);

    printf("{\"case\": \"scaling: %s, %s, %llu\", \"ns\": %.1f, "
           "\"ns_low\": %.1f, \"ns_high\": %.1f, \"plot\": \"%s\", "
           "\"series\": \"%s\", \"at\": %llu}\n",
           plot, series, (unsigned long long)at, result.median_ns,
           result.low_ns, result.high_ns, plot, series,
           (unsigned long long)at);
    fflush(stdout);
}

static void say_bytes(const char *series, uint64_t at, double bytes)
{
    printf("{\"case\": \"scaling: memory, %s, %llu\", \"ns\": 0, \"ns_low\": "
           "0, \"ns_high\": 0, \"bytes_each\": %.1f, \"plot\": \"memory\", "
           "\"series\": \"%s\", \"at\": %llu}\n",
           series, (unsigned long long)at, bytes, series,
           (unsigned long long)at);
    fflush(stdout);
}

/* What a file takes of the memory or the disk. */
static double taken(const char *name)
{
    char file[160];
    struct stat found;

    snprintf(file, sizeof file, "%s/%s", home, name);
    return stat(file, &found) == 0 ? (double)found.st_blocks * 512 : 0;
}

/* --- Decisions ------------------------------------------------------------ */
typedef struct worker {
    met_limiter *limiter; /* NULL: adds to a word that all share */
    uint32_t policy;
    uint64_t first; /* of its keys */
    uint64_t keys;
    uint64_t random;
    uint64_t count;
} worker;

static uint64_t shared_word;

static void *work(void *context)
{
    worker *self = context;
    char key[KEY_SIZE] = "";
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = self->policy, .key = key,
                                   .key_size = KEY_SIZE,
                                   .flags = MET_LIMITER_BRIEF};
    met_limiter_result result = {.struct_size = sizeof result};

    for (uint64_t i = 0; i < self->count; i++) {
        if (self->limiter == NULL) {
            __atomic_fetch_add(&shared_word, 1, __ATOMIC_ACQ_REL);
            continue;
        }
        uint64_t number =
            self->first + bench_random(&self->random) % self->keys;
        memcpy(key, &number, sizeof number);
        must(met_limiter_check(self->limiter, &request, &result), "check");
    }
    return NULL;
}

/* All threads together make count decisions. */
typedef struct crew {
    worker workers[THREADS_MAX];
    uint32_t threads;
} crew;

static void run_crew(void *context, uint64_t count)
{
    crew *self = context;
    pthread_t threads[THREADS_MAX];

    for (uint32_t i = 0; i < self->threads; i++) {
        self->workers[i].count = count / self->threads + 1;
        if (i > 0 && pthread_create(&threads[i], NULL, work,
                                    &self->workers[i]) != 0) {
            abort();
        }
    }
    work(&self->workers[0]);
    for (uint32_t i = 1; i < self->threads; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void measure(const char *plot, const char *series, uint64_t at,
                    bench_run run, void *context)
{
    double rounds[BENCH_ROUNDS];
    uint64_t count = bench_count(run, context);

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        rounds[i] = bench_once(run, context, count);
    }
    say(plot, series, at, rounds);
}

static met_limiter *open_limiter(uint64_t capacity, uint64_t limit,
                                 size_t windows, uint32_t *policy_out)
{
    met_limiter_config config = {.struct_size = sizeof config, .path = path,
                                 .capacity = capacity};
    met_limiter_window all[MET_LIMITER_WINDOWS_MAX];
    met_limiter_policy policy = {.struct_size = sizeof policy, .name = "p",
                                 .name_size = 1, .windows = all,
                                 .window_count = windows};
    met_limiter *limiter = NULL;

    snprintf(path, sizeof path, "%s/limits.map", home);
    unlink(path);
    for (size_t i = 0; i < windows; i++) {
        all[i] = (met_limiter_window){
            .limit = limit, .window_ns = (int64_t)(i + 1) * 1000000};
    }
    must(met_limiter_open(&config, &limiter, NULL), "limiter");
    must(met_limiter_policy_set(limiter, &policy, policy_out, NULL),
         "policy");
    return limiter;
}

static void measure_threads(void)
{
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads *= 2) {
        for (int kind = 0; kind < 3; kind++) {
            static const char *const names[] = {
                "keys of their own", "one key", "a bare fetch_add"};
            crew all = {.threads = threads};
            uint32_t policy = 0;
            met_limiter *limiter = open_limiter(1 << 14, 1 << 20, 1, &policy);
            for (uint32_t i = 0; i < threads; i++) {
                all.workers[i] = (worker){
                    .limiter = kind == 2 ? NULL : limiter, .policy = policy,
                    .first = kind == 0 ? i * 1024 : 0,
                    .keys = kind == 0 ? 1024 : 1, .random = i};
            }
            measure("threads", names[kind], threads, run_crew, &all);
            met_limiter_close(limiter);
        }
    }
}

static void measure_keys(void)
{
    for (uint64_t keys = 1 << 10; keys <= KEYS_MAX; keys *= 4) {
        crew one = {.threads = 1};
        uint32_t policy = 0;
        /* A sixth of the room is left; every key lives as long as this does. */
        met_limiter *limiter = open_limiter(keys * 6 / 5, 24, 1, &policy);
        one.workers[0] = (worker){.limiter = limiter, .policy = policy,
                                  .keys = keys};
        measure("keys", "one window", keys, run_crew, &one);
        say_bytes("the limiter's table, a live key", keys,
                  taken("limits.map") / (double)keys);
        met_limiter_close(limiter);
    }
}

static void measure_windows(void)
{
    for (uint64_t windows = 1; windows <= MET_LIMITER_WINDOWS_MAX;
         windows++) {
        crew one = {.threads = 1};
        uint32_t policy = 0;
        met_limiter *limiter =
            open_limiter(1 << 14, 1000, (size_t)windows, &policy);
        one.workers[0] = (worker){.limiter = limiter, .policy = policy,
                                  .keys = 1024};
        measure("work", "decision, windows of its policy", windows, run_crew,
                &one);
        met_limiter_close(limiter);
    }
}

/* --- Prices --------------------------------------------------------------- */
#define BATCH 256

typedef struct rated {
    met_price *price;
    met_decimal quantities[BATCH];
    met_decimal totals[BATCH];
} rated;

static void rate(void *context, uint64_t count)
{
    rated *self = context;

    for (uint64_t done = 0; done < count; done += BATCH) {
        must(met_price_rate_batch(self->price, self->quantities, BATCH,
                                  self->totals, NULL),
             "rate");
    }
}

static void measure_tiers(void)
{
    static rated all;
    static char json[32768];
    char number[32];

    for (uint64_t tiers = 1; tiers <= 64; tiers *= 4) {
        size_t size = (size_t)snprintf(json, sizeof json,
                                       "{\"type\":\"graduated\",\"tiers\":[");
        for (uint64_t i = 1; i < tiers; i++) {
            size += (size_t)snprintf(
                json + size, sizeof json - size,
                "{\"up_to\":\"%llu\",\"unit\":\"0.0%03llu\"},",
                (unsigned long long)i * 100, (unsigned long long)(300 - i));
        }
        size += (size_t)snprintf(json + size, sizeof json - size,
                                 "{\"unit\":\"0.001\"}]}");
        must(met_price_create(json, size, NULL, &all.price, NULL), "price");
        for (uint64_t i = 0; i < BATCH; i++) {
            int length = snprintf(number, sizeof number, "%llu",
                                  (unsigned long long)(i * tiers * 100
                                                       / BATCH));
            must(met_decimal_parse(number, (size_t)length,
                                   &all.quantities[i]),
                 "quantity");
        }
        measure("work", "total of a price, its tiers", tiers, rate, &all);
        met_price_destroy(all.price);
    }
}

/* --- Usage ---------------------------------------------------------------- */
static int64_t now_ns(void *context)
{
    (void)context;
    return INT64_C(1767225630000000000) + (int64_t)shared_word;
}

static void count_usage(met_recorder *recorder, uint64_t subjects)
{
    char text[24];
    met_event event = {.struct_size = sizeof event, .type = "call",
                       .type_size = 4, .subject = text};

    for (uint64_t i = 0; i < subjects; i++) {
        event.subject_size = (size_t)snprintf(text, sizeof text, "s%llu",
                                              (unsigned long long)i);
        must(met_recorder_add(recorder, &event, NULL), "add");
    }
}

static void next_minute(met_recorder *recorder)
{
    shared_word += UINT64_C(120000000000);
    must(met_recorder_tick(recorder), "tick");
}

/* Every minute each of so many subjects is used once. */
static void measure_usage(uint64_t subjects)
{
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, now_ns, now_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE,
                               .platform = &platform};
    met_recorder_config shapes = {.struct_size = sizeof shapes,
                                  .shapes_max = subjects * 4};
    static const char meter[] =
        "{\"key\":\"calls\",\"name\":\"C\",\"event_type\":\"call\","
        "\"aggregation\":\"count\"}";
    static const char query[] =
        "{\"meter\":\"calls\",\"group_by\":[\"subject\"]}";
    double settled[BENCH_ROUNDS];
    double asked[BENCH_ROUNDS];
    char name[64];
    met_store *store = NULL;
    met_recorder *recorder = NULL;
    met_buffer out = {0};

    snprintf(name, sizeof name, "store%llu", (unsigned long long)subjects);
    snprintf(path, sizeof path, "%s/%s", home, name);
    must(met_store_open(path, strlen(path), &config, &store, NULL), "store");
    must(met_meter_put(store, meter, sizeof meter - 1, NULL, NULL), "meter");
    must(met_recorder_open(store, &shapes, &recorder, NULL), "recorder");
    count_usage(recorder, subjects); /* places are found once */
    next_minute(recorder);
    must(met_store_settle(store, NULL, NULL, NULL), "settle");
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        next_minute(recorder);
        count_usage(recorder, subjects);
        uint64_t began = bench_now_ns();
        must(met_store_settle(store, NULL, NULL, NULL), "settle");
        settled[i] = (double)(bench_now_ns() - began) / (double)subjects;
        began = bench_now_ns();
        must(met_usage_query(store, query, sizeof query - 1, &out, NULL),
             "query");
        asked[i] = (double)(bench_now_ns() - began) / (double)subjects;
        met_buffer_release(&out);
    }
    say("work", "settling a subject, of so many", subjects, settled);
    say("work", "a row of a query, of so many", subjects, asked);
    strcat(name, "/tally/0000.map");
    say_bytes("a recorder's file, a shape", subjects,
              taken(name) / (double)subjects);
    met_recorder_close(recorder);
    met_store_close(store);
}

static int remove_entry(const char *entry, const struct stat *found, int kind,
                        struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(entry);
}

int main(void)
{
    if (mkdtemp(home) == NULL) {
        return 1;
    }
    measure_threads();
    measure_keys();
    measure_windows();
    measure_tiers();
    for (uint64_t subjects = 100; subjects <= 6400; subjects *= 4) {
        measure_usage(subjects);
    }
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

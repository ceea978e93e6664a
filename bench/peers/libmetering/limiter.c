/* Our own limiter, asked as the peers are: the library reads the clock unless
 * a case says that the time is given. */
#include "../peer.h"

#include <pthread.h>

#include <metering/metering.h>

#define KEY_SIZE 24
#define MS INT64_C(1000000)
#define MINUTE (60000 * MS)
#define HOUR (60 * MINUTE)
#define THREADS_MAX 2
#define CASES_MAX 64
#define BATCH 16

typedef struct load {
    met_limiter_window windows[2];
    size_t window_count;
    uint64_t keys;
    int threads;
    int is_batch;
    int64_t step; /* of the time that is given; 0: the library's clock */
    met_limiter *limiter;
    void *memory;
    uint32_t policy;
} load;

typedef struct worker {
    load *load;
    pthread_barrier_t *barrier;
    uint64_t random;
    uint64_t count;
    uint64_t allowed;
    int64_t now;
} worker;

static char *key_text; /* KEY_SIZE bytes a key */
static peer_case cases[CASES_MAX];
static load loads[CASES_MAX];
static size_t case_count;

static void must(int is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void decide(worker *w, uint64_t first, uint64_t count, int is_filling)
{
    const load *l = w->load;
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = l->policy,
                                   .kind = 1,
                                   .key_size = KEY_SIZE,
                                   .flags = MET_LIMITER_BRIEF};
    uint64_t mask = l->keys - 1;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = is_filling ? first + i
                                    : bench_random(&w->random) & mask;
        request.key = key_text + which * KEY_SIZE;
        w->now += l->step;
        request.monotonic_ns = l->step != 0 ? w->now : 0;
        request.utc_ns = request.monotonic_ns;
        if (met_limiter_check(l->limiter, &request, &result) != MET_OK) {
            exit(1);
        }
        w->allowed += result.is_allowed;
    }
}

/* Keys are gathered in one buffer, as a gateway would that reads requests from
 * many connections. */
static void decide_batches(worker *w, uint64_t count)
{
    const load *l = w->load;
    char keys[BATCH * KEY_SIZE];
    uint32_t offsets[BATCH + 1];
    uint32_t is_allowed[BATCH];
    met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts,
                                     .is_allowed = is_allowed};
    met_limiter_batch batch = {.struct_size = sizeof batch,
                               .keys = keys,
                               .key_offsets = offsets,
                               .policy = l->policy,
                               .kind = 1};

    for (uint32_t i = 0; i <= BATCH; i++) {
        offsets[i] = i * KEY_SIZE;
    }
    for (uint64_t done = 0; done < count; done += batch.count) {
        batch.count = count - done < BATCH ? (size_t)(count - done) : BATCH;
        for (size_t i = 0; i < batch.count; i++) {
            uint64_t which = bench_random(&w->random) & (l->keys - 1);
            memcpy(keys + i * KEY_SIZE, key_text + which * KEY_SIZE,
                   KEY_SIZE);
        }
        must(met_limiter_check_batch(l->limiter, &batch, &verdicts, NULL)
                 == MET_OK,
             "batch");
        for (size_t i = 0; i < batch.count; i++) {
            w->allowed += is_allowed[i];
        }
    }
}

static void *run_worker(void *context)
{
    worker *w = context;

    pthread_barrier_wait(w->barrier);
    if (w->load->is_batch) {
        decide_batches(w, w->count);
    } else {
        decide(w, 0, w->count, 0);
    }
    return NULL;
}

/* Room for four times the keys and windows, every key once: rounds measure
 * known keys and no page faults. */
static void prepare(load *l, worker *w)
{
    size_t records = l->keys * l->window_count * 4 + 4096;
    size_t size = records * 66 + ((size_t)1 << 21);
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "peer",
                                 .name_size = 4,
                                 .windows = l->windows,
                                 .window_count = l->window_count};
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory_size = size};

    l->memory = aligned_alloc(64, (size + 63) / 64 * 64);
    must(l->memory != NULL, "no memory");
    memset(l->memory, 0, size);
    config.memory = l->memory;
    must(met_limiter_open(&config, &l->limiter, NULL) == MET_OK, "open");
    must(met_limiter_policy_set(l->limiter, &policy, &l->policy, NULL)
             == MET_OK,
         "policy");
    decide(w, 0, l->keys, 1);
}

static double run_case(const peer_case *c, uint64_t count,
                       uint64_t *allowed_out)
{
    static worker workers[CASES_MAX][THREADS_MAX];
    load *l = c->context;
    worker *mine = workers[l - loads];
    pthread_barrier_t barrier;
    pthread_t threads[THREADS_MAX];

    if (l->limiter == NULL) {
        mine[0] = (worker){.load = l, .random = 1, .now = HOUR};
        mine[1] = (worker){.load = l, .random = 2, .now = HOUR};
        prepare(l, &mine[0]);
    }
    pthread_barrier_init(&barrier, NULL, (unsigned)l->threads + 1);
    for (int i = 0; i < l->threads; i++) {
        mine[i].barrier = &barrier;
        mine[i].count = count;
        mine[i].allowed = 0;
        must(pthread_create(&threads[i], NULL, run_worker, &mine[i]) == 0,
             "thread");
    }
    pthread_barrier_wait(&barrier);
    uint64_t began = peer_cpu_ns();
    *allowed_out = 0;
    for (int i = 0; i < l->threads; i++) {
        pthread_join(threads[i], NULL);
        *allowed_out += mine[i].allowed;
    }
    double took = (double)(peer_cpu_ns() - began) / l->threads;
    pthread_barrier_destroy(&barrier);
    *allowed_out /= (uint64_t)l->threads;
    return took;
}

static load one(met_limiter_window window, uint64_t keys, int threads,
                int64_t step)
{
    return (load){.windows = {window},
                  .window_count = 1,
                  .keys = keys,
                  .threads = threads,
                  .step = step};
}

static load two(met_limiter_window first, met_limiter_window second,
                uint64_t keys, int64_t step)
{
    return (load){.windows = {first, second},
                  .window_count = 2,
                  .keys = keys,
                  .threads = 1,
                  .step = step};
}

static load batches(load what)
{
    what.is_batch = 1;
    return what;
}

static void add(const char *name, const char *who, const char *more,
                load what)
{
    must(case_count < CASES_MAX, "too many cases");
    loads[case_count] = what;
    cases[case_count] = (peer_case){name, who, more, run_case, NULL,
                                    &loads[case_count]};
    case_count++;
}

#define BASE ", \"is_base\": true"
#define WIDE ", \"cpus\": 2"
#define REFUSES ", \"refuses\": true"
#define STRICT MET_LIMITER_SLIDING
#define ONE "libmetering"
#define TWO "libmetering, 2 windows"

#define WINDOW(limit, length, algorithm) \
    (met_limiter_window){limit, length, algorithm, 0, {0}}

/* Limits that nobody reaches, with the clock of the library: the greatest one
 * in so short a window that no processor asks faster. */
#define FREE(algorithm) WINDOW(1048576, 10 * MS, algorithm)
#define FREE_LONGER(algorithm) WINDOW(1048576, 20 * MS, algorithm)
/* Half of what would use the limit of a minute up. */
#define STEP(limit) (2 * MINUTE / (limit) + 1)
#define PER_MINUTE(limit, algorithm) WINDOW(limit, MINUTE, algorithm)
#define PER_HOUR(limit, algorithm) WINDOW(limit, HOUR, algorithm)

/* The strict window, alone and two of them; the bases of all ratios. */
static void add_bases(uint64_t keys)
{
    add("one key", ONE, BASE, one(FREE(STRICT), 1, 1, 0));
    add("one key", TWO, BASE,
        two(FREE(STRICT), FREE_LONGER(STRICT), 1, 0));
    add("one key, time given", ONE, BASE,
        one(PER_MINUTE(1000, STRICT), 1, 1, STEP(1000)));
    add("one key, time given", TWO, BASE,
        two(PER_MINUTE(1000, STRICT), PER_HOUR(60000, STRICT), 1, STEP(1000)));
    add("many keys", ONE, BASE,
        one(PER_MINUTE(1000, STRICT), keys, 1, 0));
    add("many keys", TWO, BASE,
        two(PER_MINUTE(1000, STRICT), PER_HOUR(60000, STRICT), keys, 0));
    add("one key, refused", ONE, BASE REFUSES,
        one(PER_HOUR(5, STRICT), 1, 1, 0));
    add("one key, refused", TWO, BASE REFUSES,
        two(PER_HOUR(5, STRICT), PER_MINUTE(1000, STRICT), 1, 0));
    add("one key, 2 threads", ONE, BASE WIDE,
        one(FREE(STRICT), 1, 2, 0));
    add("many keys, 2 threads", ONE, BASE WIDE,
        one(PER_MINUTE(1000, STRICT), keys, 2, 0));
    add("one key, refused, 2 threads", ONE, BASE WIDE REFUSES,
        one(PER_HOUR(5, STRICT), 1, 2, 0));
}

/* The others beside it, and the exact log that serves small limits. */
static void add_algorithms(uint64_t keys)
{
    static const struct {
        const char *who;
        uint32_t number;
    } algorithms[] = {{ONE ", sliding_counter", MET_LIMITER_SLIDING_COUNTER},
                      {ONE ", fixed_epoch", MET_LIMITER_FIXED_EPOCH},
                      {ONE ", gcra", MET_LIMITER_GCRA}};

    add("one key, time given", ONE ", 20 a minute", "",
        one(PER_MINUTE(20, STRICT), 1, 1, STEP(20)));
    add("many keys", ONE ", 20 a minute", "",
        one(PER_MINUTE(20, STRICT), keys, 1, 0));
    add("one key", ONE ", batches of 16", "",
        batches(one(FREE(STRICT), 1, 1, 0)));
    add("many keys", ONE ", batches of 16", "",
        batches(one(PER_MINUTE(1000, STRICT), keys, 1, 0)));
    add("many keys", TWO ", batches of 16", "",
        batches(two(PER_MINUTE(1000, STRICT), PER_HOUR(60000, STRICT), keys,
                    0)));
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        const char *who = algorithms[i].who;
        uint32_t number = algorithms[i].number;
        add("one key", who, "", one(FREE(number), 1, 1, 0));
        add("one key, time given", who, "",
            one(PER_MINUTE(1000, number), 1, 1, STEP(1000)));
        add("many keys", who, "",
            one(PER_MINUTE(1000, number), keys, 1, 0));
        add("one key, refused", who, REFUSES,
            one(PER_HOUR(5, number), 1, 1, 0));
    }
}

int main(void)
{
    uint64_t keys = peer_option("BENCH_KEYS", UINT64_C(1) << 20);

    key_text = malloc(keys * KEY_SIZE);
    must(key_text != NULL && keys > 0 && (keys & (keys - 1)) == 0, "keys");
    for (uint64_t i = 0; i < keys; i++) {
        char text[KEY_SIZE + 1];
        snprintf(text, sizeof text, "consumer:%015u", (unsigned)i);
        memcpy(key_text + i * KEY_SIZE, text, KEY_SIZE);
    }
    add_bases(keys);
    add_algorithms(keys);
    return peer_serve(cases, case_count);
}

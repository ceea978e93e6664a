/* What a rate limit decision costs: every algorithm, one and two windows, one
 * hot key and a million, refusals, two threads, batches, clocks. Beside it what
 * it cannot beat: a bare fetch_add where all is in the cache, two reads that
 * wait for each other where nothing is; and what a host would write itself, a
 * mutex around a hash map of GCRA states, for one process only. */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <pthread.h>

#include <metering/limiter.h>

#define KEYS (UINT32_C(1) << 20) /* a power of two */
#define KEY_SIZE 24
#define MINUTE INT64_C(60000000000)
#define CAPACITY (KEYS / 2 * 5) /* two windows fill four fifths of it */
#define FAR_LINES (KEYS * 2)
#define BATCH 16

/* --- Keys: made in place, so that reading them is not what is measured ---- */
#define DIGITS 1024 /* of one half of a key's number */

static char digits[DIGITS][4];

static void make_digits(void)
{
    for (unsigned i = 0; i < DIGITS; i++) {
        for (unsigned at = 0; at < 4; at++) {
            digits[i][3 - at] = (char)('a' + (i >> (3 * at) & 7));
        }
    }
}

/* The number with one store, as wide as it will be read. */
static void write_key(char *key, uint64_t number)
{
    char text[8];

    memcpy(text, digits[number / DIGITS % DIGITS], 4);
    memcpy(text + 4, digits[number % DIGITS], 4);
    memcpy(key + KEY_SIZE - 8, text, 8);
}

typedef struct load {
    met_limiter *limiter;
    uint32_t policy;
    uint32_t flags;
    struct gcra_map *map; /* NULL: ours */
    uint64_t key_mask; /* 0: one hot key */
    uint64_t random;
    int64_t now;
    int64_t step; /* of the clock between two requests */
    int64_t time_mask; /* 0: the library reads the clock */
    uint64_t allowed;
    uint64_t asked;
    char key[BATCH * KEY_SIZE + 1];
} load;

static void next(load *l, char *key)
{
    l->now += l->step;
    write_key(key, bench_random(&l->random) & l->key_mask);
}

/* --- Baselines ------------------------------------------------------------ */
static uint64_t shared_word;
static uint64_t *far_memory; /* FAR_LINES lines, about as many as records */

static void run_fetch_add(void *context, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        __atomic_fetch_add(&shared_word, 1, __ATOMIC_ACQ_REL);
    }
}

/* The second one's place is only known after the first. */
static void run_two_reads(void *context, uint64_t count)
{
    load *l = context;
    uint64_t found = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = (bench_random(&l->random) + found) & (FAR_LINES - 1);
        at = far_memory[at * 8] & (FAR_LINES - 1);
        found = far_memory[at * 8];
    }
    bench_keep(found);
}

/* Mutex, FNV-1a, open addressing, GCRA with burst = limit. */
#define SLOTS (KEYS * 2)

typedef struct gcra_slot {
    char key[KEY_SIZE];
    uint64_t arrival_ns; /* theoretical arrival time; 0: free */
} gcra_slot;

typedef struct gcra_map {
    pthread_mutex_t mutex;
    gcra_slot *slots;
    uint64_t limit;
} gcra_map;

static int gcra_check(gcra_map *map, const char *key, uint64_t now)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    uint64_t emission = (uint64_t)MINUTE / map->limit;
    int is_allowed;

    for (int i = 0; i < KEY_SIZE; i++) {
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    }
    pthread_mutex_lock(&map->mutex);
    uint64_t at = hash & (SLOTS - 1);
    while (map->slots[at].arrival_ns != 0
           && memcmp(map->slots[at].key, key, KEY_SIZE) != 0) {
        at = (at + 1) & (SLOTS - 1);
    }
    gcra_slot *slot = &map->slots[at];
    if (slot->arrival_ns == 0) {
        memcpy(slot->key, key, KEY_SIZE);
        slot->arrival_ns = now;
    }
    uint64_t arrival = slot->arrival_ns > now ? slot->arrival_ns : now;
    is_allowed = arrival + emission <= now + (uint64_t)MINUTE;
    if (is_allowed) {
        slot->arrival_ns = arrival + emission;
    }
    pthread_mutex_unlock(&map->mutex);
    return is_allowed;
}

static void run_gcra(void *context, uint64_t count)
{
    load *l = context;

    for (uint64_t i = 0; i < count; i++) {
        next(l, l->key);
        l->allowed += (uint64_t)gcra_check(l->map, l->key, (uint64_t)l->now);
    }
    l->asked += count;
}

/* --- Ours ----------------------------------------------------------------- */
static void run_limiter(void *context, uint64_t count)
{
    load *l = context;
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = l->policy,
                                   .kind = 1,
                                   .key = l->key,
                                   .key_size = KEY_SIZE,
                                   .flags = l->flags};

    for (uint64_t i = 0; i < count; i++) {
        next(l, l->key);
        request.monotonic_ns = l->now & l->time_mask;
        request.utc_ns = l->now & l->time_mask;
        if (met_limiter_check(l->limiter, &request, &result) != MET_OK) {
            abort();
        }
        l->allowed += result.is_allowed;
    }
    l->asked += count;
}

static void run_batches(void *context, uint64_t count)
{
    load *l = context;
    uint32_t offsets[BATCH + 1];
    uint32_t is_allowed[BATCH];
    met_limiter_batch batch = {.struct_size = sizeof batch,
                               .keys = l->key,
                               .key_offsets = offsets,
                               .count = BATCH,
                               .policy = l->policy,
                               .kind = 1};
    met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts,
                                     .is_allowed = is_allowed};

    for (uint32_t i = 0; i <= BATCH; i++) {
        offsets[i] = i * KEY_SIZE;
    }
    for (uint64_t done = 0; done < count; done += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            next(l, l->key + offsets[i]);
        }
        batch.monotonic_ns = l->now;
        if (met_limiter_check_batch(l->limiter, &batch, &verdicts, NULL)
            != MET_OK) {
            abort();
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            l->allowed += is_allowed[i];
        }
        l->asked += BATCH;
    }
}

/* Two threads that do the same at once, on one key. */
typedef struct pair {
    bench_run run;
    load *load;
    load other;
    uint64_t count;
} pair;

static void *run_other(void *context)
{
    pair *p = context;

    p->run(&p->other, p->count);
    return NULL;
}

static void run_pair(void *context, uint64_t count)
{
    pair *p = context;
    pthread_t thread;

    /* Processor time is that of both: an operation is one of either. */
    count = (count + 1) / 2;
    p->count = count;
    p->other = *p->load;
    p->other.allowed = 0;
    p->other.asked = 0;
    if (pthread_create(&thread, NULL, run_other, p) != 0) {
        abort();
    }
    p->run(p->load, count);
    pthread_join(thread, NULL);
    p->load->allowed += p->other.allowed;
    p->load->asked += p->other.asked;
}

/* --- Rows ----------------------------------------------------------------- */
enum { BESIDE_FETCH_ADD, BESIDE_TWO_READS, BESIDE_MAP };

typedef struct bench_row {
    const char *name;
    met_limiter_window windows[2];
    uint32_t count;
    uint32_t is_many; /* a million keys */
    uint32_t flags;
    uint32_t is_refused; /* the clock stands: the limit is used up */
    uint32_t beside;
    uint32_t threads; /* 2: on one key */
    uint32_t clock;   /* 0: the time is given */
    uint32_t is_batch;
} bench_row;

/* Every key once, so that rounds measure known keys and no page faults. */
static void fill(load *l, uint64_t count)
{
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = l->policy,
                                   .kind = 1,
                                   .key = l->key,
                                   .key_size = KEY_SIZE,
                                   .monotonic_ns = l->now,
                                   .utc_ns = l->now,
                                   .flags = MET_LIMITER_BRIEF};

    for (uint64_t i = 0; i < count; i++) {
        write_key(l->key, i);
        if (l->map != NULL) {
            gcra_check(l->map, l->key, (uint64_t)l->now);
        } else if (met_limiter_check(l->limiter, &request, &result)
                   != MET_OK) {
            abort();
        }
    }
}

static void run_row(const bench_row *row, met_limiter *limiter,
                    gcra_map *map)
{
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = row->name,
                                 .name_size = strlen(row->name),
                                 .windows = row->windows,
                                 .window_count = row->count};
    uint64_t keys = row->is_many ? KEYS : 1;
    /* Half of what would use the tightest window up. */
    int64_t step = 2 * MINUTE / (int64_t)row->windows[0].limit / (int64_t)keys
                   * (int64_t)(row->threads == 2 ? 2 : 1);
    load ours = {.limiter = limiter, .flags = row->flags,
                 .key_mask = keys - 1, .random = 1, .now = MINUTE,
                 .time_mask = row->clock ? 0 : INT64_MAX,
                 .step = row->is_refused ? 0 : step + 1};
    bench_run run = row->is_batch ? run_batches : run_limiter;

    for (int i = 0; i < BATCH; i++) {
        memcpy(ours.key + i * KEY_SIZE, "consumer:0000000aaaaaaaa", KEY_SIZE);
    }
    if (met_limiter_policy_set(limiter, &policy, &ours.policy, NULL)
        != MET_OK) {
        fprintf(stderr, "%s: no policy\n", row->name);
        exit(1);
    }
    load theirs = ours;
    pair our_pair = {.run = run, .load = &ours};
    pair their_pair = {.run = run_fetch_add, .load = &theirs};
    fill(&ours, keys);
    if (row->beside == BESIDE_MAP) {
        map->limit = row->windows[0].limit;
        memset(map->slots, 0, SLOTS * sizeof *map->slots);
        theirs.map = map;
        fill(&theirs, keys);
        bench_case(row->name, run, &ours, "mutex and hash map, GCRA",
                   run_gcra, &theirs);
    } else if (row->beside == BESIDE_TWO_READS) {
        bench_case(row->name, run, &ours, "two reads from memory",
                   run_two_reads, &theirs);
    } else if (row->threads == 2) {
        bench_case(row->name, run_pair, &our_pair, "fetch_add, two threads",
                   run_pair, &their_pair);
    } else {
        bench_case(row->name, run, &ours, "fetch_add", run_fetch_add,
                   &theirs);
    }
    /* A benchmark that measures refusals without knowing it is worthless. */
    double share = (double)ours.allowed / (double)ours.asked;
    if (row->is_refused ? share > 0.01 : share < 0.7) {
        fprintf(stderr, "%s: %.0f %% allowed\n", row->name, share * 100);
        exit(1);
    }
}

#define LOG {20, MINUTE, MET_LIMITER_SLIDING, 0, {0, 0}}
#define TAPE {1000, MINUTE, MET_LIMITER_SLIDING, 0, {0, 0}}
#define WIDE {1000000, 1000000, MET_LIMITER_SLIDING, 0, {0, 0}} /* 1 ms */
#define COUNTER {1000, MINUTE, MET_LIMITER_SLIDING_COUNTER, 0, {0, 0}}
#define EPOCH {1000, MINUTE, MET_LIMITER_FIXED_EPOCH, 0, {0, 0}}
#define PACED {1000, MINUTE, MET_LIMITER_GCRA, 0, {0, 0}}
#define HOURLY {1200, 60 * MINUTE, MET_LIMITER_SLIDING_COUNTER, 0, {0, 0}}
#define ROW(text, ...) {.name = "limiter: " text, .count = 1, __VA_ARGS__}
#define BRIEF .flags = MET_LIMITER_BRIEF

static const bench_row rows[] = {
    ROW("log 20/min", BRIEF, .windows = {LOG}),
    ROW("tape 1000/min", BRIEF, .windows = {TAPE}),
    ROW("counter 1000/min", BRIEF, .windows = {COUNTER}),
    ROW("fixed epoch 1000/min", BRIEF, .windows = {EPOCH}),
    ROW("gcra 1000/min", BRIEF, .windows = {PACED}),
    ROW("log, with times", .windows = {LOG}),
    ROW("tape, with times", .windows = {TAPE}),
    ROW("counter, with times", .windows = {COUNTER}),
    ROW("log, refused", BRIEF, .windows = {LOG}, .is_refused = 1),
    ROW("tape, refused", BRIEF, .windows = {TAPE}, .is_refused = 1),
    ROW("counter, refused", BRIEF, .windows = {COUNTER}, .is_refused = 1),
    ROW("tape, two threads", BRIEF, .windows = {WIDE}, .threads = 2),
    ROW("log, refused, two threads", BRIEF, .windows = {LOG},
        .is_refused = 1, .threads = 2),
    {.name = "limiter: log and counter", .windows = {LOG, HOURLY}, .count = 2,
     BRIEF},
    ROW("tape, reading the clock", BRIEF, .windows = {WIDE},
        .clock = MET_LIMITER_CLOCK_EXACT),
    ROW("tape, reading the cheap clock", BRIEF, .windows = {WIDE},
        .clock = MET_LIMITER_CLOCK_CHEAP),
    ROW("log, batches of 16", .windows = {LOG}, .is_batch = 1),
    ROW("log, 1 M keys", BRIEF, .windows = {LOG}, .is_many = 1,
        .beside = BESIDE_TWO_READS),
    {.name = "limiter: log and counter, 1 M keys",
     .windows = {LOG, HOURLY}, .count = 2, .is_many = 1, BRIEF,
     .beside = BESIDE_TWO_READS},
    ROW("log, 1 M keys, batches of 16", .windows = {LOG}, .is_many = 1,
        .is_batch = 1, .beside = BESIDE_TWO_READS),
    ROW("log, beside a map", BRIEF, .windows = {LOG}, .beside = BESIDE_MAP),
    ROW("log, 1 M keys, beside a map", BRIEF, .windows = {LOG}, .is_many = 1,
        .beside = BESIDE_MAP),
};

int main(void)
{
    size_t size = (size_t)CAPACITY * 66 + ((size_t)1 << 21);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory_size = size};
    gcra_map map = {.slots = calloc(SLOTS, sizeof(gcra_slot))};
    uint64_t random = 1;

    make_digits();
    config.memory = aligned_alloc(64, (size + 63) / 64 * 64);
    far_memory = aligned_alloc(64, (size_t)FAR_LINES * 64);
    if (map.slots == NULL || config.memory == NULL || far_memory == NULL
        || pthread_mutex_init(&map.mutex, NULL) != 0) {
        return 1;
    }
    for (size_t i = 0; i < (size_t)FAR_LINES * 8; i++) {
        far_memory[i] = bench_random(&random);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        met_limiter *limiter = NULL;
        memset(config.memory, 0, size);
        config.clock = rows[i].clock;
        if (met_limiter_open(&config, &limiter, NULL) != MET_OK) {
            return 1;
        }
        run_row(&rows[i], limiter, &map);
        met_limiter_close(limiter);
    }
    free(far_memory);
    free(config.memory);
    free(map.slots);
    return 0;
}

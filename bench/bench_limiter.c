/* What a rate limit decision costs: exact log and two buckets, one and two
 * windows, one hot key and a million, beside what a host would write itself: a
 * mutex around a hash map of GCRA states, for one process only. */
#include "bench.h"

#include <pthread.h>

#include <metering/metering.h>

#define KEYS (UINT32_C(1) << 20) /* a power of two */
#define KEY_SIZE 24
#define MINUTE INT64_C(60000000000)

/* --- Baseline: mutex, FNV-1a, open addressing, GCRA with burst = limit ------ */
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

/* --- Cases ----------------------------------------------------------------- */
typedef struct load {
    met_limiter *limiter;
    uint32_t policy;
    uint32_t flags;
    gcra_map *map;
    const char *keys; /* KEY_SIZE bytes each */
    uint64_t key_mask; /* 0: one hot key */
    uint64_t random;
    int64_t now;
    int64_t step; /* of the clock between two requests */
    uint64_t allowed;
    uint64_t asked;
} load;

static const char *next_key(load *l)
{
    l->now += l->step;
    return l->keys + (bench_random(&l->random) & l->key_mask) * KEY_SIZE;
}

static void run_limiter(void *context, uint64_t count)
{
    load *l = context;
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = l->policy,
                                   .kind = 1,
                                   .key_size = KEY_SIZE,
                                   .flags = l->flags};

    for (uint64_t i = 0; i < count; i++) {
        request.key = next_key(l);
        request.monotonic_ns = l->now;
        if (met_limiter_check(l->limiter, &request, &result) != MET_OK) {
            abort();
        }
        l->allowed += result.is_allowed;
    }
    l->asked += count;
}

static void run_gcra(void *context, uint64_t count)
{
    load *l = context;

    for (uint64_t i = 0; i < count; i++) {
        const char *key = next_key(l);
        l->allowed += (uint64_t)gcra_check(l->map, key, (uint64_t)l->now);
    }
    l->asked += count;
}

/* Every key once, so that rounds measure known keys and no page faults. */
static void fill(load *l, bench_run run)
{
    uint64_t mask = l->key_mask;
    const char *keys = l->keys;
    uint64_t random = l->random;

    l->key_mask = 0;
    for (uint64_t i = 0; i <= mask; i++) {
        l->keys = keys + i * KEY_SIZE;
        run(l, 1);
    }
    l->keys = keys;
    l->key_mask = mask;
    l->random = random;
    l->allowed = 0;
    l->asked = 0;
}

typedef struct bench_row {
    const char *name;
    met_limiter_window windows[2];
    size_t count;
    uint64_t key_mask;
    uint32_t flags;
    uint32_t is_refused; /* the clock stands: the limit is used up */
} bench_row;

static void run_row(const bench_row *row, met_limiter *limiter,
                    gcra_map *map, const char *keys)
{
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = row->name,
                                 .name_size = strlen(row->name),
                                 .windows = row->windows,
                                 .window_count = row->count};
    /* Half of what would use the tightest window up. */
    int64_t step = 2 * MINUTE / (int64_t)row->windows[0].limit
                   / (int64_t)(row->key_mask + 1);
    load ours = {.limiter = limiter, .flags = row->flags, .keys = keys,
                 .key_mask = row->key_mask, .random = 1, .now = MINUTE,
                 .step = row->is_refused ? 0 : step + 1};
    load theirs = ours;

    theirs.map = map;
    map->limit = row->windows[0].limit;
    memset(map->slots, 0, SLOTS * sizeof *map->slots);
    if (met_limiter_policy_set(limiter, &policy, &ours.policy, NULL)
        != MET_OK) {
        fprintf(stderr, "%s: no policy\n", row->name);
        exit(1);
    }
    fill(&ours, run_limiter);
    fill(&theirs, run_gcra);
    bench_case(row->name, run_limiter, &ours, "mutex and hash map, GCRA",
               run_gcra, &theirs);
    /* A benchmark that measures refusals without knowing it is worthless. */
    double share = (double)ours.allowed / (double)ours.asked;
    if (row->is_refused ? share > 0.01 : share < 0.7) {
        fprintf(stderr, "%s: %.0f %% allowed\n", row->name, share * 100);
        exit(1);
    }
}

int main(void)
{
    static const bench_row rows[] = {
        {"limiter: log 20/min, one key", {{20, MINUTE, 1, 0, {0}}}, 1, 0, 0,
         0},
        {"limiter: log 20/min, one key, brief", {{20, MINUTE, 1, 0, {0}}}, 1,
         0, MET_LIMITER_BRIEF, 0},
        {"limiter: log 20/min, one key, refused", {{20, MINUTE, 1, 0, {0}}},
         1, 0, MET_LIMITER_BRIEF, 1},
        {"limiter: counter 1000/min, one key", {{1000, MINUTE, 2, 0, {0}}}, 1,
         0, 0, 0},
        {"limiter: counter 1000/min, one key, brief",
         {{1000, MINUTE, 2, 0, {0}}}, 1, 0, MET_LIMITER_BRIEF, 0},
        {"limiter: log 20/min + counter 1200/h, one key, brief",
         {{20, MINUTE, 1, 0, {0}}, {1200, 60 * MINUTE, 2, 0, {0}}}, 2, 0,
         MET_LIMITER_BRIEF, 0},
        {"limiter: log 20/min, 1 M keys, brief", {{20, MINUTE, 1, 0, {0}}}, 1,
         KEYS - 1, MET_LIMITER_BRIEF, 0},
        {"limiter: log 20/min + counter 1200/h, 1 M keys, brief",
         {{20, MINUTE, 1, 0, {0}}, {1200, 60 * MINUTE, 2, 0, {0}}}, 2,
         KEYS - 1, MET_LIMITER_BRIEF, 0},
    };
    uint64_t capacity = (uint64_t)KEYS * 4;
    size_t size = (size_t)capacity * 66 + ((size_t)1 << 21);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory_size = size};
    char *keys = malloc((size_t)KEYS * KEY_SIZE);
    gcra_map map = {.slots = calloc(SLOTS, sizeof(gcra_slot))};

    config.memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (keys == NULL || map.slots == NULL || config.memory == NULL
        || pthread_mutex_init(&map.mutex, NULL) != 0) {
        return 1;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[KEY_SIZE + 1];
        snprintf(text, sizeof text, "consumer:%015u", i);
        memcpy(keys + (size_t)i * KEY_SIZE, text, KEY_SIZE);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        met_limiter *limiter = NULL;
        memset(config.memory, 0, size);
        if (met_limiter_open(&config, &limiter, NULL) != MET_OK) {
            return 1;
        }
        run_row(&rows[i], limiter, &map, keys);
        met_limiter_close(limiter);
    }
    free(config.memory);
    free(map.slots);
    free(keys);
    return 0;
}

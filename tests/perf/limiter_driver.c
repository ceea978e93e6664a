/* One kind of decision, many times, for a tool that counts instructions:
 *
 *     limiter_driver CASE COUNT
 *
 * Ends with 1 when a decision is not what the case is about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <metering/limiter.h>

#define KEYS 16
#define KEY_SIZE 24
#define MINUTE INT64_C(60000000000)
#define TABLE_SIZE ((size_t)4 << 20)
typedef struct perf_case {
    const char *name;
    met_limiter_window windows[2];
    size_t count;
    uint32_t flags;
    uint32_t is_refused; /* the clock stands */
    uint32_t is_batch;
    uint32_t per_minute; /* requests of one key; half of the limit */
} perf_case;

#define LOG {20, MINUTE, MET_LIMITER_SLIDING, 0, {0, 0}}
#define TAPE {1000, MINUTE, MET_LIMITER_SLIDING, 0, {0, 0}}
#define COUNTER {1000, MINUTE, MET_LIMITER_SLIDING_COUNTER, 0, {0, 0}}
#define HOURLY {1200, 60 * MINUTE, MET_LIMITER_SLIDING_COUNTER, 0, {0, 0}}
#define EPOCH {1000, MINUTE, MET_LIMITER_FIXED_EPOCH, 0, {0, 0}}
#define PACED {1000, MINUTE, MET_LIMITER_GCRA, 0, {0, 0}}
#define BRIEF MET_LIMITER_BRIEF

static const perf_case cases[] = {
    {"log", {LOG}, 1, BRIEF, 0, 0, 10},
    {"log_with_times", {LOG}, 1, 0, 0, 0, 10},
    {"log_refused", {LOG}, 1, BRIEF, 1, 0, 10},
    {"tape", {TAPE}, 1, BRIEF, 0, 0, 500},
    {"counter", {COUNTER}, 1, BRIEF, 0, 0, 500},
    {"fixed_epoch", {EPOCH}, 1, BRIEF, 0, 0, 500},
    {"gcra", {PACED}, 1, BRIEF, 0, 0, 500},
    {"two_windows", {LOG, HOURLY}, 2, BRIEF, 0, 0, 10},
    {"batch", {LOG}, 1, BRIEF, 0, 1, 10},
};

static char keys[KEYS * KEY_SIZE];
static uint32_t offsets[KEYS + 1];

static uint64_t one_by_one(met_limiter *limiter, const perf_case *c,
                           uint32_t policy, int64_t now)
{
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = policy,
                                   .kind = 1,
                                   .key_size = KEY_SIZE,
                                   .monotonic_ns = now,
                                   .utc_ns = now,
                                   .flags = c->flags};
    met_limiter_result result = {.struct_size = sizeof result};
    uint64_t allowed = 0;

    for (size_t i = 0; i < KEYS; i++) {
        request.key = keys + i * KEY_SIZE;
        if (met_limiter_check(limiter, &request, &result) != MET_OK) {
            exit(1);
        }
        allowed += result.is_allowed;
    }
    return allowed;
}

static uint64_t all_at_once(met_limiter *limiter, uint32_t policy,
                            int64_t now)
{
    uint32_t is_allowed[KEYS];
    met_limiter_batch batch = {.struct_size = sizeof batch,
                               .keys = keys,
                               .key_offsets = offsets,
                               .count = KEYS,
                               .policy = policy,
                               .kind = 1,
                               .monotonic_ns = now,
                               .utc_ns = now};
    met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts,
                                     .is_allowed = is_allowed};
    uint64_t allowed = 0;

    if (met_limiter_check_batch(limiter, &batch, &verdicts, NULL) != MET_OK) {
        exit(1);
    }
    for (size_t i = 0; i < KEYS; i++) {
        allowed += is_allowed[i];
    }
    return allowed;
}

static int run(const perf_case *c, uint64_t count)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = aligned_alloc(64, TABLE_SIZE),
                                 .memory_size = TABLE_SIZE};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "perf",
                                 .name_size = 4,
                                 .windows = c->windows,
                                 .window_count = c->count};
    met_limiter *limiter = NULL;
    uint32_t number;
    uint64_t allowed = 0;
    uint64_t asked = 0;
    int64_t now = MINUTE;

    if (config.memory == NULL) {
        return 1;
    }
    memset(config.memory, 0, TABLE_SIZE);
    if (met_limiter_open(&config, &limiter, NULL) != MET_OK
        || met_limiter_policy_set(limiter, &policy, &number, NULL)
               != MET_OK) {
        return 1;
    }
    for (; asked < count; asked += KEYS) {
        now += c->is_refused ? 0 : MINUTE / c->per_minute + 1;
        allowed += c->is_batch ? all_at_once(limiter, number, now)
                               : one_by_one(limiter, c, number, now);
    }
    met_limiter_close(limiter);
    free(config.memory);
    return c->is_refused ? allowed > asked / 10 : allowed != asked;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < KEYS; i++) {
        char text[KEY_SIZE + 1];
        snprintf(text, sizeof text, "consumer:%015u", (unsigned)i);
        memcpy(keys + i * KEY_SIZE, text, KEY_SIZE);
        offsets[i + 1] = (uint32_t)(i + 1) * KEY_SIZE;
    }
    for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            return run(&cases[i], strtoull(argv[2], NULL, 10));
        }
    }
    return 2;
}

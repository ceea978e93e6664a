/* A table that another process writes into at random while four decide: no
 * fault (run it under the address sanitizer) and no call without end, by count
 * of its atomic operations.
 *
 *     limiter_garbage [--calls N] [--seed S] */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomic_model.h"
#include "limit/limiter_plan.h"
#include "metering/limiter.h"

#define WORKERS 4
#define CAPACITY 128
#define TABLE_SIZE ((size_t)2 << 20)
#define POLICIES 7
#define KEYS 64
/* Every loop of a call at its end, one in the other; ordinary calls make less
 * than a hundred. */
#define OPERATIONS_MAX 30000000

_Thread_local uint64_t atomic_count;

static struct figures {
    uint64_t words; /* written at random */
    uint64_t calls;
    uint64_t allowed;
    uint64_t failed;     /* answered with an error */
    uint64_t operations; /* the most of one call */
} *figures; /* of the workers; words of the writer in the last one */

static unsigned char *memory;
static uint64_t seed = 1;
static int is_planted;

static void die(const char *what)
{
    fprintf(stderr, "limiter_garbage: %s\n", what);
    _exit(2);
}

void atomic_count_step(void)
{
    if (++atomic_count > OPERATIONS_MAX) {
        die("a call does not end");
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *map(size_t size)
{
    void *out = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (out == MAP_FAILED) {
        die("no memory");
    }
    return out;
}

/* --- The writer ----------------------------------------------------------- */
/* Half of it into records and their control words, a quarter each into the
 * first policies and anywhere. */
static size_t pick_word(const met__limit_table *table, uint64_t random)
{
    size_t policies = (size_t)((unsigned char *)table->policies - memory) / 8;
    size_t controls = (size_t)((unsigned char *)table->controls - memory) / 8;
    size_t records = (size_t)((unsigned char *)table->records - memory) / 8;
    size_t end = records + CAPACITY * sizeof(met__record) / 8;
    size_t first = 0;
    size_t count = end;

    if (random & 1) {
        first = controls;
        count = end - controls;
    } else if (random & 2) {
        first = policies;
        count = (POLICIES + 1) * sizeof(met__policy_slot) / 8;
    }
    return first + (size_t)(random >> 16) % count;
}

static void write_garbage(const met__limit_table *table)
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 7;
    uint64_t *words = (uint64_t *)(void *)memory;

    for (uint64_t i = 0;; i++) {
        /* Bursts, and quiet times in which much can be served. */
        if (i % 8 == 0 && i / 1024 % 2 == 0) {
            usleep(50);
        }
        size_t to = pick_word(table, next_random(&random));
        size_t from = pick_word(table, next_random(&random));
        uint64_t value = next_random(&random);
        switch (next_random(&random) >> 32 & 7) {
        case 0: /* a bit */
            value = words[to] ^ UINT64_C(1) << (value & 63);
            break;
        case 1:
        case 2: /* what is right elsewhere */
            value = __atomic_load_n(&words[from], __ATOMIC_RELAXED);
            break;
        case 3:
            value = 0;
            break;
        case 4: /* a byte, and not in one piece */
            memory[to * 8 + (value & 7)] = (unsigned char)(value >> 8);
            value = words[to];
            break;
        default:
            break;
        }
        __atomic_store_n(&words[to], value, __ATOMIC_RELAXED);
        __atomic_fetch_add(&figures[WORKERS].words, 1, __ATOMIC_RELAXED);
    }
}

/* --- Workers -------------------------------------------------------------- */
static const met_limiter_window windows[POLICIES][2] = {
    {{.limit = 5, .window_ns = 1000000}},
    {{.limit = 20, .window_ns = 1000000}},
    {{.limit = 1000, .window_ns = 1000000}},
    {{.limit = 50, .window_ns = 1000000,
      .algorithm = MET_LIMITER_SLIDING_COUNTER}},
    {{.limit = 50, .window_ns = 1000000, .algorithm = MET_LIMITER_GCRA}},
    {{.limit = 50, .window_ns = 1000000000,
      .algorithm = MET_LIMITER_CALENDAR_UTC}},
    {{.limit = 10, .window_ns = 1000000}, {.limit = 100,
                                           .window_ns = 20000000}},
};

static met_error set_policy(met_limiter *limiter, uint64_t index,
                            uint32_t *number_out)
{
    char name = (char)('a' + index);
    met_limiter_policy policy = {
        .struct_size = sizeof policy,
        .name = &name,
        .name_size = 1,
        .windows = windows[index],
        .window_count = windows[index][1].limit == 0 ? 1 : 2};

    return met_limiter_policy_set(limiter, &policy, number_out, NULL);
}

static met_error call(met_limiter *limiter, uint64_t random,
                      met_limiter_request *request,
                      met_limiter_result *result)
{
    uint32_t number;
    uint32_t withheld;
    met_limiter_stats stats = {.struct_size = sizeof stats};
    met_limiter_ticket ticket;

    switch (random % 16) {
    case 0:
    case 6:
    case 7:
        return set_policy(limiter, random / 16 % POLICIES, &number);
    case 1:
        return met_limiter_reset(limiter, request);
    case 2:
        return met_limiter_charge(limiter, request, result);
    case 3:
        return met_limiter_peek(limiter, request, result);
    case 4:
        ticket = result->ticket;
        return met_limiter_refund(limiter, &ticket, 0, &withheld);
    case 5:
        return random >> 32 & 31 ? MET_OK
                                 : met_limiter_stats_get(limiter, &stats);
    default:
        return met_limiter_check(limiter, request, result);
    }
}

/* The bug that --plant has: a reader that believes what it finds. */
static void believe(uint64_t picked)
{
    uint64_t word;

    memcpy(&word, memory + picked % (TABLE_SIZE / 8) * 8, sizeof word);
    __asm__ volatile("" : : "r"(memory[word]));
}

static void work(met_limiter *limiter, uint64_t me, uint64_t calls)
{
    uint64_t random = (seed * 64 + me + 1) * UINT64_C(0x9e3779b97f4a7c15);
    met_limiter_result result = {.struct_size = sizeof result};
    struct figures *mine = &figures[me];
    int64_t now = INT64_C(1000000000);

    for (uint64_t i = 0; i < calls; i++) {
        uint64_t picked = next_random(&random);
        uint64_t key = picked >> 8 & (KEYS - 1);
        now += (int64_t)(picked >> 40 & 0xfff);
        met_limiter_request request = {
            .struct_size = sizeof request,
            .policy = (uint32_t)(picked >> 16) % (POLICIES + 1),
            .kind = 1,
            .key = (const char *)&key,
            .key_size = sizeof key,
            .cost = 1 + (picked >> 24 & 1),
            .flags = picked >> 25 & 1 ? MET_LIMITER_BRIEF : 0,
            .monotonic_ns = now,
            .utc_ns = now};
        if (is_planted) {
            believe(picked);
        }
        atomic_count = 0;
        met_error error = call(limiter, next_random(&random), &request,
                               &result);
        mine->operations = atomic_count > mine->operations
                               ? atomic_count
                               : mine->operations;
        mine->failed += error != MET_OK;
        mine->allowed += error == MET_OK && result.is_allowed;
        mine->calls++;
        if (result.window_count > MET_LIMITER_WINDOWS_MAX
            || result.reported >= MET_LIMITER_WINDOWS_MAX) {
            die("an answer has more windows than there are");
        }
    }
}

static pid_t start(void)
{
    pid_t child = fork();

    if (child < 0) {
        die("no process");
    }
    return child;
}

int main(int argc, char **argv)
{
    uint64_t calls = 60000;
    met_limiter *limiter = NULL;
    pid_t children[WORKERS];
    int fails = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--plant") == 0) {
            is_planted = 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--calls") == 0) {
            calls = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 10);
        }
    }
    memory = map(TABLE_SIZE);
    figures = map((WORKERS + 1) * sizeof *figures);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory,
                                 .memory_size = TABLE_SIZE,
                                 .capacity = CAPACITY};
    if (met_limiter_open(&config, &limiter, NULL) != MET_OK) {
        die("the table cannot be opened");
    }
    for (uint64_t i = 0; i < POLICIES; i++) {
        uint32_t number;
        if (set_policy(limiter, i, &number) != MET_OK) {
            die("a policy is refused");
        }
    }
    pid_t writer = start();
    if (writer == 0) {
        write_garbage(&limiter->table);
    }
    for (uint64_t i = 0; i < WORKERS; i++) {
        children[i] = start();
        if (children[i] == 0) {
            work(limiter, i, calls);
            _exit(0);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        if (status != 0) {
            fprintf(stderr, "a worker ended with status %#x\n",
                    (unsigned)status);
            fails = 1;
        }
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    struct figures sum = {.words = figures[WORKERS].words};
    for (int i = 0; i < WORKERS; i++) {
        sum.calls += figures[i].calls;
        sum.allowed += figures[i].allowed;
        sum.failed += figures[i].failed;
        sum.operations = figures[i].operations > sum.operations
                             ? figures[i].operations
                             : sum.operations;
    }
    printf("%llu words written at random, %llu calls, %llu let through, %llu "
           "errors, at most %llu atomic operations in a call\n",
           (unsigned long long)sum.words, (unsigned long long)sum.calls,
           (unsigned long long)sum.allowed, (unsigned long long)sum.failed,
           (unsigned long long)sum.operations);
    met_limiter_close(limiter);
    return fails || sum.calls != WORKERS * calls || sum.words == 0;
}

/* Threads and processes on one table, killed at any instruction.
 *
 *     limiter_kill [--kills N] [--seed S] [--threads] [--plant]
 *
 * Four processes, and one with four threads, ask for the same keys as fast as
 * they can: exact log, tape, two buckets, two windows, and keys that come and
 * go in a table too small for them. One after the other is killed and replaced.
 * Time is a counter that every call moves on, so that nothing hangs on how busy
 * the machine is; each call notes it before and after. In the end no stretch of
 * a window's length may hold more than the limit of calls that lie in it whole,
 * every worker must have gone on, and of what the limit allows at least 99 %
 * must have been let through. --threads: four threads of one process, no kills.
 * --plant: look first, count later; must be found. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "metering/limiter.h"

#define PROCESSES 4
#define THREADS 4
#define WORKERS (PROCESSES + THREADS)
#define TARGETS (PROCESSES + 1) /* the last one has the threads */
#define CAPACITY 128
#define TABLE_SIZE ((size_t)2 << 20)
#define NOTES 2000000 /* of a worker */
#define STEP_NS 1000  /* a call moves the clock on by this */
#define START_NS INT64_C(1000000000)
#define WINDOW_NS INT64_C(20000000)
#define LONG_NS (10 * WINDOW_NS)
#define CHURN_EVERY 32
#define CHURN_KEYS 512
#define CHURN_LIMIT 2

enum { LOG, TAPE, COUNTER, BOTH, CHURN, POLICIES };

typedef struct note {
    int64_t before;
    int64_t after;
    uint32_t policy;
    uint32_t key;
} note;

typedef struct worker {
    uint64_t count; /* notes that are whole */
    uint64_t calls;
    char reserved[48];
} worker;

static struct shared {
    int64_t clock;
    char reserved[56];
    worker workers[WORKERS];
    note notes[WORKERS][NOTES];
} *shared;

static struct {
    const char *name;
    uint64_t limit;
    int64_t window_ns;
    uint64_t long_limit; /* in LONG_NS; 0: one window */
    uint64_t most;       /* in a true window */
    uint64_t ideal;      /* in LONG_NS */
    uint32_t algorithm;
    uint32_t number;
} policies[POLICIES] = {
    {"log", 10, WINDOW_NS, 0, 10, 100, MET_LIMITER_SLIDING, 0},
    {"tape", 100, WINDOW_NS, 0, 100, 1000, MET_LIMITER_SLIDING, 0},
    {"two buckets", 500, WINDOW_NS, 0, 1000, 5000,
     MET_LIMITER_SLIDING_COUNTER, 0},
    {"two windows", 12, WINDOW_NS, 60, 12, 60, MET_LIMITER_SLIDING, 0},
    {"keys that come and go", CHURN_LIMIT, WINDOW_NS, 0, CHURN_LIMIT, 0,
     MET_LIMITER_SLIDING, 0},
};

static void *memory;
static int is_planted;
static uint64_t seed = 1;

static void die(const char *what)
{
    fprintf(stderr, "limiter_kill: %s\n", what);
    exit(2);
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
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (out == MAP_FAILED) {
        die("no memory");
    }
    return out;
}

static met_limiter *open_limiter(void)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory,
                                 .memory_size = TABLE_SIZE,
                                 .capacity = CAPACITY,
                                 .full_policy = MET_LIMITER_FULL_CLOSED};
    met_limiter *limiter = NULL;

    if (met_limiter_open(&config, &limiter, NULL) != MET_OK) {
        die("the table cannot be opened");
    }
    return limiter;
}

static void set_policies(met_limiter *limiter)
{
    for (int i = 0; i < POLICIES; i++) {
        met_limiter_window windows[2] = {
            {.limit = policies[i].limit,
             .window_ns = policies[i].window_ns,
             .algorithm = policies[i].algorithm},
            {.limit = policies[i].long_limit,
             .window_ns = LONG_NS,
             .algorithm = policies[i].algorithm}};
        met_limiter_policy policy = {
            .struct_size = sizeof policy,
            .name = policies[i].name,
            .name_size = strlen(policies[i].name),
            .windows = windows,
            .window_count = policies[i].long_limit == 0 ? 1 : 2};
        if (met_limiter_policy_set(limiter, &policy, &policies[i].number,
                                   NULL)
            != MET_OK) {
            die("a policy is refused");
        }
    }
}

/* --- Workers -------------------------------------------------------------- */
static int ask(met_limiter *limiter, const met_limiter_request *request)
{
    met_limiter_result result = {.struct_size = sizeof result};

    if (!is_planted) {
        return met_limiter_check(limiter, request, &result) == MET_OK
               && result.is_allowed;
    }
    return met_limiter_peek(limiter, request, &result) == MET_OK
           && result.is_allowed
           && met_limiter_charge(limiter, request, &result) == MET_OK;
}

static void call(met_limiter *limiter, worker *self, note *notes,
                 uint64_t *random)
{
    uint64_t picked = next_random(random);
    note it = {.policy = (uint32_t)(picked >> 8 & 3)};

    if (picked % CHURN_EVERY == 0) {
        it.policy = CHURN;
        it.key = (uint32_t)(picked >> 20) % CHURN_KEYS;
    }
    it.before = __atomic_add_fetch(&shared->clock, STEP_NS, __ATOMIC_RELAXED);
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = policies[it.policy].number,
                                   .kind = 1,
                                   .key = (const char *)&it.key,
                                   .key_size = sizeof it.key,
                                   .monotonic_ns = it.before,
                                   .utc_ns = it.before,
                                   .flags = MET_LIMITER_BRIEF};
    int is_allowed = ask(limiter, &request);
    it.after = __atomic_load_n(&shared->clock, __ATOMIC_RELAXED);
    if (is_allowed) {
        notes[self->count] = it;
        __atomic_store_n(&self->count, self->count + 1, __ATOMIC_RELEASE);
    }
    __atomic_fetch_add(&self->calls, 1, __ATOMIC_RELAXED);
}

typedef struct task {
    pthread_t thread;
    met_limiter *limiter;
    uint64_t number;
    uint64_t seed;
    uint64_t calls_max; /* 0: until killed */
} task;

static void *work(void *context)
{
    const task *mine = context;
    worker *self = &shared->workers[mine->number];
    uint64_t random = (mine->seed * 64 + mine->number + 1)
                      * UINT64_C(0x9e3779b97f4a7c15);

    for (uint64_t i = 0; mine->calls_max == 0 || i < mine->calls_max; i++) {
        while (self->count == NOTES) {
            pause(); /* the rest is up to the others */
        }
        call(mine->limiter, self, shared->notes[mine->number], &random);
    }
    return NULL;
}

static void run_threads(met_limiter *limiter, uint64_t run,
                        uint64_t calls_max)
{
    task tasks[THREADS];

    for (uint64_t i = 0; i < THREADS; i++) {
        tasks[i] = (task){.limiter = limiter, .number = PROCESSES + i,
                          .seed = run, .calls_max = calls_max};
        if (pthread_create(&tasks[i].thread, NULL, work, &tasks[i]) != 0) {
            die("no thread");
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(tasks[i].thread, NULL);
    }
}

/* Every other one opens the table for itself. */
static pid_t start(met_limiter *limiter, uint64_t target, uint64_t run)
{
    pid_t child = fork();

    if (child < 0) {
        die("no process");
    }
    if (child == 0) {
        (void)!nice(2); /* kills come in time on a busy machine as well */
        met_limiter *own = run % 2 == 0 ? limiter : open_limiter();
        if (target == PROCESSES) {
            run_threads(own, run, 0);
        }
        task mine = {.limiter = own, .number = target, .seed = run};
        work(&mine);
    }
    return child;
}

static void pause_us(uint64_t us)
{
    struct timespec time = {.tv_nsec = (long)us * 1000};

    nanosleep(&time, NULL);
}

/* Who was stuck behind a dead one would not come back from these calls. */
static void wait_until_all_go_on(void)
{
    for (int i = 0; i < WORKERS; i++) {
        uint64_t from = __atomic_load_n(&shared->workers[i].calls,
                                        __ATOMIC_RELAXED);
        while (__atomic_load_n(&shared->workers[i].calls, __ATOMIC_RELAXED)
                   < from + 1000
               && __atomic_load_n(&shared->workers[i].count, __ATOMIC_RELAXED)
                      < NOTES) {
            pause_us(500);
        }
    }
}

static void kill_many(met_limiter *limiter, uint64_t kills)
{
    pid_t children[TARGETS];
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

    for (uint64_t i = 0; i < TARGETS; i++) {
        children[i] = start(limiter, i, i);
    }
    for (uint64_t i = 0; i < kills;) {
        uint64_t chosen = next_random(&random) >> 32;
        pause_us(next_random(&random) % 3000);
        for (int target = 0; target < TARGETS; target++) {
            if (chosen >> target & 1) {
                kill(children[target], SIGKILL);
            }
        }
        for (uint64_t target = 0; target < TARGETS; target++) {
            if (chosen >> target & 1) {
                waitpid(children[target], NULL, 0);
                children[target] = start(limiter, target, TARGETS + i++);
            }
        }
    }
    wait_until_all_go_on();
    for (int i = 0; i < TARGETS; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
}

/* --- What must hold ------------------------------------------------------- */
static int compare(const void *a, const void *b)
{
    const note *left = a;
    const note *right = b;

    if (left->policy != right->policy) {
        return left->policy < right->policy ? -1 : 1;
    }
    if (left->key != right->key) {
        return left->key < right->key ? -1 : 1;
    }
    return (left->before > right->before) - (left->before < right->before);
}

/* The most calls that lie whole in a stretch of this length. */
static uint64_t most_in(const note *notes, size_t count, int64_t length)
{
    uint64_t most = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t until = notes[i].before + length;
        uint64_t sum = 0;
        for (size_t j = i; j < count && notes[j].before <= until; j++) {
            sum += notes[j].after <= until;
        }
        most = sum > most ? sum : most;
    }
    return most;
}

/* One key of one policy. */
static int check_key(const note *notes, size_t count, int is_told)
{
    uint32_t policy = notes[0].policy;
    uint64_t most = most_in(notes, count, policies[policy].window_ns);
    uint64_t long_most = policies[policy].long_limit == 0
                             ? 0
                             : most_in(notes, count, LONG_NS);
    int fails = most > policies[policy].most
                || long_most > policies[policy].long_limit;

    if (policy != CHURN || (fails && is_told)) {
        printf("%-22s %7zu let through, at most %3llu of %3llu in a window",
               policies[policy].name, count, (unsigned long long)most,
               (unsigned long long)policies[policy].most);
        if (policies[policy].long_limit != 0) {
            printf(", %llu of %llu in a long one",
                   (unsigned long long)long_most,
                   (unsigned long long)policies[policy].long_limit);
        }
        puts(fails ? "  FAILS" : "");
    }
    return fails;
}

/* At least 99 % of what is allowed in the time that passed. */
static int check_share(uint32_t policy, uint64_t count, int64_t passed)
{
    double ideal = (double)policies[policy].ideal * (double)passed
                   / (double)LONG_NS;
    double share = 100 * (double)count / ideal;

    printf("%-22s %6.2f %% of what is allowed%s\n", policies[policy].name,
           share, share < 99 ? "  FAILS" : "");
    return share < 99;
}

static int check_all(const met_limiter_stats *stats)
{
    int64_t passed = shared->clock - START_NS;
    size_t count = 0;
    int fails = 0;
    uint64_t calls = 0;

    for (int i = 0; i < WORKERS; i++) {
        calls += shared->workers[i].calls;
        count += shared->workers[i].count;
    }
    note *all = malloc((count + 1) * sizeof *all);
    if (all == NULL) {
        die("no memory");
    }
    count = 0;
    for (int i = 0; i < WORKERS; i++) {
        memcpy(all + count, shared->notes[i],
               shared->workers[i].count * sizeof *all);
        count += shared->workers[i].count;
    }
    qsort(all, count, sizeof *all, compare);
    uint64_t sums[POLICIES] = {0};
    for (size_t i = 0, next; i < count; i = next) {
        next = i + 1;
        while (next < count && all[next].policy == all[i].policy
               && all[next].key == all[i].key) {
            next++;
        }
        sums[all[i].policy] += next - i;
        fails += check_key(all + i, next - i, fails < 10);
    }
    for (uint32_t i = 0; i < CHURN; i++) {
        fails += check_share(i, sums[i], passed);
    }
    printf("%llu calls, %llu of keys that come and go let through, %llu places "
           "given away, %llu times full, %llu withheld, %llu undone\n",
           (unsigned long long)calls, (unsigned long long)sums[CHURN],
           (unsigned long long)stats->reclaimed,
           (unsigned long long)stats->full_refused,
           (unsigned long long)stats->withheld,
           (unsigned long long)stats->undone);
    free(all);
    return fails != 0;
}

int main(int argc, char **argv)
{
    uint64_t kills = 1000;
    int is_threads = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--threads") == 0) {
            is_threads = 1;
        } else if (strcmp(argv[i], "--plant") == 0) {
            is_planted = 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--kills") == 0) {
            kills = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 10);
        } else {
            die("--kills N, --seed S, --threads, --plant");
        }
    }
    memory = map(TABLE_SIZE);
    shared = map(sizeof *shared);
    shared->clock = START_NS;
    met_limiter *limiter = open_limiter();
    set_policies(limiter);
    if (is_threads) {
        run_threads(limiter, seed, 100000);
    } else {
        kill_many(limiter, kills);
        printf("%llu kills\n", (unsigned long long)kills);
    }
    met_limiter_stats stats = {.struct_size = sizeof stats};
    if (met_limiter_stats_get(limiter, &stats) != MET_OK) {
        die("no figures");
    }
    int fails = check_all(&stats);
    met_limiter_close(limiter);
    return fails;
}

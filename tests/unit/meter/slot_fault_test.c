/* Slot files that another process cuts short while threads count in them, with
 * the guard that a host may install. Nobody dies; what was counted before a
 * recorder went on with another file may be lost with the old one, and the
 * report bounds it; what is counted afterwards is exact. Waits are for facts:
 * so many events more, or the next life of a recorder. */
#include "usage_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "meter/recorder_state.h"
#include "meter/tally_report.h"
#include "store/object.h"

#define THREADS 4
#define LIVES 32
#ifdef __SANITIZE_THREAD__
#define ROUNDS 11 /* every size once */
#else
#define ROUNDS 22
#endif
#define TICK_EVERY 60
#define WAIT_US 1000
#define WAITS_MAX 100000

enum { RUN, REST, CLOSE };

/* One recorder after the other of a thread; each life has its own subjects. */
typedef struct worker {
    met__atomic_u64 life;
    met__atomic_u64 slot;
    met__atomic_u64 events; /* of all lives: counted, or tried in vain */
    met__atomic_u64 resting;
    uint64_t counted[LIVES];
    uint64_t refused;
} worker;

typedef struct scene {
    met__atomic_u64 phase;
    met__atomic_u64 failed; /* line */
    met__atomic_u64 now_ns;
    met__atomic_u64 events_lost;
    met__atomic_u64 files_lost;
    worker workers[THREADS];
} scene;

static scene *shared;
static char home[64];
static met_store *store;

static void fail_at(int line)
{
    met__store_release(&shared->failed, (uint64_t)line);
}
#define NEED(condition)        \
    do {                       \
        if (!(condition)) {    \
            fail_at(__LINE__); \
        }                      \
    } while (0)

static int64_t shared_clock(void *context)
{
    return (int64_t)met__load_relaxed(&shared->now_ns);
}

static void open_store(void)
{
    met__platform platform = test_platform(NULL, NULL);

    platform.clock = (met_clock){NULL, shared_clock, shared_clock};
    assert_int_equal(met__store_open(&platform, temp_path(home, "s"),
                                     MAP_SIZE, 1, &store, NULL),
                     MET_OK);
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    met__store_relaxed(&shared->now_ns, (uint64_t)START_NS);
    open_store();
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", ""));
    met_store_close(store);
    return 0;
}

static int teardown(void **state)
{
    munmap(shared, sizeof *shared);
    temp_remove(home);
    return 0;
}

/* --- The process that counts ---------------------------------------------- */
static met_error add(met_recorder *recorder, int thread, uint64_t life,
                     uint64_t number)
{
    char subject[16];
    char value[16];
    met_pair pair = {"a", 1, value, 0};
    met_quantity quantity = {"v", 1, {{0, 0}}};
    met_event event = {.struct_size = sizeof event,
                       .type = "t",
                       .type_size = 1,
                       .subject = subject,
                       .attributes = &pair,
                       .attribute_count = 1,
                       .quantities = &quantity,
                       .quantity_count = 1};

    event.subject_size = (size_t)snprintf(subject, sizeof subject, "%d-%llu",
                                          thread, (unsigned long long)life);
    pair.value_size = (size_t)snprintf(value, sizeof value, "%llu",
                                       (unsigned long long)(number % 37));
    NEED(met__decimal_parse(met__text_z("2"), &quantity.value) == MET_OK);
    return met__recorder_add(recorder, &event, 0, NULL);
}

static void tick(met_recorder *recorder, worker *me)
{
    uint64_t lost = recorder->files_lost;
    met_error error = met__recorder_tick(recorder);

    met__fetch_add(&shared->now_ns, (uint64_t)MET__SECOND_NS * 5);
    NEED(error == MET_OK || error == MET_E_CORRUPT);
    /* Cut in the middle of a tick, it is the next that makes it anew. */
    NEED(error == MET_E_CORRUPT || recorder->files_lost == lost);
    if (recorder->files_lost > lost) {
        NEED(met__load_relaxed(&me->life) + 1 < LIVES);
        met__store_relaxed(&me->slot, recorder->slot.number);
        met__fetch_add(&me->life, 1);
    }
}

static void *count(void *context)
{
    worker *me = context;
    int thread = (int)(me - shared->workers);
    met_recorder *recorder = NULL;

    NEED(met__recorder_open(store, 0, &recorder, NULL) == MET_OK);
    met__store_release(&me->slot, recorder->slot.number);
    for (uint64_t i = 0; met__load_acquire(&shared->phase) == RUN
                         && met__load_relaxed(&shared->failed) == 0; i++) {
        uint64_t life = met__load_relaxed(&me->life);
        met_error error = add(recorder, thread, life, i);
        NEED(error == MET_OK || error == MET_E_IO
             || error == MET_E_TALLY_FULL);
        me->counted[life] += error == MET_OK;
        me->refused += error == MET_E_IO;
        if (i % TICK_EVERY == TICK_EVERY - 1) {
            tick(recorder, me);
        }
        met__fetch_add(&me->events, 1);
    }
    met__store_release(&me->resting, 1);
    while (met__load_acquire(&shared->phase) != CLOSE) {
        usleep(WAIT_US);
    }
    met__fetch_add(&shared->events_lost, recorder->events_lost);
    met__fetch_add(&shared->files_lost, recorder->files_lost);
    met__recorder_close(recorder);
    return NULL;
}

static void count_in_threads(void)
{
    pthread_t threads[THREADS];

    NEED(met__fault_guard_install() == MET_OK);
    open_store();
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], NULL, count, &shared->workers[i])
             == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
    met_store_close(store);
}

/* --- The process that cuts ------------------------------------------------ */
static void wait_once(int times)
{
    uint64_t line = met__load_acquire(&shared->failed);

    if (line != 0 || times == WAITS_MAX) {
        fail_msg("the counting process: line %d", (int)line);
    }
    usleep(WAIT_US);
}

static void wait_for(const met__atomic_u64 *word, uint64_t at_least)
{
    for (int i = 0; met__load_acquire(word) < at_least; i++) {
        wait_once(i);
    }
}

static const char *slot_path(uint64_t slot)
{
    char name[32];

    snprintf(name, sizeof name, "s/tally/%04u.map", (unsigned)slot);
    return temp_path(home, name);
}

/* 1: the file is shorter by now. */
static int cut(uint64_t slot, long size)
{
    const char *path = slot_path(slot);

    if (size < 0) {
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        size = ftell(file) + size + 1; /* -1: as long as it is */
        assert_int_equal(fclose(file), 0);
        assert_int_equal(truncate(path, size), 0);
        return 0;
    }
    assert_int_equal(truncate(path, size), 0);
    return 1;
}

/* Growing asks how long the file is and then makes it longer: a cut between the
 * two is undone, and nobody may ever touch what it took. It is made again. */
static void cut_until_noticed(worker *him, long size)
{
    uint64_t life = met__load_acquire(&him->life);
    uint64_t slot = met__load_acquire(&him->slot);
    struct stat found;

    if (!cut(slot, size)) {
        return;
    }
    for (int i = 0; met__load_acquire(&him->life) == life; i++) {
        if (stat(slot_path(slot), &found) == 0 && found.st_size > size
            && met__load_acquire(&him->life) == life) {
            cut(slot, size);
        }
        wait_once(i);
    }
}

static void cut_again_and_again(void)
{
    static const long sizes[] = {0,     2048,  4096,  8292,   12288, 49152,
                                 51200, -1,    53248, 180224, 184320};
    met__settle_report report;

    for (size_t i = 0; i < ROUNDS; i++) {
        worker *him = &shared->workers[i % THREADS];
        wait_for(&him->events, met__load_acquire(&him->events) + 100);
        if (i % 3 == 0) {
            assert_int_equal(met__settle(store, NULL, 0, 0, &report, NULL),
                             MET_OK);
        }
        cut_until_noticed(him, sizes[i % (sizeof sizes / sizeof *sizes)]);
    }
}

/* --- What is left --------------------------------------------------------- */
typedef struct totals {
    uint64_t events[THREADS][LIVES];
    met__wide sum[THREADS][LIVES];
} totals;

static void add_up(void *context, uint32_t minute,
                   const met__usage_shape *shape, const uint64_t *words)
{
    totals *all = context;
    int thread;
    int life;
    char text[32];

    snprintf(text, sizeof text, "%.*s", (int)shape->subject.size,
             shape->subject.data);
    assert_int_equal(sscanf(text, "%d-%d", &thread, &life), 2);
    all->events[thread][life] += words[MET__PART_COUNT];
    all->sum[thread][life] += met__amount_get(
        words + MET__PART_QUANTITIES + MET__QUANTITY_SUM);
}

static void check_totals(void)
{
    static totals all;
    uint64_t lost = 0;

    each_part(store, &all, add_up);
    for (int i = 0; i < THREADS; i++) {
        const worker *him = &shared->workers[i];
        for (uint64_t k = 0; k <= him->life; k++) {
            assert_true(all.events[i][k] <= him->counted[k]);
            assert_true(all.sum[i][k]
                        == (met__wide)all.events[i][k] * 2000000000);
            lost += him->counted[k] - all.events[i][k];
        }
        /* What no cut came after is all there. */
        assert_int_equal(all.events[i][him->life], him->counted[him->life]);
        assert_true(him->life >= ROUNDS / THREADS - 2);
    }
    assert_true(lost <= shared->events_lost);
    assert_int_equal(shared->files_lost, shared->workers[0].life
                                             + shared->workers[1].life
                                             + shared->workers[2].life
                                             + shared->workers[3].life);
}

static void test_fault__four_threads_and_a_knife(void **state)
{
    met__arena arena;
    int status;
    pid_t child = fork();

    if (child == 0) {
        count_in_threads();
        _exit(met__load_relaxed(&shared->failed) != 0);
    }
    open_store();
    cut_again_and_again();
    for (int i = 0; i < THREADS; i++) { /* and in peace */
        worker *him = &shared->workers[i];
        wait_for(&him->events, met__load_acquire(&him->events) + 200);
    }
    met__store_release(&shared->phase, REST);
    for (int i = 0; i < THREADS; i++) {
        wait_for(&shared->workers[i].resting, 1);
    }
    met__arena_init(&arena, met__store_platform(store));
    met__node *report = met__node_object(&arena);
    assert_int_equal(met__tally_describe(store, &arena, report), MET_OK);
    const met__node *tally = met__node_get(report, "tally");
    int64_t files = met__node_get(tally, "files_lost")->as.integer;
    int64_t events = met__node_get(tally, "events_lost_most")->as.integer;
    met__arena_release(&arena);
    met__store_release(&shared->phase, CLOSE);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("ended with %d, line %d", status, (int)shared->failed);
    }
    assert_int_equal(files, shared->files_lost);
    assert_int_equal(events, shared->events_lost);
    must_settle(store);
    check_totals();
    met_store_close(store);
}

/* --- One thread, step by step --------------------------------------------- */
static void die_without_guard(void)
{
    open_store();
    met_recorder *recorder = must_recorder(store, 64);
    must_add(recorder, "t", "1", "x");
    cut(recorder->slot.number, 4096);
    (void)add(recorder, 0, 0, 0);
}

static void live_with_guard(void)
{
    met__settle_report report;

    NEED(met__fault_guard_install() == MET_OK);
    open_store();
    met_recorder *recorder = must_recorder(store, 64);
    NEED(add(recorder, 0, 0, 1) == MET_OK);
    must_settle(store);
    NEED(add(recorder, 0, 0, 1) == MET_OK);
    cut(recorder->slot.number, 49152);
    /* Nothing is said to be counted that nobody can settle. */
    test_event event = {.type = "t", .subject = "0-0", .a = "1",
                        .quantity = "2"};
    for (int i = 0; i < 3; i++) {
        NEED(add_event(recorder, &event) == MET_E_IO);
        NEED(strstr(last_info.reason, "was cut short") != NULL);
    }
    NEED(met__settle(store, NULL, 0, 0, &report, NULL) == MET_OK);
    NEED(report.held_up_count >= 1);
    NEED(met__recorder_tick(recorder) == MET_E_CORRUPT);
    NEED(recorder->files_lost == 1 && recorder->events_lost == 2);
    NEED(add(recorder, 0, 0, 1) == MET_OK);
    NEED(met__recorder_tick(recorder) == MET_OK);
    must_settle(store);
    NEED(settled_events(store) == 2);
    /* The quantities of a file that was cut and made longer are zeros. */
    must_settle(store);
    cut(recorder->slot.number, 49152);
    cut(recorder->slot.number, 1 << 20);
    NEED(add(recorder, 0, 0, 1) == MET_E_IO);
    NEED(met__recorder_tick(recorder) == MET_E_CORRUPT);
    NEED(add(recorder, 0, 0, 1) == MET_OK);
    cut(recorder->slot.number, 0); /* and all of it, without an event */
    cut(recorder->slot.number, 1 << 20);
    NEED(met__recorder_tick(recorder) == MET_E_CORRUPT);
    NEED(add(recorder, 0, 0, 1) == MET_OK);
    cut(recorder->slot.number, 0);
    met__recorder_close(recorder);
    met_store_close(store);
}

static void test_fault__step_by_step(void **state)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGBUS, SIG_DFL); /* cmocka has a handler */
        die_without_guard();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    child = fork();
    if (child == 0) {
        live_with_guard();
        _exit(met__load_relaxed(&shared->failed) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("ended with %d, line %d", status, (int)shared->failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fault__step_by_step, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_fault__four_threads_and_a_knife,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Killed at every system call, one after the other: a settler that settles a
 * live slot and adopts a dead one, and a recorder that opens and grows. What
 * was acknowledged is settled by whoever comes next, each event once, and the
 * slot serves again. */
#include "usage_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "meter/slot_file.h"
#include "support/syscalls.h"

static char home[64];

/* In memory that every process shares. */
typedef struct shared {
    met__atomic_u64 acknowledged;
    met__atomic_u64 asked; /* rounds that the live recorder is to count */
    met__atomic_u64 done;
    met__atomic_u64 calls; /* of the last life that was not killed */
    met__atomic_u64 failures;
} shared;

static shared *all;
static uint64_t kill_at; /* of this process's system calls; 0: never */
static uint64_t calls;

/* Every write of LMDB and every call of our own comes through here. */
static void kill_here(void)
{
    if (kill_at != 0 && ++calls == kill_at) {
        kill(getpid(), SIGKILL);
    }
}

static met_error open_store(faulty_disk *disk, met_store **store_out)
{
    met__platform platform = test_platform(NULL, disk);

    return met__store_open(&platform, temp_path(home, "s"), MAP_SIZE, 1,
                           store_out, NULL);
}

static void must(met_error error)
{
    if (error != MET_OK) {
        fprintf(stderr, "child: %s\n", met_error_name(error));
        met__fetch_add(&all->failures, 1);
        _exit(1);
    }
}

/* Acknowledges what the recorder took; it may be full. */
static void count(met_recorder *recorder, int events)
{
    for (int i = 0; i < events; i++) {
        char subject[16];
        snprintf(subject, sizeof subject, "s%d", i);
        test_event event = {.type = "t", .subject = subject, .a = "x",
                            .quantity = "2"};
        met_error error = add_event(recorder, &event);
        if (error == MET_OK) {
            met__fetch_add(&all->acknowledged, 1);
        } else if (error != MET_E_TALLY_FULL) {
            must(error);
        }
    }
}

static pid_t start(void (*life)(uint64_t at), uint64_t at)
{
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody outlives the test */
        life(at);
        _exit(0);
    }
    return child;
}

/* A life that ends at the call `at`, or, when there are fewer calls, well. */
static int ends_early(void (*life)(uint64_t at), uint64_t at)
{
    int status = 0;
    pid_t child = start(life, at);

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
                                    : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static met_store *open_counting(uint64_t at)
{
    static faulty_disk disk;
    met_store *store = NULL;

    faulty_disk_init(&disk);
    disk.before = kill_here;
    write_faults.before = kill_here;
    must(open_store(&disk, &store));
    kill_at = at;
    return store;
}

/* --- Lives ---------------------------------------------------------------- */
static void settle_once(uint64_t at)
{
    met_store *store = open_counting(at);

    must(met__settle(store, NULL, 0, 0, NULL, NULL));
}

/* Counts a round whenever it is asked to, until it is killed. */
static void record_when_asked(uint64_t at)
{
    struct timespec some = {0, 200000};
    met_store *store = NULL;
    met_recorder *recorder = NULL;

    (void)at;
    must(open_store(NULL, &store));
    must(met__recorder_open(store, 64, &recorder, NULL));
    for (;;) {
        if (met__load_acquire(&all->done) == met__load_acquire(&all->asked)) {
            nanosleep(&some, NULL);
            continue;
        }
        count(recorder, 3);
        must(met__recorder_tick(recorder)); /* and the epoch ends */
        must(met__recorder_tick(recorder));
        count(recorder, 2);
        met__fetch_add(&all->done, 1);
    }
}

static void record_and_die(uint64_t at)
{
    met_store *store = NULL;
    met_recorder *recorder = NULL;

    (void)at;
    must(open_store(NULL, &store));
    must(met__recorder_open(store, 64, &recorder, NULL));
    count(recorder, 4);
    _exit(0); /* nothing is closed */
}

/* Claims a slot, and grows it for more shapes and for a wider plan. */
static void record_and_grow(uint64_t at)
{
    met_store *store = open_counting(at);
    met_recorder *recorder = NULL;

    must(met__recorder_open(store, 2000, &recorder, NULL));
    count(recorder, 300);
    for (int i = 0; i < 3; i++) {
        must(met__recorder_tick(recorder));
        count(recorder, 300);
    }
    met__recorder_close(recorder);
}

/* --- What is there -------------------------------------------------------- */
/* Settles what the killed one left; exactly what was acknowledged is there,
 * since nobody is killed inside of add. */
static void check(uint64_t at, uint64_t live)
{
    met_store *store = NULL;

    assert_int_equal(open_store(NULL, &store), MET_OK);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_live, live);
    assert_int_equal(report.cells_unreadable, 0);
    assert_int_equal(report.slots_damaged, 0);
    assert_int_equal(must_settle(store).parts, 0);
    uint64_t settled = settled_events(store);
    uint64_t expected = met__load_acquire(&all->acknowledged);
    if (settled != expected) {
        fail_msg("killed at call %llu: %llu acknowledged, %llu settled",
                 (unsigned long long)at, (unsigned long long)expected,
                 (unsigned long long)settled);
    }
    met_store_close(store);
    assert_int_equal(met__load_acquire(&all->failures), 0);
}

/* --- Tests ---------------------------------------------------------------- */
static void ask_live(pid_t child)
{
    struct timespec some = {0, 100000};

    met__fetch_add(&all->asked, 1);
    while (met__load_acquire(&all->done) < met__load_acquire(&all->asked)) {
        int status = 0;
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        nanosleep(&some, NULL);
    }
}

static void test_settlement_kill__settle_and_adopt(void **state)
{
    pid_t live = start(record_when_asked, 0);
    int status = 0;
    uint64_t at = 0;
    int was_killed = 1;

    while (was_killed) {
        ask_live(live);
        assert_false(ends_early(record_and_die, 0));
        was_killed = ends_early(settle_once, ++at);
        check(at, 1);
    }
    kill(live, SIGKILL);
    assert_int_equal(waitpid(live, &status, 0), live);
    check(at, 0);
    print_message("%llu calls of a settlement\n", (unsigned long long)at - 1);
    assert_true(at > 10);
    assert_false(temp_exists(temp_path(home, "s/tally/0003.map")));
}

/* All calls of a life; is_fresh: its slot file is made anew. */
static uint64_t claim_and_grow(int is_fresh)
{
    uint64_t at = 0;
    int was_killed = 1;

    while (was_killed) {
        if (is_fresh) {
            unlink(temp_path(home, "s/tally/0000.map"));
        }
        was_killed = ends_early(record_and_grow, ++at);
        check(at, 0);
        assert_false(ends_early(record_and_die, 0)); /* it serves again */
        check(at, 0);
    }
    return at - 1;
}

static void test_settlement_kill__claim_and_grow(void **state)
{
    uint64_t fresh = claim_and_grow(1);
    uint64_t used = claim_and_grow(0);

    print_message("%llu and %llu calls of a recorder\n",
                  (unsigned long long)fresh, (unsigned long long)used);
    assert_true(used > 10 && fresh > used + 10);
}

static int setup(void **state)
{
    met_store *store = NULL;

    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    assert_int_equal(open_store(NULL, &store), MET_OK);
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", ""));
    met_store_close(store);
    return 0;
}

static int teardown(void **state)
{
    munmap(all, sizeof *all);
    temp_remove(home);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settlement_kill__settle_and_adopt),
        TEST(test_settlement_kill__claim_and_grow),
    };

    return cmocka_run_group_tests_name("settlement_kill", tests, NULL, NULL);
}

/* Processes that record and settle are killed at any instruction, again and
 * again. Settled in the end: all that was acknowledged, and of what was not at
 * most the one event that each killed recorder had in hand. */
#include "usage_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "meter/slot_file.h"

#define RECORDERS 2
#define SUBJECTS 3

static char home[64];
static unsigned kills_wanted = 200;
static uint64_t random_state = 4711;

/* In memory that every process shares; one line per recorder. */
typedef struct shared {
    met__atomic_u64 acknowledged[RECORDERS][SUBJECTS];
    met__atomic_u64 ready;
    met__atomic_u64 now_ns;
    met__atomic_u64 failures;
} shared;

static shared *all;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static int64_t shared_clock(void *context)
{
    return (int64_t)met__load_relaxed(&all->now_ns);
}

static met_error open_store(met_store **store_out)
{
    met__platform platform = test_platform(NULL, NULL);

    platform.clock = (met_clock){NULL, shared_clock, shared_clock};
    return met__store_open(&platform, temp_path(home, "s"), MAP_SIZE, 1,
                           store_out, NULL);
}

static void fail_child(int code)
{
    met__fetch_add(&all->failures, 1);
    _exit(code);
}

/* --- The children ---------------------------------------------------------- */
static void record_for_ever(int number)
{
    met_store *store = NULL;
    met_recorder *recorder = NULL;
    uint64_t turn = 0;

    if (open_store(&store) != MET_OK
        || met__recorder_open(store, 16, &recorder, NULL) != MET_OK) {
        fail_child(2);
    }
    met__fetch_add(&all->ready, 1);
    for (;; turn++) {
        int subject = (int)(turn % SUBJECTS);
        char text[2] = {(char)('0' + subject), 0};
        test_event event = {.type = "t", .subject = text, .a = "x",
                            .quantity = "3"};
        met_error error = add_event(recorder, &event);
        if (error == MET_OK) {
            met__fetch_add(&all->acknowledged[number][subject], 1);
        } else if (error != MET_E_TALLY_FULL) {
            fail_child(3);
        }
        if (turn % 64 == 63) {
            met__fetch_add(&all->now_ns, 25 * MET__SECOND_NS);
            if (met__recorder_tick(recorder) != MET_OK) {
                fail_child(4);
            }
        }
        if (turn % 1024 == 1023) { /* and a life that ends well */
            met__recorder_close(recorder);
            recorder = NULL;
            if (met__recorder_open(store, 16, &recorder, NULL) != MET_OK) {
                fail_child(5);
            }
        }
    }
}

static void settle_for_ever(void)
{
    met_store *store = NULL;

    if (open_store(&store) != MET_OK) {
        fail_child(6);
    }
    met__fetch_add(&all->ready, 1);
    for (;;) {
        if (met__settle(store, NULL, 0, 0, NULL, NULL) != MET_OK) {
            fail_child(7);
        }
    }
}

static pid_t start(int number)
{
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (number < RECORDERS) {
            record_for_ever(number);
        } else {
            settle_for_ever();
        }
    }
    return child;
}

/* --- The parent ------------------------------------------------------------ */
static uint64_t found[SUBJECTS];

static void note_part(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    found[shape->subject.data[0] - '0'] += words[MET__PART_COUNT];
    if (shape->quantity_count == 1) {
        assert_true(met__amount_get(words + MET__PART_QUANTITIES
                                    + MET__QUANTITY_SUM)
                    == (met__wide)words[MET__PART_COUNT] * 3000000000);
    }
}

/* All are dead: settles, and compares. */
static void check(uint64_t recorders_killed)
{
    met_store *store = NULL;
    uint64_t counted = 0;
    uint64_t settled = 0;

    assert_int_equal(open_store(&store), MET_OK);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_live, 0);
    assert_int_equal(report.cells_unreadable, 0);
    assert_int_equal(must_settle(store).cells, 0);
    memset(found, 0, sizeof found);
    each_part(store, NULL, note_part);
    for (int s = 0; s < SUBJECTS; s++) {
        uint64_t acknowledged = 0;
        for (int r = 0; r < RECORDERS; r++) {
            acknowledged += met__load_relaxed(&all->acknowledged[r][s]);
        }
        if (found[s] < acknowledged) {
            fail_msg("subject %d: %llu acknowledged, %llu settled", s,
                     (unsigned long long)acknowledged,
                     (unsigned long long)found[s]);
        }
        counted += acknowledged;
        settled += found[s];
    }
    if (settled > counted + recorders_killed) {
        fail_msg("%llu acknowledged, %llu settled, after %llu kills",
                 (unsigned long long)counted, (unsigned long long)settled,
                 (unsigned long long)recorders_killed);
    }
    met_store_close(store);
}

static void reap(pid_t child)
{
    int status = 0;

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void test_kill__nothing_is_lost(void **state)
{
    pid_t children[RECORDERS + 1];
    uint64_t recorders_killed = 0;
    unsigned kills = 0;

    for (int i = 0; i <= RECORDERS; i++) {
        children[i] = start(i);
    }
    while (kills < kills_wanted) {
        struct timespec some = {0, (long)next_random(4000000)};
        nanosleep(&some, NULL);
        int which = (int)next_random(RECORDERS + 1);
        reap(children[which]);
        recorders_killed += which < RECORDERS;
        kills++;
        if (kills % 40 == 0 || kills == kills_wanted) {
            for (int i = 0; i <= RECORDERS; i++) {
                if (i != which) {
                    reap(children[i]);
                    recorders_killed += i < RECORDERS;
                }
            }
            check(recorders_killed);
            assert_int_equal(met__load_relaxed(&all->failures), 0);
            for (int i = 0; i <= RECORDERS; i++) {
                children[i] = start(i);
            }
        } else {
            children[which] = start(which);
        }
    }
    for (int i = 0; i <= RECORDERS; i++) {
        reap(children[i]);
        recorders_killed += i < RECORDERS;
    }
    check(recorders_killed);
    assert_int_equal(met__load_relaxed(&all->failures), 0);
    assert_true(met__load_relaxed(&all->ready) > 0);
    assert_true(found[0] > kills_wanted);
    print_message("%u kills, %llu events\n", kills,
                  (unsigned long long)(found[0] + found[1] + found[2]));
}

static int setup(void **state)
{
    met_store *store = NULL;

    temp_directory(home, sizeof home);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    met__store_relaxed(&all->now_ns, (uint64_t)START_NS);
    assert_int_equal(open_store(&store), MET_OK);
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

/* recorder_kill_test [KILLS [SEED]] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill__nothing_is_lost, setup,
                                        teardown),
    };

    if (argc > 1) {
        kills_wanted = (unsigned)strtoul(argv[1], NULL, 10);
    }
    if (argc > 2) {
        random_state = strtoull(argv[2], NULL, 10) * 2 + 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

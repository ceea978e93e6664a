/* Processes that take in the same numbered events are killed: at every system
 * call of a batch, one after the other, and at any instruction, several at
 * once, beside a recorder and a settler that are killed too. In the end every
 * event that was acknowledged counts once, whoever sent it again. */
#include "event_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

#include "support/syscalls.h"

#define CHILDREN 4 /* two that take in events, a recorder, a settler */
#define RECORDER 2
#define SETTLER 3
#define BATCH 16

static char home[64];
static unsigned kills_wanted = 150;
static uint64_t random_state = 4711;

/* In memory that every process shares. */
typedef struct shared {
    met__atomic_u64 next;         /* events below are acknowledged by all */
    met__atomic_u64 failures;
    met__atomic_u64 batches;
    met__atomic_u64 recorded; /* events that the recorder acknowledged */
    met__atomic_u64 calls;
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

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static met_error open_store(faulty_disk *disk, met_store **store_out)
{
    met__platform platform = test_platform(NULL, disk);

    return met__store_open(&platform, temp_path(home, "s"), MAP_SIZE, 1,
                           store_out, NULL);
}

/* --- At every system call ------------------------------------------------- */
/* One life: a handle and two batches, the second of which was sent before in
 * part. Dies at the call `at`; 0: how many calls there are. */
static uint64_t live_once(uint64_t first, uint64_t at)
{
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        met_store *store = NULL;
        met__ingest *ingest = NULL;
        faulty_disk disk;
        faulty_disk_init(&disk);
        disk.before = kill_here;
        write_faults.before = kill_here;
        if (open_store(&disk, &store) != MET_OK) {
            met__fetch_add(&all->failures, 1);
        }
        kill_at = at == 0 ? UINT64_MAX : at;
        if (store == NULL
            || met__ingest_open(store, NULL, 0, &ingest, NULL) != MET_OK
            || ingest_numbers(ingest, first, BATCH, NULL, NULL) != MET_OK
            || ingest_numbers(ingest, first + BATCH / 2, BATCH, NULL, NULL)
                   != MET_OK) {
            met__fetch_add(&all->failures, 1);
        }
        met__store_relaxed(&all->calls, calls);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
    return met__load_relaxed(&all->calls);
}

static void test_event_kill__at_every_call(void **state)
{
    uint64_t first = 0;
    uint64_t count = live_once(0, 0);

    first += BATCH + BATCH / 2;
    assert_true(count > 4);
    for (uint64_t at = 1; at <= count; at++) {
        met_store *store = NULL;
        if (at % 3 == 0) {
            unlink(temp_path(home, "s/dedupe.map"));
        }
        live_once(first, at);
        live_once(first, 0); /* sent again by somebody else */
        first += BATCH + BATCH / 2;
        assert_int_equal(open_store(NULL, &store), MET_OK);
        assert_numbers(store, first);
        met_store_close(store);
    }
    assert_int_equal(met__load_relaxed(&all->failures), 0);
}

/* --- At any instruction --------------------------------------------------- */
/* Ends a child that cannot go on, and says where. */
static void must(int where, met_error error)
{
    if (error != MET_OK) {
        met__fetch_add(&all->failures, 1);
        print_error("a child at %d: %s\n", where, met_error_name(error));
        _exit(where);
    }
}

/* All children send the same events, from a little before where all are to a
 * little behind it. */
static void ingest_for_ever(void)
{
    met_store *store = NULL;
    met__ingest *ingest = NULL;

    must(2, open_store(NULL, &store));
    must(3, met__ingest_open(store, NULL, 0, &ingest, NULL));
    for (;;) {
        uint64_t next = met__load_acquire(&all->next);
        uint64_t first = next < 5 ? 0 : next - 5;
        must(4, ingest_numbers(ingest, first, BATCH, NULL, NULL));
        met__fetch_add(&all->batches, 1);
        while (next < first + BATCH
               && !met__cas(&all->next, &next, first + BATCH)) {
        }
    }
}

static void record_for_ever(void)
{
    met_store *store = NULL;
    met_recorder *recorder = NULL;
    test_event event = {.type = "r", .subject = "u"};

    must(5, open_store(NULL, &store));
    must(6, met__recorder_open(store, 16, &recorder, NULL));
    for (;;) {
        met_error error = add_event(recorder, &event);
        if (error == MET_OK) {
            met__fetch_add(&all->recorded, 1);
        } else if (error != MET_E_TALLY_FULL) {
            must(7, error);
        }
    }
}

static void settle_for_ever(void)
{
    met_store *store = NULL;

    must(8, open_store(NULL, &store));
    for (;;) {
        must(9, met__settle(store, NULL, 0, 0, NULL, NULL));
    }
}

static pid_t start(int number)
{
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (number == RECORDER) {
            record_for_ever();
        } else if (number == SETTLER) {
            settle_for_ever();
        } else {
            ingest_for_ever();
        }
    }
    return child;
}

static void reap(pid_t child)
{
    int status = 0;

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void add_recorded(void *context, uint32_t minute,
                         const met__usage_shape *shape, const uint64_t *words)
{
    (void)minute;
    if (met__text_equal(shape->type, MET__TEXT("r"))) {
        *(uint64_t *)context += words[MET__PART_COUNT];
    }
}

/* What was recorded is settled, and at most one event more for each kill. */
static void check_recorded(met_store *store, unsigned kills)
{
    uint64_t found = 0;
    uint64_t recorded = met__load_acquire(&all->recorded);

    must_settle(store);
    each_part(store, &found, add_recorded);
    if (found < recorded || found > recorded + kills) {
        fail_msg("%llu recorded, %llu settled, %u kills",
                 (unsigned long long)recorded, (unsigned long long)found,
                 kills);
    }
}

/* All are dead: at most what they had in hand is beyond what is acknowledged,
 * and sent again it is complete. */
static void check(unsigned recorder_kills)
{
    met_store *store = NULL;
    met__ingest *ingest;
    uint64_t next = met__load_acquire(&all->next);

    assert_int_equal(open_store(NULL, &store), MET_OK);
    check_recorded(store, recorder_kills);
    event_totals totals = totals_of(store);
    assert_true(totals.count >= next && totals.count <= next + BATCH);
    ingest = must_ingest(store);
    assert_int_equal(ingest_numbers(ingest, next < 5 ? 0 : next - 5,
                                    BATCH + 5, NULL, NULL),
                     MET_OK);
    assert_numbers(store, next < 5 ? BATCH + 5 : next + BATCH);
    met__store_release(&all->next, next < 5 ? BATCH + 5 : next + BATCH);
    met__ingest_close(ingest);
    met_store_close(store);
}

static void test_event_kill__many_at_once(void **state)
{
    pid_t children[CHILDREN];
    unsigned kills = 0;
    unsigned recorder_kills = 0;

    for (int i = 0; i < CHILDREN; i++) {
        children[i] = start(i);
    }
    while (kills < kills_wanted) {
        struct timespec some = {0, (long)next_random(6000000)};
        nanosleep(&some, NULL);
        int which = (int)next_random(CHILDREN);
        reap(children[which]);
        recorder_kills += which == RECORDER;
        kills++;
        if (kills % 50 == 0) {
            for (int i = 0; i < CHILDREN; i++) {
                if (i != which) {
                    reap(children[i]);
                    recorder_kills += i == RECORDER;
                }
            }
            check(recorder_kills);
            for (int i = 0; i < CHILDREN; i++) {
                children[i] = start(i);
            }
        } else {
            children[which] = start(which);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        reap(children[i]);
    }
    check(recorder_kills + 1);
    assert_int_equal(met__load_relaxed(&all->failures), 0);
    assert_true(met__load_relaxed(&all->batches) > 0);
    assert_true(met__load_relaxed(&all->recorded) > 0);
}

/* Two that take in the same batch at the same time: one of them has it. */
static void test_event_kill__the_same_batch_at_once(void **state)
{
    for (uint64_t turn = 0; turn < 20; turn++) {
        pid_t children[2];
        for (int i = 0; i < 2; i++) {
            fflush(NULL);
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0) {
                (void)live_once(turn * (BATCH + BATCH / 2), 0);
                _exit(0);
            }
        }
        for (int i = 0; i < 2; i++) {
            int status = 0;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
    }
    met_store *store = NULL;
    assert_int_equal(open_store(NULL, &store), MET_OK);
    assert_numbers(store, 20 * (BATCH + BATCH / 2));
    met_store_close(store);
    assert_int_equal(met__load_relaxed(&all->failures), 0);
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
    must_meter(store, NUMBERS_METER);
    must_meter(store, COUNT_METER("r", "r", ""));
    met_store_close(store);
    return 0;
}

static int teardown(void **state)
{
    munmap(all, sizeof *all);
    temp_remove(home);
    return 0;
}

/* event_kill_test [KILLS [SEED]] */
int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_event_kill__at_every_call),
        TEST(test_event_kill__the_same_batch_at_once),
        TEST(test_event_kill__many_at_once),
    };

    if (argc > 1) {
        kills_wanted = (unsigned)strtoul(argv[1], NULL, 10);
    }
    if (argc > 2) {
        random_state = strtoull(argv[2], NULL, 10) * 2 + 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kill -9 at any moment of a writer's life: what it was told is stored is
 * there, at most the one commit nobody heard of besides, nothing half. */
#include "store_support.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bytes.h"

static char home[64];
static char dir[128];
static _Atomic uint64_t *acknowledged; /* shared with the children */

static uint64_t random_state = 4711;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);
    *acknowledged = 0;
    return 0;
}

static int teardown(void **state)
{
    munmap((void *)(uintptr_t)acknowledged, 4096);
    temp_remove(home);
    return 0;
}

/* The highest: another writer may have gone on since number was committed. */
static void acknowledge(uint64_t number)
{
    uint64_t seen = atomic_load(acknowledged);

    while (seen < number
           && !atomic_compare_exchange_weak(acknowledged, &seen, number)) {
    }
}

/* Commit n: the sequence, a record n of some size, and the sum of all. */
static met_error step(met_store *store)
{
    static char filler[9000];
    unsigned char bytes[8];
    unsigned char key[8];
    met__txn *txn;
    met__text value;
    uint64_t number = 0;
    uint64_t sum = 0;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__txn_sequence(txn, "steps", &number);
    if (error == MET_OK) {
        error = met__txn_get(txn, MET__TABLE_METER, "sum", 3, &value);
        if (error == MET_OK) {
            sum = met__get_u64((const unsigned char *)value.data);
        } else if (error == MET_E_NOT_FOUND && number == 1) {
            error = MET_OK;
        }
    }
    met__put_u64(bytes, sum + number);
    met__put_u64(key, number);
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_METER, "sum", 3, bytes, 8);
    }
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_PART, key, 8, filler,
                             number * 37 % sizeof filler);
    }
    if (error == MET_OK && number > 200) { /* pages are used again */
        met__put_u64(key, number - 200);
        error = met__txn_remove(txn, MET__TABLE_PART, key, 8);
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    error = met__txn_commit(txn);
    if (error == MET_OK) {
        acknowledge(number);
    }
    return error;
}

static void run_until_killed(void)
{
    met_store *store = NULL;

    for (;;) {
        if (try_open(dir, 1, &store) != MET_OK) {
            _exit(10);
        }
        for (int i = 0; i < 20; i++) {
            if (step(store) != MET_OK) {
                _exit(11);
            }
        }
        met_store_close(store);
        store = NULL;
    }
}

/* The store after a kill, and how many steps it holds. */
static uint64_t examine(void)
{
    met_store *store = must_open(dir, 0);
    met__txn *txn;
    met__text value;
    met__scan scan;
    met__text key;
    uint64_t count = 0;
    uint64_t last = 0;
    uint64_t sum = 0;

    assert_int_equal(check_all(store), MET_OK);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    if (met__txn_get(txn, MET__TABLE_META, "sequence.steps", 14, &value)
        == MET_OK) {
        count = met__get_u64((const unsigned char *)value.data);
        assert_int_equal(met__txn_get(txn, MET__TABLE_METER, "sum", 3,
                                      &value),
                         MET_OK);
        sum = met__get_u64((const unsigned char *)value.data);
    }
    assert_int_equal(sum, count * (count + 1) / 2);
    assert_int_equal(met__scan_begin(txn, MET__TABLE_PART, NULL, 0, &scan),
                     MET_OK);
    uint64_t expect = count > 200 ? count - 199 : 1;
    while (met__scan_next(&scan, &key, &value) == MET_OK) {
        last = met__get_u64((const unsigned char *)key.data);
        assert_int_equal(last, expect);
        assert_int_equal(value.size, last * 37 % 9000);
        expect++;
    }
    met__scan_end(&scan);
    assert_int_equal(last, count);
    met__txn_abort(txn);
    met_store_close(store);
    return count;
}

static void sleep_us(uint64_t us)
{
    struct timespec span = {(time_t)(us / 1000000),
                            (long)(us % 1000000) * 1000};
    nanosleep(&span, NULL);
}

static void kill_and_look(int kills, int writers)
{
    uint64_t steps = 0;
    int unheard = 0;

    met_store_close(must_open(dir, 1));
    for (int i = 0; i < kills; i++) {
        pid_t children[4];
        fflush(NULL);
        for (int k = 0; k < writers; k++) {
            children[k] = fork();
            if (children[k] == 0) {
                run_until_killed();
            }
        }
        sleep_us(next_random() % 9000);
        for (int k = 0; k < writers; k++) {
            assert_int_equal(kill(children[k], SIGKILL), 0);
        }
        for (int k = 0; k < writers; k++) {
            int status;
            assert_int_equal(waitpid(children[k], &status, 0), children[k]);
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), SIGKILL);
        }
        uint64_t heard = *acknowledged;
        steps = examine();
        if (steps < heard || steps > heard + (uint64_t)writers) {
            fail_msg("kill %d: %llu steps stored, %llu acknowledged", i,
                     (unsigned long long)steps, (unsigned long long)heard);
        }
        unheard += steps > heard;
        *acknowledged = steps;
    }
    print_message("%d kills, %d writers: %llu steps, none lost, %d stored "
                  "and not heard of\n", kills * writers, writers,
                  (unsigned long long)steps, unheard);
    assert_true(steps > 0); /* how many is the machine's matter */
}

static void test_kill__one_writer(void **state)
{
    kill_and_look(200, 1);
}

/* Whoever is killed holding the lock: the others go on. */
static void test_kill__two_writers(void **state)
{
    kill_and_look(60, 2);
}

/* Killed while creating: a store or nothing, never half a one. */
static void create_and_wait(void)
{
    met_store *store = NULL;

    if (try_open(dir, 1, &store) != MET_OK) {
        _exit(10);
    }
    for (;;) {
        pause();
    }
}

static void test_kill__creating(void **state)
{
    int whole = 0;
    int none = 0;

    for (int i = 0; i < 100; i++) {
        int status;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            create_and_wait();
        }
        sleep_us(next_random() % 6000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (temp_exists(dir)) {
            whole++;
            met_store_close(must_open(dir, 0));
        } else {
            none++;
            met_store_close(must_open(dir, 1));
        }
        temp_remove(dir);
    }
    print_message("100 kills while creating: %d whole stores, %d none\n",
                  whole, none);
}

/* A writer that is stopped holds the others up; killed, it frees them. */
static void test_kill__stopped_writer(void **state)
{
    met_store *store = must_open(dir, 1);
    int pipes[2];
    char byte;

    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        met_store *own = NULL;
        met__txn *txn;
        if (try_open(dir, 0, &own) != MET_OK
            || met__txn_begin(own, 1, &txn) != MET_OK
            || met__txn_put(txn, MET__TABLE_FEATURE, "k", 1, "child", 5)
                   != MET_OK
            || write(pipes[1], "x", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    kill(child, SIGSTOP);
    fflush(NULL);
    pid_t killer = fork();
    if (killer == 0) {
        sleep_us(50000);
        kill(child, SIGKILL);
        _exit(0);
    }
    assert_int_equal(put_one(store, "k", "ours"), MET_OK); /* waits for it */
    assert_true(has_one(store, "k", "ours"));
    int status;
    assert_int_equal(waitpid(killer, &status, 0), killer);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(pipes[0]);
    close(pipes[1]);
    met_store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_kill__one_writer),
        TEST(test_kill__two_writers),
        TEST(test_kill__creating),
        TEST(test_kill__stopped_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

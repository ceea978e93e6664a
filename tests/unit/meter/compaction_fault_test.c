/* Compaction that is killed at every system call, that runs twice at once, and
 * that memory and disk fail: in the end every event counts once, and the next
 * compaction does the rest. */
#include "event_support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "meter/compaction.h"
#include "support/syscalls.h"

#define BATCH 64
#define STEP 16

static char home[64];
static met_store *store;
static faulty_memory memory;
static faulty_disk disk;
static uint64_t next_number;
static uint64_t kill_at; /* of this process's system calls; 0: never */
static uint64_t calls;

static void kill_here(void)
{
    if (kill_at != 0 && ++calls == kill_at) {
        kill(getpid(), SIGKILL);
    }
}

static void open_store(void)
{
    met__platform platform = test_platform(&memory, &disk);

    assert_int_equal(met__store_open(&platform, temp_path(home, "s"), MAP_SIZE,
                                     1, &store, NULL),
                     MET_OK);
}

/* Everything that there is, into days. */
static met_error compact(met__compact_report *report_out)
{
    last_info = (met_error_info){.struct_size = sizeof last_info};
    return met__compact(store, START_NS + 1000 * MET__DAY_NS, 0, STEP, NULL,
                        report_out, &last_info);
}

/* Parts of two hours of two days. */
static void add_batch(void)
{
    met__ingest *ingest = must_ingest(store);

    assert_int_equal(ingest_numbers(ingest, next_number, BATCH, NULL, NULL),
                     MET_OK);
    next_number += BATCH;
    met__ingest_close(ingest);
}

static uint64_t records_of(met__table table)
{
    met__txn *txn = NULL;
    met__scan scan;
    met__text key;
    met__text value;
    uint64_t count = 0;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__scan_begin(txn, table, NULL, 0, &scan), MET_OK);
    while (met__scan_next(&scan, &key, &value) == MET_OK) {
        count++;
    }
    met__scan_end(&scan);
    met__txn_abort(txn);
    return count;
}

/* Nothing is lost or counted twice; the rest is folded now. */
static void check_and_finish(void)
{
    assert_numbers(store, next_number);
    assert_int_equal(compact(NULL), MET_OK);
    assert_numbers(store, next_number);
    assert_int_equal(records_of(MET__TABLE_PART), 0);
    assert_int_equal(records_of(MET__TABLE_HOUR), 0);
    assert_int_equal(records_of(MET__TABLE_DAY), 14);
}

static void disarm(void)
{
    memory.fail_at = 0;
    disk.fail_at = 0;
    disk.before = NULL;
    write_faults = (syscall_faults){0};
}

/* --- Killed --------------------------------------------------------------- */
/* A process that compacts and dies at its call `at`; 0: it lives. */
static pid_t start(uint64_t at)
{
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        open_store();
        disk.before = kill_here;
        write_faults.before = kill_here;
        kill_at = at == 0 ? UINT64_MAX : at;
        met_error error = compact(NULL);
        _exit(error != MET_OK ? 255 : calls > 250 ? 250 : (int)calls);
    }
    return child;
}

/* How many calls it made; 0: it was killed. */
static int wait_for(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 0;
    }
    assert_int_not_equal(WEXITSTATUS(status), 255);
    return WEXITSTATUS(status);
}

static void test_compaction_kill__at_every_call(void **state)
{
    int made = 0;

    for (uint64_t at = 1; made == 0; at++) {
        add_batch();
        met_store_close(store);
        made = wait_for(start(at));
        open_store();
        check_and_finish();
        assert_true(made == 0 || (at > 20 && made < 250));
    }
}

static void test_compaction_kill__two_at_once(void **state)
{
    for (uint64_t at = 1; at < 60; at += 3) {
        add_batch();
        met_store_close(store);
        pid_t children[] = {start(at), start(0), start(at + 1)};
        for (int i = 0; i < 3; i++) {
            (void)wait_for(children[i]);
        }
        open_store();
        check_and_finish();
    }
}

/* --- Failed --------------------------------------------------------------- */
static void test_compaction_fault__memory(void **state)
{
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        for (long k = 1;; k++) {
            met__compact_report report = {.parts = 77};
            add_batch();
            long live = memory.live;
            memory.calls = 0;
            memory.for_ever = for_ever;
            memory.fail_at = k;
            met_error error = compact(&report);
            int was_met = memory.calls >= k;
            disarm();
            assert_int_equal(memory.live, live);
            assert_int_equal(error, was_met ? MET_E_NO_MEMORY : MET_OK);
            assert_true(was_met ? report.parts == 77 : report.parts > 30);
            check_and_finish();
            if (!was_met) {
                assert_true(k > 10);
                break;
            }
        }
    }
}

static void test_compaction_fault__writes(void **state)
{
    static const int errors[] = {EIO, ENOSPC, 0};
    int io = 0;
    int full = 0;

    for (int kind = 0; kind < 3; kind++) {
        for (long k = 1;; k++) {
            add_batch();
            syscall_arm(&write_faults, k, kind == 1, errors[kind]);
            met_error error = compact(NULL);
            int was_met = write_faults.calls >= k;
            disarm();
            io += error == MET_E_IO;
            full += error == MET_E_DISK_FULL;
            assert_true(error == MET_OK || error == MET_E_IO
                        || error == MET_E_DISK_FULL);
            if (met__store_check_handle(store) != MET_OK) {
                met_store_close(store);
                open_store();
            }
            check_and_finish();
            if (!was_met) {
                assert_int_equal(error, MET_OK);
                assert_true(k > 10);
                break;
            }
        }
    }
    assert_true(io > 10 && full > 5);
}

/* Damage is an answer, not a number. */
static void test_compaction_fault__damage(void **state)
{
    static const met__table tables[] = {MET__TABLE_PART, MET__TABLE_HOUR};

    for (int i = 0; i < 2; i++) {
        met__txn *txn = NULL;
        add_batch();
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        assert_int_equal(met__txn_put(txn, tables[i], "\0\0\0\1", 4, "", 0),
                         MET_OK);
        assert_int_equal(met__txn_commit(txn), MET_OK);
        assert_int_equal(compact(NULL), MET_E_CORRUPT);
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        assert_int_equal(met__txn_remove(txn, tables[i], "\0\0\0\1", 4),
                         MET_OK);
        assert_int_equal(met__txn_commit(txn), MET_OK);
        check_and_finish();
    }
}

static int setup(void **state)
{
    static const met__path path = {NULL, "settings", 0};
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;

    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    memory = (faulty_memory){0};
    faulty_disk_init(&disk);
    next_number = 0;
    open_store();
    must_meter(store, NUMBERS_METER);
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__json_parse(&arena,
                                     MET__TEXT("{\"keep_hours\":\"P1D\"}"),
                                     &node, NULL),
                     MET_OK);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__usage_settings_put(txn, node, &path, NULL), MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met__arena_release(&arena);
    return 0;
}

static int teardown(void **state)
{
    disarm();
    met_store_close(store);
    assert_int_equal(memory.live, 0);
    temp_remove(home);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_compaction_kill__at_every_call),
        TEST(test_compaction_kill__two_at_once),
        TEST(test_compaction_fault__memory),
        TEST(test_compaction_fault__writes),
        TEST(test_compaction_fault__damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

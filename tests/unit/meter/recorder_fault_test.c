/* Memory and disk that fail while recorders open, tick, take plans and close,
 * and while settlement runs: the k-th call, for every k, once and for ever. The
 * call answers an error, the next one works, and no event is lost or counted
 * twice. */
#include "usage_support.h"

#include "support/syscalls.h"

static char home[64];
static met_store *store;
static faulty_memory memory;
static faulty_disk disk;
static uint64_t acknowledged;
static int faults_met;

/* What may be answered while faults are armed. */
static met_error expected;

static void disarm(void)
{
    memory.fail_at = 0;
    disk.fail_at = 0;
    write_faults.is_armed = 0;
}

/* 1: the call failed as it may, and is to be made again, undisturbed. */
static int failed(met_error error)
{
    if (error == MET_OK) {
        return 0;
    }
    if (error != expected) {
        fail_msg("%s, not %s; the disk failed in \"%s\"",
                 met_error_name(error), met_error_name(expected), disk.last);
    }
    faults_met++;
    disarm();
    return 1;
}

static void add(met_recorder *recorder, const char *subject, int with_value)
{
    test_event event = {.type = "t", .subject = subject, .a = "x", .b = "y",
                        .quantity = with_value ? "1.5" : NULL};

    assert_int_equal(add_event(recorder, &event), MET_OK);
    acknowledged++;
}

/* Every call that may allocate or touch a file; from a clean state to one. */
static void scenario(int turn)
{
    met_recorder *recorder = NULL;

    while (failed(met__recorder_open(store, 32, &recorder, NULL))) {
        assert_null(recorder);
    }
    long calls = memory.calls;
    add(recorder, "1", 0);
    add(recorder, "2", 1);
    add(recorder, "1", 1);
    assert_int_equal(memory.calls, calls); /* nothing in the request path */
    while (failed(met__recorder_tick(recorder))) {
    }
    /* Another plan, taken while memory or disk may be failing. */
    long memory_at = memory.fail_at;
    long disk_at = disk.fail_at;
    long disk_calls = disk.calls;
    calls = memory.calls;
    memory.fail_at = disk.fail_at = 0;
    must_meter(store, turn % 2 ? COUNT_METER("c", "t", "\"x\":\"$.a\"")
                               : COUNT_METER("c", "t", "\"x\":\"$.a\","
                                                       "\"y\":\"$.b\""));
    memory.fail_at = memory_at;
    disk.fail_at = disk_at;
    memory.calls = calls;
    disk.calls = disk_calls;
    while (failed(met__recorder_tick(recorder))) {
    }
    add(recorder, "2", 1);
    add(recorder, "3", 0);
    test_now_ns += MET__MINUTE_NS;
    while (failed(met__settle(store, NULL, 0, 0, NULL, NULL))) {
    }
    add(recorder, "1", 1);
    while (failed(met__recorder_tick(recorder))) {
    }
    met__recorder_close(recorder);
    while (failed(met__settle(store, NULL, 0, 0, NULL, NULL))) {
    }
}

static void check(long k)
{
    disarm();
    met__settle_report report = must_settle(store);
    if (settled_events(store) != acknowledged) {
        fail_msg("call %ld: %llu settled, %llu acknowledged", k,
                 (unsigned long long)settled_events(store),
                 (unsigned long long)acknowledged);
    }
    assert_int_equal(report.slots_live, 0);
    assert_int_equal(must_settle(store).cells, 0);
}

static void open_store(void)
{
    met__platform platform = test_platform(&memory, &disk);

    assert_int_equal(met__store_open(&platform, temp_path(home, "s"), MAP_SIZE,
                                     1, &store, NULL),
                     MET_OK);
}

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    memory = (faulty_memory){0};
    faulty_disk_init(&disk);
    write_faults = (syscall_faults){0};
    acknowledged = 0;
    faults_met = 0;
    open_store();
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", ""));
    scenario(1);
    return 0;
}

static int teardown(void **state)
{
    disarm();
    met_store_close(store);
    assert_int_equal(memory.live, 0);
    assert_int_equal(disk.open_files, 0);
    temp_remove(home);
    return 0;
}

static void test_fault__memory(void **state)
{
    expected = MET_E_NO_MEMORY;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        long live = memory.live;
        for (long k = 1;; k++) {
            memory.calls = 0;
            memory.for_ever = for_ever;
            memory.fail_at = k;
            scenario((int)k);
            int was_met = memory.calls >= k;
            check(k);
            assert_int_equal(memory.live, live);
            if (!was_met) {
                assert_true(k > 20);
                break;
            }
        }
    }
    assert_true(faults_met > 40);
}

static void sweep_disk(int error)
{
    disk.error = error;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        long open_files = disk.open_files;
        for (long k = 1;; k++) {
            disk.calls = 0;
            disk.for_ever = for_ever;
            disk.fail_at = k;
            scenario((int)k);
            int was_met = disk.calls >= k;
            check(k);
            assert_int_equal(disk.open_files, open_files);
            if (!was_met) {
                assert_true(k > 20);
                break;
            }
        }
    }
    assert_true(faults_met > 40);
}

static void test_fault__disk(void **state)
{
    expected = MET_E_IO;
    sweep_disk(EIO);
}

static void test_fault__disk_full(void **state)
{
    expected = MET_E_DISK_FULL;
    sweep_disk(ENOSPC);
}

/* The writes of a commit itself. After one that may or may not have been
 * stored, the store must be opened again; recording goes on meanwhile. */
static void test_fault__commit(void **state)
{
    static const int errors[] = {EIO, ENOSPC};

    for (int kind = 0; kind < 2; kind++) {
        for (long k = 1;; k++) {
            met_recorder *recorder = must_recorder(store, 32);
            add(recorder, "1", 1);
            add(recorder, "2", 0);
            syscall_arm(&write_faults, k, 0, errors[kind]);
            met_error error = met__settle(store, NULL, 0, 0, NULL, NULL);
            int was_met = write_faults.calls >= k;
            disarm();
            if (error != MET_E_IO && error != MET_E_DISK_FULL) {
                assert_int_equal(error, MET_OK);
                assert_false(was_met);
            }
            faults_met += was_met;
            add(recorder, "1", 1);
            test_now_ns += MET__MINUTE_NS;
            add(recorder, "1", 1);
            met__recorder_close(recorder);
            if (met__store_check_handle(store) != MET_OK) {
                met_store_close(store);
                open_store();
            }
            check(k);
            if (!was_met) {
                assert_true(k > 2);
                break;
            }
        }
    }
    assert_true(faults_met > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fault__memory),
        TEST(test_fault__disk),
        TEST(test_fault__disk_full),
        TEST(test_fault__commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

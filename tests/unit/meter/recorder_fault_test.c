/* Memory and disk that fail while recorders open, tick, take plans and close,
 * and while settlement runs: the k-th call, for every k, once and for ever. The
 * call answers an error, the next one works, and no event is lost or counted
 * twice. */
#include "usage_support.h"

#include "fault_sweep.h"
#include "meter/recorder_state.h"

static char home[64];
static met_store *store;
static uint64_t acknowledged;

static void add(met_recorder *recorder, const char *subject, int with_value)
{
    test_event event = {.type = "t", .subject = subject, .a = "x", .b = "y",
                        .quantity = with_value ? "1.5" : NULL};

    assert_int_equal(add_event(recorder, &event), MET_OK);
    acknowledged++;
}

/* Every call that may allocate or touch a file; from a clean state to one. */
static void scenario(long turn)
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
    open_faulty_store(temp_path(home, "s"), &store);
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    sweep_reset();
    acknowledged = 0;
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
    sweep_memory(20, scenario, check);
}

static void test_fault__disk(void **state)
{
    sweep_disk(EIO, 20, scenario, check);
}

static void test_fault__disk_full(void **state)
{
    sweep_disk(ENOSPC, 20, scenario, check);
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

/* Every slot file is taken, here by what nobody can read; then one is not. */
static void test_fault__no_slot_left(void **state)
{
    met_recorder *recorder = NULL;
    char name[32];

    (void)state;
    for (int slot = 0; slot < MET__SLOTS_MAX; slot++) {
        snprintf(name, sizeof name, "s/tally/%04d.map", slot);
        FILE *file = fopen(temp_path(home, name), "wb");
        assert_non_null(file);
        assert_true(fputs("this is no slot file", file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met_recorder_open(store, NULL, &recorder, &last_info),
                     MET_E_LIMIT);
    assert_null(recorder);
    assert_string_equal(last_info.field, "recorders");
    assert_string_equal(last_info.reason,
                        "1000 slot files are in use or wait to be settled");
    temp_remove(temp_path(home, "s/tally/0777.map"));
    recorder = must_recorder(store, 32);
    assert_int_equal(recorder->slot.number, 777);
    add(recorder, "1", 1);
    met__recorder_close(recorder);
    assert_int_equal(must_settle(store).slots_damaged, MET__SLOTS_MAX - 1);
    assert_int_equal(settled_events(store), acknowledged);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fault__memory),
        TEST(test_fault__disk),
        TEST(test_fault__disk_full),
        TEST(test_fault__commit),
        TEST(test_fault__no_slot_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

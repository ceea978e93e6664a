/* Memory and disk that fail while events are taken in: the k-th call, for
 * every k, once and for ever. The call answers an error, the next one works,
 * and every event counts once. */
#include "event_support.h"

#include <unistd.h>

#include "fault_sweep.h"

#define BATCH 12

static char home[64];
static met_store *store;
static uint64_t next_number;

/* Every call that may allocate or touch a file: a handle's first batch, which
 * builds the index, one with duplicates, JSON, another plan. */
static void scenario(long k)
{
    met__ingest *ingest = NULL;
    char json[512];

    unlink(temp_path(home, "s/dedupe.map"));
    while (failed(met__ingest_open(store, NULL, 0, &ingest, NULL))) {
        assert_null(ingest);
    }
    while (failed(ingest_numbers(ingest, next_number, BATCH, NULL, NULL))) {
    }
    while (failed(ingest_numbers(ingest, next_number + BATCH / 2, BATCH,
                                 NULL, NULL))) {
    }
    next_number += BATCH + BATCH / 2;
    snprintf(json, sizeof json,
             "[{\"specversion\":\"1.0\",\"id\":\"%llu\",\"source\":\"s\","
             "\"type\":\"t\",\"subject\":\"%ld\",\"time\":"
             "\"2026-03-01T00:00:00Z\",\"data\":{\"v\":\"%llu\"}},{}]",
             (unsigned long long)next_number, k,
             (unsigned long long)next_number);
    while (failed(met__event_ingest_json(ingest, met__text_z(json), 0, NULL,
                                         NULL, NULL, NULL))) {
    }
    next_number++;
    met__ingest_close(ingest);
}

static void check(long k)
{
    (void)k;
    assert_numbers(store, next_number);
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
    next_number = 0;
    open_store();
    must_meter(store, NUMBERS_METER);
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

static void test_event_fault__memory(void **state)
{
    sweep_memory(12, scenario, check);
}

static void test_event_fault__disk(void **state)
{
    sweep_disk(EIO, 10, scenario, check);
}

static void test_event_fault__disk_full(void **state)
{
    sweep_disk(ENOSPC, 10, scenario, check);
}

/* The writes of a commit. After one that may or may not be stored the same
 * batch is sent again, and counts once. */
static void test_event_fault__commit(void **state)
{
    static const int errors[] = {EIO, ENOSPC};

    for (int kind = 0; kind < 2; kind++) {
        for (long k = 1;; k++) {
            met__ingest *ingest = must_ingest(store);
            syscall_arm(&write_faults, k, 0, errors[kind]);
            met_error error = ingest_numbers(ingest, next_number, BATCH, NULL,
                                             NULL);
            int was_met = write_faults.calls >= k;
            disarm();
            if (error != MET_E_IO && error != MET_E_DISK_FULL) {
                assert_int_equal(error, MET_OK);
                assert_false(was_met);
            }
            faults_met += was_met;
            if (met__store_check_handle(store) != MET_OK) {
                met__ingest_close(ingest);
                met_store_close(store);
                open_store();
                ingest = must_ingest(store);
            }
            assert_int_equal(ingest_numbers(ingest, next_number, BATCH, NULL,
                                            NULL),
                             MET_OK);
            next_number += BATCH;
            met__ingest_close(ingest);
            assert_numbers(store, next_number);
            if (!was_met) {
                assert_true(k > 2);
                break;
            }
        }
    }
    assert_true(faults_met > 5);
}

/* A map that is too small: refused as a whole, and what was accepted before
 * stays; with a larger one the same batch goes in. */
static void test_event_fault__map_full(void **state)
{
    met__platform platform = test_platform(&memory, &disk);
    met_error error = MET_OK;

    met_store_close(store);
    assert_int_equal(met__store_open(&platform, temp_path(home, "small"),
                                     UINT64_C(1) << 20, 1, &store, NULL),
                     MET_OK);
    must_meter(store, NUMBERS_METER);
    met__ingest *ingest = must_ingest(store);
    while (error == MET_OK) {
        error = ingest_numbers(ingest, next_number, 64, NULL, NULL);
        next_number += error == MET_OK ? 64 : 0;
    }
    assert_int_equal(error, MET_E_MAP_FULL);
    assert_true(next_number > 200);
    assert_numbers(store, next_number);
    met__ingest_close(ingest);
    met_store_close(store);
    assert_int_equal(met__store_open(&platform, temp_path(home, "small"),
                                     UINT64_C(64) << 20, 1, &store, NULL),
                     MET_OK);
    ingest = must_ingest(store);
    assert_int_equal(ingest_numbers(ingest, next_number, 64, NULL, NULL),
                     MET_OK);
    assert_numbers(store, next_number + 64);
    met__ingest_close(ingest);
}

/* --- The index ------------------------------------------------------------ */
static met_error cut_index(void *context, const met_event_verdict *verdicts,
                           size_t count)
{
    long size = *(const long *)context;

    assert_int_equal(verdicts[0].verdict, MET_VERDICT_ACCEPTED);
    assert_int_equal(count, 1);
    assert_int_equal(truncate(temp_path(home, "s/dedupe.map"), size), 0);
    return MET_OK;
}

/* Cut while a batch asks it: what it said may have been said of zeros. */
static void test_event_fault__index_cut(void **state)
{
    static const char event[] =
        "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"s\","
        "\"type\":\"t\",\"subject\":\"1\",\"time\":"
        "\"2026-03-01T00:00:00Z\",\"data\":{\"v\":\"1\"}}";
    static long sizes[] = {0, 4096, 8192, 10000};
    met_error_info info = {.struct_size = sizeof info};
    met__ingest *ingest;

    (void)state;
    ingest = must_ingest(store);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(met__event_ingest_json(ingest, MET__TEXT(event), 0,
                                                NULL, cut_index, &sizes[i],
                                                &info),
                         MET_E_IO);
        assert_string_equal(info.field, "dedupe.map");
        assert_non_null(strstr(info.reason, "nothing is stored"));
        assert_int_equal(settled_events(store), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(met__event_ingest_json(ingest, MET__TEXT(event), 0,
                                                NULL, NULL, NULL, NULL),
                         MET_OK);
        assert_int_equal(settled_events(store), 1);
        assert_int_equal(truncate(temp_path(home, "s/dedupe.map"), 8192), 0);
    }
    met__ingest_close(ingest);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_event_fault__memory),
        TEST(test_event_fault__disk),
        TEST(test_event_fault__disk_full),
        TEST(test_event_fault__commit),
        TEST(test_event_fault__map_full),
        TEST(test_event_fault__index_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

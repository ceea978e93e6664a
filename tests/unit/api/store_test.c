/* store.h: what the report of a store says of usage that waits. The store's
 * own part of it has its tests in unit/store. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

static met_error stats(void)
{
    met_buffer *out = fresh();
    return keep(met_store_stats(store, out, &told), out);
}

static met_recorder *open_recorder(void)
{
    met_recorder *recorder = NULL;

    fresh();
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    return recorder;
}

static void add(met_recorder *recorder)
{
    met_pair pair = {"service_name", 12, "s", 1};
    met_event event = {.struct_size = sizeof event,
                       .type = "kong.api_request",
                       .type_size = 16,
                       .subject = "ariel",
                       .subject_size = 5,
                       .attributes = &pair,
                       .attribute_count = 1};

    fresh();
    assert_ok(met_recorder_add(recorder, &event, &told));
}

static void test_api_store__is_billing_alive(void **state)
{
    assert_ok(stats());
    assert_shown("tally.slots", "0");
    assert_shown("tally.cells_unsettled", "0");
    assert_shown("tally.oldest_unsettled", "");
    must_have_catalog();
    met_recorder *recorder = open_recorder();
    add(recorder);
    clock_now_ns += 90 * INT64_C(1000000000);
    assert_ok(stats());
    assert_shown("format", "1");
    assert_shown("tally.slots_live", "1");
    assert_shown("tally.cells_unsettled", "1");
    assert_shown("tally.oldest_unsettled", "2026-03-15T10:30:00Z");
    assert_shown("tally.oldest_unsettled_seconds", "90");
    assert_ok(settle());
    assert_ok(stats());
    assert_shown("tally.cells_unsettled", "0");
    assert_shown("tally.oldest_unsettled", "");
    /* Counted, and its owner is gone: still there to be settled. */
    add(recorder);
    met_recorder_close(recorder);
    assert_ok(stats());
    assert_shown("tally.slots_live", "0");
    assert_shown("tally.slots_dead", "1");
    assert_shown("tally.cells_unsettled", "1");
    assert_ok(settle());
    assert_shown("events", "1");
}

static void test_api_store__no_memory(void **state)
{
    must_have_catalog();
    met_recorder *recorder = open_recorder();
    add(recorder);
    met_error error = MET_E_NO_MEMORY;
    for (int k = 1; error != MET_OK; k++) {
        assert_true(k < 1000);
        memory.calls = 0;
        memory.fail_at = k;
        error = stats();
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
    }
    met_recorder_close(recorder);
}

int main(void)
{
#define TEST(name)                                         \
    cmocka_unit_test_setup_teardown(name, documents_setup, \
                                    documents_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_api_store__is_billing_alive),
        TEST(test_api_store__no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

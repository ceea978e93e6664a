/* Bills while memory below the library runs out at the k-th allocation, for
 * every k; while the disk refuses the k-th write; and when the store is full:
 * the right error, nothing half done, no number lost, no request unbilled. */
#include "support/syscalls.h"
#include "unit/invoice/invoice_support.h"

/* One more request is due, and so one more cent. */
static void use_one(void)
{
    must_use("a", "2026-02-10T10:00:00Z", 1);
    must_settle();
}

static void begin(void)
{
    must_publish_card(
        "unit", story_card("{\"type\":\"unit\",\"amount\":\"0.01\"}", NULL));
    subscribe_from("a", "unit", FEBRUARY);
    use_one();
    assert_ok(finalize("a", MARCH));
}

/* Every request so far is on one invoice, and invoices have no gap. */
static void check_bills(unsigned requests, unsigned invoices)
{
    char path[64];
    char number[32];
    unsigned billed = 0;

    assert_ok(list("a"));
    const met__node *items = met__node_get(answer, "items");
    assert_int_equal(items->count, invoices);
    for (unsigned i = 0; i < invoices; i++) {
        snprintf(path, sizeof path, "items.%u.number", i);
        snprintf(number, sizeof number, "INV-%04u", i + 1);
        assert_shown(path, number);
        snprintf(path, sizeof path, "items.%u.lines.0.quantity", i);
        billed += (unsigned)strtoul(shown(path), NULL, 10);
    }
    assert_int_equal(billed, requests);
    assert_int_equal(check_all(store), MET_OK);
}

/* --- Memory of the libraries below: LMDB, jansson and msgpack ------------- */
#ifdef SYSCALL_MEMORY
static void disarm(void)
{
    memory_faults.is_armed = 0;
}

static met_error call_finalize(void)
{
    return finalize("a", MARCH);
}
static met_error call_preview(void)
{
    return preview("a", MARCH, 0);
}
static met_error call_get(void)
{
    return get("INV-0001");
}
static met_error call_list(void)
{
    return list("a");
}
#endif

static void memory_below_runs_out(void **state)
{
    (void)state;
#ifdef SYSCALL_MEMORY
    static met_error (*const calls[])(void) = {call_preview, call_get,
                                               call_list, call_finalize};
    begin();
    use_one();
    uint64_t before = stored_digest();
    when_answered = disarm;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int done = 0;
        for (long k = 1; !done; k++) {
            syscall_arm(&memory_faults, k, 0, 0);
            met_error error = calls[i]();
            done = memory_faults.calls < k || error == MET_OK;
            disarm();
            if (error != (done ? MET_OK : MET_E_NO_MEMORY)) {
                fail_msg("call %zu, allocation %ld: %s \"%s\"", i, k,
                         met_error_name(error), told.reason);
            }
            assert_true(calls[i] == call_finalize && done
                            ? stored_digest() != before
                            : stored_digest() == before);
        }
    }
    when_answered = NULL;
    check_bills(2, 2);
#endif
}

/* --- A write or a flush that fails ---------------------------------------- */
static void writes_fail(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    unsigned requests = 1;
    unsigned invoices = 1;
    int done = 0;
    long k = 1;

    (void)state;
    begin();
    for (; !done; k++) {
        use_one();
        requests++;
        uint64_t before = stored_digest();
        syscall_arm(&write_faults, k, 0, errors[k % 2]);
        met_error error = finalize("a", MARCH);
        done = write_faults.calls < k;
        write_faults.is_armed = 0;
        if (done ? error != MET_OK
                 : error != MET_E_IO && error != MET_E_DISK_FULL) {
            fail_msg("write %ld: %s", k, met_error_name(error));
        }
        open_again_if_over();
        invoices++;
        if (!done && stored_digest() == before) {
            assert_ok(finalize("a", MARCH)); /* it was not stored */
        } else {
            /* It was, perhaps without being told: once is enough. */
            assert_told(finalize("a", MARCH), MET_E_CONFLICT, "as_of_ns",
                        "nothing is due");
        }
        check_bills(requests, invoices);
    }
    assert_true(k > 3);
}

/* --- A store that is full ------------------------------------------------- */
static void the_store_is_full(void **state)
{
    met_platform platform = {.struct_size = sizeof platform};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = UINT64_C(5) << 18,
                               .flags = MET_STORE_CREATE};
    const char *path = temp_path(home, "small");
    char card[512];

    (void)state;
    platform.allocator = (met_allocator){&memory, faulty_allocate,
                                         faulty_reallocate, faulty_release};
    platform.clock = (met_clock){NULL, stopped_utc_ns, stopped_utc_ns};
    met_store_close(store);
    store = NULL;
    fresh();
    assert_ok(
        met_store_open(path, strlen(path), &config, &store, &told));
    must_put_story();
    snprintf(card, sizeof card,
             "{\"key\":\"example_service\",\"name\":\"%0240d\",\"feature\":{"
             "\"key\":\"example_service\"},\"billing_cadence\":\"PT1H\","
             "\"price\":{\"type\":\"unit\",\"amount\":\"1\"}}",
             7);
    must_publish_card("hourly", card);
    subscribe_from("a", "hourly", "2025-09-15T00:00:00Z");
    uint64_t before = stored_digest();
    assert_int_equal(finalize("a", MARCH), MET_E_MAP_FULL);
    assert_true(stored_digest() == before);
    /* Less at a time still has room, and gets the first number. */
    assert_ok(finalize("a", "2025-10-15T00:00:00Z"));
    assert_shown("number", "INV-0001");
    assert_shown("lines.719.period.to", "2025-10-15T00:00:00Z");
    assert_shown("lines.720", "");
    before = stored_digest();
    assert_int_equal(finalize("a", MARCH), MET_E_MAP_FULL);
    assert_true(stored_digest() == before);
    assert_ok(get("INV-0001"));
    assert_int_equal(check_all(store), MET_OK);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(memory_below_runs_out),
        CASE(writes_fail),
        CASE(the_store_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Settlement with its balances while the disk refuses the k-th write, and
 * while memory below the library runs out: whatever failed, the next
 * settlement puts usage, balance and quota cell right. */
#include "support/billing.h"
#include "support/syscalls.h"

#include "metering/entitlement.h"

#define MOMENT "2026-03-10T10:00:00Z"

/* Balance and cell say what was counted, each request once. */
static void check_used(unsigned requests)
{
    char used[16];
    met__quota_table *table = NULL;
    met__quota_state cell;
    met__customer *customer;
    met__arena arena;
    met__txn *txn;
    met_buffer *buffer = fresh();

    assert_ok(keep(met_entitlement_get(store, "a", 1, "example_service", 15,
                                       0, buffer, &told),
                   buffer));
    snprintf(used, sizeof used, "%u", requests);
    assert_shown("usage", used);
    fresh();
    assert_ok(met__quota_open_store(store, &table, &told));
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__customer_get(txn, MET__TEXT("a"), &arena, &customer), MET_OK);
    met__hash128 key =
        met__quota_key(met__store_secret(store), customer->id,
                       MET__TEXT("example_service"));
    /* The first period of the row that begins in March. */
    uint64_t number = (uint64_t)time_of("2026-03-01T00:00:00Z") >> 3;
    assert_int_equal(met__quota_read(table, key, number, &cell), MET_OK);
    assert_int_equal(cell.taken, 0);
    assert_int_equal(cell.limit,
                     (1000 - (int64_t)requests) * MET__QUOTA_UNIT);
    met__txn_abort(txn);
    met__arena_release(&arena);
    met__quota_close(table);
    assert_int_equal(check_all(store), MET_OK);
}

/* One request more, in a slot but not settled. It did not come through admit,
 * which would have taken it from the cell already. */
static void use_one(void)
{
    must_use_at("a", "example_service", time_of(MOMENT), 1, 0);
    met__recorder_close(recorder);
    recorder = NULL;
}

static void begin(void)
{
    met__quota_table *table = NULL;

    must_put_customer("a");
    must_subscribe("a", "free", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    fresh();
    assert_ok(met__quota_open_store(store, &table, &told));
    met__quota_close(table);
    use_one();
    assert_ok(settle());
    check_used(1);
}

static void writes_fail(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    unsigned requests = 1;
    int done = 0;
    long k = 1;

    (void)state;
    begin();
    for (; !done; k++) {
        use_one();
        requests++;
        syscall_arm(&write_faults, k, 0, errors[k % 2]);
        met_error error = settle();
        done = write_faults.calls < k;
        write_faults.is_armed = 0;
        if (done ? error != MET_OK
                 : error != MET_E_IO && error != MET_E_DISK_FULL) {
            fail_msg("write %ld: %s", k, met_error_name(error));
        }
        open_again_if_over();
        assert_ok(settle());
        check_used(requests);
    }
    assert_true(k > 3);
}

static void memory_below_runs_out(void **state)
{
    (void)state;
#ifdef SYSCALL_MEMORY
    unsigned requests = 1;
    int done = 0;
    begin();
    for (long k = 1; !done; k++) {
        use_one();
        requests++;
        syscall_arm(&memory_faults, k, 0, 0);
        met_error error = settle();
        done = memory_faults.calls < k;
        memory_faults.is_armed = 0;
        if (error != MET_OK && (done || error != MET_E_NO_MEMORY)) {
            fail_msg("allocation %ld: %s \"%s\"", k, met_error_name(error),
                     told.reason);
        }
        assert_ok(settle());
        check_used(requests);
    }
#endif
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(writes_fail),
        CASE(memory_below_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

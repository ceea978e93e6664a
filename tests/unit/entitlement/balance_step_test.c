/* The step of settlement: whatever happens, and in whatever order, a stored
 * balance equals the usage query over its period. */
#include "support/billing.h"

#include "entitlement/balance.h"
#include "entitlement/customer_usage.h"

/* --- The invariant -------------------------------------------------------- */
static size_t stored_balances(met__txn *txn)
{
    met__scan scan;
    met__text key;
    met__text value;
    size_t count = 0;

    assert_int_equal(
        met__scan_begin(txn, MET__TABLE_BALANCE, NULL, 0, &scan), MET_OK);
    while (met__scan_next(&scan, &key, &value) == MET_OK) {
        count++;
    }
    met__scan_end(&scan);
    return count;
}

static void check_period(met__txn *txn, const met__holder *holder,
                         const met__allowance *allowance, met__period period,
                         met__arena *arena)
{
    met__balance balance;
    met_decimal total;
    met_decimal admitted;

    assert_int_equal(met__balance_get(txn, holder, allowance, period, arena,
                                      &balance, NULL),
                     MET_OK);
    assert_int_equal(met__customer_usage(txn, holder->customer,
                                         allowance->feature, allowance->meter,
                                         period, MET__USAGE_ANY, &total, NULL),
                     MET_OK);
    assert_int_equal(met__customer_usage(txn, holder->customer,
                                         allowance->feature, allowance->meter,
                                         period, MET__USAGE_ADMITTED,
                                         &admitted, NULL),
                     MET_OK);
    assert_int_equal(met__decimal_compare(balance.total, total), 0);
    assert_int_equal(met__decimal_compare(balance.admitted, admitted), 0);
}

/* Every period of every allowance of a customer up to a horizon. */
static void check_customer(met__txn *txn, const char *key)
{
    met__terms_cache terms = {0};
    met__customer *customer;
    met__holder *holder;
    met__arena arena;

    met__arena_init(&arena, answer_arena.platform);
    if (met__customer_get(txn, met__text_z(key), &arena, &customer)
        != MET_OK) {
        met__arena_release(&arena);
        return;
    }
    assert_int_equal(met__holder_of(txn, customer, &terms, &arena, &holder),
                     MET_OK);
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        int64_t horizon = clock_now_ns + 90 * MET__DAY_NS;
        int64_t at = allowance->row.from_ns;
        while (at < allowance->row.to_ns && at < horizon) {
            met__period period;
            uint64_t number;
            if (met__quota_row_period(&allowance->row, at, &number, &period)
                != MET_OK) {
                break; /* a row without a whole minute's end */
            }
            check_period(txn, holder, allowance, period, &arena);
            at = period.to_ns;
        }
    }
    met__arena_release(&arena);
}

static const char *const keys[] = {"a", "b", "c"};

static size_t check_everything(void)
{
    met__txn *txn;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (size_t i = 0; i < 3; i++) {
        check_customer(txn, keys[i]);
    }
    size_t count = stored_balances(txn);
    met__txn_abort(txn);
    return count;
}

/* --- Random histories ----------------------------------------------------- */
static uint64_t seed;

static unsigned dice(unsigned sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % sides;
}

/* Subjects wander between the customers; those of a running subscription may
 * not, and are refused. */
static void put_random_customer(void)
{
    char json[512];
    unsigned extra = dice(4);

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"n%u\",\"currency\":\"USD\","
             "\"usage_attribution\":{\"subject_keys\":[%s]}}",
             keys[dice(3)], dice(2),
             extra == 0   ? ""
             : extra == 1 ? "\"s\""
             : extra == 2 ? "\"t\""
                          : "\"s\",\"t\"");
    fresh();
    met_error error =
        met_customer_put(store, json, strlen(json), NULL, &told);
    assert_true(error == MET_OK || error == MET_E_CONFLICT);
}

static char last_ids[64][32];
static unsigned id_count;

static void subscribe_random(void)
{
    char json[512];
    char from[40] = "";
    met__buffer time;
    met__platform platform = faulty_platform(NULL, NULL);

    met__buffer_init(&time, &platform);
    assert_int_equal(
        met__time_print(clock_now_ns
                            + ((int64_t)dice(90) - 45) * MET__DAY_NS
                            + (int64_t)dice(86400) * MET__SECOND_NS,
                        &time),
        MET_OK);
    snprintf(from, sizeof from, "%s", time.data);
    met__buffer_release(&time);
    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"plan\":{\"key\":\"%s\"},"
             "\"active_from\":\"%s\"}",
             keys[dice(3)],
             dice(3) == 0   ? "free"
             : dice(2) == 0 ? "phased"
                            : "premium",
             from);
    met_buffer *buffer = fresh();
    met_error error = keep(met_subscription_create(store, json, strlen(json),
                                                   MET_ALLOW_PAST, buffer,
                                                   &told),
                           buffer);
    assert_true(error == MET_OK || error == MET_E_CONFLICT
                || error == MET_E_NOT_FOUND);
    if (error == MET_OK && id_count < 64) {
        snprintf(last_ids[id_count++], sizeof last_ids[0], "%s", shown("id"));
    }
}

static void cancel_random(void)
{
    if (id_count == 0) {
        return;
    }
    const char *id = last_ids[dice(id_count)];
    uint64_t flags = dice(2) ? MET_CANCEL_NEXT_BILLING_CYCLE : 0;
    fresh();
    met_error error =
        met_subscription_cancel(store, id, strlen(id), 0, flags, NULL, &told);
    assert_true(error == MET_OK || error == MET_E_CONFLICT
                || error == MET_E_INVALID);
}

static void use_random(void)
{
    static const char *const subjects[] = {"a", "b", "c", "s", "t", "x"};
    int64_t at = clock_now_ns + ((int64_t)dice(70) - 60) * MET__DAY_NS
                 + (int64_t)dice(86400) * MET__SECOND_NS;

    must_use_at(subjects[dice(6)], dice(4) ? "example_service" : "other", at,
                1 + dice(3), dice(2) ? MET__RECORD_ADMITTED : 0);
}

static void put_phased_plan(void)
{
    must_publish(
        "phased",
        "{\"key\":\"phased\",\"name\":\"Phased\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"trial\","
        "\"name\":\"Trial\",\"duration\":\"P10D\",\"rate_cards\":[{\"key\":"
        "\"example_service\",\"name\":\"Example\",\"feature\":{\"key\":"
        "\"example_service\"},\"entitlement\":{\"type\":\"metered\","
        "\"limit\":\"10\",\"usage_period\":\"P1W\"}}]},{\"key\":\"paid\","
        "\"name\":\"Paid\",\"rate_cards\":[{\"key\":\"example_service\","
        "\"name\":\"Example\",\"feature\":{\"key\":\"example_service\"},"
        "\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"unit\","
        "\"amount\":\"1\"},\"entitlement\":{\"type\":\"metered\",\"limit\":"
        "\"20\",\"usage_period\":\"P1M\"}}]}]}");
}

static void random_history(void **state)
{
    size_t most = 0;

    (void)state;
    put_phased_plan();
    id_count = 0;
    for (unsigned step = 0; step < 120; step++) {
        switch (dice(8)) {
        case 0:
            put_random_customer();
            break;
        case 1:
            subscribe_random();
            break;
        case 2:
            cancel_random();
            break;
        case 3:
            clock_now_ns += (int64_t)dice(10 * 86400) * MET__SECOND_NS;
            break;
        default:
            for (unsigned i = dice(6); i > 0; i--) {
                use_random();
            }
        }
        if (dice(3) == 0) {
            must_settle();
        }
        size_t count = check_everything();
        most = count > most ? count : most;
    }
    must_settle();
    check_everything();
    assert_true(most > 0);
}

static unsigned history_count = 3;

static void random_histories(void **state)
{
    seed = 20260324;
    for (unsigned i = 0; i < history_count; i++) {
        random_history(state);
        assert_int_equal(billing_teardown(state), 0);
        assert_int_equal(billing_setup(state), 0);
    }
}

/* --- Single cases --------------------------------------------------------- */
/* Two subjects of one customer in one pass are one balance, also when it is
 * derived for the first time. */
static void subjects_share_a_balance(void **state)
{
    (void)state;
    must_put_customer("a");
    must_subscribe("a", "free", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("a", "2026-03-10T10:00:00Z", 2);
    must_use("consumer:a", "2026-03-10T10:00:00Z", 3);
    must_settle();
    assert_int_equal(check_everything(), 1);
    must_use("consumer:a", "2026-03-10T10:05:00Z", 3);
    must_use("a", "2026-03-10T10:05:00Z", 2);
    must_settle();
    assert_int_equal(check_everything(), 1);
}

/* Subject keys go to somebody else and come back, all in one nanosecond: what
 * was counted in between must not be missing. */
static void a_subject_goes_and_comes_back(void **state)
{
    static const char with[] =
        "{\"key\":\"a\",\"name\":\"A\",\"usage_attribution\":"
        "{\"subject_keys\":[\"s\"]}}";
    static const char without[] = "{\"key\":\"a\",\"name\":\"A\"}";

    (void)state;
    fresh();
    assert_ok(met_customer_put(store, with, strlen(with), NULL, &told));
    must_subscribe("a", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\","
                   "\"active_to\":\"2026-03-12T00:00:00Z\"");
    must_use("s", "2026-03-10T10:00:00Z", 2);
    must_settle();
    assert_int_equal(check_everything(), 1);
    assert_ok(met_customer_put(store, without, strlen(without), NULL, &told));
    check_everything();
    must_use("s", "2026-03-10T10:00:00Z", 5);
    must_settle();
    check_everything();
    assert_ok(met_customer_put(store, with, strlen(with), NULL, &told));
    check_everything();
}

/* Usage first, then the subscription that it belongs to. */
static void a_subscription_after_its_usage(void **state)
{
    (void)state;
    must_put_customer("a");
    must_use("a", "2026-03-10T10:00:00Z", 2);
    must_settle();
    assert_int_equal(check_everything(), 0);
    must_subscribe("a", "free", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    check_everything();
    must_use("a", "2026-03-10T10:00:00Z", 1);
    must_settle();
    assert_int_equal(check_everything(), 1);
}

static void memory_runs_out(void **state)
{
    met_error error;
    long k = 0;

    (void)state;
    must_put_customer("a");
    must_subscribe("a", "free", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("a", "2026-03-10T10:00:00Z", 1);
    must_settle();
    must_use("a", "2026-03-10T10:00:00Z", 2);
    must_use("consumer:a", "2026-03-10T10:00:00Z", 2);
    met__recorder_close(recorder);
    recorder = NULL;
    do {
        long live = memory.live;
        memory.calls = 0;
        memory.fail_at = ++k;
        error = settle();
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        assert_int_equal(memory.live, live);
        check_everything();
    } while (error != MET_OK);
    assert_true(k > 5);
    assert_int_equal(check_everything(), 1);
}

/* The argument is how many histories; a few without one. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        history_count = (unsigned)strtoul(argv[1], NULL, 10);
    }
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(random_histories),
        CASE(subjects_share_a_balance),
        CASE(a_subject_goes_and_comes_back),
        CASE(a_subscription_after_its_usage),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

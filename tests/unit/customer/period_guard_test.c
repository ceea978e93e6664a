/* Which hours and days the periods of a customer part. */
#include "support/catalog_calls.h"

#include "customer/period_guard.h"

#define CARD                                                                \
    "{\"key\":\"example_service\",\"name\":\"E\",\"feature\":{\"key\":"     \
    "\"example_service\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":" \
    "\"unit\",\"amount\":\"1\"},\"entitlement\":{\"type\":\"metered\","     \
    "\"limit\":\"5\",\"usage_period\":\"P7D\",\"is_soft_limit\":true}}"
#define PHASES                                                              \
    "{\"key\":\"phases\",\"name\":\"P\",\"currency\":\"USD\","              \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"trial\",\"name\":"  \
    "\"T\",\"duration\":\"P10DT90M\",\"rate_cards\":[" CARD "]},{\"key\":"  \
    "\"rest\",\"name\":\"R\",\"rate_cards\":[" CARD "]}]}"

static int setup(void **state)
{
    documents_setup(state);
    clock_now_ns = time_of("2026-01-01T00:00:00Z");
    must_have_catalog();
    assert_ok(plan_put(PHASES));
    assert_ok(plan_publish("phases"));
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\","
                           "\"usage_attribution\":{\"subject_keys\":[\"a\","
                           "\"b\"]}}"));
    return 0;
}

static void subscribe_at(const char *plan, const char *time)
{
    char json[128];

    clock_now_ns = time_of(time);
    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"%s\"}}", plan);
    assert_ok(subscribe(json, 0));
}

static int parts(const met__compact_guard *guard, met__txn *txn,
                 const char *subject, const char *from, int hours)
{
    int is_parted = -1;
    int64_t from_ns = time_of(from);

    assert_int_equal(guard->parts(guard->context, txn, met__text_z(subject),
                                  from_ns, from_ns + hours * MET__HOUR_NS,
                                  &is_parted),
                     MET_OK);
    return is_parted;
}

typedef struct row {
    const char *subject;
    const char *from;
    int hours;
    int is_parted;
} row;

static void check(const row *rows, size_t count)
{
    met__period_guard *periods = NULL;
    met__txn *txn = NULL;

    assert_int_equal(met__period_guard_create(store, NULL, &periods), MET_OK);
    met__compact_guard guard = met__period_guard_of(periods);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(guard.begin(guard.context, txn), MET_OK);
        for (size_t i = 0; i < count * 2; i++) {
            const row *at = &rows[i % count];
            if (parts(&guard, txn, at->subject, at->from, at->hours)
                != at->is_parted) {
                fail_msg("%s from %s", at->subject, at->from);
            }
        }
    }
    met__txn_abort(txn);
    met__period_guard_destroy(periods);
}

static void test_guard__months(void **state)
{
    static const row rows[] = {
        {"a", "2026-01-10T09:00:00Z", 1, 0},
        {"a", "2026-01-10T10:00:00Z", 1, 1},
        {"b", "2026-01-10T10:00:00Z", 1, 1},
        {"c", "2026-01-10T10:00:00Z", 1, 1},
        {"nobody", "2026-01-10T10:00:00Z", 1, 0},
        {"a", "2026-01-10T11:00:00Z", 1, 0},
        {"a", "2026-01-10T00:00:00Z", 24, 1},
        {"a", "2026-01-11T00:00:00Z", 24, 0},
        {"a", "2026-02-10T00:00:00Z", 24, 1},
        {"a", "2026-02-10T10:00:00Z", 1, 1},
        {"a", "2026-02-10T11:00:00Z", 1, 0},
        {"a", "2036-02-10T10:00:00Z", 1, 1},
        {"a", "2025-12-10T10:00:00Z", 1, 0},
        {"a", "2200-12-10T10:00:00Z", 1, 1}, /* the last period begins */
        {"a", "2200-12-11T00:00:00Z", 24, 0},
    };

    subscribe_at("premium", "2026-01-10T10:30:30Z");
    check(rows, sizeof rows / sizeof *rows);
}

/* A period that begins inside a minute begins for usage with the minute. */
static void test_guard__on_the_hour(void **state)
{
    static const row rows[] = {
        {"a", "2026-01-10T10:00:00Z", 1, 0},
        {"a", "2026-01-10T09:00:00Z", 1, 0},
        {"a", "2026-02-10T00:00:00Z", 24, 1},
    };

    subscribe_at("premium", "2026-01-10T10:00:59Z");
    check(rows, sizeof rows / sizeof *rows);
}

static void test_guard__phases_and_usage_periods(void **state)
{
    static const row rows[] = {
        {"a", "2026-01-01T00:00:00Z", 24, 0},
        {"a", "2026-01-11T00:00:00Z", 24, 1}, /* the trial ends at 01:30 */
        {"a", "2026-01-11T01:00:00Z", 1, 1},
        {"a", "2026-01-11T02:00:00Z", 1, 0},
        {"a", "2026-01-15T00:00:00Z", 24, 0}, /* weeks begin at midnight */
        {"a", "2026-02-01T00:00:00Z", 24, 0},
    };
    static const row moved[] = {
        {"a", "2026-01-08T00:00:00Z", 1, 1},
        {"a", "2026-01-15T00:00:00Z", 1, 1},
        {"a", "2026-01-15T01:00:00Z", 1, 0},
        {"a", "2026-01-16T00:00:00Z", 24, 0},
    };

    subscribe_at("phases", "2026-01-01T00:00:00Z");
    check(rows, sizeof rows / sizeof *rows);
    documents_teardown(state);
    setup(state);
    subscribe_at("phases", "2026-01-01T00:20:00Z");
    check(moved, sizeof moved / sizeof *moved);
}

static void test_guard__ends(void **state)
{
    static const row rows[] = {
        {"a", "2026-01-10T12:00:00Z", 1, 1},
        {"a", "2026-01-10T13:00:00Z", 1, 0},
        {"a", "2026-02-10T10:00:00Z", 1, 0},
    };
    char id[32];

    subscribe_at("premium", "2026-01-10T10:30:00Z");
    snprintf(id, sizeof id, "%s", shown("id"));
    clock_now_ns = time_of("2026-01-10T12:15:00Z");
    assert_ok(subscription_cancel(id, 0, 0));
    check(rows, sizeof rows / sizeof *rows);
}

static void test_guard__no_memory(void **state)
{
    subscribe_at("premium", "2026-01-10T10:30:00Z");
    for (long k = 1;; k++) {
        met__period_guard *periods = NULL;
        met__txn *txn = NULL;
        int is_parted = -1;

        assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
        memory.calls = 0;
        memory.fail_at = k;
        met_error error = met__period_guard_create(store, NULL, &periods);
        if (error == MET_OK) {
            met__compact_guard guard = met__period_guard_of(periods);
            error = guard.begin(guard.context, txn);
            if (error == MET_OK) {
                error = guard.parts(guard.context, txn, MET__TEXT("a"),
                                    time_of("2026-01-10T10:00:00Z"),
                                    time_of("2026-01-10T11:00:00Z"),
                                    &is_parted);
            }
        }
        memory.fail_at = 0;
        met__period_guard_destroy(periods);
        met__txn_abort(txn);
        if (error == MET_OK) {
            assert_int_equal(is_parted, 1);
            assert_true(k > 2);
            return;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        assert_int_equal(is_parted, -1);
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, documents_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_guard__months),
        TEST(test_guard__on_the_hour),
        TEST(test_guard__phases_and_usage_periods),
        TEST(test_guard__ends),
        TEST(test_guard__no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

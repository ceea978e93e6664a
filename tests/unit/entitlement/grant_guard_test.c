/* Which hours grants, resets and entitlements that stand alone part. */
#include "support/entitled.h"

#include "entitlement/grant_guard.h"
#include "metering/meter.h"

static int parts(const char *subject, const char *from, int hours)
{
    met__period_guard *periods = NULL;
    int64_t from_ns = time_of(from);
    met__txn *txn = NULL;
    int is_parted = -1;

    assert_int_equal(
        met__period_guard_create(store, &met__grant_guard, &periods), MET_OK);
    met__compact_guard guard = met__period_guard_of(periods);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(guard.begin(guard.context, txn), MET_OK);
    assert_int_equal(guard.parts(guard.context, txn, met__text_z(subject),
                                 from_ns, from_ns + hours * MET__HOUR_NS,
                                 &is_parted),
                     MET_OK);
    met__txn_abort(txn);
    met__period_guard_destroy(periods);
    return is_parted;
}

static void grants_part_where_they_change(void **state)
{
    (void)state;
    must_subscribe_ariel();
    const char *id = must_grant(
        ",\"amount\":\"5\",\"effective_at\":\"2026-03-16T10:05:30Z\","
        "\"expiration\":{\"duration\":\"day\",\"count\":3},\"recurrence\":{"
        "\"interval\":\"PT36H\",\"anchor\":\"2026-03-10T00:20:00Z\"}");
    assert_true(parts("ariel", "2026-03-16T10:00:00Z", 1));
    assert_true(parts("consumer:ariel", "2026-03-16T10:00:00Z", 1));
    assert_false(parts("rosario", "2026-03-16T10:00:00Z", 1));
    assert_false(parts("ariel", "2026-03-16T11:00:00Z", 1));
    assert_true(parts("ariel", "2026-03-19T10:00:00Z", 1)); /* expiry */
    assert_true(parts("ariel", "2026-03-17T12:00:00Z", 1)); /* recurrence */
    assert_false(parts("ariel", "2026-03-17T13:00:00Z", 1));
    assert_false(parts("ariel", "2026-03-14T12:00:00Z", 1)); /* not yet */
    assert_false(parts("ariel", "2026-03-23T12:00:00Z", 1)); /* over */
    clock_now_ns = time_of("2026-03-18T07:59:59Z");
    fresh();
    assert_ok(met_grant_void(store, id, 26, 0, 0, NULL, &told));
    assert_true(parts("ariel", "2026-03-18T07:00:00Z", 1));
    assert_false(parts("ariel", "2026-03-18T08:00:00Z", 1));
}

static void so_do_resets_and_entitlements(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_ok(entitle(",\"type\":\"metered\",\"usage_period\":{\"interval\":"
                      "\"P1D\",\"anchor\":\"2026-03-01T05:10:00Z\"},"
                      "\"measure_usage_from\":\"2026-03-13T20:20:00Z\"",
                      0));
    assert_true(parts("ariel", "2026-03-15T10:00:00Z", 1)); /* begins */
    assert_true(parts("ariel", "2026-03-13T20:00:00Z", 1)); /* measures */
    assert_true(parts("ariel", "2026-03-14T05:00:00Z", 1));
    assert_true(parts("ariel", "2026-03-20T05:00:00Z", 1));
    assert_false(parts("ariel", "2026-03-20T06:00:00Z", 1));
    clock_now_ns = time_of("2026-03-21T13:33:33Z");
    assert_ok(reset(NULL));
    assert_true(parts("ariel", "2026-03-21T13:00:00Z", 1));
    assert_true(parts("ariel", "2026-03-22T13:00:00Z", 1));
    assert_false(parts("ariel", "2026-03-23T05:00:00Z", 1));
    fresh();
    assert_ok(met_entitlement_remove(store, "ariel", 5, "example_service", 15,
                                     &told));
    assert_true(parts("ariel", "2026-03-21T00:00:00Z", 24));
    assert_false(parts("ariel", "2026-03-23T13:00:00Z", 1));
}

/* A folded month answers what it answered. */
static void balances_survive_compaction(void **state)
{
    static const char *const looks[] = {
        "2026-03-16T10:05:00Z", "2026-03-17T12:19:00Z",
        "2026-03-17T12:20:00Z", "2026-03-19T10:04:00Z",
        "2026-03-19T10:05:00Z", "2026-03-31T23:59:00Z"};
    char before[6][64];
    met_compact_config config = {.struct_size = sizeof config};

    (void)state;
    must_subscribe_ariel();
    must_grant(",\"amount\":\"5\",\"effective_at\":\"2026-03-16T10:05:30Z\","
               "\"expiration\":{\"duration\":\"day\",\"count\":3},"
               "\"recurrence\":{\"interval\":\"PT36H\",\"anchor\":"
               "\"2026-03-10T00:20:00Z\"}");
    for (int i = 0; i < 15 * 24; i++) {
        must_use_at("ariel", "example_service",
                    time_of("2026-03-16T00:03:00Z") + i * MET__HOUR_NS
                        + i % 50 * MET__MINUTE_NS,
                    1, 0);
    }
    must_settle();
    clock_now_ns = time_of("2026-12-01T00:00:00Z");
    for (size_t i = 0; i < 6; i++) {
        look(looks[i]);
        snprintf(before[i], sizeof before[i], "%s %s", shown("balance"),
                 shown("usage"));
    }
    fresh();
    assert_ok(met_store_compact(store, &config, NULL, &told));
    for (size_t i = 0; i < 6; i++) {
        char after[64];
        look(looks[i]);
        snprintf(after, sizeof after, "%s %s", shown("balance"),
                 shown("usage"));
        assert_string_equal(after, before[i]);
    }
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(grants_part_where_they_change),
        CASE(so_do_resets_and_entitlements),
        CASE(balances_survive_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Usage of a customer: all its subjects, the feature's filters, whole minutes,
 * and how it came in. */
#include "support/billing.h"

#include "entitlement/customer_usage.h"
#include "metering/meter.h"

static met_error usage(const char *from, const char *to, uint32_t way,
                       int64_t *value_out)
{
    met__customer *customer;
    met__feature *feature;
    met__meter *meter;
    met_decimal value;
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__customer_get(txn, MET__TEXT("a"), &arena, &customer), MET_OK);
    assert_int_equal(met__feature_get(txn, MET__TEXT("example_service"),
                                      &arena, &feature),
                     MET_OK);
    assert_int_equal(
        met__meter_get(txn, feature->meter_key, &arena, &meter), MET_OK);
    met__period period = {time_of(from), time_of(to)};
    met_error error = met__customer_usage(txn, customer, feature, meter,
                                          period, way, &value, NULL);
    if (error == MET_OK) {
        assert_int_equal(met__decimal_to_i64(value, value_out), MET_OK);
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
    return error;
}

/* Of customer a and the story's feature; "" is none up to `to`. */
static void first_is(const char *from, const char *to, const char *expected)
{
    int64_t to_ns = time_of(to);
    int64_t at_ns = -1;
    met__customer *customer;
    met__feature *feature;
    met__meter *meter;
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__customer_get(txn, MET__TEXT("a"), &arena, &customer), MET_OK);
    assert_int_equal(met__feature_get(txn, MET__TEXT("example_service"),
                                      &arena, &feature),
                     MET_OK);
    assert_int_equal(
        met__meter_get(txn, feature->meter_key, &arena, &meter), MET_OK);
    assert_int_equal(met__customer_first(txn, customer, feature, meter,
                                         (met__period){time_of(from), to_ns},
                                         &at_ns),
                     MET_OK);
    met__txn_abort(txn);
    met__arena_release(&arena);
    if (at_ns != (expected[0] != 0 ? time_of(expected) : to_ns)) {
        fail_msg("%s: %lld", from, (long long)at_ns);
    }
}

/* In minutes, and the same when they are folded into hours and days. */
static void the_first_usage(void **state)
{
    met_compact_config config = {.struct_size = sizeof config};

    (void)state;
    must_put_customer("a");
    must_put_customer("b");
    first_is("1970-01-01T00:00:00Z", "2200-12-31T23:59:00Z", "");
    must_use("b", "2026-03-10T10:00:00Z", 1);
    must_use_at("a", "other", time_of("2026-03-10T10:00:00Z"), 1, 0);
    must_use("consumer:a", "2026-03-12T09:30:30Z", 1);
    must_use("a", "2026-03-12T11:45:00Z", 1);
    must_use("a", "2026-03-14T20:00:00Z", 1);
    must_settle();
    for (int turn = 0; turn < 2; turn++) {
        first_is("1970-01-01T00:00:00Z", "2200-12-31T23:59:00Z",
                 "2026-03-12T09:30:00Z");
        first_is("2026-03-12T00:00:00Z", "2026-03-12T09:30:00Z", "");
        first_is("2026-03-12T09:30:00Z", "2026-03-12T09:31:00Z",
                 "2026-03-12T09:30:00Z");
        first_is("2026-03-12T12:00:00Z", "2026-03-15T00:00:00Z",
                 "2026-03-14T20:00:00Z");
        first_is("2026-03-14T20:01:00Z", "2026-04-01T00:00:00Z", "");
        first_is("2026-03-12T10:00:00Z", "2026-03-12T10:00:00Z", "");
        clock_now_ns = time_of("2027-12-01T00:00:00Z");
        fresh();
        assert_ok(met_store_compact(store, &config, NULL, &told));
    }
    /* What is folded knows its first and last minute. */
    first_is("2026-03-12T09:31:00Z", "2026-03-13T00:00:00Z",
             "2026-03-12T11:45:00Z");
    /* Later usage of an earlier minute. */
    must_use("a", "2026-03-12T03:00:00Z", 1);
    must_settle();
    first_is("2026-03-12T00:00:00Z", "2026-03-13T00:00:00Z",
             "2026-03-12T03:00:00Z");
}

static void one_number(void **state)
{
    static const struct {
        const char *reason;
        const char *from;
        const char *to;
        uint32_t way;
        int64_t value;
    } rows[] = {
        {"every subject, this service only", "2026-03-10T00:00:00Z",
         "2026-03-11T00:00:00Z", MET__USAGE_ANY, 15},
        {"through admit", "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z",
         MET__USAGE_ADMITTED, 3},
        {"not through admit", "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z",
         MET__USAGE_OTHER, 12},
        {"the end is exclusive", "2026-03-10T00:00:00Z",
         "2026-03-10T10:01:00Z", MET__USAGE_ANY, 7},
        {"the end is cut to its minute", "2026-03-10T00:00:00Z",
         "2026-03-10T10:01:59.999999999Z", MET__USAGE_ANY, 7},
        {"the start too", "2026-03-10T10:01:59Z", "2026-03-11T00:00:00Z",
         MET__USAGE_ANY, 8},
        {"nothing between", "2026-03-10T10:01:00Z", "2026-03-10T10:01:59Z",
         MET__USAGE_ANY, 0},
        {"backwards", "2026-03-11T00:00:00Z", "2026-03-10T00:00:00Z",
         MET__USAGE_ANY, 0},
        {"before all", "2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z",
         MET__USAGE_ANY, 0},
    };

    (void)state;
    must_put_customer("a");
    must_put_customer("b");
    must_use("a", "2026-03-10T10:00:00Z", 3);
    must_use_at("consumer:a", "example_service",
                time_of("2026-03-10T10:00:59.999999999Z"), 4, 0);
    must_use_at("a", "example_service", time_of("2026-03-10T10:01:00Z"), 8,
                0);
    must_use_at("a", "other", time_of("2026-03-10T10:00:00Z"), 16, 0);
    must_use_at("b", "example_service", time_of("2026-03-10T10:00:00Z"), 32,
                0);
    must_settle();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = -1;
        assert_int_equal(
            usage(rows[i].from, rows[i].to, rows[i].way, &value), MET_OK);
        if (value != rows[i].value) {
            fail_msg("%s: %lld", rows[i].reason, (long long)value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_usage, billing_setup,
                                        billing_teardown),
        cmocka_unit_test_setup_teardown(one_number, billing_setup,
                                        billing_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

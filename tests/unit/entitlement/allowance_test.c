/* Allowances: what a plan promises, in the units of a quota cell. */
#include "support/billing.h"

#include "entitlement/allowance.h"

#define MOMENT "2026-03-10T10:00:00Z"
#define FROM_MARCH ",\"active_from\":\"2026-03-01T00:00:00Z\""

static met__arena arena;
static met__txn *txn;

/* Of "a"; ends with leave(). */
static met__holder *enter(void)
{
    met__terms_cache terms = {0};
    met__customer *customer;
    met__holder *holder = NULL;

    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__customer_get(txn, MET__TEXT("a"), &arena,
                                       &customer),
                     MET_OK);
    assert_int_equal(met__holder_of(txn, customer, &terms, &arena, &holder),
                     MET_OK);
    return holder;
}

static void leave(void)
{
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* --- Units ---------------------------------------------------------------- */
static void granted_is_in_the_unit_of_the_meter(void **state)
{
    static const struct {
        const char *reason;
        const char *limit;
        const char *conversion; /* NULL: none */
        int64_t halves;
    } rows[] = {
        {"as it is", "1000", NULL, 2000},
        {"nothing", "0", NULL, 0},
        {"the smallest part of a unit", "7.000000001", NULL, 15},
        {"a large part of a unit", "0.999999999", NULL, 1},
        {"the most", "999999999999999", NULL, INT64_C(1999999999999998)},
        {"thousands", "1.5", "\"divide\",\"conversion_factor\":\"1000\"",
         3000},
        {"thirds are rounded down", "1",
         "\"multiply\",\"conversion_factor\":\"3\"", 1},
        {"beyond the cell after the conversion", "1000000000000",
         "\"divide\",\"conversion_factor\":\"1000000000000\"",
         MET__QUOTA_AMOUNT_MAX},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[16];
        char card[768];
        const char *conversion = rows[i].conversion;
        snprintf(key, sizeof key, "p%u", i);
        snprintf(card, sizeof card,
                 "{\"key\":\"example_service\",\"name\":\"E\",\"feature\":{"
                 "\"key\":\"example_service\"},\"billing_cadence\":\"P1M\","
                 "\"price\":{\"type\":\"unit\",\"amount\":\"1\"}%s%s%s,"
                 "\"entitlement\":{\"type\":\"metered\",\"limit\":\"%s\"}}",
                 conversion ? ",\"unit_config\":{\"operation\":" : "",
                 conversion ? conversion : "", conversion ? "}" : "",
                 rows[i].limit);
        must_publish_card(key, card);
        must_put_customer("a");
        const char *id = must_subscribe("a", key, FROM_MARCH);
        met__holder *holder = enter();
        const met__allowance *found = met__holder_find(
            holder, MET__TEXT("example_service"), time_of(MOMENT));
        assert_non_null(found);
        if (found->row.limit != rows[i].halves) {
            fail_msg("%s: %lld", rows[i].reason,
                     (long long)found->row.limit);
        }
        assert_int_equal(found->row.flags, 0);
        leave();
        fresh();
        assert_ok(met_subscription_cancel(store, id, strlen(id), 0, 0, NULL,
                                          &told));
        assert_ok(met_customer_remove(store, "a", 1, &told));
    }
}

static void usage_is_shown_in_the_unit_of_the_plan(void **state)
{
    met__unit_config divide = {.operation = MET__CONVERT_DIVIDE};
    met__unit_config multiply = {.operation = MET__CONVERT_MULTIPLY};
    met__allowance allowance = {0};
    met_decimal out;

    (void)state;
    divide.factor = met__decimal_from_i64(4);
    multiply.factor = met__decimal_from_i64(4);
    assert_int_equal(met__allowance_usage(&allowance,
                                          met__decimal_from_i64(12), &out),
                     MET_OK);
    assert_int_equal(met__decimal_compare(out, met__decimal_from_i64(12)), 0);
    allowance.unit_config = &divide;
    assert_int_equal(met__allowance_usage(&allowance,
                                          met__decimal_from_i64(12), &out),
                     MET_OK);
    assert_int_equal(met__decimal_compare(out, met__decimal_from_i64(3)), 0);
    allowance.unit_config = &multiply;
    assert_int_equal(met__allowance_usage(&allowance,
                                          met__decimal_from_i64(12), &out),
                     MET_OK);
    assert_int_equal(met__decimal_compare(out, met__decimal_from_i64(48)), 0);
}

/* --- Phases and owners ---------------------------------------------------- */
static void phases_follow_each_other(void **state)
{
    (void)state;
    must_publish(
        "phased",
        "{\"key\":\"phased\",\"name\":\"P\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"trial\","
        "\"name\":\"T\",\"duration\":\"P10D\",\"rate_cards\":[{\"key\":"
        "\"example_service\",\"name\":\"E\",\"feature\":{\"key\":"
        "\"example_service\"},\"entitlement\":{\"type\":\"metered\","
        "\"limit\":\"10\"}}]},{\"key\":\"paid\",\"name\":\"P\","
        "\"rate_cards\":[{\"key\":\"example_service\",\"name\":\"E\","
        "\"feature\":{\"key\":\"example_service\"},\"billing_cadence\":"
        "\"P1M\",\"price\":{\"type\":\"unit\",\"amount\":\"1\"},"
        "\"entitlement\":{\"type\":\"metered\",\"limit\":\"20\","
        "\"is_soft_limit\":true}}]}]}");
    must_put_customer("a");
    must_subscribe("a", "phased", FROM_MARCH);
    met__holder *holder = enter();
    int64_t turn = time_of("2026-03-11T00:00:00Z");
    const met__text feature = MET__TEXT("example_service");
    const met__allowance *trial = met__holder_find(holder, feature, turn - 1);
    const met__allowance *paid = met__holder_find(holder, feature, turn);
    assert_int_equal(holder->count, 2);
    assert_int_equal(trial->row.limit, 20);
    assert_int_equal(trial->row.to_ns, turn);
    assert_int_equal(paid->row.limit, 40);
    assert_int_equal(paid->row.from_ns, turn);
    assert_int_equal(paid->row.flags, MET__QUOTA_SOFT);
    assert_ptr_equal(met__allowance_after(holder, trial, turn - 1), trial);
    assert_ptr_equal(met__allowance_after(holder, trial, turn), paid);
    assert_ptr_equal(met__allowance_after(holder, paid, turn), paid);
    assert_null(met__holder_find(holder, feature,
                                 time_of("2026-02-28T23:59:59Z")));
    assert_null(met__holder_find(holder, MET__TEXT("other"), turn));
    leave();
}

/* What nobody counts cannot be given. */
static void a_meter_that_is_gone_gives_nothing(void **state)
{
    met__txn *writing;

    (void)state;
    must_put_customer("a");
    must_subscribe("a", "free", FROM_MARCH);
    assert_int_equal(met__txn_begin(store, 1, &writing), MET_OK);
    assert_int_equal(met__txn_remove(writing, MET__TABLE_METER,
                                     "api_requests", 12),
                     MET_OK);
    assert_int_equal(met__txn_commit(writing), MET_OK);
    met__holder *holder = enter();
    assert_int_equal(holder->count, 1);
    assert_null(holder->allowances[0].meter);
    assert_int_equal(holder->allowances[0].row.limit, 0);
    leave();
}

/* Their plan version is read once, and outlives who asked for it first. */
static void customers_share_what_was_read(void **state)
{
    static const char *const keys[] = {"a", "b", "a"};
    met__terms_cache terms = {.arena = &arena};
    const met__rate_card *card = NULL;

    (void)state;
    for (int i = 0; i < 2; i++) {
        must_put_customer(keys[i]);
        must_subscribe(keys[i], "free", FROM_MARCH);
    }
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (int i = 0; i < 3; i++) {
        met__customer *customer;
        met__holder *holder;
        met__arena own;
        met__arena_init(&own, answer_arena.platform);
        assert_int_equal(met__customer_get(txn, met__text_z(keys[i]), &own,
                                           &customer),
                         MET_OK);
        /* With a cache that is full nothing is kept, and all is right. */
        terms.count = i == 2 ? MET__TERMS_MAX : terms.count;
        terms.first = i == 2 ? NULL : terms.first;
        assert_int_equal(met__holder_of(txn, customer, &terms, &own, &holder),
                         MET_OK);
        assert_int_equal(holder->count, 1);
        assert_int_equal(holder->allowances[0].row.limit, 2000);
        assert_true(i == 0
                    || (holder->allowances[0].card == card) == (i == 1));
        card = holder->allowances[0].card;
        assert_int_equal(terms.count, i == 2 ? MET__TERMS_MAX : 1);
        met__arena_release(&own);
    }
    leave();
}

static void a_minute_belongs_to_its_last_nanosecond(void **state)
{
    int64_t minute = time_of(MOMENT);

    (void)state;
    assert_int_equal(met__minute_last(minute), minute + 59999999999);
    assert_int_equal(met__minute_last(minute + 59999999999),
                     minute + 59999999999);
    assert_int_equal(met__minute_last(minute - 1), minute - 1);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(granted_is_in_the_unit_of_the_meter),
        CASE(usage_is_shown_in_the_unit_of_the_plan),
        CASE(phases_follow_each_other),
        CASE(a_meter_that_is_gone_gives_nothing),
        CASE(customers_share_what_was_read),
        CASE(a_minute_belongs_to_its_last_nanosecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Notices: which thresholds tell, how often, of what; and resets. */
#include "unit/entitlement/notice_support.h"

/* --- Thresholds ----------------------------------------------------------- */
static void each_threshold_tells_once(void **state)
{
    (void)state;
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 50);
    assert_nothing_waits(); /* half is not more than half */
    must_use_now("a", 1);
    assert_ok(list_notices(10));
    assert_shown("items.0.type", "entitlements.balance.threshold");
    assert_shown("items.0.created_at", "2026-03-15T10:30:00Z");
    assert_shown("items.0.rule.key", "warn");
    assert_shown("items.0.customer.key", "a");
    assert_shown("items.0.feature.key", "example_service");
    assert_shown("items.0.current_usage_period.from", "2026-03-01T00:00:00Z");
    assert_shown("items.0.current_usage_period.to", "2026-04-01T00:00:00Z");
    assert_shown("items.0.value",
                 "{\"balance\":\"49\",\"usage\":\"51\",\"overage\":\"0\","
                 "\"total_available\":\"100\"}");
    assert_shown("items.0.deliveries", "0");
    assert_next("usage_percentage", "50");
    must_use_now("a", 20);
    assert_nothing_waits();
    must_use_now("a", 10);
    assert_next("usage_percentage", "80");
    must_use_now("a", 40);
    assert_nothing_waits();
}

static void what_is_passed_at_once_tells_the_highest(void **state)
{
    (void)state;
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 95);
    assert_next("usage_percentage", "80");
    assert_nothing_waits();
}

static void all_of_it_is_not_more_than_all(void **state)
{
    static const char at_100[] =
        "\"thresholds\":[{\"type\":\"usage_percentage\",\"value\":\"100\"}]";

    (void)state;
    must_have_100("a");
    must_put_rule("above", at_100);
    must_put_rule("reached", "\"when_reached\":true,\"thresholds\":[{\"type\":"
                             "\"usage_percentage\",\"value\":100}]");
    must_use_now("a", 99);
    assert_nothing_waits();
    must_use_now("a", 1);
    assert_ok(list_notices(10));
    assert_shown("items.0.rule.key", "reached");
    assert_next("usage_percentage", "100");
    assert_nothing_waits();
    must_use_now("a", 1);
    assert_ok(list_notices(10));
    assert_shown("items.0.rule.key", "above");
    assert_shown("waiting", "1");
}

static void kinds_tell_beside_each_other(void **state)
{
    (void)state;
    must_have_100("a");
    must_put_rule("all",
                  "\"thresholds\":[{\"type\":\"balance_value\",\"value\":"
                  "\"10\"},{\"type\":\"usage_value\",\"value\":\"20\"},"
                  "{\"type\":\"balance_value\",\"value\":\"0\"}]");
    must_use_now("a", 95);
    assert_next("usage_value", "20");
    assert_next("balance_value", "10");
    must_use_now("a", 5);
    assert_next("balance_value", "0");
    assert_nothing_waits();
}

/* The way back tells too, and under all of them the same tells anew. */
static void usage_taken_back_tells(void **state)
{
    char json[512];
    static const char *const values[] = {"-20", "20", "-60", "60"};

    (void)state;
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 90);
    assert_next("usage_percentage", "80");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(json, sizeof json,
                 "{\"id\":\"%u\",\"meter\":\"api_requests\",\"subject\":\"a\","
                 "\"dimensions\":{\"service_name\":\"example_service\"},"
                 "\"time\":\"2026-03-15T10:00:00Z\",\"value\":\"%s\","
                 "\"reason\":\"r\",\"actor\":\"me\"}",
                 i, values[i]);
        fresh();
        assert_ok(met_usage_adjust(store, json, strlen(json), NULL, &told));
        if (i == 0) {
            assert_next("usage_percentage", "50");
        } else if (i == 1 || i == 3) {
            assert_next("usage_percentage", "80");
        }
        assert_nothing_waits();
    }
}

static void features_and_disabled_rules(void **state)
{
    (void)state;
    must_have_100("a");
    must_put_feature("{\"key\":\"other\",\"name\":\"Other\"}");
    must_put_rule("other", AT_50_80 ",\"features\":[\"other\"]");
    must_put_rule("off", AT_50_80 ",\"disabled\":true");
    must_use_now("a", 60);
    assert_nothing_waits();
    must_put_rule("off", AT_50_80 ",\"disabled\":false,\"features\":["
                                  "\"other\",\"example_service\"]");
    must_use_now("a", 1);
    assert_next("usage_percentage", "50");
    assert_nothing_waits();
}

static void every_period_tells_anew(void **state)
{
    (void)state;
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 60);
    assert_ok(list_notices(10));
    char key[64];
    snprintf(key, sizeof key, "%s", shown("items.0.repetition_key"));
    assert_int_equal(strlen(key), 41);
    assert_next("usage_percentage", "50");
    clock_now_ns = time_of("2026-04-02T00:00:00Z");
    must_use_now("a", 60);
    assert_ok(list_notices(10));
    assert_true(strcmp(key, shown("items.0.repetition_key")) != 0);
    assert_next("usage_percentage", "50");
    /* Late usage: of a period over for more than a day nothing is told, */
    must_use_at("a", "example_service", time_of("2026-03-20T00:00:00Z"), 30,
                0);
    must_settle();
    assert_nothing_waits();
    /* of one that has just ended it is, */
    clock_now_ns = time_of("2026-05-01T12:00:00Z");
    must_use_at("a", "example_service", time_of("2026-04-20T00:00:00Z"), 30,
                0);
    must_settle();
    assert_next("usage_percentage", "80");
    /* and once. */
    must_use_at("a", "example_service", time_of("2026-04-20T00:00:00Z"), 1,
                0);
    must_settle();
    assert_nothing_waits();
}

/* Canceled in the middle: the period is the same one, and told already. */
static void a_cancelation_repeats_nothing(void **state)
{
    (void)state;
    const char *id = must_have_100("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 60);
    assert_next("usage_percentage", "50");
    fresh();
    clock_now_ns += MET__HOUR_NS;
    assert_ok(met_subscription_cancel(store, id, strlen(id),
                                      time_of("2026-04-01T00:00:00Z"), 0, NULL,
                                      &told));
    must_use_now("a", 1);
    assert_nothing_waits();
}

static void nothing_available_tells_nothing(void **state)
{
    (void)state;
    must_publish_card("none", story_card("{\"type\":\"free\"}",
                                         "{\"type\":\"metered\",\"limit\":"
                                         "\"0\",\"is_soft_limit\":true}"));
    must_put_customer("a");
    must_subscribe("a", "none", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 10);
    assert_nothing_waits();
    assert_int_equal(check_all(store), MET_OK);
}

/* A subscription to something smaller: what was used counts against it. */
static void a_subscription_tells(void **state)
{
    (void)state;
    must_put_customer("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 90);
    assert_nothing_waits();
    must_have_100("a");
    assert_next("usage_percentage", "80");
}

/* A top-up takes the balance back below the threshold; used up, it tells
 * again. */
static void a_grant_tells_anew(void **state)
{
    static const char grant[] =
        "{\"customer\":{\"key\":\"a\"},\"feature\":{\"key\":"
        "\"example_service\"},\"amount\":\"100\"}";

    (void)state;
    must_have_100("a");
    must_put_rule("warn", "\"thresholds\":[{\"type\":\"usage_percentage\","
                          "\"value\":\"80\"}]");
    must_use_now("a", 90);
    assert_next("usage_percentage", "80");
    fresh();
    assert_ok(met_grant_create(store, grant, strlen(grant), 0, NULL, &told));
    must_use_now("a", 1);
    assert_nothing_waits();
    clock_now_ns += 2 * MET__MINUTE_NS;
    must_use_now("a", 100);
    assert_next("usage_percentage", "80");
    assert_nothing_waits();
}

/* --- Resets --------------------------------------------------------------- */
static void assert_reset_next(const char *customer, const char *from)
{
    char id[32];

    assert_ok(next_notices(1, 0));
    assert_shown("items.0.type", "entitlements.reset");
    assert_shown("items.0.customer.key", customer);
    assert_shown("items.0.current_usage_period.from", from);
    assert_shown("items.0.threshold", "");
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    assert_ok(ack(id, 0));
}

static void every_new_period_tells_once(void **state)
{
    (void)state;
    must_have_100("a"); /* before the rule: found by the survey */
    must_put_reset_rule("reset");
    must_tick();
    clock_now_ns += MET__SECOND_NS; /* the older subscription comes first */
    must_have_100("b"); /* after it */
    must_tick();
    assert_nothing_waits();
    clock_now_ns = time_of("2026-03-31T23:59:59Z");
    must_tick();
    assert_nothing_waits();
    clock_now_ns = time_of("2026-04-01T00:00:00Z");
    must_tick();
    must_tick();
    assert_reset_next("a", "2026-04-01T00:00:00Z");
    assert_reset_next("b", "2026-04-01T00:00:00Z");
    assert_nothing_waits();
    /* Nobody looked for months: each period is told. */
    clock_now_ns = time_of("2026-06-15T00:00:00Z");
    must_tick();
    assert_reset_next("a", "2026-05-01T00:00:00Z");
    assert_reset_next("b", "2026-05-01T00:00:00Z");
    assert_reset_next("a", "2026-06-01T00:00:00Z");
    assert_reset_next("b", "2026-06-01T00:00:00Z");
    assert_nothing_waits();
}

static void a_scheduled_subscription_begins_without_a_reset(void **state)
{
    (void)state;
    must_put_reset_rule("reset");
    must_publish_card("hundred",
                      story_card("{\"type\":\"free\"}",
                                 "{\"type\":\"metered\",\"limit\":\"100\"}"));
    must_put_customer("a");
    must_subscribe("a", "hundred",
                   ",\"active_from\":\"2026-03-20T00:00:00Z\"");
    clock_now_ns = time_of("2026-03-25T00:00:00Z");
    must_tick();
    assert_nothing_waits();
    clock_now_ns = time_of("2026-04-25T00:00:00Z");
    must_tick();
    assert_reset_next("a", "2026-04-20T00:00:00Z");
    assert_nothing_waits();
}

static void a_reset_by_hand_tells(void **state)
{
    (void)state;
    must_put_reset_rule("reset");
    must_put_rule("warn", AT_50_80);
    must_have_100("a");
    must_use_now("a", 60);
    assert_next("usage_percentage", "50");
    clock_now_ns += MET__HOUR_NS;
    fresh();
    assert_ok(met_entitlement_reset(store, "a", 1, "example_service", 15, NULL,
                                    0, NULL, &told));
    assert_reset_next("a", "2026-03-15T11:30:00Z");
    must_tick();
    assert_nothing_waits();
    must_use_now("a", 60);
    assert_next("usage_percentage", "50");
    clock_now_ns = time_of("2026-04-15T11:30:00Z");
    must_tick();
    assert_reset_next("a", "2026-04-15T11:30:00Z");
    assert_nothing_waits();
}

/* Also one that begins later. */
static void an_entitlement_that_stands_alone_tells(void **state)
{
    static const char json[] =
        "{\"customer\":{\"key\":\"a\"},\"feature\":{\"key\":"
        "\"example_service\"},\"type\":\"metered\",\"active_from\":"
        "\"2026-03-20T00:00:00Z\",\"usage_period\":{\"interval\":\"P1M\"},"
        "\"issue_after_reset\":\"100\"}";

    (void)state;
    must_put_reset_rule("reset");
    must_put_rule("warn", AT_50_80);
    must_put_customer("a");
    fresh();
    assert_ok(met_entitlement_create(store, json, strlen(json), 0, NULL,
                                     &told));
    clock_now_ns = time_of("2026-03-21T00:00:00Z");
    must_tick();
    assert_nothing_waits();
    must_use_now("a", 60);
    assert_ok(list_notices(1));
    assert_shown("items.0.subscription_id", "");
    assert_int_equal(strlen(shown("items.0.entitlement_id")), 26);
    assert_next("usage_percentage", "50");
    clock_now_ns = time_of("2026-04-20T00:00:00Z");
    must_tick();
    assert_reset_next("a", "2026-04-20T00:00:00Z");
    assert_nothing_waits();
}

#define RENAME "{\"to\":\"b\",\"reason\":\"r\",\"actor\":\"me\"}"
#define ERASE "{\"reason\":\"r\",\"actor\":\"me\"}"

/* Another name tells nothing by itself, and the next period is told of. */
static void a_rename_repeats_nothing(void **state)
{
    (void)state;
    must_put_reset_rule("reset");
    must_put_rule("warn", AT_50_80);
    must_have_100("a");
    must_use_now("a", 60);
    assert_next("usage_percentage", "50");
    fresh();
    assert_ok(met_customer_rename(store, "a", 1, RENAME, strlen(RENAME), NULL,
                                  &told));
    must_use_now("a", 1);
    assert_nothing_waits();
    clock_now_ns = time_of("2026-04-01T00:00:00Z");
    must_tick();
    assert_reset_next("b", "2026-04-01T00:00:00Z");
}

/* Nobody who was erased is named in what is to come. */
static void an_erased_customer_is_not_named(void **state)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__txn *txn;
    size_t count = 0;

    (void)state;
    must_put_reset_rule("reset");
    const char *id = must_have_100("somebody");
    fresh();
    assert_ok(met_subscription_cancel(store, id, strlen(id), 0, 0, NULL,
                                      &told));
    assert_ok(met_customer_erase(store, "somebody", 8, ERASE, strlen(ERASE),
                                 NULL, &told));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__scan_begin(txn, MET__TABLE_NOTICE_DUE, NULL, 0, &scan), MET_OK);
    while (met__scan_next(&scan, &key, &value) == MET_OK) {
        assert_false(met__text_equal(value, MET__TEXT("somebody")));
        count++;
    }
    met__scan_end(&scan);
    met__txn_abort(txn);
    assert_true(count > 0);
    clock_now_ns = time_of("2026-06-01T00:00:00Z");
    must_tick();
    assert_nothing_waits();
}

static void an_ended_subscription_tells_no_reset(void **state)
{
    (void)state;
    must_put_reset_rule("reset");
    const char *id = must_have_100("a");
    fresh();
    assert_ok(met_subscription_cancel(store, id, strlen(id), 0, 0, NULL,
                                      &told));
    clock_now_ns = time_of("2026-06-15T00:00:00Z");
    must_tick();
    assert_nothing_waits();
    assert_int_equal(check_all(store), MET_OK);
}

static void who_disables_a_rule_hears_nothing(void **state)
{
    (void)state;
    must_put_reset_rule("reset");
    must_have_100("a");
    assert_ok(put_rule("{\"key\":\"reset\",\"name\":\"Reset\",\"type\":"
                       "\"entitlements.reset\",\"disabled\":true}"));
    clock_now_ns = time_of("2026-04-15T00:00:00Z");
    must_tick();
    must_put_reset_rule("reset");
    must_tick();
    assert_nothing_waits();
    clock_now_ns = time_of("2026-05-15T00:00:00Z");
    must_tick();
    assert_reset_next("a", "2026-05-01T00:00:00Z");
    fresh();
    assert_ok(met_notice_rule_remove(store, "reset", 5, &told));
    clock_now_ns = time_of("2026-07-15T00:00:00Z");
    must_tick();
    assert_nothing_waits();
}

/* More customers than one transaction looks at. */
static void a_survey_finds_everybody(void **state)
{
    char key[16];
    unsigned count = MET__NOTICE_STEPS_MAX + 20;
    size_t room = 256 * count;
    char *json = malloc(room);
    size_t size = 0;

    (void)state;
    must_have_100("c0");
    size += (size_t)snprintf(json, room, "{\"customers\":[");
    for (unsigned i = 1; i < count; i++) {
        size += (size_t)snprintf(json + size, room - size,
                                 "%s{\"key\":\"c%u\",\"name\":\"C\"}",
                                 i > 1 ? "," : "", i);
    }
    size += (size_t)snprintf(json + size, room - size,
                             "],\"subscriptions\":[");
    for (unsigned i = 1; i < count; i++) {
        size += (size_t)snprintf(
            json + size, room - size,
            "%s{\"customer\":{\"key\":\"c%u\"},\"plan\":{\"key\":"
            "\"hundred\"},\"active_from\":\"2026-03-15T10:30:00Z\","
            "\"billing_anchor\":\"2026-03-01T00:00:00Z\"}",
            i > 1 ? "," : "", i);
    }
    size += (size_t)snprintf(json + size, room - size, "]}");
    fresh();
    assert_ok(met_catalog_apply(store, json, size, 0, 0, NULL, &told));
    free(json);
    must_put_reset_rule("reset");
    must_tick();
    assert_nothing_waits();
    clock_now_ns = time_of("2026-04-01T00:00:00Z");
    must_tick();
    snprintf(key, sizeof key, "%u", count);
    assert_waiting(key);
}

/* Through the doors that a host uses. */
static void the_store_s_settlement_tells_resets(void **state)
{
    (void)state;
    must_put_reset_rule("reset");
    must_have_100("a");
    clock_now_ns = time_of("2026-04-01T00:00:00Z");
    fresh();
    assert_ok(met_store_settle(store, NULL, NULL, &told));
    assert_reset_next("a", "2026-04-01T00:00:00Z");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_threshold_tells_once),
        CASE(what_is_passed_at_once_tells_the_highest),
        CASE(all_of_it_is_not_more_than_all),
        CASE(kinds_tell_beside_each_other),
        CASE(usage_taken_back_tells),
        CASE(features_and_disabled_rules),
        CASE(every_period_tells_anew),
        CASE(a_cancelation_repeats_nothing),
        CASE(nothing_available_tells_nothing),
        CASE(a_subscription_tells),
        CASE(a_grant_tells_anew),
        CASE(every_new_period_tells_once),
        CASE(a_reset_by_hand_tells),
        CASE(an_entitlement_that_stands_alone_tells),
        CASE(a_rename_repeats_nothing),
        CASE(an_erased_customer_is_not_named),
        CASE(a_scheduled_subscription_begins_without_a_reset),
        CASE(an_ended_subscription_tells_no_reset),
        CASE(who_disables_a_rule_hears_nothing),
        CASE(a_survey_finds_everybody),
        CASE(the_store_s_settlement_tells_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

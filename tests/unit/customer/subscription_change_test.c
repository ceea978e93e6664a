/* What happens to subscriptions: create, apply, cancel, in every state. */
#include "support/catalog_calls.h"

#include "customer/subscription.h"

#define TO(PLAN)                                                             \
    "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"" PLAN "\"}}"
#define TO_WITH(PLAN, MORE)                                            \
    "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"" PLAN "\"}" MORE "}"

static int setup(void **state)
{
    documents_setup(state);
    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\"}"));
    return 0;
}

static const char *subscribe_id(const char *json, uint64_t flags)
{
    static char ids[4][32];
    static unsigned turn;
    char *id = ids[turn++ % 4];

    assert_ok(subscribe(json, flags));
    snprintf(id, 32, "%s", shown("id"));
    assert_int_equal(strlen(id), 26);
    return id;
}

static void test_subscription__create(void **state)
{
    const char *id = subscribe_id(TO("premium"), 0);

    assert_shown("status", "active");
    assert_shown("plan", "{\"key\":\"premium\",\"version\":1}");
    assert_shown("customer.key", "c");
    assert_shown("active_from", "2026-03-15T10:30:00Z");
    assert_shown("active_to", "");
    assert_shown("billing_anchor", "2026-03-15T10:30:00Z");
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_ok(subscription_get(id));
    assert_shown("status", "active");
    assert_ok(subscription_list("c"));
    assert_shown("items.0.id", id);
    assert_shown("items.1", "");
    /* The first paid subscription says in which currency. */
    assert_ok(customer_get("c"));
    assert_shown("currency", "USD");
    /* Pinned: a new version of the plan changes nothing. */
    assert_ok(plan_put(EXAMPLE_PLAN("premium", "{\"type\":\"unit\","
                                               "\"amount\":\"2\"}",
                                    "1", "false")));
    assert_ok(plan_publish("premium"));
    assert_ok(subscription_get(id));
    assert_shown("plan.version", "1");
}

static void test_subscription__free_sets_no_currency(void **state)
{
    (void)subscribe_id(TO("free"), 0);
    assert_ok(customer_get("c"));
    assert_shown("currency", "");
}

static void test_subscription__refuse(void **state)
{
    static const struct {
        const char *why;
        const char *json;
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"no object", "\"x\"", MET_E_INVALID, "subscription",
         "must be an object"},
        {"nothing", "{}", MET_E_INVALID, "subscription.customer", "required"},
        {"no plan", "{\"customer\":{\"key\":\"c\"}}", MET_E_INVALID,
         "subscription.plan", "required"},
        {"a text", "{\"customer\":\"c\",\"plan\":{\"key\":\"free\"}}",
         MET_E_INVALID, "subscription.customer", "must be an object"},
        {"unknown customer",
         "{\"customer\":{\"key\":\"d\"},\"plan\":{\"key\":\"free\"}}",
         MET_E_NOT_FOUND, "subscription.customer.key", "no such customer"},
        {"unknown plan", TO("nope"), MET_E_NOT_FOUND, "subscription.plan.key",
         "no such plan"},
        {"unknown version",
         "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"free\","
         "\"version\":9}}",
         MET_E_NOT_FOUND, "subscription.plan.version", "no such version"},
        {"version 0",
         "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"free\","
         "\"version\":0}}",
         MET_E_INVALID, "subscription.plan.version",
         "from 1 to 4294967295"},
        {"version as a text",
         "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"free\","
         "\"version\":\"1\"}}",
         MET_E_INVALID, "subscription.plan.version", "whole number"},
        {"a draft", TO("draft"), MET_E_CONFLICT, "subscription.plan",
         "not active: version 1 is draft"},
        {"long past", TO_WITH("free", ",\"active_from\":"
                                      "\"2026-03-15T10:27:59Z\""),
         MET_E_INVALID, "subscription.active_from", "2 minutes"},
        {"the first instant",
         TO_WITH("free", ",\"active_from\":\"1970-01-01T00:00:00Z\""),
         MET_E_INVALID, "subscription.active_from", "after 1970"},
        {"no time", TO_WITH("free", ",\"active_from\":\"tomorrow\""),
         MET_E_INVALID, "subscription.active_from", "must be a time"},
        {"a number", TO_WITH("free", ",\"active_from\":1773570600"),
         MET_E_INVALID, "subscription.active_from", "must be a time"},
        {"ends when it begins",
         TO_WITH("free", ",\"active_to\":\"2026-03-15T10:30:00Z\""),
         MET_E_INVALID, "subscription.active_to", "after active_from"},
        {"beyond all times",
         TO_WITH("free", ",\"active_from\":\"2200-12-20T00:00:00Z\""),
         MET_E_INVALID, "subscription.billing_anchor", "1970 to 2200"},
        {"not served", TO_WITH("free", ",\"timing\":\"immediate\""),
         MET_E_UNSUPPORTED, "subscription.timing", "not served"},
        {"unknown", TO_WITH("free", ",\"id\":\"x\""), MET_E_INVALID,
         "subscription.id", "not a known field"},
    };

    assert_ok(plan_put("{\"key\":\"draft\",\"name\":\"D\",\"currency\":"
                       "\"USD\",\"billing_cadence\":\"P1M\"}"));
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error error = subscribe(rows[i].json, 0);
        if (error != rows[i].error || strcmp(told.field, rows[i].field) != 0
            || strstr(told.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s at \"%s\": \"%s\"", rows[i].why,
                     met_error_name(error), told.field, told.reason);
        }
    }
    assert_told(subscribe(TO("free"), 2), MET_E_UNSUPPORTED, "flags",
                "unknown bit");
    assert_told(subscription_get("x"), MET_E_INVALID, "id", "26 characters");
    assert_int_equal(subscription_get("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                     MET_E_NOT_FOUND);
    assert_int_equal(subscription_cancel("01ARZ3NDEKTSV4RRFFQ69G5FAV", 0, 0),
                     MET_E_NOT_FOUND);
    assert_int_equal(subscription_list("nobody"), MET_E_NOT_FOUND);
    assert_int_equal(stored_digest(), before);
}

/* One at a time: [from, to) of two may touch, not overlap. */
static void test_subscription__one_at_a_time(void **state)
{
    static const struct {
        const char *why;
        const char *from;
        const char *to;
        int is_free;
    } rows[] = {
        {"the same", "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z", 0},
        {"inside", "2026-04-10T00:00:00Z", "2026-04-20T00:00:00Z", 0},
        {"around", "2026-03-20T00:00:00Z", "2026-06-01T00:00:00Z", 0},
        {"into", "2026-03-20T00:00:00Z", "2026-04-01T00:00:01Z", 0},
        {"out of", "2026-04-30T23:59:59Z", "2026-06-01T00:00:00Z", 0},
        {"before", "2026-03-20T00:00:00Z", "2026-04-01T00:00:00Z", 1},
        {"after", "2026-05-01T00:00:00Z", NULL, 1},
    };
    char json[512];

    (void)subscribe_id(TO_WITH("premium",
                               ",\"active_from\":\"2026-04-01T00:00:00Z\","
                               "\"active_to\":\"2026-05-01T00:00:00Z\""),
                       0);
    assert_shown("status", "scheduled");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = stored_digest();
        snprintf(json, sizeof json,
                 TO_WITH("premium", ",\"active_from\":\"%s\"%s%s%s"),
                 rows[i].from, rows[i].to ? ",\"active_to\":\"" : "",
                 rows[i].to ? rows[i].to : "", rows[i].to ? "\"" : "");
        met_error error = subscribe(json, 0);
        if (rows[i].is_free) {
            assert_ok(error);
            continue;
        }
        assert_told(error, MET_E_CONFLICT, "subscription",
                    "only_single_subscription_allowed_per_customer_at_a_time");
        assert_int_equal(stored_digest(), before);
    }
    /* By their beginnings, not by when they were made. */
    assert_ok(subscription_list("c"));
    assert_shown("items.0.active_from", "2026-03-20T00:00:00Z");
    assert_shown("items.1.active_from", "2026-04-01T00:00:00Z");
    assert_shown("items.2.active_from", "2026-05-01T00:00:00Z");
    /* Another customer has another time. */
    assert_ok(customer_put("{\"key\":\"d\",\"name\":\"D\"}"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"d\"},\"plan\":{\"key\":"
                        "\"premium\"}}",
                        0));
}

static void test_subscription__currency(void **state)
{
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\",\"currency\":"
                           "\"EUR\"}"));
    uint64_t before = stored_digest();
    assert_told(subscribe(TO("premium"), 0), MET_E_CONFLICT,
                "subscription.plan", "is in USD, the customer pays in EUR");
    assert_int_equal(stored_digest(), before);
    assert_ok(subscribe(TO("free"), 0)); /* nothing to pay */
}

static void test_subscription__in_the_past(void **state)
{
    const char *id = subscribe_id(
        TO_WITH("premium", ",\"active_from\":\"2025-01-31T12:00:00Z\","
                           "\"billing_anchor\":\"2025-01-01T00:00:00Z\""),
        MET_ALLOW_PAST);
    assert_shown("status", "active");
    assert_shown("active_from", "2025-01-31T12:00:00Z");
    assert_shown("billing_anchor", "2025-01-01T00:00:00Z");
    /* On a boundary of a billing period of long ago. */
    int64_t boundary_ns = time_of("2025-07-01T00:00:00Z");
    assert_told(subscription_cancel(id, boundary_ns, 0), MET_E_INVALID, "at_ns",
                "in the past");
    assert_told(subscription_cancel(id, boundary_ns + 1, MET_ALLOW_PAST),
                MET_E_INVALID, "at_ns", "start of one of its billing periods");
    assert_told(subscription_cancel(id, time_of("2024-12-01T00:00:00Z"),
                                    MET_ALLOW_PAST),
                MET_E_INVALID, "at_ns", "start of one of its billing periods");
    assert_told(subscription_cancel(id, -1, MET_ALLOW_PAST), MET_E_INVALID,
                "at_ns", "");
    assert_ok(subscription_cancel(id, boundary_ns, MET_ALLOW_PAST));
    assert_shown("status", "inactive");
    assert_shown("active_to", "2025-07-01T00:00:00Z");
    assert_ok(subscribe(TO("premium"), 0));
}

/* Two minutes late is now. */
static void test_subscription__a_little_late(void **state)
{
    assert_ok(subscribe(
        TO_WITH("free", ",\"active_from\":\"2026-03-15T10:28:00Z\""), 0));
    assert_shown("active_from", "2026-03-15T10:28:00Z");
}

static void test_subscription__cancel(void **state)
{
    const char *id = subscribe_id(TO("premium"), 0);

    clock_now_ns = time_of("2026-03-20T00:00:00Z");
    uint64_t before = stored_digest();
    assert_told(subscription_cancel(id, clock_now_ns + MET__DAY_NS, 0),
                MET_E_INVALID, "at_ns", "start of one of its billing periods");
    assert_told(subscription_cancel(id, time_of("2026-04-15T10:30:00Z"),
                                    MET_CANCEL_NEXT_BILLING_CYCLE),
                MET_E_INVALID, "at_ns", "must be 0");
    assert_told(subscription_cancel(id, 0, 64), MET_E_UNSUPPORTED, "flags",
                "unknown bit");
    assert_int_equal(stored_digest(), before);
    assert_ok(subscription_cancel(id, time_of("2026-05-15T10:30:00Z"), 0));
    assert_shown("status", "canceled");
    assert_shown("active_to", "2026-05-15T10:30:00Z");
    assert_shown("updated_at", "2026-03-20T00:00:00Z");
    assert_told(subscription_cancel(id, 0, 0), MET_E_CONFLICT, "id",
                "transition cancel in state canceled not allowed");
    clock_now_ns = time_of("2026-05-15T10:30:00Z");
    assert_ok(subscription_get(id));
    assert_shown("status", "inactive");
    assert_told(subscription_cancel(id, 0, 0), MET_E_CONFLICT, "id",
                "state inactive");

    /* Now. */
    id = subscribe_id(TO("premium"), 0);
    clock_now_ns += 5;
    assert_ok(subscription_cancel(id, 0, 0));
    assert_shown("status", "inactive");
    assert_shown("active_to", "2026-05-15T10:30:00.000000005Z");
    /* At once: of no length, in nobody's way. */
    id = subscribe_id(TO("premium"), 0);
    assert_ok(subscription_cancel(id, 0, 0));
    assert_shown("status", "inactive");
    /* At the end of the period. */
    id = subscribe_id(TO("premium"), 0);
    assert_ok(subscription_cancel(id, 0, MET_CANCEL_NEXT_BILLING_CYCLE));
    assert_shown("status", "canceled");
    assert_shown("active_to", "2026-06-15T10:30:00.000000005Z");
    /* One that has not begun. */
    id = subscribe_id(
        TO_WITH("premium", ",\"active_from\":\"2026-07-31T00:00:00Z\""), 0);
    assert_ok(subscription_cancel(id, time_of("2026-08-31T00:00:00Z"), 0));
    assert_shown("status", "scheduled");
    assert_shown("active_to", "2026-08-31T00:00:00Z");
    assert_ok(subscription_cancel(id, 0, MET_CANCEL_NEXT_BILLING_CYCLE));
    assert_shown("status", "inactive");
    assert_shown("active_to", "2026-07-31T00:00:00Z");
}

/* --- A declarative catalog ------------------------------------------------ */
static met_error apply(const char *json, uint32_t *change)
{
    static const met__path path = {NULL, "subscriptions[0]", 0};
    met__subscribe when = {clock_now_ns, 0};
    met__subscription *found = NULL;
    met__node *node = NULL;
    met__arena arena;
    met__txn *txn;

    fresh();
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__json_parse(&arena, met__text_z(json), &node, NULL),
                     MET_OK);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met_error error = met__subscription_apply(txn, node, &path, &when, &arena,
                                              change, &found, &told);
    if (error == MET_OK) {
        assert_non_null(found);
        assert_int_equal(met__txn_commit(txn), MET_OK);
    } else {
        met__txn_abort(txn);
    }
    met__arena_release(&arena);
    return error;
}

static void test_subscription__apply(void **state)
{
    uint32_t change = 7;

    assert_ok(apply(TO_WITH("premium", ",\"billing_anchor\":"
                                       "\"2026-01-01T00:00:00Z\""),
                    &change));
    assert_int_equal(change, MET__CHANGE_CREATED);
    uint64_t before = stored_digest();
    clock_now_ns += 40 * MET__DAY_NS;
    assert_ok(apply(TO("premium"), &change));
    assert_int_equal(change, MET__CHANGE_NONE);
    assert_ok(apply("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                    "\"premium\",\"version\":1},\"active_from\":"
                    "\"2026-03-15T10:30:00Z\",\"billing_anchor\":"
                    "\"2026-01-01T00:00:00Z\"}",
                    &change));
    assert_int_equal(change, MET__CHANGE_NONE);
    assert_told(apply(TO("free"), &change), MET_E_CONFLICT,
                "subscriptions[0].plan",
                "is subscribed to version 1 of \"premium\"");
    assert_told(apply("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                      "\"premium\",\"version\":2}}",
                      &change),
                MET_E_CONFLICT, "subscriptions[0].plan", "version 1");
    assert_told(apply(TO_WITH("premium", ",\"active_from\":"
                                         "\"2026-03-15T10:30:01Z\""),
                      &change),
                MET_E_CONFLICT, "subscriptions[0].active_from", "differs");
    assert_told(apply(TO_WITH("premium", ",\"active_to\":"
                                         "\"2026-12-15T10:30:01Z\""),
                      &change),
                MET_E_CONFLICT, "subscriptions[0].active_to", "differs");
    assert_told(apply(TO_WITH("premium", ",\"billing_anchor\":"
                                         "\"2026-12-15T10:30:01Z\""),
                      &change),
                MET_E_CONFLICT, "subscriptions[0].billing_anchor", "differs");
    assert_told(apply("{\"customer\":{\"key\":\"d\"},\"plan\":{\"key\":"
                      "\"premium\"}}",
                      &change),
                MET_E_NOT_FOUND, "subscriptions[0].customer.key",
                "no such customer");
    assert_int_equal(stored_digest(), before);
}

/* A change that is to come: the document may state either plan. */
static void test_subscription__apply_while_changing(void **state)
{
    uint32_t change = 7;
    const char *id = subscribe_id(TO("premium"), 0);

    assert_ok(subscription_change(id, "{\"plan\":{\"key\":\"free\"}}", 0,
                                  MET_CANCEL_NEXT_BILLING_CYCLE));
    uint64_t before = stored_digest();
    assert_ok(apply(TO("free"), &change));
    assert_int_equal(change, MET__CHANGE_NONE);
    assert_ok(apply(TO("premium"), &change));
    assert_int_equal(change, MET__CHANGE_NONE);
    assert_int_equal(stored_digest(), before);
    assert_told(apply(TO("other"), &change), MET_E_CONFLICT,
                "subscriptions[0].plan", "version 1 of \"premium\"");
    /* What it is called may change. */
    assert_ok(apply(TO_WITH("free", ",\"name\":\"Down\""), &change));
    assert_int_equal(change, MET__CHANGE_UPDATED);
    assert_ok(apply(TO_WITH("free", ",\"name\":\"Down\""), &change));
    assert_int_equal(change, MET__CHANGE_NONE);
}

/* A plan version that was in force by a clock that has stepped back since. */
static void test_subscription__holds_its_plan(void **state)
{
    (void)subscribe_id(TO("premium"), 0);
    clock_now_ns -= MET__DAY_NS;
    assert_ok(plan_get("premium", 1));
    assert_shown("status", "scheduled");
    assert_told(plan_remove("premium", 1), MET_E_CONFLICT, "version",
                "version 1 has 1 subscriptions");
    assert_ok(plan_remove("free", 1));
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_subscription__create),
        TEST(test_subscription__free_sets_no_currency),
        TEST(test_subscription__refuse),
        TEST(test_subscription__one_at_a_time),
        TEST(test_subscription__currency),
        TEST(test_subscription__in_the_past),
        TEST(test_subscription__a_little_late),
        TEST(test_subscription__cancel),
        TEST(test_subscription__apply),
        TEST(test_subscription__apply_while_changing),
        TEST(test_subscription__holds_its_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The life of a plan: draft, publish, schedule, replace, archive, remove, and
 * a declarative catalog that is applied again and again. */
#include "support/catalog_calls.h"

#include "catalog/plan.h"

#define CARD(KEY, MORE) "{\"key\":\"" KEY "\",\"name\":\"C\"" MORE "}"
#define PLAN(CARDS)                                                     \
    "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","               \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"a\","           \
    "\"name\":\"A\",\"rate_cards\":[" CARDS "]}]}"
#define FEE_OF(AMOUNT)                                                  \
    PLAN(CARD("fee", ",\"billing_cadence\":\"P1M\",\"price\":{"         \
                     "\"type\":\"flat\",\"amount\":" AMOUNT "}"))
#define FEE(AMOUNT) FEE_OF("\"" AMOUNT "\"")

static void test_plan__draft_then_published(void **state)
{
    must_put_requests_meter();
    assert_ok(feature_put(EXAMPLE_FEATURE));
    char feature_id[32];
    snprintf(feature_id, sizeof feature_id, "%s", shown("id"));

    assert_ok(plan_put(PREMIUM_PLAN));
    assert_shown("version", "1");
    assert_shown("status", "draft");
    assert_shown("validation_errors", "");
    assert_shown("effective_from", "");
    assert_shown("phases.0.rate_cards.0.feature",
                 "{\"key\":\"example_service\"}");
    assert_shown("phases.0.rate_cards.0.entitlement",
                 "{\"type\":\"metered\",\"limit\":\"5000\",\"usage_period\":"
                 "\"P1M\",\"is_soft_limit\":true}");
    assert_shown("phases.0.rate_cards.0.price",
                 "{\"amount\":\"1\",\"quantity_per_package\":\"5000\","
                 "\"type\":\"package\"}");
    clock_now_ns += MET__HOUR_NS;
    assert_ok(plan_publish("premium"));
    assert_shown("version", "1");
    assert_shown("status", "active");
    assert_shown("effective_from", "2026-03-15T11:30:00Z");
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_shown("phases.0.rate_cards.0.feature.id", feature_id);
    assert_told(plan_publish("premium"), MET_E_CONFLICT, "key", "no draft");
    assert_told(plan_publish("nope"), MET_E_NOT_FOUND, "key", "no such plan");
    assert_int_equal(plan_get("nope", 0), MET_E_NOT_FOUND);
    assert_int_equal(plan_get("premium", 2), MET_E_NOT_FOUND);
}

static void test_plan__put_again(void **state)
{
    assert_ok(plan_put(FEE("1")));
    char id[32];
    snprintf(id, sizeof id, "%s", shown("id"));
    uint64_t before = stored_digest();
    clock_now_ns += MET__HOUR_NS;
    assert_ok(plan_put(FEE("1"))); /* the same draft */
    assert_int_equal(stored_digest(), before);
    assert_ok(plan_put(FEE_OF("1"))); /* a number, not a text */
    assert_int_equal(stored_digest(), before);
    assert_ok(plan_put(FEE("2"))); /* the draft is replaced */
    assert_shown("version", "1");
    assert_shown("id", id);
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_shown("updated_at", "2026-03-15T11:30:00Z");
    assert_ok(plan_publish("p"));
    before = stored_digest();
    assert_ok(plan_put(FEE("2"))); /* as the version in force */
    assert_shown("version", "1");
    assert_shown("status", "active");
    assert_int_equal(stored_digest(), before);
    assert_ok(plan_put(FEE("3"))); /* a second version */
    assert_shown("version", "2");
    assert_shown("status", "draft");
    assert_string_not_equal(shown("id"), id);
    assert_ok(plan_get("p", 0)); /* the active one */
    assert_shown("version", "1");
    assert_shown("phases.0.rate_cards.0.price.amount", "2");
    assert_ok(plan_get("p", 2));
    assert_shown("phases.0.rate_cards.0.price.amount", "3");
    clock_now_ns += MET__HOUR_NS;
    assert_ok(plan_publish("p"));
    assert_ok(plan_get("p", 1));
    assert_shown("status", "archived");
    assert_shown("effective_to", "2026-03-15T12:30:00Z");
    assert_ok(plan_get("p", 0));
    assert_shown("version", "2");
    assert_ok(plan_list());
    assert_shown("items.0.version", "1");
    assert_shown("items.1.version", "2");
    assert_shown("items.2", "");
    /* What is archived may be made anew. */
    assert_ok(plan_archive("p"));
    assert_told(plan_archive("p"), MET_E_CONFLICT, "key", "no version");
    assert_int_equal(plan_archive("q"), MET_E_NOT_FOUND);
    assert_ok(plan_get("p", 0));
    assert_shown("version", "2");
    assert_shown("status", "archived");
    assert_ok(plan_put(FEE("3")));
    assert_shown("version", "3");
    assert_shown("status", "draft");
}

static void test_plan__scheduled(void **state)
{
    assert_ok(plan_put(FEE("1")));
    assert_told(plan_publish_at("p", clock_now_ns - 1, 0), MET_E_INVALID,
                "at_ns", "in the past");
    assert_told(plan_publish_at("p", -5, MET_ALLOW_PAST), MET_E_INVALID,
                "at_ns", "1970 to 2200");
    assert_told(plan_publish_at("p", INT64_MAX, 0), MET_E_INVALID, "at_ns",
                "1970 to 2200");
    assert_told(plan_publish_at("p", 0, 2), MET_E_UNSUPPORTED, "flags",
                "unknown bit");
    assert_ok(plan_publish_at("p", clock_now_ns - MET__DAY_NS,
                              MET_ALLOW_PAST));
    assert_shown("effective_from", "2026-03-14T10:30:00Z");
    assert_ok(plan_put(FEE("2")));
    assert_ok(plan_publish_at("p", clock_now_ns + 2 * MET__DAY_NS, 0));
    assert_shown("status", "scheduled");
    assert_ok(plan_get("p", 0));
    assert_shown("version", "1");
    assert_shown("status", "active");
    assert_shown("effective_to", "2026-03-17T10:30:00Z");
    assert_ok(plan_put(FEE("3")));
    assert_ok(plan_publish_at("p", clock_now_ns + 4 * MET__DAY_NS, 0));

    /* One day, three days and five days later. */
    clock_now_ns += MET__DAY_NS;
    assert_ok(plan_get("p", 0));
    assert_shown("version", "1");
    clock_now_ns += MET__DAY_NS;
    assert_ok(plan_get("p", 0)); /* exactly at its instant */
    assert_shown("version", "2");
    assert_ok(plan_get("p", 1));
    assert_shown("status", "archived");
    /* One that came into force is no more removed or overtaken. */
    assert_told(plan_remove("p", 2), MET_E_CONFLICT, "version", "is active");
    assert_ok(plan_put(FEE("4")));
    assert_told(plan_publish_at("p", clock_now_ns - MET__HOUR_NS,
                                MET_ALLOW_PAST),
                MET_E_CONFLICT, "at_ns", "version 2 came into force");
    assert_ok(plan_remove("p", 0)); /* the draft */
    /* Without version 3 version 2 goes on. */
    assert_ok(plan_get("p", 2));
    assert_shown("effective_to", "2026-03-19T10:30:00Z");
    assert_ok(plan_remove("p", 3));
    assert_ok(plan_get("p", 2));
    assert_shown("effective_to", "");
    assert_shown("status", "active");
    assert_int_equal(plan_remove("p", 3), MET_E_NOT_FOUND);
    assert_int_equal(plan_remove("q", 0), MET_E_NOT_FOUND);
}

/* Removing the middle one of three closes the gap. */
static void test_plan__gap_is_closed(void **state)
{
    for (int i = 1; i <= 3; i++) {
        static const char *const documents[] = {FEE("1"), FEE("2"), FEE("3")};
        assert_ok(plan_put(documents[i - 1]));
        assert_ok(plan_publish_at(
            "p", i == 1 ? 0 : clock_now_ns + i * MET__DAY_NS, 0));
    }
    assert_ok(plan_get("p", 1));
    assert_shown("effective_to", "2026-03-17T10:30:00Z");
    assert_ok(plan_remove("p", 2));
    assert_ok(plan_get("p", 1));
    assert_shown("effective_to", "2026-03-18T10:30:00Z");
    assert_ok(plan_list());
    assert_shown("items.1.version", "3");
    assert_shown("items.2", "");
}

/* A draft may break rules, and says which; publishing names the first. */
static void test_plan__issues(void **state)
{
    assert_ok(plan_put("{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
                       "\"billing_cadence\":\"P1M\"}"));
    assert_shown("validation_errors.0.code", "plan_with_no_phases");
    assert_shown("validation_errors.0.field", "phases");
    assert_shown("validation_errors.0.severity", "error");
    assert_shown("validation_errors.1", "");
    uint64_t before = stored_digest();
    assert_told(plan_publish("p"), MET_E_INVALID, "plan.phases",
                "plan_with_no_phases: a plan has one phase or more");
    assert_ok(plan_put(
        PLAN(CARD("x", ",\"feature\":{\"key\":\"x\"},\"billing_cadence\":"
                       "\"P1M\",\"price\":{\"type\":\"unit\",\"amount\":"
                       "\"1\"},\"entitlement\":{\"type\":\"metered\"}"))));
    assert_shown("validation_errors.0.code", "rate_card_feature_not_found");
    assert_shown("validation_errors.0.field",
                 "phases[0].rate_cards[0].feature");
    assert_shown("validation_errors.1.code",
                 "entitlement_template_issue_after_reset_required");
    assert_int_not_equal(stored_digest(), before);
    before = stored_digest();
    assert_told(plan_publish("p"), MET_E_INVALID,
                "plan.phases[0].rate_cards[0].feature", "(and 1 more)");
    /* A critical one is refused for a draft too. */
    assert_told(plan_put(PLAN(CARD("x", "") "," CARD("x", ""))),
                MET_E_INVALID, "plan.phases[0].rate_cards[1].key",
                "rate_card_duplicated_key");
    assert_int_equal(stored_digest(), before);
    /* The feature comes into being: the draft heals by itself. */
    must_put_requests_meter();
    assert_ok(feature_put("{\"key\":\"x\",\"name\":\"X\",\"meter\":{\"key\":"
                          "\"api_requests\"}}"));
    assert_ok(plan_get("p", 0));
    assert_shown("validation_errors.0.code",
                 "entitlement_template_issue_after_reset_required");
    assert_ok(feature_archive("x"));
    assert_ok(plan_get("p", 0));
    assert_shown("validation_errors.0.code", "rate_card_feature_archived");
}

/* A plan keeps the feature it was published with; the same document later
 * means the new owner of the key. */
static void test_plan__features_are_pinned(void **state)
{
    must_put_requests_meter();
    assert_ok(feature_put(EXAMPLE_FEATURE));
    assert_ok(plan_put(FREE_PLAN));
    assert_ok(plan_publish("free"));
    assert_ok(feature_archive("example_service"));
    assert_ok(plan_put(FREE_PLAN)); /* nothing has changed yet */
    assert_shown("version", "1");
    assert_ok(feature_put("{\"key\":\"example_service\",\"name\":\"New\","
                          "\"meter\":{\"key\":\"api_requests\"}}"));
    char id[32];
    snprintf(id, sizeof id, "%s", shown("id"));
    assert_ok(plan_get("free", 1));
    assert_string_not_equal(shown("phases.0.rate_cards.0.feature.id"), id);
    assert_ok(plan_put(FREE_PLAN));
    assert_shown("version", "2");
    assert_ok(plan_publish("free"));
    assert_shown("phases.0.rate_cards.0.feature.id", id);
    assert_ok(plan_put(FREE_PLAN));
    assert_shown("version", "2");
}

/* --- Every state and action ----------------------------------------------- */
static met_error do_update(void)
{
    return plan_put("{\"version\":1,\"key\":\"p\",\"name\":\"New\","
                    "\"currency\":\"USD\",\"billing_cadence\":\"P1M\","
                    "\"phases\":[{\"key\":\"a\",\"name\":\"A\","
                    "\"rate_cards\":[{\"key\":\"c\",\"name\":\"C\"}]}]}");
}
static met_error do_publish(void)
{
    return plan_publish_at("p", clock_now_ns + MET__HOUR_NS, 0);
}
static met_error do_archive(void)
{
    return plan_archive("p");
}
static met_error do_next(void)
{
    return plan_next("p");
}
static met_error do_remove(void)
{
    return plan_remove("p", 1);
}

static void put_in_state(size_t state)
{
    assert_ok(plan_put(FEE("1")));
    if (state == 1) {
        assert_ok(plan_publish_at("p", clock_now_ns + MET__DAY_NS, 0));
    } else if (state > 1) {
        assert_ok(plan_publish("p"));
    }
    clock_now_ns += MET__HOUR_NS;
    if (state == 3) {
        assert_ok(plan_archive("p"));
    }
}

static void test_plan__every_state_and_action(void **state)
{
    static const char *const states[] = {"draft", "scheduled", "active",
                                         "archived"};
    static const struct {
        const char *name;
        met_error (*run)(void);
        int allowed[4];
        const char *field;
        const char *reason;
    } actions[] = {
        {"update", do_update, {1, 1, 0, 0}, "plan.version",
         "only a draft or a scheduled version can be changed"},
        {"publish", do_publish, {1, 1, 0, 0}, "key", "no draft to publish"},
        {"archive", do_archive, {0, 0, 1, 0}, "key", "no version"},
        {"next", do_next, {0, 1, 1, 1}, "key",
         "only a single draft version is allowed"},
        {"remove", do_remove, {1, 1, 0, 1}, "version", "archive it first"},
    };

    documents_teardown(state);
    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
        for (size_t s = 0; s < 4; s++) {
            documents_setup(state);
            put_in_state(s);
            assert_ok(plan_get("p", 1));
            assert_shown("status", states[s]);
            uint64_t before = stored_digest();
            met_error error = actions[a].run();
            if (actions[a].allowed[s] != (error == MET_OK)) {
                fail_msg("%s, %s: %s", actions[a].name, states[s],
                         told.reason);
            }
            if (!actions[a].allowed[s]) {
                assert_told(error, MET_E_CONFLICT, actions[a].field,
                            actions[a].reason);
            }
            assert_int_equal(stored_digest() == before,
                             !actions[a].allowed[s]);
            documents_teardown(state);
        }
    }
    documents_setup(state);
    assert_int_equal(do_next(), MET_E_NOT_FOUND);
    assert_int_equal(do_remove(), MET_E_NOT_FOUND);
    assert_int_equal(do_archive(), MET_E_NOT_FOUND);
    assert_int_equal(do_publish(), MET_E_NOT_FOUND);
    assert_told(do_update(), MET_E_NOT_FOUND, "plan.version",
                "no such version");
}

/* A scheduled version is changed and moved; its issues count. */
static void test_plan__scheduled_is_changed(void **state)
{
    assert_ok(plan_put(FEE("1")));
    assert_ok(plan_publish("p"));
    assert_ok(plan_put(FEE("2")));
    assert_ok(plan_publish_at("p", clock_now_ns + 2 * MET__DAY_NS, 0));
    assert_told(plan_put("{\"version\":2,\"key\":\"p\",\"name\":\"P\","
                         "\"currency\":\"USD\",\"billing_cadence\":"
                         "\"P1M\"}"),
                MET_E_INVALID, "plan.phases", "plan_with_no_phases");
    assert_ok(plan_put("{\"version\":2,\"key\":\"p\",\"name\":\"Other\","
                       "\"currency\":\"EUR\",\"billing_cadence\":\"P1M\","
                       "\"phases\":[{\"key\":\"a\",\"name\":\"A\","
                       "\"rate_cards\":[{\"key\":\"c\",\"name\":\"C\"}]}]}"));
    assert_shown("version", "2");
    assert_shown("name", "Other");
    assert_shown("status", "scheduled");
    assert_shown("effective_from", "2026-03-17T10:30:00Z");
    /* Moved: the one before ends there. */
    assert_ok(plan_publish_at("p", clock_now_ns + MET__DAY_NS, 0));
    assert_shown("version", "2");
    assert_shown("effective_from", "2026-03-16T10:30:00Z");
    assert_ok(plan_get("p", 1));
    assert_shown("effective_to", "2026-03-16T10:30:00Z");
    assert_ok(plan_publish_at("p", clock_now_ns + 5 * MET__DAY_NS, 0));
    assert_ok(plan_get("p", 1));
    assert_shown("effective_to", "2026-03-20T10:30:00Z");
    assert_ok(plan_get_at("p", 0, time_of("2026-03-20T10:29:59Z")));
    assert_shown("version", "1");
    assert_shown("status", "active");
    assert_ok(plan_get_at("p", 0, time_of("2026-03-20T10:30:00Z")));
    assert_shown("version", "2");
    assert_ok(plan_get_at("p", 1, time_of("2026-03-20T10:30:00Z")));
    assert_shown("status", "archived");
    assert_told(plan_get_at("p", 0, -1), MET_E_INVALID, "at_ns", "2200");
}

static void test_plan__next(void **state)
{
    assert_ok(plan_put(FEE("1")));
    assert_ok(plan_publish("p"));
    char id[32];
    snprintf(id, sizeof id, "%s", shown("id"));
    clock_now_ns += MET__HOUR_NS;
    assert_ok(plan_next("p"));
    assert_shown("version", "2");
    assert_shown("status", "draft");
    assert_shown("effective_from", "");
    assert_shown("phases.0.rate_cards.0.price.amount", "1");
    assert_shown("created_at", "2026-03-15T11:30:00Z");
    assert_string_not_equal(shown("id"), id);
    assert_ok(plan_publish("p"));
    assert_shown("version", "2");
    /* Archived, nobody's: it may go. */
    assert_ok(plan_remove("p", 1));
    assert_int_equal(plan_get("p", 1), MET_E_NOT_FOUND);
}

/* Saved as a draft, but nothing could settle it. */
static void test_plan__credits(void **state)
{
    assert_ok(plan_put("{\"key\":\"p\",\"name\":\"P\",\"currency\":"
                       "\"USD\",\"billing_cadence\":\"P1M\","
                       "\"settlement_mode\":\"credit_only\",\"phases\":[{"
                       "\"key\":\"a\",\"name\":\"A\",\"rate_cards\":[{"
                       "\"key\":\"c\",\"name\":\"C\"}]}]}"));
    assert_shown("settlement_mode", "credit_only");
    assert_shown("pro_rating_enabled", "true");
    uint64_t before = stored_digest();
    assert_told(plan_publish("p"), MET_E_UNSUPPORTED, "plan.settlement_mode",
                "no credits");
    assert_int_equal(stored_digest(), before);
}

/* --- Applying ------------------------------------------------------------- */
static met_error apply(const char *json, int64_t now_ns, uint32_t *change)
{
    static const met__path path = {NULL, "plans[0]", 0};
    met__publish when = {0, now_ns, 1};
    met__node *node = NULL;
    met__arena arena;
    met__txn *txn;

    fresh();
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__json_parse(&arena, met__text_z(json), &node, NULL),
                     MET_OK);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met_error error =
        met__plan_apply(txn, node, &path, &when, change, &told);
    if (error == MET_OK) {
        assert_int_equal(met__txn_commit(txn), MET_OK);
    } else {
        met__txn_abort(txn);
    }
    met__arena_release(&arena);
    return error;
}

#define APPLIED(PUBLISH, AMOUNT)                                        \
    "{\"key\":\"p\",\"publish\":" PUBLISH ",\"name\":\"P\","            \
    "\"currency\":\"USD\",\"billing_cadence\":\"P1M\",\"phases\":[{"    \
    "\"key\":\"a\",\"name\":\"A\",\"rate_cards\":[{\"key\":\"fee\","    \
    "\"name\":\"F\",\"billing_cadence\":\"P1M\",\"price\":{"            \
    "\"type\":\"flat\",\"amount\":" AMOUNT "}}]}]}"

static void test_plan__apply(void **state)
{
    uint32_t change = 7;
    int64_t start_ns = time_of("2020-01-01T00:00:00Z");

    assert_ok(apply(APPLIED("false", "1"), start_ns, &change));
    assert_int_equal(change, MET__CHANGE_CREATED);
    assert_ok(plan_get("p", 0));
    assert_shown("status", "draft");
    assert_shown("created_at", "2020-01-01T00:00:00Z");
    assert_ok(apply(APPLIED("true", "1"), start_ns, &change));
    assert_int_equal(change, MET__CHANGE_UPDATED);
    assert_ok(plan_get("p", 0));
    assert_shown("status", "active");
    assert_shown("effective_from", "2020-01-01T00:00:00Z");
    uint64_t before = stored_digest();
    for (int i = 0; i < 3; i++) {
        assert_ok(apply(APPLIED("true", "\"1\""), start_ns + i, &change));
        assert_int_equal(change, MET__CHANGE_NONE);
        assert_int_equal(stored_digest(), before);
    }
    assert_ok(apply(APPLIED("true", "2"), start_ns + MET__DAY_NS, &change));
    assert_int_equal(change, MET__CHANGE_UPDATED);
    assert_ok(plan_get("p", 0));
    assert_shown("version", "2");
    assert_told(apply(APPLIED("1", "2"), start_ns, &change), MET_E_INVALID,
                "plans[0].publish", "true or false");
    before = stored_digest();
    assert_int_equal(apply("[]", start_ns, &change), MET_E_INVALID);
    assert_told(apply(APPLIED("true", "-2"), start_ns + 2 * MET__DAY_NS,
                      &change),
                MET_E_INVALID,
                "plans[0].phases[0].rate_cards[0].price.amount",
                "must be a decimal string >= 0");
    assert_int_equal(stored_digest(), before);
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, documents_setup,               \
                                    documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plan__draft_then_published),
        TEST(test_plan__put_again),
        TEST(test_plan__scheduled),
        TEST(test_plan__gap_is_closed),
        TEST(test_plan__issues),
        TEST(test_plan__features_are_pinned),
        TEST(test_plan__every_state_and_action),
        TEST(test_plan__scheduled_is_changed),
        TEST(test_plan__next),
        TEST(test_plan__credits),
        TEST(test_plan__apply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What may become of a subscription: every pair of state and action by the
 * table of the rules, and what each action leaves behind. */
#include "support/catalog_calls.h"

#include "customer/subscription.h"

#define FREE "{\"plan\":{\"key\":\"free\"}}"
#define OWN(MORE)                                                            \
    "\"custom_plan\":{\"name\":\"Own\",\"currency\":\"USD\","                \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"trial\",\"name\":"   \
    "\"Trial\",\"duration\":\"P1M\",\"rate_cards\":[{\"key\":\"fee\","       \
    "\"name\":\"Fee\"}]},{\"key\":\"paid\",\"name\":\"Paid\",\"rate_cards\":" \
    "[{\"key\":\"example_service\",\"name\":\"E\",\"feature\":{\"key\":"     \
    "\"example_service\"},\"entitlement\":{\"type\":\"metered\",\"limit\":"  \
    "\"7\"}}]}]" MORE "}"

static int setup(void **state)
{
    documents_setup(state);
    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\"}"));
    return 0;
}

static const char *kept_id(const char *path)
{
    static char ids[8][32];
    static unsigned turn;
    char *id = ids[turn++ % 8];

    snprintf(id, 32, "%s", shown(path));
    assert_int_equal(strlen(id), 26);
    return id;
}

static const char *subscribe_from(const char *from)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"premium\"}"
             "%s%s%s}",
             from ? ",\"active_from\":\"" : "", from ? from : "",
             from ? "\"" : "");
    assert_ok(subscribe(json, 0));
    return kept_id("id");
}

/* --- The table ------------------------------------------------------------ */
static met_error do_cancel(const char *id)
{
    return subscription_cancel(id, 0, 0);
}
static met_error do_change(const char *id)
{
    return subscription_change(id, FREE, 0, 0);
}
static met_error do_migrate(const char *id)
{
    return subscription_migrate(id, NULL, 0, 0);
}

static const struct action {
    const char *name;
    met_error (*run)(const char *id);
    int allowed[5]; /* scheduled, active, canceled, inactive, deleted */
} actions[] = {
    {"cancel", do_cancel, {1, 1, 0, 0, 0}},
    {"continue", subscription_continue, {0, 0, 1, 0, 0}},
    {"change", do_change, {0, 1, 0, 0, 0}},
    {"migrate", do_migrate, {0, 1, 0, 0, 0}},
    {"restore", subscription_restore, {0, 0, 1, 0, 0}},
    {"delete", subscription_remove, {1, 0, 0, 0, 0}},
};
static const char *const states[] = {"scheduled", "active", "canceled",
                                     "inactive", "inactive"};

/* One in this state, of the customer c. */
static const char *in_state(size_t index)
{
    const char *id =
        subscribe_from(index == 0 || index == 4 ? "2026-06-01T00:00:00Z"
                                                : NULL);

    clock_now_ns += MET__DAY_NS;
    if (index == 2) {
        assert_ok(subscription_cancel(id, 0, MET_CANCEL_NEXT_BILLING_CYCLE));
    } else if (index == 3) {
        assert_ok(subscription_cancel(id, 0, 0));
    } else if (index == 4) {
        assert_ok(subscription_remove(id));
    }
    assert_ok(subscription_get(id));
    assert_shown("status", states[index]);
    return id;
}

static void test_transition__every_pair(void **state)
{
    char reason[80];

    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
        for (size_t s = 0; s < sizeof states / sizeof *states; s++) {
            setup(state);
            const char *id = in_state(s);
            assert_ok(plan_put(EXAMPLE_PLAN(
                "premium", "{\"type\":\"unit\",\"amount\":\"2\"}", "1",
                "false")));
            assert_ok(plan_publish("premium"));
            uint64_t before = stored_digest();
            met_error error = actions[a].run(id);
            if (actions[a].allowed[s]) {
                if (error != MET_OK) {
                    fail_msg("%s, %s: %s", actions[a].name, states[s],
                             told.reason);
                }
                assert_int_not_equal(stored_digest(), before);
            } else {
                snprintf(reason, sizeof reason,
                         "transition %s in state %s not allowed",
                         actions[a].name, states[s]);
                assert_told(error, MET_E_CONFLICT, "id", reason);
                assert_int_equal(stored_digest(), before);
            }
            assert_told(actions[a].run("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                        MET_E_NOT_FOUND, "id", "01ARZ3NDEKTSV4RRFFQ69G5FAV");
            documents_teardown(state);
        }
    }
    setup(state);
}

/* --- One by one ----------------------------------------------------------- */
static void test_transition__continue(void **state)
{
    const char *id = subscribe_from(NULL);

    assert_ok(subscription_cancel(id, 0, MET_CANCEL_NEXT_BILLING_CYCLE));
    assert_shown("status", "canceled");
    assert_ok(subscribe("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                        "\"free\"},\"active_from\":"
                        "\"2026-04-15T10:30:00Z\"}",
                        0));
    const char *other = kept_id("id");
    assert_told(subscription_continue(id), MET_E_CONFLICT, "id",
                "only_single_subscription_allowed_per_customer_at_a_time");
    assert_ok(subscription_remove(other));
    assert_ok(subscription_continue(id));
    assert_shown("status", "active");
    assert_shown("active_to", "");
    assert_ok(subscription_list("c"));
    assert_shown("items.1", "");
    assert_ok(subscription_list(NULL));
    assert_shown("items.1", "");
    assert_ok(subscription_get(other));
    assert_shown("status", "inactive");
    assert_shown("deleted_at", "2026-03-15T10:30:00Z");
}

static void test_transition__change(void **state)
{
    const char *id = subscribe_from(NULL);

    clock_now_ns = time_of("2026-03-20T00:00:00Z");
    uint64_t before = stored_digest();
    assert_told(subscription_change(id, "{}", 0, 0), MET_E_INVALID,
                "subscription.plan", "required");
    assert_told(subscription_change(id, "{\"plan\":{\"key\":\"free\"}," OWN("")
                                        "}",
                                    0, 0),
                MET_E_INVALID, "subscription.custom_plan", "too");
    assert_told(subscription_change(id, "{\"plan\":{\"key\":\"nope\"}}", 0, 0),
                MET_E_NOT_FOUND, "subscription.plan.key", "no such plan");
    assert_told(subscription_change(id, "{\"plan\":{\"key\":\"free\"},"
                                        "\"customer\":{\"key\":\"d\"}}",
                                    0, 0),
                MET_E_CONFLICT, "subscription.customer.key", "is of \"c\"");
    assert_told(subscription_change(id, "{\"plan\":{\"key\":\"free\"},"
                                        "\"active_from\":"
                                        "\"2026-03-20T00:00:00Z\"}",
                                    0, 0),
                MET_E_INVALID, "subscription.active_from", "not a known");
    assert_told(subscription_change(id, FREE, clock_now_ns + 1, 0),
                MET_E_INVALID, "at_ns", "start of one of its billing periods");
    assert_told(subscription_change(id, FREE, 0, 64), MET_E_UNSUPPORTED,
                "flags", "unknown bit");
    assert_told(subscription_change("x", FREE, 0, 0), MET_E_INVALID, "id",
                "26 characters");
    assert_int_equal(stored_digest(), before);
    /* At the end of the period: linked, with the anchor of the first. */
    assert_ok(subscription_change(
        id, "{\"plan\":{\"key\":\"free\"},\"customer\":{\"key\":\"c\"},"
            "\"name\":\"Down\",\"labels\":{\"why\":\"price\"}}",
        0, MET_CANCEL_NEXT_BILLING_CYCLE));
    assert_shown("current.id", id);
    assert_shown("current.status", "canceled");
    assert_shown("current.active_to", "2026-04-15T10:30:00Z");
    assert_shown("next.status", "scheduled");
    assert_shown("next.active_from", "2026-04-15T10:30:00Z");
    assert_shown("next.billing_anchor", "2026-03-15T10:30:00Z");
    assert_shown("next.plan.key", "free");
    assert_shown("next.name", "Down");
    assert_shown("next.labels.why", "price");
    assert_shown("next.previous_subscription_id", id);
    const char *next = kept_id("next.id");
    assert_shown("current.superseding_subscription_id", next);
    /* Taken back. */
    assert_ok(subscription_restore(id));
    assert_shown("status", "active");
    assert_shown("superseding_subscription_id", "");
    assert_ok(subscription_get(next));
    assert_shown("deleted_at", "2026-03-20T00:00:00Z");
    /* At once: in the middle of a period, which keeps its bounds. */
    assert_ok(subscription_change(
        id, "{\"plan\":{\"key\":\"free\"},\"billing_anchor\":"
            "\"2026-01-01T00:00:00Z\"}",
        0, 0));
    assert_shown("current.status", "inactive");
    assert_shown("next.status", "active");
    assert_shown("next.billing_anchor", "2026-01-01T00:00:00Z");
    next = kept_id("next.id");
    assert_ok(subscription_get(next));
    assert_shown("current_phase.key", "default");
    assert_shown("current_phase.from", "2026-03-20T00:00:00Z");
    assert_shown("current_phase.to", "");
    assert_shown("current_billing_period.from", "2026-03-20T00:00:00Z");
    assert_shown("current_billing_period.to", "2026-04-01T00:00:00Z");
    /* Status at any instant. */
    assert_ok(subscription_get_at(id, clock_now_ns - 1));
    assert_shown("status", "canceled");
    assert_shown("current_phase.to", "2026-03-20T00:00:00Z");
    assert_ok(subscription_get_at(next, clock_now_ns - 1));
    assert_shown("status", "scheduled");
    assert_shown("current_phase", "");
    assert_told(subscription_get_at(next, -1), MET_E_INVALID, "at_ns",
                "2200");
}

static void test_transition__migrate(void **state)
{
    const char *id = subscribe_from(NULL);

    assert_told(subscription_migrate(id, NULL, 0, 0), MET_E_CONFLICT,
                "subscription.target_version",
                "version 1 is not later than the present one, 1");
    assert_ok(plan_put(EXAMPLE_PLAN("premium",
                                    "{\"type\":\"unit\",\"amount\":\"2\"}",
                                    "1", "false")));
    assert_told(subscription_migrate(id, NULL, 0, 0), MET_E_CONFLICT,
                "subscription.target_version", "not later");
    assert_told(subscription_migrate(id, "{\"target_version\":2}", 0, 0),
                MET_E_CONFLICT, "subscription.plan",
                "not active: version 2 is draft");
    assert_ok(plan_publish("premium"));
    clock_now_ns += MET__DAY_NS;
    assert_ok(plan_put(EXAMPLE_PLAN("premium",
                                    "{\"type\":\"unit\",\"amount\":\"3\"}",
                                    "1", "false")));
    assert_ok(plan_publish("premium"));
    clock_now_ns += MET__DAY_NS;
    assert_told(subscription_migrate(id, "{\"target_version\":9}", 0, 0),
                MET_E_NOT_FOUND, "subscription.plan.version",
                "no such version");
    assert_told(subscription_migrate(id, "{\"plan\":{\"key\":\"free\"}}", 0,
                                     0),
                MET_E_INVALID, "subscription.plan", "not a known field");
    /* An archived version will do. */
    assert_ok(subscription_migrate(id, "{\"target_version\":2}", 0, 0));
    assert_shown("next.plan", "{\"key\":\"premium\",\"version\":2}");
    assert_shown("next.billing_anchor", "2026-03-15T10:30:00Z");
    id = kept_id("next.id");
    assert_ok(subscription_migrate(id, NULL, 0,
                                   MET_CANCEL_NEXT_BILLING_CYCLE));
    assert_shown("next.plan", "{\"key\":\"premium\",\"version\":3}");
    assert_shown("next.active_from", "2026-04-15T10:30:00Z");
    assert_shown("next.previous_subscription_id", id);
}

static void test_transition__custom_plan(void **state)
{
    uint64_t before = stored_digest();

    assert_told(subscribe("{\"customer\":{\"key\":\"c\"}," OWN(
                              ",\"key\":\"own\"") "}",
                          0),
                MET_E_INVALID, "subscription.custom_plan.key",
                "not a known field");
    assert_told(subscribe("{\"customer\":{\"key\":\"c\"},\"custom_plan\":{"
                          "\"name\":\"Own\",\"currency\":\"USD\","
                          "\"billing_cadence\":\"P1M\"}}",
                          0),
                MET_E_INVALID, "subscription.custom_plan.phases",
                "plan_with_no_phases");
    assert_told(subscribe("{\"customer\":{\"key\":\"c\"}," OWN(
                              ",\"settlement_mode\":\"credit_only\"") "}",
                          0),
                MET_E_UNSUPPORTED, "subscription.custom_plan.settlement_mode",
                "no credits");
    assert_told(subscribe("{\"customer\":{\"key\":\"c\"}," OWN(
                              "") ",\"starting_phase\":\"none\"}",
                          0),
                MET_E_INVALID, "subscription.starting_phase",
                "no such phase");
    assert_int_equal(stored_digest(), before);
    assert_ok(subscribe("{\"customer\":{\"key\":\"c\"}," OWN("") "}", 0));
    const char *id = kept_id("id");
    assert_shown("plan", "");
    assert_shown("custom_plan.name", "Own");
    assert_shown("custom_plan.key", "");
    assert_shown("custom_plan.pro_rating_enabled", "true");
    assert_shown("custom_plan.phases.1.key", "paid");
    assert_ok(subscription_get_at(id, time_of("2026-04-15T10:30:00Z")));
    assert_shown("current_phase.key", "paid");
    assert_ok(subscription_get_at(id, time_of("2026-04-15T10:29:59Z")));
    assert_shown("current_phase.key", "trial");
    assert_shown("current_phase.to", "2026-04-15T10:30:00Z");
    /* Nobody else's: in no list, and nothing to be done to it. */
    assert_ok(plan_list());
    assert_shown("items.2", "");
    assert_int_equal(plan_get(id, 0), MET_E_NOT_FOUND);
    assert_int_equal(plan_archive(id), MET_E_NOT_FOUND);
    assert_int_equal(plan_publish(id), MET_E_NOT_FOUND);
    assert_int_equal(plan_remove(id, 1), MET_E_NOT_FOUND);
    assert_told(subscription_migrate(id, NULL, 0, 0), MET_E_CONFLICT, "id",
                "a custom plan has no versions");
    /* From its second phase on. */
    assert_ok(subscription_change(id, "{" OWN("") ",\"starting_phase\":"
                                                  "\"paid\"}",
                                  0, 0));
    id = kept_id("next.id");
    assert_shown("next.starting_phase", "paid");
    assert_ok(subscription_get(id));
    assert_shown("current_phase.key", "paid");
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, documents_teardown)

static int nothing(void **state)
{
    (void)state;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transition__every_pair, nothing,
                                        documents_teardown),
        TEST(test_transition__continue),
        TEST(test_transition__change),
        TEST(test_transition__migrate),
        TEST(test_transition__custom_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

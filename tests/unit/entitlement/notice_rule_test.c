/* Rules of notices: their documents, and what is refused of them. */
#include "unit/entitlement/notice_support.h"

static met_error get_rule(const char *key)
{
    met_buffer *buffer = fresh();

    return keep(met_notice_rule_get(store, key, strlen(key), buffer, &told),
                buffer);
}

static void a_rule_is_kept(void **state)
{
    char id[32];

    (void)state;
    must_put_rule("warn", "\"description\":\"Soon\",\"when_reached\":true,"
                          "\"features\":[\"example_service\"]," AT_50_80);
    snprintf(id, sizeof id, "%s", shown("id"));
    assert_int_equal(strlen(id), 26);
    assert_ok(get_rule("warn"));
    assert_shown("id", id);
    assert_shown("name", "Rule");
    assert_shown("description", "Soon");
    assert_shown("disabled", "false");
    assert_shown("when_reached", "true");
    assert_shown("thresholds.1",
                 "{\"type\":\"usage_percentage\",\"value\":\"80\"}");
    assert_shown("features", "[\"example_service\"]");
    assert_shown("created_at", "2026-03-15T10:30:00Z");
}

static void the_same_again_changes_nothing(void **state)
{
    (void)state;
    must_put_rule("warn", AT_50_80);
    uint64_t before = stored_digest();
    clock_now_ns += MET__HOUR_NS;
    must_put_rule("warn", AT_50_80);
    assert_true(stored_digest() == before);
    assert_shown("updated_at", "2026-03-15T10:30:00Z");
    must_put_rule("warn", "\"thresholds\":[{\"type\":\"balance_value\","
                          "\"value\":\"0\"}]");
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_shown("updated_at", "2026-03-15T11:30:00Z");
}

static void rules_are_listed_and_removed(void **state)
{
    (void)state;
    must_put_rule("b", AT_50_80);
    must_put_reset_rule("a");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_notice_rule_list(store, buffer, &told), buffer));
    assert_shown("items.0.key", "a");
    assert_shown("items.0.thresholds", "");
    assert_shown("items.1.key", "b");
    fresh();
    assert_ok(met_notice_rule_remove(store, "a", 1, &told));
    assert_told(met_notice_rule_remove(store, "a", 1, &told), MET_E_NOT_FOUND,
                "key", "there is no \"a\"");
    assert_int_equal(get_rule("a"), MET_E_NOT_FOUND);
}

static const struct refusal {
    const char *json;
    met_error code;
    const char *field;
    const char *reason;
} refusals[] = {
#define RULE(members) "{\"key\":\"r\",\"name\":\"R\"," members "}"
#define BALANCE "\"type\":\"entitlements.balance.threshold\""
    {"{}", MET_E_INVALID, "notice_rule.key", "resource_key_empty"},
    {RULE("\"type\":\"other\""), MET_E_INVALID, "notice_rule.type", ""},
    {RULE("\"type\":\"invoice.created\""), MET_E_UNSUPPORTED,
     "notice_rule.type", "invoices"},
    {RULE("\"type\":\"invoice.updated\""), MET_E_UNSUPPORTED,
     "notice_rule.type", "invoices"},
    {RULE(BALANCE), MET_E_INVALID, "notice_rule.thresholds", "at least one"},
    {RULE(BALANCE ",\"thresholds\":[]"), MET_E_INVALID,
     "notice_rule.thresholds", "at least one"},
    {RULE(BALANCE ",\"thresholds\":[{\"type\":\"usage_value\",\"value\":0}]"),
     MET_E_INVALID, "notice_rule.thresholds[0].value", "above 0"},
    {RULE(BALANCE ",\"thresholds\":[{\"type\":\"balance_value\",\"value\":0},"
                  "{\"type\":\"balance_value\",\"value\":\"-1\"}]"),
     MET_E_INVALID, "notice_rule.thresholds[1].value", "0 or more"},
    {RULE(BALANCE ",\"thresholds\":[{\"type\":\"NUMBER\",\"value\":1}]"),
     MET_E_INVALID, "notice_rule.thresholds[0].type", ""},
    {RULE(BALANCE ",\"thresholds\":[7]"), MET_E_INVALID,
     "notice_rule.thresholds[0]", ""},
    {RULE(BALANCE "," AT_50_80 ",\"features\":[\"nope\"]"), MET_E_NOT_FOUND,
     "notice_rule.features[0]", "there is no feature \"nope\""},
    {RULE(BALANCE "," AT_50_80 ",\"features\":[7]"), MET_E_INVALID,
     "notice_rule.features[0]", "key of a feature"},
    {RULE(BALANCE "," AT_50_80
                  ",\"features\":[\"example_service\",\"example_service\"]"),
     MET_E_INVALID, "notice_rule.features[1]", "twice"},
    {RULE(BALANCE "," AT_50_80 ",\"channels\":[]"), MET_E_UNSUPPORTED,
     "notice_rule.channels", ""},
    {RULE(BALANCE "," AT_50_80 ",\"more\":1"), MET_E_INVALID,
     "notice_rule.more", ""},
    {RULE("\"type\":\"entitlements.reset\"," AT_50_80), MET_E_INVALID,
     "notice_rule.thresholds", "is for"},
    {RULE("\"type\":\"entitlements.reset\",\"when_reached\":false"),
     MET_E_INVALID, "notice_rule.when_reached", "is for"},
    {"{\"key\":\"taken\",\"name\":\"R\",\"type\":\"entitlements.reset\"}",
     MET_E_CONFLICT, "notice_rule.type", "keeps its type"},
    {"[]", MET_E_INVALID, "notice_rule", ""},
};

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    must_put_rule("taken", AT_50_80);
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        assert_told(put_rule(refusal->json), refusal->code, refusal->field,
                    refusal->reason);
        assert_true(stored_digest() == before);
    }
}

static void there_is_a_bound(void **state)
{
    char key[16];
    char json[1024] = "\"thresholds\":[";

    (void)state;
    for (int i = 0; i <= MET__NOTICE_THRESHOLDS_MAX; i++) {
        snprintf(json + strlen(json), sizeof json - strlen(json),
                 "%s{\"type\":\"usage_value\",\"value\":%d}", i ? "," : "",
                 i + 1);
    }
    char rule[2048];
    snprintf(rule, sizeof rule, RULE(BALANCE ",%s]"), json);
    assert_told(put_rule(rule), MET_E_INVALID, "notice_rule.thresholds", "");
    for (int i = 0; i < MET__NOTICE_RULES_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        must_put_reset_rule(key);
    }
    assert_told(put_rule(RULE("\"type\":\"entitlements.reset\"")),
                MET_E_LIMIT, "notice_rule", "100");
    must_put_reset_rule("k7");
}

static void arguments_are_checked(void **state)
{
    met_buffer out = {0};

    (void)state;
    fresh();
    assert_told(met_notice_rule_put(NULL, "{}", 2, NULL, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_notice_rule_put(store, NULL, 2, NULL, &told),
                MET_E_INVALID, "json", "is NULL");
    assert_told(met_notice_rule_get(store, "a", 1, NULL, &told),
                MET_E_INVALID, "json_out", "is NULL");
    assert_told(met_notice_rule_get(store, NULL, 1, &out, &told),
                MET_E_INVALID, "key", "is NULL");
    assert_told(met_notice_rule_list(store, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_notice_rule_remove(NULL, "a", 1, &told), MET_E_INVALID,
                "store", "is NULL");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_rule_is_kept),
        CASE(the_same_again_changes_nothing),
        CASE(rules_are_listed_and_removed),
        CASE(what_is_wrong_is_named),
        CASE(there_is_a_bound),
        CASE(arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

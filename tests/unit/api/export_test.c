/* met_catalog_export: what it gives makes the same store again, byte for byte,
 * whatever happened to what is in it, and in whatever order. */
#include "support/catalog_calls.h"

#include "metering/billing.h"
#include "metering/entitlement.h"
#include "metering/gateway.h"
#include "metering/grant.h"
#include "metering/notice.h"

static const char gateway[] =
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"example_service\","
    "\"url\":\"http://localhost:8000/anything\",\"routes\":[{\"name\":\"r\","
    "\"paths\":[\"/anything\"]},{\"name\":\"by_host\",\"paths\":[\"/x\"],"
    "\"hosts\":[\"example.org\"]}]}],\"consumer_groups\":[{\"name\":\"gold\"}],"
    "\"consumers\":[{\"username\":\"rosario\",\"groups\":[\"gold\"],"
    "\"custom_id\":\"crm-17\",\"acls\":[{\"group\":\"premium\"}],"
    "\"keyauth_credentials\":[{\"key\":\"k1\"}]},{\"username\":\"ariel\","
    "\"id\":\"a-1\"}],\"plugins\":[{\"name\":\"key-auth\"},{\"name\":"
    "\"rate-limiting\",\"consumer\":\"rosario\",\"config\":{\"minute\":5}},"
    "{\"name\":\"rate-limiting\",\"consumer_group\":\"gold\",\"config\":"
    "{\"minute\":6}},{\"name\":\"rate-limiting\",\"plan\":\"premium\","
    "\"config\":{\"minute\":7}},{\"name\":\"acl\","
    "\"service\":\"example_service\",\"config\":{\"allow\":[\"premium\"]}}]}";

static met_error apply_json(const char *json, uint64_t flags)
{
    met_buffer *out = fresh();
    return keep(met_catalog_apply(store, json, strlen(json), 0, flags, out,
                                  &told),
                out);
}

/* A copy; the caller frees it. */
static char *export_all(void)
{
    met_buffer out = {0};

    fresh();
    assert_ok(met_catalog_export(store, &out, &told));
    char *copy = malloc(out.size + 1);
    assert_non_null(copy);
    memcpy(copy, out.data, out.size);
    copy[out.size] = '\0';
    met_buffer_release(&out);
    return copy;
}

static const char *subscribed(const char *json, uint64_t flags)
{
    static char ids[4][32];
    static unsigned turn;
    char *id = ids[turn++ % 4];

    assert_ok(subscribe(json, flags));
    snprintf(id, 32, "%s", shown("id"));
    return id;
}

#define LONE                                                              \
    "{\"customer\":{\"key\":\"own\"},\"feature\":{\"key\":"             \
    "\"example_service\"},\"type\":\"metered\",\"usage_period\":{"       \
    "\"interval\":\"P1M\"},\"measure_usage_from\":\"now\","               \
    "\"issue_after_reset\":50}"
#define GRANT(MORE)                                                       \
    "{\"customer\":{\"key\":\"own\"},\"feature\":{\"key\":"             \
    "\"example_service\"},\"amount\":10" MORE "}"

/* What stands beside subscriptions. */
static void fill_entitled(void)
{
    static const char lone[] = LONE;
    static const char grant[] =
        GRANT(",\"priority\":3,\"expiration\":{\"duration\":\"month\","
              "\"count\":2},\"metadata\":{\"why\":\"gift\"}");
    static const char reset[] = "{\"retain_anchor\":true}";
    static const char profile[] =
        "{\"supplier\":{\"name\":\"We\"},\"workflow\":{\"invoicing\":{"
        "\"due_after\":\"P14D\"}}}";
    static const char his[] =
        "{\"workflow\":{\"invoicing\":{\"due_after\":\"P7D\"}}}";

    fresh();
    assert_ok(met_entitlement_create(store, lone, sizeof lone - 1, 0, NULL,
                                     &told));
    assert_ok(met_grant_create(store, grant, sizeof grant - 1, 0, NULL,
                               &told));
    clock_now_ns += MET__HOUR_NS;
    assert_ok(met_entitlement_reset(store, "own", 3, "example_service", 15,
                                    reset, sizeof reset - 1, NULL, &told));
    assert_ok(met_billing_profile_put(store, NULL, 0, profile,
                                      sizeof profile - 1, NULL, &told));
    assert_ok(met_billing_profile_put(store, "own", 3, his, sizeof his - 1,
                                      NULL, &told));
}

/* Something of everything, with a past. */
static void fill(void)
{
    static const char rule[] =
        "{\"key\":\"low\",\"name\":\"Low\",\"type\":"
        "\"entitlements.balance.threshold\",\"thresholds\":[{\"type\":"
        "\"usage_percentage\",\"value\":\"80\"}]}";
    char id[32];

    must_have_catalog();
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"Old\"}"));
    assert_ok(plan_put("{\"key\":\"old\",\"name\":\"O\",\"currency\":\"USD\","
                       "\"billing_cadence\":\"P1M\",\"labels\":{\"a\":\"b\"},"
                       "\"phases\":[{\"key\":\"p\",\"name\":\"P\","
                       "\"rate_cards\":[{\"key\":\"seats\",\"name\":\"S\","
                       "\"feature\":{\"key\":\"seats\"}}]}]}"));
    assert_ok(plan_publish("old"));
    assert_ok(feature_archive("seats"));
    clock_now_ns += MET__HOUR_NS;
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"Second\"}"));
    assert_ok(feature_archive("seats"));
    clock_now_ns += MET__HOUR_NS;
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"Third\",\"labels\":"
                          "{\"x\":\"y\"}}"));
    assert_ok(feature_put("{\"key\":\"some\",\"name\":\"S\",\"meter\":{\"key\":"
                          "\"api_requests\",\"filters\":{\"route_name\":"
                          "{\"or\":[{\"nin\":[\"a\",\"b\"]},{\"and\":[{"
                          "\"neq\":\"c\"},{\"exists\":true}]}]},"
                          "\"service_name\":{}}}}"));
    assert_ok(plan_next("premium"));
    assert_ok(plan_publish("premium"));
    assert_ok(plan_next("premium"));
    assert_ok(plan_publish_at("premium", clock_now_ns + MET__DAY_NS, 0));
    assert_ok(plan_put("{\"key\":\"draft\",\"name\":\"D\",\"currency\":"
                       "\"USD\",\"billing_cadence\":\"P1M\"}"));
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\",\"labels\":{\"a\":"
                           "\"b\"},\"usage_attribution\":{\"subject_keys\":["
                           "\"x\",\"y\"]}}"));
    assert_ok(customer_put("{\"key\":\"gone\",\"name\":\"G\"}"));
    assert_ok(customer_put("{\"key\":\"own\",\"name\":\"O\",\"currency\":"
                           "\"EUR\"}"));
    snprintf(id, sizeof id, "%s",
             subscribed("{\"customer\":{\"key\":\"gone\"},\"plan\":{\"key\":"
                        "\"free\"}}",
                        0));
    clock_now_ns += MET__HOUR_NS;
    assert_ok(subscription_cancel(id, 0, 0));
    assert_ok(customer_remove("gone"));
    /* The key has another owner since. */
    assert_ok(customer_put("{\"key\":\"gone\",\"name\":\"Back\"}"));
    snprintf(id, sizeof id, "%s",
             subscribed("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                        "\"premium\",\"version\":2},\"active_from\":"
                        "\"2026-03-01T00:00:00Z\"}",
                        MET_ALLOW_PAST));
    assert_ok(subscription_change(id, "{\"plan\":{\"key\":\"free\"}}", 0, 0));
    snprintf(id, sizeof id, "%s", shown("next.id"));
    clock_now_ns += MET__HOUR_NS;
    assert_ok(subscription_cancel(id, 0, MET_CANCEL_NEXT_BILLING_CYCLE));
    (void)subscribed(
        "{\"customer\":{\"key\":\"own\"},\"starting_phase\":\"b\","
        "\"custom_plan\":{\"name\":\"Own\",\"currency\":\"EUR\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"a\",\"name\":"
        "\"A\",\"duration\":\"P1M\",\"rate_cards\":[{\"key\":\"fee\","
        "\"name\":\"F\"}]},{\"key\":\"b\",\"name\":\"B\",\"rate_cards\":[{"
        "\"key\":\"fee\",\"name\":\"F\",\"billing_cadence\":\"P1M\","
        "\"price\":{\"type\":\"flat\",\"amount\":\"1\"}}]}]}}",
        0);
    met_buffer *out = fresh();
    assert_ok(keep(met_notice_rule_put(store, rule, sizeof rule - 1, out,
                                       &told),
                   out));
    assert_ok(apply_json(gateway, 0));
    fill_entitled();
}

/* Into a store of its own. */
static void apply_elsewhere(const char *name, const char *json)
{
    met_store_close(store);
    clock_now_ns += MET__DAY_NS;
    assert_int_equal(open_documents(name, 1, &store), MET_OK);
    assert_ok(apply_json(json, 0));
}

static void test_export__is_applied(void **state)
{
    (void)state;
    fill();
    char *first = export_all();
    assert_non_null(strstr(first, "\"_export_version\":1"));
    assert_null(strstr(first, "\"Back\"}]")); /* the last is not the last */
    assert_null(strstr(first, "\"G\""));      /* removed */
    assert_null(strstr(first, "k1"));
    assert_non_null(strstr(first, "\"by_name_only\":true"));
    assert_non_null(strstr(first, "\"issue_after_reset\":\"50\""));
    assert_non_null(strstr(first, "\"metadata\":{\"why\":\"gift\"}"));
    assert_non_null(strstr(first, "\"resets\":[{\"customer\""));
    assert_non_null(strstr(first, "\"due_after\":\"P7D\""));
    apply_elsewhere("t", first);
    assert_shown("ignored", "[]");
    char *second = export_all();
    assert_string_equal(second, first);
    /* What was pinned is the same feature. */
    assert_ok(plan_get("old", 1));
    assert_shown("status", "active");
    assert_ok(subscription_list("own"));
    assert_shown("items.0.custom_plan.name", "Own");
    assert_ok(subscription_list("c"));
    assert_shown("items.0.superseding_subscription_id", shown("items.1.id"));
    assert_ok(customer_of_subject("y"));
    assert_shown("key", "c");
    /* Once more, and nothing happens. */
    uint64_t before = stored_digest();
    assert_ok(apply_json(second, 0));
    assert_null(strstr(shown("changes"), "created"));
    assert_null(strstr(shown("changes"), "updated"));
    assert_int_equal(stored_digest(), before);
    free(first);
    free(second);
}

static void test_export__empty(void **state)
{
    (void)state;
    char *first = export_all();
    apply_elsewhere("t", first);
    char *second = export_all();
    assert_string_equal(second, first);
    free(first);
    free(second);
}

static void reverse(met__node *array)
{
    for (uint32_t i = 0, j = array->count; i + 1 < j--; i++) {
        met__node *kept = array->as.items[i];
        array->as.items[i] = array->as.items[j];
        array->as.items[j] = kept;
    }
}

/* Members and items the other way round. */
static void test_export__in_any_order(void **state)
{
    met__arena arena;
    met__buffer buffer;
    met__node *root = NULL;

    (void)state;
    fill();
    char *first = export_all();
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__json_parse(&arena, met__text_z(first), &root, NULL),
                     MET_OK);
    for (uint32_t i = 0, j = root->count; i + 1 < j--; i++) {
        met__member kept = root->as.members[i];
        root->as.members[i] = root->as.members[j];
        root->as.members[j] = kept;
    }
    for (uint32_t i = 0; i < root->count; i++) {
        if (root->as.members[i].node->kind == MET__NODE_ARRAY) {
            reverse(root->as.members[i].node);
        }
    }
    met__platform platform = faulty_platform(NULL, NULL);
    met__buffer_init(&buffer, &platform);
    met__json_write(root, 0, &buffer);
    met__buffer_append(&buffer, "", 1);
    met__arena_release(&arena);
    apply_elsewhere("t", buffer.data);
    met__buffer_release(&buffer);
    char *second = export_all();
    assert_string_equal(second, first);
    free(first);
    free(second);
}

/* As people state them: once, however often they are applied. */
static void test_export__entitlements_are_stated(void **state)
{
    static const char stated[] =
        "{\"grants\":[" GRANT(",\"effective_at\":\"2026-03-15T10:30:00Z\"")
        "," GRANT(",\"effective_at\":\"2026-03-20T00:00:00+01:00\"")
        "],\"entitlements\":[" LONE "],\"customers\":[{\"key\":\"own\","
        "\"name\":\"O\"}],\"billing_profiles\":[{\"customer\":{\"key\":"
        "\"own\"},\"workflow\":{\"invoicing\":{\"due_after\":\"P7D\"}}},"
        "{\"late_usage\":\"next_invoice\"}]}";

    (void)state;
    must_have_catalog();
    uint64_t before = stored_digest();
    assert_ok(apply_json(stated, MET_APPLY_DRY_RUN));
    assert_int_equal(stored_digest(), before);
    assert_ok(apply_json(stated, 0));
    assert_shown("changes.1.kind", "entitlement");
    assert_shown("changes.1.key", "own");
    assert_shown("changes.1.change", "created");
    assert_shown("changes.3.kind", "grant");
    assert_shown("changes.4.kind", "billing_profile");
    assert_shown("changes.4.change", "created");
    assert_shown("changes.5.key", "");
    before = stored_digest();
    clock_now_ns += MET__HOUR_NS;
    assert_ok(apply_json(stated, 0));
    assert_shown("changes.1.change", "unchanged");
    assert_shown("changes.2.change", "unchanged");
    assert_shown("changes.3.change", "unchanged");
    assert_shown("changes.4.change", "unchanged");
    assert_shown("changes.5.change", "unchanged");
    assert_int_equal(stored_digest(), before);
    assert_told(apply_json("{\"grants\":[" GRANT("") "]}", 0), MET_E_INVALID,
                "grants[0].effective_at", "is required");
    assert_told(apply_json("{\"resets\":[{}]}", 0), MET_E_UNSUPPORTED,
                "resets[0]", "only in what was exported");
    assert_told(apply_json("{\"entitlements\":[{\"customer\":{\"key\":"
                           "\"own\"},\"feature\":{\"key\":"
                           "\"example_service\"},\"type\":\"boolean\"}]}",
                           0),
                MET_E_CONFLICT, "entitlements[0]", "another entitlement");
    assert_told(apply_json("{\"billing_profiles\":[{\"customer\":{\"key\":"
                           "\"nobody\"}}]}",
                           0),
                MET_E_NOT_FOUND, "billing_profiles[0].customer.key",
                "no such customer");
    assert_told(apply_json("{\"billing_profiles\":[{\"late_usage\":7}]}", 0),
                MET_E_INVALID, "billing_profile.late_usage", "");
    assert_int_equal(stored_digest(), before);
}

/* Owners of one key in their order, also of one instant or when the clock was
 * stepped back. */
static void test_export__owners_of_a_key(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"Seats\"}"));
        assert_ok(feature_archive("seats"));
        clock_now_ns -= i / 2 * MET__HOUR_NS;
    }
    char *first = export_all();
    apply_elsewhere("t", first);
    char *second = export_all();
    assert_string_equal(second, first);
    free(first);
    free(second);
}

/* What an import may not bring. */
static void test_export__refuse(void **state)
{
    static const struct {
        const char *find; /* in the export */
        const char *put;  /* in its place */
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"\"_export_version\":1", "\"_export_version\":2", MET_E_UNSUPPORTED,
         "_export_version", "must be 1"},
        {"\"name\":\"Third\"", "\"name\":\"Other\"", MET_E_CONFLICT, "",
         "differs from the one in the store"},
        {"\"name\":\"Second\"", "\"name\":\"2nd\"", MET_E_CONFLICT, "",
         "differs from the one in the store"},
        {"\"name\":\"Back\"", "\"name\":\"Bad\"", MET_E_CONFLICT, "",
         "differs from the one in the store"},
        {"\"name\":\"Own\"", "\"name\":\"His\"", MET_E_CONFLICT, "",
         "differs from the one in the store"},
        {"\"subject_keys\":[\"x\"", "\"subject_keys\":[\"gone\"",
         MET_E_CONFLICT, "", "is a subject of the customer \"gone\""},
        {"\"starting_phase\":\"b\"", "\"starting_phase\":\"c\"",
         MET_E_INVALID, "", "no such phase"},
        {"\"issue_after_reset\":\"50\"", "\"issue_after_reset\":\"51\"",
         MET_E_CONFLICT, "", "differs from the one in the store"},
        {"\"amount\":\"10\"", "\"amount\":\"11\"", MET_E_CONFLICT, "",
         "differs from the one in the store"},
        {"\"retain_anchor\":true", "\"retain_anchor\":false",
         MET_E_CONFLICT, "", "differs from the one in the store"},
        {"\"version\":3,", "\"version\":0,", MET_E_INVALID, "", ""},
    };

    (void)state;
    fill();
    char *whole = export_all();
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *at = strstr(whole, rows[i].find);
        if (at == NULL) {
            fail_msg("%s is not in the export", rows[i].find);
        }
        size_t size = strlen(whole) + 64;
        char *json = malloc(size);
        snprintf(json, size, "%.*s%s%s", (int)(at - whole), whole, rows[i].put,
                 at + strlen(rows[i].find));
        met_error error = apply_json(json, 0);
        if (error != rows[i].error
            || strstr(told.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s at %s: %s", rows[i].put, met_error_name(error),
                     told.field, told.reason);
        }
        assert_int_equal(stored_digest(), before);
        free(json);
    }
    free(whole);
    assert_told(met_catalog_export(NULL, NULL, &told), MET_E_INVALID, "store",
                "is NULL");
    fresh();
    assert_told(met_catalog_export(store, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, documents_setup,               \
                                    documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_export__is_applied),
        TEST(test_export__empty),
        TEST(test_export__in_any_order),
        TEST(test_export__entitlements_are_stated),
        TEST(test_export__owners_of_a_key),
        TEST(test_export__refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* met_catalog_export: what it gives makes the same store again, byte for byte,
 * whatever happened to what is in it, and in whatever order. */
#include "support/catalog_calls.h"

#include "metering/gateway.h"
#include "metering/notice.h"

static const char gateway[] =
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"example_service\","
    "\"url\":\"http://localhost:8000/anything\",\"routes\":[{\"name\":\"r\","
    "\"paths\":[\"/anything\"]},{\"name\":\"by_host\",\"paths\":[\"/x\"],"
    "\"hosts\":[\"example.org\"]}]}],\"consumers\":[{\"username\":\"rosario\","
    "\"custom_id\":\"crm-17\",\"acls\":[{\"group\":\"premium\"}],"
    "\"keyauth_credentials\":[{\"key\":\"k1\"}]},{\"username\":\"ariel\","
    "\"id\":\"a-1\"}],\"plugins\":[{\"name\":\"key-auth\"},{\"name\":"
    "\"rate-limiting\",\"consumer\":\"rosario\",\"config\":{\"minute\":5}},"
    "{\"name\":\"acl\",\"service\":\"example_service\",\"config\":{\"allow\":"
    "[\"premium\"]}}]}";

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
        TEST(test_export__refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every call of catalog.h and customer.h while memory runs out at the k-th
 * allocation, for every k; while the disk refuses the k-th write; and when the
 * store is full: the right error, nothing stored, nothing kept, and the same
 * call works afterwards. */
#include "support/catalog_calls.h"
#include "support/fault_calls.h"

static char subscription_id[32];
static char scheduled_id[32];

#define NAMED_PLAN                                                         \
    "\"key\":\"free\",\"name\":\"Other\",\"currency\":\"USD\","            \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"p\",\"name\":\"P\"," \
    "\"rate_cards\":[{\"key\":\"fee\",\"name\":\"Fee\"}]}]}"

/* --- The calls ------------------------------------------------------------ */
static met_error call_feature_put(void)
{
    return feature_put("{\"key\":\"f\",\"name\":\"New\",\"description\":\"d\","
                       "\"meter\":{\"key\":\"api_requests\",\"filters\":{"
                       "\"route_name\":{\"eq\":\"r\"}}}}");
}
static met_error call_feature_again(void)
{
    return feature_put("{\"key\":\"old\",\"name\":\"Old\"}");
}
static met_error call_feature_get(void)
{
    return feature_get("example_service");
}
static met_error call_feature_list(void)
{
    return feature_list();
}
static met_error call_feature_archive(void)
{
    return feature_archive("example_service");
}
static met_error call_plan_put(void)
{
    return plan_put(EXAMPLE_PLAN("premium",
                                 "{\"type\":\"unit\",\"amount\":\"1\"}",
                                 "7", "false"));
}
static met_error call_plan_next(void)
{
    return plan_next("premium");
}
static met_error call_plan_put_named(void)
{
    return plan_put("{\"version\":2," NAMED_PLAN);
}
static met_error call_plan_publish(void)
{
    return plan_publish("draft");
}
static met_error call_plan_archive(void)
{
    return plan_archive("premium");
}
static met_error call_plan_remove(void)
{
    return plan_remove("free", 2);
}
static met_error call_plan_get(void)
{
    return plan_get("draft", 0);
}
static met_error call_plan_list(void)
{
    return plan_list();
}
static met_error call_customer_put(void)
{
    return customer_put("{\"key\":\"c\",\"name\":\"C\",\"usage_attribution\":"
                        "{\"subject_keys\":[\"s\",\"t\"]}}");
}
static met_error call_customer_update(void)
{
    return customer_put("{\"key\":\"a\",\"name\":\"Other\","
                        "\"usage_attribution\":{\"subject_keys\":[\"x\","
                        "\"y\"]}}");
}
static met_error call_customer_get(void)
{
    return customer_get("a");
}
static met_error call_customer_of_subject(void)
{
    return customer_of_subject("x");
}
static met_error call_customer_list(void)
{
    return customer_list();
}
static met_error call_customer_remove(void)
{
    return customer_remove("b");
}
static met_error call_customer_rename(void)
{
    return change_identity(met_customer_rename, "c",
                           "{\"to\":\"new\"," BECAUSE);
}
static met_error call_customer_rename_back(void)
{
    return change_identity(met_customer_rename, "new",
                           "{\"to\":\"c2\"," BECAUSE);
}
static met_error call_customer_erase(void)
{
    return change_identity(met_customer_erase, "b", "{" BECAUSE);
}
static met_error call_subject_rename(void)
{
    return change_identity(met_subject_rename, "y",
                           "{\"to\":\"y2\"," BECAUSE);
}
static met_error call_subject_erase(void)
{
    return change_identity(met_subject_erase, "y2", "{" BECAUSE);
}
static met_error call_audit_list(void)
{
    return audit_list();
}
#define STAMP(ID)                                                         \
    "\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5F" ID "\",\"created_at\":"          \
    "\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\","
#define IMPORTED_OWNER                                                    \
    "\"customer\":{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FCC\",\"key\":"     \
    "\"imported\"},\"feature\":{\"key\":\"imported\"},"

/* Something of every kind that is imported as it was. */
static met_error call_import(void)
{
    static const char json[] =
        "{\"_export_version\":1,\"features\":[{" STAMP("FF")
        "\"key\":\"imported\",\"name\":\"I\",\"meter\":{\"key\":"
        "\"api_requests\"}}],\"plans\":[{" STAMP("PP") "\"key\":"
        "\"imported\",\"name\":\"I\",\"version\":1,\"effective_from\":"
        "\"2026-01-01T00:00:00Z\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"p\","
        "\"name\":\"P\",\"rate_cards\":[{\"key\":\"fee\",\"name\":"
        "\"F\"}]}]}],\"customers\":[{" STAMP("CC") "\"key\":\"imported\","
        "\"name\":\"I\",\"usage_attribution\":{\"subject_keys\":["
        "\"i1\"]}}],\"subscriptions\":[{" STAMP("SS") "\"customer\":{"
        "\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FCC\",\"key\":\"imported\"},"
        "\"plan\":{\"key\":\"imported\",\"version\":1},\"active_from\":"
        "\"2026-01-01T00:00:00Z\",\"billing_anchor\":"
        "\"2026-01-01T00:00:00Z\"}],\"entitlements\":[{" STAMP("EE")
        IMPORTED_OWNER "\"feature_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FFF\","
        "\"type\":\"boolean\",\"active_from\":\"2026-01-01T00:00:00Z\"}],"
        "\"grants\":[{" STAMP("GG") IMPORTED_OWNER "\"amount\":\"1\","
        "\"priority\":1,\"effective_at\":\"2026-01-01T00:00:00Z\","
        "\"max_rollover_amount\":\"1\",\"min_rollover_amount\":\"0\"}],"
        "\"resets\":[{" IMPORTED_OWNER "\"at\":\"2026-02-01T00:00:00Z\","
        "\"retain_anchor\":true,\"preserve_overage\":false}],"
        "\"billing_profiles\":[{\"customer\":{\"key\":\"imported\"},"
        "\"late_usage\":\"next_invoice\"}]}";
    met_buffer *out = fresh();

    return keep(met_catalog_apply(store, json, sizeof json - 1, 0, 0, out,
                                  &told),
                out);
}
static met_error call_export(void)
{
    met_buffer *out = fresh();
    return keep(met_catalog_export(store, out, &told), out);
}
static met_error call_subscribe(void)
{
    return subscribe("{\"customer\":{\"key\":\"c2\"},\"plan\":{\"key\":"
                     "\"draft\"}}",
                     0);
}
static met_error call_cancel(void)
{
    return subscription_cancel(subscription_id, 0,
                               MET_CANCEL_NEXT_BILLING_CYCLE);
}
static met_error call_continue(void)
{
    return subscription_continue(subscription_id);
}
static met_error call_change(void)
{
    return subscription_change(subscription_id,
                               "{\"plan\":{\"key\":\"draft\"},\"labels\":{"
                               "\"a\":\"b\"}}",
                               0, MET_CANCEL_NEXT_BILLING_CYCLE);
}
static met_error call_change_custom(void)
{
    return subscription_change(
        subscription_id,
        "{\"custom_plan\":{\"name\":\"Own\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"p\",\"name\":"
        "\"P\",\"rate_cards\":[{\"key\":\"fee\",\"name\":\"Fee\"}]}]}}",
        0, MET_CANCEL_NEXT_BILLING_CYCLE);
}
static met_error call_restore(void)
{
    return subscription_restore(subscription_id);
}
static met_error call_migrate(void)
{
    return subscription_migrate(subscription_id, NULL, 0,
                                MET_CANCEL_NEXT_BILLING_CYCLE);
}
static met_error call_subscription_remove(void)
{
    return subscription_remove(scheduled_id);
}
static met_error call_subscription_get(void)
{
    return subscription_get(subscription_id);
}
static met_error call_subscription_list(void)
{
    return subscription_list("a");
}
static met_error call_subscription_list_all(void)
{
    return subscription_list(NULL);
}

static const fault_call calls[] = {
    {"feature_put", call_feature_put, 1},
    {"feature_put, key again", call_feature_again, 1},
    {"feature_get", call_feature_get, 0},
    {"feature_list", call_feature_list, 0},
    {"plan_put, scheduled", call_plan_put_named, 1},
    {"plan_next", call_plan_next, 1},
    {"plan_put", call_plan_put, 1},
    {"plan_publish", call_plan_publish, 1},
    {"plan_archive", call_plan_archive, 1},
    {"plan_remove", call_plan_remove, 1},
    {"feature_archive", call_feature_archive, 1},
    {"plan_get", call_plan_get, 0},
    {"plan_list", call_plan_list, 0},
    {"customer_put", call_customer_put, 1},
    {"customer_put, update", call_customer_update, 1},
    {"customer_get", call_customer_get, 0},
    {"customer_of_subject", call_customer_of_subject, 0},
    {"customer_list", call_customer_list, 0},
    {"customer_remove", call_customer_remove, 1},
    {"customer_erase", call_customer_erase, 1},
    {"customer_rename", call_customer_rename, FAULT_ANNOUNCES},
    {"customer_rename, back", call_customer_rename_back, FAULT_ANNOUNCES},
    {"subject_rename", call_subject_rename, FAULT_ANNOUNCES},
    {"subject_erase", call_subject_erase, 1},
    {"audit_list", call_audit_list, 0},
    {"catalog_apply, exported", call_import, FAULT_ANNOUNCES},
    {"catalog_export", call_export, 0},
    {"subscription_create", call_subscribe, FAULT_ANNOUNCES},
    {"subscription_cancel", call_cancel, FAULT_ANNOUNCES},
    {"subscription_continue", call_continue, FAULT_ANNOUNCES},
    {"subscription_change", call_change, FAULT_ANNOUNCES},
    {"subscription_restore", call_restore, FAULT_ANNOUNCES},
    {"subscription_change, custom", call_change_custom, FAULT_ANNOUNCES},
    {"subscription_restore, again", call_restore, FAULT_ANNOUNCES},
    {"subscription_migrate", call_migrate, FAULT_ANNOUNCES},
    {"subscription_remove", call_subscription_remove, FAULT_ANNOUNCES},
    {"subscription_get", call_subscription_get, 0},
    {"subscription_list", call_subscription_list, 0},
    {"subscription_list, all", call_subscription_list_all, 0},
};

/* Something for every call to find. */
static int setup(void **state)
{
    documents_setup(state);
    must_have_catalog();
    assert_ok(feature_put("{\"key\":\"old\",\"name\":\"O\"}"));
    assert_ok(feature_archive("old"));
    assert_ok(plan_put(EXAMPLE_PLAN("draft",
                                    "{\"type\":\"unit\",\"amount\":\"1\"}",
                                    "7", "false")));
    assert_ok(plan_publish("draft"));
    assert_ok(plan_put(EXAMPLE_PLAN("draft",
                                    "{\"type\":\"unit\",\"amount\":\"2\"}",
                                    "7", "false")));
    assert_ok(plan_put(EXAMPLE_PLAN("free",
                                    "{\"type\":\"unit\",\"amount\":\"1\"}",
                                    "7", "false")));
    assert_ok(plan_publish_at("free", clock_now_ns + MET__DAY_NS, 0));
    assert_ok(customer_put("{\"key\":\"a\",\"name\":\"A\","
                           "\"usage_attribution\":{\"subject_keys\":[\"x\","
                           "\"y\"]}}"));
    assert_ok(customer_put("{\"key\":\"b\",\"name\":\"B\","
                           "\"usage_attribution\":{\"subject_keys\":[\"z\"]}}"
                           ));
    assert_ok(subscribe("{\"customer\":{\"key\":\"a\"},\"plan\":{\"key\":"
                        "\"premium\"}}",
                        0));
    snprintf(subscription_id, sizeof subscription_id, "%s", shown("id"));
    assert_ok(customer_put("{\"key\":\"later\",\"name\":\"L\"}"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"later\"},\"plan\":{"
                        "\"key\":\"premium\"},\"active_from\":"
                        "\"2026-06-01T00:00:00Z\"}",
                        0));
    snprintf(scheduled_id, sizeof scheduled_id, "%s", shown("id"));
    assert_ok(plan_put(EXAMPLE_PLAN("premium",
                                    "{\"type\":\"unit\",\"amount\":\"3\"}",
                                    "9", "false")));
    assert_ok(plan_publish("premium"));
    clock_now_ns += MET__MINUTE_NS;
    return 0;
}

/* A map that is used up: every write says so, reading goes on. */
static void test_catalog_fault__full(void **state)
{
    char json[1400];
    met_error error = MET_OK;
    int count = 0;

    met_store_close(store);
    met_platform platform = {.struct_size = sizeof platform};
    platform.allocator = (met_allocator){&memory, faulty_allocate,
                                         faulty_reallocate, faulty_release};
    platform.clock = (met_clock){NULL, stopped_utc_ns, stopped_utc_ns};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = UINT64_C(2) << 20,
                               .flags = MET_STORE_CREATE};
    const char *path = temp_path(home, "small");
    assert_int_equal(
        met_store_open(path, strlen(path), &config, &store, NULL), MET_OK);
    uint64_t before = 0;
    for (; error == MET_OK && count < 100000; count++) {
        before = stored_digest();
        snprintf(json, sizeof json,
                 "{\"key\":\"f%d\",\"name\":\"F\",\"description\":\"%01000d\"}",
                 count, 7);
        error = feature_put(json);
    }
    assert_int_equal(error, MET_E_MAP_FULL);
    assert_true(count > 100);
    assert_int_equal(stored_digest(), before);
    assert_int_equal(customer_put("{\"key\":\"c\",\"name\":\"C\"}")
                             == MET_E_MAP_FULL
                         || stored_digest() != before,
                     1);
    assert_ok(feature_get("f0"));
    assert_ok(plan_list());
    assert_int_equal(check_all(store), MET_OK);
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, documents_teardown)

int main(void)
{
    fault_calls = calls;
    fault_call_count = sizeof calls / sizeof *calls;
    const struct CMUnitTest tests[] = {
        TEST(test_fault__allocations),
        TEST(test_fault__memory_below),
        TEST(test_fault__writes),
        TEST(test_catalog_fault__full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

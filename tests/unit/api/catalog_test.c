/* catalog.h: arguments, handles of a forked parent, outputs nobody wants. The
 * rules behind the calls have their tests in unit/catalog. */
#include "support/catalog_calls.h"

#define NO_TEXT NULL, 0

static void test_api_catalog__arguments(void **state)
{
    met_buffer out = {0};
    static const char nul_key[] = {'a', '\0', 'b'};

    fresh();
    assert_told(met_feature_put(NULL, "{}", 2, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_feature_put(store, NULL, 2, &out, &told), MET_E_INVALID,
                "json", "is NULL");
    assert_told(met_feature_put(store, "", 0, &out, &told), MET_E_INVALID,
                "json", "is empty");
    assert_told(met_feature_get(NULL, "k", 1, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_feature_get(store, NO_TEXT, &out, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_feature_get(store, "", 0, &out, &told), MET_E_INVALID,
                "key", "1 to 64 bytes, has 0");
    assert_told(met_feature_get(store, nul_key, 3, &out, &told),
                MET_E_INVALID, "key", "control characters");
    assert_told(met_feature_get(store, "\xff\xfe", 2, &out, &told),
                MET_E_INVALID, "key", "UTF-8");
    assert_told(met_feature_get(store, "k", 1, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_feature_get(store, "k", SIZE_MAX, &out, &told),
                MET_E_INVALID, "key", "1 to 64 bytes");
    assert_told(met_feature_list(NULL, &out, &told), MET_E_INVALID, "store",
                "is NULL");
    assert_told(met_feature_list(store, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_feature_archive(NULL, "k", 1, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_feature_archive(store, NO_TEXT, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_plan_put(NULL, "{}", 2, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_plan_put(store, NULL, 0, &out, &told), MET_E_INVALID,
                "json", "is NULL");
    assert_told(met_plan_publish(NULL, "k", 1, 0, 0, &out, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_plan_publish(store, NO_TEXT, 0, 0, &out, &told),
                MET_E_INVALID, "key", "is NULL");
    assert_told(met_plan_archive(NULL, "k", 1, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_plan_archive(store, NO_TEXT, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_plan_remove(NULL, "k", 1, 0, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_plan_remove(store, NO_TEXT, 0, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_plan_get(NULL, "k", 1, 0, 0, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_plan_get(store, NO_TEXT, 0, 0, &out, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_plan_get(store, "k", 1, 0, 0, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_plan_list(NULL, &out, &told), MET_E_INVALID, "store",
                "is NULL");
    assert_told(met_plan_list(store, NULL, &told), MET_E_INVALID, "json_out",
                "is NULL");
    assert_null(out.data);
}

/* Neither the answer nor the reason has to be wanted. */
static void test_api_catalog__nothing_wanted(void **state)
{
    static const char feature[] = "{\"key\":\"f\",\"name\":\"F\"}";
    static const char plan[] =
        "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"a\",\"name\":"
        "\"A\",\"rate_cards\":[{\"key\":\"c\",\"name\":\"C\"}]}]}";

    assert_int_equal(met_feature_put(store, feature, sizeof feature - 1, NULL,
                                     NULL),
                     MET_OK);
    assert_int_equal(met_plan_put(store, plan, sizeof plan - 1, NULL, NULL),
                     MET_OK);
    assert_int_equal(met_plan_publish(store, "p", 1, 0, 0, NULL, NULL),
                     MET_OK);
    assert_int_equal(met_plan_publish(store, "p", 1, 0, 0, NULL, NULL),
                     MET_E_CONFLICT);
    assert_int_equal(met_feature_put(store, "{", 1, NULL, NULL),
                     MET_E_INVALID);
    assert_int_equal(met_feature_put(NULL, "{", 1, NULL, NULL),
                     MET_E_INVALID);
    assert_int_equal(met_feature_archive(store, "f", 1, NULL), MET_OK);
    assert_int_equal(met_feature_archive(store, "f", 1, NULL),
                     MET_E_NOT_FOUND);
    assert_ok(plan_get("p", 0));
    assert_shown("status", "active");
}

static int every_call_in_a_child(void *context)
{
    met_buffer out = {0};
    static const char json[] = "{\"key\":\"f\",\"name\":\"F\"}";
    const met_error answers[] = {
        met_feature_put(store, json, sizeof json - 1, &out, NULL),
        met_feature_get(store, "f", 1, &out, NULL),
        met_feature_list(store, &out, NULL),
        met_feature_archive(store, "f", 1, NULL),
        met_plan_put(store, json, sizeof json - 1, &out, NULL),
        met_plan_publish(store, "f", 1, 0, 0, &out, NULL),
        met_plan_archive(store, "f", 1, NULL),
        met_plan_remove(store, "f", 1, 0, NULL),
        met_plan_get(store, "f", 1, 0, 0, &out, NULL),
        met_plan_list(store, &out, NULL),
    };

    (void)context;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (answers[i] != MET_E_FORKED || out.data != NULL) {
            return 1 + (int)i;
        }
    }
    return 0;
}

static void test_api_catalog__forked(void **state)
{
    assert_ok(feature_put("{\"key\":\"f\",\"name\":\"F\"}"));
    assert_int_equal(in_child(every_call_in_a_child, NULL), 0);
    assert_ok(feature_get("f"));
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, documents_setup,               \
                                    documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_api_catalog__arguments),
        TEST(test_api_catalog__nothing_wanted),
        TEST(test_api_catalog__forked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

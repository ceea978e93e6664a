/* customer.h: arguments, handles of a forked parent, outputs nobody wants. The
 * rules behind the calls have their tests in unit/customer. */
#include "support/catalog_calls.h"

#define NO_TEXT NULL, 0
#define AN_ID "01ARZ3NDEKTSV4RRFFQ69G5FAV", 26

static void test_api_customer__arguments(void **state)
{
    met_buffer out = {0};
    static const char nul_key[] = {'a', '\0', 'b'};

    fresh();
    assert_told(met_customer_put(NULL, "{}", 2, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_customer_put(store, NULL, 2, &out, &told), MET_E_INVALID,
                "json", "is NULL");
    assert_told(met_customer_get(NULL, "k", 1, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_customer_get(store, NO_TEXT, &out, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_customer_get(store, nul_key, 3, &out, &told),
                MET_E_INVALID, "key", "control characters");
    assert_told(met_customer_get(store, "k", 129, &out, &told),
                MET_E_INVALID, "key", "1 to 128 bytes, has 129");
    assert_told(met_customer_get(store, "k", 1, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_customer_of_subject(NULL, "k", 1, &out, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_customer_of_subject(store, NO_TEXT, &out, &told),
                MET_E_INVALID, "subject", "is NULL");
    assert_told(met_customer_of_subject(store, "k", 1, NULL, &told),
                MET_E_INVALID, "json_out", "is NULL");
    assert_told(met_customer_list(NULL, &out, &told), MET_E_INVALID, "store",
                "is NULL");
    assert_told(met_customer_list(store, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_customer_remove(NULL, "k", 1, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_customer_remove(store, NO_TEXT, &told), MET_E_INVALID,
                "key", "is NULL");
    assert_told(met_subscription_create(NULL, "{}", 2, 0, &out, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_subscription_create(store, NULL, 2, 0, &out, &told),
                MET_E_INVALID, "json", "is NULL");
    assert_told(met_subscription_create(store, "{}", 2, UINT64_MAX, &out,
                                        &told),
                MET_E_UNSUPPORTED, "flags", "unknown bit");
    assert_told(met_subscription_cancel(NULL, AN_ID, 0, 0, &out, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_subscription_cancel(store, NO_TEXT, 0, 0, &out, &told),
                MET_E_INVALID, "id", "26 characters");
    assert_told(met_subscription_get(NULL, AN_ID, 0, &out, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_subscription_get(store, "c", 1, 0, &out, &told),
                MET_E_INVALID, "id", "26 characters");
    assert_told(met_subscription_get(store, AN_ID, 0, NULL, &told),
                MET_E_INVALID, "json_out", "is NULL");
    assert_told(met_subscription_list(NULL, NO_TEXT, &out, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_subscription_list(store, NULL, 1, &out, &told),
                MET_E_INVALID, "customer_key", "is NULL");
    assert_told(met_subscription_list(store, "", 0, &out, &told),
                MET_E_INVALID, "customer_key", "1 to 128 bytes");
    assert_told(met_subscription_list(store, NO_TEXT, NULL, &told),
                MET_E_INVALID, "json_out", "is NULL");
    assert_null(out.data);
}

static void test_api_customer__nothing_wanted(void **state)
{
    static const char customer[] = "{\"key\":\"c\",\"name\":\"C\"}";
    static const char subscription[] =
        "{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"premium\"}}";

    must_have_catalog();
    assert_int_equal(met_customer_put(store, customer, sizeof customer - 1,
                                      NULL, NULL),
                     MET_OK);
    assert_int_equal(met_subscription_create(store, subscription,
                                             sizeof subscription - 1, 0, NULL,
                                             NULL),
                     MET_OK);
    assert_int_equal(met_subscription_create(store, subscription,
                                             sizeof subscription - 1, 0, NULL,
                                             NULL),
                     MET_E_CONFLICT);
    assert_ok(subscription_list(NULL));
    const char *id = shown("items.0.id");
    assert_int_equal(met_subscription_cancel(store, id, strlen(id), 0, 0,
                                             NULL, NULL),
                     MET_OK);
    assert_int_equal(met_customer_remove(store, "c", 1, NULL), MET_OK);
    assert_int_equal(met_customer_remove(store, "c", 1, NULL),
                     MET_E_NOT_FOUND);
}

static int every_call_in_a_child(void *context)
{
    met_buffer out = {0};
    static const char json[] = "{\"key\":\"f\",\"name\":\"F\"}";
    const met_error answers[] = {
        met_customer_put(store, json, sizeof json - 1, &out, NULL),
        met_customer_get(store, "f", 1, &out, NULL),
        met_customer_of_subject(store, "f", 1, &out, NULL),
        met_customer_list(store, &out, NULL),
        met_customer_remove(store, "f", 1, NULL),
        met_subscription_create(store, json, sizeof json - 1, 0, &out, NULL),
        met_subscription_cancel(store, AN_ID, 0, 0, &out, NULL),
        met_subscription_get(store, AN_ID, 0, &out, NULL),
        met_subscription_list(store, NO_TEXT, &out, NULL),
    };

    (void)context;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (answers[i] != MET_E_FORKED || out.data != NULL) {
            return 1 + (int)i;
        }
    }
    return 0;
}

static void test_api_customer__forked(void **state)
{
    assert_ok(customer_put("{\"key\":\"f\",\"name\":\"F\"}"));
    assert_int_equal(in_child(every_call_in_a_child, NULL), 0);
    assert_ok(customer_get("f"));
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, documents_setup,               \
                                    documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_api_customer__arguments),
        TEST(test_api_customer__nothing_wanted),
        TEST(test_api_customer__forked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

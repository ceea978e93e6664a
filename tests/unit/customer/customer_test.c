/* Customers: what is kept and refused, whose a subject is, and what cannot
 * change while a subscription runs. */
#include "support/catalog_calls.h"

#define ARIEL                                                              \
    "{\"key\":\"ariel\",\"name\":\"Ariel\",\"currency\":\"USD\","          \
    "\"usage_attribution\":{\"subject_keys\":[\"consumer:ariel\","         \
    "\"app-7\"]}}"

static void test_customer__put_and_get(void **state)
{
    assert_ok(customer_put(ARIEL));
    assert_shown("key", "ariel");
    assert_shown("currency", "USD");
    assert_shown("usage_attribution",
                 "{\"subject_keys\":[\"consumer:ariel\",\"app-7\"]}");
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    char id[32];
    snprintf(id, sizeof id, "%s", shown("id"));
    assert_int_equal(strlen(id), 26);

    uint64_t before = stored_digest();
    clock_now_ns += MET__HOUR_NS;
    assert_ok(customer_put(ARIEL));
    assert_int_equal(stored_digest(), before);
    /* The key is a subject of its own; without a currency it stays. */
    assert_ok(customer_put("{\"key\":\"ariel\",\"name\":\"Ariel B\","
                           "\"description\":\"d\",\"usage_attribution\":{"
                           "\"subject_keys\":[\"ariel\",\"app-7\"]}}"));
    assert_shown("name", "Ariel B");
    assert_shown("currency", "USD");
    assert_shown("usage_attribution", "{\"subject_keys\":[\"app-7\"]}");
    assert_shown("id", id);
    assert_shown("updated_at", "2026-03-15T11:30:00Z");
    assert_ok(customer_of_subject("ariel"));
    assert_shown("id", id);
    assert_ok(customer_of_subject("app-7"));
    assert_shown("id", id);
    assert_int_equal(customer_of_subject("consumer:ariel"), MET_E_NOT_FOUND);
    assert_int_equal(customer_get("app-7"), MET_E_NOT_FOUND);
    assert_ok(customer_put("{\"key\":\"Caf\\u00e9 am Markt\",\"name\":\"C\"}"));
    assert_ok(customer_get("Caf\xc3\xa9 am Markt"));
    assert_shown("usage_attribution", "");
    assert_ok(customer_list());
    assert_shown("items.0.key", "Caf\xc3\xa9 am Markt");
    assert_shown("items.1.key", "ariel");
    assert_shown("items.2", "");
}

static void test_customer__conflicts(void **state)
{
    assert_ok(customer_put(ARIEL));
    uint64_t before = stored_digest();
    assert_told(customer_put("{\"key\":\"app-7\",\"name\":\"X\"}"),
                MET_E_CONFLICT, "customer.key",
                "is a subject of the customer \"ariel\"");
    assert_told(customer_put("{\"key\":\"b\",\"name\":\"B\","
                             "\"usage_attribution\":{\"subject_keys\":["
                             "\"b\",\"x\",\"app-7\"]}}"),
                MET_E_CONFLICT, "customer.usage_attribution.subject_keys[2]",
                "is a subject of the customer \"ariel\"");
    assert_told(customer_put("{\"key\":\"b\",\"name\":\"B\","
                             "\"usage_attribution\":{\"subject_keys\":["
                             "\"ariel\"]}}"),
                MET_E_CONFLICT, "customer.usage_attribution.subject_keys[0]",
                "is a subject of the customer \"ariel\"");
    assert_int_equal(stored_digest(), before);
    /* Given up by one, it may be another's. */
    assert_ok(customer_put("{\"key\":\"ariel\",\"name\":\"Ariel\"}"));
    assert_ok(customer_put("{\"key\":\"b\",\"name\":\"B\","
                           "\"usage_attribution\":{\"subject_keys\":["
                           "\"app-7\"]}}"));
    assert_ok(customer_of_subject("app-7"));
    assert_shown("key", "b");
}

static void test_customer__refuse(void **state)
{
    static const struct {
        const char *why;
        const char *json;
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"no object", "7", MET_E_INVALID, "customer", "must be an object"},
        {"no key", "{\"name\":\"X\"}", MET_E_INVALID, "customer.key",
         "required"},
        {"no name", "{\"key\":\"x\"}", MET_E_INVALID, "customer.name",
         "resource_name_empty"},
        {"an id", "{\"key\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"name\":\"X\"}",
         MET_E_INVALID, "customer.key", "must not look like an id"},
        {"NUL", "{\"key\":\"a\\u0000\",\"name\":\"X\"}", MET_E_INVALID, "",
         ""},
        {"a control character", "{\"key\":\"a\\u0007\",\"name\":\"X\"}",
         MET_E_INVALID, "customer.key", "control characters"},
        {"small letters", "{\"key\":\"x\",\"name\":\"X\",\"currency\":\"usd\"}",
         MET_E_INVALID, "customer.currency", "currency_invalid"},
        {"a number", "{\"key\":\"x\",\"name\":\"X\",\"currency\":7}",
         MET_E_INVALID, "customer.currency", "must be a text"},
        {"a list", "{\"key\":\"x\",\"name\":\"X\",\"usage_attribution\":[]}",
         MET_E_INVALID, "customer.usage_attribution", "must be an object"},
        {"no list", "{\"key\":\"x\",\"name\":\"X\",\"usage_attribution\":{"
                    "\"subject_keys\":\"a\"}}",
         MET_E_INVALID, "customer.usage_attribution.subject_keys",
         "must be a list"},
        {"other members", "{\"key\":\"x\",\"name\":\"X\","
                          "\"usage_attribution\":{\"subjects\":[]}}",
         MET_E_INVALID, "customer.usage_attribution.subjects",
         "not a known field"},
        {"a number among them",
         "{\"key\":\"x\",\"name\":\"X\",\"usage_attribution\":{"
         "\"subject_keys\":[\"a\",7]}}",
         MET_E_INVALID, "customer.usage_attribution.subject_keys[1]",
         "must be a text"},
        {"an empty one",
         "{\"key\":\"x\",\"name\":\"X\",\"usage_attribution\":{"
         "\"subject_keys\":[\"\"]}}",
         MET_E_INVALID, "customer.usage_attribution.subject_keys[0]",
         "1 to 128 bytes"},
        {"one twice",
         "{\"key\":\"x\",\"name\":\"X\",\"usage_attribution\":{"
         "\"subject_keys\":[\"a\",\"b\",\"a\"]}}",
         MET_E_INVALID, "customer.usage_attribution.subject_keys[2]",
         "listed twice"},
        {"a control character in one",
         "{\"key\":\"x\",\"name\":\"X\",\"usage_attribution\":{"
         "\"subject_keys\":[\"a\\n\"]}}",
         MET_E_INVALID, "customer.usage_attribution.subject_keys[0]",
         "control characters"},
        {"not served",
         "{\"key\":\"x\",\"name\":\"X\",\"billing_address\":{}}",
         MET_E_UNSUPPORTED, "customer.billing_address", "not served"},
        {"unknown", "{\"key\":\"x\",\"name\":\"X\",\"colour\":1}",
         MET_E_INVALID, "customer.colour", "not a known field"},
    };
    char json[4096];
    uint64_t before = stored_digest();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error error = customer_put(rows[i].json);
        if (error != rows[i].error
            || (rows[i].field[0] != '\0'
                && strcmp(told.field, rows[i].field) != 0)
            || strstr(told.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s at \"%s\": \"%s\"", rows[i].why,
                     met_error_name(error), told.field, told.reason);
        }
    }
    /* 129 bytes, and 65 subjects. */
    snprintf(json, sizeof json, "{\"key\":\"%0129d\",\"name\":\"X\"}", 7);
    assert_told(customer_put(json), MET_E_INVALID, "customer.key",
                "1 to 128 bytes, has 129");
    size_t used = (size_t)snprintf(json, sizeof json,
                                   "{\"key\":\"x\",\"name\":\"X\","
                                   "\"usage_attribution\":{\"subject_keys\":"
                                   "[\"0\"");
    for (int i = 1; i < 65; i++) {
        used += (size_t)snprintf(json + used, sizeof json - used, ",\"%d\"",
                                 i);
    }
    snprintf(json + used, sizeof json - used, "]}}");
    assert_told(customer_put(json), MET_E_INVALID,
                "customer.usage_attribution.subject_keys",
                "at most 64 items, has 65");
    assert_int_equal(stored_digest(), before);
}

static void test_customer__while_subscribed(void **state)
{
    char id[32];

    must_have_catalog();
    assert_ok(customer_put(ARIEL));
    assert_ok(subscribe("{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":"
                        "\"premium\"}}",
                        0));
    snprintf(id, sizeof id, "%s", shown("id"));
    uint64_t before = stored_digest();
    assert_told(customer_put("{\"key\":\"ariel\",\"name\":\"Ariel\","
                             "\"usage_attribution\":{\"subject_keys\":["
                             "\"consumer:ariel\"]}}"),
                MET_E_CONFLICT, "customer.usage_attribution",
                "while a subscription runs");
    assert_told(customer_put("{\"key\":\"ariel\",\"name\":\"Ariel\","
                             "\"currency\":\"EUR\",\"usage_attribution\":{"
                             "\"subject_keys\":[\"app-7\","
                             "\"consumer:ariel\"]}}"),
                MET_E_CONFLICT, "customer.currency",
                "while a subscription runs");
    assert_told(customer_remove("ariel"), MET_E_CONFLICT, "key",
                "deleting_customer_with_active_subscriptions");
    assert_non_null(strstr(told.reason, id));
    assert_non_null(strstr(told.reason, "\"premium\" is active"));
    assert_int_equal(stored_digest(), before);
    /* Another order and another name are no other subjects. */
    assert_ok(customer_put("{\"key\":\"ariel\",\"name\":\"A\","
                           "\"usage_attribution\":{\"subject_keys\":["
                           "\"app-7\",\"consumer:ariel\"]}}"));
    assert_shown("usage_attribution",
                 "{\"subject_keys\":[\"app-7\",\"consumer:ariel\"]}");

    clock_now_ns += MET__HOUR_NS;
    assert_ok(subscription_cancel(id, 0, MET_CANCEL_NEXT_BILLING_CYCLE));
    assert_shown("status", "canceled");
    assert_told(customer_remove("ariel"), MET_E_CONFLICT, "key",
                "is canceled");
    clock_now_ns = time_of("2026-04-15T10:30:00Z");
    assert_ok(customer_remove("ariel"));
    assert_int_equal(customer_get("ariel"), MET_E_NOT_FOUND);
    assert_int_equal(customer_remove("ariel"), MET_E_NOT_FOUND);
    assert_int_equal(customer_of_subject("app-7"), MET_E_NOT_FOUND);
    assert_ok(customer_list());
    assert_shown("items.0", "");
    /* Key and subjects are free; the new one has none of the old ones'. */
    assert_ok(customer_put("{\"key\":\"app-7\",\"name\":\"B\"}"));
    assert_ok(customer_put("{\"key\":\"ariel\",\"name\":\"C\"}"));
    assert_shown("currency", "");
    assert_ok(subscription_list("ariel"));
    assert_shown("items.0", "");
    assert_ok(subscription_list(NULL));
    assert_shown("items.0.id", id);
    assert_shown("items.0.status", "inactive");
}

static void test_customer__while_scheduled(void **state)
{
    must_have_catalog();
    assert_ok(customer_put(ARIEL));
    assert_ok(subscribe("{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":"
                        "\"premium\"},\"active_from\":\"2026-04-01T00:00:00Z\""
                        "}",
                        0));
    char id[32];
    snprintf(id, sizeof id, "%s", shown("id"));
    assert_shown("status", "scheduled");
    assert_told(customer_remove("ariel"), MET_E_CONFLICT, "key",
                "is scheduled");
    assert_told(customer_put("{\"key\":\"ariel\",\"name\":\"A\","
                             "\"currency\":\"EUR\"}"),
                MET_E_CONFLICT, "customer.currency", "is scheduled");
    assert_ok(customer_put("{\"key\":\"ariel\",\"name\":\"A\"}"));
    assert_ok(subscription_cancel(id, 0, 0));
    assert_shown("status", "inactive");
    assert_shown("active_to", "2026-04-01T00:00:00Z");
    assert_ok(customer_remove("ariel"));
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, documents_setup,               \
                                    documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_customer__put_and_get),
        TEST(test_customer__conflicts),
        TEST(test_customer__refuse),
        TEST(test_customer__while_subscribed),
        TEST(test_customer__while_scheduled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

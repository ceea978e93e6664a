/* Features: what is kept, what is refused with which words, and what happens
 * to a key that is used again. */
#include "support/catalog_calls.h"

#include "catalog/feature.h"
#include "meter/recording_plan.h"

static void test_feature__put_and_get(void **state)
{
    char id[32];

    must_put_requests_meter();
    assert_ok(feature_put(EXAMPLE_FEATURE));
    assert_shown("key", "example_service");
    assert_shown("name", "Example service");
    assert_shown("meter", "{\"key\":\"api_requests\",\"filters\":{"
                          "\"service_name\":{\"eq\":\"example_service\"}}}");
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_shown("archived_at", "");
    snprintf(id, sizeof id, "%s", shown("id"));
    assert_int_equal(strlen(id), 26);

    uint64_t before = stored_digest();
    clock_now_ns += MET__HOUR_NS;
    assert_ok(feature_put(EXAMPLE_FEATURE)); /* the same: nothing changes */
    assert_int_equal(stored_digest(), before);
    assert_shown("updated_at", "2026-03-15T10:30:00Z");

    assert_ok(feature_put("{\"name\":\"Other\",\"key\":\"example_service\","
                          "\"description\":\"d\",\"meter\":{\"filters\":{"
                          "\"service_name\":{\"eq\":\"example_service\"}},"
                          "\"key\":\"api_requests\"}}"));
    assert_shown("name", "Other");
    assert_shown("description", "d");
    assert_shown("id", id);
    assert_shown("created_at", "2026-03-15T10:30:00Z");
    assert_shown("updated_at", "2026-03-15T11:30:00Z");
    assert_ok(feature_get("example_service"));
    assert_shown("name", "Other");
    assert_shown("id", id);
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"Seats\"}"));
    assert_shown("meter", "");
    assert_ok(feature_list());
    assert_shown("items.0.key", "example_service");
    assert_shown("items.1.key", "seats");
    assert_shown("items.2", "");
}

static void test_feature__filters_in_any_order(void **state)
{
    must_put_requests_meter();
    assert_ok(feature_put("{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":"
                          "\"api_requests\",\"filters\":{\"service_name\":{"
                          "\"eq\":\"s\"},\"route_name\":{\"eq\":\"r\"}}}}"));
    uint64_t before = stored_digest();
    assert_ok(feature_put("{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":"
                          "\"api_requests\",\"filters\":{\"route_name\":{"
                          "\"eq\":\"r\"},\"service_name\":{\"eq\":\"s\"}}}}"));
    assert_int_equal(stored_digest(), before);
    /* A text alone is the value. */
    assert_ok(feature_put("{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":"
                          "\"api_requests\",\"filters\":{\"route_name\":"
                          "\"r\",\"service_name\":\"s\"}}}"));
    assert_int_equal(stored_digest(), before);
}

/* Whether a recorder may lump values of this attribute together. */
static int is_free(const char *attribute)
{
    met__arena arena;
    met__txn *txn = NULL;
    met__recording_plan *plan = NULL;
    uint64_t number = 0;
    int free = -1;

    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__recording_plan_number(txn, &number), MET_OK);
    assert_int_equal(met__recording_plan_get(txn, number, &arena, &plan),
                     MET_OK);
    const met__recording_type *type = met__recording_plan_type(
        plan, met__text_z("kong.api_request"));
    assert_non_null(type);
    for (size_t i = 0; i < type->attribute_count; i++) {
        if (met__text_equal(type->attributes[i], met__text_z(attribute))) {
            free = type->is_free[i];
        }
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
    return free;
}

/* Kept as it was written, found again as the same, and never changed while in
 * service. */
static void test_feature__every_operator(void **state)
{
    static const struct {
        const char *written;
        const char *shown;
    } rows[] = {
        {"{\"eq\":\"a\"}", NULL},
        {"\"a\"", "{\"eq\":\"a\"}"},
        {"{\"neq\":\"a\"}", NULL},
        {"{\"ne\":\"a\"}", "{\"neq\":\"a\"}"},
        {"{\"in\":[\"a\",\"b\"]}", NULL},
        {"{\"nin\":[\"a\"]}", NULL},
        {"{\"exists\":true}", NULL},
        {"{\"exists\":false}", NULL},
        {"{\"contains\":\"A\"}", NULL},
        {"{\"ncontains\":\"\303\251\"}", NULL},
        {"{}", NULL},
        {"{\"or\":[{\"and\":[{\"ncontains\":\"a\"},{\"exists\":true}]},{},"
         "{\"nin\":[\"x\",\"y\"]}]}",
         NULL},
    };
    char json[512];
    char wanted[512];
    char key[8];

    must_put_requests_meter();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(key, sizeof key, "f%zu", i);
        snprintf(json, sizeof json,
                 "{\"key\":\"%s\",\"name\":\"F\",\"meter\":{\"key\":"
                 "\"api_requests\",\"filters\":{\"route_name\":%s}}}",
                 key, rows[i].written);
        snprintf(wanted, sizeof wanted,
                 "{\"key\":\"api_requests\",\"filters\":{\"route_name\":%s}}",
                 rows[i].shown != NULL ? rows[i].shown : rows[i].written);
        assert_ok(feature_put(json));
        assert_shown("meter", wanted);
        assert_ok(feature_get(key));
        assert_shown("meter", wanted);
        uint64_t before = stored_digest();
        clock_now_ns += MET__HOUR_NS;
        assert_ok(feature_put(json));
        assert_int_equal(stored_digest(), before);
        snprintf(json, sizeof json,
                 "{\"key\":\"%s\",\"name\":\"F\",\"meter\":{\"key\":"
                 "\"api_requests\",\"filters\":{\"route_name\":{\"in\":["
                 "\"a\"]}}}}",
                 key);
        assert_told(feature_put(json), MET_E_CONFLICT, "feature.meter",
                    "archive it");
    }
    assert_int_equal(is_free("route_name"), 0);
    assert_int_equal(is_free("service_name"), 1);
}

static void test_feature__filters_are_kept_apart(void **state)
{
    must_put_requests_meter();
    assert_int_equal(is_free("service_name"), 1);
    assert_told(feature_put("{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":"
                            "\"api_requests\",\"filters\":{\"service_name\":{"
                            "\"eq\":\"s\"},\"other\":{\"eq\":\"r\"}}}}"),
                MET_E_INVALID, "feature.meter.filters.other", "");
    assert_int_equal(is_free("service_name"), 1);
    assert_ok(feature_put(EXAMPLE_FEATURE));
    assert_int_equal(is_free("service_name"), 0);
    assert_int_equal(is_free("route_name"), 1);
}

static void test_feature__refuse(void **state)
{
    static const struct {
        const char *why;
        const char *json;
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"empty text", "", MET_E_INVALID, "", ""},
        {"half written", "{\"key\":\"f\"", MET_E_INVALID, "", ""},
        {"no object", "[1]", MET_E_INVALID, "feature", "must be an object"},
        {"empty object", "{}", MET_E_INVALID, "feature.key",
         "resource_key_empty"},
        {"null key", "{\"key\":null,\"name\":\"F\"}", MET_E_INVALID,
         "feature.key", "resource_key_empty"},
        {"empty key", "{\"key\":\"\",\"name\":\"F\"}", MET_E_INVALID,
         "feature.key", "resource_key_empty"},
        {"number for a key", "{\"key\":7,\"name\":\"F\"}", MET_E_INVALID,
         "feature.key", "must be a text"},
        {"capital letters", "{\"key\":\"Feature\",\"name\":\"F\"}",
         MET_E_INVALID, "feature.key", "lower-case words"},
        {"65 bytes",
         "{\"key\":\"a2345678901234567890123456789012345678901234567890123456"
         "789012345\",\"name\":\"F\"}",
         MET_E_INVALID, "feature.key", "1 to 64 bytes, has 65"},
        {"unicode", "{\"key\":\"caf\\u00e9\",\"name\":\"F\"}", MET_E_INVALID,
         "feature.key", "lower-case words"},
        {"NUL in a key", "{\"key\":\"a\\u0000b\",\"name\":\"F\"}",
         MET_E_INVALID, "", ""},
        {"an id", "{\"key\":\"01arz3ndektsv4rrffq69g5fav\",\"name\":\"F\"}",
         MET_E_INVALID, "feature.key", "must not look like an id"},
        {"no name", "{\"key\":\"f\"}", MET_E_INVALID, "feature.name",
         "resource_name_empty"},
        {"empty description",
         "{\"key\":\"f\",\"name\":\"F\",\"description\":\"\"}", MET_E_INVALID,
         "feature.description", "1 to 1024 bytes"},
        {"unknown field", "{\"key\":\"f\",\"name\":\"F\",\"nmae\":1}",
         MET_E_INVALID, "feature.nmae", "not a known field"},
        {"added by the library", "{\"key\":\"f\",\"name\":\"F\",\"id\":\"x\"}",
         MET_E_INVALID, "feature.id", "not a known field"},
        {"duplicate", "{\"key\":\"f\",\"key\":\"g\",\"name\":\"F\"}",
         MET_E_INVALID, "", ""},
        {"not served", "{\"key\":\"f\",\"name\":\"F\",\"unit_cost\":{}}",
         MET_E_UNSUPPORTED, "feature.unit_cost", "not served"},
        {"text for a meter", "{\"key\":\"f\",\"name\":\"F\",\"meter\":\"m\"}",
         MET_E_INVALID, "feature.meter", "must be an object"},
        {"no meter key", "{\"key\":\"f\",\"name\":\"F\",\"meter\":{}}",
         MET_E_INVALID, "feature.meter.key", "required"},
        {"unknown meter",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"nope\"}}",
         MET_E_NOT_FOUND, "feature.meter.key", "no meter \"nope\""},
        {"unknown dimension",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"color\":{\"eq\":\"red\"}}}}",
         MET_E_INVALID, "feature.meter.filters.color", "no such dimension"},
        {"an order",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"gt\":\"a\"}}}}",
         MET_E_UNSUPPORTED, "feature.meter.filters.service_name.gt",
         "queries only"},
        {"an order of numbers, nested",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"or\":[{\"eq\":\"a\"},{\"lte\":"
         "1}]}}}}",
         MET_E_UNSUPPORTED, "feature.meter.filters.service_name.or[1].lte",
         "queries only"},
        {"a pattern",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"ilike\":\"a%\"}}}}",
         MET_E_UNSUPPORTED, "feature.meter.filters.service_name.ilike",
         "not served"},
        {"two operators",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"eq\":\"a\",\"is\":\"b\"}}}}",
         MET_E_INVALID, "feature.meter.filters.service_name",
         "multiple operators"},
        {"unknown operator",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"is\":\"b\"}}}}",
         MET_E_INVALID, "feature.meter.filters.service_name",
         "unknown operator"},
        {"one of none",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"in\":[]}}}}",
         MET_E_INVALID, "feature.meter.filters.service_name.in",
         "list of 1 to 100"},
        {"nested too deep",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"or\":[{\"and\":[{\"or\":[{\"eq\":"
         "\"a\"}]}]}]}}}}",
         MET_E_LIMIT, "feature.meter.filters.service_name.or[0].and[0].or",
         "too deep"},
        {"empty operand",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":{\"eq\":\"\"}}}}",
         MET_E_INVALID, "feature.meter.filters.service_name.eq",
         "1 to 128 bytes"},
        {"number for an operator",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"service_name\":7}}}",
         MET_E_INVALID, "feature.meter.filters.service_name",
         "must be an object like"},
        {"empty dimension",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"\":{\"eq\":\"a\"}}}}",
         MET_E_INVALID, "feature.meter.filters", "no meter can have"},
        {"eleven filters",
         "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"api_requests\","
         "\"filters\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,"
         "\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1}}}",
         MET_E_LIMIT, "feature.meter.filters", "at most 10, has 11"},
    };

    must_put_requests_meter();
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error error = feature_put(rows[i].json);
        if (error != rows[i].error
            || (rows[i].field[0] != '\0'
                && strcmp(told.field, rows[i].field) != 0)
            || strstr(told.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s at \"%s\": \"%s\"", rows[i].why,
                     met_error_name(error), told.field, told.reason);
        }
    }
    assert_int_equal(stored_digest(), before);
}

static void test_feature__archive_and_use_again(void **state)
{
    char first[32];
    char second[32];
    met__arena arena;
    met__txn *txn;
    met__feature *feature = NULL;

    must_put_requests_meter();
    assert_told(feature_archive("example_service"), MET_E_NOT_FOUND, "key",
                "there is no \"example_service\"");
    assert_ok(feature_put(EXAMPLE_FEATURE));
    snprintf(first, sizeof first, "%s", shown("id"));
    assert_told(feature_put("{\"key\":\"example_service\",\"name\":\"E\","
                            "\"meter\":{\"key\":\"api_requests\"}}"),
                MET_E_CONFLICT, "feature.meter", "archive it");
    assert_told(
        feature_put("{\"key\":\"example_service\",\"name\":\"E\"}"),
        MET_E_CONFLICT, "feature.meter", "archive it");
    assert_ok(feature_archive("example_service"));
    assert_told(feature_archive("example_service"), MET_E_NOT_FOUND, "key",
                "archived already");
    assert_ok(feature_get("example_service"));
    assert_shown("archived_at", "2026-03-15T10:30:00Z");
    assert_shown("id", first);

    /* Its key has a new owner; the old one is still found by its id. */
    assert_ok(feature_put("{\"key\":\"example_service\",\"name\":\"E\"}"));
    snprintf(second, sizeof second, "%s", shown("id"));
    assert_string_not_equal(first, second);
    assert_shown("archived_at", "");
    assert_ok(feature_put("{\"key\":\"example_service_two\",\"name\":\"E\"}"));
    assert_ok(feature_list());
    assert_shown("items.0.id", second);
    assert_shown("items.1.id", first);
    assert_shown("items.1.archived_at", "2026-03-15T10:30:00Z");
    assert_shown("items.2.key", "example_service_two");

    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    met__text key = MET__TEXT("example_service");
    assert_int_equal(met__feature_of(txn, key, met__text_z(first), &arena,
                                     &feature),
                     MET_OK);
    assert_int_equal(feature->filter_count, 1);
    assert_int_equal(met__feature_of(txn, key, met__text_z(second), &arena,
                                     &feature),
                     MET_OK);
    assert_int_equal(feature->filter_count, 0);
    assert_int_equal(
        met__feature_of(txn, key, met__text_z(""), &arena, &feature), MET_OK);
    assert_true(met__text_equal(feature->id, met__text_z(second)));
    assert_int_equal(met__feature_of(txn, key,
                                     MET__TEXT("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                                     &arena, &feature),
                     MET_E_NOT_FOUND);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* The guard of removing a meter, or a dimension of one. */
static void test_feature__using_meter(void **state)
{
    static const struct {
        const char *meter;
        const char *dimension;
        const char *user;
    } rows[] = {
        {"api_requests", "", "a"},
        {"api_requests", "service_name", "b"},
        {"api_requests", "route_name", ""},
        {"other", "", ""},
    };
    met__arena arena;
    met__txn *txn;

    must_put_requests_meter();
    assert_ok(feature_put("{\"key\":\"a\",\"name\":\"A\",\"meter\":{\"key\":"
                          "\"api_requests\"}}"));
    assert_ok(feature_put("{\"key\":\"b\",\"name\":\"B\",\"meter\":{\"key\":"
                          "\"api_requests\",\"filters\":{\"service_name\":{"
                          "\"eq\":\"s\"}}}}"));
    assert_ok(feature_put("{\"key\":\"c\",\"name\":\"C\",\"meter\":{\"key\":"
                          "\"api_requests\",\"filters\":{\"route_name\":{"
                          "\"eq\":\"s\"}}}}"));
    assert_ok(feature_archive("c")); /* what is archived holds nothing back */
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__text user = MET__TEXT("?");
        assert_int_equal(met__feature_using_meter(
                             txn, met__text_z(rows[i].meter),
                             met__text_z(rows[i].dimension), &arena, &user),
                         MET_OK);
        assert_true(met__text_equal(user, met__text_z(rows[i].user)));
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* A record that is well-formed and still none of a feature. */
static void test_feature__damaged(void **state)
{
    static const char *const records[] = {
        "{}", "7", "{\"key\":\"f\",\"name\":\"F\"}",
        ("{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"key\":\"f\",\"name\":\"F\","
         "\"created_at\":\"2026-03-15T10:30:00Z\",\"updated_at\":\"never\"}"),
    };

    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        met__arena arena;
        met__node *node = NULL;
        met__txn *txn;
        met__arena_init(&arena, met__store_platform(store));
        assert_int_equal(met__json_parse(&arena, met__text_z(records[i]),
                                         &node, NULL),
                         MET_OK);
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        assert_int_equal(
            met__record_put(txn, MET__TABLE_FEATURE, "f", 1, node), MET_OK);
        assert_int_equal(met__txn_commit(txn), MET_OK);
        met__arena_release(&arena);
        assert_int_equal(feature_get("f"), MET_E_CORRUPT);
        assert_int_equal(feature_list(), MET_E_CORRUPT);
        assert_int_equal(feature_put("{\"key\":\"f\",\"name\":\"F\"}"),
                         MET_E_CORRUPT);
        assert_int_equal(feature_archive("f"), MET_E_CORRUPT);
    }
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, documents_setup,               \
                                    documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_feature__put_and_get),
        TEST(test_feature__filters_in_any_order),
        TEST(test_feature__every_operator),
        TEST(test_feature__filters_are_kept_apart),
        TEST(test_feature__refuse),
        TEST(test_feature__archive_and_use_again),
        TEST(test_feature__using_meter),
        TEST(test_feature__damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

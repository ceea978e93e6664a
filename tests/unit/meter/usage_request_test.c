/* Queries as documents: what is read, and the path and reason of what is
 * not. */
#include "meter_support.h"

#include "meter/usage_request.h"

static met__arena arena;
static met__usage_request *request;

static int setup(void **state)
{
    static met__platform platform;

    platform = test_platform(NULL, NULL);
    met__arena_init(&arena, &platform);
    return 0;
}

static int teardown(void **state)
{
    met__arena_release(&arena);
    return 0;
}

static met_error read_request(const char *json)
{
    static const met__path path = {NULL, "query", 0};
    met__node *node = NULL;

    request = NULL;
    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met__json_parse(&arena, met__text_z(json), &node, NULL),
                     MET_OK);
    return met__usage_request_read(node, &path, &arena, &request, &last_info);
}

static void test_request__read(void **state)
{
    assert_int_equal(read_request("{\"meter\":\"m\"}"), MET_OK);
    assert_true(met__text_equal(request->meter, MET__TEXT("m")));
    assert_int_equal(request->query.from_ns, MET__USAGE_FIRST);
    assert_int_equal(request->query.to_ns, MET__USAGE_LAST);
    assert_int_equal(request->query.window, MET__WINDOW_NONE);
    assert_int_equal(request->settle_first, 0);

    assert_int_equal(
        read_request("{\"feature\":\"f\",\"customer\":\"C\",\"subjects\":"
                     "[\"a\",\"b\"],\"filters\":{\"y\":{\"eq\":\"2\"},"
                     "\"x\":{\"eq\":\"1\"}},\"from\":"
                     "\"2026-03-01T01:00:00+01:00\",\"to\":"
                     "\"2026-03-02T00:00:00Z\",\"window\":\"month\","
                     "\"group_by\":[\"x\",\"subject\"],"
                     "\"settle_first\":true}"),
        MET_OK);
    const met__usage_query *query = &request->query;
    assert_true(met__text_equal(request->feature, MET__TEXT("f")));
    assert_true(met__text_equal(request->customer, MET__TEXT("C")));
    assert_int_equal(query->subject_count, 2);
    assert_true(met__text_equal(query->subjects[1], MET__TEXT("b")));
    assert_int_equal(query->condition_count, 2);
    assert_true(met__text_equal(query->conditions[1].dimension,
                                MET__TEXT("x")));
    assert_true(met__condition_holds(query->conditions[1].condition,
                                     MET__TEXT("1")));
    assert_false(met__condition_holds(query->conditions[1].condition,
                                      MET__TEXT("2")));
    assert_int_equal(query->from_ns, START_NS);
    assert_int_equal(query->to_ns, START_NS + MET__DAY_NS);
    assert_int_equal(query->window, MET__WINDOW_MONTH);
    assert_int_equal(query->group_count, 2);
    assert_int_equal(request->settle_first, 1);
}

static void test_request__lists(void **state)
{
    static char json[2048];

    assert_int_equal(read_request("{\"meter\":\"m\",\"subjects\":{\"eq\":"
                                  "\"a\"},\"customers\":{\"in\":[\"c\",\"d\"]"
                                  "},\"time_zone\":\"Europe/Budapest\"}"),
                     MET_OK);
    assert_int_equal(request->query.subject_count, 1);
    assert_true(met__text_equal(request->subjects[0], MET__TEXT("a")));
    assert_int_equal(request->customer_count, 2);
    assert_true(met__text_equal(request->customers[1], MET__TEXT("d")));
    assert_true(met__text_equal(request->time_zone,
                                MET__TEXT("Europe/Budapest")));
    for (int count = 100; count <= 101; count++) {
        strcpy(json, "{\"meter\":\"m\",\"customers\":[");
        for (int i = 0; i < count; i++) {
            sprintf(json + strlen(json), "%s\"%d\"", i ? "," : "", i);
        }
        strcat(json, "]}");
        assert_int_equal(read_request(json),
                         count == 100 ? MET_OK : MET_E_LIMIT);
    }
}

static void test_request__refused(void **state)
{
    static const struct {
        const char *json;
        met_error code;
        const char *field;
        const char *reason;
    } rows[] = {
        {"[]", MET_E_INVALID, "query", "object"},
        {"{}", MET_E_INVALID, "query.meter", "meter or a feature"},
        {"{\"meter\":\"m\",\"feature\":\"f\"}", MET_E_INVALID, "query.meter",
         "either"},
        {"{\"meter\":7}", MET_E_INVALID, "query.meter", ""},
        {"{\"meter\":\"Upper\"}", MET_E_INVALID, "query.meter", ""},
        {"{\"meter\":\"m\",\"from\":\"yesterday\"}", MET_E_INVALID,
         "query.from", ""},
        {"{\"meter\":\"m\",\"to\":12}", MET_E_INVALID, "query.to", ""},
        {"{\"meter\":\"m\",\"window\":\"week\"}", MET_E_INVALID,
         "query.window", ""},
        {"{\"meter\":\"m\",\"subjects\":[]}", MET_E_INVALID,
         "query.subjects", "must not be empty"},
        {"{\"meter\":\"m\",\"subjects\":\"a\"}", MET_E_INVALID,
         "query.subjects", ""},
        {"{\"meter\":\"m\",\"subjects\":[\"a\",\"\"]}", MET_E_INVALID,
         "query.subjects[1]", "1 to 128"},
        {"{\"meter\":\"m\",\"subjects\":[\"a\",\"a\"]}", MET_E_INVALID,
         "query.subjects[1]", "twice"},
        {"{\"meter\":\"m\",\"group_by\":[null]}", MET_E_INVALID,
         "query.group_by[0]", "text"},
        {"{\"meter\":\"m\",\"group_by\":[\"x\",\"y\",\"x\"]}", MET_E_INVALID,
         "query.group_by[2]", "twice"},
        {"{\"meter\":\"m\",\"filters\":{\"x\":\"1\"}}", MET_E_INVALID,
         "query.filters.x", ""},
        {"{\"meter\":\"m\",\"filters\":{\"x\":{\"eq\":\"1\",\"ne\":\"2\"}}}",
         MET_E_INVALID, "query.filters.x", "multiple operators"},
        {"{\"meter\":\"m\",\"filters\":{\"x\":{\"like\":\"1\"}}}",
         MET_E_UNSUPPORTED, "query.filters.x.like", ""},
        {"{\"meter\":\"m\",\"subjects\":{\"ne\":\"a\"}}", MET_E_INVALID,
         "query.subjects", "eq or in"},
        {"{\"meter\":\"m\",\"subjects\":{\"eq\":\"a\",\"in\":[\"b\"]}}",
         MET_E_INVALID, "query.subjects", "eq or in"},
        {"{\"meter\":\"m\",\"subjects\":{\"eq\":[\"a\"]}}", MET_E_INVALID,
         "query.subjects[0]", "text"},
        {"{\"meter\":\"m\",\"customers\":[]}", MET_E_INVALID,
         "query.customers", "must not be empty"},
        {"{\"meter\":\"m\",\"customers\":{\"in\":[\"a\",\"a\"]}}",
         MET_E_INVALID, "query.customers[1]", "twice"},
        {"{\"meter\":\"m\",\"customer\":\"a\",\"customers\":[\"b\"]}",
         MET_E_INVALID, "query.customers", "beside customer"},
        {"{\"meter\":\"m\",\"time_zone\":\"\"}", MET_E_INVALID,
         "query.time_zone", ""},
        {"{\"meter\":\"m\",\"filters\":{\"\":{\"eq\":\"1\"}}}", MET_E_INVALID,
         "query.filters", "no meter can have"},
        {"{\"meter\":\"m\",\"filters\":{\"a\":{\"eq\":\"1\"},\"b\":{\"eq\":"
         "\"1\"},\"c\":{\"eq\":\"1\"},\"d\":{\"eq\":\"1\"},\"e\":{\"eq\":"
         "\"1\"},\"f\":{\"eq\":\"1\"},\"g\":{\"eq\":\"1\"},\"h\":{\"eq\":"
         "\"1\"},\"i\":{\"eq\":\"1\"},\"j\":{\"eq\":\"1\"},\"k\":{\"eq\":"
         "\"1\"}}}",
         MET_E_LIMIT, "query.filters", "at most 10, has 11"},
        {"{\"meter\":\"m\",\"settle_first\":\"yes\"}", MET_E_INVALID,
         "query.settle_first", ""},
        {"{\"meter\":\"m\",\"limit\":3}", MET_E_INVALID, "query.limit", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error error = read_request(rows[i].json);
        if (error != rows[i].code || request != NULL
            || strcmp(last_info.field, rows[i].field) != 0
            || strstr(last_info.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s at \"%s\": \"%s\"", rows[i].json,
                     met_error_name(error), last_info.field,
                     last_info.reason);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_request__read),
        TEST(test_request__lists),
        TEST(test_request__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

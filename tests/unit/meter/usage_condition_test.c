/* Conditions: what each operator holds for, and what is no condition. */
#include "meter_support.h"

#include "meter/usage_condition.h"

static met__arena arena;

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

static met_error read_condition(const char *json,
                                met__text *condition_out)
{
    static const met__path path = {NULL, "x", 0};
    met__node *node = NULL;

    *condition_out = met__text_of(NULL, 0);
    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met__json_parse(&arena, met__text_z(json), &node, NULL),
                     MET_OK);
    return met__condition_read(node, &path, MET__CONDITION_DEPTH_MAX, 0,
                               &arena, condition_out, &last_info);
}

static void test_condition__holds(void **state)
{
    static const struct {
        const char *json;
        const char *yes[4];
        const char *no[4];
    } rows[] = {
        {"{}", {"", "a"}, {NULL}},
        {"{\"eq\":\"a\"}", {"a"}, {"", "A", "aa"}},
        {"{\"ne\":\"a\"}", {"", "A", "aa"}, {"a"}},
        {"{\"neq\":\"a\"}", {"", "b"}, {"a"}},
        {"{\"in\":[\"a\",\"b\"]}", {"a", "b"}, {"", "c", "ab"}},
        {"{\"nin\":[\"a\",\"b\"]}", {"", "c"}, {"a", "b"}},
        {"{\"exists\":true}", {"a", "null"}, {""}},
        {"{\"exists\":false}", {""}, {"a"}},
        {"{\"contains\":\"Pt-4\"}", {"gpt-4", "GPT-4o", "pt-4"}, {"", "pt-"}},
        {"{\"contains\":\"%_\"}", {"100%_", "%_"}, {"100", "%", "xx"}},
        {"{\"ncontains\":\"b\"}", {"", "a"}, {"b", "aB", "abc"}},
        {"{\"contains\":\"\303\211\"}", {"\303\211t"}, {"\303\251t"}},
        /* Texts by their bytes, */
        {"{\"gt\":\"10\"}", {"9", "100", "a"}, {"", "10", "1"}},
        {"{\"gte\":\"10\"}", {"10", "9"}, {"", "1"}},
        {"{\"lt\":\"b\"}", {"", "a", "az", "B"}, {"b", "ba"}},
        {"{\"lte\":\"b\"}", {"b", "a"}, {"ba", "c"}},
        /* numbers by their amount; what is none is in no order. */
        {"{\"gt\":10}", {"10.1", "1e2", "100"}, {"9", "10", "", "a"}},
        {"{\"gte\":-0.5}", {"-0.5", "-0.50", "0"}, {"-0.51", "NaN", "x"}},
        {"{\"lt\":10}", {"9", "-11", "9.99"}, {"10", "", "a", "1e1"}},
        {"{\"lte\":2.5}", {"2.5", "2.50", "0"}, {"2.51", "Infinity"}},
        {"{\"and\":[{\"gte\":\"b\"},{\"lt\":\"d\"}]}", {"b", "c"}, {"a", "d"}},
        {"{\"or\":[{\"eq\":\"a\"},{\"and\":[{\"gt\":1},{\"lt\":3}]}]}",
         {"a", "2"}, {"1", "3", "b", ""}},
        {"{\"and\":[{\"or\":[{\"eq\":\"a\"},{\"eq\":\"b\"}]},{\"ne\":\"b\"}]}",
         {"a"}, {"b", "c"}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__text condition = {NULL, 0};
        if (read_condition(rows[i].json, &condition) != MET_OK) {
            fail_msg("%s: %s %s", rows[i].json, last_info.field,
                     last_info.reason);
        }
        for (int k = 0; k < 4; k++) {
            if (rows[i].yes[k] != NULL
                && !met__condition_holds(condition,
                                         met__text_z(rows[i].yes[k]))) {
                fail_msg("%s does not hold for \"%s\"", rows[i].json,
                         rows[i].yes[k]);
            }
            if (rows[i].no[k] != NULL
                && met__condition_holds(condition,
                                        met__text_z(rows[i].no[k]))) {
                fail_msg("%s holds for \"%s\"", rows[i].json, rows[i].no[k]);
            }
        }
    }
}

static void test_condition__refused(void **state)
{
    static const struct {
        const char *json;
        met_error code;
        const char *field;
        const char *reason;
    } rows[] = {
        {"\"a\"", MET_E_INVALID, "x", "object"},
        {"{\"eq\":\"a\",\"ne\":\"b\"}", MET_E_INVALID, "x", "multiple"},
        {"{\"is\":\"a\"}", MET_E_INVALID, "x", "unknown"},
        {"{\"eq\":\"\"}", MET_E_INVALID, "x.eq", "1 to 128"},
        {"{\"eq\":1}", MET_E_INVALID, "x.eq", "text"},
        {"{\"ne\":null}", MET_E_INVALID, "x.ne", "text"},
        {"{\"in\":\"a\"}", MET_E_INVALID, "x.in", "list of 1 to 100"},
        {"{\"in\":[]}", MET_E_INVALID, "x.in", "list of 1 to 100"},
        {"{\"nin\":[\"a\",2]}", MET_E_INVALID, "x.nin[1]", "text"},
        {"{\"exists\":\"yes\"}", MET_E_INVALID, "x.exists", "true or false"},
        {"{\"gt\":true}", MET_E_INVALID, "x.gt", "text"},
        {"{\"like\":\"a%\"}", MET_E_UNSUPPORTED, "x.like", "not served"},
        {"{\"and\":[]}", MET_E_INVALID, "x.and", "1 to 10"},
        {"{\"and\":{}}", MET_E_INVALID, "x.and", "1 to 10"},
        {"{\"or\":[{},{},{},{},{},{},{},{},{},{},{}]}", MET_E_LIMIT, "x.or",
         "1 to 10"},
        {"{\"or\":[{\"eq\":\"a\"},{\"eq\":\"\"}]}", MET_E_INVALID,
         "x.or[1].eq", ""},
        {"{\"or\":[{\"and\":[{\"or\":[{}]}]}]}", MET_E_LIMIT,
         "x.or[0].and[0].or", "too deep"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__text condition = {NULL, 0};
        met_error error = read_condition(rows[i].json, &condition);
        if (error != rows[i].code || condition.data != NULL
            || strcmp(last_info.field, rows[i].field) != 0
            || strstr(last_info.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s at \"%s\": \"%s\"", rows[i].json,
                     met_error_name(error), last_info.field,
                     last_info.reason);
        }
    }
}

static void test_condition__many_texts(void **state)
{
    static char json[2048];
    met__text condition = {NULL, 0};

    for (int count = 100; count <= 101; count++) {
        strcpy(json, "{\"in\":[");
        for (int i = 0; i < count; i++) {
            sprintf(json + strlen(json), "%s\"%d\"", i ? "," : "", i);
        }
        strcat(json, "]}");
        assert_int_equal(read_condition(json, &condition),
                         count == 100 ? MET_OK : MET_E_LIMIT);
    }
}

/* Written again it is the same condition. */
static void test_condition__document(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"eq\":\"a\"}",
        "{\"neq\":\"a\"}",
        "{\"in\":[\"a\",\"b\"]}",
        "{\"nin\":[\"a\"]}",
        "{\"exists\":true}",
        "{\"exists\":false}",
        "{\"contains\":\"a\"}",
        "{\"ncontains\":\"a\"}",
        "{\"or\":[{\"and\":[{},{\"eq\":\"b\"}]},{\"nin\":[\"c\"]}]}",
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__text condition;
        met__node *node = NULL;
        met__buffer text;
        assert_int_equal(read_condition(rows[i], &condition), MET_OK);
        assert_int_equal(met__condition_is_equal(condition), i == 1);
        assert_int_equal(met__condition_document(condition, &arena, &node),
                         MET_OK);
        met__buffer_init(&text, arena.platform);
        met__json_write(node, 0, &text);
        assert_string_equal(text.data, rows[i]);
        met__buffer_release(&text);
    }
}

/* A file may hold anything: half a condition, sizes beyond the end, nesting
 * without end. */
static void test_condition__garbage(void **state)
{
    static unsigned char bytes[4096];
    met__node *node = NULL;
    met__text whole;
    uint64_t seed = 7;

    assert_int_equal(read_condition("{\"or\":[{\"and\":[{\"ncontains\":\"a\"},"
                                    "{\"lt\":7}]},{\"nin\":[\"c\",\"d\"]}]}",
                                    &whole),
                     MET_OK);
    for (size_t size = 0; size <= whole.size; size++) {
        int answer = met__condition_holds(met__text_of(whole.data, size),
                                          MET__TEXT("b"));
        assert_in_range(answer, 0, 1);
    }
    for (int i = 0; i < 20000; i++) {
        size_t size = (size_t)i % 64;
        for (size_t k = 0; k < size; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[k] = (unsigned char)((seed >> 33) % 18);
        }
        met__text condition = {(const char *)bytes, size};
        assert_in_range(met__condition_holds(condition, MET__TEXT("1")), 0, 1);
        met_error error = met__condition_document(condition, &arena, &node);
        assert_true(error == MET_OK || error == MET_E_CORRUPT);
    }
    for (size_t at = 0; at + 5 <= sizeof bytes; at += 5) { /* "and" of "and" */
        bytes[at] = 12;
        met__put_u32(bytes + at + 1, (uint32_t)(sizeof bytes - at - 5));
    }
    assert_int_equal(met__condition_holds(
                         met__text_of((const char *)bytes, sizeof bytes),
                         MET__TEXT("1")),
                     0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_condition__holds),
        TEST(test_condition__refused),
        TEST(test_condition__many_texts),
        TEST(test_condition__document),
        TEST(test_condition__garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

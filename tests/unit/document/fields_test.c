/* Field readers: the value or the path and the reason, word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "document/document.h"
#include "support/faults.h"

static met__platform platform;
static const met__path root = {NULL, "plan", 0};
static const met__path phases = {&root, "phases", 0};
static const met__path phase = {&phases, NULL, 2};

enum reader {
    TEXT = 1,  /* 2 to 4 bytes */
    ANY_TEXT,  /* 0 to 4 bytes */
    KEY,
    CHOICE,
    BOOLEAN,
    INTEGER, /* -5 to 10 */
    DECIMAL, /* >= 0 */
    SIGNED_DECIMAL,
    TIME,
    DURATION,
    OBJECT,
    ARRAY, /* at most 2 */
    ANY
};

static const char *const choices[] = {"flat", "unit", "package", NULL};

typedef struct values {
    met__text text;
    const met__node *node;
    met__duration duration;
    met_decimal decimal;
    int64_t integer;
    uint32_t choice;
    int boolean;
} values;

static void read_field(met__fields *fields, enum reader reader,
                       unsigned flags, values *out)
{
    switch (reader) {
    case TEXT:
        met__fields_text(fields, "f", flags, 2, 4, &out->text);
        break;
    case ANY_TEXT:
        met__fields_text(fields, "f", flags, 0, 4, &out->text);
        break;
    case KEY:
        met__fields_key(fields, "f", flags, &out->text);
        break;
    case CHOICE:
        met__fields_choice(fields, "f", flags, choices, &out->choice);
        break;
    case BOOLEAN:
        met__fields_boolean(fields, "f", flags, &out->boolean);
        break;
    case INTEGER:
        met__fields_integer(fields, "f", flags, -5, 10, &out->integer);
        break;
    case DECIMAL:
        met__fields_decimal(fields, "f", flags, 0, &out->decimal);
        break;
    case SIGNED_DECIMAL:
        met__fields_decimal(fields, "f", flags, INT64_MIN, &out->decimal);
        break;
    case TIME:
        met__fields_time(fields, "f", flags, &out->integer);
        break;
    case DURATION:
        met__fields_duration(fields, "f", flags, &out->duration);
        break;
    case OBJECT:
        met__fields_object(fields, "f", flags, &out->node);
        break;
    case ARRAY:
        met__fields_array(fields, "f", flags, 2, &out->node);
        break;
    case ANY:
        met__fields_any(fields, "f", flags, &out->node);
        break;
    }
}

/* One object, one reader, then the end. */
static met_error read_object(const char *text, enum reader reader,
                             unsigned flags, values *out,
                             met_error_info *info)
{
    met__arena arena;
    met__fields fields;
    met__node *node;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__json_parse(&arena, met__text_z(text), &node, NULL),
                     MET_OK);
    met_error error = met__fields_begin(&fields, node, &phase, info);
    if (error == MET_OK) {
        read_field(&fields, reader, flags, out);
        error = met__fields_end(&fields);
    }
    met__arena_release(&arena);
    return error;
}

static void test_fields__refuse(void **state)
{
    static const char whole[] = "must be a whole number from -5 to 10";
    static const char amount[] = "must be a decimal string >= 0";
    static const char word[] = "must be lower-case words of letters and "
                               "digits joined by one _";
    static const char when[] = "must be a time of the years 1970 to 2200 "
                               "like 2026-01-31T00:00:00Z";
    static const char span[] = "must be a duration > 0 like P1M or PT1H";
    static const char kind[] = "must be one of flat, unit, package";
    static const struct {
        enum reader reader;
        const char *text;
        const char *reason;
        met_error error; /* 0: MET_E_INVALID */
    } rows[] = {
        {TEXT, "{}", "is required", 0},
        {TEXT, "{\"f\":null}", "is required", 0},
        {TEXT, "{\"f\":1}", "must be a text", 0},
        {TEXT, "{\"f\":[\"ab\"]}", "must be a text", 0},
        {TEXT, "{\"f\":\"a\"}", "must have 2 to 4 bytes, has 1", 0},
        {TEXT, "{\"f\":\"abcde\"}", "must have 2 to 4 bytes, has 5", 0},
        {TEXT, "{\"f\":\"\\u20ac\\u20ac\"}", "must have 2 to 4 bytes, has 6",
         0},
        {TEXT, "{\"f\":\"a\\nb\"}", "must not contain control characters", 0},
        {TEXT, "{\"f\":\"a\\u007f\"}", "must not contain control characters",
         0},
        {KEY, "{\"f\":\"\"}", "must have 1 to 64 bytes, has 0", 0},
        {KEY, "{\"f\":\"Api\"}", word, 0},
        {KEY, "{\"f\":\"_a\"}", word, 0},
        {KEY, "{\"f\":\"a_\"}", word, 0},
        {KEY, "{\"f\":\"a__b\"}", word, 0},
        {KEY, "{\"f\":\"a-b\"}", word, 0},
        {KEY, "{\"f\":\"\\u00e4\"}", word, 0},
        {KEY, "{\"f\":7}", "must be a text", 0},
        {CHOICE, "{\"f\":\"tiered\"}", kind, 0},
        {CHOICE, "{\"f\":\"Flat\"}", kind, 0},
        {CHOICE, "{\"f\":\"\"}", kind, 0},
        {CHOICE, "{\"f\":1}", kind, 0},
        {BOOLEAN, "{\"f\":\"true\"}", "must be true or false", 0},
        {BOOLEAN, "{\"f\":1}", "must be true or false", 0},
        {INTEGER, "{\"f\":-6}", whole, 0},
        {INTEGER, "{\"f\":11}", whole, 0},
        {INTEGER, "{\"f\":1.5}", whole, 0},
        {INTEGER, "{\"f\":1.0}", whole, 0},
        {INTEGER, "{\"f\":1e0}", whole, 0},
        {INTEGER, "{\"f\":\"1\"}", whole, 0},
        {DECIMAL, "{\"f\":\"-1\"}", amount, 0},
        {DECIMAL, "{\"f\":-1}", amount, 0},
        {DECIMAL, "{\"f\":\"-0.0000000001\"}", amount, 0},
        {DECIMAL, "{\"f\":\"\"}", amount, 0},
        {DECIMAL, "{\"f\":\"abc\"}", amount, 0},
        {DECIMAL, "{\"f\":\" 1\"}", amount, 0},
        {DECIMAL, "{\"f\":\"1 \"}", amount, 0},
        {DECIMAL, "{\"f\":\"+1\"}", amount, 0},
        {DECIMAL, "{\"f\":\".5\"}", amount, 0},
        {DECIMAL, "{\"f\":\"5.\"}", amount, 0},
        {DECIMAL, "{\"f\":\"NaN\"}", amount, 0},
        {DECIMAL, "{\"f\":\"Infinity\"}", amount, 0},
        {DECIMAL, "{\"f\":\"0x10\"}", amount, 0},
        {DECIMAL, "{\"f\":\"1,5\"}", amount, 0},
        {DECIMAL, "{\"f\":\"1e5x\"}", amount, 0},
        {DECIMAL, "{\"f\":1.5}", amount, 0}, /* a number is not exact */
        {DECIMAL, "{\"f\":true}", amount, 0},
        {DECIMAL, "{\"f\":\"12345678901234567890123456789012345\"}",
         "needs more than 34 digits", MET_E_OVERFLOW},
        {SIGNED_DECIMAL, "{\"f\":\"x\"}", "must be a decimal string", 0},
        {TIME, "{\"f\":\"2026-02-30T00:00:00Z\"}", when, 0},
        {TIME, "{\"f\":\"2026-01-31\"}", when, 0},
        {TIME, "{\"f\":\"1969-12-31T23:59:59Z\"}", when, 0},
        {TIME, "{\"f\":1769817600}", when, 0},
        {DURATION, "{\"f\":\"P0D\"}", span, 0},
        {DURATION, "{\"f\":\"1M\"}", span, 0},
        {DURATION, "{\"f\":\"\"}", span, 0},
        {DURATION, "{\"f\":30}", span, 0},
        {OBJECT, "{\"f\":[]}", "must be an object", 0},
        {OBJECT, "{\"f\":\"{}\"}", "must be an object", 0},
        {OBJECT, "{}", "is required", 0},
        {ARRAY, "{\"f\":{}}", "must be a list", 0},
        {ARRAY, "{\"f\":[1,2,3]}", "must have at most 2 items, has 3", 0},
        {ANY, "{\"f\":null}", "is required", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        values out;
        values before;
        met_error expect = rows[i].error ? rows[i].error : MET_E_INVALID;
        memset(&out, 0x5a, sizeof out);
        memcpy(&before, &out, sizeof out);
        met_error error = read_object(rows[i].text, rows[i].reader,
                                      MET__REQUIRED, &out, &info);
        if (error != expect || info.code != expect
            || strcmp(info.reason, rows[i].reason) != 0
            || strcmp(info.field, "plan.phases[2].f") != 0) {
            fail_msg("%s: %s at \"%s\": \"%s\"", rows[i].text,
                     met_error_name(error), info.field, info.reason);
        }
        assert_memory_equal(&out, &before, sizeof out); /* untouched */
        assert_int_equal(read_object(rows[i].text, rows[i].reader,
                                     MET__REQUIRED, &out, NULL),
                         expect);
    }
}

static void test_fields__missing_is_fine_when_optional(void **state)
{
    for (int reader = TEXT; reader <= ANY; reader++) {
        static const char *const texts[] = {"{}", "{\"f\":null}"};
        for (size_t i = 0; i < 2; i++) {
            values out;
            values before;
            memset(&out, 0x5a, sizeof out);
            memcpy(&before, &out, sizeof out);
            assert_int_equal(read_object(texts[i], (enum reader)reader,
                                         MET__OPTIONAL, &out, NULL),
                             MET_OK);
            assert_memory_equal(&out, &before, sizeof out);
        }
    }
}

static void test_fields__accept(void **state)
{
    values out = {0};
    char key[MET__KEY_SIZE_MAX + 16];

#define READ(reader, text) \
    assert_int_equal(read_object(text, reader, MET__REQUIRED, &out, NULL), \
                     MET_OK)
    READ(TEXT, "{\"f\":\"ab\"}");
    assert_int_equal(out.text.size, 2);
    READ(TEXT, "{\"f\":\"abcd\"}");
    READ(TEXT, "{\"f\":\"\\u20ac\"}");
    READ(ANY_TEXT, "{\"f\":\"\"}");
    assert_int_equal(out.text.size, 0);
    READ(KEY, "{\"f\":\"a\"}");
    READ(KEY, "{\"f\":\"api_requests_2\"}");
    READ(CHOICE, "{\"f\":\"package\"}");
    assert_int_equal(out.choice, 2);
    READ(BOOLEAN, "{\"f\":true}");
    assert_int_equal(out.boolean, 1);
    READ(BOOLEAN, "{\"f\":false}");
    assert_int_equal(out.boolean, 0);
    READ(INTEGER, "{\"f\":-5}");
    assert_int_equal(out.integer, -5);
    READ(INTEGER, "{\"f\":10}");
    assert_int_equal(out.integer, 10);
    READ(DECIMAL, "{\"f\":\"0\"}");
    READ(DECIMAL, "{\"f\":\"-0\"}");
    READ(DECIMAL, "{\"f\":5000}");
    assert_int_equal(met__decimal_compare(out.decimal,
                                          met__decimal_from_i64(5000)), 0);
    READ(DECIMAL, "{\"f\":\"1234567890123456789012345678901234\"}");
    READ(SIGNED_DECIMAL, "{\"f\":\"-99999999999999999999999999\"}");
    READ(TIME, "{\"f\":\"1970-01-01T00:00:01Z\"}");
    assert_int_equal(out.integer, 1000000000);
    READ(DURATION, "{\"f\":\"P1M\"}");
    READ(OBJECT, "{\"f\":{}}");
    READ(ARRAY, "{\"f\":[1,2]}");
    READ(ARRAY, "{\"f\":[]}");
    READ(ANY, "{\"f\":0}");
#undef READ
    for (int more = -1; more <= 1; more++) {
        size_t size = (size_t)(MET__KEY_SIZE_MAX + more);
        strcpy(key, "{\"f\":\"");
        memset(key + 6, 'k', size);
        strcpy(key + 6 + size, "\"}");
        assert_int_equal(read_object(key, KEY, MET__REQUIRED, &out, NULL),
                         more > 0 ? MET_E_INVALID : MET_OK);
    }
}

static void test_fields__end_names_the_stranger(void **state)
{
    met_error_info info = {.struct_size = sizeof info};
    values out = {0};

    assert_int_equal(read_object("{\"f\":1,\"prise\":2,\"zz\":3}", ANY,
                                 MET__REQUIRED, &out, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "plan.phases[2].prise");
    assert_string_equal(info.reason, "is not a known field");
    /* null does not hide it, nor does an empty or a very long name */
    assert_int_equal(read_object("{\"f\":1,\"\":null}", ANY, MET__REQUIRED,
                                 &out, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "plan.phases[2].");
    char text[1024] = "{\"f\":1,\"";
    memset(text + strlen(text), 'n', 900);
    strcat(text, "\":1}");
    assert_int_equal(read_object(text, ANY, MET__REQUIRED, &out, &info),
                     MET_E_INVALID);
    assert_int_equal(strlen(info.field), MET_ERROR_FIELD_SIZE - 1);
}

/* The first error stays, later readers change nothing. */
static void test_fields__first_error_sticks(void **state)
{
    met_error_info info = {.struct_size = sizeof info};
    met__arena arena;
    met__fields fields;
    met__node *node;
    met__text text = {0};
    int64_t number = 42;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__json_parse(&arena,
                                     MET__TEXT("{\"a\":1,\"b\":2,\"x\":0}"),
                                     &node, NULL),
                     MET_OK);
    met__fields_begin(&fields, node, &root, &info);
    assert_int_equal(met__fields_text(&fields, "a", 0, 1, 9, &text),
                     MET_E_INVALID);
    assert_int_equal(met__fields_integer(&fields, "b", 0, 0, 9, &number),
                     MET_E_INVALID);
    assert_int_equal(met__fields_fail(&fields, "b", "number %d", 7),
                     MET_E_INVALID);
    assert_int_equal(met__fields_end(&fields), MET_E_INVALID);
    assert_int_equal(number, 42);
    assert_string_equal(info.field, "plan.a");
    assert_string_equal(info.reason, "must be a text");
    /* and a reason of one's own, with the path of the object itself */
    met__fields_begin(&fields, node, &phase, &info);
    assert_int_equal(met__fields_fail(&fields, NULL, "number %d", 7),
                     MET_E_INVALID);
    assert_string_equal(info.field, "plan.phases[2]");
    assert_string_equal(info.reason, "number 7");
    met__arena_release(&arena);
}

static void test_fields__begin_wants_an_object(void **state)
{
    static const char *const texts[] = {"[]", "1", "\"x\"", "null", "true"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        met_error_info info = {.struct_size = sizeof info};
        values out = {0};
        assert_int_equal(read_object(texts[i], ANY, 0, &out, &info),
                         MET_E_INVALID);
        assert_string_equal(info.field, "plan.phases[2]");
        assert_string_equal(info.reason, "must be an object");
    }
    met__fields fields;
    assert_int_equal(met__fields_begin(&fields, NULL, NULL, NULL),
                     MET_E_INVALID);
}

/* 256 members are read, each of them once; 257 are too many. */
static void test_fields__many_members(void **state)
{
    for (int more = 0; more < 2; more++) {
        met__arena arena;
        met__fields fields;
        char names[257][16];
        int64_t number;
        met__arena_init(&arena, &platform);
        met__node *object = met__node_object(&arena);
        for (int i = 0; i < 256 + more; i++) {
            snprintf(names[i], sizeof names[i], "m%d", i);
            assert_int_equal(met__node_set(&arena, object, names[i],
                                           met__node_integer(&arena, i)),
                             MET_OK);
        }
        met_error error = met__fields_begin(&fields, object, NULL, NULL);
        assert_int_equal(error, more ? MET_E_LIMIT : MET_OK);
        for (int i = 0; error == MET_OK && i < 256; i++) {
            if (i == 255) {
                assert_int_equal(met__fields_end(&fields), MET_E_INVALID);
                fields.error = MET_OK;
            }
            assert_int_equal(met__fields_integer(&fields, names[i], 1, 0, 999,
                                                 &number),
                             MET_OK);
            assert_int_equal(number, i);
        }
        if (error == MET_OK) {
            assert_int_equal(met__fields_end(&fields), MET_OK);
        }
        met__arena_release(&arena);
    }
}

static void test_path__prints(void **state)
{
    static const met__path list = {NULL, "items", 0};
    static const met__path item = {&list, NULL, 18446744073709551615u};
    static const met__path deep = {&item, NULL, 0};
    static const met__path member = {&deep, "x", 0};
    static const met__path first = {NULL, NULL, 3};
    char out[64];

    met__path_print(NULL, NULL, out, sizeof out);
    assert_string_equal(out, "");
    met__path_print(NULL, "a", out, sizeof out);
    assert_string_equal(out, "a");
    met__path_print(&phase, NULL, out, sizeof out);
    assert_string_equal(out, "plan.phases[2]");
    met__path_print(&phase, "key", out, sizeof out);
    assert_string_equal(out, "plan.phases[2].key");
    met__path_print(&member, "y", out, sizeof out);
    assert_string_equal(out, "items[18446744073709551615][0].x.y");
    met__path_print(&first, "y", out, sizeof out);
    assert_string_equal(out, "[3].y");
    /* Cut at every size, never past it. */
    for (size_t size = 0; size <= sizeof out; size++) {
        char whole[64] = "plan.phases[2].key";
        memset(out, '#', sizeof out);
        met__path_print(&phase, "key", out, size);
        if (size > 0) {
            whole[size - 1] = '\0';
            assert_string_equal(out, whole);
        }
        for (size_t i = size; i < sizeof out; i++) {
            assert_int_equal(out[i], '#');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields__refuse),
        cmocka_unit_test(test_fields__missing_is_fine_when_optional),
        cmocka_unit_test(test_fields__accept),
        cmocka_unit_test(test_fields__end_names_the_stranger),
        cmocka_unit_test(test_fields__first_error_sticks),
        cmocka_unit_test(test_fields__begin_wants_an_object),
        cmocka_unit_test(test_fields__many_members),
        cmocka_unit_test(test_path__prints),
    };

    platform = faulty_platform(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

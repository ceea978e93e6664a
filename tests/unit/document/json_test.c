/* JSON: what is refused and where, what survives a round trip, and what
 * happens when memory ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/limits.h"
#include "document/document.h"
#include "support/faults.h"

static met__platform platform;

typedef struct row {
    const char *reason; /* why this row is here */
    const char *text;
    size_t size; /* 0: strlen */
    const char *expect; /* for refusals: a piece of the reason */
} row;

static met_error parse(const char *text, size_t size, met_error_info *info)
{
    met__arena arena;
    met__node *node = NULL;

    met__arena_init(&arena, &platform);
    met_error error = met__json_parse(&arena, met__text_of(text, size), &node,
                                      info);
    assert_true((error == MET_OK) == (node != NULL));
    met__arena_release(&arena);
    return error;
}

static void test_json__refuses(void **state)
{
    static const row rows[] = {
        {"nothing", "", 0, "is empty"},
        {"blanks alone", " \n", 0, "line 2"},
        {"a duplicate", "{\"a\":1,\"b\":2,\"a\":3}", 0, "is there twice"},
        {"a duplicate inside", "[{\"a\":{\"b\":1,\"b\":1}}]", 0,
         "is there twice"},
        {"a duplicate by escape", "{\"a\":1,\"\\u0061\":2}", 0,
         "is there twice"},
        {"NaN", "{\"a\":NaN}", 0, "line 1"},
        {"nan", "[nan]", 0, "line 1"},
        {"Infinity", "[Infinity]", 0, "line 1"},
        {"-Infinity", "[-Infinity]", 0, "line 1"},
        {"single quotes", "{'a':1}", 0, "line 1"},
        {"a bare key", "{a:1}", 0, "line 1"},
        {"a raw tab in a string", "[\"a\tb\"]", 0, "control character"},
        {"a raw line end in a string", "[\"a\nb\"]", 0, "line 1"},
        {"a raw NUL in a string", "[\"a\0b\"]", 7, "line 1"},
        {"a raw NUL behind", "[1]\0", 4, "line 1"},
        {"text behind a NUL", "[1]\0[2]", 7, "line 1"},
        {"an escaped NUL in a value", "[\"a\\u0000b\"]", 0, "\\u0000"},
        {"an escaped NUL in a key", "{\"\\u0000\":1}", 0, "\\u0000"},
        {"an overlong slash", "[\"\xc0\xaf\"]", 0, "not UTF-8"},
        {"an overlong NUL", "[\"\xc0\x80\"]", 0, "not UTF-8"},
        {"a surrogate in UTF-8", "[\"\xed\xa0\x80\"]", 0, "not UTF-8"},
        {"beyond U+10FFFF", "[\"\xf4\x90\x80\x80\"]", 0, "not UTF-8"},
        {"a lonely continuation", "[\"\x80\"]", 0, "not UTF-8"},
        {"a cut sequence", "[\"\xe2\x82\"]", 0, "not UTF-8"},
        {"Latin-1", "[\"caf\xe9\"]", 0, "not UTF-8"},
        {"half a surrogate pair", "[\"\\ud800\"]", 0, "line 1"},
        {"a wrong pair", "[\"\\ud800\\u0041\"]", 0, "line 1"},
        {"an unknown escape", "[\"\\x41\"]", 0, "line 1"},
        {"a byte order mark", "\xef\xbb\xbf{}", 0, "line 1"},
        {"a leading zero", "[01]", 0, "line 1"},
        {"minus and a leading zero", "[-01]", 0, "line 1"},
        {"a point without digits", "[1.]", 0, "line 1"},
        {"no digit before the point", "[.5]", 0, "line 1"},
        {"a plus", "[+1]", 0, "line 1"},
        {"half an exponent", "[1e]", 0, "line 1"},
        {"hexadecimal", "[0x10]", 0, "line 1"},
        {"a comma at the end", "[1,]", 0, "line 1"},
        {"a comma in an object", "{\"a\":1,}", 0, "line 1"},
        {"two values", "1 2", 0, "text behind the document"},
        {"text behind", "{} x", 0, "text behind the document"},
        {"a comment", "[1] // one", 0, "line 1"},
        {"half a document", "{\"a\":[1,{\"b\":", 0, "line 1"},
        {"an open string", "[\"abc", 0, "line 1"},
        {"an escape at the end", "[\"abc\\", 0, "line 1"},
        {"a closing bracket", "]", 0, "line 1"},
        {"wrong brackets", "[1}", 0, "line 1"},
        {"2^63", "[9223372036854775808]", 0, "an integer beyond 64 bits"},
        {"-2^63-1", "[-9223372036854775809]", 0, "an integer beyond 64 bits"},
        {"16 digits", "[0.1234567890123456]", 0,
         "line 1, column 2: a number with more than 15 digits"},
        {"16 digits around the point", "[12345678.12345678]", 0,
         "write it as a string"},
        {"16 digits before zeros", "[1234567890123456000.0]", 0,
         "write it as a string"},
        {"16 digits and an exponent", "[1234567890123456e2]", 0,
         "write it as a string"},
        {"beyond a double", "[1e400]", 0, "write it as a string"},
        {"below a double", "[1e-400]", 0, "write it as a string"},
        {"a denormal", "[1e-310]", 0, "write it as a string"},
        {"an exponent that wraps", "[1e4294967297]", 0,
         "write it as a string"},
        {"an exponent that wraps 64 bits", "[1e-18446744073709551617]", 0,
         "write it as a string"},
        {"one power too many", "[1e41]", 0, "write it as a string"},
        {"one power too few", "[9.9e-41]", 0, "write it as a string"},
        {"the place", "{\n  \"a\": 1,\n  \"b\": tru\n}", 0, "line 3"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        size_t size = rows[i].size ? rows[i].size : strlen(rows[i].text);
        met_error error = parse(rows[i].text, size, &info);
        if (error != MET_E_INVALID || info.code != MET_E_INVALID
            || strstr(info.reason, rows[i].expect) == NULL) {
            fail_msg("%s: %s, \"%s\"", rows[i].reason, met_error_name(error),
                     info.reason);
        }
        assert_int_equal(parse(rows[i].text, size, NULL), MET_E_INVALID);
    }
}

static void test_json__keeps_what_it_reads(void **state)
{
    static const row rows[] = {
        {"empty object", "{}", 0, "{}"},
        {"empty array", " [ ] ", 0, "[]"},
        {"a lonely value", "true", 0, "true"},
        {"null", "null", 0, "null"},
        {"order of members", "{\"b\":1,\"a\":2}", 0, "{\"b\":1,\"a\":2}"},
        {"greatest integer", "9223372036854775807", 0, "9223372036854775807"},
        {"least integer", "-9223372036854775808", 0, "-9223372036854775808"},
        {"minus zero", "-0", 0, "0"},
        {"minus zero with a fraction", "-0.0", 0, "0.0"},
        {"zero with an exponent", "0e999999999999", 0, "0.0"},
        {"a fraction no double has", "0.1", 0, "0.1"},
        {"fifteen digits", "0.123456789012345", 0, "0.123456789012345"},
        {"fifteen nines", "999999999999999.0", 0,
         "999999999999999.0"},
        {"zeros do not count", "0.000000000000000123456789012345", 0,
         "0.000000000000000123456789012345"},
        {"zeros behind do not count", "1.50000000000000000000", 0, "1.5"},
        {"a small exponent", "1e3", 0, "1000.0"},
        {"beyond 2^63", "1e20", 0, "100000000000000000000.0"},
        {"the greatest", "9.99999999999999e40", 0,
         "99999999999999900000000000000000000000000.0"},
        {"the least", "1e-40", 0,
         "0.0000000000000000000000000000000000000001"},
        {"a capital exponent", "25E-1", 0, "2.5"},
        {"escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", 0,
         "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\tA\""},
        {"a surrogate pair", "\"\\ud83d\\ude00\"", 0,
         "\"\xf0\x9f\x98\x80\""},
        {"brackets in a string", "\"[[[[[[[[[[[[[[[[[[[[[[\"", 0,
         "\"[[[[[[[[[[[[[[[[[[[[[[\""},
        {"long digits in a string", "\"0.12345678901234567890\"", 0,
         "\"0.12345678901234567890\""},
        {"a quote escaped", "[\"\\\"\",1]", 0, "[\"\\\"\",1]"},
        {"DEL", "\"\x7f\"", 0, "\"\x7f\""},
        {"an empty key", "{\"\":1}", 0, "{\"\":1}"},
        {"nesting", "{\"a\":[1,{\"b\":null},[]],\"c\":false}", 0,
         "{\"a\":[1,{\"b\":null},[]],\"c\":false}"},
    };
    met__arena arena;
    met__buffer buffer;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        met__node *node = NULL;
        met__arena_init(&arena, &platform);
        met__buffer_init(&buffer, &platform);
        met_error error = met__json_parse(&arena, met__text_z(rows[i].text),
                                          &node, &info);
        if (error != MET_OK) {
            fail_msg("%s: %s", rows[i].reason, info.reason);
        }
        met__json_write(node, 0, &buffer);
        assert_int_equal(buffer.error, MET_OK);
        if (strcmp(buffer.data, rows[i].expect) != 0) {
            fail_msg("%s: %s", rows[i].reason, buffer.data);
        }
        met__buffer_release(&buffer);
        met__arena_release(&arena);
    }
}

static void test_json__writes_pretty(void **state)
{
    met__arena arena;
    met__buffer buffer;
    met__node *node;

    met__arena_init(&arena, &platform);
    met__buffer_init(&buffer, &platform);
    assert_int_equal(
        met__json_parse(&arena,
                        MET__TEXT("{\"a\":[],\"b\":{},\"c\":[1,{\"d\":2}]}"),
                        &node, NULL),
        MET_OK);
    met__json_write(node, 1, &buffer);
    assert_string_equal(buffer.data, "{\n"
                                     "  \"a\": [],\n"
                                     "  \"b\": {},\n"
                                     "  \"c\": [\n"
                                     "    1,\n"
                                     "    {\n"
                                     "      \"d\": 2\n"
                                     "    }\n"
                                     "  ]\n"
                                     "}");
    met__buffer_release(&buffer);
    met__arena_release(&arena);
}

/* `depth` arrays in each other. */
static met_error parse_depth(size_t depth, const char *open, const char *mid,
                             const char *close)
{
    char text[1024] = "";

    for (size_t i = 0; i < depth; i++) {
        strcat(text, open);
    }
    strcat(text, mid);
    for (size_t i = 0; i < depth; i++) {
        strcat(text, close);
    }
    return parse(text, strlen(text), NULL);
}

static void test_json__bounds(void **state)
{
    size_t at = MET__DOCUMENT_DEPTH_MAX;

    assert_int_equal(parse_depth(at - 1, "[", "", "]"), MET_OK);
    assert_int_equal(parse_depth(at, "[", "", "]"), MET_OK);
    assert_int_equal(parse_depth(at + 1, "[", "", "]"), MET_E_INVALID);
    assert_int_equal(parse_depth(at, "{\"a\":", "1", "}"), MET_OK);
    assert_int_equal(parse_depth(at + 1, "{\"a\":", "1", "}"), MET_E_INVALID);
    assert_int_equal(parse_depth(at - 1, "[", "[],[],[]", "]"), MET_OK);

    /* A string of exactly the size allowed, and one byte more. */
    char *text = malloc(MET__DOCUMENT_SIZE_MAX + 1);
    assert_non_null(text);
    for (size_t more = 0; more < 2; more++) {
        size_t size = MET__DOCUMENT_SIZE_MAX + more;
        met_error_info info = {.struct_size = sizeof info};
        memset(text, 'x', size);
        text[0] = '"';
        text[size - 1] = '"';
        assert_int_equal(parse(text, size, &info),
                         more ? MET_E_LIMIT : MET_OK);
    }
    /* As many values as allowed, the array counts too; then one more. */
    for (size_t more = 0; more < 2; more++) {
        met_error_info info = {.struct_size = sizeof info};
        size_t values = MET__DOCUMENT_VALUES_MAX - 1 + more;
        size_t size = 0;
        text[size++] = '[';
        for (size_t i = 0; i < values; i++) {
            text[size++] = '1';
            text[size++] = ',';
        }
        text[size - 1] = ']';
        assert_int_equal(parse(text, size, &info),
                         more ? MET_E_INVALID : MET_OK);
        if (more) {
            assert_non_null(strstr(info.reason, "too many values"));
        }
    }
    free(text);
}

/* Every allocation of ours fails in turn: no memory, nothing lost. */
static void test_json__without_memory(void **state)
{
    static const char text[] = "{\"a\":[1,2.5,\"x\"],\"b\":{\"c\":null}}";
    faulty_memory memory = {0};
    met__platform faulty = faulty_platform(&memory, NULL);

    for (long k = 1;; k++) {
        met__arena arena;
        met__buffer buffer;
        met__node *node = NULL;
        memory.calls = 0;
        memory.fail_at = k;
        met__arena_init(&arena, &faulty);
        met__buffer_init(&buffer, &faulty);
        met_error error = met__json_parse(&arena, met__text_z(text), &node,
                                          NULL);
        if (error == MET_OK) {
            met__json_write(node, 1, &buffer);
            error = buffer.error;
        } else {
            assert_null(node);
        }
        int is_past = memory.calls < k;
        met__buffer_release(&buffer);
        met__arena_release(&arena);
        assert_int_equal(memory.live, 0);
        assert_int_equal(memory.bytes, 0);
        if (is_past) {
            assert_int_equal(error, MET_OK);
            assert_true(k > 2);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
    }
}

/* --- Beside another reader ------------------------------------------------ */
static uint64_t random_state = 20261125;

static size_t random_below(size_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % below);
}

/* Cuts, doubles, exchanges and inserts bytes that mean something. */
static size_t mutate(char *text, size_t size, size_t room)
{
    static const char bytes[] = "{}[]\",:0123456789.eE+-\\/ubfnrtals \n\t\x01"
                                "\x7f\x80\xc3\xa4\xe2\x82\xac\xf0\xed\xff";

    for (size_t turns = 1 + random_below(4); turns > 0 && size > 1; turns--) {
        size_t at = random_below(size);
        size_t what = random_below(4);
        if (what == 0) {
            memmove(text + at, text + at + 1, --size - at);
        } else if (what == 1) {
            text[at] = bytes[random_below(sizeof bytes - 1)];
        } else if (what == 2 && size < room) {
            memmove(text + at + 1, text + at, size++ - at);
            text[at] = bytes[random_below(sizeof bytes - 1)];
        } else if (size < room) {
            size_t other = random_below(size);
            char c = text[at];
            text[at] = text[other];
            text[other] = c;
        }
    }
    return size;
}

/* Jansson takes and refuses the same texts, and reads the same from them. Not
 * compared: what only we refuse (our bounds), and doubles, which it rounds. */
static void test_json__as_another_reader(void **state)
{
    static const char *const seeds[] = {
        "{\"a\":[1,2.5,\"x\"],\"b\":{\"c\":null,\"d\":true}}",
        "[\"\\u00e4\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\",-0,0.5,1e3,"
        "-12E-2]",
        "{\"\":\"\",\"a b\":false,\"\xc3\xa4\":[[],{},[{}]],\"9\":"
        "9223372036854775807}",
        " [ 1 , \"\xe2\x82\xac\" , { \"k\" : [ null ] } ] ",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,"
        "\"i\":9,\"j\":10}",
    };
    size_t accepted = 0;

    for (int i = 0; i < 60000; i++) {
        char text[512];
        const char *seed = seeds[random_below(sizeof seeds / sizeof *seeds)];
        met__arena arena;
        met__node *node = NULL;
        met__buffer buffer;
        met_error_info info = {.struct_size = sizeof info};
        memcpy(text, seed, strlen(seed));
        size_t size = mutate(text, strlen(seed), sizeof text);
        met__arena_init(&arena, &platform);
        met__buffer_init(&buffer, &platform);
        met_error error = met__json_parse(
            &arena, met__text_of(text, size), &node, &info);
        json_t *other = json_loadb(text, size,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                                   NULL);
        int is_ours = strstr(info.reason, "more than 15 digits") != NULL;
        if (!is_ours && (error == MET_OK) != (other != NULL)) {
            fail_msg("%.*s: we say %s \"%s\"", (int)size, text,
                     met_error_name(error), info.reason);
        }
        if (error == MET_OK) {
            met__json_write(node, (int)random_below(2), &buffer);
            json_t *again = json_loadb(buffer.data, buffer.size,
                                       JSON_DECODE_ANY, NULL);
            if (again == NULL || !json_equal(again, other)) {
                fail_msg("%.*s: read as %s", (int)size, text, buffer.data);
            }
            json_decref(again);
            accepted++;
        }
        json_decref(other);
        met__buffer_release(&buffer);
        met__arena_release(&arena);
    }
    assert_true(accepted > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__refuses),
        cmocka_unit_test(test_json__keeps_what_it_reads),
        cmocka_unit_test(test_json__writes_pretty),
        cmocka_unit_test(test_json__bounds),
        cmocka_unit_test(test_json__without_memory),
        cmocka_unit_test(test_json__as_another_reader),
    };

    platform = faulty_platform(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

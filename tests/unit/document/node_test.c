/* Trees: building, growing parsed lists, comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "document/document.h"
#include "support/faults.h"

static met__platform platform;

static met__node *parsed(met__arena *arena, const char *text)
{
    met__node *node = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__json_parse(arena, met__text_z(text), &node, &info) != MET_OK) {
        fail_msg("%s: %s", text, info.reason);
    }
    return node;
}

static void assert_text(const met__node *node, const char *expect)
{
    met__buffer buffer;

    met__buffer_init(&buffer, &platform);
    met__json_write(node, 0, &buffer);
    assert_int_equal(buffer.error, MET_OK);
    assert_string_equal(buffer.data, expect);
    met__buffer_release(&buffer);
}

static void test_node__builds(void **state)
{
    met__arena arena;
    met_decimal value;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__decimal_parse(MET__TEXT("1.50"), &value), MET_OK);
    met__node *object = met__node_object(&arena);
    met__node *array = met__node_array(&arena);
    assert_int_equal(met__node_append(&arena, array,
                                      met__node_boolean(&arena, 7)),
                     MET_OK);
    assert_int_equal(met__node_append(&arena, array, met__node_null(&arena)),
                     MET_OK);
    assert_int_equal(met__node_set(&arena, object, "a", array), MET_OK);
    assert_int_equal(met__node_set(&arena, object, "b",
                                   met__node_decimal(&arena, value)),
                     MET_OK);
    assert_int_equal(met__node_set(&arena, object, "c",
                                   met__node_time(&arena, 0)),
                     MET_OK);
    assert_int_equal(met__node_set(&arena, object, "a",
                                   met__node_integer(&arena, -1)),
                     MET_OK);
    assert_text(object, "{\"a\":-1,\"b\":\"1.5\","
                        "\"c\":\"1970-01-01T00:00:00Z\"}");
    assert_text(array, "[true,null]");
    assert_null(met__node_get(object, "d"));
    assert_null(met__node_get(array, "a"));
    assert_null(met__node_get(NULL, "a"));
    assert_int_equal(met__node_set(&arena, object, "e", NULL),
                     MET_E_NO_MEMORY);
    assert_int_equal(met__node_append(&arena, array, NULL), MET_E_NO_MEMORY);
    assert_int_equal(met__node_append(&arena, object, array), MET_E_BUG);
    assert_int_equal(met__node_set(&arena, array, "a", object), MET_E_BUG);
    met__arena_release(&arena);
}

/* A list that was parsed may grow: one that has room for exactly what was
 * read would be written past its end. The neighbours show it. */
static void test_node__parsed_lists_grow(void **state)
{
    static const char *const names[] = {"m0", "m1", "m2", "m3", "m4",
                                        "m5", "m6", "m7", "m8"};

    for (size_t count = 0; count <= 9; count++) {
        char text[256] = "{\"list\":[";
        char expect[512];
        met__arena arena;
        met__arena_init(&arena, &platform);
        for (size_t i = 0; i < count; i++) {
            strcat(text, i ? ",1" : "1");
        }
        strcat(text, "],\"next\":[7,7,7,7],\"object\":{");
        for (size_t i = 0; i < count; i++) {
            sprintf(text + strlen(text), "%s\"k%zu\":1", i ? "," : "", i);
        }
        strcat(text, "},\"last\":{\"x\":1,\"y\":2,\"z\":3}}");
        met__node *root = parsed(&arena, text);
        met__node *list = root->as.members[0].node;
        met__node *object = root->as.members[2].node;
        assert_true(met__list_bytes(count, 1) >= count);
        for (size_t i = 0; i < 9; i++) {
            assert_int_equal(met__node_append(&arena, list,
                                              met__node_integer(&arena, 2)),
                             MET_OK);
            assert_int_equal(met__node_set(&arena, object, names[i],
                                           met__node_integer(&arena, 2)),
                             MET_OK);
        }
        strcpy(expect, "{\"list\":[");
        for (size_t i = 0; i < count + 9; i++) {
            sprintf(expect + strlen(expect), "%s%d", i ? "," : "",
                    i < count ? 1 : 2);
        }
        strcat(expect, "],\"next\":[7,7,7,7],\"object\":{");
        for (size_t i = 0; i < count; i++) {
            sprintf(expect + strlen(expect), "\"k%zu\":1,", i);
        }
        for (size_t i = 0; i < 9; i++) {
            sprintf(expect + strlen(expect), "\"m%zu\":2%s", i,
                    i < 8 ? "," : "");
        }
        strcat(expect, "},\"last\":{\"x\":1,\"y\":2,\"z\":3}}");
        assert_text(root, expect);
        met__arena_release(&arena);
    }
}

static void test_node__equal(void **state)
{
    static const struct {
        const char *reason;
        const char *a;
        const char *b;
        int is_equal;
    } rows[] = {
        {"the same", "{\"a\":[1,null,\"x\"]}", "{\"a\":[1,null,\"x\"]}", 1},
        {"order of members", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", 1},
        {"order of items", "[1,2]", "[2,1]", 0},
        {"a member more", "{\"a\":1}", "{\"a\":1,\"b\":2}", 0},
        {"another name", "{\"a\":1}", "{\"b\":1}", 0},
        {"an item less", "[1,2]", "[1]", 0},
        {"another kind", "1", "\"1\"", 0},
        {"decimals by value", "1.50", "1.5", 1},
        {"other decimals", "1.5", "1.6", 0},
        {"integer and decimal", "1", "1.0", 0},
        {"true and false", "true", "false", 0},
        {"nulls", "null", "null", 1},
        {"empty object and list", "{}", "[]", 0},
        {"a longer text", "\"a\"", "\"ab\"", 0},
    };
    met__arena arena;

    met__arena_init(&arena, &platform);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__node *a = parsed(&arena, rows[i].a);
        met__node *b = parsed(&arena, rows[i].b);
        if (met__node_equal(a, b) != rows[i].is_equal
            || met__node_equal(b, a) != rows[i].is_equal) {
            fail_msg("%s", rows[i].reason);
        }
        assert_false(met__node_equal(a, NULL));
    }
    assert_true(met__node_equal(NULL, NULL));
    met__arena_release(&arena);
}

/* Built again with every allocation failing in turn. */
static void test_node__without_memory(void **state)
{
    faulty_memory memory = {0};
    met__platform faulty = faulty_platform(&memory, NULL);
    char big[20000];
    int done = 0;

    memset(big, 'x', sizeof big);
    for (long k = 1; !done; k++) {
        met__arena arena;
        met_error error = MET_OK;
        memory.calls = 0;
        memory.fail_at = k;
        met__arena_init(&arena, &faulty);
        met__node *array = met__node_array(&arena);
        for (int i = 0; error == MET_OK && i < 5; i++) {
            met__node *object = met__node_object(&arena);
            error = met__node_set(
                &arena, object, "text",
                met__node_text(&arena, met__text_of(big, sizeof big)));
            if (error == MET_OK) {
                error = met__node_set(&arena, object, "amount",
                                      met__node_decimal(
                                          &arena, met__decimal_from_i64(i)));
            }
            if (error == MET_OK) {
                error = met__node_append(&arena, array, object);
            }
        }
        done = memory.calls < k;
        assert_int_equal(error, done ? MET_OK : MET_E_NO_MEMORY);
        met__arena_release(&arena);
        assert_int_equal(memory.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node__builds),
        cmocka_unit_test(test_node__parsed_lists_grow),
        cmocka_unit_test(test_node__equal),
        cmocka_unit_test(test_node__without_memory),
    };

    platform = faulty_platform(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

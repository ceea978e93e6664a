/* Texts of JSON bodies by name, with every mistake that a body can have; and
 * the same as the reader of documents finds, for documents made at random. */
#include "document/document.h"
#include "gateway/key_auth.h"
#include "unit/gateway/gateway_support.h"

static char scratch[MET_GATEWAY_KEY_SIZE_MAX + 1];

static int count_of(const char *json, met__text *value_out)
{
    /* In a block of its own size, so that sanitizers see a step behind it. */
    size_t size = strlen(json);
    char *copy = malloc(size + (size == 0));
    memcpy(copy, json, size);
    int count = met__key_json_count(met__text_of(copy, size),
                                    MET__TEXT("apikey"), scratch, value_out);
    free(copy);
    return count;
}

static void rules(void **state)
{
    static const struct {
        const char *json;
        int count;
        const char *value;
    } rows[] = {
        {"{\"apikey\":\"kong\"}", 1, "kong"},
        {" { \"a\" : 1 , \"apikey\" : \"kong\" } \r\n", 1, "kong"},
        {"{\"api\\u006bey\":\"k\\u006fng\"}", 1, "kong"},
        {"{\"apikey\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", 1,
         "\"\\/\b\f\n\r\t"},
        {"{\"apikey\":\"\\u00e9\\u20ac\"}", 1, "\xc3\xa9\xe2\x82\xac"},
        {"{\"apikey\":\"\"}", 1, ""},
        {"{\"x\":{\"apikey\":\"kong\"},\"y\":[\"]\",{}]}", 0, NULL},
        {"{\"apikey\":[\"kong\",\"kong\"]}", 2, NULL},
        {"{\"apikey\":[]}", 2, NULL},
        {"{\"apikey\":{\"a\":1}}", 2, NULL},
        {"{\"apikey\":\"a\",\"apikey\":\"b\"}", 2, NULL},
        {"{\"apikey\":7}", 0, NULL},
        {"{\"apikey\":null,\"b\":true}", 0, NULL},
        {"{\"apikey[]\":\"kong\"}", 0, NULL},
        {"{\"Apikey\":\"kong\"}", 0, NULL},
        {"{}", 0, NULL},
        {"", 0, NULL},
        {"[\"apikey\",\"kong\"]", 0, NULL},
        {"\"apikey\"", 0, NULL},
        {"{\"apikey\":\"kong\"", 0, NULL},
        {"{\"apikey\":\"kong\"},", 0, NULL},
        {"{\"apikey\":\"kong\"}}", 0, NULL},
        {"{\"apikey\":\"kong\",}", 0, NULL},
        {"{\"apikey\":\"kong}", 0, NULL},
        {"{\"apikey\":\"ko\\xng\"}", 0, NULL},
        {"{\"apikey\":\"ko\\u12\"}", 0, NULL},
        {"{\"apikey\":\"\\ud83d\\ude00\"}", 0, NULL},
        {"{\"apikey\":\"a\nb\"}", 0, NULL},
        {"{\"apikey\":\"a\\", 0, NULL},
        {"{\"apikey\":", 0, NULL},
        {"{\"apikey\"", 0, NULL},
        {"{apikey:\"kong\"}", 0, NULL},
        {"{\"a\":[[[", 0, NULL},
        {"{\"a\":],\"apikey\":\"kong\"}", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__text value = {NULL, 0};
        int count = count_of(rows[i].json, &value);
        if (count != rows[i].count
            || (rows[i].value != NULL
                && !met__text_equal(value, met__text_z(rows[i].value)))) {
            fail_msg("%s: %d \"%.*s\"", rows[i].json, count, (int)value.size,
                     value.size > 0 ? value.data : "");
        }
    }
}

/* Too deep, and longer than any key: bounded. */
static void bounds(void **state)
{
    char json[4096] = "{\"a\":";
    met__text value;

    (void)state;
    memset(json + 5, '[', 1000);
    memset(json + 1005, ']', 1000);
    strcpy(json + 2005, ",\"apikey\":\"kong\"}");
    assert_int_equal(count_of(json, &value), 0);
    strcpy(json, "{\"apikey\":\"");
    memset(json + 11, 'x', 2000);
    strcpy(json + 2011, "\"}");
    assert_int_equal(count_of(json, &value), 1);
    assert_int_equal(value.size, MET_GATEWAY_KEY_SIZE_MAX + 1); /* no key */
    memset(json + 2, 'n', 500);
    strcpy(json + 502, "\":\"x\",\"apikey\":\"kong\"}");
    assert_int_equal(count_of(json, &value), 1);
    assert_true(met__text_equal(value, MET__TEXT("kong")));
}

/* Pieces in a row: whatever the strict reader takes gives the same here. */
static void as_the_reader(void **state)
{
    static const char *const pieces[] = {
        "{", "}", "[", "]", ",", ":", "\"apikey\"", "\"kong\"", "\"a\"", "1",
        " ", "null", "\"\\u0041\"", "{\"apikey\":\"x\"", "\\", "\""};
    met__platform platform = faulty_platform(NULL, NULL);
    uint32_t seed = 7;
    int whole = 0;
    int found = 0;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        char json[256] = "{\"apikey\"";
        met__arena arena;
        met__node *node = NULL;
        met__text value = {NULL, 0};
        seed = seed * 1664525u + 1013904223u;
        uint32_t length = (seed >> 24) % 6;
        strcat(json, (seed >> 20 & 7) != 0 ? ":\"kong\"" : ":");
        for (uint32_t i = 0; i < length; i++) {
            seed = seed * 1664525u + 1013904223u;
            strcat(json, pieces[(seed >> 16) % 16]);
        }
        strcat(json, (seed >> 8 & 3) != 0 ? "}" : "");
        met__arena_init(&arena, &platform);
        int count = count_of(json, &value);
        if (met__json_parse(&arena, met__text_z(json), &node, NULL) == MET_OK
            && node->kind == MET__NODE_OBJECT) {
            const met__node *member = met__node_get(node, "apikey");
            int wanted = member->kind == MET__NODE_TEXT ? 1
                         : member->kind == MET__NODE_OBJECT
                                 || member->kind == MET__NODE_ARRAY
                             ? 2
                             : 0;
            if (count != wanted
                || (count == 1
                    && !met__text_equal(value, member->as.text))) {
                fail_msg("%s: %d, not %d", json, count, wanted);
            }
            whole++;
            found += count == 1;
        }
        met__arena_release(&arena);
    }
    assert_true(whole > 2000 && found > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(bounds),
        cmocka_unit_test(as_the_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

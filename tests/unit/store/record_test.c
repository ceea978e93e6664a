/* Records: trees come back as they went; bytes that are no record of ours are
 * refused without asking for memory they do not have. */
#include "store_support.h"

#include "base/limits.h"

static char home[64];
static met_store *store;
static met__platform platform;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    store = must_open(temp_path(home, "s"), 1);
    platform = faulty_platform(NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static void test_record__round_trip(void **state)
{
    static const char *const texts[] = {
        "null", "true", "false", "0", "-1", "-32", "-33", "127", "128", "255",
        "256", "65535", "65536", "4294967295", "4294967296", "-128", "-129",
        "-32768", "-32769", "-2147483648", "-2147483649",
        "9223372036854775807", "-9223372036854775808", "1.5", "0.1", "-2.50",
        "\"\"", "\"a\"", "\"1234567890123456789012345678901\"",
        "\"12345678901234567890123456789012\"", "\"\\u20ac\"", "[]", "{}",
        "[1,[2,[3,[]]]]", "{\"b\":1,\"a\":{\"z\":[null,true,\"x\"]}}",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
        "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
    };
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        met__node *node = NULL;
        met__node *back = NULL;
        assert_int_equal(met__json_parse(&arena, met__text_z(texts[i]), &node,
                                         NULL),
                         MET_OK);
        assert_int_equal(met__record_put(txn, MET__TABLE_PLAN, "k", 1, node),
                         MET_OK);
        assert_int_equal(met__record_get(txn, MET__TABLE_PLAN, "k", 1, &arena,
                                         &back),
                         MET_OK);
        if (!met__node_equal(node, back)) {
            fail_msg("%s", texts[i]);
        }
    }
    met__node *none = NULL;
    assert_int_equal(met__record_get(txn, MET__TABLE_PLAN, "no", 2, &arena,
                                     &none),
                     MET_E_NOT_FOUND);
    assert_null(none);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* What was read may grow, as what was parsed. */
static void test_record__lists_grow(void **state)
{
    met__arena arena;
    met__txn *txn;
    met__node *node;
    met__buffer buffer;

    met__arena_init(&arena, &platform);
    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(
        met__json_parse(&arena,
                        MET__TEXT("{\"a\":[1,2,3],\"b\":{},\"c\":7}"), &node,
                        NULL),
        MET_OK);
    assert_int_equal(met__record_put(txn, MET__TABLE_PLAN, "k", 1, node),
                     MET_OK);
    assert_int_equal(met__record_get(txn, MET__TABLE_PLAN, "k", 1, &arena,
                                     &node),
                     MET_OK);
    met__node *list = node->as.members[0].node;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(met__node_append(&arena, list,
                                          met__node_integer(&arena, 9)),
                         MET_OK);
    }
    assert_int_equal(met__node_set(&arena, node, "d",
                                   met__node_integer(&arena, 8)),
                     MET_OK);
    assert_int_equal(met__node_set(&arena, node, "e",
                                   met__node_integer(&arena, 8)),
                     MET_OK);
    met__json_write(node, 0, &buffer);
    assert_string_equal(buffer.data, "{\"a\":[1,2,3,9,9,9,9,9,9],\"b\":{},"
                                     "\"c\":7,\"d\":8,\"e\":8}");
    met__buffer_release(&buffer);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* Numbers are stored: whoever changes the list at another place than its end
 * makes every store unreadable. */
static void test_record__names_are_numbers(void **state)
{
    static const struct {
        uint64_t number;
        const char *name;
    } rows[] = {{0, "id"},      {8, "amount"},  {40, "version"},
                {70, "open"},   {97, "minimum"}, {120, "tags"}};
    met__record_names names;
    met__arena arena;
    met__node *node;
    uint64_t number = 0;

    met__record_names_init(&names);
    for (; met__record_name(number).size > 0; number++) {
        assert_int_equal(met__record_name_number(&names,
                                                 met__record_name(number)),
                         number);
    }
    assert_int_equal(met__record_name(number).size, 0);
    assert_int_equal(met__record_name_number(&names, MET__TEXT("nam")), -1);
    assert_int_equal(met__record_name_number(&names, MET__TEXT("")), -1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(met__record_name(rows[i].number).data,
                            rows[i].name);
    }
    /* {"id": 1, "new": 2}, and as builds before the list wrote it */
    met__arena_init(&arena, &platform);
    static const char *const same[] = {"\x82\x00\x01\xa3new\x02",
                                       "\x82\xa2id\x01\xa3new\x02"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            met__record_unpack(&arena,
                               met__text_of(same[i], i == 0 ? 8 : 10), &node),
            MET_OK);
        assert_int_equal(met__node_get(node, "id")->as.integer, 1);
        assert_int_equal(met__node_get(node, "new")->as.integer, 2);
    }
    met__arena_release(&arena);
}

static void test_record__refuses_bytes_not_ours(void **state)
{
    static const struct {
        const char *reason;
        const char *bytes;
        size_t size;
    } rows[] = {
        {"nothing", "", 0},
        {"two values", "\x01\x02", 2},
        {"an array without its items", "\x92\x01", 2},
        {"an array of 4 G items", "\xdd\xff\xff\xff\xff", 5},
        {"a map of 4 G members", "\xdf\xff\xff\xff\xff", 5},
        {"a map of 2 G members", "\xdf\x80\x00\x00\x00", 5},
        {"a text of 4 GB", "\xdb\xff\xff\xff\xff", 5},
        {"half a length", "\xdb\xff\xff", 3},
        {"a text cut short", "\xa5" "abc", 4},
        {"an integer cut short", "\xcf\x01\x02", 3},
        {"a double", "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9},
        {"bytes", "\xc4\x01x", 3},
        {"an extension of another size", "\xd4\x01x", 3},
        {"an extension of another type",
         "\xd8\x02" "0123456789abcdef", 18},
        {"an extension cut short", "\xd8\x01" "0123456789", 12},
        {"a decimal that is infinite",
         "\xd8\x01\x78\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
         "\x00\x00", 18},
        {"the reserved tag", "\xc1", 1},
        {"a key that is no text", "\x81\xc3\x02", 3},
        {"a key whose number has no name", "\x81\x7f\x02", 3},
        {"an integer beyond 2^63", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9},
        {"21 levels",
         "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
         "\x91\x91\x91\x91\x91\x01", 22},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        faulty_memory memory = {0};
        met__platform counted = faulty_platform(&memory, NULL);
        met__arena arena;
        met__node *node = NULL;
        met__arena_init(&arena, &counted);
        /* An exact copy, so that a sanitizer sees reading beyond it. */
        char *exact = malloc(rows[i].size ? rows[i].size : 1);
        memcpy(exact, rows[i].bytes, rows[i].size);
        met_error error = met__record_unpack(
            &arena, met__text_of(exact, rows[i].size), &node);
        free(exact);
        if (error != MET_E_CORRUPT || node != NULL
            || memory.bytes > 65536) {
            fail_msg("%s: %s", rows[i].reason, met_error_name(error));
        }
        met__arena_release(&arena);
        assert_int_equal(memory.live, 0);
    }
}

/* Any bytes at all: an answer, and bounded. */
static void test_record__random_bytes(void **state)
{
    uint64_t state64 = 4711;

    for (int i = 0; i < 200000; i++) {
        unsigned char bytes[24];
        met__arena arena;
        met__node *node = NULL;
        for (size_t k = 0; k < sizeof bytes; k++) {
            state64 = state64 * 6364136223846793005u + 1442695040888963407u;
            bytes[k] = (unsigned char)(state64 >> 56);
        }
        met__arena_init(&arena, &platform);
        size_t size = bytes[23] % sizeof bytes;
        met_error error = met__record_unpack(
            &arena, met__text_of((char *)bytes, size), &node);
        assert_true(error == MET_OK || error == MET_E_CORRUPT);
        assert_true((error == MET_OK) == (node != NULL));
        met__arena_release(&arena);
    }
}

/* A tree deeper than a reader would take is not written. */
static void test_record__depth(void **state)
{
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    for (int depth = 1; depth <= 30; depth++) {
        met__node *node = met__node_integer(&arena, 1);
        for (int i = 0; i < depth; i++) {
            met__node *outer = met__node_array(&arena);
            assert_int_equal(met__node_append(&arena, outer, node), MET_OK);
            node = outer;
        }
        met__node *back = NULL;
        int is_fine = depth <= MET__DOCUMENT_DEPTH_MAX + 4;
        assert_int_equal(met__record_put(txn, MET__TABLE_PLAN, "k", 1, node),
                         is_fine ? MET_OK : MET_E_LIMIT);
        assert_int_equal(met__record_get(txn, MET__TABLE_PLAN, "k", 1, &arena,
                                         &back),
                         MET_OK);
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_record__round_trip),
        TEST(test_record__lists_grow),
        TEST(test_record__names_are_numbers),
        TEST(test_record__refuses_bytes_not_ours),
        TEST(test_record__random_bytes),
        TEST(test_record__depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

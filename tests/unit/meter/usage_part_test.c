/* Records of settled usage: the order of their keys is the order of the fields,
 * values are whole or refused. */
#include "usage_support.h"

static char home[64];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_part__key_order(void **state)
{
    const met__part_key keys[] = {
        {.minute = 1, .generation = UINT64_MAX, .epoch = 9, .cell = 9},
        {.minute = 256, .generation = 0, .epoch = 0, .cell = 0},
        {.minute = 256, .generation = 0, .epoch = 0, .cell = 256},
        {.minute = 256, .generation = 0, .epoch = 1, .cell = 0},
        {.minute = 256, .generation = UINT64_C(1) << 40, .epoch = 0},
        {.minute = UINT32_MAX, .generation = 0, .epoch = 0, .cell = 0},
    };
    size_t count = sizeof keys / sizeof *keys;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            unsigned char a[MET__PART_KEY_SIZE];
            unsigned char b[MET__PART_KEY_SIZE];
            met__part_key_put(&keys[i], a);
            met__part_key_put(&keys[k], b);
            int order = i < k ? -1 : i > k;
            assert_int_equal(sign(met__part_key_compare(&keys[i], &keys[k])),
                             order);
            assert_int_equal(sign(memcmp(a, b, sizeof a)), order);
        }
    }
}

static void test_part__round_trip(void **state)
{
    uint64_t words[MET__PART_WORDS_MAX] = {0};
    uint64_t found[MET__PART_WORDS_MAX];
    met__part_key key = {.minute = 5, .generation = 7, .epoch = 3, .cell = 2};
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__part_get(txn, &key, found), MET_E_NOT_FOUND);
    for (uint64_t quantities = 0; quantities <= MET__QUANTITIES_MAX;
         quantities++) {
        size_t size = MET__PART_QUANTITIES + quantities * MET__QUANTITY_WORDS;
        for (size_t i = 0; i < size; i++) {
            words[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        }
        words[MET__PART_PLAN] = UINT64_C(4) << 32 | quantities;
        assert_int_equal(met__part_put(txn, &key, words), MET_OK);
        memset(found, 0, sizeof found);
        assert_int_equal(met__part_get(txn, &key, found), MET_OK);
        assert_memory_equal(found, words, size * sizeof *words);
    }
    met__txn_abort(txn);
}

static void test_part__damaged(void **state)
{
    uint64_t words[MET__PART_WORDS_MAX + 1] = {0};
    uint64_t found[MET__PART_WORDS_MAX];
    size_t size = (MET__PART_QUANTITIES + MET__QUANTITY_WORDS) * 8;

    words[MET__PART_PLAN] = 1;
    for (size_t i = 0; i <= sizeof words; i++) {
        met__text value = {(const char *)words, i};
        assert_int_equal(met__part_read(value, found),
                         i == size ? MET_OK : MET_E_CORRUPT);
    }
    words[MET__PART_PLAN] = MET__QUANTITIES_MAX + 1;
    assert_int_equal(met__part_read((met__text){(const char *)words,
                                                sizeof words},
                                    found),
                     MET_E_CORRUPT);
    words[MET__PART_PLAN] = UINT32_MAX;
    assert_int_equal(met__part_read((met__text){(const char *)words,
                                                sizeof words},
                                    found),
                     MET_E_CORRUPT);
}

static void test_part__generations(void **state)
{
    met__generation_state wanted = {12, 1};
    met__generation_state found = {9, 9};
    unsigned char key[8];
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__generation_get(txn, 77, &found), MET_OK);
    assert_int_equal(found.settled_epoch, 0);
    assert_int_equal(found.is_retired, 0);
    assert_int_equal(met__generation_put(txn, 77, &wanted), MET_OK);
    assert_int_equal(met__generation_get(txn, 77, &found), MET_OK);
    assert_memory_equal(&found, &wanted, sizeof found);
    met__put_u64(key, 78);
    assert_int_equal(met__txn_put(txn, MET__TABLE_SETTLED, key, sizeof key,
                                  "short", 5),
                     MET_OK);
    assert_int_equal(met__generation_get(txn, 78, &found), MET_E_CORRUPT);
    met__txn_abort(txn);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part__key_order),
        TEST(test_part__round_trip),
        cmocka_unit_test(test_part__damaged),
        TEST(test_part__generations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

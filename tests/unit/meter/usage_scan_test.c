/* Usage of every grain as one sequence: order, ranges, going back and going on
 * behind what is gone. */
#include "usage_support.h"

#include "meter/usage_scan.h"

static char home[64];
static met_store *store;
static met__txn *txn;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    return 0;
}

static int teardown(void **state)
{
    met__txn_abort(txn);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static void put_part(uint32_t minute, uint32_t cell)
{
    uint64_t words[MET__PART_WORDS_MAX] = {[MET__PART_SHAPE] = 1};
    met__part_key key = {.minute = minute,
                         .generation = UINT64_MAX - cell,
                         .epoch = cell + 1,
                         .cell = cell};

    assert_int_equal(met__part_put(txn, &key, words), MET_OK);
}

static void put_cell(uint32_t minute, uint32_t minutes)
{
    uint64_t words[MET__CELL_WORDS_MAX] = {[MET__PART_SHAPE] = 1};

    assert_int_equal(met__cell_put(txn, minute, minutes, words), MET_OK);
}

/* "minute/minutes" of all that comes. */
static const char *rest_of(met__usage_scan *scan)
{
    static char text[512];
    const met__usage_item *item;
    size_t size = 0;
    met_error error;

    text[0] = '\0';
    while ((error = met__usage_scan_next(scan, &item)) == MET_OK) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%u/%u ",
                                 item->key.minute, item->minutes);
    }
    assert_int_equal(error, MET_E_NOT_FOUND);
    return text;
}

static void test_scan__order(void **state)
{
    met__usage_scan scan = {.given = -1};

    put_cell(0, 1440);
    put_cell(1440, 1440);
    put_cell(1440, 60);
    put_cell(1500, 60);
    put_part(1439, 1);
    put_part(1501, 2);
    put_part(1501, 3);
    put_part(3000, 4);
    put_cell(2880, 1440);
    assert_int_equal(met__usage_scan_begin(txn, 1441, 3000, &scan), MET_OK);
    assert_string_equal(rest_of(&scan),
                        "1440/60 1440/1440 1500/60 1501/1 1501/1 2880/1440 ");
    assert_int_equal(met__usage_scan_seek(&scan, 1502), MET_OK);
    assert_string_equal(rest_of(&scan), "1440/1440 1500/60 2880/1440 ");
    met__usage_scan_end(&scan);
    assert_int_equal(met__usage_scan_begin(txn, 0, 1440, &scan), MET_OK);
    assert_string_equal(rest_of(&scan), "0/1440 1439/1 ");
    met__usage_scan_end(&scan);
    assert_int_equal(met__txn_put(txn, MET__TABLE_PART, "\0\0\0\6", 4, "", 0),
                     MET_OK);
    assert_int_equal(met__usage_scan_begin(txn, 6, 7, &scan), MET_E_CORRUPT);
    met__usage_scan_end(&scan);
}

static void test_scan__behind_what_is_gone(void **state)
{
    met__grain_scan scan = {0};
    met__usage_item item;
    unsigned char key[MET__PART_KEY_SIZE];

    for (uint32_t i = 0; i < 4; i++) {
        put_part(5, 9 - i); /* keys in the order of i */
    }
    assert_int_equal(met__grain_scan_begin(txn, 1, 0, 6, &scan), MET_OK);
    assert_int_equal(met__grain_scan_next(&scan, &item), MET_OK);
    assert_int_equal(met__grain_scan_next(&scan, &item), MET_OK);
    assert_int_equal(item.key.cell, 8);
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        met__usage_item next;
        assert_int_equal(met__grain_scan_behind(&scan, &item), MET_OK);
        assert_int_equal(met__grain_scan_next(&scan, &next), MET_OK);
        assert_int_equal(next.key.cell, 7);
        if (!is_gone) {
            size_t size = met__usage_item_key(&item, key);
            assert_int_equal(met__txn_remove(txn, MET__TABLE_PART, key, size),
                             MET_OK);
        }
    }
    met__grain_scan_end(&scan);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_scan__order),
        TEST(test_scan__behind_what_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
    assert_int_equal(met__usage_scan_begin(txn, 1441, 3000, NULL, &scan),
                     MET_OK);
    assert_string_equal(rest_of(&scan),
                        "1440/60 1440/1440 1500/60 1501/1 1501/1 2880/1440 ");
    assert_int_equal(met__usage_scan_seek(&scan, 1502), MET_OK);
    assert_string_equal(rest_of(&scan), "1440/1440 1500/60 2880/1440 ");
    met__usage_scan_end(&scan);
    assert_int_equal(met__usage_scan_begin(txn, 0, 1440, NULL, &scan), MET_OK);
    assert_string_equal(rest_of(&scan), "0/1440 1439/1 ");
    met__usage_scan_end(&scan);
    assert_int_equal(met__txn_put(txn, MET__TABLE_PART, "\0\0\0\6", 4, "", 0),
                     MET_OK);
    assert_int_equal(met__usage_scan_begin(txn, 6, 7, NULL, &scan),
                     MET_E_CORRUPT);
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
    assert_int_equal(met__grain_scan_begin(txn, 1, 0, 6, NULL, &scan), MET_OK);
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

/* --- Only some shapes ----------------------------------------------------- */
#define HOURS 30
#define SHAPES 400

static uint64_t random_state = 20260302;

static uint64_t next_random(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1;
    return (random_state >> 33) % below;
}

static void put_shape(uint32_t minute, uint32_t minutes, uint64_t shape)
{
    uint64_t words[MET__CELL_WORDS_MAX] = {[MET__PART_SHAPE] = shape};

    if (minutes > 1) {
        assert_int_equal(met__cell_put(txn, minute, minutes, words), MET_OK);
    } else {
        met__part_key key = {.minute = minute,
                             .generation = 1,
                             .epoch = (uint32_t)next_random(1u << 31),
                             .cell = (uint32_t)shape};
        assert_int_equal(met__part_put(txn, &key, words), MET_OK);
    }
}

/* Hours in which nearly all shapes have usage, and hours of few. */
static void put_hours(void)
{
    for (uint32_t hour = 0; hour < HOURS; hour++) {
        uint64_t one_in = hour % 3 == 0 ? 1 : 1 + next_random(60);
        for (uint64_t shape = 1; shape <= SHAPES; shape++) {
            if (next_random(one_in) == 0) {
                put_shape(hour * 60, 60, shape);
                put_shape(hour * 60 + (uint32_t)next_random(60), 1, shape);
            }
        }
    }
}

static int is_in(const met__shape_set *set, uint64_t number)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->numbers[i] == number) {
            return 1;
        }
    }
    return number > set->known;
}

/* The next item of a scan of everything that is wanted. */
static const met__usage_item *next_wanted(met__usage_scan *scan,
                                          const met__shape_set *set)
{
    const met__usage_item *item;
    met_error error;

    while ((error = met__usage_scan_next(scan, &item)) == MET_OK) {
        if (is_in(set, item->words[MET__PART_SHAPE])) {
            return item;
        }
    }
    assert_int_equal(error, MET_E_NOT_FOUND);
    return NULL;
}

static void compare_scans(const met__shape_set *set, int64_t from, int64_t to)
{
    static met__usage_scan some;
    static met__usage_scan every;
    const met__usage_item *item;
    const met__usage_item *wanted;
    met_error error;

    assert_int_equal(met__usage_scan_begin(txn, from, to, set, &some),
                     MET_OK);
    assert_int_equal(met__usage_scan_begin(txn, from, to, NULL, &every),
                     MET_OK);
    for (int turn = 0; turn < 2; turn++) { /* the second time after a seek */
        do {
            error = met__usage_scan_next(&some, &item);
            wanted = next_wanted(&every, set);
            assert_int_equal(error, wanted != NULL ? MET_OK
                                                   : MET_E_NOT_FOUND);
            if (wanted != NULL) {
                assert_int_equal(item->minutes, wanted->minutes);
                assert_int_equal(item->key.minute, wanted->key.minute);
                assert_int_equal(item->key.epoch, wanted->key.epoch);
                assert_int_equal(item->words[MET__PART_SHAPE],
                                 wanted->words[MET__PART_SHAPE]);
            }
        } while (wanted != NULL);
        assert_int_equal(met__usage_scan_seek(&some, from + 100), MET_OK);
        assert_int_equal(met__usage_scan_seek(&every, from + 100), MET_OK);
    }
    met__usage_scan_end(&some);
    met__usage_scan_end(&every);
}

static void test_scan__only_some_shapes(void **state)
{
    uint64_t numbers[SHAPES];

    put_hours();
    for (int i = 0; i < 300; i++) {
        uint64_t one_in = 1 + next_random(next_random(2) ? 4 : SHAPES);
        int64_t from = (int64_t)next_random(HOURS * 60);
        met__shape_set set = {.numbers = numbers,
                              .known = next_random(SHAPES + 100)};
        set.has_later = set.known < SHAPES || next_random(2);
        for (uint64_t shape = 1; shape <= SHAPES && shape <= set.known;
             shape++) {
            if (next_random(one_in) == 0) {
                numbers[set.count++] = shape;
            }
        }
        compare_scans(&set, from,
                      from + 1 + (int64_t)next_random(HOURS * 60));
    }
}

/* However many there are beside it. */
static void test_scan__looks_at_few(void **state)
{
    static met__usage_scan scan;
    const uint64_t wanted[] = {2, SHAPES / 2, SHAPES - 1};
    const met__usage_item *item;

    for (uint32_t hour = 0; hour < HOURS; hour++) {
        for (uint64_t shape = 1; shape <= SHAPES; shape++) {
            put_shape(hour * 60, 60, shape);
        }
    }
    for (uint64_t count = 0; count <= 3; count++) {
        met__shape_set set = {.numbers = wanted,
                              .count = count,
                              .known = SHAPES};
        uint64_t found = 0;
        assert_int_equal(met__usage_scan_begin(txn, 0, HOURS * 60, &set,
                                               &scan),
                         MET_OK);
        while (met__usage_scan_next(&scan, &item) == MET_OK) {
            found++;
        }
        assert_int_equal(found, HOURS * count);
        assert_in_range(met__usage_scan_looked_at(&scan), found, 4 * found);
        met__usage_scan_end(&scan);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_scan__order),
        TEST(test_scan__behind_what_is_gone),
        TEST(test_scan__only_some_shapes),
        TEST(test_scan__looks_at_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

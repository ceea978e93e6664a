/* Cells of hours and days: what is refused, spans, and joins that change
 * nothing. aggregate_test.c has what cells come to. */
#include "usage_support.h"

#include "meter/usage_cell.h"
#include "meter/usage_match.h"

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

/* Of one quantity, which `count` events had. */
static met__usage_item part(uint32_t minute, uint64_t count, met__wide sum)
{
    met__usage_item made = {.key = {.minute = minute, .generation = 7},
                            .minutes = 1};
    uint64_t *quantity = made.words + MET__PART_QUANTITIES;

    made.words[MET__PART_SEQUENCE] = 12;
    made.words[MET__PART_SHAPE] = 3;
    made.words[MET__PART_COUNT] = 1;
    made.words[MET__PART_PLAN] = UINT64_C(9) << 32 | 1;
    quantity[MET__QUANTITY_COUNT] = count;
    met__amount_set(quantity + MET__QUANTITY_SUM, sum);
    return made;
}

static void assert_span(const met__usage_item *item, uint32_t quantity,
                        int64_t first, int64_t last)
{
    int64_t at = -1;
    int64_t end = -1;
    int has = met__usage_item_span(item, quantity, &at, &end);

    assert_int_equal(has, last >= first);
    if (has) {
        assert_int_equal(at, first);
        assert_int_equal(end, last);
    }
}

static void test_cell__spans(void **state)
{
    met__usage_item cell = {.minutes = MET__HOUR_MINUTES};
    met__usage_item one = part(0, 0, 0);
    uint64_t more[MET__CELL_WORDS_MAX];

    assert_span(&one, MET__MATCH_COUNTS, 0, 0);
    assert_span(&one, 0, 1, 0);
    met__cell_of(&one, cell.words);
    assert_span(&cell, MET__MATCH_COUNTS, 0, 0);
    assert_span(&cell, 0, 1, 0);
    one = part(59, 1, 5);
    assert_span(&one, 0, 59, 59);
    met__cell_of(&one, more);
    assert_int_equal(met__cell_join(cell.words, more), 1);
    assert_span(&cell, MET__MATCH_COUNTS, 0, 59);
    assert_span(&cell, 0, 59, 59);
    one = part(7, 1, 5);
    met__cell_of(&one, more);
    assert_int_equal(met__cell_join(cell.words, more), 1);
    assert_span(&cell, 0, 7, 59);
    /* What was taken back is not as if it had never been. */
    one = part(8, UINT64_MAX - 1, -10);
    met__cell_of(&one, more);
    assert_int_equal(met__cell_join(cell.words, more), 1);
    assert_int_equal(cell.words[MET__PART_QUANTITIES + MET__QUANTITY_COUNT],
                     0);
    assert_span(&cell, 0, 7, 59);
}

static void test_cell__join_refuses(void **state)
{
    met__wide large = met__amount_power(33) * 9;
    met__usage_item one = part(1, 1, large);
    uint64_t words[MET__CELL_WORDS_MAX];
    uint64_t before[MET__CELL_WORDS_MAX];
    uint64_t more[MET__CELL_WORDS_MAX];

    met__cell_of(&one, words);
    met__cell_of(&one, before);
    met__cell_of(&one, more);
    assert_int_equal(met__cell_join(words, more), 0);
    assert_memory_equal(words, before, met__cell_size(1) * 8);
    one = part(1, 1, 1);
    one.words[MET__PART_SHAPE] = 4;
    met__cell_of(&one, more);
    assert_int_equal(met__cell_join(words, more), 0);
    one = part(1, 1, 1);
    one.words[MET__PART_PLAN] = 0;
    met__cell_of(&one, more);
    assert_int_equal(met__cell_join(words, more), 0);
    assert_memory_equal(words, before, met__cell_size(1) * 8);
}

static void test_cell__round_trip(void **state)
{
    uint64_t words[MET__CELL_WORDS_MAX];
    uint64_t found[MET__CELL_WORDS_MAX];
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    for (uint64_t quantities = 0; quantities <= MET__QUANTITIES_MAX;
         quantities++) {
        size_t size = met__cell_size(quantities);
        for (size_t i = 0; i < size; i++) {
            words[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        }
        words[MET__PART_PLAN] = quantities;
        words[MET__PART_SHAPE] = quantities + 1;
        for (uint32_t minutes = 60; minutes <= 1440; minutes *= 24) {
            assert_int_equal(met__cell_get(txn, 1440, minutes, quantities + 1,
                                           found),
                             MET_E_NOT_FOUND);
            assert_int_equal(met__cell_put(txn, 1440, minutes, words), MET_OK);
            assert_int_equal(met__cell_get(txn, 1440, minutes, quantities + 1,
                                           found),
                             MET_OK);
            assert_memory_equal(found, words, size * sizeof *words);
        }
    }
    met__txn_abort(txn);
}

static void test_cell__damaged(void **state)
{
    uint64_t words[MET__CELL_WORDS_MAX] = {0};
    unsigned char key[MET__CELL_KEY_SIZE + 1] = {0};
    met__usage_item item;
    size_t size = met__cell_size(1) * sizeof *words;

    key[11] = 3;
    words[MET__PART_SHAPE] = 3;
    words[MET__PART_PLAN] = 1;
    for (size_t i = 0; i <= sizeof words; i++) {
        assert_int_equal(
            met__usage_item_read(met__text_of((const char *)key, 12),
                                 met__text_of((const char *)words, i), 60,
                                 &item),
            i == size ? MET_OK : MET_E_CORRUPT);
    }
    for (size_t i = 0; i <= sizeof key; i++) {
        assert_int_equal(
            met__usage_item_read(met__text_of((const char *)key, i),
                                 met__text_of((const char *)words, size), 1440,
                                 &item),
            i == 12 ? MET_OK : MET_E_CORRUPT);
    }
    words[MET__PART_SHAPE] = 4; /* not what its key says */
    assert_int_equal(
        met__usage_item_read(met__text_of((const char *)key, 12),
                             met__text_of((const char *)words, size), 60,
                             &item),
        MET_E_CORRUPT);
    words[MET__PART_PLAN] = MET__QUANTITIES_MAX + 1;
    assert_int_equal(
        met__usage_item_read(met__text_of((const char *)key, 12),
                             met__text_of((const char *)words, sizeof words),
                             60, &item),
        MET_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cell__spans),
        cmocka_unit_test(test_cell__join_refuses),
        cmocka_unit_test_setup_teardown(test_cell__round_trip, setup,
                                        teardown),
        cmocka_unit_test(test_cell__damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

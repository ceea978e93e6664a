/* Slot files and the plan's word: geometry, locks, growth, lists, and what is
 * told of plans. */
#include "usage_support.h"

#include <unistd.h>

#include "meter/plan_signal.h"
#include "meter/slot_file.h"

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

static void test_slot__geometry(void **state)
{
    for (uint32_t i = 0; i < MET__CELL_CLASSES; i++) {
        uint64_t end = met__cell_class_head(i)
                       + met__cell_class_count(i) * 2
                             * met__cell_class_words(i) * UINT64_C(8);
        assert_true(end <= MET__SEGMENT_SIZE);
        assert_in_range(met__cell_class_count(i), 1, MET__SEGMENT_ITEMS_MAX);
        assert_int_equal(met__cell_class_words(i),
                         MET__COPY_QUANTITIES + 1
                             + met__cell_class_room(i) * MET__QUANTITY_WORDS);
    }
    assert_int_equal(met__cell_class_room(MET__CELL_CLASSES - 1),
                     MET__QUANTITIES_MAX);
    for (uint32_t i = 0; i < MET__SHAPE_CLASSES; i++) {
        assert_int_equal(met__shape_class_count(i) * met__shape_class_size(i),
                         MET__SEGMENT_SIZE);
    }
    assert_int_equal(met__shape_class_size(MET__SHAPE_CLASSES - 1),
                     MET__SHAPE_SIZE_MAX);
}

static void test_slot__lock_and_growth(void **state)
{
    static const uint32_t kinds[] = {MET__SEGMENT_CELLS << 8 | 1,
                                     MET__SEGMENT_SHAPES << 8};
    met__slot owner = {0};
    met__slot other = {0};
    uint64_t copy[MET__COPY_WORDS_MAX];
    int is_locked = 0;

    assert_int_equal(met__slot_open(store, 3, 0, &owner, NULL),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__slot_open(store, 3, 1, &owner, NULL), MET_OK);
    assert_int_equal(met__slot_open(store, 3, 0, &other, NULL), MET_OK);
    assert_int_equal(met__slot_grow(&owner, kinds, 2), MET_E_BUG);
    assert_int_equal(met__slot_try_lock(&owner, &is_locked), MET_OK);
    assert_true(is_locked);
    assert_int_equal(met__slot_try_lock(&other, &is_locked), MET_OK);
    assert_false(is_locked);
    assert_int_equal(met__slot_grow(&owner, kinds, 2), MET_OK);
    assert_int_equal(met__slot_segment_kind(&owner, 0), kinds[0]);
    assert_int_equal(met__slot_segment_kind(&owner, 1), kinds[1]);
    assert_int_equal(met__slot_segment_kind(&owner, 2), 0);
    assert_int_equal(met__slot_segment_kind(&owner, UINT32_MAX - 1), 0);
    /* The other map is older: nothing beyond its end is touched. */
    assert_int_equal(met__slot_segment_kind(&other, 0), 0);
    assert_int_equal(met__slot_reach(&other, 2), MET_OK);
    assert_int_equal(met__slot_segment_kind(&other, 1), kinds[1]);
    assert_int_equal(met__slot_reach(&other, 3), MET_E_CORRUPT);
    assert_int_equal(met__slot_reach(&other, UINT64_MAX), MET_E_CORRUPT);
    assert_int_equal(met__slot_read_cell(&other, 0, 1, 0, copy),
                     MET__CELL_EMPTY);
    /* A word of the directory that nobody knows. */
    met__store_relaxed(met__slot_directory(&owner), UINT64_MAX);
    assert_int_equal(met__slot_segment_kind(&other, 0), 0);
    met__store_relaxed(met__slot_directory(&owner),
                       MET__SEGMENT_CELLS << 8 | MET__CELL_CLASSES);
    assert_int_equal(met__slot_segment_kind(&other, 0), 0);
    met__slot_close(&owner);
    assert_int_equal(met__slot_try_lock(&other, &is_locked), MET_OK);
    assert_true(is_locked);
    met__slot_close(&other);
    met__slot_close(&other); /* is not open: fine */
}

static void test_slot__list(void **state)
{
    static const char *const names[] = {"0007.map", "0001.map", "001.map",
                                        "00x1.map", "0002.map.0123", "note"};
    met__arena arena;
    uint32_t *numbers = NULL;
    size_t count = 9;

    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__slots_list(store, &arena, &numbers, &count), MET_OK);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[32];
        snprintf(path, sizeof path, "s/tally/%s", names[i]);
        FILE *file = fopen(temp_path(home, path), "w");
        assert_non_null(file);
        fclose(file);
    }
    assert_int_equal(met__slots_list(store, &arena, &numbers, &count), MET_OK);
    assert_int_equal(count, 2);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 7);
    met__arena_release(&arena);
}

static void test_slot__plans(void **state)
{
    int published = 0;
    int may_hold = 1;

    assert_int_equal(met__slots_have_published(store, 1, &published), MET_OK);
    assert_true(published); /* there is nobody */
    assert_int_equal(met__slots_may_hold(store, 1, &may_hold), MET_OK);
    assert_false(may_hold);
    must_meter(store, COUNT_METER("k", "t", ""));
    met_recorder *recorder = must_recorder(store, 8);
    assert_int_equal(met__slots_have_published(store, 1, &published), MET_OK);
    assert_true(published);
    assert_int_equal(met__slots_have_published(store, 2, &published), MET_OK);
    assert_false(published);
    assert_int_equal(met__slots_may_hold(store, 1, &may_hold), MET_OK);
    assert_true(may_hold);
    assert_int_equal(met__slots_may_hold(store, 2, &may_hold), MET_OK);
    assert_false(may_hold);
    must_add(recorder, "t", "s", NULL);
    met__recorder_close(recorder);
    /* Dead: it will never take another plan, but its usage is still there. */
    assert_int_equal(met__slots_have_published(store, 2, &published), MET_OK);
    assert_true(published);
    assert_int_equal(met__slots_may_hold(store, 1, &may_hold), MET_OK);
    assert_true(may_hold);
    must_settle(store);
    assert_int_equal(met__slots_may_hold(store, 1, &may_hold), MET_OK);
    assert_false(may_hold);
}

/* --- The plan's word ------------------------------------------------------ */
static void test_signal__only_rises(void **state)
{
    met__plan_signal signal = {0};
    met__plan_signal other = {0};

    assert_int_equal(met__plan_signal_open(store, &signal, NULL), MET_OK);
    assert_int_equal(met__plan_signal_open(store, &other, NULL), MET_OK);
    const met__atomic_u64 *word = met__plan_signal_word(&other);
    assert_int_equal(met__load_relaxed(word), 0);
    must_meter(store, COUNT_METER("k", "t", ""));
    assert_int_equal(met__plan_signal_raise(store, &signal), MET_OK);
    assert_int_equal(met__load_relaxed(word), 1);
    met__store_relaxed((met__atomic_u64 *)met__plan_signal_word(&signal), 5);
    assert_int_equal(met__plan_announce(store), MET_OK);
    assert_int_equal(met__load_relaxed(word), 5);
    met__plan_signal_close(&signal);
    met__plan_signal_close(&signal);
    met__plan_signal_close(&other);
}

static void test_signal__damaged(void **state)
{
    met_recorder *recorder = NULL;
    FILE *file = fopen(temp_path(home, "s/tally/plan.map"), "w");

    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        fputs("not a file of ours", file);
    }
    fclose(file);
    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met__recorder_open(store, 0, &recorder, &last_info),
                     MET_E_FOREIGN);
    assert_non_null(strstr(last_info.field, "plan.map"));
    /* One that was cut short is made anew. */
    assert_int_equal(truncate(temp_path(home, "s/tally/plan.map"), 100), 0);
    met__recorder_close(must_recorder(store, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot__geometry),
        TEST(test_slot__lock_and_growth),
        TEST(test_slot__list),
        TEST(test_slot__plans),
        TEST(test_signal__only_rises),
        TEST(test_signal__damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

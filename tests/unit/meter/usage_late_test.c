/* Marks of late usage: of the days that are watched and of no others, with the
 * number of the moment before them; until somebody forgets them. */
#include "compaction_support.h"

#include "meter/usage_late.h"

static met__txn *txn;
static met__arena arena;
static met__usage_mark *marks;
static size_t count;

static void begin(void)
{
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met__arena_init(&arena, met__store_platform(store));
}

static void end(void)
{
    met__arena_release(&arena);
    assert_int_equal(met__txn_commit(txn), MET_OK);
}

static void find(const char *subject)
{
    met__text text = met__text_z(subject);

    assert_int_equal(
        met__usage_marks(txn, &text, 1, &arena, &marks, &count), MET_OK);
}

static void settle_all(void)
{
    test_now_ns += MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    (void)must_settle(store);
}

static uint64_t watch(int64_t until_ns)
{
    uint64_t number = 0;

    begin();
    assert_int_equal(met__usage_watch(txn, until_ns), MET_OK);
    assert_int_equal(met__usage_moment(txn, &number), MET_OK);
    end();
    return number;
}

static void nothing_is_watched_before_it_is_said(void **state)
{
    (void)state;
    add("a", "1", NULL, NULL, 0, 0);
    settle_all();
    begin();
    find("a");
    assert_int_equal(count, 0);
    end();
}

static void what_is_watched_is_marked(void **state)
{
    int64_t minute_ns = START_NS - START_NS % MET__MINUTE_NS;
    uint64_t first = watch(minute_ns + 1); /* its minute, too */

    (void)state;
    add("a", "1", NULL, NULL, 0, 0);
    settle_all();
    add("b", "1", NULL, NULL, 60, 0); /* a minute later */
    settle_all();
    begin();
    find("b");
    assert_int_equal(count, 0);
    find("a");
    assert_int_equal(count, 1);
    assert_true(marks[0].number >= first);
    assert_true(marks[0].period.from_ns <= minute_ns
                && minute_ns < marks[0].period.to_ns);
    assert_int_equal(marks[0].period.to_ns - marks[0].period.from_ns,
                     MET__DAY_NS);
    end();
    /* A moment behind a mark knows of it; watching less changes nothing. */
    uint64_t second = watch(minute_ns - MET__DAY_NS);
    begin();
    find("a");
    assert_true(marks[0].number < second);
    end();
    add("a", "1", NULL, NULL, 0, 0);
    settle_all();
    begin();
    find("a");
    assert_int_equal(count, 1);
    assert_true(marks[0].number >= second);
    end();
}

static void marks_are_forgotten_by_number(void **state)
{
    met__text texts[2] = {MET__TEXT("a"), MET__TEXT("b")};
    uint64_t number = 0;

    (void)state;
    begin();
    assert_int_equal(met__usage_late_all(txn, texts[0]), MET_OK);
    assert_int_equal(met__usage_moment(txn, &number), MET_OK);
    assert_int_equal(met__usage_late_all(txn, texts[1]), MET_OK);
    assert_int_equal(met__usage_marks_forget(txn, texts, 2, number), MET_OK);
    find("a");
    assert_int_equal(count, 0);
    find("b");
    assert_int_equal(count, 1);
    assert_int_equal(marks[0].period.from_ns, 0);
    assert_int_equal(marks[0].period.to_ns, MET__TIME_MAX);
    assert_int_equal(marks[0].number, number);
    assert_int_equal(
        met__usage_marks_forget(txn, texts, 2, number + 1), MET_OK);
    find("b");
    assert_int_equal(count, 0);
    end();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_watched_before_it_is_said),
        TEST(what_is_watched_is_marked),
        TEST(marks_are_forgotten_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

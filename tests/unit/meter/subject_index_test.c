/* The index from subjects to shapes: in steps of any size, beside shapes that
 * are not in it yet, for queries of one subject among many. */
#include "compaction_support.h"

#include <metering/decimal.h>

#include "meter/subject_index.h"

static met__txn *txn;
static met__arena arena;
static met__shape_set set;
static int is_known;

static void begin(int is_write)
{
    assert_int_equal(met__txn_begin(store, is_write, &txn), MET_OK);
    met__arena_init(&arena, met__store_platform(store));
}

static void end(void)
{
    met__arena_release(&arena);
    assert_int_equal(met__txn_commit(txn), MET_OK);
}

static int extend(size_t step)
{
    int is_done = -1;

    begin(1);
    assert_int_equal(met__subject_index_extend(txn, step, &is_done), MET_OK);
    end();
    return is_done;
}

static void find(const char *subject, size_t shapes_max)
{
    met__text text = met__text_z(subject);

    set = (met__shape_set){0};
    assert_int_equal(met__subject_index_find(txn, &text, 1, shapes_max, &arena,
                                             &set, &is_known),
                     MET_OK);
}

static void settle_all(void)
{
    test_now_ns += MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    (void)must_settle(store);
}

/* Every number that is found has the subject. */
static void check(const char *subject, size_t count)
{
    static met__usage_shape shape;

    find(subject, 100);
    assert_true(is_known);
    assert_int_equal(set.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || set.numbers[i - 1] < set.numbers[i]);
        assert_int_equal(met__usage_shape_get(txn, set.numbers[i], &shape),
                         MET_OK);
        assert_true(met__text_equal(shape.subject, met__text_z(subject)));
    }
}

static void test_index__in_steps(void **state)
{
    begin(0);
    find("a", 100);
    assert_false(is_known);
    end();
    for (int i = 0; i < 12; i++) {
        char value[8];
        snprintf(value, sizeof value, "%d", i);
        add("a", value, NULL, NULL, 0, 0);
        add(i % 2 ? "b" : "c", value, NULL, NULL, 0, 0);
    }
    settle_all();
    for (size_t done = 0; done <= 24; done += 5) {
        begin(0);
        find("a", 100);
        assert_int_equal(is_known, done > 0);
        assert_true(done == 0 || set.has_later);
        end();
        assert_int_equal(extend(5), done == 20);
    }
    assert_int_equal(extend(5), 1);
    begin(0);
    check("a", 12);
    check("b", 6);
    check("nobody", 0);
    assert_false(set.has_later);
    assert_int_equal(set.known, 24);
    find("a", 11);
    assert_false(is_known);
    end();
    assert_int_equal(records_of(store, MET__TABLE_SHAPE_OF), 24);
}

static int is_unused(const char *subject)
{
    met__text text[2] = {MET__TEXT("nobody"), met__text_z(subject)};
    int is_empty = -1;

    begin(0);
    assert_int_equal(met__subject_index_is_empty(txn, text, 2, &is_empty),
                     MET_OK);
    end();
    return is_empty;
}

/* Shapes that are not in the index yet may be anybody's. */
static void test_index__of_those_who_used_nothing(void **state)
{
    assert_int_equal(is_unused("a"), 1);
    add("a", "1", NULL, NULL, 0, 0);
    add("b", "1", NULL, NULL, 0, 0);
    settle_all();
    assert_int_equal(is_unused("a"), 0);
    assert_int_equal(is_unused("c"), 0);
    assert_int_equal(extend(1), 0);
    assert_int_equal(is_unused("c"), 0);
    assert_int_equal(extend(5), 1);
    assert_int_equal(is_unused("a"), 0);
    assert_int_equal(is_unused("b"), 0);
    assert_int_equal(is_unused("c"), 1);
}

static void test_index__damage(void **state)
{
    int is_done = 0;

    add("a", NULL, NULL, NULL, 0, 0);
    settle_all();
    assert_int_equal(extend(5), 1);
    begin(1);
    assert_int_equal(met__txn_put(txn, MET__TABLE_META, "shapes_indexed", 14,
                                  "1234", 4),
                     MET_OK);
    assert_int_equal(met__subject_index_extend(txn, 1, &is_done),
                     MET_E_CORRUPT);
    assert_int_equal(met__subject_index_is_empty(txn, NULL, 0, &is_done),
                     MET_E_CORRUPT);
    met__txn_abort(txn);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__txn_put(txn, MET__TABLE_SHAPE, "\xff\0\0", 3, "", 0),
                     MET_OK);
    assert_int_equal(met__subject_index_extend(txn, 1, &is_done),
                     MET_E_CORRUPT);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* --- Queries -------------------------------------------------------------- */
static uint64_t looked_at;

/* What one subject comes to, by day. */
static const char *ask_one(const char *subject, int by_customer)
{
    met__text text = met__text_z(subject);
    met__usage_customer customer = {MET__TEXT("id"), MET__TEXT("key"), 1,
                                    &text};
    met__usage_query query = all();
    met__meter *meter = NULL;
    met__usage_cursor *cursor = NULL;
    met__usage_row row;
    size_t size = 0;

    begin(0);
    assert_int_equal(met__meter_get(txn, MET__TEXT("s"), &arena, &meter),
                     MET_OK);
    query.meter = meter;
    query.window = MET__WINDOW_DAY;
    query.subjects = &text;
    query.subject_count = !by_customer;
    query.customers = &customer;
    query.customer_count = (size_t)by_customer;
    assert_int_equal(met__usage_open(txn, &query, MET__USAGE_GROUPS_MAX,
                                     &cursor, NULL),
                     MET_OK);
    answer[0] = '\0';
    while (met__usage_next(cursor, &row, NULL) == MET_OK) {
        size_t length = 0;
        assert_int_equal(met_decimal_format(&row.value, answer + size,
                                            &length),
                         MET_OK);
        size += length;
        answer[size++] = ' ';
        answer[size] = '\0';
    }
    looked_at = met__usage_looked_at(cursor);
    met__usage_close(cursor);
    end();
    return answer;
}

static void add_days(int subjects_from, int subjects_to, int days)
{
    char subject[16];

    for (int i = subjects_from; i < subjects_to; i++) {
        snprintf(subject, sizeof subject, "s%d", i);
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        for (int day = 0; day < days; day++) {
            add(subject, NULL, NULL, day % 2 ? "1" : "2", day * 86400 + i, 0);
            add(subject, "eu", NULL, "0.5", day * 86400 + 80000, 0);
        }
    }
    settle_all();
}

/* A query of one subject reads what is its own, and no more beside three
 * times as many others. */
static void test_index__others_do_not_matter(void **state)
{
    for (int turn = 0; turn < 2; turn++) {
        must_keep(store, "P1D", turn == 0 ? "P400D" : "P1D");
        add_days(turn * 300, turn == 0 ? 300 : 900, 6);
        (void)must_compact(store, START_NS + 20 * MET__DAY_NS, 50);
        for (int by_customer = 0; by_customer < 2; by_customer++) {
            assert_string_equal(ask_one("s7", by_customer),
                                "2.5 1.5 2.5 1.5 2.5 1.5 ");
            /* Up to 18 steps lead from one of its shapes to the other. */
            assert_in_range(looked_at, 12, 12 * 24); /* of 3,600; 10,800 */
        }
        assert_string_equal(ask_one("nobody", 0), "");
        assert_int_equal(looked_at, 0);
    }
    assert_int_equal(records_of(store, MET__TABLE_DAY), 900 * 2 * 6);
}

/* Shapes that came after the index, in parts and (folded by somebody who does
 * not know of it) in hours. */
static void test_index__later_shapes(void **state)
{
    must_keep(store, "P1D", "P400D");
    add_days(0, 5, 2);
    (void)must_compact(store, START_NS + 20 * MET__DAY_NS, 50);
    add("s3", "later", NULL, "100", 90, 0);
    add("s9", "later", NULL, "1000", 90, 0);
    settle_all();
    assert_string_equal(ask_one("s3", 0), "102.5 1.5 ");
    assert_string_equal(ask_one("s9", 0), "1000 ");
    (void)must_compact(store, START_NS + 20 * MET__DAY_NS, 50);
    assert_int_equal(records_of(store, MET__TABLE_PART), 0);
    begin(1);
    unsigned char number[8] = {0, 0, 0, 0, 0, 0, 0, 3};
    assert_int_equal(met__txn_put(txn, MET__TABLE_META, "shapes_indexed", 14,
                                  number, sizeof number),
                     MET_OK);
    end();
    assert_string_equal(ask_one("s3", 0), "102.5 1.5 ");
    assert_string_equal(ask_one("s9", 1), "1000 ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_index__in_steps),
        TEST(test_index__of_those_who_used_nothing),
        TEST(test_index__damage),
        TEST(test_index__others_do_not_matter),
        TEST(test_index__later_shapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Walking the records of a table: in the order of keys, to the first error. */
#include "store_support.h"

#include "store/records.h"

static char home[64];
static met_store *store;
static met__platform platform;
static met__arena arena;
static met__txn *txn;

static void put(const char *key, const char *json)
{
    met__node *node = NULL;

    assert_int_equal(met__json_parse(&arena, met__text_z(json), &node, NULL),
                     MET_OK);
    assert_int_equal(met__record_put(txn, MET__TABLE_PLAN, key, strlen(key),
                                     node),
                     MET_OK);
}

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    store = must_open(temp_path(home, "s"), 1);
    platform = faulty_platform(NULL, NULL);
    met__arena_init(&arena, &platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    put("b1", "2");
    put("a", "1");
    put("c", "-4");
    put("b2", "3");
    return 0;
}

static int teardown(void **state)
{
    met__txn_abort(txn);
    met__arena_release(&arena);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met_error add(void *context, met__text key, met__node *record)
{
    int64_t *sum = context;

    *sum = *sum * 10 + record->as.integer;
    return key.size == 1 && key.data[0] == 'c' ? MET_E_LIMIT : MET_OK;
}

static void test_records__each(void **state)
{
    int64_t seen = 0;

    assert_int_equal(met__records_each(txn, MET__TABLE_PLAN, MET__TEXT("b"),
                                       &arena, &seen, add),
                     MET_OK);
    assert_int_equal(seen, 23);
    seen = 0;
    assert_int_equal(met__records_each(txn, MET__TABLE_PLAN, MET__TEXT(""),
                                       &arena, &seen, add),
                     MET_E_LIMIT);
    assert_int_equal(seen, 1226);
}

/* Twice as much; 3 is not listed, what is below 0 is refused. */
static met_error show(met__node *record, met__arena *to, met__node **node_out)
{
    if (record->as.integer < 0) {
        return MET_E_CORRUPT;
    }
    if (record->as.integer != 3) {
        *node_out = met__node_integer(to, 2 * record->as.integer);
    }
    return MET_OK;
}

static void test_records__list(void **state)
{
    met__node *array = NULL;

    assert_int_equal(met__records_list(txn, MET__TABLE_PLAN, NULL, &arena,
                                       &array),
                     MET_OK);
    assert_int_equal(array->count, 4);
    assert_int_equal(array->as.items[3]->as.integer, -4);
    array = NULL;
    assert_int_equal(met__records_list(txn, MET__TABLE_PLAN, show, &arena,
                                       &array),
                     MET_E_CORRUPT);
    assert_null(array);
    put("c", "4");
    assert_int_equal(met__records_list(txn, MET__TABLE_PLAN, show, &arena,
                                       &array),
                     MET_OK);
    assert_int_equal(array->count, 3);
    assert_int_equal(array->as.items[1]->as.integer, 4);
    assert_int_equal(array->as.items[2]->as.integer, 8);
}

static void test_records__errors_of_readers(void **state)
{
    assert_int_equal(met__record_error(MET_E_INVALID), MET_E_CORRUPT);
    assert_int_equal(met__record_error(MET_E_LIMIT), MET_E_CORRUPT);
    assert_int_equal(met__record_error(MET_E_NO_MEMORY), MET_E_NO_MEMORY);
    assert_int_equal(met__record_error(MET_OK), MET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records__each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records__list, setup, teardown),
        cmocka_unit_test(test_records__errors_of_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

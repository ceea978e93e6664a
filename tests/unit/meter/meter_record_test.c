/* Meters in the store: created once, changed where allowed, removed, listed;
 * the recording plan changes when what is recorded does. */
#include "meter_support.h"

#include "meter/recording_plan.h"

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

#define HEAD "{\"key\":\"k\",\"name\":\"n\",\"event_type\":\"t\","
#define COUNT HEAD "\"aggregation\":\"count\""
#define SUM HEAD "\"aggregation\":\"sum\",\"value_property\":\"$.v\""

static uint64_t plan_number(void)
{
    met__txn *txn = NULL;
    uint64_t number = 99;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__recording_plan_number(txn, &number), MET_OK);
    met__txn_abort(txn);
    return number;
}

static void test_meter_record__update(void **state)
{
    static const struct {
        const char *json;
        met_error error;
        const char *field;
        uint32_t change;
        uint64_t plan;
    } cases[] = {
        {SUM "}", MET_OK, "", MET__CHANGE_CREATED, 1},
        {SUM "}", MET_OK, "", MET__CHANGE_NONE, 1},
        {SUM ",\"dimensions\":{}}", MET_OK, "", MET__CHANGE_NONE, 1},
        {SUM ",\"description\":\"d\"}", MET_OK, "", MET__CHANGE_UPDATED, 1},
        {SUM ",\"dimensions\":{\"a\":\"$.a\"}}", MET_OK, "",
         MET__CHANGE_UPDATED, 2},
        {SUM ",\"dimensions\":{\"b\":\"$.a\"}}", MET_OK, "",
         MET__CHANGE_UPDATED, 2},
        {COUNT "}", MET_E_CONFLICT, "meter.aggregation", 0, 2},
        {HEAD "\"aggregation\":\"sum\",\"value_property\":\"$.w\"}",
         MET_E_CONFLICT, "meter.value_property", 0, 2},
        {"{\"key\":\"k\",\"name\":\"n\",\"event_type\":\"u\","
         "\"aggregation\":\"sum\",\"value_property\":\"$.v\"}",
         MET_E_CONFLICT, "meter.event_type", 0, 2},
        {SUM ",\"events_from\":\"2026-01-01T00:00:00Z\"}", MET_E_CONFLICT,
         "meter.events_from", 0, 2},
        {SUM "}", MET_OK, "", MET__CHANGE_UPDATED, 3},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t change = 0;
        met_error error = try_meter(store, cases[i].json, &change);
        if (error != cases[i].error || change != cases[i].change
            || plan_number() != cases[i].plan
            || (error != MET_OK
                && strcmp(last_info.field, cases[i].field) != 0)) {
            fail_msg("%zu %s: %s \"%s\" change %u plan %d", i, cases[i].json,
                     met_error_name(error), last_info.field, change,
                     (int)plan_number());
        }
    }
}

static void test_meter_record__remove_and_list(void **state)
{
    met__txn *txn = NULL;
    met__arena arena;
    met__node *list = NULL;

    must_meter(store, COUNT "}");
    must_meter(store, "{\"key\":\"a\",\"name\":\"n\",\"event_type\":\"t\","
                      "\"aggregation\":\"count\"}");
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__meter_list(txn, &arena, &list), MET_OK);
    assert_int_equal(list->count, 2);
    assert_true(met__text_equal(
        met__node_get(list->as.items[0], "key")->as.text, MET__TEXT("a")));
    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met__meter_remove(txn, MET__TEXT("zz"), &last_info),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__meter_remove(txn, MET__TEXT("a"), NULL), MET_OK);
    assert_int_equal(met__meter_remove(txn, MET__TEXT("k"), NULL), MET_OK);
    assert_int_equal(met__meter_remove(txn, MET__TEXT("k"), NULL),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_string_equal(meter_json(store, "k"), "");
    /* The second meter wanted nothing new; the last removal ends the type. */
    assert_int_equal(plan_number(), 2);
    met__arena_release(&arena);
}

static void test_meter_record__dropped(void **state)
{
    met__txn *txn = NULL;
    met__arena arena;
    met__node *node = NULL;
    met__meter *meter = NULL;
    met__text names[MET__DIMENSIONS_MAX];
    size_t count = 99;

    must_meter(store, COUNT ",\"dimensions\":{\"a\":\"$.a\",\"b\":\"$.b\","
                            "\"c\":\"$.c\"}}");
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(
        met__json_parse(&arena,
                        MET__TEXT(COUNT ",\"dimensions\":{\"a\":\"$.a\","
                                        "\"b\":\"$.x\",\"d\":\"$.d\"}}"),
                        &node, NULL),
        MET_OK);
    assert_int_equal(met__meter_read(node, NULL, &arena, &meter, NULL),
                     MET_OK);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__meter_dropped(txn, meter, &arena, names, &count),
                     MET_OK);
    assert_int_equal(count, 2);
    assert_true(met__text_equal(names[0], MET__TEXT("b")));
    assert_true(met__text_equal(names[1], MET__TEXT("c")));
    meter->key = MET__TEXT("new");
    assert_int_equal(met__meter_dropped(txn, meter, &arena, names, &count),
                     MET_OK);
    assert_int_equal(count, 0);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* A pinned dimension stays pinned when others come and go. */
static void test_meter_record__pin(void **state)
{
    met__txn *txn = NULL;
    met__arena arena;
    met__recording_plan *plan = NULL;

    must_meter(store, COUNT ",\"dimensions\":{\"b\":\"$.b\",\"c\":\"$.c\"}}");
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__meter_pin(txn, MET__TEXT("k"), MET__TEXT("x")),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__meter_pin(txn, MET__TEXT("x"), MET__TEXT("c")),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__meter_pin(txn, MET__TEXT("k"), MET__TEXT("c")),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    must_meter(store, COUNT ",\"dimensions\":{\"a\":\"$.a\",\"c\":\"$.c\"}}");
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__recording_plan_get(txn, 3, &arena, &plan), MET_OK);
    assert_int_equal(plan->types[0].attribute_count, 2);
    assert_int_equal(plan->types[0].is_free[0], 1);
    assert_int_equal(plan->types[0].is_free[1], 0);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_meter_record__update),
        TEST(test_meter_record__remove_and_list),
        TEST(test_meter_record__dropped),
        TEST(test_meter_record__pin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

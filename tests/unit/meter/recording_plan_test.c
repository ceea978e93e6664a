/* The compiled plan: what several meters of a type want together. */
#include "meter_support.h"

#include "meter/recording_plan.h"

static void test_recording_plan__union(void **state)
{
    char home[64];
    met__txn *txn = NULL;
    met__arena arena;
    met__recording_plan *plan = NULL;

    temp_directory(home, sizeof home);
    met_store *store = test_store(temp_path(home, "s"));
    must_meter(store, "{\"key\":\"a\",\"name\":\"n\",\"event_type\":\"t\","
                      "\"aggregation\":\"sum\",\"value_property\":\"$.v\","
                      "\"dimensions\":{\"x\":\"$.q\",\"y\":\"$.p\"}}");
    must_meter(store, "{\"key\":\"b\",\"name\":\"n\",\"event_type\":\"t\","
                      "\"aggregation\":\"unique_count\",\"value_property\":"
                      "\"$.u\",\"dimensions\":{\"x\":\"$.q\"}}");
    must_meter(store, "{\"key\":\"c\",\"name\":\"n\",\"event_type\":\"s\","
                      "\"aggregation\":\"latest\",\"value_property\":\"$.v\"}");
    must_meter(store, "{\"key\":\"d\",\"name\":\"n\",\"event_type\":\"t\","
                      "\"aggregation\":\"count\"}");
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__recording_plan_get(txn, 4, &arena, &plan),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__recording_plan_get(txn, 0, &arena, &plan), MET_OK);
    assert_int_equal(plan->type_count, 0);
    /* The count asks for nothing that the distinct values do not. */
    assert_int_equal(met__recording_plan_get(txn, 3, &arena, &plan), MET_OK);
    assert_int_equal(plan->type_count, 2);
    const met__recording_type *s = &plan->types[0];
    const met__recording_type *t = &plan->types[1];
    assert_ptr_equal(met__recording_plan_type(plan, MET__TEXT("s")), s);
    assert_ptr_equal(met__recording_plan_type(plan, MET__TEXT("t")), t);
    assert_null(met__recording_plan_type(plan, MET__TEXT("tt")));
    assert_int_equal(s->attribute_count, 0);
    assert_int_equal(s->quantity_count, 1);
    assert_true(s->times && !s->counts);
    assert_int_equal(s->since, 3);
    assert_int_equal(t->attribute_count, 3);
    assert_true(met__text_equal(t->attributes[0], MET__TEXT("p")));
    assert_true(met__text_equal(t->attributes[1], MET__TEXT("q")));
    assert_true(met__text_equal(t->attributes[2], MET__TEXT("u")));
    assert_true(t->is_free[0] && t->is_free[1] && !t->is_free[2]);
    assert_int_equal(t->quantity_count, 1);
    assert_true(t->counts && !t->times);
    assert_int_equal(t->since, 1);
    met__txn_abort(txn);
    met__arena_release(&arena);
    met_store_close(store);
    temp_remove(home);
}

/* One more than a type may have: refused at the meter that wants it. */
static void test_recording_plan__bounds(void **state)
{
    char home[64];
    char json[300];

    temp_directory(home, sizeof home);
    met_store *store = test_store(temp_path(home, "s"));
    for (int i = 0; i < 17; i++) {
        snprintf(json, sizeof json,
                 "{\"key\":\"k%d\",\"name\":\"n\",\"event_type\":\"t\","
                 "\"aggregation\":\"sum\",\"value_property\":\"$.v%d\"}", i,
                 i);
        met_error error = try_meter(store, json, NULL);
        assert_int_equal(error, i < 16 ? MET_OK : MET_E_LIMIT);
    }
    assert_string_equal(last_info.field, "meter.event_type");
    assert_string_equal(meter_json(store, "k16"), "");
    met_store_close(store);
    temp_remove(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recording_plan__union),
        cmocka_unit_test(test_recording_plan__bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The dictionary of shapes and the rule by which usage belongs to a meter. */
#include "usage_support.h"

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

static const met__text attributes[] = {{"a", 1}, {"b.c", 3}};
static const uint8_t is_free[] = {1, 1};
static const met__text quantities[] = {{"tokens", 6}};
static const met__recording_type types[] = {
    {.type = {"other", 5}},
    {.type = {"request", 7}, .attribute_count = 2, .attributes = attributes,
     .is_free = is_free, .quantity_count = 1, .quantities = quantities},
};
static const met__recording_plan plan = {9, 2, types};

/* plan 9, type 1, flags 1, subject "who", a "x", b.c "" */
static const unsigned char good_key[] = {9, 0, 0, 0, 1, 0, 1, 0, 3, 'w', 'h',
                                         'o', 1, 'x', 0};

static size_t encode(unsigned char *out)
{
    size_t size = 0;

    assert_int_equal(met__usage_shape_encode(&plan, good_key, sizeof good_key,
                                             out, &size),
                     MET_OK);
    return size;
}

static void test_shape__round_trip(void **state)
{
    static unsigned char value[MET__SHAPE_VALUE_MAX];
    static met__usage_shape shape;
    size_t size = encode(value);

    assert_int_equal(met__usage_shape_decode(
                         met__text_of((const char *)value, size), &shape),
                     MET_OK);
    assert_true(met__text_equal(shape.type, MET__TEXT("request")));
    assert_true(met__text_equal(shape.subject, MET__TEXT("who")));
    assert_int_equal(shape.flags, 1);
    assert_int_equal(shape.attribute_count, 2);
    assert_true(met__text_equal(shape.names[1], MET__TEXT("b.c")));
    assert_true(met__text_equal(shape.values[0], MET__TEXT("x")));
    assert_int_equal(shape.values[1].size, 0);
    assert_int_equal(shape.quantity_count, 1);
    assert_true(met__text_equal(shape.quantities[0], MET__TEXT("tokens")));
}

/* Keys and values of every wrong size, and with every byte wrong, in memory of
 * exactly that size: an answer, never a read beyond the end. */
static void test_shape__damaged(void **state)
{
    static unsigned char value[MET__SHAPE_VALUE_MAX];
    static unsigned char out[MET__SHAPE_VALUE_MAX];
    static met__usage_shape shape;
    size_t value_size = encode(value);
    size_t size = 0;

    for (size_t i = 0; i < sizeof good_key; i++) {
        unsigned char *cut = malloc(i + 1);
        memcpy(cut, good_key, i);
        assert_int_equal(met__usage_shape_encode(&plan, cut, i, out, &size),
                         MET_E_CORRUPT);
        free(cut);
    }
    for (size_t i = 0; i < sizeof good_key; i++) {
        unsigned char *bad = malloc(sizeof good_key);
        for (int byte = 0; byte < 256; byte += 5) {
            memcpy(bad, good_key, sizeof good_key);
            bad[i] = (unsigned char)byte;
            met_error error = met__usage_shape_encode(
                &plan, bad, sizeof good_key, out, &size);
            assert_true(error == MET_OK || error == MET_E_CORRUPT);
        }
        free(bad);
    }
    for (size_t i = 0; i < value_size; i++) {
        char *cut = malloc(i + 1);
        memcpy(cut, value, i);
        assert_int_equal(met__usage_shape_decode(met__text_of(cut, i),
                                                 &shape),
                         MET_E_CORRUPT);
        free(cut);
    }
    for (size_t i = 0; i < value_size; i++) {
        char *bad = malloc(value_size);
        for (int byte = 0; byte < 256; byte += 5) {
            memcpy(bad, value, value_size);
            bad[i] = (char)byte;
            met_error error = met__usage_shape_decode(
                met__text_of(bad, value_size), &shape);
            assert_true(error == MET_OK || error == MET_E_CORRUPT);
        }
        free(bad);
    }
}

static void test_shape__dictionary(void **state)
{
    static unsigned char value[MET__SHAPE_VALUE_MAX];
    static met__usage_shape shape;
    size_t size = encode(value);
    met__text text = met__text_of((const char *)value, size);
    met__hash128 hash = {1, 2};
    uint64_t number = 7;
    uint64_t again = 0;
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__usage_shape_find(txn, hash, text, &number), MET_OK);
    assert_int_equal(number, 0);
    assert_int_equal(met__usage_shape_add(txn, hash, text, &number), MET_OK);
    assert_true(number > 0);
    assert_int_equal(met__usage_shape_find(txn, hash, text, &again), MET_OK);
    assert_int_equal(again, number);
    assert_int_equal(met__usage_shape_get(txn, number, &shape), MET_OK);
    assert_true(met__text_equal(shape.subject, MET__TEXT("who")));
    assert_int_equal(met__usage_shape_get(txn, number + 1, &shape),
                     MET_E_CORRUPT);
    /* Another shape with this hash is refused, not taken for it. */
    value[size - 1] ^= 1;
    assert_int_equal(met__usage_shape_find(txn, hash, text, &again),
                     MET_E_CORRUPT);
    met__txn_abort(txn);
}

/* --- Matching ------------------------------------------------------------- */
static void test_match__rule(void **state)
{
    static met__usage_match match;
    static met__usage_shape shape = {
        .type = {"t", 1}, .attribute_count = 2, .quantity_count = 2,
        .names = {{"a", 1}, {"b", 1}}, .values = {{"x", 1}, {"", 0}},
        .quantities = {{"v", 1}, {"w", 1}},
    };
    static met__meter meter = {
        .event_type = {"t", 1}, .aggregation = MET__AGGREGATION_COUNT,
        .dimension_count = 2,
        .dimensions = {{{"one", 3}, {"a", 1}}, {{"two", 3}, {"zz", 2}}},
    };

    assert_true(met__usage_matches(&meter, &shape, &match));
    assert_true(match.quantity == MET__MATCH_COUNTS);
    assert_true(met__text_equal(match.values[0], MET__TEXT("x")));
    assert_int_equal(match.values[1].size, 0);
    meter.aggregation = MET__AGGREGATION_SUM;
    meter.value_attribute = MET__TEXT("w");
    assert_true(met__usage_matches(&meter, &shape, &match));
    assert_int_equal(match.quantity, 1);
    meter.value_attribute = MET__TEXT("a");
    assert_false(met__usage_matches(&meter, &shape, &match));
    meter.aggregation = MET__AGGREGATION_UNIQUE_COUNT;
    assert_true(met__usage_matches(&meter, &shape, &match));
    assert_true(met__text_equal(match.unique, MET__TEXT("x")));
    assert_true(match.quantity == MET__MATCH_COUNTS);
    meter.value_attribute = MET__TEXT("b"); /* "" is a value */
    assert_true(met__usage_matches(&meter, &shape, &match));
    meter.value_attribute = MET__TEXT("w"); /* missing is "" */
    assert_true(met__usage_matches(&meter, &shape, &match));
    assert_int_equal(match.unique.size, 0);
    shape.values[0] = MET__TEXT("null");
    meter.value_attribute = MET__TEXT("a");
    assert_false(met__usage_matches(&meter, &shape, &match));
    shape.values[0] = MET__TEXT("x");
    meter.aggregation = MET__AGGREGATION_COUNT;
    meter.event_type = MET__TEXT("T");
    assert_false(met__usage_matches(&meter, &shape, &match));
}

static void test_match__first_minute(void **state)
{
    static met__meter meter = {.counts_from_ns = INT64_MIN};

    assert_int_equal(met__usage_first_minute(&meter), 0);
    meter.counts_from_ns = 120 * MET__SECOND_NS;
    assert_int_equal(met__usage_first_minute(&meter), 2);
    meter.events_from_ns = 180 * MET__SECOND_NS;
    assert_int_equal(met__usage_first_minute(&meter), 3);
    meter.counts_from_ns = INT64_MAX;
    assert_int_equal(met__usage_first_minute(&meter),
                     INT64_MAX / MET__MINUTE_NS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape__round_trip),
        cmocka_unit_test(test_shape__damaged),
        TEST(test_shape__dictionary),
        cmocka_unit_test(test_match__rule),
        cmocka_unit_test(test_match__first_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

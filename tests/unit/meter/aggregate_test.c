/* What parts come to, in any order, folded into a cell or not: extremes, ties
 * of the latest value, and sums that end. */
#include "meter_support.h"

#include "meter/aggregate.h"
#include "meter/usage_match.h"

typedef met__usage_item test_part;

/* The second of two quantities is the one that is asked for. */
static test_part part(uint64_t count, met__wide sum, met__wide least,
                      met__wide greatest)
{
    test_part made = {.minutes = 1,
                      .words = {[MET__PART_COUNT] = count + 1,
                                [MET__PART_PLAN] = UINT64_C(7) << 32 | 2}};
    uint64_t *quantity = made.words + MET__PART_QUANTITIES
                         + MET__QUANTITY_WORDS;

    quantity[MET__QUANTITY_COUNT] = count;
    met__amount_set(quantity + MET__QUANTITY_SUM, sum);
    met__amount_set(quantity + MET__QUANTITY_MIN, least);
    met__amount_set(quantity + MET__QUANTITY_MAX, greatest);
    return made;
}

static test_part latest(met__wide value, uint64_t event_ns,
                        uint64_t recorded_ns, uint64_t generation,
                        uint32_t epoch)
{
    test_part made = part(1, value, value, value);
    uint64_t *quantity = made.words + MET__PART_QUANTITIES
                         + MET__QUANTITY_WORDS;

    met__amount_set(quantity + MET__QUANTITY_LATEST, value);
    quantity[MET__QUANTITY_EVENT_NS] = event_ns;
    quantity[MET__QUANTITY_RECORDED_NS] = recorded_ns;
    made.key.generation = generation;
    made.key.epoch = epoch;
    return made;
}

static void join(met__aggregate *total, uint32_t aggregation,
                 const test_part *one)
{
    uint32_t quantity = aggregation == MET__AGGREGATION_COUNT
                            ? MET__MATCH_COUNTS
                            : 1;

    assert_int_equal(met__aggregate_add(total, aggregation, quantity, one),
                     MET_OK);
}

/* The first parts of a list as a cell, the rest as they are. */
static void join_folded(met__aggregate *total, uint32_t aggregation,
                        const test_part *parts, int first, int count,
                        int folded)
{
    test_part cell = {.minutes = MET__HOUR_MINUTES};
    uint64_t more[MET__CELL_WORDS_MAX];

    met__cell_of(&parts[first % count], cell.words);
    for (int i = 1; i < folded; i++) {
        met__cell_of(&parts[(first + i) % count], more);
        assert_int_equal(met__cell_join(cell.words, more), 1);
    }
    for (int i = folded; i < count; i++) {
        join(total, aggregation, &parts[(first + i) % count]);
    }
    join(total, aggregation, &cell);
}

static void assert_value(uint32_t aggregation, const test_part *parts,
                         int count, const char *expected)
{
    for (int first = 0; first < count; first++) {
        for (int folded = 0; folded <= count; folded++) {
            met__aggregate total = {0};
            met_decimal value;
            met_decimal want;
            for (int i = 0; folded == 0 && i < count; i++) {
                join(&total, aggregation, &parts[(first + i) % count]);
            }
            if (folded > 0) {
                join_folded(&total, aggregation, parts, first, count, folded);
            }
            assert_int_equal(met__aggregate_value(&total, aggregation,
                                                  &value),
                             MET_OK);
            assert_int_equal(met__decimal_parse(met__text_z(expected), &want),
                             MET_OK);
            assert_int_equal(met__decimal_compare(value, want), 0);
        }
    }
}

static void test_aggregate__values(void **state)
{
    const met__wide one = 1000000000;
    test_part parts[] = {part(2, 3 * one, one, 2 * one),
                         part(1, -4 * one, -4 * one, -4 * one),
                         part(4, 2, -1, 3 * one)};

    assert_value(MET__AGGREGATION_COUNT, parts, 3, "10");
    assert_value(MET__AGGREGATION_SUM, parts, 3, "-0.999999998");
    assert_value(MET__AGGREGATION_MIN, parts, 3, "-4");
    assert_value(MET__AGGREGATION_MAX, parts, 3, "3");
    assert_value(MET__AGGREGATION_AVG, parts, 3, "-0.142857142571428571");
    assert_value(MET__AGGREGATION_AVG, parts, 1, "1.5");
}

/* Each row is later than the one before it, whoever comes first. */
static void test_aggregate__latest(void **state)
{
    test_part parts[] = {latest(5, 9, 99, 99, 99), latest(4, 10, 1, 9, 9),
                         latest(3, 10, 2, 1, 9), latest(2, 10, 2, 2, 1),
                         latest(1, 10, 2, 2, 2)};
    static const char *const expected[] = {"0.000000005", "0.000000004",
                                           "0.000000003", "0.000000002",
                                           "0.000000001"};

    for (int count = 1; count <= 5; count++) {
        assert_value(MET__AGGREGATION_LATEST, parts, count,
                     expected[count - 1]);
    }
}

static void test_aggregate__nothing(void **state)
{
    met__aggregate total = {0};
    test_part none = part(0, 0, 0, 0);

    assert_int_equal(met__aggregate_add(&total, MET__AGGREGATION_MIN, 2,
                                        &none),
                     MET_E_BUG);
    assert_int_equal(met__aggregate_add(&total, MET__AGGREGATION_UNIQUE_COUNT,
                                        MET__MATCH_COUNTS, &none),
                     MET_OK);
    assert_int_equal(total.count, 0);
}

static void test_aggregate__overflow(void **state)
{
    met__wide large = met__amount_power(33) * 9;
    test_part one = part(1, large, large, large);
    met__aggregate total = {0};

    join(&total, MET__AGGREGATION_SUM, &one);
    assert_int_equal(met__aggregate_add(&total, MET__AGGREGATION_SUM, 1, &one),
                     MET_E_OVERFLOW);
    assert_true(total.value == large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregate__values),
        cmocka_unit_test(test_aggregate__latest),
        cmocka_unit_test(test_aggregate__nothing),
        cmocka_unit_test(test_aggregate__overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

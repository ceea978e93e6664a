/* Differences to booked lines: matching, discounts, reversals, their order. */
#include "unit/rating/rating_support.h"

/* One line. Its discount, when there is one, is "d" for the reason "r". */
typedef struct plain {
    const char *child_id;
    const char *id;
    uint32_t category;
    uint32_t term;
    uint32_t index;
    const char *per_unit;
    const char *quantity;
    const char *amount;
    const char *discount;
} plain;

enum { R = MET__LINE_REGULAR, C = MET__LINE_COMMITMENT };
enum { ADVANCE = MET__TERM_IN_ADVANCE, ARREARS = MET__TERM_IN_ARREARS };

static met__line line_of(const plain *row)
{
    met__line line = {.id = met__text_z(row->id),
                      .name = MET__TEXT("L"),
                      .child_id = met__text_z(row->child_id),
                      .pricer_id = met__text_z(row->child_id),
                      .explanation = MET__TEXT("x"),
                      .category = row->category,
                      .term = row->term,
                      .index = row->index,
                      .quantity = decimal_of(row->quantity),
                      .per_unit_amount = decimal_of(row->per_unit)};

    met__totals_clear(&line.totals);
    *(row->category == C ? &line.totals.charges_total : &line.totals.amount) =
        decimal_of(row->amount);
    line.totals.total = decimal_of(row->amount);
    if (row->discount != NULL) {
        line.discounts = met__arena_allocate(&arena, sizeof *line.discounts);
        assert_non_null(line.discounts);
        *line.discounts = (met__line_discount){MET__TEXT("d"), MET__TEXT("r"),
                                               decimal_of(row->discount)};
        line.discount_count = 1;
        line.totals.discounts_total = decimal_of(row->discount);
        assert_int_equal(met__decimal_subtract(line.totals.total,
                                               line.totals.discounts_total,
                                               &line.totals.total),
                         MET_OK);
    }
    return line;
}

static met_error subtract(const plain *now, size_t now_count,
                          const plain *before, size_t before_count,
                          uint32_t ids, met__rated *out)
{
    met__line lines[2][8];

    assert_true(now_count <= 8 && before_count <= 8);
    for (size_t i = 0; i < now_count; i++) {
        lines[0][i] = line_of(&now[i]);
    }
    for (size_t i = 0; i < before_count; i++) {
        lines[1][i] = line_of(&before[i]);
    }
    return met__lines_subtract(lines[0], now_count, lines[1], before_count, ids,
                               &arena, &out->lines, &out->line_count);
}

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* Discounts of both sides meet by child id and reason. */
static void subtracts_discounts(void **state)
{
    static const plain now[] = {
        {"a", "", R, ARREARS, 0, "10", "5", "50", "5"},
        {"b", "", R, ARREARS, 1, "1", "9", "9", NULL},
        {"c", "", R, ARREARS, 2, "2", "9", "18", "3"},
        {"d", "", R, ARREARS, 3, "3", "2", "6", "4"},
    };
    static const plain before[] = {
        {"a", "1", R, ARREARS, 0, "10", "3", "30", "3"},
        {"b", "2", R, ARREARS, 0, "1", "9", "9", "2"},
        {"d", "3", R, ARREARS, 0, "3", "1", "3", "4"},
    };
    met__rated rated = {0};

    (void)state;
    assert_int_equal(subtract(now, COUNT(now), before, COUNT(before),
                              MET__REVERSE_BY_LINE, &rated),
                     MET_OK);
    assert_string_equal(lines_of(&rated),
                        "a: 2 x 10 = 18 -2; b: 0 x 1 = 2 --2; "
                        "c: 9 x 2 = 15 -3; d: 1 x 3 = 3");
    assert_int_equal(rated.lines[0].discount_count, 1);
    assert_string_equal(text_of(rated.lines[0].discounts[0].amount), "2");
    assert_int_equal(rated.lines[1].discount_count, 1);
    assert_string_equal(text_of(rated.lines[1].discounts[0].amount), "-2");
    assert_string_equal(rated.lines[1].discounts[0].reason.data, "r");
    assert_int_equal(rated.lines[2].discount_count, 1);
    assert_string_equal(text_of(rated.lines[2].discounts[0].amount), "3");
    assert_int_equal(rated.lines[3].discount_count, 0); /* 4 less 4 */
}

/* Other names of a discount: both stay. */
static void keeps_discounts_apart(void **state)
{
    static const plain row = {"a", "1", R, ARREARS, 0, "10", "5", "50", "5"};
    met__line now = line_of(&row);
    met__line before = line_of(&row);
    met__line *lines = NULL;
    size_t count = 0;

    (void)state;
    before.discounts[0].reason = MET__TEXT("other");
    assert_int_equal(met__decimal_add(now.totals.amount,
                                      met__decimal_from_i64(1),
                                      &now.totals.amount),
                     MET_OK);
    assert_int_equal(met__lines_subtract(&now, 1, &before, 1,
                                         MET__REVERSE_BY_LINE, &arena, &lines,
                                         &count),
                     MET_OK);
    assert_int_equal(count, 1);
    assert_int_equal(lines[0].discount_count, 2);
    assert_string_equal(text_of(lines[0].discounts[0].amount), "5");
    assert_string_equal(text_of(lines[0].discounts[1].amount), "-5");
    assert_int_equal(now.discount_count, 1); /* nothing given is changed */
    assert_string_equal(text_of(now.discounts[0].amount), "5");
}

/* What matched nothing is turned round, discounts too; equal booked lines are
 * one; what is 0 in all totals goes, whatever its quantity. */
static void turns_round_what_is_gone(void **state)
{
    static const plain now[] = {
        {"a", "", R, ARREARS, 0, "0", "7", "0", NULL},
    };
    static const plain before[] = {
        {"a", "1", R, ARREARS, 4, "10", "2", "20", "1"},
        {"a", "2", R, ARREARS, 5, "10", "1", "10", "1"},
        {"z", "3", R, ARREARS, 0, "0", "4", "0", NULL},
        {"a", "4", R, ADVANCE, 1, "10", "1", "10", NULL},
        {"a", "5", C, ARREARS, 2, "10", "1", "10", NULL},
    };
    met__rated rated = {0};

    (void)state;
    assert_int_equal(subtract(now, COUNT(now), before, COUNT(before),
                              MET__REVERSE_BY_LINE, &rated),
                     MET_OK);
    assert_string_equal(
        lines_of(&rated),
        "a#correction:detailed_line_id=4: -1 x 10 = -10; "
        "a#correction:detailed_line_id=5: -1 x 10 = -10; "
        "a#correction:detailed_line_id=1: -3 x 10 = -28 --2");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rated.lines[i].index, i);
        assert_int_equal(rated.lines[i].id.size, 0);
        assert_string_equal(rated.lines[i].explanation.data,
                            "correction: billed before, no longer due");
        assert_string_equal(rated.lines[i].pricer_id.data, "a");
    }
    assert_string_equal(text_of(rated.lines[1].totals.charges_total), "-10");
    assert_string_equal(text_of(rated.lines[2].discounts[0].amount), "-2");
}

/* By values: price part, commitments first, in advance first, amount. */
static void orders_by_values(void **state)
{
    static const plain now[] = {
        {"b", "", R, ARREARS, 0, "1", "1", "1", NULL},
    };
    static const plain before[] = {
        {"b", "1", R, ARREARS, 0, "3", "1", "3", NULL},
        {"b", "2", R, ARREARS, 1, "2", "1", "2", NULL},
        {"b", "3", R, ADVANCE, 2, "9", "1", "9", NULL},
        {"b", "4", C, ARREARS, 3, "8", "1", "8", NULL},
        {"b", "5", C, ADVANCE, 4, "9", "1", "9", NULL},
        {"a", "6", R, ARREARS, 5, "7", "1", "7", NULL},
    };
    met__rated rated = {0};

    (void)state;
    assert_int_equal(subtract(now, COUNT(now), before, COUNT(before),
                              MET__REVERSE_BY_VALUES, &rated),
                     MET_OK);
    assert_string_equal(
        lines_of(&rated),
        "a#reversal:category=regular:payment_term=in_arrears:"
        "per_unit_amount=7: -1 x 7 = -7; "
        "b#reversal:category=commitment:payment_term=in_advance:"
        "per_unit_amount=9: -1 x 9 = -9; "
        "b#reversal:category=commitment:payment_term=in_arrears:"
        "per_unit_amount=8: -1 x 8 = -8; "
        "b#reversal:category=regular:payment_term=in_advance:"
        "per_unit_amount=9: -1 x 9 = -9; "
        "b: 1 x 1 = 1; "
        "b#reversal:category=regular:payment_term=in_arrears:"
        "per_unit_amount=2: -1 x 2 = -2; "
        "b#reversal:category=regular:payment_term=in_arrears:"
        "per_unit_amount=3: -1 x 3 = -3");
}

/* By line: index, then child id. */
static void orders_by_index(void **state)
{
    static const plain now[] = {
        {"x", "", R, ARREARS, 1, "1", "1", "1", NULL},
        {"b", "", R, ARREARS, 0, "1", "1", "1", NULL},
        {"a", "", R, ARREARS, 1, "1", "1", "1", NULL},
    };
    met__rated rated = {0};

    (void)state;
    assert_int_equal(
        subtract(now, COUNT(now), NULL, 0, MET__REVERSE_BY_LINE, &rated),
        MET_OK);
    assert_string_equal(lines_of(&rated),
                        "b: 1 x 1 = 1; a: 1 x 1 = 1; x: 1 x 1 = 1");
}

static void refuses_two_lines_of_one_name(void **state)
{
    /* Two booked lines with one id that match nothing. */
    static const plain before[] = {
        {"a", "1", R, ARREARS, 0, "3", "1", "3", NULL},
        {"a", "1", R, ARREARS, 1, "2", "1", "2", NULL},
    };
    met__rated rated = {0};

    (void)state;
    assert_int_equal(
        subtract(NULL, 0, before, 2, MET__REVERSE_BY_LINE, &rated),
        MET_E_CONFLICT);
    assert_null(rated.lines);
    assert_int_equal(
        subtract(NULL, 0, before, 2, MET__REVERSE_BY_VALUES, &rated), MET_OK);
    assert_int_equal(rated.line_count, 2);
}

static void leaves_credits_aside(void **state)
{
    static const plain row = {"a", "1", R, ARREARS, 0, "10", "5", "50", NULL};
    met_decimal credit = decimal_of("20");
    met__line now = line_of(&row);
    met__line before = line_of(&row);
    met__line *lines = NULL;
    size_t count = 7;

    (void)state;
    before.credits = &credit;
    before.credit_count = 1;
    before.totals.credits_total = credit;
    before.totals.total = decimal_of("30");
    assert_int_equal(met__lines_subtract(&now, 1, &before, 1,
                                         MET__REVERSE_BY_LINE, &arena, &lines,
                                         &count),
                     MET_OK);
    assert_int_equal(count, 0);
}

static void survives_failing_memory(void **state)
{
    static const plain now[] = {
        {"a", "", R, ARREARS, 0, "10", "5", "50", "5"},
    };
    static const plain before[] = {
        {"a", "1", R, ARREARS, 0, "10", "3", "30", "3"},
        {"a", "1", R, ARREARS, 0, "10", "1", "10", "1"},
        {"b", "2", R, ARREARS, 0, "3", "1", "3", "1"},
    };

    (void)state;
    for (uint32_t ids = MET__REVERSE_BY_LINE; ids <= MET__REVERSE_BY_VALUES;
         ids++) {
        faulty_memory memory = {0};
        met__platform faulty = platform;
        met__line lines[4];
        faulty.allocator = (met_allocator){&memory, faulty_allocate,
                                           faulty_reallocate, faulty_release};
        lines[0] = line_of(&now[0]);
        for (size_t i = 0; i < 3; i++) {
            lines[i + 1] = line_of(&before[i]);
        }
        for (memory.fail_at = 1;; memory.fail_at++) {
            met__arena scratch;
            met__line *out = NULL;
            size_t count = 0;

            memory.calls = 0;
            met__arena_init(&scratch, &faulty);
            met_error error = met__lines_subtract(
                lines, 1, lines + 1, 3, ids, &scratch, &out, &count);
            met__arena_release(&scratch);
            assert_int_equal(memory.live, 0);
            if (memory.calls < memory.fail_at) {
                assert_int_equal(error, MET_OK);
                assert_int_equal(count, 2);
                break;
            }
            assert_int_equal(error, MET_E_NO_MEMORY);
            assert_null(out);
        }
        assert_true(memory.fail_at > 1);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

/* Lines of several periods: by period, whatever order they came in. */
static void orders_by_period(void **state)
{
    static const plain rows[] = {
        {"b", "", R, ARREARS, 0, "1", "1", "1", NULL},
        {"a", "", R, ARREARS, 1, "1", "1", "1", NULL},
        {"c", "", R, ARREARS, 0, "1", "1", "1", NULL},
    };
    met__line lines[3];
    met__line *out = NULL;
    size_t count = 0;
    met__rated rated = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        lines[i] = line_of(&rows[i]);
        lines[i].period = (met__period){(int64_t)(3 - i), 9};
    }
    assert_int_equal(met__lines_subtract(lines, 3, NULL, 0,
                                         MET__REVERSE_BY_LINE, &arena, &out,
                                         &count),
                     MET_OK);
    rated.lines = out;
    rated.line_count = count;
    assert_string_equal(lines_of(&rated),
                        "c: 1 x 1 = 1; a: 1 x 1 = 1; b: 1 x 1 = 1");
}

/* Both ways round: which comes first does not depend on who was first. */
static void orders_categories_and_terms(void **state)
{
    static const plain now[] = {
        {"b", "", R, ARREARS, 0, "1", "1", "1", NULL},
        {"b", "", C, ARREARS, 1, "1", "1", "1", NULL},
        {"c", "", R, ARREARS, 2, "1", "1", "1", NULL},
        {"c", "", R, ADVANCE, 3, "1", "1", "1", NULL},
        {"d", "", C, ARREARS, 4, "1", "1", "1", NULL},
        {"d", "", R, ADVANCE, 5, "1", "1", "1", NULL},
        {"e", "", R, ADVANCE, 6, "1", "1", "1", NULL},
        {"e", "", R, ARREARS, 7, "1", "1", "1", NULL},
    };
    met__line lines[COUNT(now)];
    met__line *out = NULL;
    size_t count = 0;
    char text[64] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(now); i++) {
        lines[i] = line_of(&now[i]);
        lines[i].child_id =
            met__text_z(met__arena_print(&arena, "%zu", i)); /* no two alike */
    }
    assert_int_equal(met__lines_subtract(lines, COUNT(now), NULL, 0,
                                         MET__REVERSE_BY_VALUES, &arena, &out,
                                         &count),
                     MET_OK);
    for (size_t i = 0; i < count; i++) {
        strncat(text, out[i].child_id.data, out[i].child_id.size);
    }
    assert_string_equal(text, "10324567");
}

/* Sums that need more than 34 digits: nothing is written. */
static void refuses_what_does_not_fit(void **state)
{
#define LONG "9999999999999999999999999999999999"
    static const plain now[] = {
        {"a", "", R, ARREARS, 0, "1", "1", LONG, NULL},
        {"a", "", R, ARREARS, 1, "1", "1", LONG, NULL},
    };
    static const plain discounted = {"a", "", R, ARREARS, 0, "1", "1", "1",
                                     NULL};
    met__line lines[2] = {line_of(&now[0]), line_of(&now[1])};
    met__line odd = line_of(&discounted);
    met__line *out = NULL;
    size_t count = 77;

    (void)state;
    odd.totals.amount = decimal_of(LONG);
    odd.totals.charges_total = decimal_of("2");
    for (int row = 0; row < 4; row++) {
        const met__line *current = row < 2 ? lines : &odd;
        size_t current_count = row < 2 ? 2 : 1;
        assert_int_equal(
            row % 2 ? met__lines_subtract(NULL, 0, current, current_count,
                                          MET__REVERSE_BY_LINE, &arena, &out,
                                          &count)
                    : met__lines_subtract(current, current_count, NULL, 0,
                                          MET__REVERSE_BY_LINE, &arena, &out,
                                          &count),
            MET_E_OVERFLOW);
    }
    assert_null(out);
    assert_int_equal(count, 77);
}

/* A previous line that has no id is named without one. */
static void names_what_has_no_id(void **state)
{
    static const plain row = {"a", "", R, ARREARS, 0, "1", "1", "1", NULL};
    met__line line = line_of(&row);
    met__line *out = NULL;
    size_t count = 0;

    (void)state;
    line.id = (met__text){NULL, 0};
    assert_int_equal(met__lines_subtract(NULL, 0, &line, 1,
                                         MET__REVERSE_BY_LINE, &arena, &out,
                                         &count),
                     MET_OK);
    assert_string_equal(out[0].child_id.data,
                        "a#correction:detailed_line_id=");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(orders_by_period, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(orders_categories_and_terms,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(names_what_has_no_id, begin_memory,
                                        end_memory),
        TEST(subtracts_discounts),
        TEST(keeps_discounts_apart),
        TEST(turns_round_what_is_gone),
        TEST(orders_by_values),
        TEST(orders_by_index),
        TEST(refuses_two_lines_of_one_name),
        TEST(leaves_credits_aside),
        TEST(survives_failing_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

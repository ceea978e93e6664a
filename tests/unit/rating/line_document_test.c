/* Lines as documents: written and read back, and what reading refuses. */
#include "unit/rating/rating_support.h"

#define TOTALS "'totals': {'amount': '10', 'total': '10'}"
#define BEGIN                                                                  \
    "{'name': 'x', 'child_id': 'usage', 'category': 'regular', "               \
    "'payment_term': 'in_arrears', 'quantity': '1', 'per_unit_amount': '10', "

static const met__path booked_path = {NULL, "booked", 0};
static const met__path item_path = {&booked_path, NULL, 3};

static met_error read(const char *json, met__line *line, met_error_info *info)
{
    *info = (met_error_info){.struct_size = sizeof *info};
    return met__line_read(node_of(json), &item_path, &arena, line, info);
}

static const char *write(const met__line *line)
{
    met__currency currency = currency_of("USD");
    met__node *node = NULL;
    met__buffer buffer;

    assert_int_equal(met__line_document(line, &currency, &arena, &node),
                     MET_OK);
    met__buffer_init(&buffer, &platform);
    met__json_write(node, 0, &buffer);
    char *text = met__arena_copy(&arena, buffer.data, buffer.size);
    met__buffer_release(&buffer);
    return text;
}

/* Everything a line can have, both ways. */
static void comes_back_as_it_was(void **state)
{
    static const char json[] =
        "{'id':'I.1','name':'L','child_id':'usage#correction:x',"
        "'pricer_id':'usage','explanation':'why','category':'commitment',"
        "'payment_term':'in_advance','index':4294967295,'period':'full',"
        "'quantity':'-1.5','per_unit_amount':'0.0004','discounts':["
        "{'child_id':'d','reason':'r','amount':'1.00'},"
        "{'child_id':'e','reason':'s','amount':'-2.00'}],"
        "'credits_applied':['3.00','4.00'],'totals':{'amount':'1.00',"
        "'charges_total':'2.00','discounts_total':'3.00',"
        "'credits_total':'4.00','taxes_total':'5.00',"
        "'taxes_inclusive_total':'6.00','taxes_exclusive_total':'7.00',"
        "'total':'8.00'}}";
    met__line line;
    met_error_info info;
    char *expected = met__arena_copy(&arena, json, sizeof json - 1);

    (void)state;
    for (char *c = expected; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    assert_int_equal(read(json, &line, &info), MET_OK);
    assert_string_equal(write(&line), expected);
    assert_int_equal(line.category, MET__LINE_COMMITMENT);
    assert_int_equal(line.term, MET__TERM_IN_ADVANCE);
    assert_true(line.is_full_period);
    assert_int_equal(line.discount_count, 2);
    assert_int_equal(line.credit_count, 2);
}

static void needs_little(void **state)
{
    met__line line;
    met_error_info info;

    (void)state;
    assert_int_equal(read(BEGIN "'discounts': [], 'credits_applied': [], "
                                TOTALS "}",
                          &line, &info),
                     MET_OK);
    assert_int_equal(line.discount_count, 0);
    assert_int_equal(line.credit_count, 0);
    assert_int_equal(line.index, 0);
    assert_false(line.is_full_period);
    assert_string_equal(line.pricer_id.data, "usage");
    assert_string_equal(text_of(line.totals.charges_total), "0");
}

static void refuses_what_is_no_line(void **state)
{
    static const char *const rows[][2] = {
        {"[]", "booked[3]"},
        {"{}", "booked[3].name"},
        {BEGIN "'totals': 1}", "booked[3].totals"},
        {BEGIN "'totals': {'amount': 'x'}}", "booked[3].totals.amount"},
        {BEGIN TOTALS ", 'index': -1}", "booked[3].index"},
        {BEGIN TOTALS ", 'index': 4294967296}", "booked[3].index"},
        {BEGIN TOTALS ", 'period': 'half'}", "booked[3].period"},
        {BEGIN TOTALS ", 'more': 1}", "booked[3].more"},
        {BEGIN TOTALS ", 'id': ''}", "booked[3].id"},
        {BEGIN TOTALS ", 'discounts': 'x'}", "booked[3].discounts"},
        {BEGIN TOTALS ", 'discounts': ['x']}", "booked[3].discounts[0]"},
        {BEGIN TOTALS ", 'discounts': [{'child_id': 'a', 'reason': 'b', "
                      "'amount': '1'}, {'child_id': 'a', 'reason': 'b'}]}",
         "booked[3].discounts[1].amount"},
        {BEGIN TOTALS ", 'discounts': [{'child_id': '', 'reason': 'b', "
                      "'amount': '1'}]}",
         "booked[3].discounts[0].child_id"},
        {BEGIN TOTALS ", 'credits_applied': {}}", "booked[3].credits_applied"},
        {BEGIN TOTALS ", 'credits_applied': ['1', 2]}",
         "booked[3].credits_applied"},
        {BEGIN TOTALS ", 'credits_applied': ['1', 'x']}",
         "booked[3].credits_applied"},
    };
    met_error_info info;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__line line = {.index = 77};
        if (read(rows[i][0], &line, &info) != MET_E_INVALID
            || strcmp(info.field, rows[i][1]) != 0) {
            fail_msg("%s: %s %s", rows[i][0], info.field, info.reason);
        }
        assert_int_equal(line.index, 77);
    }
}

/* Reads and writes with `used` times 16 bytes of the arena's block gone, and
 * the k-th allocation after that failing. */
static met_error read_and_write(const met__node *node, faulty_memory *memory,
                                unsigned used, long k)
{
    met__platform faulty = platform;
    met__currency currency = currency_of("USD");
    met__arena scratch;
    met__line line = {.index = 77};
    met__node *written = NULL;

    *memory = (faulty_memory){0};
    faulty.allocator = (met_allocator){memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    met__arena_init(&scratch, &faulty);
    for (unsigned i = 0; i < used; i++) {
        assert_non_null(met__arena_allocate(&scratch, 16));
    }
    memory->fail_at = memory->calls + k;
    met_error error = met__line_read(node, &item_path, &scratch, &line, NULL);
    if (error != MET_OK) {
        assert_int_equal(line.index, 77);
    } else {
        error = met__line_document(&line, &currency, &scratch, &written);
        assert_true((written == NULL) == (error != MET_OK));
    }
    met__arena_release(&scratch);
    assert_int_equal(memory->live, 0);
    return error;
}

/* With ever less room left in the block, each of the small allocations is
 * once the one that needs more memory. */
static void survives_failing_memory(void **state)
{
    const met__node *node = node_of(
        BEGIN "'id': 'i', 'pricer_id': 'p', 'explanation': 'e', 'index': 3, "
              "'period': 'full', 'discounts': [{'child_id': 'a', 'reason': "
              "'b', 'amount': '1'}], 'credits_applied': ['2'], " TOTALS "}");

    (void)state;
    for (unsigned used = 640; used < 1024; used++) {
        faulty_memory memory = {0};
        for (long k = 1;; k++) {
            met_error error = read_and_write(node, &memory, used, k);
            if (memory.calls < memory.fail_at) {
                assert_int_equal(error, MET_OK);
                assert_true(k > 1);
                break;
            }
            assert_int_equal(error, MET_E_NO_MEMORY);
        }
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(comes_back_as_it_was),
        TEST(needs_little),
        TEST(refuses_what_is_no_line),
        TEST(survives_failing_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

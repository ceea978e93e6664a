/* What a price is rated with, through the public call: each field refused by
 * itself, runs and credits. */
#include "unit/rating/price_support.h"

/* The same id at another price: two corrections of one name. */
#define OTHER_USAGE                                                            \
    "{'id': 'a', 'name': 'x', 'child_id': 'y', 'pricer_id': "                  \
    "'volume-tiered-price', 'category': 'regular', 'payment_term': "           \
    "'in_arrears', 'quantity': '1', 'per_unit_amount': '2', "                  \
    "'service_period': " PERIOD("01", "02") ", 'totals': {'amount': '1', "     \
    "'total': '1'}}"

static const refusal rate_refusals[] = {
    {MET_E_INVALID, "", ""},
    {MET_E_INVALID, "{}", "quantity"},
    {MET_E_INVALID, "{'quantity': 'x'}", "quantity"},
    {MET_E_INVALID, "{'quantity': 1.5}", "quantity"},
    {MET_E_INVALID, "{'quantity': null}", "quantity"},
    {MET_E_INVALID, "{'quantity': '1', 'more': '1'}", "more"},
    {MET_E_INVALID, "{'quantity': '1', 'is_first': 'yes'}", "is_first"},
    {MET_E_LIMIT, NULL, "json"},
    {MET_E_INVALID, "{'quantity': '1', 'currency': 'XYZ'}", "currency"},
    {MET_E_INVALID, "{'quantity': '1', 'credits': ['-1']}", "credits"},
    {MET_E_INVALID, "{'quantity': '1', 'credits': [1]}", "credits"},
    {MET_E_INVALID, "{'quantity': '1', 'credits': ['100']}", "credits"},
    {MET_E_INVALID, "{'quantity': '1', 'policies': {'x': 1}}", "policies.x"},
    {MET_E_INVALID, "{'quantity': '1', 'policies': {'unit_conversion': 1}}",
     "policies.unit_conversion"},
    {MET_E_INVALID, "{'quantity': '1', 'booked': [{}]}", "booked[0].name"},
    {MET_E_INVALID, "{'quantity': '1', 'earlier_runs': []}", "period"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': {}, 'period': " PERIOD("01", "02") "}",
     "earlier_runs"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [], 'period': " PERIOD("02", "01") "}",
     "period"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [], 'period': " PERIOD("02", "02") "}",
     "earlier_runs"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [{}], 'period': " PERIOD("02", "03")
     "}",
     "earlier_runs[0].period"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [{'period': " PERIOD("01", "02")
     "}], 'period': " PERIOD("02", "03") "}",
     "earlier_runs[0].quantity"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [{'quantity': '1', 'id': '', "
     "'period': " PERIOD("01", "02") "}], 'period': " PERIOD("02", "03") "}",
     "earlier_runs[0].id"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [], 'period': " PERIOD("02", "03")
     ", 'full_period': " PERIOD("01", "03") "}",
     "full_period"},
    {MET_E_INVALID,
     "{'quantity': '1', 'earlier_runs': [], 'period': " PERIOD("02", "03")
     ", 'booked': [" USAGE("'total': '1'") "]}",
     "booked"},
    {MET_E_UNSUPPORTED,
     "{'quantity': '1', 'earlier_runs': [], 'period': " PERIOD("02", "03")
     ", 'policies': {'round_at': 'total'}}",
     "earlier_runs"},
    {MET_E_UNSUPPORTED,
     "{'quantity': '1', 'booked': [], 'policies': {'round_at': 'total'}}",
     "booked"},
    {MET_E_INVALID, "{'quantity': '1', 'booked': [], 'credits': ['12']}",
     "credits"},
    {MET_E_INVALID, "{'quantity': '1', 'credits': ['x']}", "credits"},
    {MET_E_INVALID, "{'quantity': 'x', 'credits': ['1'], 'already_billed': "
                    "{'gross': '1', 'net': '2'}}",
     "quantity"},
    {MET_E_INVALID, "{'quantity': '1', 'already_billed': {'gross': '1'}}",
     "already_billed.net"},
    {MET_E_INVALID, "{'quantity': '1', 'groups': [{'value': 'x'}, {}]}",
     "groups[0].quantity"},
    {MET_E_INVALID,
     "{'quantity': '1', 'booked': [{'name': 'x', 'child_id': 'u', "
     "'category': 'regular', 'payment_term': 'in_arrears', 'quantity': '1', "
     "'per_unit_amount': '1', 'totals': {}}]}",
     "booked[0].id"},
    {MET_E_CONFLICT,
     "{'quantity': '1', 'earlier_runs': [{'quantity': '0', 'period': " PERIOD(
         "01", "02") "}], 'period': " PERIOD("02", "03") ", 'booked': [" USAGE(
         "'amount': '1', 'total': '1'") ", " OTHER_USAGE "]}",
     "booked"},
    {MET_E_OVERFLOW, "{'quantity': '9999999999999999999999999999999999'}",
     "quantity"},
};

static met__text too_long(void)
{
    size_t size = (size_t)MET__DOCUMENT_SIZE_MAX + 1;
    char *text = met__arena_allocate(&arena, size);

    assert_non_null(text);
    return met__text_of(text, size);
}

/* What may be there and says nothing. */
static void takes_empty_fields(void **state)
{
    met_price *price = create("{'type': 'unit', 'amount': '11'}");

    (void)state;
    assert_answer(
        price,
        "{'quantity': '-2', 'credits': [], 'events': null, 'groups': [], "
        "'already_billed': null, 'policies': {}, 'name': 'x'}",
        "{'lines':[],'totals':{'amount':'0.00','charges_total':'0.00',"
        "'discounts_total':'0.00','credits_total':'0.00','taxes_total':'0.00',"
        "'taxes_inclusive_total':'0.00','taxes_exclusive_total':'0.00',"
        "'total':'0.00'},'currency':'USD','quantity':'0','quantity_before':"
        "'0','unrated':'-2'}");
    met_price_destroy(price);
}

static void refuses_with_field_and_reason(void **state)
{
    met_price *price = create("{'type': 'unit', 'amount': '11'}");

    (void)state;
    for (size_t i = 0; i < sizeof rate_refusals / sizeof(refusal); i++) {
        met_buffer out = {0};
        met_error_info info = {.struct_size = sizeof info};
        met__text json = rate_refusals[i].json != NULL
                             ? json_of(rate_refusals[i].json)
                             : too_long();
        met_error error =
            met_price_rate(price, json.data, json.size, &out, &info);
        if (error != rate_refusals[i].error || out.data != NULL
            || strcmp(info.field, rate_refusals[i].field) != 0
            || info.reason[0] == '\0') {
            fail_msg("%s: %d %s: %s", json.data, error, info.field,
                     info.reason);
        }
    }
    met_price_destroy(price);
}

static const char *text_at(const met__node *object, const char *name)
{
    const met__node *node = met__node_get(object, name);

    assert_non_null(node);
    return node->as.text.data;
}

/* What was billed before: the amount that the policy says. */
static void takes_one_of_two_amounts(void **state)
{
    static const char *const rows[][2] = {
        {"net", "5.00"}, {"gross", "2.00"}, {NULL, "5.00"}};
    met_price *price = create("{'type': 'unit', 'amount': '1', "
                              "'commitments': {'maximum': '9'}}");

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        met_buffer out = {0};
        met__text request = json_of(met__arena_print(
            &arena, "{'quantity': '8', 'already_billed': {'gross': '7', "
                    "'net': '4'}%s%s%s}",
            rows[i][0] ? ", 'policies': {'already_billed': '" : "",
            rows[i][0] ? rows[i][0] : "", rows[i][0] ? "'}" : ""));
        assert_int_equal(
            met_price_rate(price, request.data, request.size, &out, NULL),
            MET_OK);
        assert_string_equal(
            text_at(met__node_get(node_of(out.data), "totals"), "total"),
            rows[i][1]);
        met_buffer_release(&out);
    }
    met_price_destroy(price);
}

/* Credits go over what is left to pay, not over the whole. */
static void credits_pay_the_difference(void **state)
{
    met_price *price = create("{'type': 'unit', 'amount': '1'}");
    met_buffer out = {0};
    met__text request = json_of(
        "{'quantity': '15', 'credits': ['4'], 'booked': [{'id': 'a', 'name': "
        "'x', 'child_id': 'unit-price-usage', 'category': 'regular', "
        "'payment_term': 'in_arrears', 'quantity': '10', 'per_unit_amount': "
        "'1', 'totals': {'amount': '10', 'total': '10'}}]}");

    (void)state;
    assert_int_equal(
        met_price_rate(price, request.data, request.size, &out, NULL), MET_OK);
    const met__node *totals = met__node_get(node_of(out.data), "totals");
    assert_string_equal(text_at(totals, "amount"), "5.00");
    assert_string_equal(text_at(totals, "credits_total"), "4.00");
    assert_string_equal(text_at(totals, "total"), "1.00");
    met_buffer_release(&out);
    met_price_destroy(price);
}

static void lines_lie_on_their_run(void **state)
{
    met_price *price = create("{'type': 'volume', 'tiers': [{'unit': '1'}]}");
    met_buffer out = {0};
    met__text request = json_of(
        "{'quantity': '5', 'period': " PERIOD("02", "03")
        ", 'earlier_runs': [{'id': 'one', 'quantity': '3', 'period': " PERIOD(
            "01", "02") "}], 'booked': [" USAGE("'amount': '1', 'total': '1'")
        "]}");

    (void)state;
    assert_int_equal(
        met_price_rate(price, request.data, request.size, &out, NULL), MET_OK);
    const met__node *lines = met__node_get(node_of(out.data), "lines");
    assert_int_equal(lines->count, 2);
    const met__node *late = lines->as.items[0];
    const met__node *period = met__node_get(late, "service_period");
    assert_string_equal(text_at(late, "corrects_run_id"), "one");
    assert_string_equal(text_at(late, "pricer_id"), "volume-tiered-price");
    assert_string_equal(text_at(late, "quantity"), "2");
    assert_string_equal(text_at(period, "from"), "2026-01-01T00:00:00Z");
    assert_string_equal(text_at(period, "to"), "2026-01-02T00:00:00Z");
    assert_null(met__node_get(lines->as.items[1], "corrects_run_id"));
    assert_string_equal(
        text_at(lines->as.items[1], "child_id"),
        "volume-tiered-price@[2026-01-02T00:00:00Z..2026-01-03T00:00:00Z]");
    met_buffer_release(&out);
    met_price_destroy(price);
}

/* Without runs a booked line's own period does not matter. */
static void periods_need_runs(void **state)
{
    met_price *price = create("{'type': 'volume', 'tiers': [{'unit': '1'}]}");
    met_buffer out = {0};
    met__text request = json_of("{'quantity': '5', 'booked': [" USAGE(
        "'amount': '1', 'total': '1'") "]}");

    (void)state;
    assert_int_equal(
        met_price_rate(price, request.data, request.size, &out, NULL), MET_OK);
    const met__node *lines = met__node_get(node_of(out.data), "lines");
    assert_int_equal(lines->count, 1);
    assert_string_equal(text_at(lines->as.items[0], "child_id"),
                        "volume-tiered-price");
    assert_null(met__node_get(lines->as.items[0], "service_period"));
    met_buffer_release(&out);
    met_price_destroy(price);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_with_field_and_reason,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(takes_empty_fields, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(takes_one_of_two_amounts,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(credits_pay_the_difference,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(lines_lie_on_their_run, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(periods_need_runs, begin_memory,
                                        end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Prices as handles, through the public calls: documents in and out. */
#include "unit/rating/price_support.h"

#define ZEROS                                                                  \
    "'credits_total':'0.00','taxes_total':'0.00',"                             \
    "'taxes_inclusive_total':'0.00','taxes_exclusive_total':'0.00'"

static void answers_lines_and_totals(void **state)
{
    met_price *price = create("{'type': 'package', 'amount': '1', "
                              "'quantity_per_package': '5000'}");

    assert_answer(
        price, "{'quantity': '5001', 'name': 'example_service'}",
        "{'lines':[{'name':'example_service: usage in period',"
        "'child_id':'usage','explanation':'2 packages of 5000 x 1',"
        "'category':'regular','payment_term':'in_arrears','index':0,"
        "'quantity':'2','per_unit_amount':'1.00','totals':{'amount':'2.00',"
        "'charges_total':'0.00','discounts_total':'0.00'," ZEROS
        ",'total':'2.00'}}],'totals':{'amount':'2.00',"
        "'charges_total':'0.00','discounts_total':'0.00'," ZEROS
        ",'total':'2.00'},'currency':'USD','quantity':'5001',"
        "'quantity_before':'0'}");
    met_price_destroy(price);
}

static void rates_a_card_with_everything(void **state)
{
    met_price *price = create(
        "{'name': 'Storage', 'price': {'type': 'unit', 'amount': '0.5', "
        "'commitments': {'minimum': '10'}}, 'discounts': {'usage': "
        "{'quantity': '1', 'correlation_id': 'U'}, 'percentage': "
        "{'percentage': '50', 'correlation_id': 'P'}}, 'unit_config': "
        "{'operation': 'divide', 'conversion_factor': '1000', 'rounding': "
        "'ceiling'}, 'currency': {'type': 'custom', 'code': 'TOKENS', "
        "'name': 'Tokens', 'precision': 0}}");

    assert_answer(
        price, "{'quantity': '10001', 'credits': ['3']}",
        "{'lines':[{'name':'Storage: usage in period',"
        "'child_id':'unit-price-usage','explanation':'10 x 0.5',"
        "'category':'regular','payment_term':'in_arrears','index':0,"
        "'quantity':'10','per_unit_amount':'0.5','discounts':[{'child_id':"
        "'rateCardDiscount/correlationID=P','reason':'ratecard_percentage',"
        "'amount':'3'}],'credits_applied':['2'],'totals':{'amount':'5',"
        "'charges_total':'0','discounts_total':'3','credits_total':'2',"
        "'taxes_total':'0','taxes_inclusive_total':'0',"
        "'taxes_exclusive_total':'0','total':'0'}},{'name':"
        "'Storage: minimum spend','child_id':'min-spend','explanation':"
        "'minimum 10, billed 2','category':'commitment','payment_term':"
        "'in_arrears','index':1,'period':'full','quantity':'1',"
        "'per_unit_amount':'8','credits_applied':['1'],'totals':{'amount':"
        "'0','charges_total':'8','discounts_total':'0','credits_total':'1',"
        "'taxes_total':'0','taxes_inclusive_total':'0',"
        "'taxes_exclusive_total':'0','total':'7'}}],'totals':{'amount':'5',"
        "'charges_total':'8','discounts_total':'3','credits_total':'3',"
        "'taxes_total':'0','taxes_inclusive_total':'0',"
        "'taxes_exclusive_total':'0','total':'7'},'currency':'TOKENS',"
        "'quantity':'10','quantity_before':'0','usage_discount':{'child_id':"
        "'rateCardDiscount/correlationID=U','quantity':'1',"
        "'quantity_before':'0'}}");
    met_price_destroy(price);
}

/* What was billed is subtracted; ids and corrections are in the child ids. */
static void subtracts_booked_lines(void **state)
{
    met_price *price = create("{'type': 'dynamic', 'multiplier': '1'}");
    met_buffer out = {0};
    met__text request = json_of(
        "{'quantity': '15', 'booked': [{'id': 'line-7', 'name': 'x', "
        "'child_id': 'usage', 'category': 'regular', 'payment_term': "
        "'in_arrears', 'quantity': '1', 'per_unit_amount': '10', 'totals': "
        "{'amount': '10', 'total': '10'}}]}");

    assert_int_equal(
        met_price_rate(price, request.data, request.size, &out, NULL), MET_OK);
    const met__node *answer = node_of(out.data);
    const met__node *lines = met__node_get(answer, "lines");
    assert_int_equal(lines->count, 2);
    assert_string_equal(
        met__node_get(lines->as.items[1], "child_id")->as.text.data,
        "usage#correction:detailed_line_id=line-7");
    assert_string_equal(
        met__node_get(met__node_get(answer, "totals"), "total")->as.text.data,
        "5.00");
    met_buffer_release(&out);
    met_price_destroy(price);
}

/* Two lines of one name, and a difference that is too long. */
static void says_why_booked_lines_do_not_fit(void **state)
{
#define BOOKED(unit, amount)                                                   \
    "{'id': 'a', 'name': 'x', 'child_id': 'usage', 'category': 'regular', "    \
    "'payment_term': 'in_arrears', 'quantity': '1', 'per_unit_amount': '" unit \
    "', 'totals': {'amount': '" amount "', 'total': '" amount "'}}"
    static const struct {
        const char *request;
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"{'quantity': '0', 'booked': [" BOOKED("1", "1") ", " BOOKED(
             "2", "2") "]}",
         MET_E_CONFLICT, "booked", "gives two lines with one child_id"},
        {"{'quantity': '0', 'booked': [" BOOKED(
             "1", "9999999999999999999999999999999999") ", " BOOKED(
             "1", "9999999999999999999999999999999999") "]}",
         MET_E_OVERFLOW, "booked", "cannot be subtracted"},
    };
    met_price *price = create("{'type': 'unit', 'amount': '1'}");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        met_buffer out = {0};
        met__text request = json_of(rows[i].request);
        assert_int_equal(met_price_rate(price, request.data, request.size, &out,
                                        &info),
                         rows[i].error);
        assert_string_equal(info.field, rows[i].field);
        assert_string_equal(info.reason, rows[i].reason);
        assert_null(out.data);
    }
    met_price_destroy(price);
}

static const refusal create_refusals[] = {
    {MET_E_INVALID, "", ""},
    {MET_E_INVALID, "[]", ""},
    {MET_E_INVALID, "null", ""},
    {MET_E_INVALID, "{'type': 'unit', 'amount': '1'", ""},
    {MET_E_INVALID, "{'type': 'unit', 'amount': '1', 'amount': '2'}", ""},
    {MET_E_INVALID, "{'type': 'unit', 'amount': '-1'}", "price.amount"},
    {MET_E_INVALID, "{'price': null}", "price"},
    {MET_E_INVALID, "{'price': {'type': 'free'}, 'extra': 1}", "extra"},
    {MET_E_INVALID, "{'price': {'type': 'free'}, 'currency': 'usd'}",
     "currency"},
    {MET_E_INVALID, "{'price': {'type': 'free'}, 'currency': 7}", "currency"},
    {MET_E_INVALID, "{'price': {'type': 'free'}, 'name': 'a\\u0001'}", "name"},
    {MET_E_INVALID,
     "{'price': {'type': 'flat', 'amount': '1'}, 'discounts': {'usage': "
     "'1'}}",
     "discounts.usage"},
    {MET_E_INVALID,
     "{'price': {'type': 'unit', 'amount': '1'}, 'discounts': "
     "{'percentage': '100.01'}}",
     "discounts.percentage"},
    {MET_E_INVALID,
     "{'price': {'type': 'free'}, 'unit_config': {'operation': 'divide', "
     "'conversion_factor': '2'}}",
     "unit_config"},
    {MET_E_OVERFLOW,
     "{'type': 'unit', 'amount': '12345678901234567890123456789012345'}",
     "price.amount"},
};

static void refuses_with_field_and_reason(void **state)
{
    for (size_t i = 0; i < sizeof create_refusals / sizeof(refusal); i++) {
        met_price *price = NULL;
        met_error_info info = {.struct_size = sizeof info};
        met__text json = json_of(create_refusals[i].json);
        met_error error =
            met_price_create(json.data, json.size, NULL, &price, &info);
        if (error != create_refusals[i].error || price != NULL
            || strcmp(info.field, create_refusals[i].field) != 0
            || info.reason[0] == '\0') {
            fail_msg("%s: %d %s: %s", json.data, error, info.field,
                     info.reason);
        }
    }
}

/* code field; of every issue. */
static const char *issues_of(const char *json)
{
    met_buffer out = {0};
    met_error_info info = {.struct_size = sizeof info};
    met__text text = json_of(json);
    const char *list = "";

    if (met_price_check(text.data, text.size, NULL, &out, &info) != MET_OK) {
        return met__arena_print(&arena, "%s %s", met_error_name(info.code),
                                info.field);
    }
    const met__node *issues = met__node_get(node_of(out.data), "issues");
    for (uint32_t i = 0; i < issues->count; i++) {
        const met__node *issue = issues->as.items[i];
        assert_non_null(met__node_get(issue, "message"));
        assert_non_null(met__node_get(issue, "severity"));
        list = met__arena_print(
            &arena, "%s%s%s %s", list, i ? "; " : "",
            met__node_get(issue, "code")->as.text.data,
            met__node_get(issue, "field")->as.text.data);
    }
    met_buffer_release(&out);
    return list;
}

static void lists_everything_at_once(void **state)
{
    static const char *const rows[][2] = {
        {"{'type': 'unit', 'amount': '1'}", ""},
        {"{'price': {'type': 'free'}, 'name': 'n', 'currency': 'JPY'}", ""},
        {"[]", "MET_E_INVALID "},
        {"{", "MET_E_INVALID "},
        {"{'price': {'type': 'graduated', 'tiers': [{'up_to': '-1'}, "
         "{'up_to': '2', 'unit': 'x'}], 'commitments': {'minimum': '3', "
         "'maximum': '2'}}, 'discounts': {'percentage': '101'}, "
         "'unit_config': {'operation': 'divide', 'conversion_factor': '0'}, "
         "'colour': 'red'}",
         "price_document_invalid colour; "
         "price_tier_up_to_invalid price.tiers[0].up_to; "
         "price_tier_without_price price.tiers[0].unit; "
         "price_tier_amount_invalid price.tiers[1].unit; "
         "price_minimum_above_maximum price.commitments.minimum; "
         "percentage_discount_invalid_value discounts.percentage; "
         "unit_config_factor_invalid unit_config.conversion_factor"},
        {"{'price': {'type': 'flat', 'amount': '1'}, 'discounts': {'usage': "
         "'1'}, 'unit_config': {'operation': 'divide', 'conversion_factor': "
         "'2'}, 'currency': 'usd'}",
         "price_document_invalid currency; usage_discount_with_flat_price "
         "discounts.usage; unit_config_requires_usage_based_price "
         "unit_config"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(issues_of(rows[i][0]), rows[i][1]);
    }
}

/* A list nobody knows fills the block, a name moves what comes behind it. */
static met__text filled_card(unsigned count, int pad)
{
    char *list = met__arena_allocate(&arena, 4 * count + 1);

    assert_non_null(list);
    for (unsigned i = 0; i < count; i++) {
        memcpy(list + 4 * i, i ? ",'0'" : " '0'", 4);
    }
    return json_of(met__arena_print(
        &arena, "{'name': '%0*u', 'x': [%s], 'price': {'type': 'unit', "
                "'amount': '-1'}}",
        pad, 7u, list));
}

static void checks_with_failing_memory(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 5 * 400; at++) {
        met__text json = filled_card(at / 5 + 1, (int)(at % 5) * 16 + 1);
        for (long fail_at = 1, is_done = 0; !is_done; fail_at++) {
            faulty_memory memory = {.fail_at = fail_at};
            met_platform caller = {.struct_size = sizeof caller};
            met_error_info info = {.struct_size = sizeof info};
            met_buffer out = {0};
            caller.allocator =
                (met_allocator){&memory, faulty_allocate, faulty_reallocate,
                                faulty_release};
            met_error error =
                met_price_check(json.data, json.size, &caller, &out, &info);
            is_done = memory.calls < fail_at;
            assert_int_equal(error, is_done ? MET_OK : MET_E_NO_MEMORY);
            assert_int_equal(info.code, error);
            met_buffer_release(&out);
            assert_int_equal(memory.live, 0);
        }
        met__arena_release(&arena);
    }
}

static void refuses_missing_arguments(void **state)
{
    met_price *price = NULL;
    met_buffer out = {0};
    met_decimal one = met__decimal_from_i64(1);
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met_price_create(NULL, 0, NULL, &price, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "json");
    assert_int_equal(met_price_create("{}", 2, NULL, NULL, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "price_out");
    assert_int_equal(met_price_check(NULL, 0, NULL, &out, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "json");
    assert_int_equal(met_price_check("{}", 2, NULL, NULL, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "json_out");
    price = create("{'type': 'unit', 'amount': '2'}");
    assert_int_equal(met_price_rate(NULL, "{}", 2, &out, &info), MET_E_INVALID);
    assert_string_equal(info.field, "price");
    assert_int_equal(met_price_rate(price, NULL, 2, &out, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "json");
    assert_int_equal(met_price_rate(price, "{}", 2, NULL, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "json_out");
    assert_int_equal(met_price_rate_batch(NULL, &one, 1, &one, &info),
                     MET_E_INVALID);
    assert_int_equal(met_price_rate_batch(price, NULL, 1, &one, &info),
                     MET_E_INVALID);
    assert_int_equal(met_price_rate_batch(price, &one, 1, NULL, &info),
                     MET_E_INVALID);
    assert_int_equal(
        met_price_rate_batch(price, &one, MET_PRICE_BATCH_MAX + 1, &one, &info),
        MET_E_LIMIT);
    assert_int_equal(met_price_rate_batch(price, NULL, 0, NULL, &info), MET_OK);
    met_price_destroy(price);
    met_price_destroy(NULL);
}

static void rates_many_quantities(void **state)
{
    enum { COUNT = 200 };
    met_price *price = create("{'type': 'package', 'amount': '3', "
                              "'quantity_per_package': '10'}");
    met_decimal values[COUNT];
    met_error_info info = {.struct_size = sizeof info};

    for (int i = 0; i < COUNT; i++) {
        values[i] = met__decimal_from_i64(i);
    }
    assert_int_equal(met_price_rate_batch(price, values, COUNT, values, &info),
                     MET_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(met__decimal_compare(values[i], met__decimal_from_i64(
                                                             (i + 9) / 10 * 3)),
                         0);
    }
    /* One bad item: nothing is written. */
    met_decimal bad[2] = {met__decimal_from_i64(1),
                          {{0, UINT64_C(0x7800000000000000)}}};
    met_decimal out[2] = {met__decimal_from_i64(77), met__decimal_from_i64(78)};
    assert_int_equal(met_price_rate_batch(price, bad, 2, out, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "quantities[1]");
    assert_string_equal(info.reason, "is not a decimal");
    met_price *dear = create("{'type': 'unit', 'amount': '1.5'}");
    bad[1] = decimal_of("9999999999999999999999999999999999");
    assert_int_equal(met_price_rate_batch(dear, bad, 2, out, &info),
                     MET_E_OVERFLOW);
    assert_string_equal(info.field, "quantities[1]");
    assert_string_equal(info.reason,
                        "times the price needs more than 34 digits");
    assert_int_equal(met__decimal_compare(out[0], met__decimal_from_i64(77)),
                     0);
    met_price_destroy(dear);
    met_price_destroy(price);
}

/* A batch makes no texts, and yet comes to the same amount or error as the
 * lines that have some; also where a number is too long for a text. */
static void batches_agree_with_single_quantities(void **state)
{
    static const char *const cards[] = {
        "{'type': 'flat', 'amount': '9.99'}",
        "{'type': 'unit', 'amount': '0.0123'}",
        "{'type': 'unit', 'amount': '1e-40'}",
        "{'type': 'package', 'amount': '1', 'quantity_per_package': '7'}",
        "{'type': 'dynamic', 'multiplier': '1.15'}",
        "{'type': 'graduated', 'tiers': [{'up_to': '10', 'unit': '0.5', "
        "'flat': '5'}, {'unit': '0.1', 'flat': '1'}], 'commitments': "
        "{'minimum': '7', 'maximum': '20'}}",
        "{'type': 'graduated_percentage', 'tiers': [{'percentage': '2'}]}",
        "{'type': 'volume', 'tiers': [{'up_to': '10', 'unit': '0.5', 'flat': "
        "'3'}, {'unit': '0.25'}]}",
        "{'type': 'stairstep', 'tiers': [{'up_to': '10', 'flat': '5'}, "
        "{'flat': '50'}]}",
        "{'type': 'percentage', 'percentage': '2.9', 'free_units': '5'}",
        "{'type': 'matrix', 'dimension': 'd', 'values': [{'value': 'x', "
        "'amount': '1'}]}",
        "{'price': {'type': 'unit', 'amount': '1e40'}, 'discounts': "
        "{'percentage': '10', 'usage': '2'}}",
        "{'price': {'type': 'unit', 'amount': '1'}, 'unit_config': "
        "{'operation': 'multiply', 'conversion_factor': '1e-40'}}",
        "{'price': {'type': 'unit', 'amount': '1'}, 'unit_config': "
        "{'operation': 'multiply', 'conversion_factor': '1e40'}}",
    };
    static const char *const quantities[] = {"0",     "1",    "10", "10.5",
                                             "12345", "1e30", "1e-40",
                                             "1.2345678901234567e-40", "-3"};
    int same = 0;
    int refused = 0;

    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++) {
        met_price *price = create(cards[i]);
        for (size_t k = 0; k < sizeof quantities / sizeof *quantities; k++) {
            met_decimal value = decimal_of(quantities[k]);
            met_buffer out = {0};
            met__text request = json_of(
                met__arena_print(&arena, "{'quantity': '%s'}", quantities[k]));
            met_error single = met_price_rate(price, request.data,
                                              request.size, &out, NULL);
            assert_int_equal(met_price_rate_batch(price, &value, 1, &value,
                                                  NULL),
                             single);
            if (single == MET_OK) {
                const met__node *totals = met__node_get(node_of(out.data),
                                                        "totals");
                assert_int_equal(
                    met__decimal_compare(
                        decimal_of(met__node_get(totals, "total")
                                       ->as.text.data),
                        value),
                    0);
            }
            same += single == MET_OK;
            refused += single != MET_OK;
            met_buffer_release(&out);
        }
        met_price_destroy(price);
    }
    assert_true(same > 80 && refused > 8);
}

static void survives_failing_memory(void **state)
{
    static const char json[] =
        "{\"price\": {\"type\": \"graduated\", \"tiers\": [{\"unit\": "
        "\"1\"}]}, \"discounts\": {\"percentage\": \"1\"}, \"unit_config\": "
        "{\"operation\": \"divide\", \"conversion_factor\": \"3\"}}";
    static const char request[] =
        "{\"quantity\": \"10\", \"credits\": [\"1\"], \"booked\": []}";
    faulty_memory memory = {0};
    met_platform caller = {.struct_size = sizeof caller};
    met_decimal one = met__decimal_from_i64(1);

    caller.allocator = (met_allocator){&memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    for (memory.fail_at = 1;; memory.fail_at++) {
        met_price *price = NULL;
        met_buffer out = {0};

        memory.calls = 0;
        met_error error =
            met_price_create(json, sizeof json - 1, &caller, &price, NULL);
        if (error == MET_OK) {
            error =
                met_price_rate(price, request, sizeof request - 1, &out, NULL);
        }
        if (error == MET_OK) {
            error = met_price_rate_batch(price, &one, 1, &one, NULL);
        }
        met_buffer_release(&out);
        met_price_destroy(price);
        assert_int_equal(memory.live, 0);
        if (memory.calls < memory.fail_at) {
            assert_int_equal(error, MET_OK);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
    }
    assert_true(memory.fail_at > 3);
}

/* Every price with all that a request can say. */
static void survives_failing_memory_with_every_price(void **state)
{
    static const char *const rows[][2] = {
        {"{'price': {'type': 'flat', 'amount': '31'}}",
         "{'quantity': '1', 'period': {'from': '2025-01-01T00:00:00Z', 'to': "
         "'2025-01-02T00:00:00Z'}, 'full_period': {'from': "
         "'2025-01-01T00:00:00Z', 'to': '2025-02-01T00:00:00Z'}}"},
        {"{'price': {'type': 'matrix', 'dimension': 'd', 'values': "
         "[{'value': 'x', 'amount': '1'}], 'default_amount': '2'}}",
         "{'quantity': '3', 'groups': [{'value': 'x', 'quantity': '1'}, "
         "{'value': 'y', 'quantity': '2'}], 'policies': {'preset': 'lago'}}"},
        {"{'price': {'type': 'percentage', 'percentage': '1', "
         "'fixed_amount': '1', 'commitments': {'minimum': '90'}}}",
         "{'quantity': '3', 'events': '2', 'already_billed': {'gross': '1', "
         "'net': '1'}}"},
        {"{'type': 'package', 'amount': '1', 'quantity_per_package': '2'}",
         "{'quantity': '3', 'booked': [{'id': 'a', 'name': 'x', 'child_id': "
         "'usage', 'category': 'regular', 'payment_term': 'in_arrears', "
         "'quantity': '1', 'per_unit_amount': '7', 'discounts': "
         "[{'child_id': 'd', 'reason': 'maximum_spend', 'amount': '1'}], "
         "'credits_applied': ['2', '1'], 'totals': {'amount': '7', "
         "'discounts_total': '1', 'credits_total': '3', 'total': '3'}}]}"},
        {"{'price': {'type': 'dynamic', 'multiplier': '2'}, 'discounts': "
         "{'usage': '1'}}",
         "{'quantity': '3'}"},
        {"{'type': 'stairstep', 'tiers': [{'flat': '1'}]}",
         "{'quantity': '3'}"},
        {"{'type': 'volume', 'tiers': [{'up_to': '2', 'unit': '1'}, {'unit': "
         "'3'}]}",
         "{'quantity': '3', 'credits': ['1'], 'period': " PERIOD("03", "04")
         ", 'earlier_runs': [{'id': 'r', 'period': " PERIOD("01", "02")
         ", 'quantity': '1'}, {'period': " PERIOD("02", "03")
         ", 'quantity': '2'}], 'booked': [" USAGE("'amount': '1', 'total': '1'")
         "]}"},
        {"{'type': 'volume', 'tiers': [{'flat': '1', 'unit': '1'}]}",
         "{'quantity': '3'}"},
    };
    faulty_memory memory = {0};
    met_platform caller = {.struct_size = sizeof caller};

    caller.allocator = (met_allocator){&memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__text json = json_of(rows[i][0]);
        met__text request = json_of(rows[i][1]);
        for (memory.fail_at = 1;; memory.fail_at++) {
            met_price *price = NULL;
            met_buffer out = {0};

            memory.calls = 0;
            met_error error = met_price_create(json.data, json.size, &caller,
                                               &price, NULL);
            if (error == MET_OK) {
                error = met_price_rate(price, request.data, request.size, &out,
                                       NULL);
            }
            met_buffer_release(&out);
            met_price_destroy(price);
            assert_int_equal(memory.live, 0);
            if (memory.calls < memory.fail_at) {
                assert_int_equal(error, MET_OK);
                break;
            }
            assert_int_equal(error, MET_E_NO_MEMORY);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_lines_and_totals, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(rates_a_card_with_everything,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(subtracts_booked_lines, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(says_why_booked_lines_do_not_fit,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(lists_everything_at_once,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(checks_with_failing_memory,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_with_field_and_reason,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_missing_arguments, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(rates_many_quantities, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(batches_agree_with_single_quantities,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(survives_failing_memory, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(
            survives_failing_memory_with_every_price, begin_memory, end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

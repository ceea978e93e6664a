/* Prices out of documents: what is read, and every rule that refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "catalog/price.h"
#include "support/faults.h"

static met__platform platform;
static met__arena arena;
static const met__path root = {NULL, "price", 0};

static int setup(void **state)
{
    met__arena_init(&arena, &platform);
    return 0;
}

static int teardown(void **state)
{
    met__arena_release(&arena);
    return 0;
}

static const met__node *parse(const char *json)
{
    met__node *node = NULL;
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met__json_parse(&arena, met__text_z(json), &node, &info);

    if (error != MET_OK) {
        fail_msg("%s: %s", json, info.reason);
    }
    return node;
}

static met__price *read_price(const char *json)
{
    met__price *price = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__price_read(parse(json), &root, &arena, &price, &info) != MET_OK) {
        fail_msg("%s: %s %s", json, info.field, info.reason);
    }
    return price;
}

static void assert_decimal(met_decimal value, const char *expected)
{
    met_decimal wanted;

    assert_int_equal(met__decimal_parse(met__text_z(expected), &wanted), 0);
    assert_int_equal(met__decimal_compare(value, wanted), 0);
}

/* --- What is read --------------------------------------------------------- */
static void reads_every_type(void **state)
{
    met__price *price = read_price("{\"type\": \"free\"}");
    assert_int_equal(price->type, MET__PRICE_FREE);

    price = read_price("{\"type\": \"flat\", \"amount\": \"12.50\"}");
    assert_int_equal(price->type, MET__PRICE_FLAT);
    assert_int_equal(price->term, MET__TERM_IN_ARREARS);
    assert_decimal(price->amount, "12.5");

    price = read_price("{\"type\": \"flat\", \"amount\": 3, "
                       "\"payment_term\": \"in_advance\"}");
    assert_int_equal(price->term, MET__TERM_IN_ADVANCE);
    assert_decimal(price->amount, "3");

    price = read_price("{\"type\": \"unit\", \"amount\": \"0.000000000001\"}");
    assert_int_equal(price->type, MET__PRICE_UNIT);
    assert_int_equal(price->term, MET__TERM_IN_ARREARS);
    assert_decimal(price->amount, "1e-12");
    assert_false(price->has_minimum);
    assert_false(price->has_maximum);

    price = read_price("{\"type\": \"package\", \"amount\": \"1\", "
                       "\"quantity_per_package\": \"5000\", \"commitments\": "
                       "{\"minimum\": \"7\", \"maximum\": \"9\"}}");
    assert_int_equal(price->type, MET__PRICE_PACKAGE);
    assert_decimal(price->quantity_per_package, "5000");
    assert_true(price->has_minimum);
    assert_decimal(price->minimum, "7");
    assert_true(price->has_maximum);
    assert_decimal(price->maximum, "9");

    price = read_price("{\"type\": \"dynamic\", \"multiplier\": \"1.3\"}");
    assert_int_equal(price->type, MET__PRICE_DYNAMIC);
    assert_decimal(price->multiplier, "1.3");
}

static void reads_percentages_and_values(void **state)
{
    met__price *price = read_price("{\"type\": \"percentage\", "
                                   "\"percentage\": \"2.9\"}");

    assert_int_equal(price->type, MET__PRICE_PERCENTAGE);
    assert_decimal(price->ratio, "0.029");
    price = read_price("{\"type\": \"percentage\", \"percentage\": \"100\", "
                       "\"fixed_amount\": \"0.3\", \"free_units\": \"5\", "
                       "\"free_events\": \"2\"}");
    assert_decimal(price->ratio, "1");
    assert_decimal(price->amount, "0.3");
    assert_decimal(price->free_units, "5");
    assert_decimal(price->free_events, "2");
    price = read_price("{\"type\": \"graduated_percentage\", \"tiers\": "
                       "[{\"percentage\": \"1.5\"}]}");
    assert_decimal(price->tiers[0].unit, "0.015");
    assert_false(price->tiers[0].has_flat);
    price = read_price("{\"type\": \"matrix\", \"dimension\": \"region\", "
                       "\"values\": [{\"value\": \"\", \"amount\": \"1\"}]}");
    assert_int_equal(price->value_count, 1);
    assert_int_equal(price->values[0].value.size, 0);
    assert_false(price->has_default);
}

static void sorts_tiers_and_keeps_their_parts(void **state)
{
    met__price *price =
        read_price("{\"type\": \"tiered\", \"mode\": \"volume\", \"tiers\": ["
                   "{\"unit\": \"3\"}, {\"up_to\": \"10\", \"flat\": \"2\"}, "
                   "{\"up_to\": null, \"flat\": \"4\"}, "
                   "{\"up_to\": \"9.5\", \"unit\": \"0\", \"flat\": \"1\"}]}");

    assert_int_equal(price->type, MET__PRICE_VOLUME);
    assert_int_equal(price->tier_count, 4);
    assert_decimal(price->tiers[0].up_to, "9.5");
    assert_true(price->tiers[0].has_unit);
    assert_true(price->tiers[0].has_flat);
    assert_decimal(price->tiers[1].up_to, "10");
    assert_false(price->tiers[1].has_unit);
    assert_decimal(price->tiers[1].flat, "2");
    /* Open ends keep their order. */
    assert_false(price->tiers[2].has_up_to);
    assert_true(price->tiers[2].has_unit);
    assert_false(price->tiers[3].has_up_to);
    assert_decimal(price->tiers[3].flat, "4");

    assert_int_equal(read_price("{\"type\": \"graduated\", \"tiers\": "
                                "[{\"unit\": \"1\"}]}")
                         ->type,
                     MET__PRICE_GRADUATED);
    assert_int_equal(read_price("{\"type\": \"volume\", \"tiers\": "
                                "[{\"unit\": \"1\"}]}")
                         ->type,
                     MET__PRICE_VOLUME);
    assert_int_equal(read_price("{\"type\": \"tiered\", \"mode\": "
                                "\"graduated\", \"tiers\": "
                                "[{\"unit\": \"1\"}]}")
                         ->type,
                     MET__PRICE_GRADUATED);
}

static void takes_what_the_peer_takes(void **state)
{
    /* Bounds of 0, several open ends, maximum 0 below a minimum. */
    met__price *price = read_price(
        "{\"type\": \"graduated\", \"tiers\": [{\"up_to\": \"0\", \"flat\": "
        "\"5\"}, {\"up_to\": \"0\", \"flat\": \"6\"}, {\"unit\": \"1\"}, "
        "{\"unit\": \"2\"}], \"commitments\": {\"minimum\": \"100\", "
        "\"maximum\": \"0\"}}");
    assert_int_equal(price->tier_count, 4);
    assert_decimal(price->tiers[0].flat, "5");
    assert_decimal(price->tiers[1].flat, "6");
}

static void takes_up_to_64_tiers(void **state)
{
    for (int count = MET__TIERS_MAX - 1; count <= MET__TIERS_MAX + 1; count++) {
        met__buffer json;
        met__price *price = NULL;
        met_error_info info = {.struct_size = sizeof info};

        met__buffer_init(&json, &platform);
        met__buffer_text(&json, "{\"type\": \"volume\", \"tiers\": [");
        for (int i = count; i > 1; i--) {
            met__buffer_print(&json, "{\"up_to\": \"%d\", \"unit\": \"1\"}, ",
                              i);
        }
        met__buffer_text(&json, "{\"unit\": \"1\"}]}");
        met_error error =
            met__price_read(parse(json.data), &root, &arena, &price, &info);
        met__buffer_release(&json);
        if (count > MET__TIERS_MAX) {
            assert_int_equal(error, MET_E_INVALID);
            assert_string_equal(info.field, "price.tiers");
            continue;
        }
        assert_int_equal(error, MET_OK);
        for (int i = 0; i + 1 < count; i++) {
            assert_int_equal(met__decimal_compare(price->tiers[i].up_to,
                                                  met__decimal_from_i64(i + 2)),
                             0);
        }
    }
}

/* --- What is refused ------------------------------------------------------ */
typedef struct refusal {
    const char *why; /* the code; "…; N more" counts the others */
    const char *json;
    const char *field;
} refusal;

#define TIERS(list) "{\"type\": \"graduated\", \"tiers\": [" list "]}"
#define UNIT(rest) "{\"type\": \"unit\", \"amount\": \"1\"" rest "}"

static const refusal price_refusals[] = {
    {"(price_invalid)", "[]", "price"},
    {"(price_invalid)", "\"free\"", "price"},
    {"(price_type_invalid)", "{}", "price.type"},
    {"(price_type_invalid)", "{\"type\": \"Flat\"}", "price.type"},
    {"(price_type_invalid)", "{\"type\": 1, \"amount\": \"-1\"}", "price.type"},
    {"(price_field_unknown)", "{\"type\": \"free\", \"amount\": \"1\"}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\"}", "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\", \"amount\": null}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\", \"amount\": \"-0.01\"}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\", \"amount\": -1}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\", \"amount\": 1.5}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\", \"amount\": \"NaN\"}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"flat\", \"amount\": \"\"}",
     "price.amount"},
    {"(price_amount_invalid)", "{\"type\": \"unit\", \"amount\": {}}",
     "price.amount"},
    {"(price_amount_invalid; 1 more)",
     "{\"type\": \"flat\", \"amount\": \"-1000\", \"payment_term\": "
     "\"invalid\"}",
     "price.amount"},
    {"(price_payment_term_invalid)",
     "{\"type\": \"flat\", \"amount\": \"1\", \"payment_term\": \"later\"}",
     "price.payment_term"},
    {"(price_field_unknown)",
     "{\"type\": \"flat\", \"amount\": \"1\", \"commitments\": {}}",
     "price.commitments"},
    {"(price_field_unknown)", UNIT(", \"payment_term\": \"in_arrears\""),
     "price.payment_term"},
    {"(price_package_quantity_invalid)",
     "{\"type\": \"package\", \"amount\": \"1\"}",
     "price.quantity_per_package"},
    {"(price_package_quantity_invalid)",
     "{\"type\": \"package\", \"amount\": \"1\", \"quantity_per_package\": "
     "\"0.0\"}",
     "price.quantity_per_package"},
    {"(price_package_quantity_invalid)",
     "{\"type\": \"package\", \"amount\": \"1\", \"quantity_per_package\": "
     "\"-5\"}",
     "price.quantity_per_package"},
    {"(price_multiplier_invalid)",
     "{\"type\": \"dynamic\", \"multiplier\": \"-1\"}", "price.multiplier"},
    {"(price_multiplier_invalid)", "{\"type\": \"dynamic\"}",
     "price.multiplier"},
    {"(price_tiers_invalid)", "{\"type\": \"graduated\"}", "price.tiers"},
    {"(price_tiers_invalid)", "{\"type\": \"volume\", \"tiers\": {}}",
     "price.tiers"},
    {"(price_without_tiers)", TIERS(""), "price.tiers"},
    {"(price_tier_mode_invalid)",
     "{\"type\": \"tiered\", \"tiers\": [{\"unit\": \"1\"}]}", "price.mode"},
    {"(price_tier_mode_invalid; 1 more)",
     "{\"type\": \"tiered\", \"mode\": \"other\", \"tiers\": []}",
     "price.mode"},
    {"(price_field_unknown)",
     "{\"type\": \"volume\", \"mode\": \"volume\", \"tiers\": [{\"unit\": "
     "\"1\"}]}",
     "price.mode"},
    {"(price_tier_invalid)", TIERS("{\"unit\": \"1\"}, 7"), "price.tiers[1]"},
    {"(price_tier_without_price)", TIERS("{\"up_to\": null}"),
     "price.tiers[0].unit"},
    {"(price_tier_amount_invalid)", TIERS("{\"flat\": \"-1\"}"),
     "price.tiers[0].flat"},
    {"(price_tier_amount_invalid)", TIERS("{\"unit\": \"x\"}"),
     "price.tiers[0].unit"},
    {"(price_tier_up_to_invalid)",
     TIERS("{\"up_to\": \"-1\", \"unit\": \"1\"}, {\"unit\": \"1\"}"),
     "price.tiers[0].up_to"},
    {"(price_tiers_without_open_end)",
     TIERS("{\"up_to\": \"1\", \"unit\": \"1\"}"), "price.tiers"},
    {"(price_tiers_duplicate_up_to)",
     TIERS("{\"up_to\": \"1\", \"unit\": \"1\"}, {\"unit\": \"1\"}, "
           "{\"up_to\": \"1.00\", \"unit\": \"2\"}"),
     "price.tiers[2].up_to"},
    {"(price_field_unknown)", TIERS("{\"unit\": \"1\", \"Flat\": \"1\"}"),
     "price.tiers[0].Flat"},
    {"(price_commitments_invalid)", UNIT(", \"commitments\": []"),
     "price.commitments"},
    {"(price_minimum_invalid)",
     UNIT(", \"commitments\": {\"minimum\": \"-1\"}"),
     "price.commitments.minimum"},
    {"(price_maximum_invalid)",
     UNIT(", \"commitments\": {\"maximum\": \"-1\"}"),
     "price.commitments.maximum"},
    {"(price_minimum_above_maximum)",
     UNIT(", \"commitments\": {\"minimum\": \"1.01\", \"maximum\": \"1\"}"),
     "price.commitments.minimum"},
    {"(price_field_unknown)", UNIT(", \"commitments\": {\"max\": \"1\"}"),
     "price.commitments.max"},
    {"(price_percentage_invalid)",
     "{\"type\": \"percentage\"}",
     "price.percentage"},
    {"(price_percentage_invalid)",
     "{\"type\": \"percentage\", \"percentage\": \"-1\"}",
     "price.percentage"},
    {"(price_free_units_invalid)",
     "{\"type\": \"percentage\", \"percentage\": \"1\", "
     "\"free_units\": \"-1\"}",
     "price.free_units"},
    {"(price_free_events_invalid)",
     "{\"type\": \"percentage\", \"percentage\": \"1\", "
     "\"free_events\": \"3\"}",
     "price.free_events"},
    {"(price_amount_invalid)",
     "{\"type\": \"percentage\", \"percentage\": \"1\", "
     "\"fixed_amount\": \"-1\"}",
     "price.fixed_amount"},
    {"(price_tier_without_price)",
     "{\"type\": \"stairstep\", \"tiers\": [{}]}",
     "price.tiers[0].flat"},
    {"(price_field_unknown)",
     "{\"type\": \"stairstep\", \"tiers\": [{\"unit\": \"1\", "
     "\"flat\": \"1\"}]}",
     "price.tiers[0].unit"},
    {"(price_tier_without_price)",
     "{\"type\": \"graduated_percentage\", \"tiers\": [{}]}",
     "price.tiers[0].percentage"},
    {"(price_tier_percentage_invalid)",
     "{\"type\": \"graduated_percentage\", "
     "\"tiers\": [{\"percentage\": \"x\"}]}",
     "price.tiers[0].percentage"},
    {"(price_field_unknown)",
     "{\"type\": \"graduated_percentage\", "
     "\"tiers\": [{\"percentage\": \"1\", \"unit\": \"1\"}]}",
     "price.tiers[0].unit"},
    {"(price_tiers_without_open_end)",
     "{\"type\": \"stairstep\", \"tiers\": [{\"up_to\": \"1\", "
     "\"flat\": \"1\"}]}",
     "price.tiers"},
    {"(price_dimension_invalid)",
     "{\"type\": \"matrix\", \"values\": []}",
     "price.dimension"},
    {"(price_values_invalid)",
     "{\"type\": \"matrix\", \"dimension\": \"a\"}",
     "price.values"},
    {"(price_value_invalid)",
     "{\"type\": \"matrix\", \"dimension\": \"a\", \"values\": [1]}",
     "price.values[0]"},
    {"(price_value_invalid)",
     "{\"type\": \"matrix\", \"dimension\": \"a\", "
     "\"values\": [{\"amount\": \"1\"}]}",
     "price.values[0].value"},
    {"(price_amount_invalid)",
     "{\"type\": \"matrix\", \"dimension\": \"a\", "
     "\"values\": [{\"value\": \"x\"}]}",
     "price.values[0].amount"},
    {"(price_amount_invalid)",
     "{\"type\": \"matrix\", \"dimension\": \"a\", \"values\": [], "
     "\"default_amount\": \"-1\"}",
     "price.default_amount"},
    {"(price_values_duplicate)",
     "{\"type\": \"matrix\", \"dimension\": \"a\", "
     "\"values\": [{\"value\": \"x\", \"amount\": \"1\"}, {\"value\": \"x\", "
     "\"amount\": \"2\"}]}",
     "price.values[1].value"},
};

static void refuses_what_breaks_a_rule(void **state)
{
    for (size_t i = 0; i < sizeof price_refusals / sizeof *price_refusals;
         i++) {
        const refusal *row = &price_refusals[i];
        met__price *price = NULL;
        met_error_info info = {.struct_size = sizeof info};
        met_error error =
            met__price_read(parse(row->json), &root, &arena, &price, &info);

        if (error != MET_E_INVALID || price != NULL
            || strcmp(info.field, row->field) != 0
            || strstr(info.reason, row->why) == NULL) {
            fail_msg("%s: %d, %s: %s; not %s: %s", row->json, error, info.field,
                     info.reason, row->field, row->why);
        }
    }
}

static void refuses_more_than_34_digits(void **state)
{
    met__price *price = NULL;
    met_error_info info = {.struct_size = sizeof info};

    read_price("{\"type\": \"unit\", \"amount\": "
               "\"1234567890123456789012345678901234\"}");
    assert_int_equal(
        met__price_read(parse("{\"type\": \"unit\", \"amount\": "
                              "\"12345678901234567890123456789012345\"}"),
                        &root, &arena, &price, &info),
        MET_E_OVERFLOW);
    assert_string_equal(info.field, "price.amount");
    assert_null(price);
}

/* --- Issues --------------------------------------------------------------- */
typedef struct issue_row {
    const char *why;
    const char *json;   /* a rate card's part */
    const char *issues; /* "code@field severity, …" */
} issue_row;

static const issue_row issue_rows[] = {
    {"nothing at all", "{}", ""},
    {"a price alone", "{\"price\": {\"type\": \"flat\", \"amount\": \"1\"}}",
     ""},
    {"null is nothing",
     "{\"price\": null, \"discounts\": null, \"unit_config\": null}", ""},
    {"every problem at once",
     "{\"price\": {\"type\": \"package\", \"amount\": \"-1\", "
     "\"quantity_per_package\": \"0\", \"x\": 1}, \"discounts\": "
     "{\"percentage\": \"101\", \"usage\": \"-1\"}}",
     "price_amount_invalid@c.price.amount critical, "
     "price_package_quantity_invalid@c.price.quantity_per_package critical, "
     "price_field_unknown@c.price.x critical, "
     "percentage_discount_invalid_value@c.discounts.percentage critical, "
     "usage_discount_negative_quantity@c.discounts.usage critical"},
    {"usage discount on a flat price",
     "{\"price\": {\"type\": \"flat\", \"amount\": \"1\"}, \"discounts\": "
     "{\"usage\": {\"quantity\": \"1\"}}}",
     "usage_discount_with_flat_price@c.discounts.usage error"},
    {"percentage on a flat price is possible",
     "{\"price\": {\"type\": \"flat\", \"amount\": \"1\"}, \"discounts\": "
     "{\"percentage\": {\"percentage\": \"100\"}}}",
     ""},
    {"a discount without a price", "{\"discounts\": {\"percentage\": 1}}",
     "discount_without_price@c.discounts error"},
    {"a discount on a free price",
     "{\"price\": {\"type\": \"free\"}, \"discounts\": {\"usage\": \"1\"}}",
     "discount_without_price@c.discounts error"},
    {"no discount in it", "{\"discounts\": {}}", ""},
    {"conversion of a package",
     "{\"price\": {\"type\": \"package\", \"amount\": \"1\", "
     "\"quantity_per_package\": \"2\"}, \"unit_config\": {\"operation\": "
     "\"divide\", \"conversion_factor\": \"10\"}}",
     "unit_config_requires_usage_based_price@c.unit_config error"},
    {"conversion without a price",
     "{\"unit_config\": {\"operation\": \"divide\", \"conversion_factor\": "
     "\"10\"}}",
     "unit_config_requires_usage_based_price@c.unit_config error"},
    {"conversion of a tiered price",
     "{\"price\": {\"type\": \"volume\", \"tiers\": [{\"unit\": \"1\"}]}, "
     "\"unit_config\": {\"operation\": \"divide\", \"conversion_factor\": "
     "\"10\"}}",
     ""},
    {"an unknown price says nothing about its conversion",
     "{\"price\": {}, \"unit_config\": {\"operation\": \"divide\", "
     "\"conversion_factor\": \"10\"}}",
     "price_type_invalid@c.price.type critical"},
};

static met_error list_issues(const char *json, met__arena *memory,
                             met__node **array_out)
{
    static const met__path card = {NULL, "c", 0};
    const met__node *node = parse(json);
    met__pricing pricing = {met__node_get(node, "price"),
                            met__node_get(node, "discounts"),
                            met__node_get(node, "unit_config")};

    *array_out = met__node_array(memory);
    if (*array_out == NULL) {
        return MET_E_NO_MEMORY;
    }
    return met__pricing_issues(&pricing, &card, memory, *array_out);
}

static void lists_every_problem(void **state)
{
    for (size_t i = 0; i < sizeof issue_rows / sizeof *issue_rows; i++) {
        const issue_row *row = &issue_rows[i];
        met__node *array;
        char got[1024] = "";
        size_t used = 0;

        assert_int_equal(list_issues(row->json, &arena, &array), MET_OK);
        for (uint32_t k = 0; k < array->count; k++) {
            const met__node *issue = array->as.items[k];
            assert_true(met__node_get(issue, "message")->as.text.size > 0);
            used += (size_t)snprintf(
                got + used, sizeof got - used, "%s%s@%s %s", k ? ", " : "",
                met__node_get(issue, "code")->as.text.data,
                met__node_get(issue, "field")->as.text.data,
                met__node_get(issue, "severity")->as.text.data);
        }
        if (strcmp(got, row->issues) != 0) {
            fail_msg("%s: got %s, expected %s", row->why, got, row->issues);
        }
    }
}

static void survives_failing_memory(void **state)
{
    const char *json = issue_rows[3].json;
    faulty_memory memory = {0};
    met__platform faulty = platform;

    faulty.allocator = (met_allocator){&memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    for (memory.fail_at = 1;; memory.fail_at++) {
        met__arena scratch;
        met__node *array;

        memory.calls = 0;
        met__arena_init(&scratch, &faulty);
        met_error error = list_issues(json, &scratch, &array);
        met__arena_release(&scratch);
        assert_int_equal(memory.live, 0);
        if (memory.calls < memory.fail_at) {
            assert_int_equal(error, MET_OK);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
    }
    assert_true(memory.fail_at > 1);
    for (memory.fail_at = 1;; memory.fail_at++) {
        const met__node *node = parse(TIERS("{\"unit\": \"1\"}"));
        met__arena scratch;
        met__price *price = NULL;
        met_error_info info = {.struct_size = sizeof info};

        memory.calls = 0;
        met__arena_init(&scratch, &faulty);
        met_error error = met__price_read(node, &root, &scratch, &price, &info);
        met__arena_release(&scratch);
        if (memory.calls < memory.fail_at) {
            assert_int_equal(error, MET_OK);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        assert_null(price);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_percentages_and_values, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sorts_tiers_and_keeps_their_parts,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(takes_what_the_peer_takes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(takes_up_to_64_tiers, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_breaks_a_rule, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refuses_more_than_34_digits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lists_every_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_failing_memory, setup,
                                        teardown),
    };

    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The pure rules of the catalog against tests/golden/catalog_rules.json and
 * the alignment section of period_recurrence.json: every case of the files is
 * read from them, none is copied here. */
#include "support/golden.h"

#include "catalog/plan.h"
#include "catalog/price.h"

static void test_rules__plan_status(void **state)
{
    const met__node *section = golden_section("plan_status");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        const met__node *input = met__node_get(row, "input");
        uint32_t status = met__plan_status_at(
            golden_time(input, "effective_from"),
            golden_time(input, "effective_to"), golden_time(input, "now"));
        if (strcmp(met__plan_status_name(status), golden_text(row, "expect"))
            != 0) {
            fail_msg("%s: %s", golden_text(row, "id"),
                     met__plan_status_name(status));
        }
    }
}

static void test_rules__effective_period(void **state)
{
    const met__node *section = golden_section("effective_period");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        const met__node *input = met__node_get(row, "input");
        const char *code = met__effective_period_issue(
            golden_time(input, "effective_from"),
            golden_time(input, "effective_to"));
        if (strcmp(code != NULL ? code : "",
                   golden_text(met__node_get(row, "expect"), "error"))
            != 0) {
            fail_msg("%s: %s", golden_text(row, "id"), code);
        }
    }
}

static void test_rules__unit_config(void **state)
{
    const met__node *section = golden_section("unit_config");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        const met__node *input = met__node_get(row, "input");
        int is_allowed = met__unit_config_is_allowed(
            met__text_z(golden_text(input, "price_type")));
        if (is_allowed != golden_boolean(met__node_get(row, "expect"),
                                         "unit_config_allowed")) {
            fail_msg("%s", golden_text(row, "id"));
        }
    }
}

/* In the file minimum and maximum stand beside the amount; in documents they
 * are the price's commitments. */
static const met__node *as_document(const met__node *price)
{
    met__node *made = met__node_object(&golden_arena);
    met__node *commitments = met__node_object(&golden_arena);

    for (uint32_t i = 0; i < price->count; i++) {
        const char *name = price->as.members[i].name.data;
        met__node *node = price->as.members[i].node;
        int is_bound = strcmp(name, "minimum") == 0
                       || strcmp(name, "maximum") == 0;
        assert_int_equal(met__node_set(&golden_arena,
                                       is_bound ? commitments : made, name,
                                       node),
                         MET_OK);
    }
    if (commitments->count > 0) {
        assert_int_equal(met__node_set(&golden_arena, made, "commitments",
                                       commitments),
                         MET_OK);
    }
    return made;
}

static void test_rules__price_validation(void **state)
{
    const met__node *section = golden_section("price_validation");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        met__price *price = NULL;
        met_error_info info = {.struct_size = sizeof info};
        int is_valid =
            met__price_read(as_document(met__node_get(row, "input")), NULL,
                            &golden_arena, &price, &info)
            == MET_OK;
        if (is_valid != golden_boolean(met__node_get(row, "expect"),
                                       "valid")) {
            fail_msg("%s: %s %s", golden_text(row, "id"), info.field,
                     info.reason);
        }
    }
}

static void test_rules__tier_order(void **state)
{
    const met__node *section = golden_section("tier_order");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        const met__node *input = met__node_get(row, "input");
        const met__node *expect = met__node_get(row, "expect");
        met__node *tiers = met__node_array(&golden_arena);
        met__node *document = met__node_object(&golden_arena);
        met__price *price = NULL;
        for (uint32_t j = 0; j < input->count; j++) {
            met__node *tier = met__node_object(&golden_arena);
            assert_int_equal(met__node_set(&golden_arena, tier, "up_to",
                                           input->as.items[j]),
                             MET_OK);
            assert_int_equal(
                met__node_set(&golden_arena, tier, "unit",
                              met__node_text_z(&golden_arena, "1")),
                MET_OK);
            assert_int_equal(met__node_append(&golden_arena, tiers, tier),
                             MET_OK);
        }
        assert_int_equal(met__node_set(&golden_arena, document, "type",
                                       met__node_text_z(&golden_arena,
                                                        "graduated")),
                         MET_OK);
        assert_int_equal(
            met__node_set(&golden_arena, document, "tiers", tiers), MET_OK);
        assert_int_equal(
            met__price_read(document, NULL, &golden_arena, &price, NULL),
            MET_OK);
        assert_int_equal(price->tier_count, expect->count);
        for (uint32_t j = 0; j < expect->count; j++) {
            met_decimal up_to;
            const met__node *bound = expect->as.items[j];
            assert_int_equal(price->tiers[j].has_up_to,
                             bound->kind != MET__NODE_NULL);
            if (price->tiers[j].has_up_to) {
                assert_int_equal(met__decimal_parse(bound->as.text, &up_to),
                                 MET_OK);
                assert_int_equal(
                    met__decimal_compare(up_to, price->tiers[j].up_to), 0);
            }
        }
    }
}

static void test_rules__single_billing_cadence(void **state)
{
    const met__node *section = golden_section("single_billing_cadence");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        const met__node *input = met__node_get(row, "input");
        met__rate_card cards[8] = {{.has_billing_cadence = 0}};
        const met__rate_card *list[8];
        met__node *price = met__node_object(&golden_arena);
        assert_int_equal(
            met__node_set(&golden_arena, price, "type",
                          met__node_text_z(&golden_arena, "unit")),
            MET_OK);
        assert_true(input->count <= 8);
        for (uint32_t j = 0; j < input->count; j++) {
            const met__node *from = input->as.items[j];
            const met__node *cadence = golden_member(from,
                                                     "billing_cadence");
            list[j] = &cards[j];
            cards[j].price = golden_boolean(from, "has_price") ? price : NULL;
            cards[j].has_billing_cadence = cadence != NULL;
            if (cadence != NULL) {
                assert_int_equal(
                    met__duration_parse(cadence->as.text,
                                        &cards[j].billing_cadence),
                    MET_OK);
            }
        }
        if (met__cadence_is_single(list, input->count)
            != met__node_get(row, "expect")->as.boolean) {
            fail_msg("%s", golden_text(row, "id"));
        }
    }
}

/* --- period_recurrence.json ----------------------------------------------- */
static void test_rules__cadence_alignment(void **state)
{
    const met__node *section = golden_section("billing_cadence_alignment");

    for (uint32_t i = 0; i < section->count; i++) {
        const met__node *row = section->as.items[i];
        const met__node *input = met__node_get(row, "input");
        met__duration plan;
        met__duration card;
        assert_int_equal(
            met__duration_parse(
                met__text_z(golden_text(input, "plan_billing_cadence")),
                &plan),
            MET_OK);
        assert_int_equal(
            met__duration_parse(
                met__text_z(golden_text(input, "rate_card_billing_cadence")),
                &card),
            MET_OK);
        if (met__cadence_is_aligned(&plan, &card)
            != golden_boolean(met__node_get(row, "expect"), "aligned")) {
            fail_msg("%s", golden_text(row, "id"));
        }
    }
}

/* --- Beyond the files ----------------------------------------------------- */
static void test_rules__status_at_the_instant(void **state)
{
    static const struct {
        const char *why;
        int64_t from_ns;
        int64_t to_ns;
        uint32_t status; /* at 100 */
    } rows[] = {
        {"one before", 101, 0, MET__PLAN_SCHEDULED},
        {"exactly at from", 100, 0, MET__PLAN_ACTIVE},
        {"exactly at to", 50, 100, MET__PLAN_ARCHIVED},
        {"one before to", 50, 101, MET__PLAN_ACTIVE},
        {"of zero length, now", 100, 100, MET__PLAN_ARCHIVED},
        {"of zero length, later", 101, 101, MET__PLAN_SCHEDULED},
        {"inverse", 99, 98, MET__PLAN_INVALID},
        {"no start, an end to come", 0, 101, MET__PLAN_INVALID},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (met__plan_status_at(rows[i].from_ns, rows[i].to_ns, 100)
            != rows[i].status) {
            fail_msg("%s", rows[i].why);
        }
    }
    assert_string_equal(met__effective_period_issue(0, 5),
                        "effective_period_from_not_set");
    assert_null(met__effective_period_issue(5, 5));
    assert_string_equal(met__plan_status_name(0), "invalid");
    assert_string_equal(met__plan_status_name(6), "invalid");
}

static void test_rules__hour_or_more(void **state)
{
    static const struct {
        const char *text;
        int is_enough;
    } rows[] = {
        {"PT1H", 1},      {"PT60M", 1},    {"PT3600S", 1}, {"PT59M59S", 0},
        {"PT59M60S", 1},  {"PT1S", 0},     {"P1D", 1},     {"P1W", 1},
        {"P1M", 1},       {"P1Y", 1},      {"PT3599.999999999S", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__duration duration;
        assert_int_equal(met__duration_parse(met__text_z(rows[i].text),
                                             &duration),
                         MET_OK);
        if (met__duration_is_hour_or_more(&duration) != rows[i].is_enough) {
            fail_msg("%s", rows[i].text);
        }
    }
}

static void test_rules__price_kinds(void **state)
{
    static const struct {
        const char *json;
        int is_billable;
        int is_usage;
    } rows[] = {
        {"{\"type\":\"free\"}", 0, 0}, {"{\"type\":\"flat\"}", 1, 0},
        {"{\"type\":\"unit\"}", 1, 1}, {"{\"type\":\"package\"}", 1, 1},
        {"{\"type\":7}", 0, 0},        {"{}", 0, 0},
        {"7", 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__node *node = NULL;
        assert_int_equal(met__json_parse(&golden_arena,
                                         met__text_z(rows[i].json), &node,
                                         NULL),
                         MET_OK);
        assert_int_equal(met__price_is_billable(node), rows[i].is_billable);
        assert_int_equal(met__price_is_usage_based(node), rows[i].is_usage);
    }
    assert_false(met__price_is_billable(NULL));
    assert_int_equal(met__price_type(NULL).size, 0);
}

static int open_rules(void **state)
{
    (void)state;
    golden_open("catalog_rules.json");
    return 0;
}

static int open_recurrence(void **state)
{
    (void)state;
    golden_open("period_recurrence.json");
    return 0;
}

static int done(void **state)
{
    (void)state;
    golden_close();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rules, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rules__plan_status),
        TEST(test_rules__effective_period),
        TEST(test_rules__unit_config),
        TEST(test_rules__price_validation),
        TEST(test_rules__tier_order),
        TEST(test_rules__single_billing_cadence),
        cmocka_unit_test_setup_teardown(test_rules__cadence_alignment,
                                        open_recurrence, done),
        TEST(test_rules__status_at_the_instant),
        TEST(test_rules__hour_or_more),
        TEST(test_rules__price_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

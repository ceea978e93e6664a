/* Policies out of documents: names, presets, and what goes before what. */
#include "unit/rating/rating_support.h"

static met_error read(const char *json, met__rate_policies *policies,
                      met_error_info *info)
{
    static const met__path path = {NULL, "policies", 0};

    *info = (met_error_info){.struct_size = sizeof *info};
    return met__policies_read(node_of(json), &path, policies, info);
}

static void reads_every_policy(void **state)
{
    static const char *const modes[] = {"half_away", "half_even", "down",
                                        "up",        "floor",     "ceiling"};
    met__rate_policies policies;
    met_error_info info;

    (void)state;
    assert_int_equal(read("{}", &policies, &info), MET_OK);
    assert_int_equal(policies.round_at, MET__ROUND_AT_TIER);
    assert_int_equal(policies.zero_usage, MET__ZERO_USAGE_CHARGED);
    assert_int_equal(policies.negative, MET__NEGATIVE_CLAMPED);
    assert_false(policies.is_converted_apart);
    assert_false(policies.is_billed_gross);
    assert_int_equal(
        read("{'round_at': 'total', 'negative_usage': 'refuse', "
             "'zero_usage_flat': 'free', 'unit_conversion': 'per_line', "
             "'already_billed': 'gross'}",
             &policies, &info),
        MET_OK);
    assert_int_equal(policies.round_at, MET__ROUND_AT_TOTAL);
    assert_int_equal(policies.zero_usage, MET__ZERO_USAGE_FREE);
    assert_int_equal(policies.negative, MET__NEGATIVE_REFUSED);
    assert_true(policies.is_converted_apart);
    assert_true(policies.is_billed_gross);
    for (uint32_t i = 0; i < 6; i++) {
        char *json = met__arena_print(&arena, "{'rounding': '%s'}", modes[i]);
        assert_int_equal(read(json, &policies, &info), MET_OK);
        assert_int_equal(policies.rounding, MET_ROUND_HALF_AWAY + i);
    }
}

static void sets_presets_before_names(void **state)
{
    met__rate_policies policies;
    met_error_info info;

    (void)state;
    assert_int_equal(read("{'preset': 'lago'}", &policies, &info), MET_OK);
    assert_int_equal(policies.round_at, MET__ROUND_AT_LINE);
    assert_int_equal(policies.zero_usage, MET__ZERO_USAGE_CHARGED);
    assert_int_equal(policies.proration, MET__PRORATE_DAY_INCLUSIVE);
    assert_false(policies.is_converted_apart);
    assert_int_equal(read("{'preset': 'stripe', 'rounding': 'floor'}",
                          &policies, &info),
                     MET_OK);
    assert_int_equal(policies.round_at, MET__ROUND_AT_TIER);
    assert_int_equal(policies.rounding, MET_ROUND_FLOOR);
    assert_int_equal(policies.zero_usage, MET__ZERO_USAGE_CHARGED);
    assert_int_equal(policies.proration, MET__PRORATE_SECOND);
    assert_false(policies.is_converted_apart);
    assert_false(policies.is_billed_gross);
    assert_int_equal(read("{'round_at': 'tier', 'unit_conversion': "
                          "'cumulative', 'preset': 'openmeter'}",
                          &policies, &info),
                     MET_OK);
    assert_int_equal(policies.round_at, MET__ROUND_AT_TIER);
    assert_false(policies.is_converted_apart);
    assert_true(policies.is_billed_gross);
}

static void refuses_unknown_names(void **state)
{
    static const char *const rows[][2] = {
        {"{'preset': 'chargebee'}", "policies.preset"},
        {"{'round_at': 'invoice'}", "policies.round_at"},
        {"{'rounding': 'half_up'}", "policies.rounding"},
        {"{'rounding': 1}", "policies.rounding"},
        {"{'negative_usage': ''}", "policies.negative_usage"},
        {"{'zero_usage_flat': 'no'}", "policies.zero_usage_flat"},
        {"{'unit_conversion': 'line'}", "policies.unit_conversion"},
        {"{'already_billed': '3'}", "policies.already_billed"},
        {"{'roundat': 'line'}", "policies.roundat"},
        {"{'proration': 'day'}", "policies.proration"},
        {"[]", "policies"},
    };
    met__rate_policies policies = {.round_at = 77};
    met_error_info info;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(read(rows[i][0], &policies, &info), MET_E_INVALID);
        assert_string_equal(info.field, rows[i][1]);
        assert_int_equal(policies.round_at, 77);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_policy, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(sets_presets_before_names,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(refuses_unknown_names, begin_memory,
                                        end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

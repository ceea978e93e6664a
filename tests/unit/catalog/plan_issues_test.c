/* Every issue code of a plan: the smallest document that breaks its rule, the
 * path it is reported at, and whether a draft may be kept with it. */
#include "support/catalog_calls.h"

#define PLAN(MORE)                                                      \
    "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","               \
    "\"billing_cadence\":\"P1M\"" MORE "}"
#define PHASE(MORE) "{\"key\":\"a\",\"name\":\"A\"" MORE "}"
#define FEE "{\"key\":\"fee\",\"name\":\"F\"}"
#define ONE(CARD) PLAN(",\"phases\":[" PHASE(",\"rate_cards\":[" CARD "]") "]")
#define CARD(MORE) ONE("{\"key\":\"metered\",\"name\":\"C\"" MORE "}")
#define UNIT ",\"price\":{\"type\":\"unit\",\"amount\":\"1\"}"
#define FLAT ",\"price\":{\"type\":\"flat\",\"amount\":\"1\"}"
#define MONTHLY ",\"billing_cadence\":\"P1M\""
#define METERED ",\"feature\":{\"key\":\"metered\"}"
#define CARD_PATH "plan.phases[0].rate_cards[0]"

typedef struct row {
    const char *code;
    const char *field;
    const char *json;
    met_error error; /* of keeping the draft: MET_OK, or critical */
} row;

static const row rows[] = {
    {"resource_key_empty", "plan.key",
     "{\"name\":\"P\",\"currency\":\"USD\",\"billing_cadence\":\"P1M\"}",
     MET_E_INVALID},
    {"resource_name_empty", "plan.name",
     "{\"key\":\"p\",\"name\":\"\",\"currency\":\"USD\",\"billing_cadence\":"
     "\"P1M\"}",
     MET_E_INVALID},
    {"resource_key_empty", "plan.phases[0].key",
     PLAN(",\"phases\":[{\"name\":\"A\"}]"), MET_E_INVALID},
    {"resource_key_empty", CARD_PATH ".key", ONE("{\"name\":\"C\"}"),
     MET_E_INVALID},
    {"resource_name_empty", CARD_PATH ".name", ONE("{\"key\":\"c\"}"),
     MET_E_INVALID},
    {"currency_invalid", "plan.currency",
     "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"Dollar\","
     "\"billing_cadence\":\"P1M\"}",
     MET_E_INVALID},
    {"plan_billing_cadence_invalid", "plan.billing_cadence",
     "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
     "\"billing_cadence\":\"P2M\"}",
     MET_E_INVALID},
    {"plan_billing_cadence_invalid", "plan.billing_cadence",
     "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
     "\"billing_cadence\":\"P7D\"}",
     MET_E_INVALID},
    {"plan_billing_cadence_invalid", "plan.billing_cadence",
     "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
     "\"billing_cadence\":\"-P1M\"}",
     MET_E_INVALID},
    {"plan_with_no_phases", "plan.phases", PLAN(""), MET_OK},
    {"plan_with_no_phases", "plan.phases", PLAN(",\"phases\":[]"), MET_OK},
    {"plan_phase_has_no_rate_cards", "plan.phases[0].rate_cards",
     PLAN(",\"phases\":[" PHASE("") "]"), MET_OK},
    {"plan_has_last_phase_with_duration", "plan.phases[0].duration",
     PLAN(",\"phases\":[" PHASE(
         ",\"duration\":\"P1M\",\"rate_cards\":[" FEE "]") "]"),
     MET_OK},
    {"plan_has_non_last_phase_with_no_duration", "plan.phases[0].duration",
     PLAN(",\"phases\":[" PHASE(",\"rate_cards\":[" FEE "]") ",{\"key\":"
          "\"b\",\"name\":\"B\",\"rate_cards\":[" FEE "]}]"),
     MET_OK},
    {"plan_phase_duration_less_then_an_hour", "plan.phases[0].duration",
     PLAN(",\"phases\":[" PHASE(
         ",\"duration\":\"PT59M\",\"rate_cards\":[" FEE "]") ",{\"key\":"
          "\"b\",\"name\":\"B\",\"rate_cards\":[" FEE "]}]"),
     MET_OK},
    {"plan_phase_with_negative_duration", "plan.phases[0].duration",
     PLAN(",\"phases\":[" PHASE(",\"duration\":\"-P1M\"") "]"),
     MET_E_INVALID},
    {"plan_phase_duplicated_key", "plan.phases[1].key",
     PLAN(",\"phases\":[" PHASE(
         ",\"duration\":\"P1M\",\"rate_cards\":[" FEE "]") "," PHASE(
         ",\"rate_cards\":[" FEE "]") "]"),
     MET_E_INVALID},
    {"rate_card_duplicated_key", "plan.phases[0].rate_cards[1].key",
     ONE(FEE "," FEE), MET_E_INVALID},
    {"rate_card_key_feature_key_mismatch", CARD_PATH ".key",
     ONE("{\"key\":\"c\",\"name\":\"C\"" METERED "}"), MET_E_INVALID},
    {"rate_card_feature_not_found", CARD_PATH ".feature",
     ONE("{\"key\":\"c\",\"name\":\"C\",\"feature\":{\"key\":\"c\"}}"),
     MET_OK},
    {"rate_card_feature_archived", CARD_PATH ".feature",
     ONE("{\"key\":\"gone\",\"name\":\"C\",\"feature\":{\"key\":\"gone\"}}"),
     MET_OK},
    {"rate_card_feature_mismatch", CARD_PATH ".feature",
     CARD(",\"feature\":{\"key\":\"metered\",\"id\":"
          "\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}"),
     MET_E_INVALID},
    {"usage_based_price_with_no_feature", CARD_PATH ".feature",
     CARD(MONTHLY UNIT), MET_OK},
    {"usage_based_price_with_feature_and_no_meter", CARD_PATH ".feature",
     ONE("{\"key\":\"seats\",\"name\":\"C\",\"feature\":{\"key\":\"seats\"}"
         MONTHLY UNIT "}"),
     MET_OK},
    {"price_dimension_not_found", CARD_PATH ".price.dimension",
     CARD(METERED MONTHLY ",\"price\":{\"type\":\"matrix\",\"dimension\":"
                          "\"planet\",\"values\":[{\"value\":\"mars\","
                          "\"amount\":\"1\"}]}"),
     MET_OK},
    {"billing_cadence_invalid_value", CARD_PATH ".billing_cadence",
     CARD(METERED UNIT), MET_OK},
    {"billing_cadence_invalid_value", CARD_PATH ".billing_cadence",
     CARD(METERED UNIT ",\"billing_cadence\":\"PT59M\""), MET_OK},
    {"billing_cadence_invalid_value", CARD_PATH ".billing_cadence",
     CARD(METERED UNIT ",\"billing_cadence\":\"P11Y\""), MET_OK},
    {"billing_cadence_invalid_value", CARD_PATH ".billing_cadence",
     CARD(METERED UNIT ",\"billing_cadence\":\"P999999999Y\""), MET_OK},
    {"billing_cadence_invalid_value", CARD_PATH ".billing_cadence",
     CARD(METERED UNIT ",\"billing_cadence\":\"-PT59M\""), MET_E_INVALID},
    {"rate_card_billing_cadence_unaligned", CARD_PATH ".billing_cadence",
     CARD(METERED UNIT ",\"billing_cadence\":\"P1W\""), MET_OK},
    {"rate_card_billing_cadence_unaligned", CARD_PATH ".billing_cadence",
     CARD(FLAT ",\"billing_cadence\":\"P1W\""), MET_OK},
    {"entitlement_template_with_no_feature", CARD_PATH ".entitlement",
     CARD(",\"entitlement\":{\"type\":\"boolean\"}"), MET_OK},
    {"entitlement_template_issue_after_reset_required",
     CARD_PATH ".entitlement.limit",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\"}"), MET_OK},
    {"entitlement_template_issue_after_reset_required",
     CARD_PATH ".entitlement.limit",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":null}"),
     MET_OK},
    {"entitlement_template_limit_too_many_digits",
     CARD_PATH ".entitlement.limit",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":"
                  "\"0.0000000001\"}"),
     MET_OK},
    {"entitlement_template_invalid_issue_after_reset_with_priority",
     CARD_PATH ".entitlement.issue_after_reset_priority",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\","
                  "\"issue_after_reset_priority\":1}"),
     MET_OK},
    {"entitlement_template_with_feature_and_no_meter",
     CARD_PATH ".entitlement",
     ONE("{\"key\":\"seats\",\"name\":\"C\",\"feature\":{\"key\":\"seats\"},"
         "\"entitlement\":{\"type\":\"metered\",\"limit\":1}}"),
     MET_OK},
    {"entitlement_template_usage_period_less_then_an_hour",
     CARD_PATH ".entitlement.usage_period",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":1,"
                  "\"usage_period\":\"PT59M\"}"),
     MET_OK},
    {"entitlement_template_negative_usage_period",
     CARD_PATH ".entitlement.usage_period",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":1,"
                  "\"usage_period\":\"-P1M\"}"),
     MET_E_INVALID},
    {"entitlement_template_invalid_json_config",
     CARD_PATH ".entitlement.config",
     CARD(METERED ",\"entitlement\":{\"type\":\"static\"}"), MET_E_INVALID},
    {"percentage_discount_invalid_value", CARD_PATH ".discounts.percentage",
     CARD(METERED MONTHLY UNIT ",\"discounts\":{\"percentage\":\"101\"}"),
     MET_E_INVALID},
    {"usage_discount_negative_quantity", CARD_PATH ".discounts.usage",
     CARD(METERED MONTHLY UNIT ",\"discounts\":{\"usage\":\"-1\"}"),
     MET_E_INVALID},
    {"usage_discount_with_flat_price", CARD_PATH ".discounts.usage",
     CARD(MONTHLY FLAT ",\"discounts\":{\"usage\":\"1\"}"), MET_OK},
    {"discount_without_price", CARD_PATH ".discounts",
     CARD(",\"discounts\":{\"percentage\":\"1\"}"), MET_OK},
    {"unit_config_requires_usage_based_price", CARD_PATH ".unit_config",
     CARD(MONTHLY FLAT ",\"unit_config\":{\"operation\":\"divide\","
                       "\"conversion_factor\":\"10\"}"),
     MET_OK},
    /* Without a code of the peer: the shape of a document. */
    {"must be a list", "plan.phases", PLAN(",\"phases\":{}"), MET_E_INVALID},
    {"must be an object", "plan.phases[0]", PLAN(",\"phases\":[7]"),
     MET_E_INVALID},
    {"must be an object", CARD_PATH, ONE("\"fee\""), MET_E_INVALID},
    {"must be an object", CARD_PATH ".price",
     CARD(",\"price\":\"free\""), MET_E_INVALID},
    {"must be one of free", CARD_PATH ".price.type",
     CARD(",\"price\":{\"type\":\"stairs\"}"), MET_E_INVALID},
    {"must be a decimal string >= 0", CARD_PATH ".price.amount",
     CARD(MONTHLY ",\"price\":{\"type\":\"flat\",\"amount\":\"-1\"}"),
     MET_E_INVALID},
    {"must be a decimal string >= 0", CARD_PATH ".price.amount",
     CARD(MONTHLY ",\"price\":{\"type\":\"flat\",\"amount\":1.5}"),
     MET_E_INVALID},
    {"must be a decimal string >= 0", CARD_PATH ".price.amount",
     CARD(MONTHLY ",\"price\":{\"type\":\"flat\",\"amount\":\"NaN\"}"),
     MET_E_INVALID},
    {"must be more than 0", CARD_PATH ".price.quantity_per_package",
     CARD(METERED MONTHLY ",\"price\":{\"type\":\"package\",\"amount\":"
                          "\"1\",\"quantity_per_package\":\"0\"}"),
     MET_E_INVALID},
    {"must be one of metered, static, boolean",
     CARD_PATH ".entitlement.type",
     CARD(METERED ",\"entitlement\":{\"type\":\"dynamic\"}"), MET_E_INVALID},
    {"must be a decimal string >= 0", CARD_PATH ".entitlement.limit",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":-1}"),
     MET_E_INVALID},
    {"must be true or false", CARD_PATH ".entitlement.is_soft_limit",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":1,"
                  "\"is_soft_limit\":\"true\"}"),
     MET_E_INVALID},
    {"not a known field", CARD_PATH ".entitlement.limit",
     CARD(METERED ",\"entitlement\":{\"type\":\"boolean\",\"limit\":1}"),
     MET_E_INVALID},
    {"not a known field", CARD_PATH ".entitlement.config",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":1,"
                  "\"config\":{}}"),
     MET_E_INVALID},
    {"not served", CARD_PATH ".entitlement.priority",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":1,"
                  "\"priority\":1}"),
     MET_E_UNSUPPORTED},
    {"whole number from 0 to 255",
     CARD_PATH ".entitlement.issue_after_reset_priority",
     CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":1,"
                  "\"issue_after_reset_priority\":256}"),
     MET_E_INVALID},
    {"not served", "plan.pro_rating", PLAN(",\"pro_rating\":{}"),
     MET_E_UNSUPPORTED},
    {"one of inclusive, exclusive", CARD_PATH ".tax_config.behavior",
     CARD(",\"tax_config\":{\"behavior\":\"both\"}"), MET_E_INVALID},
    {"eight digits", CARD_PATH ".tax_config.stripe.code",
     CARD(",\"tax_config\":{\"stripe\":{\"code\":\"txcd_1\"}}"),
     MET_E_INVALID},
    {">= 0", "plan.commitments.minimum",
     PLAN(",\"commitments\":{\"minimum\":\"-1\"}"), MET_E_INVALID},
    {"is not an id", CARD_PATH ".feature.id",
     CARD(",\"feature\":{\"key\":\"metered\",\"id\":\"metered\"}"),
     MET_E_INVALID},
    {"not a known field", "plan.status", PLAN(",\"status\":2"),
     MET_E_INVALID},
};

static int setup(void **state)
{
    documents_setup(state);
    must_put_requests_meter();
    assert_ok(feature_put("{\"key\":\"metered\",\"name\":\"M\",\"meter\":{"
                          "\"key\":\"api_requests\"}}"));
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"S\"}"));
    assert_ok(feature_put("{\"key\":\"gone\",\"name\":\"G\"}"));
    assert_ok(feature_archive("gone"));
    return 0;
}

static void check_refused(const row *r, uint64_t before)
{
    met_error error = plan_put(r->json);

    if (error != r->error || strcmp(told.field, r->field) != 0
        || strstr(told.reason, r->code) == NULL) {
        fail_msg("%s: %s at \"%s\": \"%s\"", r->code, met_error_name(error),
                 told.field, told.reason);
    }
    assert_int_equal(stored_digest(), before);
}

static void test_issue__each(void **state)
{
    char field[MET_ERROR_FIELD_SIZE];
    uint64_t before = stored_digest();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        if (r->error != MET_OK) {
            check_refused(r, before);
            continue;
        }
        if (plan_put(r->json) != MET_OK) {
            fail_msg("%s: \"%s\": \"%s\"", r->code, told.field, told.reason);
        }
        snprintf(field, sizeof field, "plan.%s",
                 shown("validation_errors.0.field"));
        if (strcmp(shown("validation_errors.0.code"), r->code) != 0
            || strcmp(field, r->field) != 0
            || strcmp(shown("validation_errors.1"), "") != 0) {
            fail_msg("%s: %s", r->code, shown("validation_errors"));
        }
        uint64_t drafted = stored_digest();
        met_error error = plan_publish("p");
        if (error != MET_E_INVALID || strcmp(told.field, r->field) != 0
            || strstr(told.reason, r->code) == NULL) {
            fail_msg("%s: %s at \"%s\": \"%s\"", r->code,
                     met_error_name(error), told.field, told.reason);
        }
        assert_int_equal(stored_digest(), drafted);
        assert_ok(plan_remove("p", 0));
        before = stored_digest();
    }
}

/* What none of the rules refuses can be published. */
static void test_issue__none(void **state)
{
    static const char *const documents[] = {
        CARD(METERED MONTHLY UNIT),
        CARD(METERED ",\"billing_cadence\":\"P1Y\"" UNIT),
        CARD(METERED ",\"billing_cadence\":\"P1D\"" UNIT),
        CARD(METERED ",\"billing_cadence\":\"PT1H\"" UNIT),
        CARD(FLAT),
        CARD(MONTHLY FLAT ",\"discounts\":{\"percentage\":\"100\"}"),
        CARD(METERED MONTHLY UNIT ",\"discounts\":{\"percentage\":\"0\","
                                  "\"usage\":\"7.5\"}"),
        CARD(METERED MONTHLY UNIT ",\"unit_config\":{\"operation\":"
                                  "\"divide\",\"conversion_factor\":\"10\"}"),
        CARD(METERED MONTHLY ",\"price\":{\"type\":\"package\",\"amount\":"
                             "\"1\",\"quantity_per_package\":\"5000\"}"),
        CARD(METERED MONTHLY ",\"price\":{\"type\":\"free\"}"),
        CARD(METERED MONTHLY),
        CARD(METERED ",\"entitlement\":{\"type\":\"static\",\"config\":{"
                     "\"models\":[\"a\",1,1.5,null]}}"),
        CARD(METERED ",\"entitlement\":{\"type\":\"boolean\"}"),
        CARD(METERED ",\"entitlement\":{\"type\":\"metered\",\"limit\":0}"),
        ONE("{\"key\":\"seats\",\"name\":\"C\",\"feature\":{\"key\":"
            "\"seats\"},\"entitlement\":{\"type\":\"boolean\"}}"),
        PLAN(",\"phases\":[" PHASE(
            ",\"duration\":\"PT1H\",\"rate_cards\":[" FEE "]") ",{\"key\":"
             "\"b\",\"name\":\"B\",\"rate_cards\":[" FEE "]}]"),
    };

    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        clock_now_ns += MET__HOUR_NS;
        if (plan_put(documents[i]) != MET_OK || plan_publish("p") != MET_OK) {
            fail_msg("%s: \"%s\" \"%s\"", documents[i], told.field,
                     told.reason);
        }
        assert_shown("status", "active");
        /* What is shown of it means the same: it makes no new version. */
        assert_ok(plan_put(documents[i]));
        assert_shown("status", "active");
    }
}

#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, documents_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_issue__each),
        TEST(test_issue__none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What may become of meters and features, in every state. */
#include "unit/api/object_states.h"

static void sold(void)
{
    have_all();
    subscribed();
}

/* --- Meters --------------------------------------------------------------- */
static met_error do_meter_same(void)
{
    return meter_put(METER("M", "count", SERVICE "," ROUTE));
}
static met_error do_meter_name(void)
{
    return meter_put(METER("Another", "count", SERVICE "," ROUTE));
}
static met_error do_meter_aggregation(void)
{
    return meter_put(
        "{\"key\":\"m\",\"name\":\"M\",\"event_type\":\"t\",\"aggregation\":"
        "\"sum\",\"value_property\":\"$.v\",\"dimensions\":{" SERVICE "," ROUTE
        "}}");
}
static met_error do_meter_without_filtered(void)
{
    return meter_put(METER("M", "count", ROUTE));
}
static met_error do_meter_without_other(void)
{
    return meter_put(METER("M", "count", SERVICE));
}
static met_error do_meter_get(void)
{
    return meter_get("m");
}
static met_error do_meter_remove(void)
{
    return meter_remove("m");
}

static void archived(void)
{
    have_feature();
    assert_ok(feature_archive("f"));
}

static void archived_but_sold(void)
{
    sold();
    assert_ok(feature_archive("f"));
}

static void of_every_meter(void **state)
{
    static const state_of states[] = {{"missing", nothing},
                                      {"unused", have_meter},
                                      {"measured", have_feature},
                                      {"of an archived feature", archived},
                                      {"sold", sold},
                                      {"sold, archived", archived_but_sold}};
    static const action actions[] = {
        {"put as it is", do_meter_same,
         {CHANGES, STAYS, STAYS, STAYS, STAYS, STAYS}},
        {"rename", do_meter_name,
         {CHANGES, CHANGES, CHANGES, CHANGES, CHANGES, CHANGES}},
        {"another aggregation", do_meter_aggregation,
         {CHANGES, REFUSED(CONFLICT, "meter.aggregation"),
          REFUSED(CONFLICT, "meter.aggregation"),
          REFUSED(CONFLICT, "meter.aggregation"),
          REFUSED(CONFLICT, "meter.aggregation"),
          REFUSED(CONFLICT, "meter.aggregation")}},
        {"drop the dimension of a filter", do_meter_without_filtered,
         {CHANGES, CHANGES, REFUSED(CONFLICT, "meter.dimensions"), CHANGES,
          REFUSED(CONFLICT, "meter.dimensions"), CHANGES}},
        {"drop another dimension", do_meter_without_other,
         {CHANGES, CHANGES, CHANGES, CHANGES, CHANGES, CHANGES}},
        {"get", do_meter_get,
         {REFUSED(NOT_FOUND, "key"), STAYS, STAYS, STAYS, STAYS, STAYS}},
        {"remove", do_meter_remove,
         {REFUSED(NOT_FOUND, "key"), CHANGES, REFUSED(CONFLICT, "key"),
          CHANGES, REFUSED(CONFLICT, "key"), REFUSED(CONFLICT, "key")}},
    };
    static const kind meters = {"meter",        nothing,
                                states,         sizeof states / sizeof *states,
                                actions,
                                sizeof actions / sizeof *actions};

    (void)state;
    every_pair(&meters);
}

/* --- Features ------------------------------------------------------------- */
static met_error do_feature_same(void)
{
    return feature_put(FEATURE("F", "s"));
}
static met_error do_feature_name(void)
{
    return feature_put(FEATURE("Another", "s"));
}
static met_error do_feature_filter(void)
{
    return feature_put(FEATURE("F", "another"));
}
static met_error do_feature_get(void)
{
    return feature_get("f");
}
static met_error do_feature_archive(void)
{
    return feature_archive("f");
}
static met_error do_feature_sell(void)
{
    return plan_publish("q");
}

static void before_feature(void)
{
    have_meter();
    assert_ok(customer_put(CUSTOMER("C", "USD", "s")));
}

/* Each with a draft that would sell it. */
static void feature_missing(void)
{
    assert_ok(plan_put(PLAN("q")));
}

static void feature_in_service(void)
{
    assert_ok(feature_put(FEATURE("F", "s")));
    assert_ok(plan_put(PLAN("q")));
}

static void feature_sold(void)
{
    feature_in_service();
    assert_ok(plan_put(PLAN("p")));
    assert_ok(plan_publish("p"));
    subscribed();
}

static void feature_archived(void)
{
    feature_in_service();
    assert_ok(feature_archive("f"));
}

static void feature_sold_archived(void)
{
    feature_sold();
    assert_ok(feature_archive("f"));
}

static void of_every_feature(void **state)
{
#define NO_FEATURE \
    REFUSED(INVALID, "plan.phases[0].rate_cards[0].feature")
    static const state_of states[] = {{"missing", feature_missing},
                                      {"in service", feature_in_service},
                                      {"sold", feature_sold},
                                      {"archived", feature_archived},
                                      {"sold, archived",
                                       feature_sold_archived}};
    static const action actions[] = {
        {"put as it is", do_feature_same,
         {CHANGES, STAYS, STAYS, CHANGES, CHANGES}},
        {"rename", do_feature_name,
         {CHANGES, CHANGES, CHANGES, CHANGES, CHANGES}},
        {"another filter", do_feature_filter,
         {CHANGES, REFUSED(CONFLICT, "feature.meter"),
          REFUSED(CONFLICT, "feature.meter"), CHANGES, CHANGES}},
        {"get", do_feature_get,
         {REFUSED(NOT_FOUND, "key"), STAYS, STAYS, STAYS, STAYS}},
        {"archive", do_feature_archive,
         {REFUSED(NOT_FOUND, "key"), CHANGES, CHANGES,
          REFUSED(NOT_FOUND, "key"), REFUSED(NOT_FOUND, "key")}},
        {"publish a plan of it", do_feature_sell,
         {NO_FEATURE, CHANGES, CHANGES, NO_FEATURE, NO_FEATURE}},
        {"entitle to it", do_entitle,
         {REFUSED(NOT_FOUND, "entitlement.feature.key"), CHANGES,
          REFUSED(CONFLICT, "feature"),
          REFUSED(CONFLICT, "entitlement.feature.key"),
          REFUSED(CONFLICT, "entitlement.feature.key")}},
        {"grant", do_grant,
         {NOT_ENTITLED, NOT_ENTITLED, CHANGES, NOT_ENTITLED, CHANGES}},
    };
    static const kind features = {
        "feature", before_feature,
        states,    sizeof states / sizeof *states,
        actions,   sizeof actions / sizeof *actions};

    (void)state;
    every_pair(&features);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_every_meter),
        cmocka_unit_test(of_every_feature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Meters, features, customers, grants and entitlements that stand alone: every
 * pair of state and action, by one table for each kind. What is allowed changes
 * the store, unless it asks only or says what is so already; what is refused
 * names its code and its field, and changes nothing. Plans and subscriptions
 * have tables of their own. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include "metering/catalog.h"
#include "metering/entitlement.h"
#include "metering/grant.h"

#define STATES_MAX 8

typedef struct expected {
    met_error error;
    const char *field; /* of MET_OK: "" changes something, "=" nothing */
} expected;

#define CHANGES {MET_OK, ""}
#define STAYS {MET_OK, "="}
#define REFUSED(CODE, FIELD) {MET_E_##CODE, FIELD}

typedef struct action {
    const char *name;
    met_error (*run)(void);
    expected in[STATES_MAX];
} action;

typedef struct state_of {
    const char *name;
    void (*make)(void);
} state_of;

typedef struct kind {
    const char *name;
    void (*before)(void);
    const state_of *states;
    size_t state_count;
    const action *actions;
    size_t action_count;
} kind;

/* --- The runner ----------------------------------------------------------- */
/* Whether it is as expected; *is_changed_out whether the state is used up. */
static int check_pair(const kind *of, const state_of *in, const action *done,
                      const expected *wanted, int *is_changed_out)
{
    uint64_t before = stored_digest();
    met_error error = done->run();
    int is_changed = stored_digest() != before;
    const char *field = error != MET_OK ? told.field
                        : is_changed    ? ""
                                        : "=";
    int is_right = error == wanted->error && strcmp(field, wanted->field) == 0
                   && !(is_changed && error != MET_OK);

    if (!is_right) {
        print_error("%s, %s, %s: %s \"%s\" (%s), not %s \"%s\"\n", of->name,
                    in->name, done->name, met_error_name(error), field,
                    error != MET_OK ? told.reason : "",
                    met_error_name(wanted->error), wanted->field);
    }
    *is_changed_out = is_changed;
    return is_right;
}

/* What changed nothing leaves the state to the next action. */
static void every_pair(const kind *of)
{
    int wrong = 0;

    assert_true(of->state_count <= STATES_MAX);
    for (size_t s = 0; s < of->state_count; s++) {
        int is_made = 0;
        for (size_t a = 0; a < of->action_count; a++) {
            int is_changed;
            if (!is_made) {
                documents_setup(NULL);
                of->before();
                of->states[s].make();
                is_made = 1;
            }
            wrong += !check_pair(of, &of->states[s], &of->actions[a],
                                 &of->actions[a].in[s], &is_changed);
            if (is_changed || a + 1 == of->action_count) {
                documents_teardown(NULL);
                is_made = 0;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- Calls ---------------------------------------------------------------- */
#define METER(NAME, AGGREGATION, DIMENSIONS)                                 \
    "{\"key\":\"m\",\"name\":\"" NAME "\",\"event_type\":\"t\","             \
    "\"aggregation\":\"" AGGREGATION "\",\"dimensions\":{" DIMENSIONS "}}"
#define SERVICE "\"service\":\"$.service\""
#define ROUTE "\"route\":\"$.route\""
#define FEATURE(NAME, SERVED)                                              \
    "{\"key\":\"f\",\"name\":\"" NAME "\",\"meter\":{\"key\":\"m\","       \
    "\"filters\":{\"service\":{\"eq\":\"" SERVED "\"}}}}"
#define PLAN(KEY)                                                          \
    "{\"key\":\"" KEY "\",\"name\":\"P\",\"currency\":\"USD\","            \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"d\",\"name\":"     \
    "\"D\",\"rate_cards\":[{\"key\":\"f\",\"name\":\"F\",\"feature\":{"    \
    "\"key\":\"f\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":"      \
    "\"free\"},\"entitlement\":{\"type\":\"metered\",\"limit\":\"5\"}}]}]}"
#define CUSTOMER(NAME, CURRENCY, SUBJECT)                                 \
    "{\"key\":\"c\",\"name\":\"" NAME "\",\"currency\":\"" CURRENCY "\"," \
    "\"usage_attribution\":{\"subject_keys\":[\"" SUBJECT "\"]}}"
#define LATER "2026-06-01T00:00:00Z"
#define OF_C "\"customer\":{\"key\":\"c\"},\"feature\":{\"key\":\"f\"}"
#define METERED                                                     \
    ",\"type\":\"metered\",\"issue_after_reset\":\"5\","            \
    "\"usage_period\":{\"interval\":\"P1M\"}"

static met_error entitle_with(const char *members, int overrides)
{
    char json[512];
    met_buffer *out = fresh();

    snprintf(json, sizeof json, "{" OF_C "%s}", members);
    return keep((overrides ? met_entitlement_override
                           : met_entitlement_create)(
                    store, json, strlen(json), 0, out, &told),
                out);
}

static met_error end_entitlement(void)
{
    fresh();
    return keep(met_entitlement_remove(store, "c", 1, "f", 1, &told), fresh());
}

static met_error reset_with(const char *json)
{
    met_buffer *out = fresh();

    return keep(met_entitlement_reset(store, "c", 1, "f", 1, json,
                                      strlen(json), out, &told),
                out);
}

static met_error grant_with(const char *members)
{
    char json[256];
    met_buffer *out = fresh();

    snprintf(json, sizeof json, "{" OF_C "%s}", members);
    return keep(met_grant_create(store, json, strlen(json), 0, out, &told),
                out);
}

static met_error do_grant(void)
{
    return grant_with(",\"amount\":\"3\"");
}

static met_error do_entitle(void)
{
    return entitle_with(METERED, 0);
}

static met_error do_subscribe(void)
{
    return subscribe("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"p\"}}",
                     0);
}

static void nothing(void)
{
}

static void have_meter(void)
{
    assert_ok(meter_put(METER("M", "count", SERVICE "," ROUTE)));
}

static void have_feature(void)
{
    have_meter();
    assert_ok(feature_put(FEATURE("F", "s")));
}

/* A plan of the feature, and the customer. */
static void have_all(void)
{
    have_feature();
    assert_ok(plan_put(PLAN("p")));
    assert_ok(plan_publish("p"));
    assert_ok(customer_put(CUSTOMER("C", "USD", "s")));
}

static void subscribed(void)
{
    assert_ok(do_subscribe());
}

static void entitled(void)
{
    assert_ok(do_entitle());
}

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

/* Grants are of entitlements to it that are in force, or begin. */
#define NOT_ENTITLED REFUSED(NOT_FOUND, "grant.feature.key")
#define TOO_EARLY REFUSED(INVALID, "grant.effective_at")

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

/* --- Customers ------------------------------------------------------------ */
static met_error do_customer_same(void)
{
    return customer_put(CUSTOMER("C", "USD", "s"));
}
static met_error do_customer_name(void)
{
    return customer_put(CUSTOMER("Another", "USD", "s"));
}
static met_error do_customer_currency(void)
{
    return customer_put(CUSTOMER("C", "EUR", "s"));
}
static met_error do_customer_subjects(void)
{
    return customer_put(CUSTOMER("C", "USD", "another"));
}
static met_error do_customer_get(void)
{
    return customer_get("c");
}
static met_error do_customer_remove(void)
{
    return customer_remove("c");
}
static met_error do_customer_rename(void)
{
    return change_identity(met_customer_rename, "c",
                           "{\"to\":\"another\"," BECAUSE);
}
static met_error do_customer_erase(void)
{
    return change_identity(met_customer_erase, "c", "{" BECAUSE);
}

static void before_customer(void)
{
    have_feature();
    assert_ok(plan_put(PLAN("p")));
    assert_ok(plan_publish("p"));
}

static void customer_there(void)
{
    assert_ok(do_customer_same());
}

static void customer_scheduled(void)
{
    customer_there();
    assert_ok(subscribe("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                        "\"p\"},\"active_from\":\"" LATER "\"}",
                        0));
}

static void customer_subscribed(void)
{
    customer_there();
    subscribed();
}

static void customer_after(void)
{
    char id[32];

    customer_subscribed();
    snprintf(id, sizeof id, "%s", shown("id"));
    clock_now_ns += MET__DAY_NS;
    assert_ok(subscription_cancel(id, 0, 0));
}

static void customer_entitled(void)
{
    customer_there();
    entitled();
}

static void customer_granted(void)
{
    customer_there();
    entitled();
    assert_ok(do_grant());
    assert_ok(end_entitlement());
    clock_now_ns += MET__DAY_NS;
}

static void customer_gone(void)
{
    customer_there();
    assert_ok(customer_remove("c"));
}

static void of_every_customer(void **state)
{
    static const state_of states[] = {{"missing", nothing},
                                      {"there", customer_there},
                                      {"scheduled", customer_scheduled},
                                      {"subscribed", customer_subscribed},
                                      {"not any more", customer_after},
                                      {"entitled", customer_entitled},
                                      {"granted", customer_granted},
                                      {"gone", customer_gone}};
#define MISSING REFUSED(NOT_FOUND, "key")
#define IN_USE REFUSED(CONFLICT, "key")
    static const action actions[] = {
        {"put as it is", do_customer_same,
         {CHANGES, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, CHANGES}},
        {"another name", do_customer_name,
         {CHANGES, CHANGES, CHANGES, CHANGES, CHANGES, CHANGES, CHANGES,
          CHANGES}},
        {"another currency", do_customer_currency,
         {CHANGES, CHANGES, REFUSED(CONFLICT, "customer.currency"),
          REFUSED(CONFLICT, "customer.currency"), CHANGES, CHANGES, CHANGES,
          CHANGES}},
        {"another subject", do_customer_subjects,
         {CHANGES, CHANGES, CHANGES,
          REFUSED(CONFLICT, "customer.usage_attribution"), CHANGES, CHANGES,
          CHANGES, CHANGES}},
        {"get", do_customer_get,
         {MISSING, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, MISSING}},
        {"remove", do_customer_remove,
         {MISSING, CHANGES, IN_USE, IN_USE, CHANGES, IN_USE, CHANGES,
          MISSING}},
        {"rename", do_customer_rename,
         {MISSING, CHANGES, CHANGES, CHANGES, CHANGES, CHANGES, CHANGES,
          MISSING}},
        {"erase", do_customer_erase, /* also after it was removed */
         {MISSING, CHANGES, IN_USE, IN_USE, CHANGES, IN_USE, CHANGES,
          CHANGES}},
        {"subscribe", do_subscribe,
         {REFUSED(NOT_FOUND, "subscription.customer.key"), CHANGES,
          REFUSED(CONFLICT, "subscription"),
          REFUSED(CONFLICT, "subscription"), CHANGES,
          REFUSED(CONFLICT, "feature"), CHANGES,
          REFUSED(NOT_FOUND, "subscription.customer.key")}},
        {"entitle", do_entitle,
         {REFUSED(NOT_FOUND, "entitlement.customer.key"), CHANGES,
          REFUSED(CONFLICT, "feature"), REFUSED(CONFLICT, "feature"), CHANGES,
          REFUSED(CONFLICT, "feature"), CHANGES,
          REFUSED(NOT_FOUND, "entitlement.customer.key")}},
        {"grant", do_grant,
         {REFUSED(NOT_FOUND, "grant.customer.key"), NOT_ENTITLED, TOO_EARLY,
          CHANGES, NOT_ENTITLED, CHANGES, NOT_ENTITLED,
          REFUSED(NOT_FOUND, "grant.customer.key")}},
    };
    static const kind customers = {
        "customer", before_customer,
        states,     sizeof states / sizeof *states,
        actions,    sizeof actions / sizeof *actions};

    (void)state;
    every_pair(&customers);
}

/* --- Grants --------------------------------------------------------------- */
static char grant_id[32];

static met_error void_at(int64_t at_ns, uint64_t flags)
{
    met_buffer *out = fresh();

    return keep(met_grant_void(store, grant_id, strlen(grant_id), at_ns,
                               flags, out, &told),
                out);
}
static met_error do_void(void)
{
    return void_at(0, 0);
}
static met_error do_void_ahead(void)
{
    return void_at(clock_now_ns + MET__MINUTE_NS, 0);
}
static met_error do_void_before_period(void)
{
    return void_at(time_of("2026-03-01T00:00:00Z"), 0);
}
static met_error do_void_in_the_past(void)
{
    return void_at(time_of("2026-03-01T00:00:00Z"), MET_ALLOW_PAST);
}
static met_error do_grant_get(void)
{
    met_buffer *out = fresh();

    return keep(met_grant_get(store, grant_id, strlen(grant_id), out, &told),
                out);
}

static void before_grant(void)
{
    have_all();
    entitled();
}

static void grant_missing(void)
{
    snprintf(grant_id, sizeof grant_id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

static void granted_with(const char *members)
{
    assert_ok(grant_with(members));
    snprintf(grant_id, sizeof grant_id, "%s", shown("id"));
}

static void grant_scheduled(void)
{
    granted_with(",\"amount\":\"3\",\"effective_at\":\"" LATER "\"");
}

static void grant_active(void)
{
    granted_with(",\"amount\":\"3\"");
    clock_now_ns += MET__HOUR_NS;
}

static void grant_expired(void)
{
    granted_with(",\"amount\":\"3\",\"expiration\":{\"duration\":\"day\","
                 "\"count\":1}");
    clock_now_ns += 2 * MET__DAY_NS;
}

static void grant_voided(void)
{
    grant_active();
    assert_ok(do_void());
}

static void grant_of_nothing(void)
{
    grant_active();
    assert_ok(end_entitlement());
    clock_now_ns += MET__HOUR_NS;
}

static void of_every_grant(void **state)
{
    static const state_of states[] = {
        {"missing", grant_missing},   {"scheduled", grant_scheduled},
        {"active", grant_active},     {"expired", grant_expired},
        {"voided", grant_voided},     {"without entitlement",
                                       grant_of_nothing}};
#define UNKNOWN REFUSED(NOT_FOUND, "id")
#define VOIDED REFUSED(CONFLICT, "id")
#define AT REFUSED(INVALID, "at_ns")
    static const action actions[] = {
        {"void", do_void,
         {UNKNOWN, CHANGES, CHANGES, CHANGES, VOIDED, CHANGES}},
        {"void in the future", do_void_ahead,
         {UNKNOWN, AT, AT, AT, VOIDED, AT}},
        {"void before the usage period", do_void_before_period,
         {UNKNOWN, AT, AT, AT, VOIDED, CHANGES}},
        {"void in the past", do_void_in_the_past,
         {UNKNOWN, CHANGES, CHANGES, CHANGES, VOIDED, CHANGES}},
        {"get", do_grant_get, {UNKNOWN, STAYS, STAYS, STAYS, STAYS, STAYS}},
        {"another", do_grant,
         {CHANGES, CHANGES, CHANGES, CHANGES, CHANGES, NOT_ENTITLED}},
    };
    static const kind grants = {"grant", before_grant,
                                states,  sizeof states / sizeof *states,
                                actions, sizeof actions / sizeof *actions};

    (void)state;
    every_pair(&grants);
}

/* --- Entitlements --------------------------------------------------------- */
static met_error do_entitle_later(void)
{
    return entitle_with(METERED ",\"active_from\":\"" LATER "\"", 0);
}
static met_error do_override(void)
{
    return entitle_with(METERED, 1);
}
static met_error do_reset(void)
{
    return reset_with("{}");
}
static met_error do_reset_ahead(void)
{
    return reset_with("{\"at\":\"" LATER "\"}");
}
static met_error do_history(void)
{
    met_buffer *out = fresh();

    return keep(met_entitlement_history(store, "c", 1, "f", 1, 0, 0,
                                        MET_HISTORY_DAY, out, &told),
                out);
}
static met_error do_access(void)
{
    met_buffer *out = fresh();

    return keep(met_entitlement_get(store, "c", 1, "f", 1, 0, out, &told),
                out);
}

static void entitled_later(void)
{
    assert_ok(do_entitle_later());
}

static void entitled_for_a_day(void)
{
    entitled();
    clock_now_ns += MET__DAY_NS;
}

static void not_any_more(void)
{
    entitled_for_a_day();
    assert_ok(end_entitlement());
    clock_now_ns += MET__HOUR_NS;
}

static void yes_or_no(void)
{
    assert_ok(entitle_with(",\"type\":\"boolean\"", 0));
    clock_now_ns += MET__DAY_NS;
}

static void by_subscription(void)
{
    subscribed();
    clock_now_ns += MET__DAY_NS;
}

static void of_every_entitlement(void **state)
{
    static const state_of states[] = {
        {"none", nothing},          {"scheduled", entitled_later},
        {"active", entitled_for_a_day}, {"ended", not_any_more},
        {"boolean", yes_or_no},     {"a subscription's", by_subscription}};
#define NONE REFUSED(NOT_FOUND, "feature_key")
#define TWICE REFUSED(CONFLICT, "feature")
    static const action actions[] = {
        {"create", do_entitle,
         {CHANGES, TWICE, TWICE, CHANGES, TWICE, TWICE}},
        {"create for later", do_entitle_later,
         {CHANGES, TWICE, TWICE, CHANGES, TWICE, TWICE}},
        {"override", do_override,
         {REFUSED(NOT_FOUND, "entitlement.feature"),
          REFUSED(NOT_FOUND, "entitlement.feature"), CHANGES,
          REFUSED(NOT_FOUND, "entitlement.feature"), CHANGES,
          REFUSED(CONFLICT, "feature_key")}},
        {"remove", end_entitlement,
         {NONE, CHANGES, CHANGES, NONE, CHANGES,
          REFUSED(CONFLICT, "feature_key")}},
        {"reset", do_reset,
         {NONE, NONE, CHANGES, NONE, REFUSED(INVALID, "feature_key"),
          CHANGES}},
        {"reset in the future", do_reset_ahead,
         {NONE, NONE, REFUSED(INVALID, "at"), NONE,
          REFUSED(INVALID, "feature_key"), REFUSED(INVALID, "at")}},
        {"grant", do_grant,
         {NOT_ENTITLED, TOO_EARLY, CHANGES, NOT_ENTITLED,
          REFUSED(INVALID, "grant.feature.key"), CHANGES}},
        {"history", do_history,
         {NONE, NONE, STAYS, NONE, REFUSED(INVALID, "feature_key"), STAYS}},
        {"access", do_access, {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    };
    static const kind entitlements = {
        "entitlement", have_all,
        states,        sizeof states / sizeof *states,
        actions,       sizeof actions / sizeof *actions};

    (void)state;
    every_pair(&entitlements);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_every_meter),
        cmocka_unit_test(of_every_feature),
        cmocka_unit_test(of_every_customer),
        cmocka_unit_test(of_every_grant),
        cmocka_unit_test(of_every_entitlement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

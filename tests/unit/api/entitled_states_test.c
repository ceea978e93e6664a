/* What may become of customers, their grants and the entitlements that stand
 * alone, in every state. */
#include "unit/api/object_states.h"

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
static met_error reset_with(const char *json)
{
    met_buffer *out = fresh();

    return keep(met_entitlement_reset(store, "c", 1, "f", 1, json,
                                      strlen(json), out, &told),
                out);
}

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
        cmocka_unit_test(of_every_customer),
        cmocka_unit_test(of_every_grant),
        cmocka_unit_test(of_every_entitlement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

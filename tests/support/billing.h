/* For tests of entitlements and invoices: a small catalog, usage of subjects
 * at any moment, settlement with its balances. On top of documents.h. */
#ifndef TESTS_SUPPORT_BILLING_H
#define TESTS_SUPPORT_BILLING_H

#include "support/documents.h"

#include "entitlement/access.h"
#include "meter/recorder.h"
#include "meter/settlement.h"
#include "metering/catalog.h"
#include "metering/customer.h"

static met_recorder *recorder;

/* --- Catalog -------------------------------------------------------------- */
static inline void must_put_feature(const char *json)
{
    fresh();
    assert_ok(met_feature_put(store, json, strlen(json), NULL, &told));
}

/* Puts and publishes in one go, as of a moment long ago. */
static inline void must_publish(const char *key, const char *json)
{
    fresh();
    assert_ok(met_plan_put(store, json, strlen(json), NULL, &told));
    assert_ok(met_plan_publish(store, key, strlen(key),
                               time_of("2025-01-01T00:00:00Z"),
                               MET_ALLOW_PAST, NULL, &told));
}

/* A plan of one phase whose only card is this one. */
static inline void must_publish_card(const char *key, const char *card)
{
    char json[2048];

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"Plan %s\",\"currency\":\"USD\","
             "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
             "\"name\":\"Default\",\"rate_cards\":[%s]}]}",
             key, key, card);
    must_publish(key, json);
}

/* The card of the story's feature: price and entitlement as JSON. */
static inline const char *story_card(const char *price,
                                     const char *entitlement)
{
    static char json[1024];

    snprintf(json, sizeof json,
             "{\"key\":\"example_service\",\"name\":\"Example service\","
             "\"feature\":{\"key\":\"example_service\"},\"billing_cadence\":"
             "\"P1M\",\"price\":%s%s%s}",
             price, entitlement != NULL ? ",\"entitlement\":" : "",
             entitlement != NULL ? entitlement : "");
    return json;
}

#define PACKAGE_5000 \
    "{\"type\":\"package\",\"amount\":\"1\",\"quantity_per_package\":\"5000\"}"
#define HARD_1000 \
    "{\"type\":\"metered\",\"limit\":\"1000\",\"is_soft_limit\":false}"
#define SOFT_5000 \
    "{\"type\":\"metered\",\"limit\":\"5000\",\"is_soft_limit\":true}"

/* Meter, feature and the plans free and premium of the get-started story. */
static inline void must_put_story(void)
{
    must_put_requests_meter();
    must_put_feature("{\"key\":\"example_service\",\"name\":\"Example\","
                     "\"meter\":{\"key\":\"api_requests\",\"filters\":{"
                     "\"service_name\":{\"eq\":\"example_service\"}}}}");
    must_publish_card("free", story_card("{\"type\":\"free\"}", HARD_1000));
    must_publish_card("premium", story_card(PACKAGE_5000, SOFT_5000));
}

/* A customer with one subject "consumer:KEY". */
static inline void must_put_customer(const char *key)
{
    char json[512];

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"Customer %s\",\"currency\":\"USD\","
             "\"usage_attribution\":{\"subject_keys\":[\"consumer:%s\"]}}",
             key, key, key);
    fresh();
    assert_ok(met_customer_put(store, json, strlen(json), NULL, &told));
}

/* members: further members, each with a comma before it. The id is a copy that
 * lives until the second next call. */
static inline const char *must_subscribe(const char *customer,
                                         const char *plan,
                                         const char *members)
{
    static char ids[2][32];
    static unsigned turn;
    char json[512];

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"plan\":{\"key\":\"%s\"}%s}",
             customer, plan, members);
    met_buffer *buffer = fresh();
    assert_ok(keep(met_subscription_create(store, json, strlen(json),
                                           MET_ALLOW_PAST, buffer, &told),
                   buffer));
    char *id = ids[turn++ % 2];
    snprintf(id, sizeof ids[0], "%s", shown("id"));
    assert_int_equal(strlen(id), 26);
    return id;
}

/* --- Usage ---------------------------------------------------------------- */
/* route: NULL for none. */
static inline void must_use_of(const char *subject, const char *service,
                               const char *route, int64_t utc_ns,
                               unsigned count, uint32_t flags)
{
    const met_pair attributes[] = {
        {"service_name", 12, service, strlen(service)},
        {"route_name", 10, route, route != NULL ? strlen(route) : 0}};
    met_event event = {.struct_size = sizeof event,
                       .type = "kong.api_request",
                       .type_size = 16,
                       .subject = subject,
                       .subject_size = strlen(subject),
                       .attributes = attributes,
                       .attribute_count = route != NULL ? 2 : 1,
                       .utc_ns = utc_ns};

    if (recorder == NULL) {
        fresh();
        assert_ok(met__recorder_open(store, 0, &recorder, &told));
    }
    for (unsigned i = 0; i < count; i++) {
        assert_ok(met__recorder_add(recorder, &event, flags, &told));
    }
}

static inline void must_use_at(const char *subject, const char *service,
                               int64_t utc_ns, unsigned count, uint32_t flags)
{
    must_use_of(subject, service, NULL, utc_ns, count, flags);
}

/* Of a route of the story's service. */
static inline void must_use_route(const char *subject, const char *time,
                                  const char *route, unsigned count)
{
    must_use_of(subject, "example_service", route, time_of(time), count, 0);
}

/* Of the story's service, through admit. */
static inline void must_use(const char *subject, const char *time,
                            unsigned count)
{
    must_use_at(subject, "example_service", time_of(time), count,
                MET__RECORD_ADMITTED);
}

static inline met_error settle(void)
{
    met__settle_report report;
    met__balance_step *step = NULL;
    met_error error = met__balance_step_create(store, &step);

    fresh();
    if (error == MET_OK) {
        met__settle_step steps[1] = {met__balance_step_of(step)};
        error = met__settle(store, steps, 1, 0, &report, &told);
        met__balance_step_destroy(step);
    }
    return error;
}

static inline void must_settle(void)
{
    /* Closing is what makes the minute that runs settle too. */
    met__recorder_close(recorder);
    recorder = NULL;
    assert_ok(settle());
}

/* --- Setup ---------------------------------------------------------------- */
static inline int billing_setup(void **state)
{
    int failed = documents_setup(state);

    recorder = NULL;
    must_put_story();
    return failed;
}

static inline int billing_teardown(void **state)
{
    met__recorder_close(recorder);
    recorder = NULL;
    return documents_teardown(state);
}

#endif

/* The public calls on features, plans, customers and subscriptions, each with
 * texts instead of sizes; the answer is kept by documents.h. */
#ifndef TESTS_SUPPORT_CATALOG_CALLS_H
#define TESTS_SUPPORT_CATALOG_CALLS_H

#include "support/documents.h"

#include "metering/customer.h"

static inline met_error feature_put(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_feature_put(store, json, strlen(json), out, &told), out);
}

static inline met_error feature_get(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_feature_get(store, key, strlen(key), out, &told), out);
}

static inline met_error feature_list(void)
{
    met_buffer *out = fresh();
    return keep(met_feature_list(store, out, &told), out);
}

static inline met_error feature_archive(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_feature_archive(store, key, strlen(key), &told), out);
}

static inline met_error plan_put(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_plan_put(store, json, strlen(json), out, &told), out);
}

static inline met_error plan_publish_at(const char *key, int64_t at_ns,
                                        uint64_t flags)
{
    met_buffer *out = fresh();
    return keep(met_plan_publish(store, key, strlen(key), at_ns, flags, out,
                                 &told),
                out);
}

static inline met_error plan_publish(const char *key)
{
    return plan_publish_at(key, 0, 0);
}

static inline met_error plan_get_at(const char *key, uint32_t version,
                                    int64_t at_ns)
{
    met_buffer *out = fresh();
    return keep(met_plan_get(store, key, strlen(key), version, at_ns, out,
                             &told),
                out);
}

static inline met_error plan_get(const char *key, uint32_t version)
{
    return plan_get_at(key, version, 0);
}

static inline met_error plan_next(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_plan_next(store, key, strlen(key), out, &told), out);
}

static inline met_error plan_list(void)
{
    met_buffer *out = fresh();
    return keep(met_plan_list(store, out, &told), out);
}

static inline met_error plan_archive(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_plan_archive(store, key, strlen(key), &told), out);
}

static inline met_error plan_remove(const char *key, uint32_t version)
{
    met_buffer *out = fresh();
    return keep(met_plan_remove(store, key, strlen(key), version, &told),
                out);
}

static inline met_error customer_put(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_customer_put(store, json, strlen(json), out, &told), out);
}

static inline met_error customer_get(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_customer_get(store, key, strlen(key), out, &told), out);
}

static inline met_error customer_of_subject(const char *subject)
{
    met_buffer *out = fresh();
    return keep(met_customer_of_subject(store, subject, strlen(subject), out,
                                        &told),
                out);
}

static inline met_error customer_list(void)
{
    met_buffer *out = fresh();
    return keep(met_customer_list(store, out, &told), out);
}

static inline met_error customer_remove(const char *key)
{
    met_buffer *out = fresh();
    return keep(met_customer_remove(store, key, strlen(key), &told), out);
}

typedef met_error (*identity_call)(met_store *store, const char *key,
                                   size_t key_size, const char *json,
                                   size_t json_size, met_buffer *json_out,
                                   met_error_info *info);

/* met_customer_erase and its like. */
static inline met_error change_identity(identity_call call, const char *key,
                                        const char *json)
{
    met_buffer *out = fresh();
    return keep(call(store, key, strlen(key), json, strlen(json), out, &told),
                out);
}

static inline met_error audit_list(void)
{
    met_buffer *out = fresh();
    return keep(met_audit_list(store, out, &told), out);
}

#define BECAUSE "\"reason\":\"asked for it\",\"actor\":\"ada\"}"

static inline met_error subscribe(const char *json, uint64_t flags)
{
    met_buffer *out = fresh();
    return keep(met_subscription_create(store, json, strlen(json), flags, out,
                                        &told),
                out);
}

static inline met_error subscription_cancel(const char *id, int64_t at_ns,
                                            uint64_t flags)
{
    met_buffer *out = fresh();
    return keep(met_subscription_cancel(store, id, strlen(id), at_ns, flags,
                                        out, &told),
                out);
}

static inline met_error subscription_continue(const char *id)
{
    met_buffer *out = fresh();
    return keep(met_subscription_continue(store, id, strlen(id), out, &told),
                out);
}

static inline met_error subscription_restore(const char *id)
{
    met_buffer *out = fresh();
    return keep(met_subscription_restore(store, id, strlen(id), out, &told),
                out);
}

static inline met_error subscription_remove(const char *id)
{
    met_buffer *out = fresh();
    return keep(met_subscription_remove(store, id, strlen(id), &told), out);
}

static inline met_error subscription_change(const char *id, const char *json,
                                            int64_t at_ns, uint64_t flags)
{
    met_buffer *out = fresh();
    return keep(met_subscription_change(store, id, strlen(id), json,
                                        strlen(json), at_ns, flags, out,
                                        &told),
                out);
}

static inline met_error subscription_migrate(const char *id, const char *json,
                                             int64_t at_ns, uint64_t flags)
{
    met_buffer *out = fresh();
    return keep(met_subscription_migrate(store, id, strlen(id), json,
                                         json != NULL ? strlen(json) : 0,
                                         at_ns, flags, out, &told),
                out);
}

static inline met_error subscription_get_at(const char *id, int64_t at_ns)
{
    met_buffer *out = fresh();
    return keep(met_subscription_get(store, id, strlen(id), at_ns, out, &told),
                out);
}

static inline met_error subscription_get(const char *id)
{
    return subscription_get_at(id, 0);
}

static inline met_error subscription_list(const char *customer)
{
    met_buffer *out = fresh();
    return keep(met_subscription_list(store, customer,
                                      customer ? strlen(customer) : 0, out,
                                      &told),
                out);
}

/* --- The get-started story ------------------------------------------------ */
#define EXAMPLE_FEATURE                                                   \
    "{\"key\":\"example_service\",\"name\":\"Example service\",\"meter\":" \
    "{\"key\":\"api_requests\",\"filters\":{\"service_name\":{\"eq\":"     \
    "\"example_service\"}}}}"
#define EXAMPLE_PLAN(KEY, PRICE, LIMIT, SOFT)                              \
    "{\"key\":\"" KEY "\",\"name\":\"Plan\",\"currency\":\"USD\","         \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","        \
    "\"name\":\"Default\",\"rate_cards\":[{\"key\":\"example_service\","   \
    "\"name\":\"Example service\",\"feature\":{\"key\":"                   \
    "\"example_service\"},\"billing_cadence\":\"P1M\",\"price\":" PRICE    \
    ",\"entitlement\":{\"type\":\"metered\",\"limit\":" LIMIT              \
    ",\"usage_period\":\"P1M\",\"is_soft_limit\":" SOFT "}}]}]}"
#define FREE_PLAN EXAMPLE_PLAN("free", "{\"type\":\"free\"}", "1000", "false")
#define PREMIUM_PLAN                                                       \
    EXAMPLE_PLAN("premium",                                                \
                 "{\"type\":\"package\",\"amount\":\"1\","                 \
                 "\"quantity_per_package\":\"5000\"}",                     \
                 "5000", "true")

/* Meter, feature, both plans published. */
static inline void must_have_catalog(void)
{
    must_put_requests_meter();
    assert_ok(feature_put(EXAMPLE_FEATURE));
    assert_ok(plan_put(FREE_PLAN));
    assert_ok(plan_publish("free"));
    assert_ok(plan_put(PREMIUM_PLAN));
    assert_ok(plan_publish("premium"));
}

#endif

/* For tests of notices: rules, usage that passes thresholds, the queue. */
#ifndef TESTS_UNIT_ENTITLEMENT_NOTICE_SUPPORT_H
#define TESTS_UNIT_ENTITLEMENT_NOTICE_SUPPORT_H

#include "support/billing.h"

#include "entitlement/notice.h"
#include "entitlement/notice_due.h"
#include "entitlement/notice_queue.h"
#include "metering/entitlement.h"
#include "metering/event.h"
#include "metering/grant.h"
#include "metering/meter.h"
#include "metering/notice.h"
#include "metering/recorder.h"

#define AT_50_80 \
    "\"thresholds\":[{\"type\":\"usage_percentage\",\"value\":\"50\"}," \
    "{\"type\":\"usage_percentage\",\"value\":\"80\"}]"

static inline met_error put_rule(const char *json)
{
    met_buffer *buffer = fresh();

    return keep(met_notice_rule_put(store, json, strlen(json), buffer, &told),
                buffer);
}

/* A rule of thresholds; members: what follows its type. */
static inline void must_put_rule(const char *key, const char *members)
{
    char json[1024];

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"Rule\",\"type\":"
             "\"entitlements.balance.threshold\",%s}",
             key, members);
    assert_ok(put_rule(json));
}

static inline void must_put_reset_rule(const char *key)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"Reset\",\"type\":"
             "\"entitlements.reset\"}",
             key);
    assert_ok(put_rule(json));
}

/* A plan of a hard limit of 100 a month, and a customer that has it. */
static inline const char *must_have_100(const char *customer)
{
    fresh();
    met_buffer plan = {0};
    if (met_plan_get(store, "hundred", 7, 0, 0, &plan, NULL) != MET_OK) {
        must_publish_card("hundred",
                          story_card("{\"type\":\"free\"}",
                                     "{\"type\":\"metered\",\"limit\":\"100\","
                                     "\"is_soft_limit\":false}"));
    }
    met_buffer_release(&plan);
    must_put_customer(customer);
    return must_subscribe(customer, "hundred",
                          ",\"active_from\":\"2026-03-01T00:00:00Z\"");
}

static inline void must_use_now(const char *customer, unsigned count)
{
    must_use_at(customer, "example_service", clock_now_ns, count, 0);
    must_settle();
}

static inline void must_tick(void)
{
    assert_ok(met__notice_tick(store));
}

static inline met_error list_notices(uint32_t count_max)
{
    met_buffer *buffer = fresh();

    return keep(met_notice_list(store, count_max, buffer, &told), buffer);
}

static inline met_error next_notices(uint32_t count_max, int64_t lease_ns)
{
    met_buffer *buffer = fresh();

    return keep(met_notice_next(store, count_max, lease_ns, buffer, &told),
                buffer);
}

static inline met_error ack(const char *id, uint64_t flags)
{
    fresh();
    return met_notice_ack(store, id, strlen(id), flags, &told);
}

static inline void assert_waiting(const char *count)
{
    assert_ok(list_notices(1000));
    assert_shown("waiting", count);
}

/* Takes the oldest notice, which is of this threshold, and acknowledges it. */
static inline void assert_next(const char *type, const char *value)
{
    char id[32];

    assert_ok(next_notices(1, 0));
    assert_shown("items.0.threshold.type", type);
    assert_shown("items.0.threshold.value", value);
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    assert_ok(ack(id, 0));
}

static inline void assert_nothing_waits(void)
{
    assert_ok(next_notices(1, 0));
    assert_shown("items", "[]");
}

#endif

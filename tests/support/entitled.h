/* For tests of grants and of entitlements that stand alone: on top of
 * billing.h. */
#ifndef TESTS_SUPPORT_ENTITLED_H
#define TESTS_SUPPORT_ENTITLED_H

#include "support/billing.h"

#include "metering/entitlement.h"
#include "metering/grant.h"

/* Ariel on the plan free: 1000 a month, hard, since 1 March. The id. */
static inline const char *must_subscribe_ariel(void)
{
    must_put_customer("ariel");
    return must_subscribe("ariel", "free",
                          ",\"active_from\":\"2026-03-01T00:00:00Z\"");
}

static inline met_error grant(const char *customer, const char *feature,
                              const char *members)
{
    char json[1024];
    met_buffer *buffer = fresh();

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"feature\":{\"key\":\"%s\"}%s}",
             customer, feature, members);
    return keep(met_grant_create(store, json, strlen(json), 0, buffer, &told),
                buffer);
}

/* To Ariel, of the story. The id lives until the fourth next call. */
static inline const char *must_grant(const char *members)
{
    static char ids[4][32];
    static unsigned turn;
    char *id = ids[turn++ % 4];

    assert_ok(grant("ariel", "example_service", members));
    snprintf(id, sizeof ids[0], "%s", shown("id"));
    return id;
}

static inline met_error entitle(const char *members, int overrides)
{
    char json[1024];
    met_buffer *buffer = fresh();

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"ariel\"},\"feature\":{\"key\":"
             "\"example_service\"}%s}",
             members);
    return keep((overrides ? met_entitlement_override
                           : met_entitlement_create)(
                    store, json, strlen(json), 0, buffer, &told),
                buffer);
}

static inline met_error reset(const char *json)
{
    met_buffer *buffer = fresh();

    return keep(met_entitlement_reset(store, "ariel", 5, "example_service", 15,
                                      json, json == NULL ? 0 : strlen(json),
                                      buffer, &told),
                buffer);
}

/* Ariel's access to the story's feature is the last answer. */
static inline void look(const char *time)
{
    met_buffer *buffer = fresh();

    assert_ok(keep(met_entitlement_get(store, "ariel", 5, "example_service",
                                       15, time_of(time), buffer, &told),
                   buffer));
}

#define assert_value(time, balance, usage, overage, available)              \
    do {                                                                    \
        look(time);                                                         \
        if (strcmp(shown("balance"), balance) != 0                          \
            || strcmp(shown("usage"), usage) != 0                           \
            || strcmp(shown("overage"), overage) != 0                       \
            || strcmp(shown("total_available"), available) != 0) {          \
            fail_msg("%s: balance %s, usage %s, overage %s, available %s",  \
                     time, shown("balance"), shown("usage"),                \
                     shown("overage"), shown("total_available"));           \
        }                                                                   \
    } while (0)

#endif

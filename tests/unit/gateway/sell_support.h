/* One customer with an allowance of one feature, for tests of what counts. */
#ifndef TESTS_UNIT_GATEWAY_SELL_SUPPORT_H
#define TESTS_UNIT_GATEWAY_SELL_SUPPORT_H

#include "support/gateway_calls.h"

/* A plan that sells `limit` of the feature "f" to ariel. */
#define SELL_F(LIMIT)                                                       \
    "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\",\"billing_cadence\":" \
    "\"P1M\",\"phases\":[{\"key\":\"default\",\"name\":\"D\",\"rate_cards\":" \
    "[{\"key\":\"f\",\"name\":\"F\",\"feature\":{\"key\":\"f\"},"             \
    "\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"free\"},"              \
    "\"entitlement\":{\"type\":\"metered\",\"limit\":" LIMIT                  \
    ",\"usage_period\":\"P1M\",\"is_soft_limit\":false}}]}]}"

static inline void must_sell_meter(const char *meter, const char *filters,
                            const char *limit)
{
    char json[2048];

    must_apply_story("");
    assert_ok(meter_put(meter));
    snprintf(json, sizeof json,
             "{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":\"m\"%s}}",
             filters);
    assert_ok(feature_put(json));
    snprintf(json, sizeof json, SELL_F("%s"), limit);
    assert_ok(plan_put(json));
    assert_ok(plan_publish("p"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":"
                        "\"p\"},\"active_from\":\"2026-03-15T10:30:00Z\"}",
                        MET_ALLOW_PAST));
    must_open_gateway(0);
}

#define METER(AGGREGATION, MORE)                                       \
    "{\"key\":\"m\",\"name\":\"M\",\"event_type\":\"kong.api_request\"," \
    "\"aggregation\":\"" AGGREGATION "\"" MORE "}"

static inline uint32_t admit_cost(uint64_t cost)
{
    met_gateway_request request = request_of("/anything", "ariel-key");

    request.cost = cost;
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    return decision.status;
}

static inline met_error end_with(uint32_t status, uint64_t request_size,
                          uint64_t response_size, uint64_t quantity)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = status,
                                   .upstream_status = status,
                                   .request_size_bytes = request_size,
                                   .response_size_bytes = response_size,
                                   .quantity = quantity};

    return met_gateway_complete(gateway, &decision.ticket, &outcome);
}

#endif

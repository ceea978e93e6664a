/* A gateway on the get-started story: two consumers with keys and groups,
 * limits, an access list, plans and subscriptions, through public calls. */
#ifndef TESTS_SUPPORT_GATEWAY_CALLS_H
#define TESTS_SUPPORT_GATEWAY_CALLS_H

#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include "metering/catalog.h"
#include "metering/gateway.h"

/* Kong's part: fewer words than the example, the same rules. */
#define STORY_GATEWAY                                                         \
    "\"_format_version\":\"3.0\","                                            \
    "\"services\":[{\"name\":\"example_service\",\"url\":"                    \
    "\"http://127.0.0.1:9/anything\",\"routes\":[{\"name\":"                   \
    "\"example_route\",\"paths\":[\"/anything\"]}]},"                         \
    "{\"name\":\"other\",\"url\":\"http://127.0.0.1:9/\",\"routes\":["        \
    "{\"name\":\"other_route\",\"paths\":[\"/other\"]}]}],"                   \
    "\"consumers\":[{\"username\":\"ariel\",\"keyauth_credentials\":["        \
    "{\"key\":\"ariel-key\"}],\"acls\":[{\"group\":\"free\"}]},"              \
    "{\"username\":\"rosario\",\"keyauth_credentials\":[{\"key\":"            \
    "\"rosario-key\"}],\"acls\":[{\"group\":\"premium\"}]},"                  \
    "{\"username\":\"stranger\",\"keyauth_credentials\":[{\"key\":"           \
    "\"stranger-key\"}]}],"                                                   \
    "\"plugins\":[{\"name\":\"key-auth\",\"config\":{\"key_names\":"          \
    "[\"apikey\"]}},{\"name\":\"acl\",\"service\":\"example_service\","       \
    "\"config\":{\"allow\":[\"free\",\"premium\"]}}"
#define STORY_LIMIT                                                           \
    ",{\"name\":\"rate-limiting\",\"consumer\":\"ariel\",\"config\":"         \
    "{\"minute\":5,\"hour\":1000}},{\"name\":\"rate-limiting\","              \
    "\"consumer\":\"rosario\",\"config\":{\"minute\":5,\"hour\":1000}}"
#define STORY_METER                                                           \
    "\"meters\":[{\"key\":\"api_requests\",\"name\":\"API requests\","        \
    "\"event_type\":\"kong.api_request\",\"aggregation\":\"count\","          \
    "\"dimensions\":{\"service_name\":\"$.service_name\",\"route_name\":"     \
    "\"$.route_name\",\"request_method\":\"$.request_method\"}}]"
#define STORY_FEATURE                                                         \
    "\"features\":[" EXAMPLE_FEATURE "]"
#define STORY_CUSTOMERS                                                       \
    "\"customers\":[{\"key\":\"ariel\",\"name\":\"Ariel\","                   \
    "\"usage_attribution\":{\"subject_keys\":[\"consumer:ariel\"]}},"         \
    "{\"key\":\"rosario\",\"name\":\"Rosario\",\"usage_attribution\":"        \
    "{\"subject_keys\":[\"consumer:rosario\"]}}]"

static met_gateway *gateway;
static met_gateway_decision decision;

static inline met_error apply_document(const char *json)
{
    met_buffer *out = fresh();
    return keep(met_catalog_apply(store, json, strlen(json), 0, 0, out, &told),
                out);
}

static inline void must_open_gateway(uint64_t flags)
{
    met_gateway_config config = {.struct_size = sizeof config,
                                 .flags = flags};

    fresh();
    assert_ok(met_gateway_open(store, &config, &gateway, &told));
}

static inline met_gateway_request request_of(const char *path,
                                             const char *key)
{
    static met_pair headers[2];

    headers[0] = (met_pair){"Host", 4, "example", 7};
    headers[1] = (met_pair){"apikey", 6, key, key ? strlen(key) : 0};
    return (met_gateway_request){.struct_size = sizeof(met_gateway_request),
                                 .method = "GET",
                                 .method_size = 3,
                                 .path = path,
                                 .path_size = strlen(path),
                                 .client_ip = "203.0.113.7",
                                 .client_ip_size = 11,
                                 .headers = headers,
                                 .header_count = key ? 2 : 1,
                                 .utc_ns = clock_now_ns,
                                 .monotonic_ns = clock_now_ns};
}

/* Admits one request; the status. */
static inline uint32_t admit(const char *path, const char *key)
{
    met_gateway_request request = request_of(path, key);

    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    return decision.status;
}

static inline met_error complete(uint32_t status)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = status,
                                   .upstream_status = status};

    return met_gateway_complete(gateway, &decision.ticket, &outcome);
}

/* Admits and completes; the status. */
static inline uint32_t serve(const char *path, const char *key)
{
    uint32_t status = admit(path, key);

    if (decision.is_admitted) {
        assert_int_equal(complete(200), MET_OK);
    }
    return status;
}

static inline void must_apply_story(const char *limits)
{
    char json[8192];

    snprintf(json, sizeof json, "{%s%s],%s,%s,%s}", STORY_GATEWAY, limits,
             STORY_METER, STORY_FEATURE, STORY_CUSTOMERS);
    assert_ok(apply_document(json));
}

static inline void must_sell(const char *customer, const char *plan,
                      const char *price, const char *limit, const char *soft)
{
    char json[2048];

    snprintf(json, sizeof json,
             EXAMPLE_PLAN("%s", "%s", "%s", "%s"), plan, price, limit, soft);
    assert_ok(plan_put(json));
    assert_ok(plan_publish(plan));
    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"plan\":{\"key\":\"%s\"},"
             "\"active_from\":\"2026-03-15T10:30:00Z\"}",
             customer, plan);
    assert_ok(subscribe(json, MET_ALLOW_PAST));
}

static inline uint64_t usage_of(const char *query)
{
    assert_ok(settle());
    assert_ok(usage_query(query));
    return strtoull(shown("data.0.value"), NULL, 10);
}

static inline int has_header(const char *line)
{
    return strstr(decision.response_headers, line) != NULL;
}

static inline void assert_body(const char *part)
{
    if (strstr(decision.body, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", decision.body, part);
    }
}

static inline int gateway_setup(void **state)
{
    gateway = NULL;
    return documents_setup(state);
}

static inline int gateway_teardown(void **state)
{
    met_gateway_close(gateway);
    gateway = NULL;
    return documents_teardown(state);
}

#endif

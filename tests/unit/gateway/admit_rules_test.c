/* Kong's rules through admit: keys and what is hidden of them, who stands for
 * nobody, whom a limit counts and which limit holds. */
#include "support/gateway_calls.h"

#include "metering/limiter.h"

#define NOBODY "{\"username\":\"nobody\"},"
#define KEYED(NAME, KEY, MORE)                                         \
    "{\"username\":\"" NAME "\",\"keyauth_credentials\":[{\"key\":\"" KEY \
    "\"" MORE "}]}"
#define SERVICES                                                        \
    "\"services\":[{\"name\":\"one\",\"url\":\"http://127.0.0.1:9/\","   \
    "\"routes\":[{\"name\":\"a\",\"paths\":[\"/a\"]},{\"name\":\"b\","   \
    "\"paths\":[\"/b\"]}]},{\"name\":\"two\",\"url\":"                   \
    "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"c\",\"paths\":["    \
    "\"/c\"]}]}],"

/* Services one (routes a, b) and two (route c), bob with the key "kong", and
 * what is given. */
static void must_apply(const char *consumers, const char *plugins)
{
    char json[8192];

    snprintf(json, sizeof json,
             "{\"_format_version\":\"3.0\"," SERVICES
             "\"consumers\":[%s" KEYED("bob", "kong", "")
             "],\"plugins\":[%s]," STORY_METER "}",
             consumers, plugins);
    assert_ok(apply_document(json));
    if (gateway == NULL) {
        must_open_gateway(0);
        return;
    }
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
}

static uint32_t ask(met_gateway_request request)
{
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    return decision.status;
}

static uint32_t ask_query(const char *query, const char *key)
{
    met_gateway_request request = request_of("/a", key);

    request.query = query;
    request.query_size = strlen(query);
    return ask(request);
}

static uint32_t ask_from(const char *path, const char *key, const char *ip)
{
    met_gateway_request request = request_of(path, key);

    request.client_ip = ip;
    request.client_ip_size = strlen(ip);
    return ask(request);
}

static void assert_upstream(const char *line, int is_there)
{
    if ((strstr(decision.upstream_headers, line) != NULL) != is_there) {
        fail_msg("\"%s\" and \"%s\"", decision.upstream_headers, line);
    }
}

/* --- Nobody --------------------------------------------------------------- */
static void test_rules__anonymous(void **state)
{
    (void)state;
    must_apply(NOBODY, "{\"name\":\"key-auth\",\"config\":{\"anonymous\":"
                       "\"nobody\"}},{\"name\":\"rate-limiting\",\"config\":"
                       "{\"minute\":3}}");
    assert_int_equal(ask_from("/a", NULL, "203.0.113.1"), 200);
    assert_string_equal(decision.consumer, "nobody");
    assert_upstream("X-Anonymous-Consumer: true\r\n", 1);
    assert_upstream("X-Consumer-Username: nobody\r\n", 1);
    assert_upstream("X-Credential-Identifier", 0);
    assert_int_equal(complete(200), MET_OK);
    /* A wrong key and a doubled one are nobody's too; all are counted as
     * one, wherever they come from. */
    assert_int_equal(ask_from("/a", "wrong", "203.0.113.2"), 200);
    assert_int_equal(complete(200), MET_OK);
    assert_int_equal(ask_query("apikey=kong&apikey=kong", NULL), 200);
    assert_string_equal(decision.consumer, "nobody");
    assert_int_equal(complete(200), MET_OK);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.3"), 429);
    /* Who has a key is himself. */
    assert_int_equal(ask_from("/a", "kong", "203.0.113.1"), 200);
    assert_string_equal(decision.consumer, "bob");
    assert_upstream("X-Anonymous-Consumer", 0);
    assert_upstream("X-Credential-Identifier: ", 1);
    assert_int_equal(complete(200), MET_OK);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 4);
}

static void test_rules__anonymous_and_groups(void **state)
{
    (void)state;
    must_apply(NOBODY, "{\"name\":\"key-auth\",\"config\":{\"anonymous\":"
                       "\"nobody\"}},{\"name\":\"acl\",\"config\":{\"allow\":"
                       "[\"vip\"]}}");
    assert_int_equal(serve("/a", NULL), 401); /* no groups, and no key */
    assert_body("Unauthorized");
    assert_int_equal(serve("/a", "kong"), 403);
}

static void test_rules__anonymous_is_missing(void **state)
{
    (void)state;
    must_apply("", "{\"name\":\"key-auth\",\"config\":{\"anonymous\":"
                   "\"ghost\"}}");
    assert_int_equal(serve("/a", NULL), 500);
    assert_body("anonymous consumer ghost is configured but doesn't exist");
    assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_CONFIG);
    assert_int_equal(serve("/a", "kong"), 200);
}

/* --- Keys ----------------------------------------------------------------- */
static void test_rules__hidden_keys(void **state)
{
    (void)state;
    must_apply("", "{\"name\":\"key-auth\",\"config\":{\"hide_credentials\":"
                   "true,\"key_names\":[\"apikey\",\"my_key\"]}}");
    assert_int_equal(ask_query("c=v1&apikey=kong&a=v%33", NULL), 200);
    assert_string_equal(decision.upstream_query, "c=v1&a=v3");
    assert_int_equal(decision.upstream_query_size, 9);
    assert_non_null(strstr(decision.drop_headers, "apikey\r\n"));
    assert_non_null(strstr(decision.drop_headers, "my_key\r\n"));
    assert_non_null(strstr(decision.drop_headers, "my-key\r\n"));
    /* The header decides; the one in the query is a key all the same. */
    assert_int_equal(ask_query("apikey=kong&a=1", "kong"), 200);
    assert_string_equal(decision.upstream_query, "a=1");
    assert_int_equal(ask_query("api%6Bey=kong", "kong"), 200);
    assert_string_equal(decision.upstream_query, "");
    /* Without a key in it a query stays as it came. */
    assert_int_equal(ask_query("q=%7ea+b&&x", "kong"), 200);
    assert_string_equal(decision.upstream_query, "q=%7ea+b&&x");
}

static void test_rules__hidden_keys_of_nobody(void **state)
{
    (void)state;
    must_apply(NOBODY, "{\"name\":\"key-auth\",\"config\":{\"anonymous\":"
                       "\"nobody\",\"hide_credentials\":true}}");
    assert_int_equal(ask_query("apikey=kong&apikey=kong&a=1", NULL), 200);
    assert_string_equal(decision.consumer, "nobody");
    assert_string_equal(decision.upstream_query, "a=1");
    assert_int_equal(ask_query("apikey=stale&a=1", NULL), 200);
    assert_string_equal(decision.upstream_query, "a=1");
}

/* Hiding makes a query longer at worst, never shorter by something else. */
static void test_rules__long_queries(void **state)
{
    static char query[60000];
    size_t size = 0;

    (void)state;
    must_apply("", "{\"name\":\"key-auth\",\"config\":{\"hide_credentials\":"
                   "true}}");
    while (size < sizeof query - 32) {
        size += (size_t)snprintf(query + size, 8, "a=@*$&");
    }
    snprintf(query + size, 32, "apikey=kong");
    assert_int_equal(ask_query(query, NULL), 200);
    assert_int_equal(decision.upstream_query_size, size / 6 * 12 - 1);
    assert_memory_equal(decision.upstream_query, "a=%40%2A%24&", 12);
    memory.fail_at = memory.calls + 1;
    assert_int_equal(ask_query(query, NULL), 200); /* room is there by now */
    memory.fail_at = 0;
}

static void test_rules__preflight(void **state)
{
    met_gateway_request request;

    (void)state;
    must_apply("", "{\"name\":\"key-auth\",\"service\":\"one\",\"config\":"
                   "{\"run_on_preflight\":false}},{\"name\":\"key-auth\","
                   "\"service\":\"two\"}");
    request = request_of("/a", NULL);
    request.method = "OPTIONS";
    request.method_size = 7;
    assert_int_equal(ask(request), 200);
    assert_string_equal(decision.consumer, "");
    assert_int_equal(complete(204), MET_OK);
    request.path = "/c";
    assert_int_equal(ask(request), 401);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 0);
}

static void test_rules__expired_key(void **state)
{
    (void)state;
    must_apply(KEYED("eve", "short", ",\"ttl\":60") ",",
               "{\"name\":\"key-auth\"}");
    assert_int_equal(serve("/a", "short"), 200);
    clock_now_ns += 60 * MET__SECOND_NS - 1;
    assert_int_equal(serve("/a", "short"), 200);
    clock_now_ns += 1;
    assert_int_equal(serve("/a", "short"), 401);
    assert_string_equal(decision.reason_name, "BAD_KEY");
    assert_body("Unauthorized");
}

/* --- Services ------------------------------------------------------------- */
static void test_rules__disabled_service(void **state)
{
    (void)state;
    assert_ok(apply_document(
        "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"off\","
        "\"enabled\":false,\"url\":\"http://127.0.0.1:9/\",\"routes\":["
        "{\"name\":\"deep\",\"paths\":[\"/a/deep\"]}]},{\"name\":\"on\","
        "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"a\","
        "\"paths\":[\"/a\"]}]}]}"));
    must_open_gateway(0);
    /* As if its routes were not there. */
    assert_int_equal(serve("/a/deep", NULL), 200);
    assert_string_equal(decision.route, "a");
    met_gateway_request request = request_of("/a/deep", NULL);
    request.service = "off";
    request.service_size = 3;
    assert_int_equal(ask(request), 404);
    request.service_size = 0;
    request.route = "deep";
    request.route_size = 4;
    assert_int_equal(ask(request), 404);
    request.route = "a";
    request.route_size = 1;
    request.service = "off";
    request.service_size = 3;
    assert_int_equal(ask(request), 404); /* not its route */
    request.service = "on";
    request.service_size = 2;
    assert_int_equal(ask(request), 200);
}

/* --- Whom a limit counts -------------------------------------------------- */
#define BY(WHAT)                                                         \
    "{\"name\":\"key-auth\",\"route\":\"a\"},{\"name\":\"rate-limiting\"," \
    "\"config\":{\"minute\":1," WHAT "}}"

static void test_rules__limit_by_ip(void **state)
{
    (void)state;
    must_apply("", BY("\"limit_by\":\"ip\""));
    assert_int_equal(ask_from("/a", "kong", "203.0.113.1"), 200);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.1"), 429);
    assert_int_equal(ask_from("/a", "kong", "203.0.113.2"), 200);
    /* Nor is an unknown address let through without end. */
    assert_int_equal(ask_from("/b", NULL, ""), 200);
    assert_int_equal(ask_from("/b", NULL, ""), 429);
}

/* Two requests at the end of a minute, two at the start of the next one, and
 * one a minute after the first. */
static void test_rules__algorithms(void **state)
{
    static const struct {
        const char *config;
        int is_allowed_anew; /* by the new minute */
    } cases[] = {{"\"minute\":2", 0},
                 {"\"minute\":2,\"algorithm\":\"sliding\"", 0},
                 {"\"minute\":1000,\"algorithm\":\"sliding\"", 1},
                 {"\"minute\":2,\"algorithm\":\"sliding_counter\"", 0},
                 {"\"minute\":2,\"algorithm\":\"calendar_utc\"", 1},
                 {"\"minute\":2,\"algorithm\":\"fixed_epoch\"", 1},
                 {"\"minute\":2,\"algorithm\":\"gcra\"", 0}};
    char plugins[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(plugins, sizeof plugins,
                 "{\"name\":\"rate-limiting\",\"config\":{%s}}",
                 cases[i].config);
        must_apply("", plugins);
        int64_t minute = 60 * MET__SECOND_NS;
        clock_now_ns += 3 * minute - clock_now_ns % minute;
        clock_now_ns -= MET__SECOND_NS;
        assert_int_equal(serve("/a", NULL), 200);
        assert_int_equal(serve("/a", NULL), 200);
        assert_int_equal(serve("/a", NULL), i == 2 ? 200 : 429);
        clock_now_ns += MET__SECOND_NS;
        assert_int_equal(serve("/a", NULL),
                         cases[i].is_allowed_anew ? 200 : 429);
        clock_now_ns += minute;
        assert_int_equal(serve("/a", NULL), 200);
    }
}

/* However an address is written, and all of a client's network of IPv6. */
static void test_rules__limit_by_network(void **state)
{
    (void)state;
    must_apply("", "{\"name\":\"rate-limiting\",\"config\":{\"minute\":3,"
                   "\"limit_by\":\"ip\"}}");
    assert_int_equal(ask_from("/a", NULL, "2001:db8:1:2::1"), 200);
    assert_int_equal(ask_from("/a", NULL, "2001:DB8:1:2:0:0:0:1"), 200);
    assert_int_equal(ask_from("/a", NULL, "2001:db8:1:2:ffff::9"), 200);
    assert_int_equal(ask_from("/a", NULL, "2001:db8:1:2::77"), 429);
    assert_int_equal(ask_from("/a", NULL, "2001:db8:1:3::1"), 200);
    assert_int_equal(ask_from("/a", NULL, "192.0.2.1"), 200);
    assert_int_equal(ask_from("/a", NULL, "::ffff:192.0.2.1"), 200);
    assert_int_equal(ask_from("/a", NULL, "::ffff:c000:201"), 200);
    assert_int_equal(ask_from("/a", NULL, "192.0.2.1"), 429);
    assert_int_equal(ask_from("/a", NULL, "192.0.2.2"), 200);
    assert_int_equal(ask_from("/a", NULL, "unix:"), 200);
    assert_int_equal(ask_from("/a", NULL, "unix:2"), 200);
}

static void test_rules__limit_by_consumer(void **state)
{
    (void)state;
    must_apply("", BY("\"limit_by\":\"consumer\""));
    assert_int_equal(ask_from("/a", "kong", "203.0.113.1"), 200);
    assert_int_equal(ask_from("/a", "kong", "203.0.113.2"), 429);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.1"), 200); /* nobody */
    assert_int_equal(ask_from("/b", NULL, "203.0.113.1"), 429);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.2"), 200);
}

static void test_rules__limit_by_credential(void **state)
{
    (void)state;
    must_apply("{\"username\":\"carl\",\"keyauth_credentials\":[{\"key\":"
               "\"k1\"},{\"key\":\"k2\"}]},",
               BY("\"limit_by\":\"credential\""));
    assert_int_equal(ask_from("/a", "k1", "203.0.113.1"), 200);
    assert_int_equal(ask_from("/a", "k1", "203.0.113.2"), 429);
    assert_int_equal(ask_from("/a", "k2", "203.0.113.1"), 200);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.1"), 200);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.1"), 429);
}

static void test_rules__limit_by_service(void **state)
{
    (void)state;
    must_apply("", BY("\"limit_by\":\"service\""));
    assert_int_equal(ask_from("/a", "kong", "203.0.113.1"), 200);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.2"), 429);
    assert_int_equal(ask_from("/c", NULL, "203.0.113.1"), 200);
}

static uint32_t ask_header(const char *value, size_t size, const char *ip)
{
    met_gateway_request request = request_of("/b", NULL);
    met_pair headers[] = {{"X-TENANT", 8, value, size}};

    request.headers = headers;
    request.header_count = value != NULL;
    request.client_ip = ip;
    request.client_ip_size = strlen(ip);
    return ask(request);
}

static void test_rules__limit_by_header(void **state)
{
    static char big[70000];

    (void)state;
    must_apply("", BY("\"limit_by\":\"header\",\"header_name\":"
                      "\"x-tenant\""));
    assert_int_equal(ask_header("t1", 2, "203.0.113.1"), 200);
    assert_int_equal(ask_header("t1", 2, "203.0.113.2"), 429);
    assert_int_equal(ask_header("t2", 2, "203.0.113.1"), 200);
    assert_int_equal(ask_header(NULL, 0, "203.0.113.1"), 200); /* address */
    assert_int_equal(ask_header(NULL, 0, "203.0.113.1"), 429);
    assert_int_equal(ask_header("", 0, "203.0.113.1"), 429);
    assert_int_equal(ask_header(NULL, 0, "203.0.113.2"), 200);
    /* Nobody's address can be used up by its name as a header. */
    assert_int_equal(ask_header("203.0.113.3", 11, "203.0.113.1"), 200);
    assert_int_equal(ask_header(NULL, 0, "203.0.113.3"), 200);
    memset(big, 'x', sizeof big);
    assert_int_equal(ask_header(big, sizeof big, "203.0.113.1"), 200);
    assert_int_equal(ask_header(big, sizeof big, "203.0.113.1"), 429);
    assert_int_equal(ask_header("a\0b", 3, "203.0.113.1"), 200);
    assert_int_equal(ask_header("a\0c", 3, "203.0.113.1"), 200);
}

static void test_rules__limit_by_path(void **state)
{
    (void)state;
    must_apply("", BY("\"limit_by\":\"path\",\"path\":\"/b/x\""));
    assert_int_equal(ask_from("/b/x", NULL, "203.0.113.1"), 200);
    assert_int_equal(ask_from("/b/x", NULL, "203.0.113.2"), 429);
    assert_int_equal(ask_from("/b/y", NULL, "203.0.113.1"), 200); /* address */
    assert_int_equal(ask_from("/b", NULL, "203.0.113.1"), 429);
    assert_int_equal(ask_from("/b", NULL, "203.0.113.2"), 200);
}

/* --- Which limit holds ---------------------------------------------------- */
#define LIMIT(SCOPE, N)                                                \
    ",{\"name\":\"rate-limiting\"," SCOPE "\"config\":{\"minute\":" #N "}}"
#define OF_S "\"service\":\"one\","
#define OF_R "\"route\":\"a\","
#define OF_C "\"consumer\":\"bob\","

static void assert_limit(const char *path, const char *key, int limit)
{
    char line[64];

    snprintf(line, sizeof line, "X-RateLimit-Limit-Minute: %d\r\n", limit);
    assert_int_equal(serve(path, key), 200);
    if (!has_header(line)) {
        fail_msg("%s: %s, not %d", path, decision.response_headers, limit);
    }
}

/* Each narrower one takes the place of those before: eight scopes. */
static void test_rules__narrowest_scope_holds(void **state)
{
    static const char *const limits[] = {
        LIMIT("", 80),        LIMIT(OF_S, 70),      LIMIT(OF_R, 60),
        LIMIT(OF_C, 50),      LIMIT(OF_R OF_S, 40), LIMIT(OF_S OF_C, 30),
        LIMIT(OF_R OF_C, 20), LIMIT(OF_R OF_S OF_C, 10)};
    static const int of_bob[] = {80, 70, 60, 50, 40, 30, 20, 10};
    static const int of_others[] = {80, 70, 60, 60, 40, 40, 40, 40};
    char plugins[4096] = "{\"name\":\"key-auth\",\"config\":{\"anonymous\":"
                         "\"nobody\"}}";

    (void)state;
    for (int i = 0; i < 8; i++) {
        strcat(plugins, limits[i]);
        must_apply(NOBODY, plugins);
        assert_limit("/a", "kong", of_bob[i]);
        assert_limit("/a", NULL, of_others[i]);
        assert_limit("/c", "kong", i < 3 ? 80 : 50);
        assert_limit("/b", "kong", i == 0  ? 80
                                   : i < 3 ? 70
                                   : i < 5 ? 50
                                           : 30);
        assert_limit("/c", NULL, 80);
    }
}

/* --- Limits that are gone ------------------------------------------------- */
static met_limiter *open_limits(void)
{
    met_limiter_config config = {.struct_size = sizeof config};
    met_limiter *limiter = NULL;
    char path[256];

    snprintf(path, sizeof path, "%s/limits-3.map", met__store_path(store));
    config.path = path;
    assert_ok(met_limiter_open(&config, &limiter, NULL));
    return limiter;
}

static uint64_t policies_in(met_limiter *limits)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};

    assert_ok(met_limiter_stats_get(limits, &stats));
    return stats.policies;
}

/* Instances come and go more often than the table has room for policies. */
static void test_rules__removed_limits_make_room(void **state)
{
    (void)state;
    must_apply("", "{\"name\":\"rate-limiting\",\"config\":{\"minute\":9}}");
    met_limiter *limits = open_limits();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(policies_in(limits), 1);
        must_apply("", "{\"name\":\"rate-limiting\",\"config\":"
                       "{\"minute\":9}},{\"name\":\"rate-limiting\","
                       "\"service\":\"two\",\"config\":{\"minute\":1}}");
        assert_int_equal(policies_in(limits), 2);
        assert_int_equal(serve("/c", NULL), 200);
        assert_int_equal(serve("/c", NULL), 429);
        assert_ok(met_gateway_entity_remove(
            store, "plugin", 6, "rate-limiting service=two", 25, NULL));
        clock_now_ns += 2 * MET__SECOND_NS;
        assert_int_equal(met_gateway_tick(gateway), MET_OK);
        assert_int_equal(policies_in(limits), 1);
        assert_int_equal(serve("/c", NULL), 200);
    }
    met_limiter_close(limits);
}

/* Another process whose catalog was older has removed a policy that is in use:
 * it is set again, and the limit holds. */
static void test_rules__removed_policies_are_set_again(void **state)
{
    (void)state;
    must_apply("", "{\"name\":\"rate-limiting\",\"config\":{\"minute\":2}}");
    met_limiter *limits = open_limits();
    assert_int_equal(serve("/a", NULL), 200);
    assert_ok(met_limiter_policy_remove(limits, 0, NULL));
    assert_int_equal(policies_in(limits), 0);
    assert_int_equal(serve("/a", NULL), 200);
    assert_int_equal(policies_in(limits), 1);
    assert_int_equal(serve("/a", NULL), 200);
    assert_int_equal(serve("/a", NULL), 429);
    met_limiter_close(limits);
}

/* --- What clients are told ------------------------------------------------ */
static void test_rules__headers_hidden(void **state)
{
    met_gateway_config config = {.struct_size = sizeof config,
                                 .header_style = MET_GATEWAY_HEADERS_NONE};

    (void)state;
    must_apply("", "{\"name\":\"rate-limiting\",\"config\":{\"minute\":1,"
                   "\"hide_client_headers\":true,\"error_code\":403,"
                   "\"error_message\":\"slow \\\"down\\\"\"}},"
                   "{\"name\":\"rate-limiting\",\"service\":\"two\","
                   "\"config\":{\"minute\":1}},{\"name\":\"key-auth\","
                   "\"route\":\"b\"}");
    assert_int_equal(serve("/a", NULL), 200);
    assert_string_equal(decision.response_headers, "");
    assert_int_equal(serve("/a", NULL), 403);
    assert_string_equal(decision.response_headers, "");
    assert_int_equal(decision.response_headers_size, 0);
    assert_string_equal(decision.body, "{\"message\":\"slow \\\"down\\\"\"}");
    assert_string_equal(decision.reason_name, "RATE_LIMITED");
    assert_true(decision.wait_ns > 0);
    assert_int_equal(serve("/c", NULL), 200);
    assert_true(has_header("X-RateLimit-Limit-Minute: 1\r\n"));
    met_gateway_close(gateway);
    assert_ok(met_gateway_open(store, &config, &gateway, NULL));
    assert_int_equal(serve("/c", NULL), 429);
    assert_string_equal(decision.response_headers, "");
    assert_int_equal(serve("/b", NULL), 401);
    assert_true(has_header("WWW-Authenticate: Key\r\n"));
}

static void test_rules__headers_of_the_ietf(void **state)
{
    met_gateway_config config = {.struct_size = sizeof config,
                                 .header_style = MET_GATEWAY_HEADERS_IETF};

    (void)state;
    must_apply("", "{\"name\":\"rate-limiting\",\"config\":{\"minute\":1,"
                   "\"hour\":50}}");
    met_gateway_close(gateway);
    assert_ok(met_gateway_open(store, &config, &gateway, NULL));
    assert_int_equal(serve("/a", NULL), 200);
    assert_true(has_header("RateLimit-Policy: \"minute\";q=1;w=60, "
                           "\"hour\";q=50;w=3600\r\n"));
    assert_true(has_header("RateLimit: \"minute\";r=0;t="));
    assert_false(has_header("X-RateLimit"));
    assert_int_equal(serve("/a", NULL), 429);
    assert_true(has_header("Retry-After: "));
    assert_false(has_header("RateLimit-Limit"));
    config.header_style = MET_GATEWAY_HEADERS_IETF + 1;
    met_gateway_close(gateway);
    gateway = NULL;
    assert_int_equal(met_gateway_open(store, &config, &gateway, NULL),
                     MET_E_UNSUPPORTED);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rules__anonymous),
        TEST(test_rules__anonymous_and_groups),
        TEST(test_rules__anonymous_is_missing),
        TEST(test_rules__hidden_keys),
        TEST(test_rules__hidden_keys_of_nobody),
        TEST(test_rules__long_queries),
        TEST(test_rules__preflight),
        TEST(test_rules__expired_key),
        TEST(test_rules__disabled_service),
        TEST(test_rules__limit_by_ip),
        TEST(test_rules__algorithms),
        TEST(test_rules__limit_by_network),
        TEST(test_rules__limit_by_consumer),
        TEST(test_rules__limit_by_credential),
        TEST(test_rules__limit_by_service),
        TEST(test_rules__limit_by_header),
        TEST(test_rules__limit_by_path),
        TEST(test_rules__narrowest_scope_holds),
        TEST(test_rules__removed_limits_make_room),
        TEST(test_rules__removed_policies_are_set_again),
        TEST(test_rules__headers_hidden),
        TEST(test_rules__headers_of_the_ietf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Admit and complete on the get-started story: who is let in, what is counted,
 * what a client is told. */
#include "support/gateway_calls.h"

static void test_admit__who_is_let_in(void **state)
{
    must_apply_story("");
    must_open_gateway(0);
    assert_int_equal(serve("/nowhere", "ariel-key"), 404);
    assert_int_equal(decision.reason, MET_GATEWAY_REASON_NO_ROUTE);
    assert_body("no Route matched");
    assert_int_equal(serve("/anything", NULL), 401);
    assert_string_equal(decision.reason_name, "NO_KEY");
    assert_body("No API key found in request");
    assert_true(has_header("WWW-Authenticate: Key"));
    assert_int_equal(serve("/anything", "wrong"), 401);
    assert_string_equal(decision.reason_name, "BAD_KEY");
    assert_int_equal(serve("/anything", "wrong"), 401);
    assert_int_equal(serve("/anything", "stranger-key"), 403);
    assert_string_equal(decision.reason_name, "NOT_ALLOWED");
    assert_body("You cannot consume this service");
    assert_int_equal(serve("/other", "stranger-key"), 200);
    assert_int_equal(serve("/anything/more", "ariel-key"), 200);
    assert_string_equal(decision.consumer, "ariel");
    assert_string_equal(decision.service, "example_service");
    assert_string_equal(decision.route, "example_route");
    assert_non_null(strstr(decision.upstream_headers,
                           "X-Consumer-Username: ariel\r\n"));
    assert_non_null(strstr(decision.upstream_headers,
                           "X-Consumer-Groups: free\r\n"));
    assert_non_null(strstr(decision.drop_headers, "X-Consumer-ID\r\n"));
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 2);
    assert_int_equal(usage_of("{\"feature\":\"example_service\","
                              "\"customer\":\"ariel\"}"),
                     1);
}

static void test_admit__sixth_request_of_a_minute(void **state)
{
    must_apply_story(STORY_LIMIT);
    must_open_gateway(0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 200);
        clock_now_ns += MET__SECOND_NS;
    }
    assert_true(has_header("X-RateLimit-Limit-Minute: 5\r\n"));
    assert_true(has_header("X-RateLimit-Remaining-Minute: 0\r\n"));
    assert_true(has_header("X-RateLimit-Remaining-Hour: 995\r\n"));
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    assert_string_equal(decision.reason_name, "RATE_LIMITED");
    assert_body("API rate limit exceeded");
    assert_true(has_header("Retry-After: "));
    assert_true(has_header("X-RateLimit-Remaining-Hour: 995\r\n"));
    assert_true(decision.wait_ns > 54 * MET__SECOND_NS
                && decision.wait_ns < 56 * MET__SECOND_NS);
    /* Others are not held back by it. */
    assert_int_equal(serve("/anything", "rosario-key"), 200);
    clock_now_ns += decision.wait_ns + 56 * MET__SECOND_NS;
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(usage_of("{\"feature\":\"example_service\","
                              "\"customer\":\"ariel\"}"),
                     6);
}

static void test_admit__hard_allowance(void **state)
{
    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "3", "false");
    must_open_gateway(0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 200);
    }
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    assert_string_equal(decision.reason_name, "USAGE_LIMIT_REACHED");
    assert_body("USAGE_LIMIT_REACHED");
    assert_true(decision.wait_ns > 0);
    assert_int_equal(serve("/other", "ariel-key"), 200); /* not sold by it */
    /* Settlement, another handle, another process: the same answer. */
    assert_ok(settle());
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    met_gateway_close(gateway);
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    /* The next period begins anew. */
    clock_now_ns = time_of("2026-04-15T10:30:00Z");
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(usage_of("{\"feature\":\"example_service\","
                              "\"customer\":\"ariel\"}"),
                     4);
}

static void test_admit__soft_allowance(void **state)
{
    must_apply_story("");
    must_sell("rosario", "premium",
              "{\"type\":\"package\",\"amount\":\"1\","
              "\"quantity_per_package\":\"2\"}",
              "2", "true");
    must_open_gateway(0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(serve("/anything", "rosario-key"), 200);
    }
    assert_int_equal(usage_of("{\"feature\":\"example_service\","
                              "\"customer\":\"rosario\"}"),
                     5);
}

static void test_admit__not_served_costs_nothing(void **state)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .flags = MET_GATEWAY_NOT_SERVED};

    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "1", "false");
    must_open_gateway(0);
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    met_gateway_ticket first = decision.ticket;
    assert_int_equal(admit("/anything", "ariel-key"), 429); /* reserved */
    assert_int_equal(met_gateway_complete(gateway, &first, &outcome), MET_OK);
    assert_int_equal(met_gateway_complete(gateway, &first, &outcome),
                     MET_E_INVALID);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 1);
}

/* Browsers ask before they send the key. */
static void test_admit__preflight_needs_no_entitlement(void **state)
{
    met_gateway_request request;

    must_apply_story(",{\"name\":\"key-auth\",\"service\":"
                     "\"example_service\",\"config\":{\"run_on_preflight\":"
                     "false}},{\"name\":\"acl\",\"route\":\"example_route\","
                     "\"config\":{\"deny\":[\"nobody\"]}}");
    assert_ok(apply_document("{\"_format_version\":\"3.0\",\"services\":[{"
                             "\"name\":\"open\",\"url\":"
                             "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":"
                             "\"open\",\"paths\":[\"/open\"]}],\"plugins\":[{"
                             "\"name\":\"key-auth\",\"config\":{"
                             "\"run_on_preflight\":false}}]}]}"));
    assert_ok(feature_put("{\"key\":\"all\",\"name\":\"All\",\"meter\":"
                          "{\"key\":\"api_requests\"}}"));
    must_open_gateway(MET_GATEWAY_REQUIRE_ENTITLEMENT);
    request = request_of("/open", NULL);
    request.method = "OPTIONS";
    request.method_size = 7;
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(decision.status, 200);
    assert_int_equal(complete(204), MET_OK);
    assert_int_equal(serve("/open", "ariel-key"), 403);
    assert_int_equal(serve("/open", NULL), 401);
    /* An access list asks who it is, as Kong's does. */
    request.path = "/anything";
    request.path_size = 9;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(decision.status, 401);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 0);
}

static void test_admit__must_be_entitled(void **state)
{
    must_apply_story("");
    must_open_gateway(MET_GATEWAY_REQUIRE_ENTITLEMENT);
    assert_int_equal(serve("/anything", "ariel-key"), 403);
    assert_string_equal(decision.reason_name, "FEATURE_UNAVAILABLE");
    assert_int_equal(serve("/other", "ariel-key"), 200);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "1", "false");
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", "ariel-key"), 429);
}

static void test_admit__changes_are_followed(void **state)
{
    must_apply_story("");
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    fresh();
    assert_ok(met_gateway_entity_remove(store, "consumer", 8, "ariel", 5,
                                        &told));
    assert_int_equal(serve("/anything", "ariel-key"), 200); /* not yet known */
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/anything", "ariel-key"), 401);
}

/* Bytes that are no text, and more than a recorder keeps, count all the
 * same. */
static void test_admit__hostile_requests_count(void **state)
{
    static char path[4096];

    must_apply_story("");
    assert_ok(meter_put("{\"key\":\"by_uri\",\"name\":\"n\",\"event_type\":"
                        "\"kong.api_request\",\"aggregation\":\"count\","
                        "\"dimensions\":{\"uri\":\"$.request_uri\"}}"));
    must_open_gateway(0);
    clock_now_ns += MET__MINUTE_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    clock_now_ns += MET__MINUTE_NS;
    memset(path, 'x', sizeof path - 1);
    memcpy(path, "/anything/\xff\xfe\x01", 13);
    assert_int_equal(serve(path, "ariel-key"), 200);
    memcpy(path, "/anything/\xc3\xa4y", 13);
    assert_int_equal(serve(path, "ariel-key"), 200);
    assert_int_equal(usage_of("{\"meter\":\"by_uri\"}"), 2);
}

static void test_admit__arguments(void **state)
{
    met_gateway_request request;
    met_gateway_ticket ticket = {{0}};
    met_pair many[MET_GATEWAY_ATTRIBUTES_MAX + 1] = {{0}};

    must_apply_story("");
    must_open_gateway(0);
    request = request_of("/anything", "ariel-key");
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(NULL, &request, &decision),
                     MET_E_INVALID);
    assert_int_equal(met_gateway_admit(gateway, NULL, &decision),
                     MET_E_INVALID);
    assert_int_equal(met_gateway_admit(gateway, &request, NULL),
                     MET_E_INVALID);
    decision.struct_size = 8;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    decision.struct_size = sizeof decision;
    request.path = NULL;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    request = request_of("/anything", "ariel-key");
    request.cost = UINT64_MAX;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_LIMIT);
    request = request_of("/anything", "ariel-key");
    request.attributes = many;
    request.attribute_count = MET_GATEWAY_ATTRIBUTES_MAX + 1;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_LIMIT);
    request.attribute_count = 1;
    many[0] = (met_pair){"name", 4, NULL, 5};
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    assert_int_equal(met_gateway_complete(gateway, &ticket, NULL),
                     MET_E_INVALID);
    memset(&ticket, 0xff, sizeof ticket);
    assert_int_equal(met_gateway_complete(gateway, &ticket, NULL),
                     MET_E_INVALID);
}

/* From some hundred consumers on, what is known of one is asked for early. */
static void test_admit__among_many_consumers(void **state)
{
    enum { MANY = 600 };
    met__platform platform;
    met__buffer text;
    char key[32];

    (void)state;
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "hard", "{\"type\":\"free\"}", "2", "false");
    assert_ok(met__platform_init(&platform, NULL, NULL));
    met__buffer_init(&text, &platform);
    met__buffer_text(&text, "{\"consumers\":[");
    for (int i = 0; i < MANY; i++) {
        met__buffer_print(&text,
                          "%s{\"username\":\"many-%d\","
                          "\"keyauth_credentials\":"
                          "[{\"key\":\"many-%d-key\"}]}",
                          i > 0 ? "," : "", i, i);
    }
    met__buffer_text(&text, "]}");
    assert_ok(apply_document(text.data));
    met__buffer_release(&text);
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_true(has_header("X-RateLimit-Remaining-Minute: 4\r\n"));
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    assert_string_equal(decision.reason_name, "USAGE_LIMIT_REACHED");
    for (int i = 0; i < MANY; i += MANY - 1) {
        snprintf(key, sizeof key, "many-%d-key", i);
        assert_int_equal(serve("/anything", key), 403);
        assert_string_equal(decision.reason_name, "NOT_ALLOWED");
        assert_int_equal(serve("/other", key), 200);
        key[strlen(key) - strlen("-key")] = 0;
        assert_string_equal(decision.consumer, key);
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_admit__who_is_let_in),
        TEST(test_admit__sixth_request_of_a_minute),
        TEST(test_admit__hard_allowance),
        TEST(test_admit__soft_allowance),
        TEST(test_admit__not_served_costs_nothing),
        TEST(test_admit__must_be_entitled),
        TEST(test_admit__preflight_needs_no_entitlement),
        TEST(test_admit__changes_are_followed),
        TEST(test_admit__hostile_requests_count),
        TEST(test_admit__arguments),
        TEST(test_admit__among_many_consumers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

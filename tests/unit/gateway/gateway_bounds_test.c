/* What is promised in time: when a revoked key stops, when what a lost ticket
 * holds comes back, and that nobody is refused for being new. */
#include "support/gateway_calls.h"

static met_gateway *other; /* of another worker */

static uint32_t serve_by(met_gateway *which, const char *key)
{
    met_gateway *own = gateway;

    gateway = which;
    uint32_t status = serve("/other", key);
    gateway = own;
    return status;
}

static int teardown(void **state)
{
    met_gateway_close(other);
    other = NULL;
    return gateway_teardown(state);
}

/* As soon as one handle has finished a tick that began a second after its
 * previous look, the key is refused everywhere, by the next request. */
static void test_bounds__revoked_key(void **state)
{
    must_apply_story("");
    must_open_gateway(0);
    other = gateway;
    must_open_gateway(0);
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(met_gateway_tick(other), MET_OK);
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"ariel\",\"keyauth_credentials\":["
        "{\"key\":\"second-key\"}]}]}"));
    /* It looked less than a second ago, so it does not look now. */
    clock_now_ns += MET__SECOND_NS - 1;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve_by(gateway, "ariel-key"), 200);
    assert_int_equal(serve_by(other, "ariel-key"), 200);
    clock_now_ns += 1;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve_by(other, "ariel-key"), 401); /* without a tick */
    assert_int_equal(serve_by(gateway, "ariel-key"), 401);
    assert_int_equal(serve_by(other, "second-key"), 200);
}

/* A key is rotated by two documents: both keys for a while, then the new one.
 * A ttl ends a key to the nanosecond, without any tick. */
static void test_bounds__rotated_key(void **state)
{
    must_apply_story("");
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"ariel\",\"keyauth_credentials\":["
        "{\"key\":\"ariel-key\",\"ttl\":60},{\"key\":\"new-key\"}]}]}"));
    int64_t given_ns = clock_now_ns;
    must_open_gateway(0);
    assert_int_equal(serve_by(gateway, "ariel-key"), 200);
    assert_int_equal(serve_by(gateway, "new-key"), 200);
    clock_now_ns = given_ns + 58 * MET__SECOND_NS;
    assert_int_equal(serve_by(gateway, "ariel-key"), 200);
    clock_now_ns = given_ns + 61 * MET__SECOND_NS;
    assert_int_equal(serve_by(gateway, "ariel-key"), 401);
    assert_int_equal(serve_by(gateway, "new-key"), 200);
}

/* What was reserved and never completed is free again two slices later. */
static void test_bounds__lost_tickets(void **state)
{
    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "3", "false");
    must_open_gateway(0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(admit("/anything", "ariel-key"), 200); /* and lost */
    }
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    assert_body("USAGE_LIMIT_REACHED");
    clock_now_ns += 9 * MET__MINUTE_NS;
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    clock_now_ns += 12 * MET__MINUTE_NS;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 200);
    }
    assert_int_equal(admit("/anything", "ariel-key"), 429);
}

/* Consumer, customer and subscription come while the gateway runs: the first
 * request after the tick is served, without any settlement. */
static void test_bounds__nobody_is_refused_for_being_new(void **state)
{
    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "3", "false");
    must_open_gateway(MET_GATEWAY_REQUIRE_ENTITLEMENT);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"new\",\"keyauth_credentials\":["
        "{\"key\":\"new-key\"}],\"acls\":[{\"group\":\"free\"}]}],"
        "\"customers\":[{\"key\":\"new\",\"name\":\"New\","
        "\"usage_attribution\":{\"subject_keys\":[\"consumer:new\"]}}],"
        "\"subscriptions\":[{\"customer\":{\"key\":\"new\"},\"plan\":"
        "{\"key\":\"free\"}}]}"));
    clock_now_ns += MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/anything", "new-key"), 200);
    }
    assert_int_equal(serve("/anything", "new-key"), 429);
    /* Who has no customer is refused for that, in Kong's words. */
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"odd\",\"keyauth_credentials\":["
        "{\"key\":\"odd-key\"}],\"acls\":[{\"group\":\"free\"}]}]}"));
    clock_now_ns += MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/anything", "odd-key"), 403);
    assert_body("\"reason\":\"CUSTOMER_NOT_FOUND\"");
    assert_int_equal(serve("/anything", "rosario-key"), 403);
    assert_body("\"reason\":\"FEATURE_UNAVAILABLE\"");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bounds__revoked_key),
        TEST(test_bounds__rotated_key),
        TEST(test_bounds__lost_tickets),
        TEST(test_bounds__nobody_is_refused_for_being_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Consumer groups: which consumers are in them, limits that are scoped to
 * them, and Kong's order of precedence between these and all others. */
#include "support/gateway_calls.h"

#define HEAD                                                              \
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"one\","       \
    "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"a\","        \
    "\"paths\":[\"/a\"]}]},{\"name\":\"two\",\"url\":"                    \
    "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"b\",\"paths\":["     \
    "\"/b\"]}]}],\"consumer_groups\":[{\"name\":\"gold\"},{\"name\":"     \
    "\"silver\"}],"
#define CONSUMER(NAME, GROUPS)                                            \
    "{\"username\":\"" NAME "\",\"groups\":" GROUPS                       \
    ",\"keyauth_credentials\":[{\"key\":\"" NAME "-key\"}]}"
#define LIMIT(SCOPE, MINUTE)                                     \
    "{\"name\":\"rate-limiting\"," SCOPE "\"config\":{\"minute\":" \
    #MINUTE "}}"
#define GOLD "\"consumer_group\":\"gold\","
#define SILVER "\"consumer_group\":\"silver\","
#define ROUTE "\"route\":\"a\","
#define SERVICE "\"service\":\"one\","
#define BOB "\"consumer\":\"bob\","

static void must_apply(const char *plugins)
{
    char json[8192];

    snprintf(json, sizeof json,
             HEAD "\"consumers\":[" CONSUMER(
                 "bob", "[\"silver\",{\"name\":\"gold\"}]") ","
             CONSUMER("eve", "[\"silver\"]") ","
             CONSUMER("joe", "[]") "],\"plugins\":[{\"name\":\"key-auth\","
             "\"config\":{}}%s%s]}",
             plugins[0] != '\0' ? "," : "", plugins);
    assert_ok(apply_document(json));
    clock_now_ns += 2 * MET__SECOND_NS;
    if (gateway == NULL) {
        must_open_gateway(0);
    }
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
}

static void assert_limit(const char *path, const char *key, int minute)
{
    char line[64];

    snprintf(line, sizeof line, "X-RateLimit-Limit-Minute: %d\r\n", minute);
    assert_int_equal(serve(path, key), 200);
    if (minute == 0 ? decision.response_headers_size != 0
                    : !has_header(line)) {
        fail_msg("%s %s: wanted %d, got \"%s\"", path, key, minute,
                 decision.response_headers);
    }
}

/* Each one is narrower than all before it. */
static void test_groups__precedence(void **state)
{
    static const char *const limits[] = {
        LIMIT("", 90),           LIMIT(SERVICE, 80),
        LIMIT(ROUTE, 75),        LIMIT(GOLD, 70),
        LIMIT(BOB, 65),          LIMIT(ROUTE SERVICE, 60),
        LIMIT(SERVICE GOLD, 55), LIMIT(ROUTE GOLD, 50),
        LIMIT(SERVICE BOB, 45),  LIMIT(ROUTE BOB, 40),
        LIMIT(ROUTE SERVICE GOLD, 35), LIMIT(ROUTE SERVICE BOB, 30)};
    static const int of_bob[] = {90, 80, 75, 70, 65, 60,
                                 55, 50, 45, 40, 35, 30};
    static const int of_joe[] = {90, 80, 75, 75, 75, 60,
                                 60, 60, 60, 60, 60, 60};
    char plugins[4096] = "";

    for (int i = 0; i < 12; i++) {
        strcat(plugins, i > 0 ? "," : "");
        strcat(plugins, limits[i]);
        must_apply(plugins);
        assert_limit("/a", "bob-key", of_bob[i]);
        assert_limit("/a", "joe-key", of_joe[i]);
        assert_limit("/a", "eve-key", of_joe[i]); /* another group */
    }
}

static void test_groups__first_by_name(void **state)
{
    must_apply(LIMIT(SILVER, 20) "," LIMIT(GOLD, 10));
    assert_limit("/a", "bob-key", 10);
    assert_limit("/a", "eve-key", 20);
    assert_limit("/a", "joe-key", 0);
    /* Each consumer of a group has the limit for itself. */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(serve("/b", "bob-key"), 200);
    }
    assert_int_equal(serve("/a", "bob-key"), 200);
    assert_int_equal(serve("/a", "bob-key"), 429);
    assert_limit("/a", "eve-key", 20);
}

/* The plugins inside a group are its own; who leaves it is free of them. */
static void test_groups__membership(void **state)
{
    must_apply("");
    assert_ok(apply_document(
        "{\"consumer_groups\":[{\"name\":\"gold\",\"plugins\":["
        LIMIT("", 7) "]}]}"));
    must_apply("");
    assert_limit("/a", "bob-key", 7);
    assert_limit("/a", "eve-key", 0);
    /* A document that does not speak of groups leaves them. */
    assert_ok(apply_document("{\"consumers\":[{\"username\":\"bob\"}]}"));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_limit("/a", "bob-key", 7);
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"bob\",\"groups\":[]}]}"));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_limit("/a", "bob-key", 0);
    /* A group goes with its plugins and with who was in it; its name is free
     * again. */
    must_apply("");
    assert_limit("/a", "bob-key", 7);
    assert_ok(met_gateway_entity_remove(store, "consumer_group", 14, "gold",
                                        4, &told));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_limit("/a", "bob-key", 0);
    assert_ok(apply_document(
        "{\"consumer_groups\":[{\"name\":\"gold\",\"plugins\":["
        LIMIT("", 7) "]}]}"));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_limit("/a", "bob-key", 0); /* it was in the other one */
    must_apply("");
    assert_limit("/a", "bob-key", 7);
}

/* --- Limits in addition --------------------------------------------------- */
#define ADD(SCOPE, MINUTE)                                       \
    "{\"name\":\"rate-limiting\"," SCOPE "\"config\":{\"minute\":" \
    #MINUTE ",\"additive\":true}}"

/* A consumer's own limit and one of the service beside it: both count, and a
 * request that one of them refuses counts in none. */
static void test_groups__additive(void **state)
{
    must_apply(LIMIT(BOB, 6) "," ADD(SERVICE, 4) "," ADD(GOLD, 9));
    for (int i = 3; i >= 0; i--) {
        char line[64];
        assert_int_equal(serve("/a", "bob-key"), 200);
        snprintf(line, sizeof line, "X-RateLimit-Remaining-Minute: %d\r\n",
                 i);
        assert_true(has_header(line)); /* the one nearest to its end */
        assert_true(has_header("X-RateLimit-Limit-Minute: 4\r\n"));
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/a", "bob-key"), 429);
        assert_true(has_header("X-RateLimit-Limit-Minute: 4\r\n"));
        assert_true(has_header("Retry-After: "));
    }
    /* On the other service two are left of the consumer's own six. */
    assert_int_equal(serve("/b", "bob-key"), 200);
    assert_true(has_header("X-RateLimit-Limit-Minute: 6\r\n"));
    assert_true(has_header("X-RateLimit-Remaining-Minute: 1\r\n"));
    assert_int_equal(serve("/b", "bob-key"), 200);
    assert_int_equal(serve("/b", "bob-key"), 429);
    assert_true(has_header("X-RateLimit-Limit-Minute: 6\r\n"));
    /* Each consumer has the service's four for itself; no other limit. */
    assert_limit("/a", "joe-key", 4);
    assert_limit("/b", "joe-key", 0);
}

/* Several of a group, all or none; the plugin is known by its scope and by
 * being additive. */
static void test_groups__additive_of_groups(void **state)
{
    must_apply(ADD(GOLD, 5) "," LIMIT(GOLD, 7) "," ADD(SILVER, 2));
    assert_limit("/a", "bob-key", 2); /* in both groups */
    assert_int_equal(serve("/b", "bob-key"), 200);
    assert_int_equal(serve("/b", "bob-key"), 429);
    assert_limit("/a", "eve-key", 2);
    assert_ok(met_gateway_entity_remove(
        store, "plugin", 6, "rate-limiting additive consumer_group=silver",
        44, &told));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_limit("/a", "bob-key", 5);
    assert_true(has_header("X-RateLimit-Remaining-Minute: 2\r\n"));
    assert_limit("/a", "eve-key", 0);
}

/* An allowance that is used up, a window that is full: neither takes of the
 * others. */
static void test_groups__additive_and_allowance(void **state)
{
    must_apply(ADD("", 3));
    assert_ok(apply_document(
        "{" STORY_METER ",\"features\":[{\"key\":\"example_service\","
        "\"name\":\"E\",\"meter\":{\"key\":\"api_requests\"}}],"
        "\"customers\":[{\"key\":\"bob\",\"name\":\"Bob\","
        "\"usage_attribution\":{\"subject_keys\":[\"consumer:bob\"]}}]}"));
    must_sell("bob", "free", "{\"type\":\"free\"}", "4", "false");
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/a", "bob-key"), 200);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(serve("/a", "bob-key"), 429);
        assert_body("rate limit");
    }
    clock_now_ns += 2 * MET__MINUTE_NS;
    assert_int_equal(serve("/a", "bob-key"), 200); /* the fourth unit */
    assert_int_equal(serve("/a", "bob-key"), 429);
    assert_body("USAGE_LIMIT_REACHED");
}

static void test_groups__bad_documents(void **state)
{
    assert_told(apply_document("{\"consumer_groups\":[{}]}"), MET_E_INVALID,
                "consumer_groups[0].name", "");
    assert_told(apply_document("{\"consumer_groups\":[{\"name\":\"g\"},"
                               "{\"name\":\"g\"}]}"),
                MET_E_INVALID, "consumer_groups[1].name", "twice");
    assert_told(apply_document("{\"consumers\":[{\"username\":\"x\","
                               "\"groups\":[\"none\"]}]}"),
                MET_E_NOT_FOUND, "consumers[0].groups[0]",
                "no consumer_group of that name");
    assert_told(apply_document("{\"consumer_groups\":[{\"name\":\"g\"}],"
                               "\"consumers\":[{\"username\":\"x\","
                               "\"groups\":[\"g\",{\"name\":\"g\"}]}]}"),
                MET_E_INVALID, "consumers[0].groups[1]", "in it already");
    assert_told(apply_document("{\"consumers\":[{\"username\":\"x\","
                               "\"groups\":[7]}]}"),
                MET_E_INVALID, "consumers[0].groups[0]", "must be a name");
    assert_told(apply_document("{\"consumers\":[{\"username\":\"x\","
                               "\"groups\":\"g\"}]}"),
                MET_E_INVALID, "consumers[0].groups", "must be a list");
    assert_told(apply_document("{\"consumer_groups\":[{\"name\":\"g\"}],"
                               "\"plugins\":[{\"name\":\"acl\","
                               "\"consumer_group\":\"g\",\"config\":"
                               "{\"allow\":[\"x\"]}}]}"),
                MET_E_INVALID, "plugins[0].consumer_group",
                "cannot be scoped to a consumer");
    assert_told(apply_document("{\"consumer_groups\":[{\"name\":\"g\"}],"
                               "\"consumers\":[{\"username\":\"x\"}],"
                               "\"plugins\":[{\"name\":\"rate-limiting\","
                               "\"consumer\":\"x\",\"consumer_group\":\"g\","
                               "\"config\":{\"minute\":1}}]}"),
                MET_E_INVALID, "plugins[0].consumer_group",
                "together with a consumer");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_groups__precedence),
        TEST(test_groups__first_by_name),
        TEST(test_groups__membership),
        TEST(test_groups__additive),
        TEST(test_groups__additive_of_groups),
        TEST(test_groups__additive_and_allowance),
        TEST(test_groups__bad_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

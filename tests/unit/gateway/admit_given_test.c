/* What a host knows of a request beside its key: groups of another
 * authentication, the feature that it uses; and headers that only the gateway
 * may set. */
#include "unit/gateway/sell_support.h"

static met_gateway_request asking(const char *path, const char *key,
                                  const char *groups)
{
    met_gateway_request request = request_of(path, key);

    request.groups = groups;
    request.groups_size = groups != NULL ? strlen(groups) : 0;
    decision.struct_size = sizeof decision;
    return request;
}

static uint32_t ask(const met_gateway_request *request)
{
    assert_int_equal(met_gateway_admit(gateway, request, &decision), MET_OK);
    if (decision.is_admitted) {
        assert_int_equal(complete(200), MET_OK);
    }
    return decision.status;
}

static int goes_upstream(const char *line)
{
    return strstr(decision.upstream_headers, line) != NULL;
}

/* --- Groups --------------------------------------------------------------- */
#define LISTS                                                                \
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\",\"url\":"     \
    "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"allow\",\"paths\":["    \
    "\"/allow\"]},{\"name\":\"deny\",\"paths\":[\"/deny\"]},{\"name\":"     \
    "\"always\",\"paths\":[\"/always\"]},{\"name\":\"hidden\",\"paths\":["  \
    "\"/hidden\"]}]}],\"consumers\":[{\"username\":\"bob\","                \
    "\"keyauth_credentials\":[{\"key\":\"k\"}],\"acls\":[{\"group\":"       \
    "\"own\"}]}],\"plugins\":[{\"name\":\"acl\",\"route\":\"allow\","       \
    "\"config\":{\"allow\":[\"free\",\"own\"]}},{\"name\":\"acl\",\"route\":" \
    "\"deny\",\"config\":{\"deny\":[\"free\"]}},{\"name\":\"acl\",\"route\":" \
    "\"always\",\"config\":{\"allow\":[\"free\"],"                           \
    "\"always_use_authenticated_groups\":true}},{\"name\":\"key-auth\","    \
    "\"route\":\"always\"},{\"name\":\"acl\",\"route\":\"hidden\","         \
    "\"config\":{\"allow\":[\"free\"],\"hide_groups_header\":true}}]}"

static void test_given__groups(void **state)
{
    static const struct {
        const char *path;
        const char *key;
        const char *groups;
        uint32_t status;
        const char *line;
    } rows[] = {
        {"/allow", NULL, NULL, 401, NULL},
        {"/allow", NULL, "", 403, NULL}, /* not NULL: it has looked */
        {"/allow", NULL, ",", 403, NULL},
        {"/allow", NULL, "free", 200, "X-Authenticated-Groups: free\r\n"},
        {"/allow", NULL, " a,  free ,,b", 200,
         "X-Authenticated-Groups: a, free, b\r\n"},
        {"/allow", NULL, "Free", 403, NULL},
        {"/allow", NULL, "fre", 403, NULL},
        {"/allow", NULL, "freed", 403, NULL},
        {"/allow", NULL, "free\xc3\xa9", 403, NULL},
        {"/allow", NULL, "own", 200, "X-Authenticated-Groups: own\r\n"},
        {"/deny", NULL, "paid", 200, ""},
        {"/deny", NULL, ",", 200, ""},
        {"/deny", NULL, "paid,free", 403, NULL},
        {"/always", "k", "free", 200, "X-Authenticated-Groups: free\r\n"},
        {"/always", "k", "own", 403, NULL},
        {"/always", "k", NULL, 403, NULL}, /* its own are asked */
        {"/hidden", NULL, "free", 200, ""},
    };

    assert_ok(apply_document(LISTS));
    must_open_gateway(0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_gateway_request request =
            asking(rows[i].path, rows[i].key, rows[i].groups);
        if (ask(&request) != rows[i].status) {
            fail_msg("%s %s: %u", rows[i].path,
                     rows[i].groups ? rows[i].groups : "-",
                     (unsigned)decision.status);
        }
        if (rows[i].line != NULL && rows[i].line[0] == '\0') {
            assert_false(goes_upstream("Groups"));
        } else if (rows[i].line != NULL) {
            assert_true(goes_upstream(rows[i].line));
        }
        assert_int_equal(strlen(decision.upstream_headers),
                         decision.upstream_headers_size);
    }
}

/* As long as they may be, one longer, and what is no text. */
static void test_given__groups_bounded(void **state)
{
    char groups[MET_GATEWAY_GROUPS_BYTES + 2] = "free";

    for (size_t i = 4; i < sizeof groups; i++) {
        groups[i] = i % 2 == 0 ? ',' : 'x';
    }
    assert_ok(apply_document(LISTS));
    must_open_gateway(0);
    met_gateway_request request = asking("/allow", NULL, NULL);
    request.groups = groups;
    request.groups_size = MET_GATEWAY_GROUPS_BYTES;
    assert_int_equal(ask(&request), 200);
    assert_true(goes_upstream("X-Authenticated-Groups: free, x, x"));
    assert_true(goes_upstream(", x\r\n"));
    request.groups_size++;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_LIMIT);
    request.groups = "free\r\nX-Admin: 1";
    request.groups_size = strlen(request.groups);
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    request.groups = NULL;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
}

/* Nobody else's word for who it is, with key-auth or without. */
static void test_given__headers_of_the_gateway(void **state)
{
    assert_ok(apply_document(LISTS));
    must_open_gateway(0);
    met_gateway_request request = asking("/allow", NULL, "free");
    assert_int_equal(ask(&request), 200);
    assert_non_null(strstr(decision.drop_headers, "X-Consumer-Username\r\n"));
    assert_non_null(strstr(decision.drop_headers,
                           "X-Authenticated-Groups\r\n"));
}

/* --- A feature ------------------------------------------------------------ */
#define CARD(KEY, ENTITLEMENT)                                             \
    "{\"key\":\"" KEY "\",\"name\":\"N\",\"feature\":{\"key\":\"" KEY "\"}," \
    "\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"free\"},"           \
    "\"entitlement\":" ENTITLEMENT "}"

/* "f" is counted by requests (limit 3), "jobs" by other events (limit 0 and 5),
 * "export" by none; "seats" is in no plan of ariel's. */
static void must_sell_features(const char *jobs)
{
    char json[2048];

    must_apply_story(",{\"name\":\"rate-limiting\",\"config\":{\"hour\":50}}");
    assert_ok(meter_put(METER("count", "")));
    assert_ok(meter_put("{\"key\":\"other\",\"name\":\"O\",\"aggregation\":"
                        "\"count\",\"event_type\":\"job.done\"}"));
    assert_ok(feature_put("{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":"
                          "\"m\"}}"));
    assert_ok(feature_put("{\"key\":\"jobs\",\"name\":\"J\",\"meter\":"
                          "{\"key\":\"other\"}}"));
    assert_ok(feature_put("{\"key\":\"export\",\"name\":\"X\"}"));
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"S\"}"));
    assert_ok(feature_put("{\"key\":\"gone\",\"name\":\"G\"}"));
    assert_ok(feature_archive("gone"));
    snprintf(json, sizeof json,
             "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
             "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
             "\"name\":\"D\",\"rate_cards\":[" CARD(
                 "f", "{\"type\":\"metered\",\"limit\":3,\"usage_period\":"
                      "\"P1M\"}") ","
             CARD("jobs", "{\"type\":\"metered\",\"limit\":%s,"
                          "\"usage_period\":\"P1M\"}") ","
             CARD("export", "{\"type\":\"boolean\"}") "]}]}",
             jobs);
    assert_ok(plan_put(json));
    assert_ok(plan_publish("p"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":"
                        "\"p\"},\"active_from\":\"2026-03-15T10:30:00Z\"}",
                        MET_ALLOW_PAST));
    must_open_gateway(0);
}

static void assert_feature(const char *key, const char *feature,
                           uint32_t status, const char *reason)
{
    met_gateway_request request = asking("/other", key, NULL);

    request.feature = feature;
    request.feature_size = strlen(feature);
    uint32_t found = ask(&request);
    if (found != status || strcmp(decision.reason_name, reason) != 0) {
        fail_msg("%s %s: %u %s", key, feature, (unsigned)found,
                 decision.reason_name);
    }
    if (reason[0] != '\0') {
        assert_body(reason);
    }
}

static void test_given__feature(void **state)
{
    must_sell_features("5");
    assert_feature("ariel-key", "export", 200, "");
    assert_feature("ariel-key", "jobs", 200, "");
    assert_feature("ariel-key", "seats", 403, "FEATURE_UNAVAILABLE");
    assert_feature("ariel-key", "none", 403, "FEATURE_NOT_FOUND");
    assert_body("{\"message\":\"Feature not found.\"");
    assert_feature("ariel-key", "gone", 403, "FEATURE_NOT_FOUND");
    assert_feature("stranger-key", "export", 403, "CUSTOMER_NOT_FOUND");
    assert_feature("rosario-key", "export", 403, "FEATURE_UNAVAILABLE");
    /* Who names none is asked for none. */
    assert_int_equal(serve("/other", "stranger-key"), 200);
    /* What requests count is taken once, as ever: two were, one is left. */
    assert_feature("ariel-key", "f", 200, "");
    assert_feature("ariel-key", "f", 429, "USAGE_LIMIT_REACHED");
    /* Nobody pays for a refusal with his windows. */
    assert_int_equal(serve("/other", "rosario-key"), 200);
    assert_true(has_header("X-RateLimit-Remaining-Hour: 49\r\n"));
}

/* What is measured elsewhere has an end, too. */
static void test_given__feature_used_up(void **state)
{
    must_sell_features("0");
    assert_feature("ariel-key", "jobs", 429, "USAGE_LIMIT_REACHED");
    assert_feature("ariel-key", "export", 200, "");
}

/* The first request of who was a customer for two seconds. */
static void test_given__new_customer(void **state)
{
    must_sell_features("5");
    assert_feature("rosario-key", "export", 403, "FEATURE_UNAVAILABLE");
    assert_ok(subscribe("{\"customer\":{\"key\":\"rosario\"},\"plan\":"
                        "{\"key\":\"p\"}}",
                        0));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_feature("rosario-key", "export", 200, "");
    assert_feature("rosario-key", "f", 200, "");
}

/* A customer, a consumer and a subscription that nobody knew a moment before,
 * with nothing settled and no cell: not refused for being new. */
static void test_given__first_request(void **state)
{
    must_sell_features("5");
    met_gateway_close(gateway);
    must_open_gateway(MET_GATEWAY_REQUIRE_ENTITLEMENT);
    assert_int_equal(serve("/other", "new-key"), 401);
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"new\",\"keyauth_credentials\":["
        "{\"key\":\"new-key\"}]}],\"customers\":[{\"key\":\"new\",\"name\":"
        "\"N\",\"usage_attribution\":{\"subject_keys\":[\"consumer:new\"]}}],"
        "\"subscriptions\":[{\"customer\":{\"key\":\"new\"},\"plan\":"
        "{\"key\":\"p\"}}]}"));
    clock_now_ns += MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/other", "new-key"), 200);
    }
    assert_int_equal(serve("/other", "new-key"), 429);
    assert_body("USAGE_LIMIT_REACHED");
}

/* --- A key in a JSON body ------------------------------------------------- */
static void test_given__json(void **state)
{
    met_gateway_request request = {0};

    must_apply_story("");
    assert_ok(apply_document("{\"plugins\":[{\"name\":\"key-auth\","
                             "\"config\":{\"key_in_body\":true}}]}"));
    must_open_gateway(0);
    request = asking("/other", NULL, NULL);
    request.json = "{\"a\":[1,\"}\"],\"apikey\":\"ariel\\u002dkey\"}";
    request.json_size = strlen(request.json);
    assert_int_equal(ask(&request), 200);
    assert_string_equal(decision.consumer, "ariel");
    request.json = "{\"apikey\":[\"ariel-key\"]}";
    request.json_size = strlen(request.json);
    assert_int_equal(ask(&request), 401);
    assert_body("Duplicate API key found");
    request.json = "{\"apikey\":\"ariel-key\"";
    request.json_size = strlen(request.json);
    assert_int_equal(ask(&request), 401);
    assert_body("No API key found");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_given__groups),
        TEST(test_given__groups_bounded),
        TEST(test_given__headers_of_the_gateway),
        TEST(test_given__feature),
        TEST(test_given__feature_used_up),
        TEST(test_given__new_customer),
        TEST(test_given__first_request),
        TEST(test_given__json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

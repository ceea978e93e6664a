/* Requests whose host knows whose usage they are: no key, the same limits and
 * allowances. And handles that leave compiling to others. */
#include "support/gateway_calls.h"

static uint32_t ask_as(const char *path, const char *subject,
                       const char *key)
{
    met_gateway_request request = request_of(path, key);

    request.subject = subject;
    request.subject_size = strlen(subject);
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    if (decision.is_admitted) {
        assert_int_equal(complete(200), MET_OK);
    }
    return decision.status;
}

static void test_subject__a_stored_consumer(void **state)
{
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "3", "false");
    must_open_gateway(MET_GATEWAY_REQUIRE_ENTITLEMENT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_as("/anything", "consumer:ariel", NULL), 200);
        assert_string_equal(decision.consumer, "ariel");
        assert_non_null(strstr(decision.upstream_headers,
                               "X-Consumer-Username: ariel\r\n"));
        assert_null(strstr(decision.upstream_headers,
                           "X-Credential-Identifier"));
        assert_non_null(strstr(decision.drop_headers, "X-Consumer-ID\r\n"));
    }
    /* Its allowance is used up, with a key as without. */
    assert_int_equal(ask_as("/anything", "consumer:ariel", NULL), 429);
    assert_body("USAGE_LIMIT_REACHED");
    /* The limit, which has room, is told about all the same, with times. */
    assert_true(has_header("X-RateLimit-Remaining-Minute: 2\r\n"));
    assert_true(has_header("RateLimit-Reset: "));
    assert_false(has_header("RateLimit-Reset: 1\r\n"));
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    /* The access list holds as for a key: no groups. */
    assert_int_equal(ask_as("/anything", "consumer:stranger", NULL), 403);
    /* A key that is sent all the same decides nothing. */
    assert_int_equal(ask_as("/anything", "consumer:stranger", "ariel-key"),
                     403);
    assert_int_equal(
        usage_of("{\"meter\":\"api_requests\",\"subjects\":"
                 "[\"consumer:ariel\"],\"from\":\"2026-03-01T00:00:00Z\","
                 "\"to\":\"2026-05-01T00:00:00Z\"}"),
        3);
}

static void test_subject__any_text(void **state)
{
    must_apply_story(",{\"name\":\"rate-limiting\",\"config\":"
                     "{\"minute\":2,\"limit_by\":\"consumer\"}}");
    must_open_gateway(0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_as("/other", "tenant 7", NULL), 200);
        assert_string_equal(decision.consumer, "");
    }
    /* It is limited by itself, not by the address it comes from. */
    assert_int_equal(ask_as("/other", "tenant 7", NULL), 429);
    assert_int_equal(ask_as("/other", "tenant 8", NULL), 200);
    /* Nobody's consumer: the text as it stands. */
    assert_int_equal(ask_as("/other", "consumer:none", NULL), 200);
    assert_int_equal(
        usage_of("{\"meter\":\"api_requests\",\"subjects\":[\"tenant 7\"],"
                 "\"from\":\"2026-03-01T00:00:00Z\","
                 "\"to\":\"2026-05-01T00:00:00Z\"}"),
        2);
    met_gateway_close(gateway);
    must_open_gateway(MET_GATEWAY_REQUIRE_ENTITLEMENT);
    assert_int_equal(ask_as("/anything", "tenant 9", NULL), 403);
}

static void test_subject__bad_ones(void **state)
{
    char longest[MET__SUBJECT_SIZE_MAX + 2];
    met_gateway_request request = request_of("/other", NULL);

    must_apply_story("");
    must_open_gateway(0);
    memset(longest, 'x', sizeof longest);
    request.subject = longest;
    request.subject_size = sizeof longest - 1;
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_LIMIT);
    request.subject_size = MET__SUBJECT_SIZE_MAX;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    request.subject = "a\xff";
    request.subject_size = 2;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    request.subject = "a\nb";
    request.subject_size = 3;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    request.subject = NULL;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                     MET_E_INVALID);
    /* A caller that was built before there were subjects. */
    request.struct_size = offsetof(met_gateway_request, subject);
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(decision.status, 401);
}

/* Keys one behind the other: the same verdicts as one by one. */
static void test_subject__batch(void **state)
{
    static const char keys[] = "ariel-keynobody-keystranger-keyariel-key";
    static const uint32_t offsets[] = {0, 9, 19, 19, 31, 40};
    static const uint32_t statuses[] = {200, 401, 401, 403, 200};
    static const uint32_t falling[] = {0, 9, 8};
    met_gateway_batch_result results[5];
    met_gateway_request common = request_of("/anything", NULL);
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = 200};

    must_apply_story(STORY_LIMIT);
    must_open_gateway(0);
    assert_int_equal(met_gateway_admit_batch(gateway, &common, keys, offsets,
                                             5, results),
                     MET_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(results[i].error, MET_OK);
        assert_int_equal(results[i].status, statuses[i]);
        assert_int_equal(results[i].is_admitted, statuses[i] == 200);
        if (results[i].is_admitted) {
            assert_int_equal(met_gateway_complete(gateway, &results[i].ticket,
                                                  &outcome),
                             MET_OK);
        }
    }
    assert_int_equal(results[1].reason, MET_GATEWAY_REASON_BAD_KEY);
    assert_int_equal(results[2].reason, MET_GATEWAY_REASON_NO_KEY);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\",\"subjects\":"
                              "[\"consumer:ariel\"],\"from\":"
                              "\"2026-03-01T00:00:00Z\",\"to\":"
                              "\"2026-05-01T00:00:00Z\"}"),
                     2);
    assert_int_equal(met_gateway_admit_batch(gateway, &common, NULL, NULL, 0,
                                             NULL),
                     MET_OK);
    assert_int_equal(met_gateway_admit_batch(gateway, &common, keys, falling,
                                             2, results),
                     MET_E_INVALID);
    assert_int_equal(met_gateway_admit_batch(gateway, &common, NULL, offsets,
                                             2, results),
                     MET_E_INVALID);
    /* One that cannot be decided does not keep the others from it. */
    common.cost = UINT64_MAX;
    assert_int_equal(met_gateway_admit_batch(gateway, &common, keys, offsets,
                                             1, results),
                     MET_OK);
    assert_int_equal(results[0].error, MET_E_LIMIT);
    /* A key that the host has found: no other place is looked at. */
    met_gateway_request request = request_of("/anything", "nobody-key");
    request.key = "ariel-key";
    request.key_size = 9;
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(decision.status, 200);
}

/* A tick of such a handle compiles nothing; settlement does. */
static void test_subject__compiling_is_left_to_others(void **state)
{
    must_apply_story("");
    must_open_gateway(MET_GATEWAY_NEVER_COMPILE);
    assert_int_equal(serve("/other", "ariel-key"), 200);
    assert_ok(apply_document(
        "{\"_format_version\":\"3.0\",\"consumers\":[{\"username\":\"new\","
        "\"keyauth_credentials\":[{\"key\":\"new-key\"}]}]}"));
    for (int i = 0; i < 3; i++) {
        clock_now_ns += 2 * MET__SECOND_NS;
        assert_int_equal(met_gateway_tick(gateway), MET_OK);
        assert_int_equal(serve("/other", "new-key"), 401);
    }
    assert_ok(settle());
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/other", "new-key"), 200);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_subject__a_stored_consumer),
        TEST(test_subject__any_text),
        TEST(test_subject__bad_ones),
        TEST(test_subject__batch),
        TEST(test_subject__compiling_is_left_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

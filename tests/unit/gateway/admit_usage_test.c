/* Allowances through admit and complete: what a request takes before it is
 * served and what it turns out to be, clocks, long requests, plans that change,
 * what fails, and that no request allocates. */
#include "unit/gateway/sell_support.h"

#include "gateway/gateway_handle.h"
#include "gateway/ticket.h"

/* --- Sums ----------------------------------------------------------------- */
static void test_usage__sum_of_a_value(void **state)
{
    (void)state;
    must_sell_meter(METER("sum", ",\"value_property\":\"$.tokens\""), "",
                    "100");
    assert_int_equal(admit_cost(60), 200);
    met_gateway_ticket first = decision.ticket;
    assert_int_equal(admit_cost(41), 429); /* 60 are reserved */
    assert_string_equal(decision.reason_name, "USAGE_LIMIT_REACHED");
    assert_int_equal(admit_cost(40), 200);
    assert_int_equal(end_with(200, 0, 0, 5), MET_OK); /* only 5 of them */
    decision.ticket = first;
    assert_int_equal(end_with(200, 0, 0, 0), MET_OK); /* all 60 */
    assert_int_equal(admit_cost(36), 429);
    assert_int_equal(admit_cost(35), 200);
    assert_int_equal(end_with(500, 0, 0, 50), MET_OK); /* more than asked */
    assert_int_equal(admit_cost(1), 429);
    assert_int_equal(usage_of("{\"feature\":\"f\",\"customer\":\"ariel\"}"),
                     115);
    assert_int_equal(admit_cost(1), 429);
}

static void test_usage__more_than_is_ever_granted(void **state)
{
    (void)state;
    must_sell_meter(METER("sum", ",\"value_property\":\"$.tokens\""), "",
                    "100");
    assert_int_equal(admit_cost(101), 429);
    assert_int_equal(decision.wait_ns, 0); /* waiting is no use */
    assert_int_equal(admit_cost(100), 200);
    assert_int_equal(end_with(200, 0, 0, 0), MET_OK);
    assert_int_equal(admit_cost(1), 429);
    assert_true(decision.wait_ns > 0);
}

/* No feature needs the meter: it counts all the same. */
static void test_usage__sum_nobody_sells(void **state)
{
    (void)state;
    assert_ok(apply_document(
        "{" STORY_GATEWAY "],\"meters\":[{\"key\":\"m\",\"name\":\"M\","
        "\"event_type\":\"kong.api_request\",\"aggregation\":\"sum\","
        "\"value_property\":\"$.tokens\"}]}"));
    must_open_gateway(0);
    assert_int_equal(admit_cost(7), 200);
    assert_int_equal(end_with(200, 0, 0, 0), MET_OK);
    /* A meter that comes later is fed too. */
    assert_ok(meter_put("{\"key\":\"n\",\"name\":\"N\",\"event_type\":"
                        "\"kong.api_request\",\"aggregation\":\"sum\","
                        "\"value_property\":\"$.words\"}"));
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 0, 0, 9), MET_OK);
    assert_int_equal(usage_of("{\"meter\":\"m\"}"), 16);
    assert_int_equal(usage_of("{\"meter\":\"n\"}"), 9);
}

static void test_usage__sizes(void **state)
{
    (void)state;
    must_sell_meter(METER("sum",
                          ",\"value_property\":\"$.response_size_bytes\""),
                    "", "1000");
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 77, 999, 0), MET_OK);
    assert_int_equal(admit_cost(1), 200); /* one byte is left */
    assert_int_equal(end_with(200, 0, 500, 0), MET_OK);
    assert_int_equal(admit_cost(1), 429);
    assert_int_equal(usage_of("{\"feature\":\"f\",\"customer\":\"ariel\"}"),
                     1499);
}

/* Numbers no meter can hold are refused before anything happens. */
static void test_usage__numbers_beyond_bounds(void **state)
{
    (void)state;
    must_sell_meter(METER("sum", ",\"value_property\":\"$.tokens\""), "",
                    "100");
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 0, 0, UINT64_C(1000000000000000)),
                     MET_E_INVALID);
    assert_int_equal(end_with(200, UINT64_MAX, 0, 0), MET_E_INVALID);
    assert_int_equal(end_with(200, 0, UINT64_MAX, 0), MET_E_INVALID);
    assert_int_equal(end_with(200, 0, 0, UINT64_C(999999999999999)), MET_OK);
    assert_int_equal(usage_of("{\"feature\":\"f\",\"customer\":\"ariel\"}"),
                     UINT64_C(999999999999999));
    assert_int_equal(admit_cost(1), 429);
}

static uint64_t counted(const char *meter, const char *dimension,
                        const char *value)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"meter\":\"%s\",\"filters\":{\"%s\":{\"eq\":\"%s\"}}}",
             meter, dimension, value);
    return (uint64_t)usage_of(json);
}

static void must_serve_each(uint32_t times)
{
    static const char *const paths[] = {"/anything", "/anything/b"};
    static const uint32_t statuses[] = {200, 404, 500};

    for (uint32_t i = 0; i < times * 6; i++) {
        assert_int_equal(admit(paths[i % 2], "ariel-key"), 200);
        assert_int_equal(end_with(statuses[i % 3], 1 + i % 2, 10, 0), MET_OK);
    }
}

/* What came before is told by its mark; whatever may differ is in it, and
 * other meters begin anew. */
static void test_usage__requests_like_one_before(void **state)
{
    (void)state;
    assert_ok(apply_document(
        "{" STORY_GATEWAY "],\"meters\":[{\"key\":\"m\",\"name\":\"M\","
        "\"event_type\":\"kong.api_request\",\"aggregation\":\"count\","
        "\"dimensions\":{\"status\":\"$.response_http_status\",\"path\":"
        "\"$.request_uri\",\"size\":\"$.request_size_bytes\"}}]}"));
    must_open_gateway(0);
    must_serve_each(4);
    assert_ok(meter_put(
        "{\"key\":\"n\",\"name\":\"N\",\"event_type\":"
        "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":"
        "{\"upstream\":\"$.upstream_status\"}}"));
    must_serve_each(4);
    assert_int_equal(counted("m", "status", "200"), 16);
    assert_int_equal(counted("m", "status", "404"), 16);
    assert_int_equal(counted("m", "status", "500"), 16);
    assert_int_equal(counted("m", "path", "/anything/b"), 24);
    assert_int_equal(counted("m", "size", "1"), 24);
    assert_int_equal(counted("n", "upstream", "404"), 8);
    assert_int_equal(counted("n", "upstream", "500"), 8);
}

/* --- Clocks --------------------------------------------------------------- */
static void must_have_one(const char *limit)
{
    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", limit, "false");
    must_open_gateway(0);
}

static void test_usage__request_of_twenty_minutes(void **state)
{
    (void)state;
    must_have_one("1");
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    met_gateway_ticket slow = decision.ticket;
    clock_now_ns += 9 * MET__MINUTE_NS;
    assert_int_equal(admit("/anything", "ariel-key"), 429); /* it may live */
    clock_now_ns += 12 * MET__MINUTE_NS;
    assert_int_equal(serve("/anything", "ariel-key"), 200); /* given up */
    decision.ticket = slow;
    assert_int_equal(complete(200), MET_OK); /* overshoots by its own cost */
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 2);
}

static void test_usage__clock_steps_back(void **state)
{
    (void)state;
    must_have_one("3");
    clock_now_ns = time_of("2026-04-15T10:30:00Z");
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    clock_now_ns -= MET__HOUR_NS; /* into the period before */
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 200);
    }
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    clock_now_ns += MET__HOUR_NS;
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 6);
}

/* --- Plans that change ---------------------------------------------------- */
/* The next plan begins in the middle of the load, with requests of the one
 * before in flight. */
static void test_usage__plan_changes_under_load(void **state)
{
    int64_t at_ns = time_of("2026-04-15T10:30:00Z");
    char json[2048];
    char id[64];

    (void)state;
    must_have_one("2");
    assert_ok(subscription_list("ariel"));
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    assert_ok(subscription_cancel(id, at_ns, 0));
    snprintf(json, sizeof json,
             EXAMPLE_PLAN("more", "{\"type\":\"free\"}", "5", "false"));
    assert_ok(plan_put(json));
    assert_ok(plan_publish("more"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":"
                        "\"more\"},\"active_from\":"
                        "\"2026-04-15T10:30:00Z\"}",
                        0));
    clock_now_ns = at_ns - MET__MINUTE_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    met_gateway_ticket open = decision.ticket;
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    clock_now_ns = at_ns;
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    decision.ticket = open; /* of the plan before, and counted there */
    assert_int_equal(complete(200), MET_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 200);
    }
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    assert_ok(settle());
    assert_int_equal(serve("/anything", "ariel-key"), 429);
    clock_now_ns += 2 * MET__MINUTE_NS;
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 7);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\",\"to\":"
                              "\"2026-04-15T10:30:00Z\"}"),
                     2);
}

/* --- Tickets -------------------------------------------------------------- */
static void test_usage__ticket_of_another_store(void **state)
{
    met_store *own = store;
    met_gateway *own_gateway;

    (void)state;
    must_have_one("5");
    own_gateway = gateway;
    assert_int_equal(open_documents("t", 1, &store), MET_OK);
    must_have_one("5");
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    met_gateway_ticket ticket = decision.ticket;
    assert_int_equal(met_gateway_complete(own_gateway, &ticket, NULL),
                     MET_E_INVALID);
    assert_int_equal(met_gateway_complete(gateway, &ticket, NULL), MET_OK);
    assert_int_equal(met_gateway_complete(gateway, &ticket, NULL),
                     MET_E_INVALID);
    met_gateway_close(gateway);
    met_store_close(store);
    store = own;
    gateway = own_gateway;
    /* Another handle of the same store may complete it. */
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    met_gateway *second;
    assert_ok(met_gateway_open(store, NULL, &second, &told));
    assert_int_equal(met_gateway_complete(second, &decision.ticket, NULL),
                     MET_OK);
    met_gateway_close(second);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 1);
}

/* Whatever stands in a ticket that was damaged: refused or completed, no
 * more. */
static void test_usage__damaged_tickets(void **state)
{
    uint64_t random = 1;

    (void)state;
    must_have_one("1000000");
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(admit("/anything", "ariel-key"), 200);
        unsigned char *bytes = (unsigned char *)&decision.ticket;
        for (int k = 0; k < 4; k++) {
            random = random * UINT64_C(6364136223846793005) + 1;
            size_t at = 16 + (random >> 33) % (sizeof(met__ticket) - 16);
            bytes[at] = (unsigned char)(random >> 20);
        }
        met_error error = met_gateway_complete(gateway, &decision.ticket,
                                               NULL);
        assert_true(error == MET_OK || error == MET_E_INVALID);
    }
}

/* --- What fails ----------------------------------------------------------- */
static void open_with_policy(uint32_t fail_policy)
{
    met_gateway_config config = {.struct_size = sizeof config,
                                 .fail_policy = fail_policy};

    met_gateway_close(gateway);
    gateway = NULL;
    fresh();
    assert_ok(met_gateway_open(store, &config, &gateway, &told));
}

static void assert_failing(int is_open, uint32_t failure)
{
    assert_int_equal(serve("/anything", "ariel-key"), is_open ? 200 : 503);
    assert_int_equal(decision.failure, failure);
    assert_string_equal(decision.reason_name, is_open ? "" : "FAILURE");
    assert_int_equal(gateway->counters.failures[failure], 1);
    assert_int_equal(gateway->counters.failed_open, is_open);
}

static void test_usage__fail_policies(void **state)
{
    static const uint32_t policies[] = {MET_GATEWAY_FAIL_CLOSED,
                                        MET_GATEWAY_FAIL_OPEN};

    (void)state;
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "1000", "false");
    for (int i = 0; i < 2; i++) {
        open_with_policy(policies[i]);
        for (uint32_t k = 0; k < gateway->policy_count; k++) {
            gateway->policies[k] = MET__NONE;
        }
        assert_failing(i, MET_GATEWAY_FAILURE_LIMITER);
        assert_string_equal(decision.response_headers, "");

        open_with_policy(policies[i]);
        gateway->is_tally_full = 1;
        assert_failing(i, MET_GATEWAY_FAILURE_TALLY);
        clock_now_ns += MET__MINUTE_NS;
        assert_int_equal(met_gateway_tick(gateway), MET_OK);
        assert_int_equal(serve("/anything", "ariel-key"), 200);

        /* A table in which no cell is left. */
        open_with_policy(policies[i]);
        met__quota_table *whole = gateway->quota;
        char path[128];
        uint8_t id[16] = {1};
        uint32_t is_empty;
        snprintf(path, sizeof path, "%s/small%d.map", home, i);
        assert_int_equal(met__quota_open(gateway->platform, path, id, 1,
                                         &gateway->quota, &is_empty, NULL),
                         MET_OK);
        met__quota_period period = {.number = 1};
        for (uint64_t k = 1; k < 1000; k++) {
            met__hash128 key = {k << 32, k << 32};
            (void)met__quota_prepare(gateway->quota, key, &period);
        }
        assert_failing(i, MET_GATEWAY_FAILURE_QUOTA);
        met__quota_close(gateway->quota);
        gateway->quota = whole;
    }
    met_buffer json = {0};
    assert_ok(met_gateway_stats(gateway, &json, NULL));
    assert_non_null(strstr(json.data, "\"quota\":1"));
    assert_non_null(strstr(json.data, "\"failed_open\":1"));
    met_buffer_release(&json);
}

/* --- No request allocates ------------------------------------------------- */
static void test_usage__requests_allocate_nothing(void **state)
{
    (void)state;
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "20", "false");
    must_open_gateway(0);
    long before = memory.calls;
    for (int i = 0; i < 400; i++) {
        met_gateway_request request =
            request_of("/anything", i % 5 ? "ariel-key"
                                    : i % 2 ? "wrong"
                                            : "rosario-key");
        request.query = "a=1&apikey=k&b=2";
        request.query_size = 16;
        decision.struct_size = sizeof decision;
        assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                         MET_OK);
        if (decision.is_admitted) {
            assert_int_equal(complete(i % 7 ? 200 : 500), MET_OK);
        }
        clock_now_ns += 7 * MET__SECOND_NS;
    }
    assert_int_equal(memory.calls, before);
    assert_true(gateway->counters.admitted > 30);
    assert_true(
        gateway->counters.refused[MET_GATEWAY_REASON_USAGE_LIMIT_REACHED]
        > 0);
    assert_true(gateway->counters.refused[MET_GATEWAY_REASON_RATE_LIMITED]
                > 0);
}

/* A refusal by the allowance leaves the windows as they are. */
static void test_usage__refused_requests_count_nowhere(void **state)
{
    (void)state;
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "2", "false");
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 429);
        assert_string_equal(decision.reason_name, "USAGE_LIMIT_REACHED");
        assert_true(has_header("X-RateLimit-Remaining-Minute: 3\r\n"));
    }
    assert_int_equal(serve("/other", "ariel-key"), 200);
    assert_true(has_header("X-RateLimit-Remaining-Minute: 2\r\n"));
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_usage__sum_of_a_value),
        TEST(test_usage__more_than_is_ever_granted),
        TEST(test_usage__sum_nobody_sells),
        TEST(test_usage__sizes),
        TEST(test_usage__numbers_beyond_bounds),
        TEST(test_usage__requests_like_one_before),
        TEST(test_usage__request_of_twenty_minutes),
        TEST(test_usage__clock_steps_back),
        TEST(test_usage__plan_changes_under_load),
        TEST(test_usage__ticket_of_another_store),
        TEST(test_usage__damaged_tickets),
        TEST(test_usage__fail_policies),
        TEST(test_usage__requests_allocate_nothing),
        TEST(test_usage__refused_requests_count_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

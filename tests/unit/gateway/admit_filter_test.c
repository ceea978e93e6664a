/* Which requests use an allowance: those its feature's filters hold for, now
 * or at the end. What admit reserves is in the end what settlement counts. */
#include "unit/gateway/sell_support.h"

#include "gateway/ticket.h"

#define MANY                                                             \
    METER("count",                                                       \
          ",\"dimensions\":{\"status\":\"$.response_http_status\","       \
          "\"upstream\":\"$.upstream_status\",\"tier\":\"$.tier\","       \
          "\"size\":\"$.request_size_bytes\",\"method\":\"$.request_method\"}")

/* Admits a request of a tier ("" has none) and ends it. */
static uint32_t serve_tier(const char *tier, uint32_t status, uint64_t size)
{
    met_pair pair = {"tier", 4, tier, strlen(tier)};
    met_gateway_request request = request_of("/anything", "ariel-key");

    request.attributes = &pair;
    request.attribute_count = *tier != '\0';
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    if (decision.status == 200) {
        assert_int_equal(end_with(status, size, 0, 0), MET_OK);
    }
    return decision.status;
}

static unsigned long used(void)
{
    return usage_of("{\"feature\":\"f\",\"customer\":\"ariel\"}");
}

/* --- Filters that only the end can tell ----------------------------------- */
static void test_usage__filter_of_the_status(void **state)
{
    (void)state;
    must_sell_meter(
        METER("count",
              ",\"dimensions\":{\"status\":\"$.response_http_status\"}"),
        ",\"filters\":{\"status\":{\"eq\":\"200\"}}", "2");
    for (int i = 0; i < 5; i++) { /* failures use up nothing */
        assert_int_equal(admit_cost(1), 200);
        assert_int_equal(end_with(500, 0, 0, 0), MET_OK);
    }
    assert_int_equal(admit_cost(1), 200);
    met_gateway_ticket first = decision.ticket;
    assert_int_equal(admit_cost(1), 200);
    met_gateway_ticket second = decision.ticket;
    assert_int_equal(admit_cost(1), 429); /* both may end with 200 */
    decision.ticket = second;
    assert_int_equal(end_with(404, 0, 0, 0), MET_OK);
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 0, 0, 0), MET_OK);
    decision.ticket = first;
    assert_int_equal(end_with(200, 0, 0, 0), MET_OK);
    assert_int_equal(admit_cost(1), 429);
    assert_int_equal(usage_of("{\"feature\":\"f\",\"customer\":\"ariel\"}"),
                     2);
    assert_int_equal(usage_of("{\"meter\":\"m\"}"), 8);
}

/* What the host adds never takes the place of what the gateway knows, and
 * allowances and events go by the same. */
static void test_usage__attributes_of_the_host(void **state)
{
    met_pair more[] = {{"response_http_status", 20, "200", 3},
                       {"service_name", 12, "mine", 4},
                       {"tier", 4, "gold", 4}};
    met_gateway_request request;

    (void)state;
    must_sell_meter(
        METER("count",
              ",\"dimensions\":{\"status\":\"$.response_http_status\","
              "\"tier\":\"$.tier\",\"service\":\"$.service_name\"}"),
        ",\"filters\":{\"status\":{\"eq\":\"200\"},\"tier\":{\"eq\":"
        "\"gold\"},\"service\":{\"eq\":\"example_service\"}}", "1");
    request = request_of("/anything", "ariel-key");
    request.attributes = more;
    decision.struct_size = sizeof decision;
    for (int i = 0; i < 4; i++) {
        static const uint32_t statuses[] = {404, 0, 200, 200};
        request.attribute_count = i == 2 ? 2 : 3; /* another tier */
        assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                         MET_OK);
        assert_int_equal(decision.status, 200);
        assert_int_equal(end_with(statuses[i], 0, 0, 0), MET_OK);
    }
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(decision.status, 429);
    assert_int_equal(usage_of("{\"feature\":\"f\",\"customer\":\"ariel\"}"),
                     1);
    assert_int_equal(usage_of("{\"meter\":\"m\"}"), 4);
}

/* Two are allowed: `inside` is counted, `outside` never is. */
static void test_filter__known_at_admit(void **state)
{
    static const struct {
        const char *filter;
        const char *inside;
        const char *outside;
    } rows[] = {
        {"{\"neq\":\"gold\"}", "", "gold"},
        {"{\"in\":[\"gold\",\"silver\"]}", "silver", ""},
        {"{\"nin\":[\"gold\",\"silver\"]}", "tin", "gold"},
        {"{\"exists\":true}", "gold", ""},
        {"{\"exists\":false}", "", "gold"},
        {"{\"contains\":\"OL\"}", "gold", "silver"},
        {"{\"ncontains\":\"ol\"}", "silver", "GOLD"},
        {"{\"or\":[{\"eq\":\"a\"},{\"and\":[{\"exists\":true},{\"neq\":"
         "\"b\"}]}]}",
         "c", "b"},
        {"{}", "", NULL},
    };
    char filters[256];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i > 0) {
            assert_int_equal(gateway_setup(state), 0);
        }
        snprintf(filters, sizeof filters, ",\"filters\":{\"tier\":%s}",
                 rows[i].filter);
        must_sell_meter(MANY, filters, "2");
        for (int k = 0; k < 3 && rows[i].outside != NULL; k++) {
            assert_int_equal(serve_tier(rows[i].outside, 200, 0), 200);
        }
        assert_int_equal(serve_tier(rows[i].inside, 200, 0), 200);
        assert_int_equal(serve_tier(rows[i].inside, 500, 0), 200);
        if (serve_tier(rows[i].inside, 200, 0) != 429) {
            fail_msg("%s was not counted", rows[i].filter);
        }
        if (rows[i].outside != NULL) {
            assert_int_equal(serve_tier(rows[i].outside, 200, 0), 200);
        }
        assert_int_equal(used(), 2);
        assert_int_equal(serve_tier(rows[i].inside, 200, 0), 429);
        if (i + 1 < sizeof rows / sizeof *rows) {
            gateway_teardown(state);
        }
    }
}

/* Reserved at admit, given back at the end of what it does not hold for. */
static void test_filter__known_at_the_end(void **state)
{
    static const struct {
        const char *filters;
        uint32_t inside; /* 0: the status is not known */
        uint32_t outside;
        uint64_t size;
        uint64_t size_outside;
    } rows[] = {
        {"\"status\":{\"neq\":\"500\"}", 0, 500, 0, 0},
        {"\"status\":{\"in\":[\"200\",\"201\"]}", 201, 202, 0, 0},
        {"\"status\":{\"nin\":[\"429\",\"500\"]}", 404, 429, 0, 0},
        {"\"upstream\":{\"exists\":true}", 502, 0, 0, 0},
        {"\"status\":{\"exists\":false}", 0, 200, 0, 0},
        {"\"status\":{\"ncontains\":\"5\"}", 200, 250, 0, 0},
        {"\"status\":{\"neq\":\"500\"},\"upstream\":{\"neq\":\"404\"}", 200,
         404, 0, 0},
        {"\"size\":{\"exists\":true},\"status\":{\"eq\":\"200\"}", 200, 200,
         7, 0},
    };
    char filters[256];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i > 0) {
            assert_int_equal(gateway_setup(state), 0);
        }
        snprintf(filters, sizeof filters, ",\"filters\":{%s}",
                 rows[i].filters);
        must_sell_meter(MANY, filters, "2");
        for (int k = 0; k < 3; k++) {
            assert_int_equal(
                serve_tier("", rows[i].outside, rows[i].size_outside), 200);
        }
        assert_int_equal(serve_tier("", rows[i].inside, rows[i].size), 200);
        assert_int_equal(admit("/anything", "ariel-key"), 200);
        met_gateway_ticket one = decision.ticket;
        assert_int_equal(admit("/anything", "ariel-key"), 429); /* it may be */
        decision.ticket = one;
        assert_int_equal(
            end_with(rows[i].outside, rows[i].size_outside, 0, 0), MET_OK);
        assert_int_equal(serve_tier("", rows[i].inside, rows[i].size), 200);
        if (serve_tier("", rows[i].outside, 0) != 429 || used() != 2) {
            fail_msg("%s: %lu", rows[i].filters, used());
        }
        if (i + 1 < sizeof rows / sizeof *rows) {
            gateway_teardown(state);
        }
    }
}

/* A ticket without room for the filters beside the event: nothing is decided
 * by halves. */
static void test_filter__too_long_for_a_ticket(void **state)
{
    static char filters[2048] = ",\"filters\":{\"status\":{\"nin\":[";

    (void)state;
    for (int i = 0; i < 14; i++) {
        sprintf(filters + strlen(filters), "%s\"status-%0100d\"",
                i > 0 ? "," : "", i);
    }
    strcat(filters, "]}}");
    must_sell_meter(MANY, filters, "2");
    assert_int_equal(admit("/anything", "ariel-key"), 503);
    assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_QUOTA);
}

/* A ticket may come back with other bytes: it never reads beyond its own. */
static void test_filter__damaged_tickets(void **state)
{
    (void)state;
    must_sell_meter(MANY, ",\"filters\":{\"status\":{\"neq\":\"500\"}}", "9");
    for (uint32_t at = MET__TICKET_TEXT_SIZE - 8; at < 8000; at += 1021) {
        assert_int_equal(admit("/anything", "ariel-key"), 200);
        met__ticket *ticket = (met__ticket *)(void *)&decision.ticket;
        ticket->quotas[0].filters_at = (uint16_t)at;
        ticket->quotas[0].filters_size = (uint16_t)(at % 2 ? 65535 : 8);
        memset(ticket->text + sizeof ticket->text - 8, 0xff, 8);
        assert_int_equal(end_with(200, 0, 0, 0), MET_OK);
    }
    assert_int_equal(used(), 6); /* events are whole: they are counted */
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_usage__filter_of_the_status),
        TEST(test_usage__attributes_of_the_host),
        TEST(test_filter__known_at_admit),
        TEST(test_filter__known_at_the_end),
        TEST(test_filter__too_long_for_a_ticket),
        TEST(test_filter__damaged_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

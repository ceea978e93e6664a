/* Allowances of any size and with any places are given to their last unit and
 * no further, by requests, across settlements, and from files that are new. */
#include "unit/gateway/sell_support.h"

#include "metering/entitlement.h"
#include "metering/grant.h"
#include "metering/recorder.h"

#define TOKENS METER("sum", ",\"value_property\":\"$.tokens\"")
#define MOST UINT64_C(999999999999999) /* of one event, of one grant */

/* What a request may ask for before it is served; the rest of what it costs is
 * known at its end. */
#define ASKED_MOST UINT64_C(1000000000000)

static void reopen(void)
{
    met_gateway_close(gateway);
    gateway = NULL;
    must_open_gateway(0);
}

/* Requests that cost `amount` together, each let in while something is left. */
static void must_take(uint64_t amount, uint64_t each)
{
    while (amount > 0) {
        uint64_t cost = amount < each ? amount : each;
        uint64_t asked = cost < ASKED_MOST ? cost : ASKED_MOST;
        assert_int_equal(admit_cost(asked), 200);
        assert_int_equal(end_with(200, 0, 0, cost), MET_OK);
        amount -= cost;
    }
}

static void must_be_used_up(void)
{
    assert_int_equal(admit_cost(1), 429);
    assert_string_equal(decision.reason_name, "USAGE_LIMIT_REACHED");
}

static void must_show(const char *balance, const char *usage)
{
    met_buffer *out = fresh();

    assert_ok(keep(met_entitlement_get(store, "ariel", 5, "f", 1, 0, out,
                                       &told),
                   out));
    assert_string_equal(shown("balance"), balance);
    assert_string_equal(shown("usage"), usage);
    assert_string_equal(shown("overage"), "0");
}

static void must_grant(const char *amount)
{
    char json[256];
    met_buffer *out = fresh();

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"ariel\"},\"feature\":{\"key\":\"f\"},"
             "\"amount\":\"%s\"}",
             amount);
    assert_ok(keep(met_grant_create(store, json, strlen(json), 0, out, &told),
                   out));
}

/* Usage that no request was admitted for: of a batch job, say. */
static void record_elsewhere(const char *tokens)
{
    met_recorder *recorder;
    met_quantity quantity = {"tokens", 6, {{0, 0}}};
    met_event event = {.struct_size = sizeof event,
                       .type = "kong.api_request",
                       .type_size = 16,
                       .subject = "consumer:ariel",
                       .subject_size = 14,
                       .quantities = &quantity,
                       .quantity_count = 1,
                       .utc_ns = clock_now_ns};

    assert_ok(met_decimal_parse(tokens, strlen(tokens), &quantity.value));
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    assert_ok(met_recorder_add(recorder, &event, &told));
    met_recorder_close(recorder);
    assert_ok(settle());
}

static void served_to_the_last_unit(const char *limit, uint64_t amount,
                                    uint64_t each)
{
    char used[32];

    must_sell_meter(TOKENS, "", limit);
    must_take(amount / 2, each);
    assert_ok(settle());
    reopen();
    must_take(amount - amount / 2 - 7, each);
    assert_int_equal(admit_cost(8), 429);
    assert_ok(settle());
    assert_int_equal(admit_cost(8), 429);
    assert_int_equal(admit_cost(6), 200);
    assert_int_equal(end_with(200, 0, 0, 6), MET_OK);
    must_take(1, 1);
    must_be_used_up();
    assert_ok(settle());
    must_be_used_up();
    reopen();
    must_be_used_up();
    snprintf(used, sizeof used, "%llu", (unsigned long long)amount);
    must_show("0", used);
}

static void five_million_million(void **state)
{
    (void)state;
    served_to_the_last_unit("5000000000000", UINT64_C(5000000000000),
                            UINT64_C(700000000000));
}

static void as_much_as_a_limit_can_say(void **state)
{
    (void)state;
    served_to_the_last_unit("999999999999999", MOST,
                            UINT64_C(123456789012345));
}

/* More than one of them can say: top-ups. */
static void beyond_a_thousand_million_million(void **state)
{
    (void)state;
    must_sell_meter(TOKENS, "", "1");
    must_take(1, 1);
    must_be_used_up();
    must_grant("999999999999999");
    must_grant("999999999999999");
    must_take(2 * MOST - 3, MOST);
    assert_ok(settle());
    assert_int_equal(admit_cost(4), 429);
    must_take(3, 1);
    must_be_used_up();
    assert_ok(settle());
    must_be_used_up();
    must_show("0", "1999999999999999");
}

static void nine_places(void **state)
{
    (void)state;
    must_sell_meter(TOKENS, "", "\"5.123456789\"");
    record_elsewhere("0.123456789");
    must_show("5", "0.123456789");
    must_take(5, 2);
    must_be_used_up();
    assert_ok(settle());
    must_be_used_up();
    must_show("0", "5.123456789");
}

/* The smallest part of a unit that is left is something, and no unit. */
static void a_part_of_a_unit(void **state)
{
    (void)state;
    must_sell_meter(METER("sum",
                          ",\"value_property\":\"$.response_size_bytes\""),
                    "", "\"999999999999999.000000001\"");
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 0, MOST - 1, 0), MET_OK);
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 0, 1, 0), MET_OK);
    for (int i = 0; i < 2; i++) { /* how much it is is not known before */
        assert_int_equal(admit_cost(1), 200);
        assert_int_equal(end_with(200, 0, 0, 0), MET_OK);
        assert_ok(settle());
    }
    assert_int_equal(admit_cost(1), 200);
    assert_int_equal(end_with(200, 0, 1, 0), MET_OK);
    assert_int_equal(admit_cost(1), 429);
    assert_ok(settle());
    assert_int_equal(admit_cost(1), 429);
}

static void a_part_of_a_unit_lets_no_unit_in(void **state)
{
    (void)state;
    must_sell_meter(TOKENS, "", "\"5.123456789\"");
    record_elsewhere("0.123456788");
    must_take(5, 3);
    must_be_used_up();
    assert_ok(settle());
    must_be_used_up();
    must_show("0.000000001", "5.123456788");
    record_elsewhere("-0.999999999"); /* corrected */
    must_take(1, 1);
    must_be_used_up();
    assert_ok(settle());
    must_show("0", "5.123456789");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(five_million_million),
        TEST(as_much_as_a_limit_can_say),
        TEST(beyond_a_thousand_million_million),
        TEST(nine_places),
        TEST(a_part_of_a_unit),
        TEST(a_part_of_a_unit_lets_no_unit_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Batches over more consumers than a processor's caches are said to hold: each
 * request is decided as it would be alone, whoever comes how often, and tickets
 * count what they are for. */
#include "support/gateway_calls.h"

#include "gateway/gateway_handle.h"

#define CONSUMERS 700
#define BATCHES 12
#define BATCH 100
#define LIMIT 3 /* of a minute, of every second consumer */

static int hits[CONSUMERS];
static uint32_t seed = 20261130;

static uint32_t draw(uint32_t count)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % count;
}

/* Every second one with a limit, every seventh one not let in. */
static void must_have_consumers(void)
{
    static char json[CONSUMERS * 160 + 1024];
    size_t size = 0;

    size += (size_t)snprintf(
        json, sizeof json,
        "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\",\"url\":"
        "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\",\"paths\":["
        "\"/\"]}]}],\"consumer_groups\":[{\"name\":\"gold\"}],\"plugins\":["
        "{\"name\":\"key-auth\"},{\"name\":\"acl\",\"config\":{\"allow\":["
        "\"all\"]}},{\"name\":\"rate-limiting\",\"consumer_group\":\"gold\","
        "\"config\":{\"minute\":%d}}]," STORY_METER ",\"consumers\":[",
        LIMIT);
    for (int i = 0; i < CONSUMERS; i++) {
        size += (size_t)snprintf(
            json + size, sizeof json - size,
            "%s{\"username\":\"c%d\",\"keyauth_credentials\":[{\"key\":"
            "\"key-%d\"}],\"acls\":[{\"group\":\"%s\"}]%s}",
            i > 0 ? "," : "", i, i, i % 7 == 0 ? "none" : "all",
            i % 2 ? ",\"groups\":[\"gold\"]" : "");
    }
    snprintf(json + size, sizeof json - size, "]}");
    assert_ok(apply_document(json));
    must_open_gateway(0);
}

/* Consumers come from a part of all, so that some come again and again; -1: a
 * key of nobody; -2: none; -3: longer than any. */
static int draw_consumer(void)
{
    uint32_t kind = draw(20);

    return kind < 3 ? -1 - (int)kind
                    : (int)draw(kind < 10 ? CONSUMERS / 10 : CONSUMERS);
}

static uint32_t put_key(char *at, int who)
{
    if (who >= 0) {
        return (uint32_t)snprintf(at, 16, "key-%d", who);
    }
    if (who == -1) {
        return (uint32_t)snprintf(at, 16, "key-x%u", draw(1000));
    }
    if (who == -2) {
        return 0;
    }
    memset(at, 'k', MET_GATEWAY_KEY_SIZE_MAX + 1);
    return MET_GATEWAY_KEY_SIZE_MAX + 1;
}

static uint32_t expected(int who)
{
    if (who < 0) {
        return 401;
    }
    if (who % 7 == 0) {
        return 403;
    }
    return who % 2 && hits[who]++ >= LIMIT ? 429 : 200;
}

/* How many were admitted. */
static int must_decide(uint64_t *unknown)
{
    static char keys[BATCH * (MET_GATEWAY_KEY_SIZE_MAX + 1)];
    static met_gateway_batch_result results[BATCH];
    static const met_gateway_outcome outcome = {
        .struct_size = sizeof outcome, .status = 200};
    met_gateway_request request = request_of("/x", NULL);
    uint32_t offsets[BATCH + 1] = {0};
    int who[BATCH];
    int admitted = 0;

    for (int i = 0; i < BATCH; i++) {
        who[i] = draw_consumer();
        offsets[i + 1] = offsets[i] + put_key(keys + offsets[i], who[i]);
    }
    assert_int_equal(met_gateway_admit_batch(gateway, &request, keys, offsets,
                                             BATCH, results),
                     MET_OK);
    for (int i = 0; i < BATCH; i++) {
        assert_int_equal(results[i].error, MET_OK);
        assert_int_equal(results[i].status, expected(who[i]));
        assert_int_equal(results[i].is_admitted, results[i].status == 200);
        *unknown += who[i] == -1 || who[i] == -3;
        if (results[i].is_admitted) {
            admitted++;
            assert_int_equal(met_gateway_complete(
                                 gateway, &results[i].ticket, &outcome),
                             MET_OK);
        }
    }
    return admitted;
}

static void test_batch__of_many(void **state)
{
    uint64_t unknown = 0;
    int admitted = 0;

    (void)state;
    must_have_consumers();
    for (int i = 0; i < BATCHES; i++) {
        admitted += must_decide(&unknown);
        clock_now_ns += MET__SECOND_NS;
    }
    const met__gateway_counters *counters = &gateway->counters;
    assert_int_equal(counters->requests, BATCHES * BATCH);
    assert_int_equal(counters->admitted, admitted);
    assert_int_equal(counters->completed, admitted);
    assert_true(counters->refused[MET_GATEWAY_REASON_RATE_LIMITED] > 20);
    assert_true(counters->keys_unknown > 0
                && counters->keys_unknown <= unknown);
    assert_true(counters->keys_verified > 200);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), admitted);
}

/* What a batch found is of its snapshot: a key that was taken away since is
 * nobody's in the next one. */
static void test_batch__revoked(void **state)
{
    static met_gateway_batch_result results[40];
    char keys[] = "key-1key-2key-3key-4";
    uint32_t offsets[41];
    met_gateway_request request = request_of("/x", NULL);

    (void)state;
    must_have_consumers();
    for (uint32_t i = 0; i <= 40; i++) {
        offsets[i] = i < 4 ? i * 5 : 20; /* the rest without a key */
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(met_gateway_admit_batch(gateway, &request, keys,
                                                 offsets, 40, results),
                         MET_OK);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(results[i].status,
                             round == 1 && i == 1 ? 401 : 200);
        }
        assert_int_equal(results[39].status, 401);
        if (round == 0) {
            assert_int_equal(met_gateway_entity_remove(store, "consumer", 8,
                                                       "c2", 2, NULL),
                             MET_OK);
            clock_now_ns += 2 * MET__SECOND_NS;
            request.utc_ns = clock_now_ns;
            request.monotonic_ns = clock_now_ns;
            assert_int_equal(met_gateway_tick(gateway), MET_OK);
        }
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__of_many),
        TEST(test_batch__revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

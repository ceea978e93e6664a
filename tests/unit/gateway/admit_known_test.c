/* A gateway that remembers what keys come to, beside one that forgets it before
 * every request: the same answers, whatever happens to keys, plans, groups and
 * instances in between, and at every instant. */
#include "support/gateway_calls.h"

#include "gateway/gateway_handle.h"
#include "gateway/ticket.h"

#define STEPS 1500
#define HOUR (3600 * MET__SECOND_NS)

#define LIMIT(MORE, MINUTE)                                      \
    ",{\"name\":\"rate-limiting\"," MORE "\"config\":{\"minute\":" MINUTE "}}"
#define DOCUMENT                                                             \
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"one\","          \
    "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"a\","           \
    "\"paths\":[\"/a\"]},{\"name\":\"b\",\"paths\":[\"/b\"]}]},"             \
    "{\"name\":\"two\",\"url\":\"http://127.0.0.1:9/\",\"routes\":["         \
    "{\"name\":\"c\",\"paths\":[\"/c\"]}]}],"                                \
    "\"consumer_groups\":[{\"name\":\"gold\"},{\"name\":\"silver\"}],"    \
    "\"consumers\":["                                                       \
    "{\"username\":\"bob\",\"groups\":[\"gold\"],\"keyauth_credentials\":["  \
    "{\"key\":\"bob\"},{\"key\":\"bob-2\",\"ttl\":3000000}]},"               \
    "{\"username\":\"joe\",\"keyauth_credentials\":[{\"key\":\"joe\","       \
    "\"ttl\":2000000}]},{\"username\":\"eve\",\"groups\":[\"gold\"],"        \
    "\"keyauth_credentials\":[{\"key\":\"eve\"}]}],"                         \
    "\"plugins\":[{\"name\":\"key-auth\"},{\"name\":\"acl\",\"route\":"      \
    "\"a\",\"config\":{\"allow\":[\"gold\"]}},{\"name\":\"acl\",\"route\":"  \
    "\"b\",\"config\":{\"deny\":[\"silver\"],\"hide_groups_header\":true,"   \
    "\"always_use_authenticated_groups\":true}}"                             \
    LIMIT("\"route\":\"c\",", "2000,\"limit_by\":\"header\","                \
                              "\"header_name\":\"Host\"")                    \
    LIMIT("\"plan\":\"premium\",", "3000")                                   \
    LIMIT("\"plan\":\"free\",", "4000") "]}"

/* What may change while requests come; the first three take away. */
static const char *const changes[] = {
    "{\"consumers\":[{\"username\":\"eve\",\"groups\":[\"silver\"]}]}",
    "{\"consumers\":[{\"username\":\"bob\",\"groups\":[\"gold\"],"
    "\"keyauth_credentials\":[{\"key\":\"bob-3\"}]}]}",
    "{\"plugins\":[{\"name\":\"rate-limiting\",\"consumer\":\"bob\","
    "\"config\":{\"minute\":6000}}]}",
    "{\"plugins\":[{\"name\":\"rate-limiting\",\"consumer\":\"eve\","
    "\"service\":\"one\",\"config\":{\"minute\":7000,\"limit_by\":"
    "\"credential\"}}]}",
    "{\"plugins\":[{\"name\":\"rate-limiting\",\"consumer\":\"eve\","
    "\"route\":\"c\",\"config\":{\"minute\":2500,\"additive\":true}}]}",
    "{\"consumers\":[{\"username\":\"eve\",\"groups\":[\"gold\"]}]}",
    "{\"plugins\":[{\"name\":\"rate-limiting\",\"service\":\"two\","
    "\"config\":{\"hour\":900000,\"limit_by\":\"service\"}}]}",
};
enum { CHANGES = sizeof changes / sizeof *changes };

static met_gateway *forgetful;
static met_gateway_decision plain;
enum { ROUTES = 3 };
static uint64_t counted[ROUTES]; /* requests of a subject */
static uint32_t known_events; /* of requests that came like one before */
static uint32_t seed = 20261130;

static uint32_t draw(uint32_t count)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % count;
}

static void both_tick(void)
{
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(met_gateway_tick(forgetful), MET_OK);
}

static void must_prepare(void)
{
    met_gateway_config config = {.struct_size = sizeof config};
    char json[256];

    assert_ok(apply_document("{" STORY_METER "}"));
    must_have_catalog();
    assert_ok(apply_document(DOCUMENT));
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\","
                           "\"usage_attribution\":{\"subject_keys\":["
                           "\"consumer:bob\",\"consumer:joe\"]}}"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                        "\"premium\"},\"active_from\":"
                        "\"2026-03-15T10:30:00Z\"}",
                        MET_ALLOW_PAST));
    snprintf(json, sizeof json, "%s", shown("id"));
    assert_ok(subscription_change(json, "{\"plan\":{\"key\":\"free\"}}",
                                  time_of("2026-04-15T10:30:00Z"), 0));
    must_open_gateway(0);
    assert_ok(met_gateway_open(store, &config, &forgetful, &told));
}

/* The number behind a name among header lines; -1: none. */
static long number_of(const char *lines, const char *name)
{
    const char *line = strstr(lines, name);

    return line != NULL ? atol(line + strlen(name)) : -1;
}

/* The same event will be recorded. */
static void must_carry_alike(void)
{
    const met__ticket *mine = (const met__ticket *)(void *)&decision.ticket;
    const met__ticket *its = (const met__ticket *)(void *)&plain.ticket;

    assert_int_equal(mine->utc_ns, its->utc_ns);
    assert_int_equal(mine->quota_count, its->quota_count);
    assert_int_equal(mine->subject_size, its->subject_size);
    assert_int_equal(mine->attribute_count, its->attribute_count);
    assert_int_equal(mine->text_size, its->text_size);
    assert_memory_equal(mine->text, its->text, its->text_size);
    known_events += mine->mark.low != 0;
    if (mine->subject_size > 0 && decision.route_size > 0) {
        counted[decision.route[0] - 'a'] += 2;
    }
}

static void must_be_alike(void)
{
    static const char limit[] = "X-RateLimit-Limit-Minute: ";
    static const char left[] = "X-RateLimit-Remaining-Minute: ";
    static const char reset[] = "\nRateLimit-Reset: ";
    const char *mine = decision.response_headers;
    const char *its = plain.response_headers;

    assert_int_equal(decision.status, plain.status);
    assert_int_equal(decision.reason, plain.reason);
    assert_string_equal(decision.consumer, plain.consumer);
    assert_string_equal(decision.service, plain.service);
    assert_string_equal(decision.route, plain.route);
    assert_string_equal(decision.body, plain.body);
    assert_string_equal(decision.drop_headers, plain.drop_headers);
    assert_int_equal(decision.upstream_headers_size,
                     plain.upstream_headers_size);
    assert_memory_equal(decision.upstream_headers, plain.upstream_headers,
                        plain.upstream_headers_size);
    assert_int_equal(number_of(mine, limit), number_of(its, limit));
    assert_int_equal(number_of(mine, reset), number_of(its, reset));
    if (number_of(mine, left) >= 0) { /* both count the same client */
        assert_int_equal(number_of(mine, left), number_of(its, left) + 1);
    }
}

static void must_answer_alike(const met_gateway_request *request)
{
    static const met_gateway_outcome outcome = {
        .struct_size = sizeof outcome, .status = 200};

    decision.struct_size = sizeof decision;
    plain.struct_size = sizeof plain;
    memset(forgetful->known_keys, 0, sizeof forgetful->known_keys);
    memset(forgetful->known_routes, 0, sizeof forgetful->known_routes);
    memset(forgetful->route_events, 0, sizeof forgetful->route_events);
    memset(forgetful->lines, 0, sizeof forgetful->lines);
    assert_int_equal(met_gateway_admit(gateway, request, &decision), MET_OK);
    assert_int_equal(met_gateway_admit(forgetful, request, &plain), MET_OK);
    must_be_alike();
    if (decision.is_admitted) {
        must_carry_alike();
        assert_int_equal(met_gateway_complete(gateway, &decision.ticket,
                                              &outcome),
                         MET_OK);
        assert_int_equal(met_gateway_complete(forgetful, &plain.ticket,
                                              &outcome),
                         MET_OK);
    }
}

static void ask_something(void)
{
    static const char *const keys[] = {"bob", "bob-2", "bob-3",
                                       "joe", "eve",   "nobody"};
    static const char *const paths[] = {"/a", "/b", "/c"};
    static const char *const groups[] = {"gold", "silver", ","};
    static const met_pair attribute = {"tenant", 6, "t", 1};
    met_gateway_request request =
        request_of(paths[draw(3)], keys[draw(6)]);

    if (draw(8) == 0) {
        request.groups = groups[draw(3)];
        request.groups_size = strlen(request.groups);
    }
    if (draw(8) == 0) {
        request.service = "one";
        request.service_size = 3;
    }
    if (draw(8) == 0) {
        request.subject = "consumer:bob";
        request.subject_size = 12;
    }
    if (draw(8) == 0) {
        request.attributes = &attribute;
        request.attribute_count = 1;
    }
    if (draw(16) == 0) {
        request.utc_ns -= HOUR; /* a clock that was set */
    }
    must_answer_alike(&request);
}

static uint32_t known_now(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < MET__KNOWN_KEYS; i++) {
        count += gateway->known_keys[i].generation == gateway->generation;
    }
    return count;
}

static void test_known__as_if_forgotten(void **state)
{
    uint32_t most = 0;

    (void)state;
    must_prepare();
    for (int step = 0; step < STEPS; step++) {
        if (draw(4) == 0) {
            clock_now_ns += (int64_t)draw(6) * MET__SECOND_NS;
        }
        if (draw(40) == 0) {
            clock_now_ns += (int64_t)draw(72) * HOUR;
        }
        if (draw(60) == 0) {
            assert_ok(apply_document(changes[draw(CHANGES)]));
            clock_now_ns += 2 * MET__SECOND_NS;
            both_tick();
        }
        ask_something();
        most = known_now() > most ? known_now() : most;
    }
    assert_true(most > 8); /* keys of several routes were remembered */
    assert_true(known_events > 100);
    for (uint32_t i = 0; i < ROUTES; i++) {
        char query[128];
        snprintf(query, sizeof query,
                 "{\"meter\":\"api_requests\",\"filters\":{"
                 "\"route_name\":{\"eq\":\"%c\"}}}",
                 (char)('a' + i));
        assert_int_equal(usage_of(query), counted[i]);
    }
    met_gateway_close(forgetful);
}

/* A credential that is taken away is unknown with the next snapshot, one that
 * has ended at its nanosecond. */
static void test_known__ends(void **state)
{
    (void)state;
    must_prepare();
    met_gateway_close(forgetful);
    int64_t end = clock_now_ns + 2000000 * MET__SECOND_NS;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/b", "joe"), 200);
        assert_int_equal(serve("/b", "bob"), 200);
    }
    assert_true(known_now() >= 2);
    clock_now_ns = end - 1;
    assert_int_equal(serve("/b", "joe"), 200);
    clock_now_ns = end;
    assert_int_equal(serve("/b", "joe"), 401);
    clock_now_ns = end - 1; /* as the clock says */
    assert_int_equal(serve("/b", "joe"), 200);
    assert_int_equal(met_gateway_entity_remove(store, "consumer", 8, "bob", 3,
                                               NULL),
                     MET_OK);
    assert_int_equal(serve("/b", "bob"), 200); /* nobody has compiled */
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/b", "bob"), 401);
    assert_int_equal(known_now(), 0);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_known__as_if_forgotten),
        TEST(test_known__ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

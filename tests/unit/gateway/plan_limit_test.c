/* Limits that are scoped to a plan: who is held to them, from which instant to
 * which, and where they stand in the order of precedence. */
#include "support/gateway_calls.h"

/* For routes a and b of the service one, c of two; everybody counts by
 * consumer. bob: a group and the plan; joe: the plan; eve: the group; ann:
 * neither. */
#define CONSUMER(NAME, GROUPS)                           \
    "{\"username\":\"" NAME "\",\"groups\":" GROUPS      \
    ",\"keyauth_credentials\":[{\"key\":\"" NAME "\"}]}"
#define DOCUMENT                                                            \
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"one\","         \
    "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"a\","          \
    "\"paths\":[\"/a\"]},{\"name\":\"b\",\"paths\":[\"/b\"]}]},"            \
    "{\"name\":\"two\",\"url\":\"http://127.0.0.1:9/\",\"routes\":["        \
    "{\"name\":\"c\",\"paths\":[\"/c\"]}]}],"                               \
    "\"consumer_groups\":[{\"name\":\"gold\"}],\"consumers\":["             \
    CONSUMER("bob", "[\"gold\"]") "," CONSUMER("joe", "[]") ","             \
    CONSUMER("eve", "[\"gold\"]") "," CONSUMER("ann", "[]")                 \
    "],\"plugins\":[{\"name\":\"key-auth\",\"config\":{}}%s]}"
#define CUSTOMER(NAME)                                                  \
    "{\"key\":\"" NAME "\",\"name\":\"N\",\"usage_attribution\":"       \
    "{\"subject_keys\":[\"consumer:" NAME "\"]}}"

static char bob_subscription[32];

static void tick(void)
{
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
}

/* Each instance as ",{…}". */
static void must_apply(const char *plugins)
{
    char json[16384];

    snprintf(json, sizeof json, DOCUMENT, plugins);
    assert_ok(apply_document(json));
}

static const char *subscribed(const char *customer, const char *plan)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"plan\":{\"key\":\"%s\"},"
             "\"active_from\":\"2026-03-15T10:30:00Z\"}",
             customer, plan);
    assert_ok(subscribe(json, MET_ALLOW_PAST));
    return shown("id");
}

static void must_have_subscribers(void)
{
    must_apply("");
    must_have_catalog();
    assert_ok(customer_put(CUSTOMER("bob")));
    assert_ok(customer_put(CUSTOMER("joe")));
    snprintf(bob_subscription, sizeof bob_subscription, "%s",
             subscribed("bob", "premium"));
    (void)subscribed("joe", "premium");
    must_open_gateway(0);
}

/* The limit per minute that a request is told of; 0: none. */
static int limit_at(const char *path, const char *key)
{
    static const char name[] = "X-RateLimit-Limit-Minute: ";

    assert_int_equal(serve(path, key), 200);
    const char *line = strstr(decision.response_headers, name);
    return line != NULL ? atoi(line + sizeof name - 1) : 0;
}

static void assert_limit(const char *path, const char *key, int minute)
{
    int found = limit_at(path, key);

    if (found != minute) {
        fail_msg("%s %s: %d instead of %d", path, key, found, minute);
    }
}

/* --- Precedence ----------------------------------------------------------- */
enum { ALL, GROUP, PLAN, OWN, WHOSE };

/* Widest first: the order that the documents state. The limit of an instance
 * is 1000 and its place in here. */
static const struct {
    int has_route;
    int has_service;
    int whose;
} order[] = {{0, 0, ALL},   {0, 1, ALL},   {1, 0, ALL},   {0, 0, GROUP},
             {0, 0, PLAN},  {0, 0, OWN},   {1, 1, ALL},   {0, 1, GROUP},
             {1, 0, GROUP}, {0, 1, PLAN},  {1, 0, PLAN},  {0, 1, OWN},
             {1, 0, OWN},   {1, 1, GROUP}, {1, 1, PLAN},  {1, 1, OWN}};
enum { SCOPES = sizeof order / sizeof *order };

static void add_instance(char *plugins, size_t room, int i)
{
    static const char *const whose[] = {
        "", "\"consumer_group\":\"gold\",", "\"plan\":\"premium\",",
        "\"consumer\":\"bob\","};
    size_t size = strlen(plugins);

    snprintf(plugins + size, room - size,
             ",{\"name\":\"rate-limiting\",%s%s%s\"config\":{\"minute\":%d}}",
             order[i].has_route ? "\"route\":\"a\"," : "",
             order[i].has_service ? "\"service\":\"one\"," : "",
             whose[order[i].whose], 1000 + i);
}

/* By looking at one instance after the other. */
static int expected(unsigned mask, const char *path, const char *key)
{
    int is_in[WHOSE] = {1, key[0] == 'b' || key[0] == 'e',
                        key[0] == 'b' || key[0] == 'j', key[0] == 'b'};

    for (int i = SCOPES - 1; i >= 0; i--) {
        if ((mask & (1u << i)) != 0 && is_in[order[i].whose]
            && (!order[i].has_route || path[1] == 'a')
            && (!order[i].has_service || path[1] != 'c')) {
            return 1000 + i;
        }
    }
    return 0;
}

/* Which instances there are, all of them and many a choice of them, and who
 * asks for what. */
static void test_plan__precedence(void **state)
{
    static const char *const keys[] = {"bob", "joe", "eve", "ann"};
    static const char *const paths[] = {"/a", "/b", "/c"};
    uint32_t seed = 20261130;

    must_have_subscribers();
    for (int round = 0; round < 40; round++) {
        char plugins[8192] = "";
        unsigned mask = round == 0 ? (1u << SCOPES) - 1 : 0;
        seed = seed * 1664525u + 1013904223u;
        mask |= round < 20 ? seed >> 16 : (seed >> 16) & (seed >> 8);
        mask &= (1u << SCOPES) - 1;
        for (int i = 0; i < SCOPES; i++) {
            if ((mask & (1u << i)) != 0) {
                add_instance(plugins, sizeof plugins, i);
            }
        }
        must_apply(plugins);
        tick();
        for (int who = 0; who < 4; who++) {
            for (int where = 0; where < 3; where++) {
                assert_limit(paths[where], keys[who],
                             expected(mask, paths[where], keys[who]));
            }
        }
        fresh();
        for (int i = 0; i < SCOPES; i++) {
            static const char *const whose[] = {
                "", " consumer_group=gold", " plan=premium", " consumer=bob"};
            char name[128];
            snprintf(name, sizeof name, "rate-limiting%s%s%s%s",
                     order[i].has_service ? " service=one" : "",
                     order[i].has_route ? " route=a" : "",
                     order[i].whose == OWN ? whose[OWN] : "",
                     order[i].whose != OWN ? whose[order[i].whose] : "");
            assert_int_equal(met_gateway_entity_remove(store, "plugin", 6,
                                                       name, strlen(name),
                                                       NULL),
                             (mask & (1u << i)) != 0 ? MET_OK
                                                     : MET_E_NOT_FOUND);
        }
    }
}

/* --- When ----------------------------------------------------------------- */
#define OF_PLAN(PLAN, MORE)                                             \
    ",{\"name\":\"rate-limiting\",\"plan\":" PLAN ",\"config\":{" MORE "}}"

/* A change that was known when the catalog was compiled holds from its very
 * nanosecond on: nobody compiles in between. */
static void test_plan__changes_at_its_instant(void **state)
{
    int64_t at = time_of("2026-04-15T10:30:00Z");

    must_have_subscribers();
    must_apply(OF_PLAN("{\"key\":\"premium\"}", "\"minute\":7")
                   OF_PLAN("\"free\"", "\"minute\":3"));
    assert_ok(subscription_change(bob_subscription,
                                  "{\"plan\":{\"key\":\"free\"}}", at, 0));
    clock_now_ns = at - 10 * MET__SECOND_NS;
    tick();
    clock_now_ns = at - 1;
    assert_limit("/a", "bob", 7);
    clock_now_ns = at;
    assert_limit("/a", "bob", 3);
    assert_true(has_header("X-RateLimit-Remaining-Minute: 2\r\n"));
    assert_limit("/c", "joe", 7);
    assert_limit("/a", "eve", 0);
    /* An instant of before is of before. */
    clock_now_ns = at - 1;
    assert_limit("/a", "bob", 7);
}

/* A change now holds with the next tick, as that of a key does; who is
 * canceled is nobody's subscriber; the next version is the same plan. */
static void test_plan__changes_now(void **state)
{
    must_have_subscribers();
    must_apply(OF_PLAN("\"premium\"", "\"minute\":7")
                   OF_PLAN("\"free\"", "\"minute\":3"));
    tick();
    assert_limit("/a", "bob", 7);
    assert_ok(plan_next("premium"));
    assert_ok(plan_publish("premium"));
    assert_ok(subscription_migrate(bob_subscription, NULL, 0, 0));
    snprintf(bob_subscription, sizeof bob_subscription, "%s",
             shown("next.id"));
    tick();
    assert_limit("/a", "bob", 7);
    assert_true(has_header("X-RateLimit-Remaining-Minute: 5\r\n"));
    assert_ok(subscription_change(bob_subscription,
                                  "{\"plan\":{\"key\":\"free\"}}", 0, 0));
    snprintf(bob_subscription, sizeof bob_subscription, "%s",
             shown("next.id"));
    tick();
    assert_limit("/a", "bob", 3);
    assert_ok(subscription_cancel(bob_subscription, 0, 0));
    tick();
    assert_limit("/a", "bob", 0);
    /* Another subject of a customer that has the plan. */
    assert_ok(customer_put("{\"key\":\"ann\",\"name\":\"N\"}"));
    (void)subscribed("ann", "free");
    tick();
    assert_limit("/a", "ann", 0); /* "ann" is no subject "consumer:ann" */
}

/* --- What else ------------------------------------------------------------ */
/* Beside the one that precedence picks, all or none. */
static void test_plan__additive(void **state)
{
    must_have_subscribers();
    must_apply(OF_PLAN("\"premium\"", "\"minute\":4,\"additive\":true")
               ",{\"name\":\"rate-limiting\",\"config\":{\"minute\":6}}");
    tick();
    for (int i = 3; i >= 0; i--) {
        char line[64];
        assert_limit("/a", "bob", 4);
        snprintf(line, sizeof line, "X-RateLimit-Remaining-Minute: %d\r\n",
                 i);
        assert_true(has_header(line));
    }
    assert_int_equal(serve("/a", "bob"), 429);
    assert_limit("/a", "eve", 6);
    assert_ok(subscription_cancel(bob_subscription, 0, 0));
    tick();
    assert_limit("/a", "bob", 6);
    assert_true(has_header("X-RateLimit-Remaining-Minute: 1\r\n"));
}

/* A host that knows its clients by itself names the consumer. */
static void test_plan__of_a_subject(void **state)
{
    must_have_subscribers();
    must_apply(OF_PLAN("\"premium\"", "\"minute\":4"));
    tick();
    met_gateway_request request = request_of("/a", NULL);
    request.subject = "consumer:joe";
    request.subject_size = 12;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(complete(200), MET_OK);
    assert_true(has_header("X-RateLimit-Limit-Minute: 4\r\n"));
}

static void test_plan__as_a_document(void **state)
{
    static const char name[] = "rate-limiting plan=premium";

    must_have_subscribers();
    must_apply(OF_PLAN("{\"key\":\"premium\"}", "\"minute\":4"));
    met_buffer *out = fresh();
    assert_ok(keep(met_gateway_entity_get(store, "plugin", 6, name,
                                          sizeof name - 1, out, &told),
                   out));
    assert_shown("plan", "premium");
    must_apply(OF_PLAN("\"premium\"", "\"minute\":4"));
    assert_ok(apply_document("{\"plugins\":[{\"name\":\"rate-limiting\","
                             "\"plan\":\"premium\",\"config\":{\"minute\":"
                             "4}}]}"));
    assert_shown("changes.0.change", "unchanged");
    /* A plan without any version left takes its limits along. */
    assert_ok(plan_put(EXAMPLE_PLAN("draft", "{\"type\":\"free\"}", "1",
                                    "false")));
    must_apply(OF_PLAN("\"draft\"", "\"minute\":4"));
    assert_ok(plan_remove("draft", 0));
    fresh();
    assert_int_equal(met_gateway_entity_remove(
                         store, "plugin", 6, "rate-limiting plan=draft", 24,
                         NULL),
                     MET_E_NOT_FOUND);
    assert_ok(met_gateway_entity_remove(store, "plugin", 6, name,
                                        sizeof name - 1, &told));
}

static void test_plan__bad_documents(void **state)
{
    static const struct {
        const char *plugin;
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"\"name\":\"rate-limiting\",\"plan\":\"none\",\"config\":"
         "{\"minute\":1}",
         MET_E_NOT_FOUND, "plugins[0].plan", "no plan of that key"},
        {"\"name\":\"rate-limiting\",\"plan\":7,\"config\":{\"minute\":1}",
         MET_E_INVALID, "plugins[0].plan", "must be a key"},
        {"\"name\":\"rate-limiting\",\"plan\":{\"name\":\"free\"},"
         "\"config\":{\"minute\":1}",
         MET_E_INVALID, "plugins[0].plan", "must be a key"},
        {"\"name\":\"rate-limiting\",\"plan\":"
         "\"01JZZZZZZZZZZZZZZZZZZZZZZZ\",\"config\":{\"minute\":1}",
         MET_E_NOT_FOUND, "plugins[0].plan", "no plan of that key"},
        {"\"name\":\"rate-limiting\",\"plan\":\"free\",\"consumer\":\"bob\","
         "\"config\":{\"minute\":1}",
         MET_E_INVALID, "plugins[0].plan", "together with a consumer"},
        {"\"name\":\"rate-limiting\",\"plan\":\"free\",\"consumer_group\":"
         "\"gold\",\"config\":{\"minute\":1}",
         MET_E_INVALID, "plugins[0].plan", "together with a consumer_group"},
        {"\"name\":\"key-auth\",\"plan\":\"free\"", MET_E_INVALID,
         "plugins[0].plan", "before the consumer is known"},
    };

    must_have_subscribers();
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[512];
        snprintf(json, sizeof json, "{\"plugins\":[{%s}]}", rows[i].plugin);
        assert_told(apply_document(json), rows[i].error, rows[i].field,
                    rows[i].reason);
    }
    assert_int_equal(stored_digest(), before);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_plan__precedence),
        TEST(test_plan__changes_at_its_instant),
        TEST(test_plan__changes_now),
        TEST(test_plan__additive),
        TEST(test_plan__of_a_subject),
        TEST(test_plan__as_a_document),
        TEST(test_plan__bad_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

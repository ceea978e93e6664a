/* Plugins compiled: which instance holds for which route and consumer, and
 * what their configuration becomes. */
#include "metering/limiter.h"
#include "unit/gateway/snapshot_support.h"

static const char base[] =
    "\"services\":[{\"name\":\"s\",\"host\":\"h\"},"
    "{\"name\":\"t\",\"host\":\"h\"}],"
    "\"routes\":[{\"name\":\"r\",\"service\":{\"name\":\"s\"},\"paths\":"
    "[\"/r\"]},{\"name\":\"q\",\"service\":{\"name\":\"s\"},\"paths\":"
    "[\"/q\"]},{\"name\":\"o\",\"service\":{\"name\":\"t\"},\"paths\":"
    "[\"/o\"]}],\"consumers\":[{\"username\":\"c\"},{\"username\":\"d\"}]";

static uint64_t minute_of(const met__snapshot *snapshot, uint32_t record)
{
    const met__snapshot_limit *limit =
        met__snapshot_limit_at(snapshot, record);
    return limit != NULL ? limit->windows[0].limit : 0;
}

static uint64_t minute_of_route(const met__snapshot *snapshot,
                                const char *name)
{
    const met__snapshot_route *route = met__snapshot_route_at(
        snapshot, met__snapshot_route_find(snapshot, met__text_z(name)));
    return minute_of(snapshot, route->plugins.record[MET__PLUGIN_LIMIT]);
}

/* The limit's number says its scope: 1 global, 2 service, 3 route, 4 both,
 * 5 consumer, 6 service and consumer. */
static void precedence(void **state)
{
    char json[4096];
    met_store *store;

    (void)state;
    snprintf(json, sizeof json,
             "{%s,\"plugins\":["
             "{\"name\":\"rate-limiting\",\"route\":\"r\",\"service\":\"s\","
             "\"config\":{\"minute\":4}},"
             "{\"name\":\"rate-limiting\",\"config\":{\"minute\":1}},"
             "{\"name\":\"rate-limiting\",\"service\":\"s\",\"config\":"
             "{\"minute\":2}},"
             "{\"name\":\"rate-limiting\",\"route\":\"r\",\"config\":"
             "{\"minute\":3}},"
             "{\"name\":\"rate-limiting\",\"consumer\":\"c\",\"config\":"
             "{\"minute\":5}},"
             "{\"name\":\"rate-limiting\",\"consumer\":\"c\",\"service\":"
             "\"s\",\"config\":{\"minute\":6}}]}",
             base);
    met__snapshot snapshot = map_json(json, &store);
    assert_int_equal(minute_of_route(&snapshot, "r"), 4);
    assert_int_equal(minute_of_route(&snapshot, "q"), 2);
    assert_int_equal(minute_of_route(&snapshot, "o"), 1);
    assert_int_equal(
        minute_of(&snapshot, snapshot.global.record[MET__PLUGIN_LIMIT]), 1);
    /* Best first. */
    met__range scopes = consumer_of(&snapshot, "c")->scopes;
    assert_int_equal(scopes.count, 2);
    const met__snapshot_scope *scope =
        met__snapshot_scope_at(&snapshot, scopes.first);
    assert_int_equal(minute_of(&snapshot, scope->limit), 6);
    assert_int_equal(scope->rank, MET__RANK_SERVICE_CONSUMER);
    assert_int_equal(scope->service, met__snapshot_service_find(
                                         &snapshot, MET__TEXT("s")));
    assert_int_equal(minute_of(&snapshot, scope[1].limit), 5);
    assert_int_equal(scope[1].service, MET__NONE);
    assert_int_equal(consumer_of(&snapshot, "d")->scopes.count, 0);
    let_go(store, &snapshot);
}

static void configurations(void **state)
{
    char json[4096];
    met_store *store;

    (void)state;
    snprintf(json, sizeof json,
             "{%s,\"plugins\":["
             "{\"name\":\"key-auth\",\"config\":{\"key_names\":[\"apikey\","
             "\"x-key\"],\"realm\":\"here\",\"anonymous\":\"c\","
             "\"hide_credentials\":true}},"
             "{\"name\":\"acl\",\"config\":{\"deny\":[\"g\",\"h\"],"
             "\"hide_groups_header\":true}},"
             "{\"name\":\"rate-limiting\",\"config\":{\"hour\":1000,"
             "\"minute\":5,\"limit_by\":\"ip\",\"algorithm\":"
             "\"fixed_epoch\",\"error_message\":"
             "\"a \\\"b\\\"\",\"error_code\":430}}]}",
             base);
    met__snapshot snapshot = map_json(json, &store);
    const met__snapshot_key_auth *auth =
        met__snapshot_key_auth_at(&snapshot, 0);
    assert_int_equal(auth->name_count, 2);
    assert_ref(&snapshot, auth->names[1], "x-key");
    assert_ref(&snapshot, auth->challenge,
               "WWW-Authenticate: Key realm=\"here\"\r\n");
    met__text drop = met__snapshot_text(&snapshot, auth->drop);
    assert_true(met__text_equal(
        met__text_of(drop.data + drop.size - 15, 15),
        MET__TEXT("apikey\r\nx-key\r\n")));
    assert_int_equal(auth->is_anonymous, 1);
    assert_ref(&snapshot,
               met__snapshot_consumer_at(&snapshot, auth->anonymous)
                   ->username,
               "c");
    assert_true((auth->flags & MET__KEY_HIDE) != 0);
    const met__snapshot_acl *acl = met__snapshot_acl_at(&snapshot, 0);
    assert_int_equal(acl->is_deny_list, 1);
    assert_int_equal(acl->hide_header, 1);
    assert_int_equal(acl->groups.count, 2);
    const met__snapshot_limit *limit = met__snapshot_limit_at(&snapshot, 0);
    assert_int_equal(limit->by, MET__LIMIT_BY_IP);
    assert_int_equal(limit->algorithm, MET_LIMITER_FIXED_EPOCH);
    assert_int_equal(limit->status, 430);
    assert_int_equal(limit->window_count, 2);
    assert_int_equal(limit->windows[0].limit, 5);
    assert_int_equal(limit->windows[0].window_ns, INT64_C(60000000000));
    assert_int_equal(limit->windows[1].limit, 1000);
    assert_ref(&snapshot, limit->body, "{\"message\":\"a \\\"b\\\"\"}");
    let_go(store, &snapshot);
}

static void disabled(void **state)
{
    char json[2048];
    met_store *store;

    (void)state;
    snprintf(json, sizeof json,
             "{%s,\"plugins\":[{\"name\":\"rate-limiting\",\"enabled\":false,"
             "\"config\":{\"minute\":5}}]}",
             base);
    met__snapshot snapshot = map_json(json, &store);
    assert_int_equal(snapshot.count[MET__SECTION_LIMIT], 0);
    assert_int_equal(minute_of_route(&snapshot, "r"), 0);
    let_go(store, &snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence),
        cmocka_unit_test(configurations),
        cmocka_unit_test(disabled),
    };
    return SNAPSHOT_TESTS(tests);
}

/* meter.h: arguments, handles, and the way of an event from the recorder into
 * an answer. Rules behind the calls have their tests in unit/meter. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include <sys/wait.h>
#include <unistd.h>

static met_recorder *open_recorder(void)
{
    met_recorder *recorder = NULL;

    fresh();
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    return recorder;
}

static met_event event_of(const char *type, const char *subject,
                          met_pair *pairs, size_t count)
{
    return (met_event){.struct_size = sizeof(met_event),
                       .type = type,
                       .type_size = strlen(type),
                       .subject = subject,
                       .subject_size = strlen(subject),
                       .attributes = pairs,
                       .attribute_count = count};
}

static void add(met_recorder *recorder, const char *subject,
                const char *service, const char *route)
{
    met_pair pairs[] = {{"service_name", 12, service, strlen(service)},
                        {"route_name", 10, route, strlen(route)}};
    met_event event = event_of("kong.api_request", subject, pairs, 2);

    fresh();
    assert_ok(met_recorder_add(recorder, &event, &told));
}

static void test_api_meter__documents(void **state)
{
    assert_ok(meter_put("{\"key\":\"m\",\"name\":\"M\",\"event_type\":\"t\","
                        "\"aggregation\":\"sum\",\"value_property\":\"$.v\","
                        "\"dimensions\":{\"d\":\"$.a.b\"}}"));
    assert_shown("dimensions.d", "$.a.b");
    assert_ok(meter_get("m"));
    assert_shown("aggregation", "sum");
    assert_ok(meter_list());
    assert_shown("items.0.key", "m");
    assert_shown("items.1", "");
    assert_told(meter_put("{\"key\":\"m\",\"name\":\"M\",\"event_type\":"
                          "\"other\",\"aggregation\":\"sum\","
                          "\"value_property\":\"$.v\"}"),
                MET_E_CONFLICT, "meter.event_type", "");
    assert_told(meter_put("{\"key\":\"m2\",\"name\":\"M\",\"event_type\":"
                          "\"t\",\"aggregation\":\"count\","
                          "\"value_property\":\"$.v\"}"),
                MET_E_INVALID, "meter.value_property", "");
    assert_told(meter_put("{\"key\":"), MET_E_INVALID, "", "line 1");
    assert_ok(meter_remove("m"));
    assert_ok(meter_list());
    assert_shown("items", "[]");
}

/* The get-started story: events, settlement, usage by service and consumer. */
static void test_api_meter__from_event_to_answer(void **state)
{
    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"ariel_inc\",\"name\":\"A\","
                           "\"usage_attribution\":{\"subject_keys\":"
                           "[\"ariel\",\"ariel-2\"]}}"));
    met_recorder *recorder = open_recorder();
    for (int i = 0; i < 5; i++) {
        add(recorder, "ariel", "example_service", "r");
    }
    add(recorder, "ariel-2", "example_service", "r");
    add(recorder, "ariel", "other", "r");
    add(recorder, "rosario", "example_service", "r");
    assert_ok(settle());
    assert_shown("events", "8");
    assert_shown("slots_live", "1");
    assert_ok(usage_query("{\"meter\":\"api_requests\",\"group_by\":"
                          "[\"subject\",\"service_name\"]}"));
    assert_shown("meter", "api_requests");
    assert_shown("data.0.subject", "ariel");
    assert_shown("data.0.dimensions", "{\"service_name\":"
                                      "\"example_service\"}");
    assert_shown("data.0.value", "5");
    assert_shown("data.1.dimensions.service_name", "other");
    assert_shown("data.2.subject", "ariel-2");
    assert_shown("data.3.subject", "rosario");
    assert_shown("data.4", "");
    assert_ok(usage_query("{\"feature\":\"example_service\",\"customer\":"
                          "\"ariel_inc\",\"from\":\"2026-03-15T10:30:00Z\","
                          "\"to\":\"2026-03-15T10:31:00Z\"}"));
    assert_shown("from", "2026-03-15T10:30:00Z");
    assert_shown("data.0.value", "6");
    assert_shown("data.1", "");
    /* Subjects of the customer, of those that are asked for. */
    assert_ok(usage_query("{\"feature\":\"example_service\",\"customer\":"
                          "\"ariel_inc\",\"subjects\":[\"rosario\","
                          "\"ariel-2\"]}"));
    assert_shown("data.0.subject", "ariel-2");
    assert_shown("data.0.value", "1");
    assert_shown("data.1", "");
    assert_ok(usage_query("{\"meter\":\"api_requests\",\"customer\":"
                          "\"ariel_inc\",\"subjects\":[\"rosario\"]}"));
    assert_shown("data", "[]");
    /* Not yet settled, unless the query says so. */
    add(recorder, "rosario", "example_service", "r");
    assert_ok(usage_query("{\"meter\":\"api_requests\",\"subjects\":"
                          "[\"rosario\"]}"));
    assert_shown("data.0.value", "1");
    assert_ok(usage_query("{\"meter\":\"api_requests\",\"subjects\":"
                          "[\"rosario\"],\"settle_first\":true}"));
    assert_shown("data.0.value", "2");
    met_recorder_close(recorder);
}

static void test_api_meter__who_holds_settlement_up(void **state)
{
    char process[24];

    must_have_catalog();
    met_recorder *recorder = open_recorder();
    add(recorder, "ariel", "example_service", "r");
    assert_ok(settle());
    assert_shown("held_up_by", "");
    clock_now_ns += INT64_C(11000000000);
    assert_ok(settle());
    snprintf(process, sizeof process, "%ld", (long)getpid());
    assert_shown("held_up_by.0.process_id", process);
    assert_shown("held_up_by.0.reason",
                 "the recorder does not tick, or is stopped");
    assert_shown("held_up_by.1", "");
    assert_ok(met_recorder_tick(recorder));
    assert_ok(settle());
    assert_shown("held_up_by", "");
    met_recorder_close(recorder);
    assert_ok(settle());
    assert_shown("held_up_by", "");
}

static void test_api_meter__refused(void **state)
{
    must_put_requests_meter();
    assert_ok(feature_put("{\"key\":\"seats\",\"name\":\"Seats\"}"));
    assert_told(usage_query("{\"meter\":\"none\"}"), MET_E_NOT_FOUND,
                "query.meter", "there is no meter none");
    assert_told(usage_query("{\"feature\":\"none\"}"), MET_E_NOT_FOUND,
                "query.feature", "there is no feature none");
    assert_told(usage_query("{\"feature\":\"seats\"}"), MET_E_INVALID,
                "query.feature", "nothing measures");
    assert_told(usage_query("{\"meter\":\"api_requests\",\"customer\":"
                            "\"none\"}"),
                MET_E_NOT_FOUND, "query.customer", "there is no customer");
    assert_told(usage_query("{\"meter\":\"api_requests\",\"from\":"
                            "\"2026-03-15T10:30:30Z\"}"),
                MET_E_INVALID, "from", "whole minute");
    assert_told(usage_query("{\"meter\":\"api_requests\",\"group_by\":"
                            "[\"color\"]}"),
                MET_E_INVALID, "group_by", "color is neither");
    assert_told(usage_query("nonsense"), MET_E_INVALID, "", "line 1");
}

/* An archived feature still counts for the subscriptions that go on. */
static void test_api_meter__removed_in_use(void **state)
{
    char id[32];

    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"rosario\",\"name\":\"Rosario\"}"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"rosario\"},\"plan\":{"
                        "\"key\":\"premium\"}}", 0));
    snprintf(id, sizeof id, "%s", shown("id"));
    assert_told(meter_remove("api_requests"), MET_E_CONFLICT, "key",
                "archive that first");
    assert_ok(feature_archive("example_service"));
    assert_told(meter_remove("api_requests"), MET_E_CONFLICT, "key",
                "the subscription of rosario counts by it");
    assert_ok(meter_get("api_requests"));
    assert_ok(subscription_cancel(id, 0, 0));
    clock_now_ns += MET__HOUR_NS;
    assert_told(meter_remove("api_requests"), MET_E_CONFLICT, "key",
                "of rosario that ended is not billed to its end");
    assert_ok(customer_remove("rosario"));
    assert_ok(meter_remove("api_requests"));
}

static void test_api_meter__arguments(void **state)
{
    met_buffer out = {0};
    met_recorder *recorder = NULL;
    met_recorder_config config = {.struct_size = sizeof config, .flags = 1};
    met_settle_config settle_config = {.struct_size = sizeof settle_config,
                                       .flags = 4};
    met_event event = event_of("t", "s", NULL, 0);

    fresh();
    assert_told(met_meter_put(NULL, "{}", 2, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_meter_put(store, NULL, 2, &out, &told), MET_E_INVALID,
                "json", "is NULL");
    assert_told(met_meter_get(store, "k", 1, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_meter_get(store, "", 0, &out, &told), MET_E_INVALID,
                "key", "1 to 64");
    assert_told(met_meter_list(store, NULL, &told), MET_E_INVALID, "json_out",
                "is NULL");
    assert_told(met_meter_remove(store, NULL, 0, &told), MET_E_INVALID, "key",
                "is NULL");
    assert_told(met_usage_query(store, "{}", 2, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_usage_query(NULL, "{}", 2, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_store_settle(NULL, NULL, &out, &told), MET_E_INVALID,
                "store", "is NULL");
    assert_told(met_store_settle(store, &settle_config, &out, &told),
                MET_E_UNSUPPORTED, "config.flags", "unknown bit");
    settle_config.struct_size = 3;
    assert_told(met_store_settle(store, &settle_config, &out, &told),
                MET_E_INVALID, "config", "struct_size is 3");
    assert_told(met_recorder_open(NULL, NULL, &recorder, &told),
                MET_E_INVALID, "store", "is NULL");
    assert_told(met_recorder_open(store, NULL, NULL, &told), MET_E_INVALID,
                "recorder_out", "is NULL");
    assert_told(met_recorder_open(store, &config, &recorder, &told),
                MET_E_UNSUPPORTED, "config.flags", "unknown bit");
    config.flags = 0;
    config.shapes_max = MET_RECORDER_SHAPES_MAX + 1;
    assert_told(met_recorder_open(store, &config, &recorder, &told),
                MET_E_INVALID, "config.shapes_max", "at most");
    assert_null(recorder);
    assert_told(met_recorder_add(NULL, &event, &told), MET_E_INVALID,
                "recorder", "is NULL");
    assert_int_equal(met_recorder_tick(NULL), MET_E_INVALID);
    met_recorder_close(NULL);
    recorder = open_recorder();
    assert_told(met_recorder_add(recorder, NULL, &told), MET_E_INVALID,
                "event", "is NULL");
    assert_told(met_recorder_add(recorder, &event, &told), MET_E_NOT_FOUND,
                "type", "");
    event.struct_size = 8;
    assert_told(met_recorder_add(recorder, &event, &told), MET_E_INVALID,
                "event", "struct_size is 8");
    met_recorder_close(recorder);
}

/* A child that inherits a store and a recorder can do nothing with them but
 * close them. */
static void test_api_meter__forked(void **state)
{
    must_put_requests_meter();
    met_recorder *recorder = open_recorder();
    add(recorder, "s", "a", "r");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        met_buffer out = {0};
        met_event event = event_of("kong.api_request", "s", NULL, 0);
        int is_right =
            met_recorder_add(recorder, &event, NULL) == MET_E_FORKED
            && met_recorder_tick(recorder) == MET_E_FORKED
            && met_store_settle(store, NULL, NULL, NULL) == MET_E_FORKED
            && met_meter_list(store, &out, NULL) == MET_E_FORKED
            && met_usage_query(store, "{\"meter\":\"api_requests\"}", 24,
                               &out, NULL)
                   == MET_E_FORKED;
        met_recorder_close(recorder);
        _exit(is_right ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    add(recorder, "s", "a", "r");
    assert_ok(settle());
    assert_shown("events", "2");
    met_recorder_close(recorder);
}

/* Whatever allocation fails, the call says so and the next one works. */
static void test_api_meter__no_memory(void **state)
{
    static const char query[] = "{\"meter\":\"api_requests\",\"group_by\":"
                                "[\"subject\",\"service_name\"],\"window\":"
                                "\"day\"}";
    must_put_requests_meter();
    met_recorder *recorder = open_recorder();
    for (int i = 0; i < 9; i++) {
        char subject[2] = {(char)('a' + i), 0};
        add(recorder, subject, "s", "r");
    }
    long fail = 1;
    for (int is_done = 0; !is_done; fail++) {
        memory.calls = 0;
        memory.fail_at = fail;
        met_error error = settle();
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        is_done = error == MET_OK;
    }
    assert_true(fail > 3);
    fail = 1;
    for (int is_done = 0; !is_done; fail++) {
        memory.calls = 0;
        memory.fail_at = fail;
        met_error error = usage_query(query);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        is_done = error == MET_OK;
    }
    assert_true(fail > 3);
    assert_shown("data.8.value", "1");
    assert_shown("data.9", "");
    met_recorder_close(recorder);
}

int main(void)
{
#define TEST(name)                                         \
    cmocka_unit_test_setup_teardown(name, documents_setup, \
                                    documents_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_api_meter__documents),
        TEST(test_api_meter__from_event_to_answer),
        TEST(test_api_meter__who_holds_settlement_up),
        TEST(test_api_meter__refused),
        TEST(test_api_meter__removed_in_use),
        TEST(test_api_meter__arguments),
        TEST(test_api_meter__forked),
        TEST(test_api_meter__no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

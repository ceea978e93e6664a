/* Every call of entitlement.h and grant.h while memory or the disk fails. */
#include "support/entitled.h"
#include "support/fault_calls.h"

#define METERED                                              \
    "\"type\":\"metered\",\"usage_period\":{\"interval\":" \
    "\"P1M\"},\"issue_after_reset\":\"5\""

static char grant_id[32];

/* --- The calls ------------------------------------------------------------ */
static met_error call_grant_create(void)
{
    return grant("ariel", "example_service",
                 ",\"amount\":\"5\",\"expiration\":{\"duration\":\"day\","
                 "\"count\":1},\"recurrence\":{\"interval\":\"PT1H\"},"
                 "\"metadata\":{\"a\":\"b\"}");
}
static met_error call_grant_get(void)
{
    met_buffer *buffer = fresh();

    return keep(met_grant_get(store, grant_id, 26, buffer, &told), buffer);
}
static met_error call_grant_list(void)
{
    met_buffer *buffer = fresh();

    return keep(met_grant_list(store, "ariel", 5, NULL, 0, buffer, &told),
                buffer);
}
static met_error call_grant_void(void)
{
    met_buffer *buffer = fresh();

    return keep(met_grant_void(store, grant_id, 26, 0, 0, buffer, &told),
                buffer);
}
static met_error call_create(void)
{
    const char *json =
        "{\"customer\":{\"key\":\"rosario\"},\"feature\":{\"key\":"
        "\"example_service\"}," METERED "}";
    met_buffer *buffer = fresh();

    return keep(met_entitlement_create(store, json, strlen(json), 0, buffer,
                                       &told),
                buffer);
}
static met_error call_override(void)
{
    const char *json =
        "{\"customer\":{\"key\":\"mara\"},\"feature\":{\"key\":"
        "\"example_service\"}," METERED "}";
    met_buffer *buffer = fresh();

    return keep(met_entitlement_override(store, json, strlen(json), 0, buffer,
                                         &told),
                buffer);
}
static met_error call_remove(void)
{
    return met_entitlement_remove(store, "mara", 4, "example_service", 15,
                                  NULL);
}
static met_error call_reset(void)
{
    return reset("{\"preserve_overage\":true}");
}
static met_error call_get(void)
{
    met_buffer *buffer = fresh();

    return keep(met_entitlement_get(store, "ariel", 5, "example_service", 15,
                                    0, buffer, &told),
                buffer);
}
static met_error call_list(void)
{
    met_buffer *buffer = fresh();

    return keep(met_entitlement_list(store, "ariel", 5, 0, buffer, &told),
                buffer);
}
static met_error call_history(void)
{
    met_buffer *buffer = fresh();

    return keep(met_entitlement_history(store, "ariel", 5, "example_service",
                                        15, 0, 0, MET_HISTORY_DAY, buffer,
                                        &told),
                buffer);
}

static met_error call_simulate(void)
{
    const char *json =
        "{\"entitlement\":{\"usage_period\":{\"interval\":\"P1M\"},"
        "\"measure_usage_from\":\"2026-01-01T00:00:00Z\","
        "\"issue_after_reset\":\"5\"},\"grants\":[{\"amount\":\"3\","
        "\"recurrence\":{\"interval\":\"P1D\"}}],\"resets\":[{\"at\":"
        "\"2026-01-05T00:00:00Z\"}],\"usage\":[{\"at\":"
        "\"2026-01-03T00:00:00Z\",\"value\":\"2\"}],\"at\":["
        "\"2026-01-04T00:00:00Z\",\"2026-01-20T00:00:00Z\"]}";
    met_platform platform = {.struct_size = sizeof platform,
                             .allocator = {&memory, faulty_allocate,
                                           faulty_reallocate,
                                           faulty_release}};
    met_buffer *buffer = fresh();

    return keep(met_entitlement_simulate(json, strlen(json), &platform, buffer,
                                         &told),
                buffer);
}

static const fault_call calls[] = {
    {"entitlement_simulate", call_simulate, FAULT_READS},
    {"entitlement_get", call_get, FAULT_READS},
    {"entitlement_list", call_list, FAULT_READS},
    {"entitlement_history", call_history, FAULT_READS},
    {"grant_create", call_grant_create, FAULT_ANNOUNCES},
    {"grant_get", call_grant_get, FAULT_READS},
    {"grant_list", call_grant_list, FAULT_READS},
    {"grant_void", call_grant_void, FAULT_ANNOUNCES},
    {"entitlement_create", call_create, FAULT_ANNOUNCES},
    {"entitlement_override", call_override, FAULT_ANNOUNCES},
    {"entitlement_remove", call_remove, FAULT_ANNOUNCES},
    {"entitlement_reset", call_reset, FAULT_ANNOUNCES},
};

/* Something for every call to find. */
static int setup(void **state)
{
    int failed = billing_setup(state);
    const char *json =
        "{\"customer\":{\"key\":\"mara\"},\"feature\":{\"key\":"
        "\"example_service\"}," METERED "}";

    must_subscribe_ariel();
    must_put_customer("rosario");
    must_put_customer("mara");
    snprintf(grant_id, sizeof grant_id, "%s", must_grant(",\"amount\":\"5\""));
    assert_ok(met_entitlement_create(store, json, strlen(json), 0, NULL,
                                     &told));
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 3);
    must_settle();
    clock_now_ns += MET__HOUR_NS;
    return failed;
}

int main(void)
{
    fault_calls = calls;
    fault_call_count = sizeof calls / sizeof *calls;
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_fault__allocations),
        CASE(test_fault__memory_below),
        CASE(test_fault__writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

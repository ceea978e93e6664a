/* A whole document at once: order of kinds, all or nothing, dry run, report,
 * and every allocation failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "metering/catalog.h"
#include "metering/customer.h"
#include "metering/gateway.h"
#include "metering/store.h"
#include "support/faults.h"
#include "support/temp_directory.h"

#define NOON INT64_C(1767268800000000000) /* 2026-01-01T12:00:00Z */

/* In the wrong order on purpose. */
static const char story[] =
    "{\"subscriptions\": [{\"customer\": {\"key\": \"ariel\"}, \"plan\": "
    "{\"key\": \"free\"}}],"
    "\"plugins\": [{\"name\": \"key-auth\", \"config\": {\"key_names\": "
    "[\"apikey\"]}}],"
    "\"customers\": [{\"key\": \"ariel\", \"name\": \"Ariel\"}],"
    "\"plans\": [{\"key\": \"free\", \"name\": \"Free\", \"currency\": "
    "\"USD\", \"billing_cadence\": \"P1M\", \"publish\": true, \"phases\": "
    "[{\"key\": \"d\", \"name\": \"D\", \"rate_cards\": [{\"key\": \"calls\", "
    "\"name\": \"Calls\", \"feature\": {\"key\": \"calls\"}, "
    "\"billing_cadence\": \"P1M\", \"price\": {\"type\": \"free\"}, "
    "\"entitlement\": {\"type\": \"metered\", \"limit\": 10}}]}]}],"
    "\"features\": [{\"key\": \"calls\", \"name\": \"Calls\", \"meter\": "
    "{\"key\": \"requests\"}}],"
    "\"consumers\": [{\"username\": \"ariel\", \"keyauth_credentials\": "
    "[{\"key\": \"secret\"}]}],"
    "\"_format_version\": \"3.0\","
    "\"meters\": [{\"key\": \"requests\", \"name\": \"Requests\", "
    "\"event_type\": \"request\", \"aggregation\": \"count\"}]}";

static char directory[64];
static met_store *store;
static faulty_memory memory;
static int64_t clock_ns;

static int64_t now(void *context)
{
    return clock_ns;
}

static int setup(void **state)
{
    met_platform platform = {
        .struct_size = sizeof platform,
        .allocator = {&memory, faulty_allocate, faulty_reallocate,
                      faulty_release},
        .clock = {NULL, now, now}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .flags = MET_STORE_CREATE};

    memset(&memory, 0, sizeof memory);
    clock_ns = NOON;
    temp_directory(directory, sizeof directory);
    assert_int_equal(met_store_open(directory, strlen(directory), &config,
                                    &store, NULL), MET_OK);
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    assert_int_equal(memory.live, 0);
    temp_remove(directory);
    return 0;
}

static met_error apply(const char *json, int64_t at_ns, uint64_t flags,
                       char *report, met_error_info *info)
{
    met_buffer buffer = {0};
    met_error error = met_catalog_apply(store, json, strlen(json), at_ns,
                                        flags, &buffer, info);

    if (error == MET_OK && report != NULL) {
        snprintf(report, 4096, "%s", buffer.data);
    }
    if (error != MET_OK) {
        assert_null(buffer.data);
    }
    met_buffer_release(&buffer);
    return error;
}

/* Everything that is stored, as one text. */
static void everything(char *text, size_t size)
{
    static met_error (*const lists[])(met_store *, met_buffer *,
                                      met_error_info *) = {
        met_feature_list, met_plan_list, met_customer_list};
    static const char *const kinds[] = {"service", "route", "consumer",
                                        "plugin"};
    met_buffer buffer = {0};

    text[0] = '\0';
    for (size_t i = 0; i < 8; i++) {
        met_error error =
            i < 3   ? lists[i](store, &buffer, NULL)
            : i < 7 ? met_gateway_entity_list(store, kinds[i - 3],
                                              strlen(kinds[i - 3]), &buffer,
                                              NULL)
                    : met_subscription_list(store, NULL, 0, &buffer, NULL);
        assert_int_equal(error, MET_OK);
        snprintf(text + strlen(text), size - strlen(text), "%s\n",
                 buffer.data);
        met_buffer_release(&buffer);
    }
}

static char before[16384], after[16384], report[4096];

static void assert_refused(const char *json, int64_t at_ns, uint64_t flags,
                           met_error wanted, const char *field)
{
    met_error_info info = {.struct_size = sizeof info};

    everything(before, sizeof before);
    met_error error = apply(json, at_ns, flags, NULL, &info);
    if (error != wanted || info.code != wanted
        || strcmp(info.field, field) != 0 || info.reason[0] == '\0') {
        fail_msg("%s: %s %s: %s", json, met_error_name(error), info.field,
                 info.reason);
    }
    everything(after, sizeof after);
    assert_string_equal(after, before);
}

static void story_in_any_order(void **state)
{
    met_error_info info = {.struct_size = sizeof info};

    if (apply(story, 0, 0, report, &info) != MET_OK) {
        fail_msg("%s: %s", info.field, info.reason);
    }
    assert_non_null(strstr(report, "{\"kind\":\"meter\",\"key\":\"requests\","
                                   "\"change\":\"created\"}"));
    assert_non_null(strstr(report, "{\"kind\":\"subscription\",\"key\":"
                                   "\"ariel\",\"change\":\"created\"}"));
    assert_non_null(strstr(report, "\"ignored\":[]"));
    assert_null(strstr(report, "secret"));
    everything(before, sizeof before);
    assert_int_equal(apply(story, 0, 0, report, &info), MET_OK);
    assert_null(strstr(report, "created"));
    assert_null(strstr(report, "updated"));
    everything(after, sizeof after);
    assert_string_equal(after, before);
}

static void dry_run(void **state)
{
    everything(before, sizeof before);
    assert_int_equal(apply(story, 0, MET_APPLY_DRY_RUN, report, NULL), MET_OK);
    everything(after, sizeof after);
    assert_string_equal(after, before);
    snprintf(before, sizeof before, "%s", report);
    assert_int_equal(apply(story, 0, 0, report, NULL), MET_OK);
    assert_string_equal(report, before);
}

static void without_report(void **state)
{
    assert_int_equal(met_catalog_apply(store, story, sizeof story - 1, 0, 0,
                                       NULL, NULL), MET_OK);
}

static void virtual_time(void **state)
{
    const int64_t at_ns = NOON - INT64_C(86400000000000) * 30;

    assert_refused(story, at_ns, 0, MET_E_INVALID, "at_ns");
    assert_refused(story, -1, MET_ALLOW_PAST, MET_E_INVALID, "at_ns");
    assert_refused(story, INT64_MAX, 0, MET_E_INVALID, "at_ns");
    assert_int_equal(apply(story, at_ns, MET_ALLOW_PAST, report, NULL),
                     MET_OK);
    everything(after, sizeof after);
    assert_non_null(strstr(after,
                           "\"active_from\":\"2025-12-02T12:00:00Z\""));
    assert_non_null(strstr(after,
                           "\"effective_from\":\"2025-12-02T12:00:00Z\""));
}

static void arguments(void **state)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer buffer = {0};

    assert_int_equal(met_catalog_apply(NULL, "{}", 2, 0, 0, &buffer, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "store");
    assert_int_equal(met_catalog_apply(store, NULL, 2, 0, 0, &buffer, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "json");
    assert_int_equal(met_catalog_apply(store, "{}", SIZE_MAX, 0, 0, &buffer,
                                       &info), MET_E_LIMIT);
    assert_refused("{}", 0, UINT64_C(1) << 40, MET_E_UNSUPPORTED, "flags");
    assert_refused("{}", 0, UINT64_C(2), MET_E_UNSUPPORTED, "flags");
    assert_null(buffer.data);
    assert_int_equal(apply("{}", 0, 0, report, NULL), MET_OK);
    assert_string_equal(report, "{\"changes\":[],\"ignored\":[]}");
    assert_int_equal(apply("{\"meters\": null, \"plans\": []}", 0, 0, report,
                           NULL), MET_OK);
}

static void refusals(void **state)
{
    static const struct row {
        const char *json;
        met_error error;
        const char *field;
    } rows[] = {
        {"", MET_E_INVALID, "json"},
        {"[]", MET_E_INVALID, ""},
        {"{\"meters\": ", MET_E_INVALID, ""},
        {"{\"meters\": {}}", MET_E_INVALID, "meters"},
        {"{\"meters\": \"all\"}", MET_E_INVALID, "meters"},
        {"{\"subscriptions\": 5}", MET_E_INVALID, "subscriptions"},
        {"{\"metres\": []}", MET_E_INVALID, "metres"},
        {"{\"customers\": [5]}", MET_E_INVALID, "customers[0]"},
        {"{\"customers\": [{\"key\":\"a\",\"name\":\"A\"}, {\"key\":\"b\"}]}",
         MET_E_INVALID, "customers[1].name"},
        {"{\"customers\": [{\"key\":\"a\",\"name\":\"A\"}, {\"key\":\"a\","
         "\"name\":\"A\"}]}",
         MET_E_INVALID, "customers[1].key"},
        {"{\"plans\": [{\"key\":\"a\"}, {\"key\":\"b\"}, {\"key\":\"a\"}]}",
         MET_E_INVALID, "plans[2].key"},
        {"{\"features\": [{\"key\":\"f\",\"name\":\"F\",\"meter\":{\"key\":"
         "\"none\"}}]}",
         MET_E_NOT_FOUND, "features[0].meter.key"},
        {"{\"subscriptions\": [{\"customer\":{\"key\":\"nobody\"},\"plan\":"
         "{\"key\":\"free\"}}]}",
         MET_E_NOT_FOUND, "subscriptions[0].customer.key"},
    };

    assert_int_equal(apply(story, 0, 0, report, NULL), MET_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_refused(rows[i].json, 0, 0, rows[i].error, rows[i].field);
    }
}

static void strict(void **state)
{
    const char *json = "{\"upstreams\": [{\"name\": \"u\"}], \"customers\": "
                       "[{\"key\": \"a\", \"name\": \"A\"}]}";
    met_error_info info = {.struct_size = sizeof info};

    everything(before, sizeof before);
    assert_int_equal(apply(json, 0, MET_APPLY_STRICT, NULL, &info),
                     MET_E_UNSUPPORTED);
    everything(after, sizeof after);
    assert_string_equal(after, before);
    assert_int_equal(apply(json, 0, 0, report, NULL), MET_OK);
    assert_null(strstr(report, "\"ignored\":[]"));
}

/* Memory that runs out anywhere: refused and unchanged, or done. */
static void memory_fails(void **state)
{
    met_error_info info = {.struct_size = sizeof info};
    long k = 1;

    everything(before, sizeof before);
    for (;; k++) {
        memory.calls = 0;
        memory.fail_at = k;
        met_error error = apply(story, 0, 0, NULL, &info);
        memory.fail_at = 0;
        if (error == MET_OK) {
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        everything(after, sizeof after);
        assert_string_equal(after, before);
    }
    assert_true(k > 20);
    assert_int_equal(apply(story, 0, 0, report, NULL), MET_OK);
    assert_null(strstr(report, "created"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(story_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(dry_run, setup, teardown),
        cmocka_unit_test_setup_teardown(without_report, setup, teardown),
        cmocka_unit_test_setup_teardown(virtual_time, setup, teardown),
        cmocka_unit_test_setup_teardown(arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(strict, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each rule of a meter's document: what is refused, at which field, why. */
#include "meter_support.h"

static char home[64];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    store = test_store(temp_path(home, "s"));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

#define BASE "\"key\":\"k\",\"name\":\"n\",\"event_type\":\"t\","
#define COUNT BASE "\"aggregation\":\"count\""

static void test_meter_def__refused(void **state)
{
    static const struct {
        const char *json;
        met_error error;
        const char *field;
        const char *reason; /* a part of it */
    } cases[] = {
        {"[]", MET_E_INVALID, "meter", "object"},
        {"{}", MET_E_INVALID, "meter.key", ""},
        {"{\"key\":\"A\"}", MET_E_INVALID, "meter.key", ""},
        {"{\"key\":\"slug-test\"}", MET_E_INVALID, "meter.key", ""},
        {"{\"key\":\"01hzzzzzzzzzzzzzzzzzzzzzzz\",\"name\":\"n\"}",
         MET_E_INVALID, "meter.key", "id"},
        {"{\"key\":1}", MET_E_INVALID, "meter.key", ""},
        {"{\"key\":\"k\"}", MET_E_INVALID, "meter.name", ""},
        {"{\"key\":\"k\",\"name\":\"\"}", MET_E_INVALID, "meter.name", ""},
        {"{\"key\":\"k\",\"name\":\"n\"}", MET_E_INVALID, "meter.event_type",
         ""},
        {"{\"key\":\"k\",\"name\":\"n\",\"event_type\":\"\"}", MET_E_INVALID,
         "meter.event_type", ""},
        {"{\"key\":\"k\",\"name\":\"n\",\"event_type\":\"om.x\"}",
         MET_E_INVALID, "meter.event_type", "reserved"},
        {"{\"key\":\"k\",\"name\":\"n\",\"event_type\":\"_.x\"}",
         MET_E_INVALID, "meter.event_type", "reserved"},
        {"{" BASE "\"description\":\"\"}", MET_E_INVALID, "meter.description",
         ""},
        {"{" BASE "\"aggregation\":\"median\"}", MET_E_INVALID,
         "meter.aggregation", ""},
        {"{" BASE "\"aggregation\":\"COUNT\"}", MET_E_INVALID,
         "meter.aggregation", ""},
        {"{" BASE "\"aggregation\":\"sum\"}", MET_E_INVALID,
         "meter.value_property", ""},
        {"{" BASE "\"aggregation\":\"sum\",\"value_property\":\"x\"}",
         MET_E_INVALID, "meter.value_property", "start with $"},
        {"{" BASE "\"aggregation\":\"sum\",\"value_property\":\"$..x\"}",
         MET_E_UNSUPPORTED, "meter.value_property", "only"},
        {"{" COUNT ",\"value_property\":\"$.x\"}", MET_E_INVALID,
         "meter.value_property", "not allowed"},
        {"{" COUNT ",\"dimensions\":[]}", MET_E_INVALID, "meter.dimensions",
         ""},
        {"{" COUNT ",\"dimensions\":{\"\":\"$.x\"}}", MET_E_INVALID,
         "meter.dimensions.", "name"},
        {"{" COUNT ",\"dimensions\":{\"1a\":\"$.x\"}}", MET_E_INVALID,
         "meter.dimensions.1a", "name"},
        {"{" COUNT ",\"dimensions\":{\"a-b\":\"$.x\"}}", MET_E_INVALID,
         "meter.dimensions.a-b", "name"},
        {"{" COUNT ",\"dimensions\":{\"subject\":\"$.x\"}}", MET_E_INVALID,
         "meter.dimensions.subject", "reserved"},
        {"{" COUNT ",\"dimensions\":{\"customer_id\":\"$.x\"}}",
         MET_E_INVALID, "meter.dimensions.customer_id", "reserved"},
        {"{" COUNT ",\"dimensions\":{\"a\":1}}", MET_E_INVALID,
         "meter.dimensions.a", "text"},
        {"{" COUNT ",\"dimensions\":{\"a\":\"x\"}}", MET_E_INVALID,
         "meter.dimensions.a", "start with $"},
        {"{" BASE "\"aggregation\":\"unique_count\",\"value_property\":"
         "\"$['x']\",\"dimensions\":{\"a\":\"$.x\"}}",
         MET_E_INVALID, "meter.dimensions.a", "value_property"},
        {"{" COUNT ",\"events_from\":\"yesterday\"}", MET_E_INVALID,
         "meter.events_from", ""},
        {"{" COUNT ",\"events_from\":\"1970-01-01T00:00:00Z\"}",
         MET_E_INVALID, "meter.events_from", "zero"},
        {"{" COUNT ",\"labels\":{}}", MET_E_UNSUPPORTED, "meter.labels", ""},
        {"{" COUNT ",\"id\":\"x\"}", MET_E_INVALID, "meter.id", ""},
        {"{" COUNT ",\"counts_all\":true}", MET_E_INVALID,
         "meter.counts_all", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        met_error error = try_meter(store, cases[i].json, NULL);
        if (error != cases[i].error
            || strcmp(last_info.field, cases[i].field) != 0
            || strstr(last_info.reason, cases[i].reason) == NULL) {
            fail_msg("%s: %s \"%s\" \"%s\"", cases[i].json,
                     met_error_name(error), last_info.field,
                     last_info.reason);
        }
        assert_string_equal(meter_json(store, "k"), "");
    }
}

static void test_meter_def__bounds(void **state)
{
    char json[4000];

    for (int extra = -1; extra <= 1; extra++) {
        int size = snprintf(json, sizeof json, "{" COUNT ",\"dimensions\":{");
        for (int i = 0; i < 16 + extra; i++) {
            size += snprintf(json + size, sizeof json - (size_t)size,
                             "%s\"d%d\":\"$.p%d\"", i ? "," : "", i, i);
        }
        snprintf(json + size, sizeof json - (size_t)size, "}}");
        met__arena arena;
        met__node *node = NULL;
        met__meter *meter = NULL;
        met__arena_init(&arena, met__store_platform(store));
        assert_int_equal(met__json_parse(&arena, met__text_z(json), &node,
                                         NULL),
                         MET_OK);
        assert_int_equal(met__meter_read(node, NULL, &arena, &meter, NULL),
                         extra <= 0 ? MET_OK : MET_E_LIMIT);
        met__arena_release(&arena);
    }
}

static void test_meter_def__canonical(void **state)
{
    must_meter(store, "{\"dimensions\":{\"b\":\"$['x'].y\",\"a\":\"$[0]\"},"
                      "\"aggregation\":\"sum\",\"value_property\":"
                      "\"$['tokens']\",\"event_type\":\"t\",\"name\":\"n\","
                      "\"key\":\"k\",\"description\":null}");
    const char *json = meter_json(store, "k");
    assert_non_null(strstr(
        json, "{\"key\":\"k\",\"name\":\"n\",\"event_type\":\"t\","
              "\"aggregation\":\"sum\",\"value_property\":\"$.tokens\","
              "\"dimensions\":{\"a\":\"$[0]\",\"b\":\"$.x.y\"},\"id\":"));
    assert_non_null(strstr(json, "\"counting_since\":"
                                 "\"2026-03-01T00:00:00Z\""));
    assert_null(strstr(json, "counts_all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_meter_def__refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_meter_def__bounds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_meter_def__canonical, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What features need is not taken from them: a meter, a dimension, a path. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#define METER(dimensions)                                                    \
    "{\"key\":\"api_requests\",\"name\":\"API requests\",\"event_type\":"    \
    "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":{"       \
    dimensions "}}"

static void test_guard__remove(void **state)
{
    assert_ok(meter_put(METER("\"service_name\":\"$.service_name\"")));
    assert_ok(feature_put(EXAMPLE_FEATURE));
    uint64_t before = stored_digest();
    assert_told(meter_remove("api_requests"), MET_E_CONFLICT, "key",
                "the feature example_service measures it");
    assert_int_equal(stored_digest(), before);
    assert_ok(feature_archive("example_service"));
    assert_ok(meter_remove("api_requests"));
    assert_int_equal(meter_get("api_requests"), MET_E_NOT_FOUND);
    assert_int_equal(meter_remove("api_requests"), MET_E_NOT_FOUND);
}

static void test_guard__dimensions(void **state)
{
    assert_ok(meter_put(METER("\"service_name\":\"$.service_name\","
                              "\"route\":\"$.route\"")));
    assert_ok(feature_put(EXAMPLE_FEATURE));
    uint64_t before = stored_digest();
    assert_told(meter_put(METER("\"route\":\"$.route\"")), MET_E_CONFLICT,
                "meter.dimensions",
                "the feature example_service filters by service_name");
    assert_told(meter_put(METER("\"service_name\":\"$.other\"")),
                MET_E_CONFLICT, "meter.dimensions", "service_name");
    assert_int_equal(stored_digest(), before);
    /* Nobody filters by the route. */
    assert_ok(meter_put(METER("\"service_name\":\"$.service_name\"")));
    assert_shown("dimensions", "{\"service_name\":\"$.service_name\"}");
    assert_ok(feature_archive("example_service"));
    assert_ok(meter_put(METER("\"route\":\"$.route\"")));
}

int main(void)
{
#define TEST(name)                                          \
    cmocka_unit_test_setup_teardown(name, documents_setup,  \
                                    documents_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_guard__remove),
        TEST(test_guard__dimensions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

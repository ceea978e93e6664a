/* Files that are cut short under a gateway, by a host that handles SIGBUS
 * itself: requests are refused or forgiven by the policy, never answered out
 * of zeros; the next tick has whole files, and no unit of an allowance is given
 * twice. */
#include "support/gateway_calls.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway_handle.h"
#include "metering/fault.h"

#define ALLOWANCE 90

static int served;

static void on_bus(int number, siginfo_t *info, void *context)
{
    if (met_fault_handle(info->si_addr) != MET_OK) {
        _exit(77);
    }
}

static void handle_faults(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = on_bus;
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

/* The file by its name; "snapshot", "current": the one in force. */
static void cut(const char *name, off_t size)
{
    char path[256];
    struct stat status;

    if (strcmp(name, "snapshot") == 0) {
        snprintf(path, sizeof path, "%s/gateway/snapshot-%llu-%u.map",
                 met__store_path(store),
                 (unsigned long long)met__snapshot_files_current(
                     &gateway->files),
                 MET__SNAPSHOT_LAYOUT);
    } else if (strcmp(name, "current") == 0) {
        snprintf(path, sizeof path, "%s/gateway/current-%u.map",
                 met__store_path(store), MET__SNAPSHOT_LAYOUT);
    } else {
        snprintf(path, sizeof path, "%s/%s", met__store_path(store), name);
    }
    assert_int_equal(stat(path, &status), 0);
    if (size < status.st_size) {
        assert_int_equal(truncate(path, size), 0);
    }
}

static void serve_one(void)
{
    uint32_t status = serve("/anything", "ariel-key");

    if (status != 200) {
        fail_msg("%u %s, failure %u", status, decision.reason_name,
                 decision.failure);
    }
    assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_NONE);
    served++;
}

static void must_have(const char *allowance)
{
    handle_faults();
    served = 0;
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", allowance, "false");
}

static const struct {
    const char *name;
    uint32_t failure;
} files[] = {{"limits-3.map", MET_GATEWAY_FAILURE_LIMITER},
             {"quota-2.map", MET_GATEWAY_FAILURE_QUOTA},
             {"snapshot", MET_GATEWAY_FAILURE_SNAPSHOT},
             /* behind it: the same snapshot is compiled once more */
             {"current", MET_GATEWAY_FAILURE_SNAPSHOT}};

static void test_mend__every_file(void **state)
{
    static const off_t sizes[] = {0, 2048, 4096, 4096 + 2048, 8192};
    uint64_t failures = 0;

    must_have("90");
    must_open_gateway(0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            clock_now_ns += 2 * MET__MINUTE_NS;
            assert_int_equal(met_gateway_tick(gateway), MET_OK);
            serve_one();
            serve_one();
            cut(files[i].name, sizes[k]);
            uint32_t status = serve("/anything", "ariel-key");
            served += status == 200;
            failures += status == 503;
            /* The rest of a page that is cut in two is zeros to everybody,
             * and no signal tells of it: the tick does. */
            assert_true(status == 503 ? decision.failure == files[i].failure
                                      : status == 200 || sizes[k] % 4096 != 0);
            met_error error = met_gateway_tick(gateway);
            if (error != MET_E_CORRUPT
                && (error != MET_OK || sizes[k] <= 4096)) {
                fail_msg("%s cut to %d: %s", files[i].name, (int)sizes[k],
                         met_error_name(error));
            }
            serve_one();
        }
    }
    assert_true(failures >= 8);
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    while (served < ALLOWANCE) {
        clock_now_ns += MET__MINUTE_NS;
        serve_one();
    }
    clock_now_ns += MET__MINUTE_NS;
    assert_int_equal(admit("/anything", "ariel-key"), 429);
    assert_int_equal(decision.reason, MET_GATEWAY_REASON_USAGE_LIMIT_REACHED);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), ALLOWANCE);
}

/* Who lets requests pass when something fails does so here, and counts it. */
static void test_mend__fail_open(void **state)
{
    met_gateway_config config = {.struct_size = sizeof config,
                                 .fail_policy = MET_GATEWAY_FAIL_OPEN};

    must_have("90");
    fresh();
    assert_ok(met_gateway_open(store, &config, &gateway, &told));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        clock_now_ns += 2 * MET__MINUTE_NS;
        assert_int_equal(met_gateway_tick(gateway), MET_OK);
        serve_one();
        cut(files[i].name, 0);
        met_gateway_request request = request_of("/anything", "ariel-key");
        request.query = "page=2";
        request.query_size = 6;
        assert_int_equal(met_gateway_admit(gateway, &request, &decision),
                         MET_OK);
        assert_int_equal(decision.status, 200);
        assert_int_equal(complete(200), MET_OK);
        assert_int_equal(decision.failure, files[i].failure);
        assert_int_equal(gateway->counters.failures[files[i].failure] > 0, 1);
        assert_string_equal(decision.upstream_query, "page=2");
        assert_non_null(strstr(decision.drop_headers, "X-Consumer-ID"));
        assert_int_equal(met_gateway_tick(gateway), MET_E_CORRUPT);
        serve_one();
    }
}

/* A reservation of the table that is gone touches nothing of the new one. */
static void test_mend__requests_under_way(void **state)
{
    met_gateway_decision under_way;

    must_have("4");
    must_open_gateway(0);
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    under_way = decision;
    serve_one();
    cut("quota-2.map", 0);
    assert_int_equal(met_gateway_tick(gateway), MET_E_CORRUPT);
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    assert_int_equal(complete(200), MET_OK);
    decision.ticket = under_way.ticket;
    assert_int_equal(complete(200), MET_OK);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 3);
    clock_now_ns += MET__MINUTE_NS;
    cut("quota-2.map", 0);
    assert_int_equal(met_gateway_tick(gateway), MET_E_CORRUPT);
    served = 3;
    serve_one();
    assert_int_equal(admit("/anything", "ariel-key"), 429);
}

/* Two gateways on one store: both come to the same new files. */
static void test_mend__two_gateways(void **state)
{
    met_gateway *first;
    met_gateway *second;

    must_have("1000");
    must_open_gateway(0);
    first = gateway;
    must_open_gateway(0);
    second = gateway;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        clock_now_ns += 2 * MET__MINUTE_NS;
        assert_int_equal(met_gateway_tick(first), MET_OK);
        assert_int_equal(met_gateway_tick(second), MET_OK);
        serve_one();
        cut(files[i].name, 2048);
        assert_int_equal(met_gateway_tick(first), MET_E_CORRUPT);
        gateway = first;
        serve_one();
        gateway = second;
        assert_int_equal(met_gateway_tick(second), MET_E_CORRUPT);
        clock_now_ns += 2 * MET__MINUTE_NS;
        assert_int_equal(met_gateway_tick(first), MET_OK);
        for (int k = 0; k < 5; k++) { /* five a minute, of both together */
            gateway = k % 2 ? first : second;
            serve_one();
        }
        for (int k = 0; k < 2; k++) {
            gateway = k % 2 ? first : second;
            assert_int_equal(admit("/anything", "ariel-key"), 429);
        }
    }
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"),
                     (uint64_t)served);
    met_gateway_close(first);
    gateway = second;
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_mend__every_file),
        TEST(test_mend__fail_open),
        TEST(test_mend__requests_under_way),
        TEST(test_mend__two_gateways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

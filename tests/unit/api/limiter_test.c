/* limiter.h with wrong arguments: every one is refused by its field, and
 * nothing is written. Structs of other versions' sizes. */
#include "../limit/limit_support.h"

static void *memory;
static met_limiter *limiter;
static uint32_t policy_number;

static int setup(void **state)
{
    memory = shared_memory(TABLE_BYTES(100));
    limiter = open_memory(memory, TABLE_BYTES(100), 100, 0);
    policy_number = one_window(limiter, "p", 3, MINUTE, 0);
    return 0;
}

static int teardown(void **state)
{
    met_limiter_close(limiter);
    munmap(memory, TABLE_BYTES(100));
    return 0;
}

static void refuses_open(const met_limiter_config *config, met_error expected,
                         const char *field)
{
    met_limiter *out = (met_limiter *)(void *)memory;
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met_limiter_open(config, &out, &info), expected);
    assert_string_equal(info.field, field);
    assert_ptr_equal(out, memory);
}

static void open_checks_its_config(void **state)
{
    char longest[5000];
    met_limiter_config good = {.struct_size = sizeof good, .path = "x"};
    met_limiter_config config = good;
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met_limiter_open(&good, NULL, &info), MET_E_INVALID);
    refuses_open(NULL, MET_E_INVALID, "config");
    config.struct_size = 3;
    refuses_open(&config, MET_E_INVALID, "config");
    config = good;
    config.path = "";
    refuses_open(&config, MET_E_INVALID, "config.path");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    config.path = longest;
    refuses_open(&config, MET_E_INVALID, "config.path");
    config = (met_limiter_config){.struct_size = sizeof config};
    refuses_open(&config, MET_E_INVALID, "config.path");
    config.memory_size = 100;
    refuses_open(&config, MET_E_INVALID, "config.memory");
    config = good;
    config.full_policy = 3;
    refuses_open(&config, MET_E_UNSUPPORTED, "config.full_policy");
    config = good;
    config.clock = 3;
    refuses_open(&config, MET_E_UNSUPPORTED, "config.clock");
    config = good;
    config.capacity = UINT64_C(1) << 40;
    refuses_open(&config, MET_E_INVALID, "config.capacity");
}

static void refuses_policy(const met_limiter_policy *policy,
                           met_error expected, const char *field)
{
    uint32_t number = 12345;
    met_error_info info = {.struct_size = sizeof info};
    met_limiter_stats before = {.struct_size = sizeof before};
    met_limiter_stats after = {.struct_size = sizeof after};

    assert_int_equal(met_limiter_stats_get(limiter, &before), MET_OK);
    assert_int_equal(met_limiter_policy_set(limiter, policy, &number, &info),
                     expected);
    assert_string_equal(info.field, field);
    assert_true(info.reason[0] != '\0');
    assert_int_equal(number, 12345);
    assert_int_equal(met_limiter_stats_get(limiter, &after), MET_OK);
    assert_int_equal(after.policies, before.policies);
    assert_int_equal(after.shapes, before.shapes);
}

/* The reason has what the field alone does not say: which algorithm, which
 * limit and which length do not go together. */
static void policy_says_what_is_not_served(void **state)
{
    met_limiter_window window = {.limit = 5,
                                 .window_ns = 61 * SECOND,
                                 .algorithm = MET_LIMITER_CALENDAR_UTC};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "new",
                                 .name_size = 3,
                                 .windows = &window,
                                 .window_count = 1};
    met_error_info info = {.struct_size = sizeof info};
    uint32_t number;

    assert_int_equal(met_limiter_policy_set(limiter, &policy, &number, &info),
                     MET_E_UNSUPPORTED);
    assert_string_equal(info.reason, "algorithm 4 does not serve limit 5 in "
                                     "61000000000 ns");
}

static void policy_checks_its_fields(void **state)
{
    met_limiter_window windows[8] = {{.limit = 5, .window_ns = MINUTE}};
    met_limiter_policy good = {.struct_size = sizeof good,
                               .name = "new",
                               .name_size = 3,
                               .windows = windows,
                               .window_count = 1};
    met_limiter_policy policy = good;
    uint32_t number;
    char name[200] = {0};

    assert_int_equal(met_limiter_policy_set(NULL, &good, &number, NULL),
                     MET_E_INVALID);
    assert_int_equal(met_limiter_policy_set(limiter, &good, NULL, NULL),
                     MET_E_INVALID);
    refuses_policy(NULL, MET_E_INVALID, "policy");
    policy.name = NULL;
    refuses_policy(&policy, MET_E_INVALID, "policy.name");
    policy = good;
    policy.name_size = 0;
    refuses_policy(&policy, MET_E_INVALID, "policy.name");
    policy.name = name;
    policy.name_size = 129;
    refuses_policy(&policy, MET_E_INVALID, "policy.name");
    policy = good;
    policy.windows = NULL;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows");
    policy = good;
    policy.window_count = 0;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows");
    policy.window_count = 7;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows");
    policy = good;
    policy.flags = MET_LIMITER_WARN_ONLY << 1;
    refuses_policy(&policy, MET_E_UNSUPPORTED, "policy.flags");
    policy = good;
    policy.reserved = 1;
    refuses_policy(&policy, MET_E_UNSUPPORTED, "policy.reserved");
    policy = good;
    windows[0].limit = 0;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[0].limit");
    windows[0].limit = MET_LIMITER_LIMIT_MAX + 1;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[0].limit");
    windows[0].limit = UINT64_MAX;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[0].limit");
    windows[0].limit = 5;
    windows[0].window_ns = 0;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[0].window_ns");
    windows[0].window_ns = INT64_MIN;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[0].window_ns");
    windows[0].window_ns = MET_LIMITER_WINDOW_NS_MAX + 1;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[0].window_ns");
    windows[0].window_ns = MINUTE;
    windows[0].algorithm = 99;
    refuses_policy(&policy, MET_E_UNSUPPORTED, "policy.windows[0]");
    windows[0].algorithm = 0;
    windows[0].reserved = 1;
    refuses_policy(&policy, MET_E_UNSUPPORTED, "policy.windows[0].reserved");
    windows[0].reserved = 0;
    windows[1] = windows[0];
    windows[1].algorithm = MET_LIMITER_SLIDING;
    policy.window_count = 2;
    refuses_policy(&policy, MET_E_INVALID, "policy.windows[1]");
    windows[1].window_ns = HOUR;
    windows[1].reserved_more[1] = 1;
    refuses_policy(&policy, MET_E_UNSUPPORTED, "policy.windows[1].reserved");
}

static void refuses_request(const met_limiter_request *request,
                            met_error expected)
{
    met_limiter_result result;
    met_limiter_result before;

    memset(&result, 0x5a, sizeof result);
    result.struct_size = sizeof result;
    before = result;
    assert_int_equal(met_limiter_check(limiter, request, &result), expected);
    assert_memory_equal(&result, &before, sizeof result);
    assert_int_equal(met_limiter_peek(limiter, request, &result), expected);
    assert_memory_equal(&result, &before, sizeof result);
}

static void check_checks_its_request(void **state)
{
    met_limiter_request good = request_for(policy_number, "a", HOUR);
    met_limiter_request request = good;
    met_limiter_result result = {.struct_size = sizeof result};

    assert_int_equal(met_limiter_check(NULL, &good, &result), MET_E_INVALID);
    assert_int_equal(met_limiter_check(limiter, &good, NULL), MET_E_INVALID);
    refuses_request(NULL, MET_E_INVALID);
    result.struct_size = 0;
    assert_int_equal(met_limiter_check(limiter, &good, &result),
                     MET_E_INVALID);
    result.struct_size = SIZE_MAX;
    assert_int_equal(met_limiter_peek(limiter, &good, &result),
                     MET_E_INVALID);
    request.struct_size = 0;
    refuses_request(&request, MET_E_INVALID);
    request = good;
    request.key = NULL;
    refuses_request(&request, MET_E_INVALID);
    request = good;
    request.cost = MET_LIMITER_LIMIT_MAX + 1;
    refuses_request(&request, MET_E_INVALID);
    request.cost = UINT64_MAX;
    refuses_request(&request, MET_E_INVALID);
    request = good;
    request.monotonic_ns = -1;
    refuses_request(&request, MET_E_INVALID);
    request = good;
    request.utc_ns = INT64_MIN;
    refuses_request(&request, MET_E_INVALID);
    request = good;
    request.flags = 0x80;
    refuses_request(&request, MET_E_UNSUPPORTED);
    request = good;
    request.reserved = 1;
    refuses_request(&request, MET_E_UNSUPPORTED);
    request = good;
    request.policy = 77;
    refuses_request(&request, MET_E_NOT_FOUND);
    request.policy = UINT32_MAX;
    refuses_request(&request, MET_E_NOT_FOUND);
    /* None of them counted anything. */
    assert_int_equal(check(limiter, policy_number, "a", HOUR)
                         .windows[0].remaining, 2);
}

/* A caller built with an earlier or a later header. */
static void other_sizes_of_structs(void **state)
{
    struct {
        met_limiter_request request;
        uint64_t more;
    } later = {.request = request_for(policy_number, "later", HOUR)};
    met_limiter_request earlier = request_for(policy_number, "earlier", 0);
    union {
        met_limiter_result result;
        unsigned char bytes[sizeof(met_limiter_result) + 64];
    } out;

    later.request.struct_size = sizeof later;
    memset(&out, 0x5a, sizeof out);
    out.result.struct_size = sizeof out;
    assert_int_equal(met_limiter_check(limiter, &later.request, &out.result),
                     MET_OK);
    assert_int_equal(out.result.is_allowed, 1);
    later.more = 1; /* a wish that this version cannot read */
    assert_int_not_equal(
        met_limiter_check(limiter, &later.request, &out.result), MET_OK);
    /* Up to the key: cost, times and flags are what zero means. */
    earlier.struct_size = offsetof(met_limiter_request, cost);
    earlier.cost = UINT64_MAX;
    memset(&out, 0x5a, sizeof out);
    out.result.struct_size = offsetof(met_limiter_result, windows);
    assert_int_equal(met_limiter_check(limiter, &earlier, &out.result),
                     MET_OK);
    assert_int_equal(out.result.is_allowed, 1);
    for (size_t at = offsetof(met_limiter_result, windows); at < sizeof out;
         at++) {
        assert_int_equal(out.bytes[at], 0x5a);
    }
}

static met_error headers_of(const met_limiter_result *result, char *text)
{
    return met_limiter_headers_write(result, NULL, text,
                                     MET_LIMITER_HEADERS_SIZE, NULL, NULL);
}

static void stats_and_headers_check_theirs(void **state)
{
    met_limiter_stats stats = {.struct_size = 0};
    met_limiter_result result = check(limiter, policy_number, "a", HOUR);
    char text[MET_LIMITER_HEADERS_SIZE];

    assert_int_equal(met_limiter_stats_get(limiter, &stats), MET_E_INVALID);
    assert_int_equal(met_limiter_stats_get(NULL, &stats), MET_E_INVALID);
    assert_int_equal(met_limiter_stats_get(limiter, NULL), MET_E_INVALID);
    assert_int_equal(headers_of(NULL, text), MET_E_INVALID);
    assert_int_equal(headers_of(&result, NULL), MET_E_INVALID);
    result.window_count = 7;
    assert_int_equal(headers_of(&result, text), MET_E_INVALID);
    result.window_count = 0;
    assert_int_equal(headers_of(&result, text), MET_E_INVALID);
    result.window_count = 1;
    result.reported = 1;
    assert_int_equal(headers_of(&result, text), MET_E_INVALID);
    result.reported = 0;
    result.struct_size = 8;
    assert_int_equal(headers_of(&result, text), MET_E_INVALID);
    met_limiter_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open_checks_its_config),
        TEST(policy_checks_its_fields),
        TEST(policy_says_what_is_not_served),
        TEST(check_checks_its_request),
        TEST(other_sizes_of_structs),
        TEST(stats_and_headers_check_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Header lines: names, whole seconds rounded up, the reported window, room. */
#include "limit_support.h"

static met_error kong_headers(const met_limiter_result *result, char *text,
                              size_t room, size_t *size)
{
    return met_limiter_headers_write(result, NULL, text, room, size, NULL);
}

static void same_text(const met_limiter_result *result, const char *expected)
{
    char text[MET_LIMITER_HEADERS_SIZE];
    size_t size = 0;

    assert_int_equal(kong_headers(result, text, sizeof text, &size),
                     MET_OK);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void allowed(void **state)
{
    met_limiter_result result = result_of();

    same_text(&result, "X-RateLimit-Limit-Minute: 5\r\n"
                       "X-RateLimit-Remaining-Minute: 4\r\n"
                       "X-RateLimit-Limit-Hour: 1000\r\n"
                       "X-RateLimit-Remaining-Hour: 999\r\n"
                       "RateLimit-Limit: 5\r\n"
                       "RateLimit-Remaining: 4\r\n"
                       "RateLimit-Reset: 50\r\n");
}

static void refused_says_when_to_come_back(void **state)
{
    met_limiter_result result = result_of();

    result.is_allowed = 0;
    result.reason = MET_LIMITER_REASON_LIMIT;
    result.window_count = 1;
    result.windows[0].remaining = 0;
    result.wait_ns = 12 * SECOND + 1; /* never a moment too early */
    same_text(&result, "X-RateLimit-Limit-Minute: 5\r\n"
                       "X-RateLimit-Remaining-Minute: 0\r\n"
                       "RateLimit-Limit: 5\r\n"
                       "RateLimit-Remaining: 0\r\n"
                       "RateLimit-Reset: 13\r\n"
                       "Retry-After: 13\r\n");
    result.wait_ns = 1;
    result.windows[0].window_ns = SECOND;
    same_text(&result, "X-RateLimit-Limit-Second: 5\r\n"
                       "X-RateLimit-Remaining-Second: 0\r\n"
                       "RateLimit-Limit: 5\r\n"
                       "RateLimit-Remaining: 0\r\n"
                       "RateLimit-Reset: 1\r\n"
                       "Retry-After: 1\r\n");
    /* Waiting is no use: no Retry-After. */
    result.wait_ns = -1;
    result.reason = MET_LIMITER_REASON_NEVER;
    char text[MET_LIMITER_HEADERS_SIZE];
    assert_int_equal(kong_headers(&result, text, sizeof text, NULL),
                     MET_OK);
    assert_null(strstr(text, "Retry-After"));
}

/* A hit is kept a tick longer than its window, so that never more than the
 * limit is let through; no client need be told of the tick. A refusal's wait
 * is exact: whoever comes earlier is refused again. */
static void reset_is_at_most_the_window(void **state)
{
    static const uint32_t limits[] = {1, 5, 12, 20, 100, 5000};
    char text[MET_LIMITER_HEADERS_SIZE];
    int is_longer = 0;
    size_t size = TABLE_BYTES(100);
    void *memory = shared_memory(size);
    met_limiter *limiter = open_memory(memory, size, 100, 0);

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", (unsigned)limits[i]);
        met_limiter_result result =
            check(limiter,
                  one_window(limiter, name, limits[i], MINUTE,
                             MET_LIMITER_SLIDING),
                  "a", HOUR + 1);
        assert_true(result.is_allowed);
        is_longer |= result.windows[0].reset_ns > MINUTE;
        assert_int_equal(kong_headers(&result, text, sizeof text,
                                             NULL),
                         MET_OK);
        assert_non_null(strstr(text, "RateLimit-Reset: 60\r\n"));
    }
    assert_true(is_longer);
    met_limiter_close(limiter);
    munmap(memory, size);
    /* Of a calendar the month is as long as it is. */
    met_limiter_result result = result_of();
    result.window_count = 1;
    result.windows[0].window_ns = 30 * 24 * HOUR;
    result.windows[0].reset_ns = 31 * 24 * HOUR;
    result.windows[0].algorithm = MET_LIMITER_CALENDAR_UTC;
    assert_int_equal(kong_headers(&result, text, sizeof text, NULL),
                     MET_OK);
    assert_non_null(strstr(text, "RateLimit-Reset: 2678400\r\n"));
    result.is_allowed = 0;
    result.wait_ns = MINUTE + 1;
    result.windows[0].algorithm = MET_LIMITER_SLIDING;
    result.windows[0].window_ns = MINUTE;
    assert_int_equal(kong_headers(&result, text, sizeof text, NULL),
                     MET_OK);
    assert_non_null(strstr(text, "RateLimit-Reset: 61\r\nRetry-After: 61"));
}

static void names_of_lengths(void **state)
{
    static const struct {
        int64_t window_ns;
        const char *line;
    } cases[] = {
        {SECOND, "X-RateLimit-Limit-Second: 5\r\n"},
        {24 * HOUR, "X-RateLimit-Limit-Day: 5\r\n"},
        {720 * HOUR, "X-RateLimit-Limit-Month: 5\r\n"},
        {YEAR, "X-RateLimit-Limit-Year: 5\r\n"},
        {30 * SECOND, "X-RateLimit-Limit-30: 5\r\n"},
        {SECOND / 2, "X-RateLimit-Limit-0.5: 5\r\n"},
        {1000000, "X-RateLimit-Limit-0.001: 5\r\n"},
        {10 * SECOND + 1, "X-RateLimit-Limit-10.000000001: 5\r\n"},
    };
    met_limiter_result result = result_of();
    char text[MET_LIMITER_HEADERS_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        result.windows[0].window_ns = cases[i].window_ns;
        assert_int_equal(kong_headers(&result, text, sizeof text,
                                             NULL), MET_OK);
        assert_ptr_equal(strstr(text, cases[i].line), text);
    }
}

/* Every size from nothing to enough; never a byte beyond. */
static void room_is_kept(void **state)
{
    met_limiter_result result = result_of();
    char whole[MET_LIMITER_HEADERS_SIZE];
    char text[MET_LIMITER_HEADERS_SIZE];
    size_t size = 0;

    result.window_count = MET_LIMITER_WINDOWS_MAX;
    for (int i = 0; i < MET_LIMITER_WINDOWS_MAX; i++) {
        result.windows[i] = (met_limiter_window_result){
            .limit = MET_LIMITER_LIMIT_MAX,
            .remaining = MET_LIMITER_LIMIT_MAX,
            .window_ns = MET_LIMITER_WINDOW_NS_MAX - i - 1,
            .reset_ns = INT64_MAX};
    }
    result.is_allowed = 0;
    result.wait_ns = INT64_MAX;
    assert_int_equal(kong_headers(&result, whole, sizeof whole, &size),
                     MET_OK);
    for (size_t room = 0; room <= size; room++) {
        memset(text, 'x', sizeof text);
        assert_int_equal(kong_headers(&result, text, room, NULL),
                         MET_E_LIMIT);
        assert_int_equal(text[0], 'x');
    }
    memset(text, 'x', sizeof text);
    assert_int_equal(kong_headers(&result, text, size + 1, NULL),
                     MET_OK);
    assert_string_equal(text, whole);
    assert_int_equal(text[size + 1], 'x');
}

/* The client who comes back at Retry-After is admitted. */
static void retry_after_is_true(void **state)
{
    size_t size = TABLE_BYTES(100);
    void *memory = shared_memory(size);
    met_limiter *limiter = open_memory(memory, size, 100, 0);
    window_spec specs[] = {{3, 7 * SECOND, MET_LIMITER_SLIDING},
                           {7, MINUTE, MET_LIMITER_SLIDING_COUNTER}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    char text[MET_LIMITER_HEADERS_SIZE];
    int64_t now = HOUR;
    int refused = 0;

    for (int i = 0; i < 2000; i++) {
        now += (int64_t)random_below(SECOND);
        met_limiter_result result = check(limiter, policy, "a", now);
        assert_int_equal(kong_headers(&result, text, sizeof text,
                                             NULL), MET_OK);
        const char *line = strstr(text, "Retry-After: ");
        assert_int_equal(line != NULL, !result.is_allowed);
        if (line != NULL) {
            int64_t later = now + atoll(line + 13) * SECOND;
            assert_int_equal(peek_cost(limiter, policy, "a", later, 1)
                                 .is_allowed, 1);
            refused++;
        }
    }
    assert_true(refused > 100);
    met_limiter_close(limiter);
    munmap(memory, size);
}

static uint64_t retry_after(const met_limiter_result *result,
                            const met_limiter_headers_options *options)
{
    char text[MET_LIMITER_HEADERS_SIZE];

    assert_int_equal(met_limiter_headers_write(result, options, text,
                                               sizeof text, NULL, NULL),
                     MET_OK);
    assert_non_null(strstr(text, "RateLimit-Reset: 13\r\n"));
    return strtoull(strstr(text, "Retry-After: ") + 13, NULL, 10);
}

/* Every second from the exact one to the most comes, about as often, and the
 * same seed gives the same. */
static void jitter_spreads_evenly(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = {.struct_size = sizeof options,
                                           .jitter_max_s = 9};
    int seen[10] = {0};

    result.is_allowed = 0;
    result.wait_ns = 12 * SECOND + 1;
    for (uint64_t seed = 0; seed < 10000; seed++) {
        options.jitter_seed = seed;
        uint64_t got = retry_after(&result, &options);
        assert_in_range(got, 13, 22);
        assert_int_equal(retry_after(&result, &options), got);
        seen[got - 13]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
    options.jitter_max_s = 0;
    assert_int_equal(retry_after(&result, &options), 13);
    assert_int_equal(retry_after(&result, NULL), 13);
}

static void styles(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = {.struct_size = sizeof options};
    char text[MET_LIMITER_HEADERS_SIZE];
    char kong[MET_LIMITER_HEADERS_SIZE];

    assert_int_equal(kong_headers(&result, kong, sizeof kong, NULL),
                     MET_OK);
    for (uint32_t bits = 0; bits < 8; bits++) {
        options.styles = bits;
        assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                                   sizeof text, NULL, NULL),
                         MET_OK);
        uint32_t shown = bits ? bits : MET_LIMITER_HEADERS_KONG;
        assert_int_equal(strstr(text, "X-RateLimit-Limit-Minute: 5") != NULL,
                         (shown & MET_LIMITER_HEADERS_WINDOWS) != 0);
        assert_int_equal(strstr(text, "\nRateLimit-Remaining: 4") != NULL
                             || strncmp(text, "RateLimit-Limit", 15) == 0,
                         (shown & MET_LIMITER_HEADERS_REPORTED) != 0);
        assert_int_equal(strstr(text, "RateLimit-Policy: \"") != NULL,
                         (shown & MET_LIMITER_HEADERS_IETF) != 0);
        if (shown == MET_LIMITER_HEADERS_KONG) {
            assert_string_equal(text, kong);
        }
    }
}

static void bad_options(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = {.struct_size = sizeof options,
                                           .styles = 8};
    met_error_info info = {.struct_size = sizeof info};
    char text[MET_LIMITER_HEADERS_SIZE];

    assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                               sizeof text, NULL, &info),
                     MET_E_UNSUPPORTED);
    assert_string_equal(info.field, "options.styles");
    options.styles = 0;
    options.partition_key_size = 1;
    assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                               sizeof text, NULL, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "options.partition_key");
    options.partition_key = text;
    options.partition_key_size = MET_LIMITER_PARTITION_KEY_SIZE_MAX + 1;
    assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                               sizeof text, NULL, &info),
                     MET_E_INVALID);
    result.window_count = 0;
    assert_int_equal(met_limiter_headers_write(&result, NULL, text,
                                               sizeof text, NULL, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "result");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed),
        cmocka_unit_test(refused_says_when_to_come_back),
        cmocka_unit_test(reset_is_at_most_the_window),
        cmocka_unit_test(names_of_lengths),
        cmocka_unit_test(room_is_kept),
        cmocka_unit_test(retry_after_is_true),
        cmocka_unit_test(jitter_spreads_evenly),
        cmocka_unit_test(styles),
        cmocka_unit_test(bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

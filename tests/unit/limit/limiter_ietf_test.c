/* Structured fields RateLimit-Policy and RateLimit: names, whole seconds,
 * partition keys, room. */
#include "limit_support.h"

static met_limiter_headers_options options_of(void)
{
    return (met_limiter_headers_options){
        .struct_size = sizeof(met_limiter_headers_options),
        .styles = MET_LIMITER_HEADERS_IETF};
}

static void same_text(const met_limiter_result *result,
                      const met_limiter_headers_options *options,
                      const char *expected)
{
    char text[MET_LIMITER_HEADERS_SIZE];
    size_t size = 0;

    assert_int_equal(met_limiter_headers_write(result, options, text,
                                               sizeof text, &size, NULL),
                     MET_OK);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void allowed(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = options_of();

    same_text(&result, &options,
              "RateLimit-Policy: \"minute\";q=5;w=60, "
              "\"hour\";q=1000;w=3600\r\n"
              "RateLimit: \"minute\";r=4;t=50, \"hour\";r=999;t=3590\r\n");
    /* Nothing counted yet: there is no moment to tell. */
    result.window_count = 1;
    result.windows[0].reset_ns = 0;
    result.windows[0].remaining = 5;
    same_text(&result, &options,
              "RateLimit-Policy: \"minute\";q=5;w=60\r\n"
              "RateLimit: \"minute\";r=5\r\n");
}

/* t of the window that refuses is its wait, and Retry-After is not before. */
static void refused(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = options_of();

    result.is_allowed = 0;
    result.refused = 1;
    result.wait_ns = 12 * SECOND + 1;
    result.windows[0].remaining = 0;
    result.windows[0].is_refusing = 1;
    result.windows[0].reset_ns = 2 * SECOND;
    result.windows[0].wait_ns = 12 * SECOND + 1;
    same_text(&result, &options,
              "RateLimit-Policy: \"minute\";q=5;w=60, "
              "\"hour\";q=1000;w=3600\r\n"
              "RateLimit: \"minute\";r=0;t=13, \"hour\";r=999;t=3590\r\n"
              "Retry-After: 13\r\n");
    result.wait_ns = -1;
    result.windows[0].wait_ns = -1;
    same_text(&result, &options,
              "RateLimit-Policy: \"minute\";q=5;w=60, "
              "\"hour\";q=1000;w=3600\r\n"
              "RateLimit: \"minute\";r=0;t=2, \"hour\";r=999;t=3590\r\n");
}

static void names_of_lengths(void **state)
{
    static const struct {
        int64_t window_ns;
        const char *begin;
    } cases[] = {
        {SECOND, "RateLimit-Policy: \"second\";q=5;w=1\r\n"},
        {24 * HOUR, "RateLimit-Policy: \"day\";q=5;w=86400\r\n"},
        {720 * HOUR, "RateLimit-Policy: \"month\";q=5;w=2592000\r\n"},
        {YEAR, "RateLimit-Policy: \"year\";q=5;w=31536000\r\n"},
        {30 * SECOND, "RateLimit-Policy: \"30s\";q=5;w=30\r\n"},
        {SECOND / 2, "RateLimit-Policy: \"0.5s\";q=5\r\n"},
        {SECOND * 3 / 2, "RateLimit-Policy: \"1.5s\";q=5\r\n"},
    };
    met_limiter_result result = result_of();
    met_limiter_headers_options options = options_of();
    char text[MET_LIMITER_HEADERS_SIZE];

    result.window_count = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        result.windows[0].window_ns = cases[i].window_ns;
        assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                                   sizeof text, NULL, NULL),
                         MET_OK);
        assert_ptr_equal(strstr(text, cases[i].begin), text);
    }
    /* Two windows of one length have two names. */
    result.window_count = 3;
    result.windows[0].window_ns = MINUTE;
    result.windows[1].window_ns = MINUTE;
    result.windows[2].window_ns = MINUTE;
    assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                               sizeof text, NULL, NULL),
                     MET_OK);
    assert_non_null(strstr(text, "\"minute\";q="));
    assert_non_null(strstr(text, "\"minute-2\";q="));
    assert_non_null(strstr(text, "\"minute-3\";r="));
}

static void requests_in_flight(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = options_of();

    result.windows[0].algorithm = MET_LIMITER_IN_FLIGHT;
    same_text(&result, &options,
              "RateLimit-Policy: \"in-flight\";q=5;qu="
              "\"concurrent-requests\", \"hour\";q=1000;w=3600\r\n"
              "RateLimit: \"in-flight\";r=4;t=50, "
              "\"hour\";r=999;t=3590\r\n");
    /* Every window has a name of its own, whatever their leases are. */
    result.windows[1].algorithm = MET_LIMITER_IN_FLIGHT;
    same_text(&result, &options,
              "RateLimit-Policy: \"in-flight\";q=5;qu="
              "\"concurrent-requests\", \"in-flight-2\";q=1000;qu="
              "\"concurrent-requests\"\r\n"
              "RateLimit: \"in-flight\";r=4;t=50, "
              "\"in-flight-2\";r=999;t=3590\r\n");
    result.windows[1].algorithm = MET_LIMITER_SLIDING;
    options.styles = MET_LIMITER_HEADERS_WINDOWS;
    same_text(&result, &options, "X-RateLimit-Limit-Hour: 1000\r\n"
                                 "X-RateLimit-Remaining-Hour: 999\r\n");
}

static void partition_keys_are_byte_sequences(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        /* RFC 4648 section 10 */
        {"f", 1, "Zg=="},     {"fo", 2, "Zm8="},     {"foo", 3, "Zm9v"},
        {"foob", 4, "Zm9vYg=="}, {"fooba", 5, "Zm9vYmE="},
        {"foobar", 6, "Zm9vYmFy"}, {"\xfb\xff\xbf\0", 4, "+/+/AA=="},
    };
    met_limiter_result result = result_of();
    met_limiter_headers_options options = options_of();

    result.window_count = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        options.partition_key = cases[i].bytes;
        options.partition_key_size = cases[i].size;
        snprintf(expected, sizeof expected,
                 "RateLimit-Policy: \"minute\";q=5;w=60;pk=:%s:\r\n"
                 "RateLimit: \"minute\";r=4;t=50;pk=:%s:\r\n",
                 cases[i].text, cases[i].text);
        same_text(&result, &options, expected);
    }
}

/* The longest there can be, in all styles at once, has room. */
static void room_is_enough(void **state)
{
    met_limiter_result result = result_of();
    met_limiter_headers_options options = options_of();
    char whole[MET_LIMITER_HEADERS_SIZE];
    char text[MET_LIMITER_HEADERS_SIZE];
    char partition[MET_LIMITER_PARTITION_KEY_SIZE_MAX];
    size_t size = 0;

    memset(partition, 'p', sizeof partition);
    options.styles = MET_LIMITER_HEADERS_KONG | MET_LIMITER_HEADERS_IETF;
    options.partition_key = partition;
    options.partition_key_size = sizeof partition;
    options.jitter_max_s = UINT32_MAX;
    result.window_count = MET_LIMITER_WINDOWS_MAX;
    for (int i = 0; i < MET_LIMITER_WINDOWS_MAX; i++) {
        result.windows[i] = (met_limiter_window_result){
            .limit = MET_LIMITER_LIMIT_MAX,
            .remaining = MET_LIMITER_LIMIT_MAX,
            .window_ns = MET_LIMITER_WINDOW_NS_MAX - 1,
            .is_refusing = 1,
            .wait_ns = INT64_MAX,
            .reset_ns = INT64_MAX};
    }
    result.is_allowed = 0;
    result.wait_ns = INT64_MAX;
    assert_int_equal(met_limiter_headers_write(&result, &options, whole,
                                               sizeof whole, &size, NULL),
                     MET_OK);
    for (size_t room = 0; room <= size; room += 1 + room / 64) {
        memset(text, 'x', sizeof text);
        assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                                   room, NULL, NULL),
                         MET_E_LIMIT);
        assert_int_equal(text[0], 'x');
    }
    memset(text, 'x', sizeof text);
    assert_int_equal(met_limiter_headers_write(&result, &options, text,
                                               size + 1, NULL, NULL),
                     MET_OK);
    assert_string_equal(text, whole);
    assert_int_equal(text[size + 1], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed),
        cmocka_unit_test(refused),
        cmocka_unit_test(names_of_lengths),
        cmocka_unit_test(requests_in_flight),
        cmocka_unit_test(partition_keys_are_byte_sequences),
        cmocka_unit_test(room_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

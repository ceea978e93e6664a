/* Metrics as text: every line is one that a scraper reads, counters rise, and
 * nothing in them names a consumer. promtool, where it is, has the last word.
 */
#include "support/gateway_calls.h"

#include "metering/limiter.h"
#include "metering/stats.h"

#define MAP_BYTES (1u << 20)

static char text[65536];

static met_error write_text(met_stats_sources sources)
{
    met_buffer *out = fresh();
    met_error error;

    sources.struct_size = sizeof sources;
    error = met_stats_write(&sources, out, &told);
    text[0] = '\0';
    if (error == MET_OK) {
        assert_true(out->size < sizeof text);
        memcpy(text, out->data, out->size + 1);
        met_buffer_release(out);
    }
    return error;
}

static void assert_line(const char *line)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (strstr(text, wanted) == NULL) {
        fail_msg("no line \"%s\" in:\n%s", line, text);
    }
}

static int is_name(const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!(from[i] >= 'a' && from[i] <= 'z') && from[i] != '_') {
            return 0;
        }
    }
    return size > 0;
}

/* Families in a row: HELP, TYPE, samples of that name; # EOF ends it. */
static void assert_open_metrics(void)
{
    char name[128] = "";
    char *rest = NULL;
    int is_ended = 0;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t size;
        assert_false(is_ended);
        if (strcmp(line, "# EOF") == 0) {
            is_ended = 1;
        } else if (strncmp(line, "# HELP ", 7) == 0) {
            size = strcspn(line + 7, " ");
            assert_true(is_name(line + 7, size) && size < sizeof name);
            memcpy(name, line + 7, size);
            name[size] = '\0';
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            size = strlen(name);
            assert_memory_equal(line + 7, name, size);
            assert_true(strcmp(line + 7 + size, " gauge") == 0
                        || strcmp(line + 7 + size, " counter") == 0);
        } else {
            size = strcspn(line, "{ ");
            assert_true(strncmp(line, name, strlen(name)) == 0
                        && (size == strlen(name)
                            || strncmp(line + strlen(name), "_total", 6)
                                   == 0));
            const char *number = strrchr(line, ' ') + 1;
            assert_int_equal(strspn(number, "0123456789"), strlen(number));
        }
    }
    assert_true(is_ended);
}

static void test_metrics__store_and_gateway(void **state)
{
    must_apply_story(STORY_LIMIT);
    must_open_gateway(0);
    assert_int_equal(serve("/other", "ariel-key"), 200);
    assert_int_equal(serve("/other", "rosario-key"), 200);
    assert_int_equal(serve("/other", "nobody's-key"), 401);
    assert_int_equal(serve("/anything", "stranger-key"), 403);
    assert_ok(write_text((met_stats_sources){.store = store,
                                             .gateway = gateway}));
    assert_line("metering_gateway_requests_total 4");
    assert_line("metering_gateway_admitted_total 2");
    assert_line("metering_gateway_completed_total 2");
    assert_line("metering_gateway_refused_total{reason=\"BAD_KEY\"} 1");
    assert_line("metering_gateway_refused_total{reason=\"NOT_ALLOWED\"} 1");
    assert_line("metering_gateway_failures_total{cause=\"tally\"} 0");
    assert_line("metering_gateway_keys_total{known=\"unknown\"} 1");
    assert_line("metering_gateway_consumers 3");
    assert_line("metering_store_records{table=\"customer\"} 2");
    assert_line("metering_recorder_slots_live 1");
    /* Of the windows what needs no handle and no look at every record: two
     * consumers, two windows each. */
    assert_line("metering_limiter_policies 2");
    assert_line("metering_limiter_used_records 4");
    assert_line("metering_limiter_full_refused_total 0");
    assert_null(strstr(text, "live_records"));
    assert_null(strstr(text, "metering_limiter_decisions"));
    assert_line("# TYPE metering_gateway_requests counter");
    assert_null(strstr(text, "ariel"));
    assert_null(strstr(text, "key\"")); /* nor a key */
    assert_open_metrics();
}

static void test_metrics__limiter(void **state)
{
    static unsigned char shared[MAP_BYTES] __attribute__((aligned(64)));
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = shared,
                                 .memory_size = sizeof shared,
                                 .capacity = 100};
    met_limiter_window window = {.limit = 1, .window_ns = 60000000000};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "p",
                                 .name_size = 1,
                                 .windows = &window,
                                 .window_count = 1};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .key = "k",
                                   .key_size = 1};
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter *limiter;

    assert_ok(met_limiter_open(&config, &limiter, &told));
    assert_ok(met_limiter_policy_set(limiter, &policy, &request.policy,
                                     &told));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(met_limiter_check(limiter, &request, &result),
                         MET_OK);
    }
    assert_ok(write_text((met_stats_sources){.limiter = limiter}));
    assert_line("metering_limiter_decisions_total 3");
    assert_line("metering_limiter_refusals_total 2");
    assert_line("metering_limiter_live_records 1");
    assert_line("metering_limiter_policies 1");
    assert_open_metrics();
    /* Of two tables the one that is asked for. */
    must_apply_story(STORY_LIMIT);
    must_open_gateway(0);
    assert_ok(write_text((met_stats_sources){.store = store,
                                             .limiter = limiter}));
    assert_line("metering_limiter_policies 1");
    assert_null(strstr(text, "metering_limiter_policies 2"));
    assert_open_metrics();
    met_limiter_close(limiter);
}

/* A report makes no table, and one that it cannot read spoils nothing. */
static void test_metrics__no_table(void **state)
{
    char path[256];

    must_apply_story(STORY_LIMIT);
    assert_ok(write_text((met_stats_sources){.store = store}));
    assert_null(strstr(text, "metering_limiter"));
    snprintf(path, sizeof path, "%s/s/limits-3.map", home);
    assert_int_equal(access(path, F_OK), -1);
    met_buffer *out = fresh();
    assert_ok(keep(met_store_stats(store, out, &told), out));
    assert_shown("limiter", "");
    must_open_gateway(0);
    assert_int_equal(serve("/other", "ariel-key"), 200);
    out = fresh();
    assert_ok(keep(met_store_stats(store, out, &told), out));
    assert_shown("limiter.records_used", "2");
    assert_shown("limiter.capacity", "65536");
    met_gateway_close(gateway);
    gateway = NULL;
    assert_int_equal(truncate(path, 5000), 0);
    out = fresh();
    assert_ok(keep(met_store_stats(store, out, &told), out));
    assert_shown("limiter", "");
}

static void test_metrics__prometheus(void **state)
{
    must_apply_story("");
    must_open_gateway(0);
    assert_ok(write_text((met_stats_sources){.store = store,
                                             .gateway = gateway,
                                             .flags =
                                                 MET_STATS_PROMETHEUS}));
    assert_line("# TYPE metering_gateway_requests_total counter");
    assert_line("metering_gateway_requests_total 0");
    assert_null(strstr(text, "# EOF"));
}

/* A text that a scraper can read, with names as is the custom. */
static void test_metrics__promtool(void **state)
{
    char path[256];
    met_limiter_config config = {.struct_size = sizeof config,
                                 .path = path,
                                 .capacity = 100};
    met_limiter *limiter;

    snprintf(path, sizeof path, "%s/own.map", home);
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        print_message("no promtool: apt-get install prometheus\n");
        skip();
    }
    must_apply_story(STORY_LIMIT);
    must_open_gateway(0);
    assert_int_equal(serve("/other", "ariel-key"), 200);
    assert_int_equal(serve("/other", "nobody's-key"), 401);
    assert_ok(met_limiter_open(&config, &limiter, &told));
    assert_ok(write_text((met_stats_sources){.store = store,
                                             .gateway = gateway,
                                             .limiter = limiter,
                                             .flags =
                                                 MET_STATS_PROMETHEUS}));
    met_limiter_close(limiter);
    assert_line("metering_gateway_requests_total 2");
    assert_line("metering_limiter_decisions_total 0");
    FILE *tool = popen("promtool check metrics", "w");
    assert_non_null(tool);
    fputs(text, tool);
    assert_int_equal(pclose(tool), 0);
}

static void test_metrics__arguments(void **state)
{
    met_stats_sources sources = {.struct_size = sizeof sources};
    met_buffer out = {0};

    assert_told(met_stats_write(NULL, &out, &told), MET_E_INVALID, "sources",
                "is NULL");
    assert_told(met_stats_write(&sources, &out, &told), MET_E_INVALID,
                "sources", "names none");
    sources.store = store;
    assert_told(met_stats_write(&sources, NULL, &told), MET_E_INVALID,
                "text_out", "is NULL");
    sources.flags = 2;
    assert_told(met_stats_write(&sources, &out, &told), MET_E_UNSUPPORTED,
                "sources.flags", "has an unknown bit");
    sources.struct_size = 4;
    assert_int_equal(met_stats_write(&sources, &out, &told), MET_E_INVALID);
    assert_null(out.data);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_metrics__store_and_gateway),
        TEST(test_metrics__limiter),
        TEST(test_metrics__no_table),
        TEST(test_metrics__prometheus),
        TEST(test_metrics__promtool),
        TEST(test_metrics__arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

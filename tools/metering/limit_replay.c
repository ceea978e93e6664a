/* metering limit replay: decisions of the limiter for recorded requests, in
 * virtual time, without a store. In: NDJSON of times and keys. Out: one
 * decision a line. */
#define _GNU_SOURCE
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Room for a record and its share of a table. */
#define BYTES_PER_RECORD 80u
#define BYTES_FIXED (2u * 1024u * 1024u)

typedef struct replay {
    const char *file;
    met_limiter *limiter;
    uint32_t policy;
    int64_t first_ns;
    int64_t last_ns;
    int64_t now_ns; /* the limiter's clock */
    unsigned long long count;
    unsigned long long allowed;
} replay;

static int64_t replay_now(void *context)
{
    return ((const replay *)context)->now_ns;
}

/* "5/minute", "1000/1h". */
static int read_window(const tool *self, const char *text,
                       met_limiter_window *window)
{
    const char *slash = strchr(text, '/');
    size_t digits = strspn(text, "0123456789");

    if (slash == NULL || digits == 0 || text + digits != slash || digits > 9) {
        return tool_usage(self, "--limit: \"%s\" is not like 5/minute or "
                                "1000/1h", text);
    }
    window->limit = strtoull(text, NULL, 10);
    window->window_ns = tool_duration(slash + 1);
    if (window->window_ns <= 0) {
        return tool_usage(self, "--limit: \"%s\" is not a duration like 60s, "
                                "1h or minute", slash + 1);
    }
    return TOOL_OK;
}

static int read_algorithm(const tool *self, uint32_t *algorithm_out)
{
    static const struct {
        const char *name;
        uint32_t number;
    } algorithms[] = {{"sliding", MET_LIMITER_SLIDING},
                      {"sliding_counter", MET_LIMITER_SLIDING_COUNTER},
                      {"fixed_epoch", MET_LIMITER_FIXED_EPOCH},
                      {"calendar_utc", MET_LIMITER_CALENDAR_UTC},
                      {"gcra", MET_LIMITER_GCRA}};
    const char *text = tool_option(self, "algorithm", 0);

    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (text == NULL || strcmp(text, algorithms[i].name) == 0) {
            *algorithm_out = algorithms[i].number;
            return TOOL_OK;
        }
    }
    return tool_usage(self, "--algorithm: \"%s\" is not sliding, "
                            "sliding_counter, fixed_epoch, calendar_utc or "
                            "gcra", text);
}

static int set_policy(const tool *self, replay *run)
{
    met_error_info info = {.struct_size = sizeof info};
    met_limiter_window windows[MET_LIMITER_WINDOWS_MAX] = {{0}};
    met_limiter_policy policy = {
        .struct_size = sizeof policy, .name = "replay", .name_size = 6,
        .windows = windows};
    uint32_t algorithm = MET_LIMITER_SLIDING;
    int status = read_algorithm(self, &algorithm);

    for (int i = 0; status == TOOL_OK && tool_option(self, "limit", i); i++) {
        if (i == MET_LIMITER_WINDOWS_MAX) {
            return tool_usage(self, "--limit: at most %d of them",
                              MET_LIMITER_WINDOWS_MAX);
        }
        windows[i].algorithm = algorithm;
        status = read_window(self, tool_option(self, "limit", i), &windows[i]);
        policy.window_count++;
    }
    if (status != TOOL_OK) {
        return status;
    }
    if (policy.window_count == 0) {
        return tool_usage(self, "which limit? --limit 5/minute");
    }
    if (tool_flag(self, "count-denied")) {
        policy.flags = MET_LIMITER_COUNT_DENIED;
    }
    met_error error = met_limiter_policy_set(run->limiter, &policy,
                                             &run->policy, &info);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

static json_t *decision_of(const char *time, const char *key,
                           const met_limiter_result *result)
{
    json_t *windows = json_array();

    for (uint32_t i = 0; i < result->window_count; i++) {
        const met_limiter_window_result *window = &result->windows[i];
        json_array_append_new(
            windows,
            json_pack("{s:I, s:I, s:I, s:b}", "limit",
                      (json_int_t)window->limit, "window_ms",
                      (json_int_t)(window->window_ns / 1000000), "remaining",
                      (json_int_t)window->remaining, "is_refusing",
                      (int)window->is_refusing));
    }
    return json_pack("{s:s, s:s, s:b, s:I, s:o}", "time", time, "key", key,
                     "is_allowed", (int)result->is_allowed, "wait_ns",
                     (json_int_t)result->wait_ns, "windows", windows);
}

static int decide(const tool *self, void *context, long long number,
                  json_t *object)
{
    replay *run = context;
    tool_line line = {.self = self, .file = run->file, .number = number,
                      .object = object};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = run->policy, .key = ""};
    met_limiter_result result = {.struct_size = sizeof result};
    int64_t time_ns = 0;
    int64_t cost = 1;

    tool_line_time(&line, "time", &time_ns);
    tool_line_text(&line, "key", 1, &request.key, &request.key_size);
    tool_line_number(&line, "cost", 1, MET_LIMITER_LIMIT_MAX, &cost);
    if (line.status == TOOL_OK && run->count > 0 && time_ns < run->last_ns) {
        tool_line_failed(&line, "time", "is before the line above");
    }
    if (tool_line_end(&line) != TOOL_OK) {
        return line.status;
    }
    if (run->count == 0) {
        run->first_ns = time_ns;
    }
    run->last_ns = time_ns;
    run->now_ns = time_ns - run->first_ns + 1000000000;
    request.cost = (uint64_t)cost;
    request.monotonic_ns = run->now_ns;
    request.utc_ns = time_ns;
    met_error error = met_limiter_check(run->limiter, &request, &result);
    if (error != MET_OK) {
        return tool_error(self, error, NULL);
    }
    run->count++;
    run->allowed += result.is_allowed;
    tool_progress("decided", run->count, 0);
    const char *time = json_string_value(json_object_get(object, "time"));
    return tool_print_line(self, decision_of(time, request.key, &result));
}

int command_limit_replay(tool *self)
{
    replay run = {.file = self->arguments[0], .now_ns = 1000000000};
    met_error_info info = {.struct_size = sizeof info};
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {&run, replay_now, replay_now}};
    met_limiter_config config = {.struct_size = sizeof config,
                                 .full_policy = MET_LIMITER_FULL_CLOSED,
                                 .platform = &platform};
    int64_t keys;
    int status = tool_option_number(self, "capacity", 262144, 64, 1 << 28,
                                    &keys);

    if (status != TOOL_OK) {
        return status;
    }
    config.memory_size = (size_t)keys * BYTES_PER_RECORD + BYTES_FIXED;
    config.memory = mmap(NULL, config.memory_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (config.memory == MAP_FAILED) {
        return tool_fail(self, "out of memory");
    }
    met_error error = met_limiter_open(&config, &run.limiter, &info);
    if (error != MET_OK) {
        status = tool_error(self, error, &info);
    } else {
        status = set_policy(self, &run);
        if (status == TOOL_OK) {
            status = tool_input_lines(self, run.file, &run, decide);
        }
        met_limiter_close(run.limiter);
    }
    munmap(config.memory, config.memory_size);
    tool_progress_end();
    if (status == TOOL_OK) {
        fprintf(stderr, "%llu requests: %llu allowed, %llu refused\n",
                run.count, run.allowed, run.count - run.allowed);
    }
    return status;
}

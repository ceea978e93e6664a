/* Golden kinds of rate limiting: Kong's plugins request by request, with their
 * headers. The moment of a case stands for the monotonic clock, too. */
#include "golden.h"

#include "gateway/entity_parts.h"
#include "gateway/plugin_config.h"

#include <stdlib.h>
#include <strings.h>

#include "metering/limiter.h"

#define SECOND INT64_C(1000000000)
#define CAPACITY 512
#define TABLE_SIZE ((size_t)2 << 20)

typedef struct table {
    met_limiter *limiter;
    void *memory;
    uint32_t policy;
    uint32_t reserved;
} table;

static void close_table(table *t)
{
    met_limiter_close(t->limiter);
    free(t->memory);
}

static int open_table(golden *self, table *t,
                      const met_limiter_window *windows, size_t count,
                      uint32_t flags)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory_size = TABLE_SIZE,
                                 .capacity = CAPACITY};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "golden",
                                 .name_size = 6,
                                 .windows = windows,
                                 .window_count = count,
                                 .flags = flags};
    met_error_info info = {.struct_size = sizeof info};

    *t = (table){.memory = aligned_alloc(64, TABLE_SIZE)};
    config.memory = t->memory;
    if (t->memory != NULL) {
        memset(t->memory, 0, TABLE_SIZE);
        met_error error = met_limiter_open(&config, &t->limiter, &info);
        if (error == MET_OK) {
            error = met_limiter_policy_set(t->limiter, &policy, &t->policy,
                                           &info);
        }
        if (error == MET_OK) {
            return 1;
        }
    }
    golden_fail(self, "no table: %s %s", info.field, info.reason);
    close_table(t);
    return 0;
}

static int64_t integer_at(golden *self, const met__node *node,
                          const char *path)
{
    met_decimal value = golden_decimal(self, node, path);
    int64_t out = 0;

    if (self->failed == 0 && met__decimal_to_i64(value, &out) != MET_OK) {
        golden_fail(self, "%s is no integer", path);
    }
    return out;
}

/* Seconds, maybe with a fraction, as nanoseconds. */
static int64_t seconds_at(golden *self, const met__node *node,
                          const char *path)
{
    met_decimal value = golden_decimal(self, node, path);
    met_decimal second = met__decimal_from_i64(SECOND);
    int64_t out = 0;

    if (self->failed == 0
        && (met_decimal_multiply(&value, &second, &value) != MET_OK
            || met__decimal_to_i64(value, &out) != MET_OK)) {
        golden_fail(self, "%s is no number of nanoseconds", path);
    }
    return out;
}

static met_limiter_result ask(golden *self, const table *t, met__text key,
                              int64_t now_ns, uint64_t cost, int is_peek)
{
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = t->policy,
                                   .key = key.data,
                                   .key_size = key.size,
                                   .cost = cost,
                                   .monotonic_ns = now_ns,
                                   .utc_ns = now_ns};
    met_error error =
        is_peek ? met_limiter_peek(t->limiter, &request, &result)
                : met_limiter_check(t->limiter, &request, &result);

    if (error != MET_OK) {
        golden_fail(self, "decision: %s", met_error_name(error));
    }
    return result;
}

/* --- Sequences of requests ------------------------------------------------ */
/* The value of a header line, or -1. Names are compared without case. */
static long long header_value(const char *text, met__text name)
{
    for (const char *line = text; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        if (strncasecmp(line, name.data, name.size) == 0
            && line[name.size] == ':') {
            return atoll(line + name.size + 1);
        }
        if (end == NULL) {
            break;
        }
        line = end + 2;
    }
    return -1;
}

/* When to come back after a refusal by a sliding window: the rule is in
 * differences.md. */
static int is_told_otherwise(met__text name, const met_limiter_result *result)
{
    return !result->is_allowed
           && result->windows[result->reported].algorithm
                  == MET_LIMITER_SLIDING_COUNTER
           && (strcasecmp(name.data, "Retry-After") == 0
               || strcasecmp(name.data, "RateLimit-Reset") == 0);
}

static void same_headers(golden *self, const met__node *expect,
                         const met_limiter_result *result, int64_t at)
{
    char text[MET_LIMITER_HEADERS_SIZE];
    const met__node *headers = golden_get(self, expect, "headers");

    if (met_limiter_headers_write(result, NULL, text, sizeof text, NULL, NULL)
        != MET_OK) {
        golden_fail(self, "no headers");
    }
    for (uint32_t i = 0; self->failed == 0 && i < headers->count; i++) {
        met__text name = headers->as.members[i].name;
        char path[128];
        snprintf(path, sizeof path, "headers.%.*s", (int)name.size,
                 name.data);
        if (is_told_otherwise(name, result)) {
            continue;
        }
        long long wanted = integer_at(self, expect, path);
        long long got = header_value(text, name);
        if (self->failed == 0 && wanted != got) {
            golden_fail(self, "request %lld: %.*s expected %lld, got %lld",
                        (long long)at, (int)name.size, name.data, wanted,
                        got);
        }
    }
}

static size_t read_windows(golden *self, const met__node *item,
                           uint32_t algorithm, met_limiter_window *windows)
{
    const met__node *limits = golden_get(self, item, "config.limit");
    const met__node *lengths = golden_get(self, item, "config.window_size");
    size_t count = 0;

    if (self->failed != 0 || limits->count != lengths->count
        || limits->count > MET_LIMITER_WINDOWS_MAX) {
        golden_fail(self, "odd windows");
        return 0;
    }
    for (; count < limits->count; count++) {
        windows[count] = (met_limiter_window){
            .limit = (uint64_t)limits->as.items[count]->as.integer,
            .window_ns = lengths->as.items[count]->as.integer * SECOND,
            .algorithm = algorithm};
    }
    return count;
}

/* --- Sequences of the plugin with calendar windows ------------------------ */
static size_t read_calendar(golden *self, const met__node *config,
                            met_limiter_window *windows)
{
    size_t count = 0;

    for (size_t i = 0; i < MET__WINDOWS_MAX; i++) {
        const met__plugin_window *period = &met__plugin_windows[i];
        const met__node *limit = met__node_get(config, period->name);
        if (limit != NULL && limit->kind == MET__NODE_DECIMAL) {
            golden_skip(self, "a fraction of a request cannot be limited");
            return 0;
        }
        if (limit != NULL && limit->kind == MET__NODE_INTEGER) {
            windows[count++] = (met_limiter_window){
                .limit = (uint64_t)limit->as.integer,
                .window_ns = period->window_ns,
                .algorithm = MET_LIMITER_CALENDAR_UTC};
        }
    }
    if (count == 0) {
        golden_fail(self, "no windows");
    }
    return count;
}

/* What the limit goes by, and of which kind it is; whoever has no such thing
 * goes by the address. */
static met__text identity_of(const met__node *config,
                             const met__node *request, uint32_t *kind)
{
    met__text by = met__node_text_at(config, "limit_by");
    met__text value = {NULL, 0};

    *kind = MET__LIMIT_BY_CONSUMER;
    for (uint32_t i = 0; met__limit_by_names[i] != NULL; i++) {
        if (met__text_equal(by, met__text_z(met__limit_by_names[i]))) {
            *kind = i + 1;
        }
    }
    if (*kind == MET__LIMIT_BY_HEADER) {
        const met__node *headers = met__node_get(request, "headers");
        met__text name = met__node_text_at(config, "header_name");
        for (uint32_t i = 0; headers != NULL && i < headers->count; i++) {
            met__text other = headers->as.members[i].name;
            if (other.size == name.size
                && strncasecmp(other.data, name.data, name.size) == 0) {
                value = headers->as.members[i].node->as.text;
            }
        }
    } else if (*kind == MET__LIMIT_BY_PATH) {
        met__text path = met__node_text_at(request, "path");
        value = met__text_equal(path, met__node_text_at(config, "path"))
                    ? path
                    : value;
    } else if (*kind != MET__LIMIT_BY_IP) {
        value = met__node_text_at(request, met__limit_by_names[*kind - 1]);
    }
    if (value.size == 0 && *kind == MET__LIMIT_BY_CONSUMER) {
        *kind = MET__LIMIT_BY_CREDENTIAL;
        value = met__node_text_at(request, "credential");
    }
    if (value.size == 0) {
        *kind = MET__LIMIT_BY_IP;
        value = met__node_text_at(request, "ip");
    }
    return value;
}

static met__text key_of(golden *self, const met__node *config,
                        const met__node *request, char *room, size_t size)
{
    uint32_t kind;
    met__text value = identity_of(config, request, &kind);
    met_limiter_identity identity = {.struct_size = sizeof identity,
                                     .kind = kind,
                                     .value = value.data,
                                     .value_size = value.size};
    size_t key_size = 0;

    if (met_limiter_key_build(&identity, room, size, &key_size, NULL)
        != MET_OK) {
        golden_fail(self, "no key");
    }
    return met__text_of(room, key_size);
}

/* What a case is about that is not ours, or NULL. */
static const char *not_ours(const met__node *item)
{
    const met__node *requests = met__node_get(item, "requests");

    if (met__text_equal(met__node_text_at(item, "verdict"),
                        MET__TEXT("quirk"))) {
        return "a defect of the plugin that is not shared";
    }
    for (uint32_t i = 0; requests != NULL && i < requests->count; i++) {
        if (met__node_get(requests->as.items[i], "redis_down") != NULL) {
            return "there is no store of counters that could be down";
        }
    }
    return NULL;
}

static void run_calendar_sequence(golden *self, const met__node *item)
{
    const met__node *config = golden_get(self, item, "config");
    const met__node *requests = golden_get(self, item, "requests");
    int64_t epoch = seconds_at(self, item, "epoch_s");
    met_limiter_window windows[MET__WINDOWS_MAX];
    const char *why = not_ours(item);
    table t;

    if (why != NULL) {
        golden_skip(self, "%s", why);
        return;
    }
    size_t count = self->failed ? 0 : read_calendar(self, config, windows);
    if (count == 0 || !open_table(self, &t, windows, count, 0)) {
        return;
    }
    int is_hidden = met__node_get(config, "hide_client_headers") != NULL
                    && golden_flag(self, item, "config.hide_client_headers");
    for (uint32_t i = 0; self->failed == 0 && i < requests->count; i++) {
        const met__node *request = requests->as.items[i];
        int64_t now = epoch + seconds_at(self, request, "t");
        int64_t status = integer_at(self, request, "expect.status");
        char room[512];
        met__text key = key_of(self, config, request, room, sizeof room);
        if (self->failed != 0) {
            break;
        }
        met_limiter_result result = ask(self, &t, key, now, 1, 0);
        if (result.is_allowed != (status == 200)) {
            golden_fail(self, "request %u: expected %lld, got %s", i,
                        (long long)status,
                        result.is_allowed ? "allowed" : "refused");
        } else if (!is_hidden) {
            same_headers(self, golden_get(self, request, "expect"), &result,
                         i);
        } else if (golden_get(self, request, "expect.headers")->count != 0) {
            golden_fail(self, "headers although they are hidden");
        }
    }
    close_table(&t);
}

/* --- Sequences of the plugin with sliding windows ------------------------- */
/* Who comes back after the wait is admitted, a nanosecond earlier refused. */
static void exact_wait(golden *self, const table *t, met__text key,
                       int64_t now, const met_limiter_result *result)
{
    if (self->failed == 0 && !result->is_allowed
        && (ask(self, t, key, now + result->wait_ns - 1, 1, 1).is_allowed
            || !ask(self, t, key, now + result->wait_ns, 1, 1).is_allowed)) {
        golden_fail(self, "a wait of %lld ns is not exact",
                    (long long)result->wait_ns);
    }
}

static void run_sequence(golden *self, const met__node *item)
{
    const met__node *config = golden_get(self, item, "config");
    const met__node *requests = golden_get(self, item, "requests");
    met__text engine = golden_text(self, item, "engine");
    int64_t epoch = seconds_at(self, item, "epoch_s");
    met_limiter_window windows[MET_LIMITER_WINDOWS_MAX];
    table t;

    if (self->failed != 0) {
        return;
    }
    if (strstr(engine.data, "oss") != NULL) {
        run_calendar_sequence(self, item);
        return;
    }
    int is_sliding = strstr(engine.data, "(sliding") != NULL;
    size_t count = read_windows(self, item,
                                is_sliding ? MET_LIMITER_SLIDING_COUNTER
                                           : MET_LIMITER_FIXED_EPOCH,
                                windows);
    int is_spared = met__node_get(config, "disable_penalty") != NULL
                    && golden_flag(self, item, "config.disable_penalty");
    if (self->failed != 0
        || !open_table(self, &t, windows, count,
                       is_sliding && !is_spared ? MET_LIMITER_COUNT_DENIED
                                                : 0)) {
        return;
    }
    for (uint32_t i = 0; self->failed == 0 && i < requests->count; i++) {
        const met__node *request = requests->as.items[i];
        int64_t now = epoch + seconds_at(self, request, "t");
        met__text key = golden_text(self, request, "consumer");
        int64_t status = integer_at(self, request, "expect.status");
        if (self->failed != 0) {
            break;
        }
        met_limiter_result result = ask(self, &t, key, now, 1, 0);
        if (result.is_allowed != (status == 200)) {
            golden_fail(self, "request %u: expected %lld, got %s", i,
                        (long long)status,
                        result.is_allowed ? "allowed" : "refused");
        }
        same_headers(self, golden_get(self, request, "expect"), &result, i);
        exact_wait(self, &t, key, now, &result);
    }
    close_table(&t);
}

/* --- One decision at given counts ----------------------------------------- */
/* Puts `hits` into the bucket of now_ns: refused hits weigh, too, so a bucket
 * can hold more than the limit. */
static void fill(golden *self, const table *t, int64_t now_ns, int64_t hits)
{
    for (int64_t i = 0; i < hits && self->failed == 0; i++) {
        (void)ask(self, t, MET__TEXT("key"), now_ns, 1, 0);
    }
}

static void same_wait(golden *self, const table *t, const met__node *item,
                      const char *path, int64_t now_ns)
{
    met_limiter_result result =
        ask(self, t, MET__TEXT("key"), now_ns, 1, 1);
    int64_t wanted = integer_at(self, item, path);
    int64_t got = (result.wait_ns + SECOND - 1) / SECOND;

    if (self->failed == 0 && wanted != got) {
        golden_fail(self, "%s: expected %lld, got %lld ns", path,
                    (long long)wanted, (long long)result.wait_ns);
    }
}

static void run_arithmetic(golden *self, const met__node *item)
{
    int64_t limit = integer_at(self, item, "limit");
    int64_t length = seconds_at(self, item, "window_s");
    int64_t offset = seconds_at(self, item, "offset_s");
    int64_t cost = integer_at(self, item, "cost");
    int64_t remaining = integer_at(self, item, "remaining");
    const met__node *waits = met__node_get(item, "exact_min_wait_s");
    met_limiter_window window = {.limit = (uint64_t)limit,
                                 .window_ns = length,
                                 .algorithm = MET_LIMITER_SLIDING_COUNTER};
    int64_t begin = 1000 * length;
    table t;

    if (self->failed != 0
        || !open_table(self, &t, &window, 1, MET_LIMITER_COUNT_DENIED)) {
        return;
    }
    fill(self, &t, begin - 1, integer_at(self, item, "prev_count"));
    fill(self, &t, begin, integer_at(self, item, "cur_count_before"));
    if (self->failed == 0 && waits != NULL && limit >= cost
        && met__node_get(waits, "denied_not_counted") != NULL) {
        same_wait(self, &t, item, "exact_min_wait_s.denied_not_counted",
                  begin + offset);
    }
    met_limiter_result result = ask(self, &t, MET__TEXT("key"),
                                    begin + offset,
                                    cost ? (uint64_t)cost : 1, cost == 0);
    if (self->failed == 0) {
        golden_same_flag(self, golden_get(self, item, "admit_exact"),
                         result.is_allowed != 0);
    }
    if (self->failed == 0
        && result.windows[0].remaining != (uint64_t)remaining
        && cost <= limit) {
        golden_fail(self, "remaining: expected %lld, got %llu",
                    (long long)remaining,
                    (unsigned long long)result.windows[0].remaining);
    }
    if (self->failed == 0 && waits != NULL && limit >= cost
        && met__node_get(waits, "denied_counted") != NULL) {
        same_wait(self, &t, item, "exact_min_wait_s.denied_counted",
                  begin + offset);
    }
    close_table(&t);
}

/* --- Where fixed windows begin and end ------------------------------------ */
/* A limit of 1, used a nanosecond before the window and in it: the first does
 * not weigh in it, the second until the end that the case tells. */
static void run_bounds(golden *self, int64_t window_ns, uint32_t algorithm,
                       int64_t start, int64_t now, int64_t reset)
{
    met_limiter_window window = {.limit = 1, .window_ns = window_ns,
                                 .algorithm = algorithm};
    met__text key = MET__TEXT("key");
    table t;

    if (self->failed != 0 || !open_table(self, &t, &window, 1, 0)) {
        return;
    }
    now = now > 0 ? now : 1; /* 0 asks for the library's clock */
    int is_apart = start <= 1 || ask(self, &t, key, start - 1, 1, 0).is_allowed;
    is_apart &= ask(self, &t, key, start > 0 ? start : 1, 1, 0).is_allowed != 0;
    met_limiter_result result = ask(self, &t, key, now, 1, 0);
    int64_t got = (result.wait_ns + SECOND - 1) / SECOND;
    if (self->failed == 0
        && (!is_apart || result.is_allowed || got != reset
            || !ask(self, &t, key, now + result.wait_ns, 1, 1).is_allowed)) {
        golden_fail(self, "%lld s: expected reset %lld, got %lld%s",
                    (long long)(window_ns / SECOND), (long long)reset,
                    (long long)got, is_apart ? "" : "; begins elsewhere");
    }
    close_table(&t);
}

static void run_epoch(golden *self, const met__node *item)
{
    run_bounds(self, seconds_at(self, item, "window_s"),
               MET_LIMITER_FIXED_EPOCH,
               seconds_at(self, item, "window_start_s"),
               seconds_at(self, item, "now_s"),
               integer_at(self, item, "fixed_reset_s"));
}

static void run_calendar(golden *self, const met__node *item)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } periods[] = {{"second", 1},   {"minute", 60},     {"hour", 3600},
                   {"day", 86400},  {"month", 2592000}, {"year", 31536000}};

    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        char start[48];
        char reset[48];
        snprintf(start, sizeof start, "window_start_ms.%s", periods[i].name);
        snprintf(reset, sizeof reset, "true_reset_s.%s", periods[i].name);
        run_bounds(self, periods[i].seconds * SECOND,
                   MET_LIMITER_CALENDAR_UTC,
                   integer_at(self, item, start) * 1000000,
                   seconds_at(self, item, "now_s"),
                   integer_at(self, item, reset));
    }
}

/* --- What the plugin may be told ------------------------------------------ */
/* Words are our own, but for two that name what is wrong as the plugin does. */
static void same_reason(golden *self, const met__node *item,
                        const char *reason)
{
    met__text wanted = met__node_text_at(item, "error");

    if (wanted.size > 0
        && (strncmp(wanted.data, "The limit for ", 14) == 0
            || strcmp(wanted.data, "required field missing") == 0)
        && strstr(reason, wanted.data) == NULL) {
        golden_fail(self, "expected \"%s\", got \"%s\"", wanted.data, reason);
    }
}

static void run_config(golden *self, const met__node *item)
{
    met_error_info info = {.struct_size = sizeof info};
    met__entity_run run = {.arena = self->arena, .info = &info};
    met__path path = {NULL, "config", 0};
    const met__node *out = NULL;
    met__text ignored = {NULL, 0};
    int is_ok = golden_flag(self, item, "ok");
    met_error error =
        met__plugin_config_read(&run, MET__TEXT("rate-limiting"),
                                golden_get(self, item, "config"), &path, &out,
                                &ignored);

    if (error == MET_E_UNSUPPORTED) {
        golden_skip(self, "%s", info.reason);
    } else if (error == MET_OK && !is_ok && ignored.size > 0) {
        golden_skip(self, "%.*s is not served", (int)ignored.size,
                    ignored.data);
    } else if (self->failed == 0 && (error == MET_OK) != is_ok) {
        golden_fail(self, "expected %s, got %s: %s",
                    is_ok ? "valid" : "invalid", info.field, info.reason);
    } else if (self->failed == 0 && !is_ok) {
        same_reason(self, item, info.reason);
    }
}

const golden_kind golden_limit_sections[] = {
    {"sequences", run_sequence, NULL},
    {"sliding_window_arithmetic", run_arithmetic, NULL},
    {"calendar_windows", run_calendar, NULL},
    {"epoch_windows", run_epoch, NULL},
    {"config_validation", run_config, NULL},
    {"queue_cases", NULL, "usage is counted in place: there is no queue"},
    {NULL, NULL, NULL},
};

/* What a request costs: admit and complete with a key that was seen before,
 * alone, with two windows, and with a hard allowance beside them; the clock
 * read by the library for each, or by the host for 64 of them, as an event loop
 * does. Beside it what a host would write itself: a mutex around a hash map of
 * consumers with two windows, an allowance and a counter, for one process, lost
 * when it ends. */
#include "bench.h"
#include "gateway_request.h"

#include <pthread.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <metering/metering.h>

#define CONSUMERS 16 /* of each kind; a power of two */
#define KINDS 3
#define ALL (CONSUMERS * KINDS)
#define KEY_SIZE 12 /* "key-0000-000" */
#define MINUTE INT64_C(60000000000)
#define PERIOD INT64_C(3600000000000)
#define TIME_FOR 64 /* requests */
#define MINUTE_LIMIT 1000000 /* not reached in a run */
#define HOUR_LIMIT 1048576 /* the most there is */

static const char *const kind_names[KINDS] = {"k", "w", "q"};

static void must(met_error error, const met_error_info *info)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s %s %s\n", met_error_name(error), info->field,
                info->reason);
        exit(1);
    }
}

/* --- Baseline ------------------------------------------------------------- */
#define SLOTS 256

typedef struct own_slot {
    char key[KEY_SIZE];
    uint64_t is_used;
    int64_t start_ns[2];
    uint64_t hits[2];
    int64_t left;
    uint64_t usage;
} own_slot;

typedef struct own_map {
    pthread_mutex_t mutex;
    own_slot slots[SLOTS];
} own_map;

static own_slot *own_find(own_map *map, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (int i = 0; i < KEY_SIZE; i++) {
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    }
    uint64_t at = hash & (SLOTS - 1);
    while (map->slots[at].is_used
           && memcmp(map->slots[at].key, key, KEY_SIZE) != 0) {
        at = (at + 1) & (SLOTS - 1);
    }
    return &map->slots[at];
}

static int own_serve(own_map *map, const char *key)
{
    static const int64_t windows[2] = {MINUTE, PERIOD};
    static const uint64_t limits[2] = {UINT64_MAX, UINT64_MAX};
    int64_t now = (int64_t)bench_now_ns();
    int is_allowed = 1;

    pthread_mutex_lock(&map->mutex);
    own_slot *slot = own_find(map, key);
    for (int i = 0; i < 2; i++) {
        if (now - slot->start_ns[i] >= windows[i]) {
            slot->start_ns[i] = now - now % windows[i];
            slot->hits[i] = 0;
        }
        is_allowed &= slot->hits[i] < limits[i];
    }
    is_allowed &= slot->is_used && slot->left > 0;
    if (is_allowed) {
        slot->hits[0]++;
        slot->hits[1]++;
        slot->left--;
    }
    pthread_mutex_unlock(&map->mutex);
    pthread_mutex_lock(&map->mutex); /* when it was served */
    own_find(map, key)->usage++;
    pthread_mutex_unlock(&map->mutex);
    return is_allowed;
}

/* --- Cases ---------------------------------------------------------------- */
typedef struct load {
    met_gateway *gateway;
    own_map *map;
    uint64_t random;
    int kind;
    int is_time_given;
    char keys[ALL][KEY_SIZE];
} load;

static const char *next_key(load *l)
{
    uint64_t which = bench_random(&l->random) & (CONSUMERS - 1);

    return l->keys[(uint64_t)l->kind * CONSUMERS + which];
}

static int64_t clock_ns(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void run_gateway(void *context, uint64_t count)
{
    load *l = context;
    met_gateway_decision decision = {.struct_size = sizeof decision};
    met_pair headers[4];
    met_gateway_request request = bench_request(headers);

    headers[3].value_size = KEY_SIZE;
    for (uint64_t i = 0; i < count; i++) {
        if (l->is_time_given && i % TIME_FOR == 0) {
            request.utc_ns = clock_ns(CLOCK_REALTIME);
            request.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
        }
        headers[3].value = next_key(l);
        if (met_gateway_admit(l->gateway, &request, &decision) != MET_OK
            || !decision.is_admitted
            || met_gateway_complete(l->gateway, &decision.ticket,
                                    &bench_outcome)
                   != MET_OK) {
            fprintf(stderr, "refused: %s\n", decision.reason_name);
            exit(1);
        }
    }
    bench_keep(decision.status);
    if (met_gateway_tick(l->gateway) != MET_OK) {
        exit(1);
    }
}

static void run_own(void *context, uint64_t count)
{
    load *l = context;
    uint64_t allowed = 0;

    for (uint64_t i = 0; i < count; i++) {
        allowed += (uint64_t)own_serve(l->map, next_key(l));
    }
    if (allowed != count) {
        exit(1);
    }
}

/* --- The store ------------------------------------------------------------ */
static char json[64 * 1024];
static size_t json_size;

static void say(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    json_size += (size_t)vsnprintf(json + json_size, sizeof json - json_size,
                                   format, arguments);
    va_end(arguments);
}

static void say_entities(load *l)
{
    say("{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\",\"url\":"
        "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\",\"paths\":["
        "\"/anything\"]}]}],\"consumers\":[");
    for (int i = 0; i < ALL; i++) {
        say("%s{\"username\":\"%s%d\",\"keyauth_credentials\":[{\"key\":"
            "\"%.*s\"}],\"acls\":[{\"group\":\"all\"}]}",
            i ? "," : "", kind_names[i / CONSUMERS], i, KEY_SIZE, l->keys[i]);
    }
    say("],\"plugins\":[{\"name\":\"key-auth\"},{\"name\":\"acl\",\"config\":"
        "{\"allow\":[\"all\"]}}");
    for (int i = CONSUMERS; i < ALL; i++) {
        say(",{\"name\":\"rate-limiting\",\"consumer\":\"%s%d\",\"config\":"
            "{\"minute\":%d,\"hour\":%d}}",
            kind_names[i / CONSUMERS], i, MINUTE_LIMIT, HOUR_LIMIT);
    }
    say("],\"meters\":[{\"key\":\"m\",\"name\":\"M\",\"event_type\":"
        "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":"
        "{\"service_name\":\"$.service_name\",\"route_name\":"
        "\"$.route_name\"}}],\"features\":[{\"key\":\"f\",\"name\":\"F\","
        "\"meter\":{\"key\":\"m\"}}],\"customers\":[");
    for (int i = 2 * CONSUMERS; i < ALL; i++) {
        say("%s{\"key\":\"q%d\",\"name\":\"C\",\"usage_attribution\":"
            "{\"subject_keys\":[\"consumer:q%d\"]}}",
            i > 2 * CONSUMERS ? "," : "", i, i);
    }
    say("]}");
}

static void sell(met_store *store)
{
    static const char plan[] =
        "{\"key\":\"p\",\"name\":\"P\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
        "\"name\":\"D\",\"rate_cards\":[{\"key\":\"f\",\"name\":\"F\","
        "\"feature\":{\"key\":\"f\"},\"billing_cadence\":\"P1M\",\"price\":"
        "{\"type\":\"free\"},\"entitlement\":{\"type\":\"metered\",\"limit\":"
        "1000000000,\"usage_period\":\"P1M\",\"is_soft_limit\":false}}]}]}";
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {0};

    must(met_plan_put(store, plan, sizeof plan - 1, &out, &info), &info);
    met_buffer_release(&out);
    must(met_plan_publish(store, "p", 1, 0, 0, &out, &info), &info);
    met_buffer_release(&out);
    for (int i = 2 * CONSUMERS; i < ALL; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "{\"customer\":{\"key\":\"q%d\"},\"plan\":{\"key\":\"p\"}}",
                 i);
        must(met_subscription_create(store, text, strlen(text), 0, &out,
                                     &info),
             &info);
        met_buffer_release(&out);
    }
}

static void fill(load *l)
{
    for (int i = 0; i < ALL; i++) {
        char key[KEY_SIZE + 1];
        snprintf(key, sizeof key, "key-%04d-%03d", i * 37, i);
        memcpy(l->keys[i], key, KEY_SIZE);
        own_slot *slot = own_find(l->map, l->keys[i]);
        *slot = (own_slot){.is_used = 1, .left = INT64_MAX};
        memcpy(slot->key, key, KEY_SIZE);
    }
}

int main(void)
{
    static own_map map = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    static load l = {.map = &map, .random = 1};
    static const char *const cases[2][KINDS] = {
        {"gateway: key and group", "gateway: key, group, two windows",
         "gateway: key, group, two windows, allowance"},
        {"gateway: key and group, time given",
         "gateway: key, group, two windows, time given",
         "gateway: key, group, two windows, allowance, time given"}};
    char home[] = "/tmp/bench-gateway-XXXXXX";
    char command[64];
    met_error_info info = {.struct_size = sizeof info};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
    met_buffer out = {0};
    met_store *store;

    if (mkdtemp(home) == NULL) {
        return 1;
    }
    fill(&l);
    say_entities(&l);
    must(met_store_open(home, strlen(home), &config, &store, &info), &info);
    must(met_catalog_apply(store, json, json_size, 0, 0, &out, &info), &info);
    met_buffer_release(&out);
    sell(store);
    must(met_gateway_open(store, NULL, &l.gateway, &info), &info);
    for (l.is_time_given = 0; l.is_time_given < 2; l.is_time_given++) {
        for (l.kind = 0; l.kind < KINDS; l.kind++) {
            bench_case(cases[l.is_time_given][l.kind], run_gateway, &l,
                       "mutex and hash map of one process", run_own, &l);
        }
    }
    met_gateway_close(l.gateway);
    must(met_store_settle(store, NULL, &out, &info), &info);
    met_buffer_release(&out);
    met_store_close(store);
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command) != 0;
}

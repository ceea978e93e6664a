/* Workers of one process, a handle each, while the catalog changes, snapshots
 * are mapped anew and usage is settled: never more than the allowance or the
 * limit, and what is settled is what was completed. */
#include "support/gateway_calls.h"

#include <pthread.h>
#include <time.h>

#define THREADS 4
#define REQUESTS 240 /* of each thread and consumer */
#define ALLOWED 300
#define LIMITED 40
#define CHANGES 12      /* at least */
#define CHANGES_IN_TIME 1500 /* all of it inside one hour */

static int64_t shared_now_ns;

typedef struct tally {
    uint64_t admitted;
    uint64_t completed;
    uint64_t in_use;  /* admitted and not given back */
    uint64_t highest; /* in_use, at any time */
} tally;

static tally ariel;
static tally rosario;
static uint64_t mapped;
static uint64_t opened;
static uint32_t is_over;

static int64_t shared_clock(void *context)
{
    (void)context;
    return __atomic_load_n(&shared_now_ns, __ATOMIC_RELAXED);
}

static void let_others(void)
{
    const struct timespec a_while = {0, 200000};

    (void)nanosleep(&a_while, NULL);
}

static uint64_t add(uint64_t *word, uint64_t value)
{
    return __atomic_add_fetch(word, value, __ATOMIC_SEQ_CST);
}

/* The counting allocator of documents.h is for one thread. */
static void reopen_for_threads(void)
{
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, shared_clock, shared_clock}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = SMALL_MAP};
    char path[128];

    met_store_close(store);
    store = NULL;
    snprintf(path, sizeof path, "%s/s", home);
    fresh();
    assert_ok(met_store_open(path, strlen(path), &config, &store, &told));
}

static void note_highest(tally *of, uint64_t value)
{
    uint64_t there = __atomic_load_n(&of->highest, __ATOMIC_RELAXED);

    while (value > there
           && !__atomic_compare_exchange_n(&of->highest, &there, value, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED)) {
    }
}

/* 0: refused, as it may be; -1: something is wrong. */
static int request_one(met_gateway *own, const char *key, tally *of,
                       int is_served)
{
    met_gateway_decision reply = {.struct_size = sizeof reply};
    met_gateway_outcome outcome = {
        .struct_size = sizeof outcome,
        .status = 200,
        .flags = is_served ? 0 : MET_GATEWAY_NOT_SERVED};
    met_pair header = {"apikey", 6, key, strlen(key)};
    met_gateway_request request = {.struct_size = sizeof request,
                                   .method = "GET",
                                   .method_size = 3,
                                   .path = "/anything",
                                   .path_size = 9,
                                   .client_ip = "203.0.113.7",
                                   .client_ip_size = 11,
                                   .headers = &header,
                                   .header_count = 1};

    if (met_gateway_admit(own, &request, &reply) != MET_OK) {
        return -1;
    }
    if (!reply.is_admitted) {
        return reply.status == 429 ? 0 : -1;
    }
    add(&of->admitted, 1);
    note_highest(of, add(&of->in_use, 1));
    if (!is_served) {
        add(&of->in_use, (uint64_t)-1); /* before somebody else has it */
    }
    if (met_gateway_complete(own, &reply.ticket, &outcome) != MET_OK) {
        return -1;
    }
    add(&of->completed, (uint64_t)is_served);
    return 1;
}

/* How many snapshots it has mapped; 0: nobody can say. */
static uint64_t mapped_by(met_gateway *own)
{
    met_buffer stats = {0};

    if (met_gateway_stats(own, &stats, NULL) != MET_OK) {
        return 0;
    }
    const char *found = strstr(stats.data, "\"mapped\":");
    uint64_t count = found != NULL ? strtoull(found + 9, NULL, 10) : 0;
    met_buffer_release(&stats);
    return count;
}

/* Until it has met a snapshot that is newer than the one it began with. */
static met_error meet_another(met_gateway *own)
{
    met_error error = MET_OK;

    while (error == MET_OK && mapped_by(own) == 1) {
        error = met_gateway_tick(own);
        let_others();
    }
    return error;
}

static void *work(void *context)
{
    uint64_t number = *(uint64_t *)context;
    met_gateway_config config = {.struct_size = sizeof config};
    met_gateway *own;
    met_error error = met_gateway_open(store, &config, &own, NULL);

    add(&opened, 1);
    if (error != MET_OK) {
        return "open";
    }
    for (uint64_t i = 0; i < REQUESTS; i++) {
        if (i == REQUESTS / 2 && meet_another(own) != MET_OK) {
            return "tick";
        }
        if (request_one(own, "ariel-key", &ariel, (i + number) % 8 != 0) < 0
            || request_one(own, "rosario-key", &rosario, i % 5 != 0) < 0) {
            return "request";
        }
        if (i % 16 == number && met_gateway_tick(own) != MET_OK) {
            return "tick";
        }
    }
    add(&mapped, mapped_by(own));
    met_gateway_close(own);
    return NULL;
}

/* Adds a route, so that a new snapshot is due, and settles: once all workers
 * have the snapshot that was there before. */
static void *change(void *context)
{
    char json[256];

    (void)context;
    while (__atomic_load_n(&opened, __ATOMIC_ACQUIRE) < THREADS) {
        let_others();
    }
    for (int i = 0; i < CHANGES || !__atomic_load_n(&is_over,
                                                    __ATOMIC_ACQUIRE);
         i++) {
        met_buffer out = {0};
        snprintf(json, sizeof json,
                 "{\"_format_version\":\"3.0\",\"services\":[{\"name\":"
                 "\"more%d\",\"url\":\"http://127.0.0.1:9/\","
                 "\"routes\":[{\"name\":\"more%d\",\"paths\":[\"/more%d\"]"
                 "}]}]}",
                 i % 64, i % 64, i % 64);
        if (met_catalog_apply(store, json, strlen(json), 0, 0, &out, NULL)
            != MET_OK) {
            return "apply";
        }
        met_buffer_release(&out);
        if (met_store_settle(store, NULL, &out, NULL) != MET_OK) {
            return "settle";
        }
        met_buffer_release(&out);
        if (i < CHANGES_IN_TIME) {
            __atomic_add_fetch(&shared_now_ns, 2 * MET__SECOND_NS,
                               __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void must_join(pthread_t thread)
{
    void *failed = NULL;

    assert_int_equal(pthread_join(thread, &failed), 0);
    if (failed != NULL) {
        fail_msg("a thread failed at %s", (const char *)failed);
    }
}

static void test_gateway__threads_never_give_too_much(void **state)
{
    static uint64_t numbers[THREADS];
    pthread_t threads[THREADS];
    pthread_t changer;
    met_gateway *own;

    (void)state;
    must_apply_story(",{\"name\":\"rate-limiting\",\"consumer\":\"ariel\","
                     "\"config\":{\"hour\":1000000}},"
                     "{\"name\":\"rate-limiting\",\"consumer\":\"rosario\","
                     "\"config\":{\"hour\":40}}");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "300", "false");
    shared_now_ns = clock_now_ns;
    reopen_for_threads();
    assert_int_equal(pthread_create(&changer, NULL, change, NULL), 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        must_join(threads[i]);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
    must_join(changer);
    clock_now_ns = shared_now_ns;
    /* What was not served came back, to the last unit. */
    fresh();
    assert_ok(met_gateway_open(store, NULL, &own, &told));
    while (request_one(own, "ariel-key", &ariel, 1) > 0) {
    }
    met_gateway_close(own);
    assert_int_equal(ariel.completed, ALLOWED);
    assert_true(ariel.highest <= ALLOWED);
    assert_true(ariel.admitted > ALLOWED);
    assert_int_equal(rosario.admitted, LIMITED);
    assert_true(mapped >= 2 * THREADS); /* each met another on its way */
    assert_int_equal(usage_of("{\"feature\":\"example_service\","
                              "\"customer\":\"ariel\"}"),
                     ariel.completed);
    assert_int_equal(usage_of("{\"feature\":\"example_service\","
                              "\"customer\":\"rosario\"}"),
                     rosario.completed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_gateway__threads_never_give_too_much, gateway_setup,
            gateway_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kill -9 at any moment of worker processes that admit and complete, and of the
 * one that changes routes and settles, which compiles snapshots: usage is what
 * was acknowledged, and at most one request more for each killed worker; an
 * allowance is never exceeded, and at most one unit for each killed worker
 * stays withheld. Every round is a month of its own with a fresh allowance. */
#include "support/gateway_calls.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3
#define SETTLER WORKERS
#define ROUNDS 12
#define KILLS 4 /* of each round */
#define ALLOWED 1500
#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

/* Shared with the workers. */
typedef struct witness {
    uint64_t round;
    int64_t now_ns;
    uint64_t acknowledged[ROUNDS];
    uint64_t started[WORKERS + 1];
    uint64_t changes; /* of routes */
    uint64_t idle[WORKERS]; /* round + 1 in which it met a used-up allowance */
} witness;

static witness *seen;
static uint64_t dice_state = 20260315;

static uint64_t dice(void)
{
    uint64_t z = dice_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void work(int me)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = 200};

    clock_now_ns = LOAD(seen->now_ns);
    if (open_documents("s", 0, &store) != MET_OK
        || met_gateway_open(store, NULL, &gateway, NULL) != MET_OK) {
        _exit(3);
    }
    STORE(seen->started[me], 1);
    for (uint64_t i = 0;; i++) {
        uint64_t round = LOAD(seen->round);
        clock_now_ns = LOAD(seen->now_ns);
        if (i % 64 == 0 && met_gateway_tick(gateway) != MET_OK) {
            _exit(4);
        }
        met_gateway_request request = request_of("/anything", "ariel-key");
        decision.struct_size = sizeof decision;
        if (met_gateway_admit(gateway, &request, &decision) != MET_OK) {
            _exit(5);
        }
        if (!decision.is_admitted) {
            if (decision.reason != MET_GATEWAY_REASON_USAGE_LIMIT_REACHED) {
                _exit(6);
            }
            STORE(seen->idle[me], round + 1);
            usleep(1000);
            continue;
        }
        if (i % 3 == 0) {
            usleep(150); /* so that many die here, and the allowance lasts */
        }
        if (met_gateway_complete(gateway, &decision.ticket, &outcome)
            != MET_OK) {
            _exit(7);
        }
        __atomic_add_fetch(&seen->acknowledged[round], 1, __ATOMIC_SEQ_CST);
    }
}

static void settle_on(void)
{
    char json[256];

    clock_now_ns = LOAD(seen->now_ns);
    if (open_documents("s", 0, &store) != MET_OK) {
        _exit(8);
    }
    STORE(seen->started[SETTLER], 1);
    for (;;) {
        met_buffer out = {0};
        clock_now_ns = LOAD(seen->now_ns);
        snprintf(json, sizeof json,
                 "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\","
                 "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":"
                 "\"s\",\"paths\":[\"/s%llu\"]}]}]}",
                 (unsigned long long)__atomic_add_fetch(&seen->changes, 1,
                                                        __ATOMIC_RELAXED));
        met_error error = met_catalog_apply(store, json, strlen(json), 0, 0,
                                            &out, NULL);
        met_buffer_release(&out);
        if (error != MET_OK) {
            _exit(10);
        }
        error = met_store_settle(store, NULL, &out, NULL);
        if (error != MET_OK) {
            _exit(9);
        }
        met_buffer_release(&out);
        usleep(3000);
    }
}

static pid_t start(int me)
{
    STORE(seen->started[me], 0);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody */
        if (me == SETTLER) {
            settle_on();
        }
        work(me);
    }
    return child;
}

static void kill_one(pid_t *children, int victim)
{
    int status;

    assert_int_equal(kill(children[victim], SIGKILL), 0);
    assert_int_equal(waitpid(children[victim], &status, 0),
                     children[victim]);
    if (!WIFSIGNALED(status)) {
        fail_msg("worker %d ended by itself: %d", victim,
                 WEXITSTATUS(status));
    }
    if (victim < WORKERS) {
        seen->idle[victim] = 0;
    }
}

static void wait_until_used_up(pid_t *children)
{
    uint64_t wanted = seen->round + 1;

    for (int ready = 0; !ready;) {
        ready = 1;
        for (int i = 0; i < WORKERS; i++) {
            ready &= LOAD(seen->idle[i]) == wanted;
        }
        for (int i = 0; i <= WORKERS; i++) {
            int status;
            if (waitpid(children[i], &status, WNOHANG) != 0) {
                fail_msg("worker %d ended by itself: %d", i,
                         WEXITSTATUS(status));
            }
        }
        usleep(1000);
    }
}

/* Month `round` after the subscription began. */
static int64_t time_of_round(int round)
{
    char text[32];
    int month = 3 + round;

    snprintf(text, sizeof text, "%04d-%02d-16T00:00:00Z",
             2026 + (month - 1) / 12, (month - 1) % 12 + 1);
    return time_of(text);
}

static void test_gateway__killed_workers(void **state)
{
    pid_t children[WORKERS + 1];
    uint64_t kills[ROUNDS] = {0};
    uint64_t withheld = 0;

    (void)state;
    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "1500", "false");
    met_store_close(store);
    store = NULL;
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    seen->now_ns = time_of_round(0);
    for (int i = 0; i <= WORKERS; i++) {
        children[i] = start(i);
    }
    for (int round = 0; round < ROUNDS; round++) {
        STORE(seen->now_ns, time_of_round(round));
        STORE(seen->round, (uint64_t)round);
        for (int i = 0; i < KILLS; i++) {
            int victim = (int)(dice() % (WORKERS + 1));
            /* Not all of them while they still open their handles. */
            for (int k = 0; dice() % 4 != 0 && k < 2000
                            && !LOAD(seen->started[victim]);
                 k++) {
                usleep(1000);
            }
            usleep((useconds_t)(dice() % 30000));
            kill_one(children, victim);
            kills[round] += victim < WORKERS;
            children[victim] = start(victim);
        }
        wait_until_used_up(children);
    }
    for (int i = 0; i <= WORKERS; i++) {
        kill_one(children, i);
    }
    clock_now_ns = seen->now_ns + MET__HOUR_NS;
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
    assert_true(seen->changes > 10);
    must_open_gateway(0); /* whatever was left half done */
    assert_int_equal(serve("/anything", "rosario-key"), 200);
    for (int round = 0; round < ROUNDS; round++) {
        char query[256];
        char from[MET_TIME_TEXT_SIZE];
        char to[MET_TIME_TEXT_SIZE];
        assert_int_equal(met_time_format(time_of_round(round), from), MET_OK);
        assert_int_equal(
            met_time_format(time_of_round(round) + MET__HOUR_NS, to), MET_OK);
        snprintf(query, sizeof query,
                 "{\"feature\":\"example_service\",\"customer\":\"ariel\","
                 "\"from\":\"%s\",\"to\":\"%s\"}",
                 from, to);
        uint64_t usage = usage_of(query);
        uint64_t acknowledged = seen->acknowledged[round];
        withheld += ALLOWED - usage;
        assert_true(usage >= acknowledged);
        assert_true(usage <= acknowledged + kills[round]);
        assert_true(usage <= ALLOWED);
        assert_true(usage + kills[round] >= ALLOWED);
    }
    assert_true(withheld > 0); /* some died between admit and complete */
    munmap(seen, sizeof *seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gateway__killed_workers,
                                        gateway_setup, gateway_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

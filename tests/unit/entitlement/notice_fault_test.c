/* Notices while the k-th allocation fails, of the library's and below it, and
 * while the disk refuses the k-th write: a call that fails has changed nothing,
 * and in the end every cause has its one notice. */
#include "support/syscalls.h"
#include "unit/entitlement/notice_support.h"

static met_error call_put(void)
{
    return put_rule("{\"key\":\"r\",\"name\":\"R\",\"features\":["
                    "\"example_service\"],\"type\":"
                    "\"entitlements.balance.threshold\"," AT_50_80 "}");
}
static met_error call_put_reset(void)
{
    return put_rule("{\"key\":\"s\",\"name\":\"S\",\"type\":"
                    "\"entitlements.reset\"}");
}
static met_error call_get(void)
{
    met_buffer *buffer = fresh();
    return keep(met_notice_rule_get(store, "warn", 4, buffer, &told), buffer);
}
static met_error call_rules(void)
{
    met_buffer *buffer = fresh();
    return keep(met_notice_rule_list(store, buffer, &told), buffer);
}
static met_error call_list(void)
{
    return list_notices(10);
}
static met_error call_next(void)
{
    return next_notices(10, 0);
}
static char waiting_id[32];
static met_error call_ack(void)
{
    return ack(waiting_id, 0);
}
static met_error call_remove(void)
{
    fresh();
    return met_notice_rule_remove(store, "r", 1, &told);
}
static met_error call_tick(void)
{
    return met__notice_tick(store);
}

typedef met_error (*call)(void);
/* In an order in which each has something to do. */
static const call calls[] = {call_put,  call_put_reset, call_tick, call_get,
                             call_rules, call_list,     call_next, call_ack,
                             call_remove};

static void begin(void)
{
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    must_use_now("a", 60);
    assert_ok(list_notices(1));
    snprintf(waiting_id, sizeof waiting_id, "%s", shown("items.0.id"));
}

/* --- Memory --------------------------------------------------------------- */
static void memory_is_back(void)
{
    memory.fail_at = 0;
#ifdef SYSCALL_MEMORY
    memory_faults.is_armed = 0;
#endif
}

static void sweep(call which, size_t number, int is_below)
{
    int done = 0;

    for (long k = 1; !done; k++) {
        uint64_t before = stored_digest();
        memory.calls = 0;
        if (is_below) {
#ifdef SYSCALL_MEMORY
            syscall_arm(&memory_faults, k, 0, 0);
#endif
        } else {
            memory.fail_at = k;
        }
        met_error error = which();
        memory_is_back();
        done = error == MET_OK;
        if (!done && error != MET_E_NO_MEMORY) {
            fail_msg("call %zu, allocation %ld: %s \"%s\"", number, k,
                     met_error_name(error), told.reason);
        }
        /* A tick has transactions of its own: what is done is done. */
        assert_true(done || which == call_tick || stored_digest() == before);
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    begin();
    when_answered = memory_is_back;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        sweep(calls[i], i, 0);
    }
    when_answered = NULL;
}

static void memory_below_runs_out(void **state)
{
    (void)state;
#ifdef SYSCALL_MEMORY
    begin();
    when_answered = memory_is_back;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        sweep(calls[i], i, 1);
    }
    when_answered = NULL;
#endif
}

/* A settlement that fails has told nothing; the next one tells once. */
static void settlement_runs_out_of_memory(void **state)
{
    (void)state;
    begin();
    must_use_at("a", "example_service", clock_now_ns, 30, 0);
    met__recorder_close(recorder);
    recorder = NULL;
    met_error error = MET_E_NO_MEMORY;
    for (long k = 1; error != MET_OK; k++) {
        assert_waiting("1");
        memory.calls = 0;
        memory.fail_at = k;
        error = settle();
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
    }
    assert_waiting("2");
    assert_next("usage_percentage", "50");
    assert_next("usage_percentage", "80");
}

/* --- The disk ------------------------------------------------------------- */
/* A cause, and its delivery, each with the k-th write failing. */
static void writes_fail(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    int done = 0;
    unsigned notices = 1;
    char count[16];

    (void)state;
    begin();
    for (long k = 1; !done; k++) {
        /* 60 to 90 passes 80 %; 90 to 60 passes 50 %. */
        char json[512];
        snprintf(json, sizeof json,
                 "{\"id\":\"n%ld\",\"meter\":\"api_requests\",\"subject\":"
                 "\"a\",\"dimensions\":{\"service_name\":\"example_service\"},"
                 "\"time\":\"2026-03-15T10:00:00Z\",\"value\":\"%s\","
                 "\"reason\":\"r\",\"actor\":\"me\"}",
                 k, k % 2 ? "30" : "-30");
        fresh();
        syscall_arm(&write_faults, k, 0, errors[k % 2]);
        met_error error =
            met_usage_adjust(store, json, strlen(json), NULL, &told);
        done = write_faults.calls < k;
        write_faults.is_armed = 0;
        if (done ? error != MET_OK
                 : error != MET_E_IO && error != MET_E_DISK_FULL) {
            fail_msg("write %ld: %s", k, met_error_name(error));
        }
        open_again_if_over();
        fresh();
        assert_ok(met_usage_adjust(store, json, strlen(json), NULL, &told));
        snprintf(count, sizeof count, "%u", ++notices);
        assert_waiting(count);
    }
    assert_ok(next_notices(1000, 0));
    for (unsigned i = 0; i < notices; i++) {
        char path[48];
        snprintf(path, sizeof path, "items.%u.threshold.value", i);
        assert_shown(path, i % 2 ? "80" : "50");
    }
    assert_int_equal(check_all(store), MET_OK);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(memory_runs_out),
        CASE(memory_below_runs_out),
        CASE(settlement_runs_out_of_memory),
        CASE(writes_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

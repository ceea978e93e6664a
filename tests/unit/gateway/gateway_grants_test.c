/* Allowances and grants from the call that gives to the request that is let in:
 * two handles of this process and two worker processes admit at once whatever
 * they can get. After every change it is exactly what is left, and after the
 * next settlement the balance is what was granted less what was admitted. Where
 * an allowance may be late, the test says in whose favour, and how far. */
#include "support/gateway_calls.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metering/entitlement.h"
#include "metering/grant.h"

#define WORKERS 2
#define HANDLES 2
#define EACH 40 /* requests of each in a round */
#define ALLOWED 20

/* What a worker is told, and what it says. */
typedef struct order {
    int64_t now_ns;
    uint32_t requests;
    uint32_t ticks; /* learns of a changed catalog before */
    char key[32];
} order;
typedef struct report {
    uint32_t admitted;
    uint32_t odd; /* neither admitted nor USAGE_LIMIT_REACHED */
} report;

typedef struct worker {
    pid_t process;
    int orders;
    int reports;
} worker;

static worker workers[WORKERS];
static met_gateway *second;

/* --- Requests ------------------------------------------------------------- */
static report follow(met_gateway *with, const order *told_to)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = 200};
    report said = {0};

    if (told_to->ticks) {
        said.odd += met_gateway_tick(with) != MET_OK;
    }
    for (uint32_t i = 0; i < told_to->requests; i++) {
        met_gateway_request request = request_of("/anything", told_to->key);
        decision.struct_size = sizeof decision;
        if (met_gateway_admit(with, &request, &decision) != MET_OK) {
            said.odd++;
        } else if (!decision.is_admitted) {
            said.odd += decision.status != 429
                        || strcmp(decision.reason_name,
                                  "USAGE_LIMIT_REACHED")
                               != 0;
        } else {
            said.admitted++;
            said.odd += met_gateway_complete(with, &decision.ticket, &outcome)
                        != MET_OK;
        }
    }
    return said;
}

static void work(int orders, int reports)
{
    order told_to;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody */
    while (read(orders, &told_to, sizeof told_to) == sizeof told_to) {
        clock_now_ns = told_to.now_ns;
        if (gateway == NULL
            && (open_documents("s", 0, &store) != MET_OK
                || met_gateway_open(store, NULL, &gateway, NULL)
                       != MET_OK)) {
            _exit(3);
        }
        report said = follow(gateway, &told_to);
        if (write(reports, &said, sizeof said) != sizeof said) {
            _exit(4);
        }
    }
    _exit(0);
}

/* All four ask at once, each `requests` times; how many got in. */
static int rush(const char *time, const char *key, uint32_t requests,
                uint32_t ticks)
{
    order told_to = {.requests = requests, .ticks = ticks};
    met_gateway *ours[HANDLES] = {gateway, second};
    report all = {0};

    clock_now_ns = time_of(time);
    told_to.now_ns = clock_now_ns;
    snprintf(told_to.key, sizeof told_to.key, "%s", key);
    if (ticks) { /* one has finished it: everybody's next request knows */
        assert_int_equal(met_gateway_tick(gateway), MET_OK);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(write(workers[i].orders, &told_to, sizeof told_to),
                         sizeof told_to);
    }
    for (int i = 0; i < WORKERS + HANDLES; i++) {
        report said = {0};
        if (i < HANDLES) {
            said = follow(ours[i], &told_to);
        } else {
            assert_int_equal(read(workers[i - HANDLES].reports, &said,
                                  sizeof said),
                             sizeof said);
        }
        all.admitted += said.admitted;
        all.odd += said.odd;
    }
    assert_int_equal(all.odd, 0);
    return (int)all.admitted;
}

/* Ariel's; everybody knows of a changed catalog. */
static int drain(const char *time)
{
    return rush(time, "ariel-key", EACH, 1);
}

/* So many, and no more are asked for. */
static void take(const char *time, uint32_t count)
{
    order told_to = {.requests = count, .key = "ariel-key"};

    clock_now_ns = time_of(time);
    report said = follow(gateway, &told_to);
    assert_int_equal(said.odd, 0);
    assert_int_equal(said.admitted, count);
}

/* --- Entitlements --------------------------------------------------------- */
static const char *must_grant(const char *customer, const char *members)
{
    static char ids[4][32];
    static unsigned turn;
    char *id = ids[turn++ % 4];
    char json[512];
    met_buffer *out = fresh();

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"feature\":{\"key\":"
             "\"example_service\"}%s}",
             customer, members);
    assert_ok(keep(met_grant_create(store, json, strlen(json), 0, out, &told),
                   out));
    snprintf(id, sizeof ids[0], "%s", shown("id"));
    return id;
}

static void must_entitle(int overrides, const char *members)
{
    char json[512];
    met_buffer *out = fresh();

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"rosario\"},\"feature\":{\"key\":"
             "\"example_service\"},\"type\":\"metered\"%s}",
             members);
    assert_ok(keep((overrides ? met_entitlement_override
                              : met_entitlement_create)(
                       store, json, strlen(json), 0, out, &told),
                   out));
}

/* Settles; then what is left, was used, and is owed. */
static void settled(const char *customer, const char *balance,
                    const char *usage, const char *overage)
{
    assert_ok(settle());
    met_buffer *out = fresh();
    assert_ok(keep(met_entitlement_get(store, customer, strlen(customer),
                                       "example_service", 15, 0, out, &told),
                   out));
    if (strcmp(shown("balance"), balance) != 0
        || strcmp(shown("usage"), usage) != 0
        || strcmp(shown("overage"), overage) != 0) {
        fail_msg("balance %s, usage %s, overage %s; not %s, %s, %s",
                 shown("balance"), shown("usage"), shown("overage"), balance,
                 usage, overage);
    }
}

/* --- What is given comes in at once, to the unit -------------------------- */
static void a_top_up_lets_in_exactly_as_many(void **state)
{
    (void)state;
    assert_int_equal(drain("2026-03-15T10:30:00Z"), ALLOWED);
    assert_int_equal(drain("2026-03-15T10:31:00Z"), 0);
    must_grant("ariel", ",\"amount\":\"7\""); /* nothing is settled yet */
    assert_int_equal(drain("2026-03-15T10:32:00Z"), 7);
    settled("ariel", "0", "27", "0");
    must_grant("ariel", ",\"amount\":\"11\"");
    assert_int_equal(drain("2026-03-15T10:33:00Z"), 11);
    settled("ariel", "0", "38", "0");
    assert_int_equal(drain("2026-03-15T10:34:00Z"), 0);
}

static void what_is_voided_lets_nobody_in(void **state)
{
    (void)state;
    assert_int_equal(drain("2026-03-15T10:30:00Z"), ALLOWED);
    settled("ariel", "0", "20", "0");
    /* In the minute of the usage it would have paid that. */
    clock_now_ns = time_of("2026-03-15T10:31:00Z");
    const char *id = must_grant("ariel", ",\"amount\":\"9\"");
    take("2026-03-15T10:31:30Z", 2);
    clock_now_ns = time_of("2026-03-15T10:32:00Z");
    fresh();
    assert_ok(met_grant_void(store, id, 26, 0, 0, NULL, &told));
    assert_int_equal(drain("2026-03-15T10:32:01Z"), 0);
    settled("ariel", "0", "22", "0"); /* what it paid stays paid */
    assert_int_equal(drain("2026-03-15T10:33:00Z"), 0);
}

/* --- Instants ------------------------------------------------------------- */
static void it_expires_at_its_minute(void **state)
{
    (void)state;
    must_grant("ariel", ",\"amount\":\"50\",\"expiration\":{\"duration\":"
                        "\"hour\",\"count\":1}");
    take("2026-03-15T10:31:00Z", 30);
    settled("ariel", "40", "30", "0");
    take("2026-03-15T11:29:59Z", 5); /* the grant has 15 left */
    /* Nobody is called. The 5 are not settled: until then they may count as
     * paid by what stays, never as paid by what is gone. */
    assert_int_equal(drain("2026-03-15T11:30:00Z"), ALLOWED - 5);
    settled("ariel", "5", "50", "0");
    assert_int_equal(drain("2026-03-15T11:31:00Z"), 5);
    settled("ariel", "0", "55", "0");
}

static void it_begins_at_its_minute(void **state)
{
    (void)state;
    must_grant("ariel",
               ",\"amount\":\"6\",\"effective_at\":\"2026-03-15T12:00:00Z\"");
    assert_int_equal(drain("2026-03-15T11:59:59Z"), ALLOWED);
    assert_int_equal(drain("2026-03-15T12:00:00Z"), 6);
    settled("ariel", "0", "26", "0");
}

static void it_recurs_at_its_minute(void **state)
{
    (void)state;
    must_grant("ariel", ",\"amount\":\"10\",\"recurrence\":{\"interval\":"
                        "\"P1D\"}");
    assert_int_equal(drain("2026-03-15T10:31:00Z"), ALLOWED + 10);
    settled("ariel", "0", "30", "0");
    assert_int_equal(drain("2026-03-16T10:29:59Z"), 0);
    assert_int_equal(drain("2026-03-16T10:30:00Z"), 10);
    /* The one after the next is known from a settlement in between. */
    assert_int_equal(drain("2026-03-17T10:29:59Z"), 0);
    settled("ariel", "0", "40", "0");
    assert_int_equal(drain("2026-03-17T10:30:00Z"), 10);
    settled("ariel", "0", "50", "0");
    assert_int_equal(drain("2026-03-18T10:30:00Z"), 10);
    assert_int_equal(drain("2026-03-19T10:30:00Z"), 0); /* it is late */
    settled("ariel", "10", "60", "0");
    assert_int_equal(drain("2026-03-19T10:31:00Z"), 10);
    settled("ariel", "0", "70", "0");
}

/* --- Usage periods -------------------------------------------------------- */
static void a_period_issues_at_once(void **state)
{
    (void)state;
    assert_int_equal(drain("2026-03-15T10:31:00Z"), ALLOWED);
    settled("ariel", "0", "20", "0");
    assert_int_equal(drain("2026-04-15T10:29:59Z"), 0);
    assert_int_equal(drain("2026-04-15T10:30:00Z"), ALLOWED);
    settled("ariel", "0", "20", "0");
    assert_int_equal(drain("2026-05-15T10:30:00Z"), ALLOWED);
}

static void what_is_left_over_comes_with_the_first_settlement(void **state)
{
    (void)state;
    must_grant("ariel", ",\"amount\":\"30\",\"max_rollover_amount\":\"12\","
                        "\"min_rollover_amount\":\"3\"");
    take("2026-03-15T10:31:00Z", 10);
    settled("ariel", "40", "10", "0");
    clock_now_ns = time_of("2026-03-15T11:00:00Z");
    settled("ariel", "40", "10", "0"); /* nothing of before is under way */
    take("2026-04-15T10:29:59Z", 13); /* 7 are left, who knows */
    /* What is certain is there at once. */
    assert_int_equal(drain("2026-04-15T10:30:00Z"), ALLOWED + 3);
    settled("ariel", "4", "23", "0");
    assert_int_equal(drain("2026-04-15T10:31:00Z"), 4);
    settled("ariel", "0", "27", "0");
}

/* Nothing but a grant: until the first settlement nobody is let in. */
static void the_prepaid_wait_for_the_first_settlement(void **state)
{
    (void)state;
    must_entitle(0, ",\"usage_period\":{\"interval\":\"PT1H\"}");
    must_grant("rosario", ",\"amount\":\"25\"");
    assert_int_equal(rush("2026-03-15T10:31:00Z", "rosario-key", 3, 1), 12);
    settled("rosario", "13", "12", "0");
    assert_int_equal(rush("2026-03-15T11:30:00Z", "rosario-key", EACH, 1), 0);
    settled("rosario", "13", "0", "0");
    assert_int_equal(rush("2026-03-15T11:30:01Z", "rosario-key", EACH, 1),
                     13);
    settled("rosario", "0", "13", "0");
}

/* --- By hand -------------------------------------------------------------- */
static void must_reset(const char *time)
{
    met_buffer *out = fresh();

    clock_now_ns = time_of(time);
    assert_ok(keep(met_entitlement_reset(store, "ariel", 5, "example_service",
                                         15, NULL, 0, out, &told),
                   out));
}

static void a_reset_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(drain("2026-03-15T10:31:00Z"), ALLOWED);
    settled("ariel", "0", "20", "0");
    must_reset("2026-03-16T08:15:00Z");
    assert_int_equal(drain("2026-03-16T08:15:02Z"), ALLOWED);
    settled("ariel", "0", "20", "0");
    /* The next ones go by the reset. */
    assert_int_equal(drain("2026-04-15T10:30:00Z"), 0);
    assert_int_equal(drain("2026-04-16T08:15:00Z"), ALLOWED);
    settled("ariel", "0", "20", "0");
}

/* Who has not heard of it yet takes what was left before, no more, and it
 * counts as used of the new period. */
static void late_workers_take_what_was_left_before_a_reset(void **state)
{
    (void)state;
    take("2026-03-15T10:31:00Z", ALLOWED - 8);
    settled("ariel", "8", "12", "0");
    must_reset("2026-03-16T08:15:00Z");
    assert_int_equal(rush("2026-03-16T08:15:00Z", "ariel-key", EACH, 0), 8);
    settled("ariel", "12", "8", "0");
    assert_int_equal(drain("2026-03-16T08:15:02Z"), ALLOWED - 8);
    settled("ariel", "0", "20", "0");
}

/* And when nothing was settled in between, just as much goes beyond it. */
static void a_reset_overshoots_by_what_was_left_at_most(void **state)
{
    (void)state;
    take("2026-03-15T10:31:00Z", ALLOWED - 8);
    settled("ariel", "8", "12", "0");
    must_reset("2026-03-16T08:15:00Z");
    assert_int_equal(rush("2026-03-16T08:15:00Z", "ariel-key", EACH, 0), 8);
    assert_int_equal(drain("2026-03-16T08:15:02Z"), ALLOWED);
    settled("ariel", "0", "28", "8");
    assert_int_equal(drain("2026-03-16T08:16:00Z"), 0);
}

/* With grants, what was left before is in the new period already: the old one
 * is over for everybody, who has not heard of it is let in a second later. */
static void nothing_is_left_behind_a_reset_with_grants(void **state)
{
    (void)state;
    must_grant("ariel", ",\"amount\":\"15\"");
    take("2026-03-15T10:31:00Z", 5);
    must_reset("2026-03-16T08:15:00Z"); /* 5 are not settled */
    assert_int_equal(rush("2026-03-16T08:15:00Z", "ariel-key", EACH, 0), 0);
    assert_int_equal(drain("2026-03-16T08:15:02Z"), ALLOWED + 10);
    settled("ariel", "0", "30", "0");
}

/* --- Other entitlements --------------------------------------------------- */
static void one_that_stands_alone(void **state)
{
    (void)state;
    must_entitle(0, ",\"usage_period\":{\"interval\":\"PT1H\"},"
                    "\"issue_after_reset\":\"3\"");
    assert_int_equal(rush("2026-03-15T10:30:02Z", "rosario-key", EACH, 1), 3);
    settled("rosario", "0", "3", "0");
    assert_int_equal(rush("2026-03-15T11:30:00Z", "rosario-key", EACH, 1), 3);
    /* Another one in its place: 5, from now on. */
    clock_now_ns = time_of("2026-03-15T11:40:00Z");
    must_entitle(1, ",\"usage_period\":{\"interval\":\"PT1H\"},"
                    "\"issue_after_reset\":\"5\"");
    assert_int_equal(rush("2026-03-15T11:40:02Z", "rosario-key", EACH, 1), 5);
    settled("rosario", "0", "5", "0");
    assert_int_equal(rush("2026-03-15T12:40:00Z", "rosario-key", EACH, 1), 5);
    settled("rosario", "0", "5", "0");
}

static void a_soft_limit_lets_everybody_in(void **state)
{
    (void)state;
    must_entitle(0, ",\"usage_period\":{\"interval\":\"P1D\"},"
                    "\"issue_after_reset\":\"3\",\"is_soft_limit\":true");
    assert_int_equal(rush("2026-03-15T10:30:02Z", "rosario-key", EACH, 1),
                     (WORKERS + HANDLES) * EACH);
    settled("rosario", "0", "160", "157");
    assert_shown("has_access", "true");
}

/* --- Setup ---------------------------------------------------------------- */
static void start(worker *one)
{
    int orders[2];
    int reports[2];

    assert_int_equal(pipe(orders), 0);
    assert_int_equal(pipe(reports), 0);
    one->process = fork();
    assert_true(one->process >= 0);
    if (one->process == 0) {
        for (worker *other = workers; other < one; other++) {
            close(other->orders); /* so that it hears of the end */
        }
        close(orders[1]);
        close(reports[0]);
        work(orders[0], reports[1]);
    }
    close(orders[0]);
    close(reports[1]);
    one->orders = orders[1];
    one->reports = reports[0];
}

/* Workers begin when this process has nothing open. */
static int setup(void **state)
{
    order nothing = {.now_ns = 0};
    report said;
    int failed = gateway_setup(state);

    must_apply_story("");
    must_sell("ariel", "free", "{\"type\":\"free\"}", "20", "false");
    met_store_close(store);
    store = NULL;
    for (int i = 0; i < WORKERS; i++) {
        start(&workers[i]);
    }
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
    must_open_gateway(0);
    second = gateway;
    must_open_gateway(0);
    nothing.now_ns = clock_now_ns;
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(write(workers[i].orders, &nothing, sizeof nothing),
                         sizeof nothing);
        assert_int_equal(read(workers[i].reports, &said, sizeof said),
                         sizeof said);
    }
    return failed;
}

static int teardown(void **state)
{
    for (int i = 0; i < WORKERS; i++) {
        int status;
        close(workers[i].orders);
        close(workers[i].reports);
        assert_int_equal(waitpid(workers[i].process, &status, 0),
                         workers[i].process);
        assert_int_equal(status, 0);
    }
    met_gateway_close(second);
    return gateway_teardown(state);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_top_up_lets_in_exactly_as_many),
        CASE(what_is_voided_lets_nobody_in),
        CASE(it_expires_at_its_minute),
        CASE(it_begins_at_its_minute),
        CASE(it_recurs_at_its_minute),
        CASE(a_period_issues_at_once),
        CASE(what_is_left_over_comes_with_the_first_settlement),
        CASE(the_prepaid_wait_for_the_first_settlement),
        CASE(a_reset_begins_anew),
        CASE(late_workers_take_what_was_left_before_a_reset),
        CASE(a_reset_overshoots_by_what_was_left_at_most),
        CASE(nothing_is_left_behind_a_reset_with_grants),
        CASE(one_that_stands_alone),
        CASE(a_soft_limit_lets_everybody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The limiter's own code under every interleaving of its atomic operations: two
 * threads with up to two calls each on a table of two places, a kill between
 * any two operations, and older values where loads may return them.
 * MODEL_TRACE=1 prints the operations of a failure, MODEL_FILTER=name runs one
 * test. --orders takes the memory order from one operation after the other and
 * says which the searches with older values catch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "atomic_model.h"
#include "limit/limiter_plan.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define START (1000 * MINUTE)
#define THREADS 2
#define CALLS 3
#define KEYS 4
#define PLACES 2 /* of the table: MET__GROUP_PLACES */

enum { NONE, BEGUN, ALLOWED, REFUSED, KILLED };

typedef struct call {
    uint64_t state;
    uint64_t key;
    uint64_t cost;
    uint64_t begun; /* the clock when it was called ... */
    uint64_t ended; /* ... and when it came back */
} call;

/* The books. Words only: the search hashes them. */
static struct {
    uint64_t clock;
    uint64_t calls[THREADS];
    call call[THREADS][CALLS];
} all;

static _Alignas(64) unsigned char memory[1 << 20];
static met__platform platform;
static met__os os;
static met_limiter *limiter;
static void (*script[THREADS])(int me);

/* What a key may have, by its policy. */
static struct {
    uint64_t most; /* in a stretch of window_ns; 0: not looked at */
    uint64_t least; /* that must have been let through, or withheld */
    uint64_t window_ns;
    uint32_t policy;
} key_has[KEYS + PLACES];

/* Requests for key 0 that were let through before. */
static uint64_t earlier[32];
static int earlier_count;

/* --- The table -------------------------------------------------------------- */
static int same_bytes(void *context, void *bytes, size_t size)
{
    memset(bytes, 0x35, size);
    return 0;
}

static int64_t read_clock(void *context)
{
    model_note(all.clock);
    return (int64_t)all.clock;
}

static uint32_t set_policy(const char *name, const met_limiter_window *windows,
                           size_t count)
{
    met_limiter_policy wanted = {.struct_size = sizeof wanted,
                                 .name = name,
                                 .name_size = 1,
                                 .windows = windows,
                                 .window_count = count};
    uint32_t number = 0;

    met_error error = met__limiter_policy_set(limiter, &wanted, &number,
                                              NULL);
    model_require(error == MET_OK || error == MET_E_BUSY);
    return number;
}

static uint32_t one_window(const char *name, uint64_t limit, uint64_t length,
                           uint32_t algorithm)
{
    met_limiter_window window = {.limit = limit,
                                 .window_ns = (int64_t)length,
                                 .algorithm = algorithm};

    return set_policy(name, &window, 1);
}

/* Works every shape out, so that none is worked out in a search. */
static void know_shapes(void)
{
    met__shape spare;

    for (uint32_t i = 1; i < MET__SHAPE_ROWS; i++) {
        met__shape_get(&limiter->table, i, &spare);
    }
}

static void open_table(void)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory,
                                 .memory_size = sizeof memory,
                                 .capacity = PLACES,
                                 .full_policy = MET_LIMITER_FULL_CLOSED};

    memset(memory, 0, sizeof memory);
    memset(&all, 0, sizeof all);
    memset(key_has, 0, sizeof key_has);
    earlier_count = 0;
    all.clock = START;
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    os = *platform.os;
    os.random = same_bytes;
    platform.os = &os;
    platform.clock.monotonic_ns = read_clock;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_OK);
}

/* Key is asked for under this policy. */
static void use(uint64_t key, uint32_t policy, uint64_t limit,
                uint64_t length)
{
    key_has[key].most = limit;
    key_has[key].least = limit;
    key_has[key].window_ns = length;
    key_has[key].policy = policy;
}

/* A table with one policy of one window of a minute. */
static void open_with(uint64_t limit, uint32_t algorithm)
{
    open_table();
    uint32_t policy = one_window("p", limit, MINUTE, algorithm);
    for (uint64_t key = 0; key < KEYS + PLACES; key++) {
        key_has[key].policy = policy;
    }
    use(0, policy, limit, MINUTE);
    know_shapes();
}

/* --- Calls ------------------------------------------------------------------ */
static uint64_t ask_with(uint64_t key, uint64_t now, uint64_t cost,
                         met_limiter_ticket *ticket_out)
{
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = key_has[key].policy,
                                   .kind = 1,
                                   .key = (const char *)&key,
                                   .key_size = sizeof key,
                                   .cost = cost,
                                   .monotonic_ns = (int64_t)now,
                                   .utc_ns = (int64_t)now};
    met_limiter_result result = {.struct_size = sizeof result};

    model_require(met__limiter_check(limiter, &request, &result) == MET_OK);
    *ticket_out = result.ticket;
    return result.is_allowed ? ALLOWED : REFUSED;
}

static uint64_t ask(uint64_t key, uint64_t now, uint64_t cost)
{
    met_limiter_ticket ticket;

    return ask_with(key, now, cost, &ticket);
}

/* A request at this moment, or later when it is later already: between reading
 * the clock and any operation a thread may stand still for as long as the calls
 * of the other one take. */
static void request_with(int me, uint64_t key, uint64_t at, uint64_t cost,
                         met_limiter_ticket *ticket_out)
{
    model_step();
    call *it = &all.call[me][all.calls[me]++];
    all.clock = all.clock < at ? at : all.clock;
    model_note(all.clock);
    *it = (call){BEGUN, key, cost, all.clock, 0};
    uint64_t answer = ask_with(key, it->begun, cost, ticket_out);
    it->ended = all.clock;
    it->state = answer;
}

static void request_of(int me, uint64_t key, uint64_t at, uint64_t cost)
{
    met_limiter_ticket ticket;

    request_with(me, key, at, cost, &ticket);
    model_forget();
    model_note(all.calls[me]);
}

static void killed(int me)
{
    if (all.calls[me] > 0) {
        call *it = &all.call[me][all.calls[me] - 1];
        it->state = it->state == BEGUN ? KILLED : it->state;
    }
}

/* --- What must hold --------------------------------------------------------- */
static const call *call_number(int index)
{
    return &all.call[index / CALLS][index % CALLS];
}

/* Whole in the stretch from `from` on. */
static uint64_t calls_in(uint64_t key, uint64_t from)
{
    uint64_t until = from + key_has[key].window_ns;
    uint64_t sum = 0;

    for (int i = 0; i < THREADS * CALLS; i++) {
        const call *it = call_number(i);
        if (it->state == ALLOWED && it->key == key && it->begun >= from
            && it->ended <= until) {
            sum += it->cost;
        }
    }
    for (int i = 0; i < earlier_count && key == 0; i++) {
        sum += earlier[i] >= from && earlier[i] <= until;
    }
    return sum;
}

/* In no stretch of a window's length more of the calls that lie in it whole
 * than it may have, `rest` of them at the moment `later`. */
static void check_promise(uint64_t key, uint64_t rest, uint64_t later)
{
    for (int i = 0; i < THREADS * CALLS + earlier_count; i++) {
        uint64_t from = i < THREADS * CALLS ? call_number(i)->begun
                                            : earlier[i - THREADS * CALLS];
        uint64_t sum = from + key_has[key].window_ns >= later ? rest : 0;
        model_require(sum + calls_in(key, from) <= key_has[key].most);
    }
}

/* What still passes, when the places of the killed are free; and what was
 * counted is neither lost nor more than what they and the withheld explain. */
static void check_key(uint64_t key)
{
    uint64_t later = all.clock + SECOND;
    uint64_t counted = 0;
    uint64_t excused = 0;
    uint64_t rest = 0;

    while (rest <= key_has[key].most && ask(key, later, 1) == ALLOWED) {
        rest++;
    }
    check_promise(key, rest, later);
    for (int i = 0; i < THREADS * CALLS; i++) {
        const call *it = call_number(i);
        if (it->key == key && it->state == KILLED) {
            excused += it->cost;
        } else if (it->key == key && it->state == ALLOWED
                   && it->ended + key_has[key].window_ns >= later) {
            counted += it->cost;
        }
    }
    excused += met__load_relaxed(
        &limiter->table.head->counters[MET__COUNT_WITHHELD]);
    for (int i = 0; i < earlier_count && key == 0; i++) {
        counted += earlier[i] + key_has[key].window_ns >= later - SECOND;
    }
    model_require(counted + rest + excused >= key_has[key].least);
}

static void check_no_twins(void)
{
    const met__record *records = limiter->table.records;

    for (int i = 0; i < PLACES; i++) {
        for (int j = 0; j < i; j++) {
            model_require(records[i].name == 0
                          || records[i].name != records[j].name
                          || (records[i].head & MET__HEAD_CLOSED)
                          || (records[j].head & MET__HEAD_CLOSED));
        }
    }
}

/* When everything is forgotten and every lease over, new keys get all places. */
static void check_no_place_is_stuck(void)
{
    uint64_t later = all.clock + 30 * MINUTE;

    for (uint64_t i = 0; i < PLACES; i++) {
        model_require(ask(KEYS + i, later, 1) == ALLOWED);
    }
}

static void finish(void)
{
    check_no_twins();
    for (uint64_t key = 0; key < KEYS; key++) {
        if (key_has[key].most != 0) {
            check_key(key);
        }
    }
    check_no_twins();
    check_no_place_is_stuck();
}

/* --- Searches --------------------------------------------------------------- */
static uint64_t asked_clock;

static void start(void)
{
    memset(&all, 0, sizeof all);
    all.clock = asked_clock;
}

static void follow_script(int me)
{
    script[me](me);
}

/* switches: how often a thread is left that could go on; 0: without bound. */
static int is_orders; /* only what is searched with older values */

static void search_all(const char *name, int kills, int is_weak, int switches,
                       int is_split)
{
    const met__atomic_u64 *counters = limiter->table.head->counters;

    if (is_orders && (!is_weak || is_split)) {
        met__limiter_close(limiter);
        return;
    }
    model_spec spec = {.threads = THREADS,
                       .kills = kills,
                       .is_weak = is_weak,
                       .setup = start,
                       .thread = follow_script,
                       .killed = killed,
                       .finish = finish,
                       .switches_max = switches,
                       .splits_pairs = is_split,
                       .shared = &all,
                       .shared_size = sizeof all,
                       .counters = counters,
                       .counters_size = MET__COUNTERS * sizeof *counters,
                       .counter_kept = &counters[MET__COUNT_WITHHELD]};
    model_result result;

    asked_clock = all.clock;
    int holds = model_search(&spec, &result);
    printf("%-48s %9llu states %9llu executions\n", name,
           (unsigned long long)result.states,
           (unsigned long long)result.executions);
    fflush(stdout);
    met__limiter_close(limiter);
    assert_int_equal(holds, !is_split);
    assert_int_equal(result.is_complete, !is_split);
}

static void search(const char *name, int kills, int is_weak, int switches)
{
    search_all(name, kills, is_weak, switches, 0);
}

/* Calls of the threads. */
static void key_0_twice(int me)
{
    request_of(me, 0, START, 1);
    request_of(me, 0, START, 1);
}

static void key_0_once(int me)
{
    request_of(me, 0, START, 1);
}

static void key_0_at_minutes(int me)
{
    request_of(me, 0, START, 1);
    request_of(me, 0, START + (uint64_t)me * (MINUTE + SECOND), 1);
}

static void key_2(int me)
{
    request_of(me, 2, START, 1);
}

static void key_2_twice(int me)
{
    request_of(me, 2, START, 1);
    request_of(me, 2, START, 1);
}

static void key_0_after_the_lease(int me)
{
    request_of(me, 0, START + 2 * SECOND, 1);
    request_of(me, 0, START + 2 * SECOND, 1);
}

static void a_crowd_makes_one_record(void **state)
{
    script[0] = key_0_twice;
    script[1] = key_0_twice;
    open_with(3, MET_LIMITER_SLIDING);
    search("two make a key, two calls each", 0, 0, 0);
    open_with(3, MET_LIMITER_SLIDING);
    search("the same, a kill", 1, 0, 3);
    open_with(3, MET_LIMITER_SLIDING);
    search("the same, older values", 0, 1, 2);
    open_with(3, MET_LIMITER_SLIDING_COUNTER);
    search("two buckets, two calls each, a kill", 1, 0, 3);
}

/* Idle records of key 0 and 1, all places used. */
static void two_idle_records(uint64_t limit)
{
    open_with(limit, MET_LIMITER_SLIDING);
    ask(0, START - 3 * MINUTE, 1);
    ask(1, START - 3 * MINUTE, 1);
    use(2, key_has[0].policy, limit, MINUTE);
}

static void a_sleeping_maker_does_no_harm(void **state)
{
    script[0] = key_2;
    script[1] = key_0_after_the_lease;
    two_idle_records(1);
    search("a maker sleeps, its place is needed, a kill", 1, 0, 3);
    two_idle_records(1);
    search("the same, older values", 0, 1, 2);
    two_idle_records(1);
    search_all("the same, head and name one after the other", 0, 0, 3, 1);
}

static void idle_places_are_given_away(void **state)
{
    script[0] = key_2_twice;
    script[1] = key_0_twice;
    two_idle_records(2);
    search("a hit in a place that is given away, a kill", 1, 0, 3);
    two_idle_records(2);
    search("the same, older values", 0, 1, 2);
}

/* The other key's window counts in another way. */
static void a_stray_hit_does_no_harm(void **state)
{
    script[0] = key_2_twice;
    script[1] = key_0_twice;
    two_idle_records(2);
    use(2, one_window("q", 2, MINUTE, MET_LIMITER_SLIDING_COUNTER), 2,
        MINUTE);
    know_shapes();
    search("the same, of another algorithm", 0, 0, 4);
}

static void windows_pass(void **state)
{
    script[0] = key_0_at_minutes;
    script[1] = key_0_at_minutes;
    open_with(2, MET_LIMITER_SLIDING);
    search("a window that passes, a kill", 1, 0, 3);
}

/* --- Records that are full of hits ------------------------------------------ */
static uint64_t late_ns[THREADS]; /* first call of each */

static void key_0_when_some_expire(int me)
{
    request_of(me, 0, START + late_ns[me], 1);
    request_of(me, 0, START + late_ns[me] + SECOND, 1);
}

/* A record of key 0 with `count` hits, the oldest at START - MINUTE, every_ns
 * apart. */
static void open_full(uint64_t limit, int count, uint64_t every_ns)
{
    open_with(limit, MET_LIMITER_SLIDING);
    for (int i = 0; i < count; i++) {
        earlier[i] = START - MINUTE + (uint64_t)i * every_ns;
        assert_int_equal(ask(0, earlier[i], 1), ALLOWED);
    }
    earlier_count = count;
    script[0] = key_0_when_some_expire;
    script[1] = key_0_when_some_expire;
    late_ns[0] = SECOND / 2;
    late_ns[1] = SECOND;
}

static void hits_expire_while_others_come(void **state)
{
    open_full(3, 3, SECOND);
    search("a log of 3, one expires, a kill", 1, 0, 0);
    open_full(12, 12, SECOND);
    search("a log of 12, one expires, a kill", 1, 0, 0);
    open_full(12, 12, SECOND);
    search("the same, older values", 0, 1, 4);
    open_full(24, 24, SECOND / 2);
    search("a log of 24, two expire, a kill", 1, 0, 3);
    open_full(24, 24, SECOND / 2);
    search("the same, older values", 0, 1, 2);
}

static void key_0_in_turn(int me)
{
    request_of(me, 0, START + (uint64_t)me * SECOND, 1);
    request_of(me, 0, START + (uint64_t)(me + 2) * SECOND, 1);
}

/* What one has written into the ring decides what the other may count. */
static void stamps_are_passed_on(void **state)
{
    script[0] = key_0_in_turn;
    script[1] = key_0_in_turn;
    for (uint64_t limit = 2; limit <= 3; limit++) {
        open_with(limit, MET_LIMITER_SLIDING);
        ask(0, START - 3 * MINUTE, 1);
        search("stamps are passed on, older values", 0, 1, 0);
    }
}

/* Every hit in a slot of its own, some chunks long: bits go to the ring. */
static void tapes_go_on(void **state)
{
    open_full(25, 25, SECOND);
    search("a tape of 25, one expires, a kill", 1, 0, 1);
}

/* --- Changes of limits ------------------------------------------------------ */
static uint64_t new_limit;

static void change_limit(int me)
{
    model_step();
    one_window("p", new_limit, MINUTE, MET_LIMITER_SLIDING);
    model_forget();
    request_of(me, 0, START, 1);
}

/* From one limit to the other, whose shape is known. */
static void open_changing(uint64_t limit, uint64_t limit_then)
{
    open_with(limit, MET_LIMITER_SLIDING);
    one_window("q", limit_then, MINUTE, MET_LIMITER_SLIDING);
    know_shapes();
    new_limit = limit_then;
    key_has[0].most = limit > limit_then ? limit : limit_then;
    key_has[0].least = limit < limit_then ? limit : limit_then;
    script[0] = change_limit;
    script[1] = key_0_twice;
}

static void limits_change(void **state)
{
    open_changing(1, 2);
    search("a limit is raised, a kill", 1, 0, 2);
    open_changing(2, 1);
    search("a limit is lowered, a kill", 1, 0, 2);
    open_changing(2, 1);
    search("the same, older values", 0, 1, 1);
    open_changing(2, 1);
    ask(0, START, 1);
    earlier[0] = START;
    earlier_count = 1;
    search("a limit is lowered, one is used, a kill", 1, 0, 3);
}

/* The record of the replaced window is idle, and given to another key while it
 * is frozen. */
static void frozen_places_are_given_away(void **state)
{
    open_changing(2, 1);
    ask(0, START - 3 * MINUTE, 1);
    ask(1, START - 3 * MINUTE, 1);
    use(2, one_window("q", 2, MINUTE, MET_LIMITER_SLIDING), 2, MINUTE);
    know_shapes();
    script[1] = key_2;
    search("a limit is lowered, an idle record, a kill", 1, 0, 3);
}

/* --- Several windows, and giving back --------------------------------------- */
static void two_windows(void **state)
{
    met_limiter_window windows[2] = {
        {.limit = 2, .window_ns = (int64_t)MINUTE,
         .algorithm = MET_LIMITER_SLIDING},
        {.limit = 1, .window_ns = (int64_t)(10 * MINUTE),
         .algorithm = MET_LIMITER_SLIDING}};

    open_with(2, MET_LIMITER_SLIDING);
    use(0, set_policy("w", windows, 2), 1, 10 * MINUTE);
    know_shapes();
    script[0] = key_0_twice;
    script[1] = key_0_once;
    search("two windows, a kill", 1, 0, 2);
}

/* Asks and gives back: it was not let through. */
static void key_0_given_back(int me)
{
    met_limiter_ticket ticket;
    uint32_t withheld;

    request_with(me, 0, START, 1, &ticket);
    call *it = &all.call[me][all.calls[me] - 1];
    if (it->state == ALLOWED) {
        met_error error = met__limiter_refund(limiter, &ticket, 0, &withheld);
        model_require(error == MET_OK);
        it->state = REFUSED;
    }
    model_forget();
    model_note(99);
    request_of(me, 0, START + SECOND, 1);
}

static void hits_are_given_back(void **state)
{
    script[0] = key_0_given_back;
    script[1] = key_0_given_back;
    open_with(2, MET_LIMITER_SLIDING);
    ask(0, START - SECOND, 1);
    earlier[0] = START - SECOND;
    earlier_count = 1;
    search("hits of a log are given back, a kill", 1, 0, 0);
    open_full(25, 24, SECOND);
    script[0] = key_0_given_back;
    script[1] = key_0_given_back;
    search("hits of a tape are given back", 0, 0, 1);
    open_with(2, MET_LIMITER_SLIDING_COUNTER);
    ask(0, START, 1);
    earlier[0] = START;
    earlier_count = 1;
    script[0] = key_0_given_back;
    script[1] = key_0_given_back;
    search("hits of two buckets are given back, a kill", 1, 0, 0);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_makes_one_record),
        cmocka_unit_test(a_sleeping_maker_does_no_harm),
        cmocka_unit_test(idle_places_are_given_away),
        cmocka_unit_test(a_stray_hit_does_no_harm),
        cmocka_unit_test(windows_pass),
        cmocka_unit_test(hits_expire_while_others_come),
        cmocka_unit_test(stamps_are_passed_on),
        cmocka_unit_test(tapes_go_on),
        cmocka_unit_test(limits_change),
        cmocka_unit_test(frozen_places_are_given_away),
        cmocka_unit_test(two_windows),
        cmocka_unit_test(hits_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* --- Orders ----------------------------------------------------------------- */
/* 1: the searches with older values fail when the site goes without it. */
static int is_caught(const model_site *site, int order)
{
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL
            || freopen("/dev/null", "w", stderr) == NULL) {
            _exit(0);
        }
        model_weaken(site, order);
        _exit(run_all() != 0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status != 0;
}

/* Every order of every operation that the searches ran, left out in turn. */
static int weaken_all(void)
{
    const model_site_use *sites;
    int caught = 0;
    int survived = 0;

    is_orders = 1;
    if (run_all() != 0) {
        return 1;
    }
    size_t count = model_sites(&sites);
    for (size_t i = 0; i < count; i++) {
        const char *file = strrchr(sites[i].site.file, '/');
        for (int order = MODEL_ACQUIRE; order <= MODEL_FULL; order <<= 1) {
            if (!(sites[i].orders & order)) {
                continue;
            }
            int is_seen = is_caught(&sites[i].site, order);
            caught += is_seen;
            survived += !is_seen;
            printf("%s %s: %s: %s(%s) without %s\n",
                   is_seen ? "caught  " : "survives",
                   file == NULL ? sites[i].site.file : file + 1,
                   sites[i].site.function, sites[i].site.operation,
                   sites[i].site.word,
                   order == MODEL_ACQUIRE   ? "acquire"
                   : order == MODEL_RELEASE ? "release"
                                            : "the order of all");
        }
    }
    printf("%d orders caught, %d survive\n", caught, survived);
    return 0;
}

int main(int argc, char **argv)
{
    cmocka_set_test_filter(getenv("MODEL_FILTER"));
    return argc > 1 && strcmp(argv[1], "--orders") == 0 ? weaken_all()
                                                        : run_all();
}

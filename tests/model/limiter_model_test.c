/* The limiter's own code under every interleaving of its atomic operations: two
 * threads with up to two calls each on a table of two places, a kill between
 * any two operations, and older values where loads may return them.
 * MODEL_TRACE=1 prints the operations of a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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
    uint64_t window_ns;
    uint32_t policy;
} key_has[KEYS + PLACES];

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
static uint64_t ask(uint64_t key, uint64_t now, uint64_t cost)
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
    return result.is_allowed ? ALLOWED : REFUSED;
}

/* A request at this moment, or later when it is later already: between reading
 * the clock and any operation a thread may stand still for as long as the calls
 * of the other one take. */
static void request_of(int me, uint64_t key, uint64_t at, uint64_t cost)
{
    model_step();
    call *it = &all.call[me][all.calls[me]++];
    all.clock = all.clock < at ? at : all.clock;
    model_note(all.clock);
    *it = (call){BEGUN, key, cost, all.clock, 0};
    uint64_t answer = ask(key, it->begun, cost);
    it->ended = all.clock;
    it->state = answer;
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

/* In no stretch of a window's length more of the calls that lie in it whole
 * than it may have, `rest` of them at the moment `later`. */
static void check_promise(uint64_t key, uint64_t rest, uint64_t later)
{
    uint64_t length = key_has[key].window_ns;

    for (int i = 0; i < THREADS * CALLS; i++) {
        uint64_t from = call_number(i)->begun;
        uint64_t sum = from + length >= later ? rest : 0;
        for (int j = 0; j < THREADS * CALLS; j++) {
            const call *it = call_number(j);
            if (it->state == ALLOWED && it->key == key && it->begun >= from
                && it->ended <= from + length) {
                sum += it->cost;
            }
        }
        model_require(sum <= key_has[key].most);
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

    while (ask(key, later, 1) == ALLOWED) {
        rest++;
        model_require(rest <= key_has[key].most);
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
    model_require(counted + rest + excused >= key_has[key].most);
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
    uint64_t later = all.clock + 10 * MINUTE;

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
static void search_all(const char *name, int kills, int is_weak, int switches,
                       int is_split)
{
    const met__atomic_u64 *counters = limiter->table.head->counters;
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
    search("the same, a kill", 1, 0, 4);
    open_with(3, MET_LIMITER_SLIDING);
    search("the same, older values", 0, 1, 3);
    open_with(3, MET_LIMITER_SLIDING_COUNTER);
    search("two buckets, two calls each, a kill", 1, 0, 4);
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
    search("a maker sleeps, its place is needed, a kill", 1, 0, 4);
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
    search("a hit in a place that is given away, a kill", 1, 0, 4);
    two_idle_records(2);
    search("the same, older values", 0, 1, 3);
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
    search("the same, of another algorithm", 0, 0, 5);
}

static void windows_pass(void **state)
{
    script[0] = key_0_at_minutes;
    script[1] = key_0_at_minutes;
    open_with(2, MET_LIMITER_SLIDING);
    search("a window that passes, a kill", 1, 0, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_makes_one_record),
        cmocka_unit_test(a_sleeping_maker_does_no_harm),
        cmocka_unit_test(idle_places_are_given_away),
        cmocka_unit_test(a_stray_hit_does_no_harm),
        cmocka_unit_test(windows_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

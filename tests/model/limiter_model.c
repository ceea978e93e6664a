/* The limiter on a table of two places: its calls, the books, what must
 * hold. */
#include "limiter_model.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

books_kept books;
met_limiter *limiter;
allowance key_has[KEYS + PLACES];

static _Alignas(64) unsigned char memory[1 << 20];
static met__platform platform;
static met__os os;

/* Of requests. Answers only read; most searches go without what they read. */
static uint32_t flags;

/* Calls for key 0 before the search. */
static call earlier[32];
static int earlier_count;

static void (*script[THREADS])(int me);
static void (*check)(void);

/* --- The table ------------------------------------------------------------ */
static int same_bytes(void *context, void *bytes, size_t size)
{
    memset(bytes, 0x35, size);
    return 0;
}

static int64_t read_clock(void *context)
{
    model_note(books.clock);
    return (int64_t)books.clock;
}

uint32_t set_policy(const char *name, const met_limiter_window *windows,
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
    return error == MET_OK ? number : UINT32_MAX;
}

uint32_t one_window(const char *name, uint64_t limit, uint64_t length,
                    uint32_t algorithm)
{
    met_limiter_window window = {.limit = limit,
                                 .window_ns = (int64_t)length,
                                 .algorithm = algorithm};

    return set_policy(name, &window, 1);
}

void know_shapes(void)
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
    memset(&books, 0, sizeof books);
    memset(key_has, 0, sizeof key_has);
    earlier_count = 0;
    check = NULL;
    flags = MET_LIMITER_BRIEF;
    model_tries = 2;
    books.clock = START;
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    os = *platform.os;
    os.random = same_bytes;
    platform.os = &os;
    platform.clock.monotonic_ns = read_clock;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_OK);
}

void use(uint64_t key, uint32_t policy, uint64_t limit, uint64_t length)
{
    key_has[key].most = limit;
    key_has[key].least = limit;
    key_has[key].window_ns = length;
    key_has[key].policy = policy;
}

void open_window(uint64_t limit, uint64_t length, uint32_t algorithm)
{
    open_table();
    uint32_t policy = one_window("p", limit, length, algorithm);
    for (uint64_t key = 0; key < KEYS + PLACES; key++) {
        key_has[key].policy = policy;
    }
    use(0, policy, limit, length);
    know_shapes();
}

void open_with(uint64_t limit, uint32_t algorithm)
{
    open_window(limit, MINUTE, algorithm);
}

void open_known(uint64_t limit, uint32_t algorithm)
{
    open_with(limit, algorithm);
    assert_int_equal(ask(0, START - 3 * MINUTE, 1), ALLOWED);
}

void answer_in_full(void)
{
    flags = 0;
}

void had(uint64_t at, uint64_t cost)
{
    assert_int_equal(ask(0, at, cost), ALLOWED);
    earlier[earlier_count++] = (call){ALLOWED, 0, cost, at, at, 0, 0};
}

/* --- Calls ---------------------------------------------------------------- */
static met_limiter_request request_for(uint64_t *key, uint64_t now,
                                       uint64_t cost)
{
    return (met_limiter_request){.struct_size = sizeof(met_limiter_request),
                                 .policy = key_has[*key].policy,
                                 .kind = 1,
                                 .key = (const char *)key,
                                 .key_size = sizeof *key,
                                 .cost = cost,
                                 .monotonic_ns = (int64_t)now,
                                 .utc_ns = (int64_t)now,
                                 .flags = flags};
}

static uint64_t ask_with(uint64_t key, uint64_t now, uint64_t cost,
                         met_limiter_ticket *ticket_out)
{
    met_limiter_request request = request_for(&key, now, cost);
    met_limiter_result result = {.struct_size = sizeof result};

    model_require(met__limiter_check(limiter, &request, &result) == MET_OK);
    *ticket_out = result.ticket;
    return result.is_allowed ? ALLOWED : REFUSED;
}

uint64_t ask(uint64_t key, uint64_t now, uint64_t cost)
{
    met_limiter_ticket ticket;

    return ask_with(key, now, cost, &ticket);
}

/* Between reading the clock and any operation a thread may stand still for as
 * long as the calls of the other one take. */
static call *begin_call(int me, uint64_t key, uint64_t at, uint64_t cost)
{
    model_step();
    call *it = &books.call[me][books.calls[me]++];
    books.clock = books.clock < at ? at : books.clock;
    model_note(books.clock);
    *it = (call){BEGUN, key, cost, books.clock, 0, (uint32_t)books.reset, 0};
    return it;
}

static void end_call(call *it, uint64_t state)
{
    it->ended = books.clock;
    it->ended_reset = (uint32_t)books.reset;
    it->state = state;
}

call *request_with(int me, uint64_t key, uint64_t at, uint64_t cost,
                   met_limiter_ticket *ticket_out)
{
    call *it = begin_call(me, key, at, cost);

    end_call(it, ask_with(key, it->begun, cost, ticket_out));
    return it;
}

void forget_all(int me)
{
    model_forget();
    model_note(books.calls[me]);
}

void request_of(int me, uint64_t key, uint64_t at, uint64_t cost)
{
    met_limiter_ticket ticket;

    request_with(me, key, at, cost, &ticket);
    forget_all(me);
}

void charge_of(int me, uint64_t key, uint64_t at, uint64_t cost)
{
    call *it = begin_call(me, key, at, cost);
    met_limiter_request request = request_for(&key, it->begun, cost);
    met_limiter_result result = {.struct_size = sizeof result};

    model_require(met__limiter_charge(limiter, &request, &result) == MET_OK);
    model_require(result.reason != MET_LIMITER_REASON_TABLE_FULL);
    end_call(it, CHARGED);
    forget_all(me);
}

static void reset_of(int me)
{
    uint64_t key = 0;
    met_limiter_request request = request_for(&key, START, 1);

    model_step();
    books.reset = RESET_BEGUN;
    met_error error = met__limiter_reset(limiter, &request);
    model_require(error == MET_OK || error == MET_E_BUSY);
    books.reset = error == MET_OK ? RESET_DONE : RESET_BEGUN;
    model_forget();
    model_note(77);
}

void reset_and_ask(int me)
{
    reset_of(me);
    request_of(me, 0, START, 1);
}

void key_0_once(int me)
{
    request_of(me, 0, START, 1);
}

void key_0_twice(int me)
{
    request_of(me, 0, START, 1);
    request_of(me, 0, START, 1);
}

void key_0_given_back(int me)
{
    met_limiter_ticket ticket;
    uint32_t withheld;
    call *it = request_with(me, 0, START, 1, &ticket);

    if (it->state == ALLOWED) {
        met_error error = met__limiter_refund(limiter, &ticket, 0, &withheld);
        model_require(error == MET_OK);
        it->state = REFUSED;
    }
    model_forget();
    model_note(99);
    request_of(me, 0, START + SECOND, 1);
}

static void killed(int me)
{
    if (books.calls[me] > 0) {
        call *it = &books.call[me][books.calls[me] - 1];
        it->state = it->state == BEGUN ? KILLED : it->state;
    }
}

/* --- What must hold ------------------------------------------------------- */
static int call_count(void)
{
    return THREADS * CALLS + earlier_count;
}

static const call *call_number(int index)
{
    return index < THREADS * CALLS ? &books.call[index / CALLS][index % CALLS]
                                   : &earlier[index - THREADS * CALLS];
}

/* Before the reset began, or after it came back. */
static int is_on_side(const call *it, uint64_t side)
{
    return side == RESET_AHEAD ? it->ended_reset == RESET_AHEAD
                               : it->begun_reset == RESET_DONE;
}

/* Whole in the stretch from `from` on. */
static uint64_t calls_in(uint64_t key, uint64_t from, uint64_t side)
{
    uint64_t until = from + key_has[key].window_ns;
    uint64_t sum = 0;

    for (int i = 0; i < call_count(); i++) {
        const call *it = call_number(i);
        if (it->state == ALLOWED && it->key == key && it->begun >= from
            && it->ended <= until && is_on_side(it, side)) {
            sum += it->cost;
        }
    }
    return sum;
}

/* In no stretch of a window's length more of the calls that lie in it whole
 * than it may have, `rest` of them at the moment `later`. */
static void check_promise(uint64_t key, uint64_t rest, uint64_t later)
{
    for (int i = 0; i < call_count(); i++) {
        uint64_t from = call_number(i)->begun;
        int is_late = from + key_has[key].window_ns >= later;
        for (uint64_t side = RESET_AHEAD; side <= RESET_DONE; side += 2) {
            uint64_t more = is_late && side == books.reset ? rest : 0;
            model_require(more + calls_in(key, from, side)
                          <= key_has[key].most);
        }
    }
}

/* What still passes, by costs: what was allowed once leaves less. */
static uint64_t rest_of(uint64_t key, uint64_t later)
{
    uint64_t rest = 0;
    uint64_t cost = 1;

    while (cost * 2 <= key_has[key].most) {
        cost *= 2;
    }
    for (; cost > 0; cost /= 2) {
        rest += ask(key, later, cost) == ALLOWED ? cost : 0;
    }
    return rest + (ask(key, later, 1) == ALLOWED);
}

/* What was counted is neither lost nor more than what the killed and the
 * withheld explain. */
static void check_counts(uint64_t key, uint64_t rest, uint64_t later)
{
    uint64_t excused = met__load_relaxed(
        &limiter->table.head->counters[MET__COUNT_WITHHELD]);
    uint64_t counted = 0;
    uint64_t charged = 0;

    for (int i = 0; i < call_count(); i++) {
        const call *it = call_number(i);
        int is_forgotten = books.reset == RESET_DONE
                           && it->ended_reset == RESET_AHEAD
                           && it->state != KILLED;
        if (it->key != key || is_forgotten) {
            continue;
        }
        if (it->state == KILLED) {
            excused += it->cost;
        } else if ((it->state == ALLOWED || it->state == CHARGED)
                   && it->ended + key_has[key].window_ns >= later - SECOND) {
            counted += it->cost;
            charged += it->state == CHARGED ? it->cost : 0;
        }
    }
    model_require(counted + rest + excused >= key_has[key].least);
    model_require(charged == 0 || rest == 0
                  || counted + rest <= key_has[key].most);
}

static void check_key(uint64_t key)
{
    uint64_t later = books.clock + SECOND;
    uint64_t rest = rest_of(key, later);

    check_promise(key, rest, later);
    check_counts(key, rest, later);
}

static void check_no_twins(void)
{
    const met__record *records = limiter->table.records;

    for (int i = 0; i < PLACES; i++) {
        for (int j = 0; j < i; j++) {
            model_require(records[i].name == 0
                          || !met__name_is(records[i].name, records[j].name)
                          || (records[i].head & MET__HEAD_CLOSED)
                          || (records[j].head & MET__HEAD_CLOSED));
        }
    }
}

/* When all is forgotten and every lease over, new keys get all places. */
static void check_no_place_is_stuck(void)
{
    uint64_t later = books.clock + 30 * MINUTE;

    for (uint64_t i = 0; i < PLACES; i++) {
        model_require(ask(KEYS + i, later, 1) == ALLOWED);
    }
}

static void finish(void)
{
    if (check != NULL) {
        check();
        return;
    }
    check_no_twins();
    for (uint64_t key = 0; key < KEYS; key++) {
        if (key_has[key].most != 0) {
            check_key(key);
        }
    }
    check_no_twins();
    check_no_place_is_stuck();
}

/* --- Searches ------------------------------------------------------------- */
static struct {
    int kills;
    const model_site_use *without;
    uint64_t states_max;
    unsigned count; /* searches so far */
    int is_cut;     /* by states_max */
    int is_large;
} mode = {.kills = 1};

static uint64_t asked_clock;

void scripts(void (*first)(int me), void (*second)(int me))
{
    script[0] = first;
    script[1] = second;
}

void check_with(void (*other)(void))
{
    check = other;
}

void run_for_orders(void)
{
    mode.kills = 0;
}

void run_without(const model_site_use *use_without, int order,
                 uint64_t states_max)
{
    mode.without = use_without;
    mode.states_max = states_max;
    mode.count = 0;
    model_weaken(&use_without->site, order);
}

void run_large(void)
{
    mode.is_large = 1;
}

int was_cut(void)
{
    return mode.is_cut;
}

static void start(void)
{
    memset(&books, 0, sizeof books);
    books.clock = asked_clock;
}

static void follow_script(int me)
{
    script[me](me);
}

/* Searches that do not meet the site are not made without it. */
static int is_passed_over(unsigned number)
{
    return mode.without != NULL && !(mode.without->searches >> number & 1);
}

static void search_all(const char *name, int switches, int is_split)
{
    const met__atomic_u64 *counters = limiter->table.head->counters;
    model_spec spec = {.threads = THREADS,
                       .kills = is_split ? 0 : mode.kills,
                       .is_weak = !is_split,
                       .is_remembered = 1,
                       .number = mode.count,
                       .setup = start,
                       .thread = follow_script,
                       .killed = killed,
                       .finish = finish,
                       .switches_max = switches,
                       .states_max = mode.states_max,
                       .splits_pairs = is_split,
                       .shared = &books,
                       .shared_size = sizeof books,
                       .counters = {{counters, MET__COUNTERS * 8},
                                    {limiter->decisions,
                                     sizeof limiter->decisions}},
                       .counter_kept = &counters[MET__COUNT_WITHHELD]};
    model_result result;

    if (is_passed_over(mode.count++)) {
        met__limiter_close(limiter);
        return;
    }
    asked_clock = books.clock;
    clock_t before = clock();
    int holds = model_search(&spec, &result);
    printf("%-46s %9llu states %9llu executions %5.1f s\n", name,
           (unsigned long long)result.states,
           (unsigned long long)result.executions,
           (double)(clock() - before) / CLOCKS_PER_SEC);
    fflush(stdout);
    met__limiter_close(limiter);
    assert_int_equal(holds, !is_split);
    mode.is_cut |= holds && !result.is_complete;
    assert_true(is_split || result.is_complete || mode.states_max != 0);
}

void search(const char *name)
{
    search_all(name, 0, 0);
}

void search_large(const char *name, int switches)
{
    search_all(name, mode.kills == 0 ? switches : 0, 0);
}

void search_if_asked(const char *name)
{
    if (mode.is_large) {
        search_all(name, 0, 0);
    } else {
        met__limiter_close(limiter);
    }
}

void search_briefly(const char *name, int switches)
{
    search_all(name, switches, 0);
}

void search_split(const char *name, int switches)
{
    search_all(name, switches, 1);
}

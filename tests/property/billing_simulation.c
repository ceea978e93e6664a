/* Random years of billing in virtual time: customers come, go and change
 * plans, usage arrives late, runs are left in the middle, two at once, drafts
 * wait for somebody. In the end every period of every subscription has been
 * billed what its usage costs, once: no unit is missing and none is there
 * twice, sums are sums, numbers have no gap, and every document is made again
 * to the byte.
 *
 *     billing_simulation [--count CUSTOMER-YEARS] [--seed N] [--threads N]
 *                        [--plant]
 *
 * --threads: that step each run, in small groups.
 *
 * What is to come out is counted here, beside the library: units by
 * subscription and month; only the price of a quantity is asked of
 * met_price_rate, which has an oracle of its own. */
#include "property/billing_documents.h"
#include "unit/invoice/billing_threads.h"

#include "metering/rating.h"

#define CUSTOMERS 100 /* of one store */
#define CONTRACTS_MAX 8 /* of one customer */
#define MONTHS 15
#define STEP_DAYS 4
#define STEPS 92
#define PLANS 3
#define PACKAGES 2
#define DOCUMENTS_MAX 512 /* of one customer */

static unsigned wanted = 2000;
static uint64_t seed = 1;
static int is_planted;
static unsigned threads = 1;

static const char *const prices[PLANS] = {
    "{\"type\":\"unit\",\"amount\":\"0.013\"}",
    "{\"type\":\"graduated\",\"tiers\":[{\"up_to\":\"5\",\"unit\":\"0.5\","
    "\"flat\":\"1\"},{\"unit\":\"0.125\"}]}",
    "{\"type\":\"package\",\"amount\":\"2\",\"quantity_per_package\":\"4\","
    "\"commitments\":{\"minimum\":\"3\"}}",
};

typedef struct contract {
    char id[32];
    int plan;
    int64_t from_ns;
    int64_t to_ns; /* 0: none */
    unsigned units[MONTHS]; /* by month of its anchor */
} contract;

typedef struct person {
    char key[16];
    int is_manual;
    size_t count;
    contract contracts[CONTRACTS_MAX];
} person;

/* Which contract a unit belongs to is known in the end: contracts may be ended
 * in the past. */
typedef struct used {
    uint32_t person;
    uint32_t units;
    int64_t at_ns;
} used;
static used history[CUSTOMERS * STEPS];
static size_t history_count;

static person people[CUSTOMERS];
static int64_t start_ns;

static uint64_t random_below(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* --- The world ------------------------------------------------------------ */
static contract *running(person *one, int64_t at_ns)
{
    for (size_t i = 0; i < one->count; i++) {
        contract *it = &one->contracts[i];
        if (it->from_ns <= at_ns && (it->to_ns == 0 || at_ns < it->to_ns)) {
            return it;
        }
    }
    return NULL;
}

static int64_t month_start(int64_t anchor_ns, int n)
{
    met__duration month = {.months = 1};
    int64_t at_ns = 0;

    assert_int_equal(met__duration_add(anchor_ns, &month, n, &at_ns), MET_OK);
    return at_ns;
}

static int month_of(const contract *it, int64_t at_ns)
{
    int n = 0;

    while (month_start(it->from_ns, n + 1) <= at_ns) {
        n++;
    }
    assert_true(n < MONTHS);
    return n;
}

static void write_time(int64_t at_ns, char text[MET_TIME_TEXT_SIZE])
{
    assert_int_equal(met_time_format(at_ns, text), MET_OK);
}

static void begin_contract(person *one)
{
    char from[MET_TIME_TEXT_SIZE];
    char members[128];
    char plan[16];
    contract *it = &one->contracts[one->count];

    if (one->count == CONTRACTS_MAX) {
        return;
    }
    /* On whole minutes: usage is known by the minute. */
    int64_t from_ns = clock_now_ns - clock_now_ns % MET__MINUTE_NS;
    *it = (contract){.plan = (int)random_below(PLANS), .from_ns = from_ns};
    write_time(from_ns, from);
    snprintf(plan, sizeof plan, "plan%u", (unsigned)it->plan % PLANS);
    snprintf(members, sizeof members, ",\"active_from\":\"%s\"", from);
    snprintf(it->id, sizeof it->id, "%s",
             must_subscribe(one->key, plan, members));
    one->count++;
}

/* At the end of the month that runs, or at the last one, which is billed. */
static void end_contract(person *one)
{
    contract *it = running(one, clock_now_ns);
    int is_past = random_below(4) == 0;

    if (it == NULL || it->to_ns != 0) {
        return;
    }
    int n = month_of(it, clock_now_ns);
    if (is_past && n == 0) {
        return;
    }
    int64_t at_ns = month_start(it->from_ns, is_past ? n : n + 1);
    fresh();
    assert_ok(met_subscription_cancel(store, it->id, strlen(it->id), at_ns,
                                      MET_ALLOW_PAST, NULL, &told));
    it->to_ns = at_ns;
}

/* Late by up to three weeks. */
static void use_some(person *one)
{
    int64_t at_ns = clock_now_ns
                    - (int64_t)random_below(21 * 24 * 60) * MET__MINUTE_NS;
    unsigned units = 1 + (unsigned)random_below(3);

    if (random_below(2)) {
        at_ns = clock_now_ns - (int64_t)random_below(60) * MET__MINUTE_NS;
    }
    if (at_ns < start_ns) {
        return;
    }
    must_use_at(one->key, "example_service", at_ns, units, 0);
    history[history_count++] =
        (used){(uint32_t)(one - people), units, at_ns};
}

/* The recorder stays open: its epoch ends with its minute. */
static void settle_what_runs(void)
{
    clock_now_ns += MET__MINUTE_NS;
    if (recorder != NULL) {
        assert_ok(met__recorder_tick(recorder));
    }
    assert_ok(settle());
}

/* --- Runs ----------------------------------------------------------------- */
static void run_whole(void)
{
    met__run_report done = {0};

    if (threads == 1) {
        must_run(NULL);
        return;
    }
    assert_int_equal(run_in_threads(store, clock_now_ns, 7, threads, NULL,
                                    &done),
                     MET_OK);
    assert_int_equal(done.stage, MET__RUN_DONE);
    assert_int_equal(done.failed, 0);
}

static void run_partly(void)
{
    met_billing_run *runs[2] = {NULL, NULL};
    int count = 1 + (int)random_below(2);
    int steps = 1 + (int)random_below(12);

    for (int i = 0; i < count; i++) {
        fresh();
        assert_ok(met_billing_run_open(store, 0, &runs[i], &told));
    }
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < count; i++) {
            report = (met_billing_report){.struct_size = sizeof report};
            fresh();
            assert_ok(met_billing_run_step(runs[i], &report, &told));
            assert_int_equal(report.failed, 0);
        }
    }
    met_billing_run_close(runs[0]);
    met_billing_run_close(runs[1]);
}

/* Somebody looks at the drafts that wait. */
static void look_at_drafts(const person *one)
{
    static const char *const actions[] = {"approve", "approve", "update",
                                          "delete"};
    char ids[64][32];
    size_t count = 0;

    assert_ok(list(one->key));
    const met__node *items = met__node_get(answer, "items");
    for (uint32_t i = 0; i < items->count && count < 64; i++) {
        const met__node *item = items->as.items[i];
        met__text state = met__node_get(item, "extended_status")->as.text;
        met__text id = met__node_get(item, "id")->as.text;
        if (met__text_equal(state, MET__TEXT("draft.manual_approval_needed"))
            || met__text_equal(state,
                               MET__TEXT("draft.waiting_for_collection"))) {
            snprintf(ids[count++], sizeof ids[0], "%.*s", (int)id.size,
                     id.data);
        }
    }
    for (size_t i = 0; i < count; i++) {
        met_error error = act(ids[i], actions[random_below(4)]);
        assert_true(error == MET_OK || error == MET_E_CONFLICT);
    }
}

static void live_one_step(void)
{
    clock_now_ns += STEP_DAYS * MET__DAY_NS
                    + (int64_t)random_below(3600) * MET__SECOND_NS;
    for (size_t i = 0; i < CUSTOMERS; i++) {
        person *one = &people[i];
        if (random_below(3) == 0) {
            use_some(one);
        }
        if (random_below(40) == 0) {
            end_contract(one);
        }
        if (random_below(4) == 0 && running(one, clock_now_ns) == NULL) {
            begin_contract(one);
        }
        if (one->is_manual && random_below(16) == 0) {
            look_at_drafts(one);
        }
    }
    if (random_below(3) != 0) {
        settle_what_runs();
    }
    switch (random_below(6)) {
    case 0:
        run_partly();
        break;
    case 1:
        run_whole();
        break;
    case 2:
        (void)finalize(people[random_below(CUSTOMERS)].key, NULL);
        break;
    default:
        break;
    }
}

/* --- What was billed ------------------------------------------------------ */
static int is_deleted(const met__node *document)
{
    return met__text_equal(met__node_get(document, "status")->as.text,
                           MET__TEXT("deleted"));
}

static void check_again(const met__node *items)
{
    static char numbers[CUSTOMERS * 128][32];
    uint32_t count = 0;

    for (uint32_t i = 0; i < items->count && count < CUSTOMERS * 128; i++) {
        const met__node *item = items->as.items[i];
        met__text number = met__node_get(item, "number")->as.text;
        if (!is_deleted(item)) {
            snprintf(numbers[count++], sizeof numbers[0], "%.*s",
                     (int)number.size, number.data);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        met_buffer *buffer = fresh();
        assert_ok(keep(met_invoice_recompute(store, numbers[i],
                                             strlen(numbers[i]), 0, buffer,
                                             &told),
                       buffer));
        assert_shown("is_identical", "true");
    }
}

/* --- What should have been ------------------------------------------------ */
static met_decimal cost_of(int plan, met_decimal quantity)
{
    met_price *price = NULL;
    met_buffer rated = {0};
    char request[256];
    met__buffer text;

    met__buffer_init(&text, answer_arena.platform);
    assert_int_equal(met__decimal_print(quantity, &text), MET_OK);
    snprintf(request, sizeof request,
             "{\"name\":\"x\",\"currency\":\"USD\",\"quantity\":\"%s\"}",
             text.data);
    met__buffer_release(&text);
    fresh();
    assert_ok(met_price_create(prices[plan], strlen(prices[plan]), NULL,
                               &price, &told));
    assert_ok(met_price_rate(price, request, strlen(request), &rated, &told));
    met__arena arena;
    met__node *node = NULL;
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__json_parse(&arena,
                                     met__text_of(rated.data, rated.size),
                                     &node, NULL),
                     MET_OK);
    met_decimal total = total_of(node);
    met__arena_release(&arena);
    met_buffer_release(&rated);
    met_price_destroy(price);
    return total;
}

typedef struct documents {
    const met__node *items[DOCUMENTS_MAX];
    size_t count;
} documents;

/* One customer's, but for deleted ones. */
static void documents_of(const met__node *items, const person *one,
                         documents *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < items->count; i++) {
        const met__node *item = items->as.items[i];
        met__text key =
            met__node_get(met__node_get(item, "customer"), "key")->as.text;
        if (met__text_equal(key, met__text_z(one->key))
            && !is_deleted(item)) {
            assert_true(out->count < DOCUMENTS_MAX);
            out->items[out->count++] = item;
        }
    }
}

/* Quantity and total of one contract's month over all documents. */
static void billed_for(const documents *his, const contract *it, int n,
                       met_decimal *quantity, met_decimal *total)
{
    char from[MET_TIME_TEXT_SIZE];

    write_time(month_start(it->from_ns, n), from);
    *quantity = met__decimal_zero();
    *total = met__decimal_zero();
    for (size_t i = 0; i < his->count; i++) {
        const met__node *lines = met__node_get(his->items[i], "lines");
        for (uint32_t j = 0; j < lines->count; j++) {
            const met__node *line = lines->as.items[j];
            met__text id = met__node_get(line, "subscription_id")->as.text;
            met__text at = met__node_get(met__node_get(line, "period"),
                                         "from")
                               ->as.text;
            if (met__text_equal(id, met__text_z(it->id))
                && met__text_equal(at, met__text_z(from))) {
                add_to(quantity, decimal_at(line, "quantity"));
                add_to(total, total_of(line));
            }
        }
    }
}

/* An invoice that would be below zero is not made: what a customer would get
 * back then is not billed, and is left out here. */
static void check_person(const met__node *items, const person *one,
                         int is_waiting)
{
    static documents his;

    documents_of(items, one, &his);
    for (size_t c = 0; !is_waiting && c < one->count; c++) {
        const contract *it = &one->contracts[c];
        for (int n = 0; n < MONTHS; n++) {
            met_decimal quantity;
            met_decimal total;
            int is_owed = it->to_ns == 0
                          || month_start(it->from_ns, n) < it->to_ns;
            met_decimal units =
                met__decimal_from_i64(is_owed ? it->units[n] : 0);
            char what[128];
            if (month_start(it->from_ns, n + 1) > clock_now_ns) {
                break; /* it is not over */
            }
            billed_for(&his, it, n, &quantity, &total);
            snprintf(what, sizeof what, "units of %s, contract %zu, month %d",
                     one->key, c, n);
            if (it->plan != PACKAGES) { /* one more in a package is no line */
                assert_sum(quantity, units, what);
            }
            assert_sum(total,
                       is_owed ? cost_of(it->plan, units)
                               : met__decimal_zero(),
                       what);
        }
    }
}

static void assign_units(void)
{
    for (size_t i = 0; i < history_count; i++) {
        person *one = &people[history[i].person];
        int64_t at_ns = history[i].at_ns;
        contract *it = running(one, at_ns - at_ns % MET__MINUTE_NS);
        if (it != NULL) {
            it->units[month_of(it, at_ns)] += history[i].units;
        }
    }
}

/* --- A year --------------------------------------------------------------- */
static void begin_year(void)
{
    clock_now_ns = time_of("2026-01-01T00:00:00Z");
    start_ns = clock_now_ns;
    history_count = 0;
    memset(people, 0, sizeof people);
    for (int i = 0; i < PLANS; i++) {
        char key[16];
        snprintf(key, sizeof key, "plan%d", i);
        must_publish_card(key, story_card(prices[i], NULL));
    }
    for (size_t i = 0; i < CUSTOMERS; i++) {
        person *one = &people[i];
        char profile[256];
        one->is_manual = random_below(5) == 0;
        snprintf(one->key, sizeof one->key, "c%02zu", i);
        must_put_customer(one->key);
        static const char *const late[] = {"next_invoice", "draft_refresh",
                                           "credit_note"};
        snprintf(profile, sizeof profile,
                 "{\"workflow\":{\"invoicing\":{\"auto_advance\":%s,"
                 "\"draft_period\":\"P%dD\"}},\"late_usage\":\"%s\"%s}",
                 one->is_manual ? "false" : "true", (int)random_below(3),
                 late[random_below(3)],
                 random_below(4) == 0 ? ",\"usage_thresholds\":[\"1\",\"4\"]"
                                      : "");
        assert_ok(put_profile(one->key, profile));
        begin_contract(one);
    }
}

/* Everybody's time is over, nothing is late any more, drafts are approved. */
static void end_year(void)
{
    settle_what_runs();
    clock_now_ns += 40 * MET__DAY_NS;
    for (int i = 0; i < 6; i++) {
        run_whole();
        for (size_t p = 0; p < CUSTOMERS; p++) {
            if (people[p].is_manual) {
                look_at_drafts(&people[p]);
            }
        }
        clock_now_ns += MET__DAY_NS;
    }
    for (int i = 0; i < 2; i++) { /* what another run left, then now */
        run_whole();
    }
}

static void one_store(void **state)
{
    (void)state;
    begin_year();
    for (int step = 0; step < STEPS; step++) {
        live_one_step();
    }
    end_year();
    assign_units();
    for (size_t i = 0; is_planted && i < CUSTOMERS; i++) {
        people[i].contracts[0].units[0] += 5;
    }
    assert_ok(list(NULL));
    met__arena arena = answer_arena;
    const met__node *items = met__node_get(answer, "items");
    met__arena_init(&answer_arena, arena.platform);
    check_numbers(items);
    for (uint32_t i = 0; i < items->count; i++) {
        check_sums(items->as.items[i]);
    }
    check_again(items);
    for (size_t i = 0; i < CUSTOMERS; i++) {
        /* Nothing is left to bill, unless it is below zero. */
        assert_ok(preview(people[i].key, NULL, 0));
        met_decimal rest = total_of(answer);
        check_person(items, &people[i], met__decimal_is_negative(rest));
    }
    met__arena_release(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_store, billing_setup,
                                        billing_teardown),
    };
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--plant") == 0) {
            is_planted = 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--threads") == 0) {
            threads = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--count") == 0) {
            wanted = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 10);
        }
    }
    for (unsigned done = 0; failed == 0 && done < wanted; done += CUSTOMERS) {
        uint64_t first = seed;
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        if (failed != 0) {
            fprintf(stderr, "--seed %llu\n", (unsigned long long)first);
        }
        seed = seed * 2862933555777941757u + 3037000493u;
    }
    return failed;
}

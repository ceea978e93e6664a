/* Recording and settling against a plain model: whatever the order of events,
 * ticks, settlements, closings and restarts, the parts say what was counted. */
#include "usage_support.h"

#include "meter/tally_report.h"

static char home[64];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static void test_settlement__one_event(void **state)
{
    must_meter(store, COUNT_METER("k", "t", "\"a\":\"$.a\""));
    met_recorder *recorder = must_recorder(store, 0);
    must_add(recorder, "t", "s", "x");
    met__settle_report report = must_settle(store);
    assert_int_equal(report.events, 1);
    assert_int_equal(report.parts, 1);
    assert_int_equal(report.slots_live, 1);
    assert_int_equal(settled_events(store), 1);
    report = must_settle(store);
    assert_int_equal(report.events, 0);
    assert_int_equal(report.parts, 0);
    must_add(recorder, "t", "s", "x");
    must_add(recorder, "t", "s", "x");
    report = must_settle(store);
    assert_int_equal(report.events, 2);
    assert_int_equal(report.parts, 1);
    assert_int_equal(settled_events(store), 3);
    met__recorder_close(recorder);
    report = must_settle(store);
    assert_int_equal(report.slots_retired, 1);
    assert_int_equal(report.events, 0);
    report = must_settle(store);
    assert_int_equal(report.slots_retired, 0);
    assert_int_equal(report.cells, 0);
    assert_int_equal(settled_events(store), 3);
}

/* --- Against a model ------------------------------------------------------ */
#define SUBJECTS 5
#define VALUES 4
#define MINUTES 64
#define RECORDERS 3

static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* count and sum (10^-9) of minute, subject, value, way */
static int64_t counted[MINUTES][SUBJECTS][VALUES][2];
static int64_t summed[MINUTES][SUBJECTS][VALUES][2];
static int64_t found_count[MINUTES][SUBJECTS][VALUES][2];
static int64_t found_sum[MINUTES][SUBJECTS][VALUES][2];

static void note_part(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    int64_t m = (int64_t)minute - START_NS / MET__MINUTE_NS;
    int subject = shape->subject.data[0] - '0';
    int value = shape->values[0].data[0] - '0';

    assert_true(m >= 0 && m < MINUTES);
    assert_int_equal(shape->attribute_count, 1);
    found_count[m][subject][value][shape->flags & 1] +=
        (int64_t)words[MET__PART_COUNT];
    if (shape->quantity_count > 0) {
        found_sum[m][subject][value][shape->flags & 1] +=
            (int64_t)met__amount_get(words + MET__PART_QUANTITIES
                                     + MET__QUANTITY_SUM);
    }
}

static void compare_with_model(uint64_t seed)
{
    memset(found_count, 0, sizeof found_count);
    memset(found_sum, 0, sizeof found_sum);
    each_part(store, NULL, note_part);
    if (memcmp(found_count, counted, sizeof counted) != 0
        || memcmp(found_sum, summed, sizeof summed) != 0) {
        fail_msg("seed %llu: the parts differ from the model",
                 (unsigned long long)seed);
    }
}

static void random_event(met_recorder *recorder)
{
    char subject[2] = {(char)('0' + next_random(SUBJECTS)), 0};
    char value[2] = {(char)('0' + next_random(VALUES)), 0};
    char amount[8];
    int64_t back = next_random(4) == 0 ? (int64_t)next_random(5) : 0;
    int64_t now_minute = (test_now_ns - START_NS) / MET__MINUTE_NS;
    int64_t units = (int64_t)next_random(2000) - 500;
    int has_amount = next_random(3) > 0;

    back = back > now_minute ? now_minute : back;
    snprintf(amount, sizeof amount, "%d.%02d", (int)(units / 100),
             abs((int)(units % 100)));
    if (units < 0 && units > -100) {
        snprintf(amount, sizeof amount, "-0.%02d", abs((int)units));
    }
    test_event event = {
        .type = "t", .subject = subject, .a = value,
        .quantity = has_amount ? amount : NULL,
        .utc_ns = back ? test_now_ns - back * MET__MINUTE_NS : 0,
        .flags = (uint32_t)next_random(2),
    };
    met_error error = add_event(recorder, &event);
    if (error != MET_OK) {
        fail_msg("%s %s", met_error_name(error), last_info.reason);
    }
    counted[now_minute - back][subject[0] - '0'][value[0] - '0']
           [event.flags]++;
    if (has_amount) {
        summed[now_minute - back][subject[0] - '0'][value[0] - '0']
              [event.flags] += units * 10000000;
    }
}

static void run_seed(uint64_t seed)
{
    met_recorder *recorders[RECORDERS] = {NULL};

    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    memset(counted, 0, sizeof counted);
    memset(summed, 0, sizeof summed);
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", "\"x\":\"$.a\""));
    for (int step = 0; step < 400; step++) {
        uint64_t which = next_random(RECORDERS);
        uint64_t what = next_random(20);
        if (recorders[which] == NULL) {
            recorders[which] = must_recorder(store, 0);
        }
        if (what < 13) {
            random_event(recorders[which]);
        } else if (what < 15) {
            assert_int_equal(met__recorder_tick(recorders[which]), MET_OK);
        } else if (what < 16) {
            must_settle(store);
        } else if (what < 17) {
            compare_with_model(seed + 0 * must_settle(store).cells);
        } else if (what < 18) {
            met__recorder_close(recorders[which]);
            recorders[which] = NULL;
        } else if (test_now_ns < START_NS + 62 * MET__MINUTE_NS) {
            test_now_ns += (int64_t)next_random(70) * MET__SECOND_NS;
        }
    }
    for (int i = 0; i < RECORDERS; i++) {
        met__recorder_close(recorders[i]);
    }
    must_settle(store);
    compare_with_model(seed);
    assert_int_equal(must_settle(store).cells, 0);
}

static void test_settlement__model(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run_seed(seed);
        teardown(NULL);
        setup(NULL);
    }
}

/* --- Two settlers --------------------------------------------------------- */
/* A settler stands still where another may run; meanwhile the recorder goes on
 * and others settle. Nothing is counted twice, and nothing is lost. */
static met_recorder *pausing;
static uint64_t acknowledged;
static int pause_next; /* the clock is asked: 1 = by the first settler */
static int pauses;

static void record_some(uint64_t events)
{
    for (uint64_t i = 0; i < events; i++) {
        char value[2] = {(char)('0' + next_random(VALUES)), 0};
        must_add(pausing, "t", "s", value);
        acknowledged++;
    }
}

/* Between the commit of the first settler and its telling the owner. */
static int64_t clock_of_the_first(void *context)
{
    if (pause_next) {
        pause_next = 0;
        pauses++;
        for (int i = 0; i < 3; i++) {
            record_some(next_random(4));
            test_now_ns += MET__MINUTE_NS;
            assert_int_equal(met__recorder_tick(pausing), MET_OK);
            must_settle(store);
            if (next_random(3) == 0) { /* the slot gets another owner */
                met__recorder_close(pausing);
                must_settle(store);
                pausing = must_recorder(store, 1);
            }
        }
        assert_int_equal(settled_events(store), acknowledged);
    }
    return test_now_ns;
}

static met_error record_inside(void *context, met__txn *txn)
{
    record_some(next_random(3));
    if (next_random(2)) {
        test_now_ns += MET__MINUTE_NS;
        assert_int_equal(met__recorder_tick(pausing), MET_OK);
    }
    return MET_OK;
}

static met_error pause_after_commit(void *context, met__txn *txn)
{
    record_inside(context, txn);
    pause_next = 1;
    return MET_OK;
}

static void test_settlement__two_settlers(void **state)
{
    const met__settle_step step = {.begin = record_inside,
                                   .end = pause_after_commit};
    met__platform platform = test_platform(NULL, NULL);

    met_store_close(store);
    platform.clock.utc_ns = clock_of_the_first;
    assert_int_equal(met__store_open(&platform, temp_path(home, "s"), MAP_SIZE,
                                     1, &store, NULL),
                     MET_OK);
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    random_state = 11;
    acknowledged = 0;
    pauses = 0;
    pausing = must_recorder(store, 1); /* few cells: soon used again */
    for (int round = 0; round < 40; round++) {
        record_some(5);
        met__settle_report report;
        assert_int_equal(met__settle(store, &step, 1, 0, &report, NULL),
                         MET_OK);
        pause_next = 0;
        must_settle(store);
        assert_int_equal(settled_events(store), acknowledged);
    }
    assert_int_equal(pauses, 40);
    met__recorder_close(pausing);
    must_settle(store);
    assert_int_equal(settled_events(store), acknowledged);
}

/* --- Steps ---------------------------------------------------------------- */
typedef struct step_log {
    met_error fail_begin;
    met_error fail_change;
    met_error fail_end;
    int begun;
    int changes;
    int ended;
    int committed;
    int aborted;
    int64_t count; /* sum of deltas of the meter "c" */
    int64_t sum;   /* of "s", whole */
} step_log;

static met_error log_begin(void *context, met__txn *txn)
{
    step_log *log = context;
    log->begun++;
    return log->fail_begin;
}

static met_error log_change(void *context, met__txn *txn,
                            const met__usage_change *change)
{
    step_log *log = context;
    int64_t whole = 0;

    log->changes++;
    assert_int_equal(met__decimal_to_i64(change->delta, &whole), MET_OK);
    if (met__text_equal(change->meter->key, MET__TEXT("c"))) {
        assert_true(met__text_equal(change->values[0], MET__TEXT("x")));
        log->count += whole;
    } else {
        log->sum += whole;
    }
    assert_true(met__text_equal(change->subject, MET__TEXT("who")));
    assert_int_equal(change->is_admitted, 1);
    assert_int_equal(change->minute_ns, START_NS);
    return log->fail_change;
}

static met_error log_end(void *context, met__txn *txn)
{
    step_log *log = context;
    log->ended++;
    return log->fail_end;
}

static void log_committed(void *context)
{
    ((step_log *)context)->committed++;
}

static void log_aborted(void *context)
{
    ((step_log *)context)->aborted++;
}

static met_error settle_logged(step_log *log)
{
    const met__settle_step steps[] = {
        {0},
        {log, log_begin, log_change, log_end, log_committed, log_aborted},
    };
    return met__settle(store, steps, 2, 0, NULL, NULL);
}

static void test_settlement__steps(void **state)
{
    test_event event = {.type = "t", .subject = "who", .a = "x",
                        .quantity = "7", .flags = MET__RECORD_ADMITTED};
    step_log log = {0};

    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", ""));
    met_recorder *recorder = must_recorder(store, 0);
    assert_int_equal(add_event(recorder, &event), MET_OK);
    log.fail_begin = MET_E_IO;
    assert_int_equal(settle_logged(&log), MET_E_IO);
    assert_int_equal(log.changes, 0);
    log.fail_begin = MET_OK;
    log.fail_change = MET_E_OVERFLOW;
    assert_int_equal(settle_logged(&log), MET_E_OVERFLOW);
    log.fail_change = MET_OK;
    log.fail_end = MET_E_NO_MEMORY;
    assert_int_equal(settle_logged(&log), MET_E_NO_MEMORY);
    assert_int_equal(log.aborted, 3);
    assert_int_equal(log.committed, 0);
    assert_int_equal(settled_events(store), 0);

    log = (step_log){0};
    assert_int_equal(settle_logged(&log), MET_OK);
    assert_int_equal(add_event(recorder, &event), MET_OK);
    assert_int_equal(add_event(recorder, &event), MET_OK);
    assert_int_equal(settle_logged(&log), MET_OK);
    assert_int_equal(settle_logged(&log), MET_OK);
    assert_int_equal(log.count, 3);
    assert_int_equal(log.sum, 21);
    assert_int_equal(log.changes, 4);
    assert_int_equal(log.begun, 3);
    assert_int_equal(log.ended, 3);
    assert_int_equal(log.committed, 3);
    assert_int_equal(log.aborted, 0);
    met__recorder_close(recorder);
}

/* --- Bounds --------------------------------------------------------------- */
static void test_settlement__bounded(void **state)
{
    met__settle_report report = {0};
    char subject[16];
    uint64_t settled = 0;
    int passes = 0;

    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    met_recorder *recorder = must_recorder(store, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(subject, sizeof subject, "s%d", i);
        must_add(recorder, "t", subject, "a");
    }
    do {
        assert_int_equal(met__settle(store, NULL, 0, 30, &report, NULL),
                         MET_OK);
        assert_in_range(report.parts, 1, 30);
        settled += report.parts;
        passes++;
    } while (report.oldest_unsettled_ns != 0);
    assert_int_equal(settled, 100);
    assert_int_equal(passes, 4);
    assert_int_equal(settled_events(store), 100);
    met__recorder_close(recorder);
}

/* More cells than one transaction takes, of a slot that its owner left. */
static void test_settlement__many_transactions(void **state)
{
    char subject[16];

    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    met_recorder *recorder = must_recorder(store, 0);
    for (int i = 0; i < 25000; i++) {
        snprintf(subject, sizeof subject, "s%d", i);
        must_add(recorder, "t", subject, "a");
        if (i % 4000 == 0) {
            assert_int_equal(met__recorder_tick(recorder), MET_OK);
        }
    }
    met__recorder_close(recorder);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.transactions, 3);
    assert_int_equal(report.parts, 25000);
    assert_int_equal(report.events, 25000);
    assert_int_equal(report.slots_retired, 1);
    assert_int_equal(settled_events(store), 25000);
    report = must_settle(store);
    assert_int_equal(report.cells, 0);
}

/* Many owners came and left, and nobody settled between. */
static void test_settlement__owner_after_owner(void **state)
{
    char subject[16];

    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    for (int i = 0; i < 12; i++) {
        met_recorder *recorder = must_recorder(store, 0);
        snprintf(subject, sizeof subject, "s%d", i);
        for (int n = 0; n <= i; n++) {
            must_add(recorder, "t", subject, "a");
        }
        met__recorder_close(recorder);
    }
    met__settle_report report = must_settle(store);
    assert_int_equal(report.events, 78);
    assert_int_equal(report.parts, 12);
    assert_int_equal(settled_events(store), 78);
    report = must_settle(store);
    assert_int_equal(report.events, 0);
    assert_int_equal(settled_events(store), 78);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settlement__one_event),
        TEST(test_settlement__model),
        TEST(test_settlement__two_settlers),
        TEST(test_settlement__steps),
        TEST(test_settlement__bounded),
        TEST(test_settlement__many_transactions),
        TEST(test_settlement__owner_after_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

/* --- Against a model ------------------------------------------------------- */
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settlement__one_event),
        TEST(test_settlement__model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of shapes: after any order of making and giving back every shape
 * is found at its place, and no event is lost or counted elsewhere. */
#include "usage_support.h"

#include "meter/recorder_state.h"

#define SUBJECTS 300
#define SHAPES 40

static char home[64];
static met_store *store;
static met_recorder *recorder;
static uint64_t random_state;
static uint64_t counted[SUBJECTS];
static met_prepared *prepared[SUBJECTS];

static uint64_t next_random(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1;
    return (random_state >> 33) % below;
}

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    random_state = 20260303;
    memset(counted, 0, sizeof counted);
    memset(prepared, 0, sizeof prepared);
    store = test_store(temp_path(home, "s"));
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    recorder = must_recorder(store, SHAPES);
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < SUBJECTS; i++) {
        met__prepared_close(prepared[i]);
    }
    met__recorder_close(recorder);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met_event event_of(int number, char subject[16])
{
    snprintf(subject, 16, "%d", number);
    return (met_event){.struct_size = sizeof(met_event),
                       .type = "t",
                       .type_size = 1,
                       .subject = subject,
                       .subject_size = strlen(subject)};
}

/* One event, alone, prepared or in a group; refused when nothing is free. */
static void count_one(int number)
{
    char subjects[4][16];
    met_event events[4];
    met_error errors[4];
    size_t taken = 0;
    size_t failed = 0;
    met_error error;

    for (int i = 0; i < 4; i++) {
        int which = i == 0 ? number : (int)next_random(SUBJECTS);
        events[i] = event_of(which, subjects[i]);
    }
    switch (next_random(3)) {
    case 0:
        error = met__recorder_add(recorder, events, 0, NULL);
        counted[number] += error == MET_OK;
        assert_true(error == MET_OK || error == MET_E_TALLY_FULL);
        break;
    case 1:
        if (prepared[number] == NULL) {
            assert_int_equal(met__prepared_open(recorder, events,
                                                &prepared[number], NULL),
                             MET_OK);
        }
        error = met__prepared_add(prepared[number], NULL, 0, 0, NULL);
        counted[number] += error == MET_OK;
        assert_true(error == MET_OK || error == MET_E_TALLY_FULL);
        break;
    default:
        (void)met__recorder_add_group(recorder, events, 4, errors, &taken,
                                      &failed, NULL);
        assert_int_equal(taken, 4);
        for (int i = 0; i < 4; i++) {
            counted[atoi(subjects[i])] += errors[i] == MET_OK;
        }
        break;
    }
}

static void check_table(void)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < recorder->shape_places; i++) {
        const met__shape_record *record = &recorder->shapes[i];
        if (record->entry != 0) {
            assert_int_equal(met__recorder_find(recorder, record->hash), i);
            used++;
        }
        if (record->reach > 0) { /* no farther than the farthest */
            uint32_t last = (i + record->reach - 1) % recorder->shape_places;
            assert_int_not_equal(recorder->shapes[last].entry, 0);
            assert_int_equal(met__recorder_home(
                                 recorder, recorder->shapes[last].hash),
                             i);
        }
    }
    assert_int_equal(used, recorder->shape_count);
    assert_true(used <= recorder->shape_room);
}

static void settle_all(void)
{
    test_now_ns += MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    (void)must_settle(store);
}

static void check_subject(void *context, uint32_t minute,
                          const met__usage_shape *shape,
                          const uint64_t *words)
{
    uint64_t *found = context;
    char text[16] = {0};

    memcpy(text, shape->subject.data, shape->subject.size);
    found[atoi(text)] += words[MET__PART_COUNT];
}

static void test_table__any_order(void **state)
{
    uint64_t found[SUBJECTS] = {0};
    uint64_t full = 0;

    for (int i = 0; i < 20000; i++) {
        /* Some subjects stay, others come and go. */
        count_one((int)next_random(next_random(2) ? 20 : SUBJECTS));
        if (next_random(60) == 0) {
            settle_all();
        }
        if (i % 50 == 0) {
            check_table();
        }
        full = recorder->full;
    }
    assert_true(full > 100);
    settle_all();
    each_part(store, found, check_subject);
    for (int i = 0; i < SUBJECTS; i++) {
        assert_int_equal(found[i], counted[i]);
    }
}

/* Who has too few shapes is told so, and not that nobody settles. */
static void test_table__full(void **state)
{
    char subject[16];
    met_error error = MET_OK;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    for (int i = 0; error == MET_OK; i++) {
        met_event event = event_of(i, subject);
        error = met__recorder_add(recorder, &event, 0, &last_info);
    }
    assert_int_equal(error, MET_E_TALLY_FULL);
    assert_int_equal(recorder->shape_count, SHAPES + SHAPES / 8 + 1);
    assert_non_null(strstr(last_info.reason, "46 shapes wait to be settled"));
    settle_all();
    met_event event = event_of(SUBJECTS, subject);
    assert_int_equal(met__recorder_add(recorder, &event, 0, NULL), MET_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_table__any_order),
        TEST(test_table__full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

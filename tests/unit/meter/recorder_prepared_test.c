/* Batches and prepared events: the same usage as event by event, whatever comes
 * between: errors, other meters, room that ends, shapes given back. */
#include "usage_support.h"

#define EVENTS 40

static char home[64];
static met_store *store;
static uint64_t seed;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    seed = 20260301;
    store = test_store(temp_path(home, "s"));
    must_meter(store, COUNT_METER("k", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("q", "u", "v", "\"x\":\"$.a\""));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static uint32_t chance(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

/* --- Usage as one number -------------------------------------------------- */
/* Sums over parts, weighted by what they belong to, so that usage under another
 * subject, value or minute gives another number. */
static void add_part(void *context, uint32_t minute,
                     const met__usage_shape *shape, const uint64_t *words)
{
    uint64_t weight = minute;

    for (size_t i = 0; i < shape->subject.size; i++) {
        weight = weight * 31 + (unsigned char)shape->subject.data[i];
    }
    for (size_t i = 0; i < shape->attribute_count; i++) {
        for (size_t k = 0; k < shape->values[i].size; k++) {
            weight = weight * 33 + (unsigned char)shape->values[i].data[k];
        }
    }
    *(uint64_t *)context += weight * words[MET__PART_COUNT];
}

static uint64_t usage(met_store *of)
{
    uint64_t sum = 0;

    must_settle(of);
    each_part(of, &sum, add_part);
    return sum;
}

/* --- Batches -------------------------------------------------------------- */
typedef struct event_texts {
    char subject[160];
    char value[136];
} event_texts;

/* Mostly good, now and then with a field that is refused. */
static void random_events(met_event *events, met_pair *pairs,
                          event_texts *texts, met_quantity *quantity)
{
    for (size_t i = 0; i < EVENTS; i++) {
        uint32_t kind = chance(20);
        snprintf(texts[i].subject, sizeof texts[i].subject, "s%u", chance(9));
        snprintf(texts[i].value, sizeof texts[i].value, "%0*u",
                 (int)chance(100) + 1, chance(5));
        pairs[i] = (met_pair){"a", 1, texts[i].value,
                              strlen(texts[i].value)};
        events[i] = (met_event){
            .struct_size = sizeof events[i],
            .type = chance(3) == 0 ? "u" : "t",
            .type_size = 1,
            .subject = texts[i].subject,
            .subject_size = kind == 0 ? 0 : strlen(texts[i].subject),
            .attributes = &pairs[i],
            .attribute_count = 1,
            .quantities = quantity,
            .quantity_count = kind == 1 ? 0 : 1,
            .utc_ns = START_NS + (int64_t)chance(5) * MET__MINUTE_NS,
        };
        if (kind == 2) {
            events[i].type = "?";
        }
    }
}

/* All of the events in rounds, as a batch is made of them. */
static void add_all(met_recorder *recorder, const met_event *events,
                    met_error *errors, met_error_info *info)
{
    int has_failed = 0;

    for (size_t i = 0; i < EVENTS;) {
        size_t taken = 0;
        size_t failed = 0;
        met_error error = met__recorder_add_group(
            recorder, events + i, EVENTS - i, errors + i, &taken, &failed,
            has_failed ? NULL : info);
        assert_true(taken > 0 && taken <= MET__GROUP_MAX);
        if (error == MET_OK) {
            assert_true(failed == SIZE_MAX);
        } else {
            assert_int_equal(errors[i + failed], error);
            has_failed = 1;
        }
        i += taken;
    }
}

static void test_batch__is_event_by_event(void **state)
{
    static met_event events[EVENTS];
    static met_pair pairs[EVENTS];
    static event_texts texts[EVENTS];
    met_quantity quantity = {"v", 1, {{0, 0}}};
    met_error errors[EVENTS];
    met_store *other = test_store(temp_path(home, "other"));
    must_meter(other, COUNT_METER("k", "t", "\"x\":\"$.a\""));
    must_meter(other, SUM_METER("q", "u", "v", "\"x\":\"$.a\""));
    met_recorder *batch = must_recorder(store, 0);
    met_recorder *single = must_recorder(other, 0);

    assert_int_equal(met__decimal_parse(met__text_z("2.5"), &quantity.value),
                     MET_OK);
    for (int round = 0; round < 30; round++) {
        met_error_info told = {.struct_size = sizeof told};
        met_error_info wanted = {.struct_size = sizeof wanted};
        met_error first = MET_OK;
        random_events(events, pairs, texts, &quantity);
        add_all(batch, events, errors, &told);
        for (size_t i = 0; i < EVENTS; i++) {
            met_error error = met__recorder_add(
                single, &events[i], 0, first == MET_OK ? &wanted : NULL);
            assert_int_equal(errors[i], error);
            first = first == MET_OK ? error : first;
        }
        assert_int_equal(told.code, wanted.code);
        assert_string_equal(told.field, wanted.field);
        assert_string_equal(told.reason, wanted.reason);
        if (round % 5 == 0) {
            test_now_ns += MET__MINUTE_NS;
            assert_int_equal(met__recorder_tick(batch), MET_OK);
            assert_int_equal(met__recorder_tick(single), MET_OK);
            assert_int_equal(usage(store), usage(other));
        }
    }
    assert_int_equal(usage(store), usage(other));
    assert_true(settled_events(store) > 30 * EVENTS * 3 / 4);
    met__recorder_close(batch);
    met__recorder_close(single);
    met_store_close(other);
}

/* Values that are put together make longer keys: they must not run into the
 * next event's. */
static void test_batch__overflow(void **state)
{
    static met_event events[EVENTS];
    static met_pair pairs[EVENTS];
    static char values[EVENTS][4];
    met_error errors[EVENTS];
    met_recorder *recorder = must_recorder(store, 16);

    for (size_t i = 0; i < EVENTS; i++) {
        snprintf(values[i], sizeof values[i], "%c%c", 'a' + (int)(i % 26),
                 'a' + (int)(i / 26));
        pairs[i] = (met_pair){"a", 1, values[i], 2};
        events[i] = (met_event){.struct_size = sizeof events[i],
                                .type = "t", .type_size = 1,
                                .subject = "s", .subject_size = 1,
                                .attributes = &pairs[i],
                                .attribute_count = 1};
    }
    add_all(recorder, events, errors, NULL);
    for (size_t i = 0; i < EVENTS; i++) {
        assert_int_equal(errors[i], MET_OK);
    }
    must_settle(store);
    assert_int_equal(settled_events(store), EVENTS);
    met__recorder_close(recorder);
}

/* --- Prepared events ------------------------------------------------------ */
static met_prepared *prepare(met_recorder *recorder, const char *type,
                             const char *subject, const char *value)
{
    met_pair pair = {"a", 1, value, strlen(value)};
    met_event event = {.struct_size = sizeof event,
                       .type = type, .type_size = 1,
                       .subject = subject, .subject_size = strlen(subject),
                       .attributes = &pair, .attribute_count = 1};
    met_prepared *prepared = NULL;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met__prepared_open(recorder, &event, &prepared,
                                        &last_info),
                     MET_OK);
    return prepared;
}

static void add_value(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    uint64_t *counts = context;

    if (shape->values[0].size == 1) {
        counts[(unsigned char)shape->values[0].data[0]] +=
            words[MET__PART_COUNT];
    } else {
        counts[0] += words[MET__PART_COUNT];
    }
}

static void counts_of(uint64_t counts[256])
{
    memset(counts, 0, 256 * sizeof *counts);
    must_settle(store);
    each_part(store, counts, add_value);
}

static void test_prepared__counts(void **state)
{
    uint64_t counts[256];
    met_recorder *recorder = must_recorder(store, 0);
    met_prepared *a = prepare(recorder, "t", "s", "a");
    met_prepared *b = prepare(recorder, "t", "s", "b");

    for (int i = 0; i < 10; i++) {
        assert_int_equal(met__prepared_add(a, NULL, 0, 0, NULL), MET_OK);
        must_add(recorder, "t", "s", "a");
        assert_int_equal(met__prepared_add(b, NULL, 0,
                                           START_NS + i * MET__MINUTE_NS,
                                           NULL),
                         MET_OK);
    }
    counts_of(counts);
    assert_int_equal(counts['a'], 20);
    assert_int_equal(counts['b'], 10);
    met__prepared_close(a);
    met__prepared_close(b);
    met__prepared_close(NULL);
    met__recorder_close(recorder);
}

static void test_prepared__refusals(void **state)
{
    met_quantity quantity = {"v", 1, {{0, 0}}};
    met_recorder *recorder = must_recorder(store, 0);
    met_prepared *u = prepare(recorder, "u", "s", "a");

    /* The first goes the long way, the others the short one. */
    for (int i = 0; i < 3; i++) {
        last_info = (met_error_info){.struct_size = sizeof last_info};
        assert_int_equal(met__prepared_add(u, NULL, 0, 0, &last_info),
                         MET_E_INVALID);
        assert_string_equal(last_info.field, "quantities");
        assert_int_equal(met__prepared_add(u, &quantity, 1, -1, &last_info),
                         MET_E_INVALID);
        assert_string_equal(last_info.field, "utc_ns");
        assert_int_equal(met__prepared_add(u, &quantity, 1, 0, &last_info),
                         MET_OK);
    }
    must_settle(store);
    assert_int_equal(settled_events(store), 3);
    met__prepared_close(u);
    met__recorder_close(recorder);
}

/* Other meters: the shape is another one; its type may even be gone. */
static void test_prepared__follows_meters(void **state)
{
    met__txn *txn = NULL;
    met_recorder *recorder = must_recorder(store, 0);
    met_prepared *a = prepare(recorder, "t", "s", "a");

    assert_int_equal(met__prepared_add(a, NULL, 0, 0, NULL), MET_OK);
    must_meter(store, COUNT_METER("k2", "t", "\"y\":\"$.b\""));
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    assert_int_equal(met__prepared_add(a, NULL, 0, 0, NULL), MET_OK);
    assert_int_equal(met__prepared_add(a, NULL, 0, 0, NULL), MET_OK);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__meter_remove(txn, met__text_z("k"), NULL), MET_OK);
    assert_int_equal(met__meter_remove(txn, met__text_z("k2"), NULL), MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    assert_int_equal(met__prepared_add(a, NULL, 0, 0, NULL),
                     MET_E_NOT_FOUND);
    must_settle(store);
    assert_int_equal(settled_events(store), 3);
    met__prepared_close(a);
    met__recorder_close(recorder);
}

/* A shape that was given back, its place taken by others, is looked up. */
static void test_prepared__given_back(void **state)
{
    uint64_t counts[256];
    char value[2] = "a";
    met_recorder *recorder = must_recorder(store, 16);
    met_prepared *z = prepare(recorder, "t", "s", "z");

    for (int round = 0; round < 4; round++) {
        assert_int_equal(met__prepared_add(z, NULL, 0, 0, NULL), MET_OK);
        test_now_ns += MET__MINUTE_NS;
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        must_settle(store);
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        for (int i = 0; i < 14; i++) {
            value[0] = (char)('a' + (i + round * 7) % 25);
            must_add(recorder, "t", "s", value);
        }
    }
    counts_of(counts);
    assert_int_equal(counts['z'], 4);
    assert_int_equal(settled_events(store), 4 * 15);
    met__prepared_close(z);
    met__recorder_close(recorder);
}

/* No room for its values: put together, and apart again when there is room. */
static void test_prepared__overflow(void **state)
{
    uint64_t counts[256];
    char value[2] = "a";
    met_recorder *recorder = must_recorder(store, 16);

    for (int i = 0; i < 16; i++) {
        value[0] = (char)('a' + i);
        must_add(recorder, "t", "s", value);
    }
    met_prepared *z = prepare(recorder, "t", "s", "z");
    assert_int_equal(met__prepared_add(z, NULL, 0, 0, NULL), MET_OK);
    counts_of(counts);
    assert_int_equal(counts['z'], 0);
    assert_int_equal(counts[0], 1);
    test_now_ns += MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_settle(store);
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    assert_int_equal(met__prepared_add(z, NULL, 0, 0, NULL), MET_OK);
    counts_of(counts);
    assert_int_equal(counts['z'], 1);
    met__prepared_close(z);
    met__recorder_close(recorder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__is_event_by_event),
        TEST(test_batch__overflow),
        TEST(test_prepared__counts),
        TEST(test_prepared__refusals),
        TEST(test_prepared__follows_meters),
        TEST(test_prepared__given_back),
        TEST(test_prepared__overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

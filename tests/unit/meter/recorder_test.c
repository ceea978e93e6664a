/* The recorder by itself: what it refuses, that a refusal changes nothing, what
 * happens when room ends, when the clock steps back and after a fork. */
#include "usage_support.h"

#include <sys/wait.h>
#include <unistd.h>

#include "meter/slot_file.h"

static char home[64];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    must_meter(store, COUNT_METER("k", "t", "\"x\":\"$.a\""));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

/* Counts by value of the first attribute. */
typedef struct by_value {
    const char *value;
    uint64_t count;
} by_value;

static void add_value(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    by_value *wanted = context;

    if (met__text_equal(shape->values[0], met__text_z(wanted->value))) {
        wanted->count += words[MET__PART_COUNT];
    }
}

static uint64_t settled_of(const char *value)
{
    by_value wanted = {value, 0};

    must_settle(store);
    each_part(store, &wanted, add_value);
    return wanted.count;
}

/* --- What is refused ------------------------------------------------------ */
static met_error try_event(met_recorder *recorder, const char *type,
                           const char *subject, const char *a,
                           const char *quantity, int64_t utc_ns)
{
    test_event event = {.type = type, .subject = subject, .a = a,
                        .quantity = quantity, .utc_ns = utc_ns};
    return add_event(recorder, &event);
}

static void test_recorder__refusals(void **state)
{
    char long_text[130];
    met_recorder *recorder = must_recorder(store, 0);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[129] = '\0';

#define REFUSED(code, where, ...)                                    \
    do {                                                             \
        assert_int_equal(try_event(recorder, __VA_ARGS__), code);    \
        assert_string_equal(last_info.field, where);                 \
    } while (0)
    REFUSED(MET_E_INVALID, "type", NULL, "s", "a", NULL, 0);
    REFUSED(MET_E_INVALID, "type", "", "s", "a", NULL, 0);
    REFUSED(MET_E_NOT_FOUND, "type", "T", "s", "a", NULL, 0);
    REFUSED(MET_E_NOT_FOUND, "type", "tt", "s", "a", NULL, 0);
    REFUSED(MET_E_INVALID, "subject", "t", NULL, "a", NULL, 0);
    REFUSED(MET_E_INVALID, "subject", "t", "", "a", NULL, 0);
    REFUSED(MET_E_LIMIT, "subject", "t", long_text, "a", NULL, 0);
    REFUSED(MET_E_INVALID, "subject", "t", "\xff", "a", NULL, 0);
    REFUSED(MET_E_INVALID, "subject", "t", "a\nb", "a", NULL, 0);
    REFUSED(MET_E_LIMIT, "attributes[0].value", "t", "s", long_text, NULL, 0);
    REFUSED(MET_E_INVALID, "attributes", "t", "s", "\xc0\x80", NULL, 0);
    REFUSED(MET_E_INVALID, "utc_ns", "t", "s", "a", NULL, -1);
    REFUSED(MET_E_INVALID, "utc_ns", "t", "s", "a", NULL, INT64_MAX);
#undef REFUSED
    long_text[128] = '\0';
    assert_int_equal(try_event(recorder, "t", long_text, long_text, NULL, 0),
                     MET_OK);
    must_settle(store);
    assert_int_equal(settled_events(store), 1);
    met__recorder_close(recorder);
}

static met_error try_raw(met_recorder *recorder, const met_pair *pairs,
                         size_t count)
{
    met_event event = {.struct_size = sizeof event, .type = "t",
                       .type_size = 1, .subject = "s", .subject_size = 1,
                       .attributes = pairs, .attribute_count = count};

    last_info = (met_error_info){.struct_size = sizeof last_info};
    return met__recorder_add(recorder, &event, 0, &last_info);
}

static void test_recorder__raw_attributes(void **state)
{
    met_recorder *recorder = must_recorder(store, 0);
    met_pair many[65];

    for (size_t i = 0; i < 65; i++) {
        many[i] = (met_pair){"other", 5, "v", 1};
    }
    assert_int_equal(try_raw(recorder, many, 65), MET_E_LIMIT);
    assert_int_equal(try_raw(recorder, many, SIZE_MAX), MET_E_LIMIT);
    assert_int_equal(try_raw(recorder, NULL, 1), MET_E_INVALID);
    assert_string_equal(last_info.field, "attributes");
    many[0] = (met_pair){"a", 1, NULL, 3};
    assert_int_equal(try_raw(recorder, many, 1), MET_E_INVALID);
    assert_string_equal(last_info.field, "attributes[0].value");
    many[0] = (met_pair){"a", 1, "n\0l", 3};
    assert_int_equal(try_raw(recorder, many, 1), MET_E_INVALID);
    many[0] = (met_pair){"a", 1, NULL, 0};
    assert_int_equal(try_raw(recorder, many, 64), MET_OK);
    assert_int_equal(settled_of(""), 1);
    met__recorder_close(recorder);
}

static void test_recorder__first_of_a_name(void **state)
{
    met_recorder *recorder = must_recorder(store, 0);
    met_pair late[] = {{"b", 1, "0", 1}, {"a", 1, "one", 3}};
    met_pair twice[] = {{"a", 1, "two", 3}, {"a", 1, "not", 3}};

    assert_int_equal(try_raw(recorder, late, 2), MET_OK);
    assert_int_equal(try_raw(recorder, twice, 2), MET_OK);
    assert_int_equal(settled_of("one"), 1);
    assert_int_equal(settled_of("two"), 1);
    assert_int_equal(settled_of("not"), 0);
    met__recorder_close(recorder);
}

static void first_sum(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    *(int64_t *)context += (int64_t)met__amount_get(
        words + MET__PART_QUANTITIES + MET__QUANTITY_SUM);
}

static void test_recorder__quantities(void **state)
{
    must_meter(store, SUM_METER("s", "u", "v", ""));
    met_recorder *recorder = must_recorder(store, 0);
    met_quantity late[] = {{"w", 1, {{0, 0}}}, {"v", 1, {{0, 0}}}};
    met_quantity twice[] = {{"v", 1, {{0, 0}}}, {"v", 1, {{0, 0}}}};
    met_event event = {.struct_size = sizeof event, .type = "u",
                       .type_size = 1, .subject = "s", .subject_size = 1,
                       .quantities = late, .quantity_count = 2};
    int64_t sum = 0;

    assert_int_equal(try_event(recorder, "u", "s", NULL, NULL, 0),
                     MET_E_INVALID);
    assert_string_equal(last_info.field, "quantities");
    const char *bad[] = {"1000000000000000", "0.0000000001", "NaN",
                         "Infinity", "-1000000000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        met_quantity quantity = {"v", 1, {{0, 0}}};
        event.quantities = &quantity;
        event.quantity_count = 1;
        if (met__decimal_parse(met__text_z(bad[i]), &quantity.value)
            != MET_OK) {
            memset(&quantity.value, 0x7c, sizeof quantity.value);
        }
        assert_int_equal(met__recorder_add(recorder, &event, 0, &last_info),
                         MET_E_INVALID);
        assert_string_equal(last_info.field, "quantities[0].value");
    }
    late[0].value = twice[1].value = met__decimal_from_i64(1000);
    late[1].value = met__decimal_from_i64(2);
    twice[0].value = met__decimal_from_i64(40);
    event.quantity_count = 2;
    event.quantities = late;
    assert_int_equal(met__recorder_add(recorder, &event, 0, NULL), MET_OK);
    event.quantities = twice;
    assert_int_equal(met__recorder_add(recorder, &event, 0, NULL), MET_OK);
    assert_int_equal(try_event(recorder, "u", "s", NULL,
                               "-999999999999999.999999999", 0),
                     MET_OK);
    assert_int_equal(try_event(recorder, "u", "s", NULL,
                               "999999999999999.999999999", 0),
                     MET_OK);
    must_settle(store);
    each_part(store, &sum, first_sum);
    assert_int_equal(sum, INT64_C(42000000000));
    met__recorder_close(recorder);
}

/* --- When room ends ------------------------------------------------------- */
static void test_recorder__full(void **state)
{
    met_recorder *recorder = must_recorder(store, 1);
    uint64_t counted = 0;

    for (int round = 0; round < 4; round++) {
        met_error error = MET_OK;
        while (error == MET_OK) {
            error = try_event(recorder, "t", "s", "a", NULL, 0);
            counted += error == MET_OK;
            test_now_ns += MET__MINUTE_NS;
            assert_true(counted < 100000);
        }
        assert_int_equal(error, MET_E_TALLY_FULL);
        /* Refusing again and ticking make no room and lose nothing. */
        assert_int_equal(try_event(recorder, "t", "s", "a", NULL, 0),
                         MET_E_TALLY_FULL);
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        assert_int_equal(try_event(recorder, "t", "s", "a", NULL, 0),
                         MET_E_TALLY_FULL);
        must_settle(store);
        assert_int_equal(settled_events(store), counted);
    }
    assert_true(counted > 3000);
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), counted);
}

static void test_recorder__overflow(void **state)
{
    met_recorder *recorder = must_recorder(store, 16);
    char value[16];

    for (int i = 0; i < 100; i++) {
        snprintf(value, sizeof value, "v%d", i);
        must_add(recorder, "t", "s", value);
    }
    must_add(recorder, "t", "s", "v0");
    assert_int_equal(settled_of("v0"), 2);
    assert_int_equal(settled_of("__overflow__"), 84);
    assert_int_equal(settled_events(store), 101);
    /* Subjects are never merged: beyond the reserve there is no room. */
    met_error error = MET_OK;
    uint64_t counted = 101;
    for (int i = 0; error == MET_OK && i < 100; i++) {
        snprintf(value, sizeof value, "s%d", i);
        error = try_event(recorder, "t", value, "x", NULL, 0);
        counted += error == MET_OK;
    }
    assert_int_equal(error, MET_E_TALLY_FULL);
    must_settle(store);
    assert_int_equal(settled_events(store), counted);
    /* When the minute is over and settled, shapes come back. */
    test_now_ns += MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_settle(store);
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_add(recorder, "t", "new", "fresh");
    assert_int_equal(settled_of("fresh"), 1);
    met__recorder_close(recorder);
}

/* --- Time ----------------------------------------------------------------- */
static void test_recorder__clock_back(void **state)
{
    met_recorder *recorder = must_recorder(store, 0);
    uint64_t counted = 0;

    test_now_ns = START_NS + 30 * MET__MINUTE_NS;
    must_add(recorder, "t", "s", "a");
    test_now_ns = START_NS;
    for (int i = 0; i < 90; i++) {
        must_add(recorder, "t", "s", i % 2 ? "a" : "b");
        if (i % 7 == 0) {
            assert_int_equal(met__recorder_tick(recorder), MET_OK);
        }
        if (i % 11 == 0) {
            must_settle(store);
        }
        counted++;
        test_now_ns += i == 45 ? -20 * MET__MINUTE_NS : 40 * MET__SECOND_NS;
    }
    must_settle(store);
    assert_int_equal(settled_events(store), counted + 1);
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), counted + 1);
}

static void test_recorder__many_minutes(void **state)
{
    met_recorder *recorder = must_recorder(store, 0);

    /* More minutes at once than are kept aside; each twice. */
    for (int i = 0; i < 2 * 3000; i++) {
        int64_t minute = i % 3000;
        assert_int_equal(try_event(recorder, "t", "s", "a", NULL,
                                   START_NS - minute * MET__MINUTE_NS),
                         MET_OK);
    }
    must_settle(store);
    assert_int_equal(settled_events(store), 6000);
    met__recorder_close(recorder);
}

/* --- Plans ---------------------------------------------------------------- */
static void test_recorder__new_plan(void **state)
{
    met_recorder *recorder = must_recorder(store, 0);

    assert_int_equal(try_event(recorder, "n", "s", "a", NULL, 0),
                     MET_E_NOT_FOUND);
    must_add(recorder, "t", "s", "a");
    must_meter(store, COUNT_METER("n", "n", "\"x\":\"$.b\""));
    must_meter(store, COUNT_METER("k2", "t", "\"y\":\"$.b\""));
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    test_event event = {.type = "n", .subject = "s", .a = "a", .b = "b"};
    assert_int_equal(add_event(recorder, &event), MET_OK);
    event.type = "t";
    assert_int_equal(add_event(recorder, &event), MET_OK);
    assert_int_equal(settled_of("b"), 1); /* of n: only b is kept */
    assert_int_equal(settled_events(store), 3);
    met__recorder_close(recorder);
}

/* --- Slots ---------------------------------------------------------------- */
static void test_recorder__slots(void **state)
{
    met_recorder *one = must_recorder(store, 0);
    met_recorder *two = must_recorder(store, 0);
    char first[128];
    char second[128];

    snprintf(first, sizeof first, "%s", temp_path(home, "s/tally/0000.map"));
    snprintf(second, sizeof second, "%s", temp_path(home, "s/tally/0001.map"));
    assert_true(temp_exists(first) && temp_exists(second));
    must_add(one, "t", "s", "a");
    met__recorder_close(one);
    met__recorder_close(two); /* nothing in it: free at once */
    two = must_recorder(store, 0);
    assert_false(temp_exists(temp_path(home, "s/tally/0002.map")));
    must_add(two, "t", "s", "a");
    must_settle(store);
    one = must_recorder(store, 0); /* settled: used again */
    assert_false(temp_exists(temp_path(home, "s/tally/0002.map")));
    must_add(one, "t", "s", "a");
    must_settle(store);
    assert_int_equal(settled_events(store), 3);
    met__recorder_close(one);
    met__recorder_close(two);
}

static void test_recorder__no_slot(void **state)
{
    met_recorder *recorder = NULL;
    char name[32];

    for (int i = 0; i < MET__SLOTS_MAX; i++) {
        snprintf(name, sizeof name, "s/tally/%04d.map", i);
        FILE *file = fopen(temp_path(home, name), "w");
        assert_non_null(file);
        fclose(file);
    }
    assert_int_equal(met__recorder_open(store, 0, &recorder, &last_info),
                     MET_E_LIMIT);
    assert_null(recorder);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_damaged, MET__SLOTS_MAX);
    assert_int_equal(remove(temp_path(home, "s/tally/0999.map")), 0);
    recorder = must_recorder(store, 0);
    must_add(recorder, "t", "s", "a");
    must_settle(store);
    assert_int_equal(settled_events(store), 1);
    met__recorder_close(recorder);
}

/* --- Fork ----------------------------------------------------------------- */
static void test_recorder__fork(void **state)
{
    met_recorder *recorder = must_recorder(store, 0);

    must_add(recorder, "t", "s", "a");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int good = try_event(recorder, "t", "s", "a", NULL, 0)
                       == MET_E_FORKED
                   && met__recorder_tick(recorder) == MET_E_FORKED;
        met__recorder_close(recorder);
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    must_add(recorder, "t", "s", "a");
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_live, 1); /* the child took no lock away */
    assert_int_equal(settled_events(store), 2);
    met__recorder_close(recorder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_recorder__refusals),
        TEST(test_recorder__raw_attributes),
        TEST(test_recorder__first_of_a_name),
        TEST(test_recorder__quantities),
        TEST(test_recorder__full),
        TEST(test_recorder__overflow),
        TEST(test_recorder__clock_back),
        TEST(test_recorder__many_minutes),
        TEST(test_recorder__new_plan),
        TEST(test_recorder__slots),
        TEST(test_recorder__no_slot),
        TEST(test_recorder__fork),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The inside of ingest: an index that lies, handles beside each other, meters
 * that come and go, ids of many batches; numbers that never were. */
#include "event_support.h"

#include "meter/dedupe_map.h"
#include "meter/event_state.h"

static char home[64];
static met_store *store;
static met__ingest *ingest;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    must_meter(store, NUMBERS_METER);
    ingest = must_ingest(store);
    return 0;
}

static int teardown(void **state)
{
    met__ingest_close(ingest);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static void must_take(met__ingest *by, uint64_t first, uint32_t count)
{
    met_error error = ingest_numbers(by, first, count, NULL, NULL);

    if (error != MET_OK) {
        fail_msg("%s \"%s\" \"%s\"", met_error_name(error), last_info.field,
                 last_info.reason);
    }
}

/* Somebody wrote into the index that an id is known, of a batch that does not
 * have it: the event counts all the same, and the index is built anew. */
static void test_event_ingest__an_index_that_lies(void **state)
{
    must_take(ingest, 0, 20);
    must_take(ingest, 0, 20); /* now the index has them */
    for (uint64_t number = 20; number < 30; number++) {
        char id[24];
        snprintf(id, sizeof id, "%llu", (unsigned long long)number);
        met__hash128 hash = met__event_hash(store, MET__TEXT("s"),
                                            met__text_z(id));
        met__dedupe *dedupe = &ingest->dedupe;
        uint64_t at = hash.low & dedupe->mask;
        while (dedupe->entries[at].mark != 0) {
            at = (at + 1) & dedupe->mask;
        }
        uint64_t batch = number % 2 ? 1 : 77; /* one is there, one is not */
        dedupe->entries[at] = (met__dedupe_entry){
            hash.low, hash.high, UINT64_C(30000) << 46 | batch};
    }
    must_take(ingest, 10, 25);
    assert_numbers(store, 35);
    assert_int_equal(ingest->dedupe.rebuilds, 2);
    must_take(ingest, 0, 40);
    assert_numbers(store, 40);
}

static void test_event_ingest__handles_beside_each_other(void **state)
{
    met__ingest *other = must_ingest(store);
    uint64_t next = 0;

    for (int i = 0; i < 60; i++) {
        must_take(i % 2 ? ingest : other, next, 10);
        must_take(i % 3 ? ingest : other, next + 5, 10);
        next += 15;
        if (i % 20 == 19) {
            remove(temp_path(home, "s/dedupe.map"));
        }
    }
    assert_numbers(store, next);
    met__ingest_close(other);
}

/* Enough ids for the index to grow, each sent twice. */
static void test_event_ingest__many_batches(void **state)
{
    for (uint64_t first = 0; first < 16000; first += 32) {
        must_take(ingest, first, 64);
    }
    assert_numbers(store, 16032);
    assert_true(ingest->dedupe.mask >= 16383);
}

static met_error refuse(void *context, const met_event_verdict *verdicts,
                        size_t count)
{
    (void)context;
    (void)verdicts;
    (void)count;
    return MET_E_NO_MEMORY;
}

/* A batch that was not committed leaves nothing behind, also in the handle: the
 * numbers its shapes were given are given to others. */
static void test_event_ingest__numbers_that_never_were(void **state)
{
    static const char *const subjects[] = {"x", "y", "z"};
    met_ingest_event event = {.id = "1", .id_size = 1, .source = "s",
                              .source_size = 1, .type = "c", .type_size = 1,
                              .subject_size = 1};

    must_meter(store, COUNT_METER("c", "c", ""));
    for (int i = 0; i < 3; i++) {
        event.subject = subjects[i];
        last_info = (met_error_info){.struct_size = sizeof last_info};
        assert_int_equal(met__event_ingest(ingest, &event, 1, NULL,
                                           i < 2 ? refuse : NULL, NULL,
                                           &last_info),
                         i < 2 ? MET_E_NO_MEMORY : MET_OK);
    }
    event.subject = "x";
    event.id = "2";
    assert_int_equal(met__event_ingest(ingest, &event, 1, NULL, NULL, NULL,
                                       NULL),
                     MET_OK);
    uint64_t words[MET__PART_WORDS_MAX];
    uint64_t number[2] = {0, 0};
    met__part_key key = {.minute = (uint32_t)(START_NS / MET__MINUTE_NS)};
    met__usage_shape shape;
    met__txn *txn = NULL;
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (uint32_t batch = 1; batch <= 2; batch++) {
        key.epoch = batch;
        assert_int_equal(met__part_get(txn, &key, words), MET_OK);
        number[batch - 1] = words[MET__PART_SHAPE];
        assert_int_equal(met__usage_shape_get(txn, words[MET__PART_SHAPE],
                                              &shape),
                         MET_OK);
        assert_int_equal(shape.subject.data[0], batch == 1 ? 'z' : 'x');
    }
    met__txn_abort(txn);
    assert_int_equal(number[0], 1);
    assert_int_equal(number[1], 2);
}

/* Meters change between reading JSON and the transaction: read anew. */
static void test_event_ingest__meters_change(void **state)
{
    char json[256];

    for (int i = 0; i < 12; i++) {
        char meter[256];
        snprintf(meter, sizeof meter,
                 "{\"key\":\"k%d\",\"name\":\"n\",\"event_type\":\"j\","
                 "\"aggregation\":\"sum\",\"value_property\":\"$.v%d\"}", i,
                 i);
        must_meter(store, meter);
        snprintf(json, sizeof json,
                 "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"j\","
                 "\"type\":\"j\",\"subject\":\"u\",\"data\":{\"v%d\":1}}", i,
                 i);
        last_info = (met_error_info){.struct_size = sizeof last_info};
        assert_int_equal(met__event_ingest_json(ingest, met__text_z(json), 0,
                                                NULL, NULL, NULL, &last_info),
                         MET_OK);
    }
    assert_int_equal(settled_events(store), 12);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event_ingest__an_index_that_lies),
        TEST(test_event_ingest__handles_beside_each_other),
        TEST(test_event_ingest__many_batches),
        TEST(test_event_ingest__numbers_that_never_were),
        TEST(test_event_ingest__meters_change),
    };
    return cmocka_run_group_tests_name("event_ingest", tests, NULL, NULL);
}

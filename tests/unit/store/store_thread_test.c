/* Threads of one process: they open, close, read and write as they like. Worth
 * most under the thread sanitizer. */
#include "store_support.h"

#include <pthread.h>

#include "base/bytes.h"

#define THREADS 4
#define ROUNDS 60

static char home[64];
static char dir[128];
static met__platform platform;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    platform = faulty_platform(NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static met_error add_one(met_store *store)
{
    unsigned char bytes[8];
    met__txn *txn;
    met__text value;
    uint64_t count = 0;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    if (met__txn_get(txn, MET__TABLE_METER, "count", 5, &value) == MET_OK) {
        count = met__get_u64((const unsigned char *)value.data);
    }
    met__put_u64(bytes, count + 1);
    error = met__txn_put(txn, MET__TABLE_METER, "count", 5, bytes, 8);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    return met__txn_commit(txn);
}

static void *live(void *context)
{
    uint64_t *failures = context;

    for (int i = 0; i < ROUNDS; i++) {
        met_store *store = NULL;
        met_error error = met__store_open(&platform, dir, SMALL_MAP, 1,
                                          &store, NULL);
        if (error == MET_OK) {
            error = add_one(store);
        }
        if (error == MET_OK && i % 8 == 0) {
            error = check_all(store);
        }
        if (error == MET_OK) {
            uint64_t sum;
            error = digest(store, &sum);
        }
        met_store_close(store);
        *failures += error != MET_OK;
    }
    return NULL;
}

static void test_thread__all_at_once(void **state)
{
    pthread_t threads[THREADS];
    uint64_t failures[THREADS] = {0};
    met__txn *txn;
    met__text value;

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, live,
                                        &failures[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failures[i], 0);
    }
    met_store *store = must_open(dir, 0);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, "count", 5, &value),
                     MET_OK);
    assert_int_equal(met__get_u64((const unsigned char *)value.data),
                     THREADS * ROUNDS);
    met__txn_abort(txn);
    met_store_close(store);
}

/* A reader moves between threads: its place is not tied to one. */
static void *end_reader(void *context)
{
    met__text value;
    met_error error = met__txn_get(context, MET__TABLE_FEATURE, "k", 1,
                                   &value);
    met__txn_abort(context);
    return error == MET_OK ? NULL : context;
}

static void test_thread__readers_move(void **state)
{
    met_store *store = must_open(dir, 1);
    pthread_t thread;
    met__txn *first;
    met__txn *second;
    void *result;

    assert_int_equal(put_one(store, "k", "v"), MET_OK);
    assert_int_equal(met__txn_begin(store, 0, &first), MET_OK);
    assert_int_equal(met__txn_begin(store, 0, &second), MET_OK);
    assert_int_equal(pthread_create(&thread, NULL, end_reader, first), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_int_equal(put_one(store, "k", "w"), MET_OK);
    assert_null(end_reader(second));
    met_store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_thread__all_at_once),
        TEST(test_thread__readers_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

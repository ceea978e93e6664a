/* The index of ids against a plain list, through growth, expiry, reopening and
 * every kind of damage: its answers are those of the records. */
#include "event_support.h"

#include <fcntl.h>
#include <unistd.h>

#include "meter/dedupe_map.h"

static char home[64];
static met_store *store;
static met__dedupe dedupe;
static uint64_t last_batch;
static uint64_t chain;
static uint64_t next_id;
static uint32_t today;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    store = test_store(temp_path(home, "s"));
    last_batch = 0;
    chain = 0;
    next_id = 0;
    today = 20000;
    assert_int_equal(met__dedupe_init(&dedupe, store), MET_OK);
    return 0;
}

static int teardown(void **state)
{
    met__dedupe_close(&dedupe);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met__hash128 hash_of_id(uint64_t id)
{
    return met__hash128_of(met__store_secret(store), &id, sizeof id);
}

/* One batch of `count` new ids of this day. */
static void add_batch(uint32_t count)
{
    met__hash128 *hashes = calloc(count, sizeof *hashes);
    met__arena arena;
    met__txn *txn = NULL;

    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = hash_of_id(next_id++);
    }
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__event_batch_put(txn, ++last_batch, today, hashes,
                                          NULL, count, &chain, &arena),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met__arena_release(&arena);
    free(hashes);
}

/* Ids from `first` on are known, those before are not, nor are new ones. */
static void check_known(uint64_t first, uint32_t horizon_day)
{
    met__txn *txn = NULL;
    uint64_t batch = 0;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__dedupe_catch_up(&dedupe, txn, last_batch,
                                          horizon_day),
                     MET_OK);
    for (uint64_t id = 0; id < next_id + 1000; id++) {
        int known = met__dedupe_find(&dedupe, hash_of_id(id), horizon_day,
                                     &batch);
        if (known != (id >= first && id < next_id)) {
            fail_msg("id %llu of %llu is %s", (unsigned long long)id,
                     (unsigned long long)next_id,
                     known ? "known" : "not known");
        }
    }
    met__txn_abort(txn);
}

static void test_dedupe_map__grows(void **state)
{
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 1); /* it was not there */
    for (int i = 0; i < 60; i++) {
        add_batch(997);
        check_known(0, 0);
    }
    assert_int_equal(dedupe.mask, (1 << 17) - 1);
    assert_in_range(dedupe.rebuilds, 2, 6);
}

static void test_dedupe_map__expires(void **state)
{
    uint64_t first[100];

    for (uint32_t day = 0; day < 100; day++) {
        first[day] = next_id;
        today = 20000 + day;
        add_batch(500);
        add_batch(500);
        uint32_t horizon = day < 8 ? 0 : today - 8;
        check_known(day < 8 ? 0 : first[day - 8], horizon);
    }
    /* 9,000 live ones: the places of old days were used again. */
    assert_int_equal(dedupe.mask, (1 << 15) - 1);
}

static void test_dedupe_map__is_shared(void **state)
{
    met__dedupe other;
    met__dedupe mine = dedupe;

    assert_int_equal(met__dedupe_init(&other, store), MET_OK);
    for (int i = 0; i < 40; i++) {
        add_batch(700);
        check_known(0, 0);
        mine = dedupe;
        dedupe = other;
        if (i % 3 == 0) {
            add_batch(10);
        }
        check_known(0, 0);
        other = dedupe;
        dedupe = mine;
    }
    met__dedupe_close(&other);
}

static const char *map_path(void)
{
    return temp_path(home, "s/dedupe.map");
}

static void overwrite(off_t at, size_t size, uint32_t seed)
{
    int file = open(map_path(), O_RDWR);
    unsigned char bytes[512];

    for (; size > 0;) {
        size_t part = size < sizeof bytes ? size : sizeof bytes;
        for (size_t i = 0; i < part; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = (unsigned char)(seed >> 16);
        }
        assert_int_equal(pwrite(file, bytes, part, at), part);
        at += (off_t)part;
        size -= part;
    }
    close(file);
}

static void reopen(void)
{
    met__dedupe_close(&dedupe);
    assert_int_equal(met__dedupe_init(&dedupe, store), MET_OK);
}

static void test_dedupe_map__damaged_file(void **state)
{
    static const struct {
        off_t at;
        size_t size;
    } rows[] = {{0, 8},     {0, 4096},   {100, 4},    {4096, 8},
                {4104, 8},  {4120, 8},   {4128, 8},   {4096, 4096},
                {8192, 24}, {9000, 300}, {8192, 390000}};

    add_batch(5000);
    check_known(0, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__dedupe_close(&dedupe);
        overwrite(rows[i].at, rows[i].size, (uint32_t)i + 7);
        reopen();
        check_known(0, 0);
        assert_int_equal(dedupe.rebuilds, 1);
    }
    reopen();
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 0); /* nothing is wrong now */
}

static void test_dedupe_map__zeros_in_it(void **state)
{
    static const unsigned char zeros[24];

    add_batch(5000);
    check_known(0, 0);
    uint64_t at = 0;
    while (dedupe.entries[at].mark == 0) {
        at++;
    }
    met__dedupe_close(&dedupe);
    int file = open(map_path(), O_RDWR);
    assert_int_equal(pwrite(file, zeros, sizeof zeros,
                            (off_t)(8192 + at * 24)),
                     24);
    close(file);
    reopen();
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 1);
}

static void test_dedupe_map__cut_while_it_is_open(void **state)
{
    static const off_t sizes[] = {0, 100, 4096, 8192, 100000};

    add_batch(5000);
    check_known(0, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(truncate(map_path(), sizes[i]), 0);
        check_known(0, 0);
    }
    assert_int_equal(unlink(map_path()), 0);
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 7);
}

/* Killed while entries were written: the header says so. */
static void test_dedupe_map__left_busy(void **state)
{
    uint64_t *words;

    add_batch(100);
    check_known(0, 0);
    words = (uint64_t *)(void *)(dedupe.file.memory + 4096);
    words[4] = 1; /* is_busy */
    words[7] = met__checksum(words, 56);
    add_batch(100);
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 2);
    words = (uint64_t *)(void *)(dedupe.file.memory + 4096);
    words[0]++; /* another boot */
    words[7] = met__checksum(words, 56);
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 3);
    words = (uint64_t *)(void *)(dedupe.file.memory + 4096);
    words[1] += 5; /* batches that the store does not have */
    words[7] = met__checksum(words, 56);
    check_known(0, 0);
    assert_int_equal(dedupe.rebuilds, 4);
}

/* Another data file was put in its place, which went another way from some
 * batch on: the numbers are the same, the ids are not. */
static void test_dedupe_map__another_history(void **state)
{
    unsigned char key[8];
    met__txn *txn = NULL;

    add_batch(100);
    add_batch(100);
    check_known(0, 0);
    for (; last_batch > 1; last_batch--) {
        met__put_u64(key, last_batch);
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        assert_int_equal(met__txn_remove(txn, MET__TABLE_EVENT_BATCH, key, 8),
                         MET_OK);
        assert_int_equal(met__txn_commit(txn), MET_OK);
    }
    add_batch(50); /* 200 to 249 instead of 100 to 199 */
    add_batch(50);
    uint64_t batch = 0;
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__dedupe_catch_up(&dedupe, txn, last_batch, 0),
                     MET_OK);
    for (uint64_t id = 0; id < next_id; id++) {
        assert_int_equal(met__dedupe_find(&dedupe, hash_of_id(id), 0, &batch),
                         id < 100 || id >= 200);
    }
    met__txn_abort(txn);
    assert_int_equal(dedupe.rebuilds, 2);
}

/* Every entry is taken by somebody's garbage: searching ends. */
static void test_dedupe_map__full_of_garbage(void **state)
{
    met__txn *txn = NULL;
    uint64_t batch = 0;

    add_batch(10);
    check_known(0, 0);
    for (uint64_t i = 0; i <= dedupe.mask; i++) {
        dedupe.entries[i] = (met__dedupe_entry){i, i, UINT64_MAX};
    }
    assert_false(met__dedupe_find(&dedupe, hash_of_id(1), 0, &batch));
    add_batch(10);
    check_known(0, 0); /* no place for the new ones: built anew */
    assert_int_equal(dedupe.rebuilds, 2);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__dedupe_rebuild(&dedupe, txn, last_batch, 0),
                     MET_OK);
    met__txn_abort(txn);
    check_known(0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dedupe_map__grows),
        TEST(test_dedupe_map__expires),
        TEST(test_dedupe_map__is_shared),
        TEST(test_dedupe_map__damaged_file),
        TEST(test_dedupe_map__zeros_in_it),
        TEST(test_dedupe_map__cut_while_it_is_open),
        TEST(test_dedupe_map__left_busy),
        TEST(test_dedupe_map__another_history),
        TEST(test_dedupe_map__full_of_garbage),
    };
    return cmocka_run_group_tests_name("dedupe_map", tests, NULL, NULL);
}

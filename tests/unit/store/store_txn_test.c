/* Transactions, records, scans, sequences; and processes that write at once. */
#include "store_support.h"

#include "base/limits.h"
#include "store/store_env.h"

static char home[64];
static char dir[128];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    store = must_open(dir, 1);
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met__txn *begin(int is_write)
{
    met__txn *txn = NULL;
    assert_int_equal(met__txn_begin(store, is_write, &txn), MET_OK);
    assert_ptr_equal(met__txn_store(txn), store);
    return txn;
}

static void test_txn__put_get_remove(void **state)
{
    met__txn *txn = begin(1);
    met__text value;

    must_put(txn, MET__TABLE_METER, "a", "one", 3);
    must_put(txn, MET__TABLE_METER, "empty", NULL, 0);
    must_put(txn, MET__TABLE_METER, "a", "three", 5);
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, "a", 1, &value),
                     MET_OK);
    assert_true(met__text_equal(value, MET__TEXT("three")));
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, "empty", 5, &value),
                     MET_OK);
    assert_int_equal(value.size, 0);
    assert_int_equal(met__txn_get(txn, MET__TABLE_FEATURE, "a", 1, &value),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__txn_remove(txn, MET__TABLE_METER, "b", 1),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__txn_commit(txn), MET_OK);

    /* aborted: as if it had not been */
    txn = begin(1);
    assert_int_equal(met__txn_remove(txn, MET__TABLE_METER, "a", 1), MET_OK);
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, "a", 1, &value),
                     MET_E_NOT_FOUND);
    met__txn_abort(txn);
    met__txn_abort(NULL);

    /* a reader sees its moment */
    met__txn *reader = begin(0);
    txn = begin(1);
    must_put(txn, MET__TABLE_METER, "a", "four", 4);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_int_equal(met__txn_get(reader, MET__TABLE_METER, "a", 1, &value),
                     MET_OK);
    assert_true(met__text_equal(value, MET__TEXT("three")));
    assert_int_equal(met__txn_put(reader, MET__TABLE_METER, "a", 1, "x", 1),
                     MET_E_BUG);
    met__txn_abort(reader);
}

/* Sizes at -1, 0, +1; a write that was refused before LMDB does not stick,
 * since nothing was lost. */
static void test_txn__bounds(void **state)
{
    char key[MET__LMDB_KEY_SIZE_MAX + 1];
    met__txn *txn = begin(1);
    met__text value;
    char *big = calloc(1, MET__STORE_VALUE_SIZE_MAX + 1);

    assert_non_null(big);
    memset(key, 'k', sizeof key);
    assert_int_equal(met__txn_put(txn, MET__TABLE_METER, key, 0, "x", 1),
                     MET_E_LIMIT);
    assert_int_equal(met__txn_put(txn, MET__TABLE_METER, NULL, 1, "x", 1),
                     MET_E_LIMIT);
    assert_int_equal(met__txn_put(txn, MET__TABLE_METER, key,
                                  MET__LMDB_KEY_SIZE_MAX + 1, "x", 1),
                     MET_E_LIMIT);
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, key,
                                  MET__LMDB_KEY_SIZE_MAX + 1, &value),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, key, 0, &value),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__txn_remove(txn, MET__TABLE_METER, key, 0),
                     MET_E_NOT_FOUND);
    for (size_t size = MET__LMDB_KEY_SIZE_MAX - 1;
         size <= MET__LMDB_KEY_SIZE_MAX; size++) {
        assert_int_equal(met__txn_put(txn, MET__TABLE_METER, key, size, "x",
                                      1),
                         MET_OK);
    }
    assert_int_equal(met__txn_put(txn, MET__TABLE_METER, "big", 3, big,
                                  MET__STORE_VALUE_SIZE_MAX + 1),
                     MET_E_LIMIT);
    assert_int_equal(met__txn_put(txn, MET__TABLE_METER, "big", 3, big,
                                  MET__STORE_VALUE_SIZE_MAX),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    free(big);
    assert_int_equal(check_all(store), MET_OK);
    txn = begin(0);
    assert_int_equal(met__txn_get(txn, MET__TABLE_METER, "big", 3, &value),
                     MET_OK);
    assert_int_equal(value.size, MET__STORE_VALUE_SIZE_MAX);
    met__txn_abort(txn);
}

/* The map ends: the transaction that lost a write cannot be committed, the
 * next one works. */
static void test_txn__map_full(void **state)
{
    static char big[1 << 20];
    met__platform platform = faulty_platform(NULL, NULL);
    met_store *little = NULL;
    met__txn *txn;
    char key[16];
    met_error error = MET_OK;

    assert_int_equal(met__store_open(&platform, temp_path(home, "little"),
                                     4 << 20, 1, &little, NULL),
                     MET_OK);
    assert_int_equal(put_one(little, "k", "v"), MET_OK);
    assert_int_equal(met__txn_begin(little, 1, &txn), MET_OK);
    for (int i = 0; error == MET_OK && i < 10; i++) {
        snprintf(key, sizeof key, "%d", i);
        error = met__txn_put(txn, MET__TABLE_METER, key, strlen(key), big,
                             sizeof big);
    }
    assert_int_equal(error, MET_E_MAP_FULL);
    assert_int_equal(met__txn_put(txn, MET__TABLE_METER, "s", 1, "s", 1),
                     MET_E_MAP_FULL);
    assert_int_equal(met__txn_remove(txn, MET__TABLE_METER, "0", 1),
                     MET_E_MAP_FULL);
    assert_int_equal(met__txn_commit(txn), MET_E_MAP_FULL);
    assert_int_equal(met__store_check_handle(little), MET_OK);
    assert_int_equal(put_one(little, "k2", "v2"), MET_OK);
    assert_true(has_one(little, "k", "v"));
    assert_int_equal(check_all(little), MET_OK);
    met_store_close(little);
}

/* --- Checksums ------------------------------------------------------------ */
/* Changes a byte of a value or puts it under another key, below our feet. */
static void tamper(const char *from, const char *to, int bit)
{
    MDB_txn *txn;
    MDB_val value;
    MDB_val key = {strlen(from), (void *)(uintptr_t)from};
    MDB_val target = {strlen(to), (void *)(uintptr_t)to};
    char copy[256];

    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_get(txn, store->tables[MET__TABLE_FEATURE], &key,
                             &value),
                     0);
    memcpy(copy, value.mv_data, value.mv_size);
    if (bit >= 0) {
        copy[bit / 8] ^= (char)(1 << bit % 8);
    }
    MDB_val changed = {value.mv_size, copy};
    if (bit == -2) {
        changed.mv_size = 7; /* not even a checksum */
    }
    assert_int_equal(mdb_put(txn, store->tables[MET__TABLE_FEATURE], &target,
                             &changed, 0),
                     0);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static met_error get_one(const char *name)
{
    met__txn *txn = begin(0);
    met__text value = {"untouched", 9};
    met_error error = met__txn_get(txn, MET__TABLE_FEATURE, name,
                                   strlen(name), &value);
    if (error != MET_OK) {
        assert_string_equal(value.data, "untouched");
    }
    met__txn_abort(txn);
    return error;
}

static void test_txn__every_bit_counts(void **state)
{
    for (int bit = 0; bit < (8 + 5) * 8; bit++) {
        assert_int_equal(put_one(store, "key", "money"), MET_OK);
        tamper("key", "key", bit);
        assert_int_equal(get_one("key"), MET_E_CORRUPT);
    }
    assert_int_equal(put_one(store, "key", "money"), MET_OK);
    assert_int_equal(get_one("key"), MET_OK);
    tamper("key", "yek", -1); /* the same record under another key */
    assert_int_equal(get_one("yek"), MET_E_CORRUPT);
    tamper("key", "cut", -2);
    assert_int_equal(get_one("cut"), MET_E_CORRUPT);
    assert_int_equal(check_all(store), MET_E_CORRUPT);
}

/* --- Scans ---------------------------------------------------------------- */
static void put_words(met__txn *txn, const char *words)
{
    char copy[256];

    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, " "); word != NULL;
         word = strtok(NULL, " ")) {
        must_put(txn, MET__TABLE_FEATURE, word, word, strlen(word));
    }
}

static void assert_scan(met__txn *txn, const char *prefix, const char *start,
                        const char *expect)
{
    char found[256] = "";
    met__scan scan;
    met__text key;
    met__text value;

    assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, prefix,
                                     strlen(prefix), &scan),
                     MET_OK);
    if (start != NULL) {
        assert_int_equal(met__scan_seek(&scan, start, strlen(start)), MET_OK);
    }
    met_error error;
    while ((error = met__scan_next(&scan, &key, &value)) == MET_OK) {
        assert_true(met__text_equal(key, value));
        sprintf(found + strlen(found), "%s%.*s", found[0] ? " " : "",
                (int)key.size, key.data);
    }
    assert_int_equal(error, MET_E_NOT_FOUND);
    assert_int_equal(met__scan_next(&scan, &key, &value), MET_E_NOT_FOUND);
    met__scan_end(&scan);
    met__scan_end(&scan);
    assert_string_equal(found, expect);
}

static void test_scan__prefix_and_start(void **state)
{
    met__txn *txn = begin(1);

    assert_scan(txn, "", NULL, "");
    put_words(txn, "b ba bab bb c a ab \xff \xff\xff");
    for (int i = 0; i < 2; i++) {
        assert_scan(txn, "", NULL, "a ab b ba bab bb c \xff \xff\xff");
        assert_scan(txn, "b", NULL, "b ba bab bb");
        assert_scan(txn, "ba", NULL, "ba bab");
        assert_scan(txn, "baba", NULL, "");
        assert_scan(txn, "d", NULL, "");
        assert_scan(txn, "\xff", NULL, "\xff \xff\xff");
        assert_scan(txn, "\xff\xff\xff", NULL, "");
        assert_scan(txn, "b", "ba", "ba bab bb");
        assert_scan(txn, "b", "baa", "bab bb");
        assert_scan(txn, "b", "bz", "");
        assert_scan(txn, "", "b", "b ba bab bb c \xff \xff\xff");
        assert_int_equal(met__txn_commit(txn), MET_OK);
        txn = begin(0); /* the same for a reader */
    }
    met__scan scan;
    char key[MET__LMDB_KEY_SIZE_MAX + 1] = "b";
    assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, key, sizeof key,
                                     &scan),
                     MET_E_LIMIT);
    met__scan_end(&scan);
    assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, "b", 1, &scan),
                     MET_OK);
    assert_int_equal(met__scan_seek(&scan, "c", 1), MET_E_INVALID);
    assert_int_equal(met__scan_seek(&scan, "", 0), MET_E_INVALID);
    assert_int_equal(met__scan_seek(&scan, key, sizeof key), MET_E_INVALID);
    met__scan_end(&scan);
    met__txn_abort(txn);
}

/* Writing between two steps: removing what was returned, what comes next, and
 * putting before and behind; enough of it to split and merge pages. */
static void test_scan__writes_between_steps(void **state)
{
    static char value[600];
    met__txn *txn = begin(1);
    met__scan scan;
    met__text key;
    met__text found;
    char name[32];
    char last[32] = "";
    int count = 0;

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "p%04d", i * 10);
        must_put(txn, MET__TABLE_FEATURE, name, value, sizeof value);
    }
    must_put(txn, MET__TABLE_FEATURE, "q", value, 1);
    assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, "p", 1, &scan),
                     MET_OK);
    met_error error;
    while ((error = met__scan_next(&scan, &key, &found)) == MET_OK) {
        char now[32];
        snprintf(now, sizeof now, "%.*s", (int)key.size, key.data);
        assert_true(strcmp(now, last) > 0);
        strcpy(last, now);
        int number = atoi(now + 1);
        if (number % 10 == 0) {
            count++;
            assert_int_equal(met__txn_remove(txn, MET__TABLE_FEATURE, now,
                                             strlen(now)),
                             MET_OK);
            snprintf(name, sizeof name, "p%04d", number - 5); /* behind us */
            if (number > 0) {
                must_put(txn, MET__TABLE_FEATURE, name, value, sizeof value);
            }
            snprintf(name, sizeof name, "p%04d", number + 5); /* ahead */
            must_put(txn, MET__TABLE_FEATURE, name, value, sizeof value);
            if (number % 40 == 0) {
                snprintf(name, sizeof name, "p%04d", number + 10);
                if (met__txn_remove(txn, MET__TABLE_FEATURE, name,
                                    strlen(name)) == MET_OK) {
                    count++; /* the next one, which we must not see */
                }
            }
        }
    }
    assert_int_equal(error, MET_E_NOT_FOUND);
    met__scan_end(&scan);
    assert_int_equal(count, 200);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_int_equal(check_all(store), MET_OK);
}

static void test_scan__goes_on_after_damage(void **state)
{
    met__scan scan;
    met__text key;
    met__text value;

    assert_int_equal(put_one(store, "a", "money"), MET_OK);
    assert_int_equal(put_one(store, "b", "money"), MET_OK);
    assert_int_equal(put_one(store, "c", "money"), MET_OK);
    tamper("b", "b", 70);
    met__txn *txn = begin(0);
    assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, NULL, 0, &scan),
                     MET_OK);
    assert_int_equal(met__scan_next(&scan, &key, &value), MET_OK);
    assert_int_equal(met__scan_next(&scan, &key, &value), MET_E_CORRUPT);
    assert_true(met__text_equal(key, MET__TEXT("b")));
    assert_int_equal(met__scan_next(&scan, &key, &value), MET_OK);
    assert_true(met__text_equal(key, MET__TEXT("c")));
    assert_int_equal(met__scan_next(&scan, &key, &value), MET_E_NOT_FOUND);
    met__scan_end(&scan);
    met__txn_abort(txn);
}

/* --- Sequences ------------------------------------------------------------ */
static void test_txn__sequences(void **state)
{
    uint64_t number = 77;
    met__txn *txn = begin(1);

    assert_int_equal(met__txn_sequence(txn, "invoice", &number), MET_OK);
    assert_int_equal(number, 1);
    assert_int_equal(met__txn_sequence(txn, "invoice", &number), MET_OK);
    assert_int_equal(number, 2);
    assert_int_equal(met__txn_sequence(txn, "shape", &number), MET_OK);
    assert_int_equal(number, 1);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    txn = begin(1);
    assert_int_equal(met__txn_sequence(txn, "invoice", &number), MET_OK);
    assert_int_equal(number, 3);
    met__txn_abort(txn); /* given again: no gap */
    txn = begin(1);
    assert_int_equal(met__txn_sequence(txn, "invoice", &number), MET_OK);
    assert_int_equal(number, 3);
    must_put(txn, MET__TABLE_META, "sequence.shape",
             "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(met__txn_sequence(txn, "shape", &number),
                     MET_E_OVERFLOW);
    must_put(txn, MET__TABLE_META, "sequence.shape", "\1", 1);
    assert_int_equal(met__txn_sequence(txn, "shape", &number), MET_E_CORRUPT);
    assert_int_equal(number, 3);
    met__txn_abort(txn);
}

static void test_txn__catalog_number(void **state)
{
    uint64_t number = 77;
    met__txn *txn = begin(1);

    assert_int_equal(met__txn_catalog_number(txn, &number), MET_OK);
    assert_int_equal(number, 0);
    assert_int_equal(met__txn_touch_catalog(txn), MET_OK);
    assert_int_equal(met__txn_touch_catalog(txn), MET_OK);
    assert_int_equal(met__txn_catalog_number(txn, &number), MET_OK);
    assert_true(number >= 1);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    txn = begin(1);
    assert_int_equal(met__txn_touch_catalog(txn), MET_OK);
    met__txn_abort(txn);
    uint64_t again = 0;
    txn = begin(0);
    assert_int_equal(met__txn_catalog_number(txn, &again), MET_OK);
    assert_int_equal(again, number);
    met__txn_abort(txn);
}

/* --- Several processes ---------------------------------------------------- */
#define ROUNDS 200

static int count_up(void *context)
{
    met_store *own = NULL;

    if (try_open(dir, 0, &own) != MET_OK) {
        return 1;
    }
    for (int i = 0; i < ROUNDS; i++) {
        met__txn *txn;
        uint64_t number;
        char key[32];
        if (met__txn_begin(own, 1, &txn) != MET_OK
            || met__txn_sequence(txn, "both", &number) != MET_OK) {
            return 2;
        }
        snprintf(key, sizeof key, "n%llu", (unsigned long long)number);
        met__text value;
        if (met__txn_get(txn, MET__TABLE_FEATURE, key, strlen(key), &value)
                != MET_E_NOT_FOUND
            || met__txn_put(txn, MET__TABLE_FEATURE, key, strlen(key), "x", 1)
                   != MET_OK
            || met__txn_commit(txn) != MET_OK) {
            return 3;
        }
    }
    met_store_close(own);
    return 0;
}

static void test_txn__two_processes_write(void **state)
{
    pid_t children[2];
    uint64_t number;

    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(count_up(NULL));
        }
    }
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    met__txn *txn = begin(1);
    assert_int_equal(met__txn_sequence(txn, "both", &number), MET_OK);
    assert_int_equal(number, 2 * ROUNDS + 1);
    met__txn_abort(txn);
    assert_int_equal(check_all(store), MET_OK);
}

/* Readers that died keep their places until somebody needs them. */
static int leave_readers(void *context)
{
    met_store *own = NULL;
    int count = *(int *)context;

    if (try_open(dir, 0, &own) != MET_OK) {
        return 1;
    }
    for (int i = 0; i < count; i++) {
        met__txn *txn;
        met_error error = met__txn_begin(own, 0, &txn);
        if (error != MET_OK) {
            return error == MET_E_BUSY ? 2 : 3;
        }
    }
    _exit(0); /* without ending them */
}

static void test_txn__dead_readers_are_cleared(void **state)
{
    int count = 600;

    for (int i = 0; i < 4; i++) { /* 2400 of 1022 places */
        assert_int_equal(in_child(leave_readers, &count), 0);
    }
    count = 1023; /* living ones fill the table */
    assert_int_equal(in_child(leave_readers, &count), 2);
    count = 1000;
    assert_int_equal(in_child(leave_readers, &count), 0);
    /* The table is full of dead ones, and our handle is open all the time. */
    met__txn *readers[100];
    for (int i = 0; i < 100; i++) {
        readers[i] = begin(0);
    }
    for (int i = 0; i < 100; i++) {
        met__txn_abort(readers[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_txn__put_get_remove),
        TEST(test_txn__bounds),
        TEST(test_txn__map_full),
        TEST(test_txn__every_bit_counts),
        TEST(test_scan__prefix_and_start),
        TEST(test_scan__writes_between_steps),
        TEST(test_scan__goes_on_after_damage),
        TEST(test_txn__sequences),
        TEST(test_txn__catalog_number),
        TEST(test_txn__two_processes_write),
        TEST(test_txn__dead_readers_are_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

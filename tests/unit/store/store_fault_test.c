/* The k-th allocation, the k-th call of the operating system, the k-th write
 * inside LMDB fail, for every k, once and for ever: a clear error, nothing
 * half done, nothing lost, nothing kept, and it works afterwards. */
#include "store_support.h"

#include "metering/store.h"
#include "support/syscalls.h"

static char home[64];
static char dir[128];
static char copy[128];

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    snprintf(copy, sizeof copy, "%s/copy", home);
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static met_error put_document(met_store *store, const char *key)
{
    met__arena arena;
    met__node *node = NULL;
    met__node *back = NULL;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    met_error error = met__json_parse(
        &arena, MET__TEXT("{\"key\":\"x\",\"list\":[1,\"2\",{\"a\":1.5}]}"),
        &node, NULL);
    if (error == MET_OK) {
        error = met__txn_begin(store, 1, &txn);
    }
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_FEATURE, key, strlen(key),
                                node);
    }
    if (error == MET_OK) {
        error = met__record_get(txn, MET__TABLE_FEATURE, key, strlen(key),
                                &arena, &back);
    }
    if (error == MET_OK) {
        assert_true(met__node_equal(node, back));
        error = met__txn_commit(txn);
    } else {
        met__txn_abort(txn);
    }
    met__arena_release(&arena);
    return error;
}

static met_error take_report(met_store *store,
                             met_error (*make)(met_store *, met_buffer *,
                                               met_error_info *))
{
    met_buffer report = {0};
    met_error error = make(store, &report, NULL);

    assert_true((error == MET_OK) == (report.data != NULL));
    met_buffer_release(&report);
    return error;
}

/* A report of a store goes without the gateway's windows when they cannot be
 * read. */
static const faulty_disk *failing;
static int is_reporting;
static int failed_in_report;

static void note_where(void)
{
    if (failing->calls == failing->fail_at) {
        failed_in_report = is_reporting;
    }
}

/* The life of a store, until the first error. */
static met_error live(const met__platform *platform, int create)
{
    met_store *store = NULL;
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met__store_open(platform, dir, SMALL_MAP, create,
                                      &store, &info);

    assert_true((error == MET_OK) == (store != NULL));
    assert_true(error == MET_OK || info.code == error);
    if (error == MET_OK) {
        error = put_document(store, "k");
    }
    if (error == MET_OK) {
        is_reporting = 1;
        error = take_report(store, met_store_stats);
        is_reporting = 0;
    }
    if (error == MET_OK) {
        error = take_report(store, met_store_check);
    }
    if (error == MET_OK) {
        error = met__store_backup(store, copy, NULL, &info);
        assert_true(error == MET_OK || info.code == error);
    }
    met_store_close(store);
    return error;
}

/* No fault: the whole life works, with what is there; then all is removed. */
static void live_again(long k)
{
    met__platform platform = faulty_platform(NULL, NULL);

    temp_remove(copy);
    met_error error = live(&platform, 1);
    if (error != MET_OK) {
        fail_msg("after fault %ld: %s", k, met_error_name(error));
    }
    temp_remove(copy);
    temp_remove(dir);
}

static void test_fault__every_allocation(void **state)
{
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        int done = 0;
        for (long k = 1; !done; k++) {
            faulty_memory memory = {.fail_at = k, .for_ever = for_ever};
            met__platform platform = faulty_platform(&memory, NULL);
            met_error error = live(&platform, 1);
            done = memory.calls < k;
            if (error != (done ? MET_OK : MET_E_NO_MEMORY)) {
                fail_msg("allocation %ld: %s", k, met_error_name(error));
            }
            assert_int_equal(memory.live, 0);
            assert_int_equal(memory.bytes, 0);
            live_again(k);
        }
    }
}

static void test_fault__every_call(void **state)
{
    static const struct {
        int error;
        met_error expect;
    } kinds[] = {
        {EIO, MET_E_IO}, {ENOSPC, MET_E_DISK_FULL}, {ENOMEM, MET_E_NO_MEMORY},
        {EACCES, MET_E_IO},
    };
    long most = 0;

    for (int kind = 0; kind < 4; kind++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            int done = 0;
            for (long k = 1; !done; k++) {
                faulty_disk disk;
                faulty_disk_init(&disk);
                disk.error = kinds[kind].error;
                disk.fail_at = k;
                disk.for_ever = for_ever;
                disk.before = note_where;
                failing = &disk;
                failed_in_report = 0;
                met__platform platform = faulty_platform(NULL, &disk);
                met_error error = live(&platform, 1);
                done = disk.calls < k;
                /* What only tidies up, or asks about a full disk, may fail
                 * unseen; closing what was only read, too. */
                int is_quiet = strcmp(disk.last, "close") == 0
                               || strcmp(disk.last, "unlink") == 0
                               || strcmp(disk.last, "list") == 0
                               || strcmp(disk.last, "free_bytes") == 0
                               || strcmp(disk.last, "remove_directory") == 0
                               || failed_in_report;
                if (done ? error != MET_OK
                         : error != kinds[kind].expect
                               && !(is_quiet && error == MET_OK)) {
                    fail_msg("call %ld, %s: %s", k, disk.last,
                             met_error_name(error));
                }
                assert_int_equal(disk.open_files, 0);
                most = k > most ? k : most;
                live_again(k);
            }
        }
    }
    assert_true(most > 30);
}

/* Complete and synced before it has its name, and the name synced after. */
static void test_fault__synced_before_named(void **state)
{
    faulty_disk disk;
    met_store *store = NULL;

    faulty_disk_init(&disk);
    met__platform platform = faulty_platform(NULL, &disk);
    assert_int_equal(met__store_open(&platform, dir, SMALL_MAP, 1, &store,
                                     NULL),
                     MET_OK);
    assert_int_equal(disk.syncs_at_rename, 2); /* META, the directory */
    assert_int_equal(disk.syncs, 3);           /* the parent */
    disk.syncs = 0;
    assert_int_equal(met__store_backup(store, copy, NULL, NULL), MET_OK);
    assert_int_equal(disk.syncs_at_rename, 3); /* and data.mdb */
    assert_int_equal(disk.syncs, 4);
    met_store_close(store);
}

/* --- Writes inside LMDB --------------------------------------------------- */
static met_error put_many(met_store *store, const char *value)
{
    met__txn *txn;
    char key[16];
    met_error error = met__txn_begin(store, 1, &txn);

    for (int i = 0; error == MET_OK && i < 300; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        error = met__txn_put(txn, MET__TABLE_FEATURE, key, strlen(key), value,
                             strlen(value));
        if (error != MET_OK) {
            met__txn_abort(txn);
        }
    }
    return error == MET_OK ? met__txn_commit(txn) : error;
}

/* All records have the one value or all the other. */
static void assert_one_of(met_store *store, const char *a, const char *b)
{
    char key[16];
    int is_a = has_one(store, "k000", a);

    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        if (!has_one(store, key, is_a ? a : b)) {
            fail_msg("%s is neither as %s nor as %s", key, a, b);
        }
    }
    assert_int_equal(check_all(store), MET_OK);
}

static void test_fault__every_write_of_a_commit(void **state)
{
    static const int errors[] = {EIO, ENOSPC, 0, EDQUOT};
    met_store *store = must_open(dir, 1);
    char value[64] = "value of many bytes, old, 0";
    int refused = 0;
    int panics = 0;

    assert_int_equal(put_many(store, value), MET_OK);
    for (int kind = 0; kind < 4; kind++) {
        /* Which pages are written, and so how often, differs every time:
         * each of three to five writes, several times. */
        for (long round = 0; round < 40; round++) {
            char next[64];
            long k = 1 + round % 5;
            snprintf(next, sizeof next, "value of many bytes, %d, %ld", kind,
                     round);
            syscall_arm(&write_faults, k, 0, errors[kind]);
            met_error error = put_many(store, next);
            int done = write_faults.calls < k;
            write_faults.is_armed = 0;
            if (done) {
                assert_int_equal(error, MET_OK);
            } else if (error != MET_E_IO && error != MET_E_DISK_FULL) {
                fail_msg("write %ld: %s", k, met_error_name(error));
            } else {
                refused++;
            }
            met_error sticky = met__store_check_handle(store);
            if (error == MET_E_IO) {
                assert_int_equal(sticky, MET_E_IO);
            }
            panics += error == MET_E_DISK_FULL && sticky != MET_OK;
            if (sticky != MET_OK) {
                /* over, for every call and every further open, until closed */
                met__txn *txn;
                met_store *again = NULL;
                met_buffer report = {0};
                assert_int_equal(met__txn_begin(store, 0, &txn), MET_E_IO);
                assert_int_equal(put_one(store, "x", "y"), MET_E_IO);
                assert_int_equal(met_store_check(store, &report, NULL),
                                 MET_E_IO);
                assert_int_equal(met_store_stats(store, &report, NULL),
                                 MET_E_IO);
                assert_int_equal(met__store_backup(store, copy, NULL, NULL),
                                 MET_E_IO);
                assert_int_equal(try_open(dir, 0, &again), MET_E_IO);
                assert_non_null(strstr(last_info.reason, "close it first"));
                met_store_close(store);
                store = must_open(dir, 0);
            }
            assert_one_of(store, value, next);
            assert_int_equal(put_many(store, next), MET_OK);
            snprintf(value, sizeof value, "%s", next);
        }
    }
    assert_true(refused >= 12);
    assert_true(panics >= 1); /* a meta page without space: not on ext4 */
    met_store_close(store);
}

/* Everything of a new store that is written, LMDB's part too. */
static void test_fault__every_write_of_creating(void **state)
{
    static const int errors[] = {EIO, ENOSPC};

    for (int kind = 0; kind < 2; kind++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            int done = 0;
            for (long k = 1; !done; k++) {
                met_store *store = NULL;
                syscall_arm(&write_faults, k, for_ever, errors[kind]);
                met_error error = try_open(dir, 1, &store);
                done = write_faults.calls < k;
                write_faults.is_armed = 0;
                if (done ? error != MET_OK
                         : error != MET_E_IO && error != MET_E_DISK_FULL) {
                    fail_msg("write %ld: %s", k, met_error_name(error));
                }
                met_store_close(store);
                live_again(k);
            }
        }
    }
}

static void test_fault__every_write_of_a_backup(void **state)
{
    met_store *store = must_open(dir, 1);
    int done = 0;

    assert_int_equal(put_many(store, "value"), MET_OK);
    for (long k = 1; !done; k++) {
        syscall_arm(&write_faults, k, 0, k % 2 ? EIO : ENOSPC);
        met_error error = met__store_backup(store, copy, NULL, NULL);
        done = write_faults.calls < k;
        write_faults.is_armed = 0;
        if (done ? error != MET_OK
                 : error != MET_E_IO && error != MET_E_DISK_FULL) {
            fail_msg("write %ld: %s", k, met_error_name(error));
        }
        /* There is no copy, or (when only the parent's entry is in doubt) a
         * whole one. */
        if (temp_exists(copy)) {
            met_store *other = must_open(copy, 0);
            assert_int_equal(check_all(other), MET_OK);
            met_store_close(other);
            temp_remove(copy);
        } else {
            assert_int_not_equal(error, MET_OK);
        }
        assert_int_equal(put_one(store, "k", "v"), MET_OK);
    }
    met_store_close(store);
}

/* The memory of LMDB and msgpack. */
static void test_fault__every_allocation_below(void **state)
{
#ifdef SYSCALL_MEMORY
    met__platform platform = faulty_platform(NULL, NULL);
    int done = 0;

    for (long k = 1; !done; k++) {
        met_store *store = NULL;
        met_error_info info = {.struct_size = sizeof info};
        syscall_arm(&memory_faults, k, 0, ENOMEM);
        met_error error = met__store_open(&platform, dir, SMALL_MAP, 1,
                                          &store, &info);
        for (int i = 0; error == MET_OK && i < 3; i++) {
            static const char *const keys[] = {"a", "b", "c"};
            error = put_one(store, keys[i], "v");
        }
        if (error == MET_OK) {
            error = put_document(store, "d");
        }
        if (error == MET_OK) {
            uint64_t sum;
            error = digest(store, &sum);
        }
        if (error == MET_OK) {
            error = met__store_backup(store, copy, NULL, &info);
        }
        done = memory_faults.calls < k;
        memory_faults.is_armed = 0;
        /* The JSON library calls some of its own failures syntax errors. */
        if (done ? error != MET_OK
                 : error != MET_OK && error != MET_E_NO_MEMORY
                       && error != MET_E_INVALID) {
            fail_msg("allocation %ld: %s, \"%s\"", k, met_error_name(error),
                     info.reason);
        }
        met_store_close(store);
        live_again(k);
    }
#else
    skip();
#endif
}

/* A transaction that failed says why to all that follows, until it is given
 * up. */
static void test_fault__after_a_failed_write(void **state)
{
#ifdef SYSCALL_MEMORY
    met_store *store = must_open(dir, 1);
    static const char many[20000]; /* pages of its own, so memory for them */
    met_error error = MET_E_NO_MEMORY;
    int refused = 0;

    assert_int_equal(put_one(store, "k", "old"), MET_OK);
    for (long k = 1; error != MET_OK; k++) {
        met__txn *txn;
        met__scan scan;
        met__text key;
        met__text value;
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, NULL, 0,
                                         &scan),
                         MET_OK);
        syscall_arm(&memory_faults, k, 0, 0);
        error = met__txn_put(txn, MET__TABLE_FEATURE, "k", 1, many,
                             sizeof many);
        memory_faults.is_armed = 0;
        if (error != MET_OK) {
            refused++;
            assert_int_equal(error, MET_E_NO_MEMORY);
            assert_int_equal(met__txn_get(txn, MET__TABLE_FEATURE, "k", 1,
                                          &value),
                             error);
            assert_int_equal(met__scan_next(&scan, &key, &value), error);
            met__scan_end(&scan);
            assert_int_equal(met__scan_begin(txn, MET__TABLE_FEATURE, NULL,
                                             0, &scan),
                             error);
            assert_int_equal(met__txn_remove(txn, MET__TABLE_FEATURE, "k", 1),
                             error);
        }
        met__scan_end(&scan);
        assert_int_equal(met__txn_commit(txn), error);
        assert_int_equal(has_one(store, "k", "old"), error != MET_OK);
    }
    assert_true(refused > 0);
    met_store_close(store);
#else
    skip();
#endif
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fault__every_allocation),
        TEST(test_fault__every_call),
        TEST(test_fault__synced_before_named),
        TEST(test_fault__every_write_of_a_commit),
        TEST(test_fault__every_write_of_creating),
        TEST(test_fault__every_write_of_a_backup),
        TEST(test_fault__every_allocation_below),
        TEST(test_fault__after_a_failed_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every public call in a store that it cannot use: in a forked child, after the
 * disk has refused a flush, with all readers taken, with a map that others have
 * outgrown, and with every record damaged. The error is the one that says so;
 * that its docstring names it the guard looks at (guard.c). */
#include "contract/world.h"
#include "support/syscalls.h"

#include <lmdb.h>
#include <sys/wait.h>

#include "store/store.h"

static unsigned answered; /* rows that gave the expected error */
static met_error expected;
static int must_fail; /* also what does not need the store for all it does */

static int ends_in(const contract_row *row, const char *end)
{
    size_t size = strlen(row->function);
    size_t end_size = strlen(end);

    return size >= end_size
           && strcmp(row->function + size - end_size, end) == 0;
}

static void check_answer(const contract_row *row, met_error error)
{
    int may_pass = !must_fail || row->kind & ROW_PURE || ends_in(row, "_close")
                   || ends_in(row, "store_open");

    if (error == expected) {
        answered++;
    } else if (error != MET_OK || !may_pass) {
        fail_msg("%s: %s at \"%s\": \"%s\", not %s", row->function,
                 met_error_name(error), w.told.field, w.told.reason,
                 met_error_name(expected));
    }
    met_buffer_release(&w.out);
}

/* --- A child -------------------------------------------------------------- */
static void check_in_child(const contract_row *row)
{
    int status = 0;

    if (row->kind & ROW_PURE) {
        return;
    }
    if (w.store == NULL) {
        world_open();
    }
    begin_row(row);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        met_error error = attempt_row(row);
        _exit(error == MET_E_FORKED ? 1 : error == MET_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
        fail_msg("%s: ended with %x in a child", row->function,
                 (unsigned)status);
    }
    check_answer(row, WEXITSTATUS(status) == 1 ? MET_E_FORKED : MET_OK);
}

static void test_forked(void **state)
{
    (void)state;
    expected = MET_E_FORKED;
    must_fail = 1;
    each_row(check_in_child);
    assert_true(answered > 100);
}

/* --- A disk that refused a flush ------------------------------------------ */
static void check_over(const contract_row *row)
{
    if (row->kind & ROW_PURE || strcmp(row->function, "met_store_open") == 0) {
        return;
    }
    world_restore();
    begin_row(row);
    syscall_arm(&write_faults, 1, 1, EIO);
    met_error error = met_feature_put(w.store, J("{'key':'x','name':'X'}"),
                                      NULL, NULL);
    write_faults.is_armed = 0;
    assert_int_equal(error, MET_E_IO);
    check_answer(row, attempt_row(row));
}

static void test_over(void **state)
{
    (void)state;
    expected = MET_E_IO;
    must_fail = 0;
    each_row(check_over);
    assert_true(answered > 90);
}

/* --- Readers -------------------------------------------------------------- */
static void check_reading(const contract_row *row)
{
    static met__txn *readers[5000];
    unsigned count = 0;
    met_error error = MET_OK;
    int writes = row->kind & (ROW_WRITES | ROW_STEPS);

    if (row->kind & ROW_PURE || ends_in(row, "_close")) {
        return;
    }
    if (writes) {
        world_restore();
    }
    begin_row(row);
    while (error == MET_OK && count < 5000) {
        error = met__txn_begin(w.store, 0, &readers[count]);
        count += error == MET_OK;
    }
    assert_int_equal(error, MET_E_BUSY);
    check_answer(row, attempt_row(row));
    while (count > 0) {
        met__txn_abort(readers[--count]);
    }
    if (writes) { /* which need no reader, most of them */
        world_restore();
    }
}

static void test_readers(void **state)
{
    (void)state;
    expected = MET_E_BUSY;
    must_fail = 0;
    each_row(check_reading);
    assert_true(answered > 40);
}

/* --- A map that is too small ---------------------------------------------- */
/* Another process, with a larger map, has written beyond ours. */
static void outgrow(void)
{
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char path[96];
        char json[1200];
        met_store *store;
        snprintf(path, sizeof path, "%s", w.path);
        met_store_config config = {.struct_size = sizeof config,
                                   .map_size_bytes = SWEEP_MAP_SIZE};
        if (met_store_open(path, strlen(path), &config, &store, NULL)
            != MET_OK) {
            _exit(1);
        }
        for (int i = 0; i < 3000; i++) {
            int size = snprintf(json, sizeof json,
                                "{\"key\":\"f%d\",\"name\":\"F\","
                                "\"description\":\"%01000d\"}",
                                i, 7);
            if (met_feature_put(store, json, (size_t)size, NULL, NULL)
                != MET_OK) {
                _exit(1);
            }
        }
        met_store_close(store);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void check_outgrown(const contract_row *row)
{
    if (!(row->kind & ROW_PURE) && row->before == NULL
        && !ends_in(row, "_close") && !ends_in(row, "store_open")) {
        check_answer(row, attempt_row(row));
    }
}

static void test_outgrown(void **state)
{
    (void)state;
    world_close();
    w.map_size = UINT64_C(1) << 20;
    world_open();
    outgrow();
    expected = MET_E_MAP_FULL;
    must_fail = 0;
    each_row(check_outgrown);
    assert_true(answered > 80);
}

/* --- Damage --------------------------------------------------------------- */
static void damage_table(MDB_txn *txn, const char *name)
{
    MDB_dbi table;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    char bytes[1 << 16];

    assert_int_equal(mdb_dbi_open(txn, name, 0, &table), 0);
    assert_int_equal(mdb_cursor_open(txn, table, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        if (value.mv_size > 0 && value.mv_size < sizeof bytes) {
            memcpy(bytes, value.mv_data, value.mv_size);
            bytes[value.mv_size - 1] ^= 1;
            value.mv_data = bytes;
            assert_int_equal(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT),
                             0);
        }
    }
    mdb_cursor_close(cursor);
}

/* One bit of every record, but of those that opening reads. */
static void damage_all(void)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi root;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    char names[64][32];
    size_t count = 0;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 64), 0);
    assert_int_equal(mdb_env_set_mapsize(env, SWEEP_MAP_SIZE), 0);
    assert_int_equal(mdb_env_open(env, w.path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &root), 0);
    assert_int_equal(mdb_cursor_open(txn, root, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        assert_true(count < 64 && key.mv_size < sizeof names[0]);
        snprintf(names[count++], sizeof names[0], "%.*s", (int)key.mv_size,
                 (const char *)key.mv_data);
    }
    mdb_cursor_close(cursor);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], "meta") != 0) {
            damage_table(txn, names[i]);
        }
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* While a handle is open, by another process. */
static void check_damaged_below(const contract_row *row)
{
    int status = 0;

    if (row->kind & ROW_PURE || row->before == NULL || ends_in(row, "_close")
        || ends_in(row, "store_open")) {
        return;
    }
    world_restore();
    begin_row(row);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        damage_all();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_answer(row, attempt_row(row));
}

static void test_damaged_below(void **state)
{
    (void)state;
    expected = MET_E_CORRUPT;
    must_fail = 0;
    each_row(check_damaged_below);
    assert_true(answered > 5);
}

static void test_damaged(void **state)
{
    (void)state;
    world_close();
    damage_all();
    world_open();
    expected = MET_E_CORRUPT;
    must_fail = 0;
    each_row(check_outgrown);
    assert_true(answered > 60);
}

/* What recorders hold is compared with records: those are damaged, and the
 * parts that could be told are not told, either. */
static void test_damaged_stats(void **state)
{
    const met_event event = {.struct_size = sizeof event,
                             .type = "kong.api_request", .type_size = 16,
                             .subject = "consumer:ada", .subject_size = 12};
    int status = 0;

    (void)state;
    world_restore();
    assert_ok(met_recorder_open(w.store, NULL, &w.recorder, &w.told));
    assert_ok(met_recorder_add(w.recorder, &event, &w.told));
    assert_ok(met_store_settle(w.store, NULL, NULL, &w.told));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        damage_all();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(met_store_stats(w.store, OUT), MET_E_CORRUPT);
    assert_null(w.out.data);
}

static int setup(void **state)
{
    answered = 0;
    return world_make(state);
}

int main(int count, char **arguments)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, world_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_forked),   TEST(test_over),    TEST(test_readers),
        TEST(test_outgrown), TEST(test_damaged), TEST(test_damaged_below),
        TEST(test_damaged_stats),
    };

    only_function = count > 1 ? arguments[1] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

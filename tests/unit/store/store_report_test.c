/* Reports: what check and stats say, in JSON that our own reader takes. */
#include "store_support.h"

#include <lmdb.h>

#include "metering/store.h"
#include "store/store_env.h"

static char home[64];
static char dir[128];
static met_store *store;
static met__platform platform;
static met__arena arena;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    store = must_open(dir, 1);
    platform = faulty_platform(NULL, NULL);
    met__arena_init(&arena, &platform);
    return 0;
}

static int teardown(void **state)
{
    met__arena_release(&arena);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met_error report_of(met_error (*make)(met_store *, met_buffer *,
                                             met_error_info *),
                           const met__node **node_out)
{
    met_buffer buffer = {0};
    met__node *node = NULL;
    met_error error = make(store, &buffer, NULL);

    *node_out = NULL;
    if (buffer.data != NULL) {
        assert_int_equal(met__json_parse(&arena,
                                         met__text_of(buffer.data,
                                                      buffer.size),
                                         &node, NULL),
                         MET_OK);
        *node_out = node;
    }
    met_buffer_release(&buffer);
    return error;
}

static int64_t integer_at(const met__node *node, const char *a, const char *b)
{
    node = met__node_get(node, a);
    if (b != NULL) {
        node = met__node_get(node, b);
    }
    assert_non_null(node);
    assert_int_equal(node->kind, MET__NODE_INTEGER);
    return node->as.integer;
}

static void assert_text_at(const met__node *node, const char *a,
                           const char *b, const char *expect)
{
    node = met__node_get(node, a);
    if (b != NULL) {
        node = met__node_get(node, b);
    }
    assert_non_null(node);
    assert_int_equal(node->kind, MET__NODE_TEXT);
    assert_string_equal(node->as.text.data, expect);
}

/* A value of the table changed behind its checksum. */
static void damage(const char *name)
{
    MDB_txn *txn;
    MDB_val key = {strlen(name), (void *)(uintptr_t)name};
    MDB_val value = {9, (void *)(uintptr_t) "damaged!x"};

    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_put(txn, store->tables[MET__TABLE_FEATURE], &key,
                             &value, 0),
                     0);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void test_check__counts(void **state)
{
    const met__node *report;

    assert_int_equal(report_of(met_store_check, &report), MET_OK);
    assert_int_equal(integer_at(report, "damaged", NULL), 0);
    assert_int_equal(integer_at(report, "records", NULL), 2);
    assert_int_equal(integer_at(report, "tables", "meta"), 2);
    assert_null(met__node_get(report, "first_damaged"));
    for (int i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(put_one(store, key, "v"), MET_OK);
    }
    assert_int_equal(report_of(met_store_check, &report), MET_OK);
    assert_int_equal(integer_at(report, "records", NULL), 7);
    assert_int_equal(integer_at(report, "tables", "feature"), 5);
    assert_int_equal(integer_at(report, "tables", "credential"), 0);
    assert_true(integer_at(report, "pages", NULL) >= 3);
    const met__node *tables = met__node_get(report, "tables");
    assert_int_equal(tables->count, MET__TABLE_COUNT);
}

static void test_check__names_the_first_damaged(void **state)
{
    const met__node *report;
    met_error_info info = {.struct_size = sizeof info};
    met_buffer buffer = {0};

    for (int i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(put_one(store, key, "v"), MET_OK);
    }
    damage("k3");
    damage("k1");
    assert_int_equal(report_of(met_store_check, &report), MET_E_CORRUPT);
    assert_int_equal(integer_at(report, "damaged", NULL), 2);
    assert_int_equal(integer_at(report, "records", NULL), 7);
    assert_int_equal(integer_at(report, "tables", "feature"), 5);
    assert_text_at(report, "first_damaged", "table", "feature");
    assert_text_at(report, "first_damaged", "key", "6b31");
    assert_int_equal(met_store_check(store, &buffer, &info), MET_E_CORRUPT);
    assert_int_equal(info.code, MET_E_CORRUPT);
    met_buffer_release(&buffer);
}

static void test_check__names_the_page(void **state)
{
    const met__node *report;
    int file = open(temp_path(dir, "data.mdb"), O_WRONLY);

    assert_true(file >= 0);
    for (int i = 0; i < 200; i++) {
        char key[32];
        snprintf(key, sizeof key, "key with some length %d", i);
        assert_int_equal(put_one(store, key, "v"), MET_OK);
    }
    assert_int_equal(report_of(met_store_check, &report), MET_OK);
    /* a page of the middle gets another's number */
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    int found = 0;
    for (off_t page = 2; !found && page <= (off_t)info.me_last_pgno; page++) {
        uint64_t number = 999999;
        uint64_t before = (uint64_t)page;
        assert_int_equal(pwrite(file, &number, 8, page * 4096), 8);
        if (report_of(met_store_check, &report) != MET_OK) {
            found = 1;
            assert_int_equal(integer_at(report, "damaged", NULL), 1);
            assert_int_equal(integer_at(report, "first_damaged", "page"),
                             page);
            assert_text_at(report, "first_damaged", "reason",
                           "is another page");
        }
        assert_int_equal(pwrite(file, &before, 8, page * 4096), 8);
    }
    close(file);
    assert_true(found);
}

static void test_stats__says(void **state)
{
    const met__node *report;
    met__txn *txn;

    assert_int_equal(put_one(store, "k", "v"), MET_OK);
    assert_int_equal(report_of(met_store_stats, &report), MET_OK);
    assert_int_equal(integer_at(report, "format", NULL), 1);
    assert_int_equal(integer_at(report, "schema", NULL), 1);
    assert_int_equal(integer_at(report, "map_size_bytes", NULL), SMALL_MAP);
    assert_true(integer_at(report, "used_bytes", NULL) >= 4 * 4096);
    assert_int_equal(integer_at(report, "transactions", NULL), 2);
    assert_int_equal(integer_at(report, "tables", "feature"), 1);
    assert_int_equal(integer_at(report, "readers", NULL), 0);
    assert_null(met__node_get(report, "oldest_reader"));
    assert_text_at(report, "path", NULL, dir);
    assert_int_equal(met__node_get(report, "store_id")->as.text.size, 32);
    int64_t created;
    assert_int_equal(
        met__time_parse(met__node_get(report, "created_at")->as.text,
                        &created),
        MET_OK);

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(put_one(store, "k", "w"), MET_OK);
    assert_int_equal(put_one(store, "k", "x"), MET_OK);
    assert_int_equal(report_of(met_store_stats, &report), MET_OK);
    assert_int_equal(integer_at(report, "readers", NULL), 1);
    assert_int_equal(integer_at(report, "oldest_reader", "process_id"),
                     getpid());
    assert_int_equal(integer_at(report, "oldest_reader",
                                "transactions_behind"),
                     2);
    met__txn_abort(txn);
}

static void test_report__arguments(void **state)
{
    met_buffer buffer = {0};
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met_store_check(NULL, &buffer, &info), MET_E_INVALID);
    assert_string_equal(info.field, "store");
    assert_int_equal(met_store_check(store, NULL, &info), MET_E_INVALID);
    assert_string_equal(info.field, "report_out");
    assert_int_equal(met_store_stats(NULL, &buffer, &info), MET_E_INVALID);
    assert_int_equal(met_store_stats(store, NULL, &info), MET_E_INVALID);
    assert_null(buffer.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_check__counts),
        TEST(test_check__names_the_first_damaged),
        TEST(test_check__names_the_page),
        TEST(test_stats__says),
        TEST(test_report__arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A bit of what settlement keeps for entitlements turns: the store's check says
 * which record it is, no answer changes, and the next settlement mends it. */
#include "support/entitled.h"

#include <lmdb.h>

#include "store/store_env.h"

/* The first record of a table with the last bit of its value turned, as a disk
 * would: behind its checksum. Its key in hexadecimal. */
static void turn_a_bit(met__table table, char *key_out, size_t size)
{
    MDB_val key;
    MDB_val value;
    MDB_txn *txn;
    MDB_cursor *cursor;
    unsigned char name[MET__LMDB_KEY_SIZE_MAX];
    unsigned char copy[1024];

    assert_int_equal(mdb_txn_begin(store->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_cursor_open(txn, store->tables[table], &cursor), 0);
    assert_int_equal(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), 0);
    assert_true(value.mv_size > 0 && value.mv_size <= sizeof copy);
    memcpy(copy, value.mv_data, value.mv_size);
    memcpy(name, key.mv_data, key.mv_size);
    assert_true(2 * key.mv_size < size);
    for (size_t i = 0; i < key.mv_size; i++) {
        snprintf(key_out + 2 * i, size - 2 * i, "%02x", name[i]);
    }
    copy[value.mv_size - 1] ^= 1;
    mdb_cursor_close(cursor);
    key.mv_data = name;
    value.mv_data = copy;
    assert_int_equal(mdb_put(txn, store->tables[table], &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static met_error check(void)
{
    met_buffer *report = fresh();
    met_error error = met_store_check(store, report, &told);

    assert_non_null(report->data); /* also of a damaged store */
    met__arena_release(&answer_arena);
    assert_int_equal(met__json_parse(&answer_arena,
                                     met__text_of(report->data, report->size),
                                     &answer, NULL),
                     MET_OK);
    met_buffer_release(report);
    return error;
}

static void damage_is_named_and_mended(met__table table, const char *name)
{
    char key[1200];

    must_subscribe_ariel();
    must_grant(",\"amount\":\"700\"");
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 30);
    clock_now_ns = time_of("2026-03-15T10:31:00Z");
    must_settle();
    assert_int_equal(check(), MET_OK);
    assert_shown("damaged", "0");
    turn_a_bit(table, key, sizeof key);
    assert_int_equal(check(), MET_E_CORRUPT);
    assert_shown("damaged", "1");
    assert_shown("first_damaged.table", name);
    assert_shown("first_damaged.key", key);
    assert_value("2026-03-15T10:31:00Z", "1670", "30", "0", "1700");
    must_use("consumer:ariel", "2026-03-15T10:31:00Z", 5);
    clock_now_ns = time_of("2026-03-15T10:32:00Z");
    must_settle();
    assert_value("2026-03-15T10:32:00Z", "1665", "35", "0", "1700");
    assert_int_equal(check(), MET_OK);
    assert_shown("damaged", "0");
}

static void a_balance(void **state)
{
    (void)state;
    damage_is_named_and_mended(MET__TABLE_BALANCE, "balance");
}

static void what_grants_have_left(void **state)
{
    (void)state;
    damage_is_named_and_mended(MET__TABLE_BURN_STATE, "burn_state");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_balance),
        CASE(what_grants_have_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

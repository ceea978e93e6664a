/* A log of writes: what goes in comes out, what no longer holds is seen, and
 * what may be wrong later is refused. */
#include "store_support.h"

#include "store/store_env.h"

#define PLACE MET__TABLE_BOOKED /* what is read there is noted */

static char home[64];
static char dir[128];
static met_store *store;
static met__write_log write_log;
static met__arena arena;
static size_t from;
static size_t to;

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    store = must_open(dir, 1);
    met__write_log_init(&write_log, met__store_platform(store));
    met__arena_init(&arena, met__store_platform(store));
    return 0;
}

static int teardown(void **state)
{
    met__arena_release(&arena);
    met__write_log_release(&write_log);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met__txn *begin(int is_write)
{
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, is_write, &txn), MET_OK);
    return txn;
}

static met__txn *begin_log(void)
{
    met__txn *txn = begin(0);

    met__txn_log(txn, &write_log);
    met__write_log_begin(&write_log);
    return txn;
}

static met_error end_log(met__txn *txn)
{
    met__txn_abort(txn);
    return met__write_log_end(&write_log, 1, &from, &to);
}

static int holds(met__txn *txn)
{
    int result = -1;

    assert_int_equal(
        met__write_log_holds(txn, &write_log, from, to, &result), MET_OK);
    return result;
}

static void apply(met__txn *txn, met__log_cursors *cursors)
{
    assert_int_equal(
        met__write_log_apply(txn, &write_log, from, to, cursors), MET_OK);
}

static void assert_stored(met__table table, const char *key,
                          const char *expected)
{
    met__txn *txn = begin(0);
    met__text value;

    assert_int_equal(met__txn_get(txn, table, key, strlen(key), &value),
                     MET_OK);
    assert_true(met__text_equal(value, met__text_z(expected)));
    met__txn_abort(txn);
}

/* --- What goes in --------------------------------------------------------- */
static void puts_come_out(void **state)
{
    met__log_cursors cursors = {{NULL}};

    (void)state;
    assert_int_equal(put_one(store, "there", "before"), MET_OK);
    met__txn *txn = begin_log();
    must_put(txn, PLACE, "b", "two", 3);
    must_put(txn, PLACE, "a", "one", 3);
    must_put(txn, PLACE, "empty", NULL, 0);
    assert_int_equal(met__txn_append(txn, MET__TABLE_INVOICE, "x", 1, "last",
                                     4),
                     MET_OK);
    assert_int_equal(met__txn_append(txn, MET__TABLE_INVOICE, "w", 1, "first",
                                     5),
                     MET_OK);
    assert_int_equal(end_log(txn), MET_OK);
    assert_true(to > from);

    txn = begin(0); /* nothing is written yet */
    met__text value;
    assert_int_equal(met__txn_get(txn, PLACE, "a", 1, &value),
                     MET_E_NOT_FOUND);
    met__txn_abort(txn);

    txn = begin(1);
    assert_true(holds(txn));
    must_put(txn, PLACE, "c", "by hand", 7); /* between the cursor's */
    apply(txn, &cursors);
    must_put(txn, PLACE, "aa", "by hand", 7);
    apply(txn, &cursors); /* again is the same */
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_stored(PLACE, "a", "one");
    assert_stored(PLACE, "aa", "by hand");
    assert_stored(PLACE, "b", "two");
    assert_stored(PLACE, "c", "by hand");
    assert_stored(PLACE, "empty", "");
    assert_stored(MET__TABLE_INVOICE, "w", "first");
    assert_stored(MET__TABLE_INVOICE, "x", "last");
}

static met__node *document(met__text number)
{
    met__node *node = met__node_object(&arena);

    assert_int_equal(met__node_set(&arena, node, "id",
                                   met__node_text_z(&arena, "first")),
                     MET_OK);
    assert_int_equal(met__node_set(&arena, node, "number",
                                   met__node_text(&arena, number)),
                     MET_OK);
    assert_int_equal(met__node_set(&arena, node, "strange",
                                   met__node_text_z(&arena, "last")),
                     MET_OK);
    return node;
}

/* A record with a number is, to the byte, what it is when it is put at once. */
static void number_in(const char *before, int digits, const char *expected)
{
    met__log_cursors cursors = {{NULL}};
    met__text number;
    met__text at_once;
    met__text later;

    met__write_log_clear(&write_log);
    met__txn *txn = begin_log();
    assert_int_equal(met__txn_numbered(txn, "series", met__text_z(before),
                                       digits, &arena, &number),
                     MET_OK);
    assert_int_equal(met__record_append(txn, MET__TABLE_INVOICE, "later", 5,
                                        document(number)),
                     MET_OK);
    assert_int_equal(met__txn_append(txn, MET__TABLE_INVOICE_NUMBER,
                                     number.data, number.size, "id", 2),
                     MET_OK);
    assert_int_equal(end_log(txn), MET_OK);
    txn = begin(1);
    apply(txn, &cursors);
    assert_int_equal(met__record_put(txn, MET__TABLE_INVOICE, "at once", 7,
                                     document(met__text_z(expected))),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_stored(MET__TABLE_INVOICE_NUMBER, expected, "id");
    txn = begin(0);
    assert_int_equal(met__txn_get(txn, MET__TABLE_INVOICE, "at once", 7,
                                  &at_once),
                     MET_OK);
    assert_int_equal(met__txn_get(txn, MET__TABLE_INVOICE, "later", 5,
                                  &later),
                     MET_OK);
    assert_true(met__text_equal(at_once, later));
    met__txn_abort(txn);
}

static void numbers_are_filled_in(void **state)
{
    static const char many[] = "a series whose texts need more than 31 bytes-";
    char expected[128];

    (void)state;
    number_in("INV-", 4, "INV-0001");
    number_in("", 1, "2");
    number_in("twenty-six bytes as it is-", 5,
              "twenty-six bytes as it is-00003");
    snprintf(expected, sizeof expected, "%s%d", many, 4);
    number_in(many, 1, expected);

    met__txn *txn = begin(1); /* the same sequence, without a log */
    met__text number;
    assert_int_equal(met__txn_numbered(txn, "series", MET__TEXT("X-"), 3,
                                       &arena, &number),
                     MET_OK);
    assert_true(met__text_equal(number, MET__TEXT("X-005")));
    char *longest = met__arena_allocate(&arena, 300);
    memset(longest, 'x', 300);
    assert_int_equal(met__txn_numbered(txn, "series",
                                       met__text_of(longest, 300), 3, &arena,
                                       &number),
                     MET_E_LIMIT);
    met__txn_abort(txn);
}

/* --- What no longer holds ------------------------------------------------- */
static void read_both(void)
{
    met__text value;
    met__txn *txn = begin_log();

    assert_int_equal(met__txn_get(txn, PLACE, "there", 5, &value), MET_OK);
    assert_int_equal(met__txn_get(txn, PLACE, "not", 3, &value),
                     MET_E_NOT_FOUND);
    assert_int_equal(end_log(txn), MET_OK);
}

static int holds_after(const char *key, const char *value)
{
    met__txn *txn = begin(1);

    if (value == NULL) {
        assert_int_equal(met__txn_remove(txn, PLACE, key, strlen(key)),
                         MET_OK);
    } else {
        must_put(txn, PLACE, key, value, strlen(value));
    }
    int result = holds(txn);
    met__txn_abort(txn);
    return result;
}

static void what_was_read_is_looked_at(void **state)
{
    (void)state;
    met__txn *txn = begin(1);
    must_put(txn, PLACE, "there", "value", 5);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    read_both();
    assert_true(holds_after("elsewhere", "x"));
    assert_true(holds_after("there", "value"));
    assert_false(holds_after("there", "other"));
    assert_false(holds_after("there", NULL));
    assert_false(holds_after("not", "x"));
    assert_false(holds_after("not", ""));
}

/* --- What is refused ------------------------------------------------------ */
static void assert_refused(met__txn *txn)
{
    size_t before = write_log.begin;

    assert_int_equal(end_log(txn), MET_E_UNSUPPORTED);
    assert_int_equal(write_log.entries.size, before);
}

static void what_may_be_wrong_is_refused(void **state)
{
    met__text number;
    met__text value;
    met__scan scan;
    uint64_t sequence;

    (void)state;
    met__txn *txn = begin_log();
    must_put(txn, PLACE, "kept", "x", 1);
    assert_int_equal(end_log(txn), MET_OK);

    txn = begin_log();
    assert_int_equal(met__txn_remove(txn, PLACE, "a", 1), MET_E_UNSUPPORTED);
    assert_refused(txn);
    txn = begin_log();
    assert_int_equal(met__txn_sequence(txn, "series", &sequence),
                     MET_E_UNSUPPORTED);
    assert_refused(txn);
    txn = begin_log();
    assert_int_equal(met__txn_touch_catalog(txn), MET_E_UNSUPPORTED);
    assert_refused(txn);
    txn = begin_log(); /* what it has put itself */
    must_put(txn, PLACE, "a", "x", 1);
    (void)met__txn_get(txn, PLACE, "a", 1, &value);
    assert_refused(txn);
    txn = begin_log();
    assert_int_equal(met__scan_begin(txn, PLACE, "a", 1, &scan), MET_OK);
    met__scan_end(&scan);
    assert_refused(txn);
    txn = begin_log();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(met__txn_numbered(txn, "series", MET__TEXT("A-"), 1,
                                           &arena, &number),
                         i == 0 ? MET_OK : MET_E_UNSUPPORTED);
    }
    assert_refused(txn);
    txn = begin_log(); /* twice in one record */
    assert_int_equal(met__txn_numbered(txn, "series", MET__TEXT("A-"), 1,
                                       &arena, &number),
                     MET_OK);
    met__node *twice = document(number);
    assert_int_equal(met__node_set(&arena, twice, "id",
                                   met__node_text(&arena, number)),
                     MET_OK);
    (void)met__record_put(txn, MET__TABLE_INVOICE, "a", 1, twice);
    assert_refused(txn);
    txn = begin_log(); /* not wanted */
    must_put(txn, PLACE, "a", "x", 1);
    met__txn_abort(txn);
    assert_int_equal(met__write_log_end(&write_log, 0, &from, &to),
                     MET_E_UNSUPPORTED);

    met__log_cursors cursors = {{NULL}};
    from = 0; /* the one that was not refused is still there */
    to = write_log.entries.size;
    txn = begin(1);
    apply(txn, &cursors);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_stored(PLACE, "kept", "x");
}

/* Memory runs out at any allocation: nothing is half in the log. */
static void memory_runs_out(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    char big[1000] = {0};
    met__write_log small;
    int failures = 0;

    (void)state;
    for (long at = 1;; at++) {
        met__write_log_init(&small, &platform);
        memory.calls = 0;
        memory.fail_at = at;
        met__txn *txn = begin(0);
        met__txn_log(txn, &small);
        met__write_log_begin(&small);
        met_error error =
            met__txn_put(txn, PLACE, "a", 1, big, sizeof big);
        met__txn_abort(txn);
        met_error ended = met__write_log_end(&small, error == MET_OK, &from,
                                             &to);
        assert_int_equal(ended, error);
        memory.fail_at = 0;
        size_t size = small.entries.size;
        met__write_log_release(&small);
        if (error == MET_OK) {
            assert_true(size > sizeof big);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        assert_int_equal(size, 0);
        failures++;
    }
    assert_true(failures > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(puts_come_out),
        CASE(numbers_are_filled_in),
        CASE(what_was_read_is_looked_at),
        CASE(what_may_be_wrong_is_refused),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

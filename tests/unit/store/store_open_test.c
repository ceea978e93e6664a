/* Opening: references, identity, foreign and damaged files, forks. */
#include "store_support.h"

#include <pthread.h>
#include <signal.h>

#include "base/hash.h"
#include "metering/store.h"
#include "store/superblock.h"

static char home[64];

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static void test_open__twice_is_the_same_store(void **state)
{
    const char *path = temp_path(home, "s");
    met_store *a = must_open(path, 1);
    met_store *b = must_open(path, 0);
    assert_ptr_equal(a, b);

    /* also by other names of the directory */
    char link_path[128];
    snprintf(link_path, sizeof link_path, "%s/link", home);
    assert_int_equal(symlink(path, link_path), 0);
    met_store *c = must_open(link_path, 0);
    assert_ptr_equal(a, c);
    met_store *d = must_open(temp_path(home, "./s///"), 0);
    assert_ptr_equal(a, d);

    /* in any order; the last one closes */
    met_store_close(a);
    met_store_close(c);
    assert_int_equal(put_one(b, "k", "v"), MET_OK);
    met_store_close(b);
    assert_true(has_one(d, "k", "v"));
    met_store_close(d);
    met_store_close(NULL);
    a = must_open(path, 0);
    assert_true(has_one(a, "k", "v"));
    met_store_close(a);
}

/* A directory that was removed and made again is not the store still open. */
static void test_open__removed_and_made_again(void **state)
{
    char path[128];
    snprintf(path, sizeof path, "%s/s", home);
    met_store *old = must_open(path, 1);
    assert_int_equal(put_one(old, "k", "old"), MET_OK);
    temp_remove(path);
    met_store *fresh = must_open(path, 1);
    assert_ptr_not_equal(old, fresh);
    assert_memory_not_equal(met__store_id(old), met__store_id(fresh), 16);
    assert_false(has_one(fresh, "k", "old"));
    met_store_close(old);
    assert_int_equal(put_one(fresh, "k", "new"), MET_OK);
    met_store_close(fresh);
}

static void test_open__missing_is_not_created_unasked(void **state)
{
    met_store *store = (met_store *)0x1;
    assert_int_equal(try_open(temp_path(home, "no"), 0, &store),
                     MET_E_NOT_FOUND);
    assert_string_equal(last_info.reason, "is not a store");
    assert_ptr_equal(store, (met_store *)0x1);
    assert_false(temp_exists(temp_path(home, "no")));
    assert_int_equal(mkdir(temp_path(home, "empty"), 0700), 0);
    assert_int_equal(try_open(temp_path(home, "empty"), 0, &store),
                     MET_E_NOT_FOUND);
}

static void test_open__arguments(void **state)
{
    met_store *store = NULL;
    met_error_info info = {.struct_size = sizeof info};
    met_store_config config = {.struct_size = sizeof config};
    char path[4000];
    char *data = path;

    snprintf(path, sizeof path, "%s/s", home);
    size_t size = strlen(path);
    assert_int_equal(met_store_open(NULL, 3, NULL, &store, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "path");
    assert_int_equal(met_store_open(data, 0, NULL, &store, &info),
                     MET_E_INVALID);
    assert_int_equal(met_store_open(data, 3901, NULL, &store, &info),
                     MET_E_INVALID);
    assert_int_equal(met_store_open("a\0b", 3, NULL, &store, &info),
                     MET_E_INVALID);
    assert_int_equal(met_store_open(data, size, NULL, NULL, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "store_out");
    config.flags = 2;
    assert_int_equal(met_store_open(data, size, &config, &store, &info),
                     MET_E_UNSUPPORTED);
    assert_string_equal(info.field, "config.flags");
    config.flags = MET_STORE_CREATE;
    config.map_size_bytes = (1 << 20) - 1;
    assert_int_equal(met_store_open(data, size, &config, &store, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "config.map_size_bytes");
    config.map_size_bytes = (UINT64_C(1) << 46) + 1;
    assert_int_equal(met_store_open(data, size, &config, &store, &info),
                     MET_E_INVALID);
    config.struct_size = 4;
    assert_int_equal(met_store_open(data, size, &config, &store, &info),
                     MET_E_INVALID);
    assert_null(store);
    assert_false(temp_exists(path));

    /* the defaults: one TiB of addresses */
    config = (met_store_config){.struct_size = sizeof config,
                                .flags = MET_STORE_CREATE};
    assert_int_equal(met_store_open(data, size, &config, &store, &info),
                     MET_OK);
    met_store_close(store);
    store = NULL;
    memset(path, 'x', sizeof path);
    assert_int_not_equal(met_store_open(data, 3900, NULL, &store, &info),
                         MET_OK);
    assert_null(store);
}

/* --- Files that are not what they should be ------------------------------- */
static void damage_nothing(const char *path)
{
    (void)path;
}
static void remove_data(const char *path)
{
    unlink(temp_path(path, "data.mdb"));
}
static void empty_data(const char *path)
{
    write_whole(temp_path(path, "data.mdb"), "", 0);
}
static void cut_data(const char *path, off_t size)
{
    assert_int_equal(truncate(temp_path(path, "data.mdb"), size), 0);
}
static void cut_data_in_meta(const char *path)
{
    cut_data(path, 4096 + 100);
}
static void cut_data_behind_meta(const char *path)
{
    cut_data(path, 8192);
}
static void data_of_text(const char *path)
{
    static char text[16384] = "this is not a database";
    write_whole(temp_path(path, "data.mdb"), text, sizeof text);
}
static void data_is_directory(const char *path)
{
    remove_data(path);
    assert_int_equal(mkdir(temp_path(path, "data.mdb"), 0700), 0);
}
static void data_is_link(const char *path)
{
    assert_int_equal(rename(temp_path(path, "data.mdb"),
                            temp_path(path, "tally/x")), 0);
    assert_int_equal(symlink("tally/x", temp_path(path, "data.mdb")), 0);
}
static void data_of_another_store(const char *path)
{
    char other[128];
    size_t size;
    snprintf(other, sizeof other, "%s/other", home);
    met_store_close(must_open(other, 1));
    unsigned char *bytes = read_whole(temp_path(other, "data.mdb"), &size);
    write_whole(temp_path(path, "data.mdb"), bytes, size);
    free(bytes);
}
static void remove_meta(const char *path)
{
    unlink(temp_path(path, "META"));
}
static void empty_meta(const char *path)
{
    write_whole(temp_path(path, "META"), "", 0);
}
static void change_meta(const char *path, size_t at, unsigned char bits)
{
    size_t size;
    unsigned char *bytes = read_whole(temp_path(path, "META"), &size);
    assert_true(at < size);
    bytes[at] ^= bits;
    write_whole(temp_path(path, "META"), bytes, size);
    free(bytes);
}
static void cut_meta(const char *path)
{
    assert_int_equal(truncate(temp_path(path, "META"), 100), 0);
}
static void longer_meta(const char *path)
{
    assert_int_equal(truncate(temp_path(path, "META"), 400), 0);
}
static void foreign_meta(const char *path)
{
    write_whole(temp_path(path, "META"), "[package]\nname = \"x\"\n", 21);
}
static void flip_secret(const char *path)
{
    change_meta(path, 100, 1);
}
static void flip_id(const char *path)
{
    change_meta(path, 20, 0x80);
}
static void newer_format(const char *path)
{
    change_meta(path, 8, 3); /* 1 becomes 2 */
}
static void other_byte_order(const char *path)
{
    size_t size;
    unsigned char *bytes = read_whole(temp_path(path, "META"), &size);
    for (int i = 0; i < 2; i++) {
        unsigned char keep = bytes[12 + i];
        bytes[12 + i] = bytes[15 - i];
        bytes[15 - i] = keep;
    }
    write_whole(temp_path(path, "META"), bytes, size);
    free(bytes);
}
static void put_schema(const char *path, const void *bytes, size_t size)
{
    met__txn *txn;
    met_store *store = must_open(path, 0);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    must_put(txn, MET__TABLE_META, "schema", bytes, size);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met_store_close(store);
}
static void newer_schema(const char *path)
{
    put_schema(path, "\0\0\0\2", 4);
}
static void odd_schema(const char *path)
{
    put_schema(path, "\1", 1);
}
static void garbage_lock(const char *path)
{
    static char text[8192] = "garbage";
    write_whole(temp_path(path, "lock.mdb"), text, sizeof text);
}
static void no_lock(const char *path)
{
    unlink(temp_path(path, "lock.mdb"));
}

static void test_open__refuses_what_is_not_its_own(void **state)
{
    static const struct {
        const char *reason;
        void (*damage)(const char *path);
        met_error error;
        const char *says;
    } rows[] = {
        {"nothing was done", damage_nothing, MET_OK, ""},
        {"data.mdb is missing", remove_data, MET_E_CORRUPT, "is missing"},
        {"data.mdb is empty", empty_data, MET_E_CORRUPT, "page 0 is cut"},
        {"data.mdb is cut in a meta page", cut_data_in_meta, MET_E_CORRUPT,
         "page 1 is cut short"},
        {"data.mdb is cut behind them", cut_data_behind_meta, MET_E_CORRUPT,
         "is cut short"},
        {"data.mdb is another file", data_of_text, MET_E_FOREIGN,
         "is not of LMDB"},
        {"data.mdb is a directory", data_is_directory, MET_E_IO, "cannot be"},
        {"data.mdb is a link", data_is_link, MET_E_IO, "cannot be opened"},
        {"data.mdb of another store", data_of_another_store, MET_E_FOREIGN,
         "belongs to another META"},
        {"META is missing", remove_meta, MET_E_CORRUPT, "META is missing"},
        {"META is empty", empty_meta, MET_E_CORRUPT, "is cut short at 0"},
        {"META is cut", cut_meta, MET_E_CORRUPT, "has not 280 bytes"},
        {"META is longer", longer_meta, MET_E_CORRUPT, "has not 280 bytes"},
        {"META is another file", foreign_meta, MET_E_FOREIGN,
         "is not the META file"},
        {"a bit of the secret", flip_secret, MET_E_CORRUPT,
         "has a wrong checksum"},
        {"a bit of the id", flip_id, MET_E_CORRUPT, "has a wrong checksum"},
        {"a newer format", newer_format, MET_E_LAYOUT,
         "has format 2, this version knows 1"},
        {"another byte order", other_byte_order, MET_E_LAYOUT,
         "has another byte order"},
        {"a newer schema", newer_schema, MET_E_LAYOUT,
         "has schema 2, this version knows 1"},
        {"an odd schema", odd_schema, MET_E_CORRUPT, "whose it is"},
        {"garbage in lock.mdb", garbage_lock, MET_OK, ""},
        {"no lock.mdb", no_lock, MET_OK, ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128];
        met_store *store = NULL;
        snprintf(path, sizeof path, "%s/s%zu", home, i);
        store = must_open(path, 1);
        assert_int_equal(put_one(store, "k", "v"), MET_OK);
        met_store_close(store);
        rows[i].damage(path);
        store = NULL;
        met_error error = try_open(path, 1, &store);
        if (error != rows[i].error
            || (error != MET_OK
                && (strstr(last_info.reason, rows[i].says) == NULL
                    || last_info.code != error || store != NULL))) {
            fail_msg("%s: %s, \"%s\"", rows[i].reason, met_error_name(error),
                     last_info.reason);
        }
        if (error == MET_OK) {
            assert_true(has_one(store, "k", "v"));
            met_store_close(store);
        }
        temp_remove(temp_path(home, "other"));
    }
}

/* --- Forks ---------------------------------------------------------------- */
typedef struct inherited {
    met_store *store;
    met__txn *reader;
    met__txn *writer;
    const char *path;
} inherited;

static int use_inherited(void *context)
{
    inherited *it = context;
    met__txn *txn = NULL;
    met__text value;
    met_buffer report = {0};

    if (met__store_check_handle(it->store) != MET_E_FORKED
        || met__txn_begin(it->store, 0, &txn) != MET_E_FORKED || txn != NULL
        || met__txn_begin(it->store, 1, &txn) != MET_E_FORKED
        || met_store_check(it->store, &report, NULL) != MET_E_FORKED
        || met_store_stats(it->store, &report, NULL) != MET_E_FORKED
        || met_store_backup(it->store, "x", 1, 0, NULL) != MET_E_FORKED) {
        return 1;
    }
    if (met__txn_get(it->reader, MET__TABLE_FEATURE, "k", 1, &value)
            != MET_E_FORKED
        || met__txn_put(it->writer, MET__TABLE_FEATURE, "k", 1, "x", 1)
               != MET_E_FORKED
        || met__txn_remove(it->writer, MET__TABLE_FEATURE, "k", 1)
               != MET_E_FORKED) {
        return 2;
    }
    met__txn_abort(it->reader);
    if (met__txn_commit(it->writer) != MET_E_FORKED) {
        return 3;
    }
    /* a store of the child's own, beside the inherited one */
    met_store *own = NULL;
    if (try_open(it->path, 0, &own) != MET_OK || own == it->store) {
        return 4;
    }
    if (!has_one(own, "k", "v")) {
        return 5;
    }
    met_store_close(own);
    met_store_close(it->store);
    return 0;
}

static void test_open__fork(void **state)
{
    char path[128];
    inherited it = {.path = path};

    snprintf(path, sizeof path, "%s/s", home);
    it.store = must_open(path, 1);
    assert_int_equal(put_one(it.store, "k", "v"), MET_OK);
    assert_int_equal(met__txn_begin(it.store, 0, &it.reader), MET_OK);
    assert_int_equal(met__txn_begin(it.store, 1, &it.writer), MET_OK);
    assert_int_equal(met__txn_put(it.writer, MET__TABLE_FEATURE, "k2", 2, "w",
                                  1),
                     MET_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(in_child(use_inherited, &it), 0);
        /* our reader still has its place: its pages are kept for it */
        met_buffer report = {0};
        assert_int_equal(met_store_stats(it.store, &report, NULL), MET_OK);
        assert_non_null(strstr(report.data, "\"readers\":1,"));
        met_buffer_release(&report);
    }
    /* The parent's snapshot and its write are whole. */
    met__text value;
    assert_int_equal(met__txn_get(it.reader, MET__TABLE_FEATURE, "k", 1,
                                  &value),
                     MET_OK);
    assert_int_equal(met__txn_get(it.reader, MET__TABLE_FEATURE, "k2", 2,
                                  &value),
                     MET_E_NOT_FOUND);
    met__txn_abort(it.reader);
    assert_int_equal(met__txn_commit(it.writer), MET_OK);
    assert_true(has_one(it.store, "k2", "w"));
    assert_int_equal(check_all(it.store), MET_OK);
    met_store_close(it.store);
}

/* Everything that a child inherits is given back by its close. */
static int close_inherited(void *context)
{
    faulty_memory *memory = ((void **)context)[0];
    met_store *store = ((void **)context)[1];

    met_store_close(store);
    if (memory->live == 0) {
        return 1; /* the second reference was forgotten */
    }
    met_store_close(store);
    return memory->live == 0 && memory->bytes == 0 ? 0 : 2;
}

static void test_open__child_closes_its_memory(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met_store *store = NULL;
    met_store *again = NULL;
    void *context[2] = {&memory, NULL};

    assert_int_equal(met__store_open(&platform, temp_path(home, "s"),
                                     SMALL_MAP, 1, &store, NULL),
                     MET_OK);
    again = must_open(temp_path(home, "s"), 0);
    assert_ptr_equal(store, again);
    context[1] = store;
    assert_int_equal(in_child(close_inherited, context), 0);
    assert_int_equal(put_one(store, "k", "v"), MET_OK);
    met_store_close(again);
    met_store_close(store);
    assert_int_equal(memory.live, 0);
}

/* --- Directories one may not write to (not as root) ----------------------- */
static int open_unprivileged(void *context)
{
    const char *path = context;
    met_store *store = NULL;

    if (setgid(65534) != 0 || setuid(65534) != 0) {
        return 0; /* cannot be tried here */
    }
    met_error error = try_open(path, 1, &store);
    return error == MET_E_IO && last_info.reason[0] != '\0' && store == NULL
               ? 0
               : 1;
}

static void test_open__read_only_directory(void **state)
{
    char path[128];
    char fresh[128];

    snprintf(path, sizeof path, "%s/s", home);
    snprintf(fresh, sizeof fresh, "%s/fresh", home);
    met_store_close(must_open(path, 1));
    assert_int_equal(in_child(open_unprivileged, path), 0); /* 0700 */
    assert_int_equal(chmod(home, 0755), 0);
    assert_int_equal(in_child(open_unprivileged, fresh), 0);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(in_child(open_unprivileged, path), 0); /* files 0600 */
    assert_int_equal(chmod(temp_path(path, "META"), 0444), 0);
    assert_int_equal(chmod(temp_path(path, "data.mdb"), 0444), 0);
    assert_int_equal(chmod(temp_path(path, "lock.mdb"), 0444), 0);
    assert_int_equal(in_child(open_unprivileged, path), 0);
}

/* --- A lock file that was made half -------------------------------------- */
static pid_t holder; /* has the store open */
static int pauses;

static void end_holder(void *context, int64_t ns)
{
    (void)context;
    assert_true(ns > 0);
    if (pauses++ == 1) { /* it has to be waited for more than once */
        assert_int_equal(kill(holder, SIGKILL), 0);
        assert_int_equal(waitpid(holder, NULL, 0), holder);
    }
}

/* LMDB makes its lock file anew when nobody has the store open, and writes 0
 * for the last transaction before it looks it up. Who dies between leaves the
 * 0 to those who waited for the file. */
static void test_open__lock_file_made_half(void **state)
{
    static const uint64_t nothing = 0;
    met__os table = *met__os_default();
    met__platform platform = faulty_platform(NULL, NULL);
    met_store *store = NULL;
    char path[128];
    int ready[2];
    char byte = 0;

    snprintf(path, sizeof path, "%s/s", home);
    store = must_open(path, 1);
    assert_int_equal(put_one(store, "a", "1"), MET_OK);
    assert_int_equal(put_one(store, "b", "2"), MET_OK);
    met_store_close(store);
    assert_int_equal(pipe(ready), 0);
    holder = fork();
    assert_true(holder >= 0);
    if (holder == 0) {
        if (try_open(path, 0, &store) != MET_OK
            || write(ready[1], &byte, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int file = open(temp_path(path, "lock.mdb"), O_RDWR);
    /* behind magic, format and a mutex */
    assert_int_equal(pwrite(file, &nothing, sizeof nothing,
                            8 + sizeof(pthread_mutex_t)),
                     sizeof nothing);
    close(file);

    pauses = 0;
    table.pause = end_holder;
    platform.os = &table;
    met_error error = met__store_open(&platform, path, SMALL_MAP, 0, &store,
                                      &last_info);
    if (pauses < 2) {
        kill(holder, SIGKILL); /* or it would outlive a failed test */
    }
    assert_int_equal(error, MET_OK);
    assert_int_equal(pauses, 2);
    assert_true(has_one(store, "a", "1"));
    assert_int_equal(put_one(store, "c", "3"), MET_OK);
    met_store_close(store);
    store = must_open(path, 0);
    assert_true(has_one(store, "b", "2") && has_one(store, "c", "3"));
    met_store_close(store);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_open__twice_is_the_same_store),
        TEST(test_open__removed_and_made_again),
        TEST(test_open__missing_is_not_created_unasked),
        TEST(test_open__arguments),
        TEST(test_open__refuses_what_is_not_its_own),
        TEST(test_open__fork),
        TEST(test_open__child_closes_its_memory),
        TEST(test_open__read_only_directory),
        TEST(test_open__lock_file_made_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

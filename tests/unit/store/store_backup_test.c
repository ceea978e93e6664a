/* Copies: a store of their own, whole also beside writers. */
#include "store_support.h"

#include "metering/store.h"
#include "store/superblock.h"

static char home[64];
static char dir[128];
static char copy[128];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    snprintf(copy, sizeof copy, "%s/copy", home);
    store = must_open(dir, 1);
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

static met_error backup(const char *path, met_error_info *info)
{
    return met_store_backup(store, path, strlen(path), 0, info);
}

static void test_backup__is_a_store(void **state)
{
    uint64_t before;
    uint64_t after;
    struct stat found;

    assert_int_equal(put_one(store, "k", "v"), MET_OK);
    assert_int_equal(digest(store, &before), MET_OK);
    umask(0);
    assert_int_equal(backup(copy, NULL), MET_OK);
    assert_int_equal(stat(copy, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(stat(temp_path(copy, "data.mdb"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(stat(temp_path(copy, "META"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);

    met_store *other = must_open(copy, 0);
    assert_ptr_not_equal(other, store);
    assert_int_equal(digest(other, &after), MET_OK);
    assert_int_equal(before, after);
    assert_memory_equal(met__store_id(other), met__store_id(store), 16);
    assert_memory_equal(met__store_secret(other), met__store_secret(store),
                        MET__SECRET_SIZE);
    assert_memory_equal(met__store_credential_key(other),
                        met__store_credential_key(store), 32);
    assert_int_equal(check_all(other), MET_OK);
    /* they go separate ways */
    assert_int_equal(put_one(other, "k", "copy"), MET_OK);
    assert_true(has_one(store, "k", "v"));
    met_store_close(other);

    /* into an empty directory, also with a slash; not over the copy */
    char empty[160];
    snprintf(empty, sizeof empty, "%s/empty/", home);
    assert_int_equal(mkdir(empty, 0755), 0);
    assert_int_equal(backup(empty, NULL), MET_OK);
    met_store_close(must_open(empty, 0));
    met_error_info info = {.struct_size = sizeof info};
    assert_int_equal(backup(copy, &info), MET_E_EXISTS);
    assert_string_equal(info.reason, "is not an empty directory");
    assert_int_equal(backup(dir, &info), MET_E_EXISTS);
    write_whole(temp_path(home, "file"), "x", 1);
    assert_int_equal(backup(temp_path(home, "file"), &info), MET_E_EXISTS);
    assert_int_equal(backup(temp_path(home, "no/such"), &info),
                     MET_E_NOT_FOUND);
    other = must_open(copy, 0);
    assert_true(has_one(other, "k", "copy"));
    met_store_close(other);
}

static void test_backup__arguments(void **state)
{
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met_store_backup(NULL, copy, 3, 0, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "store");
    assert_int_equal(met_store_backup(store, NULL, 3, 0, &info),
                     MET_E_INVALID);
    assert_int_equal(met_store_backup(store, copy, 0, 0, &info),
                     MET_E_INVALID);
    assert_int_equal(met_store_backup(store, "a\0b", 3, 0, &info),
                     MET_E_INVALID);
    assert_int_equal(met_store_backup(store, copy, strlen(copy), 2, &info),
                     MET_E_UNSUPPORTED);
    assert_string_equal(info.field, "flags");
    assert_int_equal(met_store_backup(store, copy, strlen(copy), 3, &info),
                     MET_E_UNSUPPORTED);
    assert_int_equal(backup(".", &info), MET_E_INVALID);
    assert_false(temp_exists(copy));
}

/* Two keys are always written together: a copy shows both or none. */
static int write_pairs(void *context)
{
    met_store *own = NULL;
    static char big[3000];

    if (try_open(dir, 0, &own) != MET_OK) {
        return 1;
    }
    for (int i = 1; i <= 300; i++) {
        met__txn *txn;
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        if (met__txn_begin(own, 1, &txn) != MET_OK
            || met__txn_put(txn, MET__TABLE_FEATURE, "a", 1, text,
                            strlen(text)) != MET_OK
            || met__txn_put(txn, MET__TABLE_PLAN, text, strlen(text), big,
                            sizeof big) != MET_OK
            || met__txn_put(txn, MET__TABLE_METER, "b", 1, text,
                            strlen(text)) != MET_OK
            || met__txn_commit(txn) != MET_OK) {
            return 2;
        }
    }
    met_store_close(own);
    return 0;
}

static void test_backup__beside_a_writer(void **state)
{
    int status = 0;
    int copies = 0;

    fflush(NULL);
    pid_t writer = fork();
    if (writer == 0) {
        _exit(write_pairs(NULL));
    }
    int is_over = 0;
    while (!is_over) {
        is_over = waitpid(writer, &status, WNOHANG) == writer;
        assert_int_equal(backup(copy, NULL), MET_OK);
        met_store *other = must_open(copy, 0);
        met__txn *txn;
        met__text a = {0};
        met__text b = {0};
        assert_int_equal(check_all(other), MET_OK);
        assert_int_equal(met__txn_begin(other, 0, &txn), MET_OK);
        met_error first = met__txn_get(txn, MET__TABLE_FEATURE, "a", 1, &a);
        met_error second = met__txn_get(txn, MET__TABLE_METER, "b", 1, &b);
        assert_int_equal(first, second);
        assert_true(met__text_equal(a, b));
        met__txn_abort(txn);
        met_store_close(other);
        temp_remove(copy);
        copies++;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(copies >= 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_backup__is_a_store),
        TEST(test_backup__arguments),
        TEST(test_backup__beside_a_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the tests of the store share: opening without ceremony, running a piece
 * in a child, and the content of a store as one number. */
#ifndef TESTS_UNIT_STORE_SUPPORT_H
#define TESTS_UNIT_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_open.h"
#include "support/faults.h"
#include "support/temp_directory.h"

#define SMALL_MAP (UINT64_C(64) << 20)

/* The last error of try_open, for messages. */
static met_error_info last_info;

static inline met_error try_open(const char *path, int create,
                                 met_store **store_out)
{
    met__platform platform = faulty_platform(NULL, NULL);

    last_info = (met_error_info){.struct_size = sizeof last_info};
    return met__store_open(&platform, path, SMALL_MAP, create, store_out,
                           &last_info);
}

static inline met_store *must_open(const char *path, int create)
{
    met_store *store = NULL;
    met_error error = try_open(path, create, &store);

    if (error != MET_OK) {
        fail_msg("%s: %s, \"%s\" \"%s\"", path, met_error_name(error),
                 last_info.field, last_info.reason);
    }
    return store;
}

static inline void must_put(met__txn *txn, met__table table, const char *key,
                            const void *value, size_t size)
{
    assert_int_equal(met__txn_put(txn, table, key, strlen(key), value, size),
                     MET_OK);
}

/* A transaction with one record in it, committed. */
static inline met_error put_one(met_store *store, const char *key,
                                const char *value)
{
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_FEATURE, key, strlen(key), value,
                             strlen(value));
        if (error == MET_OK) {
            return met__txn_commit(txn);
        }
        met__txn_abort(txn);
    }
    return error;
}

static inline int has_one(met_store *store, const char *key,
                          const char *value)
{
    met__text found;
    met__txn *txn;
    int is_there = 0;

    if (met__txn_begin(store, 0, &txn) == MET_OK) {
        is_there = met__txn_get(txn, MET__TABLE_FEATURE, key, strlen(key),
                                &found) == MET_OK
                   && met__text_equal(found, met__text_z(value));
        met__txn_abort(txn);
    }
    return is_there;
}

/* Every key and value of every table in one number; an error in place of it
 * when something cannot be read. */
static inline met_error digest(met_store *store, uint64_t *digest_out)
{
    met__txn *txn;
    uint64_t sum = 1;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    for (int table = 0; error == MET_OK && table < MET__TABLE_COUNT;
         table++) {
        met__scan scan;
        met__text key;
        met__text value;
        error = met__scan_begin(txn, (met__table)table, NULL, 0, &scan);
        while (error == MET_OK) {
            error = met__scan_next(&scan, &key, &value);
            if (error == MET_OK) {
                sum = sum * 31
                      + met__checksum_pair(key.data, key.size, value.data,
                                           value.size);
            }
        }
        met__scan_end(&scan);
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
        sum = sum * 37 + (uint64_t)table;
    }
    met__txn_abort(txn);
    *digest_out = sum;
    return error;
}

/* The public check without its report. */
static inline met_error check_all(met_store *store)
{
    met_buffer report = {0};
    met_error error = met_store_check(store, &report, NULL);

    met_buffer_release(&report);
    return error;
}

/* Runs work in a child; its result, or 1000 + the signal that ended it. */
static inline int in_child(int (*work)(void *context), void *context)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(work(context));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* --- Whole files ---------------------------------------------------------- */
static inline unsigned char *read_whole(const char *path, size_t *size_out)
{
    struct stat found;
    int file = open(path, O_RDONLY);

    assert_true(file >= 0);
    assert_int_equal(fstat(file, &found), 0);
    unsigned char *bytes = malloc((size_t)found.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(file, bytes, (size_t)found.st_size),
                     found.st_size);
    close(file);
    *size_out = (size_t)found.st_size;
    return bytes;
}

static inline void write_whole(const char *path, const void *bytes,
                               size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    close(file);
}

#endif

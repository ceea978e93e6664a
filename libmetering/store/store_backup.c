/* A copy of a store that is in use: one snapshot of LMDB and META, in a
 * directory that gets its name when everything is in it and synced. In: an
 * open store, a path. Out: a store there, with the same identity; with the same
 * secrets, or without what a filter leaves out.
 * What is counted and not yet settled is not in it. */
#include "base/check.h"
#include "store/store_env.h"
#include "store/store_open.h"

#define PATH_MAX_SIZE MET__STORE_PATH_MAX
#define RECORDS_AT_ONCE 20000

/* LMDB writes into a file of ours: mode 0600 from the first byte on. */
static met_error copy_data(met_store *store, const char *path,
                           met_error_info *info)
{
    const met__os *os = store->platform.os;
    int file = os->open(os->context, path,
                        MET__OS_CREATE | MET__OS_EXCLUSIVE);

    if (file < 0) {
        return met__store_io_fail(info, path, "cannot be created", file);
    }
    int copied = mdb_env_copyfd2(store->env, file, 0);
    int result = copied == MDB_SUCCESS ? os->sync(os->context, file) : 0;
    int closed = os->close(os->context, file);
    if (copied != MDB_SUCCESS) {
        met_error error = met__lmdb_error(store, copied);
        return met__fail(info, error, path, "cannot be written (%s)",
                         mdb_strerror(copied));
    }
    result = result < 0 ? result : closed;
    return result < 0 ? met__store_io_fail(info, path, "cannot be written",
                                           result)
                      : MET_OK;
}

/* --- Record by record ----------------------------------------------------- */
typedef struct copying {
    met_store *to;
    met__backup_filter *filter;
    met__txn *read;
    met__txn *write;
    uint64_t written; /* in this transaction */
} copying;

static met_error begin_writing(copying *self)
{
    self->written = 0;
    return met__txn_begin(self->to, 1, &self->write);
}

static met_error commit(copying *self)
{
    met__txn *txn = self->write;

    self->write = NULL;
    return met__txn_commit(txn);
}

static met_error copy_record(copying *self, met__table table, met__text key,
                             met__text value)
{
    met__node *other = NULL;
    met__arena arena;
    int is_kept = 1;

    met__arena_init(&arena, &self->to->platform);
    met_error error = self->filter(table, key, value, &arena, &is_kept,
                                   &other);
    if (error == MET_OK && is_kept) {
        error = other != NULL
                    ? met__record_put(self->write, table, key.data, key.size,
                                      other)
                    : met__txn_put(self->write, table, key.data, key.size,
                                   value.data, value.size);
    }
    met__arena_release(&arena);
    if (error == MET_OK && ++self->written == RECORDS_AT_ONCE) {
        error = commit(self);
        if (error == MET_OK) {
            error = begin_writing(self);
        }
    }
    return error;
}

static met_error copy_table(copying *self, met__table table)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(self->read, table, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = copy_record(self, table, key, value);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error copy_tables(copying *self, met_store *from)
{
    met_error error = met__txn_begin(from, 0, &self->read);

    if (error == MET_OK) {
        error = begin_writing(self);
    }
    if (error == MET_OK) {
        error = met__store_make_tables(self->write);
    }
    for (int i = 0; error == MET_OK && i < MET__TABLE_COUNT; i++) {
        error = copy_table(self, (met__table)i);
    }
    if (error == MET_OK) {
        error = commit(self);
    }
    met__txn_abort(self->write);
    met__txn_abort(self->read);
    return error;
}

/* *block_out: whose hashes the copy could have. */
static met_error copy_records(met_store *store, const char *path,
                              met__backup_filter *filter,
                              met__superblock *block_out,
                              met_error_info *info)
{
    copying self = {.filter = filter};
    MDB_envinfo state;
    met__superblock block = store->superblock;
    met_error error = met__superblock_change_key(&store->platform, &block);

    self.to = error == MET_OK ? met__store_new_handle(&store->platform, path)
                              : NULL;
    if (self.to == NULL) {
        return met__fail_code(info, error == MET_OK ? MET_E_NO_MEMORY
                                                    : error);
    }
    self.to->superblock = block;
    mdb_env_info(store->env, &state);
    error = met__store_open_env(self.to, path, state.me_mapsize);
    if (error == MET_OK) {
        error = copy_tables(&self, store);
    }
    met__store_free_handle(self.to);
    *block_out = block;
    return error == MET_OK ? MET_OK
                           : met__fail(info, error, path,
                                       "cannot be written: %s",
                                       met_error_message(error));
}

/* --- Both ----------------------------------------------------------------- */
static met_error fill(met_store *store, const char *path,
                      met__backup_filter *filter, met_error_info *info)
{
    met__superblock block = store->superblock;
    char name[PATH_MAX_SIZE];
    met_error error = met__store_join(name, path, "data.mdb");

    if (error == MET_OK) {
        error = filter == NULL
                    ? copy_data(store, name, info)
                    : copy_records(store, path, filter, &block, info);
    }
    return error == MET_OK ? met__store_complete(&store->platform, path,
                                                 &block, info)
                           : error;
}

met_error met__store_backup(met_store *store, const char *path,
                            met__backup_filter *filter, met_error_info *info)
{
    char clean[PATH_MAX_SIZE];
    met__store_temporary temporary;
    met_error error = met__store_check_handle(store);

    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    const met__platform *platform = &store->platform;
    error = met__store_clean_path(path, clean, info);
    if (error == MET_OK) {
        error = met__store_temporary_begin(platform, clean, &temporary, info);
    }
    if (error != MET_OK) {
        return error;
    }
    error = fill(store, temporary.path, filter, info);
    if (error == MET_OK) {
        error = met__store_put_in_place(platform, temporary.path, clean, info);
    }
    met__store_temporary_end(platform, &temporary, error == MET_OK);
    return error;
}

/* A copy of a store that is in use: one snapshot of LMDB and META, in a
 * directory that gets its name when everything is in it and synced. In: an
 * open store, a path. Out: a store there, with the same identity and secrets.
 * What is counted and not yet settled is not in it. */
#include "base/check.h"
#include "store/store_env.h"
#include "store/store_open.h"

#define PATH_MAX_SIZE MET__STORE_PATH_MAX

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

met_error met__store_backup(met_store *store, const char *path,
                            met_error_info *info)
{
    char clean[PATH_MAX_SIZE];
    char temporary[PATH_MAX_SIZE];
    char name[PATH_MAX_SIZE];
    met_error error = met__store_check_handle(store);

    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    const met__platform *platform = &store->platform;
    error = met__store_clean_path(path, clean, info);
    if (error == MET_OK) {
        error = met__store_temporary(platform, clean, temporary, info);
    }
    if (error != MET_OK) {
        return error;
    }
    error = met__store_join(name, temporary, "data.mdb");
    if (error == MET_OK) {
        error = copy_data(store, name, info);
    }
    if (error == MET_OK) {
        error = met__store_complete(platform, temporary, &store->superblock,
                                    info);
    }
    if (error == MET_OK) {
        error = met__store_put_in_place(platform, temporary, clean, info);
    }
    if (error != MET_OK) {
        met__store_remove_tree(platform, temporary);
    }
    return error;
}

/* Making the directory of a store: a new one, or the copy that a backup is.
 * It is complete, synced and checked in before it gets its name, so that a
 * kill leaves a directory of a random name (store_temporary.c) and nothing
 * else.
 * In: a path. Out: a store there. Knows nothing of who uses it. */
#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "store/store_env.h"

#define PATH_MAX_SIZE MET__STORE_PATH_MAX

/* --- Paths ---------------------------------------------------------------- */
met_error met__store_join(char *out, const char *path, const char *name)
{
    int size = snprintf(out, PATH_MAX_SIZE, "%s/%s", path, name);
    return size > 0 && size < PATH_MAX_SIZE ? MET_OK : MET_E_INVALID;
}

met_error met__store_clean_path(const char *path, char *out,
                                met_error_info *info)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    if (size == 0 || size >= PATH_MAX_SIZE - 64) {
        return met__fail(info, MET_E_INVALID, "path",
                         size ? "is too long" : "is empty");
    }
    memcpy(out, path, size);
    out[size] = '\0';
    return MET_OK;
}

/* Where the last component begins; it must be a name, since a store gets its
 * place by a rename. */
met_error met__store_last_component(const char *path, const char **name_out,
                                    met_error_info *info)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return met__fail(info, MET_E_INVALID, path, "cannot become a store: "
                         "give the directory by its own name");
    }
    *name_out = name;
    return MET_OK;
}

static int sync_directory(const met__os *os, const char *path)
{
    int file = os->open(os->context, path, MET__OS_DIRECTORY);

    if (file < 0) {
        return file;
    }
    int result = os->sync(os->context, file);
    int closed = os->close(os->context, file);
    return result < 0 ? result : closed;
}

met_error met__store_put_in_place(const met__platform *platform,
                                  const char *from, const char *path,
                                  met_error_info *info)
{
    const met__os *os = platform->os;
    char parent[PATH_MAX_SIZE];
    const char *name;
    met_error error = met__store_last_component(path, &name, info);

    if (error != MET_OK) {
        return error;
    }
    /* Takes a missing name or an empty directory, nothing else. */
    int result = os->rename(os->context, from, path);
    if (result == -ENOTEMPTY || result == -EEXIST || result == -ENOTDIR) {
        return met__fail(info, MET_E_EXISTS, path, "is not an empty "
                         "directory");
    }
    if (result == -EBUSY || result == -EXDEV) {
        return met__fail(info, MET_E_INVALID, path, "is a mount point: give "
                         "a directory inside it");
    }
    if (result < 0) {
        return met__store_io_fail(info, path, "cannot be put in place",
                                  result);
    }
    /* "parent/.": the parent may be a symbolic link, its "." is none. */
    snprintf(parent, sizeof parent, "%.*s.", (int)(name - path), path);
    result = sync_directory(os, parent);
    return result < 0 ? met__store_io_fail(info, parent, "cannot be synced",
                                           result)
                      : MET_OK;
}

/* --- Content -------------------------------------------------------------- */
met_error met__store_complete(const met__platform *platform, const char *path,
                              const met__superblock *block,
                              met_error_info *info)
{
    static const char *const folders[] = {"tally", "gateway"};
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        MET__ASSERT(met__store_join(name, path, folders[i]) == MET_OK);
        int result = os->make_directory(os->context, name);
        if (result < 0) {
            return met__store_io_fail(info, name, "cannot be created",
                                      result);
        }
    }
    MET__ASSERT(met__store_join(name, path, "META") == MET_OK);
    met_error error = met__superblock_write(platform, name, block, info);
    if (error != MET_OK) {
        return error;
    }
    int result = sync_directory(os, path);
    return result < 0 ? met__store_io_fail(info, path, "cannot be synced",
                                           result)
                      : MET_OK;
}

met_error met__store_make_tables(met__txn *txn)
{
    met_store *store = txn->store;
    met_error error = MET_OK;

    for (int i = 0; error == MET_OK && i < MET__TABLE_COUNT; i++) {
        error = met__lmdb_error(store, mdb_dbi_open(txn->txn,
                                                    met__table_names[i],
                                                    MDB_CREATE,
                                                    &store->tables[i]));
    }
    return error;
}

/* All tables, and the two records that tie the data to this META. */
static met_error write_first(met_store *store)
{
    unsigned char schema[4];
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__store_make_tables(txn);
    met__put_u32(schema, MET__SCHEMA);
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_META, "schema", 6, schema,
                             sizeof schema);
    }
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_META, "store_id", 8,
                             store->superblock.store_id,
                             sizeof store->superblock.store_id);
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    return met__txn_commit(txn);
}

static met_error build(const met__platform *platform, const char *path,
                       uint64_t map_size, met_error_info *info)
{
    int major;
    int minor;
    int patch;

    mdb_version(&major, &minor, &patch);
    met_store *store = met__store_new_handle(platform, path);
    if (store == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    met_error error = met__superblock_create(
        platform, (uint32_t)(major << 24 | minor << 16 | patch),
        &store->superblock);
    if (error == MET_OK) {
        error = met__store_open_env(store, path, map_size);
    }
    if (error == MET_OK) {
        error = write_first(store);
    }
    if (error != MET_OK) {
        met__fail(info, error, path, "LMDB cannot be created: %s",
                  met_error_message(error));
    }
    met__superblock block = store->superblock;
    met__store_free_handle(store);
    return error == MET_OK
               ? met__store_complete(platform, path, &block, info)
               : error;
}

met_error met__store_create(const met__platform *platform, const char *path,
                            uint64_t map_size, met_error_info *info)
{
    met__store_temporary temporary;
    met_error error = met__store_temporary_begin(platform, path, &temporary,
                                                 info);

    if (error != MET_OK) {
        return error;
    }
    error = build(platform, temporary.path, map_size, info);
    if (error == MET_OK) {
        error = met__store_put_in_place(platform, temporary.path, path, info);
    }
    met__store_temporary_end(platform, &temporary, error == MET_OK);
    return error;
}

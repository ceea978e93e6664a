/* Opening and creating a store. In: a directory. Out: one environment per
 * directory and process, counted. A new store is complete before it gets its
 * name. LMDB runs with its default durability; MDB_NOTLS only frees readers
 * from being tied to a thread, which goroutines and fibres need. */
#include "store/store_open.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/fork_guard.h"
#include "store/store_env.h"

#define MAP_SIZE_DEFAULT (UINT64_C(1) << 40)
#define MAP_SIZE_MIN (UINT64_C(1) << 20)
#define READERS_MAX 1022
#define PATH_MAX_SIZE MET__STORE_PATH_MAX
#define SCHEMA 1u

static met_store *registry; /* guarded by the process lock */

static const char *const table_names[MET__TABLE_COUNT] = {
#define NAME(name, text) text,
    MET__TABLE_MAP(NAME)
#undef NAME
};

const met__platform *met__store_platform(const met_store *store)
{
    return &store->platform;
}

const char *met__store_path(const met_store *store)
{
    return store->path;
}

const uint8_t *met__store_id(const met_store *store)
{
    return store->superblock.store_id;
}

const met__secret *met__store_secret(const met_store *store)
{
    return &store->superblock.secret;
}

const uint8_t *met__store_credential_key(const met_store *store)
{
    return store->superblock.credential_key;
}

met_error met__store_check_handle(const met_store *store)
{
    if (store == NULL) {
        return MET_E_INVALID;
    }
    return store->fork_generation == met__fork_generation() ? MET_OK
                                                            : MET_E_FORKED;
}

static met_error join(char out[PATH_MAX_SIZE], const char *path,
                      const char *name)
{
    int size = snprintf(out, PATH_MAX_SIZE, "%s/%s", path, name);
    return size > 0 && size < PATH_MAX_SIZE ? MET_OK : MET_E_INVALID;
}

static met_error fail(met_error_info *info, const char *path,
                      const char *what, met_error error)
{
    return met__fail(info, error, path, "%s: %s", what,
                     met_error_message(error));
}

/* --- The environment ------------------------------------------------------- */
static met_error open_tables(met_store *store, int create)
{
    MDB_txn *txn;
    unsigned flags = create ? 0 : MDB_RDONLY;
    int result = mdb_txn_begin(store->env, NULL, flags, &txn);

    if (result != MDB_SUCCESS) {
        return met__lmdb_error(store, result);
    }
    for (int i = 0; result == MDB_SUCCESS && i < MET__TABLE_COUNT; i++) {
        result = mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0,
                              &store->tables[i]);
    }
    if (result == MDB_SUCCESS) {
        return met__lmdb_error(store, mdb_txn_commit(txn));
    }
    mdb_txn_abort(txn);
    return met__lmdb_error(store, result);
}

static met_error open_env(met_store *store, const char *path,
                          uint64_t map_size, int create)
{
    int result = mdb_env_create(&store->env);

    if (result != MDB_SUCCESS) {
        return met__lmdb_error(store, result);
    }
    result = mdb_env_set_mapsize(store->env, map_size);
    if (result == MDB_SUCCESS) {
        result = mdb_env_set_maxdbs(store->env, MET__TABLE_COUNT + 8);
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_set_maxreaders(store->env, READERS_MAX);
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_open(store->env, path, MDB_NOTLS, 0600);
    }
    if (result != MDB_SUCCESS) {
        return met__lmdb_error(store, result);
    }
    int dead = 0;
    mdb_reader_check(store->env, &dead);
    return open_tables(store, create);
}

static met_error check_schema(met_store *store, const char *path,
                              met_error_info *info)
{
    met__txn *txn;
    met__text value;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__txn_get(txn, MET__TABLE_META, "schema", 6, &value);
    if (error == MET_E_NOT_FOUND || (error == MET_OK && value.size != 4)) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        uint32_t found = met__get_u32((const unsigned char *)value.data);
        if (found != SCHEMA) {
            error = met__fail(info, MET_E_LAYOUT, path, "has schema %u, this "
                              "version knows %u", found, SCHEMA);
        }
    }
    met__txn_abort(txn);
    return error;
}

static met_error write_schema(met_store *store)
{
    unsigned char bytes[4];
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    met__put_u32(bytes, SCHEMA);
    error = met__txn_put(txn, MET__TABLE_META, "schema", 6, bytes,
                         sizeof bytes);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    return met__txn_commit(txn);
}

/* --- Handles --------------------------------------------------------------- */
static met_store *new_handle(const met__platform *platform, const char *path)
{
    met_store *store = met__allocate(platform, sizeof *store);

    if (store == NULL) {
        return NULL;
    }
    store->platform = *platform;
    store->references = 1;
    store->path_size = strlen(path) + 1;
    store->path = met__allocate(platform, store->path_size);
    if (store->path == NULL
        || met__fork_guard_start(&store->fork_generation) != MET_OK) {
        met__release(platform, store->path, store->path_size);
        met__release(platform, store, sizeof *store);
        return NULL;
    }
    memcpy(store->path, path, store->path_size);
    return store;
}

static void free_handle(met_store *store)
{
    met__platform platform = store->platform;

    if (store->env != NULL) {
        mdb_env_close(store->env);
    }
    met__release(&platform, store->path, store->path_size);
    met__release(&platform, store, sizeof *store);
}

/* --- Creating -------------------------------------------------------------- */
static int remove_entry(void *context, const met__os_entry *entry)
{
    void *const *parts = context;
    const met__platform *platform = parts[0];
    char path[PATH_MAX_SIZE];

    if (join(path, parts[1], entry->name) == MET_OK
        && platform->os->unlink(platform->os->context, path) < 0) {
        platform->os->remove_directory(platform->os->context, path);
    }
    return 0;
}

void met__store_remove_tree(const met__platform *platform, char *path)
{
    void *parts[] = {(void *)(uintptr_t)platform, path};

    platform->os->list(platform->os->context, path, parts, remove_entry);
    platform->os->remove_directory(platform->os->context, path);
}

static int sync_directory(const met__os *os, const char *path)
{
    int file = os->open(os->context, path, MET__OS_DIRECTORY);

    if (file < 0) {
        return file;
    }
    int result = os->sync(os->context, file);
    os->close(os->context, file);
    return result;
}

/* Everything of a new store, in a directory nobody knows yet. */
static met_error build(const met__platform *platform, const char *path,
                       uint64_t map_size, met_error_info *info)
{
    static const char *const folders[] = {"tally", "gateway"};
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];
    met__superblock block;
    int major;
    int minor;
    int patch;

    mdb_version(&major, &minor, &patch);
    met_error error = met__superblock_create(
        platform, (uint32_t)(major << 24 | minor << 16 | patch), &block);
    if (error != MET_OK) {
        return fail(info, path, "no identity", error);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        error = join(name, path, folders[i]);
        int result = error == MET_OK ? os->make_directory(os->context, name)
                                     : 0;
        if (error != MET_OK || result < 0) {
            return fail(info, path, "cannot be filled",
                        error ? error : met__os_error(result));
        }
    }
    met_store *store = new_handle(platform, path);
    if (store == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    error = open_env(store, path, map_size, 1);
    if (error == MET_OK) {
        error = write_schema(store);
    }
    free_handle(store);
    if (error != MET_OK) {
        return fail(info, path, "LMDB cannot be created", error);
    }
    error = join(name, path, "META");
    if (error == MET_OK) {
        error = met__superblock_write(platform, name, &block, info);
    }
    int result = error == MET_OK ? sync_directory(os, path) : 0;
    return result < 0 ? fail(info, path, "cannot be synced",
                             met__os_error(result))
                      : error;
}

met_error met__store_temporary_name(const met__platform *platform,
                                    const char *path, char *out)
{
    unsigned char bits[8];
    int result = platform->os->random(platform->os->context, bits,
                                      sizeof bits);
    if (result < 0) {
        return met__os_error(result);
    }
    int size = snprintf(out, PATH_MAX_SIZE, "%s.new-%016llx", path,
                        (unsigned long long)met__get_u64(bits));
    return size > 0 && size < PATH_MAX_SIZE ? MET_OK : MET_E_INVALID;
}

static met_error create(const met__platform *platform, const char *path,
                        uint64_t map_size, met_error_info *info)
{
    const met__os *os = platform->os;
    char temporary[PATH_MAX_SIZE];
    met_error error = met__store_temporary_name(platform, path, temporary);

    if (error != MET_OK) {
        return fail(info, path, "no temporary name", error);
    }
    int result = os->make_directory(os->context, temporary);
    if (result < 0) {
        return fail(info, path, "cannot be created", met__os_error(result));
    }
    error = build(platform, temporary, map_size, info);
    if (error == MET_OK) {
        /* Takes a missing name or an empty directory, nothing else. */
        result = os->rename(os->context, temporary, path);
        if (result == -ENOTEMPTY || result == -EEXIST) {
            result = 0; /* somebody was faster, or it is not a store */
        } else if (result < 0) {
            error = fail(info, path, "cannot be put in place",
                         met__os_error(result));
        }
    }
    met__store_remove_tree(platform, temporary);
    return error;
}

/* --- Opening --------------------------------------------------------------- */
static int count_entry(void *context, const met__os_entry *entry)
{
    int *count = context;
    (*count)++;
    return 0;
}

/* MET_OK: a store is there. MET_E_NOT_FOUND: nothing or an empty directory. */
static met_error look(const met__platform *platform, const char *path,
                      met_error_info *info)
{
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];
    met__os_stat found;
    int count = 0;
    int result = os->stat(os->context, path, &found);

    if (result < 0) {
        met_error error = met__os_error(result);
        return error == MET_E_NOT_FOUND
                   ? error
                   : fail(info, path, "cannot be examined", error);
    }
    if (!found.is_directory) {
        return met__fail(info, MET_E_EXISTS, path, "is not a directory");
    }
    if (join(name, path, "META") != MET_OK) {
        return met__fail(info, MET_E_INVALID, path, "is too long");
    }
    if (os->stat(os->context, name, &found) == 0) {
        return MET_OK;
    }
    result = os->list(os->context, path, &count, count_entry);
    if (result < 0) {
        return fail(info, path, "cannot be listed", met__os_error(result));
    }
    if (count == 0) {
        return MET_E_NOT_FOUND;
    }
    if (join(name, path, "data.mdb") == MET_OK
        && os->stat(os->context, name, &found) == 0) {
        return met__fail(info, MET_E_CORRUPT, path, "META is missing");
    }
    return met__fail(info, MET_E_EXISTS, path,
                     "is neither a store nor an empty directory");
}

/* data.mdb must be there and hold at least LMDB's two meta pages. */
static met_error check_data(const met__platform *platform, const char *path,
                            met_error_info *info)
{
    char name[PATH_MAX_SIZE];
    met__os_stat found;

    if (join(name, path, "data.mdb") != MET_OK) {
        return MET_E_INVALID;
    }
    if (platform->os->stat(platform->os->context, name, &found) < 0) {
        return met__fail(info, MET_E_CORRUPT, name, "is missing");
    }
    if (!found.is_file || found.size < 8192) {
        return met__fail(info, MET_E_CORRUPT, name, "has only %llu bytes",
                         (unsigned long long)found.size);
    }
    return MET_OK;
}

static met_error open_store(const met__platform *platform, const char *path,
                            uint64_t map_size, const met__os_stat *where,
                            met_store **store_out, met_error_info *info)
{
    char name[PATH_MAX_SIZE];
    met_store *store = new_handle(platform, path);

    if (store == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    store->device = where->device;
    store->inode = where->inode;
    met_error error = join(name, path, "META");
    if (error == MET_OK) {
        error = met__superblock_read(platform, name, &store->superblock, info);
    }
    if (error == MET_OK) {
        error = check_data(platform, path, info);
    }
    if (error == MET_OK) {
        error = open_env(store, path, map_size, 0);
        if (error == MET_E_NOT_FOUND) {
            error = MET_E_CORRUPT; /* a table is missing */
        }
        if (error == MET_OK) {
            error = check_schema(store, path, info);
        } else {
            fail(info, path, "LMDB cannot be opened", error);
        }
    }
    if (error != MET_OK) {
        free_handle(store);
        return error;
    }
    *store_out = store;
    return MET_OK;
}

/* The open store of this process in that directory, or NULL. */
static met_store *find_open(const met__os_stat *where)
{
    uint32_t generation = met__fork_generation();

    for (met_store *at = registry; at != NULL; at = at->next) {
        if (at->device == where->device && at->inode == where->inode
            && at->fork_generation == generation) {
            return at;
        }
    }
    return NULL;
}

met_error met__store_open(const met__platform *platform, const char *path,
                          uint64_t map_size_bytes, int create_it,
                          met_store **store_out, met_error_info *info)
{
    const met__os *os = platform->os;
    uint64_t map_size = map_size_bytes ? map_size_bytes : MAP_SIZE_DEFAULT;
    met__os_stat where;

    MET__ASSERT(path != NULL && store_out != NULL);
    if (map_size < MAP_SIZE_MIN) {
        return met__fail(info, MET_E_INVALID, "config.map_size_bytes",
                         "must be at least 1 MiB");
    }
    met_error error = met__decimal_self_test();
    if (error == MET_OK) {
        error = look(platform, path, info);
    }
    if (error == MET_E_NOT_FOUND) {
        if (!create_it) {
            return met__fail(info, MET_E_NOT_FOUND, path, "is not a store");
        }
        error = create(platform, path, map_size, info);
        if (error == MET_OK) {
            error = look(platform, path, info);
        }
    }
    if (error != MET_OK) {
        return error;
    }
    int result = os->stat(os->context, path, &where);
    if (result < 0) {
        return fail(info, path, "cannot be examined", met__os_error(result));
    }
    met__process_lock();
    met_store *store = find_open(&where);
    if (store != NULL) {
        store->references++;
    } else {
        error = open_store(platform, path, map_size, &where, &store, info);
        if (error == MET_OK) {
            store->next = registry;
            registry = store;
        }
    }
    met__process_unlock();
    if (error == MET_OK) {
        *store_out = store;
    }
    return error;
}

void met__store_close(met_store *store)
{
    if (store == NULL || met__store_check_handle(store) != MET_OK) {
        return; /* a child's copy: closing it would drop the parent's locks */
    }
    met__process_lock();
    int is_last = --store->references == 0;
    if (is_last) {
        met_store **at = &registry;
        while (*at != NULL && *at != store) {
            at = &(*at)->next;
        }
        if (*at == store) {
            *at = store->next;
        }
        free_handle(store);
    }
    met__process_unlock();
}

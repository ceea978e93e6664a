/* Opening and closing a store. In: a directory. Out: one environment per
 * data file and process, counted. Nothing in the directory is trusted: META,
 * LMDB's own first pages and the identity inside are checked before use. LMDB
 * runs with its default durability; MDB_NOTLS only frees readers from being
 * tied to a thread, which goroutines and fibres need. */
#include "store/store_open.h"

#include "base/check.h"
#include "base/fork_guard.h"
#include "store/store_env.h"
#include "store/store_pages.h"

#define MAP_SIZE_DEFAULT (UINT64_C(1) << 40)
#define MAP_SIZE_MIN (UINT64_C(1) << 20)
#define MAP_SIZE_MAX (UINT64_C(1) << 46) /* half of what a process has */
#define MAP_SIZE_STEP (UINT64_C(1) << 16) /* pages of every machine fit */
/* LMDB gives as many readers a place as its lock file has room for: about a
 * thousand here. */
#define LOCK_FILE_SIZE 65536
#define PATH_MAX_SIZE MET__STORE_PATH_MAX
/* How often somebody else is waited for: half a second in all. */
#define TURNS 9
#define FIRST_PAUSE_NS INT64_C(1000000)

static met_store *registry; /* guarded by the process lock */

const char *const met__table_names[MET__TABLE_COUNT] = {
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

const met__record_names *met__store_names(const met_store *store)
{
    return &store->names;
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
    if (store->fork_generation != met__fork_generation()) {
        return MET_E_FORKED;
    }
    return (met_error)(int64_t)met__load_relaxed(&store->failure);
}

/* --- Handles -------------------------------------------------------------- */
met_store *met__store_new_handle(const met__platform *platform,
                                 const char *path)
{
    met_store *store = met__allocate(platform, sizeof *store);

    if (store == NULL) {
        return NULL;
    }
    store->platform = *platform;
    store->references = 1;
    met__record_names_init(&store->names);
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

void met__store_free_handle(met_store *store)
{
    met__platform platform = store->platform;
    met__kept *kept = (met__kept *)(uintptr_t)met__exchange(&store->kept, 0);

    if (kept != NULL) {
        kept->release(kept);
    }
    /* In a forked child LMDB belongs to the parent: closing it would take the
     * parent's reader slots and locks away. */
    if (store->env != NULL
        && store->fork_generation == met__fork_generation()) {
        mdb_env_close(store->env);
    }
    met__release(&platform, store->path, store->path_size);
    met__release(&platform, store, sizeof *store);
}

/* --- The environment ------------------------------------------------------ */
/* LMDB writes into its lock file through a map: without blocks behind it a
 * full disk would be a signal. The size of one that is there stays, since
 * others may have mapped it. Opened and closed before LMDB takes its locks,
 * which this process would lose by closing the file later. */
static met_error prepare_lock_file(const met__platform *platform,
                                   const char *path)
{
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];
    met__os_stat found;

    MET__ASSERT(met__store_join(name, path, "lock.mdb") == MET_OK);
    int file = os->open(os->context, name, MET__OS_CREATE);
    if (file < 0) {
        return met__os_error(file);
    }
    int result = os->fstat(os->context, file, &found);
    if (result >= 0) {
        result = os->allocate(os->context, file,
                              found.size ? found.size : LOCK_FILE_SIZE);
    }
    os->close(os->context, file);
    return result < 0 ? met__os_error(result) : MET_OK;
}

met_error met__store_open_env(met_store *store, const char *path,
                              uint64_t map_size)
{
    met_error error = prepare_lock_file(&store->platform, path);

    if (error != MET_OK) {
        return error;
    }
    int result = mdb_env_create(&store->env);
    if (result != MDB_SUCCESS) {
        store->env = NULL;
        return met__lmdb_error(store, result);
    }
    result = mdb_env_set_mapsize(store->env, map_size);
    if (result == MDB_SUCCESS) {
        result = mdb_env_set_maxdbs(store->env, MET__TABLE_COUNT);
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_open(store->env, path, MDB_NOTLS, 0600);
    }
    return met__lmdb_error(store, result);
}

static met_error fail_page(met_error_info *info, met_error error,
                           const char *path, const met__page_report *report)
{
    if (report->reason == NULL) {
        return met__fail_code(info, error);
    }
    return met__fail(info, error, path, "page %llu %s",
                     (unsigned long long)report->page, report->reason);
}

/* Makes the tables that the build which made this store did not know. */
static met_error add_tables(met_store *store)
{
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    for (int i = MET__TABLE_FIRST_ADDED;
         error == MET_OK && i < MET__TABLE_COUNT; i++) {
        error = met__lmdb_error(store, mdb_dbi_open(txn->txn,
                                                    met__table_names[i],
                                                    MDB_CREATE,
                                                    &store->tables[i]));
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    return met__txn_commit(txn);
}

/* Opens every table, once the pages that LMDB reads for it are known good. */
static met_error open_tables(met_store *store, met_error_info *info)
{
    char name[PATH_MAX_SIZE];
    met__txn *txn;
    met__page_report report;
    int is_earlier = 0;

    MET__ASSERT(met__store_join(name, store->path, "data.mdb") == MET_OK);
    met_error error = met__pages_begin(store, MET__PAGES_TOP, &txn, &report);
    if (error != MET_OK) {
        return fail_page(info, error, name, &report);
    }
    for (int i = 0; error == MET_OK && i < MET__TABLE_COUNT; i++) {
        int result = mdb_dbi_open(txn->txn, met__table_names[i], 0,
                                  &store->tables[i]);
        if (result == MDB_NOTFOUND && i >= MET__TABLE_FIRST_ADDED) {
            is_earlier = 1;
            continue;
        }
        error = met__lmdb_error(store, result);
        if (error != MET_OK) {
            error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
            met__fail(info, error, name, "table %s: %s", met__table_names[i],
                      mdb_strerror(result));
        }
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    /* Committing a reader keeps the tables open for all. */
    error = met__txn_commit(txn);
    if (error == MET_OK && is_earlier) {
        error = add_tables(store);
    }
    return error == MET_OK ? MET_OK : met__fail_code(info, error);
}

/* A record of the table "meta" that has exactly `size` bytes. */
static met_error read_meta(met__txn *txn, const char *name, size_t size,
                           met__text *value_out)
{
    met_error error = met__txn_get(txn, MET__TABLE_META, name, strlen(name),
                                   value_out);

    if (error == MET_E_NOT_FOUND
        || (error == MET_OK && value_out->size != size)) {
        error = MET_E_CORRUPT;
    }
    return error;
}

/* The schema is ours, and data.mdb belongs to this META. */
static met_error check_identity(met_store *store, met_error_info *info)
{
    met__txn *txn;
    met__text schema;
    met__text id;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    error = read_meta(txn, "schema", 4, &schema);
    if (error == MET_OK) {
        uint32_t found = met__get_u32((const unsigned char *)schema.data);
        if (found != MET__SCHEMA) {
            error = met__fail(info, MET_E_LAYOUT, store->path, "has schema "
                              "%u, this version knows %u", found,
                              MET__SCHEMA);
            goto out;
        }
        error = read_meta(txn, "store_id", 16, &id);
    }
    if (error != MET_OK) {
        met__fail(info, error, store->path, "data.mdb does not say whose it "
                  "is");
    } else if (memcmp(id.data, store->superblock.store_id, 16) != 0) {
        error = met__fail(info, MET_E_FOREIGN, store->path, "data.mdb belongs "
                          "to another META");
    }
out:
    met__txn_abort(txn);
    return error;
}

/* --- Opening -------------------------------------------------------------- */
static int count_entry(void *context, const met__os_entry *entry)
{
    int *count = context;
    (*count)++;
    return 0;
}

/* Why a directory without META is not a store. MET_OK: it is one by now, since
 * a store comes into its place as a whole. */
static met_error look_without_meta(const met__platform *platform,
                                   const char *path, met_error_info *info)
{
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];
    met__os_stat found;
    int count = 0;
    int result = os->list(os->context, path, &count, count_entry);

    if (result < 0) {
        return met__store_io_fail(info, path, "cannot be listed", result);
    }
    if (count == 0) {
        return MET_E_NOT_FOUND;
    }
    MET__ASSERT(met__store_join(name, path, "META") == MET_OK);
    if (os->stat(os->context, name, &found) == 0) {
        return MET_OK;
    }
    MET__ASSERT(met__store_join(name, path, "data.mdb") == MET_OK);
    if (os->stat(os->context, name, &found) == 0) {
        return met__fail(info, MET_E_CORRUPT, path, "META is missing");
    }
    return met__fail(info, MET_E_EXISTS, path,
                     "is neither a store nor an empty directory");
}

/* MET_OK: a store is there, *data_out is its data file. MET_E_NOT_FOUND:
 * nothing or an empty directory. */
static met_error look(const met__platform *platform, const char *path,
                      met__os_stat *data_out, met_error_info *info)
{
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];
    met__os_stat found;
    int result = os->stat(os->context, path, &found);

    if (met__os_error(result) == MET_E_NOT_FOUND) {
        return MET_E_NOT_FOUND;
    }
    if (result < 0) {
        return met__store_io_fail(info, path, "cannot be examined", result);
    }
    if (!found.is_directory) {
        return met__fail(info, MET_E_EXISTS, path, "is not a directory");
    }
    MET__ASSERT(met__store_join(name, path, "META") == MET_OK);
    result = os->stat(os->context, name, &found);
    if (met__os_error(result) == MET_E_NOT_FOUND) {
        met_error error = look_without_meta(platform, path, info);
        if (error != MET_OK) {
            return error;
        }
    } else if (result < 0) {
        return met__store_io_fail(info, name, "cannot be examined", result);
    }
    MET__ASSERT(met__store_join(name, path, "data.mdb") == MET_OK);
    result = os->stat(os->context, name, data_out);
    if (met__os_error(result) == MET_E_NOT_FOUND) {
        return met__fail(info, MET_E_CORRUPT, name, "is missing");
    }
    return result < 0 ? met__store_io_fail(info, name, "cannot be examined",
                                           result)
                      : MET_OK;
}

/* The files themselves, before LMDB touches them. */
static met_error check_files(met_store *store, met_error_info *info)
{
    const met__os *os = store->platform.os;
    char name[PATH_MAX_SIZE];
    met__page_report report;

    MET__ASSERT(met__store_join(name, store->path, "META") == MET_OK);
    met_error error = met__superblock_read(&store->platform, name,
                                           &store->superblock, info);
    if (error != MET_OK) {
        return error;
    }
    MET__ASSERT(met__store_join(name, store->path, "data.mdb") == MET_OK);
    int file = os->open(os->context, name, MET__OS_READ);
    if (file < 0) {
        return met__store_io_fail(info, name, "cannot be opened", file);
    }
    error = met__pages_check_metas(os, file, &report);
    os->close(os->context, file);
    return error == MET_OK ? MET_OK : fail_page(info, error, name, &report);
}

static met_error open_env(met_store *store, const char *path,
                          uint64_t map_size, met_error_info *info)
{
    int dead = 0;
    met_error error = met__store_open_env(store, path, map_size);

    if (error != MET_OK) {
        return met__fail(info, error, path, "LMDB cannot be opened: %s",
                         met_error_message(error));
    }
    mdb_reader_check(store->env, &dead);
    error = open_tables(store, info);
    return error == MET_OK ? check_identity(store, info) : error;
}

/* Who opens a store that nobody has open makes LMDB's lock file anew. One that
 * dies over it leaves a wrong number of the last transaction to those who
 * waited: none of them may write. They let go, and one of them makes the file
 * anew. */
static met_error open_env_in_turn(met_store *store, const char *path,
                                  uint64_t map_size, met_error_info *info)
{
    const met__os *os = store->platform.os;
    met_error error = open_env(store, path, map_size, info);

    for (int i = 0; error == MET_E_BUSY && i < TURNS; i++) {
        mdb_env_close(store->env);
        store->env = NULL;
        os->pause(os->context, FIRST_PAUSE_NS << i);
        error = open_env(store, path, map_size, info);
    }
    return error;
}

static met_error open_store(const met__platform *platform, const char *path,
                            uint64_t map_size, const met__os_stat *data,
                            met_store **store_out, met_error_info *info)
{
    met_store *store = met__store_new_handle(platform, path);

    if (store == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    store->device = data->device;
    store->inode = data->inode;
    met__store_clear_abandoned(platform, path);
    met_error error = check_files(store, info);
    if (error == MET_OK) {
        error = open_env_in_turn(store, path, map_size, info);
    }
    if (error != MET_OK) {
        met__store_free_handle(store);
        return error;
    }
    *store_out = store;
    return MET_OK;
}

/* The open store of this process with that data file, or NULL. */
static met_store *find_open(const met__os_stat *data)
{
    uint32_t generation = met__fork_generation();

    for (met_store *at = registry; at != NULL; at = at->next) {
        if (at->device == data->device && at->inode == data->inode
            && at->fork_generation == generation) {
            return at;
        }
    }
    return NULL;
}

/* Takes a reference to the open one, or opens it. */
static met_error share(const met__platform *platform, const char *path,
                       uint64_t map_size, const met__os_stat *data,
                       met_store **store_out, met_error_info *info)
{
    met_error error = MET_OK;

    met__process_lock();
    met_store *store = find_open(data);
    if (store == NULL) {
        error = open_store(platform, path, map_size, data, &store, info);
        if (error == MET_OK) {
            store->next = registry;
            registry = store;
        }
    } else if ((error = met__store_check_handle(store)) == MET_OK) {
        store->references++;
    } else {
        met__fail(info, error, path, "is open and has failed: close it "
                  "first");
    }
    met__process_unlock();
    if (error == MET_OK) {
        *store_out = store;
    }
    return error;
}

met_error met__store_open(const met__platform *platform, const char *path,
                          uint64_t map_size_bytes, int create_it,
                          met_store **store_out, met_error_info *info)
{
    uint64_t map_size = map_size_bytes ? map_size_bytes : MAP_SIZE_DEFAULT;
    char clean[PATH_MAX_SIZE];
    met__os_stat data;

    MET__ASSERT(path != NULL && store_out != NULL);
    if (map_size < MAP_SIZE_MIN || map_size > MAP_SIZE_MAX) {
        return met__fail(info, MET_E_INVALID, "config.map_size_bytes",
                         "must be 1 MiB to 64 TiB");
    }
    map_size -= map_size % MAP_SIZE_STEP;
    met_error error = met__decimal_self_test();
    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    error = met__store_clean_path(path, clean, info);
    if (error == MET_OK) {
        error = look(platform, clean, &data, info);
        if (error == MET_E_NOT_FOUND && create_it) {
            error = met__store_create(platform, clean, map_size, info);
            /* MET_E_EXISTS: somebody else was faster. */
            if (error == MET_OK || error == MET_E_EXISTS) {
                error = look(platform, clean, &data, info);
            }
        }
        if (error == MET_E_NOT_FOUND) {
            met__fail(info, error, clean, "is not a store");
        }
    }
    return error == MET_OK ? share(platform, clean, map_size, &data,
                                   store_out, info)
                           : error;
}

void met__store_close(met_store *store)
{
    if (store == NULL) {
        return;
    }
    met__process_lock();
    if (--store->references == 0) {
        met_store **at = &registry;
        while (*at != NULL && *at != store) {
            at = &(*at)->next;
        }
        if (*at == store) {
            *at = store->next;
        }
        met__store_free_handle(store);
    }
    met__process_unlock();
}

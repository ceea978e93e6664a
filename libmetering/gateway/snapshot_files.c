/* The files of snapshots: which is in force, compiling a new one, clearing up
 * old ones. A file is complete before it has its name, and never changes; N is
 * the catalog's number and one, so two who compile the same N make the same
 * thing and the first one's stays. In: a store. Out: files in DIR/gateway. */
#include "gateway/snapshot_files.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/fork_guard.h"
#include "gateway/snapshot_compile.h"

#define CURRENT_MAGIC "METCURR1"
#define CURRENT_SIZE (MET__FILE_HEADER_SIZE + UINT64_C(4096))
#define PATH_SIZE 4096

/* --- Names ---------------------------------------------------------------- */

static met_error path_of(const met_store *store, const char *name,
                         char path_out[PATH_SIZE])
{
    int size = snprintf(path_out, PATH_SIZE, "%s/gateway%s%s",
                        met__store_path(store), name[0] != '\0' ? "/" : "",
                        name);
    return size > 0 && size < PATH_SIZE ? MET_OK : MET_E_INVALID;
}

static met_error snapshot_path(const met_store *store, uint64_t number,
                               char path_out[PATH_SIZE])
{
    char name[48];

    snprintf(name, sizeof name, "snapshot-%llu-%u.map",
             (unsigned long long)number, MET__SNAPSHOT_LAYOUT);
    return path_of(store, name, path_out);
}

static met_error current_path(const met_store *store, char path_out[PATH_SIZE])
{
    char name[48];

    snprintf(name, sizeof name, "current-%u.map", MET__SNAPSHOT_LAYOUT);
    return path_of(store, name, path_out);
}

/* The number in a file's name; 0 when it is no snapshot of this layout. */
static uint64_t number_of_name(const char *name)
{
    static const char before[] = "snapshot-";
    uint64_t number = 0;

    if (strncmp(name, before, sizeof before - 1) != 0) {
        return 0;
    }
    for (name += sizeof before - 1; *name >= '0' && *name <= '9'; name++) {
        number = number * 10 + (uint64_t)(*name - '0');
    }
    char after[16];
    snprintf(after, sizeof after, "-%u.map", MET__SNAPSHOT_LAYOUT);
    return strcmp(name, after) == 0 ? number : 0;
}

/* --- Opening -------------------------------------------------------------- */

met_error met__snapshot_files_open(met_store *store, int create,
                                   met__snapshot_files *files_out,
                                   met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met__snapshot_files files = {.store = store};
    met__mapped_spec spec = {.magic = CURRENT_MAGIC,
                             .layout = MET__SNAPSHOT_LAYOUT,
                             .size = CURRENT_SIZE};
    char path[PATH_SIZE];
    met_error error = path_of(store, "", path);

    if (error == MET_OK && create) {
        int result =
            platform->os->make_directory(platform->os->context, path);
        if (result < 0 && result != -EEXIST) {
            return met__fail(info, met__os_error(result), path,
                             "cannot be created");
        }
    }
    if (error == MET_OK) {
        error = current_path(store, path);
    }
    if (error == MET_OK) {
        memcpy(spec.store_id, met__store_id(store), sizeof spec.store_id);
        error = create ? met__mapped_file_open_whole(platform, path, &spec, 0,
                                                     &files.current, info)
                       : met__mapped_file_open(platform, path, &spec, 0,
                                               &files.current, info);
    }
    if (error != MET_OK) {
        return error;
    }
    if (files.current.size < CURRENT_SIZE) {
        met__mapped_file_close(platform, &files.current);
        return met__fail(info, MET_E_CORRUPT, path, "is too short");
    }
    files.word = (met__atomic_u64 *)(void *)(files.current.memory
                                             + MET__FILE_HEADER_SIZE);
    *files_out = files;
    return MET_OK;
}

void met__snapshot_files_close(met__snapshot_files *files)
{
    if (files->current.memory != NULL) {
        met__mapped_file_close(met__store_platform(files->store),
                               &files->current);
    }
    *files = (met__snapshot_files){0};
}

uint64_t met__snapshot_files_current(const met__snapshot_files *files)
{
    return met__load_acquire(files->word);
}

met_error met__snapshot_files_map(const met__snapshot_files *files,
                                  met__snapshot *snapshot_out,
                                  met_error_info *info)
{
    char path[PATH_SIZE];
    met_error error = MET_E_NOT_FOUND;

    /* Unlinked between the load and the open: there is a newer one. */
    for (int round = 0; round < 3 && error == MET_E_NOT_FOUND; round++) {
        met__snapshot snapshot;
        uint64_t number = met__snapshot_files_current(files);
        if (number == 0) {
            return MET_E_NOT_FOUND;
        }
        error = snapshot_path(files->store, number, path);
        if (error == MET_OK) {
            error = met__snapshot_open(met__store_platform(files->store),
                                       path, met__store_id(files->store),
                                       &snapshot, info);
        }
        if (error == MET_OK && snapshot.number != number) {
            met__snapshot_close(met__store_platform(files->store), &snapshot);
            error = met__fail(info, MET_E_CORRUPT, path,
                              "holds another number than its name");
        }
        if (error == MET_OK) {
            *snapshot_out = snapshot;
        }
    }
    return error;
}

/* --- Compiling ------------------------------------------------------------ */

/* The lock of compiling: a file description of its own, that a dead process
 * lets go and a forked child does not keep. */
static met_error lock(const met_store *store, int *file_out)
{
    const met__os *os = met__store_platform(store)->os;
    char path[PATH_SIZE];
    met_error error = current_path(store, path);

    if (error != MET_OK) {
        return error;
    }
    met__process_lock();
    int file = os->open(os->context, path, 0);
    error = file < 0 ? met__os_error(file) : met__fork_close_in_child(file);
    met__process_unlock();
    if (file < 0) {
        return error;
    }
    if (error == MET_OK) {
        int result = os->lock(os->context, file, MET__OS_LOCK_TRY, 0);
        error = result < 0 ? met__os_error(result) : MET_OK;
        if (error == MET_OK) {
            *file_out = file;
            return MET_OK;
        }
    }
    met__process_lock();
    met__fork_forget(file);
    (void)os->close(os->context, file);
    met__process_unlock();
    return error;
}

static void unlock(const met_store *store, int file)
{
    const met__os *os = met__store_platform(store)->os;

    (void)os->lock(os->context, file, MET__OS_LOCK_FREE, 0);
    met__process_lock();
    met__fork_forget(file);
    (void)os->close(os->context, file);
    met__process_unlock();
}

typedef struct fill_in {
    const met__snapshot_writer *writer;
    uint64_t number;
    int64_t now_ns;
} fill_in;

static met_error fill_file(void *context, unsigned char *memory, uint64_t size)
{
    const fill_in *from = context;

    met__snapshot_writer_fill(from->writer, from->number, from->now_ns,
                              memory, size);
    return MET_OK;
}

static met_error write_file(met_store *store,
                            const met__snapshot_writer *writer,
                            uint64_t number, met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    fill_in from = {writer, number, met__now_utc_ns(platform)};
    met__mapped_spec spec = {.magic = MET__SNAPSHOT_MAGIC,
                             .layout = MET__SNAPSHOT_LAYOUT,
                             .prepare = fill_file,
                             .context = &from};
    met__mapped_file file;
    char path[PATH_SIZE];
    met_error error = met__snapshot_writer_size(writer, &spec.size);

    if (error != MET_OK) {
        return met__fail(info, error, "gateway", "more entities than a "
                         "snapshot of 2 GiB holds");
    }
    error = snapshot_path(store, number, path);
    if (error == MET_OK) {
        /* What is there was made by somebody who died before saying so, is
         * damaged, or is of a catalog that was put back. */
        (void)platform->os->unlink(platform->os->context, path);
        memcpy(spec.store_id, met__store_id(store), sizeof spec.store_id);
        error = met__mapped_file_open(platform, path, &spec, 1, &file, info);
    }
    if (error == MET_OK) {
        met__mapped_file_close(platform, &file);
    }
    return error;
}

/* Snapshots nobody will map any more: older than the one before the number in
 * force, or beyond it (of a catalog that was put back). */
typedef struct clear_up {
    met_store *store;
    uint64_t number;
} clear_up;

static int clear_one(void *context, const met__os_entry *entry)
{
    const clear_up *from = context;
    const met__os *os = met__store_platform(from->store)->os;
    uint64_t number = number_of_name(entry->name);
    char path[PATH_SIZE];

    if (number != 0 && (number + 1 < from->number || number > from->number)
        && path_of(from->store, entry->name, path) == MET_OK) {
        (void)os->unlink(os->context, path);
    }
    return 0;
}

static void clear_old(met_store *store, uint64_t number)
{
    const met__os *os = met__store_platform(store)->os;
    clear_up from = {store, number};
    char path[PATH_SIZE];

    if (path_of(store, "", path) == MET_OK) {
        (void)os->list(os->context, path, &from, clear_one);
    }
}

/* Under the lock, so that numbers only rise unless the store went back. */
static met_error compile_locked(met__snapshot_files *files, met__txn *txn,
                                uint64_t number, met_error_info *info)
{
    met__snapshot_writer writer;

    met__snapshot_writer_init(&writer, met__store_platform(files->store));
    met_error error = met__snapshot_compile(txn, &writer, info);
    if (error == MET_OK) {
        error = write_file(files->store, &writer, number, info);
    }
    met__snapshot_writer_release(&writer);
    if (error == MET_OK) {
        met__store_release(files->word, number);
        files->compiled++;
        clear_old(files->store, number);
    }
    return error;
}

/* A store without any object has catalog number 0, and a snapshot too. */
static met_error number_wanted(met__txn *txn, uint64_t *number_out)
{
    met_error error = met__txn_catalog_number(txn, number_out);

    *number_out += error == MET_OK;
    return error;
}

met_error met__snapshot_files_compile(met__snapshot_files *files,
                                      int is_damaged, uint64_t *number_out,
                                      met_error_info *info)
{
    met__txn *txn;
    uint64_t number;
    int file = -1;
    met_error error = met__txn_begin(files->store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = number_wanted(txn, &number);
    met__txn_abort(txn);
    if (error != MET_OK) {
        return error;
    }
    *number_out = number;
    if (number == met__snapshot_files_current(files) && !is_damaged) {
        return MET_OK;
    }
    error = lock(files->store, &file);
    if (error != MET_OK) {
        return error;
    }
    /* Again, now that nobody else compiles. */
    error = met__txn_begin(files->store, 0, &txn);
    if (error == MET_OK) {
        error = number_wanted(txn, &number);
        if (error == MET_OK
            && (number != met__snapshot_files_current(files)
                || is_damaged)) {
            error = compile_locked(files, txn, number, info);
        }
        met__txn_abort(txn);
    }
    unlock(files->store, file);
    *number_out = number;
    return error;
}

met_error met__gateway_refresh(met_store *store, met_error_info *info)
{
    met__snapshot_files files;
    uint64_t number;
    met_error error = met__snapshot_files_open(store, 0, &files, NULL);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    error = met__snapshot_files_compile(&files, 0, &number, info);
    met__snapshot_files_close(&files);
    return error == MET_E_BUSY ? MET_OK : error;
}

/* Transactions, records and scans over LMDB. Every value carries an XXH3-64
 * over its key and itself, because LMDB has no checksums: four flipped bits
 * would otherwise be read as money. A failed write sticks, so that a
 * transaction that lost one can only be aborted. */
#include "base/check.h"
#include "base/fork_guard.h"
#include "store/store_env.h"

#define CHECKSUM_SIZE 8
/* A write that stopped half-way has used up what was there; others may have
 * given a little back before we look. */
#define DISK_FULL_BYTES (1024 * 1024)

met_error met__lmdb_error(const met_store *store, int result)
{
    uint64_t free_bytes;

    switch (result) {
    case MDB_SUCCESS:
        return MET_OK;
    case MDB_NOTFOUND:
        return MET_E_NOT_FOUND;
    case MDB_KEYEXIST:
        return MET_E_EXISTS;
    case MDB_MAP_FULL:
    case MDB_MAP_RESIZED: /* somebody with a larger map wrote beyond ours */
        return MET_E_MAP_FULL;
    case MDB_READERS_FULL:
        return MET_E_BUSY;
    case MDB_TXN_FULL:
    case MDB_BAD_VALSIZE:
        return MET_E_LIMIT;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
        return MET_E_CORRUPT;
    case MDB_PANIC: /* an earlier write of a meta page failed */
        return MET_E_IO;
    case MDB_VERSION_MISMATCH:
        return MET_E_LAYOUT;
    default:
        break;
    }
    if (result < 0) {
        return MET_E_BUG;
    }
    met_error error = met__os_error(-(int64_t)result);
    if (error == MET_E_IO && store != NULL) {
        const met__os *os = store->platform.os;
        if (os->free_bytes(os->context, store->path, &free_bytes) == 0
            && free_bytes < DISK_FULL_BYTES) {
            return MET_E_DISK_FULL;
        }
    }
    return error;
}

/* --- Transactions --------------------------------------------------------- */
static int is_forked(const met__txn *txn)
{
    return txn->store->fork_generation != met__fork_generation();
}

/* Only for reports: what fails here holds nothing up. The next transaction of
 * this process may begin before our mark goes, hence another byte for each. */
static void mark_writer(met__txn *txn, int is_set)
{
    met_store *store = txn->store;
    const met__os *os = store->platform.os;
    int file;

    if (!txn->is_write || mdb_env_get_fd(store->env, &file) != MDB_SUCCESS) {
        return;
    }
    if (is_set) {
        txn->mark = MET__WRITER_OFFSET
                    + met__fetch_add(&store->marks, 1) % MET__WRITER_MARKS;
    }
    (void)os->mark(os->context, file, txn->mark, is_set);
}

static met__kept *exchange_kept(met_store *store, met__kept *kept)
{
    return (met__kept *)(uintptr_t)met__exchange(&store->kept,
                                                 (uintptr_t)kept);
}

static void release_txn(met__txn *txn)
{
    if (!is_forked(txn)) {
        mark_writer(txn, 0);
    }
    if (txn->kept != NULL && !txn->is_write) {
        /* Another thread may have given one back meanwhile. */
        txn->kept = exchange_kept(txn->store, txn->kept);
    }
    met__txn_keep(txn, NULL);
    met__release(&txn->store->platform, txn, sizeof *txn);
}

met_error met__txn_begin(met_store *store, int is_write, met__txn **txn_out)
{
    met_error error = met__store_check_handle(store);

    MET__ASSERT(txn_out != NULL);
    if (error != MET_OK) {
        return error;
    }
    met__txn *txn = met__allocate(&store->platform, sizeof *txn);
    if (txn == NULL) {
        return MET_E_NO_MEMORY;
    }
    unsigned flags = is_write ? 0 : MDB_RDONLY;
    int result = mdb_txn_begin(store->env, NULL, flags, &txn->txn);
    if (result == MDB_READERS_FULL) {
        int dead = 0;
        mdb_reader_check(store->env, &dead);
        result = mdb_txn_begin(store->env, NULL, flags, &txn->txn);
    }
    if (result != MDB_SUCCESS) {
        met__release(&store->platform, txn, sizeof *txn);
        return met__lmdb_error(store, result);
    }
    txn->store = store;
    txn->is_write = (uint32_t)is_write;
    mark_writer(txn, 1);
    *txn_out = txn;
    return MET_OK;
}

/* After a failed flush nobody knows what is on the disk, and a second one
 * would say "done"; after a failed write of a meta page LMDB refuses to go on.
 * Then this handle is over. A full disk before that is none of both. */
static void note_failure(met_store *store, met_error error)
{
    MDB_txn *probe;
    int result = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &probe);

    if (result == MDB_SUCCESS) {
        mdb_txn_abort(probe);
    }
    if (error == MET_E_IO || result == MDB_PANIC) {
        met__store_relaxed(&store->failure, (uint64_t)(int64_t)MET_E_IO);
    }
}

met_error met__txn_commit(met__txn *txn)
{
    MET__ASSERT(txn != NULL);
    met_store *store = txn->store;
    met_error error = is_forked(txn) ? MET_OK : met__txn_put_sequence(txn);
    if (is_forked(txn)) {
        error = MET_E_FORKED; /* LMDB's part belongs to the parent */
    } else if (error != MET_OK) {
        mdb_txn_abort(txn->txn);
    } else {
        error = met__lmdb_error(store, mdb_txn_commit(txn->txn));
        if (error != MET_OK) {
            note_failure(store, error);
        }
    }
    release_txn(txn);
    return error;
}

void met__txn_abort(met__txn *txn)
{
    if (txn == NULL) {
        return;
    }
    if (!is_forked(txn)) {
        mdb_txn_abort(txn->txn);
    }
    release_txn(txn);
}

met_store *met__txn_store(const met__txn *txn)
{
    return txn->store;
}

met__ulid_series *met__txn_ids(met__txn *txn)
{
    return &txn->ids;
}

/* --- What rooms keep ------------------------------------------------------ */
met__kept *met__txn_kept(met__txn *txn)
{
    if (txn->kept == NULL && !txn->is_write) {
        txn->kept = exchange_kept(txn->store, NULL);
    }
    return txn->kept;
}

void met__txn_keep(met__txn *txn, met__kept *kept)
{
    if (txn->kept != NULL) {
        txn->kept->release(txn->kept);
    }
    txn->kept = kept;
}

/* --- Records -------------------------------------------------------------- */
static int is_key(const void *key, size_t size)
{
    return key != NULL && size > 0 && size <= MET__LMDB_KEY_SIZE_MAX;
}

/* What failed to write answers that to everything: LMDB would only say that
 * the transaction is bad. */
static met_error check_usable(const met__txn *txn)
{
    return is_forked(txn) ? MET_E_FORKED : txn->error;
}

/* The value behind its checksum. */
static met_error open_value(const MDB_val *key, const MDB_val *stored,
                            met__text *value_out)
{
    uint64_t checksum;

    if (stored->mv_size < CHECKSUM_SIZE) {
        return MET_E_CORRUPT;
    }
    const char *value = (const char *)stored->mv_data + CHECKSUM_SIZE;
    size_t size = stored->mv_size - CHECKSUM_SIZE;
    memcpy(&checksum, stored->mv_data, sizeof checksum);
    if (checksum
        != met__checksum_pair(key->mv_data, key->mv_size, value, size)) {
        return MET_E_CORRUPT;
    }
    *value_out = met__text_of(value, size);
    return MET_OK;
}

met_error met__txn_get(met__txn *txn, met__table table, const void *key,
                       size_t key_size, met__text *value_out)
{
    MET__ASSERT(txn != NULL && value_out != NULL && table < MET__TABLE_COUNT);
    met_error ready = check_usable(txn);
    if (ready != MET_OK) {
        return ready;
    }
    if (!is_key(key, key_size)) {
        return MET_E_NOT_FOUND;
    }
    MDB_val k = {key_size, (void *)(uintptr_t)key};
    MDB_val stored;
    int result = mdb_get(txn->txn, txn->store->tables[table], &k, &stored);
    met_error error = result == MDB_SUCCESS
                          ? open_value(&k, &stored, value_out)
                          : met__lmdb_error(txn->store, result);
    if (txn->log != NULL) {
        met__log_read(txn->log, table, met__text_of(key, key_size), error,
                      result == MDB_SUCCESS ? stored.mv_data : NULL);
    }
    return error;
}

static int reserve(met__txn *txn, met__table table, MDB_val *key,
                   MDB_val *room, int is_append)
{
    MDB_dbi dbi = txn->store->tables[table];
    int result = is_append ? mdb_put(txn->txn, dbi, key, room,
                                     MDB_RESERVE | MDB_APPEND)
                           : MDB_KEYEXIST;

    /* The key is not the greatest. */
    return result == MDB_KEYEXIST
               ? mdb_put(txn->txn, dbi, key, room, MDB_RESERVE)
               : result;
}

static met_error put(met__txn *txn, met__table table, met__text key,
                     met__text value, int is_append)
{
    MET__ASSERT(txn != NULL && table < MET__TABLE_COUNT);
    if (txn->log != NULL) {
        return met__log_put(txn->log, table, key, value, is_append);
    }
    MET__ASSERT(txn->is_write);
    met_error ready = table == MET__TABLE_META ? met__txn_put_sequence(txn)
                                               : MET_OK;
    if (ready == MET_OK) {
        ready = check_usable(txn);
    }
    if (ready != MET_OK) {
        return ready;
    }
    if (!is_key(key.data, key.size)
        || value.size > MET__STORE_VALUE_SIZE_MAX) {
        return MET_E_LIMIT;
    }
    uint64_t checksum = met__checksum_pair(key.data, key.size, value.data,
                                           value.size);
    MDB_val k = {key.size, (void *)(uintptr_t)key.data};
    MDB_val room = {value.size + CHECKSUM_SIZE, NULL};
    int result = reserve(txn, table, &k, &room, is_append);
    if (result != MDB_SUCCESS) {
        txn->error = met__lmdb_error(txn->store, result);
        return txn->error;
    }
    memcpy(room.mv_data, &checksum, sizeof checksum);
    if (value.size > 0) {
        memcpy((char *)room.mv_data + CHECKSUM_SIZE, value.data,
               value.size);
    }
    txn->writes++;
    return MET_OK;
}

met_error met__txn_put(met__txn *txn, met__table table, const void *key,
                       size_t key_size, const void *value, size_t value_size)
{
    return put(txn, table, met__text_of(key, key_size),
               met__text_of(value, value_size), 0);
}

met_error met__txn_append(met__txn *txn, met__table table, const void *key,
                          size_t key_size, const void *value,
                          size_t value_size)
{
    return put(txn, table, met__text_of(key, key_size),
               met__text_of(value, value_size), 1);
}

met_error met__txn_remove(met__txn *txn, met__table table, const void *key,
                          size_t key_size)
{
    MET__ASSERT(txn != NULL && table < MET__TABLE_COUNT);
    if (txn->log != NULL) {
        return met__log_refuse(txn->log);
    }
    MET__ASSERT(txn->is_write);
    met_error ready = check_usable(txn);
    if (ready != MET_OK) {
        return ready;
    }
    if (!is_key(key, key_size)) {
        return MET_E_NOT_FOUND;
    }
    MDB_val k = {key_size, (void *)(uintptr_t)key};
    int result = mdb_del(txn->txn, txn->store->tables[table], &k, NULL);
    met_error error = met__lmdb_error(txn->store, result);
    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        txn->error = error;
    }
    txn->writes++;
    return error;
}

/* --- Scans ---------------------------------------------------------------- */
met_error met__scan_begin(met__txn *txn, met__table table, const void *prefix,
                          size_t prefix_size, met__scan *scan_out)
{
    MDB_cursor *cursor;

    MET__ASSERT(txn != NULL && scan_out != NULL && table < MET__TABLE_COUNT);
    scan_out->cursor = NULL; /* ending it is always right */
    met_error ready = check_usable(txn);
    if (ready != MET_OK) {
        return ready;
    }
    if (prefix_size > MET__LMDB_KEY_SIZE_MAX) {
        return MET_E_LIMIT;
    }
    if (txn->log != NULL) {
        met__log_scan(txn->log, table);
    }
    int result = mdb_cursor_open(txn->txn, txn->store->tables[table], &cursor);
    if (result != MDB_SUCCESS) {
        return met__lmdb_error(txn->store, result);
    }
    scan_out->cursor = cursor;
    scan_out->txn = txn;
    scan_out->table = table;
    scan_out->is_started = 0;
    scan_out->writes = txn->writes;
    scan_out->prefix_size = prefix_size;
    scan_out->last_size = 0;
    if (prefix_size > 0) {
        memcpy(scan_out->prefix, prefix, prefix_size);
    }
    return MET_OK;
}

met_error met__scan_seek(met__scan *scan, const void *start, size_t start_size)
{
    MET__ASSERT(scan != NULL && scan->cursor != NULL);
    if (start_size > MET__LMDB_KEY_SIZE_MAX || start_size < scan->prefix_size
        || memcmp(start, scan->prefix, scan->prefix_size) != 0) {
        return MET_E_INVALID;
    }
    /* Stands before `start`: the next step finds the first key not below. */
    memcpy(scan->last, start, start_size);
    scan->last_size = start_size;
    scan->is_started = 0;
    return MET_OK;
}

/* The first key >= what the scan remembers; with `is_after`, beyond it. */
static int seek(met__scan *scan, int is_after, MDB_val *key, MDB_val *stored)
{
    *key = scan->last_size > 0 ? (MDB_val){scan->last_size, scan->last}
                               : (MDB_val){scan->prefix_size, scan->prefix};
    MDB_val wanted = *key;
    int result = mdb_cursor_get(scan->cursor, key, stored,
                                wanted.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    if (result == MDB_SUCCESS && is_after && key->mv_size == wanted.mv_size
        && memcmp(key->mv_data, wanted.mv_data, wanted.mv_size) == 0) {
        result = mdb_cursor_get(scan->cursor, key, stored, MDB_NEXT);
    }
    return result;
}

met_error met__scan_next(met__scan *scan, met__text *key_out,
                         met__text *value_out)
{
    MDB_val key;
    MDB_val stored;
    int result;

    MET__ASSERT(scan != NULL && scan->cursor != NULL);
    met_error ready = check_usable(scan->txn);
    if (ready != MET_OK) {
        return ready;
    }
    if (!scan->is_started) {
        result = seek(scan, 0, &key, &stored);
    } else if (scan->writes != scan->txn->writes) {
        result = seek(scan, 1, &key, &stored);
    } else {
        result = mdb_cursor_get(scan->cursor, &key, &stored, MDB_NEXT);
    }
    scan->is_started = 1;
    scan->writes = scan->txn->writes;
    if (result != MDB_SUCCESS) {
        return met__lmdb_error(scan->txn->store, result);
    }
    if (key.mv_size > MET__LMDB_KEY_SIZE_MAX) {
        return MET_E_CORRUPT;
    }
    if (key.mv_size < scan->prefix_size
        || memcmp(key.mv_data, scan->prefix, scan->prefix_size) != 0) {
        return MET_E_NOT_FOUND;
    }
    if (scan->txn->is_write) {
        memcpy(scan->last, key.mv_data, key.mv_size);
        scan->last_size = key.mv_size;
    }
    *key_out = met__text_of(key.mv_data, key.mv_size);
    return open_value(&key, &stored, value_out);
}

void met__scan_end(met__scan *scan)
{
    if (scan->cursor != NULL) {
        mdb_cursor_close(scan->cursor);
        scan->cursor = NULL;
    }
}

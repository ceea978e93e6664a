/* What can be said of a store: every record verified, sizes and readers
 * counted, and a copy made while it is in use. */
#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "store/store_env.h"
#include "store/store_open.h"

#define PATH_MAX_SIZE MET__STORE_PATH_MAX

static const char *const table_names[MET__TABLE_COUNT] = {
#define NAME(name, text) text,
    MET__TABLE_MAP(NAME)
#undef NAME
};

/* --- Verify ---------------------------------------------------------------- */
typedef struct damage {
    uint64_t records;
    uint64_t damaged;
    met__node *first;
} damage;

static met_error note_damage(met__arena *arena, damage *found,
                             met__table table, met__text key)
{
    char *hex;

    if (found->damaged++ > 0) {
        return MET_OK;
    }
    hex = met__arena_allocate(arena, key.size * 2 + 1);
    found->first = met__node_object(arena);
    if (hex == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < key.size; i++) {
        snprintf(hex + i * 2, 3, "%02x", (unsigned char)key.data[i]);
    }
    met_error error = met__node_set(arena, found->first, "table",
                                    met__node_text_z(arena,
                                                     table_names[table]));
    return error == MET_OK ? met__node_set(arena, found->first, "key",
                                           met__node_text_z(arena, hex))
                           : error;
}

static met_error verify_table(met__txn *txn, met__table table,
                              met__arena *arena, damage *found,
                              met__node *tables)
{
    met__scan scan;
    met__text key;
    met__text value;
    int64_t count = 0;
    met_error error = met__scan_begin(txn, table, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            count++;
        } else if (error == MET_E_CORRUPT && key.data != NULL) {
            count++;
            error = note_damage(arena, found, table, key);
        }
    }
    met__scan_end(&scan);
    found->records += (uint64_t)count;
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    return met__node_set(arena, tables, table_names[table],
                         met__node_integer(arena, count));
}

met_error met__store_verify(met_store *store, met__arena *arena,
                            met__node **report_out)
{
    damage found = {0};
    met__txn *txn;
    met__node *report = met__node_object(arena);
    met__node *tables = met__node_object(arena);
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    for (int i = 0; error == MET_OK && i < MET__TABLE_COUNT; i++) {
        error = verify_table(txn, (met__table)i, arena, &found, tables);
    }
    met__txn_abort(txn);
    if (error == MET_OK) {
        error = met__node_set(arena, report, "records",
                              met__node_integer(arena,
                                                (int64_t)found.records));
    }
    if (error == MET_OK) {
        error = met__node_set(arena, report, "damaged",
                              met__node_integer(arena,
                                                (int64_t)found.damaged));
    }
    if (error == MET_OK && found.first != NULL) {
        error = met__node_set(arena, report, "first_damaged", found.first);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, report, "tables", tables);
    }
    if (error != MET_OK) {
        return error;
    }
    *report_out = report;
    return found.damaged ? MET_E_CORRUPT : MET_OK;
}

/* --- Describe -------------------------------------------------------------- */
static met_error describe_tables(met_store *store, met__arena *arena,
                                 met__node *tables)
{
    met__txn *txn;
    MDB_stat stat;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    for (int i = 0; error == MET_OK && i < MET__TABLE_COUNT; i++) {
        error = met__lmdb_error(store, mdb_stat(txn->txn, store->tables[i],
                                                &stat));
        if (error == MET_OK) {
            error = met__node_set(
                arena, tables, table_names[i],
                met__node_integer(arena, (int64_t)stat.ms_entries));
        }
    }
    met__txn_abort(txn);
    return error;
}

met_error met__store_describe(met_store *store, met__arena *arena,
                              met__node **report_out)
{
    char id[33];
    MDB_envinfo info;
    MDB_stat stat;
    met_error error = met__store_check_handle(store);

    if (error != MET_OK) {
        return error;
    }
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    for (size_t i = 0; i < 16; i++) {
        snprintf(id + i * 2, 3, "%02x", store->superblock.store_id[i]);
    }
    int64_t used = (int64_t)((info.me_last_pgno + 1) * stat.ms_psize);
    met__node *report = met__node_object(arena);
    met__node *tables = met__node_object(arena);
    const struct {
        const char *name;
        met__node *node;
    } rows[] = {
        {"store_id", met__node_text_z(arena, id)},
        {"path", met__node_text_z(arena, store->path)},
        {"format", met__node_integer(arena, store->superblock.format)},
        {"created_at",
         met__node_time(arena, store->superblock.created_at_ns)},
        {"map_size_bytes", met__node_integer(arena,
                                             (int64_t)info.me_mapsize)},
        {"used_bytes", met__node_integer(arena, used)},
        {"readers", met__node_integer(arena, (int64_t)info.me_numreaders)},
        {"transactions", met__node_integer(arena,
                                           (int64_t)info.me_last_txnid)},
        {"tables", tables},
    };
    for (size_t i = 0; error == MET_OK && i < sizeof rows / sizeof *rows;
         i++) {
        error = met__node_set(arena, report, rows[i].name, rows[i].node);
    }
    if (error == MET_OK) {
        error = describe_tables(store, arena, tables);
    }
    if (error == MET_OK) {
        *report_out = report;
    }
    return error;
}

/* --- Backup ---------------------------------------------------------------- */
/* The same folders, META and a copy of LMDB, in a fresh directory. */
static met_error copy_into(met_store *store, const char *path,
                           met_error_info *info)
{
    static const char *const folders[] = {"tally", "gateway"};
    const met__os *os = store->platform.os;
    char name[PATH_MAX_SIZE];

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(name, sizeof name, "%s/%s", path, folders[i]);
        int result = os->make_directory(os->context, name);
        if (result < 0) {
            return met__fail(info, met__os_error(result), name,
                             "cannot be created");
        }
    }
    int result = mdb_env_copy2(store->env, path, 0);
    if (result != MDB_SUCCESS) {
        met_error error = met__lmdb_error(store, result);
        return met__fail(info, error, path, "LMDB cannot be copied: %s",
                         mdb_strerror(result));
    }
    snprintf(name, sizeof name, "%s/META", path);
    return met__superblock_write(&store->platform, name, &store->superblock,
                                 info);
}

met_error met__store_backup(met_store *store, const char *path,
                            met_error_info *info)
{
    met_error error = met__store_check_handle(store);
    char temporary[PATH_MAX_SIZE];

    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    const met__os *os = store->platform.os;
    error = met__store_temporary_name(&store->platform, path, temporary);
    if (error != MET_OK) {
        return met__fail(info, error, path, "cannot be used");
    }
    int result = os->make_directory(os->context, temporary);
    if (result < 0) {
        return met__fail(info, met__os_error(result), path,
                         "cannot be created beside: %s", temporary);
    }
    error = copy_into(store, temporary, info);
    if (error == MET_OK) {
        result = os->rename(os->context, temporary, path);
        if (result == -ENOTEMPTY || result == -EEXIST || result == -ENOTDIR) {
            error = met__fail(info, MET_E_EXISTS, path, "is not empty");
        } else if (result < 0) {
            error = met__fail(info, met__os_error(result), path,
                              "cannot be put in place");
        }
    }
    met__store_remove_tree(&store->platform, temporary);
    return error;
}

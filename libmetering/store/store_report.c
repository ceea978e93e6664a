/* What can be said of a store: every page and every record verified, sizes
 * and readers counted. In: an open store. Out: a document. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/store_env.h"
#include "store/store_open.h"
#include "store/store_pages.h"

/* --- Verify --------------------------------------------------------------- */
typedef struct damage {
    met__arena *arena;
    met__node *tables;
    met__node *first;
    uint64_t records;
    uint64_t damaged;
} damage;

/* A member for every row; the first failure ends it. */
typedef struct member {
    const char *name;
    met__node *node;
} member;

static met_error set_members(met__arena *arena, met__node *object,
                             const member *rows, size_t count)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        error = met__node_set(arena, object, rows[i].name, rows[i].node);
    }
    return error;
}

static char *hex_of(met__arena *arena, const void *bytes, size_t size)
{
    char *hex = met__arena_allocate(arena, size * 2 + 1);

    for (size_t i = 0; hex != NULL && i < size; i++) {
        snprintf(hex + i * 2, 3, "%02x", ((const unsigned char *)bytes)[i]);
    }
    return hex;
}

static met_error note_record(damage *found, met__table table, met__text key)
{
    if (found->damaged++ > 0) {
        return MET_OK;
    }
    char *hex = hex_of(found->arena, key.data, key.size);
    const member rows[] = {
        {"table", met__node_text_z(found->arena, met__table_names[table])},
        {"key", hex ? met__node_text_z(found->arena, hex) : NULL},
    };
    found->first = met__node_object(found->arena);
    return set_members(found->arena, found->first, rows, 2);
}

static met_error note_page(damage *found, const met__page_report *pages)
{
    const member rows[] = {
        {"page", met__node_integer(found->arena, (int64_t)pages->page)},
        {"reason", met__node_text_z(found->arena, pages->reason)},
    };

    found->damaged = 1;
    found->first = met__node_object(found->arena);
    return set_members(found->arena, found->first, rows, 2);
}

static met_error verify_table(met__txn *txn, met__table table, damage *found)
{
    met__scan scan;
    met__text value;
    int64_t count = 0;
    met_error error = met__scan_begin(txn, table, NULL, 0, &scan);

    while (error == MET_OK) {
        met__text key = {0};
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            count++;
        } else if (error == MET_E_CORRUPT && key.data != NULL) {
            count++;
            error = note_record(found, table, key);
        }
    }
    met__scan_end(&scan);
    found->records += (uint64_t)count;
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    return met__node_set(found->arena, found->tables, met__table_names[table],
                         met__node_integer(found->arena, count));
}

/* Pages first: LMDB walks only what is known to be whole. */
static met_error verify(met_store *store, damage *found, uint64_t *pages_out)
{
    met__page_report pages;
    met__txn *txn;
    met_error error = met__pages_begin(store, MET__PAGES_ALL, &txn, &pages);

    *pages_out = pages.visited;
    if (error == MET_E_CORRUPT && pages.reason != NULL) {
        return note_page(found, &pages);
    }
    if (error != MET_OK) {
        return error;
    }
    for (int i = 0; error == MET_OK && i < MET__TABLE_COUNT; i++) {
        error = verify_table(txn, (met__table)i, found);
    }
    met__txn_abort(txn);
    return error;
}

met_error met__store_verify(met_store *store, met__arena *arena,
                            met__node *report)
{
    damage found = {.arena = arena, .tables = met__node_object(arena)};
    uint64_t pages;

    MET__ASSERT(store != NULL);
    met_error error = verify(store, &found, &pages);
    if (error != MET_OK) {
        return error;
    }
    const member rows[] = {
        {"pages", met__node_integer(arena, (int64_t)pages)},
        {"records", met__node_integer(arena, (int64_t)found.records)},
        {"damaged", met__node_integer(arena, (int64_t)found.damaged)},
        {"tables", found.tables},
        {"first_damaged", found.first},
    };
    error = set_members(arena, report, rows, found.damaged ? 5 : 4);
    return error == MET_OK && found.damaged ? MET_E_CORRUPT : error;
}

/* --- Describe ------------------------------------------------------------- */
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
                arena, tables, met__table_names[i],
                met__node_integer(arena, (int64_t)stat.ms_entries));
        }
    }
    met__txn_abort(txn);
    return error;
}

/* Who reads now, and who has been reading longest: pages freed since then
 * cannot be used again. */
typedef struct readers {
    int64_t count;
    int64_t process;
    uint64_t transaction;
} readers;

/* A line of LMDB's reader list: process, thread, transaction or "-". */
static int note_reader(const char *line, void *context)
{
    readers *found = context;
    char *end;
    int64_t process = strtoll(line, &end, 10);

    if (process <= 0) {
        return 0; /* the head of the list, or "(no active readers)" */
    }
    strtoull(end, &end, 16);
    uint64_t transaction = strtoull(end, NULL, 10);
    if (transaction == 0) {
        return 0;
    }
    if (found->count++ == 0 || transaction < found->transaction) {
        found->process = process;
        found->transaction = transaction;
    }
    return 0;
}

static met_error describe_readers(met_store *store, met__arena *arena,
                                  uint64_t last, met__node *report)
{
    readers found = {0};

    mdb_reader_list(store->env, note_reader, &found);
    met_error error = met__node_set(arena, report, "readers",
                                    met__node_integer(arena, found.count));
    if (error != MET_OK || found.count == 0) {
        return error;
    }
    met__node *oldest = met__node_object(arena);
    int64_t behind = last > found.transaction
                         ? (int64_t)(last - found.transaction)
                         : 0;
    const member rows[] = {
        {"process_id", met__node_integer(arena, found.process)},
        {"transactions_behind", met__node_integer(arena, behind)},
    };
    error = set_members(arena, oldest, rows, 2);
    return error == MET_OK
               ? met__node_set(arena, report, "oldest_reader", oldest)
               : error;
}

/* Who is in a write transaction now: everybody else who wants to write waits
 * for it. */
static met_error describe_writer(met_store *store, met__arena *arena,
                                 met__node *report)
{
    const met__os *os = store->platform.os;
    int file;

    if (mdb_env_get_fd(store->env, &file) != MDB_SUCCESS) {
        return MET_OK;
    }
    int process = os->marked_by(os->context, file, MET__WRITER_OFFSET,
                                MET__WRITER_MARKS);
    if (process <= 0) {
        return process < 0 ? met__os_error(process) : MET_OK;
    }
    met__node *writer = met__node_object(arena);
    const member rows[] = {
        {"process_id", met__node_integer(arena, process)},
    };
    met_error error = set_members(arena, writer, rows, 1);
    return error == MET_OK ? met__node_set(arena, report, "writer", writer)
                           : error;
}

met_error met__store_describe(met_store *store, met__arena *arena,
                              met__node *report)
{
    MDB_envinfo info;
    MDB_stat stat;
    met_error error = met__store_check_handle(store);

    if (error != MET_OK) {
        return error;
    }
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    char *id = hex_of(arena, store->superblock.store_id,
                      sizeof store->superblock.store_id);
    int64_t used = (int64_t)((info.me_last_pgno + 1) * stat.ms_psize);
    met__node *tables = met__node_object(arena);
    const member rows[] = {
        {"store_id", id ? met__node_text_z(arena, id) : NULL},
        {"path", met__node_text_z(arena, store->path)},
        {"format", met__node_integer(arena, store->superblock.format)},
        {"schema", met__node_integer(arena, MET__SCHEMA)},
        {"created_at",
         met__node_time(arena, store->superblock.created_at_ns)},
        {"map_size_bytes",
         met__node_integer(arena, (int64_t)info.me_mapsize)},
        {"used_bytes", met__node_integer(arena, used)},
        {"transactions",
         met__node_integer(arena, (int64_t)info.me_last_txnid)},
        {"tables", tables},
    };
    error = set_members(arena, report, rows, sizeof rows / sizeof *rows);
    if (error == MET_OK) {
        error = describe_readers(store, arena, info.me_last_txnid, report);
    }
    if (error == MET_OK) {
        error = describe_writer(store, arena, report);
    }
    return error == MET_OK ? describe_tables(store, arena, tables) : error;
}

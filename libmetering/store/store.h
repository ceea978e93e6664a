/* The store: one directory, one LMDB environment with default flags, records
 * with checksums. It knows tables and keys, no domain noun.
 * One environment per directory and process; handles are counted. */
#ifndef MET_STORE_STORE_H
#define MET_STORE_STORE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/ulid.h"
#include "document/document.h"
#include "metering/types.h"
#include "store/record_names.h"
#include "store/store_key.h"

typedef struct met__txn met__txn;

/* What the rooms may know of an open store. */
const met__platform *met__store_platform(const met_store *store);
const char *met__store_path(const met_store *store);
const uint8_t *met__store_id(const met_store *store); /* 16 bytes */
const met__secret *met__store_secret(const met_store *store);
const met__record_names *met__store_names(const met_store *store);
/* 32 bytes: the key under which API keys are hashed. */
const uint8_t *met__store_credential_key(const met_store *store);
/* MET_OK, MET_E_FORKED in a child, or the sticky MET_E_IO of a commit that the
 * disk refused: then the handle can only be closed. */
met_error met__store_check_handle(const met_store *store);

/* A write transaction is the only writer of all processes (waits for it); a
 * read transaction sees one moment. Begin late, end soon. */
met_error met__txn_begin(met_store *store, int is_write, met__txn **txn_out);
/* Durable when MET_OK. The transaction is over in any case. */
met_error met__txn_commit(met__txn *txn);
void met__txn_abort(met__txn *txn); /* may be NULL */
met_store *met__txn_store(const met__txn *txn);
met__ulid_series *met__txn_ids(met__txn *txn);

/* What a later room has read and keeps with the open store, as the first member
 * of what it is. A transaction has it alone, from the first time that it asks
 * until it is over; release frees it, with the store at the latest. What a
 * write transaction keeps goes with it: what it reads may never have been. */
typedef struct met__kept met__kept;
struct met__kept {
    void (*release)(met__kept *kept);
};
met__kept *met__txn_kept(met__txn *txn); /* NULL: there is none */
/* In place of what there is, which is freed. NULL: nothing. */
void met__txn_keep(met__txn *txn, met__kept *kept);

/* Values are stored with an XXH3-64 over key and value; a wrong one is
 * MET_E_CORRUPT. A value returned points into the map and lives until the next
 * write or the end of the transaction. MET_E_NOT_FOUND is not an accident:
 * nothing is written into an error info. */
met_error met__txn_get(met__txn *txn, met__table table, const void *key,
                       size_t key_size, met__text *value_out);
met_error met__txn_put(met__txn *txn, met__table table, const void *key,
                       size_t key_size, const void *value, size_t value_size);
/* A put of a key that is likely the greatest of its table: pages are filled,
 * where a put leaves half of each free. */
met_error met__txn_append(met__txn *txn, met__table table, const void *key,
                          size_t key_size, const void *value,
                          size_t value_size);
met_error met__txn_remove(met__txn *txn, met__table table, const void *key,
                          size_t key_size);

/* Records in key order. Key and value live as above. Writes between two steps
 * are allowed: the next key is the first one greater than the last. */
typedef struct met__scan {
    void *cursor;
    met__txn *txn;
    met__table table;
    uint32_t is_started;
    uint64_t writes; /* of the transaction when the cursor last stood */
    size_t prefix_size;
    size_t last_size;
    unsigned char prefix[MET__LMDB_KEY_SIZE_MAX];
    unsigned char last[MET__LMDB_KEY_SIZE_MAX]; /* key just returned */
} met__scan;

/* Keys that begin with prefix; start at the first key >= prefix. */
met_error met__scan_begin(met__txn *txn, met__table table, const void *prefix,
                          size_t prefix_size, met__scan *scan_out);
/* Starts at the first key >= start (which must begin with the prefix). */
met_error met__scan_seek(met__scan *scan, const void *start,
                         size_t start_size);
/* MET_E_NOT_FOUND at the end. MET_E_CORRUPT with *key_out written: the value's
 * checksum is wrong, and the scan may go on. */
met_error met__scan_next(met__scan *scan, met__text *key_out,
                         met__text *value_out);
/* Before the transaction ends. Right also after a failed begin. */
void met__scan_end(met__scan *scan);

/* The next number of a named sequence, from 1, in this write transaction:
 * gapless, since an aborted one is given again. */
met_error met__txn_sequence(met__txn *txn, const char *name,
                            uint64_t *number_out);
/* The last one that was given; 0: none. */
met_error met__txn_sequence_last(met__txn *txn, const char *name,
                                 uint64_t *number_out);

/* Documents as msgpack records (record.c, the only includer of msgpack). */
met_error met__record_put(met__txn *txn, met__table table, const void *key,
                          size_t key_size, const met__node *node);
/* As met__txn_append. */
met_error met__record_append(met__txn *txn, met__table table, const void *key,
                             size_t key_size, const met__node *node);
met_error met__record_get(met__txn *txn, met__table table, const void *key,
                          size_t key_size, met__arena *arena,
                          met__node **node_out);
met_error met__record_unpack(met__arena *arena, met__text value,
                             met__node **node_out);

/* The catalog number: grows with every transaction that calls
 * met__txn_touch_catalog; snapshots compare it. */
met_error met__txn_touch_catalog(met__txn *txn);
met_error met__txn_catalog_number(met__txn *txn, uint64_t *number_out);

#endif

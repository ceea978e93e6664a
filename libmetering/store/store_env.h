/* The LMDB side of the store: what only files of this room may see. */
#ifndef MET_STORE_STORE_ENV_H
#define MET_STORE_STORE_ENV_H

#include <lmdb.h>

#include "base/atomic.h"
#include "store/record_names.h"
#include "store/store.h"
#include "store/superblock.h"
#include "store/write_log.h"

struct met_store {
    met_store *next; /* in the registry of this process */
    met__platform platform;
    met__superblock superblock;
    met__record_names names;
    MDB_env *env;
    MDB_dbi tables[MET__TABLE_COUNT];
    char *path;
    size_t path_size;         /* of the allocation */
    met__atomic_u64 failure;  /* met_error that ended this handle, or 0 */
    met__atomic_u64 marks;    /* write transactions ever begun */
    uint64_t device;          /* of data.mdb, which stays open: */
    uint64_t inode;           /* nobody else can get these two */
    met__atomic_u64 kept;     /* a met__kept *, or 0 */
    uint32_t references;
    uint32_t fork_generation;
};

#define MET__SEQUENCE_KEY_SIZE 64

struct met__txn {
    met_store *store;
    MDB_txn *txn;
    uint64_t writes;
    met__ulid_series ids;
    met_error error; /* sticky: a failed write must not commit */
    uint32_t is_write;
    uint32_t reserved;
    uint64_t mark; /* the byte of data.mdb that says who writes */
    met__kept *kept;
    met__write_log *log; /* where a read transaction writes */
    /* The last sequence that was asked for; empty: none. It is stored when
     * another one is, or at the end. */
    char sequence[MET__SEQUENCE_KEY_SIZE];
    uint64_t sequence_number;
    int is_sequence_new;
    int reserved_too;
};

/* Stores the sequence that is kept. */
met_error met__txn_put_sequence(met__txn *txn);

extern const char *const met__table_names[MET__TABLE_COUNT];

/* An LMDB result as ours. LMDB answers EIO for a write that found no block:
 * on a disk without free blocks EIO is MET_E_DISK_FULL. */
met_error met__lmdb_error(const met_store *store, int result);

/* A process in a write transaction has a mark on one of these bytes of
 * data.mdb, far behind its end, so that others can say whom they wait for. */
#define MET__WRITER_MARKS 64u
#define MET__WRITER_OFFSET (UINT64_C(1) << 62)

/* --- Paths and directories (store_create.c) ------------------------------- */
#define MET__STORE_PATH_MAX 4096

/* path/name into out, which has MET__STORE_PATH_MAX bytes. */
met_error met__store_join(char *out, const char *path, const char *name);
/* The path without slashes at its end. MET_E_INVALID when too long. */
met_error met__store_clean_path(const char *path, char *out,
                                met_error_info *info);
/* A directory of a random name beside the one that it will become. A lock on
 * the file of its name and ".lock" says that somebody is at work on it. */
typedef struct met__store_temporary {
    char path[MET__STORE_PATH_MAX];
    int lock;
    uint32_t reserved;
} met__store_temporary;

/* First removes what others have left who were killed at it. */
met_error met__store_temporary_begin(const met__platform *platform,
                                     const char *path,
                                     met__store_temporary *temporary_out,
                                     met_error_info *info);
/* With all that is in it, unless it is in place. */
void met__store_temporary_end(const met__platform *platform,
                              met__store_temporary *temporary,
                              int is_in_place);
/* Directories that were to become path, and whose makers are gone. */
void met__store_clear_abandoned(const met__platform *platform,
                                const char *path);
/* Makes the folders of a store inside path, writes META, syncs: the last step
 * before a name is given. */
met_error met__store_complete(const met__platform *platform, const char *path,
                              const met__superblock *block,
                              met_error_info *info);
/* Renames a complete directory to path, where nothing or an empty directory
 * may be, and syncs the parent. MET_E_EXISTS when something is there. */
met_error met__store_put_in_place(const met__platform *platform,
                                  const char *from, const char *path,
                                  met_error_info *info);
/* All tables of an environment that is new. */
met_error met__store_make_tables(met__txn *txn);
met_error met__store_create(const met__platform *platform, const char *path,
                            uint64_t map_size, met_error_info *info);
/* path without its last component, and that: where a name is given. */
met_error met__store_last_component(const char *path, const char **name_out,
                                    met_error_info *info);

/* --- What creating and opening share (store_open.c) ----------------------- */
met_store *met__store_new_handle(const met__platform *platform,
                                 const char *path);
void met__store_free_handle(met_store *store);
/* mdb_env_create, the settings, mdb_env_open. */
met_error met__store_open_env(met_store *store, const char *path,
                              uint64_t map_size);
#define MET__SCHEMA 1u

#endif

/* The LMDB side of the store: what only files of this room may see. */
#ifndef MET_STORE_STORE_ENV_H
#define MET_STORE_STORE_ENV_H

#include <lmdb.h>

#include "store/store.h"
#include "store/superblock.h"

struct met_store {
    met_store *next; /* in the registry of this process */
    met__platform platform;
    met__superblock superblock;
    MDB_env *env;
    MDB_dbi tables[MET__TABLE_COUNT];
    char *path;
    size_t path_size; /* of the allocation */
    uint64_t device;
    uint64_t inode;
    uint32_t references;
    uint32_t fork_generation;
};

struct met__txn {
    met_store *store;
    MDB_txn *txn;
    uint64_t writes;
    met_error error; /* sticky: a failed write must not commit */
    int is_write;
};

/* An LMDB result as ours. EIO on a disk without free blocks is
 * MET_E_DISK_FULL: LMDB answers EIO for a short write. */
met_error met__lmdb_error(const met_store *store, int result);

#define MET__STORE_PATH_MAX 4096

/* path.new-XXXXXXXXXXXXXXXX: a directory beside path that nobody knows; out
 * has MET__STORE_PATH_MAX bytes. */
met_error met__store_temporary_name(const met__platform *platform,
                                    const char *path, char *out);
/* A directory of ours with plain files and empty directories in it. */
void met__store_remove_tree(const met__platform *platform, char *path);

#endif

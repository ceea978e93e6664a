/* DIR/gateway: snapshot-N-L.map for catalog number N - 1, and current-L.map,
 * whose one word says which N is in force; 0 is none. Any process compiles,
 * everybody maps. L is the layout: builds with another one have files of their
 * own, and serve beside each other while one takes the other's place. */
#ifndef MET_GATEWAY_SNAPSHOT_FILES_H
#define MET_GATEWAY_SNAPSHOT_FILES_H

#include "base/atomic.h"
#include "gateway/snapshot.h"
#include "store/store.h"

typedef struct met__snapshot_files {
    met_store *store;
    met__mapped_file current;
    met__atomic_u64 *word; /* in current */
    uint64_t compiled;     /* by this one */
} met__snapshot_files;

/* create: make what is missing; else MET_E_NOT_FOUND. */
met_error met__snapshot_files_open(met_store *store, int create,
                                   met__snapshot_files *files_out,
                                   met_error_info *info);
void met__snapshot_files_close(met__snapshot_files *files);
/* The number in force; 0 = none yet. */
uint64_t met__snapshot_files_current(const met__snapshot_files *files);
/* Compiles when the catalog's number is another one, or anyhow when is_damaged
 * says that the snapshot in force cannot be used. *number_out: what it asks
 * for. MET_E_BUSY: another one is compiling; come back later. */
met_error met__snapshot_files_compile(met__snapshot_files *files,
                                      int is_damaged, uint64_t *number_out,
                                      met_error_info *info);
/* Maps the one in force. */
met_error met__snapshot_files_map(const met__snapshot_files *files,
                                  met__snapshot *snapshot_out,
                                  met_error_info *info);
/* For settlement: brings the snapshot up to date if any gateway has been
 * opened on this store. */
met_error met__gateway_refresh(met_store *store, met_error_info *info);

#endif

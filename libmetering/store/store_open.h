/* Opening, closing and describing a store, behind the public calls. */
#ifndef MET_STORE_STORE_OPEN_H
#define MET_STORE_STORE_OPEN_H

#include "metering/store.h"
#include "store/store.h"

/* As met_store_open, with the platform ready (tests put a failing disk behind
 * its OS table). path is NUL-terminated. */
met_error met__store_open(const met__platform *platform, const char *path,
                          uint64_t map_size_bytes, int create,
                          met_store **store_out, met_error_info *info);
void met__store_close(met_store *store);

met_error met__store_backup(met_store *store, const char *path,
                            met_error_info *info);

/* Parts of a report: each adds its members to the object. */
/* MET_E_CORRUPT, with its members added, when something is damaged. */
met_error met__store_verify(met_store *store, met__arena *arena,
                            met__node *report);
met_error met__store_describe(met_store *store, met__arena *arena,
                              met__node *report);

#endif

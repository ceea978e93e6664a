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

/* What a copy has of a record: as it is, or *value_out in its place (a node in
 * the arena), or nothing (is_kept_out 0). Both are set to the former. */
typedef met_error met__backup_filter(met__table table, met__text key,
                                     met__text value, met__arena *arena,
                                     int *is_kept_out,
                                     met__node **value_out);

/* filter NULL: a copy of the pages. Else records are written one by one, under
 * another key for API keys, so that nothing is left in a page of what is not
 * in the copy. */
met_error met__store_backup(met_store *store, const char *path,
                            met__backup_filter *filter, met_error_info *info);

/* Parts of a report: each adds its members to the object. */
/* MET_E_CORRUPT, with its members added, when something is damaged. */
met_error met__store_verify(met_store *store, met__arena *arena,
                            met__node *report);
met_error met__store_describe(met_store *store, met__arena *arena,
                              met__node *report);

#endif

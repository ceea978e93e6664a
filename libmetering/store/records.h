/* The records of a table, one after the other. */
#ifndef MET_STORE_RECORDS_H
#define MET_STORE_RECORDS_H

#include "store/object.h"

/* A record that its own reader refuses is damaged, whatever the reason. */
met_error met__record_error(met_error error);

/* Every record whose key begins with prefix, in key order, in one arena.
 * visit's error ends the walk and is returned. */
typedef met_error (*met__record_visit)(void *context, met__text key,
                                       met__node *record);
met_error met__records_each(met__txn *txn, met__table table, met__text prefix,
                            met__arena *arena, void *context,
                            met__record_visit visit);

/* What a person is shown of a record; NULL: it is not listed. */
typedef met_error (*met__record_show)(met__node *record, met__arena *arena,
                                      met__node **node_out);
/* All of a table, in key order. show NULL: as they are stored. */
met_error met__records_list(met__txn *txn, met__table table,
                            met__record_show show, met__arena *arena,
                            met__node **array_out);

/* What is imported is as what is there, or MET_E_CONFLICT. */
met_error met__import_same(const met__node *imported, const met__node *present,
                           const met__path *path, met_error_info *info);

#endif

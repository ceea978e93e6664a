/* What the objects of the catalog begin with (key, name, description), and how
 * records of theirs are read. */
#ifndef MET_CATALOG_IDENTITY_H
#define MET_CATALOG_IDENTITY_H

#include "document/document.h"
#include "store/store.h"

typedef struct met__identity {
    met__text key;
    met__text name;
    met__text description; /* empty when none */
} met__identity;

/* Sticky like every reader of fields. A key or name that is missing or empty
 * is refused with its issue code; so is a key that could be taken for an id. */
met_error met__identity_read(met__fields *fields, met__identity *identity_out);
/* The name and the description alone, for objects with other keys. */
met_error met__identity_read_name(met__fields *fields, met__text *name_out,
                                  met__text *description_out);

/* "labels": texts by name, for whoever reads the document; the library reads
 * none. NULL when there is none; else in the order of the names. */
met_error met__fields_labels(met__fields *fields, met__arena *arena,
                             const met__node **labels_out);
int met__labels_equal(const met__node *a, const met__node *b);

/* A record that its own reader refuses is damaged, whatever the reason. */
met_error met__record_error(met_error error);

/* What is imported is as what is there, or MET_E_CONFLICT. */
met_error met__import_same(const met__node *imported, const met__node *present,
                           const met__path *path, met_error_info *info);

/* Every record of a table whose key begins with prefix, in key order, in one
 * arena. visit's error ends the walk and is returned. */
typedef met_error (*met__record_visit)(void *context, met__text key,
                                       met__node *record);
met_error met__records_each(met__txn *txn, met__table table, met__text prefix,
                            met__arena *arena, void *context,
                            met__record_visit visit);

#endif

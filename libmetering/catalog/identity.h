/* What the objects of the catalog begin with (key, name, description). */
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

#endif

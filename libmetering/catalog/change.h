/* What a put did to the stored object, and how two spellings of one document
 * are compared: both are brought into the canonical form first. */
#ifndef MET_CATALOG_CHANGE_H
#define MET_CATALOG_CHANGE_H

#include "document/document.h"

/* Results of the X_put functions of catalog and customer. */
enum {
    MET__CHANGE_NONE = 0, /* stored already, nothing was written */
    MET__CHANGE_CREATED = 1,
    MET__CHANGE_UPDATED = 2
};

/* Numbers become decimal texts ("5000" for 5000, "0.5" for 5e-1), nulls
 * disappear; members keep their order. For parts of documents whose fields
 * another file reads, such as prices. */
met_error met__document_canonical(met__arena *arena, const met__node *node,
                                  met__node **node_out);

/* Whether two documents of one shape are the same; members by name, in any
 * order. */
int met__document_same(const met__node *a, const met__node *b);

/* Refuses fields of the peer that this version does not serve with
 * MET_E_UNSUPPORTED and the field's path. names ends with NULL. */
met_error met__refuse_unserved(const met__node *object, const met__path *path,
                               const char *const *names,
                               met_error_info *info);

#endif

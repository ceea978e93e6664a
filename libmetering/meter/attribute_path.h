/* Paths into an event's data, and the names of attributes made from them. */
#ifndef MET_METER_ATTRIBUTE_PATH_H
#define MET_METER_ATTRIBUTE_PATH_H

#include "document/document.h"

/* Reads $.a.b, $['x'], $[n] and joins of them into the canonical name: without
 * "$" and the first dot, members as .a where the name is a plain word and as
 * ['x'] where it is not. MET_E_INVALID (not a path) · MET_E_UNSUPPORTED (one
 * of the rest of JSONPath) · MET_E_LIMIT · MET_E_NO_MEMORY; *reason_out says
 * why, in static words. */
met_error met__attribute_path_read(met__text path, met__arena *arena,
                                   met__text *name_out,
                                   const char **reason_out);
/* The path of a canonical name; {NULL, 0} when memory is out. */
met__text met__attribute_path_of(met__text name, met__arena *arena);
/* What a canonical name leads to in a document; NULL: nothing is there. */
const met__node *met__attribute_path_find(met__text name,
                                          const met__node *root);

#endif

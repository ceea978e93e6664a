/* The one reader and writer of public structs that may grow. A struct begins
 * with size_t struct_size; fields are only appended; zero means default. */
#ifndef MET_BASE_CALLER_STRUCT_H
#define MET_BASE_CALLER_STRUCT_H

#include <stddef.h>

#include "metering/error.h"

/* More than any version can have: a struct_size that was never set. */
#define MET__STRUCT_SIZE_MAX 4096

/* Bytes up to and with a field: what a struct had when that was its last one.
 * A minimum_size is never sizeof of a struct that may grow, which would shut
 * earlier callers out. */
#define MET__SIZE_THROUGH(type, field)                                        \
    (offsetof(type, field) + sizeof(((type *)NULL)->field))

/* Copies *caller into known (known_size bytes, struct_size set to known_size).
 * Smaller than minimum_size or beyond
 * MET__STRUCT_SIZE_MAX: MET_E_INVALID. Shorter than known: the rest is
 * zero. Longer: allowed only if the unknown tail is zero, else
 * MET_E_UNSUPPORTED. `name` is for the error's field. */
met_error met__struct_read(void *known, size_t known_size, size_t minimum_size,
                           const void *caller, const char *name,
                           met_error_info *info);

/* Writes min(caller's struct_size, known_size) bytes of known into *caller,
 * keeping the caller's struct_size. Too small or NULL: MET_E_INVALID. */
met_error met__struct_write(void *caller, size_t minimum_size,
                            const void *known, size_t known_size);

#endif

/* Filling a caller's met_error_info. info may be NULL everywhere. */
#ifndef MET_BASE_ERROR_H
#define MET_BASE_ERROR_H

#include <stdarg.h>

#include "metering/error.h"

/* Records code, field path ("" when none) and a printf-style reason, and
 * returns code, so that a failure is one line: return met__fail(info, ...).
 * Respects info->struct_size. */
met_error met__fail(met_error_info *info, met_error code, const char *field,
                    const char *reason, ...)
    __attribute__((format(printf, 4, 5)));

/* The same when the info is already filled or there is nothing to add: sets
 * code, "" and the code's general message. */
met_error met__fail_code(met_error_info *info, met_error code);
/* A pointer that must be given: MET_E_INVALID. */
met_error met__fail_null(met_error_info *info, const char *name);

#endif

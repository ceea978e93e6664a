/* The one reader and writer of public structs that may grow: an old caller's
 * shorter struct and a newer caller's longer one both work, a forgotten
 * struct_size and an unknown field that is set are refused. */
#include "base/caller_struct.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"

met_error met__struct_read(void *known, size_t known_size, size_t minimum_size,
                           const void *caller, const char *name,
                           met_error_info *info)
{
    size_t caller_size;
    const unsigned char *bytes = caller;

    MET__ASSERT(known != NULL && known_size >= minimum_size
                && minimum_size >= sizeof caller_size);
    if (caller == NULL) {
        return met__fail(info, MET_E_INVALID, name, "is NULL");
    }
    memcpy(&caller_size, caller, sizeof caller_size);
    if (caller_size < minimum_size) {
        return met__fail(info, MET_E_INVALID, name,
                         "struct_size is %zu, at least %zu is needed",
                         caller_size, minimum_size);
    }
    if (caller_size > MET__STRUCT_SIZE_MAX) {
        return met__fail(info, MET_E_INVALID, name,
                         "struct_size is %zu, more than any version has",
                         caller_size);
    }
    for (size_t at = known_size; at < caller_size; at++) {
        if (bytes[at] != 0) {
            return met__fail(info, MET_E_UNSUPPORTED, name,
                             "a field of a newer version is set");
        }
    }
    memset(known, 0, known_size);
    memcpy(known, caller, caller_size < known_size ? caller_size : known_size);
    memcpy(known, &known_size, sizeof known_size);
    return MET_OK;
}

met_error met__struct_write(void *caller, size_t minimum_size,
                            const void *known, size_t known_size)
{
    size_t caller_size;

    MET__ASSERT(known != NULL && known_size >= minimum_size
                && minimum_size >= sizeof caller_size);
    if (caller == NULL) {
        return MET_E_INVALID;
    }
    memcpy(&caller_size, caller, sizeof caller_size);
    if (caller_size < minimum_size) {
        return MET_E_INVALID;
    }
    size_t size = caller_size < known_size ? caller_size : known_size;
    memcpy((unsigned char *)caller + sizeof caller_size,
           (const unsigned char *)known + sizeof caller_size,
           size - sizeof caller_size);
    return MET_OK;
}

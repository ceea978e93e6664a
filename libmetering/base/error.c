/* Filling a caller's met_error_info. In: code, field path, a printf-style
 * reason. Out: the same code, so that a failure is one line. Writes no more of
 * the struct than its struct_size says; knows nothing of the rooms. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/caller_struct.h"

/* A text that was cut must not end in half a character. */
static void mend(char *text, size_t size)
{
    size_t length = strlen(text);

    if (length + 1 < size) {
        return;
    }
    while (length > 0 && ((unsigned char)text[length - 1] & 0xc0) == 0x80) {
        length--;
    }
    if (length > 0 && (unsigned char)text[length - 1] >= 0xc0) {
        text[length - 1] = '\0';
    }
}

static void put(met_error_info *info, met_error code, const char *field,
                const char *reason)
{
    met_error_info known = {.struct_size = sizeof known, .code = code};

    snprintf(known.field, sizeof known.field, "%s", field ? field : "");
    snprintf(known.reason, sizeof known.reason, "%s", reason);
    mend(known.field, sizeof known.field);
    mend(known.reason, sizeof known.reason);
    /* A struct too small for even the code gets nothing. */
    (void)met__struct_write(info, offsetof(met_error_info, field), &known,
                            sizeof known);
}

met_error met__fail(met_error_info *info, met_error code, const char *field,
                    const char *reason, ...)
{
    if (info != NULL) {
        char text[MET_ERROR_REASON_SIZE];
        va_list arguments;

        va_start(arguments, reason);
        vsnprintf(text, sizeof text, reason, arguments);
        va_end(arguments);
        put(info, code, field, text);
    }
    return code;
}

met_error met__fail_code(met_error_info *info, met_error code)
{
    if (info != NULL) {
        put(info, code, "", met_error_message(code));
    }
    return code;
}

met_error met__fail_null(met_error_info *info, const char *name)
{
    return met__fail(info, MET_E_INVALID, name, "is NULL");
}

/* error.h: names and messages, all out of the one list. */
#include "metering/error.h"

const char *met_error_name(met_error error)
{
    switch (error) {
    case MET_OK:
        return "MET_OK";
#define NAME(name, number, text) \
    case name:                   \
        return #name;
        MET_ERROR_MAP(NAME)
#undef NAME
    default:
        return "MET_E_UNKNOWN";
    }
}

const char *met_error_message(met_error error)
{
    switch (error) {
    case MET_OK:
        return "done";
#define MESSAGE(name, number, text) \
    case name:                      \
        return text;
        MET_ERROR_MAP(MESSAGE)
#undef MESSAGE
    default:
        return "an error this version does not know";
    }
}

/* version.h: which library is loaded. */
#include "metering/version.h"

const char *met_version_string(void)
{
    return MET_VERSION_STRING;
}

uint32_t met_version_number(void)
{
    return MET_VERSION_NUMBER;
}

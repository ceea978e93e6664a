/* The version of the headers, and of the library that is loaded. */
#ifndef METERING_VERSION_H
#define METERING_VERSION_H

#include <stdint.h>

#include "metering/export.h"

MET_BEGIN_DECLS

#define MET_VERSION_MAJOR 0
#define MET_VERSION_MINOR 1
#define MET_VERSION_PATCH 0
#define MET_VERSION_STRING "0.1.0"
#define MET_VERSION_NUMBER \
    (MET_VERSION_MAJOR * 1000000 + MET_VERSION_MINOR * 1000 + MET_VERSION_PATCH)

/**
 * The version of the loaded library, "0.1.0".
 *
 * @return static text
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API const char *met_version_string(void);

/**
 * The version of the loaded library as major * 1000000 + minor * 1000 + patch.
 *
 * @return the number, to compare with MET_VERSION_NUMBER
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API uint32_t met_version_number(void);

MET_END_DECLS

#endif

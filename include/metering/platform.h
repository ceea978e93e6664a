/* What the host may replace: memory and clocks, per handle, copied at open.
 * One library allocates by itself and cannot be redirected: LMDB (its
 * environment and transactions). */
#ifndef METERING_PLATFORM_H
#define METERING_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#include "metering/export.h"

MET_BEGIN_DECLS

/* All three or none. allocate and reallocate return NULL on failure and memory
 * aligned for any type; the library passes the true old size. */
typedef struct met_allocator {
    void *context;
    void *(*allocate)(void *context, size_t size);
    void *(*reallocate)(void *context, void *memory, size_t size_old,
                        size_t size_new);
    void (*release)(void *context, void *memory, size_t size);
} met_allocator;

/* Both or none. monotonic_ns never steps back; utc_ns is nanoseconds since
 * 1970-01-01T00:00:00Z. */
typedef struct met_clock {
    void *context;
    int64_t (*monotonic_ns)(void *context);
    int64_t (*utc_ns)(void *context);
} met_clock;

/* Zero means default for every field. */
typedef struct met_platform {
    size_t struct_size;
    met_allocator allocator;
    met_clock clock;
} met_platform;

MET_END_DECLS

#endif

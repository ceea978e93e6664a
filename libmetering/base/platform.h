/* What every handle carries: its memory, its clock, its table of OS calls.
 * The only way to allocate, to ask the time or to touch a file. */
#ifndef MET_BASE_PLATFORM_H
#define MET_BASE_PLATFORM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"
#include "metering/error.h"
#include "metering/platform.h"

typedef struct met__platform {
    met_allocator allocator;
    met_clock clock;
    const met__os *os;
} met__platform;

/* Copies the caller's platform (NULL = defaults) through the growable-struct
 * reader. MET_E_INVALID names the field. */
met_error met__platform_init(met__platform *platform,
                             const met_platform *caller,
                             met_error_info *info);

/* Not one that the host has brought. */
int met__platform_has_system_clock(const met__platform *platform);

/* Zeroed memory, or NULL. size 0 counts as 1. */
void *met__allocate(const met__platform *platform, size_t size);
/* The bytes beyond size_old are not zeroed. memory may be NULL. */
void *met__reallocate(const met__platform *platform, void *memory,
                      size_t size_old, size_t size_new);
void met__release(const met__platform *platform, void *memory, size_t size);

/* A table that is read at random: it begins on a cache line, and lies in huge
 * pages when it is large and the system has them. */
typedef struct met__table_memory {
    void *memory; /* NULL: none */
    size_t size;
    void *block; /* as it was allocated */
    size_t block_size;
} met__table_memory;

/* Zeroed. MET_E_NO_MEMORY: *table_out is none, and may be released. */
met_error met__table_allocate(const met__platform *platform, size_t size,
                              met__table_memory *table_out);
void met__table_release(const met__platform *platform,
                        met__table_memory *table);

int64_t met__now_utc_ns(const met__platform *platform);
int64_t met__now_monotonic_ns(const met__platform *platform);

/* --- Arena: many small pieces, one release. For the control plane. -------- */
typedef struct met__arena_block met__arena_block;
typedef struct met__arena {
    const met__platform *platform;
    met__arena_block *block;
    size_t used;
} met__arena;

void met__arena_init(met__arena *arena, const met__platform *platform);
/* Zeroed, aligned for any type; NULL when memory is out. Lives until
 * met__arena_release. */
void *met__arena_allocate(met__arena *arena, size_t size);
/* A copy with a NUL behind it. */
char *met__arena_copy(met__arena *arena, const void *data, size_t size);
/* printf into the arena; NULL when memory is out. */
char *met__arena_print(met__arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *met__arena_print_list(met__arena *arena, const char *format,
                            va_list arguments);
void met__arena_release(met__arena *arena);

#endif

/* Memory and clocks of a handle, and the arena. In: the caller's platform or
 * nothing. Out: one struct that every room carries. The only file that calls
 * malloc. */
#include "base/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/caller_struct.h"
#include "base/check.h"
#include "base/error.h"

static void *default_allocate(void *context, size_t size)
{
    return malloc(size);
}

static void *default_reallocate(void *context, void *memory, size_t size_old,
                                size_t size_new)
{
    return realloc(memory, size_new);
}

static void default_release(void *context, void *memory, size_t size)
{
    free(memory);
}

static int64_t os_monotonic_ns(void *context)
{
    const met__os *os = context;
    return os->monotonic_ns(os->context);
}

static int64_t os_utc_ns(void *context)
{
    const met__os *os = context;
    return os->utc_ns(os->context);
}

met_error met__platform_init(met__platform *platform,
                             const met_platform *caller,
                             met_error_info *info)
{
    met_platform known = {.struct_size = sizeof known};

    MET__ASSERT(platform != NULL);
    if (caller != NULL) {
        met_error error = met__struct_read(&known, sizeof known,
                                           sizeof known.struct_size, caller,
                                           "platform", info);
        if (error != MET_OK) {
            return error;
        }
    }
    const met_allocator *a = &known.allocator;
    int hooks = (a->allocate != NULL) + (a->reallocate != NULL)
                + (a->release != NULL);
    if (hooks != 0 && hooks != 3) {
        return met__fail(info, MET_E_INVALID, "platform.allocator",
                         "all three functions or none");
    }
    if ((known.clock.monotonic_ns != NULL) != (known.clock.utc_ns != NULL)) {
        return met__fail(info, MET_E_INVALID, "platform.clock",
                         "both functions or none");
    }
    platform->os = met__os_default();
    platform->allocator = hooks == 3 ? *a
                                     : (met_allocator){NULL, default_allocate,
                                                       default_reallocate,
                                                       default_release};
    platform->clock = known.clock;
    if (known.clock.utc_ns == NULL) {
        platform->clock = (met_clock){(void *)(uintptr_t)platform->os,
                                      os_monotonic_ns, os_utc_ns};
    }
    return MET_OK;
}

int met__platform_has_system_clock(const met__platform *platform)
{
    return platform->clock.monotonic_ns == os_monotonic_ns;
}

void *met__allocate(const met__platform *platform, size_t size)
{
    size_t wanted = size ? size : 1;
    void *memory = platform->allocator.allocate(platform->allocator.context,
                                                wanted);
    if (memory != NULL) {
        memset(memory, 0, wanted);
    }
    return memory;
}

void *met__reallocate(const met__platform *platform, void *memory,
                      size_t size_old, size_t size_new)
{
    if (memory == NULL) {
        return platform->allocator.allocate(platform->allocator.context,
                                            size_new ? size_new : 1);
    }
    return platform->allocator.reallocate(platform->allocator.context, memory,
                                          size_old ? size_old : 1,
                                          size_new ? size_new : 1);
}

void met__release(const met__platform *platform, void *memory, size_t size)
{
    if (memory != NULL) {
        platform->allocator.release(platform->allocator.context, memory,
                                    size ? size : 1);
    }
}

/* --- Tables --------------------------------------------------------------- */
#define LINE_SIZE 64u
#define HUGE_PAGE_SIZE ((size_t)2 << 20)

met_error met__table_allocate(const met__platform *platform, size_t size,
                              met__table_memory *table_out)
{
    size_t step = size >= HUGE_PAGE_SIZE ? HUGE_PAGE_SIZE : LINE_SIZE;
    size_t block_size = size + step - 1;

    *table_out = (met__table_memory){0};
    if (block_size < size) {
        return MET_E_NO_MEMORY;
    }
    void *block = platform->allocator.allocate(platform->allocator.context,
                                               block_size);
    if (block == NULL) {
        return MET_E_NO_MEMORY;
    }
    unsigned char *memory = (unsigned char *)block
                            + (step - (uintptr_t)block % step) % step;
    if (step == HUGE_PAGE_SIZE) { /* before it is touched */
        (void)platform->os->want_huge_pages(platform->os->context, memory,
                                            size - size % step);
    }
    memset(memory, 0, size);
    *table_out = (met__table_memory){memory, size, block, block_size};
    return MET_OK;
}

void met__table_release(const met__platform *platform,
                        met__table_memory *table)
{
    met__release(platform, table->block, table->block_size);
    *table = (met__table_memory){0};
}

int64_t met__now_utc_ns(const met__platform *platform)
{
    return platform->clock.utc_ns(platform->clock.context);
}

int64_t met__now_monotonic_ns(const met__platform *platform)
{
    return platform->clock.monotonic_ns(platform->clock.context);
}

/* --- Arena ---------------------------------------------------------------- */
#define BLOCK_SIZE 16384
#define ALIGNMENT 16

struct met__arena_block {
    met__arena_block *next;
    size_t size; /* of the whole allocation */
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

void met__arena_init(met__arena *arena, const met__platform *platform)
{
    *arena = (met__arena){.platform = platform};
}

/* As malloc leaves it: a block is many times as long as what is asked of it,
 * so only what is handed out is cleared. */
static void *take(met__arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t needed = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    met__arena_block *block = arena->block;
    if (block == NULL
        || block->size - sizeof *block - arena->used < needed) {
        size_t room = needed > BLOCK_SIZE - sizeof *block
                          ? needed
                          : BLOCK_SIZE - sizeof *block;
        block = met__reallocate(arena->platform, NULL, 0,
                                sizeof *block + room);
        if (block == NULL) {
            return NULL;
        }
        block->size = sizeof *block + room;
        block->next = arena->block;
        arena->block = block;
        arena->used = 0;
    }
    void *memory = block->bytes + arena->used;
    arena->used += needed;
    return memory;
}

void *met__arena_allocate(met__arena *arena, size_t size)
{
    void *memory = take(arena, size);

    return memory != NULL ? memset(memory, 0, size) : NULL;
}

char *met__arena_copy(met__arena *arena, const void *data, size_t size)
{
    char *copy = size < SIZE_MAX ? take(arena, size + 1) : NULL;

    if (copy != NULL) {
        if (size > 0) {
            memcpy(copy, data, size);
        }
        copy[size] = '\0';
    }
    return copy;
}

char *met__arena_print_list(met__arena *arena, const char *format,
                            va_list arguments)
{
    va_list again;

    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    char *text = size < 0 ? NULL : take(arena, (size_t)size + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    return text;
}

char *met__arena_print(met__arena *arena, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *text = met__arena_print_list(arena, format, arguments);
    va_end(arguments);
    return text;
}

void met__arena_release(met__arena *arena)
{
    while (arena->block != NULL) {
        met__arena_block *block = arena->block;
        arena->block = block->next;
        met__release(arena->platform, block, block->size);
    }
    arena->used = 0;
}

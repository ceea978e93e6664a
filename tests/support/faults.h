/* Memory and a disk that fail on order: the k-th call, once or for ever.
 * One of each per test program; memory of any threads, the disk of one. */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/platform.h"

/* --- Memory --------------------------------------------------------------- */
typedef struct faulty_memory {
    long calls;   /* allocations and reallocations asked for */
    long fail_at; /* the call that fails, from 1; 0: none */
    int for_ever; /* and all after it */
    long live;    /* blocks not yet released */
    size_t bytes; /* of them, as the library counts */
} faulty_memory;

static inline int faulty_memory_fails(faulty_memory *memory)
{
    long call = __atomic_add_fetch(&memory->calls, 1, __ATOMIC_RELAXED);
    long fail_at = __atomic_load_n(&memory->fail_at, __ATOMIC_RELAXED);
    return fail_at != 0
           && (call == fail_at || (memory->for_ever && call > fail_at));
}

static inline void faulty_count(faulty_memory *memory, long blocks,
                                size_t bytes)
{
    (void)__atomic_add_fetch(&memory->live, blocks, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&memory->bytes, bytes, __ATOMIC_RELAXED);
}

static inline void *faulty_allocate(void *context, size_t size)
{
    faulty_memory *memory = context;
    void *block = faulty_memory_fails(memory) ? NULL : malloc(size);

    if (block != NULL) {
        faulty_count(memory, 1, size);
        memset(block, 0xa5, size); /* nobody may count on zeros */
    }
    return block;
}

static inline void *faulty_reallocate(void *context, void *old,
                                      size_t size_old, size_t size_new)
{
    faulty_memory *memory = context;
    void *block = faulty_memory_fails(memory) ? NULL : realloc(old, size_new);

    if (block != NULL) {
        faulty_count(memory, old == NULL, size_new - size_old);
    }
    return block;
}

static inline void faulty_release(void *context, void *block, size_t size)
{
    faulty_memory *memory = context;

    if (block != NULL) {
        faulty_count(memory, -1, -size);
        free(block);
    }
}

/* --- Disk ----------------------------------------------------------------- */
typedef struct faulty_disk {
    met__os table; /* what to put into a platform */
    long calls;
    long fail_at; /* from 1; 0: none */
    int for_ever;
    int error;       /* errno to answer, for example EIO */
    char last[32];   /* name of the call that failed */
    long open_files; /* opened and not closed */
    long syncs;
    long syncs_at_rename; /* before the last rename */
    void (*before)(void); /* NULL, or: runs before every call */
} faulty_disk;

static inline int faulty_disk_fails(faulty_disk *disk, const char *name)
{
    long call = ++disk->calls;
    if (disk->before != NULL) {
        disk->before();
    }
    int fails = disk->fail_at != 0
                && (call == disk->fail_at
                    || (disk->for_ever && call > disk->fail_at));
    if (fails) {
        snprintf(disk->last, sizeof disk->last, "%s", name);
    }
    return fails;
}

#ifndef FAULTY_REAL
#define FAULTY_REAL met__os_default()
#endif
#define FAULTY_CALL(name, call)                       \
    do {                                              \
        if (faulty_disk_fails(context, name)) {       \
            return -((faulty_disk *)context)->error;  \
        }                                             \
        return call;                                  \
    } while (0)

static inline int64_t faulty_monotonic_ns(void *context)
{
    return FAULTY_REAL->monotonic_ns(NULL);
}
static inline int64_t faulty_utc_ns(void *context)
{
    return FAULTY_REAL->utc_ns(NULL);
}
static inline int faulty_process_id(void *context)
{
    return FAULTY_REAL->process_id(NULL);
}
static inline int faulty_random(void *context, void *bytes, size_t size)
{
    FAULTY_CALL("random", FAULTY_REAL->random(NULL, bytes, size));
}
static inline int faulty_boot_id(void *context, char text_out[64])
{
    FAULTY_CALL("boot_id", FAULTY_REAL->boot_id(NULL, text_out));
}
static inline int faulty_open(void *context, const char *path, unsigned flags)
{
    if (faulty_disk_fails(context, "open")) {
        return -((faulty_disk *)context)->error;
    }
    int file = FAULTY_REAL->open(NULL, path, flags);
    ((faulty_disk *)context)->open_files += file >= 0;
    return file;
}
/* As the kernel: the descriptor is gone whatever close answers. */
static inline int faulty_close(void *context, int file)
{
    int result = FAULTY_REAL->close(NULL, file);

    ((faulty_disk *)context)->open_files--;
    FAULTY_CALL("close", result);
}
static inline int faulty_stat(void *context, const char *path,
                              met__os_stat *out)
{
    FAULTY_CALL("stat", FAULTY_REAL->stat(NULL, path, out));
}
static inline int faulty_fstat(void *context, int file, met__os_stat *out)
{
    FAULTY_CALL("fstat", FAULTY_REAL->fstat(NULL, file, out));
}
static inline int64_t faulty_read_at(void *context, int file, void *bytes,
                                     size_t size, uint64_t offset)
{
    FAULTY_CALL("read_at",
                FAULTY_REAL->read_at(NULL, file, bytes, size, offset));
}
static inline int64_t faulty_write_at(void *context, int file,
                                      const void *bytes, size_t size,
                                      uint64_t offset)
{
    FAULTY_CALL("write_at",
                FAULTY_REAL->write_at(NULL, file, bytes, size, offset));
}
static inline int faulty_blocks(void *context, int file, uint64_t size)
{
    FAULTY_CALL("allocate", FAULTY_REAL->allocate(NULL, file, size));
}
static inline int faulty_truncate(void *context, int file, uint64_t size)
{
    FAULTY_CALL("truncate", FAULTY_REAL->truncate(NULL, file, size));
}
static inline int faulty_sync(void *context, int file)
{
    ((faulty_disk *)context)->syncs++;
    FAULTY_CALL("sync", FAULTY_REAL->sync(NULL, file));
}
static inline int faulty_map(void *context, int file, uint64_t size,
                             void **memory_out)
{
    FAULTY_CALL("map", FAULTY_REAL->map(NULL, file, size, memory_out));
}
static inline int faulty_unmap(void *context, void *memory, uint64_t size)
{
    return FAULTY_REAL->unmap(NULL, memory, size);
}
static inline int faulty_lock(void *context, int file, int operation,
                              uint64_t offset)
{
    FAULTY_CALL("lock", FAULTY_REAL->lock(NULL, file, operation, offset));
}
static inline int faulty_mark(void *context, int file, uint64_t offset,
                              int is_set)
{
    (void)context; /* whether it failed is nobody's concern */
    return FAULTY_REAL->mark(NULL, file, offset, is_set);
}
static inline int faulty_marked_by(void *context, int file, uint64_t offset,
                                   uint64_t size)
{
    FAULTY_CALL("marked_by",
                FAULTY_REAL->marked_by(NULL, file, offset, size));
}
static inline int faulty_rename(void *context, const char *from,
                                const char *to)
{
    ((faulty_disk *)context)->syncs_at_rename =
        ((faulty_disk *)context)->syncs;
    FAULTY_CALL("rename", FAULTY_REAL->rename(NULL, from, to));
}
static inline int faulty_link(void *context, const char *from, const char *to)
{
    FAULTY_CALL("link", FAULTY_REAL->link(NULL, from, to));
}
static inline int faulty_unlink(void *context, const char *path)
{
    FAULTY_CALL("unlink", FAULTY_REAL->unlink(NULL, path));
}
static inline int faulty_make_directory(void *context, const char *path)
{
    FAULTY_CALL("make_directory", FAULTY_REAL->make_directory(NULL, path));
}
static inline int faulty_remove_directory(void *context, const char *path)
{
    FAULTY_CALL("remove_directory",
                FAULTY_REAL->remove_directory(NULL, path));
}
static inline int faulty_list(void *context, const char *path,
                              void *visit_context,
                              int (*visit)(void *, const met__os_entry *))
{
    FAULTY_CALL("list", FAULTY_REAL->list(NULL, path, visit_context, visit));
}
static inline int faulty_free_bytes(void *context, const char *path,
                                    uint64_t *bytes_out)
{
    FAULTY_CALL("free_bytes", FAULTY_REAL->free_bytes(NULL, path, bytes_out));
}

static inline void faulty_pause(void *context, int64_t ns)
{
    (void)context;
    FAULTY_REAL->pause(FAULTY_REAL->context, ns);
}

/* Calls of tidying up (unlink, remove_directory) may fail too: then files of a
 * temporary name stay behind, and nothing else. */
static inline void faulty_disk_init(faulty_disk *disk)
{
    memset(disk, 0, sizeof *disk);
    disk->error = EIO;
    disk->table = (met__os){
        .context = disk,
        .monotonic_ns = faulty_monotonic_ns,
        .utc_ns = faulty_utc_ns,
        .random = faulty_random,
        .boot_id = faulty_boot_id,
        .open = faulty_open,
        .close = faulty_close,
        .stat = faulty_stat,
        .fstat = faulty_fstat,
        .read_at = faulty_read_at,
        .write_at = faulty_write_at,
        .allocate = faulty_blocks,
        .truncate = faulty_truncate,
        .sync = faulty_sync,
        .map = faulty_map,
        .unmap = faulty_unmap,
        .lock = faulty_lock,
        .mark = faulty_mark,
        .marked_by = faulty_marked_by,
        .rename = faulty_rename,
        .link = faulty_link,
        .unlink = faulty_unlink,
        .make_directory = faulty_make_directory,
        .remove_directory = faulty_remove_directory,
        .list = faulty_list,
        .process_id = faulty_process_id,
        .pause = faulty_pause,
        .free_bytes = faulty_free_bytes,
        .ticks = FAULTY_REAL->ticks,
        .ticks_are_steady = FAULTY_REAL->ticks_are_steady,
        .want_huge_pages = FAULTY_REAL->want_huge_pages,
        .cover = FAULTY_REAL->cover,
    };
}

/* --- A platform of them; either may be NULL for the real one -------------- */
static inline met__platform faulty_platform(faulty_memory *memory,
                                            faulty_disk *disk)
{
    met__platform platform;

    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        abort();
    }
    if (memory != NULL) {
        platform.allocator = (met_allocator){memory, faulty_allocate,
                                             faulty_reallocate,
                                             faulty_release};
    }
    if (disk != NULL) {
        platform.os = &disk->table;
    }
    return platform;
}

#endif

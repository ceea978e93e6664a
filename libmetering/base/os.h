/* The one table of operating system calls. Nothing else in the library may
 * call libc for time, randomness, files or maps; tests put a failing disk or a
 * virtual clock behind it. Calls return 0 or a positive result, or -errno. */
#ifndef MET_BASE_OS_H
#define MET_BASE_OS_H

#include <stddef.h>
#include <stdint.h>

typedef struct met__os_stat {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    uint32_t is_directory;
    uint32_t is_file;
} met__os_stat;

typedef struct met__os_entry {
    char name[256];
} met__os_entry;

#define MET__OS_READ 1u    /* open for reading and writing unless this */
#define MET__OS_CREATE 2u  /* create when missing, mode 0600 */
#define MET__OS_EXCLUSIVE 4u
#define MET__OS_DIRECTORY 8u
#define MET__OS_FOLLOW 16u /* a file of the system, which may be a link */

#define MET__OS_LOCK_TRY 1   /* exclusive, -EAGAIN when held elsewhere */
#define MET__OS_LOCK_FREE 2

typedef struct met__os {
    void *context;
    int64_t (*monotonic_ns)(void *context);
    int64_t (*utc_ns)(void *context);
    /* A counter of the processor; may begin anew at any time. */
    uint64_t (*ticks)(void *context);
    /* Whether it runs at one rate, the same on all processors, and the system's
     * clock trusts it. */
    int (*ticks_are_steady)(void *context);
    int (*random)(void *context, void *bytes, size_t size);
    /* A text that differs after every boot, at least 36 bytes. */
    int (*boot_id)(void *context, char text_out[64]);
    int (*open)(void *context, const char *path, unsigned flags);
    int (*close)(void *context, int file);
    int (*stat)(void *context, const char *path, met__os_stat *stat_out);
    int (*fstat)(void *context, int file, met__os_stat *stat_out);
    int64_t (*read_at)(void *context, int file, void *bytes, size_t size,
                       uint64_t offset);
    int64_t (*write_at)(void *context, int file, const void *bytes,
                        size_t size, uint64_t offset);
    /* Blocks for [0, size) exist afterwards (never a sparse file). */
    int (*allocate)(void *context, int file, uint64_t size);
    int (*truncate)(void *context, int file, uint64_t size);
    int (*sync)(void *context, int file);
    int (*map)(void *context, int file, uint64_t size, void **memory_out);
    int (*unmap)(void *context, void *memory, uint64_t size);
    /* Zero pages of this process alone in place of what is mapped there, whole
     * pages; may be called by the handler of a signal. */
    int (*cover)(void *context, void *memory, uint64_t size);
    /* Asks for pages of 2 MiB behind private memory; whole ones inside it. */
    int (*want_huge_pages)(void *context, void *memory, uint64_t size);
    /* Open-file-description lock on byte `offset`, length 1. */
    int (*lock)(void *context, int file, int operation, uint64_t offset);
    /* A mark on byte `offset` for others to see: it keeps nobody out and goes
     * with its process, or when that closes any descriptor of the file. */
    int (*mark)(void *context, int file, uint64_t offset, int is_set);
    /* Another process that has a mark on one of `size` bytes; 0: none. */
    int (*marked_by)(void *context, int file, uint64_t offset, uint64_t size);
    int (*rename)(void *context, const char *from, const char *to);
    /* A second name; -EEXIST when `to` is there. */
    int (*link)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    int (*make_directory)(void *context, const char *path); /* mode 0700 */
    int (*remove_directory)(void *context, const char *path);
    /* Calls visit for every entry but . and .. until it returns non-zero. */
    int (*list)(void *context, const char *path, void *visit_context,
                int (*visit)(void *visit_context, const met__os_entry *entry));
    int (*process_id)(void *context);
    /* Gives others time to finish: about this long. */
    void (*pause)(void *context, int64_t ns);
    /* Bytes an unprivileged writer may still use on path's file system. */
    int (*free_bytes)(void *context, const char *path, uint64_t *bytes_out);
} met__os;

const met__os *met__os_default(void);

/* -errno of a table call as an error: ENOSPC and EDQUOT MET_E_DISK_FULL,
 * ENOMEM MET_E_NO_MEMORY, ENOENT MET_E_NOT_FOUND, EEXIST MET_E_EXISTS,
 * EAGAIN (a lock held elsewhere) MET_E_BUSY, the rest MET_E_IO. */
int32_t met__os_error(int64_t result);

#endif

/* A directory of its own for every test program, gone at the end. */
#ifndef TESTS_SUPPORT_TEMP_DIRECTORY_H
#define TESTS_SUPPORT_TEMP_DIRECTORY_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static inline int temp_remove_entry(const char *path, const struct stat *found,
                                    int kind, struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

/* Removes a file or a whole tree; missing is fine. */
static inline void temp_remove(const char *path)
{
    nftw(path, temp_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void temp_directory_in(const char *base, char *path, size_t size)
{
    snprintf(path, size, "%s/met-XXXXXX", base);
    if (mkdtemp(path) == NULL) {
        perror(path);
        abort();
    }
}

/* Fills path (at least 64 bytes) with a fresh empty directory. */
static inline void temp_directory(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");

    temp_directory_in(base ? base : "/tmp", path, size);
}

/* The same in memory, where there is room: for tests that are to do much
 * between two moments, or that would wait for a disk thousands of times. */
static inline void temp_directory_fast(char *path, size_t size)
{
    struct statvfs room;

    if (statvfs("/dev/shm", &room) == 0 && access("/dev/shm", W_OK) == 0
        && (double)room.f_bavail * (double)room.f_frsize > 1e9) {
        temp_directory_in("/dev/shm", path, size);
    } else {
        temp_directory(path, size);
    }
}

/* directory/name, in one of four rotating buffers of the thread. */
static inline const char *temp_path(const char *directory, const char *name)
{
    static _Thread_local char paths[4][512];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static inline int temp_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

#endif

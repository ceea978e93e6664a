/* A directory of its own for every test program, gone at the end. */
#ifndef TESTS_SUPPORT_TEMP_DIRECTORY_H
#define TESTS_SUPPORT_TEMP_DIRECTORY_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* Fills path (at least 64 bytes) with a fresh empty directory. */
static inline void temp_directory(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");

    snprintf(path, size, "%s/met-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(path) == NULL) {
        perror(path);
        abort();
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

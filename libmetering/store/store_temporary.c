/* Directories in which a store is made before it gets its name. Who makes one
 * holds a lock beside it, which goes with the process however it ends, so that
 * whoever comes next knows what is abandoned and removes it.
 * In: the path that it will have. Out: a directory beside it. */
#include <stdio.h>

#include "base/check.h"
#include "store/store_env.h"

#define PATH_MAX_SIZE MET__STORE_PATH_MAX
#define BEFORE ".new-"
#define BEHIND ".lock"
#define DIGITS 16
#define TRIES 8

static int remove_entry(void *context, const met__os_entry *entry)
{
    void *const *parts = context;
    const met__platform *platform = parts[0];
    char path[PATH_MAX_SIZE];

    if (met__store_join(path, parts[1], entry->name) == MET_OK
        && platform->os->unlink(platform->os->context, path) < 0) {
        platform->os->remove_directory(platform->os->context, path);
    }
    return 0;
}

/* A directory of ours with plain files and empty directories in it. */
static void remove_tree(const met__platform *platform, const char *path)
{
    const met__os *os = platform->os;
    void *parts[] = {(void *)(uintptr_t)platform, (void *)(uintptr_t)path};
    int file = os->open(os->context, path, MET__OS_READ | MET__OS_DIRECTORY);

    if (file >= 0) { /* it is one, and no link to one */
        os->close(os->context, file);
        os->list(os->context, path, parts, remove_entry);
        os->remove_directory(os->context, path);
    }
}

static void lock_name(char *out, const char *path)
{
    size_t size = strlen(path);

    memcpy(out, path, size); /* there is room: met__store_clean_path */
    memcpy(out + size, BEHIND, sizeof BEHIND);
}

/* --- Making one ----------------------------------------------------------- */
/* 1: the file is locked and still has its name; 0: somebody has cleared it away
 * before it was locked. */
static int try_lock(const met__os *os, int file, const char *name)
{
    met__os_stat mine;
    met__os_stat there;
    int result = os->lock(os->context, file, MET__OS_LOCK_TRY, 0);

    if (result == 0) {
        result = os->fstat(os->context, file, &mine);
    }
    if (result == 0) {
        result = os->stat(os->context, name, &there);
    }
    if (result < 0) {
        met_error error = met__os_error(result);
        return error == MET_E_BUSY || error == MET_E_NOT_FOUND ? 0 : result;
    }
    return mine.device == there.device && mine.inode == there.inode;
}

/* Not negative: *is_done_out says whether, or another name is needed. */
static int try_name(const met__platform *platform, const char *path,
                    met__store_temporary *temporary, int *is_done_out)
{
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];
    unsigned char bits[8];
    int result = os->random(os->context, bits, sizeof bits);

    if (result < 0) {
        return result;
    }
    snprintf(temporary->path, sizeof temporary->path, "%s" BEFORE "%016llx",
             path, (unsigned long long)met__get_u64(bits));
    lock_name(name, temporary->path);
    temporary->lock = os->open(os->context, name,
                               MET__OS_CREATE | MET__OS_EXCLUSIVE);
    if (temporary->lock < 0) {
        return temporary->lock;
    }
    result = try_lock(os, temporary->lock, name);
    if (result > 0) {
        result = os->make_directory(os->context, temporary->path);
        *is_done_out = result >= 0;
    }
    if (result < 0) {
        os->unlink(os->context, name);
    }
    if (!*is_done_out) {
        os->close(os->context, temporary->lock);
    }
    return result;
}

met_error met__store_temporary_begin(const met__platform *platform,
                                     const char *path,
                                     met__store_temporary *temporary_out,
                                     met_error_info *info)
{
    const char *name;
    int is_done = 0;
    int result = 0;
    met_error error = met__store_last_component(path, &name, info);

    if (error != MET_OK) {
        return error;
    }
    met__store_clear_abandoned(platform, path);
    for (int i = 0; i < TRIES && result >= 0 && !is_done; i++) {
        result = try_name(platform, path, temporary_out, &is_done);
    }
    if (result < 0) {
        return met__store_io_fail(info, path, "cannot be created", result);
    }
    return is_done ? MET_OK
                   : met__fail(info, MET_E_BUSY, path,
                               "others remove what is made for it");
}

void met__store_temporary_end(const met__platform *platform,
                              met__store_temporary *temporary,
                              int is_in_place)
{
    const met__os *os = platform->os;
    char name[PATH_MAX_SIZE];

    if (!is_in_place) {
        remove_tree(platform, temporary->path);
    }
    lock_name(name, temporary->path);
    os->unlink(os->context, name);
    os->close(os->context, temporary->lock);
}

/* --- What is left --------------------------------------------------------- */
typedef struct clearing {
    const met__platform *platform;
    const char *path;
    const char *name; /* its last component */
} clearing;

/* "NAME.new-0123456789abcdef.lock" */
static int is_lock_of(const char *entry, const char *name)
{
    size_t size = strlen(name);

    if (strncmp(entry, name, size) != 0
        || strncmp(entry + size, BEFORE, sizeof BEFORE - 1) != 0) {
        return 0;
    }
    entry += size + sizeof BEFORE - 1;
    return strspn(entry, "0123456789abcdef") == DIGITS
           && strcmp(entry + DIGITS, BEHIND) == 0;
}

static int clear_one(void *context, const met__os_entry *entry)
{
    const clearing *self = context;
    const met__os *os = self->platform->os;
    char lock[PATH_MAX_SIZE];
    char tree[PATH_MAX_SIZE];

    if (!is_lock_of(entry->name, self->name)) {
        return 0;
    }
    int size = snprintf(lock, sizeof lock, "%.*s%s",
                        (int)(self->name - self->path), self->path,
                        entry->name);
    if (size < 0 || size >= (int)sizeof lock) {
        return 0;
    }
    int file = os->open(os->context, lock, 0);
    if (file < 0) {
        return 0;
    }
    if (os->lock(os->context, file, MET__OS_LOCK_TRY, 0) == 0) {
        snprintf(tree, sizeof tree, "%.*s", size - (int)sizeof BEHIND + 1,
                 lock);
        remove_tree(self->platform, tree);
        os->unlink(os->context, lock); /* last: else nobody would know */
    }
    os->close(os->context, file);
    return 0;
}

void met__store_clear_abandoned(const met__platform *platform,
                                const char *path)
{
    const met__os *os = platform->os;
    clearing self = {platform, path, NULL};
    char parent[PATH_MAX_SIZE];

    if (met__store_last_component(path, &self.name, NULL) == MET_OK) {
        snprintf(parent, sizeof parent, "%.*s.",
                 (int)(self.name - self.path), path);
        (void)os->list(os->context, parent, &self, clear_one);
    }
}

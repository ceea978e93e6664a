/* The Linux implementation of the table of OS calls: thin wrappers that turn
 * errno into a negative result and retry what a signal interrupted. */
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "metering/error.h"

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t os_monotonic_ns(void *context)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t os_utc_ns(void *context)
{
    return clock_ns(CLOCK_REALTIME);
}

#if defined(__x86_64__)
static uint64_t os_ticks(void *context)
{
    return __builtin_ia32_rdtsc();
}

/* Bit 8 of EDX, "invariant", is said by leaf 0x80000007 where there is one. */
static int is_invariant(void)
{
    uint32_t a = 0x80000000u;
    uint32_t b;
    uint32_t c = 0;
    uint32_t d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (a < 0x80000007u) {
        return 0;
    }
    a = 0x80000007u;
    c = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (d >> 8 & 1) != 0;
}

static int os_ticks_are_steady(void *context)
{
    static const char path[] =
        "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char text[8] = {0};

    if (!is_invariant()) {
        return 0;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    return size >= 4 && memcmp(text, "tsc\n", 4) == 0;
}
#else
static uint64_t os_ticks(void *context)
{
    return 0;
}

static int os_ticks_are_steady(void *context)
{
    return 0;
}
#endif

static int os_random(void *context, void *bytes, size_t size)
{
    unsigned char *at = bytes;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
    return 0;
}

static int os_open(void *context, const char *path, unsigned flags)
{
    /* A pipe in the place of a file must not make the caller wait. */
    int mode = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

    mode |= flags & MET__OS_FOLLOW ? 0 : O_NOFOLLOW;
    mode |= flags & (MET__OS_READ | MET__OS_DIRECTORY) ? O_RDONLY : O_RDWR;
    mode |= flags & MET__OS_CREATE ? O_CREAT : 0;
    mode |= flags & MET__OS_EXCLUSIVE ? O_EXCL : 0;
    mode |= flags & MET__OS_DIRECTORY ? O_DIRECTORY : 0;
    int file = open(path, mode, 0600);
    return file < 0 ? -errno : file;
}

static int os_close(void *context, int file)
{
    return close(file) < 0 && errno != EINTR ? -errno : 0;
}

static int fill_stat(const struct stat *from, met__os_stat *stat_out)
{
    *stat_out = (met__os_stat){
        .device = from->st_dev,
        .inode = from->st_ino,
        .size = (uint64_t)from->st_size,
        .is_directory = S_ISDIR(from->st_mode),
        .is_file = S_ISREG(from->st_mode),
    };
    return 0;
}

static int os_stat(void *context, const char *path, met__os_stat *stat_out)
{
    struct stat found;
    return stat(path, &found) < 0 ? -errno : fill_stat(&found, stat_out);
}

static int os_fstat(void *context, int file, met__os_stat *stat_out)
{
    struct stat found;
    return fstat(file, &found) < 0 ? -errno : fill_stat(&found, stat_out);
}

static int64_t os_read_at(void *context, int file, void *bytes, size_t size,
                          uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(file, (char *)bytes + done, size - done,
                            (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int64_t os_write_at(void *context, int file, const void *bytes,
                           size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = pwrite(file, (const char *)bytes + done, size - done,
                             (off_t)(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put < 0 ? -errno : -EIO;
        }
        done += (size_t)put;
    }
    return (int64_t)done;
}

/* A file system without fallocate gets the blocks by writing: only behind the
 * end, because what is there may be mapped and in use by others. */
static int os_allocate(void *context, int file, uint64_t size)
{
    struct stat found;
    int result;

    if (size == 0 || size > INT64_MAX) {
        return -EFBIG;
    }
    do {
        result = fallocate(file, 0, 0, (off_t)size);
    } while (result < 0 && errno == EINTR);
    if (result == 0 || errno != EOPNOTSUPP) {
        return result < 0 ? -errno : 0;
    }
    if (fstat(file, &found) < 0) {
        return -errno;
    }
    if ((uint64_t)found.st_size >= size) {
        return 0;
    }
    do {
        result = posix_fallocate(file, found.st_size,
                                 (off_t)size - found.st_size);
    } while (result == EINTR);
    return -result;
}

static int os_truncate(void *context, int file, uint64_t size)
{
    int result;

    do {
        result = ftruncate(file, (off_t)size);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/* Never retried: after a failed fsync the page cache cannot be trusted. */
static int os_sync(void *context, int file)
{
    return fsync(file) < 0 ? -errno : 0;
}

static int os_map(void *context, int file, uint64_t size, void **memory_out)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                        0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    *memory_out = memory;
    return 0;
}

static int os_unmap(void *context, void *memory, uint64_t size)
{
    return munmap(memory, size) < 0 ? -errno : 0;
}

static int os_cover(void *context, void *memory, uint64_t size)
{
    void *covered = mmap(memory, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
                             | MAP_NORESERVE,
                         -1, 0);
    return covered == MAP_FAILED ? -errno : 0;
}

static int os_want_huge_pages(void *context, void *memory, uint64_t size)
{
    return madvise(memory, size, MADV_HUGEPAGE) < 0 ? -errno : 0;
}

static int os_lock(void *context, int file, int operation, uint64_t offset)
{
    struct flock lock = {
        .l_type = operation == MET__OS_LOCK_FREE ? F_UNLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)offset,
        .l_len = 1,
    };
    if (fcntl(file, F_OFD_SETLK, &lock) < 0) {
        return errno == EACCES ? -EAGAIN : -errno; /* POSIX allows both */
    }
    return 0;
}

static int os_mark(void *context, int file, uint64_t offset, int is_set)
{
    struct flock lock = {
        .l_type = is_set ? F_RDLCK : F_UNLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)offset,
        .l_len = 1,
    };
    return fcntl(file, F_SETLK, &lock) < 0 ? -errno : 0;
}

static int os_marked_by(void *context, int file, uint64_t offset,
                        uint64_t size)
{
    struct flock lock = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)offset,
        .l_len = (off_t)size,
    };
    if (fcntl(file, F_GETLK, &lock) < 0) {
        return -errno;
    }
    return lock.l_type == F_UNLCK ? 0 : (int)lock.l_pid;
}

static int os_rename(void *context, const char *from, const char *to)
{
    return rename(from, to) < 0 ? -errno : 0;
}

static int os_link(void *context, const char *from, const char *to)
{
    return link(from, to) < 0 ? -errno : 0;
}

static int os_unlink(void *context, const char *path)
{
    return unlink(path) < 0 ? -errno : 0;
}

static int os_make_directory(void *context, const char *path)
{
    return mkdir(path, 0700) < 0 ? -errno : 0;
}

static int os_remove_directory(void *context, const char *path)
{
    return rmdir(path) < 0 ? -errno : 0;
}

static int os_list(void *context, const char *path, void *visit_context,
                   int (*visit)(void *visit_context,
                                const met__os_entry *entry))
{
    DIR *directory = opendir(path);
    const struct dirent *found;
    int result = 0;

    if (directory == NULL) {
        return -errno;
    }
    while (result == 0 && (errno = 0, found = readdir(directory)) != NULL) {
        met__os_entry entry;
        if (strcmp(found->d_name, ".") == 0
            || strcmp(found->d_name, "..") == 0) {
            continue;
        }
        snprintf(entry.name, sizeof entry.name, "%s", found->d_name);
        result = visit(visit_context, &entry);
    }
    if (result == 0 && errno != 0) {
        result = -errno;
    }
    closedir(directory);
    return result;
}

static int os_boot_id(void *context, char text_out[64])
{
    int file = os_open(context, "/proc/sys/kernel/random/boot_id",
                       MET__OS_READ);
    if (file < 0) {
        return file;
    }
    int64_t got = os_read_at(context, file, text_out, 63, 0);
    os_close(context, file);
    if (got < 36) {
        return got < 0 ? (int)got : -EIO;
    }
    text_out[36] = '\0'; /* without the line end */
    return 0;
}

static void os_pause(void *context, int64_t ns)
{
    struct timespec time = {ns / 1000000000, ns % 1000000000};

    (void)context;
    (void)nanosleep(&time, NULL);
}

static int os_process_id(void *context)
{
    return getpid();
}

static int os_free_bytes(void *context, const char *path, uint64_t *bytes_out)
{
    struct statvfs found;

    if (statvfs(path, &found) < 0) {
        return -errno;
    }
    *bytes_out = (uint64_t)found.f_bavail * found.f_frsize;
    return 0;
}

const met__os *met__os_default(void)
{
    static const met__os table = {
        .monotonic_ns = os_monotonic_ns,
        .utc_ns = os_utc_ns,
        .ticks = os_ticks,
        .ticks_are_steady = os_ticks_are_steady,
        .random = os_random,
        .boot_id = os_boot_id,
        .open = os_open,
        .close = os_close,
        .stat = os_stat,
        .fstat = os_fstat,
        .read_at = os_read_at,
        .write_at = os_write_at,
        .allocate = os_allocate,
        .truncate = os_truncate,
        .sync = os_sync,
        .map = os_map,
        .unmap = os_unmap,
        .cover = os_cover,
        .want_huge_pages = os_want_huge_pages,
        .lock = os_lock,
        .mark = os_mark,
        .marked_by = os_marked_by,
        .rename = os_rename,
        .link = os_link,
        .unlink = os_unlink,
        .make_directory = os_make_directory,
        .remove_directory = os_remove_directory,
        .list = os_list,
        .process_id = os_process_id,
        .pause = os_pause,
        .free_bytes = os_free_bytes,
    };
    return &table;
}

int32_t met__os_error(int64_t result)
{
    switch (-result) {
    case ENOSPC:
    case EDQUOT:
        return MET_E_DISK_FULL;
    case ENOMEM:
        return MET_E_NO_MEMORY;
    case ENOENT:
        return MET_E_NOT_FOUND;
    case EEXIST:
        return MET_E_EXISTS;
    case EAGAIN:
        return MET_E_BUSY;
    default:
        return MET_E_IO;
    }
}

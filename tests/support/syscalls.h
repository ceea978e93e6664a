/* Stands between every library of the program and the kernel: memory and file
 * writes of LMDB (which has no table to put a failing disk behind) fail on
 * order. Include in one file of a test program only. */
#ifndef TESTS_SUPPORT_SYSCALLS_H
#define TESTS_SUPPORT_SYSCALLS_H

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct syscall_faults {
    int is_armed; /* counts and fails only while set */
    long calls;
    long fail_at; /* from 1; 0: none */
    int for_ever;
    int error;    /* errno; 0: a short write, half of it done */
    void (*before)(void); /* NULL, or: runs before every call */
} syscall_faults;

static syscall_faults write_faults;

static int syscall_fails(syscall_faults *faults)
{
    if (faults->before != NULL) {
        faults->before();
    }
    if (!faults->is_armed) {
        return 0;
    }
    long call = ++faults->calls;
    return faults->fail_at != 0
           && (call == faults->fail_at
               || (faults->for_ever && call > faults->fail_at));
}

static inline void syscall_arm(syscall_faults *faults, long fail_at,
                               int for_ever, int error)
{
    *faults = (syscall_faults){1, 0, fail_at, for_ever, error, NULL};
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    if (syscall_fails(&write_faults)) {
        if (write_faults.error != 0 || size < 2) {
            errno = write_faults.error ? write_faults.error : EIO;
            return -1;
        }
        size /= 2;
    }
    return syscall(SYS_pwrite64, file, bytes, size, offset);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    if (syscall_fails(&write_faults)) {
        errno = write_faults.error ? write_faults.error : EIO;
        return -1;
    }
    return syscall(SYS_write, file, bytes, size);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    if (syscall_fails(&write_faults)) {
        if (write_faults.error != 0 || count < 2) {
            errno = write_faults.error ? write_faults.error : EIO;
            return -1;
        }
        count /= 2;
    }
    return syscall(SYS_writev, file, parts, count);
}

int fdatasync(int file)
{
    if (syscall_fails(&write_faults)) {
        errno = write_faults.error ? write_faults.error : EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}

int fsync(int file)
{
    if (syscall_fails(&write_faults)) {
        errno = write_faults.error ? write_faults.error : EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, file);
}

int ftruncate(int file, off_t size)
{
    if (syscall_fails(&write_faults)) {
        errno = write_faults.error ? write_faults.error : EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, file, size);
}

/* A sanitizer has its own malloc, which must not be replaced. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SYSCALL_MEMORY 1

static syscall_faults memory_faults;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    if (syscall_fails(&memory_faults)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (syscall_fails(&memory_faults)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    if (syscall_fails(&memory_faults)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(block, size);
}
#endif

#endif

/* The table of OS calls on a real file system. */
#include "base_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

static char directory[64];

static int start(void **state)
{
    temp_directory(directory, sizeof directory);
    return 0;
}

static int stop(void **state)
{
    temp_remove(directory);
    return 0;
}

static void test_errors_have_one_meaning(void **state)
{
    assert_int_equal(met__os_error(-ENOSPC), MET_E_DISK_FULL);
    assert_int_equal(met__os_error(-EDQUOT), MET_E_DISK_FULL);
    assert_int_equal(met__os_error(-ENOMEM), MET_E_NO_MEMORY);
    assert_int_equal(met__os_error(-ENOENT), MET_E_NOT_FOUND);
    assert_int_equal(met__os_error(-EEXIST), MET_E_EXISTS);
    assert_int_equal(met__os_error(-EAGAIN), MET_E_BUSY);
    assert_int_equal(met__os_error(-EIO), MET_E_IO);
    assert_int_equal(met__os_error(-EPERM), MET_E_IO);
}

static void test_files(void **state)
{
    const met__os *os = met__os_default();
    const char *path = temp_path(directory, "file");
    char bytes[8] = "";
    met__os_stat found;

    assert_int_equal(os->open(NULL, path, 0), -ENOENT);
    int file = os->open(NULL, path, MET__OS_CREATE | MET__OS_EXCLUSIVE);
    assert_true(file >= 0);
    assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
    assert_int_equal(os->open(NULL, path, MET__OS_CREATE | MET__OS_EXCLUSIVE),
                     -EEXIST);
    assert_int_equal(os->write_at(NULL, file, "abc", 3, 5), 3);
    assert_int_equal(os->read_at(NULL, file, bytes, 8, 4), 4);
    assert_memory_equal(bytes, "\0abc", 4);
    assert_int_equal(os->read_at(NULL, file, bytes, 8, 100), 0);
    assert_int_equal(os->allocate(NULL, file, 0), -EFBIG);
    assert_int_equal(os->allocate(NULL, file, UINT64_MAX), -EFBIG);
    assert_int_equal(os->allocate(NULL, file, 8192), 0);
    assert_int_equal(os->fstat(NULL, file, &found), 0);
    assert_true(found.size == 8192 && found.is_file && !found.is_directory);
    assert_int_equal(os->truncate(NULL, file, 10), 0);
    assert_int_equal(os->sync(NULL, file), 0);
    assert_int_equal(os->close(NULL, file), 0);
    assert_int_equal(os->close(NULL, file), -EBADF);
    assert_int_equal(os->stat(NULL, directory, &found), 0);
    assert_true(found.is_directory);
}

static void test_links_are_not_followed(void **state)
{
    const met__os *os = met__os_default();

    assert_int_equal(symlink("/etc/passwd", temp_path(directory, "link")), 0);
    assert_int_equal(os->open(NULL, temp_path(directory, "link"),
                              MET__OS_READ), -ELOOP);
}

static void test_locks_belong_to_descriptions(void **state)
{
    const met__os *os = met__os_default();
    const char *path = temp_path(directory, "lock");
    int one = os->open(NULL, path, MET__OS_CREATE);
    int two = os->open(NULL, path, 0);

    assert_int_equal(os->lock(NULL, one, MET__OS_LOCK_TRY, 0), 0);
    assert_int_equal(os->lock(NULL, two, MET__OS_LOCK_TRY, 0), -EAGAIN);
    assert_int_equal(os->lock(NULL, two, MET__OS_LOCK_TRY, 1), 0);
    os->close(NULL, one);
    assert_int_equal(os->lock(NULL, two, MET__OS_LOCK_TRY, 0), 0);
    os->close(NULL, two);
}

/* A mark is seen by other processes, keeps nobody out, and goes with its
 * process. */
static void test_marks_name_their_process(void **state)
{
    const met__os *os = met__os_default();
    const char *path = temp_path(directory, "mark");
    int file = os->open(NULL, path, MET__OS_CREATE);
    int pipes[2];
    char byte;

    assert_int_equal(os->marked_by(NULL, file, 0, 64), 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        int good = os->mark(NULL, file, 7, 1) == 0
                   && os->mark(NULL, file, 9, 1) == 0
                   && os->mark(NULL, file, 9, 0) == 0;
        if (!good || write(pipes[1], "x", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(os->marked_by(NULL, file, 0, 64), child);
    assert_int_equal(os->marked_by(NULL, file, 7, 1), child);
    assert_int_equal(os->marked_by(NULL, file, 8, 8), 0);
    assert_int_equal(os->mark(NULL, file, 7, 1), 0);
    assert_int_equal(os->marked_by(NULL, file, 7, 1), child); /* not we */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(os->marked_by(NULL, file, 0, 64), 0);
    assert_int_equal(os->marked_by(NULL, -1, 0, 64), -EBADF);
    assert_int_equal(os->mark(NULL, -1, 0, 1), -EBADF);
    close(pipes[0]);
    close(pipes[1]);
    os->close(NULL, file);
}

static int count_names(void *context, const met__os_entry *entry)
{
    assert_true(entry->name[0] == 'n');
    return ++*(int *)context == 3 ? 7 : 0;
}

static void test_listing_stops_when_told(void **state)
{
    const met__os *os = met__os_default();
    char name[] = "n0";
    int count = 0;

    for (int i = 0; i < 5; i++) {
        name[1] = (char)('0' + i);
        int file = os->open(NULL, temp_path(directory, name), MET__OS_CREATE);
        os->close(NULL, file);
    }
    assert_int_equal(os->list(NULL, directory, &count, count_names), 7);
    assert_int_equal(count, 3);
    assert_int_equal(os->list(NULL, temp_path(directory, "none"), &count,
                              count_names), -ENOENT);
}

static void test_clocks_and_randomness(void **state)
{
    const met__os *os = met__os_default();
    char boot[64];
    uint64_t one[4] = {0};
    uint64_t two[4] = {0};
    int64_t before = os->monotonic_ns(NULL);

    assert_true(os->monotonic_ns(NULL) >= before && before > 0);
    assert_true(os->utc_ns(NULL) > INT64_C(1700000000000000000));
    assert_int_equal(os->random(NULL, one, sizeof one), 0);
    assert_int_equal(os->random(NULL, two, sizeof two), 0);
    assert_memory_not_equal(one, two, sizeof one);
    assert_int_equal(os->boot_id(NULL, boot), 0);
    assert_int_equal(strlen(boot), 36);
    assert_int_equal(os->process_id(NULL), getpid());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_errors_have_one_meaning), TEST(test_files),
        TEST(test_links_are_not_followed),
        TEST(test_locks_belong_to_descriptions),
        TEST(test_marks_name_their_process),
        TEST(test_listing_stops_when_told), TEST(test_clocks_and_randomness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

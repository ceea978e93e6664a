/* What is left of a store that was being made when its maker was killed, at
 * every system call: the next to make or open it finds none of it. What
 * somebody is still at work on, and what is not ours, stays. */
#include "store_support.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include "store/store_env.h"
#include "support/syscalls.h"

static char home[64];
static char path[128];
static long kill_at;
static long calls;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/s", home);
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static int names_in(const char *directory)
{
    DIR *listing = opendir(directory);
    int count = -2;

    assert_non_null(listing);
    while (readdir(listing) != NULL) {
        count++;
    }
    closedir(listing);
    return count;
}

static void kill_here(void)
{
    if (++calls == kill_at) {
        kill(getpid(), SIGKILL);
    }
}

/* 1: it was killed at that call; 0: it came to its end. */
static int make_killed(long at, int is_backup)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        faulty_disk disk;
        met__platform platform;
        met_store *store = NULL;
        faulty_disk_init(&disk);
        platform = faulty_platform(NULL, &disk);
        if (is_backup
            && met__store_open(&platform, path, SMALL_MAP, 0, &store, NULL)
                   != MET_OK) {
            _exit(2);
        }
        kill_at = at;
        disk.before = kill_here;
        write_faults.before = kill_here;
        char copy[160];
        snprintf(copy, sizeof copy, "%s/copy", home);
        met_error error =
            is_backup ? met__store_backup(store, copy, NULL, NULL)
                      : met__store_open(&platform, path, SMALL_MAP, 1, &store,
                                        NULL);
        _exit(error != MET_OK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 1;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

static void test_temporary__killed_while_a_store_is_made(void **state)
{
    int left = 0;
    long at = 1;

    for (; make_killed(at, 0); at++) {
        left += names_in(home) > 1;
        met_store_close(must_open(path, 1));
        assert_int_equal(names_in(home), 1);
        temp_remove(path);
    }
    assert_true(at > 20 && left > 10);
    assert_int_equal(names_in(home), 1);
}

static void test_temporary__killed_while_one_is_copied(void **state)
{
    char copy[160];
    int left = 0;
    long at = 1;

    snprintf(copy, sizeof copy, "%s/copy", home);
    met_store_close(must_open(path, 1));
    for (; make_killed(at, 1); at++) {
        left += names_in(home) > 2;
        met_store *store = must_open(path, 0);
        met_error error = met__store_backup(store, copy, NULL, NULL);
        assert_true(error == MET_OK || error == MET_E_EXISTS);
        met_store_close(store);
        met_store_close(must_open(copy, 0));
        assert_int_equal(names_in(home), 2);
        temp_remove(copy);
    }
    assert_true(at > 10 && left > 5);
}

/* Whoever works on it has the lock; also when he came to his end. */
static void test_temporary__somebody_is_at_work(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__store_temporary mine;
    met__store_temporary another;

    assert_int_equal(met__store_temporary_begin(&platform, path, &mine, NULL),
                     MET_OK);
    assert_int_equal(names_in(home), 2);
    met_store_close(must_open(path, 1));
    met_store_close(must_open(path, 0));
    assert_true(temp_exists(mine.path));
    assert_int_equal(met__store_temporary_begin(&platform, path, &another,
                                                NULL),
                     MET_OK);
    assert_string_not_equal(mine.path, another.path);
    assert_int_equal(names_in(home), 5);
    met__store_temporary_end(&platform, &another, 0);
    met__store_temporary_end(&platform, &mine, 0);
    assert_int_equal(names_in(home), 1);
}

static void test_temporary__what_is_not_ours(void **state)
{
    static const char *const kept[] = {
        "s.new-0123456789abcdef",       /* of an earlier build: nobody knows */
        "s.new-0123456789abcde.lock",   /* other names */
        "s.new-0123456789abcdefa.lock", "s.new-0123456789ABCDEF.lock",
        "ss.new-0123456789abcdef.lock", "s.new-0123456789abcdef.lock2"};
    char target[160];

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        assert_int_equal(mkdir(temp_path(home, kept[i]), 0700), 0);
    }
    /* a link in the place of what is abandoned is not followed */
    snprintf(target, sizeof target, "%s/target", home);
    assert_int_equal(mkdir(target, 0700), 0);
    write_whole(temp_path(target, "mine"), "x", 1);
    assert_int_equal(symlink(target,
                             temp_path(home, "s.new-00000000000000aa")),
                     0);
    write_whole(temp_path(home, "s.new-00000000000000aa.lock"), "", 0);
    /* nor is one in the place of its lock */
    assert_int_equal(symlink(temp_path(target, "mine"),
                             temp_path(home, "s.new-00000000000000bb.lock")),
                     0);
    met_store_close(must_open(path, 1));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        assert_true(temp_exists(temp_path(home, kept[i])));
    }
    assert_true(temp_exists(temp_path(target, "mine")));
    assert_false(temp_exists(temp_path(home,
                                       "s.new-00000000000000aa.lock")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_temporary__killed_while_a_store_is_made),
        TEST(test_temporary__killed_while_one_is_copied),
        TEST(test_temporary__somebody_is_at_work),
        TEST(test_temporary__what_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

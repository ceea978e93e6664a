/* The fork counter and the descriptors a child must not keep. */
#include "base_support.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_guard.h"

/* What the child answers, 0 to 255. */
static int in_child(int (*ask)(void *), void *context)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        _exit(ask(context));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int has_another_generation(void *context)
{
    return met__fork_generation() != *(uint32_t *)context;
}

static int keeps_file(void *context)
{
    return fcntl(*(int *)context, F_GETFD) >= 0;
}

static int can_lock(void *context)
{
    met__process_lock();
    met__process_unlock();
    return 1;
}

static void test_a_child_has_another_generation(void **state)
{
    uint32_t generation;

    assert_int_equal(met__fork_guard_start(&generation), MET_OK);
    assert_int_equal(in_child(has_another_generation, &generation), 1);
    assert_true(met__fork_generation() == generation);
}

static void test_listed_files_are_closed_in_the_child_only(void **state)
{
    uint32_t generation;
    int listed = open("/dev/null", O_RDONLY);
    int other = open("/dev/null", O_RDONLY);

    assert_int_equal(met__fork_guard_start(&generation), MET_OK);
    assert_int_equal(met__fork_close_in_child(listed), MET_OK);
    assert_int_equal(in_child(keeps_file, &listed), 0);
    assert_int_equal(in_child(keeps_file, &other), 1);
    assert_true(fcntl(listed, F_GETFD) >= 0);
    met__fork_forget(listed);
    assert_int_equal(in_child(keeps_file, &listed), 1);
    close(listed);
    close(other);
}

static void test_the_list_is_bounded(void **state)
{
    for (int i = 0; i < 1024; i++) {
        assert_int_equal(met__fork_close_in_child(100000 + i), MET_OK);
    }
    assert_int_equal(met__fork_close_in_child(5), MET_E_LIMIT);
    for (int i = 0; i < 1024; i++) {
        met__fork_forget(100000 + i);
    }
    assert_int_equal(met__fork_close_in_child(100000), MET_OK);
    met__fork_forget(100000);
    met__fork_forget(99); /* never listed */
}

static void test_the_lock_is_free_in_a_child(void **state)
{
    assert_int_equal(in_child(can_lock, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_has_another_generation),
        cmocka_unit_test(test_listed_files_are_closed_in_the_child_only),
        cmocka_unit_test(test_the_list_is_bounded),
        cmocka_unit_test(test_the_lock_is_free_in_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

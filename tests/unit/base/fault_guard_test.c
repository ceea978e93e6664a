/* Pages that are gone: covered when they are of a mapped file of ours, left to
 * whoever was asked before when they are not. Each case is a process of its
 * own, because a handler is for ever. */
#include "base_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "base/mapped_file.h"

#define FILE_SIZE (MET__FILE_HEADER_SIZE + 16 * 4096)
#define PREVIOUS 40 /* exit codes */
#define FINE 0

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

static met__mapped_file open_file(void)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__mapped_spec spec = {.magic = "METTEST1", .layout = 1,
                             .size = FILE_SIZE};
    met__mapped_file file;

    if (met__mapped_file_open(&platform, temp_path(directory, "file"), &spec,
                              1, &file, NULL)
        != MET_OK) {
        _exit(90);
    }
    return file;
}

static void close_file(met__mapped_file *file)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__mapped_file_close(&platform, file);
}

static void cut(long size)
{
    if (truncate(temp_path(directory, "file"), size) != 0) {
        _exit(91);
    }
}

/* How a process ends that does this: its exit code, or -signal. */
static int end_of(void (*body)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGBUS, SIG_DFL); /* cmocka has a handler */
        body();
        _exit(FINE);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#define NEED(condition)     \
    do {                    \
        if (!(condition)) { \
            _exit(99);      \
        }                   \
    } while (0)

/* --- Ours ----------------------------------------------------------------- */
static void touch_unguarded(void)
{
    met__mapped_file file = open_file();

    cut(4096);
    file.memory[8192] = 1;
}

static void touch_guarded(void)
{
    met__mapped_file file = open_file();
    met__platform platform = faulty_platform(NULL, NULL);

    NEED(met__fault_guard_install() == MET_OK);
    NEED(met__fault_guard_install() == MET_OK);
    file.memory[4096] = 1;
    file.memory[FILE_SIZE - 1] = 7;
    NEED(!met__mapped_file_is_lost(&file));
    cut(8192 + 10);
    NEED(met__mapped_file_check(&platform, &file) == MET_E_CORRUPT);
    file.memory[8192 + 20] = 3; /* of the page that is half there */
    NEED(!met__mapped_file_is_lost(&file));
    errno = 77;
    NEED(file.memory[5 * 4096] == 0);
    NEED(errno == 77);
    NEED(met__mapped_file_is_lost(&file) && met__fault_count() == 1);
    NEED(file.memory[FILE_SIZE - 1] == 0); /* all behind it, too */
    file.memory[FILE_SIZE - 1] = 9;
    NEED(file.memory[FILE_SIZE - 1] == 9 && met__fault_count() == 1);
    file.memory[3 * 4096] = 2; /* and one before it */
    NEED(met__fault_count() == 2 && file.memory[FILE_SIZE - 1] == 0);
    NEED(file.memory[4096] == 1);
    cut(FILE_SIZE); /* long again, but not what it was */
    NEED(met__mapped_file_check(&platform, &file) == MET_E_CORRUPT);
    close_file(&file);
    cut(0);
    NEED(met__mapped_file_open_whole(
             &platform, temp_path(directory, "file"),
             &(met__mapped_spec){.magic = "METTEST1", .layout = 1,
                                 .size = FILE_SIZE},
             0, &file, NULL)
         == MET_OK);
    NEED(!met__mapped_file_is_lost(&file) && file.size == FILE_SIZE);
}

static void touch_after_fork(void)
{
    met__mapped_file file = open_file();
    int status;

    NEED(met__fault_guard_install() == MET_OK);
    cut(4096);
    pid_t child = fork();
    if (child == 0) {
        file.memory[8192] = 1;
        _exit(met__mapped_file_is_lost(&file) ? 5 : 6);
    }
    NEED(waitpid(child, &status, 0) == child && WIFEXITED(status)
         && WEXITSTATUS(status) == 5);
    NEED(!met__mapped_file_is_lost(&file));
}

static void *touch_all(void *context)
{
    unsigned char *memory = context;

    for (size_t i = 8192; i < FILE_SIZE; i += 512) {
        memory[i]++;
    }
    return NULL;
}

static void touch_from_threads(void)
{
    met__mapped_file file = open_file();
    pthread_t threads[4];

    NEED(met__fault_guard_install() == MET_OK);
    cut(8192);
    for (int i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, touch_all, file.memory) == 0);
    }
    for (int i = 0; i < 4; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
    NEED(met__mapped_file_is_lost(&file));
}

static void test_pages_of_ours(void **state)
{
    assert_int_equal(end_of(touch_unguarded), -SIGBUS);
    temp_remove(directory);
    start(NULL);
    assert_int_equal(end_of(touch_guarded), FINE);
    assert_int_equal(end_of(touch_after_fork), FINE);
    temp_remove(directory);
    start(NULL);
    assert_int_equal(end_of(touch_from_threads), FINE);
}

/* --- Others' -------------------------------------------------------------- */
static volatile unsigned char *foreign(void)
{
    int file = open(temp_path(directory, "foreign"), O_RDWR | O_CREAT, 0600);

    NEED(file >= 0 && ftruncate(file, 8192) == 0);
    unsigned char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                                 MAP_SHARED, file, 0);
    NEED(memory != MAP_FAILED && ftruncate(file, 0) == 0);
    NEED(met__fault_cover(memory) == MET_E_NOT_FOUND);
    NEED(met__fault_cover(NULL) == MET_E_NOT_FOUND);
    return memory;
}

static void previous(int number)
{
    _exit(PREVIOUS);
}

static void previous_with_info(int number, siginfo_t *info, void *context)
{
    _exit(info->si_signo == SIGBUS && context != NULL ? PREVIOUS + 1 : 92);
}

static void touch_foreign(void)
{
    volatile unsigned char *memory = foreign();

    NEED(met__fault_guard_install() == MET_OK);
    memory[0] = 1;
}

static void touch_foreign_handled(void)
{
    signal(SIGBUS, previous);
    touch_foreign();
}

static void touch_foreign_handled_with_info(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = previous_with_info;
    NEED(sigaction(SIGBUS, &action, NULL) == 0);
    touch_foreign();
}

static void touch_foreign_ignored(void)
{
    signal(SIGBUS, SIG_IGN);
    touch_foreign();
}

static void send(void)
{
    NEED(met__fault_guard_install() == MET_OK);
    raise(SIGBUS);
}

static void send_ignored(void)
{
    signal(SIGBUS, SIG_IGN);
    send();
}

static void send_handled(void)
{
    signal(SIGBUS, previous);
    send();
}

/* What was ours is not any more. */
static void touch_closed(void)
{
    met__mapped_file file = open_file();
    unsigned char *memory = file.memory;

    close_file(&file);
    NEED(met__fault_cover(memory) == MET_E_NOT_FOUND);
    NEED(met__fault_cover(memory + 4096) == MET_E_NOT_FOUND);
}

static void test_pages_of_others(void **state)
{
    assert_int_equal(end_of(touch_foreign), -SIGBUS);
    assert_int_equal(end_of(touch_foreign_ignored), -SIGBUS);
    assert_int_equal(end_of(touch_foreign_handled), PREVIOUS);
    assert_int_equal(end_of(touch_foreign_handled_with_info), PREVIOUS + 1);
    assert_int_equal(end_of(send), -SIGBUS);
    assert_int_equal(end_of(send_ignored), FINE);
    assert_int_equal(end_of(send_handled), PREVIOUS);
    assert_int_equal(end_of(touch_closed), FINE);
}

/* --- The list ------------------------------------------------------------- */
static void test_list_is_full(void **state)
{
    static met__fault_watch *all[MET__FAULT_WATCHES];
    static unsigned char bytes[MET__FAULT_WATCHES];
    size_t count = 0;

    while (count < MET__FAULT_WATCHES
           && (all[count] = met__fault_watch_begin(&bytes[count], 1))
                  != NULL) {
        count++;
    }
    assert_int_equal(count, MET__FAULT_WATCHES);
    assert_null(met__fault_watch_begin(bytes, 1));
    met__fault_watch_end(NULL);
    met__fault_watch_end(all[7]);
    assert_int_equal(met__fault_cover(&bytes[7]), MET_E_NOT_FOUND);
    assert_ptr_equal(met__fault_watch_begin(&bytes[7], 1), all[7]);
    for (size_t i = 0; i < count; i++) {
        assert_false(met__fault_is_lost(all[i]));
        met__fault_watch_end(all[i]);
    }
    assert_false(met__fault_is_lost(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages_of_ours, start, stop),
        cmocka_unit_test_setup_teardown(test_pages_of_others, start, stop),
        cmocka_unit_test(test_list_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

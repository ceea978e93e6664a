/* A run is killed at each of its system calls, refused by a full disk at each
 * of them, and made by two processes at once: started again, it makes the
 * invoices that it would have made, and no other. */
#include "support/syscalls.h"
#include "unit/invoice/billing_support.h"
#include "unit/invoice/billing_threads.h"

#include <signal.h>
#include <sys/wait.h>

#define CUSTOMERS 300
#define AS_OF "2026-03-01T02:00:00Z"

static long kill_at; /* 0: never */
static long calls;

static void kill_here(void)
{
    if (kill_at != 0
        && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) == kill_at) {
        kill(getpid(), SIGKILL);
    }
}

static void copy_store(const char *to)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf %s/%s && cp -r %s/s %s/%s", home,
             to, home, home, to);
    assert_int_equal(system(command), 0);
}

/* What all documents say, without their ids: customers, numbers in order,
 * amounts. */
static char *summary(met_store *of)
{
    met__buffer text;
    met_buffer *buffer = fresh();

    assert_ok(keep(met_invoice_list(of, NULL, 0, buffer, &told), buffer));
    met__buffer_init(&text, answer_arena.platform);
    const met__node *items = met__node_get(answer, "items");
    for (uint32_t i = 0; i < items->count; i++) {
        static const char *const names[] = {"number", "extended_status",
                                            "issued_at", "due_at"};
        const met__node *item = items->as.items[i];
        for (size_t n = 0; n < 4; n++) {
            met__json_write(met__node_get(item, names[n]), 0, &text);
        }
        met__json_write(
            met__node_get(met__node_get(item, "customer"), "key"), 0, &text);
        met__json_write(met__node_get(item, "totals"), 0, &text);
    }
    char *copy = strdup(text.data);
    met__buffer_release(&text);
    return copy;
}

static void begin(void)
{
    char key[16];

    must_publish_unit();
    for (int i = 0; i < CUSTOMERS; i++) {
        snprintf(key, sizeof key, "c%03d", i);
        subscribe_from(key, "unit", FEBRUARY);
        must_use(key, "2026-02-10T10:00:00Z", 1u + (unsigned)i % 3);
    }
    must_settle();
    met_store_close(store);
    store = NULL;
}

/* In a process of its own, by one thread, or by more in small groups; its exit
 * status, or 128 when it was killed. */
static int run_in_threads_of_child(const char *name, long at,
                                   unsigned threads)
{
    met__run_report done = {0};
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        met_store *mine = NULL;
        if (open_documents(name, 0, &mine) != MET_OK) {
            _exit(2);
        }
        write_faults.before = kill_here;
        calls = 0;
        kill_at = at;
        met_error error =
            threads > 1 ? run_in_threads(mine, time_of(AS_OF), 50, threads,
                                         NULL, &done)
                        : run_on(mine, AS_OF);
        kill_at = 0;
        _exit(error == MET_OK && report.failed + done.failed == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run_in_child(const char *name, long at)
{
    return run_in_threads_of_child(name, at, 1);
}

static char *result_of(const char *name)
{
    met_store *mine = NULL;

    assert_int_equal(open_documents(name, 0, &mine), MET_OK);
    assert_int_equal(check_all(mine), MET_OK);
    char *text = summary(mine);
    met_store_close(mine);
    return text;
}

static void killed_by(unsigned threads)
{
    int kills = 0;

    begin();
    copy_store("whole");
    assert_int_equal(run_in_child("whole", 0), 0);
    char *expected = result_of("whole");
    assert_non_null(strstr(expected, "INV-0300"));
    for (long at = 1;; at += 2 * threads - 1) { /* of two every third */
        copy_store("killed");
        int status = run_in_threads_of_child("killed", at, threads);
        if (status != 128) {
            assert_int_equal(status, 0);
            break; /* it has fewer calls */
        }
        kills++;
        assert_int_equal(run_in_child("killed", 0), 0);
        char *got = result_of("killed");
        assert_string_equal(got, expected);
        free(got);
    }
    assert_true(kills > 8);
    free(expected);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

static void killed_at_every_call(void **state)
{
    (void)state;
    killed_by(1);
}

/* Whatever each of them was at. */
static void killed_with_two_threads(void **state)
{
    (void)state;
    killed_by(2);
}

/* The call is told, nothing is half done, and it goes on when there is room. */
static void the_disk_is_full(void **state)
{
    met_store *mine = NULL;
    int refused = 0;

    (void)state;
    begin();
    copy_store("whole");
    assert_int_equal(run_in_child("whole", 0), 0);
    char *expected = result_of("whole");
    for (long at = 1;; at++) {
        copy_store("full");
        assert_int_equal(open_documents("full", 0, &mine), MET_OK);
        syscall_arm(&write_faults, at, 1, ENOSPC);
        met_error error = run_on(mine, AS_OF);
        write_faults.is_armed = 0;
        met_store_close(mine);
        mine = NULL;
        if (error == MET_OK) {
            break;
        }
        refused++;
        assert_true(error == MET_E_DISK_FULL || error == MET_E_IO);
        assert_int_equal(run_in_child("full", 0), 0);
        char *got = result_of("full");
        assert_string_equal(got, expected);
        free(got);
    }
    assert_true(refused > 4);
    free(expected);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

static void two_processes_at_once(void **state)
{
    pid_t children[2];

    (void)state;
    begin();
    copy_store("whole");
    assert_int_equal(run_in_child("whole", 0), 0);
    char *expected = result_of("whole");
    for (int turn = 0; turn < 5; turn++) {
        copy_store("both");
        fflush(NULL);
        for (int i = 0; i < 2; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                _exit(run_in_child("both", 0));
            }
        }
        for (int i = 0; i < 2; i++) {
            int status = 0;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        char *got = result_of("both");
        assert_string_equal(got, expected);
        free(got);
    }
    free(expected);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(killed_at_every_call),
        CASE(killed_with_two_threads),
        CASE(the_disk_is_full),
        CASE(two_processes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

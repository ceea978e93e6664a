/* Every public call while memory runs out at the k-th allocation, for every k;
 * while the k-th call of the operating system fails; and in a child, in a store
 * that is over, full, damaged or read by too many: an error that its docstring
 * names, with a reason (the guard looks, guard.c), nothing changed, nothing
 * leaked, and the same call works afterwards.
 *
 *   contract_sweep memory | below | disk [FUNCTION]: only that row */
#include "contract/guard.h"
#include "contract/world.h"
#include "support/kept.h"
#include "support/syscalls.h"

#include <sys/wait.h>

static unsigned complaints;

/* A row that fails does not keep the others from being looked at. */
#define complain(...) (print_error(__VA_ARGS__), print_error("\n"), \
                       complaints++)

/* --- One attempt ---------------------------------------------------------- */
/* What fails, and how often it was asked for. */
typedef struct failing {
    const char *name;
    long *calls;
    int error; /* errno of a disk */
    met_error expected;
} failing;

static const char *const quiet[] = {"close", "unlink", "remove_directory",
                                    "free_bytes", "list"};

static void arm(const failing *fault, long k)
{
    w.disk.last[0] = '\0';
    if (fault->calls == &w.memory.calls) {
        w.memory.calls = 0;
        w.memory.for_ever = 0;
        w.memory.fail_at = k;
    } else if (fault->calls == &w.disk.calls) {
        w.disk.calls = 0;
        w.disk.error = fault->error;
        w.disk.fail_at = k;
    } else if (fault->calls == &write_faults.calls) {
        syscall_arm(&write_faults, k, 0, fault->error);
    } else {
#ifdef SYSCALL_MEMORY
        syscall_arm(&memory_faults, k, 0, 0);
#endif
    }
}

static void disarm(void)
{
    w.memory.fail_at = 0;
    w.disk.fail_at = 0;
    write_faults.is_armed = 0;
#ifdef SYSCALL_MEMORY
    memory_faults.is_armed = 0;
#endif
}

static int is_over(void)
{
    return w.store == NULL
           || met_store_stats(w.store, &w.out, NULL) != MET_OK;
}

/* The call has answered while something failed. */
static void check_failure(const contract_row *row, const failing *fault, long k,
                          met_error error, uint64_t before)
{
    int may_pass = row->kind & (ROW_LATER | ROW_COPES | ROW_STEPS);

    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
        may_pass |= fault->calls == &w.disk.calls
                    && strcmp(w.disk.last, quiet[i]) == 0;
    }
    if (error == MET_OK ? !may_pass : error != fault->expected) {
        complain("%s, %s %ld %s: %s at \"%s\": \"%s\"", row->function,
                 fault->name, k, w.disk.last, met_error_name(error),
                 w.told.field, w.told.reason);
    }
    if (error != MET_OK && w.out.data != NULL) {
        complain("%s, %s %ld: an answer, and %s", row->function, fault->name,
                 k, met_error_name(error));
    }
    met_buffer_release(&w.out);
    if (row->kind & ROW_PURE) {
        return;
    }
    int over = is_over();
    met_buffer_release(&w.out);
    if (over) {
        world_close();
        world_open();
    }
    int may_differ = row->kind & ROW_STEPS || error == MET_OK;
    if (world_digest() != before && !may_differ) {
        complain("%s, %s %ld %s: %s, and something has changed",
                 row->function, fault->name, k, w.disk.last,
                 met_error_name(error));
    }
    if (world_digest() != before || over) {
        world_restore();
        begin_row(row);
    }
}

/* --- Sweeps --------------------------------------------------------------- */
static int is_used; /* and so not as it was made */

static void sweep(const contract_row *row, const failing *fault)
{
    int done = 0;

    if (is_used) {
        world_restore();
    }
    is_used = row->kind != 0 || row->before != NULL;
    begin_row(row);
    unsigned before_row = complaints;
    long step = 1;
    for (long k = 1; !done && complaints == before_row; k += step) {
        if (row->kind & ROW_AGAIN && k > 1) {
            begin_row(row);
        }
        uint64_t before = w.store != NULL ? world_digest() : 0;
        forget_kept(w.store);
        long live = w.memory.live;
        long open_files = w.disk.open_files;
        arm(fault, k);
        met_error error = attempt_row(row);
        done = *fault->calls < k;
        disarm();
        if (!done) {
            if (error != MET_OK && row->before == NULL) {
                forget_kept(w.store);
            }
            if (error != MET_OK && row->before == NULL
                && (w.memory.live != live
                    || w.disk.open_files != open_files)) {
                complain("%s, %s %ld: something is kept", row->function,
                         fault->name, k);
            }
            check_failure(row, fault, k, error, before);
            /* Behind its commit not every one is looked at. */
            step = error == MET_OK && row->kind & ROW_LATER ? 7 : 1;
        } else if (error != MET_OK) {
            complain("%s, %s: %s at \"%s\": \"%s\" with nothing failing",
                     row->function, fault->name, met_error_name(error),
                     w.told.field, w.told.reason);
        } else if (w.store != NULL && !(row->kind & (ROW_WRITES | ROW_STEPS))
                   && !(row->kind & ROW_COPES) && world_digest() != before) {
            complain("%s: reads, and something has changed", row->function);
        }
        if (done && row->kind & ROW_WRITES && world_digest() == before) {
            complain("%s: nothing has changed", row->function);
        }
    }
}

static void sweep_memory(const contract_row *row)
{
    const failing fault = {"allocation", &w.memory.calls, 0, MET_E_NO_MEMORY};

    sweep(row, &fault);
}

static void sweep_memory_below(const contract_row *row)
{
#ifdef SYSCALL_MEMORY
    const failing fault = {"allocation below", &memory_faults.calls, 0,
                         MET_E_NO_MEMORY};

    sweep(row, &fault);
#endif
}

static void sweep_disk(const contract_row *row)
{
    const failing faults[] = {
        {"EIO of call", &w.disk.calls, EIO, MET_E_IO},
        {"ENOSPC of call", &w.disk.calls, ENOSPC, MET_E_DISK_FULL},
        {"EIO of write", &write_faults.calls, EIO, MET_E_IO},
        {"ENOSPC of write", &write_faults.calls, ENOSPC, MET_E_DISK_FULL}};

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sweep(row, &faults[i]);
    }
}

static void test_memory(void **state)
{
    (void)state;
    each_row(sweep_memory);
    assert_int_equal(complaints, 0);
}

static void test_memory_below(void **state)
{
    (void)state;
    each_row(sweep_memory_below);
    assert_int_equal(complaints, 0);
}

static void test_disk(void **state)
{
    (void)state;
    each_row(sweep_disk);
    assert_int_equal(complaints, 0);
}

int main(int count, char **arguments)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, world_make, world_remove)
    const struct CMUnitTest memory[] = {TEST(test_memory)};
    const struct CMUnitTest below[] = {TEST(test_memory_below)};
    const struct CMUnitTest disk[] = {TEST(test_disk)};

    only_function = count > 2 ? arguments[2] : NULL;
    if (count > 1 && strcmp(arguments[1], "below") == 0) {
        return cmocka_run_group_tests(below, NULL, NULL);
    }
    if (count > 1 && strcmp(arguments[1], "disk") == 0) {
        return cmocka_run_group_tests(disk, NULL, NULL);
    }
    return cmocka_run_group_tests(memory, NULL, NULL);
}

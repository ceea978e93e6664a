/* A process that issues invoices is killed, again and again: numbers have no
 * gap, every invoice is whole, and nothing is billed twice or not at all. */
#include "unit/invoice/invoice_support.h"

#include <signal.h>
#include <time.h>

#define CUSTOMERS 8
#define KILLS 25

/* In a child with a store handle of its own: issues until it is killed, or, on
 * a machine that lets it go on for long, until this year. */
#define LAST_YEAR "2039-01-01T00:00:00Z"

static void issue_for_ever(const int *ready)
{
    met_store *mine = NULL;
    unsigned turn = 0;
    int is_ready = 0; /* once it has issued something */
    int64_t last_ns = time_of(LAST_YEAR);

    if (open_documents("s", 0, &mine) != MET_OK) {
        _exit(2);
    }
    for (;;) {
        char key[16];
        if (clock_now_ns >= last_ns) {
            is_ready |= write(ready[1], "x", 1) == 1;
            pause();
        }
        snprintf(key, sizeof key, "c%u", turn++ % CUSTOMERS);
        met_error error =
            met_invoice_finalize(mine, key, strlen(key), 0, NULL, NULL);
        if (error != MET_OK && error != MET_E_CONFLICT) {
            _exit(3);
        }
        if (error == MET_OK && !is_ready && write(ready[1], "x", 1) != 1) {
            _exit(2);
        }
        is_ready |= error == MET_OK;
        clock_now_ns += 3 * MET__DAY_NS; /* more falls due */
    }
}

static void kill_while_issuing(unsigned turn)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        issue_for_ever(ready);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct timespec some = {0, 300000L + (long)(turn * 7919 % 31) * 150000L};
    nanosleep(&some, NULL);
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(ready[0]);
    close(ready[1]);
}

static void check_numbers(unsigned *count_out)
{
    char expected[32];
    char path[32];
    unsigned i;

    assert_ok(list(NULL));
    const met__node *items = met__node_get(answer, "items");
    for (i = 0; i < items->count; i++) {
        snprintf(path, sizeof path, "items.%u.number", i);
        snprintf(expected, sizeof expected, "INV-%04u", i + 1);
        assert_shown(path, expected);
    }
    *count_out = i;
}

/* The months billed to one customer follow each other without gap or overlap,
 * each with its five requests. */
static void check_customer(unsigned number)
{
    const char *before = "2026-01-01T00:00:00Z";
    char path[64];
    char key[16];
    char last[64];

    snprintf(key, sizeof key, "c%u", number);
    assert_ok(list(key));
    const met__node *items = met__node_get(answer, "items");
    snprintf(last, sizeof last, "%s", before);
    for (unsigned i = 0; i < items->count; i++) {
        const met__node *lines = met__node_get(items->as.items[i], "lines");
        for (unsigned j = 0; j < lines->count; j++) {
            snprintf(path, sizeof path, "items.%u.lines.%u.period.from", i,
                     j);
            assert_shown(path, last);
            snprintf(path, sizeof path, "items.%u.lines.%u.period.to", i, j);
            snprintf(last, sizeof last, "%s", shown(path));
            snprintf(path, sizeof path, "items.%u.lines.%u.is_correction", i,
                     j);
            assert_shown(path, "");
        }
    }
}

static met_error open_again(void)
{
    return open_documents("s", 0, &store);
}

static void numbers_have_no_gap(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < CUSTOMERS; i++) {
        char key[16];
        snprintf(key, sizeof key, "c%u", i);
        subscribe_from(key, "premium", "2026-01-01T00:00:00Z");
        must_use(key, "2026-01-10T10:00:00Z", 5);
    }
    must_settle();
    clock_now_ns = time_of("2026-01-31T00:00:00Z");
    for (unsigned turn = 0; turn < KILLS; turn++) {
        met_store_close(store);
        store = NULL;
        kill_while_issuing(turn);
        assert_int_equal(open_again(), MET_OK);
        assert_int_equal(check_all(store), MET_OK);
        check_numbers(&count);
        for (unsigned i = 0; i < CUSTOMERS; i++) {
            check_customer(i);
        }
        clock_now_ns += 20 * MET__DAY_NS;
    }
    assert_true(count >= KILLS);
    /* What is due after the last kill is issued with the next number. */
    char expected[32];
    clock_now_ns = time_of("2199-01-01T00:00:00Z");
    snprintf(expected, sizeof expected, "INV-%04u", count + 1);
    assert_ok(finalize("c0", "2040-01-01T00:00:00Z"));
    assert_shown("number", expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_have_no_gap, billing_setup,
                                        billing_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

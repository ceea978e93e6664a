/* Threads that step one run: however many they are and whoever comes first,
 * the same documents with the same numbers come out as from one. */
#include "unit/invoice/billing_support.h"
#include "unit/invoice/billing_threads.h"

#define CUSTOMERS 150
#define GROUP 16 /* so that there are many */
#define COLLECTS "2026-03-01T00:30:00Z"
#define LATER "2026-04-01T02:00:00Z"

static met__run_report done;

static void copy_store(const char *to)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf %s/%s && cp -r %s/s %s/%s", home,
             to, home, home, to);
    assert_int_equal(system(command), 0);
}

static const char *name_of(int i)
{
    static char key[16];

    snprintf(key, sizeof key, "c%03d", i);
    return key;
}

/* Drafts that wait for collection, with usage that came in meanwhile, and a
 * month behind them. */
static void begin(void)
{
    must_publish_unit();
    for (int i = 0; i < CUSTOMERS; i++) {
        subscribe_from(name_of(i), "unit", FEBRUARY);
        must_use(name_of(i), "2026-02-10T10:00:00Z", 1u + (unsigned)i % 3);
    }
    must_settle();
    must_run(COLLECTS);
    assert_int_equal(report.drafts, CUSTOMERS);
    for (int i = 0; i < CUSTOMERS; i += 2) {
        must_use(name_of(i), "2026-02-11T10:00:00Z", 2);
        must_use(name_of(i), "2026-03-11T10:00:00Z", 1u + (unsigned)i % 5);
    }
    must_settle();
    clock_now_ns = time_of(LATER);
    met_store_close(store);
    store = NULL;
}

/* Ids are other ones every time. */
static void hide_ids(char *text)
{
    static const char before[] = "\"id\":\"";

    while ((text = strstr(text, before)) != NULL) {
        text += sizeof before - 1;
        memset(text, 'x', 26);
    }
}

/* All documents. */
static char *documents_of(met_store *of)
{
    static const char *const names[] = {
        "number",    "extended_status", "as_of", "issued_at", "due_at",
        "customer",  "totals",          "lines", "period",    "snapshots"};
    met__buffer text;
    met_buffer *buffer = fresh();

    assert_ok(keep(met_invoice_list(of, NULL, 0, buffer, &told), buffer));
    met__buffer_init(&text, answer_arena.platform);
    const met__node *items = met__node_get(answer, "items");
    for (uint32_t i = 0; i < items->count; i++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            const met__node *part =
                met__node_get(items->as.items[i], names[n]);
            if (part != NULL) {
                met__json_write(part, 0, &text);
            }
        }
    }
    char *copy = strdup(text.data);
    met__buffer_release(&text);
    hide_ids(copy);
    return copy;
}

static char *billed_by(unsigned threads, int (*goes_on)(met_error))
{
    met_store *mine = NULL;

    copy_store("copy");
    assert_int_equal(open_documents("copy", 0, &mine), MET_OK);
    assert_int_equal(run_in_threads(mine, time_of(LATER), GROUP, threads,
                                    goes_on, &done),
                     MET_OK);
    memory.fail_at = 0;
    assert_int_equal(done.stage, MET__RUN_DONE);
    assert_int_equal(done.collected, CUSTOMERS);
    assert_int_equal(done.customers, CUSTOMERS);
    assert_int_equal(done.drafts, CUSTOMERS);
    assert_int_equal(done.issued, 2 * CUSTOMERS);
    assert_int_equal(done.failed, 0);
    assert_int_equal(check_all(mine), MET_OK);
    char *text = documents_of(mine);
    met_store_close(mine);
    return text;
}

static void any_number_of_threads_bills_the_same(void **state)
{
    (void)state;
    begin();
    char *expected = billed_by(1, NULL);
    assert_non_null(strstr(expected, "INV-0300"));
    for (unsigned threads = 2; threads <= 8; threads *= 2) {
        char *got = billed_by(threads, NULL);
        assert_string_equal(got, expected);
        free(got);
    }
    free(expected);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

/* Memory is short again and again, less and less often, in whatever thread and
 * part: that thread is told, nobody waits for ever, and what is tried again
 * forgets nothing and counts nothing twice. It is short until somebody is told,
 * so that no failure is lost when another thread was faster. */
static long failures;
static int tries_again(met_error error)
{
    long n = __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
    long calls = __atomic_load_n(&memory.calls, __ATOMIC_RELAXED);

    __atomic_store_n(&memory.fail_at, calls + 40 + n * n * n / 4,
                     __ATOMIC_RELAXED);
    return error == MET_E_NO_MEMORY;
}

static void a_step_that_fails_is_made_again(void **state)
{
    (void)state;
    begin();
    char *expected = billed_by(1, NULL);
    for (unsigned threads = 1; threads <= 4; threads++) {
        failures = 0;
        copy_store("copy");
        memory.calls = 0;
        memory.for_ever = 1;
        memory.fail_at = 2000; /* opened by then */
        char *got = billed_by(threads, tries_again);
        memory.for_ever = 0;
        assert_true(failures > 10);
        assert_string_equal(got, expected);
        free(got);
    }
    free(expected);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

/* Threads that stop at an error leave a run that another one ends. */
static void a_run_that_all_left_goes_on(void **state)
{
    (void)state;
    begin();
    char *expected = billed_by(1, NULL);
    copy_store("left");
    for (long at = 3000;; at += 3000) {
        met_store *mine = NULL;
        assert_int_equal(open_documents("left", 0, &mine), MET_OK);
        memory.calls = 0;
        memory.fail_at = at;
        met_error error = run_in_threads(mine, time_of(LATER), GROUP, 3, NULL,
                                         &done);
        memory.fail_at = 0;
        if (error == MET_OK) {
            char *got = documents_of(mine);
            assert_string_equal(got, expected);
            free(got);
            met_store_close(mine);
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        met_store_close(mine);
    }
    free(expected);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

static void one_that_fails_stops_no_thread(void **state)
{
    static const char strange[] =
        "{\"key\":\"strange\",\"name\":\"S\",\"currency\":\"ZZZ\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
        "\"name\":\"Default\",\"rate_cards\":[{\"key\":\"example_service\","
        "\"name\":\"E\",\"feature\":{\"key\":\"example_service\"},"
        "\"billing_cadence\":\"P1M\",\"price\":" UNIT_1 "}]}]}";

    static const char customer[] =
        "{\"key\":\"c030\",\"name\":\"C\",\"usage_attribution\":"
        "{\"subject_keys\":[\"elsewhere\"]}}";

    (void)state;
    must_publish_unit();
    must_publish("strange", strange);
    for (int i = 0; i < 60; i++) {
        if (i != 30) {
            subscribe_from(name_of(i), "unit", FEBRUARY);
        }
    }
    fresh();
    assert_ok(met_customer_put(store, customer, strlen(customer), NULL,
                               &told));
    must_subscribe("c030", "strange", ",\"active_from\":\"" FEBRUARY "\"");
    clock_now_ns = time_of(LATER);
    assert_int_equal(run_in_threads(store, clock_now_ns, GROUP, 4, NULL,
                                    &done),
                     MET_OK);
    assert_int_equal(done.failed, 1);
    assert_string_equal(done.failed_name, "c030");
    assert_non_null(strstr(done.failed_reason, "ZZZ"));
    assert_int_equal(done.issued, 59);
    assert_ok(list("c059"));
    assert_shown("items.0.number", "INV-0059");
}

/* The public call, and what it says of a run that others have ended. */
static void *step_in_public(void *run)
{
    met_billing_report told_here = {.struct_size = sizeof told_here};
    static char failed;

    while (told_here.stage != MET_BILLING_DONE) {
        if (met_billing_run_step(run, &told_here, NULL) != MET_OK) {
            return &failed;
        }
    }
    return told_here.issued == CUSTOMERS * 2u ? NULL : &failed;
}

static void all_are_told_the_end(void **state)
{
    pthread_t threads[3];
    met_billing_run *run = NULL;

    (void)state;
    begin();
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
    fresh();
    assert_ok(met_billing_run_open(store, 0, &run, &told));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, step_in_public, run), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_null(step_in_public(run));
    met_billing_run_close(run);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(any_number_of_threads_bills_the_same),
        CASE(a_step_that_fails_is_made_again),
        CASE(a_run_that_all_left_goes_on),
        CASE(one_that_fails_stops_no_thread),
        CASE(all_are_told_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

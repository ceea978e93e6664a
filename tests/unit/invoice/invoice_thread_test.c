/* Threads that bill the same customers at once: every period is billed once,
 * and numbers have no gap. */
#include "unit/invoice/invoice_support.h"

#include <pthread.h>

#define THREADS 4
#define CUSTOMERS 5
#define MONTHS 3

typedef struct worker {
    pthread_t thread;
    unsigned number;
    unsigned issued;
    unsigned failures;
} worker;

/* The counting memory of documents.h is of one thread. */
static void open_for_threads(void)
{
    met_platform platform = {.struct_size = sizeof platform};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = SMALL_MAP};
    const char *path = temp_path(home, "s");

    platform.clock = (met_clock){NULL, stopped_utc_ns, stopped_utc_ns};
    met_store_close(store);
    fresh();
    assert_ok(
        met_store_open(path, strlen(path), &config, &store, &told));
}

static void name_customer(unsigned number, char key[16])
{
    snprintf(key, 16, "c%u", number);
}

/* The months of every customer, from another one on in every thread. Nothing
 * of documents.h is shared: its buffers belong to one thread. */
static void *bill_everybody(void *context)
{
    static const char *const ends[MONTHS] = {
        "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z",
        "2026-03-01T00:00:00Z"};
    worker *self = context;
    char key[16];

    for (unsigned month = 0; month < MONTHS; month++) {
        for (unsigned i = 0; i < CUSTOMERS; i++) {
            met_buffer json = {0};
            name_customer((i + self->number) % CUSTOMERS, key);
            met_error error =
                met_invoice_preview(store, key, strlen(key),
                                    time_of(ends[month]), 0, &json, NULL);
            self->failures += error != MET_OK;
            met_buffer_release(&json);
            error = met_invoice_finalize(store, key, strlen(key),
                                         time_of(ends[month]), &json, NULL);
            self->issued += error == MET_OK;
            self->failures += error != MET_OK && error != MET_E_CONFLICT;
            met_buffer_release(&json);
            error = met_invoice_list(store, key, strlen(key), &json, NULL);
            self->failures += error != MET_OK;
            met_buffer_release(&json);
        }
    }
    return NULL;
}

/* Every line of a customer: no period twice, nothing billed but once. */
static void check_customer(unsigned number, unsigned *requests)
{
    char key[16];
    const char *last = "";

    name_customer(number, key);
    assert_ok(list(key));
    const met__node *items = met__node_get(answer, "items");
    for (unsigned i = 0; i < items->count; i++) {
        const met__node *lines = met__node_get(items->as.items[i], "lines");
        for (unsigned j = 0; j < lines->count; j++) {
            const met__node *line = lines->as.items[j];
            const met__node *from =
                met__node_get(met__node_get(line, "period"), "from");
            assert_null(met__node_get(line, "is_correction"));
            assert_true(strcmp(from->as.text.data, last) > 0);
            last = from->as.text.data;
            *requests += (unsigned)strtoul(
                met__node_get(line, "quantity")->as.text.data, NULL, 10);
        }
    }
}

static void every_period_is_billed_once(void **state)
{
    worker workers[THREADS] = {0};
    unsigned issued = 0;
    unsigned requests = 0;
    char key[16];
    char path[32];
    char number[32];

    (void)state;
    for (unsigned i = 0; i < CUSTOMERS; i++) {
        name_customer(i, key);
        subscribe_from(key, "premium", "2025-12-01T00:00:00Z");
        must_use(key, "2025-12-10T10:00:00Z", 3);
        must_use(key, "2026-01-10T10:00:00Z", 4);
        must_use(key, "2026-02-10T10:00:00Z", 5);
    }
    must_settle();
    open_for_threads();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        bill_everybody, &workers[i]),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].failures, 0);
        issued += workers[i].issued;
    }
    for (unsigned i = 0; i < CUSTOMERS; i++) {
        check_customer(i, &requests);
    }
    assert_int_equal(requests, CUSTOMERS * 12);
    assert_ok(list(NULL));
    for (unsigned i = 0; i < issued; i++) {
        snprintf(path, sizeof path, "items.%u.number", i);
        snprintf(number, sizeof number, "INV-%04u", i + 1);
        assert_shown(path, number);
    }
    snprintf(path, sizeof path, "items.%u", issued);
    assert_shown(path, "");
    assert_int_equal(check_all(store), MET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_period_is_billed_once,
                                        billing_setup, billing_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

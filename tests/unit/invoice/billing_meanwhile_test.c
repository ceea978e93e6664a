/* What changes between the steps of a run: a bill is made from one moment of
 * the store and written in a later one, and whatever came between counts. */
#include "unit/invoice/billing_support.h"

#include "metering/customer.h"

#define CUSTOMERS 3
#define DUE "2026-03-01T02:00:00Z"
#define STEPS_MAX 16

static const char *name_of(int i)
{
    static const char *const names[] = {"a", "b", "c"};

    return names[i];
}

static int setup(void **state)
{
    int failed = billing_setup(state);

    must_publish_unit();
    for (int i = 0; i < CUSTOMERS; i++) {
        subscribe_from(name_of(i), "unit", FEBRUARY);
        must_use(name_of(i), "2026-02-10T10:00:00Z", 5u + (unsigned)i);
    }
    must_settle();
    clock_now_ns = time_of(DUE);
    return failed;
}

static char empty[80];

/* For every step of the run a store that is changed after it. */
static void at_every_step(void (*change)(uint64_t issued),
                          void (*look)(uint64_t issued))
{
    char command[256];
    int is_over = 0;

    snprintf(empty, sizeof empty, "%s/untouched", home);
    met_store_close(store);
    snprintf(command, sizeof command, "cp -r %s/s %s", home, empty);
    assert_int_equal(system(command), 0);
    for (int steps = 0; !is_over; steps++) {
        met_billing_run *run = NULL;
        assert_true(steps < STEPS_MAX);
        snprintf(command, sizeof command, "rm -rf %s/s && cp -r %s %s/s",
                 home, empty, home);
        assert_int_equal(system(command), 0);
        assert_int_equal(open_documents("s", 0, &store), MET_OK);
        report = (met_billing_report){.struct_size = sizeof report};
        fresh();
        assert_ok(met_billing_run_open(store, 0, &run, &told));
        for (int i = 0; i < steps; i++) {
            fresh();
            assert_ok(met_billing_run_step(run, &report, &told));
        }
        is_over = report.stage == MET_BILLING_DONE;
        uint64_t issued = report.issued;
        change(issued);
        while (report.stage != MET_BILLING_DONE) {
            fresh();
            assert_ok(met_billing_run_step(run, &report, &told));
        }
        met_billing_run_close(run);
        assert_int_equal(report.failed, 0);
        look(issued);
        must_run(NULL);
        assert_int_equal(report.drafts, 0);
        assert_int_equal(check_all(store), MET_OK);
        met_store_close(store);
    }
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
}

/* --- Somebody else bills one of them -------------------------------------- */
static void bill_b(uint64_t issued)
{
    met_error error = finalize("b", NULL);

    assert_int_equal(error, issued == 0 ? MET_OK : MET_E_CONFLICT);
}

static void everybody_has_one(uint64_t issued)
{
    (void)issued;
    assert_ok(list(NULL));
    assert_shown("items.3", "");
    for (int i = 0; i < CUSTOMERS; i++) {
        char total[16];
        snprintf(total, sizeof total, "%d.00", 5 + i);
        assert_ok(list(name_of(i)));
        assert_shown("items.0.totals.total", total);
        assert_shown("items.1", "");
    }
    assert_ok(get("INV-0003"));
    assert_int_equal(get("INV-0004"), MET_E_NOT_FOUND);
}

static void a_bill_by_somebody_else(void **state)
{
    (void)state;
    at_every_step(bill_b, everybody_has_one);
}

/* --- Bills are to be made otherwise --------------------------------------- */
static void number_otherwise(uint64_t issued)
{
    (void)issued;
    assert_ok(put_profile("c", "{\"numbering\":{\"series\":\"OWN\"}}"));
}

static void c_is_numbered_as_told(uint64_t issued)
{
    assert_ok(list("c"));
    assert_shown("items.0.number", issued == 0 ? "OWN-0001" : "INV-0003");
    assert_shown("items.0.totals.total", "7.00");
    assert_shown("items.1", "");
}

static void another_profile(void **state)
{
    (void)state;
    at_every_step(number_otherwise, c_is_numbered_as_told);
}

/* --- A customer gets another key ------------------------------------------ */
static void rename_a(uint64_t issued)
{
    static const char to_z[] =
        "{\"to\":\"z\",\"reason\":\"r\",\"actor\":\"x\"}";

    (void)issued;
    fresh();
    assert_ok(met_customer_rename(store, "a", 1, to_z, strlen(to_z), NULL,
                                  &told));
}

static void z_has_the_bill(uint64_t issued)
{
    assert_ok(list("a"));
    assert_shown("items.0", "");
    if (issued == 0) {
        /* The run has passed its place, or looked for it by its old key. */
        must_run(NULL);
    }
    assert_ok(list("z"));
    assert_shown("items.0.totals.total", "5.00");
    assert_shown("items.1", "");
}

static void another_key(void **state)
{
    (void)state;
    at_every_step(rename_a, z_has_the_bill);
}

/* --- A subscription never was --------------------------------------------- */
static void stop_c(uint64_t issued)
{
    char id[32];

    (void)issued;
    met_buffer *buffer = fresh();
    assert_ok(keep(met_subscription_list(store, "c", 1, buffer, &told),
                   buffer));
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    fresh();
    assert_ok(met_subscription_cancel(store, id, strlen(id),
                                      time_of(FEBRUARY), MET_ALLOW_PAST,
                                      NULL, &told));
}

static void c_is_not_billed_any_more(uint64_t issued)
{
    assert_ok(list("c"));
    assert_shown("items.0.totals.total", issued == 0 ? "" : "7.00");
}

static void another_end(void **state)
{
    (void)state;
    at_every_step(stop_c, c_is_not_billed_any_more);
}

/* --- Usage of the billed month -------------------------------------------- */
/* What b pays is by a dimension. */
static int setup_by_route(void **state)
{
    static const char by_route[] =
        "{\"type\":\"matrix\",\"dimension\":\"route_name\",\"values\":"
        "[{\"value\":\"\",\"amount\":\"0.5\"}]}";
    int failed = billing_setup(state);

    must_publish_unit();
    must_publish_card("by_route", story_card(by_route, NULL));
    for (int i = 0; i < CUSTOMERS; i++) {
        subscribe_from(name_of(i), i == 1 ? "by_route" : "unit", FEBRUARY);
        must_use(name_of(i), "2026-02-10T10:00:00Z", 5u + (unsigned)i);
    }
    must_settle();
    clock_now_ns = time_of(DUE);
    return failed;
}

static void use_more(uint64_t issued)
{
    (void)issued;
    must_use("a", "2026-02-11T10:00:00Z", 3);
    must_use("b", "2026-02-11T10:00:00Z", 2);
    must_settle();
}

/* Of all invoices, in cents. */
static long sum_of(const char *customer)
{
    long sum = 0;

    assert_ok(list(customer));
    for (int i = 0; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof path, "items.%d.totals.total", i);
        char *end = NULL;
        const char *total = shown(path);
        if (total[0] == '\0') {
            break;
        }
        sum += 100 * strtol(total, &end, 10);
        assert_int_equal(*end, '.');
        sum += strtol(end + 1, NULL, 10);
    }
    return sum;
}

static void everything_is_billed(uint64_t issued)
{
    (void)issued;
    must_run(NULL);
    assert_int_equal(sum_of("a"), 800);
    assert_int_equal(sum_of("b"), 400);
    assert_int_equal(sum_of("c"), 700);
}

static void more_usage(void **state)
{
    (void)state;
    at_every_step(use_more, everything_is_billed);
}

static void change_nothing(uint64_t issued)
{
    (void)issued;
}

static void each_has_its_price(uint64_t issued)
{
    (void)issued;
    assert_int_equal(sum_of("a"), 500);
    assert_int_equal(sum_of("b"), 300);
    assert_int_equal(sum_of("c"), 700);
}

static void prices_of_both_kinds(void **state)
{
    (void)state;
    at_every_step(change_nothing, each_has_its_price);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_bill_by_somebody_else),
        CASE(another_profile),
        CASE(another_key),
        CASE(another_end),
        cmocka_unit_test_setup_teardown(more_usage, setup_by_route,
                                        billing_teardown),
        cmocka_unit_test_setup_teardown(prices_of_both_kinds,
                                        setup_by_route, billing_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

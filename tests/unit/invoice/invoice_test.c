/* Invoices from front to back: the story, numbers, and that a failure leaves
 * nothing behind. */
#include "unit/invoice/invoice_support.h"

/* --- The story ------------------------------------------------------------ */
static void one_request_more_is_one_package_more(void **state)
{
    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    subscribe_from("hard", "premium", FEBRUARY);
    subscribe_from("ariel", "free", FEBRUARY);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 5001);
    must_use("consumer:hard", "2026-02-10T10:00:00Z", 5000);
    must_use("consumer:ariel", "2026-02-10T10:00:00Z", 900);
    must_settle();
    assert_ok(finalize("rosario", MARCH));
    assert_shown("number", "INV-0001");
    assert_shown("status", "issued");
    assert_shown("currency", "USD");
    assert_shown("customer.key", "rosario");
    assert_shown("customer.name", "Customer rosario");
    assert_shown("service_period.from", FEBRUARY);
    assert_shown("service_period.to", MARCH);
    assert_shown("lines.0.key", "example_service");
    assert_shown("lines.0.feature_key", "example_service");
    assert_shown("lines.0.plan.key", "premium");
    assert_shown("lines.0.plan.version", "1");
    assert_shown("lines.0.quantity", "5001");
    assert_shown("lines.0.price.type", "package");
    assert_shown("lines.0.is_open", "");
    assert_shown("lines.0.is_correction", "");
    assert_shown("lines.0.detailed_lines.0.quantity", "2");
    assert_shown("lines.0.totals.total", "2.00");
    assert_shown("totals.total", "2.00");
    assert_shown("lines.1", "");
    assert_ok(finalize("hard", MARCH));
    assert_shown("number", "INV-0002");
    assert_shown("totals.total", "1.00");
    /* Free: no charge, and so nothing to issue. */
    assert_ok(preview("ariel", MARCH, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines", "[]");
    assert_shown("totals.total", "0.00");
    assert_shown("status", "draft");
    assert_shown("number", "");
    assert_told(finalize("ariel", MARCH), MET_E_CONFLICT, "as_of_ns",
                "nothing is due");
}

static void the_running_period_is_only_shown(void **state)
{
    (void)state;
    subscribe_from("rosario", "premium", MARCH);
    must_use("consumer:rosario", "2026-03-10T10:00:00Z", 3);
    must_use("consumer:rosario", "2026-03-15T10:30:59Z", 2);
    must_use("consumer:rosario", "2026-03-15T10:31:00Z", 7); /* later */
    must_settle();
    assert_ok(preview("rosario", NULL, 0));
    assert_shown("lines", "[]");
    assert_ok(preview("rosario", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines.0.is_open", "true");
    assert_shown("lines.0.quantity", "5");
    assert_shown("lines.0.period.to", "2026-04-01T00:00:00Z");
    assert_shown("totals.total", "1.00");
    assert_told(finalize("rosario", NULL), MET_E_CONFLICT, "as_of_ns",
                "nothing is due");
}

static void a_preview_stores_nothing(void **state)
{
    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 3);
    must_settle();
    uint64_t before = stored_digest();
    assert_ok(preview("rosario", MARCH, 0));
    assert_shown("totals.total", "1.00");
    assert_ok(preview("rosario", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_shown("totals.total", "1.00");
    assert_shown("lines.1.is_open", "true");
    assert_true(stored_digest() == before);
}

/* A period without usage is billed with nothing, once. */
static void no_usage_is_a_line_of_zero(void **state)
{
    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    assert_ok(finalize("rosario", MARCH));
    assert_shown("lines.0.quantity", "0");
    assert_shown("lines.0.detailed_lines", "[]");
    assert_shown("totals.total", "0.00");
    assert_told(finalize("rosario", MARCH), MET_E_CONFLICT, "as_of_ns",
                "nothing is due");
}

/* --- Reading -------------------------------------------------------------- */
static void what_was_issued_stays_as_it_was(void **state)
{
    char id[32];
    char before[512];

    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 3);
    must_settle();
    assert_ok(finalize("rosario", MARCH));
    snprintf(id, sizeof id, "%s", shown("id"));
    snprintf(before, sizeof before, "%s", shown(""));
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 9000);
    must_settle();
    assert_ok(get("INV-0001"));
    assert_string_equal(shown(""), before);
    assert_ok(get(id));
    assert_string_equal(shown(""), before);
    assert_told(get("INV-0002"), MET_E_NOT_FOUND, "id", "INV-0002");
    assert_told(get("01ARZ3NDEKTSV4RRFFQ69G5FAV"), MET_E_NOT_FOUND, "id",
                "01ARZ");
}

static void lists(void **state)
{
    (void)state;
    assert_ok(list(NULL));
    assert_shown("items", "[]");
    subscribe_from("a", "premium", "2026-01-01T00:00:00Z");
    subscribe_from("ab", "premium", "2026-01-01T00:00:00Z");
    assert_ok(finalize("ab", FEBRUARY));
    assert_ok(finalize("a", FEBRUARY));
    assert_ok(finalize("ab", MARCH));
    assert_ok(list(NULL));
    assert_shown("items.0.number", "INV-0001");
    assert_shown("items.1.number", "INV-0002");
    assert_shown("items.2.number", "INV-0003");
    assert_shown("items.3", "");
    assert_ok(list("a"));
    assert_shown("items.0.number", "INV-0002");
    assert_shown("items.1", "");
    assert_ok(list("ab"));
    assert_shown("items.0.number", "INV-0001");
    assert_shown("items.1.number", "INV-0003");
    assert_ok(list("nobody"));
    assert_shown("items", "[]");
}

/* A customer that was removed keeps its invoices; who takes its key does not
 * inherit its subscriptions. */
static void a_new_owner_of_a_key_owes_nothing(void **state)
{
    (void)state;
    const char *id = subscribe_from("a", "premium", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 3);
    must_settle();
    fresh();
    assert_ok(
        met_subscription_cancel(store, id, strlen(id), 0, 0, NULL, &told));
    assert_ok(finalize("a", MARCH));
    assert_ok(met_customer_remove(store, "a", 1, &told));
    must_put_customer("a");
    assert_ok(preview("a", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines", "[]");
    assert_ok(list("a"));
    assert_shown("items.0.number", "INV-0001");
}

/* --- Failures ------------------------------------------------------------- */
static void bad_input(void **state)
{
    met_buffer *buffer;
    uint64_t before;

    (void)state;
    must_put_customer("a");
    before = stored_digest();
    assert_told(preview("nobody", NULL, 0), MET_E_NOT_FOUND, "customer_key",
                "nobody");
    assert_told(finalize("nobody", NULL), MET_E_NOT_FOUND, "customer_key",
                "nobody");
    assert_told(preview("a", NULL, 2), MET_E_UNSUPPORTED, "flags",
                "unknown bit");
    assert_told(preview("", NULL, 0), MET_E_INVALID, "customer_key", "1 to");
    assert_told(finalize("\xc0\x80", NULL), MET_E_INVALID, "customer_key",
                "UTF-8");
    assert_told(get(""), MET_E_INVALID, "id", "1 to");
    assert_told(get("INV\n"), MET_E_INVALID, "id", "control");
    assert_told(list(""), MET_E_INVALID, "customer_key", "1 to");
    buffer = fresh();
    assert_told(keep(met_invoice_preview(store, "a", 1, -1, 0, buffer, &told),
                     buffer),
                MET_E_INVALID, "as_of_ns", "1970");
    buffer = fresh();
    assert_told(keep(met_invoice_finalize(store, "a", 1, INT64_MAX, buffer,
                                          &told),
                     buffer),
                MET_E_INVALID, "as_of_ns", "2200");
    fresh();
    assert_told(met_invoice_preview(store, "a", 1, 0, 0, NULL, &told),
                MET_E_INVALID, "json_out", "NULL");
    assert_told(met_invoice_preview(NULL, "a", 1, 0, 0, NULL, &told),
                MET_E_INVALID, "store", "NULL");
    assert_told(met_invoice_finalize(NULL, "a", 1, 0, NULL, &told),
                MET_E_INVALID, "store", "NULL");
    assert_told(met_invoice_finalize(store, NULL, 1, 0, NULL, &told),
                MET_E_INVALID, "customer_key", "NULL");
    assert_told(met_invoice_get(store, NULL, 0, fresh(), &told),
                MET_E_INVALID, "id", "NULL");
    fresh();
    assert_told(met_invoice_get(store, "x", 1, NULL, &told), MET_E_INVALID,
                "json_out", "NULL");
    assert_told(met_invoice_list(store, NULL, 0, NULL, &told), MET_E_INVALID,
                "json_out", "NULL");
    assert_told(met_invoice_list(store, NULL, 3, fresh(), &told),
                MET_E_INVALID, "customer_key", "NULL");
    assert_int_equal(met_invoice_finalize(store, "a", 1, 0, NULL, NULL),
                     MET_E_CONFLICT);
    assert_true(stored_digest() == before);
}

static int finalize_in_child(void *context)
{
    (void)context;
    return met_invoice_finalize(store, "a", 1, 0, NULL, NULL) == MET_E_FORKED
               ? 0
               : 1;
}

static void a_child_is_told(void **state)
{
    (void)state;
    must_put_customer("a");
    assert_int_equal(in_child(finalize_in_child, NULL), 0);
}

/* Numbers have no gap when memory runs out at any allocation. */
static void memory_runs_out(void **state)
{
    uint64_t before;
    met_error error;
    long k = 0;

    (void)state;
    subscribe_from("a", "premium", "2026-01-01T00:00:00Z");
    must_use("a", "2026-01-10T10:00:00Z", 3);
    must_settle();
    assert_ok(finalize("a", FEBRUARY));
    must_use("a", "2026-01-10T10:00:00Z", 5000);
    must_settle();
    before = stored_digest();
    do {
        long live;
        fresh();
        live = memory.live;
        memory.calls = 0;
        memory.fail_at = ++k;
        error = met_invoice_finalize(store, "a", 1, time_of(MARCH), NULL,
                                     &told);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        assert_int_equal(memory.live, live);
        assert_true(error == MET_OK || stored_digest() == before);
    } while (error != MET_OK);
    assert_true(k > 10);
    assert_ok(list("a"));
    assert_shown("items.1.number", "INV-0002");
    assert_shown("items.2", "");
    for (k = 1, error = MET_E_NO_MEMORY; error != MET_OK; k++) {
        met_buffer *buffer = fresh();
        memory.calls = 0;
        memory.fail_at = k;
        error = k % 2 ? keep(met_invoice_list(store, "a", 1, buffer, &told),
                             buffer)
                      : keep(met_invoice_preview(store, "a", 1, 0, 1, buffer,
                                                 &told),
                             buffer);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
    }
}

/* --- Rendering ------------------------------------------------------------ */
static void renders_what_it_issued(void **state)
{
    met_buffer json = {0};
    met_buffer text = {0};

    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 5001);
    must_settle();
    fresh();
    assert_ok(met_invoice_finalize(store, "rosario", 7, time_of(MARCH), &json,
                                   &told));
    assert_ok(met_invoice_render(json.data, json.size, MET_INVOICE_TEXT,
                                 &text, &told));
    assert_non_null(strstr(text.data, "INVOICE INV-0001"));
    assert_non_null(strstr(text.data, "Customer rosario (rosario)"));
    assert_non_null(strstr(text.data, "quantity 5001"));
    assert_non_null(strstr(text.data, " 2.00 USD\n"));
    met_buffer_release(&text);
    met_buffer_release(&json);
}

static void rendering_needs_an_invoice(void **state)
{
    static const struct {
        const char *json;
        met_error error;
        const char *field;
    } rows[] = {
        {"", MET_E_INVALID, NULL},
        {"{", MET_E_INVALID, NULL},
        {"[]", MET_E_INVALID, "invoice"},
        {"{}", MET_E_INVALID, "invoice.lines"},
        {"{\"lines\":1}", MET_E_INVALID, "invoice.lines"},
        {"{\"lines\":[]}", MET_E_INVALID, "invoice.totals"},
        {"{\"lines\":[{},2],\"totals\":{}}", MET_E_INVALID,
         "invoice.lines[1]"},
        {"{\"lines\":[],\"totals\":[]}", MET_E_INVALID, "invoice.totals"},
        {"{\"lines\":[],\"totals\":{}}", MET_OK, NULL},
    };
    met_buffer text = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        told = (met_error_info){.struct_size = sizeof told};
        assert_int_equal(met_invoice_render(rows[i].json,
                                            strlen(rows[i].json),
                                            MET_INVOICE_TEXT, &text, &told),
                         rows[i].error);
        if (rows[i].field != NULL) {
            assert_string_equal(told.field, rows[i].field);
        }
        assert_true((text.data != NULL) == (rows[i].error == MET_OK));
        met_buffer_release(&text);
    }
    fresh();
    assert_told(met_invoice_render(NULL, 0, 1, &text, &told), MET_E_INVALID,
                "json", "NULL");
    assert_told(met_invoice_render("{}", 2, 1, NULL, &told), MET_E_INVALID,
                "text_out", "NULL");
    assert_told(met_invoice_render("{}", 2, 0, &text, &told),
                MET_E_UNSUPPORTED, "format", "MET_INVOICE_TEXT");
    assert_told(met_invoice_render("{}", 2, MET_INVOICE_JSON + 1, &text,
                                   &told),
                MET_E_UNSUPPORTED, "format", "_JSON");
    assert_told(met_invoice_render("{}", SIZE_MAX, 1, &text, &told),
                MET_E_LIMIT, "json", "bytes");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(one_request_more_is_one_package_more),
        CASE(the_running_period_is_only_shown),
        CASE(a_preview_stores_nothing),
        CASE(no_usage_is_a_line_of_zero),
        CASE(what_was_issued_stays_as_it_was),
        CASE(lists),
        CASE(a_new_owner_of_a_key_owes_nothing),
        CASE(bad_input),
        CASE(a_child_is_told),
        CASE(memory_runs_out),
        CASE(renders_what_it_issued),
        CASE(rendering_needs_an_invoice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

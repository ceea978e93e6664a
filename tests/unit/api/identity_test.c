/* Renames and erasures: totals and invoices stay, and of who it was nothing is
 * left in any table but in issued invoices. */
#include "unit/invoice/billing_support.h"

#include "support/catalog_calls.h"

#include "metering/billing.h"
#include "metering/event.h"
#include "metering/gateway.h"
#include "metering/grant.h"
#include "metering/meter.h"
#include "metering/notice.h"

/* --- What is stored ------------------------------------------------------- */
static int contains(met__text text, const char *what)
{
    return memmem(text.data, text.size, what, strlen(what)) != NULL;
}

/* In how many records a text stands, issued invoices left out. */
static size_t mentions(const char *what)
{
    met__txn *txn = NULL;
    size_t count = 0;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (int table = 0; table < MET__TABLE_COUNT; table++) {
        met__scan scan;
        met__text key;
        met__text value;
        if (table == MET__TABLE_INVOICE || table == MET__TABLE_INVOICE_OF) {
            continue;
        }
        assert_int_equal(
            met__scan_begin(txn, (met__table)table, NULL, 0, &scan), MET_OK);
        while (met__scan_next(&scan, &key, &value) == MET_OK) {
            count += contains(key, what) || contains(value, what);
        }
        met__scan_end(&scan);
    }
    met__txn_abort(txn);
    return count;
}

static const char *total_of(const char *member, const char *who)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"meter\":\"api_requests\",\"%s\":%s%s%s}", member,
             member[0] == 's' ? "[\"" : "\"", who,
             member[0] == 's' ? "\"]" : "\"");
    met_buffer *out = fresh();
    assert_ok(keep(met_usage_query(store, json, strlen(json), out, &told),
                   out));
    const char *value = shown("data.0.value");
    return value[0] != '\0' ? value : "0";
}

static void ingest(const char *json)
{
    met_ingest *ingest = NULL;
    met_buffer *out = fresh();

    assert_ok(met_ingest_open(store, NULL, &ingest, &told));
    assert_ok(keep(met_event_ingest_json(ingest, json, strlen(json), 0, NULL,
                                         out, &told),
                   out));
    met_ingest_close(ingest);
    assert_shown("verdicts", "[\"accepted\"]");
}

static void adjust(const char *json)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_usage_adjust(store, json, strlen(json), out, &told),
                   out));
}

static void apply_json(const char *json)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_catalog_apply(store, json, strlen(json), 0, 0, out,
                                     &told),
                   out));
}

/* Rosario with everything: a past, an invoice, events, a key. */
static void fill(char id[32])
{
    static const char keep_events[] = "{\"retain\":\"P90D\"}";

    apply_json("{\"consumers\":[{\"username\":\"rosario\","
               "\"keyauth_credentials\":[{\"key\":\"k\"}],\"acls\":[{"
               "\"group\":\"g\"}]},{\"username\":\"other\"}]}");
    met_buffer *out = fresh();
    assert_ok(keep(met_event_settings_put(store, keep_events,
                                          sizeof keep_events - 1, out, &told),
                   out));
    snprintf(id, 32, "%s", subscribe_from("rosario", "premium", FEBRUARY));
    static const char grant[] =
        "{\"customer\":{\"key\":\"rosario\"},\"feature\":{\"key\":"
        "\"example_service\"},\"amount\":5,\"metadata\":{\"for\":"
        "\"rosario\"}}";
    static const char profile[] = "{\"late_usage\":\"next_invoice\"}";
    fresh();
    assert_ok(met_grant_create(store, grant, sizeof grant - 1, 0, NULL,
                               &told));
    assert_ok(met_billing_profile_put(store, "rosario", 7, profile,
                                      sizeof profile - 1, NULL, &told));
    ingest("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"//i\","
           "\"type\":\"kong.api_request\",\"subject\":\"rosario\","
           "\"time\":\"2026-03-01T10:00:00Z\",\"data\":{\"service_name\":"
           "\"example_service\",\"route_name\":\"r\"}}");
    must_use("consumer:rosario", "2026-03-10T10:00:00Z", 7);
    must_use("consumer:other", "2026-03-10T10:00:00Z", 3);
    must_settle();
    adjust("{\"id\":\"a\",\"meter\":\"api_requests\",\"subject\":"
           "\"consumer:rosario\",\"dimensions\":{\"service_name\":"
           "\"example_service\"},\"time\":\"2026-03-10T10:00:00Z\","
           "\"value\":\"2\",\"reason\":\"r\",\"actor\":\"x\"}");
    assert_string_equal(total_of("customer", "rosario"), "10");
}

static void test_identity__erase_customer(void **state)
{
    char id[32];

    (void)state;
    fill(id);
    assert_told(change_identity(met_customer_erase, "rosario", "{" BECAUSE),
                MET_E_CONFLICT, "key",
                "deleting_customer_with_active_subscriptions");
    assert_ok(subscription_cancel(id, 0, 0));
    assert_told(change_identity(met_customer_erase, "rosario", "{" BECAUSE),
                MET_E_CONFLICT, "key", "deleting_customer_with_unbilled");
    assert_ok(finalize("rosario", NULL));
    assert_shown("totals.total", "1.00");
    assert_true(mentions("rosario") > 5);
    uint64_t before = stored_digest();
    assert_told(change_identity(met_customer_erase, "rosario", "{}"),
                MET_E_INVALID, "request.reason", "required");
    assert_told(change_identity(met_customer_erase, "rosario",
                                "{\"to\":\"x\"," BECAUSE),
                MET_E_INVALID, "request.to", "not a known field");
    assert_int_equal(stored_digest(), before);
    assert_ok(change_identity(met_customer_erase, "rosario", "{" BECAUSE));
    assert_shown("action", "customer.erase");
    assert_shown("from", "");
    assert_shown("reason", "asked for it");
    assert_shown("actor", "ada");
    assert_shown("at", "2026-03-15T10:30:00Z");
    assert_shown("counts.customers", "1");
    assert_shown("counts.subscriptions", "1");
    assert_shown("counts.events", "1");
    assert_shown("counts.adjustments", "1");
    assert_shown("counts.consumers", "1");
    assert_int_equal(mentions("rosario"), 0);
    assert_int_equal(check_all(store), MET_OK);
    /* What was counted and billed stays. */
    assert_string_equal(total_of("subjects", "consumer:other"), "3");
    met_buffer *out = fresh();
    static const char whole[] = "{\"meter\":\"api_requests\"}";
    assert_ok(keep(met_usage_query(store, whole, sizeof whole - 1, out, &told),
                   out));
    assert_shown("data.0.value", "13");
    assert_ok(list(NULL));
    assert_shown("items.0.customer.key", "rosario");
    assert_ok(subscription_get(id));
    assert_shown("status", "inactive");
    assert_int_equal(memcmp(shown("customer.key"), "erased:", 7), 0);
    /* The name is free, and stands for nobody from before. */
    assert_int_equal(customer_get("rosario"), MET_E_NOT_FOUND);
    must_put_customer("rosario");
    assert_string_equal(total_of("customer", "rosario"), "0");
    assert_ok(audit_list());
    assert_shown("items.0.action", "customer.erase");
    assert_shown("items.1", "");
    assert_int_equal(
        change_identity(met_customer_erase, "nobody", "{" BECAUSE),
        MET_E_NOT_FOUND);
}

/* One that was removed before; its subject is somebody else's by now. */
static void test_identity__erase_removed(void **state)
{
    (void)state;
    must_put_customer("rosario");
    assert_ok(customer_remove("rosario"));
    must_use("consumer:rosario", "2026-03-10T10:00:00Z", 7);
    must_settle();
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\","
                           "\"usage_attribution\":{\"subject_keys\":["
                           "\"consumer:rosario\"]}}"));
    assert_ok(change_identity(met_customer_erase, "rosario", "{" BECAUSE));
    assert_shown("counts.series", "0");
    assert_string_equal(total_of("customer", "c"), "7");
    assert_int_equal(mentions("Customer rosario"), 0);
    assert_int_equal(
        change_identity(met_customer_erase, "rosario", "{" BECAUSE),
        MET_E_NOT_FOUND);
}

static void test_identity__erase_subject(void **state)
{
    char id[32];

    (void)state;
    fill(id);
    assert_told(change_identity(met_subject_erase, "rosario", "{" BECAUSE),
                MET_E_CONFLICT, "subject", "is the key of a customer");
    assert_ok(change_identity(met_subject_erase, "consumer:rosario",
                              "{" BECAUSE));
    assert_shown("action", "subject.erase");
    assert_shown("counts.customers", "1");
    assert_shown("counts.consumers", "1");
    assert_int_equal(mentions("consumer:rosario"), 0);
    /* Whose it was, it still is: the bill is the same. */
    assert_string_equal(total_of("customer", "rosario"), "10");
    assert_ok(customer_get("rosario"));
    assert_int_equal(
        memcmp(shown("usage_attribution.subject_keys.0"), "erased:", 7), 0);
    assert_ok(change_identity(met_subject_erase, "nobody", "{" BECAUSE));
    assert_shown("counts.series", "0");
    assert_int_equal(check_all(store), MET_OK);
}

static void test_identity__rename(void **state)
{
    char id[32];

    (void)state;
    fill(id);
    assert_told(change_identity(met_subject_rename, "rosario",
                                "{\"to\":\"r\"," BECAUSE),
                MET_E_CONFLICT, "subject", "is the key of a customer");
    assert_told(change_identity(met_subject_rename, "consumer:rosario",
                                "{\"to\":\"rosario\"," BECAUSE),
                MET_E_CONFLICT, "to", "is a subject of the customer");
    assert_ok(change_identity(met_subject_rename, "consumer:rosario",
                              "{\"to\":\"consumer:rosie\"," BECAUSE));
    assert_shown("from", "consumer:rosario");
    assert_shown("to", "consumer:rosie");
    assert_string_equal(total_of("subjects", "consumer:rosie"), "9");
    assert_string_equal(total_of("customer", "rosario"), "10");
    assert_ok(customer_of_subject("consumer:rosie"));
    assert_shown("key", "rosario");

    assert_told(change_identity(met_customer_rename, "rosario",
                                "{\"to\":\"consumer:rosie\"," BECAUSE),
                MET_E_CONFLICT, "to", "is a subject of the customer");
    assert_told(change_identity(met_customer_rename, "rosario",
                                "{\"to\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\","
                                BECAUSE),
                MET_E_INVALID, "request.to", "must not look like an id");
    assert_int_equal(change_identity(met_customer_rename, "nobody",
                                     "{\"to\":\"x\"," BECAUSE),
                     MET_E_NOT_FOUND);
    assert_ok(change_identity(met_customer_rename, "rosario",
                              "{\"to\":\"rosie\"," BECAUSE));
    assert_shown("counts.subscriptions", "1");
    assert_string_equal(total_of("customer", "rosie"), "10");
    assert_ok(customer_of_subject("rosario"));
    assert_shown("key", "rosie");
    assert_ok(subscription_list("rosie"));
    assert_shown("items.0.id", id);
    assert_shown("items.0.customer.key", "rosie");
    assert_int_equal(customer_get("rosario"), MET_E_NOT_FOUND);
    assert_ok(preview("rosie", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_int_equal(check_all(store), MET_OK);
    /* Erased later, the audit forgets the names too. */
    assert_ok(subscription_cancel(id, 0, 0));
    (void)finalize("rosie", NULL);
    assert_ok(change_identity(met_customer_erase, "rosie", "{" BECAUSE));
    assert_int_equal(mentions("rosie"), 0);
    assert_ok(audit_list());
    assert_int_equal(memcmp(shown("items.1.to"), "erased:", 7), 0);
    assert_int_equal(memcmp(shown("items.1.from"), "erased:", 7), 0);
}

/* Invoices are found by the key that a customer has now. */
static void test_identity__invoices_follow(void **state)
{
    char number[32];

    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 7);
    must_settle();
    assert_ok(finalize("rosario", MARCH));
    snprintf(number, sizeof number, "%s", shown("number"));
    assert_ok(change_identity(met_customer_rename, "rosario",
                              "{\"to\":\"rosie\"," BECAUSE));
    assert_ok(list("rosie"));
    assert_shown("items.0.number", number);
    assert_shown("items.0.customer.key", "rosario"); /* as it was issued */
    assert_ok(list("rosario"));
    assert_shown("items.0", "");
}

/* So are credit notes to them, and its usage is still what they are compared
 * with, also when somebody else has the key that they were issued to. */
static void test_identity__notes_follow(void **state)
{
    char number[32];
    char id[32];

    (void)state;
    snprintf(id, sizeof id, "%s",
             subscribe_from("rosario", "premium", FEBRUARY));
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 7);
    must_settle();
    assert_ok(finalize("rosario", MARCH));
    snprintf(number, sizeof number, "%s", shown("number"));
    assert_ok(change_identity(met_customer_rename, "rosario",
                              "{\"to\":\"rosie\"," BECAUSE));
    assert_ok(subscription_cancel(id, 0, 0));
    apply_json("{\"customers\":[{\"key\":\"rosie\",\"name\":\"R\","
               "\"usage_attribution\":{\"subject_keys\":["
               "\"consumer:rosario\"]}},{\"key\":\"rosario\",\"name\":"
               "\"Another\"}]}");
    must_use("rosario", "2026-02-10T10:00:00Z", 90000);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 5000);
    must_settle();
    assert_ok(credit(number, "{\"reason\":\"r\",\"amount\":\"0.5\"}"));
    assert_ok(list("rosie"));
    assert_shown("items.0.type", "credit_note");
    assert_ok(list("rosario"));
    assert_shown("items.0", "");
    met_buffer *out = fresh();
    assert_ok(keep(met_invoice_recompute(store, number, strlen(number),
                                         MET_INVOICE_USAGE, out, &told),
                   out));
    assert_shown("total", "1.00");
    assert_shown("total_now", "2.00");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity__erase_customer),
        TEST(test_identity__erase_removed),
        TEST(test_identity__erase_subject),
        TEST(test_identity__rename),
        TEST(test_identity__invoices_follow),
        TEST(test_identity__notes_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What stands against removing a customer: subscriptions first, then what is
 * not billed yet. */
#include "unit/invoice/invoice_support.h"

static met_error remove_customer(const char *key)
{
    met_buffer *buffer = fresh();
    return keep(met_customer_remove(store, key, strlen(key), &told), buffer);
}

static void test_guard__in_turn(void **state)
{
    char id[32];

    (void)state;
    snprintf(id, sizeof id, "%s",
             subscribe_from("rosario", "premium", FEBRUARY));
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 7);
    must_settle();
    assert_told(remove_customer("rosario"), MET_E_CONFLICT, "key",
                "deleting_customer_with_active_subscriptions");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_subscription_cancel(store, id, strlen(id), 0, 0, buffer,
                                           &told),
                   buffer));
    uint64_t before = stored_digest();
    assert_told(remove_customer("rosario"), MET_E_CONFLICT, "key",
                "deleting_customer_with_unbilled_usage: 1.00");
    assert_int_equal(stored_digest(), before);
    assert_ok(finalize("rosario", NULL));
    assert_shown("totals.total", "1.00");
    /* Late usage counts too. */
    must_use("consumer:rosario", "2026-02-10T11:00:00Z", 5000);
    must_settle();
    assert_told(remove_customer("rosario"), MET_E_CONFLICT, "key",
                "deleting_customer_with_unbilled_usage: 1.00");
    assert_ok(finalize("rosario", NULL));
    assert_ok(remove_customer("rosario"));
    assert_int_equal(remove_customer("rosario"), MET_E_NOT_FOUND);
    /* What was billed stays. */
    assert_ok(list(NULL));
    assert_shown("items.1.customer.key", "rosario");
}

/* Nothing is owed for what is free. */
static void test_guard__free(void **state)
{
    char id[32];

    (void)state;
    snprintf(id, sizeof id, "%s", subscribe_from("ariel", "free", FEBRUARY));
    must_use("consumer:ariel", "2026-02-10T10:00:00Z", 7);
    must_settle();
    met_buffer *buffer = fresh();
    assert_ok(keep(met_subscription_cancel(store, id, strlen(id), 0, 0, buffer,
                                           &told),
                   buffer));
    assert_ok(remove_customer("ariel"));
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_guard__in_turn),
        TEST(test_guard__free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

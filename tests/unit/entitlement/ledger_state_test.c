/* Stored states of ledgers: they are there after settlement, they change no
 * answer, late usage and changed grants undo them, damage is passed over. */
#include "support/entitled.h"

#include "entitlement/due.h"

static size_t states(void)
{
    met__scan scan;
    met__txn *txn;
    met__text key;
    met__text value;
    size_t count = 0;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__scan_begin(txn, MET__TABLE_BURN_STATE, NULL, 0, &scan), MET_OK);
    while (met__scan_next(&scan, &key, &value) != MET_E_NOT_FOUND) {
        count++;
    }
    met__scan_end(&scan);
    met__txn_abort(txn);
    return count;
}

/* Every value, how many there are, or NULL: removes them all. */
static void change_states(void (*change)(met__txn *txn, met__text key,
                                         met__text value))
{
    met__scan scan;
    met__txn *txn;
    met__text key;
    met__text value;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(
        met__scan_begin(txn, MET__TABLE_BURN_STATE, NULL, 0, &scan), MET_OK);
    while (met__scan_next(&scan, &key, &value) == MET_OK) {
        char copy[256];
        memcpy(copy, key.data, key.size);
        change(txn, met__text_of(copy, key.size), value);
    }
    met__scan_end(&scan);
    assert_int_equal(met__txn_commit(txn), MET_OK);
}

static void drop(met__txn *txn, met__text key, met__text value)
{
    (void)value;
    assert_int_equal(
        met__txn_remove(txn, MET__TABLE_BURN_STATE, key.data, key.size),
        MET_OK);
}

/* A record whose checksum holds, and that no reader takes. */
static void spoil(met__txn *txn, met__text key, met__text value)
{
    (void)value;
    assert_int_equal(met__txn_put(txn, MET__TABLE_BURN_STATE, key.data,
                                  key.size, "\xa7garbage", 8),
                     MET_OK);
}

static const char *const instants[] = {
    "2026-03-15T10:31:00Z", "2026-03-20T00:00:00Z", "2026-03-31T23:59:00Z",
    "2026-04-01T00:00:00Z", "2026-04-10T12:00:00Z", "2026-05-02T00:00:00Z"};

static void look_at_all(char texts[6][160])
{
    for (size_t i = 0; i < 6; i++) {
        look(instants[i]);
        snprintf(texts[i], 160, "%s %s %s %s", shown("balance"),
                 shown("usage"), shown("overage"), shown("total_available"));
    }
}

static void must_answer_the_same(void)
{
    char with[6][160];
    char without[6][160];

    look_at_all(with);
    change_states(drop);
    look_at_all(without);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(with[i], without[i]);
    }
}

/* Weeks of usage, settled every other day; it is 2 May then. */
static void live(void)
{
    must_subscribe_ariel();
    must_grant(",\"amount\":\"700\",\"max_rollover_amount\":\"300\"");
    must_grant(",\"amount\":\"20\",\"priority\":5,\"expiration\":{\"duration\""
               ":\"week\",\"count\":3},\"recurrence\":{\"interval\":\"P2D\"}");
    for (int day = 0; day < 48; day++) {
        clock_now_ns = time_of("2026-03-15T12:00:00Z") + day * MET__DAY_NS;
        must_use_at("ariel", "example_service", clock_now_ns,
                    (unsigned)(day * 37 % 101), 0);
        if (day % 2 == 1) {
            must_settle();
        }
    }
    clock_now_ns = time_of("2026-05-02T12:00:00Z");
    must_use_at("ariel", "example_service", clock_now_ns, 7, 0);
    must_settle();
}

static void states_change_no_answer(void **state)
{
    (void)state;
    live();
    /* One a usage period, and the last. */
    assert_int_equal(states(), 2);
    must_answer_the_same();
    assert_int_equal(states(), 0);
    must_use_at("ariel", "example_service", clock_now_ns, 1, 0);
    must_settle();
    assert_int_equal(states(), 1);
    must_answer_the_same();
}

static void late_usage_undoes_them(void **state)
{
    (void)state;
    live();
    must_use_at("ariel", "example_service", time_of("2026-04-20T00:00:00Z"),
                11, 0);
    must_settle();
    must_answer_the_same();
}

static void so_do_changes_of_the_past(void **state)
{
    char json[512];

    (void)state;
    live();
    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"ariel\"},\"feature\":{\"key\":"
             "\"example_service\"},\"amount\":\"50\",\"effective_at\":"
             "\"2026-04-02T00:00:00Z\"}");
    fresh();
    assert_ok(met_grant_create(store, json, strlen(json), MET_ALLOW_PAST, NULL,
                               &told));
    must_answer_the_same();
}

static void another_subject_undoes_them(void **state)
{
    (void)state;
    live();
    must_use_at("other", "example_service", time_of("2026-04-20T00:00:00Z"),
                11, 0);
    must_settle();
    fresh();
    const char *json =
        "{\"key\":\"ariel\",\"name\":\"Ariel\",\"currency\":\"USD\","
        "\"usage_attribution\":{\"subject_keys\":[\"consumer:ariel\"]}}";
    clock_now_ns += MET__SECOND_NS;
    assert_ok(met_customer_put(store, json, strlen(json), NULL, &told));
    must_answer_the_same();
}

static void damage_is_passed_over(void **state)
{
    char before[6][160];
    char after[6][160];

    (void)state;
    live();
    look_at_all(before);
    change_states(spoil);
    look_at_all(after);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(before[i], after[i]);
    }
    /* The next settlement goes on. */
    must_use_at("ariel", "example_service", clock_now_ns, 1, 0);
    must_settle();
    must_answer_the_same();
}

/* --- Due ------------------------------------------------------------------ */
static void what_is_due_is_done_once(void **state)
{
    met__txn *txn;
    int is_due = -1;

    (void)state;
    must_subscribe_ariel();
    must_grant(",\"amount\":\"700\"");
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__due_any(txn, clock_now_ns - 1, &is_due), MET_OK);
    assert_int_equal(is_due, 0);
    assert_int_equal(met__due_any(txn, clock_now_ns, &is_due), MET_OK);
    assert_int_equal(is_due, 1);
    met__txn_abort(txn);
    assert_ok(settle()); /* nobody enforces: nothing is due any more */
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__due_any(txn, INT64_MAX, &is_due), MET_OK);
    assert_int_equal(is_due, 0);
    met__txn_abort(txn);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(states_change_no_answer),
        CASE(late_usage_undoes_them),
        CASE(so_do_changes_of_the_past),
        CASE(another_subject_undoes_them),
        CASE(damage_is_passed_over),
        CASE(what_is_due_is_done_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Quota cells of customers with grants: true at every change, at settlement,
 * and at the next instant when something changes by itself; never too much. */
#include "support/entitled.h"

#define UNIT MET__QUOTA_UNIT

static met__quota_table *table;

static int with_table(void **state)
{
    int failed = billing_setup(state);

    table = NULL;
    must_subscribe_ariel(); /* 1000 a month, hard, since 1 March */
    fresh();
    assert_ok(met__quota_open_store(store, &table, &told));
    return failed;
}

static int without_table(void **state)
{
    met__quota_close(table);
    return billing_teardown(state);
}

/* Ariel's row in force at an instant: its key, and the period's number. */
typedef struct found_row {
    met__hash128 key;
    uint64_t number;
    int64_t at_ns;
} found_row;

static met_error find_row(void *context, const met__quota_visit *visit)
{
    found_row *found = context;
    met__period period;

    found->key = visit->row.key;
    (void)met__quota_row_period(&visit->row, found->at_ns, &found->number,
                                &period);
    return MET_OK;
}

static found_row row_at(const char *time)
{
    found_row found = {.at_ns = time_of(time)};
    met__terms_cache terms = {0};
    met__customer *customer;
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__customer_get(txn, MET__TEXT("ariel"), &arena, &customer),
        MET_OK);
    assert_int_equal(met__entitlements_each(txn, customer, found.at_ns, &terms,
                                            &arena, &found, find_row),
                     MET_OK);
    met__txn_abort(txn);
    met__arena_release(&arena);
    assert_true(found.number != 0);
    return found;
}

static met__quota_state cell_at(const char *time)
{
    found_row row = row_at(time);
    met__quota_state cell;

    assert_int_equal(met__quota_read(table, row.key, row.number, &cell),
                     MET_OK);
    return cell;
}

/* How many of `count` requests of one unit pass at an instant. */
static int admit(const char *time, int count)
{
    found_row row = row_at(time);
    met__quota_ticket ticket;
    met__quota_state state;
    int passed = 0;

    for (int i = 0; i < count; i++) {
        assert_int_equal(met__quota_admit(table, row.key, row.number, UNIT,
                                          row.at_ns, row.at_ns, &ticket,
                                          &state),
                         MET_OK);
        if (state.is_allowed) {
            passed++;
            assert_int_equal(
                met__quota_complete_begin(table, &ticket, UNIT), MET_OK);
            assert_int_equal(met__quota_complete_end(table, &ticket), MET_OK);
        }
    }
    return passed;
}

static void a_grant_and_a_void_are_there_at_once(void **state)
{
    (void)state;
    assert_int_equal(cell_at("2026-03-15T10:30:00Z").limit, 1000 * UNIT);
    const char *id = must_grant(",\"amount\":\"500.5\"");
    assert_int_equal(cell_at("2026-03-15T10:30:00Z").limit,
                     1500 * (int64_t)UNIT + UNIT / 2);
    fresh();
    assert_ok(met_grant_void(store, id, 26, 0, 0, NULL, &told));
    assert_int_equal(cell_at("2026-03-15T10:30:00Z").limit, 1000 * UNIT);
}

static void what_expires_is_not_granted_a_minute_longer(void **state)
{
    (void)state;
    must_grant(",\"amount\":\"500\",\"expiration\":{\"duration\":\"hour\","
               "\"count\":1}");
    met__quota_state cell = cell_at("2026-03-15T10:30:00Z");
    assert_int_equal(cell.limit, 1500 * UNIT);
    assert_int_equal(cell.next_at_ns, time_of("2026-03-15T11:30:00Z"));
    assert_int_equal(cell.next_limit, 1000 * UNIT);
    assert_int_equal(admit("2026-03-15T11:29:59Z", 1200), 1200);
    /* Of these 200 are more than the allowance; nobody has settled. */
    assert_int_equal(admit("2026-03-15T11:30:00Z", 100), 0);
    /* Settled, they were paid by the grant as far as it went. */
    must_use("consumer:ariel", "2026-03-15T11:29:59Z", 1200);
    clock_now_ns = time_of("2026-03-15T11:30:00Z");
    must_settle();
    cell = cell_at("2026-03-15T11:30:00Z");
    assert_int_equal(cell.limit, 1500 * UNIT);
    assert_int_equal(cell.next_at_ns, 0);
    assert_int_equal(admit("2026-03-15T11:30:00Z", 400), 300);
}

static void what_begins_is_granted_at_its_minute(void **state)
{
    (void)state;
    must_grant(",\"amount\":\"7\",\"effective_at\":\"2026-03-15T12:00:59Z\"");
    met__quota_state cell = cell_at("2026-03-15T10:30:00Z");
    assert_int_equal(cell.limit, 1000 * UNIT);
    assert_int_equal(cell.next_at_ns, time_of("2026-03-15T12:00:00Z"));
    assert_int_equal(cell.next_limit, 1007 * UNIT);
    assert_int_equal(admit("2026-03-15T11:59:59Z", 1001), 1000);
    assert_int_equal(admit("2026-03-15T12:00:00Z", 10), 7);
}

static void recurrences_come_by_themselves(void **state)
{
    (void)state;
    must_grant(",\"amount\":\"10\",\"effective_at\":\"2026-03-15T00:00:00Z\","
               "\"recurrence\":{\"interval\":\"P1D\"}");
    met__quota_state cell = cell_at("2026-03-15T10:30:00Z");
    assert_int_equal(cell.limit, 1010 * UNIT);
    assert_int_equal(admit("2026-03-15T10:30:00Z", 6), 6);
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 6);
    must_settle();
    cell = cell_at("2026-03-15T10:30:00Z");
    assert_int_equal(cell.limit, 1010 * UNIT);
    assert_int_equal(cell.next_at_ns, time_of("2026-03-16T00:00:00Z"));
    assert_int_equal(cell.next_limit, 1016 * UNIT);
    /* Nothing is used, and still the next day's is known when it is due. */
    clock_now_ns = time_of("2026-03-16T00:00:01Z");
    assert_ok(settle());
    cell = cell_at("2026-03-16T00:00:00Z");
    assert_int_equal(cell.limit, 1016 * UNIT);
    assert_int_equal(cell.next_at_ns, time_of("2026-03-17T00:00:00Z"));
}

/* A period that is to come may count on nothing that can still be used. */
static void what_is_left_over_is_given_once(void **state)
{
    (void)state;
    must_grant(",\"amount\":\"500\"");
    assert_int_equal(cell_at("2026-04-01T00:00:00Z").limit, 1000 * UNIT);
    clock_now_ns = time_of("2026-03-31T23:59:59Z");
    must_use("consumer:ariel", "2026-03-31T23:59:00Z", 300);
    assert_int_equal(admit("2026-03-31T23:59:00Z", 300), 300);
    must_settle(); /* the grant has 200 left */
    assert_int_equal(admit("2026-03-31T23:59:59Z", 120), 120);
    clock_now_ns = time_of("2026-04-01T00:00:01Z");
    assert_ok(settle()); /* 120 are under way */
    assert_int_equal(cell_at("2026-04-01T00:00:00Z").limit, 1080 * UNIT);
    /* March is over for everybody, whatever his clock says. */
    assert_int_equal(admit("2026-03-31T23:59:59Z", 1), 0);
    must_use("consumer:ariel", "2026-03-31T23:59:59Z", 120);
    must_settle();
    assert_int_equal(cell_at("2026-04-01T00:00:00Z").limit, 1080 * UNIT);
    assert_int_equal(admit("2026-04-01T00:00:01Z", 1100), 1080);
}

static void debt_is_not_granted(void **state)
{
    (void)state;
    must_use_at("ariel", "example_service", clock_now_ns, 1100, 0);
    must_settle();
    met__quota_state cell = cell_at("2026-03-15T10:30:00Z");
    assert_int_equal(cell.limit, -100 * UNIT);
    assert_int_equal(admit("2026-03-15T10:30:00Z", 1), 0);
    must_grant(",\"amount\":\"150\"");
    cell = cell_at("2026-03-15T10:30:00Z");
    assert_int_equal(cell.limit, 50 * UNIT);
    assert_int_equal(admit("2026-03-15T10:30:00Z", 60), 50);
}

static void a_reset_has_a_cell_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(admit("2026-03-15T10:30:00Z", 1001), 1000);
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 1000);
    must_settle();
    clock_now_ns = time_of("2026-03-16T00:00:00Z");
    assert_ok(reset(NULL));
    assert_int_equal(cell_at("2026-03-16T00:00:00Z").limit, 1000 * UNIT);
    assert_int_equal(admit("2026-03-16T00:00:00Z", 1001), 1000);
    /* Who has not heard of it yet is still held by the old one. */
    assert_int_equal(admit("2026-03-15T23:59:00Z", 1), 0);
}

/* A worker that learned of the reset late took from the old cell. */
static void what_a_late_worker_admits_counts_too(void **state)
{
    (void)state;
    clock_now_ns = time_of("2026-03-16T00:00:00Z");
    assert_ok(reset(NULL));
    must_use("consumer:ariel", "2026-03-16T00:00:00Z", 10);
    must_settle();
    met__quota_state cell = cell_at("2026-03-16T00:00:00Z");
    assert_int_equal(cell.taken, 0);
    assert_int_equal(cell.limit, 990 * UNIT);
}

static void a_new_table_knows_entitlements_that_stand_alone(void **state)
{
    char path[256];

    (void)state;
    must_put_customer("rosario");
    fresh();
    const char *json =
        "{\"customer\":{\"key\":\"rosario\"},\"feature\":{\"key\":"
        "\"example_service\"},\"type\":\"metered\",\"usage_period\":{"
        "\"interval\":\"P1M\"},\"issue_after_reset\":\"3\"}";
    assert_ok(met_entitlement_create(store, json, strlen(json), 0, NULL,
                                     &told));
    must_grant(",\"amount\":\"500\"");
    met__quota_close(table);
    table = NULL;
    snprintf(path, sizeof path, "%s/quota-2.map", met__store_path(store));
    assert_int_equal(unlink(path), 0);
    fresh();
    assert_ok(met__quota_open_store(store, &table, &told));
    assert_int_equal(cell_at("2026-03-15T10:30:00Z").limit, 1500 * UNIT);
    met__customer *customer;
    met__arena arena;
    met__txn *txn;
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(
        met__customer_get(txn, MET__TEXT("rosario"), &arena, &customer),
        MET_OK);
    met__quota_state cell;
    assert_int_equal(
        met__quota_read(table,
                        met__quota_key(met__store_secret(store), customer->id,
                                       MET__TEXT("example_service")),
                        (uint64_t)clock_now_ns >> 3, &cell),
        MET_OK);
    assert_int_equal(cell.limit, 3 * UNIT);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, with_table, without_table)
    const struct CMUnitTest tests[] = {
        CASE(a_grant_and_a_void_are_there_at_once),
        CASE(what_expires_is_not_granted_a_minute_longer),
        CASE(what_begins_is_granted_at_its_minute),
        CASE(recurrences_come_by_themselves),
        CASE(what_is_left_over_is_given_once),
        CASE(debt_is_not_granted),
        CASE(a_reset_has_a_cell_of_its_own),
        CASE(what_a_late_worker_admits_counts_too),
        CASE(a_new_table_knows_entitlements_that_stand_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* DIR/quota-2.map and the store: filled when it is new, kept by settlement, and
 * never more given away than the store knows is left. */
#include "support/billing.h"

#include "entitlement/allowance.h"
#include "entitlement/quota_file.h"

static met__quota_table *must_open_table(void)
{
    met__quota_table *table = NULL;

    fresh();
    assert_ok(met__quota_open_store(store, &table, &told));
    assert_non_null(table);
    return table;
}

/* The row of a customer's only feature at a moment, and its number. */
static met__quota_row row_at(const char *customer_key, int64_t at_ns,
                             uint64_t *number_out)
{
    met__terms_cache terms = {0};
    met__customer *customer;
    met__holder *holder;
    met__period period;
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__customer_get(txn, met__text_z(customer_key), &arena,
                                       &customer),
                     MET_OK);
    assert_int_equal(met__holder_of(txn, customer, &terms, &arena, &holder),
                     MET_OK);
    const met__allowance *allowance =
        met__holder_find(holder, MET__TEXT("example_service"), at_ns);
    assert_non_null(allowance);
    met__quota_row row = allowance->row;
    assert_int_equal(met__quota_row_period(&row, at_ns, number_out, &period),
                     MET_OK);
    met__txn_abort(txn);
    met__arena_release(&arena);
    return row;
}

/* MET_E_NOT_FOUND when nobody prepared it. */
static met_error cell_at(met__quota_table *table, const char *customer_key,
                         const char *time, met__quota_state *state_out)
{
    uint64_t number;
    met__quota_row row = row_at(customer_key, time_of(time), &number);

    return met__quota_read(table, row.key, number, state_out);
}

static int admit(met__quota_table *table, const char *customer_key,
                 const char *time)
{
    met__quota_ticket ticket;
    met__quota_state state;
    uint64_t number;
    met__quota_row row = row_at(customer_key, time_of(time), &number);

    assert_int_equal(met__quota_admit(table, row.key, number, MET__QUOTA_UNIT,
                                      clock_now_ns, clock_now_ns, &ticket,
                                      &state),
                     MET_OK);
    if (state.is_allowed) {
        assert_int_equal(
            met__quota_complete_begin(table, &ticket, MET__QUOTA_UNIT),
            MET_OK);
        must_use(customer_key, time, 1);
        assert_int_equal(met__quota_complete_end(table, &ticket), MET_OK);
    }
    return (int)state.is_allowed;
}

static void subscribe_from_march(const char *customer, const char *plan)
{
    must_put_customer(customer);
    must_subscribe(customer, plan,
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
}

#define NOW "2026-03-15T10:30:00Z" /* documents_setup's clock */

static void a_new_table_is_filled(void **state)
{
    met__quota_state cell;

    (void)state;
    subscribe_from_march("ariel", "free");
    subscribe_from_march("rosario", "premium");
    must_use("ariel", "2026-03-10T10:00:00Z", 3);
    must_use_at("ariel", "example_service", time_of("2026-03-10T10:00:00Z"),
                4, 0);
    /* Not settled: opening does it, for the machine may have been started
     * anew with usage in the slots. */
    met__recorder_close(recorder);
    recorder = NULL;
    met__quota_table *table = must_open_table();
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.limit, 996 * MET__QUOTA_UNIT);
    assert_int_equal(cell.taken, 3 * MET__QUOTA_UNIT);
    assert_int_equal(cell.left, 993 * MET__QUOTA_UNIT);
    assert_int_equal(cell.flags, 0);
    assert_int_equal(cell_at(table, "rosario", NOW, &cell), MET_OK);
    assert_int_equal(cell.flags, MET__QUOTA_SOFT);
    assert_int_equal(cell.taken, 0);
    /* The next period is there ahead of its need, untouched. */
    assert_int_equal(cell_at(table, "ariel", "2026-04-02T00:00:00Z", &cell),
                     MET_OK);
    assert_int_equal(cell.left, 1000 * MET__QUOTA_UNIT);
    met__quota_close(table);
}

/* Whoever was killed while filling: the next to open begins again. */
static void a_half_filled_table_is_filled(void **state)
{
    met__quota_table *table = NULL;
    met__quota_table *other = NULL;
    met__quota_state cell;
    uint32_t is_empty = 0;

    (void)state;
    subscribe_from_march("ariel", "free");
    must_use("ariel", "2026-03-10T10:00:00Z", 3);
    must_settle();
    fresh();
    assert_ok(met__quota_open(met__store_platform(store),
                              temp_path(met__store_path(store), "quota-2.map"),
                              met__store_id(store), 100, &table, &is_empty,
                              &told));
    assert_int_equal(is_empty, 1);
    /* Nobody enforces yet, and settlement leaves the cells to the filler. */
    assert_int_equal(met__quota_file_open_filled(store, &other), MET_OK);
    assert_null(other);
    must_use("ariel", "2026-03-10T10:00:00Z", 2);
    must_settle();
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_E_NOT_FOUND);
    other = must_open_table();
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.taken, 5 * MET__QUOTA_UNIT);
    met__quota_close(other);
    met__quota_close(table);
    assert_int_equal(met__quota_file_open_filled(store, &other), MET_OK);
    assert_non_null(other);
    met__quota_close(other);
}

static void without_a_table_nothing_is_opened(void **state)
{
    met__quota_table *table = NULL;

    (void)state;
    assert_int_equal(met__quota_file_open_filled(store, &table), MET_OK);
    assert_null(table);
    subscribe_from_march("ariel", "free");
    must_use("ariel", "2026-03-10T10:00:00Z", 3);
    must_settle();
    assert_false(
        temp_exists(temp_path(met__store_path(store), "quota-2.map")));
}

static void settlement_keeps_the_cells(void **state)
{
    met__quota_state cell;

    (void)state;
    subscribe_from_march("ariel", "free");
    met__quota_table *table = must_open_table();
    assert_int_equal(admit(table, "ariel", NOW), 1);
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.taken, MET__QUOTA_UNIT);
    must_use_at("ariel", "example_service", time_of(NOW), 998, 0);
    must_settle();
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.taken, MET__QUOTA_UNIT); /* not counted again */
    assert_int_equal(cell.limit, 2 * MET__QUOTA_UNIT);
    assert_int_equal(cell.left, MET__QUOTA_UNIT);
    assert_int_equal(admit(table, "ariel", NOW), 1);
    assert_int_equal(admit(table, "ariel", NOW), 0);
    must_settle();
    assert_int_equal(admit(table, "ariel", NOW), 0);
    /* Late usage of the period before does not disturb this one. */
    must_use_at("ariel", "example_service", time_of("2026-03-01T00:00:00Z"),
                1, 0);
    must_settle();
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.limit, MET__QUOTA_UNIT);
    met__quota_close(table);
}

/* The machine is started anew: the table is gone, the store knows. */
static void a_lost_table_gives_nothing_twice(void **state)
{
    (void)state;
    subscribe_from_march("ariel", "free");
    must_use("ariel", "2026-03-10T10:00:00Z", 998);
    must_settle();
    met__quota_table *table = must_open_table();
    assert_int_equal(admit(table, "ariel", NOW), 1);
    met__quota_close(table);
    met__recorder_close(recorder); /* counted, not settled */
    recorder = NULL;
    assert_int_equal(
        unlink(temp_path(met__store_path(store), "quota-2.map")), 0);
    table = must_open_table();
    assert_int_equal(admit(table, "ariel", NOW), 1);
    assert_int_equal(admit(table, "ariel", NOW), 0);
    met__quota_close(table);
}

static void periods_roll_over(void **state)
{
    met__quota_state cell;

    (void)state;
    subscribe_from_march("ariel", "free");
    met__quota_table *table = must_open_table();
    must_use("ariel", "2026-04-10T10:00:00Z", 1); /* ahead of its time */
    must_settle();
    assert_int_equal(cell_at(table, "ariel", "2026-04-10T10:00:00Z", &cell),
                     MET_OK);
    /* May was prepared while April was used; March has made room. */
    assert_int_equal(cell_at(table, "ariel", "2026-05-10T10:00:00Z", &cell),
                     MET_OK);
    assert_int_equal(cell.left, 1000 * MET__QUOTA_UNIT);
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_E_NOT_FOUND);
    must_use("ariel", NOW, 1); /* too late for its cell, not for the store */
    must_settle();
    assert_int_equal(cell_at(table, "ariel", "2026-05-10T10:00:00Z", &cell),
                     MET_OK);
    met__quota_close(table);
}

static met_error refresh(met__quota_table *table, const char *customer_key)
{
    met__terms_cache terms = {0};
    met__customer *customer;
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, met__store_platform(store));
    met_error error = met__txn_begin(store, 1, &txn);
    if (error == MET_OK) {
        error = met__customer_get(txn, met__text_z(customer_key), &arena,
                                  &customer);
        if (error == MET_OK) {
            error = met__quota_refresh(txn, table, customer, clock_now_ns,
                                       &terms);
        }
        met__txn_abort(txn);
    }
    met__arena_release(&arena);
    return error;
}

static void a_new_subscription_gets_its_cells(void **state)
{
    met__quota_state cell;

    (void)state;
    must_put_customer("ariel");
    must_use("ariel", "2026-03-10T10:00:00Z", 7);
    must_settle();
    met__quota_table *table = must_open_table();
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    /* The call that subscribed has made it. */
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.taken, 7 * MET__QUOTA_UNIT);
    assert_int_equal(refresh(table, "ariel"), MET_OK);
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.taken, 7 * MET__QUOTA_UNIT);
    met__quota_close(table);
}

/* Phase after phase, and one subscription after the other, numbers rise, and
 * neighbours of one subscription can stand side by side. */
static void numbers_rise_from_row_to_row(void **state)
{
    uint64_t before = 0;
    uint64_t number;
    met__quota_state cell;

    (void)state;
    must_publish(
        "phased",
        "{\"key\":\"phased\",\"name\":\"Phased\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":["
        "{\"key\":\"one\",\"name\":\"One\",\"duration\":\"P10D\","
        "\"rate_cards\":[{\"key\":\"example_service\",\"name\":\"Example\","
        "\"feature\":{\"key\":\"example_service\"},\"entitlement\":{\"type\":"
        "\"metered\",\"limit\":\"10\",\"usage_period\":\"P1D\"}}]},"
        "{\"key\":\"two\",\"name\":\"Two\",\"duration\":\"PT36H\","
        "\"rate_cards\":[{\"key\":\"example_service\",\"name\":\"Example\","
        "\"feature\":{\"key\":\"example_service\"},\"entitlement\":{\"type\":"
        "\"metered\",\"limit\":\"20\",\"usage_period\":\"PT1H\"}}]},"
        "{\"key\":\"three\",\"name\":\"Three\",\"rate_cards\":[{\"key\":"
        "\"example_service\",\"name\":\"Example\",\"feature\":{\"key\":"
        "\"example_service\"},\"entitlement\":{\"type\":\"metered\","
        "\"limit\":\"30\",\"usage_period\":\"P1M\"}}]}]}");
    must_put_customer("ariel");
    must_subscribe("ariel", "phased",
                   ",\"active_from\":\"2026-03-01T05:06:07Z\",\"active_to\":"
                   "\"2026-05-01T05:06:07Z\"");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-05-01T05:06:07Z\"");
    for (int64_t at = time_of("2026-03-01T05:07:00Z");
         at < time_of("2026-05-01T05:00:00Z");) {
        met__quota_row row = row_at("ariel", at, &number);
        met__period period;
        assert_true(number <= MET__QUOTA_NUMBER_MAX);
        assert_true(before == 0 || number > before);
        assert_true(before == 0 || ((number ^ before) & 1) == 1);
        before = number;
        assert_int_equal(met__quota_row_period(&row, at, &number, &period),
                         MET_OK);
        at = period.to_ns;
    }
    row_at("ariel", time_of("2026-05-01T05:06:00Z"), &number);
    assert_true(number > before);

    /* The last period of one phase has the first of the next beside it. */
    clock_now_ns = time_of("2026-03-11T03:00:00Z");
    met__quota_table *table = must_open_table();
    must_use("ariel", "2026-03-11T04:00:00Z", 1);
    must_settle();
    assert_int_equal(cell_at(table, "ariel", "2026-03-11T04:00:00Z", &cell),
                     MET_OK);
    assert_int_equal(cell.limit, 9 * MET__QUOTA_UNIT);
    assert_int_equal(cell_at(table, "ariel", "2026-03-11T05:07:00Z", &cell),
                     MET_OK);
    assert_int_equal(cell.limit, 20 * MET__QUOTA_UNIT);
    met__quota_close(table);
}

/* --- Meters that neither count nor sum ------------------------------------ */
static met_error take_row(void *context, const met__quota_visit *visit)
{
    *(met__quota_visit *)context = *visit;
    return MET_OK;
}

/* The only row of a customer, as the gateway's snapshot gets it. */
static met__quota_visit only_row(const char *customer_key)
{
    met__quota_visit visit = {0};
    met__terms_cache terms = {0};
    met__customer *customer;
    met__arena arena;
    met__txn *txn;

    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__customer_get(txn, met__text_z(customer_key), &arena,
                                       &customer),
                     MET_OK);
    assert_int_equal(met__entitlements_each(txn, customer, time_of(NOW),
                                            &terms, &arena, &visit, take_row),
                     MET_OK);
    met__txn_abort(txn);
    met__arena_release(&arena);
    return visit;
}

/* Nothing of them is reserved: each request is let in while something was left
 * at the last settlement. */
static void what_is_not_counted_is_checked(void **state)
{
    met__quota_ticket ticket;
    met__quota_state cell;
    met__period period;
    uint64_t number;

    (void)state;
    must_put_meter("{\"key\":\"users\",\"name\":\"Users\",\"event_type\":"
                   "\"kong.api_request\",\"aggregation\":\"unique_count\","
                   "\"value_property\":\"$.user\"}");
    must_put_feature("{\"key\":\"users\",\"name\":\"Users\",\"meter\":{"
                     "\"key\":\"users\"}}");
    must_publish_card("seats",
                      "{\"key\":\"users\",\"name\":\"U\",\"feature\":{"
                      "\"key\":\"users\"},\"billing_cadence\":\"P1M\","
                      "\"price\":{\"type\":\"free\"},\"entitlement\":{"
                      "\"type\":\"metered\",\"limit\":\"3\"}}");
    subscribe_from_march("seated", "seats");
    subscribe_from_march("ariel", "free");
    met__quota_table *table = must_open_table();
    assert_int_equal(cell_at(table, "ariel", NOW, &cell), MET_OK);
    assert_int_equal(cell.limit, 1000 * MET__QUOTA_UNIT);
    met__quota_visit visit = only_row("seated");
    assert_int_equal(visit.row.limit, 3 * MET__QUOTA_UNIT);
    assert_int_equal(visit.limit, 3 * MET__QUOTA_UNIT);
    assert_int_equal(met__quota_row_period(&visit.row, time_of(NOW), &number,
                                           &period),
                     MET_OK);
    assert_int_equal(met__quota_admit(table, visit.row.key, number, 0,
                                      clock_now_ns, clock_now_ns, &ticket,
                                      &cell),
                     MET_OK);
    assert_true(cell.is_allowed);
    for (int i = 0; i < 3; i++) {
        met_pair user = {"user", 4, &"abc"[i], 1};
        met_event event = {.struct_size = sizeof event,
                           .type = "kong.api_request",
                           .type_size = 16,
                           .subject = "seated",
                           .subject_size = 6,
                           .attributes = &user,
                           .attribute_count = 1,
                           .utc_ns = time_of(NOW)};
        if (recorder == NULL) {
            assert_ok(met__recorder_open(store, 0, &recorder, &told));
        }
        assert_ok(met__recorder_add(recorder, &event, MET__RECORD_ADMITTED,
                                    &told));
        must_settle();
        assert_int_equal(met__quota_admit(table, visit.row.key, number, 0,
                                          clock_now_ns, clock_now_ns, &ticket,
                                          &cell),
                         MET_OK);
        assert_int_equal(cell.is_allowed, i < 2);
        assert_int_equal(cell.left, (2 - i) * MET__QUOTA_UNIT);
    }
    met__quota_close(table);
}

static void memory_runs_out(void **state)
{
    met__quota_table *table = NULL;
    met_error error;
    long k = 0;

    (void)state;
    subscribe_from_march("ariel", "free");
    must_use("ariel", "2026-03-10T10:00:00Z", 3);
    must_settle();
    do {
        long live = memory.live;
        fresh();
        memory.calls = 0;
        memory.fail_at = ++k;
        error = met__quota_open_store(store, &table, &told);
        memory.fail_at = 0;
        if (error != MET_OK) {
            assert_int_equal(error, MET_E_NO_MEMORY);
            assert_int_equal(memory.live, live);
        }
    } while (error != MET_OK);
    assert_true(k > 5);
    for (k = 0; error == MET_OK || k < 10;) {
        long live = memory.live;
        memory.calls = 0;
        memory.fail_at = ++k;
        error = refresh(table, "ariel");
        memory.fail_at = 0;
        assert_int_equal(memory.live, live);
        if (error == MET_OK) {
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
    }
    met__quota_close(table);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_new_table_is_filled),
        CASE(a_half_filled_table_is_filled),
        CASE(without_a_table_nothing_is_opened),
        CASE(settlement_keeps_the_cells),
        CASE(a_lost_table_gives_nothing_twice),
        CASE(periods_roll_over),
        CASE(a_new_subscription_gets_its_cells),
        CASE(numbers_rise_from_row_to_row),
        CASE(what_is_not_counted_is_checked),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

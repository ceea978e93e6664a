/* What one pass over usage knows of many customers is what the store answers
 * when it is asked for each. */
#include "unit/invoice/invoice_support.h"

#include "entitlement/allowance.h"
#include "invoice/usage_gather.h"
#include "metering/event.h"

#define CUSTOMERS 12
#define ROUTES 5
#define JANUARY "2026-01-01T00:00:00Z"

typedef struct world {
    met__txn *txn;
    met__arena arena;
    met__usage_gather *gather;
    met__feature *feature;
    met__meter *meter;
    met__customer *customers[CUSTOMERS];
    uint32_t turns[CUSTOMERS];
} world;

static const char *const months[] = {JANUARY, FEBRUARY, MARCH};
static const char *const times[] = {
    "2025-12-31T23:59:00Z", "2026-01-01T00:00:00Z", "2026-01-31T23:59:59Z",
    "2026-02-01T00:00:00Z", "2026-02-20T10:00:00Z", "2026-03-01T00:00:00Z"};
static const char *const routes[ROUTES] = {"", "fast", "slow", "faster", "z"};

static const char *name_of(int i)
{
    static char name[16];

    snprintf(name, sizeof name, "c%d", i);
    return name;
}

/* Customer i uses what the seed says; the last one nothing. */
static int setup(void **state)
{
    uint32_t random = 7;
    int failed = billing_setup(state);

    for (int i = 0; i < CUSTOMERS; i++) {
        must_put_customer(name_of(i));
        for (int n = 0; i < CUSTOMERS - 1 && n < 20; n++) {
            random = random * 1664525u + 1013904223u;
            must_use_route(name_of(i), times[(random >> 8) % 6],
                           routes[(random >> 16) % ROUTES],
                           1 + (random >> 24) % 3);
        }
    }
    must_settle();
    return failed;
}

/* What comes and goes in one month is usage of 0, and none in the others. */
static void must_adjust(const char *id, const char *value)
{
    char json[400];

    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"meter\":\"api_requests\",\"subject\":\"c1\","
             "\"dimensions\":{\"service_name\":\"example_service\","
             "\"route_name\":\"back\"},\"time\":\"2026-02-20T10:00:00Z\","
             "\"value\":\"%s\",\"reason\":\"r\",\"actor\":\"a\"}",
             id, value);
    fresh();
    assert_ok(met_usage_adjust(store, json, strlen(json), NULL, &told));
}

static met__usage_wish wish_of(const world *self, int i, int month,
                               met__text dimension)
{
    met__period period = {time_of(months[month]), time_of(months[month + 1])};

    return (met__usage_wish){self->customers[i], self->feature, self->meter,
                             met__usage_bounds(period), dimension};
}

/* Every customer wishes both months, whole and by route. */
static void wish_all(world *self)
{
    met__usage_source source;
    met_decimal none;
    met__value_usage *values;
    size_t count;

    assert_ok(met__usage_gather_create(store, &self->gather));
    source = met__usage_gather_wishes(self->gather, self->txn);
    for (int i = 0; i < CUSTOMERS; i++) {
        met__usage_gather_next(self->gather);
        for (int month = 0; month < 2; month++) {
            met__usage_wish wish = wish_of(self, i, month, MET__TEXT(""));
            assert_ok(source.quantity(source.context, 0, &wish, &none));
            wish.dimension = MET__TEXT("route_name");
            assert_ok(source.values(source.context, 0, &wish, &self->arena,
                                    &values, &count));
            assert_int_equal(count, 0);
        }
        self->turns[i] = met__usage_gather_turn(self->gather);
    }
}

static void look_at_all(world *self, size_t items_max)
{
    int is_done = 0;
    size_t count;

    met__usage_gather_begin(self->gather);
    while (!is_done) {
        assert_ok(met__usage_gather_pass(self->gather, items_max, &count,
                                         &is_done));
    }
}

static void begin(world *self)
{
    memset(self, 0, sizeof *self);
    met__arena_init(&self->arena, met__store_platform(store));
    assert_ok(met__txn_begin(store, 0, &self->txn));
    assert_ok(met__feature_get(self->txn, MET__TEXT("example_service"),
                               &self->arena, &self->feature));
    assert_ok(met__meter_get(self->txn, self->feature->meter_key,
                             &self->arena, &self->meter));
    for (int i = 0; i < CUSTOMERS; i++) {
        assert_ok(met__customer_get(self->txn, met__text_z(name_of(i)),
                                    &self->arena, &self->customers[i]));
    }
    wish_all(self);
}

static void end(world *self)
{
    met__usage_gather_destroy(self->gather);
    met__txn_abort(self->txn);
    met__arena_release(&self->arena);
}

static void assert_equal(met_decimal a, met_decimal b)
{
    assert_int_equal(met__decimal_compare(a, b), 0);
}

/* How many values have usage. */
static size_t compare_values(world *self, int i, int month)
{
    met__usage_source source =
        met__usage_gather_answers(self->gather, self->turns[i]);
    met__usage_wish wish =
        wish_of(self, i, month, MET__TEXT("route_name"));
    met__value_usage *known;
    met__value_usage *asked;
    size_t known_count;
    size_t asked_count;

    assert_ok(source.values(source.context, source.turn, &wish, &self->arena,
                            &known, &known_count));
    assert_ok(met__customer_usage_by_value(
        self->txn, self->customers[i], self->feature, self->meter,
        wish.period, wish.dimension, &self->arena, &asked, &asked_count,
        &told));
    assert_int_equal(known_count, asked_count);
    for (size_t n = 0; n < known_count; n++) {
        assert_true(met__text_equal(known[n].value, asked[n].value));
        assert_equal(known[n].quantity, asked[n].quantity);
    }
    return known_count;
}

static void compare_quantity(world *self, int i, int month)
{
    met__usage_source source =
        met__usage_gather_answers(self->gather, self->turns[i]);
    met__usage_wish wish = wish_of(self, i, month, MET__TEXT(""));
    met_decimal known;
    met_decimal asked;

    assert_ok(source.quantity(source.context, source.turn, &wish, &known));
    assert_ok(met__customer_usage(self->txn, self->customers[i],
                                  self->feature, self->meter, wish.period,
                                  MET__USAGE_ANY, &asked, &told));
    assert_equal(known, asked);
}

static size_t compare_all(world *self)
{
    size_t values = 0;

    for (int i = 0; i < CUSTOMERS; i++) {
        for (int month = 0; month < 2; month++) {
            compare_quantity(self, i, month);
            values += compare_values(self, i, month);
        }
    }
    return values;
}

static void a_pass_knows_what_the_store_answers(void **state)
{
    world here;

    (void)state;
    must_adjust("one", "5");
    must_adjust("two", "-5");
    begin(&here);
    look_at_all(&here, 7);
    assert_in_range(compare_all(&here), 60, 120);
    end(&here);
}

/* The next pass has nothing of the one before it. */
static void a_pass_that_is_made_again_counts_once(void **state)
{
    world here;
    int is_done;
    size_t count;

    (void)state;
    begin(&here);
    look_at_all(&here, 1000);
    met__usage_gather_end(here.gather);
    met__usage_gather_wishes(here.gather, here.txn);
    met__usage_gather_begin(here.gather);
    assert_ok(met__usage_gather_pass(here.gather, 3, &count, &is_done));
    assert_int_equal(is_done, 0);
    look_at_all(&here, 1000);
    assert_in_range(compare_all(&here), 60, 120);
    end(&here);
}

/* Wherever memory is short, the next pass knows the same. */
static void a_pass_that_failed_forgets_nothing(void **state)
{
    int is_over = 0;

    (void)state;
    for (long n = 1; !is_over; n++) {
        world here;
        int is_done;
        size_t count;
        begin(&here);
        met__usage_gather_begin(here.gather);
        memory.calls = 0;
        memory.fail_at = n;
        met_error error =
            met__usage_gather_pass(here.gather, 1000, &count, &is_done);
        is_over = memory.calls < n;
        memory.fail_at = 0;
        assert_int_equal(error, is_over ? MET_OK : MET_E_NO_MEMORY);
        look_at_all(&here, 1000);
        assert_in_range(compare_all(&here), 60, 120);
        end(&here);
    }
}

/* Of more values than a price has the store is asked, which says so. */
static void too_many_values_are_not_known(void **state)
{
    world here;
    met__value_usage *values;
    size_t count;
    char route[16];

    (void)state;
    for (int i = 0; i <= MET__PRICE_VALUES_MAX; i++) {
        snprintf(route, sizeof route, "r%d", i);
        must_use_route("c3", times[4], route, 1);
    }
    must_settle();
    begin(&here);
    look_at_all(&here, 1000);
    met__usage_source source =
        met__usage_gather_answers(here.gather, here.turns[3]);
    met__usage_wish wish = wish_of(&here, 3, 1, MET__TEXT("route_name"));
    assert_int_equal(source.values(source.context, source.turn, &wish,
                                   &here.arena, &values, &count),
                     MET_E_NOT_FOUND);
    compare_quantity(&here, 3, 1);
    compare_values(&here, 4, 1);
    end(&here);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_pass_knows_what_the_store_answers),
        CASE(a_pass_that_is_made_again_counts_once),
        CASE(a_pass_that_failed_forgets_nothing),
        CASE(too_many_values_are_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

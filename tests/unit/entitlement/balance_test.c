/* Balances: a record that cannot be trusted is derived, never believed. */
#include "support/billing.h"

#include "entitlement/balance.h"

/* Runs with the allowance of "a" and its period at a moment. */
typedef struct stage {
    met__arena arena;
    met__txn *txn;
    met__terms_cache terms;
    met__customer *customer;
    met__holder *holder;
    const met__allowance *allowance;
    met__period period;
} stage;

static void enter(stage *scene, int is_write, const char *time)
{
    uint64_t number;

    memset(scene, 0, sizeof *scene);
    met__arena_init(&scene->arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, is_write, &scene->txn), MET_OK);
    assert_int_equal(met__customer_get(scene->txn, MET__TEXT("a"),
                                       &scene->arena, &scene->customer),
                     MET_OK);
    assert_int_equal(met__holder_of(scene->txn, scene->customer,
                                    &scene->terms, &scene->arena,
                                    &scene->holder),
                     MET_OK);
    scene->allowance = met__holder_find(
        scene->holder, MET__TEXT("example_service"), time_of(time));
    assert_non_null(scene->allowance);
    assert_int_equal(met__quota_row_period(&scene->allowance->row,
                                           time_of(time), &number,
                                           &scene->period),
                     MET_OK);
}

static void leave(stage *scene)
{
    met__arena_release(&scene->arena);
}

static met_error get(stage *scene, int64_t *total, int64_t *admitted)
{
    met__balance balance;
    met_error error =
        met__balance_get(scene->txn, scene->holder, scene->allowance,
                         scene->period, &scene->arena, &balance, NULL);

    if (error == MET_OK) {
        assert_int_equal(met__decimal_to_i64(balance.total, total), MET_OK);
        assert_int_equal(met__decimal_to_i64(balance.admitted, admitted),
                         MET_OK);
    }
    return error;
}

#define MOMENT "2026-03-10T10:00:00Z"

static void prepare(void)
{
    must_put_customer("a");
    must_subscribe("a", "free", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("a", MOMENT, 3);
    must_use_at("a", "example_service", time_of(MOMENT), 4, 0);
    must_settle();
}

/* The key of the only record, and the record as it is. */
static void only_record(stage *scene, unsigned char *key, size_t *key_size,
                        met__node **node_out)
{
    met__scan scan;
    met__text found;
    met__text value;

    assert_int_equal(
        met__scan_begin(scene->txn, MET__TABLE_BALANCE, NULL, 0, &scan),
        MET_OK);
    assert_int_equal(met__scan_next(&scan, &found, &value), MET_OK);
    memcpy(key, found.data, found.size);
    *key_size = found.size;
    met__scan_end(&scan);
    assert_int_equal(met__record_get(scene->txn, MET__TABLE_BALANCE, key,
                                     *key_size, &scene->arena, node_out),
                     MET_OK);
}

/* Overwrites a member of the only record. */
static void spoil(const char *name, met__node *node, met__arena *arena)
{
    unsigned char key[MET__LMDB_KEY_SIZE_MAX];
    size_t key_size;
    met__node *record;
    stage scene;

    enter(&scene, 1, MOMENT);
    only_record(&scene, key, &key_size, &record);
    assert_int_equal(met__node_set(arena, record, name, node), MET_OK);
    assert_int_equal(met__record_put(scene.txn, MET__TABLE_BALANCE, key,
                                     key_size, record),
                     MET_OK);
    assert_int_equal(met__txn_commit(scene.txn), MET_OK);
    leave(&scene);
}

static void a_record_is_believed_if_its_proof_holds(void **state)
{
    int64_t total = 0;
    int64_t admitted = 0;
    met__arena arena;
    stage scene;

    (void)state;
    prepare();
    met__arena_init(&arena, answer_arena.platform);
    spoil("total", met__node_text(&arena, MET__TEXT("12")), &arena);
    enter(&scene, 0, MOMENT);
    assert_int_equal(get(&scene, &total, &admitted), MET_OK);
    assert_int_equal(total, 12);
    assert_int_equal(admitted, 3);
    met__txn_abort(scene.txn);
    leave(&scene);

    spoil("proof", met__node_integer(&arena, 5), &arena);
    enter(&scene, 0, MOMENT);
    assert_int_equal(get(&scene, &total, &admitted), MET_OK);
    assert_int_equal(total, 7);
    assert_int_equal(admitted, 3);
    met__txn_abort(scene.txn);
    leave(&scene);

    /* The next change of it writes the truth. */
    must_use("a", MOMENT, 1);
    must_settle();
    enter(&scene, 0, MOMENT);
    assert_int_equal(get(&scene, &total, &admitted), MET_OK);
    assert_int_equal(total, 8);
    met__txn_abort(scene.txn);
    leave(&scene);
    met__arena_release(&arena);
}

static void a_damaged_record_is_derived_anew(void **state)
{
    int64_t total = -1;
    int64_t admitted = -1;
    met__arena arena;
    stage scene;

    (void)state;
    prepare();
    met__arena_init(&arena, answer_arena.platform);
    spoil("total", met__node_text(&arena, MET__TEXT("twelve")), &arena);
    enter(&scene, 0, MOMENT);
    assert_int_equal(get(&scene, &total, &admitted), MET_OK);
    assert_true(total > 0);
    met__txn_abort(scene.txn);
    leave(&scene);
    met__arena_release(&arena);
}

static void a_cancelled_period_is_shorter(void **state)
{
    int64_t total = 0;
    int64_t admitted = 0;
    stage scene;

    (void)state;
    must_put_customer("a");
    const char *id = must_subscribe(
        "a", "free", ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("a", MOMENT, 3);
    must_use("a", "2026-03-20T10:00:00Z", 4);
    must_settle();
    enter(&scene, 0, MOMENT);
    assert_int_equal(get(&scene, &total, &admitted), MET_OK);
    assert_int_equal(total, 7);
    met__txn_abort(scene.txn);
    leave(&scene);
    fresh();
    assert_ok(
        met_subscription_cancel(store, id, strlen(id), 0, 0, NULL, &told));
    enter(&scene, 0, MOMENT);
    assert_int_equal(get(&scene, &total, &admitted), MET_OK);
    assert_int_equal(total, 3);
    met__txn_abort(scene.txn);
    leave(&scene);
}

/* Exact, whatever the places: whole units, and a half for what is beside. */
static void limits_are_whole_units_and_a_half_for_the_rest(void **state)
{
    static const struct {
        const char *granted;
        const char *total;
        const char *admitted;
        int64_t limit;
        int64_t taken;
    } rows[] = {
        {"10", "0", "0", 20, 0},
        {"10", "1", "0", 18, 0},
        {"10", "0.000000001", "0.000000001", 20, 2},
        {"10", "0.000000001", "0", 19, 0},
        {"5.123456789", "0.123456789", "0", 10, 0},
        {"5.123456789", "0.123456788", "0", 11, 0},
        {"0", "0.000000001", "0", -1, 0},
        {"0", "5", "7", 4, 14},
        {"0", "5", "-7", -24, 0}, /* a cell's taken is never negative */
        {"288230376151711743", "0", "0", MET__QUOTA_AMOUNT_MAX - 1, 0},
        {"288230376151711743.5", "0", "0", MET__QUOTA_AMOUNT_MAX, 0},
        {"288230376151711744", "0", "0", MET__QUOTA_AMOUNT_MAX, 0},
        {"9999999999999999999999", "1", "0", MET__QUOTA_AMOUNT_MAX, 0},
        {"0", "9999999999999999999999", "0", -MET__QUOTA_AMOUNT_MAX, 0},
        {"0", "0", "9999999999999999999999", MET__QUOTA_AMOUNT_MAX,
         MET__QUOTA_AMOUNT_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__balance balance;
        met_decimal granted;
        int64_t limit = 7;
        assert_int_equal(met__decimal_parse(met__text_z(rows[i].granted),
                                            &granted),
                         MET_OK);
        assert_int_equal(met__decimal_parse(met__text_z(rows[i].total),
                                            &balance.total),
                         MET_OK);
        assert_int_equal(met__decimal_parse(met__text_z(rows[i].admitted),
                                            &balance.admitted),
                         MET_OK);
        assert_int_equal(met__balance_limit(&balance, granted, &limit),
                         MET_OK);
        assert_int_equal(limit, rows[i].limit);
        assert_int_equal(met__quota_taken(balance.admitted), rows[i].taken);
    }
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_record_is_believed_if_its_proof_holds),
        CASE(a_damaged_record_is_derived_anew),
        CASE(a_cancelled_period_is_shorter),
        CASE(limits_are_whole_units_and_a_half_for_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

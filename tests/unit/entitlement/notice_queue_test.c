/* The queue: order, leases, several who drain it, and its bound. */
#include "unit/entitlement/notice_support.h"

/* Notices of nobody: what they say does not matter to the queue. */
static void append(unsigned count)
{
    met__arena arena;
    met__txn *txn;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    for (unsigned i = 0; i < count; i++) {
        met__builder builder;
        met__node *node;
        met__arena_init(&arena, met__store_platform(store));
        met__builder_begin(&builder, &arena);
        met__build_integer(&builder, "number", i);
        assert_int_equal(met__builder_end(&builder, &node), MET_OK);
        assert_int_equal(met__notice_append(txn, node, &arena), MET_OK);
        met__arena_release(&arena);
    }
    assert_int_equal(met__txn_commit(txn), MET_OK);
}

static void they_come_in_order(void **state)
{
    char last[32] = "";
    char path[32];

    (void)state;
    append(40);
    clock_now_ns -= 10 * MET__DAY_NS; /* the clock is set back */
    append(40);
    clock_now_ns += 20 * MET__DAY_NS;
    append(40);
    assert_ok(next_notices(1000, 0));
    for (unsigned i = 0; i < 120; i++) {
        snprintf(path, sizeof path, "items.%u.id", i);
        assert_true(strcmp(shown(path), last) > 0);
        snprintf(last, sizeof last, "%s", shown(path));
    }
    assert_shown("items.120", "");
}

static void a_lease_keeps_others_away(void **state)
{
    char first[32];

    (void)state;
    append(3);
    assert_ok(next_notices(2, 5 * MET__SECOND_NS));
    assert_shown("items.0.number", "0");
    assert_shown("items.0.deliveries", "1");
    assert_shown("items.0.leased_until", "2026-03-15T10:30:05Z");
    assert_shown("items.1.number", "1");
    snprintf(first, sizeof first, "%s", shown("items.0.id"));
    assert_ok(next_notices(2, 0));
    assert_shown("items.0.number", "2");
    assert_shown("items.1", "");
    uint64_t before = stored_digest();
    assert_nothing_waits();
    assert_true(stored_digest() == before);
    /* Its lease is over, and it comes again under the same id. */
    clock_now_ns += 5 * MET__SECOND_NS;
    assert_ok(next_notices(1, 0));
    assert_shown("items.0.id", first);
    assert_shown("items.0.deliveries", "2");
    /* Whoever had it first may still say that it is done. */
    assert_ok(ack(first, 0));
    assert_told(ack(first, 0), MET_E_NOT_FOUND, "id", first);
    assert_ok(next_notices(1, 0));
    assert_shown("items.0.number", "1");
    assert_waiting("2");
}

/* A lease under a clock that was far ahead ends all the same. */
static void no_lease_is_longer_than_a_day(void **state)
{
    (void)state;
    append(1);
    clock_now_ns += 400 * MET__DAY_NS;
    assert_ok(next_notices(1, MET__DAY_NS));
    clock_now_ns -= 400 * MET__DAY_NS;
    assert_ok(next_notices(1, 0));
    assert_shown("items.0.deliveries", "2");
}

static void one_that_drains_alone_is_quick(void **state)
{
    char id[32];

    (void)state;
    append(10);
    assert_ok(next_notices(6, 0));
    snprintf(id, sizeof id, "%s", shown("items.5.id"));
    assert_ok(ack(id, MET_NOTICE_AND_OLDER));
    assert_waiting("4");
    assert_shown("items.0.number", "6");
    uint64_t before = stored_digest();
    assert_int_equal(ack(id, MET_NOTICE_AND_OLDER), MET_E_NOT_FOUND);
    assert_true(stored_digest() == before);
}

static void a_list_takes_nothing(void **state)
{
    (void)state;
    append(3);
    uint64_t before = stored_digest();
    assert_ok(list_notices(2));
    assert_shown("items.1.number", "1");
    assert_shown("items.1.deliveries", "0");
    assert_shown("items.2", "");
    assert_shown("waiting", "3");
    assert_shown("dropped", "0");
    assert_true(stored_digest() == before);
}

/* The counter says that the queue is full; what is dropped is the oldest. */
static void a_full_queue_drops_the_oldest(void **state)
{
    met__arena arena;
    met__txn *txn;
    met__node *record;

    (void)state;
    append(3);
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__record_get(txn, MET__TABLE_META, "notice_queue", 12,
                                     &arena, &record),
                     MET_OK);
    assert_int_equal(
        met__node_set(&arena, record, "waiting",
                      met__node_integer(&arena, MET__NOTICES_MAX)),
        MET_OK);
    assert_int_equal(met__record_put(txn, MET__TABLE_META, "notice_queue", 12,
                                     record),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met__arena_release(&arena);
    append(1);
    assert_ok(list_notices(10));
    assert_shown("items.0.number", "1");
    assert_shown("items.2.number", "0");
    assert_shown("items.3", "");
    assert_shown("waiting", "1000000");
    assert_shown("dropped", "1");
}

static void arguments_are_checked(void **state)
{
    met_buffer out = {0};

    (void)state;
    assert_told(next_notices(0, 0), MET_E_INVALID, "count_max", "1 to 1000");
    assert_told(next_notices(1001, 0), MET_E_INVALID, "count_max", "");
    assert_told(next_notices(1, 1), MET_E_INVALID, "lease_ns", "a second");
    assert_told(next_notices(1, MET__DAY_NS + 1), MET_E_INVALID, "lease_ns",
                "");
    assert_told(list_notices(0), MET_E_INVALID, "count_max", "");
    assert_told(ack("short", 0), MET_E_INVALID, "id", "26");
    assert_told(ack("01ARZ3NDEKTSV4RRFFQ69G5FAV", 2), MET_E_UNSUPPORTED,
                "flags", "");
    assert_told(ack("01ARZ3NDEKTSV4RRFFQ69G5FAV", 0), MET_E_NOT_FOUND, "id",
                "no notice");
    assert_told(met_notice_next(NULL, 1, 0, &out, &told), MET_E_INVALID,
                "store", "");
    assert_told(met_notice_next(store, 1, 0, NULL, &told), MET_E_INVALID,
                "json_out", "");
    assert_told(met_notice_list(store, 1, NULL, &told), MET_E_INVALID,
                "json_out", "");
    assert_told(met_notice_ack(NULL, "x", 1, 0, &told), MET_E_INVALID,
                "store", "");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(they_come_in_order),
        CASE(a_lease_keeps_others_away),
        CASE(no_lease_is_longer_than_a_day),
        CASE(one_that_drains_alone_is_quick),
        CASE(a_list_takes_nothing),
        CASE(a_full_queue_drops_the_oldest),
        CASE(arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

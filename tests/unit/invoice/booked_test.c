/* What was booked: added up, kept per period, never believed when damaged. */
#include "unit/invoice/invoice_support.h"

#include "invoice/booked.h"

static met__subscription subscription = {
    .id = {"01ARZ3NDEKTSV4RRFFQ69G5FAV", 26}};
static met__rate_card card = {.key = {"api", 3}};

static met__billable billable_from(int64_t from_ns)
{
    return (met__billable){.subscription = &subscription,
                           .card = &card,
                           .booked_from_ns = from_ns};
}

/* One line of this id and amount, as a document in an array. */
static met__node *one_line(met__arena *arena, const char *id, int64_t amount)
{
    met__currency currency;
    met__node *array = met__node_array(arena);
    met__node *node = NULL;
    met__line line = {
        .id = met__text_z(id),
        .name = MET__TEXT("API: usage in period"),
        .child_id = MET__TEXT("unit-price-usage"),
        .pricer_id = MET__TEXT("unit-price-usage"),
        .category = MET__LINE_REGULAR,
        .term = MET__TERM_IN_ARREARS,
        .quantity = met__decimal_from_i64(amount),
        .per_unit_amount = met__decimal_from_i64(1),
    };

    met__totals_clear(&line.totals);
    line.totals.amount = met__decimal_from_i64(amount);
    line.totals.total = line.totals.amount;
    assert_int_equal(met__currency_of(MET__TEXT("USD"), &currency), MET_OK);
    assert_int_equal(met__line_document(&line, &currency, arena, &node),
                     MET_OK);
    assert_int_equal(met__node_append(arena, array, node), MET_OK);
    return array;
}

static met_error add(met__txn *txn, const met__billable *billable,
                     const met__booked *before, int64_t quantity,
                     met__node *documents, const char *open,
                     met__arena *arena)
{
    met__booking booking = {.quantity = met__decimal_from_i64(quantity),
                            .documents = documents,
                            .open_id = met__text_z(open)};

    return met__booked_add(txn, billable, before, &booking, arena);
}

static void lines_add_up_per_period(void **state)
{
    met__billable january = billable_from(1000);
    met__billable february = billable_from(2000);
    met__booked *booked = NULL;
    met__arena arena;
    met__txn *txn;

    (void)state;
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked),
                     MET_E_NOT_FOUND);
    assert_int_equal(add(txn, &january, NULL, 5,
                         one_line(&arena, "x.1.1", 5), "", &arena),
                     MET_OK);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked), MET_OK);
    assert_int_equal(add(txn, &january, booked, 7,
                         one_line(&arena, "y.1.1", 2), "", &arena),
                     MET_OK);
    assert_int_equal(met__booked_get(txn, &february, &arena, &booked),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__txn_commit(txn), MET_OK);

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked), MET_OK);
    assert_int_equal(booked->line_count, 2);
    assert_int_equal(booked->documents->count, 2);
    assert_true(met__text_equal(booked->lines[0].id, MET__TEXT("x.1.1")));
    assert_true(met__text_equal(booked->lines[1].id, MET__TEXT("y.1.1")));
    assert_int_equal(met__decimal_compare(booked->quantity,
                                          met__decimal_from_i64(7)),
                     0);
    assert_int_equal(met__decimal_compare(booked->lines[1].totals.total,
                                          met__decimal_from_i64(2)),
                     0);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

#define DRAFT "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define OTHER "01ARZ3NDEKTSV4RRFFQ69G5FAW"

static met_error take_back(met__txn *txn, const char *invoice,
                           int64_t quantity, met__arena *arena)
{
    met__booked_place place = {subscription.id, card.key, 1000};

    return met__booked_take_back(txn, &place, met__text_z(invoice),
                                 met__decimal_from_i64(quantity), arena);
}

/* A draft takes back what it booked; nobody else does, and not for ever. */
static void a_draft_takes_back_what_is_its_own(void **state)
{
    met__billable january = billable_from(1000);
    met__booked_place place = {subscription.id, card.key, 1000};
    met__booked *booked = NULL;
    met__arena arena;
    met__txn *txn;

    (void)state;
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(take_back(txn, DRAFT, 5, &arena), MET_E_CORRUPT);
    assert_int_equal(add(txn, &january, NULL, 5,
                         one_line(&arena, OTHER ".1.1", 5), "", &arena),
                     MET_OK);
    assert_int_equal(take_back(txn, OTHER, 5, &arena), MET_E_CONFLICT);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked), MET_OK);
    assert_int_equal(add(txn, &january, booked, 9,
                         one_line(&arena, DRAFT ".1.1", 4), DRAFT, &arena),
                     MET_OK);
    assert_int_equal(take_back(txn, OTHER, 5, &arena), MET_E_CONFLICT);
    assert_int_equal(take_back(txn, DRAFT, 4, &arena), MET_OK);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked), MET_OK);
    assert_int_equal(booked->line_count, 1);
    assert_int_equal(booked->invoice_count, 1);
    assert_int_equal(met__decimal_compare(booked->quantity,
                                          met__decimal_from_i64(5)),
                     0);
    assert_int_equal(add(txn, &january, booked, 9,
                         one_line(&arena, DRAFT ".1.1", 4), DRAFT, &arena),
                     MET_OK);
    assert_int_equal(met__booked_close(txn, &place, met__text_z(OTHER),
                                       &arena),
                     MET_OK);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked), MET_OK);
    assert_int_equal(booked->open_id.size, 26);
    assert_int_equal(met__booked_close(txn, &place, met__text_z(DRAFT),
                                       &arena),
                     MET_OK);
    assert_int_equal(take_back(txn, DRAFT, 4, &arena), MET_E_CONFLICT);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* What was the first is as if it had never been. */
static void the_first_draft_leaves_nothing(void **state)
{
    met__billable january = billable_from(1000);
    met__booked *booked = NULL;
    met__arena arena;
    met__txn *txn;

    (void)state;
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(add(txn, &january, NULL, 0, met__node_array(&arena),
                         DRAFT, &arena),
                     MET_OK);
    assert_int_equal(take_back(txn, DRAFT, 0, &arena), MET_OK);
    assert_int_equal(met__booked_get(txn, &january, &arena, &booked),
                     MET_E_NOT_FOUND);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

/* Every member of the record replaced by something else. */
static void a_damaged_record_is_an_error(void **state)
{
    static const char *const records[] = {
        "{}",
        "[]",
        "{\"quantity\":\"x\",\"lines\":[]}",
        "{\"quantity\":\"1\"}",
        "{\"quantity\":\"1\",\"lines\":{}}",
        "{\"quantity\":\"1\",\"lines\":[1]}",
        "{\"quantity\":\"1\",\"lines\":[{}]}",
        "{\"quantity\":\"1\",\"lines\":[],\"more\":1}",
        "{\"quantity\":\"1\",\"lines\":[],\"open\":\"x\"}",
        "{\"quantity\":\"1\",\"lines\":[],\"invoices\":0}",
        "{\"quantity\":\"1\",\"lines\":[],\"interim_to\":1}",
    };
    met__billable billable = billable_from(1000);
    unsigned char key[64];

    (void)state;
    memcpy(key, subscription.id.data, 26);
    memcpy(key + 26, "\0api\0", 5);
    met__put_u64(key + 31, 1000);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        met__booked *booked = NULL;
        met__node *node = NULL;
        met__arena arena;
        met__txn *txn;
        met__arena_init(&arena, answer_arena.platform);
        assert_int_equal(met__json_parse(&arena, met__text_z(records[i]),
                                         &node, NULL),
                         MET_OK);
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        assert_int_equal(
            met__record_put(txn, MET__TABLE_BOOKED, key, 39, node), MET_OK);
        assert_int_equal(met__booked_get(txn, &billable, &arena, &booked),
                         MET_E_CORRUPT);
        met__txn_abort(txn);
        met__arena_release(&arena);
    }
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(lines_add_up_per_period),
        CASE(a_draft_takes_back_what_is_its_own),
        CASE(the_first_draft_leaves_nothing),
        CASE(a_damaged_record_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

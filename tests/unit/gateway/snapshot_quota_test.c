/* Allowances in a snapshot: of the customer behind a consumer, with what is
 * settled; a consumer that is no customer's subject has none. */
#include "support/billing.h"

#include "gateway/entity.h"
#include "gateway/snapshot_files.h"

static met_error ignore_note(void *context, const met__entity_note *note)
{
    (void)context;
    (void)note;
    return MET_OK;
}

static void must_apply_consumers(void)
{
    static const char json[] =
        "{\"consumers\":[{\"username\":\"a\",\"id\":\"ariel\"},"
        "{\"username\":\"b\",\"id\":\"nobody\"}]}";
    met__arena arena;
    met__node *node;
    met__txn *txn;

    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__json_parse(&arena, MET__TEXT(json), &node, NULL),
                     MET_OK);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__gateway_apply(txn, node, NULL,
                                        met__txn_now_ns(txn), 0, &arena, NULL,
                                        ignore_note, NULL),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met__arena_release(&arena);
}

static met__snapshot map_store(void)
{
    met__snapshot_files files;
    met__snapshot snapshot;
    uint64_t number;

    assert_int_equal(met__snapshot_files_open(store, 1, &files, NULL),
                     MET_OK);
    assert_int_equal(met__snapshot_files_compile(&files, 1, &number, NULL),
                     MET_OK);
    assert_int_equal(met__snapshot_files_map(&files, &snapshot, NULL),
                     MET_OK);
    met__snapshot_files_close(&files);
    return snapshot;
}

static void rows_of_a_customer(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_apply_consumers();
    met__snapshot snapshot = map_store();
    const met__snapshot_consumer *a = met__snapshot_consumer_at(&snapshot, 0);
    const met__snapshot_consumer *b = met__snapshot_consumer_at(&snapshot, 1);
    assert_int_equal(a->has_customer, 1);
    assert_int_equal(a->rows.count, 1);
    assert_int_equal(b->has_customer, 0);
    assert_int_equal(b->rows.count, 0);
    const met__snapshot_row *row =
        met__snapshot_row_at(&snapshot, a->rows.first);
    assert_int_equal(row->row.limit, 1000 * MET__QUOTA_UNIT);
    assert_int_equal(row->limit, 1000 * MET__QUOTA_UNIT);
    assert_int_equal(row->taken, 0);
    met__period period;
    uint64_t number;
    assert_int_equal(met__quota_row_period(&row->row, row->period.from_ns,
                                           &number, &period),
                     MET_OK);
    assert_int_equal(row->number, number);
    assert_int_equal(row->period.from_ns, period.from_ns);
    assert_int_equal(row->period.to_ns, period.to_ns);
    assert_true(period.from_ns < period.to_ns);
    const met__snapshot_feature *feature =
        met__snapshot_feature_at(&snapshot, row->feature);
    assert_true(met__text_equal(met__snapshot_text(&snapshot, feature->key),
                                MET__TEXT("example_service")));
    assert_int_equal(feature->in_service, 1);
    assert_int_equal(feature->filters.count, 1);
    const met__snapshot_filter *filter =
        met__snapshot_filter_at(&snapshot, feature->filters.first);
    assert_int_equal(filter->attribute, MET__ATTRIBUTE_SERVICE_NAME);
    assert_true(met__text_equal(
        met__snapshot_text(&snapshot, filter->condition),
        MET__TEXT("example_service")));
    met__snapshot_close(met__store_platform(store), &snapshot);
}

/* A feature of another event type never holds a request. */
static void other_events(void **state)
{
    (void)state;
    met__snapshot before = map_store();
    must_put_meter("{\"key\":\"other\",\"name\":\"Other\",\"aggregation\":"
                   "\"count\",\"event_type\":\"job.done\"}");
    must_put_feature("{\"key\":\"jobs\",\"name\":\"Jobs\",\"meter\":{\"key\":"
                     "\"other\"}}");
    met__snapshot after = map_store();
    assert_int_equal(after.count[MET__SECTION_FEATURE],
                     before.count[MET__SECTION_FEATURE] + 1);
    for (uint32_t i = 0; i < after.count[MET__SECTION_FEATURE]; i++) {
        const met__snapshot_feature *one = met__snapshot_feature_at(&after, i);
        const met__snapshot_filter *filter =
            met__snapshot_filter_at(&after, one->filters.first);
        assert_int_equal(one->filters.count, 1);
        assert_int_equal(filter->attribute == MET__NONE,
                         met__text_equal(met__snapshot_text(&after, one->key),
                                         MET__TEXT("jobs")));
    }
    met__snapshot_close(met__store_platform(store), &before);
    met__snapshot_close(met__store_platform(store), &after);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(rows_of_a_customer),
        CASE(other_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

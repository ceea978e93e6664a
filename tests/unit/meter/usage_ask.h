/* What the tests of usage queries share: a store with a meter of every
 * aggregation, and one query as JSON rows. */
#ifndef TESTS_UNIT_METER_USAGE_ASK_H
#define TESTS_UNIT_METER_USAGE_ASK_H

#include "usage_support.h"

#include "meter/usage_query.h"

#define VALUE_METER(key, aggregation, value)                        \
    "{\"key\":\"" key "\",\"name\":\"n\",\"event_type\":\"t\","      \
    "\"aggregation\":\"" aggregation "\",\"value_property\":\"$." value \
    "\",\"dimensions\":{\"x\":\"$.a\"}}"

static char home[64];
static met_store *store;
static met_recorder *recorder;

static inline int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\",\"y\":\"$.b\""));
    must_meter(store, SUM_METER("s", "t", "v", "\"x\":\"$.a\""));
    must_meter(store, VALUE_METER("a", "avg", "v"));
    must_meter(store, VALUE_METER("l", "latest", "v"));
    must_meter(store, VALUE_METER("i", "min", "v"));
    must_meter(store, VALUE_METER("m", "max", "v"));
    must_meter(store, VALUE_METER("u", "unique_count", "b"));
    recorder = must_recorder(store, 0);
    return 0;
}

static inline int teardown(void **state)
{
    met__recorder_close(recorder);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

/* --- One query as JSON rows ----------------------------------------------- */
static char answer[1 << 16];

static size_t groups_max = MET__USAGE_GROUPS_MAX;

static inline met_error read_rows(met__txn *txn, const met__usage_query *query,
                           met__arena *arena, met__node **rows_out)
{
    met__usage_cursor *cursor = NULL;
    met__node *rows = met__node_array(arena);
    met__usage_row row;
    met_error error = met__usage_open(txn, query, groups_max, &cursor,
                                      &last_info);

    while (error == MET_OK) {
        met__node *node = NULL;
        error = met__usage_next(cursor, &row, &last_info);
        if (error == MET_OK) {
            assert_int_equal(met__usage_row_document(query, &row, arena,
                                                     &node),
                             MET_OK);
            assert_int_equal(met__node_append(arena, rows, node), MET_OK);
        }
    }
    met__usage_close(cursor);
    *rows_out = rows;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static inline met_error ask(const char *meter_key, met__usage_query query)
{
    met__arena arena;
    met__txn *txn = NULL;
    met__meter *meter = NULL;
    met__node *rows = NULL;
    met__buffer buffer;
    const met__platform *platform = met__store_platform(store);

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met__arena_init(&arena, platform);
    met__buffer_init(&buffer, platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__meter_get(txn, met__text_z(meter_key), &arena,
                                    &meter),
                     MET_OK);
    query.meter = meter;
    met_error error = groups_max == MET__USAGE_GROUPS_MAX
                          ? met__usage_rows(txn, &query, &arena, &rows,
                                            &last_info)
                          : read_rows(txn, &query, &arena, &rows);
    answer[0] = '\0';
    if (error == MET_OK) {
        met__json_write(rows, 0, &buffer);
        assert_true(buffer.size < sizeof answer);
        memcpy(answer, buffer.data, buffer.size + 1);
    }
    met__buffer_release(&buffer);
    met__txn_abort(txn);
    met__arena_release(&arena);
    return error;
}

static inline met__usage_query all(void)
{
    return (met__usage_query){.from_ns = MET__USAGE_FIRST,
                              .to_ns = MET__USAGE_LAST};
}

static inline void add(const char *subject, const char *a, const char *b,
                       const char *quantity, int64_t second, uint32_t flags)
{
    test_event event = {"t", subject, a, b, quantity,
                        START_NS + second * MET__SECOND_NS, flags};
    met_error error = add_event(recorder, &event);

    if (error != MET_OK) {
        fail_msg("%s: %s", met_error_name(error), last_info.reason);
    }
}

#endif

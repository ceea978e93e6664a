/* What the tests of compaction share: settings, runs, records of a table. */
#ifndef TESTS_UNIT_METER_COMPACTION_SUPPORT_H
#define TESTS_UNIT_METER_COMPACTION_SUPPORT_H

#include "usage_ask.h"

#include "meter/compaction.h"
#include "meter/usage_scan.h"

static inline void must_keep(met_store *into, const char *minutes,
                             const char *hours)
{
    static const met__path path = {NULL, "settings", 0};
    char json[128];
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;

    snprintf(json, sizeof json,
             "{\"keep_minutes\":\"%s\",\"keep_hours\":\"%s\"}", minutes,
             hours);
    met__arena_init(&arena, met__store_platform(into));
    assert_int_equal(met__json_parse(&arena, met__text_z(json), &node, NULL),
                     MET_OK);
    assert_int_equal(met__txn_begin(into, 1, &txn), MET_OK);
    assert_int_equal(met__usage_settings_put(txn, node, &path, NULL), MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
    met__arena_release(&arena);
}

static inline met__compact_report must_compact(met_store *in, int64_t as_of_ns,
                                               size_t step_max)
{
    met__compact_report report = {0};

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met_error error = met__compact(in, as_of_ns, 0, step_max, NULL, &report,
                                   &last_info);
    if (error != MET_OK) {
        fail_msg("%s \"%s\" \"%s\"", met_error_name(error), last_info.field,
                 last_info.reason);
    }
    return report;
}

static inline uint64_t records_of(met_store *in, met__table table)
{
    met__txn *txn = NULL;
    met__scan scan;
    met__text key;
    met__text value;
    uint64_t count = 0;

    assert_int_equal(met__txn_begin(in, 0, &txn), MET_OK);
    assert_int_equal(met__scan_begin(txn, table, NULL, 0, &scan), MET_OK);
    while (met__scan_next(&scan, &key, &value) == MET_OK) {
        count++;
    }
    met__scan_end(&scan);
    met__txn_abort(txn);
    return count;
}

#endif

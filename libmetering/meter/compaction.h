/* Compaction: usage that can never change again, folded from minutes into
 * hours and from hours into days. */
#ifndef MET_METER_COMPACTION_H
#define MET_METER_COMPACTION_H

#include "meter/usage_settings.h"

/* What later rooms know of instants that may be asked for: an hour or day that
 * one of them parts is left as it is, for this subject. */
typedef struct met__compact_guard {
    void *context;
    /* A transaction begins; nothing of an earlier one is true any more. */
    met_error (*begin)(void *context, met__txn *txn);
    /* Whether some instant in (from, to) may be asked for. */
    met_error (*parts)(void *context, met__txn *txn, met__text subject,
                       int64_t from_ns, int64_t to_ns, int *parts_out);
} met__compact_guard;

typedef struct met__compact_report {
    uint64_t transactions;
    uint64_t parts;     /* folded, and gone */
    uint64_t hours;     /* cells of hours, written */
    uint64_t hours_folded; /* and those that are gone into days */
    uint64_t days;
    uint64_t bytes_freed; /* of keys and values */
    uint64_t bytes_written;
    int64_t duration_ns;
} met__compact_report;

/* Everything that the settings let go of at as_of_ns, in transactions of at
 * most step_max records, or (items_max, 0: no bound) so many records of it.
 * What is committed stands whatever happens; calling it again goes on. guard
 * may be NULL. */
met_error met__compact(met_store *store, int64_t as_of_ns, uint64_t items_max,
                       size_t step_max, const met__compact_guard *guard,
                       met__compact_report *report_out, met_error_info *info);
#define MET__COMPACT_STEP 4096u

#endif

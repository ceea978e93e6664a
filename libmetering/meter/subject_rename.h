/* Another name for a subject, in everything that is settled: totals stay. Who
 * still counts under the old name makes shapes of the old name again. */
#ifndef MET_METER_SUBJECT_RENAME_H
#define MET_METER_SUBJECT_RENAME_H

#include "store/store.h"

typedef struct met__subject_counts {
    size_t shapes;
    size_t events;      /* retained ones: renamed, or removed */
    size_t adjustments;
} met__subject_counts;

/* Looks at every shape, retained event and adjustment. With forget_events raw
 * events are removed (they hold whatever their sender wrote), else they keep
 * the text that came and are found by the new name. Adds to *counts.
 * MET_E_CORRUPT · MET_E_NO_MEMORY, and as a write. */
met_error met__subject_rename(met__txn *txn, met__text from, met__text to,
                              int forget_events, met__subject_counts *counts);

#endif

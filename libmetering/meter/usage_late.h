/* Which days of whose usage changed after it may have been billed, so that a
 * bill measures again what is late and nothing else. Every part that is written
 * or taken away passes here, whoever writes it.
 *
 * Records: CHANGED[hash of a subject:8 day:4] -> number:8; META: the minute
 * before which usage is watched, and the sequence of moments. */
#ifndef MET_METER_USAGE_LATE_H
#define MET_METER_USAGE_LATE_H

#include "base/calendar.h"
#include "store/store.h"

/* Usage of before this instant is watched from now on: who is about to measure
 * it says so first, in a write transaction that is committed before, or that
 * measures itself. */
met_error met__usage_watch(met__txn *txn, int64_t until_ns);
/* A moment: what changes behind it has a mark of its number or of a greater
 * one. What was measured behind it knows of all marks of lesser numbers. */
met_error met__usage_moment(met__txn *txn, uint64_t *number_out);

/* A part of this shape and minute changes. */
met_error met__usage_late(met__txn *txn, uint64_t shape, uint32_t minute);
/* All usage of a subject may be another one. */
met_error met__usage_late_all(met__txn *txn, met__text subject);

/* A mark, and the time that it is about. */
typedef struct met__usage_mark {
    met__period period;
    uint64_t number;
} met__usage_mark;

/* The marks of these subjects, in the arena. */
met_error met__usage_marks(met__txn *txn, const met__text *subjects,
                           size_t subject_count, met__arena *arena,
                           met__usage_mark **marks_out, size_t *count_out);
/* Removes those of lesser numbers. */
met_error met__usage_marks_forget(met__txn *txn, const met__text *subjects,
                                  size_t subject_count, uint64_t number);

#endif

/* Recorders: count usage in the request path, in memory that survives the death
 * of its process. Meters (meter.h) say what of an event is kept. */
#ifndef METERING_RECORDER_H
#define METERING_RECORDER_H

#include "metering/decimal.h"
#include "metering/types.h"

MET_BEGIN_DECLS

#define MET_RECORDER_SHAPES_MAX 2097152

/* A numeric property of an event, by its canonical path ("tokens"): at most 15
 * digits before the point and 9 behind it. Frozen for ever. */
typedef struct met_quantity {
    const char *key;
    size_t key_size;
    met_decimal value;
} met_quantity;

/* What happened. Names of attributes are canonical paths: a meter's
 * "$.service" is "service", "$.a.b" is "a.b", "$.x[0]" is "x[0]". A name given
 * twice counts with its first value; names that no meter asks for are passed
 * over. An attribute that is missing has the value "". */
typedef struct met_event {
    size_t struct_size;
    const char *type; /* at most 128 bytes */
    size_t type_size;
    const char *subject; /* whose usage it is; at most 128 bytes */
    size_t subject_size;
    const met_pair *attributes; /* values of at most 128 bytes */
    size_t attribute_count;
    const met_quantity *quantities;
    size_t quantity_count;
    int64_t utc_ns; /* when; 0 = now, by the platform's clock */
} met_event;

/* Zero means default for every field. */
typedef struct met_recorder_config {
    size_t struct_size;
    /* Combinations of subject and attribute values whose usage is kept apart,
     * at most MET_RECORDER_SHAPES_MAX; 0 = 65,536. Beyond, values of
     * attributes that nothing is sold by become "__overflow__"; the sum stays
     * right. */
    uint64_t shapes_max;
    uint64_t flags; /* 0 */
} met_recorder_config;

/**
 * Begin to count in this process.
 *
 * Takes one of the store's slot files (at most 1,000 live at once). Whatever
 * was counted before a process died is in its slot file and reaches the store
 * with the next settlement, by whoever settles.
 *
 * @param store         open; the recorder must be closed before it
 * @param config        NULL for defaults
 * @param recorder_out  written only on MET_OK
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (unknown flag or field) ·
 *         MET_E_LIMIT (every slot is live or waits to be settled) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  the caller; met_recorder_close
 * @blocks reads the store, makes and maps a file
 * @thread any      @fork no: MET_E_FORKED in a child; open one there
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_open(
    met_store *store, const met_recorder_config *config,
    met_recorder **recorder_out, met_error_info *info);

/**
 * End counting; what was counted stays and waits to be settled.
 *
 * @param recorder  may be NULL
 * @blocks unmaps a file
 * @thread one at a time      @fork yes: in a child it only frees memory
 * @since 0.1
 */
MET_API void met_recorder_close(met_recorder *recorder);

/**
 * Count one event. Allocates nothing, takes no lock, makes no system call but
 * for the clock when event->utc_ns is 0.
 *
 * MET_OK means counted: no death of any process loses it (store.h). An error
 * means not counted.
 *
 * @param recorder  open recorder
 * @param event     borrowed for the call
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_NOT_FOUND (no meter wants this type) · MET_E_INVALID
 *         (a field is missing, no UTF-8, no value that a meter asks for, or a
 *         quantity with more digits than are kept) · MET_E_LIMIT (a bound of
 *         the event) · MET_E_OVERFLOW (the sum of a minute has more digits
 *         than are kept) · MET_E_TALLY_FULL (no room because nobody settles or
 *         ticks) · MET_E_IO (its file was cut short, and no tick has made
 *         another yet: fault.h) · MET_E_UNSUPPORTED · MET_E_FORKED · MET_E_BUG
 * @blocks never
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_add(met_recorder *recorder,
                                                 const met_event *event,
                                                 met_error_info *info);

/**
 * Count many events, one after the other: what met_recorder_add would make of
 * each, at less cost when many different ones are live (their memory is asked
 * for together).
 *
 * An event that cannot be counted does not keep the others from being counted.
 *
 * @param recorder    open recorder
 * @param events      borrowed; all have the struct_size of the first
 * @param count       of events; 0 does nothing
 * @param errors_out  count entries: MET_OK, counted; else what
 *                    met_recorder_add would return. Not written when the call
 *                    as a whole is refused: MET_E_INVALID with field
 *                    "recorder", "events" or "errors_out", and MET_E_FORKED
 * @param info        NULL, or where to put field path ("events[3].subject")
 *                    and reason of the first event that was not counted
 * @return MET_OK (all are counted) · the error of the first event that was not
 *         counted, as met_recorder_add: MET_E_NOT_FOUND · MET_E_INVALID ·
 *         MET_E_LIMIT · MET_E_OVERFLOW · MET_E_TALLY_FULL · MET_E_IO ·
 *         MET_E_UNSUPPORTED
 *         · MET_E_FORKED · MET_E_BUG
 * @blocks never
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_add_batch(
    met_recorder *recorder, const met_event *events, size_t count,
    met_error *errors_out, met_error_info *info);

/**
 * Prepare an event that comes again and again with other quantities and times:
 * its type, subject and attributes are looked up once, not at every count.
 *
 * @param recorder      open recorder
 * @param event         its type, subject and attributes are copied; quantities
 *                      and utc_ns must be 0
 * @param prepared_out  written only on MET_OK; close it before the recorder
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (a field, as met_recorder_add; quantities or a
 *         time are given) · MET_E_NOT_FOUND (no meter wants this type now) ·
 *         MET_E_LIMIT · MET_E_UNSUPPORTED · MET_E_NO_MEMORY · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  the caller; met_prepared_close
 * @blocks never
 * @thread one at a time with its recorder      @fork no: MET_E_FORKED
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_prepared_open(met_recorder *recorder,
                                                  const met_event *event,
                                                  met_prepared **prepared_out,
                                                  met_error_info *info);

/**
 * Count a prepared event. Changes of meters are followed, as by
 * met_recorder_add.
 *
 * @param prepared        open prepared event
 * @param quantities      borrowed for the call; NULL when count is 0
 * @param quantity_count  of quantities
 * @param utc_ns          when; 0 = now, by the platform's clock
 * @param info            NULL, or where to put field path and reason
 * @return as met_recorder_add: MET_OK · MET_E_NOT_FOUND · MET_E_INVALID ·
 *         MET_E_LIMIT · MET_E_OVERFLOW · MET_E_TALLY_FULL · MET_E_IO ·
 *         MET_E_FORKED · MET_E_BUG
 * @blocks never
 * @thread one at a time with its recorder      @fork no: MET_E_FORKED
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_prepared_add(
    met_prepared *prepared, const met_quantity *quantities,
    size_t quantity_count, int64_t utc_ns, met_error_info *info);

/**
 * Let go of a prepared event; what it counted stays.
 *
 * @param prepared  may be NULL
 * @blocks never
 * @thread one at a time with its recorder      @fork yes      @since 0.1
 */
MET_API void met_prepared_close(met_prepared *prepared);

/**
 * Housekeeping, about once a second from whoever uses the recorder: makes room
 * ahead of need, closes minutes, learns of new meters.
 *
 * @param recorder  open recorder
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_IO
 *         · MET_E_BUSY · MET_E_MAP_FULL · MET_E_CORRUPT (its file was cut
 *         short: it goes on with another, and what was not settled may be lost)
 *         · MET_E_FORKED · MET_E_BUG; the recorder goes on with what it has
 * @blocks may grow a file and read the store
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_tick(met_recorder *recorder);

MET_END_DECLS

#endif

/* recorder.h: recorders and prepared events; arguments checked here. */
#include "metering/recorder.h"

#include <stdio.h>

#include "base/caller_struct.h"
#include "base/limits.h"
#include "meter/recorder.h"

#define EVENT_SIZE_MIN MET__SIZE_THROUGH(met_event, utc_ns)

met_error met_recorder_open(met_store *store,
                            const met_recorder_config *config,
                            met_recorder **recorder_out, met_error_info *info)
{
    met_recorder_config known = {.struct_size = sizeof known};

    if (store == NULL || recorder_out == NULL) {
        return met__fail_null(info, store == NULL ? "store" : "recorder_out");
    }
    if (config != NULL) {
        met_error error = met__struct_read(&known, sizeof known,
                                           sizeof known.struct_size, config,
                                           "config", info);
        if (error != MET_OK) {
            return error;
        }
    }
    if (known.flags != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "config.flags",
                         "has an unknown bit");
    }
    if (known.shapes_max > MET_RECORDER_SHAPES_MAX) {
        return met__fail(info, MET_E_INVALID, "config.shapes_max",
                         "must be at most %d", MET_RECORDER_SHAPES_MAX);
    }
    return met__recorder_open(store, (uint32_t)known.shapes_max, recorder_out,
                              info);
}

void met_recorder_close(met_recorder *recorder)
{
    met__recorder_close(recorder);
}

met_error met_recorder_add(met_recorder *recorder, const met_event *event,
                           met_error_info *info)
{
    if (recorder == NULL || event == NULL) {
        return met__fail_null(info, recorder == NULL ? "recorder" : "event");
    }
    if (event->struct_size == sizeof *event) {
        return met__recorder_add(recorder, event, 0, info);
    }
    met_event known;
    met_error error = met__struct_read(&known, sizeof known, EVENT_SIZE_MIN,
                                       event, "event", info);
    return error == MET_OK ? met__recorder_add(recorder, &known, 0, info)
                           : error;
}

met_error met_recorder_tick(met_recorder *recorder)
{
    return recorder == NULL ? MET_E_INVALID : met__recorder_tick(recorder);
}

/* --- Batches -------------------------------------------------------------- */
/* events[3].subject instead of subject. */
static void name_event(met_error_info *info, size_t index)
{
    char field[MET_ERROR_FIELD_SIZE];

    if (info == NULL) {
        return;
    }
    snprintf(field, sizeof field, "events[%zu]%s%.*s", index,
             info->field[0] != '\0' ? "." : "",
             (int)sizeof info->field - 32, info->field);
    memcpy(info->field, field, sizeof field);
}

static const met_event *event_at(const met_event *events, size_t index)
{
    return (const met_event *)(const void *)((const char *)events
                                             + index * events->struct_size);
}

/* Events of a caller that was built with another struct. */
static met_error add_one_by_one(met_recorder *recorder,
                                const met_event *events, size_t count,
                                met_error *errors_out, met_error_info *info)
{
    met_error first = MET_OK;

    for (size_t i = 0; i < count; i++) {
        errors_out[i] = met_recorder_add(recorder, event_at(events, i),
                                         first == MET_OK ? info : NULL);
        if (errors_out[i] != MET_OK && first == MET_OK) {
            first = errors_out[i];
            name_event(info, i);
        }
    }
    return first;
}

met_error met_recorder_add_batch(met_recorder *recorder,
                                 const met_event *events, size_t count,
                                 met_error *errors_out, met_error_info *info)
{
    met_error first = MET_OK;

    if (recorder == NULL) {
        return met__fail_null(info, "recorder");
    }
    if (count > 0 && (events == NULL || errors_out == NULL)) {
        return met__fail_null(info, events == NULL ? "events" : "errors_out");
    }
    for (size_t i = 0; i < count; i++) {
        if (event_at(events, i)->struct_size != events->struct_size
            || events->struct_size == 0) {
            return met__fail(info, MET_E_INVALID, "events",
                             "must all have the same struct_size");
        }
    }
    if (count > 0 && events->struct_size != sizeof *events) {
        return add_one_by_one(recorder, events, count, errors_out, info);
    }
    for (size_t i = 0; i < count;) {
        size_t taken = 0;
        size_t failed = 0;
        met_error error = met__recorder_add_group(
            recorder, events + i, count - i, errors_out + i, &taken, &failed,
            first == MET_OK ? info : NULL);
        if (error == MET_E_FORKED) {
            return error;
        }
        if (error != MET_OK && first == MET_OK) {
            first = error;
            name_event(info, i + failed);
        }
        i += taken;
    }
    return first;
}

/* --- Prepared events ------------------------------------------------------ */
met_error met_prepared_open(met_recorder *recorder, const met_event *event,
                            met_prepared **prepared_out, met_error_info *info)
{
    met_event known;

    if (recorder == NULL || event == NULL || prepared_out == NULL) {
        return met__fail_null(info, recorder == NULL ? "recorder"
                             : event == NULL  ? "event"
                                              : "prepared_out");
    }
    met_error error = met__struct_read(&known, sizeof known, EVENT_SIZE_MIN,
                                       event, "event", info);
    if (error != MET_OK) {
        return error;
    }
    if (known.quantity_count != 0 || known.utc_ns != 0) {
        return met__fail(info, MET_E_INVALID,
                         known.utc_ns != 0 ? "utc_ns" : "quantities",
                         "is given when the event is counted");
    }
    return met__prepared_open(recorder, &known, prepared_out, info);
}

met_error met_prepared_add(met_prepared *prepared,
                           const met_quantity *quantities,
                           size_t quantity_count, int64_t utc_ns,
                           met_error_info *info)
{
    if (prepared == NULL || (quantities == NULL && quantity_count > 0)) {
        return met__fail_null(info, prepared == NULL ? "prepared"
                                                     : "quantities");
    }
    if (quantity_count > MET__EVENT_FIELDS_MAX) {
        return met__fail(info, MET_E_LIMIT, "quantities",
                         "there are more than %d", MET__EVENT_FIELDS_MAX);
    }
    return met__prepared_add(prepared, quantities, quantity_count, utc_ns,
                             info);
}

void met_prepared_close(met_prepared *prepared)
{
    met__prepared_close(prepared);
}

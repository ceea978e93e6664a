/* Reading an event: which type it is, what its shape is, what it brings for the
 * quantities of its type. In: an event in the caller's memory. Out: a key and
 * its hash; nothing of the recorder changes but hints. */
#include <stdio.h>

#include "base/check.h"
#include "meter/amount.h"
#include "meter/recorder_state.h"

#define OVERFLOW_VALUE "__overflow__"
#define PREFIX_SIZE 8u
MET__STATIC_ASSERT(sizeof OVERFLOW_VALUE - 1 == MET__OVERFLOW_SIZE,
                   overflow_size);

static met_error fail_bound(met_error_info *info, const char *field,
                            size_t bound)
{
    return met__fail(info, MET_E_LIMIT, field, "is longer than %zu bytes",
                     bound);
}

static met_error fail_null(met_error_info *info, const char *list, size_t at)
{
    char field[MET_ERROR_FIELD_SIZE];

    snprintf(field, sizeof field, "%s[%zu].key", list, at);
    return met__fail(info, MET_E_INVALID, field, "is NULL");
}

/* Names are compared before anybody knows whether they are asked for. */
static met_error check_attributes(const met_event *event,
                                  met_error_info *info)
{
    for (size_t i = 0; i < event->attribute_count; i++) {
        if (event->attributes[i].key == NULL
            && event->attributes[i].key_size > 0) {
            return fail_null(info, "attributes", i);
        }
    }
    return MET_OK;
}

static met_error check_quantities(const met_event *event,
                                  met_error_info *info)
{
    for (size_t i = 0; i < event->quantity_count; i++) {
        if (event->quantities[i].key == NULL
            && event->quantities[i].key_size > 0) {
            return fail_null(info, "quantities", i);
        }
    }
    return MET_OK;
}

static met_error check_event(const met_event *event, met_error_info *info)
{
    if (event->type == NULL || event->type_size == 0) {
        return met__fail(info, MET_E_INVALID, "type", "is missing");
    }
    if (event->subject == NULL || event->subject_size == 0) {
        return met__fail(info, MET_E_INVALID, "subject", "is missing");
    }
    if (event->subject_size > MET__SUBJECT_SIZE_MAX) {
        return fail_bound(info, "subject", MET__SUBJECT_SIZE_MAX);
    }
    if (event->attribute_count + event->quantity_count
            > MET__EVENT_FIELDS_MAX
        || event->attribute_count > MET__EVENT_FIELDS_MAX) {
        return met__fail(info, MET_E_LIMIT, "attributes",
                         "there are more than %d attributes and quantities",
                         MET__EVENT_FIELDS_MAX);
    }
    if ((event->attributes == NULL && event->attribute_count > 0)
        || (event->quantities == NULL && event->quantity_count > 0)) {
        return met__fail(info, MET_E_INVALID,
                         event->attributes == NULL
                                 && event->attribute_count > 0
                             ? "attributes"
                             : "quantities",
                         "is NULL");
    }
    return check_attributes(event, info);
}

met__recorder_type *met__recorder_find_type(met_recorder *recorder,
                                            met__text wanted)
{
    size_t low = 0;
    size_t high = recorder->type_count;

    if (recorder->last_type < high
        && met__name_is(&recorder->types[recorder->last_type].type,
                        wanted.data, wanted.size)) {
        return &recorder->types[recorder->last_type];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = met__text_compare(recorder->types[middle].type.text,
                                      wanted);
        if (order == 0) {
            recorder->last_type = middle;
            return &recorder->types[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Where a name stands; most callers give names in the same order every time,
 * so the search begins where it ended the last time. With a name given twice
 * the first counts: whatever stands before the hint is looked at, but for
 * those in `found`, which are other names. */
static inline const met_pair *find_pair(const met_event *event,
                                        const met__name *name, uint8_t *hint,
                                        uint64_t *found)
{
    const met_pair *pairs = event->attributes;
    size_t end = event->attribute_count;

    if (*hint < end
        && met__name_is(name, pairs[*hint].key, pairs[*hint].key_size)) {
        end = *hint;
        if ((~*found & ((UINT64_C(1) << end) - 1)) == 0) {
            *found |= UINT64_C(1) << end;
            return &pairs[end]; /* as the last time: all before it are known */
        }
    }
    for (size_t i = 0; i < end; i++) {
        if ((*found >> i & 1) == 0
            && met__name_is(name, pairs[i].key, pairs[i].key_size)) {
            end = i;
        }
    }
    if (end == event->attribute_count) {
        return NULL;
    }
    *hint = (uint8_t)end;
    *found |= UINT64_C(1) << end;
    return &pairs[end];
}

/* The event's shape as a key, and its hash. */
static inline met_error build_key(const met_recorder *recorder,
                                  const met_event *event, int is_overflow,
                                  met__reading *reading, met_error_info *info)
{
    const met__recorder_type *type = reading->type;
    unsigned char *key = reading->key;
    unsigned char *at = key + PREFIX_SIZE;
    uint64_t found = 0;
    uint64_t prefix = recorder->plan_number
                      | (uint64_t)(type - recorder->types) << 32
                      | (uint64_t)reading->flags << 48;

    memcpy(key, &prefix, sizeof prefix);
    *at++ = (unsigned char)event->subject_size;
    met__copy_short(at, event->subject, event->subject_size);
    at += event->subject_size;
    for (uint32_t i = 0; i < type->attribute_count; i++) {
        const met_pair *pair = find_pair(event, &type->attributes[i],
                                         &type->hints[i], &found);
        if (pair == NULL) {
            *at++ = 0;
            continue;
        }
        const char *value = pair->value;
        size_t size = pair->value_size;
        if (is_overflow && type->is_free[i]) {
            value = OVERFLOW_VALUE;
            size = sizeof OVERFLOW_VALUE - 1;
        }
        if (size > MET__VALUE_SIZE_MAX || (size > 0 && value == NULL)) {
            char field[MET_ERROR_FIELD_SIZE];
            snprintf(field, sizeof field, "attributes[%zu].value",
                     (size_t)(pair - event->attributes));
            return size > MET__VALUE_SIZE_MAX
                       ? fail_bound(info, field, MET__VALUE_SIZE_MAX)
                       : met__fail(info, MET_E_INVALID, field, "is NULL");
        }
        *at++ = (unsigned char)size;
        met__copy_short(at, value, size);
        at += size;
    }
    reading->key_size = (uint32_t)(at - key);
    if (reading->key_size > MET__SHAPE_KEY_SIZE_MAX) {
        return fail_bound(info, "attributes", MET__SHAPE_KEY_SIZE_MAX);
    }
    reading->hash = met__hash128_of(recorder->secret, key, reading->key_size);
    return MET_OK;
}

static met_error read_quantity(const met_event *event, size_t index,
                               met__wide *value_out, met_error_info *info)
{
    uint64_t words[2];
    met_error error = met__decimal_to_wide(event->quantities[index].value,
                                           MET__AMOUNT_PLACES, words);
    met__wide value = error == MET_OK ? met__amount_get(words) : 0;

    if (error != MET_OK || !met__amount_is_quantity(value)) {
        char field[MET_ERROR_FIELD_SIZE];
        snprintf(field, sizeof field, "quantities[%zu].value", index);
        return met__fail(info, MET_E_INVALID, field,
                         "must be a number of at most 15 digits before the "
                         "point and 9 behind it");
    }
    *value_out = value;
    return MET_OK;
}

/* As find_pair; event->quantity_count when the event does not have it. */
static inline size_t find_quantity(const met_event *event,
                                   const met__name *name,
                                   uint8_t *hint)
{
    const met_quantity *all = event->quantities;
    size_t end = event->quantity_count;

    if (*hint < end
        && met__name_is(name, all[*hint].key, all[*hint].key_size)) {
        end = *hint;
    }
    for (size_t i = 0; i < end; i++) {
        if (met__name_is(name, all[i].key, all[i].key_size)) {
            end = i;
        }
    }
    if (end < event->quantity_count) {
        *hint = (uint8_t)end;
    }
    return end;
}

static met_error read_quantities(const met_event *event,
                                 met__reading *reading, met_error_info *info)
{
    const met__recorder_type *type = reading->type;
    met_error checked = check_quantities(event, info);

    if (checked != MET_OK) {
        return checked;
    }
    for (uint32_t i = 0; i < type->quantity_count; i++) {
        size_t at = find_quantity(event, &type->quantities[i],
                                  &type->quantity_hints[i]);
        if (at < event->quantity_count) {
            met_error error = read_quantity(event, at, &reading->values[i],
                                            info);
            if (error != MET_OK) {
                return error;
            }
            reading->quantity_mask |= UINT64_C(1) << i;
        }
    }
    if (reading->quantity_mask == 0 && !type->counts) {
        return met__fail(info, MET_E_INVALID, "quantities",
                         "has none of the numbers that the meters of this "
                         "type add up");
    }
    return MET_OK;
}

met_error met__recorder_read_values(const met_recorder *recorder,
                                    const met_event *event,
                                    met__reading *reading,
                                    met_error_info *info)
{
    int64_t utc_ns = event->utc_ns;

    reading->quantity_mask = 0;
    if (utc_ns == 0) {
        utc_ns = met__now_utc_ns(recorder->platform);
    }
    if (utc_ns < 0 || utc_ns > MET__TIME_MAX) {
        return met__fail(info, MET_E_INVALID, "utc_ns",
                         "must be in the years 1970 to 2200");
    }
    reading->utc_ns = utc_ns;
    return reading->type->quantity_count > 0 || !reading->type->counts
               ? read_quantities(event, reading, info)
               : MET_OK;
}

met_error met__recorder_read_overflow(const met_recorder *recorder,
                                      const met_event *event,
                                      met__reading *reading,
                                      met_error_info *info)
{
    return build_key(recorder, event, 1, reading, info);
}

met_error met__recorder_read_shape(met_recorder *recorder,
                                   const met_event *event,
                                   met__reading *reading,
                                   met_error_info *info)
{
    met_error error = check_event(event, info);

    if (error != MET_OK) {
        return error;
    }
    reading->type = met__recorder_find_type(
        recorder, met__text_of(event->type, event->type_size));
    if (reading->type == NULL) {
        return met__fail(info, MET_E_NOT_FOUND, "type",
                         "no meter counts events of this type");
    }
    return build_key(recorder, event, 0, reading, info);
}

met_error met__recorder_read(met_recorder *recorder, const met_event *event,
                             met__reading *reading, met_error_info *info)
{
    met_error error = met__recorder_read_shape(recorder, event, reading, info);

    return error == MET_OK
               ? met__recorder_read_values(recorder, event, reading, info)
               : error;
}

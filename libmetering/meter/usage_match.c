/* The rule by which usage belongs to a meter: type, value, dimensions, time.
 * In: a meter and a shape. Out: which number of the parts counts, and the
 * values of the meter's dimensions; one that was not recorded is "". */
#include "meter/usage_match.h"

static const met__text *attribute_of(const met__usage_shape *shape,
                                     met__text name)
{
    for (uint32_t i = 0; i < shape->attribute_count; i++) {
        if (met__text_equal(shape->names[i], name)) {
            return &shape->values[i];
        }
    }
    return NULL;
}

static int quantity_of(const met__usage_shape *shape, met__text name,
                       uint32_t *index_out)
{
    for (uint32_t i = 0; i < shape->quantity_count; i++) {
        if (met__text_equal(shape->quantities[i], name)) {
            *index_out = i;
            return 1;
        }
    }
    return 0;
}

int met__usage_matches(const met__meter *meter, const met__usage_shape *shape,
                       met__usage_match *match_out)
{
    if (!met__text_equal((shape->flags & MET__SHAPE_ADJUSTS) != 0
                             ? meter->key
                             : meter->event_type,
                         shape->type)) {
        return 0;
    }
    match_out->quantity = MET__MATCH_COUNTS;
    if (meter->aggregation == MET__AGGREGATION_UNIQUE_COUNT) {
        /* As the peer: null is no value, and so is the text that looks like
         * it; what is missing counts once, as "". */
        const met__text *value = attribute_of(shape, meter->value_attribute);
        match_out->unique = value != NULL ? *value : MET__TEXT("");
        if (met__text_equal(match_out->unique, MET__TEXT("null"))) {
            return 0;
        }
    } else if (meter->aggregation != MET__AGGREGATION_COUNT
               && !quantity_of(shape, meter->value_attribute,
                               &match_out->quantity)) {
        return 0;
    }
    for (size_t i = 0; i < meter->dimension_count; i++) {
        const met__text *value = attribute_of(shape,
                                              meter->dimensions[i].attribute);
        match_out->values[i] = value != NULL ? *value : MET__TEXT("");
    }
    return 1;
}

int64_t met__usage_first_minute(const met__meter *meter)
{
    int64_t from_ns = meter->counts_from_ns > meter->events_from_ns
                          ? meter->counts_from_ns
                          : meter->events_from_ns;

    return from_ns > 0 ? from_ns / MET__MINUTE_NS : 0;
}

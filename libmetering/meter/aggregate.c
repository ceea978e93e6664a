/* The seven aggregations over settled usage. In: items, in any order. Out: one
 * value. Counts and sums add up, extremes compare, and the latest value is
 * that of the greatest (event time, recording time): a recorder gives every
 * event a recording time of its own, so within one this is the order in which
 * events came in; between recorders the clock decides, then the part's key. */
#include "meter/aggregate.h"

#include "base/check.h"
#include "meter/usage_match.h"

#define AVERAGE_PLACES 18u /* with 15 digits before the point 33 of 34 */

static int is_later(const met__aggregate *self, const met__part_key *key,
                    const uint64_t *quantity)
{
    if (quantity[MET__QUANTITY_EVENT_NS] != self->event_ns) {
        return quantity[MET__QUANTITY_EVENT_NS] > self->event_ns;
    }
    if (quantity[MET__QUANTITY_RECORDED_NS] != self->recorded_ns) {
        return quantity[MET__QUANTITY_RECORDED_NS] > self->recorded_ns;
    }
    return met__part_key_compare(key, &self->key) > 0;
}

/* One quantity of an item joins. */
static met_error add_quantity(met__aggregate *self, uint32_t aggregation,
                              met__part_key key, const uint64_t *quantity)
{
    int is_first = self->count == 0;
    met__wide value;

    switch (aggregation) {
    case MET__AGGREGATION_MIN:
        value = met__amount_get(quantity + MET__QUANTITY_MIN);
        self->value = is_first || value < self->value ? value : self->value;
        break;
    case MET__AGGREGATION_MAX:
        value = met__amount_get(quantity + MET__QUANTITY_MAX);
        self->value = is_first || value > self->value ? value : self->value;
        break;
    case MET__AGGREGATION_LATEST:
        if (is_first || is_later(self, &key, quantity)) {
            self->value = met__amount_get(quantity + MET__QUANTITY_LATEST);
            self->event_ns = quantity[MET__QUANTITY_EVENT_NS];
            self->recorded_ns = quantity[MET__QUANTITY_RECORDED_NS];
            self->key = key;
        }
        break;
    default:
        value = met__amount_get(quantity + MET__QUANTITY_SUM);
        if (!met__amount_add(&self->value, value)) {
            return MET_E_OVERFLOW;
        }
        break;
    }
    self->count += quantity[MET__QUANTITY_COUNT];
    return MET_OK;
}

met_error met__aggregate_add(met__aggregate *self, uint32_t aggregation,
                             uint32_t quantity, const met__usage_item *item)
{
    MET__ASSERT(self != NULL && item != NULL);
    if (aggregation == MET__AGGREGATION_UNIQUE_COUNT) {
        return MET_OK; /* its values are groups; they are counted, not added */
    }
    if (quantity == MET__MATCH_COUNTS) {
        return met__amount_add(&self->value,
                               (int64_t)item->words[MET__PART_COUNT])
                   ? MET_OK
                   : MET_E_OVERFLOW;
    }
    MET__ASSERT(quantity < (item->words[MET__PART_PLAN] & UINT32_MAX));
    return add_quantity(self, aggregation,
                        met__usage_item_origin(item, quantity),
                        item->words + MET__PART_QUANTITIES
                            + quantity * MET__QUANTITY_WORDS);
}

met_error met__aggregate_value(const met__aggregate *self,
                               uint32_t aggregation, met_decimal *value_out)
{
    uint64_t words[2];
    met_decimal sum;
    met_decimal count;
    met_error error;

    met__amount_set(words, self->value);
    switch (aggregation) {
    case MET__AGGREGATION_COUNT:
    case MET__AGGREGATION_UNIQUE_COUNT:
        return met__decimal_from_wide(words, 0, value_out);
    case MET__AGGREGATION_AVG:
        if (self->count == 0) { /* everything was taken back */
            *value_out = met__decimal_zero();
            return MET_OK;
        }
        error = met__decimal_from_wide(words, MET__AMOUNT_PLACES, &sum);
        met__amount_set(words, (met__wide)self->count);
        if (error == MET_OK) {
            error = met__decimal_from_wide(words, 0, &count);
        }
        return error == MET_OK
                   ? met__decimal_divide(sum, count, AVERAGE_PLACES,
                                         MET_ROUND_HALF_EVEN, value_out)
                   : error;
    default:
        return met__decimal_from_wide(words, MET__AMOUNT_PLACES, value_out);
    }
}

/* The words of one quantity (slot_file.h), with values added to them. */
#ifndef MET_METER_QUANTITY_H
#define MET_METER_QUANTITY_H

#include "meter/amount.h"
#include "meter/slot_file.h"

/* One quantity of a cell or part, with one value more. 0: the sum would be too
 * great. */
static inline int met__quantity_add(uint64_t *words, met__wide value,
                                    int64_t event_ns, int64_t now_ns)
{
    met__wide sum = met__amount_get(words + MET__QUANTITY_SUM);
    int is_first = words[MET__QUANTITY_COUNT] == 0;

    if (!met__amount_add(&sum, value)) {
        return 0;
    }
    met__amount_set(words + MET__QUANTITY_SUM, sum);
    if (is_first || value < met__amount_get(words + MET__QUANTITY_MIN)) {
        met__amount_set(words + MET__QUANTITY_MIN, value);
    }
    if (is_first || value > met__amount_get(words + MET__QUANTITY_MAX)) {
        met__amount_set(words + MET__QUANTITY_MAX, value);
    }
    if (is_first || event_ns >= (int64_t)words[MET__QUANTITY_EVENT_NS]) {
        met__amount_set(words + MET__QUANTITY_LATEST, value);
        words[MET__QUANTITY_EVENT_NS] = (uint64_t)event_ns;
        words[MET__QUANTITY_RECORDED_NS] = (uint64_t)now_ns;
    }
    words[MET__QUANTITY_COUNT]++;
    return 1;
}

#endif

/* Sums by the value of a dimension, of many wishes at once. Only for this
 * room. */
#ifndef MET_INVOICE_VALUE_SUMS_H
#define MET_INVOICE_VALUE_SUMS_H

#include "entitlement/customer_usage.h"
#include "invoice/long_list.h"
#include "meter/amount.h"

/* Texts lie in the arena, which belongs to the caller. */
typedef struct met__value_sums {
    met__arena *arena;
    met__long_list list;
} met__value_sums;

/* drop gives back all but the texts. */
void met__value_sums_init(met__value_sums *sums, met__arena *arena);
void met__value_sums_drop(met__value_sums *sums);

/* The sum of a value, from 1; a new one is 0 and without usage. *first is that
 * of the wish's first one, or 0. MET_E_LIMIT (MET__PRICE_VALUES_MAX of a
 * wish) · MET_E_NO_MEMORY */
met_error met__value_sums_place(met__value_sums *sums, uint32_t *first,
                                met__text value, uint32_t *place_out);
/* All are without usage again. */
void met__value_sums_clear(met__value_sums *sums);
/* MET_E_OVERFLOW */
met_error met__value_sums_add(met__value_sums *sums, uint32_t place,
                              met__wide amount);
/* Those of a wish that have usage, by value, with so many places. */
met_error met__value_sums_collect(const met__value_sums *sums, uint32_t first,
                                  uint32_t decimal_places, met__arena *arena,
                                  met__value_usage **usage_out,
                                  size_t *count_out);

#endif

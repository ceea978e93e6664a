/* What a customer used of a feature: the usage query of all its subjects. */
#ifndef MET_ENTITLEMENT_CUSTOMER_USAGE_H
#define MET_ENTITLEMENT_CUSTOMER_USAGE_H

#include "catalog/feature.h"
#include "customer/customer.h"
#include "meter/usage_query.h"

/* The query behind the calls below. MET_E_UNSUPPORTED: the meter neither sums
 * nor counts. */
met_error met__customer_query(const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              met__usage_query *query_out,
                              met_error_info *info);
/* Settled usage in [from, to), which are cut to their minutes; 0 when nothing
 * is between. way: MET__USAGE_*. MET_E_UNSUPPORTED (meters that neither sum nor
 * count) · errors as met__usage_total. */
met_error met__customer_usage(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              uint32_t way, met_decimal *value_out,
                              met_error_info *info);

/* The same of any aggregation, for what is held against a limit. */
met_error met__customer_level(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              uint32_t way, met_decimal *value_out,
                              met_error_info *info);

/* An instant of [from, to] before which there is none; to: there is none. The
 * bounds are whole minutes. MET_E_CORRUPT */
met_error met__customer_first(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              int64_t *at_ns_out);

/* Whether nobody ever used anything in the customer's name. Of a million
 * customers that is true of many, and asking is cheaper than looking. */
met_error met__customer_is_unused(met__txn *txn,
                                  const met__customer *customer,
                                  int *is_unused_out);

/* Usage by the values of one dimension of the meter, those with usage only,
 * in the order of values; usage without the dimension has the value "".
 * MET_E_CONFLICT (the meter has not the dimension) · MET_E_LIMIT (more values
 * than MET__PRICE_VALUES_MAX) · errors as met__usage_total */
typedef struct met__value_usage {
    met__text value;
    met_decimal quantity;
} met__value_usage;
met_error met__customer_usage_by_value(
    met__txn *txn, const met__customer *customer, const met__feature *feature,
    const met__meter *meter, met__period period, met__text dimension,
    met__arena *arena, met__value_usage **usage_out, size_t *count_out,
    met_error_info *info);

#endif

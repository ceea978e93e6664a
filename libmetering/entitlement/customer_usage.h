/* What a customer used of a feature: the usage query of all its subjects. */
#ifndef MET_ENTITLEMENT_CUSTOMER_USAGE_H
#define MET_ENTITLEMENT_CUSTOMER_USAGE_H

#include "catalog/feature.h"
#include "customer/customer.h"
#include "meter/usage_query.h"

/* Settled usage in [from, to), which are cut to their minutes; 0 when nothing
 * is between. way: MET__USAGE_*. Errors as met__usage_total. */
met_error met__customer_usage(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              uint32_t way, met_decimal *value_out,
                              met_error_info *info);

#endif

/* The usage behind a line, for people to look at: by day, and by the values of
 * the meter's dimensions. It is a picture, nothing is rated from it. Only for
 * this room.
 *
 * {"by_day": {"from", "quantities": [...]} (days of UTC), "by_dimension"?:
 *  [{"dimension", "values": [{"value", "quantity"}], "others"?: {"values": how
 *  many, "quantity"}}]} */
#ifndef MET_INVOICE_LINE_USAGE_H
#define MET_INVOICE_LINE_USAGE_H

#include "catalog/feature.h"
#include "customer/customer.h"
#include "meter/usage_query.h"

#define MET__LINE_USAGE_LINES_MAX 256 /* of one invoice, the first ones */
#define MET__LINE_USAGE_DAYS_MAX 400
#define MET__LINE_USAGE_DIMENSIONS_MAX 4
#define MET__LINE_USAGE_VALUES_MAX 10

/* *node_out is NULL when there is nothing to show: more days, a meter that does
 * not add up, or bounds that part what is folded. period is cut to minutes. */
met_error met__line_usage(met__txn *txn, const met__customer *customer,
                          const met__feature *feature,
                          const met__meter *meter, met__period period,
                          met__arena *arena, met__node **node_out);

#endif

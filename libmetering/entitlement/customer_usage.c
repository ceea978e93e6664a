/* Usage of a customer: subjects, filters and minutes put into one query.
 * In: customer, feature, meter, period. Out: one number. */
#include "entitlement/customer_usage.h"

#include "entitlement/allowance.h"

met_error met__customer_usage(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              uint32_t way, met_decimal *value_out,
                              met_error_info *info)
{
    met__usage_query query = {
        .meter = meter,
        .subject_count = customer->subject_count,
        .subjects = customer->subjects,
        .filter_count = feature->filter_count,
        .filters = feature->filters,
        .from_ns = period.from_ns - period.from_ns % MET__MINUTE_NS,
        .to_ns = period.to_ns - period.to_ns % MET__MINUTE_NS,
        .way = way,
        .window = MET__WINDOW_NONE,
    };

    if (!met__meter_is_additive(meter)) {
        return met__fail(info, MET_E_UNSUPPORTED, "meter",
                         "allowances and invoices take only meters that sum "
                         "or count");
    }
    if (query.from_ns >= query.to_ns) {
        *value_out = met__decimal_zero();
        return MET_OK;
    }
    return met__usage_total(txn, &query, value_out, info);
}

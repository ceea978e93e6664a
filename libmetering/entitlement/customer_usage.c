/* Usage of a customer: subjects, filters and minutes put into one query.
 * In: customer, feature, meter, period. Out: one number, or one for each value
 * of a dimension. */
#include "entitlement/customer_usage.h"

#include "entitlement/allowance.h"
#include "meter/subject_index.h"

static met_error must_add_up(const met__meter *meter, met_error_info *info)
{
    return met__meter_is_additive(meter)
               ? MET_OK
               : met__fail(info, MET_E_UNSUPPORTED, "meter",
                           "invoices take only meters that sum or count");
}

static met__usage_query begin(const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period)
{
    return (met__usage_query){
        .meter = meter,
        .subject_count = customer->subject_count,
        .subjects = customer->subjects,
        .filter_count = feature->filter_count,
        .filters = feature->filters,
        .from_ns = period.from_ns - period.from_ns % MET__MINUTE_NS,
        .to_ns = period.to_ns - period.to_ns % MET__MINUTE_NS,
        .window = MET__WINDOW_NONE,
    };
}

met_error met__customer_query(const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              met__usage_query *query_out,
                              met_error_info *info)
{
    met_error error = must_add_up(meter, info);

    if (error == MET_OK) {
        *query_out = begin(customer, feature, meter, period);
    }
    return error;
}

met_error met__customer_usage(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              uint32_t way, met_decimal *value_out,
                              met_error_info *info)
{
    met_error error = must_add_up(meter, info);

    return error == MET_OK ? met__customer_level(txn, customer, feature, meter,
                                                 period, way, value_out, info)
                           : error;
}

met_error met__customer_is_unused(met__txn *txn,
                                  const met__customer *customer,
                                  int *is_unused_out)
{
    return met__subject_index_is_empty(txn, customer->subjects,
                                       customer->subject_count,
                                       is_unused_out);
}

met_error met__customer_level(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              uint32_t way, met_decimal *value_out,
                              met_error_info *info)
{
    met__usage_query query = begin(customer, feature, meter, period);
    int is_none = query.from_ns >= query.to_ns;
    met_error error =
        is_none ? MET_OK
                : met__customer_is_unused(txn, customer, &is_none);

    if (error != MET_OK || is_none) {
        *value_out = met__decimal_zero();
        return error;
    }
    query.way = way;
    return met__usage_total(txn, &query, value_out, info);
}

met_error met__customer_first(met__txn *txn, const met__customer *customer,
                              const met__feature *feature,
                              const met__meter *meter, met__period period,
                              int64_t *at_ns_out)
{
    met__usage_query query = begin(customer, feature, meter, period);

    return met__usage_first(txn, &query, at_ns_out);
}

/* --- By value ------------------------------------------------------------- */
static met_error collect(met__usage_cursor *cursor, met__arena *arena,
                         met__value_usage *usage, size_t *count_out,
                         met_error_info *info)
{
    met__usage_row row;
    met_error error = MET_OK;

    while ((error = met__usage_next(cursor, &row, info)) == MET_OK) {
        if (*count_out == MET__PRICE_VALUES_MAX) {
            return met__fail(info, MET_E_LIMIT, "dimension",
                             "has more than %d values with usage",
                             MET__PRICE_VALUES_MAX);
        }
        met__value_usage *next = &usage[(*count_out)++];
        const char *copy = met__arena_copy(arena, row.values[0].data,
                                           row.values[0].size);
        if (copy == NULL) {
            return MET_E_NO_MEMORY;
        }
        next->value = met__text_of(copy, row.values[0].size);
        next->quantity = row.value;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__customer_usage_by_value(
    met__txn *txn, const met__customer *customer, const met__feature *feature,
    const met__meter *meter, met__period period, met__text dimension,
    met__arena *arena, met__value_usage **usage_out, size_t *count_out,
    met_error_info *info)
{
    met__usage_query query = begin(customer, feature, meter, period);
    met__usage_cursor *cursor = NULL;
    size_t count = 0;
    met_error error = must_add_up(meter, info);

    if (error != MET_OK) {
        return error;
    }
    if (met__meter_dimension(meter, dimension) == NULL) {
        return met__fail(info, MET_E_CONFLICT, "dimension",
                         "the meter \"%.*s\" has no dimension \"%.*s\"",
                         (int)meter->key.size, meter->key.data,
                         (int)dimension.size, dimension.data);
    }
    met__value_usage *usage =
        met__arena_allocate(arena, MET__PRICE_VALUES_MAX * sizeof *usage);
    if (usage == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (query.from_ns < query.to_ns) {
        query.groups = &dimension;
        query.group_count = 1;
        error = met__usage_open(txn, &query, MET__USAGE_GROUPS_MAX, &cursor,
                                info);
        if (error == MET_OK) {
            error = collect(cursor, arena, usage, &count, info);
        }
        met__usage_close(cursor);
    }
    if (error == MET_OK) {
        *usage_out = usage;
        *count_out = count;
    }
    return error;
}

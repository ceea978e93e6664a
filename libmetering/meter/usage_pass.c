/* Which usage a query asks for. In: its subjects, customers, filters and
 * conditions, and a shape. Out: whether usage of the shape is in the answer,
 * and by which values it is grouped. */
#include "meter/usage_pass.h"

static int is_wanted_subject(const met__usage_query *query, met__text subject)
{
    for (size_t i = 0; i < query->subject_count; i++) {
        if (met__text_equal(query->subjects[i], subject)) {
            return 1;
        }
    }
    return query->subject_count == 0;
}

static const met__usage_customer *customer_of(const met__usage_query *query,
                                              met__text subject)
{
    for (size_t i = 0; i < query->customer_count; i++) {
        const met__usage_customer *customer = &query->customers[i];
        for (size_t j = 0; j < customer->subject_count; j++) {
            if (met__text_equal(customer->subjects[j], subject)) {
                return customer;
            }
        }
    }
    return NULL;
}

/* Of a dimension, the subject, or the customer's key: rows are in its order. */
met__text met__usage_value_of(const met__usage_query *query,
                          const met__usage_shape *shape,
                          const met__usage_match *match, met__text name)
{
    const met__meter *meter = query->meter;
    const met__dimension *dimension = met__meter_dimension(meter, name);
    const met__usage_customer *customer;

    if (dimension != NULL) {
        return match->values[dimension - meter->dimensions];
    }
    if (met__text_equal(name, MET__TEXT("subject"))) {
        return shape->subject;
    }
    customer = customer_of(query, shape->subject);
    return customer != NULL ? customer->key : MET__TEXT("");
}

int met__filters_hold(const met__meter *meter, const met__filter *filters,
                      size_t count, const met__text *values)
{
    for (size_t i = 0; i < count; i++) {
        const met__dimension *dimension =
            met__meter_dimension(meter, filters[i].dimension);
        if (dimension == NULL
            || !met__condition_holds(filters[i].condition,
                                     values[dimension - meter->dimensions])) {
            return 0;
        }
    }
    return 1;
}

int met__usage_passes(const met__usage_query *query,
                  const met__usage_shape *shape, met__usage_match *match_out)
{
    uint32_t way = shape->flags & 1u ? MET__USAGE_ADMITTED : MET__USAGE_OTHER;

    if ((query->way != MET__USAGE_ANY && query->way != way)
        || !is_wanted_subject(query, shape->subject)
        || (query->customer_count > 0
            && customer_of(query, shape->subject) == NULL)
        || !met__usage_matches(query->meter, shape, match_out)) {
        return 0;
    }
    return met__filters_hold(query->meter, query->filters,
                             query->filter_count, match_out->values)
           && met__filters_hold(query->meter, query->conditions,
                                query->condition_count, match_out->values);
}

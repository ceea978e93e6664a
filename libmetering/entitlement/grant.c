/* The terms of one grant. In: a grant, an instant. Out: bounds, order. */
#include "entitlement/grant.h"

#include "base/check.h"
#include "base/error.h"

/* More would leave the range of times whatever the unit. */
#define COUNT_MAX 2100000

static met_error add_months(int64_t at_ns, int64_t months,
                            int64_t *utc_ns_out)
{
    met__civil civil;
    met_error error = met__civil_from_ns(at_ns, &civil);

    if (error != MET_OK) {
        return error;
    }
    int64_t all = civil.year * INT64_C(12) + civil.month - 1 + months;
    int64_t first =
        met__days_from_civil(all / 12, (int32_t)(all % 12) + 1, 1);
    *utc_ns_out = (first + civil.day - 1) * MET__DAY_NS + at_ns % MET__DAY_NS;
    return MET_OK;
}

met_error met__grant_expiry(int64_t effective_at_ns, uint32_t unit,
                            int64_t count, int64_t *utc_ns_out)
{
    static const int64_t hours[] = {1, 24, 7 * 24};
    int64_t at_ns = 0;
    met_error error = MET_OK;

    if (effective_at_ns < 0 || effective_at_ns > MET__TIME_MAX || count < 1
        || count > COUNT_MAX || unit > MET__EXPIRES_YEAR) {
        return MET_E_INVALID;
    }
    if (unit <= MET__EXPIRES_WEEK) {
        int64_t step = hours[unit] * MET__HOUR_NS;
        if (count > (MET__TIME_MAX - effective_at_ns) / step) {
            return MET_E_INVALID;
        }
        at_ns = effective_at_ns + count * step;
    } else {
        int64_t months = unit == MET__EXPIRES_YEAR ? count * 12 : count;
        if (months > 12 * 231) { /* 1970 to 2200 */
            return MET_E_INVALID;
        }
        error = add_months(effective_at_ns, months, &at_ns);
    }
    if (error == MET_OK && at_ns > MET__TIME_MAX) {
        error = MET_E_INVALID;
    }
    if (error == MET_OK) {
        *utc_ns_out = at_ns;
    }
    return error;
}

static int is_time(int64_t at_ns)
{
    return at_ns >= 0 && at_ns <= MET__TIME_MAX;
}

static int is_end(int64_t at_ns)
{
    return at_ns == MET__NEVER || is_time(at_ns);
}

static int is_amount(met_decimal value)
{
    return met__decimal_is_valid(value) && !met__decimal_is_negative(value);
}

met_error met__grant_check(const met__grant *grant, met_error_info *info)
{
    const char *field = NULL;

    MET__ASSERT(grant != NULL);
    if (grant->id.size == 0) {
        field = "id";
    } else if (!is_amount(grant->amount)
               || met__decimal_is_zero(grant->amount)) {
        field = "amount";
    } else if (grant->priority > MET__GRANT_PRIORITY_MAX) {
        field = "priority";
    } else if (!is_time(grant->effective_at_ns)) {
        field = "effective_at";
    } else if (!is_end(grant->expires_at_ns)) {
        field = "expires_at";
    } else if (!is_end(grant->voided_at_ns)) {
        field = "voided_at";
    } else if (!is_end(grant->deleted_at_ns)) {
        field = "deleted_at";
    } else if (!is_amount(grant->rollover_min)
               || !is_amount(grant->rollover_max)) {
        field = "rollover";
    } else if (grant->has_recurrence
               && (!is_time(grant->recurrence.anchor_ns)
                   || met__duration_is_zero(&grant->recurrence.interval))) {
        field = "recurrence";
    }
    if (field != NULL) {
        return met__fail(info, MET_E_INVALID, field,
                         "the grant \"%.*s\" has a value out of range",
                         (int)grant->id.size, grant->id.data);
    }
    return MET_OK;
}

met__period met__grant_active(const met__grant *grant)
{
    met__period active = {grant->effective_at_ns, grant->expires_at_ns};

    if (grant->voided_at_ns < active.to_ns) {
        active.to_ns = grant->voided_at_ns;
    }
    if (grant->deleted_at_ns < active.to_ns) {
        active.to_ns = grant->deleted_at_ns;
    }
    if (active.to_ns < active.from_ns) {
        active.to_ns = active.from_ns;
    }
    return active;
}

met_error met__grant_recurs(const met__grant *grant, int64_t at_ns,
                            int inclusive, int64_t *utc_ns_out)
{
    met__period active = met__grant_active(grant);
    met__period around;
    int64_t next = MET__NEVER;
    int64_t n;
    met_error error = MET_OK;

    if (!grant->has_recurrence || at_ns >= active.to_ns) {
        *utc_ns_out = MET__NEVER;
        return MET_OK;
    }
    if (at_ns < active.from_ns) {
        at_ns = active.from_ns;
        inclusive = 1;
    }
    error = met__recurrence_period_within(&grant->recurrence, at_ns, &around,
                                          &n);
    if (error == MET_OK) {
        int64_t point_ns = around.from_ns;
        int is_point = inclusive && around.from_ns == at_ns
                       && met__recurrence_point(&grant->recurrence, n,
                                                &point_ns)
                              == MET_OK;
        next = is_point                         ? at_ns
               : around.to_ns < MET__TIME_MAX ? around.to_ns
                                                : MET__NEVER;
    }
    *utc_ns_out = next < active.to_ns ? next : MET__NEVER;
    return error;
}

static int compare_times(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int64_t whole_second(int64_t at_ns)
{
    return at_ns == MET__NEVER ? at_ns : at_ns / MET__SECOND_NS;
}

int met__grant_compare(const met__grant *a, const met__grant *b)
{
    int order = (a->priority > b->priority) - (a->priority < b->priority);

    if (order == 0) {
        order = compare_times(whole_second(a->expires_at_ns),
                              whole_second(b->expires_at_ns));
    }
    if (order == 0) {
        order = compare_times(a->created_at_ns, b->created_at_ns);
    }
    return order != 0 ? order : met__text_compare(a->id, b->id);
}

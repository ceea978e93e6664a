/* Which quota cell and which period of it a moment belongs to, and amounts as
 * cells keep them.
 * In: rows, instants, decimals. Out: keys, numbers, bounds, halves. Pure. */
#include "base/check.h"
#include "entitlement/allowance.h"

/* Customer id and feature key, each at most this long. */
#define PART_SIZE_MAX 256
/* Of what a cell can hold: with a part of one beside them. */
#define UNITS_MAX (MET__QUOTA_AMOUNT_MAX / MET__QUOTA_UNIT)

met__hash128 met__quota_key(const met__secret *secret, met__text customer_id,
                            met__text feature_key)
{
    unsigned char bytes[1 + 2 * PART_SIZE_MAX];
    size_t id_size =
        customer_id.size < PART_SIZE_MAX ? customer_id.size : PART_SIZE_MAX;
    size_t key_size =
        feature_key.size < PART_SIZE_MAX ? feature_key.size : PART_SIZE_MAX;

    /* The length first: "ab" + "c" is not "a" + "bc". */
    bytes[0] = (unsigned char)id_size;
    if (id_size > 0) {
        memcpy(bytes + 1, customer_id.data, id_size);
    }
    if (key_size > 0) {
        memcpy(bytes + 1 + id_size, feature_key.data, key_size);
    }
    return met__hash128_of(secret, bytes, 1 + id_size + key_size);
}

int64_t met__quota_limit(met_decimal limit)
{
    int64_t whole;

    if (met__decimal_to_scaled(limit, 0, MET_ROUND_FLOOR, &whole) != MET_OK
        || whole > UNITS_MAX || whole < -UNITS_MAX) {
        return met__decimal_is_negative(limit) ? -MET__QUOTA_AMOUNT_MAX
                                               : MET__QUOTA_AMOUNT_MAX;
    }
    int has_part =
        met__decimal_compare(limit, met__decimal_from_i64(whole)) > 0;
    return whole * MET__QUOTA_UNIT + (has_part ? MET__QUOTA_UNIT / 2 : 0);
}

int64_t met__quota_taken(met_decimal taken)
{
    int64_t whole;

    if (met__decimal_is_negative(taken)) {
        return 0;
    }
    return met__decimal_to_scaled(taken, 0, MET_ROUND_CEILING, &whole)
                       != MET_OK
                   || whole > UNITS_MAX
               ? MET__QUOTA_AMOUNT_MAX
               : whole * MET__QUOTA_UNIT;
}

int64_t met__minute_last(int64_t at_ns)
{
    int64_t first = at_ns - at_ns % MET__MINUTE_NS;

    if (at_ns < 0 || first > MET__TIME_MAX - MET__MINUTE_NS) {
        return at_ns;
    }
    return first + MET__MINUTE_NS - 1;
}

met_error met__quota_row_period(const met__quota_row *row, int64_t at_ns,
                                uint64_t *number_out, met__period *period_out)
{
    int64_t at = met__minute_last(at_ns);
    met__period period;
    int64_t n;

    MET__ASSERT(row != NULL && number_out != NULL && period_out != NULL);
    if (at < row->from_ns || at >= row->to_ns) {
        return MET_E_NOT_FOUND;
    }
    if (row->type != MET__ENTITLEMENT_METERED) {
        *number_out = 0;
        *period_out = (met__period){row->from_ns, row->to_ns};
        return MET_OK;
    }
    met_error error =
        met__recurrence_period_within(&row->usage_period, at, &period, &n);
    if (error != MET_OK) {
        return error;
    }
    *number_out = row->number_base + (uint64_t)n;
    period_out->from_ns =
        period.from_ns > row->from_ns ? period.from_ns : row->from_ns;
    period_out->to_ns = period.to_ns < row->to_ns ? period.to_ns : row->to_ns;
    return MET_OK;
}

/* Splits an amount so that the parts sum to it: every share is rounded down,
 * and what is left goes out in smallest units, largest remainder first.
 *
 * Rule: OpenMeter, pkg/currencyx/allocation.go. Remainders are compared
 * exactly, where the peer compares quotients of 16 decimals. */
#include "base/check.h"
#include "rating/rating.h"

/* A share in the order of its remainder. */
typedef struct candidate {
    size_t index;
    met_decimal remainder;
} candidate;

static met_error check(const met__currency *currency, met_decimal amount,
                       unsigned flags, const met__share *shares, size_t count,
                       met_decimal *sum_out, met_error_info *info)
{
    met_decimal sum = met__decimal_zero();
    met_error error = MET_OK;

    if (met__decimal_is_negative(amount)
        || !met__currency_is_rounded(currency, amount)) {
        return met__fail(info, MET_E_INVALID, "amount",
                         "must be a whole number of %u-decimal units >= 0",
                         currency->places);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (met__decimal_is_negative(shares[i].weight)
            || met__decimal_is_zero(shares[i].weight)) {
            return met__fail(info, MET_E_INVALID, "weight",
                             "of share %zu must be more than 0", i);
        }
        if ((flags & MET__ALLOCATE_CAPPED)
            && !met__currency_is_rounded(currency, shares[i].weight)) {
            return met__fail(info, MET_E_INVALID, "amount",
                             "of share %zu has more than %u decimals", i,
                             currency->places);
        }
        error = met__decimal_add(sum, shares[i].weight, &sum);
    }
    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    if ((count == 0 && !met__decimal_is_zero(amount))
        || ((flags & MET__ALLOCATE_CAPPED)
            && met__decimal_compare(amount, sum) > 0)) {
        return met__fail(info, MET_E_INVALID, "amount",
                         "is more than the shares can take");
    }
    *sum_out = sum;
    return MET_OK;
}

/* 1 when a comes before b. */
static int is_before(const candidate *a, const candidate *b,
                     const met__share *shares, unsigned flags)
{
    int order = met__decimal_compare(b->remainder, a->remainder);

    if (order == 0 && (flags & MET__ALLOCATE_TIES_BY_KEY)) {
        order = met__text_compare(shares[a->index].key, shares[b->index].key);
    }
    return order != 0 ? order < 0 : a->index < b->index;
}

/* Shell sort: the order is total, so that stability does not matter. */
static void sort(candidate *candidates, size_t count, const met__share *shares,
                 unsigned flags)
{
    for (size_t gap = count / 2; gap > 0; gap /= 2) {
        for (size_t i = gap; i < count; i++) {
            candidate moved = candidates[i];
            size_t j = i;
            while (j >= gap
                   && is_before(&moved, &candidates[j - gap], shares, flags)) {
                candidates[j] = candidates[j - gap];
                j -= gap;
            }
            candidates[j] = moved;
        }
    }
}

/* Floors of all shares, in smallest units; what is left to give out. */
static met_error floor_shares(met_decimal units, met_decimal sum,
                              met__share *shares, size_t count,
                              candidate *candidates, met_decimal *left_out)
{
    met_decimal left = units;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met_decimal product;
        candidates[i].index = i;
        error = met__decimal_multiply(units, shares[i].weight, &product);
        if (error == MET_OK) {
            error = met__decimal_divide_whole(product, sum, &shares[i].amount,
                                              &candidates[i].remainder);
        }
        if (error == MET_OK) {
            error = met__decimal_subtract(left, shares[i].amount, &left);
        }
    }
    *left_out = left;
    return error;
}

met_error met__allocate_amount(const met__currency *currency,
                               met_decimal amount, unsigned flags,
                               met__share *shares, size_t count,
                               met__arena *arena, met_error_info *info)
{
    met_decimal unit = met__currency_unit(currency);
    met_decimal one = met__decimal_from_i64(1);
    met_decimal sum;
    met_decimal units;
    met_decimal left;

    met_error error = check(currency, amount, flags, shares, count, &sum, info);
    if (error != MET_OK || count == 0) {
        return error;
    }
    candidate *candidates =
        met__arena_allocate(arena, count * sizeof *candidates);
    if (candidates == NULL) {
        return MET_E_NO_MEMORY;
    }
    MET__ASSERT(met__decimal_divide(amount, unit, 0, MET_ROUND_DOWN, &units)
                == MET_OK);
    error = floor_shares(units, sum, shares, count, candidates, &left);
    if (error != MET_OK) {
        return met__fail(info, error, "weight",
                         "times the amount needs more than 34 digits");
    }
    sort(candidates, count, shares, flags);
    /* The remainders sum to `left` times the whole, each less than the whole:
     * fewer units are left than shares have a remainder, and a share at its
     * cap has none. */
    for (size_t i = 0; !met__decimal_is_zero(left); i++) {
        MET__ASSERT(i < count);
        met__share *share = &shares[candidates[i].index];
        MET__ASSERT(met__decimal_add(share->amount, one, &share->amount)
                    == MET_OK);
        MET__ASSERT(met__decimal_subtract(left, one, &left) == MET_OK);
    }
    for (size_t i = 0; i < count; i++) {
        MET__ASSERT(met__decimal_multiply(shares[i].amount, unit,
                                          &shares[i].amount)
                    == MET_OK);
    }
    return MET_OK;
}

/* The words of a quota cell: what is packed into one, and how to read it. Pure.
 * Only for quota_cell.c. */
#ifndef MET_LIMIT_QUOTA_WORD_H
#define MET_LIMIT_QUOTA_WORD_H

#include "base/check.h"
#include "limit/quota_cell.h"

#define TAG_SHIFT 61
#define TAGS UINT64_C(7) /* mask */
#define VALUE_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)
#define VALUE_SIGN (UINT64_C(1) << (TAG_SHIFT - 1))

#define CONTROL_TAG_SHIFT 60
#define CONTROL_PREPARING (UINT64_C(1) << 63)

/* The flags word: the limit from a later minute on beside the flags. */
#define MINUTE_NS INT64_C(60000000000)
#define FLAGS UINT64_C(3) /* mask */
#define MINUTE_SHIFT 2
#define MINUTES UINT64_C(0x7ffffff) /* mask: until 2225 */
#define SCALE_SHIFT 29
#define LATER_SHIFT 31
#define LATER UINT64_C(0x3fffffff) /* mask */

/* In taken, beside the amount. */
#define SEAL (INT64_C(1) << 59)

#define SLICE_SHIFT 48
#define SLICES UINT64_C(0x1fff) /* mask: 56 days of slices */
/* A bucket at most so many slices ahead was made by somebody whose clock
 * reading is newer than ours; farther away it is an old one. */
#define SLICES_AHEAD 15

MET__STATIC_ASSERT(sizeof(met__quota_cell) == 128, a_cell_is_two_lines);
MET__STATIC_ASSERT(MET__QUOTA_AMOUNT_MAX < (INT64_C(1) << (TAG_SHIFT - 1)),
                   an_amount_fits_beside_its_tag);
MET__STATIC_ASSERT(MET__QUOTA_AMOUNT_MAX == SEAL - 1,
                   taken_is_one_word_with_its_seal);
MET__STATIC_ASSERT(MET__QUOTA_BUCKET_MAX == (INT64_C(1) << SLICE_SHIFT) - 1,
                   a_bucket_is_one_word);

static inline uint32_t tag_of(uint64_t word)
{
    return (uint32_t)(word >> TAG_SHIFT);
}

static inline uint64_t tagged(uint32_t tag, int64_t value)
{
    return (uint64_t)tag << TAG_SHIFT | ((uint64_t)value & VALUE_MASK);
}

static inline int64_t value_of(uint64_t word)
{
    return (int64_t)(((word & VALUE_MASK) ^ VALUE_SIGN) - VALUE_SIGN);
}

/* A period's limit from a later minute on, rounded down. */
static inline uint64_t later_word(const met__quota_period *period)
{
    uint64_t minute = (uint64_t)(period->next_at_ns / MINUTE_NS);
    uint64_t amount = (uint64_t)period->next_limit;
    uint64_t scale = 0;

    if (minute == 0 || minute > MINUTES) {
        return 0;
    }
    /* Three are always enough: 2^59 < 2^30 * 1000^3. */
    while (scale < 3 && (amount % 1000 == 0 || amount > LATER)) {
        amount /= 1000;
        scale++;
    }
    return minute << MINUTE_SHIFT | scale << SCALE_SHIFT
           | amount << LATER_SHIFT;
}

static inline int64_t later_minute_ns(uint64_t flags)
{
    return (int64_t)(flags >> MINUTE_SHIFT & MINUTES) * MINUTE_NS;
}

static inline int64_t later_limit(uint64_t flags)
{
    int64_t amount = (int64_t)(flags >> LATER_SHIFT & LATER);

    for (uint64_t scale = flags >> SCALE_SHIFT & 3; scale > 0; scale--) {
        amount *= 1000;
    }
    return amount < MET__QUOTA_AMOUNT_MAX ? amount : MET__QUOTA_AMOUNT_MAX;
}

static inline uint64_t bucket_word(uint32_t tag, uint64_t slice, int64_t amount)
{
    return (uint64_t)tag << TAG_SHIFT | slice << SLICE_SHIFT
           | (uint64_t)amount;
}

static inline uint64_t bucket_slice(uint64_t word)
{
    return word >> SLICE_SHIFT & SLICES;
}

static inline int64_t bucket_amount(uint64_t word)
{
    return (int64_t)(word & (uint64_t)MET__QUOTA_BUCKET_MAX);
}

/* Whether a bucket of slice `there` is over for somebody who lives in slice
 * `now`: two or more back. */
static inline int is_over(uint64_t there, uint64_t now)
{
    uint64_t ahead = (there - now) & SLICES;

    return ahead > SLICES_AHEAD && ahead != SLICES;
}

static inline uint64_t control_number(uint64_t control)
{
    return control & MET__QUOTA_NUMBER_MAX;
}

static inline uint32_t control_tag(uint64_t control)
{
    return (uint32_t)(control >> CONTROL_TAG_SHIFT & TAGS);
}

#endif

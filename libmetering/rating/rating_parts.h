/* Inside of rating: what a price model sees and how it emits lines. */
#ifndef MET_RATING_RATING_PARTS_H
#define MET_RATING_RATING_PARTS_H

#include "rating/rating.h"

/* One rating under way. quantity and before are converted, discounted and
 * never negative. */
typedef struct met__rating {
    const met__rate_input *input;
    met__arena *arena;
    met__rated *rated;
    size_t capacity; /* of rated->lines */
    met_decimal quantity;
    met_decimal before;
    met_decimal exact_sum;   /* of the lines so far, when they are rounded */
    met_decimal rounded_sum; /* together */
    int is_too_long; /* a number did not fit into a text */
    met_error_info *info;
} met__rating;

/* A line about to be. */
typedef struct met__draft {
    const char *child_id; /* static or in the arena */
    const char *part;     /* "usage in period"; NULL: the line's own name */
    const char *explanation;
    uint32_t category;
    uint32_t term;
    met_decimal quantity;
    met_decimal per_unit_amount;
} met__draft;

/* amount = round(quantity * per_unit_amount), as the policies say; totals
 * filled. */
met_error met__rating_emit(met__rating *rating, const met__draft *draft);
/* An amount and a product as the policies round what is not a total. */
met_error met__rating_round(const met__rating *rating, met_decimal amount,
                            met_decimal *out);
met_error met__rating_multiply(const met__rating *rating, met_decimal a,
                               met_decimal b, met_decimal *out);
/* Texts of lines, in the arena; "" where lines have none. */
/* A decimal; NULL when memory is out or it is too long, with or without
 * texts. */
const char *met__rating_text(met__rating *rating, met_decimal value);
/* printf; NULL when memory is out. */
const char *met__rating_print(const met__rating *rating, const char *format,
                              ...) __attribute__((format(printf, 2, 3)));
/* "<quantity> x <unit>" after an optional beginning; NULL as both. */
const char *met__rating_explain(met__rating *rating, const char *beginning,
                                met_decimal quantity, met_decimal unit);

/* The models: quantities in, lines out. */
met_error met__rate_free(met__rating *rating);
met_error met__rate_flat(met__rating *rating);
met_error met__rate_unit(met__rating *rating);
met_error met__rate_package(met__rating *rating);
met_error met__rate_dynamic(met__rating *rating);
/* Also with percentages. */
met_error met__rate_graduated(met__rating *rating);
met_error met__rate_volume(met__rating *rating); /* and stair-step */
met_error met__rate_percentage(met__rating *rating);
met_error met__rate_matrix(met__rating *rating);

/* What comes before and after the model, in this order. */
met_error met__rating_convert(met__rating *rating);
met_error met__rating_discount_usage(met__rating *rating);
met_error met__rating_discount_percentage(met__rating *rating);
met_error met__rating_cap(met__rating *rating);
met_error met__rating_fill_up(met__rating *rating);

/* Puts the input's credits over the lines and sums them up. */
met_error met__rated_settle(met__rated *rated, const met__rate_input *input,
                            met__arena *arena, met_error_info *info);

/* The two halves of met__lines_subtract: lines in any order, then in their
 * order, with indexes from 0. MET_E_CONFLICT from the second. */
met_error met__lines_difference(const met__line *current, size_t current_count,
                                const met__line *previous,
                                size_t previous_count, uint32_t ids,
                                met__arena *arena, met__line **lines_out,
                                size_t *count_out);
met_error met__lines_arrange(met__line *lines, size_t count, uint32_t ids);
/* total = amount + charges + taxes_exclusive - discounts - credits. */
met_error met__totals_settle(met__totals *totals);
int met__totals_are_zero(const met__totals *totals);

#endif

/* What one line of an invoice is rated from, and nothing else: rating it again
 * gives the same line. Only for this room. */
#ifndef MET_INVOICE_LINE_BASIS_H
#define MET_INVOICE_LINE_BASIS_H

#include "catalog/price.h"
#include "invoice/billing_profile.h"
#include "rating/rating.h"

typedef struct met__line_basis {
    met__text name;
    const met__price *price;
    const met__node *discounts;   /* NULL when none */
    const met__node *unit_config; /* NULL when none */
    met__currency currency;
    met__rate_policies policies;
    met__period period;
    met__period full;
    int is_prorated; /* a flat fee of a part of its full period */
    int is_minimum_ignored; /* the period goes on */
    int is_void;            /* nothing is owed any more */
    int has_events;
    met_decimal quantity;   /* of the whole period */
    met_decimal events;     /* behind it, when the price is one of each */
    met__rate_group *groups; /* of a price by dimension; they sum to it */
    size_t group_count;
    const met__line *booked; /* what was billed for it before */
    size_t booked_count;
    int is_booked; /* something was, maybe of no lines */
    int reserved;
} met__line_basis;

/* The whole period, before what was booked is taken away. MET_E_NOT_FOUND:
 * nothing is left of a fee. */
met_error met__basis_rate_whole(const met__line_basis *basis,
                                met__arena *arena, met__rated **rated_out,
                                met_error_info *info);
/* Less what was booked. MET_E_NOT_FOUND: there is nothing to bill. */
met_error met__basis_rate(const met__line_basis *basis, met__arena *arena,
                          met__rated **rated_out, met_error_info *info);

/* Detailed lines as documents, with the ids "<invoice>.<line>.<n>" when
 * invoice_id is not empty; line_number counts from 1. */
met_error met__basis_details(const met__rated *rated,
                             const met__currency *currency,
                             met__text invoice_id, uint32_t line_number,
                             met__arena *arena, met__node **array_out);

#endif

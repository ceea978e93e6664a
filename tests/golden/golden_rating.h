/* What the golden kinds of prices and lines share. */
#ifndef TESTS_GOLDEN_GOLDEN_RATING_H
#define TESTS_GOLDEN_GOLDEN_RATING_H

#include "golden.h"
#include "metering/rating.h"
#include "rating/rating.h"

/* A node out of JSON text; NULL fails the case. */
const met__node *golden_json(golden *self, met__text json);
met__text golden_print(golden *self, const met__node *node);
/* The case's price, discounts and unit config as a document of ours. */
met__node *golden_card(golden *self, const met__node *input);
met_price *golden_price_of(golden *self, const met__node *input,
                           met_error_info *info);
/* The price alone, read by the room. */
met__price *golden_room_price(golden *self, const met__node *price);
/* The answer of met_price_rate, or NULL with info. */
const met__node *golden_rate(golden *self, const met_price *price,
                             const met__node *request, met_error_info *info);
met__currency golden_currency(golden *self, const met__node *input);
void golden_set(golden *self, met__node *object, const char *name,
                const met__node *value);
/* expect.error: true or the peer's code. */
void golden_same_error(golden *self, const met__node *expected, met_error error,
                       const met_error_info *info);
/* Totals that a case leaves out are 0. */
void golden_same_totals(golden *self, const met__node *expected,
                        const met__node *got);
/* The lines in order, each in the fields it lists, and their totals. */
void golden_same_lines(golden *self, const met__node *expected,
                       const met__node *answer);
/* The section tier_order of the catalog. */
void golden_tier_order(golden *self, const met__node *item);
met__node *golden_decimal_node(golden *self, met_decimal value);

#endif

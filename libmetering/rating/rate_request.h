/* The request of met_price_rate, read into what rating takes. */
#ifndef MET_RATING_RATE_REQUEST_H
#define MET_RATING_RATE_REQUEST_H

#include "rating/rating.h"

typedef struct met__rate_request {
    met__arena *arena;
    met_error_info *info;
    met__rate_input input; /* begins as a whole period of the price */
    int has_booked;        /* what is wanted is the difference to it */
    int is_by_period;      /* on the period whose usage it is */
    size_t booked_count;
    met__line *booked;
    size_t run_count; /* the last one is the one to bill */
    met__rated_run *runs;
} met__rate_request;

/* Texts stay borrowed. MET_E_INVALID · MET_E_OVERFLOW · MET_E_UNSUPPORTED ·
 * MET_E_NO_MEMORY */
met_error met__rate_request_read(const met__node *node,
                                 met__rate_request *asked);
/* "currency"?: as met__currency_read has it. */
met_error met__currency_field(met__fields *fields, met__currency *currency);

#endif

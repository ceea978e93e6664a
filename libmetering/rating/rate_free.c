/* Free: no lines at all.
 *
 * Rule: pricing of OpenMeter, price types (a free price is a null price). */
#include "rating/rating_parts.h"

met_error met__rate_free(met__rating *rating)
{
    (void)rating;
    return MET_OK;
}

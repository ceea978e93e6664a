/* Any text as a price document: refused with a reason, or rated. What is rated
 * is never a surprise: lines sum to the total, and the same again. */
#include <stdlib.h>

#include "fuzz.h"
#include "rating/price_handle.h"
#include "rating/rating.h"
#include "support/faults.h"

static void rate(const met_price *price, const char *json)
{
    met_buffer first = {0};
    met_buffer second = {0};
    met_error_info info = {.struct_size = sizeof info};
    met_error error =
        met__price_rate(price, met__text_z(json), &first, &info);

    if (met__price_rate(price, met__text_z(json), &second, NULL) != error
        || first.size != second.size
        || (first.size > 0
            && memcmp(first.data, second.data, first.size) != 0)) {
        abort();
    }
    if (error != MET_OK && error != MET_E_INVALID && error != MET_E_OVERFLOW
        && error != MET_E_UNSUPPORTED) {
        abort();
    }
    if (error != MET_OK && info.reason[0] == '\0') {
        abort();
    }
    met_buffer_release(&first);
    met_buffer_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met_error_info info = {.struct_size = sizeof info};
    met_price *price = NULL;
    met_error error = met__price_open(
        &platform, met__text_of((const char *)data, size), &price, &info);

    if (error == MET_OK) {
        rate(price, "{\"quantity\": \"0\"}");
        rate(price, "{\"quantity\": \"1234.5\", \"events\": \"3\"}");
        rate(price, "{\"quantity\": \"-1\"}");
        rate(price,
             "{\"quantity\": \"9999999999999999999999999999999999\"}");
        rate(price, "{\"quantity\": \"3\", \"quantity_before\": \"2\", "
                    "\"is_first\": false, \"groups\": [{\"value\": \"x\", "
                    "\"quantity\": \"3\"}], \"policies\": {\"round_at\": "
                    "\"line\"}}");
        rate(price, "{\"quantity\": \"7\", \"period\": {\"from\": "
                    "\"2026-01-02T00:00:00Z\", \"to\": "
                    "\"2026-01-03T00:00:00Z\"}, \"earlier_runs\": "
                    "[{\"quantity\": \"3\", \"period\": {\"from\": "
                    "\"2026-01-01T00:00:00Z\", \"to\": "
                    "\"2026-01-02T00:00:00Z\"}}]}");
        met__price_close(price);
    } else if ((error != MET_E_INVALID && error != MET_E_OVERFLOW)
               || info.reason[0] == '\0' || price != NULL) {
        abort();
    }
    return 0;
}

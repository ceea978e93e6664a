/* When lines fall due together, and when the usage of them all is complete. In:
 * a profile, lines. Out: instants. */
#include "invoice/billing_profile.h"

met_error met__gathering_at(const met__billing_profile *profile,
                            const met__collected_line *lines, size_t count,
                            int64_t *at_ns_out)
{
    met__period period;
    int64_t first = 0;
    met_error error = MET_OK;

    for (size_t i = 0; i < count; i++) {
        if (!lines[i].is_deleted
            && (first == 0 || lines[i].invoice_at_ns < first)) {
            first = lines[i].invoice_at_ns;
        }
    }
    if (first != 0 && profile->is_anchored) {
        error = met__recurrence_period_at(&profile->anchored, first, &period,
                                          NULL);
        if (error == MET_OK) {
            first = period.from_ns == first ? first : period.to_ns;
        }
    }
    if (error == MET_OK) {
        *at_ns_out = first;
    }
    return error;
}

met_error met__collection_at(const met__billing_profile *profile,
                             const met__collected_line *lines, size_t count,
                             int64_t *at_ns_out)
{
    int64_t last = 0;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        int64_t at = lines[i].override_ns;
        if (lines[i].is_deleted || (at == 0 && !lines[i].is_metered)) {
            continue;
        }
        if (at == 0) {
            error = met__duration_add(lines[i].invoice_at_ns,
                                      &profile->interval, 1, &at);
        }
        last = at > last ? at : last;
    }
    if (error == MET_OK) {
        *at_ns_out = last;
    }
    return error;
}

/* Any bytes as a file of a time zone: refused, or a zone whose offsets and
 * civil times agree with each other. */
#include <stdlib.h>

#include "base/zone.h"
#include "fuzz.h"
#include "support/faults.h"

#define STEP_NS INT64_C(77777777777777777) /* about two and a half years */

static void look(const met__zone *zone)
{
    for (int64_t at_ns = 0; at_ns < INT64_C(4000000000000000000);
         at_ns += STEP_NS) {
        met__civil civil;
        int64_t back_ns = 0;
        int32_t offset = met__zone_offset_at(zone, at_ns);
        if (met__civil_from_ns(at_ns + offset * MET__SECOND_NS, &civil)
                != MET_OK
            || met__zone_civil_to_ns(zone, &civil, &back_ns) != MET_OK) {
            continue; /* beyond the times that are kept */
        }
        /* The same wall clock: of two such instants the earlier one. */
        if (back_ns > at_ns
            || (back_ns == at_ns
                && met__zone_offset_at(zone, back_ns) != offset)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__zone *zone = NULL;
    met_error error = met__zone_read(
        &platform, met__text_of((const char *)data, size), &zone);

    if (error == MET_OK) {
        look(zone);
        met__zone_close(zone);
    } else if (error != MET_E_CORRUPT || zone != NULL) {
        abort();
    }
    return 0;
}

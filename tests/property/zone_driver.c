/* Answers for the oracle of zones:
 *   offset ZONE SECONDS · local ZONE YEAR-MONTH-DAYTHOUR:MINUTE:SECONDZ ·
 *   add ZONE NS DURATION COUNT
 * "= RESULT" or "! ERROR". */
#include <stdio.h>
#include <stdlib.h>

#include "base/zone.h"

int main(void)
{
    met__platform platform;
    met__zone *zone = NULL;
    char last[128] = "";
    char what[16];
    char name[128];
    char third[64];
    char fourth[64];
    char line[512];

    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        long long count = 0;
        int64_t out = 0;
        met_error error = MET_OK;
        if (sscanf(line, "%15s %127s %63s %63s %lld", what, name, third,
                   fourth, &count) < 3) {
            return 1;
        }
        if (zone == NULL || strcmp(name, last) != 0) {
            met__zone_close(zone);
            zone = NULL;
            error = met__zone_open(&platform, met__text_z(name), &zone, NULL);
            snprintf(last, sizeof last, "%s", name);
        }
        if (error == MET_OK && strcmp(what, "offset") == 0) {
            out = met__zone_offset_at(zone, strtoll(third, NULL, 10)
                                                * MET__SECOND_NS);
        } else if (error == MET_OK && strcmp(what, "local") == 0) {
            met__civil civil;
            error = met__time_parse(met__text_z(third), &out);
            if (error == MET_OK) {
                error = met__civil_from_ns(out, &civil);
            }
            if (error == MET_OK) {
                error = met__zone_civil_to_ns(zone, &civil, &out);
                out /= MET__SECOND_NS;
            }
        } else if (error == MET_OK) {
            met__duration duration;
            error = met__duration_parse(met__text_z(fourth), &duration);
            if (error == MET_OK) {
                error = met__zone_add(zone, strtoll(third, NULL, 10),
                                      &duration, count, &out);
            }
        }
        if (error == MET_OK) {
            printf("= %lld\n", (long long)out);
        } else {
            printf("! %s\n", met_error_name(error));
        }
    }
    met__zone_close(zone);
    return 0;
}

/* time.h: instants as text, arguments checked. */
#include "metering/time.h"

#include "base/calendar.h"

met_error met_time_parse(const char *text, size_t text_size,
                         int64_t *utc_ns_out)
{
    if (text == NULL || utc_ns_out == NULL) {
        return MET_E_INVALID;
    }
    return met__time_parse(met__text_of(text, text_size), utc_ns_out);
}

met_error met_time_format(int64_t utc_ns, char *text_out)
{
    met__platform platform;

    if (text_out == NULL) {
        return MET_E_INVALID;
    }
    met_error error = met__platform_init(&platform, NULL, NULL);
    if (error != MET_OK) {
        return error;
    }
    /* Never longer than MET_TIME_TEXT_SIZE, so the bytes stay the caller's. */
    met__buffer buffer = {.platform = &platform,
                          .data = text_out,
                          .capacity = MET_TIME_TEXT_SIZE};
    return met__time_print(utc_ns, &buffer);
}

/* A decision as the structured fields RateLimit-Policy and RateLimit. In: a
 * result. Out: two lines; a pure function.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-10 (lists of strings with
 * parameters: q quota, w window in seconds, pk partition key; r remaining, t
 * seconds until there is more), in the syntax of RFC 9651. A window that is no
 * whole number of seconds has no w, for the field knows no parts of one; what
 * is in flight is counted in "concurrent-requests" (qu) and has none either. */
#include <string.h>

#include "limit/limiter_headers.h"

#define SECOND INT64_C(1000000000)

static void put(met__header_text *out, const char *text)
{
    met__header_bytes(out, text, strlen(text));
}

static void put_parameter(met__header_text *out, const char *name,
                          uint64_t value)
{
    put(out, name);
    met__header_number(out, value);
}

/* Windows that would have the same name. */
static int is_alike(const met_limiter_window_result *a,
                    const met_limiter_window_result *b)
{
    int is_flight = a->algorithm == MET_LIMITER_IN_FLIGHT;

    return is_flight == (b->algorithm == MET_LIMITER_IN_FLIGHT)
           && (is_flight || a->window_ns == b->window_ns);
}

/* "minute", "30s"; a second window of the same length is "minute-2". */
static void put_name(met__header_text *out, const met_limiter_result *result,
                     uint32_t index)
{
    char other[MET__WINDOW_NAME_SIZE];
    int64_t length = result->windows[index].window_ns;
    uint64_t before = 0;
    int is_named;
    const char *name = met__header_window(length, other, &is_named);

    if (result->windows[index].algorithm == MET_LIMITER_IN_FLIGHT) {
        name = "in-flight";
        is_named = 1;
    }

    for (uint32_t i = 0; i < index; i++) {
        before += (uint64_t)is_alike(&result->windows[i],
                                     &result->windows[index]);
    }
    put(out, "\"");
    if (is_named) {
        char first = (char)(name[0] | 0x20);
        met__header_bytes(out, &first, 1);
        put(out, name + 1);
    } else {
        put(out, name);
        put(out, "s");
    }
    if (before != 0) {
        put_parameter(out, "-", before + 1);
    }
    put(out, "\"");
}

/* RFC 4648 section 4, as RFC 9651 section 4.1.8 wants it: with padding. */
static void put_partition(met__header_text *out,
                          const met_limiter_headers_options *options)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes =
        (const unsigned char *)options->partition_key;
    size_t size = options->partition_key_size;

    if (size == 0) {
        return;
    }
    put(out, ";pk=:");
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t word = (uint32_t)bytes[at] << 16
                        | (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0)
                        | (left > 2 ? (uint32_t)bytes[at + 2] : 0);
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                        left > 1 ? digits[word >> 6 & 63] : '=',
                        left > 2 ? digits[word & 63] : '='};
        met__header_bytes(out, four, sizeof four);
    }
    put(out, ":");
}

void met__header_ietf(met__header_text *out, const met_limiter_result *result,
                      const met_limiter_headers_options *options)
{
    for (uint32_t i = 0; i < result->window_count; i++) {
        const met_limiter_window_result *window = &result->windows[i];
        put(out, i == 0 ? "RateLimit-Policy: " : ", ");
        put_name(out, result, i);
        put_parameter(out, ";q=", window->limit);
        if (window->algorithm == MET_LIMITER_IN_FLIGHT) {
            put(out, ";qu=\"concurrent-requests\"");
        } else if (window->window_ns % SECOND == 0) {
            put_parameter(out, ";w=", (uint64_t)(window->window_ns / SECOND));
        }
        put_partition(out, options);
    }
    for (uint32_t i = 0; i < result->window_count; i++) {
        const met_limiter_window_result *window = &result->windows[i];
        int is_wait = window->is_refusing && window->wait_ns > 0;
        put(out, i == 0 ? "\r\nRateLimit: " : ", ");
        put_name(out, result, i);
        put_parameter(out, ";r=", window->remaining);
        if (is_wait || window->reset_ns > 0) {
            put_parameter(out, ";t=",
                          is_wait ? met__header_seconds(window->wait_ns)
                                  : met__header_reset(window));
        }
        put_partition(out, options);
    }
    put(out, "\r\n");
}

/* A decision as header lines. In: a result. Out: text; a pure function. */
#include "limit/limiter_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

#define SECOND INT64_C(1000000000)

void met__header_bytes(met__header_text *out, const char *bytes, size_t size)
{
    if (out->size < out->room && size < out->room - out->size) {
        memcpy(out->text + out->size, bytes, size);
    }
    out->size += size;
}

void met__header_number(met__header_text *out, uint64_t value)
{
    char digits[MET__DIGITS_MAX];

    met__header_bytes(out, digits, met__put_digits(digits, value));
}

/* A whole line at once: there are seven in an answer. Inline, because names
 * are literals and their copying then is a few moves. */
static inline void put(met__header_text *out, met__text name, met__text suffix,
                       uint64_t value)
{
    char line[64 + MET__WINDOW_NAME_SIZE + MET__DIGITS_MAX];
    char *at = line;

    memcpy(at, name.data, name.size);
    at += name.size;
    if (suffix.size > 0) {
        memcpy(at, suffix.data, suffix.size);
        at += suffix.size;
    }
    memcpy(at, ": ", 2);
    at += 2;
    at += met__put_digits(at, value);
    memcpy(at, "\r\n", 2);
    met__header_bytes(out, line, (size_t)(at + 2 - line));
}

static const met__text no_suffix = {"", 0};

uint64_t met__header_seconds(int64_t ns)
{
    return ns <= SECOND ? 1 : (uint64_t)((ns - 1) / SECOND + 1);
}

uint64_t met__header_reset(const met_limiter_window_result *window)
{
    int is_longer = window->algorithm != MET_LIMITER_CALENDAR_UTC
                    && window->window_ns > 0
                    && window->reset_ns > window->window_ns;

    return met__header_seconds(is_longer ? window->window_ns
                                         : window->reset_ns);
}

const char *met__header_window(int64_t window_ns,
                               char other_out[MET__WINDOW_NAME_SIZE],
                               int *is_named_out)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } names[] = {{1, "Second"},      {60, "Minute"},
                 {3600, "Hour"},     {86400, "Day"},
                 {2592000, "Month"}, {31536000, "Year"}};

    *is_named_out = 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (window_ns == names[i].seconds * SECOND) {
            return names[i].name;
        }
    }
    *is_named_out = 0;
    int size = snprintf(other_out, MET__WINDOW_NAME_SIZE, "%lld",
                        (long long)(window_ns / SECOND));
    if (window_ns % SECOND != 0) {
        size += snprintf(other_out + size,
                         MET__WINDOW_NAME_SIZE - (size_t)size, ".%09lld",
                         (long long)(window_ns % SECOND));
        while (other_out[size - 1] == '0') {
            other_out[--size] = '\0';
        }
    }
    return other_out;
}

/* The lines of every window, in the manner of Kong's plugin. */
static void put_windows(met__header_text *out,
                        const met_limiter_result *result)
{
    char other[MET__WINDOW_NAME_SIZE];
    int is_named;

    for (uint32_t i = 0; i < result->window_count; i++) {
        if (result->windows[i].algorithm == MET_LIMITER_IN_FLIGHT) {
            continue; /* no number of requests in a time */
        }
        met__text name = met__text_z(met__header_window(
            result->windows[i].window_ns, other, &is_named));
        put(out, MET__TEXT("X-RateLimit-Limit-"), name,
            result->windows[i].limit);
        put(out, MET__TEXT("X-RateLimit-Remaining-"), name,
            result->windows[i].remaining);
    }
}

/* 0 … most seconds, the same for the same seed. */
static uint64_t jitter(uint64_t seed, uint32_t most)
{
    uint64_t random = met__checksum(&seed, sizeof seed) >> 32;

    return (random * ((uint64_t)most + 1)) >> 32;
}

met_error met__limiter_headers(const met_limiter_result *result,
                               const met_limiter_headers_options *options,
                               char *text_out, size_t text_size,
                               size_t *size_out)
{
    char text[MET_LIMITER_HEADERS_SIZE];
    met__header_text out = {.text = text, .room = sizeof text};
    const met_limiter_window_result *shown =
        &result->windows[result->reported];
    int can_wait = !result->is_allowed && result->wait_ns > 0;
    uint64_t reset = can_wait ? met__header_seconds(result->wait_ns)
                              : met__header_reset(shown);

    if (options->styles & MET_LIMITER_HEADERS_WINDOWS) {
        put_windows(&out, result);
    }
    if (options->styles & MET_LIMITER_HEADERS_REPORTED) {
        put(&out, MET__TEXT("RateLimit-Limit"), no_suffix, shown->limit);
        put(&out, MET__TEXT("RateLimit-Remaining"), no_suffix,
            shown->remaining);
        put(&out, MET__TEXT("RateLimit-Reset"), no_suffix, reset);
    }
    if (options->styles & MET_LIMITER_HEADERS_IETF) {
        met__header_ietf(&out, result, options);
    }
    if (can_wait) {
        put(&out, MET__TEXT("Retry-After"), no_suffix,
            reset + jitter(options->jitter_seed, options->jitter_max_s));
    }
    if (out.size >= text_size || out.size >= sizeof text) {
        return MET_E_LIMIT;
    }
    memcpy(text_out, text, out.size);
    text_out[out.size] = '\0';
    if (size_out != NULL) {
        *size_out = out.size;
    }
    return MET_OK;
}

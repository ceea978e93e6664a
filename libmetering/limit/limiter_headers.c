/* A decision as header lines, in the manner of Kong's rate limiting plugin. In:
 * a result. Out: text; a pure function. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "limit/limiter.h"

#define SECOND INT64_C(1000000000)

typedef struct writer {
    char *text;
    size_t size;
    size_t room;
} writer;

/* What does not fit is only counted. */
static void put_bytes(writer *w, const char *bytes, size_t size)
{
    if (w->size < w->room && size < w->room - w->size) {
        memcpy(w->text + w->size, bytes, size);
    }
    w->size += size;
}

static void put(writer *w, const char *name, const char *suffix,
                uint64_t value)
{
    char digits[MET__DIGITS_MAX];

    put_bytes(w, name, strlen(name));
    put_bytes(w, suffix, strlen(suffix));
    put_bytes(w, ": ", 2);
    put_bytes(w, digits, met__put_digits(digits, value));
    put_bytes(w, "\r\n", 2);
}

/* Whole seconds, so late that a retry then succeeds; at least 1. */
static uint64_t seconds(int64_t ns)
{
    return ns <= SECOND ? 1 : (uint64_t)((ns - 1) / SECOND + 1);
}

/* Kong's suffix, or the seconds. */
static const char *window_name(int64_t window_ns, char other_out[32])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } names[] = {{1, "Second"},     {60, "Minute"},
                 {3600, "Hour"},    {86400, "Day"},
                 {2592000, "Month"}, {31536000, "Year"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (window_ns == names[i].seconds * SECOND) {
            return names[i].name;
        }
    }
    int size = snprintf(other_out, 32, "%lld",
                        (long long)(window_ns / SECOND));
    if (window_ns % SECOND != 0) {
        size += snprintf(other_out + size, 32 - (size_t)size, ".%09lld",
                         (long long)(window_ns % SECOND));
        while (other_out[size - 1] == '0') {
            other_out[--size] = '\0';
        }
    }
    return other_out;
}

met_error met__limiter_headers(const met_limiter_result *result,
                               char *text_out, size_t text_size,
                               size_t *size_out)
{
    char text[MET_LIMITER_HEADERS_SIZE];
    writer w = {.text = text, .room = sizeof text};
    char other[32];

    for (uint32_t i = 0; i < result->window_count; i++) {
        const char *name = window_name(result->windows[i].window_ns, other);
        put(&w, "X-RateLimit-Limit-", name, result->windows[i].limit);
        put(&w, "X-RateLimit-Remaining-", name, result->windows[i].remaining);
    }
    const met_limiter_window_result *shown =
        &result->windows[result->reported];
    int can_wait = !result->is_allowed && result->wait_ns > 0;
    uint64_t reset = seconds(can_wait ? result->wait_ns : shown->reset_ns);
    put(&w, "RateLimit-Limit", "", shown->limit);
    put(&w, "RateLimit-Remaining", "", shown->remaining);
    put(&w, "RateLimit-Reset", "", reset);
    if (can_wait) {
        put(&w, "Retry-After", "", reset);
    }
    if (w.size >= text_size || w.size >= sizeof text) {
        return MET_E_LIMIT;
    }
    memcpy(text_out, text, w.size);
    text_out[w.size] = '\0';
    if (size_out != NULL) {
        *size_out = w.size;
    }
    return MET_OK;
}

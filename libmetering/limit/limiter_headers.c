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

/* Of a line's name: SUFFIX_QUICK bytes of memory at least, so that those of the
 * usual windows are copied without asking how long they are. */
typedef struct suffix {
    const char *text;
    size_t size;
} suffix;

#define SUFFIX_QUICK 8
static const suffix no_suffix = {"\0\0\0\0\0\0\0", 0};

static inline __attribute__((always_inline)) size_t
put_line(char *line, met__text name, suffix behind, uint64_t value)
{
    char *at = line;

    memcpy(at, name.data, name.size);
    at += name.size;
    memcpy(at, behind.text, SUFFIX_QUICK);
    if (behind.size > SUFFIX_QUICK) {
        memcpy(at, behind.text, behind.size);
    }
    at += behind.size;
    memcpy(at, ": ", 2);
    at += 2;
    at += met__put_digits(at, value);
    memcpy(at, "\r\n", 2);
    return (size_t)(at + 2 - line);
}

/* A whole line at once: there are seven in an answer. Inline, because names
 * are literals and their copying then is a few moves. */
static inline __attribute__((always_inline)) void
put(met__header_text *out, met__text name, suffix behind, uint64_t value)
{
    char line[64 + MET__WINDOW_NAME_SIZE + MET__DIGITS_MAX];

    if (out->size < out->room && out->room - out->size > sizeof line) {
        out->size += put_line(out->text + out->size, name, behind, value);
    } else {
        met__header_bytes(out, line, put_line(line, name, behind, value));
    }
}

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

typedef struct named {
    int64_t window_ns;
    size_t size;
    char name[SUFFIX_QUICK];
} named;

static const named *find_name(int64_t window_ns)
{
    static const named names[] = {
        {SECOND, 6, "Second"},       {60 * SECOND, 6, "Minute"},
        {3600 * SECOND, 4, "Hour"},  {86400 * SECOND, 3, "Day"},
        {2592000 * SECOND, 5, "Month"}, {31536000 * SECOND, 4, "Year"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (window_ns == names[i].window_ns) {
            return &names[i];
        }
    }
    return NULL;
}

const char *met__header_window(int64_t window_ns,
                               char other_out[MET__WINDOW_NAME_SIZE],
                               int *is_named_out)
{
    const named *found = find_name(window_ns);

    *is_named_out = found != NULL;
    if (found != NULL) {
        return found->name;
    }
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
        const met_limiter_window_result *window = &result->windows[i];
        if (window->algorithm == MET_LIMITER_IN_FLIGHT) {
            continue; /* no number of requests in a time */
        }
        const named *found = find_name(window->window_ns);
        suffix name;
        if (found != NULL) {
            name = (suffix){found->name, found->size};
        } else {
            name.text = met__header_window(window->window_ns, other,
                                           &is_named);
            name.size = strlen(name.text);
        }
        put(out, MET__TEXT("X-RateLimit-Limit-"), name, window->limit);
        put(out, MET__TEXT("X-RateLimit-Remaining-"), name,
            window->remaining);
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
    int is_roomy = text_size >= sizeof text;
    met__header_text out = {.text = is_roomy ? text_out : text,
                            .room = sizeof text};
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
    if (!is_roomy) {
        memcpy(text_out, text, out.size);
    }
    text_out[out.size] = '\0';
    if (size_out != NULL) {
        *size_out = out.size;
    }
    return MET_OK;
}

/* Kong's header lines of windows that were told of before: only the numbers
 * that are others are written anew. */
#ifndef MET_LIMIT_LIMITER_LINES_H
#define MET_LIMIT_LIMITER_LINES_H

#include "base/bytes.h"
#include "limit/limiter_headers.h"

#define MET__LINES_WINDOWS 4u

/* One in the text. */
typedef struct met__lines_number {
    uint64_t value;
    uint32_t at;
    uint32_t size;
} met__lines_number;

typedef struct met__lines_window {
    int64_t window_ns;
    uint64_t limit;
    uint32_t algorithm;
    uint32_t reserved;
} met__lines_window;

/* All zero: of no windows yet. */
typedef struct met__lines {
    uint32_t count;
    uint32_t reported; /* window */
    met__lines_window windows[MET__LINES_WINDOWS];
    /* What is left of each window, of the one that is reported, and its
     * seconds. */
    met__lines_number numbers[MET__LINES_WINDOWS + 2];
    size_t size;
    char text[MET_LIMITER_HEADERS_SIZE];
} met__lines;

/* What met__limiter_headers writes in Kong's style for the same result, ended
 * by a NUL, until the next call with these lines; or nothing when it must be
 * written that way: a refusal, requests in flight, more windows. */
met__text met__lines_write(met__lines *lines,
                           const met_limiter_result *result);

#endif

/* Kong's header lines of windows that were told of before: only what is left,
 * and until when, is written anew. */
#ifndef MET_LIMIT_LIMITER_LINES_H
#define MET_LIMIT_LIMITER_LINES_H

#include "limit/limiter_headers.h"

#define MET__LINES_WINDOWS 4u
#define MET__LINES_QUICK 64u /* bytes that are copied of every piece */
#define MET__LINES_PIECE 160u

/* Text between two numbers. */
typedef struct met__lines_piece {
    uint32_t size;
    char text[MET__LINES_PIECE];
} met__lines_piece;

typedef struct met__lines_window {
    int64_t window_ns;
    uint64_t limit;
    uint32_t algorithm;
    uint32_t reserved;
} met__lines_window;

/* All zero: of no windows yet. */
typedef struct met__lines {
    uint32_t count;
    uint32_t reserved;
    met__lines_window windows[MET__LINES_WINDOWS];
    met__lines_piece left[MET__LINES_WINDOWS];     /* of each window */
    met__lines_piece reported[MET__LINES_WINDOWS]; /* when it is that one */
    met__lines_piece reset;                        /* up to when */
} met__lines;

/* What met__limiter_headers writes in Kong's style for the same result, into
 * MET_LIMITER_HEADERS_SIZE bytes, ended by a NUL; its length, or 0 when it must
 * be written that way: a refusal, requests in flight, more windows. */
size_t met__lines_write(met__lines *lines, const met_limiter_result *result,
                        char *text_out);

#endif

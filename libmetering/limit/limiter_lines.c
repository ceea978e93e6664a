/* Seven lines of an answer are the same for all requests of a limit, three or
 * four numbers aside. In: a result. Out: text; what is kept is compared with
 * the result each time, so it may be kept for any number of limits. */
#include "limit/limiter_lines.h"

#include <string.h>

#include "base/bytes.h"

static int is_of(const met__lines *lines, const met_limiter_result *result)
{
    if (lines->count == 0 || lines->count != result->window_count) {
        return 0;
    }
    for (uint32_t i = 0; i < lines->count; i++) {
        const met__lines_window *known = &lines->windows[i];
        const met_limiter_window_result *window = &result->windows[i];
        if (known->limit != window->limit
            || known->window_ns != window->window_ns
            || known->algorithm != window->algorithm) {
            return 0;
        }
    }
    return 1;
}

/* --- Learning ------------------------------------------------------------- */
/* The next piece of *at: up to the number of a line that says what is left,
 * which is one digit. */
static void cut_piece(const char **at, met__lines_piece *piece)
{
    const char *end = strstr(strstr(*at, "Remaining"), ": ") + 2;

    piece->size = (uint32_t)(end - *at);
    memcpy(piece->text, *at, piece->size);
    *at = end + 1;
}

/* Cuts the lines apart, when `index` is the window that is reported. */
static int learn_reported(met__lines *lines, met_limiter_result *result,
                          uint32_t index)
{
    static const met_limiter_headers_options options = {
        .styles = MET_LIMITER_HEADERS_KONG};
    char text[MET_LIMITER_HEADERS_SIZE];
    const char *at = text;
    size_t size = 0;

    result->reported = index;
    if (met__limiter_headers(result, &options, text, sizeof text, &size)
        != MET_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < result->window_count; i++) {
        cut_piece(&at, &lines->left[i]);
    }
    cut_piece(&at, &lines->reported[index]);
    lines->reset.size = (uint32_t)(text + size - at) - 3; /* "1\r\n" */
    memcpy(lines->reset.text, at, lines->reset.size);
    return 1;
}

/* 0: not such a result. A window's name is shorter than MET__WINDOW_NAME_SIZE,
 * so that two lines of it are shorter than a piece. */
static int learn(met__lines *lines, const met_limiter_result *from)
{
    met_limiter_result result = {.is_allowed = 1,
                                 .window_count = from->window_count};

    lines->count = 0;
    if (from->window_count == 0 || from->window_count > MET__LINES_WINDOWS) {
        return 0;
    }
    for (uint32_t i = 0; i < from->window_count; i++) {
        const met_limiter_window_result *window = &from->windows[i];
        if (window->algorithm == MET_LIMITER_IN_FLIGHT) {
            return 0; /* has no such lines */
        }
        result.windows[i].limit = window->limit;
        result.windows[i].window_ns = window->window_ns;
        result.windows[i].algorithm = window->algorithm;
        lines->windows[i] = (met__lines_window){
            .window_ns = window->window_ns,
            .limit = window->limit,
            .algorithm = window->algorithm};
    }
    for (uint32_t i = 0; i < from->window_count; i++) {
        if (!learn_reported(lines, &result, i)) {
            return 0;
        }
    }
    lines->count = from->window_count;
    return 1;
}

/* --- Writing -------------------------------------------------------------- */
/* More than the piece: what is too much is written over. */
static inline char *put_piece(char *at, const met__lines_piece *piece)
{
    memcpy(at, piece->text, MET__LINES_QUICK);
    if (piece->size > MET__LINES_QUICK) {
        memcpy(at + MET__LINES_QUICK, piece->text + MET__LINES_QUICK,
               sizeof piece->text - MET__LINES_QUICK);
    }
    return at + piece->size;
}

size_t met__lines_write(met__lines *lines, const met_limiter_result *result,
                        char *text_out)
{
    char *at = text_out;

    if (!result->is_allowed
        || (!is_of(lines, result) && !learn(lines, result))) {
        return 0;
    }
    char left[MET__DIGITS_MAX]; /* of the one that is reported */
    size_t size = 0;
    for (uint32_t i = 0; i < result->window_count; i++) {
        at = put_piece(at, &lines->left[i]);
        size_t digits = met__put_digits(at, result->windows[i].remaining);
        if (i == result->reported) {
            memcpy(left, at, sizeof left);
            size = digits;
        }
        at += digits;
    }
    const met_limiter_window_result *shown =
        &result->windows[result->reported];
    at = put_piece(at, &lines->reported[result->reported]);
    memcpy(at, left, sizeof left);
    at += size;
    at = put_piece(at, &lines->reset);
    at += met__put_digits(at, met__header_reset(shown));
    memcpy(at, "\r\n", 3);
    return (size_t)(at + 2 - text_out);
}

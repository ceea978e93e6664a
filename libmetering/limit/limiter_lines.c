/* Seven lines of an answer are the same for all requests of a limit, three or
 * four numbers aside. In: a result. Out: text; what is kept is compared with
 * the result each time, so it may be kept for any number of limits. */
#include "limit/limiter_lines.h"

#include <string.h>

static int is_of(const met__lines *lines, const met_limiter_result *result)
{
    if (lines->count == 0 || lines->count != result->window_count
        || lines->reported != result->reported) {
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

/* --- Writing all ---------------------------------------------------------- */
/* The next number in the text behind *at, on a line with this in its name. */
static void find_number(const met__lines *lines, const char *name,
                        uint64_t value, const char **at,
                        met__lines_number *number_out)
{
    const char *begin = strstr(strstr(*at, name), ": ") + 2;

    *at = strstr(begin, "\r\n");
    number_out->value = value;
    number_out->at = (uint32_t)(begin - lines->text);
    number_out->size = (uint32_t)(*at - begin);
}

/* 0: not such a result. */
static int write_all(met__lines *lines, const met_limiter_result *result)
{
    static const met_limiter_headers_options options = {
        .styles = MET_LIMITER_HEADERS_KONG};
    const char *at = lines->text;
    uint32_t count = result->window_count;

    lines->count = 0;
    if (count == 0 || count > MET__LINES_WINDOWS) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const met_limiter_window_result *window = &result->windows[i];
        if (window->algorithm == MET_LIMITER_IN_FLIGHT) {
            return 0; /* has no such lines */
        }
        lines->windows[i] = (met__lines_window){
            .window_ns = window->window_ns,
            .limit = window->limit,
            .algorithm = window->algorithm};
    }
    if (met__limiter_headers(result, &options, lines->text,
                             sizeof lines->text, &lines->size)
        != MET_OK) {
        return 0;
    }
    const met_limiter_window_result *shown =
        &result->windows[result->reported];
    for (uint32_t i = 0; i < count; i++) {
        find_number(lines, "-Remaining-", result->windows[i].remaining, &at,
                    &lines->numbers[i]);
    }
    find_number(lines, "RateLimit-Remaining", shown->remaining, &at,
                &lines->numbers[count]);
    find_number(lines, "RateLimit-Reset", met__header_reset(shown), &at,
                &lines->numbers[count + 1]);
    lines->count = count;
    lines->reported = result->reported;
    return 1;
}

/* --- Writing numbers ------------------------------------------------------ */
/* Room for more or fewer digits. */
static void resize(met__lines *lines, uint32_t index, uint32_t size)
{
    met__lines_number *number = &lines->numbers[index];
    char *behind = lines->text + number->at + number->size;

    memmove(lines->text + number->at + size, behind,
            lines->size + 1 - (size_t)(behind - lines->text));
    lines->size += size - (size_t)number->size;
    for (uint32_t i = index + 1; i < lines->count + 2; i++) {
        lines->numbers[i].at += size - number->size;
    }
    number->size = size;
}

/* Up to eight digits with what stands before them, in one word. */
static inline void put_digits(char *end, const char digits[MET__DIGITS_MAX],
                              uint32_t size)
{
    uint64_t before;
    uint64_t word;

    if (size > sizeof word || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        memcpy(end - size, digits, size);
        return;
    }
    uint32_t shift = (uint32_t)(sizeof word - size) * 8; /* size > 0 */
    memcpy(&before, end - sizeof before, sizeof before);
    memcpy(&word, digits, sizeof word);
    word = word << shift | (before & ((UINT64_C(1) << shift) - 1));
    memcpy(end - sizeof word, &word, sizeof word);
}

static inline void put_text(met__lines *lines, uint32_t index, uint64_t value,
                            const char digits[MET__DIGITS_MAX], uint32_t size)
{
    met__lines_number *number = &lines->numbers[index];

    if (size != number->size) {
        resize(lines, index, size);
    }
    put_digits(lines->text + number->at + size, digits, size);
    number->value = value;
}

/* One less than last time is the usual case. */
static inline void put_number(met__lines *lines, uint32_t index,
                              uint64_t value)
{
    met__lines_number *number = &lines->numbers[index];
    char *last = &lines->text[number->at + number->size - 1];
    char digits[MET__DIGITS_MAX];

    if (number->value == value) {
        return;
    }
    if (number->value == value + 1 && *last != '0') {
        (*last)--;
        number->value = value;
        return;
    }
    uint32_t size = (uint32_t)met__put_digits(digits, value);
    put_text(lines, index, value, digits, size);
}

met__text met__lines_write(met__lines *lines,
                           const met_limiter_result *result)
{
    uint32_t count = result->window_count;

    if (!result->is_allowed
        || (!is_of(lines, result) && !write_all(lines, result))) {
        return met__text_of("", 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        put_number(lines, i, result->windows[i].remaining);
    }
    const met__lines_number *left = &lines->numbers[result->reported];
    if (lines->numbers[count].value != left->value) {
        char digits[MET__DIGITS_MAX];
        memcpy(digits, lines->text + left->at, sizeof digits);
        put_text(lines, count, left->value, digits, left->size);
    }
    put_number(lines, count + 1,
               met__header_reset(&result->windows[result->reported]));
    return met__text_of(lines->text, lines->size);
}

/* A bar is the part of its room that a value is of the greatest one. In: exact
 * decimals. Out: characters on stdout. */
#include "bar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 8 };

met_decimal bar_whole(long long number)
{
    char text[32];
    met_decimal value;
    int size = snprintf(text, sizeof text, "%lld", number);

    if (met_decimal_parse(text, (size_t)size, &value) != MET_OK) {
        memset(&value, 0, sizeof value); /* not for a whole number */
    }
    return value;
}

int bar_is_more(const met_decimal *a, const met_decimal *b)
{
    int order = 0;

    return met_decimal_compare(a, b, &order) == MET_OK && order > 0;
}

static int length_of(const met_decimal *value, const met_decimal *most,
                     int room)
{
    char text[MET_DECIMAL_TEXT_SIZE];
    met_decimal nothing = bar_whole(0);
    met_decimal scale = bar_whole(room);
    met_decimal part;

    if (!bar_is_more(value, &nothing)
        || met_decimal_divide(value, most, 12, MET_ROUND_HALF_AWAY, &part)
               != MET_OK
        || met_decimal_multiply(&part, &scale, &part) != MET_OK
        || met_decimal_round(&part, 6, MET_ROUND_HALF_AWAY, &part) != MET_OK
        || met_decimal_round(&part, 0, MET_ROUND_DOWN, &part) != MET_OK
        || met_decimal_format(&part, text, NULL) != MET_OK) {
        return 0;
    }
    return atoi(text);
}

void bar_draw(const met_decimal *value, const met_decimal *most, int room,
              int is_ascii)
{
    static const char *const parts[STEPS] = {
        "",       "\u258f", "\u258e", "\u258d",
        "\u258c", "\u258b", "\u258a", "\u2589"};
    int steps = is_ascii ? 1 : STEPS;
    int length = length_of(value, most, room * steps);

    if (length == 0) {
        return;
    }
    fputs("  ", stdout);
    for (int i = 0; i < length / steps; i++) {
        fputs(is_ascii ? "#" : "\u2588", stdout);
    }
    fputs(is_ascii ? "" : parts[length % STEPS], stdout);
}

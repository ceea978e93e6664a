/* Bars of plots in a terminal. */
#ifndef TOOL_BAR_H
#define TOOL_BAR_H

#include <metering/metering.h>

enum { BAR_COLUMNS = 80, BAR_ROOM_MIN = 10 };

met_decimal bar_whole(long long number);
int bar_is_more(const met_decimal *a, const met_decimal *b);
/* value of most in `room` columns; nothing for what is not above 0. In eighths
 * of a column, or of # when is_ascii. */
void bar_draw(const met_decimal *value, const met_decimal *most, int room,
              int is_ascii);

#endif

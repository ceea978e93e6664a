/* metering rate --sweep --plot: amounts as bars, so that a price curve can be
 * seen in a terminal of 80 columns. */
#include "bar.h"
#include "rate_curve.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 21, ROWS_MAX = 1000 };

typedef struct plot {
    met_decimal quantities[ROWS_MAX];
    met_decimal totals[ROWS_MAX];
    met_decimal others[ROWS_MAX];
    size_t count;
    met_decimal most; /* of all totals */
    int quantity_width;
    int total_width;
} plot;

/* --- What is drawn -------------------------------------------------------- */
/* Without a step, as many quantities as a screen has rows; both ends. */
static int choose(const tool *self, const rate_sweep *sweep, plot *out)
{
    long long next = sweep->from;
    long long length = sweep->to - sweep->from;
    long long rows = length < ROWS ? length + 1 : ROWS;

    if (sweep->step != 0) {
        if (length / sweep->step >= ROWS_MAX) {
            return tool_usage(self, "--plot: more than %d bars", ROWS_MAX);
        }
        out->count = rate_sweep_fill(sweep, &next, out->quantities, ROWS_MAX);
        return TOOL_OK;
    }
    for (long long i = 0; i < rows; i++) {
        long long part = rows > 1 ? length / (rows - 1) * i
                                        + length % (rows - 1) * i / (rows - 1)
                                  : 0;
        out->quantities[out->count++] = bar_whole(sweep->from + part);
    }
    return TOOL_OK;
}

static void widen(const met_decimal *value, int *width)
{
    char text[MET_DECIMAL_TEXT_SIZE];

    if (met_decimal_format(value, text, NULL) == MET_OK
        && (int)strlen(text) > *width) {
        *width = (int)strlen(text);
    }
}

static void measure(const rate_curve *curve, plot *out)
{
    out->most = bar_whole(0);
    for (size_t i = 0; i < out->count; i++) {
        widen(&out->quantities[i], &out->quantity_width);
        for (int k = 0; k < (curve->other != NULL ? 2 : 1); k++) {
            const met_decimal *total =
                k == 0 ? &out->totals[i] : &out->others[i];
            widen(total, &out->total_width);
            if (bar_is_more(total, &out->most)) {
                out->most = *total;
            }
        }
    }
}

/* --- Drawing -------------------------------------------------------------- */
static int draw_row(const tool *self, const plot *drawn,
                    const met_decimal *quantity, const char *mark,
                    const met_decimal *total)
{
    char number[MET_DECIMAL_TEXT_SIZE] = "";
    char amount[MET_DECIMAL_TEXT_SIZE];
    int used = drawn->quantity_width + 2 + drawn->total_width + 2
               + (int)strlen(mark);
    int room = used < BAR_COLUMNS - BAR_ROOM_MIN ? BAR_COLUMNS - used
                                                 : BAR_ROOM_MIN;

    if (met_decimal_format(total, amount, NULL) != MET_OK
        || (quantity != NULL
            && met_decimal_format(quantity, number, NULL) != MET_OK)) {
        return tool_fail(self, "a total is too long");
    }
    printf("%*s  %*s%s", drawn->quantity_width, number, drawn->total_width,
           amount, mark);
    bar_draw(total, &drawn->most, room, 0);
    putchar('\n');
    return TOOL_OK;
}

int rate_curve_plot(const tool *self, const rate_curve *curve)
{
    static plot drawn;
    rate_sweep sweep = {0};
    int status = rate_sweep_read(self, &sweep);

    memset(&drawn, 0, sizeof drawn);
    if (status == TOOL_OK) {
        status = choose(self, &sweep, &drawn);
    }
    if (status == TOOL_OK) {
        status = rate_curve_totals(self, curve, drawn.quantities, drawn.count,
                                   drawn.totals, drawn.others);
    }
    if (status == TOOL_OK) {
        measure(curve, &drawn);
    }
    for (size_t i = 0; i < drawn.count && status == TOOL_OK; i++) {
        status = draw_row(self, &drawn, &drawn.quantities[i],
                          curve->other != NULL ? " A" : "", &drawn.totals[i]);
        if (status == TOOL_OK && curve->other != NULL) {
            status = draw_row(self, &drawn, NULL, " B", &drawn.others[i]);
        }
    }
    return status;
}

/* metering rate --sweep: one line for each quantity. In: prices, whole numbers.
 * Out: tabs, or NDJSON. */
#include "rate_curve.h"

#include <string.h>

enum { BLOCK = 256, ROWS_MAX = 10000000 };

int rate_sweep_read(const tool *self, rate_sweep *sweep_out)
{
    const char *text = tool_option(self, "sweep", 0);
    rate_sweep sweep = {0};
    int used = 0;

    if (sscanf(text, "%lld..%lld%n", &sweep.from, &sweep.to, &used) == 2
        && used > 0) {
        const char *rest = text + used;
        int more = 0;
        int has_step = *rest != '\0';
        int is_read = !has_step
                      || (sscanf(rest, ":%lld%n", &sweep.step, &more) == 1
                          && rest[more] == '\0' && sweep.step > 0);
        long long step = has_step ? sweep.step : 1;
        if (is_read && sweep.from >= 0 && sweep.to >= sweep.from
            && (sweep.to - sweep.from) / step < ROWS_MAX) {
            *sweep_out = sweep;
            return TOOL_OK;
        }
    }
    return tool_usage(self, "--sweep: \"%s\" is not FROM..TO or "
                            "FROM..TO:STEP, whole numbers from 0 up, at most "
                            "10,000,000 of them", text);
}

size_t rate_sweep_fill(const rate_sweep *sweep, long long *next,
                       met_decimal *quantities, size_t count)
{
    long long step = sweep->step != 0 ? sweep->step : 1;
    size_t filled = 0;

    while (filled < count && *next <= sweep->to) {
        char text[32];
        int size = snprintf(text, sizeof text, "%lld", *next);
        if (met_decimal_parse(text, (size_t)size, &quantities[filled])
            != MET_OK) {
            break; /* not for a whole number */
        }
        filled++;
        *next = *next > sweep->to - step ? sweep->to + 1 : *next + step;
    }
    return filled;
}

int rate_curve_totals(const tool *self, const rate_curve *curve,
                      const met_decimal *quantities, size_t count,
                      met_decimal *totals, met_decimal *others)
{
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met_price_rate_batch(curve->price, quantities, count,
                                           totals, &info);

    if (error == MET_OK && curve->other != NULL) {
        error = met_price_rate_batch(curve->other, quantities, count, others,
                                     &info);
    }
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

int rate_curve_row(const tool *self, const met_decimal *quantity,
                   const met_decimal *total, const met_decimal *other)
{
    char number[MET_DECIMAL_TEXT_SIZE];
    char texts[3][MET_DECIMAL_TEXT_SIZE] = {"", "", ""};
    met_decimal more;

    if (met_decimal_format(quantity, number, NULL) != MET_OK
        || met_decimal_format(total, texts[0], NULL) != MET_OK
        || (other != NULL
            && (met_decimal_format(other, texts[1], NULL) != MET_OK
                || met_decimal_subtract(other, total, &more) != MET_OK
                || met_decimal_format(&more, texts[2], NULL) != MET_OK))) {
        return tool_fail(self, "a total is too long");
    }
    if (self->is_json) {
        json_t *row = json_pack("{s:s, s:s}", "quantity", number, "total",
                                texts[0]);
        if (row != NULL && other != NULL) {
            json_object_set_new(row, "compared", json_string(texts[1]));
            json_object_set_new(row, "difference", json_string(texts[2]));
        }
        return tool_print_line(self, row);
    }
    if (other != NULL) {
        printf("%s\t%s\t%s\t%s\n", number, texts[0], texts[1], texts[2]);
    } else {
        printf("%s\t%s\n", number, texts[0]);
    }
    return TOOL_OK;
}

int rate_curve_sweep(const tool *self, const rate_curve *curve)
{
    met_decimal quantities[BLOCK], totals[BLOCK], others[BLOCK];
    rate_sweep sweep = {0};
    int status = rate_sweep_read(self, &sweep);
    long long next = sweep.from;

    while (status == TOOL_OK && next <= sweep.to) {
        size_t count = rate_sweep_fill(&sweep, &next, quantities, BLOCK);
        status = rate_curve_totals(self, curve, quantities, count, totals,
                                   others);
        for (size_t i = 0; i < count && status == TOOL_OK; i++) {
            status = rate_curve_row(self, &quantities[i], &totals[i],
                                    curve->other != NULL ? &others[i] : NULL);
        }
    }
    return status;
}

/* One price over many quantities, and perhaps a second one beside it. Only for
 * metering rate. */
#ifndef TOOL_RATE_CURVE_H
#define TOOL_RATE_CURVE_H

#include "tool.h"

typedef struct rate_curve {
    const met_price *price;
    const met_price *other; /* NULL: none to compare with */
} rate_curve;

/* Totals of quantities; others only with an other price. TOOL_OK or an exit
 * status, as everything here. */
int rate_curve_totals(const tool *self, const rate_curve *curve,
                      const met_decimal *quantities, size_t count,
                      met_decimal *totals, met_decimal *others);
/* "quantity  total", and with another price its total and what it is more. */
int rate_curve_row(const tool *self, const met_decimal *quantity,
                   const met_decimal *total, const met_decimal *other);
/* One line for each quantity of --sweep. */
int rate_curve_sweep(const tool *self, const rate_curve *curve);
/* The same as bars, 80 columns wide. */
int rate_curve_plot(const tool *self, const rate_curve *curve);

/* --sweep: FROM..TO or FROM..TO:STEP. */
typedef struct rate_sweep {
    long long from;
    long long to;
    long long step; /* 0: not given */
} rate_sweep;
int rate_sweep_read(const tool *self, rate_sweep *sweep_out);
/* At most count quantities from *next on, which moves behind them. */
size_t rate_sweep_fill(const rate_sweep *sweep, long long *next,
                       met_decimal *quantities, size_t count);

#endif

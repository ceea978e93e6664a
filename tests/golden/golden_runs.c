/* Golden kinds of charges that are billed in several runs: what is new is
 * billed on the run's own period, or on the period whose usage it is. */
#include "golden_rating.h"

/* A booked line as it is given back: with its id, and with the credits that
 * the case says were put on it afterwards. */
static void book(golden *self, met__node *line, uint32_t phase, uint32_t number,
                 const met__node *credits, met__node *booked)
{
    char *id = met__arena_print(self->arena, "phase-%u-line-%u", phase + 1,
                                number + 1);
    const met__node *totals = met__node_get(line, "totals");

    golden_set(self, line, "id", met__node_text_z(self->arena, id));
    if (credits != NULL
        && met__node_get(credits, "line_index")->as.integer == number) {
        met_decimal amount = golden_decimal(self, credits, "amount");
        met_decimal total = golden_decimal(self, totals, "total");
        (void)met__decimal_subtract(total, amount, &total);
        golden_set(self, (met__node *)totals, "credits_total",
                   met__node_get(credits, "amount"));
        golden_set(self, (met__node *)totals, "total",
                   golden_decimal_node(self, total));
    }
    (void)met__node_append(self->arena, booked, line);
}

/* The case's [from, to] as a period of ours. */
static met__node *period_node(golden *self, const met__node *pair)
{
    met__node *period = met__node_object(self->arena);

    golden_set(self, period, "from", pair->as.items[0]);
    golden_set(self, period, "to", pair->as.items[1]);
    return period;
}

/* The phases before this one, as the usage is known in it. */
static met__node *earlier_runs(golden *self, const met__node *phases,
                               uint32_t now)
{
    met__node *runs = met__node_array(self->arena);
    const met__node *known =
        met__node_get(phases->as.items[now], "cumulative_quantities");

    for (uint32_t i = 0; i < now; i++) {
        const met__node *phase = phases->as.items[i];
        met__node *run = met__node_object(self->arena);
        golden_set(self, run, "id", met__node_get(phase, "run_id"));
        golden_set(self, run, "period",
                   period_node(self, met__node_get(phase, "service_period")));
        golden_set(self, run, "quantity", known->as.items[i]);
        (void)met__node_append(self->arena, runs, run);
    }
    return runs;
}

/* Periods of expected lines as ours are written. */
static void rewrite_periods(golden *self, const met__node *expect)
{
    const met__node *lines = met__node_get(expect, "lines");

    for (uint32_t i = 0; i < lines->count; i++) {
        met__node *line = lines->as.items[i];
        golden_set(self, line, "service_period",
                   period_node(self, met__node_get(line, "service_period")));
    }
}

/* What is asked for a phase; by_period: each line on its own run's period. */
static met__node *request_of(golden *self, const met__node *phases,
                             uint32_t index, int by_period,
                             const met__node *booked)
{
    const met__node *phase = phases->as.items[index];
    met__node *request = met__node_object(self->arena);

    if (by_period) {
        const met__node *all = met__node_get(phase, "cumulative_quantities");
        golden_set(self, request, "quantity", all->as.items[index]);
        golden_set(self, request, "period",
                   period_node(self, met__node_get(phase, "service_period")));
        golden_set(self, request, "earlier_runs",
                   earlier_runs(self, phases, index));
    } else {
        golden_set(self, request, "quantity",
                   met__node_get(phase, "cumulative_quantity"));
    }
    golden_set(self, request, "is_minimum_applied",
               met__node_boolean(self->arena, index + 1 == phases->count));
    golden_set(self, request, "booked", booked);
    return request;
}

static void run_series(golden *self, const met__node *item, int by_period)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *phases = met__node_get(input, "phases");
    const met__node *expect = golden_get(self, item, "expect.phases");
    met__node *booked = met__node_array(self->arena);
    met_error_info info;
    met_price *price = golden_price_of(self, input, &info);

    if (price == NULL || expect == NULL || expect->count != phases->count) {
        golden_fail(self, "no usable price or phases: %s", info.reason);
        met_price_destroy(price);
        return;
    }
    for (uint32_t i = 0; i < phases->count; i++) {
        const met__node *phase = phases->as.items[i];
        const met__node *answer = golden_rate(
            self, price, request_of(self, phases, i, by_period, booked),
            &info);
        if (answer == NULL) {
            golden_fail(self, "phase %u: %s %s", i, info.field, info.reason);
            break;
        }
        const met__node *lines = met__node_get(answer, "lines");
        const met__node *copy = golden_json(self, golden_print(self, answer));
        const met__node *copies = met__node_get(copy, "lines");
        for (uint32_t k = 0; k < lines->count; k++) {
            book(self, copies->as.items[k], i, k,
                 met__node_get(phase, "booked_credits"), booked);
            if (!by_period) { /* all is booked on the run's own period */
                golden_set(self, lines->as.items[k], "service_period",
                           met__node_get(phase, "service_period"));
            }
        }
        if (by_period) {
            rewrite_periods(self, expect->as.items[i]);
        }
        golden_same_lines(self, expect->as.items[i], answer);
    }
    met_price_destroy(price);
}

static void run_delta(golden *self, const met__node *item)
{
    run_series(self, item, 0);
}

static void run_by_period(golden *self, const met__node *item)
{
    run_series(self, item, 1);
}

const golden_kind golden_runs_kinds[] = {
    {"delta_series", run_delta, NULL},
    {"period_preserving_series", run_by_period, NULL},
    {NULL, NULL, NULL},
};

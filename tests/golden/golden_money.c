/* Golden kinds of money: currencies, shares, totals, credits on lines. */
#include "golden_rating.h"

/* --- Currencies ----------------------------------------------------------- */
static void run_round(golden *self, const met__node *item)
{
    met__currency currency = golden_currency(self, golden_input(item));
    met_decimal amount = golden_decimal(self, item, "input.amount");

    if (met__currency_round(&currency, amount, &amount) != MET_OK) {
        golden_fail(self, "cannot be rounded");
        return;
    }
    golden_same(self, golden_get(self, item, "expect.amount"),
                golden_decimal_node(self, amount));
}

static void run_round_directed(golden *self, const met__node *item)
{
    met__currency currency = golden_currency(self, golden_input(item));
    met_decimal amount = golden_decimal(self, item, "input.amount");
    met__text direction = golden_text(self, item, "input.direction");
    uint32_t mode = met__text_equal(direction, MET__TEXT("up"))
                        ? MET_ROUND_UP
                        : MET_ROUND_DOWN;

    if (met_decimal_round(&amount, currency.places, mode, &amount) != MET_OK) {
        golden_fail(self, "cannot be rounded");
        return;
    }
    golden_same(self, golden_get(self, item, "expect.amount"),
                golden_decimal_node(self, amount));
}

static void run_is_rounded(golden *self, const met__node *item)
{
    met__currency currency = golden_currency(self, golden_input(item));
    met_decimal amount = golden_decimal(self, item, "input.amount");

    golden_same_flag(self, golden_get(self, item, "expect.rounded"),
                     met__currency_is_rounded(&currency, amount));
}

static void run_unit(golden *self, const met__node *item)
{
    met__currency currency = golden_currency(self, golden_input(item));

    golden_same(self, golden_get(self, item, "expect.unit"),
                golden_decimal_node(self, met__currency_unit(&currency)));
}

static void run_format(golden *self, const met__node *item)
{
    met__currency currency = golden_currency(self, golden_input(item));
    met_decimal amount = golden_decimal(self, item, "input.amount");
    met__buffer text;

    met__buffer_init(&text, self->platform);
    if (met__currency_format(&currency, amount, &text) != MET_OK) {
        golden_fail(self, "cannot be formatted");
    } else {
        golden_same(
            self, golden_get(self, item, "expect.text"),
            met__node_text(self->arena, met__text_of(text.data, text.size)));
    }
    met__buffer_release(&text);
}

static void run_validate_currency(golden *self, const met__node *item)
{
    met__currency currency;
    met_error error = met__currency_read(
        golden_get(self, item, "input.currency"), NULL, &currency, NULL);

    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     error == MET_OK);
}

/* --- Shares --------------------------------------------------------------- */
static void allocate(golden *self, const met__node *item, unsigned flags,
                     const char *weight_name)
{
    const met__node *input = golden_input(item);
    const met__node *items = met__node_get(input, "items");
    const met__node *ties = met__node_get(input, "tie_break");
    met__currency currency = golden_currency(self, input);
    met_decimal amount = golden_decimal(self, input, "amount");
    met__share *shares =
        met__arena_allocate(self->arena, (items->count + 1) * sizeof *shares);
    met__node *got = met__node_array(self->arena);

    for (uint32_t i = 0; i < items->count; i++) {
        shares[i].key = golden_text(self, items->as.items[i], "key");
        shares[i].weight =
            golden_decimal(self, items->as.items[i], weight_name);
    }
    if (ties != NULL && ties->kind == MET__NODE_TEXT
        && met__text_equal(ties->as.text, MET__TEXT("key"))) {
        flags |= MET__ALLOCATE_TIES_BY_KEY;
    }
    if (self->failed) {
        return;
    }
    met_error error = met__allocate_amount(&currency, amount, flags, shares,
                                           items->count, self->arena, NULL);
    const met__node *valid = golden_get(self, item, "expect.valid");
    if (valid != NULL) {
        golden_same_flag(self, valid, error == MET_OK);
        return;
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        if (!met__decimal_is_zero(shares[i].amount)) {
            met__node *share = met__node_object(self->arena);
            golden_set(self, share, "key",
                       met__node_text(self->arena, shares[i].key));
            golden_set(self, share, "amount",
                       golden_decimal_node(self, shares[i].amount));
            (void)met__node_append(self->arena, got, share);
        }
    }
    golden_same(self, golden_get(self, item, "expect.allocations"), got);
}

static void run_by_weight(golden *self, const met__node *item)
{
    allocate(self, item, 0, "weight");
}

static void run_by_amount(golden *self, const met__node *item)
{
    allocate(self, item, MET__ALLOCATE_CAPPED, "amount");
}

/* --- Proration ------------------------------------------------------------ */
static met__period period_of(golden *self, const met__node *input,
                             const char *name)
{
    const met__node *list = met__node_get(input, name);
    met__period period = {0};

    if (list == NULL || list->kind != MET__NODE_ARRAY || list->count != 2) {
        golden_fail(self, "no %s", name);
        return period;
    }
    period.from_ns = golden_time(self, list->as.items[0], "");
    period.to_ns = golden_time(self, list->as.items[1], "");
    return period;
}

static int is_text(const met__node *input, const char *name, const char *text)
{
    const met__node *node = met__node_get(input, name);

    return node != NULL && node->kind == MET__NODE_TEXT
           && met__text_equal(node->as.text, met__text_z(text));
}

static met__flat_part part_of(golden *self, const met__node *input)
{
    met__flat_part part = {
        .amount = met__decimal_zero(),
        .service = period_of(self, input, "service_period"),
        .is_prorated = golden_flag(self, input, "proration_enabled"),
        .is_full_at_end = is_text(input, "subscription_end_proration_mode",
                                  "bill_full_period")};
    const met__node *end = met__node_get(input, "subscription_end");

    if (end != NULL && end->kind == MET__NODE_TEXT) {
        part.ends_at_ns = golden_time(self, input, "subscription_end");
    }
    return part;
}

/* The amount. When it is due (invoice_at) hangs on the billing period, so on
 * the phase, which these cases do not give. */
static void run_prorate(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    const met__node *expect = met__node_get(item, "expect");
    met__flat_part part = part_of(self, input);
    met__currency currency;
    met_decimal amount;
    met_error error = met__currency_read(met__node_get(input, "currency"), NULL,
                                         &currency, NULL);

    part.full = period_of(self, input, "full_service_period");
    part.amount = golden_decimal(self, input, "amount");
    if (error == MET_OK) {
        error = met__flat_amount(&part, &currency, &amount);
    }
    if (self->failed || met__node_get(expect, "error") != NULL) {
        golden_same_flag(self, met__node_get(expect, "error"), error != MET_OK);
        return;
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    const met__node *line = met__node_get(expect, "line");
    if (line != NULL) { /* null: an amount of 0 makes no line */
        golden_same(self, line,
                    met__decimal_is_zero(amount)
                        ? met__node_null(self->arena)
                        : golden_decimal_node(self, amount));
        return;
    }
    golden_same(self, met__node_get(expect, "amount"),
                golden_decimal_node(self, amount));
}

static void run_should_prorate(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__flat_part part = part_of(self, input);

    /* The case gives no full period: any longer one. */
    part.full = (met__period){0, MET__TIME_MAX};
    golden_same_flag(self, golden_get(self, item, "expect.prorate"),
                     is_text(input, "price_type", "flat")
                         && met__flat_is_prorated(&part));
}

/* --- Totals --------------------------------------------------------------- */
static int totals_of(golden *self, const met__node *node, met__totals *out)
{
    met_error_info info = {.struct_size = sizeof info};

    if (met__totals_read(node, NULL, out, &info) != MET_OK) {
        golden_fail(self, "%s: %s", info.field, info.reason);
        return 0;
    }
    return 1;
}

static void same_totals(golden *self, const met__node *expected,
                        const met__totals *totals)
{
    met__currency exact = {.places = 0};
    met__node *node = NULL;

    if (met__totals_document(totals, &exact, self->arena, &node) != MET_OK) {
        golden_fail(self, "no document");
        return;
    }
    golden_same_totals(self, expected, node);
}

static void run_totals_round(golden *self, const met__node *item)
{
    met__currency currency = golden_currency(self, golden_input(item));
    met__totals totals;

    if (!totals_of(self, golden_get(self, item, "input.totals"), &totals)
        || met__totals_round(&totals, &currency) != MET_OK) {
        golden_fail(self, "cannot be rounded");
        return;
    }
    same_totals(self, golden_get(self, item, "expect.totals"), &totals);
}

static void run_invoice_totals(golden *self, const met__node *item)
{
    const met__node *lines = golden_get(self, item, "input.lines");
    met__totals sum;

    met__totals_clear(&sum);
    for (uint32_t i = 0; i < lines->count; i++) {
        met__totals one;
        if (!totals_of(self, lines->as.items[i], &one)
            || met__totals_add(&sum, &one) != MET_OK) {
            golden_fail(self, "cannot be added");
            return;
        }
    }
    same_totals(self, golden_get(self, item, "expect.totals"), &sum);
}

/* The totals of any line or invoice: below 0 where one corrects. */
static void run_validate_totals(golden *self, const met__node *item)
{
    met__totals totals;
    int valid = met__totals_read(golden_input(item), NULL, &totals, NULL)
                == MET_OK;

    self->rule = valid && met__decimal_is_negative(totals.total)
                     ? "rule.negative_totals"
                     : NULL;
    golden_same_flag(self, golden_get(self, item, "expect.valid"), valid);
}

/* --- Credits -------------------------------------------------------------- */
static size_t amounts_of(golden *self, const met__node *array,
                         met_decimal **out)
{
    size_t count = array != NULL ? array->count : 0;

    *out = met__arena_allocate(self->arena, (count + 1) * sizeof **out);
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = golden_decimal(self, array->as.items[i], "");
    }
    return count;
}

/* Lines by quantity and price, with what is applied already; or by their
 * totals, where the credits replace what was applied. */
static met__line *credit_lines(golden *self, const met__node *input,
                               const met__currency *currency, size_t *count)
{
    const met__node *lines = met__node_get(input, "lines");
    const met__node *totals = met__node_get(input, "line_totals");
    const met__node *given = lines != NULL ? lines : totals;
    met_decimal sum;

    *count = given->count;
    met__line *out =
        met__arena_allocate(self->arena, (*count + 1) * sizeof *out);
    for (uint32_t i = 0; i < *count; i++) {
        const met__node *line = given->as.items[i];
        met__totals_clear(&out[i].totals);
        if (lines == NULL) {
            sum = golden_decimal(self, line, "");
            out[i].totals.amount = sum;
            out[i].totals.total = sum;
            continue;
        }
        if (met__decimal_multiply_rounded(
                golden_decimal(self, line, "quantity"),
                golden_decimal(self, line, "per_unit_amount"), currency->places,
                MET_ROUND_HALF_AWAY, &sum)
            != MET_OK) {
            golden_fail(self, "too many digits");
        }
        out[i].totals.amount = sum;
        out[i].credit_count = amounts_of(
            self, met__node_get(line, "credits_applied"), &out[i].credits);
        for (size_t k = 0; k < out[i].credit_count; k++) {
            (void)met__decimal_add(out[i].totals.credits_total,
                                   out[i].credits[k],
                                   &out[i].totals.credits_total);
        }
        (void)met__decimal_subtract(sum, out[i].totals.credits_total,
                                    &out[i].totals.total);
    }
    return out;
}

static void run_credits(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__currency currency = golden_currency(self, input);
    met__node *got = met__node_array(self->arena);
    met_decimal *credits = NULL;
    size_t line_count = 0;
    met__line *lines = credit_lines(self, input, &currency, &line_count);
    size_t count = amounts_of(self, met__node_get(input, "credits"), &credits);

    if (self->failed) {
        return;
    }
    met_error error = met__apply_credits(lines, line_count, credits, count,
                                         &currency, self->arena);
    const met__node *expected = golden_get(self, item, "expect.error");
    if (expected != NULL) {
        met_error_info info = {.reason =
                                   "(invoice_line_credits_not_consumed_fully)"};
        golden_same_error(self, expected, error, &info);
        return;
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    for (size_t i = 0; i < line_count; i++) {
        met__node *line = met__node_object(self->arena);
        met__node *applied = met__node_array(self->arena);
        for (size_t k = 0; k < lines[i].credit_count; k++) {
            (void)met__node_append(
                self->arena, applied,
                golden_decimal_node(self, lines[i].credits[k]));
        }
        golden_set(self, line, "credits_applied", applied);
        golden_set(self, line, "credits_total",
                   golden_decimal_node(self, lines[i].totals.credits_total));
        golden_set(self, line, "total",
                   golden_decimal_node(self, lines[i].totals.total));
        (void)met__node_append(self->arena, got, line);
    }
    golden_same(self, golden_get(self, item, "expect.lines"), got);
}

#define NO_LEDGER "the library keeps no ledger of customer credits"

const golden_kind golden_money_kinds[] = {
    {"round", run_round, NULL},
    {"round_directed", run_round_directed, NULL},
    {"is_rounded", run_is_rounded, NULL},
    {"currency_unit", run_unit, NULL},
    {"format_amount", run_format, NULL},
    {"validate_currency", run_validate_currency, NULL},
    {"allocate_by_weight", run_by_weight, NULL},
    {"allocate_by_amount", run_by_amount, NULL},
    {"prorate_flat", run_prorate, NULL},
    {"should_prorate", run_should_prorate, NULL},
    {"totals_round", run_totals_round, NULL},
    {"invoice_totals", run_invoice_totals, NULL},
    {"apply_credits", run_credits, NULL},
    {"credits_on_lines", run_credits, NULL},
    {"credit_balance", NULL, NO_LEDGER},
    {"credit_drawdown", NULL, NO_LEDGER},
    {"credit_history", NULL, NO_LEDGER},
    {"credit_pending", NULL, NO_LEDGER},
    {"credit_purchase", NULL, NO_LEDGER},
    {"credit_settle", NULL, NO_LEDGER},
    {"credit_transactions", NULL, NO_LEDGER},
    {"validate_totals", run_validate_totals, NULL},
    {"validate_currency_override", NULL, NULL},
    {"validate_charge_cost_basis", NULL, NULL},
    {NULL, NULL, NULL},
};

/* One line of an invoice: the quantity of a period rated as a whole, less what
 * was booked for it. Late usage of a period that was billed so becomes a line
 * of the next invoice; a flat fee that was booked
 * is final.
 * In: a period to bill. Out: a line in the bill, and its booking. */
#include "invoice/bill.h"

#include "base/check.h"
#include "catalog/feature.h"
#include "entitlement/customer_usage.h"
#include "invoice/booked.h"
#include "store/object.h"

/* What is known of one line while it is made. */
typedef struct line_draft {
    const met__billable *billable;
    const met__booked *booked; /* NULL: the first time */
    const met__feature *feature;
    met__currency currency;
    met_decimal quantity; /* of the whole period */
    met_decimal events;   /* behind it, when the price is one of each event */
    met__rate_group *groups; /* of a price by dimension; they sum to it */
    size_t group_count;
    met__rated *rated;    /* what is billed now */
    met__node *details;
} line_draft;

static int is_flat(const met__billable *billable)
{
    return billable->price->type == MET__PRICE_FLAT;
}

static met_error find_currency(const met__bill *bill, line_draft *draft)
{
    met__text code = draft->billable->plan->currency;
    met_error error = met__currency_of(code, &draft->currency);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(bill->info, MET_E_UNSUPPORTED, "currency",
                         "%.*s is not a currency of ISO 4217", (int)code.size,
                         code.data);
    }
    return error;
}

/* Asked for lines only: what was billed in another currency and has not
 * changed since is in nobody's way. */
static met_error take_currency(met__bill *bill, const line_draft *draft)
{
    met__text code = draft->currency.code;

    if (!bill->has_currency) {
        bill->currency = draft->currency;
        bill->has_currency = 1;
    } else if (!met__text_equal(bill->currency.code, code)) {
        return met__fail(bill->info, MET_E_UNSUPPORTED, "currency",
                         "one invoice in %.*s and %.*s is not served",
                         (int)bill->currency.code.size,
                         bill->currency.code.data, (int)code.size, code.data);
    }
    return MET_OK;
}

/* --- Quantity ------------------------------------------------------------- */
/* A price by dimension: its values, and their sum. */
static met_error measure_values(const met__bill *bill, line_draft *draft,
                                const met__meter *meter, met__period period)
{
    met__value_usage *usage = NULL;
    met_error error = met__customer_usage_by_value(
        bill->txn, bill->customer, draft->feature, meter, period,
        draft->billable->price->dimension, bill->arena, &usage,
        &draft->group_count, bill->info);

    if (error != MET_OK) {
        return error;
    }
    draft->groups = met__arena_allocate(
        bill->arena, draft->group_count * sizeof *draft->groups);
    if (draft->groups == NULL) {
        return MET_E_NO_MEMORY;
    }
    draft->quantity = met__decimal_zero();
    for (size_t i = 0; error == MET_OK && i < draft->group_count; i++) {
        draft->groups[i] =
            (met__rate_group){usage[i].value, usage[i].quantity};
        error = met__decimal_add(draft->quantity, usage[i].quantity,
                                 &draft->quantity);
    }
    return error;
}

/* The events whose values were summed. */
static met_error count_events(const met__bill *bill, line_draft *draft,
                              const met__meter *meter, met__period period)
{
    met__meter counting = *meter;

    counting.aggregation = MET__AGGREGATION_COUNT;
    return met__customer_usage(bill->txn, bill->customer, draft->feature,
                               &counting, period, MET__USAGE_ANY,
                               &draft->events, bill->info);
}

static met_error measure(const met__bill *bill, line_draft *draft)
{
    const met__billable *billable = draft->billable;
    met__period period = billable->period;
    met__feature *feature;
    met__meter *meter;
    met_error error = met__rate_card_feature(bill->txn, billable->card,
                                             bill->arena, &feature);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    draft->feature = feature;
    error = met__meter_get(bill->txn, feature->meter_key, bill->arena,
                           &meter);
    if (error == MET_E_NOT_FOUND) {
        return met__fail(bill->info, MET_E_CONFLICT, "meter",
                         "the meter \"%.*s\" of a billed feature is gone",
                         (int)feature->meter_key.size,
                         feature->meter_key.data);
    }
    if (error != MET_OK) {
        return error;
    }
    if (billable->is_open) {
        /* Up to the end of the minute that is running. */
        int64_t minute = bill->request->as_of_ns
                         - bill->request->as_of_ns % MET__MINUTE_NS;
        if (minute + MET__MINUTE_NS < period.to_ns) {
            period.to_ns = minute + MET__MINUTE_NS;
        }
    }
    if (billable->price->type == MET__PRICE_MATRIX) {
        return measure_values(bill, draft, meter, period);
    }
    error = met__customer_usage(bill->txn, bill->customer, feature, meter,
                                period, MET__USAGE_ANY, &draft->quantity,
                                bill->info);
    return error == MET_OK && billable->price->has_fixed
               ? count_events(bill, draft, meter, period)
               : error;
}

/* --- Price ---------------------------------------------------------------- */
static int64_t seconds_of(met__period period)
{
    return period.to_ns / MET__SECOND_NS - period.from_ns / MET__SECOND_NS;
}

/* A flat fee is a share of its full period. MET_E_NOT_FOUND: nothing is left
 * of it, then there is no line at all. */
static met_error share_of(const line_draft *draft, met__price *price)
{
    const met__billable *billable = draft->billable;
    int64_t service = seconds_of(billable->period);
    int64_t full = seconds_of(billable->full);
    met_error error = MET_OK;

    if (billable->plan->is_prorating && service > 0 && service < full) {
        error = met__prorate(price->amount, service * MET__SECOND_NS,
                             full * MET__SECOND_NS, &draft->currency,
                             &price->amount);
        if (error == MET_OK && met__decimal_is_zero(price->amount)) {
            error = MET_E_NOT_FOUND;
        }
    }
    return error;
}

/* What the rate card says beside the price; a stored one that cannot be read
 * is damage. */
static met_error read_terms(const met__bill *bill,
                            const met__rate_card *card,
                            met__rate_input *input)
{
    met__path discounts_path = {NULL, "discounts", 0};
    met__path unit_path = {NULL, "unit_config", 0};
    met__discounts *discounts = NULL;
    met__unit_config *unit_config = NULL;
    met_error error = MET_OK;

    if (card->discounts != NULL) {
        error = met__discounts_read(card->discounts, &discounts_path,
                                    bill->arena, &discounts, bill->info);
    }
    if (error == MET_OK && card->unit_config != NULL) {
        error = met__unit_config_read(card->unit_config, &unit_path,
                                      bill->arena, &unit_config, bill->info);
    }
    input->discounts = discounts;
    input->unit_config = unit_config;
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

static met_error rate_whole(const met__bill *bill, line_draft *draft)
{
    const met__billable *billable = draft->billable;
    met__price price = *billable->price;
    met__rate_input input = {
        .name = billable->card->name,
        .price = &price,
        .currency = draft->currency,
        .quantity = draft->quantity,
        .quantity_before = met__decimal_zero(),
        .is_first = 1,
        .is_last = 1,
        .already_billed = met__decimal_zero(),
        .is_minimum_ignored = billable->is_open,
        .has_events = billable->price->has_fixed,
        .events = draft->events,
        .events_before = met__decimal_zero(),
        .groups = draft->groups,
        .group_count = draft->group_count,
    };
    met_error error = read_terms(bill, billable->card, &input);

    if (error == MET_OK && is_flat(billable)) {
        error = share_of(draft, &price);
    }
    if (error == MET_OK) {
        error = met__rate(&input, bill->arena, &draft->rated, bill->info);
    }
    return error;
}

/* Nothing is owed: no line and no minimum. */
static met_error rate_nothing(const met__bill *bill, line_draft *draft)
{
    draft->quantity = met__decimal_zero();
    draft->rated = met__arena_allocate(bill->arena, sizeof *draft->rated);
    if (draft->rated == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__totals_clear(&draft->rated->totals);
    return MET_OK;
}

/* MET_E_NOT_FOUND: there is nothing to bill. */
static met_error rate(const met__bill *bill, line_draft *draft)
{
    met_error error = draft->billable->is_void ? rate_nothing(bill, draft)
                                               : rate_whole(bill, draft);

    if (error == MET_OK && draft->booked != NULL) {
        error = met__rate_delta(draft->rated, draft->booked->lines,
                                draft->booked->line_count, &draft->currency,
                                bill->arena, &draft->rated);
        if (error == MET_OK && draft->rated->line_count == 0) {
            error = MET_E_NOT_FOUND; /* nothing new to bill */
        }
    }
    return error;
}

/* --- Document ------------------------------------------------------------- */
static void build_period(met__builder *builder, met__arena *arena,
                         const char *name, met__period period)
{
    met__builder inner;

    met__builder_begin(&inner, arena);
    met__build_time(&inner, "from", period.from_ns);
    met__build_time(&inner, "to", period.to_ns);
    met__build_object(builder, name, &inner);
}

/* Detailed lines; those of an invoice get an id, by which a later correction
 * names what it corrects. */
static met_error build_details(const met__bill *bill, line_draft *draft)
{
    met_error error = MET_OK;

    draft->details = met__node_array(bill->arena);
    if (draft->details == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < draft->rated->line_count; i++) {
        met__line line = draft->rated->lines[i];
        met__node *node;
        if (bill->invoice_id.size > 0) {
            const char *id = met__arena_print(
                bill->arena, "%.*s.%u.%zu", (int)bill->invoice_id.size,
                bill->invoice_id.data, bill->lines->count + 1, i + 1);
            if (id == NULL) {
                return MET_E_NO_MEMORY;
            }
            line.id = met__text_z(id);
        }
        error =
            met__line_document(&line, &draft->currency, bill->arena, &node);
        if (error == MET_OK) {
            error = met__node_append(bill->arena, draft->details, node);
        }
    }
    return error;
}

static void build_plan(const met__bill *bill, met__builder *builder,
                       const met__plan *plan)
{
    met__builder inner;

    met__builder_begin(&inner, bill->arena);
    met__build_text(&inner, "key", plan->key);
    met__build_text(&inner, "name", plan->name);
    met__build_integer(&inner, "version", plan->version);
    met__build_object(builder, "plan", &inner);
}

/* Quantities: a correction shows what is new, and what it is new against. */
static met_error build_quantities(met__builder *builder,
                                  const line_draft *draft)
{
    met_decimal billed;

    if (draft->booked == NULL) {
        met__build_decimal(builder, "quantity", draft->quantity);
        return MET_OK;
    }
    met_error error = met__decimal_subtract(
        draft->quantity, draft->booked->quantity, &billed);
    if (error == MET_OK) {
        met__build_boolean(builder, "is_correction", 1);
        met__build_decimal(builder, "quantity", billed);
        met__build_decimal(builder, "quantity_billed_before",
                           draft->booked->quantity);
        met__build_decimal(builder, "quantity_total", draft->quantity);
    }
    return error;
}

static met_error build_line(const met__bill *bill, const line_draft *draft,
                            met__node **node_out)
{
    const met__billable *billable = draft->billable;
    const met__rate_card *card = billable->card;
    int64_t inside = billable->period.from_ns % MET__MINUTE_NS;
    met__builder builder;
    met__node *totals;

    met__builder_begin(&builder, bill->arena);
    met__build_text(&builder, "key", card->key);
    met__build_text(&builder, "name", card->name);
    met__build_text(&builder, "feature_key", card->feature_key);
    met__build_text(&builder, "subscription_id", billable->subscription->id);
    build_plan(bill, &builder, billable->plan);
    build_period(&builder, bill->arena, "period", billable->period);
    if (is_flat(billable)
        && (billable->full.from_ns != billable->period.from_ns
            || billable->full.to_ns != billable->period.to_ns)) {
        build_period(&builder, bill->arena, "full_period", billable->full);
    }
    if (!is_flat(billable) && inside != 0) {
        met__build_time(&builder, "applied_at",
                        billable->period.from_ns - inside);
    }
    if (billable->is_open) {
        met__build_boolean(&builder, "is_open", 1);
    }
    met_error error = build_quantities(&builder, draft);
    met__build_node(&builder, "price", card->price);
    met__build_node(&builder, "discounts", card->discounts);
    met__build_node(&builder, "unit_config", card->unit_config);
    met__build_node(&builder, "detailed_lines", draft->details);
    if (error == MET_OK) {
        error = met__totals_document(&draft->rated->totals, &draft->currency,
                                     bill->arena, &totals);
    }
    if (error == MET_OK) {
        met__build_node(&builder, "totals", totals);
    }
    met_error built = met__builder_end(&builder, node_out);
    return error == MET_OK ? built : error;
}

static void widen(met__period *whole, met__period part)
{
    if (whole->to_ns == 0) {
        *whole = part;
        return;
    }
    if (part.from_ns < whole->from_ns) {
        whole->from_ns = part.from_ns;
    }
    if (part.to_ns > whole->to_ns) {
        whole->to_ns = part.to_ns;
    }
}

static met_error finish(met__bill *bill, line_draft *draft)
{
    met__node *node;
    met_error error = take_currency(bill, draft);

    if (error == MET_OK && bill->lines->count >= MET__INVOICE_LINES_MAX) {
        error = met__fail(bill->info, MET_E_LIMIT, "as_of",
                          "would bill more than %d lines: bill up to an "
                          "earlier instant first",
                          MET__INVOICE_LINES_MAX);
    }
    if (error == MET_OK) {
        error = build_details(bill, draft);
    }
    if (error == MET_OK) {
        error = build_line(bill, draft, &node);
    }
    if (error == MET_OK) {
        error = met__node_append(bill->arena, bill->lines, node);
    }
    if (error == MET_OK) {
        error = met__totals_add(&bill->totals, &draft->rated->totals);
    }
    if (error == MET_OK && bill->invoice_id.size > 0) {
        error = met__booked_add(bill->txn, draft->billable, draft->booked,
                                draft->quantity, draft->details,
                                bill->arena);
    }
    if (error == MET_OK) {
        widen(&bill->service_period, draft->billable->period);
    }
    return error;
}

/* Nothing more is to be asked about it: a flat fee is billed once, a period
 * that was billed is not open (the preview is of an earlier instant), and what
 * is void matters only when it was billed. */
static int is_settled(const line_draft *draft)
{
    const met__billable *billable = draft->billable;

    if (draft->booked == NULL) {
        return billable->is_void;
    }
    return is_flat(billable) || billable->is_open;
}

met_error met__bill_add(void *context, const met__billable *billable)
{
    met__bill *bill = context;
    line_draft draft = {.billable = billable,
                        .quantity = met__decimal_from_i64(1),
                        .events = met__decimal_zero()};
    met__booked *booked = NULL;
    met_error error =
        met__booked_get(bill->txn, billable, bill->arena, &booked);

    if (error == MET_OK) {
        draft.booked = booked;
    } else if (error != MET_E_NOT_FOUND) {
        return error;
    }
    if (is_settled(&draft)) {
        return MET_OK;
    }
    error = find_currency(bill, &draft);
    if (error == MET_OK && !is_flat(billable) && !billable->is_void) {
        error = measure(bill, &draft);
    }
    if (error != MET_OK) {
        return error;
    }
    error = rate(bill, &draft);
    if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    return error == MET_OK ? finish(bill, &draft) : error;
}

/* The quantities behind a line: what the customer used of the rate card's
 * feature in the period. In: a draft with its billable. Out: the same with
 * quantity, events or groups. */
#include "invoice/bill.h"

#include "base/check.h"
#include "entitlement/customer_usage.h"
#include "invoice/line_usage.h"
#include "store/write_log.h"

/* What is measured now is of a moment that begins with the transaction that
 * writes, or has begun before one that only reads. */
static met_error measure_now(const met__bill *bill, met__line_draft *draft)
{
    met__write_log *log = met__txn_log_of(bill->txn);
    int64_t number = log != NULL && bill->now != NULL ? bill->now->number : 0;

    draft->number = number;
    if (log == NULL) {
        return MET_OK;
    }
    if (bill->now != NULL) {
        bill->now->is_wanted = 1;
    }
    return number != 0 ? MET_OK : met__log_refuse(log);
}

/* What was booked since the source looked may be newer than what it knows. */
static int is_known(const met__bill *bill, const met__line_draft *draft)
{
    return bill->source != NULL
           && (bill->is_dry || draft->booked == NULL
               || draft->booked->number <= bill->source_number);
}

static met_error ask_values(const met__bill *bill, met__line_draft *draft,
                            const met__meter *meter, met__period period,
                            met__value_usage **usage_out, size_t *count_out)
{
    met__usage_wish wish = {bill->customer, draft->feature, meter,
                            met__usage_bounds(period),
                            draft->basis.price->dimension};
    met_error error = MET_E_NOT_FOUND;

    if (is_known(bill, draft)) {
        error = bill->source->values(bill->source->context,
                                     bill->source->turn, &wish, bill->arena,
                                     usage_out, count_out);
    }
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    error = measure_now(bill, draft);
    return error == MET_OK
               ? met__customer_usage_by_value(
                     bill->txn, bill->customer, draft->feature, meter, period,
                     wish.dimension, bill->arena, usage_out, count_out,
                     bill->info)
               : error;
}

/* A price by dimension: its values, and their sum. */
static met_error measure_values(const met__bill *bill, met__line_draft *draft,
                                const met__meter *meter, met__period period)
{
    met__line_basis *basis = &draft->basis;
    met__value_usage *usage = NULL;
    met_error error =
        ask_values(bill, draft, meter, period, &usage, &basis->group_count);

    if (error != MET_OK) {
        return error;
    }
    basis->groups = met__arena_allocate(
        bill->arena, basis->group_count * sizeof *basis->groups);
    if (basis->groups == NULL) {
        return MET_E_NO_MEMORY;
    }
    basis->quantity = met__decimal_zero();
    for (size_t i = 0; error == MET_OK && i < basis->group_count; i++) {
        basis->groups[i] =
            (met__rate_group){usage[i].value, usage[i].quantity};
        error = met__decimal_add(basis->quantity, usage[i].quantity,
                                 &basis->quantity);
    }
    return error;
}

/* A meter that was removed, and may have been put anew: a later one with its
 * key has none of the usage that was billed, and takes nothing of it back. */
static met_error find_meter(const met__bill *bill, met__line_draft *draft,
                            met__meter **meter_out)
{
    met__feature *feature = NULL;
    met_error error =
        met__cached_meter(bill->cache, bill->txn, draft->billable->card,
                          bill->arena, &feature, meter_out);

    if (draft->booked != NULL
        && (error == MET_E_NOT_FOUND
            || (error == MET_OK
                && !met__meter_knows(*meter_out,
                                     draft->billable->period.to_ns)))) {
        draft->is_as_billed = 1;
        error = MET_OK;
    }
    if (error == MET_E_NOT_FOUND) {
        return met__fail(bill->info, MET_E_CONFLICT, "meter",
                         "the meter \"%.*s\" of a billed feature is gone",
                         (int)feature->meter_key.size,
                         feature->meter_key.data);
    }
    draft->feature = feature;
    return error;
}

/* A preview shows the minute that is running, an interim bill leaves it for
 * the next one. */
static int64_t usage_end(const met__bill *bill, const met__billable *billable)
{
    int64_t as_of = bill->request->as_of_ns;
    int64_t end = as_of - as_of % MET__MINUTE_NS;

    if (!bill->request->is_interim) {
        end += MET__MINUTE_NS;
    }
    return billable->is_open && end < billable->period.to_ns
               ? end
               : billable->period.to_ns;
}

static met_error ask(const met__bill *bill, met__line_draft *draft,
                     const met__meter *meter, met__period period,
                     met_decimal *quantity_out)
{
    met__usage_wish wish = {bill->customer, draft->feature, meter,
                            met__usage_bounds(period), {NULL, 0}};
    met_error error = MET_E_NOT_FOUND;

    if (is_known(bill, draft)) {
        error = bill->source->quantity(bill->source->context,
                                       bill->source->turn, &wish,
                                       quantity_out);
    }
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    error = measure_now(bill, draft);
    return error == MET_OK
               ? met__customer_usage(bill->txn, bill->customer,
                                     draft->feature, meter, period,
                                     MET__USAGE_ANY, quantity_out,
                                     bill->info)
               : error;
}

/* The events whose values were summed. */
static met_error count_events(const met__bill *bill, met__line_draft *draft,
                              const met__meter *meter, met__period period)
{
    met__meter counting = *meter;

    counting.aggregation = MET__AGGREGATION_COUNT;
    return ask(bill, draft, &counting, period, &draft->basis.events);
}

met_error met__bill_measure(const met__bill *bill, met__line_draft *draft)
{
    const met__billable *billable = draft->billable;
    met__period period = billable->period;
    met__meter *meter = NULL;
    met_error error = find_meter(bill, draft, &meter);

    if (error != MET_OK || draft->is_as_billed) {
        return error;
    }
    period.to_ns = usage_end(bill, billable);
    draft->usage_to_ns = period.to_ns;
    if (billable->price->type == MET__PRICE_MATRIX) {
        return measure_values(bill, draft, meter, period);
    }
    error = ask(bill, draft, meter, period, &draft->basis.quantity);
    return error == MET_OK && billable->price->has_fixed
               ? count_events(bill, draft, meter, period)
               : error;
}

met_error met__bill_show_usage(const met__bill *bill, met__line_draft *draft)
{
    met__period period = draft->billable->period;
    met__meter *meter;

    if (!bill->has_usage || draft->feature == NULL
        || bill->lines->count >= MET__LINE_USAGE_LINES_MAX) {
        return MET_OK;
    }
    period.to_ns = draft->usage_to_ns;
    met_error error = met__meter_get(bill->txn, draft->feature->meter_key,
                                     bill->arena, &meter);
    return error == MET_OK
               ? met__line_usage(bill->txn, bill->customer, draft->feature,
                                 meter, period, bill->arena, &draft->usage)
               : error;
}

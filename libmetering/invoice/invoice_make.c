/* Making bills and drafts. In: a customer, its profile, an instant. Out: a bill
 * with all lines that are due, an invoice that is not stored yet, and credit
 * notes for what is given back. */
#include "base/check.h"
#include "invoice/credit_note.h"
#include "invoice/invoice_flow.h"
#include "store/object.h"

/* --- Bills ---------------------------------------------------------------- */
met_error met__bill_begin(met__txn *txn, const met__invoice_request *request,
                          const met__customer *customer,
                          const met__billing_profile *profile,
                          const met__usage_source *source, met__arena *arena,
                          met_error_info *info, met__bill *bill)
{
    memset(bill, 0, sizeof *bill);
    bill->txn = txn;
    bill->request = request;
    bill->customer = customer;
    bill->profile = profile;
    bill->source = source;
    bill->arena = arena;
    bill->info = info;
    bill->lines = met__node_array(arena);
    bill->open_total = met__decimal_zero();
    bill->open_billed = met__decimal_zero();
    met__totals_clear(&bill->totals);
    return bill->lines == NULL ? MET_E_NO_MEMORY : MET_OK;
}

/* Periods of one subscription. What is known to be billed is passed over, but
 * not by a bill as of an earlier instant. */
static met_error add_part(met__bill *bill,
                          const met__subscription *subscription,
                          const met__plan *plan)
{
    const met__invoice_request *request = bill->request;
    met__bill_part *part = &bill->parts[bill->part_count++];
    met__billables wanted = {.subscription = subscription,
                             .plan = plan,
                             .as_of_ns = request->as_of_ns,
                             .is_open_included = request->is_open_included,
                             .marks = bill->marks,
                             .mark_count = bill->mark_count};

    part->subscription_id = subscription->id;
    part->terms = met__billed_terms(bill->txn, bill->customer,
                                    &bill->profile->policies, subscription);
    met_error error = met__billed_until_get(bill->txn, subscription->id,
                                            part->terms, &part->before);
    if (error == MET_OK && part->before.to_ns <= request->as_of_ns) {
        wanted.done_to_ns = part->before.to_ns;
        wanted.number = part->before.number;
    }
    if (error == MET_OK) {
        error = met__billables_each(&wanted, bill->arena, bill, met__bill_add,
                                    bill->info);
    }
    return error == MET_OK ? met__bill_fill_up(bill, subscription, plan)
                           : error;
}

met_error met__bill_make(met__bill *bill)
{
    met__subscription **subscriptions;
    met__plan *plan;
    size_t count = 0;
    met_error error =
        met__subscription_each(bill->txn, bill->customer->key, bill->arena,
                               &subscriptions, &count);

    if (error == MET_OK) {
        error = met__usage_marks(bill->txn, bill->customer->subjects,
                                 bill->customer->subject_count, bill->arena,
                                 &bill->marks, &bill->mark_count);
    }
    if (error == MET_OK) {
        bill->parts = met__arena_allocate(bill->arena,
                                          count * sizeof *bill->parts);
        error = bill->parts == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        /* A key may have had another owner before. */
        if (!met__text_equal(subscriptions[i]->customer_id,
                             bill->customer->id)) {
            continue;
        }
        error = met__cached_plan(bill->cache, bill->txn, subscriptions[i],
                                 bill->arena, &plan);
        if (error == MET_OK) {
            error = add_part(bill, subscriptions[i], plan);
        }
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    return error;
}

/* --- Drafts --------------------------------------------------------------- */
static met_error build_customer(const met__bill *bill, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, bill->arena);
    met__build_text(&builder, "id", bill->customer->id);
    met__build_text(&builder, "key", bill->customer->key);
    met__build_text(&builder, "name", bill->customer->name);
    return met__builder_end(&builder, node_out);
}

/* Without a line there may be no currency; then amounts are written as those
 * of two decimals. */
static met__currency currency_of(const met__bill *bill)
{
    met__currency currency = {.code = bill->customer->currency, .places = 2};

    if (bill->has_currency) {
        return bill->currency;
    }
    if (currency.code.size > 0) {
        (void)met__currency_of(currency.code, &currency);
    }
    return currency;
}

met_error met__draft_set_until(const met__billing_profile *profile,
                               met__invoice *invoice)
{
    int64_t from = invoice->collection_at_ns > invoice->created_at_ns
                       ? invoice->collection_at_ns
                       : invoice->created_at_ns;

    return profile->is_auto
               ? met__duration_add(from, &profile->draft_period, 1,
                                   &invoice->draft_until_ns)
               : MET_OK;
}

met_error met__draft_of(const met__bill *bill, met__invoice **invoice_out)
{
    met__invoice *invoice = met__arena_allocate(bill->arena, sizeof *invoice);
    met__node *customer = NULL;

    if (invoice == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = build_customer(bill, &customer);
    if (error != MET_OK) {
        return error;
    }
    *invoice = (met__invoice){.id = bill->invoice_id,
                              .state = MET__STATE_CREATED,
                              .currency = currency_of(bill),
                              .customer = customer,
                              .customer_key = bill->customer->key,
                              .service_period = bill->service_period,
                              .as_of_ns = bill->request->as_of_ns,
                              .created_at_ns = bill->request->now_ns,
                              .snapshot_at_ns = bill->request->now_ns,
                              .collection_at_ns = bill->collection_at_ns,
                              .is_interim = bill->request->is_interim,
                              .profile = bill->profile->document,
                              .lines = bill->lines,
                              .totals = bill->totals};
    error = met__draft_set_until(bill->profile, invoice);
    if (error == MET_OK) {
        *invoice_out = invoice;
    }
    return error;
}

/* --- Credit notes --------------------------------------------------------- */
static met_error store_note(const met__bill *bill, const met__give_back *give)
{
    met__node *customer = NULL;
    met_error error = build_customer(bill, &customer);
    met__invoice note = {.id = give->note_id,
                         .state = MET__STATE_ISSUED,
                         .is_credit_note = 1,
                         .corrects_id = give->invoice->id,
                         .corrects_number = give->invoice->number,
                         .reason = MET__TEXT("usage was corrected"),
                         .currency = bill->currency,
                         .customer = customer,
                         .customer_key = bill->customer->key,
                         .service_period = give->service_period,
                         .as_of_ns = bill->request->as_of_ns,
                         .created_at_ns = bill->request->now_ns,
                         .snapshot_at_ns = bill->request->now_ns,
                         .issued_at_ns = bill->request->now_ns,
                         .profile = bill->profile->document,
                         .lines = give->lines,
                         .totals = give->totals};
    if (error == MET_OK) {
        error = met__invoice_number(bill->txn, bill->profile, 1,
                                    bill->customer->name, bill->arena,
                                    &note.number);
    }
    if (error == MET_OK) {
        error = met__invoice_put(bill->txn, &note, NULL, bill->arena);
    }
    return error == MET_OK ? met__credit_note_index(bill->txn, &note,
                                                    bill->arena)
                           : error;
}

met_error met__bill_give_back(const met__bill *bill)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < bill->give_back_count; i++) {
        error = store_note(bill, &bill->give_backs[i]);
    }
    return error;
}

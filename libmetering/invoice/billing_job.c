/* One customer or one invoice of a billing run. In: its name, the quantities
 * that were gathered. Out: drafts, invoices, credit notes; counts. */
#include "invoice/billing_job.h"

#include <stdio.h>

#include "base/check.h"
#include "invoice/invoice_flow.h"
#include "store/object.h"

/* --- Invoices whose next step is due -------------------------------------- */
static int is_read_again(const met__invoice_flow *flow)
{
    return flow->invoice->state == MET__STATE_WAITING
           || (flow->invoice->state == MET__STATE_AUTO_APPROVAL
               && flow->profile->late_usage == MET__LATE_DRAFT_REFRESH);
}

static met_error load_flow(met__job_context *context, met__text id,
                           met__invoice_flow *flow)
{
    *flow = (met__invoice_flow){.txn = context->txn,
                                .arena = context->arena,
                                .info = context->info,
                                .source = &context->source,
                                .source_number = context->source_number,
                                .now_ns = context->as_of_ns};
    return met__flow_load(flow, id);
}

static met_error ask_again(met__job_context *context,
                           const met__invoice_flow *flow)
{
    const met__invoice *invoice = flow->invoice;
    met__invoice_request request = {.customer_key = invoice->customer_key,
                                    .as_of_ns = invoice->as_of_ns,
                                    .now_ns = context->as_of_ns,
                                    .is_open_included = invoice->is_interim,
                                    .is_interim = invoice->is_interim};
    met__customer *customer = NULL;
    met__bill bill;
    met_error error = met__customer_get(context->txn, invoice->customer_key,
                                        context->arena, &customer);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    error = met__bill_begin(context->txn, &request, customer, flow->profile,
                            &context->source, context->arena, context->info,
                            &bill);
    bill.invoice_id = invoice->id;
    bill.cache = context->cache;
    bill.is_dry = 1;
    if (error == MET_OK) {
        error = met__bill_make(&bill);
        context->report->measured += bill.measured;
    }
    return error;
}

static met_error ask_invoice(met__job_context *context, met__text id,
                             int *is_wanted)
{
    met__invoice_flow flow;
    met_error error = load_flow(context, id, &flow);

    *is_wanted = error == MET_OK;
    return error == MET_OK && is_read_again(&flow)
               ? ask_again(context, &flow)
               : error;
}

static void count_flow(met__run_report *report,
                       const met__invoice_flow *flow, int was_read)
{
    report->collected += was_read != 0;
    switch (flow->invoice->state) {
    case MET__STATE_ISSUED:
        report->issued++;
        break;
    case MET__STATE_DELETED:
        report->deleted++;
        break;
    case MET__STATE_OVERDUE:
        report->overdue++;
        break;
    default:
        break;
    }
}

/* Where nothing is owed nobody pays, and nothing is overdue. */
static met_error go_on(met__invoice_flow *flow)
{
    uint32_t end = met__decimal_is_zero(flow->invoice->totals.total)
                       ? MET__ACTION_PAID
                       : MET__ACTION_OVERDUE;
    met_error error = MET_OK;

    if (flow->invoice->state == MET__STATE_ISSUED) {
        error = met__flow_act(flow, MET__ACTION_NEXT);
    } else if (flow->invoice->state != MET__STATE_PENDING) {
        return met__flow_advance(flow);
    }
    return error == MET_OK ? met__flow_act(flow, end) : error;
}

static met_error do_invoice(met__job_context *context, met__text id)
{
    met__invoice_flow flow;
    met_error error = load_flow(context, id, &flow);
    int was_read;
    int64_t due_at;

    if (error != MET_OK) {
        return error;
    }
    due_at = met__invoice_due_at(flow.invoice);
    if (due_at == 0 || due_at > context->as_of_ns) {
        return MET_OK; /* somebody else was there */
    }
    was_read = is_read_again(&flow);
    error = go_on(&flow);
    if (error == MET_OK) {
        error = met__flow_store(&flow);
    }
    if (error == MET_OK) {
        count_flow(context->report, &flow, was_read);
    }
    return error;
}

/* --- Customers ------------------------------------------------------------ */
typedef struct billed {
    met__customer *customer;
    met__billing_profile *profile;
    met__invoice_request request;
    met__bill bill;
} billed;

/* Aligned to an anchor, what is due is what was due at its last point. */
static met_error bill_until(const met__billing_profile *profile,
                            int64_t *as_of_ns)
{
    met__period period;

    if (!profile->is_anchored) {
        return MET_OK;
    }
    met_error error = met__recurrence_period_at(&profile->anchored, *as_of_ns,
                                                &period, NULL);
    if (error == MET_OK) {
        *as_of_ns = period.from_ns;
    }
    return error;
}

static met_error begin(met__job_context *context, met__text key, billed *self)
{
    met_error error = met__customer_get(context->txn, key, context->arena,
                                        &self->customer);

    if (error == MET_OK) {
        error = met__billing_profile_get(context->txn, key, context->arena,
                                         &self->profile);
    }
    if (error != MET_OK) {
        return error;
    }
    self->request = (met__invoice_request){.customer_key = key,
                                           .as_of_ns = context->as_of_ns,
                                           .now_ns = context->as_of_ns};
    return bill_until(self->profile, &self->request.as_of_ns);
}

/* An interim bill counts from now, whatever the alignment. */
static met_error make(met__job_context *context, billed *self, int is_interim,
                      int is_dry, met__text id)
{
    self->request.is_interim = is_interim;
    self->request.is_open_included = is_interim;
    if (is_interim) {
        self->request.as_of_ns = context->as_of_ns;
    }
    met_error error = met__bill_begin(
        context->txn, &self->request, self->customer, self->profile,
        &context->source, context->arena, context->info, &self->bill);
    self->bill.source_number = context->source_number;
    self->bill.now = &context->now;
    self->bill.cache = context->cache;
    self->bill.invoice_id = id;
    self->bill.is_dry = is_dry;
    return error == MET_OK ? met__bill_make(&self->bill) : error;
}

static int has_thresholds(const billed *self)
{
    return self->profile->threshold_count > 0 && self->profile->is_progressive;
}

static met_error ask_customer(met__job_context *context, met__text key,
                              int *is_wanted)
{
    billed self;
    met_error error = begin(context, key, &self);

    if (error == MET_OK) {
        error = make(context, &self, has_thresholds(&self), 1,
                     met__text_of(NULL, 0));
    }
    *is_wanted = error == MET_OK && self.bill.dry_count > 0;
    context->report->measured += error == MET_OK ? self.bill.measured : 0;
    return error;
}

static size_t passed(const billed *self, met_decimal amount)
{
    size_t count = 0;

    while (count < self->profile->threshold_count
           && met__decimal_compare(self->profile->thresholds[count], amount)
                  <= 0) {
        count++;
    }
    return count;
}

/* The bill that is to be made: of what is due, and when a threshold was passed
 * also of what runs. */
static met_error make_right(met__job_context *context, billed *self,
                            met__text id)
{
    int64_t as_of_ns = self->request.as_of_ns;
    met_error error = MET_OK;

    if (has_thresholds(self)) {
        error = make(context, self, 1, 0, id);
        if (error != MET_OK
            || passed(self, self->bill.open_total)
                   > passed(self, self->bill.open_billed)) {
            return error;
        }
    }
    self->request.as_of_ns = as_of_ns;
    return make(context, self, 0, 0, id);
}

static int is_issued_at_once(const met__invoice *invoice,
                             const billed *self, int64_t now_ns)
{
    return self->profile->is_auto && invoice->collection_at_ns <= now_ns
           && invoice->draft_until_ns <= now_ns;
}

static met_error store(met__job_context *context, billed *self)
{
    met__invoice_flow flow = {.txn = context->txn,
                              .arena = context->arena,
                              .info = context->info,
                              .profile = self->profile,
                              .source = &context->source,
                              .source_number = context->source_number,
                              .now_ns = context->as_of_ns};
    met_error error = MET_OK;

    if (self->bill.lines->count == 0) {
        error = met__bill_book(&self->bill, 0);
        return error == MET_OK ? met__bill_give_back(&self->bill) : error;
    }
    error = met__draft_of(&self->bill, &flow.invoice);
    if (error == MET_OK) {
        flow.is_booked_open = !is_issued_at_once(flow.invoice, self,
                                                 context->as_of_ns);
        error = met__bill_book(&self->bill, flow.is_booked_open);
    }
    if (error == MET_OK) {
        error = met__bill_give_back(&self->bill);
    }
    if (error == MET_OK) {
        error = met__flow_advance(&flow);
    }
    if (error == MET_OK) {
        error = met__flow_store(&flow);
    }
    if (error == MET_OK) {
        context->report->drafts++;
        context->report->interim += flow.invoice->is_interim != 0;
        count_flow(context->report, &flow, 0);
    }
    return error;
}

static met_error do_customer(met__job_context *context, met__text key)
{
    met__text id;
    billed self;
    met_error error = begin(context, key, &self);

    if (error == MET_E_NOT_FOUND) {
        return MET_OK; /* removed meanwhile */
    }
    if (error == MET_OK) {
        error = met__object_id_ordered(context->txn, context->as_of_ns,
                                       context->order++, context->arena, &id);
    }
    if (error == MET_OK) {
        error = make_right(context, &self, id);
    }
    if (error != MET_OK) {
        return error;
    }
    if (met__decimal_is_negative(self.bill.totals.total)) {
        context->report->waiting++;
        return MET_OK;
    }
    context->report->credit_notes += self.bill.give_back_count;
    return store(context, &self);
}

/* --- Either --------------------------------------------------------------- */
met_error met__billing_job_ask(met__job_context *context,
                               const met__billing_job *job, int *is_wanted)
{
    *is_wanted = 0;
    return job->is_invoice ? ask_invoice(context, job->name, is_wanted)
                           : ask_customer(context, job->name, is_wanted);
}

met_error met__billing_job_do(met__job_context *context,
                              const met__billing_job *job)
{
    return job->is_invoice ? do_invoice(context, job->name)
                           : do_customer(context, job->name);
}

/* --- Failures ------------------------------------------------------------- */
int met__billing_error_is_of_job(met_error error)
{
    switch (error) {
    case MET_E_CONFLICT:
    case MET_E_UNSUPPORTED:
    case MET_E_OVERFLOW:
    case MET_E_LIMIT:
    case MET_E_INVALID:
    case MET_E_NOT_FOUND:
    case MET_E_CORRUPT:
        return 1;
    default:
        return 0;
    }
}

void met__billing_job_failed(met__run_report *report, met__billing_job *job,
                             met_error error, const met_error_info *why)
{
    job->is_failed = 1;
    if (report->failed++ == 0) {
        snprintf(report->failed_name, sizeof report->failed_name, "%.*s",
                 (int)job->name.size, job->name.data);
        snprintf(report->failed_reason, sizeof report->failed_reason,
                 "%s%s%s", why->code == error ? why->field : "",
                 why->code == error ? ": " : "",
                 why->code == error ? why->reason : met_error_message(error));
    }
}

/* Invoices from front to back: what would be billed, issuing it at once, and
 * steps by name. In: a customer or an invoice, and an instant. Out: documents;
 * records of INVOICE and its indexes, and of BOOKED. */
#include "invoice/invoice.h"

#include "base/check.h"
#include "invoice/invoice_flow.h"
#include "store/object.h"

/* --- Preview -------------------------------------------------------------- */
static met_error find_customer(met__txn *txn,
                               const met__invoice_request *request,
                               met__arena *arena, met__customer **customer_out,
                               met__billing_profile **profile_out,
                               met_error_info *info)
{
    met_error error =
        met__customer_get(txn, request->customer_key, arena, customer_out);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "customer_key",
                         "there is no customer \"%.*s\"",
                         (int)request->customer_key.size,
                         request->customer_key.data);
    }
    return error == MET_OK
               ? met__billing_profile_get(txn, request->customer_key, arena,
                                          profile_out)
               : error;
}

/* id is empty for a preview. */
static met_error make_bill(met__txn *txn, const met__invoice_request *request,
                           met__text id, met__arena *arena, met__bill *bill,
                           met_error_info *info)
{
    met__customer *customer = NULL;
    met__billing_profile *profile = NULL;
    met_error error =
        find_customer(txn, request, arena, &customer, &profile, info);

    if (error == MET_OK) {
        error = met__bill_begin(txn, request, customer, profile, NULL, arena,
                                info, bill);
    }
    if (error != MET_OK) {
        return error;
    }
    bill->invoice_id = id;
    bill->has_usage = 1;
    if (request->is_interim && !profile->is_progressive) {
        return met__fail(info, MET_E_CONFLICT, "billing_profile",
                         "progressive_billing is off for this customer");
    }
    return met__bill_make(bill);
}

met_error met__invoice_preview(met__txn *txn,
                               const met__invoice_request *request,
                               met__arena *arena, met__node **node_out,
                               met_error_info *info)
{
    met__invoice *invoice = NULL;
    met__bill bill;
    met_error error = make_bill(txn, request, met__text_of(NULL, 0), arena,
                                &bill, info);

    if (error == MET_OK) {
        error = met__draft_of(&bill, &invoice);
    }
    if (error != MET_OK) {
        return error;
    }
    invoice->profile = NULL;
    return met__invoice_build(invoice, arena, node_out);
}

/* --- Issuing -------------------------------------------------------------- */
static met_error check_bill(const met__bill *bill, met_error_info *info)
{
    if (bill->lines->count == 0 && bill->give_back_count == 0) {
        return met__fail(info, MET_E_CONFLICT, "as_of_ns", "nothing is due");
    }
    if (met__decimal_is_negative(bill->totals.total)) {
        return met__fail(info, MET_E_UNSUPPORTED, "totals.total",
                         "would be negative: corrections wait until they are "
                         "less than what is due");
    }
    return MET_OK;
}

/* Only credit notes came of it: the last of them is the answer. */
static met_error show_note(const met__bill *bill, met__node **node_out)
{
    met__text id = bill->give_backs[bill->give_back_count - 1].note_id;
    met_error error = met__bill_book(bill, 0);

    if (error == MET_OK) {
        error = met__bill_give_back(bill);
    }
    return error == MET_OK ? met__invoice_document(bill->txn, id, bill->arena,
                                                   node_out)
                           : error;
}

static met_error issue_bill(const met__bill *bill, met__node **node_out)
{
    met__invoice_flow flow = {.txn = bill->txn,
                              .arena = bill->arena,
                              .info = bill->info,
                              .profile = bill->profile,
                              .now_ns = bill->request->now_ns};
    met_error error = met__draft_of(bill, &flow.invoice);

    if (error == MET_OK) {
        error = met__bill_book(bill, 0);
    }
    if (error == MET_OK) {
        error = met__bill_give_back(bill);
    }
    if (error == MET_OK) {
        error = met__flow_force(&flow);
    }
    MET__ASSERT(error != MET_OK || flow.invoice->state == MET__STATE_ISSUED);
    if (error == MET_OK) {
        error = met__flow_store(&flow);
    }
    if (error == MET_OK) {
        error = met__invoice_build(flow.invoice, bill->arena, node_out);
    }
    return error == MET_OK ? met__invoice_show(*node_out, bill->arena)
                           : error;
}

met_error met__invoice_finalize(met__txn *txn,
                                const met__invoice_request *request,
                                met__arena *arena, met__node **node_out,
                                met_error_info *info)
{
    met__node *node = NULL;
    met__text id;
    met__bill bill;

    if (request->as_of_ns > request->now_ns) {
        return met__fail(info, MET_E_INVALID, "as_of_ns",
                         "is later than now: its usage is not known yet");
    }
    MET__ASSERT(request->is_open_included == request->is_interim);
    met_error error = met__object_id(txn, request->now_ns, arena, &id);
    if (error == MET_OK) {
        error = make_bill(txn, request, id, arena, &bill, info);
    }
    if (error == MET_OK) {
        error = check_bill(&bill, info);
    }
    if (error == MET_OK) {
        error = bill.lines->count == 0 ? show_note(&bill, &node)
                                       : issue_bill(&bill, &node);
    }
    if (error == MET_OK) {
        *node_out = node;
    }
    return error;
}

/* --- Steps ---------------------------------------------------------------- */
met_error met__invoice_act(met__txn *txn, met__text name, met__text action,
                           int64_t now_ns, met__arena *arena,
                           met__node **node_out, met_error_info *info)
{
    met__invoice_flow flow = {
        .txn = txn, .arena = arena, .info = info, .now_ns = now_ns};
    uint32_t number = met__invoice_action_of(action);
    met__text id;
    met_error error;

    if (number == MET__ACTION_NONE || number == MET__ACTION_FAIL) {
        return met__fail(info, MET_E_INVALID, "action",
                         "there is no \"%.*s\": next, update, collect, retry, "
                         "approve, delete, void, authorized, paid, "
                         "payment_failed, action_required, overdue, "
                         "uncollectible",
                         (int)action.size, action.data);
    }
    error = met__invoice_find(txn, name, arena, &id);
    if (error == MET_OK) {
        error = met__flow_load(&flow, id);
    }
    if (error == MET_OK && flow.invoice->is_credit_note) {
        return met__fail(info, MET_E_CONFLICT, "action",
                         "a credit note is final");
    }
    if (error == MET_OK) {
        error = met__flow_act(&flow, number);
    }
    if (error == MET_OK) {
        error = met__flow_store(&flow);
    }
    if (error == MET_OK) {
        error = met__invoice_build(flow.invoice, arena, node_out);
    }
    return error == MET_OK ? met__invoice_show(*node_out, arena) : error;
}

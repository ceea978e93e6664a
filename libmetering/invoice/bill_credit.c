/* To which invoice a period that was billed too much is given back. In: what
 * is owed less, and what was booked. Out: the credit note of this bill that it
 * belongs to; none, when no invoice has that much left. */
#include "base/ulid.h"
#include "invoice/bill.h"
#include "invoice/credit_note.h"

/* What billed a period may be a credit note: it is the invoice behind it that
 * is given back. */
static met_error find_invoice(const met__bill *bill, met__text id,
                              met__invoice **invoice_out)
{
    met_error error =
        met__invoice_get(bill->txn, id, bill->arena, invoice_out);

    if (error == MET_OK && (*invoice_out)->is_credit_note) {
        error = met__invoice_get(bill->txn, (*invoice_out)->corrects_id,
                                 bill->arena, invoice_out);
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met__give_back *find_note(const met__bill *bill,
                                 const met__invoice *invoice)
{
    for (size_t i = 0; i < bill->give_back_count; i++) {
        if (met__text_equal(bill->give_backs[i].invoice->id, invoice->id)) {
            return &bill->give_backs[i];
        }
    }
    return NULL;
}

/* All notes to an invoice together are never more than it. */
static met_error has_left(const met__bill *bill, const met__line_draft *draft,
                          const met__invoice *invoice, int *has_out)
{
    const met__give_back *note = find_note(bill, invoice);
    met__totals totals = draft->rated->totals;
    met__tax_sums taxes = {0};
    met__node *tax = NULL;
    met_decimal left;
    met_error error = met__credit_left(bill->txn, invoice, bill->arena, &left);

    if (error == MET_OK && note != NULL) {
        taxes = note->taxes;
        error = met__decimal_add(left, note->totals.total, &left);
    }
    if (error == MET_OK) {
        error = met__bill_tax(bill, draft, &taxes, &totals, &tax);
    }
    if (error == MET_OK) {
        error = met__decimal_add(left, totals.total, &left);
    }
    *has_out = error == MET_OK && !met__decimal_is_negative(left);
    return error;
}

/* The latest one that has. */
static met_error find_left(const met__bill *bill, const met__line_draft *draft,
                           const met__invoice **invoice_out)
{
    const met__booked *booked = draft->booked;
    met__text last = {NULL, 0};
    met_error error = MET_OK;
    int has = 0;

    for (size_t i = booked->line_count; error == MET_OK && !has && i > 0;
         i--) {
        met__text id = booked->lines[i - 1].id;
        met__invoice *invoice = NULL;
        if (id.size < MET__ULID_SIZE) {
            return MET_E_CORRUPT;
        }
        id.size = MET__ULID_SIZE;
        if (met__text_equal(id, last)) {
            continue;
        }
        last = id;
        error = find_invoice(bill, id, &invoice);
        if (error == MET_OK) {
            error = has_left(bill, draft, invoice, &has);
        }
        *invoice_out = has ? invoice : NULL;
    }
    return error;
}

static met_error add_note(met__bill *bill, const met__invoice *invoice,
                          met__give_back **note_out)
{
    size_t count = bill->give_back_count;
    met__give_back *list =
        met__arena_allocate(bill->arena, (count + 1) * sizeof *list);

    if (list == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (count > 0) {
        memcpy(list, bill->give_backs, count * sizeof *list);
    }
    list[count] = (met__give_back){.invoice = invoice,
                                   .lines = met__node_array(bill->arena)};
    met__totals_clear(&list[count].totals);
    bill->give_backs = list;
    bill->give_back_count++;
    *note_out = &list[count];
    if (list[count].lines == NULL) {
        return MET_E_NO_MEMORY;
    }
    return bill->invoice_id.size == 0
               ? MET_OK
               : met__object_id(bill->txn, bill->request->now_ns, bill->arena,
                                &list[count].note_id);
}

met_error met__bill_find_note(met__bill *bill, const met__line_draft *draft,
                              met__give_back **note_out)
{
    const met__invoice *invoice = NULL;
    met_error error = find_left(bill, draft, &invoice);

    *note_out = NULL;
    if (error != MET_OK || invoice == NULL) {
        return error;
    }
    *note_out = find_note(bill, invoice);
    return *note_out != NULL ? MET_OK : add_note(bill, invoice, note_out);
}

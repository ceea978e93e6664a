/* One line of an invoice: the quantity of a period rated as a whole, less what
 * was booked for it. Late usage of a period that was billed so becomes a line
 * of the next invoice, or of a credit note; a flat fee that was booked is
 * final.
 * In: a period to bill. Out: a line in the bill, and its booking. */
#include "invoice/bill.h"

#include "base/check.h"
#include "base/ulid.h"
#include "invoice/line_tax.h"
#include "store/object.h"

static int is_flat(const met__billable *billable)
{
    return billable->price->type == MET__PRICE_FLAT;
}

static met_error find_currency(const met__bill *bill, met__line_draft *draft)
{
    met__text code = draft->billable->plan->currency;
    met_error error = met__currency_of(code, &draft->basis.currency);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(bill->info, MET_E_UNSUPPORTED, "currency",
                         "%.*s is not a currency of ISO 4217", (int)code.size,
                         code.data);
    }
    return error;
}

/* Asked for lines only: what was billed in another currency and has not
 * changed since is in nobody's way. */
static met_error take_currency(met__bill *bill, const met__line_draft *draft)
{
    met__text code = draft->basis.currency.code;

    if (!bill->has_currency) {
        bill->currency = draft->basis.currency;
        bill->has_currency = 1;
    } else if (!met__text_equal(bill->currency.code, code)) {
        return met__fail(bill->info, MET_E_UNSUPPORTED, "currency",
                         "one invoice in %.*s and %.*s is not served",
                         (int)bill->currency.code.size,
                         bill->currency.code.data, (int)code.size, code.data);
    }
    return MET_OK;
}

/* --- Basis ---------------------------------------------------------------- */
static void fill_basis(const met__bill *bill, met__line_draft *draft)
{
    const met__billable *billable = draft->billable;
    const met__subscription *subscription = billable->subscription;
    met__line_basis *basis = &draft->basis;
    int is_last = subscription->active_to_ns != 0
                  && billable->period.to_ns == subscription->active_to_ns;

    basis->name = billable->card->name;
    basis->price = billable->price;
    basis->discounts = billable->card->discounts;
    basis->unit_config = billable->card->unit_config;
    basis->policies = bill->profile->policies;
    basis->period = billable->period;
    basis->full = billable->full;
    basis->is_prorated = billable->plan->is_prorating
                         && !(bill->profile->is_full_at_end && is_last);
    basis->is_minimum_ignored = billable->is_open;
    basis->is_void = billable->is_void;
    basis->has_events = billable->price->has_fixed;
    if (draft->booked != NULL) {
        basis->is_booked = 1;
        basis->booked = draft->booked->lines;
        basis->booked_count = draft->booked->line_count;
    }
}

/* --- What is owed --------------------------------------------------------- */
met_error met__bill_tax(const met__bill *bill, const met__line_draft *draft,
                        met__tax_sums *sums, met__totals *totals,
                        met__node **node_out)
{
    static const met__path path = {NULL, "tax_config", 0};
    const met__tax_rules *rules = &bill->profile->tax;
    const met__node *node = draft->billable->card->tax_config;
    met__tax_config config = rules->fallback;
    met__tax_config own = {0};

    if (node != NULL) {
        if (met__tax_config_read(node, &path, &own, NULL) != MET_OK) {
            return MET_E_CORRUPT;
        }
        config = met__tax_config_merge(&config, &own);
    }
    if (rules->is_enabled && own.code.size > 0
        && met__tax_code_of(rules, &config) == NULL) {
        return met__fail(bill->info, MET_E_CONFLICT, "tax_code",
                         "\"%.*s\" of a rate card is not in the billing "
                         "profile",
                         (int)own.code.size, own.code.data);
    }
    return met__line_tax(rules, &config, &draft->basis.currency, sums, totals,
                         bill->arena, node_out);
}

static met_error collect_until(met__bill *bill, const met__billable *billable)
{
    met__collected_line line = {.invoice_at_ns = billable->invoice_at_ns,
                                .is_metered = !is_flat(billable)
                                              && !billable->is_open};
    int64_t at = 0;
    met_error error = met__collection_at(bill->profile, &line, 1, &at);

    if (error == MET_OK && at > bill->collection_at_ns) {
        bill->collection_at_ns = at;
    }
    return error;
}

/* Remembers what is to be booked; what was visited is the walk's own. */
static met_error keep(met__bill *bill, const met__line_draft *draft)
{
    met__subscription *subscription;
    met__billable *billable;
    met__line_draft *kept;

    if ((bill->draft_count & (bill->draft_count - 1)) == 0) {
        met__line_draft **more = met__arena_allocate(
            bill->arena,
            met__list_bytes(bill->draft_count + 1, sizeof *more));
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (bill->draft_count > 0) {
            memcpy(more, bill->drafts, bill->draft_count * sizeof *more);
        }
        bill->drafts = more;
    }
    kept = met__arena_allocate(bill->arena, sizeof *kept);
    billable = met__arena_allocate(bill->arena, sizeof *billable);
    subscription = met__arena_allocate(bill->arena, sizeof *subscription);
    if (kept == NULL || billable == NULL || subscription == NULL) {
        return MET_E_NO_MEMORY;
    }
    *subscription = *draft->billable->subscription;
    *billable = *draft->billable;
    billable->subscription = subscription;
    *kept = *draft;
    kept->billable = billable;
    bill->drafts[bill->draft_count++] = kept;
    return MET_OK;
}

/* The number of what was measured in this transaction. */
static met_error number_now(const met__bill *bill, uint64_t *number_out)
{
    int is_asked = bill->source_number == 0;

    *number_out = 0;
    for (size_t i = 0; i < bill->draft_count; i++) {
        is_asked |= bill->drafts[i]->number == 0;
    }
    return is_asked ? met__usage_moment(bill->txn, number_out) : MET_OK;
}

/* Everything of the bill is billed, and by the usage of this moment at least.
 * One as of an earlier instant than the last knows nothing of what is behind.
 */
static met_error note_billed(const met__bill *bill, uint64_t number)
{
    int64_t as_of_ns = bill->request->as_of_ns;
    int is_all = 1;
    met_error error = met__usage_watch(bill->txn, as_of_ns);

    for (size_t i = 0; error == MET_OK && i < bill->part_count; i++) {
        const met__bill_part *part = &bill->parts[i];
        met__billed_until until = {as_of_ns, number, part->terms};
        int is_good = !part->is_waiting && as_of_ns >= part->before.to_ns;
        is_all &= is_good;
        if (is_good && part->looked_at > 0) {
            error = met__billed_until_put(bill->txn, part->subscription_id,
                                          &until);
        }
    }
    return error == MET_OK && is_all && bill->mark_count > 0
               ? met__usage_marks_forget(bill->txn, bill->customer->subjects,
                                         bill->customer->subject_count,
                                         number)
               : error;
}

met_error met__bill_book(const met__bill *bill, int is_open)
{
    uint64_t now = 0;
    met_error error = number_now(bill, &now);

    MET__ASSERT(bill->invoice_id.size == MET__ULID_SIZE);
    for (size_t i = 0; error == MET_OK && i < bill->draft_count; i++) {
        const met__line_draft *draft = bill->drafts[i];
        met__booking booking = {.quantity = draft->basis.quantity,
                                .documents = draft->details,
                                .number = draft->number != 0
                                              ? draft->number
                                              : (int64_t)now};
        if (is_open && !draft->is_final) {
            booking.open_id = bill->invoice_id;
        }
        if (draft->billable->is_open) {
            booking.interim_to_ns = draft->usage_to_ns;
        }
        error = met__booked_add(bill->txn, draft->billable, draft->booked,
                                &booking, bill->arena);
    }
    return error == MET_OK && !is_open
               ? note_billed(bill, bill->source_number != 0
                                       ? (uint64_t)bill->source_number
                                       : now)
               : error;
}

static met_error add_line(met__bill *bill, met__line_draft *draft)
{
    uint32_t number = bill->lines->count + 1;
    met__totals totals = draft->rated->totals;
    met__node *node = NULL;
    met__node *tax = NULL;
    met_error error = met__bill_tax(bill, draft, &bill->taxes, &totals, &tax);

    if (error == MET_OK) {
        error = met__basis_details(draft->rated, &draft->basis.currency,
                                   bill->invoice_id, number, bill->arena,
                                   &draft->details);
    }
    if (error == MET_OK) {
        error = met__bill_show_usage(bill, draft);
    }
    if (error == MET_OK) {
        error = met__bill_line(bill, draft, &totals, tax, &node);
    }
    if (error == MET_OK) {
        error = met__node_append(bill->arena, bill->lines, node);
    }
    if (error == MET_OK) {
        error = met__totals_add(&bill->totals, &totals);
    }
    if (error == MET_OK) {
        error = keep(bill, draft);
    }
    if (error == MET_OK) {
        met__period_widen(&bill->service_period, draft->billable->period);
        error = collect_until(bill, draft->billable);
    }
    return error;
}

/* --- What is given back --------------------------------------------------- */
static int is_given_back(const met__bill *bill, const met__line_draft *draft)
{
    return bill->profile->late_usage == MET__LATE_CREDIT_NOTE
           && draft->booked != NULL && draft->booked->line_count > 0
           && draft->booked->interim_to_ns == 0
           && met__decimal_is_negative(draft->rated->totals.total);
}

static met_error give_back(met__bill *bill, met__line_draft *draft,
                           met__give_back *note)
{
    met__totals totals = draft->rated->totals;
    met__node *tax = NULL;
    met__node *node = NULL;
    met_error error = met__bill_tax(bill, draft, &note->taxes, &totals, &tax);

    if (error == MET_OK) {
        error = met__basis_details(draft->rated, &draft->basis.currency,
                                   note->note_id, note->lines->count + 1,
                                   bill->arena, &draft->details);
    }
    if (error == MET_OK) {
        error = met__bill_line(bill, draft, &totals, tax, &node);
    }
    if (error == MET_OK) {
        error = met__node_append(bill->arena, note->lines, node);
    }
    if (error == MET_OK) {
        error = met__totals_add(&note->totals, &totals);
    }
    if (error == MET_OK) {
        draft->is_final = 1;
        error = keep(bill, draft);
    }
    if (error == MET_OK) {
        met__period_widen(&note->service_period, draft->billable->period);
    }
    return error;
}

/* --- One period ----------------------------------------------------------- */
static met_error finish(met__bill *bill, met__line_draft *draft)
{
    met__give_back *note = NULL;
    met_error error = take_currency(bill, draft);

    if (error == MET_OK && bill->lines->count >= MET__INVOICE_LINES_MAX) {
        error = met__fail(bill->info, MET_E_LIMIT, "as_of_ns",
                          "would bill more than %d lines: bill up to an "
                          "earlier instant first",
                          MET__INVOICE_LINES_MAX);
    }
    if (error == MET_OK && is_given_back(bill, draft)) {
        error = met__bill_find_note(bill, draft, &note);
    }
    if (error != MET_OK) {
        return error;
    }
    return note != NULL ? give_back(bill, draft, note)
                        : add_line(bill, draft);
}

/* Nothing more is to be asked about it: a flat fee is billed once, what an open
 * draft has is that draft's, a period that was billed to its end is not open
 * (the preview is of an earlier instant), and what is void matters only when it
 * was billed. */
static int is_settled(const met__bill *bill, const met__line_draft *draft)
{
    const met__billable *billable = draft->billable;
    const met__booked *booked = draft->booked;

    if (booked == NULL) {
        return billable->is_void;
    }
    if (bill->is_dry && met__text_equal(booked->open_id, bill->invoice_id)) {
        return 0; /* the draft will take it back and read it again */
    }
    return is_flat(billable) || booked->open_id.size > 0
           || (billable->is_open
               && (booked->interim_to_ns == 0
                   || booked->interim_to_ns > bill->request->as_of_ns));
}

/* What thresholds and a plan's minimum are compared with. */
static met_error note_whole(met__bill *bill, const met__line_draft *draft)
{
    int is_open = draft->billable->is_open && !is_flat(draft->billable);
    met__rated *whole = NULL;
    met_error error;

    if (!is_open
        && met__decimal_is_zero(draft->billable->plan->minimum)) {
        return MET_OK; /* nobody asks */
    }
    error = met__basis_rate_whole(&draft->basis, bill->arena, &whole,
                                  bill->info);
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    error = met__bill_note(bill, draft, whole);
    if (error == MET_OK && is_open) {
        error = met__decimal_add(bill->open_total, whole->totals.total,
                                 &bill->open_total);
    }
    for (size_t i = 0;
         error == MET_OK && is_open && i < draft->basis.booked_count; i++) {
        error = met__decimal_add(bill->open_billed,
                                 draft->basis.booked[i].totals.total,
                                 &bill->open_billed);
    }
    return error;
}

/* Billed in parts is what sums up as it goes on. */
static int is_splittable(const met__billable *billable)
{
    switch (billable->price->type) {
    case MET__PRICE_UNIT:
    case MET__PRICE_PACKAGE:
    case MET__PRICE_GRADUATED:
    case MET__PRICE_DYNAMIC:
    case MET__PRICE_PERCENTAGE:
    case MET__PRICE_GRADUATED_PERCENTAGE:
    case MET__PRICE_MATRIX:
        return 1;
    default:
        return 0;
    }
}

/* Everything was billed before the period's end: no line, but from now on
 * what is new is a correction. */
static met_error end_interim(met__bill *bill, met__line_draft *draft)
{
    if (draft->booked == NULL || draft->booked->interim_to_ns == 0
        || draft->billable->is_open) {
        return MET_OK;
    }
    draft->details = met__node_array(bill->arena);
    draft->is_final = 1;
    return draft->details == NULL ? MET_E_NO_MEMORY : keep(bill, draft);
}

/* What was booked for it before. */
static met_error look_at(met__bill *bill, met__line_draft *draft)
{
    met__bill_part *part = &bill->parts[bill->part_count - 1];
    met_error error = met__booked_get(bill->txn, draft->billable, bill->arena,
                                      &draft->booked);

    part->looked_at++;
    draft->number = bill->source_number;
    if (error == MET_E_NOT_FOUND) {
        draft->booked = NULL;
        return MET_OK;
    }
    if (error == MET_OK) {
        part->is_waiting |= draft->booked->open_id.size > 0;
    }
    return error;
}

/* A period that has begun and costs nothing yet is on no interim invoice. */
static int is_nothing_yet(const met__bill *bill, const met__line_draft *draft)
{
    return bill->request->is_interim && draft->billable->is_open
           && draft->booked == NULL
           && met__decimal_is_zero(draft->basis.quantity)
           && met__decimal_is_zero(draft->rated->totals.total);
}

static met_error add_period(met__bill *bill, const met__billable *billable)
{
    met__line_draft draft = {.billable = billable};
    met_error error = look_at(bill, &draft);

    if (error != MET_OK) {
        return error;
    }
    if (is_settled(bill, &draft)
        || (billable->is_open && bill->request->is_interim
            && !is_splittable(billable))) {
        return met__bill_note(bill, &draft, NULL);
    }
    fill_basis(bill, &draft);
    draft.basis.quantity = billable->is_void ? met__decimal_zero()
                                             : met__decimal_from_i64(1);
    draft.basis.events = met__decimal_zero();
    error = find_currency(bill, &draft);
    if (error == MET_OK && !is_flat(billable) && !billable->is_void) {
        error = met__bill_measure(bill, &draft);
        if (error == MET_OK && draft.is_as_billed) {
            return met__bill_note(bill, &draft, NULL);
        }
        bill->measured++;
    }
    if (error == MET_OK && bill->is_dry) {
        bill->dry_count++;
        return MET_OK;
    }
    if (error == MET_OK) {
        error = note_whole(bill, &draft);
    }
    if (error == MET_OK) {
        error = met__basis_rate(&draft.basis, bill->arena, &draft.rated,
                                bill->info);
    }
    if (error == MET_E_NOT_FOUND) {
        return end_interim(bill, &draft);
    }
    return error == MET_OK && !is_nothing_yet(bill, &draft)
               ? finish(bill, &draft)
               : error;
}

/* What overflows says so itself where it is rated; sums do not. */
static met_error told(const met__bill *bill, const met__billable *billable,
                      met_error error)
{
    met__text key = billable->card->key;

    return error == MET_E_OVERFLOW
                   && (bill->info == NULL || bill->info->code != error)
               ? met__fail(bill->info, error, "totals",
                           "need more than 34 digits with \"%.*s\"",
                           (int)key.size, key.data)
               : error;
}

met_error met__bill_add(void *context, const met__billable *billable)
{
    met__bill *bill = context;

    return told(bill, billable, add_period(bill, billable));
}

static met_error add_gap(met__bill *bill, const met__billable *billable,
                         int is_none)
{
    met__line_draft draft = {.billable = billable};
    met_error error = look_at(bill, &draft);

    if (error != MET_OK || (draft.booked != NULL && is_settled(bill, &draft))) {
        return error;
    }
    if (bill->is_dry || (draft.booked == NULL && is_none)) {
        bill->dry_count += (draft.booked == NULL) != is_none;
        return MET_OK;
    }
    fill_basis(bill, &draft);
    draft.basis.quantity = met__decimal_zero();
    draft.basis.events = met__decimal_zero();
    error = find_currency(bill, &draft);
    if (error == MET_OK) {
        error = met__basis_rate(&draft.basis, bill->arena, &draft.rated,
                                bill->info);
    }
    if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    return error == MET_OK ? finish(bill, &draft) : error;
}

met_error met__bill_gap(met__bill *bill, const met__billable *billable,
                        int is_none)
{
    return told(bill, billable, add_gap(bill, billable, is_none));
}

/* A plan's minimum: what a billing period comes to at least, all its rate
 * cards together. In: what every period of the bill came to, also what was
 * billed before. Out: a line for the gap, or one that takes back what late
 * usage has filled.
 *
 * The line is one of a price that costs nothing but has this minimum, so that
 * rating it again and taking off what was booked is what it is for any other
 * line. */
#include "invoice/bill.h"

#include "base/check.h"
#include "store/object.h"

#define CARD_KEY MET__TEXT("$minimum") /* no rate card can have it */

/* --- Sums ----------------------------------------------------------------- */
static met__period_sum *sum_of(met__bill *bill, met__period billing)
{
    for (size_t i = 0; i < bill->sum_count; i++) {
        if (bill->sums[i].billing.from_ns == billing.from_ns) {
            return &bill->sums[i];
        }
    }
    if ((bill->sum_count & (bill->sum_count - 1)) == 0) {
        met__period_sum *more = met__arena_allocate(
            bill->arena, met__list_bytes(bill->sum_count + 1, sizeof *more));
        if (more == NULL) {
            return NULL;
        }
        if (bill->sum_count > 0) {
            memcpy(more, bill->sums, bill->sum_count * sizeof *more);
        }
        bill->sums = more;
    }
    met__period_sum *sum = &bill->sums[bill->sum_count++];
    *sum = (met__period_sum){billing, met__decimal_zero()};
    return sum;
}

met_error met__bill_note(met__bill *bill, const met__line_draft *draft,
                         const met__rated *whole)
{
    const met__booked *booked = draft->booked;
    met__period_sum *sum;
    met_error error = MET_OK;

    if (met__decimal_is_zero(draft->billable->plan->minimum)) {
        return MET_OK;
    }
    sum = sum_of(bill, draft->billable->billing);
    if (sum == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (whole != NULL) {
        return met__decimal_add(sum->total, whole->totals.total,
                                &sum->total);
    }
    for (size_t i = 0;
         error == MET_OK && booked != NULL && i < booked->line_count; i++) {
        error = met__decimal_add(sum->total, booked->lines[i].totals.total,
                                 &sum->total);
    }
    return error;
}

/* --- The line ------------------------------------------------------------- */
static met_error price_of(const met__bill *bill, met_decimal gap,
                          met__billable *billable, met__rate_card *card)
{
    static const met__path path = {NULL, "price", 0};
    met__builder builder;
    met__builder inner;
    met__node *node = NULL;
    met__price *price = NULL;
    const met__plan *plan = billable->plan;
    const char *name = met__arena_print(bill->arena, "%.*s",
                                        (int)plan->name.size, plan->name.data);

    met__builder_begin(&builder, bill->arena);
    met__build_text(&builder, "type", MET__TEXT("unit"));
    met__build_text(&builder, "amount", MET__TEXT("0"));
    met__builder_begin(&inner, bill->arena);
    met__build_decimal(&inner, "minimum", gap);
    met__build_object(&builder, "commitments", &inner);
    met_error error = met__builder_end(&builder, &node);
    if (error == MET_OK && name == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = met__price_read(node, &path, bill->arena, &price, bill->info);
    }
    *card = (met__rate_card){.key = CARD_KEY,
                             .name = met__text_z(name),
                             .price = node};
    billable->price = price;
    return error;
}

static met_error gap_of(const met__plan *plan, met_decimal total,
                        met_decimal *gap_out)
{
    met_error error = met__decimal_subtract(plan->minimum, total, gap_out);

    if (error == MET_OK && met__decimal_is_negative(*gap_out)) {
        *gap_out = met__decimal_zero();
    }
    return error;
}

static met_error fill_up(met__bill *bill,
                         const met__subscription *subscription,
                         const met__plan *plan, const met__period_sum *sum)
{
    met__rate_card *card = met__arena_allocate(bill->arena, sizeof *card);
    met__billable billable = {.subscription = subscription,
                              .plan = plan,
                              .card = card,
                              .period = sum->billing,
                              .full = sum->billing,
                              .billing = sum->billing,
                              .booked_from_ns = sum->billing.from_ns,
                              .invoice_at_ns = sum->billing.to_ns};
    int is_void = subscription->active_to_ns != 0
                  && sum->billing.from_ns >= subscription->active_to_ns;
    met_decimal gap = met__decimal_zero();
    met_error error =
        is_void ? MET_OK : gap_of(plan, sum->total, &gap);

    if (card == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = price_of(bill, gap, &billable, card);
    }
    return error == MET_OK
               ? met__bill_gap(bill, &billable, met__decimal_is_zero(gap))
               : error;
}

met_error met__bill_fill_up(met__bill *bill,
                            const met__subscription *subscription,
                            const met__plan *plan)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < bill->sum_count; i++) {
        if (bill->sums[i].billing.to_ns <= bill->request->as_of_ns) {
            error = fill_up(bill, subscription, plan, &bill->sums[i]);
        }
    }
    bill->sum_count = 0;
    bill->sums = NULL;
    return error;
}

/* A bill under way: the lines that one rating run adds up. Only for this room.
 */
#ifndef MET_INVOICE_BILL_H
#define MET_INVOICE_BILL_H

#include "customer/customer.h"
#include "invoice/bill_cache.h"
#include "invoice/billable.h"
#include "invoice/billed_until.h"
#include "invoice/billing_profile.h"
#include "invoice/booked.h"
#include "invoice/invoice.h"
#include "invoice/line_basis.h"
#include "invoice/usage_source.h"

#define MET__INVOICE_LINES_MAX 4096

/* What was owed for a period was billed, and is given back: lines of a credit
 * note to an invoice that billed it. */
typedef struct met__give_back {
    const struct met__invoice *invoice;
    met__node *lines; /* array of documents */
    met__totals totals;
    met__tax_sums taxes;
    met__period service_period;
    met__text note_id;
} met__give_back;

/* What a billing period of a subscription came to, for the plan's minimum:
 * net of everything but taxes. */
typedef struct met__period_sum {
    met__period billing;
    met_decimal total;
} met__period_sum;

/* A subscription of the bill, and what was known of it before. */
typedef struct met__bill_part {
    met__text subscription_id;
    met__billed_until before;
    uint64_t terms;
    size_t looked_at; /* periods */
    int is_waiting;   /* one of them is on a draft, which may change */
    int reserved;
} met__bill_part;

typedef struct met__bill {
    met__txn *txn;
    const met__invoice_request *request;
    const met__customer *customer;
    const met__billing_profile *profile;
    const met__usage_source *source; /* NULL: the store is asked */
    met__usage_now *now;             /* NULL: none */
    met__bill_cache *cache;          /* NULL: none */
    met__arena *arena;
    met_error_info *info;
    met__text invoice_id; /* empty: a preview, nothing is booked */
    int has_usage; /* the first lines show the usage behind them */
    int reserved_too;
    int has_currency;
    int is_dry; /* only asks for quantities; lines are counted, not made */
    size_t dry_count;
    size_t measured; /* periods whose usage was asked for */
    int64_t source_number; /* of the moment that the source knows */
    size_t mark_count; /* usage that has changed late */
    met__usage_mark *marks;
    size_t part_count;
    met__bill_part *parts; /* the last one is under way */
    met__currency currency;
    met__node *lines; /* array of documents */
    met__totals totals;
    met__period service_period; /* from the first to the last line's */
    int64_t collection_at_ns; /* when the usage of all lines is final; 0: now */
    met__tax_sums taxes;
    /* Of periods that go on: what they come to so far, and what of it was
     * billed. */
    met_decimal open_total;
    met_decimal open_billed;
    size_t give_back_count;
    met__give_back *give_backs;
    size_t sum_count;
    met__period_sum *sums;
    size_t draft_count; /* lines that are to be booked */
    struct met__line_draft **drafts;
} met__bill;

/* One line while it is made. */
typedef struct met__line_draft {
    const met__billable *billable;
    met__booked *booked; /* NULL: the first time */
    const met__feature *feature;
    int64_t usage_to_ns; /* where its usage ends */
    met__line_basis basis;
    met__rated *rated; /* what is billed now */
    met__node *usage;  /* to look at, or NULL */
    met__node *details;
    int64_t number; /* of the moment of its quantity; 0: now */
    int is_final; /* no draft of an invoice takes it back */
    int is_as_billed; /* the meter that was billed by knows nothing of it now */
} met__line_draft;

/* A visitor of met__billables_each; context: the bill. Rates the period, takes
 * away what was booked, and adds a line for the rest. Nothing is written. */
met_error met__bill_add(void *context, const met__billable *billable);
/* Books the lines. is_open: they are a draft's, and may still change; else
 * what was looked at is billed, and the next bill passes over it. */
met_error met__bill_book(const met__bill *bill, int is_open);

/* A plan's minimum: bill_minimum.c. What a period came to: whole as it is
 * rated now, NULL: what was booked. */
met_error met__bill_note(met__bill *bill, const met__line_draft *draft,
                         const met__rated *whole);
/* When all periods of a subscription are in the bill: the gaps of those that
 * are over. */
met_error met__bill_fill_up(met__bill *bill,
                            const met__subscription *subscription,
                            const met__plan *plan);
/* The line of one gap; is_none: there is none, and maybe was one. */
met_error met__bill_gap(met__bill *bill, const met__billable *billable,
                        int is_none);

/* What is owed less than was booked: the note that gives it back, NULL: no
 * invoice that billed it has that much left. bill_credit.c. */
met_error met__bill_find_note(met__bill *bill, const met__line_draft *draft,
                              met__give_back **note_out);
/* What the rate card says, over what holds for all. */
met_error met__bill_tax(const met__bill *bill, const met__line_draft *draft,
                        met__tax_sums *sums, met__totals *totals,
                        met__node **node_out);

/* The quantities of a line: bill_measure.c. */
met_error met__bill_measure(const met__bill *bill, met__line_draft *draft);
/* The usage to look at, of a line that will be there. */
met_error met__bill_show_usage(const met__bill *bill, met__line_draft *draft);
/* Its document: bill_line.c. totals has the taxes in it. */
met_error met__bill_line(const met__bill *bill, const met__line_draft *draft,
                         const met__totals *totals, const met__node *tax,
                         met__node **node_out);
void met__period_widen(met__period *whole, met__period part);

#endif

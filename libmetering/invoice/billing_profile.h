/* How a customer is billed: when usage is collected, how long a draft stays
 * one, what happens to late usage, taxes, numbers.
 *
 * Document, every member optional:
 *   {"supplier": {"name", "tax_id"?, "address"?},
 *    "workflow": {
 *      "collection": {"alignment": "subscription"|"anchored", "interval",
 *                     "anchored"?: {"anchor", "interval"}},
 *      "invoicing": {"auto_advance", "draft_period", "due_after",
 *                    "progressive_billing",
 *                    "subscription_end_proration_mode":
 *                    "bill_actual_period"|"bill_full_period"}},
 *    "late_usage": "next_invoice"|"draft_refresh"|"credit_note",
 *    "usage_thresholds": [AMOUNT, …], "rating": {…} (met__policies_read),
 *    "tax": {"enabled"?, "rounding": "line"|"invoice", "default"?: {…},
 *            "codes": [{"key", "name"?, "rate"}]},
 *    "numbering": {"series", "credit_note_series", "customer_prefix"}}
 *
 * A customer's own document is laid over the default one, member by member.
 * Records: BILLING["profile"], BILLING["profile" 0 customer key]. */
#ifndef MET_INVOICE_BILLING_PROFILE_H
#define MET_INVOICE_BILLING_PROFILE_H

#include "base/calendar.h"
#include "invoice/tax.h"
#include "rating/rating.h"
#include "store/store.h"

#define MET__THRESHOLDS_MAX 16
#define MET__SERIES_SIZE_MAX 16

enum {
    MET__LATE_NEXT_INVOICE = 0, /* a line of the next invoice */
    MET__LATE_DRAFT_REFRESH, /* a draft takes it up to the last moment */
    MET__LATE_CREDIT_NOTE    /* what is given back is so at once */
};

typedef struct met__billing_profile {
    const met__node *document; /* NULL: nothing was ever said */
    int is_anchored; /* collected at points of `anchored` only */
    int is_auto;
    met__recurrence anchored;
    met__duration interval;
    met__duration draft_period;
    met__duration due_after;
    int is_progressive;
    int is_full_at_end;
    uint32_t late_usage; /* MET__LATE_* */
    int has_customer_prefix;
    met__text series;
    met__text credit_series;
    size_t threshold_count;
    met_decimal thresholds[MET__THRESHOLDS_MAX]; /* ascending */
    met__rate_policies policies;
    met__tax_rules tax;
} met__billing_profile;

/* The defaults, with what the document says. MET_E_INVALID */
met_error met__billing_profile_read(const met__node *node,
                                    const met__path *path, met__arena *arena,
                                    met__billing_profile **profile_out,
                                    met_error_info *info);

/* customer_key is empty for the default. A customer's own is checked as it
 * will be: over the default, and a default under all of these. node NULL
 * removes. MET_E_NOT_FOUND (removing) */
met_error met__billing_profile_put(met__txn *txn, met__text customer_key,
                                   const met__node *node, met__arena *arena,
                                   met_error_info *info);
/* The same in two steps, for who stores several and checks them then, so that
 * their order does not matter. */
met_error met__billing_profile_store(met__txn *txn, met__text customer_key,
                                     const met__node *node, met__arena *arena,
                                     met_error_info *info);
met_error met__billing_profile_check(met__txn *txn, met__text customer_key,
                                     met__arena *arena, met_error_info *info);
/* What holds for a customer, or by default. */
met_error met__billing_profile_get(met__txn *txn, met__text customer_key,
                                   met__arena *arena,
                                   met__billing_profile **profile_out);
/* The same, every default written out. */
met_error met__billing_profile_document(const met__billing_profile *profile,
                                        met__arena *arena,
                                        met__node **node_out);

/* --- When ----------------------------------------------------------------- */
/* A line whose usage is collected. */
typedef struct met__collected_line {
    int64_t invoice_at_ns;
    int64_t override_ns; /* 0: none */
    int is_metered;
    int is_deleted;
} met__collected_line;
/* When the next invoice is due to be gathered; 0: no line. MET_E_OVERFLOW */
met_error met__gathering_at(const met__billing_profile *profile,
                            const met__collected_line *lines, size_t count,
                            int64_t *at_ns_out);
/* When the usage of an invoice is final; 0: nothing to wait for. */
met_error met__collection_at(const met__billing_profile *profile,
                             const met__collected_line *lines, size_t count,
                             int64_t *at_ns_out);

#endif

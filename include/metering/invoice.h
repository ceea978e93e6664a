/* Invoices and credit notes: settled usage and flat fees of a customer, rated,
 * numbered, issued. The document:
 *
 *   {"id"?, "number"?, "type": "standard"|"credit_note", "status",
 *    "extended_status", "invoice"?: {"id", "number"} (of a credit note),
 *    "reason"?, "currency"?, "customer": {"id", "key", "name"},
 *    "is_interim"?, "service_period"?: {"from", "to"}, "as_of",
 *    "created_at", "collection_at"?, "quantity_snapshotted_at",
 *    "draft_until"?, "issued_at"?, "due_at"?, "paid_at"|"voided_at"|
 *    "deleted_at"?, "billing_profile"? (as it was; metering/billing.h),
 *    "lines": [{"key", "name", "feature_key"?, "subscription_id",
 *      "plan": {"key", "name", "version"}, "period": {"from", "to"},
 *      "full_period"?, "is_billed_in_full"?, "applied_at"?, "is_open"?,
 *      "usage_to"?, "is_correction"?, "quantity", "quantity_billed_before"?,
 *      "quantity_total"?, "price", "discounts"?, "unit_config"?, "tax"?:
 *      {"code", "name"?, "behavior", "rate"}, "basis"? (what else it was
 *      rated from), "usage"?: {"by_day": {"from", "quantities": [...]},
 *      "by_dimension"?: [{"dimension", "values": [{"value", "quantity"}],
 *      "others"?: {"values", "quantity"}}], "as_of"?} (to look at),
 *      "detailed_lines": [...], "totals"}],
 *    "totals", "available_actions": [...]}
 *
 * Amounts and quantities are decimal texts. Nothing is rounded at the level of
 * the invoice: it is the sum of its lines. Free rate cards give no line. A
 * credit note's amounts are below zero, so that documents add up to what is
 * owed; its lines have "invoice_line", the number of the line they give back.
 *
 * The life of an invoice: draft, issuing, issued, payment_processing, overdue,
 * paid, uncollectible, voided, deleted. "extended_status" says it in detail,
 * "draft.waiting_for_collection"; docs/billing.md has the table of steps. */
#ifndef METERING_INVOICE_H
#define METERING_INVOICE_H

#include "metering/types.h"

MET_BEGIN_DECLS

/* For met_invoice_preview: also the periods that are still running, with their
 * usage up to the end of the minute of as_of_ns and without the minimum that
 * may still be reached; their lines say "is_open". */
#define MET_INVOICE_OPEN_PERIOD UINT64_C(1)

/* For met_invoice_render. */
enum {
    MET_INVOICE_TEXT = 1, /* plain text, 80 columns, for people */
    MET_INVOICE_HTML = 2, /* one page for a customer, for screen and paper */
    MET_INVOICE_CSV = 3,  /* RFC 4180: a header, and a row for every line */
    MET_INVOICE_JSON = 4  /* the document, indented */
};

/**
 * What would be billed now. Stores nothing.
 *
 * Due are periods whose billing period has ended at as_of_ns, flat fees in
 * advance whose billing period has begun, and corrections: usage that came in
 * after its period was billed, as a line of its own with "is_correction"; so is
 * what was billed for periods after a subscription's end, when it was ended in
 * the past. A flat fee that was billed is final. Flat fees of a period cut
 * short by a subscription's or a phase's bounds are prorated to the second,
 * usage prices never.
 *
 * @param store         open store; settle first: only settled usage counts
 * @param customer_key  not necessarily NUL-terminated
 * @param as_of_ns      nanoseconds UTC; 0 = now
 * @param flags         0 or MET_INVOICE_OPEN_PERIOD
 * @param json_out      the draft; without anything due its lines are empty.
 *                      Written only on MET_OK
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer) ·
 *         MET_E_UNSUPPORTED (a price or an aggregation that is not served;
 *         lines in two currencies: bill up to an earlier instant first) ·
 *         MET_E_CONFLICT (the meter of a billed feature is gone) ·
 *         MET_E_LIMIT (more than 4096 lines: likewise) · MET_E_OVERFLOW ·
 *         MET_E_NO_MEMORY · MET_E_IO · MET_E_MAP_FULL · MET_E_BUSY ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: all usage of the periods to bill
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_preview(
    met_store *store, const char *customer_key, size_t customer_key_size,
    int64_t as_of_ns, uint64_t flags, met_buffer *json_out,
    met_error_info *info);

/**
 * Bill what is due and issue at once: nobody is asked to approve, and the
 * collection interval is not waited for. The invoice gets the next number of
 * its series ("INV-0001", without gaps, whatever fails or dies). Whoever bills
 * many customers lets a run do it: metering/billing.h.
 *
 * One transaction: either the invoice is there with its number and what it
 * bills will not be billed again, or nothing has changed. An invoice whose
 * total would be below zero is not issued; what it would give back stays due
 * and is set off against the next one, or, where the billing profile's
 * late_usage is credit_note, is a credit note at once. When nothing but credit
 * notes comes of it, the answer is the last of them.
 *
 * @param store         open store; settle first: only settled usage counts
 * @param customer_key  not necessarily NUL-terminated
 * @param as_of_ns      nanoseconds UTC, not later than now; 0 = now
 * @param json_out      the invoice; NULL when not wanted
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer) ·
 *         MET_E_CONFLICT (nothing is due; the meter of a billed feature is
 *         gone) · MET_E_UNSUPPORTED (as met_invoice_preview; a negative
 *         total) · MET_E_OVERFLOW · MET_E_LIMIT (more than 4096 lines, or 16
 *         MiB) · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_finalize(
    met_store *store, const char *customer_key, size_t customer_key_size,
    int64_t as_of_ns, met_buffer *json_out, met_error_info *info);

/**
 * Issue an interim invoice: what is due, and the periods that are still
 * running, up to the last whole minute and without their minimum. What it
 * bills is taken off when the period ends. Only prices that sum up as usage
 * goes on are billed in parts: unit, package, graduated, dynamic, percentage,
 * matrix. A run does it by itself at the billing profile's usage_thresholds.
 *
 * @param store         open store; settle first: only settled usage counts
 * @param customer_key  not necessarily NUL-terminated
 * @param as_of_ns      nanoseconds UTC, not later than now; 0 = now
 * @param json_out      the invoice; NULL when not wanted
 * @param info          NULL, or where to put field path and reason
 * @return as met_invoice_finalize; MET_E_CONFLICT also when the billing profile
 *         has no progressive_billing: MET_OK · MET_E_INVALID ·
 *         MET_E_NOT_FOUND · MET_E_UNSUPPORTED · MET_E_OVERFLOW · MET_E_LIMIT ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_interim(
    met_store *store, const char *customer_key, size_t customer_key_size,
    int64_t as_of_ns, met_buffer *json_out, met_error_info *info);

/**
 * One step of an invoice's life, and what follows by itself.
 *
 * "approve" issues a draft, "collect" ends the wait for late usage, "update"
 * reads the quantities of a draft again, "delete" gives a draft up (what it
 * billed is billed by the next one), "void" cancels an issued invoice (what it
 * billed is not billed again), "authorized", "paid", "payment_failed",
 * "action_required", "overdue", "uncollectible" and "retry" say how the
 * payment goes, "next" goes on where nobody else does.
 *
 * @param store        open store
 * @param id           the invoice's id or number, not necessarily
 *                     NUL-terminated
 * @param action       one of the document's "available_actions"
 * @param action_size  bytes
 * @param json_out     the invoice as it is then; NULL when not wanted
 * @param info         NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (the action
 *         does not lead on from this state, or has to wait) ·
 *         MET_E_UNSUPPORTED · MET_E_OVERFLOW · MET_E_LIMIT · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_act(
    met_store *store, const char *id, size_t id_size, const char *action,
    size_t action_size, met_buffer *json_out, met_error_info *info);

/**
 * Give back an issued invoice, or a part of it, by a credit note: a document
 * with a number of its own gapless series ("CN-0001"). The invoice stays as it
 * is, and what it billed is not billed again.
 *
 * @param store      open store
 * @param id         the invoice's id or number, not necessarily NUL-terminated
 * @param json       {"reason", "amount"?} or {"reason", "lines": [{"line",
 *                   "amount"?}]} with lines counted from 1; without an amount
 *                   all that is left. Amounts are what the customer gets back,
 *                   taxes included. An amount of the whole invoice goes to its
 *                   lines by what is left of them
 * @param json_size  bytes; no NUL needed
 * @param json_out   the credit note; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (also more than is left) · MET_E_NOT_FOUND ·
 *         MET_E_CONFLICT (a draft, a void invoice, a credit note; nothing is
 *         left) · MET_E_LIMIT · MET_E_OVERFLOW · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_credit(
    met_store *store, const char *id, size_t id_size, const char *json,
    size_t json_size, met_buffer *json_out, met_error_info *info);

/* For met_invoice_recompute. */
#define MET_INVOICE_USAGE UINT64_C(1)

/**
 * Make an invoice again from what it stores: the quantities, the prices, the
 * policies of its day. Nothing is stored.
 *
 * @param store     open store
 * @param id        its id or number, not necessarily NUL-terminated
 * @param flags     0: {"id", "number", "is_identical", "invoice"}, where
 *                  is_identical is false only when something is damaged, or
 *                  was made by another version that computes otherwise.
 *                  MET_INVOICE_USAGE: what the usage that is settled now would
 *                  make of its metered lines: {"id", "number", "is_changed",
 *                  "total", "total_now", "lines": [{"line", "key",
 *                  "quantity", "quantity_now", "total", "total_now"}]}
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_UNSUPPORTED (an
 *         unknown flag; a credit note given by hand; corrections issued by a
 *         version that did not store what they correct; with usage: a removed
 *         customer) ·
 *         MET_E_OVERFLOW · MET_E_NO_MEMORY · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store; with usage: all of the invoice's periods
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_recompute(
    met_store *store, const char *id, size_t id_size, uint64_t flags,
    met_buffer *json_out, met_error_info *info);

/**
 * One invoice or credit note, as it was issued.
 *
 * @param store     open store
 * @param id        its id or its number, not necessarily NUL-terminated
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_IO · MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_get(met_store *store,
                                                const char *id, size_t id_size,
                                                met_buffer *json_out,
                                                met_error_info *info);

/**
 * One invoice as met_invoice_get gives it, and every metered line (the first
 * 256) has "usage" to look at: by day of UTC, and by the ten greatest values of
 * up to four dimensions of its meter. What met_invoice_finalize and
 * met_invoice_preview made has it as it was then; a line that a billing run
 * made gets what is known of its period now, with "as_of". A line whose
 * customer or meter is gone, or whose usage was folded across its bounds, has
 * none.
 *
 * @param store     open store
 * @param id        its id or its number, not necessarily NUL-terminated
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_IO · MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: usage of every line's period
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_usage(met_store *store,
                                                  const char *id,
                                                  size_t id_size,
                                                  met_buffer *json_out,
                                                  met_error_info *info);

/**
 * Invoices and credit notes, by number: {"items": [...]}.
 *
 * @param store              open store
 * @param customer_key       of one customer, also a removed one; NULL: of all
 * @param customer_key_size  0 when customer_key is NULL
 * @param json_out           written only on MET_OK
 * @param info               NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: every invoice asked for
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_list(met_store *store,
                                                 const char *customer_key,
                                                 size_t customer_key_size,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * An invoice for people. Needs no store; the same document always gives the
 * same bytes.
 *
 * The page (HTML) stands alone: it loads nothing, runs nothing, prints on A4
 * and Letter, and every text in it is only text. It says how each price
 * applied, and shows the usage of lines that have "usage". In CSV a text that a
 * spreadsheet would take for a formula has an apostrophe in front.
 *
 * @param json       a document of these calls, issued or draft; what it lacks
 *                   is left out
 * @param json_size  bytes; no NUL needed
 * @param format     MET_INVOICE_TEXT, MET_INVOICE_HTML, MET_INVOICE_CSV or
 *                   MET_INVOICE_JSON
 * @param text_out   UTF-8; of MET_INVOICE_TEXT lines of at most 80 characters.
 *                   Written only on MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, or no invoice) ·
 *         MET_E_UNSUPPORTED (format) · MET_E_LIMIT (size) · MET_E_NO_MEMORY
 * @owner  caller keeps json; text_out with met_buffer_release
 * @blocks never      @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_invoice_render(const char *json,
                                                   size_t json_size,
                                                   uint32_t format,
                                                   met_buffer *text_out,
                                                   met_error_info *info);

MET_END_DECLS

#endif

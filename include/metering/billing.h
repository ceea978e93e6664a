/* Billing many customers: how each is billed, and runs that do it.
 *
 * A run makes drafts of what is due, collects late usage, issues what nobody
 * has to approve, and says what was not paid in time. It is made of steps, so
 * that the host decides when and in which threads. A run that was killed is
 * opened again and makes the same invoices; any number of runs may go on at
 * once, in as many processes: nothing is billed twice. */
#ifndef METERING_BILLING_H
#define METERING_BILLING_H

#include "metering/types.h"

MET_BEGIN_DECLS

/* --- Profiles ------------------------------------------------------------- */
/**
 * Say how customers are billed, or how one customer is.
 *
 * Every member is optional; a customer's document is laid over the default
 * one, member by member. Drafts and invoices keep the profile that they were
 * made with.
 *
 *   {"supplier": {"name", "tax_id"?, "address"?},
 *    "workflow": {
 *      "collection": {"alignment": "subscription" | "anchored",
 *                     "anchored"?: {"anchor", "interval"},
 *                     "interval": "PT1H" (how long late usage is waited for)},
 *      "invoicing": {"auto_advance": true, "draft_period": "P0D",
 *                    "due_after": "P30D", "progressive_billing": true,
 *                    "subscription_end_proration_mode":
 *                    "bill_actual_period" | "bill_full_period"}},
 *    "late_usage": "next_invoice" | "draft_refresh" | "credit_note",
 *    "usage_thresholds": ["100", …] (amounts that make an interim invoice),
 *    "rating": {…} (as of met_price_create's policies),
 *    "tax": {"enabled": true, "rounding": "line" | "invoice",
 *            "codes": [{"key", "name"?, "rate" (percent)}],
 *            "default": {"tax_code": {"key"}, "behavior": "exclusive" |
 *                        "inclusive", "stripe"?: {"code"}}},
 *    "numbering": {"series": "INV", "credit_note_series": "CN",
 *                  "customer_prefix": false}}
 *
 * @param store              open store
 * @param customer_key       NULL: the default
 * @param customer_key_size  0 when customer_key is NULL
 * @param json               the document
 * @param json_size          bytes; no NUL needed
 * @param json_out           what holds now, all defaults written out; NULL
 *                           when not wanted
 * @param info               NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer) ·
 *         MET_E_CONFLICT (a default that a customer's own cannot be laid
 *         over) · MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_billing_profile_put(
    met_store *store, const char *customer_key, size_t customer_key_size,
    const char *json, size_t json_size, met_buffer *json_out,
    met_error_info *info);

/**
 * How a customer is billed, all defaults written out.
 *
 * @param store              open store
 * @param customer_key       NULL: the default
 * @param customer_key_size  0 when customer_key is NULL
 * @param json_out           written only on MET_OK
 * @param info               NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_billing_profile_get(
    met_store *store, const char *customer_key, size_t customer_key_size,
    met_buffer *json_out, met_error_info *info);

/**
 * Forget what was said of a customer, or of all: the default holds again.
 *
 * @param store              open store
 * @param customer_key       NULL: the default
 * @param customer_key_size  0 when customer_key is NULL
 * @param info               NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (nothing was said) ·
 *         MET_E_CONFLICT (a default that a customer's own needs) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_billing_profile_remove(
    met_store *store, const char *customer_key, size_t customer_key_size,
    met_error_info *info);

/* --- Runs ----------------------------------------------------------------- */
typedef struct met_billing_run met_billing_run;

enum {
    MET_BILLING_INVOICES = 1, /* drafts and invoices whose next step is due */
    MET_BILLING_CUSTOMERS = 2,
    MET_BILLING_DONE = 3
};

#define MET_BILLING_TEXT_SIZE 512

typedef struct met_billing_report {
    size_t struct_size;
    int64_t as_of_ns;      /* of the run; another one's that goes on first */
    uint64_t stage;        /* MET_BILLING_* */
    uint64_t customers;    /* looked at */
    uint64_t usage;        /* records of usage read */
    uint64_t drafts;       /* made */
    uint64_t interim;      /* of these, of periods that go on */
    uint64_t collected;    /* drafts whose quantities were read again */
    uint64_t issued;
    uint64_t credit_notes;
    uint64_t deleted;      /* drafts that turned out to bill nothing */
    uint64_t overdue;
    uint64_t waiting;      /* customers who would get something back: it is
                              set off against the next invoice */
    uint64_t failed;       /* customers and invoices left as they were */
    char failed_name[MET_BILLING_TEXT_SIZE];   /* the first of them, */
    char failed_reason[MET_BILLING_TEXT_SIZE]; /* and why */
    uint64_t measured; /* periods whose usage was read: what fell due since, and
                          what was billed and has changed */
} met_billing_report;

/**
 * Begin a run, or go on with one that did not come to its end.
 *
 * @param store     open store; settle first: only settled usage counts
 * @param as_of_ns  what was due then is billed; also the time of all that is
 *                  made. Nanoseconds UTC, not later than now; 0 = now. A run
 *                  that did not come to its end goes on as of its own instant,
 *                  which the report says; run again then
 * @param run_out   written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  run_out with met_billing_run_close, before the store
 * @blocks reads the store briefly
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_billing_run_open(
    met_store *store, int64_t as_of_ns, met_billing_run **run_out,
    met_error_info *info);

/**
 * Do a part of a run: look at some 2,000 customers, read some 200,000 records
 * of usage, make the bills of some 250 customers, or write them in one
 * transaction.
 *
 * Several threads may step one run at the same time: while one writes, others
 * make bills, look at the next customers or read their usage. A step that finds
 * nothing to do waits until a step of another thread has ended. With any number
 * of threads the same invoices are made.
 *
 * A customer that cannot be billed is left as it was and counted; the others
 * go on. An error is told to the thread whose step failed, and to nobody else;
 * any thread may try again, or all stop and one closes the run.
 *
 * @param run         open run
 * @param report_out  how far the run is: what all threads did since it was
 *                    opened. MET_BILLING_DONE: to the end. Written only on
 *                    MET_OK
 * @param info        NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_BUSY · MET_E_LIMIT ·
 *         MET_E_OVERFLOW · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer, for the disk, and for another
 *         thread's step when that has all there is to do; a tenth of a second
 *         is usual
 * @thread any, also at the same time      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_billing_run_step(
    met_billing_run *run, met_billing_report *report_out,
    met_error_info *info);

/**
 * Give a run up, or end it.
 *
 * @param run  may be NULL; no thread is in a step of it. What it has billed
 *             stays billed
 * @blocks never      @thread one, when the last step has returned
 * @fork in a forked child it frees memory, unless a thread was in a step when
 *       the process forked: then leave it      @since 0.1
 */
MET_API void met_billing_run_close(met_billing_run *run);

MET_END_DECLS

#endif

/* Jobs of a group that are written in one transaction. They are made first, by
 * any thread and from one moment of the store: rated, with documents, records
 * and keys, all but their numbers. Who writes them looks whether what they were
 * made from still holds, and makes again what does not. Only for this room. */
#ifndef MET_INVOICE_BILLING_BATCH_H
#define MET_INVOICE_BILLING_BATCH_H

#include "invoice/billing_job.h"
#include "invoice/usage_gather.h"
#include "store/write_log.h"

#define MET__BATCH_JOBS 256 /* others wait for the writer meanwhile */

enum {
    MET__BATCH_FREE = 0,
    MET__BATCH_WANTED, /* to be made */
    MET__BATCH_HELD,   /* some thread makes or writes it */
    MET__BATCH_MADE
};

/* What a job that is made will have done. */
typedef struct met__made_job {
    size_t from; /* in the log; to the same: it is not made */
    size_t to;
    uint8_t drafts;
    uint8_t interim;
    uint8_t issued;
    uint8_t credit_notes;
    uint8_t deleted;
    uint8_t waiting;
    uint8_t reserved[2];
} met__made_job;

typedef struct met__billing_batch {
    uint32_t state; /* MET__BATCH_* */
    int is_asking; /* some job asked the store for usage; the next may, too */
    size_t first;
    size_t end;
    uint64_t catalog_number; /* of the moment that it is made from */
    met__write_log log;
    met__made_job made[MET__BATCH_JOBS];
} met__billing_batch;

/* What all batches of a group have in common. */
typedef struct met__batch_scope {
    met_store *store;
    const met__usage_gather *gather;
    met__billing_job *jobs;
    int64_t number; /* of the moment that the gathering knows */
    int64_t as_of_ns;
    uint64_t order; /* of the first job's id */
    int has_place; /* how far the run is, is stored */
    int reserved;
} met__batch_scope;

/* Nothing is written. What cannot be made is left to writing. */
met_error met__billing_batch_make(const met__batch_scope *scope,
                                  met__billing_batch *batch);
/* All its jobs that do not fail. */
met_error met__billing_batch_write(const met__batch_scope *scope,
                                   met__billing_batch *batch,
                                   met__run_report *report,
                                   met_error_info *info);

#endif

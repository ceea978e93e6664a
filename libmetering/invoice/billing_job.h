/* What a billing run does for one customer, or for one invoice. Only for this
 * room. */
#ifndef MET_INVOICE_BILLING_JOB_H
#define MET_INVOICE_BILLING_JOB_H

#include "invoice/bill_cache.h"
#include "invoice/billing_run.h"
#include "invoice/usage_source.h"

typedef struct met__billing_job {
    met__text name; /* customer's key or invoice's id */
    uint32_t turn;   /* its wishes; 0: none */
    uint16_t is_invoice;
    uint16_t is_failed; /* it stays as it is */
} met__billing_job;

typedef struct met__job_context {
    met__txn *txn;
    met__arena *arena;
    met_error_info *info;
    met__usage_source source;
    int64_t source_number;
    met__usage_now now;
    met__bill_cache *cache; /* of this transaction */
    int64_t as_of_ns;
    uint64_t order; /* of the next id */
    met__run_report *report;
} met__job_context;

/* What it will ask for; *is_wanted: there is something to do. Nothing is
 * written. */
met_error met__billing_job_ask(met__job_context *context,
                               const met__billing_job *job, int *is_wanted);
/* Does it. */
met_error met__billing_job_do(met__job_context *context,
                              const met__billing_job *job);

/* What concerns one customer, and not the run. */
int met__billing_error_is_of_job(met_error error);
/* It stays as it is; the report names the first one. */
void met__billing_job_failed(met__run_report *report, met__billing_job *job,
                             met_error error, const met_error_info *why);

#endif

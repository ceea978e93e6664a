/* Customers, or invoices, of a billing run that share a pass over usage: first
 * planned, then read, then billed. One thread at a time works on a group; what
 * several groups of a run have in common comes and goes with a met__run_part.
 * Only for this room. */
#ifndef MET_INVOICE_BILLING_GROUP_H
#define MET_INVOICE_BILLING_GROUP_H

#include "invoice/billing_job.h"
#include "invoice/billing_place.h"
#include "invoice/usage_gather.h"

enum {
    MET__GROUP_PLANNING = 0, /* whom it has */
    MET__GROUP_READING,      /* their usage */
    MET__GROUP_WRITING,      /* their bills */
    MET__GROUP_DONE
};

typedef struct met__billing_group {
    met_store *store;
    uint32_t phase; /* MET__GROUP_* */
    uint32_t is_held; /* some thread works on it */
    uint32_t is_last; /* of its stage */
    uint32_t reserved;
    met__usage_gather *gather;
    met__txn *txn;   /* reading: planning and the pass see one moment */
    uint64_t number; /* of that moment */
    met__arena arena;
    met__billing_job *jobs;
    size_t job_count;
    size_t job_room;
    size_t done; /* jobs */
} met__billing_group;

/* What a step of a group is about, and what it did. */
typedef struct met__run_part {
    uint32_t stage;  /* MET__RUN_* */
    uint32_t reserved;
    size_t jobs_max; /* of a group */
    uint64_t order;  /* of the next id; of writing */
    met__billing_place place; /* of planning */
    met__run_report report;   /* counts of this step */
} met__run_part;

met_error met__billing_group_init(met__billing_group *group,
                                  met_store *store);
/* Right also after a failed init. */
void met__billing_group_release(met__billing_group *group);
/* For another one: nobody is planned. */
void met__billing_group_clear(met__billing_group *group);

/* A part of its work. What a failed one did counts, too; it can be tried
 * again, by any thread. */
met_error met__billing_group_step(met__billing_group *group,
                                  met__run_part *part, met_error_info *info);

#endif

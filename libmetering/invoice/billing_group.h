/* Customers, or invoices, of a billing run that share a pass over usage: first
 * planned, then read, then billed, some hundred at a time. One thread plans or
 * reads, and one writes; any number make what is written. What several groups
 * of a run have in common comes and goes with a met__run_part. Only for this
 * room. */
#ifndef MET_INVOICE_BILLING_GROUP_H
#define MET_INVOICE_BILLING_GROUP_H

#include "invoice/billing_batch.h"
#include "invoice/billing_place.h"

enum {
    MET__GROUP_PLANNING = 0, /* whom it has */
    MET__GROUP_READING,      /* their usage */
    MET__GROUP_WRITING       /* their bills */
};

#define MET__GROUP_BATCHES 4 /* made before they are written */

typedef struct met__billing_group {
    met_store *store;
    uint32_t phase; /* MET__GROUP_* */
    uint32_t is_held; /* some thread plans or reads */
    uint32_t is_last; /* of its stage */
    uint32_t reserved;
    met__usage_gather *gather;
    met__txn *txn;   /* reading: planning and the pass see one moment */
    uint64_t number; /* of that moment */
    met__arena arena;
    met__billing_job *jobs;
    size_t job_count;
    size_t job_room;
    uint64_t order; /* of the first job's id */
    size_t written; /* batches, from the first on */
    size_t begun;   /* the same; those between are in their places below */
    met__billing_batch batches[MET__GROUP_BATCHES];
} met__billing_group;

enum { MET__TASK_STEP = 0, MET__TASK_MAKE, MET__TASK_WRITE };

typedef struct met__group_task {
    uint32_t kind; /* MET__TASK_* */
    uint32_t reserved;
    met__billing_batch *batch; /* to be made or written */
} met__group_task;

/* What a step of a group is about, and what it did. */
typedef struct met__run_part {
    uint32_t stage;  /* MET__RUN_* */
    uint32_t reserved;
    size_t jobs_max; /* of a group */
    uint64_t order;  /* of the next group's ids; of planning, and so is */
    met__billing_place place;
    met__run_report report;   /* counts of this step */
} met__run_part;

met_error met__billing_group_init(met__billing_group *group,
                                  met_store *store);
/* Right also after a failed init. */
void met__billing_group_release(met__billing_group *group);
/* For another one: nobody is planned. */
void met__billing_group_clear(met__billing_group *group);

/* Inside the run's monitor: takes what there is to do that nobody is at, 0:
 * nothing now. Only the oldest group is written. */
int met__billing_group_pick(met__billing_group *group, int is_oldest,
                            met__group_task *task_out);
void met__billing_group_end(met__billing_group *group,
                            const met__group_task *task, met_error error);
int met__billing_group_is_done(const met__billing_group *group);

/* Outside of it. What a failed one did counts, too; it can be tried again, by
 * any thread. */
met_error met__billing_group_do(met__billing_group *group,
                                const met__group_task *task,
                                met__run_part *part, met_error_info *info);

#endif

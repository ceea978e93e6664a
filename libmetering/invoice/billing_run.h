/* A billing run: every customer's due lines become drafts, drafts go on as far
 * as nobody has to be asked, invoices that are not paid in time are overdue.
 *
 * A run may be killed and started again, and two may run at once: what one has
 * billed no other bills. Record: BILLING["run"], while one is under way. */
#ifndef MET_INVOICE_BILLING_RUN_H
#define MET_INVOICE_BILLING_RUN_H

#include "store/store.h"

#define MET__RUN_TEXT_MAX 512

enum {
    MET__RUN_DUE = 0,  /* invoices whose next step is due */
    MET__RUN_CUSTOMERS, /* customers, by their keys */
    MET__RUN_DONE
};

typedef struct met__run_report {
    uint32_t stage; /* MET__RUN_* */
    int is_resumed; /* one that had not come to its end goes on */
    int64_t as_of_ns;
    uint64_t customers;    /* looked at */
    uint64_t measured;     /* periods whose usage was asked for */
    uint64_t usage;        /* items of usage read */
    uint64_t drafts;       /* made */
    uint64_t interim;      /* of these, of periods that go on */
    uint64_t collected;    /* drafts whose quantities were read again */
    uint64_t issued;
    uint64_t credit_notes;
    uint64_t deleted;      /* drafts that had nothing left, or less */
    uint64_t overdue;
    uint64_t waiting;      /* customers who would get something back */
    uint64_t failed;       /* customers and invoices left as they were */
    char failed_name[MET__RUN_TEXT_MAX]; /* the first of them, */
    char failed_reason[MET__RUN_TEXT_MAX]; /* and why */
} met__run_report;

typedef struct met__billing_run met__billing_run;

/* Customers of one pass over usage, some 400 bytes each; two groups of so many
 * are under way when two threads work. */
#define MET__RUN_JOBS_MAX 250000

/* as_of_ns is also the time of all that is made. */
met_error met__billing_run_open(met_store *store, int64_t as_of_ns,
                                size_t jobs_max, met__billing_run **run_out);
/* A part of the work: at most one write transaction, of a few hundred
 * customers. MET_OK also when some of them failed. Any number of threads; one
 * that finds nothing to do waits for the others. report_out is written in any
 * case. */
met_error met__billing_run_step(met__billing_run *run,
                                met__run_report *report_out,
                                met_error_info *info);
/* While nobody steps; may be NULL. */
void met__billing_run_close(met__billing_run *run);

#endif

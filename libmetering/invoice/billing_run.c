/* Billing runs: groups of customers, and threads of the host that work on them
 * at the same time. In: a store and an instant. Out: invoices; how far it is.
 *
 * While one thread writes the bills of the oldest group, another plans and
 * reads the next one. Groups are written in the order in which they were
 * planned, and each is planned behind the former, so who is billed by which
 * transaction does not depend on how many threads there are. A stage is over
 * before the next one is planned. */
#include "invoice/billing_run.h"

#include "base/monitor.h"
#include "invoice/billing_group.h"

#define GROUPS 2 /* at most: each has the memory of a group */
/* The first group is this part of one, and each has twice as many as the last:
 * nobody can help while the first is planned and read. */
#define FIRST_PART 16

struct met__billing_run {
    met_store *store;
    size_t jobs_max;  /* of a group */
    size_t jobs_next; /* of the next one */
    met__monitor monitor; /* of everything below */
    met__run_report report;
    met__billing_place place;
    uint64_t order; /* of ids */
    uint32_t is_planning; /* a group, perhaps nobody at this moment */
    uint32_t is_planned;  /* the stage has no more groups to plan */
    uint32_t oldest;
    uint32_t count; /* groups under way, from the oldest on */
    met__billing_group groups[GROUPS];
};

/* --- From open to close --------------------------------------------------- */
/* One that did not come to its end goes on first. */
static met_error resume(met__billing_run *run)
{
    met_error error = met__billing_place_get(run->store, &run->place);

    if (error == MET_OK) {
        run->report.is_resumed = 1;
        run->report.as_of_ns = run->place.as_of_ns;
        run->report.stage = run->place.size > 0 ? MET__RUN_CUSTOMERS
                                                : MET__RUN_DUE;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__billing_run_open(met_store *store, int64_t as_of_ns,
                                size_t jobs_max, met__billing_run **run_out)
{
    met__billing_run *run =
        met__allocate(met__store_platform(store), sizeof *run);
    met_error error = MET_OK;

    if (run == NULL) {
        return MET_E_NO_MEMORY;
    }
    run->store = store;
    run->jobs_max = jobs_max;
    run->jobs_next = jobs_max / FIRST_PART > 0 ? jobs_max / FIRST_PART : 1;
    run->report.as_of_ns = as_of_ns;
    run->place.as_of_ns = as_of_ns;
    met__monitor_init(&run->monitor);
    for (int i = 0; error == MET_OK && i < GROUPS; i++) {
        error = met__billing_group_init(&run->groups[i], store);
    }
    if (error == MET_OK) {
        error = resume(run);
    }
    if (error != MET_OK) {
        met__billing_run_close(run);
        return error;
    }
    *run_out = run;
    return MET_OK;
}

void met__billing_run_close(met__billing_run *run)
{
    if (run == NULL) {
        return;
    }
    for (int i = 0; i < GROUPS; i++) {
        met__billing_group_release(&run->groups[i]);
    }
    if (met__store_check_handle(run->store) != MET_E_FORKED) {
        met__monitor_destroy(&run->monitor);
    }
    met__release(met__store_platform(run->store), run, sizeof *run);
}

/* --- Who does what -------------------------------------------------------- */
static met__billing_group *group_at(met__billing_run *run, uint32_t n)
{
    return &run->groups[(run->oldest + n) % GROUPS];
}

/* What this thread may do; NULL: others are at all that can be done now. When
 * nobody works, there is something. The oldest group comes first, and what it
 * has made is written before anything else. */
static met__billing_group *pick(met__billing_run *run, met__group_task *task)
{
    for (uint32_t n = 0; n < run->count; n++) {
        met__billing_group *group = group_at(run, n);
        if (met__billing_group_pick(group, n == 0, task)) {
            return group;
        }
    }
    if (run->count == GROUPS || run->is_planning || run->is_planned) {
        return NULL;
    }
    run->is_planning = 1;
    met__billing_group *group = group_at(run, run->count++);
    (void)met__billing_group_pick(group, run->count == 1, task);
    return group;
}

static void add_report(met__run_report *to, const met__run_report *from)
{
    if (to->failed == 0 && from->failed > 0) {
        memcpy(to->failed_name, from->failed_name, sizeof to->failed_name);
        memcpy(to->failed_reason, from->failed_reason,
               sizeof to->failed_reason);
    }
    to->customers += from->customers;
    to->measured += from->measured;
    to->usage += from->usage;
    to->drafts += from->drafts;
    to->interim += from->interim;
    to->collected += from->collected;
    to->issued += from->issued;
    to->credit_notes += from->credit_notes;
    to->deleted += from->deleted;
    to->overdue += from->overdue;
    to->waiting += from->waiting;
    to->failed += from->failed;
}

/* The oldest group is written. */
static met_error end_group(met__billing_run *run)
{
    met__billing_group *group = group_at(run, 0);
    int is_last = (int)group->is_last;

    if (is_last && run->report.stage == MET__RUN_CUSTOMERS) {
        met_error error = met__billing_place_remove(run->store);
        if (error != MET_OK) {
            return error;
        }
    }
    met__billing_group_clear(group);
    run->oldest = (run->oldest + 1) % GROUPS;
    run->count--;
    if (is_last) {
        run->is_planned = 0;
        run->place.size = 0;
        run->report.stage++;
    }
    return MET_OK;
}

/* Inside the monitor, but for the work itself. */
static met_error work(met__billing_run *run, met__billing_group *group,
                      const met__group_task *task, met_error_info *info)
{
    int was_planning = group->phase == MET__GROUP_PLANNING;
    met__run_part part = {.stage = run->report.stage,
                          .jobs_max = run->jobs_next,
                          .order = run->order,
                          .place = run->place};

    met__monitor_leave(&run->monitor);
    met_error error = met__billing_group_do(group, task, &part, info);
    met__monitor_enter(&run->monitor);
    met__billing_group_end(group, task, error);
    add_report(&run->report, &part.report);
    if (was_planning) {
        run->order = part.order;
        run->place = part.place;
        run->is_planning = group->phase == MET__GROUP_PLANNING;
        run->is_planned = group->is_last;
        if (!run->is_planning) {
            run->jobs_next = run->jobs_next < run->jobs_max / 2
                                 ? run->jobs_next * 2
                                 : run->jobs_max;
        }
    }
    return error;
}

/* A group without jobs is over as soon as it is the oldest. */
static met_error end_groups(met__billing_run *run)
{
    met_error error = MET_OK;

    while (error == MET_OK && run->count > 0
           && met__billing_group_is_done(group_at(run, 0))) {
        error = end_group(run);
    }
    return error;
}

met_error met__billing_run_step(met__billing_run *run,
                                met__run_report *report_out,
                                met_error_info *info)
{
    met__billing_group *group = NULL;
    met__group_task task;
    met_error error;

    met__monitor_enter(&run->monitor);
    /* What another thread could not end is ended by the next. */
    while ((error = end_groups(run)) == MET_OK
           && run->report.stage != MET__RUN_DONE
           && (group = pick(run, &task)) == NULL) {
        met__monitor_wait(&run->monitor);
    }
    if (group != NULL) {
        error = work(run, group, &task, info);
        if (error == MET_OK) {
            error = end_groups(run);
        }
        met__monitor_tell(&run->monitor);
    }
    *report_out = run->report;
    met__monitor_leave(&run->monitor);
    return error;
}

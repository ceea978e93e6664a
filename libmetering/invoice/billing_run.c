/* Billing runs: which customers and invoices are next, what they ask for, one
 * pass over usage for all of them, then their bills, some hundred in one
 * transaction. In: a store and an instant. Out: invoices; how far it is.
 *
 * Nothing depends on what a run remembers: a customer is billed in one
 * transaction, and what was booked is not billed again. The record only saves
 * looking at everybody anew. */
#include "invoice/billing_run.h"

#include <stdio.h>

#include "base/check.h"
#include "invoice/billing_job.h"
#include "invoice/usage_gather.h"
#include "meter/usage_late.h"
#include "store/object.h"

#define JOBS_PER_STEP 2000    /* looked at */
#define JOBS_MAX 500000       /* of one pass over usage */
#define JOBS_PER_WRITE 256    /* others wait for the writer meanwhile */
#define ITEMS_PER_STEP 200000 /* of usage */

enum { PLANNING = 0, GATHERING, WRITING };

struct met__billing_run {
    met_store *store;
    const met__platform *platform;
    met__run_report report;
    uint32_t phase;
    int is_planned; /* the stage has no more jobs to plan */
    met__usage_gather *gather;
    met__txn *txn; /* reading, while a pass is made */
    uint64_t number; /* of the moment that it sees */
    uint64_t order;  /* of ids */
    met__arena jobs_arena;
    met__billing_job *jobs;
    size_t job_count;
    size_t job_room;
    size_t done; /* jobs */
    size_t at_size; /* planned up to here */
    unsigned char at[MET__LMDB_KEY_SIZE_MAX];
};

/* --- The record ----------------------------------------------------------- */
#define RECORD MET__TEXT("run")

static met_error put_record(met__txn *txn, const met__billing_run *run,
                            met__text after, met__arena *arena)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_time(&builder, "as_of", run->report.as_of_ns);
    met__build_text(&builder, "after", after);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK
               ? met__record_put(txn, MET__TABLE_BILLING, RECORD.data,
                                 RECORD.size, node)
               : error;
}

static met_error read_record(met__billing_run *run, const met__node *node)
{
    static const met__path path = {NULL, "run", 0};
    met__text after = {NULL, 0};
    int64_t as_of_ns = 0;
    met__fields fields;

    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_time(&fields, "as_of", MET__REQUIRED, &as_of_ns);
    (void)met__fields_text(&fields, "after", MET__OPTIONAL, 1,
                           sizeof run->at - 1, &after);
    if (met__fields_end(&fields) != MET_OK) {
        return MET_E_CORRUPT;
    }
    run->report.is_resumed = 1;
    run->report.as_of_ns = as_of_ns;
    if (after.size > 0) {
        run->report.stage = MET__RUN_CUSTOMERS;
        memcpy(run->at, after.data, after.size);
        run->at_size = after.size;
    }
    return MET_OK;
}

/* One that did not come to its end goes on first. */
static met_error resume(met__billing_run *run)
{
    met__arena arena;
    met__txn *txn;
    met__node *node;
    met_error error = met__txn_begin(run->store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, run->platform);
    error = met__record_get(txn, MET__TABLE_BILLING, RECORD.data, RECORD.size,
                            &arena, &node);
    if (error == MET_OK) {
        error = read_record(run, node);
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- From open to close --------------------------------------------------- */
met_error met__billing_run_open(met_store *store, int64_t as_of_ns,
                                met__billing_run **run_out)
{
    const met__platform *platform = met__store_platform(store);
    met__billing_run *run = met__allocate(platform, sizeof *run);

    if (run == NULL) {
        return MET_E_NO_MEMORY;
    }
    run->store = store;
    run->platform = platform;
    run->report.as_of_ns = as_of_ns;
    met__arena_init(&run->jobs_arena, platform);
    met_error error = met__usage_gather_create(store, &run->gather);
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

static void end_reading(met__billing_run *run)
{
    if (run->gather != NULL) {
        met__usage_gather_end(run->gather);
    }
    met__txn_abort(run->txn);
    run->txn = NULL;
}

void met__billing_run_close(met__billing_run *run)
{
    if (run != NULL) {
        end_reading(run);
        met__usage_gather_destroy(run->gather);
        met__arena_release(&run->jobs_arena);
        met__release(run->platform, run->jobs,
                     run->job_room * sizeof *run->jobs);
        met__release(run->platform, run, sizeof *run);
    }
}

const met__run_report *met__billing_run_report(const met__billing_run *run)
{
    return &run->report;
}

/* --- Failures ------------------------------------------------------------- */
/* What concerns one customer, and not the run. */
static int is_of_job(met_error error)
{
    switch (error) {
    case MET_E_CONFLICT:
    case MET_E_UNSUPPORTED:
    case MET_E_OVERFLOW:
    case MET_E_LIMIT:
    case MET_E_INVALID:
    case MET_E_NOT_FOUND:
    case MET_E_CORRUPT:
        return 1;
    default:
        return 0;
    }
}

static void note_failure(met__billing_run *run, met__billing_job *job,
                         met_error error, const met_error_info *why)
{
    met__run_report *report = &run->report;

    job->is_failed = 1;
    if (report->failed++ == 0) {
        snprintf(report->failed_name, sizeof report->failed_name, "%.*s",
                 (int)job->name.size, job->name.data);
        snprintf(report->failed_reason, sizeof report->failed_reason,
                 "%s%s%s", why->code == error ? why->field : "",
                 why->code == error ? ": " : "",
                 why->code == error ? why->reason : met_error_message(error));
    }
}

/* --- Planning ------------------------------------------------------------- */
/* A moment to read: its number is above those of all bookings before it. */
static met_error begin_reading(met__billing_run *run)
{
    met__txn *txn;
    met_error error = met__txn_begin(run->store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__usage_moment(txn, &run->number);
    if (error == MET_OK) {
        error = met__usage_watch(txn, run->report.as_of_ns);
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    error = met__txn_commit(txn);
    return error == MET_OK ? met__txn_begin(run->store, 0, &run->txn) : error;
}

static met_error keep_job(met__billing_run *run, const met__billing_job *job)
{
    if (run->job_count == run->job_room) {
        size_t room = run->job_room == 0 ? 256 : run->job_room * 2;
        met__billing_job *jobs = met__reallocate(
            run->platform, run->jobs, run->job_room * sizeof *jobs,
            room * sizeof *jobs);
        if (jobs == NULL) {
            return MET_E_NO_MEMORY;
        }
        run->jobs = jobs;
        run->job_room = room;
    }
    const char *copy =
        met__arena_copy(&run->jobs_arena, job->name.data, job->name.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    run->jobs[run->job_count] = *job;
    run->jobs[run->job_count++].name = met__text_of(copy, job->name.size);
    return MET_OK;
}

/* A record of the stage's table as a job; size 0: it is none. The time's end
 * is MET_E_NOT_FOUND. */
static met_error job_of(const met__billing_run *run, met__text key,
                        met__text *name_out)
{
    *name_out = key;
    if (run->report.stage == MET__RUN_DUE) {
        if (key.size != 8 + 26) {
            return MET_E_CORRUPT;
        }
        if (met__get_u64((const unsigned char *)key.data)
            > (uint64_t)run->report.as_of_ns) {
            return MET_E_NOT_FOUND;
        }
        *name_out = met__text_of(key.data + 8, key.size - 8);
    } else if (memchr(key.data, 0, key.size) != NULL) {
        name_out->size = 0; /* a removed customer */
    }
    return MET_OK;
}

static met_error plan_job(met__billing_run *run, met__text name,
                          met__job_context *context)
{
    met__billing_job job = {.name = name,
                            .is_invoice = run->report.stage == MET__RUN_DUE};
    met_error_info why = {.struct_size = sizeof why};
    met__arena arena;
    int is_wanted = 0;

    met__arena_init(&arena, run->platform);
    context->arena = &arena;
    context->info = &why;
    met__usage_gather_turn_to(run->gather, 0);
    met_error error = met__billing_job_ask(context, &job, &is_wanted);
    job.turn = met__usage_gather_turn(run->gather);
    met__arena_release(&arena);
    run->report.customers += !job.is_invoice;
    if (error != MET_OK && error != MET_E_LIMIT && is_of_job(error)) {
        note_failure(run, &job, error, &why);
        return MET_OK;
    }
    return error == MET_OK && is_wanted ? keep_job(run, &job) : error;
}

/* Where the next planning goes on. */
static void set_at(met__billing_run *run, met__text key)
{
    memcpy(run->at, key.data, key.size);
    run->at_size = key.size;
}

/* MET_E_LIMIT: as many as one pass can have. */
static met_error plan_some(met__billing_run *run, met__scan *scan)
{
    met__bill_cache cache = {0};
    met__arena arena;
    met__job_context context = {
        .txn = run->txn,
        .cache = &cache,
        .source = met__usage_gather_wishes(run->gather, run->txn),
        .as_of_ns = run->report.as_of_ns,
        .report = &run->report};
    met__text value;
    met__text name;
    met__text key;
    met_error error = MET_OK;

    met__arena_init(&arena, run->platform);
    cache.arena = &arena;
    for (int i = 0; error == MET_OK && i < JOBS_PER_STEP; i++) {
        error = met__scan_next(scan, &key, &value);
        if (error == MET_OK) {
            error = job_of(run, key, &name);
        }
        if (error == MET_OK && name.size > 0) {
            error = run->job_count < JOBS_MAX
                        ? plan_job(run, name, &context)
                        : MET_E_LIMIT;
        }
        if (error == MET_OK) {
            set_at(run, key);
        }
    }
    met__arena_release(&arena);
    return error;
}

static met_error plan(met__billing_run *run)
{
    unsigned char start[MET__LMDB_KEY_SIZE_MAX + 1];
    met__scan scan;
    met_error error = run->txn == NULL ? begin_reading(run) : MET_OK;

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(run->txn,
                            run->report.stage == MET__RUN_DUE
                                ? MET__TABLE_INVOICE_DUE
                                : MET__TABLE_CUSTOMER,
                            NULL, 0, &scan);
    if (error == MET_OK && run->at_size > 0) {
        memcpy(start, run->at, run->at_size);
        start[run->at_size] = 0; /* the next key */
        error = met__scan_seek(&scan, start, run->at_size + 1);
    }
    if (error == MET_OK) {
        error = plan_some(run, &scan);
    }
    met__scan_end(&scan);
    run->is_planned = error == MET_E_NOT_FOUND;
    if (error == MET_E_NOT_FOUND
        || (error == MET_E_LIMIT && run->job_count > 0)) {
        run->phase = GATHERING;
        return met__usage_gather_begin(run->gather, run->txn);
    }
    return error;
}

/* --- Gathering ------------------------------------------------------------ */
static met_error gather(met__billing_run *run)
{
    size_t count = 0;
    int is_done = 0;
    met_error error = met__usage_gather_pass(run->gather, ITEMS_PER_STEP,
                                             &count, &is_done);

    run->report.usage += count;
    if (error == MET_OK && is_done) {
        end_reading(run);
        run->phase = WRITING;
    }
    return error;
}

/* --- Writing -------------------------------------------------------------- */
static met_error do_jobs(met__billing_run *run, met__job_context *context,
                         size_t end, size_t *failed_out)
{
    met_error error = MET_OK;

    for (size_t i = run->done; error == MET_OK && i < end; i++) {
        met__arena arena;
        if (run->jobs[i].is_failed) {
            continue;
        }
        met__arena_init(&arena, run->platform);
        context->arena = &arena;
        *failed_out = i;
        met__usage_gather_turn_to(run->gather, run->jobs[i].turn);
        error = met__billing_job_do(context, &run->jobs[i]);
        met__arena_release(&arena);
    }
    return error;
}

/* One transaction. A job that fails is left out, and the others are done
 * again. */
static met_error write_once(met__billing_run *run, size_t end,
                            met_error_info *why, size_t *failed_out)
{
    met__run_report report = run->report;
    met__bill_cache cache = {0};
    met__job_context context = {
        .info = why,
        .source = met__usage_gather_answers(run->gather),
        .source_number = (int64_t)run->number,
        .as_of_ns = report.as_of_ns,
        .order = run->order,
        .cache = &cache,
        .report = &report};
    met__arena arena;
    met_error error = met__txn_begin(run->store, 1, &context.txn);

    *failed_out = end;
    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, run->platform);
    cache.arena = &arena;
    error = do_jobs(run, &context, end, failed_out);
    if (error == MET_OK && report.stage == MET__RUN_CUSTOMERS) {
        *failed_out = end;
        error = put_record(context.txn, run, run->jobs[end - 1].name, &arena);
    }
    met__arena_release(&arena);
    if (error != MET_OK) {
        met__txn_abort(context.txn);
        return error;
    }
    *failed_out = end;
    error = met__txn_commit(context.txn);
    if (error == MET_OK) {
        run->report = report;
        run->order = context.order;
    }
    return error;
}

static void next_group(met__billing_run *run)
{
    met__usage_gather_clear(run->gather);
    met__arena_release(&run->jobs_arena);
    met__arena_init(&run->jobs_arena, run->platform);
    run->job_count = 0;
    run->done = 0;
    run->phase = PLANNING;
    if (run->is_planned) {
        run->is_planned = 0;
        run->at_size = 0;
        run->report.stage++;
    }
}

static met_error write_some(met__billing_run *run, met_error_info *info)
{
    size_t end = run->done + JOBS_PER_WRITE;
    met_error error = MET_OK;

    end = end < run->job_count ? end : run->job_count;
    while (run->done < end) {
        met_error_info why = {.struct_size = sizeof why};
        size_t failed = end;
        error = write_once(run, end, &why, &failed);
        if (error == MET_OK) {
            run->done = end;
        } else if (failed < end && is_of_job(error)) {
            note_failure(run, &run->jobs[failed], error, &why);
        } else {
            return why.code == error
                       ? met__fail(info, error, why.field, "%s", why.reason)
                       : error;
        }
    }
    if (run->done == run->job_count) {
        next_group(run);
    }
    return MET_OK;
}

/* --- Steps ---------------------------------------------------------------- */
static met_error finish(met__billing_run *run)
{
    met__txn *txn;
    met_error error = met__txn_begin(run->store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__txn_remove(txn, MET__TABLE_BILLING, RECORD.data,
                            RECORD.size);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    return met__txn_commit(txn);
}

met_error met__billing_run_step(met__billing_run *run, met_error_info *info)
{
    met_error error = MET_OK;

    if (run->report.stage == MET__RUN_DONE) {
        return MET_OK;
    }
    switch (run->phase) {
    case PLANNING:
        error = plan(run);
        break;
    case GATHERING:
        error = gather(run);
        break;
    default:
        error = write_some(run, info);
        break;
    }
    if (error == MET_OK && run->report.stage == MET__RUN_DONE) {
        error = finish(run);
    }
    return error;
}

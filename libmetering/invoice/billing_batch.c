/* Making and writing some hundred jobs. In: jobs, what was gathered for them.
 * Out: invoices, in one transaction; counts. */
#include "invoice/billing_batch.h"

#include "invoice/billing_place.h"
#include "meter/usage_late.h"

/* --- Making --------------------------------------------------------------- */
static void keep_counts(const met__run_report *report, met__made_job *made)
{
    made->drafts = (uint8_t)report->drafts;
    made->interim = (uint8_t)report->interim;
    made->issued = (uint8_t)report->issued;
    made->credit_notes = (uint8_t)report->credit_notes;
    made->deleted = (uint8_t)report->deleted;
    made->waiting = (uint8_t)report->waiting;
}

static void add_counts(met__run_report *report, const met__made_job *made)
{
    report->drafts += made->drafts;
    report->interim += made->interim;
    report->issued += made->issued;
    report->credit_notes += made->credit_notes;
    report->deleted += made->deleted;
    report->waiting += made->waiting;
}

/* An id does not depend on who makes it, or when. */
static void turn_to(const met__batch_scope *scope, size_t index,
                    met__arena *arena, met__job_context *context)
{
    context->source = met__usage_gather_answers(scope->gather,
                                                scope->jobs[index].turn);
    context->source_number = scope->number;
    context->as_of_ns = scope->as_of_ns;
    context->order = scope->order + index;
    context->arena = arena;
}

/* A failure is one only if it is the same in the write transaction. */
static met_error make_job(const met__batch_scope *scope, size_t index,
                          met__job_context *context, met__write_log *log,
                          met__made_job *made)
{
    met__run_report report = {0};
    met__arena arena;

    met__arena_init(&arena, met__store_platform(scope->store));
    turn_to(scope, index, &arena, context);
    context->report = &report;
    met__write_log_begin(log);
    met_error error = met__billing_job_do(context, &scope->jobs[index]);
    met_error ended = met__write_log_end(log, error == MET_OK, &made->from,
                                         &made->to);
    met__arena_release(&arena);
    if (error == MET_OK && ended == MET_OK) {
        keep_counts(&report, made);
    }
    return error != MET_OK && ended != MET_E_UNSUPPORTED
                   && !met__billing_error_is_of_job(error)
               ? error
               : MET_OK;
}

static met_error make_jobs(const met__batch_scope *scope,
                           met__billing_batch *batch,
                           met__job_context *context)
{
    met_error error =
        met__txn_catalog_number(context->txn, &batch->catalog_number);

    met__write_log_clear(&batch->log);
    memset(batch->made, 0, sizeof batch->made);
    met__txn_log(context->txn, &batch->log);
    for (size_t i = batch->first; error == MET_OK && i < batch->end; i++) {
        if (!scope->jobs[i].is_invoice) {
            error = make_job(scope, i, context, &batch->log,
                             &batch->made[i - batch->first]);
        }
    }
    met__txn_log(context->txn, NULL);
    return error;
}

/* From one moment of the store. */
static met_error make_once(const met__batch_scope *scope,
                           met__billing_batch *batch, met__usage_now *now)
{
    met__bill_cache cache = {0};
    met__job_context context = {.cache = &cache, .now = *now};
    met__arena arena;
    met_error error = met__txn_begin(scope->store, 0, &context.txn);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(scope->store));
    cache.arena = &arena;
    error = make_jobs(scope, batch, &context);
    *now = context.now;
    met__txn_abort(context.txn);
    met__arena_release(&arena);
    return error;
}

static met_error begin_moment(const met__batch_scope *scope,
                              int64_t *number_out)
{
    uint64_t number = 0;
    met__txn *txn;
    met_error error = met__txn_begin(scope->store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__usage_moment(txn, &number);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    *number_out = (int64_t)number;
    return met__txn_commit(txn);
}

/* Whose usage was not gathered is measured here, as of a moment of its own. */
met_error met__billing_batch_make(const met__batch_scope *scope,
                                  met__billing_batch *batch)
{
    met__usage_now now = {0};
    met_error error = MET_OK;

    if (!batch->is_asking) {
        error = make_once(scope, batch, &now);
        batch->is_asking = now.is_wanted;
    }
    if (error != MET_OK || !batch->is_asking) {
        return error;
    }
    now.is_wanted = 0;
    error = begin_moment(scope, &now.number);
    if (error == MET_OK) {
        error = make_once(scope, batch, &now);
        batch->is_asking = now.is_wanted;
    }
    return error;
}

/* --- Writing -------------------------------------------------------------- */
typedef struct writing {
    const met__batch_scope *scope;
    const met__billing_batch *batch;
    met__job_context context;
    met__log_cursors cursors;
    int is_current; /* the catalog is that of the making */
    int reserved;
    size_t failed; /* the job, when one did */
} writing;

static met_error write_job(writing *self, size_t index)
{
    const met__batch_scope *scope = self->scope;
    const met__made_job *made = &self->batch->made[index - self->batch->first];
    met__txn *txn = self->context.txn;
    met__arena arena;
    int holds = 0;
    met_error error = MET_OK;

    if (self->is_current && made->from < made->to) {
        error = met__write_log_holds(txn, &self->batch->log, made->from,
                                     made->to, &holds);
    }
    if (error == MET_OK && holds) {
        add_counts(self->context.report, made);
        return met__write_log_apply(txn, &self->batch->log, made->from,
                                    made->to, &self->cursors);
    }
    if (error == MET_OK) {
        met__arena_init(&arena, met__store_platform(scope->store));
        turn_to(scope, index, &arena, &self->context);
        error = met__billing_job_do(&self->context, &scope->jobs[index]);
        met__arena_release(&arena);
    }
    return error;
}

static met_error write_jobs(writing *self)
{
    uint64_t number = 0;
    met_error error = met__txn_catalog_number(self->context.txn, &number);

    self->is_current = number == self->batch->catalog_number;
    for (size_t i = self->batch->first;
         error == MET_OK && i < self->batch->end; i++) {
        if (!self->scope->jobs[i].is_failed) {
            self->failed = i;
            error = write_job(self, i);
        }
    }
    return error;
}

/* One transaction. A job that fails is left out, and the others are written
 * again. */
static met_error write_once(const met__batch_scope *scope,
                            const met__billing_batch *batch,
                            met__run_report *report_out, met_error_info *why,
                            size_t *failed_out)
{
    met__run_report report = *report_out;
    met__bill_cache cache = {0};
    writing self = {
        .scope = scope,
        .batch = batch,
        .failed = batch->end,
        .context = {.info = why, .cache = &cache, .report = &report}};
    met__arena arena;
    met_error error = met__txn_begin(scope->store, 1, &self.context.txn);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(scope->store));
    cache.arena = &arena;
    error = write_jobs(&self);
    if (error != MET_OK) {
        *failed_out = self.failed;
    } else if (scope->has_place) {
        error = met__billing_place_put(self.context.txn, scope->as_of_ns,
                                       scope->jobs[batch->end - 1].name,
                                       &arena);
    }
    met__arena_release(&arena);
    if (error != MET_OK) {
        met__txn_abort(self.context.txn);
        return error;
    }
    error = met__txn_commit(self.context.txn);
    if (error == MET_OK) {
        *report_out = report;
    }
    return error;
}

met_error met__billing_batch_write(const met__batch_scope *scope,
                                   met__billing_batch *batch,
                                   met__run_report *report,
                                   met_error_info *info)
{
    for (;;) {
        met_error_info why = {.struct_size = sizeof why};
        size_t failed = batch->end;
        met_error error = write_once(scope, batch, report, &why, &failed);
        if (error == MET_OK) {
            return MET_OK;
        }
        if (failed == batch->end || !met__billing_error_is_of_job(error)) {
            return why.code == error
                       ? met__fail(info, error, why.field, "%s", why.reason)
                       : error;
        }
        met__billing_job_failed(report, &scope->jobs[failed], error, &why);
    }
}

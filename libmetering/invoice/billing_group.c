/* One group of a billing run: which customers or invoices are next and what
 * they ask for, one pass over usage for all of them, then their bills, some
 * hundred in one transaction. In: a store and where to begin. Out: invoices;
 * where the next group begins.
 *
 * Nothing depends on what a run remembers: a customer is billed in one
 * transaction, and what was booked is not billed again. */
#include "invoice/billing_group.h"

#include <stdio.h>

#include "meter/usage_late.h"

#define JOBS_PER_STEP 2000    /* looked at */
#define JOBS_PER_WRITE 256    /* others wait for the writer meanwhile */
#define ITEMS_PER_STEP 200000 /* of usage */

static const met__platform *platform_of(const met__billing_group *group)
{
    return met__store_platform(group->store);
}

/* --- From init to release ------------------------------------------------- */
met_error met__billing_group_init(met__billing_group *group,
                                  met_store *store)
{
    *group = (met__billing_group){.store = store};
    met__arena_init(&group->arena, platform_of(group));
    return met__usage_gather_create(store, &group->gather);
}

static void end_reading(met__billing_group *group)
{
    met__usage_gather_end(group->gather);
    met__txn_abort(group->txn);
    group->txn = NULL;
}

void met__billing_group_clear(met__billing_group *group)
{
    end_reading(group);
    met__usage_gather_clear(group->gather);
    met__arena_release(&group->arena);
    met__arena_init(&group->arena, platform_of(group));
    group->phase = MET__GROUP_PLANNING;
    group->is_last = 0;
    group->job_count = 0;
    group->done = 0;
}

void met__billing_group_release(met__billing_group *group)
{
    if (group->gather != NULL) {
        met__billing_group_clear(group);
        met__usage_gather_destroy(group->gather);
        met__release(platform_of(group), group->jobs,
                     group->job_room * sizeof *group->jobs);
    }
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

static void note_failure(met__run_report *report, met__billing_job *job,
                         met_error error, const met_error_info *why)
{
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
static met_error begin_reading(met__billing_group *group, int64_t as_of_ns)
{
    met__txn *txn;
    met_error error = met__txn_begin(group->store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__usage_moment(txn, &group->number);
    if (error == MET_OK) {
        error = met__usage_watch(txn, as_of_ns);
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    error = met__txn_commit(txn);
    return error == MET_OK ? met__txn_begin(group->store, 0, &group->txn)
                           : error;
}

static met_error keep_job(met__billing_group *group,
                          const met__billing_job *job)
{
    if (group->job_count == group->job_room) {
        size_t room = group->job_room == 0 ? 256 : group->job_room * 2;
        met__billing_job *jobs = met__reallocate(
            platform_of(group), group->jobs, group->job_room * sizeof *jobs,
            room * sizeof *jobs);
        if (jobs == NULL) {
            return MET_E_NO_MEMORY;
        }
        group->jobs = jobs;
        group->job_room = room;
    }
    const char *copy =
        met__arena_copy(&group->arena, job->name.data, job->name.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    group->jobs[group->job_count] = *job;
    group->jobs[group->job_count++].name = met__text_of(copy, job->name.size);
    return MET_OK;
}

/* A record of the stage's table as a job; size 0: it is none. The time's end
 * is MET_E_NOT_FOUND. */
static met_error job_of(const met__run_part *part, met__text key,
                        met__text *name_out)
{
    *name_out = key;
    if (part->stage == MET__RUN_DUE) {
        if (key.size != 8 + 26) {
            return MET_E_CORRUPT;
        }
        if (met__get_u64((const unsigned char *)key.data)
            > (uint64_t)part->place.as_of_ns) {
            return MET_E_NOT_FOUND;
        }
        *name_out = met__text_of(key.data + 8, key.size - 8);
    } else if (memchr(key.data, 0, key.size) != NULL) {
        name_out->size = 0; /* a removed customer */
    }
    return MET_OK;
}

static met_error plan_job(met__billing_group *group, int is_invoice,
                          met__text name, met__job_context *context)
{
    met__billing_job job = {.name = name, .is_invoice = (uint16_t)is_invoice};
    met_error_info why = {.struct_size = sizeof why};
    uint64_t measured = context->report->measured;
    met__arena arena;
    int is_wanted = 0;

    met__arena_init(&arena, platform_of(group));
    context->arena = &arena;
    context->info = &why;
    met__usage_gather_turn_to(group->gather, 0);
    met_error error = met__billing_job_ask(context, &job, &is_wanted);
    job.turn = met__usage_gather_turn(group->gather);
    met__arena_release(&arena);
    if (error != MET_OK && error != MET_E_LIMIT && is_of_job(error)) {
        note_failure(context->report, &job, error, &why);
        error = MET_OK;
    } else if (error == MET_OK && is_wanted) {
        error = keep_job(group, &job);
    }
    if (error == MET_OK) {
        context->report->customers += !is_invoice;
    } else {
        context->report->measured = measured; /* it comes again */
    }
    return error;
}

/* MET_E_LIMIT: as many as one pass can have. */
static met_error plan_some(met__billing_group *group, met__run_part *part,
                           met__scan *scan)
{
    met__bill_cache cache = {0};
    met__arena arena;
    met__job_context context = {
        .txn = group->txn,
        .cache = &cache,
        .source = met__usage_gather_wishes(group->gather, group->txn),
        .as_of_ns = part->place.as_of_ns,
        .report = &part->report};
    met__text value;
    met__text name;
    met__text key;
    met_error error = MET_OK;

    met__arena_init(&arena, platform_of(group));
    cache.arena = &arena;
    for (int i = 0; error == MET_OK && i < JOBS_PER_STEP; i++) {
        error = met__scan_next(scan, &key, &value);
        if (error == MET_OK) {
            error = job_of(part, key, &name);
        }
        if (error == MET_OK && name.size > 0) {
            error = group->job_count < part->jobs_max
                        ? plan_job(group, part->stage == MET__RUN_DUE, name,
                                   &context)
                        : MET_E_LIMIT;
        }
        if (error == MET_OK) {
            met__billing_place_set(&part->place, key);
        }
    }
    met__arena_release(&arena);
    return error;
}

static met_error plan(met__billing_group *group, met__run_part *part)
{
    unsigned char start[MET__LMDB_KEY_SIZE_MAX + 1];
    met__billing_place *place = &part->place;
    met__scan scan;
    met_error error = group->txn == NULL
                          ? begin_reading(group, place->as_of_ns)
                          : MET_OK;

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(group->txn,
                            part->stage == MET__RUN_DUE
                                ? MET__TABLE_INVOICE_DUE
                                : MET__TABLE_CUSTOMER,
                            NULL, 0, &scan);
    if (error == MET_OK && place->size > 0) {
        memcpy(start, place->key, place->size);
        start[place->size] = 0; /* the next key */
        error = met__scan_seek(&scan, start, place->size + 1);
    }
    if (error == MET_OK) {
        error = plan_some(group, part, &scan);
    }
    met__scan_end(&scan);
    if (error != MET_E_NOT_FOUND
        && (error != MET_E_LIMIT || group->job_count == 0)) {
        return error;
    }
    group->is_last = error == MET_E_NOT_FOUND;
    group->phase = MET__GROUP_READING;
    met__usage_gather_begin(group->gather);
    return MET_OK;
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_some(met__billing_group *group, met__run_part *part)
{
    size_t count = 0;
    int is_done = 0;
    met_error error = met__usage_gather_pass(group->gather, ITEMS_PER_STEP,
                                             &count, &is_done);

    part->report.usage += count;
    if (error == MET_OK && is_done) {
        end_reading(group);
        group->phase = MET__GROUP_WRITING;
    }
    return error;
}

/* --- Writing -------------------------------------------------------------- */
static met_error do_jobs(met__billing_group *group, met__job_context *context,
                         size_t end, size_t *failed_out)
{
    met_error error = MET_OK;

    for (size_t i = group->done; error == MET_OK && i < end; i++) {
        met__arena arena;
        if (group->jobs[i].is_failed) {
            continue;
        }
        met__arena_init(&arena, platform_of(group));
        context->arena = &arena;
        *failed_out = i;
        met__usage_gather_turn_to(group->gather, group->jobs[i].turn);
        error = met__billing_job_do(context, &group->jobs[i]);
        met__arena_release(&arena);
    }
    return error;
}

/* One transaction. A job that fails is left out, and the others are done
 * again. */
static met_error write_once(met__billing_group *group, met__run_part *part,
                            size_t end, met_error_info *why,
                            size_t *failed_out)
{
    met__run_report report = part->report;
    met__bill_cache cache = {0};
    met__job_context context = {
        .info = why,
        .source = met__usage_gather_answers(group->gather),
        .source_number = (int64_t)group->number,
        .as_of_ns = part->place.as_of_ns,
        .order = part->order,
        .cache = &cache,
        .report = &report};
    met__arena arena;
    met_error error = met__txn_begin(group->store, 1, &context.txn);

    *failed_out = end;
    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, platform_of(group));
    cache.arena = &arena;
    error = do_jobs(group, &context, end, failed_out);
    if (error == MET_OK && part->stage == MET__RUN_CUSTOMERS) {
        *failed_out = end;
        error = met__billing_place_put(context.txn, part->place.as_of_ns,
                                       group->jobs[end - 1].name, &arena);
    }
    met__arena_release(&arena);
    if (error != MET_OK) {
        met__txn_abort(context.txn);
        return error;
    }
    *failed_out = end;
    error = met__txn_commit(context.txn);
    if (error == MET_OK) {
        part->report = report;
        part->order = context.order;
    }
    return error;
}

static met_error write_some(met__billing_group *group, met__run_part *part,
                            met_error_info *info)
{
    size_t end = group->done + JOBS_PER_WRITE;
    met_error error = MET_OK;

    end = end < group->job_count ? end : group->job_count;
    while (group->done < end) {
        met_error_info why = {.struct_size = sizeof why};
        size_t failed = end;
        error = write_once(group, part, end, &why, &failed);
        if (error == MET_OK) {
            group->done = end;
        } else if (failed < end && is_of_job(error)) {
            note_failure(&part->report, &group->jobs[failed], error, &why);
        } else {
            return why.code == error
                       ? met__fail(info, error, why.field, "%s", why.reason)
                       : error;
        }
    }
    if (group->done == group->job_count) {
        group->phase = MET__GROUP_DONE;
    }
    return MET_OK;
}

/* --- Steps ---------------------------------------------------------------- */
met_error met__billing_group_step(met__billing_group *group,
                                  met__run_part *part, met_error_info *info)
{
    switch (group->phase) {
    case MET__GROUP_PLANNING:
        return plan(group, part);
    case MET__GROUP_READING:
        return read_some(group, part);
    case MET__GROUP_WRITING:
        return write_some(group, part, info);
    default:
        return MET_OK;
    }
}

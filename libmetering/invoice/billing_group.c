/* One group of a billing run: which customers or invoices are next and what
 * they ask for, one pass over usage for all of them, then their bills, some
 * hundred in one transaction. In: a store and where to begin. Out: invoices;
 * where the next group begins.
 *
 * Nothing depends on what a run remembers: a customer is billed in one
 * transaction, and what was booked is not billed again. */
#include "invoice/billing_group.h"

#include "meter/usage_late.h"

#define JOBS_PER_STEP 2000    /* looked at */
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
    for (size_t i = 0; i < MET__GROUP_BATCHES; i++) {
        met__write_log_init(&group->batches[i].log, platform_of(group));
    }
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
    group->begun = 0;
    group->written = 0;
    for (size_t i = 0; i < MET__GROUP_BATCHES; i++) {
        group->batches[i].state = MET__BATCH_FREE;
        met__write_log_release(&group->batches[i].log);
    }
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
    met__usage_gather_next(group->gather);
    met_error error = met__billing_job_ask(context, &job, &is_wanted);
    job.turn = met__usage_gather_turn(group->gather);
    met__arena_release(&arena);
    if (error != MET_OK && error != MET_E_LIMIT
        && met__billing_error_is_of_job(error)) {
        met__billing_job_failed(context->report, &job, error, &why);
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
    group->order = part->order;
    part->order += group->job_count;
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
static met__batch_scope scope_of(met__billing_group *group,
                                 const met__run_part *part)
{
    return (met__batch_scope){.store = group->store,
                              .gather = group->gather,
                              .jobs = group->jobs,
                              .number = (int64_t)group->number,
                              .as_of_ns = part->place.as_of_ns,
                              .order = group->order,
                              .has_place =
                                  part->stage == MET__RUN_CUSTOMERS};
}

/* --- What is to be done --------------------------------------------------- */
static met__billing_batch *batch_at(met__billing_group *group, size_t index)
{
    return &group->batches[index % MET__GROUP_BATCHES];
}

/* The next one to be made, or NULL. */
static met__billing_batch *want_batch(met__billing_group *group)
{
    for (size_t i = group->written; i < group->begun; i++) {
        if (batch_at(group, i)->state == MET__BATCH_WANTED) {
            return batch_at(group, i);
        }
    }
    size_t first = group->begun * MET__BATCH_JOBS;
    size_t left = group->job_count - (first < group->job_count
                                          ? first
                                          : group->job_count);
    if (left == 0 || group->begun - group->written == MET__GROUP_BATCHES) {
        return NULL;
    }
    met__billing_batch *batch = batch_at(group, group->begun++);
    batch->first = first;
    batch->end = first + (left < MET__BATCH_JOBS ? left : MET__BATCH_JOBS);
    batch->state = MET__BATCH_WANTED;
    return batch;
}

int met__billing_group_pick(met__billing_group *group, int is_oldest,
                            met__group_task *task_out)
{
    met__billing_batch *batch = batch_at(group, group->written);

    *task_out = (met__group_task){.kind = MET__TASK_STEP};
    if (group->is_held) {
        return 0;
    }
    if (group->phase < MET__GROUP_WRITING) {
        group->is_held = 1;
        return 1;
    }
    if (is_oldest && group->written < group->begun
        && batch->state == MET__BATCH_MADE) {
        *task_out = (met__group_task){MET__TASK_WRITE, 0, batch};
    } else {
        *task_out = (met__group_task){MET__TASK_MAKE, 0, want_batch(group)};
    }
    if (task_out->batch != NULL) {
        task_out->batch->state = MET__BATCH_HELD;
    }
    return task_out->batch != NULL;
}

int met__billing_group_is_done(const met__billing_group *group)
{
    return !group->is_held && group->phase == MET__GROUP_WRITING
           && group->written * MET__BATCH_JOBS >= group->job_count;
}

void met__billing_group_end(met__billing_group *group,
                            const met__group_task *task, met_error error)
{
    switch (task->kind) {
    case MET__TASK_STEP:
        group->is_held = 0;
        break;
    case MET__TASK_MAKE:
        task->batch->state =
            error == MET_OK ? MET__BATCH_MADE : MET__BATCH_WANTED;
        break;
    default:
        task->batch->state =
            error == MET_OK ? MET__BATCH_FREE : MET__BATCH_MADE;
        group->written += error == MET_OK;
        break;
    }
}

/* --- Tasks ---------------------------------------------------------------- */
met_error met__billing_group_do(met__billing_group *group,
                                const met__group_task *task,
                                met__run_part *part, met_error_info *info)
{
    met__batch_scope scope = scope_of(group, part);

    switch (task->kind) {
    case MET__TASK_MAKE:
        return met__billing_batch_make(&scope, task->batch);
    case MET__TASK_WRITE:
        return met__billing_batch_write(&scope, task->batch, &part->report,
                                        info);
    default:
        return group->phase == MET__GROUP_PLANNING ? plan(group, part)
                                                   : read_some(group, part);
    }
}

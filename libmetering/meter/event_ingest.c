/* One batch of events, one transaction: the duplicate check, usage, balances,
 * ids, cursor, commit. In: events. Out: a verdict for each; on failure nothing
 * has happened. */
#include <stdarg.h>
#include <stdio.h>

#include "meter/event_state.h"

#define EXPIRE_MOST 8 /* batches, so that a batch never waits for many */

met_error met__event_say(met__ingest *ingest, met_event_verdict *verdict,
                         uint32_t what, const char *field, const char *format,
                         ...)
{
    char reason[MET_ERROR_REASON_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    const char *field_copy = met__arena_copy(&ingest->arena, field,
                                             strlen(field));
    const char *reason_copy = met__arena_copy(&ingest->arena, reason,
                                              strlen(reason));
    if (field_copy == NULL || reason_copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *verdict = (met_event_verdict){what, 0, field_copy, reason_copy};
    return MET_OK;
}

/* --- One event ------------------------------------------------------------ */
/* 0: the text is missing or too long, and the verdict says so. */
static int has_text(met__event_run *run, met_event_verdict *verdict,
                    const char *field, const char *text, size_t size,
                    size_t most, met_error *error)
{
    if (text != NULL && size > 0 && size <= most) {
        return 1;
    }
    *error = size > most && text != NULL
                 ? met__event_say(run->ingest, verdict, MET_VERDICT_INVALID,
                                  field, "is longer than %zu bytes", most)
                 : met__event_say(run->ingest, verdict, MET_VERDICT_INVALID,
                                  field, "is missing");
    return 0;
}

static int is_clean(met__event_run *run, met_event_verdict *verdict,
                    const char *field, const char *text, size_t size,
                    met_error *error)
{
    if (met__text_is_clean(met__text_of(text, size))) {
        return 1;
    }
    *error = met__event_say(run->ingest, verdict, MET_VERDICT_INVALID, field,
                            "must be UTF-8 without control characters");
    return 0;
}

static met_error check_form(met__event_run *run, const met_ingest_event *event,
                            met_event_verdict *verdict)
{
    met_error error = MET_OK;

    if (!has_text(run, verdict, "id", event->id, event->id_size,
                  MET__EVENT_ID_SIZE_MAX, &error)
        || !has_text(run, verdict, "source", event->source, event->source_size,
                     MET__EVENT_SOURCE_SIZE_MAX, &error)
        || !has_text(run, verdict, "type", event->type, event->type_size,
                     MET__EVENT_TYPE_SIZE_MAX, &error)
        || !has_text(run, verdict, "subject", event->subject,
                     event->subject_size, MET__SUBJECT_SIZE_MAX, &error)
        || !is_clean(run, verdict, "id", event->id, event->id_size, &error)
        || !is_clean(run, verdict, "source", event->source,
                     event->source_size, &error)) {
        return error;
    }
    if (event->attribute_count > MET__EVENT_FIELDS_MAX
        || event->quantity_count > MET__EVENT_FIELDS_MAX
        || event->attribute_count + event->quantity_count
               > MET__EVENT_FIELDS_MAX) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_INVALID,
                              "attributes", "there are more than %d "
                              "attributes and quantities",
                              MET__EVENT_FIELDS_MAX);
    }
    if ((event->attributes == NULL && event->attribute_count > 0)
        || (event->quantities == NULL && event->quantity_count > 0)) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_INVALID,
                              event->attributes == NULL
                                      && event->attribute_count > 0
                                  ? "attributes"
                                  : "quantities",
                              "is NULL");
    }
    if (event->utc_ns < 0 || event->utc_ns > MET__TIME_MAX) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_INVALID,
                              "time", "must be in the years 1970 to 2200");
    }
    return MET_OK;
}

static met_error check_time(met__event_run *run, int64_t utc_ns,
                            met_event_verdict *verdict)
{
    if (utc_ns < run->state.horizon_ns) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_LATE, "time",
                              "is older than ids are remembered");
    }
    return utc_ns <= run->future_ns
               ? MET_OK
               : met__event_say(run->ingest, verdict, MET_VERDICT_FUTURE,
                                "time", "is too far ahead of the clock");
}

/* --- Known ids ------------------------------------------------------------ */
/* Whether the batch has the id: the index's word is not enough. Who sends
 * again sends in the same order, so the search begins behind the last hit. No
 * write comes between two look-ups, so a batch that was read stays. */
static met_error confirm(met__event_run *run, uint64_t number,
                         met__hash128 hash, int *is_there_out)
{
    met_error error = MET_OK;

    *is_there_out = 0;
    if (run->known_number != number) {
        error = met__event_batch_get(run->txn, number, &run->known);
        run->known_number = error == MET_OK ? number : 0;
        run->known_index = 0;
    }
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    for (uint32_t i = 0; i < run->known.count && !*is_there_out; i++) {
        uint32_t at = run->known_index + i;
        at -= at >= run->known.count ? run->known.count : 0;
        met__hash128 found = met__event_batch_hash(&run->known, at);
        if (found.low == hash.low && found.high == hash.high) {
            *is_there_out = 1;
            run->known_index = at + 1 == run->known.count ? 0 : at + 1;
        }
    }
    return MET_OK;
}

static met_error is_known(met__event_run *run, met__hash128 hash,
                          int *is_known_out)
{
    met__ingest *ingest = run->ingest;
    uint64_t number = 0;
    met__index_cursor place = {0};

    *is_known_out = 0;
    while (met__index_map_next(&run->ids, hash.low, &place)) {
        if (run->hashes[place.index].high == hash.high) {
            *is_known_out = 1;
            return MET_OK;
        }
    }
    if (!met__dedupe_find(&ingest->dedupe, hash, run->horizon_day, &number)) {
        return MET_OK;
    }
    met_error error = confirm(run, number, hash, is_known_out);
    if (error != MET_OK || *is_known_out) {
        return error;
    }
    /* The index named a batch that does not have it: somebody wrote there. */
    error = met__dedupe_rebuild(&ingest->dedupe, run->txn, run->state.batch,
                                run->horizon_day);
    if (error == MET_OK
        && met__dedupe_find(&ingest->dedupe, hash, run->horizon_day,
                            &number)) {
        *is_known_out = 1;
    }
    return error;
}

/* --- All events ----------------------------------------------------------- */
static met_error accept(met__event_run *run, met__hash128 hash, int64_t utc_ns)
{
    uint32_t day = (uint32_t)(utc_ns / MET__DAY_NS);

    run->hashes[run->accepted] = hash;
    run->times[run->accepted] = utc_ns;
    run->day = day > run->day ? day : run->day;
    return met__index_map_add(&run->ids, hash.low, run->accepted++);
}

static met_error take_event(met__event_run *run, const met__event *event,
                            met__hash128 hash, met_event_verdict *verdict)
{
    int64_t utc_ns = event->given.utc_ns != 0 ? event->given.utc_ns
                                              : run->now_ns;
    int is_duplicate = 0;
    met_error error = check_time(run, utc_ns, verdict);

    if (error != MET_OK || verdict->verdict != 0) {
        return error;
    }
    error = is_known(run, hash, &is_duplicate);
    if (error == MET_OK && is_duplicate) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_DUPLICATE,
                              "id", "was accepted before");
    }
    if (error == MET_OK) {
        error = met__event_count(run, event, utc_ns, verdict);
    }
    return error == MET_OK && verdict->verdict == MET_VERDICT_ACCEPTED
               ? accept(run, hash, utc_ns)
               : error;
}

/* First all hashes, so that memory is on its way when it is looked at. */
static met_error take_events(met__event_run *run)
{
    met__arena *arena = &run->ingest->arena;
    met__hash128 *hashes = met__arena_allocate(arena,
                                               run->count * sizeof *hashes);
    met_error error = MET_OK;

    if (hashes == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < run->count; i++) {
        met_event_verdict *verdict = &run->verdicts[i];
        *verdict = run->events[i].said;
        if (verdict->verdict == 0) {
            error = check_form(run, &run->events[i].given, verdict);
        }
        if (error == MET_OK && verdict->verdict == 0) {
            const met_ingest_event *given = &run->events[i].given;
            hashes[i] = met__event_hash(
                run->ingest->store,
                met__text_of(given->source, given->source_size),
                met__text_of(given->id, given->id_size));
            met__dedupe_prefetch(&run->ingest->dedupe, hashes[i]);
        }
    }
    for (uint32_t i = 0; error == MET_OK && i < run->count; i++) {
        met_event_verdict *verdict = &run->verdicts[i];
        if (verdict->verdict == 0) {
            error = take_event(run, &run->events[i], hashes[i], verdict);
        }
        run->state.counters[verdict->verdict % MET__VERDICTS]++;
    }
    return error;
}

/* --- The transaction ------------------------------------------------------ */
static met_error begin_log(met__event_run *run,
                           const met__ingest_settings *settings)
{
    if (met__duration_is_zero(&settings->retain)) {
        return MET_OK;
    }
    /* Before 1970: everything is kept. */
    if (met__duration_add(run->now_ns, &settings->retain, -1, &run->retain_ns)
        != MET_OK) {
        run->retain_ns = 0;
    }
    run->kept = met__arena_allocate(&run->ingest->arena,
                                    run->count * sizeof *run->kept);
    return run->kept != NULL ? MET_OK : MET_E_NO_MEMORY;
}

static met_error begin_run(met__event_run *run)
{
    met__ingest *ingest = run->ingest;
    met__ingest_settings settings;
    met_error error = met__ingest_settings_get(run->txn, &settings);

    if (error == MET_OK) {
        error = met__ingest_state_get(run->txn, &run->state);
    }
    if (error == MET_OK) {
        error = met__ingest_horizon(&settings, run->now_ns,
                                    &run->state.horizon_ns);
    }
    if (error != MET_OK) {
        return error;
    }
    run->future_ns = met__ingest_future(&settings, run->now_ns);
    error = begin_log(run, &settings);
    if (error != MET_OK) {
        return error;
    }
    if (run->state.recorded_ns < run->now_ns) {
        run->state.recorded_ns = run->now_ns;
    }
    run->horizon_day = (uint32_t)(run->state.horizon_ns / MET__DAY_NS);
    run->day = (uint32_t)(run->now_ns / MET__DAY_NS);
    met__index_map_init(&run->ids, &ingest->arena, MET__BATCH_EVENTS_MAX);
    met__index_map_init(&run->minutes, &ingest->arena, MET__BATCH_EVENTS_MAX);
    run->hashes = met__arena_allocate(&ingest->arena,
                                      run->count * sizeof *run->hashes);
    run->times = met__arena_allocate(&ingest->arena,
                                     run->count * sizeof *run->times);
    if (run->hashes == NULL || run->times == NULL) {
        return MET_E_NO_MEMORY;
    }
    ingest->turn++;
    if (ingest->shape_count > MET__EVENT_SHAPES_MAX) {
        met__ingest_forget_shapes(ingest);
    }
    return met__dedupe_catch_up(&ingest->dedupe, run->txn, run->state.batch,
                                run->horizon_day);
}

static met_error write_run(met__event_run *run, met__telling *telling)
{
    met__arena *arena = &run->ingest->arena;
    met_error error = MET_OK;

    if (run->accepted > 0) {
        run->state.batch++;
        error = met__event_write_parts(run, telling);
        if (error == MET_OK) {
            error = met__event_batch_put(run->txn, run->state.batch, run->day,
                                         run->hashes,
                                         run->kept != NULL ? run->times
                                                           : NULL,
                                         run->accepted, &run->state.chain,
                                         arena);
        }
    }
    if (error == MET_OK) {
        error = met__event_write_log(run);
    }
    if (error == MET_OK) {
        error = met__event_batch_expire(run->txn, run->horizon_day,
                                        EXPIRE_MOST);
    }
    return error == MET_OK ? met__ingest_state_put(run->txn, &run->state)
                           : error;
}

/* Everything between begin and commit. */
static met_error work(met__event_run *run, const met_event_cursor *cursor)
{
    met__telling telling;
    met_error error = begin_run(run);

    met__telling_begin(&telling, &run->ingest->steps, run->txn,
                       &run->ingest->arena);
    if (error == MET_OK) {
        error = take_events(run);
    }
    if (error == MET_OK) {
        error = write_run(run, &telling);
    }
    if (error == MET_OK && cursor != NULL) {
        error = met__event_cursor_move(run->txn, cursor, run->info);
    }
    return error == MET_OK ? met__steps_end(&run->ingest->steps, run->txn)
                           : error;
}

/* A batch as it was handed in. */
typedef struct batch {
    met__event *events;
    size_t count;
    met__text json; /* events were read out of; empty: they were not */
    int is_lines;
    int reserved;
    const met_event_cursor *cursor;
    met__verdicts_ready ready;
    void *context;
} batch;

/* What was cut off the index reads as ids that nobody has sent. */
static met_error check_index(const met__ingest *ingest, met_error_info *info)
{
    met_error error = met__mapped_file_check(ingest->platform,
                                             &ingest->dedupe.file);

    return error == MET_E_CORRUPT
               ? met__fail(info, MET_E_IO, "dedupe.map",
                           "was cut short while it was read: nothing is "
                           "stored, and the next batch builds it anew")
               : error;
}

/* Everything before the commit. */
static met_error prepare(met__ingest *ingest, met__event_run *run, batch *b)
{
    int is_new = 0;
    met_error error = met__ingest_take_plan(ingest, run->txn, &is_new);

    if (error == MET_OK && is_new && b->json.size > 0) {
        /* The meters are not those that the events were read for. */
        error = met__events_read(ingest, b->json, b->is_lines, &b->events,
                                 &b->count, run->info);
        run->events = b->events;
    }
    if (error == MET_OK) {
        error = met__steps_begin(&ingest->steps, run->txn);
    }
    if (error == MET_OK) {
        error = work(run, b->cursor);
    }
    if (error == MET_OK && b->ready != NULL) {
        error = b->ready(b->context, run->verdicts, b->count);
    }
    return error == MET_OK ? check_index(ingest, run->info) : error;
}

static met_error transact(met__ingest *ingest, batch *b, met_error_info *info)
{
    met__event_run run = {.ingest = ingest,
                          .info = info,
                          .events = b->events,
                          .count = (uint32_t)b->count,
                          .now_ns = met__now_utc_ns(ingest->platform)};

    run.verdicts = met__arena_allocate(&ingest->arena,
                                       (b->count + 1) * sizeof *run.verdicts);
    if (run.verdicts == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (run.now_ns < 0 || run.now_ns > MET__TIME_MAX) {
        return met__fail(info, MET_E_INVALID, "platform.clock",
                         "is not in the years 1970 to 2200");
    }
    met_error error = met__txn_begin(ingest->store, 1, &run.txn);
    if (error != MET_OK) {
        return error;
    }
    error = prepare(ingest, &run, b);
    if (error == MET_OK) {
        error = met__txn_commit(run.txn);
    } else {
        met__txn_abort(run.txn);
    }
    met__steps_over(&ingest->steps, error == MET_OK);
    if (error != MET_OK) {
        met__ingest_forget_shapes(ingest); /* numbers that never were */
    }
    return error;
}

static met_error check_call(size_t count, const met_event_cursor *cursor,
                            met_error_info *info)
{
    if (count > MET__BATCH_EVENTS_MAX) {
        return met__fail(info, MET_E_LIMIT, "events",
                         "there are %zu, at most %d", count,
                         MET__BATCH_EVENTS_MAX);
    }
    if (count == 0 && cursor == NULL) {
        return met__fail(info, MET_E_INVALID, "events", "there is none");
    }
    if (cursor != NULL
        && (cursor->name == NULL || cursor->name_size == 0
            || cursor->name_size > MET__EVENT_SOURCE_SIZE_MAX
            || !met__text_is_clean(met__text_of(cursor->name,
                                                cursor->name_size)))) {
        return met__fail(info, MET_E_INVALID, "cursor.name",
                         "must be 1 to %d bytes of UTF-8 without control "
                         "characters", MET__EVENT_SOURCE_SIZE_MAX);
    }
    return MET_OK;
}

/* What a room did not say itself. */
static met_error tell(met_error_info *info, met_error error)
{
    if (error != MET_OK && (info == NULL || info->code != error)) {
        return met__fail_code(info, error);
    }
    return error;
}

met_error met__event_ingest(met__ingest *ingest,
                            const met_ingest_event *events, size_t count,
                            const met_event_cursor *cursor,
                            met__verdicts_ready ready, void *context,
                            met_error_info *info)
{
    batch b = {.count = count,
               .cursor = cursor,
               .ready = ready,
               .context = context};
    met_error error = check_call(count, cursor, info);

    if (error != MET_OK) {
        return error;
    }
    met__arena_release(&ingest->arena);
    b.events = met__arena_allocate(&ingest->arena,
                                   (count + 1) * sizeof *b.events);
    if (b.events == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        b.events[i].given = events[i];
        b.events[i].said = (met_event_verdict){0, 0, "", ""};
    }
    return tell(info, transact(ingest, &b, info));
}

/* The plan that events are read by, when there is none yet. */
static met_error prepare_plan(met__ingest *ingest)
{
    met__txn *txn = NULL;
    int is_new = 0;

    if (ingest->has_plan) {
        return MET_OK;
    }
    met_error error = met__txn_begin(ingest->store, 0, &txn);
    if (error == MET_OK) {
        error = met__ingest_take_plan(ingest, txn, &is_new);
    }
    met__txn_abort(txn);
    return error;
}

met_error met__event_ingest_json(met__ingest *ingest, met__text json,
                                 int is_lines, const met_event_cursor *cursor,
                                 met__verdicts_ready ready, void *context,
                                 met_error_info *info)
{
    batch b = {.json = json,
               .is_lines = is_lines,
               .cursor = cursor,
               .ready = ready,
               .context = context};
    met_error error = prepare_plan(ingest);

    met__arena_release(&ingest->arena);
    if (error == MET_OK) {
        error = met__events_read(ingest, json, is_lines, &b.events, &b.count,
                                 info);
    }
    if (error == MET_OK) {
        error = check_call(b.count, cursor, info);
    }
    return tell(info, error == MET_OK ? transact(ingest, &b, info) : error);
}

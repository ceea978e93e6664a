/* event.h: events with ids; arguments checked here, and the steps of later
 * rooms handed to ingest. */
#include "metering/event.h"

#include "api/document_call.h"
#include "base/caller_struct.h"
#include "entitlement/access.h"
#include "meter/correction.h"
#include "meter/event_ingest.h"

#define CURSOR_SIZE_MIN MET__SIZE_THROUGH(met_event_cursor, offset)

#define PROBLEMS_MAX 100

struct met_ingest {
    met_store *store;
    met__ingest *ingest;
    met__balance_step *step;
    met__settle_step steps[1];
};

/* --- Handle --------------------------------------------------------------- */
met_error met_ingest_open(met_store *store, const met_ingest_config *config,
                          met_ingest **ingest_out, met_error_info *info)
{
    met_ingest_config known = {.struct_size = sizeof known};
    met_error error = MET_OK;

    if (store == NULL || ingest_out == NULL) {
        return met__fail_null(info, store == NULL ? "store" : "ingest_out");
    }
    if (config != NULL) {
        error = met__struct_read(&known, sizeof known,
                                 sizeof known.struct_size, config, "config",
                                 info);
    }
    if (error == MET_OK && known.flags != 0) {
        error = met__fail(info, MET_E_UNSUPPORTED, "config.flags",
                          "has an unknown bit");
    }
    if (error != MET_OK) {
        return error;
    }
    met_ingest *ingest = met__allocate(met__store_platform(store),
                                       sizeof *ingest);
    if (ingest == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    ingest->store = store;
    error = met__balance_step_create(store, &ingest->step);
    if (error == MET_OK) {
        ingest->steps[0] = met__balance_step_of(ingest->step);
        error = met__ingest_open(store, ingest->steps, 1, &ingest->ingest,
                                 info);
    } else {
        met__fail_code(info, error);
    }
    if (error != MET_OK) {
        met_ingest_close(ingest);
        return error;
    }
    *ingest_out = ingest;
    return MET_OK;
}

void met_ingest_close(met_ingest *ingest)
{
    if (ingest != NULL) {
        met__ingest_close(ingest->ingest);
        met__balance_step_destroy(ingest->step);
        met__release(met__store_platform(ingest->store), ingest,
                     sizeof *ingest);
    }
}

/* --- Events --------------------------------------------------------------- */
/* The caller's cursor as we know the struct; NULL stays NULL. */
static met_error read_cursor(const met_event_cursor *cursor,
                             met_event_cursor *known,
                             const met_event_cursor **cursor_out,
                             met_error_info *info)
{
    *cursor_out = NULL;
    if (cursor == NULL) {
        return MET_OK;
    }
    *cursor_out = known;
    return met__struct_read(known, sizeof *known, CURSOR_SIZE_MIN, cursor,
                            "cursor", info);
}

/* What the room says, or the general message of the code. */
static met_error tell(met_error_info *info, met_error error,
                      const met_error_info *why)
{
    return why->code == error
               ? met__fail(info, error, why->field, "%s", why->reason)
               : met__fail_code(info, error);
}

static met_error keep_verdicts(void *context,
                               const met_event_verdict *verdicts, size_t count)
{
    const met_event_verdict **verdicts_out = context;

    (void)count;
    *verdicts_out = verdicts;
    return MET_OK;
}

met_error met_event_ingest(met_ingest *ingest, const met_ingest_event *events,
                           size_t count, const met_event_cursor *cursor,
                           met_event_verdict *verdicts_out,
                           met_error_info *info)
{
    met_event_cursor known;
    const met_event_cursor *place;
    const met_event_verdict *verdicts = NULL;
    met_error_info why = {.struct_size = sizeof why};

    if (ingest == NULL || (events == NULL && count > 0)) {
        return met__fail_null(info, ingest == NULL ? "ingest" : "events");
    }
    met_error error = read_cursor(cursor, &known, &place, &why);
    if (error == MET_OK) {
        error = met__event_ingest(ingest->ingest, events, count, place,
                                  keep_verdicts, &verdicts, &why);
    }
    if (error != MET_OK) {
        return tell(info, error, &why);
    }
    if (verdicts_out != NULL && count > 0) {
        memcpy(verdicts_out, verdicts, count * sizeof *verdicts);
    }
    return MET_OK;
}

/* A report is made before the commit: memory that runs out stores nothing. */
typedef struct reporting {
    met_store *store;
    int is_wanted;
    int reserved;
    met_buffer given;
} reporting;

static void write_problem(met__buffer *buffer, size_t index,
                          const met_event_verdict *verdict)
{
    met__buffer_print(buffer, "{\"index\":%zu,\"verdict\":\"%s\",\"field\":",
                      index, met__verdict_names[verdict->verdict]);
    met__json_write_text(met__text_z(verdict->field), buffer);
    met__buffer_text(buffer, ",\"reason\":");
    met__json_write_text(met__text_z(verdict->reason), buffer);
    met__buffer_byte(buffer, '}');
}

static met_error write_report(void *context,
                              const met_event_verdict *verdicts, size_t count)
{
    reporting *report = context;
    uint64_t counts[MET__VERDICTS] = {0};
    met__buffer buffer;
    size_t problems = 0;

    if (!report->is_wanted) {
        return MET_OK;
    }
    met__buffer_init(&buffer, met__store_platform(report->store));
    for (size_t i = 0; i < count; i++) {
        counts[verdicts[i].verdict]++;
    }
    met__buffer_print(&buffer, "{\"events\":%zu", count);
    for (size_t i = 1; i < MET__VERDICTS; i++) {
        met__buffer_print(&buffer, ",\"%s\":%llu", met__verdict_names[i],
                          (unsigned long long)counts[i]);
    }
    met__buffer_text(&buffer, ",\"verdicts\":[");
    for (size_t i = 0; i < count; i++) {
        met__buffer_print(&buffer, i > 0 ? ",\"%s\"" : "\"%s\"",
                          met__verdict_names[verdicts[i].verdict]);
    }
    met__buffer_text(&buffer, "],\"problems\":[");
    for (size_t i = 0; i < count && problems < PROBLEMS_MAX; i++) {
        if (verdicts[i].reason[0] != '\0') {
            met__buffer_text(&buffer, problems++ > 0 ? "," : "");
            write_problem(&buffer, i, &verdicts[i]);
        }
    }
    met__buffer_text(&buffer, "]}");
    met_error error = met__buffer_give(&buffer, &report->given);
    met__buffer_release(&buffer);
    return error;
}

met_error met_event_ingest_json(met_ingest *ingest, const char *json,
                                size_t json_size, uint64_t flags,
                                const met_event_cursor *cursor,
                                met_buffer *report_out, met_error_info *info)
{
    met_event_cursor known;
    const met_event_cursor *place;
    met_error_info why = {.struct_size = sizeof why};

    if (ingest == NULL || json == NULL) {
        return met__fail_null(info, ingest == NULL ? "ingest" : "json");
    }
    if (flags > MET_EVENTS_LINES) {
        return met__fail(info, MET_E_UNSUPPORTED, "flags",
                         "has an unknown bit");
    }
    reporting report = {.store = ingest->store,
                        .is_wanted = report_out != NULL};
    met_error error = read_cursor(cursor, &known, &place, &why);
    if (error == MET_OK) {
        error = met__event_ingest_json(
            ingest->ingest, met__text_of(json, json_size),
            flags == MET_EVENTS_LINES, place, write_report, &report, &why);
    }
    if (error != MET_OK) {
        met_buffer_release(&report.given);
        return tell(info, error, &why);
    }
    if (report_out != NULL) {
        *report_out = report.given;
    }
    return MET_OK;
}

/* --- Cursors and settings ------------------------------------------------- */
met_error met_event_cursor_get(met_store *store, const char *name,
                               size_t name_size, met_event_cursor *cursor_out,
                               met_error_info *info)
{
    met_event_cursor known;
    met__call call;
    met__text text = {NULL, 0};
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && cursor_out == NULL) {
        error = met__fail_null(&call.why, "cursor_out");
    }
    if (error == MET_OK) {
        error = met__struct_read(&known, sizeof known, CURSOR_SIZE_MIN,
                                 cursor_out, "cursor_out", &call.why);
    }
    if (error == MET_OK) {
        error = met__call_key(&call, "name", name, name_size,
                              MET__EVENT_SOURCE_SIZE_MAX, &text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__event_cursor_read(call.txn, text, &known.generation,
                                       &known.offset);
    }
    error = met__call_end(&call, error, NULL, NULL);
    return error == MET_OK
               ? met__struct_write(cursor_out, sizeof known.struct_size,
                                   &known, sizeof known)
               : error;
}

met_error met_event_settings_put(met_store *store, const char *json,
                                 size_t json_size, met_buffer *json_out,
                                 met_error_info *info)
{
    return met__call_put_settings(store, json, json_size,
                                  met__ingest_settings_put,
                                  met__ingest_describe, json_out, info);
}

met_error met_event_settings_get(met_store *store, met_buffer *json_out,
                                 met_error_info *info)
{
    return met__call_describe(store, met__ingest_describe, json_out, info);
}

/* --- Retained events ------------------------------------------------------ */
met_error met_event_list(met_store *store, const char *json, size_t json_size,
                         met_buffer *json_out, met_error_info *info)
{
    static const met__path path = {NULL, "list", 0};
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__event_list(call.txn, node, &path, &call.arena, &document,
                                &call.why);
    }
    return met__call_end(&call, error, document, json_out);
}

met_error met_event_explain(met_store *store, const char *source,
                            size_t source_size, const char *id, size_t id_size,
                            met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__text source_text = {NULL, 0};
    met__text id_text = {NULL, 0};
    met__node *document = NULL;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__call_key(&call, "source", source, source_size,
                              MET__EVENT_SOURCE_SIZE_MAX, &source_text);
    }
    if (error == MET_OK) {
        error = met__call_key(&call, "id", id, id_size,
                              MET__EVENT_ID_SIZE_MAX, &id_text);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = met__event_explain(call.txn, source_text, id_text, &call.arena,
                                   &document);
    }
    return met__call_end(&call, error, document, json_out);
}

/* --- Corrections ---------------------------------------------------------- */
typedef met_error (*correction)(met__txn *txn, const met__steps *steps,
                                const met__node *node, const met__path *path,
                                met__arena *arena, met__node **node_out,
                                met_error_info *info);

/* A call that writes a part: balances follow in its transaction. */
static met_error correct(met_store *store, const char *json, size_t json_size,
                         const met__path *path, correction run,
                         met_buffer *json_out, met_error_info *info)
{
    met__call call;
    met__node *node = NULL;
    met__node *document = NULL;
    met__balance_step *step = NULL;
    met__settle_step list[1];
    met__steps steps = {list, 1, 0};
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &node);
    }
    if (error == MET_OK) {
        error = met__balance_step_create(store, &step);
    }
    if (error == MET_OK) {
        list[0] = met__balance_step_of(step);
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__steps_begin(&steps, call.txn);
    }
    if (error == MET_OK) {
        error = run(call.txn, &steps, node, path, &call.arena, &document,
                    &call.why);
    }
    if (error == MET_OK) {
        error = met__steps_end(&steps, call.txn);
    }
    error = met__call_end(&call, error, document, json_out);
    met__steps_over(&steps, error == MET_OK);
    met__balance_step_destroy(step);
    return error;
}

met_error met_event_retract(met_store *store, const char *json,
                            size_t json_size, met_buffer *json_out,
                            met_error_info *info)
{
    static const met__path path = {NULL, "retraction", 0};

    return correct(store, json, json_size, &path, met__event_retract, json_out,
                   info);
}

met_error met_usage_adjust(met_store *store, const char *json,
                           size_t json_size, met_buffer *json_out,
                           met_error_info *info)
{
    static const met__path path = {NULL, "adjustment", 0};

    return correct(store, json, json_size, &path, met__usage_adjust, json_out,
                   info);
}

met_error met_usage_adjustment_list(met_store *store, met_buffer *json_out,
                                    met_error_info *info)
{
    met__call call;
    met__node *array = NULL;
    met_error error = met__call_read(&call, store, json_out, info);

    if (error == MET_OK) {
        error = met__adjustment_list(call.txn, MET__TEXT(""), 0, &call.arena,
                                     &array);
    }
    return met__call_end_items(&call, error, array, json_out);
}

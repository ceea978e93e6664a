/* Commands on events: event ingest, list, explain, retract, settings; and
 * usage adjust. */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_BYTES (8u * 1024 * 1024)
#define PROBLEMS_SHOWN 10

/* --- event ingest --------------------------------------------------------- */
static const char *const verdict_names[] = {"accepted", "duplicate", "late",
                                            "future", "no_meter", "no_value",
                                            "invalid"};
#define VERDICTS (sizeof verdict_names / sizeof *verdict_names)

typedef struct ingestion {
    tool *self;
    const char *name;
    FILE *file;
    met_ingest *ingest;
    met_event_cursor cursor;
    int has_cursor;
    int is_array;
    int64_t batch_max;    /* events */
    long long total;      /* bytes of the file; 0: not known */
    long long offset;     /* bytes read */
    char *bytes;          /* the batch that is being read */
    size_t size;
    long long lines[MET_INGEST_EVENTS_MAX]; /* where its events stand */
    size_t count;
    long long line;
    long long events;
    long long counts[VERDICTS];
    long long problems;
} ingestion;

/* What is wrong with single events: the first ones, by line. */
static void show_problems(ingestion *in, json_t *report)
{
    size_t i;
    json_t *problem;

    json_array_foreach(json_object_get(report, "problems"), i, problem) {
        const char *verdict = json_string_value(json_object_get(problem,
                                                                "verdict"));
        size_t index = (size_t)json_integer_value(json_object_get(problem,
                                                                  "index"));
        if (strcmp(verdict, "accepted") == 0
            || strcmp(verdict, "duplicate") == 0
            || in->problems++ >= PROBLEMS_SHOWN) {
            continue;
        }
        tool_progress_end();
        fprintf(stderr, "%s %s %lld: %s: %s %s\n", in->name,
                in->is_array ? "event" : "line",
                in->is_array ? (long long)index + 1 : in->lines[index],
                verdict,
                json_string_value(json_object_get(problem, "field")),
                json_string_value(json_object_get(problem, "reason")));
    }
}

static int add_report(ingestion *in, const met_buffer *answer)
{
    json_t *report = json_loadb(answer->data, answer->size, 0, NULL);

    if (report == NULL) {
        return tool_fail(in->self, "out of memory");
    }
    in->events += json_integer_value(json_object_get(report, "events"));
    for (size_t i = 0; i < VERDICTS; i++) {
        in->counts[i] += json_integer_value(
            json_object_get(report, verdict_names[i]));
    }
    show_problems(in, report);
    json_decref(report);
    return TOOL_OK;
}

static int send_batch(ingestion *in)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};

    in->cursor.offset = (uint64_t)in->offset;
    met_error error = met_event_ingest_json(
        in->ingest, in->bytes, in->size,
        in->is_array ? 0 : MET_EVENTS_LINES,
        in->has_cursor ? &in->cursor : NULL, &answer, &info);
    if (error != MET_OK) {
        tool_progress_end();
        return tool_error(in->self, error, &info);
    }
    int status = add_report(in, &answer);
    met_buffer_release(&answer);
    in->size = 0;
    in->count = 0;
    unsigned long long expected =
        in->total > 0 && in->offset > 0
            ? (unsigned long long)((double)in->events / (double)in->offset
                                   * (double)in->total)
            : 0;
    tool_progress("events", (unsigned long long)in->events, expected);
    return status;
}

static int is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0') {
            return 0;
        }
    }
    return 1;
}

static int take_lines(ingestion *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int status = TOOL_OK;

    while (status == TOOL_OK
           && (size = getline(&line, &room, in->file)) >= 0) {
        in->line++;
        if ((size_t)size > BATCH_BYTES) {
            status = tool_fail(in->self, "%s line %lld: longer than 8 MiB",
                               in->name, in->line);
            break;
        }
        if (in->count == (size_t)in->batch_max
            || in->size + (size_t)size + 1 > BATCH_BYTES) {
            status = send_batch(in);
        }
        if (status != TOOL_OK) {
            break;
        }
        in->offset += size;
        if (!is_blank(line, (size_t)size)) {
            memcpy(in->bytes + in->size, line, (size_t)size);
            in->size += (size_t)size;
            if (line[size - 1] != '\n') {
                in->bytes[in->size++] = '\n';
            }
            in->lines[in->count++] = in->line;
        }
    }
    if (status == TOOL_OK && ferror(in->file)) {
        status = tool_fail(in->self, "%s: %s", in->name, strerror(errno));
    }
    free(line);
    return status == TOOL_OK && in->count > 0 ? send_batch(in) : status;
}

static int take_array(ingestion *in)
{
    in->is_array = 1;
    in->size = fread(in->bytes, 1, BATCH_BYTES, in->file);
    in->offset += (long long)in->size;
    if (in->size == BATCH_BYTES && getc(in->file) != EOF) {
        return tool_fail(in->self, "%s: an array of more than 8 MiB: write "
                                   "one event a line", in->name);
    }
    return send_batch(in);
}

/* Where the last run ended. */
static int find_place(ingestion *in)
{
    met_error_info info = {.struct_size = sizeof info};
    met_event_cursor found = {.struct_size = sizeof found};
    met_error error = met_event_cursor_get(in->self->store, in->cursor.name,
                                           in->cursor.name_size, &found,
                                           &info);

    if (error == MET_E_NOT_FOUND
        || (error == MET_OK && found.generation < in->cursor.generation)) {
        return TOOL_OK;
    }
    if (error != MET_OK) {
        return tool_error(in->self, error, &info);
    }
    in->cursor.generation = found.generation;
    if (in->total > 0 && found.offset > (uint64_t)in->total) {
        return tool_fail(in->self, "%s: is shorter than what was read of it: "
                                   "another file? give --generation %llu",
                         in->name, (unsigned long long)found.generation + 1);
    }
    for (; in->offset < (long long)found.offset; in->offset++) {
        int byte = getc(in->file);
        if (byte == EOF) {
            break;
        }
        in->line += byte == '\n';
    }
    return TOOL_OK;
}

static int print_counts(const ingestion *in)
{
    int is_clean = in->counts[0] + in->counts[1] == in->events;

    if (in->self->is_json) {
        json_t *summary = json_pack("{s:I}", "events",
                                    (json_int_t)in->events);
        for (size_t i = 0; i < VERDICTS; i++) {
            json_object_set_new(summary, verdict_names[i],
                                json_integer((json_int_t)in->counts[i]));
        }
        tool_print_line(in->self, summary);
    } else {
        printf("%10lld  events\n", in->events);
        for (size_t i = 0; i < VERDICTS; i++) {
            if (in->counts[i] > 0) {
                printf("%10lld  %s\n", in->counts[i], verdict_names[i]);
            }
        }
    }
    if (in->problems > PROBLEMS_SHOWN) {
        fprintf(stderr, "and %lld more like these\n",
                in->problems - PROBLEMS_SHOWN);
    }
    return is_clean ? TOOL_OK : TOOL_FAILED;
}

static int ingest_file(ingestion *in)
{
    met_error_info info = {.struct_size = sizeof info};
    struct stat found;
    int status = TOOL_OK;

    if (in->file != stdin && fstat(fileno(in->file), &found) == 0
        && S_ISREG(found.st_mode)) {
        in->total = (long long)found.st_size;
    }
    if (in->has_cursor) {
        status = find_place(in);
    }
    met_error error = met_ingest_open(in->self->store, NULL, &in->ingest,
                                      &info);
    if (error != MET_OK) {
        return tool_error(in->self, error, &info);
    }
    if (status == TOOL_OK) {
        int first = getc(in->file);
        ungetc(first, in->file);
        status = first == '[' && !in->has_cursor ? take_array(in)
                                                 : take_lines(in);
    }
    tool_progress_end();
    met_ingest_close(in->ingest);
    return status == TOOL_OK ? print_counts(in) : status;
}

int command_event_ingest(tool *self)
{
    ingestion *in = calloc(1, sizeof *in);
    int64_t generation = 0;

    if (in == NULL || (in->bytes = malloc(BATCH_BYTES + 1)) == NULL) {
        free(in);
        return tool_fail(self, "out of memory");
    }
    in->self = self;
    in->name = self->arguments[0];
    int status = tool_option_number(self, "batch", 1000, 1,
                                    MET_INGEST_EVENTS_MAX, &in->batch_max);
    if (status == TOOL_OK) {
        status = tool_option_number(self, "generation", 0, 0, INT64_MAX,
                                    &generation);
    }
    const char *name = tool_option(self, "cursor", 0);
    if (name != NULL) {
        in->has_cursor = 1;
        in->cursor = (met_event_cursor){
            sizeof in->cursor, name, strlen(name), (uint64_t)generation, 0};
    }
    if (status == TOOL_OK) {
        status = tool_open(self, 0);
    }
    if (status == TOOL_OK) {
        in->file = tool_input_open(self, in->name);
        status = in->file != NULL ? ingest_file(in) : TOOL_FAILED;
        tool_input_close(in->file);
    }
    free(in->bytes);
    free(in);
    return status;
}

/* --- event list, explain, retract, settings ------------------------------- */
static void set_text(json_t *object, const tool *self, const char *option,
                     const char *member)
{
    const char *text = tool_option(self, option, 0);

    if (text != NULL) {
        json_t *value = json_string(text);
        /* What is no UTF-8 goes to the library as what it is not: a text. */
        json_object_set_new(object, member, value ? value : json_integer(0));
    }
}

typedef met_error (*document_call)(met_store *store, const char *json,
                                   size_t json_size, met_buffer *json_out,
                                   met_error_info *info);

/* Sends a document, prints the answer. Takes the reference. */
static int call_with(tool *self, document_call call, json_t *document,
                     const char *const *columns)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = json_dumps(document, JSON_COMPACT);
    int status = text ? tool_open(self, 0)
                      : tool_fail(self, "out of memory");

    json_decref(document);
    if (status == TOOL_OK) {
        met_error error = call(self->store, text, strlen(text), &answer,
                               &info);
        if (error != MET_OK) {
            status = tool_error(self, error, &info);
        } else if (columns != NULL) {
            status = tool_print_list(self, answer.data, answer.size, "items",
                                     columns);
        } else {
            status = tool_print_document(self, answer.data, answer.size);
        }
        met_buffer_release(&answer);
    }
    free(text);
    return status;
}

int command_event_list(tool *self)
{
    static const char *const columns[] = {
        "time", "event.source", "event.id", "event.type", "event.subject",
        NULL};
    int64_t limit = 0;
    json_t *request = json_object();
    int status = tool_option_number(self, "limit", 100, 1, 1000, &limit);

    if (status != TOOL_OK) {
        json_decref(request);
        return status;
    }
    set_text(request, self, "from", "from");
    set_text(request, self, "to", "to");
    set_text(request, self, "subject", "subject");
    set_text(request, self, "type", "type");
    set_text(request, self, "cursor", "cursor");
    json_object_set_new(request, "limit", json_integer(limit));
    return call_with(self, met_event_list, request, columns);
}

int command_event_explain(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *source = self->arguments[0];
    const char *id = self->arguments[1];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_event_explain(self->store, source, strlen(source),
                                        id, strlen(id), &answer, &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = tool_print_document(self, answer.data, answer.size);
    met_buffer_release(&answer);
    return status;
}

int command_event_retract(tool *self)
{
    json_t *request = json_object();

    json_object_set_new(request, "source", json_string(self->arguments[0]));
    json_object_set_new(request, "id", json_string(self->arguments[1]));
    set_text(request, self, "reason", "reason");
    set_text(request, self, "actor", "actor");
    return call_with(self, met_event_retract, request, NULL);
}

static met_error get_settings(met_store *store, const char *json,
                              size_t json_size, met_buffer *json_out,
                              met_error_info *info)
{
    (void)json;
    (void)json_size;
    return met_event_settings_get(store, json_out, info);
}

int command_event_settings(tool *self)
{
    json_t *settings = json_object();

    set_text(settings, self, "late-after", "late_after");
    set_text(settings, self, "future-after", "future_after");
    set_text(settings, self, "retain", "retain");
    return call_with(self,
                     json_object_size(settings) > 0 ? met_event_settings_put
                                                    : get_settings,
                     settings, NULL);
}

/* --- usage adjust --------------------------------------------------------- */
int command_usage_adjust(tool *self)
{
    static const char *const names[] = {"meter", "subject", "time", "value",
                                        "reason", "actor"};
    json_t *request = json_object();
    json_t *dimensions = json_object();

    json_object_set_new(request, "id", json_string(self->arguments[0]));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        set_text(request, self, names[i], names[i]);
    }
    for (int i = 0; tool_option(self, "dimension", i) != NULL; i++) {
        const char *text = tool_option(self, "dimension", i);
        const char *equals = strchr(text, '=');
        char name[160];
        if (equals == NULL || equals == text
            || (size_t)(equals - text) >= sizeof name) {
            json_decref(request);
            json_decref(dimensions);
            return tool_usage(self, "--dimension: \"%s\" is not NAME=VALUE",
                              text);
        }
        snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
        json_object_set_new(dimensions, name, json_string(equals + 1));
    }
    if (json_object_size(dimensions) > 0) {
        json_object_set(request, "dimensions", dimensions);
    }
    json_decref(dimensions);
    return call_with(self, met_usage_adjust, request, NULL);
}

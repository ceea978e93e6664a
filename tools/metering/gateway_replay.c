/* metering gateway replay: recorded requests through admit and complete, in
 * virtual time, into a store that has counted nothing yet. In: NDJSON. Out: a
 * summary, or each decision. Every line is read before the first is replayed,
 * so that a bad one changes nothing. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define TICK_NS INT64_C(1000000000)

/* One recorded request; the texts live in one block behind it. */
typedef struct recorded {
    int64_t time_ns;
    int64_t status;
    int64_t cost;
    const char *texts[7]; /* NULL: not given */
    size_t sizes[7];
} recorded;

/* What the texts are. */
enum { KEY, SERVICE, ROUTE, METHOD, PATH, QUERY, CLIENT_IP };
static const char *const text_names[7] = {
    "key", "service", "route", "method", "path", "query", "client_ip"};

typedef struct reason_count {
    char name[48];
    uint32_t status;
    unsigned long long count;
} reason_count;

typedef struct replay {
    tool *self;
    const char *file;
    recorded **requests;
    size_t count;
    size_t room;
    met_gateway *gateway;
    int64_t ticked_ns;
    int64_t settled_ns;
    int64_t settle_every_ns;
    unsigned long long admitted;
    reason_count reasons[32];
    size_t reason_total;
} replay;

/* --- Reading -------------------------------------------------------------- */
static recorded *keep(const recorded *request)
{
    size_t size = sizeof *request;

    for (int i = 0; i < 7; i++) {
        size += request->sizes[i];
    }
    recorded *kept = malloc(size);
    if (kept != NULL) {
        char *at = (char *)(kept + 1);
        *kept = *request;
        for (int i = 0; i < 7; i++) {
            if (request->texts[i] != NULL) {
                memcpy(at, request->texts[i], request->sizes[i]);
                kept->texts[i] = at;
                at += request->sizes[i];
            }
        }
    }
    return kept;
}

static int read_request(const tool *self, void *context, long long number,
                        json_t *object)
{
    replay *run = context;
    tool_line line = {.self = self, .file = run->file, .number = number,
                      .object = object};
    recorded request = {.status = 200, .cost = 1};

    tool_line_time(&line, "time", &request.time_ns);
    for (int i = 0; i < 7; i++) {
        tool_line_text(&line, text_names[i], 0, &request.texts[i],
                       &request.sizes[i]);
    }
    tool_line_number(&line, "status", 100, 599, &request.status);
    tool_line_number(&line, "cost", 1, MET_LIMITER_LIMIT_MAX, &request.cost);
    if (line.status == TOOL_OK && run->count > 0
        && request.time_ns < run->requests[run->count - 1]->time_ns) {
        tool_line_failed(&line, "time", "is before the line above");
    }
    if (line.status == TOOL_OK && request.time_ns <= 0) {
        tool_line_failed(&line, "time", "must be after 1970");
    }
    if (tool_line_end(&line) != TOOL_OK) {
        return line.status;
    }
    if (run->count == run->room) {
        size_t room = run->room ? run->room * 2 : 1024;
        recorded **grown = realloc(run->requests, room * sizeof *grown);
        if (grown == NULL) {
            return tool_fail(self, "out of memory");
        }
        run->requests = grown;
        run->room = room;
    }
    run->requests[run->count] = keep(&request);
    if (run->requests[run->count] == NULL) {
        return tool_fail(self, "out of memory");
    }
    run->count++;
    return TOOL_OK;
}

/* A store that counts for real must not see virtual time. */
static int check_is_fresh(const tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    met_error error = met_store_stats(self->store, &report, &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    json_t *root = json_loadb(report.data, report.size, 0, NULL);
    json_t *tally = json_object_get(root, "tally");
    json_int_t used =
        json_integer_value(
            json_object_get(json_object_get(root, "tables"), "part"))
        + json_integer_value(json_object_get(tally, "cells_unsettled"));
    json_int_t live = json_integer_value(json_object_get(tally,
                                                         "slots_live"));
    json_decref(root);
    met_buffer_release(&report);
    if (used != 0) {
        return tool_fail(self, "%s holds usage already: replay into a new "
                               "store", self->directory);
    }
    return live == 0 ? TOOL_OK
                     : tool_fail(self, "%s is counting: replay into a new "
                                       "store", self->directory);
}

/* --- Replaying ------------------------------------------------------------ */
static int settle(const replay *run)
{
    met_settle_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met_store_settle(run->self->store, &config, NULL, &info);

    return error == MET_OK ? TOOL_OK : tool_error(run->self, error, &info);
}

/* What the host does about once a second, before the request at time_ns. */
static int keep_time(replay *run, int64_t time_ns)
{
    run->self->virtual_ns = time_ns;
    if (time_ns - run->ticked_ns >= TICK_NS) {
        run->ticked_ns = time_ns;
        met_error error = met_gateway_tick(run->gateway);
        if (error != MET_OK) {
            return tool_error(run->self, error, NULL);
        }
    }
    if (time_ns - run->settled_ns >= run->settle_every_ns) {
        run->settled_ns = time_ns;
        return settle(run);
    }
    return TOOL_OK;
}

static int count_reason(replay *run, const met_gateway_decision *decision)
{
    const char *name = decision->reason_name;
    size_t i = 0;

    if (decision->is_admitted) {
        run->admitted++;
        return TOOL_OK;
    }
    while (i < run->reason_total && strcmp(run->reasons[i].name, name) != 0) {
        i++;
    }
    if (i == sizeof run->reasons / sizeof *run->reasons) {
        return tool_fail(run->self, "too many kinds of refusal");
    }
    if (i == run->reason_total) {
        snprintf(run->reasons[i].name, sizeof run->reasons[i].name, "%s",
                 name);
        run->reasons[i].status = decision->status;
        run->reason_total++;
    }
    run->reasons[i].count++;
    return TOOL_OK;
}

static int print_decision(const replay *run, const recorded *request,
                          const met_gateway_decision *decision)
{
    char time[MET_TIME_TEXT_SIZE];

    if (!tool_flag(run->self, "decisions")) {
        return TOOL_OK;
    }
    if (met_time_format(request->time_ns, time) != MET_OK) {
        time[0] = '\0';
    }
    return tool_print_line(
        run->self,
        json_pack("{s:s, s:s%, s:s%, s:b, s:i, s:s, s:I}", "time", time,
                  "consumer", decision->consumer ? decision->consumer : "",
                  decision->consumer_size, "service",
                  decision->service ? decision->service : "",
                  decision->service_size, "is_admitted",
                  (int)decision->is_admitted, "status",
                  (int)(decision->is_admitted ? request->status
                                              : decision->status),
                  "reason", decision->reason_name, "wait_ns",
                  (json_int_t)decision->wait_ns));
}

static int replay_one(replay *run, const recorded *row)
{
    const char *key_name = tool_option(run->self, "key-name", 0);
    met_pair header = {.key = key_name ? key_name : "apikey"};
    met_gateway_request request = {.struct_size = sizeof request};
    met_gateway_decision decision = {.struct_size = sizeof decision};
    met_gateway_outcome outcome = {.struct_size = sizeof outcome};

    header.key_size = strlen(header.key);
    header.value = row->texts[KEY];
    header.value_size = row->sizes[KEY];
    request.headers = &header;
    request.header_count = header.value != NULL;
    request.service = row->texts[SERVICE];
    request.service_size = row->sizes[SERVICE];
    request.route = row->texts[ROUTE];
    request.route_size = row->sizes[ROUTE];
    request.method = row->texts[METHOD] ? row->texts[METHOD] : "GET";
    request.method_size = row->texts[METHOD] ? row->sizes[METHOD]
                                                  : 3;
    request.path = row->texts[PATH];
    request.path_size = row->sizes[PATH];
    request.query = row->texts[QUERY];
    request.query_size = row->sizes[QUERY];
    request.client_ip = row->texts[CLIENT_IP];
    request.client_ip_size = row->sizes[CLIENT_IP];
    request.cost = (uint64_t)row->cost;
    request.utc_ns = row->time_ns;
    request.monotonic_ns = row->time_ns;
    met_error error = met_gateway_admit(run->gateway, &request, &decision);
    if (error != MET_OK) {
        return tool_error(run->self, error, NULL);
    }
    if (decision.is_admitted) {
        outcome.status = (uint32_t)row->status;
        outcome.upstream_status = outcome.status;
        error = met_gateway_complete(run->gateway, &decision.ticket, &outcome);
        if (error != MET_OK) {
            return tool_error(run->self, error, NULL);
        }
    }
    int status = count_reason(run, &decision);
    return status == TOOL_OK ? print_decision(run, row, &decision)
                             : status;
}

static int print_summary(replay *run)
{
    FILE *out = tool_flag(run->self, "decisions") ? stderr : stdout;

    if (run->self->is_json) {
        json_t *refused = json_object();
        for (size_t i = 0; i < run->reason_total; i++) {
            json_object_set_new(
                refused, run->reasons[i].name,
                json_integer((json_int_t)run->reasons[i].count));
        }
        return tool_print_line(
            run->self, json_pack("{s:I, s:I, s:o}", "attempts",
                                 (json_int_t)run->count, "admitted",
                                 (json_int_t)run->admitted, "refused",
                                 refused));
    }
    fprintf(out, "%10zu  attempts\n%10llu  admitted\n", run->count,
            run->admitted);
    for (size_t i = 0; i < run->reason_total; i++) {
        fprintf(out, "%10llu  refused: %s (%u)\n", run->reasons[i].count,
                run->reasons[i].name, run->reasons[i].status);
    }
    return TOOL_OK;
}

static int replay_all(replay *run)
{
    met_gateway_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};

    run->self->virtual_ns = run->requests[0]->time_ns;
    int status = tool_open(run->self, 0);
    status = status == TOOL_OK ? check_is_fresh(run->self) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_gateway_open(run->self->store, &config,
                                       &run->gateway, &info);
    if (error != MET_OK) {
        return tool_error(run->self, error, &info);
    }
    run->settled_ns = run->requests[0]->time_ns;
    for (size_t i = 0; status == TOOL_OK && i < run->count; i++) {
        status = keep_time(run, run->requests[i]->time_ns);
        if (status == TOOL_OK) {
            status = replay_one(run, run->requests[i]);
        }
        tool_progress("replayed", i + 1, run->count);
    }
    met_gateway_close(run->gateway);
    tool_progress_end();
    status = status == TOOL_OK ? settle(run) : status;
    return status == TOOL_OK ? print_summary(run) : status;
}

int command_gateway_replay(tool *self)
{
    replay run = {.self = self, .file = self->arguments[0]};
    const char *text = tool_option(self, "settle-every", 0);

    run.settle_every_ns = text ? tool_duration(text) : tool_duration("1h");
    if (run.settle_every_ns <= 0) {
        return tool_usage(self, "--settle-every: \"%s\" is not a duration "
                                "like 1s or 1h", text);
    }
    int status = tool_input_lines(self, run.file, &run, read_request);
    if (status == TOOL_OK && run.count == 0) {
        status = tool_fail(self, "%s: has no requests", run.file);
    }
    if (status == TOOL_OK) {
        status = replay_all(&run);
    }
    for (size_t i = 0; i < run.count; i++) {
        free(run.requests[i]);
    }
    free(run.requests);
    return status;
}

/* Golden sections of usage: events are taken in by a store of the case's own,
 * and the public query answers. */
#include <math.h>
#include <stdlib.h>

#include "golden.h"
#include "metering/customer.h"
#include "metering/event.h"
#include "metering/meter.h"
#include "metering/store.h"
#include "store/object.h"
#include "support/temp_directory.h"

static int64_t now_ns; /* an hour after the event that came last */

static int64_t read_clock(void *context)
{
    (void)context;
    return now_ns;
}

typedef struct usage_case {
    golden *self;
    met_store *store;
    char home[64];
    met_error_info info;
} usage_case;

static int begin_case(usage_case *now, golden *self)
{
    char path[128];
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, read_clock, read_clock}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = UINT64_C(64) << 20,
                               .flags = MET_STORE_CREATE};

    *now = (usage_case){.self = self};
    now->info.struct_size = sizeof now->info;
    now_ns = INT64_C(1735689600000000000); /* 2025 */
    temp_directory_fast(now->home, sizeof now->home);
    snprintf(path, sizeof path, "%s/s", now->home);
    if (met_store_open(path, strlen(path), &config, &now->store, &now->info)
        != MET_OK) {
        golden_fail(self, "no store: %s", now->info.reason);
        return 0;
    }
    return 1;
}

static void end_case(usage_case *now)
{
    met_store_close(now->store);
    temp_remove(now->home);
}

/* --- Documents ------------------------------------------------------------ */
static void add(golden *self, met__node *object, const char *name,
                const met__node *node)
{
    if (node != NULL && node->kind != MET__NODE_NULL) {
        (void)met__node_add(self->arena, object, met__text_z(name),
                            (met__node *)(uintptr_t)node);
    }
}

static void add_text(golden *self, met__node *object, const char *name,
                     met__text text)
{
    add(self, object, name, met__node_text(self->arena, text));
}

/* "UNIQUE_COUNT" as "unique_count". */
static met__text lower(golden *self, met__text text)
{
    char *copy = met__arena_copy(self->arena, text.data, text.size);

    for (size_t i = 0; i < text.size; i++) {
        copy[i] = (char)(copy[i] >= 'A' && copy[i] <= 'Z' ? copy[i] + 32
                                                          : copy[i]);
    }
    return met__text_of(copy, text.size);
}

typedef met_error (*document_call)(met_store *store, const char *json,
                                   size_t json_size, met_buffer *json_out,
                                   met_error_info *info);

/* What the call answers, or NULL with the error in now->info. */
static met__node *ask(usage_case *now, document_call call,
                      const met__node *node)
{
    met__buffer text;
    met_buffer answer = {0};
    met__node *read = NULL;

    now->info = (met_error_info){.struct_size = sizeof now->info};
    met__buffer_init(&text, now->self->platform);
    met__json_write(node, 0, &text);
    if (call(now->store, text.data, text.size, &answer, &now->info)
        == MET_OK) {
        (void)met__json_parse(now->self->arena,
                              met__text_of(answer.data, answer.size), &read,
                              NULL);
    }
    met_buffer_release(&answer);
    met__buffer_release(&text);
    return read;
}

/* The meter of a case as ours; a dimension that is the value itself, which no
 * meter may have, is left out. */
static int put_meter(usage_case *now, const char *key, const met__node *meter,
                     const char *event_type)
{
    golden *self = now->self;
    met__node *document = met__node_object(self->arena);
    met__node *dimensions = met__node_object(self->arena);
    const met__node *value = golden_get(self, meter, "value_property");
    const met__node *groups = golden_get(self, meter, "group_by");

    for (uint32_t i = 0; groups != NULL && i < groups->count; i++) {
        const met__member *member = &groups->as.members[i];
        if (value == NULL || !met__node_equal(value, member->node)) {
            (void)met__node_add(self->arena, dimensions, member->name,
                                member->node);
        }
    }
    add_text(self, document, "key", met__text_z(key));
    add_text(self, document, "name", met__text_z(key));
    add_text(self, document, "event_type", met__text_z(event_type));
    add_text(self, document, "aggregation",
             lower(self, golden_text(self, meter, "aggregation")));
    add(self, document, "value_property", value);
    add(self, document, "dimensions", dimensions);
    add(self, document, "events_from", golden_get(self, meter, "event_from"));
    if (ask(now, met_meter_put, document) == NULL) {
        golden_fail(self, "the meter: %s %s", now->info.field,
                    now->info.reason);
        return 0;
    }
    return 1;
}

/* --- Events --------------------------------------------------------------- */
/* A case's event as a CloudEvent. */
static met__node *cloud_event(golden *self, const met__node *given,
                              uint32_t index)
{
    met__node *event = met__node_object(self->arena);
    const met__node *data = met__node_get(given, "data");
    const met__node *id = met__node_get(given, "id");
    const met__node *source = met__node_get(given, "source");
    const met__node *type = met__node_get(given, "type");
    const met__node *subject = met__node_get(given, "subject");
    char number[16];

    snprintf(number, sizeof number, "%u", index);
    add_text(self, event, "specversion", MET__TEXT("1.0"));
    add_text(self, event, "id",
             id != NULL ? id->as.text : met__text_z(number));
    add_text(self, event, "source",
             source != NULL ? source->as.text : MET__TEXT("golden"));
    add_text(self, event, "type",
             type != NULL ? type->as.text : MET__TEXT("t"));
    add_text(self, event, "subject",
             subject != NULL ? subject->as.text : MET__TEXT("s"));
    add(self, event, "time", met__node_get(given, "time"));
    add(self, event, "data", data != NULL ? data : given);
    return event;
}

/* Events are retained, so that bounds inside a minute can be told. */
static met_error ingest(met_store *store, const char *json, size_t json_size,
                        met_buffer *json_out, met_error_info *info)
{
    static const char settings[] = "{\"retain\":\"P3660D\"}";
    met_ingest *handle = NULL;
    met_error error = met_event_settings_put(store, settings,
                                             sizeof settings - 1, NULL, info);

    if (error == MET_OK) {
        error = met_ingest_open(store, NULL, &handle, info);
    }
    if (error == MET_OK) {
        error = met_event_ingest_json(handle, json, json_size, 0, NULL,
                                      json_out, info);
    }
    met_ingest_close(handle);
    return error;
}

/* Whether ingest refused a number because it has too many digits. */
static void note_digits(golden *self, const met__node *report)
{
    const met__node *problems = met__node_get(report, "problems");

    for (uint32_t i = 0; problems != NULL && i < problems->count; i++) {
        const met__node *reason = met__node_get(problems->as.items[i],
                                                "reason");
        if (reason != NULL && reason->as.text.size > 0
            && strstr(reason->as.text.data, "digits") != NULL) {
            self->rule = "rule.digits";
        }
    }
}

/* In the order of the case: of several events of one instant the one that came
 * in last is the latest. */
static void take_in(usage_case *now, const met__node *events)
{
    golden *self = now->self;
    met__node *list = met__node_array(self->arena);

    for (uint32_t i = 0; events != NULL && i < events->count; i++) {
        const met__node *event = events->as.items[i];
        if (met__node_get(event, "time") != NULL) {
            now_ns = golden_time(self, event, "time") + MET__HOUR_NS;
        }
        (void)met__node_append(self->arena, list,
                               cloud_event(self, event, i));
    }
    if (list->count == 0) {
        return;
    }
    met__node *report = ask(now, ingest, list);
    if (report == NULL) {
        golden_fail(self, "events: %s %s", now->info.field,
                    now->info.reason);
    } else {
        note_digits(self, report);
    }
}

/* --- Rows ----------------------------------------------------------------- */
/* Our row as the cases show it; customers as the ids the case gave them. */
static met__node *shown_row(golden *self, const met__node *row,
                            const met__node *customers)
{
    met__node *shown = met__node_object(self->arena);
    met__node *groups = met__node_object(self->arena);
    const met__node *dimensions = met__node_get(row, "dimensions");
    const met__node *customer = met__node_get(row, "customer");

    add(self, shown, "from", met__node_get(row, "from"));
    add(self, shown, "to", met__node_get(row, "to"));
    add(self, shown, "value", met__node_get(row, "value"));
    add(self, groups, "subject", met__node_get(row, "subject"));
    for (uint32_t i = 0; customer != NULL && i < customers->count; i++) {
        const met__node *one = customers->as.items[i];
        const met__node *key = met__node_get(one, "key");
        const met__node *id = met__node_get(one, "id");
        if (met__node_equal(customer, key == NULL
                                              || key->kind == MET__NODE_NULL
                                          ? id
                                          : key)) {
            add(self, groups, "customer_id", id);
        }
    }
    for (uint32_t i = 0; i < dimensions->count; i++) {
        (void)met__node_add(self->arena, groups,
                            dimensions->as.members[i].name,
                            dimensions->as.members[i].node);
    }
    add(self, shown, "group_by", groups);
    return shown;
}

static double double_of(golden *self, const met__node *node)
{
    met__buffer buffer;
    double value = (double)NAN;

    if (node == NULL) {
        return value;
    }
    if (node->kind == MET__NODE_TEXT) {
        return strtod(met__arena_copy(self->arena, node->as.text.data,
                                      node->as.text.size),
                      NULL);
    }
    met__buffer_init(&buffer, self->platform);
    if (node->kind == MET__NODE_DECIMAL) {
        (void)met__decimal_print(node->as.decimal, &buffer);
    } else {
        met__json_write(node, 0, &buffer);
    }
    value = strtod(buffer.data, NULL);
    met__buffer_release(&buffer);
    return value;
}

/* The peer computes in floating point: a value that only lacks digits there is
 * the same. */
static int is_near(golden *self, const met__node *expected,
                   const met__node *got)
{
    double a = double_of(self, expected);
    double b = double_of(self, got);

    return fabs(a - b) <= 4e-15 * fabs(a);
}

static int is_group_of(const met__node *expected, const met__node *got)
{
    const met__node *from = met__node_get(expected, "from");
    const met__node *groups = met__node_get(expected, "group_by");
    const met__node *others = met__node_get(got, "group_by");

    if (!met__node_equal(from, met__node_get(got, "from"))) {
        return 0;
    }
    for (uint32_t i = 0; groups != NULL && i < groups->count; i++) {
        const met__member *member = &groups->as.members[i];
        int is_same = 0;
        for (uint32_t j = 0; j < others->count; j++) {
            is_same |= met__text_equal(others->as.members[j].name,
                                       member->name)
                       && met__node_equal(others->as.members[j].node,
                                          member->node);
        }
        if (!is_same) {
            return 0;
        }
    }
    return groups == NULL || groups->count == others->count;
}

/* Within a window the order of rows is not asserted. */
static void same_rows(golden *self, const met__node *expected,
                      const met__node *data, const met__node *customers)
{
    met__node *got = met__node_array(self->arena);

    for (uint32_t i = 0; i < data->count; i++) {
        (void)met__node_append(self->arena, got,
                               shown_row(self, data->as.items[i], customers));
    }
    for (uint32_t i = 0; expected != NULL && i < expected->count; i++) {
        const met__node *want = expected->as.items[i];
        const met__node *value = met__node_get(want, "value");
        for (uint32_t j = i; j < got->count; j++) {
            met__node *row = got->as.items[j];
            if (!is_group_of(want, row)) {
                continue;
            }
            if (is_near(self, value, met__node_get(row, "value"))) {
                (void)met__node_set(self->arena, row, "value",
                                    (met__node *)(uintptr_t)value);
            }
            got->as.items[j] = got->as.items[i];
            got->as.items[i] = row;
            break;
        }
    }
    golden_same(self, expected, got);
}

/* --- Queries -------------------------------------------------------------- */
static void add_bound(golden *self, met__node *query, const char *name,
                      const met__node *input)
{
    const met__node *node = met__node_get(input, name);

    if (node != NULL && node->kind == MET__NODE_TEXT) {
        if (golden_time(self, input, name) % MET__MINUTE_NS != 0) {
            self->rule = "rule.minutes";
        }
        add(self, query, name, node);
    }
}

/* The customers of a case are put, too. */
static met__node *query_of(usage_case *now, const met__node *input)
{
    golden *self = now->self;
    met__node *query = met__node_object(self->arena);
    const met__node *window = met__node_get(input, "window");
    const met__node *customers = met__node_get(input, "customers");
    met__node *keys = met__node_array(self->arena);

    add_text(self, query, "meter", MET__TEXT("m"));
    add_bound(self, query, "from", input);
    add_bound(self, query, "to", input);
    if (window != NULL && window->kind == MET__NODE_TEXT) {
        add_text(self, query, "window", lower(self, window->as.text));
    }
    add(self, query, "time_zone", met__node_get(input, "time_zone"));
    add(self, query, "group_by", met__node_get(input, "group_by"));
    add(self, query, "subjects", met__node_get(input, "subjects"));
    add(self, query, "filters", met__node_get(input, "filter_group_by"));
    for (uint32_t i = 0; customers != NULL && i < customers->count; i++) {
        const met__node *given = customers->as.items[i];
        const met__node *key = met__node_get(given, "key");
        met__node *document = met__node_object(self->arena);
        met__node *owner = met__node_object(self->arena);
        if (key == NULL || key->kind == MET__NODE_NULL) {
            key = met__node_get(given, "id");
        }
        add(self, owner, "subject_keys", met__node_get(given,
                                                       "subject_keys"));
        add(self, document, "key", key);
        add(self, document, "name", met__node_text_z(self->arena, "n"));
        add(self, document, "usage_attribution", owner);
        (void)ask(now, met_customer_put, document);
        (void)met__node_append(self->arena, keys,
                               (met__node *)(uintptr_t)key);
    }
    if (keys->count > 0) {
        add(self, query, "customers", keys);
    }
    return query;
}

static void run_query(usage_case *now, const met__node *input,
                      const met__node *expected)
{
    met__node *query = query_of(now, input);
    met__node *answer = ask(now, met_usage_query, query);

    if (answer == NULL) {
        golden_fail(now->self, "the query: %s %s", now->info.field,
                    now->info.reason);
        return;
    }
    same_rows(now->self, expected, met__node_get(answer, "data"),
              met__node_get(input, "customers"));
}

/* aggregation and store_cases: {"events", "meter", "query"} -> rows. */
static void run_store(golden *self, const met__node *item)
{
    usage_case now;
    const met__node *events = golden_get(self, item, "input.events");
    const met__node *meter = golden_get(self, item, "input.meter");
    const met__node *query = golden_get(self, item, "input.query");

    if (events != NULL && events->kind == MET__NODE_TEXT) {
        events = met__node_get(self->file, "dataset");
    }
    if (!begin_case(&now, self)) {
        return;
    }
    met__text type = golden_text(self, meter, "event_type");
    if (put_meter(&now, "m", meter,
                  met__arena_copy(self->arena, type.data, type.size))) {
        take_in(&now, events);
        run_query(&now, query, golden_get(self, item, "expect"));
    }
    end_case(&now);
}

/* {"aggregation", "events": [{"time", "value"}], "from", ...} -> rows; where a
 * case also says what the real store answers, that is what we answer. */
static void run_window(golden *self, const met__node *item)
{
    usage_case now;
    const met__node *input = golden_get(self, item, "input");
    const met__node *rows = golden_get(self, item, "store_semantics.rows");
    met__node *meter = met__node_object(self->arena);

    if (golden_get(self, input, "filter_stored_at") != NULL) {
        golden_skip(self, "usage does not keep when it was stored");
        return;
    }
    if (!begin_case(&now, self)) {
        return;
    }
    add(self, meter, "aggregation", golden_get(self, input, "aggregation"));
    add_text(self, meter, "value_property", MET__TEXT("$.value"));
    if (golden_get(self, item, "expect.error") != NULL) {
        if (ask(&now, met_usage_query, query_of(&now, input)) != NULL
            || strstr(now.info.reason, "no meter") == NULL) {
            golden_fail(self, "got %s", now.info.reason);
        }
    } else if (put_meter(&now, "m", meter, "t")) {
        take_in(&now, golden_get(self, input, "events"));
        run_query(&now, input,
                  rows != NULL ? rows : golden_get(self, item, "expect.rows"));
    }
    end_case(&now);
}

/* --- One event ------------------------------------------------------------ */
/* What one event comes to: its value if it has one, and its dimensions, which
 * a second meter shows that counts every event. */
static void run_parse(golden *self, const met__node *item)
{
    usage_case now;
    const met__node *meter = golden_get(self, item, "input.meter");
    const met__node *value = golden_get(self, item, "expect.value");
    const met__node *groups = golden_get(self, meter, "group_by");
    const met__node *text = golden_get(self, item, "expect.value_text");
    met__node *event = met__node_object(self->arena);
    met__node *events = met__node_array(self->arena);
    met__node *all = met__node_object(self->arena);
    met__node *dimensions = met__node_object(self->arena);
    met__node *query = met__node_object(self->arena);
    met__node *data = NULL;
    met__node *names = met__node_array(self->arena);
    int is_text = text != NULL && text->kind == MET__NODE_TEXT;

    if (met__json_parse(self->arena, golden_text(self, item, "input.data"),
                        &data, NULL)
        != MET_OK) {
        data = met__node_null(self->arena); /* no event of any meter's */
    }
    (void)met__node_add(self->arena, event, MET__TEXT("data"), data);
    add_text(self, event, "time", MET__TEXT("2025-01-01T00:00:00Z"));
    (void)met__node_append(self->arena, events, event);
    for (uint32_t i = 0; groups != NULL && i < groups->count; i++) {
        (void)met__node_add(self->arena, dimensions, groups->as.members[i].name,
                            groups->as.members[i].node);
        (void)met__node_append(self->arena, names,
                               met__node_text(self->arena,
                                              groups->as.members[i].name));
    }
    if (is_text) {
        add(self, dimensions, "value_text",
            golden_get(self, meter, "value_property"));
        (void)met__node_append(self->arena, names,
                               met__node_text_z(self->arena, "value_text"));
    }
    add_text(self, all, "aggregation", MET__TEXT("COUNT"));
    add(self, all, "group_by", dimensions);
    add(self, query, "group_by", names);
    if (!begin_case(&now, self)) {
        return;
    }
    if (put_meter(&now, "m", meter, "t") && put_meter(&now, "all", all, "t")) {
        take_in(&now, events);
        met__node *sums = ask(&now, met_usage_query, query_of(&now, query));
        (void)met__node_set(self->arena, query, "group_by", names);
        met__node *shown = query_of(&now, query);
        (void)met__node_set(self->arena, shown, "meter",
                            met__node_text_z(self->arena, "all"));
        if (is_text) { /* the meter itself has no such dimension */
            sums = NULL;
        }
        met__node *counted = ask(&now, met_usage_query, shown);
        const met__node *rows = counted ? met__node_get(counted, "data")
                                        : NULL;
        const met__node *row = rows && rows->count == 1 ? rows->as.items[0]
                                                        : NULL;
        const met__node *got = row ? met__node_get(row, "dimensions") : NULL;
        if (got == NULL) {
            golden_fail(self, "the event: %s", now.info.reason);
        } else {
            golden_same(self, golden_get(self, item, "expect.group_by"), got);
            if (is_text) {
                golden_same(self, text, met__node_get(got, "value_text"));
            }
        }
        rows = sums ? met__node_get(sums, "data") : NULL;
        if (rows != NULL && value != NULL && value->kind != MET__NODE_NULL) {
            golden_same(self, value,
                        rows->count == 1
                            ? met__node_get(rows->as.items[0], "value")
                            : NULL);
        } else if (rows != NULL && rows->count != 0) {
            golden_fail(self, "an event without a value has one");
        }
    }
    end_case(&now);
}

/* Bounds and customers that are refused. */
static void run_refused(golden *self, const met__node *item)
{
    usage_case now;
    met__node *meter = met__node_object(self->arena);

    add_text(self, meter, "aggregation", MET__TEXT("COUNT"));
    if (!begin_case(&now, self)) {
        return;
    }
    if (put_meter(&now, "m", meter, "t")) {
        const met__node *error = golden_get(self, item, "expect.error");
        met__node *query = query_of(&now, golden_get(self, item, "input"));
        int is_accepted = ask(&now, met_usage_query, query) != NULL;
        int is_refused = error != NULL && error->kind != MET__NODE_NULL;
        if (is_accepted == is_refused
            || (is_refused && now.info.code != MET_E_INVALID)) {
            golden_fail(self, "got %s %s",
                        is_accepted ? "an answer" : now.info.field,
                        now.info.reason);
        }
    }
    end_case(&now);
}

const golden_kind golden_usage_sections[] = {
    {"aggregation", run_store, NULL},
    {"store_cases", run_store, NULL},
    {"window_cases", run_window, NULL},
    {"event_parse", run_parse, NULL},
    {"query_validation", run_refused, NULL},
    {NULL, NULL, NULL},
};

/* Golden sections of events: they come in as JSON, through the public call, in
 * a store of the case's own. */
#include "golden.h"
#include "metering/event.h"
#include "metering/meter.h"
#include "metering/store.h"
#include "support/temp_directory.h"

#define IDS_MAX 32

typedef struct event_case {
    golden *self;
    met_store *store;
    met_ingest *ingest;
    char home[64];
    met_error_info info;
} event_case;

/* 0: the case has failed. */
static int must(event_case *now, met_error error, const char *what)
{
    if (error != MET_OK) {
        golden_fail(now->self, "%s: %s", what, now->info.reason);
    }
    return error == MET_OK;
}

static int begin_case(event_case *now, golden *self)
{
    static const char settings[] = "{\"retain\":\"P90D\"}";
    char path[128];
    met_store_config config = {.struct_size = sizeof config,
                               .map_size_bytes = UINT64_C(64) << 20,
                               .flags = MET_STORE_CREATE};

    *now = (event_case){.self = self,
                        .info = {.struct_size = sizeof now->info}};
    temp_directory_fast(now->home, sizeof now->home);
    snprintf(path, sizeof path, "%s/s", now->home);
    return must(now,
                met_store_open(path, strlen(path), &config, &now->store,
                               &now->info),
                "no store")
           && must(now,
                   met_event_settings_put(now->store, settings,
                                          sizeof settings - 1, NULL,
                                          &now->info),
                   "settings")
           && must(now,
                   met_ingest_open(now->store, NULL, &now->ingest,
                                   &now->info),
                   "ingest");
}

static void end_case(event_case *now)
{
    met_ingest_close(now->ingest);
    met_store_close(now->store);
    temp_remove(now->home);
}

/* A meter that counts events of this type; again is no harm. */
static int count_type(event_case *now, uint32_t number, met__text type)
{
    char json[512];
    int size = snprintf(json, sizeof json,
                        "{\"key\":\"m%u\",\"name\":\"m\",\"event_type\":"
                        "\"%.*s\",\"aggregation\":\"count\"}",
                        number, (int)type.size, type.data);

    return must(now,
                met_meter_put(now->store, json, (size_t)size, NULL,
                              &now->info),
                "meter");
}

/* "accepted", ... of one event; NULL when it was refused as a whole. */
static const char *verdict_on(event_case *now, met__text event,
                              met__node **report_out)
{
    met_buffer report = {0};
    met__node *root = NULL;

    now->info = (met_error_info){.struct_size = sizeof now->info};
    if (met_event_ingest_json(now->ingest, event.data, event.size, 0, NULL,
                              &report, &now->info)
        != MET_OK) {
        return NULL;
    }
    met_error error = met__json_parse(now->self->arena,
                                      met__text_of(report.data, report.size),
                                      &root, NULL);
    met_buffer_release(&report);
    if (error != MET_OK) {
        return NULL;
    }
    *report_out = root;
    return met__node_get(root, "verdicts")->as.items[0]->as.text.data;
}

/* --- Sections ------------------------------------------------------------- */
typedef struct event_id {
    met__text type;
    char joined[512]; /* as the peer joins them */
    char pair[512];
} event_id;

/* Whether the peer takes two different pairs for one. */
static int collide(const event_id *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(ids[i].joined, ids[k].joined) == 0
                && strcmp(ids[i].pair, ids[k].pair) != 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* A namespace is a part of the source: a store has one. */
static const char *send(event_case *now, const met__node *one, uint32_t number,
                        event_id *id)
{
    golden *self = now->self;
    char json[2048];
    met__node *report = NULL;
    const met__node *type = met__node_get(one, "type");
    met__text space = golden_text(self, one, "namespace");
    met__text source = golden_text(self, one, "source");
    met__text name = golden_text(self, one, "id");

    id->type = type != NULL && type->kind == MET__NODE_TEXT ? type->as.text
                                                            : MET__TEXT("t");
    snprintf(id->joined, sizeof id->joined, "%.*s-%.*s-%.*s", (int)space.size,
             space.data, (int)source.size, source.data, (int)name.size,
             name.data);
    snprintf(id->pair, sizeof id->pair, "%zu:%.*s:%zu:%.*s:%.*s", space.size,
             (int)space.size, space.data, source.size, (int)source.size,
             source.data, (int)name.size, name.data);
    if (!count_type(now, number, id->type)) {
        return NULL;
    }
    int size = snprintf(
        json, sizeof json,
        "{\"specversion\":\"1.0\",\"id\":\"%.*s\",\"source\":"
        "\"%zu:%.*s/%.*s\",\"type\":\"%.*s\",\"subject\":\"s\"}",
        (int)name.size, name.data, space.size, (int)space.size, space.data,
        (int)source.size, source.data, (int)id->type.size, id->type.data);
    return verdict_on(now, met__text_of(json, (size_t)size), &report);
}

static void run_dedupe(golden *self, const met__node *item)
{
    static event_id ids[IDS_MAX];
    event_case now;
    const met__node *input = golden_get(self, item, "input");
    met__node *kept = met__node_array(self->arena);

    if (input == NULL || input->kind != MET__NODE_ARRAY
        || input->count > IDS_MAX || !begin_case(&now, self)) {
        golden_fail(self, "cannot begin");
        return;
    }
    for (uint32_t i = 0; i < input->count && !self->failed; i++) {
        const char *verdict = send(&now, input->as.items[i], i, &ids[i]);
        if (verdict == NULL) {
            golden_fail(self, "event %u: %s", i, now.info.reason);
        } else if (strcmp(verdict, "accepted") == 0) {
            (void)met__node_append(self->arena, kept,
                                   met__node_integer(self->arena, i));
        }
    }
    if (collide(ids, input->count)) {
        self->rule = "rule.ids";
    }
    golden_same(self, golden_get(self, item, "expect.kept"), kept);
    end_case(&now);
}

/* The data of the only retained event; NULL without. */
static const met__node *listed_data(event_case *now)
{
    met_buffer list = {0};
    met__node *root = NULL;

    if (!must(now, met_event_list(now->store, "{}", 2, &list, &now->info),
              "list")) {
        return NULL;
    }
    met_error error = met__json_parse(now->self->arena,
                                      met__text_of(list.data, list.size),
                                      &root, NULL);
    met_buffer_release(&list);
    if (error != MET_OK || met__node_get(root, "items")->count != 1) {
        golden_fail(now->self, "nothing is retained");
        return NULL;
    }
    return met__node_get(
        met__node_get(met__node_get(root, "items")->as.items[0], "event"),
        "data");
}

static void run_serialisation(golden *self, const met__node *item)
{
    event_case now;
    char json[4096];
    met__node *report = NULL;
    met__node *expected = NULL;
    const met__node *data = golden_get(self, item, "input.data");
    const met__node *stored = golden_get(self, item, "expect.stored_data");
    int has_data = data != NULL && data->kind == MET__NODE_TEXT;

    if (!begin_case(&now, self) || !count_type(&now, 0, MET__TEXT("t"))) {
        return;
    }
    int size = snprintf(json, sizeof json,
                        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":"
                        "\"s\",\"type\":\"t\",\"subject\":\"s\"%s%.*s}",
                        has_data ? ",\"data\":" : "",
                        has_data ? (int)data->as.text.size : 0,
                        has_data ? data->as.text.data : "");
    const char *verdict = verdict_on(&now,
                                     met__text_of(json, (size_t)size),
                                     &report);
    int is_kept = verdict != NULL && strcmp(verdict, "accepted") == 0;
    if (stored == NULL || stored->kind != MET__NODE_TEXT) {
        golden_same_flag(self, met__node_boolean(self->arena, 0), is_kept);
    } else if (!is_kept) {
        golden_fail(self, "was not accepted");
    } else {
        const met__node *found = listed_data(&now);
        if (stored->as.text.size == 0) {
            golden_same_flag(self, met__node_boolean(self->arena, 0),
                             found != NULL);
        } else if (found == NULL
                   || met__json_parse(self->arena, stored->as.text, &expected,
                                      NULL)
                          != MET_OK
                   || !met__node_equal(expected, found)) {
            golden_fail(self, "other data is retained");
        }
    }
    end_case(&now);
}

const golden_kind golden_event_sections[] = {
    {"dedupe", run_dedupe, NULL},
    {"event_serialisation", run_serialisation, NULL},
    {"event_list_params", NULL,
     "lists of events have one order, and a store no namespaces"},
    {NULL, NULL, NULL},
};

/* Golden sections of filters, group names, windows and meter definitions. */
#include "golden.h"
#include "meter/meter_def.h"
#include "meter/usage_request.h"

static const met__path root = {NULL, "filter", 0};

/* --- Filters -------------------------------------------------------------- */
static void run_match(golden *self, const met__node *item)
{
    met__text condition = {NULL, 0};
    const met__node *filter = golden_get(self, item, "input.filter");
    met__text value = golden_text(self, item, "input.value");
    met_error error = filter != NULL
                          ? met__condition_read(filter, &root,
                                                MET__DOCUMENT_DEPTH_MAX, 0,
                                                self->arena, &condition, NULL)
                          : MET_E_INVALID;

    if (golden_get(self, item, "expect.error") != NULL) {
        golden_same_flag(self, golden_get(self, item, "expect.error"),
                         error != MET_OK);
    } else if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    } else {
        golden_same_flag(self, golden_get(self, item, "expect.match"),
                         met__condition_holds(condition, value));
    }
}

static void run_validation(golden *self, const met__node *item)
{
    met__text condition = {NULL, 0};
    const met__node *filter = golden_get(self, item, "input.filter");
    met_error error = filter != NULL
                          ? met__condition_read(filter, &root,
                                                MET__DOCUMENT_DEPTH_MAX, 0,
                                                self->arena, &condition, NULL)
                          : MET_E_INVALID;

    if (error == MET_E_UNSUPPORTED) {
        golden_skip(self, "like and its kin are not served");
    } else {
        golden_same_flag(self, golden_get(self, item, "expect.valid"),
                         error == MET_OK);
    }
}

/* The peer counts the level of the operands, too. */
static void run_depth(golden *self, const met__node *item)
{
    met__text condition = {NULL, 0};
    const met__node *filter = golden_get(self, item, "input.filter");
    const met__node *depth = golden_get(self, item, "input.max_depth");
    const met__node *wanted = golden_get(self, item, "expect.error");

    if (filter == NULL || depth == NULL || depth->kind != MET__NODE_INTEGER) {
        golden_fail(self, "the case has no filter or depth");
        return;
    }
    met_error error = met__condition_read(filter, &root,
                                          (int)depth->as.integer - 1, 0,
                                          self->arena, &condition, NULL);
    int is_refused = wanted != NULL && wanted->kind != MET__NODE_NULL;
    if (error != (is_refused ? MET_E_LIMIT : MET_OK)) {
        golden_fail(self, "got %s", met_error_name(error));
    }
}

static void run_choice(golden *self, const met__node *item)
{
    met__text texts[MET__FILTER_VALUES_MAX];
    met__node *values = met__node_array(self->arena);
    const met__node *input = golden_get(self, item, "input");
    const met__node *wanted = golden_get(self, item, "expect.values");
    size_t count = 0;
    met_error error = met__choice_read(
        input != NULL && input->kind == MET__NODE_NULL ? NULL : input, &root,
        MET__SUBJECT_SIZE_MAX, texts, &count, NULL);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        (void)met__node_append(self->arena, values,
                               met__node_text(self->arena, texts[i]));
    }
    if (error != (wanted != NULL ? MET_OK : MET_E_INVALID)) {
        golden_fail(self, "got %s", met_error_name(error));
    } else if (wanted != NULL) {
        golden_same(self, wanted, values);
    }
}

/* --- Queries -------------------------------------------------------------- */
static void run_window_name(golden *self, const met__node *item)
{
    static const char *const names[] = {NULL, "MINUTE", "HOUR", "DAY",
                                        "MONTH"};
    met__usage_request *request = NULL;
    met__node *query = met__node_object(self->arena);
    const met__node *wanted = golden_get(self, item, "expect.window");

    (void)met__node_add(self->arena, query, MET__TEXT("meter"),
                        met__node_text_z(self->arena, "m"));
    (void)met__node_add(self->arena, query, MET__TEXT("window"),
                        met__node_text(self->arena,
                                       golden_text(self, item, "input")));
    met_error error = met__usage_request_read(query, &root, self->arena,
                                              &request, NULL);
    if (error != (wanted != NULL ? MET_OK : MET_E_INVALID)) {
        golden_fail(self, "got %s", met_error_name(error));
    } else if (wanted != NULL) {
        golden_same(self, wanted,
                    met__node_text_z(self->arena,
                                     names[request->query.window]));
    }
}

static void run_group_name(golden *self, const met__node *item)
{
    static met__meter meter;
    met__usage_customer customer = {.key = MET__TEXT("c")};
    met__text group = golden_text(self, item, "input.dimension");
    const met__node *names = golden_get(self, item, "input.meter_dimensions");
    met__usage_query query = {.meter = &meter,
                              .from_ns = MET__USAGE_FIRST,
                              .to_ns = MET__USAGE_LAST,
                              .group_count = 1,
                              .groups = &group,
                              .customer_count = 1,
                              .customers = &customer};

    meter = (met__meter){.aggregation = MET__AGGREGATION_COUNT};
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        meter.dimensions[meter.dimension_count++].name =
            names->as.items[i]->as.text;
    }
    golden_same_flag(self, golden_get(self, item, "expect.supported"),
                     met__usage_query_check(&query, NULL) == MET_OK);
}

/* --- Meters --------------------------------------------------------------- */
static void copy(golden *self, met__node *document, const char *name,
                 const met__node *node)
{
    if (node != NULL && node->kind != MET__NODE_NULL) {
        (void)met__node_add(self->arena, document, met__text_z(name),
                            (met__node *)(uintptr_t)node);
    }
}

/* Names in capitals are ours in small letters; of the peer's two patterns of
 * keys ours is the newer one, which takes _ where the older takes -. */
static met__node *renamed(golden *self, const met__node *node)
{
    if (node == NULL || node->kind != MET__NODE_TEXT) {
        return NULL;
    }
    char *text = met__arena_copy(self->arena, node->as.text.data,
                                 node->as.text.size);
    for (size_t i = 0; i < node->as.text.size; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z') {
            text[i] = (char)(text[i] + 32);
        } else if (text[i] == '-') {
            text[i] = '_';
        }
    }
    return met__node_text(self->arena,
                          met__text_of(text, node->as.text.size));
}

static met_error read_meter(golden *self, const met__node *input)
{
    met__node *document = met__node_object(self->arena);
    met__meter *meter = NULL;

    copy(self, document, "key", renamed(self, met__node_get(input, "key")));
    copy(self, document, "name", met__node_text_z(self->arena, "n"));
    copy(self, document, "event_type", met__node_get(input, "event_type"));
    copy(self, document, "aggregation",
         renamed(self, met__node_get(input, "aggregation")));
    copy(self, document, "value_property",
         met__node_get(input, "value_property"));
    copy(self, document, "dimensions", met__node_get(input, "group_by"));
    return met__meter_read(document, &root, self->arena, &meter, NULL);
}

static void run_meter(golden *self, const met__node *item)
{
    const met__node *input = golden_get(self, item, "input");
    met_error error = input != NULL ? read_meter(self, input) : MET_E_INVALID;

    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     error == MET_OK);
}

static void run_reserved(golden *self, const met__node *item)
{
    met__node *input = met__node_object(self->arena);
    met__node *usual = NULL;

    (void)met__json_parse(self->arena,
                          MET__TEXT("[\"^om\\\\.\",\"^_\\\\.\"]"), &usual,
                          NULL);
    if (!met__node_equal(usual, golden_get(self, item, "input.patterns"))) {
        golden_skip(self, "reserved types cannot be chosen");
        return;
    }
    copy(self, input, "key", met__node_text_z(self->arena, "k"));
    copy(self, input, "aggregation", met__node_text_z(self->arena, "COUNT"));
    copy(self, input, "event_type", golden_get(self, item,
                                               "input.event_type"));
    golden_same_flag(self, golden_get(self, item, "expect.reserved"),
                     read_meter(self, input) != MET_OK);
}

const golden_kind golden_filter_sections[] = {
    {"filter_match", run_match, NULL},
    {"filter_validation", run_validation, NULL},
    {"filter_depth", run_depth, NULL},
    {"subject_or_customer_filter", run_choice, NULL},
    {"granularity", run_window_name, NULL},
    {"group_by_dimension", run_group_name, NULL},
    {"meter_validation", run_meter, NULL},
    {"reserved_event_type", run_reserved, NULL},
    {"like_escape", NULL, "contains compares without patterns"},
    {NULL, NULL, NULL},
};

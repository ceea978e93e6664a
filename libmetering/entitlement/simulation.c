/* A run of the grant engine over a document. In: terms, grants, resets, usage,
 * instants. Out: what is left. Instants apply at the start of their minute, as
 * in a store. */
#include "entitlement/simulation.h"

#include <stdlib.h>

#include "entitlement/allowance.h"
#include "entitlement/entitled_parts.h"
#include "entitlement/grant_burn.h"
#include "entitlement/usage_period.h"

#define OWN_ID "issued"

typedef struct used {
    int64_t at_ns;
    size_t order;
    met_decimal value;
} used;

typedef struct simulation {
    met__arena *arena;
    met_error_info *info;
    const met__path *path;
    met__lone terms;
    uint32_t measure;
    size_t usage_count;
    used *usage; /* by time */
    size_t grant_count;
    met__grant *grants;
    size_t entry_count;
    met__usage_entry *entries;
    int *preserves; /* of the reset that begins an entry */
    size_t at_count;
    int64_t *at_ns; /* ascending */
} simulation;

/* --- Reading -------------------------------------------------------------- */
static met_error read_terms(simulation *self, met__fields *fields)
{
    static const char *const words[] = {"sum", "latest", NULL};
    const met__node *object = NULL;
    met__path path = {fields->path, "entitlement", 0};
    met__fields inner;
    uint32_t word = 0;

    (void)met__fields_choice(fields, "aggregation", MET__OPTIONAL, words,
                             &word);
    self->measure = word == 0 ? MET__MEASURE_ADDS : MET__MEASURE_LEVEL;
    if (met__fields_object(fields, "entitlement", MET__REQUIRED, &object)
        != MET_OK) {
        return fields->error;
    }
    (void)met__fields_begin(&inner, object, &path, self->info);
    self->terms = (met__lone){.terms = {.limit = met__decimal_zero()},
                              .priority = 1};
    met__lone_read_metered(&inner, &self->terms);
    if (inner.error == MET_OK
        && self->terms.measure_from != MET__MEASURE_FROM_AT) {
        (void)met__fields_fail(&inner, "measure_usage_from",
                               "must be a time");
    }
    fields->error = met__fields_end(&inner);
    if (fields->error == MET_OK) {
        fields->error = met__amount_check(self->terms.terms.limit, &path,
                                          "issue_after_reset", self->info);
    }
    if (self->terms.usage_period.anchor_ns < 0) {
        self->terms.usage_period.anchor_ns = self->terms.measured_from_ns;
    }
    self->terms.measured_from_ns =
        met__minute_first(self->terms.measured_from_ns);
    self->terms.usage_period.anchor_ns =
        met__minute_first(self->terms.usage_period.anchor_ns);
    return fields->error;
}

/* A list and room for as many elements and one more; *count_out. */
static met_error begin_list(simulation *self, met__fields *fields,
                            const char *name, size_t element_size,
                            const met__node **list_out, void **room_out)
{
    met_error error = met__fields_array(fields, name, MET__OPTIONAL,
                                        MET__SIMULATION_LIST_MAX, list_out);
    size_t count = error == MET_OK && *list_out != NULL ? (*list_out)->count
                                                        : 0;

    *room_out = met__arena_allocate(self->arena, (count + 1) * element_size);
    if (error == MET_OK && *room_out == NULL) {
        fields->error = MET_E_NO_MEMORY;
    }
    return fields->error;
}

static int compare_used(const void *a, const void *b)
{
    const used *one = a;
    const used *other = b;

    return one->at_ns != other->at_ns
               ? (one->at_ns > other->at_ns) - (one->at_ns < other->at_ns)
               : (one->order > other->order) - (one->order < other->order);
}

static met_error read_usage(simulation *self, met__fields *fields)
{
    met__path path = {fields->path, "usage", 0};
    const met__node *list = NULL;
    void *room;
    met_error error =
        begin_list(self, fields, "usage", sizeof(used), &list, &room);

    self->usage = room;
    for (uint32_t i = 0; error == MET_OK && list != NULL && i < list->count;
         i++) {
        met__path item = {&path, NULL, i};
        used *at = &self->usage[self->usage_count++];
        met__fields inner;
        at->order = i;
        (void)met__fields_begin(&inner, list->as.items[i], &item, self->info);
        (void)met__fields_time(&inner, "at", MET__REQUIRED, &at->at_ns);
        (void)met__fields_decimal(&inner, "value", MET__REQUIRED, INT64_MIN,
                                  &at->value);
        error = met__fields_end(&inner);
    }
    if (error == MET_OK && self->usage_count > 1) {
        qsort(self->usage, self->usage_count, sizeof *self->usage,
              compare_used);
    }
    fields->error = error;
    return error;
}

/* As they are stored; "id"? and "voided_at"? come with them. */
static met_error read_grant(simulation *self, const met__node *node,
                            const met__path *path, uint32_t index)
{
    met__stored_grant made;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, self->info);
    met__grant_read_terms(&fields, self->arena, &made);
    (void)met__fields_text(&fields, "id", MET__OPTIONAL, 1, MET__KEY_SIZE_MAX,
                           &made.terms.id);
    (void)met__fields_time(&fields, "voided_at", MET__OPTIONAL,
                           &made.terms.voided_at_ns);
    (void)met__fields_time(&fields, "created_at", MET__OPTIONAL,
                           &made.terms.created_at_ns);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        error = met__grant_check_amounts(&made.terms, path, self->info);
    }
    if (error != MET_OK) {
        return error;
    }
    if (made.terms.id.size == 0) {
        char *id = met__arena_print(self->arena, "grant-%u", index + 1);
        if (id == NULL) {
            return MET_E_NO_MEMORY;
        }
        made.terms.id = met__text_z(id);
    }
    if (made.terms.effective_at_ns < 0) {
        made.terms.effective_at_ns = self->terms.measured_from_ns;
    }
    error = met__grant_set_times(&made, path, self->info);
    self->grants[self->grant_count++] = met__grant_by_minutes(&made.terms);
    return error;
}

static met_error read_grants(simulation *self, met__fields *fields)
{
    met__path path = {fields->path, "grants", 0};
    const met__node *list = NULL;
    void *room;
    met_error error =
        begin_list(self, fields, "grants", sizeof(met__grant), &list, &room);

    self->grants = room;
    if (error == MET_OK && !met__decimal_is_zero(self->terms.terms.limit)) {
        self->grants[self->grant_count++] =
            (met__grant){.id = MET__TEXT(OWN_ID),
                         .amount = self->terms.terms.limit,
                         .rollover_min = self->terms.terms.limit,
                         .rollover_max = self->terms.terms.limit,
                         .created_at_ns = self->terms.measured_from_ns,
                         .effective_at_ns = self->terms.measured_from_ns,
                         .expires_at_ns = MET__NEVER,
                         .voided_at_ns = MET__NEVER,
                         .deleted_at_ns = MET__NEVER,
                         .priority = self->terms.priority};
    }
    for (uint32_t i = 0; error == MET_OK && list != NULL && i < list->count;
         i++) {
        met__path item = {&path, NULL, i};
        error = read_grant(self, list->as.items[i], &item, i);
    }
    fields->error = error;
    return error;
}

/* Each is told at its own instant. */
static met_error read_resets(simulation *self, met__fields *fields)
{
    met__path path = {fields->path, "resets", 0};
    const met__node *list = NULL;
    void *entries;
    void *preserves = NULL;
    met_error error = begin_list(self, fields, "resets",
                                 sizeof(met__usage_entry), &list, &entries);

    if (error == MET_OK) {
        preserves = met__arena_allocate(
            self->arena,
            ((list != NULL ? list->count : 0u) + 1u) * sizeof(int));
        error = preserves == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    if (error != MET_OK) {
        fields->error = error;
        return error;
    }
    self->entries = entries;
    self->preserves = preserves;
    self->preserves[0] = self->terms.preserves_overage;
    self->entries[self->entry_count++] = (met__usage_entry){
        self->terms.measured_from_ns, self->terms.usage_period};
    for (uint32_t i = 0; error == MET_OK && list != NULL && i < list->count;
         i++) {
        met__path item = {&path, NULL, i};
        met__reset_request request;
        error = met__reset_read(list->as.items[i], &item, &request,
                                self->info);
        if (error == MET_OK && request.at_ns < 0) {
            error = met__fail_at(self->info, MET_E_INVALID, &item, "at",
                                 "is required");
        }
        if (error == MET_OK) {
            int64_t at_ns = met__minute_first(request.at_ns);
            error = met__usage_reset(self->entries, self->entry_count, at_ns,
                                     at_ns, request.retains_anchor,
                                     &self->entries[self->entry_count],
                                     self->info);
            self->preserves[self->entry_count++] =
                request.preserves_overage >= 0 ? request.preserves_overage
                                               : self->terms.preserves_overage;
        }
    }
    fields->error = error;
    return error;
}

/* One instant, or ascending ones. */
static met_error read_instants(simulation *self, met__fields *fields)
{
    const met__node *node = NULL;
    met_error error = met__fields_any(fields, "at", MET__REQUIRED, &node);
    size_t count = error != MET_OK                       ? 0
                   : node->kind == MET__NODE_ARRAY ? node->count
                                                   : 1;

    self->at_ns = met__arena_allocate(self->arena,
                                      (count + 1) * sizeof *self->at_ns);
    if (error == MET_OK && self->at_ns == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK && count > MET__SIMULATION_LIST_MAX) {
        return met__fields_fail(fields, "at", "at most %d",
                                MET__SIMULATION_LIST_MAX);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        const met__node *item =
            node->kind == MET__NODE_ARRAY ? node->as.items[i] : node;
        int64_t at_ns = 0;
        if (item->kind != MET__NODE_TEXT
            || met__time_parse(item->as.text, &at_ns) != MET_OK
            || at_ns < self->terms.measured_from_ns
            || (i > 0 && at_ns < self->at_ns[i - 1])) {
            return met__fields_fail(fields, "at",
                                    "must be a time, or ascending times, not "
                                    "before measure_usage_from");
        }
        self->at_ns[self->at_count++] = at_ns;
    }
    fields->error = error;
    return error;
}

/* --- Running -------------------------------------------------------------- */
/* Index of the first usage not before at_ns. */
static size_t first_at(const simulation *self, int64_t at_ns)
{
    size_t low = 0;
    size_t high = self->usage_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->usage[middle].at_ns < at_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static met_error usage_between(void *context, int64_t from_ns, int64_t to_ns,
                               met_decimal *usage_out)
{
    const simulation *self = context;
    met_decimal sum = met__decimal_zero();
    met_error error = MET_OK;

    if (to_ns % MET__MINUTE_NS != 0) {
        to_ns = met__minute_last(to_ns) + 1;
    }
    for (size_t i = first_at(self, from_ns);
         error == MET_OK && i < self->usage_count
         && self->usage[i].at_ns < to_ns;
         i++) {
        if (self->measure == MET__MEASURE_LEVEL) {
            sum = self->usage[i].value;
        } else {
            error = met__decimal_add(sum, self->usage[i].value, &sum);
        }
    }
    *usage_out = sum;
    return error;
}

static met_error first_between(void *context, int64_t from_ns, int64_t to_ns,
                               int64_t *at_ns_out)
{
    const simulation *self = context;
    size_t first = first_at(self, from_ns);

    *at_ns_out = to_ns;
    if (first < self->usage_count) {
        int64_t at_ns = met__minute_first(self->usage[first].at_ns);
        *at_ns_out = at_ns < from_ns ? from_ns : at_ns < to_ns ? at_ns : to_ns;
    }
    return MET_OK;
}

/* Of a run in (from, to]; the terms have room for an entry each. */
static void set_resets(const simulation *self, int64_t from_ns, int64_t to_ns,
                       met__burn_reset *resets, met__burn_cycle *cycles,
                       met__burn_terms *terms)
{
    terms->reset_count = 0;
    terms->cycle_count = 0;
    for (size_t i = 0; i < self->entry_count; i++) {
        met__burn_cycle cycle = {
            self->entries[i].usage_period,
            {self->entries[i].effective_from_ns,
             i + 1 < self->entry_count ? self->entries[i + 1].effective_from_ns
                                       : MET__TIME_MAX},
            self->terms.preserves_overage,
            1};
        met__usage_add_resets(&cycle, self->preserves[i], from_ns, to_ns,
                              resets, cycles, terms);
    }
}

static met_error build_value(const simulation *self, int64_t at_ns,
                             const met__burn_result *result,
                             met__node *values)
{
    met__node *grants = met__node_array(self->arena);
    met__builder builder;
    met__node *node = NULL;
    met_error error = grants == NULL ? MET_E_NO_MEMORY : MET_OK;

    met__builder_begin(&builder, self->arena);
    met__build_instant(&builder, "at", at_ns);
    met__build_decimal(&builder, "balance", result->value.balance);
    met__build_decimal(&builder, "usage", result->value.usage);
    met__build_decimal(&builder, "overage", result->value.overage);
    met__build_decimal(&builder, "total_available",
                       result->value.total_available);
    met__build_instant(&builder, "usage_period_from", result->end.since_ns);
    for (size_t i = 0; error == MET_OK && i < result->end.count; i++) {
        const met__burn_balance *balance = &result->end.balances[i];
        met__builder one;
        met__builder_begin(&one, self->arena);
        met__build_text(&one, "id", balance->grant_id);
        met__build_decimal(&one, "balance", balance->balance);
        error = met__builder_end(&one, &node);
        if (error == MET_OK) {
            error = met__node_append(self->arena, grants, node);
        }
    }
    met__build_node(&builder, "grants", grants);
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    return error == MET_OK ? met__node_append(self->arena, values, node)
                           : error;
}

static met_error run(simulation *self, met__node **node_out)
{
    met__node *values = met__node_array(self->arena);
    met__burn_reset *resets = met__arena_allocate(
        self->arena, self->entry_count * sizeof *resets);
    met__burn_cycle *cycles = met__arena_allocate(
        self->arena, self->entry_count * sizeof *cycles);
    met__burn_terms terms = {.grants = self->grants,
                             .grant_count = self->grant_count,
                             .resets = resets,
                             .cycles = cycles,
                             .measure = self->measure,
                             .usage = usage_between,
                             .first = first_between,
                             .context = self};
    met__burn_state state;
    met_error error =
        values == NULL || resets == NULL || cycles == NULL
            ? MET_E_NO_MEMORY
            : met__burn_begin(self->grants, self->grant_count,
                              self->terms.measured_from_ns, self->arena,
                              &state);

    for (size_t i = 0; error == MET_OK && i < self->at_count; i++) {
        int64_t until_ns = met__minute_last(self->at_ns[i]);
        met__burn_result result;
        set_resets(self, state.at_ns, until_ns, resets, cycles, &terms);
        error = met__burn_run(&terms, &state, until_ns, self->arena, &result,
                              self->info);
        if (error == MET_OK) {
            error = build_value(self, self->at_ns[i], &result, values);
        }
        if (error == MET_OK && i + 1 < self->at_count
            && met__minute_first(self->at_ns[i + 1])
                   > met__minute_first(self->at_ns[i])) {
            /* From the minute's end on, where usage is parted. */
            set_resets(self, state.at_ns, until_ns + 1, resets, cycles,
                       &terms);
            error = met__burn_run(&terms, &state, until_ns + 1, self->arena,
                                  &result, self->info);
            state = result.end;
        }
    }
    if (error == MET_OK) {
        met__node *object = met__node_object(self->arena);
        error = met__node_set(self->arena, object, "values", values);
        *node_out = object;
    }
    return error;
}

met_error met__simulate(const met__node *node, met__arena *arena,
                        met__node **node_out, met_error_info *info)
{
    static const met__path path = {NULL, "simulation", 0};
    simulation self = {.arena = arena, .info = info, .path = &path};
    met__fields fields;

    (void)met__fields_begin(&fields, node, &path, info);
    if (read_terms(&self, &fields) == MET_OK
        && read_usage(&self, &fields) == MET_OK
        && read_grants(&self, &fields) == MET_OK
        && read_resets(&self, &fields) == MET_OK) {
        (void)read_instants(&self, &fields);
    }
    met_error error = met__fields_end(&fields);
    return error == MET_OK ? run(&self, node_out) : error;
}

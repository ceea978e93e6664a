/* What a price is rated with: quantities, policies, shares of a period, what
 * was billed and booked. In: a document. Out: the input of rating, every field
 * checked by itself. */
#include "rating/rate_request.h"

#include "rating/rating_parts.h"

#define CREDITS_MAX 1024
#define BOOKED_MAX 65536
#define RUNS_MAX 1024

met_error met__currency_field(met__fields *fields, met__currency *currency)
{
    static const met__path path = {NULL, "currency", 0};
    const met__node *node = NULL;

    met__fields_any(fields, "currency", MET__OPTIONAL, &node);
    if (fields->error == MET_OK && node != NULL) {
        fields->error = met__currency_read(node, &path, currency, fields->info);
    }
    return fields->error;
}

/* --- Quantities ----------------------------------------------------------- */
static met_error read_credits(met__fields *fields, met__rate_request *asked)
{
    const met__node *array = NULL;

    met__fields_array(fields, "credits", MET__OPTIONAL, CREDITS_MAX, &array);
    if (fields->error != MET_OK || array == NULL || array->count == 0) {
        return fields->error;
    }
    met_decimal *credits =
        met__arena_allocate(asked->arena, array->count * sizeof *credits);
    if (credits == NULL) {
        return fields->error = MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < array->count; i++) {
        const met__node *item = array->as.items[i];
        if (item->kind != MET__NODE_TEXT
            || met__decimal_parse(item->as.text, &credits[i]) != MET_OK
            || met__decimal_is_negative(credits[i])) {
            return met__fields_fail(fields, "credits",
                                    "must be a list of decimal strings >= 0");
        }
    }
    asked->input.credits = credits;
    asked->input.credit_count = array->count;
    return MET_OK;
}

static met_error read_groups(met__fields *fields, met__rate_request *asked)
{
    static const met__path path = {NULL, "groups", 0};
    const met__node *array = NULL;

    met__fields_array(fields, "groups", MET__OPTIONAL, MET__PRICE_VALUES_MAX,
                      &array);
    if (fields->error != MET_OK || array == NULL) {
        return fields->error;
    }
    met__rate_group *groups = met__arena_allocate(
        asked->arena, (array->count + 1) * sizeof *groups);
    if (groups == NULL) {
        return fields->error = MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; fields->error == MET_OK && i < array->count; i++) {
        met__path item = {&path, NULL, i};
        met__fields group;
        met__fields_begin(&group, array->as.items[i], &item, fields->info);
        met__fields_text(&group, "value", MET__REQUIRED, 0,
                         MET__VALUE_SIZE_MAX, &groups[i].value);
        met__fields_decimal(&group, "quantity", MET__REQUIRED, INT64_MIN,
                            &groups[i].quantity);
        fields->error = met__fields_end(&group);
    }
    asked->input.groups = groups;
    asked->input.group_count = array->count;
    return fields->error;
}

/* What a price of every event needs. */
static void read_events(met__fields *fields, met__rate_input *input)
{
    const met__node *node = met__node_get(fields->object, "events");

    input->events = met__decimal_zero();
    input->events_before = met__decimal_zero();
    input->has_events = node != NULL && node->kind != MET__NODE_NULL;
    met__fields_decimal(fields, "events", MET__OPTIONAL, 0, &input->events);
    met__fields_decimal(fields, "events_before", MET__OPTIONAL, 0,
                        &input->events_before);
}

static void read_policies(met__fields *fields, met__rate_input *input)
{
    static const met__path path = {NULL, "policies", 0};
    const met__node *node = NULL;

    met__fields_object(fields, "policies", MET__OPTIONAL, &node);
    if (fields->error == MET_OK && node != NULL) {
        fields->error =
            met__policies_read(node, &path, &input->policies, fields->info);
    }
}

/* One amount, or two of which a policy takes one. */
static void read_billed(met__fields *fields, met__rate_input *input)
{
    static const met__path path = {NULL, "already_billed", 0};
    const met__node *node = met__node_get(fields->object, "already_billed");
    met_decimal gross;
    met_decimal net;
    met__fields both;

    if (node == NULL || node->kind != MET__NODE_OBJECT) {
        met__fields_decimal(fields, "already_billed", MET__OPTIONAL, INT64_MIN,
                            &input->already_billed);
        return;
    }
    met__fields_object(fields, "already_billed", MET__REQUIRED, &node);
    if (fields->error != MET_OK) {
        return;
    }
    met__fields_begin(&both, node, &path, fields->info);
    met__fields_decimal(&both, "gross", MET__REQUIRED, INT64_MIN, &gross);
    met__fields_decimal(&both, "net", MET__REQUIRED, INT64_MIN, &net);
    fields->error = met__fields_end(&both);
    if (fields->error == MET_OK) {
        input->already_billed = input->policies.is_billed_gross ? gross : net;
    }
}

static met_error read_period(met__fields *fields, const char *name,
                             unsigned flags, met__period *out, int *is_there)
{
    const met__path path = {fields->path, name, 0};
    const met__node *node = NULL;
    met__fields parts;

    met__fields_object(fields, name, flags, &node);
    if (fields->error != MET_OK || node == NULL) {
        return fields->error;
    }
    met__fields_begin(&parts, node, &path, fields->info);
    met__fields_time(&parts, "from", MET__REQUIRED, &out->from_ns);
    met__fields_time(&parts, "to", MET__REQUIRED, &out->to_ns);
    fields->error = met__fields_end(&parts);
    if (fields->error == MET_OK && out->to_ns < out->from_ns) {
        return met__fields_fail(fields, name, "ends before it begins");
    }
    *is_there = 1;
    return fields->error;
}

/* A flat price for a part of its period. What comes to nothing has no line. */
static met_error read_share(met__fields *fields, met__rate_request *asked)
{
    met__rate_input *input = &asked->input;
    met__flat_part part = {.is_prorated = 1,
                           .unit = input->policies.proration};
    int has_service = 0;
    int has_full = 0;
    int64_t service;
    int64_t full;

    read_period(fields, "period", MET__OPTIONAL, &part.service, &has_service);
    read_period(fields, "full_period", MET__OPTIONAL, &part.full, &has_full);
    if (fields->error != MET_OK || (!has_service && !has_full)) {
        return fields->error;
    }
    if (!has_service || !has_full) {
        return met__fields_fail(fields, has_full ? "period" : "full_period",
                                "is needed for a share of a period");
    }
    if (input->price->type != MET__PRICE_FLAT) {
        return met__fields_fail(fields, "full_period",
                                "only flat prices are prorated");
    }
    part.amount = input->price->amount;
    if (!met__flat_is_prorated(&part)) {
        return MET_OK;
    }
    met__price *price = met__arena_allocate(asked->arena, sizeof *price);
    met__flat_lengths(&part, &service, &full);
    input->share = met__arena_print(
        asked->arena, "%lld of %lld %s", (long long)service, (long long)full,
        part.unit == MET__PRORATE_SECOND ? "seconds" : "days");
    if (price == NULL || input->share == NULL) {
        return fields->error = MET_E_NO_MEMORY;
    }
    *price = *input->price;
    input->price = price;
    if (met__flat_amount(&part, &input->currency, &price->amount) != MET_OK) {
        return fields->error =
                   met__fail(fields->info, MET_E_OVERFLOW, "full_period",
                             "the share needs more than 34 digits");
    }
    if (met__decimal_is_zero(price->amount)) {
        input->is_first = 0;
        input->is_last = 0;
    }
    return fields->error;
}

/* --- Runs ----------------------------------------------------------------- */
static met_error read_booked(met__fields *fields, met__rate_request *asked)
{
    static const met__path path = {NULL, "booked", 0};
    const met__node *array = NULL;

    met__fields_array(fields, "booked", MET__OPTIONAL, BOOKED_MAX, &array);
    if (fields->error != MET_OK || array == NULL) {
        return fields->error;
    }
    if (asked->input.policies.round_at == MET__ROUND_AT_TOTAL) {
        return fields->error = met__fail(
                   fields->info, MET_E_UNSUPPORTED, "booked",
                   "cannot be subtracted from what is rounded in total");
    }
    asked->booked =
        met__arena_allocate(asked->arena, array->count * sizeof *asked->booked);
    if (asked->booked == NULL) {
        return fields->error = MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; fields->error == MET_OK && i < array->count; i++) {
        met__path item = {&path, NULL, i};
        met__line *line = &asked->booked[i];
        fields->error = met__line_read(array->as.items[i], &item, asked->arena,
                                       line, fields->info);
        if (fields->error == MET_OK && line->id.size == 0) {
            char field[MET_ERROR_FIELD_SIZE];
            met__path_print(&item, "id", field, sizeof field);
            fields->error = met__fail(fields->info, MET_E_INVALID, field,
                                      "is missing");
        }
        if (!asked->is_by_period) {
            line->period = (met__period){0, 0};
            line->corrects_run_id = met__text_of(NULL, 0);
        }
    }
    asked->booked_count = array->count;
    asked->has_booked = 1;
    return fields->error;
}

static met_error read_run(const met__node *node, const met__path *path,
                          met__rated_run *run, met_error_info *info)
{
    met__fields fields;
    int is_there = 0;

    met__fields_begin(&fields, node, path, info);
    met__fields_text(&fields, "id", MET__OPTIONAL, 1, MET__NAME_SIZE_MAX,
                     &run->id);
    read_period(&fields, "period", MET__REQUIRED, &run->period, &is_there);
    met__fields_decimal(&fields, "quantity", MET__REQUIRED, INT64_MIN,
                        &run->quantity);
    return met__fields_end(&fields);
}

/* The runs before this one, and this one behind them. */
static met_error read_runs(met__fields *fields, met__rate_request *asked)
{
    static const met__path path = {NULL, "earlier_runs", 0};
    const met__node *array = NULL;
    int is_there = 0;

    met__fields_array(fields, "earlier_runs", MET__OPTIONAL, RUNS_MAX - 1,
                      &array);
    if (fields->error != MET_OK || array == NULL) {
        return fields->error;
    }
    met__rated_run *runs = met__arena_allocate(
        asked->arena, (array->count + 1) * sizeof *runs);
    if (runs == NULL) {
        return fields->error = MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; fields->error == MET_OK && i < array->count; i++) {
        met__path item = {&path, NULL, i};
        fields->error =
            read_run(array->as.items[i], &item, &runs[i], fields->info);
    }
    if (met__node_get(fields->object, "full_period") != NULL) {
        return met__fields_fail(fields, "full_period",
                                "does not go with earlier_runs");
    }
    met__rated_run *now = &runs[array->count];
    now->quantity = asked->input.quantity;
    read_period(fields, "period", MET__REQUIRED, &now->period, &is_there);
    asked->runs = runs;
    asked->run_count = array->count + 1;
    asked->is_by_period = 1;
    return fields->error;
}

/* --- All of it ------------------------------------------------------------ */
met_error met__rate_request_read(const met__node *node,
                                 met__rate_request *asked)
{
    met__rate_input *input = &asked->input;
    met__fields fields;
    int is_minimum_applied = 1;

    met__fields_begin(&fields, node, NULL, asked->info);
    met__fields_text(&fields, "name", MET__OPTIONAL, 0, MET__NAME_SIZE_MAX,
                     &input->name);
    met__fields_decimal(&fields, "quantity", MET__REQUIRED, INT64_MIN,
                        &input->quantity);
    met__fields_decimal(&fields, "quantity_before", MET__OPTIONAL, INT64_MIN,
                        &input->quantity_before);
    met__fields_boolean(&fields, "is_first", MET__OPTIONAL, &input->is_first);
    met__fields_boolean(&fields, "is_last", MET__OPTIONAL, &input->is_last);
    met__fields_boolean(&fields, "is_minimum_applied", MET__OPTIONAL,
                        &is_minimum_applied);
    input->is_minimum_ignored = !is_minimum_applied;
    met__currency_field(&fields, &input->currency);
    read_policies(&fields, input);
    read_runs(&fields, asked);
    if (!asked->is_by_period) {
        read_share(&fields, asked);
    }
    read_billed(&fields, input);
    read_events(&fields, input);
    read_groups(&fields, asked);
    read_credits(&fields, asked);
    read_booked(&fields, asked);
    return met__fields_end(&fields);
}

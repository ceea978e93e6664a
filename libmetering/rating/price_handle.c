/* A price as a handle. In: a price or the money part of a rate card as JSON,
 * then requests with quantities. Out: lines and totals as JSON, or one total
 * for each quantity. Nothing is changed after it was opened: any thread. */
#include "rating/price_handle.h"

#include "base/limits.h"
#include "rating/rating_parts.h"

#define CREDITS_MAX 1024
#define BOOKED_MAX 65536
#define BATCH_ROUND 64 /* items between two releases of their memory */

struct met_price {
    met__platform platform;
    met__arena arena;
    met__price *price;
    met__discounts *discounts;
    met__unit_config *unit_config;
    met__currency currency;
    met__text name;
};

/* --- Opening ---------------------------------------------------------------
 */
static met_error parse(met__arena *arena, met__text json, met__node **node_out,
                       met_error_info *info)
{
    if (json.size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(info, MET_E_LIMIT, "json", "has more than %d bytes",
                         MET__DOCUMENT_SIZE_MAX);
    }
    return met__json_parse(arena, json, node_out, info);
}

/* Rules that concern two of the three at once. */
static met_error check_together(met_price *self, const met__pricing *pricing,
                                met_error_info *info)
{
    met__node *issues = met__node_array(&self->arena);

    if (issues == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = met__pricing_issues(pricing, NULL, &self->arena, issues);
    if (error != MET_OK || issues->count == 0) {
        return error;
    }
    const met__node *first = issues->as.items[0];
    return met__fail(info, MET_E_INVALID,
                     met__node_get(first, "field")->as.text.data, "%s (%s)",
                     met__node_get(first, "message")->as.text.data,
                     met__node_get(first, "code")->as.text.data);
}

static met_error read_pricing(met_price *self, const met__pricing *pricing,
                              met_error_info *info)
{
    static const met__path price_path = {NULL, "price", 0};
    static const met__path discounts_path = {NULL, "discounts", 0};
    static const met__path config_path = {NULL, "unit_config", 0};
    met_error error = met__price_read(pricing->price, &price_path, &self->arena,
                                      &self->price, info);

    if (error == MET_OK && pricing->discounts != NULL) {
        error = met__discounts_read(pricing->discounts, &discounts_path,
                                    &self->arena, &self->discounts, info);
    }
    if (error == MET_OK && pricing->unit_config != NULL) {
        error = met__unit_config_read(pricing->unit_config, &config_path,
                                      &self->arena, &self->unit_config, info);
    }
    return error == MET_OK ? check_together(self, pricing, info) : error;
}

static met_error read_currency(met__fields *fields, met__currency *currency)
{
    static const met__path path = {NULL, "currency", 0};
    const met__node *node = NULL;

    met__fields_any(fields, "currency", MET__OPTIONAL, &node);
    if (fields->error == MET_OK && node != NULL) {
        fields->error = met__currency_read(node, &path, currency, fields->info);
    }
    return fields->error;
}

static met_error read_card(met_price *self, const met__node *node,
                           met_error_info *info)
{
    met__pricing pricing = {0};
    met__fields fields;

    if (met__node_get(node, "price") == NULL) {
        pricing.price = node;
        return read_pricing(self, &pricing, info);
    }
    met__fields_begin(&fields, node, NULL, info);
    met__fields_text(&fields, "name", MET__OPTIONAL, 0, MET__NAME_SIZE_MAX,
                     &self->name);
    met__fields_object(&fields, "price", MET__REQUIRED, &pricing.price);
    met__fields_object(&fields, "discounts", MET__OPTIONAL, &pricing.discounts);
    met__fields_object(&fields, "unit_config", MET__OPTIONAL,
                       &pricing.unit_config);
    read_currency(&fields, &self->currency);
    met_error error = met__fields_end(&fields);
    return error == MET_OK ? read_pricing(self, &pricing, info) : error;
}

met_error met__price_open(const met__platform *platform, met__text json,
                          met_price **price_out, met_error_info *info)
{
    met__node *node = NULL;
    met_price *self = met__allocate(platform, sizeof *self);

    if (self == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    self->platform = *platform;
    self->name = MET__TEXT("");
    met__arena_init(&self->arena, &self->platform);
    met_error error = met__decimal_self_test();
    if (error == MET_OK) {
        error = met__currency_of(MET__TEXT("USD"), &self->currency);
    }
    if (error == MET_OK) {
        error = parse(&self->arena, json, &node, info);
    }
    if (error == MET_OK && node->kind != MET__NODE_OBJECT) {
        error = met__fail(info, MET_E_INVALID, "", "must be an object");
    }
    if (error == MET_OK) {
        error = read_card(self, node, info);
    }
    if (error != MET_OK) {
        met__price_close(self);
        return error == MET_E_NO_MEMORY ? met__fail_code(info, error) : error;
    }
    *price_out = self;
    return MET_OK;
}

void met__price_close(met_price *price)
{
    if (price != NULL) {
        met__platform platform = price->platform;
        met__arena_release(&price->arena);
        met__release(&platform, price, sizeof *price);
    }
}

/* --- One request -----------------------------------------------------------
 */
/* What was asked, and the memory of the answer. */
typedef struct request {
    met__arena *arena;
    met_error_info *info;
    met__rate_input input;
    const met__node *booked; /* NULL: the lines as such are wanted */
} request;

static met_error read_credits(met__fields *fields, request *asked)
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

static met_error read_groups(met__fields *fields, request *asked)
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
                             met__period *out, int *is_there)
{
    const met__path path = {NULL, name, 0};
    const met__node *node = NULL;
    met__fields parts;

    met__fields_object(fields, name, MET__OPTIONAL, &node);
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
static met_error read_share(met__fields *fields, request *asked)
{
    met__rate_input *input = &asked->input;
    met__flat_part part = {.is_prorated = 1,
                           .unit = input->policies.proration};
    int has_service = 0;
    int has_full = 0;
    int64_t service;
    int64_t full;

    read_period(fields, "period", &part.service, &has_service);
    read_period(fields, "full_period", &part.full, &has_full);
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
    fields->error =
        met__flat_amount(&part, &input->currency, &price->amount);
    if (fields->error == MET_OK && met__decimal_is_zero(price->amount)) {
        input->is_first = 0;
        input->is_last = 0;
    }
    return fields->error;
}

static met_error read_request(const met_price *price, const met__node *node,
                              request *asked)
{
    met__rate_input *input = &asked->input;
    met__fields fields;
    int is_minimum_applied = 1;

    *input = (met__rate_input){.name = price->name,
                               .price = price->price,
                               .discounts = price->discounts,
                               .unit_config = price->unit_config,
                               .currency = price->currency,
                               .quantity = met__decimal_zero(),
                               .quantity_before = met__decimal_zero(),
                               .is_first = 1,
                               .is_last = 1,
                               .already_billed = met__decimal_zero()};
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
    read_currency(&fields, &input->currency);
    read_policies(&fields, input);
    read_share(&fields, asked);
    read_billed(&fields, input);
    read_events(&fields, input);
    read_groups(&fields, asked);
    read_credits(&fields, asked);
    met__fields_array(&fields, "booked", MET__OPTIONAL, BOOKED_MAX,
                      &asked->booked);
    if (fields.error == MET_OK && asked->booked != NULL
        && input->policies.round_at == MET__ROUND_AT_TOTAL) {
        return met__fail(asked->info, MET_E_UNSUPPORTED, "booked",
                         "cannot be subtracted from what is rounded in total");
    }
    return met__fields_end(&fields);
}

/* The difference to what was booked. */
static met_error subtract(request *asked, met__rated **rated)
{
    static const met__path path = {NULL, "booked", 0};
    uint32_t count = asked->booked->count;
    met__line *lines = met__arena_allocate(asked->arena, count * sizeof *lines);
    met_error error = lines != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (uint32_t i = 0; error == MET_OK && i < count; i++) {
        met__path item = {&path, NULL, i};
        error = met__line_read(asked->booked->as.items[i], &item, asked->arena,
                               &lines[i], asked->info);
    }
    if (error == MET_OK) {
        error = met__rate_delta(*rated, lines, count, &asked->input.currency,
                                asked->arena, rated);
        if (error != MET_OK) {
            met__fail(asked->info, error, "booked",
                      error == MET_E_CONFLICT
                          ? "gives two lines with one child_id"
                          : "cannot be subtracted");
        }
    }
    return error;
}

static met_error set(met__arena *arena, met__node *object, const char *name,
                     met_decimal value)
{
    return met__node_set(arena, object, name, met__node_decimal(arena, value));
}

static met_error usage_discount_document(const met__rated *rated,
                                         met__arena *arena, met__node *answer)
{
    const met__usage_discount *discount = &rated->usage_discount;
    met__node *object = met__node_object(arena);

    if (met__decimal_is_zero(discount->quantity)) {
        return MET_OK;
    }
    met_error error = met__node_set(arena, object, "child_id",
                                    met__node_text(arena, discount->child_id));
    if (error == MET_OK) {
        error = set(arena, object, "quantity", discount->quantity);
    }
    if (error == MET_OK) {
        error =
            set(arena, object, "quantity_before", discount->quantity_before);
    }
    return error == MET_OK
               ? met__node_set(arena, answer, "usage_discount", object)
               : error;
}

/* {"lines", "totals", "currency", "quantity", "quantity_before",
 * "usage_discount"?, "unrated"?} */
static met_error answer_document(const request *asked, const met__rated *rated,
                                 met__node **out)
{
    met__arena *arena = asked->arena;
    const met__currency *currency = &asked->input.currency;
    met__node *answer = met__node_object(arena);
    met__node *lines = met__node_array(arena);
    met__node *totals = NULL;
    met_error error = met__node_set(arena, answer, "lines", lines);

    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        met__node *line = NULL;
        error = met__line_document(&rated->lines[i], currency, arena, &line);
        if (error == MET_OK) {
            error = met__node_append(arena, lines, line);
        }
    }
    if (error == MET_OK) {
        error = met__totals_document(&rated->totals, currency, arena, &totals);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, answer, "totals", totals);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, answer, "currency",
                              met__node_text(arena, currency->code));
    }
    if (error == MET_OK) {
        error = set(arena, answer, "quantity", rated->quantity);
    }
    if (error == MET_OK) {
        error = set(arena, answer, "quantity_before", rated->quantity_before);
    }
    if (error == MET_OK) {
        error = usage_discount_document(rated, arena, answer);
    }
    if (error == MET_OK && !met__decimal_is_zero(rated->unrated)) {
        error = set(arena, answer, "unrated", rated->unrated);
    }
    *out = answer;
    return error;
}

met_error met__price_rate(const met_price *price, met__text json,
                          met_buffer *json_out, met_error_info *info)
{
    met__arena arena;
    met__buffer buffer;
    met__node *node = NULL;
    met__node *answer = NULL;
    met__rated *rated = NULL;
    request asked = {.arena = &arena, .info = info};

    met__arena_init(&arena, &price->platform);
    met__buffer_init(&buffer, &price->platform);
    met_error error = parse(&arena, json, &node, info);
    if (error == MET_OK) {
        error = read_request(price, node, &asked);
    }
    if (error == MET_OK) {
        error = met__rate(&asked.input, &arena, &rated, info);
    }
    if (error == MET_OK && asked.booked != NULL) {
        error = subtract(&asked, &rated);
    }
    if (error == MET_OK) {
        error = answer_document(&asked, rated, &answer);
    }
    if (error == MET_OK) {
        met__json_write(answer, 0, &buffer);
        error = met__buffer_give(&buffer, json_out);
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return error == MET_E_NO_MEMORY ? met__fail_code(info, error) : error;
}

/* --- Many quantities -------------------------------------------------------
 */
met_error met__price_rate_all(const met_price *price,
                              const met_decimal *quantities, size_t count,
                              met_decimal *totals_out, met_error_info *info)
{
    met_error error = MET_OK;
    met_decimal *totals =
        met__allocate(&price->platform, count * sizeof *totals);
    met__arena arena;
    met__rate_input input = {.name = price->name,
                             .price = price->price,
                             .discounts = price->discounts,
                             .unit_config = price->unit_config,
                             .currency = price->currency,
                             .quantity_before = met__decimal_zero(),
                             .is_first = 1,
                             .is_last = 1,
                             .already_billed = met__decimal_zero()};

    if (totals == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    met__arena_init(&arena, &price->platform);
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__rated *rated = NULL;
        if (!met__decimal_is_valid(quantities[i])) {
            error = met__fail(info, MET_E_INVALID, "quantities",
                              "item %zu is not a decimal", i);
            break;
        }
        input.quantity = quantities[i];
        error = met__rate(&input, &arena, &rated, info);
        if (error == MET_OK) {
            totals[i] = rated->totals.total;
        }
        if (i % BATCH_ROUND == BATCH_ROUND - 1) {
            met__arena_release(&arena);
        }
    }
    met__arena_release(&arena);
    if (error == MET_OK && count > 0) {
        memcpy(totals_out, totals, count * sizeof *totals);
    }
    met__release(&price->platform, totals, count * sizeof *totals);
    return error == MET_E_NO_MEMORY ? met__fail_code(info, error) : error;
}

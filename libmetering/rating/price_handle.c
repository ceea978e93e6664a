/* A price as a handle. In: a price or the money part of a rate card as JSON,
 * then requests with quantities. Out: lines and totals as JSON, or one total
 * for each quantity. Nothing is changed after it was opened: any thread. */
#include "rating/price_handle.h"

#include <stdio.h>

#include "base/check.h"
#include "base/limits.h"
#include "rating/rate_request.h"
#include "rating/rating_parts.h"

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

/* --- Opening -------------------------------------------------------------- */
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

/* What there is besides the three, and where they are. */
static met_error read_card(met_price *self, const met__node *node,
                           met__pricing *pricing, met_error_info *info)
{
    met__fields fields;

    if (met__node_get(node, "price") == NULL) {
        pricing->price = node;
        return MET_OK;
    }
    met__fields_begin(&fields, node, NULL, info);
    met__fields_text(&fields, "name", MET__OPTIONAL, 0, MET__NAME_SIZE_MAX,
                     &self->name);
    met__fields_object(&fields, "price", MET__REQUIRED, &pricing->price);
    met__fields_object(&fields, "discounts", MET__OPTIONAL,
                       &pricing->discounts);
    met__fields_object(&fields, "unit_config", MET__OPTIONAL,
                       &pricing->unit_config);
    met__currency_field(&fields, &self->currency);
    return met__fields_end(&fields);
}

static met_error parse_card(met__arena *arena, met__text json,
                            met__node **node_out, met_error_info *info)
{
    met_error error = parse(arena, json, node_out, info);

    return error == MET_OK && (*node_out)->kind != MET__NODE_OBJECT
               ? met__fail(info, MET_E_INVALID, "", "must be an object")
               : error;
}

met_error met__price_open(const met__platform *platform, met__text json,
                          met_price **price_out, met_error_info *info)
{
    met__node *node = NULL;
    met__pricing pricing = {0};
    met__currency dollars;

    MET__ASSERT(met__decimal_self_test() == MET_OK);
    MET__ASSERT(met__currency_of(MET__TEXT("USD"), &dollars) == MET_OK);
    met_price *self = met__allocate(platform, sizeof *self);
    if (self == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    self->platform = *platform;
    self->name = MET__TEXT("");
    self->currency = dollars;
    met__arena_init(&self->arena, &self->platform);
    met_error error = parse_card(&self->arena, json, &node, info);
    if (error == MET_OK) {
        error = read_card(self, node, &pricing, info);
    }
    if (error == MET_OK) {
        error = read_pricing(self, &pricing, info);
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

/* --- Checking ------------------------------------------------------------- */
/* What is wrong about the card around the price. */
static met_error add_issue(met__arena *arena, met__node *issues,
                           const met_error_info *problem)
{
    const char *const members[][2] = {{"code", "price_document_invalid"},
                                      {"field", problem->field},
                                      {"severity", "critical"},
                                      {"message", problem->reason}};
    met__node *issue = met__node_object(arena);
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < 4; i++) {
        error = met__node_set(arena, issue, members[i][0],
                              met__node_text_z(arena, members[i][1]));
    }
    return error == MET_OK ? met__node_append(arena, issues, issue) : error;
}

/* {"issues": [...]} of a card that was parsed. */
static met_error list_issues(met__arena *arena, const met__node *node,
                             met__node **out)
{
    met_price card = {.name = MET__TEXT("")};
    met__pricing pricing = {0};
    met_error_info problem = {.struct_size = sizeof problem};
    met__node *object = met__node_object(arena);
    met__node *issues = met__node_array(arena);
    met_error error = met__node_set(arena, object, "issues", issues);

    if (error != MET_OK) {
        return error;
    }
    error = read_card(&card, node, &pricing, &problem);
    if (error != MET_OK) {
        error = add_issue(arena, issues, &problem);
    }
    if (error == MET_OK) {
        error = met__pricing_issues(&pricing, NULL, arena, issues);
    }
    *out = object;
    return error;
}

met_error met__price_check(const met__platform *platform, met__text json,
                           met_buffer *json_out, met_error_info *info)
{
    met__arena arena;
    met__buffer buffer;
    met__node *node = NULL;
    met__node *answer = NULL;

    MET__ASSERT(met__decimal_self_test() == MET_OK);
    met__arena_init(&arena, platform);
    met__buffer_init(&buffer, platform);
    met_error error = parse_card(&arena, json, &node, info);
    if (error == MET_OK) {
        error = list_issues(&arena, node, &answer);
    }
    if (error == MET_OK) {
        met__json_write(answer, 0, &buffer);
        error = met__buffer_give(&buffer, json_out);
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return error == MET_E_NO_MEMORY ? met__fail_code(info, error) : error;
}

/* --- Rating --------------------------------------------------------------- */
static met__rate_input whole_period(const met_price *price)
{
    return (met__rate_input){.name = price->name,
                             .price = price->price,
                             .discounts = price->discounts,
                             .unit_config = price->unit_config,
                             .currency = price->currency,
                             .quantity = met__decimal_zero(),
                             .quantity_before = met__decimal_zero(),
                             .is_first = 1,
                             .is_last = 1,
                             .already_billed = met__decimal_zero()};
}

static met_error fail_booked(const met__rate_request *asked, met_error error)
{
    return met__fail(asked->info, error, "booked",
                     error == MET_E_CONFLICT
                         ? "gives two lines with one child_id"
                         : "cannot be subtracted");
}

/* Less what was booked, or that on its own periods; then the credits. */
static met_error rate_rest(const met__rate_request *asked, met__rated **rated)
{
    met__rate_input input = asked->input;
    met_error error = MET_OK;

    input.credit_count = 0;
    if (asked->is_by_period) {
        error = met__rate_by_period(&input, asked->runs, asked->run_count,
                                    asked->booked, asked->booked_count,
                                    asked->arena, rated, asked->info);
        if (error == MET_E_CONFLICT) {
            return fail_booked(asked, error);
        }
    } else {
        error = met__rate(&input, asked->arena, rated, asked->info);
        if (error == MET_OK) {
            error =
                met__rate_delta(*rated, asked->booked, asked->booked_count,
                                &input.currency, asked->arena, rated);
            if (error == MET_E_CONFLICT || error == MET_E_OVERFLOW) {
                return fail_booked(asked, error);
            }
        }
    }
    return error == MET_OK ? met__rated_settle(*rated, &asked->input,
                                               asked->arena, asked->info)
                           : error;
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

    if (met__decimal_is_zero(discount->quantity)) {
        return MET_OK;
    }
    met__node *object = met__node_object(arena);
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
static met_error answer_document(const met__rate_request *asked,
                                 const met__rated *rated, met__node **out)
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
    met__rate_request asked = {
        .arena = &arena, .info = info, .input = whole_period(price)};

    met__arena_init(&arena, &price->platform);
    met__buffer_init(&buffer, &price->platform);
    met_error error = parse(&arena, json, &node, info);
    if (error == MET_OK) {
        error = met__rate_request_read(node, &asked);
    }
    if (error == MET_OK) {
        error = asked.is_by_period || asked.has_booked
                    ? rate_rest(&asked, &rated)
                    : met__rate(&asked.input, &arena, &rated, info);
    }
    if (error == MET_OK) {
        error = answer_document(&asked, rated, &answer);
        if (error == MET_E_OVERFLOW) {
            met__fail(info, error, "quantity", "gives an amount too long to "
                                               "be written");
        }
    }
    if (error == MET_OK) {
        met__json_write(answer, 0, &buffer);
        error = met__buffer_give(&buffer, json_out);
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return error == MET_E_NO_MEMORY ? met__fail_code(info, error) : error;
}

/* --- Many quantities ------------------------------------------------------ */
/* One of them, whose place an error names. */
static met_error rate_one(met__rate_input *input, met__arena *arena,
                          const met_decimal *quantities, size_t i,
                          met_decimal *total_out, met_error_info *info)
{
    met_error_info inner = {.struct_size = sizeof inner};
    met__rated *rated = NULL;
    char field[40];

    snprintf(field, sizeof field, "quantities[%zu]", i);
    if (!met__decimal_is_valid(quantities[i])) {
        return met__fail(info, MET_E_INVALID, field, "is not a decimal");
    }
    input->quantity = quantities[i];
    met_error error = met__rate(input, arena, &rated, &inner);
    if (error != MET_OK) {
        return met__fail(info, error, field, "%s", inner.reason);
    }
    *total_out = rated->totals.total;
    return MET_OK;
}

met_error met__price_rate_all(const met_price *price,
                              const met_decimal *quantities, size_t count,
                              met_decimal *totals_out, met_error_info *info)
{
    met_error error = MET_OK;
    met_decimal *totals =
        met__allocate(&price->platform, count * sizeof *totals);
    met__arena arena;
    met__rate_input input = whole_period(price);

    input.is_unnamed = 1;
    if (totals == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    met__arena_init(&arena, &price->platform);
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        error = rate_one(&input, &arena, quantities, i, &totals[i], info);
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

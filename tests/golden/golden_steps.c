/* Golden kinds of the steps inside of rating: tiers, packages, conversions,
 * discounts, differences of lines. They have no public face of their own. */
#include "golden_rating.h"

/* A card rated by the room: what the small kinds vary. */
static met__rated *rate_room(golden *self, const met__rate_input *input)
{
    met__rated *rated = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__rate(input, self->arena, &rated, &info) != MET_OK) {
        golden_fail(self, "%s: %s", info.field, info.reason);
    }
    return rated;
}

static met__rate_input room_input(golden *self, const met__price *price,
                                  met_decimal quantity)
{
    met__rate_input input = {.name = MET__TEXT("line"),
                             .price = price,
                             .quantity = quantity,
                             .quantity_before = met__decimal_zero(),
                             .is_first = 1,
                             .is_last = 1,
                             .already_billed = met__decimal_zero()};

    (void)met__currency_of(MET__TEXT("USD"), &input.currency);
    return input;
}

/* --- Tiers ---------------------------------------------------------------- */
static met_decimal total_to(golden *self, const met__price *price,
                            const met__currency *currency, met_decimal to)
{
    met__rate_input input = room_input(self, price, to);

    input.currency = *currency;
    met__rated *rated = rate_room(self, &input);
    return rated ? rated->totals.total : met__decimal_zero();
}

static void run_walk(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__price *price = golden_room_price(self, met__node_get(input, "price"));
    met__currency currency = golden_currency(self, input);
    met_decimal from = golden_decimal(self, input, "from");
    met_decimal to = golden_decimal(self, input, "to");
    met__tier_part parts[MET__TIERS_MAX];
    size_t count = 0;
    met__node *got = met__node_object(self->arena);
    met__node *ranges = met__node_array(self->arena);

    if (self->failed
        || met__graduated_parts(price, from, to, parts, &count) != MET_OK) {
        golden_fail(self, "cannot walk");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        met__node *range = met__node_object(self->arena);
        met_decimal before =
            met__decimal_is_zero(parts[i].from)
                ? met__decimal_zero()
                : total_to(self, price, &currency, parts[i].from);
        golden_set(
            self, range, "tier_index",
            met__node_integer(self->arena, (int64_t)parts[i].number - 1));
        golden_set(self, range, "quantity",
                   golden_decimal_node(self, parts[i].quantity));
        golden_set(self, range, "at_tier_boundary",
                   met__node_boolean(self->arena, parts[i].is_entered));
        golden_set(self, range, "previous_total",
                   golden_decimal_node(self, before));
        (void)met__node_append(self->arena, ranges, range);
    }
    golden_set(self, got, "ranges", ranges);
    golden_set(self, got, "total",
               golden_decimal_node(self, total_to(self, price, &currency, to)));
    golden_same(self, met__node_get(item, "expect"), got);
}

static void run_volume_tier(golden *self, const met__node *item)
{
    met__price *price =
        golden_room_price(self, golden_get(self, item, "input.price"));
    met_decimal quantity = golden_decimal(self, item, "input.quantity");

    if (price != NULL) {
        golden_same(self, golden_get(self, item, "expect.tier_index"),
                    met__node_integer(self->arena, (int64_t)met__volume_tier(
                                                       price, quantity)));
    }
}

/* Also the section tier_order, which has the bounds bare. */
static void same_order(golden *self, const met__node *bounds,
                       const met__node *expected)
{
    met__tier tiers[MET__TIERS_MAX] = {0};
    met__node *got = met__node_array(self->arena);

    if (bounds == NULL || bounds->kind != MET__NODE_ARRAY
        || bounds->count > MET__TIERS_MAX) {
        golden_fail(self, "no usable bounds");
        return;
    }
    for (uint32_t i = 0; i < bounds->count; i++) {
        tiers[i].has_up_to = bounds->as.items[i]->kind != MET__NODE_NULL;
        if (tiers[i].has_up_to) {
            tiers[i].up_to = golden_decimal(self, bounds->as.items[i], "");
        }
    }
    met__tiers_sort(tiers, bounds->count);
    for (uint32_t i = 0; i < bounds->count; i++) {
        (void)met__node_append(self->arena, got,
                               tiers[i].has_up_to
                                   ? golden_decimal_node(self, tiers[i].up_to)
                                   : met__node_null(self->arena));
    }
    golden_same(self, expected, got);
}

static void run_sort_tiers(golden *self, const met__node *item)
{
    same_order(self, golden_get(self, item, "input.up_to"),
               golden_get(self, item, "expect.up_to"));
}

void golden_tier_order(golden *self, const met__node *item)
{
    same_order(self, golden_input(item), met__node_get(item, "expect"));
}

static void run_package_count(golden *self, const met__node *item)
{
    met_decimal count = met__decimal_zero();

    if (met__package_count(
            golden_decimal(self, item, "input.quantity"),
            golden_decimal(self, item, "input.quantity_per_package"), &count)
        != MET_OK) {
        golden_fail(self, "cannot be counted");
        return;
    }
    golden_same(self, golden_get(self, item, "expect.packages"),
                golden_decimal_node(self, count));
}

/* --- Conversion and discounts --------------------------------------------- */
static void run_unit_config(golden *self, const met__node *item)
{
    const met__node *node = golden_get(self, item, "input.unit_config");
    met__unit_config *config = NULL;
    met__node *got = met__node_object(self->arena);
    met_error_info info = {.struct_size = sizeof info};
    met_decimal converted;
    met_decimal billed;
    met_error error = MET_OK;

    if (node != NULL && node->kind != MET__NODE_NULL) {
        error = met__unit_config_read(node, NULL, self->arena, &config, &info);
    }
    if (error == MET_OK) {
        error =
            met__convert_units(config, golden_decimal(self, item, "input.raw"),
                               &converted, &billed);
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s: %s", met_error_name(error), info.reason);
        return;
    }
    golden_set(self, got, "converted", golden_decimal_node(self, converted));
    golden_set(self, got, "invoiced", golden_decimal_node(self, billed));
    golden_same(self, met__node_get(item, "expect"), got);
}

static met__discounts *discounts_of(golden *self, const met__node *input)
{
    met__discounts *discounts = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__discounts_read(met__node_get(input, "discounts"), NULL,
                            self->arena, &discounts, &info)
        != MET_OK) {
        golden_fail(self, "%s: %s", info.field, info.reason);
    }
    return discounts;
}

static void run_usage_discount(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__price price = {.type = MET__PRICE_UNIT, .amount = met__decimal_zero()};
    met__rate_input rate =
        room_input(self, &price, golden_decimal(self, input, "line_quantity"));
    met__node *got = met__node_object(self->arena);
    met__node *list = met__node_array(self->arena);

    rate.quantity_before = golden_decimal(self, input, "pre_line_quantity");
    rate.discounts = discounts_of(self, input);
    met__rated *rated = self->failed ? NULL : rate_room(self, &rate);
    if (rated == NULL) {
        return;
    }
    if (!met__decimal_is_zero(rated->usage_discount.quantity)) {
        met__node *discount = met__node_object(self->arena);
        golden_set(self, discount, "child_id",
                   met__node_text(self->arena, rated->usage_discount.child_id));
        golden_set(self, discount, "quantity",
                   golden_decimal_node(self, rated->usage_discount.quantity));
        golden_set(
            self, discount, "pre_line_quantity",
            golden_decimal_node(self, rated->usage_discount.quantity_before));
        (void)met__node_append(self->arena, list, discount);
    }
    golden_set(self, got, "line_quantity",
               golden_decimal_node(self, rated->quantity));
    golden_set(self, got, "pre_line_quantity",
               golden_decimal_node(self, rated->quantity_before));
    golden_set(self, got, "line_discounts", list);
    golden_same(self, met__node_get(item, "expect"), got);
}

/* percentage of value, by a flat line that has the discount. */
static void run_percentage(golden *self, const met__node *item)
{
    met_decimal value = golden_decimal(self, item, "input.value");
    met__discounts discounts = {
        .has_percentage = 1,
        .percentage = golden_decimal(self, item, "input.percentage")};
    met__price price = {
        .type = MET__PRICE_FLAT, .term = MET__TERM_IN_ARREARS, .amount = value};
    met__rate_input rate = room_input(self, &price, met__decimal_zero());
    met__node *got = met__node_object(self->arena);
    met_decimal applied;
    met_decimal markup;

    rate.discounts = &discounts;
    met__rated *rated = rate_room(self, &rate);
    if (rated == NULL) {
        return;
    }
    applied = rated->totals.discounts_total;
    (void)met__decimal_add(value, applied, &markup);
    golden_set(self, got, "applied", golden_decimal_node(self, applied));
    golden_set(self, got, "markup", golden_decimal_node(self, markup));
    golden_same(self, met__node_get(item, "expect"), got);
}

static void run_max_spend(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__price price = {.type = MET__PRICE_UNIT,
                        .amount =
                            golden_decimal(self, input, "per_unit_amount"),
                        .has_maximum = 1,
                        .maximum = golden_decimal(self, input, "maximum")};
    met__rate_input rate =
        room_input(self, &price, golden_decimal(self, input, "quantity"));
    met__node *got = met__node_array(self->arena);

    rate.currency = golden_currency(self, input);
    rate.already_billed = golden_decimal(self, input, "billed_before");
    met__rated *rated = self->failed ? NULL : rate_room(self, &rate);
    if (rated == NULL || rated->line_count != 1) {
        golden_fail(self, "no line");
        return;
    }
    for (size_t i = 0; i < rated->lines[0].discount_count; i++) {
        (void)met__node_append(
            self->arena, got,
            golden_decimal_node(self, rated->lines[0].discounts[i].amount));
    }
    golden_same(self, golden_get(self, item, "expect.discounts"), got);
}

/* --- Differences of lines ------------------------------------------------- */
static met__node *line_nodes(golden *self, const met__line *lines, size_t count,
                             const met__currency *currency)
{
    met__node *answer = met__node_object(self->arena);
    met__node *array = met__node_array(self->arena);
    met__node *node = NULL;
    met__totals totals;

    met__totals_clear(&totals);
    for (size_t i = 0; i < count; i++) {
        if (met__line_document(&lines[i], currency, self->arena, &node)
                != MET_OK
            || met__totals_add(&totals, &lines[i].totals) != MET_OK) {
            golden_fail(self, "line %zu has no document", i);
            return answer;
        }
        (void)met__node_append(self->arena, array, node);
    }
    golden_set(self, answer, "lines", array);
    if (met__totals_document(&totals, currency, self->arena, &node) == MET_OK) {
        golden_set(self, answer, "totals", node);
    }
    return answer;
}

static void run_rated_subtract(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__price *price = golden_room_price(self, met__node_get(input, "price"));
    met__rate_input rate = room_input(
        self, price, golden_decimal(self, input, "previous_quantity"));
    met__line *lines = NULL;
    size_t count = 0;

    rate.currency = golden_currency(self, input);
    rate.name = golden_text(self, input, "line_name");
    rate.is_minimum_ignored = 1;
    if (met__node_get(input, "discounts") != NULL) {
        rate.discounts = discounts_of(self, input);
    }
    if (self->failed) {
        return;
    }
    met__rated *previous = rate_room(self, &rate);
    rate.quantity = golden_decimal(self, input, "new_quantity");
    rate.is_minimum_ignored = 0;
    met__rated *current = rate_room(self, &rate);
    if (previous == NULL || current == NULL
        || met__lines_subtract(current->lines, current->line_count,
                               previous->lines, previous->line_count,
                               MET__REVERSE_BY_VALUES, self->arena, &lines,
                               &count)
               != MET_OK) {
        golden_fail(self, "cannot be subtracted");
        return;
    }
    golden_same_lines(self, met__node_get(item, "expect"),
                      line_nodes(self, lines, count, &rate.currency));
}

/* The case leaves out what does not matter to it. */
static met__line *lines_of(golden *self, const met__node *array)
{
    met__line *lines =
        met__arena_allocate(self->arena, (array->count + 1) * sizeof *lines);

    for (uint32_t i = 0; i < array->count; i++) {
        static const met__path path = {NULL, "line", 0};
        const met__node *given = array->as.items[i];
        met__node *full = met__node_object(self->arena);
        met_error_info info = {.struct_size = sizeof info};
        golden_set(self, full, "name", met__node_text_z(self->arena, "x"));
        golden_set(self, full, "payment_term",
                   met__node_text_z(self->arena, "in_arrears"));
        for (uint32_t k = 0; k < given->count; k++) {
            met__text name = given->as.members[k].name;
            if (!met__text_equal(name, MET__TEXT("service_period"))) {
                golden_set(self, full,
                           met__arena_copy(self->arena, name.data, name.size),
                           given->as.members[k].node);
            }
        }
        if (met__line_read(full, &path, self->arena, &lines[i], &info)
            != MET_OK) {
            golden_fail(self, "%s: %s", info.field, info.reason);
        }
    }
    return lines;
}

static void run_line_subtract(golden *self, const met__node *item)
{
    const met__node *current = golden_get(self, item, "input.current");
    const met__node *previous = golden_get(self, item, "input.previous");
    met__currency currency;
    met__line *lines = NULL;
    size_t count = 0;

    (void)met__currency_of(MET__TEXT("USD"), &currency);
    if (!met__text_equal(golden_text(self, item, "input.reversal_child_id"),
                         MET__TEXT("suffix"))) {
        golden_skip(self, "another way to name reversals");
        return;
    }
    met__line *now = lines_of(self, current);
    met__line *before = lines_of(self, previous);
    met_error error =
        self->failed
            ? MET_E_INVALID
            : met__lines_subtract(now, current->count, before, previous->count,
                                  MET__REVERSE_BY_VALUES, self->arena, &lines,
                                  &count);
    const met__node *expected = golden_get(self, item, "expect.error");
    if (expected != NULL) {
        if (error == MET_OK) {
            golden_fail(self, "expected an error");
        }
    } else if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    } else {
        golden_same_lines(self, met__node_get(item, "expect"),
                          line_nodes(self, lines, count, &currency));
    }
}

const golden_kind golden_steps_kinds[] = {
    {"graduated_walk", run_walk, NULL},
    {"volume_tier", run_volume_tier, NULL},
    {"sort_tiers", run_sort_tiers, NULL},
    {"package_count", run_package_count, NULL},
    {"unit_config_apply", run_unit_config, NULL},
    {"usage_discount", run_usage_discount, NULL},
    {"percentage", run_percentage, NULL},
    {"max_spend_line", run_max_spend, NULL},
    {"rated_subtract", run_rated_subtract, NULL},
    {"line_subtract", run_line_subtract, NULL},
    {NULL, NULL, NULL},
};

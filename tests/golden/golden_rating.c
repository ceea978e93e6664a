/* Golden kinds of rating: one line, and series of splits. They go
 * through the public calls: a price is created, a quantity rated. */
#include "golden_rating.h"

/* --- Shared --------------------------------------------------------------- */
const met__node *golden_json(golden *self, met__text json)
{
    met__node *node = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__json_parse(self->arena, json, &node, &info) != MET_OK) {
        golden_fail(self, "no JSON: %s", info.reason);
    }
    return node;
}

void golden_set(golden *self, met__node *object, const char *name,
                const met__node *value)
{
    if (value != NULL) {
        (void)met__node_set(self->arena, object, name, (met__node *)value);
    }
}

met__node *golden_decimal_node(golden *self, met_decimal value)
{
    return met__node_decimal(self->arena, value);
}

static int is_there(const met__node *node)
{
    return node != NULL && node->kind != MET__NODE_NULL;
}

static int has_text(const met__node *node, const char *name, const char *text)
{
    const met__node *member = met__node_get(node, name);

    return member != NULL && member->kind == MET__NODE_TEXT
           && met__text_equal(member->as.text, met__text_z(text));
}

/* The members of an object but one. */
static met__node *copy_without(golden *self, const met__node *object,
                               const char *left_out)
{
    met__node *copy = met__node_object(self->arena);

    for (uint32_t i = 0; i < object->count; i++) {
        met__text name = object->as.members[i].name;
        if (!met__text_equal(name, met__text_z(left_out))) {
            golden_set(self, copy,
                       met__arena_copy(self->arena, name.data, name.size),
                       object->as.members[i].node);
        }
    }
    return copy;
}

/* The cases speak of the peer's inner price, where a flat one without a term
 * is in advance; documents of ours follow its v3 API: in arrears. */
static const met__node *inner_price(golden *self, const met__node *price)
{
    if (!is_there(price)) {
        return golden_json(self, MET__TEXT("{\"type\": \"free\"}"));
    }
    if (price->kind != MET__NODE_OBJECT || !has_text(price, "type", "flat")
        || met__node_get(price, "payment_term") != NULL) {
        return price;
    }
    met__node *copy = copy_without(self, price, "payment_term");
    golden_set(self, copy, "payment_term",
               met__node_text_z(self->arena, "in_advance"));
    return copy;
}

met__node *golden_card(golden *self, const met__node *input)
{
    met__node *card = met__node_object(self->arena);

    golden_set(self, card, "name", met__node_get(input, "line_name"));
    golden_set(self, card, "price",
               inner_price(self, met__node_get(input, "price")));
    golden_set(self, card, "discounts", met__node_get(input, "discounts"));
    golden_set(self, card, "unit_config", met__node_get(input, "unit_config"));
    golden_set(self, card, "currency", met__node_get(input, "currency"));
    return card;
}

met__text golden_print(golden *self, const met__node *node)
{
    met__buffer buffer;

    met__buffer_init(&buffer, self->platform);
    met__json_write(node, 0, &buffer);
    char *copy = met__arena_copy(self->arena, buffer.data, buffer.size);
    met__text text = met__text_of(copy, buffer.size);
    met__buffer_release(&buffer);
    return text;
}

met_price *golden_price_of(golden *self, const met__node *input,
                           met_error_info *info)
{
    met_price *price = NULL;
    met__text json = golden_print(self, golden_card(self, input));

    *info = (met_error_info){.struct_size = sizeof *info};
    if (met_price_create(json.data, json.size, NULL, &price, info)
        != MET_OK) {
        return NULL;
    }
    return price;
}

met__price *golden_room_price(golden *self, const met__node *price)
{
    met__price *read = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__price_read(inner_price(self, price), NULL, self->arena, &read,
                        &info)
        != MET_OK) {
        golden_fail(self, "the price is refused: %s %s", info.field,
                    info.reason);
    }
    return read;
}

const met__node *golden_rate(golden *self, const met_price *price,
                             const met__node *request, met_error_info *info)
{
    met_buffer out = {0};
    met__text json = golden_print(self, request);

    *info = (met_error_info){.struct_size = sizeof *info};
    if (met_price_rate(price, json.data, json.size, &out, info) != MET_OK) {
        return NULL;
    }
    char *copy = met__arena_copy(self->arena, out.data, out.size);
    const met__node *answer = golden_json(self, met__text_of(copy, out.size));
    met_buffer_release(&out);
    return answer;
}

met__currency golden_currency(golden *self, const met__node *input)
{
    met__currency currency = {.places = 2};
    met_error_info info = {.struct_size = sizeof info};
    const met__node *node = met__node_get(input, "currency");

    /* The cases leave out what a custom currency is called. */
    if (node != NULL && node->kind == MET__NODE_OBJECT
        && has_text(node, "type", "custom")
        && met__node_get(node, "name") == NULL) {
        golden_set(self, (met__node *)node, "name",
                   met__node_get(node, "code"));
    }
    if (met__currency_read(node, NULL, &currency, &info) != MET_OK) {
        golden_fail(self, "the currency is refused: %s %s", info.field,
                    info.reason);
    }
    return currency;
}

/* Rules that the peer calls otherwise. */
static const char *const peer_names[][2] = {
    /* its code names the wrong mode (own decision) */
    {"invoice_line_volume_split_not_supported",
     "invoice_line_graduated_split_not_supported"},
    {"price_tiers_without_open_end", "invoice_line_missing_open_ended_tier"},
    {NULL, NULL},
};

void golden_same_error(golden *self, const met__node *expected, met_error error,
                       const met_error_info *info)
{
    if (error == MET_OK) {
        golden_fail(self, "expected an error, got none");
        return;
    }
    if (expected->kind != MET__NODE_TEXT) {
        golden_same_flag(self, expected, 1);
        return;
    }
    const char *code = strrchr(info->reason, '(');
    code = code ? code + 1 : info->reason;
    size_t size = strcspn(code, ");");
    for (int i = 0; peer_names[i][0] != NULL; i++) {
        if (strlen(peer_names[i][0]) == size
            && memcmp(peer_names[i][0], code, size) == 0) {
            code = peer_names[i][1];
            size = strlen(code);
            break;
        }
    }
    golden_same(self, expected,
                met__node_text(self->arena, met__text_of(code, size)));
}

void golden_same_totals(golden *self, const met__node *expected,
                        const met__node *got)
{
    static const char *const names[] = {"amount",
                                        "charges_total",
                                        "discounts_total",
                                        "credits_total",
                                        "taxes_total",
                                        "taxes_inclusive_total",
                                        "taxes_exclusive_total",
                                        "total",
                                        NULL};
    met__node *full = met__node_object(self->arena);

    for (int i = 0; names[i] != NULL; i++) {
        const met__node *value = met__node_get(expected, names[i]);
        golden_set(self, full, names[i],
                   value ? value : met__node_text_z(self->arena, "0"));
    }
    for (uint32_t i = 0; i < expected->count; i++) { /* and unknown ones */
        met__text name = expected->as.members[i].name;
        golden_set(self, full,
                   met__arena_copy(self->arena, name.data, name.size),
                   expected->as.members[i].node);
    }
    golden_same(self, full, got);
}

void golden_same_lines(golden *self, const met__node *expected,
                       const met__node *answer)
{
    const met__node *lines = met__node_get(expected, "lines");
    const met__node *got = met__node_get(answer, "lines");

    if (lines != NULL) {
        if (lines->count != got->count) {
            golden_same(self, lines, got);
            return;
        }
        for (uint32_t i = 0; i < lines->count; i++) {
            const met__node *line = lines->as.items[i];
            met__node *rest = copy_without(self, line, "totals");
            golden_same(self, rest, got->as.items[i]);
            if (met__node_get(line, "totals") != NULL) {
                golden_same_totals(self, met__node_get(line, "totals"),
                                   met__node_get(got->as.items[i], "totals"));
            }
        }
    }
    if (met__node_get(expected, "totals") != NULL) {
        golden_same_totals(self, met__node_get(expected, "totals"),
                           met__node_get(answer, "totals"));
    }
}

/* --- One line ------------------------------------------------------------- */
static met__node *request_of(golden *self, const met__node *input)
{
    met__node *request = met__node_object(self->arena);
    met__node *policies = met__node_object(self->arena);
    const met__node *options = met__node_get(input, "options");
    met__text position = golden_text(self, input, "position");
    int is_single = met__text_equal(position, MET__TEXT("single"));

    golden_set(self, request, "quantity",
               golden_get(self, input, "usage.line_quantity"));
    golden_set(self, request, "quantity_before",
               golden_get(self, input, "usage.pre_line_quantity"));
    golden_set(self, request, "already_billed",
               met__node_get(input, "previously_billed_amount"));
    golden_set(self, request, "is_first",
               met__node_boolean(
                   self->arena,
                   is_single || met__text_equal(position, MET__TEXT("first"))));
    golden_set(self, request, "is_last",
               met__node_boolean(
                   self->arena,
                   is_single || met__text_equal(position, MET__TEXT("last"))));
    /* The peer's split lines are converted each by itself. */
    golden_set(self, policies, "unit_conversion",
               met__node_text_z(self->arena, "per_line"));
    golden_set(self, request, "policies", policies);
    if (options != NULL && met__node_get(options, "ignore_minimum_commitment")
        && golden_flag(self, options, "ignore_minimum_commitment")) {
        golden_set(self, request, "is_minimum_applied",
                   met__node_boolean(self->arena, 0));
    }
    if (options == NULL || met__node_get(options, "disable_credits") == NULL
        || !golden_flag(self, options, "disable_credits")) {
        golden_set(self, request, "credits", met__node_get(input, "credits"));
    }
    return request;
}

static void run_rate_line(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    const met__node *enabled = met__node_get(input, "unit_config_enabled");
    met_error_info info;

    /* The peer's switch for all of its conversions: here who wants none names
     * none. */
    if (is_there(met__node_get(input, "unit_config"))
        && (enabled == NULL
            || !golden_flag(self, input, "unit_config_enabled"))) {
        input = copy_without(self, input, "unit_config");
    }
    met_price *price = golden_price_of(self, input, &info);
    const met__node *answer =
        price ? golden_rate(self, price, request_of(self, input), &info) : NULL;
    met_price_destroy(price);
    if (met__node_get(expect, "error") != NULL) {
        golden_same_error(self, met__node_get(expect, "error"),
                          answer ? MET_OK : info.code, &info);
    } else if (answer == NULL) {
        golden_fail(self, "got %s: %s %s", met_error_name(info.code),
                    info.field, info.reason);
    } else {
        golden_same_lines(self, expect, answer);
    }
}

/* Whole periods: the total, as met_price_rate_batch gives it. */
static void run_total(golden *self, const met__node *item)
{
    met_decimal value = golden_decimal(self, item, "input.quantity");
    met_error_info info;
    met_price *price =
        golden_price_of(self, met__node_get(item, "input"), &info);

    if (price == NULL
        || met_price_rate_batch(price, &value, 1, &value, &info) != MET_OK) {
        golden_fail(self, "got %s: %s %s", met_error_name(info.code),
                    info.field, info.reason);
    } else {
        golden_same(self, golden_get(self, item, "expect.total"),
                    golden_decimal_node(self, value));
    }
    met_price_destroy(price);
}

/* --- Splits of one line --------------------------------------------------- */
static met__node *split_request(golden *self, const met__node *split,
                                int is_first, int is_last, met_decimal billed)
{
    met__node *request = met__node_object(self->arena);

    golden_set(self, request, "quantity",
               met__node_get(split, "metered_quantity"));
    golden_set(self, request, "quantity_before",
               met__node_get(split, "metered_pre_line_quantity"));
    golden_set(self, request, "is_first",
               met__node_boolean(self->arena, is_first));
    golden_set(self, request, "is_last",
               met__node_boolean(self->arena, is_last));
    golden_set(self, request, "already_billed",
               golden_decimal_node(self, billed));
    return request;
}

/* What a split line reports of its quantities, in the case's words. */
static void same_quantities(golden *self, const met__node *expected,
                            const met__node *answer)
{
    met__node *got = met__node_object(self->arena);
    met__node *rest = met__node_object(self->arena);
    met__node *list = met__node_array(self->arena);
    const met__node *discount = met__node_get(answer, "usage_discount");

    if (discount != NULL) {
        met__node *copy = met__node_object(self->arena);
        golden_set(self, copy, "child_id", met__node_get(discount, "child_id"));
        golden_set(self, copy, "quantity", met__node_get(discount, "quantity"));
        golden_set(self, copy, "pre_line_quantity",
                   met__node_get(discount, "quantity_before"));
        (void)met__node_append(self->arena, list, copy);
    }
    golden_set(self, got, "line_quantity", met__node_get(answer, "quantity"));
    golden_set(self, got, "pre_line_quantity",
               met__node_get(answer, "quantity_before"));
    golden_set(self, got, "line_discounts", list);
    for (uint32_t i = 0; i < expected->count; i++) {
        met__text name = expected->as.members[i].name;
        if (!met__text_equal(name, MET__TEXT("lines"))
            && !met__text_equal(name, MET__TEXT("totals"))) {
            golden_set(self, rest,
                       met__arena_copy(self->arena, name.data, name.size),
                       expected->as.members[i].node);
        }
    }
    golden_same(self, rest, got);
}

/* The peer's older engine: each split is rated by itself, knowing the usage
 * before it and the gross amount of the splits that were not deleted. */
static void run_progressive(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *splits = met__node_get(input, "splits");
    const met__node *expect = golden_get(self, item, "expect.splits");
    met_decimal billed = met__decimal_zero();
    met_error_info info;
    met_price *price = golden_price_of(self, input, &info);
    static const met__duration day = {.hours = 24};

    if (price == NULL || expect == NULL || splits->count != expect->count) {
        golden_fail(self, "no usable price or splits: %s", info.reason);
        met_price_destroy(price);
        return;
    }
    for (uint32_t i = 0; i < splits->count; i++) {
        const met__node *split = splits->as.items[i];
        met__duration to = golden_duration(self, split, "to");
        met__duration from = golden_duration(self, split, "from");
        int is_last = memcmp(&to, &day, sizeof to) == 0;
        const met__node *answer =
            golden_rate(self, price,
                        split_request(self, split, met__duration_is_zero(&from),
                                      is_last, billed),
                        &info);
        if (answer == NULL) {
            golden_fail(self, "split %u: %s", i, info.reason);
            break;
        }
        golden_same_lines(self, expect->as.items[i], answer);
        same_quantities(self, expect->as.items[i], answer);
        if (met__node_get(split, "deleted_afterwards") == NULL
            || !golden_flag(self, split, "deleted_afterwards")) {
            met_decimal amount = golden_decimal(self, answer, "totals.amount");
            (void)met__decimal_add(billed, amount, &billed);
        }
    }
    met_price_destroy(price);
}

const golden_kind golden_rating_kinds[] = {
    {"rate_line", run_rate_line, NULL},
    {"price_total", run_total, NULL},
    {"graduated_total", run_total, NULL},
    {"progressive_series", run_progressive, NULL},
    {NULL, NULL, NULL},
};

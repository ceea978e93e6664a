/* Usage of a line by day and by dimension. In: whose, of what, when. Out: a
 * document. Rows are taken as they come: of a dimension only the greatest
 * values are held, however many there are. */
#include "invoice/line_usage.h"

#include "customer/subscription.h"
#include "entitlement/customer_usage.h"
#include "invoice/invoice.h"

/* --- By day --------------------------------------------------------------- */
static int64_t day_of(int64_t ns)
{
    return ns - ns % MET__DAY_NS;
}

static met_error read_days(met__txn *txn, const met__usage_query *asked,
                           int64_t first_ns, size_t count,
                           met_decimal *quantities)
{
    met__usage_query query = *asked;
    met__usage_cursor *cursor = NULL;
    met__usage_row row;

    query.window = MET__WINDOW_DAY;
    met_error error = met__usage_open(txn, &query, MET__USAGE_GROUPS_MAX,
                                      &cursor, NULL);
    while (error == MET_OK) {
        error = met__usage_next(cursor, &row, NULL);
        if (error == MET_OK) {
            size_t day = (size_t)((row.from_ns - first_ns) / MET__DAY_NS);
            if (day < count) {
                quantities[day] = row.value;
            }
        }
    }
    met__usage_close(cursor);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error build_days(met__builder *builder, met__txn *txn,
                            const met__usage_query *query)
{
    met__arena *arena = builder->arena;
    int64_t first_ns = day_of(query->from_ns);
    size_t count = (size_t)((query->to_ns - 1 - first_ns) / MET__DAY_NS) + 1;
    met_decimal *quantities =
        met__arena_allocate(arena, count * sizeof *quantities);
    met__node *array = met__node_array(arena);
    met__builder inner;

    if (quantities == NULL || array == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        quantities[i] = met__decimal_zero();
    }
    met_error error = read_days(txn, query, first_ns, count, quantities);
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        error = met__node_append(arena, array,
                                 met__node_decimal(arena, quantities[i]));
    }
    met__builder_begin(&inner, arena);
    met__build_time(&inner, "from", first_ns);
    met__build_node(&inner, "quantities", array);
    met__build_object(builder, "by_day", &inner);
    return error;
}

/* --- By dimension --------------------------------------------------------- */
typedef struct top {
    size_t count;
    met__value_usage values[MET__LINE_USAGE_VALUES_MAX]; /* greatest first */
    int64_t other_count;
    met_decimal other_quantity;
} top;

/* Of equal ones the first in the order of values stays in front. */
static met_error take(top *self, const met__usage_row *row, met__arena *arena)
{
    size_t at = self->count;
    met__value_usage dropped;

    while (at > 0
           && met__decimal_compare(self->values[at - 1].quantity, row->value)
                  < 0) {
        at--;
    }
    if (self->count == MET__LINE_USAGE_VALUES_MAX) {
        self->other_count++;
        dropped = self->values[self->count - 1];
        if (at == self->count) {
            return met__decimal_add(self->other_quantity, row->value,
                                    &self->other_quantity);
        }
        self->count--;
        met_error error = met__decimal_add(self->other_quantity,
                                           dropped.quantity,
                                           &self->other_quantity);
        if (error != MET_OK) {
            return error;
        }
    }
    const char *copy = met__arena_copy(arena, row->values[0].data,
                                       row->values[0].size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    memmove(&self->values[at + 1], &self->values[at],
            (self->count - at) * sizeof *self->values);
    self->values[at].value = met__text_of(copy, row->values[0].size);
    self->values[at].quantity = row->value;
    self->count++;
    return MET_OK;
}

static met_error read_values(met__txn *txn, const met__usage_query *asked,
                             const met__text *dimension, met__arena *arena,
                             top *top_out)
{
    met__usage_query query = *asked;
    met__usage_cursor *cursor = NULL;
    met__usage_row row;

    query.groups = dimension;
    query.group_count = 1;
    *top_out = (top){.other_quantity = met__decimal_zero()};
    met_error error = met__usage_open(txn, &query, MET__USAGE_GROUPS_MAX,
                                      &cursor, NULL);
    while (error == MET_OK) {
        error = met__usage_next(cursor, &row, NULL);
        if (error == MET_OK) {
            error = take(top_out, &row, arena);
        }
    }
    met__usage_close(cursor);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error build_value(met__arena *arena, met__node *array,
                             const met__value_usage *value)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_node(&builder, "value", met__node_text(arena, value->value));
    met__build_decimal(&builder, "quantity", value->quantity);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_append(arena, array, node) : error;
}

static met_error build_dimension(const top *values, met__text dimension,
                                 met__arena *arena, met__node *list)
{
    met__node *array = met__node_array(arena);
    met__builder builder;
    met__builder inner;
    met__node *node;
    met_error error = array == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < values->count; i++) {
        error = build_value(arena, array, &values->values[i]);
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "dimension", dimension);
    met__build_node(&builder, "values", array);
    if (values->other_count > 0) {
        met__builder_begin(&inner, arena);
        met__build_integer(&inner, "values", values->other_count);
        met__build_decimal(&inner, "quantity", values->other_quantity);
        met__build_object(&builder, "others", &inner);
    }
    met_error built = met__builder_end(&builder, &node);
    error = error == MET_OK ? built : error;
    return error == MET_OK ? met__node_append(arena, list, node) : error;
}

/* A dimension with the one value that the feature asks for. */
static int is_fixed(const met__feature *feature, met__text dimension)
{
    size_t i = 0;

    while (i < feature->filter_count
           && !(met__text_equal(feature->filters[i].dimension, dimension)
                && met__condition_is_equal(feature->filters[i].condition))) {
        i++;
    }
    return i < feature->filter_count;
}

static met_error build_dimensions(met__builder *builder, met__txn *txn,
                                  const met__feature *feature,
                                  const met__usage_query *query)
{
    met__arena *arena = builder->arena;
    met__node *list = met__node_array(arena);
    met_error error = list == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < query->meter->dimension_count
                       && list->count < MET__LINE_USAGE_DIMENSIONS_MAX;
         i++) {
        met__text dimension = query->meter->dimensions[i].name;
        top values;
        if (is_fixed(feature, dimension)) {
            continue;
        }
        error = read_values(txn, query, &dimension, arena, &values);
        /* A dimension that no event has says nothing. */
        if (error == MET_OK && values.count > 0
            && (values.count > 1 || values.values[0].value.size > 0)) {
            error = build_dimension(&values, dimension, arena, list);
        }
    }
    if (error == MET_OK && list->count > 0) {
        met__build_node(builder, "by_dimension", list);
    }
    return error;
}

/* --- Both ----------------------------------------------------------------- */
met_error met__line_usage(met__txn *txn, const met__customer *customer,
                          const met__feature *feature,
                          const met__meter *meter, met__period period,
                          met__arena *arena, met__node **node_out)
{
    met__usage_query query;
    met__builder builder;

    *node_out = NULL;
    if (met__customer_query(customer, feature, meter, period, &query, NULL)
            != MET_OK
        || query.from_ns >= query.to_ns
        || (query.to_ns - day_of(query.from_ns)) / MET__DAY_NS
               >= MET__LINE_USAGE_DAYS_MAX) {
        return MET_OK;
    }
    met__builder_begin(&builder, arena);
    met_error error = build_days(&builder, txn, &query);
    if (error == MET_OK) {
        error = build_dimensions(&builder, txn, feature, &query);
    }
    if (error == MET_OK) {
        return met__builder_end(&builder, node_out);
    }
    return error == MET_E_UNSUPPORTED || error == MET_E_OVERFLOW ? MET_OK
                                                                 : error;
}

/* --- Of a stored invoice -------------------------------------------------- */
static met__text text_at(const met__node *node, const char *name)
{
    const met__node *found = node != NULL ? met__node_get(node, name) : NULL;

    return found != NULL && found->kind == MET__NODE_TEXT
               ? found->as.text
               : met__text_of("", 0);
}

/* The feature that the line's rate card is pinned to. */
static met_error find_feature(met__txn *txn,
                              const met__subscription *subscription,
                              met__text card_key, met__arena *arena,
                              met__feature **feature_out)
{
    met__plan *plan;
    met_error error =
        met__subscription_plan(txn, subscription, arena, &plan);

    for (size_t p = 0; error == MET_OK && p < plan->phase_count; p++) {
        for (size_t c = 0; c < plan->phases[p].rate_card_count; c++) {
            const met__rate_card *card = plan->phases[p].rate_cards[c];
            if (met__text_equal(card->key, card_key)) {
                return met__rate_card_feature(txn, card, arena, feature_out);
            }
        }
    }
    return error == MET_OK ? MET_E_NOT_FOUND : error;
}

static int read_period(const met__node *line, met__period *out)
{
    const met__node *period = met__node_get(line, "period");
    met__text until = text_at(line, "usage_to");

    if (until.size == 0) {
        until = text_at(period, "to");
    }
    return met__time_parse(text_at(period, "from"), &out->from_ns) == MET_OK
           && met__time_parse(until, &out->to_ns) == MET_OK;
}

/* MET_E_NOT_FOUND: something of it is gone. */
static met_error usage_of_line(met__txn *txn, const met__node *line,
                               met__arena *arena, met__node **node_out)
{
    met__subscription *subscription;
    met__customer *customer;
    met__feature *feature;
    met__meter *meter;
    met__period period;

    *node_out = NULL;
    if (text_at(line, "feature_key").size == 0
        || !read_period(line, &period)) {
        return MET_E_NOT_FOUND;
    }
    met_error error = met__subscription_owner(
        txn, text_at(line, "subscription_id"), arena, &subscription,
        &customer);
    if (error == MET_OK) {
        error = find_feature(txn, subscription, text_at(line, "key"), arena,
                             &feature);
    }
    if (error == MET_OK) {
        error = met__meter_get(txn, feature->meter_key, arena, &meter);
    }
    return error == MET_OK ? met__line_usage(txn, customer, feature, meter,
                                             period, arena, node_out)
                           : error;
}

met_error met__invoice_with_usage(met__txn *txn, met__text id,
                                  met__arena *arena, met__node **node_out)
{
    const met__node *lines = NULL;
    met_error error = met__invoice_document(txn, id, arena, node_out);

    if (error == MET_OK) {
        lines = met__node_get(*node_out, "lines");
        error = lines != NULL && lines->kind == MET__NODE_ARRAY
                    ? MET_OK
                    : MET_E_CORRUPT;
    }
    for (uint32_t i = 0; error == MET_OK && i < lines->count
                         && i < MET__LINE_USAGE_LINES_MAX; i++) {
        met__node *line = lines->as.items[i];
        met__node *usage = NULL;
        if (line->kind != MET__NODE_OBJECT
            || met__node_get(line, "usage") != NULL) {
            continue;
        }
        error = usage_of_line(txn, line, arena, &usage);
        if (error == MET_E_NOT_FOUND || (error == MET_OK && usage == NULL)) {
            error = MET_OK;
            continue;
        }
        if (error == MET_OK) {
            error = met__node_set(arena, usage, "as_of",
                                  met__node_time(arena, met__txn_now_ns(txn)));
        }
        if (error == MET_OK) {
            error = met__node_set(arena, line, "usage", usage);
        }
    }
    return error;
}

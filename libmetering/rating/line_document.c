/* Lines as documents and back: what invoices store and callers read. */
#include "base/limits.h"
#include "rating/rating_parts.h"

#define TEXT_SIZE_MAX 1024
#define DISCOUNTS_MAX 16
#define CREDITS_MAX 1024

static const char *const categories[] = {"regular", "commitment", NULL};
static const char *const terms[] = {"in_advance", "in_arrears", NULL};

/* --- Writing -------------------------------------------------------------- */
static met_error set_amount(met__arena *arena, met__node *object,
                            const char *name, met_decimal amount,
                            const met__currency *currency)
{
    met__node *node = NULL;
    met_error error = met__amount_document(amount, currency, arena, &node);

    return error == MET_OK ? met__node_set(arena, object, name, node) : error;
}

static met_error set_text(met__arena *arena, met__node *object,
                          const char *name, met__text text)
{
    return text.size > 0
               ? met__node_set(arena, object, name, met__node_text(arena, text))
               : MET_OK;
}

static met_error discounts_document(const met__line *line,
                                    const met__currency *currency,
                                    met__arena *arena, met__node *object)
{
    met_error error = MET_OK;

    if (line->discount_count == 0) {
        return MET_OK;
    }
    met__node *array = met__node_array(arena);
    for (size_t i = 0; error == MET_OK && i < line->discount_count; i++) {
        const met__line_discount *discount = &line->discounts[i];
        met__node *item = met__node_object(arena);
        error = met__node_set(arena, item, "child_id",
                              met__node_text(arena, discount->child_id));
        if (error == MET_OK) {
            error = met__node_set(arena, item, "reason",
                                  met__node_text(arena, discount->reason));
        }
        if (error == MET_OK) {
            error =
                set_amount(arena, item, "amount", discount->amount, currency);
        }
        if (error == MET_OK) {
            error = met__node_append(arena, array, item);
        }
    }
    return error == MET_OK ? met__node_set(arena, object, "discounts", array)
                           : error;
}

static met_error credits_document(const met__line *line,
                                  const met__currency *currency,
                                  met__arena *arena, met__node *object)
{
    met_error error = MET_OK;

    if (line->credit_count == 0) {
        return MET_OK;
    }
    met__node *array = met__node_array(arena);
    for (size_t i = 0; error == MET_OK && i < line->credit_count; i++) {
        met__node *item = NULL;
        error = met__amount_document(line->credits[i], currency, arena, &item);
        if (error == MET_OK) {
            error = met__node_append(arena, array, item);
        }
    }
    return error == MET_OK
               ? met__node_set(arena, object, "credits_applied", array)
               : error;
}

static met_error period_document(const met__line *line, met__arena *arena,
                                 met__node *object)
{
    met__node *period = met__node_object(arena);
    met_error error = met__node_set(
        arena, period, "from", met__node_time(arena, line->period.from_ns));

    if (error == MET_OK) {
        error = met__node_set(arena, period, "to",
                              met__node_time(arena, line->period.to_ns));
    }
    return error == MET_OK
               ? met__node_set(arena, object, "service_period", period)
               : error;
}

static met_error texts_document(const met__line *line, met__arena *arena,
                                met__node *object)
{
    met_error error = set_text(arena, object, "id", line->id);

    if (error == MET_OK) {
        error = met__node_set(arena, object, "name",
                              met__node_text(arena, line->name));
    }
    if (error == MET_OK) {
        error = met__node_set(arena, object, "child_id",
                              met__node_text(arena, line->child_id));
    }
    if (error == MET_OK && !met__text_equal(line->pricer_id, line->child_id)) {
        error = set_text(arena, object, "pricer_id", line->pricer_id);
    }
    if (error == MET_OK) {
        error = set_text(arena, object, "explanation", line->explanation);
    }
    if (error == MET_OK) {
        error = met__node_set(
            arena, object, "category",
            met__node_text_z(arena, categories[line->category - 1]));
    }
    if (error == MET_OK) {
        error = met__node_set(arena, object, "payment_term",
                              met__node_text_z(arena, terms[line->term - 1]));
    }
    return error;
}

met_error met__line_document(const met__line *line,
                             const met__currency *currency, met__arena *arena,
                             met__node **node_out)
{
    met__node *object = met__node_object(arena);
    met__node *totals = NULL;
    met_error error =
        object != NULL ? texts_document(line, arena, object) : MET_E_NO_MEMORY;

    if (error == MET_OK) {
        error = met__node_set(arena, object, "index",
                              met__node_integer(arena, line->index));
    }
    if (error == MET_OK && line->is_full_period) {
        error = met__node_set(arena, object, "period",
                              met__node_text_z(arena, "full"));
    }
    if (error == MET_OK && line->period.to_ns != line->period.from_ns) {
        error = period_document(line, arena, object);
    }
    if (error == MET_OK) {
        error = set_text(arena, object, "corrects_run_id",
                         line->corrects_run_id);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, object, "quantity",
                              met__node_decimal(arena, line->quantity));
    }
    if (error == MET_OK) {
        error = set_amount(arena, object, "per_unit_amount",
                           line->per_unit_amount, currency);
    }
    if (error == MET_OK) {
        error = discounts_document(line, currency, arena, object);
    }
    if (error == MET_OK) {
        error = credits_document(line, currency, arena, object);
    }
    if (error == MET_OK) {
        error = met__totals_document(&line->totals, currency, arena, &totals);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, object, "totals", totals);
    }
    if (error == MET_OK) {
        *node_out = object;
    }
    return error;
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_discounts(met__fields *fields, met__arena *arena,
                                met__line *line)
{
    const met__node *array = NULL;
    met__path path = {fields->path, "discounts", 0};

    met__fields_array(fields, "discounts", MET__OPTIONAL, DISCOUNTS_MAX,
                      &array);
    if (fields->error != MET_OK || array == NULL || array->count == 0) {
        return fields->error;
    }
    line->discounts =
        met__arena_allocate(arena, array->count * sizeof *line->discounts);
    if (line->discounts == NULL) {
        return MET_E_NO_MEMORY;
    }
    line->discount_count = array->count;
    for (uint32_t i = 0; i < array->count; i++) {
        met__path item = {&path, NULL, i};
        met__line_discount *discount = &line->discounts[i];
        met__fields parts;
        met__fields_begin(&parts, array->as.items[i], &item, fields->info);
        met__fields_text(&parts, "child_id", MET__REQUIRED, 1, TEXT_SIZE_MAX,
                         &discount->child_id);
        met__fields_text(&parts, "reason", MET__REQUIRED, 1, TEXT_SIZE_MAX,
                         &discount->reason);
        met__fields_decimal(&parts, "amount", MET__REQUIRED, INT64_MIN,
                            &discount->amount);
        met_error error = met__fields_end(&parts);
        if (error != MET_OK) {
            return error;
        }
    }
    return MET_OK;
}

static met_error read_credits(met__fields *fields, met__arena *arena,
                              met__line *line)
{
    const met__node *array = NULL;

    met__fields_array(fields, "credits_applied", MET__OPTIONAL, CREDITS_MAX,
                      &array);
    if (fields->error != MET_OK || array == NULL || array->count == 0) {
        return fields->error;
    }
    line->credits =
        met__arena_allocate(arena, array->count * sizeof *line->credits);
    if (line->credits == NULL) {
        return MET_E_NO_MEMORY;
    }
    line->credit_count = array->count;
    for (uint32_t i = 0; i < array->count; i++) {
        const met__node *item = array->as.items[i];
        if (item->kind != MET__NODE_TEXT
            || met__decimal_parse(item->as.text, &line->credits[i]) != MET_OK) {
            return met__fields_fail(fields, "credits_applied",
                                    "must be a list of decimal strings");
        }
    }
    return MET_OK;
}

static met_error read_period(met__fields *fields, met__period *period)
{
    const met__node *node = NULL;
    met__path path = {fields->path, "service_period", 0};
    met__fields parts;

    met__fields_object(fields, "service_period", MET__OPTIONAL, &node);
    if (fields->error != MET_OK || node == NULL) {
        return fields->error;
    }
    met__fields_begin(&parts, node, &path, fields->info);
    met__fields_time(&parts, "from", MET__REQUIRED, &period->from_ns);
    met__fields_time(&parts, "to", MET__REQUIRED, &period->to_ns);
    return fields->error = met__fields_end(&parts);
}

static void read_texts(met__fields *fields, met__line *line)
{
    uint32_t category = 0;
    uint32_t term = 0;

    met__fields_text(fields, "id", MET__OPTIONAL, 1, TEXT_SIZE_MAX, &line->id);
    met__fields_text(fields, "name", MET__REQUIRED, 0, TEXT_SIZE_MAX,
                     &line->name);
    met__fields_text(fields, "child_id", MET__REQUIRED, 1, TEXT_SIZE_MAX,
                     &line->child_id);
    line->pricer_id = line->child_id;
    met__fields_text(fields, "pricer_id", MET__OPTIONAL, 1, TEXT_SIZE_MAX,
                     &line->pricer_id);
    met__fields_text(fields, "explanation", MET__OPTIONAL, 0, TEXT_SIZE_MAX,
                     &line->explanation);
    met__fields_choice(fields, "category", MET__REQUIRED, categories,
                       &category);
    met__fields_choice(fields, "payment_term", MET__REQUIRED, terms, &term);
    line->category = category + 1;
    line->term = term + 1;
}

met_error met__line_read(const met__node *node, const met__path *path,
                         met__arena *arena, met__line *line_out,
                         met_error_info *info)
{
    static const char *const periods[] = {"full", NULL};
    met__line line = {0};
    met__fields fields;
    met__path totals_path = {path, "totals", 0};
    const met__node *totals = NULL;
    uint32_t period = 1;
    int64_t index = 0;

    met__fields_begin(&fields, node, path, info);
    read_texts(&fields, &line);
    met__fields_integer(&fields, "index", MET__OPTIONAL, 0, UINT32_MAX, &index);
    met__fields_choice(&fields, "period", MET__OPTIONAL, periods, &period);
    met__fields_decimal(&fields, "quantity", MET__REQUIRED, INT64_MIN,
                        &line.quantity);
    met__fields_decimal(&fields, "per_unit_amount", MET__REQUIRED, 0,
                        &line.per_unit_amount);
    met__fields_object(&fields, "totals", MET__REQUIRED, &totals);
    met__fields_text(&fields, "corrects_run_id", MET__OPTIONAL, 1,
                     TEXT_SIZE_MAX, &line.corrects_run_id);
    read_period(&fields, &line.period);
    line.index = (uint32_t)index;
    line.is_full_period = period == 0;
    met_error error = read_discounts(&fields, arena, &line);
    if (error == MET_OK) {
        error = read_credits(&fields, arena, &line);
    }
    if (error == MET_OK) {
        error = met__fields_end(&fields);
    }
    if (error == MET_OK) {
        error = met__totals_read(totals, &totals_path, &line.totals, info);
    }
    if (error == MET_OK) {
        *line_out = line;
    }
    return error;
}

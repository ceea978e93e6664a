/* The document of one line. In: a rated draft. Out: a node that says what was
 * billed, from which quantities, and all that is needed to rate it again. */
#include "invoice/bill.h"

#include "base/check.h"
#include "store/object.h"

void met__period_widen(met__period *whole, met__period part)
{
    if (whole->to_ns == 0) {
        *whole = part;
        return;
    }
    if (part.from_ns < whole->from_ns) {
        whole->from_ns = part.from_ns;
    }
    if (part.to_ns > whole->to_ns) {
        whole->to_ns = part.to_ns;
    }
}

static void build_period(met__builder *builder, const char *name,
                         met__period period)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_time(&inner, "from", period.from_ns);
    met__build_time(&inner, "to", period.to_ns);
    met__build_object(builder, name, &inner);
}

static void build_plan(met__builder *builder, const met__plan *plan)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_text(&inner, "key", plan->key);
    met__build_text(&inner, "name", plan->name);
    met__build_integer(&inner, "version", plan->version);
    met__build_object(builder, "plan", &inner);
}

static void build_periods(met__builder *builder, const met__line_draft *draft)
{
    const met__billable *billable = draft->billable;
    int is_flat = billable->price->type == MET__PRICE_FLAT;
    int64_t inside = billable->period.from_ns % MET__MINUTE_NS;

    build_period(builder, "period", billable->period);
    if (is_flat
        && (billable->full.from_ns != billable->period.from_ns
            || billable->full.to_ns != billable->period.to_ns)) {
        build_period(builder, "full_period", billable->full);
        if (!draft->basis.is_prorated) {
            met__build_boolean(builder, "is_billed_in_full", 1);
        }
    }
    if (!is_flat && inside != 0) {
        met__build_time(builder, "applied_at",
                        billable->period.from_ns - inside);
    }
}

/* Quantities: a correction shows what is new, and what it is new against. */
static met_error build_quantities(met__builder *builder,
                                  const met__line_draft *draft)
{
    const met__line_basis *basis = &draft->basis;
    met_decimal billed;

    if (draft->booked == NULL) {
        met__build_decimal(builder, "quantity", basis->quantity);
        return MET_OK;
    }
    met_error error = met__decimal_subtract(
        basis->quantity, draft->booked->quantity, &billed);
    if (error == MET_OK) {
        if (draft->booked->interim_to_ns == 0) {
            met__build_boolean(builder, "is_correction", 1);
        }
        met__build_decimal(builder, "quantity", billed);
        met__build_decimal(builder, "quantity_billed_before",
                           draft->booked->quantity);
        met__build_decimal(builder, "quantity_total", basis->quantity);
    }
    return error;
}

static met_error build_values(met__builder *builder,
                              const met__line_basis *basis)
{
    met__arena *arena = builder->arena;
    met__node *array = met__node_array(arena);
    met_error error = array != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (size_t i = 0; error == MET_OK && i < basis->group_count; i++) {
        met__builder item;
        met__node *node;
        met__builder_begin(&item, arena);
        met__build_node(&item, "value",
                        met__node_text(arena, basis->groups[i].value));
        met__build_decimal(&item, "quantity", basis->groups[i].quantity);
        error = met__builder_end(&item, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    met__build_node(builder, "values", array);
    return error;
}

/* What rating it again needs beside the rest. */
static met_error build_basis(met__builder *builder,
                             const met__line_draft *draft)
{
    const met__billable *billable = draft->billable;
    const met__line_basis *basis = &draft->basis;
    met__builder inner;
    met_error error = MET_OK;

    met__builder_begin(&inner, builder->arena);
    if (billable->booked_from_ns != billable->period.from_ns) {
        met__build_time(&inner, "booked_from", billable->booked_from_ns);
    }
    if (basis->is_void) {
        met__build_boolean(&inner, "is_void", 1);
    }
    if (basis->has_events) {
        met__build_decimal(&inner, "events", basis->events);
    }
    if (basis->groups != NULL) {
        error = build_values(&inner, basis);
    }
    if (draft->booked != NULL) {
        met__build_node(&inner, "billed_before", draft->booked->documents);
    }
    if (error == MET_OK && inner.error == MET_OK && inner.object->count > 0) {
        met__build_object(builder, "basis", &inner);
    }
    return error == MET_OK ? inner.error : error;
}

met_error met__bill_line(const met__bill *bill, const met__line_draft *draft,
                         const met__totals *totals, const met__node *tax,
                         met__node **node_out)
{
    const met__billable *billable = draft->billable;
    const met__rate_card *card = billable->card;
    met__builder builder;
    met__node *sums = NULL;

    met__builder_begin(&builder, bill->arena);
    met__build_text(&builder, "key", card->key);
    met__build_text(&builder, "name", card->name);
    met__build_text(&builder, "feature_key", card->feature_key);
    met__build_text(&builder, "subscription_id", billable->subscription->id);
    build_plan(&builder, billable->plan);
    build_periods(&builder, draft);
    if (billable->is_open) {
        met__build_boolean(&builder, "is_open", 1);
        met__build_time(&builder, "usage_to",
                        bill->request->is_interim ? draft->usage_to_ns : 0);
    }
    met_error error = build_quantities(&builder, draft);
    met__build_node(&builder, "price", card->price);
    met__build_node(&builder, "discounts", card->discounts);
    met__build_node(&builder, "unit_config", card->unit_config);
    met__build_node(&builder, "tax", tax);
    if (error == MET_OK) {
        error = build_basis(&builder, draft);
    }
    met__build_node(&builder, "usage", draft->usage);
    met__build_node(&builder, "detailed_lines", draft->details);
    if (error == MET_OK) {
        error = met__totals_document(totals, &draft->basis.currency,
                                     bill->arena, &sums);
    }
    if (error == MET_OK) {
        met__build_node(&builder, "totals", sums);
    }
    met_error built = met__builder_end(&builder, node_out);
    return error == MET_OK ? built : error;
}

/* Making an invoice again. In: its document. Out: the same document, rated
 * anew from the quantities, prices and policies that it stores; and, when
 * asked, what the usage that is known now would make of it. */
#include "invoice/recompute.h"

#include "base/check.h"
#include "base/ulid.h"
#include "entitlement/customer_usage.h"
#include "invoice/line_basis.h"
#include "invoice/line_tax.h"
#include "store/object.h"

typedef struct recompute {
    met__txn *txn;
    met__arena *arena;
    met_error_info *info;
    met__node *document; /* of the stored one, made again in place */
    met__invoice *invoice;
    met__billing_profile *profile;
    met__tax_sums taxes;
    met__totals totals;
} recompute;

/* --- The basis of a line -------------------------------------------------- */
static met__text text_of(const met__node *node, const char *name)
{
    const met__node *member = node != NULL ? met__node_get(node, name) : NULL;

    return member != NULL && member->kind == MET__NODE_TEXT
               ? member->as.text
               : met__text_of(NULL, 0);
}

static int is_set(const met__node *node, const char *name)
{
    const met__node *member = node != NULL ? met__node_get(node, name) : NULL;

    return member != NULL && member->kind == MET__NODE_BOOLEAN
           && member->as.boolean;
}

static met_error read_decimal(met__text text, met_decimal *out)
{
    return met__decimal_parse(text, out) == MET_OK ? MET_OK : MET_E_CORRUPT;
}

static met_error read_period(const met__node *node, met__period *out)
{
    return met__time_parse(text_of(node, "from"), &out->from_ns) == MET_OK
                   && met__time_parse(text_of(node, "to"), &out->to_ns)
                          == MET_OK
               ? MET_OK
               : MET_E_CORRUPT;
}

static met_error read_periods(const met__node *line, met__line_basis *basis)
{
    const met__node *full = met__node_get(line, "full_period");
    met_error error =
        read_period(met__node_get(line, "period"), &basis->period);

    basis->full = basis->period;
    return error == MET_OK && full != NULL ? read_period(full, &basis->full)
                                           : error;
}

static met_error read_price(const recompute *self, const met__node *line,
                            met__line_basis *basis)
{
    static const met__path path = {NULL, "price", 0};
    const met__node *node = met__node_get(line, "price");
    met__price *price = NULL;
    met_error error = node == NULL
                          ? MET_E_CORRUPT
                          : met__price_read(node, &path, self->arena, &price,
                                            NULL);

    basis->price = price;
    basis->discounts = met__node_get(line, "discounts");
    basis->unit_config = met__node_get(line, "unit_config");
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

static met_error read_groups(const recompute *self, const met__node *values,
                             met__line_basis *basis)
{
    met_error error = MET_OK;

    basis->group_count = values->count;
    basis->groups = met__arena_allocate(
        self->arena, (values->count + 1) * sizeof *basis->groups);
    if (basis->groups == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < values->count; i++) {
        const met__node *item = values->as.items[i];
        basis->groups[i].value = text_of(item, "value");
        error = read_decimal(text_of(item, "quantity"),
                             &basis->groups[i].quantity);
    }
    return error;
}

static met_error read_booked(const recompute *self, const met__node *before,
                             met__line_basis *basis)
{
    static const met__path path = {NULL, "billed_before", 0};
    met__line *lines = met__arena_allocate(
        self->arena, (before->count + 1) * sizeof *lines);
    met_error error = lines == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (uint32_t i = 0; error == MET_OK && i < before->count; i++) {
        error = met__line_read(before->as.items[i], &path, self->arena,
                               &lines[i], NULL);
    }
    basis->booked = lines;
    basis->booked_count = before->count;
    basis->is_booked = 1;
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

static met_error read_extras(const recompute *self, const met__node *line,
                             met__line_basis *basis)
{
    const met__node *extras = met__node_get(line, "basis");
    const met__node *values = NULL;
    const met__node *before = NULL;
    met_error error = MET_OK;

    basis->is_void = is_set(extras, "is_void");
    if (extras != NULL) {
        values = met__node_get(extras, "values");
        before = met__node_get(extras, "billed_before");
        basis->has_events = met__node_get(extras, "events") != NULL;
    }
    if (basis->has_events) {
        error = read_decimal(text_of(extras, "events"), &basis->events);
    }
    if (error == MET_OK && values != NULL) {
        error = read_groups(self, values, basis);
    }
    if (error == MET_OK && before != NULL) {
        return read_booked(self, before, basis);
    }
    if (error == MET_OK
        && met__node_get(line, "quantity_billed_before") != NULL) {
        return met__fail(self->info, MET_E_UNSUPPORTED, "id",
                         "was issued by an earlier version, without what its "
                         "corrections correct");
    }
    return error;
}

static met_error read_basis(const recompute *self, const met__node *line,
                            met__line_basis *basis)
{
    met__text total = text_of(line, "quantity_total");
    met_error error;

    *basis = (met__line_basis){.name = text_of(line, "name"),
                               .currency = self->invoice->currency,
                               .policies = self->profile->policies,
                               .events = met__decimal_zero()};
    basis->is_prorated = !is_set(line, "is_billed_in_full");
    basis->is_minimum_ignored = is_set(line, "is_open");
    error = read_periods(line, basis);
    if (error == MET_OK) {
        error = read_price(self, line, basis);
    }
    if (error == MET_OK) {
        error = read_decimal(total.size > 0 ? total
                                            : text_of(line, "quantity"),
                             &basis->quantity);
    }
    return error == MET_OK ? read_extras(self, line, basis) : error;
}

/* --- A line, again -------------------------------------------------------- */
static met_error add_tax(recompute *self, const met__node *line,
                         met__totals *totals)
{
    const met__node *tax = met__node_get(line, "tax");
    met__tax_config config = {.code = text_of(tax, "code")};
    met__node *node = NULL;

    config.behavior =
        met__text_equal(text_of(tax, "behavior"), MET__TEXT("inclusive"))
            ? MET__TAX_INCLUSIVE
            : MET__TAX_EXCLUSIVE;
    return tax == NULL ? MET_OK
                       : met__line_tax(&self->profile->tax, &config,
                                       &self->invoice->currency, &self->taxes,
                                       totals, self->arena, &node);
}

static met_error set_totals(const recompute *self, met__node *object,
                            const met__totals *totals)
{
    met__node *node = NULL;
    met_error error = met__totals_document(totals, &self->invoice->currency,
                                           self->arena, &node);

    return error == MET_OK
               ? met__node_set(self->arena, object, "totals", node)
               : error;
}

static met_error make_line(recompute *self, uint32_t index)
{
    met__node *line = self->invoice->lines->as.items[index];
    met__line_basis basis;
    met__rated *rated = NULL;
    met__node *details = NULL;
    met_error error = read_basis(self, line, &basis);

    if (error == MET_OK) {
        error = met__basis_rate(&basis, self->arena, &rated, self->info);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    if (error == MET_OK) {
        error = met__basis_details(rated, &basis.currency, self->invoice->id,
                                   index + 1, self->arena, &details);
    }
    if (error != MET_OK) {
        return error;
    }
    met__totals totals = rated->totals;
    error = met__node_set(self->arena, line, "detailed_lines", details);
    if (error == MET_OK) {
        error = add_tax(self, line, &totals);
    }
    if (error == MET_OK) {
        error = set_totals(self, line, &totals);
    }
    return error == MET_OK ? met__totals_add(&self->totals, &totals) : error;
}

/* --- The invoice ---------------------------------------------------------- */
static met_error load(recompute *self, met__text name, met__node **stored_out)
{
    static const met__path path = {NULL, "billing_profile", 0};
    met__text id;
    met_error error = met__invoice_find(self->txn, name, self->arena, &id);

    for (int i = 0; error == MET_OK && i < 2; i++) {
        met__node **to = i == 0 ? stored_out : &self->document;
        error = met__record_get(self->txn, MET__TABLE_INVOICE, id.data,
                                id.size, self->arena, to);
    }
    if (error == MET_OK) {
        error = met__invoice_read(self->document, self->arena,
                                  &self->invoice);
    }
    if (error == MET_OK && self->invoice->lines->count > 0
        && met__node_get(self->invoice->lines->as.items[0], "invoice_line")
               != NULL) {
        return met__fail(self->info, MET_E_UNSUPPORTED, "id",
                         "is a credit note that was given by hand: it is what "
                         "was asked for");
    }
    if (error == MET_OK) {
        error = met__billing_profile_read(self->invoice->profile, &path,
                                          self->arena, &self->profile, NULL);
    }
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

static met_error make_again(recompute *self)
{
    met_error error = MET_OK;

    met__totals_clear(&self->totals);
    for (uint32_t i = 0; error == MET_OK && i < self->invoice->lines->count;
         i++) {
        error = make_line(self, i);
    }
    return error == MET_OK
               ? set_totals(self, self->document, &self->totals)
               : error;
}

static met_error is_same(const recompute *self, const met__node *stored,
                         int *is_identical)
{
    met__buffer texts[2];
    met_error error = MET_OK;

    for (int i = 0; i < 2; i++) {
        met__buffer_init(&texts[i], self->arena->platform);
        met__json_write(i == 0 ? stored : self->document, 0, &texts[i]);
        error = error == MET_OK ? texts[i].error : error;
    }
    *is_identical =
        error == MET_OK
        && met__text_equal(met__text_of(texts[0].data, texts[0].size),
                           met__text_of(texts[1].data, texts[1].size));
    met__buffer_release(&texts[0]);
    met__buffer_release(&texts[1]);
    return error;
}

static recompute begin(met__txn *txn, met__arena *arena, met_error_info *info)
{
    return (recompute){.txn = txn, .arena = arena, .info = info};
}

met_error met__invoice_recompute(met__txn *txn, met__text name,
                                 met__arena *arena, met__node **node_out,
                                 met_error_info *info)
{
    recompute self = begin(txn, arena, info);
    met__node *stored = NULL;
    met__builder builder;
    int is_identical = 0;
    met_error error = load(&self, name, &stored);

    if (error == MET_OK) {
        error = make_again(&self);
    }
    if (error == MET_OK) {
        error = is_same(&self, stored, &is_identical);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "id", self.invoice->id);
    met__build_text(&builder, "number", self.invoice->number);
    met__build_boolean(&builder, "is_identical", is_identical);
    met__build_node(&builder, "invoice", self.document);
    return met__builder_end(&builder, node_out);
}

/* --- Usage that is known now ---------------------------------------------- */
typedef struct comparison {
    recompute base;
    met__customer *customer;
    met_decimal total_now;
    int is_changed;
    int reserved;
    met__node *lines;
} comparison;

/* A metered line has a feature; what its period came to is asked again, of a
 * meter that still knows it. */
static met_error ask_now(comparison *self, const met__node *line,
                         const met__line_basis *basis, met_decimal *out)
{
    met__text until = text_of(line, "usage_to");
    met__period period = basis->period;
    met__feature *feature = NULL;
    met__meter *meter = NULL;
    met_error error =
        met__feature_of(self->base.txn, text_of(line, "feature_key"),
                        text_of(line, "feature_id"), self->base.arena,
                        &feature);

    if (error == MET_OK) {
        error = met__meter_get(self->base.txn, feature->meter_key,
                               self->base.arena, &meter);
    }
    if (error == MET_OK && until.size > 0) {
        error = met__time_parse(until, &period.to_ns);
    }
    if (error == MET_E_NOT_FOUND
        || (error == MET_OK && !met__meter_knows(meter, period.to_ns))) {
        *out = basis->quantity;
        return MET_OK;
    }
    return error == MET_OK
               ? met__customer_usage(self->base.txn, self->customer, feature,
                                     meter, period, MET__USAGE_ANY, out,
                                     self->base.info)
               : error;
}

static void build_amount(const recompute *self, met__builder *builder,
                         const char *name, met_decimal amount)
{
    met__node *node = NULL;

    if (builder->error == MET_OK) {
        builder->error = met__amount_document(
            amount, &self->invoice->currency, self->arena, &node);
        met__build_node(builder, name, node);
    }
}

static met_error add_comparison(comparison *self, uint32_t index,
                                met_decimal before, met_decimal now,
                                met_decimal total, met_decimal total_now)
{
    const met__node *line = self->base.invoice->lines->as.items[index];
    met__builder builder;
    met__node *node = NULL;

    met__builder_begin(&builder, self->base.arena);
    met__build_integer(&builder, "line", (int64_t)index + 1);
    met__build_text(&builder, "key", text_of(line, "key"));
    met__build_decimal(&builder, "quantity", before);
    met__build_decimal(&builder, "quantity_now", now);
    build_amount(&self->base, &builder, "total", total);
    build_amount(&self->base, &builder, "total_now", total_now);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK
               ? met__node_append(self->base.arena, self->lines, node)
               : error;
}

static met_error compare_line(comparison *self, uint32_t index)
{
    met__node *line = self->base.invoice->lines->as.items[index];
    met__rated *rated = NULL;
    met__line_basis basis;
    met_decimal now;
    met__totals then;
    met__totals totals;
    static const met__path path = {NULL, "totals", 0};
    met_error error = read_basis(&self->base, line, &basis);

    if (error == MET_OK) {
        error = met__totals_read(met__node_get(line, "totals"), &path, &then,
                                 NULL);
    }
    if (error != MET_OK) {
        return error;
    }
    if (basis.price->type == MET__PRICE_FLAT || basis.is_void
        || basis.groups != NULL || basis.has_events
        || text_of(line, "feature_key").size == 0) {
        return met__decimal_add(self->total_now, then.total,
                                &self->total_now);
    }
    met_decimal before = basis.quantity;
    error = ask_now(self, line, &basis, &now);
    basis.quantity = now;
    if (error == MET_OK) {
        error = met__basis_rate(&basis, self->base.arena, &rated,
                                self->base.info);
    }
    if (error == MET_OK) {
        totals = rated->totals;
    } else if (error == MET_E_NOT_FOUND) {
        met__totals_clear(&totals);
        error = MET_OK;
    }
    if (error == MET_OK) {
        error = add_tax(&self->base, line, &totals);
    }
    if (error == MET_OK) {
        error = met__decimal_add(self->total_now, totals.total,
                                 &self->total_now);
    }
    self->is_changed |= met__decimal_compare(before, now) != 0;
    return error == MET_OK ? add_comparison(self, index, before, now,
                                            then.total, totals.total)
                           : error;
}

met_error met__invoice_compare_usage(met__txn *txn, met__text name,
                                     met__arena *arena, met__node **node_out,
                                     met_error_info *info)
{
    comparison self = {.base = begin(txn, arena, info),
                       .total_now = met__decimal_zero(),
                       .lines = met__node_array(arena)};
    met__node *stored = NULL;
    met__builder builder;
    met_error error = load(&self.base, name, &stored);

    if (error == MET_OK) {
        error = met__invoice_owner(txn, self.base.invoice, arena,
                                   &self.customer);
        if (error == MET_E_NOT_FOUND) {
            return met__fail(info, MET_E_UNSUPPORTED, "id",
                             "is of a customer that was removed");
        }
    }
    for (uint32_t i = 0;
         error == MET_OK && i < self.base.invoice->lines->count; i++) {
        error = compare_line(&self, i);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "id", self.base.invoice->id);
    met__build_text(&builder, "number", self.base.invoice->number);
    met__build_boolean(&builder, "is_changed", self.is_changed);
    build_amount(&self.base, &builder, "total",
                 self.base.invoice->totals.total);
    build_amount(&self.base, &builder, "total_now", self.total_now);
    met__build_node(&builder, "lines", self.lines);
    return met__builder_end(&builder, node_out);
}

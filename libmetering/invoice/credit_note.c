/* Giving back what was issued. In: an invoice, what was given back before, and
 * how much. Out: a credit note whose lines name the invoice's lines. What is
 * given back is never more than was billed. */
#include "invoice/credit_note.h"

#include "base/check.h"
#include "base/ulid.h"
#include "store/object.h"

/* What is left of one line of the invoice. */
typedef struct line_left {
    const met__node *node;
    met__totals billed;
    met__totals left;
    met_decimal given; /* now */
} line_left;

typedef struct credit {
    met__txn *txn;
    met__arena *arena;
    met_error_info *info;
    const met__path *path;
    const met__invoice *invoice;
    size_t count;
    line_left *lines;
    met_decimal left; /* of the invoice */
    met__text reason;
} credit;

/* --- Index ---------------------------------------------------------------- */
static met_error index_key(met__arena *arena, met__text invoice_id,
                           met__text note_id, met__text *key_out)
{
    met__text first;
    met_error error =
        met__object_key(arena, MET__TEXT("credit"), invoice_id, &first);

    return error == MET_OK ? met__object_key(arena, first, note_id, key_out)
                           : error;
}

met_error met__credit_note_index(met__txn *txn, const met__invoice *note,
                                 met__arena *arena)
{
    met__text key;
    met_error error = index_key(arena, note->corrects_id, note->id, &key);

    return error == MET_OK ? met__txn_put(txn, MET__TABLE_BILLING, key.data,
                                          key.size, "", 0)
                           : error;
}

/* The credit notes of an invoice, oldest first. */
static met_error each_note(met__txn *txn, met__text invoice_id,
                           met__arena *arena, void *context,
                           met_error (*visit)(void *context,
                                              met__invoice *note))
{
    met__text prefix;
    met__text key;
    met__text value;
    met__scan scan;
    met_error error =
        index_key(arena, invoice_id, met__text_of(NULL, 0), &prefix);

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(txn, MET__TABLE_BILLING, prefix.data, prefix.size,
                            &scan);
    while (error == MET_OK) {
        met__invoice *note;
        error = met__scan_next(&scan, &key, &value);
        if (error != MET_OK) {
            break;
        }
        if (key.size != prefix.size + MET__ULID_SIZE) {
            error = MET_E_CORRUPT;
            break;
        }
        error = met__invoice_get(txn,
                                 met__text_of(key.data + prefix.size,
                                              MET__ULID_SIZE),
                                 arena, &note);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
        if (error == MET_OK) {
            error = visit(context, note);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- What is left --------------------------------------------------------- */
static met_error read_totals(const met__node *line, met__totals *out)
{
    static const met__path path = {NULL, "totals", 0};
    const met__node *totals = met__node_get(line, "totals");

    return totals == NULL
                   || met__totals_read(totals, &path, out, NULL) != MET_OK
               ? MET_E_CORRUPT
               : MET_OK;
}

static met_error load_lines(credit *self)
{
    const met__node *lines = self->invoice->lines;
    met_error error = MET_OK;

    self->count = lines->count;
    self->lines = met__arena_allocate(self->arena,
                                      (self->count + 1) * sizeof *self->lines);
    if (self->lines == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        line_left *line = &self->lines[i];
        line->node = lines->as.items[i];
        line->given = met__decimal_zero();
        error = read_totals(line->node, &line->billed);
        line->left = line->billed;
    }
    self->left = self->invoice->totals.total;
    return error;
}

static int is_same(const met__node *a, const met__node *b, const char *name)
{
    const met__node *one = met__node_get(a, name);
    const met__node *other = met__node_get(b, name);

    return one != NULL && other != NULL && met__node_equal(one, other);
}

/* The line that a note's line gives back. One of late usage does not name it,
 * but is of the same period; NULL: that is on another invoice, too. */
static met_error find_line(const credit *self, const met__node *line,
                           line_left **out)
{
    const met__node *number = met__node_get(line, "invoice_line");

    *out = NULL;
    if (number != NULL) {
        if (number->kind != MET__NODE_INTEGER || number->as.integer < 1
            || (uint64_t)number->as.integer > self->count) {
            return MET_E_CORRUPT;
        }
        *out = &self->lines[number->as.integer - 1];
        return MET_OK;
    }
    for (size_t i = 0; *out == NULL && i < self->count; i++) {
        const met__node *billed = self->lines[i].node;
        if (is_same(billed, line, "subscription_id")
            && is_same(billed, line, "key")
            && is_same(billed, line, "period")) {
            *out = &self->lines[i];
        }
    }
    return MET_OK;
}

/* One earlier note: of the invoice, and of its lines. */
static met_error take_note(void *context, met__invoice *note)
{
    credit *self = context;
    met_error error = met__decimal_add(self->left, note->totals.total,
                                       &self->left);

    for (uint32_t i = 0; error == MET_OK && i < note->lines->count; i++) {
        const met__node *line = note->lines->as.items[i];
        line_left *billed = NULL;
        met__totals totals;
        error = find_line(self, line, &billed);
        if (error == MET_OK && billed != NULL) {
            error = read_totals(line, &totals);
        }
        if (error == MET_OK && billed != NULL) {
            error = met__totals_add(&billed->left, &totals);
        }
    }
    return error;
}

static met_error load_left(credit *self)
{
    met_error error = load_lines(self);

    return error == MET_OK
               ? each_note(self->txn, self->invoice->id, self->arena, self,
                           take_note)
               : error;
}

met_error met__credit_left(met__txn *txn, const met__invoice *invoice,
                           met__arena *arena, met_decimal *left_out)
{
    credit self = {.txn = txn, .arena = arena, .invoice = invoice};
    met_error error = MET_OK;

    *left_out = met__decimal_zero();
    if (invoice->state != MET__STATE_VOIDED) {
        error = load_left(&self);
        *left_out = self.left;
    }
    return error;
}

/* --- How much ------------------------------------------------------------- */
static met_error fail_amount(const credit *self, const met__path *path,
                             const char *reason)
{
    return met__fail_at(self->info, MET_E_INVALID, path, "amount", "%s",
                        reason);
}

static met_error check_amount(const credit *self, const met__path *path,
                              met_decimal amount, met_decimal most)
{
    if (met__decimal_is_negative(amount) || met__decimal_is_zero(amount)) {
        return fail_amount(self, path, "must be above 0");
    }
    if (!met__currency_is_rounded(&self->invoice->currency, amount)) {
        return fail_amount(self, path,
                           "has more decimals than the currency");
    }
    return met__decimal_compare(amount, most) > 0
               ? fail_amount(self, path, "is more than is left")
               : MET_OK;
}

/* An amount of the invoice goes to its lines by what is left of them. */
static met_error spread(credit *self, met_decimal amount)
{
    met__share *shares = met__arena_allocate(
        self->arena, (self->count + 1) * sizeof *shares);
    size_t count = 0;

    if (shares == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < self->count; i++) {
        met_decimal left = self->lines[i].left.total;
        if (!met__decimal_is_negative(left) && !met__decimal_is_zero(left)) {
            shares[count++].weight = left;
        }
    }
    met_error error = met__allocate_amount(
        &self->invoice->currency, amount, MET__ALLOCATE_CAPPED, shares, count,
        self->arena, self->info);
    count = 0;
    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        met_decimal left = self->lines[i].left.total;
        if (!met__decimal_is_negative(left) && !met__decimal_is_zero(left)) {
            self->lines[i].given = shares[count++].amount;
        }
    }
    return error;
}

static met_error read_line(credit *self, const met__node *node,
                           const met__path *path)
{
    met_decimal amount = met__decimal_zero();
    int64_t number = 0;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, self->info);
    (void)met__fields_integer(&fields, "line", MET__REQUIRED, 1,
                              (int64_t)self->count, &number);
    (void)met__fields_decimal(&fields, "amount", MET__OPTIONAL, INT64_MIN,
                              &amount);
    met_error error = met__fields_end(&fields);
    if (error != MET_OK) {
        return error;
    }
    line_left *line = &self->lines[number - 1];
    if (met__node_get(node, "amount") == NULL) { /* all of it */
        amount = line->left.total;
    }
    if (!met__decimal_is_zero(line->given)) {
        return met__fail_at(self->info, MET_E_INVALID, path, "line",
                            "is there twice");
    }
    error = check_amount(self, path, amount, line->left.total);
    line->given = amount;
    return error;
}

static met_error read_lines(credit *self, const met__node *array)
{
    met__path path = {self->path, "lines", 0};
    met_decimal sum = met__decimal_zero();
    met_error error = MET_OK;

    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__path item = {&path, NULL, i};
        error = read_line(self, array->as.items[i], &item);
    }
    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        error = met__decimal_add(sum, self->lines[i].given, &sum);
    }
    return error == MET_OK
               ? check_amount(self, self->path, sum, self->left)
               : error;
}

static met_error read_request(credit *self, const met__node *node)
{
    const met__node *lines = NULL;
    met_decimal amount = self->left;
    met__fields fields;

    (void)met__fields_begin(&fields, node, self->path, self->info);
    (void)met__fields_text(&fields, "reason", MET__REQUIRED, 1,
                           MET__DESCRIPTION_SIZE_MAX, &self->reason);
    (void)met__fields_decimal(&fields, "amount", MET__OPTIONAL, INT64_MIN,
                              &amount);
    (void)met__fields_array(&fields, "lines", MET__OPTIONAL, self->count,
                            &lines);
    if (fields.error == MET_OK && lines != NULL
        && met__node_get(node, "amount") != NULL) {
        (void)met__fields_fail(&fields, "amount",
                               "goes without lines: they have their own");
    }
    met_error error = met__fields_end(&fields);
    if (error == MET_OK
        && (met__decimal_is_zero(self->left)
            || met__decimal_is_negative(self->left))) {
        return met__fail_at(self->info, MET_E_CONFLICT, self->path, NULL,
                            "nothing is left to give back");
    }
    if (error == MET_OK && lines != NULL) {
        return read_lines(self, lines);
    }
    if (error == MET_OK) {
        error = check_amount(self, self->path, amount, self->left);
    }
    return error == MET_OK ? spread(self, amount) : error;
}

/* --- The note ------------------------------------------------------------- */
/* The tax in a part of a line: its share, or all that is left of it. */
static met_error tax_part(const credit *self, const line_left *line,
                          met_decimal billed, met_decimal left,
                          met_decimal *out)
{
    met_decimal product;

    if (met__decimal_compare(line->given, line->left.total) == 0) {
        *out = left;
        return MET_OK;
    }
    met_error error = met__decimal_multiply(billed, line->given, &product);
    return error == MET_OK
               ? met__decimal_divide(product, line->billed.total,
                                     self->invoice->currency.places,
                                     MET_ROUND_HALF_AWAY, out)
               : error;
}

static met_error totals_of(const credit *self, const line_left *line,
                           met__totals *out)
{
    met__totals given;
    met_error error;

    met__totals_clear(&given);
    given.total = line->given;
    error = tax_part(self, line, line->billed.taxes_exclusive_total,
                     line->left.taxes_exclusive_total,
                     &given.taxes_exclusive_total);
    if (error == MET_OK) {
        error = tax_part(self, line, line->billed.taxes_inclusive_total,
                         line->left.taxes_inclusive_total,
                         &given.taxes_inclusive_total);
    }
    if (error == MET_OK) {
        error = met__decimal_add(given.taxes_exclusive_total,
                                 given.taxes_inclusive_total,
                                 &given.taxes_total);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(given.total,
                                      given.taxes_exclusive_total,
                                      &given.amount);
    }
    met__totals_clear(out);
    return error == MET_OK ? met__totals_combine(out, &given, -1) : error;
}

static met_error add_line(const credit *self, size_t index,
                          met__invoice *note)
{
    static const char *const kept[] = {"key",  "name", "feature_key",
                                       "subscription_id", "plan", "period",
                                       "tax",  NULL};
    const line_left *line = &self->lines[index];
    met__builder builder;
    met__totals totals;
    met__node *node = NULL;
    met__node *sums = NULL;
    met_error error = totals_of(self, line, &totals);

    if (error == MET_OK) {
        error = met__totals_document(&totals, &self->invoice->currency,
                                     self->arena, &sums);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, self->arena);
    met__build_integer(&builder, "invoice_line", (int64_t)index + 1);
    for (size_t i = 0; kept[i] != NULL; i++) {
        met__build_node(&builder, kept[i], met__node_get(line->node, kept[i]));
    }
    met__build_node(&builder, "totals", sums);
    error = met__builder_end(&builder, &node);
    if (error == MET_OK) {
        error = met__node_append(self->arena, note->lines, node);
    }
    return error == MET_OK ? met__totals_add(&note->totals, &totals) : error;
}

static met_error make_note(const credit *self, int64_t now_ns,
                           met__invoice *note)
{
    const met__invoice *invoice = self->invoice;
    met__customer *owner = NULL;
    met_error error =
        met__invoice_owner(self->txn, invoice, self->arena, &owner);

    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    *note = (met__invoice){.state = MET__STATE_ISSUED,
                           .is_credit_note = 1,
                           .corrects_id = invoice->id,
                           .corrects_number = invoice->number,
                           .reason = self->reason,
                           .currency = invoice->currency,
                           .customer = invoice->customer,
                           .customer_key = error == MET_OK
                                               ? owner->key
                                               : invoice->customer_key,
                           .service_period = invoice->service_period,
                           .created_at_ns = now_ns,
                           .issued_at_ns = now_ns,
                           .profile = invoice->profile,
                           .lines = met__node_array(self->arena)};
    met__totals_clear(&note->totals);
    error = met__object_id(self->txn, now_ns, self->arena, &note->id);
    if (error == MET_OK && note->lines == NULL) {
        error = MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        if (!met__decimal_is_zero(self->lines[i].given)) {
            error = add_line(self, i, note);
        }
    }
    return error;
}

static met_error store_note(const credit *self, met__invoice *note,
                            met__node **node_out)
{
    static const met__path path = {NULL, "billing_profile", 0};
    const met__node *name = met__node_get(note->customer, "name");
    met__billing_profile *profile = NULL;
    met_error error = met__billing_profile_read(note->profile, &path,
                                                self->arena, &profile, NULL);

    if (error == MET_OK) {
        error = met__invoice_number(self->txn, profile, 1,
                                    name != NULL ? name->as.text
                                                 : MET__TEXT(""),
                                    self->arena, &note->number);
    }
    if (error == MET_OK) {
        error = met__invoice_put(self->txn, note, NULL, self->arena);
    }
    if (error == MET_OK) {
        error = met__credit_note_index(self->txn, note, self->arena);
    }
    return error == MET_OK ? met__invoice_build(note, self->arena, node_out)
                           : error;
}

met_error met__credit_note_create(met__txn *txn, met__text name,
                                  const met__node *node,
                                  const met__path *path, int64_t now_ns,
                                  met__arena *arena, met__node **node_out,
                                  met_error_info *info)
{
    credit self = {.txn = txn, .arena = arena, .info = info, .path = path};
    met__invoice *invoice = NULL;
    met__invoice note;
    met__text id;
    met_error error = met__invoice_find(txn, name, arena, &id);

    if (error == MET_OK) {
        error = met__invoice_get(txn, id, arena, &invoice);
    }
    if (error != MET_OK) {
        return error;
    }
    self.invoice = invoice;
    if (invoice->is_credit_note || met__invoice_is_draft(invoice->state)
        || invoice->state == MET__STATE_VOIDED) {
        met__text state = met__invoice_state_name(invoice->state);
        return met__fail(info, MET_E_CONFLICT, "invoice",
                         "only an invoice that was issued is given back: "
                         "this is %.*s%s",
                         (int)state.size, state.data,
                         invoice->is_credit_note ? ", a credit note" : "");
    }
    error = load_left(&self);
    if (error == MET_OK) {
        error = read_request(&self, node);
    }
    if (error == MET_OK) {
        error = make_note(&self, now_ns, &note);
    }
    return error == MET_OK ? store_note(&self, &note, node_out) : error;
}

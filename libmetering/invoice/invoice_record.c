/* Invoices and credit notes in the store: the document, read and built, and
 * the indexes that find it. In and out: structs and records. */
#include "invoice/invoice_record.h"

#include "base/check.h"
#include "base/ulid.h"
#include "customer/subscription.h"
#include "store/object.h"

static const char *const types[] = {"standard", "credit_note", NULL};

/* --- Reading -------------------------------------------------------------- */
/* Builds before this one knew "draft" and "issued" only. */
static uint32_t state_of(met__text extended, met__text status)
{
    return met__invoice_state_of(extended.size > 0 ? extended : status);
}

static void read_times(met__fields *fields, met__invoice *invoice)
{
    static const char *const ends[] = {"paid_at", "voided_at", "deleted_at"};

    (void)met__fields_time(fields, "as_of", MET__OPTIONAL,
                           &invoice->as_of_ns);
    (void)met__fields_time(fields, "created_at", MET__REQUIRED,
                           &invoice->created_at_ns);
    (void)met__fields_time(fields, "collection_at", MET__OPTIONAL,
                           &invoice->collection_at_ns);
    (void)met__fields_time(fields, "quantity_snapshotted_at", MET__OPTIONAL,
                           &invoice->snapshot_at_ns);
    (void)met__fields_time(fields, "draft_until", MET__OPTIONAL,
                           &invoice->draft_until_ns);
    (void)met__fields_time(fields, "issued_at", MET__OPTIONAL,
                           &invoice->issued_at_ns);
    (void)met__fields_time(fields, "due_at", MET__OPTIONAL,
                           &invoice->due_at_ns);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        (void)met__fields_time(fields, ends[i], MET__OPTIONAL,
                               &invoice->ended_at_ns);
    }
}

/* {"from", "to"} or {"id", "number"}: members of an inner object. */
static void read_period(const met__node *node, met__period *out,
                        met__fields *outer)
{
    met__fields fields;

    if (node == NULL || outer->error != MET_OK) {
        return;
    }
    (void)met__fields_begin(&fields, node, outer->path, NULL);
    (void)met__fields_time(&fields, "from", MET__REQUIRED, &out->from_ns);
    (void)met__fields_time(&fields, "to", MET__REQUIRED, &out->to_ns);
    outer->error = met__fields_end(&fields);
}

static void read_corrected(const met__node *node, met__invoice *invoice,
                           met__fields *outer)
{
    met__fields fields;

    if (node == NULL || outer->error != MET_OK) {
        return;
    }
    (void)met__fields_begin(&fields, node, outer->path, NULL);
    (void)met__fields_text(&fields, "id", MET__REQUIRED, MET__ULID_SIZE,
                           MET__ULID_SIZE, &invoice->corrects_id);
    (void)met__fields_text(&fields, "number", MET__REQUIRED, 1,
                           MET__KEY_SIZE_MAX, &invoice->corrects_number);
    outer->error = met__fields_end(&fields);
}

static void read_parts(met__fields *fields, met__invoice *invoice)
{
    static const met__path totals_path = {NULL, "totals", 0};
    const met__node *corrected = NULL;
    const met__node *period = NULL;
    const met__node *totals = NULL;
    const met__node *lines = NULL;
    const met__node *key;

    (void)met__fields_object(fields, "invoice", MET__OPTIONAL, &corrected);
    (void)met__fields_object(fields, "customer", MET__REQUIRED,
                             &invoice->customer);
    (void)met__fields_object(fields, "service_period", MET__OPTIONAL,
                             &period);
    (void)met__fields_object(fields, "billing_profile", MET__OPTIONAL,
                             &invoice->profile);
    (void)met__fields_array(fields, "lines", MET__REQUIRED, SIZE_MAX, &lines);
    (void)met__fields_object(fields, "totals", MET__REQUIRED, &totals);
    invoice->lines = (met__node *)lines; /* nobody else has this tree */
    read_period(period, &invoice->service_period, fields);
    read_corrected(corrected, invoice, fields);
    if (fields->error == MET_OK) {
        fields->error = met__totals_read(totals, &totals_path,
                                         &invoice->totals, NULL);
    }
    if (fields->error == MET_OK) {
        key = met__node_get(invoice->customer, "key");
        if (key == NULL || key->kind != MET__NODE_TEXT) {
            fields->error = MET_E_CORRUPT;
        } else {
            invoice->customer_key = key->as.text;
        }
    }
}

met_error met__invoice_read(const met__node *node, met__arena *arena,
                            met__invoice **invoice_out)
{
    static const met__path path = {NULL, "invoice", 0};
    met__invoice *invoice = met__arena_allocate(arena, sizeof *invoice);
    met__text extended = {NULL, 0};
    met__text status = {NULL, 0};
    met__text currency = {NULL, 0};
    uint32_t type = 0;
    met__fields fields;

    if (invoice == NULL) {
        return MET_E_NO_MEMORY;
    }
    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_text(&fields, "id", MET__REQUIRED, MET__ULID_SIZE,
                           MET__ULID_SIZE, &invoice->id);
    (void)met__fields_text(&fields, "number", MET__OPTIONAL, 1,
                           MET__KEY_SIZE_MAX, &invoice->number);
    (void)met__fields_choice(&fields, "type", MET__OPTIONAL, types, &type);
    (void)met__fields_text(&fields, "status", MET__REQUIRED, 1,
                           MET__KEY_SIZE_MAX, &status);
    (void)met__fields_text(&fields, "extended_status", MET__OPTIONAL, 1,
                           MET__KEY_SIZE_MAX, &extended);
    (void)met__fields_text(&fields, "reason", MET__OPTIONAL, 1,
                           MET__DESCRIPTION_SIZE_MAX, &invoice->reason);
    (void)met__fields_text(&fields, "currency", MET__OPTIONAL, 3, 3,
                           &currency);
    (void)met__fields_boolean(&fields, "is_interim", MET__OPTIONAL,
                              &invoice->is_interim);
    read_times(&fields, invoice);
    read_parts(&fields, invoice);
    met_error error = met__fields_end(&fields);
    invoice->state = state_of(extended, status);
    invoice->is_credit_note = type == 1;
    invoice->currency = (met__currency){.code = currency, .places = 2};
    if (error == MET_OK && currency.size > 0) {
        error = met__currency_of(currency, &invoice->currency);
    }
    if (error == MET_OK && invoice->state == MET__STATE_NONE) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *invoice_out = invoice;
    }
    return error == MET_E_INVALID || error == MET_E_NOT_FOUND ? MET_E_CORRUPT
                                                              : error;
}

/* --- Building ------------------------------------------------------------- */
static void build_head(met__builder *builder, const met__invoice *invoice)
{
    met__builder inner;

    met__build_text(builder, "id", invoice->id);
    met__build_text(builder, "number", invoice->number);
    met__build_text(builder, "type",
                    met__text_z(types[invoice->is_credit_note]));
    met__build_text(builder, "status",
                    met__invoice_status_name(invoice->state));
    met__build_text(builder, "extended_status",
                    met__invoice_state_name(invoice->state));
    if (invoice->is_credit_note) {
        met__builder_begin(&inner, builder->arena);
        met__build_text(&inner, "id", invoice->corrects_id);
        met__build_text(&inner, "number", invoice->corrects_number);
        met__build_object(builder, "invoice", &inner);
    }
    met__build_text(builder, "reason", invoice->reason);
    met__build_text(builder, "currency", invoice->currency.code);
    met__build_node(builder, "customer", invoice->customer);
    if (invoice->is_interim) {
        met__build_boolean(builder, "is_interim", 1);
    }
    if (invoice->service_period.to_ns != 0) {
        met__builder_begin(&inner, builder->arena);
        met__build_time(&inner, "from", invoice->service_period.from_ns);
        met__build_time(&inner, "to", invoice->service_period.to_ns);
        met__build_object(builder, "service_period", &inner);
    }
}

static void build_times(met__builder *builder, const met__invoice *invoice)
{
    met__build_time(builder, "as_of", invoice->as_of_ns);
    met__build_time(builder, "created_at", invoice->created_at_ns);
    met__build_time(builder, "collection_at", invoice->collection_at_ns);
    met__build_time(builder, "quantity_snapshotted_at",
                    invoice->snapshot_at_ns);
    met__build_time(builder, "draft_until", invoice->draft_until_ns);
    met__build_time(builder, "issued_at", invoice->issued_at_ns);
    met__build_time(builder, "due_at", invoice->due_at_ns);
    met__build_time(builder,
                    invoice->state == MET__STATE_PAID     ? "paid_at"
                    : invoice->state == MET__STATE_VOIDED ? "voided_at"
                                                          : "deleted_at",
                    invoice->ended_at_ns);
}

met_error met__invoice_build(const met__invoice *invoice, met__arena *arena,
                             met__node **node_out)
{
    met__builder builder;
    met__node *totals = NULL;
    met_error error = met__totals_document(&invoice->totals,
                                           &invoice->currency, arena,
                                           &totals);

    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    build_head(&builder, invoice);
    build_times(&builder, invoice);
    met__build_node(&builder, "billing_profile", invoice->profile);
    met__build_node(&builder, "lines", invoice->lines);
    met__build_node(&builder, "totals", totals);
    return met__builder_end(&builder, node_out);
}

met_error met__invoice_show(met__node *node, met__arena *arena)
{
    const met__node *extended = met__node_get(node, "extended_status");
    const met__node *type = met__node_get(node, "type");
    met__node *actions = met__node_array(arena);
    uint32_t state;
    met_error error = MET_OK;

    if (extended == NULL || extended->kind != MET__NODE_TEXT) {
        extended = met__node_get(node, "status");
    }
    if (type != NULL
        && met__text_equal(type->as.text, MET__TEXT("credit_note"))) {
        return MET_OK; /* it is final */
    }
    state = met__invoice_state_of(extended->as.text);
    for (uint32_t i = 1; error == MET_OK && i < MET__ACTION_END; i++) {
        if (i != MET__ACTION_FAIL && met__invoice_step_is_legal(state, i)) {
            error = met__node_append(
                arena, actions,
                met__node_text(arena, met__invoice_action_name(i)));
        }
    }
    return error == MET_OK
               ? met__node_set(arena, node, "available_actions", actions)
               : error;
}

/* --- Indexes -------------------------------------------------------------- */
int64_t met__invoice_due_at(const met__invoice *invoice)
{
    if (invoice->is_credit_note) {
        return 0;
    }
    switch (invoice->state) {
    case MET__STATE_WAITING:
        return invoice->collection_at_ns;
    case MET__STATE_AUTO_APPROVAL:
        return invoice->draft_until_ns;
    case MET__STATE_ISSUED:
    case MET__STATE_PENDING:
        return invoice->due_at_ns;
    default:
        return 0;
    }
}

static met_error change_due(met__txn *txn, const met__invoice *invoice,
                            int is_put)
{
    unsigned char key[8 + MET__ULID_SIZE];
    int64_t at = met__invoice_due_at(invoice);

    if (at == 0) {
        return MET_OK;
    }
    met__put_u64(key, (uint64_t)at);
    memcpy(key + 8, invoice->id.data, MET__ULID_SIZE);
    return is_put ? met__txn_append(txn, MET__TABLE_INVOICE_DUE, key,
                                    sizeof key, "", 0)
                  : met__txn_remove(txn, MET__TABLE_INVOICE_DUE, key,
                                    sizeof key);
}

/* "customer key 0 period from:8 id" */
static met_error change_of(met__txn *txn, const met__invoice *invoice,
                           int is_put)
{
    unsigned char key[MET__LMDB_KEY_SIZE_MAX];
    met__text customer = invoice->customer_key;
    size_t size = customer.size + 1 + 8 + MET__ULID_SIZE;

    MET__ASSERT(size <= sizeof key && invoice->id.size == MET__ULID_SIZE);
    memcpy(key, customer.data, customer.size);
    key[customer.size] = 0;
    met__put_u64(key + customer.size + 1,
                 (uint64_t)invoice->service_period.from_ns);
    memcpy(key + customer.size + 9, invoice->id.data, MET__ULID_SIZE);
    return is_put
               ? met__txn_put(txn, MET__TABLE_INVOICE_OF, key, size, "", 0)
               : met__txn_remove(txn, MET__TABLE_INVOICE_OF, key, size);
}

static met_error put_number(met__txn *txn, const met__invoice *invoice)
{
    return invoice->number.size == 0
               ? MET_OK
               : met__txn_append(txn, MET__TABLE_INVOICE_NUMBER,
                                 invoice->number.data, invoice->number.size,
                                 invoice->id.data, invoice->id.size);
}

/* Damage of an index shows when it is walked; it does not stop a change. */
static met_error put_indexes(met__txn *txn, const met__invoice *invoice,
                             const met__invoice *before)
{
    int is_new_number = before == NULL
                        || !met__text_equal(before->number, invoice->number);
    int is_moved = before == NULL
                   || before->service_period.from_ns
                          != invoice->service_period.from_ns;
    met_error error = MET_OK;

    if (before != NULL) {
        error = change_due(txn, before, 0);
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    if (error == MET_OK && before != NULL && is_moved) {
        error = change_of(txn, before, 0);
    }
    if (error == MET_OK && before != NULL && is_new_number
        && before->number.size > 0) {
        error = met__txn_remove(txn, MET__TABLE_INVOICE_NUMBER,
                                before->number.data, before->number.size);
    }
    error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    if (error == MET_OK && is_moved) {
        error = change_of(txn, invoice, 1);
    }
    if (error == MET_OK && is_new_number) {
        error = put_number(txn, invoice);
    }
    return error == MET_OK ? change_due(txn, invoice, 1) : error;
}

met_error met__invoice_put(met__txn *txn, const met__invoice *invoice,
                           const met__invoice *before, met__arena *arena)
{
    met__node *node = NULL;
    met_error error = met__invoice_build(invoice, arena, &node);

    if (error == MET_OK) {
        error = (before == NULL ? met__record_append : met__record_put)(
            txn, MET__TABLE_INVOICE, invoice->id.data, invoice->id.size, node);
    }
    return error == MET_OK ? put_indexes(txn, invoice, before) : error;
}

/* --- Finding -------------------------------------------------------------- */
met_error met__invoice_find(met__txn *txn, met__text name, met__arena *arena,
                            met__text *id_out)
{
    met__text found;

    if (name.size == MET__ULID_SIZE && met__ulid_is(name.data, name.size)) {
        *id_out = name;
        return MET_OK;
    }
    if (name.size == 0 || name.size > MET__KEY_SIZE_MAX) {
        return MET_E_NOT_FOUND;
    }
    met_error error = met__txn_get(txn, MET__TABLE_INVOICE_NUMBER, name.data,
                                   name.size, &found);
    if (error != MET_OK) {
        return error;
    }
    const char *copy = met__arena_copy(arena, found.data, found.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *id_out = met__text_of(copy, found.size);
    return MET_OK;
}

met_error met__invoice_get(met__txn *txn, met__text id, met__arena *arena,
                           met__invoice **invoice_out)
{
    met__node *node = NULL;
    met_error error = met__record_get(txn, MET__TABLE_INVOICE, id.data,
                                      id.size, arena, &node);

    return error == MET_OK ? met__invoice_read(node, arena, invoice_out)
                           : error;
}

static met__text text_at(const met__node *node, const char *name)
{
    const met__node *member = met__node_get(node, name);

    return member != NULL && member->kind == MET__NODE_TEXT
               ? member->as.text
               : met__text_of(NULL, 0);
}

met_error met__invoice_owner(met__txn *txn, const met__invoice *invoice,
                             met__arena *arena, met__customer **customer_out)
{
    met__subscription *subscription = NULL;
    met_error error = met__customer_get(txn, invoice->customer_key, arena,
                                        customer_out);

    if (error == MET_OK
        && met__text_equal((*customer_out)->id,
                           text_at(invoice->customer, "id"))) {
        return MET_OK;
    }
    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    return invoice->lines->count == 0
               ? MET_E_NOT_FOUND
               : met__subscription_owner(txn,
                                         text_at(invoice->lines->as.items[0],
                                                 "subscription_id"),
                                         arena, &subscription, customer_out);
}

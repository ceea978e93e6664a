/* Records of BOOKED: the lines billed so far of a rate card and period, which
 * the next rating of that period is compared with.
 * In and out: lines and quantities. It rates nothing.
 *
 * A record: {"quantity", "lines": […], "open"?: draft's id, "invoices"?: how
 * many (1), "interim_to"?, "was_interim_to"?, "number"?}. */
#include "invoice/booked.h"

#include "base/check.h"
#include "base/ulid.h"
#include "store/object.h"

static met_error booked_key(const met__booked_place *place, met__arena *arena,
                            met__text *key_out)
{
    met__text id = place->subscription_id;
    met__text card = place->card_key;
    size_t size = id.size + 1 + card.size + 1 + 8;
    char *key = met__arena_allocate(arena, size);

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(key, id.data, id.size);
    memcpy(key + id.size + 1, card.data, card.size);
    met__put_u64((unsigned char *)key + size - 8, (uint64_t)place->from_ns);
    *key_out = met__text_of(key, size);
    return MET_OK;
}

static met__booked_place place_of(const met__billable *billable)
{
    return (met__booked_place){billable->subscription->id,
                               billable->card->key,
                               billable->booked_from_ns};
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_lines(met__booked *booked, const met__path *path,
                            met__arena *arena)
{
    size_t count = booked->documents->count;
    met_error error = MET_OK;

    booked->lines = met__arena_allocate(arena, count * sizeof(met__line));
    if (booked->lines == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__path item = {path, NULL, i};
        error = met__line_read(booked->documents->as.items[i], &item, arena,
                               &booked->lines[i], NULL);
        booked->line_count++;
    }
    return error;
}

static met_error get_record(met__txn *txn, met__text key, met__arena *arena,
                            met__booked **booked_out)
{
    met__path path = {NULL, "booked", 0};
    met__booked *booked = met__arena_allocate(arena, sizeof *booked);
    const met__node *lines = NULL;
    met__fields fields;
    met__node *node;

    if (booked == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = met__record_get(txn, MET__TABLE_BOOKED, key.data,
                                      key.size, arena, &node);
    if (error != MET_OK) {
        return error;
    }
    booked->invoice_count = 1;
    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_decimal(&fields, "quantity", MET__REQUIRED, INT64_MIN,
                              &booked->quantity);
    (void)met__fields_array(&fields, "lines", MET__REQUIRED, SIZE_MAX,
                            &lines);
    (void)met__fields_text(&fields, "open", MET__OPTIONAL, MET__ULID_SIZE,
                           MET__ULID_SIZE, &booked->open_id);
    (void)met__fields_integer(&fields, "invoices", MET__OPTIONAL, 1,
                              INT64_MAX, &booked->invoice_count);
    (void)met__fields_time(&fields, "interim_to", MET__OPTIONAL,
                           &booked->interim_to_ns);
    (void)met__fields_time(&fields, "was_interim_to", MET__OPTIONAL,
                           &booked->was_interim_to_ns);
    (void)met__fields_integer(&fields, "number", MET__OPTIONAL, 1, INT64_MAX,
                              &booked->number);
    error = met__fields_end(&fields);
    if (error == MET_OK) {
        /* Nobody else has this tree. */
        booked->documents = (met__node *)lines;
        error = read_lines(booked, &path, arena);
    }
    *booked_out = booked;
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

met_error met__booked_get(met__txn *txn, const met__billable *billable,
                          met__arena *arena, met__booked **booked_out)
{
    met__booked_place place = place_of(billable);
    met__text key;
    met_error error = booked_key(&place, arena, &key);

    return error == MET_OK ? get_record(txn, key, arena, booked_out) : error;
}

/* --- Writing -------------------------------------------------------------- */
static met_error put_record(met__txn *txn, met__text key,
                            const met__booked *booked, met__arena *arena)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_decimal(&builder, "quantity", booked->quantity);
    met__build_node(&builder, "lines", booked->documents);
    met__build_text(&builder, "open", booked->open_id);
    if (booked->invoice_count != 1) {
        met__build_integer(&builder, "invoices", booked->invoice_count);
    }
    met__build_time(&builder, "interim_to", booked->interim_to_ns);
    met__build_time(&builder, "was_interim_to", booked->was_interim_to_ns);
    if (booked->number != 0) {
        met__build_integer(&builder, "number", booked->number);
    }
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__record_put(txn, MET__TABLE_BOOKED, key.data,
                                             key.size, node)
                           : error;
}

met_error met__booked_add(met__txn *txn, const met__billable *billable,
                          const met__booked *before,
                          const met__booking *booking, met__arena *arena)
{
    met__booked_place place = place_of(billable);
    const met__node *more[2] = {before == NULL ? NULL : before->documents,
                                booking->documents};
    met__booked after = {
        .quantity = booking->quantity,
        .documents = met__node_array(arena),
        .open_id = booking->open_id,
        .invoice_count = before == NULL ? 1 : before->invoice_count + 1,
        .interim_to_ns = booking->interim_to_ns,
        .number = booking->number,
        .was_interim_to_ns = before == NULL ? 0 : before->interim_to_ns};
    met__text key;
    met_error error = booked_key(&place, arena, &key);

    if (error == MET_OK && after.documents == NULL) {
        error = MET_E_NO_MEMORY;
    }
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0;
             error == MET_OK && more[k] != NULL && i < more[k]->count; i++) {
            error = met__node_append(arena, after.documents,
                                     more[k]->as.items[i]);
        }
    }
    return error == MET_OK ? put_record(txn, key, &after, arena) : error;
}

/* --- Taking back ---------------------------------------------------------- */
/* "<invoice id>.<line>.<detailed line>" */
static int is_of_invoice(met__text line_id, met__text invoice_id)
{
    return line_id.size > invoice_id.size
           && memcmp(line_id.data, invoice_id.data, invoice_id.size) == 0
           && line_id.data[invoice_id.size] == '.';
}

/* Documents that are not the invoice's; *after_out: some are behind its. */
static met_error keep_others(const met__booked *booked, met__text invoice_id,
                             met__arena *arena, met__node *kept,
                             int *after_out)
{
    int has_met = 0;
    met_error error = MET_OK;

    *after_out = 0;
    for (size_t i = 0; error == MET_OK && i < booked->line_count; i++) {
        if (is_of_invoice(booked->lines[i].id, invoice_id)) {
            has_met = 1;
        } else {
            *after_out |= has_met;
            error = met__node_append(arena, kept,
                                     booked->documents->as.items[i]);
        }
    }
    return error;
}

met_error met__booked_take_back(met__txn *txn, const met__booked_place *place,
                                met__text invoice_id, met_decimal quantity,
                                met__arena *arena)
{
    met__node *kept = met__node_array(arena);
    met__booked *booked;
    met__text key;
    int is_behind = 0;
    met_error error = booked_key(place, arena, &key);

    if (error == MET_OK) {
        error = get_record(txn, key, arena, &booked);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    if (error == MET_OK && kept == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = keep_others(booked, invoice_id, arena, kept, &is_behind);
    }
    if (error != MET_OK) {
        return error;
    }
    if (is_behind || !met__text_equal(booked->open_id, invoice_id)) {
        return MET_E_CONFLICT;
    }
    if (booked->invoice_count == 1) {
        return met__txn_remove(txn, MET__TABLE_BOOKED, key.data, key.size);
    }
    booked->documents = kept;
    booked->invoice_count--;
    booked->interim_to_ns = booked->was_interim_to_ns;
    booked->open_id = met__text_of(NULL, 0);
    error = met__decimal_subtract(booked->quantity, quantity,
                                  &booked->quantity);
    return error == MET_OK ? put_record(txn, key, booked, arena) : error;
}

met_error met__booked_close(met__txn *txn, const met__booked_place *place,
                            met__text invoice_id, met__arena *arena)
{
    met__booked *booked;
    met__text key;
    met_error error = booked_key(place, arena, &key);

    if (error == MET_OK) {
        error = get_record(txn, key, arena, &booked);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    if (error != MET_OK || !met__text_equal(booked->open_id, invoice_id)) {
        return error;
    }
    booked->open_id = met__text_of(NULL, 0);
    return put_record(txn, key, booked, arena);
}

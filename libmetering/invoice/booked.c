/* Records of BOOKED: the lines billed so far of a rate card and period, which
 * the next rating of that period is compared with.
 * In and out: lines and quantities. It rates nothing. */
#include "invoice/booked.h"

#include "base/check.h"
#include "store/object.h"

static met_error booked_key(const met__billable *billable, met__arena *arena,
                            met__text *key_out)
{
    met__text id = billable->subscription->id;
    met__text card = billable->card->key;
    size_t size = id.size + 1 + card.size + 1 + 8;
    char *key = met__arena_allocate(arena, size);

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(key, id.data, id.size);
    memcpy(key + id.size + 1, card.data, card.size);
    met__put_u64((unsigned char *)key + size - 8,
                 (uint64_t)billable->booked_from_ns);
    *key_out = met__text_of(key, size);
    return MET_OK;
}

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

met_error met__booked_get(met__txn *txn, const met__billable *billable,
                          met__arena *arena, met__booked **booked_out)
{
    met__path path = {NULL, "booked", 0};
    met__booked *booked = met__arena_allocate(arena, sizeof *booked);
    const met__node *lines = NULL;
    met__fields fields;
    met__node *node;
    met__text key;

    if (booked == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = booked_key(billable, arena, &key);
    if (error == MET_OK) {
        error = met__record_get(txn, MET__TABLE_BOOKED, key.data, key.size,
                                arena, &node);
    }
    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_decimal(&fields, "quantity", MET__REQUIRED, INT64_MIN,
                              &booked->quantity);
    (void)met__fields_array(&fields, "lines", MET__REQUIRED, SIZE_MAX,
                            &lines);
    error = met__fields_end(&fields);
    if (error == MET_OK) {
        /* Nobody else has this tree. */
        booked->documents = (met__node *)lines;
        error = read_lines(booked, &path, arena);
    }
    *booked_out = booked;
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

met_error met__booked_add(met__txn *txn, const met__billable *billable,
                          const met__booked *before, met_decimal quantity,
                          const met__node *documents, met__arena *arena)
{
    met__node *lines =
        before == NULL ? met__node_array(arena) : before->documents;
    met__builder builder;
    met__node *node;
    met__text key;
    met_error error = booked_key(billable, arena, &key);

    if (error == MET_OK && lines == NULL) {
        error = MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < documents->count; i++) {
        error = met__node_append(arena, lines, documents->as.items[i]);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_decimal(&builder, "quantity", quantity);
    met__build_node(&builder, "lines", lines);
    error = met__builder_end(&builder, &node);
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_BOOKED, key.data, key.size,
                                node);
    }
    return error;
}

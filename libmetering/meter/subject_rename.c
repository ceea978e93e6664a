/* A subject gets another name: in the dictionary of shapes, whose numbers stay,
 * so that no usage moves; in retained events; in adjustments. In: two names.
 * Out: changed records. */
#include "meter/subject_rename.h"

#include "base/check.h"
#include "meter/event_log.h"
#include "meter/usage_late.h"
#include "meter/usage_shape.h"
#include "store/object.h"

typedef struct renaming {
    met__txn *txn;
    met__arena *arena;
    met__text from;
    met__text to;
    int forget_events;
    met__subject_counts *counts;
} renaming;

static const met__secret *secret_of(const renaming *self)
{
    return met__store_secret(met__txn_store(self->txn));
}

/* MET_E_NOT_FOUND is no accident. */
static met_error remove_quietly(met__txn *txn, met__table table,
                                const void *key, size_t key_size, int *was_out)
{
    met_error error = met__txn_remove(txn, table, key, key_size);

    *was_out = error == MET_OK;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- Shapes --------------------------------------------------------------- */
static void id_key(met__hash128 hash, unsigned char key[16])
{
    met__put_u64(key, hash.high);
    met__put_u64(key + 8, hash.low);
}

/* The hash of the old value forgets the number; that of the new one gets it,
 * unless there is such a shape already: then both count. */
static met_error move_id(renaming *self, met__text old, met__text new,
                         const unsigned char number[8])
{
    unsigned char key[16];
    met__text found;
    met_error error;

    id_key(met__hash128_of(secret_of(self), old.data, old.size), key);
    error = met__txn_get(self->txn, MET__TABLE_SHAPE_ID, key, sizeof key,
                         &found);
    if (error == MET_OK && found.size == 8
        && memcmp(found.data, number, 8) == 0) {
        error = met__txn_remove(self->txn, MET__TABLE_SHAPE_ID, key,
                                sizeof key);
    }
    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    id_key(met__hash128_of(secret_of(self), new.data, new.size), key);
    error = met__txn_get(self->txn, MET__TABLE_SHAPE_ID, key, sizeof key,
                         &found);
    return error == MET_E_NOT_FOUND
               ? met__txn_put(self->txn, MET__TABLE_SHAPE_ID, key, sizeof key,
                              number, 8)
               : error;
}

/* Its entry in the index of subjects, if it has one already. */
static met_error move_index(renaming *self, const unsigned char number[8])
{
    unsigned char key[16];
    int was = 0;

    met__put_u64(key, met__hash64(secret_of(self), self->from.data,
                                  self->from.size));
    memcpy(key + 8, number, 8);
    met_error error = remove_quietly(self->txn, MET__TABLE_SHAPE_OF, key,
                                     sizeof key, &was);
    if (error != MET_OK || !was) {
        return error;
    }
    met__put_u64(key,
                 met__hash64(secret_of(self), self->to.data, self->to.size));
    return met__txn_put(self->txn, MET__TABLE_SHAPE_OF, key, sizeof key, NULL,
                        0);
}

static met_error rename_shape(renaming *self, met__text key, met__text value)
{
    unsigned char number[8];
    unsigned char bytes[MET__SHAPE_VALUE_MAX];
    met__usage_shape shape;

    if (key.size != sizeof number) {
        return MET_E_CORRUPT;
    }
    memcpy(number, key.data, sizeof number);
    met_error error = met__usage_shape_decode(value, &shape);
    if (error != MET_OK || !met__text_equal(shape.subject, self->from)) {
        return error;
    }
    /* A value lives until the next write. */
    char *copy = met__arena_copy(self->arena, value.data, value.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__text old = met__text_of(copy, value.size);
    error = met__usage_shape_decode(old, &shape);
    shape.subject = self->to;
    met__text new = met__text_of((const char *)bytes,
                                 met__usage_shape_write(&shape, bytes));
    if (error == MET_OK) {
        error = met__txn_put(self->txn, MET__TABLE_SHAPE, number,
                             sizeof number, new.data, new.size);
    }
    if (error == MET_OK) {
        error = move_id(self, old, new, number);
    }
    self->counts->shapes++;
    return error == MET_OK ? move_index(self, number) : error;
}

/* --- Events and adjustments ----------------------------------------------- */
static met_error rename_event(renaming *self, met__text key, met__text value)
{
    unsigned char copy[MET__EVENT_KEY_SIZE];
    met__logged_event event;
    met_error error = met__event_log_read(key, value, &event);

    if (error != MET_OK || !met__text_equal(event.subject, self->from)) {
        return error;
    }
    memcpy(copy, key.data, sizeof copy);
    self->counts->events++;
    if (self->forget_events) {
        return met__txn_remove(self->txn, MET__TABLE_EVENT, copy,
                               sizeof copy);
    }
    event.subject = self->to;
    return met__event_log_put(self->txn, &event, self->arena);
}

static met_error rename_adjustment(renaming *self, met__text key,
                                   met__text value)
{
    met__node *node = NULL;
    met_error error = met__record_unpack(self->arena, value, &node);
    const met__node *subject =
        error == MET_OK ? met__node_get(node, "subject") : NULL;

    if (subject == NULL || subject->kind != MET__NODE_TEXT
        || !met__text_equal(subject->as.text, self->from)) {
        return error;
    }
    char *copy = met__arena_copy(self->arena, key.data, key.size);
    error = copy == NULL
                ? MET_E_NO_MEMORY
                : met__node_set(self->arena, node, "subject",
                                met__node_text(self->arena, self->to));
    self->counts->adjustments++;
    return error == MET_OK ? met__record_put(self->txn, MET__TABLE_ADJUSTMENT,
                                             copy, key.size, node)
                           : error;
}

static met_error each(renaming *self, met__table table,
                      met_error (*visit)(renaming *self, met__text key,
                                         met__text value))
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(self->txn, table, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = visit(self, key, value);
            error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__subject_rename(met__txn *txn, met__text from, met__text to,
                              int forget_events, met__subject_counts *counts)
{
    met__arena arena;
    renaming self = {txn, &arena, from, to, forget_events, counts};

    MET__ASSERT(from.size > 0 && to.size > 0
                && to.size <= MET__SUBJECT_SIZE_MAX);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = each(&self, MET__TABLE_SHAPE, rename_shape);
    if (error == MET_OK && counts->shapes > 0) {
        error = met__usage_late_all(txn, from);
    }
    if (error == MET_OK && counts->shapes > 0) {
        error = met__usage_late_all(txn, to);
    }
    if (error == MET_OK) {
        error = each(&self, MET__TABLE_EVENT, rename_event);
    }
    if (error == MET_OK) {
        error = each(&self, MET__TABLE_ADJUSTMENT, rename_adjustment);
    }
    met__arena_release(&arena);
    return error;
}

/* Key, name and description, which every object of the catalog begins with,
 * and the walk over records of documents. In: fields, a transaction. Out:
 * texts, nodes. It knows no object by itself. */
#include "catalog/identity.h"

#include "base/limits.h"
#include "store/object.h"

/* Missing, null or "": the peer's code instead of a reader's wording. */
static int is_empty(const met__fields *fields, const char *name)
{
    const met__node *node = met__node_get(fields->object, name);

    return node == NULL || node->kind == MET__NODE_NULL
           || (node->kind == MET__NODE_TEXT && node->as.text.size == 0);
}

met_error met__identity_read_name(met__fields *fields, met__text *name_out,
                                  met__text *description_out)
{
    if (fields->error == MET_OK && is_empty(fields, "name")) {
        return met__fields_fail(fields, "name",
                                "resource_name_empty: is required");
    }
    (void)met__fields_text(fields, "name", MET__REQUIRED, 1,
                           MET__NAME_SIZE_MAX, name_out);
    return met__fields_text(fields, "description", MET__OPTIONAL, 1,
                            MET__DESCRIPTION_SIZE_MAX, description_out);
}

met_error met__identity_read(met__fields *fields, met__identity *identity_out)
{
    if (fields->error == MET_OK && is_empty(fields, "key")) {
        return met__fields_fail(fields, "key",
                                "resource_key_empty: is required");
    }
    met_error error = met__fields_key(fields, "key", MET__REQUIRED,
                                      &identity_out->key);
    if (error == MET_OK && met__text_looks_like_id(identity_out->key)) {
        return met__fields_fail(fields, "key", "must not look like an id");
    }
    return met__identity_read_name(fields, &identity_out->name,
                                   &identity_out->description);
}

static int is_label(met__text text)
{
    return text.size > 0 && text.size <= MET__LABEL_SIZE_MAX
           && met__text_is_clean(text);
}

met_error met__fields_labels(met__fields *fields, met__arena *arena,
                             const met__node **labels_out)
{
    const met__node *labels = NULL;
    met_error error =
        met__fields_object(fields, "labels", MET__OPTIONAL, &labels);

    if (error != MET_OK || labels == NULL) {
        return error;
    }
    if (labels->count > MET__LABELS_MAX) {
        return met__fields_fail(fields, "labels", "must be at most %d",
                                MET__LABELS_MAX);
    }
    for (uint32_t i = 0; i < labels->count; i++) {
        const met__member *label = &labels->as.members[i];
        if (!is_label(label->name) || label->node->kind != MET__NODE_TEXT
            || !is_label(label->node->as.text)) {
            return met__fields_fail(fields, "labels",
                                    "must be texts of 1 to %d bytes by name",
                                    MET__LABEL_SIZE_MAX);
        }
    }
    if (labels->count > 0) {
        fields->error = met__node_canonical(arena, labels, labels_out);
    }
    return fields->error;
}

int met__labels_equal(const met__node *a, const met__node *b)
{
    return a == NULL || b == NULL ? a == b : met__node_equal(a, b);
}

met_error met__record_error(met_error error)
{
    switch (error) {
    case MET_E_INVALID:
    case MET_E_UNSUPPORTED:
    case MET_E_LIMIT:
    case MET_E_OVERFLOW:
        return MET_E_CORRUPT;
    default:
        return error;
    }
}

met_error met__import_same(const met__node *imported, const met__node *present,
                           const met__path *path, met_error_info *info)
{
    return met__node_equal(imported, present)
               ? MET_OK
               : met__fail_at(info, MET_E_CONFLICT, path, NULL,
                              "differs from the one in the store: an export "
                              "is for an empty one");
}

met_error met__records_each(met__txn *txn, met__table table, met__text prefix,
                            met__arena *arena, void *context,
                            met__record_visit visit)
{
    met__scan scan;
    met_error error = met__scan_begin(txn, table, prefix.data, prefix.size,
                                      &scan);

    while (error == MET_OK) {
        met__text key;
        met__text value;
        met__node *record = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_E_NOT_FOUND) {
            met__scan_end(&scan);
            return MET_OK;
        }
        if (error == MET_OK) {
            error = met__record_unpack(arena, value, &record);
        }
        if (error == MET_OK) {
            error = visit(context, key, record);
        }
    }
    met__scan_end(&scan);
    return error;
}

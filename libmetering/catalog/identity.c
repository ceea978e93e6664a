/* Key, name and description, which every object of the catalog begins with.
 * In: fields. Out: texts, nodes. It knows no object by itself. */
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

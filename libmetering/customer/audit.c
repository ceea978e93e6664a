/* The record of renames, erasures and rotations. In: what was done. Out:
 * records of the table AUDIT. It does nothing by itself: who does, tells. */
#include "customer/audit.h"

#include "base/limits.h"
#include "store/records.h"

void met__audit_read(met__fields *fields, met__audit *audit)
{
    (void)met__fields_text(fields, "reason", MET__REQUIRED, 1,
                           MET__DESCRIPTION_SIZE_MAX, &audit->reason);
    (void)met__fields_text(fields, "actor", MET__REQUIRED, 1,
                           MET__NAME_SIZE_MAX, &audit->actor);
}

static void build_counts(met__builder *builder, const met__audit *audit)
{
    const struct {
        const char *name;
        size_t count;
    } rows[] = {{"customers", audit->customers},
                {"subscriptions", audit->subscriptions},
                {"series", audit->counts.shapes},
                {"events", audit->counts.events},
                {"adjustments", audit->counts.adjustments},
                {"consumers", audit->consumers},
                {"notices", audit->notices}};
    met__builder counts;

    met__builder_begin(&counts, builder->arena);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__build_integer(&counts, rows[i].name, (int64_t)rows[i].count);
    }
    met__build_object(builder, "counts", &counts);
}

met_error met__audit_put(met__txn *txn, const met__audit *audit,
                         int64_t now_ns, met__arena *arena,
                         met__node **node_out)
{
    met__builder builder;
    unsigned char key[8];
    uint64_t number = 0;
    met_error error = met__txn_sequence(txn, "audit", &number);

    met__put_u64(key, number);
    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "number", (int64_t)number);
    met__build_time(&builder, "at", now_ns);
    met__build_text(&builder, "action", met__text_z(audit->action));
    met__build_text(&builder, "from", audit->from);
    met__build_text(&builder, "to", audit->to);
    met__build_text(&builder, "old_credential", audit->old_credential);
    met__build_text(&builder, "new_credential", audit->new_credential);
    met__build_text(&builder, "reason", audit->reason);
    met__build_text(&builder, "actor", audit->actor);
    build_counts(&builder, audit);
    if (error == MET_OK) {
        error = met__builder_end(&builder, node_out);
    }
    return error == MET_OK ? met__record_put(txn, MET__TABLE_AUDIT, key,
                                             sizeof key, *node_out)
                           : error;
}

/* --- Forgetting ----------------------------------------------------------- */
static met__text text_at(const met__node *record, const char *name)
{
    const met__node *node = met__node_get(record, name);

    return node != NULL && node->kind == MET__NODE_TEXT ? node->as.text
                                                        : met__text_z("");
}

/* Both ends of a rename are the same person's. */
static met_error replace(met__txn *txn, met__node *record,
                         met__text replacement, met__arena *arena)
{
    static const char *const members[] = {"from", "to"};
    met__node *number = (met__node *)met__node_get(record, "number");
    unsigned char key[8];
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < 2; i++) {
        if (met__node_get(record, members[i]) != NULL) {
            error = met__node_set(arena, record, members[i],
                                  met__node_text(arena, replacement));
        }
    }
    if (number == NULL || number->kind != MET__NODE_INTEGER) {
        return MET_E_CORRUPT;
    }
    met__put_u64(key, (uint64_t)number->as.integer);
    return error == MET_OK ? met__record_put(txn, MET__TABLE_AUDIT, key,
                                             sizeof key, record)
                           : error;
}

static int is_one_of(met__text name, const met__text *names, size_t count)
{
    for (size_t i = 0; name.size > 0 && i < count; i++) {
        if (met__text_equal(name, names[i])) {
            return 1;
        }
    }
    return 0;
}

met_error met__audit_forget(met__txn *txn, met__text name,
                            met__text replacement, met__arena *arena)
{
    met__node *list = NULL;
    met_error error = met__audit_list(txn, arena, &list);
    size_t count = 1;

    if (error != MET_OK) {
        return error;
    }
    /* Newest first: what a name was before is forgotten with it. */
    met__text *names =
        met__arena_allocate(arena, ((size_t)list->count + 1) * sizeof *names);
    if (names == NULL) {
        return MET_E_NO_MEMORY;
    }
    names[0] = name;
    for (uint32_t i = list->count; error == MET_OK && i-- > 0;) {
        met__node *record = list->as.items[i];
        met__text from = text_at(record, "from");
        if (is_one_of(from, names, count)
            || is_one_of(text_at(record, "to"), names, count)) {
            error = replace(txn, record, replacement, arena);
            if (from.size > 0) {
                names[count++] = from;
            }
        }
    }
    return error;
}

/* --- Listing -------------------------------------------------------------- */
met_error met__audit_list(met__txn *txn, met__arena *arena,
                          met__node **array_out)
{
    return met__records_list(txn, MET__TABLE_AUDIT, NULL, arena, array_out);
}

/* Billing profiles: reading, and laying a customer's over the default. In:
 * documents. Out: structs and records. */
#include "invoice/billing_profile.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/object.h"
#include "store/records.h"

static const char *const alignments[] = {"subscription", "anchored", NULL};
static const char *const end_modes[] = {"bill_actual_period",
                                        "bill_full_period", NULL};
static const char *const late_names[] = {"next_invoice", "draft_refresh",
                                         "credit_note", NULL};

/* --- Reading -------------------------------------------------------------- */
#define TOO_LONG "must be at most P10Y"

static met_error read_anchored(const met__node *node, const met__path *path,
                               met__recurrence *out, met_error_info *info)
{
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_time(&fields, "anchor", MET__REQUIRED, &out->anchor_ns);
    (void)met__fields_duration(&fields, "interval", MET__REQUIRED,
                               &out->interval);
    if (fields.error == MET_OK && met__duration_is_long(&out->interval)) {
        (void)met__fields_fail(&fields, "interval", TOO_LONG);
    }
    return met__fields_end(&fields);
}

/* Also none at all: "PT0S". */
static void read_wait(met__fields *fields, const char *name,
                      met__duration *out)
{
    met__text text = {NULL, 0};

    if (met__fields_text(fields, name, MET__OPTIONAL, 1, 64, &text) != MET_OK
        || text.size == 0) {
        return;
    }
    if (met__duration_parse(text, out) != MET_OK) {
        (void)met__fields_fail(fields, name,
                               "must be a duration like PT1H or P0D");
    } else if (met__duration_is_long(out)) {
        (void)met__fields_fail(fields, name, TOO_LONG);
    }
}

static met_error read_collection(const met__node *node, const met__path *path,
                                 met__billing_profile *profile,
                                 met_error_info *info)
{
    met__path here = {path, "anchored", 0};
    const met__node *anchored = NULL;
    uint32_t alignment = 0;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_choice(&fields, "alignment", MET__OPTIONAL, alignments,
                             &alignment);
    read_wait(&fields, "interval", &profile->interval);
    (void)met__fields_object(&fields, "anchored", MET__OPTIONAL, &anchored);
    profile->is_anchored = alignment == 1;
    if (fields.error == MET_OK && profile->is_anchored != (anchored != NULL)) {
        (void)met__fields_fail(&fields, "anchored",
                               profile->is_anchored
                                   ? "is required by the alignment"
                                   : "goes with alignment anchored");
    }
    met_error error = met__fields_end(&fields);
    return error == MET_OK && anchored != NULL
               ? read_anchored(anchored, &here, &profile->anchored, info)
               : error;
}

static met_error read_invoicing(const met__node *node, const met__path *path,
                                met__billing_profile *profile,
                                met_error_info *info)
{
    uint32_t mode = 0;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_boolean(&fields, "auto_advance", MET__OPTIONAL,
                              &profile->is_auto);
    read_wait(&fields, "draft_period", &profile->draft_period);
    read_wait(&fields, "due_after", &profile->due_after);
    (void)met__fields_boolean(&fields, "progressive_billing", MET__OPTIONAL,
                              &profile->is_progressive);
    (void)met__fields_choice(&fields, "subscription_end_proration_mode",
                             MET__OPTIONAL, end_modes, &mode);
    profile->is_full_at_end = mode == 1;
    return met__fields_end(&fields);
}

static met_error read_workflow(const met__node *node, const met__path *path,
                               met__billing_profile *profile,
                               met_error_info *info)
{
    met__path collection_path = {path, "collection", 0};
    met__path invoicing_path = {path, "invoicing", 0};
    const met__node *collection = NULL;
    const met__node *invoicing = NULL;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_object(&fields, "collection", MET__OPTIONAL,
                             &collection);
    (void)met__fields_object(&fields, "invoicing", MET__OPTIONAL, &invoicing);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK && collection != NULL) {
        error = read_collection(collection, &collection_path, profile, info);
    }
    if (error == MET_OK && invoicing != NULL) {
        error = read_invoicing(invoicing, &invoicing_path, profile, info);
    }
    return error;
}

static void read_series(met__fields *fields, const char *name, met__text *out)
{
    if (met__fields_text(fields, name, MET__OPTIONAL, 1, MET__SERIES_SIZE_MAX,
                         out)
        != MET_OK) {
        return;
    }
    for (size_t i = 0; i < out->size; i++) {
        char byte = out->data[i];
        if (!((byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9'))) {
            (void)met__fields_fail(fields, name,
                                   "must be capital letters and digits");
            return;
        }
    }
}

static met_error read_numbering(const met__node *node, const met__path *path,
                                met__billing_profile *profile,
                                met_error_info *info)
{
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    read_series(&fields, "series", &profile->series);
    read_series(&fields, "credit_note_series", &profile->credit_series);
    (void)met__fields_boolean(&fields, "customer_prefix", MET__OPTIONAL,
                              &profile->has_customer_prefix);
    if (fields.error == MET_OK
        && (met__text_equal(profile->series, profile->credit_series)
            || met__text_equal(profile->series, MET__TEXT("DRAFT"))
            || met__text_equal(profile->credit_series, MET__TEXT("DRAFT")))) {
        (void)met__fields_fail(&fields, "series",
                               "invoices, credit notes and drafts must have "
                               "series of their own");
    }
    return met__fields_end(&fields);
}

static met_error read_supplier(const met__node *node, const met__path *path,
                               met_error_info *info)
{
    const met__node *address = NULL;
    met__text text = {NULL, 0};
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_text(&fields, "name", MET__REQUIRED, 1,
                           MET__NAME_SIZE_MAX, &text);
    (void)met__fields_text(&fields, "tax_id", MET__OPTIONAL, 1,
                           MET__NAME_SIZE_MAX, &text);
    (void)met__fields_any(&fields, "address", MET__OPTIONAL, &address);
    return met__fields_end(&fields);
}

static met_error read_thresholds(const met__node *array, const met__path *path,
                                 met__billing_profile *profile,
                                 met_error_info *info)
{
    for (uint32_t i = 0; i < array->count; i++) {
        met__path item = {path, NULL, i};
        met_decimal *out = &profile->thresholds[i];
        const met__node *node = array->as.items[i];
        char field[64];
        int is_good = node->kind == MET__NODE_TEXT
                      && met__decimal_parse(node->as.text, out) == MET_OK;

        if (node->kind == MET__NODE_INTEGER) {
            *out = met__decimal_from_i64(node->as.integer);
            is_good = 1;
        }
        met__path_print(&item, NULL, field, sizeof field);
        if (!is_good || met__decimal_is_negative(*out)
            || met__decimal_is_zero(*out)) {
            return met__fail(info, MET_E_INVALID, field,
                             "must be an amount above 0");
        }
        if (i > 0
            && met__decimal_compare(*out, profile->thresholds[i - 1]) <= 0) {
            return met__fail(info, MET_E_INVALID, field,
                             "must be above the one before");
        }
        profile->threshold_count++;
    }
    return MET_OK;
}

typedef struct parts {
    const met__node *supplier;
    const met__node *workflow;
    const met__node *thresholds;
    const met__node *rating;
    const met__node *tax;
    const met__node *numbering;
} parts;

static met_error read_parts(const parts *found, const met__path *path,
                            met__arena *arena, met__billing_profile *profile,
                            met_error_info *info)
{
    met__path supplier = {path, "supplier", 0};
    met__path workflow = {path, "workflow", 0};
    met__path thresholds = {path, "usage_thresholds", 0};
    met__path rating = {path, "rating", 0};
    met__path tax = {path, "tax", 0};
    met__path numbering = {path, "numbering", 0};
    met_error error = MET_OK;

    if (found->supplier != NULL) {
        error = read_supplier(found->supplier, &supplier, info);
    }
    if (error == MET_OK && found->workflow != NULL) {
        error = read_workflow(found->workflow, &workflow, profile, info);
    }
    if (error == MET_OK && found->thresholds != NULL) {
        error = read_thresholds(found->thresholds, &thresholds, profile,
                                info);
    }
    if (error == MET_OK && found->rating != NULL) {
        error = met__policies_read(found->rating, &rating, &profile->policies,
                                   info);
    }
    if (error == MET_OK && found->tax != NULL) {
        error = met__tax_rules_read(found->tax, &tax, arena, &profile->tax,
                                    info);
    }
    if (error == MET_OK && found->numbering != NULL) {
        error = read_numbering(found->numbering, &numbering, profile, info);
    }
    return error;
}

met_error met__billing_profile_read(const met__node *node,
                                    const met__path *path, met__arena *arena,
                                    met__billing_profile **profile_out,
                                    met_error_info *info)
{
    met__billing_profile *profile =
        met__arena_allocate(arena, sizeof *profile);
    parts found = {0};
    met__fields fields;

    if (profile == NULL) {
        return MET_E_NO_MEMORY;
    }
    *profile = (met__billing_profile){.document = node,
                                      .is_auto = 1,
                                      .is_progressive = 1,
                                      .interval = {.hours = 1},
                                      .due_after = {.days = 30},
                                      .series = MET__TEXT("INV"),
                                      .credit_series = MET__TEXT("CN")};
    if (node == NULL) {
        *profile_out = profile;
        return MET_OK;
    }
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_object(&fields, "supplier", MET__OPTIONAL,
                             &found.supplier);
    (void)met__fields_object(&fields, "workflow", MET__OPTIONAL,
                             &found.workflow);
    (void)met__fields_choice(&fields, "late_usage", MET__OPTIONAL, late_names,
                             &profile->late_usage);
    (void)met__fields_array(&fields, "usage_thresholds", MET__OPTIONAL,
                            MET__THRESHOLDS_MAX, &found.thresholds);
    (void)met__fields_object(&fields, "rating", MET__OPTIONAL, &found.rating);
    (void)met__fields_object(&fields, "tax", MET__OPTIONAL, &found.tax);
    (void)met__fields_object(&fields, "numbering", MET__OPTIONAL,
                             &found.numbering);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        error = read_parts(&found, path, arena, profile, info);
    }
    if (error == MET_OK) {
        *profile_out = profile;
    }
    return error;
}

/* --- Stored --------------------------------------------------------------- */
static met_error profile_key(met__text customer_key, met__arena *arena,
                             met__text *key_out)
{
    if (customer_key.size == 0) {
        *key_out = MET__TEXT("profile");
        return MET_OK;
    }
    return met__object_key(arena, MET__TEXT("profile"), customer_key,
                           key_out);
}

static met_error get_stored(met__txn *txn, met__text customer_key,
                            met__arena *arena, met__node **node_out)
{
    met__text key;
    met_error error = profile_key(customer_key, arena, &key);

    if (error == MET_OK) {
        error = met__record_get(txn, MET__TABLE_BILLING, key.data, key.size,
                                arena, node_out);
    }
    if (error == MET_E_NOT_FOUND) {
        *node_out = NULL;
        error = MET_OK;
    }
    return error;
}

/* over's members replace base's; objects are laid over each other. */
static met_error lay_over(met__arena *arena, const met__node *base,
                          const met__node *over, const met__node **out)
{
    met_error error = MET_OK;

    if (base == NULL || over == NULL) {
        *out = over != NULL ? over : base;
        return MET_OK;
    }
    if (base->kind != MET__NODE_OBJECT || over->kind != MET__NODE_OBJECT) {
        *out = over;
        return MET_OK;
    }
    met__node *sum = met__node_object(arena);
    for (uint32_t i = 0; error == MET_OK && i < base->count; i++) {
        error = met__node_add(arena, sum, base->as.members[i].name,
                              base->as.members[i].node);
    }
    for (uint32_t i = 0; error == MET_OK && i < over->count; i++) {
        const met__member *member = &over->as.members[i];
        const char *name = met__arena_copy(arena, member->name.data,
                                           member->name.size);
        const met__node *laid = NULL;
        if (name == NULL || sum == NULL) {
            return MET_E_NO_MEMORY;
        }
        error = lay_over(arena, met__node_get(sum, name), member->node,
                         &laid);
        if (error == MET_OK) {
            error = met__node_set(arena, sum, name, (met__node *)laid);
        }
    }
    *out = sum;
    return error;
}

typedef struct laying {
    met__arena *arena;
    const met__node *base;
    met_error_info *info;
} laying;

static met_error check_laid(void *context, met__text key, met__node *own)
{
    static const met__path path = {NULL, "billing_profile", 0};
    const size_t start = MET__TEXT("profile").size + 1; /* "profile", NUL */
    const laying *to = context;
    met__billing_profile *profile;
    met_error_info why = {.struct_size = sizeof why};
    const met__node *laid = NULL;

    if (key.size < start) {
        return MET_OK; /* the default itself */
    }
    met_error error = lay_over(to->arena, to->base, own, &laid);
    if (error == MET_OK) {
        error = met__billing_profile_read(laid, &path, to->arena, &profile,
                                          &why);
    }
    return error == MET_E_INVALID
               ? met__fail(to->info, MET_E_CONFLICT, why.field,
                           "with the profile of the customer \"%.*s\": %s",
                           (int)(key.size - start), key.data + start,
                           why.reason)
               : error;
}

met_error met__billing_profile_check(met__txn *txn, met__text customer_key,
                                     met__arena *arena, met_error_info *info)
{
    static const met__path path = {NULL, "billing_profile", 0};
    met__billing_profile *profile;
    const met__node *laid = NULL;
    met__node *base = NULL;
    met__node *own = NULL;
    met_error error = get_stored(txn, MET__TEXT(""), arena, &base);

    if (error == MET_OK && customer_key.size > 0) {
        error = get_stored(txn, customer_key, arena, &own);
    }
    if (error == MET_OK) {
        error = lay_over(arena, base, own, &laid);
    }
    if (error == MET_OK && laid != NULL) {
        error = met__billing_profile_read(laid, &path, arena, &profile, info);
    }
    if (error == MET_OK && customer_key.size == 0) {
        laying to = {arena, base, info};
        error = met__records_each(txn, MET__TABLE_BILLING,
                                  MET__TEXT("profile"), arena, &to,
                                  check_laid);
    }
    return error;
}

met_error met__billing_profile_store(met__txn *txn, met__text customer_key,
                                     const met__node *node, met__arena *arena,
                                     met_error_info *info)
{
    static const met__path path = {NULL, "billing_profile", 0};
    met__billing_profile *profile;
    const met__node *canonical = NULL;
    met__text key;
    met_error error = profile_key(customer_key, arena, &key);

    if (error == MET_OK && node->kind != MET__NODE_OBJECT) {
        return met__billing_profile_read(node, &path, arena, &profile, info);
    }
    if (error == MET_OK) {
        error = met__node_canonical(arena, node, &canonical);
    }
    return error == MET_OK ? met__record_put(txn, MET__TABLE_BILLING, key.data,
                                             key.size, canonical)
                           : error;
}

met_error met__billing_profile_put(met__txn *txn, met__text customer_key,
                                   const met__node *node, met__arena *arena,
                                   met_error_info *info)
{
    met__text key;
    met_error error = profile_key(customer_key, arena, &key);

    if (error == MET_OK) {
        error = node != NULL
                    ? met__billing_profile_store(txn, customer_key, node,
                                                 arena, info)
                    : met__txn_remove(txn, MET__TABLE_BILLING, key.data,
                                      key.size);
    }
    return error == MET_OK ? met__billing_profile_check(txn, customer_key,
                                                        arena, info)
                           : error;
}

met_error met__billing_profile_get(met__txn *txn, met__text customer_key,
                                   met__arena *arena,
                                   met__billing_profile **profile_out)
{
    static const met__path path = {NULL, "billing_profile", 0};
    met__node *base = NULL;
    met__node *own = NULL;
    const met__node *laid = NULL;
    met_error error = get_stored(txn, MET__TEXT(""), arena, &base);

    if (error == MET_OK && customer_key.size > 0) {
        error = get_stored(txn, customer_key, arena, &own);
    }
    if (error == MET_OK) {
        error = lay_over(arena, base, own, &laid);
    }
    if (error == MET_OK) {
        error = met__billing_profile_read(laid, &path, arena, profile_out,
                                          NULL);
    }
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

/* --- Writing -------------------------------------------------------------- */
static void build_workflow(met__builder *builder,
                           const met__billing_profile *profile)
{
    met__arena *arena = builder->arena;
    met__builder workflow;
    met__builder inner;
    met__builder anchored;

    met__builder_begin(&workflow, arena);
    met__builder_begin(&inner, arena);
    met__build_text(&inner, "alignment",
                    met__text_z(alignments[profile->is_anchored]));
    met__build_duration(&inner, "interval", &profile->interval);
    if (profile->is_anchored) {
        met__builder_begin(&anchored, arena);
        met__build_time(&anchored, "anchor", profile->anchored.anchor_ns);
        met__build_duration(&anchored, "interval",
                            &profile->anchored.interval);
        met__build_object(&inner, "anchored", &anchored);
    }
    met__build_object(&workflow, "collection", &inner);
    met__builder_begin(&inner, arena);
    met__build_boolean(&inner, "auto_advance", profile->is_auto);
    met__build_duration(&inner, "draft_period", &profile->draft_period);
    met__build_duration(&inner, "due_after", &profile->due_after);
    met__build_boolean(&inner, "progressive_billing",
                       profile->is_progressive);
    met__build_text(&inner, "subscription_end_proration_mode",
                    met__text_z(end_modes[profile->is_full_at_end]));
    met__build_object(&workflow, "invoicing", &inner);
    met__build_object(builder, "workflow", &workflow);
}

met_error met__billing_profile_document(const met__billing_profile *profile,
                                        met__arena *arena,
                                        met__node **node_out)
{
    static const char *const kept[] = {"usage_thresholds", "rating", "tax",
                                       NULL};
    met__builder builder;
    met__builder inner;

    met__builder_begin(&builder, arena);
    if (profile->document != NULL) {
        met__build_node(&builder, "supplier",
                        met__node_get(profile->document, "supplier"));
    }
    build_workflow(&builder, profile);
    met__build_text(&builder, "late_usage",
                    met__text_z(late_names[profile->late_usage]));
    for (size_t i = 0; profile->document != NULL && kept[i] != NULL; i++) {
        met__build_node(&builder, kept[i],
                        met__node_get(profile->document, kept[i]));
    }
    met__builder_begin(&inner, arena);
    met__build_text(&inner, "series", profile->series);
    met__build_text(&inner, "credit_note_series", profile->credit_series);
    met__build_boolean(&inner, "customer_prefix",
                       profile->has_customer_prefix);
    met__build_object(&builder, "numbering", &inner);
    return met__builder_end(&builder, node_out);
}

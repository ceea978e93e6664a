/* Records of grants, resets and entitlements that stand alone. In: structs,
 * ids, a customer. Out: records, lists. What may be stored is decided in
 * grant_change.c and lone_change.c. */
#include "base/check.h"
#include "entitlement/due.h"
#include "entitlement/entitled_parts.h"
#include "store/records.h"

#define KIND_LONE 'e'
#define KIND_GRANT 'g'
#define KIND_RESET 'r'

/* --- Keys ----------------------------------------------------------------- */
static met_error record_key(const met__entitled_owner *owner, char kind,
                            met__text id, met__arena *arena,
                            met__text *key_out)
{
    met__text customer = owner->customer_id;
    met__text feature = owner->feature_key;
    size_t size = customer.size + 1 + feature.size + 2 + id.size;
    char *key = met__arena_allocate(arena, size);

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(key, customer.data, customer.size);
    memcpy(key + customer.size + 1, feature.data, feature.size);
    key[customer.size + feature.size + 2] = kind;
    memcpy(key + size - id.size, id.data, id.size);
    *key_out = met__text_of(key, size);
    return MET_OK;
}

/* The kind and the id in a key that begins with `customer id 0`. */
static met_error split_key(met__text key, size_t prefix_size,
                           met__text *feature_out, char *kind_out,
                           met__text *id_out)
{
    met__text rest = met__text_of(key.data + prefix_size,
                                  key.size - prefix_size);
    const char *zero = memchr(rest.data, 0, rest.size);

    if (zero == NULL || (size_t)(zero - rest.data) + 2 > rest.size) {
        return MET_E_CORRUPT;
    }
    *feature_out = met__text_of(rest.data, (size_t)(zero - rest.data));
    *kind_out = zero[1];
    *id_out = met__text_of(zero + 2,
                           rest.size - (size_t)(zero - rest.data) - 2);
    return MET_OK;
}

/* --- Writing -------------------------------------------------------------- */
static met_error put(met__txn *txn, const met__entitled_owner *owner,
                     char kind, met__text id, const met__node *node,
                     met__arena *arena)
{
    met__text key;
    met_error error = record_key(owner, kind, id, arena, &key);

    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_ENTITLED, key.data, key.size,
                                node);
    }
    if (error == MET_OK && kind != KIND_RESET) {
        error = met__txn_put(txn, MET__TABLE_ENTITLED_ID, id.data, id.size,
                             key.data, key.size);
    }
    if (error == MET_OK) { /* by the next settlement at the latest */
        error = met__due_put(txn, met__txn_now_ns(txn), owner->customer_key,
                             arena);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

met_error met__grant_put(met__txn *txn, const met__stored_grant *grant,
                         met__arena *arena)
{
    met__node *node = NULL;
    met_error error = met__grant_document(grant, arena, &node);

    return error == MET_OK ? put(txn, &grant->owner, KIND_GRANT,
                                 grant->terms.id, node, arena)
                           : error;
}

met_error met__lone_put(met__txn *txn, const met__lone *lone,
                        met__arena *arena)
{
    met__node *node = NULL;
    met_error error = met__lone_document(lone, arena, &node);

    return error == MET_OK
               ? put(txn, &lone->owner, KIND_LONE, lone->id, node, arena)
               : error;
}

met_error met__reset_put(met__txn *txn, const met__entitled_owner *owner,
                         const met__stored_reset *reset, met__arena *arena)
{
    unsigned char at[8];
    met__builder builder;
    met__node *node = NULL;

    met__put_u64(at, (uint64_t)reset->at_ns);
    met__builder_begin(&builder, arena);
    met__build_boolean(&builder, "retain_anchor", reset->retains_anchor);
    met__build_boolean(&builder, "preserve_overage",
                       reset->preserves_overage);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK
               ? put(txn, owner, KIND_RESET,
                     met__text_of((const char *)at, sizeof at), node, arena)
               : error;
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_reset(met__text feature, met__text id,
                            const met__node *record, met__arena *arena,
                            met__stored_reset *reset_out)
{
    met__reset_request flags;
    char *copy = met__arena_copy(arena, feature.data, feature.size);

    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (id.size != 8) {
        return MET_E_CORRUPT;
    }
    met_error error = met__reset_read(record, NULL, &flags, NULL);
    *reset_out = (met__stored_reset){
        .feature_key = met__text_of(copy, feature.size),
        .at_ns = (int64_t)met__get_u64((const unsigned char *)id.data),
        .retains_anchor = flags.retains_anchor,
        .preserves_overage = flags.preserves_overage};
    return error;
}

typedef struct gathering {
    met__arena *arena;
    met__entitled *into;
    size_t prefix_size;
    int is_counting;
} gathering;

static met_error gather(void *context, met__text key, met__node *record)
{
    gathering *self = context;
    met__entitled *into = self->into;
    met__text feature;
    met__text id;
    char kind;
    met_error error =
        split_key(key, self->prefix_size, &feature, &kind, &id);

    if (error != MET_OK) {
        return error;
    }
    if (self->is_counting) {
        into->lone_count += kind == KIND_LONE;
        into->grant_count += kind == KIND_GRANT;
        into->reset_count += kind == KIND_RESET;
        return MET_OK;
    }
    if (kind == KIND_LONE) {
        error = met__lone_read(record, NULL, 1, self->arena,
                               &into->lones[into->lone_count++], NULL);
    } else if (kind == KIND_GRANT) {
        error = met__grant_read(record, NULL, 1, self->arena,
                                &into->grants[into->grant_count++], NULL);
    } else if (kind == KIND_RESET) {
        error = read_reset(feature, id, record, self->arena,
                           &into->resets[into->reset_count++]);
    }
    return met__record_error(error);
}

met_error met__entitled_each(met__txn *txn, met__text customer_id,
                             met__arena *arena, met__entitled *entitled_out)
{
    met__entitled found = {0};
    gathering self = {arena, &found, 0, 1};
    met__text prefix;
    met_error error =
        met__object_key(arena, customer_id, met__text_z(""), &prefix);

    self.prefix_size = prefix.size;
    if (error == MET_OK) {
        error = met__records_each(txn, MET__TABLE_ENTITLED, prefix, arena,
                                  &self, gather);
    }
    if (error != MET_OK
        || found.lone_count + found.grant_count + found.reset_count == 0) {
        *entitled_out = (met__entitled){0};
        return error;
    }
    found.lones =
        met__arena_allocate(arena, (found.lone_count + 1) * sizeof(met__lone));
    found.grants = met__arena_allocate(
        arena, (found.grant_count + 1) * sizeof(met__stored_grant));
    found.resets = met__arena_allocate(
        arena, (found.reset_count + 1) * sizeof(met__stored_reset));
    if (found.lones == NULL || found.grants == NULL || found.resets == NULL) {
        return MET_E_NO_MEMORY;
    }
    found.lone_count = found.grant_count = found.reset_count = 0;
    self.is_counting = 0;
    error = met__records_each(txn, MET__TABLE_ENTITLED, prefix, arena, &self,
                              gather);
    *entitled_out = found;
    return error;
}

/* --- Whose ---------------------------------------------------------------- */
/* The customer's key out of an entitlement's record. */
static met_error visit_owner(met__txn *txn, met__text value, void *context,
                             met__entitled_visit visit)
{
    met__arena arena;
    met__node *record = NULL;
    met__lone lone;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__record_unpack(&arena, value, &record);
    if (error == MET_OK) {
        error = met__record_error(
            met__lone_read(record, NULL, 1, &arena, &lone, NULL));
    }
    if (error == MET_OK) {
        error = visit(context, txn, lone.owner.customer_key);
    }
    met__arena_release(&arena);
    return error;
}

met_error met__entitled_customers(met__txn *txn, void *context,
                                  met__entitled_visit visit)
{
    char last[MET__LMDB_KEY_SIZE_MAX];
    size_t last_size = 0;
    met__scan scan;
    met_error error =
        met__scan_begin(txn, MET__TABLE_ENTITLED, NULL, 0, &scan);

    while (error == MET_OK) {
        met__text key;
        met__text value;
        met__text feature;
        met__text id;
        char kind;
        error = met__scan_next(&scan, &key, &value);
        if (error != MET_OK) {
            break;
        }
        const char *zero = memchr(key.data, 0, key.size);
        if (zero == NULL) {
            error = MET_E_CORRUPT;
            break;
        }
        size_t size = (size_t)(zero - key.data) + 1;
        error = split_key(key, size, &feature, &kind, &id);
        if (error == MET_OK && kind == KIND_LONE
            && (size != last_size || memcmp(last, key.data, size) != 0)) {
            memcpy(last, key.data, size);
            last_size = size;
            error = visit_owner(txn, value, context, visit);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__grant_get(met__txn *txn, met__text id, met__arena *arena,
                         met__stored_grant *grant_out)
{
    met__node *record = NULL;
    met__text key;
    met_error error = met__txn_get(txn, MET__TABLE_ENTITLED_ID, id.data,
                                   id.size, &key);

    if (error != MET_OK) {
        return error;
    }
    if (key.size <= id.size || key.data[key.size - id.size - 1] != KIND_GRANT) {
        return MET_E_NOT_FOUND;
    }
    error = met__record_get(txn, MET__TABLE_ENTITLED, key.data, key.size,
                            arena, &record);
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    return met__record_error(
        met__grant_read(record, NULL, 1, arena, grant_out, NULL));
}

/* What all stored objects share: id and times, the
 * canonical form two spellings of one document are compared in, a builder of
 * documents, failures with a path. */
#ifndef MET_STORE_OBJECT_H
#define MET_STORE_OBJECT_H

#include "document/document.h"
#include "store/store.h"

/* What an X_put function did to the stored object. */
enum {
    MET__CHANGE_NONE = 0, /* stored already, nothing was written */
    MET__CHANGE_CREATED = 1,
    MET__CHANGE_UPDATED = 2
};

/* --- Failures ------------------------------------------------------------- */
/* met__fail with the field given as path and name (NULL = the path itself). */
met_error met__fail_at(met_error_info *info, met_error code,
                       const met__path *path, const char *name,
                       const char *reason, ...)
    __attribute__((format(printf, 5, 6)));

/* Refuses fields of the peer that this version does not serve with
 * MET_E_UNSUPPORTED and the field's path. names ends with NULL. */
met_error met__refuse_unserved(const met__node *object, const met__path *path,
                               const char *const *names,
                               met_error_info *info);

/* --- Reading -------------------------------------------------------------- */
/* A duration; one with a minus sign is refused with this issue code. */
met_error met__fields_span(met__fields *fields, const char *name,
                           unsigned flags, const char *negative_code,
                           met__duration *out);
/* Three capital letters that name a currency. */
met_error met__fields_currency(met__fields *fields, const char *name,
                               unsigned flags, met__text *out);
/* What the library adds to every object: id, created_at, updated_at. */
met_error met__fields_stamp(met__fields *fields, met__text *id_out,
                            int64_t *created_at_out, int64_t *updated_at_out);
/* In either case of letters, a ULID: such keys are refused, so that a key can
 * never be taken for an id. */
int met__text_looks_like_id(met__text text);

/* --- Building a document; the error is sticky ----------------------------- */
typedef struct met__builder {
    met__arena *arena;
    met__node *object;
    met_error error;
    uint32_t reserved;
} met__builder;

void met__builder_begin(met__builder *builder, met__arena *arena);
void met__build_node(met__builder *builder, const char *name,
                     const met__node *node); /* NULL is skipped */
void met__build_text(met__builder *builder, const char *name,
                     met__text text); /* empty is skipped */
void met__build_boolean(met__builder *builder, const char *name, int value);
void met__build_integer(met__builder *builder, const char *name,
                        int64_t value);
void met__build_decimal(met__builder *builder, const char *name,
                        met_decimal value);
void met__build_time(met__builder *builder, const char *name,
                     int64_t utc_ns); /* 0 is skipped */
void met__build_duration(met__builder *builder, const char *name,
                         const met__duration *duration);
/* Ends builder's object and sets it as a member of parent. */
void met__build_object(met__builder *parent, const char *name,
                       met__builder *builder);
/* id, created_at, updated_at; nothing when the id is empty. */
void met__build_stamp(met__builder *builder, met__text id,
                      int64_t created_at_ns, int64_t updated_at_ns);
met_error met__builder_end(met__builder *builder, met__node **node_out);

/* For parts whose fields another file reads, such as prices: numbers become
 * decimal texts ("5000" for 5000), nulls disappear, members are in the order
 * of their names. node may be NULL, then so is the result. */
met_error met__node_canonical(met__arena *arena, const met__node *node,
                              const met__node **node_out);

/* --- Keys and ids --------------------------------------------------------- */
/* A new id of this instant, greater than the last one of this transaction and
 * instant. */
met_error met__object_id(met__txn *txn, int64_t now_ns, met__arena *arena,
                         met__text *id_out);
/* One of many of this instant, in the order of their numbers. */
met_error met__object_id_ordered(met__txn *txn, int64_t now_ns,
                                 uint64_t number, met__arena *arena,
                                 met__text *id_out);
/* The library's clock of this store. */
int64_t met__txn_now_ns(const met__txn *txn);

/* Store key "first 0 second" in the arena. */
met_error met__object_key(met__arena *arena, met__text first,
                          met__text second, met__text *key_out);

#endif

/* Documents: a tree of nodes, its field readers with paths, and JSON text.
 * Trees live in an arena and are never changed after they are built, except by
 * their builder. */
#ifndef MET_DOCUMENT_DOCUMENT_H
#define MET_DOCUMENT_DOCUMENT_H

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/decimal.h"
#include "base/error.h"

enum {
    MET__NODE_NULL = 1,
    MET__NODE_BOOLEAN,
    MET__NODE_INTEGER,
    MET__NODE_DECIMAL, /* a JSON number with a fraction or an exponent */
    MET__NODE_TEXT,
    MET__NODE_ARRAY,
    MET__NODE_OBJECT
};

typedef struct met__node met__node;
typedef struct met__member {
    met__text name;
    met__node *node;
} met__member;

struct met__node {
    uint32_t kind;
    uint32_t count; /* items or members */
    union {
        int64_t boolean;
        int64_t integer;
        met_decimal decimal;
        met__text text;
        met__node **items;
        met__member *members; /* in the order of the text */
    } as;
};

/* --- JSON ----------------------------------------------------------------- */
/* Strict: duplicate keys, NaN, bad UTF-8, NUL, trailing text, depth beyond
 * MET__DOCUMENT_DEPTH_MAX, more than MET__DOCUMENT_VALUES_MAX values, and
 * numbers with a fraction or an exponent that a double would spoil (more than
 * 15 significant digits, or beyond 10^40) are refused, with line and column
 * in the reason. MET_E_INVALID · MET_E_LIMIT · MET_E_NO_MEMORY */
met_error met__json_parse(met__arena *arena, met__text text,
                          met__node **node_out, met_error_info *info);
/* Compact, or indented by two spaces when pretty. Members in their order. */
void met__json_write(const met__node *node, int pretty, met__buffer *buffer);
/* A text as a JSON string with quotes. */
void met__json_write_text(met__text text, met__buffer *buffer);

/* --- Building (NULL when memory is out; a NULL member is skipped) --------- */
met__node *met__node_null(met__arena *arena);
met__node *met__node_boolean(met__arena *arena, int value);
met__node *met__node_integer(met__arena *arena, int64_t value);
met__node *met__node_text(met__arena *arena, met__text text); /* copies */
met__node *met__node_text_z(met__arena *arena, const char *text);
/* Decimals travel as strings. */
met__node *met__node_decimal(met__arena *arena, met_decimal value);
met__node *met__node_time(met__arena *arena, int64_t utc_ns);
met__node *met__node_array(met__arena *arena);
met__node *met__node_object(met__arena *arena);
met_error met__node_append(met__arena *arena, met__node *array,
                           met__node *item);
/* Appends a member whose name is new. MET_E_NO_MEMORY also when node is
 * NULL. */
met_error met__node_add(met__arena *arena, met__node *object, met__text name,
                        met__node *node);
/* Replaces a member of that name, else appends. name must be static or live
 * in the arena. MET_E_NO_MEMORY also when node is NULL. */
met_error met__node_set(met__arena *arena, met__node *object,
                        const char *name, met__node *node);
const met__node *met__node_get(const met__node *object, const char *name);
/* Bytes for a list of `count` elements: lists have room for the next power of
 * two, which is how append and set know when to grow. Everything that makes a
 * list allocates this much. */
size_t met__list_bytes(size_t count, size_t element_size);
int met__node_equal(const met__node *a, const met__node *b);

/* --- Reading fields ------------------------------------------------------- */
/* Where a node stands, for messages; lives on the caller's stack. */
typedef struct met__path {
    const struct met__path *parent; /* NULL at the root */
    const char *name;               /* NULL for an array item */
    size_t index;
} met__path;

/* "plan.phases[0].key" into out, cut at size, NUL-terminated. */
void met__path_print(const met__path *path, const char *name, char *out,
                     size_t size);

/* Reads the members of one object once each; what nobody asked for is refused
 * by met__fields_end. Errors are MET_E_INVALID with path and reason and are
 * sticky: after the first, readers do nothing and return it. */
typedef struct met__fields {
    const met__node *object;
    const met__path *path;
    met_error_info *info;
    uint64_t seen[4]; /* objects of up to 256 members */
    met_error error;
    uint32_t next; /* member that is looked at first */
} met__fields;

#define MET__REQUIRED 1u /* missing or null is an error */
#define MET__OPTIONAL 0u /* missing or null leaves *out as it was */

met_error met__fields_begin(met__fields *fields, const met__node *node,
                            const met__path *path, met_error_info *info);
/* 1 to size_max bytes (0 allowed only if size_min is 0) of clean UTF-8. */
met_error met__fields_text(met__fields *fields, const char *name,
                           unsigned flags, size_t size_min, size_t size_max,
                           met__text *out);
/* ^[a-z0-9]+(?:_[a-z0-9]+)*$, 1 to 64 characters. */
met_error met__fields_key(met__fields *fields, const char *name,
                          unsigned flags, met__text *out);
/* A text out of a NULL-terminated list; out is the index. */
met_error met__fields_choice(met__fields *fields, const char *name,
                             unsigned flags, const char *const *choices,
                             uint32_t *out);
met_error met__fields_boolean(met__fields *fields, const char *name,
                              unsigned flags, int *out);
met_error met__fields_integer(met__fields *fields, const char *name,
                              unsigned flags, int64_t minimum,
                              int64_t maximum, int64_t *out);
/* A decimal string (an integer number is taken too), minimum <= value;
 * INT64_MIN: any. */
met_error met__fields_decimal(met__fields *fields, const char *name,
                              unsigned flags, int64_t minimum,
                              met_decimal *out);
met_error met__fields_time(met__fields *fields, const char *name,
                           unsigned flags, int64_t *utc_ns_out);
met_error met__fields_duration(met__fields *fields, const char *name,
                               unsigned flags, met__duration *out);
/* out stays NULL when missing. */
met_error met__fields_object(met__fields *fields, const char *name,
                             unsigned flags, const met__node **out);
met_error met__fields_array(met__fields *fields, const char *name,
                            unsigned flags, size_t count_max,
                            const met__node **out);
met_error met__fields_any(met__fields *fields, const char *name,
                          unsigned flags, const met__node **out);
/* Fails with a reason at fields' path + name; returns MET_E_INVALID. */
met_error met__fields_fail(met__fields *fields, const char *name,
                           const char *reason, ...)
    __attribute__((format(printf, 3, 4)));
/* Refuses members nobody read, naming the first. */
met_error met__fields_end(met__fields *fields);

#endif

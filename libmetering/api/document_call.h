/* One call of the control plane, from front to back: the handle is checked,
 * JSON is read, a transaction runs, JSON is handed out, and a failure has told
 * the caller where and why. On failure nothing is stored and nothing handed
 * out.
 *
 *     met__call call;
 *     met_error error = met__call_put(&call, store, json, json_size, &node,
 *                                     info);
 *     if (error == MET_OK) {
 *         error = met__plan_put(call.txn, node, &path, NULL, &call.why);
 *     }
 *     return met__call_end(&call, error, document, json_out);
 */
#ifndef MET_API_DOCUMENT_CALL_H
#define MET_API_DOCUMENT_CALL_H

#include "store/object.h"
#include "store/store.h"

typedef struct met__call {
    met_store *store; /* NULL: nothing has begun */
    met_error_info *info;
    met__arena arena;
    met__txn *txn;
    int is_write;
    int reserved;
    const char *key_name; /* the key given last, for "there is no …" */
    met__text key;
    met_error_info why; /* what rooms write into */
} met__call;

met_error met__call_begin(met__call *call, met_store *store,
                          met_error_info *info);
/* A whole document. MET_E_INVALID · MET_E_LIMIT (size) · MET_E_NO_MEMORY */
met_error met__call_parse(met__call *call, const char *json, size_t json_size,
                          met__node **node_out);
/* A key, id or subject given beside a document: 1 to size_max bytes of clean
 * UTF-8. name (a literal) is for errors: also for MET_E_NOT_FOUND when the room
 * has not said what it did not find. */
met_error met__call_key(met__call *call, const char *name, const char *key,
                        size_t key_size, size_t size_max,
                        met__text *key_out);
/* MET_E_UNSUPPORTED of bits that are not known. */
met_error met__call_flags(met__call *call, uint64_t flags, uint64_t known);
/* For what has nothing else to give. */
met_error met__call_needs(met__call *call, const met_buffer *json_out);
/* As late as possible: a write transaction is the only writer. */
met_error met__call_transact(met__call *call, int is_write);
/* Commits when error is MET_OK, else aborts and fills the caller's info. node
 * (may be NULL) goes into json_out (may be NULL) as compact JSON. */
met_error met__call_end(met__call *call, met_error error,
                        const met__node *node, met_buffer *json_out);
/* The same, of {"items": array}. */
met_error met__call_end_items(met__call *call, met_error error,
                              met__node *array, met_buffer *json_out);

/* --- Fronts that many calls have ------------------------------------------ */
/* met__call_begin, and json_out must be given. */
met_error met__call_begin_answer(met__call *call, met_store *store,
                                 const met_buffer *json_out,
                                 met_error_info *info);
/* The same, and a transaction that reads. */
met_error met__call_read(met__call *call, met_store *store,
                         const met_buffer *json_out, met_error_info *info);
/* A document is read, and a transaction writes. */
met_error met__call_put(met__call *call, met_store *store, const char *json,
                        size_t json_size, met__node **node_out,
                        met_error_info *info);
/* The same, of a call that also takes MET_ALLOW_PAST. */
met_error met__call_create(met__call *call, met_store *store,
                           const char *json, size_t json_size, uint64_t flags,
                           met__node **node_out, met_error_info *info);
/* All that is given is "key", the key of a meter, feature or plan. */
met_error met__call_by_key(met__call *call, met_store *store, const char *key,
                           size_t key_size, int is_write, met__text *key_out,
                           met_error_info *info);

/* --- Whole calls that many nouns have ------------------------------------- */
/* Of one key (MET_E_NOT_FOUND), or of all there is. */
typedef met_error met__document_of_key(met__txn *txn, met__text key,
                                       met__arena *arena,
                                       met__node **node_out);
typedef met_error met__document_of_store(met__txn *txn, met__arena *arena,
                                         met__node **node_out);

/* Puts a document of one key, and hands out what is stored of it then. */
typedef met_error met__putter(met__txn *txn, const met__node *node,
                              const met__path *path, uint32_t *change_out,
                              met_error_info *info);

met_error met__call_put_keyed(met_store *store, const char *json,
                              size_t json_size, const char *noun,
                              met__putter *put,
                              met__document_of_key *document_of,
                              met_buffer *json_out, met_error_info *info);
/* Puts "settings", which a store has once. */
typedef met_error met__settings_putter(met__txn *txn, const met__node *node,
                                       const met__path *path,
                                       met_error_info *info);
met_error met__call_put_settings(met_store *store, const char *json,
                                 size_t json_size, met__settings_putter *put,
                                 met__document_of_store *document_of,
                                 met_buffer *json_out, met_error_info *info);
met_error met__call_show(met_store *store, const char *key, size_t key_size,
                         met__document_of_key *document_of,
                         met_buffer *json_out, met_error_info *info);
met_error met__call_describe(met_store *store,
                             met__document_of_store *document_of,
                             met_buffer *json_out, met_error_info *info);
/* {"items": array} */
met_error met__call_list(met_store *store, met__document_of_store *array_of,
                         met_buffer *json_out, met_error_info *info);

#endif

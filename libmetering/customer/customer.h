/* Customers: who pays, and whose usage is theirs.
 *
 * Document: {"key", "name", "description"?, "labels"?, "currency"?,
 *            "usage_attribution"?: {"subject_keys": [TEXT, ...]}}
 * The library adds id, created_at, updated_at and, once removed, deleted_at.
 *
 * A customer's subjects are its key and its subject keys. Records:
 * CUSTOMER[key], removed ones CUSTOMER[key 0 id]; SUBJECT[subject key] -> key
 * of the customer that lists it. */
#ifndef MET_CUSTOMER_CUSTOMER_H
#define MET_CUSTOMER_CUSTOMER_H

#include "base/limits.h"
#include "store/object.h"
#include "store/store.h"

typedef struct met__customer {
    met__text id;
    met__text key;
    met__text name;
    met__text description;
    const met__node *labels; /* NULL when none */
    met__text currency; /* empty: the first paid subscription sets it */
    size_t subject_count;
    met__text subjects[MET__SUBJECT_KEYS_MAX + 1]; /* key first, each once */
    int64_t deleted_at_ns;                         /* 0 = not removed */
    met__text version; /* of the record: differs after every change */
} met__customer;

/* Creates or replaces. MET_E_CONFLICT with path and reason: a subject that
 * belongs to another customer, another set of subjects or another currency
 * while a subscription runs. A missing currency keeps the stored one. */
met_error met__customer_put(met__txn *txn, const met__node *node,
                            const met__path *path, int64_t now_ns,
                            uint32_t *change_out, met_error_info *info);
met_error met__customer_get(met__txn *txn, met__text key, met__arena *arena,
                            met__customer **customer_out);
/* Whose usage a subject is: the customer of that key, else the one that lists
 * it. MET_E_NOT_FOUND. */
met_error met__customer_of_subject(met__txn *txn, met__text subject,
                                   met__arena *arena,
                                   met__customer **customer_out);
/* Sets the currency of a customer that has none. */
met_error met__customer_set_currency(met__txn *txn, met__text key,
                                     met__text currency, int64_t now_ns);
/* MET_E_CONFLICT while a subscription runs or is scheduled. What invoices and
 * entitlements have against it, api asks them. */
met_error met__customer_check_removal(met__txn *txn, met__text key,
                                      int64_t now_ns, met__arena *arena,
                                      met_error_info *info);
/* Soft: the document stays under its id, key and subjects are free again.
 * Checked as above. */
met_error met__customer_remove(met__txn *txn, met__text key, int64_t now_ns,
                               met_error_info *info);

/* As it was exported, with its id and times. MET_E_CONFLICT when the store has
 * another one in its place, or one of its subjects is somebody else's. */
met_error met__customer_import(met__txn *txn, const met__node *node,
                               const met__path *path, uint32_t *change_out,
                               met_error_info *info);
met_error met__customer_document(met__txn *txn, met__text key,
                                 met__arena *arena, met__node **node_out);
/* Not the removed ones, by key. */
met_error met__customer_list(met__txn *txn, met__arena *arena,
                             met__node **array_out);

#endif

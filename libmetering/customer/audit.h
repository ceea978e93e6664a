/* Who renamed or erased whom, or gave whom another API key, when and why:
 * records that stay.
 *
 * AUDIT[number]: {"number", "at", "action", "from"?, "to", "old_credential"?,
 * "new_credential"?, "reason", "actor", "counts"}. What was erased is in none
 * of them: from is missing, to is the name that took its place, and older
 * records of its renames get that name for both. */
#ifndef MET_CUSTOMER_AUDIT_H
#define MET_CUSTOMER_AUDIT_H

#include "meter/subject_rename.h"
#include "store/object.h"

typedef struct met__audit {
    const char *action; /* "customer.rename", … */
    met__text from;     /* empty: erased, or nothing was renamed */
    met__text to;
    met__text reason;
    met__text actor;
    met__subject_counts counts;
    size_t customers;
    size_t subscriptions;
    size_t consumers;
    size_t notices;
    met__text old_credential; /* ids of a rotation */
    met__text new_credential;
} met__audit;

/* "reason" and "actor". Sticky like every reader of fields. */
void met__audit_read(met__fields *fields, met__audit *audit);
met_error met__audit_put(met__txn *txn, const met__audit *audit,
                         int64_t now_ns, met__arena *arena,
                         met__node **node_out);
/* Older records that name this get the other name. */
met_error met__audit_forget(met__txn *txn, met__text name,
                            met__text replacement, met__arena *arena);
/* Oldest first. */
met_error met__audit_list(met__txn *txn, met__arena *arena,
                          met__node **array_out);

#endif

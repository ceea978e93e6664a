/* A subscription's document in its forms: what a caller states, and what is
 * stored; and how one comes to be. For the files of this room. */
#ifndef MET_CUSTOMER_SUBSCRIPTION_DOCUMENT_H
#define MET_CUSTOMER_SUBSCRIPTION_DOCUMENT_H

#include "customer/subscription.h"

enum {
    MET__STATES_NEW = 0, /* a new one */
    MET__STATES_CHANGE,  /* what follows one, by another plan */
    MET__STATES_MIGRATION, /* the same, by another version of its plan */
    MET__STATES_RECORD
};

/* *custom_out (NULL in a record) is the custom plan's node, NULL when none. */
met_error met__subscription_read(const met__node *node, const met__path *path,
                                 int states, met__arena *arena,
                                 met__subscription **subscription_out,
                                 const met__node **custom_out,
                                 met_error_info *info);
/* The record. */
met_error met__subscription_build(const met__subscription *subscription,
                                  met__arena *arena, met__node **node_out);
/* The record and its entry in the index. */
met_error met__subscription_put(met__txn *txn,
                                const met__subscription *subscription,
                                met__arena *arena);

/* One that is being made. */
typedef struct met__creation {
    met__txn *txn;
    met__arena *arena;
    const met__path *path;
    const met__subscribe *when;
    met_error_info *info;
    met__subscription *made;
    const met__node *custom; /* its custom plan, or NULL */
    int allows_archived;     /* plan versions, for a migration */
    int reserved;
    met__customer *customer; /* found */
    met__plan *plan;         /* found */
} met__creation;

/* Everything but reading: looks up, checks, stores. */
met_error met__subscription_make(met__creation *creation);
/* Nothing else of the customer overlaps it, itself left out. */
met_error met__subscription_check_others(met__txn *txn,
                                         const met__subscription *one,
                                         const met__path *path,
                                         const char *name, met__arena *arena,
                                         met_error_info *info);

#endif

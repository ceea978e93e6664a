/* The quantities of many customers by one pass over the usage. First wishes
 * are noted, then the usage of all their periods is read once, then answers
 * are given. Only for this room. */
#ifndef MET_INVOICE_USAGE_GATHER_H
#define MET_INVOICE_USAGE_GATHER_H

#include "invoice/usage_source.h"
#include "store/store.h"

/* Wishes of one gathering: 32 bytes each. */
#define MET__WISHES_MAX (1u << 20)

typedef struct met__usage_gather met__usage_gather;

met_error met__usage_gather_create(met_store *store,
                                   met__usage_gather **gather_out);
void met__usage_gather_destroy(met__usage_gather *gather); /* may be NULL */
/* Forgets all. */
void met__usage_gather_clear(met__usage_gather *gather);

/* The next one's turn to wish, and then its number: 0, it had no wish. All
 * wishes of a turn are one customer's. */
void met__usage_gather_next(met__usage_gather *gather);
uint32_t met__usage_gather_turn(const met__usage_gather *gather);

/* A source that notes what it is asked for and answers 0. MET_E_LIMIT: no
 * room for more. txn is that of the pass. */
met__usage_source met__usage_gather_wishes(met__usage_gather *gather,
                                           met__txn *txn);

/* The pass, in parts: looks at up to `items_max` items, until *is_done. txn is
 * that of the wishes, and goes on until the end. A part that failed begins the
 * pass anew. */
void met__usage_gather_begin(met__usage_gather *gather);
met_error met__usage_gather_pass(met__usage_gather *gather, size_t items_max,
                                 size_t *count_out, int *is_done);
void met__usage_gather_end(met__usage_gather *gather);

/* A source that gives the answers to one who wished; for several threads at
 * the same time. */
met__usage_source met__usage_gather_answers(const met__usage_gather *gather,
                                            uint32_t turn);

#endif

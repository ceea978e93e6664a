/* What a gathering counts: features, in one sum or by a dimension's value.
 * Only for this room. */
#ifndef MET_INVOICE_USAGE_TERMS_H
#define MET_INVOICE_USAGE_TERMS_H

#include "invoice/long_list.h"
#include "invoice/usage_source.h"

#define MET__TERM_WHOLE SIZE_MAX

typedef struct met__usage_term {
    met__feature feature;
    met__meter meter;
    size_t dimension; /* of the meter, or MET__TERM_WHOLE */
} met__usage_term;

/* A few: one for each price of the plans. They live in the arena. */
typedef struct met__usage_terms {
    met__arena *arena;
    met__long_list list;
} met__usage_terms;

/* drop gives back the list; the arena is the caller's. */
void met__usage_terms_init(met__usage_terms *terms, met__arena *arena);
void met__usage_terms_drop(met__usage_terms *terms);

const met__usage_term *met__usage_term_at(const met__usage_terms *terms,
                                          uint32_t index);
/* The term of a wish. 0: there is none. */
int met__usage_terms_find(const met__usage_terms *terms,
                          const met__usage_wish *wish, uint32_t *index_out);
/* The same, made when there is none. MET_E_LIMIT · MET_E_NO_MEMORY · errors as
 * met__feature_of */
met_error met__usage_terms_need(met__usage_terms *terms, met__txn *txn,
                                const met__usage_wish *wish,
                                uint32_t *index_out);

#endif

/* What was billed so far for one rate card in one period. Only for this room.
 */
#ifndef MET_INVOICE_BOOKED_H
#define MET_INVOICE_BOOKED_H

#include "invoice/billable.h"
#include "rating/rating.h"
#include "store/store.h"

typedef struct met__booked {
    met_decimal quantity; /* that the lines stand for */
    size_t line_count;
    met__line *lines;
    met__node *documents; /* the same, as an array */
} met__booked;

/* MET_E_NOT_FOUND: nothing was billed for this period yet. */
met_error met__booked_get(met__txn *txn, const met__billable *billable,
                          met__arena *arena, met__booked **booked_out);
/* Adds lines to what was booked (before may be NULL). documents: those of the
 * new lines, with their ids. */
met_error met__booked_add(met__txn *txn, const met__billable *billable,
                          const met__booked *before, met_decimal quantity,
                          const met__node *documents, met__arena *arena);

#endif

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
    met__text open_id; /* the draft that may still change what it booked */
    int64_t invoice_count; /* that booked something here */
    int64_t interim_to_ns; /* billed up to here only; 0: to its end */
    int64_t was_interim_to_ns; /* before the draft that is open */
    int64_t number; /* of the moment in which the quantity was read */
} met__booked;

/* MET_E_NOT_FOUND: nothing was billed for this period yet. */
met_error met__booked_get(met__txn *txn, const met__billable *billable,
                          met__arena *arena, met__booked **booked_out);
/* What one invoice adds. */
typedef struct met__booking {
    met_decimal quantity;       /* of the period, with this one */
    const met__node *documents; /* its lines, with their ids */
    met__text open_id; /* not empty: the invoice is a draft and may change */
    int64_t interim_to_ns; /* 0: the period is billed to its end */
    int64_t number;        /* above 0, greater than all before */
} met__booking;
/* before may be NULL. */
met_error met__booked_add(met__txn *txn, const met__billable *billable,
                          const met__booked *before,
                          const met__booking *booking, met__arena *arena);

/* The same by names, for what is known of an invoice's line only. */
typedef struct met__booked_place {
    met__text subscription_id;
    met__text card_key;
    int64_t from_ns;
} met__booked_place;
/* Takes back what an invoice booked: its lines and its part of the quantity.
 * MET_E_CONFLICT: a later invoice has booked what is new since. */
met_error met__booked_take_back(met__txn *txn, const met__booked_place *place,
                                met__text invoice_id, met_decimal quantity,
                                met__arena *arena);
/* The draft's lines will not change any more. */
met_error met__booked_close(met__txn *txn, const met__booked_place *place,
                            met__text invoice_id, met__arena *arena);

#endif

/* What the renderings of an invoice share: reading a document that may be
 * anybody's (what is missing or of another kind is left out), and sentences
 * that say how its lines came about. Only for this room. */
#ifndef MET_INVOICE_INVOICE_VIEW_H
#define MET_INVOICE_INVOICE_VIEW_H

#include "document/document.h"

const met__node *met__view_member(const met__node *node, const char *name);
/* Empty when there is none. */
met__text met__view_text(const met__node *node, const char *name);
size_t met__view_count(const met__node *array); /* 0 of what is no array */
int met__view_is_true(const met__node *node, const char *name);
/* "" too. */
int met__view_is_zero(met__text amount);
int met__view_is_negative(met__text amount);

/* The amount of a line before its discounts: it has either of the two. */
met__text met__view_amount(const met__node *totals);
met__text met__view_plan(const met__node *line); /* its name, else its key */
/* What the plan's minimum asks beyond all other lines. */
int met__view_is_minimum(const met__node *line);
met__text met__view_name(const met__node *line);
/* How a part of the line came to its amount; empty when it has no words. */
met__text met__view_explanation(const met__node *line,
                                const met__node *detail);
/* A fee, or such a minimum. */
int met__view_has_no_quantity(const met__node *line);
int met__view_is_credit_note(const met__node *invoice);
/* "draft", "voided", "deleted", or "" when it is what it looks like. */
met__text met__view_mark(const met__node *invoice);

/* Bytes of the first character. */
size_t met__view_character(met__text text);
/* Controls, and marks that turn the direction of what follows: no name may
 * move a cursor or the figures beside it. */
int met__view_is_harmful(const char *character, size_t size);

/* "1234567.5" as "1,234,567.5"; what is no number as it is. */
void met__view_number(met__buffer *buffer, met__text number);
/* "2026-01-31" of a time at midnight, else "2026-01-31 10:15:00". */
void met__view_time(met__buffer *buffer, met__text time);
/* "2026-01-01 to 2026-02-01"; nothing when a bound is missing. */
void met__view_period(met__buffer *buffer, const met__node *period);

/* "VAT of 27 %" */
void met__view_tax(const met__node *line, met__buffer *buffer);
/* How the line came to its amount: what the price is, tier by tier, what is
 * free, off, or the least and the most; what was billed before; the tax that
 * is in it. One sentence a row, each ends with '\n'. */
void met__view_explain(const met__node *line, met__buffer *buffer);
/* "minimum spend" for what the document calls "minimum_spend". */
void met__view_reason(met__buffer *buffer, met__text reason);

#endif

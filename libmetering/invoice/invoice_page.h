/* An invoice as a page: self-contained HTML, nothing is loaded and nothing
 * runs. Only for this room. */
#ifndef MET_INVOICE_INVOICE_PAGE_H
#define MET_INVOICE_INVOICE_PAGE_H

#include "invoice/invoice_view.h"

extern const char *const met__invoice_style[]; /* CSS; ends with NULL */

/* Markup of ours, as it stands. */
void met__page_raw(met__buffer *page, const char *markup);
/* Text of anybody: escaped, harmful characters replaced. */
void met__page_text(met__buffer *page, met__text text);
/* The same where it may be written from right to left: in its own <bdi>. */
void met__page_name(met__buffer *page, met__text text);
/* A figure with separators and a real minus. */
void met__page_number(met__buffer *page, met__text number);
/* "31 January 2026" */
void met__page_day(met__buffer *page, met__text time);
/* "1 January 2026 – 31 January 2026": days are said inclusively. */
void met__page_period(met__buffer *page, const met__node *period);

/* A text that was made on the way, and its end: the page takes its error. */
met__text met__page_piece(const met__buffer *piece);
void met__page_release(met__buffer *page, met__buffer *piece);

/* The lines' usage: bars by day, and the values of dimensions. Nothing for a
 * line that has none. */
void met__page_usage(met__buffer *page, const met__node *line);

#endif

/* Writes that are made ready before there is a write transaction: a read
 * transaction with a log writes into it, and notes what it has read. Whoever
 * writes then looks whether that still holds, and puts what is ready.
 *
 * Only what cannot be wrong later is taken: nothing is removed, no sequence but
 * one is asked for, nothing that was put is read again. Everything else is
 * refused, and has to be done in the write transaction. */
#ifndef MET_STORE_WRITE_LOG_H
#define MET_STORE_WRITE_LOG_H

#include "base/bytes.h"
#include "store/store_key.h"

typedef struct met__txn met__txn;

typedef struct met__write_log {
    met__buffer entries;
    size_t begin;    /* of what is under way */
    uint64_t tables; /* that it has put into, a bit each */
    size_t hole;     /* in the value that is put next; SIZE_MAX: none */
    int has_number;
    int is_refused;
} met__write_log;

void met__write_log_init(met__write_log *log, const met__platform *platform);
void met__write_log_release(met__write_log *log);
void met__write_log_clear(met__write_log *log);
/* What the transaction writes goes into the log from now on; NULL: no more. */
void met__txn_log(met__txn *txn, met__write_log *log);

/* What follows belongs together. */
void met__write_log_begin(met__write_log *log);
/* Where it lies in the log. What was refused, or is not wanted, is taken out:
 * MET_E_UNSUPPORTED. MET_E_NO_MEMORY */
met_error met__write_log_end(met__write_log *log, int is_wanted,
                             size_t *from_out, size_t *to_out);

/* Of a write transaction: where it put last, in each table. All NULL at first;
 * they end with it. */
typedef struct met__log_cursors {
    void *at[MET__TABLE_COUNT];
} met__log_cursors;
/* Whether all that was read is as it was, but for what raises the catalog
 * number or leaves a mark of late usage. */
met_error met__write_log_holds(met__txn *txn, const met__write_log *log,
                               size_t from, size_t to, int *holds_out);
/* Puts what lies there. */
met_error met__write_log_apply(met__txn *txn, const met__write_log *log,
                               size_t from, size_t to,
                               met__log_cursors *cursors);

/* "INV-0017": the next number of a sequence behind a text, with so many digits
 * at least. In a log it is not known yet: then the text stands for it, as a
 * whole key or as a text of a record. At most one belongs together. */
met_error met__txn_numbered(met__txn *txn, const char *sequence,
                            met__text before, int digits, met__arena *arena,
                            met__text *text_out);

/* --- What transactions and records say to a log --------------------------- */
/* Is this the text that stands for a number? */
int met__log_is_number(met__text text);
/* MET_E_UNSUPPORTED */
met_error met__log_refuse(met__write_log *log);
/* The value that is put next has the number here, as a text of msgpack. */
void met__log_hole(met__write_log *log, size_t at);
met_error met__log_put(met__write_log *log, met__table table, met__text key,
                       met__text value, int is_append);
/* stored: as it lies in the table, NULL: there is none. */
void met__log_read(met__write_log *log, met__table table, met__text key,
                   met_error error, const void *stored);
void met__log_scan(met__write_log *log, met__table table);
met__write_log *met__txn_log_of(const met__txn *txn); /* NULL: none */

#endif

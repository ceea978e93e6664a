/* LMDB's pages, read and verified without LMDB, which trusts every offset in
 * its file: one flipped bit there can send it anywhere. */
#ifndef MET_STORE_STORE_PAGES_H
#define MET_STORE_STORE_PAGES_H

#include "base/os.h"
#include "store/store.h"

enum {
    MET__PAGES_TOP = 1, /* what LMDB reads to open the tables; everything when
                         * the file is shorter than its meta page says */
    MET__PAGES_ALL      /* every page, also of free ones */
};

typedef struct met__page_report {
    uint64_t page;
    uint64_t visited;
    const char *reason; /* static; NULL while nothing is wrong */
} met__page_report;

/* The two meta pages of a data file that others may be writing to.
 * MET_E_CORRUPT · MET_E_FOREIGN · MET_E_LAYOUT · MET_E_IO, with the report
 * filled. */
met_error met__pages_check_metas(const met__os *os, int file,
                                 met__page_report *report_out);

/* A read transaction, and its pages are what they should be. On MET_E_CORRUPT
 * the report says where and why; LMDB must not walk those pages. */
met_error met__pages_begin(met_store *store, int scope, met__txn **txn_out,
                           met__page_report *report_out);

#endif

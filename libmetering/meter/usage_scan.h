/* All usage of a range of minutes in order of time: parts, and what was folded
 * into hours and days. The one way in which usage is read. */
#ifndef MET_METER_USAGE_SCAN_H
#define MET_METER_USAGE_SCAN_H

#include "meter/usage_cell.h"

/* Shapes that are wanted. Of those up to `known` only the ones that are named;
 * whose number is greater may be wanted, too, if there are any. */
typedef struct met__shape_set {
    const uint64_t *numbers; /* ascending */
    size_t count;
    uint64_t known;
    uint32_t has_later;
    uint32_t reserved;
} met__shape_set;

/* One table. */
typedef struct met__grain_scan {
    met__scan scan;
    const met__shape_set *only; /* NULL: all shapes */
    uint32_t minutes; /* of an item */
    uint32_t is_far;  /* the last step was a leap */
    int64_t to; /* exclusive: where items begin */
    uint64_t number; /* of the shape that was looked at last; 0: none */
    uint64_t spread; /* how far numbers of neighbours lie apart, 8 times */
    uint64_t looked_at; /* records */
} met__grain_scan;

/* Items that begin in [from, to), in minutes since 1970. Of cells of hours and
 * days that are not wanted few are looked at, however many there are. */
met_error met__grain_scan_begin(met__txn *txn, uint32_t minutes, int64_t from,
                                int64_t to, const met__shape_set *only,
                                met__grain_scan *scan_out);
/* Goes on behind an item, which may be gone by now. */
met_error met__grain_scan_behind(met__grain_scan *scan,
                                 const met__usage_item *item);
/* MET_E_NOT_FOUND at the end · MET_E_CORRUPT */
met_error met__grain_scan_next(met__grain_scan *scan,
                               met__usage_item *item_out);
/* Before the transaction ends; right also after a failed begin. */
void met__grain_scan_end(met__grain_scan *scan);

#define MET__GRAINS 3
typedef struct met__usage_scan {
    met__grain_scan grains[MET__GRAINS];
    met__usage_item heads[MET__GRAINS];
    int has_head[MET__GRAINS];
    int given; /* the grain whose head was given last; -1: none */
} met__usage_scan;

/* By the minutes in which items begin; those that began earlier and reach into
 * the range are the first ones. Begin, seek and next as above. */
met_error met__usage_scan_begin(met__txn *txn, int64_t from, int64_t to,
                                const met__shape_set *only,
                                met__usage_scan *scan_out);
met_error met__usage_scan_seek(met__usage_scan *scan, int64_t minute);
/* The item lives until the next call. */
met_error met__usage_scan_next(met__usage_scan *scan,
                               const met__usage_item **item_out);
/* Records looked at since the beginning. */
uint64_t met__usage_scan_looked_at(const met__usage_scan *scan);
void met__usage_scan_end(met__usage_scan *scan);

#endif

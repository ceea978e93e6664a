/* All usage of a range of minutes in order of time: parts, and what was folded
 * into hours and days. The one way in which usage is read. */
#ifndef MET_METER_USAGE_SCAN_H
#define MET_METER_USAGE_SCAN_H

#include "meter/usage_cell.h"

/* One table. */
typedef struct met__grain_scan {
    met__scan scan;
    uint32_t minutes; /* of an item */
    uint32_t reserved;
    int64_t to; /* exclusive: where items begin */
} met__grain_scan;

/* Items that begin in [from, to), in minutes since 1970. */
met_error met__grain_scan_begin(met__txn *txn, uint32_t minutes, int64_t from,
                                int64_t to, met__grain_scan *scan_out);
/* Goes back, or on, to the first item of a minute or later. */
met_error met__grain_scan_seek(met__grain_scan *scan, int64_t minute);
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
                                met__usage_scan *scan_out);
met_error met__usage_scan_seek(met__usage_scan *scan, int64_t minute);
/* The item lives until the next call. */
met_error met__usage_scan_next(met__usage_scan *scan,
                               const met__usage_item **item_out);
void met__usage_scan_end(met__usage_scan *scan);

#endif

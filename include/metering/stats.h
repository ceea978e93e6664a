/* Metrics: what a monitoring system scrapes, in the OpenMetrics text format.
 * The library opens no port; its host shows the text where it likes. Labels
 * are names of tables, reasons and causes, a few dozen in all: never a
 * consumer, a key or a path. */
#ifndef METERING_STATS_H
#define METERING_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"
#include "metering/types.h"

MET_BEGIN_DECLS

enum {
    /* The text format that Prometheus had before: _total is part of a
     * counter's name everywhere, and nothing says that it is the end. */
    MET_STATS_PROMETHEUS = 1
};

/* Whose metrics; at least one. */
typedef struct met_stats_sources {
    size_t struct_size;
    met_store *store;     /* metering_store_… and metering_recorder_…; without a
                             limiter also metering_limiter_… of the gateway's
                             windows, but for what only a handle knows */
    met_gateway *gateway; /* metering_gateway_…, of this handle */
    met_limiter *limiter; /* metering_limiter_… */
    uint64_t flags;       /* MET_STATS_PROMETHEUS */
} met_stats_sources;

/**
 * Write metrics as OpenMetrics text, which ends with "# EOF". Counters end in
 * _total; gauges name their unit.
 *
 * @param sources   each that is given is described; borrowed
 * @param text_out  written only on MET_OK
 * @param info      may be NULL
 * @return MET_OK · MET_E_INVALID (no source) · MET_E_UNSUPPORTED (an unknown
 *         flag, or a field of a newer version) · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_DISK_FULL · MET_E_BUSY · MET_E_CORRUPT · MET_E_MAP_FULL ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner text_out with met_buffer_release      @alloc yes
 * @blocks with a store: briefly on the disk; with a limiter: reads its whole
 *         table
 * @thread any for a store and a limiter; a gateway's own thread for a gateway
 * @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_stats_write(
    const met_stats_sources *sources, met_buffer *text_out,
    met_error_info *info);

MET_END_DECLS

#endif

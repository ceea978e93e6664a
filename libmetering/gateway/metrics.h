/* OpenMetrics text of a store, a gateway, a limiter. */
#ifndef MET_GATEWAY_METRICS_H
#define MET_GATEWAY_METRICS_H

#include "document/document.h"
#include "metering/stats.h"

/* Where to, and how. */
typedef struct met__metrics {
    met__buffer *out;
    met__arena *arena;
    uint64_t flags; /* MET_STATS_* */
} met__metrics;

/* Each appends its metrics. Errors as met_stats_write. with_limiter: of the
 * gateway's table of windows, too. */
met_error met__metrics_store(const met__metrics *metrics, met_store *store,
                             int with_limiter);
met_error met__metrics_gateway(const met__metrics *metrics,
                               met_gateway *gateway);
met_error met__metrics_limiter(const met__metrics *metrics,
                               met_limiter *limiter);
/* The gateway's table of windows, when there is one: "limiter". Reads no
 * record. */
met_error met__limits_describe(met_store *store, met__arena *arena,
                               met__node *report);
void met__metrics_end(const met__metrics *metrics);

#endif

/* OpenMetrics text of a store, a gateway, a limiter. */
#ifndef MET_GATEWAY_METRICS_H
#define MET_GATEWAY_METRICS_H

#include "base/bytes.h"
#include "metering/stats.h"

/* Where to, and how. */
typedef struct met__metrics {
    met__buffer *out;
    met__arena *arena;
    uint64_t flags; /* MET_STATS_* */
} met__metrics;

/* Each appends its metrics. Errors as met_stats_write. */
met_error met__metrics_store(const met__metrics *metrics, met_store *store);
met_error met__metrics_gateway(const met__metrics *metrics,
                               met_gateway *gateway);
met_error met__metrics_limiter(const met__metrics *metrics,
                               met_limiter *limiter);
void met__metrics_end(const met__metrics *metrics);

#endif

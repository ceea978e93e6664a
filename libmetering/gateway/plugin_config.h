/* What a served plugin may be told: names and bounds that both the reader of
 * documents and the compiler of snapshots use. */
#ifndef MET_GATEWAY_PLUGIN_CONFIG_H
#define MET_GATEWAY_PLUGIN_CONFIG_H

#include "base/calendar.h"
#include "base/limits.h"

/* Whom a rate limit counts. Also the kind of a key in the limiter's table, so
 * the numbers are pinned. */
enum {
    MET__LIMIT_BY_CONSUMER = 1,
    MET__LIMIT_BY_CREDENTIAL = 2,
    MET__LIMIT_BY_IP = 3,
    MET__LIMIT_BY_SERVICE = 4,
    MET__LIMIT_BY_HEADER = 5,
    MET__LIMIT_BY_PATH = 6
};

/* NULL-terminated; the index is the number above minus one. */
extern const char *const met__limit_by_names[];

/* NULL-terminated; the index is the limiter's number minus one. */
extern const char *const met__limit_algorithm_names[];

typedef struct met__plugin_window {
    const char *name;
    int64_t window_ns;
} met__plugin_window;

/* second … year, by length; as Kong a month is 30 days, a year 365. */
extern const met__plugin_window met__plugin_windows[MET__WINDOWS_MAX];

#endif

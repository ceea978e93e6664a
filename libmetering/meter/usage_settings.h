/* How long usage is kept by the minute and by the hour, for a whole store. */
#ifndef MET_METER_USAGE_SETTINGS_H
#define MET_METER_USAGE_SETTINGS_H

#include "base/calendar.h"
#include "store/store.h"

typedef struct met__usage_settings {
    met__duration minutes;
    met__duration hours;
} met__usage_settings;

/* Defaults when nothing was put. MET_E_CORRUPT */
met_error met__usage_settings_get(met__txn *txn,
                                  met__usage_settings *settings_out);
/* {"keep_minutes"?, "keep_hours"?}. MET_E_INVALID */
met_error met__usage_settings_put(met__txn *txn, const met__node *node,
                                  const met__path *path, met_error_info *info);
met_error met__usage_settings_describe(met__txn *txn, met__arena *arena,
                                       met__node **node_out);

#endif

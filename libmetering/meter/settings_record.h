/* Settings: one document with a default for every field, kept as a record of
 * META. */
#ifndef MET_METER_SETTINGS_RECORD_H
#define MET_METER_SETTINGS_RECORD_H

#include "store/object.h"

/* Both know the struct behind the pointer. */
typedef struct met__settings_kind {
    const char *key;
    met_error (*read)(const met__node *node, const met__path *path,
                      void *settings_out, met_error_info *info);
    void (*build)(met__builder *builder, const void *settings);
} met__settings_kind;

/* Defaults when nothing is stored. MET_E_CORRUPT · MET_E_NO_MEMORY */
met_error met__settings_get(met__txn *txn, const met__settings_kind *kind,
                            void *settings_out);
/* What the document says, whole; settings is room for it. */
met_error met__settings_put(met__txn *txn, const met__settings_kind *kind,
                            const met__node *node, const met__path *path,
                            void *settings, met_error_info *info);

#endif

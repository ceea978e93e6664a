/* Every named bound, with its reason. Tested at -1, 0 and +1. */
#ifndef MET_BASE_LIMITS_H
#define MET_BASE_LIMITS_H

#define MET__KEY_SIZE_MAX 64          /* object keys, as OpenMeter */
#define MET__NAME_SIZE_MAX 256        /* names of objects */
#define MET__DESCRIPTION_SIZE_MAX 1024
#define MET__SUBJECT_SIZE_MAX 128     /* also a dimension's value */
#define MET__VALUE_SIZE_MAX 128
#define MET__EVENT_TYPE_SIZE_MAX 128
#define MET__EVENT_SIZE_MAX 65536
#define MET__EVENT_ID_SIZE_MAX 128
#define MET__EVENT_SOURCE_SIZE_MAX 255
#define MET__EVENT_FIELDS_MAX 64
#define MET__BATCH_EVENTS_MAX 10000   /* others wait for the writer meanwhile */
#define MET__DIMENSIONS_MAX 16        /* of a meter */
#define MET__ATTRIBUTE_SIZE_MAX 128   /* a canonical path */
#define MET__ATTRIBUTES_MAX 64        /* kept of one event type */
#define MET__QUANTITIES_MAX 16        /* numbers kept of one event type */
#define MET__DOCUMENT_DEPTH_MAX 16    /* JSON and YAML nesting */
#define MET__DOCUMENT_SIZE_MAX (16 * 1024 * 1024) /* a catalog */
#define MET__DOCUMENT_VALUES_MAX (1 << 21) /* "[],[],..." grows 60-fold */
#define MET__TIERS_MAX 64
#define MET__PRICE_VALUES_MAX 1024    /* of a matrix price */
#define MET__PHASES_MAX 32
#define MET__RATE_CARDS_MAX 256       /* of a phase */
#define MET__CONFIG_SIZE_MAX 16384    /* JSON of a static entitlement: it comes
                                         with every answer about access */
#define MET__LABELS_MAX 50            /* of an object */
#define MET__LABEL_SIZE_MAX 63        /* name or value, as OpenMeter */
#define MET__SUBJECT_KEYS_MAX 64      /* of a customer */
#define MET__FILTERS_MAX 10           /* of a feature or a query */
#define MET__FILTER_VALUES_MAX 100
#define MET__WINDOWS_MAX 6            /* of one limiter policy */
#define MET__LIMIT_MAX (1 << 20)      /* hits of a sliding window */
#define MET__STORE_VALUE_SIZE_MAX (16 * 1024 * 1024)
#define MET__LMDB_KEY_SIZE_MAX 511

#endif

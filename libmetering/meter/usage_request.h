/* Usage queries as documents.
 *
 * {"meter" or "feature": key, "customer"?: key, "customers"?, "subjects"?:
 *  [text, ...], {"in": [text, ...]} or {"eq": text}, "filters"?: {DIMENSION:
 *  condition}, "from"?, "to"?: RFC 3339, "window"?: "minute"|"hour"|"day"|
 *  "month"|"PT1M"|"PT1H"|"P1D"|"P1M", "time_zone"?: name, "group_by"?: [name,
 *  ...], "settle_first"?: bool}
 *
 * Names are left as they are: the caller knows who features and customers
 * are. */
#ifndef MET_METER_USAGE_REQUEST_H
#define MET_METER_USAGE_REQUEST_H

#include "base/limits.h"
#include "meter/usage_query.h"
#include "store/object.h"

/* Dimensions, "subject" and "customer_id". */
#define MET__GROUPS_MAX (MET__DIMENSIONS_MAX + 2)

typedef struct met__usage_request {
    met__text meter;    /* one of these two is empty */
    met__text feature;
    met__text customer; /* empty: any, or these: */
    size_t customer_count;
    met__text customers[MET__FILTER_VALUES_MAX];
    met__text time_zone; /* empty: UTC */
    int settle_first;
    int reserved;
    met__usage_query query; /* without its meter, customers and zone */
    met__filter conditions[MET__FILTERS_MAX];
    met__text subjects[MET__FILTER_VALUES_MAX];
    met__text groups[MET__GROUPS_MAX];
} met__usage_request;

/* Lists of the query point into the request. MET_E_INVALID · MET_E_LIMIT ·
 * MET_E_UNSUPPORTED (an operator) · MET_E_NO_MEMORY, with path and reason. */
met_error met__usage_request_read(const met__node *node,
                                  const met__path *path, met__arena *arena,
                                  met__usage_request **request_out,
                                  met_error_info *info);
/* Texts of a list, of {"in": list} or of {"eq": text}; nothing else can be
 * asked of subjects and customers. node may be NULL: none. Room for
 * MET__FILTER_VALUES_MAX. MET_E_INVALID · MET_E_LIMIT */
met_error met__choice_read(const met__node *node, const met__path *path,
                           size_t size_max, met__text *texts_out,
                           size_t *count_out, met_error_info *info);
/* A feature's: {DIMENSION: condition, ...} without order, where a text alone
 * is to be equal to it; in the order of the dimensions' names. filters_out has
 * room for MET__FILTERS_MAX. Errors as above. */
met_error met__filters_read(const met__node *object, const met__path *path,
                            met__arena *arena, met__filter *filters_out,
                            size_t *count_out, met_error_info *info);

#endif

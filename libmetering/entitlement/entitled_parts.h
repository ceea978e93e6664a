/* Parts that documents of grants and of entitlements share. Only for this
 * room. */
#ifndef MET_ENTITLEMENT_ENTITLED_PARTS_H
#define MET_ENTITLEMENT_ENTITLED_PARTS_H

#include "entitlement/entitled.h"
#include "store/object.h"

/* "customer": {"id" of a record, "key"} and "feature": {"key"}. */
met_error met__owner_read(met__fields *fields, int is_record,
                          met__entitled_owner *owner_out);
void met__owner_build(met__builder *builder,
                      const met__entitled_owner *owner);
/* "metadata"?, an object. */
met_error met__metadata_read(met__fields *fields, met__arena *arena,
                             const met__node **metadata_out);
/* {"interval" of an hour or more, "anchor"?} of this name; *has_out. The
 * anchor stays as it was when it is not stated. */
met_error met__recurrence_read(met__fields *fields, const char *name,
                               met__recurrence *recurrence_out,
                               int *has_out);
void met__recurrence_build(met__builder *builder, const char *name,
                           const met__recurrence *recurrence);
/* A time, 1970-01-01T00:00:00Z too, unless it never comes. */
void met__build_instant(met__builder *builder, const char *name,
                        int64_t at_ns);
/* The start of the minute, unless the instant is not known (negative) or never
 * comes. */
int64_t met__minute_first(int64_t at_ns);

#endif

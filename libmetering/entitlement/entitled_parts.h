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
/* As many digits as usage may have, so that balances are exact. MET_E_INVALID
 * names the field. */
met_error met__amount_check(met_decimal amount, const met__path *path,
                            const char *name, met_error_info *info);
met_error met__grant_check_amounts(const met__grant *terms,
                                   const met__path *path,
                                   met_error_info *info);
/* All of a grant but whose it is; what is not stated is -1, or never. */
void met__grant_read_terms(met__fields *fields, met__arena *arena,
                           met__stored_grant *made);
/* What follows from effective_at: the recurrence's anchor, the expiry. */
met_error met__grant_set_times(met__stored_grant *made,
                               const met__path *path, met_error_info *info);
/* The same with instants at the start of their minutes. */
met__grant met__grant_by_minutes(const met__grant *terms);
/* The fields of a metered entitlement; anchors and times that are not stated
 * are -1. */
void met__lone_read_metered(met__fields *fields, met__lone *made);
/* A time, 1970-01-01T00:00:00Z too, unless it never comes. */
void met__build_instant(met__builder *builder, const char *name,
                        int64_t at_ns);
/* The start of the minute, unless the instant is not known (negative) or never
 * comes. */
int64_t met__minute_first(int64_t at_ns);

#endif

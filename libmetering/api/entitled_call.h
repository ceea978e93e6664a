/* What calls that change grants and entitlements hand to their room. */
#ifndef MET_API_ENTITLED_CALL_H
#define MET_API_ENTITLED_CALL_H

#include "api/document_call.h"
#include "entitlement/access.h"
#include "entitlement/entitled_change.h"
#include "entitlement/notice.h"
#include "metering/catalog.h"

/* The call's transaction has begun. path (static) may be NULL. */
static inline met__entitled_call met__entitled_begin(met__call *call,
                                                     const met__path *path,
                                                     uint64_t flags)
{
    return (met__entitled_call){call->txn,
                                path,
                                met__txn_now_ns(call->txn),
                                (flags & MET_ALLOW_PAST) != 0,
                                &call->arena,
                                &call->why};
}

/* What changed reaches the quota cells and the notices. */
static inline met_error met__entitled_announce(met__call *call,
                                               met__text customer_key)
{
    (void)met__quota_announce(call->txn, customer_key);
    return met__notice_announce(call->txn, customer_key);
}

#endif

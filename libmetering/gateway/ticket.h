/* What a request carries from admit to complete: when it came, whose usage it
 * is, what it reserved, and the texts of its event. Plain data inside the
 * caller's met_gateway_ticket; what is read back is bounded like any input. */
#ifndef MET_GATEWAY_TICKET_H
#define MET_GATEWAY_TICKET_H

#include "base/bytes.h"
#include "base/check.h"
#include "limit/quota.h"
#include "metering/gateway.h"

#define MET__TICKET_MAGIC UINT64_C(0x336b63742d74656d) /* "met-tck3" */

#define MET__TICKET_TEXT_SIZE 2756

/* How the true cost of a reservation is known at the end. */
enum {
    MET__COST_EVENT = 1,     /* one event */
    MET__COST_QUANTITY,      /* outcome.quantity */
    MET__COST_REQUEST_SIZE,  /* outcome.request_size_bytes */
    MET__COST_RESPONSE_SIZE, /* outcome.response_size_bytes */
    MET__COST_NONE           /* only settlement knows */
};

typedef struct met__ticket_quota {
    met__quota_ticket quota;
    uint32_t cost; /* MET__COST_* */
    /* Of the ticket's text: the feature's filters that only the end answers,
     * each as MET__ATTRIBUTE_*:1 size:2 and the condition. */
    uint16_t filters_at;
    uint16_t filters_size;
    uint64_t table; /* met__quota_id */
} met__ticket_quota;

typedef struct met__ticket {
    uint64_t magic; /* 0: empty */
    uint64_t store_mark;
    int64_t utc_ns;
    uint64_t cost;
    uint16_t quota_count;
    uint16_t subject_size; /* the first bytes of text; 0: nobody's usage */
    uint16_t text_size;
    uint16_t attribute_count;
    met__hash128 mark; /* of subject and attributes, when they were known
                          before; zeros: to be worked out */
    met__ticket_quota quotas[MET_GATEWAY_QUOTAS_MAX];
    /* Subject, then attributes: number:1 value size:1 value, and of
     * MET__ATTRIBUTE_CUSTOM number:1 name size:1 value size:1 name value.
     * Filters grow from its end downwards. */
    unsigned char text[MET__TICKET_TEXT_SIZE];
    uint32_t filter_bytes;
} met__ticket;
MET__STATIC_ASSERT(sizeof(met__ticket) <= sizeof(met_gateway_ticket),
                   ticket_fits);

#endif

/* Where a bill has its quantities from: the store, or a pass over it that was
 * made for many customers at once (usage_gather.h). Only for this room. */
#ifndef MET_INVOICE_USAGE_SOURCE_H
#define MET_INVOICE_USAGE_SOURCE_H

#include "catalog/feature.h"
#include "customer/customer.h"
#include "entitlement/customer_usage.h"
#include "meter/meter_def.h"

typedef struct met__usage_wish {
    const met__customer *customer;
    const met__feature *feature;
    const met__meter *meter;
    met__period period; /* cut to minutes */
    met__text dimension; /* of the values that are asked for */
} met__usage_wish;

/* What a gathering knows; MET_E_NOT_FOUND: it does not, ask the store. */
typedef struct met__usage_source {
    void *context;
    met_error (*quantity)(void *context, uint32_t turn,
                          const met__usage_wish *wish,
                          met_decimal *quantity_out);
    /* In the order of values, into the arena. */
    met_error (*values)(void *context, uint32_t turn,
                        const met__usage_wish *wish, met__arena *arena,
                        met__value_usage **usage_out, size_t *count_out);
    uint32_t turn; /* whose wishes are answered */
    uint32_t reserved;
} met__usage_source;

/* When the store itself may be asked, by who is not in a write transaction: the
 * number of a moment that began before his. */
typedef struct met__usage_now {
    int64_t number; /* 0: there is none */
    int is_wanted;  /* somebody had to ask */
    int reserved;
} met__usage_now;

#endif

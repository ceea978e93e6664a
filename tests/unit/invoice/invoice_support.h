/* Calls of invoice.h with their answers kept, for the tests of this room. */
#ifndef TESTS_UNIT_INVOICE_SUPPORT_H
#define TESTS_UNIT_INVOICE_SUPPORT_H

#include "support/billing.h"

#include "metering/invoice.h"

static inline met_error preview(const char *customer, const char *as_of,
                         uint64_t flags)
{
    met_buffer *buffer = fresh();
    int64_t at = as_of == NULL ? 0 : time_of(as_of);

    return keep(met_invoice_preview(store, customer, strlen(customer), at,
                                    flags, buffer, &told),
                buffer);
}

static inline met_error finalize(const char *customer, const char *as_of)
{
    met_buffer *buffer = fresh();
    int64_t at = as_of == NULL ? 0 : time_of(as_of);

    return keep(met_invoice_finalize(store, customer, strlen(customer), at,
                                     buffer, &told),
                buffer);
}

static inline met_error get(const char *id)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_get(store, id, strlen(id), buffer, &told),
                buffer);
}

static inline met_error list(const char *customer)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_list(store, customer,
                                 customer == NULL ? 0 : strlen(customer),
                                 buffer, &told),
                buffer);
}

static inline const char *subscribe_from(const char *customer, const char *plan,
                                  const char *from)
{
    char members[128];

    must_put_customer(customer);
    snprintf(members, sizeof members, ",\"active_from\":\"%s\"", from);
    return must_subscribe(customer, plan, members);
}

#define FEBRUARY "2026-02-01T00:00:00Z"
#define MARCH "2026-03-01T00:00:00Z"

#endif

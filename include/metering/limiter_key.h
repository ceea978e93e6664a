/* Keys of whom a limit counts, for the requests of metering/limiter.h: built
 * so that no two identities share one. */
#ifndef METERING_LIMITER_KEY_H
#define METERING_LIMITER_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"

MET_BEGIN_DECLS

#define MET_LIMITER_KEY_EXTRA 32 /* of a built key, beside scope and value */

/* What an identity's value is. */
enum {
    MET_LIMITER_FORM_BYTES = 1,        /* what it says; the default */
    MET_LIMITER_FORM_ADDRESS = 2,      /* an IP address as text */
    MET_LIMITER_FORM_ADDRESS_BYTES = 3 /* 4 or 16 bytes in network order */
};

/* Whom a limit counts. Zero means default for every field; texts are borrowed
 * and need no NUL. */
typedef struct met_limiter_identity {
    size_t struct_size;
    const char *scope; /* where the limit belongs: a route, a service */
    size_t scope_size; /* 0 … UINT32_MAX */
    uint32_t kind;     /* the host's own number: consumer, header, address, … */
    uint32_t form;     /* MET_LIMITER_FORM_… */
    const char *value;
    size_t value_size;
    uint32_t prefix_v4; /* bits of an IPv4 address that count; 0 = 32 */
    uint32_t prefix_v6; /* of an IPv6 address; 0 = 64, one customer's network */
} met_limiter_identity;

/**
 * The key of an identity, for met_limiter_request: two keys are the same bytes
 * only when scope, kind, form and value are the same. A pure function.
 *
 * Addresses are read strictly: no zone, brackets, port or leading zeros in
 * dotted quads. An address is one key, however it is written; ::ffff:a.b.c.d is
 * the IPv4 address a.b.c.d. Those that are equal up to the prefix share a key.
 *
 * @param identity      borrowed during the call
 * @param key_out       the key, without a NUL
 * @param key_room      bytes of key_out; scope_size + value_size +
 *                      MET_LIMITER_KEY_EXTRA are always enough
 * @param key_size_out  written only on MET_OK
 * @param info          may be NULL
 * @return MET_OK · MET_E_INVALID (NULL, not an address, a prefix beyond its
 *         bits) · MET_E_UNSUPPORTED (an unknown form, or a field of a newer
 *         version) · MET_E_LIMIT (no room)
 * @alloc none      @blocks never      @thread any      @fork any
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_limiter_key_build(
    const met_limiter_identity *identity, char *key_out, size_t key_room,
    size_t *key_size_out, met_error_info *info);

MET_END_DECLS

#endif

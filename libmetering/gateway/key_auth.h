/* Where a request carries its API key. Pure. */
#ifndef MET_GATEWAY_KEY_AUTH_H
#define MET_GATEWAY_KEY_AUTH_H

#include "base/bytes.h"
#include "metering/gateway.h"

#define MET__KEY_NAMES_MAX 8

enum {
    MET__KEY_IN_HEADER = 1,
    MET__KEY_IN_QUERY = 2,
    MET__KEY_IN_BODY = 4,
    MET__KEY_ON_PREFLIGHT = 8, /* OPTIONS needs a key too */
    MET__KEY_HIDE = 16         /* hide_credentials */
};

typedef struct met__key_auth {
    uint32_t flags; /* MET__KEY_* */
    uint32_t name_count;
    met__text names[MET__KEY_NAMES_MAX];
} met__key_auth;

enum {
    MET__KEY_NOT_NEEDED = 1, /* a preflight that passes */
    MET__KEY_FOUND,
    MET__KEY_MISSING,  /* none, or an empty one */
    MET__KEY_DUPLICATE /* the name is there twice */
};

typedef struct met__key_place {
    met__text key;  /* of MET__KEY_FOUND; may lie in scratch */
    uint32_t where; /* MET__KEY_IN_*; 0 = nowhere */
    uint32_t name;  /* index of the name it was found under */
} met__key_place;

/* A decoded key needs scratch[MET_GATEWAY_KEY_SIZE_MAX + 1]; a longer one is
 * cut there, and so is no key that is stored. Reads of the request: method,
 * headers, query, form, JSON body. Per name: header, query, body; the first
 * place that has the name decides, an empty value too. */
uint32_t met__key_auth_find(const met__key_auth *auth,
                            const met_gateway_request *request,
                            char *scratch, met__key_place *place_out);

/* The query without the arguments of the auth's names, decoded and encoded
 * anew, their order kept; as it came when it has none of them. Never longer
 * than three times the query. */
void met__key_auth_hide(const met__key_auth *auth, met__text query,
                        met__buffer *out);

/* --- key_json.c ----------------------------------------------------------- */
/* How many texts the outermost object of a JSON document has under a name, 0 to
 * 2; an array or an object counts as two, and so does the name when it is there
 * twice. The first text, without escapes, in scratch of
 * MET_GATEWAY_KEY_SIZE_MAX + 1 bytes, cut there. 0 when it is no JSON. */
int met__key_json_count(met__text json, met__text name, char *scratch,
                        met__text *value_out);

#endif

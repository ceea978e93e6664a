/* A copy of a store for somebody who is not trusted with its keys.
 * In: a record. Out: the same without hashes of API keys. */
#include "gateway/entity_redact.h"

#include "base/check.h"

#define CONSUMER "consumer" /* and a 0 */

static met_error without_keys(met__text value, met__arena *arena,
                              met__node **value_out)
{
    met__node *stored = NULL;
    met_error error = met__record_unpack(arena, value, &stored);
    met__node *copy = met__node_object(arena);

    if (error == MET_OK && copy == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error != MET_OK || stored->kind != MET__NODE_OBJECT) {
        return error == MET_OK ? MET_E_CORRUPT : error;
    }
    for (uint32_t i = 0; error == MET_OK && i < stored->count; i++) {
        const met__member *member = &stored->as.members[i];
        if (!met__text_equal(member->name,
                             MET__TEXT("keyauth_credentials"))) {
            const char *name = met__arena_copy(arena, member->name.data,
                                               member->name.size);
            error = name == NULL ? MET_E_NO_MEMORY
                                 : met__node_set(arena, copy, name,
                                                 member->node);
        }
    }
    *value_out = copy;
    return error;
}

met_error met__entity_redact(met__table table, met__text key, met__text value,
                             met__arena *arena, int *is_kept_out,
                             met__node **value_out)
{
    *is_kept_out = table != MET__TABLE_CREDENTIAL;
    return table == MET__TABLE_GATEWAY && key.size >= sizeof CONSUMER
                   && memcmp(key.data, CONSUMER, sizeof CONSUMER) == 0
               ? without_keys(value, arena, value_out)
               : MET_OK;
}

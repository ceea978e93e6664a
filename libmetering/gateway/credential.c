/* Hashes of API keys. A key has too much entropy to need a slow hash, and the
 * hash is keyed with a secret of the store, so that a stolen database alone
 * does not tell which key is in it. In: keys. Out: 32 bytes. */
#include "gateway/credential.h"

#include <sodium.h>

met_error met__credential_start(void)
{
    return sodium_init() >= 0 ? MET_OK : MET_E_IO;
}

void met__credential_hash_of(const uint8_t *credential_key, met__text api_key,
                             met__credential_hash *hash_out)
{
    /* Cannot fail: all sizes are within the bounds of the function. */
    (void)crypto_generichash(hash_out->bytes, sizeof hash_out->bytes,
                             (const unsigned char *)api_key.data,
                             api_key.size, credential_key,
                             MET__CREDENTIAL_HASH_SIZE);
}

int met__credential_hash_equal(const void *a, const void *b)
{
    return sodium_memcmp(a, b, MET__CREDENTIAL_HASH_SIZE) == 0;
}

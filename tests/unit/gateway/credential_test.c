/* Hashes of keys depend on every byte of key and secret; the cache gives back
 * what it was given, under the same generation only, and stays bounded. */
#include "gateway/credential.h"

#include "unit/gateway/gateway_support.h"

static void hashes(void **state)
{
    uint8_t secret[32] = {1};
    met__credential_hash a;
    met__credential_hash b;

    assert_int_equal(met__credential_start(), MET_OK);
    met__credential_hash_of(secret, MET__TEXT("ariel-key"), &a);
    met__credential_hash_of(secret, MET__TEXT("ariel-key"), &b);
    assert_true(met__credential_hash_equal(&a, &b));
    met__credential_hash_of(secret, MET__TEXT("ariel-kez"), &b);
    assert_false(met__credential_hash_equal(&a, &b));
    met__credential_hash_of(secret, MET__TEXT("ariel-key\0"), &b);
    assert_false(met__credential_hash_equal(&a, &b));
    secret[31] = 1;
    met__credential_hash_of(secret, MET__TEXT("ariel-key"), &b);
    assert_false(met__credential_hash_equal(&a, &b));
    met__credential_hash_of(secret, (met__text){NULL, 0}, &b);
}

static void cache(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__credential_cache *one;
    char text[16];
    int known = 0;

    assert_int_equal(met__credential_cache_create(&platform, &one), MET_OK);
    met__credential_tag tag =
        met__credential_cache_tag(one, MET__TEXT("ariel-key"));
    assert_int_equal(met__credential_cache_get(one, 1, tag),
                     MET__CREDENTIAL_MISS);
    met__credential_cache_put(one, 1, tag, 7);
    assert_int_equal(met__credential_cache_get(one, 1, tag), 7);
    assert_int_equal(met__credential_cache_get(one, 2, tag),
                     MET__CREDENTIAL_MISS);
    /* A flood of unknown keys pushes out no known one. */
    for (int i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "guess-%d", i);
        met__credential_tag guess =
            met__credential_cache_tag(one, met__text_z(text));
        assert_int_equal(met__credential_cache_get(one, 1, guess),
                         MET__CREDENTIAL_MISS);
        met__credential_cache_put(one, 1, guess, MET__CREDENTIAL_UNKNOWN);
        assert_int_equal(met__credential_cache_get(one, 1, guess),
                         MET__CREDENTIAL_UNKNOWN);
    }
    assert_int_equal(met__credential_cache_get(one, 1, tag), 7);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "key-%d", i);
        met__credential_cache_put(
            one, 3, met__credential_cache_tag(one, met__text_z(text)),
            (uint32_t)i);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "key-%d", i);
        uint32_t found = met__credential_cache_get(
            one, 3, met__credential_cache_tag(one, met__text_z(text)));
        assert_true(found == (uint32_t)i || found == MET__CREDENTIAL_MISS);
        known += found == (uint32_t)i;
    }
    assert_true(known > 900);
    met__credential_cache_destroy(one);
    met__credential_cache_destroy(NULL);
}

static void failing(void **state)
{
    faulty_memory memory = {.fail_at = 1};
    faulty_disk disk;
    met__credential_cache *one;

    faulty_disk_init(&disk);
    disk.fail_at = 1;
    met__platform platform = faulty_platform(&memory, &disk);
    assert_int_equal(met__credential_cache_create(&platform, &one),
                     MET_E_NO_MEMORY);
    assert_int_equal(met__credential_cache_create(&platform, &one), MET_E_IO);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes),
                                       cmocka_unit_test(cache),
                                       cmocka_unit_test(failing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

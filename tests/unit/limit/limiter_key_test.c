/* Keys of identities: other scopes, kinds and values are other keys; addresses
 * are read strictly and count by their prefix. */
#include "limit_support.h"

#include <arpa/inet.h>

#define ROOM 256

typedef struct built {
    met_error error;
    size_t size;
    char key[ROOM];
} built;

static met_limiter_identity identity_of(uint32_t form, const char *value)
{
    return (met_limiter_identity){
        .struct_size = sizeof(met_limiter_identity),
        .kind = 3,
        .form = form,
        .value = value,
        .value_size = strlen(value)};
}

static built build(const met_limiter_identity *identity)
{
    built out = {0};

    memset(out.key, 0x5a, sizeof out.key);
    out.error = met_limiter_key_build(identity, out.key, sizeof out.key,
                                      &out.size, NULL);
    return out;
}

static built address(const char *text)
{
    met_limiter_identity identity =
        identity_of(MET_LIMITER_FORM_ADDRESS, text);

    return build(&identity);
}

static int same(built a, built b)
{
    assert_int_equal(a.error, MET_OK);
    assert_int_equal(b.error, MET_OK);
    return a.size == b.size && memcmp(a.key, b.key, a.size) == 0;
}

/* Short values over few letters, split in every way: keys are equal only when
 * scope, kind, form and value are. */
static void keys_never_collide(void **state)
{
    static const char *const texts[] = {"",   "a",   "aa", "ab", "\x01",
                                        "::1", "1.2.3.4"};
    static const uint32_t kinds[] = {0, 1, 256, UINT32_MAX};
    enum { TEXTS = 7, KINDS = 4, ALL = TEXTS * TEXTS * KINDS * 2 };
    static built keys[ALL];
    size_t count = 0;

    for (int scope = 0; scope < TEXTS; scope++) {
        for (int value = 0; value < TEXTS; value++) {
            for (int kind = 0; kind < KINDS; kind++) {
                met_limiter_identity identity = identity_of(
                    MET_LIMITER_FORM_BYTES, texts[value]);
                identity.scope = texts[scope];
                identity.scope_size = strlen(texts[scope]);
                identity.kind = kinds[kind];
                keys[count++] = build(&identity);
                if (value >= 5) {
                    identity.form = MET_LIMITER_FORM_ADDRESS;
                    keys[count++] = build(&identity);
                }
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t other = 0; other < i; other++) {
            assert_false(same(keys[i], keys[other]));
        }
    }
}

static void addresses_by_prefix(void **state)
{
    /* One customer's network of IPv6 is one identity. */
    assert_true(same(address("2001:db8:1:2::1"),
                     address("2001:db8:1:2:ffff:ffff:ffff:ffff")));
    assert_false(same(address("2001:db8:1:2::1"), address("2001:db8:1:3::1")));
    assert_false(same(address("10.0.0.1"), address("10.0.0.2")));
    met_limiter_identity identity =
        identity_of(MET_LIMITER_FORM_ADDRESS, "10.1.2.3");
    met_limiter_identity other =
        identity_of(MET_LIMITER_FORM_ADDRESS, "10.1.3.255");
    for (uint32_t bits = 1; bits <= 32; bits++) {
        identity.prefix_v4 = bits;
        other.prefix_v4 = bits;
        assert_int_equal(same(build(&identity), build(&other)), bits <= 23);
    }
    identity.value = "2001:db8::1";
    identity.value_size = 11;
    other.value = "2001:db8:8000::1";
    other.value_size = 16;
    for (uint32_t bits = 1; bits <= 128; bits++) {
        identity.prefix_v6 = bits;
        other.prefix_v6 = bits;
        assert_int_equal(same(build(&identity), build(&other)), bits <= 32);
    }
    /* Other lengths of a prefix are other keys. */
    identity.prefix_v6 = 56;
    other = identity;
    other.prefix_v6 = 48;
    assert_false(same(build(&identity), build(&other)));
}

/* However an address is written, it is the same one. */
static void forms_of_one_address(void **state)
{
    static const char *const same_v6[] = {
        "2001:db8::8:800:200c:417a", "2001:DB8::8:800:200C:417A",
        "2001:db8:0:0:8:800:200c:417a", "2001:0db8:0000::8:800:200c:417a",
        "2001:db8::8:800:32.12.65.122"};
    static const char *const same_v4[] = {"192.0.2.33", "::ffff:192.0.2.33",
                                          "::FFFF:c000:221",
                                          "0:0:0:0:0:ffff:c000:0221"};
    unsigned char bytes[16];
    met_limiter_identity identity =
        identity_of(MET_LIMITER_FORM_ADDRESS_BYTES, "");

    identity.prefix_v6 = 128;
    for (size_t i = 0; i < sizeof same_v6 / sizeof same_v6[0]; i++) {
        met_limiter_identity text =
            identity_of(MET_LIMITER_FORM_ADDRESS, same_v6[i]);
        text.prefix_v6 = 128;
        assert_int_equal(inet_pton(AF_INET6, same_v6[0], bytes), 1);
        identity.value = (const char *)bytes;
        identity.value_size = 16;
        assert_true(same(build(&text), build(&identity)));
    }
    for (size_t i = 0; i < sizeof same_v4 / sizeof same_v4[0]; i++) {
        assert_int_equal(inet_pton(AF_INET, same_v4[0], bytes), 1);
        identity.value_size = 4;
        assert_true(same(address(same_v4[i]), build(&identity)));
    }
    /* Compatible, not mapped: an IPv6 address of its own. */
    assert_false(same(address("::192.0.2.33"), address("192.0.2.33")));
}

static void odd_addresses_are_refused(void **state)
{
    static const char *const odd[] = {
        "",          " 1.2.3.4", "1.2.3.4 ",  "1.2.3",       "1.2.3.4.5",
        "01.2.3.4",  "1.2.3.256", "1.2.3.-4", "1..2.3",      "0x1.2.3.4",
        "1.2.3.4:80", ":",       ":::",       "::1::",       "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "12345::", "::g",  "[::1]",     "::1%eth0",
        "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7",   "::1.2.3",     "::01.2.3.4",
        "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "example",
        "localhost", "1"};

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        met_limiter_identity identity =
            identity_of(MET_LIMITER_FORM_ADDRESS, odd[i]);
        met_error_info info = {.struct_size = sizeof info};
        char key[ROOM] = "before";
        size_t size = 7;
        assert_int_equal(met_limiter_key_build(&identity, key, sizeof key,
                                               &size, &info), MET_E_INVALID);
        assert_string_equal(info.field, "identity.value");
        assert_int_equal(size, 7);
        assert_string_equal(key, "before");
    }
}

/* Random texts of the letters of addresses, held against the system's own
 * reader: the same are addresses, and they mean the same bytes. */
static void addresses_are_read_like_the_system_does(void **state)
{
    static const char letters[] = "0123456789abcdef::::....fF";
    static const char *const seeds[] = {"2001:db8::8:800:200c:417a",
                                        "::ffff:192.0.2.33", "192.168.10.255",
                                        "1:2:3:4:5:6:7:8", "::"};
    int taken = 0;

    random_state = 88172645463325252u;
    for (int i = 0; i < 300000; i++) {
        char text[64];
        unsigned char v4[4];
        unsigned char v6[16];
        snprintf(text, sizeof text, "%s", seeds[random_below(5)]);
        for (uint64_t edits = random_below(4); edits > 0; edits--) {
            size_t length = strlen(text);
            size_t at = random_below(length + 1);
            char letter = letters[random_below(sizeof letters - 1)];
            if (random_below(3) == 0 && at < length) {
                memmove(text + at, text + at + 1, length - at);
            } else if (random_below(2) && at < length) {
                text[at] = letter;
            } else if (length < 60) {
                memmove(text + at + 1, text + at, length - at + 1);
                text[at] = letter;
            }
        }
        met_limiter_identity bytes =
            identity_of(MET_LIMITER_FORM_ADDRESS_BYTES, "");
        int is_v4 = inet_pton(AF_INET, text, v4) == 1;
        int is_v6 = inet_pton(AF_INET6, text, v6) == 1;
        met_limiter_identity identity =
            identity_of(MET_LIMITER_FORM_ADDRESS, text);
        identity.prefix_v6 = 128;
        built got = build(&identity);
        assert_int_equal(got.error,
                         is_v4 || is_v6 ? MET_OK : MET_E_INVALID);
        if (is_v4 || is_v6) {
            bytes.value = (const char *)(is_v4 ? v4 : v6);
            bytes.value_size = is_v4 ? 4 : 16;
            bytes.prefix_v6 = 128;
            assert_true(same(got, build(&bytes)));
            taken++;
        }
    }
    assert_true(taken > 10000);
}

static void room_and_bad_arguments(void **state)
{
    met_limiter_identity identity = identity_of(0, "value");
    char key[ROOM];
    size_t size;

    identity.scope = "scope";
    identity.scope_size = 5;
    assert_int_equal(met_limiter_key_build(&identity, key, sizeof key, &size,
                                           NULL), MET_OK);
    assert_true(size <= 10 + MET_LIMITER_KEY_EXTRA);
    for (size_t room = 0; room < size; room++) {
        size_t kept = 99;
        memset(key, 'x', sizeof key);
        assert_int_equal(met_limiter_key_build(&identity, key, room, &kept,
                                               NULL), MET_E_LIMIT);
        assert_int_equal(kept, 99);
        assert_int_equal(key[0], 'x');
    }
    assert_int_equal(met_limiter_key_build(&identity, key, size, &size, NULL),
                     MET_OK);
    assert_int_equal(key[size], 'x');
    identity.form = 4;
    assert_int_equal(build(&identity).error, MET_E_UNSUPPORTED);
    identity.form = MET_LIMITER_FORM_ADDRESS_BYTES;
    assert_int_equal(build(&identity).error, MET_E_INVALID);
    identity = identity_of(MET_LIMITER_FORM_ADDRESS, "1.2.3.4");
    identity.prefix_v4 = 33;
    assert_int_equal(build(&identity).error, MET_E_INVALID);
    identity.prefix_v4 = 0;
    identity.prefix_v6 = 129;
    assert_int_equal(build(&identity).error, MET_E_INVALID);
    identity.prefix_v6 = 0;
    identity.scope_size = 1;
    assert_int_equal(build(&identity).error, MET_E_INVALID);
    assert_int_equal(met_limiter_key_build(NULL, key, sizeof key, &size,
                                           NULL), MET_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_never_collide),
        cmocka_unit_test(addresses_by_prefix),
        cmocka_unit_test(forms_of_one_address),
        cmocka_unit_test(odd_addresses_are_refused),
        cmocka_unit_test(addresses_are_read_like_the_system_does),
        cmocka_unit_test(room_and_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

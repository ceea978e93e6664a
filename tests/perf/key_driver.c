/* Keys of every kind, each looked at once, for a tool that writes down what
 * each call of key_driver_step took:
 *
 *     key_driver
 *
 * Prints a line for each step, in their order: what it is, and how it ended.
 * The clock stands still, and every key has the same length. Ends with 1 when
 * an answer is not the one that it should be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <metering/metering.h>

#include "../../bench/gateway_request.h"
#include "gateway/credential.h"
#include "gateway/gateway_handle.h"
#include "store/store.h"

#define MAP_BYTES (UINT64_C(32) << 20)
#define NOW INT64_C(1798761600000000000) /* 2027-01-01T00:00:00Z */
#define SECOND INT64_C(1000000000)
#define TTL_SECONDS 600

enum { KEY_SIZE = 32, TRIES = 16, DIGEST = MET__CREDENTIAL_HASH_SIZE };

typedef enum look { OF_DIGESTS, IN_SNAPSHOT, IN_CACHE, ADMIT } look;

static int64_t clock_ns = NOW;
static const char secret_key[KEY_SIZE + 1] =
    "known-key-0123456789abcdefghijkl";

static struct {
    met_store *store;
    met_gateway *gateway;
    met__credential_hash one;
    met__credential_hash other;
    met__credential_cache *cache;
    met__credential_tag tag;
    met_pair headers[4];
    met_gateway_request request;
    met_gateway_decision decision;
    uint32_t answer;
} now;

static int64_t now_ns(void *context)
{
    (void)context;
    return clock_ns;
}

static void must(met_error error, const met_error_info *info)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s %s %s\n", met_error_name(error), info->field,
                info->reason);
        exit(1);
    }
}

/* --- One step ------------------------------------------------------------- */
/* The part whose instructions are counted. */
void key_driver_step(look what);
__attribute__((noinline)) void key_driver_step(look what)
{
    switch (what) {
    case OF_DIGESTS:
        now.answer =
            (uint32_t)met__credential_hash_equal(&now.one, &now.other);
        break;
    case IN_SNAPSHOT:
        now.answer =
            met__snapshot_credential_find(&now.gateway->snapshot, &now.other);
        break;
    case IN_CACHE:
        now.answer = met__credential_cache_get(now.cache, 1, now.tag);
        break;
    case ADMIT:
        now.answer = (uint32_t)met_gateway_admit(now.gateway, &now.request,
                                                 &now.decision);
        break;
    }
}

static void step(look what, const char *name, int variant, uint32_t expected)
{
    key_driver_step(what);
    printf("%s %d %u\n", name, variant, now.answer);
    if (now.answer != expected) {
        fprintf(stderr, "%s %d: %u\n", name, variant, now.answer);
        exit(1);
    }
}

/* --- Digests -------------------------------------------------------------- */
/* The first `same` bytes are those of the digest that is known; the next one
 * differs, or all that follow do. */
static void differ(int same, int all)
{
    now.other = now.one;
    for (int i = same; i < DIGEST; i++) {
        now.other.bytes[i] ^= i == same || all ? 0x55 : 0;
    }
}

static void compare_digests(void)
{
    for (int same = 0; same <= DIGEST; same++) {
        differ(same, 0);
        step(OF_DIGESTS, "digest", same, same == DIGEST);
        differ(same, 1);
        step(OF_DIGESTS, "digest", same, same == DIGEST);
    }
}

/* The first eight bytes say where to look; from there on, the compare. */
static void search_snapshot(void)
{
    for (int same = 8; same < DIGEST; same++) {
        differ(same, 0);
        step(IN_SNAPSHOT, "snapshot", same, MET__NONE);
        differ(same, 1);
        step(IN_SNAPSHOT, "snapshot", same, MET__NONE);
    }
}

/* Tags that are one bit away from one that is known, in the same set. */
static void search_cache(const met__platform *platform)
{
    const met__credential_tag known = {UINT64_C(0x1234567887654321),
                                       UINT64_C(0xfedcba9889abcdef)};
    met_error_info info = {.struct_size = sizeof info};

    must(met__credential_cache_create(platform, &now.cache), &info);
    met__credential_cache_put(now.cache, 1, known, 7);
    met__credential_cache_put(
        now.cache, 1, (met__credential_tag){known.low, ~known.high}, 8);
    for (int bit = 0; bit < 112; bit++) { /* 16 bits choose the set */
        uint64_t low = bit < 48 ? UINT64_C(1) << (bit + 16) : 0;
        uint64_t high = bit < 48 ? 0 : UINT64_C(1) << (bit - 48);
        now.tag =
            (met__credential_tag){known.low ^ low, known.high ^ high};
        step(IN_CACHE, "cache", bit, MET__CREDENTIAL_MISS);
    }
    met__credential_cache_destroy(now.cache);
}

/* --- Requests ------------------------------------------------------------- */
static void ask(const char *name, int variant, const char *key,
                uint32_t reason)
{
    now.headers[3].value = key;
    now.headers[3].value_size = KEY_SIZE;
    now.decision.struct_size = sizeof now.decision;
    step(ADMIT, name, variant, MET_OK);
    if (now.decision.reason != reason) {
        fprintf(stderr, "%s %d: %s\n", name, variant,
                now.decision.reason_name);
        exit(1);
    }
}

/* Whether the search for a key ends where it begins, as for nearly all: at no
 * record, or at its own. The others meet a neighbour, whoever they are. */
static int is_direct(const char *key)
{
    const met__snapshot *snapshot = &now.gateway->snapshot;
    const uint32_t *slots = (const uint32_t *)
        snapshot->data[MET__SECTION_CREDENTIAL_SLOT];
    uint32_t count = snapshot->count[MET__SECTION_CREDENTIAL_SLOT];
    met__credential_hash hash;
    uint64_t at;

    met__credential_hash_of(met__store_credential_key(now.store),
                            met__text_of(key, KEY_SIZE), &hash);
    memcpy(&at, hash.bytes, sizeof at);
    uint32_t slot = slots[at & (count - 1)];
    return slot == 0
           || slot - 1 == met__snapshot_credential_find(snapshot, &hash);
}

/* A key that nobody has, of which the first `same` bytes are a known one's. */
static void guess(int same, char key[KEY_SIZE + 1])
{
    static unsigned tail;

    do {
        memcpy(key, secret_key, KEY_SIZE + 1);
        unsigned left = tail++;
        for (int i = same; i < KEY_SIZE; i++, left /= 26) {
            key[i] = (char)('A' + left % 26); /* known ones have none */
        }
    } while (!is_direct(key));
}

static void guess_keys(void)
{
    static const int same[] = {0, 1, 2, 4, 7, 8, 15, 16, 23, 24, 29};
    char key[KEY_SIZE + 1];

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
            guess(same[i], key);
            ask("unknown", same[i], key, MET_GATEWAY_REASON_BAD_KEY);
            ask("again", same[i], key, MET_GATEWAY_REASON_BAD_KEY);
        }
    }
}

static void name_key(char key[KEY_SIZE + 1], const char *kind, int number)
{
    snprintf(key, KEY_SIZE + 1, "%.7s-key-%02u-abcdefghijklmnopq", kind,
             (unsigned)number % 100);
}

static void ask_all(const char *kind, uint32_t reason)
{
    char key[KEY_SIZE + 1];
    int asked = 0;

    for (int i = 0; i < TRIES; i++) {
        name_key(key, kind, i);
        if (is_direct(key)) {
            ask(kind, i, key, reason);
            asked++;
        }
    }
    if (asked == 0) {
        fprintf(stderr, "%s: none is found where it should be\n", kind);
        exit(1);
    }
}

/* --- The store ------------------------------------------------------------ */
static void apply(const char *json)
{
    met_error_info info = {.struct_size = sizeof info};

    must(met_catalog_apply(now.store, json, strlen(json), 0, 0, NULL, &info),
         &info);
}

static void put_consumer(const char *username, const char *key, int ttl)
{
    char text[512];
    char ends[32] = "";

    if (ttl > 0) {
        snprintf(ends, sizeof ends, ",\"ttl\":%d", ttl);
    }
    snprintf(text, sizeof text,
             "{\"_format_version\":\"3.0\",\"consumers\":[{\"username\":"
             "\"%s\",\"keyauth_credentials\":[{\"key\":\"%s\"%s}]}]}",
             username, key, ends);
    apply(text);
}

static void put_keys(void)
{
    char key[KEY_SIZE + 1];

    apply("{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\","
          "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\","
          "\"paths\":[\"/anything\"]}]}],\"plugins\":[{\"name\":"
          "\"key-auth\"}]}");
    put_consumer("known", secret_key, 0);
    for (int i = 0; i < TRIES; i++) {
        name_key(key, "expired", i);
        put_consumer(key, key, TTL_SECONDS);
        name_key(key, "revoked", i);
        put_consumer(key, key, 0);
        name_key(key, "valid00", i);
        put_consumer(key, key, 0);
    }
}

static void revoke_keys(void)
{
    met_error_info info = {.struct_size = sizeof info};
    char key[KEY_SIZE + 1];

    for (int i = 0; i < TRIES; i++) {
        name_key(key, "revoked", i);
        must(met_gateway_entity_remove(now.store, "consumer", 8, key,
                                       KEY_SIZE, &info),
             &info);
    }
    clock_ns += 60 * SECOND;
    must(met_gateway_tick(now.gateway), &info);
}

/* --- All of it ------------------------------------------------------------ */
static void run(const met__platform *platform)
{
    met_gateway_config small = {.struct_size = sizeof small,
                                .limiter_capacity = 1024};
    met_error_info info = {.struct_size = sizeof info};

    put_keys();
    must(met_gateway_open(now.store, &small, &now.gateway, &info), &info);
    revoke_keys();
    clock_ns += 2 * TTL_SECONDS * SECOND;
    now.request = bench_request(now.headers);
    now.request.utc_ns = clock_ns;
    now.request.monotonic_ns = clock_ns;
    met__credential_hash_of(met__store_credential_key(now.store),
                            met__text_of(secret_key, KEY_SIZE), &now.one);
    /* What happens once in a process happens before: names are bound, and
     * snapshots looked at. */
    char key[KEY_SIZE + 1];
    guess(0, key);
    ask("warm", 0, key, MET_GATEWAY_REASON_BAD_KEY);
    ask("warm", 1, secret_key, MET_GATEWAY_REASON_NONE);
    differ(0, 0);
    step(OF_DIGESTS, "warm", 2, 0);

    compare_digests();
    search_snapshot();
    search_cache(platform);
    guess_keys();
    ask_all("revoked", MET_GATEWAY_REASON_BAD_KEY);
    ask_all("expired", MET_GATEWAY_REASON_BAD_KEY);
    ask_all("valid00", MET_GATEWAY_REASON_NONE);
    met_gateway_close(now.gateway);
}

int main(void)
{
    char home[] = "/tmp/key-driver-XXXXXX";
    char command[64];
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, now_ns, now_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = MAP_BYTES,
                               .flags = MET_STORE_CREATE};
    met_error_info info = {.struct_size = sizeof info};

    if (mkdtemp(home) == NULL) {
        return 2;
    }
    must(met_store_open(home, strlen(home), &config, &now.store, &info),
         &info);
    run(met__store_platform(now.store));
    met_store_close(now.store);
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command) != 0;
}

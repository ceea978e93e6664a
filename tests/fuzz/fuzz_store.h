/* For targets that need a store: one for all inputs, in memory where there is
 * such a file system, in a time that stands still. */
#ifndef TESTS_FUZZ_STORE_H
#define TESTS_FUZZ_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "metering/metering.h"
#include "support/temp_directory.h"

#define FUZZ_NOW_NS INT64_C(1772323200000000000) /* 2026-03-01T00:00:00Z */

static char home[64];
static met_store *store;

static inline void must(int is_so)
{
    if (!is_so) {
        abort();
    }
}

static inline int64_t standing_clock(void *context)
{
    return FUZZ_NOW_NS;
}

static inline void finish_store(void)
{
    met_store_close(store);
    temp_remove(home);
    store = NULL;
}

/* What is refused says why, and only in the words that every call has. */
static inline void check_refusal(met_error error, const met_error_info *info)
{
    switch (error) {
    case MET_OK: return;
    case MET_E_INVALID:
    case MET_E_NOT_FOUND:
    case MET_E_EXISTS:
    case MET_E_CONFLICT:
    case MET_E_OVERFLOW:
    case MET_E_UNSUPPORTED:
    case MET_E_LIMIT: must(info->code == error && info->reason[0] != '\0');
        return;
    default: fprintf(stderr, "%s: \"%s\" %s\n", met_error_name(error),
                     info->field, info->reason);
        abort();
    }
}

static inline void start_store(const char *catalog)
{
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, standing_clock, standing_clock}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = UINT64_C(1) << 30,
                               .flags = MET_STORE_CREATE};
    met_error_info info = {.struct_size = sizeof info};
    static int is_registered;
    char path[128];

    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
    temp_directory_fast(home, sizeof home);
    snprintf(path, sizeof path, "%s/s", home);
    must(met_store_open(path, strlen(path), &config, &store, &info) == MET_OK);
    if (met_catalog_apply(store, catalog, strlen(catalog),
                          FUZZ_NOW_NS - INT64_C(86400000000000),
                          MET_ALLOW_PAST, NULL, &info)
        != MET_OK) {
        fprintf(stderr, "%s: %s\n", info.field, info.reason);
        abort();
    }
    if (!is_registered) {
        is_registered = 1;
        atexit(finish_store);
    }
}

/* A small shop: one meter, a feature, a plan, two customers, of
 * which one subscribes, a gateway. */
#define FUZZ_CATALOG                                                          \
    "{\"meters\":[{\"key\":\"calls\",\"name\":\"C\",\"event_type\":"          \
    "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":"          \
    "{\"service_name\":\"$.service_name\"}}],\"features\":[{\"key\":\"f\","   \
    "\"name\":\"F\",\"meter\":{\"key\":\"calls\"}}],\"plans\":[{\"key\":"     \
    "\"p\",\"name\":\"P\",\"currency\":\"USD\",\"billing_cadence\":\"P1M\","  \
    "\"publish\":true,\"phases\":[{\"key\":\"default\",\"name\":\"D\","       \
    "\"rate_cards\":[{\"key\":\"f\",\"name\":\"F\",\"feature\":{\"key\":"     \
    "\"f\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"unit\","        \
    "\"amount\":\"0.1\"},\"entitlement\":{\"type\":\"metered\",\"limit\":"    \
    "\"1000\",\"usage_period\":\"P1M\",\"is_soft_limit\":false}}]}]}],"       \
    "\"customers\":[{\"key\":\"c\",\"name\":\"C\",\"currency\":\"USD\","      \
    "\"usage_attribution\":{\"subject_keys\":[\"consumer:ariel\"]}},"         \
    "{\"key\":\"e\",\"name\":\"E\",\"currency\":\"USD\"}],"                    \
    "\"subscriptions\":[{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"     \
    "\"p\"}}],\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\","     \
    "\"url\":\"http://127.0.0.1/\",\"routes\":[{\"name\":\"r\",\"paths\":"    \
    "[\"/a\"]}]}],\"consumers\":[{\"username\":\"ariel\","                    \
    "\"keyauth_credentials\":[{\"key\":\"secret\"}],\"acls\":[{\"group\":"    \
    "\"g\"}]}],\"plugins\":[{\"name\":\"key-auth\",\"config\":"               \
    "{\"key_names\":[\"apikey\",\"k\"],\"key_in_body\":true,"                 \
    "\"hide_credentials\":true}},{\"name\":\"rate-limiting\",\"config\":"     \
    "{\"minute\":5,\"hour\":1000}},{\"name\":\"acl\",\"config\":{\"allow\":"  \
    "[\"g\"]}}]}"

#endif

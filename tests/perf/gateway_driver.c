/* Requests of one kind, admitted and completed many times, for a tool that
 * counts instructions:
 *
 *     gateway_driver CASE COUNT
 *
 * CASE: key (and a group), windows (two more), allowance (and that, too),
 * access (only that of a subject), amounts (what is left of the allowance, from
 * the store); or compile, which is no request: the first gateway over COUNT
 * more customers, each with a subscription, an allowance and a key. The store's
 * map is small, because such tools have no room for a large one. Ends with 1
 * when a request is not admitted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <metering/metering.h>

#include "../../bench/gateway_request.h"

#define MAP_BYTES (UINT64_C(32) << 20)
#define NOW INT64_C(1798761600000000000) /* 2027-01-01T00:00:00Z */
#define STEP INT64_C(100000000)
#define WARM 64

static const char document[] =
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\",\"url\":"
    "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\",\"paths\":["
    "\"/anything\"]}]}],\"consumers\":["
    "{\"username\":\"k\",\"keyauth_credentials\":[{\"key\":\"key\"}],"
    "\"acls\":[{\"group\":\"all\"}]},"
    "{\"username\":\"w\",\"keyauth_credentials\":[{\"key\":\"windows\"}],"
    "\"acls\":[{\"group\":\"all\"}]},"
    "{\"username\":\"q\",\"keyauth_credentials\":[{\"key\":\"allowance\"}],"
    "\"acls\":[{\"group\":\"all\"}]}],"
    "\"plugins\":[{\"name\":\"key-auth\"},{\"name\":\"acl\",\"config\":"
    "{\"allow\":[\"all\"]}},{\"name\":\"rate-limiting\",\"consumer\":\"w\","
    "\"config\":{\"minute\":1000000,\"hour\":1048576}},{\"name\":"
    "\"rate-limiting\",\"consumer\":\"q\",\"config\":{\"minute\":1000000,"
    "\"hour\":1048576}}],"
    "\"meters\":[{\"key\":\"m\",\"name\":\"M\",\"event_type\":"
    "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":"
    "{\"service_name\":\"$.service_name\",\"route_name\":"
    "\"$.route_name\"}}],\"features\":[{\"key\":\"f\",\"name\":\"F\","
    "\"meter\":{\"key\":\"m\"}}],\"plans\":[{\"key\":\"p\",\"name\":\"P\","
    "\"currency\":\"USD\",\"billing_cadence\":\"P1M\",\"publish\":true,"
    "\"phases\":[{\"key\":\"default\",\"name\":\"D\",\"rate_cards\":[{"
    "\"key\":\"f\",\"name\":\"F\",\"feature\":{\"key\":\"f\"},"
    "\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"free\"},"
    "\"entitlement\":{\"type\":\"metered\",\"limit\":1000000000,"
    "\"usage_period\":\"P1M\",\"is_soft_limit\":false}}]}]}],"
    "\"customers\":[{\"key\":\"q\",\"name\":\"C\",\"usage_attribution\":"
    "{\"subject_keys\":[\"consumer:q\"]}}],\"subscriptions\":[{"
    "\"customer\":{\"key\":\"q\"},\"plan\":{\"key\":\"p\"}}]}";

static const char customer[] =
    "{\"_format_version\":\"3.0\",\"customers\":[{\"key\":\"c%d\",\"name\":"
    "\"C\",\"usage_attribution\":{\"subject_keys\":[\"consumer:c%d\"]}}],"
    "\"subscriptions\":[{\"customer\":{\"key\":\"c%d\"},\"plan\":{\"key\":"
    "\"p\"}}],\"consumers\":[{\"username\":\"c%d\",\"keyauth_credentials\":"
    "[{\"key\":\"key-%d\"}]}]}";

/* Without limits: who asks for access. */
static const char asker[] =
    "{\"_format_version\":\"3.0\",\"customers\":[{\"key\":\"a\",\"name\":"
    "\"A\",\"usage_attribution\":{\"subject_keys\":[\"consumer:a\"]}}],"
    "\"subscriptions\":[{\"customer\":{\"key\":\"a\"},\"plan\":{\"key\":"
    "\"p\"}}],\"consumers\":[{\"username\":\"a\",\"acls\":[{\"group\":"
    "\"all\"}]}]}";

static int64_t clock_ns = NOW;

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

static void serve_request(met_gateway *gateway, met_gateway_request *request,
                          const met_gateway_outcome *outcome)
{
    met_gateway_decision decision = {.struct_size = sizeof decision};

    request->utc_ns = clock_ns;
    request->monotonic_ns = clock_ns;
    if (met_gateway_admit(gateway, request, &decision) != MET_OK
        || !decision.is_admitted
        || met_gateway_complete(gateway, &decision.ticket, outcome)
               != MET_OK) {
        fprintf(stderr, "refused: %s\n", decision.reason_name);
        exit(1);
    }
}

/* May the customer use the feature? Nothing is counted. */
static void ask(met_gateway *gateway)
{
    static const met_gateway_outcome nothing = {
        .struct_size = sizeof nothing, .flags = MET_GATEWAY_NOT_SERVED};
    met_gateway_request request = {.struct_size = sizeof request,
                                   .service = "s",
                                   .service_size = 1,
                                   .subject = "consumer:a",
                                   .subject_size = 10,
                                   .feature = "f",
                                   .feature_size = 1};

    serve_request(gateway, &request, &nothing);
}

/* What is left of an allowance, with every amount. */
static void read_amounts(met_store *store)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer json = {NULL, 0, NULL};

    must(met_entitlement_get(store, "q", 1, "f", 1, 0, &json, &info), &info);
    if (strstr(json.data, "\"has_access\":true") == NULL) {
        fprintf(stderr, "no access: %s\n", json.data);
        exit(1);
    }
    met_buffer_release(&json);
}

static void serve(met_store *store, met_gateway *gateway, const char *key)
{
    met_pair headers[4];
    met_gateway_request request = bench_request(headers);

    if (strcmp(key, "access") == 0) {
        ask(gateway);
        return;
    }
    if (strcmp(key, "amounts") == 0) {
        read_amounts(store);
        return;
    }
    headers[3].value = key;
    headers[3].value_size = strlen(key);
    serve_request(gateway, &request, &bench_outcome);
}

/* The part whose instructions are counted. */
void gateway_driver_run(met_store *store, met_gateway *gateway,
                        const char *key, int count);
__attribute__((noinline)) void gateway_driver_run(met_store *store,
                                                  met_gateway *gateway,
                                                  const char *key, int count)
{
    for (int i = 0; i < count; i++) {
        clock_ns += STEP / 100;
        serve(store, gateway, key);
    }
}

/* The same, of a compilation. */
met_gateway *gateway_driver_open(met_store *store);
__attribute__((noinline)) met_gateway *gateway_driver_open(met_store *store)
{
    met_gateway_config small = {.struct_size = sizeof small,
                                .limiter_capacity = 1024};
    met_error_info info = {.struct_size = sizeof info};
    met_gateway *gateway = NULL;

    must(met_gateway_open(store, &small, &gateway, &info), &info);
    return gateway;
}

static void apply(met_store *store, const char *json)
{
    met_error_info info = {.struct_size = sizeof info};

    must(met_catalog_apply(store, json, strlen(json), 0, 0, NULL, &info),
         &info);
}

static void put_customers(met_store *store, int count)
{
    char text[sizeof customer + 64];

    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, customer, i, i, i, i, i);
        apply(store, text);
    }
}

int main(int count, char **words)
{
    char home[] = "/tmp/gateway-driver-XXXXXX";
    char command[64];
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, now_ns, now_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = MAP_BYTES,
                               .flags = MET_STORE_CREATE};
    met_error_info info = {.struct_size = sizeof info};
    met_store *store;

    if (count != 3 || mkdtemp(home) == NULL) {
        fputs("usage: gateway_driver CASE COUNT\n", stderr);
        return 2;
    }
    must(met_store_open(home, strlen(home), &config, &store, &info), &info);
    apply(store, document);
    int is_compile = strcmp(words[1], "compile") == 0;
    put_customers(store, is_compile ? atoi(words[2]) : 0);
    if (strcmp(words[1], "access") == 0) {
        apply(store, asker);
    }
    clock_ns += 2 * INT64_C(60000000000);
    met_gateway *gateway = gateway_driver_open(store);
    for (int i = 0; !is_compile && i < WARM; i++) {
        serve(store, gateway, words[1]);
    }
    gateway_driver_run(store, gateway, words[1],
                       is_compile ? 0 : atoi(words[2]));
    met_gateway_close(gateway);
    met_store_close(store);
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command) != 0;
}

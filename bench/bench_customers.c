/* What many customers cost: a store of them is filled (each with one subject
 * key, one subscription and one API key), closed and opened again. Nanoseconds
 * of opening by the wall clock, of looking up by processor time; bytes that the
 * process has of its own behind both. Then a gateway: what it maps for each
 * customer, and a request that an allowance is asked for beside one, of the
 * same customers, that none is.
 *
 *     bench_customers [--customers N] [--directory DIR] */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <dirent.h>
#include <ftw.h>
#include <malloc.h>
#include <unistd.h>

#include <metering/catalog.h>
#include <metering/customer.h>
#include <metering/entitlement.h>
#include <metering/gateway.h>
#include <metering/meter.h>
#include <metering/store.h>

#define BATCH 20000
#define LOOKUPS 100000
#define TEXT_MAX (BATCH * 500u)

static char text[TEXT_MAX];
static long long before; /* own bytes without a store */

static void must(met_error error, const met_error_info *info)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s: %s\n", met_error_name(error), info->field,
                info->reason);
        exit(1);
    }
}

static void apply(met_store *store, const char *json, size_t size)
{
    met_error_info info = {.struct_size = sizeof info};

    must(met_catalog_apply(store, json, size, 0, 0, NULL, &info), &info);
}

static void put_catalog(met_store *store)
{
    static const char catalog[] =
        "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"sold\","
        "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"sold\","
        "\"paths\":[\"/sold\"]}]},{\"name\":\"free\",\"url\":"
        "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"free\",\"paths\":"
        "[\"/free\"]}]}],\"plugins\":[{\"name\":\"key-auth\"}],"
        "\"meters\":[{\"key\":\"m\",\"name\":\"M\",\"event_type\":"
        "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":"
        "{\"service_name\":\"$.service_name\"}}],\"features\":[{\"key\":"
        "\"f\",\"name\":\"F\",\"meter\":{\"key\":\"m\",\"filters\":"
        "{\"service_name\":{\"eq\":\"sold\"}}}}],\"plans\":[{\"key\":\"p\","
        "\"publish\":true,\"name\":\"P\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"d\",\"name\":"
        "\"D\",\"rate_cards\":[{\"key\":\"f\",\"name\":\"F\",\"feature\":{"
        "\"key\":\"f\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":"
        "\"unit\",\"amount\":\"0.01\"},\"entitlement\":{\"type\":\"metered\","
        "\"limit\":\"1000\"}}]}]}]}";

    apply(store, catalog, sizeof catalog - 1);
}

static void put_batch(met_store *store, unsigned first, unsigned count)
{
    size_t at = (size_t)snprintf(text, sizeof text, "{\"customers\":[");

    for (unsigned i = first; i < first + count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "%s{\"key\":\"c%08u\",\"name\":\"Customer\","
                               "\"usage_attribution\":{\"subject_keys\":["
                               "\"consumer:c%08u\"]}}",
                               i > first ? "," : "", i, i);
    }
    at += (size_t)snprintf(text + at, sizeof text - at,
                           "],\"subscriptions\":[");
    for (unsigned i = first; i < first + count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "%s{\"customer\":{\"key\":\"c%08u\"},\"plan\":{"
                               "\"key\":\"p\"}}",
                               i > first ? "," : "", i);
    }
    at += (size_t)snprintf(text + at, sizeof text - at,
                           "],\"_format_version\":\"3.0\",\"consumers\":[");
    for (unsigned i = first; i < first + count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "%s{\"username\":\"c%08u\","
                               "\"keyauth_credentials\":[{\"key\":"
                               "\"key-%u\"}]}",
                               i > first ? "," : "", i, i);
    }
    at += (size_t)snprintf(text + at, sizeof text - at, "]}");
    apply(store, text, at);
}

static uint64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Bytes of memory that is this process's alone, not pages of files. */
static long long own_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long long kilobytes = -1;

    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "RssAnon: %lld kB", &kilobytes) == 1) {
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return kilobytes * 1024;
}

static met_store *open_store(const char *directory, uint32_t flags)
{
    met_store_config config = {.struct_size = sizeof config, .flags = flags};
    met_error_info info = {.struct_size = sizeof info};
    met_store *store = NULL;

    must(met_store_open(directory, strlen(directory), &config, &store, &info),
         &info);
    return store;
}

typedef met_error (*look_up)(met_store *store, const char *key,
                             size_t key_size, met_buffer *json_out,
                             met_error_info *info);

static void measure(met_store *store, const char *name, look_up call,
                    const char *format, unsigned customers)
{
    met_error_info info = {.struct_size = sizeof info};
    uint64_t seed = 7;
    uint64_t began = bench_now_ns();
    char key[32];

    for (int i = 0; i < LOOKUPS; i++) {
        met_buffer out = {0};
        int size = snprintf(key, sizeof key, format,
                            (unsigned)(bench_random(&seed) % customers));
        must(call(store, key, (size_t)size, &out, &info), &info);
        met_buffer_release(&out);
    }
    printf("{\"case\": \"%s\", \"customers\": %u, \"ns\": %.0f, "
           "\"own_bytes\": %lld}\n",
           name, customers, (double)(bench_now_ns() - began) / LOOKUPS,
           own_bytes() - before);
    fflush(stdout);
}

/* From the store, as an operator asks, or a host without a gateway. */
static met_error access_of(met_store *store, const char *key, size_t key_size,
                           met_buffer *json_out, met_error_info *info)
{
    return met_entitlement_get(store, key, key_size, "f", 1, 0, json_out,
                               info);
}

/* --- In the request path -------------------------------------------------- */
/* Bytes of the largest file of the store whose name begins like this. */
static long long file_bytes(const char *directory, const char *folder,
                            const char *beginning)
{
    char path[1024];
    struct stat found;
    long long bytes = 0;

    snprintf(path, sizeof path, "%s/%s", directory, folder);
    DIR *files = opendir(path);
    for (struct dirent *entry; files && (entry = readdir(files)) != NULL;) {
        char file[2048];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (strncmp(entry->d_name, beginning, strlen(beginning)) == 0
            && stat(file, &found) == 0 && found.st_size > bytes) {
            bytes = found.st_size;
        }
    }
    if (files != NULL) {
        closedir(files);
    }
    return bytes;
}

typedef struct request_run {
    met_gateway *gateway;
    const char *path;
    const char *feature;
    unsigned among; /* customers */
    uint64_t seed;
    met_gateway_decision decision;
} request_run;

static request_run run_of(met_gateway *gateway, const char *path,
                          const char *feature, unsigned among)
{
    return (request_run){.gateway = gateway,
                         .path = path,
                         .feature = feature,
                         .among = among,
                         .seed = 7,
                         .decision = {.struct_size =
                                          sizeof(met_gateway_decision)}};
}

static void serve(request_run *run, const met_gateway_request *request)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .flags = MET_GATEWAY_NOT_SERVED};

    if (met_gateway_admit(run->gateway, request, &run->decision) != MET_OK
        || !run->decision.is_admitted
        || met_gateway_complete(run->gateway, &run->decision.ticket, &outcome)
               != MET_OK) {
        fprintf(stderr, "refused: %s\n", run->decision.reason_name);
        exit(1);
    }
}

static unsigned somebody(request_run *run)
{
    return (unsigned)(bench_random(&run->seed) % run->among);
}

/* Admits and gives back: a cell is asked, taken from, and put right. */
static void requests(void *context, uint64_t count)
{
    request_run *run = context;
    char key[32];
    met_pair header = {"apikey", 6, key, 0};
    met_gateway_request request = {.struct_size = sizeof request,
                                   .method = "GET",
                                   .method_size = 3,
                                   .path = run->path,
                                   .path_size = strlen(run->path),
                                   .headers = &header,
                                   .header_count = 1};

    for (uint64_t i = 0; i < count; i++) {
        header.value_size =
            (size_t)snprintf(key, sizeof key, "key-%u", somebody(run));
        serve(run, &request);
    }
}

/* Whether a customer may use a feature, as a host asks that knows who it is:
 * nothing is reserved or counted. */
static void checks(void *context, uint64_t count)
{
    request_run *run = context;
    char subject[32];
    met_gateway_request request = {.struct_size = sizeof request,
                                   .subject = subject,
                                   .path = run->path,
                                   .path_size = strlen(run->path),
                                   .feature = run->feature,
                                   .feature_size = strlen(run->feature)};

    for (uint64_t i = 0; i < count; i++) {
        request.subject_size = (size_t)snprintf(
            subject, sizeof subject, "consumer:c%08u", somebody(run));
        serve(run, &request);
    }
}

static void measure_checks(met_gateway *gateway, const char *name,
                           unsigned among)
{
    request_run asks = run_of(gateway, "/free", "f", among);
    request_run nothing = run_of(gateway, "/free", "", among);

    bench_case(name, checks, &asks, "the same without a feature", checks,
               &nothing);
}

static void measure_requests(met_gateway *gateway, const char *name,
                             unsigned among)
{
    request_run sold = run_of(gateway, "/sold", "", among);
    request_run free = run_of(gateway, "/free", "", among);

    bench_case(name, requests, &sold, "the same without an allowance",
               requests, &free);
}

/* Compiles when it is the first one, and maps what is there. */
static met_gateway *open_gateway(met_store *store, const char *name,
                                 unsigned customers)
{
    met_error_info info = {.struct_size = sizeof info};
    met_gateway *gateway = NULL;
    long long without = own_bytes();
    uint64_t began = bench_now_ns();

    must(met_gateway_open(store, NULL, &gateway, &info), &info);
    double opened = (double)(bench_now_ns() - began);
    malloc_trim(0); /* what compiling needed */
    printf("{\"case\": \"%s\", \"customers\": %u, \"ns\": %.0f, "
           "\"own_bytes\": %lld}\n",
           name, customers, opened, own_bytes() - without);
    fflush(stdout);
    return gateway;
}

static void measure_gateway(met_store *store, const char *directory,
                            unsigned customers)
{
    static const char changed[] =
        "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"third\","
        "\"url\":\"http://127.0.0.1:9/\"}]}";
    met_gateway *first = open_gateway(store, "first gateway", customers);
    met_gateway *gateway = open_gateway(store, "next gateway", customers);
    long long cells = file_bytes(directory, "", "quota");
    long long snapshot = file_bytes(directory, "gateway", "snapshot-");

    printf("{\"case\": \"mapped by all gateways together\", \"customers\": "
           "%u, \"cells_bytes\": %lld, \"snapshot_bytes\": %lld, "
           "\"bytes_per_customer\": %.0f}\n",
           customers, cells, snapshot, (double)(cells + snapshot) / customers);
    measure_requests(first, "request with an allowance, 16 customers", 16);
    measure_requests(first, "request with an allowance, any customer",
                     customers);
    measure_checks(first, "access check, 16 customers", 16);
    measure_checks(first, "access check, any customer", customers);
    /* It has not met the pages of most of their cells. */
    measure_requests(gateway, "the same, a handle just opened", customers);
    met_gateway_close(gateway);
    apply(store, changed, sizeof changed - 1);
    met_gateway_close(open_gateway(store, "after a change", customers));
    met_gateway_close(first);
}

static int remove_one(const char *path, const struct stat *found, int type,
                      struct FTW *place)
{
    (void)found;
    (void)type;
    (void)place;
    return remove(path);
}

int main(int count, char **words)
{
    unsigned customers = 100000;
    const char *base = "/tmp";
    char directory[512];

    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--customers") == 0) {
            customers = (unsigned)strtoul(words[i + 1], NULL, 10);
        } else if (strcmp(words[i], "--directory") == 0) {
            base = words[i + 1];
        }
    }
    snprintf(directory, sizeof directory, "%s/metering.XXXXXX", base);
    if (customers == 0 || mkdtemp(directory) == NULL) {
        fprintf(stderr, "bench_customers [--customers N] [--directory DIR]\n");
        return 2;
    }
    met_store *store = open_store(directory, MET_STORE_CREATE);
    put_catalog(store);
    uint64_t began = bench_now_ns();
    for (unsigned done = 0; done < customers; done += BATCH) {
        put_batch(store, done,
                  customers - done < BATCH ? customers - done : BATCH);
    }
    printf("{\"case\": \"apply, customer and subscription\", \"customers\": "
           "%u, \"ns\": %.0f}\n",
           customers, (double)(bench_now_ns() - began) / customers);
    met_store_close(store);
    malloc_trim(0); /* what filling it needed */
    before = own_bytes();
    began = wall_ns();
    store = open_store(directory, 0);
    printf("{\"case\": \"open\", \"customers\": %u, \"ns\": %.0f, "
           "\"own_bytes\": %lld}\n",
           customers, (double)(wall_ns() - began), own_bytes() - before);
    measure(store, "customer by key", met_customer_get, "c%08u", customers);
    measure(store, "customer of a subject", met_customer_of_subject,
            "consumer:c%08u", customers);
    measure(store, "access to a feature", access_of, "c%08u", customers);
    measure_gateway(store, directory, customers);
    met_store_close(store);
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* What many customers cost: a store of them is filled (each with one subject
 * key and one subscription), closed and opened again. Nanoseconds of opening by
 * the wall clock, of looking up by processor time; bytes that the process has
 * of its own behind both.
 *
 *     bench_customers [--customers N] [--directory DIR] */
#include "bench.h"

#include <ftw.h>
#include <malloc.h>
#include <unistd.h>

#include <metering/catalog.h>
#include <metering/customer.h>
#include <metering/entitlement.h>
#include <metering/meter.h>
#include <metering/store.h>

#define BATCH 5000
#define LOOKUPS 100000
#define TEXT_MAX (BATCH * 400u)

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
        "{\"meters\":[{\"key\":\"m\",\"name\":\"M\",\"event_type\":\"t\","
        "\"aggregation\":\"count\"}],\"features\":[{\"key\":\"f\",\"name\":"
        "\"F\",\"meter\":{\"key\":\"m\"}}],\"plans\":[{\"key\":\"p\","
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
    at += (size_t)snprintf(text + at, sizeof text - at, "]}");
    apply(store, text, at);
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
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
    uint64_t began = cpu_ns();
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
           name, customers, (double)(cpu_ns() - began) / LOOKUPS,
           own_bytes() - before);
}

/* From the store, as an operator asks. A gateway decides from shared memory:
 * bench_gateway. */
static met_error access_of(met_store *store, const char *key, size_t key_size,
                           met_buffer *json_out, met_error_info *info)
{
    return met_entitlement_get(store, key, key_size, "f", 1, 0, json_out,
                               info);
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
    uint64_t began = cpu_ns();
    for (unsigned done = 0; done < customers; done += BATCH) {
        put_batch(store, done,
                  customers - done < BATCH ? customers - done : BATCH);
    }
    printf("{\"case\": \"apply, customer and subscription\", \"customers\": "
           "%u, \"ns\": %.0f}\n",
           customers, (double)(cpu_ns() - began) / customers);
    met_store_close(store);
    malloc_trim(0); /* what filling it needed */
    before = own_bytes();
    began = bench_now_ns();
    store = open_store(directory, 0);
    printf("{\"case\": \"open\", \"customers\": %u, \"ns\": %.0f, "
           "\"own_bytes\": %lld}\n",
           customers, (double)(bench_now_ns() - began), own_bytes() - before);
    measure(store, "customer by key", met_customer_get, "c%08u", customers);
    measure(store, "customer of a subject", met_customer_of_subject,
            "consumer:c%08u", customers);
    measure(store, "access to a feature", access_of, "c%08u", customers);
    met_store_close(store);
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

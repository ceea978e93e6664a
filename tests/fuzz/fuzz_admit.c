/* Any bytes as a request: path, query, form, host, address, user agent and
 * headers, split at the byte 1. Whatever is found as a key, the decision is one
 * of those that there are, its headers are lines, no key stands in what goes
 * upstream, and a ticket can be completed. */
#include "fuzz_store.h"

#define PARTS 12

static met_gateway *gateway;

static void close_gateway(void)
{
    met_gateway_close(gateway);
}

static void start(void)
{
    met_gateway_config config = {.struct_size = sizeof config};

    start_store(FUZZ_CATALOG);
    must(met_gateway_open(store, &config, &gateway, NULL) == MET_OK);
    atexit(close_gateway);
}

/* "Name: value\r\n" again and again, no line in a line. */
static void check_lines(const char *lines, size_t size)
{
    const char *end = lines + size;

    while (lines < end) {
        const char *stop = memchr(lines, '\n', (size_t)(end - lines));
        must(stop != NULL && stop > lines && stop[-1] == '\r');
        must(memchr(lines, '\r', (size_t)(stop - lines)) == stop - 1);
        must(memchr(lines, '\0', (size_t)(stop - lines)) == NULL);
        lines = stop + 1;
    }
}

static int holds(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);

    for (size_t at = 0; at + length <= size; at++) {
        if (memcmp(text + at, word, length) == 0) {
            return 1;
        }
    }
    return 0;
}

static void check(met_gateway_decision *decision)
{
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = 200};

    must(decision->is_admitted <= 1 && decision->failure == 0);
    must(decision->is_admitted ? decision->status == 200
                               : decision->status >= 400);
    check_lines(decision->response_headers, decision->response_headers_size);
    check_lines(decision->upstream_headers, decision->upstream_headers_size);
    check_lines(decision->drop_headers, decision->drop_headers_size);
    if (decision->is_admitted) {
        must(!holds(decision->upstream_query, decision->upstream_query_size,
                    "apikey=secret"));
        must(met_gateway_complete(gateway, &decision->ticket, &outcome)
             == MET_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met_gateway_decision decision = {.struct_size = sizeof decision};
    const char *at = (const char *)data;
    const char *end = at + size;
    met_pair parts[PARTS] = {{0}};

    if (store == NULL) {
        start();
    }
    for (int i = 0; i < PARTS && at != NULL; i++) {
        const char *stop = at < end ? memchr(at, 1, (size_t)(end - at)) : NULL;
        const char *last = stop != NULL ? stop : end;
        const char *colon = at < last ? memchr(at, ':', (size_t)(last - at))
                                      : NULL;
        parts[i].key = at;
        parts[i].key_size = (size_t)(last - at);
        if (i >= 6) { /* a header */
            parts[i].key_size = (size_t)((colon ? colon : last) - at);
            parts[i].value = colon ? colon + 1 : last;
            parts[i].value_size = (size_t)(last - parts[i].value);
        }
        at = stop != NULL ? stop + 1 : NULL;
    }
    met_gateway_request request = {
        .struct_size = sizeof request, .method = "GET", .method_size = 3,
        .path = parts[0].key, .path_size = parts[0].key_size,
        .query = parts[1].key, .query_size = parts[1].key_size,
        .form = parts[2].key, .form_size = parts[2].key_size,
        .host = parts[3].key, .host_size = parts[3].key_size,
        .client_ip = parts[4].key, .client_ip_size = parts[4].key_size,
        .user_agent = parts[5].key, .user_agent_size = parts[5].key_size,
        .headers = parts + 6};
    while (request.header_count < PARTS - 6
           && parts[6 + request.header_count].key != NULL) {
        request.header_count++;
    }
    met_error error = met_gateway_admit(gateway, &request, &decision);
    must(error == MET_OK || error == MET_E_INVALID || error == MET_E_LIMIT);
    if (error == MET_OK) {
        check(&decision);
    }
    return 0;
}

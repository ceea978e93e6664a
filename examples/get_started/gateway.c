/* A small HTTP gateway around libmetering, written to be read.
 *
 *   gateway -d STORE [--port N] [--threads N] [--upstream http://HOST:PORT]
 *
 * Answers admitted requests itself, or asks the upstream. How little it takes
 * to embed the library is in answer(): met_gateway_admit before the work,
 * met_gateway_complete after it. Each thread has a met_gateway of its own;
 * limits and quotas are shared all the same. The main thread moves what was
 * counted into the store every second. */
#define _GNU_SOURCE
#include "http_server.h"
#include "upstream.h"

#include <metering/metering.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

typedef struct worker { /* one thread */
    pthread_t thread;
    met_gateway *gateway;
    http_server *server;
} worker;

static int has_upstream;
static atomic_int is_stopping;

/* --- The one place where libmetering is embedded -------------------------- */
/* What the service behind us says: its status, 0 for none. */
static unsigned serve(const http_request *asked,
                      const met_gateway_decision *decision,
                      http_answer *answer_out)
{
    if (has_upstream) {
        upstream_changes changes = {decision->drop_headers,
                                    decision->upstream_headers,
                                    decision->upstream_query};
        return upstream_ask(asked, &changes, answer_out);
    }
    int size = asprintf(&answer_out->body, "Hello %s, this is %s.\n",
                        decision->consumer, decision->service);
    http_add(answer_out, "Content-Type", "text/plain; charset=utf-8");
    answer_out->body_size = size > 0 ? (size_t)size : 0;
    return size > 0 ? 200 : 0;
}

static void answer(void *context, const http_request *asked,
                   http_answer *answer_out)
{
    worker *self = context;
    met_gateway_request request = {
        .struct_size = sizeof request,
        .method = asked->method, .method_size = strlen(asked->method),
        .path = asked->path, .path_size = strlen(asked->path),
        .query = asked->query, .query_size = strlen(asked->query),
        .host = asked->host, .host_size = strlen(asked->host),
        .user_agent = asked->user_agent,
        .user_agent_size = strlen(asked->user_agent),
        .client_ip = asked->client_ip,
        .client_ip_size = strlen(asked->client_ip),
        .headers = asked->headers, .header_count = asked->header_count};
    met_gateway_decision decision = {.struct_size = sizeof decision};
    met_gateway_outcome outcome = {.struct_size = sizeof outcome};

    if (met_gateway_admit(self->gateway, &request, &decision) != MET_OK) {
        answer_out->status = 500;
        return;
    }
    snprintf(answer_out->headers, sizeof answer_out->headers, "%s",
             decision.response_headers); /* rate limits, Retry-After, … */
    if (!decision.is_admitted) { /* 401, 403, 404 or 429: all is ready */
        answer_out->status = decision.status;
        answer_out->body = strndup(decision.body, decision.body_size);
        answer_out->body_size = answer_out->body ? decision.body_size : 0;
        http_add(answer_out, "Content-Type", "application/json");
        return;
    }
    unsigned status = serve(asked, &decision, answer_out);

    /* Counted before the answer leaves: who is killed between the two has
     * counted one request that nobody saw answered, never the reverse. */
    outcome.status = status ? status : 502;
    outcome.upstream_status = status;
    outcome.flags = status ? 0 : MET_GATEWAY_NOT_SERVED; /* costs nothing */
    outcome.request_size_bytes = asked->body_size;
    outcome.response_size_bytes = answer_out->body_size;
    met_error error = met_gateway_complete(self->gateway, &decision.ticket,
                                           &outcome);
    answer_out->status = outcome.status;
    if (error != MET_OK) { /* what cannot be counted is not given away */
        free(answer_out->body);
        answer_out->body = NULL;
        answer_out->body_size = 0;
        answer_out->status = 503;
    }
}

/* --- Threads -------------------------------------------------------------- */
static void *work(void *context)
{
    worker *self = context;
    time_t ticked = 0;

    while (!atomic_load(&is_stopping)) {
        http_run(self->server, 500);
        if (time(NULL) != ticked) { /* about once a second */
            ticked = time(NULL);
            if (met_gateway_tick(self->gateway) != MET_OK) {
                fputs("gateway: tick failed\n", stderr);
            }
        }
    }
    http_stop(self->server);
    met_gateway_close(self->gateway);
    return NULL;
}

static void die(const char *what, const met_error_info *info)
{
    fprintf(stderr, "gateway: %s: %s %s\n", what, info->field, info->reason);
    exit(1);
}

static void start(worker *self, met_store *store, int listener)
{
    met_gateway_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};

    if (met_gateway_open(store, &config, &self->gateway, &info) != MET_OK) {
        die("cannot open a gateway", &info);
    }
    self->server = http_start(listener, answer, self);
    if (self->server == NULL
        || pthread_create(&self->thread, NULL, work, self) != 0) {
        die("cannot start a thread", &info);
    }
}

typedef struct options {
    const char *directory;
    const char *upstream;
    int port; /* 0: a free one */
    int threads;
} options;

/* -1: not a whole number up to maximum. */
static int number(const char *text, int maximum)
{
    char *end;
    long value = strtol(text, &end, 10);
    int is_whole = *text >= '0' && *text <= '9' && *end == '\0';

    return is_whole && value <= maximum ? (int)value : -1;
}

static int read_options(int count, char **words, options *given)
{
    for (int i = 1; i < count; i += 2) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (strcmp(words[i], "-d") == 0) {
            given->directory = value;
        } else if (strcmp(words[i], "--port") == 0) {
            given->port = number(value, 65535);
        } else if (strcmp(words[i], "--threads") == 0) {
            given->threads = number(value, THREADS_MAX);
        } else if (strcmp(words[i], "--upstream") == 0) {
            given->upstream = value;
        } else {
            return 0;
        }
    }
    has_upstream = given->upstream != NULL;
    return given->directory != NULL && given->port >= 0 && given->threads >= 1
           && (!has_upstream || upstream_set(given->upstream));
}

int main(int count, char **words)
{
    options given = {.threads = 2};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
    met_error_info info = {.struct_size = sizeof info};
    worker workers[THREADS_MAX] = {{0}};
    met_store *store;
    sigset_t signals;

    if (!read_options(count, words, &given)) {
        fputs("usage: gateway -d STORE [--port N] [--threads N] "
              "[--upstream http://HOST:PORT]\n", stderr);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* in all threads */
    signal(SIGPIPE, SIG_IGN);
    if (met_store_open(given.directory, strlen(given.directory), &config,
                       &store, &info) != MET_OK) {
        die("cannot open the store", &info);
    }
    int listener = http_listen(given.port, &given.port);
    if (listener < 0) {
        die("cannot listen", &info);
    }
    for (int i = 0; i < given.threads; i++) {
        start(&workers[i], store, listener);
    }
    printf("listening on http://127.0.0.1:%d\n", given.port);
    fflush(stdout);

    /* The host's timer: settle every second until a signal asks to stop. */
    while (sigtimedwait(&signals, NULL, &(struct timespec){.tv_sec = 1}) < 0) {
        if (met_store_settle(store, NULL, NULL, &info) != MET_OK) {
            fprintf(stderr, "gateway: settle: %s\n", info.reason);
        }
    }
    atomic_store(&is_stopping, 1);
    for (int i = 0; i < given.threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    close(listener);
    met_error error = met_store_settle(store, NULL, NULL, &info);
    met_store_close(store);
    return error == MET_OK ? 0 : 1;
}

/* The HTTP side of the example gateway: requests in, answers out. Knows
 * nothing of metering. */
#ifndef EXAMPLE_HTTP_SERVER_H
#define EXAMPLE_HTTP_SERVER_H

#include <metering/types.h>

/* All texts end with a NUL and live until the handler returns. */
typedef struct http_request {
    const char *method;
    const char *uri;   /* as it was sent */
    const char *path;  /* without the query */
    const char *query; /* without '?', may be "" */
    const char *host;
    const char *user_agent;
    const char *client_ip;
    const met_pair *headers;
    size_t header_count;
    const char *body;
    size_t body_size;
} http_request;

typedef struct http_answer {
    unsigned status;
    char headers[2048]; /* "Name: value\r\n" lines */
    char *body;         /* from malloc; the server frees it */
    size_t body_size;
} http_answer;

/* One more header line. */
void http_add(http_answer *answer, const char *name, const char *value);

typedef void (*http_handler)(void *context, const http_request *request,
                             http_answer *answer_out);
typedef struct http_server http_server;

/* A socket on loopback that several servers may share; port 0: a free one.
 * -1 on failure. */
int http_listen(int port, int *port_out);
/* A server of the calling thread's own; NULL on failure. */
http_server *http_start(int listener, http_handler handler, void *context);
/* Serves what is there, or waits at most wait_ms. */
void http_run(http_server *server, int wait_ms);
void http_stop(http_server *server);

#endif

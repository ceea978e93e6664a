/* The HTTP side of the example gateway, by libmicrohttpd: one server for each
 * thread, all on one listening socket. */
#define _GNU_SOURCE
#include "http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADERS_MAX = 64, BODY_MAX = 1 << 20 };

struct http_server {
    struct MHD_Daemon *daemon;
    http_handler handler;
    void *context;
};

typedef struct exchange { /* one request, from its first byte to its answer */
    char *uri;
    char *body;
    size_t body_size;
    met_pair headers[HEADERS_MAX];
    size_t header_count;
    int is_begun;
} exchange;

static void *begin(void *context, const char *uri, struct MHD_Connection *http)
{
    exchange *self = calloc(1, sizeof *self);

    if (self != NULL) {
        self->uri = strdup(uri);
    }
    return self;
}

static void end(void *context, struct MHD_Connection *http, void **self_at,
                enum MHD_RequestTerminationCode code)
{
    exchange *self = *self_at;

    if (self != NULL) {
        free(self->uri);
        free(self->body);
        free(self);
    }
}

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    exchange *self = context;

    if (self->header_count == HEADERS_MAX) {
        return MHD_NO;
    }
    if (value != NULL) {
        self->headers[self->header_count++] =
            (met_pair){name, strlen(name), value, strlen(value)};
    }
    return MHD_YES;
}

/* "Name: value\r\n" lines into a response. */
static void add_lines(struct MHD_Response *response, const char *lines)
{
    char name[64], value[512];
    int size;

    while (sscanf(lines, "%63[^:]: %511[^\r]\r\n%n", name, value, &size)
           == 2) {
        MHD_add_response_header(response, name, value);
        lines += size;
    }
}

/* "//", "/./", "/../": another path than it seems. */
static int is_disguised(const char *path)
{
    for (; *path != '\0'; path++) {
        if (path[0] == '/'
            && (path[1] == '/'
                || (path[1] == '.' && strchr("/.", path[2]) != NULL))) {
            return 1;
        }
    }
    return 0;
}

static const char *text_of(struct MHD_Connection *http, const char *name)
{
    const char *text = MHD_lookup_connection_value(http, MHD_HEADER_KIND,
                                                   name);
    return text ? text : "";
}

/* The client's address into text. */
static void print_address(struct MHD_Connection *http, char *text, size_t size)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr_in *at = info ? (void *)info->client_addr : NULL;

    text[0] = '\0';
    if (at != NULL && at->sin_family == AF_INET) {
        inet_ntop(AF_INET, &at->sin_addr, text, (socklen_t)size);
    }
}

static enum MHD_Result answer(http_server *server, exchange *self,
                              struct MHD_Connection *http, const char *method,
                              const char *path)
{
    const char *query = strchrnul(self->uri, '?');
    char client_ip[INET_ADDRSTRLEN];
    http_request request = {
        method, self->uri, path, *query ? query + 1 : query,
        text_of(http, "Host"), text_of(http, "User-Agent"), client_ip,
        self->headers, self->header_count, self->body, self->body_size};
    http_answer given = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};

    print_address(http, client_ip, sizeof client_ip);
    server->handler(server->context, &request, &given);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        given.body_size, given.body, MHD_RESPMEM_MUST_FREE);
    add_lines(response, given.headers);
    enum MHD_Result result = MHD_queue_response(http, given.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *http, unsigned status)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(http, status, response);

    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *http,
                              const char *path, const char *method,
                              const char *version, const char *data,
                              size_t *data_size, void **self_at)
{
    exchange *self = *self_at;

    if (self == NULL || self->uri == NULL) {
        return MHD_NO;
    }
    if (!self->is_begun) { /* the headers are here */
        self->is_begun = 1;
        int count = MHD_get_connection_values(http, MHD_HEADER_KIND,
                                              add_header, self);
        if (count > HEADERS_MAX) {
            return refuse(http, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        return is_disguised(path) ? refuse(http, MHD_HTTP_BAD_REQUEST)
                                  : MHD_YES;
    }
    if (*data_size > 0) { /* a piece of the body */
        size_t size = self->body_size + *data_size;
        char *grown = size <= BODY_MAX ? realloc(self->body, size) : NULL;
        if (grown == NULL) {
            return MHD_NO;
        }
        memcpy(grown + self->body_size, data, *data_size);
        self->body = grown;
        self->body_size = size;
        *data_size = 0;
        return MHD_YES;
    }
    return answer(context, self, http, method, path);
}

void http_add(http_answer *answer_out, const char *name, const char *value)
{
    size_t used = strlen(answer_out->headers);

    if (used + strlen(name) + strlen(value) + 5 < sizeof answer_out->headers) {
        sprintf(answer_out->headers + used, "%s: %s\r\n", name, value);
    }
}

int http_listen(int port, int *port_out)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 512) != 0
        || getsockname(fd, (struct sockaddr *)&at, &size) != 0) {
        return -1;
    }
    *port_out = ntohs(at.sin_port);
    return fd;
}

http_server *http_start(int listener, http_handler handler, void *context)
{
    http_server *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return NULL;
    }
    self->handler = handler;
    self->context = context;
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, handle, self, MHD_OPTION_LISTEN_SOCKET,
        dup(listener), MHD_OPTION_URI_LOG_CALLBACK, begin, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, end, NULL,
        MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);
    if (self->daemon == NULL) {
        free(self);
        return NULL;
    }
    return self;
}

void http_run(http_server *self, int wait_ms)
{
    MHD_run_wait(self->daemon, wait_ms);
}

void http_stop(http_server *self)
{
    MHD_stop_daemon(self->daemon);
    free(self);
}

/* Asking the service behind the example gateway: HTTP/1.0, one connection a
 * request. Knows nothing of metering. */
#define _GNU_SOURCE
#include "upstream.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX (16u << 20)

static char host[256], port[16];

int upstream_set(const char *url)
{
    int used = 0;

    return sscanf(url, "http://%255[^:/]:%15[0-9]%n", host, port, &used) == 2
           && (url[used] == '\0' || strcmp(url + used, "/") == 0);
}

/* Is the name one of the lines? */
static int is_listed(const char *lines, const met_pair *header)
{
    while (*lines != '\0') {
        size_t size = strcspn(lines, "\r");
        if (size == header->key_size
            && strncasecmp(lines, header->key, size) == 0) {
            return 1;
        }
        lines += size + strspn(lines + size, "\r\n");
    }
    return 0;
}

/* Of one connection only, or written anew. */
static const char hop_by_hop[] =
    "Host\r\nConnection\r\nKeep-Alive\r\nContent-Length\r\nExpect\r\n"
    "Transfer-Encoding\r\nTE\r\nTrailer\r\nUpgrade\r\n";

static int dial(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval patience = {.tv_sec = 30};
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return -1;
    }
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static int send_request(FILE *to, const http_request *request,
                        const upstream_changes *changes)
{
    fprintf(to, "%s %.*s%s%s HTTP/1.0\r\nHost: %s\r\n"
                "Content-Length: %zu\r\n",
            request->method, (int)strcspn(request->uri, "?"), request->uri,
            *changes->query ? "?" : "", changes->query, host,
            request->body_size);
    for (size_t i = 0; i < request->header_count; i++) {
        const met_pair *header = &request->headers[i];
        if (!is_listed(hop_by_hop, header)
            && !is_listed(changes->drop, header)) {
            fprintf(to, "%.*s: %.*s\r\n", (int)header->key_size, header->key,
                    (int)header->value_size, header->value);
        }
    }
    fprintf(to, "%s\r\n", changes->set);
    if (request->body_size > 0) {
        fwrite(request->body, 1, request->body_size, to);
    }
    return fflush(to) == 0;
}

/* Status line and headers off, the body stays. */
static unsigned split(char *text, size_t *size, http_answer *answer_out)
{
    char *body = memmem(text, *size, "\r\n\r\n", 4);
    char *type;
    unsigned status = 0;

    if (body == NULL || sscanf(text, "HTTP/1.%*c %3u", &status) != 1) {
        return 0;
    }
    *body = '\0';
    type = strcasestr(text, "\r\nContent-Type: ");
    if (type != NULL) {
        type[2 + strcspn(type + 2, "\r")] = '\0';
        http_add(answer_out, "Content-Type", type + 16);
    }
    *size -= (size_t)(body + 4 - text);
    memmove(text, body + 4, *size);
    return status;
}

unsigned upstream_ask(const http_request *request,
                      const upstream_changes *changes,
                      http_answer *answer_out)
{
    int fd = dial();
    FILE *stream = fd >= 0 ? fdopen(fd, "r+") : NULL;
    char *answer = NULL;
    size_t size = 0, room = 0, got;
    unsigned status = 0;

    if (stream == NULL && fd >= 0) {
        close(fd);
    }
    if (stream != NULL && send_request(stream, request, changes)) {
        do {
            if (size + 4096 > room) {
                room = room ? room * 2 : 16384;
                char *grown = room <= ANSWER_MAX ? realloc(answer, room + 1)
                                                 : NULL;
                if (grown == NULL) {
                    size = 0;
                    break;
                }
                answer = grown;
            }
            got = fread(answer + size, 1, room - size, stream);
            size += got;
        } while (got > 0);
        if (size > 0 && !ferror(stream)) {
            answer[size] = '\0';
            status = split(answer, &size, answer_out);
        }
    }
    if (stream != NULL) {
        fclose(stream);
    }
    answer_out->body = answer;
    answer_out->body_size = status ? size : 0;
    return status;
}

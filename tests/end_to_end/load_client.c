/* Load on an HTTP server: threads that each keep one connection and wait for
 * every answer to its end, so that it is known exactly what was answered.
 *
 *   load_client PORT SECONDS THREADS PATH KEY...
 *
 * Each request takes one of the keys in turn. When the time is over, requests
 * under way are waited for. Prints one JSON object: per key how many answers
 * there were of each status, and how many requests broke (sent, and the
 * connection ended before the answer did). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256, KEYS_MAX = 64, STATUSES = 600, ROOM = 65536 };

typedef struct tally {
    unsigned long status[STATUSES];
    unsigned long broken;
    unsigned long refused_connections;
} tally;

typedef struct client {
    pthread_t thread;
    int number;
    int socket;
    char buffer[ROOM];
    tally keys[KEYS_MAX];
} client;

static struct sockaddr_in server;
static const char *path;
static char **keys;
static int key_count;
static double end;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int connect_to_server(void)
{
    struct timeval wait = {.tv_sec = 30};
    int one = 1;
    int made = socket(AF_INET, SOCK_STREAM, 0);

    if (made < 0
        || connect(made, (struct sockaddr *)(void *)&server, sizeof server)
               != 0) {
        close(made);
        return -1;
    }
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return made;
}

/* The whole answer; its status, or 0 when it never came to its end. *closes:
 * the server ends the connection behind it. */
static int read_answer(client *self, int *closes)
{
    size_t size = 0;
    size_t wanted = ROOM;
    int status = 0;

    while (size < wanted) {
        ssize_t got =
            recv(self->socket, self->buffer + size, ROOM - 1 - size, 0);
        if (got <= 0) {
            return 0;
        }
        size += (size_t)got;
        self->buffer[size] = '\0';
        char *body = status == 0 ? strstr(self->buffer, "\r\n\r\n") : NULL;
        if (body != NULL) {
            const char *length =
                strcasestr(self->buffer, "\r\ncontent-length:");
            status = atoi(self->buffer + 9);
            if (length == NULL || status < 100 || status >= STATUSES) {
                return 0;
            }
            wanted = (size_t)(body + 4 - self->buffer)
                     + strtoul(length + 17, NULL, 10);
            *closes = strcasestr(self->buffer, "\r\nconnection: close") != NULL;
        }
    }
    return status;
}

static void drop(client *self)
{
    close(self->socket);
    self->socket = -1;
}

static void ask(client *self, int key)
{
    tally *counts = &self->keys[key];
    char request[512];
    int closes = 0;

    if (self->socket < 0) {
        self->socket = connect_to_server();
        if (self->socket < 0) {
            counts->refused_connections++;
            usleep(1000);
            return;
        }
    }
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: load\r\napikey: %s\r\n\r\n",
                        path, keys[key]);
    if (send(self->socket, request, (size_t)size, MSG_NOSIGNAL) != size) {
        drop(self); /* ended while it was idle */
        counts->broken++;
        return;
    }
    int status = read_answer(self, &closes);
    if (status == 0) {
        counts->broken++;
        drop(self);
        return;
    }
    counts->status[status]++;
    if (closes) {
        drop(self);
    }
}

static void *work(void *context)
{
    client *self = context;

    for (int key = self->number; now() < end; key++) {
        ask(self, key % key_count);
    }
    if (self->socket >= 0) {
        close(self->socket);
    }
    return NULL;
}

static void print(const client *clients, int count)
{
    printf("{");
    for (int key = 0; key < key_count; key++) {
        tally sum = {{0}, 0, 0};
        for (int i = 0; i < count; i++) {
            const tally *one = &clients[i].keys[key];
            for (int status = 0; status < STATUSES; status++) {
                sum.status[status] += one->status[status];
            }
            sum.broken += one->broken;
            sum.refused_connections += one->refused_connections;
        }
        printf("%s\"%s\": {\"broken\": %lu, \"refused_connections\": %lu",
               key > 0 ? ", " : "", keys[key], sum.broken,
               sum.refused_connections);
        for (int status = 0; status < STATUSES; status++) {
            if (sum.status[status] > 0) {
                printf(", \"%d\": %lu", status, sum.status[status]);
            }
        }
        printf("}");
    }
    printf("}\n");
}

int main(int count, char **words)
{
    static client clients[THREADS_MAX];
    int threads = count > 5 ? atoi(words[3]) : 0;

    if (threads < 1 || threads > THREADS_MAX || count - 5 > KEYS_MAX) {
        fputs("usage: load_client PORT SECONDS THREADS PATH KEY...\n", stderr);
        return 2;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((unsigned short)atoi(words[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    end = now() + atof(words[2]);
    path = words[4];
    keys = words + 5;
    key_count = count - 5;
    for (int i = 0; i < threads; i++) {
        clients[i].number = i;
        clients[i].socket = -1;
        if (pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    print(clients, threads);
    return 0;
}

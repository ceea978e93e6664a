/* Asking the service behind the example gateway. */
#ifndef EXAMPLE_UPSTREAM_H
#define EXAMPLE_UPSTREAM_H

#include "http_server.h"

/* "http://HOST:PORT", once, before any thread asks. 0: not of that form. */
int upstream_set(const char *url);
/* What the gateway changes on the way. */
typedef struct upstream_changes {
    const char *drop;  /* "Name\r\n" lines: headers that may not pass */
    const char *set;   /* "Name: value\r\n" lines instead */
    const char *query; /* to send */
} upstream_changes;

/* The status, 0 when there was no answer; the body goes into the answer. */
unsigned upstream_ask(const http_request *request,
                      const upstream_changes *changes,
                      http_answer *answer_out);

#endif

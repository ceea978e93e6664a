/* The protocol of bench/run --peers for programs in C: says its cases, then
 * answers "INDEX COUNT" until its input ends (see bench/peers.py). */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#include "../bench.h"

typedef struct peer_case peer_case;

/* Does `count` operations and says how many were allowed; prepares itself when
 * it is called for the first time. Returns nanoseconds. */
typedef double (*peer_run)(const peer_case *the_case, uint64_t count,
                           uint64_t *allowed_out);

/* Prints "a", "b", …: what `count` operations come to. */
typedef void (*peer_results)(const peer_case *the_case, uint64_t count);

struct peer_case {
    const char *name;
    const char *who;
    const char *more; /* further members, each with a comma before, or "" */
    peer_run run;
    peer_results results; /* or NULL */
    void *context;
};

static inline uint64_t peer_option(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Of the whole process: what else the machine does is not in it. */
static inline uint64_t peer_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int peer_serve(const peer_case *cases, size_t case_count)
{
    char line[128];

    printf("{\"cases\": [");
    for (size_t i = 0; i < case_count; i++) {
        printf("%s{\"case\": \"%s\", \"who\": \"%s\"%s%s}", i ? ", " : "",
               cases[i].name, cases[i].who, cases[i].more,
               cases[i].results ? ", \"has_results\": true" : "");
    }
    printf("]}\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *end;
        uint64_t index = strtoull(line, &end, 10);
        uint64_t count = strtoull(end, &end, 10);
        uint64_t allowed = count;
        if (index >= case_count || count == 0) {
            return 1;
        }
        const peer_case *c = &cases[index];
        double ns = c->run(c, count, &allowed);
        printf("{\"ns\": %.0f, \"count\": %llu, \"allowed\": %llu", ns,
               (unsigned long long)count, (unsigned long long)allowed);
        if (strstr(end, "results") != NULL && c->results != NULL) {
            printf(", \"results\": [");
            c->results(c, count);
            printf("]");
        }
        printf("}\n");
        fflush(stdout);
    }
    return 0;
}

#endif

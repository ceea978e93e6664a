/* Between a test program and the library: every public call that can fail is
 * watched, in every test of C. See guard.c. */
#ifndef TESTS_CONTRACT_GUARD_H
#define TESTS_CONTRACT_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"

/* Bit i of named: the docstring names guard_codes[i]. */
typedef struct guard_function {
    const char *name;
    uint32_t named;
    const char *instants; /* "at as_of ": parameters at_ns, as_of_ns */
} guard_function;

extern const met_error guard_codes[];
extern const size_t guard_code_count;
extern const guard_function guard_functions[];
extern const size_t guard_function_count;

#define GUARD_OUTPUTS_MAX 3

typedef struct guard_call {
    size_t function;
    met_error_info *info; /* NULL when it is none that can be looked at */
    met_error code_before;
    size_t output_count;
    struct {
        const void *place;
        size_t size;
        unsigned char before[32];
    } outputs[GUARD_OUTPUTS_MAX];
} guard_call;

guard_call guard_before(size_t function, met_error_info *info);
/* An output that a failing call leaves as it is; NULL: not wanted. */
void guard_keep(guard_call *call, const void *place, size_t size);
met_error guard_after(const guard_call *call, met_error error);

/* Which of guard_codes this program has seen of a function so far. */
uint32_t guard_seen(size_t function);

/* Each call with NULL and 0 for everything (make_guard.py). */
void each_nothing(void (*check)(const char *function, met_error error));

#endif

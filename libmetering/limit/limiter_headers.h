/* What the writers of header lines share. */
#ifndef MET_LIMIT_LIMITER_HEADERS_H
#define MET_LIMIT_LIMITER_HEADERS_H

#include "limit/limiter.h"

#define MET__WINDOW_NAME_SIZE 32

/* What does not fit is only counted. */
typedef struct met__header_text {
    char *text;
    size_t size;
    size_t room;
} met__header_text;

void met__header_bytes(met__header_text *out, const char *bytes, size_t size);
void met__header_number(met__header_text *out, uint64_t value);
/* Whole seconds, so late that a retry then succeeds; at least 1. */
uint64_t met__header_seconds(int64_t ns);
/* Seconds until the window has forgotten its oldest hit, and not the moment
 * longer that a sliding one keeps it. */
uint64_t met__header_reset(const met_limiter_window_result *window);
/* "Minute", or the seconds: "30", "0.5"; *is_named_out: a name. */
const char *met__header_window(int64_t window_ns,
                               char other_out[MET__WINDOW_NAME_SIZE],
                               int *is_named_out);
/* RateLimit-Policy and RateLimit. */
void met__header_ietf(met__header_text *out, const met_limiter_result *result,
                      const met_limiter_headers_options *options);

#endif

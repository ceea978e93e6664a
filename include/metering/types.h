/* The plain types every other header uses. */
#ifndef METERING_TYPES_H
#define METERING_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"

MET_BEGIN_DECLS

typedef struct met_store met_store;       /* one directory of files */
typedef struct met_recorder met_recorder; /* in-memory usage counter */
typedef struct met_prepared met_prepared; /* an event counted again and again */
typedef struct met_ingest met_ingest;     /* takes in events with ids */
typedef struct met_limiter met_limiter;   /* shared table of windows */
typedef struct met_gateway met_gateway;   /* admit and complete */
typedef struct met_price met_price;       /* immutable parsed price */
typedef struct met_usage_cursor met_usage_cursor; /* rows of a query */

/* A name and its value; both borrowed, neither needs a NUL. Frozen for ever. */
typedef struct met_pair {
    const char *key;
    size_t key_size;
    const char *value;
    size_t value_size;
} met_pair;

/* Bytes the library hands out: give them back with met_buffer_release. The
 * byte after data[size - 1] is always NUL. Frozen for ever. */
typedef struct met_buffer {
    char *data;
    size_t size;
    void *owner; /* private */
} met_buffer;

/**
 * Give back a buffer that a call of this library filled.
 *
 * @param buffer  may be NULL or empty; is empty afterwards
 * @blocks never
 * @owner the library frees the bytes      @thread one      @fork any
 * @since 0.1
 */
MET_API void met_buffer_release(met_buffer *buffer);

MET_END_DECLS

#endif

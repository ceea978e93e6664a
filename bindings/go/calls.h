/* Shapes that many calls of the library share: each is one line of Go. */
#ifndef METERING_GO_CALLS_H
#define METERING_GO_CALLS_H

#include <metering/metering.h>

typedef met_error metgo_put(met_store *, const char *, size_t, met_buffer *,
                            met_error_info *);
typedef met_error metgo_remove(met_store *, const char *, size_t,
                               met_error_info *);
typedef met_error metgo_list(met_store *, met_buffer *, met_error_info *);
typedef met_error metgo_both(met_store *, const char *, size_t,
                             const char *, size_t, met_buffer *,
                             met_error_info *);
typedef met_error metgo_new(met_store *, const char *, size_t, uint64_t,
                            met_buffer *, met_error_info *);
typedef met_error metgo_at(met_store *, const char *, size_t, int64_t,
                           uint64_t, met_buffer *, met_error_info *);

static inline met_error metgo_call_put(metgo_put *call, met_store *store,
    const char *text, size_t size, met_buffer *out, met_error_info *info)
{
    return call(store, text, size, out, info);
}

static inline met_error metgo_call_remove(metgo_remove *call,
    met_store *store, const char *text, size_t size, met_error_info *info)
{
    return call(store, text, size, info);
}

static inline met_error metgo_call_list(metgo_list *call, met_store *store,
    met_buffer *out, met_error_info *info)
{
    return call(store, out, info);
}

static inline met_error metgo_call_both(metgo_both *call, met_store *store,
    const char *key, size_t key_size, const char *text, size_t size,
    met_buffer *out, met_error_info *info)
{
    return call(store, key, key_size, text, size, out, info);
}

static inline met_error metgo_call_new(metgo_new *call, met_store *store,
    const char *text, size_t size, uint64_t flags, met_buffer *out,
    met_error_info *info)
{
    return call(store, text, size, flags, out, info);
}

static inline met_error metgo_call_at(metgo_at *call, met_store *store,
    const char *key, size_t key_size, int64_t at_ns, uint64_t flags,
    met_buffer *out, met_error_info *info)
{
    return call(store, key, key_size, at_ns, flags, out, info);
}

#endif

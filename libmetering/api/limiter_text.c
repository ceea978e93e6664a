/* limiter.h: header lines and keys, which need no table. */
#include "base/caller_struct.h"
#include "base/error.h"
#include "limit/limiter.h"
#include "metering/limiter.h"

#define STYLES (MET_LIMITER_HEADERS_KONG | MET_LIMITER_HEADERS_IETF)

static int is_result(const met_limiter_result *result)
{
    return result != NULL
           && result->struct_size >= offsetof(met_limiter_result, ticket)
           && result->struct_size <= MET__STRUCT_SIZE_MAX
           && result->window_count != 0
           && result->window_count <= MET_LIMITER_WINDOWS_MAX
           && result->reported < result->window_count;
}

static met_error read_options(const met_limiter_headers_options *options,
                              met_limiter_headers_options *known,
                              met_error_info *info)
{
    *known = (met_limiter_headers_options){.struct_size = sizeof *known};
    if (options != NULL) {
        met_error error = met__struct_read(known, sizeof *known,
                                           sizeof known->struct_size, options,
                                           "options", info);
        if (error != MET_OK) {
            return error;
        }
    }
    if (known->styles == 0) {
        known->styles = MET_LIMITER_HEADERS_KONG;
    }
    if ((known->styles & ~(uint32_t)STYLES) != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "options.styles",
                         "has an unknown bit");
    }
    if (known->partition_key_size > MET_LIMITER_PARTITION_KEY_SIZE_MAX
        || (known->partition_key == NULL && known->partition_key_size != 0)) {
        return met__fail(info, MET_E_INVALID, "options.partition_key",
                         "must have at most %d bytes",
                         MET_LIMITER_PARTITION_KEY_SIZE_MAX);
    }
    return MET_OK;
}

met_error met_limiter_headers_write(const met_limiter_result *result,
                                    const met_limiter_headers_options *options,
                                    char *text_out, size_t text_size,
                                    size_t *size_out, met_error_info *info)
{
    met_limiter_headers_options known;

    if (text_out == NULL || !is_result(result)) {
        return met__fail(info, MET_E_INVALID,
                         text_out == NULL ? "text_out" : "result",
                         "is not a decision with its windows");
    }
    met_error error = read_options(options, &known, info);
    if (error == MET_OK) {
        error = met__limiter_headers(result, &known, text_out, text_size,
                                     size_out);
    }
    return error == MET_E_LIMIT
               ? met__fail(info, error, "text_size", "has no room for them")
               : error;
}

/* --- Keys ----------------------------------------------------------------- */
static met_error check_identity(met_limiter_identity *known,
                                met_error_info *info)
{
    known->form = known->form ? known->form : MET_LIMITER_FORM_BYTES;
    known->prefix_v4 = known->prefix_v4 ? known->prefix_v4 : 32;
    known->prefix_v6 = known->prefix_v6 ? known->prefix_v6 : 64;
    if (known->form > MET_LIMITER_FORM_ADDRESS_BYTES) {
        return met__fail(info, MET_E_UNSUPPORTED, "identity.form",
                         "is not known");
    }
    if ((known->scope == NULL && known->scope_size != 0)
        || known->scope_size > UINT32_MAX) {
        return met__fail(info, MET_E_INVALID, "identity.scope",
                         "is NULL or too long");
    }
    if (known->value == NULL && known->value_size != 0) {
        return met__fail(info, MET_E_INVALID, "identity.value", "is NULL");
    }
    if (known->prefix_v4 > 32 || known->prefix_v6 > 128) {
        return met__fail(info, MET_E_INVALID,
                         known->prefix_v4 > 32 ? "identity.prefix_v4"
                                               : "identity.prefix_v6",
                         "must be 1 to %d bits",
                         known->prefix_v4 > 32 ? 32 : 128);
    }
    return MET_OK;
}

met_error met_limiter_key_build(const met_limiter_identity *identity,
                                char *key_out, size_t key_room,
                                size_t *key_size_out, met_error_info *info)
{
    met_limiter_identity known;

    if (key_out == NULL || key_size_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         key_out == NULL ? "key_out" : "key_size_out",
                         "is NULL");
    }
    met_error error = met__struct_read(&known, sizeof known,
                                       sizeof known.struct_size, identity,
                                       "identity", info);
    if (error == MET_OK) {
        error = check_identity(&known, info);
    }
    return error != MET_OK
               ? error
               : met__limiter_key_build(&known, key_out, key_room,
                                        key_size_out, info);
}

/* Any text as a declarative document: meters, features, plans, customers,
 * subscriptions, entitlements, grants, rules of notices, billing profiles, and
 * Kong's entities. Refused with a reason, or what would change; never changes
 * anything, and says the same twice. */
#include "fuzz_store.h"

static met_error apply(const char *json, size_t size, uint64_t flags,
                       met_buffer *report)
{
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met_catalog_apply(store, json, size, 0,
                                        MET_APPLY_DRY_RUN | flags, report,
                                        &info);

    check_refusal(error, &info);
    must(error == MET_OK || report->data == NULL);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met_buffer first = {0};
    met_buffer again = {0};
    met_buffer strict = {0};
    const char *json = (const char *)data;

    if (store == NULL) {
        start_store(FUZZ_CATALOG);
    }
    met_error error = apply(json, size, 0, &first);
    must(apply(json, size, 0, &again) == error);
    must(first.size == again.size
         && (first.size == 0
             || memcmp(first.data, again.data, first.size) == 0));
    /* Strict refuses more, never less. */
    must(apply(json, size, MET_APPLY_STRICT, &strict) != MET_OK
         || error == MET_OK);
    met_buffer_release(&first);
    met_buffer_release(&again);
    met_buffer_release(&strict);
    return 0;
}

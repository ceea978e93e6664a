/* Any text: refused with a reason, or a tree that is written and read again
 * as the same tree, compact and pretty. */
#include <stdlib.h>

#include "document/document.h"
#include "fuzz.h"
#include "support/faults.h"

static met__node *again(met__arena *arena, const met__platform *platform,
                        const met__node *node, int pretty)
{
    met__buffer buffer;
    met__node *back = NULL;

    met__buffer_init(&buffer, platform);
    met__json_write(node, pretty, &buffer);
    if (buffer.error != MET_OK
        || met__json_parse(arena, met__text_of(buffer.data, buffer.size),
                           &back, NULL)
               != MET_OK) {
        abort();
    }
    met__buffer_release(&buffer);
    return back;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met_error_info info = {.struct_size = sizeof info};
    met__arena arena;
    met__node *node = NULL;
    met__fields fields;
    met__text text = {0};

    met__arena_init(&arena, &platform);
    met_error error = met__json_parse(
        &arena, met__text_of((const char *)data, size), &node, &info);
    if (error == MET_OK) {
        if (!met__node_equal(node, again(&arena, &platform, node, 0))
            || !met__node_equal(node, again(&arena, &platform, node, 1))) {
            abort();
        }
        met__fields_begin(&fields, node, NULL, &info);
        met__fields_key(&fields, "key", MET__OPTIONAL, &text);
        met__fields_end(&fields);
    } else if (error != MET_E_INVALID || info.code != error
               || info.reason[0] == '\0' || node != NULL) {
        abort();
    }
    met__arena_release(&arena);
    return 0;
}

/* Any bytes as a stored record: refused, or a tree that JSON can show. */
#include <stdlib.h>

#include "fuzz.h"
#include "store/store.h"
#include "support/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;
    met__buffer buffer;
    met__node *node = NULL;

    met__arena_init(&arena, &platform);
    met_error error = met__record_unpack(
        &arena, met__text_of((const char *)data, size), &node);
    if (error == MET_OK) {
        met__buffer_init(&buffer, &platform);
        met__json_write(node, 0, &buffer);
        met__buffer_release(&buffer);
        /* a list that was read may grow */
        if (node->kind == MET__NODE_ARRAY
            && met__node_append(&arena, node, met__node_null(&arena))
                   != MET_OK) {
            abort();
        }
    } else if (error != MET_E_CORRUPT || node != NULL) {
        abort();
    }
    met__arena_release(&arena);
    return 0;
}

/* The first line as a path, the rest as a document. A path that is taken has a
 * canonical name, which leads back to a path of the same name; following it
 * ends somewhere in the document or nowhere. */
#include <stdlib.h>

#include "fuzz.h"
#include "meter/attribute_path.h"
#include "support/faults.h"

/* Whether the node is one of the tree. */
static int holds(const met__node *tree, const met__node *node)
{
    int found = tree == node;

    for (uint32_t i = 0; !found && tree->kind == MET__NODE_ARRAY
                         && i < tree->count; i++) {
        found = holds(tree->as.items[i], node);
    }
    for (uint32_t i = 0; !found && tree->kind == MET__NODE_OBJECT
                         && i < tree->count; i++) {
        found = holds(tree->as.members[i].node, node);
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met__platform platform = faulty_platform(NULL, NULL);
    const char *text = (const char *)data;
    const char *end = size > 0 ? memchr(text, '\n', size) : NULL;
    size_t path_size = end != NULL ? (size_t)(end - text) : size;
    met__text name = {0};
    met__text again = {0};
    const char *reason = NULL;
    met__arena arena;
    met__node *root = NULL;

    met__arena_init(&arena, &platform);
    met_error error = met__attribute_path_read(met__text_of(text, path_size),
                                               &arena, &name, &reason);
    if (error != MET_OK) {
        if (reason == NULL || name.data != NULL) {
            abort();
        }
    } else if (met__attribute_path_read(met__attribute_path_of(name, &arena),
                                        &arena, &again, &reason)
                   != MET_OK
               || !met__text_equal(name, again)) {
        abort();
    } else if (end != NULL
               && met__json_parse(&arena,
                                  met__text_of(end + 1, size - path_size - 1),
                                  &root, NULL)
                      == MET_OK) {
        const met__node *found = met__attribute_path_find(name, root);
        if (found != NULL && !holds(root, found)) {
            abort();
        }
    }
    met__arena_release(&arena);
    return 0;
}

/* Any text as a usage query: refused with path and reason, or a query whose
 * conditions answer yes or no for any value, among them texts of the query
 * itself. And the same bytes as a condition out of a file. */
#include <stdlib.h>

#include "fuzz.h"
#include "meter/usage_request.h"
#include "support/faults.h"

static void ask(met__text condition, met__text value)
{
    int answer = met__condition_holds(condition, value);

    if ((answer != 0 && answer != 1)
        || answer != met__condition_holds(condition, value)) {
        abort();
    }
}

static void ask_all(const met__usage_request *request, const uint8_t *data,
                    size_t size)
{
    static const char *const values[] = {"", "a", "null", "10", "-0.5",
                                         "1e400", "NaN", "\xc3\xa9"};
    const met__usage_query *query = &request->query;

    for (size_t i = 0; i < query->condition_count; i++) {
        met__text condition = query->conditions[i].condition;
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            ask(condition, met__text_z(values[k]));
        }
        for (size_t at = 0; at < size; at += 7) {
            ask(condition, met__text_of((const char *)data + at,
                                        size - at < 9 ? size - at : 9));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const met__path path = {NULL, "query", 0};
    met__platform platform = faulty_platform(NULL, NULL);
    met_error_info info = {.struct_size = sizeof info};
    met__arena arena;
    met__node *node = NULL;
    met__usage_request *request = NULL;

    met__arena_init(&arena, &platform);
    ask(met__text_of((const char *)data, size), MET__TEXT("a"));
    if (met__json_parse(&arena, met__text_of((const char *)data, size), &node,
                        NULL)
        == MET_OK) {
        met_error error = met__usage_request_read(node, &path, &arena,
                                                  &request, &info);
        if (error == MET_OK) {
            ask_all(request, data, size);
        } else if (request != NULL || info.code != error
                   || info.reason[0] == '\0'
                   || strncmp(info.field, "query", 5) != 0) {
            abort();
        }
    }
    met__arena_release(&arena);
    return 0;
}

/* Rows of usage as documents. In: a query and a row of it, or all of them.
 * Out: nodes. */
#include "base/check.h"
#include "meter/usage_query.h"

met_error met__usage_row_document(const met__usage_query *query,
                                  const met__usage_row *row,
                                  met__arena *arena, met__node **node_out)
{
    met__builder builder;
    met__builder dimensions;

    met__builder_begin(&builder, arena);
    met__builder_begin(&dimensions, arena);
    met__build_node(&builder, "from", met__node_time(arena, row->from_ns));
    met__build_time(&builder, "to", row->to_ns);
    met__build_decimal(&builder, "value", row->value);
    for (size_t i = 0; i < query->group_count; i++) {
        met__node *text = met__node_text(arena, row->values[i]);
        int is_subject = met__text_equal(query->groups[i],
                                         MET__TEXT("subject"));
        const char *name = is_subject
                               ? "subject"
                               : met__arena_copy(arena, query->groups[i].data,
                                                 query->groups[i].size);
        if (text == NULL || name == NULL) {
            return MET_E_NO_MEMORY;
        }
        met__build_node(is_subject ? &builder : &dimensions, name, text);
    }
    met__build_object(&builder, "dimensions", &dimensions);
    return met__builder_end(&builder, node_out);
}

met_error met__usage_rows(met__txn *txn, const met__usage_query *query,
                          met__arena *arena, met__node **array_out,
                          met_error_info *info)
{
    met__usage_cursor *cursor = NULL;
    met__usage_row row;
    met__node *rows = met__node_array(arena);
    met_error error = rows == NULL
                          ? MET_E_NO_MEMORY
                          : met__usage_open(txn, query,
                                            MET__USAGE_GROUPS_MAX, &cursor,
                                            info);

    MET__ASSERT(array_out != NULL);
    while (error == MET_OK) {
        met__node *node = NULL;
        error = met__usage_next(cursor, &row, info);
        if (error == MET_E_NOT_FOUND) {
            *array_out = rows;
            error = MET_OK;
            break;
        }
        if (error == MET_OK) {
            error = met__usage_row_document(query, &row, arena, &node);
        }
        if (error == MET_OK) {
            error = met__node_append(arena, rows, node);
        }
    }
    met__usage_close(cursor);
    return error;
}

/* Rows of usage as documents. In: a query and a row of it, or all of them.
 * Out: nodes. */
#include "base/check.h"
#include "meter/usage_query.h"

/* A member that must be there: without memory there is none. */
static void build(met__builder *builder, const char *name, met__node *node)
{
    if (node == NULL) {
        builder->error = MET_E_NO_MEMORY;
    }
    met__build_node(builder, name, node);
}

/* The id of a customer of the query. */
static met__text id_of(const met__usage_query *query, met__text key)
{
    size_t i = 0;

    while (i + 1 < query->customer_count
           && !met__text_equal(query->customers[i].key, key)) {
        i++;
    }
    return query->customers[i].id;
}

/* One group of the row, where its kind belongs. */
static met_error build_group(met__builder *builder, met__builder *dimensions,
                             const met__usage_query *query, met__text name,
                             met__text value, met__arena *arena)
{
    if (met__text_equal(name, MET__TEXT("subject"))) {
        build(builder, "subject", met__node_text(arena, value));
        return MET_OK;
    }
    if (met__text_equal(name, MET__TEXT("customer_id"))) {
        met__build_text(builder, "customer_id", id_of(query, value));
        met__build_text(builder, "customer", value);
        return MET_OK;
    }
    const char *copy = met__arena_copy(arena, name.data, name.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    build(dimensions, copy, met__node_text(arena, value));
    return MET_OK;
}

met_error met__usage_row_document(const met__usage_query *query,
                                  const met__usage_row *row,
                                  met__arena *arena, met__node **node_out)
{
    met__builder builder;
    met__builder dimensions;

    met__builder_begin(&builder, arena);
    met__builder_begin(&dimensions, arena);
    build(&builder, "from", met__node_time(arena, row->from_ns));
    met__build_time(&builder, "to", row->to_ns);
    met__build_decimal(&builder, "value", row->value);
    for (size_t i = 0; i < query->group_count; i++) {
        met_error error = build_group(&builder, &dimensions, query,
                                      query->groups[i], row->values[i],
                                      arena);
        if (error != MET_OK) {
            return error;
        }
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
                                            MET__USAGE_GROUPS_ALL, &cursor,
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

/* What the commands on usage share: a query out of options, and its rows. */
#ifndef TOOL_USAGE_QUERY_H
#define TOOL_USAGE_QUERY_H

#include "tool.h"

/* The query as JSON, to be freed; NULL with a message, then *status_out. */
char *usage_query_text(const tool *self, int *status_out);
/* What rows are grouped by, in order, named or implied; to be released. */
json_t *usage_query_groups(const tool *self);
/* The value of a group in a row, borrowed. */
const char *usage_row_group(json_t *row, const char *group);
/* Every row, in order, until visit returns something else than TOOL_OK. */
int usage_query_rows(tool *self, void *context,
                     int (*visit)(const tool *self, void *context,
                                  json_t *row));

#endif

/* YAML files as JSON text: what people write, in what the library reads. */
#ifndef TOOL_YAML_H
#define TOOL_YAML_H

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "tool.h"

/* The one document of a YAML (or JSON) stream as a new reference. Whole
 * numbers become integers; a number with a fraction becomes its text, so that
 * money never passes through a double. Anchors and aliases, several documents,
 * nesting beyond 16 and files beyond 16 MiB are refused.
 * NULL on failure with a reason in reason_out. */
json_t *yaml_load(FILE *file, char *reason_out, size_t reason_size);
/* That of a file ("-": stdin); NULL with a message. */
json_t *yaml_read(const tool *self, const char *name);
/* The same as JSON text, to be freed. */
char *yaml_read_text(const tool *self, const char *name);

#endif

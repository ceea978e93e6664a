/* What the commands of `metering` share: arguments, options, output, errors. */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>
#include <metering/metering.h>

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

typedef struct tool {
    const char *directory; /* -d, or METERING_DIR */
    const char *command;   /* "usage query", for messages */
    int is_json;
    int argument_count; /* positional, after noun and verb */
    const char **arguments;
    int option_count; /* --name value pairs, in order */
    const char **option_names;
    const char **option_values; /* NULL for a flag */
    met_store *store;           /* opened on demand */
    met_platform platform;      /* clock of a replay */
} tool;

/* One row of the table of commands. options: names without "--"; one that
 * ends with "=" takes a value. */
typedef struct tool_command {
    const char *noun;
    const char *verb; /* NULL when the noun stands alone */
    const char *arguments;
    const char *options; /* space separated */
    const char *summary;
    int argument_min;
    int argument_max; /* -1: any number */
    int (*run)(tool *self);
} tool_command;

extern const tool_command tool_commands[]; /* ends with a NULL noun */

/* --- Options. The n-th value of a repeated option, or NULL. ---------------- */
const char *tool_option(const tool *self, const char *name, int n);
int tool_flag(const tool *self, const char *name);
/* An option as RFC 3339 time; fallback when it is not given. */
int tool_option_time(const tool *self, const char *name, int64_t fallback,
                     int64_t *utc_ns_out);
int64_t tool_now(void);

/* --- Errors: one line on stderr, the exit status as the answer. ------------ */
int tool_fail(const tool *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int tool_usage(const tool *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int tool_error(const tool *self, met_error error, const met_error_info *info);

/* --- The store of -d. ------------------------------------------------------ */
/* May create it when is_create. TOOL_OK or an exit status. */
int tool_open(tool *self, int is_create);

/* --- Output. --------------------------------------------------------------- */
/* Pretty JSON of a library answer with --json, else as a table of its items. */
int tool_print_list(const tool *self, const met_buffer *answer,
                    const char *const *columns);
int tool_print_json(const tool *self, const met_buffer *answer);

/* --- Commands, one file a group. ------------------------------------------- */
int command_apply(tool *self);
int command_list(tool *self);
int command_show(tool *self);
int command_subscription_cancel(tool *self);
int command_settle(tool *self);
int command_usage_query(tool *self);
int command_invoice_preview(tool *self);
int command_invoice_finalize(tool *self);
int command_invoice_list(tool *self);
int command_invoice_show(tool *self);
int command_entitlement_show(tool *self);
int command_limit_replay(tool *self);
int command_gateway_replay(tool *self);
int command_info(tool *self);
int command_check(tool *self);
int command_backup(tool *self);

#endif

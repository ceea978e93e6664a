/* What the commands of `metering` share: arguments, options, input, output,
 * errors. Only the public headers of the library are used. */
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
    int64_t virtual_ns;         /* what the store's clock says; 0: the real
                                   time. Set it before tool_open. */
} tool;

/* One row of the table of commands. options: names without "--", separated by
 * a space; one that ends with "=" takes a value, with "=+" any number of
 * times. help: what the summary does not say. */
typedef struct tool_command {
    const char *noun;
    const char *verb; /* NULL when the noun stands alone */
    const char *arguments;
    const char *options;
    const char *summary;
    const char *help;
    int argument_min;
    int argument_max; /* -1: any number */
    int (*run)(tool *self);
} tool_command;

extern const tool_command tool_commands[]; /* ends with a NULL noun */

/* --- Options -------------------------------------------------------------- */
/* One option of a row of the table. */
typedef struct tool_option_name {
    const char *name; /* without "--"; no NUL */
    size_t name_size;
    int takes_value;
    int is_repeatable;
} tool_option_name;
/* The options of a row, one at a time; *at begins as row->options. 0: none is
 * left. */
int tool_next_option(const char **at, tool_option_name *option_out);
/* The n-th value of an option, or NULL. */
const char *tool_option(const tool *self, const char *name, int n);
int tool_flag(const tool *self, const char *name);
/* An option as RFC 3339 time; fallback when it is not given. TOOL_OK or an
 * exit status, like the next two. */
int tool_option_time(const tool *self, const char *name, int64_t fallback,
                     int64_t *utc_ns_out);
/* A whole number, minimum … maximum. */
int tool_option_number(const tool *self, const char *name, int64_t fallback,
                       int64_t minimum, int64_t maximum, int64_t *number_out);
/* "500ms", "60s", "60" (seconds), "1m", "1h", "7d"; or a word: "second",
 * "minute", "hour", "day", "month" (30 days), "year" (365 days). 0: not a
 * duration, or none above zero that fits. */
int64_t tool_duration(const char *text);

/* --- Errors: one line on stderr, the exit status as the answer ------------ */
int tool_fail(const tool *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int tool_usage(const tool *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Field and reason of an error of the library. */
int tool_error(const tool *self, met_error error, const met_error_info *info);

/* --- The store of -d ------------------------------------------------------ */
/* May create it when is_create. TOOL_OK or an exit status. */
int tool_open(tool *self, int is_create);

/* --- Input ---------------------------------------------------------------- */
/* "-" is stdin. NULL with a message. Close with tool_input_close. */
FILE *tool_input_open(const tool *self, const char *name);
void tool_input_close(FILE *file);
/* Every line of an NDJSON file as a parsed object, in order; blank lines are
 * skipped. visit gets the line's number and returns TOOL_OK to go on. A line
 * that is not a JSON object, or is longer than 1 MiB, ends it. */
int tool_input_lines(const tool *self, const char *name, void *context,
                     int (*visit)(const tool *self, void *context,
                                  long long line, json_t *object));
/* Members of a line, with "FILE line N: member: reason" on failure. *_out
 * stays as it was when the member is missing or null. */
#define TOOL_LINE_MEMBERS_MAX 16
typedef struct tool_line {
    const tool *self;
    const char *file;
    long long number;
    json_t *object;
    size_t known_count; /* members asked for so far */
    const char *known[TOOL_LINE_MEMBERS_MAX];
    int status;   /* TOOL_OK until the first failure */
} tool_line;
void tool_line_text(tool_line *line, const char *name, int is_required,
                    const char **text_out, size_t *size_out);
void tool_line_number(tool_line *line, const char *name, int64_t minimum,
                      int64_t maximum, int64_t *number_out);
void tool_line_time(tool_line *line, const char *name, int64_t *utc_ns_out);
void tool_line_failed(tool_line *line, const char *name, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));
/* Refuses members nobody asked for; the status. */
int tool_line_end(tool_line *line);

/* --- Output --------------------------------------------------------------- */
/* The items of a library answer: with --json the answer itself, else a table.
 * columns: dotted member names, NULL at the end. */
int tool_print_list(const tool *self, const char *answer, size_t size,
                    const char *member, const char *const *columns);
/* Pretty JSON; with --field PATH only that member, texts without quotes. */
int tool_print_document(const tool *self, const char *answer, size_t size);
/* The same with a path; NULL: all of it. */
int tool_print_member(const tool *self, const char *answer, size_t size,
                      const char *path);
/* The document that a call gave, which is released, or its error. */
int tool_print_answer(const tool *self, met_error error, met_buffer *answer,
                      const met_error_info *info);
/* The document of the file that is the first argument, handed to a call that
 * answers with what is stored. */
typedef met_error tool_put_call(met_store *store, const char *json,
                                size_t json_size, met_buffer *json_out,
                                met_error_info *info);
int tool_put(tool *self, tool_put_call *call);
/* The same of a call that may reach into the past. */
typedef met_error tool_create_call(met_store *store, const char *json,
                                   size_t json_size, uint64_t flags,
                                   met_buffer *json_out,
                                   met_error_info *info);
int tool_create(tool *self, tool_create_call *call);
/* MET_ALLOW_PAST with --allow-past. */
uint64_t tool_past_flag(const tool *self);
/* One line of NDJSON. Takes the reference. */
int tool_print_line(const tool *self, json_t *object);
/* Columns a text takes on a terminal: characters of UTF-8. */
int tool_width(const char *text);
/* A progress line on stderr, at most twice a second and only on a terminal;
 * total 0: not known. tool_progress_end wipes it. */
void tool_progress(const char *what, unsigned long long done,
                   unsigned long long total);
void tool_progress_end(void);

/* --- Again and again ------------------------------------------------------ */
/* --interval, 1s when it is not given. TOOL_OK or an exit status. */
int tool_follow_interval(const tool *self, int is_following,
                         int64_t *interval_ns_out);
/* Until SIGINT, SIGTERM or a pass that fails; its status. */
int tool_follow(tool *self, int64_t interval_ns, void *context,
                int (*pass)(tool *self, void *context));

/* --- Commands, one file a group ------------------------------------------- */
int command_init(tool *self);
int command_apply(tool *self);
int command_export(tool *self);
int command_customer_erase(tool *self);
int command_customer_rename(tool *self);
int command_credential_rotate(tool *self);
int command_subject_erase(tool *self);
int command_subject_rename(tool *self);
int command_audit(tool *self);
int command_list(tool *self);
int command_show(tool *self);
int command_meter_remove(tool *self);
int command_feature_archive(tool *self);
int command_plan_publish(tool *self);
int command_plan_archive(tool *self);
int command_plan_remove(tool *self);
int command_customer_remove(tool *self);
int command_meter_put(tool *self);
int command_feature_put(tool *self);
int command_plan_put(tool *self);
int command_plan_next(tool *self);
int command_customer_put(tool *self);
int command_subscription_create(tool *self);
int command_subscription_cancel(tool *self);
int command_subscription_change(tool *self);
int command_subscription_migrate(tool *self);
int command_subscription_continue(tool *self);
int command_subscription_restore(tool *self);
int command_subscription_remove(tool *self);
int command_subscription_show(tool *self);
int command_gateway_remove(tool *self);
int command_event_ingest(tool *self);
int command_event_list(tool *self);
int command_event_explain(tool *self);
int command_event_retract(tool *self);
int command_event_settings(tool *self);
int command_usage_adjust(tool *self);
int command_usage_query(tool *self);
int command_usage_plot(tool *self);
int command_usage_settings(tool *self);
int command_compact(tool *self);
/* One compaction of the open store; quiet: a line only when it did something,
 * and none with --json. */
int tool_compact(tool *self, const met_compact_config *config, int is_quiet);
int command_settle(tool *self);
int command_entitlement_create(tool *self);
int command_entitlement_history(tool *self);
int command_entitlement_override(tool *self);
int command_entitlement_remove(tool *self);
int command_entitlement_reset(tool *self);
int command_entitlement_simulate(tool *self);
/* What a customer may use of a feature; NULL: of all. */
int tool_show_entitlement(tool *self, const char *customer,
                          const char *feature);
#define TOOL_GRANT_COLUMNS                                                  \
    {"id", "feature.key", "amount", "priority", "effective_at", "expires_at", \
     "voided_at", NULL}
int command_entitlement_show(tool *self);
int command_entitlement_balance(tool *self);
int command_grant_create(tool *self);
int command_grant_list(tool *self);
int command_grant_show(tool *self);
int command_grant_void(tool *self);
int command_billing_profile(tool *self);
int command_billing_run(tool *self);
int command_invoice_preview(tool *self);
int command_invoice_finalize(tool *self);
/* For a person as text, with --json or --field as the document. Releases the
 * document. */
int tool_print_invoice(tool *self, met_buffer *document);
int command_invoice_act(tool *self);
int command_invoice_credit(tool *self);
int command_invoice_recompute(tool *self);
int command_invoice_list(tool *self);
int command_invoice_show(tool *self);
int command_invoice_render(tool *self);
int command_invoice_export(tool *self);
int command_notice_rule(tool *self);
int command_notice_list(tool *self);
int command_notice_next(tool *self);
int command_notice_ack(tool *self);
int command_notice_follow(tool *self);
int command_rate(tool *self);
int command_limit_replay(tool *self);
int command_gateway_replay(tool *self);
int command_completion(tool *self);
int command_info(tool *self);
int command_check(tool *self);
int command_backup(tool *self);

#endif

/* Commands on notices: rule, list, next, ack, follow. */
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#define FOLLOW_BATCH 100

/* Prints the items that a call gave, or its error. */
static int print_list(tool *self, met_error error, met_buffer *answer,
                      const met_error_info *info, const char *const *columns)
{
    if (error != MET_OK) {
        return tool_error(self, error, info);
    }
    int status = tool_print_list(self, answer->data, answer->size, "items",
                                 columns);
    met_buffer_release(answer);
    return status;
}

/* --- Rules ---------------------------------------------------------------- */
static int put_rules(tool *self)
{
    for (int i = 1; i < self->argument_count; i++) {
        met_error_info info = {.struct_size = sizeof info};
        met_buffer answer = {0};
        char *text = yaml_read_text(self, self->arguments[i]);
        if (text == NULL) {
            return TOOL_FAILED;
        }
        met_error error = met_notice_rule_put(self->store, text, strlen(text),
                                              &answer, &info);
        free(text);
        if (error != MET_OK) {
            return tool_error(self, error, &info);
        }
        int status = tool_print_document(self, answer.data, answer.size);
        met_buffer_release(&answer);
        if (status != TOOL_OK) {
            return status;
        }
    }
    return TOOL_OK;
}

static int list_rules(tool *self)
{
    static const char *const columns[] = {
    "id",          "created_at",     "type",            "rule.key",
    "customer.key", "feature.key",   "threshold.type",  "threshold.value",
    "value.usage", "value.balance",  "deliveries",      NULL};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    met_error error = met_notice_rule_list(self->store, &answer, &info);

    return print_list(self, error, &answer, &info, columns);
}

static int show_rule(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *key = self->arguments[1];
    met_error error = met_notice_rule_get(self->store, key, strlen(key),
                                          &answer, &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    int status = tool_print_document(self, answer.data, answer.size);
    met_buffer_release(&answer);
    return status;
}

static int remove_rule(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    const char *key = self->arguments[1];
    met_error error = met_notice_rule_remove(self->store, key, strlen(key),
                                             &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "%s is removed\n", key);
    return TOOL_OK;
}

static const struct rule_verb {
    const char *name;
    int argument_min; /* behind the verb */
    int argument_max;
    int (*run)(tool *self);
} rule_verbs[] = {{"put", 1, -1, put_rules},
                  {"list", 0, 0, list_rules},
                  {"show", 1, 1, show_rule},
                  {"remove", 1, 1, remove_rule}};

int command_notice_rule(tool *self)
{
    int count = self->argument_count - 1;

    for (size_t i = 0; i < sizeof rule_verbs / sizeof *rule_verbs; i++) {
        const struct rule_verb *verb = &rule_verbs[i];
        if (strcmp(verb->name, self->arguments[0]) != 0) {
            continue;
        }
        if (count < verb->argument_min
            || (verb->argument_max >= 0 && count > verb->argument_max)) {
            break;
        }
        int status = tool_open(self, 0);
        return status == TOOL_OK ? verb->run(self) : status;
    }
    return tool_usage(self, "expected: put FILE…, list, show KEY or remove "
                            "KEY");
}

/* --- The queue ------------------------------------------------------------ */
static const char *const columns[] = {
    "id",          "created_at",     "type",          "rule.key",
    "customer.key",
    "feature.key",  "threshold.type", "threshold.value",
    "value.usage",  "value.balance",  "deliveries", NULL};

int command_notice_list(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    int64_t limit;
    int status = tool_option_number(self, "limit", 100, 1, 1000, &limit);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_notice_list(self->store, (uint32_t)limit, &answer,
                                      &info);
    return print_list(self, error, &answer, &info, columns);
}

/* --lease: 60s when it is not given. */
static int read_lease(const tool *self, int64_t *lease_ns_out)
{
    const char *text = tool_option(self, "lease", 0);

    *lease_ns_out = text != NULL ? tool_duration(text) : 0;
    return text == NULL || *lease_ns_out > 0
               ? TOOL_OK
               : tool_usage(self, "--lease: \"%s\" is not a duration like "
                                  "30s or 5m", text);
}

int command_notice_next(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    int64_t limit;
    int64_t lease_ns = 0;
    int status = tool_option_number(self, "limit", 1, 1, 1000, &limit);

    status = status == TOOL_OK ? read_lease(self, &lease_ns) : status;
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_notice_next(self->store, (uint32_t)limit, lease_ns,
                                      &answer, &info);
    return print_list(self, error, &answer, &info, columns);
}

int command_notice_ack(tool *self)
{
    for (int i = 0; i < self->argument_count; i++) {
        met_error_info info = {.struct_size = sizeof info};
        const char *id = self->arguments[i];
        int status = tool_open(self, 0);
        if (status != TOOL_OK) {
            return status;
        }
        met_error error = met_notice_ack(
            self->store, id, strlen(id),
            tool_flag(self, "older") ? MET_NOTICE_AND_OLDER : 0, &info);
        if (error != MET_OK) {
            return tool_error(self, error, &info);
        }
    }
    return TOOL_OK;
}

/* --- follow --------------------------------------------------------------- */
/* Prints a notice, and acknowledges it when it is out of our hands. */
static int pass_on(tool *self, json_t *notice)
{
    met_error_info info = {.struct_size = sizeof info};
    json_t *id = json_object_get(notice, "id");
    int status = tool_print_line(self, json_incref(notice));

    if (status == TOOL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        return tool_fail(self, "cannot write: the notice stays");
    }
    if (status != TOOL_OK || tool_flag(self, "keep")) {
        return status;
    }
    met_error error = met_notice_ack(self->store, json_string_value(id),
                                     json_string_length(id), 0, &info);
    return error == MET_OK || error == MET_E_NOT_FOUND
               ? TOOL_OK
               : tool_error(self, error, &info);
}

static int follow_pass(tool *self, void *context)
{
    const int64_t *lease_ns = context;
    int status = TOOL_OK;
    size_t count = 0;

    do {
        met_error_info info = {.struct_size = sizeof info};
        met_buffer answer = {0};
        met_error error = met_notice_next(self->store, FOLLOW_BATCH,
                                          *lease_ns, &answer, &info);
        if (error != MET_OK) {
            return tool_error(self, error, &info);
        }
        json_t *root = json_loadb(answer.data, answer.size, 0, NULL);
        json_t *items = json_object_get(root, "items");
        met_buffer_release(&answer);
        count = json_array_size(items);
        for (size_t i = 0; status == TOOL_OK && i < count; i++) {
            status = pass_on(self, json_array_get(items, i));
        }
        json_decref(root);
    } while (status == TOOL_OK && count == FOLLOW_BATCH);
    return status;
}

int command_notice_follow(tool *self)
{
    int64_t interval_ns;
    int64_t lease_ns = 0;
    int status = tool_follow_interval(self, 1, &interval_ns);

    status = status == TOOL_OK ? read_lease(self, &lease_ns) : status;
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status == TOOL_OK && tool_flag(self, "once")) {
        return follow_pass(self, &lease_ns);
    }
    return status == TOOL_OK
               ? tool_follow(self, interval_ns, &lease_ns, follow_pass)
               : status;
}

/* Commands on usage: usage query, settle, entitlement show. */
#include "tool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- usage query ------------------------------------------------------------ */
/* Every value of a repeated option, split at commas, as a list. */
static json_t *texts_of(const tool *self, const char *name)
{
    json_t *list = json_array();

    for (int i = 0; tool_option(self, name, i) != NULL; i++) {
        const char *at = tool_option(self, name, i);
        for (;;) {
            size_t size = strcspn(at, ",");
            json_array_append_new(list, json_stringn(at, size));
            if (at[size] == '\0') {
                break;
            }
            at += size + 1;
        }
    }
    return list;
}

/* --filter NAME=VALUE … as {"NAME": {"eq": "VALUE"}}. NULL with a message. */
static json_t *filters_of(const tool *self)
{
    json_t *filters = json_object();

    for (int i = 0; tool_option(self, "filter", i) != NULL; i++) {
        const char *text = tool_option(self, "filter", i);
        const char *equals = strchr(text, '=');
        char name[160];
        if (equals == NULL || equals == text
            || (size_t)(equals - text) >= sizeof name) {
            tool_usage(self, "--filter: \"%s\" is not NAME=VALUE", text);
            json_decref(filters);
            return NULL;
        }
        snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
        if (json_object_get(filters, name) != NULL) {
            tool_usage(self, "--filter: \"%s\" is given twice", name);
            json_decref(filters);
            return NULL;
        }
        json_object_set_new(filters, name,
                            json_pack("{s:s}", "eq", equals + 1));
    }
    return filters;
}

static void set_text(json_t *query, const tool *self, const char *option)
{
    const char *text = tool_option(self, option, 0);

    if (text != NULL) {
        json_t *value = json_string(text);
        /* What is no UTF-8 goes to the library as what it is not: a text. */
        json_object_set_new(query, option, value ? value : json_integer(0));
    }
}

static json_t *query_of(const tool *self)
{
    static const char *const texts[] = {"meter", "feature", "customer", "from",
                                        "to", "window"};
    json_t *filters = filters_of(self);
    json_t *query = filters ? json_object() : NULL;

    if (query == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        set_text(query, self, texts[i]);
    }
    if (tool_flag(self, "subject")) {
        json_t *subjects = json_array();
        for (int i = 0; tool_option(self, "subject", i) != NULL; i++) {
            json_array_append_new(subjects,
                                  json_string(tool_option(self, "subject",
                                                          i)));
        }
        json_object_set_new(query, "subjects", subjects);
    }
    if (json_object_size(filters) > 0) {
        json_object_set(query, "filters", filters);
    }
    if (tool_flag(self, "group-by")) {
        json_object_set_new(query, "group_by", texts_of(self, "group-by"));
    }
    if (tool_flag(self, "settle")) {
        json_object_set_new(query, "settle_first", json_true());
    }
    json_decref(filters);
    return query;
}

/* from, to, the groups in the order they were asked for, value. */
static int print_usage(const tool *self, const met_buffer *answer)
{
    char names[8][80];
    const char *columns[12] = {"from", "to"};
    size_t count = 2;
    json_t *groups = texts_of(self, "group-by");

    for (size_t i = 0; i < json_array_size(groups) && i < 8; i++) {
        const char *name = json_string_value(json_array_get(groups, i));
        snprintf(names[i], sizeof names[i], "%s%s",
                 strcmp(name, "subject") == 0 ? "" : "dimensions.", name);
        columns[count++] = names[i];
    }
    columns[count] = "value";
    int status = tool_print_list(self, answer->data, answer->size, "data",
                                 columns);
    json_decref(groups);
    return status;
}

int command_usage_query(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    json_t *query = query_of(self);

    if (query == NULL) {
        return TOOL_USAGE;
    }
    char *text = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    int status = text ? tool_open(self, 0)
                      : tool_fail(self, "out of memory");
    if (status == TOOL_OK) {
        met_error error = met_usage_query(self->store, text, strlen(text),
                                          &answer, &info);
        if (error != MET_OK) {
            status = tool_error(self, error, &info);
        } else if (tool_flag(self, "field")) {
            status = tool_print_document(self, answer.data, answer.size);
        } else {
            status = print_usage(self, &answer);
        }
        met_buffer_release(&answer);
    }
    free(text);
    return status;
}

/* --- settle ------------------------------------------------------------------ */
static volatile sig_atomic_t is_stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopping = 1;
}

static int settle_once(tool *self, int is_quiet_when_idle)
{
    met_settle_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    met_error error = met_store_settle(self->store, &config, &report, &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    json_t *root = json_loadb(report.data, report.size, 0, NULL);
    json_int_t events = json_integer_value(json_object_get(root, "events"));
    json_int_t parts = json_integer_value(json_object_get(root, "parts"));
    int status = TOOL_OK;
    if (tool_flag(self, "field")) {
        status = tool_print_document(self, report.data, report.size);
    } else if (self->is_json) {
        status = tool_print_line(self, json_incref(root));
    } else if (events > 0 || parts > 0 || !is_quiet_when_idle) {
        printf("settled %lld events in %lld parts\n", (long long)events,
               (long long)parts);
    }
    fflush(stdout);
    json_decref(root);
    met_buffer_release(&report);
    return status;
}

int command_settle(tool *self)
{
    const char *text = tool_option(self, "interval", 0);
    int is_following = tool_flag(self, "follow");
    int64_t interval_ns = text ? tool_duration(text) : 1000000000;
    struct sigaction action = {.sa_handler = stop};

    if (interval_ns <= 0) {
        return tool_usage(self, "--interval: \"%s\" is not a duration like "
                                "500ms, 1s or 1m", text);
    }
    if (text != NULL && !is_following) {
        return tool_usage(self, "--interval goes with --follow");
    }
    int status = tool_open(self, 0);
    if (status != TOOL_OK || !is_following) {
        return status == TOOL_OK ? settle_once(self, 0) : status;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (status == TOOL_OK && !is_stopping) {
        struct timespec interval = {(time_t)(interval_ns / 1000000000),
                                    (long)(interval_ns % 1000000000)};
        status = settle_once(self, 1);
        if (status == TOOL_OK && !is_stopping) {
            nanosleep(&interval, NULL);
        }
    }
    return status == TOOL_OK ? settle_once(self, 1) : status;
}

/* --- entitlement show --------------------------------------------------------- */
int command_entitlement_show(tool *self)
{
    static const char *const columns[] = {
        "feature_key", "type",    "has_access",
        "usage",       "balance", "overage",
        "is_soft_limit", "current_usage_period.to", NULL};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *customer = self->arguments[0];
    const char *feature = self->argument_count > 1 ? self->arguments[1] : NULL;
    int64_t at_ns;
    met_error error;
    int status = tool_option_time(self, "at", 0, &at_ns);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    if (feature == NULL) {
        error = met_entitlement_list(self->store, customer, strlen(customer),
                                     at_ns, &answer, &info);
    } else {
        error = met_entitlement_get(self->store, customer, strlen(customer),
                                    feature, strlen(feature), at_ns, &answer,
                                    &info);
    }
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = feature || tool_flag(self, "field")
                 ? tool_print_document(self, answer.data, answer.size)
                 : tool_print_list(self, answer.data, answer.size, "items",
                                   columns);
    met_buffer_release(&answer);
    return status;
}

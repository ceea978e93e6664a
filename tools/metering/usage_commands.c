/* Commands on usage: settle, entitlement show, balance and history. Queries:
 * usage_query.c. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- settle --------------------------------------------------------------- */
/* Who holds settlement up, for people; the same again is not told again. */
static void say_held_up(json_t *root)
{
    static char told[1024];
    char text[sizeof told] = "";
    size_t size = 0;
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(root, "held_up_by"), i, item) {
        json_t *process = json_object_get(item, "process_id");
        char whose[40] = "";
        if (process != NULL) {
            snprintf(whose, sizeof whose, " (process %lld)",
                     (long long)json_integer_value(process));
        }
        int more = snprintf(text + size, sizeof text - size,
                            "held up by slot %lld%s: %s\n",
                            (long long)json_integer_value(
                                json_object_get(item, "slot")),
                            whose, json_string_value(
                                       json_object_get(item, "reason")));
        if (more < 0 || (size_t)more >= sizeof text - size) {
            text[size] = '\0';
            break;
        }
        size += (size_t)more;
    }
    if (strcmp(text, told) != 0) {
        fputs(text, stderr);
        memcpy(told, text, sizeof told);
    }
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
        printf("settled %lld events in %lld parts of %lld slots, %.1f ms\n",
               (long long)events, (long long)parts,
               (long long)json_integer_value(json_object_get(root, "slots")),
               (double)json_integer_value(json_object_get(root,
                                                          "duration_ns"))
                   / 1e6);
    }
    if (!self->is_json && !tool_flag(self, "field")) {
        say_held_up(root);
    }
    fflush(stdout);
    json_decref(root);
    met_buffer_release(&report);
    return status;
}

#define COMPACT_EVERY_S 60

/* With --compact: after the first pass, and then once a minute. */
static int compact_sometimes(tool *self, time_t *last)
{
    met_compact_config config = {.struct_size = sizeof config};
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!tool_flag(self, "compact")
        || (*last != 0 && now.tv_sec - *last < COMPACT_EVERY_S)) {
        return TOOL_OK;
    }
    *last = now.tv_sec;
    return tool_compact(self, &config, 1);
}

static int settle_pass(tool *self, void *context)
{
    int status = settle_once(self, 1);

    return status == TOOL_OK ? compact_sometimes(self, context) : status;
}

int command_settle(tool *self)
{
    int is_following = tool_flag(self, "follow");
    int64_t interval_ns;
    time_t compacted = 0;
    int status = tool_follow_interval(self, is_following, &interval_ns);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status == TOOL_OK && !is_following) {
        status = settle_once(self, 0);
        return status == TOOL_OK ? compact_sometimes(self, &compacted)
                                 : status;
    }
    if (status == TOOL_OK) {
        status = tool_follow(self, interval_ns, &compacted, settle_pass);
    }
    return status == TOOL_OK ? settle_once(self, 1) : status;
}

/* --- entitlement show, balance -------------------------------------------- */
/* One feature: its document, or the member. All: a table. */
static int show_values(tool *self, const char *customer, const char *feature,
                       const char *member, const char *const *columns)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *field = tool_option(self, "field", 0);
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
    if (feature != NULL || field != NULL) {
        status = tool_print_member(self, answer.data, answer.size,
                                   field != NULL || self->is_json
                                       ? field
                                       : member);
    } else {
        status = tool_print_list(self, answer.data, answer.size, "items",
                                 columns);
    }
    met_buffer_release(&answer);
    return status;
}

int tool_show_entitlement(tool *self, const char *customer,
                          const char *feature)
{
    static const char *const columns[] = {
        "feature_key", "type",    "has_access",
        "usage",       "balance", "overage",
        "is_soft_limit", "current_usage_period.to", NULL};

    return show_values(self, customer, feature, NULL, columns);
}

static const char *second(const tool *self)
{
    return self->argument_count > 1 ? self->arguments[1] : NULL;
}

int command_entitlement_show(tool *self)
{
    return tool_show_entitlement(self, self->arguments[0], second(self));
}

int command_entitlement_balance(tool *self)
{
    static const char *const columns[] = {
        "feature_key", "balance", "usage", "overage", "total_available",
        "current_usage_period.from", "current_usage_period.to", NULL};

    return show_values(self, self->arguments[0], second(self), "balance",
                       columns);
}

/* --- entitlement history -------------------------------------------------- */
int command_entitlement_history(tool *self)
{
    static const char *const windows[] = {"from", "usage",
                                          "balance_at_start",
                                          "overage_at_start", NULL};
    static const char *const segments[] = {
        "from", "to", "usage", "balance_at_start", "burned",
        "overage_at_end", NULL};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *customer = self->arguments[0];
    const char *feature = self->arguments[1];
    const char *window = tool_option(self, "window", 0);
    int by_segment = tool_flag(self, "segments");
    int64_t from_ns = 0;
    int64_t to_ns = 0;
    int by_hour = window != NULL && strcmp(window, "hour") == 0;
    int status = tool_option_time(self, "from", 0, &from_ns);

    if (window != NULL && !by_hour && strcmp(window, "day") != 0) {
        return tool_usage(self, "--window: \"%s\" is not hour or day", window);
    }
    status = status == TOOL_OK ? tool_option_time(self, "to", 0, &to_ns)
                               : status;
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_entitlement_history(
        self->store, customer, strlen(customer), feature, strlen(feature),
        from_ns, to_ns, by_hour ? MET_HISTORY_HOUR : MET_HISTORY_DAY, &answer,
        &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = tool_flag(self, "field")
                 ? tool_print_document(self, answer.data, answer.size)
                 : tool_print_list(self, answer.data, answer.size,
                                   by_segment ? "segments" : "windows",
                                   by_segment ? segments : windows);
    met_buffer_release(&answer);
    return status;
}

/* metering: the command line tool. Reads options, finds the row of the table,
 * runs it. Exit status 0 done, 1 failed, 2 wrong use. */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int tool_fail(const tool *self, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "metering%s%s: ", self->command ? " " : "",
            self->command ? self->command : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return TOOL_FAILED;
}

int tool_usage(const tool *self, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "metering%s%s: ", self->command ? " " : "",
            self->command ? self->command : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\nTry: metering help\n", stderr);
    return TOOL_USAGE;
}

int tool_error(const tool *self, met_error error, const met_error_info *info)
{
    if (info == NULL || info->reason[0] == '\0') {
        return tool_fail(self, "%s (%s)", met_error_message(error),
                         met_error_name(error));
    }
    if (info->field[0] == '\0') {
        return tool_fail(self, "%s (%s)", info->reason, met_error_name(error));
    }
    return tool_fail(self, "%s: %s (%s)", info->field, info->reason,
                     met_error_name(error));
}

const char *tool_option(const tool *self, const char *name, int n)
{
    for (int i = 0; i < self->option_count; i++) {
        if (strcmp(self->option_names[i], name) == 0 && n-- == 0) {
            return self->option_values[i];
        }
    }
    return NULL;
}

int tool_flag(const tool *self, const char *name)
{
    for (int i = 0; i < self->option_count; i++) {
        if (strcmp(self->option_names[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

int64_t tool_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int tool_option_time(const tool *self, const char *name, int64_t fallback,
                     int64_t *utc_ns_out)
{
    const char *text = tool_option(self, name, 0);

    if (text == NULL) {
        *utc_ns_out = fallback;
        return TOOL_OK;
    }
    if (met_time_parse(text, strlen(text), utc_ns_out) != MET_OK) {
        return tool_usage(self, "--%s: \"%s\" is not a time like "
                          "2026-01-31T00:00:00Z", name, text);
    }
    return TOOL_OK;
}

int tool_open(tool *self, int is_create)
{
    met_store_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    met_error error;

    if (self->store != NULL) {
        return TOOL_OK;
    }
    if (self->directory == NULL || self->directory[0] == '\0') {
        return tool_usage(self, "which store? give -d DIR or METERING_DIR");
    }
    if (is_create) {
        config.flags = MET_STORE_CREATE;
    }
    if (self->platform.struct_size != 0) {
        config.platform = &self->platform;
    }
    error = met_store_open(self->directory, strlen(self->directory), &config,
                           &self->store, &info);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

static int print_help(void)
{
    fputs("metering -d DIR NOUN VERB [ARGUMENTS] [OPTIONS]\n"
          "  -d DIR   the store's directory (or METERING_DIR)\n"
          "  --json   answers as JSON\n\n",
          stdout);
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        char left[128];
        snprintf(left, sizeof left, "%s%s%s %s", row->noun,
                 row->verb ? " " : "", row->verb ? row->verb : "",
                 row->arguments);
        printf("  %-34s %s\n", left, row->summary);
        if (row->options[0] != '\0') {
            fputs("      ", stdout);
            for (const char *at = row->options; *at != '\0';) {
                size_t size = strcspn(at, " ");
                int takes = at[size - 1] == '=';
                printf(" --%.*s%s", (int)size - takes, at,
                       takes ? " …" : "");
                at += size + (at[size] == ' ');
            }
            fputc('\n', stdout);
        }
    }
    return TOOL_OK;
}

/* 1: takes a value, 0: a flag, -1: not an option of this command. */
static int option_kind(const tool_command *row, const char *name)
{
    size_t name_size = strlen(name);

    for (const char *at = row->options; *at != '\0';) {
        size_t size = strcspn(at, " ");
        size_t takes = at[size - 1] == '=';
        if (size - takes == name_size && strncmp(at, name, name_size) == 0) {
            return (int)takes;
        }
        at += size + (at[size] == ' ');
    }
    return -1;
}

static int read_arguments(tool *self, const tool_command *row, int count,
                          char **words)
{
    int is_only_words = 0;

    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (!is_only_words && strcmp(word, "--") == 0) {
            is_only_words = 1;
        } else if (!is_only_words && strcmp(word, "--json") == 0) {
            self->is_json = 1;
        } else if (!is_only_words && strncmp(word, "--", 2) == 0) {
            int kind = option_kind(row, word + 2);
            if (kind < 0) {
                return tool_usage(self, "unknown option %s", word);
            }
            if (kind == 1 && i + 1 >= count) {
                return tool_usage(self, "%s needs a value", word);
            }
            self->option_names[self->option_count] = word + 2;
            self->option_values[self->option_count++] =
                kind == 1 ? words[++i] : NULL;
        } else {
            self->arguments[self->argument_count++] = word;
        }
    }
    if (self->argument_count < row->argument_min
        || (row->argument_max >= 0
            && self->argument_count > row->argument_max)) {
        return tool_usage(self, "usage: metering %s %s", self->command,
                          row->arguments);
    }
    return TOOL_OK;
}

/* Longest match first: "invoice list" before a noun that stands alone. */
static const tool_command *find(int count, char **words, int *used_out)
{
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        if (strcmp(row->noun, words[0]) != 0) {
            continue;
        }
        if (row->verb == NULL) {
            *used_out = 1;
            return row;
        }
        if (count > 1 && strcmp(row->verb, words[1]) == 0) {
            *used_out = 2;
            return row;
        }
    }
    return NULL;
}

static int run(tool *self, int count, char **words)
{
    char command[64];
    int used = 0;
    const tool_command *row = find(count, words, &used);

    if (row == NULL) {
        return tool_usage(self, "no command \"%s%s%s\"", words[0],
                          count > 1 ? " " : "", count > 1 ? words[1] : "");
    }
    snprintf(command, sizeof command, "%s%s%s", row->noun,
             row->verb ? " " : "", row->verb ? row->verb : "");
    self->command = command;
    size_t room = (size_t)count + 1;
    self->arguments = calloc(room, sizeof *self->arguments);
    self->option_names = calloc(room, sizeof *self->option_names);
    self->option_values = calloc(room, sizeof *self->option_values);
    int status = TOOL_FAILED;
    if (self->arguments && self->option_names && self->option_values) {
        status = read_arguments(self, row, count - used, words + used);
        if (status == TOOL_OK) {
            status = row->run(self);
        }
    }
    met_store_close(self->store);
    free(self->arguments);
    free(self->option_names);
    free(self->option_values);
    if (fflush(stdout) != 0 && status == TOOL_OK) {
        status = tool_fail(self, "cannot write the output");
    }
    self->command = NULL;
    return status;
}

int main(int count, char **words)
{
    tool self = {.directory = getenv("METERING_DIR")};
    int at = 1;

    for (; at < count && words[at][0] == '-'; at++) {
        if (strcmp(words[at], "-d") == 0 && at + 1 < count) {
            self.directory = words[++at];
        } else if (strcmp(words[at], "--json") == 0) {
            self.is_json = 1;
        } else if (strcmp(words[at], "--version") == 0) {
            printf("metering %s\n", met_version_string());
            return TOOL_OK;
        } else if (strcmp(words[at], "--help") == 0) {
            return print_help();
        } else {
            return tool_usage(&self, "unknown option %s", words[at]);
        }
    }
    if (at >= count) {
        return tool_usage(&self, "what should be done?");
    }
    if (strcmp(words[at], "help") == 0) {
        return print_help();
    }
    return run(&self, count - at, words + at);
}

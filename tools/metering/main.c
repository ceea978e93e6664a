/* metering: the command line tool. Finds the row of the table of commands and
 * runs it. Exit status 0 done, 1 failed, 2 wrong use. */
#include "tool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void print_command(const tool_command *row)
{
    const char *at = row->options;
    tool_option_name option;

    printf("  metering %s%s%s%s%s", row->noun, row->verb ? " " : "",
           row->verb ? row->verb : "", row->arguments[0] ? " " : "",
           row->arguments);
    while (tool_next_option(&at, &option)) {
        printf(" [--%.*s%s]%s", (int)option.name_size, option.name,
               option.takes_value ? " …" : "",
               option.is_repeatable ? "…" : "");
    }
    fputc('\n', stdout);
}

static int print_help_of(const tool_command *row)
{
    print_command(row);
    printf("\n%s\n", row->summary);
    if (row->help != NULL) {
        printf("\n%s\n", row->help);
    }
    return TOOL_OK;
}

static int print_help(void)
{
    fputs("metering [-d DIR] NOUN VERB [ARGUMENTS] [OPTIONS]\n\n"
          "  -d DIR     the store's directory (or METERING_DIR)\n"
          "  --json     answers as JSON\n"
          "  --help     after a command: what it does and takes\n"
          "  --version\n\n",
          stdout);
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        char left[128];
        snprintf(left, sizeof left, "%s%s%s %s", row->noun,
                 row->verb ? " " : "", row->verb ? row->verb : "",
                 row->arguments);
        printf("  %s%*s %s\n", left, 36 - tool_width(left), "",
               row->summary);
    }
    fputs("\nExit status: 0 done, 1 failed (it has changed nothing; of many, "
          "the others\nare done), 2 wrong use.\n",
          stdout);
    return TOOL_OK;
}

/* 1: takes a value, 2: several, 0: a flag, -1: not an option of this row. */
static int option_kind(const tool_command *row, const char *word, size_t size)
{
    const char *at = row->options;
    tool_option_name option;

    while (tool_next_option(&at, &option)) {
        if (option.name_size == size
            && strncmp(option.name, word, size) == 0) {
            return option.takes_value + option.is_repeatable;
        }
    }
    return -1;
}

/* --name, --name VALUE or --name=VALUE at words[*at]. */
static int read_option(tool *self, const tool_command *row, int count,
                       char **words, int *at)
{
    char *name = words[*at] + 2;
    char *value = strchr(name, '=');
    size_t size = value ? (size_t)(value - name) : strlen(name);
    int kind = option_kind(row, name, size);

    if (kind < 0) {
        return tool_usage(self, "unknown option --%.*s", (int)size, name);
    }
    if (value != NULL) {
        *value++ = '\0';
        if (kind == 0) {
            return tool_usage(self, "--%s takes no value", name);
        }
    } else if (kind > 0) {
        if (*at + 1 >= count) {
            return tool_usage(self, "--%s needs a value", name);
        }
        value = words[++*at];
    }
    if (kind < 2 && tool_flag(self, name)) {
        return tool_usage(self, "--%s is given twice", name);
    }
    self->option_names[self->option_count] = name;
    self->option_values[self->option_count++] = value;
    return TOOL_OK;
}

static int read_arguments(tool *self, const tool_command *row, int count,
                          char **words)
{
    int is_only_words = 0;

    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (is_only_words || strncmp(word, "--", 2) != 0) {
            self->arguments[self->argument_count++] = word;
        } else if (word[2] == '\0') {
            is_only_words = 1;
        } else if (strcmp(word, "--json") == 0) {
            self->is_json = 1;
        } else {
            int status = read_option(self, row, count, words, &i);
            if (status != TOOL_OK) {
                return status;
            }
        }
    }
    if (self->argument_count < row->argument_min
        || (row->argument_max >= 0
            && self->argument_count > row->argument_max)) {
        return tool_usage(self, "expected: metering %s %s", self->command,
                          row->arguments);
    }
    return TOOL_OK;
}

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

static int is_noun(const char *word)
{
    const tool_command *row = tool_commands;

    while (row->noun != NULL && strcmp(row->noun, word) != 0) {
        row++;
    }
    return row->noun != NULL;
}

static int asks_for_help(int count, char **words)
{
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++) {
        if (strcmp(words[i], "--help") == 0) {
            return 1;
        }
    }
    return 0;
}

static int run(tool *self, int count, char **words)
{
    char command[64];
    int used = 0;
    const tool_command *row = find(count, words, &used);

    if (row == NULL) {
        self->command = is_noun(words[0]) ? words[0] : NULL;
        return tool_usage(self, "no command \"%s%s%s\"", words[0],
                          count > 1 ? " " : "", count > 1 ? words[1] : "");
    }
    if (asks_for_help(count - used, words + used)) {
        return print_help_of(row);
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

static int help(tool *self, int count, char **words)
{
    int used;

    if (count == 0) {
        return print_help();
    }
    const tool_command *row = find(count, words, &used);
    if (row != NULL) {
        return print_help_of(row);
    }
    int found = 0;
    for (row = tool_commands; row->noun != NULL; row++) {
        if (strcmp(row->noun, words[0]) == 0) {
            print_command(row);
            found = 1;
        }
    }
    return found ? TOOL_OK : tool_usage(self, "no command \"%s\"", words[0]);
}

int main(int count, char **words)
{
    tool self = {.directory = getenv("METERING_DIR")};
    int at = 1;

    /* A closed pipe is reported as a failed write, not as a death. */
    signal(SIGPIPE, SIG_IGN);
    /* A file that is cut short is an error, too. */
    (void)!met_fault_guard_install();
    for (; at < count && words[at][0] == '-' && words[at][1] != '\0'; at++) {
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
        return help(&self, count - at - 1, words + at + 1);
    }
    return run(&self, count - at, words + at);
}

/* Options of a command, failures, and the store of -d. In: what main.c read
 * from the command line. Out: values, or one line on stderr and an exit
 * status. */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void say(const tool *self, const char *format, va_list arguments)
{
    tool_progress_end();
    fflush(stdout);
    fprintf(stderr, "metering%s%s: ", self->command ? " " : "",
            self->command ? self->command : "");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int tool_fail(const tool *self, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(self, format, arguments);
    va_end(arguments);
    return TOOL_FAILED;
}

int tool_usage(const tool *self, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(self, format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try: metering help%s%s\n", self->command ? " " : "",
            self->command ? self->command : "");
    return TOOL_USAGE;
}

/* An instant or a time that the library was given was an option here: as_of_ns
 * is --as-of. Other fields are members of documents. */
static const char *shown_field(const char *field, char *room, size_t room_size)
{
    size_t size = strlen(field);

    if (size < 3 || strcmp(field + size - 3, "_ns") != 0) {
        return field;
    }
    snprintf(room, room_size, "--%.*s", (int)(size - 3), field);
    for (char *at = room; (at = strchr(at, '_')) != NULL;) {
        *at = '-';
    }
    return room;
}

int tool_error(const tool *self, met_error error, const met_error_info *info)
{
    char room[MET_ERROR_FIELD_SIZE + 2];

    if (info == NULL || info->reason[0] == '\0') {
        return tool_fail(self, "%s (%s)", met_error_message(error),
                         met_error_name(error));
    }
    if (info->field[0] == '\0') {
        return tool_fail(self, "%s (%s)", info->reason, met_error_name(error));
    }
    return tool_fail(self, "%s: %s (%s)",
                     shown_field(info->field, room, sizeof room),
                     info->reason, met_error_name(error));
}

int tool_next_option(const char **at, tool_option_name *option_out)
{
    if (**at == '\0') {
        return 0;
    }
    size_t size = strcspn(*at, " ");
    size_t name_size = strcspn(*at, " =");
    *option_out = (tool_option_name){.name = *at,
                                     .name_size = name_size,
                                     .takes_value = size > name_size,
                                     .is_repeatable = size > name_size + 1};
    *at += size + ((*at)[size] == ' ');
    return 1;
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

int tool_option_time(const tool *self, const char *name, int64_t fallback,
                     int64_t *utc_ns_out)
{
    const char *text = tool_option(self, name, 0);

    if (text == NULL) {
        *utc_ns_out = fallback;
        return TOOL_OK;
    }
    if (met_time_parse(text, strlen(text), utc_ns_out) != MET_OK) {
        return tool_usage(self,
                          "--%s: \"%s\" is not a time like "
                          "2026-01-31T00:00:00Z",
                          name, text);
    }
    return TOOL_OK;
}

int tool_option_number(const tool *self, const char *name, int64_t fallback,
                       int64_t minimum, int64_t maximum, int64_t *number_out)
{
    const char *text = tool_option(self, name, 0);
    char *end;

    if (text == NULL) {
        *number_out = fallback;
        return TOOL_OK;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] == '\0' || strchr("+ \t", text[0]) || *end != '\0'
        || errno != 0 || number < minimum || number > maximum) {
        return tool_usage(self, "--%s: \"%s\" is not a whole number from %lld "
                                "to %lld",
                          name, text, (long long)minimum, (long long)maximum);
    }
    *number_out = number;
    return TOOL_OK;
}

int64_t tool_duration(const char *text)
{
    static const struct unit {
        const char *name;
        int64_t ns;
        int is_word;
    } units[] = {{"ms", 1000000, 0},
                 {"s", 1000000000, 0},
                 {"", 1000000000, 0},
                 {"m", 60000000000, 0},
                 {"h", 3600000000000, 0},
                 {"d", 86400000000000, 0},
                 {"second", 1000000000, 1},
                 {"minute", 60000000000, 1},
                 {"hour", 3600000000000, 1},
                 {"day", 86400000000000, 1},
                 {"month", 2592000000000000, 1},
                 {"year", 31536000000000000, 1}};
    size_t digits = strspn(text, "0123456789");
    int64_t number = 1;

    if (digits > 0) {
        errno = 0;
        number = strtoll(text, NULL, 10);
        if (errno != 0) {
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].is_word == (digits == 0)
            && strcmp(text + digits, units[i].name) == 0) {
            return number > INT64_MAX / units[i].ns ? 0
                                                    : number * units[i].ns;
        }
    }
    return 0;
}

static int64_t virtual_now(void *context)
{
    return ((const tool *)context)->virtual_ns;
}

int tool_open(tool *self, int is_create)
{
    met_store_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    met_platform platform = {
        .struct_size = sizeof platform,
        .clock = {self, virtual_now, virtual_now}};

    if (self->store != NULL) {
        return TOOL_OK;
    }
    if (self->directory == NULL || self->directory[0] == '\0') {
        return tool_usage(self, "which store? give -d DIR or METERING_DIR");
    }
    if (is_create) {
        config.flags = MET_STORE_CREATE;
    }
    if (self->virtual_ns != 0) {
        config.platform = &platform;
    }
    met_error error = met_store_open(self->directory, strlen(self->directory),
                                     &config, &self->store, &info);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

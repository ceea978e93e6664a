/* What commands do that hand the document of a file to the library. */
#include <stdlib.h>
#include <string.h>

#include "yaml.h"

uint64_t tool_past_flag(const tool *self)
{
    return tool_flag(self, "allow-past") ? MET_ALLOW_PAST : 0;
}

int tool_put(tool *self, tool_put_call *call)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = yaml_read_text(self, self->arguments[0]);
    int status = text != NULL ? tool_open(self, 0) : TOOL_FAILED;

    if (status == TOOL_OK) {
        met_error error =
            call(self->store, text, strlen(text), &answer, &info);
        status = tool_print_answer(self, error, &answer, &info);
    }
    free(text);
    return status;
}

int tool_create(tool *self, tool_create_call *call)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = yaml_read_text(self, self->arguments[0]);
    int status = text != NULL ? tool_open(self, 0) : TOOL_FAILED;

    if (status == TOOL_OK) {
        met_error error = call(self->store, text, strlen(text),
                               tool_past_flag(self), &answer, &info);
        status = tool_print_answer(self, error, &answer, &info);
    }
    free(text);
    return status;
}

/* Watches every public call of a test program: an error must be one that the
 * function's docstring names, must come with a reason, must name an instant as
 * its parameter is named, and must have left the outputs as they were. What was
 * seen is kept in a file for census.py, in memory that processes share: what a
 * killed child saw is in it, too. */
#include "contract/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct seen_file {
    uint64_t program; /* of which build these are */
    uint32_t codes[];
} seen_file;

static seen_file *seen;

static void stop(const guard_call *call, met_error error, const char *what)
{
    fprintf(stderr, "%s answered %s: %s\n",
            guard_functions[call->function].name, met_error_name(error), what);
    abort();
}

/* Before main, so that no test that lets file calls fail is disturbed. */
__attribute__((constructor)) static void open_seen(void)
{
    char path[4096];
    struct stat program;
    size_t size = sizeof *seen + guard_function_count * sizeof *seen->codes;

    if (stat("/proc/self/exe", &program) != 0) {
        return;
    }
    snprintf(path, sizeof path, "%s/%s", GUARD_DIRECTORY,
             program_invocation_short_name);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, (off_t)size) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        abort();
    }
    seen = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (seen == MAP_FAILED) {
        abort();
    }
    uint64_t build = (uint64_t)program.st_mtim.tv_sec * 1000000000u
                     + (uint64_t)program.st_mtim.tv_nsec;
    if (seen->program != build) {
        memset(seen, 0, size);
        seen->program = build;
    }
}

guard_call guard_before(size_t function, met_error_info *info)
{
    guard_call call = {.function = function};

    if (info != NULL && info->struct_size == sizeof *info) {
        call.info = info;
        call.code_before = info->code;
    }
    return call;
}

void guard_keep(guard_call *call, const void *place, size_t size)
{
    if (place != NULL && size <= sizeof call->outputs->before
        && call->output_count < GUARD_OUTPUTS_MAX) {
        call->outputs[call->output_count].place = place;
        call->outputs[call->output_count].size = size;
        memcpy(call->outputs[call->output_count++].before, place, size);
    }
}

/* An instant is named as the parameter that it is: "at" would be a member of a
 * document. */
static int is_half_a_name(const guard_call *call, const char *field)
{
    size_t size = strlen(field);
    const char *at = guard_functions[call->function].instants;

    for (; *at != '\0'; at = strchr(at, ' ') + 1) {
        if (strncmp(at, field, size) == 0 && at[size] == ' ') {
            return 1;
        }
    }
    return 0;
}

static void look_at_failure(const guard_call *call, met_error error)
{
    if (call->info != NULL && call->info->code != error) {
        stop(call, error, "info has another code");
    }
    if (call->info != NULL && call->info->reason[0] == '\0') {
        stop(call, error, "without a reason");
    }
    if (call->info != NULL && is_half_a_name(call, call->info->field)) {
        stop(call, error, "its field lacks _ns");
    }
    for (size_t i = 0; i < call->output_count; i++) {
        if (memcmp(call->outputs[i].place, call->outputs[i].before,
                   call->outputs[i].size) != 0) {
            stop(call, error, "an output is written");
        }
    }
}

met_error guard_after(const guard_call *call, met_error error)
{
    size_t code = 0;

    while (code < guard_code_count && guard_codes[code] != error) {
        code++;
    }
    if (code == guard_code_count
        || !(guard_functions[call->function].named >> code & 1)) {
        stop(call, error, "its docstring does not name that");
    }
    if (error != MET_OK) {
        look_at_failure(call, error);
    } else if (call->info != NULL && call->info->code != call->code_before) {
        stop(call, error, "info is written");
    }
    uint32_t *codes = &seen->codes[call->function];
    if (!(__atomic_load_n(codes, __ATOMIC_RELAXED) >> code & 1)) {
        __atomic_fetch_or(codes, UINT32_C(1) << code, __ATOMIC_RELAXED);
    }
    return error;
}

uint32_t guard_seen(size_t function)
{
    return __atomic_load_n(&seen->codes[function], __ATOMIC_RELAXED);
}

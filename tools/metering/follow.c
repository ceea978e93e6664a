/* Again and again, until SIGINT or SIGTERM: what --follow does. */
#include "tool.h"

#include <signal.h>
#include <time.h>

static volatile sig_atomic_t is_stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopping = 1;
}

int tool_follow_interval(const tool *self, int is_following,
                         int64_t *interval_ns_out)
{
    const char *text = tool_option(self, "interval", 0);

    *interval_ns_out = text ? tool_duration(text) : 1000000000;
    if (*interval_ns_out <= 0) {
        return tool_usage(self, "--interval: \"%s\" is not a duration like "
                                "500ms, 1s or 1m", text);
    }
    return text == NULL || is_following
               ? TOOL_OK
               : tool_usage(self, "--interval goes with --follow");
}

int tool_follow(tool *self, int64_t interval_ns, void *context,
                int (*pass)(tool *self, void *context))
{
    struct sigaction action = {.sa_handler = stop};
    int status = TOOL_OK;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (status == TOOL_OK && !is_stopping) {
        struct timespec interval = {(time_t)(interval_ns / 1000000000),
                                    (long)(interval_ns % 1000000000)};
        status = pass(self, context);
        if (status == TOOL_OK && !is_stopping) {
            nanosleep(&interval, NULL);
        }
    }
    return status;
}

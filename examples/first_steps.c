/* Six requests of one consumer against 5 per minute: the sixth is refused. */
#include <metering/metering.h>
#include <stdio.h>

int main(void)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .path = "limits.map"};
    met_limiter_window windows[] = {
        {.limit = 5, .window_ns = 60000000000},
        {.limit = 1000, .window_ns = 3600000000000}};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "free", .name_size = 4,
                                 .windows = windows, .window_count = 2};
    met_limiter_request request = {.struct_size = sizeof request,
                                   .key = "ariel", .key_size = 5};
    met_limiter_result result = {.struct_size = sizeof result};
    met_error_info info = {.struct_size = sizeof info};
    met_limiter *limiter;

    if (met_limiter_open(&config, &limiter, &info) != MET_OK
        || met_limiter_policy_set(limiter, &policy, &request.policy, &info)) {
        fprintf(stderr, "%s: %s\n", info.field, info.reason);
        return 1;
    }
    for (int i = 1; i <= 6; i++) {
        if (met_limiter_check(limiter, &request, &result) == MET_OK) {
            printf("%d: %s, %d left\n", i, result.is_allowed ? "200" : "429",
                   (int)result.windows[result.reported].remaining);
        }
    }
    met_limiter_close(limiter);
    return 0;
}

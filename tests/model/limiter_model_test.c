/* The limiter's own code under every interleaving of its atomic operations: two
 * threads with two calls each, a kill between any two operations, and older
 * values where loads may return them. MODEL_TRACE=1 prints the operations of a
 * failure, MODEL_FILTER=name runs one test. --large makes one search more.
 *
 * --orders takes the memory order from one operation after the other and says
 * which the searches catch; with PART PARTS only every PARTS-th of them, from
 * PART on, for several processes; with FILE behind both only those in it. */
#include "limiter_model.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_makes_one_record),
        cmocka_unit_test(a_sleeping_maker_does_no_harm),
        cmocka_unit_test(idle_places_are_given_away),
        cmocka_unit_test(a_stray_hit_does_no_harm),
        cmocka_unit_test(windows_pass),
        cmocka_unit_test(hits_expire_while_others_come),
        cmocka_unit_test(stamps_are_passed_on),
        cmocka_unit_test(every_algorithm_counts),
        cmocka_unit_test(fixed_windows_begin_anew),
        cmocka_unit_test(what_is_held_is_released),
        cmocka_unit_test(hits_are_given_back),
        cmocka_unit_test(resets_are_at_one_moment),
        cmocka_unit_test(resets_void_what_was_counted),
        cmocka_unit_test(charges_are_not_lost),
        cmocka_unit_test(two_windows),
        cmocka_unit_test(tapes_go_on),
        cmocka_unit_test(tapes_spill),
        cmocka_unit_test(tapes_keep_residues),
        cmocka_unit_test(tapes_give_back),
        cmocka_unit_test(limits_change),
        cmocka_unit_test(frozen_places_are_given_away),
        cmocka_unit_test(policies_are_added),
        cmocka_unit_test(policies_are_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

enum { SURVIVES, CAUGHT, UNFINISHED, OUTCOMES };

#define STATES_MAX 3000000 /* of a search without an order */
#define SECONDS_MAX 120    /* of all searches without one order */

/* What the searches say when the site goes without this order. */
static int outcome_of(const model_site_use *use, int order)
{
    struct rlimit seconds = {SECONDS_MAX, SECONDS_MAX};
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL
            || freopen("/dev/null", "w", stderr) == NULL
            || setrlimit(RLIMIT_CPU, &seconds) != 0) {
            _exit(UNFINISHED);
        }
        run_without(use, order, STATES_MAX);
        int is_caught = run_all() != 0;
        _exit(is_caught ? CAUGHT : was_cut() ? UNFINISHED : SURVIVES);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    return WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL
               ? UNFINISHED
               : CAUGHT;
}

static void try_without(const model_site_use *use, int order, int *counts)
{
    static const char *const names[] = {"survives", "caught", "unfinished"};
    const char *file = strrchr(use->site.file, '/');
    int outcome = outcome_of(use, order);

    counts[outcome]++;
    printf("%-10s %s:%d %s: %s(%s) without %s\n", names[outcome],
           file == NULL ? use->site.file : file + 1, use->site.line,
           use->site.function, use->site.operation, use->site.word,
           order == MODEL_ACQUIRE   ? "acquire"
           : order == MODEL_RELEASE ? "release"
                                    : "the order of all");
    fflush(stdout);
}

/* Every order of every operation that the searches ran, left out in turn. */
static int weaken_all(size_t part, size_t parts, const char *file)
{
    const model_site_use *uses;
    int counts[OUTCOMES] = {0};

    run_for_orders();
    if (run_all() != 0) {
        return 1;
    }
    size_t count = model_sites(&uses);
    for (size_t i = part; i < count; i += parts) {
        int is_ours = strstr(uses[i].site.file, "libmetering/") != NULL
                      && strstr(uses[i].site.file, file) != NULL;
        for (int order = MODEL_ACQUIRE; order <= MODEL_FULL; order <<= 1) {
            if (is_ours && (uses[i].orders & order)) {
                try_without(&uses[i], order, counts);
            }
        }
    }
    printf("%d orders caught, %d survive, %d unfinished\n", counts[CAUGHT],
           counts[SURVIVES], counts[UNFINISHED]);
    return 0;
}

int main(int argc, char **argv)
{
    cmocka_set_test_filter(getenv("MODEL_FILTER"));
    if (argc > 1 && strcmp(argv[1], "--orders") == 0) {
        return weaken_all(argc > 3 ? strtoul(argv[2], NULL, 10) : 0,
                          argc > 3 ? strtoul(argv[3], NULL, 10) : 1,
                          argc > 4 ? argv[4] : "");
    }
    if (argc > 1 && strcmp(argv[1], "--large") == 0) {
        run_large();
    }
    return run_all();
}

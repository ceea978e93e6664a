/* The limiter on a table of two places, for searches of its interleavings: what
 * a thread may do, the books of what was done, what must hold at the end. */
#ifndef TESTS_MODEL_LIMITER_MODEL_H
#define TESTS_MODEL_LIMITER_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "atomic_model.h"
#include "limit/limiter_plan.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define START (1000 * MINUTE)
#define THREADS 2
#define CALLS 2
#define KEYS 4
#define PLACES 2 /* of the table: MET__GROUP_PLACES */

enum { NONE, BEGUN, ALLOWED, REFUSED, KILLED, CHARGED };

/* Of the one reset in a search. */
enum { RESET_AHEAD, RESET_BEGUN, RESET_DONE };

typedef struct call {
    uint64_t state;
    uint64_t key;
    uint64_t cost;
    uint64_t begun; /* the clock when it was called ... */
    uint64_t ended; /* ... and when it came back */
    uint32_t begun_reset; /* how far the reset was then */
    uint32_t ended_reset;
} call;

/* Words only: the search hashes them. */
typedef struct books {
    uint64_t clock;
    uint64_t reset;
    uint64_t calls[THREADS];
    uint64_t number[THREADS]; /* of a policy, and 1 */
    call call[THREADS][CALLS];
} books_kept;

extern books_kept books;
extern met_limiter *limiter;

/* What a key may have, by its policy. */
typedef struct allowance {
    uint64_t most; /* in a stretch of window_ns; 0: not looked at */
    uint64_t least; /* that must have been let through, or withheld */
    uint64_t window_ns;
    uint32_t policy;
} allowance;

extern allowance key_has[KEYS + PLACES];

/* --- The table ------------------------------------------------------------ */
/* A table with one policy of one window of a minute. */
void open_with(uint64_t limit, uint32_t algorithm);
/* The same with a record of key 0 that nothing is left in. */
void open_known(uint64_t limit, uint32_t algorithm);
void open_window(uint64_t limit, uint64_t length, uint32_t algorithm);
uint32_t set_policy(const char *name, const met_limiter_window *windows,
                    size_t count);
uint32_t one_window(const char *name, uint64_t limit, uint64_t length,
                    uint32_t algorithm);
/* Key is asked for under this policy. */
void use(uint64_t key, uint32_t policy, uint64_t limit, uint64_t length);
/* Works every shape out, so that none is worked out in a search. */
void know_shapes(void);
/* Requests are answered with times. */
void answer_in_full(void);
/* Asks for key 0 before the search; it must be let through. */
void had(uint64_t at, uint64_t cost);

/* --- Calls ---------------------------------------------------------------- */
uint64_t ask(uint64_t key, uint64_t now, uint64_t cost);
/* A request at this moment, or later when it is later already. */
void request_of(int me, uint64_t key, uint64_t at, uint64_t cost);
/* The same; forget_all is for the caller. */
call *request_with(int me, uint64_t key, uint64_t at, uint64_t cost,
                   met_limiter_ticket *ticket_out);
void charge_of(int me, uint64_t key, uint64_t at, uint64_t cost);
/* Forgets what key 0 has used, then asks for it. */
void reset_and_ask(int me);
/* What was answered so far stands in the books. */
void forget_all(int me);

/* Calls of a thread. */
void key_0_once(int me);
void key_0_twice(int me);
/* Asks and gives back: it was not let through. */
void key_0_given_back(int me);

/* --- Searches ------------------------------------------------------------- */
/* What each thread does in the next search. */
void scripts(void (*first)(int me), void (*second)(int me));
/* In place of what must hold for the keys; until the table is opened again. */
void check_with(void (*check)(void));
/* Every interleaving of both, with a kill between any two operations and all
 * older values that may be read: it must hold. */
void search(const char *name);
/* The same; briefly when it is done for every order. */
void search_large(const char *name, int switches);
/* The same, with --large only: half a minute by itself. */
void search_if_asked(const char *name);
/* The same, but a thread that could go on is left at most so often. */
void search_briefly(const char *name, int switches);
/* With two words swapped one after the other: it must fail. */
void search_split(const char *name, int switches);

/* All tests; 0: every search held. */
int run_all(void);
/* Searches go without this order and end at so many states; those that do not
 * meet it are not made. */
void run_without(const model_site_use *use, int order, uint64_t states_max);
void run_large(void);
/* Some search ended before its end. */
int was_cut(void);
/* Without kills, and large searches briefly. */
void run_for_orders(void);

/* limiter_records.c: making, finding and giving away places. */
void a_crowd_makes_one_record(void **state);
void a_sleeping_maker_does_no_harm(void **state);
void idle_places_are_given_away(void **state);
void a_stray_hit_does_no_harm(void **state);

/* limiter_windows.c: counting, giving back, charging, forgetting. */
void windows_pass(void **state);
void hits_expire_while_others_come(void **state);
void stamps_are_passed_on(void **state);
void every_algorithm_counts(void **state);
void fixed_windows_begin_anew(void **state);
void what_is_held_is_released(void **state);
void hits_are_given_back(void **state);
void resets_are_at_one_moment(void **state);
void resets_void_what_was_counted(void **state);
void charges_are_not_lost(void **state);
void two_windows(void **state);

/* limiter_tapes.c: steps, spills and residues of the tape. */
void tapes_go_on(void **state);
void tapes_spill(void **state);
void tapes_keep_residues(void **state);
void tapes_give_back(void **state);

/* limiter_policies.c: changes of limits, and policies that come and go. */
void limits_change(void **state);
void frozen_places_are_given_away(void **state);
void policies_are_added(void **state);
void policies_are_removed(void **state);

#endif

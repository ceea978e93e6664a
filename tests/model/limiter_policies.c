/* Changes of limits while requests come, and policies that are added and
 * removed at the same time. */
#include "limiter_model.h"

static uint64_t new_limit;

static void change_limit(int me)
{
    model_step();
    one_window("p", new_limit, MINUTE, MET_LIMITER_SLIDING);
    model_forget();
    request_of(me, 0, START, 1);
}

static void change_and_ask_later(int me)
{
    model_step();
    one_window("p", new_limit, MINUTE, MET_LIMITER_SLIDING);
    model_forget();
    request_of(me, 0, START + 2 * SECOND, 1);
}

static void key_0_in_turn(int me)
{
    request_of(me, 0, START, 1);
    request_of(me, 0, START + SECOND, 1);
}

static void key_2_twice(int me)
{
    request_of(me, 2, START, 1);
    request_of(me, 2, START, 1);
}

/* From one limit to the other, whose shape is known. */
static void open_changing(uint64_t limit, uint64_t limit_then)
{
    open_with(limit, MET_LIMITER_SLIDING);
    one_window("q", limit_then, MINUTE, MET_LIMITER_SLIDING);
    know_shapes();
    new_limit = limit_then;
    key_has[0].most = limit > limit_then ? limit : limit_then;
    key_has[0].least = limit < limit_then ? limit : limit_then;
    scripts(change_limit, key_0_twice);
}

void limits_change(void **state)
{
    open_changing(1, 2);
    search_large("a limit is raised", 2);
    open_changing(2, 1);
    search_large("a limit is lowered", 2);
    open_changing(2, 1);
    had(START, 1);
    search("a limit is lowered, one is used");
    open_changing(3, 2);
    had(START - SECOND, 1);
    scripts(change_and_ask_later, key_0_in_turn);
    search("a limit is lowered while stamps are written");
}

/* The record of the replaced window is idle, and given to another key while it
 * is frozen. */
void frozen_places_are_given_away(void **state)
{
    open_changing(2, 1);
    ask(0, START - 3 * MINUTE, 1);
    ask(1, START - 3 * MINUTE, 1);
    use(2, one_window("q", 2, MINUTE, MET_LIMITER_SLIDING), 2, MINUTE);
    know_shapes();
    scripts(change_limit, key_2_twice);
    search_large("a limit is lowered, an idle record", 2);
}

/* --- Policies that come and go -------------------------------------------- */
/* What the threads set, each with another limit; their shapes are known. */
static const char *names[THREADS];
static uint32_t number_p;
static met__atomic_u64 is_p_gone; /* told by who has removed it */

static uint32_t set_name(int me)
{
    return one_window(names[me], (uint64_t)me + 1, MINUTE,
                      MET_LIMITER_SLIDING);
}

static void set_one(int me)
{
    model_step();
    uint32_t number = set_name(me);
    books.number[me] = number == UINT32_MAX ? 0 : number + 1u;
    model_forget();
    model_note(55);
}

/* And another one, the same for both. */
static void set_two(int me)
{
    set_one(me);
    model_step();
    one_window("z", 3, MINUTE, MET_LIMITER_SLIDING);
    model_forget();
    model_note(33);
}

static void remove_p(int me)
{
    model_step();
    books.reset = RESET_BEGUN;
    met_error error = met__limiter_policy_remove(limiter, number_p, NULL);
    model_require(error == MET_OK || error == MET_E_BUSY
                  || error == MET_E_NOT_FOUND);
    books.reset = error == MET_E_BUSY ? RESET_BEGUN : RESET_DONE;
    if (books.reset == RESET_DONE) {
        met__store_release(&is_p_gone, 1);
    }
    model_forget();
    model_note(66);
}

static void remove_and_set(int me)
{
    remove_p(me);
    set_one(me);
}

/* A request with the number that is being removed. */
static void ask_for_p(int me)
{
    uint64_t key = 1;
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = number_p,
                                   .key = (const char *)&key,
                                   .key_size = sizeof key,
                                   .cost = 1,
                                   .monotonic_ns = (int64_t)START,
                                   .utc_ns = (int64_t)START};
    met_limiter_result result = {.struct_size = sizeof result};

    model_step();
    int is_gone = met__load_acquire(&is_p_gone) != 0;
    met_error error = met__limiter_check(limiter, &request, &result);
    model_require(error == MET_E_NOT_FOUND
                  || (error == MET_OK && !is_gone));
    model_forget();
    model_note(44);
}

static void ask_for_p_twice(int me)
{
    ask_for_p(me);
    ask_for_p(me);
}

/* The words of a name in the row in force; 0: nobody's. */
static int name_of(uint32_t slot, uint64_t name[2])
{
    met__policy_view view;

    if (met__policy_read_slot(&limiter->table, slot, &view) != MET_OK
        || view.count == 0) {
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        name[i] = met__policy_untag(
            &view.slot->rows[view.version % MET__POLICY_ROWS].name[i],
            view.version);
    }
    return 1;
}

#define SLOTS 6 /* more than the searches use */

/* No name has two slots; each is found again under the number that was told;
 * and nothing is stuck. */
static void check_policies(void)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint64_t one[2];
        uint64_t other[2];
        for (uint32_t j = 0; j < i; j++) {
            model_require(!name_of(i, one) || !name_of(j, other)
                          || one[0] != other[0] || one[1] != other[1]);
        }
    }
    for (int me = 0; me < THREADS; me++) {
        if (books.number[me] != 0 && names[me][0] != 'p') {
            model_require(set_name(me) + 1u == books.number[me]);
        }
    }
    for (int me = 0; me < THREADS; me++) {
        uint32_t number = set_name(me);
        model_require(number != UINT32_MAX);
        model_require(met__limiter_knows(limiter, number) == MET_OK);
        if (books.reset == RESET_DONE) {
            model_require(number != number_p);
        }
    }
    if (books.reset == RESET_DONE) {
        model_require(met__limiter_knows(limiter, number_p) != MET_OK);
    }
}

static void open_policies(const char *first, const char *second)
{
    open_with(3, MET_LIMITER_SLIDING);
    one_window("x", 1, MINUTE, MET_LIMITER_SLIDING);
    one_window("y", 2, MINUTE, MET_LIMITER_SLIDING);
    know_shapes();
    number_p = key_has[0].policy;
    is_p_gone = 0;
    names[0] = first;
    names[1] = second;
    check_with(check_policies);
}

void policies_are_added(void **state)
{
    scripts(set_two, set_two);
    open_policies("n", "n");
    search_large("two add a policy", 2);
    open_policies("n", "o");
    search_large("two add one each", 2);
}

void policies_are_removed(void **state)
{
    open_policies("p", "p");
    scripts(remove_and_set, set_two);
    search_large("a policy is removed, set by both", 2);
    open_policies("p", "n");
    search_large("one removes, the other adds", 2);
    open_policies("p", "p");
    scripts(remove_and_set, ask_for_p_twice);
    search("a policy is removed while it is asked");
}

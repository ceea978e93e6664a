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

static void change_only(int me)
{
    model_step();
    one_window("p", new_limit, MINUTE, MET_LIMITER_SLIDING);
    model_forget();
}

static void key_2_once(int me)
{
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
    search("a limit is raised, a kill", 1, 0, 1);
    open_changing(2, 1);
    search("a limit is lowered, a kill", 1, 0, 2);
    open_changing(2, 1);
    search("the same, older values", 0, 1, 1);
    open_changing(2, 1);
    had(START, 1);
    search("a limit is lowered, one is used, a kill", 1, 0, 3);
    open_changing(2, 1);
    had(START, 1);
    scripts(change_only, key_0_once);
    search("the same, one call each, a kill, older values", 1, 1, 3);
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
    scripts(change_limit, key_2_once);
    search("a limit is lowered, an idle record, a kill", 1, 0, 2);
    open_changing(2, 1);
    ask(0, START - 3 * MINUTE, 1);
    ask(1, START - 3 * MINUTE, 1);
    use(2, one_window("q", 2, MINUTE, MET_LIMITER_SLIDING), 2, MINUTE);
    know_shapes();
    scripts(change_limit, key_2_once);
    search("the same, older values", 1, 1, 1);
}

/* --- Policies that come and go -------------------------------------------- */
/* What the threads set, each with another limit; their shapes are known. */
static const char *names[THREADS];
static uint32_t number_p;

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

static void remove_p(int me)
{
    model_step();
    books.reset = RESET_BEGUN;
    met_error error = met__limiter_policy_remove(limiter, number_p, NULL);
    model_require(error == MET_OK || error == MET_E_BUSY
                  || error == MET_E_NOT_FOUND);
    books.reset = error == MET_E_BUSY ? RESET_BEGUN : RESET_DONE;
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
    uint64_t before = books.reset;
    model_note(before);
    met_error error = met__limiter_check(limiter, &request, &result);
    model_require(error == MET_E_NOT_FOUND
                  || (error == MET_OK && before != RESET_DONE));
    model_forget();
    model_note(44);
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
        model_require(met__limiter_knows(limiter, number));
        if (books.reset == RESET_DONE) {
            model_require(number != number_p);
        }
    }
    if (books.reset == RESET_DONE) {
        model_require(!met__limiter_knows(limiter, number_p));
    }
}

static void open_policies(const char *first, const char *second)
{
    open_with(3, MET_LIMITER_SLIDING);
    one_window("x", 1, MINUTE, MET_LIMITER_SLIDING);
    one_window("y", 2, MINUTE, MET_LIMITER_SLIDING);
    know_shapes();
    number_p = key_has[0].policy;
    names[0] = first;
    names[1] = second;
    check_with(check_policies);
}

void policies_are_added(void **state)
{
    scripts(set_one, set_one);
    open_policies("n", "n");
    search("two add a policy, a kill", 1, 0, 2);
    open_policies("n", "n");
    search("the same, older values", 1, 1, 1);
    open_policies("n", "o");
    search("two add one each, a kill", 1, 0, 2);
    open_policies("n", "o");
    search("the same, older values", 1, 1, 1);
}

void policies_are_removed(void **state)
{
    open_policies("p", "p");
    scripts(remove_and_set, set_one);
    search("a policy is removed, set by both, a kill", 1, 0, 2);
    open_policies("p", "p");
    search("the same, older values", 1, 1, 1);
    open_policies("p", "n");
    search("one removes, the other adds, a kill", 1, 0, 2);
    open_policies("p", "p");
    scripts(remove_and_set, ask_for_p);
    search("a policy is removed while it is asked, a kill", 1, 0, 0);
}

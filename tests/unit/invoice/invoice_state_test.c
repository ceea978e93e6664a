/* The table of steps, asked for every state and every action; the expected
 * answers are written a second time here, from the rules. */
#include "unit/base/base_support.h"

#include "invoice/invoice_state.h"

/* "state: action>state, …"; a step that waits has its condition behind "?". */
static const char *const rules[] = {
    "draft.created: next>draft.waiting_for_collection fail>draft.invalid "
    "update>draft.updating delete>delete.in_progress",
    "draft.waiting_for_collection: next?collected>draft.collecting "
    "collect>draft.collecting update>draft.updating "
    "delete>delete.in_progress",
    "draft.collecting: next>draft.validating fail>draft.invalid "
    "update>draft.updating delete>delete.in_progress",
    "draft.updating: next>draft.waiting_for_collection fail>draft.invalid "
    "delete>delete.in_progress",
    "draft.validating: next?valid>draft.syncing fail>draft.invalid "
    "update>draft.updating delete>delete.in_progress",
    "draft.invalid: retry>draft.validating update>draft.updating "
    "delete>delete.in_progress",
    "draft.syncing: next?auto>draft.waiting_auto_approval "
    "next?manual>draft.manual_approval_needed fail>draft.sync_failed "
    "delete>delete.in_progress",
    "draft.sync_failed: retry>draft.validating update>draft.updating "
    "delete>delete.in_progress",
    "draft.waiting_auto_approval: next?draft_over>draft.ready_to_issue "
    "approve>draft.ready_to_issue update>draft.updating "
    "delete>delete.in_progress",
    "draft.manual_approval_needed: approve>draft.ready_to_issue "
    "update>draft.updating delete>delete.in_progress",
    "draft.ready_to_issue: next?lines>issuing.line_finalization "
    "next?empty>delete.syncing update>draft.updating "
    "delete>delete.in_progress",
    "issuing.line_finalization: next>issuing.syncing "
    "fail>issuing.line_finalization_failed delete>delete.in_progress",
    "issuing.line_finalization_failed: retry>issuing.line_finalization "
    "delete>delete.in_progress",
    "issuing.syncing: next>issuing.charge_booking fail>issuing.sync_failed "
    "delete>delete.in_progress",
    "issuing.sync_failed: retry>issuing.syncing delete>delete.in_progress",
    "issuing.charge_booking: next>issued fail>issuing.charge_booking_failed "
    "delete>delete.in_progress",
    "issuing.charge_booking_failed: retry>issuing.charge_booking "
    "delete>delete.in_progress",
    "issued: next>payment_processing.pending void>voided",
    "payment_processing.pending: "
    "authorized>payment_processing.booking_authorized "
    "paid>payment_processing.booking_authorized_and_settled "
    "payment_failed>payment_processing.failed "
    "action_required>payment_processing.action_required overdue>overdue "
    "uncollectible>uncollectible void>voided",
    "payment_processing.booking_authorized: "
    "next>payment_processing.authorized",
    "payment_processing.booking_authorized_and_settled: next>paid",
    "payment_processing.authorized: paid>payment_processing.booking_settled "
    "payment_failed>payment_processing.failed "
    "action_required>payment_processing.action_required overdue>overdue "
    "uncollectible>uncollectible void>voided",
    "payment_processing.booking_settled: next>paid",
    "payment_processing.failed: "
    "authorized>payment_processing.booking_authorized "
    "paid>payment_processing.booking_authorized_and_settled "
    "retry>payment_processing.pending "
    "action_required>payment_processing.action_required overdue>overdue "
    "uncollectible>uncollectible void>voided",
    "payment_processing.action_required: "
    "authorized>payment_processing.booking_authorized "
    "paid>payment_processing.booking_authorized_and_settled "
    "retry>payment_processing.pending "
    "payment_failed>payment_processing.failed overdue>overdue "
    "uncollectible>uncollectible void>voided",
    "overdue: authorized>payment_processing.booking_authorized "
    "paid>payment_processing.booking_authorized_and_settled "
    "payment_failed>payment_processing.failed "
    "retry>payment_processing.pending "
    "action_required>payment_processing.action_required "
    "uncollectible>uncollectible void>voided",
    "uncollectible: authorized>payment_processing.booking_authorized "
    "paid>payment_processing.booking_authorized_and_settled void>voided",
    "paid: ",
    "voided: ",
    "delete.in_progress: next>delete.syncing",
    "delete.syncing: next>deleted fail>delete.failed",
    "delete.failed: delete>delete.in_progress",
    "deleted: ",
};

/* Conditions that hold, as a word for each. */
static met__invoice_moment moment_with(const char *word, int holds)
{
    met__invoice_moment moment = {.now_ns = 100};
    int is = strcmp(word, "collected") == 0;

    moment.collection_at_ns = is && !holds ? 101 : 100;
    is = strcmp(word, "draft_over") == 0;
    moment.draft_until_ns = is && !holds ? 101 : 100;
    moment.is_auto = (strcmp(word, "auto") == 0) == holds
                     && strcmp(word, "") != 0;
    if (strcmp(word, "manual") == 0) {
        moment.is_auto = !holds;
    }
    moment.is_valid = strcmp(word, "valid") == 0 ? holds : 1;
    moment.has_lines = strcmp(word, "empty") == 0 ? !holds : holds;
    return moment;
}

static const char *rule_of(uint32_t state)
{
    met__text name = met__invoice_state_name(state);

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t size = strcspn(rules[i], ":");
        if (size == name.size && memcmp(rules[i], name.data, size) == 0) {
            return rules[i] + size + 1;
        }
    }
    fail_msg("no rule of %.*s", (int)name.size, name.data);
    return "";
}

/* How often the rule has the action; the target of the last one that has this
 * condition ("" any). */
static int expected(uint32_t state, uint32_t action, const char *word,
                    char target[64], char condition[64])
{
    met__text name = met__invoice_action_name(action);
    char buffer[1024];
    char *save = NULL;
    int count = 0;

    snprintf(buffer, sizeof buffer, "%s", rule_of(state));
    for (char *item = strtok_r(buffer, " ", &save); item != NULL;
         item = strtok_r(NULL, " ", &save)) {
        size_t size = strcspn(item, "?>");
        if (size != name.size || memcmp(item, name.data, size) != 0) {
            continue;
        }
        count++;
        const char *to = strchr(item, '>') + 1;
        condition[0] = '\0';
        if (item[size] == '?') {
            snprintf(condition, 64, "%.*s", (int)(to - item - (long)size - 2),
                     item + size + 1);
        }
        snprintf(target, 64, "%s", to);
        if (strcmp(word, condition) == 0 && word[0] != '\0') {
            return count;
        }
    }
    return count;
}

static void assert_leads(uint32_t state, uint32_t action,
                         const met__invoice_moment *moment,
                         const char *target)
{
    const met__invoice_step *step =
        met__invoice_step_find(state, action, moment);

    if (step == NULL
        || !met__text_equal(met__invoice_state_name(step->to),
                            met__text_z(target))) {
        fail_msg("%s %s leads to %s, not %s",
                 met__invoice_state_name(state).data,
                 met__invoice_action_name(action).data,
                 step == NULL ? "nothing"
                              : met__invoice_state_name(step->to).data,
                 target);
    }
}

static void every_state_and_action(void **test)
{
    char condition[64];
    char target[64];

    (void)test;
    for (uint32_t state = 1; state < MET__STATE_END; state++) {
        for (uint32_t action = 1; action < MET__ACTION_END; action++) {
            int count = expected(state, action, "", target, condition);
            met__invoice_moment good = moment_with(condition, 1);
            assert_int_equal(met__invoice_step_is_legal(state, action),
                             count > 0);
            if (count == 0) {
                assert_null(met__invoice_step_find(state, action, &good));
                continue;
            }
            assert_leads(state, action, &good, target);
            if (count == 1 && condition[0] != '\0') {
                met__invoice_moment bad = moment_with(condition, 0);
                assert_null(met__invoice_step_find(state, action, &bad));
            }
        }
    }
}

static void where_two_lead_on_one_does(void **test)
{
    static const struct {
        uint32_t state;
        const char *one;
        const char *other;
    } forks[] = {{MET__STATE_SYNCING, "auto", "manual"},
                 {MET__STATE_READY, "lines", "empty"}};
    char condition[64];
    char target[64];

    (void)test;
    for (size_t i = 0; i < sizeof forks / sizeof *forks; i++) {
        met__invoice_moment moment = moment_with(forks[i].one, 1);
        (void)expected(forks[i].state, MET__ACTION_NEXT, forks[i].one, target,
                       condition);
        assert_leads(forks[i].state, MET__ACTION_NEXT, &moment, target);
        moment = moment_with(forks[i].other, 1);
        (void)expected(forks[i].state, MET__ACTION_NEXT, forks[i].other,
                       target, condition);
        assert_leads(forks[i].state, MET__ACTION_NEXT, &moment, target);
    }
}

static void names_lead_back(void **test)
{
    (void)test;
    for (uint32_t i = 1; i < MET__STATE_END; i++) {
        assert_int_equal(met__invoice_state_of(met__invoice_state_name(i)),
                         i);
    }
    for (uint32_t i = 1; i < MET__ACTION_END; i++) {
        assert_int_equal(met__invoice_action_of(met__invoice_action_name(i)),
                         i);
    }
    assert_int_equal(met__invoice_state_of(MET__TEXT("draft")),
                     MET__STATE_NONE);
    assert_int_equal(met__invoice_state_of(MET__TEXT("")), MET__STATE_NONE);
    assert_int_equal(met__invoice_action_of(MET__TEXT("pay")),
                     MET__ACTION_NONE);
    assert_int_equal(met__invoice_state_name(MET__STATE_END).size, 0);
    assert_int_equal(met__invoice_action_name(MET__ACTION_END).size, 0);
    assert_true(met__text_equal(met__invoice_status_name(MET__STATE_PENDING),
                                MET__TEXT("payment_processing")));
    assert_true(met__text_equal(met__invoice_status_name(MET__STATE_ISSUED),
                                MET__TEXT("issued")));
}

/* From every state that an invoice may rest in, an end can be reached. */
static void nothing_is_stuck(void **test)
{
    (void)test;
    for (uint32_t state = 1; state < MET__STATE_END; state++) {
        int is_end = state == MET__STATE_PAID || state == MET__STATE_VOIDED
                     || state == MET__STATE_DELETED;
        int has_step = 0;
        for (uint32_t action = 1; action < MET__ACTION_END; action++) {
            has_step |= met__invoice_step_is_legal(state, action);
        }
        assert_int_equal(has_step, !is_end);
    }
    assert_true(met__invoice_is_draft(MET__STATE_DELETED));
    assert_false(met__invoice_is_draft(MET__STATE_OVERDUE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_action),
        cmocka_unit_test(where_two_lead_on_one_does),
        cmocka_unit_test(names_lead_back),
        cmocka_unit_test(nothing_is_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

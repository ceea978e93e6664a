/* Whoever makes and drains notices is killed, again and again: every cause has
 * its notice, once, and every notice is delivered. And several drain at once:
 * nobody gets what another one holds. */
#include "unit/entitlement/notice_support.h"

#include <signal.h>
#include <time.h>

#define KILLS 25
#define IDS_MAX 4096

typedef struct id_set {
    size_t count;
    char ids[IDS_MAX][27];
} id_set;

static int has_id(const id_set *set, const char *id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->ids[i], id, 26) == 0) {
            return 1;
        }
    }
    return 0;
}

static void add_id(id_set *set, const char *id)
{
    assert_true(set->count < IDS_MAX);
    memcpy(set->ids[set->count], id, 26);
    set->ids[set->count++][26] = '\0';
}

/* Usage is 60, 90, 60, 90, … of 100: every change passes another threshold. */
static met_error change_usage(met_store *in, unsigned number)
{
    char json[512];

    snprintf(json, sizeof json,
             "{\"id\":\"n%u\",\"meter\":\"api_requests\",\"subject\":\"a\","
             "\"dimensions\":{\"service_name\":\"example_service\"},"
             "\"time\":\"2026-03-15T10:00:00Z\",\"value\":\"%s\","
             "\"reason\":\"r\",\"actor\":\"me\"}",
             number, number == 0 ? "60" : number % 2 ? "30" : "-30");
    return met_usage_adjust(in, json, strlen(json), NULL, NULL);
}

/* Takes one, says so, and only then acknowledges it. MET_E_NOT_FOUND: none. */
static met_error drain_one(met_store *in, int said)
{
    static const char begin[] = "{\"items\":[{\"id\":\"";
    met_buffer json = {0};
    char id[26];
    met_error error = met_notice_next(in, 1, 0, &json, NULL);

    if (error == MET_OK && json.size < sizeof begin + 26) {
        error = MET_E_NOT_FOUND;
    }
    if (error == MET_OK) {
        memcpy(id, json.data + sizeof begin - 1, sizeof id);
        if (write(said, id, sizeof id) != sizeof id) {
            _exit(4);
        }
        error = met_notice_ack(in, id, sizeof id, 0, NULL);
    }
    met_buffer_release(&json);
    return error;
}

static void collect(int from, id_set *delivered)
{
    char id[26];

    while (read(from, id, sizeof id) == sizeof id) {
        if (!has_id(delivered, id)) {
            add_id(delivered, id);
        }
    }
}

/* --- Kills ---------------------------------------------------------------- */
/* Is ready after its first change, so that every turn has one. */
static void work_for_ever(unsigned number, int ready, int said)
{
    met_store *mine = NULL;

    if (open_documents("s", 0, &mine) != MET_OK
        || change_usage(mine, number) != MET_OK
        || write(ready, "x", 1) != 1) {
        _exit(2);
    }
    for (number++;; number++) {
        if (change_usage(mine, number) != MET_OK) {
            _exit(3);
        }
        clock_now_ns += MET__SECOND_NS;
        if (number % 3 == 0) {
            while (drain_one(mine, said) == MET_OK) {
            }
        }
    }
}

static void kill_while_working(unsigned turn, unsigned number,
                               id_set *delivered)
{
    int ready[2];
    int said[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(said), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        work_for_ever(number, ready[1], said[1]);
    }
    close(said[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct timespec some = {0, 300000L + (long)(turn * 7919 % 31) * 200000L};
    nanosleep(&some, NULL);
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    collect(said[0], delivered);
    close(said[0]);
    close(ready[0]);
    close(ready[1]);
}

static unsigned count_changes(void)
{
    met_buffer *buffer = fresh();

    assert_ok(keep(met_usage_adjustment_list(store, buffer, &told), buffer));
    return met__node_get(answer, "items")->count;
}

/* Every change has made one notice, which was delivered or waits. */
static void check_notices(unsigned changes, id_set *delivered)
{
    char path[32];
    unsigned seen = 0;

    assert_ok(list_notices(1000));
    unsigned waiting = met__node_get(answer, "items")->count;
    for (unsigned i = 0; i < waiting; i++) {
        snprintf(path, sizeof path, "items.%u.id", i);
        seen += (unsigned)!has_id(delivered, shown(path));
    }
    assert_int_equal(seen + delivered->count, changes);
    assert_int_equal(check_all(store), MET_OK);
}

static void nothing_is_lost_or_made_twice(void **state)
{
    static id_set delivered;
    unsigned changes = 0;

    (void)state;
    delivered.count = 0;
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    for (unsigned turn = 0; turn < KILLS; turn++) {
        met_store_close(store);
        store = NULL;
        kill_while_working(turn, changes, &delivered);
        assert_int_equal(open_documents("s", 0, &store), MET_OK);
        changes = count_changes();
        check_notices(changes, &delivered);
        clock_now_ns += MET__HOUR_NS; /* leases of the dead are over */
    }
    assert_true(changes >= KILLS);
    /* What waits is delivered in the end. */
    int said[2];
    assert_int_equal(pipe(said), 0);
    while (drain_one(store, said[1]) == MET_OK) {
    }
    close(said[1]);
    collect(said[0], &delivered);
    close(said[0]);
    assert_int_equal(delivered.count, changes);
    assert_waiting("0");
}

/* --- Several at once ------------------------------------------------------ */
#define DRAINERS 3
#define CHANGES 60

static void drain_all(int said)
{
    met_store *mine = NULL;
    met_error error = open_documents("s", 0, &mine);

    while (error == MET_OK) {
        error = drain_one(mine, said);
    }
    _exit(error == MET_E_NOT_FOUND ? 0 : 2);
}

static void nobody_gets_what_another_one_holds(void **state)
{
    static id_set delivered;
    int said[2];
    char id[26];

    (void)state;
    delivered.count = 0;
    must_have_100("a");
    must_put_rule("warn", AT_50_80);
    for (unsigned i = 0; i < CHANGES; i++) {
        assert_int_equal(change_usage(store, i), MET_OK);
    }
    met_store_close(store);
    store = NULL;
    assert_int_equal(pipe(said), 0);
    fflush(NULL);
    for (unsigned i = 0; i < DRAINERS; i++) {
        if (fork() == 0) {
            drain_all(said[1]);
        }
    }
    close(said[1]);
    while (read(said[0], id, sizeof id) == sizeof id) {
        assert_false(has_id(&delivered, id)); /* leases are of a minute */
        add_id(&delivered, id);
    }
    close(said[0]);
    for (unsigned i = 0; i < DRAINERS; i++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(delivered.count, CHANGES);
    assert_int_equal(open_documents("s", 0, &store), MET_OK);
    assert_waiting("0");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_lost_or_made_twice),
        CASE(nobody_gets_what_another_one_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

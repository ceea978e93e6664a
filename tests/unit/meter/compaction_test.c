/* Compaction: queries answer the same before and after, or say what cannot be
 * told any more; what may still change is left alone. */
#include <stdlib.h>

#include "compaction_support.h"

#define QUERIES 500
#define EVENTS 900
#define DAYS 6

static uint64_t random_state = 20260301;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static int64_t at(int64_t minute)
{
    return START_NS + minute * MET__MINUTE_NS;
}

/* --- Random events, random queries ---------------------------------------- */
static void add_random(int64_t minutes_from, int64_t minutes_to)
{
    static const char *const words[] = {"0", "1", "2", "null"};
    char subject[2] = {(char)('a' + next_random(3)), '\0'};
    char amount[32];
    int64_t minute = minutes_from
                     + (int64_t)next_random((uint64_t)(minutes_to
                                                       - minutes_from));

    snprintf(amount, sizeof amount, "%s%d.%02d", next_random(9) ? "" : "-",
             (int)next_random(1000), (int)next_random(100));
    add(subject, next_random(4) ? words[next_random(3)] : NULL,
        next_random(4) ? words[next_random(4)] : NULL,
        next_random(3) ? amount : NULL,
        minute * 60 + (int64_t)next_random(2), (uint32_t)next_random(2));
}

static void add_events(int count, int64_t minutes_from, int64_t minutes_to)
{
    for (int i = 0; i < count; i++) {
        add_random(minutes_from, minutes_to);
        if (next_random(30) == 0) {
            must_settle(store);
        }
        if (next_random(30) == 0) {
            assert_int_equal(met__recorder_tick(recorder), MET_OK);
        }
    }
    test_now_ns += MET__MINUTE_NS; /* closes the epoch */
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_settle(store);
}

typedef struct asked {
    met__usage_query query;
    char meter[2];
    char subject[2];
    char x[2];
    met__text subject_text;
    met__filter filter;
    met__text groups[2];
    char *answer;
} asked;

static asked list[QUERIES];
static met__zone *zones[3]; /* UTC; whole hours; half an hour */

static void make_query(asked *made)
{
    static const uint32_t windows[] = {MET__WINDOW_NONE,  MET__WINDOW_NONE,
                                       MET__WINDOW_HOUR,  MET__WINDOW_DAY,
                                       MET__WINDOW_MONTH, MET__WINDOW_MINUTE};
    static const int64_t steps[] = {1, 60, 1440};
    int64_t step = steps[next_random(3)];
    int64_t from = (int64_t)next_random(DAYS * 1440) / step * step;
    int64_t width = (int64_t)next_random(4000) / step * step + step;
    met__usage_query *query = &made->query;

    made->meter[0] = "csalimu"[next_random(7)];
    made->subject[0] = (char)('a' + next_random(4));
    made->x[0] = (char)(next_random(4) ? '0' + next_random(3) : 0);
    made->subject_text = met__text_z(made->subject);
    made->filter = (met__filter){MET__TEXT("x"), met__text_z(made->x)};
    *query = (met__usage_query){
        .subject_count = next_random(2),
        .subjects = &made->subject_text,
        .filter_count = next_random(2),
        .filters = &made->filter,
        .way = (uint32_t)next_random(3),
        .window = windows[next_random(6)],
        .groups = made->groups,
        .from_ns = next_random(8) ? at(from) : MET__USAGE_FIRST,
        .to_ns = next_random(8) ? at(from + width) : MET__USAGE_LAST,
    };
    if (query->window == MET__WINDOW_DAY
        || query->window == MET__WINDOW_MONTH) {
        query->zone = zones[next_random(3)];
    }
    if (next_random(2)) {
        made->groups[query->group_count++] = MET__TEXT("subject");
    }
    if (next_random(2)) {
        made->groups[query->group_count++] = MET__TEXT("x");
    }
}

static met_error ask_again(const asked *made)
{
    groups_max = next_random(2) ? MET__USAGE_GROUPS_MAX : 2 + next_random(9);
    met_error error = ask(made->meter, made->query);
    groups_max = MET__USAGE_GROUPS_MAX;
    return error;
}

static void ask_all(void)
{
    for (int i = 0; i < QUERIES; i++) {
        assert_int_equal(ask_again(&list[i]), MET_OK);
        free(list[i].answer);
        list[i].answer = strdup(answer);
        assert_non_null(list[i].answer);
    }
}

/* A bound or a window's end that lies inside an hour (or, where days are
 * folded, inside a day) may be refused; no other one. */
static int may_be_refused(const met__usage_query *query)
{
    return (query->from_ns != MET__USAGE_FIRST
            && query->from_ns % MET__DAY_NS != 0)
           || (query->to_ns != MET__USAGE_LAST
               && query->to_ns % MET__DAY_NS != 0)
           || query->window == MET__WINDOW_MINUTE
           || query->window == MET__WINDOW_HOUR || query->zone != NULL;
}

/* How many were refused. */
static int compare_all(int are_days_folded)
{
    int refused = 0;

    for (int i = 0; i < QUERIES; i++) {
        const met__usage_query *query = &list[i].query;
        met_error error = ask_again(&list[i]);
        if (error == MET_OK) {
            assert_string_equal(answer, list[i].answer);
            continue;
        }
        assert_int_equal(error, MET_E_UNSUPPORTED);
        assert_true(strcmp(last_info.field, "from") == 0
                    || strcmp(last_info.field, "to") == 0
                    || strcmp(last_info.field, "window") == 0);
        assert_true(may_be_refused(query));
        assert_true(are_days_folded || query->zone == zones[2]
                    || query->window == MET__WINDOW_MINUTE
                    || (query->from_ns != MET__USAGE_FIRST
                        && query->from_ns % MET__HOUR_NS != 0)
                    || (query->to_ns != MET__USAGE_LAST
                        && query->to_ns % MET__HOUR_NS != 0));
        refused++;
    }
    return refused;
}

/* As of the start of a day since START_NS. */
static met__compact_report compact_until(int64_t day, size_t step_max)
{
    return must_compact(store, START_NS + day * MET__DAY_NS, step_max);
}

static void test_compaction__same_answers(void **state)
{
    const met__platform *platform = met__store_platform(store);

    assert_int_equal(met__zone_open(platform, MET__TEXT("Europe/Budapest"),
                                    &zones[1], NULL),
                     MET_OK);
    assert_int_equal(met__zone_open(platform, MET__TEXT("Asia/Kolkata"),
                                    &zones[2], NULL),
                     MET_OK);
    must_keep(store, "P1D", "P3D");
    add_events(EVENTS, 0, DAYS * 1440);
    for (int i = 0; i < QUERIES; i++) {
        make_query(&list[i]);
    }
    ask_all();
    uint64_t parts = records_of(store, MET__TABLE_PART);
    /* Day by day, and late events into what is folded. */
    for (int64_t day = 0; day <= DAYS + 4; day++) {
        size_t step = (size_t[]){1, 7, 100, 4096}[day % 4];
        met__compact_report report = compact_until(day, step);
        assert_int_equal(report.parts > 0, day >= 2 && day <= DAYS + 1);
        assert_int_equal(report.days > 0, day >= 4 && day <= DAYS + 3);
        int refused = compare_all(day >= 4);
        assert_int_equal(refused > 0, day >= 2);
        assert_true(refused < QUERIES * 3 / 4);
        report = compact_until(day, step);
        assert_int_equal(report.parts + report.hours_folded, 0);
    }
    assert_true(parts > 500);
    assert_int_equal(records_of(store, MET__TABLE_PART), 0);
    assert_int_equal(records_of(store, MET__TABLE_HOUR), 0);
    assert_true(records_of(store, MET__TABLE_DAY) < parts);
    for (int i = 0; i < QUERIES; i++) {
        free(list[i].answer);
        list[i].answer = NULL;
    }
    met__zone_close(zones[1]);
    met__zone_close(zones[2]);
}

/* Events that come when their hour or day is folded: as if nothing were. */
static void test_compaction__late_events(void **state)
{
    static char *wanted[7];
    static const char meters[] = "csalimu";

    must_keep(store, "P1D", "P2D");
    for (int turn = 0; turn < 2; turn++) {
        random_state = 99;
        for (int part = 0; part < 4; part++) {
            add_events(150, 0, 2 * 1440);
            if (turn == 1) {
                (void)compact_until(part < 2 ? 2 : 5, 50);
            }
        }
        for (int i = 0; i < 7; i++) {
            char meter[2] = {meters[i], '\0'};
            met__usage_query query = all();
            met__text group = MET__TEXT("x");
            query.window = MET__WINDOW_DAY;
            query.groups = &group;
            query.group_count = 1;
            assert_int_equal(ask(meter, query), MET_OK);
            if (turn == 0) {
                wanted[i] = strdup(answer);
            } else {
                assert_string_equal(answer, wanted[i]);
                free(wanted[i]);
            }
        }
        assert_true(turn == 0 || records_of(store, MET__TABLE_DAY) > 0);
        if (turn == 0) {
            met__recorder_close(recorder);
            met_store_close(store);
            temp_remove(home);
            setup(NULL);
            must_keep(store, "P1D", "P2D");
        }
    }
}

/* --- What is left alone --------------------------------------------------- */
static void test_compaction__open_epochs(void **state)
{
    must_keep(store, "PT1M", "P400D");
    add("a", NULL, NULL, "1", 0, 0);
    must_settle(store); /* a part of an epoch that is open */
    test_now_ns += 3 * MET__HOUR_NS;
    assert_int_equal(must_compact(store, test_now_ns, 10).parts, 0);
    add("a", NULL, NULL, "2", 1, 0); /* perhaps into the same cell */
    must_settle(store);
    assert_int_equal(ask("s", all()), MET_OK);
    assert_non_null(strstr(answer, "\"value\":\"3\""));
    test_now_ns += MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_settle(store);
    assert_true(must_compact(store, test_now_ns, 10).parts > 0);
    assert_int_equal(records_of(store, MET__TABLE_PART), 0);
    must_settle(store); /* and it is not written again */
    assert_int_equal(records_of(store, MET__TABLE_PART), 0);
    assert_int_equal(ask("s", all()), MET_OK);
    assert_non_null(strstr(answer, "\"value\":\"3\""));
}

/* A meter whose first minute is inside an hour can always be asked. */
static void test_compaction__first_minute_of_a_meter(void **state)
{
    must_keep(store, "PT1M", "P1D");
    must_meter(store,
               "{\"key\":\"late\",\"name\":\"n\",\"event_type\":\"t\","
               "\"aggregation\":\"count\",\"events_from\":"
               "\"2026-03-02T05:30:00Z\"}");
    test_now_ns += 2 * MET__MINUTE_NS;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_settle(store);
    add_events(0, 0, 1);
    for (int i = 0; i < 3 * 1440; i += 10) {
        add("a", NULL, NULL, NULL, i * 60, 0);
    }
    add_events(0, 0, 1);
    assert_int_equal(ask("late", all()), MET_OK);
    char *before = strdup(answer);
    met__compact_report report = compact_until(9, 100);
    assert_true(report.parts > 400 && report.days == 2);
    assert_int_equal(records_of(store, MET__TABLE_PART), 6);
    assert_int_equal(records_of(store, MET__TABLE_HOUR), 23);
    assert_int_equal(ask("late", all()), MET_OK);
    assert_string_equal(answer, before);
    free(before);
}

/* --- A guard, a bound ----------------------------------------------------- */
static int begun;

static met_error guard_begin(void *context, met__txn *txn)
{
    begun++;
    return context == &begun && txn != NULL ? MET_OK : MET_E_BUG;
}

/* Of "b" half past nine of the first day may be asked for. */
static met_error guard_parts(void *context, met__txn *txn, met__text subject,
                             int64_t from_ns, int64_t to_ns, int *parts_out)
{
    *parts_out = met__text_equal(subject, MET__TEXT("b"))
                 && from_ns < at(570) && at(570) < to_ns;
    return MET_OK;
}

static void test_compaction__guard(void **state)
{
    const met__compact_guard guard = {&begun, guard_begin, guard_parts};
    met__compact_report report;
    met__text subject = MET__TEXT("b");
    met__usage_query query = all();

    must_keep(store, "P1D", "P1D");
    for (int i = 0; i < 24; i++) {
        add("a", NULL, NULL, "1", i * 3600 + 1800, 0);
        add("b", NULL, NULL, "1", i * 3600 + 1799, 0);
        add("b", NULL, NULL, "1", i * 3600 + 1800, 0);
    }
    add_events(0, 0, 1);
    begun = 0;
    assert_int_equal(met__compact(store, at(4 * 1440), 0, 5, &guard, &report,
                                  NULL),
                     MET_OK);
    assert_true(begun > 10);
    assert_int_equal(report.parts, 70);
    assert_int_equal(records_of(store, MET__TABLE_PART), 2);
    assert_int_equal(report.days > 0, 1);
    query.subjects = &subject;
    query.subject_count = 1;
    query.to_ns = at(570);
    assert_int_equal(ask("s", query), MET_OK);
    assert_non_null(strstr(answer, "\"value\":\"19\""));
    subject = MET__TEXT("a");
    assert_int_equal(ask("s", query), MET_E_UNSUPPORTED);
    assert_string_equal(last_info.field, "to");
    assert_string_equal(last_info.reason,
                        "parts a day whose minutes are no longer kept");
}

static void test_compaction__in_small_bounds(void **state)
{
    met__compact_report report;
    uint64_t parts = 0;
    int calls = 0;

    must_keep(store, "P1D", "P9D");
    add_events(200, 0, 1440);
    uint64_t all_parts = records_of(store, MET__TABLE_PART);
    for (; parts < all_parts; calls++) {
        assert_int_equal(met__compact(store, at(2 * 1440), 9, 4, NULL, &report,
                                      NULL),
                         MET_OK);
        assert_true(report.parts <= 9 && report.transactions <= 3);
        assert_true(report.parts > 0 && report.bytes_freed > 0);
        parts += report.parts;
    }
    assert_int_equal(calls, (all_parts + 8) / 9);
    assert_int_equal(records_of(store, MET__TABLE_PART), 0);
}

/* A sum with too many digits stays as it is, and is refused as before. */
static void test_compaction__too_many_digits(void **state)
{
    met__txn *txn = NULL;
    uint64_t words[MET__PART_WORDS_MAX];
    met__usage_item item;
    met__grain_scan scan = {0};

    must_keep(store, "PT1M", "P9D");
    add("a", NULL, NULL, "1", 0, 0);
    add_events(0, 0, 1);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__grain_scan_begin(txn, 1, 0, UINT32_MAX, NULL,
                                           &scan),
                     MET_OK);
    assert_int_equal(met__grain_scan_next(&scan, &item), MET_OK);
    met__grain_scan_end(&scan);
    memcpy(words, item.words, sizeof words);
    met__amount_set(words + MET__PART_QUANTITIES + MET__QUANTITY_SUM,
                    met__amount_power(33) * 6);
    for (uint32_t i = 0; i < 2; i++) {
        item.key.cell = 1000 + i;
        assert_int_equal(met__part_put(txn, &item.key, words), MET_OK);
    }
    assert_int_equal(met__txn_commit(txn), MET_OK);
    assert_int_equal(ask("s", all()), MET_E_OVERFLOW);
    assert_int_equal(must_compact(store, at(120), 10).parts, 2);
    assert_int_equal(records_of(store, MET__TABLE_PART), 1);
    assert_int_equal(ask("s", all()), MET_E_OVERFLOW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_compaction__same_answers),
        TEST(test_compaction__late_events),
        TEST(test_compaction__open_epochs),
        TEST(test_compaction__first_minute_of_a_meter),
        TEST(test_compaction__guard),
        TEST(test_compaction__in_small_bounds),
        TEST(test_compaction__too_many_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

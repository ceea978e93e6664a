/* Both ways in end in the same usage: what a recorder counted and settlement
 * moved, and what came as events with ids, some of them sent again, in batches
 * of any size. Every aggregation, by minute, subject and dimension. */
#include "event_support.h"

#include "meter/usage_query.h"

#define EVENTS 400
#define METERS 7

static char home[64];
static unsigned seeds_wanted = 6;
static uint64_t random_state;

static const char *const aggregations[METERS] = {
    "sum", "count", "unique_count", "avg", "min", "max", "latest"};

typedef struct random_event {
    char id[16];
    char subject[8];
    char d[8];
    char u[8];
    char value[16]; /* "": it has none */
    int64_t utc_ns;
} random_event;

static random_event all[EVENTS];

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* Of few kinds in every other run: then many are of one instant and group. */
static void make_events(uint64_t few)
{
    static const char *const units[] = {"a", "b", "null", ""};

    for (int i = 0; i < EVENTS; i++) {
        random_event *event = &all[i];
        snprintf(event->id, sizeof event->id, "%d", i);
        snprintf(event->subject, sizeof event->subject, "s%d",
                 (int)next_random(few));
        snprintf(event->d, sizeof event->d, "%d", (int)next_random(few));
        snprintf(event->u, sizeof event->u, "%s", units[next_random(4)]);
        snprintf(event->value, sizeof event->value, "%s%d.%d",
                 next_random(4) == 0 ? "-" : "", (int)next_random(50),
                 (int)next_random(1000));
        if (next_random(5) == 0) {
            event->value[0] = '\0';
        }
        /* Few instants, so that the latest is often one of several. */
        event->utc_ns = START_NS - (int64_t)next_random(few) * MET__MINUTE_NS
                        - (int64_t)next_random(few) * MET__SECOND_NS;
    }
}

static met_store *open_store(const char *name)
{
    char json[512];
    met_store *store = test_store(temp_path(home, name));

    for (int i = 0; i < METERS; i++) {
        const char *value = i == 1   ? ""
                            : i == 2 ? ",\"value_property\":\"$.u\""
                                     : ",\"value_property\":\"$.v\"";
        snprintf(json, sizeof json,
                 "{\"key\":\"%s\",\"name\":\"n\",\"event_type\":\"t\","
                 "\"aggregation\":\"%s\",\"dimensions\":{\"d\":\"$.d\"}%s}",
                 aggregations[i], aggregations[i], value);
        must_meter(store, json);
    }
    return store;
}

static size_t pairs_of(const random_event *event, met_pair pairs[2])
{
    pairs[0] = (met_pair){"d", 1, event->d, strlen(event->d)};
    pairs[1] = (met_pair){"u", 1, event->u, strlen(event->u)};
    return 2;
}

static size_t quantity_of(const random_event *event, met_quantity *quantity)
{
    *quantity = (met_quantity){.key = "v", .key_size = 1};
    if (event->value[0] == '\0') {
        return 0;
    }
    assert_int_equal(met__decimal_parse(met__text_z(event->value),
                                        &quantity->value),
                     MET_OK);
    return 1;
}

static void record_all(met_store *store)
{
    met_recorder *recorder = must_recorder(store, 0);

    for (int i = 0; i < EVENTS; i++) {
        met_pair pairs[2];
        met_quantity quantity;
        met_event event = {
            .struct_size = sizeof event,
            .type = "t",
            .type_size = 1,
            .subject = all[i].subject,
            .subject_size = strlen(all[i].subject),
            .attributes = pairs,
            .attribute_count = pairs_of(&all[i], pairs),
            .quantities = &quantity,
            .quantity_count = quantity_of(&all[i], &quantity),
            .utc_ns = all[i].utc_ns,
        };
        assert_int_equal(met__recorder_add(recorder, &event, 0, NULL),
                         MET_OK);
        if (next_random(40) == 0) {
            must_settle(store);
        }
    }
    met__recorder_close(recorder);
    must_settle(store);
}

static void ingest_all(met_store *store)
{
    static met_pair pairs[EVENTS][2];
    static met_quantity quantities[EVENTS];
    static met_ingest_event events[EVENTS];
    met__ingest *ingest = must_ingest(store);

    for (int i = 0; i < EVENTS; i++) {
        events[i] = (met_ingest_event){
            .id = all[i].id,
            .id_size = strlen(all[i].id),
            .source = "s",
            .source_size = 1,
            .type = "t",
            .type_size = 1,
            .subject = all[i].subject,
            .subject_size = strlen(all[i].subject),
            .attributes = pairs[i],
            .attribute_count = pairs_of(&all[i], pairs[i]),
            .quantities = &quantities[i],
            .quantity_count = quantity_of(&all[i], &quantities[i]),
            .utc_ns = all[i].utc_ns,
        };
    }
    for (size_t at = 0; at < EVENTS;) {
        size_t again = next_random(at < 10 ? at + 1 : 10);
        size_t count = 1 + next_random(60);
        count = count < EVENTS - at ? count : EVENTS - at;
        assert_int_equal(met__event_ingest(ingest, events + at - again,
                                           count + again, NULL, NULL, NULL,
                                           NULL),
                         MET_OK);
        at += count;
        if (next_random(8) == 0) {
            met__ingest_close(ingest);
            ingest = must_ingest(store);
        }
    }
    met__ingest_close(ingest);
}

/* All rows of a meter as JSON. */
static void rows_of(met_store *store, const char *key, met__buffer *buffer)
{
    static const met__text groups[] = {{"subject", 7}, {"d", 1}};
    met__usage_query query = {.from_ns = MET__USAGE_FIRST,
                              .to_ns = MET__USAGE_LAST,
                              .window = MET__WINDOW_MINUTE,
                              .group_count = 2,
                              .groups = groups};
    met__meter *meter = NULL;
    met__node *rows = NULL;
    met__arena arena;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    met__buffer_init(buffer, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__meter_get(txn, met__text_z(key), &arena, &meter),
                     MET_OK);
    query.meter = meter;
    assert_int_equal(met__usage_rows(txn, &query, &arena, &rows, NULL),
                     MET_OK);
    met__json_write(rows, 0, buffer);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

static void test_event_equal__seeds(void **state)
{
    for (uint64_t seed = 1; seed <= seeds_wanted; seed++) {
        temp_directory(home, sizeof home);
        test_now_ns = START_NS;
        random_state = seed * 0x9e3779b97f4a7c15u + 1;
        make_events(seed % 2 ? 3 : 1);
        met_store *recorded = open_store("recorded");
        met_store *ingested = open_store("ingested");
        record_all(recorded);
        ingest_all(ingested);
        for (int i = 0; i < METERS; i++) {
            met__buffer one;
            met__buffer other;
            rows_of(recorded, aggregations[i], &one);
            rows_of(ingested, aggregations[i], &other);
            assert_true(one.size > 80);
            if (strcmp(one.data, other.data) != 0) {
                fail_msg("seed %llu, %s:\n%s\n%s", (unsigned long long)seed,
                         aggregations[i], one.data, other.data);
            }
            met__buffer_release(&one);
            met__buffer_release(&other);
        }
        met_store_close(recorded);
        met_store_close(ingested);
        temp_remove(home);
    }
}

/* event_equal_test [SEEDS] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_equal__seeds),
    };

    if (argc > 1) {
        seeds_wanted = (unsigned)strtoul(argv[1], NULL, 10);
    }
    return cmocka_run_group_tests_name("event_equal", tests, NULL, NULL);
}

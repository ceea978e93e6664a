/* Places of records: found again, made once, given to others only when idle,
 * completed after a killed maker, and tags that are repaired. */
#include "limit_support.h"

#include "limit/limiter_plan.h"

#define CAPACITY 256
#define CLOSED (MET__HEAD_FROZEN | MET__HEAD_CLOSED)
#define OPEN_FOR (UINT64_C(1) << 61)

static void *memory;
static met_limiter *limiter;
static met__limit_table *table;
static met__atomic_u64 version;
static uint32_t shape;

static int setup(void **state)
{
    memory = shared_memory(TABLE_BYTES(CAPACITY));
    limiter = open_memory(memory, TABLE_BYTES(CAPACITY), CAPACITY, 0);
    table = &limiter->table;
    version = 1;
    assert_int_equal(met__shape_enter(table, 5, MINUTE, MET_LIMITER_SLIDING,
                                      &shape),
                     MET_OK);
    return 0;
}

static int teardown(void **state)
{
    met_limiter_close(limiter);
    munmap(memory, TABLE_BYTES(CAPACITY));
    return 0;
}

typedef struct place {
    met__place_key key;
    met__place_name name;
} place;

static place place_of(int number)
{
    place out = {.key = met__place_key_of(table, 1, 1, &number,
                                          sizeof number)};

    out.name = met__place_name_of(&out.key, 1, shape, 0);
    return out;
}

static int insert(const place *where, uint64_t now, met__record **record)
{
    met__window_time time = {now, now};

    return met__place_insert(table, &where->key, &where->name, &time,
                             &version, 1, record);
}

static void is_found_again(void **state)
{
    met__record *records[100];

    for (int i = 0; i < 100; i++) {
        place where = place_of(i);
        assert_null(met__place_find(table, &where.key, &where.name));
        assert_null(met__place_search(table, &where.key, &where.name, 0));
        assert_int_equal(insert(&where, HOUR, &records[i]),
                         MET__PLACE_FOUND);
        assert_int_equal(records[i]->head, 0);
        for (int other = 0; other < i; other++) {
            assert_ptr_not_equal(records[i], records[other]);
        }
    }
    for (int i = 0; i < 100; i++) {
        place where = place_of(i);
        met__record *again = NULL;
        assert_ptr_equal(met__place_find(table, &where.key, &where.name),
                         records[i]);
        assert_int_equal(insert(&where, HOUR, &again), MET__PLACE_FOUND);
        assert_ptr_equal(again, records[i]);
        /* Another window of the same key is another record. */
        met__place_name next = met__place_name_of(&where.key, 1, shape, 1);
        assert_int_not_equal(next.name, where.name.name);
        assert_null(met__place_find(table, &where.key, &next));
    }
}

static void a_wrong_tag_is_repaired(void **state)
{
    place where = place_of(1);
    met__record *record = NULL;

    assert_int_equal(insert(&where, HOUR, &record), MET__PLACE_FOUND);
    memset((void *)table->controls, 0, CAPACITY);
    assert_null(met__place_find(table, &where.key, &where.name));
    assert_ptr_equal(met__place_search(table, &where.key, &where.name, 0),
                     record);
    assert_ptr_equal(met__place_find(table, &where.key, &where.name), record);
    memset((void *)table->controls, 0xee, CAPACITY);
    met__record *again = NULL;
    assert_int_equal(insert(&where, HOUR, &again), MET__PLACE_FOUND);
    assert_ptr_equal(again, record);
    assert_ptr_equal(met__place_find(table, &where.key, &where.name), record);
}

/* Somebody died after step 1; or a place was given up. */
static void killed_makers_are_completed(void **state)
{
    place where = place_of(1);
    met__record *record = NULL;
    uint64_t moment = (uint64_t)HOUR / 1000000;
    uint64_t closed = CLOSED | (moment & UINT32_MAX) << 29 | 5;

    assert_int_equal(insert(&where, HOUR, &record), MET__PLACE_FOUND);
    met__record *first = record;
    /* Given up, its lease not over: the place waits, the key does not. */
    first->head = closed;
    assert_null(met__place_find(table, &where.key, &where.name));
    assert_int_equal(insert(&where, HOUR + SECOND / 2, &record),
                     MET__PLACE_FOUND);
    assert_ptr_not_equal(record, first);
    met__record *second = record;
    /* "Open for": completed at once. */
    second->head = closed | OPEN_FOR;
    assert_int_equal(insert(&where, HOUR + SECOND / 2, &record),
                     MET__PLACE_FOUND);
    assert_ptr_equal(record, second);
    assert_int_equal(second->head, 0);
    /* Two of them: one stays. */
    first->head = closed | OPEN_FOR;
    second->head = (closed + 1) | OPEN_FOR;
    assert_int_equal(insert(&where, HOUR + SECOND / 2, &record),
                     MET__PLACE_FOUND);
    met__record *loser = record == first ? second : first;
    assert_int_equal(record->head, 0);
    assert_int_equal(loser->head & CLOSED, CLOSED);
    assert_int_equal(loser->head & OPEN_FOR, 0);
    assert_ptr_equal(met__place_find(table, &where.key, &where.name), record);
}

static void a_bar_takes_back_what_is_open(void **state)
{
    place where = place_of(1);
    met__record *record = NULL;

    assert_int_equal(insert(&where, HOUR, &record), MET__PLACE_FOUND);
    record->head = CLOSED | OPEN_FOR | 5;
    assert_null(met__place_search(table, &where.key, &where.name, 1));
    assert_int_equal(record->head & OPEN_FOR, 0);
}

static void a_stale_version_makes_nothing(void **state)
{
    place where = place_of(1);
    met__record *record = NULL;

    version = 2;
    assert_int_equal(insert(&where, HOUR, &record), MET__PLACE_STALE);
    assert_null(met__place_search(table, &where.key, &where.name, 0));
}

/* Only idle places go to others, at the moment they are idle. */
static void live_places_stay(void **state)
{
    const met__shape *numbers;
    met__shape spare;
    met__record *record = NULL;
    int full = 0;
    int made = 0;

    numbers = met__shape_get(table, shape, &spare);
    for (int i = 0; i < 2 * CAPACITY; i++) {
        place where = place_of(i);
        int result = insert(&where, HOUR, &record);
        full += result == MET__PLACE_FULL;
        if (result == MET__PLACE_FOUND) {
            met__window_mark mark;
            met__window_ask ask = {.name = record->name,
                                   .time = {HOUR, 0}, .cost = 1};
            made++;
            assert_int_equal(numbers->ops->take(record, numbers, &ask, &mark),
                             MET__TAKE_DONE);
        }
    }
    assert_int_equal(full + made, 2 * CAPACITY);
    assert_in_range(made, CAPACITY * 9 / 10, CAPACITY);
    for (int i = 0; i < made; i++) {
        place where = place_of(i + 100000);
        if (insert(&where, HOUR + MINUTE, &record) == MET__PLACE_FOUND) {
            assert_true(record->head == 0);
            break;
        }
    }
    int later = 0;
    for (int i = 0; i < CAPACITY / 2; i++) {
        place where = place_of(i + 200000);
        later += insert(&where, HOUR + 2 * MINUTE, &record)
                 == MET__PLACE_FOUND;
        assert_true(met__window_is_of(record, where.name.name));
    }
    assert_int_equal(later, CAPACITY / 2);
}

static void names_are_never_nothing(void **state)
{
    for (int i = 0; i < 100000; i++) {
        place where = place_of(i);
        assert_int_not_equal(where.name.name, 0);
        assert_int_equal(where.name.name & 0xff, shape);
        assert_in_range(where.name.tag, 1, 255);
        for (int choice = 0; choice < MET__CHOICES; choice++) {
            assert_true(where.key.block[choice]
                        <= (table->blocks - 1) * MET__BLOCK_PLACES);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_found_again),
        TEST(a_wrong_tag_is_repaired),
        TEST(killed_makers_are_completed),
        TEST(a_bar_takes_back_what_is_open),
        TEST(a_stale_version_makes_nothing),
        TEST(live_places_stay),
        TEST(names_are_never_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

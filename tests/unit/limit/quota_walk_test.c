/* A long random walk over the calls of quota.h, beside a list of reservations:
 * requests that complete in halves, are released or die; periods that roll
 * over; a clock that steps back; the file closed and opened again. Only with
 * steps back is what the dead hold known within bounds; else it is exact. */
#include "quota_support.h"

enum { STEPS = 120000, KEYS = 3, ITEMS = 40 };

enum { FREE, ADMITTED, HALF, DEAD };

/* A reservation of one key's period. */
typedef struct item {
    met__quota_ticket ticket;
    int state;
    int key;
    uint64_t number;
    int64_t holds;
    int64_t truth;
    int64_t slice;   /* of the clock at admit */
    int64_t highest; /* slice any request had seen by then */
    int may_be_gone; /* somebody may have emptied its bucket */
} item;

typedef struct side {
    uint64_t number;
    int64_t limit;
    int64_t used;
    uint32_t flags;
} side;

static item items[ITEMS];
static side sides[KEYS][2];
static uint64_t newest[KEYS];
static met__quota_table *table;
static met__platform platform;
static char path[128];
static uint64_t seed;
static int64_t now_ns;
static int64_t highest;
static uint64_t allowed;
static uint64_t refused;
static uint64_t expired;

static int64_t below(int64_t bound)
{
    return (int64_t)(quota_random(&seed) >> 20) % bound;
}

static side *side_of(int key, uint64_t number)
{
    return &sides[key][number & 1];
}

static void open_table(void)
{
    uint32_t is_empty;

    assert_int_equal(met__quota_open(&platform, path, quota_store, KEYS,
                                     &table, &is_empty, NULL),
                     MET_OK);
}

/* What taken is at least and at most. */
static void bounds(int key, uint64_t number, int64_t *least, int64_t *most)
{
    *least = side_of(key, number)->used;
    *most = *least;
    for (int i = 0; i < ITEMS; i++) {
        if (items[i].state != FREE && items[i].key == key
            && items[i].number == number) {
            *most += items[i].holds;
            *least += items[i].may_be_gone ? 0 : items[i].holds;
        }
    }
}

static void check(int key, uint64_t number)
{
    const side *there = side_of(key, number);
    met__quota_state state = quota_state_of(table, quota_key_of((uint64_t)key),
                                            number);
    int64_t least;
    int64_t most;

    bounds(key, number, &least, &most);
    if (state.limit != there->limit || state.taken < least
        || state.taken > most) {
        fail_msg("key %d period %d: limit %d taken %d; not %d, %d to %d", key,
                 (int)number, (int)state.limit, (int)state.taken,
                 (int)there->limit, (int)least, (int)most);
    }
}

/* A later period takes the place: what was held there is nobody's. */
static void next_period(int key)
{
    uint64_t number = newest[key] + 1;
    side *there = side_of(key, number);

    for (int i = 0; i < ITEMS; i++) {
        if (items[i].state != FREE && items[i].key == key
            && items[i].number + 2 == number) {
            if (items[i].state == HALF) {
                assert_int_equal(
                    met__quota_complete_end(table, &items[i].ticket), MET_OK);
            }
            items[i].state = FREE;
        }
    }
    *there = (side){.number = number,
                    .limit = 17 + below(36),
                    .used = below(5),
                    .flags = below(5) == 0 ? MET__QUOTA_SOFT : 0};
    met__quota_period period = {.number = number,
                                .limit = there->limit,
                                .taken = there->used,
                                .flags = there->flags};
    assert_int_equal(met__quota_prepare(table, quota_key_of((uint64_t)key),
                                        &period),
                     MET_OK);
    newest[key] = number;
}

static void overwrite(int key, uint64_t number)
{
    side *there = side_of(key, number);
    met__quota_period period = {.number = number,
                                .limit = 17 + below(36),
                                .taken = 77, /* not used: it is there */
                                .flags = there->flags};

    if (below(2) == 0) {
        period.flags |= MET__QUOTA_PROVISIONAL; /* changes nothing */
    } else {
        there->limit = period.limit;
    }
    assert_int_equal(met__quota_prepare(table, quota_key_of((uint64_t)key),
                                        &period),
                     MET_OK);
}

/* An admission empties buckets: those that must be, and those that may be. */
static void expire(int key, uint64_t number, int64_t slice)
{
    for (int i = 0; i < ITEMS; i++) {
        item *dead = &items[i];
        if (dead->state == DEAD && dead->key == key
            && dead->number == number) {
            if (slice >= dead->highest + 2) {
                dead->state = FREE;
                expired++;
            } else if (slice >= dead->slice + 2) {
                dead->may_be_gone = 1;
            }
        }
    }
}

static void admit(item *new, int key, uint64_t number)
{
    const side *there = side_of(key, number);
    int64_t slice = now_ns / SLICE;
    int64_t cost = below(8);
    int64_t least;
    int64_t most;

    highest = slice > highest ? slice : highest;
    expire(key, number, slice);
    bounds(key, number, &least, &most);
    int64_t left_least = there->limit - most;
    int64_t left_most = there->limit - least;
    uint32_t answer = quota_ask(table, quota_key_of((uint64_t)key), number,
                                cost, now_ns, &new->ticket);
    if ((there->flags & MET__QUOTA_SOFT) != 0) {
        assert_int_equal(answer, 1);
    } else if (answer) {
        assert_true(left_most > 0 && cost <= left_most);
    } else {
        assert_true(left_least <= 0 || cost > left_least);
    }
    allowed += answer;
    refused += !answer;
    new->state = answer ? ADMITTED : FREE;
    new->key = key;
    new->number = number;
    new->holds = cost;
    new->slice = slice;
    new->highest = highest;
    new->may_be_gone = 0;
}

static void go_on(item *it, int64_t what)
{
    if (it->state == ADMITTED && what < 5) {
        it->truth = below(10);
        assert_int_equal(met__quota_complete_begin(table, &it->ticket,
                                                   it->truth),
                         MET_OK);
        it->holds = it->truth > it->holds ? it->truth : it->holds;
        it->state = HALF;
    } else if (it->state == HALF && what < 8) {
        assert_int_equal(met__quota_complete_end(table, &it->ticket), MET_OK);
        side_of(it->key, it->number)->used += it->truth;
        it->state = FREE;
    } else if (it->state == ADMITTED && what == 9) {
        it->state = DEAD;
    } else if (it->state != DEAD) {
        assert_int_equal(met__quota_release(table, &it->ticket), MET_OK);
        it->state = FREE;
    }
}

/* The clock goes on, now and then back; no living request outlives it by two
 * slices. */
static void pass_time(void)
{
    now_ns += below(12) == 0 ? -below(SLICE) : below(SLICE / 4);
    now_ns = now_ns > 0 ? now_ns : 0;
    for (int i = 0; i < ITEMS; i++) {
        while (items[i].state == ADMITTED
               && items[i].slice + 2 <= now_ns / SLICE) {
            go_on(&items[i], below(2) ? 0 : 8);
        }
    }
}

static void agrees_with_reservations(void **state)
{
    (void)state;
    for (int key = 0; key < KEYS; key++) {
        next_period(key);
    }
    for (int step = 0; step < STEPS; step++) {
        int64_t what = below(100);
        int key = (int)below(KEYS);
        uint64_t number = newest[key] - (newest[key] > 1 && below(4) == 0);
        item *it = &items[below(ITEMS)];

        if (what == 0) {
            next_period(key);
        } else if (what == 1) {
            overwrite(key, number);
        } else if (what == 2 && below(10) == 0) {
            met__quota_close(table);
            open_table();
        } else if (what < 12) {
            pass_time();
        } else if (it->state == FREE) {
            admit(it, key, number);
        } else {
            key = it->key;
            number = it->number;
            go_on(it, below(10));
        }
        if (what == 0) {
            number = newest[key];
        }
        check(key, number);
    }
    assert_true(allowed > 10000 && refused > 1000 && expired > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_reservations),
    };
    char home[64];

    seed = 20260301;
    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/quota.map", home);
    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        return 1;
    }
    open_table();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    met__quota_close(table);
    temp_remove(home);
    return failures;
}

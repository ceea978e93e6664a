/* Threads inside one after the other, and waiting for a fact. */
#include "base_support.h"

#include <pthread.h>

#include "base/monitor.h"

#define THREADS 4
#define ROUNDS 2000

typedef struct shared {
    met__monitor monitor;
    unsigned turn; /* whose */
    unsigned long count;
} shared;

typedef struct player {
    pthread_t thread;
    shared *all;
    unsigned number;
} player;

/* Each in its turn, so nobody gets on unless waiting and telling work. */
static void *play(void *context)
{
    player *self = context;
    shared *all = self->all;

    for (int i = 0; i < ROUNDS; i++) {
        met__monitor_enter(&all->monitor);
        while (all->turn != self->number) {
            met__monitor_wait(&all->monitor);
        }
        all->count++;
        all->turn = (all->turn + 1) % THREADS;
        met__monitor_tell(&all->monitor);
        met__monitor_leave(&all->monitor);
    }
    return NULL;
}

static void test_threads_take_turns(void **state)
{
    static shared all;
    player players[THREADS];

    (void)state;
    met__monitor_init(&all.monitor);
    for (unsigned i = 0; i < THREADS; i++) {
        players[i] = (player){.all = &all, .number = i};
        assert_int_equal(pthread_create(&players[i].thread, NULL, play,
                                        &players[i]),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(players[i].thread, NULL), 0);
    }
    met__monitor_destroy(&all.monitor);
    assert_int_equal(all.count, THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

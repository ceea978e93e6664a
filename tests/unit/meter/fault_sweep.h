/* The k-th allocation or file call fails, for every k, once and for ever, in
 * whatever a scenario does. One of each per test program. */
#ifndef TESTS_UNIT_METER_FAULT_SWEEP_H
#define TESTS_UNIT_METER_FAULT_SWEEP_H

#include "meter_support.h"

#include "support/syscalls.h"

static faulty_memory memory;
static faulty_disk disk;
static int faults_met;
static met_error expected; /* what may be answered while faults are armed */

static void disarm(void)
{
    memory.fail_at = 0;
    disk.fail_at = 0;
    write_faults.is_armed = 0;
}

static void sweep_reset(void)
{
    memory = (faulty_memory){0};
    faulty_disk_init(&disk);
    write_faults = (syscall_faults){0};
    faults_met = 0;
}

/* 1: the call failed as it may, and is to be made again, undisturbed. */
static int failed(met_error error)
{
    if (error == MET_OK) {
        return 0;
    }
    if (error != expected) {
        fail_msg("%s, not %s; the disk failed in \"%s\"",
                 met_error_name(error), met_error_name(expected), disk.last);
    }
    faults_met++;
    disarm();
    return 1;
}

static void open_faulty_store(const char *path, met_store **store_out)
{
    met__platform platform = test_platform(&memory, &disk);

    assert_int_equal(met__store_open(&platform, path, MAP_SIZE, 1, store_out,
                                     NULL),
                     MET_OK);
}

/* One kind of faults: what counts its calls, what must be as it was after. */
typedef struct sweep {
    long *calls;
    long *fail_at;
    int *for_ever;
    long *live;
    long least; /* calls a scenario makes */
} sweep;

static void sweep_all(sweep kind, void (*scenario)(long k),
                      void (*check)(long k))
{
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        long live = *kind.live;
        for (long k = 1;; k++) {
            *kind.calls = 0;
            *kind.for_ever = for_ever;
            *kind.fail_at = k;
            scenario(k);
            int was_met = *kind.calls >= k;
            disarm();
            check(k);
            assert_int_equal(*kind.live, live);
            if (!was_met) {
                assert_true(k > kind.least);
                break;
            }
        }
    }
    assert_true(faults_met > kind.least);
}

static void sweep_memory(long least, void (*scenario)(long k),
                         void (*check)(long k))
{
    expected = MET_E_NO_MEMORY;
    sweep_all((sweep){&memory.calls, &memory.fail_at, &memory.for_ever,
                      &memory.live, least},
              scenario, check);
}

static void sweep_disk(int error, long least, void (*scenario)(long k),
                       void (*check)(long k))
{
    expected = error == ENOSPC ? MET_E_DISK_FULL : MET_E_IO;
    disk.error = error;
    sweep_all((sweep){&disk.calls, &disk.fail_at, &disk.for_ever,
                      &disk.open_files, least},
              scenario, check);
}

#endif

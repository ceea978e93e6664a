/* Calls of documents.h one by one while memory runs out at the k-th allocation,
 * for every k, and while the disk refuses the k-th write: the right error,
 * nothing stored, nothing kept, and the same call works afterwards. */
#ifndef TESTS_SUPPORT_FAULT_CALLS_H
#define TESTS_SUPPORT_FAULT_CALLS_H

#include "support/documents.h"
#include "support/kept.h"
#include "support/syscalls.h"

#include "metering/catalog.h"

/* fault_call.writes */
#define FAULT_READS 0
#define FAULT_WRITES 1
#define FAULT_ANNOUNCES 2 /* and tells the quota cells, if it can */

typedef struct fault_call {
    const char *name;
    met_error (*run)(void);
    int writes;
} fault_call;

static const fault_call *fault_calls;
static size_t fault_call_count;

/* The library's own allocations. */
static inline void test_fault__allocations(void **state)
{
    for (size_t i = 0; i < fault_call_count; i++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            int done = 0;
            long k = 1;
            /* The second round of what has written would find it written. */
            if (for_ever && fault_calls[i].writes) {
                continue;
            }
            for (; !done; k++) {
                uint64_t before = stored_digest();
                fresh();
                forget_kept(store);
                long live = memory.live;
                memory.calls = 0;
                memory.fail_at = k;
                memory.for_ever = for_ever || fault_calls[i].writes;
                met_error error = fault_calls[i].run();
                done = memory.calls < k;
                memory.fail_at = 0;
                if (error == MET_OK && !done
                    && fault_calls[i].writes == FAULT_ANNOUNCES) {
                    done = 1;
                }
                if (error != (done ? MET_OK : MET_E_NO_MEMORY)) {
                    fail_msg("%s, allocation %ld: %s", fault_calls[i].name, k,
                             met_error_name(error));
                }
                forget_kept(store);
                assert_int_equal(memory.live, live);
                if (!done || !fault_calls[i].writes) {
                    assert_int_equal(stored_digest(), before);
                }
            }
            assert_true(k > 5);
        }
    }
}

/* Memory of the libraries below: LMDB and msgpack. */
#ifdef SYSCALL_MEMORY
static inline void disarm(void)
{
    memory_faults.is_armed = 0;
}
#endif

static inline void test_fault__memory_below(void **state)
{
#ifdef SYSCALL_MEMORY
    when_answered = disarm;
    for (size_t i = 0; i < fault_call_count; i++) {
        int done = 0;
        for (long k = 1; !done; k++) {
            uint64_t before = stored_digest();
            fresh();
            forget_kept(store);
            syscall_arm(&memory_faults, k, 0, 0);
            met_error error = fault_calls[i].run();
            done = memory_faults.calls < k;
            memory_faults.is_armed = 0;
            if (error == MET_OK && !done) {
                /* Quota cells are made ahead of need, or by who needs one. */
                if (fault_calls[i].writes != FAULT_ANNOUNCES) {
                    fail_msg("%s, allocation %ld: MET_OK",
                             fault_calls[i].name, k);
                }
                done = 1;
            } else if (error != (done ? MET_OK : MET_E_NO_MEMORY)) {
                fail_msg("%s, allocation %ld: %s \"%s\"",
                         fault_calls[i].name, k, met_error_name(error),
                         told.reason);
            }
            if (error != MET_OK || !fault_calls[i].writes) {
                assert_int_equal(stored_digest(), before);
            }
        }
    }
    when_answered = NULL;
#endif
}

/* A write or a flush that fails: not stored, or possibly stored as a whole. */
static inline void test_fault__writes(void **state)
{
    static const int errors[] = {EIO, ENOSPC};

    for (size_t i = 0; i < fault_call_count; i++) {
        int done = 0;
        for (long k = 1; !done && fault_calls[i].writes; k++) {
            uint64_t before = stored_digest();
            syscall_arm(&write_faults, k, 0, errors[k % 2]);
            met_error error = fault_calls[i].run();
            done = write_faults.calls < k;
            write_faults.is_armed = 0;
            if (error == MET_OK && !done
                && fault_calls[i].writes == FAULT_ANNOUNCES) {
                done = 1; /* what tells others comes after the commit */
                assert_int_not_equal(stored_digest(), before);
            }
            if (done ? error != MET_OK
                     : error != MET_E_IO && error != MET_E_DISK_FULL) {
                fail_msg("%s, write %ld: %s", fault_calls[i].name, k,
                         met_error_name(error));
            }
            met_buffer out = {0};
            if (met_feature_list(store, &out, NULL) != MET_OK) {
                met_store_close(store); /* over, until it is opened again */
                error = open_documents("s", 0, &store);
                if (error != MET_OK) {
                    store = NULL;
                    fail_msg("%s, write %ld, reopened: %s \"%s\"",
                             fault_calls[i].name, k, met_error_name(error),
                             told.reason);
                }
            }
            met_buffer_release(&out);
            error = check_all(store);
            if (error != MET_OK) {
                fail_msg("%s, write %ld, then: %s", fault_calls[i].name, k,
                         met_error_name(error));
            }
            /* "Possibly stored" ends the sweep of this call. */
            done = done || stored_digest() != before;
        }
    }
}

#endif

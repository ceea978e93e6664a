/* One run, stepped by several threads in groups of few customers. */
#ifndef TESTS_UNIT_INVOICE_BILLING_THREADS_H
#define TESTS_UNIT_INVOICE_BILLING_THREADS_H

#include <pthread.h>

#include "invoice/billing_run.h"

#define STEPPERS_MAX 8

typedef struct stepper {
    pthread_t thread;
    met__billing_run *run;
    met__run_report report;
    met_error error;
    int *is_stopping;
    /* What a thread does about an error; not 0: it goes on. NULL: it and all
     * others stop. */
    int (*goes_on)(met_error error);
} stepper;

static inline void *step_to_the_end(void *context)
{
    stepper *self = context;

    while (!__atomic_load_n(self->is_stopping, __ATOMIC_RELAXED)) {
        self->error = met__billing_run_step(self->run, &self->report, NULL);
        if (self->error == MET_OK) {
            if (self->report.stage == MET__RUN_DONE) {
                break;
            }
        } else if (self->goes_on == NULL || !self->goes_on(self->error)) {
            __atomic_store_n(self->is_stopping, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

/* The first error that somebody was told; what was done goes into
 * *done_out. */
static inline met_error run_in_threads(met_store *on, int64_t as_of_ns,
                                       size_t jobs_max, unsigned threads,
                                       int (*goes_on)(met_error),
                                       met__run_report *done_out)
{
    stepper steppers[STEPPERS_MAX];
    int is_stopping = 0;
    met__billing_run *run = NULL;
    met_error error = met__billing_run_open(on, as_of_ns, jobs_max, &run);

    assert_true(threads <= STEPPERS_MAX);
    for (unsigned i = 0; error == MET_OK && i < threads; i++) {
        steppers[i] = (stepper){.run = run,
                                .is_stopping = &is_stopping,
                                .goes_on = goes_on};
        assert_int_equal(pthread_create(&steppers[i].thread, NULL,
                                        step_to_the_end, &steppers[i]),
                         0);
    }
    for (unsigned i = 0; run != NULL && i < threads; i++) {
        assert_int_equal(pthread_join(steppers[i].thread, NULL), 0);
        error = error == MET_OK ? steppers[i].error : error;
        *done_out = steppers[i].report;
    }
    met__billing_run_close(run);
    return error;
}

#endif

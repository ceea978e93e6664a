/* Commands on billing many customers: run, profile. */
#include "tool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "yaml.h"

#define THREADS_MAX 64

/* --- Runs ----------------------------------------------------------------- */
typedef struct run_wish {
    int64_t as_of_ns; /* 0: now */
    int threads;
    int is_quiet;
} run_wish;

static const struct {
    const char *name;
    size_t offset;
} counts[] = {
#define COUNT(name) {#name, offsetof(met_billing_report, name)}
    COUNT(customers), COUNT(measured),  COUNT(usage),  COUNT(drafts),
    COUNT(interim),   COUNT(collected), COUNT(issued), COUNT(credit_notes),
    COUNT(deleted),   COUNT(overdue),   COUNT(waiting), COUNT(failed),
#undef COUNT
};

static json_int_t count_at(const met_billing_report *report, size_t i)
{
    uint64_t value;

    memcpy(&value, (const char *)report + counts[i].offset, sizeof value);
    return (json_int_t)value;
}

static int print_report(tool *self, const met_billing_report *report,
                        int is_quiet)
{
    json_t *root = json_object();
    char as_of[MET_TIME_TEXT_SIZE] = "";

    if (met_time_format(report->as_of_ns, as_of) == MET_OK) {
        json_object_set_new(root, "as_of", json_string(as_of));
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_object_set_new(root, counts[i].name,
                            json_integer(count_at(report, i)));
    }
    if (report->failed > 0) {
        json_object_set_new(root, "failed_name",
                            json_string(report->failed_name));
        json_object_set_new(root, "failed_reason",
                            json_string(report->failed_reason));
    }
    if (self->is_json) {
        return tool_print_line(self, root);
    }
    if (!is_quiet || report->drafts + report->issued + report->overdue
                             + report->credit_notes + report->failed
                         > 0) {
        printf("as of %s: %llu customers, %llu drafts, %llu issued, %llu "
               "credit notes, %llu overdue, %llu waiting, %llu failed\n",
               as_of, (unsigned long long)report->customers,
               (unsigned long long)report->drafts,
               (unsigned long long)report->issued,
               (unsigned long long)report->credit_notes,
               (unsigned long long)report->overdue,
               (unsigned long long)report->waiting,
               (unsigned long long)report->failed);
        fflush(stdout);
    }
    json_decref(root);
    return TOOL_OK;
}

static void show_progress(const met_billing_report *report)
{
    static const char *const stages[] = {"", "invoices", "customers", ""};

    tool_progress(report->usage > 0 && report->drafts == 0
                      ? "usage"
                      : stages[report->stage],
                  report->usage > 0 && report->drafts == 0
                      ? report->usage
                      : report->customers,
                  0);
}

/* A thread that steps the run until it is over, or somebody's step failed. */
typedef struct stepper {
    pthread_t thread;
    met_billing_run *run;
    int *is_stopping;
    int is_shown;
    met_error error;
    met_error_info info;
    met_billing_report report;
} stepper;

static void *step_to_the_end(void *context)
{
    stepper *self = context;

    while (self->report.stage != MET_BILLING_DONE
           && !__atomic_load_n(self->is_stopping, __ATOMIC_RELAXED)) {
        self->error = met_billing_run_step(self->run, &self->report,
                                           &self->info);
        if (self->error != MET_OK) {
            __atomic_store_n(self->is_stopping, 1, __ATOMIC_RELAXED);
        } else if (self->is_shown) {
            show_progress(&self->report);
        }
    }
    return NULL;
}

/* This thread is one of them. When there are no more threads to be had, fewer
 * do the same. Returns the one whose report is the last word. */
static const stepper *step_together(met_billing_run *run, stepper *steppers,
                                    int threads)
{
    int is_stopping = 0;
    int started = 1;
    const stepper *last = &steppers[0];

    for (int i = 0; i < threads; i++) {
        steppers[i] = (stepper){.run = run,
                                .is_stopping = &is_stopping,
                                .is_shown = i == 0,
                                .info = {.struct_size = sizeof(met_error_info)},
                                .report = {.struct_size =
                                               sizeof(met_billing_report)}};
    }
    while (started < threads
           && pthread_create(&steppers[started].thread, NULL, step_to_the_end,
                             &steppers[started])
                  == 0) {
        started++;
    }
    (void)step_to_the_end(&steppers[0]);
    for (int i = 1; i < started; i++) {
        pthread_join(steppers[i].thread, NULL);
        if (last->error == MET_OK && steppers[i].error != MET_OK) {
            last = &steppers[i];
        }
    }
    return last;
}

/* One run to its end; *as_of_out is its instant. */
static int run_once(tool *self, const run_wish *wish, int64_t *as_of_out)
{
    static stepper steppers[THREADS_MAX];
    met_error_info info = {.struct_size = sizeof info};
    met_billing_run *run = NULL;
    met_error error =
        met_billing_run_open(self->store, wish->as_of_ns, &run, &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    const stepper *last = step_together(run, steppers, wish->threads);
    const met_billing_report *report = &last->report;
    tool_progress_end();
    met_billing_run_close(run);
    if (last->error != MET_OK) {
        return tool_error(self, last->error, &last->info);
    }
    *as_of_out = report->as_of_ns;
    int status = print_report(self, report, wish->is_quiet);
    if (report->failed > 0) {
        return tool_fail(self, "%s: %s%s", report->failed_name,
                         report->failed_reason,
                         report->failed > 1 ? ", and others" : "");
    }
    return status;
}

static int settle(tool *self)
{
    met_settle_config config = {.struct_size = sizeof config};
    met_error_info info = {.struct_size = sizeof info};
    met_error error = met_store_settle(self->store, &config, NULL, &info);

    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

static int64_t now(void)
{
    struct timespec time = {0};

    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What another one left is brought to its end first, as of its own instant. */
static int run_all(tool *self, const run_wish *wish)
{
    int64_t begun_ns = now();
    int64_t done_ns = 0;
    int status = settle(self);

    if (status == TOOL_OK) {
        status = run_once(self, wish, &done_ns);
    }
    int is_another = wish->as_of_ns != 0 ? done_ns != wish->as_of_ns
                                         : done_ns < begun_ns;
    return status == TOOL_OK && is_another ? run_once(self, wish, &done_ns)
                                           : status;
}

static int run_pass(tool *self, void *context)
{
    (void)run_all(self, context); /* what failed was said; the next tries */
    return TOOL_OK;
}

/* One more than there are processors: who waits for the writer or the disk
 * leaves its own to another. More than eight would wait for the one writer. */
static int default_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1 ? 2 : processors > 7 ? 8 : (int)processors + 1;
}

int command_billing_run(tool *self)
{
    int is_following = tool_flag(self, "follow");
    run_wish wish = {.is_quiet = is_following};
    int64_t interval_ns;
    int64_t threads = 1;
    int status = tool_option_time(self, "as-of", 0, &wish.as_of_ns);

    if (status == TOOL_OK && is_following && wish.as_of_ns != 0) {
        return tool_usage(self, "--follow goes without --as-of");
    }
    status = status == TOOL_OK
                 ? tool_option_number(self, "threads", default_threads(), 1,
                                      THREADS_MAX, &threads)
                 : status;
    status = status == TOOL_OK
                 ? tool_follow_interval(self, is_following, &interval_ns)
                 : status;
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    wish.threads = (int)threads;
    return is_following ? tool_follow(self, interval_ns, &wish, run_pass)
                        : run_all(self, &wish);
}

/* --- Profiles ------------------------------------------------------------- */
static int put_profile(tool *self, const char *customer, const char *file)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    char *text = yaml_read_text(self, file);

    if (text == NULL) {
        return TOOL_FAILED;
    }
    met_error error = met_billing_profile_put(
        self->store, customer, customer ? strlen(customer) : 0, text,
        strlen(text), &document, &info);
    free(text);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    int status = tool_print_document(self, document.data, document.size);
    met_buffer_release(&document);
    return status;
}

static int show_profile(tool *self, const char *customer)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    met_error error = met_billing_profile_get(
        self->store, customer, customer ? strlen(customer) : 0, &document,
        &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    int status = tool_print_document(self, document.data, document.size);
    met_buffer_release(&document);
    return status;
}

int command_billing_profile(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    const char *verb = self->arguments[0];
    const char *customer = tool_option(self, "customer", 0);
    int is_put = strcmp(verb, "put") == 0;

    if (!is_put && strcmp(verb, "show") != 0 && strcmp(verb, "remove") != 0) {
        return tool_usage(self, "\"%s\" is not put, show or remove", verb);
    }
    if (self->argument_count != (is_put ? 2 : 1)) {
        return tool_usage(self, is_put ? "put takes one FILE"
                                       : "%s takes nothing more",
                          verb);
    }
    int status = tool_open(self, 0);
    if (status != TOOL_OK) {
        return status;
    }
    if (is_put) {
        return put_profile(self, customer, self->arguments[1]);
    }
    if (strcmp(verb, "show") == 0) {
        return show_profile(self, customer);
    }
    met_error error = met_billing_profile_remove(
        self->store, customer, customer ? strlen(customer) : 0, &info);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

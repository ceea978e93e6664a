/* Commands on billing many customers: run, profile. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#include "yaml.h"

/* --- Runs ----------------------------------------------------------------- */
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

/* One run to its end; *as_of_out is its instant. */
static int run_once(tool *self, int64_t as_of_ns, int is_quiet,
                    int64_t *as_of_out)
{
    met_billing_report report = {.struct_size = sizeof report};
    met_error_info info = {.struct_size = sizeof info};
    met_billing_run *run = NULL;
    met_error error =
        met_billing_run_open(self->store, as_of_ns, &run, &info);

    while (error == MET_OK && report.stage != MET_BILLING_DONE) {
        error = met_billing_run_step(run, &report, &info);
        if (error == MET_OK) {
            show_progress(&report);
        }
    }
    tool_progress_end();
    met_billing_run_close(run);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    *as_of_out = report.as_of_ns;
    int status = print_report(self, &report, is_quiet);
    if (report.failed > 0) {
        return tool_fail(self, "%s: %s%s", report.failed_name,
                         report.failed_reason,
                         report.failed > 1 ? ", and others" : "");
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

/* What another one left is brought to its end first. */
static int run_all(tool *self, int64_t as_of_ns, int is_quiet)
{
    int64_t done_ns = 0;
    int status = settle(self);

    if (status == TOOL_OK) {
        status = run_once(self, as_of_ns, is_quiet, &done_ns);
    }
    return status == TOOL_OK && as_of_ns != 0 && done_ns != as_of_ns
               ? run_once(self, as_of_ns, is_quiet, &done_ns)
               : status;
}

static int run_pass(tool *self, void *context)
{
    (void)context;
    (void)run_all(self, 0, 1); /* what failed was said; the next pass tries */
    return TOOL_OK;
}

int command_billing_run(tool *self)
{
    int is_following = tool_flag(self, "follow");
    int64_t interval_ns;
    int64_t as_of_ns;
    int status = tool_option_time(self, "as-of", 0, &as_of_ns);

    if (status == TOOL_OK && is_following && as_of_ns != 0) {
        return tool_usage(self, "--follow goes without --as-of");
    }
    status = status == TOOL_OK
                 ? tool_follow_interval(self, is_following, &interval_ns)
                 : status;
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    return is_following ? tool_follow(self, interval_ns, NULL, run_pass)
                        : run_all(self, as_of_ns, 0);
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

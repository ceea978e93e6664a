/* billing.h: profiles and runs; arguments checked here. */
#include "metering/billing.h"

#include "api/document_call.h"
#include "base/calendar.h"
#include "base/caller_struct.h"
#include "customer/customer.h"
#include "invoice/billing_profile.h"
#include "invoice/billing_run.h"

/* --- Profiles ------------------------------------------------------------- */
/* Empty: the default. */
static met_error read_customer(met__call *call, const char *key, size_t size,
                               met__text *key_out)
{
    *key_out = met__text_of(NULL, 0);
    return key == NULL && size == 0
               ? MET_OK
               : met__call_key(call, "customer_key", key, size,
                               MET__SUBJECT_SIZE_MAX, key_out);
}

static met_error check_customer(met__call *call, met__text key)
{
    met__customer *customer;
    met_error error;

    if (key.size == 0) {
        return MET_OK;
    }
    error = met__customer_get(call->txn, key, &call->arena, &customer);
    return error == MET_E_NOT_FOUND
               ? met__fail(&call->why, error, "customer_key",
                           "there is no customer \"%.*s\"", (int)key.size,
                           key.data)
               : error;
}

static met_error show(met__call *call, met__text key, met__node **node_out)
{
    met__billing_profile *profile = NULL;
    met_error error =
        met__billing_profile_get(call->txn, key, &call->arena, &profile);

    return error == MET_OK ? met__billing_profile_document(
                                 profile, &call->arena, node_out)
                           : error;
}

met_error met_billing_profile_put(met_store *store, const char *customer_key,
                                  size_t customer_key_size, const char *json,
                                  size_t json_size, met_buffer *json_out,
                                  met_error_info *info)
{
    met__node *stated = NULL;
    met__node *node = NULL;
    met__text key;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = read_customer(&call, customer_key, customer_key_size, &key);
    }
    if (error == MET_OK) {
        error = met__call_parse(&call, json, json_size, &stated);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = check_customer(&call, key);
    }
    if (error == MET_OK) {
        error = met__billing_profile_put(call.txn, key, stated, &call.arena,
                                         &call.why);
    }
    if (error == MET_OK) {
        error = show(&call, key, &node);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_billing_profile_get(met_store *store, const char *customer_key,
                                  size_t customer_key_size,
                                  met_buffer *json_out, met_error_info *info)
{
    met__node *node = NULL;
    met__text key;
    met__call call;
    met_error error = met__call_begin_answer(&call, store, json_out, info);

    if (error == MET_OK) {
        error = read_customer(&call, customer_key, customer_key_size, &key);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 0);
    }
    if (error == MET_OK) {
        error = show(&call, key, &node);
    }
    return met__call_end(&call, error, node, json_out);
}

met_error met_billing_profile_remove(met_store *store,
                                     const char *customer_key,
                                     size_t customer_key_size,
                                     met_error_info *info)
{
    met__text key;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = read_customer(&call, customer_key, customer_key_size, &key);
    }
    if (error == MET_OK) {
        error = met__call_transact(&call, 1);
    }
    if (error == MET_OK) {
        error = met__billing_profile_put(call.txn, key, NULL, &call.arena,
                                         &call.why);
        if (error == MET_E_NOT_FOUND) {
            error = met__fail(&call.why, error, "customer_key",
                              "has no billing profile of its own");
        }
    }
    return met__call_end(&call, error, NULL, NULL);
}

/* --- Runs ----------------------------------------------------------------- */
struct met_billing_run {
    met_store *store;
    met__billing_run *run;
};

met_error met_billing_run_open(met_store *store, int64_t as_of_ns,
                               met_billing_run **run_out,
                               met_error_info *info)
{
    met_billing_run *run = NULL;
    const met__platform *platform;
    met__call call;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && run_out == NULL) {
        error = met__fail(&call.why, MET_E_INVALID, "run_out", "is NULL");
    }
    if (error == MET_OK) {
        platform = met__store_platform(store);
        int64_t now_ns = met__now_utc_ns(platform);
        if (as_of_ns < 0 || as_of_ns > now_ns) {
            error = met__fail(&call.why, MET_E_INVALID, "as_of_ns",
                              "must not be before 1970 or later than now");
        }
        as_of_ns = as_of_ns == 0 ? now_ns : as_of_ns;
    }
    if (error == MET_OK) {
        run = met__allocate(platform, sizeof *run);
        error = run == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    if (error == MET_OK) {
        run->store = store;
        error = met__billing_run_open(store, as_of_ns, MET__RUN_JOBS_MAX,
                                      &run->run);
    }
    if (error != MET_OK && run != NULL) {
        met__release(platform, run, sizeof *run);
    }
    error = met__call_end(&call, error, NULL, NULL);
    if (error == MET_OK) {
        *run_out = run;
    }
    return error;
}

static met_billing_report report_of(const met__run_report *from)
{
    met_billing_report report = {.struct_size = sizeof report,
                                 .as_of_ns = from->as_of_ns,
                                 .stage = from->stage + MET_BILLING_INVOICES,
                                 .customers = from->customers,
                                 .usage = from->usage,
                                 .drafts = from->drafts,
                                 .interim = from->interim,
                                 .collected = from->collected,
                                 .issued = from->issued,
                                 .credit_notes = from->credit_notes,
                                 .deleted = from->deleted,
                                 .overdue = from->overdue,
                                 .waiting = from->waiting,
                                 .failed = from->failed,
                                 .measured = from->measured};

    memcpy(report.failed_name, from->failed_name, sizeof from->failed_name);
    memcpy(report.failed_reason, from->failed_reason,
           sizeof from->failed_reason);
    return report;
}

met_error met_billing_run_step(met_billing_run *run,
                               met_billing_report *report_out,
                               met_error_info *info)
{
    met__run_report done;
    met_billing_report report;
    met__call call;

    if (run == NULL || report_out == NULL) {
        return met__fail(info, MET_E_INVALID, run ? "report_out" : "run",
                         "is NULL");
    }
    met_error error = met__call_begin(&call, run->store, info);
    if (error == MET_OK) {
        error = met__billing_run_step(run->run, &done, &call.why);
    }
    if (error == MET_OK) {
        report = report_of(&done);
        error = met__struct_write(report_out, sizeof report.struct_size,
                                  &report, sizeof report);
        if (error != MET_OK) {
            error = met__fail(&call.why, error, "report_out.struct_size",
                              "is too small");
        }
    }
    return met__call_end(&call, error, NULL, NULL);
}

void met_billing_run_close(met_billing_run *run)
{
    if (run != NULL) {
        met__billing_run_close(run->run);
        met__release(met__store_platform(run->store), run, sizeof *run);
    }
}

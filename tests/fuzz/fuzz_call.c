/* The first line names a call, the rest is the document it is given, on a
 * store that is fresh after everything that was stored: refused with a reason
 * and nothing to read, or done, and the store is whole. */
#include "fuzz_store.h"

typedef met_error plain_call(met_store *store, const char *json,
                             size_t json_size, met_buffer *json_out,
                             met_error_info *info);

#define GIVEN                                                                 \
    met_store *unused_, const char *json, size_t size, met_buffer *out,       \
        met_error_info *info
#define NAMED(name, function, key)                                            \
    static met_error name(GIVEN)                                              \
    {                                                                         \
        return function(store, key, sizeof key - 1, json, size, out, info);   \
    }
#define FLAGGED(name, function)                                               \
    static met_error name(GIVEN)                                              \
    {                                                                         \
        return function(store, json, size, MET_ALLOW_PAST, out, info);        \
    }

NAMED(profile, met_billing_profile_put, "c")
NAMED(customer_erase, met_customer_erase, "e")
NAMED(customer_rename, met_customer_rename, "c")
NAMED(subject_erase, met_subject_erase, "consumer:ariel")
NAMED(subject_rename, met_subject_rename, "consumer:ariel")
FLAGGED(subscribe, met_subscription_create)
FLAGGED(entitle, met_entitlement_create)
FLAGGED(override, met_entitlement_override)
FLAGGED(grant, met_grant_create)

static met_error reset(GIVEN)
{
    return met_entitlement_reset(store, "c", 1, "f", 1, json, size, out,
                                 info);
}

static met_error simulate(GIVEN)
{
    return met_entitlement_simulate(json, size, NULL, out, info);
}

static met_error price(GIVEN)
{
    return met_price_check(json, size, NULL, out, info);
}

/* The customer's only subscription. */
static met_error change(int migrates, const char *json, size_t size,
                        met_buffer *out, met_error_info *info)
{
    met_buffer list = {0};
    char id[27] = "";

    must(met_subscription_list(store, "c", 1, &list, NULL) == MET_OK);
    const char *at = strstr(list.data, "\"id\":\"");
    if (at != NULL) {
        memcpy(id, at + 6, 26);
    }
    met_buffer_release(&list);
    return migrates ? met_subscription_migrate(store, id, strlen(id), json,
                                               size, 0, 0, out, info)
                    : met_subscription_change(store, id, strlen(id), json,
                                              size, 0, 0, out, info);
}

static met_error subscription_change(GIVEN)
{
    return change(0, json, size, out, info);
}

static met_error subscription_migrate(GIVEN)
{
    return change(1, json, size, out, info);
}

static met_error credit(GIVEN)
{
    return met_invoice_credit(store, "01HZZZZZZZZZZZZZZZZZZZZZZZ", 26, json,
                              size, out, info);
}

static const struct {
    const char *name;
    plain_call *function;
} calls[] = {
    {"adjust", met_usage_adjust},
    {"billing_profile", profile},
    {"credit", credit},
    {"customer", met_customer_put},
    {"customer_erase", customer_erase},
    {"customer_rename", customer_rename},
    {"entitlement", entitle},
    {"event_list", met_event_list},
    {"event_settings", met_event_settings_put},
    {"feature", met_feature_put},
    {"grant", grant},
    {"meter", met_meter_put},
    {"notice_rule", met_notice_rule_put},
    {"override", override},
    {"plan", met_plan_put},
    {"price_check", price},
    {"reset", reset},
    {"retract", met_event_retract},
    {"simulate", simulate},
    {"subject_erase", subject_erase},
    {"subject_rename", subject_rename},
    {"subscription", subscribe},
    {"subscription_change", subscription_change},
    {"subscription_migrate", subscription_migrate},
    {"usage", met_usage_query},
    {"usage_settings", met_usage_settings_put},
};

static void call(plain_call *function, const char *json, size_t size)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {0};
    met_buffer report = {0};

    if (store == NULL) {
        start_store(FUZZ_CATALOG);
    }
    met_error error = function(store, json, size, &out, &info);
    check_refusal(error, &info);
    must(error == MET_OK || out.data == NULL);
    met_buffer_release(&out);
    if (error == MET_OK) {
        must(met_store_check(store, &report, &info) == MET_OK);
        must(strstr(report.data, "\"damaged\":0") != NULL);
        met_buffer_release(&report);
        finish_store();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size > 0 ? memchr(text, '\n', size) : NULL;

    for (size_t i = 0; end != NULL && i < sizeof calls / sizeof *calls; i++) {
        size_t length = strlen(calls[i].name);
        if (length == (size_t)(end - text)
            && memcmp(text, calls[i].name, length) == 0) {
            call(calls[i].function, end + 1, size - length - 1);
        }
    }
    return 0;
}

/* Golden sections of entitlements by themselves: one at a time for a feature,
 * and when one begins to measure. */
#include "golden_grant.h"

#include "entitlement/allowance.h"
#include "entitlement/entitled.h"

static int64_t first_time(golden *self, const met__node *item, const char *a,
                          const char *b, int64_t otherwise_ns)
{
    int64_t at_ns = otherwise_ns;

    if (golden_has(item, a)) {
        at_ns = golden_time(self, item, a);
    }
    if (golden_has(item, b)) {
        int64_t other_ns = golden_time(self, item, b);
        at_ns = other_ns < at_ns ? other_ns : at_ns;
    }
    return at_ns;
}

static void run_unique(golden *self, const met__node *item)
{
    const met__node *list = golden_get(self, item, "input.entitlements");
    const met__node *expect = golden_get(self, item, "expect");
    met__holder holder = {0};

    holder.allowances = met__arena_allocate(
        self->arena, (list->count + 1u) * sizeof *holder.allowances);
    for (uint32_t i = 0; i < list->count; i++) {
        const met__node *one = list->as.items[i];
        met__rate_card *card =
            met__arena_allocate(self->arena, sizeof *card);
        met__allowance *allowance = &holder.allowances[holder.count++];
        card->feature_key = golden_text(self, one, "feature");
        allowance->card = card;
        allowance->row.from_ns = golden_time(
            self, one,
            golden_has(one, "active_from") ? "active_from" : "created_at");
        allowance->row.to_ns = first_time(self, one, "active_to",
                                          "deleted_at", MET__TIME_MAX);
        if (i > 0
            && (!met__text_equal(card->feature_key,
                                 golden_text(self, list->as.items[0],
                                             "feature"))
                || !met__text_equal(golden_text(self, one, "customer"),
                                    golden_text(self, list->as.items[0],
                                                "customer")))) {
            self->rule = "rule.one_holder";
        }
    }
    if (self->rule != NULL) {
        holder.count = 0; /* each is asked for by itself */
    }
    if ((met__holder_twice(&holder) != NULL) != golden_has(expect, "error")) {
        golden_fail(self, "refused or not, but should not or should");
    }
}

static void run_measure_from(golden *self, const met__node *item)
{
    met__node *document = NULL;
    met__lone lone;
    char json[512];
    met__text value = golden_text(self, item, "input.value");

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"c\"},\"feature\":{\"key\":\"f\"},"
             "\"type\":\"metered\",\"usage_period\":{\"interval\":\"P1M\"},"
             "\"measure_usage_from\":\"%.*s\"}",
             (int)value.size, value.data);
    met_error error = met__json_parse(self->arena, met__text_z(json),
                                      &document, NULL);
    if (error == MET_OK) {
        error = met__lone_read(document, NULL, 0, self->arena, &lone, NULL);
    }
    golden_same_time(self, met__node_get(item, "expect"), error,
                     lone.measured_from_ns);
}

const golden_kind golden_lone_sections[] = {
    {"entitlement_unique_active", run_unique, NULL},
    {"measure_usage_from", run_measure_from, NULL},
    {NULL, NULL, NULL},
};

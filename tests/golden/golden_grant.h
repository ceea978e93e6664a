/* What the kinds of grants share: cases into terms of a run. */
#ifndef TESTS_GOLDEN_GOLDEN_GRANT_H
#define TESTS_GOLDEN_GOLDEN_GRANT_H

#include "golden.h"

#include "entitlement/grant_history.h"

typedef struct golden_usage {
    int64_t at_ns;
    met_decimal value;
} golden_usage;

/* Usage as a list of events, or as a rule in words. */
typedef struct golden_meter {
    uint32_t measure;
    size_t count;
    golden_usage *events; /* ascending; equal ones in the order they came */
    met__text rule;
    const struct met__allowance *allowance; /* converts, or NULL */
} golden_meter;

met__grant golden_grant(golden *self, const met__node *item);
/* A list of them, or a rule to make many. */
size_t golden_grants(golden *self, const met__node *list,
                     met__grant **grants_out);
met__burn_state golden_state(golden *self, const met__node *item);
void golden_meter_begin(golden *self, const met__node *input,
                        golden_meter *meter);
void golden_meter_add(golden *self, golden_meter *meter,
                      const met__node *item);
/* A met__burn_usage; context: a golden_meter. */
met_error golden_meter_usage(void *context, int64_t from_ns, int64_t to_ns,
                             met_decimal *usage_out);
/* What the differences call it when this run differs, or NULL. */
const char *golden_grant_rule(const met__burn_terms *terms);

met__node *golden_balances_node(golden *self, const met__burn_state *state);
met__node *golden_state_node(golden *self, const met__burn_state *state);
met__node *golden_segments_node(golden *self, const met__burn_result *result);

#endif

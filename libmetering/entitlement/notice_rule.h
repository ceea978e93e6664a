/* Rules of notices: what the host wants to be told about entitlements.
 *
 * Document: {"key", "name", "description"?, "type", "disabled"?,
 *            "thresholds"?: [{"type", "value"}], "when_reached"?,
 *            "features"?: [KEY, ...]}
 * The library adds id, created_at, updated_at. Records: NOTICE_RULE[key]. */
#ifndef MET_ENTITLEMENT_NOTICE_RULE_H
#define MET_ENTITLEMENT_NOTICE_RULE_H

#include "entitlement/threshold.h"
#include "store/object.h"

#define MET__NOTICE_RULES_MAX 100
#define MET__NOTICE_THRESHOLDS_MAX 10
#define MET__NOTICE_FEATURES_MAX 100

enum {
    MET__NOTICE_THRESHOLD, /* entitlements.balance.threshold */
    MET__NOTICE_RESET      /* entitlements.reset */
};

typedef struct met__notice_rule {
    met__text id;
    met__text key;
    met__text name;
    met__text description;
    uint32_t type; /* MET__NOTICE_* */
    int is_disabled;
    int when_reached; /* reaching a threshold is passing it */
    uint32_t reserved;
    size_t threshold_count;
    met__threshold thresholds[MET__NOTICE_THRESHOLDS_MAX];
    size_t feature_count; /* 0: every feature */
    met__text *features;
    int64_t created_at_ns;
    int64_t updated_at_ns;
} met__notice_rule;

/* All rules, disabled ones too; read once for many questions. */
typedef struct met__notice_rules {
    size_t count;
    met__notice_rule *list[MET__NOTICE_RULES_MAX];
} met__notice_rules;

const char *met__notice_type_name(uint32_t type);

/* Creates or replaces by key. MET_E_NOT_FOUND names the feature that is not
 * there · MET_E_UNSUPPORTED (a type or a field that is not served) ·
 * MET_E_LIMIT (more rules). */
met_error met__notice_rule_put(met__txn *txn, const met__node *node,
                               const met__path *path, uint32_t *change_out,
                               met_error_info *info);
/* MET_E_NOT_FOUND */
met_error met__notice_rule_remove(met__txn *txn, met__text key);
met_error met__notice_rule_document(met__txn *txn, met__text key,
                                    met__arena *arena, met__node **node_out);
met_error met__notice_rule_list(met__txn *txn, met__arena *arena,
                                met__node **array_out);
met_error met__notice_rules_read(met__txn *txn, met__arena *arena,
                                 met__notice_rules *rules_out);
/* Whether an enabled rule of this type is about the feature. */
int met__notice_rule_wants(const met__notice_rule *rule, uint32_t type,
                           met__text feature_key);

#endif

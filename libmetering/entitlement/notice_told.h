/* What was told about one entitlement, so that it is not told again: for every
 * rule, kind and usage period the threshold that was passed last.
 *
 * NOTICE_TOLD[subscription id 0 feature key]: {"told": [{"rule", "kind",
 * "key", "from", "to", "type"?, "value"?}]}. A period that has been over for a
 * day is forgotten with the next change: nothing is told about it any more. */
#ifndef MET_ENTITLEMENT_NOTICE_TOLD_H
#define MET_ENTITLEMENT_NOTICE_TOLD_H

#include "entitlement/allowance.h"
#include "entitlement/notice_rule.h"

/* How long after its end a usage period is still news. */
#define MET__NOTICE_LATE_NS MET__DAY_NS

enum { MET__TOLD_USAGE, MET__TOLD_BALANCE, MET__TOLD_RESET };

typedef struct met__told {
    met__text rule_id;
    met__text key; /* of repetition */
    uint32_t kind; /* MET__TOLD_* */
    int has_last;  /* a threshold is passed, and was told */
    met__period period;
    met__threshold last;
} met__told;

typedef struct met__told_list {
    size_t count;
    met__told *items; /* with room for two more for every rule */
} met__told_list;

/* What a repetition is of. Instants count in whole seconds. */
typedef struct met__repetition {
    const char *kind; /* "usage", "balance", "reset" */
    met__text rule_id;
    met__text tenant;
    met__period period;
    met__text subject;
    met__text entitlement_id;
    met__text feature_id;
    int64_t measured_from_ns;
} met__repetition;

/* "bsnap_v2_" and 32 hexadecimal digits, as the peer's events carry it: the
 * threshold itself is no part of it. */
met_error met__repetition_key(const met__repetition *repetition,
                              met__arena *arena, met__text *key_out);

const char *met__told_kind_name(uint32_t kind);

met_error met__told_read(met__txn *txn, const met__allowance *allowance,
                         size_t rule_count, met__arena *arena,
                         met__told_list *list_out);
/* Without what is of no rule any more, and of periods long over. */
met_error met__told_write(met__txn *txn, const met__allowance *allowance,
                          const met__notice_rules *rules,
                          const met__told_list *list, met__arena *arena);
/* NULL when there is none. */
met__told *met__told_find(const met__told_list *list, met__text key);
met__told *met__told_reset_of(const met__told_list *list, met__text rule_id);

#endif

/* Plans: versions of phases of rate cards. A version is a draft until it is
 * published, then in force in [effective_from, effective_to).
 *
 * Document: {"key", "name", "description"?, "labels"?, "currency",
 *   "billing_cadence", "pro_rating_enabled"?, "settlement_mode"?,
 *   "commitments"?: {"minimum"},
 *   "phases": [{"key", "name", "description"?, "labels"?, "duration"?,
 *               "rate_cards": [...]}]}
 * The library adds id, version, status, effective_from, effective_to,
 * created_at, updated_at, and validation_errors to a draft that has any.
 *
 * Record: PLAN[key 0 version:4]; the key of a custom plan is the id of the
 * subscription that it belongs to. */
#ifndef MET_CATALOG_PLAN_H
#define MET_CATALOG_PLAN_H

#include "base/limits.h"
#include "store/object.h"
#include "catalog/feature.h"
#include "catalog/rate_card.h"

enum {
    MET__PLAN_DRAFT = 1,
    MET__PLAN_SCHEDULED,
    MET__PLAN_ACTIVE,
    MET__PLAN_ARCHIVED,
    MET__PLAN_INVALID /* its period ends before it begins */
};

enum {
    MET__SETTLE_INVOICE = 0, /* credits first, an invoice for the rest */
    MET__SETTLE_CREDIT_ONLY
};

typedef struct met__phase {
    met__text key;
    met__text name;
    met__text description;
    const met__node *labels; /* NULL when none */
    int has_duration; /* the last phase has none */
    met__duration duration;
    size_t rate_card_count;
    met__rate_card **rate_cards;
} met__phase;

typedef struct met__plan {
    met__text id; /* empty before it is stored */
    met__text key;
    met__text name;
    met__text description;
    const met__node *labels; /* NULL when none */
    met__text currency;
    uint32_t version; /* from 1; 0 in a document that names none */
    met__duration billing_cadence;
    int is_prorating; /* flat fees of short periods are billed by their share */
    uint32_t settlement_mode; /* MET__SETTLE_* */
    met_decimal minimum; /* of every billing period, all cards together; 0:
                            none */
    int64_t effective_from_ns; /* 0 = not set */
    int64_t effective_to_ns;   /* 0 = not set */
    int64_t created_at_ns;
    int64_t updated_at_ns;
    size_t phase_count;
    met__phase *phases;
} met__plan;

/* --- Pure ----------------------------------------------------------------- */
/* Status of a period at an instant: exactly at from it is active, exactly at
 * to it is archived. 0 = not set. */
uint32_t met__plan_status_at(int64_t effective_from_ns,
                             int64_t effective_to_ns, int64_t at_ns);
const char *met__plan_status_name(uint32_t status);
/* Whether it has a phase of this key, and which. */
int met__plan_find_phase(const met__plan *plan, met__text key,
                         size_t *index_out);
/* NULL, or the issue code of an effective period. */
const char *met__effective_period_issue(int64_t effective_from_ns,
                                        int64_t effective_to_ns);

/* Shape only, no store: MET_E_INVALID with path and reason, MET_E_UNSUPPORTED
 * for what this version does not serve. */
met_error met__plan_read(const met__node *node, const met__path *path,
                         met__arena *arena, met__plan **plan_out,
                         met_error_info *info);

met_error met__plan_read_custom(const met__node *node, const met__path *path,
                                met__arena *arena, met__plan **plan_out,
                                met_error_info *info);

/* A record that came from outside. */
met_error met__plan_read_exported(const met__node *node,
                                  const met__path *path, met__arena *arena,
                                  met__plan **plan_out, met_error_info *info);
/* The record of a version: what a reader refuses is MET_E_CORRUPT. */
met_error met__plan_read_record(const met__node *node, met__arena *arena,
                                met__plan **plan_out);
/* As a document. STATED: only what a caller may state, in the one form in
 * which two spellings are equal. WHOLE: also id, version, times, the features'
 * ids, and status (NULL: none, as in a record) and issues (may be NULL). */
enum {
    MET__PLAN_STATED = 0,
    MET__PLAN_WHOLE,
    MET__PLAN_CUSTOM /* as stated, without a key */
};
met_error met__plan_build(const met__plan *plan, uint32_t form,
                          const char *status, const met__node *issues,
                          met__arena *arena, met__node **node_out);

/* Every rule the plan breaks, as an array of {"code", "field", "severity",
 * "message"}; severity "critical" is refused even for a draft, "error" when
 * publishing. Features are looked up in txn; NULL leaves those rules out. */
met_error met__plan_issues(met__txn *txn, const met__plan *plan,
                           const met__path *path, met__arena *arena,
                           met__node **array_out);

/* --- Stored --------------------------------------------------------------- */
/* Creates the draft (version = highest + 1) or replaces it. Without a draft, a
 * document equal to the highest version changes nothing, unless that one is
 * archived, or one of its features' keys has another owner by now. Critical
 * issues are MET_E_INVALID with the code in the reason.
 * A document that names a version replaces that one: a draft, or one that is
 * only scheduled, for which every issue counts. MET_E_NOT_FOUND no such
 * version · MET_E_CONFLICT it is or was in force. */
met_error met__plan_put(met__txn *txn, const met__node *node,
                        const met__path *path, uint32_t *change_out,
                        met_error_info *info);

/* When to publish; now_ns is the library's clock, or virtual in a replay. */
typedef struct met__publish {
    int64_t at_ns; /* 0 = now */
    int64_t now_ns;
    int allow_past; /* imports and replays */
} met__publish;

/* Publishes the draft: every issue refuses (MET_E_INVALID, the first one's
 * path and code in info, the number of others in the reason); the version in
 * force at that instant ends there; features are pinned by id. Without a draft
 * a highest version that is only scheduled is moved to that instant.
 * MET_E_NOT_FOUND no such plan · MET_E_CONFLICT neither, or another version
 * came into force between that instant and now. */
met_error met__plan_publish(met__txn *txn, met__text key,
                            const met__publish *when, met_error_info *info);

/* A declarative catalog: put, and with "publish": true in the document
 * publish what has changed at once. Idempotent. */
met_error met__plan_apply(met__txn *txn, const met__node *node,
                          const met__path *path, const met__publish *when,
                          uint32_t *change_out, met_error_info *info);

/* The plan of one subscription alone: no other can have it, and no list shows
 * it. It is published at once under the subscription's id, version 1. */
met_error met__plan_put_custom(met__txn *txn, const met__node *node,
                               const met__path *path,
                               met__text subscription_id, int64_t now_ns,
                               met__arena *arena, met__plan **plan_out,
                               met_error_info *info);
int met__plan_is_custom(met__text plan_key);

/* A version as it was exported, custom ones too. MET_E_CONFLICT when the store
 * has another one in its place. */
met_error met__plan_import(met__txn *txn, const met__node *node,
                           const met__path *path, uint32_t *change_out,
                           met_error_info *info);
/* Appends the record of a version. */
met_error met__plan_export(const met__plan *plan, met__arena *arena,
                           met__node *array);
/* Every version of every plan but custom ones. */
met_error met__plan_export_all(met__txn *txn, met__arena *arena,
                               met__node *array);

/* Ends the active version now. MET_E_CONFLICT when none is active. */
met_error met__plan_archive(met__txn *txn, met__text key, int64_t now_ns,
                            met_error_info *info);
/* The next draft: a copy of the highest version. MET_E_NOT_FOUND no such plan
 * · MET_E_CONFLICT it has a draft. */
met_error met__plan_next(met__txn *txn, met__text key, int64_t now_ns,
                         met_error_info *info);
/* Removes a draft, a version that is only scheduled (the version it was to
 * follow goes on), or an archived one. version 0 = the highest.
 * MET_E_CONFLICT when it is active. */
met_error met__plan_remove(met__txn *txn, met__text key, uint32_t version,
                           int64_t now_ns, met_error_info *info);

/* One version, or with version 0 the highest one that is active at at_ns.
 * MET_E_NOT_FOUND. */
met_error met__plan_get(met__txn *txn, met__text key, uint32_t version,
                        int64_t at_ns, met__arena *arena,
                        met__plan **plan_out);
/* The highest version, whatever its status. MET_E_NOT_FOUND. */
met_error met__plan_latest(met__txn *txn, met__text key, met__arena *arena,
                           met__plan **plan_out);

/* The highest version that is or was in force. MET_E_NOT_FOUND. */
met_error met__plan_highest(met__txn *txn, met__text key, int64_t now_ns,
                            met__arena *arena, met__plan **plan_out);

/* The public document of a version, with its status at now_ns. */
met_error met__plan_document(met__txn *txn, const met__plan *plan,
                             int64_t now_ns, met__arena *arena,
                             met__node **node_out);
/* Every version of every plan, by key and version. */
met_error met__plan_list(met__txn *txn, int64_t now_ns, met__arena *arena,
                         met__node **array_out);

/* What publishing keeps: feature ids, and dimensions that have prices. */
met_error met__plan_pin(met__txn *txn, met__plan *plan, met__arena *arena);
/* The feature of a rate card of a published plan; MET_E_NOT_FOUND when the
 * card has none. */
met_error met__rate_card_feature(met__txn *txn, const met__rate_card *card,
                                 met__arena *arena,
                                 met__feature **feature_out);

#endif

/* The versions of plans in the store: draft, publish, archive, remove. In:
 * documents and instants. Out: records of the table PLAN. A version that was
 * published never changes but for the end of its effective period. */
#include "catalog/plan_versions.h"

#include "base/check.h"
#include "store/object.h"

/* --- Drafts --------------------------------------------------------------- */
/* Whether every rate card means the feature it meant when it was pinned. */
static met_error same_features(met__txn *txn, const met__plan *wanted,
                               const met__plan *pinned, met__arena *arena,
                               int *is_same)
{
    for (size_t i = 0; i < wanted->phase_count; i++) {
        for (size_t j = 0; j < wanted->phases[i].rate_card_count; j++) {
            met__text key = wanted->phases[i].rate_cards[j]->feature_key;
            met__text id = wanted->phases[i].rate_cards[j]->feature_id;
            met__text now = pinned->phases[i].rate_cards[j]->feature_id;
            met__feature *feature = NULL;
            if (key.size == 0) {
                continue;
            }
            met_error error = met__feature_of(txn, key, id, arena, &feature);
            if (error != MET_OK && error != MET_E_NOT_FOUND) {
                return error;
            }
            if (error == MET_E_NOT_FOUND
                || !met__text_equal(feature->id, now)) {
                *is_same = 0;
                return MET_OK;
            }
        }
    }
    return MET_OK;
}

static met_error same_plan(met__txn *txn, const met__plan *wanted,
                           const met__plan *now, int64_t now_ns,
                           met__arena *arena, int *is_same)
{
    met__node *a = NULL;
    met__node *b = NULL;
    uint32_t status = met__plan_status(now, now_ns);
    uint32_t form =
        status == MET__PLAN_DRAFT ? MET__PLAN_WHOLE : MET__PLAN_STATED;
    met__plan stated = *now;

    *is_same = 0;
    if (status == MET__PLAN_ARCHIVED) {
        return MET_OK;
    }
    /* A draft keeps the ids its author wrote, so they are compared too. */
    stated.id = wanted->id;
    stated.version = wanted->version;
    met_error error = met__plan_build(wanted, form, NULL, NULL, arena, &a);
    if (error == MET_OK) {
        error = met__plan_build(&stated, form, NULL, NULL, arena, &b);
    }
    if (error != MET_OK || !met__node_equal(a, b)) {
        return error;
    }
    *is_same = 1;
    return status == MET__PLAN_DRAFT
               ? MET_OK
               : same_features(txn, wanted, now, arena, is_same);
}

/* Gives the draft its place: that of the draft there is, or the next one. */
static met_error place_draft(met__txn *txn, met__plan *wanted,
                             const met__plan *now, const met__path *path,
                             int64_t now_ns, met__arena *arena,
                             met_error_info *info)
{
    wanted->updated_at_ns = now_ns;
    if (now != NULL && met__plan_status(now, now_ns) == MET__PLAN_DRAFT) {
        wanted->id = now->id;
        wanted->version = now->version;
        wanted->created_at_ns = now->created_at_ns;
        return MET_OK;
    }
    if (now != NULL && now->version == UINT32_MAX) {
        return met__fail_at(info, MET_E_LIMIT, path, "version",
                            "would be the one behind %u",
                            (unsigned)UINT32_MAX);
    }
    wanted->version = now != NULL ? now->version + 1 : 1;
    wanted->created_at_ns = now_ns;
    return met__object_id(txn, now_ns, arena, &wanted->id);
}

/* Replaces the version that the document names. */
static met_error put_named(met__txn *txn, met__plan *wanted,
                           const met__node *issues, const met__path *path,
                           int64_t now_ns, met__arena *arena,
                           uint32_t *change, met_error_info *info)
{
    met__plan *now = NULL;
    met__node *a = NULL;
    met__node *b = NULL;
    met_error error = met__plan_get(txn, wanted->key, wanted->version, now_ns,
                                    arena, &now);

    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(info, error, path, "version",
                            "the plan has no such version");
    }
    if (error != MET_OK) {
        return error;
    }
    uint32_t status = met__plan_status(now, now_ns);
    if (status != MET__PLAN_DRAFT && status != MET__PLAN_SCHEDULED) {
        return met__fail_at(info, MET_E_CONFLICT, path, "version",
                            "version %u is %s: only a draft or a scheduled "
                            "version can be changed",
                            (unsigned)now->version,
                            met__plan_status_name(status));
    }
    wanted->id = now->id;
    wanted->created_at_ns = now->created_at_ns;
    wanted->updated_at_ns = now->updated_at_ns;
    wanted->effective_from_ns = now->effective_from_ns;
    wanted->effective_to_ns = now->effective_to_ns;
    if (status == MET__PLAN_SCHEDULED) {
        error = met__plan_refuse(issues, NULL, info);
        if (error == MET_OK) {
            error = met__plan_check_served(wanted, path, info);
        }
        if (error == MET_OK) {
            error = met__plan_pin(txn, wanted, arena);
        }
    }
    if (error == MET_OK) {
        error = met__plan_build(wanted, MET__PLAN_WHOLE, NULL, NULL, arena,
                                &a);
    }
    if (error == MET_OK) {
        error = met__plan_build(now, MET__PLAN_WHOLE, NULL, NULL, arena, &b);
    }
    if (error != MET_OK) {
        return error;
    }
    *change = met__node_equal(a, b) ? MET__CHANGE_NONE : MET__CHANGE_UPDATED;
    wanted->updated_at_ns = now_ns;
    return *change == MET__CHANGE_NONE
               ? MET_OK
               : met__plan_version_put(txn, wanted, arena);
}

static met_error put_draft(met__txn *txn, const met__node *node,
                           const met__path *path, int64_t now_ns,
                           met__arena *arena, met__plan **plan_out,
                           uint32_t *change, met_error_info *info)
{
    met__plan *wanted = NULL;
    met__plan *now = NULL;
    met__node *issues = NULL;
    int is_same = 0;
    met_error error = met__plan_read(node, path, arena, &wanted, info);

    if (error == MET_OK) {
        error = met__plan_issues(txn, wanted, path, arena, &issues);
    }
    if (error == MET_OK) {
        error = met__plan_refuse(issues, "critical", info);
    }
    if (error != MET_OK) {
        return error;
    }
    if (wanted->version != 0) {
        *plan_out = wanted;
        return put_named(txn, wanted, issues, path, now_ns, arena, change,
                         info);
    }
    error = met__plan_latest(txn, wanted->key, arena, &now);
    if (error == MET_OK) {
        error = same_plan(txn, wanted, now, now_ns, arena, &is_same);
    } else if (error == MET_E_NOT_FOUND) {
        error = MET_OK;
    }
    if (error != MET_OK || is_same) {
        *change = MET__CHANGE_NONE;
        *plan_out = now;
        return error;
    }
    error = place_draft(txn, wanted, now, path, now_ns, arena, info);
    *change = now == NULL ? MET__CHANGE_CREATED : MET__CHANGE_UPDATED;
    *plan_out = wanted;
    return error == MET_OK ? met__plan_version_put(txn, wanted, arena) : error;
}

met_error met__plan_put(met__txn *txn, const met__node *node,
                        const met__path *path, uint32_t *change_out,
                        met_error_info *info)
{
    met__arena arena;
    met__plan *plan = NULL;
    uint32_t change = MET__CHANGE_NONE;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = put_draft(txn, node, path, met__txn_now_ns(txn), &arena,
                                &plan, &change, info);
    met__arena_release(&arena);
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

met_error met__plan_next(met__txn *txn, met__text key, int64_t now_ns,
                         met_error_info *info)
{
    met__arena arena;
    met__plan *now = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__plan_latest(txn, key, &arena, &now);
    if (error == MET_OK && met__plan_status(now, now_ns) == MET__PLAN_DRAFT) {
        error = met__fail(info, MET_E_CONFLICT, "key",
                          "only a single draft version is allowed, and "
                          "version %u is one",
                          (unsigned)now->version);
    }
    if (error == MET_OK) {
        met__plan next = *now;
        error = place_draft(txn, &next, now, NULL, now_ns, &arena, info);
        next.effective_from_ns = 0;
        next.effective_to_ns = 0;
        if (error == MET_OK) {
            error = met__plan_version_put(txn, &next, &arena);
        }
    }
    met__arena_release(&arena);
    return error;
}

/* --- Publishing ----------------------------------------------------------- */
/* Ends what is in force at that instant. */
static met_error end_others(met__txn *txn, const met__plan_versions *list,
                            int64_t at_ns, int64_t now_ns, met__arena *arena,
                            met_error_info *info)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i + 1 < list->count; i++) {
        met__plan *other = list->plans[i];
        if (other->effective_from_ns > at_ns
            && other->effective_from_ns <= now_ns) {
            return met__fail(info, MET_E_CONFLICT, "at_ns",
                             "version %u came into force after this instant",
                             (unsigned)other->version);
        }
        if (met__plan_status(other, at_ns) == MET__PLAN_ACTIVE) {
            other->effective_to_ns = at_ns;
            other->updated_at_ns = now_ns;
            error = met__plan_version_put(txn, other, arena);
        }
    }
    return error;
}

/* What was to end where this version begins ends where this one ends: it is
 * removed, or moved. */
static met_error mend_periods(met__txn *txn, const met__plan_versions *list,
                              const met__plan *removed, int64_t now_ns,
                              met__arena *arena)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < list->count; i++) {
        met__plan *plan = list->plans[i];
        if (plan != removed && removed->effective_from_ns != 0
            && plan->effective_to_ns == removed->effective_from_ns) {
            plan->effective_to_ns = removed->effective_to_ns;
            plan->updated_at_ns = now_ns;
            error = met__plan_version_put(txn, plan, arena);
        }
    }
    return error;
}

static met_error check_instant(const met__publish *when, int64_t at_ns,
                               met_error_info *info)
{
    if (at_ns <= 0 || at_ns > MET__TIME_MAX) {
        return met__fail(info, MET_E_INVALID, "at_ns",
                         "must be a time of the years 1970 to 2200");
    }
    if (at_ns < when->now_ns && !when->allow_past) {
        return met__fail(info, MET_E_INVALID, "at_ns", "is in the past");
    }
    return MET_OK;
}

static met_error publish(met__txn *txn, met__text key,
                         const met__publish *when, met__arena *arena,
                         met_error_info *info)
{
    static const met__path path = {NULL, "plan", 0};
    met__plan_versions list;
    met__node *issues = NULL;
    int64_t at_ns = when->at_ns != 0 ? when->at_ns : when->now_ns;
    met_error error = met__plan_versions_load(txn, key, arena, &list);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "key", "there is no such plan");
    }
    if (error == MET_OK) {
        error = check_instant(when, at_ns, info);
    }
    if (error != MET_OK) {
        return error;
    }
    met__plan *draft = list.plans[list.count - 1];
    uint32_t status = met__plan_status(draft, when->now_ns);
    if (status != MET__PLAN_DRAFT && status != MET__PLAN_SCHEDULED) {
        return met__fail(info, MET_E_CONFLICT, "key",
                         "the plan has no draft to publish");
    }
    error = mend_periods(txn, &list, draft, when->now_ns, arena);
    if (error != MET_OK) {
        return error;
    }
    draft->effective_from_ns = at_ns;
    draft->updated_at_ns = when->now_ns;
    error = met__plan_issues(txn, draft, &path, arena, &issues);
    if (error == MET_OK) {
        error = met__plan_refuse(issues, NULL, info);
    }
    if (error == MET_OK) {
        error = met__plan_check_served(draft, &path, info);
    }
    if (error == MET_OK) {
        error = met__plan_pin(txn, draft, arena);
    }
    if (error == MET_OK) {
        error = end_others(txn, &list, at_ns, when->now_ns, arena, info);
    }
    return error == MET_OK ? met__plan_version_put(txn, draft, arena) : error;
}

met_error met__plan_publish(met__txn *txn, met__text key,
                            const met__publish *when, met_error_info *info)
{
    met__arena arena;

    MET__ASSERT(key.size > 0 && when != NULL);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = publish(txn, key, when, &arena, info);
    met__arena_release(&arena);
    return error;
}

/* The document without its "publish", whose value it reads. */
static met_error split_publish(const met__node *node, const met__path *path,
                               met__arena *arena, const met__node **rest_out,
                               int *publish_out, met_error_info *info)
{
    const met__node *member = met__node_get(node, "publish");

    *publish_out = 0;
    *rest_out = node;
    if (member == NULL) {
        return MET_OK;
    }
    if (member->kind != MET__NODE_BOOLEAN) {
        return met__fail_at(info, MET_E_INVALID, path, "publish",
                            "must be true or false");
    }
    met__node *rest = met__node_object(arena);
    met__member *members =
        met__arena_allocate(arena, node->count * sizeof *members);
    if (rest == NULL || members == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->as.members[i].node != member) {
            members[rest->count++] = node->as.members[i];
        }
    }
    rest->as.members = members;
    *rest_out = rest;
    *publish_out = (int)member->as.boolean;
    return MET_OK;
}

met_error met__plan_apply(met__txn *txn, const met__node *node,
                          const met__path *path, const met__publish *when,
                          uint32_t *change_out, met_error_info *info)
{
    met__arena arena;
    const met__node *rest = NULL;
    met__plan *plan = NULL;
    uint32_t change = MET__CHANGE_NONE;
    int is_published = 0;

    MET__ASSERT(when != NULL);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error =
        split_publish(node, path, &arena, &rest, &is_published, info);
    if (error == MET_OK) {
        error = put_draft(txn, rest, path, when->now_ns, &arena, &plan,
                          &change, info);
    }
    if (error == MET_OK && is_published && plan->effective_from_ns == 0) {
        change = change == MET__CHANGE_NONE ? MET__CHANGE_UPDATED : change;
        error = publish(txn, plan->key, when, &arena, info);
    }
    met__arena_release(&arena);
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

/* --- Ending --------------------------------------------------------------- */
met_error met__plan_archive(met__txn *txn, met__text key, int64_t now_ns,
                            met_error_info *info)
{
    met__arena arena;
    met__plan_versions list;
    int ended = 0;

    MET__ASSERT(key.size > 0);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__plan_versions_load(txn, key, &arena, &list);
    for (size_t i = 0; error == MET_OK && i < list.count; i++) {
        met__plan *plan = list.plans[i];
        if (met__plan_status(plan, now_ns) == MET__PLAN_ACTIVE) {
            plan->effective_to_ns = now_ns;
            plan->updated_at_ns = now_ns;
            error = met__plan_version_put(txn, plan, &arena);
            ended = 1;
        }
    }
    if (error == MET_OK && !ended) {
        error = met__fail(info, MET_E_CONFLICT, "key",
                          "no version of the plan is active");
    }
    met__arena_release(&arena);
    return error;
}

static met_error remove_version(met__txn *txn, met__text key,
                                uint32_t version, int64_t now_ns,
                                met__arena *arena, met_error_info *info)
{
    met__plan_versions list;
    met__plan *plan = NULL;
    met__text store_key;
    met_error error = met__plan_versions_load(txn, key, arena, &list);

    if (error != MET_OK) {
        return error;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (version == 0 || list.plans[i]->version == version) {
            plan = list.plans[i];
        }
    }
    if (plan == NULL) {
        return MET_E_NOT_FOUND;
    }
    uint32_t status = met__plan_status(plan, now_ns);
    if (status == MET__PLAN_ACTIVE) {
        return met__fail(info, MET_E_CONFLICT, "version",
                         "version %u is active: archive it first",
                         (unsigned)plan->version);
    }
    if (status == MET__PLAN_SCHEDULED) {
        error = mend_periods(txn, &list, plan, now_ns, arena);
    }
    if (error == MET_OK) {
        error = met__plan_version_key(arena, key, plan->version, &store_key);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_PLAN, store_key.data,
                                store_key.size);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

met_error met__plan_remove(met__txn *txn, met__text key, uint32_t version,
                           int64_t now_ns, met_error_info *info)
{
    met__arena arena;

    MET__ASSERT(key.size > 0);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = remove_version(txn, key, version, now_ns, &arena, info);
    met__arena_release(&arena);
    return error;
}

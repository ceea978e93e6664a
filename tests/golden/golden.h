/* The golden runner: what the files of kinds share. A kind reads one case of a
 * file, asks the library, and compares what the case asserts. */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "document/document.h"

typedef struct golden {
    const met__platform *platform;
    const met__node *file; /* the whole document: data that cases share */
    met__arena *arena;     /* of this case */
    int failed;
    int skipped;
    met__zone *zone; /* of the last zoned time, or NULL; the runner closes it */
    const char *rule; /* of differences.md, that this case meets, or NULL */
    char text[4096]; /* what was wrong, or why it was skipped */
} golden;

/* One row: the name of a section (or of a case's kind), and how to run it.
 * run NULL: not served; why says reason or, when it is NULL too, the row
 * kind.NAME of differences.md. */
typedef struct golden_kind {
    const char *name;
    void (*run)(golden *self, const met__node *item);
    const char *reason;
} golden_kind;

/* Tables, each ending with a NULL name. Sections are members of a file that
 * hold a list of cases; kinds are what the cases of a flat list name. */
extern const golden_kind golden_period_sections[];
extern const golden_kind golden_proration_kinds[];
extern const golden_kind golden_usage_period_sections[];
extern const golden_kind golden_rating_kinds[];
extern const golden_kind golden_runs_kinds[];
extern const golden_kind golden_steps_kinds[];
extern const golden_kind golden_money_kinds[];
extern const golden_kind golden_rule_kinds[];
extern const golden_kind golden_billing_kinds[];
extern const golden_kind golden_profile_kinds[];
extern const golden_kind golden_burn_kinds[];
extern const golden_kind golden_catalog_sections[];
extern const golden_kind golden_limit_sections[];
extern const golden_kind golden_event_sections[];
extern const golden_kind golden_gateway_sections[];
extern const golden_kind golden_usage_sections[];
extern const golden_kind golden_filter_sections[];
extern const golden_kind golden_grant_sections[];
extern const golden_kind golden_entitlement_sections[];
extern const golden_kind golden_lone_sections[];
extern const golden_kind golden_history_sections[];

/* golden_key_auth.c */
void golden_run_key_auth_case(golden *self, const met__node *item);

/* --- Reading a case; a missing or odd field fails the case ---------------- */
const met__node *golden_get(golden *self, const met__node *node,
                            const char *path); /* "input.anchor", or NULL */
met__text golden_text(golden *self, const met__node *node, const char *path);
int golden_flag(golden *self, const met__node *node, const char *path);
int64_t golden_time(golden *self, const met__node *node, const char *path);
/* A time that may end in [Area/City], which then is self->zone. */
int64_t golden_zoned_time(golden *self, const met__node *node,
                          const char *path);
met__duration golden_duration(golden *self, const met__node *node,
                              const char *path);
/* A decimal text or a number. */
met_decimal golden_decimal(golden *self, const met__node *node,
                           const char *path);
/* A member is there, and not null. */
static inline int golden_has(const met__node *node, const char *name)
{
    const met__node *found = node != NULL ? met__node_get(node, name) : NULL;

    return found != NULL && found->kind != MET__NODE_NULL;
}
/* The "input" of a case, or NULL. */
static inline const met__node *golden_input(const met__node *item)
{
    return met__node_get(item, "input");
}

/* --- Judging -------------------------------------------------------------- */
void golden_fail(golden *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void golden_skip(golden *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Every member that `expected` has must be in `got` and equal; lists have the
 * same length; numbers are compared as decimals, times as instants. */
void golden_same(golden *self, const met__node *expected,
                 const met__node *got);
void golden_same_time(golden *self, const met__node *expected,
                      met_error error, int64_t got_ns);
void golden_same_flag(golden *self, const met__node *expected, int got);

#endif

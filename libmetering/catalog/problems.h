/* Broken rules of a document: all of them as a list of issues, or the first
 * one as an error. */
#ifndef MET_CATALOG_PROBLEMS_H
#define MET_CATALOG_PROBLEMS_H

#include "catalog/price.h"
#include "document/document.h"

typedef struct met__problems {
    met__arena *arena;
    met__node *array; /* NULL: only the first is wanted */
    met_error error;  /* of the first problem, or MET_E_NO_MEMORY */
    uint32_t count;
    const char *code; /* of the first */
    met_error_info first;
} met__problems;

void met__problems_begin(met__problems *list, met__arena *arena,
                         met__node *array);
void met__problems_report(met__problems *list, const char *code,
                          const char *severity, const met_error_info *problem);
/* What a reader answers after its pass: the first problem, with its code and
 * the number of others in the reason. */
met_error met__problems_end(const met__problems *list, met_error_info *info);

/* The fields of one object; a problem is reported and reading goes on. Read
 * fields with met__fields_… and settle each by the code of its rule. */
typedef struct met__rules {
    met__fields fields;
    met_error_info problem;
    met__problems *list;
} met__rules;

/* 0 when node is no object. */
int met__rules_begin(met__rules *rules, met__problems *list,
                     const met__node *node, const met__path *path,
                     const char *code);
/* Reports what the last reader or check refused; 1 if it did not. */
int met__rules_settle(met__rules *rules, const char *code);
/* A decimal >= 0; 1 when nothing is wrong with it. has_out may be NULL. */
int met__rules_amount(met__rules *rules, const char *name, unsigned flags,
                      const char *code, met_decimal *out, int *has_out);
void met__rules_refuse(met__rules *rules, const char *name, const char *code,
                       const char *reason);
/* Reports the first field nobody read. */
void met__rules_end(met__rules *rules, const char *code);

/* The readers of price.h without their end. */
void met__discounts_collect(met__problems *list, const met__node *node,
                            const met__path *path, met__discounts *discounts);
void met__unit_config_collect(met__problems *list, const met__node *node,
                              const met__path *path, met__unit_config *config);

#endif

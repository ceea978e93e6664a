/* Collecting broken rules. In: one field after the other. Out: all problems as
 * a list, or the first one as an error. Knows nothing of prices. */
#include "catalog/problems.h"

void met__problems_begin(met__problems *list, met__arena *arena,
                         met__node *array)
{
    *list = (met__problems){.arena = arena, .array = array};
    list->first.struct_size = sizeof list->first;
}

static met_error append_issue(met__problems *list, const char *code,
                              const char *severity, const char *field,
                              const char *message)
{
    met__arena *arena = list->arena;
    met__node *issue = met__node_object(arena);
    met_error error =
        met__node_set(arena, issue, "code", met__node_text_z(arena, code));

    if (error == MET_OK) {
        error = met__node_set(arena, issue, "field",
                              met__node_text_z(arena, field));
    }
    if (error == MET_OK) {
        error = met__node_set(arena, issue, "severity",
                              met__node_text_z(arena, severity));
    }
    if (error == MET_OK) {
        error = met__node_set(arena, issue, "message",
                              met__node_text_z(arena, message));
    }
    return error == MET_OK ? met__node_append(arena, list->array, issue)
                           : error;
}

void met__problems_report(met__problems *list, const char *code,
                          const char *severity, const met_error_info *problem)
{
    if (list->error == MET_E_NO_MEMORY) {
        return;
    }
    if (list->count++ == 0) {
        list->code = code;
        list->first = *problem;
        list->error = problem->code;
    }
    if (list->array != NULL
        && append_issue(list, code, severity, problem->field, problem->reason)
               != MET_OK) {
        list->error = MET_E_NO_MEMORY;
    }
}

met_error met__problems_end(const met__problems *list, met_error_info *info)
{
    if (list->count == 0 || list->error == MET_E_NO_MEMORY) {
        return list->error;
    }
    if (list->count == 1) {
        return met__fail(info, list->error, list->first.field, "%s (%s)",
                         list->first.reason, list->code);
    }
    return met__fail(info, list->error, list->first.field, "%s (%s; %u more)",
                     list->first.reason, list->code, list->count - 1);
}

int met__rules_settle(met__rules *rules, const char *code)
{
    if (rules->fields.error == MET_OK) {
        return 1;
    }
    met__problems_report(rules->list, code, "critical", &rules->problem);
    rules->fields.error = MET_OK;
    return 0;
}

int met__rules_begin(met__rules *rules, met__problems *list,
                     const met__node *node, const met__path *path,
                     const char *code)
{
    *rules = (met__rules){.list = list};
    rules->problem.struct_size = sizeof rules->problem;
    met__fields_begin(&rules->fields, node, path, &rules->problem);
    return met__rules_settle(rules, code);
}

void met__rules_end(met__rules *rules, const char *code)
{
    met__fields_end(&rules->fields);
    met__rules_settle(rules, code);
}

int met__rules_amount(met__rules *rules, const char *name, unsigned flags,
                      const char *code, met_decimal *out, int *has_out)
{
    const met__node *node = met__node_get(rules->fields.object, name);
    int is_there = node != NULL && node->kind != MET__NODE_NULL;

    met__fields_decimal(&rules->fields, name, flags, 0, out);
    int is_good = met__rules_settle(rules, code);
    if (has_out != NULL) {
        *has_out = is_good && is_there;
    }
    return is_good;
}

void met__rules_refuse(met__rules *rules, const char *name, const char *code,
                       const char *reason)
{
    met__fields_fail(&rules->fields, name, "%s", reason);
    met__rules_settle(rules, code);
}

/* The memory of notices. In: an entitlement. Out: its record of NOTICE_TOLD,
 * and the key under which a notice is a repetition. */
#include "entitlement/notice_told.h"


static const char *const kind_names[] = {"usage", "balance", "reset", NULL};

const char *met__told_kind_name(uint32_t kind)
{
    return kind_names[kind];
}

/* --- Repetition ----------------------------------------------------------- */
static void append_second(met__buffer *buffer, int64_t at_ns)
{
    met_error error =
        met__time_print(at_ns - at_ns % MET__SECOND_NS, buffer);

    if (buffer->error == MET_OK) {
        buffer->error = error;
    }
}

static void append(met__buffer *buffer, met__text text)
{
    met__buffer_append(buffer, text.data, text.size);
}

met_error met__repetition_key(const met__repetition *repetition,
                              met__arena *arena, met__text *key_out)
{
    met__buffer buffer;
    const char *key = NULL;

    met__buffer_init(&buffer, arena->platform);
    met__buffer_text(&buffer, repetition->kind);
    append(&buffer, repetition->rule_id);
    append(&buffer, repetition->tenant);
    append_second(&buffer, repetition->period.from_ns);
    append_second(&buffer, repetition->period.to_ns);
    append(&buffer, repetition->subject);
    append(&buffer, repetition->entitlement_id);
    append(&buffer, repetition->feature_id);
    append_second(&buffer, repetition->measured_from_ns);
    met_error error = buffer.error;
    if (error == MET_OK) {
        met__hash128 hash = met__fingerprint(buffer.data, buffer.size);
        key = met__arena_print(arena, "bsnap_v2_%016llx%016llx",
                               (unsigned long long)hash.high,
                               (unsigned long long)hash.low);
        error = key == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    met__buffer_release(&buffer);
    if (error == MET_OK) {
        *key_out = met__text_z(key);
    }
    return error;
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_item(const met__node *node, met__told *told_out)
{
    met__path path = {NULL, "told", 0};
    met__fields fields;
    met_decimal value = met__decimal_zero();

    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_text(&fields, "rule", MET__REQUIRED, 1,
                           MET__KEY_SIZE_MAX, &told_out->rule_id);
    (void)met__fields_text(&fields, "key", MET__REQUIRED, 1,
                           MET__KEY_SIZE_MAX, &told_out->key);
    (void)met__fields_choice(&fields, "kind", MET__REQUIRED, kind_names,
                             &told_out->kind);
    (void)met__fields_time(&fields, "from", MET__OPTIONAL,
                           &told_out->period.from_ns);
    (void)met__fields_time(&fields, "to", MET__OPTIONAL,
                           &told_out->period.to_ns);
    told_out->last.kind = UINT32_MAX;
    (void)met__fields_choice(&fields, "type", MET__OPTIONAL,
                             met__threshold_names,
                             &told_out->last.kind);
    (void)met__fields_decimal(&fields, "value", MET__OPTIONAL, INT64_MIN,
                              &value);
    told_out->has_last = told_out->last.kind != UINT32_MAX;
    told_out->last.value = value;
    met_error error = met__fields_end(&fields);
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

met_error met__told_read(met__txn *txn, const met__allowance *allowance,
                         size_t rule_count, met__arena *arena,
                         met__told_list *list_out)
{
    const met__node *array = NULL;
    met__node *node = NULL;
    met__text key;
    met_error error = met__object_key(arena, allowance->id,
                                      allowance->card->feature_key, &key);

    if (error == MET_OK) {
        error = met__record_get(txn, MET__TABLE_NOTICE_TOLD, key.data,
                                key.size, arena, &node);
        if (error == MET_OK) {
            array = met__node_get(node, "told");
            if (array == NULL || array->kind != MET__NODE_ARRAY) {
                return MET_E_CORRUPT;
            }
        } else if (error == MET_E_NOT_FOUND) {
            error = MET_OK;
        }
    }
    if (error != MET_OK) {
        return error;
    }
    size_t count = array != NULL ? array->count : 0;
    *list_out = (met__told_list){0};
    list_out->items = met__arena_allocate(
        arena, (count + 2 * rule_count + 1) * sizeof *list_out->items);
    if (list_out->items == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        error = read_item(array->as.items[i],
                          &list_out->items[list_out->count++]);
    }
    return error;
}

/* --- Writing -------------------------------------------------------------- */
static met_error build_item(const met__told *told, met__arena *arena,
                            met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_text(&builder, "rule", told->rule_id);
    met__build_text(&builder, "kind", met__text_z(kind_names[told->kind]));
    met__build_text(&builder, "key", told->key);
    met__build_time(&builder, "from", told->period.from_ns);
    met__build_time(&builder, "to", told->period.to_ns);
    if (told->has_last) {
        met__build_text(&builder, "type",
                        met__text_z(met__threshold_names[told->last.kind]));
        met__build_decimal(&builder, "value", told->last.value);
    }
    return met__builder_end(&builder, node_out);
}

static int is_worth_keeping(const met__told *told,
                            const met__notice_rules *rules, int64_t now_ns)
{
    size_t i = 0;

    while (i < rules->count
           && !met__text_equal(rules->list[i]->id, told->rule_id)) {
        i++;
    }
    return i < rules->count
           && (told->kind == MET__TOLD_RESET
               || told->period.to_ns > now_ns - MET__NOTICE_LATE_NS);
}

met_error met__told_write(met__txn *txn, const met__allowance *allowance,
                          const met__notice_rules *rules,
                          const met__told_list *list, met__arena *arena)
{
    met__node *array = met__node_array(arena);
    met__node *object = met__node_object(arena);
    met__node *node;
    met__text key;
    met_error error = array == NULL || object == NULL
                          ? MET_E_NO_MEMORY
                          : met__object_key(arena,
                                            allowance->id,
                                            allowance->card->feature_key,
                                            &key);

    for (size_t i = 0; error == MET_OK && i < list->count; i++) {
        if (is_worth_keeping(&list->items[i], rules, met__txn_now_ns(txn))) {
            error = build_item(&list->items[i], arena, &node);
            if (error == MET_OK) {
                error = met__node_append(arena, array, node);
            }
        }
    }
    if (error == MET_OK) {
        error = met__node_set(arena, object, "told", array);
    }
    return error == MET_OK
               ? met__record_put(txn, MET__TABLE_NOTICE_TOLD, key.data,
                                 key.size, object)
               : error;
}

/* --- Finding -------------------------------------------------------------- */
met__told *met__told_find(const met__told_list *list, met__text key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (met__text_equal(list->items[i].key, key)) {
            return &list->items[i];
        }
    }
    return NULL;
}

met__told *met__told_reset_of(const met__told_list *list, met__text rule_id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind == MET__TOLD_RESET
            && met__text_equal(list->items[i].rule_id, rule_id)) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* The log of raw events: records, lists, and the way from an id to its event.
 * In: events of a batch. Out: documents. */
#include "meter/event_log.h"

#include "base/check.h"

#define HEAD (MET__BATCH_HASH + 8 + 8 + 8 + 4)
#define LOOKED_AT_MAX 100000 /* events of one list, so that it ends */
#define LIMIT_DEFAULT 100

/* --- Records -------------------------------------------------------------- */
static void event_key(const met__logged_event *event,
                      unsigned char out[MET__EVENT_KEY_SIZE])
{
    met__put_u64(out, (uint64_t)event->utc_ns);
    met__put_u64(out + 8, event->batch);
    met__put_u32(out + 16, event->index);
}

static uint32_t count_of(uint32_t mask)
{
    uint32_t count = 0;

    for (; mask != 0; mask &= mask - 1) {
        count++;
    }
    return count;
}

static unsigned char *put_text(unsigned char *at, met__text text)
{
    met__put_u32(at, (uint32_t)text.size);
    if (text.size > 0) {
        memcpy(at + 4, text.data, text.size);
    }
    return at + 4 + text.size;
}

met_error met__event_log_put(met__txn *txn, const met__logged_event *event,
                             met__arena *arena)
{
    unsigned char key[MET__EVENT_KEY_SIZE];
    const met__text texts[] = {event->type, event->subject, event->json,
                               event->reason, event->actor};
    size_t size = HEAD + 16 * (size_t)count_of(event->mask);

    for (size_t i = 0; i < 5; i++) {
        size += 4 + texts[i].size;
    }
    unsigned char *value = met__arena_allocate(arena, size);
    if (value == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(value, &event->hash.low, 8);
    memcpy(value + 8, &event->hash.high, 8);
    met__put_u64(value + 16, (uint64_t)event->ingested_ns);
    met__put_u64(value + 24, (uint64_t)event->retracted_ns);
    met__put_u64(value + 32, event->shape);
    met__put_u32(value + 40, event->mask);
    unsigned char *at = value + HEAD;
    for (uint32_t i = 0; i < MET__QUANTITIES_MAX; i++) {
        if ((event->mask >> i & 1) != 0) {
            uint64_t words[2];
            met__amount_set(words, event->values[i]);
            met__put_u64(at, words[1]);
            met__put_u64(at + 8, words[0]);
            at += 16;
        }
    }
    for (size_t i = 0; i < 5; i++) {
        at = put_text(at, texts[i]);
    }
    event_key(event, key);
    return met__txn_put(txn, MET__TABLE_EVENT, key, sizeof key, value, size);
}

static int take_text(const unsigned char **at, const unsigned char *end,
                     met__text *out)
{
    if (end - *at < 4) {
        return 0;
    }
    size_t size = met__get_u32(*at);
    if (size > (size_t)(end - *at) - 4) {
        return 0;
    }
    *out = met__text_of((const char *)*at + 4, size);
    *at += 4 + size;
    return 1;
}

met_error met__event_log_read(met__text key, met__text value,
                              met__logged_event *event_out)
{
    const unsigned char *k = (const unsigned char *)key.data;
    const unsigned char *at = (const unsigned char *)value.data;
    const unsigned char *end = at + value.size;

    if (key.size != MET__EVENT_KEY_SIZE || value.size < HEAD) {
        return MET_E_CORRUPT;
    }
    *event_out = (met__logged_event){
        .utc_ns = (int64_t)met__get_u64(k),
        .batch = met__get_u64(k + 8),
        .index = met__get_u32(k + 16),
        .mask = met__get_u32(at + 40),
        .ingested_ns = (int64_t)met__get_u64(at + 16),
        .retracted_ns = (int64_t)met__get_u64(at + 24),
        .shape = met__get_u64(at + 32),
    };
    memcpy(&event_out->hash.low, at, 8);
    memcpy(&event_out->hash.high, at + 8, 8);
    if (event_out->mask >> MET__QUANTITIES_MAX != 0
        || value.size < HEAD + 16 * (size_t)count_of(event_out->mask)) {
        return MET_E_CORRUPT;
    }
    at += HEAD;
    for (uint32_t i = 0; i < MET__QUANTITIES_MAX; i++) {
        if ((event_out->mask >> i & 1) != 0) {
            uint64_t words[2] = {met__get_u64(at + 8), met__get_u64(at)};
            event_out->values[i] = met__amount_get(words);
            at += 16;
        }
    }
    return take_text(&at, end, &event_out->type)
                   && take_text(&at, end, &event_out->subject)
                   && take_text(&at, end, &event_out->json)
                   && take_text(&at, end, &event_out->reason)
                   && take_text(&at, end, &event_out->actor) && at == end
               ? MET_OK
               : MET_E_CORRUPT;
}

met_error met__event_log_expire(met__txn *txn, int64_t before_ns,
                                uint32_t most)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT, NULL, 0, &scan);

    while (error == MET_OK && most-- > 0) {
        unsigned char copy[MET__EVENT_KEY_SIZE];
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && key.size != sizeof copy) {
            error = MET_E_CORRUPT;
        }
        if (error != MET_OK) {
            break;
        }
        memcpy(copy, key.data, sizeof copy);
        error = (int64_t)met__get_u64(copy) < before_ns
                    ? met__txn_remove(txn, MET__TABLE_EVENT, copy,
                                      sizeof copy)
                    : MET_E_NOT_FOUND;
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- From an id to its event ---------------------------------------------- */
/* Of the pair as length-prefixed texts: no two pairs have the same bytes. */
met__hash128 met__event_hash(const met_store *store, met__text source,
                             met__text id)
{
    unsigned char bytes[4 + MET__EVENT_SOURCE_SIZE_MAX
                        + MET__EVENT_ID_SIZE_MAX];

    met__put_u32(bytes, (uint32_t)source.size);
    memcpy(bytes + 4, source.data, source.size);
    memcpy(bytes + 4 + source.size, id.data, id.size);
    return met__hash128_of(met__store_secret(store), bytes,
                           4 + source.size + id.size);
}

static int same_hash(met__hash128 a, met__hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

static met_error keep_texts(met__logged_event *event, met__arena *arena)
{
    met__text *texts[] = {&event->type, &event->subject, &event->json,
                          &event->reason, &event->actor};

    for (size_t i = 0; i < 5; i++) {
        texts[i]->data = met__arena_copy(arena, texts[i]->data,
                                         texts[i]->size);
        if (texts[i]->data == NULL) {
            return MET_E_NO_MEMORY;
        }
    }
    return MET_OK;
}

/* The batch that has the id, and when it was logged its event. */
static met_error find_batch(met__txn *txn, met__hash128 hash,
                            met__event_trace *trace, met__event_batch *batch,
                            uint32_t *index_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT_BATCH, NULL, 0,
                                      &scan);

    while (error == MET_OK && trace->batch == 0) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = key.size == 8 ? met__event_batch_read(value, batch)
                                  : MET_E_CORRUPT;
        }
        for (uint32_t i = 0; error == MET_OK && i < batch->count; i++) {
            if (same_hash(met__event_batch_hash(batch, i), hash)) {
                trace->batch = met__get_u64((const unsigned char *)key.data);
                trace->day = batch->day;
                *index_out = i;
                break;
            }
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error find_logged(met__txn *txn, met__hash128 hash,
                             met__event_trace *trace)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT, NULL, 0, &scan);

    while (error == MET_OK && !trace->is_logged) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__event_log_read(key, value, &trace->event);
        }
        if (error == MET_OK && same_hash(trace->event.hash, hash)) {
            trace->is_logged = 1;
            trace->batch = trace->event.batch;
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error get_logged(met__txn *txn, int64_t utc_ns, uint32_t index,
                            met__event_trace *trace)
{
    unsigned char bytes[MET__EVENT_KEY_SIZE];
    met__logged_event place = {.utc_ns = utc_ns,
                               .batch = trace->batch,
                               .index = index};
    met__text value;

    event_key(&place, bytes);
    met_error error = met__txn_get(txn, MET__TABLE_EVENT, bytes, sizeof bytes,
                                   &value);
    if (error == MET_OK) {
        error = met__event_log_read(met__text_of((const char *)bytes,
                                                 sizeof bytes),
                                    value, &trace->event);
        trace->is_logged = error == MET_OK;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error; /* expired */
}

met_error met__event_trace_id(met__txn *txn, met__text source, met__text id,
                              met__arena *arena, met__event_trace *trace_out)
{
    met__event_batch batch;
    uint32_t index = 0;
    met__hash128 hash = met__event_hash(met__txn_store(txn), source, id);

    *trace_out = (met__event_trace){0};
    met_error error = find_batch(txn, hash, trace_out, &batch, &index);
    if (error == MET_OK && trace_out->batch == 0) {
        error = find_logged(txn, hash, trace_out);
    } else if (error == MET_OK && batch.times != NULL) {
        int64_t utc_ns = (int64_t)met__get_u64(batch.times
                                               + (size_t)index * 8);
        error = get_logged(txn, utc_ns, index, trace_out);
    }
    return error == MET_OK && trace_out->is_logged
               ? keep_texts(&trace_out->event, arena)
               : error;
}

/* --- Documents and lists -------------------------------------------------- */
met_error met__event_document(const met__logged_event *event,
                              met__arena *arena, met__node **node_out)
{
    met__builder builder;
    met__builder retracted;
    met__node *given = NULL;
    met_error error = met__json_parse(arena, event->json, &given, NULL);

    if (error != MET_OK) {
        return error == MET_E_NO_MEMORY ? error : MET_E_CORRUPT;
    }
    met__builder_begin(&builder, arena);
    met__build_node(&builder, "event", given);
    met__build_time(&builder, "time", event->utc_ns);
    met__build_time(&builder, "ingested_at", event->ingested_ns);
    if (event->retracted_ns != 0) {
        met__builder_begin(&retracted, arena);
        met__build_time(&retracted, "at", event->retracted_ns);
        met__build_text(&retracted, "reason", event->reason);
        met__build_text(&retracted, "actor", event->actor);
        met__build_object(&builder, "retracted", &retracted);
    }
    return met__builder_end(&builder, node_out);
}

typedef struct list_request {
    int64_t from_ns;
    int64_t to_ns;
    met__text subject;
    met__text type;
    int64_t limit;
    met__text cursor;
    unsigned char start[MET__EVENT_KEY_SIZE];
} list_request;

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static met_error read_cursor(met__fields *fields, list_request *request)
{
    for (size_t i = 0; i < request->cursor.size / 2; i++) {
        int high = hex_of(request->cursor.data[2 * i]);
        int low = hex_of(request->cursor.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return met__fields_fail(fields, "cursor",
                                    "is not one that a list gave");
        }
        request->start[i] = (unsigned char)(high << 4 | low);
    }
    return MET_OK;
}

static met_error read_request(const met__node *node, const met__path *path,
                              list_request *request, met_error_info *info)
{
    met__fields fields;

    *request = (list_request){.to_ns = INT64_MAX, .limit = LIMIT_DEFAULT};
    if (met__fields_begin(&fields, node, path, info) != MET_OK) {
        return fields.error;
    }
    (void)met__fields_time(&fields, "from", MET__OPTIONAL, &request->from_ns);
    (void)met__fields_time(&fields, "to", MET__OPTIONAL, &request->to_ns);
    (void)met__fields_text(&fields, "subject", MET__OPTIONAL, 1,
                           MET__SUBJECT_SIZE_MAX, &request->subject);
    (void)met__fields_text(&fields, "type", MET__OPTIONAL, 1,
                           MET__EVENT_TYPE_SIZE_MAX, &request->type);
    (void)met__fields_integer(&fields, "limit", MET__OPTIONAL, 1,
                              MET__EVENT_LIST_MAX, &request->limit);
    (void)met__fields_text(&fields, "cursor", MET__OPTIONAL,
                           2 * MET__EVENT_KEY_SIZE, 2 * MET__EVENT_KEY_SIZE,
                           &request->cursor);
    met__put_u64(request->start, (uint64_t)request->from_ns);
    if (fields.error == MET_OK && request->cursor.size > 0) {
        (void)read_cursor(&fields, request);
    }
    return met__fields_end(&fields);
}

static met_error build_cursor(met__builder *builder, met__text key)
{
    char text[2 * MET__EVENT_KEY_SIZE];

    for (size_t i = 0; i < key.size; i++) {
        text[2 * i] = "0123456789abcdef"[(unsigned char)key.data[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[key.data[i] & 15];
    }
    met__build_text(builder, "cursor", met__text_of(text, 2 * key.size));
    return builder->error;
}

static int passes(const list_request *request, const met__logged_event *event)
{
    return (request->subject.size == 0
            || met__text_equal(request->subject, event->subject))
           && (request->type.size == 0
               || met__text_equal(request->type, event->type))
           && event->utc_ns >= request->from_ns;
}

/* Items until the limit; a cursor when there is more to look at. */
static met_error fill_list(met__scan *scan, const list_request *request,
                           met__arena *arena, met__node *items,
                           met__builder *builder)
{
    met__text key;
    met__text value;
    met__logged_event event;
    met__node *node = NULL;
    met_error error = met__scan_seek(scan, request->start,
                                     sizeof request->start);

    for (int64_t looked_at = 0; error == MET_OK; looked_at++) {
        error = met__scan_next(scan, &key, &value);
        if (error == MET_OK) {
            error = met__event_log_read(key, value, &event);
        }
        if (error == MET_OK && event.utc_ns >= request->to_ns) {
            error = MET_E_NOT_FOUND;
        }
        if (error != MET_OK) {
            break;
        }
        if (items->count == request->limit || looked_at == LOOKED_AT_MAX) {
            return build_cursor(builder, key);
        }
        if (passes(request, &event)) {
            error = met__event_document(&event, arena, &node);
            if (error == MET_OK) {
                error = met__node_append(arena, items, node);
            }
        }
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__event_list(met__txn *txn, const met__node *request_node,
                          const met__path *path, met__arena *arena,
                          met__node **node_out, met_error_info *info)
{
    list_request request;
    met__scan scan;
    met__builder builder;
    met__node *items = met__node_array(arena);
    met_error error = read_request(request_node, path, &request, info);

    if (error != MET_OK || items == NULL) {
        return error != MET_OK ? error : MET_E_NO_MEMORY;
    }
    met__builder_begin(&builder, arena);
    met__build_node(&builder, "items", items);
    error = met__scan_begin(txn, MET__TABLE_EVENT, NULL, 0, &scan);
    if (error == MET_OK) {
        error = fill_list(&scan, &request, arena, items, &builder);
    }
    met__scan_end(&scan);
    return error == MET_OK ? met__builder_end(&builder, node_out) : error;
}

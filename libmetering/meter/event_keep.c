/* Retaining the events of a batch as they came. In: accepted events. Out:
 * records of the log, in the order of their time. */
#include <stdlib.h>
#include <string.h>

#include "meter/event_state.h"

#define EXPIRE_PER_EVENT 2 /* the log shrinks faster than it grows */
#define EXPIRE_LEAST 16

static int compare_kept(const void *a, const void *b)
{
    const met__kept_event *x = a;
    const met__kept_event *y = b;

    if (x->utc_ns != y->utc_ns) {
        return x->utc_ns < y->utc_ns ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

static void put_text(met__buffer *buffer, const char *name, const char *text,
                     size_t size)
{
    met__buffer_text(buffer, name);
    met__json_write_text(met__text_of(text, size), buffer);
}

/* A name that JSON can hold. What no meter asks for is not checked before. */
static int is_name(const char *key, size_t size)
{
    return (key != NULL || size == 0)
           && met__text_is_clean(met__text_of(key, size));
}

static int is_same(const char *a, size_t a_size, const char *b, size_t b_size)
{
    return a_size == b_size
           && (a_size == 0 || (a != NULL && memcmp(a, b, b_size) == 0));
}

/* Of quantities of the same name the first counts. */
static int is_kept_quantity(const met_ingest_event *given, size_t at)
{
    const met_quantity *one = &given->quantities[at];

    if (!is_name(one->key, one->key_size)
        || !met__decimal_is_printable(one->value)) {
        return 0;
    }
    for (size_t i = 0; i < at; i++) {
        const met_quantity *other = &given->quantities[i];
        if (is_same(other->key, other->key_size, one->key, one->key_size)) {
            return 0;
        }
    }
    return 1;
}

/* As of quantities, which go before: a retraction reads them again, but the
 * attributes are those of the shape. */
static int is_kept_attribute(const met_ingest_event *given, size_t at)
{
    const met_pair *one = &given->attributes[at];

    if (!is_name(one->key, one->key_size)
        || !is_name(one->value, one->value_size)) {
        return 0;
    }
    for (size_t i = 0; i < at; i++) {
        const met_pair *other = &given->attributes[i];
        if (is_same(other->key, other->key_size, one->key, one->key_size)) {
            return 0;
        }
    }
    for (size_t i = 0; i < given->quantity_count; i++) {
        const met_quantity *other = &given->quantities[i];
        if (is_same(other->key, other->key_size, one->key, one->key_size)) {
            return 0;
        }
    }
    return 1;
}

/* What came as a struct, as JSON: names of attributes stand as they are, each
 * once; what is no text and no number is left out. */
static met_error write_json(const met__kept_event *kept, met__buffer *buffer)
{
    const met_ingest_event *given = &kept->event->given;
    const char *comma = "";
    met_error error = MET_OK;

    put_text(buffer, "{\"specversion\":\"1.0\",\"id\":", given->id,
             given->id_size);
    put_text(buffer, ",\"source\":", given->source, given->source_size);
    put_text(buffer, ",\"type\":", given->type, given->type_size);
    put_text(buffer, ",\"subject\":", given->subject, given->subject_size);
    met__buffer_text(buffer, ",\"time\":\"");
    error = met__time_print(kept->utc_ns, buffer);
    met__buffer_text(buffer, "\",\"data\":{");
    for (size_t i = 0; i < given->attribute_count; i++) {
        const met_pair *pair = &given->attributes[i];
        if (!is_kept_attribute(given, i)) {
            continue;
        }
        put_text(buffer, comma, pair->key, pair->key_size);
        put_text(buffer, ":", pair->value, pair->value_size);
        comma = ",";
    }
    for (size_t i = 0; error == MET_OK && i < given->quantity_count; i++) {
        const met_quantity *quantity = &given->quantities[i];
        if (!is_kept_quantity(given, i)) {
            continue;
        }
        put_text(buffer, comma, quantity->key, quantity->key_size);
        met__buffer_text(buffer, ":\"");
        error = met__decimal_print(quantity->value, buffer);
        met__buffer_byte(buffer, '"');
        comma = ",";
    }
    met__buffer_text(buffer, "}}");
    return error == MET_OK ? buffer->error : error;
}

static met_error write_event(met__event_run *run, const met__kept_event *kept,
                             met__buffer *buffer)
{
    const met_ingest_event *given = &kept->event->given;
    met__logged_event event = {
        .utc_ns = kept->utc_ns,
        .batch = run->state.batch,
        .index = kept->index,
        .mask = kept->mask,
        .hash = run->hashes[kept->index],
        .ingested_ns = run->now_ns,
        .shape = run->ingest->shapes[kept->shape].number,
        .type = met__text_of(given->type, given->type_size),
        .subject = met__text_of(given->subject, given->subject_size),
        .json = kept->event->raw,
    };

    memcpy(event.values, kept->values, sizeof event.values);
    if (event.json.size == 0) {
        buffer->size = 0;
        met_error error = write_json(kept, buffer);
        if (error != MET_OK) {
            return error;
        }
        event.json = met__text_of(buffer->data, buffer->size);
    }
    return met__event_log_put(run->txn, &event, &run->ingest->arena);
}

met_error met__event_write_log(met__event_run *run)
{
    met__buffer buffer;
    met_error error = MET_OK;

    if (run->kept == NULL) {
        return MET_OK;
    }
    for (uint32_t i = 0; i < run->accepted; i++) {
        run->kept[i].index = i;
        run->kept[i].utc_ns = run->times[i];
    }
    if (run->accepted > 1) {
        qsort(run->kept, run->accepted, sizeof *run->kept, compare_kept);
    }
    met__buffer_init(&buffer, run->ingest->platform);
    for (uint32_t i = 0; error == MET_OK && i < run->accepted; i++) {
        if (run->kept[i].utc_ns >= run->retain_ns) {
            error = write_event(run, &run->kept[i], &buffer);
        }
    }
    met__buffer_release(&buffer);
    return error == MET_OK
               ? met__event_log_expire(
                     run->txn, run->retain_ns,
                     run->count * EXPIRE_PER_EVENT + EXPIRE_LEAST)
               : error;
}

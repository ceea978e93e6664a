/* Taking back an event, and telling what became of one. In: its source and id.
 * Out: a part that is the event's with the signs turned, or the part that it
 * was in without it; a document that says in which numbers the event is, and
 * why not in others. */
#include "base/check.h"
#include "meter/correction.h"
#include "meter/usage_match.h"
#include "meter/usage_part.h"

/* --- Meters --------------------------------------------------------------- */
/* Calls visit for every meter of the shape's type. */
typedef met_error (*visit_meter)(void *context, const met__meter *meter,
                                 const met__usage_match *match, int matches);

static met_error each_meter(met__txn *txn, const met__usage_shape *shape,
                            met__arena *arena, void *context,
                            visit_meter visit)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_METER, NULL, 0, &scan);

    while (error == MET_OK) {
        met__meter *meter = NULL;
        met__usage_match match = {0};
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(arena, value, &meter);
        }
        if (error == MET_OK
            && met__text_equal(meter->event_type, shape->type)) {
            error = visit(context, meter, &match,
                          met__usage_matches(meter, shape, &match));
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* A part that lacks the quantity is nothing to the meter. */
static int has_value(const met__usage_match *match,
                     const met__logged_event *event)
{
    return match->quantity == MET__MATCH_COUNTS
           || (event->mask >> match->quantity & 1) != 0;
}

/* --- Taking back ---------------------------------------------------------- */
/* Meters of which an event is not simply subtracted. */
typedef struct retraction {
    const met__logged_event *event;
    const met__meter *any;     /* that counts usage of the event's shape */
    const met__meter *counted; /* that counts the event itself */
} retraction;

static met_error note_meter(void *context, const met__meter *meter,
                            const met__usage_match *match, int matches)
{
    retraction *r = context;

    if (!matches
        || r->event->utc_ns / MET__MINUTE_NS < met__usage_first_minute(meter)
        || meter->aggregation == MET__AGGREGATION_COUNT
        || meter->aggregation == MET__AGGREGATION_SUM
        || meter->aggregation == MET__AGGREGATION_AVG) {
        return MET_OK;
    }
    r->any = meter;
    r->counted = has_value(match, r->event) ? meter : r->counted;
    return MET_OK;
}

static void turn_words(const met__logged_event *event, uint32_t quantities,
                       uint64_t *words)
{
    words[MET__PART_SEQUENCE] = 1;
    words[MET__PART_SHAPE] = event->shape;
    words[MET__PART_COUNT] = (uint64_t)-1;
    words[MET__PART_PLAN] = quantities;
    for (uint32_t i = 0; i < quantities; i++) {
        uint64_t *quantity = words + MET__PART_QUANTITIES
                             + i * MET__QUANTITY_WORDS;
        if ((event->mask >> i & 1) != 0) {
            quantity[MET__QUANTITY_COUNT] = (uint64_t)-1;
            met__amount_set(quantity + MET__QUANTITY_SUM, -event->values[i]);
        }
    }
}

static met_error take_back(met__txn *txn, const met__steps *steps,
                           const met__logged_event *event,
                           uint32_t quantities, met__arena *arena)
{
    uint64_t words[MET__PART_WORDS_MAX] = {0};
    met__telling telling;
    uint64_t batch = 0;
    uint32_t minute = (uint32_t)(event->utc_ns / MET__MINUTE_NS);
    met_error error = met__ingest_next_batch(txn, &batch);
    met__part_key key = {.minute = minute,
                         .generation = batch >> 32,
                         .epoch = (uint32_t)batch};

    turn_words(event, quantities, words);
    if (error == MET_OK) {
        error = met__part_put(txn, &key, words);
    }
    met__telling_begin(&telling, steps, txn, arena);
    return error == MET_OK
               ? met__steps_tell(&telling, event->shape, minute, NULL, words)
               : error;
}

/* Out of the part that counted it where some meter asks for that, else by a
 * part of its own. */
static met_error take_away(met__txn *txn, const met__steps *steps,
                           const met__logged_event *event,
                           const met__usage_shape *shape,
                           const met__path *path, met__arena *arena,
                           met_error_info *info)
{
    retraction r = {event, NULL, NULL};
    const char *hindrance = NULL;
    met_error error = each_meter(txn, shape, arena, &r, note_meter);

    if (error == MET_OK && r.any != NULL) {
        error = met__event_take_out(txn, steps, event, shape->quantity_count,
                                    arena, &hindrance);
        if (error != MET_OK || hindrance == NULL) {
            return error;
        }
    }
    if (error == MET_OK && r.counted != NULL) {
        return met__fail_at(info, MET_E_UNSUPPORTED, path, "id",
                            "the meter \"%.*s\" would have to count again "
                            "without it, but %s",
                            (int)r.counted->key.size, r.counted->key.data,
                            hindrance);
    }
    return error == MET_OK ? take_back(txn, steps, event,
                                       shape->quantity_count, arena)
                           : error;
}

/* The shape with texts of its own: a value lives until the next write. */
static met_error keep_shape(met__txn *txn, uint64_t number, met__arena *arena,
                            met__usage_shape **shape_out)
{
    unsigned char key[8];
    met__text value;
    met__usage_shape *shape = met__arena_allocate(arena, sizeof *shape);

    met__put_u64(key, number);
    met_error error = met__txn_get(txn, MET__TABLE_SHAPE, key, sizeof key,
                                   &value);
    if (error != MET_OK || shape == NULL) {
        return error == MET_OK            ? MET_E_NO_MEMORY
               : error == MET_E_NOT_FOUND ? MET_E_CORRUPT
                                          : error;
    }
    char *copy = met__arena_copy(arena, value.data, value.size);
    *shape_out = shape;
    return copy == NULL ? MET_E_NO_MEMORY
                        : met__usage_shape_decode(
                              met__text_of(copy, value.size), shape);
}

static met_error read_request(const met__node *node, const met__path *path,
                              met__text *source, met__text *id,
                              met__text *reason, met__text *actor,
                              met_error_info *info)
{
    met__fields fields;

    if (met__fields_begin(&fields, node, path, info) != MET_OK) {
        return fields.error;
    }
    (void)met__fields_text(&fields, "source", MET__REQUIRED, 1,
                           MET__EVENT_SOURCE_SIZE_MAX, source);
    (void)met__fields_text(&fields, "id", MET__REQUIRED, 1,
                           MET__EVENT_ID_SIZE_MAX, id);
    (void)met__fields_text(&fields, "reason", MET__REQUIRED, 1,
                           MET__DESCRIPTION_SIZE_MAX, reason);
    (void)met__fields_text(&fields, "actor", MET__REQUIRED, 1,
                           MET__NAME_SIZE_MAX, actor);
    return met__fields_end(&fields);
}

met_error met__event_retract(met__txn *txn, const met__steps *steps,
                             const met__node *node, const met__path *path,
                             met__arena *arena, met__node **node_out,
                             met_error_info *info)
{
    met__text source;
    met__text id;
    met__text reason;
    met__text actor;
    met__event_trace trace;
    met__usage_shape *shape = NULL;
    met_error error = read_request(node, path, &source, &id, &reason, &actor,
                                   info);

    if (error == MET_OK) {
        error = met__event_trace_id(txn, source, id, arena, &trace);
    }
    if (error == MET_OK && !trace.is_logged) {
        return met__fail_at(info, MET_E_NOT_FOUND, path, "id",
                            trace.batch != 0
                                ? "the event was counted, but is not retained"
                                : "no event of this source has this id");
    }
    if (error == MET_OK && trace.event.retracted_ns == 0) {
        error = keep_shape(txn, trace.event.shape, arena, &shape);
        if (error == MET_OK) {
            error = take_away(txn, steps, &trace.event, shape, path, arena,
                              info);
        }
        trace.event.retracted_ns = met__txn_now_ns(txn);
        trace.event.reason = reason;
        trace.event.actor = actor;
        if (error == MET_OK) {
            error = met__event_log_put(txn, &trace.event, arena);
        }
    }
    return error == MET_OK
               ? met__event_document(&trace.event, arena, node_out)
               : error;
}

/* --- Explaining ----------------------------------------------------------- */
typedef struct explanation {
    met__arena *arena;
    const met__logged_event *event;
    met__node *counted;
    met__node *not_counted;
} explanation;

static met_error add_value(const explanation *x, const met__meter *meter,
                           const met__usage_match *match,
                           met__builder *builder)
{
    met__builder dimensions;
    met_decimal value;

    if (match->quantity != MET__MATCH_COUNTS) {
        met_error error = met__amount_to_decimal(
            x->event->values[match->quantity], &value);
        if (error != MET_OK) {
            return error;
        }
        met__build_decimal(builder, "value", value);
    } else if (meter->aggregation == MET__AGGREGATION_COUNT) {
        met__build_decimal(builder, "value", met__decimal_from_i64(1));
    } else {
        met__build_node(builder, "value",
                        met__node_text(x->arena, match->unique));
    }
    met__builder_begin(&dimensions, x->arena);
    for (size_t i = 0; i < meter->dimension_count; i++) {
        char *name = met__arena_copy(x->arena, meter->dimensions[i].name.data,
                                     meter->dimensions[i].name.size);
        if (name == NULL) {
            return MET_E_NO_MEMORY;
        }
        met__build_node(&dimensions, name,
                        met__node_text(x->arena, match->values[i]));
    }
    met__build_object(builder, "dimensions", &dimensions);
    return builder->error;
}

static met_error explain_meter(void *context, const met__meter *meter,
                               const met__usage_match *match, int matches)
{
    explanation *x = context;
    met__builder builder;
    met__node *node = NULL;
    met_error error = MET_OK;
    int is_early = x->event->utc_ns / MET__MINUTE_NS
                   < met__usage_first_minute(meter);
    const char *reason =
        is_early ? "the event is before it counts"
        : !matches || !has_value(match, x->event)
            ? "the event has no value for it"
        : x->event->retracted_ns != 0 ? "the event was retracted"
                                      : NULL;

    met__builder_begin(&builder, x->arena);
    met__build_text(&builder, "meter", meter->key);
    if (reason != NULL) {
        met__build_text(&builder, "reason", met__text_z(reason));
    } else {
        met__build_time(&builder, "minute",
                        x->event->utc_ns
                            - x->event->utc_ns % MET__MINUTE_NS);
        error = add_value(x, meter, match, &builder);
    }
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    return error == MET_OK
               ? met__node_append(x->arena,
                                  reason != NULL ? x->not_counted
                                                 : x->counted,
                                  node)
               : error;
}

static met_error explain_logged(met__txn *txn, const met__logged_event *event,
                                met__arena *arena, met__builder *builder)
{
    met__usage_shape *shape = NULL;
    met__node *document = NULL;
    met__node *adjustments = NULL;
    explanation x = {arena, event, met__node_array(arena),
                     met__node_array(arena)};
    met_error error = x.counted && x.not_counted ? MET_OK : MET_E_NO_MEMORY;

    if (error == MET_OK) {
        error = keep_shape(txn, event->shape, arena, &shape);
    }
    if (error == MET_OK) {
        error = each_meter(txn, shape, arena, &x, explain_meter);
    }
    if (error == MET_OK) {
        error = met__event_document(event, arena, &document);
    }
    if (error == MET_OK) {
        error = met__adjustment_list(txn, event->subject,
                                     event->utc_ns / MET__MINUTE_NS, arena,
                                     &adjustments);
    }
    if (error != MET_OK) {
        return error;
    }
    met__build_node(builder, "logged", document);
    met__build_node(builder, "counted_by", x.counted);
    met__build_node(builder, "not_counted_by", x.not_counted);
    met__build_node(builder, "adjustments", adjustments);
    return builder->error;
}

met_error met__event_explain(met__txn *txn, met__text source, met__text id,
                             met__arena *arena, met__node **node_out)
{
    met__event_trace trace;
    met__builder builder;
    met_error error = met__event_trace_id(txn, source, id, arena, &trace);
    const char *status = trace.batch == 0 ? "unknown"
                         : trace.is_logged && trace.event.retracted_ns != 0
                             ? "retracted"
                             : "accepted";

    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "source", source);
    met__build_text(&builder, "id", id);
    met__build_text(&builder, "status", met__text_z(status));
    if (trace.batch == 0) {
        met__build_text(&builder, "reason",
                        MET__TEXT("it was never accepted, or is older than "
                                  "ids are remembered"));
    } else {
        met__build_integer(&builder, "batch", (int64_t)trace.batch);
    }
    if (trace.batch != 0 && !trace.is_logged) {
        met__build_text(&builder, "reason",
                        MET__TEXT("it was counted when it came in; what it "
                                  "was is not retained"));
    }
    if (trace.is_logged) {
        error = explain_logged(txn, &trace.event, arena, &builder);
    }
    return error == MET_OK ? met__builder_end(&builder, node_out) : error;
}

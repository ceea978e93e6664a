/* The inside of ingest: what its files share. */
#ifndef MET_METER_EVENT_STATE_H
#define MET_METER_EVENT_STATE_H

#include "base/check.h"
#include "base/index_map.h"
#include "meter/dedupe_map.h"
#include "meter/event_ingest.h"
#include "meter/event_log.h"
#include "meter/recording_plan.h"
#include "meter/usage_part.h"
#include "meter/usage_shape.h"

/* An event on its way. What its form says already is in `said`. */
typedef struct met__event {
    met_ingest_event given;
    met__text raw; /* as JSON; empty when it came as structs */
    met_event_verdict said;
} met__event;

/* A meter as far as it decides whether an event counts. */
typedef struct met__event_meter {
    int64_t first_minute;
    uint32_t quantity;  /* index in the type's, or MET__NO_INDEX */
    uint32_t attribute; /* whose distinct values count, or MET__NO_INDEX */
} met__event_meter;
#define MET__NO_INDEX UINT32_MAX

/* An event type: what is kept of it, and who counts it. */
typedef struct met__event_type {
    const met__recording_type *kept;
    const met__event_meter *meters;
    size_t meter_count;
    met__usage_shape shape; /* names are filled in, values are not */
} met__event_type;

/* A shape that was met: its number in the dictionary stays true for ever. */
typedef struct met__event_shape {
    met__hash128 hash;
    met__text value; /* as it is in the dictionary */
    uint64_t number; /* 0: not known yet */
    uint64_t turn;   /* the batch that part and minute are of */
    uint32_t minute;
    uint32_t part;
} met__event_shape;
#define MET__EVENT_SHAPES_MAX 131072u

/* An accepted event as it is retained. */
typedef struct met__kept_event {
    const met__event *event;
    uint32_t shape;
    uint32_t mask; /* of values */
    uint32_t index;
    uint32_t reserved;
    int64_t utc_ns;
    met__wide values[MET__QUANTITIES_MAX];
} met__kept_event;

/* Usage of one shape in one minute of this batch. */
typedef struct met__event_part {
    uint32_t shape;
    uint32_t minute;
    uint64_t count;
    size_t words; /* where its quantities are */
    uint32_t quantities;
    uint32_t order;
} met__event_part;

struct met__ingest {
    met_store *store;
    const met__platform *platform;
    met__steps steps;
    met__dedupe dedupe;
    /* Meters, as of this number of the catalog. */
    met__arena plan_arena;
    int has_plan;
    uint32_t last_type;
    uint64_t catalog;
    met__recording_plan *plan;
    met__event_type *types; /* beside the plan's */
    /* Shapes of earlier batches. */
    met__arena shape_arena;
    met__index_map shape_map;
    met__event_shape *shapes;
    size_t shape_count;
    size_t shape_room;
    uint64_t turn;
    /* Of the last batch; verdicts point into it. */
    met__arena arena;
};

/* One batch in its transaction. */
typedef struct met__event_run {
    met__ingest *ingest;
    met__txn *txn;
    met_error_info *info;
    int64_t now_ns;
    int64_t future_ns; /* later events are of the future */
    int64_t retain_ns; /* events from here on are retained; INT64_MAX: none */
    uint32_t horizon_day;
    uint32_t count;
    met__ingest_state state;
    const met__event *events;
    met_event_verdict *verdicts;
    met__hash128 *hashes; /* of accepted ones, in their order */
    int64_t *times;
    met__kept_event *kept; /* beside hashes; NULL when nothing is retained */
    uint32_t accepted;
    uint32_t day; /* last one of any of them */
    met__index_map ids; /* of this batch */
    uint64_t known_number; /* batch that the last known id was of */
    uint32_t known_index;  /* and where in it */
    uint32_t reserved;
    met__event_batch known;
    met__event_part *parts;
    size_t part_count;
    size_t part_room;
    met__index_map minutes; /* parts of other minutes than a shape's last */
    uint64_t *words;
    size_t word_count;
    size_t word_room;
} met__event_run;

/* --- event_plan.c --------------------------------------------------------- */
/* Meters and plan of this transaction; *is_new_out: they were read anew. */
met_error met__ingest_take_plan(met__ingest *ingest, met__txn *txn,
                                int *is_new_out);
met__event_type *met__ingest_type(met__ingest *ingest, met__text type);
void met__ingest_forget_shapes(met__ingest *ingest);

/* --- event_read.c --------------------------------------------------------- */
/* CloudEvents out of JSON, by the plan that the ingest has, into its arena.
 * MET_E_INVALID · MET_E_LIMIT · MET_E_NO_MEMORY */
met_error met__events_read(met__ingest *ingest, met__text json, int is_lines,
                           met__event **events_out, size_t *count_out,
                           met_error_info *info);

/* --- event_count.c -------------------------------------------------------- */
/* Counts one event whose id is new: sets its verdict. */
met_error met__event_count(met__event_run *run, const met__event *event,
                           int64_t utc_ns, met_event_verdict *verdict);
/* What was counted becomes parts of this batch's number; steps are told. */
met_error met__event_write_parts(met__event_run *run,
                                 met__telling *telling);

/* --- event_keep.c --------------------------------------------------------- */
/* Raw events of the batch, when they are retained; old ones go. */
met_error met__event_write_log(met__event_run *run);

/* A verdict with its reason; printf into the batch's arena. */
met_error met__event_say(met__ingest *ingest, met_event_verdict *verdict,
                         uint32_t what, const char *field,
                         const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif

/* The inside of a recorder: private memory beside its slot file. Nothing here
 * survives a kill; everything that must is in the slot. */
#ifndef MET_METER_RECORDER_STATE_H
#define MET_METER_RECORDER_STATE_H

#include "base/check.h"
#include "base/hash.h"
#include "meter/amount.h"
#include "meter/plan_signal.h"
#include "meter/recorder.h"
#include "meter/recorder_key.h"
#include "meter/recording_plan.h"
#include "meter/slot_file.h"

#define MET__NO_SHAPE UINT32_MAX
#define MET__MINUTE_PLACES 4096u /* of the table of other minutes */
/* Every attribute there can be at its longest; a shape must be shorter. */
#define MET__KEY_ROOM 8448
#define MET__OVERFLOW_SIZE 12u /* of "__overflow__" */
MET__STATIC_ASSERT(8 + (MET__ATTRIBUTES_MAX + 1) * (MET__VALUE_SIZE_MAX + 1)
                       <= MET__KEY_ROOM,
                   key_room);

/* One shape: what is equal in many events. 64 bytes, one cache line, in a
 * table by its hash: it stays where it is as long as it is in use. */
typedef struct met__shape_record {
    met__hash128 hash;   /* of the key, keyed: who has it has the key */
    uint64_t entry_hash; /* what cells name the key by */
    uint64_t count;      /* of the cell in use */
    uint64_t sequence;   /* of the cell in use */
    uint32_t cell;
    uint32_t cell_epoch; /* 0: no cell in use; another epoch: forgotten */
    uint32_t cell_minute;
    uint32_t last_epoch; /* greatest epoch of a cell that names this shape */
    uint32_t entry; /* class + 1 << 24 | entry in the slot file; 0: unused */
    uint16_t type;
    uint16_t reach; /* of this place: so many from here on may hold shapes whose
                       place this would be; it is no part of the shape */
} met__shape_record;
MET__STATIC_ASSERT(sizeof(met__shape_record) == 64, shape_record);
MET__STATIC_ASSERT(MET__SLOT_SEGMENTS_MAX * MET__SEGMENT_ITEMS_MAX <= 1 << 24,
                   entries_fit);
#define MET__ENTRY_OF(record) ((record)->entry & 0xffffffu)
#define MET__ENTRY_CLASS_OF(record) (((record)->entry >> 24) - 1)

/* An event type of the plan in use. hints: where in the caller's list a name
 * stood the last time. */
typedef struct met__recorder_type {
    met__name type;
    const met__name *attributes;
    const uint8_t *is_free;
    const met__name *quantities;
    const met__text *quantity_texts;
    uint8_t *hints;
    uint8_t *quantity_hints;
    uint32_t attribute_count;
    uint32_t quantity_count;
    uint32_t cell_class;
    uint32_t counts;
    uint32_t times;
    uint32_t has_free;
} met__recorder_type;

/* An event as it was read. */
typedef struct met__reading {
    const met__recorder_type *type;
    unsigned char *key; /* room for MET__KEY_ROOM bytes; reading fills it */
    uint32_t key_size;
    uint32_t flags;
    met__hash128 hash;
    int64_t utc_ns;
    uint64_t quantity_mask; /* which of the type's quantities it brings */
    met__wide values[MET__QUANTITIES_MAX];
} met__reading;

/* Cells of one class: those nobody uses, and those in use in the order they
 * were taken, which is the order of their epochs. */
typedef struct met__cell_pool {
    uint32_t *idle;
    uint64_t *used; /* ring: epoch << 32 | cell */
    uint64_t head;
    uint64_t tail;
    uint32_t idle_count;
    uint32_t total;
    uint32_t room; /* of both lists: a power of two */
    uint32_t taken; /* since the last tick */
    uint32_t most;  /* taken between two ticks, lately */
    uint32_t reserved;
} met__cell_pool;

/* Shape entries of one class that nobody uses. */
typedef struct met__entry_pool {
    uint32_t *idle;
    uint32_t idle_count;
    uint32_t room;
    uint32_t total;
    uint32_t wanted;
} met__entry_pool;

/* A cell of a minute that is not the one its shape counts in right now. */
typedef struct met__other_minute {
    uint32_t shape; /* + 1; 0 is empty */
    uint32_t minute;
    uint32_t cell;
} met__other_minute;

/* How many events had been counted when an epoch ended. */
#define MET__EPOCHS_KEPT 64u
typedef struct met__ended_epoch {
    uint64_t epoch; /* 0: none */
    uint64_t events;
} met__ended_epoch;

struct met_recorder {
    met_store *store;
    const met__platform *platform;
    const met__secret *secret;
    const met__atomic_u64 *plan_word;
    uint64_t plan_seen; /* the word when a plan was last asked for */
    uint64_t plan_number;
    uint64_t generation;
    uint32_t fork_generation;
    uint32_t epoch;
    uint32_t minute; /* of the clock, as far as it was looked at */
    uint32_t epoch_cells;
    met__recorder_type *types;
    size_t type_count;
    size_t last_type;
    met__shape_record *shapes;
    uint32_t shape_places; /* of the table, half as many again as room */
    uint32_t shape_limit;  /* all values are kept up to here */
    uint32_t shape_room;   /* so many may be in use */
    uint32_t shape_count;  /* in use */
    uint32_t hand;         /* where the search for an old shape goes on */
    uint32_t is_lost;      /* a file was cut short: there is no slot */
    uint32_t is_cut;       /* seen by an event: the next tick leaves the file */
    uint32_t reserved;
    met__table_memory shape_memory;
    met__atomic_u64 no_word; /* in place of the plan's */
    met__slot slot;
    met__cell_pool cells[MET__CELL_CLASSES];
    met__entry_pool entries[MET__SHAPE_CLASSES];
    met__other_minute *minutes;
    uint32_t minute_count;
    uint32_t cells_ever; /* a cell was taken since the claim */
    uint64_t events;
    uint64_t events_ticked;
    uint64_t events_settled; /* at least: as far as the last tick saw */
    uint64_t events_lost;    /* at most */
    uint64_t files_lost;
    met__ended_epoch ended[MET__EPOCHS_KEPT];
    int64_t recorded_ns; /* of the last event that asked for it */
    uint64_t overflowed;
    uint64_t full;
    met__atomic_u64 busy; /* debug builds: somebody is inside */
    met__arena plan_arena;
    met__plan_signal signal;
    /* Of the event that is read, or of a group of them. */
    unsigned char key[MET__KEY_ROOM + MET__GROUP_MAX * 256];
};

/* --- recorder_event.c ----------------------------------------------------- */
/* NULL: no meter counts events of this type. */
met__recorder_type *met__recorder_find_type(met_recorder *recorder,
                                            met__text wanted);
/* The whole event; reading->key and ->flags are given.
 * MET_E_INVALID · MET_E_LIMIT · MET_E_NOT_FOUND */
met_error met__recorder_read(met_recorder *recorder, const met_event *event,
                             met__reading *reading, met_error_info *info);
/* Only the shape of the event. */
met_error met__recorder_read_shape(met_recorder *recorder,
                                   const met_event *event,
                                   met__reading *reading,
                                   met_error_info *info);
/* Only time and quantities, of an event whose shape is known. MET_E_INVALID */
met_error met__recorder_read_values(const met_recorder *recorder,
                                    const met_event *event,
                                    met__reading *reading,
                                    met_error_info *info);
/* The key anew, with what is free put together. */
met_error met__recorder_read_overflow(const met_recorder *recorder,
                                      const met_event *event,
                                      met__reading *reading,
                                      met_error_info *info);

/* --- recorder.c ----------------------------------------------------------- */
/* Counts an event that was read. `shape` is a guess, or MET__NO_SHAPE. */
met_error met__recorder_count(met_recorder *recorder, const met_event *event,
                              met__reading *reading, uint32_t shape,
                              met_error_info *info);
/* In and out of every call that counts; enter learns of new meters.
 * MET_E_FORKED: a child, not entered. */
met_error met__recorder_enter(met_recorder *recorder, met_error_info *info);
void met__recorder_leave(met_recorder *recorder);

/* --- recorder_cell.c ------------------------------------------------------ */
/* Turns to the cell of this shape and minute, taking a new one if there is
 * none in this epoch. MET_E_TALLY_FULL */
met_error met__recorder_turn(met_recorder *recorder, uint32_t shape,
                             uint32_t minute);
void met__recorder_close_epoch(met_recorder *recorder);
/* Segments ahead of need. Never on the request path. MET_E_NO_MEMORY ·
 * MET_E_DISK_FULL · MET_E_IO: what is there stays in use. */
met_error met__recorder_provide(met_recorder *recorder);
void met__recorder_release_cells(met_recorder *recorder);
/* The lists of a freshly claimed slot: nothing in it is in use. */
met_error met__recorder_list_segments(met_recorder *recorder);

/* --- recorder_shape.c ----------------------------------------------------- */
/* Where a shape would be if nothing else were there. */
static inline uint32_t met__recorder_home(const met_recorder *recorder,
                                          met__hash128 hash)
{
    return (uint32_t)((hash.low >> 32) * recorder->shape_places >> 32);
}

static inline int met__recorder_is_shape(const met_recorder *recorder,
                                         uint32_t shape, met__hash128 hash)
{
    const met__shape_record *record = &recorder->shapes[shape];

    return record->hash.low == hash.low && record->hash.high == hash.high
           && record->entry != 0;
}

/* The record of a key, or MET__NO_SHAPE. */
static inline uint32_t met__recorder_find(const met_recorder *recorder,
                                          met__hash128 hash)
{
    uint32_t at = met__recorder_home(recorder, hash);

    for (uint32_t left = recorder->shapes[at].reach; left > 0; left--) {
        if (met__recorder_is_shape(recorder, at, hash)) {
            return at;
        }
        at = at + 1 < recorder->shape_places ? at + 1 : 0;
    }
    return MET__NO_SHAPE;
}

/* A new shape of a key that was read. `reserve`: also beyond the limit.
 * MET_E_INVALID (a text is not clean) · MET_E_TALLY_FULL */
met_error met__recorder_add_shape(met_recorder *recorder,
                                  const met__reading *reading, int reserve,
                                  uint32_t *shape_out, met_error_info *info);
/* Looks at so many places, and gives back shapes that no unsettled cell
 * names. */
void met__recorder_sweep(met_recorder *recorder, uint32_t tries);

/* --- recorder_open.c ------------------------------------------------------ */
/* Ends the epoch and goes on with the plan in force. */
met_error met__recorder_take_plan(met_recorder *recorder);

/* The greatest epoch whose cells may be used again. */
static inline uint64_t met__recorder_settled(const met_recorder *recorder)
{
    return met__load_acquire(
        &met__slot_settlers_of(&recorder->slot)->settled_epoch);
}

#endif
